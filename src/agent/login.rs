//! Logging in and out, as a person asks for it: the same in a running agent, over its control socket, and in a process
//! that has taken the state for this one question. So secrets are written by whoever reads them later, also where
//! another user of the machine types them.
//!
//! New credentials are tried with one request before they take the place of the old ones: those of another seller, or
//! none that work, change nothing.

mod line;
mod pending;
pub mod terms;

use std::net::SocketAddr;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::accounts::{AccountError, Accounts, mark_of};
use super::ask::{Answered, Declined, Desk};
use super::standing::Standing;
use crate::config::{self, Account, Origin, Pair, Pairs, Place, Sources, Vault, VaultError};
use crate::domain::{AccountName, Credentials, ErrorType};
use crate::http::CallError;
use crate::marketplace::{self, Identity, LoginError};
use crate::policy::access::{Access, AccessEvent, Asked};
use crate::store::logins::{self, Login, Member};
use crate::store::{StoreError, Tx, accounts};
use line::Tried;
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
    /// The person has been there already; what is left is to go on.
    pub granted: bool,
}

/// What a person brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proof {
    /// What was typed or pasted, or the address that a browser asked for.
    #[serde(serialize_with = "expose")]
    pub said: SecretString,
    /// Another seller than before is meant.
    pub other_seller: bool,
}

/// Credentials that a person brings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Brought {
    /// A secrets file, or bare values.
    #[serde(serialize_with = "expose")]
    pub text: SecretString,
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
}

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

