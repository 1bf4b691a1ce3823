//! What a refusal means is found out with few requests, and what is refused for good is left alone, whoever kills the
//! agent meanwhile.

use std::fs;

use sellerd::clock::{Clock, SystemClock};
use sellerd::sandbox::FaultKind;
use sellerd::store::problems::{self, Problem, Severity};

use crate::support::{Place, access, eventually};
use crate::trademe::nz;

const EVERY_SECOND: &str = "* * * * * *";

/// Two accounts at shops of their own, each polled every second.
fn two_accounts() -> (Place, Place) {
    // Without a limit: on an allowance of 5,000 a day nobody is polled every second.
    let shop = || Place::with(|options| options.daily_limit = None);
    let (place, other) = (shop(), shop());
    place.add_account("other", &other.sandbox.base_url(), other.sandbox.credentials());
    for _ in 0..2 {
        place.edit("sellerd.toml", "\"cardmarket\"\nbase", "\"cardmarket\"\ndaily_limit = \"none\"\nbase");
    }
    place.write_job("order-poll", "order-poll", EVERY_SECOND, "account = \"cm\"");
    place.write_job("other-poll", "order-poll", EVERY_SECOND, "account = \"other\"");
    (place, other)
}

/// Returns once the shop was asked some more.
fn until_asked_more(place: &Place) {
    let before = place.asked();
    eventually("more requests", || (place.asked() > before + 2).then_some(()));
}

#[test]
fn polled_every_second_and_killed_a_refused_account_gets_three_requests_at_most_and_the_other_is_polled_on() {
    for (fault, state) in [("revoke", "revoked"), ("reject-token", "unauthorized")] {
        let (place, other) = two_accounts();
        let agent = place.agent();
        until_asked_more(&place);
        until_asked_more(&other);
        place.fault(fault);
        let before = place.seen().iter().filter(|seen| seen.status == Some(200)).count();
        // Killed at once, with the refusal perhaps under way.
        agent.kill();
        for _ in 0..4 {
            let agent = place.agent();
            until_asked_more(&other);
            agent.kill();
        }
        let agent = place.agent();
        eventually(state, || (access(&place.status(), "cm")["state"] == state).then_some(()));
        until_asked_more(&other);
        let refused = place.seen().iter().filter(|seen| matches!(seen.status, Some(401 | 403))).count();
        assert!((1..=3).contains(&refused), "{fault}: {refused} requests after {before}");
        assert_eq!(access(&place.status(), "other")["state"], "active");

        // A person acts, and what was missed is caught up without waiting for anything.
        place.fault("restore");
        place.run("auth test cm").exits(0);
        until_asked_more(&place);
        agent.stop();
    }
}

#[test]
fn killed_with_its_questions_on_their_way_it_asks_three_times_and_then_a_person_has_to() {
    let (place, other) = two_accounts();
    place.sandbox.fault(FaultKind::Status { status: 401 });
    place.fault("slow 10m --next 1");
    for asked in [1, 3] {
        let agent = place.agent();
        until_asked_more(&other);
        eventually("a question that is not answered", || (place.asked() >= asked).then_some(()));
        agent.kill();
        // From now on the order poll is refused at once, and the canary that comes of it waits.
        place.fault("slow 10m --path /account");
    }
    let agent = place.agent();
    until_asked_more(&other);
    let status = place.status();
    let found = access(&status, "cm");
    assert_eq!((found["state"].as_str(), found["cause"].as_str()), (Some("suspended"), Some("undecided")));
    assert!(found["next_probe_at"].is_null(), "{found}");
    let problem = &status["problems"][0];
    assert_eq!(
        (problem["code"].as_str(), problem["fix"].as_str()),
        (Some("E451"), Some("sellerd auth test cm"))
    );
    assert!(problem["title"].as_str().unwrap().contains("asks no more by itself"), "{problem}");
    assert_eq!(place.asked(), 3);

    place.sandbox.clear_faults();
    place.fault("reject-token");
    place.run("auth test cm").exits(4);
    assert_eq!((place.asked(), access(&place.status(), "cm")["state"].as_str()), (4, Some("unauthorized")));
    agent.stop();
}

#[test]
fn killed_before_it_reads_any_answer_it_asks_three_times_and_then_a_person_has_to() {
    let (place, other) = two_accounts();
    place.fault("slow 10m");
    place.sandbox.fault(FaultKind::Status { status: 403 });
    for life in 1..=5 {
        let agent = place.agent();
        until_asked_more(&other);
        // The order poll twice, and then the cheapest question there is.
        eventually("a question that is not answered", || (place.asked() >= life.min(3)).then_some(()));
        agent.kill();
    }
    assert_eq!(place.asked(), 3);
    assert!(place.seen()[2].path.ends_with("/account"), "{:?}", place.seen());
    let agent = place.agent();
    until_asked_more(&other);
    let status = place.status();
    let found = access(&status, "cm");
    assert_eq!((found["state"].as_str(), found["cause"].as_str()), (Some("suspended"), Some("undecided")));
    assert!(found["next_probe_at"].is_null() && found["evidence"].is_null(), "{found}");
    let problem = &status["problems"][0];
    assert_eq!(problem["code"], "E451");
    assert!(problem["title"].as_str().unwrap().contains("asks no more by itself"), "{problem}");
    assert!(problem["fix"].as_str().unwrap().contains("sellerd auth test cm"), "{problem}");
    assert_eq!(place.asked(), 3);

    // It was welcome all the while.
    place.sandbox.clear_faults();
    place.run("auth test cm").exits(0);
    until_asked_more(&place);
    assert_eq!(place.status()["problems"].as_array().map(Vec::len), Some(0));
    agent.stop();
}

