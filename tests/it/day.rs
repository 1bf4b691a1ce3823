//! A whole day of both shops on ordinary allowances, with more wanted than there is: nothing is refused by the shops,
//! orders are read as often as what is left pays for, the seller's list is carried out every hour as long as it can be
//! paid for, and what waits is done when the forecast said.
//!
//! The real daemon in simulated time, with both shops in this process. No job reads public data yet, nor could the client
//! ask Cardmarket for any, so the probes of one account are taken for such reads by a gate in front of the real one: the
//! line, the meter and the quota are those of the public class, and the shop sees reads of the account.

mod forecasts;
mod polls;
mod seller;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, DurationRound, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use sellerd::agent::accounts::{Shared, Wires};
use sellerd::agent::daemon::{Command, Daemon};
use sellerd::agent::state::Machine;
use sellerd::agent::trigger::HandTrigger;
use sellerd::agent::watch::NoFront;
use sellerd::clock::{Clock, ManualClock, SharedClock};
use sellerd::config::{self, Account, Config};
use sellerd::domain::{Outcome, RequestClass};
use sellerd::http::{
    Attempt, Gate, Outgoing, Pass, Random, Refusal, Settled, Transport, WireError, WireRequest, WireResponse,
};
use sellerd::sandbox::{Call, Options, Seen, Shop, Verdict, ask_trademe_with, ask_with, berlin_day, trademe};
use sellerd::store::runs::{self, RunRow};
use sellerd::store::{Lane, Store, Tx, movements};
use tokio::sync::mpsc;

use self::forecasts::{Forecasts, WAITS};
use self::polls::{Polls, none_came_late};
use self::seller::{Book, Counter};
use crate::stock_sync::OPEN;
use crate::trademe::nz::{secrets, write};

/// Berlin's day of 23 hours begins.
const BEGIN: &str = "2026-03-28T23:00:00Z";
const HOURS: i64 = 24;

/// Requests of a day at Cardmarket, and of an hour at Trade Me: there, too, fewer than are wanted.
const LIMIT: u64 = 5_000;
const HOURLY: u64 = 72;

/// How long an answer takes.
const WAY: Duration = Duration::from_millis(80);

/// What a request of one job waits for when each other job of its account has one waiting before it: five leave in a
/// second.
fn line(jobs: i32) -> TimeDelta {
    (TimeDelta::milliseconds(200) + TimeDelta::from_std(WAY).expect("a moment")) * jobs
}

struct World {
    cm: Mutex<Shop>,
    nz: Mutex<trademe::Shop>,
    clock: Arc<ManualClock>,
}

struct Wire(Arc<World>, bool);

impl Wires for Wire {
    fn open(&self, account: &Account) -> Result<Arc<dyn Transport>, WireError> {
        Ok(Arc::new(Self(self.0.clone(), account.name.as_str() == "cm")))
    }

    fn guard(&self, account: &Account, gate: Arc<dyn Gate>) -> Arc<dyn Gate> {
        if account.name.as_str() == "cm" { Arc::new(Prying(gate)) } else { gate }
    }
}

/// Takes a probe for a read of public data.
struct Prying(Arc<dyn Gate>);

#[async_trait]
impl Gate for Prying {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        let class = if outgoing.template == "account" { RequestClass::Public } else { outgoing.class };
        self.0.enter(&Outgoing { class, ..outgoing.clone() }).await
    }

    async fn settle(&self, pass: Pass, attempt: &Attempt) -> Result<Settled, Refusal> {
        self.0.settle(pass, attempt).await
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        let Self(world, is_cm) = self;
        world.clock.sleep(WAY / 2).await;
        let now = world.clock.now();
        let call = Call {
            method: request.method,
            url: request.url,
            authorization: request.authorization,
            body_type: request.body.map_or("", |body| body.content_type),
            body: request.body.map_or(&[], |body| &body.bytes),
        };
        let answer = if *is_cm {
            ask_with(&mut locked(&world.cm), &call, now, 1)
        } else {
            ask_trademe_with(&mut locked(&world.nz), &call, now)
        };
        assert_ne!(answer.status, 429, "{} {} at {now}", request.method, request.url);
        world.clock.sleep(WAY / 2).await;
        let headers = answer
            .headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        Ok(WireResponse { status: answer.status, headers: headers.collect(), body: answer.body })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panicked with it")
}

fn begin() -> DateTime<Utc> {
    BEGIN.parse().expect("a date")
}

