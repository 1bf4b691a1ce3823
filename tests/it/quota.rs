//! The marketplace's limits are kept, whoever restarts.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use chrono::{DateTime, Days, SubsecRound, TimeDelta, TimeZone, Utc};
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::Mark;
use sellerd::policy::quota::{Usage, WindowKind};
use sellerd::sandbox::Verdict;
use sellerd::store::deferrals::{self, Deferral};
use sellerd::store::{accounts, quotas};
use serde_json::Value;

use crate::support::{Place, status_of};

/// A job in a status document.
#[track_caller]
fn job<'a>(status: &'a Value, name: &str) -> &'a Value {
    let jobs = status["jobs"].as_array().expect("jobs");
    jobs.iter().find(|job| job["job"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
}

fn quota(place: &Place) -> Value {
    let status = place.status();
    status_of(&status, "cm")["quotas"][0].clone()
}

/// The next midnight in Berlin.
fn midnight() -> DateTime<Utc> {
    let tomorrow =
        SystemClock::default().now().with_timezone(&chrono_tz::Europe::Berlin).date_naive() + Days::new(1);
    let midnight = tomorrow.and_hms_opt(0, 0, 0).expect("Berlin has a midnight");
    chrono_tz::Europe::Berlin.from_local_datetime(&midnight).unwrap().to_utc()
}

#[test]
fn the_limit_is_learnt_from_the_first_answer_and_never_passed() {
    let place = Place::with(|options| (options.articles, options.daily_limit) = (1_000, Some(5)));
    assert_eq!(quota(&place)["limit"], 5_000, "what the configuration says, before anything was asked");
    let ran = place.run("-o json job run stock-pull").exits(5);
    let run = ran.document("sellerd.run/1");
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("blocked"), Some("quota_exhausted"))
    );
    assert!(run["message"].as_str().unwrap().contains("5 of 5 requests are used"), "{run}");
    assert_eq!((run["requests"].as_i64(), place.asked()), (Some(5), 5));

    let quota = quota(&place);
    assert_eq!((quota["window"].as_str(), quota["used"].as_i64()), (Some("day"), Some(5)));
    assert_eq!(quota["limit"], 5);
    let resets_at: DateTime<Utc> = quota["resets_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(resets_at, midnight());

    // Each of these is a process of its own.
    for job in ["probe", "order-poll", "stock-pull"] {
        let run = place.job(job, 5);
        assert_eq!((run["outcome"].as_str(), run["requests"].as_i64()), (Some("blocked"), Some(0)), "{run}");
    }
    assert_eq!(place.asked(), 5);
    assert!(place.seen().iter().all(|seen| seen.verdict == Verdict::Served), "no request was one too many");
    assert_eq!(place.sandbox.requests_by_day().values().sum::<u64>(), 5);
    assert_eq!(place.list("stock list", "listings").len(), 500, "what was read is kept");
    place.run("status").exits(0);
}

#[test]
fn a_429_with_a_short_retry_after_is_waited_for() {
    let place = Place::of(0);
    place.fault("429 1 --next 1");
    let clock = SystemClock::default();
    let run = place.job("probe", 0);
    assert_eq!(run["requests"], 2);
    assert!(clock.elapsed().as_secs_f64() >= 1.0, "not before its time");
    assert_eq!(quota(&place)["used"], 2, "a refused request counts like any other");
}

#[test]
fn a_429_that_asks_for_a_long_wait_is_left_to_the_next_run() {
    let place = Place::of(0);
    place.fault("429 120 --next 1");
    let run = place.job("probe", 5);
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("blocked"), Some("rate_limited"))
    );
    assert_eq!(run["requests"], 1);
    place.job("probe", 0);
}

#[test]
fn a_429_of_the_day_ends_the_day() {
    let place = Place::of(0);
    place.job("probe", 0);
    place.fault("429-daily");
    let run = place.job("probe", 5);
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("blocked"), Some("rate_limited"))
    );
    let asked = place.asked();
    let run = place.job("order-poll", 5);
    assert_eq!((run["error_type"].as_str(), run["requests"].as_i64()), (Some("quota_exhausted"), Some(0)));
    assert_eq!(place.asked(), asked, "nothing more is sent today");
    let resets_at: DateTime<Utc> = quota(&place)["resets_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(resets_at, midnight());
}

#[test]
fn an_app_without_a_limit_is_asked_without_one() {
    let place = Place::with(|options| options.daily_limit = None);
    place.edit("sellerd.toml", "max_per_second = 50", "max_per_second = 50\ndaily_limit = \"none\"");
    place.job("stock-pull", 0);
    let quota = quota(&place);
    assert!(quota["limit"].is_null() && quota["used"].as_i64() == Some(3), "{quota}");
}

#[test]
fn the_check_of_a_configuration_counts_what_the_stock_that_was_read_costs() {
    let place = Place::of(1_000);
    place.write_job("stock-pull", "stock-pull", "*/2 * * * *", "");
    let warnings = || {
        let checked = place.run("-o json config check").exits(0).document("sellerd.config-check/1");
        checked["warnings"].as_array().expect("a list").clone()
    };
    assert_eq!(warnings(), Vec::<Value>::new(), "nobody knows how large the stock is");
    let each = place.job("stock-pull", 0)["requests"].as_i64().expect("a number");
    let found = warnings();
    let [warning] = &found[..] else { panic!("{found:?}") };
    assert_eq!(warning["code"], "W140");
    assert!(warning["file"].as_str().is_some_and(|file| file.ends_with("jobs/stock-pull.toml")), "{warning}");
    let words =
        format!("the schedules of cm need about {} requests a day, and its limit is 5000", 720 * each);
    assert_eq!(warning["message"], words);
    let drawn = format!("about 720 runs a day of {each} requests each: {}", 720 * each);
    place.run("config check").exits(0).says(&words).says(&drawn);
    place.write_job("stock-pull", "stock-pull", "*/5 * * * *", "");
    assert_eq!(warnings(), Vec::<Value>::new(), "{} are within it", 288 * each);
}

