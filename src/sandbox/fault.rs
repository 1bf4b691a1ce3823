//! What can go wrong at the pretend shop, as values that a test or the command line can ask for.

use serde::{Deserialize, Serialize};

use super::venue::Venue;

/// A fault and how long it lasts: until cleared, unless one of the limits says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only at this marketplace; otherwise at all that know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shop: Option<Venue>,
    /// Only for resources whose path (after version and form) begins like this, for example `/stock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only for the next so many requests that it could meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Only for requests that would change something.
    #[serde(default, skip_serializing_if = "is_false")]
    pub writes: bool,
    /// Only for this share of requests, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Only for so long, in seconds of the shop's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum FaultKind {
    /// 403 (at Trade Me 401), as after a withdrawn access; on a path only, a resource closed to this kind of app.
    Revoke {
        /// Without an error body, as a block at the edge looks.
        #[serde(default)]
        empty_body: bool,
    },
    /// 401: the token is not valid any more.
    RejectToken,
    /// Ends `revoke` and `reject-token`.
    Restore,
    /// This status with an HTML body.
    Status {
        /// 500, 502, 503, 504 or whatever else.
        status: u16,
    },
    /// One of 500, 502, 503 and 504 with an HTML body.
    #[serde(rename = "5xx")]
    ServerError,
    /// 400 "Service currently not available"; at Trade Me 503.
    Unavailable,
    /// 200 with a page of HTML.
    Html,
    /// 200 with something that is no JSON.
    Garbage,
    /// The whole length declared, half of it sent, then the connection closed.
    TruncateBody,
    /// Half of the JSON in a well-formed answer.
    TruncateJson,
    /// The connection closed before the request did anything.
    DropBefore,
    /// The connection closed after the request did its work.
    DropAfter,
    /// The connection closed at once. What the request changes, it changes later.
    Late {
        /// Seconds of the shop's time until then.
        seconds: u32,
    },
    /// This status with an HTML body, after the request did its work.
    #[serde(rename = "5xx-after")]
    StatusAfter {
        /// 500, 502, 503 or 504.
        status: u16,
    },
    /// So many of a request's articles are refused without a reason, wherever they stand in it.
    RejectItems {
        /// Articles a request.
        items: usize,
    },
    /// What became of a request's articles is told in another order than they were sent in.
    ShuffleItems,
    /// The export of the stock that is asked for fails.
    FailedExport,
    /// The export of the stock that is asked for shows the stock of the moment at which this was turned on.
    StaleExport,
    /// An answer after this long.
    Slow {
        /// Milliseconds until the answer begins.
        millis: u64,
    },
    /// No answer at all.
    Never,
    /// Before a stock page but the first, an article of an earlier page goes or comes.
    PageShift {
        /// Whether one comes. Otherwise the first one is sold.
        #[serde(default)]
        insert: bool,
    },
    /// Every stock page but the first begins with the last article of the page before.
    DuplicateRow,
    /// So many rows of each page cannot be read.
    BadRows {
        /// Rows a page.
        rows: usize,
    },
    /// The shop's clock goes wrong for the `Date` header and the freshness of timestamps.
    ClockSkew {
        /// Forward, or back if negative.
        seconds: i64,
    },
    /// 307 to the same resource at the same host.
    Redirect,
    /// 307 to another host.
    RedirectAway {
        /// The other base URL, instead of one that does not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// 429 as from the concurrency limiter.
    #[serde(rename = "429")]
    TooMany {
        /// `Retry-After` in seconds.
        retry_after: u32,
    },
    /// The allowance is lowered to what was used: 429 until Berlin's midnight, at Trade Me until the hour ends.
    #[serde(rename = "429-daily")]
    Exhaust,
    /// Another allowance a day (at Trade Me, an hour); none is an app without a limit.
    Limit {
        /// Requests a day or an hour.
        max: Option<u32>,
    },
    /// The stock answers 204 as if everything were gone.
    EmptyStock,
    /// 200 with an error object in it.
    ErrorIn200 {
        /// The long form with `mkm_error_description` rather than `{"error": ...}`.
        #[serde(default)]
        long: bool,
    },
    /// 200 with a body that never ends.
    Huge,
    /// 503 for a while; listings that would end meanwhile end so much later. Trade Me only.
    Maintenance {
        /// How long, in seconds of the shop's time.
        seconds: u32,
    },
    /// Members that no documentation knows yet, in objects and lists. Trade Me only.
    UnknownField,
    /// Numbers of enumerations that no documentation knows yet. Trade Me only.
    NewEnum,
    /// All buyers are masked: number 0 and a name of stars. Trade Me only.
    Masked,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind, shop: None, path: None, next: None, writes: false, rate: None, for_seconds: None }
    }
}

