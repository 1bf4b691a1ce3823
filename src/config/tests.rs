//! Whole directories, broken in every way we could think of: what is said, where, and that no secret is in it.

mod credentials;
mod init;
mod mistakes;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::samples::SAMPLES;
use super::*;
use crate::domain::Currency;

/// Stands for a secret in every file below; it must not be in anything that is shown.
const CANARY: &str = "CanaryX7q9Zs3cr3t";

const SETTINGS: &str = "\
config_version = 1
timezone = \"Europe/Berlin\"
state_dir = \"state\"

[http]
listen = \"127.0.0.1:0\"

[accounts.cm-main]
marketplace = \"cardmarket\"
app = \"dedicated\"
daily_limit = 4000

[channels.singles]
accounts = [\"cm-main\"]
buffer = 0
";

const JOB: &str = "\
kind = \"order-poll\"
account = \"cm-main\"
schedule = \"*/5 * * * *\"
timeout = \"5m\"
jitter = \"10s\"
mode = \"observe\"
";

const SYNC: &str = "\
kind = \"stock-sync\"
account = \"cm-main\"
schedule = \"*/15 * * * *\"
mode = \"apply\"
plan_expires = \"45m\"
export_above = \"off\"

[source]
type = \"csv\"
path = \"lists/stock.csv\"
max_rejected = 20
delimiter = \"\\t\"
columns = { sku = \"Art. No.\", floor = \"Least\" }
as_of_column = \"Counted\"

[guards]
max_zeroed_items = 7
min_price = 0.30
max_price = \"1500\"
never_touch = [\"!\", \"#\"]
";

const SECRETS: &str = "\
consumer_key = \"CanaryX7q9Zs3cr3t-1\"
consumer_secret = \"CanaryX7q9Zs3cr3t-2\"
token = \"CanaryX7q9Zs3cr3t-3\"
token_secret = \"CanaryX7q9Zs3cr3t-4\"
";

/// A directory that is right, in a place of its own.
struct Dir {
    root: tempfile::TempDir,
}

impl Dir {
    fn good() -> Self {
        let dir = Self { root: tempfile::tempdir().unwrap() };
        dir.put("sellerd.toml", SETTINGS);
        dir.put("jobs/order-poll.toml", JOB);
        dir.put("secrets/cm-main.toml", SECRETS);
        dir
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("config")
    }

    fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn places(&self) -> Places {
        Places {
            credentials_directory: Some(self.root.path().join("credentials")),
            run_secrets: Some(self.root.path().join("run-secrets")),
            home: Some(self.root.path().to_owned()),
        }
    }

    fn load(&self) -> Checked {
        load_with(&self.path(), &self.places())
    }

    /// Code, file, line and column of everything found.
    fn found(&self) -> Vec<(&'static str, String, usize, usize)> {
        let short = |file: &Path| file.strip_prefix(self.path()).unwrap_or(file).display().to_string();
        self.load().diagnostics.iter().map(|d| (d.code, short(&d.file), d.line, d.column)).collect()
    }
}

/// Nothing shown holds the canary, every mistake has a fix, and an error leaves no configuration.
fn check_shown(checked: &Checked, about: &str) {
    let json = serde_json::to_string(&checked.diagnostics).unwrap();
    let drawn = checked.draw(false) + &checked.draw(true) + &json + &format!("{checked:?}");
    let part = &CANARY[..9];
    assert!(!drawn.contains(part), "{about} shows a secret:\n{drawn}");
    assert!(checked.diagnostics.iter().all(|d| d.fix.as_ref().is_some_and(|fix| !fix.is_empty())), "{about}");
    assert_eq!(checked.config.is_some(), checked.errors().next().is_none(), "{about}:\n{drawn}");
}

#[test]
fn a_good_directory_is_read_as_it_was_meant() {
    let dir = Dir::good();
    let checked = dir.load();
    assert_eq!(checked.diagnostics, []);
    assert_eq!(checked.files, 3);
    let config = checked.config.unwrap();
    assert_eq!((config.state_dir, config.timezone), (dir.path().join("state"), Tz::Europe__Berlin));
    assert_eq!(config.http.listen, Some("127.0.0.1:0".parse().unwrap()));
    let account = &config.accounts[&AccountName::from("cm-main")];
    assert_eq!((account.limit, account.max_per_second, account.currency), (Some(4_000), 5, Currency::EUR));
    assert_eq!((account.request_timeout, account.grace), (Duration::from_secs(30), Duration::from_secs(15)));
    assert_eq!(account.base_url.as_str(), "https://apiv2.cardmarket.com/ws/v2.0");
    assert_eq!(account.options["app"], "dedicated");
    let exposed = account.credentials.as_ref().unwrap().expose();
    assert_eq!(exposed.map(|text| text.len()), [CANARY.len() + 2; 4]);
    assert_eq!(config.channels["singles"], Channel { accounts: vec!["cm-main".into()], buffer: 0 });
    let job = &config.jobs[&JobName::from("order-poll")];
    assert_eq!((job.work.kind(), job.mode, job.enabled), ("order-poll", Mode::Observe, true));
    assert_eq!((job.timeout, job.jitter), (Duration::from_secs(300), Duration::from_secs(10)));
    assert_eq!((job.overlap, job.on_missed), (Overlap::Skip, OnMissed::RunOnce));
    assert_eq!((job.schedule.text(), job.schedule.tz()), ("*/5 * * * *", Tz::Europe__Berlin));
}

/// One file of the good directory replaced, and the one mistake that makes: code, line, column.
type Case = (&'static str, String, (&'static str, usize, usize));

#[test]
fn a_stock_sync_is_read_as_it_was_meant() {
    let dir = Dir::good();
    dir.put("jobs/sync.toml", SYNC.replace("[guards]", "last_line = \"may-lack-newline\"\n[guards]"));
    let checked = dir.load();
    assert_eq!(checked.diagnostics, [], "apply is no mistake for what writes");
    let config = checked.config.unwrap();
    let job = &config.jobs[&JobName::from("sync")];
    let Work::StockSync(sync) = &job.work else { panic!("{job:?}") };
    assert_eq!((job.mode, sync.absent, sync.export_above), (Mode::Apply, Absent::LeaveAlone, None));
    assert_eq!(sync.plan_expires, Duration::from_secs(45 * 60));
    let columns = [(Column::Sku, "Art. No."), (Column::MinPrice, "Least"), (Column::AsOf, "Counted")];
    let wanted = Source {
        path: dir.path().join("lists/stock.csv"),
        columns: columns.map(|(ours, theirs)| (ours, theirs.to_owned())).into(),
        max_age: Duration::from_secs(86_400),
        delimiter: Delimiter::Byte(b'\t'),
        decimal: DecimalSign::Point,
        encoding: Encoding::Utf8,
        currency: None,
        max_rejected: MaxRejected::Rows(20),
        last_line: LastLine::MayLackNewline,
        timezone: Tz::Europe__Berlin,
    };
    assert_eq!(sync.source, wanted);
    let wanted = Guards {
        max_zeroed_items: 7,
        min_price: Some(30),
        max_price: Some(150_000),
        never_touch: vec!["!".to_owned(), "#".to_owned()],
        ..Guards::default()
    };
    assert_eq!(sync.guards, wanted);
}

#[test]
fn a_minute_has_a_limit_or_none_where_the_marketplace_counts_it() {
    let limit = |line: &str| {
        let dir = Dir::good();
        let limits = format!("daily_limit = 4000\n{line}");
        dir.put("sellerd.toml", SETTINGS.replace("daily_limit = 4000", &limits));
        let Checked { config, diagnostics, .. } = dir.load();
        let said = |found: Vec<Diagnostic>| found.into_iter().map(|found| found.message).collect::<String>();
        config.map(|config| config.accounts[&"cm-main".into()].minute_limit()).ok_or(said(diagnostics))
    };
    assert_eq!(limit(""), Ok(Some(600)));
    assert_eq!(limit("minute_limit = 60"), Ok(Some(60)));
    assert_eq!(limit("minute_limit = \"none\""), Ok(None));
    for line in ["minute_limit = 0", "minute_limit = \"many\"", "minute_limit = 1.5"] {
        assert_eq!(limit(line), Err("`minute_limit` must be a number above 0, or \"none\"".to_owned()));
    }
}

#[test]
fn templates_are_objects_in_the_marketplaces_own_words() {
    let dir = Dir::good();
    dir.put(
        "templates/cards.toml",
        "Category = \"0187-\"\nDuration = 7\nfee = 0.5\n[Shipping]\nfree = [true]\n",
    );
    dir.put("templates/boxes.json", "\u{feff}{\"Duration\": 10}");
    dir.put("templates/notes.txt", "{");
    let checked = dir.load();
    assert_eq!((checked.diagnostics, checked.files), (vec![], 5));
    let config = checked.config.unwrap();
    let wanted = serde_json::json!({
        "cards": { "Category": "0187-", "Duration": 7, "fee": 0.5, "Shipping": { "free": [true] } },
        "boxes": { "Duration": 10 },
    });
    assert_eq!(serde_json::to_value(&*config.templates).unwrap(), wanted);

    dir.put("templates/boxes.json", "{}");
    assert!(config.changes_to(&dir.load().config.unwrap()).templates);
    dir.put("templates/boxes.toml", "");
    assert_eq!(dir.found(), [("E117", "templates/boxes.toml".to_owned(), 1, 1)]);
}

#[test]
fn every_sample_is_a_good_job_of_its_kind() {
    for (name, text) in SAMPLES {
        let dir = Dir::good();
        dir.put(&format!("jobs/{name}.toml"), text);
        let checked = dir.load();
        assert_eq!(checked.diagnostics, [], "{name}");
        let config = checked.config.unwrap();
        let job = &config.jobs[&JobName::from(*name)];
        assert_eq!((job.work.kind(), job.mode), (*name, Mode::Observe));
        if let Work::Housekeeping(work) = &job.work {
            assert_eq!(*work, Housekeeping::default(), "the sample shows the defaults");
        }
        if let Work::StockSync(sync) = &job.work {
            dir.put("jobs/bare.toml", {
                let bare = text.split_once("plan_expires").unwrap().0;
                format!("{bare}[source]\ntype = \"csv\"\npath = \"stock.csv\"\n")
            });
            let config = dir.load().config.unwrap();
            assert_eq!(
                Work::StockSync(sync.clone()),
                config.jobs[&JobName::from("bare")].work,
                "defaults are shown"
            );
        }
    }
}

#[test]
fn a_reload_knows_what_is_different() {
    let dir = Dir::good();
    dir.put("jobs/care.toml", "kind = \"housekeeping\"\nschedule = \"30 3 * * *\"\n");
    let old = dir.load().config.unwrap();
    assert!(old.changes_to(&dir.load().config.unwrap()).is_empty());

    dir.put("secrets/cm-main.toml", SECRETS.replace("-4", "-5"));
    let changes = old.changes_to(&dir.load().config.unwrap());
    let account = vec![AccountName::from("cm-main")];
    let wanted = Changes {
        accounts_changed: account.clone(),
        credentials_changed: account.clone(),
        ..Changes::default()
    };
    assert_eq!(changes, wanted);

    dir.put("secrets/cm-main.toml", SECRETS);
    dir.put("sellerd.toml", SETTINGS.replace("4000", "4001").replace("\"state\"", "\"elsewhere\""));
    let changes = old.changes_to(&dir.load().config.unwrap());
    assert_eq!(
        changes,
        Changes { accounts_changed: account, restart: vec!["state_dir"], ..Changes::default() }
    );

    dir.put("sellerd.toml", SETTINGS.replace("Europe/Berlin", "Europe/London").replace("127.0.0.1:0", "off"));
    dir.put(
        "jobs/care.toml",
        "kind = \"housekeeping\"\nschedule = \"30 3 * * *\"\ntimezone = \"Europe/Berlin\"\n",
    );
    dir.put("jobs/probe.toml", SAMPLES[3].1);
    let changes = old.changes_to(&dir.load().config.unwrap());
    let wanted = Changes {
        jobs_added: vec!["probe".into()],
        jobs_changed: vec!["order-poll".into()],
        restart: vec!["http.listen"],
        ..Changes::default()
    };
    assert_eq!(changes, wanted);

    let back = dir.load().config.unwrap().changes_to(&old);
    assert_eq!(back.jobs_removed, [JobName::from("probe")]);
}

/// The keys of the good directory: file, line, key.
fn keys() -> Vec<(&'static str, usize, String)> {
    let of = |file, text: &str| {
        let lines: Vec<_> = text.lines().map(str::to_owned).enumerate().collect();
        lines
            .into_iter()
            .filter_map(move |(at, line)| Some((file, at + 1, line.split_once(" =")?.0.to_owned())))
    };
    of("sellerd.toml", SETTINGS)
        .chain(of("jobs/order-poll.toml", JOB))
        .chain(of("secrets/cm-main.toml", SECRETS))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_renamed_key_is_unknown_where_it_stands(at in 0..64_usize, ending in "_[xyz]{3,9}") {
        let keys = keys();
        let (file, line, key) = &keys[at % keys.len()];
        let text = match *file { "sellerd.toml" => SETTINGS, "jobs/order-poll.toml" => JOB, _ => SECRETS };
        let lines: Vec<_> = text.lines().enumerate().map(|(n, text)| {
            if n + 1 == *line { text.replacen(key.as_str(), &format!("{key}{ending}"), 1) } else { text.to_owned() }
        }).collect();
        let dir = Dir::good();
        dir.put(file, lines.join("\n"));
        let found = dir.found();
        // What decides on all the other keys is missed instead: without it nobody knows what is unknown.
        let wanted = match key.as_str() {
            "kind" => ("E104", file.to_string(), 1, 1),
            "marketplace" => ("E104", file.to_string(), 8, 11),
            _ => ("E102", file.to_string(), *line, 1),
        };
        prop_assert!(found.contains(&wanted), "{key}{ending}: {found:?}");
        check_shown(&dir.load(), key);
    }

    #[test]
    fn no_text_makes_it_panic(
        which in 0..3_usize,
        text in "((kind|account|schedule|token|\\[accounts\\.a\\]|http|marketplace)?( = |\\[|\\]|\"|'|\\{|\\}|,|\\.|\n|#|1|true|CanaryX7|\\PC|[\\x00-\\x9f])){0,40}",
    ) {
        let dir = Dir::good();
        dir.put(["sellerd.toml", "jobs/order-poll.toml", "secrets/cm-main.toml"][which], &text);
        let checked = dir.load();
        let drawn = checked.draw(true);
        prop_assert!(drawn.ends_with("Nothing was contacted.\n"));
        prop_assert!(which < 2 || !drawn.contains("CanaryX7"), "{drawn}");
    }

    #[test]
    fn a_good_file_cut_or_spoilt_anywhere_shows_no_secret(which in 0..2_usize, at in 0..400_usize, with in "[\"'\\[=\n#\\\\]|\u{1b}|") {
        let with_secret = SETTINGS.replace("app = \"dedicated\"", "app_secret = \"CanaryX7q9Zs3cr3t\"");
        let (file, text) = [("sellerd.toml", with_secret.as_str()), ("secrets/cm-main.toml", SECRETS)][which];
        let at = at % text.len();
        // Cutting a name or the canary itself in two leaves nothing to know it by.
        let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
        prop_assume!(which == 1 || !text[line..].starts_with("app_secret") || at - line > 12);
        let dir = Dir::good();
        dir.put(file, format!("{}{with}{}", &text[..at], &text[at..]));
        let drawn = dir.load().draw(false);
        prop_assert!(!drawn.contains("CanaryX7") && !drawn.contains("Zs3cr3t"), "{drawn}");
    }
}
