//! The document of `sellerd quota`: what the requests of each account went into, what the rest of its window will take,
//! and when what was put off will be done. Read from the database alone.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::metering;
use super::standing::Standing;
use super::status::{PublicStatus, QuotaStatus, instant};
use crate::config::{Account, Config, Job, Work, slots};
use crate::domain::{AccountName, Clocks, JobName, RequestClass};
use crate::jobs::cost;
use crate::policy::deferral::{Cost, Purse};
use crate::store::deferrals::{self, Deferral};
use crate::store::{Store, StoreError, Tx, flags, tally};

/// The document `sellerd.quota/1`.
#[derive(Debug, Serialize)]
pub struct Spending {
    /// Its name and version.
    pub schema: &'static str,
    /// When it was made.
    #[serde(serialize_with = "instant")]
    pub at: DateTime<Utc>,
    /// Every account of the configuration.
    pub accounts: Vec<AccountSpending>,
}

/// One account.
#[derive(Debug, Serialize)]
pub struct AccountSpending {
    /// Its name.
    pub account: AccountName,
    /// Its marketplace.
    pub marketplace: &'static str,
    /// Its windows.
    pub quotas: Vec<Projected>,
    /// Requests of this window by job; `by hand` is what people asked.
    pub by_job: BTreeMap<String, i64>,
    /// Requests of this window by class.
    pub by_class: BTreeMap<&'static str, i64>,
    /// How much is public data; null where the marketplace does not mind.
    pub public: Option<PublicStatus>,
    /// Runs that wait for the next window.
    pub deferred: Vec<DeferredRun>,
}

/// One window and what it will come to.
#[derive(Debug, Serialize)]
pub struct Projected {
    /// As `status` has it.
    #[serde(flatten)]
    pub quota: QuotaStatus,
    /// Requests used when the window ends, if every job runs by its schedule.
    pub projected: i64,
    /// Jobs whose requests nobody knows yet, and that are not in it.
    pub not_projected: Vec<JobName>,
}

/// A run that waits.
#[derive(Debug, Serialize)]
pub struct DeferredRun {
    /// Its job.
    pub job: JobName,
    /// Requests that it takes.
    pub cost: i64,
    /// When it starts.
    #[serde(serialize_with = "instant")]
    pub starts_at: DateTime<Utc>,
    /// When it will be done.
    #[serde(serialize_with = "instant")]
    pub finishes_at: DateTime<Utc>,
}

/// The name of what people asked by hand.
const BY_HAND: &str = "by hand";

impl Spending {
    /// Reads it. Without a database it says what the configuration alone knows.
    pub async fn read(
        config: &Config,
        store: Option<&Store>,
        clocks: impl Into<Clocks>,
    ) -> Result<Self, StoreError> {
        let (config, clocks) = (config.clone(), clocks.into());
        match store {
            None => Self::make(&config, None, &clocks),
            Some(store) => store.read(move |tx| Self::make(&config, Some(tx), &clocks)).await,
        }
    }

    fn make(config: &Config, tx: Option<&Tx<'_>>, clocks: &Clocks) -> Result<Self, StoreError> {
        let paused = tx.map_or(Ok(Default::default()), flags::paused)?;
        let accounts = config.accounts.values().map(|account| {
            let jobs = config.jobs.values().filter(|job| {
                job.account.as_ref() == Some(&account.name) && job.enabled && !paused.contains_key(&job.name)
            });
            spending(account, &jobs.collect::<Vec<_>>(), tx, clocks)
        });
        Ok(Self { schema: "sellerd.quota/1", at: clocks.now, accounts: accounts.collect::<Result<_, _>>()? })
    }
}

