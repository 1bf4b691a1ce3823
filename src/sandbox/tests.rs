//! The shop over real sockets, as a client meets it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::visitor::{Ask, Reply, control, get};
use super::*;
use crate::clock::{Clock, ManualClock};

const NOON: &str = "2026-03-02T12:00:00Z";

fn clock(at: &str) -> Arc<ManualClock> {
    ManualClock::at(at.parse().expect("a date"))
}

fn options(articles: usize, orders: usize) -> Options {
    Options { articles, orders, ..Options::new(clock(NOON)) }
}

async fn open(options: Options) -> Sandbox {
    Sandbox::start(options).await.expect("a free port")
}

async fn small() -> Sandbox {
    open(options(250, 23)).await
}

fn rows<'a>(reply: &'a Value, key: &str) -> &'a [Value] {
    reply[key].as_array().map_or(&[], Vec::as_slice)
}

/// Walks all pages of a list and returns the numbers found, with the statuses on the way.
async fn walk(sandbox: &Sandbox, list: &str, key: &str, id: &str) -> (Vec<u64>, Vec<u16>) {
    let (mut ids, mut statuses, mut start) = (Vec::new(), Vec::new(), 1);
    loop {
        let reply = get(sandbox, &format!("{list}/{start}")).await;
        statuses.push(reply.status);
        if reply.status == 204 {
            assert!(reply.body.is_empty());
            return (ids, statuses);
        }
        let page = reply.json();
        let found: Vec<u64> =
            rows(&page, key).iter().map(|row| row[id].as_u64().expect("a number")).collect();
        ids.extend(&found);
        if found.len() < 100 || reply.header("content-range").is_none() {
            return (ids, statuses);
        }
        start += 100;
    }
}

fn stock_ids(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.with_shop(|shop| shop.stock().rows().iter().map(|row| row.id).collect())
}

#[tokio::test]
async fn everything_says_that_it_is_a_pretend_shop() {
    let sandbox = small().await;
    let page = Ask::plain(&sandbox, "GET", "/", "").send().await.expect("a page");
    assert!(page.text().contains("This is a pretend shop"));
    for reply in [page, get(&sandbox, "/account").await, control(&sandbox, "GET", "", "").await] {
        assert_eq!(reply.header("x-pretend-shop"), Some("sellerd sandbox"));
    }
    let line = sandbox.announcement();
    assert_eq!(line["pretend"], true);
    assert_eq!(line["cardmarket"]["base_url"], sandbox.base_url());
    assert_eq!(line["cardmarket"]["credentials"]["consumer_key"].as_str().map(str::len), Some(16));
    assert_eq!(line["cardmarket"]["credentials"]["token_secret"].as_str().map(str::len), Some(32));
}

#[tokio::test]
async fn a_signed_request_is_served_with_the_usual_headers() {
    let sandbox = small().await;
    let reply = get(&sandbox, "/account").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["account"]["username"], "demo-shop");
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(reply.header("x-request-limit-max"), Some("5000"));
    assert_eq!(reply.header("x-request-limit-count"), Some("1"));
    assert_eq!(reply.header("date"), Some("Mon, 02 Mar 2026 12:00:00 GMT"));
    assert!(reply.header("set-cookie").is_some_and(|cookie| cookie.starts_with("PHPSESSID=")));
}

