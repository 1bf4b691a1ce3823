//! The end of an apply: its plan is closed, and the report says what became of it.

use std::collections::BTreeMap;

use super::super::super::{Context, JobError, Report};
use crate::domain::{IntentState, PlanId};
use crate::store::{StoreError, Tx, intents, plans};

/// Closes the plan and counts what became of it.
pub(super) async fn finish(
    context: &Context,
    plan: PlanId,
    broken_off: Option<JobError>,
    report: &mut Report,
) -> Result<(), JobError> {
    let (run, now, whole) = (context.run, context.clock.now(), broken_off.is_none());
    let states = context.store.write(move |tx| {
        intents::drop_pending(tx, Some(run), now)?;
        let state =
            if whole { crate::domain::PlanState::Applied } else { crate::domain::PlanState::Interrupted };
        plans::set_state(tx, plan, state)?;
        Ok((intents::states(tx, plan)?, reasons(tx, plan)?))
    });
    // What broke it off says more than that its end could not be written down.
    let (states, reasons) = match (states.await, broken_off) {
        (Err(_), Some(error)) => return Err(error),
        (Err(error), None) => return Err(error.into()),
        (Ok(states), broken_off) => {
            report.broken_off = broken_off;
            states
        }
    };
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (state, count) in states {
        *counts.entry(super::super::counted_as(state)).or_default() += count;
    }
    for (name, count) in &counts {
        report.count(name, *count);
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    report.incomplete |= counts.iter().any(|(name, count)| *name != "applied" && *count > 0);
    tracing::info!(
        event = "stock.applied",
        plan.id = %plan,
        applied = of("applied"),
        failed = of("failed"),
        unchanged = of("skipped"),
        "a plan was applied",
    );
    let words: Vec<String> =
        counts.iter().map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
    report.say(format!(
        "{plan}: {}",
        if words.is_empty() { "nothing to do".to_owned() } else { words.join(", ") }
    ));
    reasons.into_iter().for_each(|reason| report.say(reason));
    Ok(())
}

/// Why some of a plan was not done, for people: the first reasons, each once.
fn reasons(tx: &Tx<'_>, plan: PlanId) -> Result<Vec<String>, StoreError> {
    const SHOWN: usize = 3;
    let mut reasons: Vec<String> = Vec::new();
    intents::of_plan(tx, plan, |intent| {
        let Some(message) = intent.message.filter(|_| intent.state != IntentState::Done) else {
            return Ok(());
        };
        if reasons.len() < SHOWN && !reasons.iter().any(|reason| reason.ends_with(&message)) {
            reasons.push(format!("{}: {message}", intent.change.sku));
        }
        Ok(())
    })?;
    Ok(reasons)
}
