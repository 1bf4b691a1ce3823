//! Back to what stood before a run: the inverse of what it did, as a plan like any other.
//!
//! Only what still stands as the run left it is taken back. What was sold since is not put on sale again, and what
//! somebody has changed since is theirs: both are listed as held.

use std::collections::{HashMap, HashSet};

use super::reconcile::{OrderKnowledge, Plan, held};
use super::trust::Trust;
use crate::domain::{
    Bounds, Change, Drafting, Facet, Held, Intent, IntentState, ListingId, Offer, Operation, Sku,
};

/// A listing as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The marketplace's number.
    pub listing_id: ListingId,
    /// The seller's key.
    pub sku: Sku,
    /// What a person calls it.
    pub title: String,
    /// What is offered.
    pub offer: Offer,
}

/// What is known beside the run.
#[derive(Clone, Copy)]
pub struct Present<'a> {
    /// All listings of the SKUs that the run touched.
    pub standing: &'a [Standing],
    /// What the movements of each SKU at this account add up to now.
    pub nets: &'a HashMap<Sku, i64>,
    /// What other accounts have sold from the same shelf since, by SKU, in words.
    pub sold_elsewhere: &'a HashMap<Sku, String>,
    /// Why it is not known what they have sold, in words, where it is not.
    pub unread_elsewhere: Option<&'a str>,
    /// SKUs with a write in doubt or parked.
    pub in_doubt: &'a HashSet<Sku>,
    /// Whether every sale is known that may have lowered the numbers.
    pub orders: OrderKnowledge,
    /// How far `standing` is believed.
    pub trust: &'a Trust,
    /// Marks at the start of a comment that say: hands off.
    pub never_touch: &'a [String],
    /// How offers are worded, and what can never be made of a listing.
    pub drafting: &'a dyn Drafting,
    /// Makes the offer of a new listing from that of one which is gone. The error is for people.
    pub anew: &'a dyn Fn(&Offer) -> Result<Offer, String>,
}

/// Why something is not undone: the word for programs and the words for people.
type Hold = (&'static str, String);

/// The plan that undoes a run. `intents` are all of the run's.
pub fn plan(intents: &[Intent], present: &Present<'_>) -> Plan {
    let inverse = Inverse::new(intents, present);
    let mut plan = Plan::default();
    for intent in intents {
        let undone = match intent.state {
            IntentState::Done => inverse.of(intent),
            IntentState::Sent | IntentState::Parked => {
                Err((held::IN_DOUBT, "what became of this change of the run is not known".to_owned()))
            }
            _ => continue,
        };
        let Intent { change, .. } = intent;
        match undone {
            Ok(Undone { mut change, rest }) => {
                let (sku, listing_id) = (change.sku.clone(), change.listing_id);
                // What bounded the run's price bounds the one that it goes back to.
                change.bounds = intent.change.bounds;
                if let Some((reason, detail)) =
                    out_of_bounds(&change).or_else(|| impossible(&change, present.drafting))
                {
                    plan.held.push(Held { sku, listing_id, reason: reason.to_owned(), detail });
                    continue;
                }
                plan.changes.push(change);
                if let Some((reason, detail)) = rest {
                    plan.held.push(Held { sku, listing_id, reason: reason.to_owned(), detail });
                }
            }
            Err((reason, detail)) => plan.held.push(Held {
                sku: change.sku.clone(),
                listing_id: inverse.number(intent),
                reason: reason.to_owned(),
                detail,
            }),
        }
    }
    // A listing that ends without a copy for sale needs no price and no words.
    let zeroed: HashSet<Option<ListingId>> = plan
        .changes
        .iter()
        .filter(|change| change.op == Operation::Zero)
        .map(|change| change.listing_id)
        .collect();
    let edits = |op| matches!(op, Operation::Price | Operation::Details);
    plan.changes.retain(|change| !(edits(change.op) && zeroed.contains(&change.listing_id)));
    plan.changes.sort_by(|a, b| {
        let key = |change: &Change| (change.listing_id, edits(change.op), change.op);
        a.sku.cmp(&b.sku).then_with(|| key(a).cmp(&key(b)))
    });
    plan.held.sort_by(|a, b| (&a.sku, a.listing_id).cmp(&(&b.sku, b.listing_id)));
    plan
}

/// A change that undoes another, and what of it cannot be undone.
struct Undone {
    change: Change,
    rest: Option<Hold>,
}

struct Inverse<'a> {
    present: &'a Present<'a>,
    by_sku: HashMap<&'a Sku, Vec<&'a Standing>>,
    by_id: HashMap<ListingId, &'a Standing>,
    renumbered: HashMap<ListingId, ListingId>,
    /// The listings of each SKU that the run changed, by the numbers that it left them.
    touched: HashMap<&'a Sku, HashSet<Option<ListingId>>>,
}

