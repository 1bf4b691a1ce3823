//! The lists lag behind: what a write did stands in them only after a while. What buyers do is there at once.
//!
//! A listing keeps what it was before each write that is not to be seen yet. That is less than a copy of the whole
//! shop for every instant, and lets sales and bids in between show.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{Listing, Selling};

/// A write that the lists do not show yet.
#[derive(Debug, Clone)]
pub struct Unseen {
    seen_at: DateTime<Utc>,
    before: Box<Listing>,
    /// Copies that the write added; below nothing, took away.
    added: i64,
}

impl Listing {
    /// Remembers what this was `before` a write of this moment, until the lists show it.
    pub fn hide(&mut self, mut before: Self, now: DateTime<Utc>, seen_at: DateTime<Utc>) {
        before.unseen = Vec::new();
        let copies = |listing: &Self| listing.quantity().map_or(0, i64::from);
        let added = copies(self) - copies(&before);
        self.unseen.retain(|write| now < write.seen_at);
        if now < seen_at {
            self.unseen.push(Unseen { seen_at, before: Box::new(before), added });
        }
    }

    /// The listing as the lists show it at `now`; `None` if they do not yet.
    pub fn as_listed(&self, now: DateTime<Utc>) -> Option<Cow<'_, Self>> {
        if now < self.listed_from {
            return None;
        }
        let pending = || self.unseen.iter().filter(|write| now < write.seen_at);
        let Some(oldest) = pending().next() else { return Some(Cow::Borrowed(self)) };
        let added: i64 = pending().map(|write| write.added).sum();
        let mut listed = Self {
            sold: self.sold,
            sold_out: self.sold_out,
            ended: self.ended,
            views: self.views,
            watchers: self.watchers,
            ..(*oldest.before).clone()
        };
        match (&mut listed.selling, &self.selling) {
            (Selling::BuyNow { quantity: shown, .. }, Selling::BuyNow { quantity, .. }) => {
                *shown = u32::try_from((i64::from(*quantity) - added).max(0)).unwrap_or(u32::MAX);
            }
            (Selling::Auction { bids: shown, .. }, Selling::Auction { bids, .. }) => shown.clone_from(bids),
            // A write never makes one of the other.
            _ => {}
        }
        Some(Cow::Owned(listed))
    }
}
