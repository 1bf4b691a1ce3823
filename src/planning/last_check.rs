//! The last look at a price before it leaves. It shares no line with the guards, which judge the whole plan: should
//! one of the two have a bug, or should a plan have been stored by another version, the other still stands.

use crate::domain::{Bounds, Money};

/// A price that is about to leave, and all that bounds it.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// The price that stands there now; `None` for a new listing.
    pub before: Option<Money>,
    /// The price that leaves.
    pub after: Money,
    /// The item's own floor and ceiling, as they were written down with the change. Nobody can accept them away.
    pub bounds: Bounds,
    /// The floor of all items, in minor units: `min_price`.
    pub min_price: Option<i64>,
    /// The ceiling of all items, in minor units: `max_price`.
    pub max_price: Option<i64>,
    /// The largest change in percent: `max_price_change_percent`.
    pub max_change_percent: Option<u32>,
    /// The guards that a person has accepted for this plan, by name.
    pub accepted: &'a [String],
}

/// Whether the price may leave; the error says why not.
pub fn check(leaving: &Leaving<'_>) -> Result<(), String> {
    let Leaving { before, after, bounds: Bounds { floor, ceiling }, .. } = *leaving;
    if after.minor < 1 {
        return Err(format!("{after} is no price"));
    }
    let others = [before, floor, ceiling];
    if let Some(other) = others.into_iter().flatten().find(|other| other.currency != after.currency) {
        return Err(format!("{after} is in another currency than {other}"));
    }
    if let Some(floor) = floor.filter(|floor| after.minor < floor.minor) {
        return Err(format!("{after} is below the item's floor of {floor}"));
    }
    if let Some(ceiling) = ceiling.filter(|ceiling| after.minor > ceiling.minor) {
        return Err(format!("{after} is above the item's ceiling of {ceiling}"));
    }
    let enforced = |name: &str| !leaving.accepted.iter().any(|accepted| accepted == name);
    let all = |minor| Money { minor, ..after };
    match leaving.min_price {
        Some(least) if after.minor < least && enforced("min_price") => {
            return Err(format!("{after} is below min_price, which is {}", all(least)));
        }
        _ => {}
    }
    match leaving.max_price {
        Some(most) if after.minor > most && enforced("max_price") => {
            return Err(format!("{after} is above max_price, which is {}", all(most)));
        }
        _ => {}
    }
    let (Some(before), Some(percent)) = (before, leaving.max_change_percent) else { return Ok(()) };
    // Multiplied out: after and before differ by at most so many hundredths of before.
    let (was, is) = (i128::from(before.minor), i128::from(after.minor));
    let room = was.max(0) * i128::from(percent);
    let too_low = is * 100 < was * 100 - room;
    let too_high = is * 100 > was * 100 + room;
    if (too_low || too_high) && enforced("max_price_change_percent") {
        return Err(format!("from {before} to {after} is more than max_price_change_percent, {percent} %"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Currency;

    fn eur(minor: i64) -> Money {
        Money { minor, currency: Currency::EUR }
    }

    fn free(before: Option<i64>, after: i64) -> Leaving<'static> {
        Leaving {
            before: before.map(eur),
            after: eur(after),
            bounds: Bounds::default(),
            min_price: None,
            max_price: None,
            max_change_percent: None,
            accepted: &[],
        }
    }

    #[track_caller]
    fn check_says(leaving: &Leaving<'_>, words: &str) {
        let error = check(leaving).expect_err("it should not leave");
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn each_bound_stops_a_price_and_only_beyond_it() {
        let at = |after| Leaving {
            bounds: Bounds { floor: Some(eur(100)), ceiling: Some(eur(900)) },
            min_price: Some(150),
            max_price: Some(800),
            ..free(None, after)
        };
        check_says(&at(0), "no price");
        check_says(&at(99), "the item's floor");
        check_says(&at(149), "min_price");
        assert_eq!(check(&at(150)), Ok(()));
        assert_eq!(check(&at(800)), Ok(()));
        check_says(&at(801), "max_price");
        check_says(&at(901), "the item's ceiling");
        let nzd = Money { minor: 100, currency: Currency::NZD };
        check_says(&Leaving { before: Some(nzd), ..free(None, 100) }, "another currency");
    }

    #[test]
    fn a_change_may_be_as_large_as_the_limit_and_no_larger() {
        let change = |before, after| Leaving { max_change_percent: Some(30), ..free(Some(before), after) };
        assert_eq!(check(&change(1_000, 1_300)), Ok(()));
        assert_eq!(check(&change(1_000, 700)), Ok(()));
        check_says(&change(1_000, 1_301), "max_price_change_percent");
        check_says(&change(1_000, 699), "max_price_change_percent");
        check_says(&change(0, 1), "max_price_change_percent");
        check_says(&change(-5, 1), "max_price_change_percent");
    }

    #[test]
    fn a_person_accepts_guards_but_not_the_items_own_floor() {
        let names = ["min_price", "max_price_change_percent"].map(str::to_owned);
        let leaving = Leaving {
            min_price: Some(500),
            max_change_percent: Some(30),
            accepted: &names,
            ..free(Some(1_000), 100)
        };
        assert_eq!(check(&leaving), Ok(()));
        let bounds = Bounds { floor: Some(eur(200)), ceiling: None };
        check_says(&Leaving { bounds, ..leaving }, "the item's floor");
        check_says(&Leaving { max_price: Some(50), ..leaving }, "max_price");
    }

    proptest! {
        #[test]
        fn what_leaves_lies_within_the_items_own_bounds_whatever_was_accepted(
            before in proptest::option::of(1_i64..200), after in -5_i64..200,
            floor in proptest::option::of(0_i64..200), ceiling in proptest::option::of(0_i64..200),
        ) {
            let accepted = ["min_price", "max_price", "max_price_change_percent"].map(str::to_owned);
            let bounds = Bounds { floor: floor.map(eur), ceiling: ceiling.map(eur) };
            let leaving = Leaving { bounds, accepted: &accepted, ..free(before, after) };
            let within = after > 0 && floor.is_none_or(|least| after >= least)
                && ceiling.is_none_or(|most| after <= most);
            prop_assert_eq!(check(&leaving).is_ok(), within);
        }

        #[test]
        fn no_number_makes_it_panic(before: i64, after: i64, min: i64, max: i64, percent: u32) {
            let leaving = Leaving {
                min_price: Some(min),
                max_price: Some(max),
                max_change_percent: Some(percent),
                ..free(Some(before), after)
            };
            let _ = check(&leaving);
        }
    }
}
