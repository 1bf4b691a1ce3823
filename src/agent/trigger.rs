//! What makes the agent look at the board: a scheduler's tick, or a test's hand.
//!
//! Whoever ticks decides nothing. The [`Board`] says what is due; a trigger takes that to the runner and sees to it
//! that nothing which was claimed is lost on the way. When the runner is behind, nothing is claimed: what is not
//! claimed waits on the board and is coalesced there.

mod cron;
mod hand;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use cron::CronTrigger;
pub use hand::HandTrigger;

use crate::domain::JobName;
use crate::policy::due::{Board, Claimed};

/// The board as the trigger, the agent and the ways out share it.
pub type SharedBoard = Arc<Mutex<Board>>;

/// Claims from a board again and again and sends what it got.
#[async_trait]
pub trait Trigger: Send + Sync {
    /// Begins to tick. Whatever is claimed from `board` from now on arrives on `out`, never empty.
    async fn start(&mut self, board: SharedBoard, out: mpsc::Sender<Claimed>) -> Result<(), TriggerError>;

    /// Takes note of jobs that the board has gained or lost.
    async fn replace(&mut self) -> Result<(), TriggerError>;

    /// Claims nothing more and lets go of `out`, so that its receiver comes to an end.
    async fn stop(&mut self);
}

/// Why there are no ticks, or not for every job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// The scheduler did not come up.
    #[error("the scheduler did not start ({0}); restart sellerd, and report this if it happens again")]
    NotStarted(String),
    /// The scheduler did not take or give back a job in time. Its slots are handed out all the same.
    #[error(
        "the scheduler does not answer for job `{job}` ({why}); its runs go on, up to half a second later"
    )]
    NoAnswer {
        /// The job.
        job: JobName,
        /// The scheduler's word for it.
        why: String,
    },
}

/// The board, even if somebody panicked while holding it: every change to it is complete or not begun.
pub fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
