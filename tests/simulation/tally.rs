//! What is counted, for the summary.

use std::collections::BTreeMap;

/// Counts of one seed, or of many.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Stories told.
    pub seeds: u64,
    /// Requests that the shop saw.
    pub requests: u64,
    /// Requests that the agent sent.
    pub sent: u64,
    /// Runs that were recorded.
    pub runs: u64,
    /// Times the agent died without a word.
    pub crashes: u64,
    /// Times it was stopped in order and started again.
    pub restarts: u64,
    /// Times its whole machine was started anew.
    pub boots: u64,
    /// Times at which a time server said that the clock is right, to an account that waited for that.
    pub time_asked: u64,
    /// Times it stood still while time went on.
    pub freezes: u64,
    /// Times its clock was set.
    pub jumps: u64,
    /// Times its disk was full or read-only.
    pub disk: u64,
    /// Logins taken away.
    pub revocations: u64,
    /// Second agents that were turned away.
    pub turned_away: u64,
    /// Second agents that took the account over, past the lock.
    pub rivals: u64,
    /// Orders placed while the agent was at work.
    pub purchases: u64,
    /// Steps of orders, forwards and back.
    pub moves: u64,
    /// Orders and movements compared at the end.
    pub orders: u64,
    /// Of the orders, those that turned round at their end unseen.
    pub turned: u64,
    /// Movements compared at the end.
    pub movements: u64,
    /// Stories in which the shops were made what a list said.
    pub synced: u64,
    /// Requests that change something.
    pub writes: u64,
    /// What they changed, one by one.
    pub changes: u64,
    /// Times that a person halted every write.
    pub halts: u64,
    /// Writes that nobody could explain, and that a person looked at.
    pub parked: u64,
    /// Things that at the end were for sale as the list says.
    pub as_listed: u64,
    /// From a crash to the first work done, in milliseconds of virtual time.
    pub slowest_recovery_ms: u64,
    /// Time that passed, in hours.
    pub hours: u64,
    /// What went wrong on purpose, by its name.
    pub faults: BTreeMap<String, u64>,
}

impl Tally {
    /// One more of this fault.
    pub fn fault(&mut self, name: &str) {
        *self.faults.entry(name.to_owned()).or_default() += 1;
    }

    /// Faults of all kinds.
    pub fn all_faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Takes another's counts in.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.seeds, other.seeds),
            (&mut self.requests, other.requests),
            (&mut self.sent, other.sent),
            (&mut self.runs, other.runs),
            (&mut self.crashes, other.crashes),
            (&mut self.restarts, other.restarts),
            (&mut self.boots, other.boots),
            (&mut self.time_asked, other.time_asked),
            (&mut self.freezes, other.freezes),
            (&mut self.jumps, other.jumps),
            (&mut self.disk, other.disk),
            (&mut self.revocations, other.revocations),
            (&mut self.turned_away, other.turned_away),
            (&mut self.rivals, other.rivals),
            (&mut self.purchases, other.purchases),
            (&mut self.moves, other.moves),
            (&mut self.orders, other.orders),
            (&mut self.movements, other.movements),
            (&mut self.turned, other.turned),
            (&mut self.hours, other.hours),
            (&mut self.synced, other.synced),
            (&mut self.writes, other.writes),
            (&mut self.changes, other.changes),
            (&mut self.halts, other.halts),
            (&mut self.parked, other.parked),
            (&mut self.as_listed, other.as_listed),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
        self.slowest_recovery_ms = self.slowest_recovery_ms.max(other.slowest_recovery_ms);
        for (name, count) in &other.faults {
            *self.faults.entry(name.clone()).or_default() += count;
        }
    }
}
