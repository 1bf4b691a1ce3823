//! Stocks of 10,000 and 100,000 articles, repriced by the agent's real binary: the requests beside the fewest there can
//! be, the memory, and what planning costs beside a bare loop over the same data.
//!
//! The floor is the reading of the stock (a request for each 100 articles and one for the carts, or three with the
//! marketplace's export) and one write for each 100 articles that change. Beside it, orders are read before and after
//! the stock. The bare loop parses the same list and the same articles as JSON into a hash map and compares. Under a
//! bar, the exit code is 1.
//!
//! A million articles take some minutes, so they are asked for:
//! `SELLERD_BENCH_ARTICLES=1000000 cargo bench --bench stock_sync`, beside a tenth of them for the comparison.

#[path = "common/bars.rs"]
mod bars;
#[path = "common/list.rs"]
mod list;
#[path = "common/ran.rs"]
mod ran;
#[path = "common/shop.rs"]
mod shop;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use chrono::{DateTime, Utc};
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::{AccountName, Currency};
use sellerd::marketplace::AsItIs;
use sellerd::planning::reconcile::{Absent, Circumstances, Observed, OrderKnowledge, Reconciliation};
use sellerd::planning::trust::Trust;
use sellerd::source;
use sellerd::store::listings::ListingRow;
use sellerd::store::{Store, listings};
use serde_json::Value;

use bars::{Bars, median};
use ran::{Ran, Watched};

/// Articles of a page, and of a write.
const PAGE: usize = 100;
/// Reading the orders twice.
const ORDERS: usize = 12;
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    shop::run(bench())
}

async fn bench() -> ExitCode {
    let mut bars = Bars::new("stock-sync, pace off, by the binary: articles repriced");
    let asked = std::env::var("SELLERD_BENCH_ARTICLES").ok().and_then(|text| text.parse::<usize>().ok());
    let mut busy = Vec::new();
    for articles in asked.map_or([10_000, 100_000], |most| [most / 10, most]) {
        let shop = shop::open(articles).await;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let job = |export: &str| {
            format!(
                "kind = \"stock-sync\"\naccount = \"shop\"\nschedule = \"0 4 * * *\"\nmode = \"apply\"\n\
                 timeout = \"60m\"\nexport_above = {export}\n[source]\ntype = \"csv\"\npath = \"stock.csv\"\n\
                 [guards]\nmax_changes_percent = 100\nmax_value_change_percent = 100\nmax_price_change_percent = 100\n"
            )
        };
        let jobs = [
            (
                "pull",
                "kind = \"stock-pull\"\naccount = \"shop\"\nschedule = \"0 4 * * *\"\nexport_above = \"off\"\n".to_owned(),
            ),
            ("pages", job("\"off\"")),
            ("export", job("5000")),
        ];
        let jobs = jobs.map(|(name, text)| (name.to_owned(), text));
        shop::configure(dir.path(), &shop, &jobs);
        Ran::of(dir.path(), &shop, "pull").await;
        let percents: &[usize] = if articles > 100_000 { &[1] } else { &[1, 10, 100] };
        for percent in percents.iter().copied() {
            reprice(dir.path(), percent).await;
            let what = format!("{articles}, {percent} %, pages");
            let planned = Watched::of(dir.path(), &["plan", "pages", "-q"], Stdio::null()).await;
            assert!(planned.output.status.success(), "{what}: no plan was made");
            bars.told(&format!("{what}: peak memory of a plan alone"), planned.peak, "MiB");
            let ran = Ran::of(dir.path(), &shop, "pages").await;
            let changed = applied(&ran);
            let floor = articles.div_ceil(PAGE) + 1 + changed.div_ceil(PAGE);
            tell(&mut bars, &what, &ran, changed, (articles, floor));
            if percent == 1 {
                busy.push(ran.busy);
            }
        }
        let percent = percents.last().copied().unwrap_or(1);
        Ran::of(dir.path(), &shop, "pull").await;
        reprice(dir.path(), percent).await;
        let planned = Watched::of(dir.path(), &["plan", "pages", "-o", "json", "-q"], Stdio::null()).await;
        assert!(planned.output.status.success(), "no plan was made");
        let ran = Ran::by(dir.path(), &shop, &["apply", &newest_plan(dir.path()).await]).await;
        let what = format!("{articles}, {percent} %, applied by a person");
        bars.told(&format!("{what}: wall time"), ran.seconds, "s");
        bars.told(&format!("{what}: processor time"), ran.busy, "s");
        bars.told(&format!("{what}: requests"), ran.requests, "");
        bars.told(&format!("{what}: peak memory"), ran.peak, "MiB");
        let percent = percents.get(1).copied().unwrap_or(1);
        Ran::of(dir.path(), &shop, "pull").await;
        reprice(dir.path(), percent).await;
        let ran = Ran::of(dir.path(), &shop, "export").await;
        let changed = applied(&ran);
        let floor = 3 + changed.div_ceil(PAGE);
        tell(&mut bars, &format!("{articles}, {percent} %, export"), &ran, changed, (articles, floor));
        Ran::of(dir.path(), &shop, "pull").await;
        plan(&mut bars, dir.path(), articles).await;
    }
    if let [fewer, more] = busy[..] {
        bars.bar("1 %, pages: processor time for ten times as many articles", more / fewer, "times", ..=15.0);
    }
    bars.end()
}