#[test]
fn killed_twice_before_it_read_an_answer_it_asks_the_cheapest_question_and_goes_on() {
    let place = Place::of(10);
    place.write_job("order-poll", "order-poll", "0 0 1 1 *", "account = \"cm\"");
    for _ in 0..2 {
        place.fault("slow 10m --next 1");
        let asked = place.asked();
        let mut job = place.program().args("job run order-poll").start();
        eventually("a question that is not answered", || (place.asked() > asked).then_some(()));
        job.kill().unwrap();
        job.wait().unwrap();
    }
    let before = place.asked();
    let run = place.job("order-poll", 0);
    assert_eq!(run["outcome"], "success", "{run}");
    assert!(place.seen()[before].path.ends_with("/account"), "{:?}", place.seen());
    let status = place.status();
    assert_eq!(access(&status, "cm")["state"], "active");
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(0), "{status}");
}

#[test]
fn new_credentials_let_a_running_agent_go_on_at_once() {
    let place = Place::of(10);
    let right = place.sandbox.credentials().clone();
    let mut wrong = right.clone();
    wrong.token_secret = "0".repeat(32);
    place.write_secrets("cm", &wrong);
    place.write_job("order-poll", "order-poll", "0 0 1 1 *", "account = \"cm\"");
    let mut agent = place.agent();
    place.job("order-poll", 4);
    assert_eq!(access(&place.status(), "cm")["state"], "unauthorized");
    place.write_secrets("cm", &right);
    agent.signal("HUP");
    let caught_up = agent.event_where("job.finished", |line| line["outcome"] == "success");
    assert_eq!(caught_up["job"], "order-poll", "{caught_up}");
    let run = &place.list("runs list --job order-poll", "runs")[0];
    assert_eq!((run["trigger"].as_str(), run["outcome"].as_str()), (Some("retry"), Some("success")), "{run}");
    agent.stop();
}

#[test]
fn a_refusal_that_was_not_meant_costs_two_requests_and_nothing_else() {
    for fault in ["revoke --next 1", "reject-token --next 1"] {
        let place = Place::of(10);
        place.fault(fault);
        let run = place.job("stock-pull", 0);
        assert_eq!((run["outcome"].as_str(), run["requests"].as_i64()), (Some("success"), Some(4)), "{run}");
        let status = place.status();
        assert_eq!(access(&status, "cm")["state"], "active");
        assert_eq!(status["problems"].as_array().map(Vec::len), Some(0), "{status}");
    }
}

