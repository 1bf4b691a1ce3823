//! One account's credentials cannot be used: it is not worked and says why, and nobody else notices.

use std::fs;

use sellerd::sandbox::Keys;
use serde_json::Value;

use super::{fed, standing};
use crate::support::{Agent, Place, access};

fn four(keys: &Keys) -> String {
    [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret]
        .map(String::as_str)
        .join("\n")
}

/// The accounts `cm` and `other`, each at a shop of its own and with a job `probe` and `other-probe`.
fn two() -> (Place, Place) {
    let (place, other) = (Place::of(5), Place::of(5));
    place.add_account("other", &other.sandbox.base_url(), other.sandbox.credentials());
    place.write_job("other-probe", "probe", "0 0 1 1 *", "account = \"other\"");
    (place, other)
}

/// Has the credentials of `other` printed by a command that writes down each of its calls, and fails while it is
/// locked.
fn printed_by_a_command(place: &Place) {
    fs::remove_file(place.dir().join("secrets/other.toml")).expect("it was there");
    let home = place.home().display();
    let script = format!("echo >> {home}/calls; cat {home}/store");
    let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    let settings = format!("{settings}credentials_command = [\"sh\", \"-c\", \"{script}\"]\n");
    place.write("sellerd.toml", &settings);
}

fn calls(place: &Place) -> usize {
    fs::read_to_string(place.home().join("calls")).map_or(0, |calls| calls.lines().count())
}

#[track_caller]
fn unlock(place: &Place, other: &Place) {
    fs::write(place.home().join("store"), four(other.sandbox.credentials())).expect("a file");
}

/// The code, the subject, the weight and the fix of each open problem.
fn problems(place: &Place) -> Vec<[String; 4]> {
    let ran = place.run("-o json status");
    let status = ran.document("sellerd.status/1");
    let of = |problem: &Value, key: &str| problem[key].as_str().expect("a text").to_owned();
    let all = status["problems"].as_array().expect("problems").iter();
    ran.exits(if all.len() > 0 { 4 } else { 0 });
    all.map(|problem| ["code", "subject", "severity", "fix"].map(|key| of(problem, key))).collect()
}

#[track_caller]
fn only_problem(place: &Place, code: &str) -> String {
    let problems = problems(place);
    let [[found, subject, severity, fix]] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!([found, subject, severity], [code, "other", "critical"]);
    fix.clone()
}

/// What has nothing to do with `other` works.
#[track_caller]
fn nobody_else_notices(place: &Place) {
    place.job("probe", 0);
    for words in ["auth test cm", "halt", "unhalt --yes", "schedule", "runs list", "job list"] {
        place.run(words).exits(0);
    }
    assert_eq!(access(&place.status(), "cm")["state"], "active");
}

/// The job of `other` says why it was not begun.
#[track_caller]
fn blocked(place: &Place, code: &str) {
    let run = place.job("other-probe", 4);
    assert_eq!((run["outcome"].as_str(), run["requests"].as_i64()), (Some("blocked"), Some(0)), "{run}");
    assert!(run["message"].as_str().expect("a message").contains(code), "{run}");
    place.run("auth test other").exits(4).says(code).says("sellerd auth ");
}

#[test]
fn an_account_that_is_logged_out_is_in_nobodys_way_before_and_after_a_restart() {
    let (place, other) = two();
    fs::remove_file(place.dir().join("secrets/other.toml")).expect("it was there");
    let keys = four(other.sandbox.credentials());
    fed(&place, "auth import other", &keys).exits(0);
    let agent = place.agent();
    place.run("auth logout other --local --yes").exits(0);
    for agent in [Some(agent), None] {
        nobody_else_notices(&place);
        blocked(&place, "E302");
        assert!(only_problem(&place, "E302").contains("sellerd auth import other"));
        if let Some(agent) = agent {
            agent.kill();
        }
    }
    let agent = place.agent();
    nobody_else_notices(&place);
    blocked(&place, "E302");
    only_problem(&place, "E302");

    fed(&place, "auth import other", &keys).exits(0).says("logged in as demo-shop");
    assert_eq!(problems(&place), Vec::<[String; 4]>::new());
    place.made_up("other-probe");
    agent.stop();
}

#[test]
fn credentials_that_make_no_sense_are_shown_as_such_until_the_file_is_mended() {
    let (place, other) = two();
    let good = fs::read_to_string(place.dir().join("secrets/other.toml")).expect("a file");
    place.write("secrets/other.toml", "{{ canary");
    place.run("config check").exits(78).says("E101");
    nobody_else_notices(&place);
    let mut agent = place.agent();
    nobody_else_notices(&place);
    blocked(&place, "E101");
    only_problem(&place, "E101");
    let row = standing(&place, "other");
    assert_eq!((&row["wrong"]["code"], row["wrong"]["line"].as_i64()), (&"E101".into(), Some(1)), "{row}");
    assert!(row["fix"].as_str().expect("a fix").contains("sellerd auth import other"), "{row}");
    assert_eq!(
        (&standing(&place, "cm")["state"], standing(&place, "cm").get("wrong")),
        (&"active".into(), None)
    );
    let ran = place.run("auth status").exits(4).says("E101").says("secrets/other.toml:1");
    assert!(!ran.stdout.contains("canary"), "{}", ran.stdout);

    place.write("secrets/other.toml", &good);
    agent.signal("HUP");
    agent.event("config.reloaded");
    place.made_up("other-probe");
    assert_eq!(problems(&place), Vec::<[String; 4]>::new());
    // Spoilt while it runs, and mended with the credentials that lie elsewhere left as they are.
    place.write("secrets/other.toml", "{{ canary");
    agent.signal("HUP");
    agent.event("config.reloaded");
    blocked(&place, "E101");
    nobody_else_notices(&place);
    fed(&place, "auth import other", &four(other.sandbox.credentials())).exits(0);
    assert_eq!(problems(&place), Vec::<[String; 4]>::new());
    agent.stop();
    place.job("other-probe", 0);
}

