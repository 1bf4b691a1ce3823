//! Cardmarket's endpoints and their paging (cardmarket.md 8 and 9).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::value::RawValue;

use super::drafting::Articles;
use super::look::{self, no_complaint};
use super::wire::{self, Body, OwnArticle};
use super::{CAPABILITIES, PAGE};
use crate::domain::{
    Change, Currency, Drafting, Listing, OrderFeed, OrderId, OrderPage, OrderRead, PageCursor, RequestClass,
    StockPage, StockPart,
};
use crate::http::oauth1::Target;
use crate::http::{Answer, Asking, Call, CallError, Canary, Client, WritingClient};
use crate::marketplace::{
    Capabilities, Connection, Identity, Looked, Looking, Marketplace, StockExport, Wanted, json,
};

/// One Cardmarket account: `W` is the way to change it, and nothing where it is only looked at.
pub(super) struct Cardmarket<W = ()> {
    pub(super) client: Client,
    base: Target,
    pub(super) currency: Currency,
    pub(super) writes: W,
    /// How many articles a page of the stock has last said there are, and one more; nothing before the first.
    total: AtomicU64,
}

/// The cursor that stands for the articles in carts, which follow the last page of the stock.
const CARTS: &str = "carts";

impl Cardmarket {
    pub fn new(connection: Connection) -> Self {
        let Connection { client, base, currency, .. } = connection;
        Self { client, base, currency, writes: (), total: AtomicU64::new(0) }
    }
}

impl Cardmarket<WritingClient> {
    pub fn writing(connection: Connection<WritingClient>) -> Self {
        let Connection { client, base, currency, .. } = connection;
        Self { client: client.reads().clone(), base, currency, writes: client, total: AtomicU64::new(0) }
    }
}

impl<W: Send + Sync> Cardmarket<W> {
    /// The segment `output.json` selects JSON; it is part of the URL and of what is signed (cardmarket.md 1.3).
    pub(super) fn url(&self, segments: &[&str]) -> Target {
        url(&self.base, segments)
    }

    pub(super) async fn get(
        &self,
        template: &'static str,
        class: RequestClass,
        segments: &[&str],
    ) -> Result<Answer, CallError> {
        self.ask(Asking::Get, template, class, segments).await
    }

    pub(super) async fn ask(
        &self,
        how: Asking,
        template: &'static str,
        class: RequestClass,
        segments: &[&str],
    ) -> Result<Answer, CallError> {
        self.client.call(&Call { how, template, class, target: self.url(segments) }).await
    }

    /// The same account, to look at.
    pub(super) fn reading(&self) -> Cardmarket {
        let Self { client, base, currency, .. } = self;
        let total = AtomicU64::new(0);
        Cardmarket { client: client.clone(), base: base.clone(), currency: *currency, writes: (), total }
    }

    /// How many articles there were when a page of the stock was last read.
    pub(super) fn total_seen(&self) -> Option<u64> {
        self.total.load(Ordering::Relaxed).checked_sub(1)
    }

    /// The page of the stock that begins with this article.
    pub(super) async fn stock_from(&self, start: u64, class: RequestClass) -> Result<StockPage, CallError> {
        let answer = self.get("stock/{start}", class, &["stock", &start.to_string()]).await?;
        let page = Page::read(&answer, start, |body| body.article)?;
        page.total.inspect(|total| self.total.store(total.saturating_add(1), Ordering::Relaxed));
        let (listings, complaints) =
            json::read_rows(page.rows, &format!("stock/{start}"), |row| wire::listing(row, self.currency));
        let next = page.next.map_or_else(|| CARTS.to_owned(), |start| start.to_string());
        Ok(StockPage {
            part: StockPart::Offered,
            listings,
            complaints,
            total: page.total,
            next: Some(PageCursor(next)),
        })
    }

    pub(super) async fn articles_in_carts(&self, class: RequestClass) -> Result<StockPage, CallError> {
        let segments = ["stock", "shoppingcart-articles"];
        let answer = self.get("stock/shoppingcart-articles", class, &segments).await?;
        let page = Page::read(&answer, 1, |body| body.article)?;
        let (listings, complaints) = json::read_rows(page.rows, "stock/shoppingcart-articles", |row| {
            wire::listing(row, self.currency)
        });
        Ok(StockPage { part: StockPart::InCarts, listings, complaints, total: None, next: None })
    }

    /// What lies in carts, all of it read.
    pub(super) async fn carts(&self, class: RequestClass) -> Result<Vec<Listing>, CallError> {
        let carts = self.articles_in_carts(class).await?;
        no_complaint("GET stock/shoppingcart-articles", &carts.complaints)?;
        Ok(carts.listings)
    }

