//! One shelf at two marketplaces: what is sold at one is not for sale at the other.

use sellerd::sandbox::{Purchase, trademe};
use serde_json::Value;

use super::{Shelf, rows};

/// Both accounts in one channel, each with a job that reads its orders.
fn channel(cm: &[(&str, u32, u32)], nz: &[(&str, u32, u32)], more: &str) -> Shelf {
    let shelf = Shelf::of(cm, nz);
    let text = std::fs::read_to_string(shelf.0.dir().join("sellerd.toml")).expect("a file");
    shelf.0.write("sellerd.toml", &format!("{text}\n[channels.cards]\naccounts = [\"cm\", \"nz\"]\n{more}"));
    for account in ["cm", "nz"] {
        let name = format!("{account}-poll");
        shelf.0.write_job(&name, "order-poll", "0 0 1 1 *", &format!("account = \"{account}\""));
    }
    shelf
}

impl Shelf {
    fn buy(&self, sku: &str, quantity: u32) {
        let id = self.0.sandbox.with_shop(|shop| {
            shop.stock().rows().iter().find(|row| row.comment.sku().as_deref() == Some(sku)).map(|row| row.id)
        });
        let quantity = Some(quantity);
        let purchase = Purchase { article_id: id, quantity, pay: Some(true), ..Purchase::default() };
        self.0.sandbox.buy(&purchase).expect("it is there");
    }

    fn buy_at_trademe(&self, sku: &str, quantity: u32) {
        let purchase = trademe::Purchase {
            listing_id: Some(self.nz_id(sku)),
            quantity: Some(quantity),
            pay: Some(true),
            ..trademe::Purchase::default()
        };
        self.0.sandbox.buy_at_trademe(&purchase).expect("it is there");
    }

    fn plan(&self, account: &str) -> Value {
        self.0.run(&format!("-o json plan {account}-sync")).exits(0).document("sellerd.plan/1")
    }
}

/// The changes of a plan (operation, key, copies before and after) and what it holds (key, reason).
fn said(plan: &Value) -> (Vec<String>, Vec<String>) {
    let of = |key: &str| plan[key].as_array().cloned().unwrap_or_default();
    let change = |row: &Value| {
        let copies = |when: &str| row[when]["quantity"].as_i64().unwrap_or_default();
        let (op, sku) = (row["op"].as_str().unwrap(), row["sku"].as_str().unwrap());
        format!("{op} {sku} {} {}", copies("before"), copies("after"))
    };
    let held = |row: &Value| format!("{} {}", row["sku"].as_str().unwrap(), row["reason"].as_str().unwrap());
    (of("changes").iter().map(change).collect(), of("held").iter().map(held).collect())
}

#[test]
fn a_sale_at_one_marketplace_lowers_the_other_at_its_next_sync() {
    let cm = [("A", 5, 100), ("B", 3, 200)];
    let shelf = channel(&cm, &[("A", 5, 1_000), ("B", 3, 2_000)], "");
    for account in ["cm", "nz"] {
        shelf.list(account, "sku,quantity\nA,5\nB,3\n");
        let run = shelf.sync(account, 0);
        assert_eq!(run["counts"]["quantity"].as_i64(), None, "{run}");
    }
    shelf.buy("A", 2);
    shelf.buy_at_trademe("B", 1);

    // Cardmarket's sync reads Cardmarket's orders; Trade Me's sale is known once its own orders are read.
    shelf.sync("cm", 0);
    let run = shelf.sync("nz", 0);
    assert_eq!(shelf.nz(), rows(&[("A", 3, 1_000), ("B", 2, 2_000)]), "{run}");
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 3, 100), ("B", 2, 200)]), "{run}");
    let (cm, nz) = (shelf.cm_effects().len(), shelf.nz_effects().len());
    assert_eq!((cm, nz), (1, 1), "one change at each, and it is enough");
}

