//! Desired against observed: what would have to change, and what is left alone for which reason.
//!
//! Both sides come sorted by SKU and are joined as they stream by, so that the observed stock is never in memory and a
//! row that needs no change costs no allocation. The rows are pushed in, since a database lends each row only for a
//! moment. What happens to one SKU is decided in `item`.

mod item;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use self::item::Judge;
use super::trust::Trust;
use crate::domain::{Change, Currency, Desired, Drafting, Held, ListingId, Money, Offer, Sku};

/// A plan, in the order of SKUs: the changes of one listing stand together. Complete: whoever applies it makes no
/// choices, and planning again afterwards finds nothing but what is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is to be done.
    pub changes: Vec<Change>,
    /// What is left alone although the source says otherwise.
    pub held: Vec<Held>,
}

/// What was counted on the way, for guards and people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items of the source.
    pub source_rows: u64,
    /// Listings observed.
    pub listings: u64,
    /// What the observed stock is worth, in minor units of the account's currency.
    pub value_before: i128,
}

/// One listing as it was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed<'a> {
    /// The marketplace's number.
    pub listing_id: ListingId,
    /// The seller's key.
    pub sku: &'a str,
    /// What a person calls it.
    pub title: &'a str,
    /// Copies that can be bought.
    pub listed: i64,
    /// Copies in buyers' carts, which are not among those.
    pub in_carts: i64,
    /// Price of one copy.
    pub price: Money,
    /// Everything else, as in [`Offer::attributes`].
    pub attributes: &'a str,
    /// When it was first seen, as a number that grows: the newest listing gives its copies first.
    pub first_seen: i64,
}

/// What is known beside the two lists.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The account's currency.
    pub currency: Currency,
    /// Copies of each SKU that were ordered after the source was true, on all accounts that sell from that shelf.
    pub sold_since: &'a HashMap<Sku, i64>,
    /// Copies of each SKU that are held back, so that what is not known yet cannot sell the last one twice.
    pub buffer: i64,
    /// Why more may not be offered although this account's orders are known, in words: another account that sells from
    /// that shelf has orders that were not read since the source was true.
    pub unread_elsewhere: Option<&'a str>,
    /// SKUs whose orders moved while the stock was read, so that the reading may be of before or of after.
    pub moved: &'a HashSet<Sku>,
    /// SKUs with a write in doubt or parked.
    pub in_doubt: &'a HashSet<Sku>,
    /// Whether every sale that may have lowered the observed numbers is known.
    pub orders: OrderKnowledge,
    /// How far the observed stock is believed.
    pub trust: &'a Trust,
    /// What happens to listings that the source does not name.
    pub absent: Absent,
    /// Marks at the start of a comment that say: hands off.
    pub never_touch: &'a [String],
    /// How the SKU of a listing without a mark begins.
    pub natural_sku: &'a str,
    /// Whether a listing at zero is gone for good.
    pub zero_is_final: bool,
    /// How offers are worded, and what can never be made of a listing.
    pub drafting: &'a dyn Drafting,
}

/// Whether the orders are known that may have lowered the observed numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKnowledge {
    /// They were read to the end after the reading of the stock began, with the marketplace's lag behind it.
    Complete,
    /// They were not: a number that is lower than desired may be lower because of a sale nobody has told of yet.
    Pending,
}

/// What happens to listings that the source does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Absent {
    /// They are none of the source's business.
    #[default]
    LeaveAlone,
    /// Those that bear a mark of the seller's are taken out.
    Remove,
}

/// So many changes and held items are handed over at once.
const PART: usize = 512;

