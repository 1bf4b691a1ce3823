//! Whether orders were read when their interval said, slot by slot, by the shop's own count of what was left.

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::domain::{Outcome, Trigger};
use sellerd::store::runs::RunRow;

/// When a window began, and when the next one does.
type Window = (DateTime<Utc>, DateTime<Utc>);

/// A job that reads orders, and what is known of it.
pub struct Polls<'a> {
    /// Its name.
    pub job: &'a str,
    /// Time between two of its slots.
    pub every: TimeDelta,
    /// What stands in the path of the list that each poll reads first.
    pub list: &'a str,
    /// Requests that most polls take.
    pub cost: i64,
    /// Requests of a window that orders may use.
    pub for_orders: i64,
    /// The window that holds this moment.
    pub window: fn(DateTime<Utc>) -> Window,
    /// How long a poll may wait for what else is in flight.
    pub line: TimeDelta,
}

/// The agent may have counted so many more than the shop: one that is on its way, and the one that each window begins
/// with, since it may have been of the window before.
const NOT_COUNTED_YET: i64 = 2;

/// Orders are read once an hour at least, however little is left.
const AT_LEAST: TimeDelta = TimeDelta::hours(1);

/// Clocks agree to seconds only: after a window that is nearly used up, so long is waited until the next has surely begun.
const SURE: TimeDelta = TimeDelta::seconds(3);

/// Each slot is polled, at once, unless the rest of the window does not pay for all slots that are left: then polls are
/// so far apart that it does. Returns how many slots were polled and how many were passed over.
pub fn none_came_late(
    polls: &Polls<'_>,
    rows: &[RunRow],
    seen: &[(DateTime<Utc>, String)],
    (begin, end): (DateTime<Utc>, DateTime<Utc>),
) -> (usize, usize) {
    let &Polls { job, every, line, .. } = polls;
    let runs: Vec<&RunRow> = rows.iter().rev().filter(|run| run.job.as_str() == job).collect();
    let (mut last, mut polled, mut passed_over) = (begin, 0, 0);
    let mut slot = begin + every;
    while slot <= end {
        let run = runs.iter().find(|run| run.due_at == slot);
        if let Some(run) = run {
            assert_eq!((run.outcome, run.trigger), (Some(Outcome::Success), Trigger::Schedule), "{run:?}");
            let within = if (polls.window)(slot).0 == slot { line + SURE } else { line };
            let asked = |(at, path): &(DateTime<Utc>, String)| {
                *at >= slot && *at <= slot + within && path.contains(polls.list)
            };
            assert!(seen.iter().any(asked), "{job} at {slot} did not reach the shop within {within}");
            last = slot;
            polled += 1;
        } else {
            let most = polls.stretched(seen, slot);
            let most = most.unwrap_or_else(|| panic!("{job} left out {slot}, which could be paid for"));
            assert!(slot - last < most, "{job} was due at {slot}, {most} after {last} at the latest");
            passed_over += 1;
        }
        slot += every;
    }
    assert_eq!(runs.len(), polled, "each run of {job} is of a slot");
    (polled, passed_over)
}

impl Polls<'_> {
    /// How far apart polls may be at a slot; `None` where each of them can be paid for.
    fn stretched(&self, seen: &[(DateTime<Utc>, String)], slot: DateTime<Utc>) -> Option<TimeDelta> {
        let (began, resets_at) = (self.window)(slot);
        let used = seen.iter().filter(|(at, _)| (began..slot).contains(at)).count();
        let used = i64::try_from(used).expect("a number") + NOT_COUNTED_YET;
        let (span, payable) = (resets_at - slot, (self.for_orders - used) / self.cost);
        let every = self.every.num_seconds();
        let slots = (span.num_seconds() + every - 1) / every;
        match i32::try_from(payable).expect("a number") {
            ..1 => Some(AT_LEAST),
            polls => (slots > payable).then(|| (span / polls).min(AT_LEAST)),
        }
    }
}
