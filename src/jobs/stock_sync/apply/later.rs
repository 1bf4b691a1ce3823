//! Applies a plan that was made by an earlier run. What it rests on is read anew first: what is not any more as the
//! plan saw it is left alone and named, and where that is too much, nothing is sent at all.

use std::collections::BTreeMap;

use super::super::super::put_off::put_off;
use super::super::super::{Context, JobError, Report, cost, order_poll};
use super::super::shown::Shown;
use super::super::{record, settle, shape, sisters};
use super::outcome::Ended;
use super::price;
use crate::config::StockSync;
use crate::domain::{Bill, Intent, Offer, Operation, PlanId, PlanState, Sku};
use crate::planning::dispatch::Brief;
use crate::planning::summary;
use crate::source;
use crate::store::plans::PlanRow;
use crate::store::{intents, movements, plans, problems};

/// Of a plan with more items than this changed since, and more than a tenth of them, nothing is applied.
const FEW: usize = 5;

/// Applies the plan, although the guards named in `accepted` hold it.
pub(in super::super) async fn later(
    settings: &StockSync,
    context: &Context,
    id: PlanId,
    accepted: &[String],
    report: &mut Report,
) -> Result<(), JobError> {
    let row = context.store.read(move |tx| plans::get(tx, id)).await?;
    let row = row.ok_or_else(|| JobError::Stale(format!("there is no plan {id}; see: sellerd plan list")))?;
    report.plan = Some(id);
    usable(context, &row)?;
    let held = held_by(&row, accepted);
    if !held.is_empty() {
        report.guarded = true;
        report.say(format!("{id} is held: {}", held.join("; ")));
        return Ok(());
    }
    same_source(settings, context, &row).await?;
    let briefs = of_each(context, id, |intent| Brief::of(&intent.change)).await?;
    if let Some(put_off) = put_off(context, bill(context, &row, &briefs)?).await? {
        return Err(put_off.into());
    }
    let all = briefs.len();
    drop(briefs);
    // One question to the marketplace however many requests it takes there, so there is nothing to count.
    context.progress.begin("reading again what the plan rests on", 0);
    let changed = changed(context, &row, report).await?;
    if changed.len() > FEW && changed.len() * 10 > all {
        let what: Vec<String> = changed.values().take(FEW).map(|(sku, why)| format!("{sku} {why}")).collect();
        return Err(JobError::Stale(format!(
            "{} of {all} items of {id} changed since it was made: {}, and others; make a new one: sellerd plan {}",
            changed.len(),
            what.join(", "),
            row.job
        )));
    }
    let mut ended = changed.iter().map(|(place, (_, why))| (*place, Ended::skipped(why))).collect();
    if !price::bearable(settings, context, &row, &mut ended, accepted, report).await? {
        return Ok(());
    }
    tracing::info!(event = "plan.approved", plan.id = %id, by = "a person", "a plan may be applied");
    super::apply(settings, context, id, accepted, ended, None, report).await?;
    let (job, now) = (row.job.clone(), context.clock.now());
    context.store.write(move |tx| problems::close(tx, record::GUARD_TRIPPED, job.as_str(), now)).await?;
    Ok(())
}

/// What is wanted of each change of a plan, in its order. A plan may be as large as the shop, so it is gone through more
/// than once, and held only where its fees are asked for.
pub(super) async fn of_each<T: Send + 'static>(
    context: &Context,
    id: PlanId,
    wanted: impl Fn(&Intent) -> T + Send + 'static,
) -> Result<Vec<T>, JobError> {
    let read = context.store.read(move |tx| {
        let mut all = Vec::new();
        intents::of_plan(tx, id, |intent| {
            all.push(wanted(&intent));
            Ok(())
        })?;
        Ok(all)
    });
    Ok(read.await?)
}

/// What it takes, with the requests that read again what it rests on. None of it leaves before the rest does: a person
/// who applies a plan wants it whole.
fn bill(context: &Context, row: &PlanRow, briefs: &[Brief]) -> Result<Bill, JobError> {
    let (_, market) = context.market()?;
    let writes = summary::bill(briefs, &shape(&market.capabilities().writes));
    let all = cost::requests_needed(row.summary.get()).unwrap_or_default().max(writes.requests);
    let before = all - writes.requests;
    let until_prices = if writes.until_prices == 0 { 0 } else { before + writes.until_prices };
    Ok(Bill { requests: all, lowering: 0, until_prices })
}

