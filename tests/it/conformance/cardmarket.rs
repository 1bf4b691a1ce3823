//! Cardmarket's client, with real signatures over real HTTP, against the pretend shop.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sellerd::clock::SystemClock;
use sellerd::domain::{Listing, OrderId, RequestClass};
use sellerd::http::Call;
use sellerd::http::oauth1::Target;
use sellerd::marketplace::{Marketplace, Writer, descriptor};
use sellerd::sandbox::{Article, Options, OrderAction, Purchase, Sandbox};

use super::writes::WritingShop;
use super::{Shop, connect};
use crate::support::RUNTIME;

pub struct AtTheSandbox {
    pub sandbox: Sandbox,
    pub market: Box<dyn Writer>,
}

impl AtTheSandbox {
    /// The client at a shop that is set up like this.
    pub async fn at(options: Options) -> Self {
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let own = BTreeMap::from([("app", "dedicated".to_owned())]);
        let market = connect::writer("cardmarket", &sandbox.base_url(), sandbox.credentials(), own);
        Self { sandbox, market }
    }
}

fn counts(articles: &[Article]) -> BTreeMap<i64, i64> {
    articles.iter().map(|article| (article.id as i64, i64::from(article.count))).collect()
}

/// What the shop sends for these resources, word for word.
pub fn bodies(sandbox: &Sandbox, resources: &[&[&str]]) -> Vec<String> {
    let marketplace = descriptor("cardmarket").expect("it is known");
    let client = connect::client(marketplace, sandbox.credentials(), &BTreeMap::new());
    let base = Target::new(&sandbox.base_url()).expect("a URL").segment("output.json");
    let ask = async |segments: &[&str]| {
        let target = segments.iter().fold(base.clone(), |url, segment| url.segment(segment));
        let call =
            Call { how: sellerd::http::Asking::Get, template: "any", class: RequestClass::Orders, target };
        let answer = client.call(&call).await.expect("it answers");
        String::from_utf8(answer.response.body).expect("text")
    };
    RUNTIME.block_on(async {
        let mut bodies = Vec::new();
        for segments in resources {
            bodies.push(ask(segments).await);
        }
        bodies
    })
}

#[async_trait]
impl Shop for AtTheSandbox {
    async fn open(listings: usize) -> Self {
        let options = Options {
            articles: listings,
            orders: 0,
            minute_limit: None,
            ..Options::new(SystemClock::shared())
        };
        Self::at(options).await
    }

    fn market(&self) -> &dyn Marketplace {
        self.market.as_ref()
    }

    fn offered(&self) -> BTreeMap<i64, i64> {
        self.sandbox.with_shop(|shop| counts(shop.stock().rows()))
    }

    fn in_carts(&self) -> Option<BTreeMap<i64, i64>> {
        Some(self.sandbox.with_shop(|shop| counts(shop.carts())))
    }

    fn sell(&self, paid: bool) -> OrderId {
        let purchase = Purchase { pay: Some(paid), quantity: Some(1), ..Purchase::default() };
        let bought = self.sandbox.buy(&purchase).expect("something is for sale");
        OrderId(bought[0].order_id as i64)
    }

    fn send(&self, order: OrderId) {
        self.sandbox.act(order.0 as u64, OrderAction::Send).expect("it is paid");
    }

    fn cancel(&self, order: OrderId) -> bool {
        self.sandbox.act(order.0 as u64, OrderAction::Cancel).expect("it is not paid");
        true
    }
}

impl WritingShop for AtTheSandbox {
    fn writer(&self) -> &dyn Writer {
        self.market.as_ref()
    }

    fn details(&self, like: &Listing) -> BTreeMap<String, String> {
        let like: serde_json::Value = serde_json::from_str(&like.attributes).expect("an object");
        let details = [("product_id", like["product_id"].to_string()), ("language", "German".to_owned())];
        let condition = ("condition", "ex".to_owned());
        details.into_iter().chain([condition]).map(|(name, cell)| (name.to_owned(), cell)).collect()
    }
}
