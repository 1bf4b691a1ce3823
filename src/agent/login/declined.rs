//! Why a login, an import or a logout is not done, in words for the person who asked for it: what is wrong, and the
//! command that goes on from there.

use crate::agent::ask::Declined;
use crate::agent::credentials::mended_by;
use crate::agent::notices::Notices;
use crate::config::{Account, Vault, VaultError};
use crate::domain::{AccountName, ErrorType};
use crate::http::CallError;
use crate::marketplace::{Identity, LoginError};
use crate::policy::access::{Access, AccessState};
use crate::store::StoreError;
use crate::store::logins::Member;

/// How far a login was when it came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// At its first request: there is nothing to go on with.
    Beginning,
    /// When what a person brought back was exchanged: it waits for another try.
    Finishing,
}

/// The login came to nothing.
pub(super) fn not_let_in(account: &Account, step: Step, error: LoginError) -> Declined {
    let name = &account.name;
    let login = format!("sellerd auth login {name}");
    let again = match step {
        Step::Beginning => login.clone(),
        Step::Finishing => format!("{login} --resume"),
    };
    let message = error.to_string();
    match error {
        LoginError::Refused => declined(4, message, format!("if that was a mistake, begin again: {login}")),
        LoginError::Over(_) => declined(4, message, format!("begin a new one: {login}")),
        LoginError::App(_) => {
            let [key, secret, ..] = account.marketplace.credential_names;
            let fix = format!(
                "compare {key} and {secret} with the marketplace's page, bring them again with sellerd auth import {name}, then: {login}"
            );
            declined(4, message, fix)
        }
        LoginError::Clock(_) => declined(
            5,
            message,
            format!("set this machine's clock (timedatectl set-ntp true), then: {again}"),
        ),
        LoginError::Call(error) => {
            let or = match step {
                Step::Beginning => String::new(),
                Step::Finishing => format!("; if what you typed is refused then, begin anew: {login}"),
            };
            declined(exit_of(&error), message, format!("try again: {again}{or}"))
        }
        LoginError::Wrong(_) | LoginError::Unreadable(_) => declined(4, message, again),
    }
}

/// The credentials are those of another seller than until now.
pub(super) fn another(name: &AccountName, was: &Member, found: &Identity, again: &str) -> Declined {
    let message = format!(
        "that is another seller: {} (member {}), and {name} has been {} (member {}) until now; nothing was changed",
        found.name, found.id, was.name, was.id
    );
    // What was let in is kept for `--other-seller`, so that another login has to begin anew.
    let anew = again.trim_end_matches(" --resume");
    let fix = format!(
        "as {}: {anew}; or, if {name} is to be the account of {} from now on: {again} --other-seller",
        was.name, found.name
    );
    declined(4, message, fix)
}

/// Something new is brought for a login that was let in already and is not in use: nobody could say which of the two
/// is meant.
pub(super) fn waits_already(name: &AccountName) -> Declined {
    let login = format!("sellerd auth login {name}");
    declined(
        4,
        format!("a grant of {name} waits to be put into use, so what was brought now was not looked at"),
        format!(
            "take the grant: {login} --resume (with --other-seller, if it is another seller's and that is meant); or \
             begin anew: {login}"
        ),
    )
}

/// The credentials do not say who they are.
pub(super) fn not_accepted(account: &Account, access: &Access, error: &CallError, again: &str) -> Declined {
    let title = account.marketplace.title;
    let [.., token, secret] = account.marketplace.credential_names;
    match error {
        CallError::Unauthorized { .. } | CallError::Forbidden { .. } => {
            let message = format!("{title} does not accept these credentials ({error}); nothing was changed");
            let fix = format!(
                "compare all four values, above all {token} and {secret}, with the page at {title}, then: {again}"
            );
            declined(4, message, and_ask_again(fix, account, access))
        }
        error => {
            let message = format!("{title} could not be asked who this is ({error}); nothing was changed");
            declined(exit_of(error), message, format!("try again: {again}"))
        }
    }
}

