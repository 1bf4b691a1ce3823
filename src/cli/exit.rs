//! Exit codes: part of the contract. Any other non-zero is a failure too.

use std::process::ExitCode;

use crate::domain::{ErrorType, Outcome};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked.
    Success = 0,
    /// It did not.
    Failed = 1,
    /// It was asked in words it does not know.
    Usage = 2,
    /// Some of it was done.
    Partial = 3,
    /// A login is missing, expired or revoked.
    Login = 4,
    /// It may work later: network, quota, somebody else's turn.
    Temporary = 5,
    /// A guard stopped it.
    Guarded = 6,
    /// What a plan rests on is not so any more.
    Stale = 7,
    /// There are changes that wait; only with `plan --exit-code`.
    Changes = 10,
    /// Another instance holds the state.
    Taken = 11,
    /// The configuration is wrong, or the database is of a newer version.
    Config = 78,
    /// It was interrupted.
    Interrupted = 130,
}

impl Exit {
    /// The exit code of a run.
    pub fn of_run(outcome: Option<Outcome>, error_type: Option<ErrorType>) -> Self {
        match outcome {
            Some(Outcome::Success | Outcome::Skipped) => Self::Success,
            Some(Outcome::Partial) => Self::Partial,
            Some(Outcome::Guarded) => Self::Guarded,
            Some(Outcome::Interrupted) => Self::Interrupted,
            Some(Outcome::Timeout) => Self::Temporary,
            Some(Outcome::Blocked) => match error_type {
                // `internal`: another has taken over. None of these is a matter of the login.
                Some(
                    ErrorType::ClockSkew
                    | ErrorType::QuotaExhausted
                    | ErrorType::RateLimited
                    | ErrorType::Halted
                    | ErrorType::Parked
                    | ErrorType::Internal,
                ) => Self::Temporary,
                _ => Self::Login,
            },
            Some(Outcome::Failure) if error_type == Some(ErrorType::PlanStale) => Self::Stale,
            Some(Outcome::Failure) | None => Self::Failed,
        }
    }

    /// The code of that number, as the agent's answers carry it.
    pub fn of_number(number: u8) -> Self {
        let all = [
            Self::Usage,
            Self::Partial,
            Self::Login,
            Self::Temporary,
            Self::Guarded,
            Self::Stale,
            Self::Taken,
            Self::Config,
        ];
        all.into_iter().find(|exit| *exit as u8 == number).unwrap_or(Self::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
