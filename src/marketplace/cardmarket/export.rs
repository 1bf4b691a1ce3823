//! The asynchronous export of the stock (cardmarket.md 9.6): asked for, made within minutes, fetched from a store.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::PAGE;
use super::api::{Cardmarket, bad, read_body};
use super::rows::Rows;
use super::wire::{self, OwnArticle};
use crate::domain::{Complaint, Currency, Listing, RequestClass, StockPage, StockPart, clean};
use crate::http::{Asking, CallError, Download};
use crate::marketplace::json::{self, Raw};
use crate::marketplace::{ExportFile, ExportRequest, ExportState, StockExport, StockFile};

/// How far the marketplace's clock may be behind ours.
const TOLERANCE: TimeDelta = TimeDelta::seconds(120);

#[async_trait]
impl<W: Send + Sync> StockExport for Cardmarket<W> {
    /// 202 with a body that may be empty: then the file is found among those of the last day.
    async fn request(&self, now: DateTime<Utc>) -> Result<ExportRequest, CallError> {
        let segments = ["exports", "stock"];
        let how = Asking::Query(None);
        let answer = self.ask(how, "exports/stock", RequestClass::Stock, &segments).await?;
        let empty = answer.response.body.trim_ascii().is_empty();
        let id = if empty && answer.response.status < 300 {
            None
        } else {
            read_body(&answer)?;
            // A list would be of everything that was asked for on this day; only a single one is certainly ours.
            let exports: Exports<'_> = serde_json::from_slice(&answer.response.body).unwrap_or_default();
            json::optional_number(exports.single().and_then(id_of))
        };
        Ok(ExportRequest { requested_at: now, id })
    }

    async fn state(&self, request: &ExportRequest) -> Result<ExportState, CallError> {
        let id = request.id.map(|id| id.to_string());
        let answer = match &id {
            Some(id) => {
                let segments = ["exports", "stock", id];
                self.get("exports/stock/{idRequest}", RequestClass::Stock, &segments).await?
            }
            None => self.get("exports/stock", RequestClass::Stock, &["exports", "stock"]).await?,
        };
        if answer.response.status == 204 {
            return Ok(ExportState::Pending);
        }
        read_body(&answer)?;
        let exports: Exports<'_> = serde_json::from_slice(&answer.response.body)
            .map_err(|_| bad(&answer, "it is not of the documented shape"))?;
        let rows = exports.rows().map_err(|problem| bad(&answer, &problem))?;
        state_of(&rows, request).map_err(|problem| bad(&answer, &problem))
    }

    async fn open(&self, file: &ExportFile) -> Result<Box<dyn StockFile>, CallError> {
        let market = self.reading();
        let download = market.client.download(&file.url).await?;
        Ok(Box::new(Exported { download, market, pages: Pages::new(self.currency) }))
    }
}

/// An answer about exports. The list is documented under one name and the single one under another.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Exports<'a> {
    #[serde(borrow)]
    stock_exports: Raw<'a>,
    #[serde(borrow)]
    stock_request: Raw<'a>,
    #[serde(borrow)]
    stock_export: Raw<'a>,
}

impl<'a> Exports<'a> {
    fn rows(&self) -> Result<Vec<&'a RawValue>, String> {
        let list = self.stock_request.or(self.stock_export).or(self.stock_exports);
        json::rows(list.ok_or("the list of exports is missing in it")?)
    }

    fn single(&self) -> Option<&'a RawValue> {
        self.stock_request.or(self.stock_export)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export<'a> {
    #[serde(borrow)]
    id_request: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    started_at: Raw<'a>,
    #[serde(borrow)]
    finished_at: Raw<'a>,
    #[serde(borrow)]
    url: Raw<'a>,
}

fn id_of(row: &RawValue) -> Raw<'_> {
    json::object::<Export<'_>>(row).ok()?.id_request
}

