//! What changes cost, asked before they are made (trademe.md 11.3 and 11.6): a listing that is taken down, and one that is
//! made. An edit of price and copies costs nothing and is not asked about.
//!
//! Each answer costs a request, so for a new listing the public details of its category are looked at first. Each is about
//! one change alone; how far the balance goes for all of them is for whoever knows them all (trademe.md 17.1).

use std::collections::BTreeMap;

use super::answer::{Body, bad};
use super::api::{Line, TradeMe};
use super::document::{self, Document};
use super::{category, draft, verdict, wire};
use crate::domain::{Change, Fee, ListingId, Money, Obstacle, Offer, Operation, RequestClass, Sku};
use crate::http::{Answer, Asking, CallError};
use crate::marketplace::json;

/// The details of the categories that were asked about; `None` where there are none to be had.
type Categories = BTreeMap<String, Option<Answer>>;

/// What a change costs, and why it would not be made.
type Quoted = (Money, Option<Obstacle>);

/// Requests that asking about so many changes of each kind takes. Where something would be made, the balance is asked
/// for, too.
pub(super) fn costs(counts: &BTreeMap<Operation, u64>) -> u64 {
    let of = |op| counts.get(&op).copied().unwrap_or(0);
    let made = of(Operation::Add);
    of(Operation::Zero) + of(Operation::Remove) + 2 * made + u64::from(made > 0)
}

impl<C: Line> TradeMe<C> {
    /// The fees of those changes that cost something or cannot be made.
    pub async fn charges(&self, changes: &[Change]) -> Result<Vec<Fee>, CallError> {
        let mut categories = Categories::new();
        let mut fees = Vec::new();
        for (change, what) in changes.iter().enumerate() {
            let quote = match (what.op, what.listing_id, &what.after) {
                (Operation::Zero | Operation::Remove, Some(id), _) => self.withdrawal_fee(id).await?,
                (Operation::Add, _, Some(offer)) => {
                    self.listing_fee(offer, &what.sku, &mut categories).await?
                }
                _ => continue,
            };
            let (amount, obstacle) = quote;
            if amount.minor > 0 || obstacle.is_some() {
                fees.push(Fee { change, amount, obstacle });
            }
        }
        Ok(fees)
    }

    /// What the account has for fees, unless they are invoiced.
    pub async fn left_to_spend(&self) -> Result<Option<Money>, CallError> {
        let url = self.url(&["MyTradeMe"], "Summary");
        let answer = self.get("MyTradeMe/Summary", RequestClass::Stock, url).await?;
        wire::balance(&Body::read(&answer)?, self.currency).map_err(|problem| bad(&answer, &problem))
    }

    async fn withdrawal_fee(&self, id: ListingId) -> Result<Quoted, CallError> {
        let answer = self.ask("Selling/WithdrawFees", "WithdrawFees", &withdrawal_of(id)).await?;
        self.quoted(&answer)
    }

    /// What the category says first, whether it would be accepted next, what it costs last.
    async fn listing_fee(
        &self,
        offer: &Offer,
        sku: &Sku,
        categories: &mut Categories,
    ) -> Result<Quoted, CallError> {
        let not = |why: String| Ok((self.nothing(), Some(Obstacle::Refused(why))));
        let request = match draft::request(offer, sku, None) {
            Ok(request) => request,
            Err(why) => return not(why),
        };
        if let Some(why) = self.category_objects(&request, categories).await? {
            return not(why);
        }
        let answer = self.ask("Selling/Validate", "Validate", &request).await?;
        if let Some(why) = verdict::valid(&answer)? {
            return not(why);
        }
        let answer = self.ask("Selling/Fees", "Fees", &request).await?;
        self.quoted(&answer)
    }

    fn quoted(&self, answer: &Answer) -> Result<Quoted, CallError> {
        Ok(match verdict::quote(answer, self.currency)? {
            Ok(quote) => (quote.cost, quote.too_dear.then_some(Obstacle::TooDear)),
            Err(why) => (self.nothing(), Some(Obstacle::Refused(why))),
        })
    }

    /// Why the category cannot have the listing. What can't be read is left to the validation that follows.
    async fn category_objects(
        &self,
        request: &Document,
        categories: &mut Categories,
    ) -> Result<Option<String>, CallError> {
        let Some(id) = json::text(request.get("Category")).and_then(|text| category::id(&text)) else {
            return Ok(Some("its `Category` is no number of a category".to_owned()));
        };
        if !categories.contains_key(&id) {
            let details = self.category_details(&id).await?;
            categories.insert(id.clone(), details);
        }
        let details = categories.get(&id).and_then(Option::as_ref);
        let details = details.and_then(|answer| serde_json::from_slice(&answer.response.body).ok());
        Ok(details.and_then(|details| category::objections(details, request)))
    }

    async fn category_details(&self, id: &str) -> Result<Option<Answer>, CallError> {
        let url = self.url(&["Categories", id], "Details");
        let template = "Categories/{id}/Details";
        let answer = self.call(Asking::Catalogue, template, RequestClass::Public, url).await?;
        Ok(Body::read(&answer).is_ok().then_some(answer))
    }

    /// Asks about a listing with a POST that changes nothing.
    async fn ask(&self, template: &'static str, last: &str, what: &Document) -> Result<Answer, CallError> {
        let how = Asking::Query(Some(what.to_body()));
        let answer = self.call(how, template, RequestClass::Stock, self.url(&["Selling"], last)).await?;
        match answer.response.status {
            404 => Err(bad(&answer, "404: Trade Me has no such method; check `base_url`")),
            _ => Ok(answer),
        }
    }

    fn nothing(&self) -> Money {
        Money { minor: 0, currency: self.currency }
    }
}

/// A request about a listing that is taken down without a sale.
pub(super) fn withdrawal_of(id: ListingId) -> Document {
    let mut request = Document::default();
    request.set("ListingId", document::number(id.0));
    request.set("Type", document::number(NOT_SOLD));
    request.set("Reason", document::text(REASON));
    request
}

/// `ListingWasNotSold`: the other type declares a sale and may be charged as one.
const NOT_SOLD: i64 = 2;

/// What bidders and watchers may be shown.
const REASON: &str = "The item is no longer available.";
