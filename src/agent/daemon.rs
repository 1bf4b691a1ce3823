//! The agent itself: takes what is due to the runner, reloads, and stops. It has no signals and no terminal, so that
//! the tour and the tests run the same one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accounts::{AccountError, Accounts, Shared};
use super::ask::Desk;
use super::page::{Page, Pages, Source};
use super::runner::{Due, Runner};
use super::state::{State, StateError};
use super::status::Status;
use super::trigger::{self, SharedBoard, Trigger, TriggerError};
use super::{control, systemd};
use crate::config::{self, Config, Severity};
use crate::domain::JobName;
use crate::policy::due::{Board, Claimed, Plan};
use crate::store::{Store, StoreError, jobs as job_state, problems};

/// A running agent.
pub struct Daemon {
    state: State,
    config: Arc<RwLock<Arc<Config>>>,
    shared: Shared,
    runner: Runner,
    board: SharedBoard,
    trigger: Box<dyn Trigger>,
    due: mpsc::Receiver<Claimed>,
    servers: TaskTracker,
    stop: CancellationToken,
    servers_stop: CancellationToken,
    address: Option<SocketAddr>,
    armed_at: DateTime<Utc>,
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
    /// The page's address is taken.
    #[error("{0}")]
    Listen(String),
}

/// Claims that wait for us. What does not fit stays on the board.
const WAITING_CLAIMS: usize = 64;

/// Runs get this long to end after the first request to stop: less than the unit's `TimeoutStopSec`.
const DRAIN_LIMIT: Duration = Duration::from_secs(110);

/// Ready means that the schedule was looked at within this span.
const TICK_LIMIT: Duration = Duration::from_secs(60);

