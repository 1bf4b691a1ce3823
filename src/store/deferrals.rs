//! Jobs whose run was put off since the window could not pay for it. One for each job: what is owed is a run, not a
//! number of them. Kept, so that a restart forgets none.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::{AccountName, JobName};

/// A run that waits for the next window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferral {
    /// The job.
    pub job: JobName,
    /// The account whose window is used up.
    pub account: AccountName,
    /// Requests that the run takes.
    pub cost: i64,
    /// When it was put off.
    pub since: DateTime<Utc>,
    /// When the agent starts it by itself.
    pub starts_at: DateTime<Utc>,
}

const COLUMNS: &str = "job, account, cost, since, starts_at";

/// Puts a job's run off. One that is put off already keeps its `since`.
pub fn put(tx: &Tx<'_>, deferral: &Deferral) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into deferrals (job, account, cost, since, starts_at) values (?1, ?2, ?3, ?4, ?5)
         on conflict (job) do update set account = excluded.account, cost = excluded.cost,
            starts_at = excluded.starts_at",
    )?
    .execute(params![
        deferral.job.as_str(),
        deferral.account.as_str(),
        deferral.cost,
        ms(deferral.since),
        ms(deferral.starts_at),
    ])?;
    Ok(())
}

/// What is put off of this job.
pub fn of(tx: &Tx<'_>, job: &JobName) -> Result<Option<Deferral>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!("select {COLUMNS} from deferrals where job = ?1"))?;
    Ok(statement.query_row([job.as_str()], deferral_of).optional()?)
}

/// All that is put off, in the order in which it starts.
pub fn list(tx: &Tx<'_>) -> Result<Vec<Deferral>, StoreError> {
    let mut statement =
        tx.0.prepare_cached(&format!("select {COLUMNS} from deferrals order by starts_at, since, job"))?;
    let rows = statement.query_map([], deferral_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What an account's runs wait for has come: they start now.
pub fn bring_forward(tx: &Tx<'_>, account: &AccountName, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached("update deferrals set starts_at = ?2 where account = ?1 and starts_at > ?2")?
        .execute(params![account.as_str(), ms(now)])?;
    Ok(())
}

/// A run of the job begins, or the job is gone: nothing is owed any more.
pub fn clear(tx: &Tx<'_>, job: &JobName) -> Result<(), StoreError> {
    tx.0.prepare_cached("delete from deferrals where job = ?1")?.execute([job.as_str()])?;
    Ok(())
}

fn deferral_of(row: &Row<'_>) -> rusqlite::Result<Deferral> {
    Ok(Deferral {
        job: JobName(row.get(0)?),
        account: AccountName(row.get(1)?),
        cost: row.get(2)?,
        since: time(row, 3)?,
        starts_at: time(row, 4)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_job_is_put_off_once_and_since_the_first_time() {
        let conn = scratch();
        let tx = Tx(&conn);
        let later = |hours| now() + TimeDelta::hours(hours);
        let pull =
            Deferral { job: "pull".into(), account: "cm".into(), cost: 7, since: now(), starts_at: later(5) };
        let sync = Deferral { job: "sync".into(), starts_at: later(4), ..pull.clone() };
        put(&tx, &pull).unwrap();
        put(&tx, &sync).unwrap();
        let again = Deferral { since: later(1), cost: 8, ..pull.clone() };
        put(&tx, &again).unwrap();
        let kept = Deferral { cost: 8, ..pull.clone() };
        assert_eq!(list(&tx).unwrap(), [sync, kept.clone()]);
        assert_eq!(of(&tx, &pull.job).unwrap(), Some(kept));
        clear(&tx, &pull.job).unwrap();
        assert_eq!((of(&tx, &pull.job).unwrap(), list(&tx).unwrap().len()), (None, 1));
    }
}
