//! A marketplace that does not do its work: each way of it gets its exit code and a message that names the request,
//! and nothing is lost by it.

use sellerd::store::requests;
use serde_json::Value;

use crate::support::{Place, access};

/// What a job's run must look like under a fault.
struct Expected {
    exit: i32,
    outcome: &'static str,
    error_type: &'static str,
    requests: u64,
    says: &'static str,
}

const fn failure(error_type: &'static str, requests: u64, says: &'static str) -> Expected {
    Expected { exit: 1, outcome: "failure", error_type, requests, says }
}

#[track_caller]
fn meets(place: &Place, fault: &str, job: &str, expected: &Expected) -> Value {
    place.fault(fault);
    let asked = place.asked();
    let ran = place.run(&format!("-o json job run {job}")).exits(expected.exit);
    let run = ran.document("sellerd.run/1");
    assert_eq!(run["outcome"], expected.outcome, "{fault}: {run}");
    assert_eq!(run["error_type"], expected.error_type, "{fault}: {run}");
    assert_eq!(run["requests"], expected.requests, "{fault}: every attempt counts: {run}");
    assert_eq!((place.asked() - asked) as u64, expected.requests, "{fault}: so the shop says too");
    let message = run["message"].as_str().unwrap_or_default();
    assert!(message.contains("GET ") && message.contains(expected.says), "{fault}: {message}");
    assert!(
        !message.contains("maintenance") && !message.contains("not json"),
        "{fault}: no body in {message}"
    );
    place.sandbox.clear_faults();
    run
}

/// After whatever happened: the next run works, the rows are those of before, the database is whole.
#[track_caller]
fn nothing_is_lost(place: &Place, before: &[Value]) {
    assert_eq!(place.list("stock list", "listings"), before);
    place.job("stock-pull", 0);
    assert_eq!(place.list("stock list", "listings"), before);
    let unanswered = place.store(requests::unanswered);
    assert!(unanswered.is_empty(), "{unanswered:?}");
    place.assert_database_is_whole();
}

#[test]
fn what_is_no_answer_fails_at_once_and_loses_nothing() {
    let place = Place::of(120);
    place.job("stock-pull", 0);
    let before = place.list("stock list", "listings");
    let garbled = |says| failure("bad_response", 1, says);
    for (fault, expected) in [
        ("500", failure("http_5xx", 1, "500")),
        ("html", garbled("a page of HTML")),
        ("garbage", garbled("it is no JSON")),
        ("truncate-json", garbled("breaks off")),
        ("redirect --next 9", failure("bad_response", 4, "a redirect")),
        ("error-in-200 short", failure("bad_response", 1, "Something went wrong")),
        ("error-in-200 long", failure("bad_response", 1, "Service currently not available")),
    ] {
        meets(&place, fault, "stock-pull", &expected);
    }
    nothing_is_lost(&place, &before);
}

#[test]
fn a_fault_on_a_later_page_keeps_the_pages_before_it() {
    let place = Place::of(250);
    meets(&place, "html --path /stock/101", "stock-pull", &failure("bad_response", 2, "a page of HTML"));
    assert_eq!(place.list("stock list", "listings").len(), 100);
    place.job("stock-pull", 0);
    meets(&place, "html --path /stock/201", "stock-pull", &failure("bad_response", 3, "GET stock/{start}"));
    assert!(place.list("stock list", "listings").len() >= 250, "what was not shown is not gone");
    meets(&place, "garbage --path /orders", "order-poll", &failure("bad_response", 1, "it is no JSON"));
    assert!(place.list("orders list", "orders").is_empty());
    place.job("order-poll", 0);
    assert!(!place.list("orders list", "orders").is_empty());
}

