//! The marketplace in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::{
    Currency, LineId, Listing, ListingId, Money, Order, OrderId, OrderLine, OrderState, Sku,
};
use sellerd::marketplace::memory::Memory;
use sellerd::marketplace::{Marketplace, Writer};

use super::Shop;
use super::writes::WritingShop;

pub struct InMemory(Memory);

const PRICE: Money = Money { minor: 150, currency: Currency::EUR };

fn listing(number: usize, quantity: i64) -> Listing {
    Listing {
        id: ListingId(number as i64 + 1),
        sku: Sku(format!("sku-{number}")),
        title: "Ocelot Pride".to_owned(),
        quantity,
        price: PRICE,
        attributes: "{}".to_owned(),
    }
}

impl InMemory {
    fn set_state(&self, order: OrderId, state: OrderState) {
        let mut shop = self.0.shop();
        shop.orders.iter_mut().find(|known| known.id == order).expect("it was sold").state = state;
    }
}

fn counts(listings: &[Listing]) -> BTreeMap<i64, i64> {
    listings.iter().map(|listing| (listing.id.0, listing.quantity)).collect()
}

#[async_trait]
impl Shop for InMemory {
    async fn open(listings: usize) -> Self {
        let memory = Memory::default();
        memory.shop().stock = (0..listings).map(|number| listing(number, 1 + number as i64 % 4)).collect();
        memory.shop().carts = (0..listings.min(3)).map(|number| listing(number, 1)).collect();
        Self(memory)
    }

    fn market(&self) -> &dyn Marketplace {
        &self.0
    }

    fn offered(&self) -> BTreeMap<i64, i64> {
        counts(&self.0.shop().stock)
    }

    fn in_carts(&self) -> Option<BTreeMap<i64, i64>> {
        Some(counts(&self.0.shop().carts))
    }

    fn sell(&self, paid: bool) -> OrderId {
        let mut shop = self.0.shop();
        let id = OrderId(1_000 + shop.orders.len() as i64);
        let listing = shop.stock.first().expect("something is for sale").clone();
        let now = SystemClock::default().now();
        shop.sell(Order {
            id,
            state: if paid { OrderState::Paid } else { OrderState::Bought },
            placed_at: Some(now),
            paid_at: paid.then_some(now),
            total: PRICE,
            tracking_number: None,
            lines: vec![OrderLine {
                id: LineId(1),
                sku: listing.sku,
                listing_id: listing.id,
                title: listing.title,
                quantity: 1,
                unit_price: listing.price,
            }],
        });
        id
    }

    fn send(&self, order: OrderId) {
        self.set_state(order, OrderState::Sent);
    }

    fn cancel(&self, order: OrderId) -> bool {
        self.set_state(order, OrderState::Cancelled);
        true
    }
}

impl WritingShop for InMemory {
    fn writer(&self) -> &dyn Writer {
        &self.0
    }

    fn details(&self, _: &Listing) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
