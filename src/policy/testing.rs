//! What tests of the board need, here and where it is looked at.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::due::{OnMissed, Plan};
use super::schedule::Schedule;

/// A job whose slots after this instant are owed, each of them on the dot.
pub(crate) fn plan(job: &str, schedule: &str, from: DateTime<Utc>) -> Plan {
    Plan {
        job: job.into(),
        schedule: Schedule::parse(schedule, Tz::UTC).unwrap(),
        enabled: true,
        jitter: Duration::ZERO,
        on_missed: OnMissed::RunOnce,
        planned_from: from,
    }
}
