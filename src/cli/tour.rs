//! `sellerd try`: pretend shops of one seller side by side, the agent at work on them with real signatures over real
//! HTTP, and everything gone at the end. It is the agent of `sellerd run`; only the words are its own.

mod list;
mod news;
mod place;
mod ready;
mod shops;
mod show;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::args::TryOptions;
use super::home::Home;
use super::{Exit, Failure, output};
use crate::agent::ask::Desk;
use crate::agent::daemon::{Command, Daemon};
use crate::agent::lifecycle;
use crate::agent::state::Machine;
use crate::agent::trigger::CronTrigger;
use crate::clock::{SharedClock, SystemClock};
use crate::sandbox::{Options, Sandbox, trademe};
use crate::web::Page;
use place::Place;
use ready::Ready;
use shops::Shop;
use words::Words;

/// Buyers of the tour come this often on average, to each shop.
const BUYERS: Duration = Duration::from_secs(6);

/// How often the teller looks whether there is something to tell.
const LOOK: Duration = Duration::from_millis(500);

/// Runs the tour until Ctrl-C or for the time that was given.
pub async fn run(options: TryOptions, home: &Home) -> Result<Exit, Failure> {
    let words = Words::of(home)?;
    let clock = SystemClock::shared();
    // Its poll every few seconds may overlap on a busy machine; the words are the guide's.
    home.log_plainly("error", &clock);
    let mut signals = lifecycle::listen(clock.clone(), options.stop_after)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    let place = Place::of(&options)?;
    let mut sandbox = open_shops(&options, &clock).await?;
    let list = list::of(&sandbox)?;
    let shops = shops::announced(&sandbox.announcement(), list)?;
    introduce(&shops, &options, words)?;
    let config = shops::write_config(place.path(), &shops)?;

    let trigger = Box::new(CronTrigger::new(clock.clone()));
    let machine = Machine::in_service(clock.clone());
    let page = Page { listen: config.http.listen };
    let daemon =
        Daemon::start(config, |store| super::run::shared(store, &clock), machine, trigger, &page).await?;
    let (desk, page) = (daemon.desk(), daemon.address());
    let (tell, mut told) = mpsc::channel(4);
    let agent = tokio::spawn(async move { daemon.serve(&mut told).await });

    let guide = Guide {
        desk: &desk,
        shops: &shops,
        page,
        control_url: sandbox.control_url(),
        dir: place.path().to_owned(),
        kept: !place.is_temporary(),
        seed: options.seed,
        words,
    };
    let tour = async {
        guide.show_around(home).await?;
        // Not before: a stock that shifts while it is read hides too much of what the first plan is to show.
        sandbox.let_buyers_come(BUYERS);
        news::tell(&desk, &shops, words).await
    };
    let told = tokio::select! {
        result = tour => result,
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
    place.leave(words)?;
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
        daily_limit: Some(100_000),
        // In life a file of the whole stock takes minutes.
        export_delay: std::time::Duration::from_secs(5),
        trademe,
        ..Options::new(clock.clone())
    };
    Sandbox::start(shop).await.map_err(|error| Failure::new("E482", Exit::Failed, error.to_string(), ""))
}

/// Says what is there before anything is asked of it.
fn introduce(shops: &[Shop], options: &TryOptions, words: Words) -> Result<(), Failure> {
    words.say(&format!(
        "One seller's pretend shops are open, the same things in each (seed {}): nothing in them is real.\n",
        options.seed
    ))?;
    for shop in shops {
        words.say(&format!("  {:<12} {:<10} {}\n", shop.title, shop.account.as_str(), shop.base_url))?;
    }
    Ok(())
}

/// Whoever shows around.
struct Guide<'a> {
    desk: &'a Desk,
    shops: &'a [Shop],
    page: Option<SocketAddr>,
    control_url: String,
    dir: PathBuf,
    kept: bool,
    seed: u64,
    words: Words,
}

impl Guide<'_> {
    /// The first run of each job in each shop, and what can be tried then.
    async fn show_around(self, home: &Home) -> Result<(), Failure> {
        let (mut shops, mut plan) = (Vec::new(), None);
        for shop in self.shops {
            shops.push(show::shop(self.desk, shop, self.words).await?);
            if shop.list.is_some() {
                plan = Some(show::plan(self.desk, shop, self.words, home).await?);
            }
        }
        let mut ready = Ready {
            schema: "sellerd.try/1",
            pretend: true,
            seed: self.seed,
            dir: self.dir,
            kept: self.kept,
            control_url: self.control_url,
            status_url: self.page.map(|page| format!("http://{page}/status.json")),
            shops,
            plan,
            next: Vec::new(),
        };
        let program = ready::program();
        let steps = ready.steps(&program);
        self.words.say(&ready.words(&program, &steps))?;
        if home.output.is_json() {
            ready.next = steps.into_iter().map(|(command, _)| command).collect();
            output::document(home.output, &ready)?;
        }
        Ok(())
    }
}