fn configuration(dir: &std::path::Path, world: &World) -> Config {
    let settings = format!(
        "config_version = 1\ntimezone = \"Europe/Berlin\"\nstate_dir = \"state\"\n[http]\nlisten = \"off\"\n\
        [accounts.cm]\nmarketplace = \"cardmarket\"\nbase_url = \"http://127.0.0.1:9/ws/v2.0\"\npublic_share = \"10%\"\n\
        [accounts.nz]\nmarketplace = \"trademe\"\nbase_url = \"http://127.0.0.1:9/v1\"\nhourly_limit = {HOURLY}\n"
    );
    write(dir, "sellerd.toml", &settings);
    write(dir, "secrets/cm.toml", &secrets(locked(&world.cm).keys()));
    write(dir, "secrets/nz.toml", &secrets(locked(&world.nz).keys()));
    write(dir, "templates/default.json", seller::TEMPLATE);
    let sync = format!(
        "mode = \"apply\"\n[source]\ntype = \"csv\"\npath = \"stock.csv\"\n{OPEN}max_fees = \"20.00\"\n"
    );
    for (name, kind, account, schedule, more) in [
        ("cm-orders", "order-poll", "cm", "* * * * *", ""),
        ("cm-pull", "stock-pull", "cm", "* * * * *", ""),
        ("cm-sync", "stock-sync", "cm", "5 * * * *", sync.as_str()),
        ("cm-prices", "probe", "cm", "*/2 * * * *", ""),
        ("nz-orders", "order-poll", "nz", "*/10 * * * *", ""),
        ("nz-pull", "stock-pull", "nz", "* * * * *", ""),
        ("nz-sync", "stock-sync", "nz", "9 * * * *", sync.as_str()),
    ] {
        let text = format!(
            "kind = \"{kind}\"\naccount = \"{account}\"\nschedule = \"{schedule}\"\njitter = \"0s\"\n{more}"
        );
        write(dir, &format!("jobs/{name}.toml"), &text);
    }
    let checked = config::load(dir);
    checked.config.clone().unwrap_or_else(|| panic!("{}", checked.draw(false)))
}

#[tokio::test(start_paused = true)]
async fn a_day_of_more_than_there_is_ends_without_a_refusal_and_as_it_was_forecast() {
    // In memory, where there is such a place: how fast the disk is matters to nobody here.
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let clock = ManualClock::at(begin());
    let options = Options { articles: 6, carts: 2, orders: 5, ..Options::new(clock.clone()) };
    let at_trademe = trademe::Options {
        listings: 6,
        lasting: TimeDelta::days(9),
        hourly_limit: Some(u32::try_from(HOURLY).expect("a number")),
        balance_cents: 100_000,
        ..Default::default()
    };
    let mut cm = Shop::new(&options, begin());
    let mut nz = trademe::Shop::new(&at_trademe, 7, &[], begin());
    seller::open(&mut cm, &mut nz, begin());
    let world = Arc::new(World { cm: Mutex::new(cm), nz: Mutex::new(nz), clock: clock.clone() });
    let config = configuration(home.path(), &world);
    let shared_clock: SharedClock = clock.clone();
    let machine = Machine { clock: shared_clock.clone(), lane: Lane::Inline };
    let wires = Arc::new(Wire(world.clone(), false));
    let random = Arc::new(Random::seeded(1));
    let hand = HandTrigger::new(shared_clock.clone());
    let kept: Arc<Mutex<Option<Store>>> = Arc::default();
    let keep = kept.clone();
    let make = |store: Store| {
        *locked(&keep) = Some(store.clone());
        Shared { store, clock: shared_clock, random, wires, woken: Arc::default(), changing: Arc::default() }
    };
    let daemon = Daemon::start(config.clone(), make, machine, Box::new(hand.clone()), &NoFront).await;
    let daemon = daemon.unwrap_or_else(|error| panic!("{error}"));
    let store = locked(&kept).clone().expect("it was made with it");
    let (tell, mut told) = mpsc::channel(1);
    let serving = tokio::spawn(async move { daemon.serve(&mut told).await });

    // A probe is forecast as one, and not as the public data that it stands for here.
    let (mut forecasts, mut books) = (Forecasts::but("cm-prices"), Books::default());
    let end = begin() + TimeDelta::hours(HOURS);
    while clock.now() < end {
        // Every slot is a whole minute, and is ticked then.
        let next =
            clock.now().duration_trunc(TimeDelta::minutes(1)).expect("a minute") + TimeDelta::minutes(1);
        clock.sleep((next - clock.now()).to_std().expect("it is ahead")).await;
        forecasts.look(&config, &store, clock.now()).await;
        books.live(&world, &store, home.path()).await;
        hand.tick().await;
    }
    // What began with the last slot comes to its end.
    clock.sleep(Duration::from_secs(30)).await;
    let rows = store.read(|tx| runs::list(tx, None, None)).await.expect("it can be read");
    let sold =
        store.read(|tx| Ok(["cm", "nz"].map(|account| sold_of(tx, account)))).await.expect("it can be read");
    tell.send(Command::Drain).await.expect("it listens");
    serving.await.expect("it came to its end").expect("it was a clean one");
    nothing_was_refused(&world);
    no_order_poll_was_late(&world, &rows, end);
    assert_eq!(sold, [books.cm.sold_in_all, books.nz.sold_in_all], "every sale is known");
    assert!(books.cm.sold_in_all > 40 && books.nz.sold_in_all > 40);
    public_data_kept_its_share_and_came_second(&world, &rows);
    lists_were_carried_out(&world, &rows, &books);
    nothing_was_cut_in_the_middle(&rows);
    let waited = forecasts.came_true(&rows, end);
    let of = |job: &str| waited.get(job).copied().unwrap_or_default();
    assert!(of("cm-pull") > 0 && of("cm-sync") > 0 && of("nz-pull") > 20, "{waited:?}");
}

