//! A row of the sold items (trademe.md 10.2) as a line of an order. The buyer's name and address are never read.
//!
//! A row is one purchase. Those of one shopping cart share its number and are one order, but nothing keeps them on one
//! page, and they drop out of a span of time one by one; so such a row is a line by itself, and the rooms above add up.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::{amount, count, date, id, part, parts};
use super::wire::{sku, title};
use crate::domain::{
    Currency, Extent, LineId, ListingId, Money, Order, OrderId, OrderLine, OrderRead, OrderState,
};
use crate::marketplace::json::{self, Raw};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SoldItem<'a> {
    #[serde(borrow)]
    purchase_id: Raw<'a>,
    #[serde(borrow)]
    order_id: Raw<'a>,
    #[serde(borrow)]
    listing_id: Raw<'a>,
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow, rename = "SKU")]
    sku: Raw<'a>,
    #[serde(borrow)]
    sold_date: Raw<'a>,
    #[serde(borrow)]
    quantity_sold: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    total_shipping_price: Raw<'a>,
    #[serde(borrow)]
    total_sale_price: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    is_payment_pending: Raw<'a>,
    #[serde(borrow)]
    payment_details: Raw<'a>,
    #[serde(borrow)]
    tracked_parcels: Raw<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct PaymentDetails<'a> {
    #[serde(borrow, default)]
    is_payment_pending: Raw<'a>,
    #[serde(borrow, default)]
    payment_amount: Raw<'a>,
    #[serde(borrow, default)]
    ping_escrow_status: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parcel<'a> {
    #[serde(borrow)]
    courier_parcel_id: Raw<'a>,
    #[serde(borrow)]
    tracking_reference: Raw<'a>,
}

/// A purchase as an order of one line, or as one line of the order of its cart.
pub(super) fn order(row: &RawValue, currency: Currency) -> Result<OrderRead, String> {
    let item: SoldItem<'_> = json::object(row)?;
    let purchase = id(item.purchase_id, "PurchaseId")?;
    read(&item, purchase, currency).map_err(|problem| format!("purchase {purchase}: {problem}"))
}

fn read(item: &SoldItem<'_>, purchase: i64, currency: Currency) -> Result<OrderRead, String> {
    let cart = Some(count(item.order_id, "OrderId")?).filter(|cart| *cart > 0);
    let listing = id(item.listing_id, "ListingId")?;
    // One copy is the rule, and what is the rule may be left out.
    let quantity = json::copies(count(item.quantity_sold, "QuantitySold")?, "QuantitySold")?.max(1);
    let unit_price = amount(item.price, "Price", currency)?;
    let shipping = amount(item.total_shipping_price, "TotalShippingPrice", currency)?;
    let total = match amount(item.total_sale_price, "TotalSalePrice", currency)? {
        Money { minor: 0, .. } => sum(unit_price, quantity, shipping).ok_or("its amounts are too large")?,
        total => total,
    };
    let line = OrderLine {
        id: LineId(purchase),
        sku: sku(item.sku, listing),
        listing_id: ListingId(listing),
        title: title(item.title, listing),
        quantity,
        unit_price,
    };
    let order = Order {
        id: order_id(cart, purchase)?,
        state: state(item.status, is_paid(item, total)),
        placed_at: date(item.sold_date),
        // Trade Me does not say when a payment arrived: `StatusDate` is when the seller last ticked something off.
        paid_at: None,
        total,
        tracking_number: tracking_number(item.tracked_parcels),
        lines: vec![line],
    };
    let extent = if cart.is_some() { Extent::Line } else { Extent::Whole };
    Ok(OrderRead { order, complaints: Vec::new(), extent })
}

/// What the buyer pays, from its parts (trademe.md 21.3).
fn sum(unit_price: Money, quantity: i64, shipping: Money) -> Option<Money> {
    let minor = unit_price.minor.checked_mul(quantity)?.checked_add(shipping.minor)?;
    Some(Money { minor, ..unit_price })
}

/// Carts have numbers below this one and purchases numbers from it on.
const PURCHASES_FROM: i64 = 100_000_000;

/// Where numbers go that are not on their side. What people know the order by stays legible at the end of it.
const CARTS_ASIDE: i64 = 1_000_000_000_000_000;
const PURCHASES_ASIDE: i64 = 2 * CARTS_ASIDE;

