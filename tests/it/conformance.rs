//! The laws of a marketplace's read side. Whatever the agent can work with keeps them: the honest one in memory, and
//! the real client against its pretend shop.
//!
//! A further marketplace joins with a [`Shop`] and a line in [`laws`].

pub mod cardmarket;
mod memory;

use std::collections::BTreeMap;

use async_trait::async_trait;
use sellerd::domain::{Cadence, OrderFeed, OrderId, OrderRead, OrderState, StockPart};
use sellerd::marketplace::Marketplace;

use crate::support::RUNTIME;

/// A shop as seen from both sides: through the port, and by whoever runs the place.
#[async_trait]
trait Shop: Sized {
    /// A shop with so many listings, some copies in carts, and no orders.
    async fn open(listings: usize) -> Self;

    /// The port.
    fn market(&self) -> &dyn Marketplace;

    /// What is for sale: copies by number of the listing.
    fn offered(&self) -> BTreeMap<i64, i64>;

    /// What lies in carts.
    fn in_carts(&self) -> BTreeMap<i64, i64>;

    /// Somebody buys a copy of what there is and pays, or does not yet.
    fn sell(&self, paid: bool) -> OrderId;

    /// The seller sends what was paid.
    fn send(&self, order: OrderId);

    /// An order that is not paid is called off.
    fn cancel(&self, order: OrderId);
}

macro_rules! laws {
    ($($shop:ident: $kind:ty,)*) => {$(
        mod $shop {
            use super::*;

            #[test]
            fn identity_answers() {
                RUNTIME.block_on(super::identity_answers::<$kind>());
            }

            #[test]
            fn pages_together_show_every_listing_once_and_its_number_of_them() {
                RUNTIME.block_on(super::pages_show_all::<$kind>());
            }

            #[test]
            fn copies_in_carts_are_counted_apart() {
                RUNTIME.block_on(super::carts_are_apart::<$kind>());
            }

            #[test]
            fn an_order_stands_in_its_list_at_once_and_takes_its_copies() {
                RUNTIME.block_on(super::orders_stand_at_once::<$kind>());
            }

            #[test]
            fn more_orders_than_a_page_are_shown_once_each() {
                RUNTIME.block_on(super::orders_come_in_pages::<$kind>());
            }

            #[test]
            fn an_order_that_moved_on_leaves_its_list_and_is_found_by_its_number() {
                RUNTIME.block_on(super::orders_move_on::<$kind>());
            }

            #[test]
            fn an_order_that_nobody_knows_is_none() {
                RUNTIME.block_on(super::unknown_orders_are_none::<$kind>());
            }

            #[test]
            fn every_poll_sees_what_is_bought_and_what_is_paid() {
                RUNTIME.block_on(super::feeds_cover_what_matters::<$kind>());
            }
        }
    )*};
}

laws! {
    in_memory: memory::InMemory,
    cardmarket_at_the_sandbox: cardmarket::AtTheSandbox,
}

async fn identity_answers<S: Shop>() {
    let shop = S::open(0).await;
    let identity = shop.market().identity().await.expect("it answers");
    assert!(!identity.name.is_empty());
    assert_eq!(shop.market().identity().await.expect("it answers"), identity, "the same each time");
}

async fn pages_show_all<S: Shop>() {
    for listings in [0, 1, 10, 100, 101, 205] {
        let shop = S::open(listings).await;
        let read = read_stock(&shop).await;
        assert_eq!(read.offered, shop.offered());
        assert_eq!(read.offered.len(), listings);
        assert!(read.totals.iter().all(|total| *total == listings as u64), "{listings}: {:?}", read.totals);
        let said = read.pages == 1 || !read.totals.is_empty();
        assert!(said, "{listings}: of {} pages none says how many there are in all", read.pages);
    }
}

async fn carts_are_apart<S: Shop>() {
    let shop = S::open(20).await;
    let read = read_stock(&shop).await;
    assert!(!shop.in_carts().is_empty());
    assert_eq!((read.offered, read.in_carts), (shop.offered(), shop.in_carts()));
}

