//! The trigger of tests and of simulated time: it ticks when it is told to.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{SharedBoard, Trigger, TriggerError, lock};
use crate::clock::SharedClock;
use crate::policy::due::Claimed;

/// Ticks by hand. Clones tick the same board, so one can be given to the agent and the other kept.
#[derive(Clone)]
pub struct HandTrigger {
    clock: SharedClock,
    target: Arc<Mutex<Option<Target>>>,
}

/// What is claimed from, and where it goes.
type Target = (SharedBoard, mpsc::Sender<Claimed>);

impl HandTrigger {
    /// A trigger that claims at the time which `clock` shows.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, target: Arc::default() }
    }

    /// Claims what is due now and sends it. Returns whether anything was sent; nothing is, and nothing is claimed,
    /// before `start`, after `stop`, or when nobody receives any more.
    pub async fn tick(&self) -> bool {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((board, out)) = target else { return false };
        let Ok(place) = out.reserve().await else { return false };
        let claimed = lock(&board).claim(self.clock.now());
        let any = !claimed.is_empty();
        if any {
            place.send(claimed);
        }
        any
    }

    fn aim(&self, target: Option<Target>) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

#[async_trait]
impl Trigger for HandTrigger {
    async fn start(&mut self, board: SharedBoard, out: mpsc::Sender<Claimed>) -> Result<(), TriggerError> {
        self.aim(Some((board, out)));
        Ok(())
    }

    async fn replace(&mut self) -> Result<(), TriggerError> {
        Ok(())
    }

    async fn stop(&mut self) {
        self.aim(None);
    }
}
