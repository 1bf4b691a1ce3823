//! What an account may do: a state machine that is fed with the marketplace's answers.
//!
//! One refusal says little: a 401 can be one signature or the whole login, a 403 one resource, an edge that does not
//! like our address, or access that was taken away. So a first refusal only *suspends* the account until a second
//! question is answered, the canary: the cheapest read there is. Both answers together decide (cardmarket.md 6.2,
//! trademe.md 2.6), and what was refused at first is asked once more where the canary was answered: three requests at
//! most. What is decided outlives restarts. Fail closed: while it is not known what a refusal means, nothing leaves but
//! the canary.

mod canary;
mod resources;

use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

pub use canary::{MOST_PROBES_AT_AN_EDGE, MOST_UNDECIDED};
pub use resources::Closed;

/// Where an account stands, since when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The state.
    pub state: AccessState,
    /// When it came to be so.
    pub since: DateTime<Utc>,
    /// What the answers were taken for; `None` while nothing is refused.
    pub cause: Option<Cause>,
    /// The answers that led to it, in words; empty while active.
    pub reason: String,
    /// The answer that decided.
    pub evidence: Option<Evidence>,
    /// Canaries let out since it was suspended. While it is not known why, what left right before it and was never
    /// answered counts as one.
    pub probes: u32,
    /// Those of them that nobody was told anything of: what came back may have been a refusal.
    pub unread: u32,
    /// When the agent will ask again by itself; only while suspended, and `None` where only a person may.
    pub next_probe_at: Option<DateTime<Utc>>,
    /// The first day on which access can be asked for again (cardmarket.md 2.2), when it was revoked.
    pub reapply_on: Option<NaiveDate>,
    /// The resources that are refused while the rest works.
    pub closed: Vec<Closed>,
}

/// The states of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessState {
    /// Requests are answered.
    Active,
    /// Backing off; a probe will be sent.
    Suspended,
    /// The login is not accepted: a person must renew it.
    Unauthorized,
    /// Access was taken away: a person must get it back.
    Revoked,
    /// One resource is refused, the rest works.
    Restricted,
    /// Nothing has been asked yet.
    Unknown,
}

/// What a refusal was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nobody knows yet: the canary has not been answered.
    Undecided,
    /// The credentials are not accepted.
    Credential,
    /// Access was taken away, or the token replaced.
    Revoked,
    /// A block in front of the marketplace: 403 without a word.
    EdgeBlock,
    /// The API is not at this address any more.
    Moved,
    /// Some resources are refused.
    Resource,
}

macro_rules! named {
    ($name:ident, $what:literal, $($variant:ident = $word:literal,)*) => {
        impl $name {
            const ALL: &[(Self, &'static str)] = &[$((Self::$variant, $word),)*];

            /// The word used in the database, in JSON and for people.
            pub fn as_str(&self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|(_, name)| *name == text);
                found.map(|(known, _)| *known).ok_or_else(|| format!(concat!("`{}` is no ", $what), text))
            }
        }
    };
}

named! { AccessState, "access state",
    Active = "active",
    Suspended = "suspended",
    Unauthorized = "unauthorized",
    Revoked = "revoked",
    Restricted = "restricted",
    Unknown = "unknown",
}

named! { Cause, "cause of a refusal",
    Undecided = "undecided",
    Credential = "credential",
    Revoked = "revoked",
    EdgeBlock = "edge-block",
    Moved = "moved",
    Resource = "resource",
}

impl AccessState {
    /// Whether requests of this account may leave.
    pub fn lets_through(&self) -> bool {
        matches!(self, Self::Active | Self::Restricted | Self::Unknown)
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asked {
    /// A run does its work.
    #[default]
    Work,
    /// The same once more, after the canary was answered.
    Again,
    /// The canary: does the marketplace know us at all?
    Canary,
    /// A person wants to know, although the account may be blocked.
    Person,
}

/// What the machine is fed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessEvent {
    /// A signed request was answered.
    Answered {
        /// Method and template.
        at: String,
        /// Whether it was a success. Another answer proves that somebody is there, not that we are let in.
        success: bool,
    },
    /// A signed request was refused.
    Refused(Refused),
    /// A person put other credentials in place.
    NewCredentials,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Method and template.
    pub at: String,
    /// What it says.
    pub how: Refusing,
    /// What it looked like.
    pub evidence: Evidence,
}

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusing {
    /// 401: the signature or the login.
    Login,
    /// 403 with a body: understood and refused.
    Forbidden,
    /// 403 with nothing in it, or with a page for people.
    Edge,
    /// 410, or a redirect to another host, as far as it names one.
    Moved(Option<String>),
}

/// What an answer looked like, so that two of them can be compared years later without keeping what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The HTTP status.
    pub status: u16,
    /// A digest of the body.
    pub digest: String,
}

/// What must be known of the account besides.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Whether a marketplace that takes access away lets one ask for it again only at the end of the month after
    /// (cardmarket.md 2.2, rule 2).
    pub waits_to_reapply: bool,
    /// Spreads the probes of many agents: anything that is the account's own.
    pub seed: &'a str,
    /// Requests that left right before, one after the other, and whose answers nobody read, since the agent was killed.
    /// They may have been refused as well.
    pub never_answered: u32,
}

impl Access {
    /// An account nobody has asked anything yet.
    pub fn unknown(now: DateTime<Utc>) -> Self {
        Self {
            state: AccessState::Unknown,
            since: now,
            cause: None,
            reason: String::new(),
            evidence: None,
            probes: 0,
            unread: 0,
            next_probe_at: None,
            reapply_on: None,
            closed: Vec::new(),
        }
    }

