//! Trade Me: listings are written whole, ending one costs money, and a new one is made from a template.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sellerd::sandbox::trademe::{Purchase, Selling, What};

use super::{OPEN, Shelf, rows};

/// What new listings are made from.
pub const TEMPLATE: &str = r#"{"Category": "3762", "Description": ["Ships next working day."], "Duration": 7, "Pickup": 3,
    "ShippingOptions": [{"Type": 4, "Price": 6.1, "Method": "NZ courier"}], "PaymentMethods": [1, 32],
    "HasAgreedWithLegalNotice": true}"#;

#[test]
fn quantity_and_price_of_a_listing_are_one_request() {
    let shelf = Shelf::of(&[], &[("A", 5, 1_000), ("B", 2, 2_000), ("C", 9, 500)]);
    shelf.list("nz", "sku,quantity,price\nA,3,11.00\nB,6,20.00\nC,9,5.00\n");
    let run = shelf.sync("nz", 0);
    assert_eq!(shelf.nz(), rows(&[("A", 3, 1_100), ("B", 6, 2_000), ("C", 9, 500)]), "{run}");
    assert_eq!(shelf.nz_writes().len(), 2, "{:?}", shelf.nz_writes());
    assert!(shelf.nz_effects().iter().all(|effect| effect.what == What::Edited && effect.readded == 0));
    let again = shelf.sync("nz", 0);
    assert_eq!(shelf.nz_writes().len(), 2, "{again}");
}

#[test]
fn ending_a_listing_costs_money_and_waits_for_the_guard_that_allows_it() {
    let shelf = Shelf::of(&[], &[("A", 5, 1_000), ("B", 2, 2_000)]);
    // The first hour is free.
    shelf.0.sandbox.set_offset(TimeDelta::hours(2));
    shelf.list("nz", "sku,quantity,price\nA,0,10.00\nB,2,20.00\n");
    let run = shelf.sync("nz", 6);
    assert!(run["message"].as_str().unwrap().contains("max_fees"), "{run}");
    assert_eq!(shelf.nz_effects().len(), 0);
    shelf.job_file("nz", "", &format!("{OPEN}max_fees = \"3.00\"\n"));
    let run = shelf.sync("nz", 0);
    assert_eq!(shelf.nz(), rows(&[("B", 2, 2_000)]), "{run}");
    let effects = shelf.nz_effects();
    assert_eq!((effects.len(), effects[0].what, effects[0].fee_cents), (1, What::Withdrawn, 300));
    let again = shelf.sync("nz", 0);
    assert_eq!(shelf.nz_effects().len(), 1, "{again}");
}

#[test]
fn a_new_listing_is_made_from_the_template_and_found_again_after_a_lost_answer() {
    for fault in [
        "",
        "drop-after --writes --path /Selling.json --next 1",
        "drop-before --writes --path /Selling.json --next 1",
    ] {
        let shelf = Shelf::of(&[], &[("A", 5, 1_000)]);
        shelf.0.write("templates/default.json", TEMPLATE);
        shelf.job_file("nz", "", &format!("{OPEN}max_fees = \"5.00\"\n"));
        shelf.list("nz", "sku,quantity,price,title\nA,5,10.00,\nNEW-1,4,21.05,Blue widget\n");
        if !fault.is_empty() {
            shelf.0.fault(fault);
        }
        let run = shelf.sync("nz", 0);
        assert_eq!(shelf.nz(), rows(&[("A", 5, 1_000), ("NEW-1", 4, 2_105)]), "{fault}: {run}");
        let effects = shelf.nz_effects();
        assert_eq!((effects.len(), effects[0].what), (1, What::Created), "{fault}: {run}");
        assert!(effects[0].reference.is_some());
        let again = shelf.sync("nz", 0);
        assert_eq!(shelf.nz_effects().len(), 1, "{fault}: {again}");
    }
}

