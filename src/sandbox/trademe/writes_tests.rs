//! Writes at the shop at Trade Me: most of them in process, with a clock that the test moves; some over a socket.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::signature::{Signed, sign};
use super::*;
use crate::clock::ManualClock;
use crate::sandbox::visitor::{Ask, control};
use crate::sandbox::{Answer, Call, Delivery, Fault, FaultKind, Sandbox, Verdict, ask_trademe_with};

const NOON: &str = "2026-03-02T12:00:00Z";
const ORIGIN: &str = "http://shop.test";
static NONCE: AtomicU64 = AtomicU64::new(1);

/// The seller's desk: a shop and its time.
struct Desk {
    shop: Shop,
    now: DateTime<Utc>,
}

fn header(shop: &Shop, method: &str, origin: &str, path: &str, now: DateTime<Utc>) -> String {
    let keys = shop.keys();
    let (nonce, timestamp) =
        (format!("w{}", NONCE.fetch_add(1, Ordering::SeqCst)), now.timestamp().to_string());
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let signed = Signed { method, origin, path, query, form: None };
    let pairs = [
        ("oauth_consumer_key", keys.consumer_key.as_str()),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_nonce", &nonce),
        ("oauth_token", &keys.token),
    ];
    sign(&pairs, &signed, &keys.consumer_secret, &keys.token_secret)
}

