//! Trouble at the marketplace that says nothing about our access: it is down, or being worked on.
//!
//! Nothing is blocked for it. A line in trouble asks once each call already (see [`super::restraint`]), and whoever
//! stays silent would be late when it is over. But a person should know after a while that nothing has been answered,
//! and which of the two it looks like.

use chrono::{DateTime, TimeDelta, Utc};

/// What it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 503, a page for people where data was asked for, or the marketplace's own word for it.
    Maintenance,
    /// No connection, no answer, or a failure over there.
    Outage,
}

impl Trouble {
    /// For example `does not answer`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Maintenance => "says that it is being worked on",
            Self::Outage => "does not answer",
        }
    }
}

/// How long it has lasted. Begun anew at each start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Silence {
    since: Option<DateTime<Utc>>,
    failures: u32,
}

/// A person is told after so long, and so many failures.
const TOLD_AFTER: TimeDelta = TimeDelta::minutes(5);
const FAILURES: u32 = 3;

impl Silence {
    /// One more attempt failed for it.
    pub fn failed(&mut self, now: DateTime<Utc>) {
        // A clock that was set back does not make it longer.
        self.since = Some(self.since.map_or(now, |since| since.min(now)));
        self.failures = self.failures.saturating_add(1);
    }

    /// Something was answered.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// Since when, once it is worth telling.
    pub fn worth_telling(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.since.filter(|since| self.failures >= FAILURES && now - *since >= TOLD_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_after_a_while_and_some_failures_and_not_any_more_once_something_is_answered() {
        let begun: DateTime<Utc> = "2026-11-22T14:31:07Z".parse().unwrap();
        let (mut silence, after) = (Silence::default(), |minutes| begun + TimeDelta::minutes(minutes));
        silence.failed(begun);
        assert_eq!(silence.worth_telling(after(60)), None, "that may be one run a day");
        silence.failed(after(1));
        silence.failed(after(4));
        assert_eq!(silence.worth_telling(after(4)), None);
        silence.failed(after(5));
        assert_eq!(silence.worth_telling(after(5)), Some(begun));
        silence.answered();
        silence.failed(after(6));
        assert_eq!(silence.worth_telling(after(90)), None);
    }
}
