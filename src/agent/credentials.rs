//! Credentials of the accounts that are to be worked: looked for when they are needed, and where they cannot be used a
//! problem of that account and of no other.

use chrono::{DateTime, Utc};

use super::login::way_in;
use super::{instance, notices, timekeeping};
use crate::config::{Account, Config, Diagnostic, Looked, Severity};
use crate::domain::AccountName;
use crate::store::problems::{self, Problem};
use crate::store::{StoreError, Tx};

/// The problem of an account that nobody is logged in to, though nothing is wrong with what there is.
pub const NOT_LOGGED_IN: &str = "E412";

/// Why an account may not be worked. But for the last one they are what may be wrong with its credentials, in the codes
/// of `config check`: no TOML, a name or a type that is wrong, a file that cannot be read, none at all, half a pair, a
/// command that prints none.
pub const CODES: [&str; 8] = ["E101", "E102", "E103", "E130", "E302", "E303", "E304", NOT_LOGGED_IN];

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

/// The same for somebody who only looks. Where somebody has the state he knows better what there is, since he may be
/// given credentials that nobody else sees; and no command is run for it, which may ask for a password.
pub async fn look_beside(config: &mut Config) {
    if instance::is_taken(&config.state_dir) {
        return;
    }
    let at_hand = |account: &&Account| account.login.credentials_command.is_none();
    let names = config.accounts.values().filter(at_hand).map(|account| account.name.clone()).collect();
    look_for(config, names).await;
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

/// Whether anybody has logged in to it: nothing is sent for it otherwise.
pub(super) fn is_logged_in(account: &Account) -> bool {
    account.credentials.as_ref().is_some_and(|credentials| credentials.token.is_some())
}

/// An account that nobody is logged in to, or whose credentials cannot be used, is a problem until that is mended.
pub(super) fn note(tx: &Tx<'_>, account: &Account, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (name, problem) = (&account.name, problem(account, now));
    for code in CODES.into_iter().filter(|code| problem.as_ref().is_none_or(|problem| problem.code != *code))
    {
        problems::close(tx, code, name.as_str(), now)?;
    }
    // Nobody waits for anything with what is not there or cannot be used. Should it come back, it is told again.
    if problem.is_some() {
        problems::close(tx, timekeeping::NO_TIME, name.as_str(), now)?;
    }
    if problem.as_ref().is_some_and(|problem| matches!(problem.code.as_str(), NOT_LOGGED_IN | "E302")) {
        problems::close(tx, notices::LOGIN_REFUSED, name.as_str(), now)?;
    }
    problem.map_or(Ok(()), |problem| problems::open(tx, &problem))
}

/// The same for somebody who only looks: of an account that he has looked at he knows better than what is written down.
pub(super) fn see(known: &mut Vec<Problem>, account: &Account, now: DateTime<Utc>) {
    if account.looked == Looked::NotYet {
        return;
    }
    let seen = problem(account, now);
    let before = |known: &Problem| seen.as_ref().is_some_and(|seen| seen.code == known.code);
    known.retain(|known| !keeps_out(known, &account.name) || before(known));
    if let Some(seen) = seen.filter(|seen| known.iter().all(|known| !is_same(known, seen))) {
        known.push(seen);
    }
}

/// Whether a problem is what keeps this account from being worked.
pub(super) fn keeps_out(problem: &Problem, account: &AccountName) -> bool {
    problem.subject == account.as_str() && CODES.contains(&problem.code.as_str())
}

/// Why nobody works an account, in the words that stand beside its name.
pub(super) fn in_short(problem: &Problem) -> &'static str {
    match problem.code.as_str() {
        NOT_LOGGED_IN | "E302" => "not logged in",
        _ => "credentials unusable",
    }
}

fn is_same(one: &Problem, other: &Problem) -> bool {
    (&one.code, &one.subject) == (&other.code, &other.subject)
}

fn problem(account: &Account, now: DateTime<Utc>) -> Option<Problem> {
    let name = &account.name;
    let (code, title, fix) = match account.looked.in_the_way() {
        Some(wrong) => (
            wrong.code,
            format!("{name} is not worked, its credentials cannot be used: {}", wrong.placed()),
            mended_by(account, wrong),
        ),
        None if is_logged_in(account) => return None,
        None => (NOT_LOGGED_IN, format!("{name} is not worked, nobody is logged in to it"), way_in(account)),
    };
    Some(Problem {
        code: code.to_owned(),
        subject: name.to_string(),
        severity: problems::Severity::Critical,
        title,
        since: now,
        fix,
    })
}
