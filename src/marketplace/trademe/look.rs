//! Reading some listings again (trademe.md 7, 9 and 11.2).
//!
//! The lists lag behind by more than a minute, so a listing whose number is known is read by itself: whether it is open,
//! and its edit request, which is what a write would change. A new listing has no number yet; it is found in the list by
//! the reference it was made with.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::answer::{Body, Page, Place, bad};
use super::api::{Line, TradeMe};
use super::detail::{self, Detail, Life};
use super::document::Document;
use super::edit;
use super::members::{amount, id};
use super::wire;
use crate::domain::{Currency, Listing, ListingId, RequestClass};
use crate::http::CallError;
use crate::marketplace::json::{self, Raw};
use crate::marketplace::{Looked, Looking, Wanted};

/// The most listings that are read one by one, at two requests each. More are looked up in the lists, five hundred a
/// request: whoever asks for so many is about to write them, and a write reads its listing anyway.
const SINGLY: usize = 25;

/// What a listing made by us has in its attributes.
#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    external_reference: Option<String>,
}

/// A row of the sold items, as far as it tells which listing it was.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sold<'a> {
    #[serde(borrow)]
    listing_id: Raw<'a>,
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow, rename = "SKU")]
    sku: Raw<'a>,
    #[serde(borrow)]
    external_reference_id: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
}

/// What is looked for in the lists.
#[derive(Default)]
struct Sought<'a> {
    ids: BTreeSet<ListingId>,
    skus: BTreeSet<&'a str>,
    /// The references of new listings that were not found yet, and the SKUs that they were made with.
    references: BTreeMap<&'a str, &'a str>,
    /// The listings that were found by theirs.
    made: BTreeSet<ListingId>,
    /// Whether there is something without a reference, which may stand anywhere in the list.
    to_the_end: bool,
}

/// Requests that a look takes. A new listing is sought in the lists, and, where it is in none, among what was sold.
pub(super) fn costs(looking: &Looking, listings: u64) -> u64 {
    let (known, lists) = (looking.keys.len(), listings.div_ceil(500).max(1));
    let singly = if known <= SINGLY { 2 * known as u64 } else { 0 };
    let through = if known > SINGLY || looking.anywhere { lists } else { 0 };
    singly + through + u64::from(looking.anywhere)
}

impl<C: Line> TradeMe<C> {
    /// What stands now of what is wanted.
    pub async fn look_at(&self, wanted: &[Wanted]) -> Result<Looked, CallError> {
        let known: BTreeSet<ListingId> = wanted.iter().filter_map(|wanted| wanted.listing_id).collect();
        let singly = known.len() <= SINGLY;
        let mut sought = Sought::default();
        if !singly {
            sought.ids.clone_from(&known);
            sought.to_the_end = true;
        }
        for new in wanted.iter().filter(|wanted| !singly || wanted.listing_id.is_none()) {
            sought.skus.insert(new.sku.as_str());
            match &new.reference {
                Some(reference) if new.listing_id.is_none() => {
                    sought.references.insert(reference, new.sku.as_str());
                }
                _ => sought.to_the_end = true,
            }
        }
        let mut found = BTreeMap::new();
        if sought.to_the_end || !sought.references.is_empty() {
            self.look_through_the_lists(&mut sought, &mut found).await?;
        }
        for id in known.iter().filter(|_| singly) {
            match self.one(*id).await? {
                Some(listing) => found.insert(*id, listing),
                None => found.remove(id),
            };
        }
        for id in &sought.made {
            // It was made, whatever became of it: with no copy left it is shown all the same, and not made again.
            let now = self.one(*id).await?;
            if let Some(listing) = found.get_mut(id) {
                let (sku, was) = (listing.sku.clone(), listing.clone());
                *listing = Listing { sku, ..now.unwrap_or(Listing { quantity: 0, ..was }) };
            }
        }
        Ok(Looked { offered: found.into_values().collect(), in_carts: Vec::new() })
    }

    /// Those that end last come first, so that a new listing is found at once where listings end in turn.
    async fn look_through_the_lists(
        &self,
        sought: &mut Sought<'_>,
        found: &mut BTreeMap<ListingId, Listing>,
    ) -> Result<(), CallError> {
        let mut place = Place::of(None);
        while sought.to_the_end || !sought.references.is_empty() {
            let url = self.list_url("SellingItems", "All", place).query("sort_order", "ExpiryDesc");
            let answer = self.get("MyTradeMe/SellingItems/{filter}", RequestClass::ReadBack, url).await?;
            let page = Page::read(&answer, place)?;
            for row in page.rows {
                // A row that cannot be read may be the one that is looked for.
                let mut listing =
                    wire::listing(row, self.currency).map_err(|problem| bad(&answer, &problem))?;
                if sought.finds(&mut listing) {
                    found.insert(listing.id, listing);
                }
            }
            match page.next {
                Some(next) => place = Place::of(Some(&next)),
                None => break,
            }
        }
        if !sought.references.is_empty() {
            self.look_among_the_sold(sought, found).await?;
        }
        Ok(())
    }

