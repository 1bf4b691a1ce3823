//! Whether what a plan writes can be paid for out of what is left of the window.
//!
//! What a run takes is known twice: before it starts, as far as it reads (see [`super::deferral`]), and once there is a
//! plan, as far as it writes. A plan that the rest cannot pay for is not begun and cut in the middle: it waits as a whole
//! for the next window, but for what takes copies off sale. That never waits, since a copy that is gone would be sold
//! again meanwhile.

use chrono::{DateTime, Utc};

use super::deferral::Purse;
use crate::domain::{Bill, RequestClass};

/// What is missing where a plan cannot be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// Requests that are left for `class`.
    pub rest: i64,
    /// The class that has not enough.
    pub class: RequestClass,
    /// When the next window begins, by the marketplace's clock.
    pub until: DateTime<Utc>,
}

/// What is missing to pay for a plan at `now`, which is the marketplace's time; `None` where it can be paid for, and
/// where no window could do more than this one.
///
/// `made` are the requests that the run has made already, and will have made again before its next plan. `owed` says
/// that it was put off to this window.
pub fn short(bill: &Bill, purse: &Purse, made: i64, owed: bool, now: DateTime<Utc>) -> Option<Short> {
    // How far the window has to reach for each class, as they share what is used.
    let needs = [(RequestClass::Stock, bill.requests), (RequestClass::Prices, bill.until_prices)];
    let (class, rest) = needs.into_iter().find_map(|(class, requests)| {
        let rest = purse.rest(class, now)?;
        (requests > rest).then_some((class, rest))
    })?;
    // The window's begin is as much as there ever is: what does not fit then gets as far as it gets, in each of some
    // windows. Others ask meanwhile, so that a plan of nearly a whole window may never fit either.
    let never_fits = |(class, requests): (RequestClass, i64)| {
        purse.whole(class).is_some_and(|whole| requests > whole.saturating_sub(made) / 10 * 9)
    };
    let goes = owed && needs.into_iter().any(never_fits);
    (!goes).then(|| Short { rest, class, until: purse.kind.resets_at(now) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::quota::{Usage, WindowKind};

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    fn noon() -> DateTime<Utc> {
        "2026-03-29T10:00:00Z".parse().unwrap()
    }

    fn purse(used: i64, limit: i64) -> Purse {
        let usage = Some(Usage { window_start: BERLIN.start(noon()), used, limit: None });
        Purse { kind: BERLIN, usage, limit: Some(limit), earmarked: Default::default() }
    }

    /// In this order.
    fn bill(lowering: i64, prices: i64, raising: i64) -> Bill {
        let until_prices = if prices == 0 { 0 } else { lowering + prices };
        Bill { requests: lowering + prices + raising, lowering, until_prices }
    }

    #[test]
    fn a_plan_is_short_of_the_class_that_does_not_pay_for_it() {
        // Of 5000 requests 4848 are for stock, and 4348 for prices.
        let missing = |bill: Bill, used| {
            short(&bill, &purse(used, 5_000), 50, false, noon()).map(|short| (short.class, short.rest))
        };
        assert_eq!(missing(bill(10, 0, 838), 4_000), None);
        assert_eq!(missing(bill(10, 0, 839), 4_000), Some((RequestClass::Stock, 848)));
        assert_eq!(missing(bill(10, 338, 500), 4_000), None, "what raises leaves after the prices");
        assert_eq!(missing(bill(10, 339, 0), 4_000), Some((RequestClass::Prices, 348)));
        assert_eq!(missing(bill(10, 0, 1), 4_400), None, "no price is changed");
        let until = short(&bill(0, 0, 9_000), &purse(1, 5_000), 50, false, noon()).unwrap().until;
        assert_eq!(until, "2026-03-29T22:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn what_no_window_pays_for_goes_when_its_turn_has_come_and_gets_as_far_as_it_gets() {
        let large = bill(0, 5_000, 0);
        assert!(short(&large, &purse(100, 5_000), 50, false, noon()).is_some());
        assert_eq!(short(&large, &purse(60, 5_000), 50, true, noon()), None);
        assert!(
            short(&bill(0, 500, 0), &purse(4_900, 5_000), 50, true, noon()).is_some(),
            "it fits tomorrow"
        );
        let unlimited = Purse { kind: BERLIN, usage: None, limit: None, earmarked: Default::default() };
        assert_eq!(short(&large, &unlimited, 0, false, noon()), None);
    }

    proptest! {
        #[test]
        fn what_is_not_short_is_paid_for_class_by_class(
            used in 0_i64..6_000, limit in 20_i64..6_000, lowering in 0_i64..900, prices in 0_i64..3_000, raising in 0_i64..900,
        ) {
            let (purse, bill) = (purse(used, limit), bill(lowering, prices, raising));
            let rest = |class| purse.rest(class, noon()).unwrap();
            let pays = lowering + prices + raising <= rest(RequestClass::Stock)
                && (prices == 0 || lowering + prices <= rest(RequestClass::Prices));
            prop_assert_eq!(short(&bill, &purse, 7, false, noon()).is_none(), pays);
        }

        #[test]
        fn whatever_waits_goes_within_two_windows(
            limit in 100_i64..6_000, made in 1_i64..60, prices in 1_i64..8_000, raising in 0_i64..900, others in 0_i64..3,
        ) {
            // At the next window's begin the run has read again, and others have asked a little.
            let fresh = purse(made + others, limit);
            let bill = bill(0, prices, raising);
            prop_assert_eq!(short(&bill, &fresh, made, true, noon()), None);
        }
    }
}
