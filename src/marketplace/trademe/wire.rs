//! The shapes of what Trade Me says of us and our listings (trademe.md 9 and 16), and what they mean in our words.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Body;
use super::members::{amount, count, date, id, parts};
use crate::domain::{Currency, Listing, ListingId, Money, Sku};
use crate::marketplace::json::{self, Raw};
use crate::marketplace::{Identity, ListWords};

/// Who the account is. All else in the summary but the balance is personal or not ours to keep, and stays unread.
pub(super) fn identity(body: &Body<'_>) -> Result<Identity, String> {
    let id = id(body.member_id, "MemberId")?;
    Ok(Identity { name: json::words(body.nickname).unwrap_or_else(|| format!("member {id}")), id })
}

/// What the account has for fees, or owes; `None` where they are invoiced, and where the summary does not say it
/// (trademe.md 16 and 17.1). One that is left out may be none at all: then the answer about each fee says so.
pub(super) fn balance(body: &Body<'_>, currency: Currency) -> Result<Option<Money>, String> {
    if json::flag(body.auto_billing_enabled) == Some(true) || json::text(body.balance).is_none() {
        return Ok(None);
    }
    json::money(body.balance, "Balance", currency).map(Some)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item<'a> {
    #[serde(borrow)]
    listing_id: Raw<'a>,
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow)]
    category: Raw<'a>,
    #[serde(borrow)]
    start_price: Raw<'a>,
    #[serde(borrow)]
    buy_now_price: Raw<'a>,
    #[serde(borrow)]
    reserve_price: Raw<'a>,
    #[serde(borrow)]
    max_bid_amount: Raw<'a>,
    #[serde(borrow)]
    start_date: Raw<'a>,
    #[serde(borrow)]
    end_date: Raw<'a>,
    #[serde(borrow)]
    as_at: Raw<'a>,
    #[serde(borrow)]
    bid_count: Raw<'a>,
    #[serde(borrow)]
    reserve_state: Raw<'a>,
    #[serde(borrow)]
    is_buy_now_only: Raw<'a>,
    #[serde(borrow)]
    is_classified: Raw<'a>,
    #[serde(borrow)]
    is_clearance: Raw<'a>,
    #[serde(borrow)]
    quantity: Raw<'a>,
    #[serde(borrow, rename = "SKU")]
    sku: Raw<'a>,
    #[serde(borrow)]
    external_reference_id: Raw<'a>,
    #[serde(borrow)]
    listing_group_id: Raw<'a>,
    #[serde(borrow)]
    options: Raw<'a>,
}

/// One choice of a listing with variants: `Size` is `Small`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Choice<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    value: Raw<'a>,
}

/// What is kept of a listing beside its price and quantity. In the order of the alphabet, so that equal listings have
/// equal text; without what changes by the hour and no plan needs, such as how often it was looked at.
#[derive(Serialize)]
struct Attributes {
    #[serde(skip_serializing_if = "is_zero")]
    bid_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    clearance: bool,
    /// Its time is over and it is not settled yet what becomes of it.
    #[serde(skip_serializing_if = "is_false")]
    closing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_reference: Option<String>,
    /// What listings of one product in several variants have in common.
    #[serde(skip_serializing_if = "is_zero")]
    group_id: i64,
    kind: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    max_bid_minor: i64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_zero")]
    reserve_minor: i64,
    /// Trade Me's number: 1 met, 2 not met, 3 not applicable; others may come.
    #[serde(skip_serializing_if = "is_zero")]
    reserve_state: i64,
    /// It is for a fixed price and says no number of copies: it is one copy and stays one.
    #[serde(skip_serializing_if = "is_false")]
    single: bool,
    #[serde(skip_serializing_if = "is_zero")]
    start_price_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
}

/// What a seller's list says of a listing. The title is worded at Trade Me and stands there for people, and for the day
/// on which the listing has to be made anew.
pub(super) fn words(title: &str, attributes: &str) -> ListWords {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Kept {
        category: Option<String>,
        kind: Option<String>,
    }
    let kept: Kept = serde_json::from_str(attributes).unwrap_or_default();
    let mut cells: BTreeMap<&'static str, String> = [("title", title.to_owned())].into();
    cells.extend(kept.category.map(|category| ("category", category)));
    ListWords { cells, fixed_price: kept.kind.as_deref() == Some("buy-now") }
}

/// A listing that is for sale, or closing.
pub(super) fn listing(row: &RawValue, currency: Currency) -> Result<Listing, String> {
    let item: Item<'_> = json::object(row)?;
    let id = id(item.listing_id, "ListingId")?;
    read(&item, id, currency).map_err(|problem| format!("listing {id}: {problem}"))
}

