//! `sellerd config check`: every mistake of every file at once. It contacts nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::Format;
use super::home::Home;
use super::{Exit, Failure, output};
use crate::config::{self, Account, Config, Diagnostic, Learnt, Severity};
use crate::domain::AccountName;
use crate::jobs::cost;
use crate::store::{StoreError, quotas};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    files: usize,
    errors: Vec<&'a Diagnostic>,
    warnings: Vec<&'a Diagnostic>,
}

/// Checks and tells. Exit 78 when there are errors.
pub async fn run(home: &Home) -> Result<Exit, Failure> {
    let learnt = match &config::read(&home.dir).config {
        Some(config) => learnt(home, config).await,
        None => BTreeMap::new(),
    };
    let mut checked = config::load_knowing(&home.dir, &learnt);
    if home.output == Format::Table {
        home.typed.mend(&mut checked.diagnostics);
    }
    let of = |severity| checked.diagnostics.iter().filter(|d| d.severity == severity).collect::<Vec<_>>();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let exit = if errors.is_empty() { Exit::Success } else { Exit::Config };
    match home.output {
        Format::Table => output::text(&checked.draw(home.colour))?,
        format => output::document(
            format,
            &Document { schema: "sellerd.config-check/1", files: checked.files, errors, warnings },
        )?,
    }
    Ok(exit)
}

/// How many listings the accounts had when their stock was last read, and the limits that their marketplaces told: what the
/// schedules cost depends on it, and whether that can be paid for. A database that is not there, or cannot be read, is
/// not the configuration's fault.
async fn learnt(home: &Home, config: &Config) -> BTreeMap<AccountName, Learnt> {
    let Ok(Some(store)) = home.store(config) else { return BTreeMap::new() };
    let of = |account: &Account| (account.name.clone(), account.marketplace.limit_headers.window);
    let accounts: Vec<_> = config.accounts.values().map(of).collect();
    let read = store.read(move |tx| {
        let learnt = accounts.into_iter().map(|(name, window)| {
            let limit = quotas::usage(tx, &name, window.as_str())?.and_then(|usage| usage.limit);
            let listings = cost::listings(tx, &name)?;
            Ok((name, Learnt { listings, limit }))
        });
        learnt.collect::<Result<_, StoreError>>()
    });
    read.await.unwrap_or_default()
}
