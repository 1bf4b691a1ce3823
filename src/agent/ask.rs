//! What a person can ask of the agent by hand. The same answers come from a running agent, over its control socket,
//! and from a process that has taken the state for this one question.

use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use super::accounts::Shared;
use super::credentials::NotWorked;
use super::notices::Notices;
use super::runner::{Due, Runner};
use super::status;
use crate::config::{Config, Work};
use crate::domain::{AccountName, ErrorType, JobName, Trigger, nearest};
use crate::http::CallError;
use crate::jobs::{Errand, Moment};
use crate::marketplace::Identity;
use crate::store::logins::{self, Member};
use crate::store::{StoreError, accounts, runs};

/// Answers what people ask by hand.
pub struct Desk {
    /// The configuration in force.
    pub config: Arc<RwLock<Arc<Config>>>,
    /// What runs jobs.
    pub runner: Runner,
    /// What accounts are made with.
    pub shared: Shared,
}

/// An answer, or why there is none.
pub type Answered<T> = Result<T, Declined>;

/// Why a person's wish is not done.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Declined {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub fix: String,
    /// The exit code that fits.
    pub exit: u8,
}

/// What the marketplace said when it was asked who we are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tested {
    /// The account.
    pub account: AccountName,
    /// Its access now.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Who we are, if it answered.
    pub identity: Option<String>,
    /// What went wrong, if it did not.
    pub error: Option<String>,
    /// What a person can do where the account is not served; `None` where it is.
    #[serde(default)]
    pub fix: Option<String>,
}

/// How far a job's present run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// What it is doing.
    pub phase: String,
    /// Parts of that which are done.
    pub done: u64,
    /// Of so many; 0 where nobody knows.
    pub total: u64,
    /// Requests that its account may still make; `None` without an account or a limit.
    pub requests_left: Option<i64>,
    /// Requests that the whole run takes, as it was reckoned before it began.
    #[serde(default)]
    pub requests_needed: Option<i64>,
    /// Where it only waits: for so many seconds more.
    #[serde(default)]
    pub left_s: Option<u64>,
}

impl Desk {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Runs a job now and waits for its end.
    pub async fn run_job(&self, name: &JobName, errand: Errand) -> Answered<runs::RunRow> {
        let config = self.config();
        let job = config.jobs.get(name).ok_or_else(|| no_job(name, &config))?;
        if errand != Errand::Usual && !matches!(job.work, Work::StockSync(_)) {
            return Err(Declined {
                message: format!("{name} is a {} job, and only stock-sync jobs make plans", job.work.kind()),
                fix: "name a stock-sync job; the jobs are listed by: sellerd job list".to_owned(),
                exit: 2,
            });
        }
        let now = self.shared.clock.now();
        let due = Due { job: Arc::new(job.clone()), at: now, trigger: Trigger::Manual, errand };
        let run = self.runner.run_now(due).await.map_err(|error| Declined {
            message: error.to_string(),
            fix: String::new(),
            exit: 1,
        })?;
        run.ok_or_else(|| Declined {
            message: format!("{name} is running already"),
            fix: format!("wait for it: sellerd runs list --job {name}"),
            exit: 5,
        })
    }

    /// How far a job's present run is; `None` while it does not run or has not begun.
    pub async fn progress(&self, name: &JobName) -> Option<Going> {
        let progress = self.runner.progress(name)?;
        let (moment, requests_needed) = (progress.now(), progress.requests_needed());
        let Moment { phase, done, total, .. } = moment;
        if phase.is_empty() {
            return None;
        }
        let config = self.config();
        let clocks = self.shared.clock.both();
        let account = config.jobs.get(name).and_then(|job| config.accounts.get(job.account.as_ref()?));
        let requests_left = match account.cloned() {
            None => None,
            // A number that cannot be read now is one that is not shown.
            Some(account) => {
                let read = self.shared.store.read(move |tx| status::requests_left(&account, tx, &clocks));
                read.await.unwrap_or_default()
            }
        };
        let left_s = moment.left_s(self.shared.clock.elapsed());
        Some(Going { phase: phase.to_owned(), done, total, requests_left, requests_needed, left_s })
    }

    /// Asks the marketplace who we are, although the account may be blocked. Success makes it active.
    pub async fn test_account(&self, name: &AccountName) -> Answered<Tested> {
        let config = self.config();
        let account = config.accounts.get(name).ok_or_else(|| no_account(name, &config))?;
        let internal = |message: String| Declined { message, fix: String::new(), exit: 1 };
        let market = self.runner.accounts().insisting(&account.name).ok_or_else(|| {
            let NotWorked { why, command } = NotWorked::of(account);
            Declined { message: why, fix: command, exit: 4 }
        })?;
        let answer = market.identity().await;
        let (name, now) = (name.clone(), self.shared.clock.now());
        let owned = name.clone();
        let access = self.shared.store.read(move |tx| accounts::access(tx, &owned, now)).await;
        let access = access.map_err(|e| internal(e.to_string()))?;
        if let Ok(who) = &answer {
            self.meet(&name, who).await.map_err(|e| internal(e.to_string()))?;
        }
        let (identity, error) = match answer {
            Ok(identity) => (Some(identity.name), None),
            Err(error) => (None, Some(error)),
        };
        if let Some(CallError::Store(message, _)) = error {
            return Err(internal(message));
        }
        let blocked = !access.state.lets_through();
        let full = error.as_ref().is_some_and(|error| error.error_type() == ErrorType::QuotaExhausted);
        let fix = match blocked {
            true => Notices::about(account).way_out(&name, &access),
            false => full.then(|| "wait until then; where the requests went: sellerd quota".to_owned()),
        };
        Ok(Tested {
            account: name,
            state: access.state.as_str().to_owned(),
            since: access.since.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            identity,
            error: error.map(|error| error.to_string()),
            fix,
        })
    }

    /// Notes who an account is that nobody has logged in to here: its credentials were put into place by hand.
    pub(super) async fn meet(&self, name: &AccountName, who: &Identity) -> Result<(), StoreError> {
        let (owned, now) = (name.clone(), self.shared.clock.now());
        let member = Member { id: who.id, name: who.name.clone() };
        self.shared.store.write(move |tx| logins::meet(tx, &owned, &member, now)).await
    }
}

/// There is no such job; perhaps another was meant.
pub fn no_job(name: &JobName, config: &Config) -> Declined {
    let known = || config.jobs.keys().map(|job| job.as_str());
    let fix = match nearest(name.as_str(), known()) {
        Some(near) => format!("did you mean {near}?"),
        None if config.jobs.is_empty() => {
            format!("there are no jobs in {}", config.dir.join("jobs").display())
        }
        None => format!("the jobs are: {}", names(known())),
    };
    Declined { message: format!("there is no job {name}"), fix, exit: 2 }
}

/// There is no such account.
pub fn no_account(name: &AccountName, config: &Config) -> Declined {
    Declined {
        message: format!("there is no account {name}"),
        fix: format!("the accounts are: {}", names(config.accounts.keys().map(|account| account.as_str()))),
        exit: 2,
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
