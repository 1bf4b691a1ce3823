//! How the pretend Trade Me is set up: what the documentation leaves open can be chosen here.

use chrono::{DateTime, TimeDelta, Utc};

use super::account::Prices;

/// What the shop at Trade Me is told. Change the fields that a test is about.
#[derive(Debug, Clone)]
pub struct Options {
    /// Listings that are live at the start.
    pub listings: usize,
    /// Purchases of the past weeks at the start.
    pub sales: usize,
    /// Listings that closed unsold in the past weeks.
    pub unsold: usize,
    /// Listings whose key is that of an article in the other shop, in percent, as far as there are such.
    pub shared_percent: u8,
    /// How far ahead the last live listing ends; the others are spread before it.
    pub lasting: TimeDelta,
    /// Calls an hour for each member of each app; `None` is no limit.
    pub hourly_limit: Option<u32>,
    /// Rows a page at most, whatever the caller asks for.
    pub max_rows: usize,
    /// How long after a sale it stands in the list of sold items, and how long after a write the lists of listings
    /// show what it did.
    pub sold_lag: TimeDelta,
    /// How long a listing that has ended is closing: still among the live ones, its sales not yet shown.
    pub closing: TimeDelta,
    /// How far a timestamp may be off; `None` is any distance.
    pub freshness: Option<TimeDelta>,
    /// Whether a nonce that was used before is refused.
    pub refuse_replays: bool,
    /// Whether calls that fail to log in count against the hour of the app that they name.
    pub count_refused: bool,
    /// What the member granted to the app.
    pub scopes: Scopes,
    /// How long a request token is good for.
    pub petition_lasts: TimeDelta,
    /// When the member takes the grant back.
    pub revoked_at: Option<DateTime<Utc>>,
    /// What a 401 looks like.
    pub unauthorized: Unauthorized,
    /// What a 429 looks like.
    pub too_many: TooMany,
    /// What is on the seller's account at the start.
    pub balance_cents: u64,
    /// What the marketplace takes for listings.
    pub prices: Prices,
    /// Where a refused write says what is wrong.
    pub failures: Failures,
    /// Whether members with the value that their type has anyway are left out, as in life.
    pub omit_defaults: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listings: 312,
            sales: 23,
            unsold: 9,
            shared_percent: 50,
            lasting: TimeDelta::days(7),
            hourly_limit: Some(1_000),
            max_rows: 500,
            sold_lag: TimeDelta::seconds(75),
            closing: TimeDelta::seconds(30),
            freshness: Some(TimeDelta::minutes(5)),
            refuse_replays: true,
            count_refused: true,
            scopes: Scopes { read: true, write: true },
            petition_lasts: TimeDelta::hours(24),
            revoked_at: None,
            unauthorized: Unauthorized::ErrorResult,
            too_many: TooMany::ErrorResult,
            balance_cents: 8_420,
            prices: Prices::default(),
            failures: Failures::Description,
            omit_defaults: true,
        }
    }
}

/// What a member granted to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    /// `MyTradeMeRead`.
    pub read: bool,
    /// `MyTradeMeWrite`.
    pub write: bool,
}

/// Where the message of a write stands that was answered with 200 and refused: all were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// `Success` is false, and `Description` says why.
    Description,
    /// `Success` is false, and `Error` says why.
    Error,
    /// Only `ErrorDescription`, as in an error.
    ErrorDescription,
}

/// The forms that a 401 may have: none is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthorized {
    /// The usual error object.
    ErrorResult,
    /// No body.
    Empty,
    /// A page.
    Html,
    /// `oauth_problem=...` as text, and in `WWW-Authenticate`.
    OauthProblem,
}

/// The forms that a 429 may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMany {
    /// The usual error object.
    ErrorResult,
    /// No body.
    Empty,
}
