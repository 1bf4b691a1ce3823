//! The accounts of a configuration, made usable: a wire, a signer, a gate and a pace for each.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::credentials::{self, NotWorked};
use super::gate::StoreGate;
use super::login::terms;
use super::notices::Notices;
use super::timekeeping;
use crate::clock::SharedClock;
use crate::config::{Account, Config, Job, Looked, Work, same_account};
use crate::domain::{AccountName, Credentials, RunId};
use crate::http::oauth1::{Signer, Target};
use crate::http::{
    CallError, Client, Gate, LimitHeaders, Parts, Random, ReqwestTransport, Transport, WireError,
    WritingClient,
};
use crate::jobs::{Earmarks, Shelf, Sister, Turn, Way, Worked};
use crate::marketplace::{Connection, Marketplace, Templates};
use crate::policy::access::{AccessEvent, Asked, MOST_UNDECIDED};
use crate::store::{Store, StoreError, Tx, accounts, leases, requests};

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
    /// Told when an account is let in again.
    pub woken: Arc<Notify>,
    /// Held by whoever looks for credentials and puts what was found into use: of two at once the slower one would put
    /// back what the other has replaced.
    pub changing: Arc<tokio::sync::Mutex<()>>,
}

/// The usable accounts by name. Those without credentials that can be used are left out, and a problem says so. And so
/// are those that nobody has logged in to yet: a request without a token is only ever refused, and a refusal blocks.
#[derive(Clone, Default)]
pub struct Accounts {
    usable: BTreeMap<AccountName, Usable>,
    /// Why each of the others is not. Those whose credentials nobody has looked for are in neither.
    not_worked: BTreeMap<AccountName, NotWorked>,
}

#[derive(Clone)]
struct Usable {
    settings: Arc<Account>,
    base: Target,
    templates: Arc<Templates>,
    shelf: Arc<Shelf>,
    client: Client,
    turn: Turn,
    earmarks: Earmarks,
    epoch: i64,
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
    /// Makes every account usable. Accounts of `before` are ours already and keep their epoch, so that a run which is
    /// going on comes to its end; those whose settings are the same keep their connection too.
    pub async fn make(config: &Config, before: &Self, shared: &Shared) -> Result<Self, AccountError> {
        let (mut usable, mut not_worked) = (BTreeMap::new(), BTreeMap::new());
        let looked_for: Vec<Account> =
            config.accounts.values().filter(|account| account.looked != Looked::NotYet).cloned().collect();
        for account in &looked_for {
            let name = &account.name;
            let logged_in = account.credentials.as_ref().filter(|credentials| credentials.token.is_some());
            let Some(credentials) = logged_in else {
                not_worked.insert(name.clone(), NotWorked::of(account));
                continue;
            };
            let made = match before.usable.get(name) {
                Some(held) if same_account(&held.settings, account) => {
                    let shelf = shelf_of(config, name);
                    Usable { templates: Arc::clone(&config.templates), shelf, ..held.clone() }
                }
                held => make_one(config, account, credentials, held, shared).await?,
            };
            usable.insert(name.clone(), made);
        }
        let (tz, now) = (config.timezone, shared.clock.now());
        let note = move |tx: &Tx<'_>, account: &Account| {
            credentials::note(tx, account, now)?;
            terms::note(tx, account, tz)
        };
        shared.store.write(move |tx| looked_for.iter().try_for_each(|account| note(tx, account))).await?;
        Ok(Self { usable, not_worked })
    }

    /// Why an account is not worked; `None` where it is, or is not known.
    pub fn why_not(&self, name: &AccountName) -> Option<&NotWorked> {
        self.not_worked.get(name)
    }

    /// The account for one run that ends when `stop` is cancelled. Only a run that `writes` is handed what can write,
    /// where the marketplace can be written to at all.
    pub fn worked(
        &self,
        name: &AccountName,
        run: RunId,
        writes: bool,
        stop: &CancellationToken,
    ) -> Option<Worked> {
        let usable = self.usable.get(name)?;
        let client = usable.client.for_run(Some(run)).until(stop.clone());
        let way = match usable.settings.marketplace.connect_writing.filter(|_| writes) {
            Some(connect) => Way::Writes(connect(usable.connection(WritingClient::new(client)))),
            None => Way::Looks(usable.connect(client)),
        };
        Some(Worked {
            name: name.clone(),
            way,
            currency: usable.settings.currency,
            grace: usable.settings.grace,
            window: usable.settings.marketplace.limit_headers.window,
            limit: usable.settings.limit,
            shelf: (*usable.shelf).clone(),
            turn: usable.turn.clone(),
            earmarks: usable.earmarks.clone(),
        })
    }

    /// Asks the account's canary, if it may leave.
    pub async fn probe(&self, name: &AccountName, stop: &CancellationToken) -> Result<(), CallError> {
        match self.usable.get(name) {
            Some(usable) => usable.client.until(stop.clone()).probe().await,
            None => Ok(()),
        }
    }

    /// The account's line and the epoch in which it is ours, for credentials that are tried.
    pub(super) fn held(&self, name: &AccountName) -> Option<(&Client, i64)> {
        self.usable.get(name).map(|usable| (&usable.client, usable.epoch))
    }

    /// The account's settings.
    pub fn settings(&self, name: &AccountName) -> Option<Arc<Account>> {
        self.usable.get(name).map(|usable| Arc::clone(&usable.settings))
    }

    /// What runs of the account that have begun will still ask for.
    pub(super) fn earmarks(&self, name: &AccountName) -> Option<Earmarks> {
        self.usable.get(name).map(|usable| usable.earmarks.clone())
    }

    /// The account's marketplace, asked although the account may be blocked.
    pub fn insisting(&self, name: &AccountName) -> Option<Box<dyn Marketplace>> {
        self.usable.get(name).map(|usable| usable.connect(usable.client.insisting()))
    }
}

