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
    /// Requests that it takes to apply it, if nothing goes wrong; of a plan that is applied later, with those that read
    /// its items again.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bounds, Held};

    const CARDS: Shape<'static> =
        Shape { batch: 100, relative: true, whole_listing: false, natural_sku: "cm:", zero_is_final: false };
    const WHOLE: Shape<'static> =
        Shape { batch: 1, relative: false, whole_listing: true, natural_sku: "tm:", zero_is_final: true };

    fn offer(quantity: i64, minor: i64) -> Offer {
        let price = Money { minor, currency: Currency::EUR };
        Offer { quantity, in_carts: 0, price, attributes: String::new() }
    }

    fn change(op: Operation, id: i64, before: Option<Offer>, after: Option<Offer>) -> Change {
        let listing_id = before.is_some().then_some(ListingId(id));
        let sku = format!("sku-{id}").as_str().into();
        Change {
            op,
            sku,
            listing_id,
            title: String::new(),
            before,
            after,
            reason: String::new(),
            bounds: Bounds::default(),
        }
    }

    fn plan() -> Plan {
        let held = |sku: &str| Held {
            sku: sku.into(),
            listing_id: None,
            reason: "never-touch".to_owned(),
            detail: String::new(),
        };
        Plan {
            changes: vec![
                change(Operation::Quantity, 1, Some(offer(3, 650)), Some(offer(4, 650))),
                change(Operation::Price, 1, Some(offer(3, 650)), Some(offer(3, 590))),
                change(Operation::Zero, 2, Some(offer(1, 100)), Some(offer(0, 100))),
                change(Operation::Add, 3, None, Some(offer(2, 2_490))),
                change(Operation::Remove, 4, Some(offer(2, 10)), None),
            ],
            held: vec![held("x"), held("y")],
        }
    }

    #[test]
    fn a_plan_is_summed_up() {
        let tally = Tally { source_rows: 9, listings: 9, value_before: 10_000 };
        let summary = sum_up(&plan(), &tally, Currency::EUR, &CARDS);
        let counts: Vec<(Operation, u64)> = summary.counts.into_iter().collect();
        let each =
            [Operation::Add, Operation::Quantity, Operation::Price, Operation::Zero, Operation::Remove];
        assert_eq!(counts, each.map(|op| (op, 1)));
        assert_eq!(summary.held, [("never-touch".to_owned(), 2)].into());
        assert_eq!(summary.value_before, 10_000);
        assert_eq!(summary.value_after - 10_000, (4 * 590 - 3 * 650) - 100 + 2 * 2_490 - 20);
        let largest = summary.largest_price_change.unwrap();
        assert_eq!((largest.sku.as_str(), largest.percent(), largest.signed_percent()), ("sku-1", 10, -10));
        assert_eq!(items_changed(&plan().changes), 4);
    }

    #[test]
    fn requests_are_as_few_as_the_marketplace_allows() {
        let prices = |count: i64| -> Vec<Change> {
            (0..count).map(|id| change(Operation::Price, id, Some(offer(1, 1)), Some(offer(1, 2)))).collect()
        };
        assert_eq!(requests_needed(&prices(0), &CARDS), 0);
        assert_eq!(requests_needed(&prices(100), &CARDS), 1);
        assert_eq!(requests_needed(&prices(101), &CARDS), 2);
        assert_eq!(requests_needed(&plan().changes, &CARDS), 5);
        // A whole listing is fetched for its edit; what goes and what comes is not.
        assert_eq!(requests_needed(&plan().changes, &WHOLE), 2 + 1 + 1 + 1);
    }
}
