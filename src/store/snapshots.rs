//! Each reading of an account's whole stock: begun, and finished as complete or not.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{ms, time, time_opt};
use super::{StoreError, Tx};
use crate::domain::{AccountName, RunId};

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotEnd {
    /// Whether every listing that was there was seen.
    pub complete: bool,
    /// Listings seen.
    pub rows: i64,
    /// Rows that could not be read.
    pub complaints: i64,
    /// Which listings they were.
    pub digest: i64,
    /// Whether what it does not show may be taken for gone.
    pub sound: bool,
}

/// A reading of an account's whole stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its number.
    pub id: i64,
    /// The account.
    pub account: AccountName,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, complete or not.
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether every listing that was there was seen.
    pub complete: bool,
    /// Listings seen.
    pub rows: i64,
    /// Rows that could not be read.
    pub complaints: i64,
    /// Which listings they were.
    pub digest: i64,
    /// Whether what it does not show may be taken for gone.
    pub sound: bool,
    /// When a person confirmed that the shop really is as this shows it.
    pub believed_at: Option<DateTime<Utc>>,
}

/// Begins a reading.
pub fn begin(tx: &Tx<'_>, account: &AccountName, run: RunId, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into snapshots (account, run_id, started_at) values (?1, ?2, ?3) returning snapshot_id",
    )?;
    Ok(statement.query_row(params![account.as_str(), run.0, ms(now)], |row| row.get(0))?)
}

/// Ends a reading that came to its end.
pub fn finish(tx: &Tx<'_>, id: i64, end: &SnapshotEnd, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update snapshots set finished_at = ?2, complete = ?3, rows = ?4, complaints = ?5, digest = ?6, sound = ?7
         where snapshot_id = ?1",
    )?
    .execute(params![
        id,
        ms(now),
        end.complete,
        end.rows,
        end.complaints,
        end.digest,
        end.sound
    ])?;
    Ok(())
}

/// Ends a reading that was cut off: it is not complete, and nothing may be concluded from what it did not see.
pub fn abandon(tx: &Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update snapshots set finished_at = ?2, complete = 0 where snapshot_id = ?1 and finished_at is null",
    )?
    .execute(params![id, ms(now)])?;
    Ok(())
}

/// Ends what a run has left open of its readings: it failed, took too long, or was stopped on the way.
pub fn abandon_of(tx: &Tx<'_>, run: RunId, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update snapshots set finished_at = ?2, complete = 0 where run_id = ?1 and finished_at is null",
    )?
    .execute(params![run.0, ms(now)])?;
    Ok(())
}

/// One reading.
pub fn get(tx: &Tx<'_>, id: i64) -> Result<Option<Snapshot>, StoreError> {
    let mut statement =
        tx.0.prepare_cached(&format!("select {COLUMNS} from snapshots where snapshot_id = ?1"))?;
    Ok(statement.query_row([id], snapshot_of).optional()?)
}

/// The account's newest reading that came to its end, complete or not. One that was cut off has seen nothing to
/// speak of, so it must not pass for one that saw an empty stock.
pub fn last_to_end(tx: &Tx<'_>, account: &AccountName) -> Result<Option<Snapshot>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from snapshots where account = ?1 and exists
            (select 1 from runs where runs.run_id = snapshots.run_id and outcome in ('success', 'partial'))
         order by snapshot_id desc limit 1"
    ))?;
    Ok(statement.query_row([account.as_str()], snapshot_of).optional()?)
}

/// The account's newest sound reading, and the complete ones since, oldest first. A reading that is still going on is
/// not among them.
pub fn since_sound(
    tx: &Tx<'_>,
    account: &AccountName,
) -> Result<(Option<Snapshot>, Vec<Snapshot>), StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from snapshots where account = ?1 and sound = 1 order by snapshot_id desc limit 1"
    ))?;
    let sound = statement.query_row([account.as_str()], snapshot_of).optional()?;
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from snapshots where account = ?1 and complete = 1 and snapshot_id > ?2 order by snapshot_id"
    ))?;
    let after = sound.as_ref().map_or(0, |snapshot| snapshot.id);
    let since = statement.query_map(params![account.as_str(), after], snapshot_of)?;
    Ok((sound, since.collect::<Result<_, _>>()?))
}

