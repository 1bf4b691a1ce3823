//! Which changes of a plan can be made as far as the marketplace's fees and the account's balance go.
//!
//! The marketplace is asked about each change alone, so that every one of a hundred new listings can be paid for while
//! all of them cannot. What takes copies off sale comes first and is never kept back for want of money: at worst it is
//! refused, while a copy that was sold elsewhere and stays on offer is sold twice.

use std::collections::BTreeMap;

use super::reconcile::{Plan, held};
use crate::domain::{Currency, Fee, Held, Money, Obstacle, Operation};

/// What the marketplace said of one change that costs something or that it would not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The change, by its place in the plan.
    pub place: usize,
    /// What it does.
    pub op: Operation,
    /// What it costs, in minor units of the account's currency.
    pub cost: i64,
    /// Why it would not be made.
    pub obstacle: Option<Obstacle>,
}

/// What becomes of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weighed {
    /// What is charged for the changes that are left.
    pub charged: i64,
    /// The others, by their places in the plan.
    pub kept_back: BTreeMap<usize, KeptBack>,
    /// Set where the balance is too low for some of them.
    pub short: Option<Short>,
}

/// Why a change leaves the plan: the word for programs and the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// One of [`held`].
    pub reason: &'static str,
    /// The same for people.
    pub detail: String,
}

/// A balance that is too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// What there is; `None` where the marketplace says only that it is not enough.
    pub balance: Option<i64>,
    /// What the whole plan would cost.
    pub wanted: i64,
    /// New listings that are not made for want of it.
    pub listings: u64,
}

impl Quoted {
    /// What was said of a change that does this, at this place of the plan.
    pub fn of(fee: Fee, place: usize, op: Operation) -> Self {
        Self { place, op, cost: fee.amount.minor, obstacle: fee.obstacle }
    }
}

/// Whether it depends on the balance what becomes of these: only then is it worth a request.
pub fn depends_on_balance(quoted: &[Quoted]) -> bool {
    quoted.iter().any(|quoted| quoted.op == Operation::Add && quoted.cost > 0)
}

/// Sorts out what cannot be made. New listings take what the rest of the plan leaves of the balance, in the order of the
/// plan; one that is too dear does not keep back a cheaper one behind it.
pub fn weigh(quoted: &[Quoted], balance: Option<i64>, currency: Currency) -> Weighed {
    let mut weighed = Weighed::default();
    let (mut wanted, mut waiting) = (0_i64, 0);
    let adds = |quoted: &&Quoted| quoted.op == Operation::Add;
    for quoted in quoted.iter().filter(|quoted| !adds(quoted)).chain(quoted.iter().filter(adds)) {
        let left = balance.map(|balance| balance.saturating_sub(weighed.charged));
        let kept_back = match &quoted.obstacle {
            Some(Obstacle::Refused(words)) => {
                Some(KeptBack { reason: held::MARKETPLACE_REFUSES, detail: words.clone() })
            }
            obstacle => {
                wanted = wanted.saturating_add(quoted.cost);
                let short =
                    obstacle.is_some() || quoted.cost > 0 && left.is_some_and(|left| quoted.cost > left);
                let stays = short && adds(&quoted);
                waiting += u64::from(stays);
                stays.then(|| too_dear(quoted.cost, balance, left, currency))
            }
        };
        match kept_back {
            Some(kept_back) => drop(weighed.kept_back.insert(quoted.place, kept_back)),
            None => weighed.charged = weighed.charged.saturating_add(quoted.cost),
        }
    }
    weighed.short = (waiting > 0).then_some(Short { balance, wanted, listings: waiting });
    weighed
}

fn too_dear(cost: i64, balance: Option<i64>, left: Option<i64>, currency: Currency) -> KeptBack {
    let money = |minor| Money { minor, currency };
    let (cost, last) = (money(cost), "pay in at the marketplace, and the next plan goes on");
    let detail = match (balance, left) {
        (Some(balance), Some(left)) if balance != left => format!(
            "its fee is {cost}, and of the account's balance of {} the plan leaves {}; {last}",
            money(balance),
            money(left)
        ),
        (Some(balance), _) => {
            format!("its fee is {cost}, and the account's balance is {}; {last}", money(balance))
        }
        (None, _) => format!("its fee is {cost}, and the account's balance does not cover it; {last}"),
    };
    KeptBack { reason: held::BALANCE_TOO_LOW, detail }
}

impl KeptBack {
    /// A new listing of which nobody has asked the fees, since a run asks those of so many.
    pub fn for_a_later_run(most: usize) -> Self {
        let detail =
            format!("one run asks what {most} new listings cost; this one's turn comes in a later run");
        Self { reason: held::LATER_RUN, detail }
    }

    /// Why it is not made, where the word for programs does not stand beside it.
    pub fn words(&self) -> String {
        match self.reason {
            held::MARKETPLACE_REFUSES => format!("the marketplace would refuse it now: {}", self.detail),
            _ => self.detail.clone(),
        }
    }
}

