//! Lets the guards judge a plan and writes it down.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::{Context, Errand, JobError, Report};
use super::fees::{self, Balance};
use super::spool::{self, Spool};
use super::{judge, shape};
use crate::config::StockSync;
use crate::domain::{Bill, Cadence, Change, ErrorType, JobName, Operation, PlanId, PlanState, RunId};
use crate::marketplace::{Looking, Marketplace};
use crate::planning::guards::{self, GuardFacts, GuardResult};
use crate::planning::reconcile::Tally;
use crate::planning::summary::{Summary, Sums};
use crate::store::{StoreError, Tx, intents, movements, plans, problems};

/// A plan that nobody has judged yet.
pub(super) struct Draft {
    pub drafted: Drafted,
    /// What the source was.
    pub source: Value,
    /// Whether it comes from a source.
    pub from_source: bool,
    pub rejected_rows: u64,
    pub most_rejected: u64,
    /// The reading of the stock that it rests on.
    pub snapshot: i64,
    /// The run that it takes back.
    pub undo_of: Option<RunId>,
}

/// What was decided, and what it comes to.
pub(super) struct Drafted {
    pub spool: Spool,
    pub sums: Sums,
    pub tally: Tally,
}

/// A plan that was written down.
pub(super) struct Made {
    pub plan: PlanId,
    pub state: PlanState,
    /// The requests of its writes.
    pub bill: Bill,
}

/// The problem of a plan that a guard holds.
pub const GUARD_TRIPPED: &str = "E520";

/// Judges and records. `None` where there is nothing to do and `keep` does not ask for the plan all the same.
pub(super) async fn record(
    settings: &StockSync,
    context: &Context,
    draft: Draft,
    keep: bool,
    report: &mut Report,
) -> Result<Option<Made>, JobError> {
    let worked = context.worked()?;
    let (_, market) = context.market()?;
    let (Drafted { mut spool, sums, tally }, weighed) = fees::sort_out(context, draft.drafted).await?;
    let (name, today) = (worked.name.clone(), context.clock.now() - TimeDelta::days(1));
    let touched = context.store.read(move |tx| intents::done_since(tx, &name, today)).await?;
    let facts = GuardFacts {
        tally: &tally,
        from_source: draft.from_source,
        rejected_rows: draft.rejected_rows,
        fees: weighed.charged,
        touched_today: touched.unsigned_abs(),
        currency: worked.currency,
    };
    let most_rejected = draft.from_source.then_some(draft.most_rejected);
    let judged = guards::judge(&sums, &judge::limits(settings, most_rejected), &facts, &[""; 0]);
    let tripped: Vec<&GuardResult> = judged.iter().filter(|guard| guard.tripped).collect();
    let changes = sums.briefs.len();
    let mut summary = sums.sum_up(&tally, &shape(&market.capabilities().writes));
    tell(&summary, report);
    let at_once = tripped.is_empty() && context.errand == Errand::Usual && context.writer().is_some();
    if !at_once {
        summary.requests_needed += before_later(market, &mut spool, tally.listings)?;
        summary.requests_needed += market.fees_cost(&summary.counts);
    }
    let balance = Balance::of(worked, &weighed, draft.from_source);
    balance.words(&context.job).into_iter().for_each(|words| report.say(words));
    if changes == 0 && tripped.is_empty() && !keep {
        let job = context.job.clone();
        let now = context.clock.now();
        let close = move |tx: &Tx<'_>| {
            balance.note(tx, &job, now)?;
            problems::close(tx, GUARD_TRIPPED, job.as_str(), now)
        };
        context.store.write(close).await?;
        return Ok(None);
    }
    let state = if tripped.is_empty() { PlanState::Planned } else { PlanState::Pending };
    let new = plans::NewPlan {
        job: context.job.clone(),
        account: worked.name.clone(),
        made_by: context.run,
        created_at: context.clock.now(),
        expires_at: context.clock.now()
            + TimeDelta::from_std(settings.plan_expires).unwrap_or(TimeDelta::hours(1)),
        base_snapshot: Some(draft.snapshot),
        undo_of: draft.undo_of,
        source: raw(&draft.source)?,
        guards: raw(&json!(judged))?,
        summary: raw(&summary_json(&summary, &tally, weighed.charged))?,
        state,
    };
    let words = tripped.iter().map(|guard| format!("{}: {}", guard.guard, guard.words)).collect::<Vec<_>>();
    let (id, expired) = write(context, new, spool, words.clone(), balance).await?;
    tell_of_expired(&expired);
    report.plan = Some(id);
    tracing::info!(
        event = "plan.created",
        plan.id = %id,
        add = summary.counts.get(&Operation::Add).copied().unwrap_or(0),
        change = summary.counts.values().sum::<u64>(),
        zero = summary.counts.get(&Operation::Zero).copied().unwrap_or(0),
        remove = summary.counts.get(&Operation::Remove).copied().unwrap_or(0),
        skipped = summary.held.values().sum::<u64>(),
        requests_needed = summary.requests_needed,
        "a plan was made",
    );
    judged.iter().filter(|guard| guard.tripped).for_each(|guard| tell_of_guard(guard, id));
    if !words.is_empty() && context.errand == Errand::Usual {
        report.guarded = true;
        report.say(format!("{id} is held: {}", words.join("; ")));
    }
    Ok(Some(Made { plan: id, state, bill: summary.bill }))
}

