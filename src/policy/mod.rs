//! WHETHER and WHEN. Pure: `now` comes in as an argument, nothing here waits, logs or draws random numbers.

pub mod access;
pub mod allowance;
pub mod backoff;
pub mod bill;
pub mod deferral;
pub mod due;
pub mod expiry;
pub mod meter;
pub mod quota;
pub mod reckoning;
pub mod restraint;
pub mod schedule;
pub mod stretch;
#[cfg(test)]
pub(crate) mod testing;
pub mod trouble;
pub mod vigil;
