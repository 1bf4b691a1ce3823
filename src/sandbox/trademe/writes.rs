//! What the write endpoints and their quotes answer.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::account::{Fee, edit_fees, total};
use super::deeds::{Refused, Withdrawal};
use super::document::Document;
use super::effects::By;
use super::json::Style;
use super::options::Failures;
use super::pipeline::{error, is_json};
use super::reads::json;
use super::route::{Deed, Format};
use super::{Shop, wire};
use crate::sandbox::answer::Answer;
use crate::sandbox::faults::Effects;
use crate::sandbox::request::Request;

/// Something that a request wants done and that is done later, whatever became of the request.
#[derive(Debug)]
pub struct Later {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub deed: Deed,
    /// The request's body.
    pub body: Vec<u8>,
}

/// Why a request is none: it is answered with 400.
type Malformed = String;

impl Shop {
    /// Answers a write, or the quote of one, that passed every check.
    pub(super) fn write(
        &mut self,
        request: &Request<'_>,
        deed: Deed,
        effects: &Effects,
        now: DateTime<Utc>,
    ) -> Answer {
        let done = if is_json(request) {
            self.perform(deed, request.body, self.style(effects), now)
        } else {
            Err("The body must be application/json".to_owned())
        };
        done.unwrap_or_else(|malformed| error(request, Format::Json, 400, &malformed))
    }

    /// Does what a body says.
    pub(super) fn perform(
        &mut self,
        deed: Deed,
        body: &[u8],
        style: Style,
        now: DateTime<Utc>,
    ) -> Result<Answer, Malformed> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| "The request body is not valid JSON".to_owned())?;
        let Value::Object(body) = body else { return Err("The request body is not an object".to_owned()) };
        match deed {
            Deed::Create | Deed::Validate | Deed::Fees => {
                let document = Document::read(&body)?;
                match deed {
                    Deed::Create => {
                        let done = self.create(&document, By::Api, now);
                        self.told(done, &body, style, now)
                    }
                    Deed::Validate => Ok(judged(style, &self.judge_new(&document, now))),
                    _ => {
                        let fees = self.listing_fees(&document, now);
                        Ok(self.quoted(style, &self.judge_new(&document, now), &fees, now))
                    }
                }
            }
            Deed::Edit | Deed::EditFees => {
                let id = listing_id(&body)?;
                let document = Document::read(&body)?;
                if deed == Deed::Edit {
                    let done = self.edit(id, &document, By::Api, now).map(|()| id);
                    return self.told(done, &body, style, now);
                }
                let listing = self.listing(id).ok_or_else(|| unknown(id))?;
                let fees = edit_fees(&listing.document(), &document);
                Ok(self.quoted(style, &self.judge_edit(listing, &document, now), &fees, now))
            }
            Deed::Withdraw | Deed::WithdrawFees => {
                let id = listing_id(&body)?;
                let how = withdrawal(&body)?;
                if deed == Deed::Withdraw {
                    let done = self.withdraw(id, &how, By::Api, now).map(|()| id);
                    return self.told(done, &body, style, now);
                }
                let listing = self.listing(id).ok_or_else(|| unknown(id))?;
                let fees = self.fees_of_withdrawal(listing, &how, now);
                Ok(self.quoted(style, &self.judge_withdrawal(listing, &how, now), &fees, now))
            }
        }
    }

    /// The answer to a write: the number of the listing, or all that was wrong.
    fn told(
        &self,
        done: Result<i64, Refused>,
        body: &Map<String, Value>,
        style: Style,
        now: DateTime<Utc>,
    ) -> Result<Answer, Malformed> {
        match done {
            Ok(id) => {
                let wanted = body.get("ReturnListingDetails").and_then(Value::as_bool).unwrap_or_default();
                let shown = self.listing(id).filter(|_| wanted);
                Ok(json(style, |json| {
                    json.flag("Success", true);
                    json.number("ListingId", id);
                    if let Some(row) = shown {
                        json.nested("Listing", |json| wire::details(json, self, row, &[], true, now));
                    }
                }))
            }
            Err(Refused::Unknown(id)) => Err(unknown(id)),
            Err(Refused::Wrong(wrong)) => Ok(json(style, |json| {
                let text = wrong.join("\r\n");
                if self.options.failures == Failures::Description {
                    json.raw("Success", "false");
                    json.text("Description", &text);
                    json.raw("ListingId", "0");
                } else if self.options.failures == Failures::Error {
                    json.raw("Success", "false");
                    json.text("Error", &text);
                } else {
                    json.text("ErrorDescription", &text);
                }
            })),
        }
    }

    /// The answer to a question for fees.
    fn quoted(&self, style: Style, wrong: &[String], fees: &[Fee], now: DateTime<Utc>) -> Answer {
        if !wrong.is_empty() {
            return judged(style, wrong);
        }
        json(style, |json| {
            json.flag("Success", true);
            json.money("TotalCost", total(fees));
            json.flag("InsufficientBalance", !self.can_pay(fees));
            json.nested("FeeItems", |json| {
                json.number("TotalCount", fees.len() as i64);
                json.number("Page", 1);
                json.number("PageSize", fees.len() as i64);
                json.list("List", fees, |json, _, fee| {
                    json.date("Date", Some(now));
                    json.code("Type", fee.code);
                    json.text("Description", fee.name);
                    json.money("Credit", 0_u64);
                    json.money("Debit", fee.cents);
                    json.flag("WillBeInvoiced", false);
                });
            });
        })
    }
}

/// The answer of a dry run: every error stands by itself.
fn judged(style: Style, wrong: &[String]) -> Answer {
    json(style, |json| {
        json.raw("Success", if wrong.is_empty() { "true" } else { "false" });
        json.list("ValidationErrors", wrong, |json, _, message| json.text("Message", message));
    })
}

fn withdrawal(body: &Map<String, Value>) -> Result<Withdrawal, Malformed> {
    let member = |name: &str| body.get(name).filter(|value| !value.is_null());
    let unreadable = |name: &str| format!("The value of {name} cannot be read");
    let kind = member("Type").map_or(Some(0), Value::as_i64).ok_or_else(|| unreadable("Type"))?;
    let reason = member("Reason").map_or(Some(""), Value::as_str).ok_or_else(|| unreadable("Reason"))?;
    let price = member("SalePrice").map(|price| price.as_f64().filter(|price| (0.0..1e6).contains(price)));
    let sale_cents = match price {
        None => None,
        Some(price) => Some((price.ok_or_else(|| unreadable("SalePrice"))? * 100.0).round() as u64),
    };
    Ok(Withdrawal { kind, reason: reason.to_owned(), sale_cents })
}

fn listing_id(body: &Map<String, Value>) -> Result<i64, Malformed> {
    body.get("ListingId")
        .and_then(Value::as_i64)
        .ok_or_else(|| "The value of ListingId cannot be read".to_owned())
}

fn unknown(id: i64) -> Malformed {
    format!("Listing {id} was not found")
}