impl<'a> Inverse<'a> {
    fn new(intents: &'a [Intent], present: &'a Present<'a>) -> Self {
        let mut by_sku: HashMap<&Sku, Vec<&Standing>> = HashMap::new();
        for standing in present.standing {
            by_sku.entry(&standing.sku).or_default().push(standing);
        }
        let done = || intents.iter().filter(|intent| intent.state == IntentState::Done);
        let renumbered = done()
            .filter_map(|intent| Some((intent.change.listing_id?, intent.new_listing_id?)))
            .filter(|(old, new)| old != new)
            .collect();
        let by_id = present.standing.iter().map(|standing| (standing.listing_id, standing)).collect();
        let mut inverse = Self { present, by_sku, by_id, renumbered, touched: HashMap::new() };
        for intent in done() {
            let number = inverse.number(intent);
            inverse.touched.entry(&intent.change.sku).or_default().insert(number);
        }
        inverse
    }

    fn of(&self, intent: &Intent) -> Result<Undone, Hold> {
        let change = &intent.change;
        if let Trust::Suspicious(why) = self.present.trust {
            return Err((held::SNAPSHOT_DOUBTED, why.clone()));
        }
        if self.present.in_doubt.contains(&change.sku) {
            return Err((held::IN_DOUBT, "a later change of it is not settled yet".to_owned()));
        }
        match change.op {
            Operation::Price | Operation::Details => self.edited(intent),
            Operation::Quantity => self.counted(intent),
            Operation::Zero | Operation::Remove => self.taken_off(intent),
            Operation::Add => self.added(intent),
        }
    }

    /// A price or a detail goes back to what it was.
    fn edited(&self, intent: &Intent) -> Result<Undone, Hold> {
        let (was, left) = sides(&intent.change)?;
        let standing = self.standing(intent)?;
        let now = &standing.offer;
        let price = intent.change.op == Operation::Price;
        let (as_left, after) = match price {
            true => (now.price == left.price, Offer { price: was.price, ..now.clone() }),
            false => (
                now.attributes == left.attributes,
                Offer { attributes: was.attributes.clone(), ..now.clone() },
            ),
        };
        match (as_left, price) {
            (true, _) => Ok(undone(intent.change.op, standing, after)),
            (false, true) => {
                Err(changed(format!("the run left it at {}, and it is at {}", left.price, now.price)))
            }
            (false, false) => Err(changed("its details are not those that the run left".to_owned())),
        }
    }

    /// A number of copies goes back by as many as it came.
    fn counted(&self, intent: &Intent) -> Result<Undone, Hold> {
        let (was, left) = sides(&intent.change)?;
        let standing = self.standing(intent)?;
        let now = &standing.offer;
        self.as_left(intent, left, now)?;
        let target = now.quantity.saturating_sub(left.quantity).saturating_add(was.quantity).max(0);
        self.to_count(standing, target)
    }

