//! A month of sales, read by the cadences, with outages of hours in between: every purchase once, and no request more
//! than the cadences allow.
//!
//! The real runner, gate, client, job and database, in simulated time, with the shop in the same process. The
//! prediction stands in the wire: it knows from the shop itself how many pages a list has when it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sellerd::agent::accounts::{Accounts, Shared, Wires};
use sellerd::agent::runner::{Due, Runner};
use sellerd::clock::{Clock, ManualClock};
use sellerd::config::{self, Account, Config, Job};
use sellerd::domain::{JobName, Outcome, Trigger};
use sellerd::http::{Random, Transport, WireError, WireRequest, WireResponse};
use sellerd::sandbox::ask_trademe;
use sellerd::sandbox::trademe::{CartLine, Options, Paid, Purchase, Selling, Shop};
use sellerd::store::runs::RunRow;
use sellerd::store::{Lane, Store, movements, orders};
use tokio_util::sync::CancellationToken;

use super::nz::{self, write};

/// How many rows are sold, unless `SELLERD_SOLD_ROWS` says otherwise: few enough for a build without optimisation.
const SOLD_ROWS: usize = 1_000;

const BEGIN: &str = "2026-03-01T00:00:00Z";
const DAYS: i64 = 30;

/// The sample polls every five minutes. Three times as rarely is as good for what is shown here.
const POLL: TimeDelta = TimeDelta::minutes(15);

/// When the agent is off: the hour of the month, and for how many.
const OUTAGES: [(i64, i64); 7] = [(29, 2), (100, 7), (163, 23), (250, 30), (371, 5), (480, 55), (640, 12)];

/// The lists, how far each reaches back, and how often it may be read.
const LISTS: [(&str, TimeDelta, TimeDelta); 4] = [
    ("LastHour", TimeDelta::hours(1), POLL),
    ("Last24Hours", TimeDelta::hours(24), TimeDelta::hours(1)),
    ("Last7Days", TimeDelta::days(7), TimeDelta::hours(6)),
    ("Last45Days", TimeDelta::days(45), TimeDelta::hours(24)),
];

const PAGE: usize = 500;

/// What was asked of one list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    reads: usize,
    requests: usize,
    /// The pages that the list had whenever it was read.
    pages: usize,
}

struct World {
    shop: Mutex<Shop>,
    clock: Arc<ManualClock>,
    asked: Mutex<BTreeMap<&'static str, Asked>>,
}

struct Wire(Arc<World>);

impl Wires for Wire {
    fn open(&self, _: &Account) -> Result<Arc<dyn Transport>, WireError> {
        Ok(Arc::new(Self(self.0.clone())))
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        let now = self.0.clock.now();
        self.0.count(request.url, now);
        let answer = ask_trademe(&mut self.0.shop(), request.url, request.authorization, now);
        assert_eq!(answer.status, 200, "{} {}", request.url, String::from_utf8_lossy(&answer.body));
        Ok(WireResponse { status: answer.status, body: answer.body, ..WireResponse::default() })
    }
}

impl World {
    fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().expect("nobody panicked in it")
    }

    fn count(&self, url: &str, now: DateTime<Utc>) {
        let (list, span, _) = LISTS
            .into_iter()
            .find(|(list, ..)| url.contains(&format!("/SoldItems/{list}.json?")))
            .unwrap_or_else(|| panic!("{url} is none of a poll's business"));
        let mut asked = self.asked.lock().expect("nobody panicked in it");
        let asked = asked.entry(list).or_default();
        asked.requests += 1;
        if url.contains("page=1&") {
            asked.reads += 1;
            asked.pages += self.visible(now, span).div_ceil(PAGE).max(1);
        }
    }

    /// How many sales of the last `span` are shown.
    fn visible(&self, now: DateTime<Utc>, span: TimeDelta) -> usize {
        let lag = Options::default().sold_lag;
        let shop = self.shop();
        // Sales are in the order in which they were made.
        let from = shop.sales().partition_point(|sale| sale.at <= now - span);
        let to = shop.sales().partition_point(|sale| sale.at + lag <= now);
        to.saturating_sub(from)
    }

    /// So many rows are sold somewhen between these times, alone and in carts.
    fn sell(&self, rows: usize, from: DateTime<Utc>, until: DateTime<Utc>, rng: &mut fastrand::Rng) {
        let span = (until - from).num_milliseconds();
        let mut times: Vec<i64> = (0..rows).map(|_| rng.i64(0..span)).collect();
        times.sort_unstable();
        let mut times = times.into_iter();
        let mut shop = self.shop();
        let for_sale: Vec<i64> = shop
            .listings()
            .iter()
            .filter(|row| matches!(row.selling, Selling::BuyNow { .. }))
            .map(|row| row.id)
            .collect();
        while let Some(at) = times.next() {
            let more = if rng.u8(0..100) < 15 { times.by_ref().take(rng.usize(1..=2)).count() } else { 0 };
            let cart = rng
                .choose_multiple(&for_sale, 1 + more)
                .into_iter()
                .map(|id| CartLine { listing_id: *id, quantity: rng.u32(1..=3) })
                .collect();
            let purchase = Purchase { cart, ..Purchase::default() };
            shop.buy(&purchase, from + TimeDelta::milliseconds(at)).expect("there is enough");
        }
    }
}

