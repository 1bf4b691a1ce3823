//! `sellerd runs`: what ran, and how it ended.

use serde::Serialize;

use super::args::{Format, RunsListOptions};
use super::home::Home;
use super::list::{List, Row, done};
use super::output::{self, instant};
use super::{Exit, Failure};
use crate::agent::gone::Gone;
use crate::domain::{JobName, RunId};
use crate::store::runs::{self, RunRow};

/// Tables show so many runs unless told otherwise.
const SHOWN: usize = 20;

/// Writes the runs, newest first.
pub async fn list(options: RunsListOptions, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let job = options.job.map(JobName);
    let limit = options.limit.or((home.output == Format::Table).then_some(SHOWN));
    let rows: Vec<RunRow> = match home.store(&config)? {
        None => Vec::new(),
        Some(store) => {
            let gone = Gone::look(&store, &config.state_dir).await?;
            let rows = store.read(move |tx| runs::list(tx, job.as_ref(), limit)).await?;
            rows.into_iter().map(|row| gone.seen(row)).collect()
        }
    };
    let write = || {
        let mut list = List::begin::<RunRow>(home.output, "sellerd.runs/1", "runs", config.timezone)?;
        rows.iter().try_for_each(|row| list.row(row))?;
        list.end("Nothing has run yet. Run a job: sellerd job run NAME, or all of them: sellerd run")
    };
    done(write())?;
    Ok(Exit::Success)
}

/// Writes one run.
pub async fn show(id: RunId, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let row = match home.store(&config)? {
        None => None,
        Some(store) => {
            let gone = Gone::look(&store, &config.state_dir).await?;
            store.read(move |tx| runs::show(tx, id)).await?.map(|row| gone.seen(row))
        }
    };
    let row = row.ok_or_else(|| Failure::usage(format!("there is no run {id}"), "sellerd runs list"))?;
    print(&row, home, config.timezone)?;
    Ok(Exit::Success)
}

/// A run as one document, at top level.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    run: &'a RunRow,
}

/// Writes one run the way it was asked for.
pub fn print(row: &RunRow, home: &Home, tz: chrono_tz::Tz) -> Result<(), Failure> {
    match home.output {
        Format::Table => {}
        Format::Csv => {
            let list = List::begin::<RunRow>(Format::Csv, "", "", tz);
            return done(list.and_then(|mut list| list.row(row).and_then(|()| list.end(""))));
        }
        Format::Json | Format::Jsonl => return output::json(&Document { schema: "sellerd.run/1", run: row }),
    }
    let mut text = format!("{}  {}", row.run_id, row.job);
    if let Some(account) = &row.account {
        text.push_str(&format!(" on {account}"));
    }
    let result = row.outcome.map_or("running", |outcome| outcome.as_str());
    text.push_str(&format!(": {result}, {}, {}\n", duration(row), output::counted(row.requests, "request")));
    let counts: Vec<String> = row
        .counts
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(name, count)| format!("{}: {}", name.replace('_', " "), output::thousands(*count)))
        .collect();
    if !counts.is_empty() {
        text.push_str(&format!("  {}\n", counts.join(", ")));
    }
    if let Some(message) = &row.message {
        text.push_str(&format!("  {}\n", home.typed.copyable(message)));
    }
    text.push_str(&format!("  begun {}\n", row.started_at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S %z")));
    output::text(&text)
}

/// How long it took, for people.
pub fn duration(row: &RunRow) -> String {
    match row.finished_at {
        None if row.outcome.is_some() => "cut off".to_owned(),
        None => "not ended".to_owned(),
        Some(end) => {
            let took = end - row.started_at;
            match took.num_milliseconds() {
                ms @ 0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
                _ => output::span(took),
            }
        }
    }
}

impl Row for RunRow {
    const HEAD: &'static [&'static str] =
        &["RUN", "JOB", "ACCOUNT", "BEGUN", "TOOK", "WHY", "RESULT", "REQUESTS", "MESSAGE"];
    const NUMBERS: &'static [usize] = &[7];
    const CSV: &'static [&'static str] = &[
        "run_id",
        "job",
        "kind",
        "account",
        "due_at",
        "started_at",
        "finished_at",
        "trigger",
        "outcome",
        "error_type",
        "message",
        "requests",
    ];

    fn cells(&self, tz: chrono_tz::Tz) -> Vec<String> {
        vec![
            self.run_id.to_string(),
            self.job.to_string(),
            self.account.as_ref().map_or("-".to_owned(), |account| account.to_string()),
            self.started_at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string(),
            duration(self),
            self.trigger.to_string(),
            self.outcome.map_or("running".to_owned(), |outcome| outcome.to_string()),
            self.requests.to_string(),
            self.message.clone().unwrap_or_default().chars().take(80).collect(),
        ]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.run_id.to_string(),
            self.job.to_string(),
            self.kind.clone(),
            self.account.as_ref().map_or(String::new(), |account| account.to_string()),
            instant(self.due_at),
            instant(self.started_at),
            self.finished_at.map_or(String::new(), instant),
            self.trigger.to_string(),
            self.outcome.map_or(String::new(), |outcome| outcome.to_string()),
            self.error_type.map_or(String::new(), |error_type| error_type.to_string()),
            self.message.clone().unwrap_or_default(),
            self.requests.to_string(),
        ]]
    }
}