fn tell(bars: &mut Bars, what: &str, ran: &Ran, changed: usize, (articles, floor): (usize, usize)) {
    assert!(changed > 0 && ran.count("price") == changed as f64, "{what}: {}", ran.run);
    bars.told(&format!("{what}: wall time"), ran.seconds, "s");
    bars.told(&format!("{what}: processor time"), ran.busy, "s");
    bars.told(&format!("{what}: the fewest requests"), floor as f64, "");
    bars.bar(&format!("{what}: requests"), ran.requests, "", ..=(floor + ORDERS) as f64);
    let most = if articles <= 100_000 { 48.0 } else { 200.0 };
    bars.bar(&format!("{what}: peak memory"), ran.peak, "MiB", ..=most);
}

/// Articles that were repriced. Some are held, as those of which several stand in the shop at different prices.
fn applied(ran: &Ran) -> usize {
    ran.count("applied") as usize
}

/// The plan that was made last.
async fn newest_plan(dir: &Path) -> String {
    let listed = Watched::of(dir, &["plan", "list", "-o", "json"], Stdio::piped()).await;
    let plans: Value = serde_json::from_slice(&listed.output.stdout).expect("JSON, as asked for");
    plans["plans"][0]["plan_id"].as_str().expect("a plan was made").to_owned()
}

/// What is known of the stock.
async fn known(dir: &Path) -> Vec<ListingRow> {
    let store = Store::open_beside(&dir.join("state/sellerd.db")).expect("the pull has made it");
    let read = store.read(|tx| {
        let mut rows = Vec::new();
        listings::each(tx, None, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    });
    read.await.expect("they can be read")
}

/// Writes the stock as it is for a list, with another price for so many of a hundred: a cent more.
async fn reprice(dir: &Path, percent: usize) {
    let mut list = String::from("sku,quantity,price\n");
    let mut seen = HashSet::new();
    let rows = known(dir).await;
    let mut by_sku: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in &rows {
        let sum = by_sku.entry(row.sku.as_str()).or_insert((0, row.price_minor));
        sum.0 += row.quantity + row.in_carts;
    }
    let twice: HashSet<&str> =
        rows.iter().filter(|row| !seen.insert(row.sku.as_str())).map(|row| row.sku.as_str()).collect();
    let in_carts: HashSet<&str> =
        rows.iter().filter(|row| row.in_carts > 0).map(|row| row.sku.as_str()).collect();
    for (at, (sku, (quantity, price))) in by_sku.into_iter().enumerate() {
        let plain = !twice.contains(sku) && !in_carts.contains(sku);
        let other = plain && at % 100 < percent;
        let price = if other { price + 1 } else { price };
        let quoted = sku.replace('"', "\"\"");
        writeln!(list, "\"{quoted}\",{quantity},{}.{:02}", price / 100, price % 100).expect("memory");
    }
    fs::write(dir.join("stock.csv"), list).expect("a file of our own");
}

/// The list and the stock compared, ours and bare, in turns.
async fn plan(bars: &mut Bars, dir: &Path, articles: usize) {
    reprice(dir, 1).await;
    let list = dir.join("stock.csv");
    let written: DateTime<Utc> = fs::metadata(&list).and_then(|meta| meta.modified()).expect("a time").into();
    let json: Vec<u8> = {
        let rows = known(dir).await;
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "idArticle": row.listing_id, "sku": row.sku, "title": row.title, "count": row.quantity,
                    "price": row.price_minor as f64 / 100.0, "attributes": row.attributes,
                })
            })
            .collect();
        serde_json::to_vec(&rows).expect("JSON")
    };
    let store = Store::open_beside(&dir.join("state/sellerd.db")).expect("the pull has made it");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let clock = SystemClock::default();
    let mut counts = (0, 0);
    for _ in 0..ROUNDS {
        let begun = clock.elapsed();
        counts.0 = reconcile(&store, &list, written).await;
        ours.push((clock.elapsed() - begun).as_secs_f64());
        let begun = clock.elapsed();
        counts.1 = bare_diff(&list, &json);
        bare.push((clock.elapsed() - begun).as_secs_f64());
    }
    assert!(counts.0 > 0 && counts.1 > 0, "{counts:?}");
    let (ours, bare) = (median(ours), median(bare));
    bars.told(&format!("{articles}: parse and reconcile"), ours * 1e3, "ms");
    bars.told(&format!("{articles}: bare csv, serde_json and hash map"), bare * 1e3, "ms");
    bars.bar(&format!("{articles}: ratio"), ours / bare, "", ..=1.5);
}