#[test]
fn nothing_is_raised_until_the_other_account_has_read_its_orders_since_the_list() {
    let shelf = channel(&[("A", 19, 100), ("B", 4, 100)], &[("A", 22, 1_000), ("B", 1, 1_000)], "");
    for account in ["cm", "nz"] {
        shelf.0.job(&format!("{account}-poll"), 0);
    }
    for account in ["cm", "nz"] {
        shelf.list(account, "sku,quantity\nA,22\nB,3\n");
    }
    shelf.buy_at_trademe("A", 3);

    let plan = shelf.plan("cm");
    let waits = (vec!["quantity B 4 3".to_owned()], vec!["A order-read-pending".to_owned()]);
    assert_eq!(said(&plan), waits, "what lowers goes: {plan}");
    let detail = plan["held"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("nz: sellerd job run nz-poll"), "{detail}");
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 19, 100), ("B", 3, 100)]), "{run}");

    shelf.0.job("nz-poll", 0);
    let plan = shelf.plan("cm");
    assert_eq!(said(&plan), (vec![], vec![]), "three are sold: {plan}");

    // The other way round: that order poll reads a list more than usual, since it is waited for.
    let lists = || shelf.0.seen().iter().filter(|seen| seen.path.contains("/orders/")).count();
    let plan = shelf.plan("nz");
    assert_eq!(said(&plan).1, ["B order-read-pending"], "{plan}");
    let before = lists();
    shelf.0.job("cm-poll", 0);
    assert_eq!(lists() - before, 3);
    shelf.0.job("cm-poll", 0);
    assert_eq!(lists() - before, 5, "nobody waits any more");
    shelf.sync("nz", 0);
    assert_eq!(shelf.nz(), rows(&[("A", 19, 1_000), ("B", 3, 1_000)]));
}

#[test]
fn what_keeps_a_rise_waiting_is_said_with_the_way_out() {
    let shelf = channel(&[("A", 1, 100)], &[("A", 2, 1_000)], "");
    shelf.list("cm", "sku,quantity\nA,2\n");
    let says = |words: &str| {
        let plan = shelf.plan("cm");
        let detail = plan["held"][0]["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "{words}: {plan}");
    };
    std::fs::remove_file(shelf.0.dir().join("jobs/nz-poll.toml")).expect("a file");
    says("nz: it has no order-poll job; make one in jobs/, with account = \"nz\"");
    std::fs::remove_file(shelf.0.dir().join("jobs/nz-sync.toml")).expect("a file");
    std::fs::remove_file(shelf.0.dir().join("secrets/nz.toml")).expect("a file");
    // The agent has looked for every account's credentials; a plan without it looks for those of its own.
    let agent = shelf.0.agent();
    says("nz: it is not logged in; sellerd auth ");
    agent.stop();
}

#[test]
fn undo_and_a_plan_applied_later_leave_alone_what_the_other_account_has_sold_since() {
    let shelf = channel(
        &[("A", 4, 100), ("B", 4, 100), ("C", 4, 100)],
        &[("A", 4, 1_000), ("B", 4, 1_000), ("C", 4, 1_000)],
        "",
    );
    shelf.list("cm", "sku,quantity\nA,1\nB,1\nC,4\n");
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 1, 100), ("B", 1, 100), ("C", 4, 100)]));
    let run = run["run_id"].as_str().unwrap();
    shelf.buy_at_trademe("A", 3);
    // Nobody has read that yet.
    let undo = shelf.0.run(&format!("--no-input -o json undo {run}")).exits(0).document("sellerd.plan/1");
    let waits = ["A order-read-pending", "B order-read-pending"];
    assert_eq!(said(&undo), (vec![], waits.map(str::to_owned).to_vec()), "{undo}");
    shelf.0.job("nz-poll", 0);
    let undo = shelf.0.run(&format!("--no-input -o json undo {run}")).exits(0).document("sellerd.plan/1");
    let expected = (vec!["quantity B 1 4".to_owned()], vec!["A changed-since".to_owned()]);
    assert_eq!(said(&undo), expected, "{undo}");
    assert_eq!(undo["held"][0]["detail"], "3 sold at nz since");
    shelf.0.run(&format!("undo {run} --yes")).exits(0);
    assert_eq!(shelf.cm(), rows(&[("A", 1, 100), ("B", 4, 100), ("C", 4, 100)]));

    shelf.list("cm", "sku,quantity\nB,3\nC,3\n");
    let plan = shelf.plan("cm");
    assert_eq!(said(&plan).0, ["quantity B 4 3", "quantity C 4 3"], "{plan}");
    shelf.buy_at_trademe("B", 1);
    shelf.0.job("nz-poll", 0);
    let applied = shelf.0.run(&format!("-o json apply {}", plan["plan_id"].as_str().unwrap()));
    let applied = applied.exits(3).document("sellerd.apply/1");
    assert!(applied.to_string().contains("has orders at nz that moved since (-1 copies)"), "{applied}");
    assert_eq!(shelf.cm(), rows(&[("A", 1, 100), ("B", 4, 100), ("C", 3, 100)]));
}

