//! What is going on, in one document: `status -o json`, `/status.json` and the page for people are all made of it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::broken_off::BrokenOff;
use super::credentials;
use super::deferral::STRETCHED;
use super::gone::Gone;
use super::metering;
use super::standing::Standing;
use crate::config::{Account, Config, Job};
use crate::domain::{AccountName, Clocks, JobName, Mode, PlanId, PlanState};
use crate::policy::access::{Access, AccessState, Closed, Evidence};
use crate::store::parked::{self, Parked};
use crate::store::{
    Store, StoreError, Tx, accounts, deferrals, flags, intents, listings, plans, problems, promotions, runs,
};

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
    /// Since when.
    #[serde(serialize_with = "optional_instant")]
    pub halted_since: Option<DateTime<Utc>>,
    /// Plans that wait for a person: a guard holds them, or their job may not write.
    pub plans: Vec<PlanStatus>,
    /// Plans that were broken off, with what of them was not sent.
    pub broken_off: Vec<BrokenOff>,
}

/// A plan that could still be applied.
#[derive(Debug, Serialize)]
pub struct PlanStatus {
    /// Its name.
    pub plan_id: PlanId,
    /// The job whose plan it is.
    pub job: JobName,
    /// The account that it is about.
    pub account: AccountName,
    /// `pending` where a guard holds it.
    pub state: PlanState,
    /// How much it changes.
    pub changes: i64,
    /// Until when it may be applied.
    #[serde(serialize_with = "instant")]
    pub expires_at: DateTime<Utc>,
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
    /// How much of it is public data; null where the marketplace does not mind.
    pub public: Option<PublicStatus>,
    /// How many listings are known.
    pub listings: i64,
    /// How many of them differ from their source; null while nothing compares them.
    pub drift: Option<i64>,
    /// Writes whose answer was lost and that no read has explained yet.
    pub in_doubt: i64,
    /// Why its writes wait for a person; null while they do not.
    pub parked: Option<Parked>,
}

/// What an account may do, and why.
#[derive(Debug, Serialize)]
pub struct AccessStatus {
    /// The state's word.
    pub state: &'static str,
    /// Since when; null while nothing has been asked.
    #[serde(serialize_with = "optional_instant")]
    pub since: Option<DateTime<Utc>>,
    /// What the refusal was taken for, where there is one.
    pub cause: Option<&'static str>,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// When the agent asks again by itself.
    #[serde(serialize_with = "optional_instant")]
    pub next_probe_at: Option<DateTime<Utc>>,
    /// When access can be asked for again.
    pub reapply_on: Option<NaiveDate>,
    /// The answer that decided, where there is one.
    pub evidence: Option<EvidenceStatus>,
    /// The resources that are refused while the rest works.
    pub closed: Vec<ClosedStatus>,
    /// What people read in place of the state where there is no login to be accepted or refused.
    #[serde(skip)]
    pub kept_out: Option<&'static str>,
}

impl AccessStatus {
    fn of(access: Access) -> Self {
        let asked = access.state != AccessState::Unknown;
        Self {
            state: access.state.as_str(),
            since: asked.then_some(access.since),
            cause: access.cause.map(|cause| cause.as_str()),
            reason: Some(access.reason).filter(|reason| !reason.is_empty()),
            next_probe_at: access.next_probe_at,
            reapply_on: access.reapply_on,
            evidence: access.evidence.map(|Evidence { status, digest }| EvidenceStatus { status, digest }),
            closed: access.closed.iter().map(ClosedStatus::of).collect(),
            kept_out: None,
        }
    }

    /// Whether nothing is done for the account.
    fn is_lost(&self) -> bool {
        self.kept_out.is_some() || ["suspended", "unauthorized", "revoked"].contains(&self.state)
    }

    /// What the account may do without a login: nothing, whatever it was answered with an earlier one. Only access that
    /// was taken away stays what it is, since a login alone does not bring it back.
    fn without_login(self, problem: &problems::Problem) -> Self {
        if self.state == AccessState::Revoked.as_str() {
            return self;
        }
        let why = credentials::in_short(problem);
        Self {
            state: AccessState::Unauthorized.as_str(),
            since: Some(problem.since),
            cause: None,
            reason: Some(why.to_owned()),
            next_probe_at: None,
            reapply_on: None,
            evidence: None,
            kept_out: Some(why),
            ..self
        }
    }
}

/// What the answer looked like.
#[derive(Debug, Serialize)]
pub struct EvidenceStatus {
    /// The HTTP status.
    pub status: u16,
    /// A digest of the body.
    pub digest: String,
}

