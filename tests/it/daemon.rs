//! The agent as it runs for good: ready, asked, told to stop, reloaded, killed, and started again.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::process::Child;

use chrono::{DateTime, Timelike, Utc};
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::JobName;
use sellerd::store::{jobs, runs};
use serde_json::Value;

use crate::support::{Agent, Place, eventually, finish};

const EVERY_SECOND: &str = "* * * * * *";
const NEVER_NOW: &str = "0 0 1 1 *";

/// A `job run` that waits for its answer while the test goes on.
fn in_background(place: &Place, job: &str) -> Child {
    place.program().args(&format!("-o json job run {job}")).start()
}

/// Returns once the shop was asked for something below this path.
fn until_asked(place: &Place, path: &str) {
    eventually(&format!("a request of {path}"), || {
        place.seen().iter().any(|seen| seen.path.contains(path)).then_some(())
    });
}

fn outcomes(place: &Place, job: &str) -> Vec<String> {
    let runs = place.list(&format!("runs list --job {job}"), "runs");
    runs.iter().map(|run| run["outcome"].as_str().unwrap_or("open").to_owned()).collect()
}

#[test]
fn it_answers_whether_it_lives_whether_it_works_and_what_goes_on() {
    let place = Place::of(120);
    let agent = place.agent();
    assert_eq!((agent.get("/healthz").status, agent.get("/nothing").status), (200, 404));
    eventually("the first look at the schedule", || (agent.get("/readyz").status == 200).then_some(()));
    place.job("stock-pull", 0);

    let page = agent.get("/status.json");
    assert_eq!(page.status, 200);
    let mut page: Value = serde_json::from_str(&page.body).expect("JSON");
    let mut printed = place.status();
    for status in [&mut page, &mut printed] {
        assert!(status.as_object_mut().unwrap().remove("at").is_some_and(|at| at.is_string()));
    }
    assert_eq!(page, printed);
    assert_eq!(page["halted"], false);
    let account = &page["accounts"][0];
    for key in ["account", "marketplace", "access", "quotas", "listings", "drift"] {
        assert!(account.get(key).is_some(), "{key} in {account}");
    }
    for key in ["job", "kind", "account", "mode", "enabled", "last_run", "next_run_at"] {
        assert!(page["jobs"].as_array().unwrap().iter().all(|job| job.get(key).is_some()), "{key} in {page}");
    }
    assert!(account["listings"].as_i64().unwrap() >= 120);
    agent.stop();
}

#[test]
fn a_second_one_is_refused_and_told_who_has_the_state() {
    let place = Place::of(0);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|tcp| tcp.local_addr()).expect("a free port");
    place.edit("sellerd.toml", "127.0.0.1:0", &free.to_string());
    let agent = place.agent();
    let pid = agent.pid().to_string();
    place.run("run").exits(11).says(&format!("pid {pid}")).says("E440");
    let error = place.run("-o json run").exits(11).error();
    assert_eq!((error["code"].as_str(), error["exit"].as_i64()), (Some("E440"), Some(11)));
    assert!(error["message"].as_str().unwrap().contains(&pid), "{error}");
    agent.stop();
    place.run("run --for 1s").exits(0);
}

#[test]
fn a_job_run_beside_it_runs_in_it() {
    let place = Place::of(0);
    let mut agent = place.agent();
    let run = place.job("probe", 0);
    let line = agent.event("job.finished");
    assert_eq!((line["run.id"].as_str(), line["job"].as_str()), (run["run_id"].as_str(), Some("probe")));
    assert_eq!(run["trigger"], "manual");
    let ran = place.run("-o json auth test cm").exits(0);
    assert_eq!(ran.document("sellerd.auth/1")["accounts"][0]["state"], "active");
    place.run("job run prob").exits(2).says("did you mean probe?");

    // What goes wrong there is told here with the same exit code.
    place.fault("revoke");
    place.job("probe", 4);
    place.fault("slow 2s");
    place.fault("restore");
    let asked = place.asked();
    let testing = place.program().args("auth test cm").start();
    eventually("the request", || (place.asked() > asked).then_some(()));
    finish(testing, "auth test cm".to_owned()).exits(0);
    agent.stop();
}

#[test]
fn a_job_that_runs_is_not_run_twice_at_once() {
    let place = Place::of(0);
    let agent = place.agent();
    place.fault("slow 3s");
    let first = in_background(&place, "probe");
    until_asked(&place, "/account");
    place.run("job run probe").exits(5).says("running already");
    finish(first, "job run probe".to_owned()).exits(0);
    assert_eq!(place.asked(), 1);
    agent.stop();
}

