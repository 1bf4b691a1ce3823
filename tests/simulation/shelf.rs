//! What is on sale under the seller's keys, what was sold of it, and what requests changed: by the shops' own books, in one
//! form for both.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::sandbox::trademe::{self, State};
use sellerd::sandbox::{By, CartMove, Effect, OrderState};

use crate::market::Market;

/// What is on sale under one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnSale {
    /// Copies that can be bought.
    pub copies: u32,
    /// Copies in carts.
    pub in_carts: u32,
    /// The price of each listing that can be bought, in cents.
    pub cents: Vec<u32>,
}

/// A sale of copies of one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoldOne {
    /// The seller's key.
    pub sku: String,
    /// When, as the marketplace tells it.
    pub at: DateTime<Utc>,
    /// The order and its line.
    pub id: (u64, u64),
    /// How many.
    pub copies: u32,
    /// Whether it was called off.
    pub cancelled: bool,
}

/// Something that a request changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// The seller's key; none for what bears no key.
    pub sku: Option<String>,
    /// The number of the request, where the shop says so.
    pub request: Option<u64>,
    /// Copies and cents before; none if it is new.
    pub before: Option<(u32, u32)>,
    /// Copies and cents after; none if it is gone.
    pub after: Option<(u32, u32)>,
    /// Copies bought between the last look at it and this, which nothing in the API lets the writer notice.
    pub unseen: u32,
}

impl Change {
    /// Whether more can be bought than before.
    pub fn raises(&self) -> bool {
        let copies = |side: Option<(u32, u32)>| side.map_or(0, |(copies, _)| copies);
        copies(self.after) > copies(self.before)
    }

    /// The price that it has now and had not before.
    pub fn new_price(&self) -> Option<u32> {
        let (_, cents) = self.after?;
        (self.before.map(|(_, cents)| cents) != Some(cents)).then_some(cents)
    }
}

impl Market {
    /// All that is on sale under a key.
    pub fn on_sale(&self, now: DateTime<Utc>) -> BTreeMap<String, OnSale> {
        let mut all: BTreeMap<String, OnSale> = BTreeMap::new();
        match self {
            Self::Cardmarket(shop) => {
                for row in shop.stock().rows() {
                    let Some(sku) = row.comment.sku() else { continue };
                    let thing = all.entry(sku).or_default();
                    thing.copies += row.count;
                    thing.cents.push(row.cents);
                }
                for row in shop.carts() {
                    let Some(sku) = row.comment.sku() else { continue };
                    all.entry(sku).or_default().in_carts += row.count;
                }
            }
            Self::TradeMe(shop) => {
                let live =
                    shop.listings().iter().filter(|row| row.state(now, TimeDelta::zero()) == State::Active);
                for row in live {
                    let (Some(sku), Some(copies)) = (row.sku.clone(), row.quantity()) else { continue };
                    let thing = all.entry(sku).or_default();
                    thing.copies += copies;
                    thing.cents.push(trademe::Stand::of(row).cents);
                }
            }
        }
        all
    }

    /// How many listings are for sale, with a key or without.
    pub fn rows(&self, now: DateTime<Utc>) -> usize {
        match self {
            Self::Cardmarket(shop) => shop.stock().rows().len(),
            Self::TradeMe(shop) => {
                let rows = shop.listings().iter();
                rows.filter(|row| row.state(now, TimeDelta::zero()) == State::Active).count()
            }
        }
    }

    /// All sales of things with a key.
    pub fn sold(&self) -> Vec<SoldOne> {
        match self {
            Self::Cardmarket(shop) => {
                let of_order = |order: &sellerd::sandbox::Order| {
                    let cancelled = order.state == OrderState::Cancelled;
                    let (id, at) = (order.id, order.bought);
                    let line = move |line: &sellerd::sandbox::Article| {
                        let sku = line.comment.sku()?;
                        Some(SoldOne { sku, at, id: (id, line.id), copies: line.count, cancelled })
                    };
                    order.lines.iter().filter_map(line).collect::<Vec<_>>()
                };
                shop.orders().iter().flat_map(of_order).collect()
            }
            Self::TradeMe(shop) => {
                let one = |sale: &trademe::Sale| {
                    let sku = shop.listing(sale.listing_id)?.sku.clone()?;
                    let id = (sale.id.unsigned_abs(), 0);
                    Some(SoldOne { sku, at: sale.at, id, copies: sale.quantity, cancelled: false })
                };
                shop.sales().iter().filter_map(one).collect()
            }
        }
    }

