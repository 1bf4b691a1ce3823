//! An account whose window is used up waits for the next one. Where the machine was started anew, only its clock can say
//! that the next one has come, so the machine is asked whether that clock is kept right; where it is not, people are.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::accounts::Shared;
use super::standing::Standing;
use crate::clock::Clock;
use crate::config::Account;
use crate::domain::Clocks;
use crate::store::problems::{self, Problem, Severity};
use crate::store::{Store, StoreError, accounts, deferrals};

/// The problem of an account that waits since nobody says what time it is.
pub const NO_TIME: &str = "E433";

/// A machine that has just been started has not asked its time server yet.
const ASKS_FIRST: TimeDelta = TimeDelta::minutes(10);

/// Looks whether `account` waits for the time alone, and asks for it. Returns whether it waited and need not any more:
/// then what was put off starts now, or with the next window where this one is not over.
pub(super) async fn look(account: &Account, shared: &Shared) -> Result<bool, StoreError> {
    let (mut standing, told) = standing(account, shared).await?;
    let waited = standing.waits_until.is_some() || told.is_some();
    if standing.waits_until.is_some() && shared.clock.ask_whether_kept().await {
        (standing, _) = self::standing(account, shared).await?;
    }
    let (account, clocks) = (account.clone(), shared.clock.both());
    let now = clocks.now;
    if let Some(until) = standing.waits_until {
        let problem = no_time(&account, until, told.as_ref().map_or(now, |told| told.since), now);
        let news =
            told.is_none_or(|told| (told.title, told.severity) != (problem.title.clone(), problem.severity));
        let wrote = shared.store.write(move |tx| {
            // A machine that is on for hours a day gets there all the same.
            accounts::carry_on_theirs(tx, &account.name, &clocks)?;
            if news { problems::open(tx, &problem) } else { Ok(()) }
        });
        wrote.await?;
    } else if waited {
        let is_full = standing.limit().is_some_and(|limit| standing.usage.used >= limit);
        let starts_at = if is_full { standing.resets_at } else { now };
        let over = shared.store.write(move |tx| {
            problems::close(tx, NO_TIME, account.name.as_str(), now)?;
            deferrals::bring_forward(tx, &account.name, starts_at)
        });
        over.await?;
    }
    Ok(waited && standing.waits_until.is_none())
}

/// How it stands with an account's window, and what people were told of one that waits for the time.
async fn standing(account: &Account, shared: &Shared) -> Result<(Standing, Option<Problem>), StoreError> {
    let (account, clocks) = (account.clone(), shared.clock.both());
    let read = shared.store.read(move |tx| {
        let ours = |problem: &Problem| problem.code == NO_TIME && problem.subject == account.name.as_str();
        let told = problems::list(tx)?.into_iter().find(ours);
        Ok((Standing::of(&account, Some(tx), &clocks)?, told))
    });
    read.await
}

/// What both clocks show, for somebody who only looks. Where an account waits for the time he asks the machine for it, so
/// that he does not see what the agent has long got over.
pub async fn clocks_beside(store: Option<&Store>, clock: &dyn Clock) -> Result<Clocks, StoreError> {
    let Some(store) = store else { return Ok(clock.both()) };
    let waits =
        store.read(|tx| Ok(problems::list(tx)?.iter().any(|problem| problem.code == NO_TIME))).await?;
    if waits {
        clock.ask_whether_kept().await;
    }
    Ok(clock.both())
}

fn no_time(account: &Account, until: DateTime<Utc>, since: DateTime<Utc>, now: DateTime<Utc>) -> Problem {
    let window = account.marketplace.limit_headers.window.as_str();
    let severity = if now - since < ASKS_FIRST { Severity::Warning } else { Severity::Critical };
    Problem {
        code: NO_TIME.to_owned(),
        subject: account.name.to_string(),
        severity,
        title: format!(
            "{} has used up a {window} of requests, and nobody says whether that {window} is over: this machine was \
             started anew and nothing keeps its clock right; it is left alone until {} at most",
            account.name,
            until.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        since,
        fix: "timedatectl set-ntp true".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::agent::accounts::Network;
    use crate::agent::testing::{config_dir, shared};
    use crate::clock::{ManualClock, SharedClock};
    use crate::domain::AccountName;
    use crate::policy::quota::Usage;
    use crate::store::deferrals::Deferral;
    use crate::store::quotas;

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
