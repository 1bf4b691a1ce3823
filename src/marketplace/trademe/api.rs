//! Trade Me's endpoints (trademe.md 8 to 10).

use async_trait::async_trait;

use super::answer::{Body, Page, Place, bad};
use super::{CAPABILITIES, sale, wire};
use crate::domain::{
    Currency, OrderFeed, OrderId, OrderPage, OrderRead, PageCursor, RequestClass, StockPage, StockPart,
};
use crate::http::oauth1::Target;
use crate::http::{Answer, Asking, Call, CallError, Client};
use crate::marketplace::{Capabilities, Connection, Identity, Marketplace, json};

/// One Trade Me account.
pub(super) struct TradeMe {
    client: Client,
    base: Target,
    currency: Currency,
}

/// The rows asked for. How many may be is not documented; fewer may come (trademe.md 7).
const ROWS: &str = "500";

impl TradeMe {
    pub fn new(connection: Connection) -> Self {
        Self { client: connection.client, base: connection.base, currency: connection.currency }
    }

    /// The suffix after the last segment selects JSON; it is part of what is signed (trademe.md 1.1).
    fn url(&self, folder: &[&str], last: &str) -> Target {
        let folder = folder.iter().fold(self.base.clone(), |url, segment| url.segment(segment));
        folder.segment(&format!("{last}.json"))
    }

    async fn get(
        &self,
        template: &'static str,
        class: RequestClass,
        target: Target,
    ) -> Result<Answer, CallError> {
        self.client.call(&Call { how: Asking::Get, template, class, target }).await
    }

    /// One page of a list of ours.
    async fn list(
        &self,
        template: &'static str,
        class: RequestClass,
        (list, filter): (&str, &str),
        place: Place,
    ) -> Result<Answer, CallError> {
        let url = self.url(&["MyTradeMe", list], filter);
        let url = url.query("page", &place.page.to_string()).query("rows", ROWS);
        self.get(template, class, url).await
    }
}

#[async_trait]
impl Marketplace for TradeMe {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
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
        let answer = self.list(template, RequestClass::Stock, ("SellingItems", "All"), place).await?;
        let page = Page::read(&answer, place)?;
        let of = format!("SellingItems/All, page {}", place.page);
        let (listings, complaints) = json::read_rows(page.rows, &of, |row| wire::listing(row, self.currency));
        let total = Some(page.total);
        Ok(StockPage { part: StockPart::Offered, listings, complaints, total, next: page.next })
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        let place = Place::of(at);
        let template = "MyTradeMe/SoldItems/{filter}";
        let answer = self.list(template, RequestClass::Orders, ("SoldItems", feed.name), place).await?;
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
}
