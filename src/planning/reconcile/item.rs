//! What happens to one SKU. Everything that would change is worked out first; then one reason to leave the whole item
//! alone is looked for, so that what is in step already is never reported as held.

mod stops;

use std::cmp::Reverse;

use self::stops::out_of_bounds;
use super::{Absent, Circumstances, Plan, Row, held};
use crate::domain::{Bounds, Change, Desired, Facet, Held, ListingId, Offer, Operation, Sku};

/// Decides about one SKU after the other.
pub(super) struct Judge<'p, 'a> {
    pub facts: &'p Circumstances<'a>,
    pub plan: &'p mut Plan,
}

/// Why something is held: the word for programs and the words for people.
type Hold = (&'static str, String);

/// What would become of one SKU if nothing stood against it.
#[derive(Default)]
struct Draft {
    changes: Vec<Change>,
    held: Vec<(Option<ListingId>, Hold)>,
}

impl Draft {
    /// What stands against several changes of a listing is said once.
    fn cannot_change(&mut self, row: &Row, why: String) {
        let hold = (Some(row.listing_id), (held::CANNOT_CHANGE, why));
        if !self.held.contains(&hold) {
            self.held.push(hold);
        }
    }
}

/// How many copies of an item are to be for sale, and what has become of the others that the source names.
#[derive(Clone, Copy)]
struct Wanted {
    copies: i64,
    sold: i64,
    held_back: i64,
}

impl Judge<'_, '_> {
    /// The source names it and it is listed.
    pub fn named(&mut self, desired: &Desired, rows: &[Row]) {
        let wanted = self.wanted(desired);
        let copies = wanted.copies;
        let has: i128 = rows.iter().map(|row| i128::from(row.offer.quantity)).sum();
        let worded = desired.more.as_ref().is_some_and(|more| more.comment.is_some());
        let priced = desired.price.is_none_or(|price| rows.iter().all(|row| row.offer.price == price));
        if i128::from(copies) == has && priced && !worded {
            return;
        }
        let mut draft = Draft::default();
        let counts = self.counts(desired, copies, has, rows, &mut draft);
        for (row, listed) in rows.iter().zip(counts) {
            if listed != row.offer.listed() {
                let op = if listed == 0 { Operation::Zero } else { Operation::Quantity };
                let after =
                    Offer { quantity: listed.saturating_add(row.offer.in_carts), ..row.offer.clone() };
                let reason = says(desired, wanted);
                let reason = if listed == 0 { self.with_finality(reason) } else { reason };
                draft.changes.push(change(op, desired, row, after, reason));
            }
            // A listing without a copy for sale needs no price and no words.
            if listed > 0 {
                self.edit(desired, row, worded, &mut draft);
            }
        }
        if draft.changes.is_empty() && draft.held.is_empty() {
            return;
        }
        if let Some(hold) = self.stop_named(desired, rows) {
            return self.hold(&desired.sku, only(rows), hold);
        }
        self.plan.changes.append(&mut draft.changes);
        for (id, hold) in draft.held {
            self.hold(&desired.sku, id, hold);
        }
    }

    /// The source names it and it is not listed.
    pub fn missing(&mut self, desired: &Desired) {
        let wanted = self.wanted(desired);
        if wanted.copies == 0 {
            return;
        }
        match self.draft(desired, wanted.copies) {
            Err(hold) => self.hold(&desired.sku, None, hold),
            Ok(offer) => {
                let title = desired.more.as_ref().and_then(|more| more.details.get("title"));
                self.plan.changes.push(Change {
                    op: Operation::Add,
                    sku: desired.sku.clone(),
                    listing_id: None,
                    title: title.unwrap_or(&desired.sku.0).clone(),
                    before: None,
                    after: Some(offer),
                    reason: format!("{}, and it is not listed", says(desired, wanted)),
                    bounds: Bounds::of(desired),
                });
            }
        }
    }

    /// It is listed and the source does not name it.
    pub fn unnamed(&mut self, sku: &Sku, rows: &[Row]) {
        if self.facts.absent == Absent::LeaveAlone {
            return;
        }
        if let Some(hold) = self.stop_unnamed(sku, rows) {
            return self.hold(sku, only(rows), hold);
        }
        for row in rows {
            if let Some(why) = self.facts.drafting.obstacle(&row.offer, Facet::Gone) {
                self.hold(sku, Some(row.listing_id), (held::CANNOT_CHANGE, why));
                continue;
            }
            if row.offer.in_carts > 0 {
                let detail = format!(
                    "{} of it in buyers' carts; it is removed once they are bought or put back",
                    copies(row.offer.in_carts)
                );
                self.hold(sku, Some(row.listing_id), (held::IN_CARTS, detail));
                continue;
            }
            self.plan.changes.push(Change {
                op: Operation::Remove,
                sku: sku.clone(),
                listing_id: Some(row.listing_id),
                title: row.title.clone(),
                before: Some(row.offer.clone()),
                after: None,
                reason: self.with_finality("the source does not name it".to_owned()),
                bounds: Bounds::default(),
            });
        }
    }

    /// The source contradicts itself.
    pub fn named_twice(&mut self, desired: &Desired, again: usize) {
        let detail = format!(
            "the source names it {} times, first on line {}; each SKU may stand there once",
            again + 1,
            desired.line
        );
        self.hold(&desired.sku, None, (held::NAMED_TWICE, detail));
    }

    /// The copies that can be bought of each listing afterwards, in the order of `rows`. What one listing cannot do is left
    /// to the others of its SKU.
    fn counts(&self, desired: &Desired, wanted: i64, has: i128, rows: &[Row], draft: &mut Draft) -> Vec<i64> {
        let mut counts: Vec<i64> = rows.iter().map(|row| row.offer.listed()).collect();
        let wanted = i128::from(wanted);
        if wanted < has {
            let mut too_many = has - wanted;
            let mut newest_first: Vec<usize> = (0..rows.len()).collect();
            newest_first.sort_by_key(|&i| Reverse((rows[i].first_seen, rows[i].listing_id)));
            let mut stuck = Vec::new();
            for i in newest_first {
                let gives = i64::try_from(too_many).unwrap_or(i64::MAX).min(counts[i]);
                if gives == 0 {
                    continue;
                }
                if let Some(why) = self.obstacle(&rows[i], counts[i] - gives) {
                    stuck.push((i, why));
                    continue;
                }
                counts[i] -= gives;
                too_many -= i128::from(gives);
            }
            if too_many > 0 {
                for (i, why) in stuck {
                    too_many -= i128::from(counts[i]);
                    draft.cannot_change(&rows[i], why);
                }
            }
            if too_many > 0 {
                let detail = format!(
                    "{too_many} more than desired in buyers' carts, where they cannot be taken back; planned again \
                     once they are bought or put back"
                );
                draft.held.push((only(rows), (held::IN_CARTS, detail)));
            }
        } else if wanted > has {
            if let Some(hold) = self.stop_rise(desired) {
                draft.held.push((only(rows), hold));
                return counts;
            }
            // The listing with most copies takes them, the oldest of equal ones, if it can. It fits: the sum is `wanted`
            // then.
            let more = i64::try_from(wanted - has).unwrap_or(i64::MAX);
            let key = |&i: &usize| (counts[i], Reverse(rows[i].first_seen), Reverse(rows[i].listing_id));
            let obstacle = |i: usize| self.obstacle(&rows[i], counts[i].saturating_add(more));
            let first = (0..rows.len()).max_by_key(key);
            let takes = first.filter(|first| obstacle(*first).is_none());
            let takes = takes.or_else(|| (0..rows.len()).filter(|i| obstacle(*i).is_none()).max_by_key(key));
            if let Some((first, why)) =
                first.filter(|_| takes.is_none()).and_then(|i| Some((i, obstacle(i)?)))
            {
                draft.cannot_change(&rows[first], why);
            }
            if let Some(takes) = takes {
                if counts[takes] == 0 && rows[takes].offer.in_carts > 0 {
                    let detail = "every copy of it lies in buyers' carts, and more are put to what is for sale; planned \
                                  again once they are bought or put back";
                    draft.held.push((only(rows), (held::IN_CARTS, detail.to_owned())));
                    return counts;
                }
                counts[takes] = counts[takes].saturating_add(more);
            }
        }
        counts
    }

    /// Price and details of a listing.
    fn edit(&self, desired: &Desired, row: &Row, worded: bool, draft: &mut Draft) {
        let id = Some(row.listing_id);
        if let Some(price) = desired.price.filter(|price| *price != row.offer.price) {
            let obstacle = || self.facts.drafting.obstacle(&row.offer, Facet::Price(price));
            match out_of_bounds(desired, price) {
                Some(hold) => draft.held.push((id, hold)),
                None if let Some(why) = obstacle() => draft.cannot_change(row, why),
                None => {
                    let after = Offer { price, ..row.offer.clone() };
                    let reason = format!("the source says {price}");
                    draft.changes.push(change(Operation::Price, desired, row, after, reason));
                }
            }
        }
        if !worded {
            return;
        }
        match self.facts.drafting.redraft(&row.offer, desired) {
            Ok(None) => {}
            Ok(Some(attributes)) => {
                let after = Offer { attributes, ..row.offer.clone() };
                let reason = "the source has other details".to_owned();
                draft.changes.push(change(Operation::Details, desired, row, after, reason));
            }
            Err(why) => draft.held.push((id, (held::CANNOT_EDIT, why))),
        }
    }

    /// Why so many copies of a listing can never be for sale.
    fn obstacle(&self, row: &Row, listed: i64) -> Option<String> {
        self.facts.drafting.obstacle(&row.offer, Facet::Copies(listed))
    }

    /// The offer of a new listing.
    fn draft(&self, desired: &Desired, wanted: i64) -> Result<Offer, Hold> {
        if let Some(hold) = self.stop_item(&desired.sku).or_else(|| self.stop_source(desired)) {
            return Err(hold);
        }
        let Some(price) = desired.price else {
            return Err((held::CANNOT_CREATE, "the source has no price for it".to_owned()));
        };
        // The reason that goes away by itself comes last.
        if let Some(hold) = out_of_bounds(desired, price) {
            return Err(hold);
        }
        let draft = self.facts.drafting.draft(&Desired { quantity: wanted, ..desired.clone() });
        let draft = draft.map_err(|why| (held::CANNOT_CREATE, why))?;
        self.stop_more().map_or(Ok(()), Err)?;
        Ok(Offer { quantity: wanted, in_carts: 0, price, ..draft })
    }

    /// The copies that are to be for sale: what the source says without what was sold since and what is held back.
    fn wanted(&self, desired: &Desired) -> Wanted {
        // A cancellation of an older sale is no reason to offer more than the source says.
        let sold = self.facts.sold_since.get(&desired.sku).map_or(0, |sold| (*sold).max(0));
        let sold = sold.min(desired.quantity.max(0));
        let left = desired.quantity.max(0) - sold;
        let held_back = self.facts.buffer.clamp(0, left);
        Wanted { copies: left - held_back, sold, held_back }
    }

    fn with_finality(&self, reason: String) -> String {
        match self.facts.zero_is_final {
            true => format!("{reason}; a listing that is withdrawn cannot be put back"),
            false => reason,
        }
    }

    fn hold(&mut self, sku: &Sku, listing_id: Option<ListingId>, (reason, detail): Hold) {
        self.plan.held.push(Held { sku: sku.clone(), listing_id, reason: reason.to_owned(), detail });
    }
}

fn change(op: Operation, desired: &Desired, row: &Row, after: Offer, reason: String) -> Change {
    Change {
        op,
        sku: desired.sku.clone(),
        listing_id: Some(row.listing_id),
        title: row.title.clone(),
        before: Some(row.offer.clone()),
        after: Some(after),
        reason,
        bounds: Bounds::of(desired),
    }
}

fn says(desired: &Desired, wanted: Wanted) -> String {
    let mut words = format!("the source says {}", desired.quantity);
    for (copies, what) in [(wanted.sold, "sold since"), (wanted.held_back, "held back")] {
        if copies > 0 {
            words += &format!(", {copies} {what}");
        }
    }
    words
}

fn copies(count: i64) -> String {
    if count == 1 { "1 copy".to_owned() } else { format!("{count} copies") }
}

/// The listing, if it is the only one of its SKU.
fn only(rows: &[Row]) -> Option<ListingId> {
    match rows {
        [row] => Some(row.listing_id),
        _ => None,
    }
}
