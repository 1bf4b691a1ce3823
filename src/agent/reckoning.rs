//! The marketplace's time, reckoned on from its last answer by a clock that nobody sets.
//!
//! The difference between our clock and the marketplace's is known from answers. When our clock is set, the
//! difference is another one, and while the window's requests are used up no answer comes to say so: a clock that had
//! stood wrong by a year would keep the account silent for a year. The monotonic clock was not set. It stands still
//! while a machine sleeps, which the other one does not; so the later of the two counts, and the other one is the least
//! that it can be.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What the last answer said of the time, and when. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Reckoning(Arc<Mutex<Option<Said>>>);

/// The marketplace's time, and what our monotonic clock showed then.
type Said = (DateTime<Utc>, Duration);

/// A smaller lead is the answer's way and the whole seconds of its date.
const NOISE: TimeDelta = TimeDelta::seconds(2);

/// A difference larger than this, left by another process, is doubted: it is rather a clock that was set since. Where
/// it is true after all, the first answer says so, at the price of that one request.
const DOUBTED: TimeDelta = TimeDelta::minutes(10);

impl Reckoning {
    /// The marketplace showed `theirs` when our monotonic clock showed `elapsed`.
    pub fn note(&self, theirs: DateTime<Utc>, elapsed: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((theirs, elapsed));
    }

    /// The marketplace's time at `now`, where the difference last seen says that it is `by_clock`: the least that it
    /// can be, and what it is taken for. Where they are far from each other, a clock was set or a machine has slept.
    pub fn theirs(
        &self,
        now: DateTime<Utc>,
        by_clock: DateTime<Utc>,
        elapsed: Duration,
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((theirs, then)) = last else {
            let taken_for = if now - by_clock > DOUBTED { now } else { by_clock };
            return (taken_for, taken_for);
        };
        let since = TimeDelta::from_std(elapsed.saturating_sub(then)).ok();
        let reckoned = since.and_then(|since| theirs.checked_add_signed(since)).unwrap_or(by_clock);
        match reckoned - by_clock {
            lead if lead > NOISE => (reckoned, reckoned),
            lead if lead < -NOISE => (reckoned, by_clock),
            _ => (by_clock, by_clock),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_set_the_marketplace_back() {
        let reckoning = Reckoning::default();
        let minute = Duration::from_secs(60);
        let check = |by_clock: &str, least: &str, theirs: &str| {
            let said = reckoning.theirs(at("14:05:00"), at(by_clock), minute * 3);
            assert_eq!(said, (at(least), at(theirs)), "{by_clock}");
        };
        // Nothing was said yet: a few minutes are believed, hours are not.
        check("14:00:00", "14:00:00", "14:00:00");
        check("09:00:00", "14:05:00", "14:05:00");
        reckoning.note(at("14:00:00"), minute);
        check("09:00:00", "14:02:00", "14:02:00");
        // The machine has slept, or its clock was set.
        check("20:00:00", "14:02:00", "20:00:00");
        // That is noise.
        check("14:01:59", "14:01:59", "14:01:59");
    }
}
