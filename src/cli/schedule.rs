//! `sellerd schedule`: when the jobs run next. It asks the configuration, and of the database only which jobs a person
//! has paused and which runs are put off, so it is true before the first run.

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
use crate::store::{StoreError, Tx, deferrals, flags};

/// What keeps jobs from their slots.
#[derive(Default)]
struct Kept {
    /// Jobs that a person has paused, and since when.
    paused: BTreeMap<JobName, DateTime<Utc>>,
    /// Jobs whose next run waits for requests, and until when: their slots before are passed over.
    put_off: BTreeMap<JobName, DateTime<Utc>>,
}

impl Kept {
    fn read(tx: &Tx<'_>, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let waiting = deferrals::list(tx)?.into_iter().filter(|waits| waits.starts_at > now);
        Ok(Self {
            paused: flags::paused(tx)?,
            put_off: waiting.map(|waits| (waits.job, waits.starts_at)).collect(),
        })
    }
}

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
    let kept = match home.store(&config)? {
        None => Kept::default(),
        Some(store) => store.read(move |tx| Kept::read(tx, now)).await?,
    };
    let fires = fires(options, &config, &kept, now)?;
    let write = || {
        let mut list = List::begin::<Fire>(home.output, "sellerd.schedule/1", "fires", config.timezone)?;
        fires.iter().try_for_each(|fire| list.row(fire))?;
        list.end("Nothing is scheduled then.")
    };
    done(write())?;
    let off: Vec<&str> =
        config.jobs.values().filter(|job| !job.enabled).map(|job| job.name.as_str()).collect();
    let resting: Vec<&str> =
        kept.paused.keys().filter(|job| config.jobs.contains_key(*job)).map(JobName::as_str).collect();
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
    kept: &Kept,
    now: DateTime<Utc>,
) -> Result<Vec<Fire>, Failure> {
    let runs = |job: &Job| job.enabled && !kept.paused.contains_key(&job.name);
    let jobs: Vec<&Job> = match &options.job {
        None => config.jobs.values().filter(|job| runs(job)).collect(),
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
        let put_off = kept.put_off.get(&job.name).copied().filter(|_| runs(job));
        if let Some(starts_at) = put_off {
            at = at.max(starts_at);
            if starts_at > from && until.is_none_or(|until| starts_at < until) {
                fires.push(fire(job, starts_at, Some(PUT_OFF.to_owned()), now));
            }
        }
        for _ in 0..options.next {
            let Some(next) = job.next_after(at) else { break };
            if until.is_some_and(|until| next >= until) {
                break;
            }
            at = next;
            fires.push(fire(job, next, note(job, next, kept), now));
        }
    }
    fires.sort_by(|a, b| a.instant.cmp(&b.instant).then_with(|| a.job.cmp(&b.job)));
    fires.truncate(options.next);
    Ok(fires)
}

/// What is said of a run that is not at a slot.
const PUT_OFF: &str = "put off: its window has too few requests left";

fn note(job: &Job, at: DateTime<Utc>, kept: &Kept) -> Option<String> {
    // Who asks for one job by its name is shown when it would run, and why it does not.
    let resting = match (job.enabled, kept.paused.contains_key(&job.name)) {
        (false, _) => Some("switched off (enabled = false)".to_owned()),
        (true, true) => Some(format!("paused: sellerd job resume {}", job.name)),
        (true, false) => None,
    };
    let notes: Vec<String> = resting.into_iter().chain(job.schedule.note(job.slot_of(at))).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn fire(job: &Job, at: DateTime<Utc>, note: Option<String>, now: DateTime<Utc>) -> Fire {
    Fire {
        job: job.name.clone(),
        account: job.account.clone(),
        at: at.with_timezone(&job.schedule.tz()).to_rfc3339_opts(SecondsFormat::Secs, false),
        note,
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
