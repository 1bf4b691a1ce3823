//! The end of a login is told in time: thirty days before, seven, one, and when it is over.

use chrono::{DateTime, Days, NaiveDate};
use sellerd::clock::{Clock, SystemClock};
use serde_json::Value;

use crate::support::{Place, eventually};

/// Today, where the accounts live.
fn today() -> NaiveDate {
    SystemClock::default().now().with_timezone(&chrono_tz::Europe::Berlin).date_naive()
}

/// Whether a problem says so of the end of a login; without words, that nothing is said.
fn is_told(status: &Value, words: Option<(&str, &str)>) -> bool {
    let problems = status["problems"].as_array().expect("problems");
    let Some((severity, words)) = words else { return problems.is_empty() };
    let [problem] = &problems[..] else { return false };
    let says = |key: &str, text: &str| problem[key].as_str().is_some_and(|value| value.contains(text));
    problem["code"] == "E411"
        && problem["severity"] == severity
        && says("title", words)
        && says("fix", "sellerd auth import cm")
}

#[test]
fn the_end_of_a_login_is_told_thirty_seven_and_one_day_before_and_when_it_is_over() {
    let place = Place::of(0);
    place.job("probe", 0);
    place.edit("sellerd.toml", "max_per_second = 50", "max_per_second = 50\ntoken_expires = \"2999-12-31\"");
    let mut agent = place.agent();
    let mut last_day = "2999-12-31".to_owned();
    // The last day of the login, so many days from now; it ends with it.
    for (days, words) in [
        (30, None),
        (29, Some(("warning", "ends within a month"))),
        (7, Some(("warning", "ends within a month"))),
        (6, Some(("warning", "ends within a week"))),
        (1, Some(("warning", "ends within a week"))),
        (0, Some(("critical", "ends within a day"))),
        (-1, Some(("critical", "ended on"))),
        (60, None),
    ] {
        let day = match u64::try_from(days) {
            Ok(days) => today() + Days::new(days),
            Err(_) => today() - Days::new(1),
        };
        place.edit("sellerd.toml", &last_day, &day.to_string());
        last_day = day.to_string();
        agent.signal("HUP");
        agent.event("config.reloaded");
        eventually(&format!("what is told {days} days before"), || {
            is_told(&place.status(), words).then_some(())
        });

        let over = days < 0;
        let row = place.run("-o json auth status").exits(if over { 4 } else { 0 });
        let row = row.document("sellerd.auth/1")["accounts"][0].clone();
        let ends: DateTime<chrono::Utc> =
            row["expires_at"].as_str().expect("an end").parse().expect("a time");
        let ends = ends.with_timezone(&chrono_tz::Europe::Berlin).naive_local();
        assert_eq!(ends, (day + Days::new(1)).and_hms_opt(0, 0, 0).expect("a midnight"));
        let fix = words.map(|_| "sellerd auth import cm");
        assert_eq!(row["fix"].as_str(), fix, "{days}: {row}");
    }
    agent.stop();
}

#[test]
fn the_end_is_that_of_the_configuration_also_where_no_agent_has_read_it() {
    let place = Place::of(0);
    let keys = place.sandbox.credentials().clone();
    let four = [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret];
    let file = place.home().join("four");
    std::fs::write(&file, four.map(String::as_str).join("\n")).expect("a file");
    let (none, far) = ("max_per_second = 50", "max_per_second = 50\ntoken_expires = \"2999-12-31\"");
    place.edit("sellerd.toml", none, far);
    place.run(&format!("auth import cm --from-file {}", file.display())).exits(0).says("3000-01-01");
    let row =
        |code| place.run("-o json auth status").exits(code).document("sellerd.auth/1")["accounts"][0].clone();
    assert_eq!(row(0)["expires_at"], "2999-12-31T23:00:00.000Z");
    place.edit("sellerd.toml", "2999-12-31", "2001-12-31");
    let over = row(4);
    assert_eq!(
        (&over["expires_at"], &over["fix"]),
        (&"2001-12-31T23:00:00.000Z".into(), &"sellerd auth import cm".into())
    );
    place.run("auth status").exits(4).says("the login is over");
    place.edit("sellerd.toml", "\ntoken_expires = \"2001-12-31\"", "");
    let row = row(0);
    assert!(row["expires_at"].is_null() && row["fix"].is_null(), "{row}");
}

#[test]
fn a_lifetime_says_that_it_says_nothing_of_a_token_that_was_imported() {
    let place = Place::of(0);
    let said = |words: &str| place.run(words).exits(0).stdout;
    assert!(!said("auth status").contains("token_lifetime"));
    place.edit("sellerd.toml", "max_per_second = 50", "max_per_second = 50\ntoken_lifetime = \"24h\"");
    let status = said("auth status");
    assert!(status.contains("not known: `token_lifetime` counts from an `auth login`"), "{status}");
    place.edit(
        "sellerd.toml",
        "token_lifetime = \"24h\"",
        "token_lifetime = \"24h\"\ntoken_expires = \"2999-12-31\"",
    );
    let status = said("auth status");
    assert!(status.contains("3000-01-01") && !status.contains("token_lifetime"), "{status}");
}

#[test]
fn an_agent_that_is_started_near_the_end_of_a_login_says_so_in_its_log() {
    let place = Place::of(0);
    let line = format!("max_per_second = 50\ntoken_expires = \"{}\"", today() + Days::new(5));
    place.edit("sellerd.toml", "max_per_second = 50", &line);
    let agent = place.agent();
    eventually("the problem", || {
        is_told(&place.status(), Some(("warning", "ends within a week"))).then_some(())
    });
    // It may have been said before the agent was ready.
    let said = agent.stop().stderr;
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<Value> = lines.filter(|line| line["event"] == "auth.expiring").collect();
    let [told] = &told[..] else { panic!("once: {told:?}") };
    assert_eq!(told["account"], "cm");
    assert!(told["in_s"].as_i64().is_some_and(|left| (5 * 86_400..=6 * 86_400).contains(&left)), "{told}");
    let status = place.run("status").exits(0);
    assert!(
        status.stdout.contains("ends within a week"),
        "it stands there while nobody runs: {}",
        status.stdout
    );
}
