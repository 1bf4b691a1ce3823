//! Where credentials come from.

use super::*;

#[test]
fn each_pair_is_taken_whole_from_the_first_place_that_has_it() {
    let keys = |dir: &Dir| {
        let config = dir.load().config.unwrap();
        config.accounts[&AccountName::from("cm-main")]
            .credentials
            .clone()
            .unwrap()
            .expose()
            .map(str::to_owned)
    };
    let dir = Dir::good();
    dir.put(
        "secrets/cm-main.toml",
        "consumer_key = \" a \"\nconsumer_secret = \"b\"\ntoken = \"c\"\ntoken_secret = \"d\"",
    );
    dir.put("state/secrets/cm-main.toml", "token = \"new\"\ntoken_secret = \"newer\"");
    dir.put("../run-secrets/cm-main.toml", "consumer_key = \"a\"\nconsumer_secret = \"b\"");
    assert_eq!(keys(&dir), ["a", "b", "new", "newer"]);
    // The older token pair is still there: that is worth a word.
    let checked = dir.load();
    let [warning] = &checked.diagnostics[..] else { panic!("{:?}", checked.diagnostics) };
    assert_eq!(warning.code, "W302");
    assert!(warning.message.contains("state/secrets/cm-main.toml is used"), "{}", warning.message);
    assert!(warning.message.contains("config/secrets/cm-main.toml is not"), "{}", warning.message);

    let dir = Dir::good();
    fs::remove_file(dir.path().join("secrets/cm-main.toml")).unwrap();
    dir.put("../run-secrets/cm-main.toml", "consumer_key = \"x\"\nconsumer_secret = \"y\"");
    assert_eq!(keys(&dir), ["x", "y", "", ""]);
    dir.put("../credentials/cm-main.toml", "consumer_key = \"v\"\nconsumer_secret = \"w\"");
    assert_eq!(keys(&dir), ["v", "w", "", ""]);
}

#[test]
fn credentials_are_missed_only_by_a_job_that_is_enabled() {
    let dir = Dir::good();
    fs::remove_file(dir.path().join("secrets/cm-main.toml")).unwrap();
    let checked = dir.load();
    assert_eq!(dir.found(), [("E302", "secrets/cm-main.toml".to_owned(), 1, 1)]);
    let fix = checked.diagnostics[0].fix.as_ref().unwrap();
    assert!(
        fix.contains("<app token>") && fix.contains("<app secret>") && fix.contains("chmod 600"),
        "{fix}"
    );
    dir.put("jobs/order-poll.toml", format!("{JOB}enabled = false\n"));
    let checked = dir.load();
    assert_eq!(checked.diagnostics, []);
    assert!(checked.config.unwrap().accounts.values().all(|account| account.credentials.is_none()));
}

#[test]
fn what_is_said_of_a_login_is_checked_where_it_stands() {
    let codes = |lines: &str| {
        let dir = Dir::good();
        let path = dir.path().join("sellerd.toml");
        let settings = fs::read_to_string(&path).unwrap();
        let settings = settings.replace("[accounts.cm-main]", &format!("[accounts.cm-main]\n{lines}"));
        fs::write(&path, settings).unwrap();
        dir.found().into_iter().map(|(code, ..)| code).collect::<Vec<_>>()
    };
    for good in [
        "callback = \"http://127.0.0.1:8788/\"",
        "callback = \"https://shop.example/back\"\ncallback_listen = \"127.0.0.1:8788\"",
        "token_expires = \"2026-12-31\"\ntoken_lifetime = \"24h\"",
        // It is not run while a file has both pairs.
        "credentials_command = [\"/no/such/program\"]",
    ] {
        assert!(codes(good).is_empty(), "{good}: {:?}", codes(good));
    }
    for bad in [
        "callback = \"shop\"",
        "callback = \"https://shop.example/back\"",
        "callback_listen = \"8788\"",
        "token_expires = \"31.12.2026\"",
        "token_lifetime = \"soon\"",
        "credentials_command = []",
    ] {
        assert_eq!(codes(bad), ["E105"], "{bad}");
    }
    assert_eq!(codes("credentials_command = \"pass show\""), ["E103"]);
}

