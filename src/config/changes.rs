//! What a reload has to do.

use std::collections::BTreeMap;
use std::fmt;

use super::{Account, Config, Job};
use crate::domain::{AccountName, JobName};

/// The differences between two configurations. Every list is in the order of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Accounts that are new.
    pub accounts_added: Vec<AccountName>,
    /// Accounts that are gone.
    pub accounts_removed: Vec<AccountName>,
    /// Accounts whose settings or credentials are different: they get a new client.
    pub accounts_changed: Vec<AccountName>,
    /// Those of [`Changes::accounts_changed`] with other credentials: a login that was refused is worth trying again.
    pub credentials_changed: Vec<AccountName>,
    /// Jobs that are new.
    pub jobs_added: Vec<JobName>,
    /// Jobs that are gone.
    pub jobs_removed: Vec<JobName>,
    /// Jobs whose file, or the zone they take from `sellerd.toml`, is different.
    pub jobs_changed: Vec<JobName>,
    /// Whether channels are different.
    pub channels: bool,
    /// Whether templates are different.
    pub templates: bool,
    /// Settings that are different and only take effect at a restart.
    pub restart: Vec<&'static str>,
}

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Changes {
    /// In words for a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut list = |what: &str, names: Vec<&str>| {
            if !names.is_empty() {
                parts.push(format!("{what}: {}", names.join(", ")));
            }
        };
        let jobs = |names: &'_ [JobName]| names.iter().map(|n| n.0.clone()).collect::<Vec<_>>();
        let accounts = |names: &'_ [AccountName]| names.iter().map(|n| n.0.clone()).collect::<Vec<_>>();
        for (what, names) in [
            ("accounts added", accounts(&self.accounts_added)),
            ("accounts removed", accounts(&self.accounts_removed)),
            ("accounts changed", accounts(&self.accounts_changed)),
            ("jobs added", jobs(&self.jobs_added)),
            ("jobs removed", jobs(&self.jobs_removed)),
            ("jobs changed", jobs(&self.jobs_changed)),
        ] {
            list(what, names.iter().map(String::as_str).collect());
        }
        list("needs a restart", self.restart.clone());
        f.write_str(&if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") })
    }
}

impl Config {
    /// What is different in `new`.
    pub fn changes_to(&self, new: &Config) -> Changes {
        let (accounts_added, accounts_removed, accounts_changed) =
            compare(&self.accounts, &new.accounts, same_account);
        let (jobs_added, jobs_removed, jobs_changed) = compare(&self.jobs, &new.jobs, same_job);
        let credentials =
            |config: &Config, name| config.accounts.get(name).and_then(|a| a.credentials.clone());
        let credentials_changed = accounts_changed
            .iter()
            .filter(|name| credentials(self, name) != credentials(new, name))
            .cloned()
            .collect();
        let restart = [
            ("state_dir", self.state_dir != new.state_dir),
            ("http.listen", self.http.listen != new.http.listen),
            ("log.format", self.log.format != new.log.format),
            ("log.level", self.log.level != new.log.level),
        ];
        Changes {
            accounts_added,
            accounts_removed,
            accounts_changed,
            credentials_changed,
            jobs_added,
            jobs_removed,
            jobs_changed,
            channels: self.channels != new.channels,
            templates: self.templates != new.templates,
            restart: restart.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect(),
        }
    }
}

/// Added, removed, changed.
fn compare<K: Ord + Clone, V>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    same: impl Fn(&V, &V) -> bool,
) -> (Vec<K>, Vec<K>, Vec<K>) {
    let without = |of: &BTreeMap<K, V>, other: &BTreeMap<K, V>| {
        of.keys().filter(|key| !other.contains_key(key)).cloned().collect()
    };
    let changed = old.iter().filter(|(key, was)| new.get(key).is_some_and(|is| !same(was, is)));
    (without(new, old), without(old, new), changed.map(|(key, _)| key.clone()).collect())
}

/// Whether two accounts have the same settings and credentials, so that one client can serve both.
pub fn same_account(a: &Account, b: &Account) -> bool {
    // Taken apart in full, so that a setting added later cannot be forgotten here.
    let Account {
        name,
        marketplace,
        base_url,
        currency,
        limit,
        max_per_second,
        request_timeout,
        grace,
        probe_after,
        options,
        login,
        looked: _,
        sources: _,
        credentials,
    } = a;
    *name == b.name
        && marketplace.name == b.marketplace.name
        && *base_url == b.base_url
        && *currency == b.currency
        && *limit == b.limit
        && *max_per_second == b.max_per_second
        && *request_timeout == b.request_timeout
        && *grace == b.grace
        && *probe_after == b.probe_after
        && *options == b.options
        && *login == b.login
        && *credentials == b.credentials
}

fn same_job(a: &Job, b: &Job) -> bool {
    let Job { name, account, schedule, mode, enabled, timeout, jitter, overlap, on_missed, work } = a;
    *name == b.name
        && *account == b.account
        && (schedule.text(), schedule.tz()) == (b.schedule.text(), b.schedule.tz())
        && *mode == b.mode
        && *enabled == b.enabled
        && *timeout == b.timeout
        && *jitter == b.jitter
        && *overlap == b.overlap
        && *on_missed == b.on_missed
        && *work == b.work
}
