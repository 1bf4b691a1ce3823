//! Cardmarket: as few requests as it allows, and nothing twice.

use std::fmt::Write;
use std::time::Duration;

use sellerd::sandbox::{Deed, OrderAction, Purchase};
use sellerd::store::cursors;

use super::{OPEN, Shelf, rows};

#[test]
fn a_first_sync_takes_one_request_for_each_hundred_items_of_each_step_and_the_second_none() {
    let keys: Vec<String> = (0..250).map(|n| format!("S{n:03}")).collect();
    let all: Vec<(&str, u32, u32)> = keys.iter().map(|key| (key.as_str(), 5, 100)).collect();
    let shelf = Shelf::of(&all, &[]);
    let product = shelf.0.sandbox.with_shop(|shop| shop.product_ids().nth(7).expect("one"));
    let mut list = "sku,quantity,price,comment,product_id,language,condition\n".to_owned();
    let mut expected = Vec::new();
    for (n, key) in keys.iter().enumerate() {
        let (copies, cents, comment) = match n {
            0..150 => (3, 100, ""),
            150..180 => (8, 100, ""),
            180..200 => (5, 120, ""),
            200..205 => (0, 100, ""),
            205..210 => (5, 100, "shelf <7> & more"),
            _ => (5, 100, ""),
        };
        let _ = writeln!(list, "{key},{copies},{}.{:02},{comment},,,", cents / 100, cents % 100);
        if copies > 0 {
            expected.push((key.clone(), copies, cents));
        }
    }
    for key in ["T1", "T2", "T3"] {
        let _ = writeln!(list, "{key},4,2.50,box 3,{product},English,NM");
        expected.push((key.to_owned(), 4, 250));
    }
    shelf.list("cm", &list);
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), expected, "{run}");
    let writes = shelf.cm_writes();
    // 155 of them go down, 30 up, 25 are edited, 3 are new.
    assert_eq!(
        writes,
        ["PUT /stock/decrease", "PUT /stock/decrease", "PUT /stock", "PUT /stock/increase", "POST /stock"]
    );
    let reads = shelf.0.asked() - writes.len();
    let of_stock =
        shelf.0.seen().iter().filter(|seen| seen.method == "GET" && seen.path.contains("/stock")).count();
    // Three pages, and the carts before and after; the rest are the lists of orders, and once more the sent ones, since
    // some go up.
    assert_eq!((of_stock, reads), (5, 11), "{run}");
    assert_eq!(run["requests"], reads + writes.len());
    assert_eq!(run["counts"]["applied"], 150 + 30 + 20 + 5 + 5 + 3);
    let comments = shelf.0.sandbox.with_shop(|shop| {
        let rows = shop.stock().rows().iter();
        rows.filter(|row| row.comment.text().starts_with("shelf <7> & more [sku:S2")).count()
    });
    assert_eq!(comments, 5, "the tag stays in a comment that is changed");

    let again = shelf.sync("cm", 0);
    assert_eq!((shelf.cm(), shelf.cm_writes().len()), (expected, 5), "{again}");
}

#[test]
fn a_plan_that_the_day_does_not_pay_for_is_not_cut_in_the_middle() {
    let shelf = Shelf::with(&[("A", 5, 100), ("B", 5, 100), ("C", 5, 100)], &[], |options| {
        options.daily_limit = Some(60);
    });
    shelf.list("cm", "sku,quantity,price\nA,5,1.00\nB,5,1.00\nC,5,1.00\n");
    shelf.sync("cm", 0);
    // 51 of 60 requests are for prices, and 56 for stock: after the next reading none is left for prices.
    while shelf.0.asked() < 46 {
        shelf.0.job("probe", 0);
    }
    shelf.list("cm", "sku,quantity,price\nA,2,1.00\nB,5,1.20\nC,9,1.00\n");
    let run = shelf.sync("cm", 3);
    assert_eq!(shelf.cm_writes(), ["PUT /stock/decrease"], "{run}");
    assert_eq!(shelf.cm(), rows(&[("A", 2, 100), ("B", 5, 100), ("C", 5, 100)]));
    let said = run["message"].as_str().expect("words");
    assert!(
        said.contains("it takes 3 requests to apply, and 0 are left for prices in this window"),
        "{said}"
    );
    assert!(said.contains("only what takes copies off sale has been sent"), "{said}");
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("partial"), Some("quota_exhausted"))
    );

    // What is left does not pay for another reading either.
    let run = shelf.sync("cm", 5);
    assert_eq!((run["outcome"].as_str(), run["requests"].as_i64()), (Some("blocked"), Some(0)), "{run}");
    assert!(run["message"].as_str().expect("words").contains("run it again after"), "{run}");
    assert_eq!(shelf.cm_writes().len(), 1);
}

