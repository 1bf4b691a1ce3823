//! One row of a list, read into what the seller desires, or the reason why not.

use std::str::from_utf8;

use ::csv::ByteRecord;
use chrono::{DateTime, Utc};

use super::cells::{self, shown};
use super::header::Layout;
use crate::config::{Column, Source};
use crate::domain::{Bound, Currency, DesiredMore, Money, Sku};

/// The longest SKU, in bytes.
const LONGEST_SKU: usize = 255;

/// What rows are read with.
pub(super) struct Reading<'a> {
    pub settings: &'a Source,
    pub layout: &'a Layout,
    pub currency: Currency,
    pub now: DateTime<Utc>,
}

/// What a row says of its item.
pub(super) struct Rest {
    pub quantity: i64,
    pub price: Option<Money>,
    pub more: Option<Box<DesiredMore>>,
}

/// Why a row is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// It is rejected for this reason.
    Rejected(String),
    /// It is in this currency, so that nothing in the file can be believed.
    OtherCurrency(String),
}

impl From<String> for No {
    fn from(reason: String) -> Self {
        Self::Rejected(reason)
    }
}

impl Reading<'_> {
    /// The SKU of a row with as many cells as the header.
    pub fn sku(&self, row: &ByteRecord) -> Result<Sku, String> {
        let sku = text(row, self.layout.sku)?;
        check_sku(sku).map(|()| Sku(sku.to_owned()))
    }

    /// The rest of the row.
    pub fn rest(&self, row: &ByteRecord) -> Result<Rest, No> {
        let layout = self.layout;
        let mut currency_told = false;
        if let Some(at) = layout.currency {
            let code = cell(row, at).trim_ascii();
            currency_told = !code.is_empty();
            if currency_told && code != self.currency.as_str().as_bytes() {
                return Err(No::OtherCurrency(shown(code)));
            }
        }
        let quantity = cells::quantity(cell(row, layout.quantity))?;
        let price = layout.price.map(|at| self.amount("price", cell(row, at))).transpose()?.flatten();
        if price.is_some_and(|price| price.minor == 0) {
            return Err(No::Rejected("a price of nothing".to_owned()));
        }
        if layout.currency.is_some() && price.is_some() && !currency_told {
            return Err(No::Rejected("there is a price, and its currency is blank".to_owned()));
        }
        let more = if layout.more.is_empty() { None } else { self.more(row)? };
        Ok(Rest { quantity, price, more })
    }

    fn more(&self, row: &ByteRecord) -> Result<Option<Box<DesiredMore>>, No> {
        let mut more = DesiredMore::default();
        for (column, at) in &self.layout.more {
            match column {
                Column::MinPrice => more.floor = self.bound("floor", cell(row, *at))?,
                Column::MaxPrice => more.ceiling = self.bound("ceiling", cell(row, *at))?,
                Column::AsOf => {
                    let time = cells::time(text(row, *at)?, self.settings.timezone, self.now)?;
                    more.as_of = Some(time);
                }
                column => {
                    let what = column.as_str();
                    let text = text(row, *at)?;
                    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                        return Err(No::Rejected(format!("the {what} holds a control character")));
                    }
                    if !text.is_empty() {
                        match column {
                            Column::Comment => more.comment = Some(text.to_owned()),
                            _ => drop(more.details.insert(what.to_owned(), text.to_owned())),
                        }
                    }
                }
            }
        }
        if let (Bound::At(floor), Bound::At(ceiling)) = (more.floor, more.ceiling)
            && floor.minor > ceiling.minor
        {
            return Err(No::Rejected(format!("the floor {floor} is above the ceiling {ceiling}")));
        }
        Ok((more != DesiredMore::default()).then(|| Box::new(more)))
    }

    fn bound(&self, what: &str, cell: &[u8]) -> Result<Bound, String> {
        let bound = self.amount(what, cell)?.map_or(Bound::Blank, Bound::At);
        match bound {
            Bound::At(ceiling) if what == "ceiling" && ceiling.minor == 0 => {
                Err("a ceiling of nothing".to_owned())
            }
            bound => Ok(bound),
        }
    }

    /// An amount; `None` for a blank cell, which says nothing.
    fn amount(&self, what: &str, cell: &[u8]) -> Result<Option<Money>, String> {
        if cell.trim_ascii().is_empty() {
            return Ok(None);
        }
        let minor = cells::amount(what, cell, self.settings.decimal)?;
        Ok(Some(Money { minor, currency: self.currency }))
    }
}

/// An error where a list cannot name an item so.
pub(super) fn check_sku(sku: &str) -> Result<(), String> {
    match sku {
        "" => Err("the SKU is blank".to_owned()),
        sku if sku.len() > LONGEST_SKU => {
            Err(format!("the SKU is longer than {LONGEST_SKU} bytes: `{}`", shown(sku.as_bytes())))
        }
        sku if sku.chars().any(char::is_control) => {
            Err(format!("the SKU holds a line end or another control character: `{}`", shown(sku.as_bytes())))
        }
        _ => Ok(()),
    }
}

fn cell(row: &ByteRecord, at: usize) -> &[u8] {
    row.get(at).unwrap_or_default()
}

fn text(row: &ByteRecord, at: usize) -> Result<&str, String> {
    // Rows are UTF-8 by now; an error costs less here than a proof.
    from_utf8(cell(row, at)).map(str::trim).map_err(|_| "this is not UTF-8".to_owned())
}
