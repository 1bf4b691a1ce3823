//! What changed in the stock, and through whom: the book in which a test finds writes that were lost or came twice.
//!
//! Requests stand in the [`Ledger`](crate::sandbox::Ledger). This book is about what they did: a request whose answer
//! was lost has its lines here, one that was refused has none.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::Article;

const KEPT: usize = 200_000;

/// What was done to an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Put up for sale.
    Add,
    /// Changed in anything but its quantity.
    Edit,
    /// Copies taken off.
    Remove,
    /// Copies added.
    Increase,
    /// Copies taken off by the call for that.
    Decrease,
}

/// Through whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A request; the number counts all requests that the shop has seen, from 1.
    Request(u64),
    /// The seller, on the website.
    Hand,
}

/// Why and when something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Through whom.
    pub by: By,
    /// When it takes effect.
    pub at: DateTime<Utc>,
}

/// One change of one article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Counted from 1.
    pub serial: u64,
    /// When it took effect, which may be after the request that asked for it.
    pub at: DateTime<Utc>,
    /// Through whom.
    pub by: By,
    /// What was done.
    pub deed: Deed,
    /// How many copies it was done to.
    pub copies: u32,
    /// The article before; none if it is new.
    pub before: Option<Article>,
    /// The article afterwards, perhaps under another number; none if it is gone. Of an article that was split, the
    /// changed part.
    pub after: Option<Article>,
}

impl Effect {
    /// The number under which the article was known before, or is known now if it is new.
    pub fn article(&self) -> u64 {
        self.before.or(self.after).map_or(0, |article| article.id)
    }

    /// As the control port shows it.
    pub fn json(&self) -> Value {
        let state = |article: Article| {
            json!({
                "article_id": article.id,
                "cents": article.cents,
                "count": article.count,
                "comment": article.comment.text(),
            })
        };
        json!({
            "serial": self.serial,
            "at": self.at,
            "by": self.by,
            "deed": self.deed,
            "article_id": self.article(),
            "copies": self.copies,
            "before": self.before.map(state),
            "after": self.after.map(state),
        })
    }
}

/// The book.
#[derive(Debug, Default)]
pub struct Effects {
    last: VecDeque<Effect>,
    total: u64,
}

impl Effects {
    /// The last effects, oldest first; at most 200,000.
    pub fn all(&self) -> impl Iterator<Item = &Effect> {
        self.last.iter()
    }

    /// All effects since the start.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Writes an effect down.
    pub(super) fn note(
        &mut self,
        cause: Cause,
        deed: Deed,
        copies: u32,
        before: Option<Article>,
        after: Option<Article>,
    ) {
        self.total += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        let Cause { by, at } = cause;
        self.last.push_back(Effect { serial: self.total, at, by, deed, copies, before, after });
    }
}
