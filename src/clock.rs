//! The one place that reads the time.
//!
//! Everything else is handed a [`Clock`], or, where it is pure, an instant as an argument. Sleeping
//! goes through tokio so that a test with paused time decides how long a wait takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Tells the wall time and waits. Shared by every room that has effects.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, whole milliseconds, as the database keeps it.
    fn now(&self) -> DateTime<Utc>;

    /// Time since this clock was made. It never goes back, whatever the wall clock does.
    fn elapsed(&self) -> Duration;

    /// Returns once `span` has passed on the monotonic clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that can be shared and cloned cheaply.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    started: tokio::time::Instant,
}

impl SystemClock {
    /// A shared handle on the machine's clock.
    pub fn shared() -> SharedClock {
        Arc::new(Self::default())
    }
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn default() -> Self {
        Self { started: tokio::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock moved by hand. Wall time is a start, plus what tokio's (possibly paused) time has moved since,
/// plus every jump made with [`ManualClock::jump`].
#[derive(Debug)]
pub struct ManualClock {
    start: DateTime<Utc>,
    started: tokio::time::Instant,
    jumped_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start` now.
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn at(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { start, started: tokio::time::Instant::now(), jumped_ms: AtomicI64::new(0) })
    }

    /// Moves the wall clock, forwards or back, without any time passing.
    pub fn jump(&self, by: TimeDelta) {
        self.jumped_ms.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::milliseconds(self.started.elapsed().as_millis() as i64);
        self.start + passed + TimeDelta::milliseconds(self.jumped_ms.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
