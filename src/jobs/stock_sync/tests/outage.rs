//! Writes that get no answer, one after the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::super::{Context, Errand, Way};
use super::super::run;
use super::super::stage::{Stage, listing};
use crate::domain::{IntentState, Outcome};
use crate::marketplace::memory::Fate;

/// A shop of which every price changes: five requests of three items each, all of which may be sent twice.
fn stage() -> Stage {
    let stage = Stage::new((1..=15).map(|id| listing(id, &format!("S{id:02}"), 1, 100)).collect());
    let rows: Vec<String> = (1..=15).map(|id| format!("S{id:02},1,1.10,")).collect();
    stage.list(&rows.join("\n"));
    stage
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_the_middle_of_an_apply_leaves_no_more_than_two_requests_in_doubt() {
    let stage = stage();
    stage.calls.fall_silent_after(1);
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Partial, "{report:?}");
    let states = stage.states(report.plan.unwrap()).await;
    let of = |wanted| states.iter().filter(|state| **state == wanted).count();
    let (done, sent, dropped) = (of(IntentState::Done), of(IntentState::Sent), of(IntentState::Dropped));
    assert_eq!((done, sent, dropped), (3, 6, 6), "{states:?}");

    stage.calls.answer_again();
    let next = stage.sync().await;
    assert_eq!(next.outcome(), Outcome::Success, "{next:?}");
    assert!(stage.shelf().iter().all(|(_, copies, minor)| (*copies, *minor) == (1, 110)), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn after_two_writes_without_an_answer_nothing_leaves_before_the_shop_was_read() {
    let stage = stage();
    // One answer in between: two in a row are what counts.
    let fates = [Fate::LostBefore, Fate::Well, Fate::LostBefore, Fate::LostAfter];
    stage.memory.shop().fates = fates.into();
    let left = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&left);
    stage.calls.meddle(move |_, shop| seen.lock().unwrap().push((shop.fates.len(), shop.written.len())));
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
    assert!(stage.shelf().iter().all(|(_, copies, minor)| (*copies, *minor) == (1, 110)), "{report:?}");
    let left = left.lock().unwrap();
    let moments = |fates, arrived| left.iter().filter(|left| **left == (fates, arrived)).count();
    // Between two requests are the moment after the one and the moment before the other; reads are more.
    assert_eq!((moments(3, 0), moments(2, 1), moments(1, 1)), (2, 2, 2), "{left:?}");
    assert!(moments(0, 2) > 2 && report.counts["settled"] == 9, "{left:?} {report:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_is_shown_and_counted_down_until_it_is_over() {
    let stage = stage();
    stage.memory.shop().fates = [Fate::Well, Fate::LostAfter].into();
    let shown = Mutex::new(Vec::new());
    let job = async |context: &Context| {
        let look = async {
            for _ in 0..1_000 {
                context.clock.sleep(Duration::from_secs(1)).await;
                let moment = context.progress.now();
                shown.lock().unwrap().push((moment.phase, moment.left_s(context.clock.elapsed())));
            }
        };
        let both = async { tokio::join!(run(&stage.settings, context), look).0 };
        let report = both.await;
        assert_eq!(context.progress.now().phase, "applying", "what went on goes on");
        report
    };
    let way = Way::Writes(Box::new(stage.memory.clone()));
    let report = stage.place.work_on(way, Errand::Usual, job).await.unwrap();
    assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
    let shown = shown.into_inner().unwrap();
    let left: Vec<u64> = shown
        .iter()
        .filter(|(phase, _)| *phase == "waiting until a lost write can do nothing any more")
        .filter_map(|(_, left)| *left)
        .collect();
    assert_eq!(left, (1..15).rev().collect::<Vec<u64>>(), "{shown:?}");
}
