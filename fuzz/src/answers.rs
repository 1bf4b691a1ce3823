//! Answers of a marketplace, through the client and the port: status, headers and body are one input.
//!
//! The input looks like an answer of HTTP: a line with the status, lines of headers, an empty line, the body. Whatever
//! is asked gets this answer. Time is paused, so that waiting before another attempt costs nothing.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use sellerd::clock::{ManualClock, SharedClock};
use sellerd::domain::{
    Bounds, Change, Credentials, IntentId, LineNet, ListingId, Money, Offer, Operation, OrderId, OrderRead,
    RequestClass,
};
use sellerd::http::oauth1::{Signer, Target};
use sellerd::http::{
    Attempt, CallError, Client, Gate, Outgoing, Parts, Pass, Random, Refusal, Settled, Transport, WireError,
    WireRequest, WireResponse, WritingClient,
};
use sellerd::marketplace::{Batch, Connection, Item, Marketplace, Step, Wanted, Writer, descriptor};
use sellerd::planning::{intake, observe::Observation};
use sellerd::policy::quota::{self, Usage, WindowKind};
use tokio::runtime::Runtime;

/// The headers that mean something, since the client asks for headers by names of its own.
const HEADERS: [&str; 9] = [
    "content-range",
    "content-type",
    "date",
    "location",
    "retry-after",
    "www-authenticate",
    "x-request-limit-count",
    "x-request-limit-max",
    "content-encoding",
];

/// A list that goes on for ever is followed for so many pages.
const PAGES: usize = 4;

/// Gives the same answer to everything.
struct Canned(WireResponse);

#[async_trait]
impl Transport for Canned {
    async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
        Ok(self.0.clone())
    }
}

/// Counts as the agent's gate does, with the marketplace's clock and numbers, and lets everything out.
struct Counting {
    clock: SharedClock,
    window: WindowKind,
    learnt: Mutex<(Option<Usage>, i64)>,
}

#[async_trait]
impl Gate for Counting {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        let (usage, clock_offset_ms) = &mut *self.learnt.lock().expect("nobody panics with it");
        let theirs = self.clock.now() + TimeDelta::milliseconds(*clock_offset_ms);
        for class in [outgoing.class, RequestClass::Stock, RequestClass::Public] {
            match quota::take(*usage, self.window, Some(5_000), class, theirs, 0) {
                Ok(taken) => *usage = Some(taken),
                Err(full) => assert!(full.until > theirs, "{full:?} at {theirs}"),
            }
        }
        Ok(Pass { request_id: 0, asked: outgoing.asked, clock_offset_ms: *clock_offset_ms })
    }

    async fn settle(&self, _: Pass, attempt: &Attempt) -> Result<Settled, Refusal> {
        let (usage, clock_offset_ms) = &mut *self.learnt.lock().expect("nobody panics with it");
        let now = quota::current(*usage, self.window, self.clock.now());
        let said =
            quota::Said { count: attempt.quota_count, limit: attempt.quota_limit, ..quota::Said::default() };
        let learnt = quota::learn(now, self.window, Some(5_000), said, quota::Counted::default());
        *usage = Some(if attempt.window_full { quota::exhaust(learnt, Some(5_000), None) } else { learnt });
        *clock_offset_ms = attempt.clock_offset_ms.unwrap_or(*clock_offset_ms);
        Ok(Settled::default())
    }
}

thread_local! {
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
}

/// An answer of Cardmarket.
pub fn cardmarket(bytes: &[u8]) {
    RUNTIME.with(|runtime| runtime.block_on(ask("cardmarket", answer(bytes))));
}

/// An answer of Trade Me.
pub fn trademe(bytes: &[u8]) {
    RUNTIME.with(|runtime| runtime.block_on(ask("trademe", answer(bytes))));
}

fn answer(bytes: &[u8]) -> WireResponse {
    let mut rest = bytes;
    let status = std::str::from_utf8(line(&mut rest)).ok().and_then(|text| text.parse().ok());
    let mut answer = WireResponse { status: status.unwrap_or(200), ..WireResponse::default() };
    while let header @ [_, ..] = line(&mut rest) {
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { continue };
        let name = HEADERS.iter().find(|name| name.as_bytes() == &header[..colon]);
        if let (Some(name), Ok(value)) = (name, header[colon + 1..].trim_ascii().try_into()) {
            answer.headers.insert(*name, value);
        }
    }
    answer.body = rest.to_vec();
    answer
}

/// Takes the next line off, without its end.
fn line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after.get(1..).unwrap_or_default();
    line
}

async fn ask(marketplace: &str, answer: WireResponse) {
    let market = connect(marketplace, answer.clone());
    let mut errors: Vec<CallError> = Vec::new();
    errors.extend(market.identity().await.err());
    errors.extend(stock(&*market).await.err());
    for feed in market.capabilities().order_feeds {
        let mut at = None;
        for _ in 0..PAGES {
            match market.order_page(feed, at.as_ref()).await {
                Ok(page) => {
                    assert!(page.next.is_none() || page.next != at, "a page after which comes the same page");
                    record(page.orders);
                    at = page.next;
                }
                Err(error) => errors.push(error),
            }
            if at.is_none() {
                break;
            }
        }
    }
    errors.extend(write(marketplace, &answer, &*market).await);
    match market.order(OrderId(1_210_945_101)).await {
        Ok(read) => record(read.into_iter().collect()),
        Err(error) => errors.push(error),
    }
    for error in errors {
        let text = error.to_string();
        assert!(
            !text.chars().any(char::is_control),
            "control characters of an answer reach the log: {text:?}"
        );
    }
}

