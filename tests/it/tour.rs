//! `sellerd try`: one command, and nothing left behind.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Agent, Program, get};

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("a directory").next().is_none()
}

/// The tour in a home of its own that must be empty afterwards: it is the place for temporary files too. With this many
/// articles the first buyers of the seed leave alone what the plan is about.
fn tour(home: &Path, words: &str) -> Agent {
    Agent::begin(Program::new(home).args("try --no-input --articles 500").args(words))
}

#[test]
fn the_tour_shows_each_step_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = tour(home.path(), "--for 8s");
    tour.saying("One seller's pretend shops are open");
    for (title, account) in [("Cardmarket", "demo-shop"), ("Trade Me", "nz-shop")] {
        assert!(tour.saying(&format!("  {title}")).contains(account), "{title} is introduced");
    }
    for (title, articles) in [("Cardmarket", "500 "), ("Trade Me", "312 ")] {
        tour.saying(title);
        tour.saying("Logging in with OAuth 1.0a ...  ok");
        tour.saying(&format!("Reading stock ...  {articles}"));
        tour.saying("Reading orders ...");
    }
    let page = tour.saying("Look at it:");
    assert!(!is_empty(home.path()), "it works in a directory of its own meanwhile");
    let address = page.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    assert_eq!(get(address, "/healthz").status, 200);
    assert!(get(address, "/status.json").body.contains("\"listings\":50"));
    tour.saying("Your own shop:");
    let plan = tour.said.iter().find(|line| line.contains("  Plan for stock-sync:  ")).expect("a plan");
    assert!(plan.ends_with("  14 to change, 2 to add, 1 to set to zero   (p-1, not applied)"), "{plan}");
    let ran = tour.end().exits(0).says("everything is removed");
    assert!(!ran.stdout.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(ran.stderr, "", "nothing went wrong on the way");
    assert!(is_empty(home.path()));
}

/// What a person sees who pastes a line into another terminal.
fn pasted(home: &Path, line: &str) -> (Option<i32>, String) {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(line).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir("/");
    let ran = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.code(), said)
}

#[test]
fn every_command_that_the_tour_names_works_as_it_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = tour(home.path(), "");
    tour.saying("Ctrl-C ends the tour");
    let commands: Vec<&String> = tour.said.iter().filter(|line| line.starts_with("  /")).collect();
    let [status, show, apply, revoke, clear, test] = commands[..] else { panic!("{commands:#?}") };
    let paste = |line: &str, exit: i32, says: &str| {
        let (code, said) = pasted(home.path(), line);
        assert!(code == Some(exit) && said.contains(says), "{line}\n{code:?}\n{said:.2000}");
    };
    paste(status, 0, "Plan p-1 of stock-sync waits: ");
    paste(show, 0, "Guards ok: ");
    paste(apply, 0, "p-1 on demo-shop: ");
    // What was applied is in the shop: the next plan finds nothing but what the buyers did meanwhile.
    paste(&apply.replace("apply p-1", "-o json plan stock-sync"), 0, "\"counts\":{}");
    paste(&show.replace("plan show p-1", "-o json stock list -a demo-shop"), 0, "\"NEW-0001\"");
    paste(revoke, 0, "revoke");
    paste(&status.replace("status", "job run probe"), 4, "");
    paste(status, 4, "REVOKED");
    paste(clear, 0, "[]");
    paste(test, 0, "demo-shop: logged in as demo-shop");
    tour.signal("INT");
    tour.end().exits(0).says("everything is removed");
    assert!(is_empty(home.path()));
}

#[test]
fn a_program_is_told_of_the_tour_in_one_document_and_the_words_are_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = tour(home.path(), "-o json");
    let line = tour.saying("{\"schema\":\"sellerd.try/1\",");
    let ready: Value = serde_json::from_str(&line).expect("one document in a line");
    assert_eq!(
        (&ready["pretend"], &ready["seed"], &ready["kept"]),
        (&true.into(), &42.into(), &false.into())
    );
    let dir = ready["dir"].as_str().expect("a directory");
    assert!(Path::new(dir).join("sellerd.toml").exists());
    let shops = ready["shops"].as_array().expect("shops");
    let accounts: Vec<_> = shops.iter().filter_map(|shop| shop["account"].as_str()).collect();
    assert_eq!(accounts, ["demo-shop", "nz-shop"]);
    for shop in shops {
        assert!(shop["base_url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{shop}");
        assert!(shop["articles"].as_i64() > Some(200) && shop["orders"].as_i64() > Some(5), "{shop}");
    }
    let plan = &ready["plan"];
    assert_eq!(
        (&plan["plan_id"], &plan["job"], &plan["state"]),
        (&"p-1".into(), &"stock-sync".into(), &"planned".into())
    );
    assert!(plan["counts"]["add"] == 2 && plan["counts"]["zero"].is_i64(), "{plan}");
    let status = ready["status_url"].as_str().expect("an address").trim_start_matches("http://");
    let (address, path) = status.split_once('/').expect("a path");
    assert_eq!(get(address, &format!("/{path}")).status, 200);
    let (code, said) = pasted(home.path(), ready["next"][0].as_str().expect("a command"));
    assert_eq!(code, Some(0), "{said}");
    tour.signal("INT");
    let ran = tour.end().exits(0);
    ran.document("sellerd.try/1");
    assert!(
        ran.stderr.contains("Reading stock ...") && ran.stderr.contains("everything is removed"),
        "{}",
        ran.stderr
    );
    assert!(is_empty(home.path()));
}

#[test]
fn a_tour_cannot_be_a_csv_and_says_so_before_it_begins() {
    let home = tempfile::tempdir().unwrap();
    tour(home.path(), "-o csv").end().exits(2).says("use -o json");
    assert!(is_empty(home.path()));
}

#[test]
fn interrupted_the_tour_leaves_nothing_behind_either() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = tour(home.path(), "");
    tour.saying("Ctrl-C ends the tour");
    tour.signal("INT");
    tour.end().exits(0).says("everything is removed");
    assert!(is_empty(home.path()));
}

#[test]
fn interrupted_before_it_has_begun_it_leaves_nothing_behind_either() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = tour(home.path(), "");
    tour.saying("pretend shops are open");
    tour.signal("TERM");
    tour.end().exits(0);
    assert!(is_empty(home.path()));
}

#[test]
fn what_shall_be_kept_is_kept_and_works() {
    let home = tempfile::tempdir().unwrap();
    tour(home.path(), "--for 4s --keep kept").end().exits(0).says("kept");
    let kept = || Program::new(home.path()).arg("-c").arg("kept");
    kept().args("config check").run().exits(0);
    let stock = kept().args("-o json stock list").run().exits(0).document("sellerd.stock/1");
    let rows = stock["listings"].as_array().expect("listings");
    let skus = |account: &str| -> HashSet<&str> {
        rows.iter().filter(|row| row["account"] == account).filter_map(|row| row["sku"].as_str()).collect()
    };
    let (cards, kiwi) = (skus("demo-shop"), skus("nz-shop"));
    assert!(cards.len() >= 100 && kiwi.len() >= 200, "{} and {}", cards.len(), kiwi.len());
    assert!(cards.intersection(&kiwi).count() >= 20, "one seller sells the same things in both");
}
