//! `sellerd plan`: what a job would change. It reads and writes a plan down; nothing is changed at the marketplace.

mod document;
mod table;

use std::collections::BTreeMap;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::args::{Format, PlanCommand, PlanListOptions, PlanOptions};
use super::home::Home;
use super::job::one_run;
use super::list::{List, Row, done};
use super::output::{self, note};
use super::{Exit, Failure};
use crate::agent::ask::no_job;
use crate::agent::gone::Gone;
use crate::agent::status::PlanStatus;
use crate::agent::timekeeping::clocks_beside;
use crate::clock::{Clock, SystemClock};
use crate::config::{Account, Config};
use crate::domain::{JobName, Operation, Outcome, PlanId, Sku};
use crate::jobs::Errand;
use crate::store::Store;
use crate::store::plans::{self, PlanRow};
use crate::store::runs::RunRow;
use document::Shape;
pub use table::View;

/// So many changes are shown of a plan that was just made; `plan show` shows all.
const SHOWN: usize = 20;

/// What a plan comes to, as its record says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// How often it does what.
    pub counts: BTreeMap<String, i64>,
    listings: i64,
    value_before_minor: i64,
    value_after_minor: i64,
    largest_price_change: Option<PriceChange>,
    fees_minor: i64,
    requests_needed: i64,
}

impl Summary {
    /// What a stored plan comes to.
    pub fn of(plan: &PlanRow) -> Self {
        serde_json::from_str(plan.summary.get()).unwrap_or_default()
    }

    /// How many of its changes do one of these things.
    pub fn count(&self, ops: &[Operation]) -> i64 {
        ops.iter().filter_map(|op| self.counts.get(op.as_str())).sum()
    }
}

#[derive(Debug, Clone, Deserialize)]
struct PriceChange {
    sku: Sku,
    before_minor: i64,
    after_minor: i64,
}

/// What one guard said of a plan, as its record says.
#[derive(Debug, Clone, Deserialize)]
pub struct Guard {
    /// Its name.
    pub guard: String,
    limit: i64,
    actual: i64,
    /// Whether it holds the plan.
    pub tripped: bool,
    words: String,
}

/// What the guards said of a plan.
pub fn guards(plan: &PlanRow) -> Vec<Guard> {
    serde_json::from_str(plan.guards.get()).unwrap_or_default()
}

/// Makes a plan, shows one, or lists them.
pub async fn run(options: PlanOptions, home: &Home) -> Result<Exit, Failure> {
    match (options.command, options.job) {
        (Some(PlanCommand::Show { plan }), _) => show(plan, home).await,
        (Some(PlanCommand::List(options)), _) => list(options, home).await,
        (None, Some(job)) => make(&job, options.exit_code, options.out.as_deref(), home).await,
        (None, None) => {
            Err(Failure::usage("no job is named", "sellerd plan JOB; they are listed by: sellerd job list"))
        }
    }
}

async fn make(job: &str, exit_code: bool, out: Option<&Path>, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    home.log(&config, false, &SystemClock::shared());
    let name = JobName::from(job);
    if !config.jobs.contains_key(&name) {
        return Err(no_job(&name, &config).into());
    }
    let row = one_run(config.clone(), &name, Errand::Plan, home).await?;
    let (store, plan) = made_by(&row, &config, home).await?;
    let changes = PlanStatus::of(&plan).changes;
    let to_stdout = out.is_some_and(|out| out == Path::new("-"));
    if let Some(file) = out.filter(|_| !to_stdout) {
        into_file(&store, plan.clone(), home, file.to_owned()).await?;
    }
    // `--out -` is JSON where nothing else was asked for.
    let format = if to_stdout && home.output == Format::Table { Format::Json } else { home.output };
    print(&store, plan, &config, format, SHOWN).await?;
    Ok(if exit_code && changes > 0 { Exit::Changes } else { Exit::Success })
}

/// The plan that a run has made, kept as a file too, or what kept the run from it.
pub async fn made_by(row: &RunRow, config: &Config, home: &Home) -> Result<(Store, PlanRow), Failure> {
    let store = home.store(config)?.ok_or_else(|| Failure::internal("the database is gone"))?;
    let (run, state_dir) = (row.run_id, config.state_dir.clone());
    let made = store.read(move |tx| {
        let Some(plan) = plans::made_by(tx, run)? else { return Ok(None) };
        let kept = document::keep(tx, &plan, &state_dir)?;
        Ok(Some((plan, kept)))
    });
    let Some((plan, kept)) = made.await? else { return Err(Failure::of_run(row)) };
    if let Err(error) = kept {
        let dir = config.state_dir.join("plans");
        note(&format!(
            "the plan is in the database, but could not be written into {}: {error}\n",
            dir.display()
        ));
    }
    if row.outcome != Some(Outcome::Success) && !home.quiet {
        // The plan stands; what the run could not read is left out of it.
        row.message.iter().for_each(|message| note(&format!("{}: {message}\n", row.job)));
    }
    Ok((store, plan))
}

