//! Credentials that a person brings, and what nobody else gets to see of them.

use std::fs;

use sellerd::sandbox::Keys;

use super::{fed, row, standing};
use crate::support::{Agent, Place, Program};

fn values(keys: &Keys) -> [&str; 4] {
    [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret]
}

/// A place whose account has no credentials yet.
fn bare() -> Place {
    let place = Place::of(5);
    fs::remove_file(place.dir().join("secrets/cm.toml")).expect("it was there");
    place
}

#[test]
fn four_values_from_stdin_a_file_or_in_the_form_of_a_secrets_file() {
    let toml = |keys: &Keys| {
        let [key, secret, token, of] = values(keys);
        format!(
            "consumer_key = \" {key} \"\nconsumer_secret=\"{secret}\"\ntoken = \"{token}\"\ntoken_secret = \"{of}\"\n"
        )
    };
    let forms = [("stdin", "bare"), ("-", "toml"), ("file", "bare"), ("file", "toml"), ("file", "marked")];
    for (from, form) in forms {
        let place = bare();
        let keys = place.sandbox.credentials().clone();
        place.run("config check").exits(78).says("E302");
        assert_eq!(standing(&place, "cm")["fix"], "sellerd auth import cm");
        let text =
            if form == "toml" { toml(&keys) } else { format!(" {}\r\n", values(&keys).join(" \r\n ")) };
        // The mark of the byte order, as some editors write it.
        let text = if form == "marked" { format!("\u{feff}{}", text.trim_start()) } else { text };
        let ran = match from {
            "stdin" => fed(&place, "auth import cm", &text),
            "-" => fed(&place, "auth import cm --from-file -", &text),
            _ => {
                let path = place.home().join("four");
                fs::write(&path, &text).expect("a file");
                place.run(&format!("auth import cm --from-file {}", path.display()))
            }
        };
        ran.exits(0).says("logged in as demo-shop (member 9999)").says("Next by its schedule");
        assert_eq!(place.asked(), 1, "one request says who it is");
        place.run("config check").exits(0);
        place.job("probe", 0);
        assert_eq!(standing(&place, "cm")["identity"], "demo-shop");
    }
}

#[test]
fn credentials_that_do_not_work_change_nothing() {
    let place = Place::of(5);
    place.job("probe", 0);
    let before = standing(&place, "cm");
    let keys = place.sandbox.credentials().clone();
    let [key, secret, token, _] = values(&keys);
    let wrong = format!("{key}\n{secret}\n{token}\ncanary\n");
    let ran = fed(&place, "-o json auth import cm", &wrong).exits(4);
    assert!(ran.error()["message"].as_str().expect("a message").contains("nothing was changed"));
    assert!(!place.state().join("secrets/cm.toml").exists());
    assert_eq!(standing(&place, "cm"), before);
    for (text, code) in [("", 2), ("canary", 2), ("canary canary canary", 2), ("token = \"canary\"", 2)] {
        let ran = fed(&place, "auth import cm", text).exits(code);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"), "{}", ran.stderr);
    }
    fed(&place, "auth import nobody", &wrong).exits(2).says("the accounts are: cm");
    place.run("auth import cm --from-file /no/such/file").exits(2).says("/no/such/file");
    place.job("probe", 0);
}

#[test]
fn another_dedicated_app_is_brought_with_its_own_token() {
    let place = Place::of(5);
    let app = |key: &str| format!("consumer_key = \"{key}\"\nconsumer_secret = \"another\"\n");
    let ran = fed(&place, "auth import cm", &app("another")).exits(4);
    ran.says("belongs to the app that it was made with").says("bring all four values of the new app");
    assert!(!place.state().join("secrets/cm.toml").exists(), "nothing was changed");
    // The same app with another secret is no other app.
    let [key, ..] = values(place.sandbox.credentials());
    fed(&place, "auth import cm", &app(key)).exits(4).says("compare all four values");
}

#[test]
fn while_access_is_revoked_an_import_that_fails_names_the_day_to_ask_for_it_again() {
    let place = Place::of(5);
    place.fault("revoke");
    place.job("probe", 4);
    let day = place.status()["accounts"][0]["access"]["reapply_on"].as_str().expect("a day").to_owned();
    let keys = place.sandbox.credentials().clone();
    let ran = fed(&place, "auth import cm", &values(&keys).join("\n")).exits(4);
    ran.says("compare all four values").says(&format!("ask Cardmarket for it again on {day} or later"));
}