impl Usable {
    fn connect(&self, client: Client) -> Box<dyn Marketplace> {
        (self.settings.marketplace.connect)(self.connection(client))
    }

    fn connection<C>(&self, client: C) -> Connection<C> {
        Connection {
            base: self.base.clone(),
            currency: self.settings.currency,
            options: self.settings.options.clone(),
            templates: Arc::clone(&self.templates),
            client,
        }
    }
}

/// The shelf that an account sells from: the other accounts of its channels, and the largest of their buffers.
fn shelf_of(config: &Config, name: &AccountName) -> Arc<Shelf> {
    let channels = || config.channels.values().filter(|channel| channel.accounts.contains(name));
    let others: BTreeSet<&AccountName> =
        channels().flat_map(|channel| &channel.accounts).filter(|other| *other != name).collect();
    let buffer = channels().map(|channel| channel.buffer).max().unwrap_or(0);
    Arc::new(Shelf { sisters: others.into_iter().map(|other| sister(config, other)).collect(), buffer })
}

fn sister(config: &Config, name: &AccountName) -> Sister {
    let polls = |job: &&Job| job.account.as_ref() == Some(name) && matches!(job.work, Work::OrderPoll(_));
    // One that is switched off can still be run by hand.
    let order_poll = config.jobs.values().filter(polls).max_by_key(|job| job.enabled);
    // A command for one account looks for no other's credentials, and what was not looked for is not missing.
    let login = |account: &Account| account.credentials.as_ref().is_some_and(|held| held.token.is_some());
    let missing = |account: &&Account| !matches!(account.looked, Looked::NotYet) && !login(account);
    let account = config.accounts.get(name).filter(missing);
    Sister {
        name: name.clone(),
        order_poll: order_poll.map(|job| job.name.clone()),
        way_in: account.map(super::login::way_in),
    }
}

async fn make_one(
    config: &Config,
    account: &Account,
    credentials: &Credentials,
    held: Option<&Usable>,
    shared: &Shared,
) -> Result<Usable, AccountError> {
    let mark = mark_of(credentials);
    let notices = Notices::about(account);
    if held.is_none() {
        timekeeping::look(account, shared).await?;
    }
    let epoch = take_over(account, mark.clone(), held.map(|held| held.epoch), &notices, shared).await?;
    let (base, client) = line(account, credentials, mark, epoch, held.map(|held| &held.client), shared)?;
    let (settings, templates) = (Arc::new(account.clone()), Arc::clone(&config.templates));
    let (turn, earmarks) = held.map(|held| (held.turn.clone(), held.earmarks.clone())).unwrap_or_default();
    Ok(Usable {
        settings,
        base,
        templates,
        shelf: shelf_of(config, &account.name),
        client,
        turn,
        earmarks,
        epoch,
    })
}

