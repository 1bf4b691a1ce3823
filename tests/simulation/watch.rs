//! Stands beside the gate: judges what passes it, stops the process between its commit and the send, and takes a
//! protection away where the harness has to show that it would notice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sellerd::clock::Clock;
use sellerd::domain::ErrorType;
use sellerd::http::{Attempt, Gate, Outgoing, Pass, Refusal, Settled};
use sellerd::policy::access::{AccessEvent, Asked};

use crate::market::Name;
use crate::story::Moment;
use crate::world::World;

/// A protection that is taken away from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Who lost the account sends all the same.
    Epoch,
    /// No clock outlives a process: the wall clock is all there is to go by.
    Mark,
    /// The client does not notice that it stood still between the gate and the send.
    LastLook,
    /// The window follows our own clock and count; what the marketplace says of either is not listened to.
    ServerQuota,
    /// What is sent is written down when its answer is there.
    IntentFirst,
    /// A run's key is the moment of its fire instead of its slot.
    UniqueRun,
    /// Each missed slot is run by itself.
    Coalescing,
    /// No intent says which write it left with.
    Intents,
    /// A write without an answer passes for one that never left.
    Doubt,
    /// A write whose answer was lost is looked for at once, although it may still take effect.
    Grace,
    /// The list always seems to be of this moment, so that no sale seems to have come after it.
    Netting,
    /// Who writes does not ask whether every write is halted.
    Halt,
    /// An account that is not let in passes for one that is.
    Suspension,
    /// A first refusal is the last word.
    SecondQuestion,
    /// Questions that got no answer are not counted where the agent was killed over them.
    Spent,
    /// Nor is any other request.
    Unread,
}

/// The gate with somebody beside it.
pub struct Watch {
    gate: Arc<dyn Gate>,
    world: Arc<World>,
    account: Name,
    who: u32,
    removed: Option<Removed>,
    /// For [`Removed::IntentFirst`]: what left and is not written down.
    unwritten: Mutex<VecDeque<Outgoing>>,
    /// For [`Removed::ServerQuota`]: the offset that requests are signed with, which the gate is not told.
    offset_ms: Mutex<i64>,
}

impl Watch {
    /// Watches `gate`.
    pub fn over(
        gate: Arc<dyn Gate>,
        world: Arc<World>,
        account: Name,
        who: u32,
        removed: Option<Removed>,
    ) -> Self {
        {
            // The account was taken over a moment ago.
            let mut world = world.look();
            world.account(account).owner = (who, world.truth.now());
        }
        Self { gate, world, account, who, removed, unwritten: Mutex::default(), offset_ms: Mutex::default() }
    }

    async fn ask(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        match self.removed {
            Some(Removed::IntentFirst) => {
                lock(&self.unwritten).push_back(outgoing.clone());
                Ok(Pass { request_id: 0, asked: outgoing.asked, clock_offset_ms: *lock(&self.offset_ms) })
            }
            Some(Removed::Epoch) => match self.gate.enter(outgoing).await {
                Err(Refusal::LostOwnership) => {
                    Ok(Pass { request_id: 0, asked: outgoing.asked, clock_offset_ms: 0 })
                }
                other => other,
            },
            Some(Removed::Intents) => {
                self.gate.enter(&Outgoing { intents: Vec::new(), ..outgoing.clone() }).await
            }
            Some(Removed::Suspension) if outgoing.asked == Asked::Work => {
                for state in ["suspended", "unauthorized", "revoked"] {
                    self.world.look().write_access(self.account, state, "active");
                }
                self.gate.enter(outgoing).await
            }
            Some(Removed::Unread) => {
                self.world.look().forget_kills(self.account);
                match outgoing.asked {
                    // Nor is there a question to ask.
                    Asked::Canary if self.world.look().account(self.account).refusals == 0 => {
                        Err(Refusal::Halted)
                    }
                    _ => self.gate.enter(outgoing).await,
                }
            }
            Some(Removed::Halt) => self.gate.enter(&Outgoing { writes: false, ..outgoing.clone() }).await,
            Some(Removed::ServerQuota) => {
                let pass = self.gate.enter(outgoing).await?;
                Ok(Pass { clock_offset_ms: *lock(&self.offset_ms), ..pass })
            }
            _ => self.gate.enter(outgoing).await,
        }
    }

