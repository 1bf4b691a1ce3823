//! Whether a run can be paid for out of what is left of the window, and if not, when it starts.
//!
//! A run that would be cut in the middle has used the requests of those that could still have been made, and begins
//! anew the next day. So it waits as a whole. One that no window can pay for would wait for ever; it starts with the
//! next one and gets as far as it gets.

use chrono::{DateTime, TimeDelta, Utc};

use super::quota::{self, Usage, WindowKind};
use super::reckoning::Theirs;
use crate::domain::RequestClass;

/// Requests that a run takes, as far as is known before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How many.
    pub requests: i64,
    /// What they are for.
    pub class: RequestClass,
}

/// Whether a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It can be paid for, or nobody knows what it takes.
    Goes,
    /// No window can pay for it, and this one has just begun: it starts and will not get to its end.
    GoesTooLarge {
        /// What its class may use of a whole window.
        whole: i64,
    },
    /// It waits for the next window.
    Waits {
        /// What is left for its class.
        rest: i64,
        /// When the next window begins, by the marketplace's clock.
        until: DateTime<Utc>,
    },
}

/// The window as a run finds it.
#[derive(Debug, Clone, Copy)]
pub struct Purse {
    /// How the marketplace counts.
    pub kind: WindowKind,
    /// What is used, as it was last counted.
    pub usage: Option<Usage>,
    /// The limit that the configuration names.
    pub limit: Option<i64>,
    /// Requests that other runs, which have begun, will still make.
    pub earmarked: Earmarked,
}

/// Requests that are set aside for runs which have begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earmarked {
    /// By runs that read orders.
    pub orders: i64,
    /// By all others. However many they want, they leave what is kept for orders.
    pub stock: i64,
}

impl Purse {
    /// What `class` may still use at `now`, which is the marketplace's time; `None` without a limit, and where the window
    /// that was counted in lies ahead: one of the clocks was wrong, and only the gate and an answer can mend that.
    pub fn rest(&self, class: RequestClass, now: DateTime<Utc>) -> Option<i64> {
        if self.usage.is_some_and(|usage| usage.window_start > self.kind.start(now)) {
            return None;
        }
        let usage = quota::current(self.usage, self.kind, now);
        let limit = usage.limit.or(self.limit)?;
        let left = |class| (quota::ceiling(limit, class) - usage.used).max(0);
        let Earmarked { orders, stock } = self.earmarked;
        Some((left(class) - stock.min(left(RequestClass::Stock))).saturating_sub(orders).max(0))
    }

    /// Where the window is used up to the last request: when the next one starts, and when the first request of the
    /// account of that `name` leaves in it. That is a little later, so that not everybody comes back at the same moment.
    pub fn after_full(&self, name: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let usage = self.usage?;
        let limit = usage.limit.or(self.limit).filter(|limit| usage.used >= *limit)?;
        let next = self.kind.resets_at(usage.window_start);
        Some((next, next + if limit > 1 { spread(name, next) } else { TimeDelta::zero() }))
    }

    /// For how long nothing is sent for the account of that `name`, though the window that was used up may be over.
    ///
    /// The next one begins a little later; and where it is not even sure that it has come, since the machine was started
    /// anew and only its wall clock says so, nothing is sent before it surely has. That may be as long as a day, which is
    /// why a machine says whether its clock is kept right.
    pub fn held_back(&self, name: &str, theirs: Theirs) -> Option<TimeDelta> {
        let (usage, (next, begins)) = (self.usage?, self.after_full(name)?);
        if theirs.in_doubt(self.kind) && usage.window_start == self.kind.start(theirs.least) {
            return Some(begins - theirs.least);
        }
        let just_begun = |now: &DateTime<Utc>| self.kind.start(*now) == next && *now < begins;
        [theirs.least, theirs.at].into_iter().find(just_begun).map(|now| begins - now)
    }

    /// What `class` may use of a window from its begin; `None` without a limit.
    pub fn whole(&self, class: RequestClass) -> Option<i64> {
        let limit = self.usage.and_then(|usage| usage.limit).or(self.limit)?;
        let counted_already = i64::from(limit > 1);
        Some(quota::ceiling(limit, class) - counted_already)
    }

    /// Whether a run that takes `cost` starts now. `owed` says that it was put off before and this is its time.
    pub fn leave(&self, cost: Option<Cost>, owed: bool, now: DateTime<Utc>) -> Leave {
        let Some(cost) = cost else { return Leave::Goes };
        let (Some(rest), Some(whole)) = (self.rest(cost.class, now), self.whole(cost.class)) else {
            return Leave::Goes;
        };
        match cost.requests {
            fits if fits <= rest => Leave::Goes,
            large if large > whole && rest > 0 && (owed || rest >= whole) => Leave::GoesTooLarge { whole },
            _ => Leave::Waits { rest, until: self.kind.resets_at(now) },
        }
    }

