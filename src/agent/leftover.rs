//! Problems of accounts and jobs that have left the configuration: nobody can mend them, so they are over.
//!
//! What a problem is about is told by its code and not by its subject, since a job may have the name of an account, and
//! other problems are about neither.

use chrono::{DateTime, Utc};

use super::{credentials, deferral, metering, notices, timekeeping};
use crate::config::Config;
use crate::domain::{AccountName, JobName};
use crate::jobs::{BALANCE_TOO_LOW, GUARD_TRIPPED, PARKED};
use crate::store::{StoreError, Tx, parked, problems};

/// What the subject of a problem is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Account,
    Job,
    /// The agent itself, its machine or its files.
    Agent,
}

/// The accounts and jobs there are.
#[derive(Debug, Clone)]
pub(super) struct There {
    accounts: Vec<AccountName>,
    jobs: Vec<JobName>,
}

impl There {
    /// Those of this configuration.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            accounts: config.accounts.keys().cloned().collect(),
            jobs: config.jobs.keys().cloned().collect(),
        }
    }

    /// Whether what a problem is about is gone.
    fn is_without(&self, code: &str, subject: &str) -> bool {
        match about(code) {
            About::Account => !self.accounts.iter().any(|name| name.as_str() == subject),
            About::Job => !self.jobs.iter().any(|name| name.as_str() == subject),
            About::Agent => false,
        }
    }
}

/// Closes what is about something that is gone, and opens again what stands in the way of an account that is back. What
/// else is wrong with such an account is told when it is made usable, or by its next answer.
pub(super) fn sweep(tx: &Tx<'_>, there: &There, now: DateTime<Utc>) -> Result<(), StoreError> {
    for problem in problems::list(tx)? {
        if there.is_without(&problem.code, &problem.subject) {
            problems::close(tx, &problem.code, &problem.subject, now)?;
        }
    }
    for name in parked::list(tx)?.keys().filter(|name| there.accounts.contains(name)) {
        problems::reopen(tx, PARKED, name.as_str())?;
    }
    Ok(())
}

/// What the problems of this code are about. A new kind that has to go with its account or its job is named here; what
/// is not is left alone.
fn about(code: &str) -> About {
    match code {
        notices::LOGIN_REFUSED
        | notices::LOGIN_ENDS
        | notices::CLOCK_WRONG
        | timekeeping::NO_TIME
        | notices::ACCESS_REFUSED
        | notices::SUSPENDED
        | notices::RESOURCE_REFUSED
        | notices::NO_ANSWER
        | metering::TOO_PUBLIC
        | BALANCE_TOO_LOW
        | PARKED => About::Account,
        code if credentials::CODES.contains(&code) => About::Account,
        deferral::STRETCHED | deferral::TOO_LARGE | GUARD_TRIPPED => About::Job,
        _ => About::Agent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::config_dir;
    use crate::store::{Lane, Store};

    fn problem(code: &str, subject: &str) -> problems::Problem {
        problems::Problem {
            code: code.to_owned(),
            subject: subject.to_owned(),
            severity: problems::Severity::Warning,
            title: String::new(),
            since: now(),
            fix: String::new(),
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-11-22T14:31:07Z".parse().unwrap()
    }

    /// The open problems as `code subject`, after those were opened and a sweep.
    async fn swept(store: &Store, there: &There, opened: &[(&str, &str)]) -> Vec<String> {
        let opened: Vec<_> = opened.iter().map(|(code, subject)| problem(code, subject)).collect();
        let there = there.clone();
        let open = store.write(move |tx| {
            opened.iter().try_for_each(|problem| problems::open(tx, problem))?;
            sweep(tx, &there, now())?;
            problems::list(tx)
        });
        open.await.unwrap().iter().map(|problem| format!("{} {}", problem.code, problem.subject)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn problems_of_accounts_and_jobs_that_are_gone_are_over_and_no_others() {
        let (dir, config) = config_dir();
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, now()).unwrap();
        let job = config.jobs.keys().next().unwrap().to_string();
        let (there, job) = (There::of(&config), job.as_str());
        let of_accounts = [
            "E101", "E302", "E304", "E410", "E411", "E412", "E430", "E433", "E450", "E451", "E452", "E453",
            "E530", "E540", "W430",
        ];
        let of_jobs = ["E520", "W431", "W432"];
        let mut opened: Vec<(&str, &str)> = Vec::new();
        of_accounts.iter().for_each(|code| opened.extend([(*code, "cm"), (*code, "gone"), (*code, job)]));
        of_jobs.iter().for_each(|code| opened.extend([(*code, job), (*code, "gone"), (*code, "cm")]));
        opened.extend([("E460", "config"), ("P101", "gone")]);
        let mut left = swept(&store, &there, &opened).await;
        left.sort();
        let mut kept: Vec<String> = of_accounts.iter().map(|code| format!("{code} cm")).collect();
        kept.extend(of_jobs.iter().map(|code| format!("{code} {job}")));
        kept.extend(["E460 config".to_owned(), "P101 gone".to_owned()]);
        kept.sort();
        assert_eq!(left, kept);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_is_back_is_still_parked_and_says_so() {
        let (dir, config) = config_dir();
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, now()).unwrap();
        let there = There::of(&config);
        let without = There { accounts: Vec::new(), ..there.clone() };
        store.write(|tx| parked::park(tx, &"cm".into(), "1 - 1 = 1", now())).await.unwrap();
        assert_eq!(swept(&store, &without, &[("E540", "cm")]).await, Vec::<String>::new());
        assert_eq!(swept(&store, &there, &[]).await, ["E540 cm"]);
    }
}