    /// The state after `event` came to what was `asked`. `None` when nothing changes, so that nothing need be written.
    pub fn after(
        &self,
        event: &AccessEvent,
        asked: Asked,
        rules: Rules<'_>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let next = match event {
            AccessEvent::Answered { at, success } => self.answered(at, *success, asked, rules, now),
            AccessEvent::Refused(refused) => self.refused(refused, asked, rules, now),
            AccessEvent::NewCredentials if self.state == AccessState::Active => self.clone(),
            AccessEvent::NewCredentials => Self::unknown(now),
        };
        (next != *self).then_some(next)
    }

    /// Whether a closed resource was refused once more and its canary is about to leave: nothing is known yet that
    /// people have not been told.
    pub fn is_asked_again(&self) -> bool {
        self.cause == Some(Cause::Undecided) && self.probes == 0 && !self.closed.is_empty()
    }

    /// An answer lets an account in where it is a success: of a blocked one, the canary's, or one that a person asked
    /// for. A person's is also leave to ask again what is closed.
    fn answered(&self, at: &str, success: bool, asked: Asked, rules: Rules<'_>, now: DateTime<Utc>) -> Self {
        match asked {
            _ if success => {}
            Asked::Canary => return self.canary_was_not_answered(rules, now),
            Asked::Work | Asked::Again | Asked::Person => return self.clone(),
        }
        let mut next = self.clone();
        next.closed.retain(|closed| closed.at != at);
        next.closed.iter_mut().for_each(|closed| closed.vouched = true);
        if asked == Asked::Person {
            next.closed.iter_mut().for_each(|closed| closed.again_at = closed.again_at.min(now));
        }
        let state = if next.closed.is_empty() { AccessState::Active } else { AccessState::Restricted };
        if state == self.state {
            if next.closed.len() < self.closed.len() {
                next.reason = resources::words(&next.closed);
            }
            return next;
        }
        let closed = std::mem::take(&mut next.closed);
        let reason = resources::words(&closed);
        let cause = (state == AccessState::Restricted).then_some(Cause::Resource);
        Self { state, cause, reason, closed, ..Self::unknown(now) }
    }

    fn refused(&self, refused: &Refused, asked: Asked, rules: Rules<'_>, now: DateTime<Utc>) -> Self {
        match (asked, self.state.lets_through()) {
            // One resource, since the canary was answered a moment ago, or something else in its stead.
            (Asked::Again, true) => self.close(refused, rules, now),
            (Asked::Work, true) if self.knows(refused) => self.close(refused, rules, now),
            (Asked::Work | Asked::Person | Asked::Canary, true) => Self {
                state: AccessState::Suspended,
                since: now,
                cause: Some(Cause::Undecided),
                reason: refused.words(),
                evidence: Some(refused.evidence.clone()),
                probes: rules.never_answered,
                unread: rules.never_answered,
                next_probe_at: (rules.never_answered < MOST_UNDECIDED).then_some(now),
                reapply_on: None,
                closed: self.closed.clone(),
            },
            // A late answer to what left before.
            (Asked::Work | Asked::Again, false) => self.clone(),
            (Asked::Canary | Asked::Person, false) => self.decided(refused, rules, now),
        }
    }

    /// What the canary's refusal means, or that of a person's question to a blocked account.
    fn decided(&self, refused: &Refused, rules: Rules<'_>, now: DateTime<Utc>) -> Self {
        let (state, cause) = match refused.how {
            Refusing::Login => (AccessState::Unauthorized, Cause::Credential),
            Refusing::Forbidden => (AccessState::Revoked, Cause::Revoked),
            Refusing::Edge => (AccessState::Suspended, Cause::EdgeBlock),
            Refusing::Moved(_) => (AccessState::Suspended, Cause::Moved),
        };
        let same = self.state == state && self.cause == Some(cause);
        // The account was refused since the first refusal, not since we knew what it meant.
        let since = if same || self.cause == Some(Cause::Undecided) { self.since } else { now };
        let reason = match &self.reason {
            first if self.cause == Some(Cause::Undecided) => {
                format!("{first}, then {}", refused.words())
            }
            known if same => known.clone(),
            _ => refused.words(),
        };
        let probes = match self.cause {
            // Refused otherwise than before, it is asked no sooner for that.
            Some(Cause::EdgeBlock | Cause::Moved) => self.probes.max(1),
            _ if same => self.probes,
            _ => 1,
        };
        let mut next = Self {
            state,
            since,
            cause: Some(cause),
            reason,
            evidence: Some(refused.evidence.clone()),
            probes,
            unread: 0,
            next_probe_at: None,
            reapply_on: None,
            closed: self.closed.clone(),
        };
        next.next_probe_at = next.next_canary(rules, now);
        if state == AccessState::Revoked && rules.waits_to_reapply {
            let known = self.reapply_on.filter(|_| same);
            next.reapply_on = Some(known.unwrap_or_else(|| earliest_reapply(since.date_naive())));
        }
        next
    }
}

impl Refused {
    /// For example `403 on GET stock/{start}`.
    pub fn words(&self) -> String {
        let Self { at, how, evidence } = self;
        match how {
            Refusing::Moved(Some(host)) => format!("a redirect to {host} on {at}"),
            Refusing::Edge => format!("{} without a word on {at}", evidence.status),
            _ => format!("{} on {at}", evidence.status),
        }
    }
}

/// The last day of the month that follows the month of revocation (cardmarket.md 2.2, rule 2).
pub fn earliest_reapply(revoked_on: NaiveDate) -> NaiveDate {
    let first = revoked_on.with_day(1).unwrap_or(revoked_on);
    first.checked_add_months(Months::new(2)).and_then(|d| d.pred_opt()).unwrap_or(revoked_on)
}

#[cfg(test)]
mod tests;