impl Weighed {
    /// Takes what is kept back out of a part of the plan that begins at this place, and holds it.
    pub fn sort_out(&self, part: Plan, first: usize) -> Plan {
        let mut left = Plan { changes: Vec::with_capacity(part.changes.len()), held: part.held };
        for (place, change) in (first..).zip(part.changes) {
            match self.kept_back.get(&place) {
                None => left.changes.push(change),
                Some(KeptBack { reason, detail }) => left.held.push(Held {
                    sku: change.sku,
                    listing_id: change.listing_id,
                    reason: (*reason).to_owned(),
                    detail: detail.clone(),
                }),
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::planning::testing::{change, offer};

    fn quoted(place: usize, op: Operation, cost: i64, obstacle: Option<Obstacle>) -> Quoted {
        Quoted { place, op, cost, obstacle }
    }

    fn any_quoted() -> impl Strategy<Value = Vec<Quoted>> {
        let op = prop::sample::select(vec![Operation::Add, Operation::Zero, Operation::Remove]);
        let refused = Obstacle::Refused("no such category".to_owned());
        let obstacle = prop::sample::select(vec![None, None, None, Some(Obstacle::TooDear), Some(refused)]);
        prop::collection::vec((op, 0_i64..400, obstacle), 0..20).prop_map(|all| {
            all.into_iter().enumerate().map(|(place, (op, cost, why))| quoted(place, op, cost, why)).collect()
        })
    }

    #[test]
    fn new_listings_take_what_withdrawals_leave_and_a_dear_one_stops_no_cheap_one() {
        let (add, zero) = (Operation::Add, Operation::Zero);
        let all = [
            quoted(0, add, 25, None),
            quoted(1, add, 55, None),
            quoted(2, zero, 300, None),
            quoted(3, add, 0, None),
            quoted(4, add, 20, None),
            quoted(5, add, 25, None),
        ];
        let weighed = weigh(&all, Some(350), Currency::NZD);
        assert_eq!(weighed.kept_back.keys().copied().collect::<Vec<_>>(), [1, 5]);
        assert_eq!(weighed.charged, 300 + 25 + 20);
        assert_eq!(weighed.short, Some(Short { balance: Some(350), wanted: 425, listings: 2 }));
        let why = &weighed.kept_back[&1];
        assert_eq!(why.reason, "balance-too-low");
        assert!(why.detail.contains("0.55 NZD") && why.detail.contains("leaves 0.25 NZD"), "{}", why.detail);
        assert_eq!(weigh(&all, Some(425), Currency::NZD).short, None);
        assert_eq!(weigh(&all, None, Currency::NZD).kept_back, BTreeMap::new());
    }

    #[test]
    fn what_would_be_refused_is_held_in_the_marketplaces_words_and_costs_nothing() {
        let refused = |op| quoted(1, op, 25, Some(Obstacle::Refused("Please enter a title.".to_owned())));
        for op in [Operation::Add, Operation::Zero] {
            let weighed = weigh(&[quoted(0, op, 25, None), refused(op)], Some(25), Currency::NZD);
            let detail = "Please enter a title.".to_owned();
            let why = KeptBack { reason: "marketplace-refuses", detail };
            assert_eq!((weighed.charged, weighed.short), (25, None));
            assert_eq!(weighed.kept_back, [(1, why)].into());
        }
        assert!(!depends_on_balance(&[
            quoted(0, Operation::Zero, 300, None),
            quoted(1, Operation::Add, 0, None)
        ]));
        assert!(depends_on_balance(&[quoted(0, Operation::Add, 25, None)]));
    }

    #[test]
    fn a_part_of_the_plan_loses_what_is_kept_back_and_nothing_else() {
        let part = Plan {
            changes: (0..4).map(|id| change(Operation::Add, id, None, Some(offer(1, 100)))).collect(),
            held: Vec::new(),
        };
        let all: Vec<Quoted> = (510..520).map(|place| quoted(place, Operation::Add, 10, None)).collect();
        let weighed = weigh(&all, Some(30), Currency::NZD);
        let left = weighed.sort_out(part.clone(), 511);
        assert_eq!(left.changes, part.changes[..2]);
        let held: Vec<_> = left.held.iter().map(|held| (&held.sku, held.reason.as_str())).collect();
        assert_eq!(
            held,
            [(&part.changes[2].sku, "balance-too-low"), (&part.changes[3].sku, "balance-too-low")]
        );
    }

    proptest! {
        #[test]
        fn new_listings_never_cost_more_than_there_is_and_nothing_else_is_kept_back_for_it(
            all in any_quoted(), balance in -100_i64..2_000,
        ) {
            let weighed = weigh(&all, Some(balance), Currency::NZD);
            let of = |op: fn(Operation) -> bool| -> i64 {
                let left = all.iter().filter(|quoted| !weighed.kept_back.contains_key(&quoted.place));
                left.filter(|quoted| op(quoted.op)).map(|quoted| quoted.cost).sum()
            };
            let (added, others) = (of(|op| op == Operation::Add), of(|op| op != Operation::Add));
            prop_assert!(added == 0 || added + others <= balance);
            prop_assert_eq!(weighed.charged, added + others);
            for (place, why) in &weighed.kept_back {
                let refused = matches!(all[*place].obstacle, Some(Obstacle::Refused(_)));
                prop_assert_eq!(why.reason == held::MARKETPLACE_REFUSES, refused);
                prop_assert!(refused || all[*place].op == Operation::Add);
            }
            let short = weighed.kept_back.values().filter(|why| why.reason == held::BALANCE_TOO_LOW).count();
            prop_assert_eq!(weighed.short.map_or(0, |short| short.listings), short as u64);
            // What is left of the plan is found to be payable when it is weighed once more.
            let left: Vec<Quoted> =
                all.iter().filter(|quoted| !weighed.kept_back.contains_key(&quoted.place)).cloned().collect();
            prop_assert!(weigh(&left, Some(balance), Currency::NZD).kept_back.is_empty());
        }
    }
}
