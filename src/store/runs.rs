//! What each job did, run by run. A run is its job and its due time, and those are unique: opening one that exists is
//! refused, so nothing can fire twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Params, Row, params};
use serde::{Deserialize, Serialize};

use super::columns::{ms, time, time_opt, word, word_opt, wrong_text};
use super::{StoreError, Tx};
use crate::domain::{AccountName, ErrorType, JobName, Outcome, RunId, Trigger};

/// A run that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The job.
    pub job: JobName,
    /// The job's kind.
    pub kind: String,
    /// The account it works on, if it works on one.
    pub account: Option<AccountName>,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// Why it begins.
    pub trigger: Trigger,
    /// When it begins.
    pub started_at: DateTime<Utc>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// The outcome.
    pub outcome: Outcome,
    /// What kind of error, if it was one.
    pub error_type: Option<ErrorType>,
    /// What a person should read.
    pub message: Option<String>,
    /// Requests it has cost.
    pub requests: i64,
    /// What it counted, by name.
    pub counts: BTreeMap<String, i64>,
}

/// A run as `runs list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its name.
    pub run_id: RunId,
    /// The job.
    pub job: JobName,
    /// The job's kind.
    pub kind: String,
    /// The account it works on, if it works on one.
    pub account: Option<AccountName>,
    /// When it was due.
    #[serde(serialize_with = "super::columns::rfc3339")]
    pub due_at: DateTime<Utc>,
    /// When it began.
    #[serde(serialize_with = "super::columns::rfc3339")]
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it runs.
    #[serde(serialize_with = "super::columns::rfc3339_opt")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it began.
    pub trigger: Trigger,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// What kind of error, if it was one.
    pub error_type: Option<ErrorType>,
    /// What a person should read.
    pub message: Option<String>,
    /// Requests it has cost.
    pub requests: i64,
    /// What it counted, by name.
    pub counts: BTreeMap<String, i64>,
}

/// Opens a run. `None` when that job has one for that due time already: then it is not ours to begin.
pub fn open(tx: &Tx<'_>, run: &NewRun) -> Result<Option<RunId>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into runs (job, kind, account, due_at, started_at, trigger) values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (job, due_at) do nothing returning run_id",
    )?;
    let row = params![
        run.job.as_str(),
        run.kind,
        run.account.as_ref().map(AccountName::as_str),
        ms(run.due_at),
        ms(run.started_at),
        run.trigger.as_str(),
    ];
    Ok(statement.query_row(row, |row| row.get(0).map(RunId)).optional()?)
}

/// Writes down how a run ended. Only the first end counts.
pub fn finish(tx: &Tx<'_>, id: RunId, end: &RunEnd, now: DateTime<Utc>) -> Result<(), StoreError> {
    let counts = serde_json::to_string(&end.counts).map_err(|e| StoreError::Internal(e.to_string()))?;
    tx.0.prepare_cached(
        "update runs set finished_at = ?2, outcome = ?3, error_type = ?4, message = ?5, requests = ?6, counts = ?7
         where run_id = ?1 and finished_at is null",
    )?
    .execute(params![
        id.0,
        ms(now),
        end.outcome.as_str(),
        end.error_type.map(|kind| kind.as_str()),
        end.message,
        end.requests,
        counts,
    ])?;
    Ok(())
}

/// The runs, newest first: of one job or of all, all of them or the newest few.
pub fn list(tx: &Tx<'_>, job: Option<&JobName>, limit: Option<usize>) -> Result<Vec<RunRow>, StoreError> {
    let limit = limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    match job {
        Some(job) => select(tx, "where job = ?1 order by run_id desc limit ?2", params![job.as_str(), limit]),
        None => select(tx, "order by run_id desc limit ?1", [limit]),
    }
}

/// One run.
pub fn show(tx: &Tx<'_>, id: RunId) -> Result<Option<RunRow>, StoreError> {
    Ok(select(tx, "where run_id = ?1", [id.0])?.pop())
}

/// The newest run of a job, also one that is not over.
pub fn last(tx: &Tx<'_>, job: &JobName) -> Result<Option<RunRow>, StoreError> {
    Ok(list(tx, Some(job), Some(1))?.pop())
}

/// The newest run of a job that did all of its work.
pub fn last_success(tx: &Tx<'_>, job: &JobName) -> Result<Option<RunRow>, StoreError> {
    let tail = "where job = ?1 and outcome = 'success' order by run_id desc limit 1";
    Ok(select(tx, tail, [job.as_str()])?.pop())
}

