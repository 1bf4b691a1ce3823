//! How many requests an account may still make: calendar windows by the marketplace's clock.
//!
//! Counted before a request leaves, so a crash can only over-count. The last requests of a window are kept for
//! what matters most: see [`ceiling`].

mod window;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::RequestClass;
pub use window::WindowKind;

/// What is used of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// When the window began.
    pub window_start: DateTime<Utc>,
    /// Requests counted in it.
    pub used: i64,
    /// The most that are allowed, as the marketplace itself has said. It wins over what the configuration says, and
    /// outlives the window where the configuration names a limit; `None` while the marketplace has said nothing.
    pub limit: Option<i64>,
}

/// The window's requests that this class may use are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// When it is worth asking again.
    pub until: DateTime<Utc>,
    /// What was used.
    pub used: i64,
    /// The most that are allowed.
    pub limit: i64,
}

/// Takes one request of `class` out of the window that holds `now`.
///
/// `now` is the marketplace's time. A clock that went back stays in the window it had reached: the window only
/// ever advances. A request let through just before a reset may arrive after it, so every new window starts with
/// one counted already.
///
/// Where `now` lies before the window that was reached, one of the two clocks was wrong and only an answer can tell
/// which. So that there is one, what is otherwise kept back may be used too.
///
/// A window that an answer took back is entered a second time: `again` is what was counted in it before.
pub fn take(
    usage: Option<Usage>,
    kind: WindowKind,
    configured_limit: Option<i64>,
    class: RequestClass,
    now: DateTime<Utc>,
    again: i64,
) -> Result<Usage, Exhausted> {
    take_below(usage, kind, configured_limit, now, again, |limit| ceiling(limit, class))
}

/// Takes one request where it is not certain that a new window has begun: `now` is the least that the marketplace's
/// time can be. The answer will say, and what is otherwise kept back is there for such a question.
pub fn take_in_doubt(
    usage: Option<Usage>,
    kind: WindowKind,
    configured_limit: Option<i64>,
    now: DateTime<Utc>,
    again: i64,
) -> Result<Usage, Exhausted> {
    take_below(usage, kind, configured_limit, now, again, |limit| limit)
}

fn take_below(
    usage: Option<Usage>,
    kind: WindowKind,
    configured_limit: Option<i64>,
    now: DateTime<Utc>,
    again: i64,
    ceiling: impl Fn(i64) -> i64,
) -> Result<Usage, Exhausted> {
    let before = usage;
    let mut usage = current(usage, kind, now);
    let begins = before.map(|before| before.window_start) != Some(usage.window_start);
    if let Some(before) = before.filter(|_| begins) {
        let sure = usage.window_start + GUARD;
        let limit = before.limit.or(configured_limit);
        if let Some(limit) = limit.filter(|limit| now < sure && before.used + AT_THE_EDGE > *limit) {
            return Err(Exhausted { until: sure, used: before.used, limit });
        }
    }
    if configured_limit.is_none() && begins {
        // An account without a limit ran into one. Whether it still has one, this window's answers say.
        usage.limit = None;
    }
    let limit = usage.limit.or(configured_limit);
    if begins && limit == Some(1) {
        // The one that is counted already would be all there is, and nobody would ever ask again.
        usage.used = 0;
    }
    if begins {
        usage.used += again;
    }
    match limit {
        Some(limit) if usage.used >= if now < usage.window_start { limit } else { ceiling(limit) } => {
            Err(Exhausted { until: kind.resets_at(now.max(usage.window_start)), used: usage.used, limit })
        }
        _ => Ok(Usage { used: usage.used + 1, ..usage }),
    }
}

/// The two clocks agree to seconds only: what leaves this early in a window may still be counted in the one before.
pub const GUARD: TimeDelta = TimeDelta::seconds(3);

/// As many may leave in that time.
const AT_THE_EDGE: i64 = 20;

/// The window to go on with, where the one that was reached begins later than the next: a clock that stood wrong went
/// there, and once it is used up no answer would ever say so. What is used of the window of `now` nobody knows, so it
/// counts as used up and one asks again in the next.
pub fn stranded(
    usage: Option<Usage>,
    kind: WindowKind,
    configured_limit: Option<i64>,
    now: DateTime<Utc>,
) -> Option<Usage> {
    let usage = usage.filter(|usage| kind.resets_at(now) < usage.window_start)?;
    Some(Usage { window_start: kind.start(now), used: used_up(usage, configured_limit), limit: usage.limit })
}

fn used_up(usage: Usage, configured_limit: Option<i64>) -> i64 {
    usage.limit.or(configured_limit).map_or(usage.used, |limit| limit.max(usage.used))
}

