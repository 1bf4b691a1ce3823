//! A directory of TOML files and credentials, turned into one validated [`Config`] or into all its mistakes at once.
//!
//! Nothing here is contacted and nothing is written, except by [`init::write`]. The text of every file is parsed
//! by ourselves, file by file, rather than through a layering library: only so does each mistake keep its file,
//! line and column, and only so can secrets be masked before anything is drawn.

mod account;
mod budget;
mod changes;
mod command;
mod diagnostic;
mod draw;
pub mod init;
mod job;
mod leaks;
mod load;
mod login;
mod looking;
mod mask;
mod places;
mod same_stock;
pub mod samples;
mod secrets;
mod settings;
mod source;
mod stock_sync;
mod stray_jobs;
mod sync_file;
mod templates;
#[cfg(test)]
mod tests;
mod timing;
mod toml_errors;
mod values;
mod vault;
mod work;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

pub use budget::{Learnt, requests_a_run, slots, starts_more_than};
pub use changes::{Changes, same_account};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use draw::draw;
pub use load::{Checked, load, load_knowing, load_with, read};
pub use login::LoginSettings;
pub use looking::Looked;
pub use places::{Places, find_dir};
pub use secrets::{Origin, Place, Sources};
pub use stock_sync::{
    Absent, Column, DELIMITERS, DecimalSign, Delimiter, Encoding, Guards, LastLine, MaxRejected, Source,
    StockSync,
};
pub use values::secret_line;
pub use vault::{Pair, Pairs, Vault, VaultError};
pub use work::{Housekeeping, KINDS, OrderPoll, Probe, StockPull, Work};

use crate::domain::{AccountName, Credentials, Currency, JobName, Mode};
use crate::marketplace::{Descriptor, Options, Templates};
use crate::policy::due;
pub use crate::policy::due::OnMissed;
use crate::policy::schedule::Schedule;

/// Everything a person has decided, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory it was read from.
    pub dir: PathBuf,
    /// Where credentials are looked for beside it.
    pub places: Places,
    /// Where the database and everything else that changes is kept.
    pub state_dir: PathBuf,
    /// The zone of schedules that name none, and of times shown to people.
    pub timezone: Tz,
    /// The status page.
    pub http: HttpSettings,
    /// The log.
    pub log: LogSettings,
    /// The accounts by name.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Accounts that sell the same copies, by the channel's name.
    pub channels: BTreeMap<String, Channel>,
    /// The jobs by name, those that are switched off too.
    pub jobs: BTreeMap<JobName, Job>,
    /// What new listings are made from: the files of `templates/` by their stems.
    pub templates: Arc<Templates>,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where the status page listens; `None` for `"off"`.
    pub listen: Option<SocketAddr>,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// The least important level that is logged.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, logfmt under journald, JSON elsewhere.
    Auto,
    /// For eyes.
    Pretty,
    /// `key=value`, with journald's priority in front.
    Logfmt,
    /// One object a line.
    Json,
}

/// How important a line of the log must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// What somebody should know, too.
    Warn,
    /// What happened, too.
    Info,
    /// How it happened, too.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as the settings name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// One account at one marketplace.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// The marketplace it is at.
    pub marketplace: &'static Descriptor,
    /// Where the API is, without a slash at the end of its path.
    pub base_url: url::Url,
    /// The currency of its prices.
    pub currency: Currency,
    /// Requests a window, until the marketplace itself says otherwise; `None` for no limit.
    pub limit: Option<i64>,
    /// Requests a second at most.
    pub max_per_second: u32,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long an unanswered write may still take effect.
    pub grace: Duration,
    /// After how long a silence the account is asked how it is; `None` for never.
    pub probe_after: Option<Duration>,
    /// The marketplace's own settings, defaults filled in.
    pub options: Options,
    /// How a person logs in to it, and how long that lasts.
    pub login: LoginSettings,
    /// Whether anybody has looked for its credentials, and what was in the way. The two below say nothing before.
    pub looked: Looked,
    /// Where its credentials were found.
    pub sources: Sources,
    /// What signs its requests; `None` when nobody has given it. Where something was in the way it has no token.
    pub credentials: Option<Credentials>,
}

/// Accounts that sell the same copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The accounts.
    pub accounts: Vec<AccountName>,
    /// Copies held back on every one of them.
    pub buffer: i64,
}

/// One job: the contents of one file in `jobs/`.
#[derive(Debug, Clone)]
pub struct Job {
    /// The stem of its file.
    pub name: JobName,
    /// The account it works for; `None` for kinds that belong to no account.
    pub account: Option<AccountName>,
    /// When it is due.
    pub schedule: Schedule,
    /// Whether it may write.
    pub mode: Mode,
    /// Whether its schedule counts. A disabled job can still be run by hand.
    pub enabled: bool,
    /// How long a run may take.
    pub timeout: Duration,
    /// How far a start may be moved, so that not everything starts at once.
    pub jitter: Duration,
    /// What happens when it is due while it still runs.
    pub overlap: Overlap,
    /// What happens when it was due while the agent was not there.
    pub on_missed: OnMissed,
    /// What it does.
    pub work: Work,
}

impl Job {
    /// When it starts next after `now`, its jitter included.
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let put_off = self.put_off();
        self.schedule.next_after(now - put_off).map(|slot| slot + put_off)
    }

    /// The slot that a start belongs to.
    pub fn slot_of(&self, start: DateTime<Utc>) -> DateTime<Utc> {
        start - self.put_off()
    }

    fn put_off(&self) -> TimeDelta {
        TimeDelta::from_std(due::jitter(&self.name, self.jitter)).unwrap_or_default()
    }
}

/// What happens when a job is due while it still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// The later run is not begun.
    Skip,
    /// The later run begins when the earlier one is over.
    Queue,
}
