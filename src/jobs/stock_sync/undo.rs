//! Plans how to go back to what stood before a run. The plan is one like any other: read, judged, recorded, applied.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::{Context, JobError, Report};
use super::record::{self, Draft, Drafted};
use super::spool::{self, Spool};
use super::{observe, shape, sisters};
use crate::config::StockSync;
use crate::domain::{Drafting, Intent, Offer, RunId, Sku};
use crate::planning::reconcile::{OrderKnowledge, Plan, Tally, held};
use crate::planning::summary::Sums;
use crate::planning::undo::{Present, Standing, plan};
use crate::store::plans::PlanRow;
use crate::store::{StoreError, Tx, intents, listings, movements, plans};

/// Makes the plan that takes back what `run` did.
pub(super) async fn make(
    settings: &StockSync,
    context: &Context,
    run: RunId,
    report: &mut Report,
) -> Result<(), JobError> {
    let mut seen = observe::observe(settings, context, report).await?;
    if seen.orders == OrderKnowledge::Pending {
        seen.wait_for_orders(context, report).await?;
    }
    let worked = context.worked()?;
    let (_, market) = context.market()?;
    let (account, sisters, currency) = (worked.name.clone(), worked.shelf.sisters.clone(), worked.currency);
    let now = context.clock.now();
    let zero_is_final = shape(&market.capabilities().writes).zero_is_final;
    let drafting: Arc<dyn Drafting> = market.drafting();
    let never_touch = settings.guards.never_touch.clone();
    let (orders, trust, in_doubt) = (seen.orders, seen.reading.trust.clone(), seen.in_doubt.clone());
    let planned = context.store.read(move |tx| {
        let mut done: Vec<Intent> = Vec::new();
        intents::of_run(tx, run, |intent| {
            done.push(intent);
            Ok(())
        })?;
        let skus: HashSet<&Sku> = done.iter().map(|intent| &intent.change.sku).collect();
        let mut standing = Vec::new();
        let mut tally = Tally::default();
        listings::by_sku(tx, &account, |rows| {
            for row in rows {
                tally.listings += 1;
                if row.currency == currency {
                    let copies = i128::from(row.quantity) + i128::from(row.in_carts);
                    tally.value_before += copies * i128::from(row.price_minor);
                }
                if skus.contains(&row.sku) {
                    let offer = row.offer();
                    let (listing_id, sku, title) = (row.listing_id, row.sku, row.title);
                    standing.push(Standing { listing_id, sku, title, offer });
                }
            }
        })?;
        let (mut nets, mut sold_elsewhere) = (HashMap::new(), HashMap::new());
        let planned_at = done.iter().map(|intent| intent.planned_at).min().unwrap_or(now);
        let since = plans::applied_by(tx, run)?.map_or(Ok(planned_at), |row| sold_since(tx, &row))?;
        for sku in skus {
            nets.insert(sku.clone(), movements::net(tx, &account, sku)?);
            let moved = sisters::moved(tx, &sisters, sku, since)?.into_iter().filter(|(_, net)| *net < 0);
            let sold: Vec<String> =
                moved.map(|(name, net)| format!("{} sold at {name} since", net.unsigned_abs())).collect();
            if !sold.is_empty() {
                sold_elsewhere.insert(sku.clone(), sold.join(", "));
            }
        }
        let unread_elsewhere = sisters::unread(tx, &sisters, planned_at, now)?;
        let anew = |offer: &Offer| match zero_is_final {
            true => Err("a listing that was withdrawn cannot be put back".to_owned()),
            false => Ok(Offer { quantity: offer.listed(), in_carts: 0, ..offer.clone() }),
        };
        let present = Present {
            standing: &standing,
            nets: &nets,
            sold_elsewhere: &sold_elsewhere,
            unread_elsewhere: unread_elsewhere.as_deref(),
            in_doubt: &in_doubt,
            orders,
            trust: &trust,
            never_touch: &never_touch,
            drafting: &*drafting,
            anew: &anew,
        };
        let undone: Plan = plan(&done, &present);
        let asked = unread_elsewhere.map(|_| planned_at);
        Ok::<_, StoreError>((undone, tally, done.len(), asked))
    });
    let (plan, tally, done, asked) = planned.await?;
    if done == 0 {
        return Err(JobError::Stale(format!("{run} changed nothing, so there is nothing to undo")));
    }
    let waits = plan.held.iter().any(|held| held.reason == held::ORDER_READ_PENDING);
    if let Some(until) = asked.filter(|_| waits) {
        sisters::want(context, until).await?;
    }
    let mut spool = Spool::new(&context.state_dir);
    spool.add(&plan).map_err(|error| spool::failed(&error))?;
    let draft = Draft {
        drafted: Drafted { spool, sums: Sums::of(&plan, currency), tally },
        source: json!({ "type": "undo", "run_id": run }),
        from_source: false,
        rejected_rows: 0,
        most_rejected: 0,
        snapshot: seen.reading.snapshot,
        undo_of: Some(run),
    };
    record::record(settings, context, draft, true, report).await?;
    Ok(())
}

/// From when on what was sold at the other accounts stays off sale: from when the list was true that the run followed,
/// since it may have taken copies off for just those sales.
fn sold_since(tx: &Tx<'_>, undone: &PlanRow) -> Result<DateTime<Utc>, StoreError> {
    let source: serde_json::Value = serde_json::from_str(undone.source.get()).unwrap_or_default();
    let as_of = source.get("as_of").and_then(serde_json::Value::as_str).and_then(|text| text.parse().ok());
    let news = sisters::news_to(tx, undone)?;
    Ok(as_of.map_or(news, |as_of| news.min(as_of)))
}
