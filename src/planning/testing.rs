//! What the tests of this room share: things to plan with.

use crate::domain::{Bounds, Change, Currency, ListingId, Money, Offer, Operation};

/// So many copies, at so many cents each.
pub fn offer(quantity: i64, minor: i64) -> Offer {
    let price = Money { minor, currency: Currency::EUR };
    Offer { quantity, in_carts: 0, price, attributes: String::new() }
}

/// What is done to the listing of this number; to a new one where nothing stood before.
pub fn change(op: Operation, id: i64, before: Option<Offer>, after: Option<Offer>) -> Change {
    Change {
        op,
        sku: format!("sku-{id}").as_str().into(),
        listing_id: before.is_some().then_some(ListingId(id)),
        title: String::new(),
        before,
        after,
        reason: String::new(),
        bounds: Bounds::default(),
    }
}