/// The way to an account's marketplace with these credentials, which `mark` tells from others. Where there is one that is
/// in use, the two together have one request in flight.
pub(super) fn line(
    account: &Account,
    credentials: &Credentials,
    mark: String,
    epoch: i64,
    in_use: Option<&Client>,
    shared: &Shared,
) -> Result<(Target, Client), AccountError> {
    let base = Target::new(account.base_url.as_str())
        .map_err(|error| AccountError::BaseUrl(account.name.clone(), error))?;
    let transport =
        shared.wires.open(account).map_err(|error| AccountError::Wire(account.name.clone(), error))?;
    let descriptor = account.marketplace;
    let gate = StoreGate {
        store: shared.store.clone(),
        clock: shared.clock.clone(),
        account: account.name.clone(),
        notices: Notices::about(account),
        epoch,
        credentials_mark: mark,
        window: descriptor.limit_headers.window,
        limit: account.limit,
        public_rule: account.public_rule(),
        woken: shared.woken.clone(),
    };
    let parts = Parts {
        transport,
        gate: shared.wires.guard(account, Arc::new(gate)),
        signer: Some(Signer::new((descriptor.profile)(&account.options), credentials)),
        headers: LimitHeaders { per_minute: account.minute_limit(), ..descriptor.limit_headers },
        maintenance: descriptor.maintenance,
        canary: (descriptor.canary)(&base),
        clock: shared.clock.clone(),
        random: shared.random.clone(),
        max_per_second: NonZeroU32::new(account.max_per_second).unwrap_or(NonZeroU32::MIN),
        request_timeout: account.request_timeout,
    };
    let client = match in_use {
        Some(client) => client.succeeded_by(parts),
        None => Client::new(parts),
    };
    Ok((base, client))
}

/// Owns the account from here on, if it is not ours already in the epoch `held`, and lets it out of its block where a
/// person has put other credentials in place.
async fn take_over(
    account: &Account,
    mark: String,
    held: Option<i64>,
    notices: &Notices,
    shared: &Shared,
) -> Result<i64, StoreError> {
    let (name, notices, clocks) = (account.name.clone(), notices.clone(), shared.clock.both());
    let now = clocks.now;
    shared
        .store
        .write(move |tx| {
            let before = accounts::credentials_mark(tx, &name)?;
            let mut access = accounts::access(tx, &name, now)?;
            if before.as_deref() != Some(mark.as_str()) {
                accounts::set_credentials_mark(tx, &name, &mark)?;
                // What the others were answered says nothing of these.
                requests::pass_over_unread(tx, &name)?;
                let renewed =
                    access.after(&AccessEvent::NewCredentials, Asked::Person, notices.rules(&name), now);
                if let Some(renewed) = renewed.filter(|_| before.is_some()) {
                    accounts::set_access(tx, &name, &renewed)?;
                    access = renewed;
                }
            } else if held.is_none() {
                // Whatever has no answer by now was left by a process that is dead.
                let never_answered = requests::never_answered(tx, &name, None, MOST_UNDECIDED)?;
                if let Some(doubted) = access.after_kill(never_answered, now) {
                    accounts::set_access(tx, &name, &doubted)?;
                    notices.announce(&name, &access, &doubted);
                    access = doubted;
                }
            }
            if held.is_none() {
                accounts::carry_on_theirs(tx, &name, &clocks)?;
            }
            // An account that was gone from the configuration and is back may be as blocked as it was.
            notices.note_access(tx, &name, &access, now)?;
            match held {
                Some(epoch) => Ok(epoch),
                None => leases::take_over(tx, &name, "this machine", now),
            }
        })
        .await
}

