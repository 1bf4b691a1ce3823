//! An account's window of requests as it is shown to people: by the same time that the gate counts by.

use chrono::{DateTime, TimeDelta, Utc};

use super::deferral::purse;
use crate::config::Account;
use crate::domain::{AccountName, Clocks};
use crate::policy::deferral::{Earmarked, Purse};
use crate::policy::quota::{self, Usage};
use crate::policy::reckoning::Theirs;
use crate::store::{StoreError, Tx, accounts};

/// Where an account's requests stand.
pub(super) struct Standing {
    /// The window as a run finds it.
    pub purse: Purse,
    /// What is used of it.
    pub usage: Usage,
    /// The marketplace's time.
    pub theirs: DateTime<Utc>,
    /// How far it is ahead of our wall clock.
    pub offset: TimeDelta,
    /// When the next window begins, by our wall clock.
    pub resets_at: DateTime<Utc>,
    /// Until when nothing is sent for the one reason that nobody says whether the window is over.
    pub waits_until: Option<DateTime<Utc>>,
}

impl Standing {
    /// Reads it. Without a database it is what the configuration alone knows.
    pub fn of(account: &Account, tx: Option<&Tx<'_>>, clocks: &Clocks) -> Result<Self, StoreError> {
        let (kind, now) = (account.marketplace.limit_headers.window, clocks.now);
        let Some(tx) = tx else {
            let purse = Purse { kind, usage: None, limit: account.limit, earmarked: Earmarked::default() };
            return Ok(Self::at(purse, &account.name, now, Theirs::sure(now)));
        };
        let theirs = accounts::theirs(tx, &account.name, clocks)?;
        Ok(Self::at(purse(tx, account)?, &account.name, now, theirs))
    }

    fn at(purse: Purse, name: &AccountName, now: DateTime<Utc>, reckoned: Theirs) -> Self {
        let kind = purse.kind;
        let held = purse.held_back(name.as_str(), reckoned);
        // One that may be over and is waited for is not shown as over.
        let waits = held.filter(|_| reckoned.in_doubt(kind));
        let theirs = if waits.is_some() { reckoned.least } else { reckoned.at };
        let offset = theirs - now;
        let resets_at = kind.resets_at(theirs) - offset;
        Self {
            purse,
            usage: quota::current(purse.usage, kind, theirs),
            theirs,
            offset,
            resets_at: waits.map_or(resets_at, |wait| resets_at.min(now + wait)),
            waits_until: waits.map(|wait| now + wait),
        }
    }

    /// The most that are allowed, as far as anybody says.
    pub fn limit(&self) -> Option<i64> {
        self.usage.limit.or(self.purse.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::quota::WindowKind;

    #[test]
    fn a_window_that_may_be_over_is_shown_as_the_gate_counts_it() {
        let now: DateTime<Utc> = "2026-11-22T20:00:00Z".parse().unwrap();
        let least = "2026-11-22T14:50:00Z".parse().unwrap();
        let show = |kind: WindowKind, used| {
            let usage = Some(Usage { window_start: kind.start(least), used, limit: None });
            let theirs = Theirs::between(least, now + TimeDelta::hours(4));
            let standing = Standing::at(
                Purse { kind, usage, limit: Some(9), earmarked: Earmarked::default() },
                &"nz".into(),
                now,
                theirs,
            );
            (standing.usage.used, standing.resets_at)
        };
        let day = WindowKind::Day(chrono_tz::Europe::Berlin);
        assert_eq!(show(WindowKind::Hour, 9), (9, now + TimeDelta::minutes(10)));
        assert_eq!(show(day, 9), (9, now + TimeDelta::hours(8) + TimeDelta::minutes(10)));
        assert_eq!(show(day, 8), (1, now + TimeDelta::hours(23)), "it can be asked with the last one");
        assert_eq!(show(WindowKind::Hour, 8), (1, now + TimeDelta::hours(1)));
    }
}
