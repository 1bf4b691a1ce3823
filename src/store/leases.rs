//! Who works an account. The epoch only ever rises, so a process that lost an account finds out at its next request.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::ms;
use super::{StoreError, Tx};
use crate::domain::AccountName;

/// Takes the account over for `owner` and returns the new epoch: one more than the last.
pub fn take_over(
    tx: &Tx<'_>,
    account: &AccountName,
    owner: &str,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into leases (account, owner, epoch, taken_at) values (?1, ?2, 1, ?3)
         on conflict (account) do update set owner = excluded.owner, epoch = leases.epoch + 1,
            taken_at = excluded.taken_at
         returning epoch",
    )?;
    Ok(statement.query_row(params![account.as_str(), owner, ms(now)], |row| row.get(0))?)
}

/// The present epoch; `None` for an account nobody ever worked.
pub fn epoch(tx: &Tx<'_>, account: &AccountName) -> Result<Option<i64>, StoreError> {
    let mut statement = tx.0.prepare_cached("select epoch from leases where account = ?1")?;
    Ok(statement.query_row([account.as_str()], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn every_take_over_raises_the_epoch_of_that_account_alone() {
        let conn = scratch();
        let tx = Tx(&conn);
        let (a, b) = (AccountName::from("a"), AccountName::from("b"));
        assert_eq!(epoch(&tx, &a).unwrap(), None);
        assert_eq!(take_over(&tx, &a, "one", now()).unwrap(), 1);
        assert_eq!(take_over(&tx, &a, "two", now()).unwrap(), 2);
        assert_eq!(take_over(&tx, &b, "one", now()).unwrap(), 1);
        assert_eq!((epoch(&tx, &a).unwrap(), epoch(&tx, &b).unwrap()), (Some(2), Some(1)));
    }
}
