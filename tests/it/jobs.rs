//! What a run does: the right requests, the right rows, once.

use std::collections::{BTreeMap, BTreeSet};

use sellerd::sandbox::{OrderAction, OrderState, Purchase, Typing};
use sellerd::store::movements;
use serde_json::Value;

use crate::support::Place;

const RUN_KEYS: [&str; 14] = [
    "account",
    "counts",
    "due_at",
    "error_type",
    "finished_at",
    "job",
    "kind",
    "message",
    "outcome",
    "requests",
    "run_id",
    "schema",
    "started_at",
    "trigger",
];

#[test]
fn every_kind_of_job_prints_the_run_of_the_contract() {
    let place = Place::of(120);
    for job in ["probe", "stock-pull", "order-poll", "housekeeping"] {
        let run = place.job(job, 0);
        assert_eq!(keys(&run), BTreeSet::from(RUN_KEYS), "{run}");
        assert_eq!((run["job"].as_str(), run["kind"].as_str()), (Some(job), Some(job)));
        assert_eq!((run["outcome"].as_str(), run["trigger"].as_str()), (Some("success"), Some("manual")));
        let account = (job != "housekeeping").then_some("cm");
        assert_eq!(run["account"].as_str(), account, "{run}");
        assert!(run["counts"].is_object() && run["requests"].is_i64() && run["run_id"].is_string(), "{run}");
    }
    let runs = place.list("runs list", "runs");
    let jobs: Vec<&str> = runs.iter().filter_map(|run| run["job"].as_str()).collect();
    assert_eq!(jobs, ["housekeeping", "order-poll", "stock-pull", "probe"], "newest first");
    let shown = place.run(&format!("-o json runs show {}", runs[0]["run_id"].as_str().unwrap()));
    let mut shown = shown.exits(0).document("sellerd.run/1");
    shown.as_object_mut().unwrap().remove("schema");
    assert_eq!(shown, runs[0]);
    assert_eq!(place.list("runs list --job probe", "runs").len(), 1);
    let total: i64 = runs.iter().filter_map(|run| run["requests"].as_i64()).sum();
    assert_eq!(total as usize, place.asked(), "every request is some run's");
}

#[test]
fn a_pull_costs_a_request_for_each_hundred_articles_and_one_for_the_carts() {
    for articles in [0, 1, 100, 101, 250] {
        let place = Place::of(articles);
        let run = place.job("stock-pull", 0);
        // Of an empty stock the first page has to be asked for all the same.
        let pages = articles.div_ceil(100).max(1);
        assert_eq!(run["requests"], pages + 1, "{articles} articles");
        assert_eq!(place.asked(), pages + 1, "{articles} articles");
        assert_eq!(stock(&place), stock_of_the_shop(&place), "{articles} articles");
    }
}

#[test]
fn what_is_sold_is_seen_by_the_next_pull() {
    let place = without_carts(120);
    place.job("stock-pull", 0);
    let sold_out =
        place.sandbox.with_shop(|shop| shop.stock().rows().iter().find(|row| row.count == 1).copied());
    let fewer = place.sandbox.with_shop(|shop| shop.stock().rows().iter().find(|row| row.count > 1).copied());
    for row in [sold_out, fewer].into_iter().flatten() {
        let purchase = Purchase { article_id: Some(row.id), quantity: Some(1), ..Purchase::default() };
        place.sandbox.buy(&purchase).expect("it is there");
    }
    let run = place.job("stock-pull", 0);
    let count = |name: &str| run["counts"][name].as_i64().unwrap_or_default();
    assert_eq!(
        (count("articles"), count("added"), count("quantity_changed"), count("removed")),
        (119, 0, 1, 1)
    );
    assert_eq!(stock(&place), stock_of_the_shop(&place));
    let again = place.job("stock-pull", 0);
    assert_eq!(again["counts"]["quantity_changed"].as_i64().unwrap_or_default(), 0);
}

