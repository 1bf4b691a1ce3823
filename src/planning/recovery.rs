//! What a crash left behind becomes repairs. A clean start is a recovery that finds nothing.

use crate::domain::RunId;

/// What was found at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wreckage {
    /// Runs that have no end.
    pub open_runs: Vec<RunId>,
    /// Requests without an answer.
    pub unanswered: Vec<i64>,
    /// Readings of a stock that were not finished.
    pub open_snapshots: Vec<i64>,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// The run ends as `interrupted`.
    InterruptRun(RunId),
    /// Nobody waits for the answer any more. If it was a write, its intents stay in doubt until what they aimed at has
    /// been read back.
    CloseRequest(i64),
    /// Half a reading says nothing about what it does not show; it is closed as incomplete.
    AbandonSnapshot(i64),
}

/// The repairs, in the order in which they are made.
pub fn repairs(wreckage: &Wreckage) -> Vec<Repair> {
    let runs = wreckage.open_runs.iter().map(|run| Repair::InterruptRun(*run));
    let requests = wreckage.unanswered.iter().map(|id| Repair::CloseRequest(*id));
    let snapshots = wreckage.open_snapshots.iter().map(|id| Repair::AbandonSnapshot(*id));
    runs.chain(requests).chain(snapshots).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_start_finds_nothing() {
        assert_eq!(repairs(&Wreckage::default()), []);
    }

    #[test]
    fn what_was_left_open_is_closed_in_its_order() {
        let wreckage =
            Wreckage { open_runs: vec![RunId(4)], unanswered: vec![7, 8], open_snapshots: vec![2] };
        let expected = [
            Repair::InterruptRun(RunId(4)),
            Repair::CloseRequest(7),
            Repair::CloseRequest(8),
            Repair::AbandonSnapshot(2),
        ];
        assert_eq!(repairs(&wreckage), expected);
    }
}
