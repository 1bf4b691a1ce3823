//! Buyers: they buy at once, fill carts or bid, and send addresses and money when it suits them.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::account::Fee;
use super::{Bid, How, PayBy, Payment, Sale, Selling, Shop, State, Status};

/// What is to be bought. Left empty, somebody buys something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Purchase {
    /// How many times; once if absent.
    pub count: Option<u32>,
    /// Which listing.
    #[serde(alias = "article_id")]
    pub listing_id: Option<i64>,
    /// How many copies of it.
    pub quantity: Option<u32>,
    /// Several listings in one order, instead.
    pub cart: Vec<CartLine>,
    /// A bid for the listing, instead of buying it.
    pub bid_cents: Option<u32>,
    /// Whether it is paid at once; if absent, as it happens.
    pub pay: Option<bool>,
    /// How it is paid; if absent, as it happens.
    pub by: Option<PayBy>,
    /// Whether the address is sent at once; if absent, now or within half an hour.
    pub address: Option<bool>,
}

/// One listing in a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CartLine {
    /// Which.
    pub listing_id: i64,
    /// How many copies.
    pub quantity: u32,
}

/// A purchase that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bought {
    /// `PurchaseId`.
    pub purchase_id: i64,
    /// `OrderId`, if it came through a cart.
    pub order_id: Option<i64>,
    /// What was bought.
    pub listing_id: i64,
    /// Copies.
    pub quantity: u32,
    /// What the buyer pays, shipping included.
    pub total_cents: u64,
}

/// What the lines of one order have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub how: How,
    pub buyer: usize,
    pub order_id: Option<i64>,
    pub payment: Payment,
    pub address_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

impl Shop {
    /// Buys or bids at `now`. Copies leave the listing at once; the sale is listed after the lag. A bid leaves
    /// no purchase. There are fewer than asked for if the stock runs out; it is an error if there is none.
    pub fn buy(&mut self, purchase: &Purchase, now: DateTime<Utc>) -> Result<Vec<Bought>, String> {
        self.settle(now);
        let now = now.trunc_subsecs(3);
        if let Some(cents) = purchase.bid_cents {
            let id = purchase.listing_id.ok_or("a bid needs a listing_id")?;
            let bid = Bid { buyer: self.rng.usize(0..self.buyers.len()), cents, at: now };
            let at = self.listing_place(id).ok_or_else(|| no_listing(id))?;
            return self.listings[at].bid(bid).map(|()| Vec::new());
        }
        let mut bought = Vec::new();
        for _ in 0..purchase.count.unwrap_or(1) {
            let lines = match (purchase.cart.as_slice(), purchase.listing_id) {
                ([], Some(listing_id)) => {
                    vec![CartLine { listing_id, quantity: purchase.quantity.unwrap_or(1) }]
                }
                ([], None) => self.choose(purchase.quantity, now),
                (cart, _) => cart.to_vec(),
            };
            let terms = self.terms(purchase.pay, purchase.by, purchase.address, now);
            match self.buy_lines(&lines, terms) {
                Ok(lines) => bought.extend(lines),
                Err(reason) if bought.is_empty() => return Err(reason),
                // What was bought before the stock ran out is bought.
                Err(_) => break,
            }
        }
        Ok(bought)
    }

    /// All lines or none: a cart that cannot be had as a whole is left standing.
    fn buy_lines(&mut self, lines: &[CartLine], mut terms: Terms) -> Result<Vec<Bought>, String> {
        if lines.is_empty() {
            return Err("there is nothing left to buy".to_owned());
        }
        let mut taken = Vec::new();
        let mut before = Vec::new();
        for line in lines {
            let at = self.listing_place(line.listing_id).ok_or_else(|| no_listing(line.listing_id));
            let price = at.and_then(|at| {
                before.push((at, self.listings[at].clone()));
                Ok((at, self.listings[at].take(line.quantity, terms.at)?))
            });
            match price {
                Ok((at, cents)) => taken.push((at, line.quantity, cents)),
                Err(reason) => {
                    // Backwards: a listing may stand in the cart twice.
                    before.into_iter().rev().for_each(|(at, listing)| self.listings[at] = listing);
                    return Err(reason);
                }
            }
        }
        if lines.len() > 1 {
            terms.order_id = Some(self.next_cart);
            self.next_cart += 1;
        }
        Ok(taken.into_iter().map(|(at, quantity, cents)| self.sell(at, quantity, cents, &terms)).collect())
    }

