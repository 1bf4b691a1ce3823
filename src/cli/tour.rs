//! `sellerd try`: a pretend shop, the agent at work on it with real signatures over real HTTP, and everything gone at
//! the end. It is the agent of `sellerd run`; only the words are its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::args::TryOptions;
use super::home::Home;
use super::output::{counted, text, thousands};
use super::{Exit, Failure};
use crate::agent::ask::Desk;
use crate::agent::daemon::{Command, Daemon};
use crate::agent::lifecycle;
use crate::agent::state::Machine;
use crate::agent::trigger::CronTrigger;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{self, Config, init};
use crate::domain::{Currency, JobName, Money, OrderId, Outcome};
use crate::marketplace;
use crate::sandbox::{Options, Sandbox};
use crate::store::orders;
use crate::store::runs::RunRow;
use crate::web::Page;

/// Buyers of the tour come this often on average.
const BUYERS: Duration = Duration::from_secs(6);

/// How often the teller looks whether there is something to tell.
const LOOK: Duration = Duration::from_millis(500);

/// The tour's own schedules: a day's work in a minute.
const SCHEDULES: [(&str, &str); 4] = [
    ("order-poll", "*/3 * * * * *"),
    ("stock-pull", "0 * * * * *"),
    ("probe", "30 * * * * *"),
    ("housekeeping", "45 * * * * *"),
];

/// Runs the tour until Ctrl-C or for the time that was given.
pub async fn run(options: TryOptions, home: &Home) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    home.log_plainly(&clock);
    let mut signals = lifecycle::listen(clock.clone(), options.stop_after)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    let place = Place::of(&options)?;
    let sandbox = open_shop(&options, &clock).await?;
    let config = write_config(place.path(), &sandbox)?;

    let trigger = Box::new(CronTrigger::new(clock.clone()));
    let machine = Machine::in_service(clock.clone());
    let page = Page { listen: config.http.listen };
    let daemon =
        Daemon::start(config, |store| super::run::shared(store, &clock), machine, trigger, &page).await?;
    let (desk, page) = (daemon.desk(), daemon.address());
    let (tell, mut told) = mpsc::channel(4);
    let agent = tokio::spawn(async move { daemon.serve(&mut told).await });

    let told = tokio::select! {
        result = guide(&desk, page, place.path(), &clock) => result,
        _ = signals.recv() => Ok(()),
    };
    // The agent may have ended already; then nobody need be told.
    let _ = tell.send(Command::Drain).await;
    let impatient = async {
        signals.recv().await;
        let _ = tell.send(Command::Drain).await;
        std::future::pending::<()>().await
    };
    tokio::select! {
        ended = agent => { ended.map_err(|error| Failure::internal(error.to_string()))??; }
        () = impatient => {}
    }
    sandbox.stop().await;
    place.leave()?;
    told.map(|()| Exit::Success)
}

async fn open_shop(options: &TryOptions, clock: &SharedClock) -> Result<Sandbox, Failure> {
    let shop = Options {
        seed: options.seed,
        articles: options.articles,
        buyers: Some(BUYERS),
        daily_limit: Some(100_000),
        ..Options::new(clock.clone())
    };
    let orders = shop.orders;
    let sandbox = Sandbox::start(shop)
        .await
        .map_err(|error| Failure::new("E482", Exit::Failed, error.to_string(), ""))?;
    text(&format!(
        "A pretend marketplace is open at {} ({} articles, {orders} orders, seed {})\n",
        sandbox.base_url(),
        thousands(options.articles as i64),
        options.seed,
    ))?;
    Ok(sandbox)
}

/// What `sellerd init` writes, for the pretend shop, with the tour's schedules.
fn write_config(dir: &Path, sandbox: &Sandbox) -> Result<Config, Failure> {
    let marketplace = marketplace::descriptor("cardmarket")
        .ok_or_else(|| Failure::internal("this version knows no Cardmarket"))?;
    let keys = sandbox.credentials();
    let answers = init::Answers {
        marketplace,
        account: "demo-shop".into(),
        timezone: chrono_tz::Europe::Berlin,
        base_url: Some(sandbox.base_url()),
        state_dir: None,
        credentials: Some([
            keys.consumer_key.clone(),
            keys.consumer_secret.clone(),
            keys.token.clone(),
            keys.token_secret.clone(),
        ]),
    };
    let mut files = init::files(&answers);
    for (path, text, _) in &mut files {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if let Some((_, schedule)) = SCHEDULES.iter().find(|(job, _)| *job == stem) {
            *text = with_line(text, "schedule", &format!("{schedule:?}"));
            *text = with_line(text, "jitter", "\"0s\"");
        }
        if stem == "sellerd" {
            *text = with_line(text, "listen", "\"127.0.0.1:0\"");
            *text = with_line(text, "daily_limit", "100000");
            *text = with_line(text, "max_per_second", "50");
        }
    }
    init::write(dir, &files).map_err(|error| Failure::new("E210", Exit::Usage, error.to_string(), ""))?;
    let checked = config::load(dir);
    checked.config.clone().ok_or_else(|| Failure::internal(checked.draw(false)))
}