#[tokio::test]
async fn what_is_signed_wrongly_is_401_and_who_is_unknown_403() {
    let sandbox = small().await;
    let account = || Ask::new(&sandbox, "/account");
    let header = account().header();
    let changed = [
        ("no header", account().send().await, 401),
        (
            "wrong signature",
            account().with_authorization(&header.replace("signature=\"", "signature=\"AAAA")).await,
            401,
        ),
        ("no realm", account().with_authorization(&header.replace("realm=", "other=")).await, 401),
        ("no token", account().with_authorization(&header.replace("oauth_token=", "other=")).await, 401),
        ("PLAINTEXT", account().with_authorization(&header.replace("HMAC-SHA1", "PLAINTEXT")).await, 401),
    ];
    for (what, reply, status) in changed {
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, status, "{what}");
        assert_eq!(reply.json()["http_status_code"], status, "{what}");
    }
    let mut other_app = account();
    other_app.claim.consumer_key = "bfaD9xOU0SXBhtBP".to_owned();
    assert_eq!(other_app.signed().await.expect("an answer").status, 403);
    let mut other_token = account();
    other_token.claim.token = "lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q".to_owned();
    assert_eq!(other_token.signed().await.expect("an answer").status, 403);
    let mut other_url = account();
    other_url.query = Some("start=1".to_owned());
    let header = account().header();
    assert_eq!(other_url.with_authorization(&header).await.expect("an answer").status, 401);
    assert!(sandbox.with_shop(|shop| shop.ledger().by_day().is_empty()), "refused logins cost nothing");
}

#[tokio::test]
async fn a_strict_shop_wants_fresh_timestamps_new_nonces_and_the_right_realm() {
    for (strict, refused) in [(true, 401), (false, 200)] {
        let sandbox = open(Options { strict, ..options(1, 1) }).await;
        let mut stale = Ask::new(&sandbox, "/account");
        stale.claim.timestamp = (sandbox.now().timestamp() - 301).to_string();
        assert_eq!(stale.signed().await.expect("an answer").status, refused);
        let mut elsewhere = Ask::new(&sandbox, "/account");
        elsewhere.claim.realm.push_str("/other");
        assert_eq!(elsewhere.signed().await.expect("an answer").status, refused);
        let header = Ask::new(&sandbox, "/account").header();
        for status in [200, refused] {
            let again = Ask::new(&sandbox, "/account").with_authorization(&header).await;
            assert_eq!(again.expect("an answer").status, status);
        }
    }
}

#[tokio::test]
async fn encoded_header_values_and_signed_queries_are_accepted() {
    let sandbox = small().await;
    let mut ask = Ask::new(&sandbox, "/stock/1");
    ask.query = Some("note=a%20b&sellerCountry=13&sellerCountry=4".to_owned());
    let header = ask.header();
    let (head, signature) = header.split_once("oauth_signature=\"").expect("it is signed");
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let header = format!("{head}oauth_signature=\"{signature}").replace("http://127", "http%3A%2F%2F127");
    assert_eq!(ask.with_authorization(&header).await.expect("an answer").status, 206);
}

#[tokio::test]
async fn path_method_and_form_are_checked_before_the_login() {
    let sandbox = small().await;
    for resource in ["/Stock/1", "/stock/", "/games", ""] {
        assert_eq!(Ask::new(&sandbox, resource).send().await.expect("an answer").status, 404, "{resource}");
    }
    let mut post = Ask::new(&sandbox, "/account");
    post.method = "POST";
    let reply = post.send().await.expect("an answer");
    assert_eq!((reply.status, reply.header("access-control-allow-methods")), (405, Some("GET, OPTIONS")));
    let mut preflight = Ask::new(&sandbox, "/stock");
    preflight.method = "OPTIONS";
    assert_eq!(preflight.send().await.expect("an answer").status, 200);
    let mut expecting = Ask::new(&sandbox, "/account");
    expecting.headers.push(("Expect".to_owned(), "100-continue".to_owned()));
    assert_eq!(expecting.send().await.expect("an answer").status, 417);
    let mut form = Ask::new(&sandbox, "/account");
    form.headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    form.body = b"a=b".to_vec();
    assert_eq!(form.send().await.expect("an answer").status, 417);
    let mut xml = Ask::new(&sandbox, "/account");
    xml.path = "/ws/v2.0/account".to_owned();
    xml.claim.realm = xml.claim.realm.replace("/output.json", "");
    let reply = xml.signed().await.expect("an answer");
    assert_eq!(reply.status, 406);
    assert!(reply.text().contains("<mkm_error_description>This pretend shop speaks output.json only."));
    assert_eq!(sandbox.with_shop(|shop| shop.ledger().writes()), 1);
}

