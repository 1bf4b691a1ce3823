//! The gate over the store: the one transaction that every request must pass, and the one that settles it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::Notify;

use super::metering;
use super::notices::Notices;
use crate::clock::SharedClock;
use crate::domain::{AccountName, Clocks, ErrorType, RequestClass};
use crate::http::{Attempt, Gate, Outgoing, Pass, Refusal, Settled};
use crate::policy::access::{Access, AccessEvent, AccessState, Asked, MOST_UNDECIDED, Rules};
use crate::policy::allowance::{self, Held, Taken};
use crate::policy::meter::PublicRule;
use crate::policy::quota::{self, Counted, WindowKind};
use crate::store::{
    Store, StoreError, Tx, accounts, flags, intents, leases, parked, quotas, requests, tally,
};

/// Guards one account.
#[derive(Clone)]
pub struct StoreGate {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// The account.
    pub account: AccountName,
    /// What people are told of it.
    pub notices: Notices,
    /// The epoch in which we own the account. Another owner would have raised it.
    pub epoch: i64,
    /// Tells the credentials that sign its requests from those of before and after.
    pub credentials_mark: String,
    /// How its requests are counted.
    pub window: WindowKind,
    /// The limit that the configuration names; `None` for none.
    pub limit: Option<i64>,
    /// What the marketplace expects of how much is public data, if anything.
    pub public_rule: Option<PublicRule>,
    /// Told when the account is let in again.
    pub woken: Arc<Notify>,
}

/// A smaller difference of clocks is the answer's way and the whole seconds of its date.
const CLOCK_NOISE_MS: i64 = 2_000;

#[async_trait]
impl Gate for StoreGate {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        let mut result = self.ask(outgoing).await?;
        if let Err((_, soon)) = &result
            && *soon > TimeDelta::zero()
            && *soon <= quota::GUARD
        {
            // A window begins in a moment.
            self.clock.sleep(soon.to_std().unwrap_or_default()).await;
            result = self.ask(outgoing).await?;
        }
        let result = result.map_err(|(refusal, _)| refusal);
        if let Err(Refusal::Quota { until, used, limit }) = &result {
            tracing::debug!(
                event = "quota.exhausted",
                account = self.account.as_str(),
                used,
                limit,
                reset = %until,
                "the window's requests are used up",
            );
        }
        result
    }

    async fn settle(&self, pass: Pass, attempt: &Attempt) -> Result<Settled, Refusal> {
        let (gate, attempt, clocks) = (self.clone(), attempt.clone(), self.clock.both());
        let settled = self.store.write(move |tx| gate.write_down(tx, &pass, &attempt, &clocks)).await;
        let settled = settled.map_err(cannot_record)?;
        let Some((from, to)) = settled else { return Ok(Settled::default()) };
        self.notices.announce(&self.account, &from, &to);
        if to.state.lets_through() && !from.state.lets_through() {
            self.woken.notify_one();
        }
        // Once: a refusal in a state that blocks already is no new question.
        let undecided = from.state.lets_through() && to.state == AccessState::Suspended;
        Ok(Settled { undecided })
    }
}

/// Leave for one request; or why there is none, and for how long, where it is a matter of time.
type LetOut = Result<Pass, (Refusal, TimeDelta)>;

impl StoreGate {
    async fn ask(&self, outgoing: &Outgoing) -> Result<LetOut, Refusal> {
        let (gate, outgoing, clocks) = (self.clone(), outgoing.clone(), self.clock.both());
        let entered = self.store.write(move |tx| gate.let_out(tx, &outgoing, &clocks)).await;
        entered.map_err(cannot_record)
    }

    /// Owner and epoch, access, halt, quota, intent: all of it or nothing.
    fn let_out(&self, tx: &Tx<'_>, outgoing: &Outgoing, clocks: &Clocks) -> Result<LetOut, StoreError> {
        let now = clocks.now;
        let no = |refusal| Ok(Err((refusal, TimeDelta::zero())));
        if leases::epoch(tx, &self.account)? != Some(self.epoch) {
            return no(Refusal::LostOwnership);
        }
        let counted = match self.admit(tx, outgoing, now)? {
            Ok(counted) => counted,
            Err(refusal) => return no(refusal),
        };
        if outgoing.writes && flags::halted(tx)?.is_some() {
            return no(Refusal::Halted);
        }
        if let Some(parked) = parked::get(tx, &self.account)?.filter(|_| outgoing.writes) {
            return no(Refusal::Parked(parked.arithmetic));
        }
        let clock_offset_ms = accounts::clock_offset_ms(tx, &self.account)?;
        if outgoing.counted
            && let Err(refused) = self.take_quota(tx, outgoing, clocks)?
        {
            return Ok(Err(refused));
        }
        if let Some(counted) = counted {
            accounts::set_access(tx, &self.account, &counted)?;
            if counted.is_spent() {
                // Who finds it so after a kill has to act.
                self.notices.note_access(tx, &self.account, &counted, now)?;
            }
        }
        let request = requests::NewRequest {
            account: self.account.clone(),
            epoch: self.epoch,
            run: outgoing.run,
            method: outgoing.method.to_owned(),
            template: outgoing.template.to_owned(),
            class: outgoing.class,
            attempt: outgoing.attempt,
            writes: outgoing.writes,
            at: now,
        };
        requests::mark_earlier_reads_lost(tx, &self.account, now)?;
        let request_id = requests::open(tx, &request)?;
        intents::mark_sent(tx, &outgoing.intents, request_id, now)?;
        Ok(Ok(Pass { request_id, asked: outgoing.asked, clock_offset_ms }))
    }