/// Copies of the seller's things that the agent knows to be sold.
fn sold_of(tx: &Tx<'_>, account: &str) -> i64 {
    let mut sold = 0;
    let count = |row: movements::MovementRow| {
        sold -= if row.movement.sku.as_str().starts_with(seller::KEY) { row.movement.delta } else { 0 };
        Ok(())
    };
    movements::each(tx, Some(&account.into()), count).expect("they can be read");
    sold
}

/// What the seller knows of both shops, and does through the day.
#[derive(Default)]
struct Books {
    cm: Book,
    nz: Book,
    /// Hours at whose end the shops were found as their lists want them.
    found: [usize; 2],
}

impl Books {
    /// One minute of the seller's and of the buyers'.
    async fn live(&mut self, world: &World, store: &Store, dir: &std::path::Path) {
        let now = world.clock.now();
        match now.minute() {
            3 => {
                // The hour of the last list is over, and the next one begins.
                self.compare(world, store).await;
                let hour = 1 + u32::try_from((now - begin()).num_hours()).expect("an hour");
                seller::write_list(dir, hour, &locked(&world.cm), now);
                self.cm.list_written(hour);
                self.nz.list_written(hour);
            }
            25 | 45 => {
                self.cm.let_somebody_buy(&mut *locked(&world.cm), now);
                self.nz.let_somebody_buy(&mut *locked(&world.nz), now);
            }
            _ => {}
        }
    }

    /// Where the last sync is a success, what is for sale is what its list wanted, but for what was sold since.
    async fn compare(&mut self, world: &World, store: &Store) {
        let now = world.clock.now();
        let last = |job: &'static str| store.read(move |tx| runs::last(tx, &job.into()));
        for (at, (job, book)) in [("cm-sync", &self.cm), ("nz-sync", &self.nz)].into_iter().enumerate() {
            let last = last(job).await.expect("it can be read");
            if last.is_none_or(|run| run.outcome != Some(Outcome::Success)) {
                continue;
            }
            let shelf =
                if at == 0 { locked(&world.cm).on_offer(now) } else { locked(&world.nz).on_offer(now) };
            assert_eq!(shelf, book.expected(), "{job} at {now}, list {}", book.hour);
            self.found[at] += 1;
        }
    }
}

fn nothing_was_refused(world: &World) {
    let cm = locked(&world.cm);
    let by_day: Vec<u64> = cm.ledger().by_day().values().copied().collect();
    assert_eq!(by_day.len(), 2, "{by_day:?}");
    assert!(by_day.iter().all(|count| *count <= LIMIT), "{by_day:?}");
    assert!(by_day[0] * 100 >= LIMIT * 93, "{by_day:?}: most of the day was used");
    let nz = locked(&world.nz);
    let by_hour: Vec<u64> = nz.ledger().by_window().values().copied().collect();
    assert!(by_hour.iter().all(|count| *count <= HOURLY), "{by_hour:?}");
    assert!(by_hour[..24].iter().all(|count| *count * 100 >= HOURLY * 90), "{by_hour:?}");
    for seen in cm.ledger().seen().chain(nz.ledger().seen()) {
        assert!(seen.verdict == Verdict::Served && seen.status < Some(400), "{seen:?}");
    }
}

