//! A plan that is being applied, as small as it goes.

use std::collections::{HashMap, HashSet};

use crate::domain::{Intent, IntentState, ListingId};
use crate::planning::dispatch::Brief;

/// As much of a plan as puts it in order. Its changes themselves stay in the database until they leave: there may be as
/// many as the stock has listings.
#[derive(Default)]
pub(super) struct Brevity {
    pub briefs: Vec<Brief>,
    /// Places of those that are done with already.
    pub ended: HashSet<usize>,
    /// The listings with several changes, by the places of those: what stands there after the first is what the next
    /// begins with. Here they keep the number that they have in the plan, whatever the first makes of it.
    pub shared: HashMap<usize, ListingId>,
}

impl Brevity {
    /// Takes in the next change of the plan.
    pub fn add(&mut self, intent: &Intent) {
        let place = self.briefs.len();
        if intent.state != IntentState::Pending {
            self.ended.insert(place);
        }
        let brief = Brief::of(&intent.change);
        if let (Some(id), Some(last)) = (brief.listing_id, self.briefs.last())
            && last.listing_id == Some(id)
        {
            self.shared.extend([(place - 1, id), (place, id)]);
        }
        self.briefs.push(brief);
    }
}
