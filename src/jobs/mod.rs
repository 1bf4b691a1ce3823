//! Use cases: one file a job kind. A job knows neither which marketplace it works nor when it runs.

mod housekeeping;
mod order_poll;
mod probe;
mod stock_pull;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::config::Work;
use crate::domain::{AccountName, Complaint, ErrorType, JobName, Outcome, RunId};
use crate::http::{CallError, Refusal};
use crate::marketplace::Marketplace;
use crate::store::{Store, StoreError};

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
    pub account: Option<(AccountName, Box<dyn Marketplace>)>,
    /// The directory of the database and its backups.
    pub state_dir: PathBuf,
    /// Cancelled when the agent stops: finish what is in hand and return.
    pub stop: CancellationToken,
}

/// What a run achieved.
#[derive(Debug, Default)]
pub struct Report {
    /// What was counted, by name.
    pub counts: BTreeMap<String, i64>,
    /// What could not be read; the run is `partial` when there is any.
    pub complaints: Vec<Complaint>,
    /// A sentence for people, where there is something to say.
    pub message: Option<String>,
    /// Something was left undone that the counts do not show; the run is `partial`.
    pub incomplete: bool,
}

/// Why a run did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The marketplace was asked in vain.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The database did not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent stops.
    #[error("the agent stopped")]
    Stopped,
    /// The file that the job needs could not be written.
    #[error("{0}")]
    File(String, ErrorType),
}

/// Does what a job of this kind does.
pub async fn work(work: &Work, context: &Context) -> Result<Report, JobError> {
    match work {
        Work::StockPull(_) => stock_pull::run(context).await,
        Work::StockSync(_) => {
            let why = "this version checks the settings of a stock-sync and cannot run it yet";
            Err(JobError::File(why.to_owned(), ErrorType::ConfigInvalid))
        }
        Work::OrderPoll(_) => order_poll::run(context).await,
        Work::Probe(_) => probe::run(context).await,
        Work::Housekeeping(settings) => housekeeping::run(settings, context).await,
    }
}

impl Context {
    /// The account, for the kinds that work one. The configuration has seen to it that there is one.
    fn market(&self) -> Result<(&AccountName, &dyn Marketplace), JobError> {
        match &self.account {
            Some((name, market)) => Ok((name, market.as_ref())),
            None => Err(JobError::File("this job has no account".to_owned(), ErrorType::ConfigInvalid)),
        }
    }

    /// An error once the agent stops; asked between two pages, so that what is in hand is finished.
    fn go_on(&self) -> Result<(), JobError> {
        if self.stop.is_cancelled() { Err(JobError::Stopped) } else { Ok(()) }
    }
}

impl Report {
    /// Counts `by` more of `name`.
    fn count(&mut self, name: &str, by: i64) {
        *self.counts.entry(name.to_owned()).or_default() += by;
    }

    /// How a run with this report ended.
    pub fn outcome(&self) -> Outcome {
        if self.incomplete || !self.complaints.is_empty() { Outcome::Partial } else { Outcome::Success }
    }

    /// What people are told: the message, and the first complaints with the number of the rest.
    pub fn words(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let shown = self.complaints.iter().take(SHOWN).map(|c| format!("{}: {}", c.place, c.problem));
        let more = self.complaints.len().saturating_sub(SHOWN);
        let rest = (more > 0).then(|| format!("and {more} more"));
        let parts: Vec<String> = self.message.iter().cloned().chain(shown).chain(rest).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl JobError {
    /// How a run that failed like this ended.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Stopped => Outcome::Interrupted,
            Self::Call(error) => match error {
                CallError::Unauthorized { .. }
                | CallError::Forbidden { .. }
                | CallError::RateLimited { .. } => Outcome::Blocked,
                CallError::Stopped => Outcome::Interrupted,
                CallError::Refused(Refusal::Access { .. } | Refusal::Quota { .. } | Refusal::Halted) => {
                    Outcome::Blocked
                }
                _ => Outcome::Failure,
            },
            Self::Store(_) | Self::File(..) => Outcome::Failure,
        }
    }

    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> Option<ErrorType> {
        match self {
            Self::Stopped | Self::Call(CallError::Stopped) => None,
            Self::Call(error) => Some(error.error_type()),
            Self::Store(error) => Some(error.error_type()),
            Self::File(_, error_type) => Some(*error_type),
        }
    }
}
