//! Where a slot becomes a run, or waits: what a run takes is held against what is left of its account's window.
//!
//! The decision is made in the transaction that would open the run, so that what is put off is put off for good, also
//! where the process ends right after. The window itself is taken request by request in the gate; this only keeps runs
//! from beginning that the gate would cut in the middle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::runner::{Due, Runner};
use super::watch::Watch;
use crate::config::{Account, Work, starts_more_than};
use crate::domain::{Clocks, ErrorType, JobName, Outcome, Trigger, spelled};
use crate::jobs::{Earmarks, Errand, cost};
use crate::policy::deferral::{Cost, Earmarked, Leave, Purse, starts_after};
use crate::policy::stretch::{Rest, Slot};
use crate::store::deferrals::{self, Deferral};
use crate::store::runs::{self, RunEnd};
use crate::store::{StoreError, Tx, accounts, problems, quotas, tally};

/// The problem of polls that lie further apart than their schedule says.
pub const STRETCHED: &str = "W431";

/// The problem of a run that takes more than a whole window.
pub const TOO_LARGE: &str = "W432";

/// After this time it is looked at again whether the window pays for a run beside those that have begun: most take seconds.
const A_MOMENT: TimeDelta = TimeDelta::seconds(20);

/// From so many polls on it is known what one takes.
const A_FEW: i64 = 3;

/// What becomes of a run that is due.
#[derive(Debug)]
pub(super) enum Judged {
    /// It begins, and takes about so many requests, where that is known.
    Goes(Option<i64>),
    /// It is left out, quietly: what it is for is put off already or to this moment, or polls lie further apart for a
    /// while.
    PassedOver(Option<DateTime<Utc>>),
    /// It is recorded as blocked, and begins later.
    PutOff(RunEnd),
}

/// Judges a run of `account` that is due, and keeps what follows from it.
pub(super) fn judge(
    tx: &Tx<'_>,
    account: &Account,
    due: &Due,
    earmarks: &Earmarks,
    clocks: &Clocks,
) -> Result<Judged, StoreError> {
    let now = clocks.now;
    let access = accounts::access(tx, &account.name, now)?;
    if !access.state.lets_through() && !access.canary_may_leave(now) {
        // The gate says why. How far polls lie apart that do not happen is nobody's trouble.
        problems::close(tx, STRETCHED, due.job.name.as_str(), now)?;
        return Ok(Judged::Goes(None));
    }
    let (purse, reckoned) = (purse(tx, account)?, accounts::carry_on_theirs(tx, &account.name, clocks)?);
    let purse = Purse { earmarked: earmarks.beside(tx, &due.job.name)?, ..purse };
    let theirs = reckoned.at;
    let offset = theirs - now;
    let by_hand = due.trigger == Trigger::Manual;
    let (name, job) = (account.name.as_str(), due.job.name.as_str());
    let known = cost::known(tx, account, &due.errand, now)?;
    let cost = cost::of(&due.job.work, &due.errand, account.marketplace, known);
    let put_off_to = |starts_at, cost| Deferral {
        job: due.job.name.clone(),
        account: account.name.clone(),
        cost,
        since: now,
        starts_at,
    };
    let held = purse.held_back(name, reckoned);
    if let Some(wait) = held.filter(|_| !by_hand) {
        // In a minute as a rule, and where nobody knows whether the window is over as soon as that is sure: nothing
        // that a person would have to read about.
        let starts_at = now + wait + starts_after(name, job, purse.kind.start(reckoned.least)) / 4;
        deferrals::put(tx, &put_off_to(starts_at, cost.map_or(1, |cost| cost.requests)))?;
        return Ok(Judged::PassedOver(Some(starts_at)));
    }
    let slot = due.trigger == Trigger::Schedule && due.errand == Errand::Usual;
    if slot && matches!(due.job.work, Work::OrderPoll(_)) {
        return poll(tx, account, due, &purse, known.feeds_due, theirs);
    }
    let before = deferrals::of(tx, &due.job.name)?;
    let owed = before.as_ref().is_some_and(|before| before.starts_at <= now && due.trigger == Trigger::Retry);
    match (purse.leave(cost, owed, theirs), cost) {
        (Leave::Waits { rest, until }, Some(cost)) => {
            // A person and its own time excepted, whoever asks for it is told by what was recorded first.
            let alone = Purse { earmarked: Earmarked::default(), ..purse }.leave(Some(cost), owed, theirs);
            // What others have set aside it may not take, and some of it may be free in a moment.
            let is_beside = !by_hand && alone == Leave::Goes;
            let starts_at = match is_beside {
                true => now + A_MOMENT,
                false => until - offset + starts_after(name, job, until),
            };
            if let Some(before) = before.filter(|_| !by_hand && due.trigger != Trigger::Retry) {
                let moved = (before.starts_at - starts_at).abs() > TimeDelta::minutes(1);
                if moved {
                    // Our clock was set since.
                    deferrals::put(tx, &Deferral { starts_at, ..before })?;
                }
                return Ok(Judged::PassedOver(moved.then_some(starts_at)));
            }
            if is_beside {
                deferrals::put(tx, &put_off_to(starts_at, cost.requests))?;
                return Ok(Judged::PassedOver(Some(starts_at)));
            }
            if !by_hand {
                deferrals::put(tx, &put_off_to(starts_at, cost.requests))?;
            }
            Ok(Judged::PutOff(blocked(cost, rest, until - offset, (!by_hand).then_some(starts_at))))
        }
        (Leave::GoesTooLarge { whole }, Some(cost)) => {
            deferrals::clear(tx, &due.job.name)?;
            problems::open(tx, &too_large(account, &due.job.name, cost, whole, now))?;
            Ok(Judged::Goes(Some(cost.requests)))
        }
        _ => {
            deferrals::clear(tx, &due.job.name)?;
            problems::close(tx, TOO_LARGE, due.job.name.as_str(), now)?;
            Ok(Judged::Goes(cost.map(|cost| cost.requests)))
        }
    }
}