/// The account's readings that came to their end, newest first.
pub fn recent(tx: &Tx<'_>, account: &AccountName, limit: usize) -> Result<Vec<Snapshot>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from snapshots where account = ?1 and finished_at is not null
         order by snapshot_id desc limit ?2"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![account.as_str(), limit], snapshot_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A person confirms the newest reading of an account: the shop really is as it shows it. Returns it, if there is one.
pub fn believe(
    tx: &Tx<'_>,
    account: &AccountName,
    now: DateTime<Utc>,
) -> Result<Option<Snapshot>, StoreError> {
    let Some(newest) = recent(tx, account, 1)?.into_iter().next() else { return Ok(None) };
    tx.0.prepare_cached("update snapshots set believed_at = ?2 where snapshot_id = ?1")?
        .execute(params![newest.id, ms(now)])?;
    Ok(Some(Snapshot { believed_at: Some(now), ..newest }))
}

/// The readings without an end: after a start, those that a crash cut off.
pub fn left_open(tx: &Tx<'_>) -> Result<Vec<Snapshot>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from snapshots where finished_at is null order by snapshot_id"
    ))?;
    let rows = statement.query_map([], snapshot_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets the readings that ended before `before`, but for each account's newest, and returns how many.
pub fn prune(tx: &Tx<'_>, before: DateTime<Utc>) -> Result<usize, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "delete from snapshots where finished_at < ?1
            and snapshot_id not in (select max(snapshot_id) from snapshots group by account)
            and snapshot_id not in (select max(snapshot_id) from snapshots where sound = 1 group by account)",
    )?;
    Ok(statement.execute([ms(before)])?)
}

const COLUMNS: &str =
    "snapshot_id, account, started_at, finished_at, complete, rows, complaints, digest, sound, believed_at";

fn snapshot_of(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        id: row.get(0)?,
        account: AccountName(row.get(1)?),
        started_at: time(row, 2)?,
        finished_at: time_opt(row, 3)?,
        complete: row.get::<_, i64>(4)? != 0,
        rows: row.get(5)?,
        complaints: row.get(6)?,
        digest: row.get(7)?,
        sound: row.get(8)?,
        believed_at: time_opt(row, 9)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::{Outcome, Trigger};
    use crate::store::runs;
    use crate::store::testing::{now, scratch};

    const END: SnapshotEnd = SnapshotEnd { complete: true, rows: 5, complaints: 1, digest: 0, sound: true };

    /// A run that ended like this.
    fn run(tx: &Tx<'_>, minute: i64, outcome: Outcome) -> RunId {
        let new = runs::NewRun {
            job: "pull".into(),
            kind: "stock-pull".to_owned(),
            account: None,
            due_at: now() + TimeDelta::minutes(minute),
            trigger: Trigger::Schedule,
            started_at: now(),
        };
        let end = runs::RunEnd {
            outcome,
            error_type: None,
            message: None,
            requests: 0,
            counts: Default::default(),
        };
        let id = runs::open(tx, &new).unwrap().unwrap();
        runs::finish(tx, id, &end, now()).unwrap();
        id
    }

    #[test]
    fn a_reading_that_was_cut_off_is_open_until_abandoned_and_never_complete() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        let whole = begin(&tx, &account, RunId(1), now()).unwrap();
        finish(&tx, whole, &END, now()).unwrap();
        let cut_off = begin(&tx, &account, RunId(2), now()).unwrap();
        assert_eq!(left_open(&tx).unwrap().iter().map(|s| s.id).collect::<Vec<_>>(), [cut_off]);
        abandon(&tx, cut_off, now()).unwrap();
        abandon(&tx, whole, now() + TimeDelta::hours(1)).unwrap();
        assert_eq!(left_open(&tx).unwrap(), []);
        assert_eq!(
            prune(&tx, now() + TimeDelta::days(1)).unwrap(),
            0,
            "the last sound one and the newest stay"
        );
        let sound = begin(&tx, &account, RunId(3), now()).unwrap();
        finish(&tx, sound, &END, now()).unwrap();
        assert_eq!(prune(&tx, now() + TimeDelta::days(1)).unwrap(), 2);
        assert_eq!(since_sound(&tx, &account).unwrap().0.unwrap().id, sound);
    }

    #[test]
    fn a_run_that_failed_leaves_no_reading_open_and_none_that_passes_for_an_empty_stock() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        assert_eq!(last_to_end(&tx, &account).unwrap(), None);
        let whole = begin(&tx, &account, run(&tx, 1, Outcome::Partial), now()).unwrap();
        finish(&tx, whole, &END, now()).unwrap();
        let failed = run(&tx, 2, Outcome::Failure);
        begin(&tx, &account, failed, now()).unwrap();
        assert_eq!(last_to_end(&tx, &account).unwrap().unwrap().id, whole);
        abandon_of(&tx, failed, now()).unwrap();
        assert_eq!(left_open(&tx).unwrap(), []);
        let newest = last_to_end(&tx, &account).unwrap().unwrap();
        assert_eq!((newest.id, newest.rows, newest.complete), (whole, 5, true));
    }
}
