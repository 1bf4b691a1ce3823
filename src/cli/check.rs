//! `sellerd config check`: every mistake of every file at once. It contacts nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::Format;
use super::home::Home;
use super::{Exit, Failure, output};
use crate::config::{self, Config, Diagnostic, Severity};
use crate::domain::AccountName;
use crate::jobs::cost;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    files: usize,
    errors: Vec<&'a Diagnostic>,
    warnings: Vec<&'a Diagnostic>,
}

/// Checks and tells. Exit 78 when there are errors.
pub async fn run(home: &Home) -> Result<Exit, Failure> {
    let stock = match &config::read(&home.dir).config {
        Some(config) => stock(home, config).await,
        None => BTreeMap::new(),
    };
    let mut checked = config::load_knowing(&home.dir, &stock);
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

/// How many listings the accounts had when their stock was last read: what the schedules cost depends on it. A database
/// that is not there, or cannot be read, is not the configuration's fault.
async fn stock(home: &Home, config: &Config) -> BTreeMap<AccountName, i64> {
    let Ok(Some(store)) = home.store(config) else { return BTreeMap::new() };
    let names: Vec<AccountName> = config.accounts.keys().cloned().collect();
    let read = store.read(move |tx| {
        let mut stock = BTreeMap::new();
        for name in names {
            if let Some(listings) = cost::listings(tx, &name)? {
                stock.insert(name, listings);
            }
        }
        Ok(stock)
    });
    read.await.unwrap_or_default()
}
