//! When a job is due, and what must fit to that.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::Spanned;

use super::diagnostic::{Code, Wrong, shown};
use super::source::Source;
use super::values::{self, Text};
use crate::policy::schedule::{Schedule, ScheduleError};

const FIELDS: &str = "the five fields are: minute hour day-of-month month day-of-week";

/// The schedule of a job, on the clock of `tz`.
pub(super) fn schedule(source: &mut Source<'_>, text: &Text, tz: Tz) -> Option<Schedule> {
    let Some(text) = text else {
        let fix = format!("add  schedule = \"*/15 * * * *\" ; {FIELDS}");
        source.missing(0..0, "schedule", Wrong::new(Code::Missing, "this job has no `schedule`", fix));
        return None;
    };
    let never = |why: &str| Wrong::new(Code::NeverFires, "`schedule` never fires", FIELDS).label(shown(why));
    let parsed = match Schedule::parse(text.get_ref(), tz) {
        Ok(schedule) if schedule.next_after(reference()).is_none() => Err(never("no such time ever comes")),
        Ok(schedule) => Ok(schedule),
        Err(ScheduleError::NeverFires(why)) => Err(never(&why)),
        Err(ScheduleError::Invalid(why)) => {
            let fix = format!("{FIELDS}; for example \"*/15 7-22 * * *\"");
            let message = match text.get_ref().trim() {
                "" => "`schedule` is empty".to_owned(),
                text => format!("`schedule` cannot be read: `{}`", shown(text)),
            };
            Err(Wrong::new(Code::BadCron, message, fix).label(shown(&why)))
        }
    };
    parsed.map_err(|wrong| source.wrong(text.span(), wrong)).ok()
}

/// A jitter as long as the time between two runs would let one overtake the other.
pub(super) fn check_jitter(
    source: &mut Source<'_>,
    schedule: &Schedule,
    text: &Spanned<String>,
    jitter: Duration,
) {
    if let Some(gap) = shortest_gap(schedule).filter(|gap| jitter >= *gap) {
        let message =
            format!("`jitter` must be shorter than the {} from one run to the next", values::words(gap));
        let fix = format!("write at most \"{}\"", values::words(gap / 2));
        source.wrong(text.span(), Wrong::new(Code::BadValue, message, fix));
    }
}

/// Where counting fires begins. What a schedule is like does not depend on today, and a file that was right
/// yesterday must not be wrong today: so a fixed Monday.
pub(super) fn reference() -> DateTime<Utc> {
    const MONDAY: i64 = 1_767_571_200;
    DateTime::from_timestamp(MONDAY, 0).unwrap_or_default()
}

/// The shortest time between two of the next fires.
fn shortest_gap(schedule: &Schedule) -> Option<Duration> {
    let mut at = schedule.next_after(reference())?;
    let mut shortest: Option<Duration> = None;
    for _ in 0..50 {
        let Some(next) = schedule.next_after(at) else { break };
        let gap = (next - at).to_std().ok()?;
        shortest = Some(shortest.map_or(gap, |shortest| shortest.min(gap)));
        at = next;
    }
    shortest
}
