//! A whole day of both shops on ordinary allowances, with more wanted than there is: nothing is refused by the shops,
//! orders are read as often as what is left pays for, and what waits is done when the forecast said.
//!
//! The real daemon in simulated time, with both shops in this process. No job reads public data yet, so the probes of
//! one account are taken for such reads by a gate in front of the real one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sellerd::agent::accounts::{Shared, Wires};
use sellerd::agent::daemon::{Command, Daemon};
use sellerd::agent::spending::{AccountSpending, Spending};
use sellerd::agent::state::Machine;
use sellerd::agent::trigger::HandTrigger;
use sellerd::agent::watch::NoFront;
use sellerd::clock::{Clock, ManualClock, SharedClock};
use sellerd::config::{self, Account, Config};
use sellerd::domain::{Outcome, RequestClass};
use sellerd::http::{
    Attempt, Gate, Outgoing, Pass, Random, Refusal, Settled, Transport, WireError, WireRequest, WireResponse,
};
use sellerd::policy::quota;
use sellerd::policy::stretch::{APART, Rest};
use sellerd::sandbox::{Answer, Call, Options, Shop, ask_trademe_with, ask_with, trademe};
use sellerd::store::runs::{self, RunRow};
use sellerd::store::{Lane, Store};
use tokio::sync::mpsc;

use crate::trademe::nz::{secrets, write};

/// Berlin's day of 23 hours begins.
const BEGIN: &str = "2026-03-28T23:00:00Z";
const HOURS: i64 = 24;
const LIMIT: i64 = 5_000;

/// How long an answer takes.
const WAY: Duration = Duration::from_millis(80);

/// A slot that finds the line busy waits for what is in flight; it is looked at every half minute.
const SLACK: TimeDelta = TimeDelta::seconds(120);

/// When the list of bought orders was asked for, and what the shop had counted by then.
type Poll = (DateTime<Utc>, i64);

