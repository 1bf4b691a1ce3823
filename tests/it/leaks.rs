//! Secrets and buyers never come out: not in any output at the loudest, not in the database, not in a backup.
//!
//! Everything personal in the pretend shop has "Canary" in it, so it is enough to look for that and for the
//! credentials themselves.

mod memory;

use std::fs;
use std::path::Path;

use sellerd::sandbox::{Keys, Purchase, trademe};

use crate::conformance::cardmarket;
use crate::support::{Agent, Place, Ran};
use crate::trademe::nz;

/// What must not be found anywhere.
struct Canaries(Vec<String>);

impl Canaries {
    fn of(keys: &Keys) -> Self {
        let secrets = [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret];
        Self(secrets.into_iter().cloned().chain(["Canary".to_owned()]).collect())
    }

    #[track_caller]
    fn not_in(&self, bytes: &[u8], what: &str) {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for canary in &self.0 {
            let found = text.find(&canary.to_lowercase());
            let around = found.map(|at| text[at.saturating_sub(80)..].chars().take(160).collect::<String>());
            assert_eq!(around, None, "{canary} stands in {what}");
        }
    }

    #[track_caller]
    fn not_in_output(&self, ran: &Ran) {
        self.not_in(ran.stdout.as_bytes(), &format!("stdout of sellerd {}", ran.typed));
        self.not_in(ran.stderr.as_bytes(), &format!("stderr of sellerd {}", ran.typed));
    }

    /// Looks through every file below a directory but the credentials; returns how many bytes there were.
    #[track_caller]
    fn not_below(&self, dir: &Path) -> usize {
        let mut seen = 0;
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                seen += self.not_below(&path);
            } else if let Ok(bytes) = fs::read(&path) {
                self.not_in(&bytes, &path.display().to_string());
                seen += bytes.len();
            }
        }
        seen
    }
}

#[test]
fn neither_secrets_nor_buyers_come_out_anywhere() {
    let place = Place::of(120);
    let canaries = Canaries::of(place.sandbox.credentials());
    place.sandbox.buy(&Purchase { count: Some(20), ..Purchase::default() }).expect("there is enough");
    place.sandbox.with_shop(|shop| assert!(shop.orders().len() > 20));

    let mut agent = Agent::start(place.program().args("-vv run"));
    for job in ["probe", "stock-pull", "order-poll", "housekeeping"] {
        canaries.not_in_output(&place.run(&format!("-vv -o json job run {job}")).exits(0));
    }
    for page in ["/status.json", "/", "/metrics", "/healthz", "/readyz"] {
        canaries.not_in(agent.get(page).body.as_bytes(), page);
    }
    agent.signal("HUP");
    agent.event("config.reloaded");
    for words in [
        "status",
        "orders list",
        "stock list",
        "runs list",
        "schedule",
        "auth test cm",
        "auth status",
        "quota",
        "plan list",
        "explain E410",
        "config check",
        "job list",
    ] {
        for format in ["table", "json", "jsonl", "csv"] {
            // What is no list has no CSV, and says so.
            let ran = place.run(&format!("-vv -o {format} {words}"));
            assert!(ran.code == 0 || format == "csv" && ran.code == 2, "{words} -o {format}: {}", ran.stderr);
            canaries.not_in_output(&ran);
        }
    }
    assert!(
        canaries.not_below(&place.state()) > 50_000,
        "database, its log and a backup were looked through"
    );
    let log = agent.stop();
    assert!(log.stderr.contains("http.request.completed"), "it was as loud as it gets");
    canaries.not_in_output(&log);
    canaries.not_below(&place.state());
}