    /// How many changes there are in its book so far.
    pub fn changes_so_far(&self) -> usize {
        match self {
            Self::Cardmarket(shop) => shop.effects().total() as usize,
            Self::TradeMe(shop) => shop.effects().len(),
        }
    }

    /// What requests have changed after the first so many.
    pub fn changes_after(&self, seen: usize) -> Vec<Change> {
        match self {
            Self::Cardmarket(shop) => {
                let new = shop.effects().all().filter(|effect| effect.serial > seen as u64);
                new.filter_map(at_cardmarket).collect()
            }
            Self::TradeMe(shop) => {
                let new = shop.effects().iter().skip(seen).filter(|effect| effect.by == trademe::By::Api);
                new.filter(|effect| !(effect.what == trademe::What::Edited && effect.changed.is_empty()))
                    .map(at_trademe)
                    .collect()
            }
        }
    }

    /// What takes effect late takes it now, if its time has come.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        match self {
            Self::Cardmarket(shop) => shop.settle(now),
            Self::TradeMe(shop) => shop.settle(now),
        }
    }

    /// A buyer moves something into a cart, back to the shelf, or to the till. There are carts at Cardmarket alone.
    pub fn move_cart(&mut self, rng: &mut fastrand::Rng, now: DateTime<Utc>) -> Option<String> {
        let Self::Cardmarket(shop) = self else { return None };
        let marked = |row: &&sellerd::sandbox::Article| row.comment.sku().is_some();
        let shelf: Vec<u64> = shop.stock().rows().iter().filter(marked).map(|row| row.id).collect();
        let carts: Vec<u64> = shop.carts().iter().filter(marked).map(|row| row.id).collect();
        let one = |rng: &mut fastrand::Rng, of: &[u64]| of.get(rng.usize(0..of.len().max(1))).copied();
        let what = match rng.u8(0..4) {
            0 | 1 => CartMove::Reserve { article_id: one(rng, &shelf)?, quantity: 1 },
            roll => out_of_cart(shop, one(rng, &carts)?, roll == 2),
        };
        shop.move_cart(what, now).ok()?;
        Some(format!("{what:?}"))
    }

    /// Everything goes back from the carts to the shelf, or to the till.
    pub fn empty_carts(&mut self, now: DateTime<Utc>) {
        if let Self::Cardmarket(shop) = self {
            let ids: Vec<u64> = shop.carts().iter().map(|row| row.id).collect();
            for article_id in ids {
                let _ = shop.move_cart(out_of_cart(shop, article_id, true), now);
            }
        }
    }
}

/// What was changed on the shelf meanwhile has another number, and what comes back then would stand beside it at its old
/// price: that is for a person to set right, and so it is bought instead.
fn out_of_cart(shop: &sellerd::sandbox::Shop, article_id: u64, back: bool) -> CartMove {
    if back && shop.stock().find(article_id).is_some() {
        CartMove::Release { article_id }
    } else {
        CartMove::Checkout { article_id }
    }
}

fn at_cardmarket(effect: &Effect) -> Option<Change> {
    let By::Request(request) = effect.by else { return None };
    let stand = |article: sellerd::sandbox::Article| (article.count, article.cents);
    Some(Change {
        sku: effect.before.or(effect.after).and_then(|article| article.comment.sku()),
        request: Some(request),
        before: effect.before.map(stand),
        after: effect.after.map(stand),
        unseen: 0,
    })
}

fn at_trademe(effect: &trademe::Effect) -> Change {
    let stand = |stand: trademe::Stand| (stand.quantity.unwrap_or(1), stand.cents);
    Change {
        sku: effect.sku.clone(),
        request: None,
        before: effect.before.map(stand),
        after: effect.after.map(stand),
        unseen: effect.sold_since_read,
    }
}
