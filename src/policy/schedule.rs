//! When a job is due: five or six cron fields on the wall clock of a zone.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// A parsed schedule in its zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    tz: Tz,
    cron: croner::Cron,
}

/// Why a text is no schedule, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The text cannot be read.
    #[error("{0}")]
    Invalid(String),
    /// It can be read and is never due, such as 31 February.
    #[error("this never fires: {0}")]
    NeverFires(String),
}

impl Schedule {
    /// Reads `text`, with five fields or six with the seconds first.
    pub fn parse(text: &str, tz: Tz) -> Result<Self, ScheduleError> {
        let cron = text.parse::<croner::Cron>().map_err(|e| ScheduleError::Invalid(e.to_string()))?;
        Ok(Self { text: text.to_owned(), tz, cron })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone whose wall clock it follows.
    pub fn tz(&self) -> Tz {
        self.tz
    }

    /// The first instant strictly after `after` at which it is due.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = after.with_timezone(&self.tz);
        self.cron.find_next_occurrence(&local, false).ok().map(|at| at.with_timezone(&Utc))
    }
}