    /// The articles of one product that can be bought.
    pub(super) async fn of_product(&self, product_id: i64) -> Result<Vec<Listing>, CallError> {
        let segments = ["stock", "products", &product_id.to_string()];
        let answer = match self.get("stock/products/{idProduct}", RequestClass::ReadBack, &segments).await {
            Err(CallError::NotFound { .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        if answer.response.status == 404 {
            return Ok(Vec::new());
        }
        let page = Page::read(&answer, 1, |body| body.article)?;
        let (articles, complaints) = json::read_rows(page.rows, "stock/products/{idProduct}", |row| {
            wire::own_article(row, self.currency)
        });
        no_complaint(&answer.at, &complaints)?;
        // What lies in carts has a list of its own and would be counted twice.
        Ok(articles.into_iter().filter(|article| !article.in_cart).map(OwnArticle::listing).collect())
    }
}

fn url(base: &Target, segments: &[&str]) -> Target {
    segments.iter().fold(base.clone().segment("output.json"), |url, segment| url.segment(segment))
}

/// The account itself: refused like everything else once access is gone (cardmarket.md 6.2).
pub(super) fn canary(base: &Target) -> Canary {
    Canary { template: "account", target: url(base, &["account"]) }
}

#[async_trait]
impl<W: Send + Sync> Marketplace for Cardmarket<W> {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        let answer = self.get("account", RequestClass::Orders, &["account"]).await?;
        let body = read_body(&answer)?;
        let account = body.account.ok_or_else(|| bad(&answer, "it has no `account`"))?;
        wire::identity(account).map_err(|problem| bad(&answer, &problem))
    }

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        match at.map(|cursor| cursor.0.as_str()) {
            Some(CARTS) => self.articles_in_carts(RequestClass::Stock).await,
            at => self.stock_from(start_of(at), RequestClass::Stock).await,
        }
    }

    async fn in_carts(&self) -> Result<Vec<Listing>, CallError> {
        self.carts(RequestClass::Stock).await
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        let start = start_of(at.map(|cursor| cursor.0.as_str()));
        let segments = ["orders", "seller", feed.name, &start.to_string()];
        let answer = self.get("orders/seller/{state}/{start}", RequestClass::Orders, &segments).await?;
        let page = Page::read(&answer, start, |body| body.order)?;
        let place = format!("orders/seller/{}/{start}", feed.name);
        let (orders, complaints) = json::read_rows(page.rows, &place, |row| wire::order(row, self.currency));
        Ok(OrderPage { orders, complaints, next: page.next.map(|start| PageCursor(start.to_string())) })
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
        let answer = self.get("order/{id}", RequestClass::Orders, &["order", &id.to_string()]).await?;
        if answer.response.status == 404 {
            return Ok(None);
        }
        let body = read_body(&answer)?;
        let order = body.order.ok_or_else(|| bad(&answer, "it has no `order`"))?;
        wire::order(order, self.currency).map(Some).map_err(|problem| bad(&answer, &problem))
    }

    async fn look(&self, wanted: &[Wanted]) -> Result<Looked, CallError> {
        self.look_at(wanted).await
    }

    fn look_key(&self, change: &Change) -> Option<i64> {
        let offer = change.before.as_ref().or(change.after.as_ref())?;
        look::product(&offer.attributes)
    }

    fn looking_costs(&self, looking: &Looking, listings: u64) -> u64 {
        look::costs(looking, listings)
    }

    fn stock_export(&self) -> Option<&dyn StockExport> {
        Some(self)
    }

    fn drafting(&self) -> Arc<dyn Drafting> {
        Arc::new(Articles)
    }
}

/// Where a path-paged list goes on: such lists count from 1 (cardmarket.md 8.1).
fn start_of(cursor: Option<&str>) -> u64 {
    cursor.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// One page of a path-paged list.
struct Page<'a> {
    rows: Vec<&'a RawValue>,
    total: Option<u64>,
    next: Option<u64>,
}

impl<'a> Page<'a> {
    /// Reads a page that began at `start`: 200 is the whole list unless a range says otherwise, 206 a part of it, 204
    /// nothing here (cardmarket.md 8.2). A 200 without the list is no empty list.
    fn read(
        answer: &'a Answer,
        start: u64,
        list: impl Fn(&Body<'a>) -> Option<&'a RawValue>,
    ) -> Result<Self, CallError> {
        if answer.response.status == 204 {
            return Ok(Self { rows: Vec::new(), total: (start == 1).then_some(0), next: None });
        }
        let body = read_body(answer)?;
        let list = list(&body).ok_or_else(|| bad(answer, "the list is missing in it"))?;
        let rows = json::rows(list).map_err(|problem| bad(answer, &problem))?;
        let total = answer.response.header("content-range").and_then(total_of);
        let more = match total {
            Some(total) => start + PAGE <= total,
            None => answer.response.status == 206 && rows.len() as u64 >= PAGE,
        };
        Ok(Self { rows, total, next: more.then_some(start + PAGE) })
    }
}

/// The total of a `Content-Range` such as `0-99/250` or `0-99/1000+`.
fn total_of(range: &str) -> Option<u64> {
    range.rsplit_once('/')?.1.trim().trim_end_matches('+').parse().ok()
}

/// The body of an answer that is a success. An error is looked for first, since it is valid JSON for most shapes.
pub(super) fn read_body(answer: &Answer) -> Result<Body<'_>, CallError> {
    let response = &answer.response;
    let success = (200..300).contains(&response.status);
    let body: Body<'_> = match serde_json::from_slice(&response.body) {
        Ok(body) => body,
        Err(_) if response.status == 404 => return Err(CallError::NotFound { at: answer.at.clone() }),
        Err(_) if !success => return Err(rejected(answer, "no reason that could be read".to_owned())),
        Err(error) => return Err(bad(answer, &what_it_is(&response.body, &error))),
    };
    match body.error() {
        Some(reason) => Err(rejected(answer, reason)),
        None if response.status == 404 => Err(CallError::NotFound { at: answer.at.clone() }),
        None if !success => Err(rejected(answer, "no reason given".to_owned())),
        None => Ok(body),
    }
}

