//! Trade Me's login: a number or a callback, and everything that can go wrong on the way.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;
use sellerd::sandbox::trademe::{Options, Unauthorized};
use serde_json::Value;

use super::browser::{ask, decide, pin, pin_of};
use super::{Waiting, row, standing};
use crate::support::{Place, access};
use crate::trademe::nz;

/// A place with an account `nz` whose app is known and that nobody has logged in to.
pub(super) fn shop(more: &str) -> Place {
    shop_with(more, |_| {})
}

fn shop_with(more: &str, change: impl FnOnce(&mut Options)) -> Place {
    let place = Place::with(|options| {
        (options.articles, options.orders) = (0, 0);
        options.trademe = Options { listings: 5, sales: 0, unsold: 0, ..Options::default() };
        change(&mut options.trademe);
    });
    let base = place.sandbox.trademe_base_url();
    let origin = base.trim_end_matches("/v1");
    let keys =
        format!("oauth_url = \"{origin}/Oauth\"\nauthorize_url = \"{origin}/Oauth/Authorize\"\n{more}");
    let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    place.write("sellerd.toml", &(settings + &nz::account("nz", &base, &keys)));
    place.write_job("nz-probe", "probe", "0 0 1 1 *", "account = \"nz\"");
    write_app(&place);
    place
}

/// The app's pair alone.
fn write_app(place: &Place) {
    let keys = place.sandbox.trademe_credentials();
    let text =
        format!("consumer_key = \"{}\"\nconsumer_secret = \"{}\"\n", keys.consumer_key, keys.consumer_secret);
    place.write("secrets/nz.toml", &text);
}

fn pending(place: &Place) -> bool {
    place.state().join("secrets/nz.login.toml").exists()
}

/// The steps that the shop was asked for.
fn steps(place: &Place, step: &str) -> usize {
    place.sandbox.trademe_requests().iter().filter(|seen| seen.path.ends_with(step)).count()
}

#[test]
fn a_number_logs_in_after_two_wrong_ones_with_either_signature() {
    for signature in ["hmac-sha1", "plaintext"] {
        let place = shop(&format!("signature = \"{signature}\""));
        let before = standing(&place, "nz");
        assert_eq!(before["fix"], "sellerd auth login nz");
        // A run says the same, as it can be copied by whoever typed the directory.
        let dir = place.dir();
        let said = format!("the command that mends it: sellerd -c {} auth login nz", dir.display());
        place.run("job run nz-probe").exits(4).says(&said);
        let told = place.job("nz-probe", 4);
        assert!(
            told["message"].as_str().is_some_and(|words| words.ends_with(": sellerd auth login nz")),
            "{told}"
        );
        let mut login = Waiting::begin(&place, "auth login nz");
        let number = pin(&login.url);
        login.types("0000000");
        login.types("");
        login.types(&format!(" {} {} ", &number[..3], &number[3..]));
        let ran = login.ends(0).says("logged in as demo-shop (member 4000042)").says("as needed");
        assert_eq!(ran.stderr.matches("does not accept this PIN").count(), 1, "{}", ran.stderr);
        assert_eq!(
            (steps(&place, "RequestToken"), steps(&place, "AccessToken")),
            (1, 2),
            "one token for all tries"
        );
        assert!(!pending(&place));

        let file = place.state().join("secrets/nz.toml");
        let mode =
            |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().expect("a directory"))), (0o600, 0o700));
        let now = standing(&place, "nz");
        assert_eq!((now["state"].as_str(), now["identity"].as_str()), (Some("active"), Some("demo-shop")));
        assert_eq!(now["scopes"], serde_json::json!(["MyTradeMeRead", "MyTradeMeWrite"]));
        assert!(now["token_created_at"].is_string() && now["fix"].is_null(), "{now}");
        assert_eq!(now["sources"][1], file.display().to_string());
        place.job("nz-probe", 0);
    }
}

