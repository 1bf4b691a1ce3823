//! `stock-sync`: makes the shop what the seller's list says. It settles what an earlier run left in doubt, reads,
//! plans, lets the guards judge, and, where it may write, makes it so.

mod apply;
mod fees;
mod judge;
mod observe;
mod plan;
mod record;
mod settle;
mod shown;
mod sisters;
mod spool;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;
mod undo;

pub use fees::BALANCE_TOO_LOW;
pub use record::GUARD_TRIPPED;
pub(super) use record::tell_of_expired;
pub use settle::PARKED;

use super::{Context, Errand, JobError, Report};
use crate::config::StockSync;
use crate::domain::{IntentState, PlanState};
use crate::http::{CallError, Refusal};
use crate::marketplace::Writes;
use crate::planning::shape::Shape;
use crate::store::{flags, parked};

/// Does what is wanted of this run.
pub(super) async fn run(settings: &StockSync, context: &Context) -> Result<Report, JobError> {
    // What another run has in flight would look like something that a crash left behind.
    let _turn = context.turn().await?;
    let mut report = Report::default();
    settle::leftovers(context, &mut report).await?;
    match &context.errand {
        Errand::Usual => {
            let Some(made) = plan::make(settings, context, &mut report).await? else { return Ok(report) };
            if context.writer().is_some() && made.state == PlanState::Planned {
                apply::fresh(settings, context, &made, &mut report).await?;
            }
        }
        Errand::Plan => {
            plan::make(settings, context, &mut report).await?;
        }
        Errand::Apply { plan, accepted } => {
            may_write(context).await?;
            apply::later(settings, context, *plan, accepted, &mut report).await?;
        }
        Errand::Undo(run) => undo::make(settings, context, *run, &mut report).await?,
    }
    Ok(report)
}

/// An error while no write would be let out: then no request is spent on reading again what a plan rests on, and the plan
/// waits instead of being begun. The gate asks the same of each write.
async fn may_write(context: &Context) -> Result<(), JobError> {
    let account = context.worked()?.name.clone();
    let read = context.store.read(move |tx| Ok((flags::halted(tx)?, parked::get(tx, &account)?)));
    match read.await? {
        (Some(_), _) => Err(JobError::Call(CallError::Refused(Refusal::Halted))),
        (None, Some(parked)) => Err(JobError::Call(CallError::Refused(Refusal::Parked(parked.arithmetic)))),
        (None, None) => Ok(()),
    }
}

/// How the marketplace takes changes, as planning has it.
fn shape(writes: &Writes) -> Shape<'_> {
    Shape {
        batch: writes.batch,
        relative: writes.quantities == crate::marketplace::Quantities::Relative,
        whole_listing: writes.whole_listing,
        natural_sku: writes.natural_sku,
        zero_is_final: writes.zero_is_final,
    }
}

/// The name under which intents that ended in this state are counted.
fn counted_as(state: IntentState) -> &'static str {
    match state {
        IntentState::Done => "applied",
        IntentState::Refused => "failed",
        IntentState::Skipped => "skipped",
        IntentState::Sent => "in_doubt",
        IntentState::Parked => "parked",
        IntentState::Dropped | IntentState::Planned | IntentState::Pending => "not_sent",
    }
}