/// The window as it stands at `now`, begun anew where the stored one is over.
pub fn current(usage: Option<Usage>, kind: WindowKind, now: DateTime<Utc>) -> Usage {
    let start = kind.start(now);
    match usage {
        Some(usage) if start <= usage.window_start => usage,
        Some(usage) => Usage { window_start: start, used: 1, limit: usage.limit },
        None => Usage { window_start: start, used: 0, limit: None },
    }
}

/// What an answer said of the window that it was counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// The marketplace's own count.
    pub count: Option<i64>,
    /// The marketplace's own limit.
    pub limit: Option<i64>,
    /// The marketplace's own time.
    pub at: Option<DateTime<Utc>>,
    /// How long ago the request had left by then.
    pub took: TimeDelta,
}

/// What we ourselves counted, seen from the window that an answer was counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests counted in that window, and in later ones that only a wrong clock can have reached.
    pub since: i64,
    /// Those counted before it that may have arrived in it: one, and where it was not known what time it is, all since
    /// then.
    pub before: i64,
}

impl Counted {
    fn used(self) -> i64 {
        self.since + self.before
    }
}

/// Whether an answer is clear of the edge of its window: what left before its request did not arrive in another one.
pub fn settles(kind: WindowKind, said: &Said) -> bool {
    let left = said.at.and_then(|at| at.checked_sub_signed(said.took)?.checked_sub_signed(EDGE));
    said.at.zip(left).is_some_and(|(at, left)| kind.start(at) == kind.start(left))
}

/// What an answer taught: the marketplace's own count and limit win, the count only upwards. An answer that was
/// counted in an earlier window than ours says that our clock had run ahead; then that window is the one we are in,
/// or a clock that stood wrong for a minute would cost the days it was ahead. Where the marketplace does not count for
/// us, what is used of it is what we counted in it ourselves before the clock left it, and all that we counted since.
/// An answer to a request that left in a later window than ours says that our clock had stayed behind.
///
/// A count that comes with the first seconds of a window is not believed: it may be yesterday's, which would use up the
/// whole of today.
pub fn learn(
    usage: Usage,
    kind: WindowKind,
    configured_limit: Option<i64>,
    said: Said,
    counted: Counted,
) -> Usage {
    let limit = said.limit.or(usage.limit);
    match (said.count, said.at.map(|at| (at, kind.start(at)))) {
        (Some(used), Some((_, window_start))) if window_start < usage.window_start => {
            Usage { window_start, used, limit }
        }
        (None, Some((at, window_start)))
            if window_start < usage.window_start && at + EDGE < usage.window_start =>
        {
            Usage { window_start, used: counted.used(), limit }
        }
        (count, Some((at, window_start)))
            if usage.window_start < window_start
                && at.checked_sub_signed(said.took).is_some_and(|left| window_start + EDGE <= left) =>
        {
            // As where the clock alone enters a window.
            let limit = said.limit.or(usage.limit.filter(|_| configured_limit.is_some()));
            Usage { window_start, used: counted.used().max(count.unwrap_or(1)), limit }
        }
        (count, _) => {
            let count = count.filter(|_| !at_edge(&usage, said.at)).unwrap_or(0);
            Usage { used: usage.used.max(count), limit, ..usage }
        }
    }
}

/// The answer was "no more in this window": count it as full. Where no limit was known, it is what was used. Said in
/// the first seconds of a window, it may have been meant of the one before.
pub fn exhaust(usage: Usage, configured_limit: Option<i64>, at: Option<DateTime<Utc>>) -> Usage {
    if at_edge(&usage, at) {
        return usage;
    }
    match usage.limit.or(configured_limit) {
        Some(limit) => Usage { used: usage.used.max(limit), ..usage },
        None => Usage { limit: Some(usage.used), ..usage },
    }
}

/// An answer this early in a window may be about the one before: the two clocks agree to seconds only.
const EDGE: TimeDelta = TimeDelta::seconds(5);

fn at_edge(usage: &Usage, at: Option<DateTime<Utc>>) -> bool {
    at.is_some_and(|at| at < usage.window_start + EDGE)
}

