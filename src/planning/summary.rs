//! A plan in a few numbers: for the lines under its table, for the record of it, and for `guards`.

use std::collections::BTreeMap;

use super::dispatch::{Brief, Doubt, Load, Queue, Step};
use super::reconcile::{Plan, Tally};
use super::shape::Shape;
use crate::domain::{Bill, Change, Currency, ListingId, Money, Operation, Sku};

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
    /// The requests of its writes, if nothing goes wrong.
    pub bill: Bill,
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

    /// Whether it moves its price further than another, measured in percent of what they were.
    fn exceeds(&self, other: &Self) -> bool {
        // Both fractions multiplied out: |is - was| / was. At most 2^64 times 2^63: it fits.
        let parts = |change: &Self| {
            let (was, is) = (i128::from(change.before.minor), i128::from(change.after.minor));
            ((is - was).abs(), was.max(1))
        };
        let ((moved, was), (other_moved, other_was)) = (parts(self), parts(other));
        moved * other_was > other_moved * was
    }
}

/// What a plan comes to, while it is made: each change is taken in once, in the order of the plan, in which those of
/// one listing stand together, and need not be kept.
#[derive(Debug, Clone)]
pub struct Sums {
    currency: Currency,
    /// Changes, by what they do.
    pub counts: BTreeMap<Operation, u64>,
    /// What is held, by the word of its reason.
    pub held: BTreeMap<String, u64>,
    /// Listings and new listings that the changes touch.
    pub items: u64,
    /// The change that moves a price furthest.
    pub largest_price_change: Option<PriceChange>,
    /// The lowest price that would leave, and whose it is.
    pub lowest: Option<(Money, Sku)>,
    /// The highest.
    pub highest: Option<(Money, Sku)>,
    /// What decides in which requests the changes leave.
    pub briefs: Vec<Brief>,
    value_change: i128,
    listing: Option<Worth>,
}

/// What the listing of the last change was worth, and what it will be as far as its changes are known.
#[derive(Debug, Clone, Copy)]
struct Worth {
    listing_id: ListingId,
    before: i128,
    price: Money,
    quantity: i64,
}

impl Sums {
    /// Those of a plan without changes, of an account with this currency.
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            counts: BTreeMap::new(),
            held: BTreeMap::new(),
            items: 0,
            largest_price_change: None,
            lowest: None,
            highest: None,
            briefs: Vec::new(),
            value_change: 0,
            listing: None,
        }
    }

    /// Those of a plan that is there as a whole.
    pub fn of(plan: &Plan, currency: Currency) -> Self {
        let mut sums = Self::new(currency);
        sums.add(plan);
        sums
    }

    /// Takes in the next part of a plan.
    pub fn add(&mut self, part: &Plan) {
        part.changes.iter().for_each(|change| self.change(change));
        for held in &part.held {
            match self.held.get_mut(&held.reason) {
                Some(count) => *count += 1,
                None => drop(self.held.insert(held.reason.clone(), 1)),
            }
        }
    }

    /// How many changes do this.
    pub fn count(&self, op: Operation) -> u64 {
        self.counts.get(&op).copied().unwrap_or(0)
    }

    /// By how much the changes raise the worth of the stock, in minor units of the account's currency. Those of one
    /// listing are taken together: two more at another price are two more at the new one.
    pub fn value_change(&self) -> i128 {
        let open = self.listing.map_or(0, |listing| listing.change(self.currency));
        self.value_change.saturating_add(open)
    }

    fn change(&mut self, change: &Change) {
        *self.counts.entry(change.op).or_default() += 1;
        self.briefs.push(Brief::of(change));
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        if let (Operation::Add | Operation::Price, Some(after)) = (change.op, after) {
            let price = after.price;
            if self.lowest.as_ref().is_none_or(|(lowest, _)| price.minor < lowest.minor) {
                self.lowest = Some((price, change.sku.clone()));
            }
            if self.highest.as_ref().is_none_or(|(highest, _)| price.minor > highest.minor) {
                self.highest = Some((price, change.sku.clone()));
            }
        }
        if change.op == Operation::Price
            && let Some(moved) = PriceChange::of(change)
            && self.largest_price_change.as_ref().is_none_or(|largest| moved.exceeds(largest))
        {
            self.largest_price_change = Some(moved);
        }
        if change.listing_id.is_none() || change.listing_id != self.listing.map(|worth| worth.listing_id) {
            self.items += 1;
            self.value_change = self.value_change();
            self.listing = None;
        }
        let (Some(listing_id), Some(was)) = (change.listing_id, before) else {
            let worth = after.map_or(0, |after| worth(after.price, after.quantity, self.currency));
            self.value_change = self.value_change.saturating_add(worth);
            return;
        };
        let fresh = Worth {
            listing_id,
            before: worth(was.price, was.quantity, self.currency),
            price: was.price,
            quantity: was.quantity,
        };
        let listing = self.listing.get_or_insert(fresh);
        match (change.op, after) {
            (_, None) => listing.quantity = 0,
            (Operation::Price, Some(after)) => listing.price = after.price,
            (Operation::Quantity | Operation::Zero, Some(after)) => listing.quantity = after.quantity,
            (_, Some(_)) => {}
        }
    }

    /// Sums it up. `value_before` is in `tally`.
    pub fn sum_up(self, tally: &Tally, shape: &Shape<'_>) -> Summary {
        let bill = bill(&self.briefs, shape);
        Summary {
            value_before: tally.value_before,
            value_after: tally.value_before.saturating_add(self.value_change()),
            bill,
            requests_needed: bill.requests.unsigned_abs(),
            counts: self.counts,
            held: self.held,
            largest_price_change: self.largest_price_change,
        }
    }
}

