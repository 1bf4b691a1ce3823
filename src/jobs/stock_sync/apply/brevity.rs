//! A plan that is being applied, as small as it goes.

use std::collections::HashSet;

use crate::domain::{Intent, IntentState, ListingId};
use crate::planning::dispatch::Brief;

/// As much of a plan as puts it in order. Its changes themselves stay in the database until they leave: there may be as
/// many as the stock has listings.
#[derive(Default)]
pub(super) struct Brevity {
    pub briefs: Vec<Brief>,
    /// Places of those that are done with already.
    pub ended: HashSet<usize>,
    /// The listings with several changes: what stands there after the first is what the next begins with.
    pub shared: HashSet<ListingId>,
}

impl Brevity {
    /// Takes in the next change of the plan.
    pub fn add(&mut self, intent: &Intent) {
        if intent.state != IntentState::Pending {
            self.ended.insert(self.briefs.len());
        }
        let brief = Brief::of(&intent.change);
        let last = self.briefs.last().and_then(|last| last.listing_id);
        self.shared.extend(brief.listing_id.filter(|id| last == Some(*id)));
        self.briefs.push(brief);
    }
}
