//! How a change ended.

use crate::domain::{Intent, IntentState, ListingId};
use crate::store::intents::Settled;

/// How a change ended, and what is to be said of it.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub state: IntentState,
    message: Option<String>,
    listing_id: Option<ListingId>,
}

impl Ended {
    pub fn done(listing_id: Option<ListingId>) -> Self {
        Self { state: IntentState::Done, message: None, listing_id }
    }

    pub fn refused(why: &str) -> Self {
        Self { state: IntentState::Refused, message: Some(why.to_owned()), listing_id: None }
    }

    pub fn skipped(why: &str) -> Self {
        Self { state: IntentState::Skipped, message: Some(why.to_owned()), listing_id: None }
    }

    pub fn settled(&self) -> Settled {
        Settled { state: self.state, message: self.message.clone(), new_listing_id: self.listing_id }
    }
}

/// Says what became of one item: what was done to who looks closely, what was not to everybody.
pub(super) fn log(intent: &Intent, ended: &Ended) {
    let change = &intent.change;
    let listing = change.listing_id.map_or(0, |id| id.0);
    match ended.state {
        IntentState::Done => tracing::debug!(
            event = "stock.item_applied",
            sku = change.sku.as_str(),
            article.id = listing,
            field = change.op.as_str(),
            "{}",
            change.reason,
        ),
        _ => tracing::warn!(
            event = "stock.item_failed",
            sku = change.sku.as_str(),
            article.id = listing,
            field = change.op.as_str(),
            "{}",
            ended.message.as_deref().unwrap_or("not done"),
        ),
    }
}
