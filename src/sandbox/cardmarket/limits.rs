//! The three limiters: requests at once, in 60 seconds, and in a day that ends at Berlin's midnight.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Berlin;

/// Which limit a request ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Too many at the same time.
    Concurrency,
    /// Too many in 60 seconds.
    Minute,
    /// Too many today.
    Day,
}

/// What has been asked so far.
#[derive(Debug)]
pub struct Limits {
    /// Requests a day; `None` is an app without a limit.
    pub max: Option<u32>,
    minute: Option<u32>,
    concurrency: Option<usize>,
    day: NaiveDate,
    count: u32,
    recent: VecDeque<i64>,
}

impl Limits {
    /// Nothing asked yet.
    pub fn new(max: Option<u32>, minute: Option<u32>, concurrency: Option<usize>) -> Self {
        Self { max, minute, concurrency, day: NaiveDate::MIN, count: 0, recent: VecDeque::new() }
    }

    /// Counts a request made at `now` while `in_flight` are under way (this one among them), and says
    /// whether it was one too many. A refused request counts like any other.
    pub fn count(&mut self, now: DateTime<Utc>, in_flight: usize) -> Result<(), Limit> {
        self.turn_day(now);
        let too_many_today = self.max.is_some_and(|max| self.count >= max);
        self.count = self.count.saturating_add(1);
        let at = now.timestamp_millis();
        // A clock that was set back leaves entries of a future that never came.
        self.recent.retain(|then| (at - 60_000 + 1..=at).contains(then));
        let too_many_a_minute = self.minute.is_some_and(|most| self.recent.len() >= most as usize);
        if self.minute.is_some() {
            self.recent.push_back(at);
        }
        if self.concurrency.is_some_and(|most| in_flight > most) {
            Err(Limit::Concurrency)
        } else if too_many_a_minute {
            Err(Limit::Minute)
        } else if too_many_today {
            Err(Limit::Day)
        } else {
            Ok(())
        }
    }

    /// Allowance and requests of the day at `now`, for the headers; `None` for an app without a limit.
    pub fn headers(&mut self, now: DateTime<Utc>) -> Option<(u32, u32)> {
        self.turn_day(now);
        self.max.map(|max| (max, self.count))
    }

    /// Lowers the allowance to what was used today, so that the next request is one too many.
    pub fn exhaust(&mut self, now: DateTime<Utc>) {
        self.turn_day(now);
        self.count = self.count.max(1);
        self.max = Some(self.count);
    }

    fn turn_day(&mut self, now: DateTime<Utc>) {
        let today = berlin_day(now);
        if today != self.day {
            self.day = today;
            self.count = 0;
        }
    }
}

/// The day that the marketplace counts `now` to.
pub fn berlin_day(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&Berlin).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a date")
    }

    #[test]
    fn the_day_ends_at_berlins_midnight_in_summer_and_winter() {
        for (before, after) in [
            ("2026-07-01T21:59:59Z", "2026-07-01T22:00:00Z"),
            ("2026-01-01T22:59:59Z", "2026-01-01T23:00:00Z"),
            ("2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z"),
            ("2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"),
            ("2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"),
        ] {
            let mut limits = Limits::new(Some(2), None, None);
            assert_eq!(limits.count(at(before), 1), Ok(()));
            assert_eq!(limits.count(at(before), 1), Ok(()));
            assert_eq!(limits.headers(at(before)), Some((2, 2)));
            assert_eq!(limits.count(at(before), 1), Err(Limit::Day), "{before}");
            assert_eq!(limits.count(at(after), 1), Ok(()), "{after}");
            assert_eq!(limits.headers(at(after)), Some((2, 1)));
        }
    }

    #[test]
    fn the_601st_request_within_60_seconds_is_one_too_many() {
        let mut limits = Limits::new(None, Some(600), None);
        let start = at("2026-02-01T12:00:00Z");
        for _ in 0..600 {
            assert_eq!(limits.count(start, 1), Ok(()));
        }
        assert_eq!(limits.count(start + chrono::TimeDelta::milliseconds(59_999), 1), Err(Limit::Minute));
        assert_eq!(limits.count(start + chrono::TimeDelta::seconds(60), 1), Ok(()));
        assert_eq!(limits.headers(start), None);
    }

    #[test]
    fn a_fifth_request_at_the_same_time_is_one_too_many() {
        let mut limits = Limits::new(Some(10), None, Some(4));
        let now = at("2026-02-01T12:00:00Z");
        assert_eq!(limits.count(now, 4), Ok(()));
        assert_eq!(limits.count(now, 5), Err(Limit::Concurrency));
        assert_eq!(limits.headers(now), Some((10, 2)));
    }

    #[test]
    fn an_exhausted_allowance_refuses_the_next_request() {
        let mut limits = Limits::new(Some(5_000), None, None);
        let now = at("2026-02-01T12:00:00Z");
        limits.exhaust(now);
        assert_eq!(limits.count(now, 1), Err(Limit::Day));
        assert_eq!(limits.headers(now), Some((1, 2)));
    }
}
