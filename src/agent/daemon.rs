//! The agent itself: takes what is due to the runner, reloads, and stops. It has no signals and no terminal, so that
//! the tour and the tests run the same one.

mod reload;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accounts::{AccountError, Accounts, Shared};
use super::ask::Desk;
use super::credentials;
use super::leftover::{self, There};
use super::nudge::Neighbours;
use super::runner::{Due, Runner};
use super::state::{Machine, State, StateError};
use super::trigger::{self, SharedBoard, Trigger, TriggerError};
use super::vigil::Vigil;
use super::watch::{Front, Watch};
use super::{control, deferral, systemd};
use crate::clock::SharedClock;
use crate::config::{Config, Looked, Work};
use crate::domain::{JobName, Trigger as JobTrigger};
use crate::jobs::Errand;
use crate::policy::due::{Board, Claimed, Plan};
use crate::store::{Store, StoreError, intents, jobs as job_state, problems};

/// A running agent.
pub struct Daemon {
    state: State,
    watch: Arc<Watch>,
    runner: Runner,
    trigger: Box<dyn Trigger>,
    due: mpsc::Receiver<Claimed>,
    servers: TaskTracker,
    stop: CancellationToken,
    servers_stop: CancellationToken,
    address: Option<SocketAddr>,
}

/// What it is told.
#[derive(Debug)]
pub enum Command {
    /// Read the configuration again. The answer says what was wrong with it.
    Reload(Option<oneshot::Sender<Result<(), String>>>),
    /// Start nothing more, finish what runs, and stop. Told twice, it stops at once.
    Drain,
}

/// How it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every run came to its end.
    Drained,
    /// Runs were broken off.
    AtOnce,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An account cannot be made usable.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Nothing would ever be due.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The page cannot be opened.
    #[error("{0}")]
    Front(String),
}

/// Starts a stock-sync of each account that a crash has left with writes in doubt: the longer they stay, the more
/// happens in between, and the harder it gets to tell what they did.
async fn settle_soon(watch: &Watch, runner: &Runner) -> Result<(), StoreError> {
    let doubted = watch.shared.store.read(intents::accounts_in_doubt).await?;
    let config = watch.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    for job in config.jobs.values().filter(|job| job.enabled && matches!(job.work, Work::StockSync(_))) {
        if job.account.as_ref().is_some_and(|account| doubted.contains_key(account)) {
            let (at, job) = (watch.shared.clock.now(), Arc::new(job.clone()));
            runner.start(Due { job, at, trigger: JobTrigger::Retry, errand: Errand::Usual });
        }
    }
    Ok(())
}

/// Claims that wait for us. What does not fit stays on the board.
const WAITING_CLAIMS: usize = 64;

/// How often systemd is told how far the running job is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Runs get this long to end after the first request to stop: less than the unit's `TimeoutStopSec`.
const DRAIN_LIMIT: Duration = Duration::from_secs(110);