#[test]
fn what_was_kept_by_us_and_is_spoilt_is_replaced_by_an_import() {
    for garbage in [&b"{{"[..], b"token = \"\xff\xfe\"", b"token = \"half\""] {
        let (place, other) = two();
        let keys = four(other.sandbox.credentials());
        fed(&place, "auth import other", &keys).exits(0);
        fs::write(place.state().join("secrets/other.toml"), garbage).expect("a file");
        nobody_else_notices(&place);
        blocked(&place, "no usable credentials, E");
        fed(&place, "auth import other", &keys).exits(0).says("logged in as demo-shop");
        place.job("other-probe", 0);
        fs::write(place.state().join("secrets/other.toml"), garbage).expect("a file");
        place.run("auth logout other --local --yes").exits(0).says("In use now");
        place.job("other-probe", 0);
    }
}

#[test]
fn a_password_store_is_asked_for_nobody_else_and_may_be_locked() {
    let (place, other) = two();
    printed_by_a_command(&place);
    nobody_else_notices(&place);
    for words in [
        "orders list",
        "stock list",
        "plan list",
        "quota",
        "explain E304",
        "job pause other-probe",
        "job resume other-probe",
        "stock export cm",
    ] {
        assert_ne!(place.run(words).code, 78, "{words}");
    }
    assert_eq!(calls(&place), 0, "nobody needed them");
    place.run("config check").exits(78).says("E304");
    assert_eq!(calls(&place), 1);
    blocked(&place, "E304");
    assert_eq!(calls(&place), 3, "once for each that is about this account");
    assert!(only_problem(&place, "E304").contains("then: sellerd auth test other"));
    place.run("auth status").exits(4).says("E304").says("cm (Cardmarket)   active");

    let agent = place.agent();
    let before = calls(&place);
    nobody_else_notices(&place);
    assert_eq!(calls(&place), before);
    blocked(&place, "E304");
    unlock(&place, &other);
    place.run("auth test other").exits(0);
    assert_eq!(problems(&place), Vec::<[String; 4]>::new());
    place.made_up("other-probe");
    agent.stop();
}

#[test]
fn credentials_are_brought_although_the_password_store_is_locked() {
    for with_agent in [false, true] {
        let (place, other) = two();
        printed_by_a_command(&place);
        let agent = with_agent.then(|| place.agent());
        blocked(&place, "E304");
        let keys = four(other.sandbox.credentials());
        // What belongs to a token is in the store.
        let alone = "token = \"a\"\ntoken_secret = \"b\"\n";
        fed(&place, "auth import other", alone).exits(4).says("gave no credentials");
        fed(&place, "auth import other", &keys).exits(0).says("logged in as demo-shop");
        assert_eq!(problems(&place), Vec::<[String; 4]>::new());
        let before = calls(&place);
        if with_agent {
            place.made_up("other-probe");
        }
        place.job("other-probe", 0);
        place.run("auth status").exits(0);
        assert_eq!(calls(&place), before, "the store is not needed any more");
        place.run("auth logout other --local --yes").exits(0);
        blocked(&place, "E304");
        nobody_else_notices(&place);
        agent.into_iter().for_each(|agent| drop(agent.stop()));
    }
}

#[test]
fn an_agent_that_can_work_no_account_at_all_waits_for_one() {
    let place = Place::of(5);
    fs::remove_file(place.dir().join("secrets/cm.toml")).expect("it was there");
    let agent = place.agent();
    place.run("halt").exits(0);
    place.run("status").exits(4).says("has no credentials").says("sellerd auth import cm");
    place.run("unhalt --yes").exits(0);
    place.job("housekeeping", 0);
    place.job("probe", 4);
    fed(&place, "auth import cm", &four(place.sandbox.credentials())).exits(0);
    place.made_up("probe");
    agent.stop();
}

#[test]
fn what_a_service_manager_hands_to_the_agent_alone_is_not_missing() {
    let place = Place::of(5);
    let handed = place.home().join("handed");
    fs::create_dir(&handed).expect("a directory");
    fs::rename(place.dir().join("secrets/cm.toml"), handed.join("cm.toml")).expect("it was there");
    place.run("auth status").exits(4).says("sellerd auth import cm");
    let agent = Agent::start(place.program().args("run").env("CREDENTIALS_DIRECTORY", &handed));
    place.job("probe", 0);
    let shown = place.run("auth status").exits(0).says("handed/cm.toml, by the running agent").stdout;
    assert!(shown.contains("active since") && !shown.contains("missing"), "{shown}");
    let ran = place.run("-o json auth status").exits(0);
    let row = ran.document("sellerd.auth/1")["accounts"][0].clone();
    assert_eq!((&row["state"], &row["fix"]), (&"active".into(), &serde_json::Value::Null), "{row}");
    agent.stop();
    place.run("auth status").exits(4).says("sellerd auth import cm");
}
