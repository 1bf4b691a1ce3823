//! What a run achieved, or why it did not get to its end.

use std::collections::BTreeMap;

use super::put_off::PutOff;
use crate::domain::{Complaint, ErrorType, Outcome, PlanId};
use crate::http::{CallError, Refusal};
use crate::source::SourceError;
use crate::store::StoreError;

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
    /// The plan that it made or applied.
    pub plan: Option<PlanId>,
    /// A guard stopped it.
    pub guarded: bool,
    /// What broke it off after part of it was done.
    pub broken_off: Option<JobError>,
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
    /// The seller's list is not believed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The agent stops.
    #[error("the agent stopped")]
    Stopped,
    /// The rest of the window does not pay for what is still to do.
    #[error(transparent)]
    PutOff(#[from] PutOff),
    /// What a plan rests on is not so any more.
    #[error("{0}")]
    Stale(String),
    /// The file that the job needs could not be written, or something else is wrong with it.
    #[error("{0}")]
    File(String, ErrorType),
}

impl Report {
    /// Counts `by` more of `name`.
    pub(super) fn count(&mut self, name: &str, by: i64) {
        *self.counts.entry(name.to_owned()).or_default() += by;
    }

    /// Says one more thing.
    pub(super) fn say(&mut self, words: impl Into<String>) {
        let words = words.into();
        self.message = Some(match self.message.take() {
            Some(before) => format!("{before}; {words}"),
            None => words,
        });
    }

    /// How a run with this report ended.
    pub fn outcome(&self) -> Outcome {
        let something_done = self.counts.get("applied").is_some_and(|applied| *applied > 0);
        match &self.broken_off {
            Some(JobError::Stopped) => Outcome::Interrupted,
            Some(error) if !something_done => error.outcome(),
            Some(_) => Outcome::Partial,
            None if self.guarded => Outcome::Guarded,
            None if self.incomplete || !self.complaints.is_empty() => Outcome::Partial,
            None => Outcome::Success,
        }
    }

    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> Option<ErrorType> {
        match &self.broken_off {
            Some(error) => error.error_type(),
            None if self.guarded => Some(ErrorType::GuardTripped),
            None => (!self.complaints.is_empty()).then_some(ErrorType::BadResponse),
        }
    }

    /// What people are told: the message, and the first complaints with the number of the rest.
    pub fn words(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let shown = self.complaints.iter().take(SHOWN).map(|c| format!("{}: {}", c.place, c.problem));
        let more = self.complaints.len().saturating_sub(SHOWN);
        let rest = (more > 0).then(|| format!("and {more} more"));
        let broken_off = self.broken_off.iter().map(ToString::to_string);
        let parts: Vec<String> =
            self.message.iter().cloned().chain(broken_off).chain(shown).chain(rest).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl JobError {
    /// How a run that failed like this ended.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Stopped => Outcome::Interrupted,
            Self::PutOff(_) => Outcome::Blocked,
            Self::Call(error) => match error {
                CallError::Unauthorized { .. }
                | CallError::ClocksDisagree { .. }
                | CallError::Forbidden { .. }
                | CallError::RateLimited { .. } => Outcome::Blocked,
                CallError::Stopped => Outcome::Interrupted,
                CallError::Refused(
                    Refusal::Access { .. }
                    | Refusal::Quota { .. }
                    | Refusal::Public(_)
                    | Refusal::Halted
                    | Refusal::Parked(_),
                ) => Outcome::Blocked,
                _ => Outcome::Failure,
            },
            Self::Store(_) | Self::File(..) | Self::Source(_) | Self::Stale(_) => Outcome::Failure,
        }
    }

    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> Option<ErrorType> {
        match self {
            Self::Stopped | Self::Call(CallError::Stopped) => None,
            Self::Call(error) => Some(error.error_type()),
            Self::Store(error) => Some(error.error_type()),
            Self::Source(error) => Some(error.error_type()),
            Self::PutOff(_) => Some(ErrorType::QuotaExhausted),
            Self::Stale(_) => Some(ErrorType::PlanStale),
            Self::File(_, error_type) => Some(*error_type),
        }
    }
}
