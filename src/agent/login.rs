//! Logging in, as a person asks for it: the same in a running agent, over its control socket, and in a process
//! that has taken the state for this one question. So secrets are written by whoever reads them later, also where
//! another user of the machine types them.
//!
//! A login is two requests with a person between them. The first one's answer is kept until they come back, and what the
//! second one grants is kept before anything else is done with it.

mod accept;
mod declined;
mod import;
mod line;
mod logout;
mod owner;
mod pending;
pub mod terms;

use std::net::SocketAddr;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::accounts::mark_of;
use super::ask::{Answered, Declined, Desk, no_account};
use crate::config::{Account, Pair, Pairs, Vault};
use crate::domain::{AccountName, Credentials};
use crate::marketplace::{self, LoginError};
use crate::store::logins::Login;
pub use accept::{Accepted, LoggedIn};
use declined::{Step, declined, no_consumer, not_kept, not_let_in, waits_already};
pub use import::Brought;
pub use logout::LoggedOut;
pub use owner::Unsure;
use pending::Pending;

/// A login that waits for a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begun {
    /// The page to look at.
    pub url: String,
    /// Until when what it shows can be used.
    pub until: DateTime<Utc>,
    /// Where the browser can be waited for, where a callback is configured.
    pub listen: Option<SocketAddr>,
    /// What an address that the browser is sent to names the login by, where it has that; the page's address shows it.
    #[serde(serialize_with = "expose_some")]
    pub token: Option<SecretString>,
    /// The person has been there already; what is left is to go on.
    pub granted: bool,
}

/// What a person brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proof {
    /// What was typed or pasted, or the address that a browser asked for; empty to go on with what was let in already.
    #[serde(serialize_with = "expose")]
    pub said: SecretString,
    /// Another seller than before is meant.
    pub other_seller: bool,
}

/// What became of a proof.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Finished {
    /// The person is logged in.
    LoggedIn(Box<LoggedIn>),
    /// It was not accepted, and another one may be.
    TryAgain(String),
    /// The person was let in, and somebody has to say whether it is the right seller. The grant waits for that.
    Unsure(Unsure),
}

impl Desk {
    /// Begins a login, or finds the one that was begun.
    pub async fn begin_login(&self, name: &AccountName, resume: bool) -> Answered<Begun> {
        let (account, vault) = self.account(name)?;
        let login = &account.marketplace.login;
        if let Some(why) = (login.import_only)(&account.options) {
            return Err(declined(2, why, format!("sellerd auth import {name}")));
        }
        let now = self.shared.clock.now();
        let lasts = TimeDelta::from_std(login.lasts).unwrap_or(TimeDelta::MAX);
        let begun = |pending: &Pending| Begun {
            url: pending.invitation.url.clone(),
            until: pending.begun + lasts,
            listen: account.login.listens(),
            token: pending.invitation.temporary.as_ref().map(|(token, _)| token.clone()),
            granted: pending.granted.is_some(),
        };
        if resume {
            let pending = self.waiting(&account, &vault, now)?;
            return Ok(begun(&pending));
        }
        let credentials = account.credentials.clone().ok_or_else(|| no_consumer(&account))?;
        let tried = self.try_out(&account, credentials).await?;
        let invitation = tried.login().begin(account.login.callback.as_deref()).await;
        let invitation =
            invitation.map_err(|error| self.not_let_in(&account, &vault, Step::Beginning, error))?;
        let pending = Pending { invitation, begun: now, granted: None };
        pending.keep(&vault, name).map_err(not_kept)?;
        Ok(begun(&pending))
    }

