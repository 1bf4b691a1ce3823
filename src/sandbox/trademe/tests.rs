//! The shop at Trade Me over real sockets, as a client meets it. Time stands still, so that ends and spans can be
//! met exactly.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::signature::{Signed, sign};
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::sandbox::visitor::{Ask, Reply, control, get as get_at_cardmarket};
use crate::sandbox::{Fault, FaultKind, Sandbox, Venue, Verdict};

const NOON: &str = "2026-03-02T12:00:00Z";
static NONCE: AtomicU64 = AtomicU64::new(1);

fn clock(at: &str) -> Arc<ManualClock> {
    ManualClock::at(at.parse().expect("a date"))
}

/// No lag and no closing, so that tests that are not about them need not wait.
fn prompt() -> Options {
    Options { sold_lag: TimeDelta::zero(), closing: TimeDelta::zero(), ..Options::default() }
}

fn small() -> Options {
    Options { listings: 120, sales: 0, unsold: 4, ..prompt() }
}

async fn open(options: Options) -> Sandbox {
    let both = crate::sandbox::Options::new(clock(NOON));
    Sandbox::start(crate::sandbox::Options { articles: 250, orders: 3, trademe: options, ..both })
        .await
        .expect("a free port")
}

/// A request under construction: who signs it, and what is changed of it.
struct Call<'a> {
    sandbox: &'a Sandbox,
    path: String,
    query: Option<String>,
    method: &'a str,
    token: bool,
    timestamp: i64,
    nonce: String,
}

impl<'a> Call<'a> {
    fn new(sandbox: &'a Sandbox, resource: &str) -> Self {
        let (resource, query) = match resource.split_once('?') {
            Some((resource, query)) => (resource, Some(query.to_owned())),
            None => (resource, None),
        };
        let nonce = format!("n{}", NONCE.fetch_add(1, Ordering::SeqCst));
        let (path, timestamp) = (format!("/v1/{resource}.json"), sandbox.now().timestamp());
        Self { sandbox, path, query, method: "HMAC-SHA1", token: true, timestamp, nonce }
    }

    fn header(&self) -> String {
        let keys = self.sandbox.trademe_credentials();
        let base = self.sandbox.trademe_base_url();
        let origin = base.trim_end_matches("/v1");
        let signed =
            Signed { method: "GET", origin, path: &self.path, query: self.query.as_deref(), form: None };
        let timestamp = self.timestamp.to_string();
        let mut pairs =
            vec![("oauth_consumer_key", keys.consumer_key.as_str()), ("oauth_signature_method", self.method)];
        if self.method == "HMAC-SHA1" {
            pairs.extend([
                ("oauth_timestamp", timestamp.as_str()),
                ("oauth_nonce", self.nonce.as_str()),
                ("oauth_version", "1.0"),
            ]);
        }
        if self.token {
            pairs.push(("oauth_token", &keys.token));
        }
        let token_secret = if self.token { keys.token_secret.as_str() } else { "" };
        sign(&pairs, &signed, &keys.consumer_secret, token_secret)
    }

    async fn send_with(self, header: Option<&str>) -> Reply {
        let mut ask = Ask::plain(self.sandbox, "GET", &self.path, "");
        ask.query = self.query;
        ask.headers.extend(header.map(|header| ("Authorization".to_owned(), header.to_owned())));
        ask.send().await.expect("an answer")
    }

    async fn send(self) -> Reply {
        let header = self.header();
        self.send_with(Some(&header)).await
    }
}

async fn get(sandbox: &Sandbox, resource: &str) -> Reply {
    Call::new(sandbox, resource).send().await
}

async fn json(sandbox: &Sandbox, resource: &str) -> Value {
    let reply = get(sandbox, resource).await;
    assert_eq!(reply.status, 200, "{resource}: {}", reply.text());
    reply.json()
}

fn rows(page: &Value) -> &[Value] {
    page["List"].as_array().map_or(&[], Vec::as_slice)
}

fn numbers(page: &Value, name: &str) -> Vec<i64> {
    rows(page).iter().map(|row| row[name].as_i64().expect(name)).collect()
}

/// Walks all pages by what came back and returns the numbers found.
async fn walk(sandbox: &Sandbox, list: &str, rows_wanted: usize, id: &str) -> Vec<i64> {
    let mut all = Vec::new();
    for page in 1.. {
        let page = json(sandbox, &format!("{list}?page={page}&rows={rows_wanted}")).await;
        let found = numbers(&page, id);
        if found.is_empty() {
            break;
        }
        assert_eq!(page["PageSize"], found.len());
        all.extend(found);
    }
    all
}

/// A live listing with at least so many copies.
fn plenty(sandbox: &Sandbox, copies: u32) -> i64 {
    let now = sandbox.now();
    let found = sandbox.with_trademe(|shop| {
        shop.live(now).find(|row| row.quantity().is_some_and(|left| left >= copies)).map(|row| row.id)
    });
    found.expect("such a listing")
}

fn auction(sandbox: &Sandbox) -> i64 {
    let now = sandbox.now();
    let found = sandbox
        .with_trademe(|shop| shop.live(now).find(|row| row.next_bid_cents().is_some()).map(|row| row.id));
    found.expect("an auction")
}

fn one(listing_id: i64, quantity: u32) -> Purchase {
    Purchase { listing_id: Some(listing_id), quantity: Some(quantity), ..Purchase::default() }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a date")
}

