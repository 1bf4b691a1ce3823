//! What a run is given to work with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Earmarks, JobError, Progress};
use crate::clock::SharedClock;
use crate::domain::{AccountName, Currency, ErrorType, JobName, PlanId, RunId, Trigger};
use crate::marketplace::{Marketplace, Writer};
use crate::policy::quota::WindowKind;
use crate::store::Store;

/// What a run is given to work with.
pub struct Context {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// The run.
    pub run: RunId,
    /// The job's name.
    pub job: JobName,
    /// The account and the way to it, for the kinds that work one.
    pub account: Option<Worked>,
    /// What is wanted of this run.
    pub errand: Errand,
    /// What started it.
    pub trigger: Trigger,
    /// The directory of the database and its backups.
    pub state_dir: PathBuf,
    /// Cancelled when the agent stops: finish what is in hand and return.
    pub stop: CancellationToken,
    /// How far the run is, for who waits for it.
    pub progress: Arc<Progress>,
}

/// The account that a run works.
pub struct Worked {
    /// Its name.
    pub name: AccountName,
    /// The way to it.
    pub way: Way,
    /// The currency of its prices.
    pub currency: Currency,
    /// How long an unanswered write may still take effect.
    pub grace: Duration,
    /// How the marketplace counts its requests.
    pub window: WindowKind,
    /// How many of them the configuration allows in a window.
    pub limit: Option<i64>,
    /// The shelf that it sells from.
    pub shelf: Shelf,
    /// Whose turn it is to change it: one run at a time, whatever its job.
    pub turn: Turn,
    /// What its runs that have begun will still ask for.
    pub earmarks: Earmarks,
}

/// The shelf that an account sells from: what a channel of the configuration means to one of its accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf {
    /// The other accounts that sell from it.
    pub sisters: Vec<Sister>,
    /// Copies of each item that are held back.
    pub buffer: i64,
}

/// Another account that sells from the same shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sister {
    /// Its name.
    pub name: AccountName,
    /// The job that reads its orders, if there is one.
    pub order_poll: Option<JobName>,
    /// The command that gives it a login, where it has none.
    pub way_in: Option<String>,
}

/// Whose turn it is to change an account. Clones are the same turn.
#[derive(Debug, Clone, Default)]
pub struct Turn(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: tokio::sync::Mutex<()>,
    wrote: Mutex<Option<Duration>>,
}

impl Turn {
    /// When this process last sent a write to the account, by its monotonic clock, if it ever did.
    pub(super) fn wrote(&self) -> Option<Duration> {
        *self.0.wrote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write was sent.
    pub(super) fn note_write(&self, at: Duration) {
        *self.0.wrote.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// The way to an account. A run that only looks holds nothing that could change it.
pub enum Way {
    /// It can be looked at.
    Looks(Box<dyn Marketplace>),
    /// It can be changed, too.
    Writes(Box<dyn Writer>),
}

/// What is wanted of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errand {
    /// What the job does by its schedule.
    #[default]
    Usual,
    /// Make a plan and stop there.
    Plan,
    /// Apply this plan, although these guards hold it.
    Apply {
        /// The plan.
        plan: PlanId,
        /// The guards that a person accepts for it.
        accepted: Vec<String>,
    },
    /// Plan how to go back to what stood before a run.
    Undo(RunId),
}

impl Context {
    /// The account, for the kinds that work one. The configuration has seen to it that there is one.
    pub(super) fn worked(&self) -> Result<&Worked, JobError> {
        self.account
            .as_ref()
            .ok_or_else(|| JobError::File("this job has no account".to_owned(), ErrorType::ConfigInvalid))
    }

    /// The account to look at.
    pub(super) fn market(&self) -> Result<(&AccountName, &dyn Marketplace), JobError> {
        let worked = self.worked()?;
        let market: &dyn Marketplace = match &worked.way {
            Way::Looks(market) => market.as_ref(),
            Way::Writes(writer) => writer.as_ref(),
        };
        Ok((&worked.name, market))
    }

    /// The account to change, if this run may.
    pub(super) fn writer(&self) -> Option<&dyn Writer> {
        match &self.account.as_ref()?.way {
            Way::Looks(_) => None,
            Way::Writes(writer) => Some(writer.as_ref()),
        }
    }

    /// Waits until no other run changes the account. The turn ends with what is returned.
    pub(super) async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, JobError> {
        tokio::select! {
            turn = self.worked()?.turn.0.taken.lock() => Ok(turn),
            () = self.stop.cancelled() => Err(JobError::Stopped),
        }
    }

    /// An error once the agent stops; asked between two pages, so that what is in hand is finished.
    pub(super) fn go_on(&self) -> Result<(), JobError> {
        if self.stop.is_cancelled() { Err(JobError::Stopped) } else { Ok(()) }
    }

    /// Waits until our monotonic clock shows `elapsed`, or the agent stops, and shows meanwhile what it waits for.
    pub(super) async fn wait_for(&self, what: &'static str, elapsed: Duration) -> Result<(), JobError> {
        if elapsed > self.clock.elapsed() {
            self.progress.wait(what, elapsed);
        }
        let waited = self.wait_until(elapsed).await;
        self.progress.go_on();
        waited
    }

    /// Waits until our monotonic clock shows `elapsed`, or the agent stops.
    pub(super) async fn wait_until(&self, elapsed: Duration) -> Result<(), JobError> {
        let rest = elapsed.saturating_sub(self.clock.elapsed());
        tokio::select! {
            () = self.clock.sleep(rest) => Ok(()),
            () = self.stop.cancelled() => Err(JobError::Stopped),
        }
    }
}
