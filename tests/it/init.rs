//! `sellerd init`: a directory that only lacks the credentials, and runs once it has them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Place, Program};

const FLAGS: &str = "--marketplace cardmarket --account my-shop --timezone Pacific/Auckland --no-input";

#[test]
fn what_it_writes_lacks_nothing_but_the_credentials_and_runs_with_them() {
    let place = Place::of(120);
    let dir = place.home().join("mine");
    let program = || Program::new(place.home()).arg("-c").arg(&dir);
    let url = place.sandbox.base_url();
    let words = format!("init mine {FLAGS} --base-url {url}");
    let ran = Program::new(place.home()).args(&words).run().exits(0).says("observe mode");
    for file in ["sellerd.toml", "jobs/order-poll.toml", "secrets/my-shop.toml", ".gitignore"] {
        assert!(dir.join(file).is_file() && ran.stdout.contains(file), "{file}: {}", ran.stdout);
    }
    let mode = |file: &str| fs::metadata(dir.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("secrets"), mode("secrets/my-shop.toml")), (0o700, 0o600));

    let checked = program().args("-o json config check").run().exits(78).document("sellerd.config-check/1");
    let errors = checked["errors"].as_array().unwrap();
    assert!(!errors.is_empty() && checked["warnings"].as_array().is_some_and(Vec::is_empty), "{checked}");
    for error in errors {
        assert_eq!(error["code"], "E302", "{error}");
        assert!(error["file"].as_str().unwrap().ends_with("secrets/my-shop.toml"), "{error}");
    }

    // What a person would do next: paste the four strings between the quotes.
    let path = dir.join("secrets/my-shop.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    let keys = place.sandbox.credentials();
    for value in [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret] {
        text = text.replacen("\"\"", &format!("\"{value}\""), 1);
    }
    fs::write(&path, text).unwrap();
    program().args("config check").run().exits(0).says("no errors, no warnings");
    for job in ["probe", "stock-pull", "order-poll", "housekeeping"] {
        let run = program().args(&format!("-o json job run {job}")).run().exits(0).document("sellerd.run/1");
        assert_eq!(run["outcome"], "success", "{run}");
    }
    let status = program().args("-o json status").run().exits(0).document("sellerd.status/1");
    assert_eq!(status["timezone"], "Pacific/Auckland");
    assert!(status["jobs"].as_array().unwrap().iter().all(|job| job["mode"] == "observe"), "{status}");
    let fires = program().args("-o json schedule --next 5").run().exits(0).document("sellerd.schedule/1");
    let fires = fires["fires"].as_array().unwrap();
    assert_eq!(fires.len(), 5);
    for fire in fires {
        let at = fire["at"].as_str().unwrap();
        assert!(at.ends_with("+12:00") || at.ends_with("+13:00"), "an offset of the shop's zone: {at}");
        assert!(["job", "account", "note"].iter().all(|key| fire.get(key).is_some()), "{fire}");
    }
    let writes = place.seen().iter().filter(|seen| seen.method != "GET").count();
    assert_eq!(writes, 0, "looking never writes");
}

#[test]
fn what_is_missing_is_named_where_nobody_can_be_asked() {
    let home = tempfile::tempdir().unwrap();
    let init = |words: &str| Program::new(home.path()).args(&format!("init new {words}")).run();
    init("--no-input").exits(2).says("--marketplace");
    init("--no-input --marketplace cardmarket").exits(2).says("--account");
    init("--no-input --marketplace cardmarket --account x").exits(2).says("--timezone");
    // Piped, it does not ask either.
    init("").exits(2).says("--marketplace");
    init("--no-input --marketplace cardmarkt --account x --timezone UTC")
        .exits(2)
        .says("did you mean cardmarket?");
    init("--marketplace cardmarket --account x --timezone Europe/Berlim")
        .exits(2)
        .says("did you mean Europe/Berlin?");
    init("--marketplace cardmarket --account X! --timezone UTC").exits(2).says("small letters");
    assert!(fs::read_dir(home.path()).unwrap().next().is_none(), "nothing was written");
}

#[test]
fn nothing_is_ever_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let init = || Program::new(home.path()).args(&format!("init new {FLAGS}")).run();
    init().exits(0);
    let file = home.path().join("new/jobs/probe.toml");
    fs::write(&file, "mine").unwrap();
    init().exits(2).says("there is already").says("probe.toml");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_login_is_asked_for_where_the_api_is() {
    let home = tempfile::tempdir().unwrap();
    let init = |words: &str| {
        Program::new(home.path()).args(&format!("{words} --timezone UTC --no-input")).run().exits(0)
    };
    let said = init("init tm --marketplace trademe --account nz --base-url http://127.0.0.1:1/v1");
    let settings = fs::read_to_string(home.path().join("tm/sellerd.toml")).unwrap();
    for login in ["http://127.0.0.1:1/Oauth\"", "http://127.0.0.1:1/Oauth/Authorize\""] {
        assert!(settings.contains(login), "{login} in {settings}");
    }
    assert!(!settings.contains("trademe.co.nz"), "{settings}");
    said.says("auth import nz").says("auth login nz");

    init("init real --marketplace trademe --account nz");
    let settings = fs::read_to_string(home.path().join("real/sellerd.toml")).unwrap();
    assert!(settings.contains("https://trademe.co.nz/Oauth/Authorize\""), "{settings}");
    let document = init("-o json init cm --marketplace cardmarket --account cm").document("sellerd.init/1");
    assert_eq!(document["next"][0], "sellerd -c cm auth import cm");
}

#[test]
fn an_app_to_log_in_to_is_asked_for_by_its_flag_and_leads_to_the_login() {
    let home = tempfile::tempdir().unwrap();
    let init = |words: &str| Program::new(home.path()).args(&format!("init {words} --timezone UTC")).run();
    let said = init("third --marketplace cardmarket --account cm --app third-party").exits(0);
    let settings = fs::read_to_string(home.path().join("third/sellerd.toml")).unwrap();
    assert!(settings.contains("app             = \"third-party\""), "{settings}");
    let steps: Vec<_> = said.stdout.lines().filter(|line| line.contains("sellerd -c third auth")).collect();
    assert!(steps.len() == 2 && steps[0].contains("1. sellerd -c third auth import cm"), "{}", said.stdout);
    assert!(
        steps[0].contains("app token and the app secret") && steps[1].contains("auth login cm"),
        "{steps:?}"
    );
    let readme = fs::read_to_string(home.path().join("third/README.txt")).unwrap();
    assert!(readme.contains("sellerd -c . auth login cm"), "{readme}");

    let said = init("dedicated --marketplace cardmarket --account cm --app dedicated").exits(0);
    assert!(!said.stdout.contains("auth login"), "{}", said.stdout);
    let readme = fs::read_to_string(home.path().join("dedicated/README.txt")).unwrap();
    assert!(!readme.contains("auth login"), "{readme}");

    init("x --marketplace cardmarket --account cm --app third-prty")
        .exits(2)
        .says("did you mean third-party?");
    init("x --marketplace trademe --account nz --app dedicated")
        .exits(2)
        .says("accounts at Trade Me have no `app`");
    assert!(!home.path().join("x").exists());
}
