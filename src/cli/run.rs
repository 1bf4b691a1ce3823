//! `sellerd run`: the agent, until it is stopped.

use std::sync::Arc;

use super::args::RunOptions;
use super::home::Home;
use super::{Exit, Failure};
use crate::agent::accounts::{Network, Shared};
use crate::agent::daemon::{Daemon, Stopped};
use crate::agent::lifecycle;
use crate::agent::state::Machine;
use crate::agent::trigger::CronTrigger;
use crate::clock::{SharedClock, SystemClock};
use crate::http::Random;
use crate::store::Store;
use crate::web::Page;

/// Runs until a signal, or for the time that was given.
pub async fn run(options: RunOptions, home: &Home) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    let config = home.config()?;
    home.log(&config, true, &clock);
    // Signals first: one that comes while the state is opened is not lost.
    let mut commands = lifecycle::listen(clock.clone(), options.stop_after)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    let trigger = Box::new(CronTrigger::new(clock.clone()));
    let machine = Machine::in_service(clock.clone());
    let page = Page { listen: config.http.listen };
    let daemon = Daemon::start(config, |store| shared(store, &clock), machine, trigger, &page).await?;
    match daemon.serve(&mut commands).await? {
        Stopped::Drained => Ok(Exit::Success),
        Stopped::AtOnce => Ok(Exit::Interrupted),
    }
}

/// What accounts are made with in service.
pub fn shared(store: Store, clock: &SharedClock) -> Shared {
    Shared {
        store,
        clock: clock.clone(),
        random: Arc::new(Random::from_machine()),
        wires: Arc::new(Network),
        woken: Arc::default(),
        changing: Arc::default(),
    }
}
