//! What was sold is never put up again, at neither shop, whatever the order of sales, polls and syncs.
//!
//! The real jobs work over real HTTP, in a time of their own: a wait of the agent's is over at once, and the shops' time
//! has gone on by as much. Between any two requests buyers buy, fill carts and empty them. The shops know the truth: no
//! run may leave more on sale than the list less what was sold since, and when it is calm exactly that is on sale.
//!
//! Where both sell from one shelf, a sale at one counts at the other once its orders were read, and nothing is put up
//! before they were read since the list.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sellerd::agent::accounts::{Accounts, Network, Shared, Wires};
use sellerd::agent::runner::{Due, Runner};
use sellerd::clock::{Clock, SharedClock};
use sellerd::config::{self, Account, Config};
use sellerd::domain::{Outcome, Trigger};
use sellerd::http::{Attempt, Gate, Outgoing, Pass, Random, Refusal, Settled, Transport, WireError};
use sellerd::jobs::Errand;
use sellerd::sandbox::{CartMove, Fault, OrderAction, Purchase, Sandbox, trademe};
use sellerd::store::{Lane, Store, parked};
use tokio_util::sync::CancellationToken;

use super::at_trademe::TEMPLATE;
use super::{OPEN, Shelf};
use crate::support::RUNTIME;

const SKUS: [&str; 3] = ["A", "B", "C"];

/// A time in which nobody waits: who sleeps is at the end of it.
struct Swift {
    start: DateTime<Utc>,
    passed_ms: AtomicI64,
}

#[async_trait]
impl Clock for Swift {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::milliseconds(self.passed_ms.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.passed_ms.load(Ordering::SeqCst).unsigned_abs())
    }

    async fn sleep(&self, span: Duration) {
        // What is shorter than its smallest step would never be over.
        self.pass(TimeDelta::from_std(span).unwrap_or_default().max(TimeDelta::milliseconds(1)));
        tokio::task::yield_now().await;
    }
}

impl Swift {
    fn pass(&self, span: TimeDelta) {
        self.passed_ms.fetch_add(span.num_milliseconds(), Ordering::SeqCst);
    }
}

/// What happens at the shops.
#[derive(Debug, Clone, Copy)]
enum Event {
    BuyAtCardmarket(usize),
    BuyAtTradeMe(usize),
    Cancel,
    Reserve(usize),
    Release(usize),
    Checkout(usize),
    /// The next write goes wrong in this way.
    Fault(&'static str),
}

/// What becomes of writes. What happens late would at Trade Me set a number that was right a minute ago: nothing in its
/// API could keep it from that.
const FAULTS: [&str; 3] = [
    "drop-before --writes --next 1",
    "drop-after --writes --next 1",
    "late 40s --writes --next 1 --shop cardmarket",
];

#[derive(Debug, Clone)]
enum Step {
    List { nz: bool, counts: [i64; 3] },
    Happen(Event),
    Poll { nz: bool },
    Sync { nz: bool, events: Vec<(u32, Event)> },
    Wait(i64),
}

/// One list: what it said, and when.
type List = (DateTime<Utc>, [i64; 3]);

/// A sale: key, when, copies, and at Cardmarket the order.
type Sale = (String, DateTime<Utc>, i64, u64);

/// Both shops and all that is true of them.
struct Truth {
    sandbox: Arc<Sandbox>,
    clock: Arc<Swift>,
    lists: [Option<List>; 2],
    sold: [Vec<Sale>; 2],
    cancelled: Vec<u64>,
    /// Whether both sell the same copies.
    channel: bool,
    /// Up to when the orders of each are known for certain.
    known: [Option<DateTime<Utc>>; 2],
    /// When the last run of each ended, which may have read its orders.
    ran: [Option<DateTime<Utc>>; 2],
    seen: [BTreeMap<String, i64>; 2],
    broken: Vec<String>,
    requests: u32,
    events: Vec<(u32, Event)>,
}

impl Truth {
    /// What is on sale and in carts, and what of it lies in carts.
    fn offered(&self, nz: usize) -> BTreeMap<String, (i64, i64)> {
        let mut all: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        if nz == 1 {
            let now = self.sandbox.now();
            self.sandbox.with_trademe(|shop| {
                for row in shop
                    .listings()
                    .iter()
                    .filter(|row| row.state(now, TimeDelta::zero()) == trademe::State::Active)
                {
                    let copies = trademe::Stand::of(row).quantity.unwrap_or_default();
                    all.entry(row.sku.clone().unwrap_or_default()).or_default().0 += i64::from(copies);
                }
            });
        } else {
            self.sandbox.with_shop(|shop| {
                for row in shop.stock().rows() {
                    all.entry(row.comment.sku().unwrap_or_default()).or_default().0 += i64::from(row.count);
                }
                for row in shop.carts() {
                    let both = all.entry(row.comment.sku().unwrap_or_default()).or_default();
                    both.0 += i64::from(row.count);
                    both.1 += i64::from(row.count);
                }
            });
        }
        all
    }

