//! An account whose window is used up waits for the next one. Where the machine was started anew, only its clock can say
//! that the next one has come, so the machine is asked whether that clock is kept right; where it is not, people are.

use chrono::{DateTime, SecondsFormat, Utc};

use super::accounts::Shared;
use super::standing::Standing;
use crate::config::Account;
use crate::store::problems::{self, Problem, Severity};
use crate::store::{StoreError, deferrals};

/// The problem of an account that waits since nobody says what time it is.
pub const NO_TIME: &str = "E433";

/// Looks whether `account` waits for the time alone, and asks for it. Returns whether it waited and need not any more:
/// what was put off so starts now.
pub(super) async fn look(account: &Account, shared: &Shared) -> Result<bool, StoreError> {
    let (mut wait, told) = waiting(account, shared).await?;
    let waited = wait.is_some() || told.is_some();
    if wait.is_some() && shared.clock.ask_whether_kept().await {
        (wait, _) = waiting(account, shared).await?;
    }
    let now = shared.clock.now();
    match wait {
        Some(until) => {
            let problem = no_time(account, until, now);
            if told.is_none_or(|told| told.title != problem.title) {
                shared.store.write(move |tx| problems::open(tx, &problem)).await?;
            }
        }
        None if waited => {
            let name = account.name.clone();
            let over = shared.store.write(move |tx| {
                problems::close(tx, NO_TIME, name.as_str(), now)?;
                deferrals::bring_forward(tx, &name, now)
            });
            over.await?;
        }
        None => {}
    }
    Ok(waited && wait.is_none())
}

/// Until when it waits for the time alone, if it does, and what people were told of that.
async fn waiting(
    account: &Account,
    shared: &Shared,
) -> Result<(Option<DateTime<Utc>>, Option<Problem>), StoreError> {
    let (account, clocks) = (account.clone(), shared.clock.both());
    let read = shared.store.read(move |tx| {
        let standing = Standing::of(&account, Some(tx), &clocks)?;
        let ours = |problem: &Problem| problem.code == NO_TIME && problem.subject == account.name.as_str();
        Ok((standing.waits_until, problems::list(tx)?.into_iter().find(ours)))
    });
    read.await
}

fn no_time(account: &Account, until: DateTime<Utc>, now: DateTime<Utc>) -> Problem {
    let window = account.marketplace.limit_headers.window.as_str();
    Problem {
        code: NO_TIME.to_owned(),
        subject: account.name.to_string(),
        severity: Severity::Critical,
        title: format!(
            "{} has used up a {window} of requests, and nobody says whether that {window} is over: this machine was \
             started anew and nothing keeps its clock right; it is left alone until {} at most",
            account.name,
            until.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        since: now,
        fix: "timedatectl set-ntp true".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::agent::accounts::Network;
    use crate::agent::testing::{config_dir, shared};
    use crate::clock::{Clock, ManualClock, SharedClock};
    use crate::domain::{AccountName, Clocks};
    use crate::policy::quota::Usage;
    use crate::store::deferrals::Deferral;
    use crate::store::{accounts, quotas};

    #[tokio::test(start_paused = true)]
    async fn an_account_that_waits_for_the_time_is_a_problem_until_the_machine_knows_it() {
        let (dir, config) = config_dir();
        let account = &config.accounts[&AccountName::from("cm")];
        let clock = ManualClock::at("2026-11-22T13:45:00Z".parse().unwrap());
        let shared = shared(&dir, &(clock.clone() as SharedClock), Arc::new(Network));
        let Clocks { now, mark, .. } = clock.both();
        let put = shared.store.write(move |tx| {
            let start = "2026-11-21T23:00:00Z".parse().unwrap();
            let usage = Usage { window_start: start, used: 100, limit: Some(100) };
            quotas::set_usage(tx, &"cm".into(), "day", &usage)?;
            accounts::set_last_said(tx, &"cm".into(), now, mark.as_ref())?;
            for (job, account) in [("held", "cm"), ("other", "another")] {
                let starts_at = now + TimeDelta::days(3);
                let (job, account) = (job.into(), account.into());
                deferrals::put(tx, &Deferral { job, account, cost: 1, since: now, starts_at })?;
            }
            Ok(())
        });
        put.await.unwrap();
        let told = || async {
            let open = shared.store.read(problems::list).await.unwrap();
            open.into_iter().map(|problem| problem.title).collect::<Vec<_>>()
        };
        assert!(!look(account, &shared).await.unwrap(), "it is used up, and when it ends is known");
        assert!(told().await.is_empty());

        clock.reboot(Duration::from_secs(20 * 3_600));
        for _ in 0..2 {
            assert!(!look(account, &shared).await.unwrap());
            let title = told().await.concat();
            assert!(title.contains("day of requests") && title.contains("2026-11-23T19:00"), "{title}");
            clock.sleep_machine(Duration::from_secs(10));
        }
        clock.asks_time(true);
        assert!(look(account, &shared).await.unwrap());
        assert!(told().await.is_empty());
        let (now, starts) = (clock.now(), shared.store.read(deferrals::list).await.unwrap());
        let starts: Vec<_> =
            starts.iter().map(|waits| (waits.job.as_str(), waits.starts_at <= now)).collect();
        assert_eq!(starts, [("held", true), ("other", false)]);
        assert!(!look(account, &shared).await.unwrap(), "once");
    }
}
