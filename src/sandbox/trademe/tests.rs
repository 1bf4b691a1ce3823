//! The shop at Trade Me over real sockets, as a client meets it. Time stands still, so that ends and spans can be
//! met exactly.

mod buying;
mod door;
mod lists;
mod login;
mod trouble;

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
