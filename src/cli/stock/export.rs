//! `sellerd stock export`: a first list for `stock-sync`, from the stock as it was last read. Syncing with it changes
//! nothing, so that a seller begins with a list that is right and goes on from there.
//!
//! Each row says when it was true. Without that the list would be taken to be as old as its file, and what was sold between
//! the reading and the writing would be put on sale again.

use std::io::{self, BufWriter};

use chrono::{DateTime, Utc};

use super::super::args::AccountFilter;
use super::super::home::Home;
use super::super::list::done;
use super::super::output::note;
use super::super::{Exit, Failure};
use super::known_account;
use crate::config::{Account, Config, Work};
use crate::domain::AccountName;
use crate::marketplace::{InAList, ListWords};
use crate::source::list::{Item, List};
use crate::store::listings::{self, ListingRow};
use crate::store::{Tx, snapshots};

/// Writes the list to stdout.
pub async fn run(name: &str, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let account = named(name, &config)?;
    if home.output.is_json() {
        let fix = format!("leave -o out; for programs there is: sellerd stock list -a {name} -o json");
        return Err(Failure::usage("a list for stock-sync is CSV", fix));
    }
    let Some(store) = home.store(&config)? else { return Err(never_read(&account.name, &config)) };
    let (owned, wording) = (account.name.clone(), &account.marketplace.in_a_list);
    let currency = account.currency;
    let written = store.read(move |tx| {
        let Some(reading) = Reading::last(tx, &owned)? else { return Ok(Ok(None)) };
        let write = |rows: &mut dyn Iterator<Item = ListingRow>| {
            let rows = rows.map(|mut row| {
                // An amount of another currency is no price in this list.
                row.price_minor = if row.currency == currency { row.price_minor } else { 0 };
                row
            });
            write(rows, wording, reading.as_of)
        };
        let left_out = listings::by_sku(tx, &owned, write)?;
        Ok(left_out.map(|left_out| Some((reading, left_out))))
    });
    match written.await? {
        Err(error) => done(Err(error))?,
        Ok(None) => return Err(never_read(&account.name, &config)),
        Ok(Some((reading, left_out))) => tell(home, &reading, &left_out),
    }
    Ok(Exit::Success)
}

/// The account of that name. Somebody may have meant a job's.
fn named<'c>(name: &str, config: &'c Config) -> Result<&'c Account, Failure> {
    let of_job = config.jobs.get(&name.into()).and_then(|job| job.account.as_ref());
    if let (Some(account), false) = (of_job, config.accounts.contains_key(&AccountName::from(name))) {
        let message = format!("{name} is a job, and a list is made of an account's stock");
        return Err(Failure::usage(message, format!("sellerd stock export {account}")));
    }
    let known = known_account(AccountFilter { account: Some(name.to_owned()) }, config)?;
    let account = known.and_then(|name| config.accounts.get(&name));
    account.ok_or_else(|| Failure::internal(format!("{name} is gone")))
}

/// The reading that the list is of.
struct Reading {
    /// When everything in it was true: when the last reading began that saw all of it.
    as_of: DateTime<Utc>,
    /// Whether a later one may have seen less than there is.
    doubted: bool,
}

impl Reading {
    fn last(tx: &Tx<'_>, account: &AccountName) -> Result<Option<Self>, crate::store::StoreError> {
        let (sound, _) = snapshots::since_sound(tx, account)?;
        let last = snapshots::last_to_end(tx, account)?;
        let doubted = match (&sound, &last) {
            (Some(sound), Some(last)) => last.id > sound.id,
            (sound, _) => sound.is_none(),
        };
        Ok(sound.or(last).map(|reading| Self { as_of: reading.started_at, doubted }))
    }
}

/// Writes the rows, which come by SKU, and tells why some are in no list.
fn write(
    rows: impl Iterator<Item = ListingRow>,
    wording: &InAList,
    as_of: DateTime<Utc>,
) -> io::Result<Vec<String>> {
    let mut list = List::begin(BufWriter::new(io::stdout()), wording.columns, as_of)?;
    let mut left_out = Vec::new();
    let mut rows = rows.peekable();
    while let Some(first) = rows.next() {
        let mut item = of_one(&first, wording);
        while let Some(row) = rows.next_if(|row| row.sku == first.sku) {
            join(&mut item, of_one(&row, wording));
        }
        left_out.extend(list.add(&item)?.err());
    }
    list.end()?;
    Ok(left_out)
}

fn of_one(row: &ListingRow, wording: &InAList) -> Item {
    let ListWords { cells, fixed_price } = (wording.words)(&row.title, row.attributes.get());
    let price = Some(row.price()).filter(|price| fixed_price && price.minor > 0);
    Item { sku: row.sku.clone(), quantity: row.quantity.saturating_add(row.in_carts), price, cells }
}

/// Several listings with one SKU are one item. In what they differ the list says nothing, and it stays as it is.
fn join(item: &mut Item, other: Item) {
    item.quantity = item.quantity.saturating_add(other.quantity);
    item.price = item.price.filter(|price| other.price == Some(*price));
    item.cells.retain(|name, cell| other.cells.get(name) == Some(cell));
}

fn tell(home: &Home, reading: &Reading, left_out: &[String]) {
    if let Some(first) = left_out.first() {
        note(&format!("not in the list: {} of the items, first of all this one: {first}\n", left_out.len()));
    }
    if reading.doubted && !home.quiet {
        note(
            "The last reading of the stock may have missed something: look the list through before a job removes what \
             it does not name.\n",
        );
    }
}

fn never_read(name: &AccountName, config: &Config) -> Failure {
    let pull = config
        .jobs
        .values()
        .find(|job| matches!(job.work, Work::StockPull(_)) && job.account.as_ref() == Some(name));
    let fix = match pull {
        Some(job) => format!("sellerd job run {}", job.name),
        None => format!("add a job with  kind = \"stock-pull\"  and  account = \"{name}\", and run it"),
    };
    Failure::new("E475", Exit::Failed, format!("the stock of {name} was never read"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, Money};
    use crate::marketplace::ALL;

    fn item(quantity: i64, minor: Option<i64>, comment: &str) -> Item {
        let price = minor.map(|minor| Money { minor, currency: Currency::EUR });
        let cells = [("comment", comment.to_owned()), ("condition", "NM".to_owned())].into();
        Item { sku: "A".into(), quantity, price, cells }
    }

    #[test]
    fn listings_of_one_sku_are_one_item_that_says_what_they_agree_in() {
        let mut same = item(2, Some(100), "x");
        join(&mut same, item(3, Some(100), "x"));
        assert_eq!(same, item(5, Some(100), "x"));
        let mut other = item(2, Some(100), "x");
        join(&mut other, item(1, Some(120), "y"));
        assert_eq!((other.quantity, other.price), (3, None));
        assert_eq!(other.cells, [("condition", "NM".to_owned())].into());
        // Once they differ, a third that is as the first does not bring it back.
        join(&mut other, item(1, Some(100), "x"));
        assert_eq!((other.price, other.cells.len()), (None, 1));
    }

    #[test]
    fn every_column_that_a_marketplace_words_is_one_that_a_list_may_have() {
        for of in ALL {
            for column in of.in_a_list.columns {
                assert!(crate::config::Column::named(column).is_some(), "{}: {column}", of.name);
            }
            let words = (of.in_a_list.words)("Card", "{\"kind\":\"auction\",\"product_id\":7}");
            assert!(words.cells.keys().all(|name| of.in_a_list.columns.contains(name)), "{words:?}");
        }
    }
}
