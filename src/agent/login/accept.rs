//! Whether new credentials are used, whoever brought them, and how they are put into use.
//!
//! They are tried with one request before they take the place of the old ones: those of another seller, or none that
//! work, change nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::declined::{another, declined, no_consumer, not_accepted, not_kept, not_stored, of_another_app};
use super::owner::{Owner, Unsure, unsure};
use crate::agent::accounts::{Accounts, mark_of};
use crate::agent::ask::{Answered, Desk};
use crate::agent::credentials;
use crate::agent::notices::Notices;
use crate::agent::status;
use crate::config::{Account, Pairs, Vault};
use crate::domain::AccountName;
use crate::http::CallError;
use crate::marketplace::Identity;
use crate::policy::access::{Access, AccessEvent, Asked};
use crate::store::logins::{self, Login, Member};
use crate::store::{StoreError, Tx, accounts};

/// A login that is in use now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoggedIn {
    /// Who it is; `None` where there is no token yet to ask with.
    pub identity: Option<(i64, String)>,
    /// What was granted; empty where the marketplace has no such thing.
    pub scopes: Vec<String>,
    /// What is needed and was not granted.
    pub scopes_missing: Vec<String>,
    /// How far the marketplace's clock is ahead of ours, in milliseconds.
    pub clock_offset_ms: i64,
    /// Requests used of the window.
    pub used: i64,
    /// The most that are allowed.
    pub limit: Option<i64>,
    /// When the login ends, where somebody said so.
    pub expires_at: Option<DateTime<Utc>>,
    /// Where the credentials are kept.
    pub kept_in: String,
}

/// What becomes of new credentials that work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Accepted {
    /// They are in use.
    LoggedIn(Box<LoggedIn>),
    /// A person has to say first whether they are the right seller's. Nothing was changed.
    Unsure(Unsure),
}

impl Desk {
    /// Asks who the credentials are, compares that with who it was, keeps them and puts them into use.
    pub(super) async fn accept(
        &self,
        account: &Account,
        vault: &Vault,
        pairs: Pairs,
        other_seller: bool,
        made_now: bool,
        again: &str,
    ) -> Answered<Accepted> {
        let name = &account.name;
        let used = account.credentials.as_ref().map(Pairs::of).unwrap_or_default();
        let credentials = pairs.or(&used).ok_or_else(|| no_consumer(account))?;
        let owned = name.clone();
        let now = self.shared.clock.now();
        let read = move |tx: &Tx<'_>| Ok((logins::get(tx, &owned)?, accounts::access(tx, &owned, now)?));
        let (before, access) = self.shared.store.read(read).await.map_err(not_stored)?;
        let before = before.unwrap_or_default();
        let (mut identity, mut scopes) = (None, Vec::new());
        if credentials.token.is_some() {
            let tried = self.try_out(account, credentials.clone()).await?;
            // The token in use would sign for an app that it was not made with.
            let is_new_app = pairs.token.is_none()
                && account.credentials.as_ref().is_some_and(|used| !used.are_of_the_app_of(&credentials));
            let found = tried.marketplace().identity().await.map_err(|error| match error {
                CallError::Unauthorized { .. } | CallError::Forbidden { .. } if is_new_app => {
                    of_another_app(account, vault, &access, &error)
                }
                error => not_accepted(account, &access, &error, again),
            })?;
            if !other_seller {
                match self.owner(account, &credentials).await? {
                    Owner::Known(was) if was.id != found.id => {
                        return Err(another(name, &was, &found, again));
                    }
                    Owner::Unknown(why) => return Ok(Accepted::Unsure(unsure(name, &found, &why, again))),
                    Owner::Known(_) | Owner::Nobody => {}
                }
            }
            // That nobody can say it now is no reason to lose the login.
            scopes = tried.login().scopes().await.unwrap_or_default();
            identity = Some(found);
        }
        let written = vault.pairs(name).map_err(not_kept)?;
        let kept = Pairs {
            consumer: pairs.consumer.clone().or(written.consumer),
            token: pairs.token.clone().or(written.token),
        };
        vault.keep(name, &kept).map_err(not_kept)?;

        let now = self.shared.clock.now();
        let token_created_at = match (made_now, &pairs.token) {
            (true, _) => Some(now),
            (false, Some(_)) => None,
            (false, None) => before.token_created_at,
        };
        let expires_at = account.login.ends(token_created_at, self.config().timezone);
        let member = identity.map(|Identity { id, name }| Member { id, name });
        let login = Login {
            checked_at: member.as_ref().map(|_| now).or(before.checked_at),
            identity: member.clone().or(before.identity),
            scopes: scopes.clone(),
            credentials_mark: Some(mark_of(&credentials)),
            token_created_at,
            expires_at,
        };
        let owned = name.clone();
        self.shared.store.write(move |tx| logins::set(tx, &owned, &login)).await.map_err(not_stored)?;
        // As the next start will find them.
        self.look_anew(name).await?;
        if member.is_some() {
            self.welcome(account, access).await.map_err(not_stored)?;
        }
        let needed =
            if member.is_some() && !scopes.is_empty() { account.marketplace.login.scopes } else { &[] };
        let missing = needed.iter().filter(|scope| !scopes.iter().any(|granted| granted == *scope));
        let scopes_missing = missing.map(|scope| (*scope).to_owned()).collect();
        let (clock_offset_ms, used) = self.measures(account).await.map_err(not_stored)?;
        Ok(Accepted::LoggedIn(Box::new(LoggedIn {
            identity: member.map(|member| (member.id, member.name)),
            scopes,
            scopes_missing,
            clock_offset_ms,
            used: used.0,
            limit: used.1,
            expires_at,
            kept_in: vault.path(name).display().to_string(),
        })))
    }

