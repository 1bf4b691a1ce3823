//! A plan as people read it: what changes, what does not and why, what it comes to, and the command that does it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::super::output::{counted, lines, span, table, thousands, when};
use super::{Guard, Summary};
use crate::agent::status::requests_left;
use crate::config::Account;
use crate::domain::{Change, Clocks, Currency, Held, Intent, Money, Offer, Operation, PlanState};
use crate::store::plans::{self, PlanRow};
use crate::store::snapshots::{self, Snapshot};
use crate::store::{StoreError, Tx, intents};

/// Everything that the words are made of.
pub struct View {
    pub plan: PlanRow,
    pub summary: Summary,
    pub guards: Vec<Guard>,
    /// The first changes.
    pub shown: Vec<Intent>,
    /// How many there are.
    pub changes: usize,
    /// What is held, by reason: how many, and the first of them.
    held: Vec<(u64, Held)>,
    reading: Option<Snapshot>,
    left: Option<i64>,
    marketplace: &'static str,
    /// How many changes withdraw a listing for good.
    finals: usize,
    /// Whether one that is withdrawn cannot be put back there.
    zero_is_final: bool,
    currency: Currency,
    now: DateTime<Utc>,
}

/// The longest SKU and the longest title in the table.
const LONGEST: usize = 40;

impl View {
    /// Reads it, with the first `most` changes.
    pub fn read(
        tx: &Tx<'_>,
        plan: PlanRow,
        account: &Account,
        most: usize,
        clocks: &Clocks,
    ) -> Result<Self, StoreError> {
        let (mut shown, mut changes, mut finals) = (Vec::new(), 0, 0);
        let zero_is_final = account.marketplace.zero_is_final;
        intents::of_plan(tx, plan.plan_id, |intent| {
            changes += 1;
            finals += usize::from(zero_is_final && intent.change.withdraws());
            if shown.len() < most {
                shown.push(intent);
            }
            Ok(())
        })?;
        let mut held: Vec<(u64, Held)> = Vec::new();
        plans::held(tx, plan.plan_id, |item| {
            match held.iter_mut().find(|(_, first)| first.reason == item.reason) {
                Some((count, _)) => *count += 1,
                None => held.push((1, item)),
            }
            Ok(())
        })?;
        let reading = plan.base_snapshot.map_or(Ok(None), |id| snapshots::get(tx, id))?;
        Ok(Self {
            summary: Summary::of(&plan),
            guards: super::guards(&plan),
            shown,
            changes,
            held,
            reading,
            left: requests_left(account, tx, clocks)?,
            marketplace: account.marketplace.name,
            finals,
            zero_is_final,
            currency: account.currency,
            now: clocks.now,
            plan,
        })
    }

    /// The whole of it.
    pub fn draw(&self, tz: Tz) -> String {
        format!("{}\n{}{}", self.origin(), self.changes_table(), self.digest(tz))
    }

