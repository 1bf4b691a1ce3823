//! How what a seller desires becomes the offer that a marketplace understands. Each marketplace has its own way, and
//! planning uses it without knowing whose it is.

use super::{Change, Desired, Money, Offer, Operation};

/// What of a listing that stands is to be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facet {
    /// The copies that can be bought; 0 takes it off sale.
    Copies(i64),
    /// The price of one copy.
    Price(Money),
    /// That it is there at all.
    Gone,
}

/// Makes offers of what a source says. Pure: it asks nobody.
pub trait Drafting: Send + Sync {
    /// The offer that a new listing for this item would be, with the mark of its SKU. The error is for people and says
    /// what is missing, for example `the source has no column for product_id`.
    fn draft(&self, desired: &Desired) -> Result<Offer, String>;

    /// The attributes that a listing should have after the source has had its say, where they are others than now;
    /// `None` where they are as desired. A mark in the comment is no part of the comment and stays.
    fn redraft(&self, now: &Offer, desired: &Desired) -> Result<Option<String>, String>;

    /// The comment of a listing with these attributes, without a mark of its SKU; empty where there is none.
    fn comment(&self, attributes: &str) -> String;

    /// Why a listing can never be made so as it stands, however often it is asked for; `None` where it can. The words are
    /// for people and say what to do instead, since nothing is sent. Where nobody says otherwise, all can be changed.
    fn obstacle(&self, _now: &Offer, _to: Facet) -> Option<String> {
        None
    }
}

impl Facet {
    /// What a change makes another of a listing that stands; `None` for a new listing, and for its details, of which
    /// [`Drafting::redraft`] says whether they can be worded so.
    pub fn of(change: &Change) -> Option<Self> {
        match (change.op, &change.after) {
            (Operation::Add | Operation::Details, _) => None,
            (Operation::Price, Some(after)) => Some(Self::Price(after.price)),
            (Operation::Quantity | Operation::Zero, Some(after)) => Some(Self::Copies(after.listed())),
            (Operation::Remove, _) | (_, None) => Some(Self::Gone),
        }
    }
}
