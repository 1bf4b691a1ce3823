//! How near the known end of a login is, in the steps in which people are told.

use chrono::{DateTime, TimeDelta, Utc};

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// Within thirty days.
    Month,
    /// Within seven days.
    Week,
    /// Within a day.
    Day,
    /// It is over.
    Over,
}

/// How near the end of a login is that was made at `made`, if that is known; `None` while it is far. Where a login lives
/// no longer than a step, its last third is near, since nobody wants to be warned from the first hour on.
pub fn nearness(made: Option<DateTime<Utc>>, ends: DateTime<Utc>, now: DateTime<Utc>) -> Option<Nearness> {
    let left = ends - now;
    let whole = made.map(|made| ends - made).filter(|whole| *whole > TimeDelta::zero());
    let near = |span: TimeDelta| left <= whole.filter(|whole| *whole <= span).map_or(span, |whole| whole / 3);
    match left {
        left if left <= TimeDelta::zero() => Some(Nearness::Over),
        _ if near(TimeDelta::days(1)) => Some(Nearness::Day),
        _ if near(TimeDelta::days(7)) => Some(Nearness::Week),
        _ if near(TimeDelta::days(30)) => Some(Nearness::Month),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_thirty_days_at_seven_at_one_and_when_it_is_over() {
        let ends: DateTime<Utc> = "2026-12-31T00:00:00Z".parse().unwrap();
        let before = |hours: i64| nearness(None, ends, ends - TimeDelta::hours(hours));
        assert_eq!(before(31 * 24), None);
        assert_eq!(before(30 * 24), Some(Nearness::Month));
        assert_eq!(before(8 * 24), Some(Nearness::Month));
        assert_eq!(before(7 * 24), Some(Nearness::Week));
        assert_eq!(before(24), Some(Nearness::Day));
        assert_eq!(before(0), Some(Nearness::Over));
    }

    #[test]
    fn a_login_that_lives_longer_than_a_step_is_told_of_at_that_step() {
        let made: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
        let before = |life: i64, days: i64| {
            let ends = made + TimeDelta::days(life);
            nearness(Some(made), ends, ends - TimeDelta::days(days))
        };
        assert_eq!((before(60, 31), before(60, 30)), (None, Some(Nearness::Month)));
        assert_eq!((before(30, 11), before(30, 10)), (None, Some(Nearness::Month)));
        assert_eq!((before(30, 7), before(30, 1)), (Some(Nearness::Week), Some(Nearness::Day)));
        assert_eq!((before(7, 3), before(7, 1)), (None, Some(Nearness::Day)));
    }

    #[test]
    fn a_login_for_a_day_is_not_near_its_end_from_the_start() {
        let made: DateTime<Utc> = "2026-12-31T00:00:00Z".parse().unwrap();
        let ends = made + TimeDelta::days(1);
        let after = |hours: i64| nearness(Some(made), ends, made + TimeDelta::hours(hours));
        assert_eq!(after(1), None);
        assert_eq!(after(17), Some(Nearness::Day));
        assert_eq!(after(24), Some(Nearness::Over));
    }
}
