//! Whether an account that nobody talks to should be asked how it is.
//!
//! A withdrawn login is noticed by who uses it. So an account that was not heard of for a quarter of an hour is asked
//! once, within a small share of its requests; one whose probes are switched off still once in a while, since a token
//! that is not used dies (trademe.md 2.6); and a suspended one when its canary is due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::access::{Access, AccessState};

/// What is known of an account.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// Where it stands.
    pub access: &'a Access,
    /// When its marketplace last answered.
    pub heard_at: Option<DateTime<Utc>>,
    /// When it was last asked for its silence, whether it answered or not.
    pub asked_at: Option<DateTime<Utc>>,
    /// Since when somebody watches: before that, silence says nothing.
    pub watched_since: DateTime<Utc>,
    /// After how long a silence it is asked; `None` for never.
    pub probe_after: Option<Duration>,
    /// Requests a day that it may make; `None` for no limit.
    pub daily: Option<i64>,
}

/// Why it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is suspended and its canary is due.
    Suspended,
    /// Nobody has talked to it for a while.
    Silent,
    /// Its token was not used for so long that it may die of it.
    Unused,
}

/// A token is used at least this often (trademe.md 2.6: it is removed after six months; monthly is advised).
const KEPT_ALIVE: TimeDelta = TimeDelta::days(20);

/// A token that has to be used, and whose question was not answered, is used again after so long.
const A_DAY: TimeDelta = TimeDelta::days(1);

/// Probes take at most one request in so many.
const SHARE: i64 = 20;

/// Why it is to be asked now, or when to look again; `None` where only a person may ask.
pub fn due(watched: Watched<'_>, now: DateTime<Utc>) -> Result<Why, Option<DateTime<Utc>>> {
    let access = watched.access;
    match access.state {
        AccessState::Revoked | AccessState::Unauthorized => Err(None),
        AccessState::Suspended if access.canary_may_leave(now) => Ok(Why::Suspended),
        AccessState::Suspended => Err(access.next_probe_at),
        AccessState::Active | AccessState::Restricted | AccessState::Unknown => {
            let (silence, why) = match watched.probe_after {
                Some(span) => (longest_silence(span, watched.daily), Why::Silent),
                None => (KEPT_ALIVE, Why::Unused),
            };
            // A time in the future was noted by a clock that stood wrong.
            let heard = watched.heard_at.filter(|heard| *heard <= now);
            let from = match why {
                // A start comes with jobs of its own; nobody has been silent yet.
                Why::Silent => heard.map_or(watched.watched_since, |heard| heard.max(watched.watched_since)),
                _ => heard.unwrap_or(watched.watched_since),
            };
            // Who does not answer is not asked more often than who does: each question is taken from the allowance.
            let again =
                watched.asked_at.filter(|asked| *asked <= now).map(|asked| asked + silence.min(A_DAY));
            let at = again.unwrap_or(from).max(from.min(now) + silence);
            if at <= now { Ok(why) } else { Err(Some(at)) }
        }
    }
}

/// Whether a run that was refused its access is made up for now. `was_blocked` says that the account was seen blocked
/// since; otherwise the account must have been let in after the run began, which also holds where another process saw
/// it. A resource that is refused lets nobody in, so there only what was seen counts.
pub fn is_made_up(
    access: &Access,
    was_blocked: bool,
    refused_at: DateTime<Utc>,
    watched_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    // At a start, slots that were missed come first; they may be this very job's.
    let has_settled = refused_at >= watched_since || now - watched_since >= STARTS_WITHIN;
    match access.state {
        AccessState::Active | AccessState::Unknown => was_blocked || refused_at < access.since && has_settled,
        AccessState::Restricted => was_blocked,
        AccessState::Suspended | AccessState::Unauthorized | AccessState::Revoked => false,
    }
}

/// Slots that were missed have begun to run so long after a start.
const STARTS_WITHIN: TimeDelta = TimeDelta::seconds(60);