#[test]
fn without_money_on_the_account_nothing_is_listed_and_the_reason_is_said() {
    let shelf = Shelf::with(&[], &[], |options| options.trademe.balance_cents = 10);
    shelf.0.write("templates/default.json", TEMPLATE);
    shelf.job_file("nz", "", &format!("{OPEN}max_fees = \"5.00\"\n"));
    shelf.list("nz", "sku,quantity,price,title\nNEW-1,4,21.05,Blue widget\n");
    let run = shelf.sync("nz", 0);
    assert_eq!((shelf.nz(), shelf.nz_effects().len()), (vec![], 0), "{run}");
    let words =
        "the balance of nz is 0.10 NZD and the fees of what nz-sync wants are 0.25 NZD: 1 new listing waits";
    assert!(run["message"].as_str().unwrap().contains(words), "{run}");
}

#[test]
fn one_run_asks_what_a_hundred_new_listings_cost_and_the_others_have_their_turn() {
    let shelf = Shelf::with(&[], &[("A", 2, 1_000)], |options| options.trademe.balance_cents = 100_000);
    shelf.0.write("templates/default.json", TEMPLATE);
    shelf.job_file("nz", "", &format!("{OPEN}max_fees = \"500.00\"\n"));
    let new: String = (0..105).map(|n| format!("NEW-{n},1,21.05,Widget {n}\n")).collect();
    shelf.list("nz", &format!("sku,quantity,price,title\nA,0,10.00,A\n{new}"));
    let mut waited = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let plan = shelf.0.run("-o json plan nz-sync").exits(0).document("sellerd.plan/1");
        let counts = &plan["summary"]["counts"];
        assert_eq!((counts["add"].as_i64(), counts["zero"].as_i64()), (Some(100), Some(1)));
        let held = plan["held"].as_array().unwrap();
        assert!(held.len() == 5 && held.iter().all(|held| held["reason"] == "later-run"), "{held:?}");
        waited.insert(held.iter().map(|held| held["sku"].to_string()).collect::<Vec<_>>());
    }
    assert_eq!(waited.len(), 2, "not always the same");
}

#[test]
fn whatever_becomes_of_the_answers_an_edit_stands_and_nothing_is_sold_twice() {
    for fault in
        ["drop-before --writes --next 1", "drop-after --writes --next 1", "5xx-after --writes --next 2"]
    {
        let shelf = Shelf::of(&[], &[("A", 5, 1_000), ("B", 2, 2_000)]);
        shelf.list("nz", "sku,quantity,price\nA,3,11.00\nB,6,20.00\n");
        shelf.0.fault(fault);
        let run = shelf.sync("nz", 0);
        assert_eq!(shelf.nz(), rows(&[("A", 3, 1_100), ("B", 6, 2_000)]), "{fault}: {run}");
        assert!(shelf.nz_effects().iter().all(|effect| effect.readded == 0), "{fault}");
    }
}

#[test]
fn what_is_sold_after_the_list_was_written_is_not_put_up_again() {
    let shelf = Shelf::of(&[], &[("A", 5, 1_000), ("B", 2, 2_000)]);
    shelf.list("nz", "sku,quantity,price\nA,5,10.00\nB,4,20.00\n");
    let id = shelf.nz_id("A");
    let purchase =
        Purchase { listing_id: Some(id), quantity: Some(2), pay: Some(true), ..Purchase::default() };
    shelf.0.sandbox.buy_at_trademe(&purchase).expect("it is for sale");
    let run = shelf.sync("nz", 0);
    assert_eq!(shelf.nz(), rows(&[("A", 3, 1_000), ("B", 4, 2_000)]), "{run}");
}

