//! Opening the state: the same path after a clean stop and after a crash. A clean start finds nothing to repair.

use chrono::{DateTime, Utc};

use super::gone::STOPPED;
use super::instance::{Instance, InstanceError};
use super::runner::log_closed;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::{ErrorType, Outcome};
use crate::planning::recovery::{Repair, Wreckage, repairs};
use crate::store::{self, Lane, Store, StoreError, Tx, intents, plans, requests, runs, session, snapshots};

/// What the machine gives: its time, and where the database works. Under simulation both are other values.
#[derive(Clone)]
pub struct Machine {
    /// The time.
    pub clock: SharedClock,
    /// Where transactions run.
    pub lane: Lane,
}

impl Machine {
    /// A machine in service, with threads of its own for the database.
    pub fn in_service(clock: SharedClock) -> Self {
        Self { clock, lane: Lane::Thread }
    }
}

/// The state, open and ours.
pub struct State {
    /// The database.
    pub store: Store,
    instance: Instance,
}

/// Why the state cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory is not ours.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The database does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl State {
    /// Takes the lock, opens and migrates the database, checks it after an unclean stop, and repairs what that left.
    pub async fn open(config: &Config, machine: &Machine) -> Result<Self, StateError> {
        let instance = Instance::take(&config.state_dir)?;
        let now = machine.clock.now();
        let store = Store::open(&config.state_dir.join("sellerd.db"), machine.lane, now)?;
        // Before the first write: what is damaged is not written to. A migration has checked its copy already.
        let unclean = store.read(session::left_open).await?;
        if unclean.is_some() {
            store::integrity::quick_check(&store).await?;
        }
        store.write(move |tx| session::begin(tx, env!("CARGO_PKG_VERSION"), now)).await?;
        let interrupted = store.write(move |tx| repair(tx, now)).await?;
        if let Some(unclean) = unclean {
            tracing::warn!(
                event = "agent.unclean_shutdown",
                last_seen = %unclean.last_seen,
                interrupted_runs = interrupted.len(),
                "the last stop was not a clean one; the database is whole",
            );
        }
        interrupted.iter().for_each(log_closed);
        Ok(Self { store, instance })
    }

    /// An error once the state directory is not where it was opened.
    pub fn still_there(&self) -> Result<(), StateError> {
        if self.instance.is_there() {
            return Ok(());
        }
        let why = std::io::Error::other("it was moved or removed while sellerd worked in it");
        let dir = self.store.path().parent().unwrap_or(self.store.path()).to_owned();
        Err(InstanceError::NotUsable { dir, why }.into())
    }

    /// Writes down that this was a clean stop and lets go.
    pub async fn close(self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.store.write(move |tx| session::end(tx, now)).await?;
        self.store.close().await
    }
}

/// Makes the repairs that `planning::recovery` finds. Returns the runs that were interrupted: whoever ran them could
/// not log their end any more.
fn repair(tx: &Tx<'_>, now: DateTime<Utc>) -> Result<Vec<runs::RunRow>, StoreError> {
    let open_runs = runs::left_open(tx)?;
    let wreckage = Wreckage {
        open_runs: open_runs.iter().map(|run| run.run_id).collect(),
        unanswered: requests::unanswered(tx)?.iter().map(|r| r.id).collect(),
        open_snapshots: snapshots::left_open(tx)?.into_iter().map(|snapshot| snapshot.id).collect(),
    };
    for repair in repairs(&wreckage) {
        match repair {
            Repair::InterruptRun(run) => {
                let end = runs::RunEnd {
                    outcome: Outcome::Interrupted,
                    error_type: None::<ErrorType>,
                    message: Some(STOPPED.to_owned()),
                    requests: requests::count_for_run(tx, run)?,
                    counts: Default::default(),
                };
                runs::finish(tx, run, &end, now)?;
            }
            Repair::CloseRequest(id) => requests::mark_lost(tx, id, now)?,
            Repair::AbandonSnapshot(id) => snapshots::abandon(tx, id, now)?,
        }
    }
    // What was to be sent and was not is dropped: the next plan sees what is really there.
    intents::drop_pending(tx, None, now)?;
    plans::end_interrupted(tx)?;
    let closed = wreckage.open_runs.iter().filter_map(|run| runs::show(tx, *run).transpose());
    closed.collect()
}
