//! `sellerd orders list`: the orders as they were last read.

use chrono::{DateTime, Utc};

use super::args::AccountFilter;
use super::home::Home;
use super::list::{self, Named, Row};
use super::output;
use super::stock::known_account;
use super::{Exit, Failure};
use crate::domain::Money;
use crate::store::orders::{self, LineRow, OrderRow};

/// Writes the orders of one account or of all.
pub async fn all(filter: AccountFilter, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let account = known_account(filter, &config)?;
    let named = Named {
        schema: "sellerd.orders/1",
        key: "orders",
        empty: "No orders are known yet. Read them: sellerd job run order-poll",
    };
    list::stream::<OrderRow>(home, &config, named, move |tx, row| orders::each(tx, account.as_ref(), row))
        .await?;
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
    at.map(output::instant).unwrap_or_default()
}
