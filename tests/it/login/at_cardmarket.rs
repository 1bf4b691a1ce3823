//! Cardmarket's login for third-party apps.

use std::fs;
use std::net::TcpListener;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::sandbox::App;
use sellerd::store::logins;

use super::browser::{ask, decide, sent_to};
use super::{Waiting, row, standing};
use crate::support::{Place, access};

/// A place whose account `cm` is that of a third-party app.
pub(super) fn shop(callback: &str, lifetime: Option<TimeDelta>) -> Place {
    let place = Place::with(|options| {
        (options.articles, options.orders, options.app) = (5, 0, App::ThirdParty);
        (options.callback, options.token_lifetime) = (format!("{callback}?request_token="), lifetime);
    });
    place.edit(
        "sellerd.toml",
        "marketplace = \"cardmarket\"",
        "marketplace = \"cardmarket\"\napp = \"third-party\"",
    );
    let keys = place.sandbox.credentials();
    let text =
        format!("consumer_key = \"{}\"\nconsumer_secret = \"{}\"\n", keys.consumer_key, keys.consumer_secret);
    place.write("secrets/cm.toml", &text);
    place
}

#[test]
fn the_address_that_a_browser_ends_up_on_logs_in() {
    let place = shop("https://shop.invalid/back", None);
    let mut login = Waiting::begin(&place, "auth login cm");
    let key = &place.sandbox.credentials().consumer_key;
    assert!(login.url.ends_with(&format!("/ws/v2.0/authenticate/{key}")), "{}", login.url);
    let back = sent_to(&login.url, "demo-shop");
    login.types("https://shop.invalid/back?request_token=HSZorctm86Cw6OHKfRkr8xoSlt1SKE5Z");
    login.types("https://shop.invalid/back?nothing=1");
    login.types(&back);
    let ran = login.ends(0).says("logged in as demo-shop (member 9999)").says("5 000 requests a day");
    assert!(ran.stderr.contains("does not accept this request token"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no `request_token` in that address"), "{}", ran.stderr);
    place.job("probe", 0);
    assert_eq!(standing(&place, "cm")["state"], "active");
}

#[test]
fn an_agent_sends_nothing_for_an_account_until_somebody_has_logged_in_to_it() {
    let place = shop("https://shop.invalid/back", None);
    let agent = place.agent();
    let run = place.job("probe", 4);
    assert_eq!((run["outcome"].as_str(), place.asked()), (Some("blocked"), 0), "{run}");
    place.run("auth test cm").exits(4).says("is not logged in");
    let begun = place.run("--no-input auth login cm").exits(4).document("sellerd.auth/1");
    let back = sent_to(begun["url"].as_str().expect("an address"), "demo-shop");
    place.run(&format!("auth login cm --pin {back}")).exits(0);
    place.made_up("probe");
    place.run("--yes auth logout cm").exits(0);
    place.job("probe", 4);
    agent.stop();
}

#[test]
fn a_bare_request_token_finishes_and_the_logout_is_told_to_the_marketplace() {
    let place = shop("https://shop.invalid/back", None);
    let begun = place.run("--no-input auth login cm").exits(4).document("sellerd.auth/1");
    let back = sent_to(begun["url"].as_str().expect("an address"), "demo-shop");
    let token = back.rsplit_once('=').expect("a token").1;
    place.run(&format!("auth login cm --pin {token}")).exits(0);
    let file = place.state().join("secrets/cm.toml");
    let kept = fs::read_to_string(&file).expect("a file");
    assert!(!kept.contains("consumer_key"), "that pair was there already");
    place.run("--yes auth logout cm").exits(0).says("was told");
    assert!(!file.exists());
    assert_eq!(standing(&place, "cm")["fix"], "sellerd auth login cm");
    // What was forgotten is worth nothing any more.
    place.write("state/secrets/cm.toml", &kept);
    place.job("probe", 4);
}

#[test]
fn a_login_ends_with_its_time_and_a_new_one_goes_on() {
    let place = shop("https://shop.invalid/back", Some(TimeDelta::hours(24)));
    place.edit("sellerd.toml", "app = \"third-party\"", "app = \"third-party\"\ntoken_lifetime = \"24h\"");
    let login = || {
        let begun = place.run("--no-input auth login cm").exits(4).document("sellerd.auth/1");
        let back = sent_to(begun["url"].as_str().expect("an address"), "demo-shop");
        place.run(&format!("auth login cm --pin {back}")).exits(0)
    };
    login().says("ends");
    let known = standing(&place, "cm");
    assert!(known["expires_at"].is_string() && known["fix"].is_null(), "it has only begun: {known}");
    place.store(|tx| {
        let login = logins::get(tx, &"cm".into())?.expect("a login");
        let ago = |at: Option<DateTime<Utc>>| at.map(|at| at - TimeDelta::hours(20));
        let (token_created_at, expires_at) = (ago(login.token_created_at), ago(login.expires_at));
        logins::set(tx, &"cm".into(), &logins::Login { token_created_at, expires_at, ..login })
    });
    assert_eq!(standing(&place, "cm")["fix"], "sellerd auth login cm", "its last third");
    place.sandbox.set_offset(TimeDelta::hours(25));
    place.job("probe", 4);
    assert_eq!(access(&place.status(), "cm")["state"], "unauthorized");
    place.sandbox.set_offset(TimeDelta::hours(26));
    login();
    assert_eq!(access(&place.status(), "cm")["state"], "active");
    place.job("probe", 0);
}

#[test]
fn the_wrong_seller_and_a_refusal_change_nothing() {
    let place = shop("https://shop.invalid/back", None);
    let begun = || place.run("--no-input auth login cm").exits(4).document("sellerd.auth/1")["url"].clone();
    let first = sent_to(begun().as_str().expect("an address"), "demo-shop");
    place.run(&format!("auth login cm --pin {first}")).exits(0);
    let url = begun();
    assert_eq!(decide(url.as_str().expect("an address"), "demo-shop", "deny").location, None);
    let other = sent_to(url.as_str().expect("an address"), "other-shop");
    let ran = place.run(&format!("-o json auth login cm --pin {other}")).exits(4);
    assert!(ran.error()["message"].as_str().expect("a message").contains("another seller"));
    place.job("probe", 0);
}

#[test]
fn the_browser_comes_back_to_this_machine() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let place = shop(&format!("http://{free}/"), None);
    let callback = format!("app = \"third-party\"\ncallback = \"http://{free}/\"");
    place.edit("sellerd.toml", "app = \"third-party\"", &callback);
    let login = Waiting::begin(&place, "auth login cm");
    let back = sent_to(&login.url, "demo-shop");
    assert_eq!(ask("GET", &back, "").status, 200);
    login.ends(0).says("logged in as demo-shop");
}

#[test]
fn what_strangers_bring_uses_up_nobodys_tries() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let place = shop(&format!("http://{free}/"), None);
    let callback = format!("app = \"third-party\"\ncallback = \"http://{free}/\"");
    place.edit("sellerd.toml", "app = \"third-party\"", &callback);
    let mut login = Waiting::begin(&place, "auth login cm");
    assert_eq!(ask("GET", &format!("http://{free}/?denied=X"), "").status, 404);
    for _ in 0..4 {
        assert_eq!(ask("GET", &format!("http://{free}/?request_token=X"), "").status, 200);
        login.agent.line_where("the answer", |line| line.contains("does not accept this request token"));
    }
    let back = sent_to(&login.url, "demo-shop");
    assert_eq!(ask("GET", &back, "").status, 200);
    login.ends(0).says("logged in as demo-shop");
}

#[test]
fn an_app_that_is_dedicated_is_imported() {
    let place = Place::of(5);
    let ran = place.run("-o json auth login cm").exits(2);
    assert_eq!(ran.error()["fix"], "sellerd auth import cm");
    let document = place.run("-o json auth status").exits(0).document("sellerd.auth/1");
    assert_eq!(row(&document, "cm")["account"], "cm");
    assert_eq!(place.asked(), 0, "nothing was contacted");
}
