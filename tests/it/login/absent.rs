//! An account that nobody is logged in to is lost in the eyes of whoever looks, beside an agent and without one.

use std::fs;

use serde_json::Value;

use super::browser::pin_of;
use super::{at_cardmarket, at_trademe, fed};
use crate::support::{Place, access};

/// The access of `account` in a status that ends with this exit code, and the codes and fixes of all problems.
#[track_caller]
fn seen(place: &Place, account: &str, code: i32) -> (Value, Vec<[String; 2]>) {
    let status = place.run("-o json status").exits(code).document("sellerd.status/1");
    let problems = status["problems"].as_array().expect("problems").iter();
    let text = |problem: &Value, key: &str| problem[key].as_str().expect("a text").to_owned();
    let problems = problems.map(|problem| ["code", "fix"].map(|key| text(problem, key))).collect();
    (access(&status, account).clone(), problems)
}

/// It is told to programs, and to people.
#[track_caller]
fn is_told(place: &Place, account: &str) {
    let (access, problems) = seen(place, account, 4);
    assert_eq!((&access["state"], &access["reason"]), (&"unauthorized".into(), &"not logged in".into()));
    assert_eq!(problems, [["E412".to_owned(), format!("sellerd auth login {account}")]]);
    let ran = place.run("status").exits(4).says("PROBLEM").says("not logged in");
    assert!(ran.stdout.contains(&format!("auth login {account}")), "{}", ran.stdout);
}

#[track_caller]
fn is_over(place: &Place, account: &str) {
    let (access, problems) = seen(place, account, 0);
    assert_eq!((&access["state"], problems.len()), (&"active".into(), 0), "{problems:?}");
    place.run("status").exits(0).says("ok since");
}

#[test]
fn status_tells_of_an_account_that_nobody_is_logged_in_to_from_the_first_day_on() {
    let place = at_trademe::shop("");
    is_told(&place, "nz");
    for with_agent in [false, true] {
        let mut agent = with_agent.then(|| place.agent());
        is_told(&place, "nz");
        if let Some(agent) = &agent {
            let page: Value = serde_json::from_str(&agent.get("/status.json").body).expect("JSON");
            assert_eq!(access(&page, "nz")["state"], "unauthorized");
        }
        let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
        let number = pin_of(begun["url"].as_str().expect("an address"), "demo-shop");
        place.run(&format!("auth login nz --pin {number}")).exits(0);
        is_over(&place, "nz");
        place.run("auth logout nz --yes").exits(0);
        is_told(&place, "nz");
        place.job("nz-probe", 4);
        is_told(&place, "nz");
        if let Some(agent) = agent.take() {
            agent.kill();
            is_told(&place, "nz");
        }
    }
}

#[test]
fn status_tells_of_a_third_party_app_without_a_token() {
    let place = at_cardmarket::shop("https://shop.invalid/back", None);
    is_told(&place, "cm");
    let agent = place.agent();
    is_told(&place, "cm");
    agent.stop();
    is_told(&place, "cm");
}

#[test]
fn who_logs_out_of_a_login_that_was_refused_is_told_only_that_nobody_is_logged_in() {
    let place = at_trademe::shop("");
    let log_in = || {
        let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
        let number = pin_of(begun["url"].as_str().expect("an address"), "demo-shop");
        place.run(&format!("auth login nz --pin {number}")).exits(0);
    };
    log_in();
    place.fault("reject-token");
    place.job("nz-probe", 4);
    assert_eq!(seen(&place, "nz", 4).1[0][0], "E410");
    place.run("auth logout nz --yes").exits(0);
    is_told(&place, "nz");
    place.sandbox.clear_faults();
    log_in();
    is_over(&place, "nz");
}

#[test]
fn credentials_that_only_the_agent_is_given_are_not_missed_while_it_runs() {
    let place = Place::of(5);
    let given = place.home().join("given");
    fs::create_dir(&given).expect("a directory");
    fs::rename(place.dir().join("secrets/cm.toml"), given.join("cm.toml")).expect("it was there");
    place.job("probe", 4);
    let missing = |place: &Place| {
        let (access, problems) = seen(place, "cm", 4);
        assert_eq!((&access["reason"], &problems[0][0]), (&"not logged in".into(), &"E302".to_owned()));
    };
    missing(&place);
    let agent =
        crate::support::Agent::start(place.program().env("CREDENTIALS_DIRECTORY", &given).args("run"));
    place.job("probe", 0);
    is_over(&place, "cm");
    agent.stop();
    missing(&place);
}

#[test]
fn a_login_that_comes_and_goes_by_hand_is_seen_without_an_agent() {
    let place = Place::of(5);
    let keys = place.sandbox.credentials();
    let four = [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret];
    fs::remove_file(place.dir().join("secrets/cm.toml")).expect("it was there");
    fed(&place, "auth import cm", &four.map(String::as_str).join("\n")).exits(0);
    is_over(&place, "cm");
    let (kept, aside) = (place.state().join("secrets/cm.toml"), place.home().join("aside"));
    fs::rename(&kept, &aside).expect("it was there");
    seen(&place, "cm", 4);
    place.job("probe", 4);
    fs::rename(&aside, &kept).expect("it was there");
    is_over(&place, "cm");
}
