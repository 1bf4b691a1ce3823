//! Cardmarket's client, with real signatures over real HTTP, against the pretend shop.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sellerd::clock::SystemClock;
use sellerd::domain::{Credentials, OrderId, RequestClass};
use sellerd::http::oauth1::{Signer, Target};
use sellerd::http::{Attempt, Call, Client, Gate, Outgoing, Parts, Pass, Random, Refusal, ReqwestTransport};
use sellerd::marketplace::{Connection, Descriptor, Marketplace, descriptor};
use sellerd::sandbox::{Article, Options, OrderAction, Purchase, Sandbox};

use super::Shop;
use crate::support::RUNTIME;

pub struct AtTheSandbox {
    sandbox: Sandbox,
    market: Box<dyn Marketplace>,
}

/// Lets everything out and writes nothing down: what a gate must do is another story.
struct Open;

#[async_trait]
impl Gate for Open {
    async fn enter(&self, _: &Outgoing) -> Result<Pass, Refusal> {
        Ok(Pass { request_id: 0, clock_offset_ms: 0 })
    }

    async fn settle(&self, _: Pass, _: &Attempt) -> Result<(), Refusal> {
        Ok(())
    }
}

fn client(sandbox: &Sandbox, marketplace: &Descriptor) -> Client {
    let keys = sandbox.credentials();
    let token = (keys.token.as_str(), keys.token_secret.as_str());
    let credentials = Credentials::new(&keys.consumer_key, &keys.consumer_secret, Some(token));
    Client::new(Parts {
        transport: Arc::new(ReqwestTransport::new(false).expect("a client without TLS")),
        gate: Arc::new(Open),
        signer: Some(Signer::new((marketplace.profile)(&BTreeMap::new()), &credentials)),
        headers: marketplace.limit_headers,
        clock: SystemClock::shared(),
        random: Arc::new(Random::from_machine()),
        max_per_second: NonZeroU32::new(1_000).expect("not zero"),
        request_timeout: Duration::from_secs(10),
    })
}

fn marketplace() -> &'static Descriptor {
    descriptor("cardmarket").expect("it is known")
}

fn counts(articles: &[Article]) -> BTreeMap<i64, i64> {
    articles.iter().map(|article| (article.id as i64, i64::from(article.count))).collect()
}

/// What the shop sends for these resources, word for word.
pub fn bodies(sandbox: &Sandbox, resources: &[&[&str]]) -> Vec<String> {
    let client = client(sandbox, marketplace());
    let base = Target::new(&sandbox.base_url()).expect("a URL").segment("output.json");
    let ask = async |segments: &[&str]| {
        let target = segments.iter().fold(base.clone(), |url, segment| url.segment(segment));
        let call = Call { method: "GET", template: "any", class: RequestClass::Orders, target };
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
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let marketplace = marketplace();
        let market = (marketplace.connect)(Connection {
            base: Target::new(&sandbox.base_url()).expect("a URL"),
            currency: marketplace.currency,
            options: BTreeMap::from([("app", "dedicated".to_owned())]),
            client: client(&sandbox, marketplace),
        });
        Self { sandbox, market }
    }

    fn market(&self) -> &dyn Marketplace {
        self.market.as_ref()
    }

    fn offered(&self) -> BTreeMap<i64, i64> {
        self.sandbox.with_shop(|shop| counts(shop.stock().rows()))
    }

    fn in_carts(&self) -> BTreeMap<i64, i64> {
        self.sandbox.with_shop(|shop| counts(shop.carts()))
    }

    fn sell(&self, paid: bool) -> OrderId {
        let purchase = Purchase { pay: Some(paid), quantity: Some(1), ..Purchase::default() };
        let bought = self.sandbox.buy(&purchase).expect("something is for sale");
        OrderId(bought[0].order_id as i64)
    }

    fn send(&self, order: OrderId) {
        self.sandbox.act(order.0 as u64, OrderAction::Send).expect("it is paid");
    }

    fn cancel(&self, order: OrderId) {
        self.sandbox.act(order.0 as u64, OrderAction::Cancel).expect("it is not paid");
    }
}
