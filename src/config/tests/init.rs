//! What `sellerd init` writes, read again.

use std::fs;
use std::path::Path;

use super::*;
use crate::config::init::{self, Answers};
use crate::marketplace;

fn answers() -> Answers {
    Answers {
        marketplace: &marketplace::ALL[0],
        account: "my-shop".into(),
        timezone: Tz::Pacific__Auckland,
        base_url: None,
        state_dir: None,
        credentials: None,
    }
}

#[test]
fn what_init_writes_misses_only_the_credentials() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("shop");
    let written = init::write(&dir, &init::files(&answers())).unwrap();
    assert!(written.iter().all(|path| path.is_file()));
    let checked = load_with(&dir, &Places::default());
    let found: Vec<_> = checked.diagnostics.iter().map(|d| (d.code, d.message.as_str(), d.line)).collect();
    assert_eq!(
        found,
        [
            ("E302", "`consumer_key` of account `my-shop` is empty", 2),
            ("E302", "`consumer_secret` of account `my-shop` is empty", 3),
        ]
    );
    let fix = checked.diagnostics[0].fix.as_ref().unwrap();
    assert!(
        fix.starts_with("sellerd auth import my-shop; or paste the app token")
            && fix.ends_with("secrets/my-shop.toml"),
        "{fix}"
    );
    let text = fs::read_to_string(dir.join("jobs/stock-pull.toml")).unwrap();
    assert!(
        text.contains("account  = \"my-shop\"") && text.contains("# timezone = \"Pacific/Auckland\""),
        "{text}"
    );

    let Err(init::InitError::InTheWay(paths)) = init::write(&dir, &init::files(&answers())) else { panic!() };
    assert_eq!(paths, written);
}

#[test]
fn what_init_writes_with_credentials_is_right_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let answers = Answers {
        base_url: Some("http://127.0.0.1:8790/ws/v2.0".to_owned()),
        state_dir: Some("/srv/a \"state\"".into()),
        credentials: Some(["a", "b\"\\", " c ", "d"].map(Into::into)),
        ..answers()
    };
    init::write(dir.path(), &init::files(&answers)).unwrap();
    let checked = load_with(dir.path(), &Places::default());
    assert_eq!(checked.diagnostics, []);
    let config = checked.config.unwrap();
    assert_eq!(config.state_dir, Path::new("/srv/a \"state\""));
    assert_eq!(config.jobs.len(), SAMPLES.len());
    let account = &config.accounts[&AccountName::from("my-shop")];
    assert_eq!(account.base_url.as_str(), "http://127.0.0.1:8790/ws/v2.0");
    assert_eq!(account.credentials.as_ref().unwrap().expose(), ["a", "b\"\\", "c", "d"]);
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("secrets/my-shop.toml"), mode("secrets")), (0o600, 0o700));
}
