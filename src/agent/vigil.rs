//! Keeps an eye on accounts that nobody talks to: asks the canary of the suspended and of the silent, tells when a login
//! is about to end, and lets what was blocked run again once an account is let in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::credentials::is_logged_in;
use super::notices;
use super::runner::{Due, Runner};
use super::timekeeping;
use super::watch::Watch;
use crate::config::{Account, Config, Job};
use crate::domain::{AccountName, ErrorType, JobName, RunId, Trigger};
use crate::jobs::Errand;
use crate::policy::access::Access;
use crate::policy::expiry::{Nearness, nearness};
use crate::policy::quota::WindowKind;
use crate::policy::vigil::{self, Watched};
use crate::store::{StoreError, accounts, logins, problems, quotas, runs};

/// Looks after the accounts of a running agent.
pub struct Vigil {
    watch: Arc<Watch>,
    runner: Runner,
    since: DateTime<Utc>,
    /// The accounts that were blocked when it last looked.
    blocked: BTreeSet<AccountName>,
    /// The refused runs that were made up for already.
    made_up: BTreeMap<JobName, RunId>,
    /// When it last asked each account for its silence.
    asked: BTreeMap<AccountName, DateTime<Utc>>,
    /// What was told of the end of each login; at a start nobody knows what is open.
    told: BTreeMap<AccountName, Option<Nearness>>,
}

/// It looks at least this often: an account may have been blocked meanwhile, and clocks are set.
const ROUND: Duration = Duration::from_secs(60);

