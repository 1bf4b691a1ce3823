//! What writes did, one by one, from the shop's own side: a test counts here what was lost, doubled or sold twice.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Listing, Selling};

/// One write that changed something, or was accepted although nothing was left to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The shop's time. A late effect has the time at which it happened.
    pub at: DateTime<Utc>,
    /// What it happened to.
    pub listing_id: i64,
    /// What happened.
    pub what: What,
    /// Through which door.
    pub by: By,
    /// The listing before; `None` if there was none.
    pub before: Option<Stand>,
    /// The listing afterwards; `None` if it is not for sale any more.
    pub after: Option<Stand>,
    /// The members of the listing that are not the same afterwards.
    pub changed: Vec<&'static str>,
    /// What was taken for it, in cents.
    pub fee_cents: u64,
    /// Copies bought after `Selling/Listings/{id}` was last shown whole, or the listing last written through the API,
    /// so that the writer may not have known of them. Only for edits through the API.
    pub sold_since_read: u32,
    /// Of those, the copies that the edit put back on the shelf.
    pub readded: u32,
    /// The seller's key.
    pub sku: Option<String>,
    /// `ExternalReferenceId`.
    pub reference: Option<String>,
}

/// What happened to a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It came.
    Created,
    /// It was written anew, with the same number.
    Edited,
    /// Its seller ended it.
    Withdrawn,
}

/// Through which door a write came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A signed request.
    Api,
    /// The seller, on the website.
    Hand,
}

/// What a listing offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// The fixed price in cents, or what an auction begins with.
    pub cents: u32,
    /// Copies that are left; `None` for an auction.
    pub quantity: Option<u32>,
    /// Copies sold so far.
    pub sold: u32,
}

impl Stand {
    /// What it offers now.
    pub fn of(listing: &Listing) -> Self {
        let cents = match &listing.selling {
            Selling::BuyNow { cents, .. } => *cents,
            Selling::Auction { start_cents, .. } => *start_cents,
        };
        Self { cents, quantity: listing.quantity(), sold: listing.sold }
    }
}
