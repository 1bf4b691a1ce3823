//! Buyers: they take copies out of the stock and leave an order.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Article, Order, OrderState, Shop};

/// What is to be bought. Left empty, it is one order of a few copies that somebody happens to like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Purchase {
    /// How many orders; one if absent.
    pub count: Option<u32>,
    /// Whether they are paid at once; if absent, most are and the others a few minutes later.
    pub pay: Option<bool>,
    /// Which article.
    pub article_id: Option<u64>,
    /// How many copies of it.
    pub quantity: Option<u32>,
}

/// An order that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bought {
    /// `idOrder`.
    pub order_id: u64,
    /// `bought` or `paid`.
    pub state: &'static str,
    /// Copies in it.
    pub copies: u32,
    /// What the buyer pays, shipping included.
    pub total_cents: u64,
}

impl Shop {
    /// Buys at `now`. The orders stand in the lists at once; there are fewer than asked for if the stock runs
    /// out, and it is an error if there is none.
    pub fn buy(&mut self, purchase: &Purchase, now: DateTime<Utc>) -> Result<Vec<Bought>, String> {
        self.settle(now);
        let now = now.trunc_subsecs(0);
        let mut bought = Vec::new();
        for _ in 0..purchase.count.unwrap_or(1) {
            let lines = match purchase.article_id {
                Some(id) => self.take(id, purchase.quantity.unwrap_or(1)).map(|line| vec![line]),
                None => self.take_some(purchase.quantity),
            };
            let lines = match lines {
                Ok(lines) => lines,
                Err(reason) if bought.is_empty() => return Err(reason),
                // What was bought before the stock ran out is bought.
                Err(_) => break,
            };
            bought.push(self.order_of(lines, purchase.pay, now));
        }
        Ok(bought)
    }

    pub(super) fn take(&mut self, id: u64, copies: u32) -> Result<Article, String> {
        self.stock.take(id, copies).ok_or_else(|| match self.stock.find(id) {
            Some(row) => format!("article {id} has {} copies, {copies} cannot be bought", row.count),
            None => format!("there is no article {id} in stock"),
        })
    }

    fn take_some(&mut self, quantity: Option<u32>) -> Result<Vec<Article>, String> {
        let mut lines: Vec<Article> = Vec::new();
        for _ in 0..self.rng.usize(1..=3) {
            let rows = self.stock.rows();
            if rows.is_empty() {
                break;
            }
            let row = rows[self.rng.usize(0..rows.len())];
            if lines.iter().any(|line| line.id == row.id) {
                continue;
            }
            let copies = quantity.unwrap_or_else(|| self.rng.u32(1..=3)).clamp(1, row.count);
            lines.extend(self.stock.take(row.id, copies));
        }
        if lines.is_empty() { Err("there is nothing left in stock to buy".to_owned()) } else { Ok(lines) }
    }

    pub(super) fn order_of(&mut self, lines: Vec<Article>, pay: Option<bool>, now: DateTime<Utc>) -> Bought {
        let at_once = pay.unwrap_or_else(|| self.rng.u8(0..100) < 85);
        let later = pay.is_none() && !at_once;
        let order = Order {
            id: self.orders.last().map_or(super::seed::FIRST_ORDER, |last| last.id + 1),
            buyer: self.rng.usize(0..self.buyers.len()),
            state: if at_once { OrderState::Paid } else { OrderState::Bought },
            bought: now,
            paid: at_once.then_some(now),
            sent: None,
            received: None,
            cancelled: None,
            pays_at: later.then(|| now + TimeDelta::seconds(self.rng.i64(60..900))),
            tracked: self.rng.u8(0..100) < 30,
            lines,
        };
        let bought = Bought {
            order_id: order.id,
            state: order.state.word(),
            copies: order.copies(),
            total_cents: order.article_cents() + order.shipping_cents(),
        };
        tracing::debug!(target: "sandbox", order = order.id, state = bought.state, copies = bought.copies, "a buyer bought");
        self.orders.push(order);
        bought
    }

    /// An article goes or comes at the head of the list, so that every later page shifts by one.
    pub(super) fn shift_pages(&mut self, insert: bool, now: DateTime<Utc>) {
        let Some(first) = self.stock.rows().first().copied() else { return };
        if insert {
            let id = first.id.saturating_sub(1);
            let serial = self.rng.u32(900_000..1_000_000);
            let edited = now.timestamp();
            self.stock.insert(super::seed::article(&mut self.rng, &self.catalogue, id, serial, edited));
        } else if let Some(taken) = self.stock.take(first.id, first.count) {
            self.order_of(vec![taken], Some(true), now.trunc_subsecs(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::options::Options;
    use super::*;
    use crate::clock::SystemClock;

    fn now() -> DateTime<Utc> {
        "2026-03-01T10:00:00Z".parse().expect("a date")
    }

    #[tokio::test]
    async fn what_is_bought_leaves_the_stock_and_stands_in_an_order() {
        let options = Options { articles: 20, orders: 0, ..Options::new(SystemClock::shared()) };
        let mut shop = Shop::new(&options, now());
        let row = *shop.stock().rows().iter().find(|row| row.count > 1).expect("some have more than one");
        let purchase =
            Purchase { article_id: Some(row.id), quantity: Some(row.count - 1), ..Purchase::default() };
        let bought = shop.buy(&purchase, now()).expect("enough copies");
        assert_eq!(shop.stock().find(row.id).map(|left| left.count), Some(1));
        let order = shop.order(bought[0].order_id).expect("listed at once");
        assert_eq!(order.lines[0], Article { count: row.count - 1, ..row });
        assert!(shop.buy(&purchase, now()).is_err() || row.count == 2);
    }

    #[tokio::test]
    async fn buyers_empty_the_shop_and_then_find_nothing() {
        let options = Options { articles: 5, orders: 0, ..Options::new(SystemClock::shared()) };
        let mut shop = Shop::new(&options, now());
        let copies: u32 = shop.stock().rows().iter().map(|row| row.count).sum();
        while shop.buy(&Purchase::default(), now()).is_ok() {}
        assert!(shop.stock().rows().is_empty());
        assert_eq!(shop.orders().iter().map(Order::copies).sum::<u32>(), copies);
    }

    #[tokio::test]
    async fn a_buyer_who_does_not_pay_at_once_pays_within_a_quarter_of_an_hour() {
        let options = Options { articles: 200, orders: 0, ..Options::new(SystemClock::shared()) };
        let mut shop = Shop::new(&options, now());
        shop.buy(&Purchase { count: Some(60), ..Purchase::default() }, now()).expect("enough");
        let unpaid =
            |shop: &Shop| shop.orders().iter().filter(|order| order.state == OrderState::Bought).count();
        assert!((1..60).contains(&unpaid(&shop)), "{}", unpaid(&shop));
        shop.settle(now() + TimeDelta::minutes(15));
        assert_eq!(unpaid(&shop), 0);
        let refused = Purchase { pay: Some(false), ..Purchase::default() };
        shop.buy(&refused, now()).expect("enough");
        shop.settle(now() + TimeDelta::days(1));
        assert_eq!(unpaid(&shop), 1, "who was told not to pay does not");
    }
}