/// Says that a guard holds a plan.
pub(super) fn tell_of_guard(guard: &GuardResult, id: PlanId) {
    tracing::error!(
        event = "guard.tripped",
        guard = guard.guard,
        limit = guard.limit,
        actual = guard.actual,
        plan.id = %id,
        "{}",
        guard.words,
    );
}

/// Says of each plan that its time was over before anybody applied it.
pub(in super::super) fn tell_of_expired(plans: &[PlanId]) {
    for id in plans {
        tracing::info!(event = "plan.expired", plan.id = %id, "a plan was not applied in its time");
    }
}

/// The plan, and the problem that it is or that it ends, in one transaction. It takes the place of the job's plan before
/// it, and so does its problem, whoever asked for either.
async fn write(
    context: &Context,
    new: plans::NewPlan,
    mut spool: Spool,
    tripped: Vec<String>,
    balance: Balance,
) -> Result<(PlanId, Vec<PlanId>), JobError> {
    let (job, now) = (context.job.clone(), context.clock.now());
    let id = context.store.write(move |tx: &Tx<'_>| {
        let unread = |error: std::io::Error| StoreError::Internal(format!("the plan is lost: {error}"));
        let mut writing = plans::Writing::begin(tx, &new)?;
        spool.rewind().map_err(unread)?;
        while let Some(part) = spool.next_part().map_err(unread)? {
            let net = |change: &Change| movements::net(tx, &new.account, &change.sku);
            let nets: Vec<i64> = part.changes.iter().map(net).collect::<Result<_, _>>()?;
            writing.changes(&part.changes, &nets)?;
            writing.held(&part.held)?;
        }
        let id = writing.plan;
        let expired = plans::expire(tx, Some(&job), now)?;
        plans::supersede(tx, &job, id)?;
        balance.note(tx, &job, now)?;
        match tripped.is_empty() {
            true => drop(problems::close(tx, GUARD_TRIPPED, job.as_str(), now)?),
            false => problems::open(tx, &held(&job, id, &tripped.join("; "), now))?,
        }
        Ok((id, expired))
    });
    Ok(id.await?)
}

/// The problem of a plan that guards hold, with what they say.
pub(super) fn held(job: &JobName, id: PlanId, words: &str, since: DateTime<Utc>) -> problems::Problem {
    problems::Problem {
        code: GUARD_TRIPPED.to_owned(),
        subject: job.to_string(),
        severity: problems::Severity::Warning,
        title: format!("a guard holds {id} of {job}: {words}"),
        since,
        fix: format!(
            "look at it: sellerd plan show {id}; then mend the source, or accept it: sellerd apply {id} \
             --accept-guard NAME"
        ),
    }
}

/// Requests that applying a plan later takes before the first write: its items and the orders are read again.
fn before_later(market: &dyn Marketplace, spool: &mut Spool, listings: u64) -> Result<u64, JobError> {
    let mut looking = Looking::default();
    let mut any = false;
    spool.rewind().map_err(|error| spool::failed(&error))?;
    while let Some(part) = spool.next_part().map_err(|error| spool::failed(&error))? {
        any |= !part.changes.is_empty();
        part.changes.iter().for_each(|change| looking.add(market, change));
    }
    let feeds = market.capabilities().order_feeds.iter();
    let polled = feeds.filter(|feed| feed.cadence == Cadence::EveryPoll).count() as u64;
    Ok(if any { market.looking_costs(&looking, listings) + polled } else { 0 })
}

fn tell(summary: &Summary, report: &mut Report) {
    for (op, count) in &summary.counts {
        report.count(op.as_str(), i64::try_from(*count).unwrap_or(i64::MAX));
    }
    let held: u64 = summary.held.values().sum();
    if held > 0 {
        report.count("held", i64::try_from(held).unwrap_or(i64::MAX));
    }
}

fn summary_json(summary: &Summary, tally: &Tally, fees: i64) -> Value {
    let clamped = |number: i128| i64::try_from(number).unwrap_or(i64::MAX);
    let largest = summary.largest_price_change.as_ref().map(|change| {
        json!({
            "sku": change.sku,
            "before_minor": change.before.minor,
            "after_minor": change.after.minor,
            "percent": change.signed_percent(),
        })
    });
    let counts: BTreeMap<&str, u64> = summary.counts.iter().map(|(op, n)| (op.as_str(), *n)).collect();
    json!({
        "counts": counts,
        "held": summary.held,
        "source_rows": tally.source_rows,
        "listings": tally.listings,
        "value_before_minor": clamped(summary.value_before),
        "value_after_minor": clamped(summary.value_after),
        "largest_price_change": largest,
        "fees_minor": fees,
        "requests_needed": summary.requests_needed,
    })
}

fn raw(value: &Value) -> Result<Box<RawValue>, JobError> {
    serde_json::value::to_raw_value(value).map_err(|e| JobError::File(e.to_string(), ErrorType::Internal))
}
