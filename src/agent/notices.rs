//! What people are told of an account and its marketplace: the problems that stay until they are over, and one line in
//! the log for each change.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Account;
use crate::domain::{AccountName, ErrorType, spelled};
use crate::http::Attempt;
use crate::policy::access::{Access, AccessState, Cause, Rules};
use crate::policy::expiry::Nearness;
use crate::policy::trouble::{Silence, Trouble};
use crate::store::problems::{self, Problem, Severity};
use crate::store::{StoreError, Tx, accounts};

/// The problem of a login that is not accepted.
pub const LOGIN_REFUSED: &str = "E410";
/// The problem of a login that is about to end.
pub const LOGIN_ENDS: &str = "E411";
/// The problem of a clock that is wrong.
pub const CLOCK_WRONG: &str = "E430";
/// The problem of access that is refused.
pub const ACCESS_REFUSED: &str = "E450";
/// The problem of an account that is left alone for a while: a block in front of the marketplace, another address, or
/// a refusal that nobody understands yet.
pub const SUSPENDED: &str = "E451";
/// The problem of a resource that is refused while the rest works.
pub const RESOURCE_REFUSED: &str = "E452";
/// The problem of a marketplace that does not answer.
pub const NO_ANSWER: &str = "E453";

/// All that are about an account's access.
pub const OF_ACCESS: [&str; 4] = [LOGIN_REFUSED, ACCESS_REFUSED, SUSPENDED, RESOURCE_REFUSED];

/// The notices about one account. Clones know of the same ones.
#[derive(Debug, Clone)]
pub struct Notices {
    /// What people call its marketplace.
    marketplace: &'static str,
    waits_to_reapply: bool,
    /// How its login is renewed: `sellerd auth <this> ACCOUNT`.
    renewed_by: &'static str,
    silence: Arc<Mutex<Told>>,
}

/// How long nothing was answered, and whether a problem may be open for it. At a start nobody knows.
#[derive(Debug, Clone, Copy)]
struct Told {
    silence: Silence,
    told: bool,
}

/// A clock that is this far off is a problem; one that is not half as far off is none any more.
const WRONG: TimeDelta = TimeDelta::seconds(60);

impl Notices {
    /// Those of this account.
    pub fn about(account: &Account) -> Self {
        let descriptor = account.marketplace;
        let can_log_in = (descriptor.login.import_only)(&account.options).is_none();
        let silence = Arc::new(Mutex::new(Told { silence: Silence::default(), told: true }));
        Self {
            marketplace: descriptor.title,
            waits_to_reapply: descriptor.waits_to_reapply,
            renewed_by: if can_log_in { "login" } else { "import" },
            silence,
        }
    }

