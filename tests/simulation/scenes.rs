//! Stories with one subject: what the general ones meet too seldom, or only between other disasters.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::sandbox::{Fault, FaultKind, Typing, Unpaginated, trademe};

use crate::market::{CARDMARKET, Name, TRADEME};
use crate::story::{Blow, JobPlan, Moment, Settings, ShopPlan, Story, passing_refusal};
use crate::watch::Removed;
use crate::world::{ShopDeed, Weather};

/// A small shop at Cardmarket on a fine day: nothing happens but buyers, and the agent polls every so many minutes.
fn fair(seed: u64, start: &str, hours: i64, minutes: u32, limit: Option<u32>) -> Story {
    let shop = ShopPlan::Cardmarket {
        articles: 12,
        orders: 2,
        limit,
        typing: Typing::default(),
        unpaginated: Unpaginated::Gone,
    };
    fair_at(shop, seed, start, TimeDelta::hours(hours), &format!("*/{minutes} * * * *"))
}

/// The same at Trade Me.
fn fair_at_trademe(seed: u64, start: &str, hours: i64, schedule: &str, limit: Option<u32>) -> Story {
    fair_at(small_trademe(limit, "hmac-sha1"), seed, start, TimeDelta::hours(hours), schedule)
}

fn small_trademe(limit: Option<u32>, signature: &'static str) -> ShopPlan {
    let options =
        trademe::Options { listings: 12, sales: 2, unsold: 1, hourly_limit: limit, ..Default::default() };
    ShopPlan::TradeMe { options, signature }
}

fn fair_at(shop: ShopPlan, seed: u64, start: &str, span: TimeDelta, schedule: &str) -> Story {
    let name = shop.name();
    let job = |kind, schedule: &str| JobPlan {
        kind,
        account: Some(name),
        schedule: schedule.to_owned(),
        timeout_s: 300,
        jitter_s: 0,
        overlap: "skip",
        on_missed: "run-once",
        mode: "observe",
        dated_rows: false,
    };
    Story {
        seed,
        start: start.parse::<DateTime<Utc>>().unwrap_or_default(),
        span,
        shops: vec![shop],
        settings: Settings {
            zone: chrono_tz::Europe::Berlin,
            per_second: 5,
            request_timeout_s: 30,
            jobs: vec![
                job("order-poll", schedule),
                job("stock-pull", "40 */6 * * *"),
                job("probe", "7 * * * *"),
            ],
        },
        weather: Weather::default(),
        skew: TimeDelta::zero(),
        shop_deeds: (1..4).map(|at| (TimeDelta::minutes(at * 37), name, ShopDeed::Buy(1))).collect(),
        blows: Vec::new(),
        removed: None,
        measure_recovery: false,
        own_trigger: false,
        boots: 0,
        asks_time: seed.is_multiple_of(2),
        sellers: BTreeMap::new(),
        channel: false,
    }
}

fn random(seed: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed ^ 0x5ce_4e5)
}

/// Another agent takes the account over while the first is at work, or stands still with a request in its hand.
pub fn rivals(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 6, 5, None);
    story.weather = Weather { freeze_at_gate: 0.1, freeze_alone: true, ..Weather::default() };
    story.settings.jobs.iter_mut().for_each(|job| job.timeout_s = 3_000);
    for at in [40, 130, 220] {
        story.blows.push((TimeDelta::seconds(at * 60 + r.i64(0..3_600)), Blow::Rival));
        let away = TimeDelta::seconds(r.i64(0..60));
        story.blows.push((TimeDelta::minutes(at + 75), Blow::Crash { steps: r.u32(0..20), turns: 0, away }));
    }
    story
}

