//! `sellerd halt` and `unhalt`: the switch that stops every write. It stands in the database, where the gate looks
//! before each request, so it holds in a running agent and in a run of another process at once, and after a restart.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::args::Format;
use super::confirm::confirm;
use super::home::Home;
use super::output::{self, counted, note, when};
use super::{Exit, Failure};
use crate::agent::broken_off::BrokenOff;
use crate::agent::gone::Gone;
use crate::agent::status::PlanStatus;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::AccountName;
use crate::store::parked::{self, Parked};
use crate::store::{Store, StoreError, Tx, flags, intents, plans};

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    halted: bool,
    /// Since when it is, or was until now.
    #[serde(serialize_with = "crate::agent::status::optional_instant")]
    since: Option<DateTime<Utc>>,
    #[serde(flatten)]
    open: Open,
}

/// What a person should know before writes go on.
#[derive(Serialize)]
struct Open {
    plans: Vec<PlanStatus>,
    broken_off: Vec<BrokenOff>,
    in_doubt: BTreeMap<AccountName, i64>,
    parked: BTreeMap<AccountName, Parked>,
}

impl Open {
    fn read(config: &Config, tx: &Tx<'_>, gone: &Gone, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let waiting = plans::waiting(tx, None, now)?;
        Ok(Self {
            plans: waiting.iter().map(PlanStatus::of).filter(|plan| plan.changes > 0).collect(),
            broken_off: BrokenOff::list(config, tx, gone, now)?,
            in_doubt: intents::accounts_in_doubt(tx)?,
            parked: parked::list(tx)?,
        })
    }

    fn draw(&self, now: DateTime<Utc>, tz: Tz) -> String {
        let mut text = String::new();
        for plan in &self.plans {
            text.push_str(&format!(
                "  {} of {} for {} waits: {}, {}\n",
                plan.plan_id,
                plan.job,
                plan.account,
                counted(plan.changes, "change"),
                plan.state
            ));
        }
        for plan in &self.broken_off {
            text.push_str(&format!("  {}\n", broken_off(plan, now, tz)));
        }
        for (account, count) in &self.in_doubt {
            let what = counted(*count, "write");
            text.push_str(&format!("  {account}: what became of {what} is read before anything is sent\n"));
        }
        for (account, parked) in &self.parked {
            text.push_str(&format!("  {account} stays parked: {}\n", parked.arithmetic));
        }
        text
    }
}

/// A plan that was broken off, and how it goes on.
pub fn broken_off(plan: &BrokenOff, now: DateTime<Utc>, tz: Tz) -> String {
    let BrokenOff { plan_id, job, account, not_sent, next_run_at, command } = plan;
    let changes = counted(*not_sent, "change");
    let were = if *not_sent == 1 { "was" } else { "were" };
    let goes_on = match next_run_at {
        Some(at) => format!("{job} plans anew at {}", when(*at, now, tz)),
        None => format!("plan anew: {command}"),
    };
    format!("{plan_id} of {job} for {account} was broken off: {changes} {were} not sent; {goes_on}")
}

/// Stops every write.
pub async fn halt(home: &Home) -> Result<Exit, Failure> {
    let (config, store) = state(home)?;
    let now = SystemClock::default().now();
    // This first: what else there is to say must not keep it waiting.
    let since = store
        .write(move |tx| {
            flags::set_halted(tx, Some(now))?;
            flags::halted(tx)
        })
        .await?;
    match home.output {
        Format::Table => {
            let since = since.unwrap_or(now);
            output::text(&format!(
                "Halted since {}: nothing is written to any marketplace. Reading goes on.\n\
                 Let writes go on:   sellerd unhalt\n",
                when(since, now, config.timezone)
            ))?;
        }
        format => {
            let open = open(&config, &store, now).await?;
            let document = Document { schema: "sellerd.halt/1", halted: true, since, open };
            output::document(format, &document)?;
        }
    }
    Ok(Exit::Success)
}

/// Shows what is open, asks, and lets writes go on.
pub async fn unhalt(home: &Home) -> Result<Exit, Failure> {
    let (config, store) = state(home)?;
    let now = SystemClock::default().now();
    let since = store.read(flags::halted).await?;
    let open = open(&config, &store, now).await?;
    let words = open.draw(now, config.timezone);
    if let Some(since) = since {
        let shown = if words.is_empty() { "  nothing waits\n" } else { &words };
        if !home.output.is_json() && !home.quiet {
            note(&format!("Halted since {}. When writes go on:\n{shown}", when(since, now, config.timezone)));
        }
        confirm(home, "Let writes go on?")?;
        store.write(|tx| flags::set_halted(tx, None)).await?;
    }
    match (home.output, since) {
        (Format::Table, Some(_)) => output::text("Writes go on.\n")?,
        (Format::Table, None) => output::text("Nothing is halted.\n")?,
        (format, since) => {
            let document = Document { schema: "sellerd.halt/1", halted: false, since, open };
            output::document(format, &document)?;
        }
    }
    Ok(Exit::Success)
}

async fn open(config: &Config, store: &Store, now: DateTime<Utc>) -> Result<Open, Failure> {
    let gone = Gone::look(store, &config.state_dir).await?;
    let config = config.clone();
    Ok(store.read(move |tx| Open::read(&config, tx, &gone, now)).await?)
}

/// The database beside whoever owns it. Without one there is nothing that writes, and nowhere to keep the switch.
fn state(home: &Home) -> Result<(Config, Store), Failure> {
    let config = home.config()?;
    let store = home.store(&config)?.ok_or_else(|| {
        Failure::new(
            "E475",
            Exit::Failed,
            format!(
                "nothing has ever run with {}, so nothing writes and nothing can be halted",
                config.dir.display()
            ),
            "name the configuration that is at work with -c DIR",
        )
    })?;
    Ok((config, store))
}
