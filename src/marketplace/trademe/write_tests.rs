//! The writing client against answers made by hand: what leaves, what does not, and what is made of what comes back.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::DESCRIPTOR;
use super::tests::{Open, clock, member, options};
use crate::domain::{Bounds, Change, Currency, ErrorType, ListingId, Money, Obstacle, Offer, Operation};
use crate::http::oauth1::{Signer, Target};
use crate::http::{
    Attempt, Client, Gate, Outgoing, Parts, Pass, Random, Refusal, Settled, Transport, WireError,
    WireRequest, WireResponse, WritingClient,
};
use crate::marketplace::{Batch, Connection, Item, ItemOutcome, Options, Step, Wanted, WriteError, Writer};

const ID: ListingId = ListingId(5_123_456_789);
const BODY: &str = r#"{"ListingId":5123456789,"Title":"Blue widget","BuyNowPrice":21.0,"Quantity":7,"EndDateTime":"\/Date(1767830400000)\/","Category":"6853","ImmutableFields":[]}"#;

/// One request as it left: method, path with its query, and body.
type Left = (String, String, String);

/// Answers a request by its method and path; an error is a connection that broke after sending.
type Responder = Box<dyn Fn(&str) -> Result<(u16, String), ()> + Send + Sync>;

struct Wire {
    answer: Responder,
    left: Arc<Mutex<Vec<Left>>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        let path = request.url.strip_prefix("https://api.trademe.co.nz/v1/").expect("the base URL");
        let body = request.body.map_or(String::new(), |body| {
            assert_eq!(body.content_type, "application/json");
            String::from_utf8(body.bytes.to_vec()).unwrap()
        });
        self.left.lock().unwrap().push((request.method.to_owned(), path.to_owned(), body));
        let answer = (self.answer)(&format!("{} {path}", request.method));
        let lost =
            |()| WireError { error_type: ErrorType::Timeout, what: "no answer".to_owned(), unsent: false };
        let (status, body) = answer.map_err(lost)?;
        Ok(WireResponse { status, body: body.into_bytes(), ..WireResponse::default() })
    }
}

