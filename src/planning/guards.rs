//! The guards between a plan and its application: a source that went wrong makes a plan that looks wrong.
//!
//! They judge the whole plan, since half of a wrong plan is not a right one. All arithmetic is in whole numbers; what is
//! shown as percent is rounded up, so that a guard has tripped exactly when the number shown is beyond its limit. Should
//! one of them be mistaken, `last_check` stands behind it.

use serde::Serialize;

use super::reconcile::Tally;
use super::summary::{Sums, percent_up};
use crate::domain::{Currency, Money, Operation};

/// What a plan may come to; `None` is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The fewest items that a source may have.
    pub min_source_rows: u64,
    /// The most rows of the source that could not be read.
    pub max_rejected_rows: Option<u64>,
    /// The most items that may change, in percent of all. It never trips below five items.
    pub max_changes_percent: u32,
    /// The most listings that may go to zero.
    pub max_zeroed_items: u64,
    /// The most listings that may be removed.
    pub max_removed_items: u64,
    /// The furthest that one price may move, in percent of what it was.
    pub max_price_change_percent: u32,
    /// The furthest that the worth of the stock may move, in percent of what it was.
    pub max_value_change_percent: u32,
    /// The lowest price, in minor units.
    pub min_price: Option<i64>,
    /// The highest price, in minor units.
    pub max_price: Option<i64>,
    /// The most that the marketplace may charge for the plan, in minor units.
    pub max_fees: Option<i64>,
    /// The most items that may be touched in one day, with those that were touched already.
    pub max_items_per_day: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            min_source_rows: 1,
            max_rejected_rows: None,
            max_changes_percent: 10,
            max_zeroed_items: 5,
            max_removed_items: 0,
            max_price_change_percent: 30,
            max_value_change_percent: 10,
            min_price: None,
            max_price: None,
            max_fees: None,
            max_items_per_day: None,
        }
    }
}

/// What the guards have to know beside the plan.
#[derive(Debug, Clone, Copy)]
pub struct GuardFacts<'a> {
    /// What was counted while planning.
    pub tally: &'a Tally,
    /// Whether the plan comes from a source. That of an undo does not.
    pub from_source: bool,
    /// Rows of the source that could not be read.
    pub rejected_rows: u64,
    /// What the marketplace charges for the plan, in minor units.
    pub fees: i64,
    /// Items that were touched today already.
    pub touched_today: u64,
    /// The account's currency.
    pub currency: Currency,
}

/// What one guard says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardResult {
    /// Its name, as in `[guards]` and for `--accept-guard`.
    pub guard: &'static str,
    /// Where it trips.
    pub limit: i64,
    /// What it found. Percent are rounded up.
    pub actual: i64,
    /// Whether it holds the plan up.
    pub tripped: bool,
    /// The same for people.
    pub words: String,
}

/// Below this many changed items the share that they are says nothing: one article of three is a third.
const FEW: u64 = 5;

/// Lets every guard judge. Those whose names are in `accepted` trip no more, and say so.
pub fn judge(
    plan: &Sums,
    limits: &Limits,
    facts: &GuardFacts<'_>,
    accepted: &[impl AsRef<str>],
) -> Vec<GuardResult> {
    let mut results = Vec::new();
    let money = |minor| Money { minor, currency: facts.currency };
    if facts.from_source {
        let (rows, least) = (facts.tally.source_rows, limits.min_source_rows);
        let words = format!("the source has {rows} items, at least {least} are expected");
        results.push(GuardResult { tripped: rows < least, ..result("min_source_rows", least, rows, words) });
    }
    if let Some(most) = limits.max_rejected_rows {
        let rejected = facts.rejected_rows;
        let words = format!("{rejected} rows of the source could not be read, limit {most}");
        results.push(result("max_rejected_rows", most, rejected, words));
    }
    results.push(changes(plan, limits, facts));
    for (guard, op, most, what) in [
        ("max_zeroed_items", Operation::Zero, limits.max_zeroed_items, "go to zero"),
        ("max_removed_items", Operation::Remove, limits.max_removed_items, "are removed"),
    ] {
        let count = plan.count(op);
        results.push(result(guard, most, count, format!("{count} listings {what}, limit {most}")));
    }
    results.push(price_change(plan, limits));
    results.push(value(plan, limits, facts));
    if let (Some(least), Some((price, sku))) = (limits.min_price, &plan.lowest) {
        let words = format!("the lowest price is {price} for {sku}, limit {}", money(least));
        let tripped = price.minor < least;
        results.push(GuardResult { tripped, ..result("min_price", least, price.minor, words) });
    }
    if let (Some(most), Some((price, sku))) = (limits.max_price, &plan.highest) {
        let words = format!("the highest price is {price} for {sku}, limit {}", money(most));
        results.push(result("max_price", most, price.minor, words));
    }
    results.extend(limits.max_fees.map(|most| max_fees(most, facts.fees, facts.currency)));
    if let Some(most) = limits.max_items_per_day {
        let items = facts.touched_today.saturating_add(plan.items);
        let words = format!(
            "{items} items are touched today with the {} that were already, limit {most}",
            facts.touched_today
        );
        results.push(result("max_items_per_day", most, items, words));
    }
    for result in &mut results {
        if result.tripped && accepted.iter().any(|name| name.as_ref() == result.guard) {
            result.tripped = false;
            result.words.push_str("; accepted");
        }
    }
    results
}

