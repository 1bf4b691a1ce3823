//! How a user lets a third-party app in, as a client meets it.

use std::sync::Arc;

use chrono::TimeDelta;

use super::super::visitor::{Ask, Reply, get};
use super::super::{App, FaultKind, Options, Sandbox};
use crate::clock::ManualClock;

async fn open(app: App, token_lifetime: Option<TimeDelta>) -> (Sandbox, Arc<ManualClock>) {
    let clock = ManualClock::at("2026-03-02T12:00:00Z".parse().expect("a date"));
    let callback = "https://shop.invalid/back?request_token=".to_owned();
    let (articles, orders) = (20, 0);
    let options = Options { articles, orders, app, callback, token_lifetime, ..Options::new(clock.clone()) };
    (Sandbox::start(options).await.expect("a free port"), clock)
}

/// What a browser does: looks at the page, and says something.
async fn decide(sandbox: &Sandbox, form: &str) -> Reply {
    let url = sandbox.authenticate_url();
    let path = format!("/ws/v2.0{}", url.split_once("/ws/v2.0").expect("a path").1);
    let shown = Ask::plain(sandbox, "GET", &path, "").send().await.expect("a page");
    assert!(shown.text().contains("Log in"), "{}", shown.text());
    let mut said = Ask::plain(sandbox, "POST", &path, form);
    said.headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    said.send().await.expect("an answer")
}

async fn allow(sandbox: &Sandbox) -> String {
    let back = decide(sandbox, "as=demo-shop&decision=allow").await;
    let location = back.header("location").expect("somewhere").to_owned();
    let token = location.strip_prefix("https://shop.invalid/back?request_token=");
    token.expect("the token is appended verbatim").to_owned()
}

/// The exchange, signed by the app alone.
async fn exchange(sandbox: &Sandbox, token: &str) -> Reply {
    let key = &sandbox.credentials().consumer_key;
    let body = format!("<request><app_key>{key}</app_key><request_token>{token}</request_token></request>");
    let mut ask = Ask::new(sandbox, "/access").by_user("", "");
    (ask.method, ask.body) = ("POST", body.into_bytes());
    ask.headers.push(("Content-Type".to_owned(), "application/xml".to_owned()));
    ask.signed().await.expect("an answer")
}

async fn account(sandbox: &Sandbox, pair: &Reply) -> Reply {
    let pair = pair.json();
    let text = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
    let ask = Ask::new(sandbox, "/account").by_user(&text("oauth_token"), &text("oauth_token_secret"));
    ask.signed().await.expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn a_request_token_is_worth_one_access_token() {
    let (sandbox, _) = open(App::ThirdParty, None).await;
    sandbox.fault(FaultKind::RejectToken);
    assert_eq!(get(&sandbox, "/account").await.status, 401);
    let token = allow(&sandbox).await;
    assert_eq!(exchange(&sandbox, "HSZorctm86Cw6OHKfRkr8xoSlt1SKE5Z").await.status, 403, "nobody's");
    let granted = exchange(&sandbox, &token).await;
    assert_eq!((granted.status, granted.json()["account"]["idUser"].as_i64()), (200, Some(9_999)));
    assert_eq!(exchange(&sandbox, &token).await.status, 403, "once is enough");
    assert_eq!(account(&sandbox, &granted).await.json()["account"]["username"], "demo-shop");
    assert_eq!(get(&sandbox, "/account").await.status, 403, "the old one is worth nothing");

    let pair = granted.json();
    let text = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
    let mut out =
        Ask::new(&sandbox, "/account/logout").by_user(&text("oauth_token"), &text("oauth_token_secret"));
    out.method = "POST";
    assert_eq!(out.signed().await.expect("an answer").json()["logout"], "successful");
    assert_eq!(account(&sandbox, &granted).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_may_log_in_and_a_user_may_refuse() {
    let (sandbox, _) = open(App::ThirdParty, None).await;
    let refused = decide(&sandbox, "as=demo-shop&decision=deny").await;
    assert_eq!((refused.status, refused.header("location")), (200, None));
    let back = decide(&sandbox, "as=other-shop&decision=allow").await;
    let token = back.header("location").and_then(|to| to.rsplit_once('=')).expect("a token").1.to_owned();
    let granted = exchange(&sandbox, &token).await;
    assert_eq!(account(&sandbox, &granted).await.json()["account"]["username"], "other-shop");
    assert_eq!(get(&sandbox, "/account").await.json()["account"]["username"], "demo-shop");
}

#[tokio::test(start_paused = true)]
async fn tokens_end_with_their_time() {
    let (sandbox, clock) = open(App::ThirdParty, Some(TimeDelta::hours(48))).await;
    let (used, kept) = (allow(&sandbox).await, allow(&sandbox).await);
    clock.jump(TimeDelta::hours(24));
    let granted = exchange(&sandbox, &used).await;
    assert_eq!(granted.status, 200, "for 24 hours");
    clock.jump(TimeDelta::seconds(1));
    assert_eq!(exchange(&sandbox, &kept).await.status, 403);
    clock.jump(TimeDelta::hours(47));
    assert_eq!(account(&sandbox, &granted).await.status, 200);
    assert_eq!(get(&sandbox, "/account").await.status, 401, "the first one is over");
    clock.jump(TimeDelta::hours(1));
    assert_eq!(account(&sandbox, &granted).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_dedicated_app_has_no_page_and_no_exchange() {
    let (sandbox, _) = open(App::Dedicated, None).await;
    let path = format!("/ws/v2.0/authenticate/{}/de", sandbox.credentials().consumer_key);
    assert_eq!(Ask::plain(&sandbox, "GET", &path, "").send().await.expect("a page").status, 403);
    assert_eq!(exchange(&sandbox, "any").await.status, 403);
    let announced = sandbox.announcement();
    assert_eq!(announced["cardmarket"]["app"], "dedicated");
    assert!(announced["cardmarket"]["authenticate_url"].is_null());
}