impl Daemon {
    /// Takes the state, looks for the credentials of every account, makes the accounts, arms the schedule and opens the ways in. Ready when it returns.
    pub async fn start(
        mut config: Config,
        make_shared: impl FnOnce(Store) -> Shared,
        machine: Machine,
        mut trigger: Box<dyn Trigger>,
        front: &dyn Front,
    ) -> Result<Self, StartError> {
        tracing::info!(
            event = "agent.started",
            version = env!("CARGO_PKG_VERSION"),
            accounts = config.accounts.len(),
            jobs = config.jobs.len(),
            timezone = config.timezone.name(),
            "sellerd started",
        );
        // The state first: a second agent is told of the first, not of its port.
        let state = State::open(&config, &machine).await?;
        let clock = machine.clock;
        let shared = make_shared(state.store.clone());
        if config.accounts.values().any(|account| account.looked == Looked::NotYet) {
            credentials::look_for_all(&mut config).await;
        }
        let accounts = Accounts::make(&config, &Accounts::default(), &shared).await?;
        let stop = CancellationToken::new();
        let runner = Runner::new(shared.clone(), config.state_dir.clone(), accounts, stop.clone());
        runner.replace_neighbours(Neighbours::of(&config));
        let plans = plans(&config, &shared.store, clock.now()).await?;
        let board: SharedBoard = Arc::new(Mutex::new(Board::new(plans, clock.now())));
        let (claims, due) = mpsc::channel(WAITING_CLAIMS);
        trigger.start(board.clone(), claims).await?;

        let config = Arc::new(RwLock::new(Arc::new(config)));
        let watch = Arc::new(Watch { config, shared, board, armed_at: clock.now() });
        let servers_stop = CancellationToken::new();
        let address = match front.open(watch.clone(), servers_stop.clone()).await {
            Ok(address) => address,
            Err(why) => {
                trigger.stop().await;
                state.close(clock.now()).await?;
                return Err(StartError::Front(why));
            }
        };
        settle_soon(&watch, &runner).await?;
        let daemon = Self {
            state,
            watch,
            runner,
            trigger,
            due,
            servers: TaskTracker::new(),
            stop,
            servers_stop,
            address,
        };
        let (watch, runner, stop) = (daemon.watch.clone(), daemon.runner.clone(), daemon.stop.clone());
        daemon.servers.spawn(deferral::keep(watch, runner, stop));
        daemon.open_control();
        let vigil = Vigil::new(daemon.watch.clone(), daemon.runner.clone());
        daemon.servers.spawn(vigil.keep(daemon.stop.clone()));
        systemd::ready();
        daemon.tell_systemd().await;
        tracing::info!(
            event = "agent.ready",
            startup_ms = daemon.watch.shared.clock.elapsed().as_millis() as u64,
            page = daemon.address.map(|address| format!("http://{address}")),
            "ready",
        );
        Ok(daemon)
    }

    /// Where the page is, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where people ask things of it.
    pub fn desk(&self) -> Arc<Desk> {
        Arc::new(Desk {
            config: self.watch.config.clone(),
            runner: self.runner.clone(),
            shared: self.watch.shared.clone(),
        })
    }

