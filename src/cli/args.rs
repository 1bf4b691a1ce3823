//! What can be typed. The commands for logins and for the pretend marketplaces have a file each.

mod auth;
mod sandbox;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::domain::{PlanId, RunId};
pub use auth::{AuthCommand, ImportOptions, LoginOptions, Qr};
pub use sandbox::{AppKind, SandboxCommand, ServeOptions};

const EXAMPLES: &str = "\
Examples:
  sellerd try                     a tour of pretend shops; nothing is left behind
  sellerd init my-shop            a configuration of your own, which only looks at first
  sellerd -c my-shop status       what is going on";

/// Keeps a seller's stock and orders on marketplaces in step, on a schedule.
#[derive(Debug, Parser)]
#[command(name = "sellerd", version, before_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    /// The configuration directory.
    #[arg(short, long, global = true, value_name = "DIR", env = "SELLERD_CONFIG")]
    pub config: Option<PathBuf>,

    /// How results are written.
    #[arg(short, long, global = true, value_enum, default_value_t, env = "SELLERD_OUTPUT")]
    pub output: Format,

    /// Ask nothing; what is missing is an error.
    #[arg(long, global = true, env = "SELLERD_NO_INPUT")]
    pub no_input: bool,

    /// Answer every question with yes.
    #[arg(long, global = true, env = "SELLERD_YES")]
    pub yes: bool,

    /// Say more; twice for every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Say only what went wrong.
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Without colours.
    #[arg(long, global = true, env = "SELLERD_NO_COLOR")]
    pub no_color: bool,

    /// Whether the directory was named on the command line, and not by the environment.
    #[arg(skip)]
    pub named_dir: bool,

    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Args {
    /// Reads a command line.
    pub fn of_words(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(words)?;
        let named_dir = matches.value_source("config") == Some(ValueSource::CommandLine);
        let args = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Ok(Self { named_dir, ..args })
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// For spreadsheets.
    Csv,
}

impl Format {
    /// Whether errors are written as JSON too.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// A tour: pretend shops, the agent at work on them, and everything gone at the end.
    Try(TryOptions),
    /// Writes a configuration directory.
    Init(InitOptions),
    /// Runs the agent: every job by its schedule, until it is stopped.
    Run(RunOptions),
    /// What a job would change: reads the source and the marketplace, and writes down a plan.
    Plan(PlanOptions),
    /// Does what a plan says, and nothing else.
    Apply(ApplyOptions),
    /// Plans how to take back what a run has changed, shows that, asks, and does it.
    Undo(UndoOptions),
    /// Stops every write to every marketplace, now and until `unhalt`. Reading goes on.
    Halt,
    /// Lets writes go on after a halt.
    Unhalt,
    /// Lets writes of an account go on after a person has looked why they were parked.
    Unpark {
        /// The account.
        account: String,
    },
    /// One job at a time.
    #[command(subcommand)]
    Job(JobCommand),
    /// What is going on: accounts, jobs, problems.
    Status,
    /// What the requests of each account went into, what the rest of the day will take, and what was put off.
    Quota,
    /// When the jobs run next.
    Schedule(ScheduleOptions),
    /// What ran, and how it ended.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// The orders that were read.
    #[command(subcommand)]
    Orders(OrdersCommand),
    /// The stock as it was last read.
    #[command(subcommand)]
    Stock(StockCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The accounts' logins.
    #[command(subcommand)]
    Auth(AuthCommand),
    /// What a code such as E520 means, at length; all of them in a word without one.
    Explain {
        /// The code.
        code: Option<String>,
    },
    /// Pretend marketplaces, for trying things out.
    #[command(subcommand)]
    Sandbox(SandboxCommand),
}

#[derive(Debug, clap::Args)]
pub struct TryOptions {
    /// End by itself after this time, for example 30s.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub stop_after: Option<Duration>,
    /// Leave configuration and database in this directory.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Articles in the pretend shop at Cardmarket; some of them are for sale at Trade Me, too.
    #[arg(long, default_value_t = 8_431, value_name = "N")]
    pub articles: usize,
    /// The same seed makes the same shop.
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub seed: u64,
}

#[derive(Debug, clap::Args)]
pub struct InitOptions {
    /// Where to write it.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The marketplace.
    #[arg(long, value_name = "NAME")]
    pub marketplace: Option<String>,
    /// What to call the account.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The kind of app that you have there, where there are several: at Cardmarket dedicated (four tokens) or third-party
    /// (two, and a login).
    #[arg(long, value_name = "KIND")]
    pub app: Option<String>,
    /// The zone of your shop, for example Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Another address of the marketplace's API, for example that of a sandbox.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct RunOptions {
    /// Stop by itself after this time, for example 10m.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub stop_after: Option<Duration>,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct PlanOptions {
    /// The job whose plan is made.
    #[arg(required = true, value_name = "JOB")]
    pub job: Option<String>,
    /// End with exit code 10 when there is something to change.
    #[arg(long)]
    pub exit_code: bool,
    /// Write the plan into this file, too, as JSON, or as CSV with `-o csv`; `-` for stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<PlanCommand>,
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// One plan, all of it.
    Show {
        /// The plan, for example p-12.
        plan: PlanId,
    },
    /// The plans that were made, newest first.
    List(PlanListOptions),
}

#[derive(Debug, clap::Args)]
pub struct PlanListOptions {
    /// Only this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// Only those that could still be applied.
    #[arg(long)]
    pub pending: bool,
}

#[derive(Debug, clap::Args)]
pub struct ApplyOptions {
    /// The plan, for example p-12.
    pub plan: PlanId,
    /// Apply it although this guard holds it; once for each guard.
    #[arg(long = "accept-guard", value_name = "NAME")]
    pub accept: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct UndoOptions {
    /// The run, for example r-12.
    pub run: RunId,
    /// Apply it although this guard holds it; once for each guard.
    #[arg(long = "accept-guard", value_name = "NAME")]
    pub accept: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Runs a job now and waits for its end.
    Run {
        /// The job: the name of its file without `.toml`.
        name: String,
    },
    /// The jobs and how they last ran.
    List,
    /// Lets a job carry out the plans that pass its guards, although its file says `observe`.
    Promote {
        /// The job.
        name: String,
    },
    /// Takes a promotion back: the job looks and plans, as its file says.
    Demote {
        /// The job.
        name: String,
    },
    /// Keeps a job from running by its schedule, until `resume`.
    Pause {
        /// The job.
        name: String,
    },
    /// Lets a paused job run again.
    Resume {
        /// The job.
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct ScheduleOptions {
    /// How many runs to show.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub next: usize,
    /// Only this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// Only this day, for example 2027-03-28.
    #[arg(long, value_name = "DATE")]
    pub on: Option<chrono::NaiveDate>,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// The runs, newest first.
    List(RunsListOptions),
    /// One run.
    Show {
        /// The run, for example r-12.
        id: RunId,
    },
}

#[derive(Debug, clap::Args)]
pub struct RunsListOptions {
    /// Only this job.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// At most so many. Tables show 20 unless told otherwise, JSON and CSV all.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub enum OrdersCommand {
    /// The orders, oldest first.
    List(AccountFilter),
}

#[derive(Debug, Subcommand)]
pub enum StockCommand {
    /// The listings.
    List(AccountFilter),
    /// A first list for `stock-sync`: what was last read of an account, as CSV in the form that it takes.
    Export {
        /// The account.
        account: String,
    },
    /// Confirms that a shop really is as empty as it was last read.
    Believe {
        /// The account.
        account: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct AccountFilter {
    /// Only this account.
    #[arg(short, long, value_name = "NAME")]
    pub account: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Checks every file. Contacts nothing.
    Check,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write for example 30s or 10m"))
}