#[tokio::test]
async fn a_stock_of_any_size_is_found_whole_by_its_pages() {
    for (articles, statuses) in [
        (0, vec![204]),
        (1, vec![200]),
        (100, vec![200]),
        (101, vec![206, 206]),
        (200, vec![206, 206, 204]),
        (250, vec![206, 206, 206]),
    ] {
        let sandbox = open(options(articles, 0)).await;
        let (ids, seen) = walk(&sandbox, "/stock", "article", "idArticle").await;
        assert_eq!(seen, statuses, "{articles}");
        assert_eq!(ids, stock_ids(&sandbox), "{articles}");
        assert_eq!(ids.len(), articles);
    }
}

#[tokio::test]
async fn a_part_of_a_list_says_which_part() {
    let sandbox = small().await;
    for (start, range) in [(1, "0-99/250"), (101, "100-199/250"), (201, "200-249/250"), (57, "56-155/250")] {
        let reply = get(&sandbox, &format!("/stock/{start}")).await;
        assert_eq!((reply.status, reply.header("content-range")), (206, Some(range)));
    }
    assert_eq!(get(&sandbox, "/stock/251").await.status, 204);
    assert_eq!(get(&sandbox, "/stock/0").await.status, 400);
    assert_eq!(get(&sandbox, &format!("/stock/{}", usize::MAX)).await.status, 204);
}

#[tokio::test]
async fn a_long_list_without_a_start_is_gone_or_elsewhere() {
    let gone = small().await;
    assert_eq!(get(&gone, "/stock").await.status, 410);
    let moved = open(Options { unpaginated: Unpaginated::Redirect, ..options(250, 23) }).await;
    let reply = get(&moved, "/stock").await;
    assert_eq!(reply.status, 307);
    let location = format!("{}/output.json/stock/1", moved.base_url());
    assert_eq!(reply.header("location"), Some(location.as_str()));
    let short = open(options(100, 0)).await;
    assert_eq!(get(&short, "/stock").await.status, 200);
}

#[tokio::test]
async fn articles_are_written_as_their_game_wants() {
    let sandbox = open(options(400, 0)).await;
    let mut kinds = BTreeSet::new();
    let mut names = String::new();
    for start in [1, 101, 201, 301] {
        let page = get(&sandbox, &format!("/stock/{start}")).await.json();
        for row in rows(&page, "article") {
            let (game, sealed) = (row["product"]["idGame"].as_u64(), row.get("condition").is_none());
            kinds.insert((game, sealed));
            assert_eq!(row.get("isFoil").is_some(), game == Some(1) && !sealed);
            assert_eq!(row.get("isReverseHolo").is_some(), game == Some(6) && !sealed);
            assert_eq!(row["product"].get("rarity").is_none(), sealed);
            assert_eq!(row["inShoppingCart"], false);
            assert!(row["price"].as_f64().is_some_and(|price| price >= 0.02));
            names.push_str(&format!("{}|{}\n", row["product"]["enName"], row["comments"]));
        }
    }
    assert_eq!(kinds, BTreeSet::from([(Some(1), false), (Some(6), false), (Some(1), true)]));
    assert!(names.contains(" \"|") && names.contains("[sku:MC-") && names.contains("shelf "), "{names}");
}

#[tokio::test]
async fn single_articles_carts_and_orders_are_found_and_others_are_not() {
    let sandbox = small().await;
    let id = stock_ids(&sandbox)[3];
    let reply = get(&sandbox, &format!("/stock/article/{id}")).await.json();
    assert_eq!(reply["article"]["idArticle"], id);
    assert!(reply["product"]["enName"].is_string() && reply["article"].get("product").is_none());
    let carts = get(&sandbox, "/stock/shoppingcart-articles").await.json();
    assert_eq!(rows(&carts, "article").len(), 7);
    assert!(rows(&carts, "article").iter().all(|row| row["inShoppingCart"] == true));
    let order = sandbox.with_shop(|shop| shop.orders()[0].id);
    let reply = get(&sandbox, &format!("/order/{order}")).await.json();
    assert_eq!(reply["order"]["idOrder"], order);
    assert!(
        reply["order"]["buyer"]["name"]["lastName"].as_str().is_some_and(|name| name.ends_with("-Canary"))
    );
    for resource in ["/stock/article/1", "/stock/article/x", "/order/1", "/order/x"] {
        let reply = get(&sandbox, resource).await;
        assert_eq!(reply.status, 404, "{resource}");
        assert_eq!(reply.json()["http_status_code_description"], "Not Found");
    }
    let empty = open(options(0, 0)).await;
    assert_eq!(get(&empty, "/stock/shoppingcart-articles").await.status, 204);
}

