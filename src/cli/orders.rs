//! `sellerd orders list`: the orders as they were last read.

use chrono::{DateTime, SecondsFormat, Utc};

use super::args::AccountFilter;
use super::home::Home;
use super::list::{List, Row, done};
use super::stock::known_account;
use super::{Exit, Failure};
use crate::domain::Money;
use crate::store::orders::{self, LineRow, OrderRow};

/// Writes the orders of one account or of all.
pub async fn list(filter: AccountFilter, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let account = known_account(filter, &config)?;
    let (format, tz) = (home.output, config.timezone);
    let begin = move || List::begin::<OrderRow>(format, "sellerd.orders/1", "orders", tz);
    let empty = "No orders are known yet. Read them: sellerd job run order-poll";
    let written = match home.store(&config)? {
        None => begin().and_then(|list| list.end(empty)),
        Some(store) => {
            store
                .read(move |tx| {
                    let mut list = match begin() {
                        Ok(list) => list,
                        Err(error) => return Ok(Err(error)),
                    };
                    let mut broken = None;
                    orders::each(tx, account.as_ref(), |row| {
                        if broken.is_none() {
                            broken = list.row(&row).err();
                        }
                        Ok(())
                    })?;
                    Ok(match broken {
                        Some(error) => Err(error),
                        None => list.end(empty),
                    })
                })
                .await?
        }
    };
    done(written)?;
    Ok(Exit::Success)
}

impl Row for OrderRow {
    const HEAD: &'static [&'static str] = &["ACCOUNT", "ORDER", "PLACED", "STATE", "COPIES", "TOTAL", "WHAT"];
    const NUMBERS: &'static [usize] = &[1, 4, 5];
    const CSV: &'static [&'static str] = &[
        "account",
        "order_id",
        "state",
        "placed_at",
        "paid_at",
        "total_minor",
        "currency",
        "tracking_number",
        "line_id",
        "sku",
        "listing_id",
        "title",
        "quantity",
        "unit_price_minor",
    ];

    fn cells(&self, tz: chrono_tz::Tz) -> Vec<String> {
        let placed = self.placed_at.map(|at| at.with_timezone(&tz).format("%Y-%m-%d %H:%M").to_string());
        let total = Money { minor: self.total_minor, currency: self.currency };
        let what = match self.lines.as_slice() {
            [] => String::new(),
            [line] => line.title.clone(),
            [line, rest @ ..] => format!("{} and {} more", line.title, rest.len()),
        };
        vec![
            self.account.to_string(),
            self.order_id.to_string(),
            placed.unwrap_or_default(),
            self.state.clone(),
            self.lines.iter().map(|line| line.quantity).sum::<i64>().to_string(),
            total.to_string(),
            what,
        ]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        let head = vec![
            self.account.to_string(),
            self.order_id.to_string(),
            self.state.clone(),
            instant(self.placed_at),
            instant(self.paid_at),
            self.total_minor.to_string(),
            self.currency.to_string(),
            self.tracking_number.clone().unwrap_or_default(),
        ];
        let of_line = |line: &LineRow| {
            let mut row = head.clone();
            row.extend([
                line.line_id.to_string(),
                line.sku.to_string(),
                line.listing_id.to_string(),
                line.title.clone(),
                line.quantity.to_string(),
                line.unit_price_minor.to_string(),
            ]);
            row
        };
        self.lines.iter().map(of_line).collect()
    }
}

fn instant(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
}
