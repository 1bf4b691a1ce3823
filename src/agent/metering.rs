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