#[tokio::test]
async fn orders_are_listed_by_state_in_pages_and_a_fresh_one_at_once() {
    let sandbox = open(options(2_000, 0)).await;
    assert_eq!(get(&sandbox, "/orders/seller/paid/1").await.status, 204);
    sandbox
        .buy(&Purchase { count: Some(201), pay: Some(true), ..Purchase::default() })
        .expect("enough in stock");
    let (ids, statuses) = walk(&sandbox, "/orders/1/2", "order", "idOrder").await;
    assert_eq!(statuses, [206, 206, 206]);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 201);
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
    assert_eq!(get(&sandbox, "/orders/seller/paid").await.status, 410);
    let newest = sandbox.buy(&Purchase::default()).expect("enough")[0].order_id;
    sandbox.act(newest, OrderAction::Pay).ok();
    let first = get(&sandbox, "/orders/seller/paid/1").await.json();
    assert_eq!(rows(&first, "order")[0]["idOrder"], newest);
    for resource in ["/orders/seller/evaluated/1", "/orders/nobody/paid/1", "/orders/seller/paid/0"] {
        assert_eq!(get(&sandbox, resource).await.status, 400, "{resource}");
    }
    assert_eq!(get(&sandbox, "/orders/buyer/paid/1").await.status, 204);
}

#[tokio::test]
async fn an_order_moves_through_the_lists() {
    let sandbox = open(options(50, 0)).await;
    let order =
        sandbox.buy(&Purchase { pay: Some(false), ..Purchase::default() }).expect("enough")[0].order_id;
    let steps = [
        (None, "bought", "bought"),
        (Some(OrderAction::Pay), "paid", "paid"),
        (Some(OrderAction::Send), "sent", "sent"),
        (Some(OrderAction::Receive), "received", "received"),
        (Some(OrderAction::Evaluate), "received", "evaluated"),
    ];
    for (action, list, state) in steps {
        if let Some(action) = action {
            sandbox.act(order, action).expect("it follows");
        }
        let page = get(&sandbox, &format!("/orders/seller/{list}/1")).await.json();
        assert_eq!(rows(&page, "order")[0]["idOrder"], order);
        assert_eq!(rows(&page, "order")[0]["state"]["state"], state);
        assert_eq!(rows(&page, "order")[0]["state"]["dateBought"], "2026-03-02T13:00:00+0100");
    }
    assert!(matches!(sandbox.act(order, OrderAction::Send), Err(ActError::Refused(_))));
    assert_eq!(sandbox.act(1, OrderAction::Send), Err(ActError::NoSuchOrder(1)));
}

#[tokio::test]
async fn a_day_has_its_allowance_and_ends_at_berlins_midnight() {
    let clock = clock("2026-07-01T21:59:50Z");
    let limited = Options { daily_limit: Some(2), ..options(1, 0) };
    let sandbox = open(Options { clock: clock.clone(), ..limited }).await;
    let counts = |reply: &Reply| (reply.status, reply.header("x-request-limit-count").map(str::to_owned));
    for expected in [(200, "1"), (200, "2"), (429, "3")] {
        let reply = get(&sandbox, "/account").await;
        assert_eq!(counts(&reply), (expected.0, Some(expected.1.to_owned())));
        assert_eq!(reply.header("retry-after"), None);
    }
    clock.jump(TimeDelta::seconds(10));
    assert_eq!(counts(&get(&sandbox, "/account").await), (200, Some("1".to_owned())));
    let days: Vec<u64> = sandbox.requests_by_day().into_values().collect();
    assert_eq!(days, [3, 1]);
    let unlimited = open(Options { daily_limit: None, ..options(1, 0) }).await;
    assert_eq!(counts(&get(&unlimited, "/account").await), (200, None));
}

