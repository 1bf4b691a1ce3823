//! In which order, and in which company, the changes of a plan leave.
//!
//! Copies come off sale first and go on sale last, so that a crash halfway leaves too little on offer and never too
//! much. Requests are as full as they go. Nothing leaves for an item that is in doubt, and while a write is in doubt
//! that counts twice when it is sent twice, no other of that kind leaves: with one of them at a time, reading back tells
//! what happened.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

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

/// One item of a request: the changes of one listing that it carries out, by their places in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What is done to it.
    pub step: Step,
    /// The seller's key.
    pub sku: Sku,
    /// Places in the list of changes, ascending; never empty.
    pub changes: Vec<usize>,
}

/// One request: at most [`Shape::most`] items of one step, no two of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// What it does.
    pub step: Step,
    /// To what; never empty.
    pub parcels: Vec<Parcel>,
}

/// What is not known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Items with a write in doubt or parked: nothing leaves for them.
    pub skus: HashSet<Sku>,
    /// Whether one of those writes counts twice when it is sent twice.
    pub repeating: bool,
}

/// The changes that have not left yet, in the order in which they should.
#[derive(Debug, Clone)]
pub struct Queue {
    most: usize,
    relative: bool,
    waiting: VecDeque<Parcel>,
}

impl Queue {
    /// All changes of a plan.
    pub fn new(changes: &[Change], shape: &Shape<'_>) -> Self {
        let mut parcels: Vec<(Parcel, bool)> = Vec::with_capacity(changes.len());
        let mut places: HashMap<(ListingId, Option<Step>), usize> = HashMap::new();
        for (index, change) in changes.iter().enumerate() {
            let step = step_of(change);
            let parcel =
                || (Parcel { step, sku: change.sku.clone(), changes: vec![index] }, step == Step::Lower);
            let Some(listing) = change.listing_id else {
                parcels.push(parcel());
                continue;
            };
            // Price and details are one edit everywhere; where a listing is taken whole, so is the rest.
            match places.entry((listing, (!shape.whole_listing).then_some(step))) {
                Entry::Vacant(place) => {
                    place.insert(parcels.len());
                    parcels.push(parcel());
                }
                Entry::Occupied(place) => {
                    let (first, lowers) = &mut parcels[*place.get()];
                    first.changes.push(index);
                    first.step = together(first.step, step);
                    *lowers |= step == Step::Lower;
                }
            }
        }
        // Among equal steps those that take copies off sale come first, then the order of the plan is kept.
        parcels.sort_by_key(|(parcel, lowers)| (parcel.step, !lowers));
        Self {
            most: shape.most(),
            relative: shape.relative,
            waiting: parcels.into_iter().map(|(parcel, _)| parcel).collect(),
        }
    }

    /// Takes out the request that may leave now; `None` where all that waits has to wait, or nothing does.
    pub fn next(&mut self, doubt: &Doubt) -> Option<Load> {
        let mut load: Option<Load> = None;
        let mut passed: HashSet<Sku> = HashSet::new();
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
            passed.insert(parcel.sku.clone());
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
            parcel.changes.retain(|index| leaves(*index));
        }
        self.waiting.retain(|parcel| !parcel.changes.is_empty());
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