    /// When what takes `cost` and starts at `start` is done, where each request takes `each`: what one window cannot
    /// pay for goes on with the next.
    pub fn finish(&self, cost: Cost, start: DateTime<Utc>, each: TimeDelta) -> DateTime<Utc> {
        let whole = self.whole(cost.class).unwrap_or(i64::MAX).max(1);
        let (mut left, mut start) = (cost.requests, start);
        for _ in 0..MOST_WINDOWS {
            if left <= whole {
                break;
            }
            left -= whole;
            start = self.kind.resets_at(start);
        }
        start + each * i32::try_from(left.clamp(0, i64::from(i32::MAX))).unwrap_or(i32::MAX)
    }
}

/// Further than that no forecast is worth making.
const MOST_WINDOWS: usize = 400;

/// How long after the begin of its window what was put off starts: 5 to 60 seconds, always the same for one name and
/// window, so that the start is a fact, and different for others, so that not all agents come at once. FNV-1a, since
/// it must not change with the compiler.
pub fn spread(name: &str, window_start: DateTime<Utc>) -> TimeDelta {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let begin = name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    let hash = window_start.timestamp().to_le_bytes().iter().fold(begin, fnv);
    TimeDelta::milliseconds(5_000 + i64::try_from((hash >> 8) % 55_001).unwrap_or_default())
}