/// More to ask than a day allows, over days of 23, 24 and 25 hours, with a clock that is off by as little as goes
/// unnoticed or by minutes; and somebody kills the agent now and then.
pub fn saturated(seed: u64) -> Story {
    let mut r = random(seed);
    let start = ["2026-03-28T18:00:00Z", "2026-03-11T18:00:00Z", "2026-10-24T18:00:00Z"][(seed % 3) as usize];
    let limit = r.u32(100..260);
    let mut story = fair(seed, start, 54, 5, Some(limit));
    story.skew = TimeDelta::milliseconds(match seed % 4 {
        0 => r.i64(-2_000..2_000),
        1 => r.i64(-290_000..290_000),
        2 => r.i64(120_000..290_000),
        _ => 0,
    });
    story.weather = Weather { late: 0.02, slow: 0.02, lost_after: 0.005, ..Weather::default() };
    for _ in 0..2 {
        let at = TimeDelta::seconds(r.i64(0..50 * 3_600));
        let (steps, turns, away) = (r.u32(0..20), r.u32(0..10), TimeDelta::seconds(r.i64(0..30)));
        story.blows.push((at, Blow::Crash { steps, turns, away }));
    }
    story.blows.sort_by_key(|(at, _)| *at);
    story
}

/// More to ask than an hour allows, of a shop that counts by the clock hour and does not say how many are left.
pub fn saturated_hours(seed: u64) -> Story {
    let mut r = random(seed);
    let limit = Some(r.u32(80..110));
    let mut story = fair_at_trademe(seed, "2026-03-11T18:20:00Z", 5, "*/30 * * * * *", limit);
    story.skew = TimeDelta::milliseconds(match seed % 3 {
        0 => r.i64(-2_000..2_000),
        1 => r.i64(-290_000..290_000),
        _ => r.i64(120_000..290_000),
    });
    story.weather = Weather { late: 0.01, slow: 0.02, lost_after: 0.005, ..Weather::default() };
    let at = TimeDelta::seconds(r.i64(0..4 * 3_600));
    let (steps, turns, away) = (r.u32(0..20), r.u32(0..10), TimeDelta::seconds(r.i64(0..30)));
    story.blows.push((at, Blow::Crash { steps, turns, away }));
    story
}

/// The allowance is used up before the hour is over, and our clock gets there first, or last.
pub fn edge_of_hour(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair_at_trademe(seed, "2026-09-26T12:20:00Z", 3, "* * * * *", Some(r.u32(20..45)));
    story.skew = TimeDelta::milliseconds(match seed % 3 {
        0 => r.i64(-2_000..2_000),
        1 => r.i64(-290_000..-150_000),
        _ => r.i64(150_000..290_000),
    });
    story.settings.per_second = 20;
    story.weather = Weather { late: 0.05, slow: 0.05, ..Weather::default() };
    story
}

/// The allowance is used up long before Berlin's midnight, and our clock gets there first: by minutes, or by as
/// little as goes unnoticed.
pub fn edge_of_day(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T21:30:00Z", 3, 1, Some(r.u32(40..70)));
    story.skew = TimeDelta::milliseconds(match seed % 3 {
        0 => r.i64(-2_000..2_000),
        _ => r.i64(150_000..290_000),
    });
    story.settings.per_second = 20;
    story.weather = Weather { late: 0.05, slow: 0.05, ..Weather::default() };
    // By itself the agent leaves something over. A person takes that too, and goes on beyond midnight.
    for at in 0..60 {
        story.blows.push((TimeDelta::seconds(75 * 60 + at * 18), Blow::Manual("order-poll".to_owned())));
    }
    story
}