    /// The list less what was sold since.
    fn bound(&self, nz: usize, sku: &str) -> Option<i64> {
        self.less_sold(nz, sku, Some(self.clock.now()))
    }

    /// The list less what was sold since, at the other shop until then.
    fn less_sold(&self, nz: usize, sku: &str, until: Option<DateTime<Utc>>) -> Option<i64> {
        let (written_at, counts) = self.lists[nz]?;
        let listed = SKUS.iter().zip(counts).find(|(key, _)| **key == sku)?.1;
        let counts =
            |(key, at, _, order): &&Sale| key == sku && *at >= written_at && !self.cancelled.contains(order);
        let other = self.sold[1 - nz].iter().filter(|sale| self.channel && Some(sale.1) <= until);
        let since = self.sold[nz].iter().chain(other).filter(counts);
        Some((listed - since.map(|(_, _, copies, _)| copies).sum::<i64>()).max(0))
    }

    /// The most that may be put up: what is left as far as it can be known, and nothing before the other shop's orders
    /// can have been read.
    fn may_stand(&self, nz: usize, sku: &str) -> Option<i64> {
        let (written_at, _) = self.lists[nz]?;
        let read = !self.channel || self.ran[1 - nz].is_some_and(|ran| ran >= written_at);
        self.less_sold(nz, sku, self.known[1 - nz]).map(|bound| if read { bound } else { 0 })
    }

