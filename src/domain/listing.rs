//! What is offered on a marketplace.

use super::{ListingId, Money, Sku};

/// One offer as the marketplace shows it (Cardmarket: an article).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The marketplace's number. It may change when the listing is edited.
    pub id: ListingId,
    /// The seller's key, found by the marketplace's rules.
    pub sku: Sku,
    /// What a person calls it.
    pub title: String,
    /// Copies, of the part of the stock that the page shows.
    pub quantity: i64,
    /// Price of one copy.
    pub price: Money,
    /// Everything else that the marketplace says of it and a plan may need, as a JSON object with sorted
    /// keys, so that equal listings have equal text.
    pub attributes: String,
}

/// Which copies of a listing a page of stock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockPart {
    /// Copies that can be bought now.
    Offered,
    /// Copies that lie in buyers' carts. They are not for sale and not sold yet.
    InCarts,
}