    /// Exchanges what the person brought back, and puts what comes of it into use.
    pub async fn finish_login(&self, name: &AccountName, proof: &Proof) -> Answered<Finished> {
        let (account, vault) = self.account(name)?;
        let mut pending = self.waiting(&account, &vault, self.shared.clock.now())?;
        // What was let in already is another login than the one that is brought now.
        if pending.granted.is_some() && !proof.said.expose_secret().trim().is_empty() {
            return Err(waits_already(name));
        }
        if pending.granted.is_none() {
            let exchanged = self.exchange(&account, &pending, proof.said.expose_secret()).await?;
            let pair = match exchanged {
                Ok(pair) => pair,
                Err(error) if error.may_try_again() => return Ok(Finished::TryAgain(error.to_string())),
                Err(error) => return Err(self.not_let_in(&account, &vault, Step::Finishing, error)),
            };
            // What was granted is granted once: it is kept before anything else can go wrong.
            pending.granted = Some(pair);
            pending.keep(&vault, name).map_err(not_kept)?;
        }
        let pairs = Pairs { consumer: None, token: pending.granted };
        let resume = format!("sellerd auth login {name} --resume");
        match self.accept(&account, &vault, pairs, proof.other_seller, true, &resume).await? {
            Accepted::LoggedIn(logged_in) => {
                Pending::forget(&vault, name).map_err(not_kept)?;
                Ok(Finished::LoggedIn(logged_in))
            }
            Accepted::Unsure(unsure) => Ok(Finished::Unsure(unsure)),
        }
    }

    /// The login that was begun. One that is too old is forgotten.
    fn waiting(&self, account: &Account, vault: &Vault, now: DateTime<Utc>) -> Answered<Pending> {
        let name = &account.name;
        let begin = format!("sellerd auth login {name}");
        let pending = Pending::read(vault, name).map_err(not_kept)?;
        let pending =
            pending.ok_or_else(|| declined(4, format!("no login of {name} was begun"), begin.clone()))?;
        let age = now - pending.begun;
        let over = age.to_std().is_ok_and(|age| age >= account.marketplace.login.lasts);
        if over && pending.granted.is_none() {
            Pending::forget(vault, name).map_err(not_kept)?;
            let message = format!("the login of {name} was begun {} hours ago and is over", age.num_hours());
            return Err(declined(4, message, begin));
        }
        Ok(pending)
    }

    async fn exchange(
        &self,
        account: &Account,
        pending: &Pending,
        said: &str,
    ) -> Answered<Result<Pair, LoginError>> {
        let parameter = account.marketplace.login.parameter;
        let proof: SecretString = match marketplace::proof(said, parameter, &pending.invitation) {
            Ok(proof) => proof,
            Err(error) => return Ok(Err(error)),
        };
        let credentials = account.credentials.clone().ok_or_else(|| no_consumer(account))?;
        let tried = self.try_out(account, credentials).await?;
        let granted = tried.login().finish(&pending.invitation, &proof).await;
        Ok(granted.map(|granted| granted.pair))
    }

    /// Why a login came to nothing. One that cannot be gone on with is forgotten.
    fn not_let_in(&self, account: &Account, vault: &Vault, step: Step, error: LoginError) -> Declined {
        let forget = matches!(error, LoginError::Refused | LoginError::Over(_));
        if forget && let Err(error) = Pending::forget(vault, &account.name) {
            return not_kept(error);
        }
        not_let_in(account, step, error)
    }

    fn account(&self, name: &AccountName) -> Answered<(Account, Vault)> {
        let config = self.config();
        let account = config.accounts.get(name).cloned().ok_or_else(|| no_account(name, &config))?;
        Ok((account, Vault::of(&config.state_dir)))
    }
}

/// Since when a login of the account waits for a person; `None` when none does, or it cannot be read.
pub fn begun_at(state_dir: &Path, account: &AccountName) -> Option<DateTime<Utc>> {
    Pending::read(&Vault::of(state_dir), account).ok()?.map(|pending| pending.begun)
}

/// Whether the login that is known is that of these credentials, and not of others that were put into place by hand.
pub fn is_of(login: &Login, credentials: &Credentials) -> bool {
    login.credentials_mark.as_deref() == Some(mark_of(credentials).as_str())
}

/// The command that gives an account a login that works: some apps have only tokens that stand on a page.
pub fn way_in(account: &Account) -> String {
    let import_only = (account.marketplace.login.import_only)(&account.options).is_some();
    match account.credentials {
        Some(_) if !import_only => format!("sellerd auth login {}", account.name),
        _ => format!("sellerd auth import {}", account.name),
    }
}

/// Only for the socket between a person's command and the agent, which nobody else can open.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// The same where there may be none.
fn expose_some<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}
