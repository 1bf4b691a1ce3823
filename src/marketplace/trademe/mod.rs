//! Trade Me (New Zealand), API v1.

mod answer;
mod api;
mod category;
mod charge;
mod detail;
mod document;
mod draft;
mod edit;
mod limits;
mod login;
mod look;
mod members;
mod sale;
#[cfg(test)]
mod tests;
mod verdict;
mod waiting;
mod wire;
#[cfg(test)]
mod write_tests;
mod writer;

use std::time::Duration;

use crate::domain::{Cadence, Currency, OrderFeed};
use crate::http::oauth1::{EmptyToken, HeaderValues, Profile, Repeated, SignatureMethod};
use crate::http::{LimitHeaders, WritingClient};
use crate::marketplace::{
    Capabilities, Connection, Descriptor, InAList, Marketplace, OptionKey, Options, Quantities, StockReading,
    Writer, Writes,
};
use crate::policy::quota::WindowKind;

/// What an account of it looks like in `sellerd.toml`.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "trademe",
    title: "Trade Me",
    base_url: "https://api.trademe.co.nz/v1",
    currency: Currency::NZD,
    limit_key: "hourly_limit",
    default_limit: 1_000,
    options: &[
        OptionKey {
            key: "oauth_url",
            values: &[],
            default: "https://api.trademe.co.nz/Oauth",
            question: None,
        },
        OptionKey {
            key: "authorize_url",
            values: &[],
            default: "https://trademe.co.nz/Oauth/Authorize",
            question: None,
        },
        OptionKey { key: SIGNATURE, values: &["hmac-sha1", PLAINTEXT], default: "hmac-sha1", question: None },
        // Inferred from what tools observed, not promised anywhere (trademe.md 22, 9).
        OptionKey { key: VISIBILITY_LAG, values: &[], default: "90s", question: None },
    ],
    in_a_list: InAList { columns: &["title", "category"], words: wire::words },
    first_account: "nz-shop",
    credential_names: ["consumer key", "consumer secret", "access token", "access token secret"],
    // A call counts against the clock hour in which it is made, and no header says how many are left (trademe.md 6).
    limit_headers: LimitHeaders { count: None, limit: None, window: WindowKind::Hour, per_minute: None },
    maintenance: |_| None,
    order_feeds: &FEEDS,
    reading: StockReading { page: 500, beside: 0, export: None },
    zero_is_final: WRITES.zero_is_final,
    public_rule: None,
    profile,
    canary: api::canary,
    waits_to_reapply: false,
    connect,
    connect_writing: Some(connect_writing),
    login: login::ENTRANCE,
};

const SIGNATURE: &str = "signature";
const PLAINTEXT: &str = "plaintext";
const VISIBILITY_LAG: &str = "visibility_lag";

const CAPABILITIES: Capabilities = Capabilities { order_feeds: &FEEDS, pages_shift: true, writes: WRITES };

const WRITES: Writes = Writes {
    batch: 1,
    quantities: Quantities::Absolute,
    whole_listing: true,
    visibility_lag: Duration::from_secs(90),
    natural_sku: "tm:",
    zero_is_final: true,
    charged: true,
};

/// Spans of time that overlap (trademe.md 10.4 and 21.4): a sale shows up within the hour, what buyers and sellers
/// change later in the longer spans, and those also close the gap of an outage. A purchase that is in none of them
/// is hidden or old, never undone.
const FEEDS: [OrderFeed; 4] = [
    OrderFeed { name: "LastHour", cadence: Cadence::EveryPoll, holds: None },
    OrderFeed { name: "Last24Hours", cadence: Cadence::Every(HOUR), holds: None },
    OrderFeed { name: "Last7Days", cadence: Cadence::Every(HOUR.saturating_mul(6)), holds: None },
    OrderFeed { name: "Last45Days", cadence: Cadence::Every(HOUR.saturating_mul(24)), holds: None },
];

const HOUR: Duration = Duration::from_secs(3_600);

/// How requests are signed (trademe.md 2.1), as RFC 5849 has it. PLAINTEXT goes without stamp and version, as in Trade
/// Me's own example.
fn profile(options: &Options) -> Profile {
    let plaintext = options.get(SIGNATURE).is_some_and(|method| method == PLAINTEXT);
    Profile {
        method: if plaintext {
            SignatureMethod::Plaintext { stamped: false }
        } else {
            SignatureMethod::HmacSha1
        },
        realm: false,
        values: HeaderValues::Encoded,
        empty_token: EmptyToken::Omit,
        repeated: Repeated::Bytewise,
        version: !plaintext,
    }
}

fn connect(connection: Connection) -> Box<dyn Marketplace> {
    Box::new(api::TradeMe::new(connection))
}

fn connect_writing(connection: Connection<WritingClient>) -> Box<dyn Writer> {
    Box::new(api::TradeMe::new(connection))
}
