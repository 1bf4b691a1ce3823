//! The agent under test: the real daemon on its state, with the world's wire, clock and trigger given to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sellerd::agent::accounts::Shared;
use sellerd::agent::ask::Desk;
use sellerd::agent::daemon::{Command, Daemon, StartError};
use sellerd::agent::state::Machine;
use sellerd::agent::watch::NoFront;
use sellerd::clock::{Clock, SharedClock};
use sellerd::config::{self, Config};
use sellerd::domain::{Clocks, Mark};
use sellerd::http::Random;
use sellerd::sandbox::Keys;
use sellerd::store::Lane;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::market::{Name, TRADEME};
use crate::story::{ShopPlan, Story};
use crate::tap::{Hand, Tap};
use crate::watch::Removed;
use crate::wire::Wired;
use crate::world::World;

/// How long the agent waits for a write whose answer was lost: the way there and what the shop puts off.
const GRACE_S: u64 = 180;

/// What new listings at Trade Me are made from.
const TEMPLATE: &str = r#"{"Category": "3762", "Description": ["Ships next working day."], "Duration": 7, "Pickup": 3,
    "ShippingOptions": [{"Type": 4, "Price": 6.1, "Method": "NZ courier"}], "PaymentMethods": [1, 32],
    "HasAgreedWithLegalNotice": true}"#;

/// A running agent.
pub struct Agent {
    /// Where people ask things of it.
    pub desk: Arc<Desk>,
    /// What ticks its schedule.
    pub hand: Hand,
    /// What it is made of, for whoever wants to start a second one.
    pub config: Config,
    /// Its machine.
    pub machine: Machine,
    tell: mpsc::Sender<Command>,
    serving: JoinHandle<()>,
}

/// What the agent's machine shows. It can be held back, for the control that must not notice that time passed.
struct Shown {
    world: Arc<World>,
    who: u32,
    removed: Option<Removed>,
    /// Whether the machine has a time server to ask.
    asks_time: bool,
    /// How far its clock was off when that server last said that it is right.
    kept: Mutex<Option<TimeDelta>>,
}

impl Shown {
    fn off(&self) -> TimeDelta {
        let world = self.world.look();
        world.mine.now() - world.truth.now()
    }
}

#[async_trait]
impl Clock for Shown {
    fn now(&self) -> DateTime<Utc> {
        let world = self.world.look();
        world.held.get(&self.who).map_or_else(|| world.mine.now(), |held| held.0)
    }

    fn elapsed(&self) -> Duration {
        let world = self.world.look();
        world.held.get(&self.who).map_or_else(|| world.shows(self.who), |held| held.1)
    }

    fn mark(&self) -> Option<Mark> {
        (self.removed != Some(Removed::Mark)).then(|| self.world.look().mark())
    }

    fn both(&self) -> Clocks {
        let kept = self.kept.lock().unwrap().is_some_and(|then| then == self.off());
        Clocks { now: self.now(), mark: self.mark(), kept }
    }

    async fn ask_whether_kept(&self) -> bool {
        let off = self.off();
        let right = self.asks_time && off.abs() < TimeDelta::milliseconds(500);
        *self.kept.lock().unwrap() = right.then_some(off);
        if right {
            self.world.look().tally.time_asked += 1;
        }
        right
    }
}

impl Agent {
    /// Starts the agent number `who` on this state.
    pub async fn start(
        config: &Config,
        state_dir: &Path,
        world: &Arc<World>,
        who: u32,
        story: &Story,
    ) -> Result<Self, StartError> {
        let config = Config { state_dir: state_dir.to_owned(), ..config.clone() };
        let clock: SharedClock = Arc::new(Shown {
            world: world.clone(),
            who,
            removed: story.removed,
            asks_time: story.asks_time,
            kept: Mutex::default(),
        });
        let machine = Machine { clock: clock.clone(), lane: Lane::Inline };
        let removed = story.removed;
        let (trigger, hand) = Tap::new(clock.clone(), world.clone(), config.clone(), story);
        let wires = Arc::new(Wired { world: world.clone(), who, removed });
        // Another process draws other numbers.
        let random = Arc::new(Random::seeded(story.seed.wrapping_mul(1_000_003) ^ u64::from(who)));
        let shared =
            |store| Shared { store, clock, random, wires, woken: Arc::default(), changing: Arc::default() };
        let daemon =
            Daemon::start(config.clone(), shared, machine.clone(), Box::new(trigger), &NoFront).await?;
        let desk = daemon.desk();
        let (tell, mut told) = mpsc::channel(4);
        let serving = tokio::spawn(async move {
            // What it ends with is what the next start finds.
            let _ = daemon.serve(&mut told).await;
        });
        Ok(Self { desk, hand, config, machine, tell, serving })
    }

    /// Stops it in order.
    pub async fn stop(self) {
        let _ = self.tell.send(Command::Drain).await;
        let _ = self.serving.await;
    }

    /// Tells it something.
    pub async fn tell(&self, command: Command) {
        let _ = self.tell.send(command).await;
    }
}

/// Writes a configuration directory and reads it as the agent does.
pub fn configure(dir: &Path, story: &Story, keys: &BTreeMap<Name, Keys>) -> Result<Config, String> {
    let write = |path: PathBuf, text: String| {
        use std::os::unix::fs::PermissionsExt;
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)))
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let Story { shops, settings, sellers, .. } = story;
    let mut text = format!(
        "config_version = 1\ntimezone = {:?}\nstate_dir = \"state\"\n[http]\nlisten = \"off\"\n",
        settings.zone.name()
    );
    for shop in shops {
        text += &format!(
            "[accounts.{}]\n{}max_per_second = {}\nrequest_timeout = \"{}s\"\ngrace = \"{}s\"\n",
            shop.name(),
            shop.lines(),
            settings.per_second,
            settings.request_timeout_s,
            if story.removed == Some(Removed::Grace) { 0 } else { GRACE_S },
        );
    }
    if story.channel {
        let names: Vec<Name> = shops.iter().map(ShopPlan::name).collect();
        text += &format!("[channels.shelf]\naccounts = {names:?}\n");
    }
    write(dir.join("sellerd.toml"), text)?;
    if sellers.contains_key(TRADEME) {
        write(dir.join("templates/default.json"), TEMPLATE.to_owned())?;
    }
    for (name, keys) in keys {
        write(
            dir.join(format!("secrets/{name}.toml")),
            format!(
                "consumer_key = {:?}\nconsumer_secret = {:?}\ntoken = {:?}\ntoken_secret = {:?}\n",
                keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret
            ),
        )?;
    }
    for job in &settings.jobs {
        let account = job.account.map(|name| format!("account = \"{name}\"\n")).unwrap_or_default();
        write(
            dir.join(format!("jobs/{}.toml", job.name())),
            format!(
                "kind = \"{}\"\n{account}schedule = {:?}\nmode = \"{}\"\ntimeout = \"{}s\"\njitter = \"{}s\"\n\
                 overlap = \"{}\"\non_missed = \"{}\"\n{}",
                job.kind,
                job.schedule,
                job.mode,
                job.timeout_s,
                job.jitter_s,
                job.overlap,
                job.on_missed,
                job.more()
            ),
        )?;
    }
    let checked = config::load(dir);
    checked.config.clone().ok_or_else(|| checked.draw(false))
}
