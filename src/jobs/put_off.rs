//! What a run does not begin, since the rest of the window does not pay for it: said, kept, and started by the agent
//! when the next window has begun.
//!
//! What is known before a run starts, the agent weighs itself. This is for what only the run can know.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Context, JobError};
use crate::domain::{Bill, RequestClass, Trigger};
use crate::policy::bill::{self, Short};
use crate::policy::deferral::{Cost, Purse, starts_after};
use crate::store::deferrals::{self, Deferral};
use crate::store::{accounts, quotas, requests};

/// What waits, and until when.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PutOff {
    /// Requests that it takes.
    requests: i64,
    /// How many are left.
    rest: i64,
    /// What they would be for.
    class: RequestClass,
    /// Whether what takes copies off sale has left all the same.
    pub lowered: bool,
    then: Then,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Then {
    /// The agent starts it.
    Starts(DateTime<Utc>),
    /// A person asked for it, and asks again.
    AskAgain(DateTime<Utc>),
}

/// Whether what a plan writes has to wait for the next window. If so, it is put off for good: the job starts then,
/// also where this process ends right after.
pub(super) async fn put_off(context: &Context, bill: Bill) -> Result<Option<PutOff>, JobError> {
    let worked = context.worked()?;
    let (account, kind, limit) = (worked.name.clone(), worked.window, worked.limit);
    let (run, job, trigger) = (context.run, context.job.clone(), context.trigger);
    let (earmarks, clocks) = (worked.earmarks.clone(), context.clock.both());
    let decided = context.store.write(move |tx| {
        let (now, theirs) = (clocks.now, accounts::carry_on_theirs(tx, &account, &clocks)?.at);
        let offset = theirs - now;
        let purse = quotas::purse(tx, &account, kind, limit)?;
        let purse = Purse { earmarked: earmarks.beside(tx, &job)?, ..purse };
        let (made, owed) = (requests::count_for_run(tx, run)?, trigger == Trigger::Retry);
        let Some(Short { rest, class, until }) = bill::short(&bill, &purse, made, owed, theirs) else {
            let requests = made.saturating_add(bill.requests);
            earmarks.set(&job, run, Cost { requests, class: RequestClass::Stock });
            return Ok(None);
        };
        let requests = made.saturating_add(bill.lowering);
        earmarks.set(&job, run, Cost { requests, class: RequestClass::Stock });
        let then = match trigger {
            Trigger::Manual => Then::AskAgain(until - offset),
            _ => Then::Starts(until - offset + starts_after(account.as_str(), job.as_str(), until)),
        };
        if let Then::Starts(starts_at) = then {
            // The next run reads anew what this one has read.
            let cost = made.saturating_add(bill.requests - bill.lowering);
            deferrals::put(tx, &Deferral { job, account, cost, since: now, starts_at })?;
        }
        Ok(Some(PutOff { requests: bill.requests, rest, class, lowered: bill.lowering > 0, then }))
    });
    Ok(decided.await?)
}

impl std::fmt::Display for PutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { requests, rest, class, .. } = self;
        write!(f, "it takes {requests} requests to apply, and {rest} are left for {class} in this window; ")?;
        if self.lowered {
            f.write_str("only what takes copies off sale has been sent, and the rest waits; ")?;
        }
        let shown = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        match &self.then {
            Then::Starts(at) => write!(f, "it starts by itself at {}", shown(at)),
            Then::AskAgain(at) => write!(f, "run it again after {}", shown(at)),
        }
    }
}
