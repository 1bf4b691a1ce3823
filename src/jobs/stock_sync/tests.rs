//! The job over a shop in memory: what is promised of one run, of the next, and of one that did not come to its end.

mod crash;
mod later;
mod outage;
mod put_off;
mod sold;

use super::super::Errand;
use super::stage::{Stage, free, listing, order};
use crate::config::{Absent, Guards};
use crate::domain::{IntentState, Outcome};
use crate::marketplace::Step;
use crate::marketplace::memory::Fate;
use crate::store::{parked, problems};

fn shop() -> Stage {
    Stage::new(vec![listing(1, "A", 5, 100), listing(2, "B", 2, 200), listing(3, "C", 1, 300)])
}

fn shelf(rows: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    let mut shelf: Vec<_> =
        rows.iter().map(|(sku, copies, minor)| ((*sku).to_owned(), *copies, *minor)).collect();
    shelf.sort();
    shelf
}

#[tokio::test(start_paused = true)]
async fn a_list_becomes_the_shop_and_the_second_run_has_nothing_to_do() {
    let stage = shop();
    stage.list("A,3,1.00,\nB,4,2.20,\nC,0,3.00,\nD,2,4.00,box 7");
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
    assert_eq!(stage.shelf(), shelf(&[("A", 3, 100), ("B", 4, 220), ("D", 2, 400)]));
    let steps: Vec<Step> = stage.memory.shop().written.iter().map(|batch| batch.step).collect();
    assert_eq!(steps, [Step::Lower, Step::Edit, Step::Raise, Step::Add], "off sale first, on sale last");
    assert_eq!(report.counts["applied"], 5);
    let again = stage.sync().await;
    assert_eq!((again.outcome(), again.plan, stage.writes()), (Outcome::Success, None, 4), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_may_not_write_plans_and_leaves_everything_as_it_is() {
    let stage = shop();
    stage.list("A,3,1.10,");
    let before = stage.shelf();
    for errand in [Errand::Usual, Errand::Plan] {
        let report = stage.look(errand).await.unwrap();
        let plan = report.plan.expect("there is something to do");
        assert_eq!(stage.states(plan).await, [IntentState::Planned; 2]);
    }
    assert_eq!((stage.shelf(), stage.writes()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_found_out_about_and_nothing_is_done_twice() {
    for fate in [Fate::LostBefore, Fate::LostAfter] {
        for lost in 0..4 {
            let stage = shop();
            stage.list("A,3,1.00,\nB,4,2.20,\nC,0,3.00,\nD,2,4.00,box 7");
            let fates = (0..4).map(|write| if write == lost { fate } else { Fate::Well });
            stage.memory.shop().fates = fates.collect();
            let report = stage.sync().await;
            assert_eq!(
                stage.shelf(),
                shelf(&[("A", 3, 100), ("B", 4, 220), ("D", 2, 400)]),
                "{lost} {fate:?} {report:?}"
            );
            assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
            assert_eq!(stage.in_doubt().await, 0);
            assert_eq!(stage.writes(), 4, "each had its effect once: {lost} {fate:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_has_an_effect_is_given_up_and_said() {
    let stage = shop();
    stage.list("A,3,1.00,");
    stage.memory.shop().fates = [Fate::LostBefore; 3].into();
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Partial);
    let intents = stage.intents(report.plan.unwrap()).await;
    assert_eq!(intents[0].state, IntentState::Skipped);
    assert!(intents[0].message.as_ref().unwrap().contains("sent 3 times"), "{intents:?}");
    assert_eq!(stage.sync().await.outcome(), Outcome::Success);
    assert_eq!(stage.shelf()[0].1, 3);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_certainly_had_no_effect_leaves_nothing_in_doubt() {
    let stage = shop();
    stage.list("A,3,1.00,\nB,4,2.00,");
    stage.memory.shop().fates = [Fate::Well, Fate::Unsent].into();
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Partial, "{report:?}");
    assert_eq!(stage.in_doubt().await, 0);
    assert_eq!(stage.states(report.plan.unwrap()).await, [IntentState::Done, IntentState::Dropped]);
    assert_eq!(stage.sync().await.outcome(), Outcome::Success);
    assert_eq!(stage.shelf(), shelf(&[("A", 3, 100), ("B", 4, 200), ("C", 1, 300)]));
}

#[tokio::test(start_paused = true)]
async fn a_guard_holds_a_plan_and_says_so_until_a_better_list_comes() {
    let mut stage = shop();
    stage.settings.guards = Guards { max_zeroed_items: 0, ..free() };
    stage.list("A,0,1.00,\nB,4,2.00,");
    let report = stage.sync().await;
    assert_eq!((report.outcome(), stage.writes()), (Outcome::Guarded, 0), "{report:?}");
    let open = stage.store(problems::list).await;
    assert_eq!((open.len(), open[0].code.as_str()), (1, "E520"));
    assert!(open[0].fix.contains("--accept-guard"), "{}", open[0].fix);
    stage.list("A,5,1.00,\nB,4,2.00,");
    assert_eq!(stage.sync().await.outcome(), Outcome::Success);
    assert_eq!(stage.store(problems::list).await.len(), 0);
    assert_eq!(stage.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_read_are_kept_apart_and_harm_nobody() {
    let mut stage = shop();
    stage.settings.absent = Absent::Remove;
    stage.list("A,four,1.00,\nB,4,2.00,");
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Partial, "{report:?}");
    assert_eq!(stage.shelf(), shelf(&[("A", 5, 100), ("B", 4, 200), ("C", 1, 300)]), "C may be in A's row");
    let rejected = std::fs::read_dir(stage.place.dir().join("rejected")).unwrap().count();
    assert_eq!((rejected, report.counts["rejected_rows"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_list_does_not_name_is_removed_only_where_the_seller_says_so_and_it_is_marked() {
    let mut stage = shop();
    stage.memory.shop().stock.push(listing(4, "mem:4", 9, 900));
    stage.list("A,5,1.00,");
    assert_eq!(stage.sync().await.plan, None);
    stage.settings.absent = Absent::Remove;
    let report = stage.sync().await;
    assert_eq!(stage.shelf(), shelf(&[("A", 5, 100), ("mem:4", 9, 900)]), "{report:?}");
    assert_eq!(stage.held(report.plan.unwrap()).await, [("mem:4".to_owned(), "no-mark".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn copies_in_carts_count_and_are_not_taken_back() {
    let stage = shop();
    stage.memory.shop().stock[0].quantity = 3;
    stage.memory.shop().carts = vec![listing(1, "A", 2, 100)];
    stage.list("A,5,1.00,");
    assert_eq!(stage.sync().await.plan, None, "three on the shelf and two in carts are five");
    stage.list("A,1,1.00,");
    let report = stage.sync().await;
    assert_eq!(stage.shelf(), shelf(&[("B", 2, 200), ("C", 1, 300)]), "{report:?}");
    assert_eq!(stage.held(report.plan.unwrap()).await, [("A".to_owned(), "in-carts".to_owned())]);
    stage.memory.shop().carts.clear();
    stage.memory.shop().stock.push(listing(1, "A", 2, 100));
    stage.sync().await;
    assert_eq!(stage.shelf()[0], ("A".to_owned(), 1, 100));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_put_to_a_listing_of_which_every_copy_lies_in_carts() {
    let stage = shop();
    let last = stage.memory.shop().stock.remove(2);
    stage.memory.shop().carts = vec![last];
    stage.list("C,4,3.00,");
    let report = stage.look(Errand::Plan).await.unwrap();
    assert_eq!(stage.held(report.plan.unwrap()).await, [("C".to_owned(), "in-carts".to_owned())]);
    assert_eq!((stage.sync().await.plan, stage.writes()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_says_hands_off_is_not_touched() {
    let stage = shop();
    stage.memory.shop().stock[0].attributes = r#"{"comment":"! mine"}"#.to_owned();
    stage.list("A,1,9.00,\nB,1,2.00,");
    let report = stage.sync().await;
    assert_eq!(stage.shelf(), shelf(&[("A", 5, 100), ("B", 1, 200), ("C", 1, 300)]));
    assert_eq!(stage.held(report.plan.unwrap()).await, [("A".to_owned(), "never-touch".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_hand_during_a_doubt_parks_the_account_until_a_person_has_looked() {
    let stage = shop();
    stage.list("A,3,1.00,\nB,4,2.00,");
    stage.memory.shop().fates = [Fate::LostBefore].into();
    let edited = std::sync::atomic::AtomicBool::new(false);
    stage.calls.meddle(move |_, shop| {
        if shop.fates.is_empty() && !edited.swap(true, std::sync::atomic::Ordering::SeqCst) {
            shop.stock[0].quantity = 9;
        }
    });
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Blocked, "{report:?}");
    assert!(report.words().unwrap().contains("expected 5 or 3, found 9"), "{report:?}");
    assert_eq!(stage.states(report.plan.unwrap()).await, [IntentState::Parked, IntentState::Dropped]);
    assert_eq!(stage.writes(), 0);
    stage.calls.leave_alone();

    let next = stage.sync().await;
    assert_eq!(stage.writes(), 0, "nothing leaves while it is parked: {next:?}");
    let now = stage.now();
    assert!(stage.store(move |tx| parked::release(tx, &"cm".into(), now)).await);
    let released = stage.sync().await;
    assert_eq!(released.outcome(), Outcome::Success, "{released:?}");
    assert_eq!(stage.shelf(), shelf(&[("A", 3, 100), ("B", 4, 200), ("C", 1, 300)]));
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_suddenly_looks_empty_is_not_filled_again() {
    let rows: Vec<_> = (1..=8).map(|id| listing(id, &format!("S{id}"), 2, 100)).collect();
    let stage = Stage::new(rows.clone());
    let list: Vec<String> = (1..=8).map(|id| format!("S{id},2,1.00,")).collect();
    stage.list(&list.join("\n"));
    assert_eq!(stage.sync().await.plan, None);
    stage.memory.shop().stock.clear();
    for _ in 0..4 {
        let report = stage.sync().await;
        assert_eq!((stage.writes(), report.outcome()), (0, Outcome::Partial), "{report:?}");
    }
    stage.memory.shop().stock = rows;
    let report = stage.sync().await;
    assert_eq!((stage.writes(), report.outcome()), (0, Outcome::Success), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sale_in_the_second_in_which_the_list_was_written_counts_as_one_after_it() {
    let stage = shop();
    stage.place.clock.jump(chrono::TimeDelta::milliseconds(700));
    stage.list("A,5,1.00,");
    // The marketplace tells the time of an order in whole seconds.
    let placed_at = chrono::SubsecRound::trunc_subsecs(stage.now(), 0);
    let (bought, sale) = {
        let shop = stage.memory.shop();
        (shop.stock[0].clone(), placed_at)
    };
    stage.memory.shop().sell(order(1, &bought, 2, Some(sale)));
    let report = stage.sync().await;
    assert_eq!((stage.shelf()[0].1, stage.writes()), (3, 0), "{report:?}");
}