    /// What it was made of.
    fn origin(&self) -> String {
        let source: serde_json::Value = serde_json::from_str(self.plan.source.get()).unwrap_or_default();
        let from = match (source["run_id"].as_str(), source["path"].as_str()) {
            (Some(run), _) => format!("Undoes   {run}\n"),
            (None, path) => {
                let rows = thousands(source["rows"].as_i64().unwrap_or_default());
                let as_of = source["as_of"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
                let age = as_of.map_or(String::new(), |at| format!(", {} old", span(self.now - at)));
                format!("Source   {}   {rows} rows{age}\n", path.unwrap_or("-"))
            }
        };
        let read = self.reading.as_ref().and_then(|reading| reading.finished_at);
        let read = read.map_or(String::new(), |at| format!(", read {} ago", span(self.now - at)));
        let listings = counted(self.summary.listings, "listing");
        format!("{from}Market   {}, {}   {listings}{read}\n", self.marketplace, self.plan.account)
    }

    fn changes_table(&self) -> String {
        if self.shown.is_empty() {
            return String::new();
        }
        // What became of each is known once it was applied.
        let begun = !matches!(self.plan.state, PlanState::Planned | PlanState::Pending);
        let mut head = vec!["", "SKU", "ARTICLE", "FIELD", "NOW", "", "PLAN", ""];
        head.extend(begun.then_some("BECAME"));
        let mut rows = table(&head, &[4, 6, 7]);
        for intent in &self.shown {
            let mut cells = cells(&intent.change, self.zero_is_final);
            if begun {
                let message = intent.message.iter().map(|message| format!(": {message}"));
                cells.push(format!("{}{}", intent.state, message.collect::<String>()));
            }
            rows.add_row(cells);
        }
        let mut text = lines(&rows);
        let more = self.changes - self.shown.len();
        if more > 0 {
            let more = thousands(more as i64);
            text.push_str(&format!("  ... {more} more; all: sellerd plan show {}\n", self.plan.plan_id));
        }
        text.push('\n');
        text
    }

    /// What it comes to, whether the guards let it pass, and what to do.
    pub fn digest(&self, tz: Tz) -> String {
        let mut text = self.counts();
        for (count, first) in &self.held {
            let count = thousands(i64::try_from(*count).unwrap_or(i64::MAX));
            text.push_str(&format!(
                "  held: {count} {}, for example {}: {}\n",
                first.reason,
                cut(first.sku.as_str()),
                first.detail
            ));
        }
        text.push_str(&self.worth());
        text.push_str(&self.guards_line());
        text.push_str(&self.cost());
        text.push_str(&self.next(tz));
        text
    }

    fn counts(&self) -> String {
        if self.changes == 0 {
            return "Nothing to change.\n".to_owned();
        }
        let of = |ops: &[Operation]| thousands(self.summary.count(ops));
        let finals = match self.finals {
            0 => String::new(),
            1 => "1 of them is final: a listing that is withdrawn cannot be relisted.\n".to_owned(),
            more => {
                let more = thousands(more as i64);
                format!("{more} of them are final: a listing that is withdrawn cannot be relisted.\n")
            }
        };
        format!(
            "{}: {} add, {} change, {} to zero, {} remove.\n{finals}",
            counted(self.changes as i64, "change"),
            of(&[Operation::Add]),
            of(&[Operation::Quantity, Operation::Price, Operation::Details]),
            of(&[Operation::Zero]),
            of(&[Operation::Remove]),
        )
    }

    fn worth(&self) -> String {
        let money = |minor| Money { minor, currency: self.currency };
        let (before, after) = (self.summary.value_before_minor, self.summary.value_after_minor);
        let mut text = match before == after {
            true => format!("Value of stock {}, as it was.", money(before)),
            false => format!("Value of stock {} → {}.", money(before).decimal(), money(after)),
        };
        if let Some(largest) = &self.summary.largest_price_change {
            text.push_str(&format!(
                "   Largest price change {} ({}).",
                moved(largest.before_minor, largest.after_minor),
                cut(largest.sku.as_str())
            ));
        }
        text + "\n"
    }

    fn guards_line(&self) -> String {
        let tripped: Vec<&Guard> = self.guards.iter().filter(|guard| guard.tripped).collect();
        if !tripped.is_empty() {
            let accepted = |guard: &Guard| match self.plan.accepted.contains(&guard.guard) {
                true => "; accepted",
                false => "",
            };
            let line = |guard: &&Guard| {
                format!(
                    "GUARD    {}: {}  (limit {}, actual {}){}\n",
                    guard.guard,
                    guard.words,
                    guard.limit,
                    guard.actual,
                    accepted(guard)
                )
            };
            return tripped.iter().map(line).collect();
        }
        let told = ["max_changes_percent", "max_zeroed_items"];
        let words: Vec<&str> = self
            .guards
            .iter()
            .filter(|guard| told.contains(&guard.guard.as_str()))
            .map(|guard| guard.words.as_str())
            .collect();
        format!("Guards ok: {}.\n", words.join("; "))
    }

    fn cost(&self) -> String {
        let left = self.left.map_or(String::new(), |left| format!(" of {} left", thousands(left)));
        let fees = Money { minor: self.summary.fees_minor, currency: self.currency };
        let fees = if fees.minor == 0 { String::new() } else { format!(", and {fees} of fees") };
        format!("Cost {}{left}{fees}.\n", counted(self.summary.requests_needed, "request"))
    }

    fn next(&self, tz: Tz) -> String {
        let id = self.plan.plan_id;
        if !matches!(self.plan.state, PlanState::Planned | PlanState::Pending) {
            let by = self.plan.applied_by.map_or(String::new(), |run| format!(" by {run}"));
            return format!("{id} is {}{by}.\n", self.plan.state);
        }
        let until = when(self.plan.expires_at, self.now, tz);
        if self.now >= self.plan.expires_at {
            return format!("{id} was good until {until}.  A new one:  sellerd plan {}\n", self.plan.job);
        }
        let source = if self.plan.undo_of.is_none() { " or until the source changes" } else { "" };
        let mut text = format!("Saved as {id}, good until {until}{source}.\n");
        let tripped: Vec<String> = self
            .guards
            .iter()
            .filter(|guard| guard.tripped)
            .map(|guard| format!(" --accept-guard {}", guard.guard))
            .collect();
        match (self.changes, tripped.is_empty()) {
            (0, _) => {}
            (_, true) => text.push_str(&format!("\nApply exactly this:   sellerd apply {id}\n")),
            (_, false) => text.push_str(&format!(
                "\nA guard holds it. If it is meant:   sellerd apply {id}{}\n",
                tripped.concat()
            )),
        }
        text
    }
}

/// A change in a row: what it does to which item, from what to what. Where a listing that is withdrawn cannot be put back,
/// the row says so.
fn cells(change: &Change, zero_is_final: bool) -> Vec<String> {
    let (sign, now, plan, mut by) = match (change.op, &change.before, &change.after) {
        (Operation::Add, _, Some(after)) => ("+", String::new(), copies(after), String::new()),
        (Operation::Remove, Some(before), _) => ("-", copies(before), "-".to_owned(), String::new()),
        (Operation::Price, Some(before), Some(after)) => {
            let by = moved(before.price.minor, after.price.minor);
            ("~", before.price.decimal(), after.price.to_string(), by)
        }
        (Operation::Details, Some(before), Some(after)) => {
            let (was, is) = details(before, after);
            ("~", was, is, String::new())
        }
        (op, before, after) => {
            let sign = if op == Operation::Zero { "0" } else { "~" };
            // What buyers can see; what lies in their carts is not ours to set.
            let count = |offer: &Option<Offer>| {
                offer.as_ref().map_or(String::new(), |offer| offer.listed().to_string())
            };
            let in_carts = after.as_ref().map_or(0, |offer| offer.in_carts);
            let carts = if in_carts > 0 { format!("{in_carts} in carts") } else { String::new() };
            (sign, count(before), count(after), carts)
        }
    };
    if zero_is_final && change.withdraws() {
        let and = if by.is_empty() { "" } else { ", " };
        by.push_str(&format!("{and}final"));
    }
    let arrow = if now.is_empty() { "" } else { "→" };
    vec![
        sign.to_owned(),
        cut(change.sku.as_str()),
        cut(&change.title),
        change.op.to_string(),
        now,
        arrow.to_owned(),
        plan,
        by,
    ]
}

fn copies(offer: &Offer) -> String {
    format!("{} × {}", offer.quantity, offer.price)
}

/// The first detail that changes, and how many more do.
fn details(before: &Offer, after: &Offer) -> (String, String) {
    let members = |offer: &Offer| -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(&offer.attributes).unwrap_or_default()
    };
    let (was, is) = (members(before), members(after));
    let keys: std::collections::BTreeSet<&String> =
        was.keys().chain(is.keys()).filter(|key| was.get(*key) != is.get(*key)).collect();
    let Some(first) = keys.first() else { return ("as it is".to_owned(), "as it is".to_owned()) };
    let shown = |value: Option<&serde_json::Value>| match value {
        None => "-".to_owned(),
        Some(serde_json::Value::String(text)) => cut(text),
        Some(other) => cut(&other.to_string()),
    };
    let more = if keys.len() > 1 { format!(", {} more", keys.len() - 1) } else { String::new() };
    (format!("{first} {}", shown(was.get(*first))), format!("{}{more}", shown(is.get(*first))))
}

