//! Reading some articles again, by whichever way takes fewer requests: product by product, since an article's own
//! number may be another one now (cardmarket.md 9.4), or the pages of the whole stock, a hundred articles each.

use std::collections::{BTreeSet, HashSet};

use super::PAGE;
use super::api::Cardmarket;
use super::article::Attributes;
use crate::domain::{Complaint, Listing, ListingId, PageCursor, RequestClass, StockPage};
use crate::http::CallError;
use crate::marketplace::{Looked, Looking, Wanted, most_in_carts};

/// So few products are read one by one without a thought of how large the stock may be.
const FEW: usize = 2;

/// Requests that a look takes where the size of the stock is not known before: the first page tells it. Two more are
/// for what lies in carts, before and after.
pub(super) fn costs(looking: &Looking, listings: u64) -> u64 {
    let (products, pages) = (looking.keys.len() as u64, listings.div_ceil(PAGE).max(1));
    match (looking.keys.len(), looking.anywhere) {
        (0, false) => 0,
        (few, false) if few <= FEW => products + 2,
        (_, false) => 1 + products.min(pages - 1) + 2,
        (_, true) => pages + 2,
    }
}

/// The product of an article; `None` where it is not known.
pub(super) fn product(attributes: &str) -> Option<i64> {
    Attributes::parse(attributes).ok().map(|article| article.product_id).filter(|product_id| *product_id > 0)
}

impl<W: Send + Sync> Cardmarket<W> {
    /// What stands now of what is wanted.
    pub(super) async fn look_at(&self, wanted: &[Wanted]) -> Result<Looked, CallError> {
        if wanted.is_empty() {
            return Ok(Looked::default());
        }
        let products: Option<BTreeSet<i64>> =
            wanted.iter().map(|wanted| product(&wanted.attributes)).collect();
        let known = self.total_seen();
        let before = self.carts(RequestClass::ReadBack).await?;
        let mut looked = match products {
            Some(few) if few.len() <= FEW => self.by_products(&few).await?,
            Some(some) if known.is_some_and(|total| (some.len() as u64) < total.div_ceil(PAGE)) => {
                self.by_products(&some).await?
            }
            products => {
                let first = self.stock_from(1, RequestClass::ReadBack).await?;
                let more = match (first.total, first.next.as_ref().and_then(start_of)) {
                    (Some(total), _) => total.div_ceil(PAGE).saturating_sub(1),
                    (None, Some(_)) => u64::MAX,
                    (None, None) => 0,
                };
                match products {
                    Some(some) if (some.len() as u64) < more => self.by_products(&some).await?,
                    _ => self.by_pages(first, wanted).await?,
                }
            }
        };
        looked.in_carts = most_in_carts(before, self.carts(RequestClass::ReadBack).await?);
        Ok(looked)
    }

    async fn by_products(&self, products: &BTreeSet<i64>) -> Result<Looked, CallError> {
        let mut looked = Looked::default();
        for product_id in products {
            looked.offered.extend(self.of_product(*product_id).await?);
        }
        Ok(looked)
    }

    /// The rest of the pages after the first. A list that changes while it is read may pass an article by, so then those
    /// that were not found are looked for once more, where nothing can hide them.
    async fn by_pages(&self, first: StockPage, wanted: &[Wanted]) -> Result<Looked, CallError> {
        let skus: HashSet<_> = wanted.iter().map(|wanted| &wanted.sku).collect();
        let ids: HashSet<_> = wanted.iter().filter_map(|wanted| wanted.listing_id).collect();
        let (total, mut moved) = (first.total, false);
        let mut seen: HashSet<ListingId> = HashSet::new();
        let mut looked = Looked::default();
        let mut page = first;
        loop {
            no_complaint("GET stock/{start}", &page.complaints)?;
            moved |= page.total != total;
            for listing in page.listings {
                moved |= !seen.insert(listing.id);
                if skus.contains(&listing.sku) || ids.contains(&listing.id) {
                    looked.offered.push(listing);
                }
            }
            match page.next.as_ref().and_then(start_of) {
                Some(start) => page = self.stock_from(start, RequestClass::ReadBack).await?,
                None => break,
            }
        }
        if moved || total.is_some_and(|total| total != seen.len() as u64) {
            self.look_for_passed_by(&mut looked, wanted).await?;
        }
        Ok(looked)
    }

    async fn look_for_passed_by(&self, looked: &mut Looked, wanted: &[Wanted]) -> Result<(), CallError> {
        let found: HashSet<ListingId> = looked.offered.iter().map(|listing| listing.id).collect();
        let missing = wanted.iter().filter(|wanted| wanted.listing_id.is_none_or(|id| !found.contains(&id)));
        let products: Option<BTreeSet<i64>> = missing.map(|wanted| product(&wanted.attributes)).collect();
        let Some(products) = products else {
            let what =
                "the stock changed while it was read again, and the product of an article is not known";
            return Err(CallError::BadAnswer { at: "GET stock/{start}".to_owned(), what: what.to_owned() });
        };
        let again = self.by_products(&products).await?;
        let newer: HashSet<ListingId> = again.offered.iter().map(|listing| listing.id).collect();
        looked.offered.retain(|listing: &Listing| !newer.contains(&listing.id));
        looked.offered.extend(again.offered);
        Ok(())
    }
}

/// Where the next page begins; `None` where the articles in carts are next.
fn start_of(cursor: &PageCursor) -> Option<u64> {
    cursor.0.parse().ok()
}

/// A row that cannot be read could be the one that is looked for.
pub(super) fn no_complaint(at: &str, complaints: &[Complaint]) -> Result<(), CallError> {
    complaints.first().map_or(Ok(()), |complaint| {
        let what = format!("{}: {}", complaint.place, complaint.problem);
        Err(CallError::BadAnswer { at: at.to_owned(), what })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheaper_way_is_counted() {
        let of = |products: i64| Looking { keys: (0..products).collect(), anywhere: false };
        assert_eq!(costs(&of(0), 300), 0);
        assert_eq!(costs(&of(2), 300), 4);
        assert_eq!(costs(&of(47), 300), 5, "three pages, and the carts");
        assert_eq!(costs(&of(47), 100_000), 50, "the first page, each product, and the carts");
        assert_eq!(costs(&of(100_000), 100_000), 1_002);
        assert_eq!(costs(&Looking { anywhere: true, ..of(1) }, 300), 5);
        assert_eq!(costs(&of(5), 0), 3);
    }
}
