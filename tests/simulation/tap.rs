//! A trigger with a tap: hands on what the real one claims and writes it down. The driver ticks it by hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sellerd::agent::trigger::{CronTrigger, HandTrigger, SharedBoard, Trigger, TriggerError, lock};
use sellerd::clock::SharedClock;
use sellerd::config::Config;
use sellerd::policy::due::{Claimed, Fire};
use tokio::sync::mpsc;

use crate::story::Story;
use crate::watch::Removed;
use crate::world::{Stood, World};

/// Ticks the agent's board and says when the next tick is worth while.
#[derive(Clone)]
pub struct Hand {
    /// Where the board stood at each look that brought something.
    stood: Arc<Mutex<VecDeque<Stood>>>,
    trigger: HandTrigger,
    clock: SharedClock,
    board: Arc<Mutex<Option<SharedBoard>>>,
}

/// What the agent is given.
pub struct Tap {
    hand: Hand,
    world: Arc<World>,
    config: Config,
    removed: Option<Removed>,
    /// The daemon's own, where it is to tick by itself.
    own: Option<CronTrigger>,
}

impl Tap {
    /// A trigger for an agent of this configuration, and the hand that ticks it.
    pub fn new(clock: SharedClock, world: Arc<World>, config: Config, story: &Story) -> (Self, Hand) {
        let own = story.own_trigger.then(|| CronTrigger::new(clock.clone()));
        let hand = Hand {
            stood: Arc::default(),
            trigger: HandTrigger::new(clock.clone()),
            clock,
            board: Arc::default(),
        };
        (Self { hand: hand.clone(), world, config, removed: story.removed, own }, hand)
    }
}

impl Hand {
    /// Looks at the board.
    pub async fn tick(&self) -> bool {
        self.note_where_it_stands();
        let any = self.trigger.tick().await;
        if !any {
            locked(&self.stood).pop_back();
        }
        any
    }

    fn note_where_it_stands(&self) {
        let board = locked(&self.board).clone();
        let Some(board) = board else { return locked(&self.stood).push_back(Stood::new()) };
        let (board, now) = (lock(&board), self.clock.now());
        // Where the clock went back, everything is planned anew from there.
        let from = |job| board.planned_from(job).map_or(now, |from| from.min(now));
        let stands_at = board.jobs().map(|job| (job.to_string(), from(job))).collect();
        locked(&self.stood).push_back(stands_at);
    }

    /// When the next job starts, by the agent's clock.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        let board = locked(&self.board).clone()?;
        let board = lock(&board);
        board.jobs().filter_map(|job| board.next(job)).min()
    }
}

#[async_trait]
impl Trigger for Tap {
    async fn start(&mut self, board: SharedBoard, out: mpsc::Sender<Claimed>) -> Result<(), TriggerError> {
        *locked(&self.hand.board) = Some(board.clone());
        let (claims, mut claimed) = mpsc::channel::<Claimed>(1);
        match &mut self.own {
            Some(own) => own.start(board, claims).await?,
            None => self.hand.trigger.start(board, claims).await?,
        }
        let (world, config, hand, removed) =
            (self.world.clone(), self.config.clone(), self.hand.clone(), self.removed);
        tokio::spawn(async move {
            while let Some(mut claimed) = claimed.recv().await {
                match removed {
                    Some(Removed::UniqueRun) => {
                        claimed.fires.iter_mut().for_each(|fire| fire.due_at = hand.clock.now())
                    }
                    Some(Removed::Coalescing) => {
                        claimed.fires =
                            claimed.fires.iter().flat_map(|fire| each_slot(fire, &config)).collect();
                    }
                    _ => {}
                }
                let stood = locked(&hand.stood).pop_front().unwrap_or_default();
                world.claimed(&claimed, &stood);
                if out.send(claimed).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    async fn replace(&mut self) -> Result<(), TriggerError> {
        match &mut self.own {
            Some(own) => own.replace().await,
            None => self.hand.trigger.replace().await,
        }
    }

    async fn stop(&mut self) {
        match &mut self.own {
            Some(own) => own.stop().await,
            None => self.hand.trigger.stop().await,
        }
    }
}

/// A fire for each slot that this one stands for, up to fifty.
fn each_slot(fire: &Fire, config: &Config) -> Vec<Fire> {
    let Some(job) = config.jobs.get(&fire.job) else { return vec![fire.clone()] };
    let mut slots = Vec::new();
    let mut from = fire.due_at - chrono::TimeDelta::hours(4);
    while let Some(slot) = job.schedule.next_after(from).filter(|slot| *slot <= fire.due_at) {
        slots.push(slot);
        from = slot;
    }
    let many = (fire.missed as usize).clamp(1, 50);
    let start = slots.len().saturating_sub(many);
    slots[start..].iter().map(|slot| Fire { due_at: *slot, missed: 0, ..fire.clone() }).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
