//! What a machine's clocks show at one moment: the one that people and servers set, and the one that nobody sets.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// What both clocks show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocks {
    /// The wall clock.
    pub now: DateTime<Utc>,
    /// The other one; none where there is only the wall clock to go by.
    pub mark: Option<Mark>,
    /// Whether the machine says that a time server keeps the wall clock right.
    pub kept: bool,
}

impl From<DateTime<Utc>> for Clocks {
    fn from(now: DateTime<Utc>) -> Self {
        Self { now, mark: None, kept: false }
    }
}

/// What a clock shows that nobody sets. Two marks of one life are as far apart as their times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it counts from: this boot of the machine. Where the platform does not tell boots apart, this process.
    pub life: Arc<str>,
    /// How long that lasts.
    pub up: Duration,
    /// Whether the time is in it that the machine slept. Then a life is a boot.
    pub through_sleep: bool,
}