/// Writes a plan to stdout.
pub async fn print(
    store: &Store,
    plan: PlanRow,
    config: &Config,
    format: Format,
    most: usize,
) -> Result<(), Failure> {
    let shape = match format {
        Format::Table => {
            let view = view(store, plan, config, most).await?;
            return output::text(&view.draw(config.timezone));
        }
        Format::Json | Format::Jsonl => Shape::Json,
        Format::Csv => Shape::Csv,
    };
    let written = store.read(move |tx| document::write(tx, &plan, shape, &mut BufWriter::new(io::stdout())));
    done(written.await?)
}

/// What the words about a plan are made of.
pub async fn view(store: &Store, plan: PlanRow, config: &Config, most: usize) -> Result<View, Failure> {
    let account = account_of(&plan, config)?.clone();
    let clocks = clocks_beside(Some(store), &SystemClock::default()).await?;
    Ok(store.read(move |tx| View::read(tx, plan, &account, most, &clocks)).await?)
}

fn account_of<'a>(plan: &PlanRow, config: &'a Config) -> Result<&'a Account, Failure> {
    config.accounts.get(&plan.account).ok_or_else(|| {
        Failure::usage(
            format!("{} is a plan for {}, and there is no such account any more", plan.plan_id, plan.account),
            "use -o json to see it all the same",
        )
    })
}

async fn into_file(store: &Store, plan: PlanRow, home: &Home, file: PathBuf) -> Result<(), Failure> {
    let shape = if home.output == Format::Csv { Shape::Csv } else { Shape::Json };
    let to = file.clone();
    let written = store.read(move |tx| document::into_file(tx, &plan, shape, &to)).await?;
    written.map_err(|error| {
        Failure::new(
            "E474",
            Exit::Failed,
            format!("the plan cannot be written to {}: {error}", file.display()),
            "name another file with --out FILE, or --out - for stdout",
        )
    })
}

async fn show(id: PlanId, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let (store, plan) = stored(id, &config, home).await?;
    print(&store, plan, &config, home.output, usize::MAX).await?;
    Ok(Exit::Success)
}

/// A plan by its name, or the error that there is none.
pub async fn stored(id: PlanId, config: &Config, home: &Home) -> Result<(Store, PlanRow), Failure> {
    let none = || Failure::usage(format!("there is no plan {id}"), "sellerd plan list");
    let store = home.store(config)?.ok_or_else(none)?;
    let gone = Gone::look(&store, &config.state_dir).await?;
    let plan = store.read(move |tx| plans::get(tx, id)).await?.ok_or_else(none)?;
    Ok((store, gone.seen_plan(plan)))
}

async fn list(options: PlanListOptions, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let job = options.job.map(JobName);
    let now = SystemClock::default().now();
    let limit = (home.output == Format::Table).then_some(SHOWN);
    let rows: Vec<PlanRow> = match home.store(&config)? {
        None => Vec::new(),
        Some(store) => {
            let gone = Gone::look(&store, &config.state_dir).await?;
            let read = store.read(move |tx| match options.pending {
                true => plans::waiting(tx, job.as_ref(), now),
                false => plans::list(tx, job.as_ref(), limit),
            });
            read.await?.into_iter().map(|plan| gone.seen_plan(plan)).collect()
        }
    };
    let write = || {
        let mut list = List::begin::<PlanRow>(home.output, "sellerd.plans/1", "plans", config.timezone)?;
        rows.iter().try_for_each(|row| list.row(row))?;
        list.end("There are no plans. Make one: sellerd plan JOB")
    };
    done(write())?;
    Ok(Exit::Success)
}

impl Row for PlanRow {
    const HEAD: &'static [&'static str] =
        &["PLAN", "JOB", "ACCOUNT", "MADE", "BY", "CHANGES", "STATE", "GOOD UNTIL", "HELD BY"];
    const NUMBERS: &'static [usize] = &[5];
    const CSV: &'static [&'static str] =
        &["plan_id", "job", "account", "created_at", "made_by", "changes", "state", "expires_at", "guards"];

    fn cells(&self, tz: chrono_tz::Tz) -> Vec<String> {
        let local =
            |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string();
        cells(self, local)
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![cells(self, output::instant)]
    }
}

fn cells(plan: &PlanRow, time: impl Fn(chrono::DateTime<chrono::Utc>) -> String) -> Vec<String> {
    let tripped: Vec<String> =
        guards(plan).into_iter().filter(|guard| guard.tripped).map(|guard| guard.guard).collect();
    vec![
        plan.plan_id.to_string(),
        plan.job.to_string(),
        plan.account.to_string(),
        time(plan.created_at),
        plan.made_by.to_string(),
        PlanStatus::of(plan).changes.to_string(),
        plan.state.to_string(),
        time(plan.expires_at),
        tripped.join(", "),
    ]
}
