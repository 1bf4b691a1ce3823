//! Pretend marketplaces for the tour and for tests: real HTTP, real signature checks, invented goods.
//!
//! It shares no code with the client, so that a misreading of the documentation on one side meets the other
//! side's reading of it. [`Sandbox::start`] opens it; a control port and the methods of [`Sandbox`] make
//! buyers buy, clocks run and things go wrong.

mod answer;
mod cardmarket;
mod control;
mod fault;
mod fault_words;
mod faults;
mod goods;
mod house;
mod in_process;
mod keys;
mod ledger;
mod line;
mod options;
mod percent;
mod request;
mod server;
mod spoiled;
#[cfg(test)]
mod tests;
pub mod trademe;
mod venue;
#[cfg(test)]
mod visitor;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use answer::{Answer, Delivery};
pub use cardmarket::{
    ActError, App, Article, Bought, Buyer, By, ByHand, CartMove, Comment, Deed, Effect, Effects, Flags,
    Limit, Order, OrderAction, OrderState, Placed, Purchase, Shelved, Shop, Stock, Written, berlin_day,
};
pub use fault::{Fault, FaultKind};
pub use goods::Goods;
pub use in_process::{Call, ask, ask_trademe, ask_trademe_with, ask_with};
pub use keys::Keys;
pub use ledger::{Ledger, Seen, Verdict};
pub use options::{Options, Typing, Unpaginated};
pub use venue::Venue;

use house::House;
use line::{Caller, Lines};

/// The running pretend shops of one seller, one at each marketplace. Dropping it closes them.
pub struct Sandbox {
    house: Arc<House>,
    address: SocketAddr,
    keys: Keys,
    trademe_keys: Keys,
    callback: Option<String>,
    tasks: Vec<JoinHandle<()>>,
}

/// Why the shop does not open.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address is taken or not ours.
    #[error(
        "the pretend shop cannot listen on {address}: {source}. Choose another address with --listen, or port 0 for a free one"
    )]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the machine says.
        source: std::io::Error,
    },
}

