//! Logs: one line an event on stderr, for whoever reads it there.
//!
//! A terminal gets short coloured lines in local time, journald gets logfmt with a priority and no time of ours, and
//! everything else gets JSON. The lines are drawn here, from one small layer, rather than by tracing-subscriber's
//! own formats: those know neither logfmt nor our field names (`service.name`, `run.id`, `error.type`), and a
//! span's fields must stand in the same flat list as the event's.
//!
//! An event is written as `tracing::info!(event = "job.finished", outcome = %outcome, error.type = kind, "words")`;
//! its name stands in [`EVENTS`]. Work for a job happens inside [`run_span`].

mod events;
mod fields;
mod layer;
mod lines;

use std::env;
use std::io::IsTerminal;

use tracing::Span;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

pub use events::{EVENTS, Event};

use crate::clock::SharedClock;
use crate::domain::{AccountName, JobName, RunId};
use layer::Lines;
use lines::Style;

/// How log lines are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By what stderr is: see the module.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// `key=value`.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Logging could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The level or the filter cannot be read.
    #[error(
        "{source_name} `{text}` is no log level or filter ({why}); for example `info`, or `sellerd=debug,warn`"
    )]
    Filter {
        /// Where it was written: `log.level` or the environment variable.
        source_name: &'static str,
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// It was set up before.
    #[error("logging was set up twice in one process; this is a bug in sellerd, please report it")]
    Twice,
}

/// Overrides the configured level, in the language of `RUST_LOG`.
pub const FILTER_VARIABLE: &str = "SELLERD_LOG";

/// Sets up logging to stderr for the whole process. `level` is a level, for sellerd's own events; what libraries
/// say is shown from `warn` on. `SELLERD_LOG` overrides it.
pub fn init(format: Format, level: &str, clock: SharedClock) -> Result<(), TelemetryError> {
    let filter = filter(level, env::var(FILTER_VARIABLE).ok().as_deref())?;
    let style = Surroundings::of_this_process().style(format);
    let lines = Lines::new(style, clock, std::io::stderr);
    registry().with(filter).with(lines).try_init().map_err(|_| TelemetryError::Twice)
}

/// The span inside which a job's run does its work: every event in it carries these fields.
pub fn run_span(account: Option<&AccountName>, job: &JobName, run: RunId) -> Span {
    // At error level, so that no filter takes the fields away from an event that is shown.
    let account = account.map(tracing::field::display);
    tracing::error_span!("run", account, job = %job, run.id = %run)
}

fn filter(level: &str, override_with: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let (source_name, text, directives) = match override_with.filter(|text| !text.trim().is_empty()) {
        Some(text) => (FILTER_VARIABLE, text, text.to_owned()),
        None => {
            ("log.level", level, format!("warn,tokio_cron_scheduler=warn,sellerd={level},sandbox={level}"))
        }
    };
    let wrong = |why: String| TelemetryError::Filter { source_name, text: text.to_owned(), why };
    if override_with.is_none() && level.parse::<tracing::level_filters::LevelFilter>().is_err() {
        return Err(wrong("levels are error, warn, info, debug, trace, off".to_owned()));
    }
    EnvFilter::try_new(directives).map_err(|error| wrong(error.to_string()))
}

/// What the process can tell about where its lines go.
#[derive(Debug, Clone, Copy, Default)]
struct Surroundings {
    terminal: bool,
    journal: bool,
    no_color: bool,
    force_color: bool,
}

impl Surroundings {
    fn of_this_process() -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = |name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        Self {
            terminal: std::io::stderr().is_terminal(),
            journal: set("JOURNAL_STREAM"),
            no_color: set("NO_COLOR") || env::var_os("TERM").is_some_and(|term| term == "dumb"),
            force_color: forced("CLICOLOR_FORCE") || forced("FORCE_COLOR"),
        }
    }

    fn style(self, format: Format) -> Style {
        let color = !self.no_color && (self.terminal || self.force_color);
        match format {
            Format::Auto if self.terminal => Style::Pretty { color },
            Format::Auto if self.journal => Style::Journal,
            Format::Auto | Format::Json => Style::Json,
            Format::Pretty => Style::Pretty { color },
            Format::Logfmt if self.journal && !self.terminal => Style::Journal,
            Format::Logfmt => Style::Logfmt,
        }
    }
}

#[cfg(test)]
mod tests;
