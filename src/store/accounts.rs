//! What is known of an account's standing with its marketplace: access, clock, and which login it was learnt with.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::columns::{ms, time, time_opt, word, word_opt};
use super::{StoreError, Tx, closed_resources};
use crate::domain::{AccountName, Clocks, Mark};
use crate::policy::access::{Access, Evidence};
use crate::policy::reckoning::{LastSaid, Theirs};

/// Where the account stands; unknown as of `now` while nothing was asked yet.
pub fn access(tx: &Tx<'_>, account: &AccountName, now: DateTime<Utc>) -> Result<Access, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select state, since, reason, next_probe_at, reapply_on, cause, evidence_status, evidence_digest, probes,
            unread from accounts_access where account = ?1 and since is not null",
    )?;
    let known = statement.query_row([account.as_str()], access_of).optional()?;
    let mut access = known.unwrap_or_else(|| Access::unknown(now));
    access.closed = closed_resources::of(tx, account)?;
    Ok(access)
}

/// Whether anything is known that is the account's own: a listing, an order, or a reading of its stock.
pub fn has_data(tx: &Tx<'_>, account: &AccountName) -> Result<bool, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select exists (select 1 from listings where account = ?1) or exists (select 1 from orders where account = ?1)
            or exists (select 1 from snapshots where account = ?1)",
    )?;
    Ok(statement.query_row([account.as_str()], |row| row.get(0))?)
}

/// Keeps where the account stands.
pub fn set_access(tx: &Tx<'_>, account: &AccountName, access: &Access) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into accounts_access (account, state, since, reason, next_probe_at, reapply_on, cause,
            evidence_status, evidence_digest, probes, unread)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         on conflict (account) do update set state = excluded.state, since = excluded.since,
            reason = excluded.reason, next_probe_at = excluded.next_probe_at, reapply_on = excluded.reapply_on,
            cause = excluded.cause, evidence_status = excluded.evidence_status,
            evidence_digest = excluded.evidence_digest, probes = excluded.probes, unread = excluded.unread",
    )?
    .execute(params![
        account.as_str(),
        access.state.as_str(),
        ms(access.since),
        access.reason,
        access.next_probe_at.map(ms),
        access.reapply_on.map(|day| day.to_string()),
        access.cause.map(|cause| cause.as_str()),
        access.evidence.as_ref().map(|evidence| evidence.status),
        access.evidence.as_ref().map(|evidence| &evidence.digest),
        access.probes,
        access.unread,
    ])?;
    closed_resources::set(tx, account, &access.closed)
}

/// How far the marketplace's clock is ahead of ours, in milliseconds, as last seen; 0 before that.
pub fn clock_offset_ms(tx: &Tx<'_>, account: &AccountName) -> Result<i64, StoreError> {
    Ok(one(tx, "clock_offset_ms", account, |row| row.get(0))?.unwrap_or(0))
}

/// Keeps how far the marketplace's clock is ahead.
pub fn set_clock_offset_ms(tx: &Tx<'_>, account: &AccountName, offset: i64) -> Result<(), StoreError> {
    set_one(tx, "clock_offset_ms", account, offset)
}

/// The marketplace's time at `clocks`, from the account's last answer on.
pub fn theirs(tx: &Tx<'_>, account: &AccountName, clocks: &Clocks) -> Result<Theirs, StoreError> {
    Ok(reckoned(tx, account, clocks)?.1)
}

/// The same for who may write: what has passed at least is kept where nothing more is known.
pub fn carry_on_theirs(tx: &Tx<'_>, account: &AccountName, clocks: &Clocks) -> Result<Theirs, StoreError> {
    let (said, theirs) = reckoned(tx, account, clocks)?;
    let mark = clocks.mark.as_ref();
    if let Some(LastSaid { theirs: least, .. }) = said.and_then(|said| said.carried_on(&theirs, mark)) {
        set_said(tx, account, least, mark, false)?;
    }
    Ok(theirs)
}

