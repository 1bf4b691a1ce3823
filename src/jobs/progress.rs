//! How far a run is: written by the job, read by whoever waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How far a run is. It is looked at now and then, so it holds the latest and nothing else.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    phase: Mutex<&'static str>,
    requests_needed: Option<i64>,
    wait: Mutex<Option<Wait>>,
}

/// The run waits, for this, until then.
#[derive(Debug, Clone, Copy)]
struct Wait {
    what: &'static str,
    until: Duration,
}

/// How far a run is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What is going on.
    pub phase: &'static str,
    /// Parts of that which are done.
    pub done: u64,
    /// Of so many; 0 where nobody knows.
    pub total: u64,
    /// Where nothing is done but waiting: until when, by our monotonic clock.
    pub until: Option<Duration>,
}

impl Progress {
    /// Of a run that takes about so many requests, where that is known.
    pub fn of(requests_needed: Option<i64>) -> Self {
        Self { requests_needed, ..Self::default() }
    }

    /// How many requests the run takes, as it was reckoned before it began.
    pub fn requests_needed(&self) -> Option<i64> {
        self.requests_needed
    }

    /// Something else begins, of so many parts; 0 where nobody knows how many.
    pub fn begin(&self, phase: &'static str, total: u64) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// So many parts more are done.
    pub fn advance(&self, parts: u64) {
        self.done.fetch_add(parts, Ordering::Relaxed);
    }

    /// It is known only now how many there are.
    pub fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Nothing is done but waiting, for this, until our monotonic clock shows `until`. What went on goes on afterwards.
    pub fn wait(&self, what: &'static str, until: Duration) {
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = Some(Wait { what, until });
    }

    /// The wait is over.
    pub fn go_on(&self) {
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What is going on now, and how far it is.
    pub fn now(&self) -> Moment {
        if let Some(Wait { what, until }) = *self.wait.lock().unwrap_or_else(PoisonError::into_inner) {
            return Moment { phase: what, done: 0, total: 0, until: Some(until) };
        }
        let phase = *self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        Moment { phase, done, total, until: None }
    }
}

impl Moment {
    /// The seconds that are still waited for, begun ones counted whole.
    pub fn left_s(&self, elapsed: Duration) -> Option<u64> {
        let left = self.until?.saturating_sub(elapsed);
        Some(u64::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_shown_with_what_is_left_of_it_and_what_went_on_goes_on() {
        let progress = Progress::default();
        progress.begin("applying", 30);
        progress.advance(10);
        let applying = progress.now();
        assert_eq!((applying.done, applying.left_s(Duration::ZERO)), (10, None));
        progress.wait("waiting", Duration::from_secs(100));
        let waiting = progress.now();
        assert_eq!((waiting.phase, waiting.done, waiting.total), ("waiting", 0, 0));
        let left = |ms| waiting.left_s(Duration::from_millis(ms));
        assert_eq!((left(10_000), left(10_500), left(200_000)), (Some(90), Some(90), Some(0)));
        progress.go_on();
        assert_eq!(progress.now(), applying);
    }
}
