//! How fast requests are signed, against the fastest that the same crates allow and against another library.
//!
//! One case for all: Cardmarket's form, a URL of 60 bytes, three query parameters, a header with the realm and
//! seven OAuth parameters, a fresh nonce and timestamp each time. After divan's table stand the bars: ratios of
//! times taken in turns, so that a busy machine slows all alike. Under a bar, the exit code is 1.

use std::hint::black_box;
use std::num::NonZeroU64;
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::Credentials;
use sellerd::http::oauth1::{
    EmptyToken, Header, HeaderValues, Profile, Repeated, SignatureMethod, Signer, Target, Unsigned,
};
use sha1::Sha1;

const URL: &str = "https://apiv2.cardmarket.com/ws/v2.0/output.json/stock/10001";
const QUERY: Query = Query { id_game: "1", max_results: "100", start: "200" };
const APP_TOKEN: &str = "bfaD9xOU0SXBhtBP";
const APP_SECRET: &str = "pChvrpp6AEOEwxBIIUBOvWcRG3X9xL4Y";
const TOKEN: &str = "lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q";
const TOKEN_SECRET: &str = "hc1wJAOX02pGGJK2uAv1ZOiwS7I9Tpoe";

fn main() -> ExitCode {
    all_agree();
    divan::main();
    // Only `cargo bench` optimises; a ratio of unoptimised programs means nothing.
    if std::env::args().any(|argument| argument == "--bench") { bars() } else { ExitCode::SUCCESS }
}

#[divan::bench(name = "1 floor: HMAC of the base string alone")]
fn floor(bencher: divan::Bencher) {
    bencher.bench_local(Floor::new().once());
}

#[divan::bench(name = "2 limit program")]
fn limit(bencher: divan::Bencher) {
    bencher.bench_local(Limit::new().once());
}

#[divan::bench(name = "3 sellerd")]
fn sellerd(bencher: divan::Bencher) {
    bencher.bench_local(Ours::new().once());
}

#[divan::bench(name = "4 oauth1-request, derived")]
fn oauth1_request(bencher: divan::Bencher) {
    bencher.bench_local(Theirs::new().once());
}

/// The query. oauth1-request's derived form, its fastest, wants it as a struct.
#[derive(oauth1_request::Request)]
struct Query {
    #[oauth1(rename = "idGame")]
    id_game: &'static str,
    #[oauth1(rename = "maxResults")]
    max_results: &'static str,
    start: &'static str,
}

/// A nonce of 16 characters and a time of ten digits, other ones each time.
struct Stamps {
    nonce: [u8; 16],
    timestamp: i64,
}

impl Stamps {
    fn new() -> Self {
        Self { nonce: *b"53eb1f44909d6a00", timestamp: 1_407_917_892 }
    }

    fn next(&mut self) -> (&str, i64) {
        self.timestamp += 1;
        for (place, shift) in (8..16).zip([28, 24, 20, 16, 12, 8, 4, 0]) {
            self.nonce[place] = b"0123456789abcdef"[(self.timestamp >> shift & 15) as usize];
        }
        (str::from_utf8(&self.nonce).expect("hexadecimals are ASCII"), self.timestamp)
    }
}

struct Ours {
    signer: Signer,
    target: Target,
}

impl Ours {
    fn new() -> Self {
        let profile = Profile {
            method: SignatureMethod::HmacSha1,
            realm: true,
            values: HeaderValues::Raw,
            empty_token: EmptyToken::Keep,
            repeated: Repeated::Numeric,
            version: true,
        };
        let credentials = Credentials::new(APP_TOKEN, APP_SECRET, Some((TOKEN, TOKEN_SECRET)));
        let target = Target::new(URL)
            .expect("the URL is one")
            .query("idGame", QUERY.id_game)
            .query("maxResults", QUERY.max_results)
            .query("start", QUERY.start);
        Self { signer: Signer::new(profile, &credentials), target }
    }

    fn header(&self, nonce: &str, timestamp: i64) -> Header {
        self.signer.header(&Unsigned::new("GET", &self.target, nonce, timestamp))
    }

    fn once(self) -> impl FnMut() {
        let mut stamps = Stamps::new();
        move || {
            let (nonce, timestamp) = stamps.next();
            black_box(self.header(nonce, timestamp));
        }
    }
}

