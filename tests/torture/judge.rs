//! Whether what the agent has written down is what the shop says.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta};
use sellerd::domain::{AccountName, ErrorType};
use sellerd::sandbox::{Order, OrderState};
use sellerd::store::orders::OrderRow;
use sellerd::store::requests::Unanswered;
use sellerd::store::runs::RunRow;
use sellerd::store::{
    StoreError, Tx, cursors, integrity, listings, movements, orders, requests, runs, tally,
};

use super::RUNTIME;
use super::scene::Scene;

/// What went wrong, in words.
#[derive(Default)]
pub struct Violations(pub Vec<String>);

impl Violations {
    pub fn add(&mut self, what: String) {
        println!("  ! {what}");
        self.0.push(what);
    }

    /// Words that no log may hold, whatever is done to the process.
    pub fn look_through(&mut self, lines: &[String]) {
        for line in lines {
            if ["panicked", "could not be recorded", "a bug in sellerd", "is damaged"]
                .iter()
                .any(|bad| line.contains(bad))
            {
                self.add(format!("it says: {line}"));
            }
        }
    }

    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.add(what());
        }
    }
}

/// What the agent has written down.
struct Books {
    orders: BTreeMap<i64, OrderRow>,
    /// The sum of the movements of each line of each order.
    nets: BTreeMap<(i64, i64), i64>,
    listings: BTreeMap<i64, i64>,
    runs: Vec<RunRow>,
    unanswered: Vec<Unanswered>,
    requests: i64,
    /// Those of no run: who was killed over two requests asks the cheapest question before anything else.
    questions: i64,
    movements: i64,
}

/// As if nothing had been polled for two days: the next poll reads every list there is.
pub fn let_every_list_be_due(scene: &Scene) {
    let long_ago = scene.sandbox.now() - TimeDelta::days(2);
    let feeds = ["bought", "paid", "sent", "received", "lost", "poll"];
    let store = scene.store();
    let aged = store.write(move |tx| {
        feeds.iter().try_for_each(|feed| cursors::set_feed_read_at(tx, &account(), feed, long_ago))
    });
    RUNTIME.block_on(aged).expect("it can be written");
}

/// The figures, in a line.
pub fn books(scene: &Scene) -> String {
    let books = read(scene);
    let orders = scene.sandbox.with_shop(|shop| shop.orders().len());
    let interrupted =
        books.runs.iter().filter(|run| run.outcome.is_some_and(|o| o.as_str() == "interrupted"));
    format!(
        "the books    {} requests of which the shop saw {}; {orders} orders, {} recorded with {} movements; {} listings; \
         {} runs, {} of them interrupted",
        books.requests,
        scene.asked(),
        books.orders.len(),
        books.movements,
        books.listings.len(),
        books.runs.len(),
        interrupted.count(),
    )
}

/// Compares the two sets of books.
pub fn judge(scene: &Scene, violations: &mut Violations) {
    if let Err(error) = RUNTIME.block_on(integrity::quick_check(&scene.store())) {
        violations.add(format!("the database is not whole: {error}"));
    }
    let books = read(scene);
    judge_orders(scene, &books, violations);
    judge_listings(scene, &books, violations);
    judge_runs(scene, &books, violations);
}

fn judge_orders(scene: &Scene, books: &Books, violations: &mut Violations) {
    let orders: Vec<Order> = scene.sandbox.with_shop(|shop| shop.orders().to_vec());
    for order in &orders {
        let id = order.id as i64;
        let Some(row) = books.orders.get(&id) else {
            // Called off between two polls, it stood in no list that was read.
            violations
                .unless(order.state == OrderState::Cancelled, || format!("order {id} was never recorded"));
            continue;
        };
        let state = if order.state == OrderState::Evaluated { "received" } else { order.state.word() };
        violations.unless(row.state == state, || format!("order {id} is {state}, recorded as {}", row.state));
        let mut sold: BTreeMap<i64, i64> = BTreeMap::new();
        for line in &order.lines {
            *sold.entry(line.id as i64).or_default() += i64::from(line.count);
        }
        let recorded: BTreeMap<i64, i64> =
            row.lines.iter().map(|line| (line.listing_id.0, line.quantity)).collect();
        violations
            .unless(recorded == sold, || format!("order {id} has lines {sold:?}, recorded {recorded:?}"));
        for line in &row.lines {
            let net = books.nets.get(&(id, line.line_id.0)).copied().unwrap_or_default();
            let due = if order.state == OrderState::Cancelled { 0 } else { -line.quantity };
            violations.unless(net == due, || {
                format!(
                    "order {id}, line {}: movements of {net} copies in all, {due} are right",
                    line.line_id.0
                )
            });
        }
    }
    let known: BTreeSet<i64> = orders.iter().map(|order| order.id as i64).collect();
    for id in books.orders.keys().filter(|id| !known.contains(id)) {
        violations.add(format!("order {id} is recorded, the shop has none of that number"));
    }
}

