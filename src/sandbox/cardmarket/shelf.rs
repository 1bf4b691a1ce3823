//! What the seller would find on the shelf when counting it: the copies in carts lie there, too.

use super::stock::{CONDITIONS, LANGUAGES};
use super::{Article, Shop};

/// An article under a key of the seller's own, as the seller's own list would have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// The seller's key, without the tag around it.
    pub sku: String,
    /// What a person calls it.
    pub title: String,
    /// `idProduct`.
    pub product_id: u32,
    /// The language's English name.
    pub language: &'static str,
    /// The marketplace's letters; none for sealed products.
    pub condition: Option<&'static str>,
    /// Price of one copy in cents.
    pub cents: u32,
    /// Copies, those in carts among them.
    pub count: u32,
    /// Copies in carts.
    pub in_carts: u32,
}

impl Shop {
    /// Everything that has a key of the seller's own, by that key.
    pub fn shelf(&self) -> Vec<Shelved> {
        let offered = self.stock.rows().iter().filter_map(|row| self.shelved(row, 0));
        let in_carts = self.carts.iter().filter_map(|row| self.shelved(row, row.count));
        let mut shelf: Vec<Shelved> = offered.chain(in_carts).collect();
        shelf.sort_by(|a, b| a.sku.cmp(&b.sku));
        shelf.dedup_by(|again, first| {
            let same = again.sku == first.sku;
            if same {
                first.count += again.count;
                first.in_carts += again.in_carts;
            }
            same
        });
        shelf
    }

    fn shelved(&self, row: &Article, in_carts: u32) -> Option<Shelved> {
        let product = self.catalogue.at(row.product);
        let language = usize::from(row.language).clamp(1, LANGUAGES.len()) - 1;
        let condition = CONDITIONS[usize::from(row.condition) % CONDITIONS.len()];
        Some(Shelved {
            sku: row.comment.sku()?,
            title: product.name.trim().to_owned(),
            product_id: product.id,
            language: LANGUAGES[language],
            condition: product.print.is_some().then_some(condition),
            cents: row.cents,
            count: row.count,
            in_carts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::options::Options;
    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test]
    async fn the_shelf_has_each_key_once_with_the_copies_on_offer_and_in_carts() {
        let now = "2026-03-01T10:00:00Z".parse().expect("a date");
        let shop = Shop::new(&Options { carts: 60, ..Options::new(SystemClock::shared()) }, now);
        let shelf = shop.shelf();
        assert!(shelf.is_sorted_by(|a, b| a.sku < b.sku) && shelf.len() > 1_000);
        let all = shop.stock().rows().iter().chain(shop.carts()).filter(|row| row.comment.sku().is_some());
        let copies: u32 = all.map(|row| row.count).sum();
        assert_eq!(shelf.iter().map(|item| item.count).sum::<u32>(), copies);
        let in_carts = shop.carts().iter().filter(|row| row.comment.sku().is_some());
        let in_carts: u32 = in_carts.map(|row| row.count).sum();
        assert!(in_carts > 0);
        assert_eq!(shelf.iter().map(|item| item.in_carts).sum::<u32>(), in_carts);
        assert!(shelf.iter().any(|item| item.in_carts > 0 && item.count > item.in_carts));
    }
}
