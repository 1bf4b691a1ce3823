//! `sellerd try`: pretend shops of one seller side by side, the agent at work on them with real signatures over real
//! HTTP, and everything gone at the end. It is the agent of `sellerd run`; only the words are its own.

mod shops;

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
use crate::domain::{AccountName, Money, OrderId, Outcome};
use crate::sandbox::{Options, Sandbox, trademe};
use crate::store::orders;
use crate::store::runs::RunRow;
use crate::web::Page;
use shops::Shop;

/// Buyers of the tour come this often on average, to each shop.
const BUYERS: Duration = Duration::from_secs(6);

/// How often the teller looks whether there is something to tell.
const LOOK: Duration = Duration::from_millis(500);

/// Runs the tour until Ctrl-C or for the time that was given.
pub async fn run(options: TryOptions, home: &Home) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    // Its poll every few seconds may overlap on a busy machine; the words are the guide's.
    home.log_plainly("error", &clock);
    let mut signals = lifecycle::listen(clock.clone(), options.stop_after)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    let place = Place::of(&options)?;
    let sandbox = open_shops(&options, &clock).await?;
    let shops = shops::announced(&sandbox.announcement())?;
    introduce(&shops, &options)?;
    let config = shops::write_config(place.path(), &shops)?;

    let trigger = Box::new(CronTrigger::new(clock.clone()));
    let machine = Machine::in_service(clock.clone());
    let page = Page { listen: config.http.listen };
    let daemon =
        Daemon::start(config, |store| super::run::shared(store, &clock), machine, trigger, &page).await?;
    let (desk, page) = (daemon.desk(), daemon.address());
    let (tell, mut told) = mpsc::channel(4);
    let agent = tokio::spawn(async move { daemon.serve(&mut told).await });

    let told = tokio::select! {
        result = guide(&desk, &shops, page, place.path()) => result,
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

async fn open_shops(options: &TryOptions, clock: &SharedClock) -> Result<Sandbox, Failure> {
    let trademe = trademe::Options {
        // The same things in both shops, and some that only one of them sells.
        shared_percent: 80,
        hourly_limit: Some(100_000),
        // In life it takes longer until a sale is shown; the tour does not have the time.
        sold_lag: chrono::TimeDelta::seconds(2),
        ..trademe::Options::default()
    };
    let shop = Options {
        seed: options.seed,
        articles: options.articles,
        buyers: Some(BUYERS),
        daily_limit: Some(100_000),
        // In life a file of the whole stock takes minutes.
        export_delay: std::time::Duration::from_secs(5),
        trademe,
        ..Options::new(clock.clone())
    };
    Sandbox::start(shop).await.map_err(|error| Failure::new("E482", Exit::Failed, error.to_string(), ""))
}

/// Says what is there before anything is asked of it.
fn introduce(shops: &[Shop], options: &TryOptions) -> Result<(), Failure> {
    text(&format!(
        "One seller's pretend shops are open, the same things in each (seed {}): nothing in them is real.\n",
        options.seed
    ))?;
    for shop in shops {
        text(&format!("  {:<12} {:<10} {}\n", shop.title, shop.account.as_str(), shop.base_url))?;
    }
    Ok(())
}

/// Shows around: the first run of each job in each shop, then what happens.
async fn guide(
    desk: &Arc<Desk>,
    shops: &[Shop],
    page: Option<std::net::SocketAddr>,
    dir: &Path,
) -> Result<(), Failure> {
    for shop in shops {
        show(desk, shop).await?;
    }
    text("\n")?;
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
    tell_orders(desk, shops).await
}

/// Logs in to one shop, and reads its stock and its orders.
async fn show(desk: &Arc<Desk>, shop: &Shop) -> Result<(), Failure> {
    text(&format!("\n{}\n  Logging in with OAuth 1.0a ...  ", shop.title))?;
    let probe = first(desk, shop, "probe").await?;
    text(&format!("ok, {}\n", probe.message.unwrap_or_default()))?;

    text("  Reading stock ...  ")?;
    let pull = first(desk, shop, "stock-pull").await?;
    let articles = thousands(pull.counts.get("articles").copied().unwrap_or_default());
    text(&format!("{articles} articles{}\n", effort(&pull)))?;

    text("  Reading orders ...  ")?;
    let poll = first(desk, shop, "order-poll").await?;
    let known = states(desk).await?;
    let found = known.keys().filter(|(account, _)| *account == shop.account).count();
    text(&format!("{} orders{}\n", thousands(found as i64), effort(&poll)))
}

/// What a run took.
fn effort(run: &RunRow) -> String {
    format!(" in {}, {}", super::runs::duration(run), counted(run.requests, "request"))
}

/// The first run of a job. One that its schedule has begun already is waited for.
async fn first(desk: &Arc<Desk>, shop: &Shop, kind: &str) -> Result<RunRow, Failure> {
    let name = shop.job(kind);
    let row = loop {
        match desk.run_job(&name, crate::jobs::Errand::Usual).await {
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
            Err(Failure::new("E491", Exit::of_run(outcome, row.error_type), format!("{name}: {message}"), ""))
        }
    }
}

/// Says what the agent has recorded, as it records it.
async fn tell_orders(desk: &Arc<Desk>, shops: &[Shop]) -> Result<(), Failure> {
    let mut known = states(desk).await?;
    loop {
        desk.shared.clock.sleep(LOOK).await;
        let now = states(desk).await?;
        for (order @ (account, id), seen) in &now {
            let at = shops.iter().find(|shop| shop.account == *account).map_or("", |shop| shop.title);
            match known.get(order) {
                None => text(&format!(
                    "{at}: an order has just come in: #{id}, {}, {} ({})\n",
                    counted(seen.copies, "article"),
                    seen.total,
                    seen.state,
                ))?,
                Some(before) if before.state != seen.state => {
                    text(&format!("{at}: order #{id} is {} now, it was {}\n", seen.state, before.state))?;
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
    total: Money,
}

async fn states(desk: &Arc<Desk>) -> Result<HashMap<(AccountName, OrderId), Seen>, Failure> {
    let read = desk.shared.store.read(|tx| {
        let mut all = HashMap::new();
        orders::each(tx, None, |row| {
            let copies = row.lines.iter().map(|line| line.quantity).sum();
            let total = Money { minor: row.total_minor, currency: row.currency };
            all.insert((row.account, row.order_id), Seen { state: row.state, copies, total });
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
