//! What every request must pass: the trait that the client calls before and after each attempt.
//!
//! **No request leaves the process unless one transaction has just checked that we still own the account, that
//! its access is active and nothing is halted, has taken the quota, and has recorded what is about to be sent.**
//! The agent implements it over the store; a test may pass its own.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::{ErrorType, IntentId, RequestClass, RunId};
use crate::policy::access::{AccessEvent, AccessState, Asked};
use crate::policy::meter::Declined;
use crate::policy::trouble::Trouble;

/// Lets requests of one account out, one at a time, and writes down what became of them.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Asks for one request to be let out. Once this returns a pass, the request counts as sent.
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal>;

    /// Writes down what became of a request that was let out, in one transaction.
    async fn settle(&self, pass: Pass, attempt: &Attempt) -> Result<Settled, Refusal>;
}

/// A request as the gate sees it: no query, no body.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The HTTP method.
    pub method: &'static str,
    /// The path with its variable parts named, for example `stock/{start}`.
    pub template: &'static str,
    /// What it is for.
    pub class: RequestClass,
    /// The run it belongs to; none for what a person asks for by hand.
    pub run: Option<RunId>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Who asks. A person may ask though the account is blocked, and the canary where it is suspended.
    pub asked: Asked,
    /// Whether it may change something at the marketplace.
    pub writes: bool,
    /// Whether the marketplace counts it against the quota.
    pub counted: bool,
    /// The intents that it carries out, recorded before. They count as sent with it.
    pub intents: Vec<IntentId>,
}

impl Outgoing {
    /// Method and template, as people read it.
    pub fn at(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

/// What follows from an answer for the one who asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// It was refused and nobody knows yet what that means: the canary is to be asked.
    pub undecided: bool,
}

/// Leave for exactly one request.
#[derive(Debug, Clone)]
pub struct Pass {
    /// The row in which it is recorded.
    pub request_id: i64,
    /// Who asks.
    pub asked: Asked,
    /// How far the marketplace's clock is ahead of ours, in milliseconds, as last seen.
    pub clock_offset_ms: i64,
}

/// What became of a request.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong; `None` for an answer that is one.
    pub error_type: Option<ErrorType>,
    /// From sending to the last byte.
    pub duration: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The marketplace's own count of this window's requests, where it says so.
    pub quota_count: Option<i64>,
    /// The marketplace's own limit, where it says so.
    pub quota_limit: Option<i64>,
    /// The marketplace said that the window is used up.
    pub window_full: bool,
    /// The marketplace's clock minus ours, in milliseconds, where the answer carried a date.
    pub clock_offset_ms: Option<i64>,
    /// It was refused for its timestamp, which was the marketplace's own of a moment before.
    pub clocks_disagree: bool,
    /// What it says about the account's access.
    pub access: Option<AccessEvent>,
    /// The trouble that kept it from being an answer, where that is none of ours.
    pub trouble: Option<Trouble>,
}

/// Why the gate lets nothing out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is blocked.
    #[error("the account is {} since {since}: {reason}", state.as_str())]
    Access {
        /// The state that blocks it.
        state: AccessState,
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        reason: String,
        /// When access can be asked for again, if it was revoked.
        reapply_on: Option<NaiveDate>,
    },
    /// The window's requests are used up.
    #[error("{used} of {limit} requests are used; the next one leaves {until} at the earliest")]
    Quota {
        /// When it is worth asking again, by our wall clock.
        until: DateTime<Utc>,
        /// What was used.
        used: i64,
        /// The most that are allowed.
        limit: i64,
    },
    /// Too much of what the account asks would be data that anybody may see.
    #[error("{0}")]
    Public(Declined),
    /// A person has halted every write.
    #[error("writes are halted; `sellerd unhalt` lets them go on")]
    Halted,
    /// A write of this account came out as nobody expected, and a person has to look before the next one.
    #[error("writes of this account are parked: {0}")]
    Parked(String),
    /// Another process has taken the account over.
    #[error("another sellerd works this account now")]
    LostOwnership,
    /// What is about to be sent could not be recorded, so it is not sent.
    #[error("{0}")]
    Store(String, ErrorType),
}

impl Refusal {
    /// Whether the account is suspended: then the canary may tell more.
    pub fn is_suspended(&self) -> bool {
        matches!(self, Self::Access { state: AccessState::Suspended, .. })
    }

    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Access { state: AccessState::Unauthorized, .. } => ErrorType::AuthRevoked,
            Self::Access { .. } => ErrorType::AuthForbidden,
            Self::Quota { .. } | Self::Public(_) => ErrorType::QuotaExhausted,
            Self::Halted => ErrorType::Halted,
            Self::Parked(_) => ErrorType::Parked,
            Self::LostOwnership => ErrorType::Internal,
            Self::Store(_, error_type) => *error_type,
        }
    }
}