impl Desk {
    fn new(options: Options) -> Self {
        let now = NOON.parse().expect("a date");
        Self { shop: Shop::new(&options, 42, &[], now), now }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    fn send(&mut self, method: &str, resource: &str, body: &[u8]) -> Answer {
        let (stem, query) = resource.split_once('?').unwrap_or((resource, ""));
        let path = format!("/v1/{stem}.json{}{query}", if query.is_empty() { "" } else { "?" });
        let header = header(&self.shop, method, ORIGIN, &path, self.now);
        let url = format!("{ORIGIN}{path}");
        let call =
            Call { method, url: &url, authorization: Some(&header), body_type: "application/json", body };
        ask_trademe_with(&mut self.shop, &call, self.now)
    }

    fn get(&mut self, resource: &str) -> Value {
        let answer = self.send("GET", resource, b"");
        assert_eq!(answer.status, 200, "{resource}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    fn post(&mut self, resource: &str, body: &Value) -> Value {
        let answer = self.send("POST", resource, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{resource}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    fn form(&mut self, id: i64) -> Value {
        self.get(&format!("Selling/Listings/{id}"))
    }

    fn create(&mut self, body: &Value) -> i64 {
        let done = self.post("Selling", body);
        assert_eq!(done["Success"], true, "{done}");
        done["ListingId"].as_i64().expect("a number")
    }

    /// Sends the form of a listing back with some members changed.
    fn edit(&mut self, id: i64, changes: &Value) -> Value {
        let form = with(&self.form(id), changes);
        self.post("Selling/Edit", &form)
    }

    fn listed(&mut self, id: i64) -> Option<Value> {
        let page = self.get("MyTradeMe/SellingItems/All?rows=500");
        page["List"].as_array().and_then(|rows| rows.iter().find(|row| row["ListingId"] == id)).cloned()
    }

    fn unsold(&mut self, id: i64) -> Option<Value> {
        let page = self.get("MyTradeMe/UnsoldItems/Last45Days?rows=500");
        page["List"].as_array().and_then(|rows| rows.iter().find(|row| row["ListingId"] == id)).cloned()
    }

    fn buy(&mut self, listing_id: i64, quantity: u32) {
        let purchase =
            Purchase { listing_id: Some(listing_id), quantity: Some(quantity), ..Purchase::default() };
        self.shop.buy(&purchase, self.now).expect("enough");
    }

    fn fault(&mut self, kind: FaultKind) {
        self.shop.fault(Fault::from(kind).next(1), self.now);
    }

    fn whats(&self) -> Vec<What> {
        self.shop.effects().iter().map(|effect| effect.what).collect()
    }

    fn last(&self) -> Effect {
        self.shop.effects().last().expect("an effect").clone()
    }
}

/// A desk with no lag, and a listing of seven widgets on it.
fn desk() -> (Desk, i64) {
    let options = Options { listings: 5, sales: 0, unsold: 0, ..Options::default() };
    let mut desk = Desk::new(Options { sold_lag: TimeDelta::zero(), closing: TimeDelta::zero(), ..options });
    let id = desk.create(&widget());
    (desk, id)
}

/// The example of the documentation.
fn widget() -> Value {
    json!({
        "Category": "6853", "Title": "Blue widget",
        "Description": ["Solid widget, new in box.", "Ships next working day."],
        "BuyNowPrice": 21.00, "Duration": 7, "Quantity": 7, "IsFlatShippingCharge": false, "Pickup": 3,
        "IsBrandNew": true,
        "ShippingOptions": [
            {"Type": 4, "Price": 6.00, "Method": "NZ courier"}, {"Type": 4, "Price": 10.00, "Method": "Rural delivery"},
        ],
        "PaymentMethods": [1, 32, 64], "PhotoIds": [700_000_001], "SKU": "WID-BLU",
        "ExternalReferenceId": "wid-blu#2026-01", "ReturnListingDetails": false,
    })
}

fn auction() -> Value {
    let no_copies = json!({"Quantity": null, "BuyNowPrice": null, "StartPrice": 1.0, "ReservePrice": 20.0});
    with(&widget(), &no_copies)
}

fn with(body: &Value, changes: &Value) -> Value {
    let mut body = body.clone();
    for (name, value) in changes.as_object().expect("an object") {
        body[name.as_str()] = value.clone();
    }
    body
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn a_new_listing_is_shown_as_it_was_written_and_stands_in_the_list_after_the_lag() {
    let mut desk = Desk::new(Options { listings: 5, omit_defaults: false, ..Options::default() });
    let before = desk.shop.balance_cents();
    let id = desk.create(&widget());
    assert!(id > 1 << 32 && desk.shop.listings().is_sorted_by(|a, b| a.id < b.id));
    let form = desk.form(id);
    for (name, value) in widget().as_object().expect("an object") {
        if name != "ReturnListingDetails" {
            assert_eq!(&form[name.as_str()], value, "{name}");
        }
    }
    assert_eq!((&form["ImmutableFields"], &form["Subtitle"]), (&json!([]), &Value::Null));
    let details = desk.get(&format!("Listings/{id}"));
    assert_eq!(details["Body"], "Solid widget, new in box.\r\nShips next working day.");
    assert_eq!(details["ExternalReferenceId"], "wid-blu#2026-01");
    desk.wait(74);
    assert_eq!(desk.listed(id), None);
    assert_eq!(desk.get("MyTradeMe/Summary")["SellingCount"], 5);
    desk.wait(1);
    let row = desk.listed(id).expect("listed");
    assert_eq!((&row["Quantity"], &row["SKU"]), (&7.into(), &"WID-BLU".into()));
    assert_eq!(desk.get("MyTradeMe/Summary")["SellingCount"], 6);
    let effect = desk.last();
    assert_eq!((effect.what, effect.by, effect.before), (What::Created, By::Api, None));
    assert_eq!(effect.after, Some(Stand { cents: 2_100, quantity: Some(7), sold: 0 }));
    assert_eq!(effect.reference.as_deref(), Some("wid-blu#2026-01"));
    assert_eq!(desk.shop.balance_cents(), before - effect.fee_cents);
    assert_eq!(effect.fee_cents, Prices::default().listing_cents);
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_listed() {
    let (mut desk, _) = desk();
    let long = "x".repeat(81);
    let balance = desk.shop.balance_cents();
    for (changes, message) in [
        (json!({"Title": null}), "title"),
        (json!({"Title": long}), "80 characters"),
        (json!({"Subtitle": long}), "50 characters"),
        (json!({"SKU": long}), "SKU"),
        (json!({"ExternalReferenceId": long}), "reference"),
        (json!({"Description": ["x".repeat(2_049)]}), "2048"),
        (json!({"Category": "0370"}), "more specific"),
        (json!({"Category": "11111"}), "Category 11111 was not found"),
        (json!({"Category": "1264"}), "legal notice"),
        (json!({"Category": "6076"}), "BedSize"),
        (json!({"Category": "6076", "Attributes": [{"Name": "BedSize", "Value": "Huge"}]}), "BedSize"),
        (json!({"BuyNowPrice": 0.49}), "$0.50"),
        (json!({"BuyNowPrice": null}), "Buy Now price"),
        (json!({"WasPrice": 21.0}), "previous price"),
        (json!({"IsClearance": true}), "clearance"),
        (json!({"Duration": 8}), "duration"),
        (json!({"Duration": null}), "end date"),
        (json!({"Duration": 0, "EndDateTime": "/Date(1767225600000)/"}), "end date"),
        (json!({"Quantity": 0}), "between 1 and 1000"),
        (json!({"Quantity": 1_001}), "between 1 and 1000"),
        (json!({"Quantity": null}), "start price"),
        (json!({"Quantity": null, "StartPrice": 30.0}), "Buy Now price must not be lower"),
        (
            json!({"Quantity": null, "StartPrice": 5.0, "ReservePrice": 4.0}),
            "reserve price must not be lower",
        ),
        (json!({"Quantity": null, "StartPrice": 5.0, "PaymentMethods": []}), "payment method"),
        (json!({"PaymentMethods": [2]}), "payment method"),
        (json!({"PaymentMethods": [16]}), "other payment method"),
        (json!({"ShippingOptions": []}), "at least one shipping option"),
        (
            json!({"ShippingOptions": [{"Type": 3}, {"Type": 4, "Price": 1.0, "Method": "a"}]}),
            "only shipping option",
        ),
        (json!({"ShippingOptions": [{"Type": 4, "Price": 1.0}]}), "describe every"),
        (json!({"ShippingOptions": [{"Type": 2}]}), "no valid type"),
        (json!({"ShippingOptions": vec![json!({"Type": 4, "Price": 1.0, "Method": "a"}); 11]}), "At most 10"),
        (json!({"Pickup": 4}), "pick-up"),
        (json!({"ShippingTemplateId": 1}), "template"),
        (json!({"PhotoIds": [1]}), "Photo 1 was not found"),
        (json!({"PhotoIds": vec![700_000_001; 21]}), "20 photos"),
        (json!({"VariantDefinition": {"Variants": []}}), "variants"),
    ] {
        let body = with(&widget(), &changes);
        let refused = desk.post("Selling", &body);
        assert_eq!(refused["Success"], false, "{changes}");
        assert!(text(&refused["Description"]).contains(message), "{changes}: {refused}");
        for dry in ["Selling/Validate", "Selling/Fees"] {
            let judged = desk.post(dry, &body);
            assert_eq!(judged["Success"], false, "{dry} {changes}");
            let messages = judged["ValidationErrors"].as_array().expect("a list");
            assert!(messages.iter().any(|one| text(&one["Message"]).contains(message)), "{dry} {judged}");
        }
    }
    let several = with(&widget(), &json!({"Title": "", "BuyNowPrice": 0.1, "Quantity": 1_001}));
    let refused = desk.post("Selling", &several);
    assert_eq!(text(&refused["Description"]).split("\r\n").count(), 3, "{refused}");
    assert_eq!(desk.post("Selling/Validate", &several)["ValidationErrors"].as_array().map(Vec::len), Some(3));
    assert_eq!(desk.post("Selling/Validate", &widget())["Success"], true);
    assert_eq!((desk.whats(), desk.shop.balance_cents()), (vec![What::Created], balance));
    let fine = json!({"Quantity": null, "StartPrice": 1.0, "Duration": 0, "Pickup": 1, "ShippingOptions": [{"Type": 3}],
        "EndDateTime": format!("/Date({})/", (desk.now + TimeDelta::days(3)).timestamp_millis())});
    let id = desk.create(&with(&widget(), &fine));
    assert_eq!(desk.shop.listing(id).expect("listed").end, desk.now + TimeDelta::days(3));
    let beds = json!({"Category": "6076", "Attributes": [{"Name": "BedSize", "Value": "Queen"}], "Pickup": 2,
        "ShippingOptions": null});
    desk.create(&with(&widget(), &beds));
}

#[test]
fn a_refusal_says_why_in_one_of_three_places() {
    let (mut desk, _) = desk();
    let wrong = with(&widget(), &json!({"Title": ""}));
    for (failures, place) in [
        (Failures::Description, "Description"),
        (Failures::Error, "Error"),
        (Failures::ErrorDescription, "ErrorDescription"),
    ] {
        desk.shop.options_mut().failures = failures;
        let refused = desk.post("Selling", &wrong);
        assert_eq!(refused[place], "Please enter a title.", "{refused}");
        assert_ne!(refused["Success"], true);
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_what_is_unknown_too() {
    let (mut desk, id) = desk();
    let far = json!({"ListingId": id + 1_000_000, "Type": 2, "Reason": "x"}).to_string();
    for (resource, body) in [
        ("Selling", ""),
        ("Selling", "{"),
        ("Selling", "[]"),
        ("Selling", "{\"Title\":5}"),
        ("Selling/Validate", "{\"BuyNowPrice\":\"21.00\"}"),
        ("Selling/Edit", "{}"),
        ("Selling/Edit", far.as_str()),
        ("Selling/EditFees", far.as_str()),
        ("Selling/Withdraw", far.as_str()),
        ("Selling/WithdrawFees", far.as_str()),
        ("Selling/Withdraw", "{\"ListingId\":1,\"Type\":\"ListingWasSold\"}"),
    ] {
        let answer = desk.send("POST", resource, body.as_bytes());
        let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(answer.status, 400, "{resource} {body}");
        assert!(value["Request"].is_string() && value["ErrorDescription"].is_string(), "{resource} {body}");
    }
    assert_eq!(desk.whats(), [What::Created]);
}

#[test]
fn paths_have_one_method_any_case_and_cost_the_hour() {
    let (mut desk, id) = desk();
    for (method, resource) in [
        ("GET", "Selling"),
        ("GET", "Selling/Edit"),
        ("PUT", "Selling/Edit"),
        ("POST", "MyTradeMe/SellingItems/All"),
    ] {
        assert_eq!(desk.send(method, resource, b"{}").status, 404, "{method} {resource}");
    }
    assert_eq!(desk.post("SELLING/validate", &widget())["Success"], true);
    let used = desk.shop.hour.used(desk.now);
    desk.form(id);
    desk.post("Selling/Fees", &widget());
    desk.get("Categories/6853/Details");
    assert_eq!(desk.shop.hour.used(desk.now), used + 2, "the catalogue is free");
    desk.shop.fault(FaultKind::Exhaust.into(), desk.now);
    assert_eq!(desk.send("POST", "Selling", widget().to_string().as_bytes()).status, 429);
    assert_eq!(desk.whats(), [What::Created]);
}

#[test]
fn writes_need_their_own_grant_and_dry_runs_do_not() {
    let read_only = Scopes { read: true, write: false };
    let mut desk = Desk::new(Options { scopes: read_only, ..Options::default() });
    let id = desk.shop.live(desk.now).next().expect("one").id;
    let withdraw = json!({"ListingId": id, "Type": 2, "Reason": "gone"});
    for (resource, body, status) in [
        ("Selling", widget(), 401),
        ("Selling/Edit", with(&widget(), &json!({"ListingId": id})), 401),
        ("Selling/Withdraw", withdraw.clone(), 401),
        ("Selling/WithdrawFees", withdraw, 401),
        ("Selling/Validate", widget(), 200),
        ("Selling/Fees", widget(), 200),
        ("Selling/EditFees", with(&widget(), &json!({"ListingId": id})), 200),
    ] {
        assert_eq!(desk.send("POST", resource, body.to_string().as_bytes()).status, status, "{resource}");
    }
    assert!(desk.shop.effects().is_empty());
}

#[test]
fn a_category_says_what_its_listings_need() {
    let (mut desk, _) = desk();
    let beds = desk.get("Categories/0004-0369-6076-/Details");
    assert_eq!(
        (&beds["CategoryId"], &beds["Attributes"][0]["IsRequiredForSell"]),
        (&"6076".into(), &true.into())
    );
    assert!(beds["AllowedDurations"].as_array().is_some_and(|days| days.contains(&7.into())));
    assert_eq!(beds["Fees"]["Withdrawal"], 3.0);
    assert!(desk.get("Categories/1264/Details")["LegalNotice"].is_string());
    assert_eq!(desk.send("GET", "Categories/4/Details", b"").status, 400);
}

#[test]
fn every_listing_can_be_sent_back_as_it_is_shown_and_nothing_changes() {
    for omit_defaults in [true, false] {
        let mut desk = Desk::new(Options { omit_defaults, hourly_limit: None, ..Options::default() });
        let ids: Vec<i64> = desk.shop.live(desk.now).map(|row| row.id).collect();
        assert_eq!(ids.len(), 312);
        for id in ids {
            let before = desk.shop.listing(id).expect("it").clone();
            let locked = !before.bids().is_empty();
            let done = desk.edit(id, &json!({}));
            assert_eq!(done["Success"], true, "{done} {before:?}");
            let after = desk.shop.listing(id).expect("it");
            assert_eq!(
                (after.document(), after.end, locked),
                (before.document(), before.end, !after.bids().is_empty())
            );
            assert!(desk.last().changed.is_empty() && desk.last().fee_cents == 0);
        }
    }
}

#[test]
fn an_edit_wipes_what_it_leaves_out() {
    let (mut desk, id) = desk();
    let mut form = desk.form(id);
    for name in ["SKU", "ExternalReferenceId", "PhotoIds", "IsBrandNew"] {
        form.as_object_mut().expect("an object").remove(name);
    }
    form["BuyNowPrice"] = json!(19.5);
    assert_eq!(desk.post("Selling/Edit", &form)["Success"], true);
    assert_eq!(desk.last().changed, ["BuyNowPrice", "PhotoIds", "SKU", "ExternalReferenceId", "IsBrandNew"]);
    let row = desk.shop.listing(id).expect("it").clone();
    assert_eq!((row.sku.clone(), row.photo_id(), row.buy_now_cents()), (None, 0, Some(1_950)));
    form.as_object_mut().expect("an object").remove("Quantity");
    let refused = desk.post("Selling/Edit", &form);
    assert!(text(&refused["Description"]).contains("cannot be made of each other"), "{refused}");
}

#[test]
fn after_a_purchase_only_price_and_quantity_stay_open() {
    let (mut desk, id) = desk();
    desk.buy(id, 2);
    let immutable = desk.form(id)["ImmutableFields"].clone();
    let names: Vec<&str> = immutable.as_array().expect("a list").iter().map(text).collect();
    assert!(names.contains(&"Title") && names.contains(&"SKU"));
    assert!(!names.contains(&"Quantity") && !names.contains(&"BuyNowPrice"));
    for (changes, fine) in [
        (json!({"Title": "Red widget"}), false),
        (json!({"ShippingOptions": [{"Type": 3}]}), false),
        (json!({"Quantity": 999}), false),
        (json!({"Quantity": 998, "BuyNowPrice": 25.5}), true),
        (json!({"Quantity": 1}), true),
    ] {
        assert_eq!(desk.edit(id, &changes)["Success"], fine, "{changes}");
    }
    let row = desk.shop.listing(id).expect("it");
    assert_eq!((row.quantity(), row.buy_now_cents(), row.sold), (Some(1), Some(2_550), 2));
}

#[test]
fn an_auction_with_bids_is_locked_but_for_a_lower_reserve() {
    let (mut desk, _) = desk();
    let id = desk.create(&auction());
    assert_eq!(desk.edit(id, &json!({"Title": "Green widget", "ReservePrice": 30.0}))["Success"], true);
    let bid = Purchase { listing_id: Some(id), bid_cents: Some(500), ..Purchase::default() };
    desk.shop.buy(&bid, desk.now).expect("a bid");
    assert_eq!(desk.form(id)["RequiredMinimumReserve"], 5.0);
    for (changes, fine) in [
        (json!({"Title": "Red widget"}), false),
        (json!({"ReservePrice": 31.0}), false),
        (json!({"ReservePrice": 4.0}), false),
        (json!({"ReservePrice": 5.0}), true),
        (json!({"Quantity": 1, "BuyNowPrice": 9.0}), false),
    ] {
        assert_eq!(desk.edit(id, &changes)["Success"], fine, "{changes}");
    }
    assert_eq!(desk.shop.listing(id).expect("it").bids().len(), 1, "the bid stands");
}

#[test]
fn promotions_cost_once_and_cannot_be_taken_back() {
    let (mut desk, id) = desk();
    let bold = with(&desk.form(id), &json!({"IsBold": true, "Subtitle": "Very blue"}));
    let quote = desk.post("Selling/EditFees", &bold);
    assert_eq!((&quote["Success"], &quote["TotalCost"]), (&true.into(), &2.05.into()));
    let before = desk.shop.balance_cents();
    assert_eq!(desk.post("Selling/Edit", &bold)["Success"], true);
    assert_eq!(desk.post("Selling/Edit", &bold)["Success"], true);
    assert_eq!(before - desk.shop.balance_cents(), 205);
    let refused = desk.edit(id, &json!({"IsBold": false}));
    assert!(text(&refused["Description"]).contains("IsBold"), "{refused}");
}

#[test]
fn a_listing_is_ended_once_and_then_it_is_closed() {
    let mut desk = Desk::new(Options { listings: 5, ..Options::default() });
    let id = desk.create(&widget());
    desk.wait(75);
    for wrong in [
        json!({"ListingId": id, "Type": 3}),
        json!({"ListingId": id, "Type": 2}),
        json!({"ListingId": id, "Type": 2, "Reason": "x".repeat(256)}),
        json!({"ListingId": id, "Type": 1}),
    ] {
        assert_eq!(desk.post("Selling/Withdraw", &wrong)["Success"], false, "{wrong}");
    }
    let withdraw = json!({"ListingId": id, "Type": 2, "Reason": "Out of stock"});
    assert_eq!(desk.post("Selling/WithdrawFees", &withdraw)["TotalCost"].as_f64().unwrap_or(0.0), 0.0);
    let done = desk.post("Selling/Withdraw", &with(&withdraw, &json!({"ReturnListingDetails": true})));
    assert_eq!((&done["Success"], &done["Listing"]["WithdrawnBySeller"]), (&true.into(), &true.into()));
    assert_eq!(desk.get(&format!("Listings/{id}"))["WithdrawnBySeller"], true);
    assert!(desk.listed(id).is_some() && desk.unsold(id).is_none(), "the lists do not know yet");
    assert!(desk.shop.buy(&Purchase { listing_id: Some(id), ..Purchase::default() }, desk.now).is_err());
    assert_eq!(desk.post("Selling/Withdraw", &withdraw)["Success"], false, "once");
    assert_eq!(desk.edit(id, &json!({"Quantity": 3}))["Success"], false, "closed");
    desk.wait(75);
    let row = desk.unsold(id).expect("unsold");
    assert!(desk.listed(id).is_none() && row["IsWithdrawn"] == true && row["CanRelist"] != true);
    assert_eq!(desk.whats(), [What::Created, What::Withdrawn]);
    let effect = desk.last();
    assert_eq!((effect.before.and_then(|stand| stand.quantity), effect.after), (Some(7), None));
}

#[test]
fn what_the_account_cannot_pay_is_not_done() {
    let mut desk = Desk::new(Options { listings: 2, sales: 0, balance_cents: 320, ..Options::default() });
    let id = desk.create(&widget());
    let withdraw = json!({"ListingId": id, "Type": 2, "Reason": "Out of stock"});
    desk.wait(3_600);
    let quote = desk.post("Selling/WithdrawFees", &withdraw);
    assert_eq!((&quote["TotalCost"], &quote["InsufficientBalance"]), (&3.0.into(), &true.into()));
    assert_eq!(quote["FeeItems"]["List"][0]["Type"], 300);
    assert_eq!(desk.post("Selling/Withdraw", &withdraw)["Description"], "Insufficient balance");
    desk.shop.set_balance_cents(310, desk.now);
    assert_ne!(desk.post("Selling/Fees", &widget())["InsufficientBalance"], true);
    assert_eq!(desk.post("Selling/Withdraw", &withdraw)["Success"], true);
    let refused = desk.post("Selling", &widget());
    assert_eq!((&refused["Description"], &refused["ListingId"]), (&"Insufficient balance".into(), &0.into()));
    assert_eq!(desk.post("Selling/Fees", &widget())["InsufficientBalance"], true);
    assert_eq!(desk.whats(), [What::Created, What::Withdrawn]);
    assert_eq!(desk.get("MyTradeMe/Summary")["Balance"], 0.1);
    assert_eq!(desk.last().fee_cents, 300);
}

#[test]
fn beyond_the_allowance_a_listing_is_dearer() {
    let prices = Prices { high_volume_threshold: 3, ..Prices::default() };
    let mut desk = Desk::new(Options { listings: 2, prices, ..Options::default() });
    let cost = |desk: &mut Desk| desk.post("Selling/Fees", &widget())["TotalCost"].clone();
    assert_eq!(cost(&mut desk), 0.25);
    desk.create(&widget());
    assert_eq!(cost(&mut desk), 0.4);
    assert_eq!(desk.get("MyTradeMe/Summary")["HighVolumeThreshold"], 3);
    for _ in 0..9 {
        desk.create(&widget());
    }
    let refused = desk.post("Selling", &widget());
    assert!(text(&refused["Description"]).contains("identical"), "{refused}");
}

#[test]
fn the_statement_adds_up_to_the_balance() {
    let (mut desk, id) = desk();
    desk.buy(id, 2);
    desk.edit(id, &json!({"Quantity": 3}));
    desk.wait(3_600);
    desk.post("Selling/Withdraw", &json!({"ListingId": id, "Type": 1, "SalePrice": 40.0}));
    let sum: i64 = desk.shop.statement().iter().map(|row| row.credit as i64 - row.debit as i64).sum();
    assert_eq!(u64::try_from(sum), Ok(desk.shop.balance_cents()));
    let page = desk.get("MyTradeMe/MemberLedger/Last7Days?type=AllDebits");
    let rows = page["List"].as_array().expect("rows").clone();
    let kinds: Vec<i64> = rows.iter().filter_map(|row| row["Type"].as_i64()).collect();
    assert_eq!(kinds, [5, 300, 5, 1]);
    assert!(rows.iter().all(|row| row["ReferenceId"] == id && row["Sku"] == "WID-BLU"));
    assert_eq!(rows[2]["PurchaseId"], desk.shop.sales()[0].id);
    assert_eq!(desk.get("MyTradeMe/MemberLedger/All")["TotalCount"], 5);
    assert_eq!(desk.send("GET", "MyTradeMe/MemberLedger/Ever", b"").status, 400);
}

#[test]
fn an_edit_that_did_not_know_of_a_sale_puts_it_back_and_the_shop_knows() {
    let (mut desk, id) = desk();
    let form = desk.form(id);
    desk.buy(id, 2);
    assert_eq!(desk.post("Selling/Edit", &form)["Success"], true, "an edit asks no questions");
    assert_eq!(desk.shop.listing(id).and_then(Listing::quantity), Some(7));
    let effect = desk.last();
    assert_eq!((effect.sold_since_read, effect.readded), (2, 2));
    assert_eq!(effect.before, Some(Stand { cents: 2_100, quantity: Some(5), sold: 2 }));
    // Who lowers it has not put anything back, and who has looked knows.
    let form = desk.form(id);
    desk.buy(id, 3);
    desk.post("Selling/Edit", &with(&form, &json!({"Quantity": 1})));
    assert_eq!((desk.last().sold_since_read, desk.last().readded), (3, 0));
    desk.edit(id, &json!({"Quantity": 9}));
    assert_eq!((desk.last().sold_since_read, desk.last().readded), (0, 0));
    // A form that never arrived was not read.
    desk.buy(id, 1);
    desk.fault(FaultKind::DropAfter);
    desk.send("GET", &format!("Selling/Listings/{id}"), b"");
    let blind = with(&widget(), &json!({"ListingId": id, "Quantity": 9}));
    desk.post("Selling/Edit", &blind);
    assert_eq!((desk.last().sold_since_read, desk.last().readded), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_list_shows_every_edit_after_the_lag_and_every_sale_at_once(
        steps in proptest::collection::vec((0_i64..60, prop_oneof![(1_u32..30).prop_map(Some), Just(None)]), 1..12),
    ) {
        let mut desk = Desk::new(Options { listings: 1, sales: 0, hourly_limit: None, ..Options::default() });
        let id = desk.create(&widget());
        desk.wait(100);
        // What was written, with the time at which the lists know of it.
        let (mut quantity, mut seen) = (7_i64, vec![(desk.now, 0_i64)]);
        for (wait, edit) in steps {
            desk.wait(wait);
            match edit {
                Some(to) => {
                    prop_assert_eq!(&desk.edit(id, &json!({"Quantity": to}))["Success"], &json!(true));
                    seen.push((desk.now + TimeDelta::seconds(75), i64::from(to) - quantity));
                    quantity = to.into();
                }
                // The last copy stays, so that it lives on.
                None if quantity > 1 => {
                    desk.buy(id, 1);
                    quantity -= 1;
                }
                None => {}
            }
            let added: i64 = seen.iter().filter(|(at, _)| *at > desk.now).map(|(_, added)| added).sum();
            let shown = desk.listed(id).map(|row| row["Quantity"].as_i64().unwrap_or(0));
            prop_assert_eq!(shown, Some((quantity - added).max(0)));
            prop_assert_eq!(&desk.form(id)["Quantity"], &json!(quantity));
        }
    }
}

#[test]
fn faults_before_the_work_prevent_it_and_faults_after_it_do_not() {
    let (mut desk, id) = desk();
    let mut price = 30;
    let mut try_with = |desk: &mut Desk, kind: FaultKind| {
        price += 1;
        let body = with(&widget(), &json!({"ListingId": id, "BuyNowPrice": price}));
        desk.fault(kind);
        let answer = desk.send("POST", "Selling/Edit", body.to_string().as_bytes());
        let done = desk.shop.listing(id).and_then(Listing::buy_now_cents) == Some(price * 100);
        (answer, done)
    };
    for (kind, done) in [
        (FaultKind::DropBefore, false),
        (FaultKind::Never, false),
        (FaultKind::ServerError, false),
        (FaultKind::Unavailable, false),
        (FaultKind::Html, false),
        (FaultKind::Garbage, false),
        (FaultKind::ErrorIn200 { long: false }, false),
        (FaultKind::TooMany { retry_after: 1 }, false),
        (FaultKind::Redirect, false),
        (FaultKind::RejectToken, false),
        (FaultKind::ClockSkew { seconds: 3_600 }, false),
        (FaultKind::DropAfter, true),
        (FaultKind::TruncateBody, true),
        (FaultKind::TruncateJson, true),
        (FaultKind::StatusAfter { status: 502 }, true),
        (FaultKind::Slow { millis: 60_000 }, true),
    ] {
        let before = desk.shop.effects().len();
        let (answer, is_done) = try_with(&mut desk, kind.clone());
        assert_eq!(is_done, done, "{kind:?}");
        assert_eq!(desk.shop.effects().len() - before, usize::from(done), "{kind:?}");
        let arrived = serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body["Success"] == true)
            && answer.delivery == Delivery::Whole;
        assert_eq!(arrived, matches!(kind, FaultKind::Slow { .. }), "{kind:?}");
        desk.shop.clear_faults();
    }
    let (answer, _) = try_with(&mut desk, FaultKind::StatusAfter { status: 502 });
    assert_eq!((answer.status, answer.content_type), (502, "text/html; charset=utf-8"));
    let faulted = desk.shop.ledger().seen().last().map(|seen| seen.verdict.clone());
    assert_eq!(faulted, Some(Verdict::Faulted(vec!["5xx-after"])));
}

#[test]
fn a_late_effect_comes_when_its_time_has_come_whoever_asks_then() {
    let (mut desk, id) = desk();
    let dearer = with(&desk.form(id), &json!({"BuyNowPrice": 99.0}));
    desk.fault(FaultKind::Late { seconds: 5 });
    let lost = desk.send("POST", "Selling/Edit", dearer.to_string().as_bytes());
    assert_eq!(lost.delivery, Delivery::HangUp);
    let at = desk.now + TimeDelta::seconds(5);
    desk.wait(4);
    assert_eq!(desk.form(id)["BuyNowPrice"], 21.0);
    desk.wait(60);
    assert_eq!(desk.form(id)["BuyNowPrice"], 99.0);
    assert_eq!((desk.last().at, desk.last().what), (at, What::Edited));
    desk.wait(60);
    desk.shop.settle(desk.now);
    assert_eq!(desk.whats(), [What::Created, What::Edited], "once");
}

#[test]
fn maintenance_refuses_writes() {
    let (mut desk, _) = desk();
    desk.shop.fault(FaultKind::Maintenance { seconds: 3_600 }.into(), desk.now);
    assert_eq!(desk.send("POST", "Selling", widget().to_string().as_bytes()).status, 503);
    desk.wait(3_600);
    desk.create(&with(&widget(), &json!({"Title": "After the break"})));
    assert_eq!(desk.whats(), [What::Created, What::Created]);
}

#[test]
fn the_seller_can_act_by_hand_and_has_the_same_rules() {
    let (mut desk, id) = desk();
    let form = desk.form(id);
    let edit = |title: Option<&str>, cents, quantity| ByHand::Edit {
        listing_id: id,
        title: title.map(str::to_owned),
        cents,
        quantity,
    };
    desk.shop.by_hand(&edit(None, Some(1_850), Some(4)), desk.now).expect("fine");
    let row = desk.form(id);
    assert_eq!(
        (&row["BuyNowPrice"], &row["Quantity"], &row["SKU"]),
        (&18.5.into(), &4.into(), &"WID-BLU".into())
    );
    assert_eq!((desk.last().by, desk.last().changed), (By::Hand, vec!["BuyNowPrice", "Quantity"]));
    assert!(desk.shop.by_hand(&edit(None, None, Some(0)), desk.now).is_err());
    desk.buy(id, 1);
    assert!(
        desk.shop.by_hand(&edit(Some("Red"), None, None), desk.now).is_err_and(|why| why.contains("Title"))
    );
    desk.shop.by_hand(&ByHand::Withdraw { listing_id: id }, desk.now).expect("live");
    assert_eq!(desk.post("Selling/Edit", &form)["Success"], false);
    let new = ByHand::Create { title: "By hand".to_owned(), cents: 500, quantity: 2, sku: None };
    let other = desk.shop.by_hand(&new, desk.now).expect("fine");
    assert_eq!(desk.form(other)["Title"], "By hand");
    assert!(desk.shop.by_hand(&ByHand::Withdraw { listing_id: 1 }, desk.now).is_err());
    assert_eq!(desk.whats(), [What::Created, What::Edited, What::Withdrawn, What::Created]);
}

#[tokio::test(start_paused = true)]
async fn writes_go_over_the_socket_and_the_control_port_shows_what_they_did() {
    let both = crate::sandbox::Options::new(ManualClock::at(NOON.parse().expect("a date")));
    let trademe = Options { listings: 5, sales: 0, unsold: 0, ..Options::default() };
    let sandbox = Sandbox::start(crate::sandbox::Options { articles: 10, orders: 0, trademe, ..both })
        .await
        .expect("a port");
    let base = sandbox.trademe_base_url();
    let send = async |kind: &str, body: String| {
        let path = "/v1/Selling.json";
        let origin = base.trim_end_matches("/v1");
        let now = sandbox.now();
        let header = sandbox.with_trademe(|shop| header(shop, "POST", origin, path, now));
        let mut ask = Ask::plain(&sandbox, "POST", path, &body);
        ask.headers.push(("Authorization".to_owned(), header));
        ask.headers.push(("Content-Type".to_owned(), kind.to_owned()));
        ask.send().await
    };
    assert_eq!(send("text/plain", widget().to_string()).await.expect("an answer").status, 400);
    let done = send("application/json; charset=utf-8", widget().to_string()).await.expect("an answer");
    let id = done.json()["ListingId"].as_i64().expect("a number");
    sandbox.fault(Fault::from(FaultKind::DropAfter).next(1).on_writes());
    let other = with(&widget(), &json!({"Title": "Red widget"})).to_string();
    assert!(send("application/json", other).await.is_err(), "the answer is lost");
    let hand = format!("{{\"shop\":\"trademe\",\"do\":\"edit\",\"listing_id\":{id},\"quantity\":3}}");
    let edited = control(&sandbox, "POST", "/hand", &hand).await;
    assert_eq!((edited.status, &edited.json()["listing_id"]), (200, &id.into()));
    for (body, status) in [
        ("{\"shop\":\"trademe\",\"do\":\"burn\"}", 400),
        ("{\"shop\":\"trademe\",\"do\":\"withdraw\",\"listing_id\":1}", 409),
    ] {
        assert_eq!(control(&sandbox, "POST", "/hand", body).await.status, status, "{body}");
    }
    assert_eq!(sandbox.by_hand_at_trademe(&ByHand::Withdraw { listing_id: id }), Ok(id));
    let seen = control(&sandbox, "GET", "/ledger", "").await.json()["trademe"].clone();
    let whats: Vec<&str> =
        seen["effects"].as_array().expect("a list").iter().map(|one| text(&one["what"])).collect();
    assert_eq!(whats, ["created", "created", "edited", "withdrawn"]);
    assert_eq!(seen["effects"][2]["before"]["quantity"], 7);
    assert_eq!((&seen["effects"][0]["by"], &seen["effects"][2]["by"]), (&"api".into(), &"hand".into()));
    assert_eq!(sandbox.trademe_effects().len(), 4);
    assert_eq!(control(&sandbox, "GET", "", "").await.json()["trademe"]["requests"]["effects"], 4);
}