    /// Looks once more for credentials that could not be used when the agent last looked: a person who asks for
    /// something may have mended them before.
    pub(in crate::agent) async fn look_again(&self, name: Option<&AccountName>) -> Answered<()> {
        let config = self.config();
        let account = name.and_then(|name| config.accounts.get(name));
        match account.filter(|account| account.looked.in_the_way().is_some()) {
            None => Ok(()),
            Some(account) => self.look_anew(&account.name).await,
        }
    }

    /// Looks for the credentials of one account, which its runs use from their next one on.
    pub(super) async fn look_anew(&self, name: &AccountName) -> Answered<()> {
        let _changing = self.shared.changing.lock().await;
        let mut found = (*self.config()).clone();
        credentials::look_for(&mut found, vec![name.clone()]).await;
        let config = {
            let mut held = self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            let mut config = (**held).clone();
            if let (Some(account), Some(found)) = (config.accounts.get_mut(name), found.accounts.remove(name))
            {
                (account.looked, account.credentials, account.sources) =
                    (found.looked, found.credentials, found.sources);
            }
            *held = Arc::new(config);
            held.clone()
        };
        let made = Accounts::make(&config, &self.runner.accounts(), &self.shared).await;
        self.runner.replace_accounts(made.map_err(|error| declined(1, error.to_string(), String::new()))?);
        self.shared.woken.notify_one();
        Ok(())
    }

    /// The marketplace has said who we are: whatever kept the account from sending is over.
    async fn welcome(&self, account: &Account, before: Access) -> Result<(), StoreError> {
        let (name, notices) = (&account.name, Notices::about(account));
        let (owned, now) = (name.clone(), self.shared.clock.now());
        let write = move |tx: &Tx<'_>| {
            let access = accounts::access(tx, &owned, now)?;
            let answered = AccessEvent::Answered { at: String::new(), success: true };
            let active = access.after(&answered, Asked::Person, notices.rules(&owned), now);
            let active = active.unwrap_or(access);
            accounts::set_access(tx, &owned, &active)?;
            notices.note_access(tx, &owned, &active, now)
        };
        self.shared.store.write(write).await?;
        self.shared.woken.notify_one();
        if !before.state.lets_through() {
            tracing::info!(
                event = "auth.restored",
                account = name.as_str(),
                down_s = (now - before.since).num_seconds(),
                "new credentials are in use, and the account is active again",
            );
        }
        Ok(())
    }

    /// How far the clocks are apart, and what is used of the window.
    async fn measures(&self, account: &Account) -> Result<(i64, (i64, Option<i64>)), StoreError> {
        let (account, clocks) = (account.clone(), self.shared.clock.both());
        self.shared
            .store
            .read(move |tx| {
                let offset = accounts::clock_offset_ms(tx, &account.name)?;
                Ok((offset, status::requests_used(&account, tx, &clocks)?))
            })
            .await
    }
}
