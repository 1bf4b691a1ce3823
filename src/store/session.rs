//! Whether the agent came to its end the last time, and when it was last seen alive.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};

/// The last session did not end: the process was killed, or the machine went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclean {
    /// When it was last seen alive.
    pub last_seen: DateTime<Utc>,
}

/// Whether the session before was left open, and when it was last seen alive.
pub fn left_open(tx: &Tx<'_>) -> Result<Option<Unclean>, StoreError> {
    let mut statement = tx.0.prepare_cached("select last_seen_at from session where ended_at is null")?;
    Ok(statement.query_row([], |row| Ok(Unclean { last_seen: time(row, 0)? })).optional()?)
}

/// Opens a session; tells if the one before was left open.
pub fn begin(tx: &Tx<'_>, version: &str, now: DateTime<Utc>) -> Result<Option<Unclean>, StoreError> {
    let left_open = left_open(tx)?;
    tx.0.prepare_cached(
        "insert into session (id, version, opened_at, last_seen_at, ended_at) values (1, ?1, ?2, ?2, null)
         on conflict (id) do update set version = excluded.version, opened_at = excluded.opened_at,
            last_seen_at = excluded.last_seen_at, ended_at = null",
    )?
    .execute(params![version, ms(now)])?;
    Ok(left_open)
}

/// Notes that the agent is alive.
pub fn touch(tx: &Tx<'_>, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached("update session set last_seen_at = ?1")?.execute([ms(now)])?;
    Ok(())
}

/// Closes the session: everything was left in order.
pub fn end(tx: &Tx<'_>, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached("update session set last_seen_at = ?1, ended_at = ?1")?.execute([ms(now)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn only_a_session_that_did_not_end_is_unclean() {
        let conn = scratch();
        let tx = Tx(&conn);
        assert_eq!(begin(&tx, "0.1.0", now()).unwrap(), None);
        end(&tx, now()).unwrap();
        assert_eq!(begin(&tx, "0.1.0", now()).unwrap(), None);
        let later = now() + TimeDelta::minutes(5);
        touch(&tx, later).unwrap();
        assert_eq!(begin(&tx, "0.2.0", now()).unwrap(), Some(Unclean { last_seen: later }));
    }
}