#[test]
fn a_plan_that_is_applied_later_costs_what_it_says_and_reads_the_pages_of_a_small_shop() {
    let keys: Vec<String> = (0..300).map(|n| format!("S{n:03}")).collect();
    let all: Vec<(&str, u32, u32)> = keys.iter().map(|key| (key.as_str(), 5, 100)).collect();
    // Each of a product of its own, so that each would be a request.
    let products: Vec<_> =
        Shelf::of(&[], &[]).0.sandbox.with_shop(|shop| shop.product_ids().take(300).collect());
    let shelf = Shelf::with(&all, &[], |options| {
        options.placed.iter_mut().zip(&products).for_each(|(placed, id)| placed.product_id = Some(*id));
    });
    shelf.0.edit("jobs/cm-sync.toml", "mode = \"apply\"", "mode = \"observe\"");
    let row = |(n, key): (usize, &String)| format!("{key},5,{}\n", if n < 47 { "1.10" } else { "1.00" });
    let list: String = keys.iter().enumerate().map(row).collect();
    shelf.list("cm", &format!("sku,quantity,price\n{list}"));
    let plan = shelf.0.run("-o json plan cm-sync").exits(0).document("sellerd.plan/1");
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(47), "{plan}");
    let before = shelf.0.asked();
    shelf.0.run(&format!("-o json --yes apply {}", plan["plan_id"].as_str().expect("an id"))).exits(0);
    let cost = shelf.0.asked() - before;
    // Three pages, the carts twice, two lists of orders, and one write.
    assert_eq!(
        (cost, plan["requests_needed"].as_i64()),
        (8, Some(8)),
        "{:?}",
        shelf.0.seen().split_off(before)
    );
    assert_eq!(shelf.cm().iter().filter(|(_, _, cents)| *cents == 110).count(), 47);
}

#[test]
fn a_large_stock_costs_three_requests_when_its_file_takes_as_long_as_the_last_one() {
    let keys: Vec<String> = (0..120).map(|n| format!("S{n:03}")).collect();
    let all: Vec<(&str, u32, u32)> = keys.iter().map(|key| (key.as_str(), 5, 100)).collect();
    let shelf = Shelf::with(&all, &[], |options| options.export_delay = Duration::from_millis(200));
    shelf.0.write_job("pull", "stock-pull", "0 0 1 1 *", "account = \"cm\"\nexport_above = 100\n");
    let pages = shelf.0.job("pull", 0);
    assert_eq!(
        pages["requests"].as_i64(),
        Some(3),
        "two pages, and the carts: nobody knew how large it is: {pages}"
    );
    shelf.0.store(|tx| cursors::set_export_took(tx, &"cm".into(), Duration::from_secs(1)));
    for _ in 0..2 {
        let before = shelf.0.asked();
        let run = shelf.0.job("pull", 0);
        assert_eq!(run["counts"]["exports"].as_i64(), Some(1), "{run}");
        let asked: Vec<String> = shelf
            .0
            .seen()
            .split_off(before)
            .iter()
            .map(|seen| format!("{} {}", seen.method, seen.path))
            .collect();
        // Asking for the file, asking whether it is made, and the carts, which the file does not show.
        assert!(run["requests"].as_i64() <= Some(3) && asked.len() <= 4, "{run}: {asked:?}");
        assert_eq!(
            asked.iter().filter(|asked| !asked.contains("/stock-exports/")).count() as i64,
            3,
            "{asked:?}"
        );
        let learned = shelf.0.store(|tx| cursors::export_took(tx, &"cm".into()));
        assert!(learned <= Some(Duration::from_secs(3)), "{learned:?}");
    }
}

#[test]
fn a_job_that_observes_plans_everything_and_changes_nothing_at_either_shop() {
    let shelf = Shelf::of(&[("A", 5, 100), ("B", 2, 200)], &[("A", 5, 1_000)]);
    for account in ["cm", "nz"] {
        shelf.0.edit(&format!("jobs/{account}-sync.toml"), "mode = \"apply\"", "mode = \"observe\"");
        shelf.list(account, "sku,quantity,price\nA,3,9.00\nB,0,2.00\nC,4,1.00\n");
        let run = shelf.sync(account, 0);
        assert_eq!(run["counts"]["quantity"], 1, "{run}");
    }
    assert_eq!((shelf.cm_writes(), shelf.nz_writes()), (vec![], vec![]));
    assert_eq!((shelf.cm_effects().len(), shelf.nz_effects().len()), (0, 0));
}

