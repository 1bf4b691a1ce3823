//! Cardmarket's endpoints and their paging (cardmarket.md 8 and 9).

use async_trait::async_trait;
use serde_json::value::RawValue;

use super::wire::{self, Body};
use super::{CAPABILITIES, PAGE};
use crate::domain::{
    Currency, OrderFeed, OrderId, OrderPage, OrderRead, PageCursor, RequestClass, StockPage, StockPart,
};
use crate::http::oauth1::Target;
use crate::http::{Answer, Asking, Call, CallError, Client};
use crate::marketplace::{Capabilities, Connection, Identity, Marketplace, json};

/// One Cardmarket account.
pub(super) struct Cardmarket {
    client: Client,
    base: Target,
    currency: Currency,
}

/// The cursor that stands for the articles in carts, which follow the last page of the stock.
const CARTS: &str = "carts";

impl Cardmarket {
    pub fn new(connection: Connection) -> Self {
        Self { client: connection.client, base: connection.base, currency: connection.currency }
    }

    /// The segment `output.json` selects JSON; it is part of the URL and of what is signed (cardmarket.md 1.3).
    fn url(&self, segments: &[&str]) -> Target {
        segments.iter().fold(self.base.clone().segment("output.json"), |url, segment| url.segment(segment))
    }

    async fn get(
        &self,
        template: &'static str,
        class: RequestClass,
        segments: &[&str],
    ) -> Result<Answer, CallError> {
        let call = Call { how: Asking::Get, template, class, target: self.url(segments) };
        self.client.call(&call).await
    }

    async fn stock_from(&self, start: u64) -> Result<StockPage, CallError> {
        let answer = self.get("stock/{start}", RequestClass::Stock, &["stock", &start.to_string()]).await?;
        let page = Page::read(&answer, start, |body| body.article)?;
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

    async fn articles_in_carts(&self) -> Result<StockPage, CallError> {
        let segments = ["stock", "shoppingcart-articles"];
        let answer = self.get("stock/shoppingcart-articles", RequestClass::Stock, &segments).await?;
        let page = Page::read(&answer, 1, |body| body.article)?;
        let (listings, complaints) = json::read_rows(page.rows, "stock/shoppingcart-articles", |row| {
            wire::listing(row, self.currency)
        });
        Ok(StockPage { part: StockPart::InCarts, listings, complaints, total: None, next: None })
    }
}

#[async_trait]
impl Marketplace for Cardmarket {
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
            Some(CARTS) => self.articles_in_carts().await,
            at => self.stock_from(start_of(at)).await,
        }
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
fn read_body(answer: &Answer) -> Result<Body<'_>, CallError> {
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

/// A 400 also means that a service is switched off for a while (cardmarket.md 6.1). The text may be localised, so it
/// decides nothing but the words of the message.
fn rejected(answer: &Answer, reason: String) -> CallError {
    let reason = reason.chars().take(200).collect();
    CallError::Rejected { at: answer.at.clone(), status: answer.response.status, reason }
}

fn bad(answer: &Answer, what: &str) -> CallError {
    CallError::BadAnswer { at: answer.at.clone(), what: format!("an answer that makes no sense: {what}") }
}

/// Says what a body is instead of JSON, never what it says.
fn what_it_is(body: &[u8], error: &serde_json::Error) -> String {
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
