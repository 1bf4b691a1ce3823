//! When things run, stop and reload; the gate; the one place where errors of runs are logged.

pub mod accounts;
pub mod ask;
pub mod broken_off;
pub mod control;
pub mod credentials;
pub mod daemon;
pub mod deferral;
mod gate;
pub mod gone;
pub mod instance;
mod leftover;
pub mod lifecycle;
pub mod login;
mod metering;
pub mod notices;
pub mod nudge;
pub mod runner;
pub mod spending;
mod standing;
pub mod state;
pub mod status;
pub mod systemd;
#[cfg(test)]
mod testing;
pub mod timekeeping;
pub mod trigger;
mod vigil;
pub mod watch;
