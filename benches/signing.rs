//! How fast requests are signed, against the fastest that the same crates allow and against another library.
//!
//! One case for all: Cardmarket's form, a URL of 60 bytes, three query parameters, a header with the realm and
//! seven OAuth parameters, a fresh nonce and timestamp each time. After divan's table stand the bars: ratios of
//! medians taken in turns, so that a busy machine slows all alike. Under a bar, the exit code is 1.

use std::hint::black_box;
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use divan::Bencher;
use divan::counter::ItemsCount;
use hmac::{Hmac, KeyInit, Mac};
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::Credentials;
use sellerd::http::oauth1::{
    EmptyToken, HeaderValues, Profile, Repeated, SignatureMethod, Signer, Target, Unsigned,
};
use sha1::Sha1;

const URL: &str = "https://apiv2.cardmarket.com/ws/v2.0/output.json/stock/10001";
const QUERY: [(&str, &str); 3] = [("idGame", "1"), ("maxResults", "100"), ("start", "200")];
const LOGIN: [&str; 4] = [
    "bfaD9xOU0SXBhtBP",
    "pChvrpp6AEOEwxBIIUBOvWcRG3X9xL4Y",
    "lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q",
    "hc1wJAOX02pGGJK2uAv1ZOiwS7I9Tpoe",
];

/// What the issue asks for.
const BARS: [(&str, f64); 2] = [("limit program", 0.5), ("oauth1-request", 1.0)];

fn main() -> ExitCode {
    let mut signers = (Limit::new(), ours(), target());
    let (limit, ours, target) = (&mut signers.0, &signers.1, &signers.2);
    assert!(
        limit.header("00c1b2c3d4e5f607", 1_700_000_000).ends_with(&ours_tail(ours, target)),
        "they disagree"
    );
    assert!(theirs("00c1b2c3d4e5f607", 1_700_000_000).len() > 100);

    divan::main();
    // Anything else than `cargo bench` builds without optimisation, where ratios mean nothing.
    if std::env::args().any(|argument| argument == "--bench") { bars() } else { ExitCode::SUCCESS }
}