/// The words under which something is held. Programs may rely on them.
pub mod held {
    /// More would be offered, and the orders are not read up to that point.
    pub const ORDER_READ_PENDING: &str = "order-read-pending";
    /// Copies lie in buyers' carts and cannot be taken back.
    pub const IN_CARTS: &str = "in-carts";
    /// A write of this item is in doubt or parked.
    pub const IN_DOUBT: &str = "in-doubt";
    /// Orders of this item moved while the stock was read.
    pub const ORDERS_MOVED: &str = "orders-moved";
    /// Several listings have this SKU, at different prices.
    pub const PRICES_DIFFER: &str = "prices-differ";
    /// A listing would have to be made, and cannot be.
    pub const CANNOT_CREATE: &str = "cannot-create";
    /// The details cannot be worded as the source wants them.
    pub const CANNOT_EDIT: &str = "cannot-edit";
    /// The marketplace never lets a listing of this kind be changed so: its price, its copies, or that it is there.
    pub const CANNOT_CHANGE: &str = "cannot-change";
    /// The source has a column of floors and this item's cell is blank.
    pub const FLOOR_MISSING: &str = "floor-missing";
    /// The price is below the item's own floor, or is none.
    pub const BELOW_FLOOR: &str = "below-floor";
    /// The price is above the item's own ceiling.
    pub const ABOVE_CEILING: &str = "above-ceiling";
    /// Its comment begins with a mark that says: hands off.
    pub const NEVER_TOUCH: &str = "never-touch";
    /// Source, listing and account do not agree in currency.
    pub const CURRENCY: &str = "currency";
    /// The reading of the stock may lack something.
    pub const SNAPSHOT_INCOMPLETE: &str = "snapshot-incomplete";
    /// The reading of the stock is not believed.
    pub const SNAPSHOT_DOUBTED: &str = "snapshot-doubted";
    /// The source names the SKU more than once.
    pub const NAMED_TWICE: &str = "named-twice";
    /// The source does not name it, and it bears no mark of the seller's.
    pub const NO_MARK: &str = "no-mark";
    /// What stands there is not what a run left there.
    pub const CHANGED_SINCE: &str = "changed-since";
    /// The marketplace was asked beforehand, and would refuse it.
    pub const MARKETPLACE_REFUSES: &str = "marketplace-refuses";
    /// The balance of the account does not reach for the fee of a new listing.
    pub const BALANCE_TOO_LOW: &str = "balance-too-low";
    /// One run asks what so many new listings cost, and no more.
    pub const LATER_RUN: &str = "later-run";
}

/// The observed rows did not come in the order of their SKUs. Nothing may be concluded from such a join: what was
/// passed by would look as if it were not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the observed stock is not sorted: `{after}` came after `{before}`; this is a mistake of the program, please report it"
)]
pub struct OutOfOrder {
    before: Sku,
    after: Sku,
}

/// A plan in the making: [`Reconciliation::observe`] takes the observed listings in the order of their SKUs, and
/// [`Reconciliation::finish`] says what is to be done.
pub struct Reconciliation<'a> {
    /// What no listing has been found for so far, by SKU.
    desired: &'a [Desired],
    facts: Circumstances<'a>,
    group: Group,
    plan: Plan,
    tally: Tally,
    disorder: Option<OutOfOrder>,
}

impl<'a> Reconciliation<'a> {
    /// Begins. The desired items may come in any order; they are left in that of their SKUs, for whoever has to begin once
    /// more.
    pub fn new(desired: &'a mut [Desired], facts: Circumstances<'a>) -> Self {
        // A source in the order of its SKUs costs one look; sorting is stable, so that equal SKUs keep their lines.
        desired.sort_by(|a, b| a.sku.cmp(&b.sku));
        Self {
            tally: Tally { source_rows: desired.len() as u64, ..Tally::default() },
            desired,
            facts,
            group: Group::default(),
            plan: Plan::default(),
            disorder: None,
        }
    }

    /// Takes in the next listing: by SKU ascending, as bytes compare.
    pub fn observe(&mut self, row: Observed<'_>) {
        self.tally.listings += 1;
        if row.price.currency == self.facts.currency {
            let copies = i128::from(row.listed.max(0)) + i128::from(row.in_carts.max(0));
            let worth = copies.saturating_mul(i128::from(row.price.minor));
            self.tally.value_before = self.tally.value_before.saturating_add(worth);
        }
        if self.group.used > 0 && self.group.sku.as_str() != row.sku {
            if row.sku < self.group.sku.as_str() && self.disorder.is_none() {
                self.disorder = Some(OutOfOrder { before: self.group.sku.clone(), after: row.sku.into() });
            }
            self.judge_group();
        }
        self.group.push(&row);
    }

    /// The plan, once the last listing is in.
    pub fn finish(self) -> Result<(Plan, Tally), OutOfOrder> {
        let mut plan = Plan::default();
        let tally = self.finish_in_parts(|part| {
            plan.changes.extend(part.changes);
            plan.held.extend(part.held);
        })?;
        Ok((plan, tally))
    }