/// The hour's or the day's allowance is used up by a person, and the machine's clock is set over its edge again and
/// again: while the agent is at work, or between two processes, of which some follow a start of the whole machine.
pub fn set_over_the_edge(seed: u64) -> Story {
    let mut r = random(seed);
    let limit = Some(r.u32(25..45));
    let by_hour = seed % 3 != 2;
    let (mut story, poll) = if by_hour {
        let story = fair_at_trademe(seed, "2026-09-26T12:20:00Z", 3, "*/5 * * * *", limit);
        (story, format!("{TRADEME}-order-poll"))
    } else {
        (fair(seed, "2026-03-11T22:20:00Z", 3, 5, limit), "order-poll".to_owned())
    };
    story.settings.per_second = 20;
    story.boots = 3;
    for at in 0..60 {
        story.blows.push((TimeDelta::seconds(10 + at * 5), Blow::Manual(poll.clone())));
    }
    let mut ahead = TimeDelta::zero();
    // By days and back, which the shop notices by the signature; or by as little as it does not, at the very edge.
    let turns: Vec<_> = match seed % 2 {
        0 => (0..4).map(|at| (2_240 + at * 40, r.i64(230..290))).collect(),
        _ => (0..8).map(|at| (420 + at * 180, r.i64(40_000..200_000) * ((at + 1) % 2))).collect(),
    };
    for (at, by) in turns {
        let at = TimeDelta::seconds(at);
        let to = TimeDelta::seconds(by) + if seed.is_multiple_of(2) { ahead } else { TimeDelta::zero() };
        if r.u8(0..3) > 0 {
            story.blows.push((at, Blow::Restart { away: TimeDelta::seconds(4) }));
        }
        story.blows.push((at + TimeDelta::seconds(2), Blow::Jump(to - ahead)));
        for wait in [6, 12] {
            story.blows.push((at + TimeDelta::seconds(wait), Blow::Manual(poll.clone())));
        }
        ahead = to;
    }
    story
}

/// A day of few requests is used up by a person in the evening, and the machine is off from then until after midnight. Its clock is right.
pub fn off_overnight(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T19:20:00Z", 8, 5, Some(r.u32(12..19)));
    story.settings.per_second = 20;
    story.boots = 1;
    for at in 0..60 {
        story.blows.push((TimeDelta::seconds(10 + at * 5), Blow::Manual("probe".to_owned())));
    }
    story.blows.push((TimeDelta::minutes(20), Blow::Restart { away: TimeDelta::minutes(r.i64(230..300)) }));
    story
}

/// A clock that is set back by more than the board waits for, again and again.
pub fn set_back(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 8, 10, None);
    for at in [70, 200, 330] {
        let back = TimeDelta::minutes(r.i64(11..60));
        story.blows.push((TimeDelta::minutes(at + r.i64(0..60)), Blow::Jump(-back)));
        let (steps, turns, away) = (r.u32(0..9), r.u32(0..9), TimeDelta::seconds(r.i64(0..60)));
        story.blows.push((TimeDelta::minutes(at + 90), Blow::Crash { steps, turns, away }));
    }
    story
}

/// Away for hours, again and again.
pub fn outages(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 20, 15, None);
    for at in [2, 8, 14] {
        let (steps, turns, away) = (r.u32(0..9), r.u32(0..9), TimeDelta::minutes(r.i64(60..240)));
        story.blows.push((TimeDelta::hours(at), Blow::Crash { steps, turns, away }));
    }
    story
}

/// Killed again and again on a fine day.
pub fn killed(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 6, 5, None);
    story.measure_recovery = true;
    for at in 1..16 {
        let (steps, turns, away) = (r.u32(0..30), r.u32(0..30), TimeDelta::milliseconds(r.i64(0..20_000)));
        let at = TimeDelta::seconds(at * 20 * 60 + r.i64(0..900));
        story.blows.push((at, Blow::Crash { steps, turns, away }));
    }
    story
}

/// What kind of storm it is.
pub const STORMS: [(&str, FaultKind); 5] = [
    ("503", FaultKind::Status { status: 503 }),
    ("429 with Retry-After 1", FaultKind::TooMany { retry_after: 1 }),
    ("429 with Retry-After 20", FaultKind::TooMany { retry_after: 20 }),
    ("connections cut", FaultKind::DropBefore),
    ("no answers", FaultKind::Never),
];

