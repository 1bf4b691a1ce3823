//! Whether a failed read is tried again at once, and after how long.
//!
//! Only reads: a write whose answer was lost is in doubt and is never repeated. The next scheduled run is also a
//! retry, and often the better one, so there are few attempts and only for what usually passes within seconds.

use std::time::Duration;

/// The most times one read is sent.
pub const ATTEMPTS: u32 = 4;

/// The longest `Retry-After` worth waiting for inside a run.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// How an attempt failed, as far as that matters for trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 429, with its `Retry-After` if it had one.
    TooMany {
        /// How long the marketplace asks us to wait.
        retry_after: Option<Duration>,
    },
    /// 429 of which nobody knows what it means, with the silence that is kept for it.
    Unexplained {
        /// How long.
        wait: Duration,
    },
    /// An answer with this status, 500 or above.
    Server(u16),
    /// No connection, or it broke before the answer was complete.
    Connection,
}

/// How long to wait before the next attempt, or `None` to give up.
///
/// `attempt` is the one that just failed, counted from 1; `roll` is a random number from 0 to 1. Tried again are
/// a 429 with a `Retry-After` of at most 30 s (the wait is at least that), 502, 503, 504, and broken connections.
/// Before jitter the waits after the first, second and third attempt are 0.5 s, 1 s and 2 s; jitter makes each of
/// them half to one and a half times as long, so a read is given up after at most 5.25 s of waiting of our own.
pub fn retry(attempt: u32, failure: Failure, roll: f64) -> Option<Duration> {
    let asked_for = match failure {
        Failure::TooMany { retry_after: Some(wait) } | Failure::Unexplained { wait }
            if wait <= LONGEST_RETRY_AFTER =>
        {
            wait
        }
        Failure::Server(502..=504) | Failure::Connection => Duration::ZERO,
        Failure::TooMany { .. } | Failure::Unexplained { .. } | Failure::Server(_) => return None,
    };
    if !(1..ATTEMPTS).contains(&attempt) {
        return None;
    }
    let roll = if (0.0..=1.0).contains(&roll) { roll } else { 0.5 };
    let ours = Duration::from_millis(250 << attempt).mul_f64(0.5 + roll);
    Some(ours.max(asked_for))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(wait: Option<Duration>) -> Option<f64> {
        wait.map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn waits_double_and_end_with_the_fourth_attempt() {
        let waits = [1, 2, 3, 4, 5].map(|attempt| seconds(retry(attempt, Failure::Connection, 0.5)));
        assert_eq!(waits, [Some(0.5), Some(1.0), Some(2.0), None, None]);
        assert_eq!(seconds(retry(3, Failure::Server(503), 0.0)), Some(1.0));
        assert_eq!(seconds(retry(3, Failure::Server(503), 1.0)), Some(3.0));
    }

    #[test]
    fn retry_after_is_the_least_wait_and_a_long_or_missing_one_ends_it() {
        let after = |seconds| Failure::TooMany { retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(retry(1, after(30), 1.0), Some(Duration::from_secs(30)));
        assert_eq!(retry(1, after(0), 0.5), Some(Duration::from_millis(500)));
        assert_eq!(retry(1, after(31), 0.5), None);
        assert_eq!(retry(1, Failure::TooMany { retry_after: None }, 0.5), None);
    }

    #[test]
    fn of_the_5xx_only_those_of_a_gateway_are_tried_again() {
        let again = (500..=599).filter(|status| retry(1, Failure::Server(*status), 0.5).is_some());
        assert_eq!(again.collect::<Vec<_>>(), [502, 503, 504]);
    }

    proptest! {
        #[test]
        fn no_input_panics_and_no_wait_passes_thirty_seconds(attempt: u32, roll: f64, after: Option<u64>, status: u16) {
            let retry_after = after.map(Duration::from_millis);
            let unexplained = Failure::Unexplained { wait: retry_after.unwrap_or_default() };
            for failure in
                [Failure::TooMany { retry_after }, unexplained, Failure::Server(status), Failure::Connection]
            {
                let wait = retry(attempt, failure, roll);
                prop_assert!(wait.unwrap_or_default() <= LONGEST_RETRY_AFTER);
                prop_assert!(wait.is_none() || attempt < ATTEMPTS);
            }
        }
    }
}
