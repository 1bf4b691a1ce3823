//! What the seller wants to be on sale: a list in a file, written anew now and then, and the job that makes the shop so.
//!
//! A list names copies and prices outright, and not more or fewer than there are: what it comes to follows from the
//! list and from what was sold since, whatever befell the agent meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

use crate::market::{Name, TRADEME};

/// A seller's things at one account, and how the agent is told of them.
#[derive(Debug, Clone)]
pub struct Seller {
    /// The things, in the order of the list.
    pub things: Vec<Thing>,
    /// `apply`, or `observe`, in which nothing may change.
    pub mode: &'static str,
    /// Whether each row of the list says when it was true, rather than the file.
    pub dated_rows: bool,
}

/// One thing that the seller sells.
#[derive(Debug, Clone)]
pub struct Thing {
    /// The seller's key.
    pub sku: String,
    /// Place among the products of the marketplace, where it has some.
    pub product: usize,
    /// Copies and cents at which it is for sale before the agent comes, if it is.
    pub placed: Option<(u32, u32)>,
}

/// A list: copies and cents of each thing, in the order of [`Seller::things`]. What is not named is none of its business.
#[derive(Debug, Clone)]
pub struct List {
    /// The rows.
    pub rows: Vec<Option<(u32, u32)>>,
}

/// A list that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// When (true time).
    pub at: DateTime<Utc>,
    /// When, by a clock that stands still while the agent's process does.
    pub awake: DateTime<Utc>,
    /// Copies and cents by key.
    pub rows: BTreeMap<String, (u32, u32)>,
}

/// How the keys of a seller's things begin.
const KEY: &str = "S-";

/// Whether this is the key of something that a list may name.
pub fn is_listed(sku: &str) -> bool {
    sku.starts_with(KEY)
}

impl Written {
    /// From when on sales count that the list cannot know of. Marketplaces tell the time of a sale in whole seconds.
    pub fn since(&self) -> DateTime<Utc> {
        self.at.trunc_subsecs(0)
    }

    /// The same, as if it had been written so much earlier.
    pub fn older(&self, by: TimeDelta) -> Self {
        Self { at: self.at - by, awake: self.awake - by, rows: BTreeMap::new() }
    }
}

impl Seller {
    /// A seller with some things, of which most are for sale already.
    pub fn draw(r: &mut fastrand::Rng, name: Name) -> Self {
        let things = (0..r.usize(3..8)).map(|at| Thing {
            sku: format!("{KEY}{at:02}"),
            product: r.usize(0..60),
            placed: (r.u8(0..4) > 0).then(|| (r.u32(1..9), cents(r, name))),
        });
        Self {
            things: things.collect(),
            mode: if r.u8(0..12) == 0 { "observe" } else { "apply" },
            dated_rows: r.u8(0..4) == 0,
        }
    }

    /// What the seller wants next, after `before`.
    pub fn draw_list(&self, r: &mut fastrand::Rng, name: Name, before: Option<&List>) -> List {
        let rows = self.things.iter().enumerate().map(|(at, thing)| {
            let (copies, price) = match before {
                Some(before) => before.rows[at]?,
                None if r.u8(0..8) == 0 => return None,
                None => thing.placed.unwrap_or_else(|| (r.u32(1..9), cents(r, name))),
            };
            let copies = match r.u8(0..10) {
                0..3 => copies,
                3..5 => copies + r.u32(1..5),
                5..7 => copies.saturating_sub(r.u32(1..4)),
                7 => 0,
                _ => r.u32(1..9),
            };
            Some((copies, if r.u8(0..3) == 0 { cents(r, name) } else { price }))
        });
        List { rows: rows.collect() }
    }

    /// Writes the list to `dir` as a careful seller does: under another name, and then into its place.
    pub fn write(
        &self,
        dir: &Path,
        name: Name,
        list: &List,
        product_ids: &[u32],
        (at, says): (DateTime<Utc>, DateTime<Utc>),
    ) -> std::io::Result<()> {
        let dated = if self.dated_rows { ",as_of" } else { "" };
        let mut text = format!("sku,quantity,price,product_id,language,condition,title{dated}\n");
        for (thing, row) in self.things.iter().zip(&list.rows) {
            let Some((copies, cents)) = row else { continue };
            let product = product_ids.get(thing.product % product_ids.len().max(1)).copied().unwrap_or(0);
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            let sku = &thing.sku;
            let _ = write!(text, "{sku},{copies},{price},{product},English,NM,Card {sku}");
            if self.dated_rows {
                let _ = write!(text, ",{}", says.to_rfc3339_opts(SecondsFormat::Millis, true));
            }
            text.push('\n');
        }
        let (new, place) = (dir.join(format!("{name}.new")), dir.join(format!("{name}.csv")));
        std::fs::write(&new, text)?;
        let written = if self.dated_rows { at } else { says };
        std::fs::File::options().append(true).open(&new)?.set_modified(written.into())?;
        std::fs::rename(new, place)
    }

    /// The rows of a list by their keys.
    pub fn by_key(&self, list: &List) -> BTreeMap<String, (u32, u32)> {
        let rows = self.things.iter().zip(&list.rows);
        rows.filter_map(|(thing, row)| Some((thing.sku.clone(), (*row)?))).collect()
    }
}

/// The lists of a seller over a story: the first at its beginning.
pub fn lists(r: &mut fastrand::Rng, seller: &Seller, name: Name, span: TimeDelta) -> Vec<(TimeDelta, List)> {
    let mut lists = vec![(TimeDelta::zero(), seller.draw_list(r, name, None))];
    let mut at: Vec<i64> = (0..r.usize(0..4)).map(|_| r.i64(0..span.num_milliseconds())).collect();
    at.sort_unstable();
    for at in at {
        let list = seller.draw_list(r, name, lists.last().map(|(_, list)| list));
        lists.push((TimeDelta::milliseconds(at), list));
    }
    lists
}

/// A price: at Trade Me a round one.
fn cents(r: &mut fastrand::Rng, name: Name) -> u32 {
    if name == TRADEME { r.u32(4..60) * 50 } else { r.u32(10..900) }
}
