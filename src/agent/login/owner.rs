//! Whose an account has been until now: what the seller behind new credentials is compared with.
//!
//! Credentials that were put into place by hand may have worked for months without anybody noting who they are. So the pair
//! in use is asked, once, before another one takes its place; and where it says nothing, a person has to know.

use serde::{Deserialize, Serialize};

use crate::agent::accounts::mark_of;
use crate::agent::ask::{Answered, Declined, Desk};
use crate::agent::login::declined::{declined, not_stored};
use crate::config::Account;
use crate::domain::{AccountName, Credentials};
use crate::marketplace::Identity;
use crate::store::logins::{self, Member};
use crate::store::{Tx, accounts};

/// Whose it has been.
pub(super) enum Owner {
    /// Nobody's: it has no data yet, or the credentials are the ones that are in use.
    Nobody,
    /// This seller's.
    Known(Member),
    /// Somebody's, and this is why nobody can say whose.
    Unknown(String),
}

/// New credentials that wait for a person to say whether they are the right seller's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unsure {
    /// What the person is asked; a yes is another seller that is meant.
    pub question: String,
    /// What is said where there is nobody to ask, or the answer is no.
    pub declined: Declined,
}

impl Desk {
    /// Finds out whose the account has been, with one request of the pair in use where it was never noted.
    pub(super) async fn owner(&self, account: &Account, new: &Credentials) -> Answered<Owner> {
        let name = &account.name;
        let owned = name.clone();
        let read = move |tx: &Tx<'_>| {
            let noted = logins::get(tx, &owned)?.and_then(|login| login.identity);
            Ok((noted, accounts::has_data(tx, &owned)?))
        };
        match self.shared.store.read(read).await.map_err(not_stored)? {
            (Some(noted), _) => return Ok(Owner::Known(noted)),
            (None, false) => return Ok(Owner::Nobody),
            (None, true) => {}
        }
        let Some(in_use) = account.credentials.clone().filter(|in_use| in_use.token.is_some()) else {
            return Ok(Owner::Unknown("there is no login any more that could be asked".to_owned()));
        };
        if mark_of(&in_use) == mark_of(new) {
            return Ok(Owner::Nobody);
        }
        match self.try_out(account, in_use).await?.marketplace().identity().await {
            Ok(Identity { id, name: called }) => {
                self.meet(name, &Identity { id, name: called.clone() }).await.map_err(not_stored)?;
                Ok(Owner::Known(Member { id, name: called }))
            }
            Err(error) => Ok(Owner::Unknown(format!("the login in use does not say who it is ({error})"))),
        }
    }
}

/// Nobody but a person can say whether this is the right seller.
pub(super) fn unsure(name: &AccountName, found: &Identity, why: &str, again: &str) -> Unsure {
    let Identity { name: called, id } = found;
    let message = format!(
        "this is {called} (member {id}), and nobody can say whether {name} has been theirs: it has data of its own, and \
         {why}; nothing was changed"
    );
    let fix = format!("if {name} is the account of {called}: {again} --other-seller");
    Unsure {
        question: format!(
            "{name} has data of its own, and {why}. Is it the account of {called} (member {id})?"
        ),
        declined: declined(4, message, fix),
    }
}
