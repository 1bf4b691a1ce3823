//! Judges each write at the moment at which it leaves and each change at which it happens, by the shop's own books and
//! by what the seller's lists said. What the agent believes of its writes is not asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::clock::Clock;

use crate::market::{Market, Name};
use crate::seller::{self, List, Seller, Written};
use crate::shelf::{Change, SoldOne};
use crate::world::{Fate, Inner};

/// What is known of an account's seller, lists and writes.
pub struct Book {
    /// What is sold, and how.
    pub seller: Seller,
    /// The lists so far, oldest first.
    pub lists: Vec<Written>,
    /// Sales that were called off at some time: whether those copies are the seller's again is a matter of moments.
    pub called_off: BTreeSet<(u64, u64)>,
    /// When something happened to a thing that nobody told the agent: sales, carts, or a shop that showed what was not
    /// so. The last is about everything.
    stirs: Vec<(DateTime<Utc>, Option<String>)>,
    /// The sales and carts at the last look.
    known: BTreeMap<String, (u32, u32)>,
    /// Writes whose outcome the agent does not know.
    open: Vec<Open>,
    /// Writes by the number of the request that the shop has them under.
    by_request: BTreeMap<u64, Slip>,
    /// Writes that will take effect later, where the shop does not say which is which.
    late: VecDeque<Slip>,
    /// Which write changed what an intent is about.
    done: BTreeMap<(i64, String), u64>,
    /// When an intent left first.
    left: BTreeMap<i64, DateTime<Utc>>,
    changes: usize,
    /// Whether the stock was ever shown as it is.
    pub shown: bool,
}

/// What a write carries with it.
#[derive(Debug, Clone)]
pub struct Slip {
    /// Its number.
    pub serial: u64,
    /// The intents that it carries out.
    pub intents: Vec<i64>,
    /// Whether sending it twice is another thing than sending it once.
    repeats: bool,
}

/// A write of which the agent has no answer yet.
struct Open {
    serial: u64,
    repeats: bool,
    /// From when on the shop has done with it, if it ever gets there.
    arrives: Option<DateTime<Utc>>,
    /// Whether the shop has shown its stock since.
    looked_at: bool,
}

/// The longest that the shop's own faults put a write off.
pub const LATEST: TimeDelta = TimeDelta::seconds(80);

/// A list that was replaced may still be worked by a run that has read it before: for as long as a run can last.
const RUN: TimeDelta = TimeDelta::minutes(45);

impl Book {
    /// The book of an account, of which nothing is known yet.
    pub fn new(seller: Seller) -> Self {
        Self {
            seller,
            lists: Vec::new(),
            called_off: BTreeSet::new(),
            stirs: Vec::new(),
            known: BTreeMap::new(),
            open: Vec::new(),
            by_request: BTreeMap::new(),
            late: VecDeque::new(),
            done: BTreeMap::new(),
            left: BTreeMap::new(),
            changes: 0,
            shown: false,
        }
    }

    /// A list is in its place.
    pub fn written(&mut self, list: &List, at: DateTime<Utc>, awake: DateTime<Utc>) {
        self.lists.push(Written { at, awake, rows: self.seller.by_key(list) });
    }

    /// The lists that a run may be working.
    fn in_force(&self, awake: DateTime<Utc>) -> impl Iterator<Item = &Written> {
        let replaced = self.lists.iter().skip(1).map(|list| Some(list.awake)).chain([None]);
        let still = move |replaced: Option<DateTime<Utc>>| replaced.is_none_or(|at| awake - at <= RUN);
        self.lists.iter().zip(replaced).filter(move |(_, replaced)| still(*replaced)).map(|(list, _)| list)
    }

    /// Whether an intent that nobody can explain is one that nobody could: something happened to its thing between
    /// the reading that its plan rests on and now.
    pub fn was_disturbed(&self, intent: i64, sku: &str) -> bool {
        let Some(left) = self.left.get(&intent) else { return false };
        let since = *left - RUN;
        self.stirs.iter().any(|(at, what)| *at >= since && what.as_ref().is_none_or(|what| what == sku))
    }