#[test]
fn three_wrong_numbers_are_enough_and_the_login_can_be_gone_on_with() {
    let place = shop("");
    let mut login = Waiting::begin(&place, "-o json auth login nz");
    let (url, number) = (login.url.clone(), pin(&login.url));
    for wrong in ["1", "2", "3"] {
        login.types(wrong);
    }
    let ran = login.ends(4);
    assert!(ran.error()["fix"].as_str().expect("a fix").contains("--resume"));
    assert_eq!(ran.error()["code"], "E413");
    let ended = Waiting::begin(&place, "auth login nz --resume").ends(4);
    assert!(ended.stderr.contains("E413") && ended.stderr.contains("stdin ended"), "{}", ended.stderr);
    place.run("explain E413").exits(0).says("a login that was not finished");
    assert_eq!(access(&place.status(), "nz")["reason"], "not logged in", "a wrong number blocks nothing");
    assert!(standing(&place, "nz")["fix"].as_str().expect("a fix").ends_with("--resume"));
    let mut again = Waiting::begin(&place, "-o json auth login nz --resume");
    assert_eq!(again.url, url);
    again.types(&number);
    let document = again.ends(0).document("sellerd.auth/1");
    assert_eq!(row(&document, "nz")["identity"], "demo-shop");
}

#[test]
fn a_login_that_may_ask_nobody_is_finished_by_another_call() {
    let place = shop("");
    let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
    let url = begun["url"].as_str().expect("an address");
    assert_eq!(row(&begun, "nz")["url"], url);
    let finish = format!("sellerd -c {} auth login nz --pin <PIN>", place.dir().display());
    assert_eq!(begun["finish"], finish);
    place.run("auth login nz --pin 1234567").exits(4).says("does not accept this PIN");
    let number = pin(url);
    let done = place.run(&format!("-o json auth login nz --pin {number}")).exits(0);
    assert_eq!(row(&done.document("sellerd.auth/1"), "nz")["state"], "active");
    place.run(&format!("auth login nz --pin {number}")).exits(4).says("no login of nz was begun");
    place.run("auth login nz --resume").exits(4).says("sellerd auth login nz");
}

#[test]
fn a_login_survives_a_shell_that_is_lost() {
    let place = shop("");
    let login = Waiting::begin(&place, "auth login nz");
    let url = login.url.clone();
    login.agent.kill();
    let number = pin(&url);
    let mut again = Waiting::begin(&place, "auth login nz --resume");
    assert_eq!(again.url, url);
    again.types(&number);
    again.ends(0).says("logged in as demo-shop");
}

#[test]
fn a_refusal_and_an_old_login_are_told_and_forgotten() {
    let place = shop("");
    let mut login = Waiting::begin(&place, "auth login nz");
    decide(&login.url, "demo-shop", "deny");
    let token = login.url.rsplit_once("oauth_token=").expect("a token").1.to_owned();
    login.types("https://shop.invalid/back?denied=T1");
    login.types(&format!("https://shop.invalid/back?denied={token}"));
    let ran = login.ends(4).says("access was refused");
    assert!(ran.stderr.contains("belongs to another login"), "{}", ran.stderr);
    assert!(!pending(&place));

    let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
    let number = pin(begun["url"].as_str().expect("an address"));
    place.sandbox.set_offset(TimeDelta::hours(25));
    let late = place.run(&format!("auth login nz --pin {number}")).exits(4);
    late.says("was begun 25 hours ago").says("begin a new one: sellerd auth login nz");
    assert!(!pending(&place));
}

