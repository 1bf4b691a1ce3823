//! What a shop's own books say, in the form in which the judge compares it with what the agent knows.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::sandbox::trademe::{Paid, Sale, Selling, State, Status};
use sellerd::sandbox::{OrderState, trademe};

use crate::market::Market;

/// An order by the shop's books.
#[derive(Debug)]
pub struct Booked {
    /// Its number.
    pub id: i64,
    /// How the agent calls its state; `None` where the shop does not show it any more.
    pub state: Option<&'static str>,
    /// The agent may know nothing of it.
    pub may_be_unknown: bool,
    /// Its lines.
    pub lines: Vec<BookedLine>,
}

/// A line of it.
#[derive(Debug)]
pub struct BookedLine {
    /// Its number.
    pub id: i64,
    /// What should have been recorded, if the order is known.
    pub net: i64,
    /// The agent may know nothing of this line.
    pub may_be_unknown: bool,
}

/// What a listing may be known as: copies offered and copies in carts, or not at all.
pub type Known = Vec<Option<(i64, i64)>>;

impl Market {
    /// All orders. Nothing was bought since `calm` but what auctions sold by themselves.
    pub fn booked(&self, old: &[i64], calm: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Booked> {
        match self {
            Self::Cardmarket(shop) => shop
                .orders()
                .iter()
                .map(|order| {
                    let gone = order.state == OrderState::Cancelled;
                    let state = match order.state {
                        OrderState::Evaluated => "received",
                        state => state.word(),
                    };
                    let net = |count: u32| if gone { 0 } else { -i64::from(count) };
                    let lines = order.lines.iter();
                    Booked {
                        id: order.id as i64,
                        state: Some(state),
                        may_be_unknown: gone || old.contains(&(order.id as i64)),
                        lines: lines
                            .map(|line| BookedLine {
                                id: line.id as i64,
                                net: net(line.count),
                                may_be_unknown: false,
                            })
                            .collect(),
                    }
                })
                .collect(),
            Self::TradeMe(shop) => booked_sales(shop, calm, now),
        }
    }

    /// The orders that the agent need not know: they had gone through before it came.
    pub fn old_orders(&self) -> Vec<i64> {
        match self {
            Self::Cardmarket(shop) => {
                let old =
                    |state| matches!(state, OrderState::Received | OrderState::Evaluated | OrderState::Lost);
                shop.orders().iter().filter(|order| old(order.state)).map(|order| order.id as i64).collect()
            }
            Self::TradeMe(_) => Vec::new(),
        }
    }

    /// The stock as a reading between these two moments may have shown it, when nobody bought.
    pub fn stock(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> BTreeMap<i64, Known> {
        match self {
            Self::Cardmarket(shop) => {
                let mut stock: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
                for row in shop.stock().rows() {
                    stock.entry(row.id as i64).or_default().0 += i64::from(row.count);
                }
                for row in shop.carts() {
                    stock.entry(row.id as i64).or_default().1 += i64::from(row.count);
                }
                stock.into_iter().map(|(id, has)| (id, vec![Some(has)])).collect()
            }
            Self::TradeMe(shop) => {
                let closing = trademe::Options::default().closing;
                let rows = shop.listings().iter();
                rows.map(|row| {
                    let ends = [row.closed_at(), row.closed_at() + closing];
                    let moments =
                        [from, to].into_iter().chain(ends.into_iter().filter(|at| from <= *at && *at <= to));
                    let shown = |at| match (row.state(at, closing), &row.selling) {
                        (State::Active | State::Closing, Selling::BuyNow { quantity, .. }) => {
                            Some((i64::from(*quantity), 0))
                        }
                        (State::Active, Selling::Auction { .. }) => Some((1, 0)),
                        (State::Closing, Selling::Auction { .. }) => Some((0, 0)),
                        _ => None,
                    };
                    (row.id, moments.map(shown).collect())
                })
                .collect()
            }
        }
    }
}

/// Purchases of one cart are one order. What the seller hides is shown no more.
fn booked_sales(shop: &trademe::Shop, calm: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Booked> {
    let mut orders: BTreeMap<i64, Vec<&Sale>> = BTreeMap::new();
    for sale in shop.sales() {
        orders.entry(sale.order_id.unwrap_or(sale.id)).or_default().push(sale);
    }
    let shown = |sale: &Sale| !sale.hidden && now - sale.at <= TimeDelta::days(44);
    let may_be_unknown = |sale: &Sale| sale.hidden || sale.at > calm;
    orders
        .into_iter()
        .map(|(id, sales)| {
            let is_whole = sales.iter().all(|sale| shown(sale) && !may_be_unknown(sale));
            // An order stands where the line stands that is furthest behind.
            let state = sales.iter().map(|sale| state(sale, now)).min_by_key(|state| progress(state));
            Booked {
                id,
                state: state.filter(|_| is_whole),
                may_be_unknown: sales.iter().all(|sale| may_be_unknown(sale)),
                lines: sales
                    .iter()
                    .map(|sale| BookedLine {
                        id: sale.id,
                        net: -i64::from(sale.quantity),
                        may_be_unknown: may_be_unknown(sale),
                    })
                    .collect(),
            }
        })
        .collect()
}

fn state(sale: &Sale, now: DateTime<Utc>) -> &'static str {
    match (sale.status, sale.paid(now)) {
        (Status::SaleCompleted, _) => "received",
        (Status::GoodsShipped, _) => "sent",
        (Status::PaymentReceived, _) | (_, Paid::Yes) => "paid",
        _ => "bought",
    }
}

fn progress(state: &str) -> Option<usize> {
    ["bought", "paid", "sent", "received"].iter().position(|known| *known == state)
}
