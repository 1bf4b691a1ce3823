//! The port: what the agent asks of a marketplace, and what it must know about each. A folder a marketplace.
//!
//! Differences between marketplaces are values in [`Descriptor`] and [`Capabilities`] that the rooms above read;
//! nobody above this room names a marketplace.

pub mod cardmarket;
mod export;
pub mod json;
mod login;
pub mod memory;
#[cfg(test)]
mod testing;
pub mod trademe;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{
    Change, Currency, Drafting, Fee, Listing, Money, Operation, OrderFeed, OrderId, OrderPage, OrderRead,
    PageCursor, StockPage,
};
pub use crate::http::CallError;
use crate::http::oauth1::{Profile, Target};
use crate::http::{Canary, Client, LimitHeaders, Maintenance, WritingClient};
use crate::policy::meter::PublicRule;
pub use export::{ExportFile, ExportRequest, ExportState, StockExport, StockFile};
pub use login::{Doorstep, Entrance, Granted, Invitation, Login, LoginError, comes_back, proof};
pub use write::{
    AsItIs, Batch, Item, ItemOutcome, Looked, Looking, Quantities, Step, Wanted, WriteError, Writer, Writes,
    free, look_through, most_in_carts, summed,
};

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

    /// The copies that lie in buyers' carts now, as one small list; nothing where a cart takes no copy off the shelf.
    async fn in_carts(&self) -> Result<Vec<Listing>, CallError> {
        Ok(Vec::new())
    }

    /// One page of a list of orders; `None` asks for the first.
    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError>;

    /// One order by its number, for those that left a list. `None` when the marketplace does not know it.
    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError>;

    /// Reads some listings again, as they stand now, also where an edit has renumbered them.
    async fn look(&self, wanted: &[Wanted]) -> Result<Looked, CallError> {
        look_through(self, wanted).await
    }

    /// What the item of a change is looked for by: changes that share it are found by the same request. `None` where only
    /// the whole list shows it.
    fn look_key(&self, _: &Change) -> Option<i64> {
        None
    }

    /// Requests that [`Marketplace::look`] takes for all of these in a shop of so many listings.
    fn looking_costs(&self, looking: &Looking, listings: u64) -> u64 {
        let pages = listings.div_ceil(100) + 1;
        if looking.anywhere || !looking.keys.is_empty() { pages } else { 0 }
    }

    /// The way to read the whole stock as one file, where there is one.
    fn stock_export(&self) -> Option<&dyn StockExport> {
        None
    }

    /// What these changes would cost and whether they could be made, as far as the marketplace says so without doing
    /// them. A change that is not named costs nothing.
    async fn fees(&self, changes: &[Change]) -> Result<Vec<Fee>, CallError> {
        Ok(free(changes))
    }

    /// What the account can spend on fees; `None` where nothing bounds it, since they are invoiced or there are none.
    async fn balance(&self) -> Result<Option<Money>, CallError> {
        Ok(None)
    }

    /// Requests that [`Marketplace::fees`] and [`Marketplace::balance`] take for so many changes of each kind.
    fn fees_cost(&self, _: &BTreeMap<Operation, u64>) -> u64 {
        0
    }

    /// What waits for the seller there and is no sale, as far as a request or two tell. Nothing by default.
    async fn attention(&self) -> Result<Vec<Attention>, CallError> {
        Ok(Vec::new())
    }

    /// How what a source says becomes an offer here.
    fn drafting(&self) -> Arc<dyn Drafting> {
        Arc::new(AsItIs)
    }
}

/// What is particular about a marketplace.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// The lists of orders that together show everything, each with its cadence.
    pub order_feeds: &'static [OrderFeed],
    /// Whether a row that a page did not show can be one that only moved to an earlier page: true where pages are
    /// cut from a list that changes while it is read.
    pub pages_shift: bool,
    /// How it is changed.
    pub writes: Writes,
}

/// Who an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The member's name.
    pub name: String,
    /// The member's number.
    pub id: i64,
}