fn judge_listings(scene: &Scene, books: &Books, violations: &mut Violations) {
    let (stock, carts) = scene.sandbox.with_shop(|shop| {
        let stock: BTreeMap<i64, i64> =
            shop.stock().rows().iter().map(|row| (row.id as i64, i64::from(row.count))).collect();
        (stock, shop.carts().iter().map(|row| row.id as i64).collect::<BTreeSet<_>>())
    });
    for (id, count) in &stock {
        match books.listings.get(id) {
            None => violations.add(format!("listing {id} is for sale and not in the books")),
            Some(known) => violations
                .unless(known == count, || format!("listing {id} has {count} copies, {known} in the books")),
        }
    }
    for (id, count) in books.listings.iter().filter(|(id, _)| !stock.contains_key(id)) {
        violations.unless(carts.contains(id) && *count == 0, || {
            format!("listing {id} is sold out, {count} in the books")
        });
    }
    // Nothing here ever comes back on the shelf: what was once taken out must be sold out.
    let removed = with_books(scene, move |tx| {
        let mut removed = Vec::new();
        for id in stock.keys().chain(&carts) {
            let history =
                sellerd::store::listing_history::of(tx, &account(), sellerd::domain::ListingId(*id))?;
            removed.extend(history.iter().any(|entry| entry.op == "remove").then_some(*id));
        }
        Ok(removed)
    });
    for id in removed {
        violations.add(format!("listing {id} was taken for gone and is not"));
    }
}

fn judge_runs(scene: &Scene, books: &Books, violations: &mut Violations) {
    let seen = scene.asked();
    let recorded = books.requests + books.questions;
    violations.unless(recorded >= seen as i64, || {
        format!("the shop saw {seen} requests, {recorded} are in the books")
    });
    violations.unless(books.unanswered.is_empty(), || {
        format!("{} requests are still waited for", books.unanswered.len())
    });
    let mut slots = HashSet::new();
    for run in &books.runs {
        let name = format!("run {} of {}", run.run_id.0, run.job);
        violations.unless(slots.insert((run.job.clone(), run.due_at)), || {
            format!("{name} is of a slot that had one")
        });
        violations
            .unless(run.outcome.is_some() && run.finished_at.is_some(), || format!("{name} is left open"));
        let ours = [ErrorType::DbLocked, ErrorType::DbCorrupt, ErrorType::DiskFull, ErrorType::Internal];
        if let Some(error) = run.error_type.filter(|error| ours.contains(error)) {
            violations.add(format!(
                "{name} failed with {}: {}",
                error.as_str(),
                run.message.as_deref().unwrap_or("")
            ));
        }
    }
    let requests: i64 = books.runs.iter().map(|run| run.requests).sum();
    violations.unless(requests == books.requests, || {
        format!("{} requests are in the books, {requests} in the runs", books.requests)
    });
}

fn read(scene: &Scene) -> Books {
    with_books(scene, |tx| {
        let account = account();
        let mut orders = BTreeMap::new();
        orders::each(tx, Some(&account), |row| {
            orders.insert(row.order_id.0, row);
            Ok(())
        })?;
        let mut nets: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        movements::each(tx, Some(&account), |row| {
            *nets.entry((row.order_id.0, row.movement.line_id.0)).or_default() += row.movement.delta;
            Ok(())
        })?;
        let mut listings = BTreeMap::new();
        listings::each(tx, Some(&account), |row| {
            listings.insert(row.listing_id.0, row.quantity);
            Ok(())
        })?;
        let runs = runs::list(tx, None, None)?;
        let requests = runs
            .iter()
            .try_fold(0, |sum, run| Ok::<_, StoreError>(sum + requests::count_for_run(tx, run.run_id)?))?;
        let of_all_time = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(100_000));
        let by_job = tally::spent(tx, &account, of_all_time.0, of_all_time.1)?.by_job;
        let unanswered = requests::unanswered(tx)?;
        Ok(Books {
            orders,
            nets,
            listings,
            runs,
            unanswered,
            requests,
            questions: by_job.get("").copied().unwrap_or_default(),
            movements: movements::count(tx, None)?,
        })
    })
}

fn with_books<T: Send + 'static>(
    scene: &Scene,
    look: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    RUNTIME.block_on(scene.store().read(look)).expect("it can be read")
}

fn account() -> AccountName {
    AccountName::from("cm")
}