fn begin() -> DateTime<Utc> {
    BEGIN.parse().expect("a date")
}

fn shop() -> Shop {
    let options = Options { listings: 40, sales: 0, unsold: 0, shared_percent: 0, ..Options::default() };
    let mut shop = Shop::new(&options, 7, &[], begin());
    let ids: Vec<i64> = shop.listings().iter().map(|row| row.id).collect();
    for id in ids {
        let row = shop.listing_mut(id).expect("it is there");
        row.end = begin() + TimeDelta::days(60);
        if let Selling::BuyNow { quantity, .. } = &mut row.selling {
            *quantity = 1_000_000;
        }
    }
    shop
}

/// A configuration of one account and the one job.
fn configuration(dir: &std::path::Path, shop: &Shop, hourly_limit: u32) -> Config {
    let limit = format!("hourly_limit = {hourly_limit}");
    let account = nz::account("nz-shop", "http://127.0.0.1:9/v1", &limit);
    write(dir, "sellerd.toml", &format!("{}{account}", nz::SETTINGS));
    write(dir, "secrets/nz-shop.toml", &nz::secrets(shop.keys()));
    let job = "kind = \"order-poll\"\naccount = \"nz-shop\"\nschedule = \"*/15 * * * *\"\njitter = \"0s\"\n";
    write(dir, "jobs/order-poll.toml", job);
    let checked = config::load(dir);
    let config = checked.config.clone().unwrap_or_else(|| panic!("{}", checked.draw(false)));
    std::fs::create_dir_all(&config.state_dir).expect("a directory");
    config
}

/// The agent with its database, put together anew after each outage.
struct Agent {
    runner: Runner,
    store: Store,
    job: Arc<Job>,
}

impl Agent {
    async fn start(config: &Config, world: &Arc<World>) -> Self {
        let clock = world.clock.clone();
        let store =
            Store::open(&config.state_dir.join("sellerd.db"), Lane::Inline, clock.now()).expect("a database");
        let shared = Shared {
            store: store.clone(),
            clock,
            random: Arc::new(Random::seeded(world.clock.now().timestamp() as u64)),
            wires: Arc::new(Wire(world.clone())),
            woken: Arc::default(),
            changing: Arc::default(),
        };
        let accounts = Accounts::make(config, &Accounts::default(), &shared).await.expect("it can be used");
        let stop = CancellationToken::new();
        let runner = Runner::new(shared, config.state_dir.clone(), accounts, stop);
        let job = config.jobs[&JobName::from("order-poll")].clone();
        Self { runner, store, job: Arc::new(job) }
    }

    /// One poll, however it ends; `None` where its slot is passed over.
    async fn run(&self, at: DateTime<Utc>) -> Option<RunRow> {
        let due = Due {
            job: self.job.clone(),
            at,
            trigger: Trigger::Schedule,
            errand: sellerd::jobs::Errand::Usual,
        };
        self.runner.run_now(due).await.expect("it is recorded")
    }

