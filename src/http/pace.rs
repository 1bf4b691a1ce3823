//! How fast requests of one account may follow each other: `governor`, asked with our clock.
//!
//! Pace only. A governor bucket lets twice the quota through in a first hour and forgets everything at a restart, so
//! the marketplaces' windows are counted in the store instead (`policy/quota`).

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::SharedClock;

/// Spaces requests evenly.
pub struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Nanos>>,
    clock: SharedClock,
}

impl Pace {
    /// At most `per_second` requests a second, no burst.
    pub fn new(per_second: NonZeroU32, clock: SharedClock) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(NonZeroU32::MIN);
        Self { limiter: RateLimiter::direct_with_clock(quota, Monotonic(clock.clone())), clock }
    }

    /// Returns when the next request may go. Waits on our clock, since governor's own sleep would not follow a
    /// clock moved by hand.
    pub async fn ready(&self) {
        while let Err(not_yet) = self.limiter.check() {
            let wait = not_yet.wait_time_from(Monotonic(self.clock.clone()).now());
            self.clock.sleep(wait.max(Duration::from_micros(100))).await;
        }
    }
}

/// Our monotonic clock, as governor wants to see it.
#[derive(Clone)]
struct Monotonic(SharedClock);

impl GovernorClock for Monotonic {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}
