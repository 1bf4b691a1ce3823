//! How a run ended: as it is written down, and the one line that says so in the log.

use std::time::Duration;

use crate::agent::credentials::NotWorked;
use crate::domain::{AccountName, ErrorType, Outcome, spelled};
use crate::jobs::{JobError, Report};
use crate::store::runs::{self, RunEnd};
use crate::telemetry;

/// The job came to its end.
pub(super) fn from_report(report: Report) -> RunEnd {
    RunEnd {
        outcome: report.outcome(),
        error_type: report.error_type(),
        message: report.words(),
        requests: 0,
        counts: report.counts,
    }
}

/// The job could not go on.
pub(super) fn from_error(error: &JobError) -> RunEnd {
    failed(error.outcome(), error.error_type(), error.to_string())
}

/// The job was never begun, since there is nothing to sign with.
pub(super) fn no_account(name: &AccountName, why_not: Option<&NotWorked>) -> RunEnd {
    let message = match why_not {
        None => format!("account {name} is not logged in; see: sellerd auth status"),
        Some(NotWorked { why, command }) if command.ends_with(name.as_str()) => {
            format!("{why}; the command that mends it: {command}")
        }
        Some(NotWorked { why, command }) => format!("{why}; what mends it is told by: {command}"),
    };
    failed(Outcome::Blocked, Some(ErrorType::AuthExpired), message)
}

/// The job was still at it when its time was over.
pub(super) fn timed_out(limit: Duration) -> RunEnd {
    failed(
        Outcome::Timeout,
        Some(ErrorType::Timeout),
        format!("it took longer than its timeout of {}; raise `timeout` in the job's file", spelled(limit)),
    )
}

/// The job panicked.
pub(super) fn broke_off() -> RunEnd {
    failed(
        Outcome::Failure,
        Some(ErrorType::Internal),
        "a bug in sellerd broke the run off; please report it with the log".to_owned(),
    )
}

/// The run before it was still going on.
pub(super) fn overlapped() -> RunEnd {
    failed(Outcome::Skipped, None, "the run before it had not ended".to_owned())
}

fn failed(outcome: Outcome, error_type: Option<ErrorType>, message: String) -> RunEnd {
    RunEnd { outcome, error_type, message: Some(message), requests: 0, counts: Default::default() }
}

/// The line of a run that nobody worked on to its end: it was not begun, or a crash left it open.
pub(in crate::agent) fn log_closed(row: &runs::RunRow) {
    let lasted = row.finished_at.map_or(0, |end| (end - row.started_at).num_milliseconds());
    telemetry::run_span(row.account.as_ref(), &row.job, row.run_id)
        .in_scope(|| log_finished(row, lasted.unsigned_abs()));
}

/// The one line of every run, whatever happened.
pub(super) fn log_finished(row: &runs::RunRow, duration_ms: u64) {
    let outcome = row.outcome.map_or("", |outcome| outcome.as_str());
    let error_type = row.error_type.map(|error_type| error_type.as_str());
    let message = row.message.as_deref().unwrap_or("run finished");
    let orders_new = row.counts.get("orders_new").copied();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = "job.finished",
                outcome,
                duration_ms,
                requests = row.requests,
                orders_new,
                error.r#type = error_type,
                "{message}",
            )
        };
    }
    match row.outcome {
        Some(Outcome::Success | Outcome::Skipped) => line!(info),
        Some(Outcome::Partial | Outcome::Interrupted) => line!(warn),
        // It waits for the next window, and nothing is wrong.
        Some(Outcome::Blocked) if row.error_type == Some(ErrorType::QuotaExhausted) => line!(warn),
        // That was told once, when it was refused; each slot until a person acts is no news.
        Some(Outcome::Blocked) if row.error_type.is_some_and(ErrorType::is_of_access) => line!(info),
        _ => line!(error),
    }
}
