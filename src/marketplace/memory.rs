//! A marketplace in memory: honest and small. It keeps the same laws as the real ones, so that jobs can be tried
//! without a network, and the laws without a job.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use super::{CallError, Capabilities, Identity, Marketplace, Quantities, Writes};
use crate::domain::{
    Cadence, Extent, Listing, ListingId, Order, OrderFeed, OrderId, OrderPage, OrderRead, OrderState,
    PageCursor, StockPage, StockPart,
};

/// A shop in memory. Clones are the same shop.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Shop>>);

/// What the shop holds.
#[derive(Default)]
pub struct Shop {
    /// What is for sale.
    pub stock: Vec<Listing>,
    /// What lies in carts: listings whose quantity is that of the carts.
    pub carts: Vec<Listing>,
    /// Every order there ever was.
    pub orders: Vec<Order>,
}

const PAGE: usize = 10;
const CARTS: &str = "carts";
const FEEDS: [OrderFeed; 3] = [
    OrderFeed { name: "bought", cadence: Cadence::EveryPoll, holds: Some(OrderState::Bought) },
    OrderFeed { name: "paid", cadence: Cadence::EveryPoll, holds: Some(OrderState::Paid) },
    OrderFeed { name: "sent", cadence: Cadence::EveryPoll, holds: Some(OrderState::Sent) },
];
const CAPABILITIES: Capabilities = Capabilities { order_feeds: &FEEDS, pages_shift: false, writes: WRITES };

const WRITES: Writes = Writes {
    batch: 3,
    quantities: Quantities::Relative,
    whole_listing: false,
    visibility_lag: Duration::ZERO,
    natural_sku: "mem:",
    zero_is_final: false,
};

impl Memory {
    /// The shop, to be changed by hand.
    pub fn shop(&self) -> MutexGuard<'_, Shop> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Shop {
    /// A buyer buys: the copies leave the stock and the order stands in its list at once.
    pub fn sell(&mut self, order: Order) {
        for line in &order.lines {
            if let Some(listing) = self.listing(line.listing_id) {
                listing.quantity -= line.quantity;
            }
        }
        self.stock.retain(|listing| listing.quantity > 0);
        self.orders.push(order);
    }

    fn listing(&mut self, id: ListingId) -> Option<&mut Listing> {
        self.stock.iter_mut().find(|listing| listing.id == id)
    }
}

#[async_trait]
impl Marketplace for Memory {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        Ok(Identity { name: "memory".to_owned(), id: 1 })
    }

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        let shop = self.shop();
        if at.is_some_and(|cursor| cursor.0 == CARTS) {
            let listings = shop.carts.clone();
            return Ok(StockPage {
                part: StockPart::InCarts,
                listings,
                complaints: Vec::new(),
                total: None,
                next: None,
            });
        }
        let (listings, next) = slice(&shop.stock, at);
        Ok(StockPage {
            part: StockPart::Offered,
            listings,
            complaints: Vec::new(),
            total: Some(shop.stock.len() as u64),
            next: next.or_else(|| Some(PageCursor(CARTS.to_owned()))),
        })
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        let shop = self.shop();
        let of_state: Vec<Order> =
            shop.orders.iter().filter(|order| order.state.as_str() == feed.name).cloned().collect();
        let (orders, next) = slice(&of_state, at);
        Ok(OrderPage { orders: orders.into_iter().map(whole).collect(), complaints: Vec::new(), next })
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
        Ok(self.shop().orders.iter().find(|order| order.id == id).cloned().map(whole))
    }
}

fn slice<T: Clone>(all: &[T], at: Option<&PageCursor>) -> (Vec<T>, Option<PageCursor>) {
    let from = at.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(0).min(all.len());
    let to = (from + PAGE).min(all.len());
    (all[from..to].to_vec(), (to < all.len()).then(|| PageCursor(to.to_string())))
}

fn whole(order: Order) -> OrderRead {
    OrderRead { order, complaints: Vec::new(), extent: Extent::Whole }
}