#[test]
fn the_check_of_a_configuration_goes_by_the_limit_that_the_marketplace_told() {
    let place = Place::with(|options| options.daily_limit = Some(50));
    place.write_job("order-poll", "order-poll", "*/5 * * * *", "account = \"cm\"");
    let checked = || place.run("config check").exits(0);
    assert!(!checked().stdout.contains("W140"), "864 of the 5,000 that are configured");
    place.job("order-poll", 0);
    let fix = "run this job less often, for example \"0 */2 * * *\"";
    checked().says("need about 864 requests a day, and its limit is 50").says(fix);
    place.write_job("order-poll", "order-poll", "0 */2 * * *", "account = \"cm\"");
    assert!(!checked().stdout.contains("W140"), "what it proposes is enough");
}

#[test]
fn a_run_that_is_put_off_is_shown_at_its_time_and_not_at_the_slots_that_are_passed_over() {
    let place = Place::of(0);
    place.write_job("ticks", "stock-pull", "* * * * *", "");
    place.job("ticks", 0);
    let time = |text: &Value| -> DateTime<Utc> { text.as_str().expect("a time").parse().expect("a time") };
    let next = || time(&job(&place.status(), "ticks")["next_run_at"]);
    let now = SystemClock::default().now();
    let put_off = |hours| {
        let starts_at = now.trunc_subsecs(0) + TimeDelta::hours(hours);
        let waits = Deferral { job: "ticks".into(), account: "cm".into(), cost: 3, since: now, starts_at };
        place.store(move |tx| deferrals::put(tx, &waits));
        starts_at
    };
    put_off(-1);
    assert!(next() < now + TimeDelta::minutes(5), "what is overdue says nothing of the next slot");
    let starts_at = put_off(3);
    assert_eq!(next(), starts_at);
    assert!(job(&place.status(), "ticks")["put_off_since"].is_string());
    for words in ["status", "job list"] {
        place.run(words).exits(0).says("in 2 h, put off");
    }

    let fires = place.list("schedule --next 3", "fires");
    let times: Vec<_> = fires.iter().map(|fire| time(&fire["at"])).collect();
    assert_eq!(times[0], starts_at);
    assert!(times[1] > starts_at && times[2] <= starts_at + TimeDelta::minutes(4), "{fires:?}");
    let note = |at: usize| fires[at]["note"].as_str();
    assert!(note(0).is_some_and(|note| note.starts_with("put off")) && note(1).is_none(), "{fires:?}");

    place.run("job pause ticks").exits(0);
    let paused = place.status();
    assert!(
        job(&paused, "ticks")["next_run_at"].is_null() && job(&paused, "ticks")["put_off_since"].is_null()
    );
    assert!(place.list("schedule --job ticks --next 1", "fires")[0]["note"] != fires[0]["note"]);
}

#[test]
fn a_day_that_was_used_up_before_the_machine_was_started_is_over_when_the_machine_knows_the_time() {
    let place = Place::of(0);
    place.job("probe", 0);
    let asked = place.asked();
    // All of a day was used up yesterday or the day before, in another boot of the machine.
    let then = SystemClock::default().now() - TimeDelta::hours(26);
    place.store(move |tx| {
        let cm = "cm".into();
        let day = WindowKind::Day(chrono_tz::Europe::Berlin);
        let usage = Usage { window_start: day.start(then), used: 5_000, limit: Some(5_000) };
        quotas::set_usage(tx, &cm, day.as_str(), &usage)?;
        let mark = Mark { life: "another".into(), up: Duration::from_secs(600), through_sleep: true };
        accounts::set_last_said(tx, &cm, then, Some(&mark))
    });
    let tools = place.home().join("tools");
    std::fs::create_dir(&tools).expect("room for a directory");
    let probe = |says: &str, code| {
        let path = tools.join("timedatectl");
        std::fs::write(&path, format!("#!/bin/sh\necho {says}\n")).expect("room for a file");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
        let program = place.program().env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        let run = program.args("-o json job run probe").run().exits(code).document("sellerd.run/1");
        (run["error_type"].as_str().map(str::to_owned), place.asked() - asked)
    };
    let blocked = (Some("quota_exhausted".to_owned()), 0);
    for says in ["no", "n/a"] {
        assert_eq!(probe(says, 5), blocked, "{says}");
        let told = place.run("status").exits(0);
        assert!(
            told.stdout.contains("nobody says whether that day is over")
                && told.stdout.contains("timedatectl set-ntp true"),
            "{told:?}"
        );
        assert_eq!(quota(&place)["used"], 5_000, "it is counted in the day that is known");
    }
    assert_eq!(probe("yes", 0), (None, 1));
    assert!(!place.run("status").exits(0).stdout.contains("PROBLEM"));
    assert_eq!(probe("no", 0), (None, 2), "the answer has told the time for the rest of this boot");
}
