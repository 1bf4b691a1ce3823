//! The limiter: so many calls in a clock hour, for each member of each app. New Zealand is whole hours from
//! UTC, so that its hours begin when UTC's do.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// One caller's allowance: an app's key and a member's token, empty for the app alone.
type Who = (String, String);

/// What has been asked in the running hour.
#[derive(Debug)]
pub struct Hour {
    /// Calls an hour; `None` is no limit.
    pub max: Option<u32>,
    begins: DateTime<Utc>,
    counts: HashMap<Who, u32>,
}

impl Hour {
    /// Nothing asked yet.
    pub fn new(max: Option<u32>) -> Self {
        Self { max, begins: DateTime::UNIX_EPOCH, counts: HashMap::new() }
    }

    /// Counts a call and says whether it was still allowed. A refused call counts like any other.
    pub fn count(&mut self, app: &str, token: &str, now: DateTime<Utc>) -> bool {
        self.turn(now);
        let count = self.counts.entry((app.to_owned(), token.to_owned())).or_default();
        *count = count.saturating_add(1);
        self.max.is_none_or(|max| *count <= max)
    }

    /// Lowers the allowance to what the busiest caller has used, so that its next call is one too many.
    pub fn exhaust(&mut self, now: DateTime<Utc>) {
        self.turn(now);
        self.max = Some(self.busiest());
    }

    /// The calls of the busiest caller in the hour of `now`.
    pub fn used(&mut self, now: DateTime<Utc>) -> u32 {
        self.turn(now);
        self.busiest()
    }

    fn busiest(&self) -> u32 {
        self.counts.values().copied().max().unwrap_or_default()
    }

    fn turn(&mut self, now: DateTime<Utc>) {
        let begins = hour_of(now);
        if begins != self.begins {
            self.begins = begins;
            self.counts.clear();
        }
    }
}

/// The beginning of the hour that `now` is counted to.
pub fn hour_of(now: DateTime<Utc>) -> DateTime<Utc> {
    // It fails only where nanoseconds since 1970 overflow, three centuries away.
    now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a date")
    }

    #[test]
    fn the_hour_ends_with_the_clock_hour_and_not_sixty_minutes_later() {
        let mut hour = Hour::new(Some(2));
        let before = at("2026-03-02T12:59:59.999Z");
        assert!(hour.count("app", "t", before) && hour.count("app", "t", before));
        assert!(!hour.count("app", "t", before));
        assert_eq!(hour.used(before), 3);
        assert!(hour.count("app", "t", at("2026-03-02T13:00:00Z")));
        assert_eq!(hour.used(at("2026-03-02T13:30:00Z")), 1);
    }

    #[test]
    fn members_and_apps_have_an_allowance_each() {
        let mut hour = Hour::new(Some(1));
        let now = at("2026-03-02T12:00:00Z");
        for (app, token) in [("a", "t"), ("a", "u"), ("b", "t"), ("a", "")] {
            assert!(hour.count(app, token, now), "{app} {token}");
            assert!(!hour.count(app, token, now), "{app} {token}");
        }
    }

    #[test]
    fn an_exhausted_hour_refuses_the_next_call() {
        let mut hour = Hour::new(Some(1_000));
        let now = at("2026-03-02T12:00:00Z");
        assert!(hour.count("a", "t", now));
        hour.exhaust(now);
        assert!(!hour.count("a", "t", now));
    }
}