/// Looks at listings again, asks what changes cost, and changes them. Whatever the answer, each item of a batch has one
/// outcome at most, and a listing that was made has a number.
async fn write(marketplace: &str, answer: &WireResponse, market: &dyn Marketplace) -> Vec<CallError> {
    let mut errors = Vec::new();
    let price = Money { minor: 250, currency: descriptor(marketplace).expect("it is known").currency };
    let offer = |quantity| {
        Offer {
        quantity,
        in_carts: 0,
        price,
        attributes: r#"{"condition":"NM","foil":false,"kind":"listing","language":1,"product_id":100569,"request":{}}"#
            .to_owned(),
    }
    };
    let item = |id: Option<i64>, before: Option<i64>, after: Option<i64>| Item {
        intents: vec![IntentId(1)],
        sku: "sku".into(),
        listing_id: id.map(ListingId),
        before: before.map(offer),
        after: after.map(offer),
        reference: "sellerd-1".to_owned(),
    };
    let wanted = Wanted {
        sku: "sku".into(),
        listing_id: Some(ListingId(1_488_004_575)),
        attributes: offer(1).attributes,
        reference: Some("sellerd-1".to_owned()),
    };
    errors.extend(market.look(&[wanted]).await.err());
    let known = Some(1_488_004_575);
    let changes = [(Operation::Zero, Some(4), Some(0)), (Operation::Add, None, Some(2))].map(
        |(op, before, after): (_, Option<i64>, Option<i64>)| Change {
            op,
            sku: "sku".into(),
            listing_id: before.and(known).map(ListingId),
            title: String::new(),
            before: before.map(offer),
            after: after.map(offer),
            reason: String::new(),
            bounds: Bounds::default(),
        },
    );
    errors.extend(market.fees(&changes).await.err());
    let writer = connect_writing(marketplace, answer.clone());
    for (step, id, before, after) in [
        (Step::Lower, known, Some(4), Some(1)),
        (Step::Raise, known, Some(4), Some(5)),
        (Step::Edit, known, Some(4), Some(4)),
        (Step::Remove, known, Some(4), None),
        (Step::Add, None, None, Some(4)),
    ] {
        let batch = Batch { step, items: vec![item(id, before, after)] };
        match writer.write(&batch).await {
            Ok(outcomes) => assert!(outcomes.len() <= 1, "{outcomes:?}"),
            Err(error) => errors.push(error.call_error().clone()),
        }
    }
    errors
}

/// Reads the stock as `stock-pull` does.
async fn stock(market: &dyn Marketplace) -> Result<(), CallError> {
    let mut observation = Observation::default();
    let mut at = None;
    for _ in 0..PAGES {
        let page = market.stock_page(at.as_ref()).await?;
        assert!(page.next.is_none() || page.next != at, "a page after which comes the same page");
        for complaint in &page.complaints {
            assert!(!complaint.problem.chars().any(char::is_control), "{complaint:?}");
        }
        at = page.next.clone();
        for listing in observation.take(page) {
            let _ = listing.price.decimal();
        }
        if at.is_none() {
            break;
        }
    }
    let _ = observation.completeness();
    Ok(())
}

/// Makes of orders what `order-poll` does: movements that bring what is recorded up to what the order says.
fn record(reads: Vec<OrderRead>) {
    for read in &reads {
        let moves = intake::movements(&read.order, &[]);
        let recorded: Vec<LineNet> = moves
            .iter()
            .map(|moved| LineNet { line_id: moved.line_id, sku: moved.sku.clone(), net: moved.delta })
            .collect();
        assert!(moves.iter().all(|moved| moved.delta < 0), "an order that is new takes copies: {moves:?}");
        if recorded.len() == read.order.lines.len() {
            assert_eq!(intake::movements(&read.order, &recorded), [], "read again, it moves nothing");
        }
        let _ = (read.order.total.decimal(), read.order.lines.iter().map(|line| line.quantity).sum::<i64>());
    }
    let _ = intake::sum(reads.into_iter().map(|read| read.order));
}

fn connect(marketplace: &str, answer: WireResponse) -> Box<dyn Marketplace> {
    (descriptor(marketplace).expect("it is known").connect)(connection(marketplace, answer))
}

fn connect_writing(marketplace: &str, answer: WireResponse) -> Box<dyn Writer> {
    let Connection { base, currency, options, templates, client } = connection(marketplace, answer);
    let client = WritingClient::new(client);
    let connect =
        descriptor(marketplace).and_then(|known| known.connect_writing).expect("it can be written to");
    connect(Connection { base, currency, options, templates, client })
}

fn connection(marketplace: &str, answer: WireResponse) -> Connection {
    let marketplace = descriptor(marketplace).expect("it is known");
    let options: BTreeMap<&'static str, String> =
        marketplace.options.iter().map(|option| (option.key, option.default.to_owned())).collect();
    let credentials = Credentials::new("key", "secret", Some(("token", "token secret")));
    let clock: SharedClock = ManualClock::at(DateTime::from_timestamp(1_795_356_000, 0).expect("in range"));
    let client = Client::new(Parts {
        transport: Arc::new(Canned(answer)),
        gate: Arc::new(Counting {
            clock: clock.clone(),
            window: marketplace.limit_headers.window,
            learnt: Mutex::default(),
        }),
        signer: Some(Signer::new((marketplace.profile)(&options), &credentials)),
        headers: marketplace.limit_headers,
        maintenance: marketplace.maintenance,
        canary: (marketplace.canary)(&Target::new(marketplace.base_url).expect("a URL")),
        clock,
        random: Arc::new(Random::seeded(1)),
        max_per_second: NonZeroU32::MAX,
        request_timeout: Duration::from_secs(30),
    });
    let base = Target::new("https://api.example.test/v1").expect("a URL");
    Connection { base, currency: marketplace.currency, options, templates: Arc::default(), client }
}
