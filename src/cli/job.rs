//! `sellerd job run`: one run now, in the agent if there is one, else in this process.

use std::io::IsTerminal;
use std::sync::{Arc, RwLock};

use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::home::Home;
use super::output::note;
use super::progress::Watch;
use super::{Exit, Failure};
use crate::agent::accounts::Accounts;
use crate::agent::ask::{Answered, Declined, Desk, Going, no_job};
use crate::agent::daemon::Command;
use crate::agent::runner::Runner;
use crate::agent::state::{Machine, State};
use crate::agent::{control, lifecycle};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::JobName;
use crate::http::local::{self, AgentError};
use crate::jobs::Errand;
use crate::store::runs::RunRow;

/// Runs a job and shows its run.
pub async fn run(name: &str, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    home.log(&config, false, &SystemClock::shared());
    let name = JobName::from(name);
    if !config.jobs.contains_key(&name) {
        return Err(no_job(&name, &config).into());
    }
    let tz = config.timezone;
    let row = one_run(config, &name, Errand::Usual, home).await?;
    super::runs::print(&row, home, tz)?;
    Ok(Exit::of_run(row.outcome, row.error_type))
}

/// One run of a job with this errand, in the agent if there is one, else in this process. Shows how far it is.
pub async fn one_run(config: Config, name: &JobName, errand: Errand, home: &Home) -> Result<RunRow, Failure> {
    let body = serde_json::to_vec(&errand).map_err(|error| Failure::internal(error.to_string()))?;
    let watch = Watch::of(home);
    let (run, progress) = (format!("/job/{name}/run"), format!("/job/{name}/progress"));
    let socket = control::socket_path(&config.state_dir);
    let look = async || {
        let (_, body) = local::look_at_agent(&socket, &progress).await?;
        serde_json::from_slice::<Option<Going>>(&body).ok().flatten()
    };
    let answered = tokio::select! {
        biased;
        answered = watch.during(ask_agent(&config, &run, body), look) => answered?,
        () = interrupted()? => return Err(goes_on(name)),
    };
    if let Some(answered) = answered {
        return Ok(answered?);
    }
    let mut config = config;
    if let Some(account) = config.jobs.get(name).and_then(|job| job.account.clone()) {
        home.look_for(&mut config, &account).await;
    }
    let question = async |desk: &Desk| {
        watch.during(desk.run_job(name, errand), async || desk.progress(name).await).await
    };
    Ok(here(config, question).await??)
}

/// Asks the agent that runs on this state directory, if one does.
pub async fn ask_agent<T: DeserializeOwned>(
    config: &Config,
    path: &str,
    body: impl Into<Zeroizing<Vec<u8>>>,
) -> Result<Option<Answered<T>>, Failure> {
    let socket = control::socket_path(&config.state_dir);
    let Some((status, body)) = local::ask_agent(&socket, path, body.into()).await.map_err(unanswered)? else {
        return Ok(None);
    };
    let garbled = |error| {
        Failure::internal(format!("the running sellerd answered oddly ({error}); is it another version?"))
    };
    if status == 200 {
        return serde_json::from_slice(&body).map(|value| Some(Ok(value))).map_err(garbled);
    }
    serde_json::from_slice::<Declined>(&body).map(|why| Some(Err(why))).map_err(garbled)
}

/// A stopped process keeps its socket, and would be waited for until somebody lets it go on.
fn unanswered(error: AgentError) -> Failure {
    match error {
        AgentError::Stuck => Failure::new(
            "E441",
            Exit::Failed,
            error.to_string(),
            "look whether it is stopped (STAT T): ps -o pid,stat,args -C sellerd; then kill -CONT its pid, or restart it",
        ),
        AgentError::BrokeOff(_) => Failure::internal(error.to_string()),
    }
}

/// Ends with Ctrl-C or its like.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let mut commands = lifecycle::listen(SystemClock::shared(), None)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    Ok(async move {
        while let Some(command) = commands.recv().await {
            if matches!(command, Command::Drain) {
                return;
            }
        }
        std::future::pending().await
    })
}

/// Who stops waiting has not stopped the run: it is the agent's.
fn goes_on(name: &JobName) -> Failure {
    if std::io::stderr().is_terminal() {
        // The line that shows how far it is.
        note("\n");
    }
    Failure::new(
        "E491",
        Exit::Interrupted,
        format!("{name}: no longer waited for; the running sellerd goes on with it"),
        format!("to stop every write now: sellerd halt; how it ends: sellerd runs list --job {name}"),
    )
}

/// Takes the state for one question. Ctrl-C lets what runs come to its end.
pub async fn here<T>(config: Config, question: impl AsyncFnOnce(&Desk) -> T) -> Result<T, Failure> {
    let clock = SystemClock::shared();
    let state = State::open(&config, &Machine::in_service(clock.clone())).await?;
    let shared = super::run::shared(state.store.clone(), &clock);
    let accounts = Accounts::make(&config, &Accounts::default(), &shared).await?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let runner = Runner::new(shared.clone(), config.state_dir.clone(), accounts, stop);
    let desk = Desk { config: Arc::new(RwLock::new(Arc::new(config))), runner, shared };
    let answer = question(&desk).await;
    desk.runner.drained().await;
    state.close(clock.now()).await?;
    Ok(answer)
}

fn stop_on_signal(stop: CancellationToken) -> Result<(), Failure> {
    let mut commands = lifecycle::listen(SystemClock::shared(), None)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    tokio::spawn(async move {
        let mut asked = false;
        while let Some(command) = commands.recv().await {
            match command {
                Command::Reload(_) => {}
                Command::Drain if asked => std::process::exit(Exit::Interrupted as i32),
                Command::Drain => {
                    asked = true;
                    stop.cancel();
                }
            }
        }
    });
    Ok(())
}
