//! The guards between a plan and its application: a source that went wrong makes a plan that looks wrong.
//!
//! They judge the whole plan, since half of a wrong plan is not a right one. All arithmetic is in whole numbers; what is
//! shown as percent is rounded up, so that a guard has tripped exactly when the number shown is beyond its limit. Should
//! one of them be mistaken, `last_check` stands behind it.

use serde::Serialize;

use super::reconcile::{Plan, Tally};
use super::summary::{items_changed, largest_price_change, percent_up, value_change};
use crate::domain::{Currency, Money, Operation};

/// What a plan may come to; `None` is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The fewest items that a source may have.
    pub min_source_rows: u64,
    /// The most rows of the source that could not be read.
    pub max_rejected_rows: Option<u64>,
    /// The most items that may change, in percent of all. It never trips below [`FEW`] items.
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
    plan: &Plan,
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
        let count = plan.changes.iter().filter(|change| change.op == op).count() as u64;
        results.push(result(guard, most, count, format!("{count} listings {what}, limit {most}")));
    }
    results.push(price_change(plan, limits));
    results.push(value(plan, limits, facts));
    let prices = || {
        let leaving =
            plan.changes.iter().filter(|change| matches!(change.op, Operation::Add | Operation::Price));
        leaving.filter_map(|change| Some((change.after.as_ref()?.price, &change.sku)))
    };
    if let (Some(least), Some((price, sku))) =
        (limits.min_price, prices().min_by_key(|(price, _)| price.minor))
    {
        let words = format!("the lowest price is {price} for {sku}, limit {}", money(least));
        let tripped = price.minor < least;
        results.push(GuardResult { tripped, ..result("min_price", least, price.minor, words) });
    }
    if let (Some(most), Some((price, sku))) =
        (limits.max_price, prices().max_by_key(|(price, _)| price.minor))
    {
        let words = format!("the highest price is {price} for {sku}, limit {}", money(most));
        results.push(result("max_price", most, price.minor, words));
    }
    if let Some(most) = limits.max_fees {
        let words = format!("the marketplace charges {}, limit {}", money(facts.fees), money(most));
        results.push(result("max_fees", most, facts.fees, words));
    }
    if let Some(most) = limits.max_items_per_day {
        let items = facts.touched_today.saturating_add(items_changed(&plan.changes));
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

fn changes(plan: &Plan, limits: &Limits, facts: &GuardFacts<'_>) -> GuardResult {
    let items = items_changed(&plan.changes);
    let all = facts.tally.listings.max(facts.tally.source_rows);
    let (limit, percent) = (limits.max_changes_percent, percent_up(i128::from(items), i128::from(all)));
    let words = format!("{items} of {all} items change, limit {limit} %");
    let result = result("max_changes_percent", limit, percent, words);
    GuardResult { tripped: result.tripped && items >= FEW, ..result }
}

fn price_change(plan: &Plan, limits: &Limits) -> GuardResult {
    let limit = limits.max_price_change_percent;
    let (percent, words) = match largest_price_change(&plan.changes) {
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

fn value(plan: &Plan, limits: &Limits, facts: &GuardFacts<'_>) -> GuardResult {
    let (limit, before) = (limits.max_value_change_percent, facts.tally.value_before);
    let change = value_change(&plan.changes, facts.currency);
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
