//! A pretend Trade Me: listings with a life of their own, purchases that go on changing, and the checks that
//! stand before them.
//!
//! Everything here is a value changed by a request and an instant. Sockets and waiting are the server's
//! business, so that a test can ask the shop directly.

mod account;
mod acting;
mod buying;
mod by_hand;
mod deeds;
mod document;
mod effects;
mod hour;
mod json;
mod judging;
mod listing;
mod login;
mod options;
mod pipeline;
mod question;
mod reads;
mod route;
mod rows;
mod rules;
mod sale;
mod seed;
mod signature;
#[cfg(test)]
mod tests;
mod tokens;
mod unseen;
mod wire;
mod words;
mod writes;
#[cfg(test)]
mod writes_tests;

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

pub use account::{Entry, Prices};
pub use acting::{ActError, Action, Standing};
pub use buying::{Bought, CartLine, Purchase};
pub use by_hand::ByHand;
pub use effects::{By, Effect, Stand, What};
pub use hour::hour_of;
pub use listing::{Bid, Listing, Selling, State};
pub use options::{Failures, Options, Scopes, TooMany, Unauthorized};
pub use question::Question;
pub use sale::{How, Member, Paid, PayBy, Payment, Sale, Status};

use super::fault::{Fault, FaultKind};
use super::faults::Faults;
use super::goods::Goods;
use super::keys::Keys;
use super::ledger::Ledger;
use hour::Hour;
use json::Style;
use login::Nonces;
use route::Deed;
use tokens::{Grant, Petition};
use writes::Later;

/// Everything that the pretend marketplace knows.
#[derive(Debug)]
pub struct Shop {
    keys: Keys,
    /// What the member has granted; that of the keys is the first.
    grants: Vec<Grant>,
    petitions: Vec<Petition>,
    options: Options,
    seed: u64,
    /// By number, rising.
    listings: Vec<Listing>,
    /// By number, rising.
    sales: Vec<Sale>,
    buyers: Vec<Member>,
    questions: Vec<Question>,
    balance_cents: u64,
    /// What came and went on the account, oldest first.
    account: Vec<Entry>,
    /// What writes did, oldest first.
    effects: Vec<Effect>,
    /// What writes will do whose connection broke.
    later: Vec<Later>,
    next_cart: i64,
    revoked_at: Option<DateTime<Utc>>,
    hour: Hour,
    nonces: Nonces,
    faults: Faults,
    ledger: Ledger<DateTime<Utc>>,
    rng: fastrand::Rng,
}

impl Shop {
    /// A shop as its options describe it, which sells some of the `goods` of another.
    pub fn new(options: &Options, seed: u64, goods: &[Goods], now: DateTime<Utc>) -> Self {
        seed::shop(options, seed, goods, now)
    }

    /// The strings that open it.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How it was set up. What is changed here holds from the next request on.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// All listings, ended ones too, by number.
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// The listing of that number.
    pub fn listing(&self, id: i64) -> Option<&Listing> {
        self.listing_place(id).map(|at| &self.listings[at])
    }

    /// The listing of that number, to be bent as a test needs it.
    pub fn listing_mut(&mut self, id: i64) -> Option<&mut Listing> {
        self.listing_place(id).map(|at| &mut self.listings[at])
    }

    /// All purchases, by number.
    pub fn sales(&self) -> &[Sale] {
        &self.sales
    }

    /// The purchase of that number.
    pub fn sale(&self, id: i64) -> Option<&Sale> {
        self.sale_place(id).map(|at| &self.sales[at])
    }

    /// What was asked.
    pub fn ledger(&self) -> &Ledger<DateTime<Utc>> {
        &self.ledger
    }

    /// What writes did, through the API and by hand, oldest first.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// From now on, what was granted covers reading alone.
    pub fn grant_only_reading(&mut self) {
        for grant in &mut self.grants {
            grant.scopes.write = false;
        }
    }

    /// From `at` on, the member's grant is worth nothing, until a `restore`.
    pub fn revoke_at(&mut self, at: DateTime<Utc>) {
        self.revoked_at = Some(at);
    }

    /// Turns a fault on; `restore`, `limit`, `429-daily` and the moving of ends do their work at once.
    pub fn fault(&mut self, fault: Fault, now: DateTime<Utc>) {
        match fault.kind {
            FaultKind::Restore => {
                let _ = self.faults.restore();
                self.revoked_at = None;
            }
            FaultKind::Limit { max } => self.hour.max = max,
            FaultKind::Exhaust => self.hour.exhaust(now),
            FaultKind::Maintenance { seconds } => {
                self.move_ends(TimeDelta::seconds(seconds.into()), now);
                let until = fault.for_seconds.unwrap_or(seconds.into());
                self.faults.add(Fault { for_seconds: Some(until), ..fault }, now);
            }
            _ => self.faults.add(fault, now),
        }
    }