/// A resource that is refused.
#[derive(Debug, Serialize)]
pub struct ClosedStatus {
    /// Method and template.
    pub resource: String,
    /// The HTTP status of the refusal.
    pub status: u16,
    /// Since when.
    #[serde(serialize_with = "instant")]
    pub since: DateTime<Utc>,
    /// When it is asked again.
    #[serde(serialize_with = "instant")]
    pub again_at: DateTime<Utc>,
}

impl ClosedStatus {
    fn of(closed: &Closed) -> Self {
        let Closed { at, evidence, since, again_at, .. } = closed;
        Self { resource: at.clone(), status: evidence.status, since: *since, again_at: *again_at }
    }
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

/// How much of what an account asks is data that anybody may see.
#[derive(Debug, Serialize)]
pub struct PublicStatus {
    /// Public requests of a hundred, today.
    pub share: i64,
    /// Public requests today.
    pub today: i64,
    /// Days in a row, up to today, on which nothing else was asked for.
    pub streak_days: u32,
    /// The most of a hundred.
    pub limit: i64,
    /// The most in a day.
    pub limit_per_day: i64,
    /// Whether the next one may be made now.
    pub allowed: bool,
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
    /// What it may do to the marketplace: what its file says, unless a person has promoted it.
    pub mode: Mode,
    /// Since when a person lets it write although its file says `observe`.
    #[serde(serialize_with = "optional_instant")]
    pub promoted_at: Option<DateTime<Utc>>,
    /// Since when a person has kept it from running.
    #[serde(serialize_with = "optional_instant")]
    pub paused_since: Option<DateTime<Utc>>,
    /// Whether it runs by its schedule.
    pub enabled: bool,
    /// How it ran last.
    pub last_run: Option<runs::RunRow>,
    /// When it runs next; null when it does not.
    #[serde(serialize_with = "optional_instant")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// Since when that run is put off, for want of requests: its slots until then are passed over.
    #[serde(serialize_with = "optional_instant")]
    pub put_off_since: Option<DateTime<Utc>>,
}

impl Status {
    /// Reads it, for whoever owns the state. Without a database it says what the configuration alone knows.
    pub async fn read(
        config: &Config,
        store: Option<&Store>,
        clocks: impl Into<Clocks>,
    ) -> Result<Self, StoreError> {
        let clocks = clocks.into();
        match store {
            None => Ok(Self::make(config, None, &Gone::default(), &clocks)?),
            Some(store) => {
                let config = config.clone();
                store.read(move |tx| Self::make(&config, Some(tx), &Gone::default(), &clocks)).await
            }
        }
    }

    /// The same beside whoever owns the state, if anybody does.
    pub async fn read_beside(
        config: &Config,
        store: Option<&Store>,
        clocks: impl Into<Clocks>,
    ) -> Result<Self, StoreError> {
        let clocks = clocks.into();
        let Some(store) = store else { return Self::read(config, None, clocks).await };
        let gone = Gone::look(store, &config.state_dir).await?;
        let config = config.clone();
        store.read(move |tx| Self::make(&config, Some(tx), &gone, &clocks)).await
    }

    fn make(config: &Config, tx: Option<&Tx<'_>>, gone: &Gone, clocks: &Clocks) -> Result<Self, StoreError> {
        let now = clocks.now;
        let halted_since = tx.map_or(Ok(None), flags::halted)?;
        let paused = tx.map_or(Ok(Default::default()), flags::paused)?;
        let waiting = tx.map_or(Ok(Vec::new()), |tx| plans::waiting(tx, None, now))?;
        let mut problems = tx.map_or(Ok(Vec::new()), problems::list)?;
        config.accounts.values().for_each(|account| credentials::see(&mut problems, account, now));
        let accounts = config.accounts.values().map(|of| account(of, &problems, tx, clocks));
        let accounts: Vec<AccountStatus> = accounts.collect::<Result<_, _>>()?;
        problems.retain(|problem| !is_idle(problem, config, &accounts));
        Ok(Self {
            schema: "sellerd.status/1",
            at: now,
            timezone: config.timezone.name().to_owned(),
            accounts,
            jobs: config
                .jobs
                .values()
                .map(|job| job_status(job, paused.get(&job.name).copied(), tx, gone, now))
                .collect::<Result<_, _>>()?,
            problems,
            halted: halted_since.is_some(),
            halted_since,
            plans: waiting.iter().map(PlanStatus::of).filter(|plan| plan.changes > 0).collect(),
            broken_off: tx.map_or(Ok(Vec::new()), |tx| BrokenOff::list(config, tx, gone, now))?,
        })
    }

