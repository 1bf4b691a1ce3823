//! Listing, editing and ending: what the seller does, through the API or on the website, and what it costs.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::account::{Fee, edit_fees, total};
use super::document::Document;
use super::effects::{By, Effect, Stand, What};
use super::rules::{self, Found};
use super::seed::FIRST_LISTING;
use super::{Bid, Listing, Selling, Shop, State};

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such listing.
    Unknown(i64),
    /// All that is wrong with it.
    Wrong(Vec<String>),
}

/// How a seller ends a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withdrawal {
    /// 1: it was sold elsewhere; 2: it was not sold.
    pub kind: i64,
    /// Why, if it was not sold.
    pub reason: String,
    /// For how much, if it was sold; in cents.
    pub sale_cents: Option<u64>,
}

impl Shop {
    /// Lists something new and returns its number.
    pub(super) fn create(&mut self, document: &Document, by: By, now: DateTime<Utc>) -> Result<i64, Refused> {
        let now = now.trunc_subsecs(3);
        let wrong = self.judge_new(document, now);
        let Found::Leaf(category) = rules::find(document.text("Category")) else {
            return Err(Refused::Wrong(wrong));
        };
        right(wrong)?;
        let fees = self.listing_fees(document, now);
        self.must_pay(&fees)?;
        let step = self.rng.i64(1..=400);
        let id = self.listings.last().map_or(FIRST_LISTING, |last| last.id + step);
        let mut listing = Listing {
            id,
            title: String::new(),
            category,
            sku: None,
            selling: selling(document, Vec::new()),
            flat_shipping: false,
            rest: Arc::default(),
            start: now,
            end: end(document, now),
            sold_out: None,
            withdrawn: None,
            ended: false,
            sold: 0,
            known_sold: 0,
            views: 0,
            watchers: 0,
            listed_from: now + self.options.sold_lag,
            unseen: Vec::new(),
        };
        listing.become_as(document, category);
        self.charge(&fees, id, 0, listing.sku.as_deref(), now);
        let changed = Document::default().differing(document);
        let effect = effect(&listing, What::Created, by, now);
        self.effects.push(Effect { before: None, changed, fee_cents: total(&fees), ..effect });
        tracing::debug!(target: "sandbox", listing = id, "a listing was created");
        self.listings.push(listing);
        Ok(id)
    }

    /// Makes a live listing what the document says, all of it.
    pub(super) fn edit(
        &mut self,
        id: i64,
        document: &Document,
        by: By,
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        let now = now.trunc_subsecs(3);
        let at = self.listing_place(id).ok_or(Refused::Unknown(id))?;
        right(self.judge_edit(&self.listings[at], document, now))?;
        let before = self.listings[at].clone();
        let written = before.document();
        let fees = edit_fees(&written, document);
        self.must_pay(&fees)?;
        let seen_at = now + self.options.sold_lag;
        let listing = &mut self.listings[at];
        let changed = written.differing(document);
        let category = match rules::find(document.text("Category")) {
            Found::Leaf(category) => category,
            Found::Branch | Found::Nothing => listing.category,
        };
        listing.become_as(document, category);
        if changed.contains(&"Duration") || changed.contains(&"EndDateTime") {
            // An edit never ends a listing: that takes a withdrawal.
            listing.end = end(document, listing.start).max(now + TimeDelta::minutes(1));
        }
        let slipped = if by == By::Api { listing.sold.saturating_sub(listing.known_sold) } else { 0 };
        let rise = listing.quantity().unwrap_or(0).saturating_sub(before.quantity().unwrap_or(0));
        if by == By::Api {
            listing.known_sold = listing.sold;
        }
        listing.hide(before.clone(), now, seen_at);
        let effect = Effect {
            before: Some(Stand::of(&before)),
            changed,
            fee_cents: total(&fees),
            sold_since_read: slipped,
            readded: slipped.min(rise),
            ..effect(listing, What::Edited, by, now)
        };
        let sku = effect.sku.clone();
        self.charge(&fees, id, 0, sku.as_deref(), now);
        self.effects.push(effect);
        tracing::debug!(target: "sandbox", listing = id, "a listing was edited");
        Ok(())
    }

    /// What is wrong with ending a listing so.
    pub(super) fn judge_withdrawal(
        &self,
        row: &Listing,
        how: &Withdrawal,
        now: DateTime<Utc>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.state(row, now) != State::Active {
            wrong.push("This listing has already closed.".to_owned());
        }
        match how.kind {
            1 if how.sale_cents.is_none_or(|cents| cents < 50) => {
                wrong.push("Please enter the price for which it was sold.".to_owned());
            }
            2 if how.reason.is_empty() => wrong.push("Please enter a reason.".to_owned()),
            2 if how.reason.chars().count() > 255 => {
                wrong.push("The reason must be at most 255 characters.".to_owned());
            }
            1 | 2 => {}
            _ => wrong.push("Please say whether it was sold.".to_owned()),
        }
        wrong
    }