/// What is left of an account's window, as it was last counted.
pub(super) fn purse(tx: &Tx<'_>, account: &Account) -> Result<Purse, StoreError> {
    let kind = account.marketplace.limit_headers.window;
    quotas::purse(tx, &account.name, kind, account.limit)
}

/// A slot of a poll of orders: passed over where what is left cannot pay for all of them.
fn poll(
    tx: &Tx<'_>,
    account: &Account,
    due: &Due,
    purse: &Purse,
    this: i64,
    theirs: DateTime<Utc>,
) -> Result<Judged, StoreError> {
    let job = &due.job;
    let ordinary = cost::ordinary(&job.work, account.marketplace, None);
    // The first polls read what has gathered. Until it is known what one takes, they are not stretched for what it might.
    let usual = tally::usual(tx, &job.name)?.filter(|usual| usual.runs >= A_FEW);
    let each = usual.map_or(1, |usual| usual.median);
    let Some(cost) = ordinary.map(|cost| Cost { requests: each, ..cost }) else {
        return Ok(Judged::Goes(None));
    };
    let goes = Judged::Goes(Some(cost.requests));
    let Some(requests) = purse.rest(cost.class, theirs) else { return Ok(goes) };
    let span = purse.kind.resets_at(theirs) - theirs;
    let payable = requests / cost.requests.max(1);
    let pays = !starts_more_than(job, payable - 1, due.at, due.at + span);
    let rest = Rest { requests, cost: cost.requests, this, pays, span };
    let last = runs::last(tx, &job.name)?.map(|run| run.due_at);
    let slot = rest.slot(last, due.at);
    let stretched = match (slot, rest.stretched()) {
        (Slot::NothingLeft, _) => Some("are not read any more".to_owned()),
        (_, Some(apart)) => Some(format!("are read about every {}", in_words(apart))),
        (_, None) => None,
    };
    match stretched {
        None => _ = problems::close(tx, STRETCHED, job.name.as_str(), due.at)?,
        Some(how) => problems::open(tx, &stretched_polls(account, &job.name, &how, due.at, due.at + span))?,
    }
    if slot == Slot::Polled {
        deferrals::clear(tx, &job.name)?;
    }
    Ok(match slot {
        Slot::Polled => goes,
        Slot::PassedOver(_) | Slot::NothingLeft => Judged::PassedOver(None),
    })
}