#[tokio::test(start_paused = true)]
async fn both_shops_are_announced_and_answer_side_by_side() {
    let sandbox = open(small()).await;
    let line = sandbox.announcement();
    let trademe = &line["trademe"];
    assert_eq!(trademe["base_url"], sandbox.trademe_base_url());
    assert!(trademe["oauth_url"].as_str().is_some_and(|url| url.ends_with("/Oauth")));
    assert!(trademe["authorize_url"].as_str().is_some_and(|url| url.ends_with("/Oauth/Authorize")));
    for name in ["consumer_key", "consumer_secret", "token", "token_secret"] {
        let key = trademe["credentials"][name].as_str().expect(name);
        assert!(
            key.len() == 34 && key.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        );
    }
    let here = get(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((here.status, here.header("x-pretend-shop")), (200, Some("sellerd sandbox")));
    assert_eq!(get_at_cardmarket(&sandbox, "/account").await.status, 200);
    assert_eq!((sandbox.requests().len(), sandbox.trademe_requests().len()), (1, 1));
    assert_eq!(sandbox.trademe_requests_by_hour().into_iter().collect::<Vec<_>>(), [(at(NOON), 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_seller_sells_the_same_things_in_both_shops() {
    let sandbox = open(Options::default()).await;
    let there: BTreeSet<String> = sandbox.with_shop(|shop| shop.goods().map(|thing| thing.sku).collect());
    let page = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
    let here: BTreeSet<String> =
        rows(&page).iter().filter_map(|row| row["SKU"].as_str().map(str::to_owned)).collect();
    assert!(there.intersection(&here).count() >= 10, "{there:?} {here:?}");
    assert!(here.difference(&there).count() >= 10);
    let article = get_at_cardmarket(&sandbox, "/stock/1").await.text();
    let sku = there.intersection(&here).next().expect("one of them");
    assert!(article.contains(&format!("[sku:{sku}]")));
}

#[tokio::test(start_paused = true)]
async fn both_ways_of_signing_are_accepted_and_nothing_else() {
    let sandbox = open(small()).await;
    let call = || Call::new(&sandbox, "MyTradeMe/Summary");
    assert_eq!(call().send().await.status, 200);
    assert_eq!(Call { method: "PLAINTEXT", ..call() }.send().await.status, 200);
    let header = call().header();
    let unquoted = header.replace('"', "").replace("realm=, ", "").replace(", ", ",");
    assert_eq!(call().send_with(Some(&unquoted)).await.status, 200);
    let changed = |from: &str, to: &str| call().header().replace(from, to);
    for (what, header) in [
        ("nothing", None),
        ("another signature", Some(changed("oauth_signature=\"", "oauth_signature=\"AAAA"))),
        ("another way", Some(changed("HMAC-SHA1", "RSA-SHA1"))),
        ("another app", Some(changed("consumer_key=\"", "consumer_key=\"0"))),
        ("another token", Some(changed("oauth_token=\"", "oauth_token=\"0"))),
        ("no token", Some(Call { token: false, ..call() }.header())),
        ("another path", Some(Call::new(&sandbox, "mytrademe/summary").header())),
        ("another query", Some(Call::new(&sandbox, "MyTradeMe/Summary?x=1").header())),
    ] {
        let reply = call().send_with(header.as_deref()).await;
        assert_eq!(reply.status, 401, "{what}");
        assert!(
            reply.json()["ErrorDescription"].is_string() && reply.json()["Request"].is_string(),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn paths_are_found_in_any_case_but_signed_as_sent() {
    let sandbox = open(small()).await;
    for resource in ["mytrademe/sellingitems/all", "MYTRADEME/SELLINGITEMS/ALL", "MyTradeMe/SellingItems/All"]
    {
        assert_eq!(get(&sandbox, resource).await.status, 200, "{resource}");
    }
    let mut shouted = Call::new(&sandbox, "MyTradeMe/Summary");
    shouted.path = "/V1/MyTradeMe/Summary.JSON".to_owned();
    assert_eq!(shouted.send().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn oauth_parameters_in_the_url_are_refused() {
    let sandbox = open(small()).await;
    let token = sandbox.trademe_credentials().token.clone();
    let call = Call::new(&sandbox, &format!("MyTradeMe/Summary?oauth_token={token}"));
    assert_eq!(call.send().await.status, 401);
    let why = sandbox.trademe_requests().pop().map(|seen| seen.verdict);
    assert_eq!(why, Some(Verdict::Unauthorized("oauth_token stands in the URL".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn timestamps_are_fresh_and_nonces_new_unless_that_is_switched_off() {
    for (options, refused) in
        [(small(), 401), (Options { freshness: None, refuse_replays: false, ..small() }, 200)]
    {
        let sandbox = open(options).await;
        let call = || Call::new(&sandbox, "MyTradeMe/Summary");
        for (off, status) in [(-301, refused), (301, refused), (-300, 200), (300, 200)] {
            let timestamp = sandbox.now().timestamp() + off;
            assert_eq!(Call { timestamp, ..call() }.send().await.status, status, "{off}");
        }
        let header = call().header();
        for status in [200, refused] {
            assert_eq!(call().send_with(Some(&header)).await.status, status);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_may_look_like_anything() {
    let sandbox = open(small()).await;
    sandbox.fault(Fault::from(FaultKind::RejectToken).at(Venue::Trademe));
    let looks = |form| {
        sandbox.with_trademe(|shop| shop.options_mut().unauthorized = form);
        get(&sandbox, "MyTradeMe/Summary")
    };
    assert!(looks(Unauthorized::ErrorResult).await.json()["ErrorDescription"].is_string());
    assert_eq!(looks(Unauthorized::Empty).await.body.len(), 0);
    assert!(looks(Unauthorized::Html).await.text().starts_with("<!DOCTYPE html>"));
    let problem = looks(Unauthorized::OauthProblem).await;
    assert_eq!((problem.status, problem.text().as_str()), (401, "oauth_problem=token_rejected"));
    assert_eq!(
        get_at_cardmarket(&sandbox, "/account").await.status,
        200,
        "the other shop knows nothing of it"
    );
    sandbox.fault(FaultKind::Restore);
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_grant_ends_when_the_member_says_and_covers_what_was_granted() {
    let clock = clock(NOON);
    let both = crate::sandbox::Options::new(clock.clone());
    let trademe = Options { revoked_at: Some(at(NOON) + TimeDelta::minutes(1)), ..small() };
    let options = crate::sandbox::Options { articles: 10, orders: 0, trademe, ..both };
    let sandbox = Sandbox::start(options).await.expect("a free port");
    let listing = format!("Listings/{}", plenty(&sandbox, 1));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    clock.jump(TimeDelta::minutes(1));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 401);
    let alone = Call { token: false, ..Call::new(&sandbox, &listing) };
    assert_eq!(alone.send().await.status, 200, "the app itself is still known");
    let nobody = Call::new(&sandbox, "Categories").send_with(None).await;
    assert_eq!((nobody.status, nobody.header("cache-control")), (200, Some("max-age=59")));
    sandbox.fault(FaultKind::Restore);
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    let narrow = open(Options { scopes: Scopes { read: false, write: true }, ..small() }).await;
    assert_eq!(get(&narrow, "MyTradeMe/Summary").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_clock_hour_has_its_allowance_and_the_catalogue_is_free() {
    let clock = clock("2026-03-02T12:59:50Z");
    let both = crate::sandbox::Options::new(clock.clone());
    let trademe = Options { hourly_limit: Some(2), ..small() };
    let options = crate::sandbox::Options { articles: 10, orders: 0, trademe, ..both };
    let sandbox = Sandbox::start(options).await.expect("a free port");
    assert_eq!(Call::new(&sandbox, "MyTradeMe/Summary").send_with(None).await.status, 401);
    for status in [200, 200, 429, 429] {
        let reply = get(&sandbox, "MyTradeMe/Summary").await;
        assert_eq!(reply.status, status);
        let told = reply.headers.iter().any(|(name, _)| name.contains("limit") || name == "retry-after");
        assert!(!told, "the allowance is not told: {:?}", reply.headers);
    }
    assert_eq!(get(&sandbox, "Categories/6853").await.status, 200);
    sandbox.with_trademe(|shop| shop.options_mut().too_many = TooMany::Empty);
    let empty = get(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((empty.status, empty.body.len()), (429, 0));
    let seen = sandbox.trademe_requests();
    assert_eq!(seen[3].verdict, Verdict::TooMany("hour"));
    clock.jump(TimeDelta::seconds(10));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    let counts: Vec<u64> = sandbox.trademe_requests_by_hour().into_values().collect();
    assert_eq!(counts, [5, 1], "who does not name an app costs nobody anything");
}

#[tokio::test(start_paused = true)]
async fn failed_logins_of_a_known_app_cost_its_hour_if_so_chosen() {
    for (count_refused, last) in [(true, 429), (false, 200)] {
        let sandbox = open(Options { hourly_limit: Some(2), count_refused, ..small() }).await;
        for status in [401, 401, last] {
            let call = Call::new(&sandbox, "MyTradeMe/Summary");
            let header = call.header();
            let wrong = header.replace("oauth_signature=\"", "oauth_signature=\"AAAA");
            let header = if status == 401 { wrong } else { header };
            assert_eq!(call.send_with(Some(&header)).await.status, status);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_urls_are_pages_and_wrong_requests_are_errors() {
    let sandbox = open(small()).await;
    for resource in ["Account/Balance", "MyTradeMe/SoldItems", "Selling/Update"] {
        let reply = get(&sandbox, resource).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("text/html; charset=utf-8")));
    }
    let mut bare = Call::new(&sandbox, "MyTradeMe/Summary");
    bare.path = "/v1/MyTradeMe/Summary".to_owned();
    assert_eq!(bare.send().await.status, 404);
    for resource in [
        "MyTradeMe/SoldItems/All",
        "MyTradeMe/SellingItems/Everything",
        "MyTradeMe/UnsoldItems/Last30Days",
        "Listings/1",
        "Listings/x",
        "Selling/Listings/1",
        "Categories/11111",
    ] {
        let reply = get(&sandbox, resource).await;
        assert_eq!(reply.status, 400, "{resource}");
        assert!(reply.text().starts_with("{\"Request\":\"http:\\/\\/127.0.0.1"), "{}", reply.text());
    }
    let category = get(&sandbox, "Categories/11111").await.json();
    assert_eq!(category["ErrorDescription"], "Category 11111 was not found");
    let mut xml = Call::new(&sandbox, "MyTradeMe/SoldItems/All");
    xml.path = xml.path.replace(".json", ".xml");
    let reply = xml.send().await;
    assert_eq!((reply.status, reply.header("content-type")), (400, Some("text/xml; charset=utf-8")));
    assert!(reply.text().contains("<ErrorDescription>"));
}

#[tokio::test(start_paused = true)]
async fn pages_of_any_size_are_the_whole_list_and_the_server_caps_them() {
    for (max_rows, wanted) in [(500, 500), (500, 7), (30, 500), (1, 50)] {
        let sandbox = open(Options { max_rows, listings: 61, ..small() }).await;
        let found = walk(&sandbox, "MyTradeMe/SellingItems/All", wanted, "ListingId").await;
        assert_eq!(found.len(), 61, "{max_rows} {wanted}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 61);
        assert!(found.iter().all(|id| *id > 1 << 32));
    }
    let sandbox = open(small()).await;
    let usual = json(&sandbox, "MyTradeMe/SellingItems/All").await;
    assert_eq!((&usual["TotalCount"], &usual["PageSize"]), (&120.into(), &50.into()));
    let last = json(&sandbox, "MyTradeMe/SellingItems/All?page=3").await;
    assert_eq!((&last["Page"], &last["PageSize"]), (&3.into(), &20.into()));
    let ends = |page: &Value| rows(page).iter().map(|row| row["EndDate"].to_string()).collect::<Vec<_>>();
    let whole = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
    assert!(ends(&whole).is_sorted());
    let backwards = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500&sort_order=ExpiryDesc").await;
    assert!(ends(&backwards).iter().rev().is_sorted());
    let empty = open(Options { listings: 0, omit_defaults: false, ..small() }).await;
    assert_eq!(json(&empty, "MyTradeMe/SellingItems/All").await["List"], Value::Array(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_left_out_like_all_that_has_no_value() {
    let sandbox = open(small()).await;
    let reply = get(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    let fields: Vec<String> = reply.json().as_object().expect("an object").keys().cloned().collect();
    assert!(!fields.contains(&"List".to_owned()), "{fields:?}");
    let page = get(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
    let all = page.json();
    let zeros = rows(&all).iter().flat_map(|row| row.as_object().expect("a row").values());
    let zeros =
        zeros.filter(|value| value.is_null() || **value == false || **value == 0 || **value == 0.0).count();
    assert!((20..600).contains(&zeros), "few of about 1,800 stay: {zeros}");
    assert!(page.text().contains("\"\\/Date(") && page.text().contains("https:\\/\\/"));
    let whole = open(Options { omit_defaults: false, ..small() }).await;
    let row = rows(&json(&whole, "MyTradeMe/SellingItems/All").await)[0].clone();
    for name in ["BidCount", "ListingLength", "HasReserve", "StartPrice", "SKU", "ExternalReferenceId"] {
        assert!(row.get(name).is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn filters_of_live_listings_mean_what_they_say() {
    let sandbox = open(Options { listings: 312, ..small() }).await;
    let count = async |filter: &str| {
        json(&sandbox, &format!("MyTradeMe/SellingItems/{filter}")).await["TotalCount"].as_i64().unwrap_or(0)
    };
    let all = count("All").await;
    let mut met = Vec::new();
    for filter in ["ClosingToday", "ListingsWithBids", "ReserveMet", "ReserveNotMet", "UnansweredQuestions"] {
        let part = count(filter).await;
        assert!(part > 0 && part < all, "{filter} {part}");
        met.push(part);
    }
    let questions = json(&sandbox, "Listings/Questions/UnansweredQuestions").await;
    assert_eq!(questions["TotalCount"], met[4]);
    let question = &rows(&questions)[0];
    assert_eq!((&question["Answer"], &question["AnswerDate"]), (&"".into(), &"/Date(0)/".into()));
    assert!(question["ListingQuestionId"].is_i64() && question["AskingMember"]["Nickname"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_sale_lowers_the_quantity_at_once_and_is_listed_after_the_lag() {
    let sandbox = open(Options { sold_lag: TimeDelta::seconds(75), ..small() }).await;
    let id = plenty(&sandbox, 3);
    let before = json(&sandbox, &format!("Selling/Listings/{id}")).await["Quantity"].as_i64().expect("stock");
    let bought = sandbox.buy_at_trademe(&one(id, 2)).expect("enough");
    let left = json(&sandbox, &format!("Selling/Listings/{id}")).await["Quantity"].as_i64();
    assert_eq!(left, Some(before - 2));
    for (seconds, seen) in [(0, 0), (74, 0), (75, 1), (3_599, 1), (3_600, 0)] {
        sandbox.set_offset(TimeDelta::seconds(seconds));
        let page = json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
        assert_eq!(rows(&page).len(), seen, "after {seconds} s");
        for row in rows(&page) {
            assert_eq!(row["PurchaseId"], bought[0].purchase_id);
            assert_eq!((&row["ListingId"], &row["QuantitySold"]), (&id.into(), &2.into()));
            assert_eq!(row["ReferenceNumber"], format!("P{}", bought[0].purchase_id));
            assert!(row.get("Quantity").is_none());
            let cents = (row["TotalSalePrice"].as_f64().expect("money") * 100.0).round();
            assert_eq!(cents as u64, bought[0].total_cents);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn filters_by_time_reach_back_as_far_as_they_say() {
    let sandbox = open(small()).await;
    let id = plenty(&sandbox, 1);
    sandbox.with_trademe(|shop| shop.listing_mut(id).expect("it").end += TimeDelta::days(60));
    sandbox.buy_at_trademe(&one(id, 1)).expect("enough");
    let hours = [
        ("LastHour", 1),
        ("Last24Hours", 24),
        ("Last3Days", 72),
        ("Last7Days", 168),
        ("Last30Days", 720),
        ("Last45Days", 1_080),
    ];
    for (filter, span) in hours {
        for (after, seen) in
            [(TimeDelta::hours(span) - TimeDelta::seconds(1), 1), (TimeDelta::hours(span), 0)]
        {
            sandbox.set_offset(after);
            let page = json(&sandbox, &format!("MyTradeMe/SoldItems/{filter}")).await;
            assert_eq!(
                rows(&page).iter().filter(|row| row["ListingId"] == id).count(),
                seen,
                "{filter} {after}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_copy_closes_a_listing_and_its_sales_show_when_it_has_closed() {
    let sandbox = open(Options { closing: TimeDelta::seconds(30), ..small() }).await;
    let id = plenty(&sandbox, 1);
    let quantity = sandbox.with_trademe(|shop| shop.listing(id).and_then(Listing::quantity)).expect("stock");
    sandbox.buy_at_trademe(&one(id, quantity)).expect("enough");
    let is_live = async || {
        let page = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
        numbers(&page, "ListingId").contains(&id)
    };
    let sales = async || {
        let details = json(&sandbox, &format!("Listings/{id}")).await;
        details["Sales"].as_array().map_or(0, Vec::len)
    };
    assert!(is_live().await);
    assert_eq!(sales().await, 0, "closing");
    sandbox.set_offset(TimeDelta::seconds(30));
    assert!(!is_live().await);
    assert_eq!(sales().await, 1);
    let unsold = json(&sandbox, "MyTradeMe/UnsoldItems/Last45Days?rows=500").await;
    assert!(!numbers(&unsold, "ListingId").contains(&id));
    assert!(sandbox.buy_at_trademe(&one(id, 1)).is_err());
    sandbox.set_offset(TimeDelta::days(46));
    assert_eq!(get(&sandbox, &format!("Listings/{id}")).await.status, 400, "gone after 45 days");
}

#[tokio::test(start_paused = true)]
async fn what_ends_with_stock_is_unsold_and_what_is_withdrawn_cannot_be_relisted() {
    let sandbox = open(small()).await;
    let (ended, withdrawn) = sandbox.with_trademe(|shop| {
        let now = at(NOON);
        let ids: Vec<i64> = shop.live(now).filter(|row| row.quantity().is_some()).map(|row| row.id).collect();
        shop.listing_mut(ids[0]).expect("it").end = now + TimeDelta::minutes(1);
        shop.listing_mut(ids[1]).expect("it").withdrawn = Some(now + TimeDelta::minutes(1));
        (ids[0], ids[1])
    });
    sandbox.set_offset(TimeDelta::minutes(2));
    let list = async |filter: &str| json(&sandbox, &format!("MyTradeMe/UnsoldItems/{filter}?rows=500")).await;
    let all = list("LastHour").await;
    assert_eq!(
        numbers(&all, "ListingId").into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([ended, withdrawn])
    );
    let find = |id: i64| rows(&all).iter().find(|row| row["ListingId"] == id).expect("listed").clone();
    assert_eq!((&find(ended)["CanRelist"], &find(withdrawn)["IsWithdrawn"]), (&true.into(), &true.into()));
    let relistable = numbers(&list("ItemsICanRelist").await, "ListingId");
    assert!(relistable.contains(&ended) && !relistable.contains(&withdrawn));
    assert!(list("ItemsIHaveOffered").await["List"].as_array().is_none_or(Vec::is_empty));
}

#[tokio::test(start_paused = true)]
async fn an_auction_is_won_when_it_ends_and_late_bids_move_its_end() {
    let sandbox = open(small()).await;
    let id = auction(&sandbox);
    let bid = |cents| {
        sandbox.buy_at_trademe(&Purchase {
            listing_id: Some(id),
            bid_cents: Some(cents),
            ..Purchase::default()
        })
    };
    let end = sandbox.with_trademe(|shop| shop.listing(id).expect("it").end);
    sandbox.set_offset(end - at(NOON) - TimeDelta::seconds(1));
    assert!(bid(1).is_err());
    assert_eq!(bid(1_000_000), Ok(Vec::new()), "a bid is no purchase yet");
    let late = sandbox.with_trademe(|shop| shop.listing(id).expect("it").end);
    assert_eq!(late, end + TimeDelta::seconds(119));
    sandbox.set_offset(late - at(NOON) + TimeDelta::seconds(5));
    let page = json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    let row = rows(&page).iter().find(|row| row["ListingId"] == id).expect("it was won");
    assert_eq!(
        (&row["SoldType"], &row["Price"], &row["QuantitySold"]),
        (&"Auction".into(), &10_000.0.into(), &1.into())
    );
    assert_eq!(row["SoldDate"], format!("/Date({})/", late.timestamp_millis()));
    let purchases = sandbox.with_trademe(|shop| shop.sales().len());
    json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    assert_eq!(sandbox.with_trademe(|shop| shop.sales().len()), purchases, "it is won once");
}

#[tokio::test(start_paused = true)]
async fn a_cart_is_several_purchases_of_one_order_or_none_at_all() {
    let sandbox = open(small()).await;
    let ids: Vec<i64> = sandbox.with_trademe(|shop| {
        shop.live(at(NOON)).filter(|row| row.quantity().is_some()).map(|row| row.id).take(3).collect()
    });
    let cart = |last: u32| {
        let lines = [(ids[0], 1), (ids[1], 1), (ids[2], last)];
        let cart = lines.map(|(listing_id, quantity)| CartLine { listing_id, quantity }).to_vec();
        Purchase { cart, pay: Some(false), address: Some(false), ..Purchase::default() }
    };
    let copies =
        || sandbox.with_trademe(|shop| shop.live(at(NOON)).filter_map(Listing::quantity).sum::<u32>());
    let before = copies();
    assert!(sandbox.buy_at_trademe(&cart(1_000)).is_err());
    assert_eq!(copies(), before, "what cannot be had as a whole stays");
    let bought = sandbox.buy_at_trademe(&cart(1)).expect("enough");
    let page = json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    assert_eq!((copies(), rows(&page).len()), (before - 3, 3));
    let orders: BTreeSet<i64> = numbers(&page, "OrderId").into_iter().collect();
    assert_eq!(orders, BTreeSet::from([bought[0].order_id.expect("a cart")]));
    sandbox.act_at_trademe(bought[2].purchase_id, Action::Pay(PayBy::Afterpay)).expect("it can be paid");
    sandbox.act_at_trademe(bought[2].purchase_id, Action::Address).expect("it can be sent");
    sandbox.act_at_trademe(bought[2].purchase_id, Action::Mark(Status::GoodsShipped)).expect("any order");
    for row in rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour").await) {
        assert_eq!(row["PaymentDetails"]["PaymentType"], 64, "the whole cart is paid");
        assert!(row["DeliveryAddress"]["Name"].as_str().is_some_and(|name| name.ends_with("-Canary")));
        assert_eq!(row["Status"] == 30, row["PurchaseId"] == bought[2].purchase_id);
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_and_payments_come_later_and_a_bank_deposit_is_never_confirmed() {
    let sandbox = open(small()).await;
    let unpaid = Purchase { pay: Some(false), address: Some(false), ..one(plenty(&sandbox, 1), 1) };
    let id = sandbox.buy_at_trademe(&unpaid).expect("enough")[0].purchase_id;
    let row = async || rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour").await)[0].clone();
    let first = row().await;
    assert!(first["DeliveryAddress"].is_null() && first["PaymentDetails"].is_null());
    assert_eq!(first["PaymentMethod"], 1);
    let act = |action| sandbox.act_at_trademe(id, action).expect("it follows");
    assert!(sandbox.act_at_trademe(id, Action::Refund).is_err(), "nothing was paid");
    assert_eq!(act(Action::Pay(PayBy::BankDeposit)).paid, Paid::No);
    assert_eq!(act(Action::Mark(Status::PaymentReceived)).status, 20);
    assert_eq!((&row().await["Status"], row().await["PaymentDetails"].is_null()), (&20.into(), true));
    act(Action::Pending);
    assert_eq!(row().await["IsPaymentPending"], true);
    assert_eq!(act(Action::Pay(PayBy::Ping)).paid, Paid::Yes);
    let paid = row().await;
    assert_eq!(paid["PaymentDetails"]["PaymentAmount"], paid["TotalSalePrice"]);
    assert_ne!(paid["IsPaymentPending"], true);
    act(Action::Refund);
    assert_eq!(row().await["PaymentDetails"]["RefundCollection"][0]["Amount"], paid["TotalSalePrice"]);
    act(Action::Mark(Status::None));
    assert_ne!(row().await["Status"], 20);
    act(Action::Hide);
    assert!(rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour").await).is_empty());
    assert_eq!(rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour?deleted=true").await).len(), 1);
    assert_eq!(sandbox.act_at_trademe(1, Action::Hide), Err(ActError::NoSuchPurchase(1)));
}

#[tokio::test(start_paused = true)]
async fn buyers_buy_as_they_like_until_nothing_is_left() {
    let sandbox = open(Options { listings: 30, ..small() }).await;
    let copies: u32 = sandbox.with_trademe(|shop| shop.live(at(NOON)).filter_map(Listing::quantity).sum());
    while sandbox.buy_at_trademe(&Purchase::default()).is_ok() {}
    let sold = |shop: &mut Shop| shop.sales().iter().map(|sale| sale.quantity).sum::<u32>();
    assert_eq!(sandbox.with_trademe(sold), copies);
    let sales = sandbox.with_trademe(|shop| shop.sales().to_vec());
    let paid = |after: i64| {
        let now = at(NOON) + TimeDelta::seconds(after);
        sales.iter().filter(|sale| sale.paid(now) == Paid::Yes && sale.has_address(now)).count()
    };
    assert!(paid(0) > 0 && paid(0) < paid(1_800) && paid(1_800) < sales.len());
    assert!(
        sales.iter().any(|sale| sale.order_id.is_some()) && sales.iter().any(|sale| sale.order_id.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_seller_is_shown_what_is_the_sellers() {
    let sandbox = open(small()).await;
    let id = plenty(&sandbox, 2);
    sandbox.buy_at_trademe(&one(id, 1)).expect("enough");
    let resource = format!("Listings/{id}?increment_view_count=false");
    let mine = json(&sandbox, &resource).await;
    assert!(mine["Quantity"].is_i64() && mine["Sales"].as_array().is_some_and(|sales| sales.len() == 1));
    let theirs = Call { token: false, ..Call::new(&sandbox, &resource) }.send().await.json();
    assert_eq!(theirs["ListingId"], id);
    assert!(theirs.get("Quantity").is_none() && theirs["Sales"].as_array().is_none_or(Vec::is_empty));
}

#[tokio::test(start_paused = true)]
async fn the_summary_counts_what_the_lists_show() {
    let sandbox = open(Options { sales: 9, ..small() }).await;
    let summary = json(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((&summary["Nickname"], &summary["SellingCount"]), (&"demo-shop".into(), &120.into()));
    assert_eq!((&summary["SoldCount"], &summary["UnsoldCount"]), (&9.into(), &4.into()));
    assert!(summary["Balance"].as_f64().is_some_and(|balance| balance > 0.0));
    assert_eq!(rows(&json(&sandbox, "MyTradeMe/SoldItems/Last45Days").await).len(), 9);
}

#[tokio::test(start_paused = true)]
async fn maintenance_moves_the_ends_that_it_would_have_hidden() {
    let sandbox = open(small()).await;
    let soon = plenty(&sandbox, 1);
    sandbox.with_trademe(|shop| shop.listing_mut(soon).expect("it").end = at(NOON) + TimeDelta::hours(3));
    let ends = || {
        sandbox.with_trademe(|shop| shop.listings().iter().map(|row| (row.id, row.end)).collect::<Vec<_>>())
    };
    let before = ends();
    sandbox.fault(FaultKind::Maintenance { seconds: 4 * 3_600 });
    for ((id, was), (_, is)) in before.into_iter().zip(ends()) {
        let in_it = was > at(NOON) && was <= at(NOON) + TimeDelta::hours(4);
        assert_eq!(is - was, if in_it { TimeDelta::hours(4) } else { TimeDelta::zero() }, "{id}");
    }
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 503);
    assert_eq!(get_at_cardmarket(&sandbox, "/account").await.status, 200);
    sandbox.set_offset(TimeDelta::hours(4));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_future_and_the_masked_can_be_tried_out() {
    let sandbox = open(Options { sales: 9, ..small() }).await;
    let odd = async |kind: FaultKind| {
        sandbox.clear_faults();
        sandbox.fault(kind);
        json(&sandbox, "MyTradeMe/SoldItems/Last45Days").await
    };
    let future = odd(FaultKind::UnknownField).await;
    assert!(future["FutureField"].is_object() && rows(&future)[0]["Buyer"]["FutureField"].is_object());
    let unknown = odd(FaultKind::NewEnum).await;
    let row = &rows(&unknown)[0];
    assert_eq!(
        (&row["Status"], &row["ShippingType"], &row["PaymentMethod"]),
        (&250.into(), &250.into(), &250.into())
    );
    let masked = odd(FaultKind::Masked).await;
    assert!(rows(&masked).iter().all(|row| row["Buyer"]["MemberId"].as_i64().unwrap_or(0) == 0));
    assert!(
        rows(&masked)
            .iter()
            .all(|row| row["Buyer"]["Nickname"].as_str().is_some_and(|name| name.contains("***")))
    );
}

#[tokio::test(start_paused = true)]
async fn pages_shift_repeat_and_rot_as_asked() {
    let sandbox = open(small()).await;
    let page = async |resource: &str| json(&sandbox, resource).await;
    let list = "MyTradeMe/SellingItems/All?rows=40&page=";
    let ids = walk(&sandbox, "MyTradeMe/SellingItems/All", 40, "ListingId").await;
    let second = async || numbers(&page(&format!("{list}2")).await, "ListingId");
    sandbox.fault(Fault::from(FaultKind::DuplicateRow).next(1));
    assert_eq!(second().await[..2], ids[39..41]);
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: false }).next(1));
    assert_eq!(second().await[0], ids[41], "one is skipped");
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: true }).next(1));
    assert_eq!(second().await[0], ids[40], "one comes back");
    sandbox.buy_at_trademe(&Purchase { count: Some(6), ..Purchase::default() }).expect("enough");
    let sold = "MyTradeMe/SoldItems/LastHour?rows=3&page=";
    let first = numbers(&page(&format!("{sold}1")).await, "PurchaseId");
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: true }).next(1));
    assert_eq!(
        numbers(&page(&format!("{sold}2")).await, "PurchaseId")[0],
        first[2],
        "a new sale pushes the last"
    );
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: false }).next(1));
    assert_ne!(numbers(&page(&format!("{sold}2")).await, "PurchaseId")[0], first[2]);
    for (list, id, price) in [(&list, "ListingId", "BuyNowPrice"), (&sold, "PurchaseId", "Price")] {
        sandbox.fault(Fault::from(FaultKind::BadRows { rows: 3 }).next(1));
        let bad = page(&format!("{list}1")).await;
        let bad = rows(&bad);
        assert!(bad[0].get(id).is_none() && !bad[1][id].is_i64() && bad[2][price] == "abc", "{list}");
    }
    sandbox.fault(Fault::from(FaultKind::EmptyStock).next(1));
    assert!(rows(&page(&format!("{list}1")).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn broken_answers_are_broken_as_asked() {
    let sandbox = open(small()).await;
    let reply = async |kind: FaultKind| {
        sandbox.fault(Fault::from(kind).next(1).at(Venue::Trademe));
        get(&sandbox, "MyTradeMe/SellingItems/All").await
    };
    assert_eq!(reply(FaultKind::Status { status: 502 }).await.status, 502);
    assert_eq!(reply(FaultKind::Unavailable).await.status, 503);
    let html = reply(FaultKind::Html).await;
    assert!(html.status == 200 && html.text().starts_with("<!DOCTYPE html>"));
    let cut = reply(FaultKind::TruncateJson).await;
    assert!(cut.is_whole() && serde_json::from_slice::<Value>(&cut.body).is_err());
    assert!(!reply(FaultKind::TruncateBody).await.is_whole());
    let failure = reply(FaultKind::ErrorIn200 { long: false }).await;
    assert_eq!((failure.status, &failure.json()["Success"]), (200, &false.into()));
    assert!(failure.json()["Description"].as_str().is_some_and(|text| text.contains("\r\n")));
    let long = reply(FaultKind::ErrorIn200 { long: true }).await;
    assert!(long.status == 200 && long.json()["ErrorDescription"].is_string());
    let limited = reply(FaultKind::TooMany { retry_after: 7 }).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    let moved = reply(FaultKind::RedirectAway { to: None }).await;
    let away = "http://elsewhere.invalid/v1/MyTradeMe/SellingItems/All.json";
    assert_eq!((moved.status, moved.header("location")), (307, Some(away)));
    sandbox.fault(Fault::from(FaultKind::DropAfter).next(1).at(Venue::Trademe));
    let mut ask = Ask::plain(&sandbox, "GET", "/v1/MyTradeMe/Summary.json", "");
    let header = Call::new(&sandbox, "MyTradeMe/Summary").header();
    ask.headers.push(("Authorization".to_owned(), header));
    assert!(ask.send().await.is_err());
    sandbox.fault(Fault::from(FaultKind::Exhaust).at(Venue::Trademe));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 429);
    sandbox.clear_faults();
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_skewed_shop_shows_the_wrong_date_and_refuses_the_right_one() {
    let sandbox = open(small()).await;
    assert_eq!(
        get(&sandbox, "MyTradeMe/Summary").await.header("date"),
        Some("Mon, 02 Mar 2026 12:00:00 GMT")
    );
    sandbox.fault(FaultKind::ClockSkew { seconds: 600 });
    let reply = get(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((reply.status, reply.header("date")), (401, Some("Mon, 02 Mar 2026 12:10:00 GMT")));
    let timestamp = sandbox.now().timestamp() + 600;
    let corrected = Call { timestamp, ..Call::new(&sandbox, "MyTradeMe/Summary") };
    assert_eq!(corrected.send().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_control_port_reaches_both_shops() {
    let sandbox = open(small()).await;
    let id = plenty(&sandbox, 2);
    let purchase = format!(
        "{{\"shop\":\"trademe\",\"listing_id\":{id},\"quantity\":2,\"pay\":true,\"by\":\"afterpay\"}}"
    );
    let bought = control(&sandbox, "POST", "/buy", &purchase).await.json();
    let number = bought["purchases"][0]["purchase_id"].as_i64().expect("a number");
    let path = |action: &str| format!("/order/{number}/{action}");
    let here = "{\"shop\":\"trademe\"}";
    let shipped = control(&sandbox, "POST", &path("goods-shipped"), here).await.json();
    assert_eq!((&shipped["status"], &shipped["paid"]), (&30.into(), &"yes".into()));
    for (path, body, status) in [
        (path("burn"), here, 404),
        (path("address"), "", 404),
        ("/order/1/address".to_owned(), here, 404),
        (path("address"), "{\"shop\":\"ebay\"}", 400),
        ("/buy".to_owned(), "{\"shop\":\"trademe\",\"listing_id\":1}", 409),
        ("/buy".to_owned(), "{\"shop\":\"trademe\",\"listing\":1}", 400),
        ("/fault".to_owned(), "{\"fault\":\"masked\",\"shop\":\"cardmarket\"}", 400),
    ] {
        assert_eq!(control(&sandbox, "POST", &path, body).await.status, status, "{path} {body}");
    }
    control(&sandbox, "POST", "/fault", "{\"fault\":\"html\",\"shop\":\"trademe\",\"next\":1}").await;
    let state = control(&sandbox, "GET", "", "").await.json();
    assert_eq!(state["faults"].as_array().map(Vec::len), Some(0));
    assert_eq!(state["trademe"]["faults"][0]["fault"], "html");
    assert_eq!(state["trademe"]["purchases"], 1);
    let faults = control(&sandbox, "POST", "/fault", "{\"fault\":\"garbage\"}").await.json();
    let named: Vec<_> =
        faults["faults"].as_array().expect("a list").iter().map(|fault| fault["shop"].clone()).collect();
    assert_eq!(named, ["cardmarket", "trademe", "trademe"]);
    assert_eq!(control(&sandbox, "DELETE", "/fault", "").await.status, 200);
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    let seen = control(&sandbox, "GET", "/requests", "").await.json();
    assert_eq!(seen["trademe"]["requests"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_answer_with_equal_bytes() {
    let (one, same) = (open(Options::default()).await, open(Options::default()).await);
    for resource in
        ["MyTradeMe/SellingItems/All?rows=500", "MyTradeMe/SoldItems/Last45Days", "MyTradeMe/Summary"]
    {
        assert_eq!(get(&one, resource).await.body, get(&same, resource).await.body, "{resource}");
    }
    let buy = Purchase { count: Some(5), ..Purchase::default() };
    assert_eq!(one.buy_at_trademe(&buy), same.buy_at_trademe(&buy));
}

#[tokio::test(start_paused = true)]
async fn buyers_come_by_themselves() {
    let clock = clock(NOON);
    let both = crate::sandbox::Options::new(clock.clone());
    let options = crate::sandbox::Options {
        articles: 500,
        orders: 0,
        buyers: Some(Duration::from_secs(10)),
        trademe: small(),
        ..both
    };
    let sandbox = Sandbox::start(options).await.expect("a free port");
    clock.sleep(Duration::from_secs(300)).await;
    let sales = sandbox.with_trademe(|shop| shop.sales().len());
    assert!((10..120).contains(&sales), "{sales}");
}

/// One step towards a grant, signed with these pairs and this secret besides the app's.
async fn step(
    sandbox: &Sandbox,
    name: &str,
    query: Option<&str>,
    pairs: &[(&str, &str)],
    secret: &str,
) -> Reply {
    let keys = sandbox.trademe_credentials();
    let base = sandbox.trademe_base_url();
    let (origin, path) = (base.trim_end_matches("/v1"), format!("/Oauth/{name}"));
    let signed = Signed { method: "POST", origin, path: &path, query, form: None };
    let timestamp = sandbox.now().timestamp().to_string();
    let nonce = format!("n{}", NONCE.fetch_add(1, Ordering::SeqCst));
    let known = [
        ("oauth_consumer_key", keys.consumer_key.as_str()),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_nonce", &nonce),
    ];
    let header = sign(&[&known, pairs].concat(), &signed, &keys.consumer_secret, secret);
    let mut ask = Ask::plain(sandbox, "POST", &path, "");
    ask.query = query.map(str::to_owned);
    ask.with_authorization(&header).await.expect("an answer")
}

fn field(form: &str, name: &str) -> String {
    signature::parameters(form).find(|(known, _)| known == name).expect(name).1
}

async fn decide(sandbox: &Sandbox, token: &str, decision: &str) -> Reply {
    let mut shown = Ask::plain(sandbox, "GET", "/Oauth/Authorize", "");
    shown.query = Some(format!("oauth_token={token}"));
    assert!(shown.send().await.expect("a page").text().contains("Allow"));
    let form = format!("oauth_token={token}&decision={decision}");
    Ask::plain(sandbox, "POST", "/Oauth/Authorize", &form).send().await.expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn a_member_can_grant_access_again_by_number_and_only_the_new_token_is_worth_something() {
    let sandbox = open(small()).await;
    sandbox.fault(Fault::from(FaultKind::Revoke { empty_body: false }).at(Venue::Trademe));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 401);
    let scope = Some("scope=MyTradeMeRead,MyTradeMeWrite");
    let asked = step(&sandbox, "RequestToken", scope, &[("oauth_callback", "oob")], "").await;
    assert_eq!((asked.status, asked.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let asked = asked.text();
    assert_eq!(field(&asked, "oauth_callback_confirmed"), "true");
    let (token, secret) = (field(&asked, "oauth_token"), field(&asked, "oauth_token_secret"));
    let exchange = async |pin: &str| {
        let pairs = [("oauth_token", token.as_str()), ("oauth_verifier", pin)];
        step(&sandbox, "AccessToken", None, &pairs, &secret).await
    };
    assert_eq!(exchange("").await.status, 401, "nobody has allowed it");
    let page = decide(&sandbox, &token, "allow").await.text();
    let pin = page.split_once("id=\"pin\">").and_then(|(_, rest)| rest.split_once('<')).expect("a number").0;
    assert_eq!(exchange("0000000").await.status, 401);
    let granted = exchange(pin).await.text();
    assert_eq!(exchange(pin).await.status, 401, "once is enough");
    let (token, secret) = (field(&granted, "oauth_token"), field(&granted, "oauth_token_secret"));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 401, "the old one");
    let call = Call::new(&sandbox, "MyTradeMe/Summary");
    let app = sandbox.trademe_credentials();
    let header = format!(
        "OAuth oauth_consumer_key={}, oauth_token={token}, oauth_signature_method=PLAINTEXT, \
         oauth_signature={}%26{secret}",
        app.consumer_key, app.consumer_secret
    );
    assert_eq!(call.send_with(Some(&header)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_member_is_sent_back_to_the_callback_whatever_the_decision() {
    let sandbox = open(small()).await;
    let refused =
        step(&sandbox, "RequestToken", None, &[("oauth_callback", "http://shop.invalid/back")], "").await;
    assert_eq!(refused.status, 401, "http is refused");
    assert_eq!(step(&sandbox, "RequestToken", Some("scope=All"), &[], "").await.status, 401);
    for (decision, sign) in [("allow", "&oauth_verifier="), ("deny", "?denied=")] {
        let callback = [("oauth_callback", "https://shop.invalid/Back")];
        let asked = step(&sandbox, "RequestToken", None, &callback, "").await.text();
        let token = field(&asked, "oauth_token");
        let back = decide(&sandbox, &token, decision).await;
        let location = back.header("location").expect("somewhere").to_owned();
        assert!(back.status == 302 && location.starts_with("https://shop.invalid/Back?"), "{location}");
        assert!(location.contains(sign) && location.contains(&token), "{location}");
    }
}