impl Daemon {
    /// Takes the state, makes the accounts, arms the schedule and opens the ways in. Ready when it returns.
    pub async fn start(
        config: Config,
        pages: &dyn Pages,
        make_shared: impl FnOnce(Store) -> Shared,
        clock: crate::clock::SharedClock,
        mut trigger: Box<dyn Trigger>,
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
        let state = State::open(&config, &clock).await?;
        let page = match config.http.listen {
            None => None,
            Some(listen) => match pages.bind(listen).await {
                Ok(page) => Some(page),
                Err(why) => {
                    state.close(clock.now()).await?;
                    return Err(StartError::Listen(why));
                }
            },
        };
        let shared = make_shared(state.store.clone());
        let accounts = Accounts::make(&config, &Accounts::default(), &shared).await?;
        let stop = CancellationToken::new();
        let runner = Runner::new(shared.clone(), config.state_dir.clone(), accounts, stop.clone());
        let plans = plans(&config, &shared.store, clock.now()).await?;
        let board: SharedBoard = Arc::new(Mutex::new(Board::new(plans, clock.now())));
        let (claims, due) = mpsc::channel(WAITING_CLAIMS);
        trigger.start(board.clone(), claims).await?;

        let config = Arc::new(RwLock::new(Arc::new(config)));
        let mut daemon = Self {
            state,
            config,
            shared,
            runner,
            board,
            trigger,
            due,
            servers: TaskTracker::new(),
            stop,
            servers_stop: CancellationToken::new(),
            address: None,
            armed_at: clock.now(),
        };
        daemon.open_page(page);
        daemon.open_control();
        systemd::ready();
        daemon.tell_systemd().await;
        tracing::info!(
            event = "agent.ready",
            startup_ms = daemon.shared.clock.elapsed().as_millis() as u64,
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
            config: self.config.clone(),
            runner: self.runner.clone(),
            shared: self.shared.clone(),
        })
    }

    /// Works until it is told to stop.
    pub async fn serve(mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Stopped, StoreError> {
        let feeding = systemd::feeding_interval();
        let mut fed = self.shared.clock.elapsed();
        loop {
            let feed_in = feeding.map(|every| (fed + every).saturating_sub(self.shared.clock.elapsed()));
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
                    Some(claimed) => self.take(claimed).await,
                    None => break,
                },
                // Only under a watchdog: fed by this loop, and only while the schedule is looked at.
                () = self.shared.clock.sleep(feed_in.unwrap_or_default()), if feeding.is_some() => {
                    fed = self.shared.clock.elapsed();
                    if self.not_ticking().is_none() {
                        systemd::feed();
                    }
                }
            }
        }
        self.wind_down(commands).await
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
            let noted = self.shared.store.write(move |tx| job_state::set_planned_from(tx, &job, until)).await;
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
                    late_by_s = (self.shared.clock.now() - fire.due_at).num_seconds(),
                    action = "run-once",
                    "the agent was not there; run once for all of them",
                );
            }
            self.runner.start(Due { job: Arc::new(job.clone()), at: fire.due_at, trigger: fire.trigger });
        }
        self.tell_systemd().await;
    }

    /// All or nothing: a mistake keeps the old configuration and becomes a problem that people see.
    async fn reload(&mut self) -> Result<(), String> {
        systemd::reloading();
        let result = self.try_reload().await;
        if let Err(why) = &result {
            let problem = problems::Problem {
                code: RELOAD_FAILED.to_owned(),
                subject: "config".to_owned(),
                severity: problems::Severity::Warning,
                title: format!("the agent goes on with its older configuration: {why}"),
                since: self.shared.clock.now(),
                fix: "sellerd config check, then reload again".to_owned(),
            };
            let noted = self.shared.store.write(move |tx| problems::open(tx, &problem)).await;
            if let Err(error) = noted {
                tracing::error!("a problem could not be recorded: {error}");
            }
        }
        systemd::ready();
        self.tell_systemd().await;
        result
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        let old = self.config();
        let checked = config::load(&old.dir);
        let Some(new) = checked.config else {
            let first = checked.diagnostics.iter().find(|d| d.severity == Severity::Error);
            let why = first.map_or_else(
                || "it cannot be read".to_owned(),
                |d| format!("{}:{}: {}", d.file.display(), d.line, d.message),
            );
            tracing::error!(
                event = "config.reload_failed",
                file = first.map(|d| d.file.display().to_string()),
                line = first.map(|d| d.line),
                code = first.map(|d| d.code),
                "the configuration has mistakes, the old one stays: {why}",
            );
            return Err(why);
        };
        let changes = old.changes_to(&new);
        let accounts = Accounts::make(&new, &self.runner.accounts(), &self.shared)
            .await
            .map_err(|error| error.to_string())?;
        let now = self.shared.clock.now();
        let plans = plans(&new, &self.shared.store, now).await.map_err(|error| error.to_string())?;
        let store = &self.shared.store;
        let closed = store.write(move |tx| problems::close(tx, RELOAD_FAILED, "config", now)).await;
        closed.map_err(|error| error.to_string())?;
        *self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(new);
        self.runner.replace_accounts(accounts);
        trigger::lock(&self.board).replace(plans, now);
        if let Err(error) = self.trigger.replace().await {
            tracing::warn!("{error}");
        }
        tracing::info!(event = "config.reloaded", changes = %changes, "configuration reloaded");
        Ok(())
    }

    /// Starts nothing more, waits for what runs, and closes the state.
    async fn wind_down(mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Stopped, StoreError> {
        systemd::stopping();
        let running = self.runner.running();
        tracing::info!(event = "agent.stopping", running_jobs = running.len(), "stopping");
        let begun = self.shared.clock.elapsed();
        self.trigger.stop().await;
        self.stop.cancel();
        let stopped = tokio::select! {
            () = self.runner.drained() => Stopped::Drained,
            () = asked_again(commands) => Stopped::AtOnce,
            () = self.shared.clock.sleep(DRAIN_LIMIT) => Stopped::AtOnce,
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
            () = self.shared.clock.sleep(Duration::from_secs(1)) => {}
        }
        let _ = std::fs::remove_file(control::socket_path(&self.config().state_dir));
        let now = self.shared.clock.now();
        let wait_ms = (self.shared.clock.elapsed() - begun).as_millis() as u64;
        self.state.close(now).await?;
        tracing::info!(event = "agent.stopped", wait_ms, "stopped");
        Ok(stopped)
    }

    fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn open_page(&mut self, page: Option<Box<dyn Page>>) {
        let Some(page) = page else { return };
        self.address = Some(page.address());
        let source = Arc::new(View {
            config: self.config.clone(),
            shared: self.shared.clone(),
            board: self.board.clone(),
            armed_at: self.armed_at,
        });
        let stop = self.servers_stop.clone();
        self.servers.spawn(async move {
            if let Err(error) = page.serve(source, stop).await {
                tracing::error!("the page broke off: {error}");
            }
        });
    }

    /// Without a control socket the agent works all the same; only `job run` cannot reach it.
    fn open_control(&mut self) {
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

    fn not_ticking(&self) -> Option<String> {
        not_ticking(&self.board, self.armed_at, self.shared.clock.now())
    }

    /// One line for `systemctl status`.
    async fn tell_systemd(&self) {
        if !systemd::listens() {
            return;
        }
        let now = self.shared.clock.now();
        let config = self.config();
        let next = trigger::lock(&self.board).upcoming(now, 1).into_iter().next();
        let next = next.map(|(job, at, _)| {
            format!(", next {job} {}", at.with_timezone(&config.timezone).format("%H:%M"))
        });
        let open = self.shared.store.read(problems::list).await.unwrap_or_default();
        let first = open.first().map(|problem| format!(": {}", problem.title)).unwrap_or_default();
        let (jobs, next) = (config.jobs.len(), next.unwrap_or_default());
        systemd::status(&format!("{jobs} jobs{next}, {} problems{first}", open.len()));
    }
}

const RELOAD_FAILED: &str = "E460";

/// What the page shows is read when it is asked for.
struct View {
    config: Arc<RwLock<Arc<Config>>>,
    shared: Shared,
    board: SharedBoard,
    armed_at: DateTime<Utc>,
}

#[async_trait]
impl Source for View {
    async fn status(&self) -> Result<Status, String> {
        let config = self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let status = Status::read(&config, Some(&self.shared.store), self.shared.clock.now()).await;
        status.map_err(|error| error.to_string())
    }

    fn not_ready(&self) -> Option<String> {
        not_ticking(&self.board, self.armed_at, self.shared.clock.now())
    }
}

/// The schedule was armed at `armed_at`; from then on it has to be looked at again and again.
fn not_ticking(board: &SharedBoard, armed_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<String> {
    let last = trigger::lock(board).last_claim().unwrap_or(armed_at);
    let fresh = (now - last).abs().to_std().is_ok_and(|age| age <= TICK_LIMIT);
    (!fresh).then(|| "the schedule has not been looked at for a minute".to_owned())
}

/// A plan for each job, from where it was left.
async fn plans(config: &Config, store: &Store, now: DateTime<Utc>) -> Result<Vec<Plan>, StoreError> {
    let names: Vec<JobName> = config.jobs.keys().cloned().collect();
    let from = store
        .write(move |tx| {
            let mut from = Vec::with_capacity(names.len());
            for name in &names {
                let known = job_state::planned_from(tx, name)?;
                if known.is_none() {
                    // A new job has missed nothing; from here on it can.
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