#[test]
fn orders_lines_and_movements_are_recorded_once_however_often_they_are_read() {
    let place = Place::of(120);
    place.sandbox.buy(&Purchase { count: Some(120), ..Purchase::default() }).expect("there is enough");
    let first = place.job("order-poll", 0);
    let (orders, moved) = (orders(&place), movements_of(&place));
    assert_eq!(orders, open_orders_of_the_shop(&place), "more than a page, all of it");
    assert_eq!(first["counts"]["orders_new"], orders.len());
    assert!(orders.len() > 100);
    let sums: BTreeMap<i64, i64> = orders.iter().map(|(id, order)| (*id, -order.copies)).collect();
    assert_eq!(net(&moved), sums, "each copy sold left the shelf once");
    assert_eq!(first["counts"]["movements"], moved.len());
    for _ in 0..2 {
        let again = place.job("order-poll", 0);
        assert_eq!(again["counts"]["orders_new"].as_i64().unwrap_or_default(), 0, "{again}");
        assert_eq!(again["counts"]["movements"].as_i64().unwrap_or_default(), 0, "{again}");
    }
    assert_eq!(self::orders(&place), orders);
    assert_eq!(movements_of(&place), moved);
}

#[test]
fn an_order_for_a_listing_that_nobody_knows_is_kept_with_all_its_lines() {
    let place = Place::of(0);
    let run = place.job("order-poll", 0);
    assert_eq!(place.list("stock list", "listings").len(), 0);
    let rows = place.list("orders list", "orders");
    assert!(!rows.is_empty());
    assert_eq!(run["counts"]["orders_new"], rows.len());
    let row = &rows[0];
    let expected = [
        "account",
        "currency",
        "lines",
        "order_id",
        "paid_at",
        "placed_at",
        "state",
        "total_minor",
        "tracking_number",
    ];
    assert!(expected.iter().all(|key| row.get(key).is_some()), "{row}");
    for line in rows.iter().flat_map(|row| row["lines"].as_array().unwrap()) {
        let expected = ["line_id", "listing_id", "quantity", "sku", "title", "unit_price_minor"];
        assert_eq!(keys(line), BTreeSet::from(expected), "{line}");
        assert!(line["quantity"].as_i64().unwrap() > 0 && line["unit_price_minor"].is_i64(), "{line}");
    }
}

#[test]
fn an_order_that_leaves_its_list_is_followed_by_its_number() {
    let place = Place::with(|options| (options.articles, options.orders) = (120, 0));
    let bought = place.sandbox.buy(&Purchase { count: Some(3), pay: Some(true), ..Purchase::default() });
    let ids: Vec<u64> = bought.expect("there is enough").iter().map(|order| order.order_id).collect();
    place.job("order-poll", 0);
    let before = net(&movements_of(&place));
    let act = |id, action| place.sandbox.act(id, action).expect("it may");
    act(ids[0], OrderAction::Send);
    act(ids[1], OrderAction::Send);
    act(ids[1], OrderAction::Receive);
    act(ids[2], OrderAction::Cancel);
    let asked = place.asked();
    let run = place.job("order-poll", 0);
    assert_eq!(run["counts"]["orders_changed"], 3, "{run}");
    let paths: Vec<String> = place.seen()[asked..].iter().map(|seen| seen.path.clone()).collect();
    for id in &ids {
        assert!(paths.iter().any(|path| path.ends_with(&format!("/order/{id}"))), "{id} in {paths:?}");
    }
    assert_eq!(orders(&place), all_orders_of_the_shop(&place));
    let states: Vec<String> = orders(&place).into_values().map(|order| order.state).collect();
    assert_eq!(states, ["sent", "received", "cancelled"]);

    let after = net(&movements_of(&place));
    let id = |at: usize| ids[at] as i64;
    assert_eq!((after[&id(0)], after[&id(1)]), (before[&id(0)], before[&id(1)]), "sent is still sold");
    assert_eq!(after[&id(2)], 0, "what was called off is back on the shelf");
    assert!(before[&id(2)] < 0);
}