/// A shop and how often it is polled, in seconds: where a poll is two requests of which a storm sees the first only,
/// and where it is one, so that nothing is saved by giving up.
pub const POLLED: [(Name, i64); 4] = [(TRADEME, 20), (TRADEME, 300), (CARDMARKET, 60), (CARDMARKET, 300)];

/// Ten minutes of the same trouble, in the middle of an hour that is otherwise fine. Or without it.
pub fn storm(seed: u64, (name, seconds): (Name, i64), kind: Option<&FaultKind>) -> Story {
    let schedule =
        if seconds < 60 { format!("*/{seconds} * * * * *") } else { format!("*/{} * * * *", seconds / 60) };
    let mut story = if name == TRADEME {
        let shop = small_trademe(None, if seed.is_multiple_of(2) { "hmac-sha1" } else { "plaintext" });
        fair_at(shop, seed, STORMY, TimeDelta::minutes(50), &schedule)
    } else {
        fair(seed, STORMY, 1, seconds as u32 / 60, None)
    };
    story.settings.request_timeout_s = (seconds as u64 / 2).min(30);
    story.shop_deeds.clear();
    if let Some(kind) = kind {
        let fault = Fault::from(kind.clone()).for_seconds(600);
        story.shop_deeds.push((TimeDelta::minutes(20), name, ShopDeed::Fault(fault)));
    }
    story
}

const STORMY: &str = "2026-03-11T08:00:30Z";

/// Ten minutes in which [`storm`] storms.
pub fn storm_time() -> (DateTime<Utc>, DateTime<Utc>) {
    let begin = STORMY.parse::<DateTime<Utc>>().unwrap_or_default() + TimeDelta::minutes(20);
    (begin, begin + TimeDelta::minutes(10))
}

/// What a shop refuses, at one of two accounts, and how many there are of these.
pub const REFUSALS: u64 = 6;

/// Two accounts, and one of them is refused: for good until a person renews the login, for one request, for a while,
/// for one resource, or since the clocks are twenty minutes apart. Every other time the agent is killed meanwhile.
pub fn refused(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = served(seed);
    let name = if seed.is_multiple_of(2) { CARDMARKET } else { TRADEME };
    let at = TimeDelta::seconds(r.i64(1_800..3_600));
    let fault = match seed / 2 % REFUSALS {
        0 => FaultKind::RejectToken.into(),
        1 => FaultKind::Revoke { empty_body: false }.into(),
        2 | 3 => passing_refusal(&mut r, name),
        4 => Fault::from(FaultKind::RejectToken).next(1),
        _ => Fault::from(FaultKind::ClockSkew { seconds: if r.bool() { 1_200 } else { -1_200 } })
            .for_seconds(3_600),
    };
    story.shop_deeds.push((at, name, ShopDeed::Fault(fault)));
    if seed / 2 % REFUSALS < 2 {
        let renewed = at + TimeDelta::minutes(r.i64(30..80));
        story.shop_deeds.push((renewed, name, ShopDeed::Fault(FaultKind::Restore.into())));
        story.blows.push((renewed + TimeDelta::minutes(5), Blow::Ask(name)));
    }
    story
}

/// The same, and the agent is killed and started again while it finds out.
pub fn refused_and_killed(seed: u64) -> Story {
    let mut r = random(seed ^ 0x6b69_6c6c);
    let mut story = refused(seed);
    let faults = story.shop_deeds.iter().filter(|(_, _, deed)| matches!(deed, ShopDeed::Fault(_)));
    let at = faults.map(|(at, ..)| *at).min().unwrap_or_default();
    for minutes in [0, 6, 20] {
        let (steps, turns, away) = (r.u32(0..12), r.u32(0..20), TimeDelta::seconds(r.i64(0..30)));
        story.blows.push((at + TimeDelta::minutes(minutes), Blow::Crash { steps, turns, away }));
    }
    story.blows.sort_by_key(|(at, _)| *at);
    story
}