/// How far a class may fill a window. Two requests are kept back from everyone, for what was counted by the
/// marketplace and not by us; where that would be more than 5 % of the window, together with the one that each begins
/// with, fewer. Then 1 % is kept for read-backs alone, 3 % for them and orders, 13 % from prices and 23 % from public
/// data. A class always has a request or more that those below it may not use, but in windows so small that nothing
/// would be left.
pub fn ceiling(limit: i64, class: RequestClass) -> i64 {
    let headroom = (limit / 20 - 1).clamp(0, 2);
    let (percent, below) = match class {
        RequestClass::ReadBack => (0, 0),
        RequestClass::Orders => (1, 1),
        RequestClass::Stock => (3, 2),
        RequestClass::Prices => (13, 3),
        RequestClass::Public => (23, 4),
    };
    let least = if limit < SMALL { 0 } else { below };
    limit - headroom - (limit * percent / 100).max(least)
}

/// A window of fewer requests is shared as it comes.
const SMALL: i64 = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLASSES: [RequestClass; 5] = [
        RequestClass::ReadBack,
        RequestClass::Orders,
        RequestClass::Stock,
        RequestClass::Prices,
        RequestClass::Public,
    ];

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    /// Out of a window that was not left before.
    fn take(
        usage: Option<Usage>,
        kind: WindowKind,
        configured_limit: Option<i64>,
        class: RequestClass,
        now: DateTime<Utc>,
    ) -> Result<Usage, Exhausted> {
        super::take(usage, kind, configured_limit, class, now, 0)
    }

    /// From an answer of a marketplace that counts for us.
    fn learn(usage: Usage, kind: WindowKind, configured_limit: Option<i64>, said: Said) -> Usage {
        super::learn(usage, kind, configured_limit, said, Counted::default())
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn orders_still_go_when_stock_may_not() {
        let usage =
            Usage { window_start: BERLIN.start(at("2026-01-15T12:00:00Z")), used: 4_900, limit: Some(5_000) };
        let now = at("2026-01-15T12:00:00Z");
        let refused = take(Some(usage), BERLIN, None, RequestClass::Stock, now).unwrap_err();
        assert_eq!(refused.until, at("2026-01-15T23:00:00Z"));
        assert_eq!(take(Some(usage), BERLIN, None, RequestClass::Orders, now).unwrap().used, 4_901);
    }

    #[test]
    fn the_marketplaces_own_limit_wins_and_its_count_only_upwards() {
        let usage = Usage { window_start: at("2026-01-14T23:00:00Z"), used: 10, limit: Some(5_000) };
        let said = Said {
            count: Some(7),
            limit: Some(100_000),
            at: Some(at("2026-01-15T12:00:00Z")),
            ..Said::default()
        };
        assert_eq!(learn(usage, BERLIN, None, said), Usage { limit: Some(100_000), ..usage });
        assert_eq!(learn(usage, BERLIN, None, Said { count: Some(70), ..Said::default() }).used, 70);
    }

    #[test]
    fn a_clock_that_ran_ahead_costs_nothing_once_an_answer_has_told() {
        let (now, ahead) = (at("2026-01-15T12:00:00Z"), at("2028-01-15T12:00:00Z"));
        let today = Usage { window_start: BERLIN.start(now), used: 98, limit: Some(100) };
        let refused = take(Some(today), BERLIN, None, RequestClass::Orders, now);
        assert!(refused.is_err(), "today's requests are used up");
        let gone_ahead = take(Some(today), BERLIN, None, RequestClass::Orders, ahead).unwrap();
        let full = learn(gone_ahead, BERLIN, None, Said { count: Some(99), ..Said::default() });
        let asked = take(Some(full), BERLIN, None, RequestClass::Orders, now).unwrap();
        let said = Said { count: Some(100), limit: Some(100), at: Some(now), ..Said::default() };
        let told = learn(asked, BERLIN, None, said);
        assert_eq!(told, Usage { window_start: BERLIN.start(now), used: 100, limit: Some(100) });
        let tomorrow = at("2026-01-15T23:00:03Z");
        assert!(take(Some(told), BERLIN, None, RequestClass::Orders, now).is_err());
        assert!(take(Some(told), BERLIN, None, RequestClass::Stock, tomorrow).is_ok());
    }

    #[test]
    fn a_clock_that_ran_ahead_of_a_shop_that_does_not_count_costs_what_was_sent() {
        let (now, ahead) = (at("2026-01-15T12:20:00Z"), at("2028-01-15T12:20:00Z"));
        let hour = |used, now| Usage { window_start: WindowKind::Hour.start(now), used, limit: None };
        let take = |usage, now| take(Some(usage), WindowKind::Hour, Some(100), RequestClass::Orders, now);
        let learn = |usage, at, counted| {
            let said = Said { at: Some(at), ..Said::default() };
            super::learn(usage, WindowKind::Hour, Some(100), said, counted)
        };
        let gone_ahead = take(hour(60, now), ahead).unwrap();
        assert_eq!(gone_ahead, hour(2, ahead));
        // 59 by the right clock and one by the wrong one; and one of the hour before may have arrived in this.
        let told = learn(gone_ahead, now, Counted { since: 60, before: 1 });
        assert_eq!(told, hour(61, now));
        assert_eq!(take(told, now).unwrap().used, 62);
        assert_eq!(take(told, at("2026-01-15T13:00:03Z")).unwrap().used, 2);
        let fresh = learn(hour(1, ahead), now, Counted { since: 1, before: 0 });
        assert_eq!(fresh, hour(1, now), "nothing was asked before: all but that one is left");
        // The clocks agree to seconds only.
        let edge = hour(2, at("2026-01-15T13:00:00Z"));
        assert_eq!(learn(edge, at("2026-01-15T12:59:59Z"), Counted { since: 9, before: 1 }), edge);
    }

    #[test]
    fn an_hour_that_was_left_and_is_entered_again_is_not_a_new_one() {
        let (before, now) = (at("2026-01-15T12:59:00Z"), at("2026-01-15T13:01:00Z"));
        let left = Some(Usage { window_start: WindowKind::Hour.start(before), used: 50, limit: None });
        let enter = |again| {
            super::take(left, WindowKind::Hour, Some(100), RequestClass::Orders, now, again)
                .map(|usage| usage.used)
        };
        assert_eq!((enter(0), enter(40), enter(98).is_err()), (Ok(2), Ok(42), true));
    }

    #[test]
    fn a_request_that_left_in_a_later_hour_than_ours_is_counted_there() {
        let hour = |used, hour: &str| Usage {
            window_start: at(&format!("2026-01-15T{hour}:00:00Z")),
            used,
            limit: None,
        };
        let learn = |at_: &str, seconds| {
            let took = TimeDelta::seconds(seconds);
            let said = Said { at: Some(at(at_)), took, ..Said::default() };
            super::learn(hour(98, "12"), WindowKind::Hour, Some(100), said, Counted { since: 3, before: 7 })
        };
        assert_eq!(learn("2026-01-15T13:10:00Z", 1), hour(10, "13"));
        assert_eq!(learn("2026-01-15T13:01:30Z", 100), hour(98, "12"), "the answer was slow");
        assert_eq!(learn("2026-01-15T13:00:04Z", 0), hour(98, "12"), "the clocks agree to seconds only");
    }

    #[test]
    fn a_window_that_is_nearly_full_is_not_left_before_it_is_surely_over() {
        let start = at("2026-01-15T13:00:00Z");
        let asks = |used, seconds| {
            let usage = Usage { window_start: start - TimeDelta::hours(1), used, limit: None };
            let now = start + TimeDelta::seconds(seconds);
            take(Some(usage), WindowKind::Hour, Some(100), RequestClass::Orders, now)
        };
        assert_eq!(asks(98, 0).unwrap_err().until, start + GUARD);
        assert_eq!((asks(98, 3).unwrap().used, asks(50, 0).unwrap().used), (2, 2));
    }

    #[test]
    fn a_window_years_ahead_that_is_used_up_is_left_for_the_one_after_this() {
        let (now, ahead) = (at("2026-01-15T12:20:00Z"), at("2028-01-15T12:20:00Z"));
        let full = |at| Usage { window_start: BERLIN.start(at), used: 3, limit: Some(3) };
        let left = stranded(Some(full(ahead)), BERLIN, None, now);
        assert_eq!(left, Some(full(now)));
        assert!(take(left, BERLIN, None, RequestClass::Orders, now).is_err());
        assert!(take(left, BERLIN, None, RequestClass::Orders, now + TimeDelta::days(1)).is_ok());
        let tomorrow = Some(full(now + TimeDelta::days(1)));
        assert_eq!(stranded(tomorrow, BERLIN, None, now), None, "a clock may be a little behind");
    }

    #[test]
    fn a_question_of_the_time_may_use_what_is_kept_back_and_no_more() {
        let now = at("2026-01-15T12:59:00Z");
        let used = |used| Some(Usage { window_start: WindowKind::Hour.start(now), used, limit: None });
        let asks = |usage| take_in_doubt(usage, WindowKind::Hour, Some(100), now, 0).map(|usage| usage.used);
        assert!(take(used(98), WindowKind::Hour, Some(100), RequestClass::Orders, now).is_err());
        assert_eq!((asks(used(98)), asks(used(100)).is_err()), (Ok(99), true));
    }

    #[test]
    fn what_the_configuration_says_counts_until_the_marketplace_has_spoken() {
        let now = at("2026-01-15T12:00:00Z");
        let used = |used, limit| Some(Usage { window_start: BERLIN.start(now), used, limit });
        let goes = |usage, configured| take(usage, BERLIN, configured, RequestClass::Orders, now).is_ok();
        assert!(!goes(used(10, None), Some(10)));
        assert!(goes(used(10, None), Some(11)), "a configuration that was changed takes effect");
        assert!(goes(used(10, None), None));
        assert!(goes(used(10, Some(20)), Some(5)));
        let full = exhaust(used(10, None).unwrap(), None, None);
        assert!(!goes(Some(full), None), "a window that was closed stays closed without a known limit");
        let tomorrow = at("2026-01-15T23:00:03Z");
        let next = take(Some(full), BERLIN, None, RequestClass::Orders, tomorrow).unwrap();
        assert_eq!((next.used, next.limit), (2, None), "and the next one is open");
        assert_eq!(
            take(Some(full), BERLIN, Some(50), RequestClass::Orders, tomorrow).unwrap().limit,
            Some(10)
        );
    }

    #[test]
    fn where_one_request_is_allowed_one_goes_each_day() {
        let day = |day: &str| at(&format!("2026-01-{day}T12:00:00Z"));
        let first = take(None, BERLIN, Some(1), RequestClass::Orders, day("15")).unwrap();
        assert!(take(Some(first), BERLIN, Some(1), RequestClass::Orders, day("15")).is_err());
        let second = take(Some(first), BERLIN, Some(1), RequestClass::Orders, day("16")).unwrap();
        assert!(take(Some(second), BERLIN, Some(1), RequestClass::Orders, day("16")).is_err());
    }

    #[test]
    fn what_is_said_of_yesterday_just_after_midnight_does_not_use_up_today() {
        let usage = Usage { window_start: at("2026-01-14T23:00:00Z"), used: 1, limit: Some(5_000) };
        let said = |second: &str| Said { count: Some(4_999), at: Some(at(second)), ..Said::default() };
        assert_eq!(learn(usage, BERLIN, None, said("2026-01-14T23:00:01Z")), usage);
        assert_eq!(exhaust(usage, None, Some(at("2026-01-14T23:00:01Z"))), usage);
        assert_eq!(learn(usage, BERLIN, None, said("2026-01-14T23:00:06Z")).used, 4_999);
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_a_window_is_never_overfilled(
            steps in proptest::collection::vec((-90_000_i64..90_000, 0..5_u8), 1..400),
            limit in 1_i64..60,
        ) {
            let mut now = at("2026-03-28T12:00:00Z");
            let mut usage = None;
            let mut sent = std::collections::HashMap::<DateTime<Utc>, i64>::new();
            for (step, class) in steps {
                now += TimeDelta::seconds(step);
                let class = CLASSES[usize::from(class)];
                if let Ok(next) = take(usage, BERLIN, Some(limit), class, now) {
                    usage = Some(next);
                    *sent.entry(next.window_start).or_default() += 1;
                }
            }
            prop_assert!(sent.values().all(|count| *count <= limit));
        }

        #[test]
        fn at_least_95_percent_of_a_window_can_be_used(
            limit in prop_oneof![2_i64..200, 200_i64..1_000_000],
        ) {
            // From the second window on: one is counted in it before anything was asked.
            let usable = ceiling(limit, RequestClass::ReadBack) - 1;
            prop_assert!(usable * 100 >= limit * 95 || usable == limit - 1, "{usable} of {limit}");
            prop_assert!(ceiling(limit, RequestClass::Orders) * 100 >= limit * 94 - 100);
        }

        #[test]
        fn every_class_can_still_send_what_the_ones_below_may_not(
            limit in prop_oneof![1_i64..200, 200_i64..1_000_000],
        ) {
            let ceilings = CLASSES.map(|class| ceiling(limit, class));
            prop_assert!(ceilings.iter().all(|ceiling| (1..=limit).contains(ceiling)), "{ceilings:?}");
            prop_assert!(ceilings.is_sorted_by(|above, below| above >= below), "{ceilings:?}");
            let now = at("2026-01-15T12:00:00Z");
            for pair in CLASSES.windows(2).filter(|_| limit >= SMALL) {
                let used = ceiling(limit, pair[1]);
                let usage = Some(Usage { window_start: BERLIN.start(now), used, limit: None });
                prop_assert!(take(usage, BERLIN, Some(limit), pair[1], now).is_err());
                prop_assert!(take(usage, BERLIN, Some(limit), pair[0], now).is_ok());
            }
        }
    }
}