#[test]
fn a_page_with_three_unreadable_rows_is_a_page_and_three_complaints() {
    let place = without_carts(60);
    place.fault("bad-rows 3 --path /stock/1");
    let run = place.job("stock-pull", 3);
    assert_eq!(
        (run["outcome"].as_str(), run["error_type"].as_str()),
        (Some("partial"), Some("bad_response"))
    );
    assert_eq!(run["counts"]["articles"], 57);
    let message = run["message"].as_str().expect("it complains");
    assert_eq!(message.matches("of stock/1").count(), 3, "each row is named: {message}");
    assert_eq!(place.list("stock list", "listings").len(), 57);

    place.sandbox.clear_faults();
    place.job("stock-pull", 0);
    place.fault("bad-rows 3 --path /stock/1");
    let run = place.job("stock-pull", 3);
    assert_eq!(run["counts"]["removed"].as_i64(), Some(0), "an unreadable row may be any listing");
    assert_eq!(stock(&place), stock_of_the_shop(&place));

    place.fault("bad-rows 2 --path /orders");
    let run = place.job("order-poll", 3);
    assert_eq!(run["outcome"], "partial");
    assert!(!orders(&place).is_empty());
    place.sandbox.clear_faults();
    place.job("order-poll", 0);
    assert_eq!(orders(&place), open_orders_of_the_shop(&place), "the next poll has them all");
}

#[test]
fn pages_that_shift_show_no_listing_twice_and_none_as_gone() {
    for fault in ["duplicate-row", "page-shift sell", "page-shift insert"] {
        let place = without_carts(250);
        place.job("stock-pull", 0);
        let before = stock(&place);
        place.fault(&format!("{fault} --next 1"));
        let run = place.job("stock-pull", 3);
        assert_eq!(run["counts"]["removed"].as_i64(), Some(0), "{fault}: {run}");
        assert!(run["message"].as_str().unwrap().contains("changed while it was read"), "{fault}: {run}");
        let after = stock(&place);
        assert!(before.keys().all(|id| after.contains_key(id)), "{fault}: none is gone");
        let run = place.job("stock-pull", 0);
        let sold = usize::from(fault == "page-shift sell");
        assert_eq!(run["counts"]["removed"], sold, "{fault}: the next whole reading knows");
        assert_eq!(stock(&place), stock_of_the_shop(&place), "{fault}");
    }
}

#[test]
fn a_stock_that_is_suddenly_empty_is_doubted_aloud() {
    let place = Place::of(120);
    place.job("stock-pull", 0);
    let before = stock(&place);
    place.fault("empty-stock");
    let ran = place.run("job run stock-pull").exits(3).says("suddenly smaller: 0 of 120 listings are left");
    assert!(ran.stdout.contains("partial"), "{}", ran.stdout);
    assert_eq!(stock(&place), before, "nothing was taken for gone");
    place.sandbox.clear_faults();
    place.job("stock-pull", 0);
    assert_eq!(stock(&place), before);
}

#[test]
fn however_the_marketplace_writes_its_json_the_rows_are_the_same() {
    let read = |typing: Typing| {
        let place = Place::with(|options| (options.articles, options.typing) = (101, typing));
        place.job("stock-pull", 0);
        place.job("order-poll", 0);
        (
            stock(&place),
            orders(&place),
            place.list("orders list", "orders"),
            place.list("stock list", "listings"),
        )
    };
    let plain = read(Typing::default());
    assert!(!plain.0.is_empty() && !plain.1.is_empty());
    let strings = read(Typing { numbers_as_strings: true, ..Typing::default() });
    assert_eq!(strings.3, plain.3);
    let singles = read(Typing { one_as_object: true, ..Typing::default() });
    assert_eq!(singles.3, plain.3);
    let sparse = read(Typing { missing_optional: true, ..Typing::default() });
    for other in [strings, singles, sparse] {
        assert_eq!(other.0, plain.0);
        assert_eq!(other.1, plain.1);
        assert_eq!(other.2.len(), plain.2.len());
    }
}

/// A copy in a cart keeps its listing known when the last one for sale is gone.
fn without_carts(articles: usize) -> Place {
    Place::with(|options| (options.articles, options.carts) = (articles, 0))
}