    /// A new listing that was sold out before anybody looked was made all the same. It is shown with no copy left, so
    /// that it is not made again.
    async fn look_among_the_sold(
        &self,
        sought: &mut Sought<'_>,
        found: &mut BTreeMap<ListingId, Listing>,
    ) -> Result<(), CallError> {
        let mut at = Some(Place::of(None));
        while let Some(place) = at {
            let url = self.list_url("SoldItems", "Last7Days", place);
            let answer = self.get("MyTradeMe/SoldItems/{filter}", RequestClass::ReadBack, url).await?;
            let page = Page::read(&answer, place)?;
            for sold in page.rows.into_iter().filter_map(|row| json::object::<Sold<'_>>(row).ok()) {
                let Some(reference) = json::words(sold.external_reference_id) else { continue };
                if !sought.references.contains_key(reference.as_str()) {
                    continue;
                }
                let mut listing = sold.listing(self.currency).map_err(|problem| bad(&answer, &problem))?;
                if sought.is_made(&mut listing, &reference) {
                    found.entry(listing.id).or_insert(listing);
                }
            }
            at = page.next.map(|next| Place::of(Some(&next)));
        }
        Ok(())
    }

    /// One listing that can be bought now; `None` where it cannot.
    async fn one(&self, id: ListingId) -> Result<Option<Listing>, CallError> {
        let (detail, standing) = match self.detail(id, RequestClass::ReadBack).await? {
            Some(detail) if detail.life != Life::Open => return Ok(None),
            // What is not known may be a slip of one method: both have to say so.
            detail => (detail, self.edit_request(id, RequestClass::ReadBack).await?),
        };
        match (detail, standing) {
            (None, Err(_)) => Ok(None),
            (None, Ok(_)) => {
                let what = "a listing that can be edited and is not shown";
                Err(CallError::BadAnswer { at: "GET Listings/{id}".to_owned(), what: what.to_owned() })
            }
            (Some(Detail { listing, .. }), Err(_)) => Ok(Some(listing)),
            (Some(Detail { listing, .. }), Ok(request)) => {
                // One that is not ours to edit is as it is shown.
                let Ok(now) = edit::standing(&request, self.currency) else { return Ok(Some(listing)) };
                Ok(Some(Listing { quantity: now.offer.quantity, price: now.offer.price, ..listing }))
            }
        }
    }

    /// The listing as it is shown; `None` where Trade Me does not know it, which is also so 45 days after its end.
    pub async fn detail(&self, id: ListingId, class: RequestClass) -> Result<Option<Detail>, CallError> {
        // A look of ours is no visit.
        let url = self.url(&["Listings"], &id.to_string()).query("increment_view_count", "false");
        let answer = self.get("Listings/{id}", class, url).await?;
        match Body::read(&answer) {
            Ok(_) => {}
            Err(CallError::Rejected { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let body =
            serde_json::from_slice(&answer.response.body).map_err(|_| bad(&answer, "it is no object"))?;
        detail::detail(body, self.currency).map(Some).map_err(|problem| bad(&answer, &problem))
    }

    /// The listing as it would be sent to change it; the words of the refusal where there is none.
    pub async fn edit_request(
        &self,
        id: ListingId,
        class: RequestClass,
    ) -> Result<Result<Document, String>, CallError> {
        let url = self.url(&["Selling", "Listings"], &id.to_string());
        let answer = self.get("Selling/Listings/{id}", class, url).await?;
        match Body::read(&answer) {
            Ok(_) => {}
            Err(CallError::Rejected { reason, .. }) => return Ok(Err(reason)),
            Err(error) => return Err(error),
        }
        let request = Document::read(&answer.response.body).map_err(|problem| bad(&answer, &problem))?;
        match json::optional_number(request.get("ListingId")) {
            Some(other) if other != 0 && other != id.0 => Err(bad(&answer, "it is of another listing")),
            _ => Ok(Ok(request)),
        }
    }
}

impl Sold<'_> {
    fn listing(&self, currency: Currency) -> Result<Listing, String> {
        let id = id(self.listing_id, "ListingId")?;
        Ok(Listing {
            id: ListingId(id),
            sku: wire::sku(self.sku, id),
            title: wire::title(self.title, id),
            quantity: 0,
            price: amount(self.price, "Price", currency)?,
            attributes: "{}".to_owned(),
        })
    }
}

impl Sought<'_> {
    /// Whether it is the listing that was made with this reference, which then is no longer sought. Its SKU has to agree,
    /// where it is shown: another listing may bear the same words, and the search goes on past it.
    fn is_made(&mut self, listing: &mut Listing, reference: &str) -> bool {
        let Some(sku) = self.references.get(reference) else { return false };
        if listing.sku.as_str() != *sku && listing.sku != wire::sku(None, listing.id.0) {
            return false;
        }
        listing.sku = (*sku).into();
        self.references.remove(reference);
        true
    }

    fn finds(&mut self, listing: &mut Listing) -> bool {
        let attributes = serde_json::from_str::<Reference>(&listing.attributes).ok();
        let reference = attributes.and_then(|attributes| attributes.external_reference);
        if reference.is_some_and(|reference| self.is_made(listing, &reference)) {
            self.made.insert(listing.id);
            return true;
        }
        self.ids.contains(&listing.id) || self.skus.contains(listing.sku.as_str())
    }
}