fn read(item: &Item<'_>, id: i64, currency: Currency) -> Result<Listing, String> {
    let start_price = amount(item.start_price, "StartPrice", currency)?;
    let max_bid = amount(item.max_bid_amount, "MaxBidAmount", currency)?;
    let buy_now = amount(item.buy_now_price, "BuyNowPrice", currency)?;
    let ends_at = date(item.end_date);
    let copies = json::copies(count(item.quantity, "Quantity")?, "Quantity")?;
    let kind = kind(item);
    let closing = ends_at.zip(date(item.as_at)).is_some_and(|(end, now)| end <= now);
    let attributes = Attributes {
        bid_count: count(item.bid_count, "BidCount")?,
        category: json::words(item.category),
        clearance: is(item.is_clearance),
        closing,
        ends_at: ends_at.map(rfc3339),
        external_reference: json::words(item.external_reference_id),
        group_id: count(item.listing_group_id, "ListingGroupId")?,
        kind,
        max_bid_minor: max_bid.minor,
        options: options(item.options),
        reserve_minor: amount(item.reserve_price, "ReservePrice", currency)?.minor,
        reserve_state: json::optional_number(item.reserve_state).unwrap_or_default(),
        single: kind == "buy-now" && copies == 0 && !closing,
        start_price_minor: start_price.minor,
        starts_at: date(item.start_date).map(rfc3339),
    };
    Ok(Listing {
        id: ListingId(id),
        sku: sku(item.sku, id),
        title: title(item.title, id),
        quantity: quantity(copies, closing),
        price: price(buy_now, max_bid, start_price),
        attributes: serde_json::to_string(&attributes).map_err(|e| e.to_string())?,
    })
}

/// The seller's key: the one they gave the listing, else the listing itself.
pub(super) fn sku(raw: Raw<'_>, listing: i64) -> Sku {
    Sku(json::words(raw).unwrap_or_else(|| format!("tm:{listing}")))
}

/// What a person calls it.
pub(super) fn title(raw: Raw<'_>, listing: i64) -> String {
    json::words(raw).unwrap_or_else(|| format!("listing {listing}"))
}

/// Only listings for a fixed price count copies, and those that are sold out close. So without a number (0 is none
/// either: defaults are left out, but not always) it is one copy while the listing is open, and none once it closes.
fn quantity(counted: i64, closing: bool) -> i64 {
    match counted {
        0 => i64::from(!closing),
        counted => counted,
    }
}

/// What one copy costs: the fixed price where there is one, else what is bid, else what the bids start at. A
/// classified that names no price is 0.
fn price(buy_now: Money, max_bid: Money, start: Money) -> Money {
    [buy_now, max_bid].into_iter().find(|money| money.minor > 0).unwrap_or(start)
}

