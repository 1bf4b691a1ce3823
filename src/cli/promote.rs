//! `sellerd job promote`, `demote`, `pause` and `resume`: what a person decides about a job while its file stays the
//! seller's. Each is a row in the database, heeded by the next run, and `status` shows it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::args::Format;
use super::confirm::confirm;
use super::home::Home;
use super::output::{self, counted, note, span, when};
use super::{Exit, Failure};
use crate::agent::ask::no_job;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Job, Work};
use crate::domain::{JobName, Mode};
use crate::store::plans::{self, TrackRecord};
use crate::store::{Store, flags, promotions, runs};

/// What the job has done for at most so long is shown before it may write.
const LOOKED_BACK: TimeDelta = TimeDelta::days(7);

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    job: &'a JobName,
    mode: Mode,
    #[serde(serialize_with = "crate::agent::status::optional_instant")]
    promoted_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "crate::agent::status::optional_instant")]
    paused_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
}

/// What the job has shown of itself.
#[derive(Debug, Clone, Copy, Serialize)]
struct Record {
    days: i64,
    runs: i64,
    #[serde(flatten)]
    plans: TrackRecord,
}

impl Record {
    fn words(&self, over: TimeDelta) -> String {
        format!(
            "{}, {}, {}, largest {}, {}",
            if self.days > 0 { counted(self.days, "day") } else { span(over) },
            counted(self.runs, "run"),
            counted(self.plans.plans, "plan"),
            counted(self.plans.largest, "change"),
            counted(self.plans.guard_trips, "guard trip"),
        )
    }
}

/// Shows what the last plans would have done, asks, and lets the job write.
pub async fn promote(name: &str, home: &Home) -> Result<Exit, Failure> {
    let (config, job) = job(name, home)?;
    if !matches!(job.work, Work::StockSync(_)) {
        return Err(Failure::usage(
            format!("{name} is a {} job, and those never write", job.work.kind()),
            "name a job that plans; the jobs are listed by: sellerd job list",
        ));
    }
    let (store, now) = (store(&config, name, home)?, SystemClock::default().now());
    let about = job.name.clone();
    let (record, over) = store
        .read(move |tx| {
            let first = runs::first_at(tx, &about)?.unwrap_or(now);
            let over = (now - first).clamp(TimeDelta::zero(), LOOKED_BACK);
            let runs = runs::looked_since(tx, &about, now - LOOKED_BACK)?;
            let plans = plans::track_record(tx, &about, now - LOOKED_BACK)?;
            Ok((Record { days: over.num_days(), runs, plans }, over))
        })
        .await?;
    if job.mode == Mode::Apply {
        return told(
            &job,
            &store,
            home,
            Some(record),
            "its file says `mode = \"apply\"`, so it writes already",
        )
        .await;
    }
    if !home.output.is_json() && !home.quiet {
        note(&format!("{name} so far: {}.\n", record.words(over)));
        if record.plans.plans == 0 {
            note(&format!("No plan of it was looked at yet. See one first:  sellerd plan {name}\n"));
        }
    }
    confirm(home, &format!("Let {name} carry out the plans that pass its guards?"))?;
    let about = job.name.clone();
    store.write(move |tx| promotions::set(tx, &about, Some(now))).await?;
    let words = "from its next run on it carries out the plans that pass its guards";
    told(&job, &store, home, Some(record), words).await
}

/// Takes a promotion back.
pub async fn demote(name: &str, home: &Home) -> Result<Exit, Failure> {
    let (config, job) = job(name, home)?;
    let store = store(&config, name, home)?;
    let about = job.name.clone();
    store.write(move |tx| promotions::set(tx, &about, None)).await?;
    if job.mode == Mode::Apply {
        return Err(Failure::usage(
            format!("{name} writes because its file says so"),
            format!(
                "write `mode = \"observe\"` into {}",
                config.dir.join("jobs").join(format!("{name}.toml")).display()
            ),
        ));
    }
    told(&job, &store, home, None, "it looks and plans, and writes nothing").await
}

/// Keeps a job from running by its schedule.
pub async fn pause(name: &str, home: &Home) -> Result<Exit, Failure> {
    let (config, job) = job(name, home)?;
    let (store, now) = (store(&config, name, home)?, SystemClock::default().now());
    let about = job.name.clone();
    let since = store.write(move |tx| {
        flags::set_paused(tx, &about, Some(now))?;
        Ok(flags::paused(tx)?.get(&about).copied())
    });
    let since = when(since.await?.unwrap_or(now), now, config.timezone);
    told(
        &job,
        &store,
        home,
        None,
        &format!("paused since {since}; let it run again: sellerd job resume {name}"),
    )
    .await
}

/// Lets a paused job run again. What fell due meanwhile is not made up for.
pub async fn resume(name: &str, home: &Home) -> Result<Exit, Failure> {
    let (config, job) = job(name, home)?;
    let store = store(&config, name, home)?;
    let about = job.name.clone();
    store.write(move |tx| flags::set_paused(tx, &about, None)).await?;
    told(&job, &store, home, None, "it runs by its schedule").await
}

fn job(name: &str, home: &Home) -> Result<(Config, Job), Failure> {
    let config = home.config()?;
    let job = config.jobs.get(&JobName::from(name)).cloned();
    let job = job.ok_or_else(|| no_job(&name.into(), &config))?;
    Ok((config, job))
}

/// The database beside whoever owns it: without one nothing has run, and there is nowhere to keep the decision.
fn store(config: &Config, name: &str, home: &Home) -> Result<Store, Failure> {
    home.store(config)?.ok_or_else(|| {
        Failure::new(
            "E475",
            Exit::Failed,
            format!("nothing has run with {} yet", config.dir.display()),
            format!("run it once: sellerd job run {name}"),
        )
    })
}

/// Says where the job stands now.
async fn told(
    job: &Job,
    store: &Store,
    home: &Home,
    record: Option<Record>,
    words: &str,
) -> Result<Exit, Failure> {
    let name = job.name.clone();
    let (promoted_at, paused_since) = store
        .read(move |tx| Ok((promotions::promoted(tx, &name)?, flags::paused(tx)?.get(&name).copied())))
        .await?;
    match home.output {
        Format::Table => {
            output::text(&format!("{}: {words}.\n", job.name))?;
            if !job.enabled && !home.quiet {
                note(&format!(
                    "It is switched off, so it runs by hand only:  sellerd job run {0}\n\
                     To let it run by its schedule, write `enabled = true` into jobs/{0}.toml.\n",
                    job.name
                ));
            }
        }
        format => output::document(
            format,
            &Document {
                schema: "sellerd.job/1",
                job: &job.name,
                mode: if promoted_at.is_some() { Mode::Apply } else { job.mode },
                promoted_at,
                paused_since,
                record,
            },
        )?,
    }
    Ok(Exit::Success)
}