#[test]
fn nothing_comes_out_when_things_go_wrong_either() {
    let place = Place::of(120);
    let canaries = Canaries::of(place.sandbox.credentials());
    for (fault, job) in [
        ("bad-rows 3", "order-poll"),
        ("bad-rows 3", "stock-pull"),
        ("truncate-json", "order-poll"),
        ("truncate-json", "probe"),
        ("error-in-200 long", "probe"),
        ("500", "probe"),
        ("html", "probe"),
        ("429", "stock-pull"),
        ("clock-skew 20m", "probe"),
        ("redirect-away", "probe"),
        ("revoke --path /orders", "order-poll"),
        ("revoke --empty-body", "stock-pull"),
        ("revoke", "stock-pull"),
        ("reject-token", "probe"),
    ] {
        place.fault(fault);
        canaries.not_in_output(&place.run(&format!("-vv job run {job}")));
        for words in [
            "-vv -o json runs list",
            "-vv -o json status",
            "-vv status",
            "-vv auth status",
            "-vv auth test cm",
        ] {
            canaries.not_in_output(&place.run(words));
        }
        place.sandbox.clear_faults();
        place.fault("restore");
        canaries.not_in_output(&place.run("-vv auth test cm"));
    }
    canaries.not_below(&place.state());

    // A mistake in the very line of a secret: its place is shown and its value is not.
    let secrets = fs::read_to_string(place.dir().join("secrets/cm.toml")).expect("a file");
    for broken in [
        secrets.replace("token_secret = \"", "token_secret = "),
        secrets.replace("token_secret", "tokn_secret"),
        secrets.replace("\"\n", "\n"),
        secrets.replace(" = ", " "),
        secrets.replace('\n', " "),
    ] {
        assert_ne!(broken, secrets);
        place.write("secrets/cm.toml", &broken);
        for (words, code) in [
            ("config check", 78),
            ("-o json config check", 78),
            ("-vv job run probe", 4),
            ("-vv auth test cm", 4),
            ("-o json auth status", 4),
            ("auth status", 4),
            ("-o json status", 4),
        ] {
            let ran = place.run(words).exits(code);
            canaries.not_in_output(&ran);
            assert!(
                format!("{}{}", ran.stdout, ran.stderr).contains("cm.toml"),
                "{words}: the place is named"
            );
        }
    }
    // Pasted into the wrong file.
    place.write("secrets/cm.toml", &secrets);
    let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    place.write("sellerd.toml", &(settings + &secrets));
    canaries.not_in_output(&place.run("config check").exits(78));
    canaries.not_in_output(&place.run("-o json config check").exits(78));
}

#[test]
fn the_second_marketplace_shows_nothing_either() {
    let place = Place::with(|options| {
        (options.articles, options.orders) = (0, 0);
        options.trademe = trademe::Options { listings: 40, sales: 30, ..trademe::Options::default() };
    });
    let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    let account = nz::account("nz", &place.sandbox.trademe_base_url(), "");
    place.write("sellerd.toml", &(settings + &account));
    place.write_secrets("nz", place.sandbox.trademe_credentials());
    let canaries = Canaries::of(place.sandbox.trademe_credentials());
    for kind in ["probe", "stock-pull", "order-poll"] {
        place.write_job(&format!("nz-{kind}"), kind, "0 0 1 1 *", "account = \"nz\"");
        canaries.not_in_output(&place.run(&format!("-vv -o json job run nz-{kind}")).exits(0));
    }
    let orders = place.run("-o json orders list --account nz").exits(0);
    assert!(orders.stdout.contains("\"order_id\""), "somebody has bought: {}", orders.stdout);
    canaries.not_in_output(&orders);
    for fault in ["html", "truncate-json", "5xx", "clock-skew 20m", "revoke"] {
        place.fault(&format!("{fault} --shop trademe"));
        for words in [
            "-vv job run nz-order-poll",
            "-vv auth test nz",
            "-vv auth status",
            "-vv -o json status",
            "-vv quota",
        ] {
            canaries.not_in_output(&place.run(words));
        }
        place.sandbox.clear_faults();
        place.fault("restore --shop trademe");
        canaries.not_in_output(&place.run("-vv auth test nz"));
    }
    canaries.not_in_output(&place.run("job run housekeeping").exits(0));
    assert!(canaries.not_below(&place.state()) > 50_000);
}

#[test]
fn the_shop_really_sends_what_is_looked_for() {
    let place = Place::of(0);
    place.sandbox.buy(&Purchase::default()).expect_err("there is nothing to buy");
    let bodies = cardmarket::bodies(&place.sandbox, &[&["account"], &["orders", "1", "2", "1"]]);
    for body in bodies {
        assert!(body.to_lowercase().contains("canary"), "{body}");
    }
}

#[test]
fn a_panic_with_the_credentials_in_its_words_shows_no_secret() {
    let place = Place::of(10);
    let canaries = Canaries::of(place.sandbox.credentials());
    let config = sellerd::config::load(&place.dir()).config.expect("it is right");
    let credentials = config.accounts.values().find_map(|account| account.credentials.clone());
    let credentials = credentials.expect("they were read");
    let panic = std::panic::catch_unwind(|| panic!("{credentials:?}")).expect_err("it panics");
    let said = panic.downcast_ref::<String>().expect("its words");
    assert!(said.contains("consumer_secret"), "{said}");
    canaries.not_in(said.as_bytes(), "a panic");
}
