//! A plan in a few numbers: for the lines under its table, for the record of it, and for `guards`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::dispatch::{Doubt, Load, Queue};
use super::reconcile::{Plan, Tally};
use super::shape::Shape;
use crate::domain::{Change, Currency, ListingId, Money, Offer, Operation, Sku};

/// What a plan comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Changes, by what they do.
    pub counts: BTreeMap<Operation, u64>,
    /// What is held, by the word of its reason.
    pub held: BTreeMap<String, u64>,
    /// What the stock is worth now, in minor units.
    pub value_before: i128,
    /// What it will be worth.
    pub value_after: i128,
    /// The largest change of a price in either direction.
    pub largest_price_change: Option<PriceChange>,
    /// Requests that it takes to apply it, if nothing goes wrong.
    pub requests_needed: u64,
}

/// How one price changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    /// The item.
    pub sku: Sku,
    /// Its price now.
    pub before: Money,
    /// Its price afterwards.
    pub after: Money,
}

impl PriceChange {
    /// How far the price moves in whole percent of what it was, rounded up: a limit in whole percent is exceeded by
    /// this number exactly when it is exceeded by the price.
    pub fn percent(&self) -> i64 {
        let (was, is) = (i128::from(self.before.minor), i128::from(self.after.minor));
        percent_up((is - was).abs(), was)
    }

    /// The same with its direction, for people: `−9 %`.
    pub fn signed_percent(&self) -> i64 {
        if self.after.minor < self.before.minor { -self.percent() } else { self.percent() }
    }

    fn of(change: &Change) -> Option<Self> {
        let (before, after) = (change.before.as_ref()?.price, change.after.as_ref()?.price);
        (before != after).then(|| Self { sku: change.sku.clone(), before, after })
    }
}

/// Sums a plan up. `value_before` is in `tally`.
pub fn sum_up(plan: &Plan, tally: &Tally, currency: Currency, shape: &Shape<'_>) -> Summary {
    let mut summary = Summary {
        value_before: tally.value_before,
        value_after: tally.value_before.saturating_add(value_change(&plan.changes, currency)),
        largest_price_change: largest_price_change(&plan.changes),
        requests_needed: requests_needed(&plan.changes, shape),
        ..Summary::default()
    };
    for change in &plan.changes {
        *summary.counts.entry(change.op).or_default() += 1;
    }
    for held in &plan.held {
        match summary.held.get_mut(&held.reason) {
            Some(count) => *count += 1,
            None => {
                summary.held.insert(held.reason.clone(), 1);
            }
        }
    }
    summary
}

/// By how much the changes raise the worth of the stock, in minor units of `currency`. The changes of one listing are
/// taken together: two more at another price are two more at the new one.
pub fn value_change(changes: &[Change], currency: Currency) -> i128 {
    let mut listings: HashMap<ListingId, (i128, Money, i64)> = HashMap::new();
    let mut sum: i128 = 0;
    for change in changes {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let (Some(id), Some(was)) = (change.listing_id, before) else {
            sum = sum.saturating_add(after.map_or(0, |after| worth(after.price, after.quantity, currency)));
            continue;
        };
        let worth_before = worth(was.price, was.quantity, currency);
        let (_, price, quantity) =
            listings.entry(id).or_insert_with(|| (worth_before, was.price, was.quantity));
        match (change.op, after) {
            (_, None) => *quantity = 0,
            (Operation::Price, Some(after)) => *price = after.price,
            (Operation::Quantity | Operation::Zero, Some(after)) => *quantity = after.quantity,
            (_, Some(_)) => {}
        }
    }
    listings.values().fold(sum, |sum, (before, price, quantity)| {
        sum.saturating_add(worth(*price, *quantity, currency).saturating_sub(*before))
    })
}

/// The change that moves a price furthest, measured in percent of what it was.
pub fn largest_price_change(changes: &[Change]) -> Option<PriceChange> {
    let furthest = changes.iter().filter(|change| change.op == Operation::Price).max_by(|a, b| {
        // Both fractions multiplied out: |is - was| / was.
        let parts = |change: &Change| {
            let price =
                |offer: &Option<Offer>| offer.as_ref().map_or(0, |offer| i128::from(offer.price.minor));
            let (was, is) = (price(&change.before), price(&change.after));
            ((is - was).abs(), was.max(1))
        };
        let ((moved_a, was_a), (moved_b, was_b)) = (parts(a), parts(b));
        // At most 2^64 times 2^63: it fits.
        (moved_a * was_b).cmp(&(moved_b * was_a))
    });
    furthest.and_then(PriceChange::of)
}

/// Requests that it takes to apply the changes, if nothing goes wrong.
pub fn requests_needed(changes: &[Change], shape: &Shape<'_>) -> u64 {
    let mut queue = Queue::new(changes, shape);
    let doubt = Doubt::default();
    let mut requests = 0;
    while let Some(load) = queue.next(&doubt) {
        requests += requests_of(&load, changes, shape);
    }
    requests
}

/// Listings and new listings that the changes touch.
pub fn items_changed(changes: &[Change]) -> u64 {
    let listings: BTreeSet<ListingId> = changes.iter().filter_map(|change| change.listing_id).collect();
    let new = changes.iter().filter(|change| change.listing_id.is_none()).count();
    (listings.len() + new) as u64
}

/// How many hundredths of `whole` are in `part`, rounded up; a whole of nothing counts as one.
pub(super) fn percent_up(part: i128, whole: i128) -> i64 {
    let (hundredfold, whole) = (part.saturating_mul(100), whole.max(1));
    let up = i128::from(hundredfold % whole > 0);
    i64::try_from(hundredfold / whole + up).unwrap_or(i64::MAX)
}

/// A listing that is edited whole is fetched before, so that nothing of it gets lost; one that goes is not.
fn requests_of(load: &Load, changes: &[Change], shape: &Shape<'_>) -> u64 {
    let fetched = |index: &usize| {
        changes.get(*index).is_some_and(|change| {
            change.before.is_some() && change.after.as_ref().is_some_and(|after| after.listed() > 0)
        })
    };
    let fetches =
        load.parcels.iter().filter(|parcel| shape.whole_listing && parcel.changes.iter().any(fetched));
    1 + fetches.count() as u64
}

fn worth(price: Money, quantity: i64, currency: Currency) -> i128 {
    if price.currency != currency {
        return 0;
    }
    i128::from(price.minor) * i128::from(quantity)
}