/// The app is another one than before, and the token in use, which nobody brought another for, is refused with it.
/// Bringing the same once more would be refused once more.
pub(super) fn of_another_app(
    account: &Account,
    vault: &Vault,
    access: &Access,
    error: &CallError,
) -> Declined {
    let (name, title) = (&account.name, account.marketplace.title);
    let [key, _, token, secret] = account.marketplace.credential_names;
    let message = format!(
        "{title} does not accept the {token} in use with that {key} ({error}): a token belongs to the app that it was \
         made with; nothing was changed"
    );
    if (account.marketplace.login.import_only)(&account.options).is_some() {
        let fix = format!("bring all four values of the new app: sellerd auth import {name}");
        return declined(4, message, and_ask_again(fix, account, access));
    }
    // A logout forgets what was written here, and no more.
    let ours = vault.path(name).display().to_string();
    let places =
        account.sources.token.iter().flat_map(|origin| [&origin.place].into_iter().chain(&origin.others));
    let elsewhere: Vec<_> = places.map(ToString::to_string).filter(|place| *place != ours).collect();
    let first = match &elsewhere[..] {
        [] => String::new(),
        places => format!("take {token} and {secret} out of {}, then: ", places.join(" and ")),
    };
    let fix = format!(
        "{first}sellerd auth logout {name} ; then bring the new app's pair: sellerd auth import {name} ; then: \
         sellerd auth login {name}"
    );
    declined(4, message, and_ask_again(fix, account, access))
}

/// Where access was taken away, no credentials may help.
fn and_ask_again(fix: String, account: &Account, access: &Access) -> String {
    match access.state {
        AccessState::Revoked => {
            format!("{fix} ; {}", Notices::about(account).ask_again(&account.name, access))
        }
        _ => fix,
    }
}

/// There is nothing to sign with.
pub(super) fn no_consumer(account: &Account) -> Declined {
    let [key, secret, ..] = account.marketplace.credential_names;
    let (name, title) = (&account.name, account.marketplace.title);
    if let Some(spoilt) = account.looked.spoilt() {
        return declined(4, spoilt.placed(), mended_by(account, spoilt));
    }
    declined(
        4,
        format!("{name} has no {key} and {secret} of {title} yet"),
        format!("bring them first: sellerd auth import {name}"),
    )
}

/// The files of the secrets cannot be read or written.
pub(super) fn not_kept(error: VaultError) -> Declined {
    declined(1, error.to_string(), "make it possible for the user of sellerd to write there".to_owned())
}

/// The database cannot be read or written.
pub(super) fn not_stored(error: StoreError) -> Declined {
    declined(1, error.to_string(), String::new())
}

/// Any other reason, with the exit code that fits.
pub(super) fn declined(exit: u8, message: impl Into<String>, fix: String) -> Declined {
    Declined { message: message.into(), fix, exit }
}

/// The exit code that fits what a request came to.
pub(super) fn exit_of(error: &CallError) -> u8 {
    match error.error_type() {
        ErrorType::AuthRevoked | ErrorType::AuthForbidden => 4,
        ErrorType::Internal => 1,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing;

    #[test]
    fn the_command_that_is_named_works_at_the_step_at_which_the_login_failed() {
        let (_dir, config) = testing::config_dir();
        let account = config.accounts.values().next().unwrap();
        let html = CallError::BadAnswer { at: "POST x".to_owned(), what: "a page".to_owned() };
        let words = || "no".to_owned();
        for error in [LoginError::Call(html), LoginError::Clock(900), LoginError::Wrong(words())] {
            let fix = |step| not_let_in(account, step, error.clone()).fix;
            let (first, later) = (fix(Step::Beginning), fix(Step::Finishing));
            assert!(first.ends_with("sellerd auth login cm"), "{error}: {first}");
            assert!(later.contains("sellerd auth login cm --resume"), "{error}: {later}");
        }
        for error in [LoginError::Refused, LoginError::Over(words()), LoginError::App(words())] {
            let fix = not_let_in(account, Step::Finishing, error.clone()).fix;
            assert!(fix.ends_with("sellerd auth login cm"), "{error}: {fix}");
        }
    }
}