#[test]
fn one_resource_that_is_refused_is_left_alone_and_the_rest_goes_on() {
    let place = Place::of(10);
    place.fault("revoke --path /stock");
    let run = place.job("stock-pull", 4);
    assert_eq!(
        (run["error_type"].as_str(), run["requests"].as_i64()),
        (Some("auth_forbidden"), Some(3)),
        "{run}"
    );
    let status = place.status();
    let found = access(&status, "cm");
    assert_eq!((found["state"].as_str(), found["cause"].as_str()), (Some("restricted"), Some("resource")));
    assert_eq!(found["closed"][0]["resource"], "GET stock/{start}");
    assert_eq!(status["problems"][0]["code"], "E452");
    let asked = place.asked();
    assert_eq!(place.job("stock-pull", 4)["requests"], 0);
    assert_eq!(place.asked(), asked);
    place.job("order-poll", 0);
    place.job("probe", 0);
    assert_eq!(access(&place.status(), "cm")["state"], "restricted");

    // Once it may be asked again, one request is enough, since the rest was answered.
    let since = place.status()["problems"][0]["since"].clone();
    place.run("auth test cm").exits(0);
    assert_eq!(place.job("stock-pull", 4)["requests"], 1);
    assert_eq!(place.job("stock-pull", 4)["requests"], 0);
    let status = place.status();
    assert_eq!(
        (status["problems"][0]["code"].as_str(), &status["problems"][0]["since"]),
        (Some("E452"), &since)
    );
    place.sandbox.clear_faults();
    place.run("auth test cm").exits(0);
    place.job("stock-pull", 0);
    assert_eq!(place.status()["problems"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_block_at_the_edge_is_no_revocation_and_is_asked_again_in_an_hour() {
    let place = Place::of(10);
    place.fault("revoke --empty-body");
    place.job("stock-pull", 4);
    let status = place.status();
    let found = access(&status, "cm");
    assert_eq!((found["state"].as_str(), found["cause"].as_str()), (Some("suspended"), Some("edge-block")));
    assert!(found["next_probe_at"].is_string() && found["reapply_on"].is_null(), "{found}");
    assert_eq!(found["evidence"]["status"], 403);
    assert_eq!(status["problems"][0]["code"], "E451");
    place.job("order-poll", 4);
    assert_eq!(place.asked(), 2);
}

#[test]
fn every_way_of_looking_names_the_same_way_out() {
    let other_host = "redirect-away http://127.0.0.2:9/";
    for (fault, says) in [
        ("revoke", "ask Cardmarket for it again on"),
        ("revoke --empty-body", "this machine's address is blocked"),
        (other_host, "set `base_url` of cm"),
        ("reject-token", "sellerd auth import cm"),
    ] {
        let place = Place::of(10);
        place.fault(fault);
        place.run("job run probe");
        let status = place.status();
        let (problem, found) = (&status["problems"][0], access(&status, "cm"));
        let fix = problem["fix"].as_str().unwrap_or_else(|| panic!("{fault}: {status}"));
        assert!(fix.contains(says), "{fault}: {fix}");
        let row = |words: &str| {
            let ran = place.run(&format!("-o json {words}")).exits(4);
            ran.document("sellerd.auth/1")["accounts"][0].clone()
        };
        let standing = row("auth status");
        assert_eq!(standing["fix"], fix, "{fault}");
        for key in ["next_probe_at", "reapply_on"] {
            assert_eq!(standing[key], found[key], "{fault}: {key}");
        }
        let shown = place.run("auth status").exits(4).stdout;
        assert_eq!(shown.contains("asked again"), found["next_probe_at"].is_string(), "{shown}");
        assert_eq!(shown.contains("ask for it"), found["reapply_on"].is_string(), "{shown}");
        assert_eq!(row("auth test cm")["fix"], fix, "{fault}");
        place.run("auth test cm").exits(4).says(says);
    }
}

#[test]
fn a_clock_that_is_wrong_is_a_problem_until_it_is_right() {
    for (skew, words) in [("20m", "20 min behind"), ("-20m", "20 min ahead of")] {
        for (account, jobs, shop) in [("cm", "", "Cardmarket's"), ("nz", "nz-", "Trade Me's")] {
            let place = Place::of(10);
            nz::join(&place);
            let seen = || if account == "nz" { place.sandbox.trademe_requests() } else { place.seen() };
            place.fault(&format!("clock-skew {skew}"));
            for job in ["probe", "stock-pull", "order-poll"] {
                place.job(&format!("{jobs}{job}"), 0);
            }
            let refused = seen().iter().filter(|seen| seen.status == Some(401)).count();
            assert_eq!(refused, 1, "{account} {skew}");
            let status = place.status();
            let problem = &status["problems"][0];
            let about = |title: &str| title.replace("19 min 59 s", "20 min").replace("20 min 1 s", "20 min");
            assert_eq!(problem["code"], "E430", "{status}");
            let title = about(problem["title"].as_str().unwrap());
            assert!(title.contains(&format!("{words} {shop}")), "{problem}");
            place.sandbox.clear_faults();
            place.run(&format!("auth test {account}"));
            place.job(&format!("{jobs}probe"), 0);
            assert_eq!(place.status()["problems"].as_array().map(Vec::len), Some(0));
        }
    }
}

#[test]
fn an_agent_that_is_started_anew_asks_nothing_of_an_account_that_is_refused() {
    let place = Place::of(10);
    place.fault("revoke");
    place.job("probe", 4);
    let asked = place.asked();
    let agent = place.agent();
    eventually("a look at the schedule", || (agent.get("/readyz").status == 200).then_some(()));
    agent.stop();
    assert_eq!(place.asked(), asked);
}

#[test]
fn how_often_an_account_is_polled_is_no_problem_while_it_is_not_polled_at_all() {
    let place = Place::of(5);
    place.job("order-poll", 0);
    let codes = || {
        let status = place.status();
        let problems = status["problems"].as_array().expect("problems").iter();
        problems.map(|problem| problem["code"].as_str().expect("a code").to_owned()).collect::<Vec<_>>()
    };
    let stretched = Problem {
        code: "W431".to_owned(),
        subject: "order-poll".to_owned(),
        severity: Severity::Warning,
        title: "orders of cm are read about every 12 s".to_owned(),
        since: SystemClock::default().now(),
        fix: "sellerd quota".to_owned(),
    };
    place.store(move |tx| problems::open(tx, &stretched));
    assert_eq!(codes(), ["W431"]);
    // Nobody is logged in.
    let (secrets, aside) = (place.dir().join("secrets/cm.toml"), place.home().join("aside"));
    fs::rename(&secrets, &aside).expect("it was there");
    assert_eq!(codes(), ["E302"]);
    fs::rename(&aside, &secrets).expect("it was there");
    assert_eq!(codes(), ["W431"], "it was only put aside");
    // It is not let through.
    place.fault("revoke");
    place.job("probe", 4);
    assert_eq!(codes(), ["E450"]);
    place.job("order-poll", 4);
    place.fault("restore");
    place.run("auth test cm").exits(0);
    assert_eq!(
        codes(),
        Vec::<String>::new(),
        "a slot has closed it; the next one opens it anew if it has to"
    );
}
