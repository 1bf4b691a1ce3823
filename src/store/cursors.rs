//! When each list of orders was last read to its end, and how long the last file of the stock took.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::AccountName;

/// When the list was last read to its end; `None` before the first time.
pub fn feed_read_at(
    tx: &Tx<'_>,
    account: &AccountName,
    feed: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select read_at from poll_cursors where account = ?1 and feed = ?2")?;
    Ok(statement.query_row([account.as_str(), feed], |row| time(row, 0)).optional()?)
}

/// Notes that the list was read to its end.
pub fn set_feed_read_at(
    tx: &Tx<'_>,
    account: &AccountName,
    feed: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into poll_cursors (account, feed, read_at) values (?1, ?2, ?3)
         on conflict (account, feed) do update set read_at = excluded.read_at",
    )?
    .execute(params![account.as_str(), feed, ms(at)])?;
    Ok(())
}

/// How long the account's marketplace was at its last file of the stock; `None` before the first.
pub fn export_took(tx: &Tx<'_>, account: &AccountName) -> Result<Option<Duration>, StoreError> {
    let since_epoch = feed_read_at(tx, account, EXPORT_TOOK)?.map(|at| at - DateTime::UNIX_EPOCH);
    Ok(since_epoch.and_then(|took| took.to_std().ok()))
}

/// Notes how long it was at one.
pub fn set_export_took(tx: &Tx<'_>, account: &AccountName, took: Duration) -> Result<(), StoreError> {
    let took = TimeDelta::from_std(took).unwrap_or_default();
    set_feed_read_at(tx, account, EXPORT_TOOK, DateTime::UNIX_EPOCH + took)
}

/// The row whose time is a span from the beginning of time.
const EXPORT_TOOK: &str = "stock-export-took";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn each_list_has_its_own_cursor() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        set_feed_read_at(&tx, &account, "paid", DateTime::UNIX_EPOCH).unwrap();
        set_feed_read_at(&tx, &account, "paid", now()).unwrap();
        assert_eq!(feed_read_at(&tx, &account, "paid").unwrap(), Some(now()));
        assert_eq!(feed_read_at(&tx, &account, "sent").unwrap(), None);
        assert_eq!(export_took(&tx, &account).unwrap(), None);
        set_export_took(&tx, &account, Duration::from_millis(183_250)).unwrap();
        assert_eq!(export_took(&tx, &account).unwrap(), Some(Duration::from_millis(183_250)));
    }
}
