//! When a job is due: five or six cron fields on the wall clock of a zone.
//!
//! croner reads the fields and knows which days they mean. What happens when the clocks change is decided here,
//! since croner takes `30 2,14 * * *` for an interval and so loses its 02:30 in spring and runs it twice in autumn.
//!
//! - Times written out (seconds, minutes and hours are numbers or lists of numbers): a local time that does not
//!   exist runs once at the first valid instant after; one that exists twice runs once, at the first. A calendar
//!   day that a zone leaves out altogether (Apia, 30 December 2011) has no runs.
//! - Everything else (`*`, steps, ranges) is an interval and follows elapsed time: nothing runs in the hour that
//!   is left out, and the hour that comes twice runs twice.

mod fields;
mod wall;

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use fields::{Pattern, Times};
use wall::{Wall, clock_face, resolve};

/// A parsed schedule in its zone. Cheap to clone, and equal expressions share their memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pattern: Arc<Pattern>,
    tz: Tz,
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
    /// Reads `text`, with five fields or six with the seconds first. Day-of-month and day-of-week mean what they
    /// mean to crontab: where both are given, either will do.
    pub fn parse(text: &str, tz: Tz) -> Result<Self, ScheduleError> {
        Ok(Self { pattern: Pattern::shared(text)?, tz })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        self.pattern.text()
    }

    /// The zone whose wall clock it follows.
    pub fn tz(&self) -> Tz {
        self.tz
    }

    /// The first instant strictly after `after` at which it is due. `None` only at the end of the calendar.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.pattern.times() {
            Some(times) => self.next_written_out(times, after),
            None => self.next_interval(after),
        }
    }

    /// The next `n` instants strictly after `after`.
    pub fn upcoming(&self, after: DateTime<Utc>, n: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(self.next_after(after), |at| self.next_after(*at)).take(n).collect()
    }

    /// An English sentence, such as `At 09:00, on day 1 and 15 or Monday.`
    pub fn describe(&self) -> String {
        self.pattern.cron().describe()
    }

    /// What a change of the clocks does to the run that is due at `at`, if it does anything.
    pub fn note(&self, at: DateTime<Utc>) -> Option<String> {
        let local = at.with_timezone(&self.tz).naive_local();
        let Some(times) = self.pattern.times() else {
            return matches!(resolve(self.tz, local), Some(Wall::Twice(..))).then(|| {
                let face = clock_face(local.time());
                format!("{face} comes twice that day (clocks go back); runs both times")
            });
        };
        let left_out = self.left_out_for(times, at, local.date());
        let runs_at = clock_face(local.time());
        match (left_out.as_slice(), resolve(self.tz, local)) {
            ([], Some(Wall::Twice(..))) => {
                Some(format!("{runs_at} comes twice that day (clocks go back); runs once, at the first"))
            }
            ([], _) => None,
            ([one], _) => {
                Some(format!("{one} does not exist that day (clocks go forward); runs once at {runs_at}"))
            }
            ([first, .., last], _) => Some(format!(
                "{first} to {last} do not exist that day (clocks go forward); runs once at {runs_at}"
            )),
        }
    }

    fn next_written_out(&self, times: &Times, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // No slot of an earlier day can still be ahead: one that was left out runs at the end of its gap, and
        // until then the wall clock shows its own day.
        let mut day = after.with_timezone(&self.tz).date_naive();
        loop {
            day = self.pattern.day_from(day)?;
            if self.exists(day) {
                // Later local times never come earlier, so the first instant after `after` can be bisected.
                let due = |index| Some(resolve(self.tz, day.and_time(times.nth(index)?))?.first());
                let first = bisect(times.len(), |index| due(index).is_some_and(|at| at <= after));
                if let Some(at) = due(first) {
                    return Some(at);
                }
            }
            day = day.succ_opt()?;
        }
    }

    fn next_interval(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A search that ends in an error has met something odd in the zone, not the last run ever: go on a day later.
        (0..=DAYS_OF_ERRORS).find_map(|days| {
            let from = after.checked_add_signed(TimeDelta::days(days))?.with_timezone(&self.tz);
            self.pattern.cron().find_next_occurrence(&from, false).ok().map(|at| at.with_timezone(&Utc))
        })
    }

    /// The times of day that do not exist and run at `at` instead.
    fn left_out_for(&self, times: &Times, at: DateTime<Utc>, day: NaiveDate) -> Vec<String> {
        let days = [day.checked_sub_days(Days::new(1)), Some(day)];
        let days = days.into_iter().flatten().filter(|day| self.pattern.falls_on(*day) && self.exists(*day));
        days.flat_map(|day| times.iter().map(move |time| day.and_time(time)))
            .filter(|local| resolve(self.tz, *local) == Some(Wall::LeftOut(at)))
            .map(|local| clock_face(local.time()))
            .collect()
    }

    /// Whether the zone has that calendar day at all.
    fn exists(&self, day: NaiveDate) -> bool {
        resolve(self.tz, day.and_time(chrono::NaiveTime::MIN))
            .is_some_and(|first| first.first().with_timezone(&self.tz).date_naive() == day)
    }
}

/// More days than any zone has ever left out in a row.
const DAYS_OF_ERRORS: i64 = 3;

/// The first index in `0..len` for which `before` no longer holds.
fn bisect(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests;