impl Fault {
    /// Only for resources whose path begins so.
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(format!("/{}", path.trim_start_matches('/')));
        self
    }

    /// Only for requests that would change something.
    pub fn on_writes(mut self) -> Self {
        self.writes = true;
        self
    }

    /// Only at this marketplace.
    pub fn at(mut self, shop: Venue) -> Self {
        self.shop = Some(shop);
        self
    }

    /// The marketplaces that it is for.
    pub fn shops(&self) -> impl Iterator<Item = Venue> {
        let (only, kind) = (self.shop, self.kind.clone());
        Venue::ALL
            .into_iter()
            .filter(move |venue| kind.is_known_at(*venue) && only.is_none_or(|only| only == *venue))
    }

    /// Whether the fault can meet anything at all.
    pub fn check(&self) -> Result<(), String> {
        match (self.shops().next(), self.shop) {
            (None, Some(shop)) => Err(format!("{} is nothing that happens at {shop}", self.kind.name())),
            _ => Ok(()),
        }
    }

    /// Only for the next so many requests.
    pub fn next(mut self, requests: u32) -> Self {
        self.next = Some(requests);
        self
    }

    /// Only for this share of requests.
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Only for so many seconds of the shop's time.
    pub fn for_seconds(mut self, seconds: u64) -> Self {
        self.for_seconds = Some(seconds);
        self
    }
}

impl FaultKind {
    /// Whether such a thing happens at this marketplace.
    pub fn is_known_at(&self, venue: Venue) -> bool {
        let is_trademes =
            matches!(self, Self::Maintenance { .. } | Self::UnknownField | Self::NewEnum | Self::Masked);
        let is_cardmarkets = matches!(
            self,
            Self::RejectItems { .. } | Self::ShuffleItems | Self::FailedExport | Self::StaleExport
        );
        match venue {
            Venue::Cardmarket => !is_trademes,
            Venue::Trademe => !is_cardmarkets,
        }
    }

    /// The name by which the ledger and people know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Revoke { .. } => "revoke",
            Self::RejectToken => "reject-token",
            Self::Restore => "restore",
            Self::Status { .. } => "status",
            Self::ServerError => "5xx",
            Self::Unavailable => "unavailable",
            Self::Html => "html",
            Self::Garbage => "garbage",
            Self::TruncateBody => "truncate-body",
            Self::TruncateJson => "truncate-json",
            Self::DropBefore => "drop-before",
            Self::DropAfter => "drop-after",
            Self::Late { .. } => "late",
            Self::StatusAfter { .. } => "5xx-after",
            Self::RejectItems { .. } => "reject-items",
            Self::ShuffleItems => "shuffle-items",
            Self::FailedExport => "failed-export",
            Self::StaleExport => "stale-export",
            Self::Slow { .. } => "slow",
            Self::Never => "never",
            Self::PageShift { .. } => "page-shift",
            Self::DuplicateRow => "duplicate-row",
            Self::BadRows { .. } => "bad-rows",
            Self::ClockSkew { .. } => "clock-skew",
            Self::Redirect => "redirect",
            Self::RedirectAway { .. } => "redirect-away",
            Self::TooMany { .. } => "429",
            Self::Exhaust => "429-daily",
            Self::Limit { .. } => "limit",
            Self::EmptyStock => "empty-stock",
            Self::ErrorIn200 { .. } => "error-in-200",
            Self::Huge => "huge",
            Self::Maintenance { .. } => "maintenance",
            Self::UnknownField => "unknown-field",
            Self::NewEnum => "new-enum",
            Self::Masked => "masked",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}
