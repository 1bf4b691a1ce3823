//! What was said of runs that wait, the first time that each was seen waiting, and whether it came so.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::agent::spending::Spending;
use sellerd::config::Config;
use sellerd::domain::Outcome;
use sellerd::store::runs::RunRow;
use sellerd::store::{Store, deferrals};

/// A time of the schedule is a whole minute, so that a forecast of a few minutes is as good as that.
const SLOT: TimeDelta = TimeDelta::minutes(1);

/// Words of a run that waits for the next window.
pub const WAITS: &str = "it starts by itself at";

/// When a run that waits was said to be done.
struct Forecast {
    made_at: DateTime<Utc>,
    finishes_at: DateTime<Utc>,
}

/// The first forecast of each run that waited, by its job and by when it was put off.
pub struct Forecasts {
    /// A job that is left out.
    but: &'static str,
    first: BTreeMap<(String, DateTime<Utc>), Forecast>,
}

impl Forecasts {
    /// Of all jobs but this one.
    pub fn but(but: &'static str) -> Self {
        Self { but, first: BTreeMap::new() }
    }

    /// Notes what is said of runs that were put off since the last look.
    pub async fn look(&mut self, config: &Config, store: &Store, now: DateTime<Utc>) {
        let mut waiting = store.read(deferrals::list).await.expect("it can be read");
        waiting.retain(|waits| {
            waits.job.as_str() != self.but && !self.first.contains_key(&(waits.job.to_string(), waits.since))
        });
        if waiting.is_empty() {
            return;
        }
        let spending = Spending::read(config, Some(store), now).await.expect("it can be read");
        let deferred: Vec<_> = spending.accounts.into_iter().flat_map(|account| account.deferred).collect();
        for waits in waiting {
            let said =
                deferred.iter().find(|run| run.job == waits.job).expect("it is said of each that waits");
            let forecast = Forecast { made_at: now, finishes_at: said.finishes_at };
            self.first.insert((waits.job.to_string(), waits.since), forecast);
        }
    }

    /// Each run that waited was done when it was forecast, give or take a tenth of the time until then. Returns how many
    /// there were by job.
    pub fn came_true(&self, rows: &[RunRow], end: DateTime<Utc>) -> BTreeMap<String, usize> {
        let mut checked: BTreeMap<String, usize> = BTreeMap::new();
        for ((job, since), Forecast { made_at, finishes_at }) in &self.first {
            // Newest first.
            let runs = rows.iter().rev().filter(|run| run.job.as_str() == job);
            let mut done =
                runs.filter(|run| run.outcome == Some(Outcome::Success) && run.started_at >= *since);
            let Some(done) = done.next().and_then(|run| run.finished_at) else {
                assert!(*finishes_at > end - SLOT, "{job}, which waited since {since}, was not done");
                continue;
            };
            let (off, ahead) = ((done - *finishes_at).abs(), done - *made_at);
            assert!(
                off <= SLOT.max(ahead / 10),
                "{job}, which waited since {since}, was done {off} from its forecast, {ahead} after it was made"
            );
            *checked.entry(job.clone()).or_default() += 1;
        }
        let waits = |run: &&RunRow| run.message.as_deref().is_some_and(|words| words.contains(WAITS));
        for run in rows.iter().filter(|run| run.job.as_str() != self.but).filter(waits) {
            let key = |((job, since), _): (&(String, DateTime<Utc>), &Forecast)| {
                let began = run.started_at - SLOT;
                job == run.job.as_str() && *since > began && Some(*since) <= run.finished_at
            };
            assert!(self.first.iter().any(key), "nothing was forecast of {run:?}");
        }
        checked
    }
}