/// How far the file is that was asked for: the one of its number, else the newest that was begun since.
fn state_of(rows: &[&RawValue], request: &ExportRequest) -> Result<ExportState, String> {
    let mut exports = Vec::with_capacity(rows.len());
    for row in rows {
        let export: Export<'_> = json::object(row)?;
        exports.push((json::optional_number(export.id_request), export));
    }
    let since = request.requested_at - TOLERANCE;
    let begun = |export: &Export<'_>| instant(export.started_at);
    let ours = match request.id {
        Some(id) => exports.into_iter().find(|(number, _)| *number == Some(id)).map(|(_, export)| export),
        None => {
            let fresh = exports.into_iter().filter(|(_, export)| begun(export).is_some_and(|at| at >= since));
            fresh.max_by_key(|(number, _)| *number).map(|(_, export)| export)
        }
    };
    let Some(export) = ours else { return Ok(ExportState::Pending) };
    let state = match json::words(export.status).as_deref() {
        Some("pending") => ExportState::Pending,
        Some("finished") => match (begun(&export), instant(export.finished_at), json::text(export.url)) {
            (Some(begun_at), Some(finished), Some(url)) if begun_at >= since && finished >= since => {
                let took = (finished - begun_at).to_std().unwrap_or_default();
                ExportState::Ready(ExportFile { url: url.trim().to_owned(), begun_at, took })
            }
            (Some(_), Some(_), Some(_)) => {
                ExportState::Failed("it is older than the request for it".to_owned())
            }
            _ => ExportState::Failed("it is said to be finished, without when or where".to_owned()),
        },
        Some(status) => ExportState::Failed(format!("its state is `{status}`")),
        None => return Err("`status` is missing".to_owned()),
    };
    Ok(state)
}

/// A time without an offset is one of Berlin. Of an hour that comes twice the first is meant, so that a file seems
/// older than it is and never newer.
fn instant(raw: Raw<'_>) -> Option<DateTime<Utc>> {
    let of_berlin = || {
        let text = json::text(raw)?;
        let local = NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S").ok()?;
        Some(Berlin.from_local_datetime(&local).earliest()?.with_timezone(&Utc))
    };
    json::instant(raw).or_else(of_berlin)
}

/// The file on its way here.
struct Exported {
    download: Download,
    market: Cardmarket,
    pages: Pages,
}

#[async_trait]
impl StockFile for Exported {
    async fn next(&mut self) -> Result<Option<StockPage>, CallError> {
        loop {
            match self.pages.take() {
                Taken::Page(page) => return Ok(Some(page)),
                Taken::End => return Ok(None),
                // No row of the file lay in a cart: either nothing does, or files do not show carts. Their own list
                // costs one request and leaves no doubt.
                Taken::NoCarts => {
                    let carts = self.market.articles_in_carts(RequestClass::Stock).await?;
                    return Ok(Some(StockPage { next: None, ..carts }));
                }
                Taken::More => {}
            }
            let part = self.download.next().await?;
            self.pages.push(part.as_deref()).map_err(|problem| CallError::BadAnswer {
                at: "the exported stock".to_owned(),
                what: format!("an answer that makes no sense: {problem}"),
            })?;
        }
    }
}

/// Makes pages of the rows as they arrive.
struct Pages {
    rows: Rows,
    currency: Currency,
    row: u64,
    offered: Vec<Listing>,
    complaints: Vec<Complaint>,
    in_carts: Vec<Listing>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Arriving,
    Whole,
    CartsNext,
    Over,
}

/// What can be handed out now.
enum Taken {
    Page(StockPage),
    More,
    NoCarts,
    End,
}

impl Pages {
    fn new(currency: Currency) -> Self {
        Self {
            rows: Rows::default(),
            currency,
            row: 0,
            offered: Vec::new(),
            complaints: Vec::new(),
            in_carts: Vec::new(),
            stage: Stage::Arriving,
        }
    }