    /// A listing that the run took off sale goes on sale again.
    fn taken_off(&self, intent: &Intent) -> Result<Undone, Hold> {
        let change = &intent.change;
        let was = change.before.as_ref().ok_or_else(damaged)?;
        let sold = self.sold(intent);
        if let Some(standing) = self.by_number(intent) {
            let left = change.after.as_ref().map_or(0, |after| after.quantity);
            if standing.offer.listed() > 0 || change.op == Operation::Remove {
                return Err(changed(format!("{} of it are for sale again", standing.offer.listed())));
            }
            self.as_left(intent, &Offer { quantity: left, ..was.clone() }, &standing.offer)?;
            let target = standing.offer.quantity.saturating_add(was.quantity.saturating_sub(left));
            return self.to_count(standing, target);
        }
        if let Some(other) = self.others(&change.sku).first() {
            return Err(changed(format!("listing {} has its SKU now", other.listing_id)));
        }
        if let Trust::Partial(why) = self.present.trust {
            return Err((held::SNAPSHOT_INCOMPLETE, why.clone()));
        }
        self.may_rise(&change.sku)?;
        let quantity = was.quantity.saturating_sub(sold.max(0));
        if quantity <= 0 {
            return Err(changed("all of it was sold".to_owned()));
        }
        let offer = (self.present.anew)(was).map_err(|why| (held::CANNOT_CREATE, why))?;
        let change = Change {
            op: Operation::Add,
            sku: change.sku.clone(),
            listing_id: None,
            title: change.title.clone(),
            before: None,
            after: Some(Offer { quantity, in_carts: 0, price: was.price, ..offer }),
            reason: format!("undoes `{}`", change.op),
            bounds: Bounds::default(),
        };
        Ok(Undone { change, rest: None })
    }

    /// A listing that the run made goes off sale again.
    fn added(&self, intent: &Intent) -> Result<Undone, Hold> {
        let left = intent.change.after.as_ref().ok_or_else(damaged)?;
        let standing = self.standing(intent)?;
        self.as_left(intent, left, &standing.offer)?;
        if standing.offer.price != left.price {
            let words = format!("the run left it at {}, and it is at {}", left.price, standing.offer.price);
            return Err(changed(words));
        }
        self.to_count(standing, 0)
    }

    /// Whether the number of copies is what the run left, less what was sold since.
    fn as_left(&self, intent: &Intent, left: &Offer, now: &Offer) -> Result<(), Hold> {
        let sold = self.sold(intent);
        let sku = &intent.change.sku;
        let listings: HashSet<Option<ListingId>> =
            self.touched.get(sku).into_iter().flatten().copied().collect();
        let others =
            self.others(sku).iter().filter(|other| !listings.contains(&Some(other.listing_id))).count();
        if sold != 0 && listings.len() + others > 1 {
            return Err(changed(format!("{sold} sold since, from one of its several listings")));
        }
        let expected = left.quantity.saturating_sub(sold).max(0);
        if now.quantity == expected {
            return Ok(());
        }
        Err(changed(format!(
            "the run left {}, sold {sold} since: expected {expected}, found {}",
            left.quantity, now.quantity
        )))
    }

    /// Brings a listing to so many copies, as far as carts let it.
    fn to_count(&self, standing: &Standing, target: i64) -> Result<Undone, Hold> {
        let now = &standing.offer;
        self.unlocked(standing)?;
        if target > now.quantity {
            self.may_rise(&standing.sku)?;
        }
        let quantity = target.max(now.in_carts);
        let rest = (quantity > target).then(|| {
            (
                held::IN_CARTS,
                format!("{} more in buyers' carts, where they cannot be taken back", quantity - target),
            )
        });
        if quantity == now.quantity {
            return Err(rest.unwrap_or_else(|| changed("nothing is left to undo, it was sold".to_owned())));
        }
        let after = Offer { quantity, ..now.clone() };
        let op = if after.listed() == 0 { Operation::Zero } else { Operation::Quantity };
        let Undone { change, .. } = undone(op, standing, after);
        Ok(Undone { change, rest })
    }

