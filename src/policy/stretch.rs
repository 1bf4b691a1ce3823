//! How far apart orders are asked for when what is left of the window cannot pay for every slot.
//!
//! Asking at every slot until nothing is left would be right until the afternoon and blind until midnight. What is left
//! is spread over the rest of the window instead, but never further than [`APART`]: a sale that nobody saw for longer
//! is sold elsewhere a second time.

use chrono::{DateTime, TimeDelta, Utc};

/// Orders are never asked for more rarely than that while anything is left for it.
pub const APART: TimeDelta = TimeDelta::hours(1);

/// The rest of a window, as a slot finds it.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// Requests that are left.
    pub requests: i64,
    /// Requests of a poll, as they usually are.
    pub cost: i64,
    /// Requests of this one.
    pub this: i64,
    /// Whether the rest pays for every slot until the window ends, this one included.
    pub pays: bool,
    /// Time until the window ends.
    pub span: TimeDelta,
}

/// What becomes of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// It is polled.
    Polled,
    /// It is passed over: polls are this far apart now.
    PassedOver(TimeDelta),
    /// It is passed over: this poll cannot be paid for as a whole.
    NothingLeft,
}

impl Rest {
    /// How far apart polls are; `None` where every slot can be paid for.
    pub fn stretched(&self) -> Option<TimeDelta> {
        let cost = self.cost.max(1);
        if self.pays {
            return None;
        }
        let polls = i32::try_from((self.requests / cost).max(1)).unwrap_or(i32::MAX);
        Some((self.span / polls).min(APART))
    }

    /// What becomes of the slot at `now`, where the last poll began at `last`.
    pub fn slot(&self, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Slot {
        // Also where the rest pays for every poll that is like most others: this one may take more.
        if self.requests < self.this.max(1) {
            return Slot::NothingLeft;
        }
        let Some(apart) = self.stretched() else { return Slot::Polled };
        // A poll that lies ahead was noted by a clock that was wrong.
        match last.map(|last| now - last) {
            Some(since) if since >= TimeDelta::zero() && since < apart => Slot::PassedOver(apart),
            _ => Slot::Polled,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGIN: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// Polls at every slot that may be, and returns when, and what is left.
    fn play(mut requests: i64, cost: i64, every: i64, minutes: i64) -> (Vec<i64>, i64) {
        let (mut polls, mut last) = (Vec::new(), None);
        for minute in (0..minutes).filter(|minute| minute % every == 0) {
            let now = BEGIN + TimeDelta::minutes(minute);
            let slots = (minutes - minute + every - 1) / every;
            let pays = slots * cost <= requests;
            let rest = Rest { requests, cost, this: cost, pays, span: TimeDelta::minutes(minutes - minute) };
            if rest.slot(last, now) == Slot::Polled {
                polls.push(minute);
                last = Some(now);
                requests -= cost;
            }
        }
        (polls, requests)
    }

    #[test]
    fn what_is_left_is_spread_over_the_rest_of_the_day() {
        // Ten hours of a poll every five minutes take 360; there are 120.
        let (polls, left) = play(120, 3, 5, 600);
        assert_eq!((polls.len(), left), (40, 0));
        assert_eq!(polls[..3], [0, 15, 30]);
        assert_eq!(polls.last(), Some(&585));
    }

    #[test]
    fn they_are_never_further_apart_than_an_hour_while_anything_is_left() {
        let (polls, left) = play(9, 3, 5, 600);
        assert_eq!((polls, left), (vec![0, 60, 120], 0));
    }

    #[test]
    fn a_last_poll_that_lies_ahead_holds_nothing_up() {
        let rest = Rest { requests: 9, cost: 3, this: 3, pays: false, span: TimeDelta::hours(10) };
        assert_eq!(rest.slot(Some(BEGIN + TimeDelta::days(1)), BEGIN), Slot::Polled);
        assert_eq!(Rest { requests: 2, ..rest }.slot(None, BEGIN), Slot::NothingLeft);
    }

    #[test]
    fn a_poll_that_takes_more_than_most_is_not_begun_where_the_rest_pays_for_most() {
        let rest = Rest { requests: 1, cost: 1, this: 2, pays: true, span: TimeDelta::minutes(10) };
        assert_eq!(rest.slot(None, BEGIN), Slot::NothingLeft);
        assert_eq!(Rest { this: 1, ..rest }.slot(None, BEGIN), Slot::Polled);
    }

    proptest! {
        #[test]
        fn never_stretched_where_the_rest_pays(cost in 1_i64..9, every in 1_i64..30, minutes in 1_i64..1_500, more in 0_i64..9) {
            let slots = (minutes + every - 1) / every;
            let (polls, left) = play(slots * cost + more, cost, every, minutes);
            prop_assert_eq!((polls.len() as i64, left), (slots, more));
        }

        #[test]
        fn stretched_polls_fit_into_the_rest_and_lie_no_further_apart_than_they_may(
            requests in 0_i64..2_000, cost in 1_i64..9, every in 1_i64..30, minutes in 1_i64..1_500,
        ) {
            let (polls, left) = play(requests, cost, every, minutes);
            prop_assert!(left >= 0);
            // A slot comes at most one interval late.
            let most = APART.num_minutes() + every;
            prop_assert!(polls.windows(2).all(|pair| pair[1] - pair[0] <= most), "{polls:?}");
            // Where they end early, it is since they may not lie further apart.
            let silent = minutes - polls.last().copied().unwrap_or(minutes);
            prop_assert!(silent <= most || left < cost, "{polls:?} of {minutes}, {left} left");
        }
    }
}
