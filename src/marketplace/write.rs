//! The writing half of the port: what an account can be asked to change, and what is known of it afterwards.
//!
//! [`Writer`] is a type of its own: a run in `observe` is handed a [`Marketplace`], which has no method that writes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;

use super::{CallError, Marketplace};
use crate::domain::{
    Change, Desired, Drafting, Fee, IntentId, Listing, ListingId, Offer, RequestClass, Sku, StockPart,
};
pub use crate::http::WriteError;

/// An account that may be changed.
#[async_trait]
pub trait Writer: Marketplace {
    /// Sends one batch and says for each of its items what became of it, in their order. An error is about the whole
    /// batch: it had no effect, or it is in doubt.
    async fn write(&self, batch: &Batch) -> Result<Vec<ItemOutcome>, WriteError>;
}

/// What is particular about how a marketplace is changed.
#[derive(Debug, Clone)]
pub struct Writes {
    /// The most items of one batch.
    pub batch: usize,
    /// How a number of copies is changed.
    pub quantities: Quantities,
    /// Whether one request changes everything about a listing: then its changes are one item.
    pub whole_listing: bool,
    /// How much later than it happens a change or a sale shows in lists. A number of copies may rise only when orders
    /// were read that long after the stock, and a new listing is looked for only that long after it was sent.
    pub visibility_lag: Duration,
    /// How the SKU begins that stands for a listing without one. A listing with any other SKU bears a mark of the
    /// seller's.
    pub natural_sku: &'static str,
    /// Whether a listing whose last copy is taken off is gone for good, and cannot be filled again.
    pub zero_is_final: bool,
    /// Whether a change can cost more than its request, so that [`Marketplace::fees`] has something to say.
    pub charged: bool,
}

/// How a number of copies is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantities {
    /// By so many more or fewer: sent twice, it counts twice.
    Relative,
    /// To so many: sent twice, it is the same, but what was sold in between is for sale again.
    Absolute,
}

/// Changes that go in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What the request does.
    pub step: Step,
    /// To what. Never empty, and at most [`Writes::batch`] of them.
    pub items: Vec<Item>,
}

impl Batch {
    /// What it is for: an edit that leaves every number of copies as it is can wait longer than one that does not.
    pub fn class(&self) -> RequestClass {
        let keeps_copies = |item: &Item| match (&item.before, &item.after) {
            (Some(before), Some(after)) => before.listed() == after.listed(),
            _ => false,
        };
        match self.step {
            Step::Edit if self.items.iter().all(keeps_copies) => RequestClass::Prices,
            _ => RequestClass::Stock,
        }
    }
}

/// What one request does to all its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Takes copies off sale, down to none. First of all: what is sold elsewhere must not be sold here.
    Lower,
    /// Takes listings out.
    Remove,
    /// Changes price and details; where a marketplace takes whole listings, the number of copies with them.
    Edit,
    /// Puts more copies on sale.
    Raise,
    /// Makes new listings. Last: nothing waits for it.
    Add,
}

impl Step {
    /// Whether sending it twice is another thing than sending it once.
    pub fn repeats(self, quantities: Quantities) -> bool {
        match self {
            Self::Lower | Self::Raise => quantities == Quantities::Relative,
            Self::Add => true,
            Self::Remove | Self::Edit => false,
        }
    }
}

/// One listing of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The intents that it carries out: several where one request changes a whole listing.
    pub intents: Vec<IntentId>,
    /// The seller's key.
    pub sku: Sku,
    /// The listing; `None` where it is to be made.
    pub listing_id: Option<ListingId>,
    /// What stands there now, as far as it is known; `None` where it is to be made.
    pub before: Option<Offer>,
    /// What is to stand there when all of the item's intents are done; `None` where it is to be taken out.
    pub after: Option<Offer>,
    /// A text of at most 40 characters that no other item ever has. A marketplace with a field for it puts it there,
    /// so that a new listing can be recognised.
    pub reference: String,
}

/// What became of one item of a batch that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It is done.
    Done {
        /// The listing's number now; `None` when it is gone.
        listing_id: Option<ListingId>,
        /// Copies that can be bought now, where the answer says so.
        listed: Option<i64>,
    },
    /// The marketplace declined it and did nothing, for this reason.
    Refused(String),
    /// The same, since the balance of the account does not cover what it costs: the next that costs something would be
    /// declined, too.
    TooDear(String),
    /// What stands there is not what the plan saw, so nothing was sent for it; this is the difference.
    Changed(String),
    /// The answer does not tell. The item is in doubt until it is read.
    Unclear,
}