fn blocked(cost: Cost, rest: i64, resets_at: DateTime<Utc>, starts_at: Option<DateTime<Utc>>) -> RunEnd {
    let Cost { requests, class } = cost;
    let then = match starts_at {
        Some(at) => format!("it starts by itself at {}", shown(at)),
        None => format!("run it again after {}", shown(resets_at)),
    };
    RunEnd {
        outcome: Outcome::Blocked,
        error_type: Some(ErrorType::QuotaExhausted),
        message: Some(format!(
            "it takes about {requests} requests, and {rest} are left for {class} in this window; {then}"
        )),
        requests: 0,
        counts: Default::default(),
    }
}

fn too_large(
    account: &Account,
    job: &JobName,
    cost: Cost,
    whole: i64,
    now: DateTime<Utc>,
) -> problems::Problem {
    let window = account.marketplace.limit_headers.window.as_str();
    let Cost { requests, class } = cost;
    problems::Problem {
        code: TOO_LARGE.to_owned(),
        subject: job.to_string(),
        severity: problems::Severity::Warning,
        title: format!(
            "{job} takes about {requests} requests, and {class} may use {whole} a {window}: it will not get to its end"
        ),
        since: now,
        fix: format!(
            "set `export_above` in jobs/{job}.toml where the marketplace makes exports, or ask it for a higher limit"
        ),
    }
}

