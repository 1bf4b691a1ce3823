//! Values that people and marketplaces write: schedules, money, and where a redirect leads.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sellerd::domain::{Currency, Money};
use sellerd::http::oauth1::Target;
use sellerd::policy::schedule::Schedule;

/// Zones without and with a summer time, one with half an hour of it, and one that once left out a day.
const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__Berlin, Tz::Australia__Lord_Howe, Tz::Pacific__Apia];

/// A schedule: the first byte names the zone and the week of the year, the rest is the text.
pub fn schedule(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let Ok(schedule) = Schedule::parse(&text, ZONES[usize::from(first % 4)]) else { return };
    let from = DateTime::<Utc>::from_timestamp(1_767_225_600, 0).expect("2026")
        + TimeDelta::weeks(i64::from(first / 4));
    assert_eq!(schedule.text(), text.as_ref(), "what was written is shown");
    assert!(!schedule.describe().is_empty());
    let mut last = from;
    for at in schedule.upcoming(from, 8) {
        assert!(at > last, "{text}: {at} after {last}");
        let _ = schedule.note(at);
        last = at;
    }
}

/// Money: what is read is written in a way that reads the same.
pub fn money(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(money) = Money::parse(&text, Currency::EUR) {
        let written = money.decimal();
        assert_eq!(Money::parse(&written, Currency::EUR).ok(), Some(money), "{text} is written {written}");
    }
    let _ = text.parse::<Currency>();
}

/// A URL, and the `Location` of a redirect: nothing leads to another host unseen, nothing is sent that was not signed.
pub fn target(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let base = Target::new("https://api.example.test/ws/v2.0").expect("a URL").segment("stock");
    for target in [Target::parse(&text), Target::new(&text), base.redirected(&text)].into_iter().flatten() {
        if let Ok(url) = target.to_url() {
            assert_eq!(url.as_str(), target.as_str(), "what is signed is sent");
            let ours =
                url.host_str() == Some("api.example.test") && url.scheme() == "https" && url.port().is_none();
            assert_eq!(ours, target.same_origin(&base), "{text}");
        }
        let more = target.clone().segment(&text).query(&text, &text);
        assert!(more.same_origin(&target));
        assert!(more.as_str().starts_with(more.without_query()));
    }
}