struct Theirs(oauth1_request::Token<&'static str>);

impl Theirs {
    fn new() -> Self {
        Self(oauth1_request::Token::from_parts(APP_TOKEN, APP_SECRET, TOKEN, TOKEN_SECRET))
    }

    fn header(&self, nonce: &str, timestamp: i64) -> String {
        let mut builder = oauth1_request::Builder::with_token(self.0, oauth1_request::HMAC_SHA1);
        builder.nonce(nonce).timestamp(NonZeroU64::new(timestamp.unsigned_abs())).version(true);
        builder.get(black_box(URL), black_box(&QUERY))
    }

    fn once(self) -> impl FnMut() {
        let mut stamps = Stamps::new();
        move || {
            let (nonce, timestamp) = stamps.next();
            black_box(self.header(nonce, timestamp));
        }
    }
}

/// The limit: the same crates, but the parameters and their order are known beforehand, nothing is allocated,
/// and the hash state of the key is kept.
struct Limit {
    keyed: Hmac<Sha1>,
    base: Buffer,
    header: Buffer,
}

impl Limit {
    fn new() -> Self {
        let key = format!("{APP_SECRET}&{TOKEN_SECRET}");
        let keyed = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
        Self { keyed, base: Buffer::new(), header: Buffer::new() }
    }

    fn header(&mut self, url: &str, query: &Query, nonce: &str, timestamp: i64) -> &str {
        let mut digits = [0; 10];
        let mut rest = timestamp;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }

        let base = &mut self.base;
        base.len = 0;
        base.push(b"GET&");
        base.push_encoded(url.as_bytes());
        base.push(b"&idGame%3D");
        base.push_encoded(query.id_game.as_bytes());
        base.push(b"%26maxResults%3D");
        base.push_encoded(query.max_results.as_bytes());
        base.push(b"%26oauth_consumer_key%3D");
        base.push(APP_TOKEN.as_bytes());
        base.push(b"%26oauth_nonce%3D");
        base.push(nonce.as_bytes());
        base.push(b"%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D");
        base.push(&digits);
        base.push(b"%26oauth_token%3D");
        base.push(TOKEN.as_bytes());
        base.push(b"%26oauth_version%3D1.0%26start%3D");
        base.push_encoded(query.start.as_bytes());
        let mac = self.keyed.clone().chain_update(base.written()).finalize().into_bytes();

        let header = &mut self.header;
        header.len = 0;
        header.push(b"OAuth realm=\"");
        header.push(url.as_bytes());
        header.push(b"\", oauth_consumer_key=\"");
        header.push(APP_TOKEN.as_bytes());
        header.push(b"\", oauth_token=\"");
        header.push(TOKEN.as_bytes());
        header.push(b"\", oauth_nonce=\"");
        header.push(nonce.as_bytes());
        header.push(b"\", oauth_timestamp=\"");
        header.push(&digits);
        header.push(b"\", oauth_signature_method=\"HMAC-SHA1\", oauth_version=\"1.0\", oauth_signature=\"");
        let written = BASE64_STANDARD.encode_slice(mac, &mut header.bytes[header.len..]);
        header.len += written.expect("the buffer is larger than any header");
        header.push(b"\"");
        str::from_utf8(header.written()).expect("the parts are text")
    }

    fn once(mut self) -> impl FnMut() {
        let mut stamps = Stamps::new();
        move || {
            let (nonce, timestamp) = stamps.next();
            black_box(self.header(black_box(URL), black_box(&QUERY), nonce, timestamp));
        }
    }
}

struct Floor {
    keyed: Hmac<Sha1>,
    base: Vec<u8>,
}

impl Floor {
    fn new() -> Self {
        let mut limit = Limit::new();
        limit.header(URL, &QUERY, "53eb1f44909d6a00", 1_407_917_892);
        Self { keyed: limit.keyed, base: limit.base.written().to_vec() }
    }

    fn once(self) -> impl FnMut() {
        move || {
            black_box(self.keyed.clone().chain_update(black_box(&self.base)).finalize());
        }
    }
}

/// Text of bounded length that is written again and again in one place.
struct Buffer {
    bytes: [u8; 1024],
    len: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: [0; 1024], len: 0 }
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    fn push_encoded(&mut self, text: &[u8]) {
        let mut run = 0;
        for (at, &byte) in text.iter().enumerate() {
            if !UNRESERVED[byte as usize] {
                self.push(&text[run..at]);
                let hex = |digit: u8| b"0123456789ABCDEF"[digit as usize];
                self.push(&[b'%', hex(byte >> 4), hex(byte & 15)]);
                run = at + 1;
            }
        }
        self.push(&text[run..]);
    }

    fn written(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let is = byte as u8;
        table[byte] = is.is_ascii_alphanumeric() || matches!(is, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

/// A bench of programs that do different work would say nothing.
fn all_agree() {
    let (nonce, timestamp) = ("53eb1f44909d6a01", 1_407_917_893);
    let ours = Ours::new().header(nonce, timestamp).to_string();
    assert_eq!(Limit::new().header(URL, &QUERY, nonce, timestamp), ours);
    let signature = |header: &str| {
        let start = header.find("oauth_signature=\"").expect("a header is signed");
        header[start..].replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
    };
    assert_eq!(signature(&Theirs::new().header(nonce, timestamp)), signature(&ours));
}

fn bars() -> ExitCode {
    let [floor, limit, ours, theirs] = undisturbed([
        &mut Floor::new().once(),
        &mut Limit::new().once(),
        &mut Ours::new().once(),
        &mut Theirs::new().once(),
    ]);
    println!(
        "\nns a signature: floor {floor:.0}, limit program {limit:.0}, sellerd {ours:.0}, oauth1-request {theirs:.0}"
    );
    let mut code = ExitCode::SUCCESS;
    for (than, nanoseconds, bar) in [("limit program", limit, 0.5), ("oauth1-request", theirs, 1.0)] {
        let ratio = nanoseconds / ours;
        println!("signing / {than} = {ratio:.2} (bar {bar})");
        if ratio <= bar {
            println!("  under the bar");
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// Nanoseconds for one call of each, in rounds taken in turns. Of all the rounds the fastest tenth is believed:
/// where other processes push in, half of them measure cold caches.
fn undisturbed<const N: usize>(mut programs: [&mut dyn FnMut(); N]) -> [f64; N] {
    const ROUNDS: usize = 1_000;
    const CALLS: u32 = 500;

    let clock = SystemClock::default();
    let mut rounds = [[0.0; ROUNDS]; N];
    for round in 0..ROUNDS {
        for (program, rounds) in programs.iter_mut().zip(&mut rounds) {
            let start = clock.elapsed();
            for _ in 0..CALLS {
                program();
            }
            rounds[round] = (clock.elapsed() - start).as_nanos() as f64 / f64::from(CALLS);
        }
    }
    rounds.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        rounds[ROUNDS / 10]
    })
}
