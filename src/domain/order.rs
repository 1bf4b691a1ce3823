//! Orders, their lines, and the stock movements that follow from them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{LineId, ListingId, Money, OrderId, Sku};

/// An order as it was last read. The buyer's name and address are not part of it: nothing here needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The marketplace's number.
    pub id: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// When the buyer bought.
    pub placed_at: Option<DateTime<Utc>>,
    /// When the payment arrived, as far as the marketplace knows.
    pub paid_at: Option<DateTime<Utc>>,
    /// What the buyer pays, shipping included. Its currency is the order's.
    pub total: Money,
    /// The tracking number, where there is one.
    pub tracking_number: Option<String>,
    /// What was bought. Never empty in an order that was read without complaint.
    pub lines: Vec<OrderLine>,
}

/// One thing that was bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// The marketplace's number of the line, unique within the order.
    pub id: LineId,
    /// The seller's key of the thing.
    pub sku: Sku,
    /// The listing it was sold from. It need not exist any more.
    pub listing_id: ListingId,
    /// What a person calls it.
    pub title: String,
    /// Copies bought.
    pub quantity: i64,
    /// Price of one copy.
    pub unit_price: Money,
}

/// Where an order stands, in words that fit every marketplace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Bought, not paid.
    Bought,
    /// Paid, to be shipped.
    Paid,
    /// Shipped.
    Sent,
    /// With the buyer.
    Received,
    /// Reported as not arrived.
    Lost,
    /// Called off: the copies stay with the seller.
    Cancelled,
    /// A state this version does not know, as the marketplace writes it. It counts as a sale.
    Other(String),
}

impl OrderState {
    /// The name used in the database, in JSON and for people.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bought => "bought",
            Self::Paid => "paid",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::Other(name) => name,
        }
    }

    /// The state of that name; an unknown name is kept.
    pub fn from_name(name: &str) -> Self {
        match name {
            "bought" => Self::Bought,
            "paid" => Self::Paid,
            "sent" => Self::Sent,
            "received" => Self::Received,
            "lost" => Self::Lost,
            "cancelled" => Self::Cancelled,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the copies have left the seller's stock.
    pub fn takes_copies(&self) -> bool {
        *self != Self::Cancelled
    }
}

/// A change of what is on the shelf, recorded once and never edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The line it follows from.
    pub line_id: LineId,
    /// The seller's key.
    pub sku: Sku,
    /// Copies: negative when they leave.
    pub delta: i64,
    /// Why.
    pub reason: MovementReason,
}

/// Why copies moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MovementReason {
    /// A line was sold, or sold again after a cancellation was taken back.
    Sale,
    /// The order was called off.
    Cancellation,
    /// The marketplace changed the quantity of a line that was already recorded.
    Correction,
}

impl MovementReason {
    /// The name used in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Cancellation => "cancellation",
            Self::Correction => "correction",
        }
    }
}

/// What the movements recorded so far add up to for one line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineNet {
    /// The line.
    pub line_id: LineId,
    /// The key under which it was recorded.
    pub sku: Sku,
    /// The sum of its movements: minus two when two copies are out.
    pub net: i64,
}
