//! When a suspended account is asked again, and that its canary is counted before it leaves.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Access, AccessState, Cause, Rules};

/// An edge that blocks us is asked a few times; then a person has to look (cardmarket.md 6.2).
pub const MOST_PROBES_AT_AN_EDGE: u32 = 6;

/// What may be asked beside the request that was refused, while nobody knows what that means. A kill that keeps the
/// answer from us looks like any other, so who is killed over and over must not ask over and over.
pub const MOST_UNDECIDED: u32 = 2;

impl Access {
    /// Whether the canary may leave now.
    pub fn canary_may_leave(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            AccessState::Suspended => self.next_probe_at.is_some_and(|at| at <= now || self.is_far(at, now)),
            AccessState::Revoked | AccessState::Unauthorized => false,
            AccessState::Active | AccessState::Restricted | AccessState::Unknown => true,
        }
    }

    /// A probe further away than the longest wait was set by a clock that stood wrong.
    fn is_far(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        at - now > longest() * 2
    }

    /// The state once one more canary has left: kept before it does, so that a kill costs no further question.
    pub fn canary_leaves(&self, rules: Rules<'_>, now: DateTime<Utc>) -> Self {
        if self.state != AccessState::Suspended {
            return self.clone();
        }
        let (probes, unread) = (self.probes.saturating_add(1), self.unread.saturating_add(1));
        let mut next = Self { probes, unread, ..self.clone() };
        next.next_probe_at = if next.is_spent() { None } else { next.next_canary(rules, now) };
        next
    }

    /// Whether nobody knows what the refusal means and so much was asked that only a person may ask: unless the last
    /// canary is settled without an answer, for then we live and the way there is broken.
    pub fn is_spent(&self) -> bool {
        self.cause == Some(Cause::Undecided) && self.unread >= MOST_UNDECIDED
    }

    /// The state after a kill, where so many requests left one after the other and nobody read an answer to any. What they
    /// were answered may have been a refusal, so they are counted as if it had been: the canary is asked before any
    /// work goes on, and who is killed over that as well waits for a person. `None` where one kill says nothing.
    pub fn after_kill(&self, never_answered: u32, now: DateTime<Utc>) -> Option<Self> {
        if !self.state.lets_through() || never_answered < MOST_UNDECIDED {
            return None;
        }
        Some(Self {
            state: AccessState::Suspended,
            since: now,
            cause: Some(Cause::Undecided),
            reason: format!("{never_answered} requests in a row, and no answer was read"),
            evidence: None,
            probes: MOST_UNDECIDED - 1,
            unread: MOST_UNDECIDED - 1,
            next_probe_at: Some(now),
            reapply_on: None,
            closed: self.closed.clone(),
        })
    }

    /// The state once a canary was settled, be it without an answer or with one that says nothing: it leaves again later.
    pub fn canary_was_not_answered(&self, rules: Rules<'_>, now: DateTime<Utc>) -> Self {
        if self.state != AccessState::Suspended || self.cause != Some(Cause::Undecided) {
            return self.clone();
        }
        // It is known what came of it, so a kill costs as much as before.
        let unread = self.unread.saturating_sub(1);
        let next_probe_at = self.next_probe_at.or_else(|| self.next_canary(rules, now));
        Self { unread, next_probe_at, ..self.clone() }
    }

    /// The state once a canary was refused for its time alone: that says nothing, so it leaves once more, by the right
    /// clock.
    pub fn canary_is_asked_anew(&self, now: DateTime<Utc>) -> Self {
        match self.cause {
            Some(Cause::Undecided | Cause::EdgeBlock | Cause::Moved)
                if self.state == AccessState::Suspended =>
            {
                let (probes, unread) = (self.probes.saturating_sub(1), self.unread.saturating_sub(1));
                Self { probes, unread, next_probe_at: Some(now), ..self.clone() }
            }
            _ => self.clone(),
        }
    }

    /// When the next canary leaves by itself, so many having left already; `None` where only a person may ask.
    pub(super) fn next_canary(&self, rules: Rules<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let probes = self.probes.max(1);
        let wait = match self.cause? {
            // Nothing was refused, and we live: it is only to be made sure of.
            Cause::Undecided if self.evidence.is_none() => {
                grown(TimeDelta::seconds(5), probes.saturating_sub(1), TimeDelta::minutes(30))
            }
            // The second question got no answer at all: the way there is broken, and that passes.
            Cause::Undecided => grown(TimeDelta::minutes(1), probes, TimeDelta::minutes(30)),
            Cause::EdgeBlock if probes >= MOST_PROBES_AT_AN_EDGE => return None,
            Cause::EdgeBlock | Cause::Moved => grown(TimeDelta::hours(1), probes, longest()),
            Cause::Credential | Cause::Revoked | Cause::Resource => return None,
        };
        Some(now + spread(wait, rules, probes))
    }
}

/// The longest wait between two canaries.
fn longest() -> TimeDelta {
    TimeDelta::hours(24)
}

/// Twice as long each time.
pub(super) fn grown(first: TimeDelta, times: u32, most: TimeDelta) -> TimeDelta {
    let doubled = first.checked_mul(1 << times.saturating_sub(1).min(16));
    doubled.unwrap_or(most).min(most)
}

/// Up to a fifth longer, so that the agents that were refused together do not ask together. The same each time it is
/// asked for, so that nothing here is drawn.
pub(super) fn spread(wait: TimeDelta, rules: Rules<'_>, times: u32) -> TimeDelta {
    let mixed =
        rules.seed.bytes().chain(times.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let part = i32::try_from((mixed >> 32) % 200).unwrap_or_default();
    wait + wait * part / 1000
}
