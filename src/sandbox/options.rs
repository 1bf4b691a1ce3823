//! How a pretend shop is set up. Every field has the value of an ordinary small professional seller.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::TimeDelta;

use super::cardmarket::{App, Placed};
use super::trademe;
use crate::clock::SharedClock;

/// What [`super::Sandbox::start`] is told. Change the fields that a test is about.
#[derive(Clone)]
pub struct Options {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Decides the articles, orders, buyers and credentials. Equal seeds give equal shops.
    pub seed: u64,
    /// Articles in the stock list at the start.
    pub articles: usize,
    /// Articles that also lie in buyers' carts at the start; never more than `articles`.
    pub carts: usize,
    /// Orders at the start, spread over all states.
    pub orders: usize,
    /// The time of the shop, before the offset that can be set.
    pub clock: SharedClock,
    /// Requests a day (Berlin). `None` is an app without a limit, which gets no limit headers.
    pub daily_limit: Option<u32>,
    /// Requests in any 60 seconds.
    pub minute_limit: Option<u32>,
    /// Requests at the same time.
    pub concurrency: Option<usize>,
    /// Whether timestamps must be fresh, nonces new and the realm exact.
    pub strict: bool,
    /// How often, on average, somebody buys without being told to, at each marketplace.
    pub buyers: Option<Duration>,
    /// How the JSON of the answers deviates from its best form.
    pub typing: Typing,
    /// What a list answers that is asked for without a start and has more than one page.
    pub unpaginated: Unpaginated,
    /// Articles that are also on the shelf, exactly so. One of a product that does not exist is left out.
    pub placed: Vec<Placed>,
    /// The share of edits that give an article another number, from 0 to 1. One that splits it always does.
    pub reassign_ids: f64,
    /// The most copies of one article that the seller may list.
    pub most_copies: u32,
    /// The language of what is said about a price that is too low: 1 is English, 3 German.
    pub display_language: u8,
    /// How long an export of the stock takes.
    pub export_delay: Duration,
    /// What kind of app the keys belong to.
    pub app: App,
    /// Where users of a third-party app are sent after they logged in; the request token is appended verbatim.
    pub callback: String,
    /// How long an access token is good for; `None` for ever.
    pub token_lifetime: Option<TimeDelta>,
    /// The same seller's shop at Trade Me; everything above but the seed, the clock and the buyers is about
    /// Cardmarket.
    pub trademe: trademe::Options,
}

impl Options {
    /// An ordinary shop: 8,431 articles, 23 orders, 5,000 requests a day, strict, on a free loopback port.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 42,
            articles: 8_431,
            carts: 7,
            orders: 23,
            clock,
            daily_limit: Some(5_000),
            minute_limit: Some(600),
            concurrency: Some(4),
            strict: true,
            buyers: None,
            typing: Typing::default(),
            unpaginated: Unpaginated::Gone,
            placed: Vec::new(),
            reassign_ids: 1.0,
            most_copies: 10_000,
            display_language: 1,
            export_delay: Duration::from_secs(180),
            app: App::Dedicated,
            callback: "http://127.0.0.1:8788/?request_token=".to_owned(),
            token_lifetime: None,
            trademe: trademe::Options::default(),
        }
    }
}

/// The looseness seen in answers of the real marketplace, switchable one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Typing {
    /// `"count": "4"` for `"count": 4`.
    pub numbers_as_strings: bool,
    /// A list of one is written as that one.
    pub one_as_object: bool,
    /// Fields that a client must be able to do without are left out.
    pub missing_optional: bool,
}

/// The two documented answers to a list asked for as a whole that is longer than a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpaginated {
    /// 307 to the first page, as in older documentation.
    Redirect,
    /// 410, as in newer documentation.
    Gone,
}