    /// One poll that succeeds, and the movements that it recorded.
    async fn poll(&self, at: DateTime<Utc>) -> usize {
        let row = self.run(at).await.expect("it is due once");
        assert_eq!(row.outcome, Some(Outcome::Success), "{:?}", row.message);
        row.counts.get("movements").map_or(0, |moved| *moved as usize)
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_is_used_up_is_over_when_the_next_one_begins() {
    let home = tempfile::tempdir().expect("a directory");
    let world = Arc::new(World {
        shop: Mutex::new(shop()),
        clock: ManualClock::at(begin()),
        asked: Mutex::default(),
    });
    let config = configuration(home.path(), &world.shop(), 5);
    let agent = Agent::start(&config, &world).await;
    let mut outcomes = Vec::new();
    for slot in 1..=8 {
        let at = begin() + POLL * slot;
        world.clock.jump(at - world.clock.now());
        let row = agent.run(at).await;
        outcomes.push(row.map(|row| (row.outcome.expect("it has ended"), row.requests)));
    }
    let ok = |requests| Some((Outcome::Success, requests));
    // Four lists at first, then the last hour alone, and more than an hour later the last day too. What is left after
    // the first poll pays for one of the two slots, and the first slot after an hour that was used up waits for some
    // seconds. The second hour has one request less: what left at the end of the first may have arrived in it.
    assert_eq!(outcomes, [ok(4), None, ok(1), None, ok(1), ok(2), ok(1), None]);
    let by_hour: Vec<u64> = world.shop().ledger().by_window().values().copied().collect();
    assert_eq!(by_hour, [5, 4]);
}

#[tokio::test(start_paused = true)]
async fn every_purchase_of_a_month_is_recorded_once_with_no_request_more_than_the_cadences_allow() {
    let rows = std::env::var("SELLERD_SOLD_ROWS").map_or(SOLD_ROWS, |rows| rows.parse().expect("a number"));
    // In memory, where there is such a place: how fast the disk is matters to nobody here.
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let world = Arc::new(World {
        shop: Mutex::new(shop()),
        clock: ManualClock::at(begin()),
        asked: Mutex::default(),
    });
    let config = configuration(home.path(), &world.shop(), 1_000);
    let mut agent = Some(Agent::start(&config, &world).await);
    let mut rng = fastrand::Rng::with_seed(11);
    let slots = DAYS * 1_440 / POLL.num_minutes();
    // What is to come is not shown before its time.
    world.sell(rows, begin(), begin() + TimeDelta::days(DAYS), &mut rng);
    let (mut recorded, mut polls) = (0, 0);
    for slot in 1..=slots {
        let at = begin() + POLL * slot as i32;
        let hour = (at - begin()).num_hours();
        world.clock.jump(at - world.clock.now());
        if OUTAGES.iter().any(|(from, lasts)| (*from..from + lasts).contains(&hour)) && slot < slots {
            agent = None;
            continue;
        }
        if agent.is_none() {
            agent = Some(Agent::start(&config, &world).await);
        }
        let shown = world.visible(world.clock.now(), TimeDelta::days(45));
        recorded += agent.as_ref().expect("it runs").poll(at).await;
        let shown_by_now = world.visible(world.clock.now(), TimeDelta::days(45));
        assert!(
            (shown..=shown_by_now).contains(&recorded),
            "{at}: {recorded} recorded, {shown} to {shown_by_now} shown: nothing waits for a longer list"
        );
        polls += 1;
    }
    // Two days later the last addresses and payments have come, and every list is due.
    let at = begin() + TimeDelta::days(DAYS + 2);
    world.clock.jump(at - world.clock.now());
    let agent = agent.expect("the month does not end with an outage");
    recorded += agent.poll(at).await;
    polls += 1;

    assert_eq!(recorded, rows);
    assert_recorded_once(&agent.store, &world).await;
    let asked = world.asked.lock().expect("nobody panicked in it");
    let mut total = 0;
    for (list, _, cadence) in LISTS {
        let Asked { reads, requests, pages } = asked[list];
        let most = ((at - begin()).num_minutes() / cadence.num_minutes()) as usize + 1;
        assert!(reads <= most, "{list} was read {reads} times, and {most} are allowed");
        assert_eq!(requests, pages, "{list}: a request for each page, and none beside");
        total += requests;
    }
    assert_eq!(asked["LastHour"].reads, polls);
    let shop = world.shop();
    assert_eq!(shop.ledger().by_window().values().sum::<u64>(), total as u64, "the shop counted the same");
    assert!(shop.ledger().by_window().values().all(|hour| *hour <= 1_000), "no hour had more than it allows");
    println!("{rows} rows, {polls} polls, {total} requests: {asked:?}");
}

/// Every purchase is one line of its order with one movement of its copies, and every order says what the shop says.
async fn assert_recorded_once(store: &Store, world: &World) {
    let (lines, states, moves) = store
        .read(|tx| {
            let (mut lines, mut states, mut moves) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            orders::each(tx, None, |row| {
                for line in &row.lines {
                    let entry = (row.order_id.0, line.quantity, line.unit_price_minor);
                    assert_eq!(lines.insert(line.line_id.0, entry), None, "a line of one order only");
                }
                assert_eq!(states.insert(row.order_id.0, (row.state, row.total_minor)), None);
                Ok(())
            })?;
            movements::each(tx, None, |row| {
                let line = row.movement.line_id.0;
                assert_eq!(moves.insert(line, row.movement.delta), None, "line {line} moved once");
                Ok(())
            })?;
            Ok((lines, states, moves))
        })
        .await
        .expect("it can be read");
    let shop = world.shop();
    let now = world.clock.now();
    let mut totals: BTreeMap<i64, (bool, i64)> = BTreeMap::new();
    for sale in shop.sales() {
        let order = sale.order_id.unwrap_or(sale.id);
        let quantity = i64::from(sale.quantity);
        assert_eq!(
            lines.get(&sale.id),
            Some(&(order, quantity, i64::from(sale.cents))),
            "purchase {}",
            sale.id
        );
        assert_eq!(moves.get(&sale.id), Some(&-quantity), "purchase {}", sale.id);
        let (paid, total) = totals.entry(order).or_insert((true, 0));
        *paid &= sale.paid(now) == Paid::Yes;
        *total += sale.total_cents() as i64;
    }
    assert_eq!((lines.len(), moves.len()), (shop.sales().len(), shop.sales().len()));
    let carts: BTreeSet<i64> = shop.sales().iter().filter_map(|sale| sale.order_id).collect();
    assert!(!carts.is_empty() && states.len() == totals.len());
    for (order, (paid, total)) in totals {
        let state = if paid { "paid" } else { "bought" };
        assert_eq!(states.get(&order), Some(&(state.to_owned(), total)), "order {order}");
    }
}