    /// The process stands still with a pass in its hand: stopped, or asleep with the whole machine. Then the
    /// monotonic clock stands still too.
    async fn perhaps_freeze(&self) {
        let (span, asleep, alone) = {
            let mut world = self.world.look();
            let now = world.truth.now();
            world.account(self.account).let_out.insert(self.who, now);
            let chance = world.weather.freeze_at_gate;
            if world.rng.f64() >= chance {
                return;
            }
            world.tally.freezes += 1;
            world.absences += 1;
            if self.removed == Some(Removed::LastLook) {
                let shows = (world.mine.now(), world.shows(self.who));
                world.held.insert(self.who, shows);
            }
            let span = Duration::from_millis(world.rng.u64(6_000..1_200_000));
            (span, world.rng.bool(), world.weather.freeze_alone)
        };
        self.world.note(&format!("freeze at the gate {span:?} asleep {asleep}"));
        if !alone {
            return self.world.pass(span, asleep).await;
        }
        if asleep {
            let mut world = self.world.look();
            let shows = world.shows(self.who);
            world.asleep.insert(self.who, shows);
        }
        let mut awake = WakesUp { watch: self, held: true };
        self.world.truth().sleep(span).await;
        // What it shows goes on until the request is on the wire.
        awake.held = false;
    }

    /// What is let out is what the wire will send next for this agent.
    fn note_write(&self, outgoing: &Outgoing) {
        let mut world = self.world.look();
        let intents = outgoing.intents.iter().map(|intent| intent.0).collect();
        let intents = outgoing.writes.then_some(intents);
        let account = world.account(self.account);
        account.let_out_last.insert(self.who, intents);
        let is_refused = account.login_gone;
        if outgoing.writes && world.halted {
            world.broken("a write was let out while every write is halted".to_owned());
        }
        drop(world);
        if outgoing.writes {
            self.world.about_to(Moment::Write);
        }
        if is_refused {
            self.world.about_to(Moment::Refused);
        }
    }

    fn note_who_asks(&self, asked: Asked) {
        let mut world = self.world.look();
        let account = world.account(self.account);
        account.asked.insert(self.who, asked);
        if asked == Asked::Person {
            account.wants_rest = None;
            account.count_anew();
        }
        if asked == Asked::Canary && self.removed == Some(Removed::Spent) {
            world.write_probe_due(self.account);
        }
        drop(world);
        if asked == Asked::Canary {
            self.world.about_to(Moment::Canary);
        }
    }

    fn note_offset(&self, attempt: &Attempt) {
        if let Some(offset) = attempt.clock_offset_ms {
            *lock(&self.offset_ms) = offset;
        }
    }
}

/// Ends a machine's sleep, also where the run that was in the middle of it was cut off.
struct WakesUp<'a> {
    watch: &'a Watch,
    held: bool,
}

impl Drop for WakesUp<'_> {
    fn drop(&mut self) {
        let mut world = self.watch.world.look();
        let who = self.watch.who;
        if let Some(shows) = world.asleep.remove(&who) {
            let slept = world.mine.elapsed().saturating_sub(shows);
            world.slept.insert(who, slept);
        }
        if self.held {
            world.held.remove(&who);
        }
    }
}

#[async_trait]
impl Gate for Watch {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        self.world.touch();
        let entered = self.ask(outgoing).await;
        self.world.touch();
        match &entered {
            Ok(_) => {
                self.note_write(outgoing);
                self.note_who_asks(outgoing.asked);
                self.perhaps_freeze().await;
            }
            Err(refusal) => {
                self.world.note(&format!("agent {} refused {}: {refusal}", self.who, outgoing.at()))
            }
        }
        entered
    }

    async fn settle(&self, pass: Pass, attempt: &Attempt) -> Result<Settled, Refusal> {
        self.world.touch();
        let asked = pass.asked;
        let settled = match self.removed {
            Some(Removed::IntentFirst) => {
                self.note_offset(attempt);
                let outgoing = lock(&self.unwritten).pop_front();
                match outgoing {
                    Some(outgoing) => {
                        let pass = self.gate.enter(&outgoing).await?;
                        self.gate.settle(pass, attempt).await
                    }
                    None => self.gate.settle(pass, attempt).await,
                }
            }
            Some(Removed::ServerQuota) => {
                self.note_offset(attempt);
                let deaf = Attempt {
                    clock_offset_ms: None,
                    quota_count: None,
                    quota_limit: None,
                    ..attempt.clone()
                };
                self.gate.settle(pass, &deaf).await
            }
            _ => self.gate.settle(pass, attempt).await,
        };
        {
            let mut world = self.world.look();
            let (status, failed) = (attempt.status, attempt.error_type);
            world.note(&format!("settled {status:?} {failed:?} {}", settled.is_ok()));
            if settled.is_ok() {
                let refused = matches!(attempt.access, Some(AccessEvent::Refused(_)));
                if refused && self.removed == Some(Removed::SecondQuestion) {
                    world.write_access(self.account, "suspended", "unauthorized");
                }
                let in_vain = status.is_none() || failed == Some(ErrorType::ClockSkew);
                if in_vain {
                    world.account(self.account).came_back_empty();
                }
                world.note_standing(self.account, asked, status.filter(|_| refused));
            }
        }
        self.world.touch();
        settled
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
