//! Plans: made once, never changed but for what is said of them, kept so that a person can read what was, is or would be done. Their changes are
//! [`super::intents`].

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

use super::columns::{ms, time, word};
use super::{StoreError, Tx};
use crate::domain::{AccountName, Change, Held, JobName, ListingId, PlanId, PlanState, RunId, Sku};

/// A plan that is about to be recorded.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// The job whose plan it is.
    pub job: JobName,
    /// The account it is about.
    pub account: AccountName,
    /// The run that made it.
    pub made_by: RunId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Until when it may be applied.
    pub expires_at: DateTime<Utc>,
    /// The reading of the stock that it rests on.
    pub base_snapshot: Option<i64>,
    /// The run that it takes back, if it does.
    pub undo_of: Option<RunId>,
    /// What the source was: a JSON object.
    pub source: Box<RawValue>,
    /// What the guards said: a JSON list.
    pub guards: Box<RawValue>,
    /// What it amounts to: a JSON object.
    pub summary: Box<RawValue>,
    /// Where it stands.
    pub state: PlanState,
}

/// A plan without its changes.
#[derive(Debug, Clone, Serialize)]
pub struct PlanRow {
    /// Its number.
    pub plan_id: PlanId,
    /// The job whose plan it is.
    pub job: JobName,
    /// The account it is about.
    pub account: AccountName,
    /// The run that made it.
    pub made_by: RunId,
    /// When.
    #[serde(serialize_with = "super::columns::rfc3339")]
    pub created_at: DateTime<Utc>,
    /// Until when it may be applied.
    #[serde(serialize_with = "super::columns::rfc3339")]
    pub expires_at: DateTime<Utc>,
    /// The reading of the stock that it rests on.
    pub base_snapshot: Option<i64>,
    /// The run that it takes back, if it does.
    pub undo_of: Option<RunId>,
    /// Where it stands.
    pub state: PlanState,
    /// The guards that a person has accepted for it.
    pub accepted: Vec<String>,
    /// The run that applied it.
    pub applied_by: Option<RunId>,
    /// What the source was.
    pub source: Box<RawValue>,
    /// What the guards said.
    pub guards: Box<RawValue>,
    /// What it amounts to.
    pub summary: Box<RawValue>,
}

/// Records a plan with its changes and what it leaves alone. `nets` says for each change what the movements of its SKU
/// add up to.
pub fn add(
    tx: &Tx<'_>,
    plan: &NewPlan,
    changes: &[Change],
    nets: &[i64],
    held: &[Held],
) -> Result<PlanId, StoreError> {
    let mut writing = Writing::begin(tx, plan)?;
    writing.changes(changes, nets)?;
    writing.held(held)?;
    Ok(writing.plan)
}

/// A plan that is being recorded part by part, in one transaction.
pub struct Writing<'a, 'tx> {
    tx: &'a Tx<'tx>,
    account: &'a AccountName,
    /// Its number.
    pub plan: PlanId,
    changes: i64,
    held: i64,
}

impl<'a, 'tx> Writing<'a, 'tx> {
    /// Records the plan itself.
    pub fn begin(tx: &'a Tx<'tx>, plan: &'a NewPlan) -> Result<Self, StoreError> {
        let id: i64 = tx
            .0
            .prepare_cached(
                "insert into plans (job, account, made_by, created_at, expires_at, base_snapshot, undo_of, source,
                    guards, summary, state)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) returning plan_id",
            )?
            .query_row(
                params![
                    plan.job.as_str(),
                    plan.account.as_str(),
                    plan.made_by.0,
                    ms(plan.created_at),
                    ms(plan.expires_at),
                    plan.base_snapshot,
                    plan.undo_of.map(|run| run.0),
                    plan.source.get(),
                    plan.guards.get(),
                    plan.summary.get(),
                    plan.state.as_str(),
                ],
                |row| row.get(0),
            )?;
        Ok(Self { tx, account: &plan.account, plan: PlanId(id), changes: 0, held: 0 })
    }

    /// Records its next changes. `nets` says for each what the movements of its SKU add up to.
    pub fn changes(&mut self, changes: &[Change], nets: &[i64]) -> Result<(), StoreError> {
        super::intents::add(self.tx, self.plan, self.account, self.changes, changes, nets)?;
        self.changes += changes.len() as i64;
        Ok(())
    }

    /// Records what it leaves alone next.
    pub fn held(&mut self, held: &[Held]) -> Result<(), StoreError> {
        let mut statement =
            self.tx.0.prepare_cached("insert into plan_held values (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for held in held {
            let listing = held.listing_id.map(|id| id.0);
            let (seq, sku) = (self.held, held.sku.as_str());
            statement.execute(params![self.plan.0, seq, sku, listing, held.reason, held.detail])?;
            self.held += 1;
        }
        Ok(())
    }
}

