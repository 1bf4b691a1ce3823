//! Nonces and jitter. Seeded by the machine in service and by hand under simulation, so that a run can be replayed.

use std::sync::Mutex;

/// A source of random numbers that several tasks may share. Not for secrets: a nonce must be new, not unguessable.
#[derive(Debug)]
pub struct Random(Mutex<fastrand::Rng>);

impl Random {
    /// Seeded by the machine.
    pub fn from_machine() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// 128 bits in hexadecimal: never the same twice.
    pub fn nonce(&self) -> String {
        let mut rng = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        format!("{:032x}", rng.u128(..))
    }

    /// A number from 0 up to, but not including, 1.
    pub fn roll(&self) -> f64 {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).f64()
    }
}