fn stretched_polls(
    account: &Account,
    job: &JobName,
    how: &str,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> problems::Problem {
    problems::Problem {
        code: STRETCHED.to_owned(),
        subject: job.to_string(),
        severity: problems::Severity::Warning,
        title: format!(
            "orders of {} {how} until {}: what is left of its requests does not pay for every slot",
            account.name,
            shown(until)
        ),
        since,
        fix: "look where the requests went: sellerd quota; run jobs less often".to_owned(),
    }
}

/// How far polls lie apart, in whole seconds.
fn in_words(apart: TimeDelta) -> String {
    spelled(Duration::from_secs(apart.num_seconds().max(1).unsigned_abs()))
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// However far away the next start is, the clock is looked at this often: it may be set.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(600);

/// Starts what was put off when its time has come, until `stop`. What is put off stands in the database, so what
/// another process or an earlier one put off is started too.
pub(super) async fn keep(watch: Arc<Watch>, runner: Runner, stop: CancellationToken) {
    let mut started: HashMap<JobName, DateTime<Utc>> = HashMap::new();
    loop {
        let wait = match watch.shared.store.read(deferrals::list).await {
            Ok(waiting) => start_due(&watch, &runner, &mut started, waiting).await,
            Err(error) => {
                tracing::error!("what was put off cannot be read: {error}");
                Some(LOOKED_AT_EVERY)
            }
        };
        let clock = &watch.shared.clock;
        tokio::select! {
            () = stop.cancelled() => return,
            () = runner.something_put_off() => {}
            () = clock.sleep(wait.unwrap_or_default().min(LOOKED_AT_EVERY)), if wait.is_some() => {}
        }
    }
}

/// Starts what is due and says how long it is until the next.
async fn start_due(
    watch: &Watch,
    runner: &Runner,
    started: &mut HashMap<JobName, DateTime<Utc>>,
    waiting: Vec<Deferral>,
) -> Option<Duration> {
    let config = watch.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    let now = watch.shared.clock.now();
    let mut next: Option<Duration> = None;
    for deferral in waiting {
        let Deferral { job, starts_at, .. } = deferral;
        if started.get(&job) == Some(&starts_at) {
            continue;
        }
        if let Ok(wait) = (starts_at - now).to_std()
            && wait > Duration::ZERO
        {
            next = Some(next.map_or(wait, |next| next.min(wait)));
            continue;
        }
        started.insert(job.clone(), starts_at);
        match config.jobs.get(&job).filter(|job| job.enabled) {
            Some(job) => {
                let (job, trigger, errand) = (Arc::new(job.clone()), Trigger::Retry, Errand::Usual);
                runner.start(Due { job, at: starts_at, trigger, errand });
            }
            None => {
                let forgotten = watch.shared.store.write(move |tx| deferrals::clear(tx, &job)).await;
                if let Err(error) = forgotten {
                    tracing::error!("what was put off cannot be forgotten: {error}");
                }
            }
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::spending::Spending;
    use crate::agent::status::Status;
    use crate::agent::testing::config_dir;
    use crate::clock::{Clock, ManualClock};
    use crate::config::{Config, Job};
    use crate::domain::AccountName;
    use crate::policy::quota::{Usage, WindowKind};
    use crate::store::{Lane, Store};

    #[test]
    fn polls_that_lie_seconds_apart_are_said_to() {
        let said = |milliseconds| in_words(TimeDelta::milliseconds(milliseconds));
        assert_eq!((said(4_700), said(288_000), said(90)), ("4 s".into(), "4 min 48 s".into(), "1 s".into()));
    }

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    /// A run of a job of `cm`, whose day was used up by the right clock at 14:45 in Berlin.
    struct Place {
        store: Store,
        clock: Arc<ManualClock>,
        config: Config,
        _dirs: [tempfile::TempDir; 2],
    }

    impl Place {
        async fn new() -> Self {
            let (config_dir, mut config) = config_dir();
            config.accounts.get_mut(&AccountName::from("cm")).unwrap().limit = Some(100);
            let dir = tempfile::tempdir().unwrap();
            let clock = ManualClock::at("2026-11-22T13:45:00Z".parse().unwrap());
            let (now, mark) = (clock.now(), clock.mark());
            let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, now).unwrap();
            let written = store.write(move |tx| {
                let start = "2026-11-21T23:00:00Z".parse().unwrap();
                let usage = Usage { window_start: start, used: 100, limit: Some(100) };
                quotas::set_usage(tx, &"cm".into(), "day", &usage)?;
                accounts::set_last_said(tx, &"cm".into(), now, mark.as_ref())
            });
            written.await.unwrap();
            Self { store, clock, config, _dirs: [config_dir, dir] }
        }

        /// When the job starts that is due now; none where it begins.
        async fn starts_at(&self, trigger: Trigger) -> Option<DateTime<Utc>> {
            let account = self.config.accounts[&AccountName::from("cm")].clone();
            let polls = |job: &&Job| matches!(job.work, Work::OrderPoll(_));
            let job = Arc::new(self.config.jobs.values().find(polls).unwrap().clone());
            let clocks = self.clock.both();
            let due = Due { job, at: clocks.now, trigger, errand: Errand::Usual };
            let judged = self.store.write(move |tx| {
                let judged = judge(tx, &account, &due, &Earmarks::default(), &clocks)?;
                Ok((matches!(judged, Judged::Goes(_)), deferrals::of(tx, &due.job.name)?))
            });
            let (goes, deferral) = judged.await.unwrap();
            assert_eq!(goes, deferral.is_none());
            deferral.map(|deferral| deferral.starts_at)
        }

        /// Whether a slot of the order poll that is due now is polled.
        async fn slot_is_polled(&self) -> bool {
            let account = self.config.accounts[&AccountName::from("cm")].clone();
            let job = Arc::new(self.config.jobs[&"order-poll".into()].clone());
            let clocks = self.clock.both();
            let due = Due { job, at: clocks.now, trigger: Trigger::Schedule, errand: Errand::Usual };
            let judged = self.store.write(move |tx| judge(tx, &account, &due, &Earmarks::default(), &clocks));
            matches!(judged.await.unwrap(), Judged::Goes(_))
        }

        /// When the window ends, and when what waits starts, as people are told.
        async fn told(&self) -> [DateTime<Utc>; 4] {
            let status = Status::read(&self.config, Some(&self.store), self.clock.both()).await.unwrap();
            let spending = Spending::read(&self.config, Some(&self.store), self.clock.both()).await.unwrap();
            let cm = &spending.accounts[0];
            assert_eq!(cm.quotas[0].quota.used, 100);
            let waits = status.jobs.iter().find(|job| job.put_off_since.is_some()).unwrap();
            [
                status.accounts[0].quotas[0].resets_at,
                cm.quotas[0].quota.resets_at,
                cm.deferred[0].starts_at,
                waits.next_run_at.unwrap(),
            ]
        }

        fn pass(&self, until: DateTime<Utc>) {
            self.clock.sleep_machine((until - self.clock.now()).to_std().unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_window_starts_by_the_clock_that_the_gate_goes_by_and_by_no_other() {
        let place = Place::new().await;
        let reset = place.clock.now() + TimeDelta::hours(9) + TimeDelta::minutes(15);
        let mut off = 0;
        for by in [20 * 60, -31 * 60] {
            off += by;
            place.clock.jump(TimeDelta::minutes(by));
            let starts_at = place.starts_at(Trigger::Catchup).await.unwrap();
            // By our own clock, as it is set now.
            let reset = reset + TimeDelta::minutes(off);
            assert!(starts_at > reset && starts_at < reset + TimeDelta::minutes(2), "{starts_at}");
            assert_eq!(place.told().await, [reset, reset, starts_at, starts_at]);
        }
        let starts_at = place.starts_at(Trigger::Catchup).await.unwrap();
        place.pass(starts_at);
        assert_eq!(place.starts_at(Trigger::Retry).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn polls_are_not_stretched_for_what_the_first_one_took() {
        let place = Place::new().await;
        // The poll of every five minutes takes 111 requests until midnight where it takes one.
        let slot = async |found: i64| {
            let now = place.clock.now();
            let written = place.store.write(move |tx| {
                let usage = Usage { window_start: BERLIN.start(now), used: 5_000 - 400, limit: Some(5_000) };
                quotas::set_usage(tx, &"cm".into(), "day", &usage)?;
                let new = runs::NewRun {
                    job: "order-poll".into(),
                    kind: "order-poll".to_owned(),
                    account: Some("cm".into()),
                    due_at: now,
                    trigger: Trigger::Schedule,
                    started_at: now,
                };
                let run = runs::open(tx, &new)?.unwrap();
                let end = RunEnd {
                    outcome: Outcome::Success,
                    error_type: None,
                    message: None,
                    requests: found,
                    counts: Default::default(),
                };
                runs::finish(tx, run, &end, now)
            });
            written.await.unwrap();
            place.clock.sleep_machine(Duration::from_secs(300));
            place.slot_is_polled().await
        };
        assert!(slot(40).await, "nobody knows what the next one takes");
        assert!(slot(40).await);
        assert!(!slot(40).await, "by now it is known");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_the_time_starts_when_the_machine_knows_it() {
        let place = Place::new().await;
        place.clock.reboot(Duration::from_secs(20 * 3_600));
        let over = place.clock.now() + TimeDelta::hours(9) + TimeDelta::minutes(15);
        let starts_at = place.starts_at(Trigger::Catchup).await.unwrap();
        assert!(starts_at > over && starts_at < over + TimeDelta::minutes(2), "{starts_at}");
        let [resets_at, _, slot, next_run_at] = place.told().await;
        assert_eq!((resets_at, next_run_at), (over, starts_at));
        assert!(slot > over && slot <= starts_at, "one of its own slots may come before: {slot}");
        place.clock.asks_time(true);
        assert!(place.clock.ask_whether_kept().await);
        assert_eq!(place.starts_at(Trigger::Retry).await, None);
    }
}
