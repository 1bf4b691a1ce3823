//! Runs that nobody works on any more, for those who only look. A kill leaves them open in the database until the next
//! process that takes the state writes down how they ended; until then it is told from the lock and the row alone.

use std::collections::BTreeMap;
use std::path::Path;

use super::instance;
use crate::domain::{Outcome, PlanState, RunId};
use crate::store::plans::PlanRow;
use crate::store::runs::RunRow;
use crate::store::{Store, StoreError, requests, runs};

/// What a run says whose process ended before it.
pub const STOPPED: &str = "the agent stopped while it ran";

/// The runs that are open in the database although nobody has the state, with the requests that they made.
#[derive(Debug, Clone, Default)]
pub struct Gone(BTreeMap<RunId, i64>);

impl Gone {
    /// Looks for them beside whoever owns the state. Rows have to be read after this: one that was open before, while
    /// nobody had the lock, and is open still has no owner, since who runs a job holds the lock from before its row is
    /// made until after its row is closed.
    pub async fn look(store: &Store, state_dir: &Path) -> Result<Self, StoreError> {
        let open = store.read(runs::left_open).await?;
        if open.is_empty() || instance::is_taken(state_dir) {
            return Ok(Self::default());
        }
        let count = store.read(move |tx| {
            open.iter().map(|run| Ok((run.run_id, requests::count_for_run(tx, run.run_id)?))).collect()
        });
        Ok(Self(count.await?))
    }

    /// A run as it really stands. Nobody knows when it ended, so it has no such time.
    pub fn seen(&self, run: RunRow) -> RunRow {
        match self.0.get(&run.run_id) {
            Some(requests) if run.outcome.is_none() => RunRow {
                outcome: Some(Outcome::Interrupted),
                message: Some(STOPPED.to_owned()),
                requests: *requests,
                ..run
            },
            _ => run,
        }
    }

    /// A plan as it really stands: nobody applies it any more whose run is gone.
    pub fn seen_plan(&self, plan: PlanRow) -> PlanRow {
        match plan.applied_by {
            Some(run) if plan.state == PlanState::Applying && self.0.contains_key(&run) => {
                PlanRow { state: PlanState::Interrupted, ..plan }
            }
            _ => plan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::instance::Instance;
    use crate::clock::{Clock, SystemClock};
    use crate::domain::Trigger;
    use crate::store::Lane;
    use crate::store::runs::{NewRun, RunEnd};

    #[tokio::test(start_paused = true)]
    async fn a_run_is_interrupted_once_nobody_has_the_state_and_its_row_is_still_open() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemClock::default().now();
        let owner = Instance::take(dir.path()).unwrap();
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Thread, now).unwrap();
        let new = NewRun {
            job: "pull".into(),
            kind: "stock-pull".to_owned(),
            account: None,
            due_at: now,
            trigger: Trigger::Manual,
            started_at: now,
        };
        let id = store.write(move |tx| runs::open(tx, &new)).await.unwrap().unwrap();
        let row = async || store.read(move |tx| runs::show(tx, id)).await.unwrap().unwrap();
        let look = async || Gone::look(&store, dir.path()).await.unwrap();

        let open = row().await;
        assert_eq!(look().await.seen(open.clone()), open, "its owner has the lock");
        drop(owner);
        let gone = look().await;
        let seen = gone.seen(open.clone());
        assert_eq!((seen.outcome, seen.finished_at), (Some(Outcome::Interrupted), None));
        assert_eq!(seen.message.as_deref(), Some(STOPPED));
        assert_eq!(row().await, open, "nothing is written by who only looks");

        // It came to its end between the look and the reading of its row.
        let end = RunEnd {
            outcome: Outcome::Success,
            error_type: None,
            message: None,
            requests: 7,
            counts: BTreeMap::new(),
        };
        store.write(move |tx| runs::finish(tx, id, &end, now)).await.unwrap();
        let ended = row().await;
        assert_eq!(gone.seen(ended.clone()), ended);
        assert_eq!(look().await.seen(open.clone()), open, "a row is closed once");
    }
}