/// What the guard over fees says of a plan that costs so much. It is asked apart, too, since what a change costs depends on
/// when it is made: a plan that is applied later may cost what it did not when it was made.
pub fn max_fees(most: i64, fees: i64, currency: Currency) -> GuardResult {
    let money = |minor| Money { minor, currency };
    let words = format!("the marketplace charges {}, limit {}", money(fees), money(most));
    result(MAX_FEES, most, fees, words)
}

/// The name of the guard over fees.
pub const MAX_FEES: &str = "max_fees";

fn changes(plan: &Sums, limits: &Limits, facts: &GuardFacts<'_>) -> GuardResult {
    let items = plan.items;
    let all = facts.tally.listings.max(facts.tally.source_rows);
    let (limit, percent) = (limits.max_changes_percent, percent_up(i128::from(items), i128::from(all)));
    let words = format!("{items} of {all} items change, limit {limit} %");
    let result = result("max_changes_percent", limit, percent, words);
    GuardResult { tripped: result.tripped && items >= FEW, ..result }
}

fn price_change(plan: &Sums, limits: &Limits) -> GuardResult {
    let limit = limits.max_price_change_percent;
    let (percent, words) = match &plan.largest_price_change {
        None => (0, format!("no price changes, limit {limit} %")),
        Some(worst) => {
            let words = format!(
                "the largest change of a price is that of {}, from {} to {}, limit {limit} %",
                worst.sku, worst.before, worst.after
            );
            (worst.percent(), words)
        }
    };
    result("max_price_change_percent", limit, percent, words)
}

fn value(plan: &Sums, limits: &Limits, facts: &GuardFacts<'_>) -> GuardResult {
    let (limit, before) = (limits.max_value_change_percent, facts.tally.value_before);
    let change = plan.value_change();
    let percent = percent_up(change.saturating_abs(), before);
    let shown = |value: i128| Money { minor: clamped(value), currency: facts.currency };
    let words = format!(
        "the worth of the stock goes from {} to {}, limit {limit} %",
        shown(before),
        shown(before.saturating_add(change))
    );
    result("max_value_change_percent", limit, percent, words)
}

/// A guard that trips above its limit.
fn result<L: Into<i128>, A: Into<i128>>(
    guard: &'static str,
    limit: L,
    actual: A,
    words: String,
) -> GuardResult {
    let (limit, actual) = (limit.into(), actual.into());
    GuardResult { guard, limit: clamped(limit), actual: clamped(actual), tripped: actual > limit, words }
}

