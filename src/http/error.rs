//! How a call can fail: one class for each thing that a caller does differently.

use chrono::{DateTime, Utc};

use super::Refusal;
use crate::domain::ErrorType;

/// A call that brought no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not sent: the gate did not let it through.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// 401: the login is not accepted.
    #[error("401 on {at}: the login is not accepted")]
    Unauthorized {
        /// Method and path template.
        at: String,
    },
    /// 401 for the timestamp, although it was signed anew by the marketplace's clock: nothing is known of the login.
    #[error("401 on {at}: the clocks disagree, also by the date of the answer before")]
    ClocksDisagree {
        /// Method and path template.
        at: String,
    },
    /// 403: understood and refused.
    #[error("403 on {at}: access is refused")]
    Forbidden {
        /// Method and path template.
        at: String,
    },
    /// 429: too many requests. The rest of the window is out of reach when `until` is its end.
    #[error("429 on {at}: too many requests, try again after {until}")]
    RateLimited {
        /// Method and path template.
        at: String,
        /// When it is worth trying again.
        until: DateTime<Utc>,
    },
    /// The marketplace could not be reached or did not do its work; the next run may fare better.
    #[error("{at}: {what}")]
    Unavailable {
        /// Method and path template.
        at: String,
        /// What happened, for example `503, three times`.
        what: String,
        /// The kind of it.
        error_type: ErrorType,
    },
    /// An answer that cannot be what the marketplace meant: cut off, no JSON, an HTML page, too large.
    #[error("{at}: {what}")]
    BadAnswer {
        /// Method and path template.
        at: String,
        /// What is wrong with it; never its contents.
        what: String,
    },
    /// There is no such thing.
    #[error("404 on {at}: there is no such thing")]
    NotFound {
        /// Method and path template.
        at: String,
    },
    /// The marketplace understood and declined, with its reason.
    #[error("{status} on {at}: {reason}")]
    Rejected {
        /// Method and path template.
        at: String,
        /// The HTTP status.
        status: u16,
        /// The marketplace's words, cleaned.
        reason: String,
    },
    /// The agent stops, so nothing more is sent.
    #[error("the agent stopped")]
    Stopped,
    /// Our own state could not be kept, so nothing is sent.
    #[error("{0}")]
    Store(String, ErrorType),
}

impl CallError {
    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Refused(refusal) => refusal.error_type(),
            Self::Unauthorized { .. } => ErrorType::AuthRevoked,
            Self::ClocksDisagree { .. } => ErrorType::ClockSkew,
            Self::Forbidden { .. } => ErrorType::AuthForbidden,
            Self::RateLimited { .. } => ErrorType::RateLimited,
            Self::Unavailable { error_type, .. } | Self::Store(_, error_type) => *error_type,
            Self::BadAnswer { .. } => ErrorType::BadResponse,
            // An error that came with a status of success.
            Self::Rejected { status: ..400, .. } => ErrorType::BadResponse,
            Self::NotFound { .. } | Self::Rejected { .. } => ErrorType::Http4xx,
            Self::Stopped => ErrorType::Internal,
        }
    }
}
