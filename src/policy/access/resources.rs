//! Resources that are refused while the rest of the account works: a kind of app that may not ask them, a scope that
//! is missing, a request that is signed wrong. They are left alone and asked again now and then.

use chrono::{DateTime, TimeDelta, Utc};

use super::canary::{grown, spread};
use super::{Access, AccessState, Cause, Evidence, Refused, Rules};

/// A resource that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Method and template.
    pub at: String,
    /// What the refusal looked like.
    pub evidence: Evidence,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How often it was refused.
    pub times: u32,
    /// When it may be asked again.
    pub again_at: DateTime<Utc>,
    /// Something else of the account was answered since: the same refusal once more says nothing about the account.
    pub vouched: bool,
}

/// The waits between two questions to a closed resource.
const FIRST: TimeDelta = TimeDelta::minutes(15);
const LONGEST: TimeDelta = TimeDelta::hours(24);

impl Access {
    /// The refusal that stands before a request to this resource, if there is one now.
    pub fn closed_at(&self, at: &str, now: DateTime<Utc>) -> Option<&Closed> {
        // What is further away than the longest wait was set by a clock that stood wrong.
        let stands = |closed: &&Closed| closed.again_at > now && closed.again_at - now <= LONGEST * 2;
        self.closed.iter().find(|closed| closed.at == at).filter(stands)
    }

    /// The state once a closed resource is asked again: kept before the request leaves, so that a kill costs no
    /// further question.
    pub fn asks_closed(&self, at: &str, rules: Rules<'_>, now: DateTime<Utc>) -> Option<Self> {
        let mut next = self.clone();
        let closed = next.closed.iter_mut().find(|closed| closed.at == at)?;
        closed.again_at = closed.next(rules, now);
        Some(next)
    }

    /// Whether this is known of a resource that is closed: refused in the same way, with an answer in between that
    /// stands for the canary's.
    pub(super) fn knows(&self, refused: &Refused) -> bool {
        let known = self.closed.iter().find(|closed| closed.at == refused.at);
        known.is_some_and(|closed| closed.vouched && closed.evidence == refused.evidence)
    }

    /// One more resource that is refused while the canary is answered.
    pub(super) fn close(&self, refused: &Refused, rules: Rules<'_>, now: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        // An answer vouches once, however many are closed: who is refused by one after another is soon asked why.
        next.closed.iter_mut().for_each(|closed| closed.vouched = false);
        match next.closed.iter_mut().find(|closed| closed.at == refused.at) {
            Some(closed) => {
                closed.evidence = refused.evidence.clone();
                closed.put_off(rules, now);
            }
            None => {
                let (at, evidence) = (refused.at.clone(), refused.evidence.clone());
                let mut closed = Closed { at, evidence, since: now, times: 0, again_at: now, vouched: false };
                closed.put_off(rules, now);
                next.closed.push(closed);
            }
        }
        if next.state != AccessState::Restricted {
            (next.state, next.since) = (AccessState::Restricted, now);
        }
        next.cause = Some(Cause::Resource);
        next.evidence = Some(refused.evidence.clone());
        next.reason = words(&next.closed);
        next
    }
}

impl Closed {
    fn put_off(&mut self, rules: Rules<'_>, now: DateTime<Utc>) {
        self.times = self.times.saturating_add(1);
        self.again_at = self.next(rules, now);
    }

    fn next(&self, rules: Rules<'_>, now: DateTime<Utc>) -> DateTime<Utc> {
        now + spread(grown(FIRST, self.times, LONGEST), rules, self.times)
    }
}

/// For example `403 on GET stock/{start} while the rest is answered`; empty where nothing is closed.
pub(super) fn words(closed: &[Closed]) -> String {
    let each: Vec<String> =
        closed.iter().map(|closed| format!("{} on {}", closed.evidence.status, closed.at)).collect();
    if each.is_empty() { String::new() } else { format!("{} while the rest is answered", each.join(" and ")) }
}