#[test]
fn whatever_becomes_of_the_answers_each_change_has_its_effect_once() {
    for fault in [
        "drop-before --writes --next 1",
        "drop-after --writes --next 1",
        "5xx-after --writes --next 1",
        "drop-after --writes --next 4",
        "drop-before --writes --next 2",
        "shuffle-items --writes",
        "truncate-json --writes --next 2",
        "garbage --writes --next 1",
    ] {
        let shelf = Shelf::of(&[("A", 5, 100), ("B", 2, 200), ("C", 1, 300), ("D", 4, 400)], &[]);
        let product = shelf.0.sandbox.with_shop(|shop| shop.product_ids().nth(7).expect("one"));
        shelf.list(
            "cm",
            &format!(
                "sku,quantity,price,product_id,language,condition\nA,3,1.10,,,\nB,6,2.00,,,\nC,0,3.00,,,\nD,4,4.40,,,\n\
                 E,2,5.00,{product},English,NM\n"
            ),
        );
        shelf.0.fault(fault);
        let run = shelf.sync("cm", 0);
        let expected = rows(&[("A", 3, 110), ("B", 6, 200), ("D", 4, 440), ("E", 2, 500)]);
        assert_eq!(shelf.cm(), expected, "{fault}: {run}");
        let mut deeds: Vec<Deed> = shelf.cm_effects().iter().map(|effect| effect.deed).collect();
        deeds.sort_by_key(|deed| format!("{deed:?}"));
        use Deed::{Add, Decrease, Edit, Increase};
        assert_eq!(deeds, [Add, Decrease, Decrease, Edit, Edit, Increase], "{fault}: {run}");
        shelf.0.sandbox.clear_faults();
        let writes = shelf.cm_writes().len();
        shelf.sync("cm", 0);
        assert_eq!(shelf.cm_writes().len(), writes, "{fault}: nothing is left to do");
    }
}

#[test]
fn articles_that_are_refused_are_named_and_the_others_are_done() {
    let shelf = Shelf::of(&[("A", 5, 100), ("B", 2, 200), ("C", 6, 300)], &[]);
    shelf.list("cm", "sku,quantity,price\nA,3,1.00\nB,1,2.00\nC,5,3.00\n");
    shelf.0.fault("reject-items 1 --writes --next 1");
    let run = shelf.sync("cm", 3);
    let left: u32 = shelf.cm().iter().map(|(_, copies, _)| copies).sum();
    assert!(left > 9, "one was refused: {run}");
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 3, 100), ("B", 1, 200), ("C", 5, 300)]), "{run}");
    assert_eq!(shelf.cm_effects().len(), 3, "{run}");
}

#[test]
fn a_guard_holds_and_the_shop_is_as_it_was() {
    let shelf = Shelf::of(&[("A", 5, 100), ("B", 2, 200)], &[]);
    shelf.job_file("cm", "", &OPEN.replace("max_zeroed_items = 1000", "max_zeroed_items = 0"));
    shelf.list("cm", "sku,quantity,price\nA,3,1.00\nB,0,2.00\n");
    let run = shelf.sync("cm", 6);
    assert_eq!((run["outcome"].as_str(), shelf.cm_effects().len()), (Some("guarded"), 0), "{run}");
    assert!(run["message"].as_str().unwrap().contains("max_zeroed_items"), "{run}");
}

#[test]
fn what_is_sold_and_sent_before_anybody_polls_is_not_put_up_again() {
    let shelf = Shelf::of(&[("A", 5, 100), ("B", 2, 200)], &[]);
    shelf.list("cm", "sku,quantity,price\nA,5,1.00\nB,2,2.00\n");
    shelf.sync("cm", 0);
    let article = shelf.0.sandbox.with_shop(|shop| {
        let rows = shop.stock().rows();
        rows.iter().find(|row| row.comment.sku().as_deref() == Some("A")).map(|row| row.id)
    });
    let purchase =
        Purchase { article_id: article, quantity: Some(2), pay: Some(true), ..Purchase::default() };
    let bought = shelf.0.sandbox.buy(&purchase).expect("it is for sale");
    shelf.0.sandbox.act(bought[0].order_id, OrderAction::Send).expect("it is paid");
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 3, 100), ("B", 2, 200)]), "{run}");
    assert_eq!(shelf.cm_effects().len(), 0, "{run}");
}
