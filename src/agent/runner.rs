//! Runs jobs: opens the run, works under a time limit, closes it whatever happened, and logs it once.

mod end;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::accounts::{Accounts, Shared};
use super::deferral::{self, Judged};
use super::notices::Notices;
use super::nudge::Neighbours;
use crate::config::{Job, Overlap, Work};
use crate::domain::{ErrorType, JobName, Mode, RunId, Trigger};
use crate::jobs::{self, Context, Errand, Progress};
use crate::policy::deferral::Cost;
use crate::store::{
    StoreError, flags, intents, jobs as job_state, promotions, requests, runs, session, snapshots,
};
use crate::telemetry;
pub(super) use end::log_closed;
use end::{broke_off, from_error, from_report, log_finished, no_account, overlapped, timed_out};

/// Starts runs and knows which are going on. Clones are the same runner.
#[derive(Clone)]
pub struct Runner(Arc<Inner>);

struct Inner {
    shared: Shared,
    state_dir: PathBuf,
    stop: CancellationToken,
    tracker: TaskTracker,
    accounts: Mutex<Accounts>,
    running: Mutex<Running>,
    unended: Mutex<Vec<Ended>>,
    progress: Mutex<HashMap<JobName, Arc<Progress>>>,
    neighbours: Mutex<Neighbours>,
    put_off: Notify,
}

/// A run that is over, and whose end could not be written down yet: the disk was full, say.
struct Ended {
    run: RunId,
    end: runs::RunEnd,
    at: DateTime<Utc>,
}

#[derive(Default)]
struct Running {
    now: HashSet<JobName>,
    /// One deep: what waits for the run of the same job to end.
    queued: HashMap<JobName, Due>,
}

/// What became of a run that was due.
enum Opened {
    /// It begins, and takes about so many requests, where that is known.
    Begins(RunId, Option<i64>),
    /// It is over before it began, since its window cannot pay for it.
    PutOff(runs::RunRow),
    /// It waits for a moment, or for a window that surely is the next one.
    PassedOver,
}

/// A job that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// The job as it is configured now; a reload does not change a run that has begun.
    pub job: Arc<Job>,
    /// The slot. With the job's name it is the run's identity: it cannot run twice.
    pub at: DateTime<Utc>,
    /// Why.
    pub trigger: Trigger,
    /// What is wanted of it.
    pub errand: Errand,
}

