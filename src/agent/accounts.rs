//! The accounts of a configuration, made usable: a wire, a signer, a gate and a pace for each.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use sha1::{Digest, Sha1};

use super::gate::{ACCESS_REFUSED, LOGIN_REFUSED, StoreGate};
use crate::clock::SharedClock;
use crate::config::{Account, Config, same_account};
use crate::domain::{AccountName, Credentials, RunId};
use crate::http::oauth1::{Signer, Target};
use crate::http::{Client, Gate, Parts, Random, ReqwestTransport, Transport, WireError};
use crate::marketplace::{Connection, Marketplace};
use crate::policy::access::AccessEvent;
use crate::store::{Store, StoreError, accounts, leases, problems};

/// Opens the wire of an account. Under simulation another one takes its place.
pub trait Wires: Send + Sync {
    /// A connection of the account's own.
    fn open(&self, account: &Account) -> Result<Arc<dyn Transport>, WireError>;

    /// What the account's requests pass before they are on the wire: the gate itself, unless somebody stands beside
    /// it and watches.
    fn guard(&self, _: &Account, gate: Arc<dyn Gate>) -> Arc<dyn Gate> {
        gate
    }
}

/// The network.
pub struct Network;

impl Wires for Network {
    fn open(&self, account: &Account) -> Result<Arc<dyn Transport>, WireError> {
        Ok(Arc::new(ReqwestTransport::new(account.base_url.scheme() == "https")?))
    }
}

/// What all accounts share.
#[derive(Clone)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Nonces and jitter.
    pub random: Arc<Random>,
    /// The way out.
    pub wires: Arc<dyn Wires>,
}

/// The usable accounts by name. Those without credentials are left out; the configuration has said so.
#[derive(Clone, Default)]
pub struct Accounts(BTreeMap<AccountName, Usable>);

#[derive(Clone)]
struct Usable {
    settings: Arc<Account>,
    base: Target,
    client: Client,
}

/// Why an account cannot be made usable.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Its wire cannot be opened.
    #[error("account {0}: {1}")]
    Wire(AccountName, WireError),
    /// Its base URL cannot be signed.
    #[error("account {0}: `base_url`: {1}")]
    BaseUrl(AccountName, crate::http::oauth1::TargetError),
    /// Its state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Makes every account usable. Accounts of `before` whose settings are the same keep their connection and epoch;
    /// the others are taken over anew.
    pub async fn make(config: &Config, before: &Self, shared: &Shared) -> Result<Self, AccountError> {
        let mut usable = BTreeMap::new();
        for (name, account) in &config.accounts {
            let Some(credentials) = &account.credentials else { continue };
            let kept = before.0.get(name).filter(|kept| same_account(&kept.settings, account));
            let made = match kept {
                Some(kept) => kept.clone(),
                None => make_one(account, credentials, shared).await?,
            };
            usable.insert(name.clone(), made);
        }
        Ok(Self(usable))
    }

    /// The account's marketplace, for one run.
    pub fn market(&self, name: &AccountName, run: RunId) -> Option<Box<dyn Marketplace>> {
        self.0.get(name).map(|usable| usable.connect(usable.client.for_run(Some(run))))
    }

    /// The account's marketplace, asked although the account may be blocked.
    pub fn insisting(&self, name: &AccountName) -> Option<Box<dyn Marketplace>> {
        self.0.get(name).map(|usable| usable.connect(usable.client.insisting()))
    }
}

impl Usable {
    fn connect(&self, client: Client) -> Box<dyn Marketplace> {
        (self.settings.marketplace.connect)(Connection {
            base: self.base.clone(),
            currency: self.settings.currency,
            options: self.settings.options.clone(),
            client,
        })
    }
}

async fn make_one(
    account: &Account,
    credentials: &Credentials,
    shared: &Shared,
) -> Result<Usable, AccountError> {
    let base = Target::new(account.base_url.as_str())
        .map_err(|error| AccountError::BaseUrl(account.name.clone(), error))?;
    let transport =
        shared.wires.open(account).map_err(|error| AccountError::Wire(account.name.clone(), error))?;
    let epoch = take_over(account, credentials, shared).await?;
    let descriptor = account.marketplace;
    let gate = StoreGate {
        store: shared.store.clone(),
        clock: shared.clock.clone(),
        account: account.name.clone(),
        marketplace: descriptor.title,
        epoch,
        window: descriptor.limit_headers.window,
        limit: account.limit,
    };
    let client = Client::new(Parts {
        transport,
        gate: shared.wires.guard(account, Arc::new(gate)),
        signer: Some(Signer::new((descriptor.profile)(&account.options), credentials)),
        headers: descriptor.limit_headers,
        clock: shared.clock.clone(),
        random: shared.random.clone(),
        max_per_second: NonZeroU32::new(account.max_per_second).unwrap_or(NonZeroU32::MIN),
        request_timeout: account.request_timeout,
    });
    Ok(Usable { settings: Arc::new(account.clone()), base, client })
}

/// Owns the account from here on, and lets it out of its block where a person has put other credentials in place.
async fn take_over(account: &Account, credentials: &Credentials, shared: &Shared) -> Result<i64, StoreError> {
    let (name, now, mark) = (account.name.clone(), shared.clock.now(), mark_of(credentials));
    shared
        .store
        .write(move |tx| {
            let before = accounts::credentials_mark(tx, &name)?;
            if before.as_deref() != Some(mark.as_str()) {
                accounts::set_credentials_mark(tx, &name, &mark)?;
                let access = accounts::access(tx, &name, now)?;
                if let Some(access) =
                    access.after(&AccessEvent::NewCredentials, now).filter(|_| before.is_some())
                {
                    accounts::set_access(tx, &name, &access)?;
                    for code in [LOGIN_REFUSED, ACCESS_REFUSED] {
                        problems::close(tx, code, name.as_str(), now)?;
                    }
                }
            }
            leases::take_over(tx, &name, "this machine", now)
        })
        .await
}

/// Tells credentials apart without holding them.
fn mark_of(credentials: &Credentials) -> String {
    let mut hash = Sha1::new();
    for secret in credentials.expose() {
        hash.update((secret.len() as u64).to_be_bytes());
        hash.update(secret.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
