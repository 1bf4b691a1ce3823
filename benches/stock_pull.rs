//! A stock of 100,000 articles, read from the pretend shop by the agent's real binary: what it needs of memory and
//! requests, and how fast rows get into the database beside a bare loop over the same rows.
//!
//! The bare loop is the limit: one connection, the same pages of 100 rows, each in a durable transaction, one upsert
//! into a table with the same columns and key. Ours tells besides what has changed, keeps the history of each
//! listing, and goes through the thread that owns the connection. Under a bar, the exit code is 1.

#[path = "common/bars.rs"]
mod bars;
#[path = "common/ran.rs"]
mod ran;
#[path = "common/shop.rs"]
mod shop;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rusqlite::{Connection, params};
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::{AccountName, Listing, Money, StockPart};
use sellerd::store::{Lane, Store, listings};

use bars::{Bars, median};
use ran::Ran;

const ARTICLES: usize = 100_000;
/// Articles of a page, and rows of a transaction.
const PAGE: usize = 100;
/// Turns of each loop over the rows.
const ROUNDS: usize = 5;

const JOB: &str = "kind = \"stock-pull\"\naccount = \"shop\"\nschedule = \"0 4 * * *\"\nmode = \"observe\"\ntimeout = \"30m\"\n";

fn main() -> ExitCode {
    shop::run(bench())
}

async fn bench() -> ExitCode {
    let shop = shop::open(ARTICLES).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    shop::configure(dir.path(), &shop, &[("stock-pull".to_owned(), JOB.to_owned())]);
    let mut bars = Bars::new("stock-pull of 100,000 articles, pace off, by the binary");

    let first = Ran::of(dir.path(), &shop, "stock-pull").await;
    let again = Ran::of(dir.path(), &shop, "stock-pull").await;
    for (what, pull) in [("first", &first), ("nothing new", &again)] {
        bars.told(&format!("{what}: wall time"), pull.seconds, "s");
        bars.told(&format!("{what}: processor time"), pull.busy, "s");
        bars.told(&format!("{what}: articles read"), ARTICLES as f64 / pull.seconds, "/s");
        bars.bar(&format!("{what}: peak memory"), pull.peak, "MiB", ..=48.0);
        let least = (ARTICLES.div_ceil(PAGE) + 1) as f64;
        bars.bar(&format!("{what}: requests, by the shop's ledger"), pull.requests, "", least..=least);
        assert_eq!(pull.count("articles"), ARTICLES as f64, "{}", pull.run);
    }
    assert!(first.count("added") >= ARTICLES as f64 && again.count("added") == 0.0, "{}", again.run);

    let rows = rows(dir.path()).await;
    rates(&mut bars, &rows).await;
    bars.end()
}

/// The rows that the pull has written, in the order of their numbers.
async fn rows(dir: &Path) -> Vec<Vec<Listing>> {
    let store = Store::open_beside(&dir.join("state/sellerd.db")).expect("the pull has made it");
    let read = store.read(|tx| {
        let mut rows: Vec<Listing> = Vec::with_capacity(ARTICLES);
        listings::each(tx, None, |row| {
            rows.push(Listing {
                id: row.listing_id,
                sku: row.sku,
                title: row.title,
                quantity: row.quantity,
                price: Money { minor: row.price_minor, currency: row.currency },
                attributes: row.attributes.get().to_owned(),
            });
            Ok(())
        })?;
        Ok(rows)
    });
    let mut rows = read.await.expect("they can be read");
    rows.truncate(ARTICLES);
    rows.chunks(PAGE).map(<[Listing]>::to_vec).collect()
}