/// So long may nobody talk to it: what is configured, or longer where the allowance is small.
fn longest_silence(configured: Duration, daily: Option<i64>) -> TimeDelta {
    let configured = TimeDelta::from_std(configured).unwrap_or(KEPT_ALIVE);
    let probes = daily.map(|daily| (daily / SHARE).clamp(1, 86_400) as i32);
    probes.map_or(configured, |probes| configured.max(TimeDelta::days(1) / probes)).min(KEPT_ALIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::access::Access;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-11-22T14:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    const QUARTER: Option<Duration> = Some(Duration::from_secs(900));

    fn watched(access: &Access) -> Watched<'_> {
        let (watched_since, heard_at) = (at(0), Some(at(10)));
        Watched { access, heard_at, asked_at: None, watched_since, probe_after: QUARTER, daily: Some(5_000) }
    }

    fn active() -> Access {
        Access { state: AccessState::Active, ..Access::unknown(at(0)) }
    }

    #[test]
    fn who_was_not_heard_of_for_a_quarter_of_an_hour_is_asked() {
        let access = active();
        assert_eq!(due(watched(&access), at(24)), Err(Some(at(25))));
        assert_eq!(due(watched(&access), at(25)), Ok(Why::Silent));
        let never = Watched { heard_at: None, ..watched(&access) };
        assert_eq!(due(never, at(14)), Err(Some(at(15))), "a start is no silence");
        assert_eq!(due(never, at(15)), Ok(Why::Silent));
        let long_ago = Watched { heard_at: Some(at(-9_000)), ..watched(&access) };
        assert_eq!(due(long_ago, at(14)), Err(Some(at(15))));
        let from_the_future = Watched { heard_at: Some(at(9_000)), ..watched(&access) };
        assert_eq!(due(from_the_future, at(15)), Ok(Why::Silent));
    }

    #[test]
    fn an_account_that_does_not_answer_is_asked_no_more_often() {
        let access = active();
        let asked = Watched { asked_at: Some(at(26)), ..watched(&access) };
        assert_eq!(due(asked, at(27)), Err(Some(at(41))));
        assert_eq!(due(asked, at(41)), Ok(Why::Silent));
        let answered = Watched { heard_at: Some(at(30)), ..asked };
        assert_eq!(due(answered, at(41)), Err(Some(at(45))));
        let unused = Watched { probe_after: None, asked_at: Some(at(30 * 24 * 60)), ..asked };
        assert_eq!(due(unused, at(30 * 24 * 60 + 1)), Err(Some(at(31 * 24 * 60))));
        let set_back = Watched { asked_at: Some(at(9_000)), ..asked };
        assert_eq!(due(set_back, at(27)), Ok(Why::Silent));
    }

    #[test]
    fn a_small_allowance_is_asked_for_less_often() {
        let access = active();
        let day = |daily: i64| {
            let mut heard = at(0);
            let mut asked = 0;
            for minute in 1..=24 * 60 {
                let watched = Watched { heard_at: Some(heard), daily: Some(daily), ..watched(&access) };
                if due(watched, at(minute)).is_ok() {
                    (heard, asked) = (at(minute), asked + 1);
                }
            }
            asked
        };
        assert_eq!([day(1_000_000), day(5_000), day(200), day(20), day(1)], [96, 96, 10, 1, 1]);
    }

    #[test]
    fn a_token_is_used_once_in_twenty_days_though_probes_are_off() {
        let access = active();
        let off = Watched { probe_after: None, ..watched(&access) };
        let days = |days: i64| at(10 + days * 24 * 60);
        assert_eq!(due(off, days(19)), Err(Some(days(20))));
        assert_eq!(due(off, days(20)), Ok(Why::Unused));
        let while_nobody_was_there = Watched { watched_since: days(25), ..off };
        assert_eq!(due(while_nobody_was_there, days(25)), Ok(Why::Unused));
    }

    #[test]
    fn a_refused_run_is_made_up_for_once_the_account_is_let_in_whoever_saw_it_blocked() {
        let let_in = Access { since: at(10), ..active() };
        let made_up = |access: &Access, was_blocked, refused_at, now| {
            is_made_up(access, was_blocked, refused_at, at(0), now)
        };
        assert!(made_up(&let_in, false, at(3), at(10)), "it was blocked and let in between two looks");
        assert!(!made_up(&let_in, false, at(11), at(12)), "it was let in before");
        assert!(made_up(&let_in, true, at(11), at(12)), "a clock was set back meanwhile");
        assert!(!made_up(&let_in, false, at(-60), at(0)), "what was missed starts first");
        assert!(made_up(&let_in, false, at(-60), at(1)), "another process was refused, and a person acted");
        let restricted = Access { state: AccessState::Restricted, ..let_in.clone() };
        assert!(!made_up(&restricted, false, at(3), at(10)), "the run that found it closed");
        assert!(made_up(&restricted, true, at(3), at(10)));
        for state in [AccessState::Suspended, AccessState::Unauthorized, AccessState::Revoked] {
            assert!(!made_up(&Access { state, ..let_in.clone() }, true, at(3), at(10)));
        }
    }

    #[test]
    fn a_blocked_account_is_asked_when_its_canary_is_due_and_a_revoked_one_never() {
        let suspended =
            Access { state: AccessState::Suspended, next_probe_at: Some(at(60)), ..Access::unknown(at(0)) };
        assert_eq!(due(watched(&suspended), at(59)), Err(Some(at(60))));
        assert_eq!(due(watched(&suspended), at(60)), Ok(Why::Suspended));
        for state in [AccessState::Revoked, AccessState::Unauthorized] {
            let blocked = Access { state, ..suspended.clone() };
            assert_eq!(due(watched(&blocked), at(60 * 24 * 365)), Err(None));
        }
    }
}
