//! Who asked a marketplace what, and what became of it. Written before the request leaves: no query, no body.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::columns::{ms, time, time_opt};
use super::{StoreError, Tx};
use crate::domain::{AccountName, ErrorType, RequestClass, RunId};

/// A request that is about to leave.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The account it is signed for.
    pub account: AccountName,
    /// The epoch under which the account is worked.
    pub epoch: i64,
    /// The run it belongs to; none for what a person asks for by hand.
    pub run: Option<RunId>,
    /// The HTTP method.
    pub method: String,
    /// The path with its variable parts named.
    pub template: String,
    /// What it is for.
    pub class: RequestClass,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Whether it may change something at the marketplace.
    pub writes: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The status of the answer; `None` when there was none, and then nobody knows what it did.
    pub status: Option<u16>,
    /// What went wrong, if anything did.
    pub error_type: Option<ErrorType>,
    /// From sending to the last byte, or to giving up.
    pub duration_ms: i64,
    /// Bytes of the answer's body.
    pub bytes: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// A request that left and was never settled: the process died in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Its row.
    pub id: i64,
    /// The account.
    pub account: AccountName,
    /// The HTTP method.
    pub method: String,
    /// The path with its variable parts named.
    pub template: String,
    /// Whether it may have changed something.
    pub writes: bool,
    /// When it left.
    pub at: DateTime<Utc>,
}

/// Records a request as sent and returns its row.
pub fn open(tx: &Tx<'_>, request: &NewRequest) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into requests (account, epoch, run_id, method, template, class, attempt, writes, state, sent_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'sent', ?9) returning request_id",
    )?;
    let row = params![
        request.account.as_str(),
        request.epoch,
        request.run.map(|run| run.0),
        request.method,
        request.template,
        request.class.as_str(),
        request.attempt,
        request.writes,
        ms(request.at),
    ];
    Ok(statement.query_row(row, |row| row.get(0))?)
}

/// Records what became of it: answered, or lost where there was no answer. Only the first word counts.
pub fn settle(tx: &Tx<'_>, id: i64, settled: &Settled) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update requests set state = ?2, settled_at = ?3, status = ?4, error_type = ?5, duration_ms = ?6, bytes = ?7
         where request_id = ?1 and state = 'sent'",
    )?
    .execute(params![
        id,
        if settled.status.is_some() { "answered" } else { "lost" },
        ms(settled.at),
        settled.status,
        settled.error_type.map(|kind| kind.as_str()),
        settled.duration_ms,
        settled.bytes,
    ])?;
    Ok(())
}

/// The requests that were never settled, in the order in which they left.
pub fn unanswered(tx: &Tx<'_>) -> Result<Vec<Unanswered>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select request_id, account, method, template, writes, sent_at from requests where state = 'sent'
         order by request_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Unanswered {
            id: row.get(0)?,
            account: AccountName(row.get(1)?),
            method: row.get(2)?,
            template: row.get(3)?,
            writes: row.get::<_, bool>(4)?,
            at: time(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives up waiting for an answer.
pub fn mark_lost(tx: &Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update requests set state = 'lost', settled_at = ?2 where request_id = ?1 and state = 'sent'",
    )?
    .execute(params![id, ms(now)])?;
    Ok(())
}

/// Gives up waiting for the answers to a run's reads: the run is over, so nobody waits for them any more. Nobody was killed
/// over them, so they count as those that got none in time. A write stays in doubt.
pub fn mark_reads_lost(
    tx: &Tx<'_>,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<BTreeSet<AccountName>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "update requests set state = 'lost', settled_at = ?2, error_type = ?3
         where run_id = ?1 and state = 'sent' and writes = 0 returning account",
    )?;
    let lost = statement.query_map(params![run.0, ms(now), ErrorType::Timeout.as_str()], |row| {
        Ok(AccountName(row.get(0)?))
    })?;
    Ok(lost.collect::<Result<_, _>>()?)
}

/// Gives up waiting for the answers to an account's reads: it has one request in flight, so whoever lets out the next
/// one knows that nobody waits for those before. A write stays in doubt.
pub fn mark_earlier_reads_lost(
    tx: &Tx<'_>,
    account: &AccountName,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update requests set state = 'lost', settled_at = ?2
         where state = 'sent' and account = ?1 and writes = 0",
    )?
    .execute(params![account.as_str(), ms(now)])?;
    Ok(())
}