    /// Writes a purchase down whose copies have been taken.
    pub(super) fn sell(&mut self, at: usize, quantity: u32, cents: u32, terms: &Terms) -> Bought {
        let listing = &self.listings[at];
        let sale = Sale {
            id: self.sales.last().map_or(super::seed::FIRST_PURCHASE, |last| last.id + 1),
            order_id: terms.order_id,
            listing_id: listing.id,
            how: terms.how,
            at: terms.at,
            buyer: terms.buyer,
            quantity,
            cents,
            shipping_cents: listing.shipping_cents(),
            flat_shipping: listing.flat_shipping,
            address_at: terms.address_at,
            payment: terms.payment,
            status: Status::None,
            status_at: None,
            hidden: false,
        };
        let bought = Bought {
            purchase_id: sale.id,
            order_id: sale.order_id,
            listing_id: sale.listing_id,
            quantity,
            total_cents: sale.total_cents(),
        };
        let (code, name) = match terms.how {
            How::Auction => (3, "Success fee (bid)"),
            How::BuyNow => (5, "Success fee (Buy Now)"),
        };
        let fee = Fee { code, name, cents: sale.success_fee_cents() };
        let sku = listing.sku.clone();
        self.charge(&[fee], sale.listing_id, sale.id, sku.as_deref(), terms.at);
        tracing::debug!(target: "sandbox", purchase = sale.id, copies = quantity, "a buyer bought");
        self.sales.push(sale);
        bought
    }

    /// A buyer, and when money and address come.
    pub(super) fn terms(
        &mut self,
        pay: Option<bool>,
        by: Option<PayBy>,
        address: Option<bool>,
        now: DateTime<Utc>,
    ) -> Terms {
        let draw = self.rng.u8(0..100);
        let by = by.unwrap_or(match (pay, draw) {
            (Some(false), _) => PayBy::BankDeposit,
            (Some(true), _) | (None, 0..65) => PayBy::Ping,
            (None, 65..75) => PayBy::Afterpay,
            (None, _) => PayBy::BankDeposit,
        });
        let later = now + TimeDelta::seconds(self.rng.i64(60..1_800));
        let (pending_at, paid_at) = match pay {
            Some(true) => (None, Some(now)),
            Some(false) => (None, None),
            // Some payments are under way for a while before they are there.
            None if draw.is_multiple_of(5) => (Some(now), Some(later)),
            None => (None, Some(now)),
        };
        let address_at = match address {
            Some(true) => Some(now),
            Some(false) => None,
            None if self.rng.u8(0..100) < 60 => Some(now),
            None => Some(now + TimeDelta::seconds(self.rng.i64(60..1_800))),
        };
        let payment = Payment { by: Some(by), pending_at, paid_at, refunded: None };
        let buyer = self.rng.usize(0..self.buyers.len());
        Terms { how: How::BuyNow, buyer, order_id: None, payment, address_at, at: now }
    }

    /// One thing, or now and then a cart of two or three.
    fn choose(&mut self, quantity: Option<u32>, now: DateTime<Utc>) -> Vec<CartLine> {
        let can_be_bought: Vec<(i64, u32)> = self
            .listings
            .iter()
            .filter(|row| self.state(row, now) == State::Active)
            .filter_map(|row| match row.selling {
                Selling::BuyNow { quantity, .. } => Some((row.id, quantity)),
                Selling::Auction { .. } => None,
            })
            .collect();
        let wanted = if self.rng.u8(0..100) < 75 { 1 } else { self.rng.usize(2..=3) };
        self.rng
            .choose_multiple(can_be_bought, wanted)
            .into_iter()
            .map(|(listing_id, left)| {
                let copies = quantity.unwrap_or_else(|| self.rng.u32(1..=2));
                CartLine { listing_id, quantity: copies.clamp(1, left) }
            })
            .collect()
    }
}

fn no_listing(id: i64) -> String {
    format!("there is no listing {id}")
}
