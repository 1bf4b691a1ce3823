//! How an account's line holds back while its marketplace is in trouble.
//!
//! Four attempts for every read are four times the load, just when there is least to spare. So retries are paid for:
//! each call earns a tenth of one, and a few are saved up, which are enough for what passes within seconds. And once
//! a call had to be given up, the calls after it ask once each until something is answered: the next scheduled run is
//! the retry then. A breaker that asks nothing for a while would have to know how often the jobs ask, or it would
//! be late when the trouble is over.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::{ATTEMPTS, Failure};

/// Calls that earn one retry: retries add a tenth to what is asked.
pub const CALLS_A_RETRY: u32 = 10;

/// The most retries that are saved up, and what a new line begins with: those of one call.
pub const MOST_SAVED: u32 = ATTEMPTS - 1;

/// The longest that a `Retry-After` keeps the line silent. What asks for more may be a mistake, and nobody would notice
/// that it is over.
pub const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// What a line has saved up, and what it has been told. Times are those of the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restraint {
    /// Retries saved up, counted in the calls that earned them.
    saved: u32,
    /// The last call was given up and nothing has been answered since.
    in_storm: bool,
    /// The marketplace asked for silence until then.
    rests_until: Duration,
    /// Refusals of the pace in a row of which nobody knows what they mean.
    unexplained: u32,
    /// When the requests of the last minute left, the oldest first.
    minute: VecDeque<Duration>,
}

/// What a line knows when an answer comes that says "too many".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Such answers in a row of which nobody knows what they mean.
    pub unexplained: u32,
    /// How long it is until the marketplace's minute has room, where our own requests fill it.
    pub minute_full: Option<Duration>,
}

/// What a marketplace that limits the minute counts in.
const MINUTE: Duration = Duration::from_secs(60);

/// The silences after answers of which nobody knows what they mean; after the last one the window counts as used up.
const UNEXPLAINED: [u64; 6] = [2, 4, 8, 16, 32, 60];

impl Standing {
    /// How long is waited after one more answer of which nobody knows what it means; `None` once it has to be taken for
    /// the end of the window.
    pub fn unexplained_wait(&self) -> Option<Duration> {
        UNEXPLAINED.get(self.unexplained as usize).map(|seconds| Duration::from_secs(*seconds))
    }
}

impl Default for Restraint {
    fn default() -> Self {
        Self {
            saved: MOST_SAVED * CALLS_A_RETRY,
            in_storm: false,
            rests_until: Duration::ZERO,
            unexplained: 0,
            minute: VecDeque::new(),
        }
    }
}

impl Restraint {
    /// A call begins. It earns its part of a retry.
    pub fn call(&mut self) {
        self.saved = (self.saved + 1).min(MOST_SAVED * CALLS_A_RETRY);
    }

    /// How long the marketplace still wants to be left alone.
    pub fn rest(&self, now: Duration) -> Duration {
        self.rests_until.saturating_sub(now)
    }

    /// A request leaves.
    pub fn sent(&mut self, now: Duration, per_minute: Option<usize>) {
        if let Some(most) = per_minute {
            self.minute.push_back(now);
            // More than fill a minute are not asked about.
            while self.minute.len() > most {
                self.minute.pop_front();
            }
        }
    }

    /// How long it is until one more request fits into the minute.
    pub fn minute_rest(&self, now: Duration, per_minute: Option<usize>) -> Duration {
        let full = per_minute.is_some_and(|most| self.minute.len() >= most);
        let oldest = self.minute.front().filter(|_| full);
        oldest.map_or(Duration::ZERO, |oldest| (*oldest + MINUTE).saturating_sub(now))
    }

    /// What is known of the line's own doing.
    pub fn standing(&self, now: Duration, per_minute: Option<usize>) -> Standing {
        let rest = self.minute_rest(now, per_minute);
        Standing { unexplained: self.unexplained, minute_full: (rest > Duration::ZERO).then_some(rest) }
    }

    /// Something was answered: the trouble is over.
    pub fn answered(&mut self) {
        self.in_storm = false;
        self.unexplained = 0;
    }

    /// An attempt failed, perhaps with the wish for some silence.
    pub fn failed(&mut self, failure: Failure, now: Duration) {
        let wait = match failure {
            Failure::TooMany { retry_after: Some(wait) } => wait,
            Failure::Unexplained { wait } => {
                self.unexplained += 1;
                wait
            }
            Failure::TooMany { retry_after: None } | Failure::Server(_) | Failure::Connection => return,
        };
        self.rests_until = self.rests_until.max(now.saturating_add(wait.min(LONGEST_REST)));
    }