/// A plan without its changes.
pub fn get(tx: &Tx<'_>, id: PlanId) -> Result<Option<PlanRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!("select {COLUMNS} from plans where plan_id = ?1"))?;
    Ok(statement.query_row([id.0], plan_of).optional()?)
}

/// The plans of one job or of all, newest first.
pub fn list(tx: &Tx<'_>, job: Option<&JobName>, limit: Option<usize>) -> Result<Vec<PlanRow>, StoreError> {
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from plans where ?1 is null or job = ?1 order by plan_id desc limit ?2"
    ))?;
    let rows = statement.query_map(params![job.map(JobName::as_str), limit], plan_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The plan that a run made, if it made one.
pub fn made_by(tx: &Tx<'_>, run: RunId) -> Result<Option<PlanRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from plans where made_by = ?1 order by plan_id desc limit 1"
    ))?;
    Ok(statement.query_row([run.0], plan_of).optional()?)
}

/// The plan that a run applied, if it applied one.
pub fn applied_by(tx: &Tx<'_>, run: RunId) -> Result<Option<PlanRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from plans where applied_by = ?1 order by plan_id desc limit 1"
    ))?;
    Ok(statement.query_row([run.0], plan_of).optional()?)
}

/// The plans that could still be applied: nobody has, none took their place, and they are still good. Newest first.
pub fn waiting(tx: &Tx<'_>, job: Option<&JobName>, now: DateTime<Utc>) -> Result<Vec<PlanRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from plans
         where state in ('planned', 'pending') and expires_at > ?1 and (?2 is null or job = ?2)
         order by plan_id desc"
    ))?;
    let rows = statement.query_map(params![ms(now), job.map(JobName::as_str)], plan_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest plan of each job, where its apply was begun and did not come to its end, unless the job has looked at the
/// shop since and found nothing to do. Newest first.
pub fn unfinished(tx: &Tx<'_>) -> Result<Vec<PlanRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select {COLUMNS} from plans p
         where state in ('applying', 'interrupted')
            and plan_id = (select max(plan_id) from plans where job = p.job)
            and not exists (select 1 from runs r where r.job = p.job and r.run_id > p.applied_by
                and r.outcome in ('success', 'partial', 'guarded'))
         order by plan_id desc"
    ))?;
    let rows = statement.query_map([], plan_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a job's plans came to over a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TrackRecord {
    /// Plans that were made.
    pub plans: i64,
    /// Changes of the largest of them.
    pub largest: i64,
    /// Plans that a guard held.
    pub guard_trips: i64,
}

/// What the plans came to that a job made since.
pub fn track_record(tx: &Tx<'_>, job: &JobName, since: DateTime<Utc>) -> Result<TrackRecord, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select count(*),
            coalesce(max((select count(*) from intents i where i.plan_id = plans.plan_id)), 0),
            coalesce(sum(exists(select 1 from json_each(plans.guards)
                where json_extract(value, '$.tripped') = 1)), 0)
         from plans where job = ?1 and created_at >= ?2",
    )?;
    Ok(statement.query_row(params![job.as_str(), ms(since)], |row| {
        Ok(TrackRecord { plans: row.get(0)?, largest: row.get(1)?, guard_trips: row.get(2)? })
    })?)
}

/// What a plan leaves as it is, in its order.
pub fn held(
    tx: &Tx<'_>,
    id: PlanId,
    mut f: impl FnMut(Held) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select sku, listing_id, reason, detail from plan_held where plan_id = ?1 order by seq",
    )?;
    let mut rows = statement.query([id.0])?;
    while let Some(row) = rows.next()? {
        f(Held {
            sku: Sku(row.get(0)?),
            listing_id: row.get::<_, Option<i64>>(1)?.map(ListingId),
            reason: row.get(2)?,
            detail: row.get(3)?,
        })?;
    }
    Ok(())
}

/// Moves a plan on.
pub fn set_state(tx: &Tx<'_>, id: PlanId, state: PlanState) -> Result<(), StoreError> {
    tx.0.prepare_cached("update plans set state = ?2 where plan_id = ?1")?
        .execute(params![id.0, state.as_str()])?;
    Ok(())
}