    /// Takes note of what happened to things since the last look.
    fn look(&mut self, market: &Market, now: DateTime<Utc>) -> Vec<String> {
        let mut noted = Vec::new();
        let mut known: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for sold in market.sold() {
            if sold.cancelled {
                self.called_off.insert(sold.id);
            }
            let sums = known.entry(sold.sku).or_default();
            *(if sold.cancelled { &mut sums.1 } else { &mut sums.0 }) += sold.copies;
        }
        for (sku, thing) in market.on_sale(now) {
            known.entry(sku).or_default().0 += thing.in_carts * 1_000;
        }
        for (sku, sums) in &known {
            if self.known.get(sku).copied().unwrap_or_default() != *sums {
                self.stirs.push((now, Some(sku.clone())));
                if seller::is_listed(sku) {
                    noted.push(format!("{sku}: {sums:?}"));
                }
            }
        }
        self.known = known;
        noted
    }
}

/// Copies of a thing that were sold since a list was written, by the orders that are counted.
pub fn sold_since(sold: &[SoldOne], list: &Written, sku: &str, counts: impl Fn(&SoldOne) -> bool) -> u32 {
    let of_it = sold.iter().filter(|one| one.sku == sku && one.at >= list.since() && counts(one));
    of_it.map(|one| one.copies).sum()
}

impl Inner {
    /// A write leaves the agent.
    pub fn write_leaves(&mut self, name: Name, slip: &Slip, fate: Fate) {
        let Slip { serial, intents, repeats } = slip;
        let (serial, repeats) = (*serial, *repeats);
        self.tally.writes += 1;
        let now = self.truth.now();
        self.note(&format!("write {serial} to {name} leaves for {intents:?}, {fate:?}"));
        let recorded = self.intents_recorded(name);
        let Some(book) = self.account(name).book.as_mut() else {
            return self.broken(format!("a write to {name}, where no job may write"));
        };
        let observes = book.seller.mode == "observe";
        let unsettled = book.open.iter().find(|open| open.repeats && !open.looked_at);
        let unsettled = unsettled.map(|open| open.serial).filter(|_| repeats);
        for intent in intents {
            book.left.entry(*intent).or_insert(now);
        }
        book.by_request.retain(|_, slip| slip.serial + 5_000 > serial);
        let never = matches!(fate, Fate::NoConnection | Fate::Edge(_));
        book.open.push(Open { serial, repeats, arrives: never.then_some(now), looked_at: false });
        if observes {
            self.broken(format!("a write to {name}, whose job only observes"));
        }
        if recorded == Some(0) || intents.is_empty() {
            self.broken(format!("8: write {serial} to {name} left, and no intent says so"));
        }
        if let Some(earlier) = unsettled {
            self.broken(format!(
                "1: write {serial} to {name} counts twice if it is sent twice, and nobody knows what became of {earlier}"
            ));
        }
    }

    /// What the shop's own book says since the last look: how changes came about, and whether they should have.
    pub fn look_for_changes(&mut self, name: Name, slip: Option<&Slip>) {
        let (now, awake) = (self.truth.now(), self.awake());
        let account = self.account(name);
        let Some(book) = account.book.as_mut() else { return };
        let changes = account.market.changes_after(book.changes);
        book.changes = account.market.changes_so_far();
        let stirs = book.look(&account.market, now);
        let (mut wrong, count) = (Vec::new(), changes.len() as u64);
        let lines: Vec<String> = changes.iter().map(|change| format!("{name} {change:?}")).collect();
        if !changes.is_empty() {
            let sold = account.market.sold();
            for change in changes {
                judge(book, &account.market, &change, slip, &sold, (now, awake), &mut wrong);
            }
        }
        stirs.iter().chain(&lines).for_each(|line| self.note(line));
        self.tally.changes += count;
        wrong.into_iter().for_each(|what| self.broken(what));
    }

    /// A request is about to be answered. What took effect late comes first.
    pub fn before_answer(&mut self, name: Name, slip: Option<&Slip>, now: DateTime<Utc>) {
        let account = self.account(name);
        let Some(book) = account.book.as_mut() else { return };
        account.market.settle(now);
        if let Some(slip) = slip {
            book.by_request.insert(account.market.requests() + 1, slip.clone());
        }
        self.look_for_changes(name, None);
    }

