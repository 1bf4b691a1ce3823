//! Lists of 100,000 and 1,000,000 rows: what reading them costs beside a bare loop, and what they take of memory.
//!
//! The bare loop is the limit: the csv library with one record that is used again, numbers read from its bytes, a hash
//! map by SKU. Ours judges encoding, quotes and every cell besides, hashes the file, and hands the rows over sorted.
//! Both are measured by the thread's own CPU time, in turns. Under a bar, the exit code is 1.

#[path = "common/bars.rs"]
mod bars;
#[path = "common/list.rs"]
mod list;

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use sellerd::domain::Currency;
use sellerd::source;

use bars::{Bars, is_bench, median};

/// Turns of each.
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    if !is_bench() {
        return ExitCode::SUCCESS;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut bars = Bars::new("a list read, in the order of a shelf and not of its keys");
    for (rows, most) in [(100_000_u64, 20.0), (1_000_000, 125.0)] {
        let path = dir.path().join("stock.csv");
        write(&path, rows);
        let settings = list::settings(&path);
        let written: DateTime<Utc> =
            fs::metadata(&path).and_then(|meta| meta.modified()).expect("a time").into();

        let before = memory("VmRSS:");
        let read = source::csv::read(&settings, Currency::EUR, written).expect("a list");
        let peak = memory("VmHWM:") - before;
        assert_eq!(read.rows.len() as u64, rows);
        drop(read);

        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(cpu(|| {
                let read = source::csv::read(&settings, Currency::EUR, written).expect("a list");
                assert_eq!(read.rows.len() as u64, rows);
            }));
            bare.push(cpu(|| assert_eq!(bare_loop(&path).len() as u64, rows)));
        }
        let (ours, bare) = (median(ours), median(bare));
        bars.told(&format!("{rows} rows: ours"), ours * 1e3, "ms");
        bars.told(&format!("{rows} rows: bare"), bare * 1e3, "ms");
        bars.bar(&format!("{rows} rows: ratio"), ours / bare, "", ..=1.5);
        bars.bar(&format!("{rows} rows: memory"), peak, "MiB", ..=most);
    }
    bars.end()
}

fn bare_loop(path: &Path) -> HashMap<String, (i64, i64)> {
    let mut reader = csv::Reader::from_path(path).expect("a list");
    let mut record = csv::ByteRecord::new();
    let mut rows = HashMap::new();
    while reader.read_byte_record(&mut record).expect("a row") {
        let text = |at: usize| std::str::from_utf8(&record[at]).expect("text");
        let quantity: i64 = text(1).parse().expect("a number");
        let (whole, cents) = text(2).split_once('.').expect("an amount");
        let minor = whole.parse::<i64>().expect("a number") * 100 + cents.parse::<i64>().expect("a number");
        rows.insert(text(0).to_owned(), (quantity, minor));
    }
    rows
}

/// About 50 bytes a row, as lists of cards have. Not held in memory, where it would count as ours.
fn write(path: &Path, rows: u64) {
    let mut list = BufWriter::new(fs::File::create(path).expect("a list"));
    writeln!(list, "sku,quantity,price,edition,name").expect("a header");
    // An odd factor goes through all keys in an order of its own.
    for key in (0..rows).map(|row| row * 7_919 % rows) {
        let (quantity, whole, cents) = (key % 5, key % 90, 10 + key % 90);
        let row = writeln!(
            list,
            "SKU-{key:07},{quantity},{whole}.{cents},Edition {},A card of {key:07}",
            key % 300
        );
        row.expect("a row");
    }
    list.flush().expect("a list");
}

/// Seconds of this thread's work.
fn cpu(work: impl FnOnce()) -> f64 {
    let spent = || {
        let text = fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
        text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("nanoseconds") / 1e9
    };
    let before = spent();
    work();
    spent() - before
}

/// The memory of this process, now or at its highest, in MiB.
fn memory(which: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/status").expect("the kernel counts");
    let line = text.lines().find_map(|line| line.strip_prefix(which)).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
