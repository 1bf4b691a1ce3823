//! Calls that do harm do not exist: neither in what the client can say, nor in what any job has ever said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::at_trademe::TEMPLATE;
use super::{OPEN, Shelf};

/// Words that stand in no text of the client, and what they would do.
const CARDMARKET: [(&str, &str); 9] = [
    ("messages", "`messages/find` is broken and marks everything read; a thread that is deleted stays"),
    ("isplayset", "playsets are gone since 2024, and games without the flag choke on it"),
    ("vacation", "it takes the whole shop off sale"),
    ("evaluation", "an evaluation cannot be taken back"),
    ("refund", "it moves money"),
    ("requestcancellation", "it asks a buyer to give an order up"),
    ("acceptcancellation", "it ends an order"),
    ("shoppingcart/", "it buys"),
    ("wantslist", "it is a buyer's"),
];

/// The same for Trade Me.
const TRADE_ME: [(&str, &str); 10] = [
    ("selling/update", "there is no such call, although it is widely copied"),
    ("account/balance", "there is no such call, although it is widely copied"),
    ("productmappings", "it is dead and always empty"),
    ("bidding", "it bids and buys"),
    ("feedback", "it is public and stays"),
    ("blacklist", "it shuts a buyer out"),
    ("refund", "it moves money"),
    ("fixedpriceoffer", "it binds the seller to a price"),
    ("selling/relist", "it can be charged and loses what was edited"),
    ("salestatus", "it tells buyers what may not be so"),
];

/// What the client may ask of Cardmarket: method and path, with numbers as `{}`.
const ASKED_OF_CARDMARKET: [&str; 17] = [
    "GET account",
    "GET stock/{}",
    "GET stock/shoppingcart-articles",
    "GET stock/products/{}",
    "GET orders/seller/bought/{}",
    "GET orders/seller/paid/{}",
    "GET orders/seller/sent/{}",
    "GET orders/seller/received/{}",
    "GET orders/seller/lost/{}",
    "GET order/{}",
    "GET exports/stock",
    "GET exports/stock/{}",
    "POST exports/stock",
    "POST stock",
    "PUT stock",
    "DELETE stock",
    // Both directions, and nothing else below it.
    "PUT stock/increase",
];

const LOWER: &str = "PUT stock/decrease";

/// What it may ask of Trade Me.
const ASKED_OF_TRADE_ME: [&str; 15] = [
    "GET MyTradeMe/Summary",
    "GET MyTradeMe/SellingItems/All",
    "GET MyTradeMe/SoldItems/LastHour",
    "GET MyTradeMe/SoldItems/Last24Hours",
    "GET MyTradeMe/SoldItems/Last7Days",
    "GET MyTradeMe/SoldItems/Last45Days",
    "GET MyTradeMe/UnsoldItems/ItemsICanRelist",
    "GET Listings/Questions/UnansweredQuestions",
    "GET Listings/{}",
    "GET Selling/Listings/{}",
    "GET Categories/{}/Details",
    "POST Selling/Validate",
    "POST Selling/Fees",
    "POST Selling/WithdrawFees",
    "POST Selling/Edit",
];

/// Those that make a listing and take one down.
const LISTS: [&str; 2] = ["POST Selling", "POST Selling/Withdraw"];

