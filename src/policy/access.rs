//! What an account may do: a small state machine that is fed with the marketplace's answers.
//!
//! Fail closed: a 401 or 403 blocks the account for every later run, across restarts, until a person renews
//! the login or gets access back. Telling a withdrawn login from a restricted resource by a second request is
//! not done yet, so the states say what the answer said and no more.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

/// Where an account stands, since when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The state.
    pub state: AccessState,
    /// When it came to be so.
    pub since: DateTime<Utc>,
    /// The answer or the deed that led to it, in words; empty while active.
    pub reason: String,
    /// When the agent will ask again by itself; only while suspended.
    pub next_probe_at: Option<DateTime<Utc>>,
    /// The first day on which access can be asked for again (cardmarket.md 2.2), when it was revoked.
    pub reapply_on: Option<NaiveDate>,
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

impl AccessState {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Active, "active"),
        (Self::Suspended, "suspended"),
        (Self::Unauthorized, "unauthorized"),
        (Self::Revoked, "revoked"),
        (Self::Restricted, "restricted"),
        (Self::Unknown, "unknown"),
    ];

    /// The word of the contract.
    pub fn as_str(&self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| state == self).map_or("unknown", |(_, name)| name)
    }

    /// Whether requests of this account may leave.
    pub fn lets_through(&self) -> bool {
        matches!(self, Self::Active | Self::Restricted | Self::Unknown)
    }
}

impl FromStr for AccessState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(state, _)| *state).ok_or_else(|| format!("`{text}` is no access state"))
    }
}

/// What the machine is fed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessEvent {
    /// A signed request was answered, with whatever but 401 and 403.
    Answered,
    /// 401: the signature or the login was refused, on the endpoint named.
    Unauthorized(String),
    /// 403: understood and refused, on the endpoint named.
    Forbidden(String),
    /// A person put other credentials in place.
    NewCredentials,
}

impl Access {
    /// An account nobody has asked anything yet.
    pub fn unknown(now: DateTime<Utc>) -> Self {
        Self {
            state: AccessState::Unknown,
            since: now,
            reason: String::new(),
            next_probe_at: None,
            reapply_on: None,
        }
    }

    /// The state after `event`. `None` when nothing changes, so that nothing need be written.
    pub fn after(&self, event: &AccessEvent, now: DateTime<Utc>) -> Option<Self> {
        let to = |state, reason: String, reapply_on| {
            Some(Self { state, since: now, reason, next_probe_at: None, reapply_on })
        };
        match event {
            AccessEvent::Answered if self.state == AccessState::Active => None,
            AccessEvent::Answered => to(AccessState::Active, String::new(), None),
            AccessEvent::Unauthorized(_) if self.state == AccessState::Unauthorized => None,
            AccessEvent::Unauthorized(at) => to(AccessState::Unauthorized, format!("401 on {at}"), None),
            AccessEvent::Forbidden(_) if self.state == AccessState::Revoked => None,
            AccessEvent::Forbidden(at) => {
                to(AccessState::Revoked, format!("403 on {at}"), Some(earliest_reapply(now.date_naive())))
            }
            AccessEvent::NewCredentials if self.state.lets_through() => None,
            AccessEvent::NewCredentials => to(AccessState::Unknown, "new credentials".to_owned(), None),
        }
    }
}

/// The last day of the month that follows the month of revocation (cardmarket.md 2.2, rule 2).
pub fn earliest_reapply(revoked_on: NaiveDate) -> NaiveDate {
    let first = revoked_on.with_day(1).unwrap_or(revoked_on);
    first.checked_add_months(Months::new(2)).and_then(|d| d.pred_opt()).unwrap_or(revoked_on)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 22, 14, 31, 7).unwrap()
    }

    #[test]
    fn the_day_to_ask_again_is_the_end_of_the_following_month() {
        let check = |on: &str, day: &str| {
            assert_eq!(earliest_reapply(on.parse().unwrap()).to_string(), day);
        };
        check("2019-02-11", "2019-03-31");
        check("2024-12-31", "2025-01-31");
        check("2024-01-30", "2024-02-29");
    }

    #[test]
    fn a_refusal_blocks_until_a_person_brings_other_credentials() {
        let start = Access::unknown(now());
        let refused = start.after(&AccessEvent::Unauthorized("GET /account".into()), now()).unwrap();
        assert_eq!(refused.state, AccessState::Unauthorized);
        assert!(!refused.state.lets_through());
        assert_eq!(refused.after(&AccessEvent::Unauthorized("GET /stock".into()), now()), None);
        let renewed = refused.after(&AccessEvent::NewCredentials, now()).unwrap();
        assert!(renewed.state.lets_through());
    }

    #[test]
    fn a_403_names_the_day_to_ask_again() {
        let revoked =
            Access::unknown(now()).after(&AccessEvent::Forbidden("GET /account".into()), now()).unwrap();
        assert_eq!(revoked.state, AccessState::Revoked);
        assert_eq!(revoked.reapply_on.unwrap().to_string(), "2026-12-31");
    }

    #[test]
    fn every_state_has_its_word() {
        for (state, name) in AccessState::ALL {
            assert_eq!(state.as_str(), name);
            assert_eq!(name.parse::<AccessState>(), Ok(state));
        }
    }
}