/// An error where the plan cannot be applied any more, or is not this account's.
fn usable(context: &Context, row: &PlanRow) -> Result<(), JobError> {
    let id = row.plan_id;
    let anew = format!("make a new one: sellerd plan {}", row.job);
    if row.job != context.job || row.account != context.worked()?.name {
        return Err(JobError::Stale(format!("{id} is a plan of {} for {}; {anew}", row.job, row.account)));
    }
    match row.state {
        PlanState::Planned | PlanState::Pending => {}
        state => return Err(JobError::Stale(format!("{id} is {state}; {anew}"))),
    }
    if context.clock.now() >= row.expires_at {
        let at = row.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        return Err(JobError::Stale(format!("{id} was good until {at}; {anew}")));
    }
    Ok(())
}

/// The guards that hold the plan and were not accepted, in words.
fn held_by(row: &PlanRow, accepted: &[String]) -> Vec<String> {
    let guards: Vec<Tripped> = serde_json::from_str(row.guards.get()).unwrap_or_default();
    let holds = guards.into_iter().filter(|guard| guard.tripped && !accepted.contains(&guard.guard));
    holds.map(|guard| format!("{}: {}", guard.guard, guard.words)).collect()
}

/// What one guard said, as it was stored.
#[derive(serde::Deserialize)]
struct Tripped {
    guard: String,
    tripped: bool,
    words: String,
}

/// An error where the seller's list is another one than the plan was made from.
async fn same_source(settings: &StockSync, context: &Context, row: &PlanRow) -> Result<(), JobError> {
    let stored: serde_json::Value = serde_json::from_str(row.source.get()).unwrap_or_default();
    let Some(digest) = stored.get("digest").and_then(serde_json::Value::as_str) else { return Ok(()) };
    let (source, currency, now) = (settings.source.clone(), context.worked()?.currency, context.clock.now());
    let read = move || source::csv::read(&source, currency, now);
    let read = context.store.aside("source-read", read).await??;
    if read.digest == digest {
        return Ok(());
    }
    Err(JobError::Stale(format!(
        "{} changed since {} was made; make a new one: sellerd plan {}",
        settings.source.path.display(),
        row.plan_id,
        row.job
    )))
}

/// Places of the changes whose items are not any more as the plan saw them, and how they differ.
async fn changed(
    context: &Context,
    row: &PlanRow,
    report: &mut Report,
) -> Result<BTreeMap<usize, (Sku, String)>, JobError> {
    let (account, market) = context.market()?;
    let wanted = of_each(context, row.plan_id, settle::wanted).await?;
    let shown = Shown::of(market.look(&wanted).await?);
    drop(wanted);
    order_poll::poll(context, report).await?;
    let (account, sisters, row) = (account.clone(), context.worked()?.shelf.sisters.clone(), row.clone());
    let changed = context.store.read(move |tx| {
        let since = sisters::news_to(tx, &row)?;
        let mut changed = BTreeMap::new();
        intents::of_plan(tx, row.plan_id, |intent| {
            let sku = &intent.change.sku;
            let elsewhere = sisters::moved(tx, &sisters, sku, since)?;
            let elsewhere = elsewhere
                .first()
                .map(|(name, net)| format!("has orders at {name} that moved since ({net:+} copies)"));
            let why = difference(&intent, movements::net(tx, &account, sku)?, &shown).or(elsewhere);
            if let (Some(why), Ok(place)) = (why, usize::try_from(intent.seq)) {
                changed.insert(place, (intent.change.sku, why));
            }
            Ok(())
        })?;
        Ok(changed)
    });
    Ok(changed.await?)
}

/// How an item differs from what the plan saw of it.
fn difference(intent: &Intent, net: i64, shown: &Shown) -> Option<String> {
    let change = &intent.change;
    if net != intent.base_net {
        return Some(format!("has orders that moved since ({:+} copies)", net - intent.base_net));
    }
    let here = shown.here(change, &[]);
    match (change.op, &change.before, here.same) {
        (Operation::Add, ..) => here.others.first().map(|(id, _)| format!("is listed already, as {id}")),
        (_, Some(_), None) => Some("is not listed any more".to_owned()),
        (_, Some(before), Some(now)) => differs(before, now),
        (_, None, _) => None,
    }
}

fn differs(before: &Offer, now: &Offer) -> Option<String> {
    if before.quantity != now.quantity {
        Some(format!("had {} copies and has {}", before.quantity, now.quantity))
    } else if before.in_carts != now.in_carts {
        Some(format!("had {} copies in carts and has {}", before.in_carts, now.in_carts))
    } else if before.price != now.price {
        Some(format!("was at {} and is at {}", before.price, now.price))
    } else if before.attributes != now.attributes {
        Some("has other details".to_owned())
    } else {
        None
    }
}