    /// Turns all faults off and gives the allowance back.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.hour.max = self.options.hourly_limit;
        self.revoked_at = self.options.revoked_at;
    }

    /// The faults that are on.
    pub fn faults(&mut self, now: DateTime<Utc>) -> Vec<Fault> {
        self.faults.list(now)
    }

    /// The state of the shop for people and scripts, without any buyer's name.
    pub fn summary(&mut self, now: DateTime<Utc>) -> serde_json::Value {
        self.settle(now);
        let count = |state| self.listings.iter().filter(|row| self.state(row, now) == state).count();
        let copies: u64 = self.live(now).filter_map(|row| row.quantity()).map(u64::from).sum();
        serde_json::json!({
            "listings": {
                "active": count(State::Active),
                "closing": count(State::Closing),
                "sold": count(State::Sold),
                "unsold": count(State::Unsold),
                "withdrawn": count(State::Withdrawn),
            },
            "copies": copies,
            "purchases": self.sales.len(),
            "requests": {
                "total": self.ledger.total(),
                "writes": self.ledger.writes(),
                "effects": self.effects.len(),
                "by_hour": self.ledger.by_window(),
            },
            "limit": self.hour.max.map(|max| serde_json::json!({ "max": max, "count": self.hour.used(now) })),
            "faults": self.faults.list(now),
        })
    }

    /// How long until the next buyer comes, when they come every `mean` on average.
    pub fn next_buyer(&mut self, mean: std::time::Duration) -> std::time::Duration {
        // Arrivals that do not know of each other: exponential waits, cut off at five times the mean.
        let wait = -(1.0 - self.rng.f64()).ln();
        mean.mul_f64(wait.min(5.0)).max(std::time::Duration::from_millis(1))
    }

    fn state(&self, listing: &Listing, now: DateTime<Utc>) -> State {
        listing.state(now, self.options.closing)
    }

    /// What stands in the list of the live ones: closing ones do, too.
    fn live(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Listing> {
        self.listings.iter().filter(move |row| matches!(self.state(row, now), State::Active | State::Closing))
    }

    /// The listings as the lists show them, whatever their state.
    fn as_listed(&self, now: DateTime<Utc>) -> impl Iterator<Item = Cow<'_, Listing>> {
        self.listings.iter().filter_map(move |row| row.as_listed(now))
    }

    fn listing_place(&self, id: i64) -> Option<usize> {
        self.listings.binary_search_by_key(&id, |row| row.id).ok()
    }

    fn sale_place(&self, id: i64) -> Option<usize> {
        self.sales.binary_search_by_key(&id, |sale| sale.id).ok()
    }

    /// An outage of this length begins: what would end in it ends so much later.
    fn move_ends(&mut self, outage: TimeDelta, now: DateTime<Utc>) {
        self.settle(now);
        for listing in &mut self.listings {
            if now < listing.closed_at() && listing.end <= now + outage {
                listing.end += outage;
            }
        }
    }

    /// Lets happen what was to happen by `now`: late effects, each at its own time, and the ends of auctions.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        while let Some(next) = (0..self.later.len()).min_by_key(|at| self.later[*at].at) {
            if self.later[next].at > now {
                break;
            }
            let Later { at, deed, body } = self.later.remove(next);
            self.end_auctions(at);
            // Nobody is there any more to be told.
            let _ = self.perform(deed, &body, Style::default(), at);
        }
        self.end_auctions(now);
    }

    /// A write will be done so much later.
    fn put_off(&mut self, deed: Deed, body: &[u8], span: std::time::Duration, now: DateTime<Utc>) {
        let at = TimeDelta::from_std(span).ok().and_then(|span| now.checked_add_signed(span));
        if let Some(at) = at.filter(|_| deed.has_effect()) {
            self.later.push(Later { at, deed, body: body.to_vec() });
        }
    }

    /// Whoever writes through the API has been shown a listing as it is now.
    fn know_sold(&mut self, id: &str) {
        let at = id.parse().ok().and_then(|id| self.listing_place(id));
        if let Some(listing) = at.map(|at| &mut self.listings[at]) {
            listing.known_sold = listing.sold;
        }
    }

    /// Lets auctions end whose time has come: the top bid that meets the reserve is a purchase.
    fn end_auctions(&mut self, now: DateTime<Utc>) {
        let mut won: Vec<(DateTime<Utc>, usize, Bid)> = Vec::new();
        for (at, listing) in self.listings.iter_mut().enumerate() {
            if !listing.ended && listing.closed_at() <= now {
                listing.ended = true;
                let is_open = listing.sold_out.is_none() && listing.withdrawn.is_none();
                won.extend(listing.winner().filter(|_| is_open).map(|bid| (listing.end, at, bid)));
            }
        }
        // The order in which they ended, whenever somebody looked.
        won.sort_by_key(|(end, at, _)| (*end, *at));
        for (end, at, bid) in won {
            self.listings[at].sold_out = Some(end);
            self.listings[at].sold = 1;
            let terms =
                buying::Terms { how: How::Auction, buyer: bid.buyer, ..self.terms(None, None, None, end) };
            self.sell(at, 1, bid.cents, &terms);
        }
    }
}
