//! A run that the window could not pay for is owed: it starts when there is room again, whoever was killed meanwhile.
//!
//! The real daemon in simulated time, three times on one state directory, with the shop in this process. A life ends
//! with its runtime, which takes everything away at once, as a kill does.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sellerd::agent::accounts::{Shared, Wires};
use sellerd::agent::daemon::Daemon;
use sellerd::agent::state::Machine;
use sellerd::agent::trigger::HandTrigger;
use sellerd::agent::watch::NoFront;
use sellerd::clock::{Clock, ManualClock, SharedClock};
use sellerd::config::{self, Account, Config};
use sellerd::domain::{ErrorType, Outcome, Trigger};
use sellerd::http::{Random, Transport, WireError, WireRequest, WireResponse};
use sellerd::sandbox::{Call, Options, Shop, ask_with};
use sellerd::store::deferrals::{self, Deferral};
use sellerd::store::runs::{self, RunRow};
use sellerd::store::{Lane, Store};
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::stock_sync::{OPEN, placed};
use crate::trademe::nz::{secrets, write};

/// A minute before nine in the evening in Berlin.
const BEGIN: &str = "2026-11-22T19:59:00Z";
const MIDNIGHT: &str = "2026-11-22T23:00:00Z";
const LIMIT: u32 = 30;

struct Wire(Arc<Mutex<Shop>>, Arc<ManualClock>);

impl Wires for Wire {
    fn open(&self, _: &Account) -> Result<Arc<dyn Transport>, WireError> {
        Ok(Arc::new(Self(self.0.clone(), self.1.clone())))
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        let call = Call {
            method: request.method,
            url: request.url,
            authorization: request.authorization,
            body_type: request.body.map_or("", |body| body.content_type),
            body: request.body.map_or(&[], |body| &body.bytes),
        };
        let answer = ask_with(&mut self.0.lock().expect("nobody panicked with it"), &call, self.1.now(), 1);
        assert!(answer.status < 400, "{} {}: {}", request.method, request.url, answer.status);
        let headers = answer
            .headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        Ok(WireResponse { status: answer.status, headers: headers.collect(), body: answer.body })
    }
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().expect("a time")
}

/// One account, and one job of this kind that is due every five minutes of one hour.
fn configuration(dir: &Path, shop: &Shop, kind: &str, more: &str) -> Config {
    let settings = format!(
        "config_version = 1\ntimezone = \"Europe/Berlin\"\nstate_dir = \"state\"\n[http]\nlisten = \"off\"\n\
         [accounts.cm]\nmarketplace = \"cardmarket\"\nbase_url = \"http://127.0.0.1:9/ws/v2.0\"\ndaily_limit = {LIMIT}\n"
    );
    write(dir, "sellerd.toml", &settings);
    write(dir, "secrets/cm.toml", &secrets(shop.keys()));
    let job = format!(
        "kind = \"{kind}\"\naccount = \"cm\"\nschedule = \"*/5 21 * * *\"\njitter = \"0s\"\non_missed = \"skip\"\n{more}"
    );
    write(dir, "jobs/job.toml", &job);
    let checked = config::load(dir);
    checked.config.clone().unwrap_or_else(|| panic!("{}", checked.draw(false)))
}

/// What a life leaves behind.
struct Left {
    /// The newest first.
    runs: Vec<RunRow>,
    waiting: Vec<Deferral>,
}

/// An agent that begins then, and is killed then.
fn life(config: &Config, shop: &Arc<Mutex<Shop>>, from: DateTime<Utc>, until: DateTime<Utc>) -> Left {
    // A child that another test starts just then holds what this process has locked until it is another program.
    let _ = std::fs::remove_file(config.state_dir.join("sellerd.lock"));
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let manual = ManualClock::at(from);
        let clock: SharedClock = manual.clone();
        let machine = Machine { clock: clock.clone(), lane: Lane::Inline };
        let hand = HandTrigger::new(clock.clone());
        let kept: Arc<Mutex<Option<Store>>> = Arc::default();
        let (keep, wires) = (kept.clone(), Arc::new(Wire(shop.clone(), manual)));
        let make = |store: Store| {
            *keep.lock().expect("nobody panicked with it") = Some(store.clone());
            Shared {
                store,
                clock: clock.clone(),
                random: Arc::new(Random::seeded(1)),
                wires,
                woken: Arc::default(),
                changing: Arc::default(),
            }
        };
        let daemon = Daemon::start(config.clone(), make, machine, Box::new(hand.clone()), &NoFront).await;
        let daemon = daemon.unwrap_or_else(|error| panic!("{error}"));
        let store = kept.lock().expect("nobody panicked with it").clone().expect("it was made with it");
        let (_tell, mut told) = mpsc::channel(1);
        let _serving = tokio::spawn(async move { daemon.serve(&mut told).await });
        while clock.now() < until {
            clock.sleep(Duration::from_secs(10)).await;
            hand.tick().await;
        }
        let read = |tx: &sellerd::store::Tx<'_>| {
            Ok(Left { runs: runs::list(tx, None, None)?, waiting: deferrals::list(tx)? })
        };
        store.read(read).await.expect("it can be read")
    })
}