/// Something to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The seller's key.
    pub sku: Sku,
    /// The number it had, if it had one. An edit may have given it another.
    pub listing_id: Option<ListingId>,
    /// What was known of it, or what it was to be made from: the attributes of an [`Offer`].
    pub attributes: String,
    /// The reference of the item that may have made it.
    pub reference: Option<String>,
}

/// What stands now for what was wanted. Listings of other SKUs may be among them. What is not among them is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// What can be bought.
    pub offered: Vec<Listing>,
    /// What lies in carts: listings whose quantity is that of the carts.
    pub in_carts: Vec<Listing>,
}

/// What would be looked for before some changes are made, as far as it decides what that costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looking {
    /// What the items are looked for by, each once.
    pub keys: HashSet<i64>,
    /// Whether there are items that only the whole list shows.
    pub anywhere: bool,
}

impl Looking {
    /// Takes in the item of a change.
    pub fn add(&mut self, market: &(impl Marketplace + ?Sized), change: &Change) {
        match market.look_key(change) {
            Some(key) => drop(self.keys.insert(key)),
            None => self.anywhere = true,
        }
    }
}

/// Answers [`Marketplace::look`] by reading the whole stock: right everywhere, and dear in large shops.
pub async fn look_through(
    market: &(impl Marketplace + ?Sized),
    wanted: &[Wanted],
) -> Result<Looked, CallError> {
    let skus: HashSet<&Sku> = wanted.iter().map(|wanted| &wanted.sku).collect();
    let ids: HashSet<ListingId> = wanted.iter().filter_map(|wanted| wanted.listing_id).collect();
    let mut looked = Looked::default();
    let mut before = market.in_carts().await?;
    before.retain(|listing| skus.contains(&listing.sku) || ids.contains(&listing.id));
    let mut at = None;
    loop {
        let page = market.stock_page(at.as_ref()).await?;
        if let Some(complaint) = page.complaints.first() {
            let what = format!("{}: {}", complaint.place, complaint.problem);
            return Err(CallError::BadAnswer { at: "reading the stock again".to_owned(), what });
        }
        let of_interest = page.listings.into_iter().filter(|l| skus.contains(&l.sku) || ids.contains(&l.id));
        match page.part {
            StockPart::Offered => looked.offered.extend(of_interest),
            StockPart::InCarts => looked.in_carts.extend(of_interest),
        }
        at = page.next;
        if at.is_none() {
            looked.in_carts = most_in_carts(before, looked.in_carts);
            return Ok(looked);
        }
    }
}

/// One row a listing, with the copies of all carts.
pub fn summed(carts: Vec<Listing>) -> Vec<Listing> {
    let mut sums: Vec<Listing> = Vec::with_capacity(carts.len());
    let mut at: HashMap<ListingId, usize> = HashMap::new();
    for listing in carts {
        match at.get(&listing.id) {
            Some(at) => sums[*at].quantity = sums[*at].quantity.saturating_add(listing.quantity),
            None => {
                at.insert(listing.id, sums.len());
                sums.push(listing);
            }
        }
    }
    sums
}

/// What lies in carts, where it was read before and after the stock: as much as either says. A copy that was put back
/// in between is in neither of the readings of stock and carts, and would be taken for one that is missing; one that is
/// counted twice is only left alone for now.
pub fn most_in_carts(before: Vec<Listing>, after: Vec<Listing>) -> Vec<Listing> {
    let mut after = summed(after);
    for was in summed(before) {
        match after.iter_mut().find(|listing| listing.id == was.id) {
            Some(listing) => listing.quantity = listing.quantity.max(was.quantity),
            None => after.push(was),
        }
    }
    after
}

/// How offers are drafted where listings can be neither made nor worded through the API.
pub struct AsItIs;

impl Drafting for AsItIs {
    fn draft(&self, _: &Desired) -> Result<Offer, String> {
        Err("new listings cannot be made here".to_owned())
    }

    fn redraft(&self, _: &Offer, _: &Desired) -> Result<Option<String>, String> {
        Ok(None)
    }

    fn comment(&self, _: &str) -> String {
        String::new()
    }
}

/// Answers [`Marketplace::fees`] where nothing has a price.
pub fn free(_: &[Change]) -> Vec<Fee> {
    Vec::new()
}