    /// Works until it is told to stop.
    pub async fn serve(mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Stopped, StateError> {
        let feeding = systemd::feeding_interval();
        let mut fed = self.watch.shared.clock.elapsed();
        let mut told_running = false;
        loop {
            let feed_in =
                feeding.map(|every| (fed + every).saturating_sub(self.watch.shared.clock.elapsed()));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Reload(answer)) => {
                        let result = self.reload().await;
                        if let Some(answer) = answer {
                            // Whoever asked may have gone.
                            let _ = answer.send(result);
                        }
                    }
                    Some(Command::Drain) | None => break,
                },
                claimed = self.due.recv() => match claimed {
                    Some(claimed) => match self.state.still_there() {
                        Ok(()) => self.take(claimed).await,
                        Err(error) => {
                            // What would be written now is lost, and another agent may have begun in its place.
                            tracing::error!("{error}");
                            self.wind_down(commands).await?;
                            return Err(error);
                        }
                    },
                    None => break,
                },
                // Only under a watchdog: fed by this loop, and only while the schedule is looked at.
                () = self.watch.shared.clock.sleep(feed_in.unwrap_or_default()), if feeding.is_some() => {
                    fed = self.watch.shared.clock.elapsed();
                    if self.watch.not_ready().is_none() {
                        systemd::feed();
                    }
                }
                // Only under systemd: how far the running job is, and once more when it is over.
                () = self.watch.shared.clock.sleep(TOLD_EVERY), if systemd::listens() => {
                    let running = !self.runner.running().is_empty();
                    if running || told_running {
                        self.tell_systemd().await;
                    }
                    told_running = running;
                }
            }
        }
        Ok(self.wind_down(commands).await?)
    }

    /// Starts what is due. Slots that stay undone are said aloud.
    async fn take(&mut self, claimed: Claimed) {
        let config = self.config();
        for missed in claimed.skipped {
            tracing::warn!(
                event = "job.missed",
                job = missed.job.as_str(),
                due = %missed.due_last,
                slots = missed.count,
                action = "skip",
                "the agent was not there; left out, as `on_missed` says",
            );
            let (job, until) = (missed.job, missed.due_last);
            let noted =
                self.watch.shared.store.write(move |tx| job_state::set_planned_from(tx, &job, until)).await;
            if let Err(error) = noted {
                tracing::error!("what was left out could not be recorded: {error}");
            }
        }
        for fire in claimed.fires {
            let Some(job) = config.jobs.get(&fire.job) else { continue };
            if fire.missed > 0 {
                tracing::warn!(
                    event = "job.missed",
                    job = fire.job.as_str(),
                    due = %fire.due_at,
                    slots = fire.missed,
                    late_by_s = (self.watch.shared.clock.now() - fire.due_at).num_seconds(),
                    action = "run-once",
                    "the agent was not there; run once for all of them",
                );
            }
            self.runner.start(Due {
                job: Arc::new(job.clone()),
                at: fire.due_at,
                trigger: fire.trigger,
                errand: Errand::Usual,
            });
        }
        self.tell_systemd().await;
    }

    /// Starts nothing more, waits for what runs, and closes the state.
    async fn wind_down(mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Stopped, StoreError> {
        systemd::stopping();
        let running = self.runner.running();
        tracing::info!(event = "agent.stopping", running_jobs = running.len(), "stopping");
        let begun = self.watch.shared.clock.elapsed();
        self.trigger.stop().await;
        self.stop.cancel();
        let stopped = tokio::select! {
            () = self.runner.drained() => Stopped::Drained,
            () = asked_again(commands) => Stopped::AtOnce,
            () = self.watch.shared.clock.sleep(DRAIN_LIMIT) => Stopped::AtOnce,
            () = keep_fed(&self.watch.shared.clock) => Stopped::AtOnce,
        };
        self.servers_stop.cancel();
        self.servers.close();
        if stopped == Stopped::AtOnce {
            // What still runs is found open by the next start and recorded as interrupted.
            tracing::warn!(event = "agent.stopped", "stopped at once");
            return Ok(stopped);
        }
        // A client that keeps its connection open does not keep the agent.
        tokio::select! {
            () = self.servers.wait() => {}
            () = self.watch.shared.clock.sleep(Duration::from_secs(1)) => {}
        }
        let _ = std::fs::remove_file(control::socket_path(&self.config().state_dir));
        let now = self.watch.shared.clock.now();
        let wait_ms = self.watch.shared.clock.elapsed().saturating_sub(begun).as_millis() as u64;
        self.state.close(now).await?;
        tracing::info!(event = "agent.stopped", wait_ms, "stopped");
        Ok(stopped)
    }

    fn config(&self) -> Arc<Config> {
        self.watch.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Without a control socket the agent works all the same; only `job run` cannot reach it.
    fn open_control(&self) {
        let desk = self.desk();
        let stop = self.servers_stop.clone();
        match control::bind(&self.config().state_dir) {
            Ok(listener) => {
                self.servers.spawn(async move {
                    if let Err(error) = control::serve(listener, desk, stop).await {
                        tracing::error!("the control socket broke off: {error}");
                    }
                });
            }
            Err(error) => tracing::warn!(
                "no control socket in {} ({error}); `sellerd job run` cannot reach this agent",
                self.config().state_dir.display(),
            ),
        }
    }

    /// One line for `systemctl status`.
    async fn tell_systemd(&self) {
        if !systemd::listens() {
            return;
        }
        let now = self.watch.shared.clock.now();
        let config = self.config();
        let next = trigger::lock(&self.watch.board).upcoming(now, 1).into_iter().next();
        let next = next.map(|(job, at, _)| {
            format!(", next {job} {}", at.with_timezone(&config.timezone).format("%H:%M"))
        });
        let open = self.watch.shared.store.read(problems::list).await.unwrap_or_default();
        let first = open.first().map(|problem| format!(": {}", problem.title)).unwrap_or_default();
        let (jobs, next) = (config.jobs.len(), next.unwrap_or_default());
        let running = self.runner.running().into_iter().find_map(|name| {
            let moment = self.runner.progress(&name)?.now();
            let count = match (moment.done, moment.total, moment.left_s(self.watch.shared.clock.elapsed())) {
                (_, _, Some(left)) => format!(", {left} s left"),
                (0, 0, None) => String::new(),
                (done, 0, None) => format!(" {done}"),
                (done, total, None) => format!(" {done} of {total}"),
            };
            Some(format!("{name}: {}{count}; ", moment.phase))
        });
        let running = running.unwrap_or_default();
        systemd::status(&format!("{running}{jobs} jobs{next}, {} problems{first}", open.len()));
    }
}

/// A plan for each job, from where it was left. This configuration is good, so a complaint about an earlier one is
/// over, and so is what is about something that it does not have any more.
async fn plans(config: &Config, store: &Store, now: DateTime<Utc>) -> Result<Vec<Plan>, StoreError> {
    let jobs: Vec<(JobName, bool)> =
        config.jobs.values().map(|job| (job.name.clone(), job.enabled)).collect();
    let there = There::of(config);
    let from = store
        .write(move |tx| {
            problems::close(tx, reload::FAILED, "config", now)?;
            leftover::sweep(tx, &there, now)?;
            let mut from = Vec::with_capacity(jobs.len());
            for (name, enabled) in &jobs {
                let known = job_state::planned_from(tx, name)?.filter(|_| *enabled);
                if known.is_none() {
                    // A new job has missed nothing; from here on it can. Nor has one that is switched off.
                    job_state::set_planned_from(tx, name, now)?;
                }
                from.push(known.unwrap_or(now));
            }
            Ok(from)
        })
        .await?;
    Ok(config
        .jobs
        .values()
        .zip(from)
        .map(|(job, planned_from)| Plan {
            job: job.name.clone(),
            schedule: job.schedule.clone(),
            enabled: job.enabled,
            jitter: job.jitter,
            on_missed: job.on_missed,
            planned_from,
        })
        .collect())
}

/// Feeds the watchdog for as long as the drain may take: it has a limit of its own. Never returns.
async fn keep_fed(clock: &SharedClock) {
    match systemd::feeding_interval() {
        None => std::future::pending().await,
        Some(every) => loop {
            systemd::feed();
            clock.sleep(every).await;
        },
    }
}

async fn asked_again(commands: &mut mpsc::Receiver<Command>) {
    loop {
        match commands.recv().await {
            Some(Command::Drain) => return,
            Some(Command::Reload(_)) => {}
            // Nobody is left to ask.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::config_dir;
    use crate::store::Lane;

    #[tokio::test(start_paused = true)]
    async fn a_job_that_was_switched_off_owes_nothing_for_that_time_and_a_good_start_ends_the_old_complaint()
    {
        let (dir, mut config) = config_dir();
        let start = |day: u32| -> DateTime<Utc> { format!("2026-11-{day:02}T10:00:00Z").parse().unwrap() };
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, start(1)).unwrap();
        for (code, subject) in [(reload::FAILED, "config"), ("E450", "an-account-that-is-gone")] {
            let problem = problems::Problem {
                code: code.to_owned(),
                subject: subject.to_owned(),
                severity: problems::Severity::Warning,
                title: String::new(),
                since: start(1),
                fix: String::new(),
            };
            store.write(move |tx| problems::open(tx, &problem)).await.unwrap();
        }
        for (day, enabled, owed_from) in [(1, true, 1), (2, true, 1), (9, false, 9), (20, true, 9)] {
            config.jobs.values_mut().for_each(|job| job.enabled = enabled);
            let plans = plans(&config, &store, start(day)).await.unwrap();
            assert_eq!(plans.len(), config.jobs.len());
            assert!(plans.iter().all(|plan| plan.planned_from == start(owed_from)), "day {day}: {plans:?}");
        }
        assert_eq!(store.read(problems::list).await.unwrap(), []);
    }
}
