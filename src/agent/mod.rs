//! When things run, stop and reload. What a job does is not known here.

pub mod systemd;
pub mod trigger;
