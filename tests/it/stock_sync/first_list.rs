//! A first list: what `stock export` writes is what `stock-sync` reads, at both shops, and it changes nothing.

use sellerd::sandbox::Purchase;
use serde_json::Value;

use super::{OPEN, Shelf};

/// Shops as the sandbox fills them: several games and languages, flags, comments, carts, auctions, orders.
fn full() -> Shelf {
    let shelf = Shelf::with(&[("TAG-1", 3, 120), ("TAG-2", 1, 90)], &[("NZ-1", 2, 1_500)], |options| {
        (options.articles, options.orders, options.carts) = (160, 12, 9);
        (options.trademe.listings, options.trademe.sales) = (40, 6);
    });
    shelf.0.write_job("cm-pull", "stock-pull", "0 0 1 1 *", "account = \"cm\"");
    shelf.0.write_job("nz-pull", "stock-pull", "0 0 1 1 *", "account = \"nz\"");
    for account in ["cm", "nz"] {
        shelf.0.job(&format!("{account}-pull"), 0);
    }
    shelf
}

/// The list of an account, which becomes that of its job.
fn export(shelf: &Shelf, account: &str) -> String {
    let ran = shelf.0.run(&format!("stock export {account}")).exits(0);
    assert_eq!(ran.stderr, "");
    shelf.list(account, &ran.stdout);
    ran.stdout
}

fn plan(shelf: &Shelf, account: &str) -> Value {
    let ran = shelf.0.run(&format!("-o json plan {account}-sync --exit-code"));
    let plan = ran.document("sellerd.plan/1");
    assert!(ran.code == 0 || ran.code == 10, "{plan}");
    plan
}

#[test]
fn a_first_list_changes_nothing_at_either_shop() {
    let shelf = full();
    for account in ["cm", "nz"] {
        let list = export(&shelf, account);
        let plan = plan(&shelf, account);
        let empty = |key: &str| plan[key].as_array().is_some_and(Vec::is_empty);
        assert!(empty("changes") && empty("held"), "{account}: {plan}\n{list}");
        shelf.job_file(account, "", &format!("[guards]\nmin_source_rows = {}\n", list.lines().count() - 1));
        let run = shelf.sync(account, 0);
        assert_eq!(run["counts"]["rejected_rows"], Value::Null, "{run}");
        // All of it is in the list.
        let listed = shelf.0.list(&format!("stock list --account {account}"), "listings");
        let copies = |row: &Value| row["quantity"].as_i64().unwrap() + row["in_carts"].as_i64().unwrap();
        let copies: i64 = listed.iter().map(copies).sum();
        let mut csv = csv::Reader::from_reader(list.as_bytes());
        let head = csv.headers().unwrap();
        assert_eq!([&head[0], &head[1], &head[2]], ["sku", "quantity", "price"]);
        let in_list: i64 = csv.records().map(|row| row.unwrap()[1].parse::<i64>().unwrap()).sum();
        assert_eq!((in_list, copies > 0), (copies, true), "{list}");
    }
    assert_eq!((shelf.cm_writes(), shelf.nz_writes()), (vec![], vec![]));
}

#[test]
fn what_was_sold_after_the_stock_was_read_is_not_put_up_again() {
    let shelf = full();
    let rows = shelf.cm();
    let bought = shelf.0.sandbox.buy(&Purchase { count: Some(2), ..Purchase::default() });
    assert!(bought.is_ok(), "{bought:?}");
    assert_ne!(shelf.cm(), rows);
    export(&shelf, "cm");
    let plan = plan(&shelf, "cm");
    for change in plan["changes"].as_array().unwrap() {
        let copies = |when: &str| change[when]["quantity"].as_i64().unwrap();
        assert!(copies("after") <= copies("before"), "{change}");
    }
    assert!(plan["changes"].as_array().is_some_and(Vec::is_empty), "{plan}");
}

#[test]
fn a_list_of_nothing_is_not_written() {
    let shelf = Shelf::of(&[("A", 1, 100)], &[]);
    let refused = shelf.0.run("stock export cm").exits(1).says("the stock of cm was never read");
    assert_eq!(refused.stdout, "");
    refused.says("sellerd job run stock-pull");
    shelf.0.run("stock export cm-sync").exits(2).says("cm-sync is a job").says("sellerd stock export cm");
    shelf.0.run("stock export cn").exits(2).says("did you mean cm?");
    shelf.0.run("-o json stock export cm").exits(2).error();
    shelf.job_file("cm", "", OPEN);
    shelf.0.job("stock-pull", 0);
    assert!(shelf.0.run("stock export cm").exits(0).stdout.starts_with("sku,quantity,price,comment,"));
}