#[test]
fn told_to_stop_it_finishes_what_it_began() {
    let place = Place::of(0);
    let mut agent = place.agent();
    place.fault("slow 1s");
    let asking = in_background(&place, "probe");
    until_asked(&place, "/account");
    agent.signal("TERM");
    let stopping = agent.event("agent.stopping");
    assert_eq!(stopping["running_jobs"], 1, "{stopping}");
    let finished = agent.event("job.finished");
    assert_eq!(finished["outcome"], "success");
    let ran = agent.end().exits(0);
    assert!(ran.stderr.lines().last().is_some_and(|line| line.contains("agent.stopped")), "{}", ran.stderr);
    let run = finish(asking, "job run probe".to_owned()).exits(0).document("sellerd.run/1");
    assert_eq!(run["outcome"], "success", "who waited gets the answer");
    assert!(!place.state().join("control.sock").exists());

    let again = place.agent();
    assert!(!again.lines.concat().contains("unclean"), "that was a clean stop");
    again.stop();
}

#[test]
fn told_to_stop_it_breaks_off_between_two_pages() {
    let place = Place::of(1_000);
    let mut agent = place.agent();
    place.fault("slow 300ms");
    let asking = in_background(&place, "stock-pull");
    until_asked(&place, "/stock/101");
    agent.signal("INT");
    assert_eq!(agent.event("job.finished")["outcome"], "interrupted");
    agent.end().exits(0);
    finish(asking, "job run stock-pull".to_owned()).exits(130);
    place.sandbox.clear_faults();
    assert_eq!(place.job("stock-pull", 0)["counts"]["articles"], 1_000);
}

#[test]
fn told_twice_it_stops_at_once_and_the_next_start_knows() {
    let place = Place::of(0);
    let mut agent = place.agent();
    place.fault("slow 60s");
    let asking = in_background(&place, "probe");
    until_asked(&place, "/account");
    agent.signal("TERM");
    agent.event("agent.stopping");
    agent.signal("TERM");
    agent.end().exits(130);
    finish(asking, "job run probe".to_owned()).exits(1);
    place.sandbox.clear_faults();
    place.job("probe", 0);
    assert_eq!(outcomes(&place, "probe"), ["success", "interrupted"]);
}

#[test]
fn it_stops_by_itself_when_its_time_is_over_also_while_somebody_listens() {
    let place = Place::of(0);
    let agent = Agent::start(place.program().args("run --for 2s"));
    let idle = TcpStream::connect(&agent.page).expect("it listens");
    agent.end().exits(0);
    drop(idle);
    assert!(place.seen().is_empty(), "nothing was due");
}

#[test]
fn a_reload_takes_a_good_configuration_and_keeps_the_old_one_before_a_bad_one() {
    let place = Place::of(0);
    let mut agent = place.agent();
    place.write_job("extra", "probe", NEVER_NOW, "enabld = true");
    agent.signal("HUP");
    let failed = agent.event("config.reload_failed");
    assert!(failed["file"].as_str().unwrap().ends_with("jobs/extra.toml"), "{failed}");
    assert_eq!((failed["line"].as_i64(), failed["level"].as_str()), (Some(4), Some("error")));
    let status = eventually("the problem", || {
        let status: Value = serde_json::from_str(&agent.get("/status.json").body).expect("JSON");
        (status["problems"].as_array().map(Vec::len) == Some(1)).then_some(status)
    });
    let problem = &status["problems"][0];
    assert!(problem["title"].as_str().unwrap().contains("jobs/extra.toml:4"), "{problem}");
    assert!(problem["fix"].as_str().unwrap().contains("sellerd config check"), "{problem}");
    assert_eq!(status["jobs"].as_array().map(Vec::len), Some(4), "the old configuration stays");
    assert_eq!(place.run("config check").exits(78).code, 78);

    place.write_job("extra", "probe", EVERY_SECOND, "");
    agent.signal("HUP");
    agent.event("config.reloaded");
    // On a busy machine a run may last longer than its second, and the next is left out.
    let ran = |line: &Value| line["job"] == "extra" && line["outcome"] != "skipped";
    assert_eq!(agent.event_where("job.finished", ran)["outcome"], "success", "the new job runs");
    let status: Value = serde_json::from_str(&agent.get("/status.json").body).expect("JSON");
    assert_eq!(status["jobs"].as_array().map(Vec::len), Some(5));
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(0), "{status}");
    agent.stop();
}

#[test]
fn a_reload_with_other_credentials_lets_an_account_out_of_its_block() {
    let place = Place::of(0);
    let right = place.sandbox.credentials().clone();
    let mut wrong = right.clone();
    wrong.token_secret = "0".repeat(32);
    place.write_secrets("cm", &wrong);
    let mut agent = place.agent();
    place.job("probe", 4);
    place.write_secrets("cm", &right);
    place.job("probe", 4);
    agent.signal("HUP");
    agent.event("config.reloaded");
    place.made_up("probe");
    agent.stop();
}