/// The runs without an end, oldest first: after a start, those that a crash cut off.
pub fn left_open(tx: &Tx<'_>) -> Result<Vec<RunRow>, StoreError> {
    select(tx, "where finished_at is null order by run_id", [])
}

/// How many of a job's newest runs failed or took too long in a row. Runs that were kept from their work, or were cut
/// off, neither count nor end the row.
pub fn consecutive_failures(tx: &Tx<'_>, job: &JobName) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select count(*) from runs where job = ?1 and outcome in ('failure', 'timeout')
            and run_id > coalesce((select max(run_id) from runs
                where job = ?1 and outcome in ('success', 'partial')), 0)",
    )?;
    Ok(statement.query_row([job.as_str()], |row| row.get(0))?)
}

/// How many runs of a job came to a result since: they looked, and planned if there was something to plan.
pub fn looked_since(tx: &Tx<'_>, job: &JobName, since: DateTime<Utc>) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select count(*) from runs where job = ?1 and started_at >= ?2
            and outcome in ('success', 'partial', 'guarded')",
    )?;
    Ok(statement.query_row(params![job.as_str(), ms(since)], |row| row.get(0))?)
}

/// When a job first ran, if its first run is not forgotten yet.
pub fn first_at(tx: &Tx<'_>, job: &JobName) -> Result<Option<DateTime<Utc>>, StoreError> {
    let first = select(tx, "where job = ?1 order by run_id limit 1", [job.as_str()])?.pop();
    Ok(first.map(|run| run.started_at))
}

/// Forgets the runs that ended before `before`, but for each job's newest one and its last success, and returns how
/// many.
pub fn prune(tx: &Tx<'_>, before: DateTime<Utc>) -> Result<usize, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "delete from runs where finished_at < ?1
            and run_id not in (select max(run_id) from runs group by job)
            and run_id not in (select max(run_id) from runs where outcome = 'success' group by job)",
    )?;
    Ok(statement.execute([ms(before)])?)
}