/// When a write of this account was last heard of: answered, given up or sent. It is looked for among the last requests;
/// what lies further back is long ago.
pub fn last_write(tx: &Tx<'_>, account: &AccountName) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select max(coalesce(settled_at, sent_at)) from requests
         where request_id > (select max(request_id) from requests) - 1000 and account = ?1 and writes = 1",
    )?;
    Ok(statement.query_row([account.as_str()], |row| time_opt(row, 0))?)
}

/// How many of the account's last requests, or of those right before one, left one after the other and were never
/// settled with a word: the process died, or could not write it down. No more than `most` are looked at, and those that
/// are known to have got no answer are passed over: they say nothing of what the others were answered.
pub fn never_answered(
    tx: &Tx<'_>,
    account: &AccountName,
    before: Option<i64>,
    most: u32,
) -> Result<u32, StoreError> {
    // As of the last write: what lies further back is long ago.
    let mut statement = tx.0.prepare_cached(
        "with til as (select coalesce(?2, (select max(request_id) from requests) + 1) as id)
         select state <> 'answered' from requests, til
         where request_id between til.id - 1000 and til.id - 1 and account = ?1
            and (state = 'answered' or error_type is null)
         order by request_id desc limit ?3",
    )?;
    let mut rows = statement.query(params![account.as_str(), before, most])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        if !row.get::<_, bool>(0)? {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// Leaves the account's requests that nobody read an answer to out of [`never_answered`], as if none had come in time.
pub fn pass_over_unread(tx: &Tx<'_>, account: &AccountName) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update requests set error_type = ?2
         where request_id > (select max(request_id) from requests) - 1000 and account = ?1 and state = 'lost'
            and error_type is null",
    )?
    .execute(params![account.as_str(), ErrorType::Timeout.as_str()])?;
    Ok(())
}

/// How many requests a run has cost so far.
pub fn count_for_run(tx: &Tx<'_>, run: RunId) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached("select count(*) from requests where run_id = ?1")?;
    Ok(statement.query_row([run.0], |row| row.get(0))?)
}

/// Forgets up to `max_rows` requests that left before `before` and are settled, and returns how many.
pub fn prune(tx: &Tx<'_>, before: DateTime<Utc>, max_rows: usize) -> Result<usize, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "delete from requests where request_id in (
            select request_id from requests where sent_at < ?1 and state <> 'sent' order by request_id limit ?2)",
    )?;
    Ok(statement.execute(params![ms(before), i64::try_from(max_rows).unwrap_or(i64::MAX)])?)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::testing::{now, scratch};

    fn request(run: Option<RunId>) -> NewRequest {
        NewRequest {
            account: "cm".into(),
            epoch: 1,
            run,
            method: "GET".to_owned(),
            template: "stock/{start}".to_owned(),
            class: RequestClass::Stock,
            attempt: 1,
            writes: false,
            at: now(),
        }
    }

    fn settled(status: Option<u16>) -> Settled {
        Settled { status, error_type: None, duration_ms: 5, bytes: 9, at: now() }
    }

    fn state(tx: &Tx<'_>, id: i64) -> (String, Option<u16>) {
        let sql = "select state, status from requests where request_id = ?1";
        tx.0.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    #[test]
    fn a_request_is_unanswered_until_it_is_settled_and_the_first_word_counts() {
        let conn = scratch();
        let tx = Tx(&conn);
        let ids = [(); 3].map(|()| open(&tx, &request(None)).unwrap());
        settle(&tx, ids[0], &settled(Some(200))).unwrap();
        settle(&tx, ids[1], &settled(None)).unwrap();
        assert_eq!(unanswered(&tx).unwrap().iter().map(|r| r.id).collect::<Vec<_>>(), [ids[2]]);
        mark_lost(&tx, ids[2], now()).unwrap();
        settle(&tx, ids[2], &settled(Some(200))).unwrap();
        mark_lost(&tx, ids[0], now()).unwrap();
        assert_eq!(state(&tx, ids[0]), ("answered".to_owned(), Some(200)));
        assert_eq!(state(&tx, ids[1]), ("lost".to_owned(), None));
        assert_eq!(state(&tx, ids[2]), ("lost".to_owned(), None));
        assert_eq!(unanswered(&tx).unwrap(), []);
    }

    #[test]
    fn what_left_right_before_and_was_never_settled_is_counted_up_to_the_last_word() {
        let conn = scratch();
        let tx = Tx(&conn);
        let other = || open(&tx, &NewRequest { account: "other".into(), ..request(None) }).unwrap();
        let count = |before| never_answered(&tx, &"cm".into(), Some(before), 2).unwrap();
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(open(&tx, &request(None)).unwrap());
            other();
        }
        settle(&tx, ids[0], &settled(Some(200))).unwrap();
        mark_lost(&tx, ids[1], now()).unwrap();
        let outage = Settled { error_type: Some(ErrorType::Connect), ..settled(None) };
        settle(&tx, ids[3], &outage).unwrap();
        open(&tx, &NewRequest { account: "cut".into(), ..request(Some(RunId(9))) }).unwrap();
        mark_reads_lost(&tx, RunId(9), now()).unwrap();
        assert_eq!(never_answered(&tx, &"cut".into(), None, 2).unwrap(), 0, "its run was over");
        let counts: Vec<u32> = ids.iter().map(|id| count(*id)).collect();
        assert_eq!(counts, [0, 0, 1, 2, 2, 2]);
        assert_eq!(count(other()), 2, "those that are sent and those given up, and no more than asked for");
        assert_eq!(never_answered(&tx, &"other".into(), None, 9).unwrap(), 7);
        assert_eq!(never_answered(&tx, &"nobody".into(), None, 9).unwrap(), 0);
        ids.iter().for_each(|id| mark_lost(&tx, *id, now()).unwrap());
        pass_over_unread(&tx, &"cm".into()).unwrap();
        assert_eq!(never_answered(&tx, &"cm".into(), None, 9).unwrap(), 0, "they left with another login");
        assert_eq!(never_answered(&tx, &"other".into(), None, 9).unwrap(), 7);
    }

    #[test]
    fn a_run_that_is_over_waits_for_no_answer_to_a_read_and_leaves_a_write_in_doubt() {
        let conn = scratch();
        let tx = Tx(&conn);
        let read = open(&tx, &request(Some(RunId(1)))).unwrap();
        let write =
            open(&tx, &NewRequest { method: "PUT".to_owned(), writes: true, ..request(Some(RunId(1))) })
                .unwrap();
        let other = open(&tx, &request(Some(RunId(2)))).unwrap();
        mark_reads_lost(&tx, RunId(1), now()).unwrap();
        assert_eq!(state(&tx, read), ("lost".to_owned(), None));
        assert_eq!(unanswered(&tx).unwrap().iter().map(|r| r.id).collect::<Vec<_>>(), [write, other]);
    }

    #[test]
    fn pruning_stops_at_its_limit_and_spares_what_is_unanswered() {
        let conn = scratch();
        let tx = Tx(&conn);
        let run = RunId(4);
        for _ in 0..5 {
            let id = open(&tx, &request(Some(run))).unwrap();
            settle(&tx, id, &settled(Some(200))).unwrap();
        }
        open(&tx, &request(Some(run))).unwrap();
        assert_eq!(count_for_run(&tx, run).unwrap(), 6);
        assert_eq!(prune(&tx, now(), 100).unwrap(), 0);
        let later = now() + TimeDelta::days(1);
        assert_eq!(prune(&tx, later, 3).unwrap(), 3);
        assert_eq!(prune(&tx, later, 3).unwrap(), 2);
        assert_eq!(prune(&tx, later, 3).unwrap(), 0);
        assert_eq!(unanswered(&tx).unwrap().len(), 1);
    }
}
