//! Articles that a test wants exactly so, and what the seller does by hand on the website.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::effects::{By, Cause, Deed};
use super::{Article, Comment, Flags, Shop};

/// An article for sale, as a test or a seller wants it. What is left out is ordinary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Placed {
    /// `idProduct`; any product if absent.
    pub product_id: Option<u32>,
    /// Price of one copy in cents.
    pub cents: u32,
    /// Copies.
    pub count: u32,
    /// What the seller wrote.
    pub comment: String,
    /// 1 is English.
    pub language: u8,
    /// Place among the conditions from best to worst; 1 is near mint.
    pub condition: u8,
    /// What is special about these copies.
    pub flags: Flags,
}

impl Default for Placed {
    fn default() -> Self {
        let (comment, flags) = (String::new(), Flags::default());
        Self { product_id: None, cents: 100, count: 1, comment, language: 1, condition: 1, flags }
    }
}

/// What the seller does on the website, past the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ByHand {
    /// Puts an article up.
    Add(Placed),
    /// Changes an article; what is left out stays.
    Edit {
        /// Which.
        article_id: u64,
        /// Price of one copy in cents.
        #[serde(default)]
        cents: Option<u32>,
        /// Copies; none left takes it down.
        #[serde(default)]
        quantity: Option<u32>,
        /// What is written there.
        #[serde(default)]
        comment: Option<String>,
    },
    /// Takes an article down.
    Remove {
        /// Which.
        article_id: u64,
    },
}

impl Shop {
    /// Puts an article on the shelf without a trace in the book of effects, as if it had always been there. It does
    /// not join others that are alike. Returns its number.
    pub fn place(&mut self, placed: &Placed, now: DateTime<Utc>) -> Result<u64, String> {
        let article = Article { id: self.new_id(), edited: now.timestamp(), ..self.placed(placed)? };
        self.stock.insert(article);
        Ok(article.id)
    }

    /// Does something by hand. Returns the number that the article has now, unless it is gone.
    pub fn by_hand(&mut self, deed: &ByHand, now: DateTime<Utc>) -> Result<Option<u64>, String> {
        self.settle(now);
        let cause = Cause { by: By::Hand, at: now };
        let done = match deed {
            ByHand::Add(placed) => {
                let article = self.placed(placed)?;
                self.put_up(article, cause).ok_or("there would be too many copies")?
            }
            ByHand::Edit { article_id, cents, quantity, comment } => {
                let row = self.on_shelf(*article_id)?;
                let to = Article {
                    cents: cents.unwrap_or(row.cents),
                    comment: comment.as_deref().map_or(row.comment, Comment::of),
                    ..row
                };
                let edited = if (to.cents, to.comment) == (row.cents, row.comment) {
                    Some(row)
                } else {
                    self.change(row.id, row.count, to, cause)
                };
                let edited = edited.ok_or("the article went away")?;
                match *quantity {
                    Some(count) if count < edited.count => {
                        self.recount(edited.id, count, Deed::Decrease, cause)
                    }
                    Some(count) if count > edited.count => {
                        self.recount(edited.id, count, Deed::Increase, cause)
                    }
                    _ => Some(edited),
                }
                .ok_or("the article went away")?
            }
            ByHand::Remove { article_id } => {
                let row = self.on_shelf(*article_id)?;
                self.recount(row.id, 0, Deed::Remove, cause).ok_or("the article went away")?
            }
        };
        self.stock.sweep();
        Ok(Some(done.id).filter(|_| done.count > 0))
    }

    /// `idProduct` of an article.
    pub fn product_id(&self, article: &Article) -> u32 {
        self.catalogue.at(article.product).id
    }

    /// All that can be put up for sale: `idProduct`, rising.
    pub fn product_ids(&self) -> impl Iterator<Item = u32> {
        self.catalogue.ids()
    }

    fn on_shelf(&self, id: u64) -> Result<Article, String> {
        self.stock.find(id).copied().ok_or_else(|| format!("there is no article {id} in stock"))
    }

    fn placed(&mut self, placed: &Placed) -> Result<Article, String> {
        let product = match placed.product_id {
            Some(id) => self
                .catalogue
                .place_of(id)
                .ok_or_else(|| format!("there is no product {id} in the catalogue"))?,
            None => self.catalogue.draw(&mut self.chance),
        };
        let Placed { cents, count, language, condition, flags, .. } = *placed;
        if count == 0 {
            return Err("an article has at least one copy".to_owned());
        }
        let comment = Comment::of(&placed.comment);
        Ok(Article { id: 0, edited: 0, product, cents, count, comment, language, condition, flags })
    }
}