#[test]
fn what_passes_within_seconds_is_asked_again_with_a_new_nonce() {
    let place = Place::of(0);
    for fault in ["503", "drop-before", "drop-after", "truncate-body"] {
        let asked = place.asked();
        place.fault(&format!("{fault} --next 1"));
        let run = place.job("probe", 0);
        assert_eq!(run["requests"], 2, "{fault}: both attempts count");
        assert_eq!(place.asked() - asked, 2, "{fault}");
    }
    place.assert_database_is_whole();
}

#[test]
fn a_503_that_stays_is_given_up_after_four_attempts() {
    let place = Place::of(0);
    meets(&place, "503", "probe", &failure("http_5xx", 4, "GET account: 503"));
    place.job("probe", 0);
}

#[test]
fn a_service_that_is_switched_off_is_maintenance_and_no_declined_request() {
    let place = Place::of(0);
    let says = "GET account: 400: Service currently not available";
    meets(&place, "unavailable", "probe", &failure("http_4xx", 4, says));
    place.fault("unavailable --next 1");
    assert_eq!(place.job("probe", 0)["requests"], 2, "it passes within seconds, as a 503 does");
}

#[test]
fn a_connection_that_always_breaks_is_given_up_after_four_attempts() {
    let place = Place::of(0);
    meets(&place, "drop-before", "probe", &failure("connect", 4, "GET account"));
    place.job("probe", 0);
}

#[test]
fn a_shop_that_never_answers_is_given_up_in_time() {
    let place = Place::of(0);
    place.edit("sellerd.toml", "request_timeout = \"10s\"", "request_timeout = \"1s\"");
    meets(&place, "never", "probe", &failure("timeout", 4, "no answer in time"));
    place.job("probe", 0);
}

#[test]
fn a_shop_that_is_not_there_is_named_and_nothing_is_lost() {
    let place = Place::of(120);
    place.job("stock-pull", 0);
    let before = place.list("stock list", "listings");
    let gone = place.sandbox.base_url();
    place.edit("sellerd.toml", &gone, "http://127.0.0.1:9/ws/v2.0");
    let run = place.job("stock-pull", 1);
    assert_eq!(run["error_type"], "connect", "{run}");
    assert!(run["message"].as_str().unwrap().contains("GET stock/{start}: no connection"), "{run}");
    place.edit("sellerd.toml", "http://127.0.0.1:9/ws/v2.0", &gone);
    nothing_is_lost(&place, &before);
}

#[test]
fn a_body_without_end_is_cut_at_its_bound() {
    let place = Place::of(10);
    place.edit("sellerd.toml", "request_timeout = \"10s\"", "request_timeout = \"60s\"");
    meets(&place, "huge", "stock-pull", &failure("bad_response", 1, "larger than 64 MiB"));
    place.job("stock-pull", 0);
}

#[test]
fn a_redirect_at_the_same_host_is_followed_once_signed_anew() {
    let place = Place::of(0);
    place.fault("redirect --next 1");
    let run = place.job("probe", 0);
    assert_eq!(run["requests"], 2);
    // The shop refuses a nonce that it has seen, so the second request was signed by itself.
    let statuses: Vec<Option<u16>> = place.seen().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [Some(307), Some(200)]);
}

#[test]
fn a_redirect_to_another_host_takes_no_signature_there() {
    let (place, other) = (Place::of(0), Place::of(0));
    place.fault(&format!("redirect-away {}", other.sandbox.base_url()));
    let run = place.job("stock-pull", 4);
    assert!(run["message"].as_str().unwrap().contains("a redirect to http://127.0.0.1:"), "{run}");
    let status = place.status();
    assert_eq!(access(&status, "cm")["state"], "suspended");
    assert!(status["problems"][0]["fix"].as_str().unwrap().contains("set `base_url` of cm"), "{status}");
    place.job("probe", 4);
    assert_eq!((place.asked(), other.asked()), (2, 0), "one question more, and then silence");
    place.sandbox.clear_faults();
    place.run("auth test cm").exits(0);
    place.job("stock-pull", 0);
}