#[test]
fn no_text_of_the_client_names_a_call_that_does_harm() {
    for (room, words) in [("cardmarket", &CARDMARKET[..]), ("trademe", &TRADE_ME[..])] {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/marketplace").join(room), &mut files);
        assert!(files.len() > 5, "{room}: {files:?}");
        let mut wrong = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).expect("a file");
            for (number, line) in code(&text) {
                let texts: String =
                    line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
                wrong.extend(
                    words
                        .iter()
                        .filter(|(word, _)| texts.contains(word))
                        .map(|(word, harm)| format!("{}:{number}: `{word}`: {harm}", file.display())),
                );
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
}

#[test]
fn no_listing_is_withdrawn_as_if_it_had_been_sold() {
    // `ListingWasSold` is charged as a sale.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/marketplace/trademe/charge.rs");
    let text = fs::read_to_string(file).expect("a file");
    assert!(text.contains("const NOT_SOLD: i64 = 2;") && text.contains("document::number(NOT_SOLD)"));
    assert_eq!(text.matches("set(\"Type\"").count(), 1);
}

#[test]
fn whatever_the_jobs_do_they_ask_for_nothing_but_what_is_known_to_be_harmless() {
    let goods = |cents| {
        [("A", 5, cents), ("B", 2, cents), ("C", 3, cents), ("D", 4, cents), ("E", 1, cents), ("G", 2, cents)]
    };
    let shelf = Shelf::of(&goods(100), &goods(1_000));
    shelf.0.write("templates/default.json", TEMPLATE);
    shelf.0.write_job("cm-pull", "stock-pull", "0 0 1 1 *", "account = \"cm\"\nexport_above = \"off\"\n");
    for kind in ["probe", "stock-pull", "order-poll"] {
        shelf.0.write_job(&format!("nz-{kind}"), kind, "0 0 1 1 *", "account = \"nz\"\n");
        shelf.0.job(&format!("nz-{kind}"), 0);
        shelf.0.job(kind, 0);
    }
    shelf.0.job("housekeeping", 0);
    let product = shelf.0.sandbox.with_shop(|shop| shop.product_ids().nth(7).expect("one"));
    for account in ["cm", "nz"] {
        shelf.job_file(account, "absent = \"remove\"\n", &format!("{OPEN}max_fees = \"1000.00\"\n"));
        let (less, more) = if account == "cm" { ("1.10", "1.00") } else { ("11.00", "10.00") };
        // One lower, one at another price, one higher, one at none, one not named, and a new one.
        let list = format!(
            "sku,quantity,price,product_id,language,condition,title\nA,3,{more},,,,\nB,2,{less},,,,\nC,6,{more},,,,\n\
             D,0,{more},,,,\nG,2,{more},,,,\nF,2,{less},{product},English,NM,Card F\n"
        );
        shelf.list(account, &list);
        let plan = shelf.0.run(&format!("-o json plan {account}-sync")).exits(0).document("sellerd.plan/1");
        let ops: BTreeSet<&str> = plan["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .filter_map(|row| row["op"].as_str())
            .collect();
        assert_eq!(ops.len(), 5, "{plan}");
        let applied =
            shelf.0.run(&format!("-o json --yes apply {}", plan["plan_id"].as_str().expect("an id")));
        assert!([0, 3].contains(&applied.code), "{} {}", applied.stdout, applied.stderr);
        let run = shelf.0.list(&format!("runs list --job {account}-sync"), "runs")[0]["run_id"].clone();
        shelf.0.run(&format!("-o json --yes undo {}", run.as_str().expect("an id")));
        shelf.sync(account, 0);
        // A lost answer, and the reads that settle it.
        shelf.list(account, &list.replace("A,3", "A,2"));
        shelf.0.fault("drop-after --writes --next 1");
        shelf.sync(account, 0);
        shelf.0.sandbox.clear_faults();
    }
    let cardmarket = shelf.0.seen().into_iter().filter(|seen| !seen.path.contains("/stock-exports/"));
    let cardmarket = cardmarket.map(|seen| (seen.method, seen.path));
    check(cardmarket, "output.json/", &[&ASKED_OF_CARDMARKET[..], &[LOWER]].concat(), 12);
    let trade_me = shelf.0.sandbox.trademe_requests().into_iter().map(|seen| (seen.method, seen.path));
    check(trade_me, "/v1/", &[&ASKED_OF_TRADE_ME[..], &LISTS].concat(), 12);
}

/// Whether all that was asked is in the list, and at least so many of the list were asked for: a story that asks for
/// nothing would prove nothing.
#[track_caller]
fn check(asked: impl Iterator<Item = (String, String)>, after: &str, known: &[&str], least: usize) {
    let templates: BTreeSet<String> = asked
        .map(|(method, path)| {
            let path = path.split('?').next().unwrap_or_default();
            let path = path.split_once(after).map_or(path, |(_, path)| path).trim_end_matches(".json");
            let number = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
            };
            let parts = path.split('/').map(|part| if number(part) { "{}" } else { part });
            format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
        })
        .collect();
    let unknown: Vec<_> = templates.iter().filter(|template| !known.contains(&template.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(templates.len() >= least, "{templates:?}");
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            sources(&path, into);
        } else if !name.contains("tests") {
            into.push(path);
        }
    }
}

/// The lines that are no comment and stand before the tests of a file, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(at, line)| (at + 1, line))
}