#[test]
fn an_app_that_is_not_known_and_a_clock_that_is_off_are_told_apart() {
    for form in [Unauthorized::ErrorResult, Unauthorized::Html, Unauthorized::OauthProblem] {
        let place = shop_with("", |options| options.unauthorized = form);
        // Twenty minutes off are set right on the way.
        place.fault("clock-skew 20m");
        let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
        let number = pin(begun["url"].as_str().expect("an address"));
        let ran = place.run(&format!("auth login nz --pin {number}")).exits(0);
        ran.says(" s behind; requests are signed by the marketplace's time").says("timedatectl set-ntp true");
        assert_eq!(steps(&place, "RequestToken"), 2, "once by our clock, once by theirs");

        // Another shop: a clock that goes back over an hour's edge costs the hour.
        let place = shop_with("", |options| options.unauthorized = form);
        place.edit("secrets/nz.toml", "consumer_secret = \"", "consumer_secret = \"x");
        place
            .run("auth login nz")
            .exits(4)
            .says("does not accept this application")
            .says("sellerd auth import nz");
        assert_eq!(steps(&place, "RequestToken"), 1, "nobody insists");
    }
}

#[test]
fn the_wrong_seller_changes_nothing_unless_it_is_meant() {
    let place = shop("");
    let login = |options: &str, seller: &str| {
        let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
        let number = pin_of(begun["url"].as_str().expect("an address"), seller);
        place.run(&format!("auth login nz --pin {number} {options}"))
    };
    login("", "demo-shop").exits(0);
    let kept = fs::read_to_string(place.state().join("secrets/nz.toml")).expect("a file");
    login("", "other-shop").exits(4).says("other-shop (member 4000043)").says("--other-seller");
    assert_eq!(fs::read_to_string(place.state().join("secrets/nz.toml")).expect("a file"), kept);
    assert_eq!(standing(&place, "nz")["identity"], "demo-shop");
    place.job("nz-probe", 0);
    // A new number is for another login than the one that waits: it is not passed by without a word.
    let exchanged = steps(&place, "AccessToken");
    for options in ["", "--other-seller"] {
        let refused = place.run(&format!("auth login nz --pin 1234567 {options}")).exits(4);
        refused.says("a grant of nz waits").says("nz --resume (with --other-seller").says("anew: sellerd");
    }
    assert_eq!((steps(&place, "AccessToken"), pending(&place)), (exchanged, true));
    assert_eq!(standing(&place, "nz")["identity"], "demo-shop");
    // The token is there already: nobody has to log in once more.
    let resumed = place.run("auth login nz --resume --other-seller").exits(0);
    resumed.says("logged in as other-shop");
    assert_eq!(standing(&place, "nz")["identity"], "other-shop");
}

/// A place whose account works with a pair that was put into place by hand, and has read its shop with it.
fn worked_by_hand() -> Place {
    let place = shop("");
    place.write_secrets("nz", place.sandbox.trademe_credentials());
    place.write_job("nz-pull", "stock-pull", "0 0 1 1 *", "account = \"nz\"");
    place.job("nz-pull", 0);
    assert!(standing(&place, "nz")["identity"].is_null(), "nobody has noted who it is");
    place
}

/// Logs in as this seller, with nobody to ask.
fn log_in(place: &Place, seller: &str) -> crate::support::Ran {
    let begun = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
    let number = pin_of(begun["url"].as_str().expect("an address"), seller);
    place.run(&format!("auth login nz --pin {number}"))
}

#[test]
fn the_pair_in_use_says_whose_an_account_is_where_nobody_has_noted_it() {
    let place = worked_by_hand();
    let before = place.sandbox.trademe_requests().len();
    log_in(&place, "other-shop").exits(4).says("and nz has been demo-shop").says("--other-seller");
    let asked = place.sandbox.trademe_requests().split_off(before);
    let who = asked.iter().filter(|seen| seen.path.ends_with("Summary.json")).count();
    assert_eq!(who, 2, "the new pair and the one in use, once each");
    assert!(!place.state().join("secrets/nz.toml").exists());
    assert_eq!(standing(&place, "nz")["identity"], "demo-shop", "now it is noted");
    let place = worked_by_hand();
    log_in(&place, "demo-shop").exits(0).says("logged in as demo-shop");
}

