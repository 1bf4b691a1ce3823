//! The way to a marketplace for credentials that are not the account's yet.
//!
//! It is the account's own line, so that one request is in flight, and the account's own gate, so that what is sent is
//! owned, counted and recorded. But its credentials have a mark of their own: what they are answered says nothing about
//! the access of the login that is in use.

use std::sync::Arc;

use super::declined::{declined, not_stored};
use crate::agent::accounts::{self, AccountError, Accounts, Shared};
use crate::agent::ask::{Answered, Desk};
use crate::agent::timekeeping;
use crate::config::Account;
use crate::domain::Credentials;
use crate::http::oauth1::Target;
use crate::http::{Client, Handshake};
use crate::marketplace::{Connection, Doorstep, Login, Marketplace};
use crate::store::{self, leases};

/// No credentials have this mark.
const NOBODYS: &str = "a login that is tried";

/// An account with credentials that are tried.
pub(super) struct Tried<'a> {
    account: &'a Account,
    credentials: Credentials,
    base: Target,
    client: Client,
}

impl<'a> Tried<'a> {
    /// Makes the way. An account that had no credentials until now is taken over.
    pub async fn open(
        accounts: &Accounts,
        account: &'a Account,
        credentials: Credentials,
        shared: &Shared,
    ) -> Result<Self, AccountError> {
        let held = accounts.held(&account.name);
        let epoch = match held {
            Some((_, epoch)) => epoch,
            None => {
                timekeeping::look(account, shared).await?;
                let (name, clocks) = (account.name.clone(), shared.clock.both());
                let taken = shared.store.write(move |tx| {
                    store::accounts::carry_on_theirs(tx, &name, &clocks)?;
                    leases::take_over(tx, &name, "this machine", clocks.now)
                });
                taken.await?
            }
        };
        let in_use = held.map(|(client, _)| client);
        let mark = NOBODYS.to_owned();
        let (base, client) = accounts::line(account, &credentials, mark, epoch, in_use, shared)?;
        Ok(Self { account, credentials, base, client })
    }

    /// The login of the account.
    pub fn login(&self) -> Box<dyn Login> {
        let Account { marketplace, options, .. } = self.account;
        (marketplace.login.open)(Doorstep {
            base: self.base.clone(),
            options: options.clone(),
            profile: (marketplace.profile)(options),
            credentials: self.credentials.clone(),
            line: Handshake::new(self.client.clone()),
        })
    }

    /// The account, looked at with the credentials.
    pub fn marketplace(&self) -> Box<dyn Marketplace> {
        (self.account.marketplace.connect)(Connection {
            base: self.base.clone(),
            currency: self.account.currency,
            options: self.account.options.clone(),
            templates: Arc::default(),
            client: self.client.insisting(),
        })
    }
}

impl Desk {
    /// The way for these credentials.
    pub(super) async fn try_out<'a>(
        &self,
        account: &'a Account,
        credentials: Credentials,
    ) -> Answered<Tried<'a>> {
        let tried = Tried::open(&self.runner.accounts(), account, credentials, &self.shared).await;
        tried.map_err(|error| match error {
            AccountError::Store(error) => not_stored(error),
            other => declined(1, other.to_string(), String::new()),
        })
    }
}