/// The text may be localised, so it decides nothing but the words of the message; that a service is switched off was
/// known before ([`wire::maintenance`]).
pub(super) fn rejected(answer: &Answer, reason: String) -> CallError {
    let reason = reason.chars().take(200).collect();
    CallError::Rejected { at: answer.at.clone(), status: answer.response.status, reason }
}

pub(super) fn bad(answer: &Answer, what: &str) -> CallError {
    CallError::BadAnswer { at: answer.at.clone(), what: format!("an answer that makes no sense: {what}") }
}

/// Says what a body is instead of JSON, never what it says.
pub(super) fn what_it_is(body: &[u8], error: &serde_json::Error) -> String {
    let begin = body.trim_ascii_start();
    if begin.is_empty() {
        "it is empty".to_owned()
    } else if begin.starts_with(b"<") {
        format!("a page of HTML or XML ({} bytes) instead of JSON", body.len())
    } else if error.is_eof() {
        format!("it breaks off after {} bytes", body.len())
    } else {
        format!("it is no JSON ({} bytes)", body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::WireResponse;

    fn answer(status: u16, range: Option<&str>, body: &str) -> Answer {
        let mut response = WireResponse { status, body: body.as_bytes().to_vec(), ..WireResponse::default() };
        if let Some(range) = range {
            response.headers.insert("content-range", range.parse().unwrap());
        }
        Answer { at: "GET stock/{start}".to_owned(), response }
    }

    fn page(
        status: u16,
        range: Option<&str>,
        body: &str,
        start: u64,
    ) -> Result<(usize, Option<u64>), CallError> {
        let answer = answer(status, range, body);
        Page::read(&answer, start, |body| body.article).map(|page| (page.rows.len(), page.next))
    }

    #[test]
    fn paging_counts_from_one_and_loses_no_101st_article() {
        assert_eq!(page(206, Some("0-99/101"), r#"{"article":[{},{}]}"#, 1), Ok((2, Some(101))));
        assert_eq!(page(206, Some("100-100/101"), r#"{"article":[{}]}"#, 101), Ok((1, None)));
        assert_eq!(page(206, Some("0-99/100"), r#"{"article":[{}]}"#, 1), Ok((1, None)));
        assert_eq!(page(206, Some("0-99/1000+"), r#"{"article":[{}]}"#, 1), Ok((1, Some(101))));
        assert_eq!(page(200, None, r#"{"article":[{}]}"#, 1), Ok((1, None)));
        assert_eq!(page(204, None, "", 201), Ok((0, None)));
    }

    #[test]
    fn nothing_but_a_list_is_a_list() {
        let what = |body: &str| page(200, None, body, 1).unwrap_err().to_string();
        assert!(what("{}").contains("the list is missing"));
        assert!(what("<html>502</html>").contains("HTML"));
        assert!(what(r#"{"article":[{"idArt"#).contains("breaks off"));
        assert!(what("").contains("empty"));
        assert!(what(r#"{"article":7}"#).contains("no list"));
        assert!(
            what(r#"{"mkm_error_description":"Service currently not available"}"#)
                .contains("Service currently")
        );
        assert!(what(r#"{"error":"no"}"#).contains("no"));
        let error_in_200 = page(200, None, r#"{"error":"no"}"#, 1).unwrap_err();
        assert_eq!(error_in_200.error_type(), crate::domain::ErrorType::BadResponse);
    }
}