    /// A request was answered by the shop.
    pub fn after_answer(&mut self, name: Name, slip: Option<&Slip>, path: &str, faults: &[&str]) {
        self.look_for_changes(name, slip);
        let now = self.truth.now();
        let Some(book) = self.account(name).book.as_mut() else { return };
        if let Some(slip) = slip {
            let late = faults.contains(&"late");
            if late {
                book.late.push_back(slip.clone());
            }
            let mut open = book.open.iter_mut();
            if let Some(open) = open.find(|open| open.serial == slip.serial) {
                open.arrives = Some(if late { now + LATEST } else { now });
            }
            return;
        }
        let shows_stock = ["stock", "article", "Selling"].iter().any(|word| path.contains(word));
        // Who bought something is hidden, and what stands there is not.
        let faulted = faults.iter().any(|fault| *fault != "masked");
        if shows_stock && faulted {
            book.stirs.push((now, None));
        } else if shows_stock {
            book.shown = true;
            let there = |open: &&mut Open| open.arrives.is_some_and(|at| at <= now);
            book.open.iter_mut().filter(there).for_each(|open| open.looked_at = true);
        }
    }

    /// What the agent has of a write in the end: an answer that says what it did, or that it did nothing.
    pub fn write_ends(&mut self, name: Name, serial: u64, fate: Fate, answered: Option<u16>) {
        let Some(book) = self.account(name).book.as_mut() else { return };
        let known = match answered {
            Some(300..=399 | 401 | 403 | 429) => true,
            Some(200) => matches!(fate, Fate::Fine | Fate::Drip(_)),
            _ => false,
        };
        if known {
            book.open.retain(|open| open.serial != serial);
        }
    }
}

/// One change: by a write that says for what, within the list, and once.
fn judge(
    book: &mut Book,
    market: &Market,
    change: &Change,
    slip: Option<&Slip>,
    sold: &[SoldOne],
    (now, awake): (DateTime<Utc>, DateTime<Utc>),
    wrong: &mut Vec<String>,
) {
    let sku = change.sku.clone().unwrap_or_default();
    let lists: Vec<&Written> = book.in_force(awake).filter(|list| list.rows.contains_key(&sku)).collect();
    if lists.is_empty() {
        return wrong.push(format!("{sku:?} was changed, and no list names it: {change:?}"));
    }
    if let Some(cents) = change.new_price()
        && !lists.iter().any(|list| list.rows.get(&sku).is_some_and(|row| row.1 == cents))
    {
        wrong.push(format!("{sku} has a price of {cents} cents, which no list says"));
    }
    if change.raises() {
        let counts = |one: &SoldOne| !one.cancelled && !book.called_off.contains(&one.id);
        let bound =
            lists.iter().map(|list| list.rows[&sku].0.saturating_sub(sold_since(sold, list, &sku, counts)));
        let bound = bound.max().unwrap_or(0);
        let there = market.on_sale(now).remove(&sku).unwrap_or_default();
        let there = there.copies + there.in_carts;
        if there > bound + change.unseen {
            wrong.push(format!(
                "1: what was sold is on sale again: {sku} went from {:?} to {:?}, {there} in all, and {bound} are left",
                change.before, change.after
            ));
        }
    }
    let slip = match change.request {
        Some(request) => book.by_request.get(&request).cloned(),
        // What no request of this moment has done was put off.
        None => slip.cloned().or_else(|| book.late.pop_front()),
    };
    let Some(slip) = slip else {
        return wrong.push(format!("1: a change of {sku} that no write explains: {change:?}"));
    };
    for intent in slip.intents {
        let first = *book.done.entry((intent, sku.clone())).or_insert(slip.serial);
        if first != slip.serial {
            wrong.push(format!(
                "1: {sku} was changed for intent {intent} by write {first} and by {}",
                slip.serial
            ));
        }
    }
}

/// Whether a write that is sent twice does something else than one that is sent once.
pub fn repeats(method: &str, url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    match method {
        "PUT" => path.ends_with("/increase") || path.ends_with("/decrease"),
        "POST" => path.ends_with("/stock") || path.ends_with("/Selling.json"),
        _ => false,
    }
}

impl Slip {
    /// The slip of a write.
    pub fn new(serial: u64, intents: Vec<i64>, repeats: bool) -> Self {
        Self { serial, intents, repeats }
    }
}
