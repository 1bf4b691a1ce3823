//! What a signature costs on a request that is sent: the same client, signed and unsigned in turns, against a server
//! on another thread. Counted is the CPU time of the client's thread alone.
//!
//! The gate is open and the pace is beyond reach, so what is left is the client's own way: nonce, signature, header,
//! and the bytes of the header on the wire. Over the bar, the exit code is 1.

#[path = "common/bars.rs"]
mod bars;
#[path = "common/gate.rs"]
mod gate;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use sellerd::clock::SystemClock;
use sellerd::domain::{Credentials, RequestClass};
use sellerd::http::oauth1::{Signer, Target};
use sellerd::http::{Asking, Call, Client, Parts, Random, ReqwestTransport};
use sellerd::marketplace;

use bars::{Bars, is_bench, median};
use gate::Open;

/// Requests of one kind before the other kind has its turn: few, so that both meet the same machine.
const ROUND: u32 = 250;
/// Turns of each kind.
const ROUNDS: usize = 121;

fn main() -> ExitCode {
    if !is_bench() {
        return ExitCode::SUCCESS;
    }
    let address = serve();
    let mut bars = Bars::new(&format!(
        "Loopback, one request at a time, medians of {ROUNDS} rounds of {ROUND} in turns"
    ));
    for (what, path) in [("answer of 200 bytes", "small"), ("answer of 100 articles, 56 kB", "page")] {
        measure(&mut bars, what, address, path);
    }
    bars.end()
}

fn measure(bars: &mut Bars, what: &str, address: SocketAddr, path: &str) {
    // The requests, and the tasks of the connection behind them, run on this thread and no other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (signed, unsigned) = (client(true), client(false));
    let target = Target::new(&format!("http://{address}")).expect("our own URL").segment("ws").segment(path);
    let call = Call { how: Asking::Get, template: "stock/{start}", class: RequestClass::Stock, target };
    let round = |client: &Client| {
        let before = thread_cpu();
        runtime.block_on(async {
            for _ in 0..ROUND {
                client.call(&call).await.expect("an answer");
            }
        });
        (thread_cpu() - before).as_secs_f64() * 1e6 / f64::from(ROUND)
    };
    // The first round of each opens its connection.
    round(&signed);
    round(&unsigned);
    let turn = |number: usize| match number % 2 {
        0 => (round(&signed), round(&unsigned)),
        // Neither always goes first.
        _ => {
            let without = round(&unsigned);
            (round(&signed), without)
        }
    };
    let turns: Vec<(f64, f64)> = (0..ROUNDS).map(turn).collect();
    let of = |figure: fn(&(f64, f64)) -> f64| median(turns.iter().map(figure).collect());
    let (with, without, ratio) = (of(|turn| turn.0), of(|turn| turn.1), of(|turn| turn.0 / turn.1));
    bars.told(&format!("{what}: unsigned, CPU"), without, "us");
    bars.told(&format!("{what}: signed, CPU"), with, "us");
    bars.bar(&format!("{what}: signed / unsigned"), ratio, "", ..=1.15);
}

/// A client of its own, with a connection of its own.
fn client(signed: bool) -> Client {
    let cardmarket = marketplace::descriptor("cardmarket").expect("it is in the list");
    let credentials = Credentials::new(
        "bfaD9xOU0SXBhtBP",
        "pChvrpp6AEOEwxBIIUBOvWcRG3X9xL4Y",
        Some(("lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q", "hc1wJAOX02pGGJK2uAv1ZOiwS7I9Tpoe")),
    );
    let profile = (cardmarket.profile)(&Default::default());
    Client::new(Parts {
        transport: Arc::new(ReqwestTransport::new(false).expect("no certificates are needed")),
        gate: Arc::new(Open),
        signer: signed.then(|| Signer::new(profile, &credentials)),
        headers: cardmarket.limit_headers,
        maintenance: cardmarket.maintenance,
        canary: (cardmarket.canary)(&Target::new(cardmarket.base_url).expect("a URL")),
        clock: SystemClock::shared(),
        random: Arc::new(Random::from_machine()),
        max_per_second: NonZeroU32::new(10_000_000).expect("not zero"),
        request_timeout: Duration::from_secs(30),
    })
}

/// Serves both answers on a thread of its own, for as long as the process lives.
fn serve() -> SocketAddr {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            told.send(listener.local_addr().expect("it is bound")).expect("somebody waits for it");
            let answer =
                |body: String| get(async move || ([(header::CONTENT_TYPE, "application/json")], body));
            let small = format!("{{\"account\":\"{}\"}}", "x".repeat(186));
            let row = format!("{{\"article\":\"{}\"}},", "x".repeat(545));
            let page = format!("[{}0]", row.repeat(100));
            let router = Router::new().route("/ws/small", answer(small)).route("/ws/page", answer(page));
            axum::serve(listener, router).await.expect("it serves until the process ends");
        });
    });
    address.recv().expect("the server is up")
}

/// What this thread has had of a processor.
fn thread_cpu() -> Duration {
    // The kernel counts when a thread is taken off; without this the last stretch would be missing.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstats");
    let nanoseconds = text.split_whitespace().next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}
