//! What a look showed, found by number and by SKU: however many changes are compared with it, it is gone through once.

use std::collections::HashMap;

use crate::domain::{Change, Listing, ListingId, Offer, Sku};
use crate::marketplace::Looked;
use crate::planning::settle::Found;

/// The offers that stand now, with their copies in carts.
pub(super) struct Shown {
    offers: HashMap<ListingId, Offer>,
    by_sku: HashMap<Sku, Vec<ListingId>>,
}

/// What stands there for a change.
pub(super) struct Here<'a> {
    /// The listing under the number that it had.
    pub same: Option<&'a Offer>,
    /// The others of its SKU, by their numbers.
    pub others: Vec<(ListingId, Offer)>,
}

impl Shown {
    /// Takes in what was looked at.
    pub fn of(looked: Looked) -> Self {
        let mut shown = Self { offers: HashMap::new(), by_sku: HashMap::new() };
        for listing in looked.offered {
            let quantity = listing.quantity;
            shown.put(listing).quantity = quantity;
        }
        for listing in looked.in_carts {
            let quantity = listing.quantity;
            let offer = shown.put(listing);
            offer.quantity = offer.quantity.saturating_add(quantity);
            offer.in_carts = offer.in_carts.saturating_add(quantity);
        }
        shown
    }

    /// The offer of a listing; of one that was not seen yet, without a copy.
    fn put(&mut self, listing: Listing) -> &mut Offer {
        let Listing { id, sku, price, attributes, .. } = listing;
        let ids = self.by_sku.entry(sku).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        self.offers.entry(id).or_insert(Offer { quantity: 0, in_carts: 0, price, attributes })
    }

    /// Finds what stands there for a change. `known` are the listings of its SKU that were there before.
    pub fn here(&self, change: &Change, known: &[ListingId]) -> Here<'_> {
        let same = change.listing_id.and_then(|id| self.offers.get(&id));
        let of_sku = self.by_sku.get(&change.sku).map_or(&[][..], Vec::as_slice);
        let others = of_sku.iter().filter(|id| change.listing_id != Some(**id) && !known.contains(id));
        let mut others: Vec<_> = others.filter_map(|id| Some((*id, self.offers.get(id)?.clone()))).collect();
        others.sort_unstable_by_key(|(id, _)| *id);
        Here { same, others }
    }
}

impl Here<'_> {
    /// What is judged, where so many listings of the SKU were known before.
    pub fn as_found(&self, known: usize) -> Found<'_> {
        Found { same: self.same, others: &self.others, referenced: None, alone: known <= 1 }
    }
}