#[test]
fn credentials_that_others_can_read_are_a_warning_with_the_chmod() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::good();
    let path = dir.path().join("secrets/cm-main.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let checked = dir.load();
    assert_eq!(checked.diagnostics[0].code, "W301");
    assert_eq!(checked.diagnostics[0].fix, Some(format!("chmod 600 {}", path.display())));
    assert!(checked.config.is_some());
    // Where others put credentials, their modes are the business of others.
    dir.put("secrets/cm-main.toml", SECRETS);
    dir.put("../run-secrets/cm-main.toml", SECRETS);
    let path = dir.path().join("../run-secrets/cm-main.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(dir.found(), []);
}

#[test]
fn the_configuration_is_read_without_a_secret_and_what_is_spoilt_keeps_its_account_alone() {
    let dir = Dir::good();
    dir.put("secrets/cm-main.toml", "{{ canary");
    assert!(dir.load().config.is_none());
    let mut config = read(&dir.path()).config.unwrap();
    let name = AccountName::from("cm-main");
    assert_eq!(config.accounts[&name].looked, Looked::NotYet);
    config.places = dir.places();
    let found = config.look_for(std::slice::from_ref(&name));
    assert_eq!(config.accounts[&name].looked.spoilt(), found.first());
    assert_eq!(found[0].code, "E101");
    fs::remove_file(dir.path().join("secrets/cm-main.toml")).unwrap();
    assert_eq!(config.look_for(&["cm".into()]), []);
    assert_eq!(config.look_for(std::slice::from_ref(&name))[0].code, "E302");
    let looked = &config.accounts[&name].looked;
    assert!(
        looked.in_the_way().is_some() && looked.spoilt().is_none(),
        "there is nothing that could be spoilt"
    );
}

#[test]
fn only_what_comes_before_the_last_pair_is_in_the_way() {
    const APP: &str = "consumer_key = \"a\"\nconsumer_secret = \"b\"\n";
    const TOKEN: &str = "token = \"c\"\ntoken_secret = \"d\"\n";
    let four = &format!("{APP}{TOKEN}");
    let half = "token = \"c\"\n";
    // The file in the state, that in the configuration, that of others; what is in the way, and the pairs that are left.
    for (state, config, others, code, pairs) in [
        (four.as_str(), "{{", "", None, "abcd"),
        (APP, TOKEN, "{{", None, "abcd"),
        (APP, "{{", TOKEN, Some("E101"), "ab"),
        ("{{", four, "", Some("E101"), "ab"),
        (half, four, "", Some("E303"), "ab"),
        (TOKEN, "consumer = \"x\"", "", Some("E102"), ""),
        (APP, "", half, Some("E303"), "ab"),
        (APP, "", "", None, "ab"),
    ] {
        let dir = Dir::good();
        dir.put("state/secrets/cm-main.toml", state);
        dir.put("secrets/cm-main.toml", config);
        dir.put("../credentials/cm-main.toml", others);
        let mut read = read(&dir.path()).config.unwrap();
        read.places = dir.places();
        read.look_for(&["cm-main".into()]);
        let account = &read.accounts[&AccountName::from("cm-main")];
        let left = account.credentials.as_ref().map_or(String::new(), |pairs| pairs.expose().concat());
        let found = (account.looked.in_the_way().map(|wrong| wrong.code), left.as_str());
        assert_eq!(found, (code, pairs), "{state:?} {config:?} {others:?}");
    }
}

#[test]
fn commands_of_several_accounts_are_waited_for_at_once() {
    let dir = Dir::good();
    let pipe = dir.root.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.display();
    // Each of the two ends only with the other.
    let account = |name: &str, script: &str| {
        format!(
            "[accounts.{name}]\nmarketplace = \"cardmarket\"\n\
             credentials_command = [\"sh\", \"-c\", \"{script}; echo a b c d\"]\n"
        )
    };
    let accounts = account("one", &format!("cat {pipe}")) + &account("two", &format!("echo > {pipe}"));
    dir.put("sellerd.toml", format!("{SETTINGS}{accounts}"));
    let mut config = read(&dir.path()).config.unwrap();
    assert_eq!(config.look_for(&["one".into(), "two".into()]), []);
    assert!(["one", "two"].iter().all(|name| config.accounts[&(*name).into()].credentials.is_some()));
}
