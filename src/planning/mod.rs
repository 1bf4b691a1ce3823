//! WHAT to do, pure: no clock, no store, no network, no log.

pub mod as_of;
pub mod dispatch;
pub mod fees;
pub mod guards;
pub mod intake;
pub mod last_check;
pub mod observe;
pub mod reconcile;
pub mod recovery;
pub mod settle;
pub mod shape;
pub mod summary;
#[cfg(test)]
mod testing;
pub mod trust;
pub mod undo;