    /// Whether a login is missing, expired or revoked anywhere.
    pub fn login_lost(&self) -> bool {
        self.accounts.iter().any(|account| account.access.is_lost())
    }
}

impl PlanStatus {
    /// What a stored plan comes to.
    pub fn of(plan: &plans::PlanRow) -> Self {
        /// As the plan's own summary keeps it.
        #[derive(Default, Deserialize)]
        struct Summary {
            counts: BTreeMap<String, i64>,
        }
        let summary: Summary = serde_json::from_str(plan.summary.get()).unwrap_or_default();
        Self {
            plan_id: plan.plan_id,
            job: plan.job.clone(),
            account: plan.account.clone(),
            state: plan.state,
            changes: summary.counts.values().sum(),
            expires_at: plan.expires_at,
        }
    }
}

/// Requests that an account may still make in its window; `None` without a limit.
pub fn requests_left(account: &Account, tx: &Tx<'_>, clocks: &Clocks) -> Result<Option<i64>, StoreError> {
    let standing = Standing::of(account, Some(tx), clocks)?;
    Ok(standing.limit().map(|limit| limit.saturating_sub(standing.usage.used).max(0)))
}

/// Requests used of the account's window, and the most that are allowed.
pub fn requests_used(
    account: &Account,
    tx: &Tx<'_>,
    clocks: &Clocks,
) -> Result<(i64, Option<i64>), StoreError> {
    let standing = Standing::of(account, Some(tx), clocks)?;
    Ok((standing.usage.used, standing.limit()))
}

/// Whether a problem is about how often an account is asked of which nothing is asked at all: it would stand above what
/// keeps it from that, and cannot be mended before.
fn is_idle(problem: &problems::Problem, config: &Config, accounts: &[AccountStatus]) -> bool {
    let job = config.jobs.get(&JobName(problem.subject.clone())).filter(|_| problem.code == STRETCHED);
    let account = job.and_then(|job| job.account.as_ref());
    account.is_some_and(|name| accounts.iter().any(|of| of.account == *name && of.access.is_lost()))
}

fn account(
    account: &Account,
    problems: &[problems::Problem],
    tx: Option<&Tx<'_>>,
    clocks: &Clocks,
) -> Result<AccountStatus, StoreError> {
    let now = clocks.now;
    let standing = Standing::of(account, tx, clocks)?;
    let (access, listings, in_doubt, parked) = match tx {
        None => (Access::unknown(now), 0, 0, None),
        Some(tx) => (
            accounts::access(tx, &account.name, now)?,
            listings::count(tx, &account.name)?,
            intents::in_doubt(tx, &account.name)?.len() as i64,
            parked::get(tx, &account.name)?,
        ),
    };
    let access = AccessStatus::of(access);
    let kept_out = problems.iter().find(|problem| credentials::keeps_out(problem, &account.name));
    Ok(AccountStatus {
        account: account.name.clone(),
        marketplace: account.marketplace.name,
        access: match kept_out {
            None => access,
            Some(problem) => access.without_login(problem),
        },
        quotas: vec![QuotaStatus {
            window: standing.purse.kind.as_str(),
            used: standing.usage.used,
            limit: standing.limit(),
            resets_at: standing.resets_at,
        }],
        public: metering::status(account, tx, standing.theirs)?,
        listings,
        drift: None,
        in_doubt,
        parked,
    })
}

/// One job as it stands.
pub(super) fn job_status(
    job: &Job,
    paused_since: Option<DateTime<Utc>>,
    tx: Option<&Tx<'_>>,
    gone: &Gone,
    now: DateTime<Utc>,
) -> Result<JobStatus, StoreError> {
    let promoted_at = tx.map_or(Ok(None), |tx| promotions::promoted(tx, &job.name))?;
    let runs = job.enabled && paused_since.is_none();
    let put_off = tx.filter(|_| runs).map_or(Ok(None), |tx| deferrals::of(tx, &job.name))?;
    let put_off = put_off.filter(|waits| waits.starts_at > now);
    Ok(JobStatus {
        job: job.name.clone(),
        kind: job.work.kind(),
        account: job.account.clone(),
        mode: if promoted_at.is_some() { Mode::Apply } else { job.mode },
        promoted_at,
        paused_since,
        enabled: job.enabled,
        last_run: tx.map_or(Ok(None), |tx| runs::last(tx, &job.name))?.map(|run| gone.seen(run)),
        next_run_at: match &put_off {
            Some(waits) => Some(waits.starts_at),
            None => runs.then(|| job.next_after(now)).flatten(),
        },
        put_off_since: put_off.map(|waits| waits.since),
    })
}

/// RFC 3339 in UTC with milliseconds, as everywhere in our JSON.
pub fn instant<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// The same for what may not have been.
pub fn optional_instant<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => instant(at, serializer),
        None => serializer.serialize_none(),
    }
}
