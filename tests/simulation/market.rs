//! A pretend shop of either marketplace, as the world needs it: asked, bought in, broken and moved on by the same words.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use sellerd::clock::SharedClock;
use sellerd::sandbox::trademe::{Action, PayBy, Selling, State, Status, hour_of};
use sellerd::sandbox::{
    Answer, ByHand, Call, Fault, Goods, Keys, Options, OrderAction, OrderState, Placed, Purchase, Seen, Shop,
    Verdict, ask_trademe_with, ask_with, berlin_day, trademe,
};

use crate::seller::{self, Seller};
use crate::story::ShopPlan;

/// The name of an account in the configuration.
pub type Name = &'static str;

/// The account at Cardmarket.
pub const CARDMARKET: Name = "cm";
/// The account at Trade Me.
pub const TRADEME: Name = "nz";

/// A pretend shop.
pub enum Market {
    /// One at Cardmarket.
    Cardmarket(Shop),
    /// One at Trade Me.
    TradeMe(trademe::Shop),
}

impl Market {
    /// Opens a shop, which sells some of the `goods` of another if it is at Trade Me, and the things of its seller.
    pub fn open(
        plan: &ShopPlan,
        seller: Option<&Seller>,
        seed: u64,
        goods: &[Goods],
        (clock, now): (SharedClock, DateTime<Utc>),
    ) -> Self {
        let things = seller.map_or(&[][..], |seller| &seller.things);
        let placed = things.iter().filter_map(|thing| Some((thing, thing.placed?)));
        match plan {
            ShopPlan::Cardmarket { articles, orders, limit, typing, unpaginated } => {
                let options = Options {
                    seed,
                    articles: *articles,
                    orders: *orders,
                    carts: (*articles).min(5),
                    daily_limit: *limit,
                    typing: *typing,
                    unpaginated: *unpaginated,
                    ..Options::new(clock)
                };
                let mut shop = Shop::new(&options, now);
                let ids: Vec<u32> = shop.product_ids().collect();
                for (thing, (count, cents)) in placed {
                    let product_id = ids.get(thing.product % ids.len().max(1)).copied();
                    let comment = format!("[sku:{}]", thing.sku);
                    let _ = shop.by_hand(
                        &ByHand::Add(Placed { product_id, cents, count, comment, ..Placed::default() }),
                        now,
                    );
                }
                Self::Cardmarket(shop)
            }
            ShopPlan::TradeMe { options, .. } => {
                let mut shop = trademe::Shop::new(options, seed, goods, now);
                // So long ago that the lists show them.
                let now = now - TimeDelta::minutes(5);
                for (thing, (quantity, cents)) in placed {
                    let (title, sku) = (format!("Card {}", thing.sku), Some(thing.sku.clone()));
                    let _ = shop.by_hand(&trademe::ByHand::Create { title, cents, quantity, sku }, now);
                }
                Self::TradeMe(shop)
            }
        }
    }

    /// What it sells beside the things that a list may name, for another shop of the same seller.
    pub fn goods(&self) -> Vec<Goods> {
        match self {
            Self::Cardmarket(shop) => shop.goods().filter(|goods| !seller::is_listed(&goods.sku)).collect(),
            Self::TradeMe(_) => Vec::new(),
        }
    }

    /// The strings that open it.
    pub fn keys(&self) -> &Keys {
        match self {
            Self::Cardmarket(shop) => shop.keys(),
            Self::TradeMe(shop) => shop.keys(),
        }
    }

    /// Answers a request that arrives at `now`.
    pub fn ask(&mut self, call: &Call<'_>, now: DateTime<Utc>) -> Answer {
        match self {
            Self::Cardmarket(shop) => ask_with(shop, call, now, 1),
            Self::TradeMe(shop) => ask_trademe_with(shop, call, now),
        }
    }

    /// How many requests it has seen.
    pub fn requests(&self) -> u64 {
        match self {
            Self::Cardmarket(shop) => shop.ledger().total(),
            Self::TradeMe(shop) => shop.ledger().total(),
        }
    }

    /// The numbers of all that can be put up for sale, where it must be one of them.
    pub fn product_ids(&self) -> Vec<u32> {
        match self {
            Self::Cardmarket(shop) => shop.product_ids().collect(),
            Self::TradeMe(_) => Vec::new(),
        }
    }

    /// The last request as the shop saw it.
    pub fn last_seen(&self) -> Option<Seen> {
        match self {
            Self::Cardmarket(shop) => shop.ledger().seen().last().cloned(),
            Self::TradeMe(shop) => shop.ledger().seen().last().cloned(),
        }
    }

