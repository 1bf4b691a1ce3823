//! The board over ten years in forty zones: every time of day that a schedule names, once, whatever the clocks of the
//! zone do, whoever was away meanwhile. What is due is worked out here from the zone's own rules, not by our schedule.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use sellerd::domain::Trigger;
use sellerd::policy::due::{Board, OnMissed, Plan};
use sellerd::policy::schedule::Schedule;

/// Zones of every kind: half hours and quarters, clocks that change at midnight, by half an hour, in autumn where it
/// is spring, twice for Ramadan, not at all, or not any more.
pub const ZONES: [&str; 40] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Dublin",
    "Europe/Athens",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Europe/Chisinau",
    "Atlantic/Azores",
    "Atlantic/Reykjavik",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/St_Johns",
    "America/Halifax",
    "America/Havana",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/Caracas",
    "America/Mexico_City",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Juba",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Amman",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
];

/// What was swept.
#[derive(Debug, Default)]
pub struct Swept {
    /// Slots that were due.
    pub slots: u64,
    /// Of these, handed out to be run.
    pub fires: u64,
    /// Of these, coalesced into another or skipped.
    pub coalesced: u64,
    /// What was wrong.
    pub wrong: Vec<String>,
}

/// Sweeps all zones.
pub fn sweep() -> Swept {
    let mut swept = Swept::default();
    for (index, name) in ZONES.iter().enumerate() {
        let Ok(tz) = name.parse::<Tz>() else {
            swept.wrong.push(format!("there is no zone {name}"));
            continue;
        };
        let (hour, minute) = [(2, 30), (0, 0), (1, 15), (3, 5)][index % 4];
        sweep_zone(tz, hour, minute, index as u64, &mut swept);
    }
    swept
}

fn sweep_zone(tz: Tz, hour: u32, minute: u32, seed: u64, swept: &mut Swept) {
    let expected = due(tz, hour, minute);
    let Ok(schedule) = Schedule::parse(&format!("{minute} {hour} * * *"), tz) else {
        return swept.wrong.push(format!("{tz}: the schedule is refused"));
    };
    let mut rng = fastrand::Rng::with_seed(seed);
    let on_missed = if seed.is_multiple_of(2) { OnMissed::RunOnce } else { OnMissed::Skip };
    let start = day(2019).and_time(NaiveTime::MIN).and_utc();
    let end = day(2029).and_time(NaiveTime::MIN).and_utc();
    let plan = |planned_from| Plan {
        job: "job".into(),
        schedule: schedule.clone(),
        enabled: true,
        jitter: std::time::Duration::ZERO,
        on_missed,
        planned_from,
    };
    let mut board = Board::new(vec![plan(start)], start);
    let (mut now, mut reached) = (start, start);
    let mut dealt = expected.partition_point(|slot| *slot <= start);
    while now < end {
        now += match rng.u8(0..10) {
            0 => TimeDelta::hours(rng.i64(24..400)),
            // Back by no more than the board waits for; beyond that it plans anew and the database refuses twins.
            1 => (reached - TimeDelta::seconds(rng.i64(0..590))) - now,
            _ => TimeDelta::seconds(rng.i64(1..80_000)),
        };
        // Half of the time somebody looks just as the slot is due, as the real trigger does.
        if let Some(slot) = expected.get(dealt).filter(|slot| **slot < now && rng.bool()) {
            now = *slot + TimeDelta::milliseconds(rng.i64(0..500));
        }
        reached = reached.max(now);
        if rng.u8(0..20) == 0 {
            reached = now;
            let from = board.planned_from(&"job".into()).unwrap_or(start);
            board = Board::new(vec![plan(from)], now);
        }
        let claimed = board.claim(now);
        let is_due = expected.partition_point(|slot| *slot <= now).max(dealt);
        let handed = (is_due - dealt) as u64;
        let (mut ran, mut stood_for) = (0, 0);
        for fire in &claimed.fires {
            ran += 1;
            stood_for += u64::from(fire.missed) - u64::from(fire.trigger == Trigger::Catchup);
            if handed == 0 || expected[is_due - 1] != fire.due_at {
                swept
                    .wrong
                    .push(format!("{tz}: at {now} a run for {}, which is not the slot due", fire.due_at));
            }
        }
        for missed in &claimed.skipped {
            stood_for += u64::from(missed.count);
            if expected.binary_search(&missed.due_first).is_err()
                || expected.binary_search(&missed.due_last).is_err()
            {
                swept.wrong.push(format!("{tz}: at {now} {missed:?} was skipped, which was not due"));
            }
        }
        if ran + stood_for != handed || ran > 1 {
            swept
                .wrong
                .push(format!("{tz}: at {now} {handed} slots were due, {ran} ran for {stood_for} more"));
        }
        swept.slots += handed;
        swept.fires += ran;
        swept.coalesced += stood_for;
        dealt = is_due;
    }
}

/// Every day's instant for that time on the wall, by the zone's own rules: the first of two, or the first there is
/// after a gap.
fn due(tz: Tz, hour: u32, minute: u32) -> Vec<DateTime<Utc>> {
    let (mut at, mut slots) = (day(2018), Vec::new());
    while at < day(2030) {
        if let Some(local) = at.and_hms_opt(hour, minute, 0) {
            slots.extend(first_after(tz, local));
        }
        at = at.checked_add_days(Days::new(1)).unwrap_or(day(2030));
    }
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn first_after(tz: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let minutes = (0..=26 * 60).map(|minute| local + TimeDelta::minutes(minute));
    let mut found = minutes.filter_map(|local| tz.from_local_datetime(&local).earliest());
    found.next().map(|at| at.with_timezone(&Utc))
}

fn day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default()
}
