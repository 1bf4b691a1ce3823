//! The laws of a marketplace's read side. Whatever the agent can work with keeps them: the honest one in memory, and
//! the real clients against their pretend shops. Where a law depends on how a marketplace shows its orders, it says so
//! by the lists that the marketplace says it has, never by its name.
//!
//! A further marketplace joins with a [`Shop`] and a line in [`laws`].

pub mod cardmarket;
pub mod connect;
mod memory;
mod trademe;
mod writes;

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

    /// What lies in carts; `None` where carts are not shown.
    fn in_carts(&self) -> Option<BTreeMap<i64, i64>>;

    /// Somebody buys a copy of what there is and pays, or does not yet.
    fn sell(&self, paid: bool) -> OrderId;

    /// The seller sends what was paid.
    fn send(&self, order: OrderId);

    /// An order that is not paid is called off; `false` where the marketplace has no word for that.
    fn cancel(&self, order: OrderId) -> bool;
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
            fn an_order_that_moved_on_is_found_where_the_lists_say() {
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
    trademe_at_the_sandbox: trademe::AtTheSandbox,
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
    let in_carts = shop.in_carts();
    assert!(in_carts.as_ref().is_none_or(|carts| !carts.is_empty()), "there is something to tell apart");
    assert_eq!((read.offered, read.in_carts), (shop.offered(), in_carts.unwrap_or_default()));
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
        if feed_of(&shop, &state).holds.is_some() {
            let by_number = shop.market().order(id).await.expect("it answers").expect("it is known");
            assert_eq!(by_number, *read, "both ways show the same order");
        }
    }
}

async fn orders_come_in_pages<S: Shop>() {
    let shop = S::open(205).await;
    let mut sold: Vec<OrderId> = (0..105).map(|_| shop.sell(true)).collect();
    sold.sort();
    let listed = read_orders(&shop, &feed_of(&shop, &OrderState::Paid)).await;
    assert_eq!(listed.into_keys().collect::<Vec<_>>(), sold);
}

/// A list that holds a state loses the order, which is then read by its number. A list that is a span of time goes on
/// showing it as it is now.
async fn orders_move_on<S: Shop>() {
    let shop = S::open(20).await;
    let (sent, called_off) = (shop.sell(true), shop.sell(false));
    shop.send(sent);
    let mut moved = vec![(sent, OrderState::Paid, OrderState::Sent)];
    if shop.cancel(called_off) {
        moved.push((called_off, OrderState::Bought, OrderState::Cancelled));
    }
    for (id, was, is) in moved {
        let feed = feed_of(&shop, &was);
        let mut listed = read_orders(&shop, &feed).await;
        let read = if feed.holds.is_some() {
            assert!(!listed.contains_key(&id), "{id} is not {was:?} any more");
            shop.market().order(id).await.expect("it answers").expect("it is known")
        } else {
            listed.remove(&id).expect("it is still listed")
        };
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

/// The list in which an order of a state first shows up: the one that holds that state, else the one that holds all
/// and is read at every poll.
fn feed_of<S: Shop>(shop: &S, state: &OrderState) -> OrderFeed {
    let feeds = shop.market().capabilities().order_feeds;
    let holds_it = feeds.iter().find(|feed| feed.holds.as_ref() == Some(state));
    let holds_all = || feeds.iter().find(|feed| feed.holds.is_none() && feed.cadence == Cadence::EveryPoll);
    holds_it.or_else(holds_all).expect("a list of it").clone()
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
