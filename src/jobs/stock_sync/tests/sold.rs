//! What was sold is never put up again, whatever happens between which two calls.
//!
//! The shop knows the truth: what the list said, and what was sold after it was written. Between any two calls of a run
//! buyers buy, fill carts and empty them, orders are called off, answers are lost and the process dies. No write may
//! leave more on sale than the list less what was sold since, and when it is calm again exactly that is on sale.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::super::stage::{Stage, listing, order};
use crate::clock::{Clock, ManualClock};
use crate::domain::{Order, OrderState};
use crate::marketplace::memory::{Fate, Shop};
use crate::store::parked;

const SKUS: [&str; 3] = ["A", "B", "C"];

/// What happens at a moment, or between two runs.
#[derive(Debug, Clone, Copy)]
enum Event {
    Buy(usize),
    Cart(usize),
    Release,
    Checkout,
    Cancel,
    Lose(Fate),
}

/// One step of the story.
#[derive(Debug, Clone)]
enum Step {
    /// The seller counts the shelf, so many more or fewer than there are, and writes the list.
    List([i64; 3]),
    /// Something happens while nobody works.
    Happen(Event),
    /// A run, with what happens at its moments; it may be killed at one.
    Sync { events: Vec<(u32, Event)>, killed: Option<u32> },
    /// Time passes.
    Wait(i64),
}

/// The truth.
#[derive(Default)]
struct Truth {
    list: BTreeMap<&'static str, i64>,
    written_at: Option<DateTime<Utc>>,
    orders: i64,
    /// What was on sale and in carts before the last write, and how many writes there were.
    seen: BTreeMap<&'static str, i64>,
    writes: usize,
    /// Copies that were put into carts since the present sync began.
    fresh: usize,
    broken: Vec<String>,
}

impl Truth {
    /// What may be on sale and in carts: the list less what was sold since.
    fn bound(&self, shop: &Shop, sku: &'static str) -> Option<i64> {
        let since = self.written_at?;
        let sold = shop.orders.iter().filter(|order| order.state.takes_copies());
        let sold = sold.filter(|order| order.placed_at.is_some_and(|at| at >= since));
        let lines = sold.flat_map(|order| &order.lines).filter(|line| line.sku.as_str() == sku);
        Some((self.list[sku] - lines.map(|line| line.quantity).sum::<i64>()).max(0))
    }

    /// Looks at what the agent's last write left.
    fn judge(&mut self, shop: &Shop) {
        for sku in SKUS {
            let offered = shop.stock.iter().chain(&shop.carts).filter(|listing| listing.sku.as_str() == sku);
            let offered = offered.map(|listing| listing.quantity).sum::<i64>();
            let before = self.seen.insert(sku, offered).unwrap_or(offered);
            let Some(bound) = self.bound(shop, sku) else { continue };
            if shop.written.len() != self.writes && offered > before && offered > bound {
                self.broken.push(format!("{sku}: from {before} to {offered}, and {bound} are there"));
            }
        }
        self.writes = shop.written.len();
    }

    fn happen(&mut self, event: Event, shop: &mut Shop, now: DateTime<Utc>) {
        match event {
            Event::Buy(n) => {
                let Some(bought) = shop.stock.get(n % shop.stock.len().max(1)).cloned() else { return };
                self.orders += 1;
                shop.sell(order(
                    self.orders,
                    &bought,
                    1 + (self.orders % 2).min(bought.quantity - 1),
                    Some(now),
                ));
            }
            Event::Cart(n) => {
                let at = n % shop.stock.len().max(1);
                let Some(taken) = shop.stock.get_mut(at) else { return };
                taken.quantity -= 1;
                let one = crate::domain::Listing { quantity: 1, ..taken.clone() };
                self.fresh += 1;
                shop.carts.push(one);
                shop.stock.retain(|listing| listing.quantity > 0);
            }
            // A copy that goes into a cart and back within one reading shows in none of its lists.
            Event::Release if self.fresh > 0 => {}
            Event::Release => {
                let Some(back) = shop.carts.pop() else { return };
                match shop.stock.iter_mut().find(|listing| listing.id == back.id) {
                    Some(there) => there.quantity += back.quantity,
                    None => shop.stock.push(back),
                }
            }
            Event::Checkout => {
                let Some(bought) = shop.carts.pop() else { return };
                self.orders += 1;
                let new: Order = order(self.orders, &bought, bought.quantity, Some(now));
                shop.orders.push(new);
            }
            Event::Cancel => {
                let last = shop.orders.iter_mut().rev().find(|order| order.state.takes_copies());
                if let Some(order) = last {
                    order.state = OrderState::Cancelled;
                }
            }
            Event::Lose(fate) => shop.fates.push_back(fate),
        }
        for sku in SKUS {
            let offered = shop.stock.iter().chain(&shop.carts).filter(|listing| listing.sku.as_str() == sku);
            self.seen.insert(sku, offered.map(|listing| listing.quantity).sum());
        }
    }
}

