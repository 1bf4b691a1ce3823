//! What the seller wants to have for sale, as a source says it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Money, Sku};

/// How far in the future the time of a list may be, for clocks that disagree.
pub const LIST_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// One item of a source, after it was read and before anything is netted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The seller's key.
    pub sku: Sku,
    /// Copies on the seller's shelf when the source was written. Never negative.
    pub quantity: i64,
    /// The price of one copy; `None` where the source has no price, and then prices are left alone.
    pub price: Option<Money>,
    /// What the source says beyond that; `None` for most, so that a large source stays small in memory.
    pub more: Option<Box<DesiredMore>>,
    /// The line of the source on which it begins, for people.
    pub line: u64,
}

/// What a source may say of an item beyond count and price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesiredMore {
    /// The comment that the listing is to have; `None` leaves it alone.
    pub comment: Option<String>,
    /// The item's own floor.
    pub floor: Bound,
    /// The item's own ceiling.
    pub ceiling: Bound,
    /// When this row was true, where rows say so themselves.
    pub as_of: Option<DateTime<Utc>>,
    /// What a new listing is made from, by our names for the columns, for example `product_id` and `condition`.
    pub details: BTreeMap<String, String>,
}

/// A bound for a price that a column of the source may give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bound {
    /// No column is mapped to it.
    #[default]
    Absent,
    /// The column is mapped and this item's cell is blank: that holds the item, since a floor was meant and is missing.
    Blank,
    /// The bound.
    At(Money),
}