    /// Takes the next part in; `None` is the end of the file.
    fn push(&mut self, part: Option<&[u8]>) -> Result<(), String> {
        let Some(part) = part else {
            self.stage = Stage::Whole;
            return self.rows.finish();
        };
        let Self { rows, currency, row, offered, complaints, in_carts, .. } = self;
        rows.push(part, &mut |text| {
            *row += 1;
            let raw = serde_json::from_slice::<&RawValue>(text);
            let article =
                raw.map_err(|_| "it is no JSON".to_owned()).and_then(|raw| wire::own_article(raw, *currency));
            match article {
                Ok(article) if article.in_cart => in_carts.push(article.listing()),
                Ok(article) => offered.push(OwnArticle::listing(article)),
                Err(problem) => complaints.push(Complaint {
                    place: format!("row {row} of the exported stock"),
                    problem: clean(&problem),
                }),
            }
        })
    }

    fn take(&mut self) -> Taken {
        let full = PAGE as usize;
        match self.stage {
            Stage::Arriving if self.offered.len() < full && self.complaints.len() < full => Taken::More,
            Stage::Arriving => Taken::Page(self.page(full)),
            Stage::Whole => {
                if self.offered.len() <= full {
                    self.stage = Stage::CartsNext;
                }
                Taken::Page(self.page(full))
            }
            Stage::CartsNext => {
                self.stage = Stage::Over;
                if self.in_carts.is_empty() {
                    return Taken::NoCarts;
                }
                // One page: copies of one article may lie in several carts, and their sum is taken by page.
                let listings = std::mem::take(&mut self.in_carts);
                Taken::Page(page(StockPart::InCarts, listings, Vec::new()))
            }
            Stage::Over => Taken::End,
        }
    }

    fn page(&mut self, full: usize) -> StockPage {
        let rest = self.offered.split_off(self.offered.len().min(full));
        let listings = std::mem::replace(&mut self.offered, rest);
        page(StockPart::Offered, listings, std::mem::take(&mut self.complaints))
    }
}