#[test]
fn killed_in_the_middle_of_a_pull_it_repairs_what_that_left_and_goes_on() {
    let place = Place::of(450);
    let agent = place.agent();
    place.fault("slow 60s --path /stock/201");
    let asking = in_background(&place, "stock-pull");
    until_asked(&place, "/stock/201");
    assert_eq!(outcomes(&place, "stock-pull"), ["open"]);
    agent.kill();
    finish(asking, "job run stock-pull".to_owned()).exits(1);
    // Nobody works on it any more, and nobody has written down how it ended.
    assert_eq!(outcomes(&place, "stock-pull"), ["interrupted"]);
    place.run("runs show r-1").exits(0).says("interrupted, cut off, 3 requests").says("the agent stopped");
    place.run("status").exits(0).says("cut off").says("INTERRUPTED");
    let jobs = place.status()["jobs"].clone();
    let pull = jobs.as_array().unwrap().iter().find(|job| job["job"] == "stock-pull").unwrap();
    let last = (&pull["last_run"]["outcome"], &pull["last_run"]["finished_at"]);
    assert_eq!(last, (&"interrupted".into(), &Value::Null));
    assert_eq!(place.store(runs::left_open).len(), 1, "who only looks writes nothing");

    place.sandbox.clear_faults();
    let agent = place.agent();
    let unclean = agent.lines.iter().find(|line| line.contains("agent.unclean_shutdown"));
    let unclean: Value = serde_json::from_str(unclean.expect("it says so")).expect("JSON");
    assert_eq!((unclean["interrupted_runs"].as_i64(), unclean["level"].as_str()), (Some(1), Some("warn")));
    assert!(unclean["msg"].as_str().unwrap().contains("the database is whole"), "it was looked through");
    assert_eq!(outcomes(&place, "stock-pull"), ["interrupted"]);
    assert_eq!(place.list("stock list", "listings").len(), 200, "what was read is kept");
    let run = place.job("stock-pull", 0);
    assert_eq!(run["counts"]["articles"], 450);
    assert!(run["counts"]["added"].as_i64() >= Some(250), "the other pages come in now: {run}");
    let finished = place.list("runs list", "runs");
    let interrupted = finished.iter().find(|run| run["outcome"] == "interrupted").unwrap();
    assert_eq!(interrupted["requests"], 3, "requests that left are counted");
    agent.stop();
    place.assert_database_is_whole();
}

/// An hourly schedule whose last slot was ten minutes ago, and that slot.
fn ten_minutes_ago() -> (String, DateTime<Utc>) {
    let slot = SystemClock::default().now() - chrono::TimeDelta::minutes(10);
    let slot = slot.with_second(0).and_then(|slot| slot.with_nanosecond(0)).expect("a whole minute");
    (format!("{} * * * *", slot.minute()), slot)
}

#[test]
fn what_was_due_while_it_was_not_there_runs_once_or_is_left_out_as_the_job_says() {
    let place = Place::of(0);
    let (hourly, slot) = ten_minutes_ago();
    place.write_job("late", "probe", &hourly, "timezone = \"UTC\"\non_missed = \"run-once\"");
    place.write_job("left-out", "probe", &hourly, "timezone = \"UTC\"\non_missed = \"skip\"");
    // As if the agent had last been there five hours ago.
    place.agent().stop();
    place.store(move |tx| {
        for job in ["late", "left-out"] {
            jobs::set_planned_from(tx, &JobName::from(job), slot - chrono::TimeDelta::hours(5))?;
        }
        Ok(())
    });
    let mut agent = place.agent();
    let line = agent.event_where("job.finished", |line| line["job"] == "late");
    assert_eq!(line["outcome"], "success");
    let missed: Vec<Value> = agent.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let action =
        |job: &str| missed.iter().find(|line| line["event"] == "job.missed" && line["job"] == job).cloned();
    assert_eq!(action("late").expect("it is said")["action"], "run-once");
    assert_eq!(action("left-out").expect("it is said")["action"], "skip");
    let due_at: Value = slot.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into();
    agent.stop();
    let agent = place.agent();
    eventually("a look at the schedule", || (agent.get("/readyz").status == 200).then_some(()));
    agent.stop();
    let runs = place.list("runs list", "runs");
    assert_eq!(runs.len(), 1, "five missed slots are one run, also after another start: {runs:?}");
    assert_eq!((runs[0]["trigger"].as_str(), &runs[0]["due_at"]), (Some("catchup"), &due_at));
}

