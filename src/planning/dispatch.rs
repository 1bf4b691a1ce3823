//! In which order, and in which company, the changes of a plan leave.
//!
//! Copies come off sale first and go on sale last, so that a crash halfway leaves too little on offer and never too
//! much. Requests are as full as they go. Nothing leaves for an item that is in doubt, and while a write is in doubt
//! that counts twice when it is sent twice, no other of that kind leaves: with one of them at a time, reading back tells
//! what happened.

mod places;

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

pub use self::places::Places;
use super::shape::Shape;
use crate::domain::{Change, ListingId, Offer, Operation, Sku};

/// What one request does to all its items, in the order in which they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Takes copies off sale, down to none.
    Lower,
    /// Takes listings out.
    Remove,
    /// Changes price and details, and the number of copies with them where a marketplace takes whole listings.
    Edit,
    /// Puts more copies on sale.
    Raise,
    /// Makes new listings.
    Add,
}

impl Step {
    /// Whether it takes copies off sale.
    pub fn lowers(self) -> bool {
        matches!(self, Self::Lower | Self::Remove)
    }

    /// Whether sending it twice is another thing than sending it once. `relative` says that a number of copies is
    /// changed by so many more or fewer.
    pub fn repeats(self, relative: bool) -> bool {
        match self {
            Self::Lower | Self::Raise => relative,
            Self::Add => true,
            Self::Remove | Self::Edit => false,
        }
    }
}

/// Stands for a SKU where all that counts is whether two are the same, in eight bytes however long it is. Two SKUs
/// might come to the same number: they are then treated as one, so that one waits for the other, and nothing worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SkuNumber(u64);

impl SkuNumber {
    /// That of a SKU: the same as long as the program runs.
    pub fn of(sku: &Sku) -> Self {
        let mut hasher = DefaultHasher::new();
        sku.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// One item of a request: the changes of one listing that it carries out, by their places in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What is done to it.
    pub step: Step,
    /// Whose it is.
    pub sku: SkuNumber,
    /// Places in the list of changes, ascending; never empty.
    pub changes: Places,
}

/// One request: at most [`Shape::most`] items of one step, no two of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// What it does.
    pub step: Step,
    /// To what; never empty.
    pub parcels: Vec<Parcel>,
}

impl Load {
    /// The changes that it carries out, by their places in the plan.
    pub fn changes(&self) -> impl Iterator<Item = usize> + Clone {
        self.parcels.iter().flat_map(|parcel| parcel.changes.iter().copied())
    }
}

/// What is not known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Items with a write in doubt or parked: nothing leaves for them.
    pub skus: HashSet<SkuNumber>,
    /// Whether one of those writes counts twice when it is sent twice.
    pub repeating: bool,
}

/// As much of a change as decides when it leaves: a plan of a hundred thousand changes is put in order by these, so that
/// they hold no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief {
    /// Whose it is.
    pub sku: SkuNumber,
    /// The listing, if there is one already.
    pub listing_id: Option<ListingId>,
    /// What is done to it.
    pub step: Step,
    /// Whether it stays listed with copies for sale, so that whoever edits it whole has to fetch it before.
    pub stays: bool,
}

impl Brief {
    /// That of a change.
    pub fn of(change: &Change) -> Self {
        let stays = change.before.is_some() && change.after.as_ref().is_some_and(|after| after.listed() > 0);
        Self { sku: SkuNumber::of(&change.sku), listing_id: change.listing_id, step: step_of(change), stays }
    }
}

/// The changes that have not left yet, in the order in which they should.
#[derive(Debug, Clone)]
pub struct Queue {
    most: usize,
    relative: bool,
    waiting: VecDeque<Parcel>,
}