    /// What must be known of the account to say where it stands.
    pub fn rules<'a>(&self, account: &'a AccountName) -> Rules<'a> {
        Rules { waits_to_reapply: self.waits_to_reapply, seed: account.as_str(), never_answered: 0 }
    }

    /// A read of the account was given up by its own run, which took too long. Of a canary that is no answer, and no kill
    /// either: it leaves again.
    pub fn note_cut_off(
        &self,
        tx: &Tx<'_>,
        account: &AccountName,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let asked = accounts::access(tx, account, now)?;
        let access = asked.canary_was_not_answered(self.rules(account), now);
        if access == asked {
            return Ok(());
        }
        accounts::set_access(tx, account, &access)?;
        self.note_access(tx, account, &access, now)
    }

    /// A blocked account is a problem that people see until it works again.
    pub fn note_access(
        &self,
        tx: &Tx<'_>,
        account: &AccountName,
        access: &Access,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if access.is_asked_again() {
            return Ok(());
        }
        let problem = self.problem(account, access);
        for code in OF_ACCESS {
            if problem.as_ref().is_none_or(|problem| problem.code != code) {
                problems::close(tx, code, account.as_str(), now)?;
            }
        }
        problem.map_or(Ok(()), |problem| problems::open(tx, &problem))
    }

    /// A clock that is wrong is a problem, though work goes on by the marketplace's; and so are two of which nobody can
    /// say how they stand to each other, until an answer that is no refusal shows them close together.
    pub fn note_clock(
        &self,
        tx: &Tx<'_>,
        account: &AccountName,
        offset_ms: i64,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let far = |ms: i64| TimeDelta::milliseconds(ms).abs();
        if far(offset_ms) >= WRONG {
            let behind = if offset_ms > 0 { "behind" } else { "ahead of" };
            let seconds = std::time::Duration::from_secs(far(offset_ms).num_seconds().unsigned_abs());
            let off = spelled(seconds);
            let title = format!(
                "this machine's clock is {off} {behind} {}'s; {account} is worked by theirs",
                self.marketplace
            );
            let fix = "timedatectl set-ntp true".to_owned();
            problems::open(tx, &problem(CLOCK_WRONG, account, Severity::Warning, title, now, fix))?;
        } else if attempt.clocks_disagree {
            let title = format!(
                "this machine's clock or {}'s does not run evenly: {account} was refused by its time, and again by \
                 the date of that answer",
                self.marketplace
            );
            let fix = "timedatectl set-ntp true".to_owned();
            problems::open(tx, &problem(CLOCK_WRONG, account, Severity::Warning, title, now, fix))?;
        } else if far(offset_ms) < WRONG / 2 && attempt.error_type != Some(ErrorType::ClockSkew) {
            problems::close(tx, CLOCK_WRONG, account.as_str(), now)?;
        }
        Ok(())
    }

    /// A marketplace that has not answered for a while is a problem until it does.
    pub fn note_silence(
        &self,
        tx: &Tx<'_>,
        account: &AccountName,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut told = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        match attempt.trouble {
            None if attempt.status.is_none() => {}
            None => {
                told.silence.answered();
                if std::mem::take(&mut told.told) {
                    problems::close(tx, NO_ANSWER, account.as_str(), now)?;
                }
            }
            Some(trouble) => {
                told.silence.failed(now);
                if let Some(since) = told.silence.worth_telling(now) {
                    told.told = true;
                    problems::open(tx, &self.unanswered(account, trouble, since))?;
                }
            }
        }
        Ok(())
    }

    fn unanswered(&self, account: &AccountName, trouble: Trouble, since: DateTime<Utc>) -> Problem {
        let title = format!("{} {} for {account}", self.marketplace, trouble.words());
        let fix = match trouble {
            Trouble::Maintenance => "nothing: the jobs go on by themselves when it is over".to_owned(),
            Trouble::Outage => format!(
                "look whether this machine is online; the jobs go on by themselves: sellerd auth test {account}"
            ),
        };
        problem(NO_ANSWER, account, Severity::Warning, title, since, fix)
    }

    /// What a person can do for an account that is not served, in the words of its problem; `None` where it has none.
    pub fn way_out(&self, account: &AccountName, access: &Access) -> Option<String> {
        self.problem(account, access).map(|problem| problem.fix)
    }

    /// What is left where new credentials do not help: asking for access again, from the day on which that is possible.
    pub fn ask_again(&self, account: &AccountName, access: &Access) -> String {
        let ask = access.reapply_on.map_or(String::new(), |day| {
            format!(" ask {} for it again on {day} or later, and then:", self.marketplace)
        });
        format!("if access is gone,{ask} sellerd auth test {account}")
    }

    /// What people are told of an account that is not served, with the way out.
    fn problem(&self, account: &AccountName, access: &Access) -> Option<Problem> {
        let (market, reason) = (self.marketplace, &access.reason);
        let (test, renew) =
            (format!("sellerd auth test {account}"), format!("sellerd auth {} {account}", self.renewed_by));
        let (code, title, fix) = match (access.state, access.cause) {
            (AccessState::Unauthorized, _) => {
                (LOGIN_REFUSED, format!("{market} does not accept the login of {account} ({reason})"), renew)
            }
            (AccessState::Revoked, _) => {
                let again = self.ask_again(account, access);
                let fix = format!("the tokens may have been replaced, so first: {renew} ; {again}");
                (ACCESS_REFUSED, format!("{market} refuses {account} everything ({reason})"), fix)
            }
            (AccessState::Suspended, Some(Cause::EdgeBlock)) => (
                SUSPENDED,
                format!("something in front of {market} blocks {account} ({reason})"),
                format!("look whether this machine's address is blocked there, then: {test}"),
            ),
            (AccessState::Suspended, Some(Cause::Moved)) => (
                SUSPENDED,
                format!("{market} is not at its address any more ({reason})"),
                format!("set `base_url` of {account} in sellerd.toml, then: {test}"),
            ),
            (AccessState::Suspended, _) if access.evidence.is_none() => {
                let why = match access.next_probe_at {
                    Some(_) => "it is asked that before anything else",
                    None => "the agent asks no more by itself",
                };
                let title =
                    format!("nobody knows whether {market} still lets {account} in ({reason}), and {why}");
                (SUSPENDED, title, format!("look what kills sellerd, then: {test}"))
            }
            (AccessState::Suspended, _) => {
                let why = match access.next_probe_at {
                    Some(_) => "it could not be asked yet what that means",
                    None => "the agent was killed before it read what that means; it asks no more by itself",
                };
                (SUSPENDED, format!("{market} refused {account} ({reason}), and {why}"), test)
            }
            (AccessState::Restricted, _) => (
                RESOURCE_REFUSED,
                format!("{market} refuses a part of what is asked for {account} ({reason})"),
                format!(
                    "look what this kind of app and login may do there; to have the next run ask it again: {test}"
                ),
            ),
            (AccessState::Active | AccessState::Unknown, _) => return None,
        };
        let severity = match access.state {
            AccessState::Unauthorized | AccessState::Revoked => Severity::Critical,
            _ => Severity::Warning,
        };
        Some(problem(code, account, severity, title, access.since, fix))
    }

    /// One line for each change.
    pub fn announce(&self, account: &AccountName, from: &Access, to: &Access) {
        let account = account.as_str();
        let status = to.evidence.as_ref().map_or(0, |evidence| evidence.status);
        let digest = to.evidence.as_ref().map_or("", |evidence| evidence.digest.as_str());
        if (from.state, from.cause) == (to.state, to.cause) && from.closed.len() == to.closed.len() {
            return;
        }
        match (to.state, to.cause) {
            (AccessState::Unauthorized, _) => tracing::error!(
                event = "auth.revoked",
                account,
                http.response.status_code = status,
                body = digest,
                confirmed = true,
                "{} does not accept the login ({}); nothing more is sent for this account",
                self.marketplace,
                to.reason,
            ),
            (AccessState::Revoked, _) => tracing::error!(
                event = "auth.forbidden",
                account,
                http.response.status_code = status,
                body = digest,
                "{} refuses everything ({}); nothing more is sent for this account",
                self.marketplace,
                to.reason,
            ),
            (AccessState::Suspended, Some(Cause::Undecided)) if to.evidence.is_none() => tracing::warn!(
                event = "auth.unread",
                account,
                "sellerd was killed over {}; {} is asked the cheapest question before anything else",
                to.reason,
                self.marketplace,
            ),
            (AccessState::Suspended, Some(Cause::Undecided)) => tracing::debug!(
                account,
                "{} refused a request ({}); asking what that means",
                self.marketplace,
                to.reason,
            ),
            (AccessState::Suspended, _) => tracing::error!(
                event = "auth.suspended",
                account,
                http.response.status_code = status,
                body = digest,
                next_probe_at = to.next_probe_at.map(tracing::field::display),
                "{} does not serve this account ({}); it is left alone for a while",
                self.marketplace,
                to.reason,
            ),
            (AccessState::Restricted, _) => tracing::warn!(
                event = "auth.restricted",
                account,
                http.response.status_code = status,
                body = digest,
                "{} refuses a part of it ({}); the rest goes on",
                self.marketplace,
                to.reason,
            ),
            (AccessState::Active, _)
                if !from.state.lets_through() && from.cause != Some(Cause::Undecided) =>
            {
                tracing::info!(
                    event = "auth.restored",
                    account,
                    down_s = (to.since - from.since).num_seconds(),
                    "the account is active again",
                );
            }
            _ => {}
        }
    }
}

/// What people are told of a login that is about to end.
pub fn login_ends(account: &Account, near: Nearness, ends: DateTime<Utc>, now: DateTime<Utc>) -> Problem {
    let (name, market) = (&account.name, account.marketplace.title);
    let day = ends.format("%Y-%m-%d %H:%M UTC");
    let (severity, title) = match near {
        Nearness::Over => (Severity::Critical, format!("the login of {name} at {market} ended on {day}")),
        Nearness::Day => {
            (Severity::Critical, format!("the login of {name} at {market} ends within a day, on {day}"))
        }
        Nearness::Week => {
            (Severity::Warning, format!("the login of {name} at {market} ends within a week, on {day}"))
        }
        Nearness::Month => {
            (Severity::Warning, format!("the login of {name} at {market} ends within a month, on {day}"))
        }
    };
    let fix = format!("sellerd auth {} {name}", Notices::about(account).renewed_by);
    problem(LOGIN_ENDS, name, severity, title, now, fix)
}

fn problem(
    code: &str,
    account: &AccountName,
    severity: Severity,
    title: String,
    since: DateTime<Utc>,
    fix: String,
) -> Problem {
    Problem { code: code.to_owned(), subject: account.to_string(), severity, title, since, fix }
}