/// Both loops over the same rows in turns: into an empty database, over what is there, and with another price each.
async fn rates(bars: &mut Bars, pages: &[Vec<Listing>]) {
    let mut turns = Vec::new();
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a temporary directory");
        turns
            .push((bare(&dir.path().join("bare.db"), pages), ours(&dir.path().join("ours.db"), pages).await));
    }
    for (at, what) in ["new rows", "unchanged rows", "changed rows"].into_iter().enumerate() {
        let limit = median(turns.iter().map(|turn| turn.0[at]).collect());
        let ours = median(turns.iter().map(|turn| turn.1[at]).collect());
        let ratio = median(turns.iter().map(|turn| turn.1[at] / turn.0[at]).collect());
        bars.told(&format!("{what}: bare upserts"), limit, "rows/s");
        bars.told(&format!("{what}: store::listings::put"), ours, "rows/s");
        // Of rows that did not change none is written, so they have no bar.
        match what {
            "unchanged rows" => bars.told(&format!("{what}: ours / bare"), ratio, ""),
            _ => bars.bar(&format!("{what}: ours / bare"), ratio, "", 0.5..),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the limit program is SQL and nothing else")]
fn bare(path: &Path, pages: &[Vec<Listing>]) -> [f64; 3] {
    let connection = Connection::open(path).expect("a file of our own");
    let set_up = "pragma journal_mode = wal; pragma synchronous = full;
        create table listings (account text not null, listing_id integer not null, sku text not null,
            title text not null, quantity integer not null, in_carts integer not null, price_minor integer not null,
            currency text not null, attributes text not null, first_seen_at integer not null,
            changed_at integer not null, snapshot_id integer not null, primary key (account, listing_id)
        ) strict";
    connection.execute_batch(set_up).expect("SQL that works");
    let pass = |dearer: i64| {
        let mut statement = connection.prepare(UPSERT).expect("SQL that works");
        rate(|| {
            for page in pages {
                connection.execute_batch("begin immediate").expect("nobody else is there");
                for row in page {
                    let values = params![
                        "shop",
                        row.id.0,
                        row.sku.as_str(),
                        row.title,
                        row.quantity,
                        row.price.minor + dearer,
                        row.price.currency.as_str(),
                        row.attributes,
                        1_795_357_867_250_i64,
                        1,
                    ];
                    statement.execute(values).expect("a row that fits");
                }
                connection.execute_batch("commit").expect("the disk has room");
            }
        })
    };
    [pass(0), pass(0), pass(1)]
}

/// What is as it was is not written, as everywhere in the store.
const UPSERT: &str = "
    insert into listings (account, listing_id, sku, title, quantity, in_carts, price_minor, currency, attributes,
        first_seen_at, changed_at, snapshot_id)
    values (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?9, ?10)
    on conflict (account, listing_id) do update set
        sku = excluded.sku, title = excluded.title, quantity = excluded.quantity,
        price_minor = excluded.price_minor, currency = excluded.currency, attributes = excluded.attributes,
        changed_at = excluded.changed_at, snapshot_id = excluded.snapshot_id
    where excluded.quantity <> listings.quantity or excluded.price_minor <> listings.price_minor
        or excluded.currency <> listings.currency or excluded.sku <> listings.sku
        or excluded.title <> listings.title or excluded.attributes <> listings.attributes";

async fn ours(path: &Path, pages: &[Vec<Listing>]) -> [f64; 3] {
    let clock = SystemClock::default();
    let store = Store::open(path, Lane::Thread, clock.now()).expect("a file of our own");
    let mut passes = [0.0; 3];
    for (pass, dearer) in passes.iter_mut().zip([0, 0, 1]) {
        let mut pages = pages.to_vec();
        pages.iter_mut().flatten().for_each(|row| row.price.minor += dearer);
        let begun = clock.elapsed();
        for rows in pages {
            let (account, now) = (AccountName::from("shop"), clock.now());
            let put = store.write(move |tx| listings::put(tx, &account, 1, StockPart::Offered, &rows, now));
            put.await.expect("rows that fit");
        }
        *pass = per_second(clock.elapsed() - begun);
    }
    store.close().await.expect("the disk has room");
    passes
}

fn rate(work: impl FnOnce()) -> f64 {
    let clock = SystemClock::default();
    work();
    per_second(clock.elapsed())
}

fn per_second(span: Duration) -> f64 {
    ARTICLES as f64 / span.as_secs_f64()
}
