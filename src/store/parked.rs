//! Accounts whose writes wait for a person: a write came out as nobody expected.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::AccountName;

/// Why an account's writes are parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// Since when.
    #[serde(serialize_with = "super::columns::rfc3339")]
    pub since: DateTime<Utc>,
    /// The sum that does not add up, for people.
    pub arithmetic: String,
}

/// Parks an account's writes. Parked twice, the first reason stays.
pub fn park(
    tx: &Tx<'_>,
    account: &AccountName,
    arithmetic: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.0.prepare_cached("insert into parked values (?1, ?2, ?3) on conflict (account) do nothing")?
        .execute(params![account.as_str(), ms(now), arithmetic])?;
    Ok(())
}

/// Whether an account's writes are parked.
pub fn get(tx: &Tx<'_>, account: &AccountName) -> Result<Option<Parked>, StoreError> {
    let mut statement = tx.0.prepare_cached("select since, arithmetic from parked where account = ?1")?;
    let parked = statement
        .query_row([account.as_str()], |row| Ok(Parked { since: time(row, 0)?, arithmetic: row.get(1)? }));
    Ok(parked.optional()?)
}

/// Every account whose writes are parked.
pub fn list(tx: &Tx<'_>) -> Result<BTreeMap<AccountName, Parked>, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select account, since, arithmetic from parked order by account")?;
    let rows = statement.query_map([], |row| {
        Ok((AccountName(row.get(0)?), Parked { since: time(row, 1)?, arithmetic: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A person has looked: writes may go on from what is there now. What was parked ends as it was found.
pub fn release(tx: &Tx<'_>, account: &AccountName, now: DateTime<Utc>) -> Result<bool, StoreError> {
    tx.0.prepare_cached(
        "update intents set state = 'dropped', settled_at = ?2 where account = ?1 and state = 'parked'",
    )?
    .execute(params![account.as_str(), ms(now)])?;
    let released =
        tx.0.prepare_cached("delete from parked where account = ?1")?.execute([account.as_str()])?;
    Ok(released > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn the_first_sum_that_did_not_add_up_stays_until_a_person_has_looked() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        park(&tx, &account, "5 - 1 is not 7", now()).unwrap();
        park(&tx, &account, "another", now()).unwrap();
        assert_eq!(get(&tx, &account).unwrap().unwrap().arithmetic, "5 - 1 is not 7");
        assert_eq!(list(&tx).unwrap().keys().collect::<Vec<_>>(), [&account]);
        assert!(release(&tx, &account, now()).unwrap());
        assert!(!release(&tx, &account, now()).unwrap());
        assert_eq!(get(&tx, &account).unwrap(), None);
    }
}