#[test]
fn a_slot_fires_once_whoever_restarts() {
    let place = Place::of(0);
    place.write_job("probe", "probe", EVERY_SECOND, "");
    let mut logged = Vec::new();
    for start in 0..2 {
        let mut agent = place.agent();
        for _ in 0..2 {
            agent.event("job.finished");
        }
        match start {
            0 => logged.extend(agent.kill()),
            _ => logged.extend(agent.stop().stderr.lines().map(str::to_owned)),
        }
    }
    let runs = place.list("runs list", "runs");
    let slots: BTreeSet<&str> = runs.iter().filter_map(|run| run["due_at"].as_str()).collect();
    assert_eq!(slots.len(), runs.len());
    assert!(slots.iter().all(|slot| slot.ends_with(".000Z")), "slots are whole seconds: {slots:?}");
    assert!(runs.iter().all(|run| run["trigger"] == "schedule"), "{runs:?}");
    let requests: i64 = runs.iter().filter_map(|run| run["requests"].as_i64()).sum();
    assert!(requests as usize >= place.asked(), "whatever the shop saw is counted");
    one_finished_line_a_run(&logged, &runs);
}

#[test]
fn a_slot_that_falls_into_a_run_of_the_same_job_is_recorded_as_skipped() {
    let place = Place::of(0);
    place.write_job("probe", "probe", EVERY_SECOND, "overlap = \"skip\"");
    place.fault("slow 2500ms --next 1");
    let mut agent = place.agent();
    agent.event("job.overlapped");
    agent.event_where("job.finished", |line| line["outcome"] == "success");
    let logged = agent.stop().stderr;
    let runs = place.list("runs list", "runs");
    let skipped: Vec<&Value> = runs.iter().filter(|run| run["outcome"] == "skipped").collect();
    assert!(!skipped.is_empty() && skipped.iter().all(|run| run["requests"] == 0), "{runs:?}");
    let lines: Vec<String> = logged.lines().map(str::to_owned).collect();
    one_finished_line_a_run(&lines, &runs);
}

#[test]
fn a_run_that_takes_too_long_is_stopped_and_says_so() {
    let place = Place::of(0);
    place.write_job("probe", "probe", NEVER_NOW, "timeout = \"2s\"");
    place.fault("slow 20s --next 1");
    let run = place.job("probe", 5);
    assert_eq!((run["outcome"].as_str(), run["error_type"].as_str()), (Some("timeout"), Some("timeout")));
    assert!(run["message"].as_str().unwrap().contains("timeout of 2 s"), "{run}");
    place.job("probe", 0);
}

#[test]
fn a_log_that_is_piped_is_json_without_colours_and_one_line_a_run() {
    let place = Place::of(120);
    let agent = place.agent();
    for job in ["probe", "stock-pull", "order-poll", "housekeeping"] {
        place.job(job, 0);
    }
    place.fault("revoke");
    place.job("probe", 4);
    let ran = agent.stop();
    assert!(!ran.stderr.contains('\u{1b}') && ran.stdout.is_empty(), "{}", ran.stdout);
    let lines: Vec<String> = ran.stderr.lines().map(str::to_owned).collect();
    let runs = place.list("runs list", "runs");
    assert_eq!(runs.len(), 5);
    one_finished_line_a_run(&lines, &runs);
    for line in &lines {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["ts", "level", "msg", "service.name", "service.version"] {
            assert!(line[key].is_string(), "{key} in {line}");
        }
    }
    let events: Vec<String> = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["event"].as_str().map(str::to_owned))
        .collect();
    let order: Vec<&str> =
        events.iter().map(String::as_str).filter(|event| event.starts_with("agent.")).collect();
    assert_eq!(order, ["agent.started", "agent.ready", "agent.stopping", "agent.stopped"]);
    assert_eq!(events.iter().filter(|event| *event == "auth.forbidden").count(), 1);
    assert!(!events.iter().any(|event| event == "http.request.completed"), "debug is not asked for");
}

/// Every run has exactly one `job.finished` line, and every such line names its run.
#[track_caller]
fn one_finished_line_a_run(lines: &[String], runs: &[Value]) {
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut finished: Vec<(String, String)> = lines
        .filter(|line| line["event"] == "job.finished")
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            assert!(line["duration_ms"].is_number() && line["requests"].is_number(), "{line}");
            (text("run.id"), text("outcome"))
        })
        .collect();
    finished.sort();
    let mut recorded: Vec<(String, String)> = runs
        .iter()
        .map(|run| {
            (
                run["run_id"].as_str().unwrap().to_owned(),
                run["outcome"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    recorded.sort();
    assert_eq!(finished, recorded);
}

#[test]
fn who_asks_an_agent_that_is_stopped_is_told_so_and_does_not_wait_for_it() {
    let place = Place::of(0);
    let agent = place.agent();
    agent.signal("STOP");
    for words in ["auth test cm", "job run probe"] {
        place.run(words).exits(1).says("E441").says("has not answered for 5 seconds").says("kill -CONT");
    }
    agent.signal("CONT");
    place.job("probe", 0);
    agent.stop();
}