async fn orders_stand_at_once<S: Shop>() {
    let shop = S::open(20).await;
    for paid in [true, false] {
        let before: i64 = read_stock(&shop).await.offered.values().sum();
        let id = shop.sell(paid);
        let state = if paid { OrderState::Paid } else { OrderState::Bought };
        let listed = read_orders(&shop, &feed_of(&shop, &state)).await;
        let read = &listed[&id];
        assert!(read.complaints.is_empty(), "{:?}", read.complaints);
        assert_eq!(read.order.state, state);
        assert!(!read.order.lines.is_empty() && read.order.placed_at.is_some());
        let copies: i64 = read.order.lines.iter().map(|line| line.quantity).sum();
        let after: i64 = read_stock(&shop).await.offered.values().sum();
        assert_eq!(before - after, copies, "what was bought is not for sale any more");
        let articles: i64 = read.order.lines.iter().map(|line| line.quantity * line.unit_price.minor).sum();
        assert!(copies > 0 && articles > 0 && read.order.total.minor >= articles);
        let by_number = shop.market().order(id).await.expect("it answers").expect("it is known");
        assert_eq!(by_number, *read, "both ways show the same order");
    }
}

async fn orders_come_in_pages<S: Shop>() {
    let shop = S::open(205).await;
    let mut sold: Vec<OrderId> = (0..105).map(|_| shop.sell(true)).collect();
    sold.sort();
    let listed = read_orders(&shop, &feed_of(&shop, &OrderState::Paid)).await;
    assert_eq!(listed.into_keys().collect::<Vec<_>>(), sold);
}

async fn orders_move_on<S: Shop>() {
    let shop = S::open(20).await;
    let (sent, cancelled) = (shop.sell(true), shop.sell(false));
    shop.send(sent);
    shop.cancel(cancelled);
    for (id, was, is) in
        [(sent, OrderState::Paid, OrderState::Sent), (cancelled, OrderState::Bought, OrderState::Cancelled)]
    {
        let listed = read_orders(&shop, &feed_of(&shop, &was)).await;
        assert!(!listed.contains_key(&id), "{id} is not {was:?} any more");
        let read = shop.market().order(id).await.expect("it answers").expect("it is known");
        assert_eq!(read.order.state, is);
        assert!(!read.order.lines.is_empty(), "its lines are still shown");
    }
}

async fn unknown_orders_are_none<S: Shop>() {
    let shop = S::open(0).await;
    assert_eq!(shop.market().order(OrderId(1)).await, Ok(None));
}

async fn feeds_cover_what_matters<S: Shop>() {
    let shop = S::open(0).await;
    for state in [OrderState::Bought, OrderState::Paid] {
        assert_eq!(feed_of(&shop, &state).cadence, Cadence::EveryPoll);
    }
}

/// The whole stock, page by page, in which no listing of a part may be shown twice.
struct Stock {
    offered: BTreeMap<i64, i64>,
    in_carts: BTreeMap<i64, i64>,
    totals: Vec<u64>,
    pages: usize,
}

async fn read_stock<S: Shop>(shop: &S) -> Stock {
    let mut stock =
        Stock { offered: BTreeMap::new(), in_carts: BTreeMap::new(), totals: Vec::new(), pages: 0 };
    let mut at = None;
    loop {
        let page = shop.market().stock_page(at.as_ref()).await.expect("it answers");
        assert!(page.complaints.is_empty(), "{:?}", page.complaints);
        if page.part == StockPart::Offered {
            stock.totals.extend(page.total);
            stock.pages += 1;
        }
        for listing in page.listings {
            assert!(listing.quantity > 0 && listing.price.minor > 0 && !listing.sku.as_str().is_empty());
            let part = match page.part {
                StockPart::Offered => &mut stock.offered,
                StockPart::InCarts => &mut stock.in_carts,
            };
            assert_eq!(part.insert(listing.id.0, listing.quantity), None, "{} is shown twice", listing.id);
        }
        at = page.next;
        if at.is_none() {
            return stock;
        }
    }
}

/// The list that shows orders of a state.
fn feed_of<S: Shop>(shop: &S, state: &OrderState) -> OrderFeed {
    let feeds = shop.market().capabilities().order_feeds;
    feeds.iter().find(|feed| feed.holds.as_ref() == Some(state)).expect("a list of it").clone()
}

async fn read_orders<S: Shop>(shop: &S, feed: &OrderFeed) -> BTreeMap<OrderId, OrderRead> {
    let mut orders = BTreeMap::new();
    let mut at = None;
    loop {
        let page = shop.market().order_page(feed, at.as_ref()).await.expect("it answers");
        assert!(page.complaints.is_empty(), "{:?}", page.complaints);
        for read in page.orders {
            let id = read.order.id;
            assert!(orders.insert(id, read).is_none(), "{id} is shown twice");
        }
        at = page.next;
        if at.is_none() {
            return orders;
        }
    }
}