async fn tell(story: Vec<Step>) -> Result<(), TestCaseError> {
    // The last is in no list; without it the shop could be worth nothing, and a guard would hold what fills it.
    let stage = Stage::new(vec![
        listing(1, "A", 5, 100),
        listing(2, "B", 3, 200),
        listing(3, "C", 2, 300),
        listing(4, "Z", 900, 100),
    ]);
    let truth = Arc::new(Mutex::new(Truth::default()));
    write_list(&stage, &truth, [0, 0, 0]);
    for step in story {
        match step {
            Step::List(more) => write_list(&stage, &truth, more),
            Step::Wait(seconds) => stage.place.clock.jump(TimeDelta::seconds(seconds)),
            Step::Happen(event) => {
                let now = stage.now();
                truth.lock().unwrap().happen(event, &mut stage.memory.shop(), now);
            }
            Step::Sync { events, killed } => {
                truth.lock().unwrap().fresh = 0;
                let (watch, clock): (_, Arc<ManualClock>) = (truth.clone(), stage.place.clock.clone());
                stage.calls.meddle(move |moment, shop| {
                    let mut truth = watch.lock().unwrap();
                    truth.judge(shop);
                    for (at, event) in &events {
                        if *at == moment {
                            truth.happen(*event, shop, clock.now());
                        }
                    }
                });
                match killed {
                    Some(moment) => drop(stage.killed_at(moment).await),
                    // Where the sums do not add up it says so and stops; that is for a person.
                    None => drop(stage.run(super::super::super::Errand::Usual).await),
                }
                truth.lock().unwrap().judge(&stage.memory.shop());
            }
        }
    }
    // Nothing happens any more, and a person has looked at what was parked.
    stage.memory.shop().fates.clear();
    let watch = truth.clone();
    stage.calls.meddle(move |_, shop| watch.lock().unwrap().judge(shop));
    for _ in 0..3 {
        let now = stage.now();
        stage.store(move |tx| parked::release(tx, &"cm".into(), now)).await;
        stage.sync().await;
    }
    let report = stage.sync().await;
    let (truth, shop) = (truth.lock().unwrap(), stage.memory.shop());
    prop_assert_eq!(&truth.broken, &Vec::<String>::new());
    for sku in SKUS {
        let sum = |listings: &[crate::domain::Listing]| {
            listings
                .iter()
                .filter(|listing| listing.sku.as_str() == sku)
                .map(|listing| listing.quantity)
                .sum::<i64>()
        };
        let (offered, carts) = (sum(&shop.stock) + sum(&shop.carts), sum(&shop.carts));
        let bound = truth.bound(&shop, sku).unwrap();
        if carts > 0 && offered == carts {
            // Nothing can be put to a listing of which every copy lies in carts.
            continue;
        }
        prop_assert_eq!(offered, bound.max(carts), "{} in the end: {:?}", sku, report);
    }
    Ok(())
}

/// The seller counts what is there and writes it down.
fn write_list(stage: &Stage, truth: &Mutex<Truth>, more: [i64; 3]) {
    // What was sold in the second of the list is taken for sold after it, which is the careful way.
    stage.place.clock.jump(TimeDelta::seconds(2));
    let mut truth = truth.lock().unwrap();
    let shop = stage.memory.shop();
    for (sku, more) in SKUS.into_iter().zip(more) {
        let there = shop.stock.iter().chain(&shop.carts).filter(|listing| listing.sku.as_str() == sku);
        truth.list.insert(sku, (there.map(|listing| listing.quantity).sum::<i64>() + more).max(0));
    }
    drop(shop);
    truth.written_at = Some(chrono::SubsecRound::trunc_subsecs(stage.now(), 0));
    let prices = [100, 200, 300];
    let rows: Vec<String> = SKUS
        .iter()
        .zip(prices)
        .map(|(sku, minor)| format!("{sku},{},{}.00,", truth.list[sku], minor / 100))
        .collect();
    stage.list(&rows.join("\n"));
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0_usize..3).prop_map(Event::Buy),
        2 => (0_usize..3).prop_map(Event::Cart),
        1 => Just(Event::Release),
        2 => Just(Event::Checkout),
        1 => Just(Event::Cancel),
        1 => Just(Event::Lose(Fate::LostBefore)),
        1 => Just(Event::Lose(Fate::LostAfter)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let sync =
        (proptest::collection::vec((1_u32..40, event()), 0..4), proptest::option::weighted(0.3, 1_u32..40));
    prop_oneof![
        3 => [-2_i64..4, -2_i64..4, -2_i64..4].prop_map(Step::List),
        3 => event().prop_map(Step::Happen),
        4 => sync.prop_map(|(events, killed)| Step::Sync { events, killed }),
        1 => (1_i64..2_000).prop_map(Step::Wait),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_put_back_while_the_stock_is_read_is_not_put_up_again() {
    let sync = |events| Step::Sync { events, killed: None };
    for moment in 1..30 {
        tell(vec![sync(vec![(1, Event::Cart(1))]), sync(vec![(moment, Event::Release)])]).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_write_ever_puts_up_again_what_was_sold(story in proptest::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(tell(story))?;
    }
}
