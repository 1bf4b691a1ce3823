//! A reading of the stock, page by page, that knows in the end whether it is complete.
//!
//! Only a complete reading may say that a listing is gone. It holds the numbers it has seen and nothing else, so that
//! a stock of any size streams through.

use std::collections::{HashMap, HashSet};

use crate::domain::{Listing, ListingId, StockPage, StockPart};

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Observation {
    offered: HashSet<ListingId>,
    in_carts: HashSet<ListingId>,
    total: Option<u64>,
    shifted: bool,
    duplicates: u64,
    complaints: u64,
}

/// Whether a reading may be believed in what it does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// It shows everything there is.
    Complete,
    /// The list changed while it was read, so that a row may have been passed over.
    Shifted(String),
    /// Something may be missing, for this reason.
    Incomplete(String),
}

impl Observation {
    /// Takes a page in and returns its listings without those that an earlier page has shown: a list that changes
    /// while it is read shows a row twice (cardmarket.md 8.2).
    pub fn take(&mut self, page: StockPage) -> Vec<Listing> {
        if let Some(total) = page.total {
            self.shifted |= self.total.is_some_and(|before| before != total);
            self.total = Some(total);
        }
        self.complaints += page.complaints.len() as u64;
        let seen = match page.part {
            StockPart::Offered => &mut self.offered,
            StockPart::InCarts => &mut self.in_carts,
        };
        let mut listings = match page.part {
            StockPart::Offered => page.listings,
            StockPart::InCarts => summed(page.listings),
        };
        let before = listings.len();
        listings.retain(|listing| seen.insert(listing.id));
        self.duplicates += (before - listings.len()) as u64;
        listings
    }

    /// Listings for sale seen so far.
    pub fn rows(&self) -> u64 {
        self.offered.len() as u64
    }

    /// Listings in carts seen so far.
    pub fn rows_in_carts(&self) -> u64 {
        self.in_carts.len() as u64
    }

    /// Rows that could not be read so far.
    pub fn complaints(&self) -> u64 {
        self.complaints
    }

    /// Whether a listing was seen, for sale or in a cart.
    pub fn has(&self, id: ListingId) -> bool {
        self.offered.contains(&id) || self.in_carts.contains(&id)
    }

    /// The listings seen for sale, ascending.
    pub fn offered(&self) -> Vec<ListingId> {
        sorted(&self.offered)
    }

    /// The listings seen in carts, ascending.
    pub fn in_carts(&self) -> Vec<ListingId> {
        sorted(&self.in_carts)
    }

    /// Judges the reading once its last page is in. Whether a complete one is believed is another question: see
    /// [`super::trust`].
    pub fn completeness(&self) -> Completeness {
        let seen = self.rows();
        if self.complaints > 0 {
            Completeness::Incomplete(format!("{} rows could not be read", self.complaints))
        } else if self.shifted || self.duplicates > 0 {
            Completeness::Shifted("the stock changed while it was read".to_owned())
        } else if let Some(total) = self.total.filter(|total| *total != seen) {
            Completeness::Incomplete(format!("{seen} of {total} listings were shown"))
        } else {
            Completeness::Complete
        }
    }
}

/// Copies of one listing may lie in several carts: a row each, one sum.
fn summed(rows: Vec<Listing>) -> Vec<Listing> {
    let mut sums: Vec<Listing> = Vec::with_capacity(rows.len());
    let mut places: HashMap<ListingId, usize> = HashMap::new();
    for row in rows {
        match places.get(&row.id) {
            Some(&place) => sums[place].quantity += row.quantity,
            None => {
                places.insert(row.id, sums.len());
                sums.push(row);
            }
        }
    }
    sums
}

fn sorted(ids: &HashSet<ListingId>) -> Vec<ListingId> {
    let mut ids: Vec<ListingId> = ids.iter().copied().collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Complaint, Currency, Money};

    fn page(ids: &[i64], total: Option<u64>) -> StockPage {
        let listing = |id: &i64| Listing {
            id: ListingId(*id),
            sku: format!("sku-{id}").as_str().into(),
            title: String::new(),
            quantity: 1,
            price: Money { minor: 1, currency: Currency::EUR },
            attributes: "{}".to_owned(),
        };
        StockPage {
            part: StockPart::Offered,
            listings: ids.iter().map(listing).collect(),
            complaints: Vec::new(),
            total,
            next: None,
        }
    }

    fn read(pages: &[StockPage]) -> Observation {
        let mut observation = Observation::default();
        for page in pages {
            observation.take(page.clone());
        }
        observation
    }

    #[test]
    fn a_reading_that_shows_what_there_is_is_complete() {
        let observation = read(&[page(&[1, 2], Some(3)), page(&[3], Some(3))]);
        assert_eq!(observation.completeness(), Completeness::Complete);
    }

    #[test]
    fn a_row_that_moved_between_pages_makes_it_incomplete() {
        let twice = read(&[page(&[1, 2], Some(4)), page(&[2, 3], Some(4))]);
        assert!(matches!(twice.completeness(), Completeness::Shifted(_)));
        let fewer = read(&[page(&[1, 2], Some(4)), page(&[4], Some(3))]);
        assert!(matches!(fewer.completeness(), Completeness::Shifted(_)));
        let short = read(&[page(&[1, 2], Some(4)), page(&[4], Some(4))]);
        assert!(matches!(short.completeness(), Completeness::Incomplete(_)));
    }

    #[test]
    fn an_unreadable_row_could_be_any_listing() {
        let mut bad = page(&[1], Some(2));
        bad.complaints.push(Complaint { place: "row 2".into(), problem: "broken".into() });
        assert!(matches!(read(&[bad]).completeness(), Completeness::Incomplete(_)));
    }

    #[test]
    fn copies_in_several_carts_are_one_sum() {
        let mut observation = Observation::default();
        let carts = StockPage { part: StockPart::InCarts, ..page(&[7, 8, 7], None) };
        let rows = observation.take(carts);
        assert_eq!(rows.iter().map(|row| (row.id.0, row.quantity)).collect::<Vec<_>>(), [(7, 2), (8, 1)]);
        assert_eq!(observation.completeness(), Completeness::Complete);
    }

    proptest! {
        #[test]
        fn no_listing_comes_out_twice(ids in proptest::collection::vec(0_i64..30, 0..60), cut in 1_usize..20) {
            let mut observation = Observation::default();
            let mut out: Vec<i64> = ids
                .chunks(cut)
                .flat_map(|chunk| observation.take(page(chunk, None)))
                .map(|listing| listing.id.0)
                .collect();
            let count = out.len();
            out.sort_unstable();
            out.dedup();
            prop_assert_eq!(out.len(), count);
            prop_assert_eq!(observation.rows(), count as u64);
        }
    }
}
