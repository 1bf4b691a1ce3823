//! `sellerd schedule`: when the jobs run next. It asks the configuration, and of the database only which jobs a person
//! has paused, so it is true before the first run.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, TimeZone, Utc};
use serde::Serialize;

use super::args::{Format, ScheduleOptions};
use super::home::Home;
use super::list::{List, Row, done};
use super::{Exit, Failure};
use crate::agent::ask::no_job;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Job};
use crate::domain::{AccountName, JobName};
use crate::store::flags;

/// Jobs that a person has paused, and since when.
type Paused = BTreeMap<JobName, DateTime<Utc>>;

/// One run to come.
#[derive(Debug, Serialize)]
struct Fire {
    job: JobName,
    account: Option<AccountName>,
    at: String,
    note: Option<String>,
    #[serde(skip)]
    instant: DateTime<Utc>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// Writes the next runs of all jobs, in order.
pub async fn run(options: &ScheduleOptions, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let now = SystemClock::default().now();
    let paused = match home.store(&config)? {
        None => Paused::new(),
        Some(store) => store.read(flags::paused).await?,
    };
    let fires = fires(options, &config, &paused, now)?;
    let write = || {
        let mut list = List::begin::<Fire>(home.output, "sellerd.schedule/1", "fires", config.timezone)?;
        fires.iter().try_for_each(|fire| list.row(fire))?;
        list.end("Nothing is scheduled then.")
    };
    done(write())?;
    let off: Vec<&str> =
        config.jobs.values().filter(|job| !job.enabled).map(|job| job.name.as_str()).collect();
    let resting: Vec<&str> =
        paused.keys().filter(|job| config.jobs.contains_key(*job)).map(JobName::as_str).collect();
    if home.output == Format::Table && !off.is_empty() {
        super::output::note(&format!("Switched off (enabled = false): {}\n", off.join(", ")));
    }
    if home.output == Format::Table && !resting.is_empty() {
        let jobs = resting.join(", ");
        super::output::note(&format!("Paused, until `sellerd job resume NAME`: {jobs}\n"));
    }
    Ok(Exit::Success)
}

fn fires(
    options: &ScheduleOptions,
    config: &Config,
    paused: &Paused,
    now: DateTime<Utc>,
) -> Result<Vec<Fire>, Failure> {
    let jobs: Vec<&Job> = match &options.job {
        None => config.jobs.values().filter(|job| job.enabled && !paused.contains_key(&job.name)).collect(),
        Some(name) => {
            let name = JobName(name.clone());
            vec![config.jobs.get(&name).ok_or_else(|| no_job(&name, config))?]
        }
    };
    let (from, until) = match options.on {
        None => (now, None),
        Some(day) => day_of(day, config)?,
    };
    let mut fires = Vec::new();
    for job in jobs {
        let mut at = from;
        for _ in 0..options.next {
            let Some(next) = job.next_after(at) else { break };
            if until.is_some_and(|until| next >= until) {
                break;
            }
            at = next;
            fires.push(fire(job, next, paused, now));
        }
    }
    fires.sort_by(|a, b| a.instant.cmp(&b.instant).then_with(|| a.job.cmp(&b.job)));
    fires.truncate(options.next);
    Ok(fires)
}

fn fire(job: &Job, at: DateTime<Utc>, paused: &Paused, now: DateTime<Utc>) -> Fire {
    let local = at.with_timezone(&job.schedule.tz());
    // Who asks for one job by its name is shown when it would run, and why it does not.
    let resting = match (job.enabled, paused.contains_key(&job.name)) {
        (false, _) => Some("switched off (enabled = false)".to_owned()),
        (true, true) => Some(format!("paused: sellerd job resume {}", job.name)),
        (true, false) => None,
    };
    let notes: Vec<String> = resting.into_iter().chain(job.schedule.note(job.slot_of(at))).collect();
    Fire {
        job: job.name.clone(),
        account: job.account.clone(),
        at: local.to_rfc3339_opts(SecondsFormat::Secs, false),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        instant: at,
        now,
    }
}

/// From just before the day begins to the instant at which it is over.
fn day_of(day: NaiveDate, config: &Config) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>), Failure> {
    let start = |day: NaiveDate| {
        let midnight = day.and_hms_opt(0, 0, 0)?;
        // Where midnight does not exist, the hour before it will do: nothing can be due in between.
        config.timezone.from_local_datetime(&midnight).earliest().map(|at| at.with_timezone(&Utc))
    };
    let begin =
        start(day).ok_or_else(|| Failure::usage(format!("{day} cannot be shown"), "choose another day"))?;
    let end = day.succ_opt().and_then(start).unwrap_or(begin + TimeDelta::days(1));
    Ok((begin - TimeDelta::seconds(1), Some(end)))
}

impl Row for Fire {
    const HEAD: &'static [&'static str] = &["WHEN", "IN", "ACCOUNT", "JOB", "NOTE"];
    const NUMBERS: &'static [usize] = &[];
    const CSV: &'static [&'static str] = &["job", "account", "at", "note"];

    fn cells(&self, tz: chrono_tz::Tz) -> Vec<String> {
        vec![
            self.instant.with_timezone(&tz).format("%a %d %b %Y %H:%M:%S %z").to_string(),
            super::output::span(self.instant - self.now),
            self.account.as_ref().map_or("-".to_owned(), |account| account.to_string()),
            self.job.to_string(),
            self.note.clone().unwrap_or_default(),
        ]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let account = self.account.as_ref().map_or(String::new(), |account| account.to_string());
        vec![vec![self.job.to_string(), account, self.at.clone(), self.note.clone().unwrap_or_default()]]
    }
}