#[test]
fn an_account_that_nobody_can_say_the_seller_of_changes_hands_only_when_that_is_meant() {
    for gone in [true, false] {
        let place = worked_by_hand();
        match gone {
            true => write_app(&place),
            false => {
                let mut wrong = place.sandbox.trademe_credentials().clone();
                wrong.token_secret = "0".repeat(32);
                place.write_secrets("nz", &wrong);
            }
        }
        let why = if gone { "there is no login any more" } else { "does not say who it is" };
        let refused = log_in(&place, "other-shop").exits(4);
        refused.says("nobody can say whether nz has been theirs").says(why);
        assert!(pending(&place) && standing(&place, "nz")["identity"].is_null());
        place.run("--no-input auth login nz --resume").exits(4).says("nz --resume --other-seller");
        let keys = place.sandbox.trademe_credentials().clone();
        let text = format!("{}\n{}\n", keys.token, keys.token_secret);
        super::fed(&place, "auth import nz", &text).exits(4).says("auth import nz --other-seller");
        place.run("auth login nz --resume --other-seller").exits(0).says("logged in as other-shop");
    }
}

#[test]
fn the_browser_brings_it_by_itself_where_a_callback_leads_here() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let place = shop(&format!("callback = \"https://shop.invalid/back\"\ncallback_listen = \"{free}\""));
    let login = Waiting::begin(&place, "auth login nz");
    let back = decide(&login.url, "demo-shop", "allow").location.expect("it is sent somewhere");
    let (_, query) = back.split_once("https://shop.invalid/back").expect("the callback that is registered");
    assert_eq!(ask("GET", &format!("http://{free}/favicon.ico"), "").status, 404);
    let page = ask("GET", &format!("http://{free}/back{query}"), "");
    assert!(page.status == 200 && page.body.contains("can be closed"), "{page:?}");
    login.ends(0).says("logged in as demo-shop");

    let refused = Waiting::begin(&place, "auth login nz");
    let back = decide(&refused.url, "demo-shop", "deny").location.expect("it is sent somewhere");
    ask("GET", &back.replace("https://shop.invalid", &format!("http://{free}")), "");
    refused.ends(4).says("access was refused");
}

#[test]
fn the_pair_of_another_app_alone_names_the_way_that_leads_there() {
    let place = shop("");
    log_in(&place, "demo-shop").exits(0);
    let new = "consumer_key = \"another\"\nconsumer_secret = \"another-secret\"\n";
    let ran = super::fed(&place, "-o json auth import nz", new).exits(4);
    let (message, fix) = (ran.error()["message"].to_string(), ran.error()["fix"].to_string());
    assert!(message.contains("belongs to the app that it was made with"), "{message}");
    assert!(message.contains("nothing was changed") && !fix.contains("compare"), "{message} {fix}");
    let at = |words: &str| fix.find(words).unwrap_or_else(|| panic!("no {words} in {fix}"));
    assert!(
        at("auth logout nz") < at("auth import nz") && at("auth import nz") < at("auth login nz"),
        "{fix}"
    );
    // The way that is named is one.
    place.run("--yes auth logout nz").exits(0);
    super::fed(&place, "auth import nz", new).exits(4).says("not logged in yet").says("auth login nz");
    let keys = place.sandbox.trademe_credentials().clone();
    let app =
        format!("consumer_key = \"{}\"\nconsumer_secret = \"{}\"\n", keys.consumer_key, keys.consumer_secret);
    super::fed(&place, "auth import nz", &app).exits(4).says("not logged in yet");
    log_in(&place, "demo-shop").exits(0);

    // A token that no logout takes away has to be taken out by hand.
    let place = shop("");
    place.write_secrets("nz", &keys);
    let file = place.dir().join("secrets/nz.toml").display().to_string();
    super::fed(&place, "auth import nz", new).exits(4).says(&format!("out of {file}")).says("auth logout nz");
}