impl Vigil {
    /// It begins now: silence before is no silence.
    pub fn new(watch: Arc<Watch>, runner: Runner) -> Self {
        let since = watch.shared.clock.now();
        Self {
            watch,
            runner,
            since,
            blocked: BTreeSet::new(),
            made_up: BTreeMap::new(),
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// Looks again and again until `stop` is cancelled.
    pub async fn keep(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.round(&stop).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!("the accounts could not be looked after: {error}");
                    ROUND
                }
            };
            let shared = &self.watch.shared;
            tokio::select! {
                () = shared.clock.sleep(wait) => {}
                () = shared.woken.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// One look at every account. Returns when to look again.
    async fn round(&mut self, stop: &CancellationToken) -> Result<Duration, StoreError> {
        let config = self.config();
        let mut wait = ROUND;
        // What was told of an account that is gone is over; should it come back, it is told again.
        self.told.retain(|name, _| config.accounts.contains_key(name));
        for (name, account) in &config.accounts {
            let now = self.watch.shared.clock.now();
            let known = self.known(account, now).await?;
            self.warn_of_the_end(account, known.login.filter(|_| is_logged_in(account)), now).await?;
            if !is_logged_in(account) {
                // Once somebody logs in it makes up for what it was kept from.
                self.blocked.insert(name.clone());
                continue;
            }
            if timekeeping::look(account, &self.watch.shared).await? {
                self.runner.look_at_what_waits();
            }
            self.let_run_again(&config, name, &known.access, now).await?;
            let watched = Watched {
                access: &known.access,
                heard_at: known.heard_at,
                asked_at: self.asked.get(name).copied(),
                watched_since: self.since,
                probe_after: account.probe_after,
                daily: known.daily,
            };
            match vigil::due(watched, now) {
                Ok(why) => {
                    self.asked.insert(name.clone(), now);
                    let asked = self.runner.accounts().probe(name, stop).await;
                    tracing::debug!(account = name.as_str(), ?why, answered = asked.is_ok(), "probed");
                    let now = self.watch.shared.clock.now();
                    let access = self.known(account, now).await?.access;
                    self.let_run_again(&config, name, &access, now).await?;
                }
                Err(Some(at)) => wait = wait.min((at - now).to_std().unwrap_or_default()),
                Err(None) => {}
            }
        }
        // A clock that is about to be set must not make it spin.
        Ok(wait.max(Duration::from_secs(1)))
    }

    async fn known(&self, account: &Account, now: DateTime<Utc>) -> Result<Known, StoreError> {
        let (name, window, limit) =
            (account.name.clone(), account.marketplace.limit_headers.window, account.limit);
        let read = self.watch.shared.store.read(move |tx| {
            let usage = quotas::usage(tx, &name, window.as_str())?;
            let limit = usage.and_then(|usage| usage.limit).or(limit);
            let windows_a_day = match window {
                WindowKind::Day(_) => 1,
                WindowKind::Hour => 24,
            };
            Ok(Known {
                access: accounts::access(tx, &name, now)?,
                heard_at: accounts::last_answer_at(tx, &name)?,
                daily: limit.map(|limit| limit.saturating_mul(windows_a_day)),
                login: logins::get(tx, &name)?,
            })
        });
        read.await
    }

    /// An account that is let in again makes up for what it was kept from.
    async fn let_run_again(
        &mut self,
        config: &Config,
        name: &AccountName,
        access: &Access,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !access.state.lets_through() {
            self.blocked.insert(name.clone());
            return Ok(());
        }
        let was_blocked = self.blocked.remove(name);
        let running = self.runner.running();
        let theirs = |job: &&Job| job.account.as_ref() == Some(name) && !running.contains(&job.name);
        for job in config.jobs.values().filter(|job| job.enabled).filter(theirs) {
            let job_name = job.name.clone();
            let last = self.watch.shared.store.read(move |tx| runs::last(tx, &job_name)).await?;
            let Some(run) = last.filter(|run| run.error_type.is_some_and(ErrorType::is_of_access)) else {
                continue;
            };
            let begun = run.started_at;
            if self.made_up.get(&job.name) != Some(&run.run_id)
                && vigil::is_made_up(access, was_blocked, begun, self.since, now)
            {
                self.made_up.insert(job.name.clone(), run.run_id);
                let job = Arc::new(job.clone());
                self.runner.start(Due { job, at: now, trigger: Trigger::Retry, errand: Errand::Usual });
            }
        }
        Ok(())
    }

    async fn warn_of_the_end(
        &mut self,
        account: &Account,
        login: Option<logins::Login>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let ends = login.as_ref().and_then(|login| login.expires_at);
        let made = login.and_then(|login| login.token_created_at);
        let near = ends.and_then(|ends| Some((ends, nearness(made, ends, now)?)));
        let told = self.told.get(&account.name).copied();
        if told == Some(near.map(|(_, near)| near)) {
            return Ok(());
        }
        let name = account.name.clone();
        self.told.insert(name.clone(), near.map(|(_, near)| near));
        match near {
            None => {
                self.watch
                    .shared
                    .store
                    .write(move |tx| problems::close(tx, notices::LOGIN_ENDS, name.as_str(), now))
                    .await?;
            }
            Some((ends, near)) => {
                tracing::warn!(
                    event = "auth.expiring",
                    account = name.as_str(),
                    expires = %ends,
                    in_s = (ends - now).num_seconds(),
                    "the login {} on {}", if ends <= now { "ended" } else { "ends" }, ends.format("%Y-%m-%d"),
                );
                let problem = notices::login_ends(account, near, ends, now);
                self.watch.shared.store.write(move |tx| problems::open(tx, &problem)).await?;
            }
        }
        Ok(())
    }

    fn config(&self) -> Arc<Config> {
        self.watch.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

/// What the database knows of an account.
struct Known {
    access: Access,
    heard_at: Option<DateTime<Utc>>,
    daily: Option<i64>,
    login: Option<logins::Login>,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, RwLock};

    use async_trait::async_trait;
    use chrono::TimeDelta;

    use super::*;
    use crate::agent::accounts::{Accounts, Wires};
    use crate::agent::testing::{config_dir, shared};
    use crate::clock::{ManualClock, SharedClock};
    use crate::domain::ErrorType;
    use crate::http::{Transport, WireError, WireRequest, WireResponse};
    use crate::policy::due::Board;

    /// Nobody is there; counts who asks.
    #[derive(Clone, Default)]
    struct Nobody(Arc<AtomicUsize>);

    #[async_trait]
    impl Transport for Nobody {
        async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let what = "nobody is there".to_owned();
            Err(WireError { error_type: ErrorType::Connect, what, unsent: true })
        }
    }

    impl Wires for Nobody {
        fn open(&self, _: &Account) -> Result<Arc<dyn Transport>, WireError> {
            Ok(Arc::new(self.clone()))
        }
    }

    async fn vigil(clock: &SharedClock, nobody: &Nobody) -> (tempfile::TempDir, Vigil) {
        let (dir, config) = config_dir();
        let shared = shared(&dir, clock, Arc::new(nobody.clone()));
        let accounts = Accounts::make(&config, &Accounts::default(), &shared).await.unwrap();
        let stop = CancellationToken::new();
        let runner = Runner::new(shared.clone(), dir.path().to_owned(), accounts, stop);
        let board = Arc::new(Mutex::new(Board::new(Vec::new(), clock.now())));
        let config = Arc::new(RwLock::new(Arc::new(config)));
        let watch = Arc::new(Watch { config, shared, board, armed_at: clock.now() });
        (dir, Vigil::new(watch, runner))
    }

    #[tokio::test(start_paused = true)]
    async fn six_hours_without_an_answer_cost_no_more_questions_than_one_with() {
        let clock: SharedClock = ManualClock::at("2026-11-22T00:00:00Z".parse().unwrap());
        let nobody = Nobody::default();
        let (_dir, mut vigil) = vigil(&clock, &nobody).await;
        let begun = clock.now();
        while clock.now() - begun < TimeDelta::hours(6) {
            let wait = vigil.round(&CancellationToken::new()).await.unwrap();
            clock.sleep(wait).await;
        }
        let asked = nobody.0.load(Ordering::SeqCst);
        assert!((12..=24).contains(&asked), "{asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_was_renewed_while_nobody_watched_is_no_problem_any_more() {
        let clock: SharedClock = ManualClock::at("2026-11-22T00:00:00Z".parse().unwrap());
        let (_dir, mut vigil) = vigil(&clock, &Nobody::default()).await;
        let account = vigil.config().accounts[&AccountName::from("cm")].clone();
        let ends = clock.now() + TimeDelta::hours(3);
        let problem = notices::login_ends(&account, Nearness::Day, ends, clock.now());
        let store = vigil.watch.shared.store.clone();
        store.write(move |tx| problems::open(tx, &problem)).await.unwrap();
        vigil.round(&CancellationToken::new()).await.unwrap();
        assert_eq!(store.read(problems::list).await.unwrap(), []);
    }
}
