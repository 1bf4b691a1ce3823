//! What can be done to the stock, whoever does it: each change stands in the book of effects.

use super::catalogue::{POKEMON, Product};
use super::effects::{Cause, Deed};
use super::{Article, Flags, Shop};

impl Shop {
    /// Puts an article up for sale. If there is one that is alike in everything but its quantity, its copies join
    /// that one, which keeps its number. `None` if there would be more copies than this seller may list.
    pub(super) fn put_up(&mut self, article: Article, cause: Cause) -> Option<Article> {
        let product = self.catalogue.at(article.product);
        let is_alike = |row: &&Article| {
            row.product == article.product && row.count > 0 && are_alike(row, &article, product)
        };
        let Some(before) = self.stock.rows().iter().find(is_alike).copied() else {
            if article.count > self.rules.most_copies {
                return None;
            }
            let after = Article { id: self.new_id(), edited: cause.at.timestamp(), ..article };
            self.stock.insert(after);
            self.effects.note(cause, Deed::Add, article.count, None, Some(after));
            return Some(after);
        };
        let count =
            before.count.checked_add(article.count).filter(|count| *count <= self.rules.most_copies)?;
        let after = self.set_count(before.id, count, cause)?;
        self.effects.note(cause, Deed::Add, article.count, Some(before), Some(after));
        Some(after)
    }

    /// Makes `copies` of an article read like `to`. Fewer than there are become an article of their own; otherwise
    /// the article has a new number afterwards, as often as the options say. `None` if there is no such article.
    pub(super) fn change(&mut self, id: u64, copies: u32, to: Article, cause: Cause) -> Option<Article> {
        let before = *self.stock.find(id)?;
        let copies = copies.min(before.count);
        let is_renumbered = copies < before.count || self.chance.f64() < self.rules.reassign_ids;
        let id = if is_renumbered { self.new_id() } else { before.id };
        let after = Article { id, count: copies, edited: cause.at.timestamp(), ..to };
        if is_renumbered {
            self.set_count(before.id, before.count - copies, cause);
            self.stock.insert(after);
        } else {
            *self.stock.find_mut(before.id)? = after;
        }
        self.effects.note(cause, Deed::Edit, copies, Some(before), Some(after));
        Some(after)
    }

    /// Adds copies to an article or takes some off. What is left without copies is returned so and is gone. `None`
    /// if there is no such article.
    pub(super) fn recount(&mut self, id: u64, count: u32, deed: Deed, cause: Cause) -> Option<Article> {
        let before = *self.stock.find(id)?;
        let after = self.set_count(id, count, cause)?;
        let left = Some(after).filter(|after| after.count > 0);
        self.effects.note(cause, deed, before.count.abs_diff(count), Some(before), left);
        Some(after)
    }

    /// A number that no article ever had.
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += self.chance.u64(1..40);
        self.next_id
    }

    fn set_count(&mut self, id: u64, count: u32, cause: Cause) -> Option<Article> {
        let row = self.stock.find_mut(id)?;
        (row.count, row.edited) = (count, cause.at.timestamp());
        Some(*row)
    }
}

/// Whether two articles of a product read alike, their numbers and quantities aside.
pub fn are_alike(one: &Article, other: &Article, product: &Product) -> bool {
    let seen = |article: &Article| {
        (
            article.cents,
            article.language,
            seen_condition(article, product),
            seen_flags(article.flags, product),
        )
    };
    seen(one) == seen(other) && one.comment == other.comment
}

/// The flags that this product's game shows.
fn seen_flags(flags: Flags, product: &Product) -> Flags {
    match product.print {
        None => Flags::default(),
        Some(_) => Flags { first_edition: flags.first_edition && product.game == POKEMON, ..flags },
    }
}

fn seen_condition(article: &Article, product: &Product) -> Option<u8> {
    product.print.map(|_| article.condition)
}