fn spending(
    account: &Account,
    jobs: &[&Job],
    tx: Option<&Tx<'_>>,
    clocks: &Clocks,
) -> Result<AccountSpending, StoreError> {
    let standing = Standing::of(account, tx, clocks)?;
    let Standing { purse, usage, theirs, offset, resets_at, .. } = standing;
    let kind = purse.kind;
    let waiting: Vec<Deferral> = match tx {
        Some(tx) => deferrals::list(tx)?.into_iter().filter(|d| d.account == account.name).collect(),
        None => Vec::new(),
    };
    let spent = match tx {
        Some(tx) => tally::spent(tx, &account.name, kind.start(theirs), kind.resets_at(theirs))?,
        None => tally::Spent::default(),
    };
    let mut projected = usage.used;
    let mut not_projected = Vec::new();
    for job in jobs {
        let each = requests_a_run(job, account, tx)?;
        let rest = purse.rest(RequestClass::Stock, theirs);
        if waiting.iter().any(|waiting| waiting.job == job.name)
            && each.zip(rest).is_none_or(|(each, rest)| each > rest)
        {
            // Its slots are passed over until then. Where only its plan waits, it goes on reading.
            continue;
        }
        let runs = slots(job, clocks.now, resets_at);
        match each {
            Some(each) => projected = projected.saturating_add(runs.saturating_mul(each)),
            None if runs > 0 => not_projected.push(job.name.clone()),
            None => {}
        }
    }
    let quota = QuotaStatus {
        window: kind.as_str(),
        used: usage.used,
        limit: usage.limit.or(account.limit),
        resets_at,
    };
    let named =
        |(job, requests): (String, i64)| (if job.is_empty() { BY_HAND.to_owned() } else { job }, requests);
    Ok(AccountSpending {
        account: account.name.clone(),
        marketplace: account.marketplace.name,
        quotas: vec![Projected { quota, projected, not_projected }],
        by_job: spent.by_job.into_iter().map(named).collect(),
        by_class: spent.by_class.iter().map(|(class, requests)| (class.as_str(), *requests)).collect(),
        public: metering::status(account, tx, theirs)?,
        deferred: deferred(account, jobs, &waiting, &purse, offset, clocks.now, tx)?,
    })
}

/// What one run takes: as its newest runs did, else as far as it is known beforehand. Housekeeping asks nobody.
fn requests_a_run(job: &Job, account: &Account, tx: Option<&Tx<'_>>) -> Result<Option<i64>, StoreError> {
    if matches!(job.work, Work::Housekeeping(_)) {
        return Ok(Some(0));
    }
    let (usual, listings) = match tx {
        Some(tx) => (tally::usual(tx, &job.name)?, cost::listings(tx, &account.name)?),
        None => (None, None),
    };
    let beforehand = || cost::ordinary(&job.work, account.marketplace, listings).map(|cost| cost.requests);
    Ok(usual.map(|usual| usual.requests).or_else(beforehand))
}

/// When what waits will be done. One request is in flight for an account, so the jobs wait for each other.
fn deferred(
    account: &Account,
    jobs: &[&Job],
    waiting: &[Deferral],
    purse: &Purse,
    offset: TimeDelta,
    now: DateTime<Utc>,
    tx: Option<&Tx<'_>>,
) -> Result<Vec<DeferredRun>, StoreError> {
    let pace = TimeDelta::milliseconds(1_000 / i64::from(account.max_per_second.max(1)));
    let mut free_at: Option<DateTime<Utc>> = None;
    let mut runs = Vec::with_capacity(waiting.len());
    for deferral in waiting {
        let job = jobs.iter().find(|job| job.name == deferral.job);
        let usual = match tx.filter(|_| job.is_some()) {
            Some(tx) => tally::usual(tx, &deferral.job)?,
            None => None,
        };
        let each = usual.map_or(pace, |usual| usual.each.max(pace));
        let starts_at = starts_at(deferral, job.copied(), purse, offset, now);
        let begin = free_at.map_or(starts_at, |free| free.max(starts_at));
        let cost = Cost { requests: deferral.cost, class: RequestClass::Stock };
        let finishes_at = purse.finish(cost, begin + offset, each) - offset;
        free_at = Some(finishes_at);
        runs.push(DeferredRun { job: deferral.job.clone(), cost: deferral.cost, starts_at, finishes_at });
    }
    Ok(runs)
}

/// When a run that waits will start: at the time that it was put off to, or at a slot of its own that comes before in that
/// window, which pays for it as well.
fn starts_at(
    deferral: &Deferral,
    job: Option<&Job>,
    purse: &Purse,
    offset: TimeDelta,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let window = purse.kind.start(deferral.starts_at + offset);
    let after_full = purse.after_full(deferral.account.as_str()).filter(|(next, _)| *next == window);
    let begins = after_full.map_or(window, |(_, begins)| begins) - offset;
    let own =
        job.filter(|_| begins > now).and_then(|job| job.next_after(begins - TimeDelta::milliseconds(1)));
    own.map_or(deferral.starts_at, |own| own.min(deferral.starts_at))
}
