//! Plans that are applied later, and runs that are taken back.

use super::super::super::{Errand, JobError};
use super::super::stage::{Stage, free, listing, order};
use super::{shelf, shop};
use crate::config::Guards;
use crate::domain::{
    Bounds, Change, Currency, IntentState, ListingId, Money, Offer, Operation, Outcome, PlanId, PlanState,
};
use crate::store::plans;
use crate::store::testing::planned as new_plan;

fn apply(plan: PlanId, accepted: &[&str]) -> Errand {
    Errand::Apply { plan, accepted: accepted.iter().map(|name| (*name).to_owned()).collect() }
}

async fn planned(stage: &Stage) -> PlanId {
    stage.look(Errand::Plan).await.unwrap().plan.expect("a plan was asked for")
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_applied_later_but_for_what_changed_since() {
    let stage = shop();
    stage.list("A,3,1.00,\nB,4,2.00,\nC,1,3.30,\nD,1,4.00,");
    let plan = planned(&stage).await;
    stage.memory.shop().stock[1].quantity = 1;
    let report = stage.run(apply(plan, &[])).await.unwrap();
    assert_eq!(report.outcome(), Outcome::Partial, "{report:?}");
    assert_eq!(stage.shelf(), shelf(&[("A", 3, 100), ("B", 1, 200), ("C", 1, 330), ("D", 1, 400)]));
    let skipped: Vec<_> =
        stage.intents(plan).await.into_iter().filter(|intent| intent.state == IntentState::Skipped).collect();
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].change.sku.as_str(), "B");
    assert!(skipped[0].message.as_ref().unwrap().contains("had 2 copies and has 1"), "{skipped:?}");
    let again = stage.run(apply(plan, &[])).await;
    assert!(matches!(&again, Err(JobError::Stale(why)) if why.contains("is applied")), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_list_or_time_or_stock_is_another_is_stale_and_sends_nothing() {
    let stage = Stage::new((1..=8).map(|id| listing(id, &format!("S{id}"), 2, 100)).collect());
    let list: Vec<String> = (1..=8).map(|id| format!("S{id},1,1.00,")).collect();
    stage.list(&list.join("\n"));
    let stale = async |plan, words: &str| match stage.run(apply(plan, &[])).await {
        Err(JobError::Stale(why)) if why.contains(words) => {}
        other => panic!("{words}: {other:?}"),
    };
    let plan = planned(&stage).await;
    stage.list("S1,1,1.00,");
    stale(plan, "changed since").await;

    stage.list(&list.join("\n"));
    let plan = planned(&stage).await;
    stage.place.clock.jump(chrono::TimeDelta::minutes(26));
    stale(plan, "was good until").await;

    let (late, plan) = (plan, planned(&stage).await);
    let state = stage.store(move |tx| plans::get(tx, late)).await.unwrap().state;
    assert_eq!(state, PlanState::Expired, "the next plan of the job notices");
    stale(late, "is expired").await;
    stage.memory.shop().stock.iter_mut().take(6).for_each(|listing| listing.quantity = 7);
    stale(plan, "6 of 8 items").await;

    let plan = planned(&stage).await;
    planned(&stage).await;
    stale(plan, "is superseded").await;
    stale(PlanId(99), "there is no plan").await;
    assert_eq!(stage.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_a_guard_holds_is_applied_once_a_person_accepts_that_guard() {
    let mut stage = shop();
    stage.settings.guards = Guards { max_zeroed_items: 0, max_price_change_percent: 10, ..free() };
    stage.list("A,0,1.00,\nB,2,3.00,");
    let plan = stage.sync().await.plan.unwrap();
    for accepted in [vec![], vec!["max_zeroed_items"], vec!["min_price"]] {
        let report = stage.run(apply(plan, &accepted)).await.unwrap();
        assert_eq!((report.outcome(), stage.writes()), (Outcome::Guarded, 0), "{accepted:?}: {report:?}");
    }
    let both = ["max_zeroed_items", "max_price_change_percent"];
    let report = stage.run(apply(plan, &both)).await.unwrap();
    assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
    assert_eq!(stage.shelf(), shelf(&[("B", 2, 300), ("C", 1, 300)]));
}

#[tokio::test(start_paused = true)]
async fn undo_restores_what_stood_before_and_leaves_alone_what_changed_since() {
    let stage = shop();
    let before = stage.shelf();
    stage.list("A,3,1.00,\nB,4,2.20,\nC,0,3.00,\nD,2,4.00,box 7");
    let plan = stage.sync().await.plan.unwrap();
    let run = stage.applied_by(plan).await;
    let undo = stage.look(Errand::Undo(run)).await.unwrap().plan.unwrap();
    let report = stage.run(apply(undo, &[])).await.unwrap();
    assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
    assert_eq!(stage.shelf(), before, "{:?} {:?}", stage.intents(undo).await, stage.held(undo).await);

    // Once more, and since then a copy of A is sold and B is dearer.
    let plan = stage.sync().await.plan.unwrap();
    let run = stage.applied_by(plan).await;
    let sold = stage.memory.shop().stock.iter().find(|listing| listing.sku.as_str() == "A").cloned().unwrap();
    stage.memory.shop().sell(order(1, &sold, 1, Some(stage.now())));
    let dearer = |listing: &mut crate::domain::Listing| listing.price.minor = 250;
    stage.memory.shop().stock.iter_mut().filter(|listing| listing.sku.as_str() == "B").for_each(dearer);
    let undo = stage.look(Errand::Undo(run)).await.unwrap().plan.unwrap();
    assert_eq!(stage.held(undo).await, [("B".to_owned(), "changed-since".to_owned())]);
    stage.run(apply(undo, &[])).await.unwrap();
    assert_eq!(stage.shelf(), shelf(&[("A", 4, 100), ("B", 2, 250), ("C", 1, 300)]));
}

#[tokio::test(start_paused = true)]
async fn a_price_outside_the_items_own_bounds_does_not_leave_although_the_plan_says_so_and_a_person_accepts_it()
 {
    let eur = |minor| Money { minor, currency: Currency::EUR };
    let offer = |minor| Offer { quantity: 5, in_carts: 0, price: eur(minor), attributes: "{}".to_owned() };
    for (minor, expected) in
        [(94, IntentState::Refused), (95, IntentState::Done), (121, IntentState::Refused)]
    {
        let stage = shop();
        // A plan as a version of the program with a mistake in it might have stored it.
        let change = Change {
            op: Operation::Price,
            sku: "A".into(),
            listing_id: Some(ListingId(1)),
            title: String::new(),
            before: Some(offer(100)),
            after: Some(offer(minor)),
            reason: String::new(),
            bounds: Bounds { floor: Some(eur(95)), ceiling: Some(eur(120)) },
        };
        let hour = chrono::TimeDelta::hours(1);
        let new =
            plans::NewPlan { job: "job".into(), expires_at: stage.now() + hour, ..new_plan(stage.now()) };
        let plan = stage.store(move |tx| plans::add(tx, &new, &[change], &[0], &[])).await;
        let all = ["min_price", "max_price", "max_price_change_percent"];
        let report = stage.run(apply(plan, &all)).await.unwrap();
        assert_eq!(stage.states(plan).await, [expected], "{report:?}");
        let after = if expected == IntentState::Done { minor } else { 100 };
        assert_eq!(stage.shelf()[0], ("A".to_owned(), 5, after));
    }
}

#[tokio::test(start_paused = true)]
async fn undo_does_not_go_back_to_a_price_below_the_floor_that_the_source_has_given_since() {
    let stage = shop();
    stage.list_of("sku,quantity,price,min_price,max_price", "A,5,1.20,0.90,1.50\nB,2,2.60,2.50,");
    let plan = stage.sync().await.plan.unwrap();
    assert_eq!(stage.shelf(), shelf(&[("A", 5, 120), ("B", 2, 260), ("C", 1, 300)]));
    let run = stage.applied_by(plan).await;
    let undo = stage.look(Errand::Undo(run)).await.unwrap().plan.unwrap();
    assert_eq!(stage.held(undo).await, [("B".to_owned(), "below-floor".to_owned())]);
    stage.run(apply(undo, &[])).await.unwrap();
    assert_eq!(stage.shelf(), shelf(&[("A", 5, 100), ("B", 2, 260), ("C", 1, 300)]));
}