async fn reconcile(store: &Store, list: &Path, now: DateTime<Utc>) -> usize {
    let mut read = source::csv::read(&list::settings(list), Currency::EUR, now).expect("a list");
    let planned = store.read(move |tx| {
        let (sold, none) = (HashMap::new(), HashSet::new());
        let facts = Circumstances {
            currency: Currency::EUR,
            sold_since: &sold,
            buffer: 0,
            unread_elsewhere: None,
            moved: &none,
            in_doubt: &none,
            orders: OrderKnowledge::Complete,
            trust: &Trust::Sound,
            absent: Absent::LeaveAlone,
            never_touch: &["!".to_owned()],
            natural_sku: "cm:",
            zero_is_final: false,
            drafting: &AsItIs,
        };
        let mut reconciliation = Reconciliation::new(&mut read.rows, facts);
        listings::by_sku(tx, &AccountName::from("shop"), |rows| {
            for (first_seen, row) in (0..).zip(rows) {
                reconciliation.observe(Observed {
                    listing_id: row.listing_id,
                    sku: row.sku.as_str(),
                    title: &row.title,
                    listed: row.quantity,
                    in_carts: row.in_carts,
                    price: row.price(),
                    attributes: row.attributes.get(),
                    first_seen,
                });
            }
        })?;
        Ok(reconciliation.finish().expect("sorted").0.changes.len())
    });
    planned.await.expect("it can be read")
}

fn bare_diff(list: &Path, json: &[u8]) -> usize {
    #[derive(serde::Deserialize)]
    struct Article {
        #[serde(rename = "idArticle")]
        _id: i64,
        sku: String,
        #[serde(rename = "title")]
        _title: String,
        count: i64,
        price: f64,
        #[serde(rename = "attributes")]
        _attributes: Value,
    }
    let articles: Vec<Article> = serde_json::from_slice(json).expect("JSON");
    let mut by_sku: HashMap<&str, (i64, i64)> = HashMap::with_capacity(articles.len());
    for article in &articles {
        by_sku.entry(&article.sku).or_insert((0, (article.price * 100.0).round() as i64)).0 += article.count;
    }
    let mut reader = csv::Reader::from_path(list).expect("a list");
    let mut changes = 0;
    for record in reader.records() {
        let record = record.expect("a row");
        let quantity: i64 = record[1].parse().expect("a number");
        let price = (record[2].parse::<f64>().expect("a number") * 100.0).round() as i64;
        changes += usize::from(by_sku.get(&record[0]) != Some(&(quantity, price)));
    }
    changes
}
