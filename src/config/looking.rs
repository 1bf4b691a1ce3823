//! Looking for the credentials of accounts, apart from reading what a person has decided: the stop switch, the status
//! and every other account must not wait for a password store that is locked, or for somebody who has logged out.

use std::path::Path;
use std::thread;

use super::diagnostic::{Code, Diagnostic};
use super::places::Places;
use super::secrets::{self, Found};
use super::{Account, Config};
use crate::domain::AccountName;

/// Whether anybody has looked for an account's credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Looked {
    /// Nobody has. Whether there are any is not known.
    #[default]
    NotYet,
    /// What there is is known. That may be nothing.
    Through,
    /// They cannot be used until this is mended. It is what `config check` says of it.
    InVain(Box<Diagnostic>),
}

impl Looked {
    /// What was in the way.
    pub fn in_the_way(&self) -> Option<&Diagnostic> {
        match self {
            Self::InVain(diagnostic) => Some(diagnostic),
            Self::NotYet | Self::Through => None,
        }
    }

    /// What was in the way although somebody has given credentials: they cannot be read, or make no sense.
    pub fn spoilt(&self) -> Option<&Diagnostic> {
        self.in_the_way().filter(|diagnostic| diagnostic.code != Code::SecretsMissing.id())
    }
}

/// Where the places of credentials are.
pub(super) struct Whereabouts<'a> {
    pub dir: &'a Path,
    pub state_dir: Option<&'a Path>,
    pub places: &'a Places,
}

impl Config {
    /// Looks for the credentials of these accounts, and of no others, and returns what is to be said of them. It lasts
    /// as long as the slowest of their commands, and blocks.
    pub fn look_for(&mut self, names: &[AccountName]) -> Vec<Diagnostic> {
        let jobs = &self.jobs;
        let needed =
            |name: &AccountName| jobs.values().any(|job| job.enabled && job.account.as_ref() == Some(name));
        let places = Whereabouts { dir: &self.dir, state_dir: Some(&self.state_dir), places: &self.places };
        let accounts = self.accounts.values_mut().filter(|account| names.contains(&account.name));
        into(accounts, &places, needed).into_iter().flat_map(|found| found.diagnostics).collect()
    }
}

/// Looks for the credentials of these accounts and puts them there. Those that a command prints are waited for all at
/// once. They are missed only where they are `needed`.
pub(super) fn into<'a>(
    accounts: impl Iterator<Item = &'a mut Account>,
    places: &Whereabouts<'_>,
    needed: impl Fn(&AccountName) -> bool,
) -> Vec<Found> {
    thread::scope(|scope| {
        let looks: Vec<_> = accounts
            .map(|account| {
                let needed = needed(&account.name);
                match account.login.credentials_command {
                    None => Ok(look(account, places, needed)),
                    Some(_) => Err(scope.spawn(move || look(account, places, needed))),
                }
            })
            .collect();
        let found = looks.into_iter().map(|look| match look {
            Ok(found) => found,
            Err(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        });
        found.collect()
    })
}

fn look(account: &mut Account, places: &Whereabouts<'_>, needed: bool) -> Found {
    let paths = secrets::paths(&account.name, places.dir, places.state_dir, places.places);
    let home = places.dir.join(format!("secrets/{}.toml", account.name));
    let found = secrets::read(account, &paths, &home, needed);
    account.looked = found.looked.clone();
    account.credentials = found.credentials.clone();
    account.sources = found.sources.clone();
    found
}