fn page(part: StockPart, listings: Vec<Listing>, complaints: Vec<Complaint>) -> StockPage {
    StockPage { part, listings, complaints, total: None, next: None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// 14:31 in Berlin.
    fn asked() -> DateTime<Utc> {
        "2026-06-21T12:31:00Z".parse().unwrap()
    }

    fn export(id: i64, status: &str, begun: &str, finished: &str, url: &str) -> Value {
        json!({
            "idRequest": id, "idUser": 9999, "status": status, "startedAt": begun, "finishedAt": finished,
            "type": "Stock Export", "resourceId": "stock-9999-2910.json", "url": url,
        })
    }

    fn state(id: Option<i64>, body: &Value) -> Result<ExportState, String> {
        let text = body.to_string();
        let exports: Exports<'_> = serde_json::from_str(&text).unwrap();
        state_of(&exports.rows()?, &ExportRequest { requested_at: asked(), id })
    }

    const URL: &str = "https://example-bucket/presigned?X-Amz-Signature=1";

    fn ready(url: &str, begun_at: &str, took: u64) -> Result<ExportState, String> {
        let (begun_at, took) = (begun_at.parse().unwrap(), std::time::Duration::from_secs(took));
        Ok(ExportState::Ready(ExportFile { url: url.to_owned(), begun_at, took }))
    }

    #[test]
    fn a_finished_file_is_ready_if_it_was_begun_after_it_was_asked_for() {
        let of = |begun, finished| {
            state(Some(7), &json!({"stockRequest": export(7, "finished", begun, finished, URL)}))
        };
        assert_eq!(of("2026-06-21 14:31:05", "2026-06-21 14:34:09"), ready(URL, "2026-06-21T12:31:05Z", 184));
        assert_eq!(of("2026-06-21 14:29:30", "2026-06-21 14:34:09"), ready(URL, "2026-06-21T12:29:30Z", 279));
        assert!(matches!(of("2026-06-21 13:31:05", "2026-06-21 13:34:09"), Ok(ExportState::Failed(_))));
        assert!(matches!(of("2026-06-21 14:20:05", "2026-06-21 14:34:09"), Ok(ExportState::Failed(_))));
        assert!(matches!(of("2026-06-21 14:31:05", ""), Ok(ExportState::Failed(_))));
    }

    #[test]
    fn without_a_number_the_newest_file_since_is_ours() {
        let pending = export(9, "pending", "2026-06-21 14:31:05", "", "");
        let older = export(8, "finished", "2026-06-21 11:35:34", "2026-06-21 11:38:45", URL);
        let list = json!({"stockExports": [older, pending]});
        assert_eq!(state(None, &list), Ok(ExportState::Pending));
        assert_eq!(state(None, &json!({"stockExports": [older]})), Ok(ExportState::Pending), "not ours");
        assert_eq!(state(None, &json!({"stockExports": []})), Ok(ExportState::Pending));
        let done = export(9, "finished", "2026-06-21 14:31:05", "2026-06-21 14:33:05", URL);
        assert_eq!(
            state(None, &json!({"stockExports": [done, older]})),
            ready(URL, "2026-06-21T12:31:05Z", 120)
        );
    }

    #[test]
    fn whatever_else_it_says_is_a_failure() {
        let of = |status| state(Some(7), &json!({"stockRequest": export(7, status, "", "", "")}));
        assert!(matches!(of("failed"), Ok(ExportState::Failed(why)) if why.contains("failed")));
        assert!(of("").is_err());
        assert!(state(Some(7), &json!({"article": []})).is_err());
    }

    #[test]
    fn the_address_of_a_file_is_in_no_message() {
        let state = state(
            Some(7),
            &json!({"stockRequest": export(7, "finished", "2026-06-21 14:31:05", "2026-06-21 14:31:06", URL)}),
        );
        assert!(!format!("{state:?}").contains("bucket"));
    }

    #[test]
    fn an_hour_that_comes_twice_is_the_first() {
        let at = |text: &str| instant(Some(&RawValue::from_string(format!("\"{text}\"")).unwrap()));
        assert_eq!(at("2026-10-25 02:30:00"), "2026-10-25T00:30:00Z".parse().ok());
        assert_eq!(at("2026-03-29 02:30:00"), None);
        assert_eq!(at("soon"), None);
    }

    fn article(id: i64, in_cart: bool) -> Value {
        json!({"idArticle": id, "idProduct": 7, "price": 1.5, "count": 1, "inShoppingCart": in_cart})
    }

    fn pages(document: &str) -> Result<Vec<StockPage>, String> {
        let mut pages = Pages::new(Currency::EUR);
        let mut parts = document.as_bytes().chunks(1_000);
        let mut all = Vec::new();
        loop {
            match pages.take() {
                Taken::Page(page) => all.push(page),
                Taken::More => pages.push(parts.next())?,
                Taken::NoCarts | Taken::End => return Ok(all),
            }
        }
    }

    #[test]
    fn a_file_comes_in_pages_and_what_lies_in_carts_last() {
        let rows: Vec<Value> = (1..=255).map(|id| article(id, id % 100 == 0)).collect();
        let pages = pages(&json!({"article": rows}).to_string()).unwrap();
        let shape: Vec<_> = pages.iter().map(|page| (page.part, page.listings.len())).collect();
        let offered = |count| (StockPart::Offered, count);
        assert_eq!(shape, [offered(100), offered(100), offered(53), (StockPart::InCarts, 2)]);
        let offered = pages.iter().take(3).flat_map(|page| &page.listings).map(|listing| listing.id.0);
        assert!(offered.eq((1..=255).filter(|id| id % 100 != 0)));
    }

    #[test]
    fn an_empty_stock_is_one_empty_page() {
        let pages = pages(r#"{"article":[]}"#).unwrap();
        assert_eq!(pages.len(), 1);
        assert!(pages[0].listings.is_empty() && pages[0].complaints.is_empty());
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_complaint_and_a_file_that_breaks_off_is_none() {
        let document =
            json!({"article": [article(1, false), {"idArticle": 2}, article(3, false)]}).to_string();
        let page = pages(&document).unwrap().remove(0);
        assert_eq!((page.listings.len(), page.complaints.len()), (2, 1));
        assert!(page.complaints[0].place.contains("row 2"));
        assert!(pages(&document[..document.len() - 1]).is_err());
    }
}
