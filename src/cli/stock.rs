//! `sellerd stock`: the listings as they were last read, as they are or as a seller's list would have them.

mod export;

use super::args::AccountFilter;
use super::home::Home;
use super::list::{self, Named, Row};
use super::{Exit, Failure};
use crate::domain::{AccountName, Money};
use crate::store::listings::{self, ListingRow};

/// Writes the listings of one account or of all.
pub async fn all(filter: AccountFilter, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let account = known_account(filter, &config)?;
    let named = Named {
        schema: "sellerd.stock/1",
        key: "listings",
        empty: "No listings are known yet. Read them: sellerd job run stock-pull",
    };
    list::stream::<ListingRow>(home, &config, named, move |tx, row| {
        listings::each(tx, account.as_ref(), row)
    })
    .await?;
    Ok(Exit::Success)
}

pub use export::run as export;

/// The account that was named, if it is one.
pub fn known_account(
    filter: AccountFilter,
    config: &crate::config::Config,
) -> Result<Option<AccountName>, Failure> {
    let Some(name) = filter.account.map(AccountName) else { return Ok(None) };
    if config.accounts.contains_key(&name) {
        return Ok(Some(name));
    }
    let known: Vec<&str> = config.accounts.keys().map(|name| name.as_str()).collect();
    let fix = match crate::domain::nearest(name.as_str(), known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the accounts are: {}", known.join(", ")),
    };
    Err(Failure::usage(format!("there is no account {name}"), fix))
}

impl Row for ListingRow {
    const HEAD: &'static [&'static str] =
        &["ACCOUNT", "LISTING", "SKU", "TITLE", "COPIES", "IN CARTS", "PRICE"];
    const NUMBERS: &'static [usize] = &[1, 4, 5, 6];
    const CSV: &'static [&'static str] =
        &["account", "listing_id", "sku", "title", "quantity", "in_carts", "price_minor", "currency"];

    fn cells(&self, _: chrono_tz::Tz) -> Vec<String> {
        let price = Money { minor: self.price_minor, currency: self.currency };
        vec![
            self.account.to_string(),
            self.listing_id.to_string(),
            self.sku.to_string(),
            self.title.clone(),
            self.quantity.to_string(),
            self.in_carts.to_string(),
            price.to_string(),
        ]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![vec![
            self.account.to_string(),
            self.listing_id.to_string(),
            self.sku.to_string(),
            self.title.clone(),
            self.quantity.to_string(),
            self.in_carts.to_string(),
            self.price_minor.to_string(),
            self.currency.to_string(),
        ]]
    }
}
