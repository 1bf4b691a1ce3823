//! Credentials of the accounts that are to be worked: looked for when they are needed, and where they cannot be used a
//! problem of that account and of no other.

use chrono::{DateTime, Utc};

use super::login::way_in;
use crate::config::{Account, Config, Diagnostic, Severity};
use crate::domain::AccountName;
use crate::store::problems::{self, Problem};
use crate::store::{StoreError, Tx};

/// What may be wrong with an account's credentials, in the codes of `config check`: no TOML, a name or a type that is
/// wrong, a file that cannot be read, none at all, half a pair, a command that prints none.
pub const CODES: [&str; 7] = ["E101", "E102", "E103", "E130", "E302", "E303", "E304"];

/// Looks for the credentials of these accounts, and returns what is to be said of them. Files are read here and now; a
/// command may take seconds, and nobody else waits for it.
pub async fn look_for(config: &mut Config, names: Vec<AccountName>) -> Vec<Diagnostic> {
    let commands =
        names.iter().filter_map(|name| config.accounts.get(name)?.login.credentials_command.as_ref());
    if commands.count() == 0 {
        return config.look_for(&names);
    }
    let mut looked = config.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let found = looked.look_for(&names);
        (looked, found)
    });
    match looking.await {
        Ok((looked, found)) => {
            *config = looked;
            found
        }
        Err(error) => {
            // Nobody has looked, so nobody is worked; the runs say so.
            tracing::error!("credentials could not be looked for: {error}");
            Vec::new()
        }
    }
}

/// The same for all accounts of an agent, which says in its log what is to be said.
pub(super) async fn look_for_all(config: &mut Config) {
    let names = config.accounts.keys().cloned().collect();
    for Diagnostic { code, severity, message, fix, .. } in look_for(config, names).await {
        let fix = fix.unwrap_or_default();
        match severity {
            Severity::Error => tracing::error!(event = "auth.unusable", code, "{message}; {fix}"),
            Severity::Warning => tracing::warn!(event = "auth.doubtful", code, "{message}; {fix}"),
        }
    }
}

/// Why an account is not worked, and the command that mends it or names what does.
#[derive(Debug, Clone)]
pub struct NotWorked {
    /// What is wrong.
    pub why: String,
    /// The command.
    pub command: String,
}

impl NotWorked {
    /// Of an account without a login.
    pub fn of(account: &Account) -> Self {
        let name = &account.name;
        match account.looked.in_the_way() {
            None => Self { why: format!("account {name} is not logged in"), command: way_in(account) },
            Some(wrong) => Self {
                why: format!("account {name} has no usable credentials, {}: {}", wrong.code, wrong.placed()),
                command: match account.looked.spoilt() {
                    None => way_in(account),
                    Some(_) => "sellerd auth status".to_owned(),
                },
            },
        }
    }
}

/// What mends credentials that cannot be used.
pub fn mended_by(account: &Account, wrong: &Diagnostic) -> String {
    let import = format!("sellerd auth import {}", account.name);
    match wrong.fix.as_deref() {
        None | Some("") => import,
        Some(fix) if fix.contains(&import) => fix.to_owned(),
        Some(fix) => format!("{fix}, then: sellerd auth test {}; or bring them anew: {import}", account.name),
    }
}

/// Credentials that cannot be used are a problem of their account until they can.
pub(super) fn note(tx: &Tx<'_>, account: &Account, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (name, wrong) = (&account.name, account.looked.in_the_way());
    for code in CODES.into_iter().filter(|code| wrong.is_none_or(|wrong| wrong.code != *code)) {
        problems::close(tx, code, name.as_str(), now)?;
    }
    let Some(wrong) = wrong else { return Ok(()) };
    let problem = Problem {
        code: wrong.code.to_owned(),
        subject: name.to_string(),
        severity: problems::Severity::Critical,
        title: format!("{name} is not worked, its credentials cannot be used: {}", wrong.placed()),
        since: now,
        fix: mended_by(account, wrong),
    };
    problems::open(tx, &problem)
}
