//! A pretend marketplace for the tour and for tests: real HTTP, real signature checks, invented goods.
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
mod house;
mod in_process;
mod ledger;
mod line;
mod options;
mod server;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod visitor;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use answer::{Answer, Delivery};
pub use cardmarket::{
    ActError, Article, Bought, Buyer, Comment, Flags, Keys, Limit, Order, OrderAction, OrderState, Purchase,
    Shop, Stock, berlin_day,
};
pub use fault::{Fault, FaultKind};
pub use in_process::ask;
pub use ledger::{Ledger, Seen, Verdict};
pub use options::{Options, Typing, Unpaginated};

use house::House;
use line::{Caller, Lines};

/// A running pretend shop. Dropping it closes it.
pub struct Sandbox {
    house: Arc<House>,
    address: SocketAddr,
    keys: Keys,
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
        let shop = Shop::new(&options, options.clock.now());
        let keys = shop.keys().clone();
        let house = House::new(shop, Arc::clone(&options.clock));
        tracing::info!(
            target: "sandbox",
            %address, articles = options.articles, orders = options.orders, seed = options.seed,
            "a pretend shop is open: nothing in it is real"
        );
        let service = server::router(Arc::clone(&house)).into_make_service_with_connect_info::<Caller>();
        let mut tasks = vec![tokio::spawn(async move {
            // It ends only with its task: `axum::serve` retries what fails.
            let _ = axum::serve(Lines::new(tcp), service).await;
        })];
        if let Some(mean) = options.buyers {
            tasks.push(tokio::spawn(Arc::clone(&house).let_buyers_come(mean)));
        }
        Ok(Self { house, address, keys, tasks })
    }

    /// The marketplace's base URL, for a client's configuration.
    pub fn base_url(&self) -> String {
        format!("http://{}/ws/v2.0", self.address)
    }

    /// Where the control port is.
    pub fn control_url(&self) -> String {
        format!("http://{}/sandbox", self.address)
    }

    /// The strings that open the shop.
    pub fn credentials(&self) -> &Keys {
        &self.keys
    }

    /// What `sellerd sandbox serve` prints when the shop is open, as one line of JSON.
    pub fn announcement(&self) -> Value {
        json!({
            "schema": "sellerd.sandbox/1",
            "pretend": true,
            "control_url": self.control_url(),
            "cardmarket": { "base_url": self.base_url(), "credentials": self.keys },
        })
    }

    /// Turns a fault on.
    pub fn fault(&self, fault: impl Into<Fault>) {
        let now = self.now();
        self.house.shop().fault(fault.into(), now);
    }

    /// Turns all faults off and gives the daily allowance back.
    pub fn clear_faults(&self) {
        self.house.shop().clear_faults();
    }

    /// Lets somebody buy.
    pub fn buy(&self, purchase: &Purchase) -> Result<Vec<Bought>, String> {
        let now = self.now();
        self.house.shop().buy(purchase, now)
    }

    /// Moves an order on, as buyer, seller and post would.
    pub fn act(&self, order: u64, action: OrderAction) -> Result<OrderState, ActError> {
        let now = self.now();
        self.house.shop().act(order, action, now)
    }

    /// The last requests as the shop saw them, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.house.shop().ledger().seen().cloned().collect()
    }

    /// Requests counted against the limits, by the marketplace's day.
    pub fn requests_by_day(&self) -> BTreeMap<NaiveDate, u64> {
        self.house.shop().ledger().by_day().clone()
    }

    /// Looks into the shop. It answers nobody until `look` returns.
    pub fn with_shop<T>(&self, look: impl FnOnce(&mut Shop) -> T) -> T {
        look(&mut self.house.shop())
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