#[tokio::test]
async fn a_minute_has_its_limit() {
    let sandbox = open(Options { minute_limit: Some(3), ..options(1, 0) }).await;
    for status in [200, 200, 200, 429] {
        assert_eq!(get(&sandbox, "/account").await.status, status);
    }
    sandbox.set_offset(TimeDelta::seconds(61));
    assert_eq!(get(&sandbox, "/account").await.status, 200);
}

#[tokio::test]
async fn too_many_at_once_are_told_to_retry_after_a_second() {
    let patient = Options { minute_limit: None, daily_limit: None, ..options(1, 0) };
    let sandbox = open(Options { concurrency: Some(1), ..patient }).await;
    sandbox.fault(Fault::from(FaultKind::Never).next(1));
    let mut ask = Ask::new(&sandbox, "/account");
    let header = ask.header();
    ask.headers.push(("Authorization".to_owned(), header));
    let waiting = ask.start().await.expect("a connection");
    while sandbox.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let reply = get(&sandbox, "/account").await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    drop(waiting);
    let mut status = 429;
    while status == 429 {
        // The server notices a little later that the caller has gone.
        status = get(&sandbox, "/account").await.status;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_lost_login_looks_as_it_does_in_life() {
    let sandbox = small().await;
    sandbox.fault(FaultKind::Revoke { empty_body: false });
    for resource in ["/account", "/stock/1"] {
        let reply = get(&sandbox, resource).await;
        assert_eq!((reply.status, &reply.json()["http_status_code"]), (403, &Value::from(403)));
    }
    sandbox.fault(FaultKind::Restore);
    assert_eq!(get(&sandbox, "/account").await.status, 200);
    sandbox.fault(FaultKind::Revoke { empty_body: true });
    let reply = get(&sandbox, "/account").await;
    assert_eq!((reply.status, reply.body.len()), (403, 0));
    sandbox.clear_faults();
    sandbox.fault(FaultKind::RejectToken);
    assert_eq!(get(&sandbox, "/account").await.status, 401);
    sandbox.clear_faults();
    sandbox.fault(Fault::from(FaultKind::Revoke { empty_body: false }).on("/orders"));
    assert_eq!(get(&sandbox, "/orders/seller/paid/1").await.status, 403);
    assert_eq!(get(&sandbox, "/account").await.status, 200);
    let verdicts: Vec<Verdict> = sandbox.requests().into_iter().map(|seen| seen.verdict).collect();
    assert_eq!(verdicts[0], Verdict::Forbidden("revoked"));
    assert_eq!(verdicts[4], Verdict::Unauthorized("the token is rejected".to_owned()));
}

#[tokio::test]
async fn broken_answers_are_broken_as_asked() {
    let sandbox = small().await;
    async fn met(sandbox: &Sandbox, kind: FaultKind) -> io::Result<Reply> {
        sandbox.fault(Fault::from(kind).next(1));
        Ask::new(sandbox, "/stock/1").signed().await
    }
    let reply = |kind| async { met(&sandbox, kind).await.expect("an answer") };
    for status in [500, 502, 503, 504] {
        let reply = reply(FaultKind::Status { status }).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("text/html; charset=utf-8")));
    }
    assert!([500, 502, 503, 504].contains(&reply(FaultKind::ServerError).await.status));
    let unavailable = reply(FaultKind::Unavailable).await;
    assert_eq!(unavailable.status, 400);
    assert_eq!(unavailable.json()["mkm_error_description"], "Service currently not available");
    let html = reply(FaultKind::Html).await;
    assert!(html.status == 200 && html.text().starts_with("<!DOCTYPE html>"));
    for kind in [FaultKind::Garbage, FaultKind::TruncateJson] {
        let reply = reply(kind).await;
        assert!(reply.status == 200 || reply.status == 206);
        assert!(reply.is_whole() && serde_json::from_slice::<Value>(&reply.body).is_err());
    }
    let half = reply(FaultKind::TruncateBody).await;
    assert!(
        !half.is_whole() && half.body.len() > 1_000,
        "{} of {:?}",
        half.body.len(),
        half.header("content-length")
    );
    assert_eq!(reply(FaultKind::ErrorIn200 { long: false }).await.json()["error"], "Something went wrong");
    let long = reply(FaultKind::ErrorIn200 { long: true }).await;
    assert!(long.status == 200 && long.json()["mkm_error_description"].is_string());
    assert_eq!(reply(FaultKind::EmptyStock).await.status, 204);
    let limited = reply(FaultKind::TooMany { retry_after: 7 }).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    for kind in [FaultKind::DropBefore, FaultKind::DropAfter] {
        assert!(met(&sandbox, kind).await.is_err());
    }
    let last = sandbox.requests().pop().expect("it was seen all the same");
    assert_eq!((last.status, last.verdict), (None, Verdict::Faulted(vec!["drop-after"])));
    assert_eq!(get(&sandbox, "/stock/1").await.status, 206, "and then all is well");
}

