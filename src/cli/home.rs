//! Where a command works: the configuration directory, and how its results are to be written.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::args::{Args, Format};
use super::copyable::Typed;
use super::{Exit, Failure};
use crate::agent::credentials;
use crate::clock::SharedClock;
use crate::config::{self, Config, LogFormat};
use crate::domain::AccountName;
use crate::store::{Store, StoreError};
use crate::telemetry;

/// What every command is given.
pub struct Home {
    /// The configuration directory.
    pub dir: PathBuf,
    /// How results are written.
    pub output: Format,
    /// Nothing is asked.
    pub no_input: bool,
    /// Every question is answered with yes.
    pub yes: bool,
    /// Only what went wrong is said.
    pub quiet: bool,
    /// Whether stderr may have colours.
    pub colour: bool,
    /// What the commands that it shows have to repeat.
    pub typed: Typed,
    verbose: u8,
}

impl Home {
    pub fn of(args: &Args) -> Self {
        Self {
            dir: config::find_dir(args.config.clone(), |name| std::env::var_os(name)),
            output: args.output,
            no_input: args.no_input,
            yes: args.yes,
            colour: !args.no_color
                && std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none(),
            typed: Typed::of(args),
            verbose: args.verbose,
            quiet: args.quiet,
        }
    }

    /// The configuration without anybody's credentials, or its mistakes drawn and exit 78. Warnings are drawn too and do
    /// not keep anybody.
    pub fn config(&self) -> Result<Config, Failure> {
        self.take(config::read(&self.dir))
    }

    /// The same for a command about one account, with its credentials and those of no other.
    pub async fn config_of(&self, account: &AccountName) -> Result<Config, Failure> {
        let mut config = self.config()?;
        self.look_for(&mut config, account).await;
        Ok(config)
    }

    /// The same once more, when its warnings have been drawn.
    pub async fn config_of_quietly(&self, account: &AccountName) -> Result<Config, Failure> {
        let mut config = self.config_quietly()?;
        credentials::look_for(&mut config, vec![account.clone()]).await;
        Ok(config)
    }

    /// The configuration with the credentials of every account, for a command that shows what is wrong with them.
    pub async fn config_of_all_quietly(&self) -> Result<Config, Failure> {
        let mut config = self.config_quietly()?;
        let names = config.accounts.keys().cloned().collect();
        credentials::look_for(&mut config, names).await;
        Ok(config)
    }

    /// Looks for the credentials of an account. Warnings are drawn; what is in the way is told by what it keeps from
    /// being done.
    pub async fn look_for(&self, config: &mut Config, account: &AccountName) {
        let mut found = credentials::look_for(config, vec![account.clone()]).await;
        found.retain(|diagnostic| diagnostic.severity == config::Severity::Warning);
        if !found.is_empty() && !self.output.is_json() && !self.quiet {
            self.typed.mend(&mut found);
            super::output::note(&config::draw(&found, self.colour));
        }
    }

    fn config_quietly(&self) -> Result<Config, Failure> {
        let checked = config::read(&self.dir);
        match checked.config {
            Some(config) => Ok(config),
            None => self.take(checked),
        }
    }

    fn take(&self, mut checked: config::Checked) -> Result<Config, Failure> {
        let errors = checked.config.is_none();
        if !checked.diagnostics.is_empty() && (errors || !self.output.is_json() && !self.quiet) {
            match self.output.is_json() {
                true => return Err(Self::mistakes(&checked)),
                false => self.typed.mend(&mut checked.diagnostics),
            }
            super::output::note(&match errors {
                true => checked.draw(self.colour),
                // A command that goes on says nothing of how many files there are.
                false => config::draw(&checked.diagnostics, self.colour),
            });
        }
        checked.config.ok_or_else(|| Failure { said: true, ..Self::no_config() })
    }

    fn no_config() -> Failure {
        Failure::new("E100", Exit::Config, "the configuration has mistakes", "sellerd config check")
    }

    fn mistakes(checked: &config::Checked) -> Failure {
        let first = checked.diagnostics.iter().find(|d| d.severity == config::Severity::Error);
        match first {
            None => Self::no_config(),
            Some(d) => Failure {
                error_type: Some(crate::domain::ErrorType::ConfigInvalid),
                ..Failure::new(
                    d.code,
                    Exit::Config,
                    format!("{}:{}:{}: {}", d.file.display(), d.line, d.column, d.message),
                    d.fix.clone().unwrap_or_default(),
                )
            },
        }
    }

    /// The database beside whoever owns it; `None` when there is none yet.
    pub fn store(&self, config: &Config) -> Result<Option<Store>, Failure> {
        match Store::open_beside(&config.state_dir.join("sellerd.db")) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NoDatabase { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Logs for a command that has no configuration: from `usual` on, unless it is told otherwise.
    pub fn log_plainly(&self, usual: &str, clock: &SharedClock) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, 0) => usual,
            (_, 1) => "info",
            (_, _) => "debug",
        };
        let _ = telemetry::init(telemetry::Format::Auto, level, clock.clone());
    }

    /// Logs as the configuration says; a single command at a terminal only when it is told to.
    pub fn log(&self, config: &Config, daemon: bool, clock: &SharedClock) {
        // At a terminal the result of a command says what there is to say; elsewhere the log is kept by somebody.
        let at_terminal = !daemon && std::io::stderr().is_terminal();
        let level = match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, 2..) => "trace",
            (_, 1) => "debug",
            (_, 0) if at_terminal => "off",
            (_, 0) => config.log.level.as_str(),
        };
        let format = match config.log.format {
            LogFormat::Auto => telemetry::Format::Auto,
            LogFormat::Pretty => telemetry::Format::Pretty,
            LogFormat::Logfmt => telemetry::Format::Logfmt,
            LogFormat::Json => telemetry::Format::Json,
        };
        // A second set-up in one process is a test's; the first one stays.
        let _ = telemetry::init(format, level, clock.clone());
    }
}