struct World {
    cm: Mutex<Shop>,
    nz: Mutex<trademe::Shop>,
    clock: Arc<ManualClock>,
    polls: Mutex<Vec<Poll>>,
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
            let answer = ask_with(&mut locked(&world.cm), &call, now, 1);
            let used = header(&answer, "x-request-limit-count");
            if request.url.contains("/orders/seller/bought/1") {
                locked(&world.polls).push((now, used));
            }
            answer
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

fn header(answer: &Answer, name: &str) -> i64 {
    let value = answer.headers.iter().find(|(header, _)| *header == name);
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or_default()
}

fn begin() -> DateTime<Utc> {
    BEGIN.parse().expect("a date")
}

fn configuration(dir: &std::path::Path, world: &World) -> Config {
    let settings = "config_version = 1\ntimezone = \"Europe/Berlin\"\nstate_dir = \"state\"\n[http]\nlisten = \"off\"\n\
        [accounts.cm]\nmarketplace = \"cardmarket\"\nbase_url = \"http://127.0.0.1:9/ws/v2.0\"\npublic_share = \"25%\"\n\
        [accounts.nz]\nmarketplace = \"trademe\"\nbase_url = \"http://127.0.0.1:9/v1\"\n";
    write(dir, "sellerd.toml", settings);
    write(dir, "secrets/cm.toml", &secrets(locked(&world.cm).keys()));
    write(dir, "secrets/nz.toml", &secrets(locked(&world.nz).keys()));
    write(dir, "stock.csv", "sku,quantity,price\nnothing,1,1.00\n");
    let list = std::fs::File::options().append(true).open(dir.join("stock.csv")).expect("it is there");
    list.set_modified(begin().into()).expect("a time");
    for (name, kind, account, schedule, more) in [
        ("cm-orders", "order-poll", "cm", "* * * * *", ""),
        ("cm-pull", "stock-pull", "cm", "* * * * *", ""),
        (
            "cm-sync",
            "stock-sync",
            "cm",
            "5 * * * *",
            "[source]\ntype = \"csv\"\npath = \"stock.csv\"\nmax_age = \"30d\"\n",
        ),
        ("cm-prices", "probe", "cm", "*/2 * * * *", ""),
        ("nz-orders", "order-poll", "nz", "*/10 * * * *", ""),
        ("nz-pull", "stock-pull", "nz", "*/15 * * * *", ""),
        (
            "nz-sync",
            "stock-sync",
            "nz",
            "7 * * * *",
            "[source]\ntype = \"csv\"\npath = \"stock.csv\"\nmax_age = \"30d\"\n",
        ),
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
    let options = Options { articles: 20, carts: 3, orders: 5, ..Options::new(clock.clone()) };
    let at_trademe = trademe::Options { listings: 60, lasting: TimeDelta::days(9), ..Default::default() };
    let world = Arc::new(World {
        cm: Mutex::new(Shop::new(&options, begin())),
        nz: Mutex::new(trademe::Shop::new(&at_trademe, 7, &[], begin())),
        clock: clock.clone(),
        polls: Mutex::default(),
    });
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

    let mut forecasts: BTreeMap<String, Forecast> = BTreeMap::new();
    while clock.now() < begin() + TimeDelta::hours(HOURS) {
        clock.sleep(Duration::from_secs(30)).await;
        hand.tick().await;
        let now = clock.now();
        if now >= begin() + TimeDelta::hours(12) && now.timestamp() % 900 == 0 {
            let spending = Spending::read(&config, Some(&store), now).await.expect("it can be read");
            let cm = spending.accounts.into_iter().find(|account| account.account.as_str() == "cm");
            note_forecasts(&mut forecasts, &cm.expect("it is there"), now);
        }
    }
    // What was put off to the next day is done by now.
    let rows = store.read(|tx| runs::list(tx, None, None)).await.expect("it can be read");
    tell.send(Command::Drain).await.expect("it listens");
    serving.await.expect("it came to its end").expect("it was a clean one");
    nothing_was_refused(&world);
    orders_were_read_as_often_as_could_be(&world);
    public_data_kept_its_share_and_came_second(&world);
    what_waited_was_done_when_it_was_forecast(&rows, &forecasts);
    let of = |job: &str, outcome| {
        rows.iter().filter(|run| run.job.as_str() == job && run.outcome == Some(outcome)).count()
    };
    assert!(of("cm-prices", Outcome::Success) > 300, "public data was read");
    let declined = |run: &&RunRow| run.message.as_deref().is_some_and(|words| words.contains("public data"));
    assert!(rows.iter().any(|run| declined(&run)), "and was declined before there was anything else");
    assert!(
        of("nz-sync", Outcome::Success) + of("nz-sync", Outcome::Guarded) >= 22,
        "the other shop had enough"
    );
    for run in rows.iter().filter(|run| run.job.as_str() != "cm-prices") {
        let cut = run.outcome == Some(Outcome::Blocked) && run.requests > 0;
        assert!(!cut, "{run:?} was cut in the middle");
    }
}

/// By the shop's own count: never first on a day, and never more than a quarter of what was asked by then.
fn public_data_kept_its_share_and_came_second(world: &World) {
    let mut days: BTreeMap<chrono::NaiveDate, (u64, u64)> = BTreeMap::new();
    for seen in locked(&world.cm).ledger().seen() {
        let day = seen.at.with_timezone(&chrono_tz::Europe::Berlin).date_naive();
        let (public, all) = days.entry(day).or_default();
        *all += 1;
        *public += u64::from(seen.path.ends_with("/account"));
        assert!(*public * 4 <= *all, "{public} of {all} at {}", seen.at);
    }
    assert!(days.values().all(|(public, _)| *public > 0), "{days:?}");
}

/// What was said of a run that waits, and when it was said first.
struct Forecast {
    made_at: DateTime<Utc>,
    finishes_at: DateTime<Utc>,
}

fn note_forecasts(forecasts: &mut BTreeMap<String, Forecast>, account: &AccountSpending, now: DateTime<Utc>) {
    for run in account.deferred.iter().filter(|run| run.finishes_at - now > TimeDelta::hours(1)) {
        let forecast = Forecast { made_at: now, finishes_at: run.finishes_at };
        forecasts.entry(run.job.to_string()).or_insert(forecast);
    }
}

fn nothing_was_refused(world: &World) {
    let cm = locked(&world.cm);
    let by_day: Vec<u64> = cm.ledger().by_day().values().copied().collect();
    assert_eq!(by_day.len(), 2, "{by_day:?}");
    assert!(by_day.iter().all(|count| *count <= LIMIT as u64), "{by_day:?}");
    assert!(by_day[0] * 100 >= LIMIT as u64 * 93, "{by_day:?}: most of the day was used");
    let nz = locked(&world.nz);
    assert!(nz.ledger().by_window().values().all(|count| *count <= 1_000));
}

/// Each poll comes as soon as what was left at the poll before it, or just before it, pays for.
fn orders_were_read_as_often_as_could_be(world: &World) {
    let polls = locked(&world.polls).clone();
    let apart = |(at, used): Poll| {
        let reset = quota::WindowKind::Day(chrono_tz::Europe::Berlin).resets_at(at);
        let requests = quota::ceiling(LIMIT, RequestClass::Orders) - used;
        let span = reset - at;
        let pays = span.num_minutes() * 2 <= requests;
        let rest = Rest { requests, cost: 2, this: 2, pays, span };
        rest.stretched().unwrap_or(TimeDelta::minutes(1))
    };
    let mut stretched = 0;
    for pair in polls.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        let most = apart(pair[0]).max(apart(pair[1]));
        assert!(gap <= most + SLACK, "{gap} after {:?}, and {most} was allowed", pair[0]);
        assert!(gap <= APART + SLACK);
        stretched += usize::from(gap > TimeDelta::minutes(2));
    }
    assert!(polls.len() > 1_000 && stretched > 3, "{} polls, {stretched} of them later", polls.len());
}

fn what_waited_was_done_when_it_was_forecast(rows: &[RunRow], forecasts: &BTreeMap<String, Forecast>) {
    assert!(forecasts.contains_key("cm-pull") && forecasts.contains_key("cm-sync"), "something waited");
    for (job, forecast) in forecasts {
        // Newest first. Its own slot may have come before its time.
        let runs = rows.iter().filter(|run| run.job.as_str() == job && run.requests > 0);
        let first = runs.rev().find(|run| run.started_at >= forecast.made_at);
        let done = first.and_then(|run| run.finished_at).unwrap_or_else(|| panic!("{job} was not done"));
        let off = (done - forecast.finishes_at).abs();
        let ahead = done - forecast.made_at;
        assert!(off * 10 <= ahead, "{job} was done {off} from its forecast, {ahead} after it was made");
    }
}