#[test]
fn what_trade_me_never_changes_is_held_and_the_rest_of_the_list_is_done() {
    let shelf = Shelf::with(&[], &[("A", 15, 1_000), ("B", 2, 2_000)], |options| {
        options.trademe.listings = 30;
    });
    let auction = shelf.0.sandbox.with_trademe(|shop| {
        let mut auctions =
            shop.listings().iter().filter(|row| matches!(row.selling, Selling::Auction { .. }));
        auctions.find_map(|row| row.sku.clone()).expect("there is one with a key")
    });
    shelf.list(
        "nz",
        &format!("sku,quantity,price\nA,2000,11.00\nB,3,0.30\n{auction},4,999.00\nNEW,1500,1.00\n"),
    );
    let run = shelf.sync("nz", 0);
    assert_eq!((&run["outcome"], shelf.nz_writes().len()), (&"success".into(), 2), "{run}");
    let stands = |sku: &str| shelf.nz().into_iter().find(|(known, ..)| known == sku);
    assert_eq!(stands("A"), Some(("A".to_owned(), 15, 1_100)), "its price, and not its copies");
    assert_eq!(stands("B"), Some(("B".to_owned(), 3, 2_000)), "its copies, and not its price");

    // The same list again: nothing to do, the same is held, and each says why and what else could be done.
    shelf.0.run("-o json plan nz-sync").exits(0);
    let plan = shelf.0.run("-o json plan show p-2").exits(0).document("sellerd.plan/1");
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(0), "{plan}");
    let held = plan["held"].as_array().expect("a list").iter();
    let held: BTreeSet<(&str, &str, &str)> = held
        .map(|held| {
            let part = |name: &str| held[name].as_str().unwrap_or_default();
            (part("sku"), part("reason"), part("detail"))
        })
        .collect();
    for (sku, reason, words) in [
        ("A", "cannot-change", "at most 1000 copies, not 2000"),
        ("B", "cannot-change", "below 0.50"),
        (&auction, "cannot-change", "change or withdraw it at Trade Me"),
        ("NEW", "cannot-create", "copies"),
    ] {
        let is_it =
            |(of, why, said): &&(&str, &str, &str)| *of == sku && *why == reason && said.contains(words);
        assert!(held.iter().any(|held| is_it(&held)), "{sku} {words}: {held:?}");
    }
    assert_eq!(held.len(), 4, "{held:?}");
    shelf.sync("nz", 0);
    assert_eq!(shelf.nz_writes().len(), 2);
}

#[test]
fn two_databases_at_one_shop_double_nothing_and_take_nothing_for_their_own() {
    // Those that end last come first: a listing of 14 days is on the first page of 500, one of 7 on the second.
    let shelf = Shelf::with(&[], &[], |options| {
        options.trademe.listings = 700;
        options.trademe.lasting = TimeDelta::days(28);
        options.trademe.hourly_limit = None;
    });
    shelf.job_file("nz", "", &format!("{OPEN}max_fees = \"5.00\"\n"));
    let list = |sku: &str, title: &str, days: u32| {
        shelf.0.write(
            "templates/default.json",
            &TEMPLATE.replace("\"Duration\": 7", &format!("\"Duration\": {days}")),
        );
        shelf.list("nz", &format!("sku,quantity,price,title\n{sku},2,21.05,{title}\n"));
    };
    let lost = "drop-after --writes --path /Selling.json --next 1";
    list("NEW-1", "Blue widget", 14);
    shelf.0.fault(lost);
    shelf.sync("nz", 0);
    // The state is lost, and its numbers begin anew.
    std::fs::remove_dir_all(shelf.0.state()).expect("there is one");
    for (sku, title) in [("NEW-2", "Red widget"), ("NEW-3", "Green widget")] {
        list(sku, title, 7);
        shelf.0.fault(lost);
        let run = shelf.sync("nz", 0);
        assert_eq!(run["counts"]["applied"].as_i64(), Some(1), "{run}");
    }
    let made = shelf.nz_effects();
    assert!(made.iter().all(|effect| effect.what == What::Created), "{made:?}");
    let references: BTreeSet<_> = made.iter().filter_map(|effect| effect.reference.clone()).collect();
    assert_eq!((made.len(), references.len()), (3, 3), "{references:?}");
    let new = shelf.nz().into_iter().filter(|(sku, ..)| sku.starts_with("NEW"));
    assert_eq!(
        new.collect::<Vec<_>>(),
        rows(&[("NEW-1", 2, 2_105), ("NEW-2", 2, 2_105), ("NEW-3", 2, 2_105)])
    );
}
