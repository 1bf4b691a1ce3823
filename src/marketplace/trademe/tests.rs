//! The client against answers made by hand: what it asks for, and what the jobs make of what comes back.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::DESCRIPTOR;
use crate::clock::{ManualClock, SharedClock};
use crate::config::{self, OrderPoll, Work};
use crate::domain::{AccountName, Credentials, Currency, OrderId, Outcome, RunId, Trigger};
use crate::http::oauth1::{Signer, Target, Unsigned};
use crate::http::{
    Attempt, CallError, Client, Gate, Outgoing, Parts, Pass, Random, Refusal, Settled, Transport, WireError,
    WireRequest, WireResponse,
};
use crate::jobs::{self, Context, Errand, Report, Way, Worked};
use crate::marketplace::{Connection, Marketplace, Options};
use crate::policy::quota::WindowKind;
use crate::store::orders::OrderRow;
use crate::store::{Lane, Store, orders};

pub(super) fn options(signature: &str) -> Options {
    Options::from([("signature", signature.to_owned())])
}

/// The member of trademe.md 3.3.
pub(super) fn member() -> Credentials {
    Credentials::new(
        "4E0D082355116884742E5F33B8A199F411",
        "160FCF77971DC92A38596288DB071A8CA5",
        Some(("0A1B2C3D4E5F60718293A4B5C6D7E8F901", "1F2E3D4C5B6A79880F1E2D3C4B5A697802")),
    )
}

const TM4: (&str, i64, &str) = (
    "https://api.tmsandbox.co.nz/v1/MyTradeMe/SellingItems/All.json?page=1&rows=500",
    1_700_000_120,
    "c1b2c3d4e5f60718",
);
const TM6: (&str, i64, &str) = (
    "https://api.trademe.co.nz/v1/MyTradeMe/SoldItems/Last7Days.json?deleted=true&page=2&rows=50",
    1_700_000_240,
    "e1b2c3d4e5f60718",
);

fn header(signature: &str, (url, timestamp, nonce): (&str, i64, &str)) -> String {
    let signer = Signer::new((DESCRIPTOR.profile)(&options(signature)), &member());
    signer.header(&Unsigned::new("GET", &Target::parse(url).unwrap(), nonce, timestamp)).to_string()
}

