//! When each list of orders was last read to its end, up to when all orders are known, and how long the last file of the
//! stock took.

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

/// Up to when every order of the account is known; `None` where that is not known. A time to come was noted by a clock
/// that was wrong, and is worth nothing.
pub fn orders_known(
    tx: &Tx<'_>,
    account: &AccountName,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(feed_read_at(tx, account, ORDERS_KNOWN)?.filter(|at| *at <= now))
}

/// Notes that every order which was placed until then is known.
pub fn set_orders_known(tx: &Tx<'_>, account: &AccountName, until: DateTime<Utc>) -> Result<(), StoreError> {
    set_feed_read_at(tx, account, ORDERS_KNOWN, until)
}

/// Up to when another account that sells the same copies has to know the orders of this one, if it ever asked.
pub fn orders_wanted(tx: &Tx<'_>, account: &AccountName) -> Result<Option<DateTime<Utc>>, StoreError> {
    feed_read_at(tx, account, ORDERS_WANTED)
}

/// Notes that another account waits for the orders up to then.
pub fn want_orders(tx: &Tx<'_>, account: &AccountName, until: DateTime<Utc>) -> Result<(), StoreError> {
    // Another one may wait for later ones already.
    let until = orders_wanted(tx, account)?.map_or(until, |wanted| wanted.max(until));
    set_feed_read_at(tx, account, ORDERS_WANTED, until)
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

/// The row whose time is that up to which every order is known.
const ORDERS_KNOWN: &str = "orders-known";

/// The row whose time is that up to which another account has to know them.
const ORDERS_WANTED: &str = "orders-wanted";

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
        set_orders_known(&tx, &account, now()).unwrap();
        assert_eq!(orders_known(&tx, &account, now()).unwrap(), Some(now()));
        let earlier = now() - TimeDelta::seconds(1);
        assert_eq!(orders_known(&tx, &account, earlier).unwrap(), None, "a time to come is worth nothing");
        assert_eq!(orders_wanted(&tx, &account).unwrap(), None);
        want_orders(&tx, &account, earlier).unwrap();
        assert_eq!(orders_wanted(&tx, &account).unwrap(), Some(earlier));
        assert_eq!(export_took(&tx, &account).unwrap(), None);
        set_export_took(&tx, &account, Duration::from_millis(183_250)).unwrap();
        assert_eq!(export_took(&tx, &account).unwrap(), Some(Duration::from_millis(183_250)));
    }
}