    /// What the agent has changed since the last look must be within bounds.
    fn judge(&mut self) {
        for nz in 0..2 {
            for (sku, (offered, _)) in self.offered(nz) {
                let before = self.seen[nz].insert(sku.clone(), offered).unwrap_or(0);
                let bound = self.may_stand(nz, &sku);
                if let Some(bound) = bound.filter(|bound| offered > before && offered > *bound) {
                    self.broken
                        .push(format!("{sku} at {nz}: from {before} to {offered}, and {bound} are there"));
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        self.judge();
        let now = self.clock.now();
        let row = |n: usize| {
            self.sandbox.with_shop(|shop| {
                let rows = shop.stock().rows();
                rows.get(n % rows.len().max(1))
                    .map(|row| (row.id, row.comment.sku().unwrap_or_default(), row.count))
            })
        };
        let in_cart = |n: usize| {
            self.sandbox.with_shop(|shop| {
                let rows = shop.carts();
                rows.get(n % rows.len().max(1))
                    .map(|row| (row.id, row.comment.sku().unwrap_or_default(), row.count))
            })
        };
        match event {
            Event::BuyAtCardmarket(n) => {
                let Some((id, sku, _)) = row(n) else { return };
                let pay = Some(n.is_multiple_of(2));
                let purchase =
                    Purchase { article_id: Some(id), quantity: Some(1), pay, ..Purchase::default() };
                if let Ok(bought) = self.sandbox.buy(&purchase) {
                    self.sold[0].push((sku, now, 1, bought[0].order_id));
                }
            }
            Event::BuyAtTradeMe(n) => {
                let live = self.sandbox.with_trademe(|shop| {
                    let live = shop
                        .listings()
                        .iter()
                        .filter(|row| row.state(now, TimeDelta::zero()) == trademe::State::Active);
                    let all: Vec<_> = live.map(|row| (row.id, row.sku.clone().unwrap_or_default())).collect();
                    all.get(n % all.len().max(1)).cloned()
                });
                let Some((id, sku)) = live else { return };
                let purchase = trademe::Purchase {
                    listing_id: Some(id),
                    quantity: Some(1),
                    pay: Some(true),
                    ..trademe::Purchase::default()
                };
                if self.sandbox.buy_at_trademe(&purchase).is_ok() {
                    self.sold[1].push((sku, now, 1, 0));
                }
            }
            Event::Cancel => {
                let last = self.sold[0]
                    .iter()
                    .rev()
                    .find(|sale| !self.cancelled.contains(&sale.3))
                    .map(|sale| sale.3);
                if let Some(order) =
                    last.filter(|order| self.sandbox.act(*order, OrderAction::Cancel).is_ok())
                {
                    self.cancelled.push(order);
                }
            }
            Event::Fault(words) => {
                let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
                self.sandbox.fault(Fault::parse(&words).expect("a fault"));
            }
            Event::Reserve(n) => {
                if let Some((article_id, _, _)) = row(n) {
                    // Another may have taken the last one.
                    let _ = self.sandbox.move_cart(CartMove::Reserve { article_id, quantity: 1 });
                }
            }
            Event::Release(n) => {
                if let Some((article_id, _, _)) = in_cart(n) {
                    let _ = self.sandbox.move_cart(CartMove::Release { article_id });
                }
            }
            Event::Checkout(n) => {
                let Some((article_id, sku, count)) = in_cart(n) else { return };
                if let Ok(Some(bought)) = self.sandbox.move_cart(CartMove::Checkout { article_id }) {
                    self.sold[0].push((sku, now, i64::from(count), bought.order_id));
                }
            }
        }
        self.look();
    }

    /// What stands now was not the agent's doing.
    fn look(&mut self) {
        for nz in 0..2 {
            self.seen[nz] = self.offered(nz).into_iter().map(|(sku, (offered, _))| (sku, offered)).collect();
        }
    }
}

/// Stands before the gate and lets things happen between two requests.
struct Meddler {
    truth: Arc<Mutex<Truth>>,
    gate: Arc<dyn Gate>,
}

#[async_trait]
impl Gate for Meddler {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        {
            let mut truth = self.truth.lock().expect("nobody panicked");
            truth.judge();
            truth.requests += 1;
            let at = truth.requests;
            // Between the look at a listing and its edit nothing can be noticed: the API has no condition for it.
            let due: Vec<Event> = truth
                .events
                .extract_if(.., |(n, event)| {
                    *n <= at && !(outgoing.writes && matches!(event, Event::BuyAtTradeMe(_)))
                })
                .map(|(_, event)| event)
                .collect();
            due.into_iter().for_each(|event| truth.happen(event));
        }
        self.gate.enter(outgoing).await
    }

    async fn settle(&self, pass: Pass, attempt: &Attempt) -> Result<Settled, Refusal> {
        self.gate.settle(pass, attempt).await
    }
}

struct Watched(Arc<Mutex<Truth>>);

impl Wires for Watched {
    fn open(&self, account: &Account) -> Result<Arc<dyn Transport>, WireError> {
        Network.open(account)
    }

    fn guard(&self, _: &Account, gate: Arc<dyn Gate>) -> Arc<dyn Gate> {
        Arc::new(Meddler { truth: self.0.clone(), gate })
    }
}

/// The agent's jobs, one at a time.
struct Agent {
    config: Config,
    runner: Runner,
    clock: Arc<Swift>,
    truth: Arc<Mutex<Truth>>,
}

impl Agent {
    async fn run(&self, job: &str) -> sellerd::store::runs::RunRow {
        self.clock.pass(TimeDelta::milliseconds(10));
        let (nz, began) = (usize::from(job.starts_with("nz")), self.clock.now());
        let job = Arc::new(self.config.jobs[&job.into()].clone());
        let due = Due { job, at: began, trigger: Trigger::Manual, errand: Errand::Usual };
        let run = self.runner.run_now(due).await.expect("it can be recorded").expect("nothing else runs");
        let mut truth = self.truth.lock().expect("nobody panicked");
        truth.judge();
        truth.ran[nz] = Some(self.clock.now());
        if run.outcome == Some(Outcome::Success) {
            truth.known[nz] = Some(began - TimeDelta::seconds(90));
        }
        run
    }
}

fn tell(channel: bool, story: Vec<Step>) -> Result<(), TestCaseError> {
    let start = "2026-11-22T14:31:07Z".parse().expect("a time");
    let clock = Arc::new(Swift { start, passed_ms: AtomicI64::new(0) });
    let shared_clock: SharedClock = clock.clone();
    let cm = [("A", 5, 100), ("B", 3, 200), ("C", 2, 300), ("Z", 500, 100)];
    let nz = [("A", 5, 1_000), ("B", 3, 2_000), ("C", 2, 3_000), ("Z", 50, 1_000)];
    let mut shelf = Shelf::with(&cm, &nz, |options| {
        options.clock = shared_clock.clone();
        options.trademe.sold_lag = trademe::Options::default().sold_lag;
        options.trademe.closing = trademe::Options::default().closing;
        options.trademe.balance_cents = 1_000_000;
        (options.daily_limit, options.trademe.hourly_limit) = (None, None);
    });
    shelf.0.edit("sellerd.toml", "visibility_lag = \"0s\"", "visibility_lag = \"90s\"");
    for _ in 0..2 {
        shelf.0.edit("sellerd.toml", "grace = \"0s\"", "grace = \"60s\"");
    }
    if channel {
        shelf.0.edit(
            "sellerd.toml",
            "[accounts.cm]",
            "[channels.cards]\naccounts = [\"cm\", \"nz\"]\n\n[accounts.cm]",
        );
    }
    shelf.0.write("templates/default.json", TEMPLATE);
    for account in ["cm", "nz"] {
        shelf.job_file(account, "", &format!("{OPEN}max_fees = \"1000.00\"\n"));
        let name = format!("{account}-poll");
        shelf.0.write_job(&name, "order-poll", "0 0 1 1 *", &format!("account = \"{account}\""));
    }
    let product = shelf.0.sandbox.with_shop(|shop| shop.product_ids().nth(7).expect("one"));
    let sandbox = Arc::new(shelf.0.take_sandbox());
    // What the shops were set up with shows in their lists.
    clock.pass(TimeDelta::minutes(5));
    let truth = Arc::new(Mutex::new(Truth {
        sandbox,
        clock: clock.clone(),
        lists: [None, None],
        sold: [Vec::new(), Vec::new()],
        cancelled: Vec::new(),
        channel,
        known: [None, None],
        ran: [None, None],
        seen: Default::default(),
        broken: Vec::new(),
        requests: 0,
        events: Vec::new(),
    }));
    truth.lock().expect("nobody panicked").look();
    let list = |nz: bool, counts: [i64; 3]| {
        let mut truth = truth.lock().expect("nobody panicked");
        let there = truth.offered(usize::from(nz));
        let has = |sku: &str| there.get(sku).map_or(0, |(offered, _)| *offered);
        let counts: Vec<i64> = SKUS.iter().zip(counts).map(|(sku, more)| (has(sku) + more).max(0)).collect();
        let counts: [i64; 3] = counts.try_into().expect("three");
        clock.pass(TimeDelta::seconds(2));
        let account = if nz { "nz" } else { "cm" };
        let rows: Vec<String> = SKUS
            .iter()
            .zip(counts)
            .zip([100, 200, 300])
            .map(|((sku, count), cents)| {
                let price = if nz { cents / 10 } else { cents / 100 };
                format!("{sku},{count},{price}.00,{product},English,NM,Card {sku}")
            })
            .collect();
        let header = "sku,quantity,price,product_id,language,condition,title";
        shelf.list(account, &format!("{header}\n{}\n", rows.join("\n")));
        let file = shelf.0.dir().join(format!("{account}.csv"));
        let file = std::fs::File::options().append(true).open(file).expect("a file");
        file.set_modified(clock.now().into()).expect("a time");
        truth.lists[usize::from(nz)] = Some((chrono::SubsecRound::trunc_subsecs(clock.now(), 0), counts));
    };
    list(false, [0, 0, 0]);
    list(true, [0, 0, 0]);
    let config = config::load(&shelf.0.dir());
    let config = config.config.clone().unwrap_or_else(|| panic!("{}", config.draw(false)));
    RUNTIME.block_on(async {
        let store =
            Store::open(&shelf.0.home().join("sellerd.db"), Lane::Inline, clock.now()).expect("a database");
        let shared = Shared {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(Random::seeded(1)),
            wires: Arc::new(Watched(truth.clone())),
            woken: Arc::default(),
            changing: Arc::default(),
        };
        let accounts =
            Accounts::make(&config, &Accounts::default(), &shared).await.expect("they can be used");
        let runner = Runner::new(shared, shelf.0.home().to_owned(), accounts, CancellationToken::new());
        let agent = Agent { config, runner, clock: clock.clone(), truth: truth.clone() };
        let sandbox = truth.lock().expect("nobody panicked").sandbox.clone();
        for step in story {
            match step {
                Step::List { nz, counts } => list(nz, counts),
                Step::Happen(event) => truth.lock().expect("nobody panicked").happen(event),
                Step::Poll { nz } => drop(agent.run(if nz { "nz-poll" } else { "cm-poll" }).await),
                Step::Sync { nz, events } => {
                    {
                        let mut truth = truth.lock().expect("nobody panicked");
                        (truth.requests, truth.events) = (0, events);
                    }
                    agent.run(if nz { "nz-sync" } else { "cm-sync" }).await;
                    let mut truth = truth.lock().expect("nobody panicked");
                    truth.events.clear();
                    truth.judge();
                }
                Step::Wait(seconds) => clock.pass(TimeDelta::seconds(seconds)),
            }
        }
        let mut said = String::new();
        sandbox.clear_faults();
        for _ in 0..3 {
            clock.pass(TimeDelta::minutes(5));
            // A person has looked at what nobody could explain.
            let now = clock.now();
            let released = store.write(move |tx| {
                Ok(parked::release(tx, &"cm".into(), now)? | parked::release(tx, &"nz".into(), now)?)
            });
            said += &format!("released {:?}; ", released.await);
            for job in ["cm-poll", "nz-poll", "cm-sync", "nz-sync"] {
                let run = agent.run(job).await;
                said += &format!("{job} {:?}: {:?}; ", run.outcome, run.message);
            }
        }
        let mut truth = truth.lock().expect("nobody panicked");
        truth.judge();
        prop_assert_eq!(&truth.broken, &Vec::<String>::new());
        for nz in 0..2 {
            let offered = truth.offered(nz);
            for sku in SKUS {
                let (all, in_carts) = offered.get(sku).copied().unwrap_or_default();
                let bound = truth.bound(nz, sku).expect("there is a list").max(in_carts);
                // Nothing can be put to an article of which every copy lies in carts.
                prop_assert!(
                    all == bound || (in_carts > 0 && all == in_carts),
                    "{sku} at {nz}: {all} of {bound}: {said}"
                );
            }
        }
        let readded: u32 = truth.sandbox.trademe_effects().iter().map(|effect| effect.readded).sum();
        prop_assert_eq!(readded, 0);
        Ok(())
    })
}

#[test]
fn what_was_listed_a_moment_ago_and_does_not_show_yet_is_not_listed_again() {
    let sync = || Step::Sync { nz: true, events: Vec::new() };
    let ended = Step::List { nz: true, counts: [-9, 0, 0] };
    let again = Step::List { nz: true, counts: [3, 0, 0] };
    tell(false, vec![ended, sync(), Step::Wait(600), again, sync(), sync()]).expect("it is listed once");
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0_usize..4).prop_map(Event::BuyAtCardmarket),
        5 => (0_usize..4).prop_map(Event::BuyAtTradeMe),
        1 => Just(Event::Cancel),
        2 => (0_usize..4).prop_map(Event::Reserve),
        1 => (0_usize..4).prop_map(Event::Release),
        2 => (0_usize..4).prop_map(Event::Checkout),
        2 => proptest::sample::select(&FAULTS[..]).prop_map(Event::Fault),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let counts = || [-2_i64..4, -2_i64..4, -2_i64..4];
    prop_oneof![
        3 => (any::<bool>(), counts()).prop_map(|(nz, counts)| Step::List { nz, counts }),
        4 => event().prop_map(Step::Happen),
        1 => any::<bool>().prop_map(|nz| Step::Poll { nz }),
        4 => (any::<bool>(), proptest::collection::vec((1_u32..30, event()), 0..4))
            .prop_map(|(nz, events)| Step::Sync { nz, events }),
        2 => (1_i64..600).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 60, ..ProptestConfig::default() })]
    #[test]
    fn no_order_of_sales_polls_and_syncs_puts_up_again_what_was_sold(
        story in proptest::collection::vec(step(), 4..14), channel in any::<bool>(),
    ) {
        tell(channel, story)?;
    }
}

/// How many stories are told; `SELLERD_STORIES` asks for more than CI has time for.
fn cases() -> u32 {
    std::env::var("SELLERD_STORIES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10)
}
