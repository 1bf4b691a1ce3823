//! WHAT to do, pure: no clock, no store, no network, no log.

pub mod intake;
pub mod observe;
pub mod reconcile;
pub mod recovery;
pub mod shape;
pub mod trust;
