//! `sellerd try`: one command, and nothing left behind.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::support::{Agent, Program, get};

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("a directory").next().is_none()
}

/// The tour in a home of its own that must be empty afterwards: it is the place for temporary files too.
fn tour(home: &Path, words: &str) -> Agent {
    Agent::begin(Program::new(home).args("try --no-input --articles 250").args(words))
}

#[test]
fn the_tour_shows_each_step_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = tour(home.path(), "--for 8s");
    tour.saying("One seller's pretend shops are open");
    for (title, account) in [("Cardmarket", "demo-shop"), ("Trade Me", "nz-shop")] {
        assert!(tour.saying(&format!("  {title}")).contains(account), "{title} is introduced");
    }
    // Pretend buyers come by themselves, so a few may be sold already.
    for (title, articles) in [("Cardmarket", "2"), ("Trade Me", "3")] {
        tour.saying(title);
        tour.saying("Logging in with OAuth 1.0a ...  ok");
        tour.saying(&format!("Reading stock ...  {articles}"));
        tour.saying("Reading orders ...");
    }
    let page = tour.saying("Look at it:");
    assert!(!is_empty(home.path()), "it works in a directory of its own meanwhile");
    let address = page.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    assert_eq!(get(address, "/healthz").status, 200);
    assert!(get(address, "/status.json").body.contains("\"listings\":2"));
    tour.saying("Your own shop:");
    let ran = tour.end().exits(0).says("everything is removed");
    assert!(!ran.stdout.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(ran.stderr, "", "nothing went wrong on the way");
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
