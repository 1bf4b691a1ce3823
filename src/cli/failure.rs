//! What went wrong with a command, for people and for programs.

use serde::Serialize;

use super::Exit;
use super::copyable::Typed;
use super::output::note;
use crate::agent::accounts::AccountError;
use crate::agent::ask::Declined;
use crate::agent::daemon::StartError;
use crate::agent::instance::InstanceError;
use crate::agent::state::StateError;
use crate::domain::{ErrorType, Outcome};
use crate::store::StoreError;
use crate::store::runs::RunRow;

/// A command that was not done.
#[derive(Debug)]
pub struct Failure {
    /// A stable code such as `E440`.
    pub code: &'static str,
    /// The exit code.
    pub exit: Exit,
    /// The kind of error, where it is one of the list.
    pub error_type: Option<ErrorType>,
    /// What is wrong, and where.
    pub message: String,
    /// The command or edit that mends it.
    pub fix: String,
    /// It has been said already; only the exit code is left to tell.
    pub said: bool,
}

impl Failure {
    /// A failure with its code and exit.
    pub fn new(code: &'static str, exit: Exit, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, exit, error_type: None, message: message.into(), fix: fix.into(), said: false }
    }

    /// A usage error.
    pub fn usage(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new("E200", Exit::Usage, message, fix)
    }

    /// Something that should not happen.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("E500", Exit::Failed, message, "")
    }

    /// A run that did not do what was asked.
    pub fn of_run(row: &RunRow) -> Self {
        let outcome = row.outcome.map_or("not ended", |outcome| outcome.as_str());
        let (code, fix) = match row.error_type {
            Some(ErrorType::GuardTripped) => {
                ("E520", format!("look at it: sellerd plan list --job {}", row.job))
            }
            Some(ErrorType::PlanStale) => ("E521", format!("make a new one: sellerd plan {}", row.job)),
            Some(ErrorType::Halted) => ("E491", "sellerd unhalt".to_owned()),
            Some(ErrorType::AuthRevoked | ErrorType::AuthForbidden | ErrorType::AuthExpired) => {
                // A run that was never begun says itself what to do.
                let told = row.message.as_deref().and_then(|message| message.rsplit_once(": "));
                let told = told.map(|(_, command)| command).filter(|word| word.starts_with("sellerd auth "));
                let fix = told.unwrap_or("sellerd auth status names the command that mends it");
                ("E491", fix.to_owned())
            }
            _ if row.outcome == Some(Outcome::Interrupted) => ("E491", "give the command again".to_owned()),
            _ => ("E491", format!("sellerd runs show {}", row.run_id)),
        };
        let message = row.message.clone().unwrap_or_else(|| outcome.to_owned());
        let exit = Exit::of_run(row.outcome, row.error_type);
        Self { error_type: row.error_type, ..Self::new(code, exit, format!("{}: {message}", row.job), fix) }
    }

    /// Writes it to stderr: drawn, with commands that can be copied, or as one JSON object. A program knows by itself
    /// which directory it named.
    pub fn print(&self, json: bool, typed: &Typed) {
        if self.said {
            return;
        }
        if json {
            let document = Document {
                schema: "sellerd.error/1",
                code: self.code,
                exit: self.exit as u8,
                error_type: self.error_type,
                message: &self.message,
                fix: &self.fix,
            };
            note(&format!("{}\n", serde_json::to_string(&document).unwrap_or_default()));
            return;
        }
        let fix = match self.fix.as_str() {
            "" => String::new(),
            fix => format!("  fix:  {}\n", typed.copyable(fix)),
        };
        note(&format!("error[{}]: {}\n{fix}", self.code, self.message));
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    code: &'a str,
    exit: u8,
    error_type: Option<ErrorType>,
    message: &'a str,
    fix: &'a str,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (code, exit) = match &error {
            StoreError::Newer { .. } => ("E470", Exit::Config),
            StoreError::Older { .. } | StoreError::Altered { .. } | StoreError::Foreign { .. } => {
                ("E476", Exit::Config)
            }
            StoreError::Locked { .. } => ("E471", Exit::Temporary),
            StoreError::Corrupt { .. } => ("E472", Exit::Failed),
            StoreError::DiskFull { .. } => ("E473", Exit::Failed),
            StoreError::NotWritable { .. } => ("E474", Exit::Failed),
            StoreError::NoDatabase { .. } => ("E475", Exit::Failed),
            _ => ("E500", Exit::Failed),
        };
        // The store's own words end with what mends it.
        Self { error_type: Some(error.error_type()), ..Self::new(code, exit, error.to_string(), "") }
    }
}

impl From<InstanceError> for Failure {
    fn from(error: InstanceError) -> Self {
        let message = error.to_string();
        match error {
            InstanceError::Taken { .. } => Self::new(
                "E440",
                Exit::Taken,
                message,
                "use that one: `sellerd status` reads beside it; or stop it first, for example: systemctl stop sellerd",
            ),
            InstanceError::NotUsable { dir, why } => {
                let fix = match why.kind() {
                    std::io::ErrorKind::StorageFull => "make room on the disk".to_owned(),
                    _ => format!(
                        "make it a directory that this user can write to, or choose another `state_dir` in \
                         sellerd.toml: {}",
                        dir.display()
                    ),
                };
                Self::new("E474", Exit::Failed, message, fix)
            }
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Instance(error) => error.into(),
            StateError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            other => Self::new("E480", Exit::Failed, other.to_string(), ""),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::State(error) => error.into(),
            StartError::Store(error) => error.into(),
            StartError::Account(error) => error.into(),
            StartError::Trigger(error) => Self::internal(error.to_string()),
            StartError::Front(message) => Self::new("E481", Exit::Failed, message, ""),
        }
    }
}

impl From<Declined> for Failure {
    fn from(declined: Declined) -> Self {
        Self::new("E490", Exit::of_number(declined.exit), declined.message, declined.fix)
    }
}