#[test]
fn a_run_that_was_put_off_starts_after_the_reset_though_the_agent_was_killed_twice_meanwhile() {
    // In memory, where there is such a place: how fast the disk is matters to nobody here.
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let (begin, midnight) = (at(BEGIN), at(MIDNIGHT));
    let options = Options { daily_limit: Some(LIMIT), ..Options::new(ManualClock::at(begin)) };
    let shop = Shop::new(&Options { articles: 120, orders: 0, ..options }, begin);
    let config = configuration(home.path(), &shop, "stock-pull", "");
    let shop = Arc::new(Mutex::new(shop));

    let first = life(&config, &shop, begin, begin + TimeDelta::minutes(58));
    let [owed] = &first.waiting[..] else { panic!("{:?}", first.waiting) };
    assert_eq!((owed.job.as_str(), owed.account.as_str(), owed.cost), ("job", "cm", 3));
    assert!(owed.starts_at > midnight && owed.starts_at < midnight + TimeDelta::minutes(1), "{owed:?}");
    let put_off = &first.runs[0];
    assert_eq!(
        (put_off.outcome, put_off.error_type),
        (Some(Outcome::Blocked), Some(ErrorType::QuotaExhausted))
    );
    assert_eq!((put_off.started_at, put_off.requests), (owed.since, 0), "nothing was cut in the middle");
    assert!(first.runs[1..].iter().all(|run| run.outcome == Some(Outcome::Success)), "{:?}", first.runs);

    let second = life(&config, &shop, midnight - TimeDelta::minutes(90), midnight - TimeDelta::seconds(20));
    assert_eq!(
        (&second.waiting, second.runs.len()),
        (&first.waiting, first.runs.len()),
        "it is owed, and not due"
    );

    let third = life(&config, &shop, midnight - TimeDelta::seconds(10), midnight + TimeDelta::minutes(5));
    assert_eq!(third.waiting, []);
    assert_eq!(third.runs.len(), first.runs.len() + 1, "once");
    let made_up = &third.runs[0];
    assert_eq!(
        (made_up.trigger, made_up.outcome, made_up.requests),
        (Trigger::Retry, Some(Outcome::Success), 3)
    );
    let late = made_up.started_at - owed.starts_at;
    assert!(late >= TimeDelta::zero() && late <= TimeDelta::seconds(15), "{late} after its time");
    let shop = shop.lock().expect("nobody panicked with it");
    assert!(shop.ledger().by_day().values().all(|asked| *asked <= u64::from(LIMIT)));
}

#[test]
fn of_a_plan_that_the_day_does_not_pay_for_the_rest_is_applied_after_the_reset() {
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let (begin, midnight) = (at(BEGIN), at(MIDNIGHT));
    // Three readings take 18 of them, the next takes six, and of 27 requests 25 are for stock and 24 for prices.
    let options = Options { daily_limit: Some(27), ..Options::new(ManualClock::at(begin)) };
    let placed = ["A", "B", "C"].map(|sku| placed(sku, 5, 100)).to_vec();
    let shop = Shop::new(&Options { articles: 0, orders: 0, carts: 0, placed, ..options }, begin);
    let more = format!(
        "mode = \"apply\"\n[source]\ntype = \"csv\"\npath = \"stock.csv\"\nmax_age = \"30d\"\n{OPEN}"
    );
    let config = configuration(home.path(), &shop, "stock-sync", &more);
    let shop = Arc::new(Mutex::new(shop));
    let list = |rows: &str, written: DateTime<Utc>| {
        write(home.path(), "stock.csv", &format!("sku,quantity,price\n{rows}"));
        let file = std::fs::File::options().append(true).open(home.path().join("stock.csv")).expect("a list");
        file.set_modified(written.into()).expect("a time");
    };
    let stands = || {
        let mut shop = shop.lock().expect("nobody panicked with it");
        shop.settle(midnight);
        let rows = shop.stock().rows().iter();
        let mut rows: Vec<_> =
            rows.map(|row| (row.comment.sku().unwrap_or_default(), row.count, row.cents)).collect();
        rows.sort();
        rows
    };
    let rows = |rows: [(&str, u32, u32); 3]| rows.map(|(sku, copies, cents)| (sku.to_owned(), copies, cents));
    let after = |minutes| begin + TimeDelta::minutes(minutes);

    list("A,5,1.00\nB,5,1.00\nC,5,1.00\n", begin);
    life(&config, &shop, begin, after(12));
    list("A,2,1.00\nB,5,1.20\nC,9,1.00\n", after(13));
    let second = life(&config, &shop, after(14), after(18));
    assert_eq!(stands(), rows([("A", 2, 100), ("B", 5, 100), ("C", 5, 100)]), "off sale at once");
    let [owed] = &second.waiting[..] else { panic!("{:?}", second.waiting) };
    assert!(owed.starts_at > midnight && owed.starts_at < midnight + TimeDelta::minutes(2), "{owed:?}");
    let put_off = &second.runs[0];
    assert_eq!(
        (put_off.outcome, put_off.error_type),
        (Some(Outcome::Partial), Some(ErrorType::QuotaExhausted))
    );

    let third = life(&config, &shop, midnight - TimeDelta::seconds(10), midnight + TimeDelta::minutes(5));
    assert_eq!((third.waiting, third.runs[0].trigger), (vec![], Trigger::Retry));
    assert_eq!(third.runs[0].outcome, Some(Outcome::Success), "{:?}", third.runs[0].message);
    assert_eq!(stands(), rows([("A", 2, 100), ("B", 5, 120), ("C", 9, 100)]));
    let more = third.runs[0].requests - owed.cost;
    assert!(
        (0..=3).contains(&more),
        "{more} more than forecast, for lists that are read once an hour or a day"
    );
}
