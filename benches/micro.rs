//! The small steps that are taken often: a page of articles read, a page of rows stored, a request taken from the
//! quota, a look at the board. divan prints them; they have no bars, since only ratios hold on a shared machine.

#[path = "common/gate.rs"]
mod gate;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Europe::Berlin;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use sellerd::clock::SystemClock;
use sellerd::domain::{AccountName, Credentials, Currency, RequestClass, StockPage, StockPart};
use sellerd::http::oauth1::{Signer, Target};
use sellerd::http::{
    Client, Parts, Random, ReqwestTransport, Transport, WireError, WireRequest, WireResponse,
};
use sellerd::marketplace::{self, Connection, Marketplace};
use sellerd::policy::due::{Board, OnMissed, Plan};
use sellerd::policy::quota::{self, WindowKind};
use sellerd::policy::schedule::Schedule;
use sellerd::sandbox::{Options, Sandbox};
use sellerd::store::{Lane, Store, listings};
use tokio::runtime::Runtime;

use gate::Open;

fn main() {
    divan::main();
}

/// From the body of an answer to listings: the client's way, without a wire.
#[divan::bench]
fn a_page_of_100_articles_read(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let answer = runtime.block_on(one_page()).0;
    let bytes = answer.body.len();
    let market = market(Arc::new(Canned(answer)), "http://127.0.0.1:1/ws/v2.0", None);
    bencher
        .counter(BytesCount::new(bytes))
        .counter(ItemsCount::new(100_u32))
        .bench_local(|| runtime.block_on(market.stock_page(None)).expect("it was read before"));
}

/// Nothing has changed, as nearly always.
#[divan::bench]
fn a_page_of_100_unchanged_rows_stored(bencher: Bencher<'_, '_>) {
    store_page(bencher, |_, _| {});
}

/// Every row has another price each time.
#[divan::bench]
fn a_page_of_100_changed_rows_stored(bencher: Bencher<'_, '_>) {
    store_page(bencher, |page, round| page.listings.iter_mut().for_each(|row| row.price.minor = 100 + round));
}

#[divan::bench]
fn a_request_taken_from_the_quota(bencher: Bencher<'_, '_>) {
    let (kind, now) = (WindowKind::Day(Berlin), now());
    let mut usage = None;
    bencher.bench_local(move || {
        usage = quota::take(usage, kind, None, RequestClass::Stock, now, 0).ok();
        usage
    });
}

/// The trigger does this twice a second.
#[divan::bench(args = [20, 1_000])]
fn a_look_at_the_board_with_nothing_due(bencher: Bencher<'_, '_>, jobs: usize) {
    let now = now();
    let plan = |number: usize| Plan {
        job: format!("job-{number}").as_str().into(),
        schedule: Schedule::parse(&format!("{} {} * * *", number % 60, 3 + number / 60), Berlin)
            .expect("a schedule"),
        enabled: true,
        jitter: Duration::from_secs(20),
        on_missed: OnMissed::RunOnce,
        planned_from: now,
    };
    let mut board = Board::new((0..jobs).map(plan).collect(), now);
    bencher.bench_local(move || board.claim(now));
}

fn store_page(bencher: Bencher<'_, '_>, mut change: impl FnMut(&mut StockPage, i64)) {
    let runtime = runtime();
    let mut page = runtime.block_on(one_page()).1;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(&dir.path().join("sellerd.db"), Lane::Thread, now()).expect("a file of our own");
    let mut put = |round: i64| {
        change(&mut page, round);
        let rows = page.listings.clone();
        let account = AccountName::from("shop");
        let put = store.write(move |tx| listings::put(tx, &account, 1, StockPart::Offered, &rows, now()));
        runtime.block_on(put).expect("rows that fit")
    };
    put(0);
    let mut round = 0;
    bencher.counter(ItemsCount::new(100_u32)).bench_local(move || {
        round += 1;
        put(round)
    });
}

/// The first page of the pretend shop's stock, as an answer and as what is made of it.
async fn one_page() -> (WireResponse, StockPage) {
    let shop = Sandbox::start(Options::new(SystemClock::shared())).await.expect("a free port on loopback");
    let keys = shop.credentials();
    let credentials =
        Credentials::new(&keys.consumer_key, &keys.consumer_secret, Some((&keys.token, &keys.token_secret)));
    let wire = ReqwestTransport::new(false).expect("no certificates are needed");
    let wire = Arc::new(Recording { wire, last: Mutex::default() });
    let market = market(wire.clone(), &shop.base_url(), Some(&credentials));
    let page = market.stock_page(None).await.expect("a page");
    assert_eq!(page.listings.len(), 100, "{:?}", page.complaints);
    let answer = wire.last.lock().expect("nobody panicked").clone();
    (answer, page)
}

fn market(wire: Arc<dyn Transport>, base: &str, credentials: Option<&Credentials>) -> Box<dyn Marketplace> {
    let cardmarket = marketplace::descriptor("cardmarket").expect("it is in the list");
    let profile = (cardmarket.profile)(&Default::default());
    let client = Client::new(Parts {
        transport: wire,
        gate: Arc::new(Open),
        signer: credentials.map(|credentials| Signer::new(profile, credentials)),
        headers: cardmarket.limit_headers,
        maintenance: cardmarket.maintenance,
        canary: (cardmarket.canary)(&Target::new(base).expect("a URL")),
        clock: SystemClock::shared(),
        random: Arc::new(Random::from_machine()),
        max_per_second: NonZeroU32::new(10_000_000).expect("not zero"),
        request_timeout: Duration::from_secs(30),
    });
    (cardmarket.connect)(Connection {
        base: Target::new(base).expect("a URL"),
        currency: Currency::EUR,
        options: Default::default(),
        templates: Default::default(),
        client,
    })
}

/// Keeps the last answer of a real wire.
struct Recording {
    wire: ReqwestTransport,
    last: Mutex<WireResponse>,
}

#[async_trait]
impl Transport for Recording {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        let answer = self.wire.send(request).await?;
        *self.last.lock().expect("nobody panicked") = answer.clone();
        Ok(answer)
    }
}

/// Always brings the same answer.
struct Canned(WireResponse);

#[async_trait]
impl Transport for Canned {
    async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
        Ok(self.0.clone())
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_357_867_250).expect("a moment")
}
