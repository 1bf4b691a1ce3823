//! One listing as Trade Me shows it to its seller (trademe.md 9.3): whether it is still for sale, and how it ended.
//!
//! The lists do not tell: a listing that left them may be sold, withdrawn or over, and the edit request of one that is
//! over looks like that of one that is not.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::{count, date};
use super::wire;
use crate::domain::{Currency, Listing};
use crate::marketplace::json::{self, Raw};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    #[serde(borrow)]
    end_date: Raw<'a>,
    #[serde(borrow)]
    as_at: Raw<'a>,
    #[serde(borrow)]
    withdrawn_by_seller: Raw<'a>,
    #[serde(borrow)]
    quantity: Raw<'a>,
    #[serde(borrow)]
    available_to_buy: Raw<'a>,
    #[serde(borrow)]
    sales: Raw<'a>,
}

/// A listing and where it stands.
pub(super) struct Detail {
    pub listing: Listing,
    pub life: Life,
}

/// Where a listing stands. While it closes, its sales are not shown yet, so that the last word on what was sold is the
/// list of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Withdrawn,
    Sold,
    Unsold,
}

impl Life {
    /// How it ended, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Open => "it is still for sale",
            Self::Withdrawn => "it was withdrawn",
            Self::Sold => "it is sold",
            Self::Unsold => "it has ended with copies left",
        }
    }
}

/// Reads the answer to `Listings/{id}`.
pub(super) fn detail(body: &RawValue, currency: Currency) -> Result<Detail, String> {
    let shown: Shown<'_> = json::object(body)?;
    Ok(Detail { listing: wire::listing(body, currency)?, life: life(&shown) })
}

/// By the server's own clock: the end of a listing is moved by bids and by outages (trademe.md 5.1).
fn life(shown: &Shown<'_>) -> Life {
    let over = date(shown.end_date).zip(date(shown.as_at)).is_some_and(|(end, now)| end <= now);
    let left = count(shown.quantity, "Quantity").unwrap_or_default();
    // What is sold out closes, and its end may not have moved yet.
    let sold_out = left == 0 && json::text(shown.available_to_buy).is_some_and(|text| text.trim() == "0");
    let sold = shown.sales.and_then(|sales| json::rows(sales).ok()).is_some_and(|sales| !sales.is_empty());
    match () {
        () if json::flag(shown.withdrawn_by_seller) == Some(true) => Life::Withdrawn,
        () if sold_out => Life::Sold,
        () if !over => Life::Open,
        () if sold && left == 0 => Life::Sold,
        () => Life::Unsold,
    }
}

/// The copies of a listing that came with the answer to a write; `None` where it does not say.
pub(super) fn copies_shown(listing: &RawValue) -> Option<i64> {
    let shown: Shown<'_> = json::object(listing).ok()?;
    shown.quantity.and_then(|raw| json::optional_number(Some(raw))).filter(|copies| *copies >= 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::marketplace::testing::any_json;

    fn raw(value: &Value) -> Box<RawValue> {
        RawValue::from_string(value.to_string()).unwrap()
    }

    fn shown(changes: &[(&str, Value)]) -> Value {
        let mut listing = json!({
            "ListingId": 5_123_456_789_i64, "Title": "Blue widget", "BuyNowPrice": 21.0, "IsBuyNowOnly": true,
            "EndDate": "/Date(1767830400000)/", "AsAt": "/Date(1767301200000)/", "Quantity": 7,
            "Body": "Solid widget.\r\nNew.", "SKU": "WID-BLU", "ExternalReferenceId": "wid-blu#2026-01",
        });
        for (key, value) in changes {
            listing[*key] = value.clone();
        }
        listing
    }

    fn life_of(changes: &[(&str, Value)]) -> Life {
        detail(&raw(&shown(changes)), Currency::NZD).unwrap().life
    }

    #[test]
    fn a_listing_is_open_until_the_servers_clock_has_passed_its_end() {
        let over = ("AsAt", json!("/Date(1767830400000)/"));
        let sale = ("Sales", json!([{"PurchaseId": 1}]));
        assert_eq!(life_of(&[]), Life::Open);
        assert_eq!(life_of(std::slice::from_ref(&sale)), Life::Open);
        assert_eq!(life_of(&[("EndDate", Value::Null)]), Life::Open);
        assert_eq!(life_of(std::slice::from_ref(&over)), Life::Unsold);
        assert_eq!(life_of(&[over.clone(), sale.clone()]), Life::Unsold);
        let none = ("Quantity", Value::Null);
        assert_eq!(life_of(&[none.clone(), ("AvailableToBuy", json!("0"))]), Life::Sold);
        assert_eq!(life_of(&[none, ("AvailableToBuy", json!("10+"))]), Life::Open);
        assert_eq!(life_of(&[over.clone(), sale, ("Quantity", Value::Null)]), Life::Sold);
        assert_eq!(life_of(&[over, ("WithdrawnBySeller", json!(true))]), Life::Withdrawn);
    }

    #[test]
    fn it_is_read_like_a_row_of_the_lists() {
        let listing = detail(&raw(&shown(&[])), Currency::NZD).unwrap().listing;
        assert_eq!((listing.sku.as_str(), listing.quantity, listing.price.minor), ("WID-BLU", 7, 2_100));
        assert!(listing.attributes.contains(r#""external_reference":"wid-blu#2026-01""#));
    }

    #[test]
    fn copies_are_known_only_where_they_are_shown() {
        assert_eq!(copies_shown(&raw(&json!({"Quantity": 6}))), Some(6));
        for silent in [json!({}), json!({"Quantity": null}), json!({"Quantity": "x"}), json!(null), json!(7)]
        {
            assert_eq!(copies_shown(&raw(&silent)), None, "{silent}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(key in 0_usize..10, value in any_json()) {
            let mut listing = shown(&[]);
            let key = listing.as_object().unwrap().keys().nth(key).unwrap().clone();
            listing[key] = value.clone();
            let _ = (detail(&raw(&listing), Currency::NZD).map(|d| d.life), copies_shown(&raw(&value)));
        }
    }
}