    /// Takes one retry out of what is saved up, if there is one and no storm.
    pub fn spend(&mut self) -> bool {
        let left = self.saved.checked_sub(CALLS_A_RETRY).filter(|_| !self.in_storm);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }

    /// A call was given up although it might have passed by itself.
    pub fn give_up(&mut self) {
        self.in_storm = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One call against a marketplace of which `is_up` says whether it answers an attempt. Returns the attempts.
    fn call(line: &mut Restraint, mut is_up: impl FnMut() -> bool) -> u32 {
        line.call();
        for attempt in 1.. {
            if is_up() {
                line.answered();
                return attempt;
            }
            line.failed(Failure::Connection, Duration::ZERO);
            if attempt == ATTEMPTS || !line.spend() {
                line.give_up();
                return attempt;
            }
        }
        0
    }

    #[test]
    fn an_outage_costs_the_retries_of_one_call_however_long_it_lasts() {
        let mut line = Restraint::default();
        let attempts: Vec<u32> = (0..50).map(|_| call(&mut line, || false)).collect();
        assert_eq!((attempts[0], attempts[1..].iter().max()), (4, Some(&1)));
        assert_eq!(call(&mut line, || true), 1);
        assert_eq!(call(&mut line, || false), 4, "what is over is forgotten");
    }

    #[test]
    fn a_rest_is_kept_to_its_end_and_a_shorter_wish_does_not_cut_it() {
        let mut line = Restraint::default();
        let too_many = |seconds| Failure::TooMany { retry_after: Some(Duration::from_secs(seconds)) };
        let now = Duration::from_secs(100);
        line.failed(too_many(60), now);
        line.failed(too_many(1), now);
        assert_eq!(line.rest(now + Duration::from_secs(59)), Duration::from_secs(1));
        assert_eq!(line.rest(now + Duration::from_secs(60)), Duration::ZERO);
        line.failed(too_many(1_000_000), now);
        assert_eq!(line.rest(now), LONGEST_REST);
    }

    #[test]
    fn what_nobody_explains_is_waited_for_longer_each_time_and_then_taken_for_the_end() {
        let mut line = Restraint::default();
        let mut waits = Vec::new();
        while let Some(wait) = line.standing(Duration::ZERO, None).unexplained_wait() {
            waits.push(wait.as_secs());
            line.failed(Failure::Unexplained { wait }, Duration::ZERO);
            assert_eq!(line.rest(Duration::ZERO), wait);
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60]);
        line.answered();
        assert!(line.standing(Duration::ZERO, None).unexplained_wait().is_some(), "an answer ends the row");
    }

    #[test]
    fn a_minute_is_full_with_its_most_requests_and_has_room_when_the_oldest_is_a_minute_old() {
        let mut line = Restraint::default();
        let second = Duration::from_secs;
        (0..3).for_each(|at| line.sent(second(at), Some(3)));
        assert_eq!(line.standing(second(10), Some(3)).minute_full, Some(second(50)));
        assert_eq!(
            (line.minute_rest(second(60), Some(3)), line.minute_rest(second(10), None)),
            Default::default()
        );
        line.sent(second(60), Some(3));
        assert_eq!(line.minute_rest(second(60), Some(3)), second(1));
    }

    proptest! {
        #[test]
        fn no_sixty_seconds_see_more_than_a_minute_may(
            gaps in proptest::collection::vec(0_u64..20, 1..200), most in 1_usize..8,
        ) {
            let (mut line, mut now, mut left) = (Restraint::default(), Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_secs(gap);
                now += line.minute_rest(now, Some(most));
                line.sent(now, Some(most));
                left.push(now);
            }
            prop_assert!(left.windows(most + 1).all(|some| some[most] - some[0] >= MINUTE));
        }

        #[test]
        fn retries_add_a_tenth_to_what_is_asked_and_the_few_that_were_saved(
            answers in proptest::collection::vec(any::<bool>(), 1..400), calls in 1_u32..200,
        ) {
            let mut line = Restraint::default();
            let mut answers = answers.iter().cycle();
            let attempts: u32 = (0..calls).map(|_| call(&mut line, || answers.next() == Some(&true))).sum();
            prop_assert!(attempts <= calls + calls / CALLS_A_RETRY + MOST_SAVED, "{attempts} for {calls}");
        }

        #[test]
        fn a_blip_in_calm_weather_is_always_tried_again(calm in 30_u32..100, failures in 1_u32..ATTEMPTS) {
            let mut line = Restraint::default();
            call(&mut line, || false);
            (0..calm).for_each(|_| { call(&mut line, || true); });
            let mut left = failures;
            let attempts = call(&mut line, || left.checked_sub(1).map(|less| left = less).is_none());
            prop_assert_eq!(attempts, failures + 1);
        }
    }
}
