//! What a plan costs when it is applied, which may be another amount than when it was made: taking a listing down is free
//! in its first hour, and a balance is spent elsewhere, too. So the guard over fees judges once more, before the first write.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::super::super::{Context, JobError, Report};
use super::super::fees::{self, Balance};
use super::super::record;
use super::later::of_each;
use super::outcome::Ended;
use crate::config::StockSync;
use crate::domain::{Change, ErrorType};
use crate::planning::guards::{GuardResult, MAX_FEES, max_fees};
use crate::store::plans::{self, PlanRow};
use crate::store::{Tx, problems};

/// Adds to what has `ended` what would not be made any more. `false` where the guard holds the plan: then nothing of it
/// may leave, and `report` says so.
pub(super) async fn bearable(
    settings: &StockSync,
    context: &Context,
    row: &PlanRow,
    ended: &mut BTreeMap<usize, Ended>,
    accepted: &[String],
    report: &mut Report,
) -> Result<bool, JobError> {
    let (_, market) = context.market()?;
    if !market.capabilities().writes.charged {
        return Ok(true);
    }
    let worked = context.worked()?;
    let changes = of_each(context, row.plan_id, |intent| intent.change.clone()).await?;
    let left: Vec<(usize, &Change)> =
        changes.iter().enumerate().filter(|(place, _)| !ended.contains_key(place)).collect();
    let weighed = fees::again(context, &left).await?;
    let guard = max_fees(settings.guards.max_fees, weighed.charged, worked.currency);
    if guard.tripped && !accepted.iter().any(|name| name == MAX_FEES) {
        let (id, guards, summary) =
            (row.plan_id, judged_again(row, &guard)?, with_fees(row, weighed.charged)?);
        let words = format!("{}: {}", guard.guard, guard.words);
        let problem = record::held(&row.job, id, &words, context.clock.now());
        let held = move |tx: &Tx<'_>| {
            plans::judge_again(tx, id, &guards, &summary)?;
            problems::open(tx, &problem)
        };
        context.store.write(held).await?;
        record::tell_of_guard(&guard, id);
        report.guarded = true;
        report.say(format!("{id} is held: {}: {}", guard.guard, guard.words));
        return Ok(false);
    }
    let (balance, job, now) = (Balance::of(worked, &weighed, false), row.job.clone(), context.clock.now());
    context.store.write(move |tx| balance.note(tx, &job, now)).await?;
    ended.extend(weighed.kept_back.iter().map(|(place, why)| (*place, Ended::skipped(&why.words()))));
    Ok(true)
}

/// What the guards said of the plan, with what this one says now.
fn judged_again(row: &PlanRow, guard: &GuardResult) -> Result<Box<RawValue>, JobError> {
    let mut guards: Vec<Value> = serde_json::from_str(row.guards.get()).unwrap_or_default();
    guards.retain(|known| known.get("guard").and_then(Value::as_str) != Some(guard.guard));
    guards.push(json!(guard));
    raw(&json!(guards))
}

/// What the plan comes to, with what it costs now.
fn with_fees(row: &PlanRow, fees: i64) -> Result<Box<RawValue>, JobError> {
    let mut summary: Value = serde_json::from_str(row.summary.get()).unwrap_or_default();
    if let Some(summary) = summary.as_object_mut() {
        summary.insert("fees_minor".to_owned(), fees.into());
    }
    raw(&summary)
}

fn raw(value: &Value) -> Result<Box<RawValue>, JobError> {
    to_raw_value(value).map_err(|error| JobError::File(error.to_string(), ErrorType::Internal))
}
