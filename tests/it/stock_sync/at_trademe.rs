//! Trade Me: listings are written whole, ending one costs money, and a new one is made from a template.

use chrono::TimeDelta;
use sellerd::sandbox::trademe::{Purchase, What};

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