impl Sandbox {
    /// Opens a shop and serves it on the current runtime until it is stopped or dropped.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let listen_error = |source| SandboxError::Listen { address: options.listen, source };
        let tcp = TcpListener::bind(options.listen).await.map_err(listen_error)?;
        let address = tcp.local_addr().map_err(listen_error)?;
        let now = options.clock.now();
        let shop = Shop::new(&options, now);
        let goods: Vec<Goods> = shop.goods().collect();
        let trademe = trademe::Shop::new(&options.trademe, options.seed, &goods, now);
        let (keys, trademe_keys) = (shop.keys().clone(), trademe.keys().clone());
        let house = House::new(shop, trademe, Arc::clone(&options.clock));
        tracing::info!(
            target: "sandbox",
            %address, articles = options.articles, orders = options.orders, listings = options.trademe.listings,
            seed = options.seed, "a pretend shop is open: nothing in it is real"
        );
        let service = server::router(Arc::clone(&house)).into_make_service_with_connect_info::<Caller>();
        let tasks = vec![tokio::spawn(async move {
            // It ends only with its task: `axum::serve` retries what fails.
            let _ = axum::serve(Lines::new(tcp), service).await;
        })];
        let callback = (options.app == App::ThirdParty).then_some(options.callback);
        let mut sandbox = Self { house, address, keys, trademe_keys, callback, tasks };
        if let Some(mean) = options.buyers {
            sandbox.let_buyers_come(mean);
        }
        Ok(sandbox)
    }

    /// From now on somebody buys without being told to, at each marketplace, on average this often.
    pub fn let_buyers_come(&mut self, mean: Duration) {
        let come = |venue| tokio::spawn(Arc::clone(&self.house).let_buyers_come(venue, mean));
        self.tasks.extend(Venue::ALL.map(come));
    }

    /// Cardmarket's base URL, for a client's configuration.
    pub fn base_url(&self) -> String {
        format!("http://{}/ws/v2.0", self.address)
    }

    /// Where users of a third-party app log in at Cardmarket.
    pub fn authenticate_url(&self) -> String {
        format!("{}/authenticate/{}", self.base_url(), self.keys.consumer_key)
    }

    /// Trade Me's base URL, for a client's configuration.
    pub fn trademe_base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where the control port is.
    pub fn control_url(&self) -> String {
        format!("http://{}/sandbox", self.address)
    }

    /// The strings that open the shop at Cardmarket.
    pub fn credentials(&self) -> &Keys {
        &self.keys
    }

    /// The strings that open the shop at Trade Me.
    pub fn trademe_credentials(&self) -> &Keys {
        &self.trademe_keys
    }

    /// What `sellerd sandbox serve` prints when the shop is open, as one line of JSON.
    pub fn announcement(&self) -> Value {
        json!({
            "schema": "sellerd.sandbox/1",
            "pretend": true,
            "control_url": self.control_url(),
            "cardmarket": {
                "base_url": self.base_url(),
                "app": if self.callback.is_some() { "third-party" } else { "dedicated" },
                "authenticate_url": self.callback.as_ref().map(|_| self.authenticate_url()),
                "callback": self.callback,
                "credentials": self.keys,
            },
            "trademe": {
                "base_url": self.trademe_base_url(),
                "oauth_url": format!("http://{}/Oauth", self.address),
                "authorize_url": format!("http://{}/Oauth/Authorize", self.address),
                "credentials": self.trademe_keys,
            },
        })
    }

    /// Turns a fault on, at every marketplace that it is for. Each counts its own requests.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.house.fault(&fault.into());
    }

    /// Turns all faults off and gives the allowances back.
    pub fn clear_faults(&self) {
        self.house.clear_faults();
    }

    /// Lets somebody buy at Cardmarket.
    pub fn buy(&self, purchase: &Purchase) -> Result<Vec<Bought>, String> {
        let now = self.now();
        self.house.shop().buy(purchase, now)
    }

    /// Lets the seller do something on Cardmarket's website, past the API. Returns the number that the article has
    /// now, unless it is gone.
    pub fn by_hand(&self, deed: &ByHand) -> Result<Option<u64>, String> {
        let now = self.now();
        self.house.shop().by_hand(deed, now)
    }

    /// Moves copies between shelf, carts and orders at Cardmarket. Returns the order, if one came of it.
    pub fn move_cart(&self, what: CartMove) -> Result<Option<Bought>, String> {
        let now = self.now();
        self.house.shop().move_cart(what, now)
    }

    /// What requests and hands have changed in the stock at Cardmarket, oldest first; at most the last 200,000.
    pub fn effects(&self) -> Vec<Effect> {
        self.with_shop(|shop| shop.effects().all().copied().collect())
    }

    /// Moves an order at Cardmarket on, as buyer, seller and post would.
    pub fn act(&self, order: u64, action: OrderAction) -> Result<OrderState, ActError> {
        let now = self.now();
        self.house.shop().act(order, action, now)
    }

    /// Lets somebody buy or bid at Trade Me.
    pub fn buy_at_trademe(&self, purchase: &trademe::Purchase) -> Result<Vec<trademe::Bought>, String> {
        let now = self.now();
        self.house.trademe().buy(purchase, now)
    }

    /// Moves a purchase at Trade Me on, as buyer and seller would.
    pub fn act_at_trademe(
        &self,
        purchase: i64,
        action: trademe::Action,
    ) -> Result<trademe::Standing, trademe::ActError> {
        let now = self.now();
        self.house.trademe().act(purchase, action, now)
    }

    /// Lets the seller do something on Trade Me's website, and returns the number of the listing.
    pub fn by_hand_at_trademe(&self, deed: &trademe::ByHand) -> Result<i64, String> {
        let now = self.now();
        self.house.trademe().by_hand(deed, now)
    }

    /// What writes did at Trade Me until now, oldest first.
    pub fn trademe_effects(&self) -> Vec<trademe::Effect> {
        self.with_trademe(|shop| shop.effects().to_vec())
    }

    /// The last requests as Cardmarket saw them, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.house.shop().ledger().seen().cloned().collect()
    }

    /// Requests counted against Cardmarket's limits, by its day.
    pub fn requests_by_day(&self) -> BTreeMap<NaiveDate, u64> {
        self.house.shop().ledger().by_day().clone()
    }

    /// The last requests as Trade Me saw them, oldest first.
    pub fn trademe_requests(&self) -> Vec<Seen> {
        self.house.trademe().ledger().seen().cloned().collect()
    }

    /// Requests counted against Trade Me's limit, by the beginning of the hour.
    pub fn trademe_requests_by_hour(&self) -> BTreeMap<DateTime<Utc>, u64> {
        self.house.trademe().ledger().by_window().clone()
    }

    /// Looks into the shop at Trade Me, after all that is due has happened. It answers nobody until `look` returns.
    pub fn with_trademe<T>(&self, look: impl FnOnce(&mut trademe::Shop) -> T) -> T {
        let now = self.now();
        let mut shop = self.house.trademe();
        shop.settle(now);
        look(&mut shop)
    }

    /// Looks into the shop at Cardmarket, after all that is due has happened. It answers nobody until `look` returns.
    pub fn with_shop<T>(&self, look: impl FnOnce(&mut Shop) -> T) -> T {
        let now = self.now();
        let mut shop = self.house.shop();
        shop.settle(now);
        look(&mut shop)
    }

    /// The shop's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.house.now()
    }

    /// Sets the shop's time to its clock's plus `offset`.
    pub fn set_offset(&self, offset: TimeDelta) {
        self.house.set_offset(offset);
    }

    /// Closes the shop: the port is free and nobody is answered any more when this returns.
    pub async fn stop(mut self) {
        self.close();
        for task in self.tasks.drain(..) {
            // Aborted a moment ago: there is nothing to learn from how it ended.
            let _ = task.await;
        }
    }

    fn close(&self) {
        self.house.close();
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.close();
    }
}