    /// The listing that the change left, if it is there and may be touched.
    fn standing(&self, intent: &Intent) -> Result<&'a Standing, Hold> {
        let found = self.by_number(intent).or(match self.others(&intent.change.sku) {
            // Somebody's edit has given it another number.
            [only] => Some(*only),
            _ => None,
        });
        let standing = found.ok_or_else(|| changed("it is not listed any more".to_owned()))?;
        self.unlocked(standing)?;
        Ok(standing)
    }

    fn by_number(&self, intent: &Intent) -> Option<&'a Standing> {
        self.by_id.get(&self.number(intent)?).copied()
    }

    fn others(&self, sku: &Sku) -> &[&'a Standing] {
        self.by_sku.get(sku).map_or(&[], Vec::as_slice)
    }

    /// The number that the listing of a change has after the run.
    fn number(&self, intent: &Intent) -> Option<ListingId> {
        let mut number = intent.new_listing_id.or(intent.change.listing_id)?;
        // Each step is one of the run's changes; a circle ends where it began.
        for _ in 0..self.renumbered.len() {
            match self.renumbered.get(&number) {
                Some(next) => number = *next,
                None => break,
            }
        }
        Some(number)
    }

    /// Copies sold since the change's `before` was read.
    fn sold(&self, intent: &Intent) -> i64 {
        let now = self.present.nets.get(&intent.change.sku).copied().unwrap_or(0);
        intent.base_net.saturating_sub(now)
    }

    /// Whether more may be offered: nothing of it was sold elsewhere, and every sale is known.
    fn may_rise(&self, sku: &Sku) -> Result<(), Hold> {
        if let Some(sold) = self.present.sold_elsewhere.get(sku) {
            return Err(changed(sold.clone()));
        }
        if let Some(why) = self.present.unread_elsewhere {
            return Err((held::ORDER_READ_PENDING, why.to_owned()));
        }
        match self.present.orders {
            OrderKnowledge::Complete => Ok(()),
            OrderKnowledge::Pending => {
                let detail = "orders have not been read to the end since the stock was".to_owned();
                Err((held::ORDER_READ_PENDING, detail))
            }
        }
    }

    fn unlocked(&self, standing: &Standing) -> Result<(), Hold> {
        let marks = || self.present.never_touch.iter().filter(|mark| !mark.is_empty());
        if marks().next().is_none() {
            return Ok(());
        }
        let comment = self.present.drafting.comment(&standing.offer.attributes);
        match marks().find(|mark| comment.starts_with(mark.as_str())) {
            None => Ok(()),
            Some(mark) => Err((held::NEVER_TOUCH, format!("its comment begins with `{mark}`"))),
        }
    }
}

fn undone(op: Operation, standing: &Standing, after: Offer) -> Undone {
    let change = Change {
        op,
        sku: standing.sku.clone(),
        listing_id: Some(standing.listing_id),
        title: standing.title.clone(),
        before: Some(standing.offer.clone()),
        after: Some(after),
        reason: "undoes the run".to_owned(),
        bounds: Bounds::default(),
    };
    Undone { change, rest: None }
}

/// A price that was right before the run may be outside the bounds that the source has given the item since.
fn out_of_bounds(change: &Change) -> Option<Hold> {
    let price = match (change.op, &change.after) {
        (Operation::Price | Operation::Add, Some(after)) => after.price,
        _ => return None,
    };
    let Bounds { floor, ceiling } = change.bounds;
    if let Some(floor) = floor.filter(|floor| price.minor < floor.minor) {
        return Some((held::BELOW_FLOOR, format!("it was at {price}, and its floor is {floor}")));
    }
    let ceiling = ceiling.filter(|ceiling| price.minor > ceiling.minor)?;
    Some((held::ABOVE_CEILING, format!("it was at {price}, and its ceiling is {ceiling}")))
}

/// What the run did may be what the marketplace never takes back.
fn impossible(change: &Change, drafting: &dyn Drafting) -> Option<Hold> {
    let why = drafting.obstacle(change.before.as_ref()?, Facet::of(change)?)?;
    Some((held::CANNOT_CHANGE, why))
}

fn sides(change: &Change) -> Result<(&Offer, &Offer), Hold> {
    change.before.as_ref().zip(change.after.as_ref()).ok_or_else(damaged)
}

fn changed(detail: String) -> Hold {
    (held::CHANGED_SINCE, detail)
}

