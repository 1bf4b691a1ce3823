//! When each list of orders was last read to its end.

use chrono::{DateTime, Utc};
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
    }
}
