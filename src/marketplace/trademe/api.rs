//! Trade Me's endpoints (trademe.md 8 to 10).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::answer::{Body, Page, Place, bad};
use super::draft::Drafts;
use super::{CAPABILITIES, VISIBILITY_LAG, charge, look, sale, wire};
use crate::domain::{
    Change, Currency, Drafting, Fee, Money, Operation, OrderFeed, OrderId, OrderPage, OrderRead, PageCursor,
    RequestClass, StockPage, StockPart,
};
use crate::http::oauth1::Target;
use crate::http::{Answer, Asking, Call, CallError, Canary, Client, WritingClient};
use crate::marketplace::{
    Attention, Capabilities, Connection, Identity, Looked, Looking, Marketplace, Wanted, json,
};

/// One Trade Me account.
pub(super) struct TradeMe<C = Client> {
    pub line: C,
    pub currency: Currency,
    base: Target,
    capabilities: Capabilities,
    drafts: Drafts,
}

/// A way there that can read; one that can write too is a type of its own.
pub(super) trait Line: Send + Sync {
    fn reads(&self) -> &Client;
}

impl Line for Client {
    fn reads(&self) -> &Client {
        self
    }
}

impl Line for WritingClient {
    fn reads(&self) -> &Client {
        WritingClient::reads(self)
    }
}

/// The rows asked for. How many may be is not documented; fewer may come (trademe.md 7).
const ROWS: &str = "500";

impl<C: Line> TradeMe<C> {
    pub fn new(connection: Connection<C>) -> Self {
        let Connection { base, currency, options, templates, client } = connection;
        let mut capabilities = CAPABILITIES;
        // The configuration has seen to it that it is one.
        let lag = options.get(VISIBILITY_LAG).and_then(|text| humantime::parse_duration(text).ok());
        let lag: Duration = lag.unwrap_or(capabilities.writes.visibility_lag);
        capabilities.writes.visibility_lag = lag;
        let drafts = Drafts { templates: Arc::clone(&templates), currency };
        Self { line: client, currency, base, capabilities, drafts }
    }

    /// The suffix after the last segment selects JSON; it is part of what is signed (trademe.md 1.1).
    pub fn url(&self, folder: &[&str], last: &str) -> Target {
        url(&self.base, folder, last)
    }

    /// A page of a list of ours.
    pub fn list_url(&self, list: &str, filter: &str, place: Place) -> Target {
        let url = self.url(&["MyTradeMe", list], filter);
        url.query("page", &place.page.to_string()).query("rows", ROWS)
    }

    pub async fn call(
        &self,
        how: Asking,
        template: &'static str,
        class: RequestClass,
        target: Target,
    ) -> Result<Answer, CallError> {
        self.line.reads().call(&Call { how, template, class, target }).await
    }

    pub async fn get(
        &self,
        template: &'static str,
        class: RequestClass,
        target: Target,
    ) -> Result<Answer, CallError> {
        self.call(Asking::Get, template, class, target).await
    }
}

#[async_trait]
impl<C: Line> Marketplace for TradeMe<C> {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        let url = self.url(&["MyTradeMe"], "Summary");
        let answer = self.get("MyTradeMe/Summary", RequestClass::Orders, url).await?;
        let body = Body::read(&answer)?;
        if body.member_id.is_none() {
            return Err(body.lacks(&answer, "`MemberId` is missing in it"));
        }
        wire::identity(&body).map_err(|problem| bad(&answer, &problem))
    }

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        let place = Place::of(at);
        let template = "MyTradeMe/SellingItems/{filter}";
        let url = self.list_url("SellingItems", "All", place);
        let answer = self.get(template, RequestClass::Stock, url).await?;
        let page = Page::read(&answer, place)?;
        let of = format!("SellingItems/All, page {}", place.page);
        let (listings, complaints) = json::read_rows(page.rows, &of, |row| wire::listing(row, self.currency));
        let total = Some(page.total);
        Ok(StockPage { part: StockPart::Offered, listings, complaints, total, next: page.next })
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        let place = Place::of(at);
        let template = "MyTradeMe/SoldItems/{filter}";
        let url = self.list_url("SoldItems", feed.name, place);
        let answer = self.get(template, RequestClass::Orders, url).await?;
        let page = Page::read(&answer, place)?;
        let of = format!("SoldItems/{}, page {}", feed.name, place.page);
        let (orders, complaints) = json::read_rows(page.rows, &of, |row| sale::order(row, self.currency));
        Ok(OrderPage { orders, complaints, next: page.next })
    }

    /// There is no call for one order, and none is needed: the lists are spans of time, so none of them holds the
    /// orders of a state and nobody asks for an order that left one. An order that is asked for all the same is not
    /// known, which leaves it as it is.
    async fn order(&self, _: OrderId) -> Result<Option<OrderRead>, CallError> {
        Ok(None)
    }

    async fn look(&self, wanted: &[Wanted]) -> Result<Looked, CallError> {
        self.look_at(wanted).await
    }

    fn look_key(&self, change: &Change) -> Option<i64> {
        change.listing_id.map(|id| id.0)
    }

    fn looking_costs(&self, looking: &Looking, listings: u64) -> u64 {
        look::costs(looking, listings)
    }

    async fn fees(&self, changes: &[Change]) -> Result<Vec<Fee>, CallError> {
        self.charges(changes).await
    }

    async fn balance(&self) -> Result<Option<Money>, CallError> {
        self.left_to_spend().await
    }

    fn fees_cost(&self, counts: &BTreeMap<Operation, u64>) -> u64 {
        charge::costs(counts)
    }

    async fn attention(&self) -> Result<Vec<Attention>, CallError> {
        self.waiting().await
    }

    fn drafting(&self) -> Arc<dyn Drafting> {
        Arc::new(self.drafts.clone())
    }
}
fn url(base: &Target, folder: &[&str], last: &str) -> Target {
    let folder = folder.iter().fold(base.clone(), |url, segment| url.segment(segment));
    folder.segment(&format!("{last}.json"))
}

/// The member's summary: what trademe.md 2.6 asks to find out what a 401 means.
pub(super) fn canary(base: &Target) -> Canary {
    Canary { template: "MyTradeMe/Summary", target: url(base, &["MyTradeMe"], "Summary") }
}