fn clamped(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Change;
    use crate::planning::reconcile::Plan;
    use crate::planning::testing::{change, offer};

    fn zeros(count: i64) -> Vec<Change> {
        let zero = |id| change(Operation::Zero, id, Some(offer(1, 10)), Some(offer(0, 10)));
        (0..count).map(zero).collect()
    }

    fn price(before: i64, after: i64) -> Vec<Change> {
        vec![change(Operation::Price, 1, Some(offer(1, before)), Some(offer(1, after)))]
    }

    const TALLY: Tally = Tally { source_rows: 90, listings: 100, value_before: 100_000 };

    const FACTS: GuardFacts<'static> = GuardFacts {
        tally: &TALLY,
        from_source: true,
        rejected_rows: 0,
        fees: 0,
        touched_today: 0,
        currency: Currency::EUR,
    };

    fn sums(changes: Vec<Change>) -> Sums {
        Sums::of(&Plan { changes, held: Vec::new() }, Currency::EUR)
    }

    fn judged(changes: Vec<Change>, limits: &Limits, facts: &GuardFacts<'_>) -> Vec<GuardResult> {
        judge(&sums(changes), limits, facts, &[] as &[&str])
    }

    #[track_caller]
    fn check(changes: Vec<Change>, limits: &Limits, facts: &GuardFacts<'_>, tripped: &[&str]) {
        let results = judged(changes, limits, facts);
        let names: Vec<&str> =
            results.iter().filter(|result| result.tripped).map(|result| result.guard).collect();
        assert_eq!(names, tripped, "{results:#?}");
    }

    #[test]
    fn all_that_have_a_limit_answer_by_name_and_an_empty_plan_trips_none() {
        let results = judged(Vec::new(), &Limits::default(), &FACTS);
        let names: Vec<&str> = results.iter().map(|result| result.guard).collect();
        assert_eq!(
            names,
            [
                "min_source_rows",
                "max_changes_percent",
                "max_zeroed_items",
                "max_removed_items",
                "max_price_change_percent",
                "max_value_change_percent"
            ]
        );
        check(Vec::new(), &Limits::default(), &FACTS, &[]);
        let text = serde_json::to_string(&results[0]).unwrap();
        assert_eq!(
            text,
            r#"{"guard":"min_source_rows","limit":1,"actual":90,"tripped":false,"words":"the source has 90 items, at least 1 are expected"}"#
        );
    }

    #[test]
    fn a_source_without_rows_or_with_too_many_bad_ones_trips() {
        let empty = Tally { source_rows: 0, ..TALLY };
        let facts = GuardFacts { tally: &empty, rejected_rows: 3, ..FACTS };
        let limits = Limits { max_rejected_rows: Some(2), ..Limits::default() };
        check(Vec::new(), &limits, &facts, &["min_source_rows", "max_rejected_rows"]);
        let undo = GuardFacts { from_source: false, rejected_rows: 2, ..facts };
        check(Vec::new(), &limits, &undo, &[]);
    }

    #[test]
    fn the_share_of_changes_is_that_of_the_larger_side_and_few_never_trip() {
        let limits = Limits { max_zeroed_items: 100, ..Limits::default() };
        check(zeros(10), &limits, &FACTS, &[]);
        check(zeros(11), &limits, &FACTS, &["max_changes_percent"]);
        let small = Tally { listings: 3, source_rows: 4, value_before: 100_000 };
        check(zeros(4), &limits, &GuardFacts { tally: &small, ..FACTS }, &[]);
        check(zeros(5), &limits, &GuardFacts { tally: &small, ..FACTS }, &["max_changes_percent"]);
        // Price and details of one listing are one item.
        let limits = Limits { max_price_change_percent: 1_000, ..limits };
        let twice = (0..6).flat_map(|id| {
            let of = |op| change(op, id, Some(offer(1, 10)), Some(offer(1, 11)));
            [of(Operation::Price), of(Operation::Details)]
        });
        check(twice.collect(), &limits, &FACTS, &[]);
    }

    #[test]
    fn listings_that_go_are_counted() {
        check(zeros(5), &Limits::default(), &FACTS, &[]);
        check(zeros(6), &Limits::default(), &FACTS, &["max_zeroed_items"]);
        let removed = vec![change(Operation::Remove, 1, Some(offer(1, 1)), None)];
        check(removed, &Limits::default(), &FACTS, &["max_removed_items"]);
    }

    #[test]
    fn the_price_that_moves_furthest_is_named() {
        check(price(1_000, 1_300), &Limits::default(), &FACTS, &[]);
        check(price(1_000, 699), &Limits::default(), &FACTS, &["max_price_change_percent"]);
        check(price(0, 1), &Limits::default(), &FACTS, &["max_price_change_percent"]);
        let mut several = price(100, 131);
        several.push(change(Operation::Price, 2, Some(offer(1, 1_000)), Some(offer(1, 600))));
        several.push(change(Operation::Price, 3, Some(offer(1, 9_000)), Some(offer(1, 8_000))));
        let results = judged(several, &Limits::default(), &FACTS);
        let worst = results.iter().find(|result| result.guard == "max_price_change_percent").unwrap();
        assert_eq!(worst.actual, 40);
        assert!(worst.words.contains("sku-2, from 10.00 EUR to 6.00 EUR"), "{}", worst.words);
    }

    #[test]
    fn the_worth_of_the_stock_may_move_so_far() {
        let add = |worth| vec![change(Operation::Add, 1, None, Some(offer(1, worth)))];
        check(add(10_000), &Limits::default(), &FACTS, &[]);
        check(add(10_001), &Limits::default(), &FACTS, &["max_value_change_percent"]);
        let nothing = Tally { value_before: 0, ..TALLY };
        check(
            add(1),
            &Limits::default(),
            &GuardFacts { tally: &nothing, ..FACTS },
            &["max_value_change_percent"],
        );
    }

    #[test]
    fn bounds_of_prices_fees_and_days_hold_where_they_are_set() {
        let limits = Limits {
            min_price: Some(100),
            max_price: Some(200),
            max_fees: Some(50),
            max_items_per_day: Some(10),
            max_price_change_percent: 1_000,
            ..Limits::default()
        };
        let facts = GuardFacts { fees: 50, touched_today: 9, ..FACTS };
        check(price(150, 100), &limits, &facts, &[]);
        check(price(150, 200), &limits, &facts, &[]);
        check(price(150, 99), &limits, &facts, &["min_price"]);
        check(price(150, 201), &limits, &facts, &["max_price"]);
        let facts = GuardFacts { fees: 51, touched_today: 10, ..FACTS };
        check(price(150, 150), &limits, &facts, &["max_fees", "max_items_per_day"]);
    }

    #[test]
    fn what_is_accepted_by_name_trips_no_more_and_the_others_do() {
        let results = judge(&sums(zeros(11)), &Limits::default(), &FACTS, &["max_zeroed_items"]);
        let tripped: Vec<&str> = results.iter().filter(|r| r.tripped).map(|r| r.guard).collect();
        assert_eq!(tripped, ["max_changes_percent"]);
        assert!(results.iter().any(|result| result.words.ends_with("limit 5; accepted")));
    }

    proptest! {
        #[test]
        fn a_guard_has_tripped_exactly_when_its_number_is_beyond_its_limit(
            before in 1_i64..100_000,
            after in 1_i64..100_000,
            percent in 0_u32..200,
        ) {
            let limits = Limits { max_price_change_percent: percent, ..Limits::default() };
            let results = judged(price(before, after), &limits, &FACTS);
            let result = results.iter().find(|result| result.guard == "max_price_change_percent").unwrap();
            prop_assert_eq!(result.tripped, result.actual > result.limit);
            let exactly = i128::from(after.abs_diff(before)) * 100 > i128::from(before) * i128::from(percent);
            prop_assert_eq!(result.tripped, exactly);
        }

        #[test]
        fn no_number_makes_it_panic(
            before: (i64, i64), after: (i64, i64), fees: i64, value_before: i128, touched_today: u64, bound: i64,
        ) {
            let (was, is) = (offer(before.0, before.1), offer(after.0, after.1));
            let of = |op| change(op, 1, Some(was.clone()), Some(is.clone()));
            let changes = vec![of(Operation::Price), of(Operation::Quantity), change(Operation::Add, 2, None, Some(is.clone()))];
            let limits = Limits {
                min_price: Some(bound),
                max_price: Some(bound),
                max_fees: Some(bound),
                max_items_per_day: Some(u64::MAX),
                ..Limits::default()
            };
            let tally = Tally { value_before, ..TALLY };
            judged(changes, &limits, &GuardFacts { tally: &tally, fees, touched_today, ..FACTS });
        }
    }
}