fn reckoned(
    tx: &Tx<'_>,
    account: &AccountName,
    clocks: &Clocks,
) -> Result<(Option<LastSaid>, Theirs), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select clock_offset_ms, said_theirs, said_life, said_up_ms, said_exact, said_doubted from accounts_access
         where account = ?1",
    )?;
    let known = statement.query_row([account.as_str()], |row| {
        let up = row.get::<_, Option<i64>>(3)?.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        let mark = row.get::<_, Option<String>>(2)?.zip(up);
        let exact = row.get(4)?;
        let said = time_opt(row, 1)?.map(|theirs| LastSaid { theirs, mark, exact });
        Ok((row.get(0)?, said, row.get(5)?))
    });
    let (offset, said, doubted) = known.optional()?.unwrap_or((0, None, 0));
    let theirs = Theirs::reckon(said.as_ref(), TimeDelta::milliseconds(offset), clocks);
    let theirs = Theirs { doubted, ..theirs };
    Ok((said, theirs))
}

/// Keeps that the marketplace's clock showed `theirs` when ours showed `mark`.
pub fn set_last_said(
    tx: &Tx<'_>,
    account: &AccountName,
    theirs: DateTime<Utc>,
    mark: Option<&Mark>,
) -> Result<(), StoreError> {
    set_said(tx, account, theirs, mark, true)
}

fn set_said(
    tx: &Tx<'_>,
    account: &AccountName,
    theirs: DateTime<Utc>,
    mark: Option<&Mark>,
    exact: bool,
) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into accounts_access (account, said_theirs, said_life, said_up_ms, said_exact)
         values (?1, ?2, ?3, ?4, ?5)
         on conflict (account) do update set said_theirs = excluded.said_theirs, said_life = excluded.said_life,
            said_up_ms = excluded.said_up_ms, said_exact = excluded.said_exact",
    )?
    .execute(params![
        account.as_str(),
        ms(theirs),
        mark.map(|mark| &*mark.life),
        mark.map(|mark| mark.up.as_millis() as i64),
        exact,
    ])?;
    Ok(())
}

/// How many requests left while it was not known what time it is at the marketplace, and may have arrived in any window.
pub fn doubted(tx: &Tx<'_>, account: &AccountName) -> Result<i64, StoreError> {
    Ok(one(tx, "said_doubted", account, |row| row.get(0))?.unwrap_or(0))
}

/// Keeps how many have.
pub fn set_doubted(tx: &Tx<'_>, account: &AccountName, doubted: i64) -> Result<(), StoreError> {
    set_one(tx, "said_doubted", account, doubted)
}

/// The mark of the credentials that the access was learnt with. It tells that they changed, not what they are.
pub fn credentials_mark(tx: &Tx<'_>, account: &AccountName) -> Result<Option<String>, StoreError> {
    Ok(one(tx, "credentials_mark", account, |row| row.get(0))?.flatten())
}

/// Keeps the mark of the credentials.
pub fn set_credentials_mark(tx: &Tx<'_>, account: &AccountName, mark: &str) -> Result<(), StoreError> {
    set_one(tx, "credentials_mark", account, mark)
}

/// When the marketplace last answered a request of this account, whatever it said.
pub fn last_answer_at(tx: &Tx<'_>, account: &AccountName) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(one(tx, "last_answer_at", account, |row| time_opt(row, 0))?.flatten())
}

/// Keeps when the marketplace last answered.
pub fn set_last_answer_at(tx: &Tx<'_>, account: &AccountName, at: DateTime<Utc>) -> Result<(), StoreError> {
    set_one(tx, "last_answer_at", account, ms(at))
}

fn access_of(row: &Row<'_>) -> rusqlite::Result<Access> {
    Ok(Access {
        state: word(row, 0)?,
        since: time(row, 1)?,
        reason: row.get(2)?,
        next_probe_at: time_opt(row, 3)?,
        reapply_on: word_opt::<Day>(row, 4)?.map(|day| day.0),
        cause: word_opt(row, 5)?,
        evidence: row
            .get::<_, Option<u16>>(6)?
            .zip(row.get(7)?)
            .map(|(status, digest)| Evidence { status, digest }),
        probes: row.get(8)?,
        unread: row.get(9)?,
        closed: Vec::new(),
    })
}

/// A calendar day as its column keeps it.
struct Day(NaiveDate);

impl std::str::FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Day).map_err(|_| format!("`{text}` is no day"))
    }
}

fn one<T>(
    tx: &Tx<'_>,
    column: &'static str,
    account: &AccountName,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let sql = format!("select {column} from accounts_access where account = ?1");
    Ok(tx.0.prepare_cached(&sql)?.query_row([account.as_str()], read).optional()?)
}

