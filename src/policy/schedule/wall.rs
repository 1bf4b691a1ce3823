//! What a local time means in a zone on a day when the clocks change.

use chrono::{DateTime, LocalResult, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// A local time as instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wall {
    /// It comes once.
    Once(DateTime<Utc>),
    /// It comes twice, the clocks having gone back.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// It does not come, the clocks having gone forward; this is the first instant after.
    LeftOut(DateTime<Utc>),
}

impl Wall {
    /// The instant at which something due at that local time runs.
    pub(super) fn first(&self) -> DateTime<Utc> {
        let (Self::Once(at) | Self::Twice(at, _) | Self::LeftOut(at)) = self;
        *at
    }
}

/// What `local` means in `tz`; `None` only where the calendar ends.
pub(super) fn resolve(tz: Tz, local: NaiveDateTime) -> Option<Wall> {
    Some(match tz.from_local_datetime(&local) {
        LocalResult::Single(at) => Wall::Once(at.to_utc()),
        LocalResult::Ambiguous(first, second) => Wall::Twice(first.to_utc(), second.to_utc()),
        LocalResult::None => Wall::LeftOut(first_after_gap(tz, local)?),
    })
}

/// `02:30`, with the seconds where there are any.
pub(super) fn clock_face(time: NaiveTime) -> String {
    let format = if time.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
    time.format(format).to_string()
}

/// The first whole second at which the wall clock shows `local` or later. Around a gap the wall clock only moves
/// forward, so this is a bisection. No zone is further than 15 hours from UTC.
fn first_after_gap(tz: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    const REACH: i64 = 16 * 3600;
    let start = local.and_utc().checked_sub_signed(TimeDelta::seconds(REACH))?;
    let (mut low, mut high) = (0, 2 * REACH);
    while low < high {
        let middle = (low + high) / 2;
        let shown = start.checked_add_signed(TimeDelta::seconds(middle))?.with_timezone(&tz).naive_local();
        if shown < local { low = middle + 1 } else { high = middle }
    }
    start.checked_add_signed(TimeDelta::seconds(low))
}
