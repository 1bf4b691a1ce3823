//! `sellerd halt` and `unhalt`: the switch that stops every write. It stands in the database, where the gate looks
//! before each request, so it holds in a running agent and in a run of another process at once, and after a restart.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::Format;
use super::confirm::confirm;
use super::home::Home;
use super::output::{self, counted, note, when};
use super::{Exit, Failure};
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
    in_doubt: BTreeMap<AccountName, i64>,
    parked: BTreeMap<AccountName, Parked>,
}

impl Open {
    fn read(tx: &Tx<'_>, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let waiting = plans::waiting(tx, None, now)?;
        Ok(Self {
            plans: waiting.iter().map(PlanStatus::of).filter(|plan| plan.changes > 0).collect(),
            in_doubt: intents::accounts_in_doubt(tx)?,
            parked: parked::list(tx)?,
        })
    }

    fn draw(&self) -> String {
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

/// Stops every write.
pub async fn halt(home: &Home) -> Result<Exit, Failure> {
    let (config, store) = state(home)?;
    let now = SystemClock::default().now();
    let (since, open) = store
        .write(move |tx| {
            flags::set_halted(tx, Some(now))?;
            Ok((flags::halted(tx)?, Open::read(tx, now)?))
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
    let (since, open) = store.read(move |tx| Ok((flags::halted(tx)?, Open::read(tx, now)?))).await?;
    let words = open.draw();
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
