//! What a plan changes: one operation on one listing, with what stood before and what is to stand after.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Bound, Currency, Desired, IntentId, ListingId, Money, Sku};

/// One operation of a plan. Complete: whoever applies it makes no choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub op: Operation,
    /// The seller's key.
    pub sku: Sku,
    /// The listing it is done to; `None` for [`Operation::Add`], which makes one.
    pub listing_id: Option<ListingId>,
    /// What a person calls it.
    pub title: String,
    /// What stood there when the plan was made; `None` for [`Operation::Add`]. An undo goes back to it.
    pub before: Option<Offer>,
    /// What is to stand there; `None` for [`Operation::Remove`]. It differs from `before` only in what the operation
    /// is about, so that the changes of one listing can be done one by one and in any order.
    pub after: Option<Offer>,
    /// Why, for people, for example `the source says 3`.
    pub reason: String,
    /// Between which prices the item may be sold. They go with the change, so that they still hold when it is sent,
    /// however much later that is and whatever the source says by then.
    pub bounds: Bounds,
}

impl Change {
    /// Whether it leaves no copy of a listing for sale.
    pub fn withdraws(&self) -> bool {
        matches!(self.op, Operation::Zero | Operation::Remove)
    }
}

/// An item's own bounds for its price, as its source gave them. Nobody can accept them away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The lowest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Money>,
    /// The highest price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Money>,
}

impl Bounds {
    /// What the source says of an item.
    pub fn of(desired: &Desired) -> Self {
        let at = |bound: Bound| match bound {
            Bound::At(money) => Some(money),
            Bound::Absent | Bound::Blank => None,
        };
        let more = desired.more.as_deref();
        more.map_or_else(Self::default, |more| Self { floor: at(more.floor), ceiling: at(more.ceiling) })
    }

    /// Whether there is neither.
    pub fn are_open(&self) -> bool {
        *self == Self::default()
    }
}

super::run::words! {
    /// What is done to a listing.
    Operation {
        /// A new listing.
        Add = "add",
        /// Another number of copies, and at least one.
        Quantity = "quantity",
        /// Another price.
        Price = "price",
        /// Another comment or another detail.
        Details = "details",
        /// No copy is for sale any more.
        Zero = "zero",
        /// The listing is taken out, since the source does not name it.
        Remove = "remove",
    }
}

/// What is offered under a listing, as far as a plan can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Copies: those that can be bought and those that lie in buyers' carts.
    pub quantity: i64,
    /// Of these, the copies in buyers' carts. They can be neither bought nor taken back.
    pub in_carts: i64,
    /// Price of one copy.
    pub price: Money,
    /// What else the marketplace says of it: a JSON object with sorted keys, as in [`super::Listing`].
    pub attributes: String,
}

impl Offer {
    /// Copies that can be bought: what the marketplace shows and what a write sets.
    pub fn listed(&self) -> i64 {
        self.quantity - self.in_carts
    }
}

/// An item of the source or of the stock that the plan leaves as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The seller's key.
    pub sku: Sku,
    /// The listing, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// The reason, a word that programs may rely on, for example `order-read-pending`.
    pub reason: String,
    /// The same for people, with what would let it go on.
    pub detail: String,
}

/// A change that was recorded before it is sent. What becomes of it is told by [`IntentState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its row.
    pub id: IntentId,
    /// Its place in the plan, from 0.
    pub seq: i64,
    /// What is to be done.
    pub change: Change,
    /// Where it stands.
    pub state: IntentState,
    /// What the movements of this SKU at this account added up to when `before` was read: what has been sold since
    /// then is the difference.
    pub base_net: i64,
    /// When its plan was made.
    pub planned_at: DateTime<Utc>,
    /// When it left last.
    pub sent_at: Option<DateTime<Utc>>,
    /// What the marketplace said or what was found, where it did not simply succeed.
    pub message: Option<String>,
    /// The number of the listing afterwards, where it is another one or a new one.
    pub new_listing_id: Option<ListingId>,
}

super::run::words! {
    /// Where a change of a plan stands.
    IntentState {
        /// Part of a plan that nobody applies yet.
        Planned = "planned",
        /// Being applied and not sent yet. A crash drops it: the next plan sees what is really there.
        Pending = "pending",
        /// It left, and what became of it is not known. Nothing more is sent for its item until a read has shown it.
        Sent = "sent",
        /// It is done.
        Done = "done",
        /// The marketplace declined it.
        Refused = "refused",
        /// What stands at the marketplace changed since the plan was made, so it was not sent.
        Skipped = "skipped",
        /// It left, and what was read back is neither what stood before nor what should stand now. A person has to
        /// look.
        Parked = "parked",
        /// It was never sent: the run ended before.
        Dropped = "dropped",
    }
}

super::run::words! {
    /// Where a plan stands.
    PlanState {
        /// Made, and nobody has applied it.
        Planned = "planned",
        /// A guard holds it: a person has to accept that, or a newer plan takes its place.
        Pending = "pending",
        /// A run is at it.
        Applying = "applying",
        /// It was applied, all of it or what could be.
        Applied = "applied",
        /// The run that applied it was cut off. What was done stays done; the next plan sees the rest.
        Interrupted = "interrupted",
        /// A newer plan of the same job has taken its place.
        Superseded = "superseded",
        /// Its time is over, and nobody has applied it.
        Expired = "expired",
    }
}

/// The shape of an offer in JSON and in the database.
#[derive(Serialize, Deserialize)]
struct OfferShape {
    quantity: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    in_carts: i64,
    price_minor: i64,
    currency: Currency,
    attributes: Box<RawValue>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Serialize for Offer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = OfferShape {
            quantity: self.quantity,
            in_carts: self.in_carts,
            price_minor: self.price.minor,
            currency: self.price.currency,
            attributes: RawValue::from_string(self.attributes.clone()).map_err(serde::ser::Error::custom)?,
        };
        shape.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Offer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let shape = OfferShape::deserialize(deserializer)?;
        Ok(Self {
            quantity: shape.quantity,
            in_carts: shape.in_carts,
            price: Money { minor: shape.price_minor, currency: shape.currency },
            attributes: shape.attributes.get().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_survives_its_own_json() {
        let offer = Offer {
            quantity: 3,
            in_carts: 1,
            price: Money { minor: 650, currency: Currency::EUR },
            attributes: r#"{"comment":"shelf \"A\"","product_id":7}"#.to_owned(),
        };
        let text = serde_json::to_string(&offer).unwrap();
        assert_eq!(
            text,
            r#"{"quantity":3,"in_carts":1,"price_minor":650,"currency":"EUR","attributes":{"comment":"shelf \"A\"","product_id":7}}"#
        );
        assert_eq!(serde_json::from_str::<Offer>(&text).unwrap(), offer);
        assert_eq!(offer.listed(), 2);
    }
}