/// What became of a logout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoggedOut {
    /// Whether there was anything to forget.
    pub forgotten: bool,
    /// Whether the marketplace was told.
    pub told: bool,
    /// Where the credentials come from that are in use now, if there are any.
    pub still: Option<String>,
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
            granted: pending.granted.is_some(),
        };
        if resume {
            let pending = self.waiting(&account, &vault, now)?;
            return Ok(begun(&pending));
        }
        let credentials = account.credentials.clone().ok_or_else(|| no_consumer(&account))?;
        let tried = self.try_out(&account, credentials).await?;
        let invitation = tried.login().begin(account.login.callback.as_deref()).await;
        let invitation = invitation.map_err(|error| self.not_let_in(&account, &vault, error))?;
        let pending = Pending { invitation, begun: now, granted: None };
        pending.keep(&vault, name).map_err(not_kept)?;
        Ok(begun(&pending))
    }

    /// Exchanges what the person brought back, and puts what comes of it into use.
    pub async fn finish_login(&self, name: &AccountName, proof: &Proof) -> Answered<Finished> {
        let (account, vault) = self.account(name)?;
        let mut pending = self.waiting(&account, &vault, self.shared.clock.now())?;
        if pending.granted.is_none() {
            let exchanged = self.exchange(&account, &pending, proof.said.expose_secret()).await?;
            let pair = match exchanged {
                Ok(pair) => pair,
                Err(error) if error.may_try_again() => return Ok(Finished::TryAgain(error.to_string())),
                Err(error) => return Err(self.not_let_in(&account, &vault, error)),
            };
            // What was granted is granted once: it is kept before anything else can go wrong.
            pending.granted = Some(pair);
            pending.keep(&vault, name).map_err(not_kept)?;
        }
        let pairs = Pairs { consumer: None, token: pending.granted };
        let resume = format!("sellerd auth login {name} --resume");
        let logged_in = self.accept(&account, &vault, pairs, proof.other_seller, true, &resume).await?;
        Pending::forget(&vault, name).map_err(not_kept)?;
        Ok(Finished::LoggedIn(Box::new(logged_in)))
    }

    /// Puts credentials into use that a person brings.
    pub async fn import(&self, name: &AccountName, brought: &Brought) -> Answered<LoggedIn> {
        let (account, vault) = self.account(name)?;
        let again = format!("sellerd auth import {name}");
        let pairs = Pairs::from_text(brought.text.expose_secret(), account.credentials.is_none())
            .map_err(|why| declined(2, why, again.clone()))?;
        if pairs.consumer.is_none() && pairs.token.is_none() {
            return Err(declined(2, "there are no credentials in it", again));
        }
        self.accept(&account, &vault, pairs, brought.other_seller, false, &again).await
    }

    /// Forgets what was written here for an account, and tells the marketplace where it wants to know.
    pub async fn log_out(&self, name: &AccountName, local: bool) -> Answered<LoggedOut> {
        let (account, vault) = self.account(name)?;
        let has_token = account.credentials.as_ref().is_some_and(|credentials| credentials.token.is_some());
        let told = match account.credentials.clone().filter(|_| has_token && !local) {
            None => false,
            Some(credentials) => {
                let tried = self.try_out(&account, credentials).await?;
                tried.login().leave().await.map_err(|error| {
                    let message = format!(
                        "{} could not be told, so nothing was forgotten: {error}",
                        account.marketplace.title
                    );
                    declined(
                        exit_of(&error),
                        message,
                        format!("try again, or forget it here alone: sellerd auth logout {name} --local"),
                    )
                })?
            }
        };
        let pending = Pending::forget(&vault, name).map_err(not_kept)?;
        let forgotten = vault.forget(name).map_err(not_kept)? || pending;
        let owned = name.clone();
        self.shared.store.write(move |tx| logins::forget(tx, &owned)).await.map_err(not_stored)?;
        let left = config::load_for_login(&self.config().dir).config;
        let left = left.and_then(|mut config| config.accounts.remove(name));
        let (credentials, sources) =
            left.map_or((None, Sources::default()), |account| (account.credentials, account.sources));
        let still = sources.token.as_ref().map(|origin| origin.place.to_string());
        self.put_into_use(name, credentials, sources).await?;
        Ok(LoggedOut { forgotten, told, still })
    }

    fn account(&self, name: &AccountName) -> Answered<(Account, Vault)> {
        let config = self.config();
        let account = config.accounts.get(name).cloned().ok_or_else(|| {
            let known = config.accounts.keys().map(AccountName::as_str).collect::<Vec<_>>().join(", ");
            declined(2, format!("there is no account {name}"), format!("the accounts are: {known}"))
        })?;
        Ok((account, Vault::of(&config.state_dir)))
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

    /// Asks who the credentials are, compares that with who it was, keeps them and puts them into use.
    async fn accept(
        &self,
        account: &Account,
        vault: &Vault,
        pairs: Pairs,
        other_seller: bool,
        made_now: bool,
        again: &str,
    ) -> Answered<LoggedIn> {
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
            let found =
                tried.marketplace().identity().await.map_err(|error| not_accepted(account, &error, again))?;
            if let Some(was) = before.identity.as_ref().filter(|was| was.id != found.id && !other_seller) {
                return Err(another(name, was, &found, again));
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
        let sources = sources_of(account, vault, &kept);
        self.put_into_use(name, Some(credentials), sources).await?;
        if member.is_some() {
            self.welcome(account, access).await.map_err(not_stored)?;
        }
        let needed =
            if member.is_some() && !scopes.is_empty() { account.marketplace.login.scopes } else { &[] };
        let missing = needed.iter().filter(|scope| !scopes.iter().any(|granted| granted == *scope));
        let scopes_missing = missing.map(|scope| (*scope).to_owned()).collect();
        let (clock_offset_ms, used) = self.measures(account, now).await.map_err(not_stored)?;
        Ok(LoggedIn {
            identity: member.map(|member| (member.id, member.name)),
            scopes,
            scopes_missing,
            clock_offset_ms,
            used: used.0,
            limit: used.1,
            expires_at,
            kept_in: vault.path(name).display().to_string(),
        })
    }

    /// The configuration in force with other credentials for one account, which its runs use from their next one on.
    async fn put_into_use(
        &self,
        name: &AccountName,
        credentials: Option<Credentials>,
        sources: Sources,
    ) -> Answered<()> {
        let config = {
            let mut held = self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            let mut config = (**held).clone();
            if let Some(account) = config.accounts.get_mut(name) {
                (account.credentials, account.sources) = (credentials, sources);
            }
            *held = std::sync::Arc::new(config);
            held.clone()
        };
        let made = Accounts::make(&config, &self.runner.accounts(), &self.shared).await;
        self.runner.replace_accounts(made.map_err(|error| declined(1, error.to_string(), String::new()))?);
        self.shared.woken.notify_one();
        Ok(())
    }

    /// Notes who an account is that nobody has logged in to here: its credentials were put into place by hand.
    pub(super) async fn meet(&self, name: &AccountName, who: &Identity) -> Result<(), StoreError> {
        let (owned, now) = (name.clone(), self.shared.clock.now());
        let member = Member { id: who.id, name: who.name.clone() };
        self.shared.store.write(move |tx| logins::meet(tx, &owned, &member, now)).await
    }

    /// The marketplace has said who we are: whatever kept the account from sending is over.
    async fn welcome(&self, account: &Account, before: Access) -> Result<(), StoreError> {
        let (name, standing) = (&account.name, Standing::at(account));
        let (owned, now) = (name.clone(), self.shared.clock.now());
        let write = move |tx: &Tx<'_>| {
            let access = accounts::access(tx, &owned, now)?;
            let answered = AccessEvent::Answered { at: String::new(), success: true };
            let active = access.after(&answered, Asked::Person, standing.rules(&owned), now);
            let active = active.unwrap_or(access);
            accounts::set_access(tx, &owned, &active)?;
            standing.note_access(tx, &owned, &active, now)
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
    async fn measures(
        &self,
        account: &Account,
        now: DateTime<Utc>,
    ) -> Result<(i64, (i64, Option<i64>)), StoreError> {
        let account = account.clone();
        self.shared
            .store
            .read(move |tx| {
                let offset = accounts::clock_offset_ms(tx, &account.name)?;
                Ok((offset, super::status::requests_used(&account, tx, now)?))
            })
            .await
    }

    async fn try_out<'a>(&self, account: &'a Account, credentials: Credentials) -> Answered<Tried<'a>> {
        let tried = Tried::open(&self.runner.accounts(), account, credentials, &self.shared).await;
        tried.map_err(|error| match error {
            AccountError::Store(error) => not_stored(error),
            other => declined(1, other.to_string(), String::new()),
        })
    }

    /// Words for a login that came to nothing. One that cannot be gone on with is forgotten.
    fn not_let_in(&self, account: &Account, vault: &Vault, error: LoginError) -> Declined {
        let name = &account.name;
        let login = format!("sellerd auth login {name}");
        let forget = matches!(error, LoginError::Refused | LoginError::Over(_));
        if forget && let Err(error) = Pending::forget(vault, name) {
            return not_kept(error);
        }
        let message = error.to_string();
        match error {
            LoginError::Refused => {
                declined(4, message, format!("if that was a mistake, begin again: {login}"))
            }
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
                format!("set this machine's clock (timedatectl set-ntp true), then: {login} --resume"),
            ),
            LoginError::Call(error) => declined(
                exit_of(&error),
                message,
                format!(
                    "try again: {login} --resume; if what you typed is refused then, begin anew: {login}"
                ),
            ),
            LoginError::Wrong(_) | LoginError::Unreadable(_) => {
                declined(4, message, format!("{login} --resume"))
            }
        }
    }
}