/// The text with the value of its first `key = ...` line replaced, commented out or not.
fn with_line(text: &str, key: &str, value: &str) -> String {
    let mut done = false;
    let lines = text.lines().map(|line| {
        let is_key = line.split('=').next().is_some_and(|name| name.trim_start_matches("# ").trim() == key);
        if done || !is_key {
            return line.to_owned();
        }
        done = true;
        format!("{key} = {value}")
    });
    lines.map(|line| line + "\n").collect()
}

/// Shows around: the first run of each job, then what happens.
async fn guide(
    desk: &Arc<Desk>,
    page: Option<std::net::SocketAddr>,
    dir: &Path,
    clock: &SharedClock,
) -> Result<(), Failure> {
    text("Logging in with OAuth 1.0a ...  ")?;
    let probe = first(desk, "probe").await?;
    text(&format!("ok, {}\n", probe.message.unwrap_or_default()))?;

    text("Reading stock ...  ")?;
    let pull = first(desk, "stock-pull").await?;
    let articles = thousands(pull.counts.get("articles").copied().unwrap_or_default());
    text(&format!(
        "{articles} articles in {}, {}\n",
        super::runs::duration(&pull),
        counted(pull.requests, "request")
    ))?;

    text("Reading orders ...  ")?;
    let poll = first(desk, "order-poll").await?;
    let found = thousands(states(desk).await?.len() as i64);
    text(&format!(
        "{found} orders in {}, {}\n\n",
        super::runs::duration(&poll),
        counted(poll.requests, "request")
    ))?;

    if let Some(page) = page {
        text(&format!("Look at it:     http://{page}/status.json\n"))?;
    }
    let dir = dir.display();
    text(&format!(
        "Ask it:         sellerd -c {dir} status       (in another terminal; also: orders list, stock list, schedule)\n\
         Your own shop:  sellerd init DIR\n\
         Ctrl-C ends the tour{}.\n\n",
        if dir.to_string().contains(PREFIX) { " and removes everything" } else { "" },
    ))?;
    tell_orders(desk, clock).await
}

/// The first run of a job. One that its schedule has begun already is waited for.
async fn first(desk: &Arc<Desk>, job: &str) -> Result<RunRow, Failure> {
    let name = JobName::from(job);
    let row = loop {
        match desk.run_job(&name).await {
            Ok(row) => break row,
            Err(declined) if declined.exit == Exit::Temporary as u8 => {
                desk.shared.clock.sleep(LOOK).await;
            }
            Err(declined) => return Err(declined.into()),
        }
    };
    match row.outcome {
        Some(Outcome::Success | Outcome::Partial) => Ok(row),
        outcome => {
            let message = row.message.clone().unwrap_or_default();
            Err(Failure::new("E491", Exit::of_run(outcome, row.error_type), format!("{job}: {message}"), ""))
        }
    }
}

/// Says what the agent has recorded, as it records it.
async fn tell_orders(desk: &Arc<Desk>, clock: &SharedClock) -> Result<(), Failure> {
    let mut known = states(desk).await?;
    loop {
        clock.sleep(LOOK).await;
        let now = states(desk).await?;
        for (id, seen) in &now {
            match known.get(id) {
                None => text(&format!(
                    "An order has just come in: #{id}, {}, {} ({})\n",
                    counted(seen.copies, "article"),
                    seen.total,
                    seen.state,
                ))?,
                Some(before) if before.state != seen.state => {
                    text(&format!("Order #{id} is {} now, it was {}\n", seen.state, before.state))?;
                }
                Some(_) => {}
            }
        }
        known = now;
    }
}

struct Seen {
    state: String,
    copies: i64,
    total: String,
}

async fn states(desk: &Arc<Desk>) -> Result<HashMap<OrderId, Seen>, Failure> {
    let read = desk.shared.store.read(|tx| {
        let mut all = HashMap::new();
        orders::each(tx, None, |row| {
            let money = |minor, currency: Currency| Money { minor, currency }.to_string();
            let copies = row.lines.iter().map(|line| line.quantity).sum();
            let total = money(row.total_minor, row.currency);
            all.insert(row.order_id, Seen { state: row.state, copies, total });
            Ok(())
        })?;
        Ok(all)
    });
    Ok(read.await?)
}

/// Where the tour keeps its files.
enum Place {
    Gone(tempfile::TempDir),
    Kept(PathBuf),
}

/// How the temporary directory's name begins.
const PREFIX: &str = "sellerd-try-";

impl Place {
    fn of(options: &TryOptions) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| {
            Failure::new(
                "E474",
                Exit::Failed,
                format!("no directory for the tour: {error}"),
                "make room, or name another with --keep DIR",
            )
        };
        match &options.keep {
            None => tempfile::Builder::new().prefix(PREFIX).tempdir().map(Self::Gone).map_err(wrong),
            Some(dir) => fs::create_dir_all(dir).map(|()| Self::Kept(dir.clone())).map_err(wrong),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Gone(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }

    /// Removes what is temporary and says so.
    fn leave(self) -> Result<(), Failure> {
        match self {
            Self::Kept(dir) => text(&format!("\nThe tour is over. Everything is in {}.\n", dir.display())),
            Self::Gone(dir) => {
                let path = dir.path().display().to_string();
                dir.close().map_err(|error| {
                    Failure::new(
                        "E474",
                        Exit::Failed,
                        format!("{path} could not be removed: {error}"),
                        format!("rm -r {path}"),
                    )
                })?;
                text("\nThe tour is over, and everything is removed.\n")
            }
        }
    }
}
