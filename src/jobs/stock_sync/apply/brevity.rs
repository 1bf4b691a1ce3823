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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::domain::{Bounds, Change, IntentId, Operation};

    fn intent(seq: i64, listing: Option<i64>, state: IntentState) -> Intent {
        let change = Change {
            op: if listing.is_some() { Operation::Price } else { Operation::Add },
            sku: "a".into(),
            listing_id: listing.map(ListingId),
            title: String::new(),
            before: None,
            after: None,
            reason: String::new(),
            bounds: Bounds::default(),
        };
        Intent {
            id: IntentId(100 + seq),
            seq,
            change,
            base_net: 0,
            state,
            message: None,
            new_listing_id: None,
            sent_at: None,
            planned_at: SystemClock::default().now(),
        }
    }

    #[test]
    fn numbers_are_kept_of_those_listings_alone_that_have_several_changes() {
        let listings = [Some(7), Some(8), Some(8), Some(8), None, None, Some(9)];
        let mut all = Brevity::default();
        for (seq, listing) in (0..).zip(listings) {
            let state = if seq == 2 { IntentState::Skipped } else { IntentState::Pending };
            all.add(&intent(seq, listing, state));
        }
        let eight = ListingId(8);
        assert_eq!(all.shared, HashMap::from([(1, eight), (2, eight), (3, eight)]));
        assert_eq!((all.ended, all.briefs.len()), (HashSet::from([2]), 7));
    }
}