/// A change without the sides that its operation has. No plan makes one; a damaged row might.
fn damaged() -> Hold {
    changed("the record of the change is not complete".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Desired, IntentId};
    use crate::planning::testing::{change, offer};

    /// A marketplace whose attributes are the comment and nothing else.
    struct Plain;

    impl Drafting for Plain {
        fn draft(&self, _: &Desired) -> Result<Offer, String> {
            Err("not asked".to_owned())
        }

        fn redraft(&self, _: &Offer, _: &Desired) -> Result<Option<String>, String> {
            Ok(None)
        }

        fn comment(&self, attributes: &str) -> String {
            attributes.to_owned()
        }

        fn obstacle(&self, now: &Offer, to: Facet) -> Option<String> {
            let never = match to {
                Facet::Copies(copies) => now.attributes == "single" && copies > 1,
                Facet::Price(_) | Facet::Gone => now.attributes == "auction",
            };
            never.then(|| "never".to_owned())
        }
    }

    fn done(op: Operation, id: i64, before: Option<Offer>, after: Option<Offer>) -> Intent {
        Intent {
            planned_at: chrono::DateTime::UNIX_EPOCH,
            sent_at: None,
            id: IntentId(id),
            seq: 0,
            change: Change {
                sku: "a".into(),
                title: "Ocelot Pride".to_owned(),
                ..change(op, id, before, after)
            },
            state: IntentState::Done,
            base_net: -3,
            message: None,
            new_listing_id: (op == Operation::Add).then_some(ListingId(id)),
        }
    }

    fn stands(id: i64, offer: Offer) -> Standing {
        Standing { listing_id: ListingId(id), sku: "a".into(), title: "Ocelot Pride".to_owned(), offer }
    }

    /// What is known beside the run and may be otherwise.
    struct Knowledge {
        orders: OrderKnowledge,
        trust: Trust,
        sold_elsewhere: HashMap<Sku, String>,
        unread_elsewhere: Option<&'static str>,
        in_doubt: HashSet<Sku>,
        anew: Result<(), String>,
    }

    impl Default for Knowledge {
        fn default() -> Self {
            Self {
                orders: OrderKnowledge::Complete,
                trust: Trust::Sound,
                sold_elsewhere: HashMap::new(),
                unread_elsewhere: None,
                in_doubt: HashSet::new(),
                anew: Ok(()),
            }
        }
    }

    /// What the undo of these intents says, with so many sold since: changes, then what is held.
    fn said(intents: &[Intent], standing: &[Standing], sold: i64, known: &Knowledge) -> Vec<String> {
        let undo = plan(
            intents,
            &Present {
                standing,
                nets: &HashMap::from([("a".into(), -3 - sold)]),
                sold_elsewhere: &known.sold_elsewhere,
                unread_elsewhere: known.unread_elsewhere,
                in_doubt: &known.in_doubt,
                orders: known.orders,
                trust: &known.trust,
                never_touch: &["!".to_owned()],
                drafting: &Plain,
                anew: &|offer| known.anew.clone().map(|()| offer.clone()),
            },
        );
        let side = |offer: &Option<Offer>| {
            offer.as_ref().map_or("nothing".to_owned(), |o| format!("{}x{}", o.quantity, o.price.minor))
        };
        let changes =
            undo.changes.iter().map(|c| format!("{} {} -> {}", c.op, side(&c.before), side(&c.after)));
        changes.chain(undo.held.iter().map(|held| format!("held {}", held.reason))).collect()
    }

    fn plainly(intents: &[Intent], standing: &[Standing], sold: i64) -> Vec<String> {
        said(intents, standing, sold, &Knowledge::default())
    }

    #[test]
    fn what_stands_as_the_run_left_it_goes_back() {
        let run = [
            done(Operation::Quantity, 1, Some(offer(5, 100)), Some(offer(3, 100))),
            done(Operation::Price, 1, Some(offer(5, 100)), Some(offer(5, 90))),
        ];
        let expected = ["quantity 3x90 -> 5x90", "price 3x90 -> 3x100"];
        assert_eq!(plainly(&run, &[stands(1, offer(3, 90))], 0), expected);
        let mut renumbered = run.clone();
        renumbered[1].new_listing_id = Some(ListingId(7));
        assert_eq!(plainly(&renumbered, &[stands(7, offer(3, 90))], 0), expected);
    }

    #[test]
    fn what_was_sold_since_is_not_restored() {
        let lowered = [done(Operation::Quantity, 1, Some(offer(5, 100)), Some(offer(3, 100)))];
        assert_eq!(plainly(&lowered, &[stands(1, offer(2, 100))], 1), ["quantity 2x100 -> 4x100"]);
        let zeroed = [done(Operation::Zero, 1, Some(offer(2, 100)), Some(offer(0, 100)))];
        assert_eq!(plainly(&zeroed, &[], 1), ["add nothing -> 1x100"]);
        assert_eq!(plainly(&zeroed, &[], 2), ["held changed-since"]);
        let added = [done(Operation::Add, 1, None, Some(offer(2, 100)))];
        assert_eq!(plainly(&added, &[stands(1, offer(1, 100))], 1), ["zero 1x100 -> 0x100"]);
        assert_eq!(plainly(&added, &[], 2), ["held changed-since"]);
    }

    #[test]
    fn what_was_changed_since_is_left_alone_and_listed() {
        let run = [
            done(Operation::Quantity, 1, Some(offer(5, 100)), Some(offer(3, 100))),
            done(Operation::Price, 1, Some(offer(5, 100)), Some(offer(5, 90))),
        ];
        let both = ["held changed-since", "held changed-since"];
        assert_eq!(plainly(&run, &[stands(1, offer(4, 80))], 0), both);
        assert_eq!(plainly(&run, &[], 0), both);
        let zeroed = [done(Operation::Zero, 1, Some(offer(2, 100)), Some(offer(0, 100)))];
        assert_eq!(plainly(&zeroed, &[stands(9, offer(1, 100))], 0), ["held changed-since"]);
        let added = [done(Operation::Add, 1, None, Some(offer(2, 100)))];
        assert_eq!(plainly(&added, &[stands(1, offer(2, 120))], 0), ["held changed-since"]);
    }

    #[test]
    fn two_listings_of_a_sku_share_their_sales_so_none_of_them_is_guessed() {
        let run = [done(Operation::Quantity, 1, Some(offer(5, 100)), Some(offer(3, 100)))];
        let two = [stands(1, offer(2, 100)), stands(2, offer(1, 100))];
        assert_eq!(plainly(&run, &two, 1), ["held changed-since"]);
    }

    #[test]
    fn it_comes_back_only_where_that_is_possible_and_every_order_is_known() {
        let removed = [done(Operation::Remove, 1, Some(offer(2, 100)), None)];
        assert_eq!(plainly(&removed, &[], 0), ["add nothing -> 2x100"]);
        let check = |known: Knowledge, expected: &str| {
            assert_eq!(said(&removed, &[], 0, &known), [format!("held {expected}")]);
        };
        let never = Err("a listing that is withdrawn cannot be put back".to_owned());
        check(Knowledge { anew: never, ..Knowledge::default() }, held::CANNOT_CREATE);
        let orders = OrderKnowledge::Pending;
        check(Knowledge { orders, ..Knowledge::default() }, held::ORDER_READ_PENDING);
        let trust = Trust::Partial("cut off".to_owned());
        check(Knowledge { trust, ..Knowledge::default() }, held::SNAPSHOT_INCOMPLETE);
        let trust = Trust::Suspicious("empty".to_owned());
        check(Knowledge { trust, ..Knowledge::default() }, held::SNAPSHOT_DOUBTED);
        let in_doubt = HashSet::from(["a".into()]);
        check(Knowledge { in_doubt, ..Knowledge::default() }, held::IN_DOUBT);
    }

    #[test]
    fn what_was_sold_elsewhere_is_not_put_back_and_what_is_taken_back_from_sale_goes() {
        let lowered = [done(Operation::Quantity, 1, Some(offer(4, 100)), Some(offer(1, 100)))];
        let raised = [done(Operation::Quantity, 1, Some(offer(1, 100)), Some(offer(4, 100)))];
        let removed = [done(Operation::Remove, 1, Some(offer(2, 100)), None)];
        let repriced = [done(Operation::Price, 1, Some(offer(1, 100)), Some(offer(1, 90)))];
        let sold =
            || HashMap::from([("a".into(), "3 sold at nz since".to_owned()), ("b".into(), String::new())]);
        let elsewhere = Knowledge { sold_elsewhere: sold(), ..Knowledge::default() };
        let unread = Knowledge { unread_elsewhere: Some("nz: ..."), ..Knowledge::default() };
        for (known, word) in [(elsewhere, held::CHANGED_SINCE), (unread, held::ORDER_READ_PENDING)] {
            let held = [format!("held {word}")];
            assert_eq!(said(&lowered, &[stands(1, offer(1, 100))], 0, &known), held);
            assert_eq!(said(&removed, &[], 0, &known), held);
            assert_eq!(said(&raised, &[stands(1, offer(4, 100))], 0, &known), ["quantity 4x100 -> 1x100"]);
            assert_eq!(said(&repriced, &[stands(1, offer(1, 90))], 0, &known), ["price 1x90 -> 1x100"]);
        }
    }

    #[test]
    fn marks_carts_and_unsettled_changes_are_respected() {
        let raised = [done(Operation::Quantity, 1, Some(offer(1, 100)), Some(offer(5, 100)))];
        let locked = Offer { attributes: "! mine".to_owned(), ..offer(5, 100) };
        assert_eq!(plainly(&raised, &[stands(1, locked)], 0), ["held never-touch"]);
        let in_carts = Offer { in_carts: 3, ..offer(5, 100) };
        assert_eq!(plainly(&raised, &[stands(1, in_carts)], 0), ["zero 5x100 -> 3x100", "held in-carts"]);
        let mut unsettled = raised;
        unsettled[0].state = IntentState::Sent;
        assert_eq!(plainly(&unsettled, &[stands(1, offer(5, 100))], 0), ["held in-doubt"]);
        unsettled[0].state = IntentState::Refused;
        assert_eq!(plainly(&unsettled, &[stands(1, offer(5, 100))], 0), [] as [&str; 0]);
    }

    #[test]
    fn what_can_never_be_made_of_a_listing_is_not_planned() {
        let of = |kind: &str, offer: Offer| Offer { attributes: kind.to_owned(), ..offer };
        let run = [
            done(Operation::Quantity, 1, Some(offer(5, 100)), Some(offer(1, 100))),
            done(Operation::Price, 1, Some(offer(5, 100)), Some(offer(5, 90))),
        ];
        let price = "price 1x90 -> 1x100";
        let single = stands(1, of("single", offer(1, 90)));
        assert_eq!(plainly(&run, &[single], 0), [price, "held cannot-change"]);
        let auction = stands(1, of("auction", offer(1, 90)));
        assert_eq!(plainly(&run, &[auction], 0), ["quantity 1x90 -> 5x90", "held cannot-change"]);
    }

    proptest! {
        #[test]
        fn undone_it_stands_where_it_would_stand_without_the_run(
            before in 1_i64..9, further in 1_i64..9, sold in 0_i64..9, minors in (1_i64..5, 5_i64..9),
        ) {
            let after = (before + further) % 10;
            let sold = sold.min(before).min(after);
            let op = if after == 0 { Operation::Zero } else { Operation::Quantity };
            let run = [
                done(op, 1, Some(offer(before, minors.0)), Some(offer(after, minors.0))),
                done(Operation::Price, 1, Some(offer(before, minors.0)), Some(offer(before, minors.1))),
            ];
            let now = stands(1, offer(after - sold, minors.1));
            let expected = |price: i64| format!("{}x{price}", before - sold);
            let said = plainly(&run, std::slice::from_ref(&now), sold);
            prop_assert!(said[0].ends_with(&expected(minors.1)), "{said:?}");
            let price = format!("{}x{}", after - sold, minors.0);
            prop_assert!(before == sold || said[1].ends_with(&price), "{said:?}");
        }

        #[test]
        fn no_number_makes_it_panic(before: i64, after: i64, now: i64, sold: i32) {
            let run = [done(Operation::Quantity, 1, Some(offer(before, 1)), Some(offer(after, 1)))];
            plainly(&run, &[stands(1, offer(now, 1))], sold.into());
            let run = [done(Operation::Remove, 1, Some(offer(before, 1)), None)];
            plainly(&run, &[], sold.into());
        }
    }
}