/// An order, as far as the shop and the agent must agree on it.
#[derive(Debug, PartialEq, Eq)]
struct OrderSum {
    state: String,
    lines: usize,
    copies: i64,
    articles_minor: i64,
    total_minor: i64,
}

fn orders(place: &Place) -> BTreeMap<i64, OrderSum> {
    let rows = place.list("orders list", "orders");
    let sums = rows.iter().map(|row| {
        let lines = row["lines"].as_array().unwrap();
        let sum = |of: fn(&Value) -> i64| lines.iter().map(of).sum();
        let order = OrderSum {
            state: row["state"].as_str().unwrap().to_owned(),
            lines: lines.len(),
            copies: sum(|line| line["quantity"].as_i64().unwrap()),
            articles_minor: sum(|line| {
                line["quantity"].as_i64().unwrap() * line["unit_price_minor"].as_i64().unwrap()
            }),
            total_minor: row["total_minor"].as_i64().unwrap(),
        };
        (row["order_id"].as_i64().unwrap(), order)
    });
    let orders: BTreeMap<_, _> = sums.collect();
    assert_eq!(orders.len(), rows.len(), "no order is listed twice");
    orders
}

fn orders_of_the_shop(place: &Place, wanted: &[OrderState]) -> BTreeMap<i64, OrderSum> {
    place.sandbox.with_shop(|shop| {
        let wanted = shop.orders().iter().filter(|order| wanted.contains(&order.state));
        let sums = wanted.map(|order| {
            let sum = OrderSum {
                state: order.state.word().to_owned(),
                lines: order.lines.len(),
                copies: i64::from(order.copies()),
                articles_minor: order.article_cents() as i64,
                total_minor: (order.article_cents() + order.shipping_cents()) as i64,
            };
            (order.id as i64, sum)
        });
        sums.collect()
    })
}

/// What a first poll shows: the lists that grow without bound are not read.
fn open_orders_of_the_shop(place: &Place) -> BTreeMap<i64, OrderSum> {
    orders_of_the_shop(place, &[OrderState::Bought, OrderState::Paid, OrderState::Sent])
}

fn all_orders_of_the_shop(place: &Place) -> BTreeMap<i64, OrderSum> {
    orders_of_the_shop(place, &OrderState::ALL)
}

/// Number, copies for sale and price of every listing.
fn stock(place: &Place) -> BTreeMap<i64, (i64, i64)> {
    let rows = place.list("stock list", "listings");
    let expected =
        ["account", "attributes", "currency", "listing_id", "price_minor", "quantity", "sku", "title"];
    if let Some(row) = rows.first() {
        assert!(expected.iter().all(|key| row.get(key).is_some()), "{row}");
    }
    let ids: BTreeSet<i64> = rows.iter().map(|row| row["listing_id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), rows.len(), "no listing is listed twice");
    let number = |row: &Value, key: &str| row[key].as_i64().unwrap();
    let offered = rows.iter().filter(|row| number(row, "quantity") > 0);
    offered
        .map(|row| (number(row, "listing_id"), (number(row, "quantity"), number(row, "price_minor"))))
        .collect()
}

fn stock_of_the_shop(place: &Place) -> BTreeMap<i64, (i64, i64)> {
    place.sandbox.with_shop(|shop| {
        let rows = shop.stock().rows().iter();
        rows.map(|row| (row.id as i64, (i64::from(row.count), i64::from(row.cents)))).collect()
    })
}

/// Order, line and copies of every movement, in the order in which they were recorded.
fn movements_of(place: &Place) -> Vec<(i64, i64, i64)> {
    place.store(|tx| {
        let mut all = Vec::new();
        movements::each(tx, None, |row| {
            all.push((row.order_id.0, row.movement.line_id.0, row.movement.delta));
            Ok(())
        })?;
        Ok(all)
    })
}

/// What the movements of each order add up to.
fn net(movements: &[(i64, i64, i64)]) -> BTreeMap<i64, i64> {
    let mut net = BTreeMap::new();
    for (order, _, delta) in movements {
        *net.entry(*order).or_default() += delta;
    }
    net
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}