#[test]
fn the_descriptor_signs_the_published_shapes_with_hmac() {
    let tm4 = header("hmac-sha1", TM4);
    assert!(tm4.ends_with(r#"oauth_signature="%2BJturQql7j%2B6WLZM1Xy6LU3YAKE%3D""#), "{tm4}");
    assert!(tm4.starts_with("OAuth oauth_consumer_key=") && tm4.contains(r#"oauth_version="1.0""#), "{tm4}");
    assert!(header("hmac-sha1", TM6).ends_with(r#"oauth_signature="WOgpz1PBiAYVhPi8W9A0BJ3isNg%3D""#));
}

#[test]
fn the_descriptor_signs_in_plaintext_without_stamp_and_version() {
    for request in [TM4, TM6] {
        assert_eq!(
            header("plaintext", request),
            r#"OAuth oauth_consumer_key="4E0D082355116884742E5F33B8A199F411", "#.to_owned()
                + r#"oauth_token="0A1B2C3D4E5F60718293A4B5C6D7E8F901", oauth_signature_method="PLAINTEXT", "#
                + r#"oauth_signature="160FCF77971DC92A38596288DB071A8CA5%261F2E3D4C5B6A79880F1E2D3C4B5A697802""#
        );
    }
}

#[test]
fn what_init_writes_for_it_is_a_configuration_with_its_own_keys() {
    let dir = tempfile::tempdir().unwrap();
    let answers = config::init::Answers {
        marketplace: &DESCRIPTOR,
        account: DESCRIPTOR.first_account.into(),
        timezone: chrono_tz::Tz::Pacific__Auckland,
        base_url: None,
        state_dir: None,
        credentials: Some(["ck", "cs", "at", "as"].map(Into::into)),
    };
    let shop = dir.path().join("shop");
    config::init::write(&shop, &config::init::files(&answers)).unwrap();
    let checked = config::load_with(&shop, &config::Places::default());
    assert_eq!(checked.diagnostics, []);
    let config = checked.config.unwrap();
    let account = &config.accounts[&AccountName::from("nz-shop")];
    assert_eq!((account.limit, account.currency), (Some(1_000), Currency::NZD));
    assert_eq!(account.options["oauth_url"], "https://api.trademe.co.nz/Oauth");
    assert_eq!(account.options["authorize_url"], "https://trademe.co.nz/Oauth/Authorize");
    assert_eq!(account.options["signature"], "hmac-sha1");
    assert_eq!(account.options["visibility_lag"], "90s");
    let settings = shop.join("sellerd.toml");
    let text =
        std::fs::read_to_string(&settings).unwrap().replace("hmac-sha1\"", "rsa-sha1\"").replace("90s", "90");
    std::fs::write(&settings, text.replace("https://trademe", "http://trademe")).unwrap();
    let wrong = config::load_with(&shop, &config::Places::default());
    let messages: Vec<&str> = wrong.errors().map(|error| error.message.as_str()).collect();
    assert!(
        matches!(messages[..], [url, method, lag] if url.contains("`authorize_url`")
            && method.contains("`signature`") && lag.contains("`visibility_lag` is not a span of time")),
        "{messages:?}"
    );
}

#[test]
fn before_there_is_a_login_no_token_is_sent() {
    let app = Credentials::new("key", "secret", None);
    for signature in ["hmac-sha1", "plaintext"] {
        let signer = Signer::new((DESCRIPTOR.profile)(&options(signature)), &app);
        let target = Target::parse(TM4.0).unwrap();
        assert!(!signer.header(&Unsigned::new("GET", &target, "n", 1)).contains("oauth_token="));
    }
}

/// Status and body for a path with its query.
type Responder = Box<dyn Fn(&str) -> (u16, String) + Send + Sync>;

/// Answers every request by its path and query.
struct Wire {
    answer: Responder,
    asked: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        assert!(request.authorization.is_some_and(|header| header.contains("oauth_signature=")));
        let path =
            request.url.strip_prefix("https://api.trademe.co.nz/v1/").expect("the base URL").to_owned();
        let (status, body) = (self.answer)(&path);
        self.asked.lock().unwrap().push(path);
        // The server writes every slash escaped (trademe.md 4.2).
        let body = body.replace('/', r"\/").into_bytes();
        Ok(WireResponse { status, body, ..WireResponse::default() })
    }
}

pub(super) struct Open;

#[async_trait]
impl Gate for Open {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        Ok(Pass { request_id: 1, asked: outgoing.asked, clock_offset_ms: 0 })
    }

    async fn settle(&self, _: Pass, _: &Attempt) -> Result<Settled, Refusal> {
        Ok(Settled::default())
    }
}

/// An account whose requests are answered by `answer`, and what was asked.
fn account(
    clock: &SharedClock,
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (Box<dyn Marketplace>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::default();
    let options = options("hmac-sha1");
    let client = Client::new(Parts {
        transport: Arc::new(Wire { answer: Box::new(answer), asked: Arc::clone(&asked) }),
        gate: Arc::new(Open),
        signer: Some(Signer::new((DESCRIPTOR.profile)(&options), &member())),
        headers: DESCRIPTOR.limit_headers,
        maintenance: DESCRIPTOR.maintenance,
        canary: (DESCRIPTOR.canary)(&Target::new(DESCRIPTOR.base_url).unwrap()),
        clock: clock.clone(),
        random: Arc::new(Random::seeded(1)),
        max_per_second: NonZeroU32::MIN,
        request_timeout: Duration::from_secs(30),
    });
    let base = Target::new(DESCRIPTOR.base_url).unwrap();
    let market = (DESCRIPTOR.connect)(Connection {
        base,
        currency: Currency::NZD,
        options,
        templates: Arc::default(),
        client,
    });
    (market, asked)
}

pub(super) fn clock() -> SharedClock {
    ManualClock::at("2026-01-02T00:00:00Z".parse().unwrap())
}

/// The page of `rows` that a URL asks for, of at most `cap` rows, as the server cuts it.
fn page_of(rows: &[Value], url: &str, cap: usize) -> (u16, String) {
    let page: usize =
        url.split("page=").nth(1).and_then(|rest| rest.split('&').next()).unwrap().parse().unwrap();
    let shown: Vec<&Value> = rows.iter().skip((page - 1) * cap).take(cap).collect();
    let body = json!({"TotalCount": rows.len(), "Page": page, "PageSize": shown.len(), "List": shown});
    (200, body.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_stock_is_read_to_its_end_though_fewer_rows_come_than_were_asked_for() {
    let rows: Vec<Value> = (1..=250)
        .map(|n| json!({"ListingId": 5_000_000_000_i64 + n, "BuyNowPrice": 2.5, "Quantity": n, "Title": "A/B"}))
        .collect();
    let (market, asked) = account(&clock(), move |url| page_of(&rows, url, 100));
    let (mut listings, mut at) = (Vec::new(), None);
    loop {
        let page = market.stock_page(at.as_ref()).await.unwrap();
        assert_eq!((page.total, page.complaints.len()), (Some(250), 0));
        listings.extend(page.listings);
        at = page.next;
        if at.is_none() {
            break;
        }
    }
    assert_eq!(listings.iter().map(|listing| listing.quantity).sum::<i64>(), 250 * 251 / 2);
    assert!(listings.iter().all(|listing| listing.title == "A/B"));
    let path = "MyTradeMe/SellingItems/All.json";
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3].map(|page| format!("{path}?page={page}&rows=500")));
}

#[tokio::test(start_paused = true)]
async fn the_summary_says_who_we_are() {
    let summary =
        r#"{"MemberId":4001234,"Nickname":"sample_seller","Email":"a@example.test","Balance":-3.5}"#;
    let (market, asked) = account(&clock(), |_| (200, summary.to_owned()));
    let identity = market.identity().await.unwrap();
    assert_eq!((identity.name.as_str(), identity.id), ("sample_seller", 4_001_234));
    assert_eq!(*asked.lock().unwrap(), ["MyTradeMe/Summary.json"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_one_whatever_its_body() {
    for body in ["", "<html>", "oauth_problem=token_rejected", r#"{"ErrorDescription":"x"}"#] {
        let (market, asked) = account(&clock(), move |_| (401, body.to_owned()));
        assert!(matches!(market.identity().await, Err(CallError::Unauthorized { .. })));
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
    let (market, _) = account(&clock(), |_| (200, r#"{"Success":false,"Description":"no"}"#.to_owned()));
    assert!(matches!(market.identity().await, Err(CallError::Rejected { status: 200, .. })));
    let (market, _) = account(&clock(), |_| (200, "{}".to_owned()));
    assert!(market.identity().await.unwrap_err().to_string().contains("`MemberId` is missing"));
    let (market, _) = account(&clock(), |_| (404, "<html>".to_owned()));
    assert!(market.stock_page(None).await.unwrap_err().to_string().contains("check `base_url`"));
}

/// A shop whose sold items a test changes, polled by the real job into a real database.
struct Till {
    _dir: tempfile::TempDir,
    store: Store,
    clock: Arc<ManualClock>,
    asked: Vec<String>,
}

impl Till {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-01-02T00:00:00Z".parse().unwrap());
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, now).unwrap();
        Self { _dir: dir, store, clock, asked: Vec::new() }
    }

    /// Polls while the lists show these rows; one that is not named is empty.
    async fn poll(&mut self, page_size: usize, lists: &[(&'static str, &[Value])]) -> Report {
        let lists: BTreeMap<&str, Vec<Value>> =
            lists.iter().map(|(name, rows)| (*name, rows.to_vec())).collect();
        let clock: SharedClock = self.clock.clone();
        let (market, asked) = account(&clock, move |url| {
            let name = url.split(['/', '.']).nth(2).unwrap();
            page_of(lists.get(name).map_or(&[], Vec::as_slice), url, page_size)
        });
        let context = Context {
            store: self.store.clone(),
            clock,
            run: RunId(1),
            job: "poll".into(),
            account: Some(Worked {
                name: AccountName::from("nz"),
                way: Way::Looks(market),
                currency: Currency::NZD,
                grace: Duration::ZERO,
                window: WindowKind::Hour,
                limit: None,
                shelf: Default::default(),
                turn: Default::default(),
                earmarks: Default::default(),
            }),
            errand: Errand::Usual,
            trigger: Trigger::Manual,
            progress: Arc::default(),
            state_dir: std::path::PathBuf::new(),
            stop: CancellationToken::new(),
        };
        let report = jobs::work(&Work::OrderPoll(OrderPoll {}), &context).await.unwrap();
        self.asked = asked.lock().unwrap().clone();
        report
    }

    async fn orders(&self) -> Vec<OrderRow> {
        let rows = self.store.read(|tx| {
            let mut rows = Vec::new();
            orders::each(tx, None, |row| {
                rows.push(row);
                Ok(())
            })?;
            Ok(rows)
        });
        rows.await.unwrap()
    }
}

fn sold(purchase: i64, cart: Option<i64>, price: i64, status: i64) -> Value {
    json!({
        "PurchaseId": purchase, "OrderId": cart, "ListingId": 5_000_000_000_i64 + purchase, "Status": status,
        "Price": price, "TotalSalePrice": price + 5, "SoldDate": format!("/Date({})/", 1_767_304_800_000 + purchase),
    })
}

#[tokio::test(start_paused = true)]
async fn a_cart_is_what_its_purchases_add_up_to_wherever_they_stand() {
    let mut till = Till::open();
    let (a, b) = (sold(812_000_001, Some(99_001), 20, 0), sold(812_000_002, Some(99_001), 30, 0));
    let alone = sold(812_000_003, None, 7, 20);
    let all = [a.clone(), alone.clone(), b.clone()];

    // Each on a page of its own, in every list.
    let lists: Vec<(&'static str, &[Value])> =
        ["LastHour", "Last24Hours", "Last7Days", "Last45Days"].map(|name| (name, all.as_slice())).to_vec();
    let report = till.poll(1, &lists).await;
    assert_eq!(
        (report.outcome(), report.counts["orders_new"], report.counts["movements"]),
        (Outcome::Success, 2, 3)
    );
    let orders = till.orders().await;
    let seen: Vec<_> =
        orders.iter().map(|order| (order.order_id.0, order.total_minor, order.lines.len())).collect();
    assert_eq!(seen, [(99_001, 6_000, 2), (812_000_003, 1_200, 1)]);

    // One has dropped out of the list: nothing changes.
    let report = till.poll(500, &[("LastHour", &[b.clone(), alone.clone()])]).await;
    assert_eq!((report.counts["orders_unchanged"], report.counts["movements"]), (2, 0));
    assert!(!report.counts.contains_key("orders_changed"));
    assert_eq!(till.orders().await, orders);

    // The order is sent once all of it is.
    let state = |orders: &[OrderRow]| orders[0].state.clone();
    till.poll(500, &[("LastHour", &[sold(812_000_001, Some(99_001), 20, 30)])]).await;
    assert_eq!(state(&till.orders().await), "bought");
    till.poll(500, &[("LastHour", &[sold(812_000_002, Some(99_001), 30, 30)])]).await;
    let orders = till.orders().await;
    assert_eq!((state(&orders), orders[0].total_minor), ("sent".to_owned(), 6_000));
}

#[tokio::test(start_paused = true)]
async fn lists_are_read_by_their_cadence_and_a_hidden_sale_stays() {
    let mut till = Till::open();
    let sale = [sold(812_000_003, None, 7, 20)];
    let lists = |till: &Till| -> Vec<String> {
        let name = |path: &String| path.split('/').nth(2).unwrap().split('.').next().unwrap().to_owned();
        till.asked.iter().map(name).collect()
    };
    till.poll(500, &[("LastHour", &sale)]).await;
    assert_eq!(lists(&till), ["LastHour", "Last24Hours", "Last7Days", "Last45Days"]);
    till.clock.jump(chrono::TimeDelta::minutes(5));
    till.poll(500, &[]).await;
    assert_eq!(lists(&till), ["LastHour"]);
    till.clock.jump(chrono::TimeDelta::minutes(60));
    till.poll(500, &[]).await;
    assert_eq!(lists(&till), ["LastHour", "Last24Hours"]);
    till.clock.jump(chrono::TimeDelta::hours(6));
    till.poll(500, &[]).await;
    assert_eq!(lists(&till), ["LastHour", "Last24Hours", "Last7Days"]);
    assert_eq!(till.orders().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_costs_no_other() {
    let mut till = Till::open();
    let mut broken = sold(812_000_001, Some(99_001), 20, 0);
    broken["Price"] = json!("free");
    let report = till.poll(500, &[("LastHour", &[broken, sold(812_000_003, None, 7, 0)])]).await;
    assert_eq!((report.outcome(), report.counts["orders_new"]), (Outcome::Partial, 1));
    let words = report.words().unwrap();
    assert!(words.contains("row 1 of SoldItems/LastHour, page 1: purchase 812000001: `Price`"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_shown_twice_counts_once() {
    let mut till = Till::open();
    let (in_cart, alone) = (sold(812_000_001, Some(99_001), 20, 0), sold(812_000_003, None, 7, 0));
    let rows = [in_cart.clone(), alone.clone(), in_cart, alone];
    for page_size in [1, 3, 500] {
        till.poll(page_size, &[("LastHour", &rows)]).await;
        let orders = till.orders().await;
        assert_eq!(orders.iter().map(|order| order.total_minor).collect::<Vec<_>>(), [2_500, 1_200]);
    }
    let moved: i64 = till
        .store
        .read(|tx| {
            let (account, mut moved) = (AccountName::from("nz"), 0);
            for id in [99_001, 812_000_003] {
                moved +=
                    orders::line_nets(tx, &account, OrderId(id))?.iter().map(|line| line.net).sum::<i64>();
            }
            Ok(moved)
        })
        .await
        .unwrap();
    assert_eq!(moved, -2);
}
