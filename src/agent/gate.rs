//! The gate over the store: the one transaction that every request must pass, and the one that settles it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use super::metering;
use super::notices::Notices;
use super::reckoning::Reckoning;
use crate::clock::SharedClock;
use crate::domain::{AccountName, ErrorType, RequestClass};
use crate::http::{Attempt, Gate, Outgoing, Pass, Refusal, Settled};
use crate::policy::access::{Access, AccessEvent, AccessState, Asked, MOST_UNDECIDED, Rules};
use crate::policy::deferral;
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
    /// The marketplace's time as its last answer told it.
    pub reckoning: Reckoning,
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
        let (gate, attempt, now) = (self.clone(), attempt.clone(), self.clock.now());
        let clock_offset_ms = attempt.clock_offset_ms;
        let settled = self.store.write(move |tx| gate.write_down(tx, &pass, &attempt, now)).await;
        let settled = settled.map_err(cannot_record)?;
        if let Some(offset) = clock_offset_ms {
            self.reckoning.note(now + TimeDelta::milliseconds(offset), self.clock.elapsed());
        }
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
        let (gate, outgoing, now) = (self.clone(), outgoing.clone(), self.clock.now());
        let entered = self.store.write(move |tx| gate.let_out(tx, &outgoing, now)).await;
        entered.map_err(cannot_record)
    }

    /// Owner and epoch, access, halt, quota, intent: all of it or nothing.
    fn let_out(&self, tx: &Tx<'_>, outgoing: &Outgoing, now: DateTime<Utc>) -> Result<LetOut, StoreError> {
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
            && let Err(refused) = self.take_quota(tx, outgoing, now, clock_offset_ms)?
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
        now: DateTime<Utc>,
        clock_offset_ms: i64,
    ) -> Result<Result<(), (Refusal, TimeDelta)>, StoreError> {
        let by_clock = now + TimeDelta::milliseconds(clock_offset_ms);
        let (least, theirs) = self.reckoning.theirs(now, by_clock, self.clock.elapsed());
        let window = self.window.as_str();
        let usage = quotas::usage(tx, &self.account, window)?;
        if let Some(rule) = self.public_rule.filter(|_| outgoing.class == RequestClass::Public)
            && let Err(declined) = metering::may_ask(tx, &self.account, rule, theirs)?
        {
            return Ok(Err((Refusal::Public(declined), TimeDelta::zero())));
        }
        if let Some(until) =
            deferral::held_back(usage, self.window, self.limit, self.account.as_str(), theirs)
        {
            let (used, limit) = usage.map_or((0, 0), |usage| (usage.used, usage.limit.unwrap_or(usage.used)));
            return Ok(Err((Refusal::Quota { until, used, limit }, until - theirs)));
        }
        // Whether an hour is over by a clock that was set or by one that slept, only an answer can tell. A day is too
        // long to wait for where none comes.
        let in_doubt =
            self.window == WindowKind::Hour && self.window.start(least) < self.window.start(theirs);
        let enters = self.window.start(if in_doubt { least } else { theirs });
        let before = usage.map(|usage| usage.window_start);
        let again = match before {
            Some(before) if before < enters => tally::of(tx, &self.account, enters)?,
            _ => 0,
        };
        let taken = if in_doubt {
            quota::take_in_doubt(usage, self.window, self.limit, least, again)
        } else {
            quota::take(usage, self.window, self.limit, outgoing.class, theirs, again)
        };
        match taken {
            Ok(usage) => {
                quotas::set_usage(tx, &self.account, window, &usage)?;
                tally::add(tx, &self.account, usage.window_start, outgoing.run, outgoing.class)?;
                if self.public_rule.is_some() && before != Some(usage.window_start) {
                    metering::new_day(tx, &self.account, now)?;
                }
                Ok(Ok(()))
            }
            Err(full) => {
                if let Some(usage) = quota::stranded(usage, self.window, self.limit, theirs) {
                    quotas::set_usage(tx, &self.account, window, &usage)?;
                }
                let refusal = Refusal::Quota { until: full.until, used: full.used, limit: full.limit };
                Ok(Err((refusal, full.until - theirs)))
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
        let counted = match said.at.map(|at| self.window.start(at)) {
            Some(theirs) if theirs != usage.window_start => tally::counted(tx, &self.account, theirs)?,
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
        Ok(())
    }

    /// The attempt, the quota from its headers, the clock offset and the access. Returns a change of access.
    fn write_down(
        &self,
        tx: &Tx<'_>,
        pass: &Pass,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Result<Option<(Access, Access)>, StoreError> {
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
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::RunId;
    use crate::store::Lane;

    /// A gate of the account `nz` with two requests an hour.
    async fn gate(dir: &std::path::Path) -> StoreGate {
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let (_config_dir, config) = crate::agent::testing::config_dir();
        let (now, account) = (Clock::now(&*clock), AccountName::from("nz"));
        let store = Store::open(&dir.join("sellerd.db"), Lane::Inline, now).unwrap();
        let owned = account.clone();
        let epoch = store.write(move |tx| leases::take_over(tx, &owned, "me", now)).await.unwrap();
        StoreGate {
            store,
            clock,
            account,
            notices: Notices::about(&config.accounts[&AccountName::from("cm")]),
            epoch,
            credentials_mark: String::new(),
            window: WindowKind::Hour,
            limit: Some(2),
            public_rule: None,
            reckoning: Reckoning::default(),
            woken: Arc::default(),
        }
    }

    fn outgoing(counted: bool) -> Outgoing {
        Outgoing {
            method: "GET",
            template: "any",
            class: RequestClass::Orders,
            run: None,
            attempt: 1,
            asked: Asked::Work,
            writes: false,
            counted,
            intents: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_read_whose_answer_could_not_be_written_down_is_given_up_when_the_next_request_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path()).await;
        let account = AccountName::from("other");
        let other = StoreGate { epoch: 1, account: account.clone(), ..gate.clone() };
        let now = gate.clock.now();
        gate.store.write(move |tx| leases::take_over(tx, &account, "me", now)).await.unwrap();
        let read = outgoing(false);
        let write = Outgoing { method: "PUT", writes: true, ..read.clone() };
        // None of them is settled: the disk is full.
        other.enter(&read).await.unwrap();
        for request in [&read, &write, &read] {
            gate.enter(request).await.unwrap();
        }
        let waiting = gate.store.read(requests::unanswered).await.unwrap();
        let waiting: Vec<_> =
            waiting.iter().map(|request| (request.account.as_str(), &*request.method)).collect();
        assert_eq!(
            waiting,
            [("other", "GET"), ("nz", "PUT"), ("nz", "GET")],
            "what is in flight, and what is in doubt"
        );
    }

    #[tokio::test]
    async fn what_is_not_counted_goes_out_though_the_window_is_used_up_and_is_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path()).await;
        let mut passed = Vec::new();
        for counted in [false, true, true, false, true, false] {
            let outgoing = Outgoing { run: Some(RunId(1)), ..outgoing(counted) };
            passed.push(gate.enter(&outgoing).await.is_ok());
        }
        assert_eq!(passed, [true, true, true, true, false, true]);
        let recorded = gate.store.read(|tx| requests::count_for_run(tx, RunId(1))).await.unwrap();
        assert_eq!(recorded, 5);
    }

    #[tokio::test]
    async fn an_hour_that_wrong_clocks_leave_and_come_back_to_is_counted_on_and_never_used_up_by_that() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let gate = StoreGate { clock: clock.clone(), limit: Some(20), ..gate(dir.path()).await };
        // Another process knows of the time what was written down.
        let anew = || StoreGate { reckoning: Reckoning::default(), ..gate.clone() };
        let ahead = |minutes| clock.jump(TimeDelta::minutes(minutes));
        let answer = |minutes: i64| Attempt {
            status: Some(200),
            clock_offset_ms: Some(-60_000 * minutes),
            ..Attempt::default()
        };
        let ask = async |gate: &StoreGate, minutes| {
            let pass = gate.enter(&outgoing(true)).await.unwrap();
            gate.settle(pass, &answer(minutes)).await.unwrap();
        };
        let used = async || {
            let account = gate.account.clone();
            let read = move |tx: &Tx<'_>| quotas::usage(tx, &account, "hour");
            gate.store.read(read).await.unwrap().map(|usage| (usage.window_start.to_rfc3339(), usage.used))
        };
        let hour = |used| Some(("2026-11-22T14:00:00+00:00".to_owned(), used));

        ahead(40);
        ask(&gate, 40).await;
        assert_eq!(used().await, hour(1), "a fresh directory has all that is left of the hour");
        ahead(-40);
        for _ in 0..4 {
            ask(&anew(), 0).await;
        }
        assert_eq!(used().await, hour(5));
        // Years ahead and killed, twice; then a process that is answered, and one that is answered by the right clock.
        for days in [500, 700] {
            clock.jump(TimeDelta::days(days));
            anew().enter(&outgoing(true)).await.unwrap();
        }
        clock.jump(TimeDelta::days(-1_200));
        ahead(40);
        ask(&anew(), 40).await;
        assert_eq!(used().await, hour(8));
        let running = anew();
        ask(&running, 40).await;
        ahead(-40);
        ask(&running, 0).await;
        assert_eq!(used().await, hour(10));
        // Nine more, up to what orders may use; then nothing, until the next hour has surely begun.
        let mut left = 0;
        while anew().enter(&outgoing(true)).await.is_ok() {
            left += 1;
        }
        assert_eq!(left, 9);
        ahead(29);
        ask(&anew(), 0).await;
        let (start, used) = used().await.unwrap();
        assert_eq!(start, "2026-11-22T15:00:00+00:00");
        assert!(used <= 7, "what wrong clocks counted later is counted once more at most: {used}");
    }

    #[tokio::test]
    async fn a_canary_that_is_refused_for_its_time_leaves_once_more_and_then_waits() {
        use crate::policy::access::Cause;
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path()).await;
        let canary = Outgoing { asked: Asked::Canary, ..outgoing(false) };
        for (cause, probes) in [(Cause::Undecided, 0), (Cause::Moved, 3), (Cause::EdgeBlock, 5)] {
            let blocked = Access {
                state: AccessState::Suspended,
                cause: Some(cause),
                probes,
                next_probe_at: Some(gate.clock.now()),
                ..Access::unknown(gate.clock.now())
            };
            let account = gate.account.clone();
            gate.store.write(move |tx| accounts::set_access(tx, &account, &blocked)).await.unwrap();
            let skewed = |clocks_disagree| Attempt {
                status: Some(401),
                error_type: Some(ErrorType::ClockSkew),
                clock_offset_ms: Some(-154_800_000),
                clocks_disagree,
                ..Attempt::default()
            };
            let pass = gate.enter(&canary).await.unwrap();
            gate.settle(pass, &skewed(false)).await.unwrap();
            let pass = gate.enter(&canary).await.unwrap();
            gate.settle(pass, &skewed(true)).await.unwrap();
            let refused = gate.enter(&canary).await;
            assert!(matches!(refused, Err(Refusal::Access { .. })), "{cause:?}: {refused:?}");
            let (account, now) = (gate.account.clone(), gate.clock.now());
            let access = gate.store.read(move |tx| accounts::access(tx, &account, now)).await.unwrap();
            assert_eq!(access.probes, probes + 1, "{cause:?}: it counts once");
        }
    }

    #[tokio::test]
    async fn an_account_whose_canaries_are_killed_waits_for_a_person_and_after_an_outage_it_does_not() {
        use crate::policy::access::{Evidence, Refused, Refusing};
        use crate::store::problems;
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let gate = StoreGate { clock: clock.clone(), ..gate(dir.path()).await };
        gate.store.write(|tx| accounts::set_credentials_mark(tx, &"nz".into(), "")).await.unwrap();
        let refused = AccessEvent::Refused(Refused {
            at: "GET any".into(),
            how: Refusing::Forbidden,
            evidence: Evidence { status: 403, digest: "d".into() },
        });
        let refused = Attempt { status: Some(403), access: Some(refused), ..Attempt::default() };
        let canary = Outgoing { asked: Asked::Canary, ..outgoing(false) };
        let title = async || gate.store.read(problems::list).await.unwrap()[0].title.clone();

        let pass = gate.enter(&outgoing(false)).await.unwrap();
        assert!(gate.settle(pass, &refused).await.unwrap().undecided);
        gate.enter(&canary).await.unwrap();
        assert!(title().await.contains("could not be asked yet"), "{}", title().await);
        clock.jump(TimeDelta::minutes(2));
        let last = gate.enter(&canary).await.unwrap();
        assert!(title().await.contains("asks no more by itself"), "{}", title().await);
        clock.jump(TimeDelta::days(40));
        gate.enter(&canary).await.unwrap_err();
        gate.settle(last, &Attempt { error_type: Some(ErrorType::Timeout), ..Attempt::default() })
            .await
            .unwrap();
        assert!(title().await.contains("could not be asked yet"), "{}", title().await);
        gate.enter(&canary).await.unwrap_err();
        clock.jump(TimeDelta::minutes(3));
        gate.enter(&canary).await.unwrap();
    }

    #[tokio::test]
    async fn a_closed_resource_that_is_asked_again_does_not_turn_its_problem_over() {
        use crate::policy::access::{AccessEvent, Evidence, Refused, Refusing};
        use crate::store::problems;
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let gate = StoreGate { clock: clock.clone(), ..gate(dir.path()).await };
        gate.store.write(|tx| accounts::set_credentials_mark(tx, &"nz".into(), "")).await.unwrap();
        let attempt = |access| Attempt { status: Some(403), access: Some(access), ..Attempt::default() };
        let refused = || {
            let evidence = Evidence { status: 403, digest: "d".into() };
            attempt(AccessEvent::Refused(Refused {
                at: "GET any".into(),
                how: Refusing::Forbidden,
                evidence,
            }))
        };
        let answered = || attempt(AccessEvent::Answered { at: "GET account".into(), success: true });
        // What follows from an attempt: whether the canary is to be asked, and the problem that is open then.
        let ask = async |asked, attempt: Attempt| {
            let pass = gate.enter(&Outgoing { asked, ..outgoing(false) }).await.unwrap();
            let undecided = gate.settle(pass, &attempt).await.unwrap().undecided;
            let open = gate.store.read(problems::list).await.unwrap();
            (undecided, open.into_iter().map(|problem| problem.code).collect::<Vec<_>>().join(" "))
        };
        let told = |undecided, codes: &str| (undecided, codes.to_owned());
        let minutes = |minutes| clock.jump(TimeDelta::minutes(minutes));

        assert_eq!(ask(Asked::Work, refused()).await, told(true, "E451"));
        assert!(!ask(Asked::Canary, answered()).await.0);
        assert_eq!(ask(Asked::Again, refused()).await, told(false, "E452"));
        minutes(30);
        assert_eq!(ask(Asked::Work, refused()).await, told(true, "E452"), "nothing was answered since");
        assert_eq!(ask(Asked::Canary, Attempt::default()).await, told(false, "E451"), "nor is the canary");
        minutes(2);
        assert_eq!(ask(Asked::Canary, answered()).await, told(false, "E452"));
        minutes(60);
        assert_eq!(ask(Asked::Work, refused()).await, told(false, "E452"), "one request is enough");
        minutes(180);
        assert_eq!(ask(Asked::Work, refused()).await, told(true, "E452"));
        assert_eq!(ask(Asked::Canary, refused()).await, told(false, "E450"), "it is more than that by now");
    }

    #[tokio::test]
    async fn a_canary_that_the_quota_keeps_back_does_not_count_as_asked() {
        use crate::policy::access::Cause;
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path()).await;
        while gate.enter(&outgoing(true)).await.is_ok() {}
        let blocked = Access {
            state: AccessState::Suspended,
            cause: Some(Cause::EdgeBlock),
            probes: 1,
            next_probe_at: Some(gate.clock.now()),
            ..Access::unknown(gate.clock.now())
        };
        let (account, kept, now) = (gate.account.clone(), blocked.clone(), gate.clock.now());
        gate.store.write(move |tx| accounts::set_access(tx, &account, &kept)).await.unwrap();
        for _ in 0..9 {
            let refused = gate.enter(&Outgoing { asked: Asked::Canary, ..outgoing(true) }).await;
            assert!(matches!(refused, Err(Refusal::Quota { .. })), "{refused:?}");
        }
        let account = gate.account.clone();
        let access = gate.store.read(move |tx| accounts::access(tx, &account, now)).await.unwrap();
        assert_eq!(
            (access.probes, access.next_probe_at.is_some()),
            (1, true),
            "it is asked when there is room"
        );
    }
}