/// Something that waits for the seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// What is counted, as programs know it, for example `unanswered_questions`.
    pub name: &'static str,
    /// How many there are.
    pub count: i64,
    /// The same for people, for example `3 questions are unanswered`.
    pub words: String,
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
    /// How it counts requests, and the headers that say so.
    pub limit_headers: LimitHeaders,
    /// What it says when it is being worked on, beside a 503 and a page for people.
    pub maintenance: Maintenance,
    /// Its lists of orders, as [`Capabilities::order_feeds`] has them: what a poll takes is known before it is connected.
    pub order_feeds: &'static [OrderFeed],
    /// What reading the stock takes.
    pub reading: StockReading,
    /// Whether a listing that was taken down is gone for good, as [`Writes::zero_is_final`] has it: a plan is shown
    /// without a connection.
    pub zero_is_final: bool,
    /// What it expects of how much is public data; `None` where it expects nothing.
    pub public_rule: Option<PublicRule>,
    /// How its requests are signed, given the account's own keys.
    pub profile: fn(&Options) -> Profile,
    /// The cheapest read for which it must know who asks: what is asked when a refusal has to be understood.
    pub canary: fn(&Target) -> Canary,
    /// Whether access that it took away can be asked for again only at the end of the month after (cardmarket.md 2.2).
    pub waits_to_reapply: bool,
    /// Makes an account of it usable to look at.
    pub connect: fn(Connection) -> Box<dyn Marketplace>,
    /// Makes an account of it usable to change; `None` where that is not possible yet.
    pub connect_writing: Option<ConnectWriting>,
    /// How a person logs in.
    pub login: Entrance,
    /// The key that sets the limit, for example `daily_limit`.
    pub limit_key: &'static str,
    /// The limit, unless that key or the marketplace itself says otherwise.
    pub default_limit: i64,
    /// Further keys of its accounts.
    pub options: &'static [OptionKey],
    /// What a seller's list says of a listing that stands.
    pub in_a_list: InAList,
    /// The name a first account of it gets from `sellerd init`.
    pub first_account: &'static str,
    /// What the four credentials are called on its pages, in the order of the secrets file.
    pub credential_names: [&'static str; 4],
}

/// How a listing that stands is worded in a seller's list: the way back from what a list says to an offer.
#[derive(Debug)]
pub struct InAList {
    /// The columns that a list of its listings has, by our names for them, beside SKU, count and price.
    pub columns: &'static [&'static str],
    /// The words for a listing with this title and these attributes.
    pub words: fn(&str, &str) -> ListWords,
}

/// The words of a list for one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListWords {
    /// What its columns say; those that say nothing are left out.
    pub cells: BTreeMap<&'static str, String>,
    /// Whether its price is the seller's alone to set, and not one that bids move.
    pub fixed_price: bool,
}

/// How many requests it takes to read a whole stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockReading {
    /// Listings on a page.
    pub page: i64,
    /// Requests beside the pages.
    pub beside: i64,
    /// Requests of the whole by an export, where the marketplace makes one.
    pub export: Option<i64>,
}

impl StockReading {
    /// What a stock of so many listings takes, page by page.
    pub fn pages(&self, listings: i64) -> i64 {
        ((listings.max(0) + self.page - 1) / self.page.max(1)).max(1) + self.beside
    }
}

/// Makes an account usable to change.
pub type ConnectWriting = fn(Connection<WritingClient>) -> Box<dyn Writer>;

/// What a marketplace is made usable with.
pub struct Connection<C = Client> {
    /// Where its API is.
    pub base: Target,
    /// The account's currency, for rows that do not name one.
    pub currency: Currency,
    /// The values of its own keys.
    pub options: Options,
    /// The templates that new listings are made from, by name.
    pub templates: Arc<Templates>,
    /// The way there, bound to a run.
    pub client: C,
}

/// Templates of listings by their name, each a JSON object in the marketplace's own words.
pub type Templates = BTreeMap<String, serde_json::Value>;

impl Connection<WritingClient> {
    /// The same for what only reads.
    pub fn reading(&self) -> Connection {
        Connection {
            base: self.base.clone(),
            currency: self.currency,
            options: self.options.clone(),
            templates: Arc::clone(&self.templates),
            client: self.client.reads().clone(),
        }
    }
}

/// A key of an account that only one marketplace has.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionKey {
    /// The key.
    pub key: &'static str,
    /// The values it takes; empty for a URL, a share, a limit or a span of time, whichever its default is.
    pub values: &'static [&'static str],
    /// The value when it is absent.
    pub default: &'static str,
    /// What a person is asked about it before there is an account: yes is the default, no the other value. `None` where
    /// the default does for a beginning.
    pub question: Option<&'static str>,
}

impl OptionKey {
    /// Whether its value is a share, in percent.
    pub fn is_share(&self) -> bool {
        self.values.is_empty() && self.default.ends_with('%')
    }

    /// Whether its value is a number of requests, or none.
    pub fn is_limit(&self) -> bool {
        self.values.is_empty() && self.default.parse::<u32>().is_ok()
    }

    /// Whether its value is a URL.
    pub fn is_url(&self) -> bool {
        self.values.is_empty() && self.default.contains("://")
    }
}

/// The values of a marketplace's own keys, defaults filled in.
pub type Options = BTreeMap<&'static str, String>;

/// The key of an account that says how much of what it asks may be public data.
pub const PUBLIC_SHARE: &str = "public_share";

/// The key of an account that says how many requests it may make in any 60 seconds.
pub const MINUTE_LIMIT: &str = "minute_limit";

/// The one list of marketplaces.
pub const ALL: &[Descriptor] = &[cardmarket::DESCRIPTOR, trademe::DESCRIPTOR];

/// The marketplace of that name.
pub fn descriptor(name: &str) -> Option<&'static Descriptor> {
    ALL.iter().find(|descriptor| descriptor.name == name)
}
