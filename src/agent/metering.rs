//! Whether public data may be asked for now, and the problem that tells people when it may not.

use chrono::{DateTime, Utc};

use super::status::PublicStatus;
use crate::config::Account;
use crate::domain::AccountName;
use crate::policy::meter::{self, Declined, PublicRule};
use crate::store::{StoreError, Tx, problems, tally};

/// The problem of an account that asks for too much public data.
pub const TOO_PUBLIC: &str = "W430";

/// Asks the rule, by what was counted. `now` is the marketplace's time. That a day has not begun with business of the
/// account's own is how days are, and no problem.
pub(super) fn may_ask(
    tx: &Tx<'_>,
    account: &AccountName,
    rule: PublicRule,
    now: DateTime<Utc>,
) -> Result<Result<(), Declined>, StoreError> {
    let (today, streak) = tally::today_and_streak(tx, account, rule, now)?;
    let answer = meter::may_ask(today, streak, rule);
    match answer {
        Ok(()) => _ = problems::close(tx, TOO_PUBLIC, account.as_str(), now)?,
        Err(Declined::NothingOwn | Declined::Never) => {}
        Err(declined) => {
            let problem = problems::Problem {
                code: TOO_PUBLIC.to_owned(),
                subject: account.to_string(),
                severity: problems::Severity::Warning,
                title: format!("{account} asks for much public data: {declined}"),
                since: now,
                fix: "look at the shares: sellerd quota; run jobs that read prices less often".to_owned(),
            };
            problems::open(tx, &problem)?;
        }
    }
    Ok(answer)
}

/// A new day has begun: what was too much yesterday is over.
pub(super) fn new_day(tx: &Tx<'_>, account: &AccountName, now: DateTime<Utc>) -> Result<(), StoreError> {
    problems::close(tx, TOO_PUBLIC, account.as_str(), now).map(drop)
}

/// How much of what an account asks is public data; `None` where its marketplace does not mind. `now` is the
/// marketplace's time.
pub(super) fn status(
    account: &Account,
    tx: Option<&Tx<'_>>,
    now: DateTime<Utc>,
) -> Result<Option<PublicStatus>, StoreError> {
    let Some(rule) = account.public_rule() else { return Ok(None) };
    let (today, before) = match tx {
        Some(tx) => tally::today_and_streak(tx, &account.name, rule, now)?,
        None => Default::default(),
    };
    Ok(Some(PublicStatus {
        share: today.share(),
        today: today.public,
        streak_days: if today.own > 0 { 0 } else { before + u32::from(today.is_public_only()) },
        limit: i64::from(rule.share),
        limit_per_day: rule.per_day,
        allowed: meter::may_ask(today, before, rule).is_ok(),
    }))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::SharedClock;
    use crate::domain::RequestClass;
    use crate::marketplace::cardmarket;
    use crate::store::{Lane, Store};

    #[tokio::test(start_paused = true)]
    async fn too_much_public_data_is_declined_and_a_problem_until_it_may_be_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let clock: SharedClock = crate::clock::ManualClock::at("2026-10-25T12:00:00Z".parse().unwrap());
        let now = clock.now();
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, now).unwrap();
        let rule = cardmarket::DESCRIPTOR.public_rule.unwrap();
        let cm = AccountName::from("cm");
        let count = |class| {
            let (cm, start) = (cm.clone(), rule.day.start(now));
            store.write(move |tx| tally::add(tx, &cm, start, None, class))
        };
        let ask = |at| {
            let cm = cm.clone();
            store.write(move |tx| Ok((may_ask(tx, &cm, rule, at)?, problems::list(tx)?.len())))
        };
        assert_eq!(ask(now).await.unwrap(), (Err(Declined::NothingOwn), 0), "which is how days begin");
        count(RequestClass::Orders).await.unwrap();
        assert_eq!(ask(now).await.unwrap(), (Ok(()), 0));
        count(RequestClass::Public).await.unwrap();
        let (answer, problems) = ask(now).await.unwrap();
        assert!(matches!(answer, Err(Declined::Share { more: 1, .. })) && problems == 1, "{answer:?}");
        count(RequestClass::Stock).await.unwrap();
        assert_eq!(ask(now).await.unwrap(), (Ok(()), 0));
        let tomorrow = now + TimeDelta::hours(11);
        assert_eq!(ask(tomorrow).await.unwrap().0, Err(Declined::NothingOwn), "a day of 25 hours is over");
        assert_eq!(ask(tomorrow - TimeDelta::seconds(1)).await.unwrap().0, Ok(()));
    }
}
