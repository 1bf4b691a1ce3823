//! Plans that the rest of the window does not pay for.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::super::{Errand, JobError};
use super::super::stage::Stage;
use super::{shelf, shop};
use crate::clock::Clock;
use crate::domain::{ErrorType, IntentState, Outcome, PlanState, Trigger};
use crate::policy::quota::Usage;
use crate::store::deferrals::{self, Deferral};
use crate::store::{plans, quotas};

/// Of a hundred requests an hour, 95 are for stock and 85 for prices. This many are used.
async fn used(stage: &mut Stage, used: i64) {
    stage.place.limit = Some(100);
    stage.place.trigger = Trigger::Schedule;
    let usage = Usage { window_start: hour(stage, 0), used, limit: None };
    stage.store(move |tx| quotas::set_usage(tx, &"cm".into(), "hour", &usage)).await;
}

/// The begin of this hour or of a later one.
fn hour(stage: &Stage, later: i64) -> DateTime<Utc> {
    let now = stage.place.clock.now();
    now - TimeDelta::milliseconds(now.timestamp_millis() % 3_600_000) + TimeDelta::hours(later)
}

async fn waiting(stage: &Stage) -> Vec<Deferral> {
    stage.store(deferrals::list).await
}

#[tokio::test(start_paused = true)]
async fn what_takes_copies_off_sale_leaves_and_the_rest_waits_for_the_next_window() {
    let mut stage = shop();
    stage.list("A,3,1.00,\nB,4,2.20,\nC,0,3.00,\nD,2,4.00,");
    // One that lowers, one for a price, one that raises and one that adds.
    used(&mut stage, 95 - 3).await;
    let report = stage.sync().await;
    assert_eq!(stage.shelf(), shelf(&[("A", 3, 100), ("B", 2, 200)]), "C was sold out");
    assert_eq!((report.outcome(), report.error_type()), (Outcome::Partial, Some(ErrorType::QuotaExhausted)));
    let words = report.words().unwrap();
    assert!(words.contains("it takes 4 requests to apply, and 3 are left for stock"), "{words}");
    assert!(words.contains("only what takes copies off sale has been sent"), "{words}");
    let waiting_now = waiting(&stage).await;
    let [deferral] = &waiting_now[..] else { panic!("{waiting_now:?}") };
    assert_eq!((deferral.job.as_str(), deferral.cost), ("job", 3), "the shop in memory counts no reading");
    let after = deferral.starts_at - hour(&stage, 1);
    assert!((TimeDelta::seconds(5)..TimeDelta::seconds(80)).contains(&after), "{after}");
    assert!(
        words.contains(&deferral.starts_at.format("it starts by itself at %FT%TZ").to_string()),
        "{words}"
    );

    stage.place.clock.jump(TimeDelta::minutes(30));
    stage.place.trigger = Trigger::Retry;
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Success, "{report:?}");
    assert_eq!(stage.shelf(), shelf(&[("A", 3, 100), ("B", 4, 220), ("D", 2, 400)]));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_comes_off_sale_nothing_leaves_at_all() {
    let mut stage = shop();
    stage.list("A,5,1.10,\nB,4,2.20,");
    let before = stage.shelf();
    // A price alone may use less of a window than what raises.
    for (requests, class) in [(94, "stock"), (85, "prices")] {
        used(&mut stage, requests).await;
        let report = stage.sync().await;
        assert_eq!((report.outcome(), stage.writes()), (Outcome::Blocked, 0), "{report:?}");
        assert!(report.words().unwrap().contains(&format!("are left for {class}")), "{report:?}");
        assert_eq!(stage.shelf(), before);
        let plan = report.plan.unwrap();
        assert_eq!(stage.states(plan).await, [IntentState::Planned; 3]);
        let row = stage.store(move |tx| plans::get(tx, plan)).await.unwrap();
        assert_eq!(row.state, PlanState::Planned, "it can still be applied by hand");
    }
    used(&mut stage, 84).await;
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Success, "what is left pays for all of it: {report:?}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_by_hand_is_told_when_to_ask_again() {
    let mut stage = shop();
    stage.list("B,4,2.00,");
    let plan = stage.look(Errand::Plan).await.unwrap().plan.unwrap();
    used(&mut stage, 95).await;
    stage.place.trigger = Trigger::Manual;
    let again = hour(&stage, 1).format("run it again after %FT%TZ").to_string();
    let apply = Errand::Apply { plan, accepted: Vec::new() };
    match stage.run(apply.clone()).await {
        Err(JobError::PutOff(why)) => assert!(why.to_string().contains(&again), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.calls.passed(), 0, "nothing was read in vain");
    let report = stage.sync().await;
    assert_eq!(report.outcome(), Outcome::Blocked);
    assert!(report.words().unwrap().contains(&again), "{report:?}");
    assert_eq!((stage.writes(), waiting(&stage).await), (0, Vec::new()), "nothing starts by itself");
}

#[tokio::test(start_paused = true)]
async fn what_no_window_pays_for_is_put_off_once_and_then_gets_as_far_as_it_gets() {
    let mut stage = shop();
    stage.list("B,4,2.00,\nC,2,3.00,\nD,1,1.00,");
    used(&mut stage, 20).await;
    // Nine tenths of what a class of this window may use are less than the two requests of this plan.
    stage.place.limit = Some(3);
    assert_eq!(stage.sync().await.outcome(), Outcome::Blocked);
    stage.place.trigger = Trigger::Retry;
    assert_eq!(
        stage.sync().await.outcome(),
        Outcome::Success,
        "the gate cuts it, and the next window goes on"
    );
}