/// The order's number: the cart's, or the purchase's own where there was no cart.
///
/// Carts and purchases are numbered apart, so that one number could mean both. Those in use are far from each other
/// (carts have five digits or a few more, purchases nine) and stay as people know them; a number that has grown into
/// the other's side is moved out of the way. So no cart ever has the number of a purchase.
fn order_id(cart: Option<i64>, purchase: i64) -> Result<OrderId, String> {
    if cart.unwrap_or(purchase) >= CARTS_ASIDE {
        return Err("its number is too large".to_owned());
    }
    Ok(OrderId(match cart {
        Some(cart) if cart < PURCHASES_FROM => cart,
        Some(cart) => CARTS_ASIDE + cart,
        None if purchase >= PURCHASES_FROM => purchase,
        None => PURCHASES_ASIDE + purchase,
    }))
}

/// Where a sale stands: what the seller has ticked off, and short of that what Trade Me knows of the payment. There is
/// no state for a sale that was called off; that is between buyer and seller, on the web.
fn state(status: Raw<'_>, paid: bool) -> OrderState {
    let Some(status) = json::words(status) else {
        return if paid { OrderState::Paid } else { OrderState::Bought };
    };
    match status.as_str() {
        // 10: the buyer was written to.
        "0" | "10" if !paid => OrderState::Bought,
        "0" | "10" | "20" => OrderState::Paid,
        "30" => OrderState::Sent,
        "40" => OrderState::Received,
        other => OrderState::Other(format!("status-{other}")),
    }
}

/// Whether Trade Me itself has the whole payment (trademe.md 10.4, rule 5). Of bank deposits and cash it knows nothing:
/// those the seller ticks off. A payment that it gave back is none.
fn is_paid(item: &SoldItem<'_>, total: Money) -> bool {
    let details: PaymentDetails<'_> = part(item.payment_details);
    let pending = [item.is_payment_pending, details.is_payment_pending].map(json::flag).contains(&Some(true));
    let reversed = json::optional_number(details.ping_escrow_status) == Some(ESCROW_REVERSED);
    let paid = amount(details.payment_amount, "PaymentAmount", total.currency).ok();
    !pending && !reversed && paid.is_some_and(|paid| paid.minor > 0 && paid.minor >= total.minor)
}

/// `PingEscrowStatus`: the money went back to the buyer.
const ESCROW_REVERSED: i64 = 3;