#[tokio::test]
async fn redirects_lead_to_the_same_host_or_away() {
    let sandbox = small().await;
    sandbox.fault(Fault::from(FaultKind::Redirect).next(1));
    let reply = get(&sandbox, "/stock/101").await;
    let here = format!("{}/output.json/stock/101", sandbox.base_url());
    assert_eq!((reply.status, reply.header("location")), (307, Some(here.as_str())));
    sandbox.fault(Fault::from(FaultKind::RedirectAway { to: None }).next(1));
    let reply = get(&sandbox, "/stock/101").await;
    let away = "http://elsewhere.invalid/ws/v2.0/output.json/stock/101";
    assert_eq!((reply.status, reply.header("location")), (307, Some(away)));
}

#[tokio::test]
async fn pages_shift_repeat_and_rot_as_asked() {
    let sandbox = small().await;
    let ids = stock_ids(&sandbox);
    let page = |reply: Reply| -> Vec<Value> { rows(&reply.json(), "article").to_vec() };
    sandbox.fault(Fault::from(FaultKind::DuplicateRow).next(1));
    let second = page(get(&sandbox, "/stock/101").await);
    assert_eq!((second.len(), &second[0]["idArticle"]), (101, &Value::from(ids[99])));
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: false }).next(1));
    assert_eq!(page(get(&sandbox, "/stock/1").await)[0]["idArticle"], ids[0]);
    assert_eq!(page(get(&sandbox, "/stock/101").await)[0]["idArticle"], ids[101], "one is skipped");
    let sold = sandbox.with_shop(|shop| shop.orders().last().map(|order| order.lines[0].id));
    assert_eq!(sold, Some(ids[0]));
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: true }).next(1));
    assert_eq!(page(get(&sandbox, "/stock/101").await)[0]["idArticle"], ids[100], "one comes back");
    sandbox.fault(Fault::from(FaultKind::BadRows { rows: 3 }).next(1));
    let bad = page(get(&sandbox, "/stock/101").await);
    assert!(bad[0].get("idArticle").is_none() && bad[1]["idArticle"].is_object() && bad[2]["price"] == "abc");
    assert!(bad[3]["idArticle"].is_u64());
    sandbox.fault(Fault::from(FaultKind::BadRows { rows: 3 }).next(1));
    let orders = get(&sandbox, "/orders/seller/paid/1").await.json();
    assert!(rows(&orders, "order")[0].get("idOrder").is_none());
}

