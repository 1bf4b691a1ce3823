//! The end of the process at every moment of an apply.

use super::super::stage::{Stage, listing};
use super::shelf;
use crate::domain::Outcome;
use crate::marketplace::memory::Fate;

fn stage(fates: &[Fate]) -> Stage {
    let stage = Stage::new(vec![
        listing(1, "A", 5, 100),
        listing(2, "B", 2, 200),
        listing(3, "C", 1, 300),
        listing(4, "E", 4, 500),
    ]);
    stage.memory.shop().fates = fates.iter().copied().collect();
    stage.list("A,3,1.00,\nB,4,2.20,\nC,0,3.00,\nD,2,4.00,box 7\nE,4,5.00,shelf 2");
    stage
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_the_end_is_that_of_an_undisturbed_run() {
    let expected = shelf(&[("A", 3, 100), ("B", 4, 220), ("D", 2, 400), ("E", 4, 500)]);
    for fates in [&[][..], &[Fate::LostAfter, Fate::LostBefore, Fate::LostAfter, Fate::LostBefore]] {
        let whole = stage(fates);
        assert_eq!(whole.sync().await.outcome(), Outcome::Success);
        assert_eq!(whole.shelf(), expected);
        let moments = whole.calls.passed();
        assert!(moments > 20, "{moments}");
        for moment in 1..=moments {
            let stage = stage(fates);
            assert!(stage.killed_at(moment).await, "moment {moment} of {moments}");
            let report = stage.sync().await;
            assert_eq!(stage.shelf(), expected, "killed at {moment} of {moments}: {report:?}");
            assert_eq!(stage.in_doubt().await, 0, "killed at {moment} of {moments}");
            let again = stage.sync().await;
            assert_eq!(
                (again.outcome(), again.plan),
                (Outcome::Success, None),
                "killed at {moment}: {again:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_one_account_take_turns() {
    let expected = shelf(&[("A", 3, 100), ("B", 4, 220), ("D", 2, 400), ("E", 4, 500)]);
    let stage = stage(&[Fate::LostAfter]);
    // While one waits to find out what became of its write, the other begins.
    let (one, other) = tokio::join!(stage.sync(), stage.sync());
    assert_eq!((one.outcome(), other.outcome()), (Outcome::Success, Outcome::Success), "{one:?} {other:?}");
    assert_eq!(stage.shelf(), expected);
    assert!(one.plan.is_some() != other.plan.is_some(), "the later one has nothing to do: {one:?} {other:?}");
}

#[tokio::test(start_paused = true)]
async fn killed_again_and_again_it_still_comes_to_the_same_end() {
    let expected = shelf(&[("A", 3, 100), ("B", 4, 220), ("D", 2, 400), ("E", 4, 500)]);
    for stride in [3, 7, 11, 13, 17, 19, 23] {
        let stage = stage(&[Fate::LostAfter, Fate::LostBefore]);
        let mut lives = 0;
        // Each life is a little longer than the one before.
        while stage.killed_at(stride + lives).await {
            lives += 1;
            assert!(lives < 200, "it never gets to its end");
        }
        assert_eq!(stage.shelf(), expected, "stride {stride}");
        assert_eq!(stage.in_doubt().await, 0);
    }
}