/// The number of the last parcel that was announced.
fn tracking_number(parcels: Raw<'_>) -> Option<String> {
    parts::<Parcel<'_>>(parcels)
        .filter_map(|parcel| {
            Some((json::optional_number(parcel.courier_parcel_id), json::words(parcel.tracking_reference)?))
        })
        .max_by_key(|(id, _)| *id)
        .map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::marketplace::testing::any_json;

    fn sold() -> Value {
        json!({
            "ListingId": 5_123_456_789_i64, "Title": "Blue widget", "BuyNowPrice": 21.0, "SKU": "WID-BLU",
            "SoldDate": "/Date(1767304800000)/", "SoldType": "Buy now", "PurchaseId": 812_345_678,
            "ReferenceNumber": "P812345678", "OrderId": 99_001, "QuantitySold": 2, "Price": 21.0,
            "SalePrice": 42.0, "SubtotalPrice": 42.0, "ShippingType": 4, "ShippingPrice": 6.0,
            "TotalShippingPrice": 12.0, "TotalSalePrice": 54.0, "SuccessFees": 4.27,
            "Buyer": {"MemberId": 4_001_234, "Nickname": "sample_buyer"}, "PaymentMethod": 32,
            "DeliveryAddress": {"Name": "Sam Sample", "Address1": "1 Example Street"},
            "PaymentDetails": {"PaymentType": 32, "PaymentAmount": 54.0, "PingEscrowStatus": 0},
        })
    }

    fn with(changes: &[(&str, Value)]) -> Result<OrderRead, String> {
        let mut item = sold();
        for (key, value) in changes {
            item[*key] = value.clone();
        }
        order(&RawValue::from_string(item.to_string()).unwrap(), Currency::NZD)
    }

    fn nzd(minor: i64) -> Money {
        Money { minor, currency: Currency::NZD }
    }

    #[test]
    fn a_row_of_a_cart_is_a_line_of_its_order() {
        let line = OrderLine {
            id: LineId(812_345_678),
            sku: "WID-BLU".into(),
            listing_id: ListingId(5_123_456_789),
            title: "Blue widget".to_owned(),
            quantity: 2,
            unit_price: nzd(2_100),
        };
        let order = Order {
            id: OrderId(99_001),
            state: OrderState::Paid,
            placed_at: "2026-01-01T22:00:00Z".parse().ok(),
            paid_at: None,
            total: nzd(5_400),
            tracking_number: None,
            lines: vec![line],
        };
        assert_eq!(with(&[]).unwrap(), OrderRead { order, complaints: Vec::new(), extent: Extent::Line });
    }

    #[test]
    fn a_row_without_a_cart_is_an_order() {
        for none in [Value::Null, json!(0)] {
            let read = with(&[("OrderId", none)]).unwrap();
            assert_eq!((read.order.id, read.extent), (OrderId(812_345_678), Extent::Whole));
        }
    }

    #[test]
    fn defaults_that_are_left_out_are_filled_in() {
        let bare = json!({"PurchaseId": 812_345_678, "ListingId": 7, "Price": 4.5, "TotalShippingPrice": 1});
        let read = order(&RawValue::from_string(bare.to_string()).unwrap(), Currency::NZD).unwrap();
        let line = &read.order.lines[0];
        assert_eq!((line.sku.as_str(), line.title.as_str(), line.quantity), ("tm:7", "listing 7", 1));
        assert_eq!((read.order.total, read.order.state), (nzd(550), OrderState::Bought));
        assert_eq!(read.order.placed_at, None);
    }

    #[test]
    fn it_is_paid_when_trade_me_has_the_money_or_the_seller_says_so() {
        let state = |changes: &[(&str, Value)]| with(changes).unwrap().order.state;
        let unpaid = ("PaymentDetails", Value::Null);
        let details = |details: Value| ("PaymentDetails", details);
        assert_eq!(state(&[]), OrderState::Paid);
        assert_eq!(state(std::slice::from_ref(&unpaid)), OrderState::Bought);
        assert_eq!(state(&[details(json!({"PaymentAmount": 53.99}))]), OrderState::Bought);
        assert_eq!(
            state(&[details(json!({"PaymentAmount": 54, "IsPaymentPending": true}))]),
            OrderState::Bought
        );
        assert_eq!(state(&[("IsPaymentPending", json!(true))]), OrderState::Bought);
        assert_eq!(
            state(&[details(json!({"PaymentAmount": 54, "PingEscrowStatus": 3}))]),
            OrderState::Bought
        );
        assert_eq!(state(&[details(json!({"PaymentAmount": "much"}))]), OrderState::Bought);
        assert_eq!(state(&[unpaid.clone(), ("Status", json!(10))]), OrderState::Bought);
        assert_eq!(state(&[("Status", json!(10))]), OrderState::Paid);
        for (status, expected) in [(20, OrderState::Paid), (30, OrderState::Sent), (40, OrderState::Received)]
        {
            assert_eq!(state(&[unpaid.clone(), ("Status", json!(status))]), expected);
        }
        assert_eq!(state(&[("Status", json!(25))]), OrderState::Other("status-25".to_owned()));
    }

    #[test]
    fn the_last_parcel_counts() {
        let parcels = json!([
            {"CourierParcelId": 9, "TrackingReference": "AB9"}, {"CourierParcelId": 10, "TrackingReference": "AB10"},
            {"CourierParcelId": 11}, 7,
        ]);
        let read = with(&[("TrackedParcels", parcels)]).unwrap();
        assert_eq!(read.order.tracking_number.as_deref(), Some("AB10"));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_number_of_the_purchase() {
        let broken = |key: &str, value: Value| with(&[(key, value)]).unwrap_err();
        assert!(broken("Price", json!(0.333)).starts_with("purchase 812345678: `Price`"));
        assert!(broken("PurchaseId", Value::Null).contains("`PurchaseId` is missing"));
        assert!(broken("OrderId", json!(CARTS_ASIDE)).contains("too large"));
        assert!(broken("QuantitySold", json!("two")).contains("whole number"));
        assert!(broken("QuantitySold", json!(i64::MAX)).contains("more than any shop has"));
    }

    #[test]
    fn nothing_of_the_buyer_is_read() {
        let read = format!("{:?}", with(&[]).unwrap());
        for personal in ["Sam", "Example", "sample_buyer", "4001234"] {
            assert!(!read.contains(personal), "{personal}");
        }
    }

    proptest! {
        #[test]
        fn no_two_orders_have_one_number(
            a in (any::<bool>(), prop_oneof![1_i64..200_000_000, 1..CARTS_ASIDE]),
            b in (any::<bool>(), prop_oneof![1_i64..200_000_000, 1..CARTS_ASIDE]),
        ) {
            let number = |(cart, n): (bool, i64)| order_id(cart.then_some(n), if cart { 1 } else { n }).unwrap();
            prop_assert_eq!(number(a) == number(b), a == b);
            prop_assert_ne!(number((true, a.1)), number((false, a.1)));
            prop_assert_eq!(number(a).0 % CARTS_ASIDE, a.1);
        }

        #[test]
        fn whatever_a_member_turns_into_nothing_panics(index in 0_usize..21, value in any_json()) {
            let mut item = sold();
            let key = item.as_object().unwrap().keys().nth(index).unwrap().clone();
            item[key] = value;
            let _ = order(&RawValue::from_string(item.to_string()).unwrap(), Currency::NZD);
        }
    }
}