fn no_order_poll_was_late(world: &World, rows: &[RunRow], end: DateTime<Utc>) {
    let seen = |seen: &Seen| (seen.at, seen.path.clone());
    let at_cm: Vec<_> = locked(&world.cm).ledger().seen().map(seen).collect();
    let at_nz: Vec<_> = locked(&world.nz).ledger().seen().map(seen).collect();
    let cm = Polls {
        job: "cm-orders",
        every: TimeDelta::minutes(1),
        list: "/orders/seller/bought/1",
        cost: 2,
        // Two are kept back from everyone, and one of a hundred for what has to be read back.
        for_orders: 4_948,
        window: |at| {
            let day = berlin_day(at);
            (midnight(day), midnight(day.succ_opt().expect("a day")))
        },
        line: line(4),
    };
    let nz = Polls {
        job: "nz-orders",
        every: TimeDelta::minutes(10),
        list: "/SoldItems/LastHour",
        cost: 1,
        for_orders: 69,
        window: |at| (trademe::hour_of(at), trademe::hour_of(at) + TimeDelta::hours(1)),
        line: line(3),
    };
    let (polled, passed_over) = none_came_late(&cm, rows, &at_cm, (begin(), end));
    assert!(polled > 1_000 && passed_over > 100, "{polled} slots, and {passed_over} passed over");
    let (polled, passed_over) = none_came_late(&nz, rows, &at_nz, (begin(), end));
    assert!(polled > 120, "{polled} slots, and {passed_over} passed over");
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN).and_local_timezone(chrono_tz::Europe::Berlin);
    midnight.single().expect("clocks change later in the night").to_utc()
}

/// By the shop's own count: never first on a day, and never more than a tenth of what was asked by then.
fn public_data_kept_its_share_and_came_second(world: &World, rows: &[RunRow]) {
    let mut days: BTreeMap<NaiveDate, (u64, u64)> = BTreeMap::new();
    for seen in locked(&world.cm).ledger().seen() {
        let (public, all) = days.entry(berlin_day(seen.at)).or_default();
        *all += 1;
        *public += u64::from(seen.path.ends_with("/account"));
        assert!(*public * 10 <= *all, "{public} of {all} at {}", seen.at);
    }
    assert!(days.values().all(|(public, _)| *public > 0), "{days:?}");
    let reads: Vec<&RunRow> = rows.iter().filter(|run| run.job.as_str() == "cm-prices").collect();
    let read = reads.iter().filter(|run| run.outcome == Some(Outcome::Success)).count();
    assert!(read > 300, "public data was read {read} times");
    for words in ["today has none yet", "at most 10 % may be"] {
        let declined = |run: &&RunRow| run.message.as_deref().is_some_and(|said| said.contains(words));
        assert!(reads.iter().any(declined), "public data was never declined since {words}");
    }
}

/// Every sync wrote, and ended well, unless it waits as a whole for the next day.
fn lists_were_carried_out(world: &World, rows: &[RunRow], books: &Books) {
    let (cm, nz) = (locked(&world.cm), locked(&world.nz));
    let now = world.clock.now();
    assert_eq!(cm.on_offer(now), books.cm.expected());
    assert_eq!(nz.on_offer(now), books.nz.expected());
    assert!(books.found[0] >= 17 && books.found[1] == 23, "{:?}", books.found);
    for (job, changes) in [("cm-sync", cm.changes()), ("nz-sync", nz.changes())] {
        let runs: Vec<&RunRow> = rows.iter().filter(|run| run.job.as_str() == job).collect();
        let mut of_runs = 0;
        for run in &runs {
            let until = run.finished_at.expect("it is over");
            let within: Vec<bool> = changes
                .iter()
                .filter(|(at, _)| (run.started_at..=until).contains(at))
                .map(|(_, raises)| *raises)
                .collect();
            of_runs += within.len();
            let applied = run.counts.get("applied").copied().unwrap_or_default();
            if run.outcome == Some(Outcome::Success) {
                assert!(applied >= 2 && within.len() >= 2, "{run:?} wrote {} times", within.len());
            } else {
                let waits = run.message.as_deref().is_some_and(|words| words.contains(WAITS));
                assert!(waits && job == "cm-sync", "{run:?}");
                assert!(!within.contains(&true), "{run:?} put more on sale");
            }
        }
        assert_eq!(of_runs, changes.len(), "every change is of a sync");
        for what in ["add", "zero", "price", "quantity"] {
            let all: i64 = runs.iter().filter_map(|run| run.counts.get(what)).sum();
            assert!(all >= 12, "{job}: {what} {all} times");
        }
        let done = runs.iter().filter(|run| run.outcome == Some(Outcome::Success)).count();
        assert!(done >= if job == "cm-sync" { 15 } else { 24 }, "{job}: {done}");
    }
}

/// What has begun came to its end, or said itself that the rest waits.
fn nothing_was_cut_in_the_middle(rows: &[RunRow]) {
    for run in rows.iter().filter(|run| run.job.as_str() != "cm-prices") {
        let words = run.message.as_deref().unwrap_or_default();
        let cut = words.contains("the next window begins") || run.finished_at.is_none();
        let waits = words.contains(WAITS);
        assert!(!cut && (waits || run.outcome == Some(Outcome::Success)), "{run:?} was cut in the middle");
    }
}