/// One account is refused for good, and the agent is killed over each question what that means.
pub fn refused_and_killed_over_its_questions(seed: u64) -> Story {
    killed_over(Moment::Canary, &[0, 6, 12], random(seed ^ 0x6173_6b73), seed)
}

/// One account is refused for good, and the agent is killed over each of its requests, mostly before it reads the answer.
pub fn refused_and_killed_unread(seed: u64) -> Story {
    killed_over(Moment::Refused, &[0, 6, 12, 18, 24], random(seed ^ 0x756e_7264), seed)
}

fn killed_over(moment: Moment, after_minutes: &[i64], mut r: fastrand::Rng, seed: u64) -> Story {
    let (mut story, at) = refused_for_good(seed);
    for minutes in after_minutes {
        let (steps, turns, away) = (r.u32(0..4), r.u32(0..6), TimeDelta::seconds(r.i64(0..30)));
        let crash = Blow::CrashAt { moment, before: 0, steps, turns, away };
        story.blows.push((at + TimeDelta::minutes(*minutes), crash));
    }
    story.blows.sort_by_key(|(at, _)| *at);
    story
}

/// Of the stories of [`refused`] one with a refusal for good, and when that begins.
fn refused_for_good(seed: u64) -> (Story, TimeDelta) {
    let story = refused(seed / 4 * 2 * REFUSALS + seed % 4);
    let faults = story.shop_deeds.iter().filter(|(_, _, deed)| matches!(deed, ShopDeed::Fault(_)));
    let at = faults.map(|(at, ..)| *at).min().unwrap_or_default();
    (story, at)
}

/// How long [`served`] lasts.
pub const SERVED: TimeDelta = TimeDelta::minutes(150);

/// The two accounts of [`refused`], of which none is refused.
pub fn served(seed: u64) -> Story {
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 3, 5, None);
    story.span = SERVED;
    let other = small_trademe(None, "hmac-sha1");
    let jobs = fair_at(other.clone(), seed, "2026-03-11T08:00:00Z", SERVED, "*/5 * * * *");
    story.shops.push(other);
    story.settings.jobs.extend(jobs.settings.jobs);
    story
}

/// A shop that is made what a list says, on a day on which the answers to writes get lost and late ones take effect.
pub fn lossy(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 4, 10, None);
    story.sell_by_list(&mut r, CARDMARKET);
    story.apply();
    story.settings.request_timeout_s = 10;
    story.weather = Weather { buyers: 0.1, ..Weather::default() };
    for _ in 0..12 {
        let at = TimeDelta::seconds(r.i64(0..4 * 3_600));
        let kind = if r.bool() { FaultKind::DropAfter } else { FaultKind::Late { seconds: r.u32(5..80) } };
        let fault = Fault::from(kind).on_writes().next(2);
        story.shop_deeds.push((at, CARDMARKET, ShopDeed::Fault(fault)));
    }
    story
}

/// A shop that is made what a list says, and a person who halts every write in the middle of it.
pub fn halted(seed: u64) -> Story {
    let mut r = random(seed);
    let mut story = fair(seed, "2026-03-11T08:00:00Z", 4, 10, None);
    story.sell_by_list(&mut r, CARDMARKET);
    story.apply();
    story.blows.push((TimeDelta::minutes(5), Blow::Halt));
    story.blows.push((TimeDelta::minutes(200), Blow::Unhalt));
    story
}

/// The daemon's own trigger ticks, twice a second.
pub fn own_trigger(seed: u64) -> Story {
    let mut story = fair(seed, "2026-03-29T00:10:00Z", 1, 5, None);
    story.own_trigger = true;
    story
}

/// The same story without one protection.
pub fn without(removed: Removed, mut story: Story) -> Story {
    story.removed = Some(removed);
    story
}
