//! A pretend Cardmarket: articles, carts, orders and an account, and the checks that stand before them.
//!
//! Everything here is a value changed by a request and an instant. Sockets and waiting are the server's
//! business, so that a test can ask the shop directly.

mod body;
mod buying;
mod carts;
mod catalogue;
mod changing;
mod comment;
mod effects;
mod exports;
mod json;
mod limits;
mod login;
#[cfg(test)]
mod login_tests;
mod orders;
mod pipeline;
mod placing;
mod reads;
mod route;
mod seed;
mod shelf;
mod signature;
mod stock;
mod wire;
mod words;
mod writing;
#[cfg(test)]
mod writing_tests;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use buying::{Bought, Purchase};
pub use carts::CartMove;
pub use comment::{Comment, Written};
pub use effects::{By, Deed, Effect, Effects};
pub use limits::{Limit, berlin_day};
pub use login::App;
pub use orders::{Buyer, Order, OrderAction, OrderState};
pub use placing::{ByHand, Placed};
pub use shelf::Shelved;
#[cfg(test)]
pub use signature::{Claim, sign};
pub use stock::{Article, Flags, Stock};

use super::fault::{Fault, FaultKind};
use super::faults::Faults;
use super::goods::Goods;
use super::keys::Keys;
use super::ledger::Ledger;
use super::options::{Options, Typing, Unpaginated};
use catalogue::Catalogue;
use exports::Exports;
use limits::Limits;
use login::Door;
use writing::Write;

/// Everything that the pretend marketplace knows.
#[derive(Debug)]
pub struct Shop {
    keys: Keys,
    door: Door,
    strict: bool,
    typing: Typing,
    unpaginated: Unpaginated,
    daily_limit: Option<u32>,
    catalogue: Catalogue,
    stock: Stock,
    carts: Vec<Article>,
    buyers: Vec<Buyer>,
    orders: Vec<Order>,
    balance_cents: u64,
    limits: Limits,
    faults: Faults,
    /// Nonces that were used, with their timestamps.
    nonces: std::collections::HashSet<(i64, String)>,
    ledger: Ledger,
    rng: fastrand::Rng,
    rules: Rules,
    effects: Effects,
    /// Writes whose connection broke, with when they take effect.
    late: Vec<(DateTime<Utc>, Write)>,
    exports: Exports,
    /// The last number that was given to an article.
    next_id: u64,
    /// Draws what becomes of writes: what buyers do must not depend on it.
    chance: fastrand::Rng,
}

/// What the seller may do, and how the marketplace treats it.
#[derive(Debug, Clone)]
struct Rules {
    most_copies: u32,
    reassign_ids: f64,
    display_language: u8,
    export_delay: Duration,
}

impl Shop {
    /// A shop as its options describe it, on the day that `now` belongs to.
    pub fn new(options: &Options, now: DateTime<Utc>) -> Self {
        seed::shop(options, now)
    }

    /// The strings that open it.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What is for sale.
    pub fn stock(&self) -> &Stock {
        &self.stock
    }

    /// Copies in carts, as articles.
    pub fn carts(&self) -> &[Article] {
        &self.carts
    }

    /// What is for sale under a key of the seller's own, in the order of the list.
    pub fn goods(&self) -> impl Iterator<Item = Goods> {
        self.stock.rows().iter().filter_map(|row| {
            let sku = row.comment.sku()?;
            let title = self.catalogue.at(row.product).name.trim().to_owned();
            Some(Goods { sku, title, cents: row.cents, count: row.count })
        })
    }

    /// All orders, oldest first.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// The order of that number.
    pub fn order(&self, id: u64) -> Option<&Order> {
        self.order_place(id).map(|at| &self.orders[at])
    }