impl Worth {
    fn change(&self, currency: Currency) -> i128 {
        worth(self.price, self.quantity, currency).saturating_sub(self.before)
    }
}

/// Requests that it takes to apply the changes, if nothing goes wrong.
pub fn bill(changes: &[Brief], shape: &Shape<'_>) -> Bill {
    let mut queue = Queue::new(changes.iter().copied(), shape);
    let doubt = Doubt::default();
    let mut bill = Bill::default();
    while let Some(load) = queue.next(&doubt) {
        let requests = requests_of(&load, changes, shape);
        let mut steps = load.changes().filter_map(|index| Some(changes.get(index)?.step));
        bill.requests += requests;
        if load.step == Step::Edit && steps.clone().all(|step| step == Step::Edit) {
            bill.until_prices = bill.requests;
        } else if steps.any(Step::lowers) {
            bill.lowering += requests;
        }
    }
    bill
}

/// How many hundredths of `whole` are in `part`, rounded up; a whole of nothing counts as one.
pub(super) fn percent_up(part: i128, whole: i128) -> i64 {
    let (hundredfold, whole) = (part.saturating_mul(100), whole.max(1));
    let up = i128::from(hundredfold % whole > 0);
    i64::try_from(hundredfold / whole + up).unwrap_or(i64::MAX)
}

/// A listing that is edited whole is fetched before, so that nothing of it gets lost; one that goes is not.
fn requests_of(load: &Load, changes: &[Brief], shape: &Shape<'_>) -> i64 {
    let fetched = |index: &usize| changes.get(*index).is_some_and(|change| change.stays);
    let fetches =
        load.parcels.iter().filter(|parcel| shape.whole_listing && parcel.changes.iter().any(fetched));
    1 + fetches.count() as i64
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
    use crate::domain::Held;
    use crate::planning::testing::{change, offer};

    const CARDS: Shape<'static> =
        Shape { batch: 100, relative: true, whole_listing: false, natural_sku: "cm:", zero_is_final: false };
    const WHOLE: Shape<'static> =
        Shape { batch: 1, relative: false, whole_listing: true, natural_sku: "tm:", zero_is_final: true };

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
        let summary = Sums::of(&plan(), Currency::EUR).sum_up(&tally, &CARDS);
        let counts: Vec<(Operation, u64)> = summary.counts.into_iter().collect();
        let each =
            [Operation::Add, Operation::Quantity, Operation::Price, Operation::Zero, Operation::Remove];
        assert_eq!(counts, each.map(|op| (op, 1)));
        assert_eq!(summary.held, [("never-touch".to_owned(), 2)].into());
        assert_eq!(summary.value_before, 10_000);
        assert_eq!(summary.value_after - 10_000, (4 * 590 - 3 * 650) - 100 + 2 * 2_490 - 20);
        let largest = summary.largest_price_change.unwrap();
        assert_eq!((largest.sku.as_str(), largest.percent(), largest.signed_percent()), ("sku-1", 10, -10));
        let sums = Sums::of(&plan(), Currency::EUR);
        assert_eq!((sums.items, sums.briefs.len()), (4, 5));
        let bound = |bound: Option<(Money, Sku)>| bound.map(|(price, sku)| (price.minor, sku.0)).unwrap();
        assert_eq!(bound(sums.lowest), (590, "sku-1".to_owned()));
        assert_eq!(bound(sums.highest), (2_490, "sku-3".to_owned()));
    }

    #[test]
    fn parts_come_to_the_same_as_the_whole() {
        let whole = plan();
        let mut parts = Sums::new(Currency::EUR);
        for change in &whole.changes {
            parts.add(&Plan { changes: vec![change.clone()], held: Vec::new() });
        }
        parts.add(&Plan { changes: Vec::new(), held: whole.held.clone() });
        let tally = Tally { source_rows: 9, listings: 9, value_before: 10_000 };
        let expected = Sums::of(&whole, Currency::EUR).sum_up(&tally, &CARDS);
        assert_eq!(parts.sum_up(&tally, &CARDS), expected);
    }

    #[test]
    fn requests_are_as_few_as_the_marketplace_allows() {
        let prices = |count: i64| -> Vec<Change> {
            (0..count).map(|id| change(Operation::Price, id, Some(offer(1, 1)), Some(offer(1, 2)))).collect()
        };
        let needed = |changes: Vec<Change>, shape: &Shape<'_>| {
            bill(&changes.iter().map(Brief::of).collect::<Vec<_>>(), shape).requests
        };
        assert_eq!(needed(prices(0), &CARDS), 0);
        assert_eq!(needed(prices(100), &CARDS), 1);
        assert_eq!(needed(prices(101), &CARDS), 2);
        assert_eq!(needed(plan().changes, &CARDS), 5);
        // A whole listing is fetched for its edit; what goes and what comes is not.
        assert_eq!(needed(plan().changes, &WHOLE), 2 + 1 + 1 + 1);
    }
}