    /// The beginning of the span that `now` is counted to: the name of a day, or of an hour.
    pub fn window_of(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Cardmarket(_) => berlin_day(now).and_time(NaiveTime::MIN).and_utc(),
            Self::TradeMe(_) => hour_of(now),
        }
    }

    /// Requests counted against the limit, by the spans that it is for.
    pub fn by_window(&self) -> Vec<(DateTime<Utc>, u64)> {
        match self {
            Self::Cardmarket(shop) => {
                let days = shop.ledger().by_window().iter();
                days.map(|(day, count)| (day.and_time(NaiveTime::MIN).and_utc(), *count)).collect()
            }
            Self::TradeMe(shop) => {
                shop.ledger().by_window().iter().map(|(hour, count)| (*hour, *count)).collect()
            }
        }
    }

    /// Turns a fault on.
    pub fn fault(&mut self, fault: Fault, now: DateTime<Utc>) {
        match self {
            Self::Cardmarket(shop) => shop.fault(fault, now),
            Self::TradeMe(shop) => shop.fault(fault, now),
        }
    }

    /// Turns all faults off.
    pub fn clear_faults(&mut self) {
        match self {
            Self::Cardmarket(shop) => shop.clear_faults(),
            Self::TradeMe(shop) => shop.clear_faults(),
        }
    }

    /// Somebody buys, so many times. Returns how many purchases came of it.
    pub fn buy(&mut self, count: u32, now: DateTime<Utc>) -> usize {
        let count = Some(count);
        match self {
            Self::Cardmarket(shop) => {
                shop.buy(&Purchase { count, ..Purchase::default() }, now).map_or(0, |bought| bought.len())
            }
            Self::TradeMe(shop) => {
                let purchase = trademe::Purchase { count, ..trademe::Purchase::default() };
                shop.buy(&purchase, now).map_or(0, |bought| bought.len())
            }
        }
    }

    /// Some order takes a step that it can take, forwards or back. Returns what it was.
    /// A sale that its seller has hidden is no longer in any list: `may_hide` says whether that may happen.
    pub fn step(
        &mut self,
        rng: &mut fastrand::Rng,
        may_arrive: bool,
        may_hide: bool,
        now: DateTime<Utc>,
    ) -> Option<String> {
        match self {
            Self::Cardmarket(shop) => step_of_order(shop, rng, may_arrive, now),
            Self::TradeMe(shop) => step_of_sale(shop, rng, may_hide, now),
        }
    }
}

/// What a shop made of a request that was one too many in the span of its limit.
pub fn is_over_quota(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::TooMany("day" | "hour"))
}

/// One of the last six, or of all: most of what happens, happens to what is new.
fn some(rng: &mut fastrand::Rng, count: usize) -> Option<usize> {
    let among = if rng.bool() { count.min(6) } else { count };
    (among > 0).then(|| count - 1 - rng.usize(0..among))
}

/// One comes to its end, where only the long lists show it, no sooner than the post takes.
fn step_of_order(
    shop: &mut Shop,
    rng: &mut fastrand::Rng,
    may_arrive: bool,
    now: DateTime<Utc>,
) -> Option<String> {
    const POST: TimeDelta = TimeDelta::hours(30);
    let at = some(rng, shop.orders().len())?;
    let order = shop.orders().get(at)?.clone();
    let on_its_way = order.sent.is_none_or(|sent| now - sent < POST) || !may_arrive;
    let action = match (order.state, rng.u8(0..10)) {
        (OrderState::Bought, 0..7) => OrderAction::Pay,
        (OrderState::Bought, _) => OrderAction::Cancel,
        (OrderState::Paid, 0..6) => OrderAction::Send,
        (OrderState::Paid, 6..8) => OrderAction::Cancel,
        (OrderState::Sent, 0..7) if on_its_way => return None,
        (OrderState::Sent, 0..6) => OrderAction::Receive,
        (OrderState::Sent, 6) => OrderAction::Lose,
        (OrderState::Received, 0..4) => OrderAction::Evaluate,
        (OrderState::Cancelled | OrderState::Received, 4..8) => return None,
        (OrderState::Evaluated, _) => return None,
        _ => OrderAction::Undo,
    };
    shop.act(order.id, action, now).ok()?;
    Some(format!("order {} {action:?}", order.id))
}

/// A buyer bids, pays or sends an address; the seller ticks something off, or unticks it, or hides the sale.
fn step_of_sale(
    shop: &mut trademe::Shop,
    rng: &mut fastrand::Rng,
    may_hide: bool,
    now: DateTime<Utc>,
) -> Option<String> {
    if rng.u8(0..5) == 0 {
        return bid(shop, rng, now);
    }
    let at = some(rng, shop.sales().len())?;
    let id = shop.sales().get(at)?.id;
    const TICKS: [Status; 5] = [
        Status::None,
        Status::EmailSent,
        Status::PaymentReceived,
        Status::GoodsShipped,
        Status::SaleCompleted,
    ];
    let action = match rng.u8(0..12) {
        0..6 => Action::Mark(TICKS[rng.usize(0..TICKS.len())]),
        6..8 => Action::Pay(if rng.bool() { PayBy::Ping } else { PayBy::BankDeposit }),
        8 => Action::Pending,
        9 => Action::Address,
        10 => Action::Refund,
        _ if may_hide => Action::Hide,
        _ => return None,
    };
    shop.act(id, action, now).ok()?;
    Some(format!("purchase {id} {action:?}"))
}

fn bid(shop: &mut trademe::Shop, rng: &mut fastrand::Rng, now: DateTime<Utc>) -> Option<String> {
    let closing = TimeDelta::zero();
    let auctions: Vec<(i64, u32)> = shop
        .listings()
        .iter()
        .filter(|row| row.state(now, closing) == State::Active)
        .filter(|row| matches!(row.selling, Selling::Auction { .. }))
        .filter_map(|row| Some((row.id, row.next_bid_cents()?)))
        .collect();
    let (listing, cents) = *auctions.get(rng.usize(0..auctions.len().max(1)))?;
    let purchase = trademe::Purchase {
        listing_id: Some(listing),
        bid_cents: Some(cents + rng.u32(0..2_000)),
        ..trademe::Purchase::default()
    };
    shop.buy(&purchase, now).ok()?;
    Some(format!("listing {listing} bid"))
}
