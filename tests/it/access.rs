//! An account whose login or access is gone sends nothing more until a person has done something about it.

use chrono::{Datelike, Months};
use sellerd::clock::{Clock, SystemClock};

use crate::support::{Place, access};

#[test]
fn a_403_on_everything_revokes_the_account_with_two_requests_and_the_day_to_ask_again() {
    let place = Place::of(120);
    place.fault("revoke");
    let run = place.job("stock-pull", 4);
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("blocked"), Some("auth_forbidden"))
    );
    assert_eq!(place.asked(), 2, "one question more, to be sure");

    let status = place.status();
    let access = access(&status, "cm");
    assert_eq!(access["state"], "revoked");
    assert_eq!(access["reason"], "403 on GET stock/{start}, then 403 on GET account");
    assert_eq!(access["cause"], "revoked");
    assert!(access["since"].is_string() && access["next_probe_at"].is_null(), "{access}");
    let today = SystemClock::default().now().date_naive();
    let end_of_next_month = today
        .with_day(1)
        .and_then(|day| day.checked_add_months(Months::new(2)))
        .and_then(|day| day.pred_opt());
    assert_eq!(access["reapply_on"], end_of_next_month.expect("a day").to_string());
    assert_eq!(place.run("status").exits(4).code, 4, "a script notices");

    let problem = &status["problems"][0];
    assert_eq!((problem["code"].as_str(), problem["severity"].as_str()), (Some("E450"), Some("critical")));
    assert!(problem["fix"].as_str().unwrap().contains("sellerd auth test cm"), "{problem}");

    // Later runs, each a process of its own: a restart changes nothing.
    for job in ["stock-pull", "order-poll", "probe"] {
        let run = place.job(job, 4);
        assert_eq!((run["outcome"].as_str(), run["requests"].as_i64()), (Some("blocked"), Some(0)), "{run}");
    }
    assert_eq!(place.asked(), 2, "the shop is left alone");
    assert_eq!(place.job("housekeeping", 0)["outcome"], "success", "what needs no account goes on");
}

#[test]
fn another_account_does_not_notice() {
    let (place, other) = (Place::of(10), Place::of(10));
    place.add_account("other", &other.sandbox.base_url(), other.sandbox.credentials());
    place.write_job("other-pull", "stock-pull", "0 0 1 1 *", "account = \"other\"");
    place.fault("revoke");
    place.job("probe", 4);
    let run = place.job("other-pull", 0);
    assert_eq!(run["account"], "other");
    assert_eq!(access(&place.status(), "other")["state"], "active");
    assert_eq!(access(&place.status(), "cm")["state"], "revoked");
    let all = place.list("stock list", "listings").len();
    assert_eq!(place.list("stock list --account other", "listings").len(), all);
}

#[test]
fn the_problems_of_an_account_that_leaves_the_configuration_go_with_it_and_are_back_when_it_is() {
    let (place, other) = (Place::of(10), Place::of(10));
    let without = std::fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    place.add_account("other", &other.sandbox.base_url(), other.sandbox.credentials());
    let with = std::fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    place.write_job("other-pull", "stock-pull", "0 0 1 1 *", "account = \"other\"");
    other.fault("revoke");
    place.job("other-pull", 4);
    let problems = |place: &Place| place.status()["problems"].clone();
    assert_eq!(problems(&place)[0]["code"], "E450");
    let since = problems(&place)[0]["since"].clone();

    let leave = || {
        place.write("sellerd.toml", &without);
        std::fs::remove_file(place.dir().join("jobs/other-pull.toml")).expect("a file");
    };
    let come_back = || {
        place.write("sellerd.toml", &with);
        place.write_job("other-pull", "stock-pull", "0 0 1 1 *", "account = \"other\"");
    };
    // At a start.
    leave();
    let mut agent = place.agent();
    assert_eq!(problems(&place).as_array().map(Vec::len), Some(0));
    // At a reload.
    for _ in 0..2 {
        come_back();
        agent.signal("HUP");
        agent.event("config.reloaded");
        let back = problems(&place)[0].clone();
        assert_eq!(
            (back["code"].as_str(), &back["since"]),
            (Some("E450"), &since),
            "it is as blocked as it was"
        );
        leave();
        agent.signal("HUP");
        agent.event("config.reloaded");
        assert_eq!(problems(&place).as_array().map(Vec::len), Some(0));
    }
    agent.stop();
    assert_eq!(other.asked(), 2, "and nothing was asked for it");
}

#[test]
fn auth_test_asks_although_the_account_is_blocked_and_success_makes_it_active() {
    let place = Place::of(10);
    place.fault("revoke");
    place.job("probe", 4);
    let ran = place.run("-o json auth test cm").exits(4);
    let row = &ran.document("sellerd.auth/1")["accounts"][0];
    assert_eq!((row["account"].as_str(), row["state"].as_str()), (Some("cm"), Some("revoked")));
    for key in ["since", "identity", "scopes", "token_created_at", "fix"] {
        assert!(row.get(key).is_some(), "{key} in {row}");
    }
    assert!(row["fix"].as_str().unwrap().contains("cm"), "{row}");
    assert_eq!(place.asked(), 3, "a person may ask");

    place.fault("restore");
    let ran = place.run("-o json auth test cm").exits(0);
    let row = &ran.document("sellerd.auth/1")["accounts"][0];
    assert_eq!((row["state"].as_str(), row["fix"].as_str()), (Some("active"), None));
    assert!(row["identity"].is_string());
    place.job("stock-pull", 0);
    let status = place.status();
    assert_eq!(access(&status, "cm")["state"], "active");
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(0), "the problem is over");
    place.run("status").exits(0);
}

#[test]
fn a_401_waits_for_other_credentials_and_new_ones_let_it_out() {
    let place = Place::of(10);
    let right = place.sandbox.credentials().clone();
    place.fault("reject-token");
    let run = place.job("probe", 4);
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("blocked"), Some("auth_revoked"))
    );
    assert_eq!(access(&place.status(), "cm")["state"], "unauthorized");
    place.fault("restore");
    place.job("probe", 4);
    assert_eq!(place.asked(), 2, "it cannot know that it would work again");

    // Other credentials are tried once; these are wrong as well.
    let mut wrong = right.clone();
    wrong.token_secret = "0".repeat(32);
    place.write_secrets("cm", &wrong);
    place.job("probe", 4);
    assert_eq!(place.asked(), 4);
    place.job("probe", 4);
    assert_eq!(place.asked(), 4);
    assert_eq!(access(&place.status(), "cm")["state"], "unauthorized");

    place.write_secrets("cm", &right);
    place.job("probe", 0);
    let status = place.status();
    assert_eq!(access(&status, "cm")["state"], "active");
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_clock_that_is_off_is_corrected_once_and_is_no_lost_login() {
    for skew in ["10m", "-10m"] {
        let place = Place::of(10);
        place.fault(&format!("clock-skew {skew}"));
        let run = place.job("stock-pull", 0);
        assert_eq!(run["requests"], 3, "{skew}: one refused, two served");
        assert_eq!(access(&place.status(), "cm")["state"], "active", "{skew}");
        // Remembered: the next process signs by the marketplace's clock from the start.
        let run = place.job("stock-pull", 0);
        assert_eq!(run["requests"], 2, "{skew}");
    }
}