impl Queue {
    /// All changes of a plan, in its order: those of one listing stand together.
    pub fn new(changes: impl IntoIterator<Item = Brief>, shape: &Shape<'_>) -> Self {
        let mut parcels: Vec<(Parcel, bool)> = Vec::new();
        // The parcels of the listing that is being looked at begin here.
        let (mut listing, mut from) = (None, 0);
        for (index, change) in changes.into_iter().enumerate() {
            let Brief { sku, step, listing_id, .. } = change;
            if listing_id.is_none() || listing_id != listing {
                (listing, from) = (listing_id, parcels.len());
            }
            // Price and details are one edit everywhere; where a listing is taken whole, so is the rest.
            let same = |parcel: &(Parcel, bool)| shape.whole_listing || parcel.0.step == step;
            match parcels.get_mut(from..).and_then(|of_listing| of_listing.iter_mut().find(|p| same(p))) {
                Some((first, lowers)) => {
                    first.changes.push(index);
                    first.step = together(first.step, step);
                    *lowers |= step == Step::Lower;
                }
                None => {
                    let parcel = Parcel { step, sku, changes: Places::one(index) };
                    parcels.push((parcel, step == Step::Lower));
                }
            }
        }
        // Among equal steps those that take copies off sale come first, then the order of the plan is kept, which the
        // first place says: a sort that keeps it by itself would need the same memory once more.
        parcels
            .sort_unstable_by_key(|(parcel, lowers)| (parcel.step, !lowers, parcel.changes.first().copied()));
        Self {
            most: shape.most(),
            relative: shape.relative,
            waiting: parcels.into_iter().map(|(parcel, _)| parcel).collect(),
        }
    }

    /// Takes out the request that may leave now; `None` where all that waits has to wait, or nothing does.
    pub fn next(&mut self, doubt: &Doubt) -> Option<Load> {
        let mut load: Option<Load> = None;
        let mut passed: HashSet<SkuNumber> = HashSet::new();
        let mut stays: Vec<Parcel> = Vec::new();
        while let Some(parcel) = self.waiting.pop_front() {
            let step = load.as_ref().map_or(parcel.step, |load| load.step);
            let full = load.as_ref().is_some_and(|load| load.parcels.len() >= self.most);
            if full || parcel.step != step {
                self.waiting.push_front(parcel);
                break;
            }
            let blocked = doubt.skus.contains(&parcel.sku)
                || (doubt.repeating && parcel.step.repeats(self.relative))
                // Its own item has been passed by or taken: nothing overtakes, and one at a time.
                || passed.contains(&parcel.sku);
            passed.insert(parcel.sku);
            if blocked {
                stays.push(parcel);
                continue;
            }
            load.get_or_insert_with(|| Load { step, parcels: Vec::new() }).parcels.push(parcel);
        }
        for parcel in stays.into_iter().rev() {
            self.waiting.push_front(parcel);
        }
        load
    }

    /// Takes out the changes that are not to leave, by their places in the plan.
    pub fn retain(&mut self, leaves: impl Fn(usize) -> bool) {
        for parcel in &mut self.waiting {
            parcel.changes.retain(&leaves);
        }
        self.waiting.retain(|parcel| !parcel.changes.is_empty());
    }

    /// Keeps the items of which at least one change is to leave: what is edited whole leaves whole.
    pub fn retain_items(&mut self, leaves: impl Fn(usize) -> bool) {
        self.waiting.retain(|parcel| parcel.changes.iter().any(|index| leaves(*index)));
    }

    /// Puts an item back that turned out not to have been done: it is the next of its step.
    pub fn put_back(&mut self, parcel: Parcel) {
        let place = self.waiting.partition_point(|waiting| waiting.step < parcel.step);
        self.waiting.insert(place, parcel);
    }

    /// What has not left yet.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Parcel> {
        self.waiting.iter()
    }
}

fn step_of(change: &Change) -> Step {
    match change.op {
        Operation::Zero => Step::Lower,
        Operation::Remove => Step::Remove,
        Operation::Price | Operation::Details => Step::Edit,
        Operation::Add => Step::Add,
        Operation::Quantity => {
            let quantity = |offer: &Option<Offer>| offer.as_ref().map_or(0, |offer| offer.quantity);
            if quantity(&change.after) < quantity(&change.before) { Step::Lower } else { Step::Raise }
        }
    }
}