/// Each pair comes from our own file where it has one, and from where it came until now otherwise.
fn sources_of(account: &Account, vault: &Vault, kept: &Pairs) -> Sources {
    let ours = |there: bool, before: &Option<Origin>| match there {
        true => {
            let place = Place::File(vault.path(&account.name));
            let others = before.iter().map(|origin| origin.place.clone()).filter(|other| *other != place);
            Some(Origin { others: others.collect(), place })
        }
        false => before.clone(),
    };
    Sources {
        consumer: ours(kept.consumer.is_some(), &account.sources.consumer),
        token: ours(kept.token.is_some(), &account.sources.token),
    }
}

fn another(name: &AccountName, was: &Member, found: &Identity, again: &str) -> Declined {
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

fn not_accepted(account: &Account, error: &CallError, again: &str) -> Declined {
    let title = account.marketplace.title;
    let [.., token, secret] = account.marketplace.credential_names;
    match error {
        CallError::Unauthorized { .. } | CallError::Forbidden { .. } => {
            let message = format!("{title} does not accept these credentials ({error}); nothing was changed");
            let fix = format!(
                "compare all four values, above all {token} and {secret}, with the page at {title}, then: {again}"
            );
            declined(4, message, fix)
        }
        error => {
            let message = format!("{title} could not be asked who this is ({error}); nothing was changed");
            declined(exit_of(error), message, format!("try again: {again}"))
        }
    }
}

fn no_consumer(account: &Account) -> Declined {
    let [key, secret, ..] = account.marketplace.credential_names;
    let (name, title) = (&account.name, account.marketplace.title);
    declined(
        4,
        format!("{name} has no {key} and {secret} of {title} yet"),
        format!("bring them first: sellerd auth import {name}"),
    )
}

fn exit_of(error: &CallError) -> u8 {
    match error.error_type() {
        ErrorType::AuthRevoked | ErrorType::AuthForbidden => 4,
        ErrorType::Internal => 1,
        _ => 5,
    }
}

fn not_kept(error: VaultError) -> Declined {
    declined(1, error.to_string(), "make it possible for the user of sellerd to write there".to_owned())
}

fn not_stored(error: StoreError) -> Declined {
    declined(1, error.to_string(), String::new())
}

fn declined(exit: u8, message: impl Into<String>, fix: String) -> Declined {
    Declined { message: message.into(), fix, exit }
}

/// Since when a login of the account waits for a person; `None` when none does, or it cannot be read.
pub fn begun_at(state_dir: &Path, account: &AccountName) -> Option<DateTime<Utc>> {
    Pending::read(&Vault::of(state_dir), account).ok()?.map(|pending| pending.begun)
}

/// Only for the socket between a person's command and the agent, which nobody else can open.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// A time as JSON shows it.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Whether the login that is known is that of these credentials, and not of others that were put into place by hand.
pub fn is_of(login: &Login, credentials: &Credentials) -> bool {
    login.credentials_mark.as_deref() == Some(mark_of(credentials).as_str())
}

impl Brought {
    /// Four values, of which those of a pair may both be empty, as the text of a secrets file.
    pub fn of_values(values: &[SecretString; 4], other_seller: bool) -> Self {
        const KEYS: [&str; 4] = ["consumer_key", "consumer_secret", "token", "token_secret"];
        let mut text = String::new();
        for (key, value) in KEYS.iter().zip(values) {
            text.push_str(&format!("{key} = {}\n", config::quoted(value.expose_secret().trim())));
        }
        Self { text: text.into(), other_seller }
    }
}