impl Runner {
    /// A runner that works `accounts` and stops when `stop` is cancelled.
    pub fn new(shared: Shared, state_dir: PathBuf, accounts: Accounts, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            shared,
            state_dir,
            stop,
            tracker: TaskTracker::new(),
            accounts: Mutex::new(accounts),
            running: Mutex::default(),
            unended: Mutex::default(),
            progress: Mutex::default(),
            neighbours: Mutex::default(),
            put_off: Notify::new(),
        }))
    }

    /// Accounts for the runs that begin from now on.
    pub fn replace_accounts(&self, accounts: Accounts) {
        *lock(&self.0.accounts) = accounts;
        // One of them may have other credentials now, and may be let in again; or need not wait for the time any more.
        self.0.shared.woken.notify_one();
        self.look_at_what_waits();
    }

    /// The jobs that are nudged from now on.
    pub fn replace_neighbours(&self, neighbours: Neighbours) {
        *lock(&self.0.neighbours) = neighbours;
    }

    /// The accounts as they are.
    pub fn accounts(&self) -> Accounts {
        lock(&self.0.accounts).clone()
    }

    /// The jobs that run now.
    pub fn running(&self) -> Vec<JobName> {
        let mut names: Vec<JobName> = lock(&self.0.running).now.iter().cloned().collect();
        names.sort();
        names
    }

    /// Starts a run in the background, unless the job is running: then it is queued or skipped, as the job says.
    pub fn start(&self, due: Due) {
        let runner = self.clone();
        self.0.tracker.spawn(async move {
            let mut next = Some(due);
            while let Some(due) = next.take() {
                let name = due.job.name.clone();
                if let Err(left_out) = runner.reserve(&due) {
                    runner.pass_over(due, left_out).await;
                    return;
                }
                if let Err(error) = runner.run(&due).await {
                    tracing::error!(job = name.as_str(), "a run could not be recorded: {error}");
                }
                next = runner.release(&name);
            }
        });
    }

    /// One run now, waited for. `None` when the job is running already.
    pub async fn run_now(&self, due: Due) -> Result<Option<runs::RunRow>, StoreError> {
        if self.reserve(&Due { job: without_queue(&due.job), ..due.clone() }).is_err() {
            return Ok(None);
        }
        let runner = self.clone();
        let name = due.job.name.clone();
        // A task of its own: whoever asked may go away, the run goes on and is closed.
        let task = self.0.tracker.spawn(async move {
            let run = runner.run(&due).await;
            if let Some(queued) = runner.release(&due.job.name) {
                runner.start(queued);
            }
            run
        });
        match task.await {
            Ok(run) => run,
            Err(error) => Err(StoreError::Internal(format!("the run of {name} broke off: {error}"))),
        }
    }

    /// Waits until a run was put off to another window.
    pub(super) async fn something_put_off(&self) {
        self.0.put_off.notified().await;
    }

    /// What was put off starts at another time than it was.
    pub(super) fn look_at_what_waits(&self) {
        self.0.put_off.notify_one();
    }

    /// Waits until no run is going on. Nothing new should be started.
    pub async fn drained(&self) {
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }

    /// Takes the job, or its place in the queue. What is left out for that is the error: `due` itself, or what waited
    /// before it. The newest slot waits, so that after a crash it is the one that is still owed.
    fn reserve(&self, due: &Due) -> Result<(), Option<Due>> {
        let mut running = lock(&self.0.running);
        if running.now.insert(due.job.name.clone()) {
            return Ok(());
        }
        match due.job.overlap {
            Overlap::Skip => Err(Some(due.clone())),
            Overlap::Queue => Err(running.queued.insert(due.job.name.clone(), due.clone())),
        }
    }

    fn release(&self, name: &JobName) -> Option<Due> {
        let mut running = lock(&self.0.running);
        running.now.remove(name);
        lock(&self.0.progress).remove(name);
        running.queued.remove(name).filter(|_| !self.0.stop.is_cancelled())
    }

    /// A slot that fell into a run of the same job. What is left out for it is recorded as skipped.
    async fn pass_over(&self, due: Due, left_out: Option<Due>) {
        tracing::warn!(event = "job.overlapped", job = due.job.name.as_str(), due = %due.at, "the job is still running");
        let Some(due) = left_out else { return };
        let now = self.0.shared.clock.now();
        let new = new_run(&due, now);
        let recorded = self.0.shared.store.write(move |tx| {
            let Some(run) = runs::open(tx, &new)? else { return Ok(None) };
            runs::finish(tx, run, &overlapped(), now)?;
            job_state::set_planned_from(tx, &new.job, new.due_at)?;
            runs::show(tx, run)
        });
        match recorded.await {
            Ok(row) => row.iter().for_each(log_closed),
            Err(error) => {
                tracing::error!(job = due.job.name.as_str(), "a skipped run could not be recorded: {error}");
            }
        }
    }

    /// The whole of one run. `None` when this slot has run already, or nobody asked and the job is paused or waits for
    /// another window.
    async fn run(&self, due: &Due) -> Result<Option<runs::RunRow>, StoreError> {
        let Shared { store, clock, .. } = &self.0.shared;
        self.end_what_is_over().await;
        let new = new_run(due, clock.now());
        let account = due.job.account.as_ref().and_then(|name| lock(&self.0.accounts).settings(name));
        let earmarks = due.job.account.as_ref().and_then(|name| lock(&self.0.accounts).earmarks(name));
        let earmarks = earmarks.unwrap_or_default();
        let _place = earmarks.place(&due.job.name);
        let (this, clocks) = (due.clone(), clock.both());
        let opened = store.write(move |tx| {
            // Only a run that stands for slots deals with those before it: one that waits behind a nudge is still owed.
            if matches!(new.trigger, Trigger::Schedule | Trigger::Catchup) {
                job_state::set_planned_from(tx, &new.job, new.due_at)?;
            }
            // Whatever starts it, but a person: a pause holds for slots, nudges and what was missed.
            if new.trigger != Trigger::Manual && flags::paused(tx)?.contains_key(&new.job) {
                return Ok(None);
            }
            let judged = account.map_or(Ok(Judged::Goes(None)), |account| {
                deferral::judge(tx, &account, &this, &earmarks, &clocks)
            })?;
            match judged {
                Judged::Goes(needs) => Ok(runs::open(tx, &new)?.map(|run| {
                    let (requests, class) = (needs.unwrap_or_default(), jobs::cost::class(&this.job.work));
                    earmarks.set(&new.job, run, Cost { requests, class });
                    Opened::Begins(run, needs)
                })),
                Judged::PassedOver(until) => Ok(until.map(|_| Opened::PassedOver)),
                Judged::PutOff(end) => {
                    let Some(run) = runs::open(tx, &new)? else { return Ok(None) };
                    runs::finish(tx, run, &end, clocks.now)?;
                    Ok(runs::show(tx, run)?.map(Opened::PutOff))
                }
            }
        });
        let (run, needs) = match opened.await? {
            Some(Opened::Begins(run, needs)) => (run, needs),
            Some(Opened::PassedOver) => {
                self.0.put_off.notify_one();
                return Ok(None);
            }
            Some(Opened::PutOff(row)) => {
                log_closed(&row);
                self.0.put_off.notify_one();
                return Ok(Some(row));
            }
            None => {
                tracing::debug!(
                    job = due.job.name.as_str(),
                    due = %due.at,
                    "this slot has run already, or the job is paused or waits for another window",
                );
                return Ok(None);
            }
        };
        let span = telemetry::run_span(due.job.account.as_ref(), &due.job.name, run);
        self.run_open(due, run, needs).instrument(span).await.map(Some)
    }

    async fn run_open(&self, due: &Due, run: RunId, needs: Option<i64>) -> Result<runs::RunRow, StoreError> {
        let clock = &self.0.shared.clock;
        tracing::debug!(
            event = "job.started",
            trigger = due.trigger.as_str(),
            requests_needed = needs,
            "run started"
        );
        let started = clock.elapsed();
        let ended = self.work(due, run, needs).await;
        let duration_ms = clock.elapsed().saturating_sub(started).as_millis() as u64;
        let row = self.write_end(run, ended, clock.now()).await?;
        log_finished(&row, duration_ms);
        self.nudge(&due.job, &row);
        if row.error_type == Some(ErrorType::QuotaExhausted) {
            self.0.put_off.notify_one();
        }
        Ok(row)
    }

    /// What was sold here is not on the shelf any more: the other channels of it look at once, and not at their next
    /// slot.
    fn nudge(&self, job: &Job, row: &runs::RunRow) {
        let (Work::OrderPoll(_) | Work::StockSync(_), Some(account)) = (&job.work, &row.account) else {
            return;
        };
        if row.counts.get("movements").is_none_or(|movements| *movements == 0) || self.0.stop.is_cancelled() {
            return;
        }
        for job in lock(&self.0.neighbours).of_account(account) {
            let (at, job) = (self.0.shared.clock.now(), Arc::clone(job));
            self.start(Due { job, at, trigger: Trigger::Nudge, errand: Errand::Usual });
        }
    }

    /// Writes down how a run ended, or keeps it in mind for when that is possible.
    async fn write_end(
        &self,
        run: RunId,
        end: runs::RunEnd,
        at: DateTime<Utc>,
    ) -> Result<runs::RunRow, StoreError> {
        let kept = end.clone();
        let accounts = self.accounts();
        let written = self.0.shared.store.write(move |tx| {
            // What it was doing when it failed, took too long or was stopped.
            for account in requests::mark_reads_lost(tx, run, at)? {
                if let Some(settings) = accounts.settings(&account) {
                    Notices::about(&settings).note_cut_off(tx, &account, at)?;
                }
            }
            snapshots::abandon_of(tx, run, at)?;
            intents::drop_pending(tx, Some(run), at)?;
            let end = runs::RunEnd { requests: requests::count_for_run(tx, run)?, ..end };
            runs::finish(tx, run, &end, at)?;
            session::touch(tx, at)?;
            runs::show(tx, run)?.ok_or_else(|| StoreError::Internal(format!("run {run} is not there")))
        });
        let written = written.await;
        if written.is_err() {
            lock(&self.0.unended).push(Ended { run, end: kept, at });
        }
        written
    }

    async fn end_what_is_over(&self) {
        let unended = std::mem::take(&mut *lock(&self.0.unended));
        for Ended { run, end, at } in unended {
            if let Ok(row) = self.write_end(run, end, at).await {
                tracing::info!(run = %row.run_id, job = row.job.as_str(), "the end of an earlier run is written down now");
            }
        }
    }

    /// Whether a run may change anything: its job's file says so or a person has promoted it, or a person has ordered
    /// just this.
    async fn may_write(&self, due: &Due) -> Result<bool, StoreError> {
        match due.errand {
            Errand::Plan | Errand::Undo(_) => Ok(false),
            Errand::Apply { .. } => Ok(true),
            Errand::Usual if due.job.mode == Mode::Apply => Ok(true),
            Errand::Usual => {
                let name = due.job.name.clone();
                let promoted = self.0.shared.store.read(move |tx| promotions::promoted(tx, &name)).await?;
                Ok(promoted.is_some())
            }
        }
    }

    /// How far a job's present run is.
    pub fn progress(&self, name: &JobName) -> Option<Arc<Progress>> {
        lock(&self.0.progress).get(name).cloned()
    }

    /// Works under the job's time limit. A panic is this run's failure and nobody else's.
    async fn work(&self, due: &Due, run: RunId, needs: Option<i64>) -> runs::RunEnd {
        let job = due.job.clone();
        let writes = match self.may_write(due).await {
            Ok(writes) => writes,
            Err(error) => return from_error(&error.into()),
        };
        let account = match &job.account {
            None => None,
            Some(name) => {
                let worked = {
                    let accounts = lock(&self.0.accounts);
                    let worked = accounts.worked(name, run, writes, &self.0.stop);
                    worked.ok_or_else(|| no_account(name, accounts.why_not(name)))
                };
                match worked {
                    Ok(worked) => Some(worked),
                    Err(end) => return end,
                }
            }
        };
        let progress = Arc::new(Progress::of(needs));
        lock(&self.0.progress).insert(job.name.clone(), Arc::clone(&progress));
        let context = Context {
            store: self.0.shared.store.clone(),
            clock: self.0.shared.clock.clone(),
            run,
            job: job.name.clone(),
            account,
            errand: due.errand.clone(),
            trigger: due.trigger,
            state_dir: self.0.state_dir.clone(),
            stop: self.0.stop.clone(),
            progress,
        };
        let limit = job.timeout;
        let task = tokio::spawn(
            async move { tokio::time::timeout(limit, jobs::work(&job.work, &context)).await }
                .in_current_span(),
        );
        match task.await {
            Ok(Ok(Ok(report))) => from_report(report),
            Ok(Ok(Err(error))) => from_error(&error),
            Ok(Err(_)) => timed_out(limit),
            Err(_) => broke_off(),
        }
    }
}