    /// What has been decided so far, where that is worth handing over, so that a large plan need not be held as a whole.
    pub fn take_part(&mut self) -> Option<Plan> {
        let large = self.plan.changes.len() + self.plan.held.len() >= PART;
        large.then(|| std::mem::take(&mut self.plan))
    }

    /// The rest of the plan in parts, once the last listing is in. None of it is worth anything where this ends with an
    /// error, and neither are the parts that were taken before.
    pub fn finish_in_parts(mut self, mut each: impl FnMut(Plan)) -> Result<Tally, OutOfOrder> {
        self.judge_group();
        while let Some(desired) = self.next_desired(|_| true) {
            self.judge_missing(desired);
            self.take_part().into_iter().for_each(&mut each);
        }
        each(self.plan);
        self.disorder.map_or(Ok(self.tally), Err)
    }

    fn judge_group(&mut self) {
        if self.group.used == 0 {
            return;
        }
        let group = std::mem::take(&mut self.group);
        while let Some(desired) = self.next_desired(|desired| desired.sku < group.sku) {
            self.judge_missing(desired);
        }
        let named = self.next_desired(|desired| desired.sku == group.sku);
        let again = self.skip_same(&group.sku);
        let mut judge = Judge { facts: &self.facts, plan: &mut self.plan };
        match named {
            Some(desired) if again == 0 => judge.named(desired, group.rows()),
            Some(desired) => judge.named_twice(desired, again),
            None => judge.unnamed(&group.sku, group.rows()),
        }
        self.group = group;
        self.group.used = 0;
    }

    fn judge_missing(&mut self, desired: &Desired) {
        let again = self.skip_same(&desired.sku);
        let mut judge = Judge { facts: &self.facts, plan: &mut self.plan };
        match again {
            0 => judge.missing(desired),
            more => judge.named_twice(desired, more),
        }
    }

    fn next_desired(&mut self, when: impl Fn(&Desired) -> bool) -> Option<&'a Desired> {
        let (next, rest) = self.desired.split_first().filter(|(next, _)| when(next))?;
        self.desired = rest;
        Some(next)
    }

    /// Passes by further items of the same SKU and says how many there were.
    fn skip_same(&mut self, sku: &Sku) -> usize {
        let mut skipped = 0;
        while self.next_desired(|desired| desired.sku == *sku).is_some() {
            skipped += 1;
        }
        skipped
    }
}

/// The listings of one SKU. Its room is used again for the next SKU.
#[derive(Debug)]
struct Group {
    sku: Sku,
    rows: Vec<Row>,
    used: usize,
}

/// One listing of the SKU that is being looked at.
#[derive(Debug)]
struct Row {
    listing_id: ListingId,
    title: String,
    offer: Offer,
    first_seen: i64,
}

impl Default for Group {
    fn default() -> Self {
        Self { sku: Sku(String::new()), rows: Vec::new(), used: 0 }
    }
}

impl Group {
    fn rows(&self) -> &[Row] {
        &self.rows[..self.used]
    }

    fn push(&mut self, row: &Observed<'_>) {
        if self.used == 0 {
            refill(&mut self.sku.0, row.sku);
        }
        // A count below none would be a mistake of the marketplace; it is as good as none.
        let (listed, in_carts) = (row.listed.max(0), row.in_carts.max(0));
        let quantity = listed.saturating_add(in_carts);
        match self.rows.get_mut(self.used) {
            Some(old) => {
                refill(&mut old.title, row.title);
                refill(&mut old.offer.attributes, row.attributes);
                old.offer.quantity = quantity;
                old.offer.in_carts = in_carts;
                old.offer.price = row.price;
                old.listing_id = row.listing_id;
                old.first_seen = row.first_seen;
            }
            None => self.rows.push(Row {
                listing_id: row.listing_id,
                title: row.title.to_owned(),
                offer: Offer { quantity, in_carts, price: row.price, attributes: row.attributes.to_owned() },
                first_seen: row.first_seen,
            }),
        }
        self.used += 1;
    }
}

fn refill(text: &mut String, with: &str) {
    text.clear();
    text.push_str(with);
}