    /// The refusal by the account's access, if it stands against this request. Where it only may be asked now and then,
    /// the access with this request counted: to be kept once nothing else stands against it either.
    fn admit(
        &self,
        tx: &Tx<'_>,
        outgoing: &Outgoing,
        now: DateTime<Utc>,
    ) -> Result<Result<Option<Access>, Refusal>, StoreError> {
        let access = accounts::access(tx, &self.account, now)?;
        let counted = match outgoing.asked {
            Asked::Person => None,
            Asked::Canary if access.canary_may_leave(now) => Some(access.canary_leaves(self.rules(), now)),
            Asked::Canary => return Ok(Err(blocked(access))),
            Asked::Work | Asked::Again if !access.state.lets_through() => return Ok(Err(blocked(access))),
            Asked::Work if access.closed_at(&outgoing.at(), now).is_some() => {
                return Ok(Err(blocked(Access { state: AccessState::Restricted, ..access })));
            }
            Asked::Work | Asked::Again => access.asks_closed(&outgoing.at(), self.rules(), now),
        };
        Ok(Ok(counted.filter(|counted| *counted != access)))
    }

    fn rules(&self) -> Rules<'_> {
        self.notices.rules(&self.account)
    }

    /// Takes one request out of the window and notes what it is for; if none is left, says how long it is until there
    /// is one.
    fn take_quota(
        &self,
        tx: &Tx<'_>,
        outgoing: &Outgoing,
        clocks: &Clocks,
    ) -> Result<Result<(), (Refusal, TimeDelta)>, StoreError> {
        let now = clocks.now;
        let theirs = accounts::carry_on_theirs(tx, &self.account, clocks)?;
        let window = self.window.as_str();
        let purse = quotas::purse(tx, &self.account, self.window, self.limit)?;
        if let Some(rule) = self.public_rule.filter(|_| outgoing.class == RequestClass::Public)
            && let Err(declined) = metering::may_ask(tx, &self.account, rule, theirs.at)?
        {
            return Ok(Err((Refusal::Public(declined), TimeDelta::zero())));
        }
        let counted = |window_start| tally::of(tx, &self.account, window_start);
        match allowance::take(&purse, outgoing.class, self.account.as_str(), theirs, counted)? {
            Ok(Taken { usage, doubted }) => {
                quotas::set_usage(tx, &self.account, window, &usage)?;
                tally::add(tx, &self.account, usage.window_start, outgoing.run, outgoing.class)?;
                if doubted != theirs.doubted {
                    accounts::set_doubted(tx, &self.account, doubted)?;
                }
                let before = purse.usage.map(|usage| usage.window_start);
                if self.public_rule.is_some() && before != Some(usage.window_start) {
                    metering::new_day(tx, &self.account, now)?;
                }
                Ok(Ok(()))
            }
            Err(Held { wait, used, limit, instead }) => {
                if let Some(usage) = instead {
                    quotas::set_usage(tx, &self.account, window, &usage)?;
                }
                // By our wall clock, which people compare it with.
                let until = (now + wait).round_subsecs(0);
                Ok(Err((Refusal::Quota { until, used, limit }, wait)))
            }
        }
    }

    /// What the answer said of the window, from its headers and its time.
    fn learn_quota(&self, tx: &Tx<'_>, attempt: &Attempt, now: DateTime<Utc>) -> Result<(), StoreError> {
        let window = self.window.as_str();
        let Some(usage) = quotas::usage(tx, &self.account, window)? else { return Ok(()) };
        let said = quota::Said {
            count: attempt.quota_count,
            limit: attempt.quota_limit,
            at: attempt.clock_offset_ms.map(|offset| now + TimeDelta::milliseconds(offset)),
            took: TimeDelta::from_std(attempt.duration).unwrap_or(TimeDelta::MAX),
        };
        let doubted = accounts::doubted(tx, &self.account)?;
        let counted = match said.at.map(|at| self.window.start(at)) {
            Some(theirs) if theirs != usage.window_start => {
                tally::counted(tx, &self.account, theirs, doubted)?
            }
            _ => Counted::default(),
        };
        let learnt = quota::learn(usage, self.window, self.limit, said, counted);
        if let Some(at) = said.at.filter(|_| self.window == WindowKind::Hour) {
            // Who counts by the day says how many are used; and a row of days is not shortened by one wrong date.
            // Nor does one answer whose time is wrong move what was counted by the clock that is right.
            tally::bring_back(tx, &self.account, self.window.resets_at(at.max(now)))?;
        }
        if self.public_rule.is_some() && usage.window_start < learnt.window_start {
            metering::new_day(tx, &self.account, now)?;
        }
        let learnt = if attempt.window_full { quota::exhaust(learnt, self.limit, said.at) } else { learnt };
        if learnt != usage {
            quotas::set_usage(tx, &self.account, window, &learnt)?;
        }
        if doubted > 0 && quota::settles(self.window, &said) {
            accounts::set_doubted(tx, &self.account, 0)?;
        }
        Ok(())
    }

    /// The attempt, the quota from its headers, the clock offset and the access. Returns a change of access.
    fn write_down(
        &self,
        tx: &Tx<'_>,
        pass: &Pass,
        attempt: &Attempt,
        clocks: &Clocks,
    ) -> Result<Option<(Access, Access)>, StoreError> {
        let now = clocks.now;
        let settled = requests::Settled {
            status: attempt.status,
            error_type: attempt.error_type,
            duration_ms: attempt.duration.as_millis() as i64,
            bytes: attempt.bytes as i64,
            at: now,
        };
        requests::settle(tx, pass.request_id, &settled)?;
        self.learn_quota(tx, attempt, now)?;
        if attempt.status.is_some() {
            accounts::set_last_answer_at(tx, &self.account, now)?;
        }
        if let Some(offset) = attempt.clock_offset_ms {
            let theirs = now + TimeDelta::milliseconds(offset);
            accounts::set_last_said(tx, &self.account, theirs, clocks.mark.as_ref())?;
            let offset = if offset.abs() < CLOCK_NOISE_MS { 0 } else { offset };
            accounts::set_clock_offset_ms(tx, &self.account, offset)?;
            self.notices.note_clock(tx, &self.account, offset, attempt, now)?;
        }
        self.notices.note_silence(tx, &self.account, attempt, now)?;
        let Some(event) = &attempt.access else {
            if pass.asked == Asked::Canary {
                let asked = accounts::access(tx, &self.account, now)?;
                let skewed = attempt.error_type == Some(ErrorType::ClockSkew) && !attempt.clocks_disagree;
                let access = if skewed {
                    asked.canary_is_asked_anew(now)
                } else {
                    asked.canary_was_not_answered(self.rules(), now)
                };
                if access != asked {
                    accounts::set_access(tx, &self.account, &access)?;
                }
                // It was asked in vain, which people may not have been told yet.
                self.notices.note_access(tx, &self.account, &access, now)?;
            }
            return Ok(None);
        };
        if accounts::credentials_mark(tx, &self.account)?.as_deref() != Some(&self.credentials_mark) {
            // A run that began before the login was renewed: its answers say nothing about the new one.
            return Ok(None);
        }
        let from = accounts::access(tx, &self.account, now)?;
        let never_answered = match event {
            AccessEvent::Refused(_) if from.state.lets_through() => {
                requests::never_answered(tx, &self.account, Some(pass.request_id), MOST_UNDECIDED)?
            }
            _ => 0,
        };
        let rules = Rules { never_answered, ..self.rules() };
        let Some(to) = from.after(event, pass.asked, rules, now) else { return Ok(None) };
        accounts::set_access(tx, &self.account, &to)?;
        let told = |access: &Access| (access.state, access.cause, access.next_probe_at.is_some());
        if (told(&from), &from.reason) != (told(&to), &to.reason) {
            self.notices.note_access(tx, &self.account, &to, now)?;
        }
        Ok(Some((from, to)))
    }
}

fn blocked(access: Access) -> Refusal {
    Refusal::Access {
        state: access.state,
        since: access.since,
        reason: access.reason,
        reapply_on: access.reapply_on,
    }
}

/// What cannot be written down is not sent.
fn cannot_record(error: StoreError) -> Refusal {
    let error_type: ErrorType = error.error_type();
    Refusal::Store(error.to_string(), error_type)
}

#[cfg(test)]
mod tests;