/// How far a price moves, in whole percents: half of one and more is one. A guard counts what is begun as whole; this is
/// for reading, and the same wherever a price is shown.
fn moved(was: i64, is: i64) -> String {
    let moved = (i128::from(is) - i128::from(was)) * 100;
    let whole = i128::from(was.max(1));
    let rounded = (moved.abs() + whole / 2) / whole * moved.signum();
    percent(i64::try_from(rounded).unwrap_or(i64::MAX))
}

/// A percentage with its sign, as people set it.
fn percent(percent: i64) -> String {
    match percent {
        0 => "0 %".to_owned(),
        1.. => format!("+{percent} %"),
        _ => format!("\u{2212}{} %", percent.unsigned_abs()),
    }
}

/// A text that fits into a cell: one line, and not longer than it helps.
fn cut(text: &str) -> String {
    let text = crate::domain::clean(text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Bounds;

    fn offer(quantity: i64, minor: i64, attributes: &str) -> Offer {
        let price = Money { minor, currency: Currency::EUR };
        Offer { quantity, in_carts: 0, price, attributes: attributes.to_owned() }
    }

    #[track_caller]
    fn check(op: Operation, before: Option<Offer>, after: Option<Offer>, expected: [&str; 5]) {
        check_at(false, op, before, after, expected);
    }

    #[track_caller]
    fn check_at(
        zero_is_final: bool,
        op: Operation,
        before: Option<Offer>,
        after: Option<Offer>,
        expected: [&str; 5],
    ) {
        let change = Change {
            op,
            sku: "a".into(),
            listing_id: None,
            title: "T".to_owned(),
            before,
            after,
            reason: String::new(),
            bounds: Bounds::default(),
        };
        let cells = cells(&change, zero_is_final);
        let shown = [&cells[0], &cells[4], &cells[5], &cells[6], &cells[7]].map(String::as_str);
        assert_eq!(shown, expected, "{op}");
    }

    #[test]
    fn each_operation_reads_by_itself() {
        let stands = || Some(offer(3, 650, r#"{"comment":"x","foil":false}"#));
        check(Operation::Add, None, Some(offer(2, 2_490, "{}")), ["+", "", "", "2 × 24.90 EUR", ""]);
        check(Operation::Remove, stands(), None, ["-", "3 × 6.50 EUR", "→", "-", ""]);
        check(Operation::Quantity, stands(), Some(offer(1, 650, "{}")), ["~", "3", "→", "1", ""]);
        check(Operation::Zero, stands(), Some(offer(0, 650, "{}")), ["0", "3", "→", "0", ""]);
        let lies = |quantity| Some(Offer { in_carts: 3, ..offer(quantity, 650, "{}") });
        check(Operation::Zero, lies(4), lies(3), ["0", "1", "→", "0", "3 in carts"]);
        let cheaper = Some(offer(3, 590, "{}"));
        check(Operation::Price, stands(), cheaper, ["~", "6.50", "→", "5.90 EUR", "\u{2212}9 %"]);
        let dearer = Some(offer(3, 1_300, "{}"));
        check(Operation::Price, stands(), dearer, ["~", "6.50", "→", "13.00 EUR", "+100 %"]);
        let other = Some(offer(3, 650, r#"{"comment":"y","foil":true}"#));
        check(Operation::Details, stands(), other, ["~", "comment x", "→", "y, 1 more", ""]);
    }

    #[test]
    fn where_a_listing_that_is_withdrawn_is_gone_for_good_the_row_says_so() {
        let stands = || Some(offer(3, 650, "{}"));
        let none = || Some(offer(0, 650, "{}"));
        check_at(true, Operation::Zero, stands(), none(), ["0", "3", "→", "0", "final"]);
        check_at(true, Operation::Remove, stands(), None, ["-", "3 × 6.50 EUR", "→", "-", "final"]);
        check_at(true, Operation::Quantity, stands(), Some(offer(1, 650, "{}")), ["~", "3", "→", "1", ""]);
        check_at(false, Operation::Remove, stands(), None, ["-", "3 × 6.50 EUR", "→", "-", ""]);
    }

    #[test]
    fn a_cell_is_one_line_of_a_bearable_length() {
        let long = cut(&"ä".repeat(100));
        assert_eq!(long.chars().count(), LONGEST);
        assert!(long.ends_with('…'));
        assert!(!cut("a\nb").contains('\n'));
        assert_eq!(cut("short"), "short");
    }
}
