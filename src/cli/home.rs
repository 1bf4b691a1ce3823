//! Where a command works: the configuration directory, and how its results are to be written.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::args::{Args, Format};
use super::copyable::Typed;
use super::{Exit, Failure};
use crate::clock::SharedClock;
use crate::config::{self, Config, LogFormat};
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

    /// The configuration, or its mistakes drawn and exit 78. Warnings are drawn too and do not keep anybody.
    pub fn config(&self) -> Result<Config, Failure> {
        super::private::keep();
        self.take(config::load(&self.dir))
    }

    /// The same for a command that brings credentials, or tells that there are none.
    pub fn config_for_login(&self) -> Result<Config, Failure> {
        super::private::keep();
        self.take(config::load_for_login(&self.dir))
    }

    /// The same once more, when its warnings have been drawn or are what the command shows itself.
    pub fn config_for_login_quietly(&self) -> Result<Config, Failure> {
        let checked = config::load_for_login(&self.dir);
        match checked.config {
            Some(config) => Ok(config),
            None => self.config_for_login(),
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