#[tokio::test]
async fn a_skewed_shop_shows_the_wrong_date_and_refuses_the_right_one() {
    let sandbox = small().await;
    sandbox.fault(FaultKind::ClockSkew { seconds: 600 });
    let reply = get(&sandbox, "/account").await;
    assert_eq!((reply.status, reply.header("date")), (401, Some("Mon, 02 Mar 2026 12:10:00 GMT")));
    let mut corrected = Ask::new(&sandbox, "/account");
    corrected.claim.timestamp = (sandbox.now().timestamp() + 600).to_string();
    assert_eq!(corrected.signed().await.expect("an answer").status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_shop_answers_late_and_a_dead_one_never() {
    let clock = clock(NOON);
    let sandbox = open(Options { clock: clock.clone(), ..options(1, 0) }).await;
    sandbox.fault(Fault::from(FaultKind::Slow { millis: 30_000 }).next(1));
    let before = clock.elapsed();
    assert_eq!(get(&sandbox, "/account").await.status, 200);
    assert!(clock.elapsed() - before >= Duration::from_secs(30));
    sandbox.fault(Fault::from(FaultKind::Never).next(1));
    tokio::select! {
        reply = Ask::new(&sandbox, "/account").signed() => panic!("it answered: {reply:?}"),
        () = clock.sleep(Duration::from_secs(3_600)) => {}
    }
}

#[tokio::test]
async fn a_huge_answer_goes_on() {
    let sandbox = small().await;
    sandbox.fault(FaultKind::Huge);
    let mut ask = Ask::new(&sandbox, "/stock/1");
    let header = ask.header();
    ask.headers.push(("Authorization".to_owned(), header));
    let mut tcp = ask.start().await.expect("a connection");
    let mut buffer = vec![0; 1 << 16];
    let mut read = 0;
    while read < 4 << 20 {
        let more = tcp.read(&mut buffer).await.expect("it goes on");
        assert!(more > 0, "it ended after {read}");
        read += more;
    }
}

#[tokio::test]
async fn the_allowance_can_be_lowered_lifted_and_given_back() {
    let sandbox = small().await;
    sandbox.fault(FaultKind::Exhaust);
    let reply = get(&sandbox, "/account").await;
    assert_eq!((reply.status, reply.header("x-request-limit-max")), (429, Some("1")));
    sandbox.fault(FaultKind::Limit { max: None });
    let reply = get(&sandbox, "/account").await;
    assert_eq!((reply.status, reply.header("x-request-limit-max")), (200, None));
    sandbox.clear_faults();
    assert_eq!(get(&sandbox, "/account").await.header("x-request-limit-max"), Some("5000"));
}

#[tokio::test]
async fn answers_can_be_as_loosely_typed_as_in_life() {
    let typing = Typing { numbers_as_strings: true, one_as_object: true, missing_optional: true };
    let sandbox = open(Options { typing, ..options(1, 0) }).await;
    let id = stock_ids(&sandbox)[0];
    let article = get(&sandbox, "/stock/1").await.json()["article"].clone();
    assert_eq!(article["idArticle"], id.to_string());
    assert!(article["price"].is_string() && article["count"].is_string());
    assert!(article.get("currencyCode").is_none() && article.get("lastEdited").is_none());
}

#[tokio::test]
async fn the_control_port_moves_the_shop() {
    let sandbox = small().await;
    let state = control(&sandbox, "GET", "", "").await.json();
    assert_eq!((&state["articles"], &state["pretend"]), (&Value::from(250), &Value::from(true)));
    let article = stock_ids(&sandbox)[0];
    let bought =
        control(&sandbox, "POST", "/buy", &format!("{{\"article_id\":{article},\"pay\":true}}")).await.json();
    let order = bought["orders"][0]["order_id"].as_u64().expect("a number");
    assert_eq!(bought["orders"][0]["state"], "paid");
    let sent = control(&sandbox, "POST", &format!("/order/{order}/send"), "").await.json();
    assert_eq!(sent["state"], "sent");
    for (path, status) in [
        (format!("/order/{order}/send"), 409),
        (format!("/order/{order}/burn"), 404),
        ("/order/1/send".to_owned(), 404),
        ("/order/x/send".to_owned(), 404),
        ("/nothing".to_owned(), 404),
    ] {
        let reply = control(&sandbox, "POST", &path, "").await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.json()["error"].is_string());
    }
    assert_eq!(control(&sandbox, "POST", "/buy", "{\"article_id\":1}").await.status, 409);
    assert_eq!(control(&sandbox, "POST", "/buy", "{\"articel_id\":1}").await.status, 400);
    assert_eq!(control(&sandbox, "POST", "/buy", "").await.status, 200);
    let fault = serde_json::to_string(&Fault::from(FaultKind::Html).on("stock").next(2)).expect("plain data");
    let faults = control(&sandbox, "POST", "/fault", &fault).await.json();
    assert_eq!(faults["faults"][0]["fault"], "html");
    assert_eq!(get(&sandbox, "/stock/1").await.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(control(&sandbox, "GET", "", "").await.json()["faults"][0]["next"], 1);
    control(&sandbox, "DELETE", "/fault", "").await;
    assert_eq!(get(&sandbox, "/stock/1").await.status, 206);
    assert_eq!(control(&sandbox, "POST", "/fault", "{\"fault\":\"hmtl\"}").await.status, 400);
    control(&sandbox, "POST", "/clock", "{\"offset_seconds\":3600}").await;
    assert_eq!(get(&sandbox, "/account").await.header("date"), Some("Mon, 02 Mar 2026 13:00:00 GMT"));
    let far = format!("{{\"offset_seconds\":{}}}", i64::MAX);
    assert_eq!(control(&sandbox, "POST", "/clock", &far).await.status, 400);
    let seen = control(&sandbox, "GET", "/requests", "").await.json();
    assert_eq!(rows(&seen, "requests").len(), 3);
    let mut page_of_a_browser = Ask::plain(&sandbox, "POST", "/sandbox/buy", "{}");
    page_of_a_browser.headers.push(("Origin".to_owned(), "http://evil.example".to_owned()));
    assert_eq!(page_of_a_browser.send().await.expect("an answer").status, 403);
}

#[tokio::test]
async fn equal_seeds_answer_with_equal_bytes() {
    let (one, same) = (small().await, small().await);
    let other = open(Options { seed: 7, ..options(250, 23) }).await;
    for resource in ["/stock/101", "/orders/seller/paid/1", "/stock/shoppingcart-articles"] {
        let body = get(&one, resource).await.body;
        assert_eq!(body, get(&same, resource).await.body, "{resource}");
        assert_ne!(body, get(&other, resource).await.body, "{resource}");
    }
    let buy = Purchase { count: Some(5), ..Purchase::default() };
    assert_eq!(one.buy(&buy), same.buy(&buy));
}

#[tokio::test(start_paused = true)]
async fn buyers_come_by_themselves() {
    let clock = clock(NOON);
    let buyers = Some(Duration::from_secs(10));
    let sandbox = open(Options { buyers, clock: clock.clone(), ..options(500, 0) }).await;
    clock.sleep(Duration::from_secs(300)).await;
    let orders = sandbox.with_shop(|shop| shop.orders().len());
    assert!((10..90).contains(&orders), "{orders}");
}

#[tokio::test]
async fn a_stopped_shop_answers_nobody() {
    let sandbox = small().await;
    sandbox.fault(FaultKind::Never);
    let mut ask = Ask::new(&sandbox, "/account");
    let header = ask.header();
    ask.headers.push(("Authorization".to_owned(), header));
    let mut waiting = ask.start().await.expect("a connection");
    while sandbox.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let late = Ask::new(&sandbox, "/account");
    sandbox.stop().await;
    assert!(late.start().await.is_err());
    let mut rest = Vec::new();
    let end = waiting.read_to_end(&mut rest).await;
    assert!(end.is_err() || rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_says_what_to_do() {
    let sandbox = small().await;
    let listen = sandbox.base_url().trim_start_matches("http://").trim_end_matches("/ws/v2.0").parse();
    let again = Options { listen: listen.expect("an address"), ..options(1, 0) };
    let Err(error) = Sandbox::start(again).await else { panic!("two shops at one address") };
    assert!(error.to_string().contains("--listen"), "{error}");
}
