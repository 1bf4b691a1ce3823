//! When each login ends, as far as the configuration says so: kept beside what is known of the login itself, so that
//! whoever warns of an end need not know who said it.

use chrono_tz::Tz;

use crate::agent::accounts::mark_of;
use crate::config::{Account, Looked};
use crate::store::logins::{self, Login};
use crate::store::{StoreError, Tx};

/// Brings the end of an account's login up to the configuration.
pub fn note(tx: &Tx<'_>, account: &Account, tz: Tz) -> Result<(), StoreError> {
    let known = logins::get(tx, &account.name)?;
    let login = applied(known.clone().unwrap_or_default(), account, tz);
    let nothing = known.is_none() && login.expires_at.is_none();
    if account.looked != Looked::Through || nothing || known.as_ref() == Some(&login) {
        return Ok(());
    }
    logins::set(tx, &account.name, &login)
}

/// What is known of a login, with the end that the configuration gives it. While the account's credentials cannot be
/// read nobody knows whose login it is, and what was known of it stays.
pub fn applied(before: Login, account: &Account, tz: Tz) -> Login {
    if account.looked != Looked::Through {
        return before;
    }
    let mark = account.credentials.as_ref().map(mark_of);
    // Other credentials than those of the last login: nobody knows when they were made.
    let login = match mark == before.credentials_mark {
        true => before,
        false => Login {
            identity: before.identity,
            checked_at: before.checked_at,
            credentials_mark: mark,
            ..Login::default()
        },
    };
    let expires_at = account.login.ends(login.token_created_at, tz);
    Login { expires_at, ..login }
}
