//! What became of a change whose answer was lost, told by what is read back.
//!
//! Sent again, a relative change counts twice; taken for done, it may never have happened. So the numbers are compared
//! with the two histories that are possible: what stood before less what was sold since, with the change and without
//! it. Where neither or both of them fit, nobody guesses: the item is parked and the sum is shown to a person. A seller
//! who edits by hand meanwhile ends there too.

use crate::domain::{Change, ListingId, Offer, Operation};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stands as the change wanted it, under this number; `None` where nothing is listed any more.
    Done {
        /// The listing's number now.
        listing_id: Option<ListingId>,
    },
    /// It stands as if the change had never been sent: it may be sent again.
    NotApplied,
    /// What it was about is not there any more, for this reason: there is nothing left to change.
    Moot(String),
    /// The orders moved while it was read, so that the numbers are not of one moment: read again.
    ReadAgain,
    /// Neither the one nor the other, and this is the sum. A person has to look.
    Parked(String),
}

/// What the movements of a SKU at this account add up to, at three moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nets {
    /// When the change's `before` was read.
    pub base: i64,
    /// After the orders were read, before the listing was looked at.
    pub before_look: i64,
    /// After the orders were read once more.
    pub after_look: i64,
    /// Whether any of the movements since the first moment brought copies back. A sum does not show a sale and a
    /// cancellation, and nobody knows whether the marketplace offers a cancelled copy again.
    pub came_back: bool,
}

/// What stands there now.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The listing under the number that it had.
    pub same: Option<&'a Offer>,
    /// Listings that were not there when the plan was made and may be this one under another number, or the one that
    /// was to be added: of the same SKU, or of the SKU that the change gives it.
    pub others: &'a [(ListingId, Offer)],
    /// The listing that bears the reference of the item that was sent.
    pub referenced: Option<ListingId>,
    /// Whether this was the only listing of its SKU when the plan was made. Where it was not, a sale may have been one
    /// of the other listing.
    pub alone: bool,
}

/// Judges one change. `relative` says that a number of copies is changed by so many more or fewer; otherwise it is set.
pub fn judge(change: &Change, relative: bool, nets: Nets, found: &Found<'_>) -> Verdict {
    match change.op {
        Operation::Add => added(change, nets, found),
        Operation::Remove => match found.same {
            None => Verdict::Done { listing_id: None },
            Some(_) => Verdict::NotApplied,
        },
        Operation::Quantity | Operation::Zero => counted(change, relative, nets, found),
        Operation::Price | Operation::Details => edited(change, found),
    }
}

/// A number of copies.
fn counted(change: &Change, relative: bool, nets: Nets, found: &Found<'_>) -> Verdict {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return shapeless(change) };
    if nets.before_look != nets.after_look {
        return Verdict::ReadAgain;
    }
    if found.same.is_none() {
        match found.others {
            // Taken out, sold out, or gone another way: nothing is for sale, as was wanted.
            [] if change.op == Operation::Zero => return Verdict::Done { listing_id: None },
            [] => {}
            [(id, other), ..] => {
                return Verdict::Parked(format!(
                    "the listing is gone, and listing {id} stands there with {}: somebody has listed it anew",
                    other.quantity
                ));
            }
        }
    }
    let sold = i128::from(nets.base) - i128::from(nets.after_look);
    let now = i128::from(found.same.map_or(0, |offer| offer.quantity));
    let (before, after) = (i128::from(before.quantity), i128::from(after.quantity));
    let sum = || parked(before, after, sold, now);
    if sold < 0 || nets.came_back {
        return Verdict::Parked(format!("{}; copies of a cancelled order may be among them or not", sum()));
    }
    if sold != 0 && !found.alone {
        return Verdict::Parked(format!("{}; another listing of it may have sold them", sum()));
    }
    let without = (before - sold).max(0);
    let with = (after - sold).max(0);
    // What was sold before a number was set does not lower it.
    let with = with..=if relative { with } else { after };
    match (now == without, with.contains(&now)) {
        (true, _) if now == 0 => Verdict::Moot("all copies of it were sold".to_owned()),
        (true, true) if relative => Verdict::Parked(sum()),
        // To set the number now would put on sale again what was sold.
        (true, _) if !relative && sold != 0 => {
            Verdict::Moot(format!("{sold} sold since; it is planned anew"))
        }
        (true, _) => Verdict::NotApplied,
        (false, true) => Verdict::Done { listing_id: found.same.and(change.listing_id) },
        (false, false) => Verdict::Parked(sum()),
    }
}

/// A price or a detail. Sent again it is the same, so whatever else stands there is left to the next plan.
fn edited(change: &Change, found: &Found<'_>) -> Verdict {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return shapeless(change) };
    let same = |a: &Offer, b: &Offer| match change.op {
        Operation::Price => a.price == b.price,
        _ => a.attributes == b.attributes,
    };
    let other = |offer: &Offer| {
        Verdict::Moot(match change.op {
            Operation::Price => {
                format!("it had {}, was to have {}, and has {}", before.price, after.price, offer.price)
            }
            _ => "its details are neither what they were nor what they were to be".to_owned(),
        })
    };
    match (found.same, found.others) {
        (Some(now), _) if same(now, after) => Verdict::Done { listing_id: change.listing_id },
        (Some(now), _) if same(now, before) => Verdict::NotApplied,
        (Some(now), _) => other(now),
        (None, []) => Verdict::Moot("it is not listed any more".to_owned()),
        // An edit may give a listing another number.
        (None, [(id, now)]) if same(now, after) => Verdict::Done { listing_id: Some(*id) },
        (None, [(id, _)]) => Verdict::Moot(format!("it is gone, and listing {id} stands there unchanged")),
        (None, several) => Verdict::Moot(format!("it is gone, and {} others stand there", several.len())),
    }
}

/// A new listing, recognised by its reference or by the mark of its SKU.
fn added(change: &Change, nets: Nets, found: &Found<'_>) -> Verdict {
    let several = |count: usize| {
        Verdict::Parked(format!(
            "it was to be listed once, and {count} listings bear the mark {}",
            change.sku
        ))
    };
    match (found.referenced, found.others) {
        (Some(id), _) => Verdict::Done { listing_id: Some(id) },
        (None, [(id, _)]) => Verdict::Done { listing_id: Some(*id) },
        (None, [_, _, ..]) => several(found.others.len()),
        (None, []) if nets.before_look != nets.after_look => Verdict::ReadAgain,
        (None, []) if nets.after_look != nets.base => Verdict::Parked(format!(
            "it was to be listed and is not there, and orders for it came in since ({} sold): it may have been listed \
             and sold out",
            i128::from(nets.base) - i128::from(nets.after_look)
        )),
        (None, []) => Verdict::NotApplied,
    }
}

/// The sum, for people: `had 5, sold 1 since, asked for 3: expected 4 or 2, found 7`.
fn parked(before: i128, after: i128, sold: i128, now: i128) -> String {
    let (without, with) = ((before - sold).max(0), (after - sold).max(0));
    let moved = match sold {
        0 => "sold none since".to_owned(),
        1.. => format!("sold {sold} since"),
        _ => format!("{} came back since", -sold),
    };
    format!("had {before}, {moved}, asked for {after}: expected {without} or {with}, found {now}")
}

/// A change without the sides that its operation has. No plan makes one; a damaged row might.
fn shapeless(change: &Change) -> Verdict {
    Verdict::Parked(format!("the recorded change `{}` lacks what stood before or after", change.op))
}
