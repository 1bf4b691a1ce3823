//! The resources of an account that are refused while the rest of it works.

use rusqlite::params;

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::AccountName;
use crate::policy::access::{Closed, Evidence};

/// All of an account's.
pub(super) fn of(tx: &Tx<'_>, account: &AccountName) -> Result<Vec<Closed>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select resource, status, digest, since, times, again_at, vouched from closed_resources where account = ?1
         order by resource",
    )?;
    let rows = statement.query_map([account.as_str()], |row| {
        Ok(Closed {
            at: row.get(0)?,
            evidence: Evidence { status: row.get(1)?, digest: row.get(2)? },
            since: time(row, 3)?,
            times: row.get(4)?,
            again_at: time(row, 5)?,
            vouched: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// These and no others.
pub(super) fn set(tx: &Tx<'_>, account: &AccountName, closed: &[Closed]) -> Result<(), StoreError> {
    tx.0.prepare_cached("delete from closed_resources where account = ?1")?.execute([account.as_str()])?;
    let mut statement = tx.0.prepare_cached(
        "insert into closed_resources (account, resource, status, digest, since, times, again_at, vouched)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for closed in closed {
        statement.execute(params![
            account.as_str(),
            closed.at,
            closed.evidence.status,
            closed.evidence.digest,
            ms(closed.since),
            closed.times,
            ms(closed.again_at),
            closed.vouched,
        ])?;
    }
    Ok(())
}
