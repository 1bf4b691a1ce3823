//! What is going on, in one document: `status -o json`, `/status.json` and the page for people are all made of it.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::config::{Account, Config, Job};
use crate::domain::{AccountName, JobName, Mode};
use crate::policy::access::{Access, AccessState};
use crate::policy::quota;
use crate::store::{Store, StoreError, Tx, accounts, flags, listings, problems, quotas, runs};

/// The document `sellerd.status/1`.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name and version.
    pub schema: &'static str,
    /// When it was made.
    #[serde(serialize_with = "instant")]
    pub at: DateTime<Utc>,
    /// The zone in which people read times.
    pub timezone: String,
    /// Every account of the configuration.
    pub accounts: Vec<AccountStatus>,
    /// Every job of the configuration.
    pub jobs: Vec<JobStatus>,
    /// What somebody should do something about.
    pub problems: Vec<problems::Problem>,
    /// Whether every write is halted.
    pub halted: bool,
}

/// One account.
#[derive(Debug, Serialize)]
pub struct AccountStatus {
    /// Its name.
    pub account: AccountName,
    /// Its marketplace.
    pub marketplace: &'static str,
    /// What it may do.
    pub access: AccessStatus,
    /// What is used of its requests.
    pub quotas: Vec<QuotaStatus>,
    /// How many listings are known.
    pub listings: i64,
    /// How many of them differ from their source; null while nothing compares them.
    pub drift: Option<i64>,
}

/// What an account may do, and why.
#[derive(Debug, Serialize)]
pub struct AccessStatus {
    /// The state's word.
    pub state: &'static str,
    /// Since when; null while nothing has been asked.
    #[serde(serialize_with = "optional_instant")]
    pub since: Option<DateTime<Utc>>,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// When the agent asks again by itself.
    #[serde(serialize_with = "optional_instant")]
    pub next_probe_at: Option<DateTime<Utc>>,
    /// When access can be asked for again.
    pub reapply_on: Option<NaiveDate>,
}

/// One window of requests.
#[derive(Debug, Serialize)]
pub struct QuotaStatus {
    /// `day` or `hour`.
    pub window: &'static str,
    /// Requests counted in it.
    pub used: i64,
    /// The most that are allowed; null for no limit.
    pub limit: Option<i64>,
    /// When the next one begins.
    #[serde(serialize_with = "instant")]
    pub resets_at: DateTime<Utc>,
}

/// One job.
#[derive(Debug, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub job: JobName,
    /// Its kind.
    pub kind: &'static str,
    /// The account it works, if any.
    pub account: Option<AccountName>,
    /// What it may do to the marketplace.
    pub mode: Mode,
    /// Whether it runs by its schedule.
    pub enabled: bool,
    /// How it ran last.
    pub last_run: Option<runs::RunRow>,
    /// When it runs next; null when it does not.
    #[serde(serialize_with = "optional_instant")]
    pub next_run_at: Option<DateTime<Utc>>,
}

impl Status {
    /// Reads it. Without a database it says what the configuration alone knows.
    pub async fn read(
        config: &Config,
        store: Option<&Store>,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        match store {
            None => Ok(Self::make(config, None, now)?),
            Some(store) => {
                let config = config.clone();
                store.read(move |tx| Self::make(&config, Some(tx), now)).await
            }
        }
    }

    fn make(config: &Config, tx: Option<&Tx<'_>>, now: DateTime<Utc>) -> Result<Self, StoreError> {
        Ok(Self {
            schema: "sellerd.status/1",
            at: now,
            timezone: config.timezone.name().to_owned(),
            accounts: config.accounts.values().map(|a| account(a, tx, now)).collect::<Result<_, _>>()?,
            jobs: config.jobs.values().map(|job| job_status(job, tx, now)).collect::<Result<_, _>>()?,
            problems: tx.map_or(Ok(Vec::new()), problems::list)?,
            halted: tx.map_or(Ok(None), flags::halted)?.is_some(),
        })
    }

    /// Whether a login is missing, expired or revoked anywhere.
    pub fn login_lost(&self) -> bool {
        let lost = ["suspended", "unauthorized", "revoked"];
        self.accounts.iter().any(|account| lost.contains(&account.access.state))
    }
}

fn account(account: &Account, tx: Option<&Tx<'_>>, now: DateTime<Utc>) -> Result<AccountStatus, StoreError> {
    let window = account.marketplace.limit_headers.window;
    let (access, usage, listings) = match tx {
        None => (Access::unknown(now), None, 0),
        Some(tx) => (
            accounts::access(tx, &account.name, now)?,
            quotas::usage(tx, &account.name, window.as_str())?,
            listings::count(tx, &account.name)?,
        ),
    };
    let usage = quota::current(usage, window, now);
    let asked = access.state != AccessState::Unknown;
    Ok(AccountStatus {
        account: account.name.clone(),
        marketplace: account.marketplace.name,
        access: AccessStatus {
            state: access.state.as_str(),
            since: asked.then_some(access.since),
            reason: Some(access.reason).filter(|reason| !reason.is_empty()),
            next_probe_at: access.next_probe_at,
            reapply_on: access.reapply_on,
        },
        quotas: vec![QuotaStatus {
            window: window.as_str(),
            used: usage.used,
            limit: usage.limit.or(account.limit),
            resets_at: window.resets_at(now),
        }],
        listings,
        drift: None,
    })
}

fn job_status(job: &Job, tx: Option<&Tx<'_>>, now: DateTime<Utc>) -> Result<JobStatus, StoreError> {
    Ok(JobStatus {
        job: job.name.clone(),
        kind: job.work.kind(),
        account: job.account.clone(),
        mode: job.mode,
        enabled: job.enabled,
        last_run: tx.map_or(Ok(None), |tx| runs::last(tx, &job.name))?,
        next_run_at: job.enabled.then(|| job.next_after(now)).flatten(),
    })
}

/// RFC 3339 in UTC with milliseconds, as everywhere in our JSON.
pub fn instant<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn optional_instant<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => instant(at, serializer),
        None => serializer.serialize_none(),
    }
}