#[test]
fn whoever_reaches_the_listener_ends_nobodys_login() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let place = shop(&format!("callback = \"https://shop.invalid/back\"\ncallback_listen = \"{free}\""));
    let login = Waiting::begin(&place, "auth login nz");
    let stray = ["denied=SOMEBODYELSE", "denied=", "oauth_problem=user_refused", "oauth_verifier=1"];
    for query in stray.into_iter().chain(["oauth_token=X&oauth_verifier=Y"; 12]) {
        let page = ask("GET", &format!("http://{free}/back?{query}"), "");
        assert!(page.status == 404 && page.body.contains("none of it"), "{query}: {page:?}");
    }
    assert!(pending(&place));
    let back = decide(&login.url, "demo-shop", "allow").location.expect("it is sent somewhere");
    ask("GET", &back.replace("https://shop.invalid", &format!("http://{free}")), "");
    let ran = login.ends(0).says("logged in as demo-shop");
    assert_eq!(steps(&place, "AccessToken"), 1, "nothing else was tried");
    assert_eq!(ran.stderr.matches("PIN: ").count(), 1, "nobody saw anything of it: {}", ran.stderr);
}

#[test]
fn a_first_step_that_fails_names_a_command_that_works() {
    for fault in ["html", "503", "unavailable"] {
        let place = shop("");
        place.fault(&format!("{fault} --shop trademe"));
        let fix =
            place.run("-o json auth login nz").exits(5).error()["fix"].as_str().expect("a fix").to_owned();
        assert!(fix.ends_with("auth login nz"), "{fault}: {fix}");
    }
}

#[test]
fn a_login_that_cannot_be_shown_is_not_told_as_one_that_works() {
    let place = shop("");
    place.write_secrets("nz", place.sandbox.trademe_credentials());
    place.job("nz-probe", 0);
    write_app(&place);
    let document = place.run("--no-input auth login nz").exits(4).document("sellerd.auth/1");
    let waiting = row(&document, "nz");
    assert_eq!((waiting["state"].as_str(), waiting["since"].is_null()), (Some("unknown"), true), "{waiting}");
    let finish = format!("sellerd -c {} auth login nz --pin <PIN>", place.dir().display());
    assert_eq!((document["finish"].as_str(), waiting["fix"].as_str()), (Some(&*finish), Some(&*finish)));
}

#[test]
fn what_was_not_granted_is_told_at_once() {
    let place = shop("");
    let keys = place.sandbox.trademe_credentials().clone();
    place.sandbox.with_trademe(|shop| shop.grant_only_reading());
    let text = format!("{}\n{}\n", keys.token, keys.token_secret);
    let ran = super::fed(&place, "-o json auth import nz", &text).exits(0);
    let document: Value = ran.document("sellerd.auth/1");
    assert_eq!(row(&document, "nz")["scopes"], serde_json::json!(["MyTradeMeRead"]));
    assert_eq!(row(&document, "nz")["scopes_missing"], serde_json::json!(["MyTradeMeWrite"]));
}

#[test]
fn a_running_agent_takes_the_new_login_at_once() {
    let place = shop("");
    place.write_secrets("nz", place.sandbox.trademe_credentials());
    let agent = place.agent();
    place.fault("reject-token");
    place.job("nz-probe", 4);
    assert_eq!(access(&place.status(), "nz")["state"], "unauthorized");
    let mut login = Waiting::begin(&place, "auth login nz");
    let number = pin(&login.url);
    login.types(&number);
    login.ends(0).says("logged in as demo-shop");
    let status = place.status();
    assert_eq!(access(&status, "nz")["state"], "active");
    assert!(status["problems"].as_array().expect("problems").is_empty(), "{status}");
    place.made_up("nz-probe");
    let said = place.run("auth logout nz --yes").exits(0).says("forgotten");
    assert!(said.stdout.contains("In use now"), "the first pair is in the configuration: {}", said.stdout);
    agent.stop();
}