fn kind(item: &Item<'_>) -> &'static str {
    if is(item.is_classified) {
        "classified"
    } else if is(item.is_buy_now_only) {
        "buy-now"
    } else {
        "auction"
    }
}

fn options(raw: Raw<'_>) -> BTreeMap<String, String> {
    parts::<Choice<'_>>(raw)
        .filter_map(|choice| Some((json::words(choice.name)?, json::words(choice.value)?)))
        .collect()
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn is(raw: Raw<'_>) -> bool {
    json::flag(raw).unwrap_or_default()
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &i64) -> bool {
    *number == 0
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

    fn widget() -> Value {
        json!({
            "ListingId": 5_123_456_789_i64, "Title": "Blue widget", "Category": "0004-0370-0560-6853-",
            "BuyNowPrice": 21.0, "StartDate": "/Date(1767225600000)/", "EndDate": "/Date(1767830400000)/",
            "ListingLength": null, "AsAt": "/Date(1767301200000)/", "ViewCount": 14, "HasBuyNow": true,
            "ReserveState": 3, "IsBuyNowOnly": true, "Quantity": 7, "PriceDisplay": "$21.00 per item",
            "SKU": "WID-BLU", "ListingGroupId": 77, "Options": [{"Name": "Size", "Value": "Small"}],
        })
    }

    fn auction() -> Value {
        json!({
            "ListingId": 5_123_456_790_i64, "Title": "One dollar widget", "StartPrice": 1.0,
            "EndDate": "/Date(1767830400000)/", "AsAt": "/Date(1767301200000)/", "BidCount": 3,
            "MaxBidAmount": 6.5, "ReserveState": 0, "ReservePrice": 5,
        })
    }

    fn with(mut item: Value, changes: &[(&str, Value)]) -> Result<Listing, String> {
        for (key, value) in changes {
            item[*key] = value.clone();
        }
        listing(&raw(&item), Currency::NZD)
    }

    #[test]
    fn more_copies_than_any_shop_has_are_none() {
        let broken = with(widget(), &[("Quantity", json!(i64::MAX))]).unwrap_err();
        assert!(broken.contains("more than any shop has"), "{broken}");
    }

    #[test]
    fn a_listing_for_a_fixed_price_is_read() {
        let listing = with(widget(), &[]).unwrap();
        assert_eq!(listing.id, ListingId(5_123_456_789));
        assert_eq!((listing.sku.as_str(), listing.title.as_str()), ("WID-BLU", "Blue widget"));
        assert_eq!((listing.quantity, listing.price.to_string()), (7, "21.00 NZD".to_owned()));
        assert_eq!(
            listing.attributes,
            r#"{"category":"0004-0370-0560-6853-","ends_at":"2026-01-08T00:00:00.000Z","group_id":77,"kind":"buy-now","options":{"Size":"Small"},"reserve_state":3,"starts_at":"2026-01-01T00:00:00.000Z"}"#
        );
    }

    #[test]
    fn an_auction_is_one_copy_at_its_highest_bid_else_its_start() {
        let listing = with(auction(), &[]).unwrap();
        assert_eq!((listing.sku.as_str(), listing.quantity), ("tm:5123456790", 1));
        assert_eq!(listing.price.minor, 650);
        assert_eq!(
            listing.attributes,
            r#"{"bid_count":3,"ends_at":"2026-01-08T00:00:00.000Z","kind":"auction","max_bid_minor":650,"reserve_minor":500,"start_price_minor":100}"#
        );
        assert_eq!(with(auction(), &[("MaxBidAmount", Value::Null)]).unwrap().price.minor, 100);
        assert_eq!(with(auction(), &[("BuyNowPrice", json!("12.30"))]).unwrap().price.minor, 1_230);
        assert_eq!(with(json!({"ListingId": 1, "IsClassified": true}), &[]).unwrap().price.minor, 0);
    }

    #[test]
    fn without_a_number_an_open_listing_has_one_copy_and_a_closing_one_none() {
        let over = ("AsAt", json!("/Date(1767830400000)/"));
        let quantity = |item, changes: &[(&str, Value)]| with(item, changes).unwrap().quantity;
        for none in [Value::Null, json!(0)] {
            let none = || ("Quantity", none.clone());
            assert_eq!(quantity(widget(), &[none()]), 1);
            assert_eq!(quantity(widget(), &[none(), over.clone()]), 0);
            assert_eq!(quantity(auction(), &[none()]), 1);
            assert_eq!(quantity(widget(), &[none(), ("EndDate", json!("/Date(0)/"))]), 1);
        }
        let closing = with(widget(), &[over]).unwrap();
        assert_eq!(closing.quantity, 7);
        assert!(closing.attributes.contains(r#""closing":true"#));
    }

    #[test]
    fn a_listing_for_a_fixed_price_that_counts_no_copies_is_single() {
        let single = |item, changes: &[(&str, Value)]| {
            with(item, changes).unwrap().attributes.contains(r#""single":true"#)
        };
        assert!(single(widget(), &[("Quantity", json!(0))]));
        assert!(single(widget(), &[("Quantity", Value::Null)]));
        // One copy that is counted can be made several; an auction is one of its own kind.
        assert!(!single(widget(), &[("Quantity", json!(1))]) && !single(auction(), &[]));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_number_of_the_listing() {
        let broken = |key: &str, value: Value| with(widget(), &[(key, value)]).unwrap_err();
        assert!(broken("BuyNowPrice", json!(2.345)).starts_with("listing 5123456789: `BuyNowPrice`"));
        assert!(broken("Quantity", json!(-1)).contains("negative"));
        assert!(broken("Quantity", json!("many")).contains("whole number"));
        assert!(broken("ListingId", Value::Null).contains("`ListingId` is missing"));
        assert!(listing(&raw(&json!("row")), Currency::NZD).is_err());
    }

    #[test]
    fn a_number_of_an_enumeration_that_nobody_knows_is_kept() {
        let listing = with(widget(), &[("ReserveState", json!(97))]).unwrap();
        assert!(listing.attributes.contains(r#""reserve_state":97"#));
    }

    proptest! {
        #[test]
        fn whatever_a_member_turns_into_nothing_panics(index in 0_usize..17, value in any_json()) {
            let mut item = widget();
            let key = item.as_object().unwrap().keys().nth(index).unwrap().clone();
            item[key] = value;
            let _ = listing(&raw(&item), Currency::NZD);
        }
    }
}