/// Holds a plan that nobody has applied: what the guards say of it now, and what it comes to now.
pub fn judge_again(tx: &Tx<'_>, id: PlanId, guards: &RawValue, summary: &RawValue) -> Result<(), StoreError> {
    tx.0.prepare_cached("update plans set state = 'pending', guards = ?2, summary = ?3 where plan_id = ?1")?
        .execute(params![id.0, guards.get(), summary.get()])?;
    Ok(())
}

/// Notes who applies a plan, and which guards were accepted for it.
pub fn begin(tx: &Tx<'_>, id: PlanId, run: RunId, accepted: &[String]) -> Result<(), StoreError> {
    let accepted = serde_json::to_string(accepted).map_err(|e| StoreError::Internal(e.to_string()))?;
    tx.0.prepare_cached(
        "update plans set state = 'applying', applied_by = ?2, accepted = ?3 where plan_id = ?1",
    )?
    .execute(params![id.0, run.0, accepted])?;
    Ok(())
}

/// The time of these plans, of one job or of all, is over by now, and nobody has applied them.
pub fn expire(tx: &Tx<'_>, job: Option<&JobName>, now: DateTime<Utc>) -> Result<Vec<PlanId>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "update plans set state = 'expired'
         where state in ('planned', 'pending') and expires_at <= ?1 and (?2 is null or job = ?2)
         returning plan_id",
    )?;
    let ids =
        statement.query_map(params![ms(now), job.map(JobName::as_str)], |row| row.get(0).map(PlanId))?;
    let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// A newer plan of the same job takes the place of those that nobody has applied.
pub fn supersede(tx: &Tx<'_>, job: &JobName, but: PlanId) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update plans set state = 'superseded'
         where job = ?1 and plan_id <> ?2 and state in ('planned', 'pending')",
    )?
    .execute(params![job.as_str(), but.0])?;
    Ok(())
}

/// Ends the plans that a crash interrupted: what of them was done stays done.
pub fn end_interrupted(tx: &Tx<'_>) -> Result<usize, StoreError> {
    Ok(tx.0.prepare_cached("update plans set state = 'interrupted' where state = 'applying'")?.execute([])?)
}

/// Of these plans those that are not known, or not any more.
pub fn unknown(tx: &Tx<'_>, ids: &[PlanId]) -> Result<Vec<PlanId>, StoreError> {
    let mut statement = tx.0.prepare_cached("select 1 from plans where plan_id = ?1")?;
    let mut unknown = Vec::new();
    for id in ids {
        if !statement.exists([id.0])? {
            unknown.push(*id);
        }
    }
    Ok(unknown)
}

/// Forgets up to `max_plans` plans made before `before` that nothing is in doubt of, with their changes.
pub fn prune(tx: &Tx<'_>, before: DateTime<Utc>, max_plans: usize) -> Result<usize, StoreError> {
    let limit = i64::try_from(max_plans).unwrap_or(i64::MAX);
    let mut statement = tx.0.prepare_cached(
        "select plan_id from plans where created_at < ?1 and state <> 'applying' and not exists
            (select 1 from intents i where i.plan_id = plans.plan_id and i.state in ('sent', 'parked'))
         order by plan_id limit ?2",
    )?;
    let ids = statement.query_map(params![ms(before), limit], |row| row.get::<_, i64>(0))?;
    let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
    for id in &ids {
        for sql in [
            "delete from plan_held where plan_id = ?1",
            "delete from intents where plan_id = ?1",
            "delete from plans where plan_id = ?1",
        ] {
            tx.0.prepare_cached(sql)?.execute([id])?;
        }
    }
    Ok(ids.len())
}

const COLUMNS: &str =
    "plan_id, job, account, made_by, created_at, expires_at, base_snapshot, undo_of, state, accepted,
    applied_by, source, guards, summary";

fn plan_of(row: &Row<'_>) -> rusqlite::Result<PlanRow> {
    let accepted: String = row.get(9)?;
    Ok(PlanRow {
        plan_id: PlanId(row.get(0)?),
        job: JobName(row.get(1)?),
        account: AccountName(row.get(2)?),
        made_by: RunId(row.get(3)?),
        created_at: time(row, 4)?,
        expires_at: time(row, 5)?,
        base_snapshot: row.get(6)?,
        undo_of: row.get::<_, Option<i64>>(7)?.map(RunId),
        state: word(row, 8)?,
        accepted: serde_json::from_str(&accepted)
            .map_err(|e| super::columns::wrong_text(9, e.to_string()))?,
        applied_by: row.get::<_, Option<i64>>(10)?.map(RunId),
        source: super::columns::raw(row, 11)?,
        guards: super::columns::raw(row, 12)?,
        summary: super::columns::raw(row, 13)?,
    })
}