    /// What was asked.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What requests and hands have changed in the stock.
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// Turns a fault on; `restore`, `limit` and `429-daily` do their work at once.
    pub fn fault(&mut self, fault: Fault, now: DateTime<Utc>) {
        match fault.kind {
            FaultKind::Restore => {
                let _ = self.faults.restore();
            }
            FaultKind::Limit { max } => self.limits.max = max,
            FaultKind::Exhaust => self.limits.exhaust(now),
            FaultKind::StaleExport => {
                self.settle(now);
                self.exports.remember(self.stock.rows(), now);
                self.faults.add(fault, now);
            }
            _ => self.faults.add(fault, now),
        }
    }

    /// Turns all faults off and gives the allowance back.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.limits.max = self.daily_limit;
    }

    /// Moves an order on, as buyer, seller and post would.
    pub fn act(
        &mut self,
        order: u64,
        action: OrderAction,
        now: DateTime<Utc>,
    ) -> Result<OrderState, ActError> {
        let at = self.order_place(order).ok_or(ActError::NoSuchOrder(order))?;
        let order = &mut self.orders[at];
        order.act(action, now).map_err(ActError::Refused)?;
        if order.state == OrderState::Received {
            self.balance_cents += order.article_cents() + order.shipping_cents();
        }
        Ok(order.state)
    }

    /// The state of the shop for people and scripts, without any buyer's name.
    pub fn summary(&mut self, now: DateTime<Utc>) -> serde_json::Value {
        self.settle(now);
        let mut orders: BTreeMap<&str, usize> =
            OrderState::ALL.iter().map(|state| (state.word(), 0)).collect();
        for order in &self.orders {
            *orders.entry(order.state.word()).or_default() += 1;
        }
        let copies: u64 = self.stock.rows().iter().map(|row| u64::from(row.count)).sum();
        let limit = self.limits.headers(now);
        serde_json::json!({
            "articles": self.stock.rows().len(),
            "copies": copies,
            "articles_in_carts": self.carts.len(),
            "orders": orders,
            "requests": {
                "total": self.ledger.total(),
                "writes": self.ledger.writes(),
                "by_day": self.ledger.by_day(),
            },
            "effects": self.effects.total(),
            "limit": limit.map(|(max, count)| serde_json::json!({ "max": max, "count": count })),
            "faults": self.faults.list(now),
        })
    }

    /// The faults that are on.
    pub fn faults(&mut self, now: DateTime<Utc>) -> Vec<Fault> {
        self.faults.list(now)
    }

    /// How long until the next buyer comes, when they come every `mean` on average.
    pub fn next_buyer(&mut self, mean: std::time::Duration) -> std::time::Duration {
        // Arrivals that do not know of each other: exponential waits, cut off at five times the mean.
        let wait = -(1.0 - self.rng.f64()).ln();
        mean.mul_f64(wait.min(5.0)).max(std::time::Duration::from_millis(1))
    }

    fn order_place(&self, id: u64) -> Option<usize> {
        self.orders.binary_search_by_key(&id, |order| order.id).ok()
    }

    /// Lets happen what is due at `now`: buyers pay, writes take effect whose connection broke, exports finish.
    /// Everything that looks at the shop does this first; who looks at [`Self::stock`] directly may want to.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        for order in &mut self.orders {
            if let Some(due) = order.pays_at.filter(|due| *due <= now) {
                // An order that was called off meanwhile has no date of payment any more.
                let _ = order.act(OrderAction::Pay, due);
            }
        }
        // In the order in which they are due: a file shows what took effect before it was written.
        loop {
            let write = (0..self.late.len()).min_by_key(|at| self.late[*at].0);
            let (written, filed) = (write.map(|at| self.late[at].0), self.exports.next_due());
            match (write.zip(written), filed) {
                (Some((at, due)), filed) if due <= now && filed.is_none_or(|filed| due <= filed) => {
                    let (due, write) = self.late.remove(at);
                    self.carry_out(&write, due);
                }
                (_, Some(due)) if due <= now => self.exports.finish(self.stock.rows(), due),
                _ => break,
            }
        }
        self.exports.forget(now);
    }
}

/// Why an order did not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// There is none of that number.
    #[error("there is no order {0}")]
    NoSuchOrder(u64),
    /// Its state does not allow it.
    #[error("{0}")]
    Refused(String),
}
