use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::domain::Trigger as Why;
use crate::policy::due::{Board, Plan};
use crate::policy::testing;

/// 14:00:00 on a Sunday. The tests run in tokio's paused time, so half a second takes none.
fn clock() -> Arc<ManualClock> {
    ManualClock::at("2026-11-22T14:00:00Z".parse().unwrap())
}

fn plan(job: &str, schedule: &str, clock: &ManualClock) -> Plan {
    testing::plan(job, schedule, clock.now() - TimeDelta::seconds(1))
}

fn many(count: usize, schedule: &str, clock: &ManualClock) -> Vec<Plan> {
    (0..count).map(|n| plan(&format!("job-{n:03}"), schedule, clock)).collect()
}

/// What arrives next, within an hour; `None` when nobody sends any more.
async fn next(arrivals: &mut mpsc::Receiver<Claimed>) -> Option<Claimed> {
    timeout(Duration::from_secs(3600), arrivals.recv()).await.expect("something arrives, or the end does")
}

async fn started(
    clock: &Arc<ManualClock>,
    plans: Vec<Plan>,
    room: usize,
) -> (CronTrigger, SharedBoard, mpsc::Receiver<Claimed>) {
    let board = Arc::new(std::sync::Mutex::new(Board::new(plans, clock.now())));
    let (out, arrivals) = mpsc::channel(room);
    let mut trigger = CronTrigger::new(clock.clone());
    trigger.start(board.clone(), out).await.unwrap();
    (trigger, board, arrivals)
}

#[tokio::test(start_paused = true)]
async fn every_job_that_is_due_arrives_once_even_if_all_are_due_at_once() {
    let clock = clock();
    let (_trigger, _, mut arrivals) = started(&clock, many(300, "*/5 * * * *", &clock), 1000).await;
    let mut runs = BTreeMap::new();
    while runs.len() < 600 {
        for fire in next(&mut arrivals).await.unwrap().fires {
            assert_eq!((fire.trigger, fire.missed), (Why::Schedule, 0));
            // One tick; what the bodies did not carry would come with the tick after.
            assert!(clock.now() - fire.due_at <= TimeDelta::milliseconds(600), "{fire:?} at {}", clock.now());
            *runs.entry((fire.due_at, fire.job)).or_insert(0) += 1;
        }
    }
    assert!(runs.values().all(|times| *times == 1));
    let slots: std::collections::BTreeSet<_> = runs.keys().map(|(due, _)| *due).collect();
    assert_eq!(slots.len(), 2, "300 runs of each of two slots");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_the_runner_is_slow() {
    let clock = clock();
    let (_trigger, board, mut arrivals) = started(&clock, many(40, "0 * * * *", &clock), 1).await;
    // The runner takes one and is then busy for a minute, again and again.
    let mut runs = Vec::new();
    while runs.len() < 40 {
        runs.extend(next(&mut arrivals).await.unwrap().fires.into_iter().map(|fire| fire.job));
        clock.sleep(Duration::from_secs(60)).await;
        let last = lock(&board).last_claim().unwrap();
        assert!(
            runs.len() >= 39 || last < clock.now() - TimeDelta::seconds(30),
            "claimed while the runner is behind"
        );
    }
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn the_board_shows_that_it_is_looked_at() {
    let clock = clock();
    let (_trigger, board, _arrivals) = started(&clock, vec![], 10).await;
    assert_eq!(lock(&board).last_claim(), None);
    clock.sleep(Duration::from_secs(60)).await;
    assert!(lock(&board).last_claim().unwrap() >= clock.now() - TimeDelta::seconds(1));
}

#[tokio::test(start_paused = true)]
async fn a_reload_adds_and_removes_jobs() {
    let clock = clock();
    let (mut trigger, board, mut arrivals) =
        started(&clock, vec![plan("old", "*/5 * * * *", &clock)], 10).await;
    assert_eq!(next(&mut arrivals).await.unwrap().fires[0].job.as_str(), "old");
    lock(&board).replace(vec![plan("new", "*/5 * * * *", &clock)], clock.now());
    trigger.replace().await.unwrap();
    for _ in 0..3 {
        assert_eq!(next(&mut arrivals).await.unwrap().fires[0].job.as_str(), "new");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_the_scheduler_does_not_know_runs_all_the_same() {
    let clock = clock();
    let (_trigger, board, mut arrivals) = started(&clock, vec![], 10).await;
    // The board has gained a job and nobody told the scheduler.
    lock(&board).replace(vec![plan("unknown", "*/5 * * * *", &clock)], clock.now());
    let fire = next(&mut arrivals).await.unwrap().fires.remove(0);
    assert_eq!(fire.job.as_str(), "unknown");
    assert!(clock.now() - fire.due_at <= TimeDelta::seconds(2));
}

#[tokio::test(start_paused = true)]
async fn after_stop_nothing_is_claimed_and_the_receiver_ends() {
    let clock = clock();
    let (mut trigger, board, mut arrivals) = started(&clock, many(3, "* * * * * *", &clock), 10).await;
    next(&mut arrivals).await.unwrap();
    trigger.stop().await;
    let last = lock(&board).last_claim();
    while next(&mut arrivals).await.is_some() {}
    clock.sleep(Duration::from_secs(30)).await;
    assert_eq!(lock(&board).last_claim(), last);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_started_again_after_a_stop() {
    let clock = clock();
    let (mut trigger, board, _) = started(&clock, many(1, "* * * * *", &clock), 10).await;
    trigger.stop().await;
    let (out, mut arrivals) = mpsc::channel(10);
    trigger.start(board, out).await.unwrap();
    assert_eq!(next(&mut arrivals).await.unwrap().fires.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hand_trigger_ticks_when_it_is_told() {
    let clock = clock();
    let board = Arc::new(std::sync::Mutex::new(Board::new(many(2, "0 * * * *", &clock), clock.now())));
    let (out, mut arrivals) = mpsc::channel(1);
    let hand = crate::agent::trigger::HandTrigger::new(clock.clone());
    assert!(!hand.tick().await);
    let mut given: Box<dyn Trigger> = Box::new(hand.clone());
    given.start(board, out).await.unwrap();
    assert!(hand.tick().await);
    assert_eq!(next(&mut arrivals).await.unwrap().fires.len(), 2);
    assert!(!hand.tick().await);
    clock.jump(TimeDelta::hours(1));
    assert!(hand.tick().await);
    given.stop().await;
    assert_eq!(next(&mut arrivals).await.unwrap().fires.len(), 2);
    assert_eq!(next(&mut arrivals).await, None);
}