    /// What ending a listing so costs.
    pub(super) fn fees_of_withdrawal(&self, row: &Listing, how: &Withdrawal, now: DateTime<Utc>) -> Vec<Fee> {
        let mut fees = self.withdrawal_fees(row, now);
        if let (1, Some(cents)) = (how.kind, how.sale_cents) {
            fees.push(Fee {
                code: 5,
                name: "Success fee",
                cents: (cents.min(10_000_000) * 79 + 500) / 1_000,
            });
        }
        fees
    }

    /// Ends a listing before its time.
    pub(super) fn withdraw(
        &mut self,
        id: i64,
        how: &Withdrawal,
        by: By,
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        let now = now.trunc_subsecs(3);
        let at = self.listing_place(id).ok_or(Refused::Unknown(id))?;
        right(self.judge_withdrawal(&self.listings[at], how, now))?;
        let before = self.listings[at].clone();
        let fees = self.fees_of_withdrawal(&before, how, now);
        self.must_pay(&fees)?;
        let seen_at = now + self.options.sold_lag;
        let listing = &mut self.listings[at];
        listing.withdrawn = Some(now);
        listing.hide(before, now, seen_at);
        let effect = effect(listing, What::Withdrawn, by, now);
        self.charge(&fees, id, 0, effect.sku.clone().as_deref(), now);
        self.effects.push(Effect { after: None, fee_cents: total(&fees), ..effect });
        tracing::debug!(target: "sandbox", listing = id, "a listing was withdrawn");
        Ok(())
    }

    fn must_pay(&self, fees: &[Fee]) -> Result<(), Refused> {
        if self.can_pay(fees) { Ok(()) } else { Err(Refused::Wrong(vec!["Insufficient balance".to_owned()])) }
    }
}

impl Listing {
    /// The whole of it as its seller would write it.
    pub fn document(&self) -> Document {
        let (number, ..) = super::words::CATEGORIES[self.category % super::words::CATEGORIES.len()];
        let document = (*self.rest)
            .clone()
            .with("Category", number)
            .with("Title", self.title.as_str())
            .with("SKU", self.sku.as_deref())
            .with("IsFlatShippingCharge", self.flat_shipping);
        match &self.selling {
            Selling::BuyNow { cents, quantity } => {
                document.with("BuyNowPrice", *cents).with("Quantity", *quantity)
            }
            Selling::Auction { start_cents, reserve_cents, buy_now_cents, .. } => document
                .with("StartPrice", *start_cents)
                .with("ReservePrice", *reserve_cents)
                .with("BuyNowPrice", *buy_now_cents),
        }
    }

    fn become_as(&mut self, document: &Document, category: usize) {
        let bids = self.bids().to_vec();
        self.selling = selling(document, bids);
        self.title = document.text("Title").to_owned();
        self.category = category;
        self.sku = Some(document.text("SKU").to_owned()).filter(|sku| !sku.is_empty());
        self.flat_shipping = document.flag("IsFlatShippingCharge");
        let composed = [
            "Category",
            "Title",
            "SKU",
            "IsFlatShippingCharge",
            "StartPrice",
            "ReservePrice",
            "BuyNowPrice",
            "Quantity",
        ];
        self.rest = Arc::new(composed.into_iter().fold(document.clone(), |rest, name| rest.with(name, ())));
    }
}

fn selling(document: &Document, bids: Vec<Bid>) -> Selling {
    match document.number("Quantity") {
        Some(quantity) => Selling::BuyNow {
            cents: document.cents("BuyNowPrice").unwrap_or_default(),
            quantity: u32::try_from(quantity).unwrap_or_default(),
        },
        None => Selling::Auction {
            start_cents: document.cents("StartPrice").unwrap_or_default(),
            reserve_cents: document.cents("ReservePrice"),
            buy_now_cents: document.cents("BuyNowPrice"),
            bids,
        },
    }
}

/// When a listing ends that began at `start`.
fn end(document: &Document, start: DateTime<Utc>) -> DateTime<Utc> {
    match document.number("Duration") {
        Some(days) => start + TimeDelta::days(days),
        None => document.date("EndDateTime").unwrap_or(start),
    }
}

/// An effect that leaves `listing` as it is, changes nothing and costs nothing.
fn effect(listing: &Listing, what: What, by: By, now: DateTime<Utc>) -> Effect {
    let reference = Some(listing.rest.text("ExternalReferenceId").to_owned());
    Effect {
        at: now,
        listing_id: listing.id,
        what,
        by,
        before: Some(Stand::of(listing)),
        after: Some(Stand::of(listing)),
        changed: Vec::new(),
        fee_cents: 0,
        sold_since_read: 0,
        readded: 0,
        sku: listing.sku.clone(),
        reference: reference.filter(|reference| !reference.is_empty()),
    }
}

fn right(wrong: Vec<String>) -> Result<(), Refused> {
    if wrong.is_empty() { Ok(()) } else { Err(Refused::Wrong(wrong)) }
}