/// The step of an item that two changes share.
fn together(a: Step, b: Step) -> Step {
    if a == b {
        a
    } else if a == Step::Remove || b == Step::Remove {
        Step::Remove
    } else {
        Step::Edit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Bounds, Currency, Money};

    const CARDS: Shape<'static> =
        Shape { batch: 3, relative: true, whole_listing: false, natural_sku: "cm:", zero_is_final: false };
    const WHOLE: Shape<'static> =
        Shape { batch: 1, relative: false, whole_listing: true, natural_sku: "tm:", zero_is_final: true };

    fn change(op: Operation, listing: i64, by: i64) -> Change {
        let offer = |quantity| Offer {
            quantity,
            in_carts: 0,
            price: Money { minor: 100, currency: Currency::EUR },
            attributes: String::new(),
        };
        Change {
            op,
            sku: format!("sku-{listing}").as_str().into(),
            listing_id: (op != Operation::Add).then_some(ListingId(listing)),
            title: String::new(),
            before: (op != Operation::Add).then(|| offer(5)),
            after: (op != Operation::Remove).then(|| offer(if op == Operation::Zero { 0 } else { 5 + by })),
            reason: String::new(),
            bounds: Bounds::default(),
        }
    }

    fn queue(changes: &[Change], shape: &Shape<'_>) -> Queue {
        Queue::new(changes.iter().map(Brief::of), shape)
    }

    /// What would leave if each request were done at once.
    fn loads(changes: &[Change], shape: &Shape<'_>) -> Vec<(Step, Vec<Vec<usize>>)> {
        let mut queue = queue(changes, shape);
        let next = || queue.next(&Doubt::default());
        std::iter::from_fn(next)
            .map(|load| (load.step, load.parcels.iter().map(|parcel| parcel.changes.to_vec()).collect()))
            .collect()
    }

    #[test]
    fn copies_come_off_sale_first_and_go_on_sale_last() {
        let changes = [
            change(Operation::Add, 9, 0),
            change(Operation::Quantity, 1, 2),
            change(Operation::Price, 1, 0),
            change(Operation::Details, 1, 0),
            change(Operation::Remove, 2, 0),
            change(Operation::Quantity, 3, -1),
            change(Operation::Price, 3, 0),
            change(Operation::Zero, 4, 0),
        ];
        let expected = [
            (Step::Lower, vec![vec![5], vec![7]]),
            (Step::Remove, vec![vec![4]]),
            (Step::Edit, vec![vec![2, 3], vec![6]]),
            (Step::Raise, vec![vec![1]]),
            (Step::Add, vec![vec![0]]),
        ];
        assert_eq!(loads(&changes, &CARDS), expected);
        // Whole listings: the one that is lowered with its edit goes before the one that is raised with it.
        let expected = [
            (Step::Lower, vec![vec![7]]),
            (Step::Remove, vec![vec![4]]),
            (Step::Edit, vec![vec![5, 6]]),
            (Step::Edit, vec![vec![1, 2, 3]]),
            (Step::Add, vec![vec![0]]),
        ];
        assert_eq!(loads(&changes, &WHOLE), expected);
    }

    #[test]
    fn two_listings_of_one_sku_do_not_share_a_request() {
        let mut changes = [1, 2, 3].map(|id| change(Operation::Zero, id, 0));
        changes[1].sku = changes[0].sku.clone();
        assert_eq!(
            loads(&changes, &CARDS),
            [(Step::Lower, vec![vec![0], vec![2]]), (Step::Lower, vec![vec![1]])]
        );
    }

    #[test]
    fn what_repeats_waits_for_what_is_in_doubt_and_the_rest_goes_on() {
        let changes = [
            change(Operation::Quantity, 1, -1),
            change(Operation::Price, 1, 0),
            change(Operation::Price, 2, 0),
            change(Operation::Add, 3, 0),
        ];
        let mut queue = queue(&changes, &CARDS);
        let doubt = Doubt { skus: HashSet::new(), repeating: true };
        // The price of the first waits for its own decrease.
        assert_eq!(*queue.next(&doubt).unwrap().parcels[0].changes, [2]);
        assert_eq!(queue.next(&doubt), None);
        assert_eq!(queue.waiting().len(), 3);
        let doubt = Doubt { skus: HashSet::from([SkuNumber::of(&"sku-1".into())]), repeating: false };
        assert_eq!(queue.next(&doubt).unwrap().step, Step::Add);
        assert_eq!(queue.next(&doubt), None);
        assert_eq!(queue.next(&Doubt::default()).unwrap().step, Step::Lower);
    }

    #[test]
    fn an_item_that_was_not_done_is_the_next_of_its_step() {
        let changes = [1, 2, 3, 4].map(|id| change(Operation::Quantity, id, -1));
        let mut queue = queue(&changes, &CARDS);
        let mut load = queue.next(&Doubt::default()).unwrap();
        assert_eq!(load.parcels.len(), 3);
        queue.put_back(load.parcels.remove(1));
        let again: Vec<_> =
            queue.next(&Doubt::default()).unwrap().parcels.into_iter().map(|p| p.changes.to_vec()).collect();
        assert_eq!(again, [[1], [3]]);
    }

    #[test]
    fn what_is_kept_of_each_change_of_a_large_plan_is_a_few_words_and_no_text() {
        let words = |bytes: usize| bytes.div_ceil(size_of::<u64>());
        assert_eq!((words(size_of::<Brief>()), words(size_of::<Parcel>())), (4, 4));
    }

    fn any_changes() -> impl Strategy<Value = Vec<Change>> {
        let facets = (0_u8..4, any::<bool>(), any::<bool>(), any::<bool>());
        proptest::collection::vec(facets, 0..25).prop_map(|items| {
            let mut changes = Vec::new();
            for (id, (kind, price, details, twin)) in items.into_iter().enumerate() {
                let from = changes.len();
                let id = id as i64;
                let mut push = |op, by| changes.push(change(op, id, by));
                match kind {
                    0 => push(Operation::Add, 0),
                    1 => push(Operation::Remove, 0),
                    2 => push(Operation::Zero, 0),
                    _ => {
                        push(Operation::Quantity, if twin { -1 } else { 1 });
                        if price {
                            push(Operation::Price, 0);
                        }
                        if details {
                            push(Operation::Details, 0);
                        }
                    }
                }
                if twin && id > 0 {
                    let sku: Sku = format!("sku-{}", id - 1).as_str().into();
                    changes[from..].iter_mut().for_each(|change| change.sku = sku.clone());
                }
            }
            changes
        })
    }

    proptest! {
        #[test]
        fn whatever_is_in_doubt_meanwhile_every_change_leaves_once_and_in_order(
            changes in any_changes(),
            whole: bool,
            batch in 1_usize..5,
            doubts in proptest::collection::vec((0_i64..25, any::<bool>(), any::<bool>()), 60),
        ) {
            let shape = Shape { batch, ..if whole { WHOLE } else { CARDS } };
            let mut queue = queue(&changes, &shape);
            let mut left: Vec<usize> = Vec::new();
            let mut doubts = doubts.into_iter();
            loop {
                let doubt = doubts.next().map_or_else(Doubt::default, |(id, some, repeating)| Doubt {
                    skus: some.then(|| SkuNumber::of(&format!("sku-{id}").as_str().into())).into_iter().collect(),
                    repeating,
                });
                let Some(load) = queue.next(&doubt) else {
                    if doubt == Doubt::default() { break } else { continue }
                };
                prop_assert!(!load.parcels.is_empty() && load.parcels.len() <= batch);
                prop_assert!(!(doubt.repeating && load.step.repeats(shape.relative)));
                let skus: HashSet<SkuNumber> = load.parcels.iter().map(|parcel| parcel.sku).collect();
                prop_assert_eq!(skus.len(), load.parcels.len(), "one item of a SKU at a time");
                prop_assert!(skus.is_disjoint(&doubt.skus));
                prop_assert!(load.parcels.iter().all(|parcel| parcel.step == load.step));
                // Full, unless all that waits of that step has to.
                let could = |waiting: &&Parcel| waiting.step == load.step && !doubt.skus.contains(&waiting.sku)
                    && !skus.contains(&waiting.sku)
                    && !queue.waiting().take_while(|w| w != waiting).any(|w| w.sku == waiting.sku);
                prop_assert!(load.parcels.len() == batch || !queue.waiting().any(|w| could(&w)));
                left.extend(load.parcels.iter().flat_map(|parcel| parcel.changes.iter().copied()));
            }
            prop_assert_eq!(queue.waiting().len(), 0);
            let at = |index: usize| left.iter().position(|left| *left == index);
            for (i, change) in changes.iter().enumerate() {
                prop_assert_eq!(left.iter().filter(|left| **left == i).count(), 1);
                // The lowering of a listing before all else of it.
                for (j, other) in changes.iter().enumerate() {
                    if step_of(change) == Step::Lower && other.listing_id == change.listing_id && i != j {
                        prop_assert!(at(i) < at(j));
                    }
                }
            }
        }
    }
}