fn set_one(
    tx: &Tx<'_>,
    column: &'static str,
    account: &AccountName,
    value: impl ToSql,
) -> Result<(), StoreError> {
    let sql = format!(
        "insert into accounts_access (account, {column}) values (?1, ?2)
         on conflict (account) do update set {column} = excluded.{column}"
    );
    tx.0.prepare_cached(&sql)?.execute(params![account.as_str(), value])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::access::{AccessState, Cause, Closed};
    use crate::store::testing::{now, scratch};

    #[test]
    fn an_account_has_data_once_anything_of_it_was_read() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        assert!(!has_data(&tx, &account).unwrap());
        set_access(&tx, &account, &Access::unknown(now())).unwrap();
        assert!(!has_data(&tx, &account).unwrap(), "that it was asked is no data");
        super::super::snapshots::begin(&tx, &account, crate::domain::RunId(1), now()).unwrap();
        assert!(has_data(&tx, &account).unwrap());
        assert!(!has_data(&tx, &"nz".into()).unwrap());
    }

    #[test]
    fn access_comes_back_as_it_was_kept() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        assert_eq!(access(&tx, &account, now()).unwrap(), Access::unknown(now()));
        let evidence = Evidence { status: 403, digest: "d1".into() };
        let closed = |at: &str| Closed {
            at: at.into(),
            evidence: evidence.clone(),
            since: now(),
            times: 2,
            again_at: now(),
            vouched: at == "GET b",
        };
        let revoked = Access {
            state: AccessState::Revoked,
            cause: Some(Cause::Revoked),
            reason: "403".into(),
            evidence: Some(evidence.clone()),
            probes: 1,
            unread: 1,
            reapply_on: now().date_naive().succ_opt(),
            closed: vec![closed("GET a"), closed("GET b")],
            ..Access::unknown(now())
        };
        let suspended = Access {
            state: AccessState::Suspended,
            next_probe_at: Some(now()),
            closed: vec![closed("GET b")],
            ..revoked.clone()
        };
        for kept in [revoked, suspended, Access::unknown(now())] {
            set_access(&tx, &account, &kept).unwrap();
            assert_eq!(access(&tx, &account, now()).unwrap(), kept);
        }
    }

    #[test]
    fn what_was_learnt_on_the_side_says_nothing_about_access() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        assert_eq!(clock_offset_ms(&tx, &account).unwrap(), 0);
        assert_eq!(credentials_mark(&tx, &account).unwrap(), None);
        set_clock_offset_ms(&tx, &account, -1_200).unwrap();
        set_credentials_mark(&tx, &account, "m1").unwrap();
        set_last_answer_at(&tx, &account, now()).unwrap();
        assert_eq!(access(&tx, &account, now()).unwrap(), Access::unknown(now()));
        assert_eq!(clock_offset_ms(&tx, &account).unwrap(), -1_200);
        assert_eq!(credentials_mark(&tx, &account).unwrap().as_deref(), Some("m1"));
        assert_eq!(last_answer_at(&tx, &account).unwrap(), Some(now()));
    }

    #[test]
    fn the_marketplaces_time_goes_on_from_what_was_kept_of_it() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        let mark = |up| Mark { life: "boot".into(), up: Duration::from_secs(up), through_sleep: true };
        let at = |now, up| theirs(&tx, &account, &Clocks { now, mark: Some(mark(up)), kept: false }).unwrap();
        assert_eq!(at(now(), 5), Theirs::sure(now()));
        set_clock_offset_ms(&tx, &account, -600_000).unwrap();
        assert_eq!(at(now(), 5), Theirs::sure(now() - TimeDelta::minutes(10)));
        set_last_said(&tx, &account, now(), Some(&mark(5))).unwrap();
        assert_eq!(at(now() + TimeDelta::days(3), 65), Theirs::sure(now() + TimeDelta::minutes(1)));
        set_last_said(&tx, &account, now(), None).unwrap();
        let far = || Clocks { now: now() + TimeDelta::days(3), mark: Some(mark(65)), kept: false };
        assert_eq!(theirs(&tx, &account, &far()).unwrap().least, now());
        carry_on_theirs(&tx, &account, &far()).unwrap();
        assert_eq!(at(now() + TimeDelta::days(3), 70).least, now() + TimeDelta::seconds(5));
        set_doubted(&tx, &account, 2).unwrap();
        assert_eq!((doubted(&tx, &account).unwrap(), at(now(), 75).doubted), (2, 2));
        assert_eq!(access(&tx, &account, now()).unwrap(), Access::unknown(now()));
    }
}