fn new_run(due: &Due, now: DateTime<Utc>) -> runs::NewRun {
    runs::NewRun {
        job: due.job.name.clone(),
        kind: due.job.work.kind().to_owned(),
        account: due.job.account.clone(),
        due_at: due.at,
        trigger: due.trigger,
        started_at: now,
    }
}

/// Who asks by hand wants an answer now, not a place in a queue.
fn without_queue(job: &Arc<Job>) -> Arc<Job> {
    Arc::new(Job { overlap: Overlap::Skip, ..Job::clone(job) })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::accounts::Network;
    use crate::agent::testing::{config_dir, shared};
    use crate::clock::{ManualClock, SharedClock};
    use crate::domain::{AccountName, RequestClass};
    use crate::policy::access::{Access, AccessState, Cause};
    use crate::store::accounts;

    #[tokio::test(start_paused = true)]
    async fn of_what_is_due_during_a_run_the_newest_waits_and_what_waited_is_left_out() {
        let (dir, config) = config_dir();
        let clock: SharedClock = ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap());
        let shared = shared(&dir, &clock, Arc::new(Network));
        let stop = CancellationToken::new();
        let runner = Runner::new(shared, dir.path().to_owned(), Accounts::default(), stop.clone());
        let job = Job { overlap: Overlap::Queue, ..config.jobs[&"housekeeping".into()].clone() };
        let name = job.name.clone();
        let queues =
            Due { job: Arc::new(job), at: clock.now(), trigger: Trigger::Schedule, errand: Errand::Usual };
        let at = |due: Option<Due>| due.map(|due| (due.at - clock.now()).num_minutes());
        let due = |minutes| Due { at: clock.now() + chrono::TimeDelta::minutes(minutes), ..queues.clone() };

        assert!(runner.reserve(&due(0)).is_ok());
        assert_eq!(runner.reserve(&due(5)).map_err(at), Err(None));
        assert_eq!(runner.reserve(&due(10)).map_err(at), Err(Some(5)));
        let by_hand = Due { job: without_queue(&queues.job), ..due(11) };
        assert_eq!(runner.reserve(&by_hand).map_err(at), Err(Some(11)));
        assert_eq!(at(runner.release(&name)), Some(10));
        assert!(runner.reserve(&due(10)).is_ok());
        assert_eq!(runner.reserve(&due(15)).map_err(at), Err(None));
        stop.cancel();
        assert_eq!(at(runner.release(&name)), None, "what waits at a stop is owed at the next start");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_waits_behind_a_nudge_is_still_owed() {
        let (dir, config) = config_dir();
        let clock: SharedClock = ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap());
        let shared = shared(&dir, &clock, Arc::new(Network));
        let store = shared.store.clone();
        let stop = CancellationToken::new();
        let runner = Runner::new(shared, dir.path().to_owned(), Accounts::default(), stop);
        let job = Arc::new(config.jobs[&"housekeeping".into()].clone());
        let slot = clock.now();
        for (trigger, dealt_with) in
            [(Trigger::Nudge, None), (Trigger::Retry, None), (Trigger::Schedule, Some(slot))]
        {
            let minutes = chrono::TimeDelta::minutes(if trigger == Trigger::Schedule { 0 } else { 1 });
            let due = Due { job: Arc::clone(&job), at: slot + minutes, trigger, errand: Errand::Usual };
            runner.run_now(due).await.unwrap();
            let name = job.name.clone();
            let planned_from = store.read(move |tx| job_state::planned_from(tx, &name)).await.unwrap();
            assert_eq!(planned_from, dealt_with, "{trigger}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_canary_that_its_run_had_no_time_for_leaves_again() {
        let (dir, config) = config_dir();
        let clock: SharedClock = ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap());
        let shared = shared(&dir, &clock, Arc::new(Network));
        let store = shared.store.clone();
        let accounts = Accounts::make(&config, &Accounts::default(), &shared).await.unwrap();
        let runner = Runner::new(shared, dir.path().to_owned(), accounts, CancellationToken::new());
        let now = clock.now();
        // It was asked three times already, and the last time by a run.
        let left = store.write(move |tx| {
            let cm = AccountName::from("cm");
            let job = config.jobs[&"probe".into()].clone();
            let due = Due { job: Arc::new(job), at: now, trigger: Trigger::Schedule, errand: Errand::Usual };
            let run = runs::open(tx, &new_run(&due, now))?.unwrap();
            let waits = Access {
                state: AccessState::Suspended,
                cause: Some(Cause::Undecided),
                probes: 3,
                unread: 2,
                ..Access::unknown(now)
            };
            accounts::set_access(tx, &cm, &waits)?;
            let canary = requests::NewRequest {
                account: cm,
                epoch: 1,
                run: Some(run),
                method: "GET".to_owned(),
                template: "account".to_owned(),
                class: RequestClass::Orders,
                attempt: 1,
                writes: false,
                at: now,
            };
            requests::open(tx, &canary)?;
            Ok(run)
        });
        let run = left.await.unwrap();
        runner.write_end(run, timed_out(std::time::Duration::from_secs(30)), now).await.unwrap();
        let access = store.read(move |tx| accounts::access(tx, &"cm".into(), now)).await.unwrap();
        assert!(access.next_probe_at.is_some_and(|at| at > now), "{access:?}");
    }
}
