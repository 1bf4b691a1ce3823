//! The port: what the agent asks of a marketplace, and what it must know about each. A folder a marketplace.
//!
//! Differences between marketplaces are values in [`Descriptor`] and [`Capabilities`] that the rooms above read;
//! nobody above this room names a marketplace.

pub mod cardmarket;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Complaint, Currency, Listing, Order, OrderId, OrderState, StockPart};
pub use crate::http::CallError;
use crate::policy::quota::WindowKind;

/// One seller's account at one marketplace, as far as it can be read. Everything comes in pages, so that nothing
/// large stands in memory.
#[async_trait]
pub trait Marketplace: Send + Sync {
    /// What is particular about this marketplace.
    fn capabilities(&self) -> &Capabilities;

    /// Who we are logged in as: the cheapest authenticated read.
    async fn identity(&self) -> Result<Identity, CallError>;

    /// One page of the account's stock; `None` asks for the first.
    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError>;

    /// One page of a list of orders; `None` asks for the first.
    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError>;

    /// One order by its number, for those that left a list. `None` when the marketplace does not know it.
    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError>;
}

/// What is particular about a marketplace's read side.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// The lists of orders that together show everything, each with its cadence.
    pub order_feeds: &'static [OrderFeed],
    /// Whether a row that a page did not show can be one that only moved to an earlier page: true where pages are
    /// cut from a list that changes while it is read.
    pub pages_shift: bool,
}

/// A list of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFeed {
    /// Its name, also in the database.
    pub name: &'static str,
    /// When it is worth a request.
    pub cadence: Cadence,
    /// The state of every order in it. A known order of this state that the list does not show any more has moved
    /// on and is read by its number. `None` where the list is a span of time and proves nothing by absence.
    pub holds: Option<OrderState>,
}

/// When a list of orders is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// At every poll.
    EveryPoll,
    /// When this long has passed since it was last read to its end, and at the first poll.
    Every(Duration),
    /// Only when no poll has finished for this long: what may have passed through the other lists unseen is here.
    /// Never at the first poll.
    AfterGap(Duration),
}

/// Where the next page begins. Only the marketplace that wrote it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCursor(pub String);

/// Who an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The member's name.
    pub name: String,
    /// The member's number.
    pub id: i64,
}

/// One page of the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockPage {
    /// Which copies its quantities count.
    pub part: StockPart,
    /// The rows that could be read.
    pub listings: Vec<Listing>,
    /// The rows that could not.
    pub complaints: Vec<Complaint>,
    /// How many rows this part of the stock has in all, where the marketplace says so.
    pub total: Option<u64>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageCursor>,
}

/// One page of a list of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders that could be read, wholly or in part.
    pub orders: Vec<OrderRead>,
    /// The orders that could not be read at all.
    pub complaints: Vec<Complaint>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageCursor>,
}

/// An order, and the lines of it that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRead {
    /// The order with the lines that could be read.
    pub order: Order,
    /// The lines that could not.
    pub complaints: Vec<Complaint>,
}

/// What must be known of a marketplace before an account can be set up: its keys in `sellerd.toml` and how it counts.
#[derive(Debug)]
pub struct Descriptor {
    /// The value of `marketplace` in `sellerd.toml`.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Where its API is, unless `base_url` says otherwise.
    pub base_url: &'static str,
    /// The currency of its accounts, unless `currency` says otherwise.
    pub currency: Currency,
    /// The window in which it counts requests.
    pub window: WindowKind,
    /// The key that sets the limit, for example `daily_limit`.
    pub limit_key: &'static str,
    /// The limit, unless that key or the marketplace itself says otherwise.
    pub default_limit: i64,
    /// Further keys of its accounts.
    pub options: &'static [OptionKey],
    /// The name a first account of it gets from `sellerd init`.
    pub first_account: &'static str,
    /// What the four credentials are called on its pages, in the order of the secrets file.
    pub credential_names: [&'static str; 4],
}

/// A key of an account that only one marketplace has.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionKey {
    /// The key.
    pub key: &'static str,
    /// The values it takes; empty for a URL.
    pub values: &'static [&'static str],
    /// The value when it is absent.
    pub default: &'static str,
}

/// The values of a marketplace's own keys, defaults filled in.
pub type Options = BTreeMap<&'static str, String>;

/// The one list of marketplaces.
pub const ALL: &[Descriptor] = &[cardmarket::DESCRIPTOR];

/// The marketplace of that name.
pub fn descriptor(name: &str) -> Option<&'static Descriptor> {
    ALL.iter().find(|descriptor| descriptor.name == name)
}
