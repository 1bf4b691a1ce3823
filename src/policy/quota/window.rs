//! When the windows begin and end in which a marketplace counts.

use chrono::{DateTime, Days, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// How a marketplace counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Midnight to midnight on the wall clock of a zone: 23 or 25 hours on two days a year (cardmarket.md 7).
    Day(Tz),
    /// The clock hour (trademe.md 6).
    Hour,
}

impl WindowKind {
    /// The word used in the database, in JSON and for people.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Hour => "hour",
        }
    }

    /// How often it comes, for people: so many requests a day.
    pub fn per(&self) -> &'static str {
        match self {
            Self::Day(_) => "a day",
            Self::Hour => "an hour",
        }
    }

    /// When the window that holds `now` began.
    pub fn start(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day(tz) => midnight(*tz, now, 0),
            Self::Hour => {
                now - TimeDelta::nanoseconds(
                    i64::from(now.minute() * 60 + now.second()) * 1_000_000_000 + i64::from(now.nanosecond()),
                )
            }
        }
    }

    /// When the next window begins.
    pub fn resets_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day(tz) => midnight(*tz, now, 1),
            Self::Hour => self.start(now) + TimeDelta::hours(1),
        }
    }
}

/// The first valid instant of the local day that lies `days_on` after the one that holds `now`.
fn midnight(tz: Tz, now: DateTime<Utc>, days_on: u64) -> DateTime<Utc> {
    let day = now.with_timezone(&tz).date_naive();
    let day = day.checked_add_days(Days::new(days_on)).unwrap_or(day);
    // Some zones skip midnight when the clocks go forward; then the day begins at the first quarter that exists.
    (0..=12)
        .filter_map(|quarter| day.and_hms_opt(quarter / 4, quarter % 4 * 15, 0))
        .find_map(|local| tz.from_local_datetime(&local).earliest())
        .map_or(now, |at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_is_berlins_with_23_and_25_hours() {
        let check = |now: &str, start: &str, reset: &str| {
            assert_eq!((BERLIN.start(at(now)), BERLIN.resets_at(at(now))), (at(start), at(reset)), "{now}");
        };
        check("2026-01-15T12:00:00Z", "2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z");
        check("2026-07-15T22:30:00Z", "2026-07-15T22:00:00Z", "2026-07-16T22:00:00Z");
        check("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        check("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    }

    #[test]
    fn days_end_with_their_month_and_their_year_and_leap_years_have_one_more() {
        let check = |now: &str, start: &str, reset: &str| {
            assert_eq!((BERLIN.start(at(now)), BERLIN.resets_at(at(now))), (at(start), at(reset)), "{now}");
        };
        check("2024-01-30T12:00:00Z", "2024-01-29T23:00:00Z", "2024-01-30T23:00:00Z");
        check("2024-02-28T23:00:00Z", "2024-02-28T23:00:00Z", "2024-02-29T23:00:00Z");
        check("2024-02-29T23:00:00Z", "2024-02-29T23:00:00Z", "2024-03-01T23:00:00Z");
        check("2024-12-31T22:59:59Z", "2024-12-30T23:00:00Z", "2024-12-31T23:00:00Z");
        check("2024-12-31T23:00:00Z", "2024-12-31T23:00:00Z", "2025-01-01T23:00:00Z");
    }

    #[test]
    fn a_day_in_auckland_has_25_hours_in_april_and_23_in_september_and_an_hour_has_sixty_minutes() {
        let auckland = WindowKind::Day(chrono_tz::Pacific::Auckland);
        let check = |now: &str, start: &str, reset: &str| {
            assert_eq!(
                (auckland.start(at(now)), auckland.resets_at(at(now))),
                (at(start), at(reset)),
                "{now}"
            );
        };
        check("2026-04-04T20:00:00Z", "2026-04-04T11:00:00Z", "2026-04-05T12:00:00Z");
        check("2026-09-26T20:00:00Z", "2026-09-26T12:00:00Z", "2026-09-27T11:00:00Z");
        // The hour that comes twice is two windows, as it is for everybody who counts in UTC.
        let hour = WindowKind::Hour;
        assert_eq!(hour.resets_at(at("2026-04-04T13:59:59Z")), at("2026-04-04T14:00:00Z"));
        assert_eq!(hour.start(at("2026-04-04T14:00:00Z")), at("2026-04-04T14:00:00Z"));
    }

    #[test]
    fn a_zone_that_skips_midnight_still_has_a_day() {
        let kind = WindowKind::Day(chrono_tz::America::Santiago);
        let noon = at("2026-09-06T16:00:00Z");
        assert!(kind.start(noon) < noon && noon < kind.resets_at(noon));
    }
}
