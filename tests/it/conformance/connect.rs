//! The way to a pretend shop: a real client with real signatures over real HTTP, and a gate that stands open.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sellerd::clock::SystemClock;
use sellerd::domain::Credentials;
use sellerd::http::oauth1::{Signer, Target};
use sellerd::http::{
    Attempt, Client, Gate, Outgoing, Parts, Pass, Random, Refusal, ReqwestTransport, Settled, WritingClient,
};
use sellerd::marketplace::{Connection, Descriptor, Marketplace, Options, Writer, descriptor};
use sellerd::sandbox::Keys;

/// Lets everything out and writes nothing down: what a gate must do is another story.
struct Open;

#[async_trait]
impl Gate for Open {
    async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
        Ok(Pass { request_id: 0, asked: outgoing.asked, clock_offset_ms: 0 })
    }

    async fn settle(&self, _: Pass, _: &Attempt) -> Result<Settled, Refusal> {
        Ok(Settled::default())
    }
}

pub fn client(marketplace: &Descriptor, keys: &Keys, options: &Options) -> Client {
    let token = (keys.token.as_str(), keys.token_secret.as_str());
    let credentials = Credentials::new(&keys.consumer_key, &keys.consumer_secret, Some(token));
    Client::new(Parts {
        transport: Arc::new(ReqwestTransport::new(false).expect("a client without TLS")),
        gate: Arc::new(Open),
        signer: Some(Signer::new((marketplace.profile)(options), &credentials)),
        headers: marketplace.limit_headers,
        maintenance: marketplace.maintenance,
        canary: (marketplace.canary)(&Target::new(marketplace.base_url).expect("a URL")),
        clock: SystemClock::shared(),
        random: Arc::new(Random::from_machine()),
        max_per_second: NonZeroU32::new(1_000).expect("not zero"),
        request_timeout: Duration::from_secs(10),
    })
}

/// The marketplace of that name, at this address.
pub fn market(name: &str, base_url: &str, keys: &Keys, options: Options) -> Box<dyn Marketplace> {
    let marketplace = descriptor(name).expect("it is known");
    (marketplace.connect)(Connection {
        base: Target::new(base_url).expect("a URL"),
        currency: marketplace.currency,
        client: client(marketplace, keys, &options),
        options,
        templates: Arc::default(),
    })
}

/// The same, with leave to change it.
pub fn writer(name: &str, base_url: &str, keys: &Keys, options: Options) -> Box<dyn Writer> {
    let marketplace = descriptor(name).expect("it is known");
    (marketplace.connect_writing.expect("it can be changed"))(Connection {
        base: Target::new(base_url).expect("a URL"),
        currency: marketplace.currency,
        client: WritingClient::new(client(marketplace, keys, &options)),
        options,
        templates: Arc::default(),
    })
}
