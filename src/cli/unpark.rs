//! `sellerd unpark`: a person has looked at what came out as nobody expected, and writes go on from what is there now.

use serde::Serialize;

use super::args::{AccountFilter, Format};
use super::confirm::confirm;
use super::home::Home;
use super::output::{self, note, when};
use super::stock::known_account;
use super::{Exit, Failure};
use crate::clock::{Clock, SystemClock};
use crate::domain::AccountName;
use crate::jobs::PARKED;
use crate::store::parked::{self, Parked};
use crate::store::problems;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    account: &'a AccountName,
    released: bool,
    was: Option<&'a Parked>,
}

/// Shows the sum that did not add up, asks, and releases the account.
pub async fn run(account: &str, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let filter = AccountFilter { account: Some(account.to_owned()) };
    let name = known_account(filter, &config)?.unwrap_or_else(|| account.into());
    let now = SystemClock::default().now();
    let store = home.store(&config)?;
    let parked = match &store {
        None => None,
        Some(store) => {
            let name = name.clone();
            store.read(move |tx| parked::get(tx, &name)).await?
        }
    };
    if let (Some(store), Some(parked)) = (&store, &parked) {
        if !home.output.is_json() && !home.quiet {
            let since = when(parked.since, now, config.timezone);
            note(&format!("{name} is parked since {since}:\n  {}\n", parked.arithmetic));
        }
        confirm(
            home,
            &format!("Have you looked at the listing at the marketplace? Let {name} be written to?"),
        )?;
        let name = name.clone();
        store
            .write(move |tx| {
                parked::release(tx, &name, now)?;
                problems::close(tx, PARKED, name.as_str(), now)
            })
            .await?;
    }
    match (home.output, &parked) {
        (Format::Table, Some(_)) => {
            output::text(&format!("{name} is written to again, from what is there now.\n"))?;
        }
        (Format::Table, None) => output::text(&format!("{name} is not parked.\n"))?,
        (format, was) => output::document(
            format,
            &Document {
                schema: "sellerd.unpark/1",
                account: &name,
                released: was.is_some(),
                was: was.as_ref(),
            },
        )?,
    }
    Ok(Exit::Success)
}
