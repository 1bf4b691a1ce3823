//! What the tests of this room share: a configuration, and what an agent is made of without a network.

use std::sync::Arc;

use tempfile::TempDir;

use super::accounts::{Shared, Wires};
use crate::clock::SharedClock;
use crate::config::{self, Config, init};
use crate::http::Random;
use crate::store::{Lane, Store};

/// What `sellerd init` writes for one account `cm`, with a login.
pub(super) fn config_dir() -> (TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let answers = init::Answers {
        marketplace: &crate::marketplace::ALL[0],
        account: "cm".into(),
        timezone: chrono_tz::Europe::Berlin,
        base_url: None,
        state_dir: None,
        credentials: Some(["one", "two", "three", "four"].map(Into::into)),
    };
    init::write(dir.path(), &init::files(&answers)).unwrap();
    let checked = config::load(dir.path());
    let config = checked.config.clone().unwrap_or_else(|| panic!("{}", checked.draw(false)));
    (dir, config)
}

/// A database beside the configuration, and the rest.
pub(super) fn shared(dir: &TempDir, clock: &SharedClock, wires: Arc<dyn Wires>) -> Shared {
    let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, clock.now()).unwrap();
    Shared {
        store,
        clock: clock.clone(),
        random: Arc::new(Random::seeded(1)),
        wires,
        woken: Arc::default(),
        changing: Arc::default(),
    }
}