fn select(tx: &Tx<'_>, tail: &str, params: impl Params) -> Result<Vec<RunRow>, StoreError> {
    let sql = format!(
        "select run_id, job, kind, account, due_at, started_at, finished_at, trigger, outcome, error_type, message,
            requests, counts from runs {tail}"
    );
    let mut statement = tx.0.prepare_cached(&sql)?;
    let rows = statement.query_map(params, run_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn run_of(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let counts = row.get_ref(12)?.as_str()?;
    Ok(RunRow {
        run_id: RunId(row.get(0)?),
        job: JobName(row.get(1)?),
        kind: row.get(2)?,
        account: row.get::<_, Option<String>>(3)?.map(AccountName),
        due_at: time(row, 4)?,
        started_at: time(row, 5)?,
        finished_at: time_opt(row, 6)?,
        trigger: word(row, 7)?,
        outcome: word_opt(row, 8)?,
        error_type: word_opt(row, 9)?,
        message: row.get(10)?,
        requests: row.get(11)?,
        counts: serde_json::from_str(counts).map_err(|e| wrong_text(12, e.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::testing::{now, scratch};

    fn run(job: &str, minute: i64) -> NewRun {
        let at = now() + TimeDelta::minutes(minute);
        NewRun {
            job: job.into(),
            kind: "stock-pull".to_owned(),
            account: Some("cm".into()),
            due_at: at,
            trigger: Trigger::Schedule,
            started_at: at,
        }
    }

    fn end(outcome: Outcome) -> RunEnd {
        RunEnd { outcome, error_type: None, message: None, requests: 3, counts: BTreeMap::new() }
    }

    fn ran(tx: &Tx<'_>, job: &str, minute: i64, outcome: Outcome) -> RunId {
        let id = open(tx, &run(job, minute)).unwrap().unwrap();
        finish(tx, id, &end(outcome), now() + TimeDelta::minutes(minute)).unwrap();
        id
    }

    #[test]
    fn a_job_has_one_run_for_a_due_time() {
        let conn = scratch();
        let tx = Tx(&conn);
        let first = open(&tx, &run("pull", 0)).unwrap().unwrap();
        assert_eq!(open(&tx, &run("pull", 0)).unwrap(), None);
        finish(&tx, first, &end(Outcome::Failure), now()).unwrap();
        assert_eq!(open(&tx, &run("pull", 0)).unwrap(), None, "also when it is over");
        assert!(open(&tx, &run("pull", 1)).unwrap().is_some());
        assert!(open(&tx, &run("poll", 0)).unwrap().is_some());
    }

    #[test]
    fn a_run_reads_as_the_contract_says() {
        let conn = scratch();
        let tx = Tx(&conn);
        let id = open(&tx, &run("pull", 0)).unwrap().unwrap();
        let shown = serde_json::to_string(&show(&tx, id).unwrap()).unwrap();
        assert_eq!(
            shown,
            r#"{"run_id":"r-1","job":"pull","kind":"stock-pull","account":"cm","due_at":"2026-11-22T14:31:07.250Z","#
                .to_owned()
                + r#""started_at":"2026-11-22T14:31:07.250Z","finished_at":null,"trigger":"schedule","#
                + r#""outcome":null,"error_type":null,"message":null,"requests":0,"counts":{}}"#
        );
        let over = RunEnd {
            error_type: Some(ErrorType::Http5xx),
            message: Some("503".to_owned()),
            counts: BTreeMap::from([("listings".to_owned(), 7)]),
            ..end(Outcome::Partial)
        };
        finish(&tx, id, &over, now()).unwrap();
        finish(&tx, id, &end(Outcome::Success), now()).unwrap();
        let shown = serde_json::to_value(show(&tx, id).unwrap()).unwrap();
        assert_eq!(shown["outcome"], "partial");
        assert_eq!(shown["error_type"], "http_5xx");
        assert_eq!(shown["finished_at"], "2026-11-22T14:31:07.250Z");
        assert_eq!(shown["counts"]["listings"], 7);
        assert_eq!(show(&tx, RunId(99)).unwrap(), None);
    }

    #[test]
    fn lists_are_newest_first_and_whole_unless_asked() {
        let conn = scratch();
        let tx = Tx(&conn);
        for minute in 0..4 {
            ran(&tx, if minute % 2 == 0 { "pull" } else { "poll" }, minute, Outcome::Success);
        }
        let ids = |rows: Vec<RunRow>| rows.iter().map(|run| run.run_id.0).collect::<Vec<_>>();
        assert_eq!(ids(list(&tx, None, None).unwrap()), [4, 3, 2, 1]);
        assert_eq!(ids(list(&tx, None, Some(2)).unwrap()), [4, 3]);
        assert_eq!(ids(list(&tx, Some(&"pull".into()), None).unwrap()), [3, 1]);
        assert_eq!(last(&tx, &"poll".into()).unwrap().unwrap().run_id, RunId(4));
        assert_eq!(left_open(&tx).unwrap(), []);
        open(&tx, &run("pull", 9)).unwrap();
        assert_eq!(ids(left_open(&tx).unwrap()), [5]);
    }

    #[test]
    fn failures_count_back_to_the_last_run_that_did_something() {
        let conn = scratch();
        let tx = Tx(&conn);
        let check = |minute, outcome, failures| {
            ran(&tx, "pull", minute, outcome);
            assert_eq!(consecutive_failures(&tx, &"pull".into()).unwrap(), failures, "{outcome} at {minute}");
        };
        check(0, Outcome::Failure, 1);
        check(1, Outcome::Timeout, 2);
        check(2, Outcome::Skipped, 2);
        check(3, Outcome::Interrupted, 2);
        check(4, Outcome::Failure, 3);
        check(5, Outcome::Partial, 0);
        check(6, Outcome::Failure, 1);
        assert_eq!(consecutive_failures(&tx, &"poll".into()).unwrap(), 0);
    }

    #[test]
    fn pruning_keeps_the_newest_run_and_the_last_success_of_each_job() {
        let conn = scratch();
        let tx = Tx(&conn);
        ran(&tx, "pull", 0, Outcome::Success);
        let success = ran(&tx, "pull", 1, Outcome::Success);
        ran(&tx, "pull", 2, Outcome::Failure);
        let newest = ran(&tx, "pull", 3, Outcome::Failure);
        let other = ran(&tx, "poll", 0, Outcome::Failure);
        assert_eq!(prune(&tx, now()).unwrap(), 0);
        assert_eq!(prune(&tx, now() + TimeDelta::days(1)).unwrap(), 2);
        let left: Vec<_> = list(&tx, None, None).unwrap().iter().map(|run| run.run_id).collect();
        assert_eq!(left, [other, newest, success]);
        assert_eq!(last_success(&tx, &"pull".into()).unwrap().unwrap().run_id, success);
    }
}
