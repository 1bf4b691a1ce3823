//! What a seller was promised, once it is calm: the shop is as the list says less what was sold since, nothing is left in
//! doubt, and what nobody could explain was beyond explaining.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use sellerd::clock::Clock;

use crate::market::Name;
use crate::seller::Written;
use crate::shelf::SoldOne;
use crate::story::Story;
use crate::world::{Inner, World};
use crate::writes::sold_since;

/// What is for sale in the end, by account and key, in a form that does not depend on what was sold meanwhile.
pub type Shelf = BTreeMap<(Name, String), Ended>;

/// How a thing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Copies that are left, and those that were sold since the list was written, as far as it had any.
    pub copies: u32,
    /// At what price each listing of it is for sale, where there is one.
    pub cents: Option<Vec<u32>>,
}

/// What is not yet as it should be.
pub fn unkept(world: &World, story: &Story) -> Vec<String> {
    let mut inner = world.look();
    let (mut wrong, mut as_listed) = (Vec::new(), 0);
    for name in story.sellers.keys().filter(|name| story.sellers[*name].mode == "apply") {
        match inner.as_listed(name, story) {
            Ok(count) => as_listed += count,
            Err(differences) => wrong.extend(differences),
        }
        if let Some(open) = inner.in_doubt(name).filter(|open| *open > 0) {
            wrong.push(format!("1: {open} writes of {name} are still in doubt"));
        }
    }
    inner.tally.as_listed = as_listed;
    wrong
}

impl Inner {
    /// Whether the shop is as the last list says; how many things are, or what is not.
    fn as_listed(&mut self, name: Name, story: &Story) -> Result<u64, Vec<String>> {
        let now = self.truth.now();
        let sold = self.sold_from_the_shelf(name, story);
        let ahead = self.ahead();
        let account = self.account(name);
        let there = account.market.on_sale(now);
        let Some(list) = account.book.as_ref().and_then(|book| book.lists.last()) else { return Ok(0) };
        let mut wrong = Vec::new();
        for (sku, (copies, cents)) in &list.rows {
            let left = copies.saturating_sub(sold_since(&sold, list, sku, |one| !one.cancelled));
            let has = there.get(sku).cloned().unwrap_or_default();
            let priced = has.cents.iter().all(|price| price == cents) && has.cents.len() <= 1;
            let least =
                copies.saturating_sub(sold_since(&sold, &list.older(ahead), sku, |one| !one.cancelled));
            if !(least..=left).contains(&has.copies) || has.in_carts > 0 || !priced {
                wrong.push(format!(
                    "1: {sku} at {name}: {left} should be for sale at {cents}, and there are {has:?}"
                ));
            }
        }
        if wrong.is_empty() { Ok(list.rows.len() as u64) } else { Err(wrong) }
    }

    /// How far the machine's clock is ahead. So much older a list is taken to be, and what it knew of the sales in that
    /// time is taken off once more.
    fn ahead(&self) -> TimeDelta {
        let ahead = self.mine.now() - self.truth.now();
        if ahead > TimeDelta::zero() { ahead + TimeDelta::seconds(5) } else { TimeDelta::zero() }
    }

    /// What was sold of the things that this account sells: by itself, or by all that sell from its shelf.
    fn sold_from_the_shelf(&self, name: Name, story: &Story) -> Vec<SoldOne> {
        let of = |other: &Name| story.channel || *other == name;
        self.accounts
            .iter()
            .filter(|(other, _)| of(other))
            .flat_map(|(_, account)| account.market.sold())
            .collect()
    }

    /// How everything ended that a seller has.
    pub fn shelf_of(&self, story: &Story) -> Shelf {
        let mut shelf = Shelf::new();
        for (name, account) in &self.accounts {
            let Some(book) = &account.book else { continue };
            let there = account.market.on_sale(self.truth.now());
            let all = self.sold_from_the_shelf(name, story);
            for thing in &book.seller.things {
                let has = there.get(&thing.sku).cloned().unwrap_or_default();
                let row = |list: &Written| list.rows.get(&thing.sku).copied();
                let listed = book.lists.last().filter(|_| book.seller.mode == "apply");
                let sold = match listed.and_then(|list| Some((list, row(list)?))) {
                    Some((list, (copies, _))) => {
                        sold_since(&all, list, &thing.sku, |one| !one.cancelled).min(copies)
                    }
                    // Nobody puts these back.
                    None => account
                        .market
                        .sold()
                        .iter()
                        .filter(|one| one.sku == thing.sku)
                        .map(|one| one.copies)
                        .sum(),
                };
                // Fewer than the list says, and no fewer than a clock that is ahead makes of it.
                let once_more = listed.and_then(|list| {
                    let (copies, _) = row(list)?;
                    let early = sold_since(&all, &list.older(self.ahead()), &thing.sku, |one| !one.cancelled);
                    let too_few = copies.saturating_sub(has.copies + has.in_carts + sold);
                    Some(too_few.min(early.saturating_sub(sold)))
                });
                let sold = sold + once_more.unwrap_or(0);
                let cents = Some(has.cents).filter(|cents| !cents.is_empty());
                shelf.insert(
                    (*name, thing.sku.clone()),
                    Ended { copies: has.copies + has.in_carts + sold, cents },
                );
            }
        }
        shelf
    }

    /// The account was parked. Something must have happened that no sum can tell from another thing.
    pub fn judge_parked(&mut self, name: Name, sum: &str) {
        self.tally.parked += 1;
        self.note(&format!("{name} is parked: {sum}"));
        for (intent, sku, sum) in self.parked(name) {
            let book = self.account(name).book.as_ref();
            if !book.is_some_and(|book| book.was_disturbed(intent, &sku)) {
                self.broken(format!("1: {sku} at {name} was parked, and nothing had happened to it: {sum}"));
            }
        }
    }
}

/// How two ends of the same story differ. A thing that is sold out has no price.
pub fn differences(disturbed: &Shelf, undisturbed: &Shelf) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, one) in disturbed {
        let other = undisturbed.get(key);
        let same = other.is_some_and(|other| {
            one.copies == other.copies
                && (one.cents.is_none() || other.cents.is_none() || one.cents == other.cents)
        });
        if !same {
            wrong.push(format!("1: undisturbed {key:?} ends as {other:?}, and here as {one:?}"));
        }
    }
    wrong
}