#[test]
fn an_outage_or_an_app_alone_leaves_the_account_without_a_login_and_says_so() {
    let place = bare();
    let keys = place.sandbox.credentials().clone();
    let four = values(&keys).join("\n");
    place.fault("500");
    fed(&place, "auth import cm", &four).exits(5).says("nothing was changed");
    assert!(!place.state().join("secrets/cm.toml").exists());
    place.sandbox.clear_faults();
    let asked = place.asked();
    fed(&place, "auth import cm", &values(&keys)[..2].join("\n")).exits(4).says("not logged in yet");
    assert_eq!(place.asked(), asked, "there is nobody to ask as");
    fed(&place, "auth import cm", &values(&keys)[2..].join("\n")).exits(0).says("logged in as demo-shop");
}

#[test]
fn credentials_of_a_command_are_used_and_what_it_prints_is_never_shown() {
    let place = bare();
    let keys = place.sandbox.credentials().clone();
    let store = place.home().join("store");
    let print = |text: &str| {
        fs::write(&store, text).expect("a file");
        let command =
            format!("max_per_second = 50\ncredentials_command = [\"cat\", \"{}\"]", store.display());
        let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
        if !settings.contains("credentials_command") {
            place.edit("sellerd.toml", "max_per_second = 50", &command);
        }
    };
    print(&values(&keys).join("\n"));
    place.job("probe", 0);
    assert_eq!(standing(&place, "cm")["sources"][1], "the output of cat");
    print("canary canary-two canary");
    let ran = place.run("config check").exits(78).says("E304").says("credentials_command");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"), "{}", ran.stderr);
}

#[test]
fn secrets_are_on_no_command_line_in_no_help_and_in_no_backup() {
    let place = Place::of(5);
    let keys = place.sandbox.credentials().clone();
    let four = values(&keys).join("\n");
    let mut agent = Agent::start(place.program().args("-vv run"));
    let ran = fed(&place, "-vv auth import cm", &four).exits(0);
    let mut seen = vec![ran.stdout, ran.stderr];
    seen.push(place.run("-vv auth status").exits(0).stdout);
    seen.push(place.run("-o json auth status").exits(0).stdout);
    place.job("housekeeping", 0);
    agent.signal("HUP");
    agent.event("config.reloaded");
    // Whoever lists processes sees words and variables of the agent.
    for file in ["cmdline", "environ"] {
        let text = fs::read(format!("/proc/{}/{file}", agent.pid())).unwrap_or_default();
        seen.push(String::from_utf8_lossy(&text).into_owned());
    }
    for words in ["--help", "auth --help", "auth import --help", "auth login --help"] {
        let ran = Program::new(place.home()).args(words).run().exits(0);
        for key in ["consumer", "secret ", "token-secret", "--token", "--key"] {
            assert!(!ran.stdout.contains(&format!("--{}", key.trim_start_matches("--"))), "{}", ran.stdout);
        }
    }
    let log = agent.stop();
    seen.extend([log.stdout, log.stderr]);
    for entry in fs::read_dir(place.state().join("backups")).expect("a copy was made") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
        seen.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let database = fs::read(place.state().join("sellerd.db")).expect("a file");
    seen.push(String::from_utf8_lossy(&database).into_owned());
    for secret in values(&keys) {
        let found = seen.iter().position(|text| text.contains(secret));
        assert_eq!(found, None, "{secret} came out");
    }
}

#[test]
fn who_somebody_is_stays_known_after_a_logout() {
    let place = bare();
    let keys = place.sandbox.credentials().clone();
    fed(&place, "auth import cm", &values(&keys).join("\n")).exits(0);
    place.run("auth logout cm --local").exits(0).says("forgotten").says("was not told");
    assert!(!place.state().join("secrets/cm.toml").exists());
    let document = place.run("-o json auth status").exits(4).document("sellerd.auth/1");
    let left = row(&document, "cm");
    assert_eq!((left["identity"].as_str(), left["scopes"].is_null()), (Some("demo-shop"), true));
    assert_eq!((&left["state"], &left["since"]), (&"unknown".into(), &serde_json::Value::Null), "{left}");
    place.run("auth status").exits(4).says("was           demo-shop");
    place.run("auth logout cm").exits(0).says("nothing that `auth` had written");
}
