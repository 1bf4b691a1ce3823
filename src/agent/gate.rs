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
use crate::policy::allowance::{self, Kept};
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
            && let Err(refused) = self.take_quota(tx, outgoing, now)?
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
    ) -> Result<Result<(), (Refusal, TimeDelta)>, StoreError> {
        let clocks = Clocks { now, mark: self.clock.mark() };
        let theirs = accounts::carry_on_theirs(tx, &self.account, &clocks)?;
        let window = self.window.as_str();
        let purse = quotas::purse(tx, &self.account, self.window, self.limit)?;
        if let Some(rule) = self.public_rule.filter(|_| outgoing.class == RequestClass::Public)
            && let Err(declined) = metering::may_ask(tx, &self.account, rule, theirs.at)?
        {
            return Ok(Err((Refusal::Public(declined), TimeDelta::zero())));
        }
        let again = |window_start| tally::of(tx, &self.account, window_start);
        match allowance::take(&purse, outgoing.class, self.account.as_str(), theirs, again)? {
            Ok(usage) => {
                quotas::set_usage(tx, &self.account, window, &usage)?;
                tally::add(tx, &self.account, usage.window_start, outgoing.run, outgoing.class)?;
                let before = purse.usage.map(|usage| usage.window_start);
                if self.public_rule.is_some() && before != Some(usage.window_start) {
                    metering::new_day(tx, &self.account, now)?;
                }
                Ok(Ok(()))
            }
            Err(Kept { wait, used, limit, instead }) => {
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::RunId;
    use crate::policy::deferral;
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
        // Another process knows of the time what was written down, and after another boot of it only the least.
        let anew = || {
            clock.reboot(Duration::ZERO);
            gate.clone()
        };
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
        clock.sleep_machine(Duration::from_secs(29 * 60));
        ask(&anew(), 0).await;
        assert_eq!(used().await, Some(("2026-11-22T15:00:00+00:00".to_owned(), 2)));
    }

    /// An account with two requests in a window that began at `start`, both used up by the right clock at `now`.
    async fn used_up(
        dir: &std::path::Path,
        window: WindowKind,
        now: &str,
    ) -> (StoreGate, std::sync::Arc<ManualClock>) {
        let clock = ManualClock::at(now.parse().unwrap());
        let gate = StoreGate { clock: clock.clone(), window, ..gate(dir).await };
        for _ in 0..2 {
            answered(&gate, 0).await.unwrap();
        }
        (gate, clock)
    }

    /// Asks, and is answered by a marketplace whose clock is `ahead` of ours.
    async fn answered(gate: &StoreGate, ahead: i64) -> Result<(), Refusal> {
        let pass = gate.enter(&outgoing(true)).await?;
        let offset = Some(1_000 * ahead);
        let answer = Attempt { status: Some(200), clock_offset_ms: offset, ..Attempt::default() };
        gate.settle(pass, &answer).await.map(drop)
    }

    /// How long nothing leaves, by the refusal's own word.
    async fn wait(gate: &StoreGate) -> Duration {
        match gate.enter(&outgoing(true)).await {
            Err(Refusal::Quota { until, .. }) => (until - gate.clock.now()).to_std().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    #[tokio::test(start_paused = true)]
    async fn a_window_that_is_used_up_is_not_left_by_setting_the_clock() {
        for (window, left) in [(WindowKind::Hour, 15), (BERLIN, 9 * 60 + 15)] {
            for (ahead, back) in [(20, -400), (9_000, -90_000), (1_000_000, -30)] {
                let dir = tempfile::tempdir().unwrap();
                let (gate, clock) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
                let left = Duration::from_secs(60 * left);
                clock.jump(TimeDelta::minutes(ahead));
                assert_eq!(wait(&gate).await, left, "{ahead}");
                clock.jump(TimeDelta::minutes(back - ahead));
                assert_eq!(wait(&gate).await, left, "{back}");
                clock.sleep_machine(left - Duration::from_secs(4));
                assert_eq!(wait(&gate).await, Duration::from_secs(4), "a sleep is none");
                // Once it has begun, at the account's own second of its first minute.
                clock.sleep_machine(Duration::from_secs(5));
                let spread = wait(&gate).await;
                assert!(spread < Duration::from_secs(60), "{spread:?}");
                clock.sleep_machine(spread);
                answered(&gate, -back * 60).await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_does_not_ask_whether_an_hour_is_over_that_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), WindowKind::Hour, "2026-11-22T13:45:00Z").await;
        // Nothing but the database outlives the first.
        drop(gate);
        let gate = StoreGate { clock: clock.clone(), ..self::gate(dir.path()).await };
        clock.jump(TimeDelta::minutes(20));
        assert_eq!(wait(&gate).await, Duration::from_secs(15 * 60));
        clock.sleep_machine(Duration::from_secs(16 * 60));
        answered(&gate, -20 * 60).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_moved_to_a_machine_that_is_up_for_a_month_is_in_the_same_window() {
        for (window, left) in [(WindowKind::Hour, 15), (BERLIN, 9 * 60 + 15)] {
            for is_of_before in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let (gate, old) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
                if is_of_before {
                    // A version that did not keep the boot yet.
                    let (account, now) = (gate.account.clone(), old.now());
                    gate.store
                        .write(move |tx| accounts::set_last_said(tx, &account, now, None))
                        .await
                        .unwrap();
                }
                let month = Duration::from_secs(30 * 86_400);
                let clock = ManualClock::at(old.now() - month);
                clock.sleep_machine(month);
                let gate = StoreGate { clock: clock.clone(), ..gate };
                assert_eq!(wait(&gate).await, Duration::from_secs(60 * left));
                clock.sleep_machine(Duration::from_secs(60 * left + 60));
                answered(&gate, 0).await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_that_is_used_up_is_over_for_a_machine_that_is_on_for_ten_minutes_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), WindowKind::Hour, "2026-11-22T13:45:00Z").await;
        let mut days = 0;
        'on: loop {
            clock.reboot(Duration::from_secs(86_400));
            days += 1;
            for _ in 0..10 {
                clock.sleep_machine(Duration::from_secs(60));
                if answered(&gate, 0).await.is_ok() {
                    break 'on;
                }
            }
            assert!(days < 3, "nine minutes of each are known to have passed, and fifteen were left");
        }
        assert_eq!(days, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn after_another_boot_an_hour_that_is_used_up_and_may_be_over_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), WindowKind::Hour, "2026-11-22T13:45:00Z").await;
        clock.jump(TimeDelta::hours(40));
        clock.reboot(Duration::from_secs(30));
        let told = wait(&gate).await;
        let quarter = Duration::from_secs(15 * 60);
        assert!(told > quarter && told < quarter + Duration::from_secs(60), "{told:?}");
        clock.sleep_machine(told - Duration::from_secs(5));
        assert_eq!(wait(&gate).await, Duration::from_secs(5));
        clock.sleep_machine(Duration::from_secs(5));
        answered(&gate, -40 * 3_600).await.unwrap();
        gate.enter(&outgoing(true))
            .await
            .expect_err("the answer has told that a new hour has begun with one of two");
    }

    #[tokio::test(start_paused = true)]
    async fn after_another_boot_a_day_that_is_used_up_and_may_be_over_gives_the_clock_time_to_be_set() {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), BERLIN, "2026-11-22T13:45:00Z").await;
        clock.jump(TimeDelta::hours(40));
        clock.reboot(Duration::from_secs(30));
        assert_eq!(wait(&gate).await, deferral::GRACE);
        clock.sleep_machine(Duration::from_secs(300));
        assert_eq!(wait(&gate).await, Duration::from_secs(300));
        // Whoever sets clocks has set it right: the day is not over, and that is sure enough.
        clock.jump(TimeDelta::hours(-40));
        let told = wait(&gate).await;
        assert!(told > Duration::from_secs(9 * 3_600), "{told:?}");
        // After a night it is, and it is found out as soon as the clock has had its time.
        clock.reboot(Duration::from_secs(18 * 3_600));
        assert_eq!(wait(&gate).await, deferral::GRACE);
        clock.sleep_machine(deferral::GRACE);
        answered(&gate, 0).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn after_another_boot_what_is_left_of_a_window_is_there_to_ask_for_the_time() {
        for window in [WindowKind::Hour, BERLIN] {
            let dir = tempfile::tempdir().unwrap();
            let (gate, clock) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
            let gate = StoreGate { limit: Some(4), ..gate };
            clock.jump(TimeDelta::hours(40));
            // Killed over the first.
            for _ in 0..2 {
                clock.reboot(Duration::from_secs(30));
                gate.enter(&outgoing(true)).await.unwrap();
            }
            clock.reboot(Duration::from_secs(30));
            gate.enter(&outgoing(true)).await.unwrap_err();
        }
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