#[test]
fn what_a_run_took_off_because_the_other_account_sold_it_is_not_put_back_by_undo() {
    let shelf = channel(&[("A", 4, 100), ("B", 4, 100)], &[("A", 4, 1_000), ("B", 4, 1_000)], "");
    shelf.list("cm", "sku,quantity\nA,4\nB,2\n");
    shelf.buy_at_trademe("A", 3);
    shelf.0.job("nz-poll", 0);
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 1, 100), ("B", 2, 100)]));
    shelf.0.job("nz-poll", 0);
    shelf.0.run(&format!("undo {} --yes", run["run_id"].as_str().unwrap())).exits(0);
    assert_eq!(shelf.cm(), rows(&[("A", 1, 100), ("B", 4, 100)]));
}

#[test]
fn the_buffer_of_a_channel_is_held_back_at_each_of_its_accounts() {
    let shelf = channel(
        &[("A", 5, 100), ("B", 1, 100), ("Z", 9, 100)],
        &[("A", 5, 1_000), ("Z", 9, 1_000)],
        "buffer = 1\n",
    );
    for account in ["cm", "nz"] {
        shelf.list(account, "sku,quantity\nA,5\nB,1\n");
    }
    shelf.buy("A", 2);
    let plan = shelf.plan("cm");
    assert_eq!(said(&plan).0, ["quantity A 3 2", "zero B 1 0"], "{plan}");
    assert_eq!(plan["changes"][0]["reason"], "the source says 5, 2 sold since, 1 held back");
    shelf.sync("cm", 0);
    shelf.sync("nz", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 2, 100), ("Z", 9, 100)]));
    assert_eq!(shelf.nz(), rows(&[("A", 2, 1_000), ("Z", 9, 1_000)]));
    assert_eq!(said(&shelf.plan("cm")), (vec![], vec![]));
}

#[test]
fn a_small_shop_that_was_sold_out_elsewhere_and_emptied_by_us_is_believed() {
    let of_three = [("A", 1, 100), ("B", 1, 100), ("C", 1, 100)];
    let shelf = channel(&of_three, &of_three.map(|(key, copies, _)| (key, copies, 1_000)), "");
    shelf.list("cm", "sku,quantity\nA,1\nB,1\nC,1\n");
    shelf.sync("cm", 0);
    ["A", "B", "C"].iter().for_each(|key| shelf.buy_at_trademe(key, 1));
    shelf.0.job("nz-poll", 0);
    shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), []);
    let run = shelf.sync("cm", 0);
    assert_eq!(run["outcome"], "success", "{run}");
}

#[test]
fn an_account_that_is_refused_holds_rises_though_its_orders_were_read_after_the_list() {
    let shelf = channel(&[("A", 1, 100)], &[("A", 2, 1_000)], "");
    shelf.list("cm", "sku,quantity\nA,2\n");
    shelf.0.job("nz-poll", 0);
    let plan = shelf.plan("cm");
    assert_eq!(said(&plan), (vec!["quantity A 1 2".to_owned()], vec![]), "{plan}");
    shelf.0.fault("revoke --shop trademe");
    shelf.0.job("nz-poll", 4);
    let plan = shelf.plan("cm");
    assert_eq!(said(&plan), (vec![], vec!["A order-read-pending".to_owned()]), "{plan}");
    let detail = plan["held"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("nz: it is unauthorized; see sellerd auth status"), "{detail}");
}
