//! Trade Me's client, with real signatures over real HTTP, against the pretend shop.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use sellerd::clock::SystemClock;
use sellerd::domain::OrderId;
use sellerd::marketplace::Marketplace;
use sellerd::sandbox::trademe::{self, Action, Purchase, Selling, State, Status};
use sellerd::sandbox::{Options, Sandbox};

use super::{Shop, connect};

pub struct AtTheSandbox {
    sandbox: Sandbox,
    market: Box<dyn Marketplace>,
}

#[async_trait]
impl Shop for AtTheSandbox {
    async fn open(listings: usize) -> Self {
        let trademe = trademe::Options {
            listings,
            sales: 0,
            hourly_limit: None,
            // So that there are pages: nobody knows how many rows are given at most.
            max_rows: 100,
            // The laws are about what is shown; when it is shown is another story.
            sold_lag: TimeDelta::zero(),
            closing: TimeDelta::zero(),
            ..trademe::Options::default()
        };
        let options = Options { articles: 10, orders: 0, trademe, ..Options::new(SystemClock::shared()) };
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let own = BTreeMap::from([("signature", "hmac-sha1".to_owned())]);
        let market =
            connect::market("trademe", &sandbox.trademe_base_url(), sandbox.trademe_credentials(), own);
        Self { sandbox, market }
    }

    fn market(&self) -> &dyn Marketplace {
        self.market.as_ref()
    }

    fn offered(&self) -> BTreeMap<i64, i64> {
        let now = self.sandbox.now();
        self.sandbox.with_trademe(|shop| {
            let live =
                shop.listings().iter().filter(|row| row.state(now, TimeDelta::zero()) == State::Active);
            // An auction is of one copy.
            live.map(|row| (row.id, row.quantity().map_or(1, i64::from))).collect()
        })
    }

    fn in_carts(&self) -> Option<BTreeMap<i64, i64>> {
        None
    }

    fn sell(&self, paid: bool) -> OrderId {
        let now = self.sandbox.now();
        let listing_id = self.sandbox.with_trademe(|shop| {
            let is_for_sale = |row: &&trademe::Listing| {
                matches!(row.selling, Selling::BuyNow { .. })
                    && row.state(now, TimeDelta::zero()) == State::Active
            };
            shop.listings().iter().find(is_for_sale).map(|row| row.id)
        });
        let purchase = Purchase { listing_id, quantity: Some(1), pay: Some(paid), ..Purchase::default() };
        let bought = self.sandbox.buy_at_trademe(&purchase).expect("something is for sale");
        OrderId(bought[0].purchase_id)
    }

    fn send(&self, order: OrderId) {
        self.sandbox.act_at_trademe(order.0, Action::Mark(Status::GoodsShipped)).expect("it is known");
    }

    fn cancel(&self, _: OrderId) -> bool {
        false
    }
}
