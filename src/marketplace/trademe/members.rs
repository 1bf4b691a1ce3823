//! Members of Trade Me's answers (trademe.md 4.2): what is false, zero or null is usually left out, so that a missing
//! one is its default and never a mistake. One that is there and is not what it should be is.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::domain::{Currency, Money, clean};
use crate::marketplace::json::{self, Raw};

/// A number that counts or identifies: 0 when it is left out.
pub(super) fn count(raw: Raw<'_>, name: &str) -> Result<i64, String> {
    match json::text(raw) {
        None => Ok(0),
        Some(_) => json::number(raw, name)
            .and_then(|n| if n < 0 { Err(format!("`{name}` is negative")) } else { Ok(n) }),
    }
}

/// An identifier that must be there.
pub(super) fn id(raw: Raw<'_>, name: &str) -> Result<i64, String> {
    match count(raw, name)? {
        0 => Err(format!("`{name}` is missing")),
        id => Ok(id),
    }
}

/// An amount: 0 when it is left out.
pub(super) fn amount(raw: Raw<'_>, name: &str, currency: Currency) -> Result<Money, String> {
    match json::text(raw) {
        None => Ok(Money { minor: 0, currency }),
        Some(_) => json::money(raw, name, currency)
            .and_then(|m| if m.minor < 0 { Err(format!("`{name}` is negative")) } else { Ok(m) }),
    }
}

/// The time in `/Date(ms)/`: milliseconds since 1970, UTC. An offset may follow them and changes nothing, as it only
/// says where the writer was. 0 is no time but "not set".
pub(super) fn date(raw: Raw<'_>) -> Option<DateTime<Utc>> {
    let text = json::text(raw)?;
    let inner = text.trim().strip_prefix("/Date(")?.strip_suffix(")/")?;
    let digits = inner.rfind(['+', '-']).filter(|at| *at > 0).map_or(Some(inner), |at| {
        let offset = &inner.as_bytes()[at + 1..];
        (offset.len() == 4 && offset.iter().all(u8::is_ascii_digit)).then_some(&inner[..at])
    })?;
    match digits.parse() {
        Ok(0) | Err(_) => None,
        Ok(ms) => DateTime::from_timestamp_millis(ms),
    }
}

/// A message for people. Several come in one text, a line each (trademe.md 5, rule 3).
pub(super) fn message(raw: Raw<'_>) -> Option<String> {
    // A number or a flag is no message.
    let text = json::text(raw.filter(|raw| raw.get().starts_with('"')))?;
    let lines = text.lines().map(|line| clean(line).trim().to_owned()).filter(|line| !line.is_empty());
    joined(lines)
}

/// Several messages as one; `None` without any.
pub(super) fn joined(messages: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = messages.collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// A member that is an object; one that is missing or something else reads as an empty one.
pub(super) fn part<'a, T: Deserialize<'a> + Default>(raw: Raw<'a>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// The objects of a list that may be missing; what is none of the expected shape is passed over.
pub(super) fn parts<'a, T: Deserialize<'a>>(raw: Raw<'a>) -> impl Iterator<Item = T> {
    let rows = raw.and_then(|raw| json::rows(raw).ok()).unwrap_or_default();
    rows.into_iter().filter_map(|row| json::object(row).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_date_is_milliseconds_whatever_its_slashes_and_offset() {
        let check = |json: &str, expected: Option<&str>| {
            let expected = expected.map(|at| at.parse::<DateTime<Utc>>().unwrap());
            assert_eq!(date(Some(&raw(json))), expected, "{json}");
        };
        check(r#""\/Date(1534192903827)\/""#, Some("2018-08-13T20:41:43.827Z"));
        check(r#""/Date(1534192903827)/""#, Some("2018-08-13T20:41:43.827Z"));
        check(r#""/Date(1534192903827+1300)/""#, Some("2018-08-13T20:41:43.827Z"));
        check(r#""/Date(-1000-0500)/""#, Some("1969-12-31T23:59:59Z"));
        check(r#""/Date(0)/""#, None);
        check(r#""/Date(0+1200)/""#, None);
        check(r#""/Date(1534192903827+13)/""#, None);
        check(r#""/Date(99999999999999999)/""#, None);
        check(r#""/Date()/""#, None);
        check(r#""2018-08-13T20:41:43Z""#, None);
        check("null", None);
    }

    #[test]
    fn what_is_left_out_is_its_default_and_what_is_wrong_is_not() {
        assert_eq!(count(None, "n"), Ok(0));
        assert_eq!(count(Some(&raw("null")), "n"), Ok(0));
        assert_eq!(count(Some(&raw("5123456789")), "n"), Ok(5_123_456_789));
        assert!(count(Some(&raw("-1")), "n").unwrap_err().contains("negative"));
        assert!(count(Some(&raw("\"many\"")), "n").is_err());
        assert!(id(Some(&raw("0")), "PurchaseId").unwrap_err().contains("`PurchaseId` is missing"));
        let nzd = |json: &str| amount(Some(&raw(json)), "p", Currency::NZD).map(|money| money.minor);
        assert_eq!(amount(None, "p", Currency::NZD).map(|money| money.minor), Ok(0));
        assert_eq!(nzd("21.0"), Ok(2_100));
        assert_eq!(nzd("4.27"), Ok(427));
        assert!(nzd("0.305").is_err() && nzd("-1").is_err() && nzd("\"free\"").is_err());
    }

    #[test]
    fn messages_of_several_lines_become_one_line() {
        let json = raw(r#""Please enter a title.\r\nThe start price must be at least $0.50.\r\n""#);
        assert_eq!(
            message(Some(&json)).as_deref(),
            Some("Please enter a title.; The start price must be at least $0.50.")
        );
        assert_eq!(message(Some(&raw("false"))), None);
        assert_eq!(message(Some(&raw("\" \""))), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}", inner in "[0-9+\\-é]{0,24}") {
            for text in [text, format!("/Date({inner})/")] {
                let json = raw(&serde_json::to_string(&text).unwrap());
                let some = Some(&*json);
                let _ = (date(some), count(some, "n"), amount(some, "m", Currency::NZD), message(some));
            }
        }

        #[test]
        fn every_instant_survives_its_own_text(ms in 1_i64..4_000_000_000_000) {
            let json = raw(&format!("\"\\/Date({ms})\\/\""));
            prop_assert_eq!(date(Some(&json)).map(|at| at.timestamp_millis()), Some(ms));
        }
    }
}