/// Notes which requests were to be counted.
#[derive(Default)]
struct Counting(Mutex<Vec<(&'static str, bool)>>);

#[async_trait]
impl Gate for Counting {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        self.0.lock().unwrap().push((outgoing.template, outgoing.counted));
        Ok(Pass { request_id: 1, asked: outgoing.asked, clock_offset_ms: 0 })
    }

    async fn settle(&self, _: Pass, _: &Attempt) -> Result<Settled, Refusal> {
        Ok(Settled::default())
    }
}

struct Account {
    writer: Box<dyn Writer>,
    left: Arc<Mutex<Vec<Left>>>,
}

impl Account {
    fn new(answer: impl Fn(&str) -> Result<(u16, String), ()> + Send + Sync + 'static) -> Self {
        Self::with(answer, Arc::new(Open), options("hmac-sha1"))
    }

    /// Answers with what the list says of a method and the beginning of a path, else with 400.
    fn saying(answers: &[(&'static str, &str)]) -> Self {
        let answers: Vec<(&str, String)> =
            answers.iter().map(|(at, body)| (*at, (*body).to_owned())).collect();
        Self::new(move |asked| {
            let said = answers.iter().find(|(at, _)| asked.starts_with(at));
            Ok(said.map_or((400, r#"{"ErrorDescription":"No such listing"}"#.to_owned()), |(_, b)| {
                (200, b.clone())
            }))
        })
    }

    fn with(
        answer: impl Fn(&str) -> Result<(u16, String), ()> + Send + Sync + 'static,
        gate: Arc<dyn Gate>,
        options: Options,
    ) -> Self {
        let left = Arc::default();
        let client = Client::new(Parts {
            transport: Arc::new(Wire { answer: Box::new(answer), left: Arc::clone(&left) }),
            gate,
            signer: Some(Signer::new((DESCRIPTOR.profile)(&options), &member())),
            headers: DESCRIPTOR.limit_headers,
            maintenance: DESCRIPTOR.maintenance,
            canary: (DESCRIPTOR.canary)(&Target::new(DESCRIPTOR.base_url).unwrap()),
            clock: clock(),
            random: Arc::new(Random::seeded(1)),
            max_per_second: NonZeroU32::MAX,
            request_timeout: Duration::from_secs(30),
        });
        let connect = DESCRIPTOR.connect_writing.expect("it can be written to");
        let base = Target::new(DESCRIPTOR.base_url).unwrap();
        let templates = Arc::default();
        let client = WritingClient::new(client);
        Self {
            writer: connect(Connection { base, currency: Currency::NZD, options, templates, client }),
            left,
        }
    }

    async fn write(&self, step: Step, item: Item) -> Result<ItemOutcome, WriteError> {
        let mut outcomes = self.writer.write(&Batch { step, items: vec![item] }).await?;
        assert_eq!(outcomes.len(), 1);
        Ok(outcomes.remove(0))
    }

    /// What was sent, without what was only asked.
    fn posted(&self) -> Vec<(String, String)> {
        let left = self.left.lock().unwrap();
        left.iter()
            .filter(|(method, ..)| method != "GET")
            .map(|(_, path, body)| (path.clone(), body.clone()))
            .collect()
    }

    fn paths(&self) -> Vec<String> {
        self.left.lock().unwrap().iter().map(|(_, path, _)| path.clone()).collect()
    }
}

fn offer(quantity: i64, minor: i64) -> Offer {
    let price = Money { minor, currency: Currency::NZD };
    Offer { quantity, in_carts: 0, price, attributes: r#"{"kind":"buy-now"}"#.to_owned() }
}

fn item(before: Offer, after: Option<Offer>) -> Item {
    Item {
        intents: vec![],
        sku: "WID-BLU".into(),
        listing_id: Some(ID),
        before: Some(before),
        after,
        reference: "p7-12".to_owned(),
    }
}

fn new_item() -> Item {
    let request = r#"{"kind":"buy-now","request":{"Category":"6853","Duration":7,"Title":"Blue widget"}}"#;
    let after = Some(Offer { attributes: request.to_owned(), ..offer(7, 2_100) });
    Item { listing_id: None, before: None, ..item(offer(0, 0), after) }
}

const SHAPE: &str = "GET Selling/Listings/5123456789.json";

#[tokio::test(start_paused = true)]
async fn an_edit_is_the_listing_as_it_stands_with_another_price_and_number_of_copies() {
    let done = r#"{"Success":true,"ListingId":5123456789,"Listing":{"Quantity":5}}"#;
    let account = Account::saying(&[(SHAPE, BODY), ("POST Selling/Edit.json", done)]);
    let outcome = account.write(Step::Edit, item(offer(7, 2_100), Some(offer(5, 1_995)))).await;
    assert_eq!(outcome, Ok(ItemOutcome::Done { listing_id: Some(ID), listed: Some(5) }));
    let sent = BODY.replace("21.0", "19.95").replace("\"Quantity\":7", "\"Quantity\":5");
    let sent = sent.replace("\"ImmutableFields\":[]", "\"ReturnListingDetails\":true");
    assert_eq!(account.posted(), [("Selling/Edit.json".to_owned(), sent)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_what_is_not_as_it_was_planned() {
    for (before, why) in [
        (offer(8, 2_100), "listed 8 when planned, 7 now"),
        (offer(7, 2_000), "20.00 NZD when planned, 21.00 NZD now"),
    ] {
        let account = Account::saying(&[(SHAPE, BODY)]);
        let outcome = account.write(Step::Lower, item(before, Some(offer(5, 2_000)))).await;
        assert_eq!(outcome, Ok(ItemOutcome::Changed(why.to_owned())));
        assert_eq!(account.posted(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_has_ended_is_said_to_have() {
    let withdrawn = r#"{"ListingId":5123456789,"BuyNowPrice":21,"WithdrawnBySeller":true}"#;
    let account = Account::saying(&[("GET Listings/5123456789.json?increment_view_count=false", withdrawn)]);
    for after in [Some(offer(5, 2_000)), None] {
        match account.write(Step::Edit, item(offer(7, 2_100), after)).await.unwrap() {
            ItemOutcome::Changed(why) => assert!(why.contains("it was withdrawn (No such listing)"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(account.posted(), []);
}

#[tokio::test(start_paused = true)]
async fn an_auction_is_neither_edited_nor_taken_down() {
    let auction = r#"{"ListingId":5123456789,"StartPrice":1.0,"Title":"One dollar widget"}"#;
    let account = Account::saying(&[(SHAPE, auction)]);
    for after in [Some(offer(1, 200)), None] {
        let outcome = account.write(Step::Remove, item(offer(1, 650), after)).await.unwrap();
        assert!(matches!(&outcome, ItemOutcome::Refused(why) if why.contains("auction")), "{outcome:?}");
    }
    assert_eq!(account.posted(), []);
}

#[tokio::test(start_paused = true)]
async fn with_no_copy_left_a_listing_is_taken_down_though_one_was_sold_meanwhile() {
    let done = r#"{"Success":true,"ListingId":5123456789}"#;
    for (step, before, after) in [
        (Step::Lower, offer(7, 2_100), Some(offer(0, 2_100))),
        (Step::Edit, offer(9, 2_100), Some(offer(0, 1_000))),
        (Step::Remove, offer(7, 1_900), None),
    ] {
        let account = Account::saying(&[(SHAPE, BODY), ("POST Selling/Withdraw.json", done)]);
        let outcome = account.write(step, item(before, after)).await;
        assert_eq!(outcome, Ok(ItemOutcome::Done { listing_id: None, listed: Some(0) }));
        let sent = r#"{"ListingId":5123456789,"Type":2,"Reason":"The item is no longer available."}"#;
        assert_eq!(account.posted(), [("Selling/Withdraw.json".to_owned(), sent.to_owned())]);
    }
    let account = Account::saying(&[(SHAPE, BODY)]);
    let outcome = account.write(Step::Remove, item(offer(6, 2_100), None)).await.unwrap();
    assert_eq!(outcome, ItemOutcome::Changed("listed 6 when planned, 7 now".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_new_listing_bears_the_sellers_key_and_our_reference() {
    let account = Account::saying(&[("POST Selling.json", r#"{"Success":true,"ListingId":5123456789}"#)]);
    let outcome = account.write(Step::Add, new_item()).await;
    assert_eq!(outcome, Ok(ItemOutcome::Done { listing_id: Some(ID), listed: None }));
    let sent = r#"{"Category":"6853","Duration":7,"Title":"Blue widget","BuyNowPrice":21.00,"Quantity":7,"SKU":"WID-BLU","ExternalReferenceId":"p7-12","ReturnListingDetails":true}"#;
    assert_eq!(account.posted(), [("Selling.json".to_owned(), sent.to_owned())]);
    let refusal = r#"{"Success":false,"Description":"Insufficient balance","ListingId":0}"#;
    let account = Account::saying(&[("POST Selling.json", refusal)]);
    let outcome = account.write(Step::Add, new_item()).await.unwrap();
    assert!(matches!(&outcome, ItemOutcome::TooDear(why) if why.contains("balance of the Trade Me account")));
}

#[tokio::test(start_paused = true)]
async fn what_brings_no_answer_is_in_doubt_and_sent_once() {
    let page = |status| Ok((status, "<html>".to_owned()));
    for answer in [Err(()), page(500), page(200), Ok((503, String::new()))] {
        let account = Account::new(move |_| answer.clone());
        let result = account.write(Step::Add, new_item()).await;
        assert!(matches!(result, Err(WriteError::InDoubt(_))), "{result:?}");
        assert_eq!(account.posted().len(), 1);
    }
    for body in ["", r#"{"Success":tr"#, "{}"] {
        let account = Account::new(move |_| Ok((200, body.to_owned())));
        assert_eq!(account.write(Step::Add, new_item()).await, Ok(ItemOutcome::Unclear), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_the_write_leaves_had_no_effect() {
    let account = Account::new(|asked| {
        assert!(asked.starts_with("GET"), "{asked}");
        Ok((500, String::new()))
    });
    let result = account.write(Step::Edit, item(offer(7, 2_100), Some(offer(5, 2_100)))).await;
    assert!(matches!(result, Err(WriteError::NoEffect(_))), "{result:?}");
    let two = Batch { step: Step::Add, items: vec![new_item(), new_item()] };
    assert!(matches!(account.writer.write(&two).await, Err(WriteError::NoEffect(_))));
}

fn change(op: Operation, after: Option<Offer>) -> Change {
    Change {
        op,
        sku: "WID-BLU".into(),
        listing_id: (op != Operation::Add).then_some(ID),
        title: "Blue widget".to_owned(),
        before: (op != Operation::Add).then(|| offer(7, 2_100)),
        after,
        reason: String::new(),
        bounds: Bounds::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_can_cost_is_asked_about_and_categories_take_no_quota() {
    let gate = Arc::new(Counting::default());
    let answer = |asked: &str| {
        Ok((
            200,
            match asked.split(' ').nth(1).unwrap() {
                "Selling/WithdrawFees.json" => r#"{"Success":true,"TotalCost":3.00}"#,
                "Selling/Validate.json" => r#"{"Success":true}"#,
                "Selling/Fees.json" => r#"{"Success":true,"TotalCost":0.55,"InsufficientBalance":true}"#,
                "Categories/6853/Details.json" => r#"{"CategoryId":6853,"AllowedDurations":[7]}"#,
                other => panic!("{other}"),
            }
            .to_owned(),
        ))
    };
    let account = Account::with(answer, gate.clone(), options("hmac-sha1"));
    let changes = [
        change(Operation::Price, Some(offer(7, 1_900))),
        change(Operation::Quantity, Some(offer(5, 2_100))),
        change(Operation::Zero, Some(offer(0, 2_100))),
        change(Operation::Add, new_item().after),
        change(Operation::Add, new_item().after),
        change(Operation::Add, Some(offer(1, 100))),
    ];
    let fees = account.writer.fees(&changes).await.unwrap();
    let seen: Vec<_> = fees.iter().map(|fee| (fee.change, fee.amount.minor)).collect();
    assert_eq!(seen, [(2, 300), (3, 55), (4, 55), (5, 0)]);
    assert_eq!(fees[0].obstacle, None);
    assert_eq!(fees[1].obstacle, Some(Obstacle::TooDear));
    assert!(matches!(&fees[3].obstacle, Some(Obstacle::Refused(why)) if why.contains("template")));
    let counted = gate.0.lock().unwrap().clone();
    assert_eq!(
        counted,
        [
            ("Selling/WithdrawFees", true),
            ("Categories/{id}/Details", false),
            ("Selling/Validate", true),
            ("Selling/Fees", true),
            ("Selling/Validate", true),
            ("Selling/Fees", true),
        ]
    );
    assert_eq!(account.posted()[1].1.matches("ExternalReferenceId").count(), 0);
    // Four that come and go, of which one is refused before anybody is asked, and the balance.
    let counts = [(Operation::Price, 1), (Operation::Quantity, 1), (Operation::Zero, 1), (Operation::Add, 2)];
    let asked = counted.iter().filter(|(_, counted)| *counted).count() as u64;
    assert_eq!(account.writer.fees_cost(&counts.into()), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn the_balance_bounds_what_can_be_spent_unless_fees_are_invoiced() {
    for (says, expected) in [
        (r#""Balance":84.2"#, Some(8_420)),
        (r#""Balance":-3.5,"AutoBillingEnabled":false"#, Some(-350)),
        (r#""Balance":0.1,"AutoBillingEnabled":true"#, None),
        (r#""Nickname":"x""#, None),
    ] {
        let summary = format!(r#"{{"MemberId":4001234,{says}}}"#);
        let account = Account::saying(&[("GET MyTradeMe/Summary.json", &summary)]);
        let balance = account.writer.balance().await.unwrap();
        assert_eq!(balance.map(|balance| balance.minor), expected, "{says}");
    }
    let account = Account::saying(&[("GET MyTradeMe/Summary.json", r#"{"MemberId":1,"Balance":"much"}"#)]);
    assert!(account.writer.balance().await.unwrap_err().to_string().contains("`Balance`"));
}

fn wanted(id: Option<ListingId>) -> Wanted {
    let reference = id.is_none().then(|| "p7-12".to_owned());
    Wanted { sku: "WID-BLU".into(), listing_id: id, attributes: "{}".to_owned(), reference }
}

fn page(rows: &[Value]) -> String {
    json!({"TotalCount": rows.len(), "Page": 1, "PageSize": rows.len(), "List": rows}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_known_listing_is_read_by_itself_and_counts_what_its_edit_request_says() {
    let shown = json!({
        "ListingId": ID.0, "Title": "Blue widget", "BuyNowPrice": 22, "Quantity": 9, "SKU": "WID-BLU",
        "EndDate": "/Date(1767830400000)/", "AsAt": "/Date(1767301200000)/", "IsBuyNowOnly": true,
    });
    let detail = "GET Listings/5123456789.json?increment_view_count=false";
    let account = Account::saying(&[(detail, &shown.to_string()), (SHAPE, BODY)]);
    let looked = account.writer.look(&[wanted(Some(ID))]).await.unwrap();
    let found: Vec<_> =
        looked.offered.iter().map(|l| (l.id, l.quantity, l.price.minor, l.sku.as_str())).collect();
    assert_eq!(found, [(ID, 7, 2_100, "WID-BLU")]);

    let mut over = shown;
    over["AsAt"] = json!("/Date(1767830400000)/");
    let account = Account::saying(&[(detail, &over.to_string()), (SHAPE, BODY)]);
    assert_eq!(account.writer.look(&[wanted(Some(ID))]).await.unwrap().offered, []);
    assert_eq!(account.paths().len(), 1);
    // Both ways have to say that it is not there.
    let account = Account::saying(&[]);
    assert_eq!(account.writer.look(&[wanted(Some(ID))]).await.unwrap().offered, []);
    assert_eq!(account.paths().len(), 2);
    let account = Account::saying(&[(SHAPE, BODY)]);
    assert!(account.writer.look(&[wanted(Some(ID))]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_new_listing_is_found_by_its_reference_though_it_is_sold_out() {
    let list = "GET MyTradeMe/SellingItems/All.json?page=1&rows=500&sort_order=ExpiryDesc";
    let sold = "GET MyTradeMe/SoldItems/Last7Days.json";
    let row = json!({"ListingId": ID.0, "BuyNowPrice": 21, "Quantity": 7, "ExternalReferenceId": "p7-12"});
    let other = json!({"ListingId": 5, "BuyNowPrice": 21, "Quantity": 7});
    let rows = page(&[other.clone(), row.clone()]);
    let account = Account::saying(&[(list, &rows), ("GET Listings/", &row.to_string()), (SHAPE, BODY)]);
    let looked = account.writer.look(&[wanted(None)]).await.unwrap();
    let found: Vec<_> = looked.offered.iter().map(|l| (l.id, l.quantity, l.sku.as_str())).collect();
    assert_eq!(found, [(ID, 7, "WID-BLU")]);
    assert_eq!(account.paths().len(), 3);
    // It is closing: the list has it still, and nothing of it can be bought.
    let mut closing = row.clone();
    (closing["Quantity"], closing["AvailableToBuy"]) = (Value::Null, json!("0"));
    let account = Account::saying(&[(list, &rows), ("GET Listings/", &closing.to_string())]);
    let looked = account.writer.look(&[wanted(None)]).await.unwrap();
    assert_eq!(looked.offered.iter().map(|l| (l.id, l.quantity)).collect::<Vec<_>>(), [(ID, 0)]);

    let gone = json!({"ListingId": ID.0, "Price": 21, "QuantitySold": 7, "ExternalReferenceId": "p7-12"});
    let account = Account::saying(&[(list, &page(std::slice::from_ref(&other))), (sold, &page(&[gone]))]);
    let looked = account.writer.look(&[wanted(None)]).await.unwrap();
    assert_eq!(looked.offered.iter().map(|l| (l.id, l.quantity)).collect::<Vec<_>>(), [(ID, 0)]);

    let account = Account::saying(&[(list, &page(&[other])), (sold, &page(&[]))]);
    assert_eq!(account.writer.look(&[wanted(None)]).await.unwrap().offered, []);
}

#[tokio::test(start_paused = true)]
async fn an_older_listing_with_the_same_reference_is_not_taken_for_the_new_one() {
    let of = |id: i64, sku: &str| json!({"ListingId": id, "BuyNowPrice": 21, "Quantity": 7, "SKU": sku, "ExternalReferenceId": "p7-12"});
    let at =
        |page: u32| format!("GET MyTradeMe/SellingItems/All.json?page={page}&rows=500&sort_order=ExpiryDesc");
    let (older, newer) = (of(5, "OTHER"), of(ID.0, "WID-BLU"));
    let paged = |page: u32, row: &Value| {
        json!({"TotalCount": 2, "Page": page, "PageSize": 1, "List": [row]}).to_string()
    };
    let answers = [(at(1), paged(1, &older)), (at(2), paged(2, &newer))];
    let account = Account::new({
        let newer = newer.to_string();
        move |asked| {
            let said = answers.iter().find(|(at, _)| *at == asked).map(|(_, body)| body.clone());
            let edit = || if asked.starts_with(SHAPE) { BODY.to_owned() } else { newer.clone() };
            Ok((200, said.unwrap_or_else(edit)))
        }
    });
    let looked = account.writer.look(&[wanted(None)]).await.unwrap();
    assert_eq!(looked.offered.iter().map(|l| l.id).collect::<Vec<_>>(), [ID]);
    // Among what was sold, too.
    let sold = json!({"ListingId": 5, "Price": 21, "SKU": "OTHER", "ExternalReferenceId": "p7-12"});
    let account = Account::saying(&[
        ("GET MyTradeMe/SellingItems/", &page(&[])),
        ("GET MyTradeMe/SoldItems/", &page(&[sold])),
    ]);
    assert_eq!(account.writer.look(&[wanted(None)]).await.unwrap().offered, []);
}

#[tokio::test(start_paused = true)]
async fn many_listings_are_looked_up_in_the_lists() {
    let row = |n: i64| json!({"ListingId": n, "BuyNowPrice": 21, "Quantity": n});
    let rows: Vec<Value> = (1..=40).map(row).collect();
    let account = Account::saying(&[("GET MyTradeMe/SellingItems/All.json", &page(&rows))]);
    let wanted: Vec<Wanted> = (1..=30).map(|n| wanted(Some(ListingId(n)))).collect();
    let looked = account.writer.look(&wanted).await.unwrap();
    assert_eq!(looked.offered.iter().map(|l| l.quantity).sum::<i64>(), 30 * 31 / 2);
    assert_eq!(account.paths().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn questions_and_listings_to_relist_are_counted() {
    let questions = r#"{"TotalCount":3,"Page":1,"PageSize":1,"List":[{"Comment":"Is it blue?"}]}"#;
    let unsold = page(&[
        json!({"ListingId": 1, "CanRelist": true}),
        json!({"ListingId": 2, "CanRelist": true, "RelistedItemId": 9}),
        json!({"ListingId": 3, "CanRelist": true, "IsWithdrawn": true}),
        json!({"ListingId": 4, "CanRelist": true, "OfferIsActive": true}),
        json!({"ListingId": 5}),
    ]);
    let account = Account::saying(&[
        ("GET Listings/Questions/UnansweredQuestions.json", questions),
        ("GET MyTradeMe/UnsoldItems/ItemsICanRelist.json", &unsold),
    ]);
    let waiting = account.writer.attention().await.unwrap();
    let words: Vec<&str> = waiting.iter().map(|what| what.words.as_str()).collect();
    assert_eq!(words, ["3 questions are unanswered", "1 listing ended unsold and could be relisted"]);
    assert_eq!(account.paths().len(), 2);
}

#[test]
fn the_lag_of_the_lists_can_be_set() {
    for (text, lag) in [("90s", 90), ("2m", 120), ("0s", 0)] {
        let mut options = options("hmac-sha1");
        options.insert("visibility_lag", text.to_owned());
        let account = Account::with(|_| Err(()), Arc::new(Open), options);
        assert_eq!(account.writer.capabilities().writes.visibility_lag, Duration::from_secs(lag));
    }
}
