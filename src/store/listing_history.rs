//! What became of each listing: when it came and went, and every change of quantity and price.

use chrono::{DateTime, Utc};
use rusqlite::{CachedStatement, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::{AccountName, ListingId};

/// One entry of a listing's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// The reading of the stock that noticed it.
    pub snapshot: i64,
    /// `add`, `quantity`, `price` or `remove`; `quantity` also where both changed.
    pub op: String,
    /// Quantity and price before; `None` when it came.
    pub before: Option<Offer>,
    /// Quantity and price after; `None` when it went.
    pub after: Option<Offer>,
}

/// What was offered at what price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Copies that could be bought.
    pub quantity: i64,
    /// Price of one, in minor units.
    pub price_minor: i64,
}

/// The history of one listing, oldest first.
pub fn of(tx: &Tx<'_>, account: &AccountName, id: ListingId) -> Result<Vec<HistoryRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select at, snapshot_id, op, before_quantity, before_price_minor, after_quantity, after_price_minor
         from listing_history where account = ?1 and listing_id = ?2 order by entry_id",
    )?;
    let rows = statement.query_map(params![account.as_str(), id.0], |row| {
        let offer = |quantity: Option<i64>, price: Option<i64>| {
            quantity.zip(price).map(|(quantity, price_minor)| Offer { quantity, price_minor })
        };
        Ok(HistoryRow {
            at: time(row, 0)?,
            snapshot: row.get(1)?,
            op: row.get(2)?,
            before: offer(row.get(3)?, row.get(4)?),
            after: offer(row.get(5)?, row.get(6)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets up to `max_rows` of the entries from before `before`, oldest first, and returns how many.
pub fn prune(tx: &Tx<'_>, before: DateTime<Utc>, max_rows: usize) -> Result<usize, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "delete from listing_history where entry_id in (
            select entry_id from listing_history where at < ?1 order by entry_id limit ?2)",
    )?;
    Ok(statement.execute(params![ms(before), i64::try_from(max_rows).unwrap_or(i64::MAX)])?)
}

/// Writes entries of one reading, many in a row.
pub(super) struct Recorder<'t> {
    statement: CachedStatement<'t>,
    account: &'t str,
    snapshot: i64,
    at: i64,
}

impl<'t> Recorder<'t> {
    pub(super) fn new(
        tx: &'t Tx<'_>,
        account: &'t AccountName,
        snapshot: i64,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let statement = tx.0.prepare_cached(
            "insert into listing_history (account, listing_id, at, snapshot_id, op, before_quantity,
                before_price_minor, after_quantity, after_price_minor) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        Ok(Self { statement, account: account.as_str(), snapshot, at: ms(now) })
    }

    /// Writes what is worth an entry: a listing that came or went, or whose quantity or price changed.
    pub(super) fn record(
        &mut self,
        id: ListingId,
        before: Option<Offer>,
        after: Option<Offer>,
    ) -> Result<(), StoreError> {
        let op = match (before, after) {
            (None, _) => "add",
            (_, None) => "remove",
            (Some(before), Some(after)) if before.quantity != after.quantity => "quantity",
            (Some(_), Some(_)) => "price",
        };
        self.statement.execute(params![
            self.account,
            id.0,
            self.at,
            self.snapshot,
            op,
            before.map(|offer| offer.quantity),
            before.map(|offer| offer.price_minor),
            after.map(|offer| offer.quantity),
            after.map(|offer| offer.price_minor),
        ])?;
        Ok(())
    }
}
