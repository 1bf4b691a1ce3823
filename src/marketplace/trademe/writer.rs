//! Changing a listing (trademe.md 11): one listing a request, read just before it is changed.

use async_trait::async_trait;

use super::api::TradeMe;
use super::document::Document;
use super::verdict::{self, Written};
use super::{charge, draft, edit};
use crate::domain::{ListingId, Offer, RequestClass};
use crate::http::{Answer, CallError, Write, WriteError, WriteMethod, WritingClient};
use crate::marketplace::{Batch, Item, ItemOutcome, Step, Writer};

/// What is sent of an item: or what became of it without anything being sent.
type Ready<T> = Result<T, ItemOutcome>;

#[async_trait]
impl Writer for TradeMe<WritingClient> {
    async fn write(&self, batch: &Batch) -> Result<Vec<ItemOutcome>, WriteError> {
        let [item] = batch.items.as_slice() else {
            let what =
                format!("{} listings in one batch, and Trade Me takes one at a time", batch.items.len());
            return Err(WriteError::NoEffect(CallError::BadAnswer {
                at: "a batch of writes".to_owned(),
                what,
            }));
        };
        // Whatever the step says of a listing: with no copy left to sell, it is taken down.
        let after = item.after.as_ref().filter(|after| after.listed() > 0);
        let class = batch.class();
        let outcome = match (batch.step, item.listing_id, after) {
            (Step::Add, _, Some(offer)) => self.make(item, offer).await,
            (Step::Add, _, None) => Ok(ItemOutcome::Refused("there is no copy to list".to_owned())),
            (_, Some(id), Some(offer)) => self.edit(item, id, offer, class).await,
            (_, Some(id), None) => self.withdraw(item, id).await,
            (_, None, _) => Ok(ItemOutcome::Refused("it has no number of a listing".to_owned())),
        };
        Ok(vec![outcome?])
    }
}

impl TradeMe<WritingClient> {
    async fn make(&self, item: &Item, offer: &Offer) -> Result<ItemOutcome, WriteError> {
        let request = match draft::request(offer, &item.sku, Some(&item.reference)) {
            Ok(request) => request,
            Err(why) => return Ok(ItemOutcome::Refused(why)),
        };
        let answer = self.send("Selling", &[], "Selling", &request, item, RequestClass::Stock).await?;
        Ok(verdict::outcome(&answer, Written::Made))
    }

    async fn edit(
        &self,
        item: &Item,
        id: ListingId,
        after: &Offer,
        class: RequestClass,
    ) -> Result<ItemOutcome, WriteError> {
        let request = match self.prepared(item, id, after, class).await? {
            Ok(request) => request,
            Err(outcome) => return Ok(outcome),
        };
        let answer = self.send("Selling/Edit", &["Selling"], "Edit", &request, item, class).await?;
        Ok(verdict::outcome(&answer, Written::Edited(id)))
    }

    async fn withdraw(&self, item: &Item, id: ListingId) -> Result<ItemOutcome, WriteError> {
        if let Err(outcome) = self.standing_still(item, id, Aim::Gone, RequestClass::Stock).await? {
            return Ok(outcome);
        }
        let request = charge::withdrawal_of(id);
        let answer = self
            .send("Selling/Withdraw", &["Selling"], "Withdraw", &request, item, RequestClass::Stock)
            .await?;
        Ok(verdict::outcome(&answer, Written::Withdrawn))
    }

    /// The edit request for `after`, where what stands there is what the plan saw.
    async fn prepared(
        &self,
        item: &Item,
        id: ListingId,
        after: &Offer,
        class: RequestClass,
    ) -> Result<Ready<Document>, WriteError> {
        let listing = match self.standing_still(item, id, Aim::Changed, class).await? {
            Ok(listing) => listing,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let now = match edit::standing(&listing, self.currency) {
            Ok(now) => now,
            Err(why) => return Ok(Err(ItemOutcome::Refused(why))),
        };
        if now.offer.listed() == after.listed() && now.offer.price == after.price {
            return Ok(Err(nothing_to_change(item, id, after)));
        }
        Ok(edit::request(listing, &now, id, after))
    }

    /// Reads the listing anew and compares it with what the plan saw.
    async fn standing_still(
        &self,
        item: &Item,
        id: ListingId,
        aim: Aim,
        class: RequestClass,
    ) -> Result<Ready<Document>, WriteError> {
        let listing = match self.edit_request(id, class).await.map_err(WriteError::NoEffect)? {
            Ok(listing) => listing,
            Err(why) => {
                let life =
                    self.detail(id, class).await.map_err(WriteError::NoEffect)?.map(|detail| detail.life);
                let how = life.map_or("Trade Me does not know it any more", |life| life.words());
                return Ok(Err(ItemOutcome::Changed(format!(
                    "it cannot be changed any more: {how} ({why})"
                ))));
            }
        };
        let now = match edit::standing(&listing, self.currency) {
            Ok(now) => now.offer,
            Err(why) => return Ok(Err(ItemOutcome::Refused(why))),
        };
        let difference = item.before.as_ref().and_then(|seen| aim.disturbed_by(&now, seen));
        Ok(difference.map_or(Ok(listing), |difference| Err(ItemOutcome::Changed(difference))))
    }

    async fn send(
        &self,
        template: &'static str,
        folder: &[&str],
        last: &str,
        what: &Document,
        item: &Item,
        class: RequestClass,
    ) -> Result<Answer, WriteError> {
        let write = Write {
            method: WriteMethod::Post,
            template,
            class,
            target: self.url(folder, last),
            body: what.to_body(),
            intents: item.intents.clone(),
        };
        self.line.write(&write).await
    }
}

/// A listing that stands has nothing else that could be changed here.
fn nothing_to_change(item: &Item, id: ListingId, after: &Offer) -> ItemOutcome {
    if item.before.as_ref().is_some_and(|before| before.attributes != after.attributes) {
        let why = "of a listing that stands, only price and copies can be changed here";
        return ItemOutcome::Refused(why.to_owned());
    }
    ItemOutcome::Done { listing_id: Some(id), listed: Some(after.listed()) }
}

/// What is to become of a listing.
#[derive(Clone, Copy)]
enum Aim {
    Changed,
    Gone,
}

impl Aim {
    /// How what stands there now differs from what the plan saw, as far as it matters. Where all copies are to go, a
    /// sale in between and another price change nothing about that; copies that the seller added do.
    fn disturbed_by(self, now: &Offer, seen: &Offer) -> Option<String> {
        match self {
            Self::Changed => edit::difference(now, seen),
            Self::Gone if now.listed() <= seen.listed() => None,
            Self::Gone => edit::difference(now, seen),
        }
    }
}
