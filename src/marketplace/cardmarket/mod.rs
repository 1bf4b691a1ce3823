//! Cardmarket (EU trading cards), API 2.0.

mod api;
mod article;
mod drafting;
mod export;
mod login;
mod look;
mod outcome;
mod request;
mod rows;
mod wire;
mod writer;

use std::time::Duration;

use crate::domain::{Cadence, Currency, OrderFeed, OrderState};
use crate::http::oauth1::{EmptyToken, HeaderValues, Profile, Repeated, SignatureMethod};
use crate::http::{LimitHeaders, WritingClient};
use crate::marketplace::{
    Capabilities, Connection, Descriptor, InAList, MINUTE_LIMIT, Marketplace, OptionKey, Options,
    PUBLIC_SHARE, Quantities, StockReading, Writer, Writes,
};
use crate::policy::meter::PublicRule;
use crate::policy::quota::WindowKind;

/// What an account of it looks like in `sellerd.toml`.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "cardmarket",
    title: "Cardmarket",
    base_url: "https://apiv2.cardmarket.com/ws/v2.0",
    currency: Currency::EUR,
    limit_key: "daily_limit",
    default_limit: 5_000,
    options: &[
        OptionKey {
            key: "app",
            values: &["dedicated", login::THIRD_PARTY],
            default: "dedicated",
            question: Some("Do you have a Cardmarket \"dedicated app\" (four tokens; y or n)?"),
        },
        OptionKey { key: PUBLIC_SHARE, values: &[], default: "50%", question: None },
        // cardmarket.md 7: since the end of 2020, for every app; nobody knows whether it still holds.
        OptionKey { key: MINUTE_LIMIT, values: &[], default: "600", question: None },
    ],
    in_a_list: InAList { columns: drafting::COLUMNS, words: drafting::words },
    first_account: "cm-main",
    credential_names: ["app token", "app secret", "access token", "access token secret"],
    limit_headers: LimitHeaders {
        count: Some("x-request-limit-count"),
        limit: Some("x-request-limit-max"),
        window: WINDOW,
        per_minute: None,
    },
    maintenance: wire::maintenance,
    order_feeds: &FEEDS,
    // The articles in carts have a list of their own. An export is asked for, asked after about four times until it is
    // made, and says nothing of carts.
    reading: StockReading { page: PAGE as i64, beside: 1, export: Some(6) },
    zero_is_final: WRITES.zero_is_final,
    // No app that does nothing but look (cardmarket.md 2.2), and at most so many marketplace requests a day (7).
    public_rule: Some(PublicRule { day: WINDOW, share: 50, per_day: 30_000 }),
    profile,
    canary: api::canary,
    waits_to_reapply: true,
    connect,
    connect_writing: Some(connect_writing),
    login: login::ENTRANCE,
};

/// The allowance is renewed at midnight in Berlin (cardmarket.md 7).
const WINDOW: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

/// Articles and orders come in pages of 100, whatever is asked for (cardmarket.md 8.1).
const PAGE: u64 = 100;

const CAPABILITIES: Capabilities = Capabilities { order_feeds: &FEEDS, pages_shift: true, writes: WRITES };

const WRITES: Writes = Writes {
    batch: 100,
    quantities: Quantities::Relative,
    whole_listing: false,
    visibility_lag: Duration::ZERO,
    natural_sku: article::NATURAL,
    zero_is_final: false,
    charged: false,
};

/// Lists of orders by state (cardmarket.md 9.7). An order that leaves `bought` or `paid` is followed by its number, so
/// `sent` is only needed for orders that passed both unseen, and the lists that grow without bound only after a gap.
const FEEDS: [OrderFeed; 5] = [
    OrderFeed { name: "bought", cadence: Cadence::EveryPoll, holds: Some(OrderState::Bought) },
    OrderFeed { name: "paid", cadence: Cadence::EveryPoll, holds: Some(OrderState::Paid) },
    OrderFeed { name: "sent", cadence: Cadence::Every(HOUR), holds: Some(OrderState::Sent) },
    OrderFeed { name: "received", cadence: Cadence::AfterGap(DAY), holds: None },
    OrderFeed { name: "lost", cadence: Cadence::AfterGap(DAY), holds: None },
];

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// How requests are signed (cardmarket.md 3): realm mandatory, values raw, an empty token sent, repeated values in
/// numeric order.
fn profile(_: &Options) -> Profile {
    Profile {
        realm: true,
        values: HeaderValues::Raw,
        empty_token: EmptyToken::Keep,
        repeated: Repeated::Numeric,
        method: SignatureMethod::HmacSha1,
        version: true,
    }
}

fn connect(connection: Connection) -> Box<dyn Marketplace> {
    Box::new(api::Cardmarket::new(connection))
}

fn connect_writing(connection: Connection<WritingClient>) -> Box<dyn Writer> {
    Box::new(api::Cardmarket::writing(connection))
}
