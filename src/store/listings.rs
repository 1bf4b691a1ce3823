//! The listings of each account as last seen.
//!
//! The table keeps its rows where they were first put and finds them by a small index. With the rows in the index
//! itself, a first pull was three times slower: listing numbers come in no order, and a row is 300 bytes.

mod writing;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

pub use self::writing::{PutCounts, clear_carts_except, clear_offered_except, put, remove};
use super::columns::{time, word, wrong_text};
use super::{StoreError, Tx};
use crate::domain::{AccountName, Currency, ListingId, Money, Offer as Offered, Sku};

/// A listing as `stock list` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ListingRow {
    /// The account.
    pub account: AccountName,
    /// The marketplace's number.
    pub listing_id: ListingId,
    /// The seller's key.
    pub sku: Sku,
    /// What a person calls it.
    pub title: String,
    /// Copies that can be bought.
    pub quantity: i64,
    /// Price of one, in minor units.
    pub price_minor: i64,
    /// The currency of the price.
    pub currency: Currency,
    /// What else the marketplace says of it.
    pub attributes: Box<RawValue>,
    /// Copies in buyers' carts.
    pub in_carts: i64,
}

impl ListingRow {
    /// Price of one copy.
    pub fn price(&self) -> Money {
        Money { minor: self.price_minor, currency: self.currency }
    }

    /// What is offered under it.
    pub fn offer(&self) -> Offered {
        Offered {
            quantity: self.quantity.saturating_add(self.in_carts),
            in_carts: self.in_carts,
            price: self.price(),
            attributes: self.attributes.get().to_owned(),
        }
    }
}

/// The listings of some SKUs, each with the time at which it was first seen.
pub type BySku = HashMap<Sku, Vec<(ListingId, DateTime<Utc>)>>;

/// The account's listings of these SKUs, and when each was first seen. One walk through all of them, however many
/// SKUs there are: an index by SKU would cost every reading more than this is worth.
pub fn of_skus(tx: &Tx<'_>, account: &AccountName, skus: &HashSet<&Sku>) -> Result<BySku, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select sku, listing_id, first_seen_at from listings where account = ?1")?;
    let mut rows = statement.query([account.as_str()])?;
    let mut found = BySku::new();
    while let Some(row) = rows.next()? {
        let sku = Sku(row.get(0)?);
        if skus.contains(&sku) {
            found.entry(sku).or_default().push((ListingId(row.get(1)?), time(row, 2)?));
        }
    }
    Ok(found)
}

/// Lends the account's listings in the order of their SKUs, those of one SKU in the order in which they were first
/// seen. They are read one by one, however many there are; an error ends them and is returned.
pub fn by_sku<T>(
    tx: &Tx<'_>,
    account: &AccountName,
    f: impl FnOnce(&mut dyn Iterator<Item = ListingRow>) -> T,
) -> Result<T, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from listings where account = ?1 order by sku, first_seen_at, listing_id"
    ))?;
    let mut failed = None;
    let mut rows = statement.query_map([account.as_str()], listing_of)?;
    let mut listings = std::iter::from_fn(|| match rows.next()? {
        Ok(listing) => Some(listing),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let result = f(&mut listings);
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(result),
    }
}

/// Hands over the number of every listing of the account, ascending.
pub fn ids(
    tx: &Tx<'_>,
    account: &AccountName,
    mut f: impl FnMut(ListingId) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement =
        tx.0.prepare_cached("select listing_id from listings where account = ?1 order by listing_id")?;
    let mut rows = statement.query([account.as_str()])?;
    while let Some(row) = rows.next()? {
        f(ListingId(row.get(0)?))?;
    }
    Ok(())
}

/// How many copies of a listing lie in carts.
pub fn in_carts(tx: &Tx<'_>, account: &AccountName, id: ListingId) -> Result<i64, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select in_carts from listings where account = ?1 and listing_id = ?2")?;
    Ok(statement.query_row(params![account.as_str(), id.0], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// How many listings the account has.
pub fn count(tx: &Tx<'_>, account: &AccountName) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached("select count(*) from listings where account = ?1")?;
    Ok(statement.query_row([account.as_str()], |row| row.get(0))?)
}

/// Hands over the listings of one account or of all, one after the other, by account and number.
pub fn each(
    tx: &Tx<'_>,
    account: Option<&AccountName>,
    mut f: impl FnMut(ListingRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from listings where ?1 is null or account = ?1 order by account, listing_id"
    ))?;
    let mut rows = statement.query([account.map(AccountName::as_str)])?;
    while let Some(row) = rows.next()? {
        f(listing_of(row)?)?;
    }
    Ok(())
}

const COLUMNS: &str =
    "account, listing_id, sku, title, quantity, price_minor, currency, attributes, in_carts";

fn listing_of(row: &Row<'_>) -> rusqlite::Result<ListingRow> {
    let attributes = RawValue::from_string(row.get(7)?);
    Ok(ListingRow {
        account: AccountName(row.get(0)?),
        listing_id: ListingId(row.get(1)?),
        sku: Sku(row.get(2)?),
        title: row.get(3)?,
        quantity: row.get(4)?,
        price_minor: row.get(5)?,
        currency: word(row, 6)?,
        attributes: attributes.map_err(|e| wrong_text(7, e.to_string()))?,
        in_carts: row.get(8)?,
    })
}