/// Tells credentials apart without holding them.
pub(super) fn mark_of(credentials: &Credentials) -> String {
    let mut hash = Sha1::new();
    for secret in credentials.expose() {
        hash.update((secret.len() as u64).to_be_bytes());
        hash.update(secret.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU16, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::agent::testing::{config_dir, shared};
    use crate::clock::ManualClock;
    use crate::config;
    use crate::http::{WireRequest, WireResponse};
    use crate::policy::access::AccessState;

    impl Accounts {
        /// The account for a run of this number.
        fn look(&self, name: &AccountName, run: i64) -> Box<dyn Marketplace> {
            match self.worked(name, RunId(run), false, &CancellationToken::new()).unwrap().way {
                Way::Looks(market) => market,
                Way::Writes(_) => unreachable!("it may not write"),
            }
        }
    }

    /// Answers everything with a status, and with an account where that is 200.
    #[derive(Clone)]
    struct Status(Arc<AtomicU16>);

    #[async_trait]
    impl Transport for Status {
        async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
            let body = br#"{"account":{"idUser":7,"username":"shop"}}"#.to_vec();
            Ok(WireResponse { status: self.0.load(Ordering::SeqCst), body, ..WireResponse::default() })
        }
    }

    impl Wires for Status {
        fn open(&self, _: &Account) -> Result<Arc<dyn Transport>, WireError> {
            Ok(Arc::new(self.clone()))
        }
    }

    fn edit(dir: &Path, file: &str, from: &str, to: &str) -> Config {
        let path = dir.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        config::load(dir).config.unwrap()
    }

    #[test]
    fn a_shelf_has_the_other_accounts_of_every_channel_the_larger_buffer_and_the_ways_to_their_orders() {
        let (dir, _) = config_dir();
        let write = |file: &str, text: &str| std::fs::write(dir.path().join(file), text).unwrap();
        let settings = std::fs::read_to_string(dir.path().join("sellerd.toml")).unwrap();
        let more = "[accounts.nz]\nmarketplace = \"trademe\"\n[accounts.far]\nmarketplace = \"trademe\"\n\
                    [channels.a]\naccounts = [\"cm\", \"nz\"]\nbuffer = 2\n\
                    [channels.b]\naccounts = [\"far\", \"cm\"]\nbuffer = 1\n";
        write("sellerd.toml", &format!("{settings}\n{more}"));
        std::fs::copy(dir.path().join("secrets/cm.toml"), dir.path().join("secrets/nz.toml")).unwrap();
        for (job, enabled) in [("a-poll", false), ("b-poll", true), ("c-poll", false)] {
            let text = format!(
                "kind = \"order-poll\"\naccount = \"nz\"\nschedule = \"0 0 1 1 *\"\nenabled = {enabled}\n"
            );
            write(&format!("jobs/{job}.toml"), &text);
        }
        let checked = config::load(dir.path());
        let config = checked.config.as_ref().unwrap_or_else(|| panic!("{}", checked.draw(false)));
        let shelf = shelf_of(config, &"cm".into());
        let said: Vec<_> = shelf
            .sisters
            .iter()
            .map(|Sister { name, order_poll, way_in }| {
                (name.as_str(), order_poll.as_ref().map(|job| job.to_string()), way_in.is_some())
            })
            .collect();
        assert_eq!(said, [("far", None, true), ("nz", Some("b-poll".to_owned()), false)]);
        assert_eq!((shelf.buffer, shelf_of(config, &"far".into()).buffer), (2, 1));
        let names: Vec<_> =
            shelf_of(config, &"nz".into()).sisters.iter().map(|sister| sister.name.to_string()).collect();
        assert_eq!(names, ["cm"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_outlives_a_reload_and_its_old_login_says_nothing_about_the_new_one() {
        let (dir, at_first) = config_dir();
        let clock: SharedClock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let status = Status(Arc::new(AtomicU16::new(200)));
        let shared = shared(&dir, &clock, Arc::new(status.clone()));
        let name = AccountName::from("cm");

        let begun = Accounts::make(&at_first, &Accounts::default(), &shared).await.unwrap();
        let running = begun.look(&name, 1);
        running.identity().await.unwrap();
        let other_limit = edit(dir.path(), "sellerd.toml", "daily_limit     = 5000", "daily_limit = 9");
        let reloaded = Accounts::make(&other_limit, &begun, &shared).await.unwrap();
        running.identity().await.unwrap();

        let other_login = edit(dir.path(), "secrets/cm.toml", "four", "five");
        let renewed = Accounts::make(&other_login, &reloaded, &shared).await.unwrap();
        status.0.store(401, Ordering::SeqCst);
        assert!(matches!(running.identity().await, Err(CallError::Unauthorized { .. })));
        let access = || shared.store.read(|tx| accounts::access(tx, &"cm".into(), Default::default()));
        assert_eq!(access().await.unwrap().state, AccessState::Active, "it was the old one that was refused");
        assert!(renewed.look(&name, 2).identity().await.is_err());
        assert_eq!(access().await.unwrap().state, AccessState::Unauthorized);

        Accounts::make(&other_login, &Accounts::default(), &shared).await.unwrap();
        let another_process = renewed.look(&name, 3).identity().await;
        assert!(matches!(another_process, Err(CallError::Refused(crate::http::Refusal::LostOwnership))));
    }

    /// Answers with a status and with dates that are this many seconds ahead, one after another, the last one for good.
    #[derive(Clone)]
    struct Dates(SharedClock, Arc<std::sync::Mutex<Vec<(u16, i64)>>>);

    #[async_trait]
    impl Transport for Dates {
        async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
            let mut left = self.1.lock().unwrap();
            let (status, ahead) = if left.len() > 1 { left.remove(0) } else { left[0] };
            let date = (self.0.now() + chrono::TimeDelta::seconds(ahead)).to_rfc2822();
            let headers = [("date".parse().unwrap(), date.parse().unwrap())].into_iter().collect();
            let body = br#"{"account":{"idUser":7,"username":"shop"}}"#.to_vec();
            Ok(WireResponse { status, headers, body })
        }
    }

    impl Wires for Dates {
        fn open(&self, _: &Account) -> Result<Arc<dyn Transport>, WireError> {
            Ok(Arc::new(self.clone()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_refusal_by_the_clock_is_a_wrong_clock_and_not_a_login_that_is_gone() {
        use crate::domain::{ErrorType, Outcome};
        use crate::store::problems;
        let clock: SharedClock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        for ahead in [[1_200, 0], [0, 1_200], [35, -35], [1_200, 2_400]] {
            let (dir, config) = config_dir();
            let answers = Arc::default();
            let shared = shared(&dir, &clock, Arc::new(Dates(clock.clone(), Arc::clone(&answers))));
            let name = AccountName::from("cm");
            if ahead[0] == 0 {
                shared
                    .store
                    .write(|tx| accounts::set_clock_offset_ms(tx, &"cm".into(), -600_000))
                    .await
                    .unwrap();
            }
            if ahead[0] == 35 {
                shared
                    .store
                    .write(|tx| accounts::set_clock_offset_ms(tx, &"cm".into(), -29_000))
                    .await
                    .unwrap();
            }
            *answers.lock().unwrap() = vec![(401, ahead[0]), (401, ahead[1]), (200, ahead[1])];
            let usable = Accounts::make(&config, &Accounts::default(), &shared).await.unwrap();
            let error = usable.look(&name, 1).identity().await.unwrap_err();
            assert_eq!(error.error_type(), ErrorType::ClockSkew, "{ahead:?}: {error}");
            assert_eq!(crate::jobs::JobError::from(error).outcome(), Outcome::Blocked);
            assert_eq!(answers.lock().unwrap().len(), 1, "{ahead:?}: two requests");
            let state = || shared.store.read(|tx| accounts::access(tx, &"cm".into(), Default::default()));
            assert_eq!(
                state().await.unwrap().state,
                AccessState::Unknown,
                "{ahead:?}: nothing is known of it"
            );
            let codes = || async {
                let open = shared.store.read(problems::list).await.unwrap();
                open.into_iter().map(|problem| problem.code).collect::<Vec<_>>()
            };
            assert_eq!(codes().await, ["E430"], "{ahead:?}");
            usable.look(&name, 2).identity().await.unwrap();
            let still_wrong = ahead[1] >= 60;
            assert_eq!(
                codes().await.len(),
                usize::from(still_wrong) + usize::from(ahead[1] == -35),
                "{ahead:?}"
            );
            assert_eq!(state().await.unwrap().state, AccessState::Active);
        }
    }
}
