//! Buyers who put things into their carts: what lies there is not for sale, and not sold either.

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::{Article, Bought, Shop};

/// What happens to copies in a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CartMove {
    /// Copies leave the shelf for a cart.
    Reserve {
        /// Which article.
        article_id: u64,
        /// How many.
        quantity: u32,
    },
    /// All copies of the article that lie in carts go back to the shelf, under their old number.
    Release {
        /// Which article.
        article_id: u64,
    },
    /// All copies of the article that lie in carts are bought and paid.
    Checkout {
        /// Which article.
        article_id: u64,
    },
}

impl Shop {
    /// Moves copies between shelf, carts and orders. Returns the order, if one came of it.
    pub fn move_cart(&mut self, what: CartMove, now: DateTime<Utc>) -> Result<Option<Bought>, String> {
        self.settle(now);
        match what {
            CartMove::Reserve { article_id, quantity } => {
                let taken = self.take(article_id, quantity)?;
                match self.carts.iter_mut().find(|cart| cart.id == article_id) {
                    Some(cart) => cart.count = cart.count.saturating_add(quantity),
                    None => self.carts.push(taken),
                }
                Ok(None)
            }
            CartMove::Release { article_id } => {
                let back = self.out_of_carts(article_id)?;
                match self.stock.find_mut(article_id) {
                    Some(row) => row.count = row.count.saturating_add(back.count),
                    None => {
                        self.stock.insert(back);
                    }
                }
                Ok(None)
            }
            CartMove::Checkout { article_id } => {
                let line = self.out_of_carts(article_id)?;
                Ok(Some(self.order_of(vec![line], Some(true), now.trunc_subsecs(0))))
            }
        }
    }

    fn out_of_carts(&mut self, id: u64) -> Result<Article, String> {
        let at = self.carts.iter().position(|cart| cart.id == id);
        at.map(|at| self.carts.remove(at)).ok_or_else(|| format!("there is no article {id} in a cart"))
    }
}
