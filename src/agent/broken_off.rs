//! Plans whose apply was broken off: by a halt, a stop, a kill, a refusal. What of them was not sent is sent by none of
//! them any more: the next plan sees what is really there. So that is where each of them goes on.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::gone::Gone;
use super::status::{self, JobStatus};
use crate::config::Config;
use crate::domain::{AccountName, JobName, Mode, PlanId, PlanState};
use crate::store::plans::{self, PlanRow};
use crate::store::{StoreError, Tx, flags, intents};

/// A plan that was broken off, and how its job goes on.
#[derive(Debug, Serialize)]
pub struct BrokenOff {
    /// Its name.
    pub plan_id: PlanId,
    /// The job whose plan it is.
    pub job: JobName,
    /// The account that it is about.
    pub account: AccountName,
    /// How many of its changes were never sent.
    pub not_sent: i64,
    /// When its job plans them anew by itself; null where a person has to.
    #[serde(serialize_with = "super::status::optional_instant")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// The command that plans them anew.
    pub command: String,
}

impl BrokenOff {
    /// The newest plan of each job that there is, where it was broken off and the job has not looked since.
    pub fn list(
        config: &Config,
        tx: &Tx<'_>,
        gone: &Gone,
        now: DateTime<Utc>,
    ) -> Result<Vec<Self>, StoreError> {
        let paused = flags::paused(tx)?;
        let mut all = Vec::new();
        let plans = plans::unfinished(tx)?.into_iter().map(|plan| gone.seen_plan(plan));
        for plan in plans.filter(|plan| plan.state == PlanState::Interrupted) {
            let Some(job) = config.jobs.get(&plan.job) else { continue };
            let not_sent = intents::not_sent(tx, plan.plan_id)?;
            if not_sent > 0 {
                let job = status::job_status(job, paused.get(&job.name).copied(), Some(tx), gone, now)?;
                all.push(Self::of(plan, not_sent, &job));
            }
        }
        Ok(all)
    }

    fn of(plan: PlanRow, not_sent: i64, job: &JobStatus) -> Self {
        // A job's own run goes by the seller's list and not back to what stood before a run.
        let (next_run_at, command) = match plan.undo_of {
            Some(run) => (None, format!("sellerd undo {run}")),
            None => {
                let writes = job.mode == Mode::Apply;
                (job.next_run_at.filter(|_| writes), format!("sellerd plan {}", plan.job))
            }
        };
        Self { plan_id: plan.plan_id, job: plan.job, account: plan.account, not_sent, next_run_at, command }
    }
}