/// How long after the begin of its window a job starts that was put off: the account's own time, and then the jobs of
/// one account after each other.
pub fn starts_after(account: &str, job: &str, window_start: DateTime<Utc>) -> TimeDelta {
    spread(account, window_start) + spread(job, window_start) / 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::RequestClass::Stock;

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn purse(used: i64, limit: i64, now: DateTime<Utc>) -> Purse {
        let usage = Some(Usage { window_start: BERLIN.start(now), used, limit: None });
        Purse { kind: BERLIN, usage, limit: Some(limit), earmarked: Earmarked::default() }
    }

    fn purse_of(kind: WindowKind, usage: Usage) -> Purse {
        Purse { kind, usage: Some(usage), limit: Some(100), earmarked: Earmarked::default() }
    }

    fn cost(requests: i64) -> Option<Cost> {
        Some(Cost { requests, class: Stock })
    }

    #[test]
    fn what_cannot_be_paid_waits_for_the_midnight_of_the_marketplace() {
        // 4848 of 5000 are for stock.
        let check = |now: &str, until: &str| {
            let purse = purse(4_000, 5_000, at(now));
            assert_eq!(purse.leave(cost(848), false, at(now)), Leave::Goes);
            let waits = Leave::Waits { rest: 848, until: at(until) };
            assert_eq!(purse.leave(cost(849), false, at(now)), waits, "{now}");
        };
        check("2026-03-29T12:00:00Z", "2026-03-29T22:00:00Z");
        check("2026-10-25T12:00:00Z", "2026-10-25T23:00:00Z");
        check("2024-02-29T12:00:00Z", "2024-02-29T23:00:00Z");
        check("2024-12-31T22:59:59Z", "2024-12-31T23:00:00Z");
    }

    #[test]
    fn what_others_have_begun_to_spend_is_left_to_them_but_for_what_is_kept_for_orders() {
        // 4848 of 5000 are for stock, and 4948 for orders.
        let now = at("2026-01-15T12:00:00Z");
        let rest = |orders, stock, class| {
            let earmarked = Earmarked { orders, stock };
            Purse { earmarked, ..purse(4_800, 5_000, now) }.rest(class, now).unwrap()
        };
        assert_eq!((rest(0, 0, Stock), rest(2, 40, Stock), rest(9, 40, Stock)), (48, 6, 0));
        assert_eq!(
            [0, 40, 48, 6_000].map(|stock| rest(0, stock, RequestClass::Orders)),
            [148, 108, 100, 100]
        );
        assert_eq!(rest(3, 6_000, RequestClass::Orders), 97);
    }

    #[test]
    fn what_no_window_can_pay_for_starts_with_the_next_one_and_not_in_the_middle_of_this() {
        let now = at("2026-01-15T12:00:00Z");
        assert!(matches!(purse(100, 5_000, now).leave(cost(6_000), false, now), Leave::Waits { .. }));
        let too_large = Leave::GoesTooLarge { whole: 4_847 };
        assert_eq!(purse(100, 5_000, now).leave(cost(6_000), true, now), too_large);
        assert_eq!(purse(1, 5_000, now).leave(cost(6_000), false, now), too_large);
        assert!(matches!(purse(5_000, 5_000, now).leave(cost(6_000), true, now), Leave::Waits { .. }));
    }

    #[test]
    fn where_nothing_is_known_nothing_waits() {
        let now = at("2026-01-15T12:00:00Z");
        assert_eq!(purse(5_000, 5_000, now).leave(None, false, now), Leave::Goes);
        let unlimited = Purse { kind: BERLIN, usage: None, limit: None, earmarked: Earmarked::default() };
        assert_eq!(unlimited.leave(cost(i64::MAX), false, now), Leave::Goes);
    }

    #[test]
    fn a_window_that_a_wrong_clock_reached_holds_no_run_up() {
        let (now, ahead) = (at("2026-01-15T12:00:00Z"), at("2028-01-15T12:00:00Z"));
        let stranded = purse(5_000, 5_000, ahead);
        assert_eq!((stranded.rest(Stock, now), stranded.leave(cost(10), false, now)), (None, Leave::Goes));
        assert!(matches!(stranded.leave(cost(10), false, ahead), Leave::Waits { .. }));
    }

    #[test]
    fn a_forecast_goes_on_with_the_next_windows() {
        let (start, each) = (at("2026-03-28T23:00:30Z"), TimeDelta::milliseconds(200));
        let purse = purse(1, 5_000, start);
        let finish = |requests| purse.finish(Cost { requests, class: Stock }, start, each);
        assert_eq!(finish(100), start + TimeDelta::seconds(20));
        assert_eq!(finish(4_847 + 100), at("2026-03-29T22:00:20Z"), "the day has 23 hours");
        assert!(finish(i64::MAX) > start);
    }

    #[test]
    fn after_a_window_that_was_used_up_the_next_one_begins_a_little_later() {
        let start = at("2026-01-15T13:00:00Z");
        let held = |used, hours, seconds| {
            let usage = Usage { window_start: start - TimeDelta::hours(hours), used, limit: None };
            let theirs = Theirs::sure(start + TimeDelta::seconds(seconds));
            purse_of(WindowKind::Hour, usage).held_back("nz", theirs)
        };
        assert_eq!(held(100, 1, 4), Some(spread("nz", start) - TimeDelta::seconds(4)));
        assert_eq!((held(100, 1, 61), held(99, 1, 4)), (None, None));
        assert_eq!((held(100, 2, 4), held(100, 0, 4)), (None, None), "only the one before");
    }

    #[test]
    fn a_window_that_is_used_up_and_may_be_over_is_waited_for() {
        let start = at("2026-01-15T23:00:00Z");
        for (kind, lasts) in [(WindowKind::Hour, 60), (BERLIN, 24 * 60)] {
            let held = |used, least, ahead| {
                let usage = Usage { window_start: start, used, limit: None };
                let least = start + TimeDelta::minutes(least);
                let theirs = Theirs::between(least, least + TimeDelta::minutes(ahead));
                purse_of(kind, usage).held_back("nz", theirs)
            };
            let spread = spread("nz", start + TimeDelta::minutes(lasts));
            assert_eq!(held(100, 20, 5_000), Some(TimeDelta::minutes(lasts - 20) + spread));
            assert_eq!(held(100, lasts, 5_000), Some(spread));
            assert_eq!(held(100, lasts + 2, 5_000), None);
            assert_eq!(
                (held(99, 20, 5_000), held(100, 20, 30)),
                (None, None),
                "not used up, or not over by any clock"
            );
        }
    }

    proptest! {
        #[test]
        fn the_spread_is_between_five_seconds_and_a_minute_and_differs(name in "[a-z]{1,8}", hour in 0_i64..100_000) {
            let start = DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
            let spread = spread(&name, start);
            prop_assert!((TimeDelta::seconds(5)..=TimeDelta::seconds(60)).contains(&spread), "{spread}");
        }

        #[test]
        fn what_goes_fits_and_what_waits_goes_in_the_next_window(
            used in 0_i64..6_000, requests in 1_i64..6_000, limit in 20_i64..6_000,
        ) {
            let now = at("2026-03-29T12:00:00Z");
            let purse = purse(used, limit, now);
            match purse.leave(cost(requests), false, now) {
                Leave::Goes => prop_assert!(requests <= purse.rest(Stock, now).unwrap()),
                Leave::GoesTooLarge { whole } => prop_assert!(requests > whole),
                Leave::Waits { until, rest } => {
                    prop_assert!(until > now && requests > rest);
                    let then = purse.leave(cost(requests), true, until);
                    let waits = matches!(then, Leave::Waits { .. });
                    prop_assert!(!waits, "{then:?}");
                }
            }
        }
    }

    #[test]
    fn many_agents_do_not_come_at_once() {
        let start = at("2026-01-15T13:00:00Z");
        let mut at_second = [0; 61];
        (0..1_000).for_each(|n| {
            let second = spread(&format!("shop-{n}"), start).num_seconds();
            at_second[usize::try_from(second).unwrap()] += 1;
        });
        assert!(at_second.iter().all(|agents| *agents < 60), "{at_second:?}");
    }
}
