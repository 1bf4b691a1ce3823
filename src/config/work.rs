//! What kinds of job there are, and the settings each kind has of its own.

use std::time::Duration;

use super::StockSync;

/// What a job does, with its kind's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Reads the account's whole stock.
    StockPull(StockPull),
    /// Makes the account's listings what the seller's list says.
    StockSync(Box<StockSync>),
    /// Reads new and changed orders.
    OrderPoll(OrderPoll),
    /// The cheapest authenticated read.
    Probe(Probe),
    /// Prunes, and keeps verified backups.
    Housekeeping(Housekeeping),
}

impl Work {
    /// The kind, as `kind` in a job's file names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StockPull(_) => "stock-pull",
            Self::StockSync(_) => "stock-sync",
            Self::OrderPoll(_) => "order-poll",
            Self::Probe(_) => "probe",
            Self::Housekeeping(_) => "housekeeping",
        }
    }

    /// Whether it writes to the marketplace when it may.
    pub fn writes(&self) -> bool {
        matches!(self, Self::StockSync(_))
    }
}

/// The kinds this version has.
pub const KINDS: [&str; 5] = ["stock-pull", "stock-sync", "order-poll", "probe", "housekeeping"];

/// The kinds that are promised and that this version does not have.
pub(super) const LATER: [&str; 4] = ["order-push", "reprice", "relist", "export"];

/// `stock-pull`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StockPull {
    /// From how many listings on the stock is read by the marketplace's own export, where it has one; `None` for never.
    pub export_above: Option<i64>,
}

/// `order-poll` has no settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderPoll {}

/// `probe` has no settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {}

/// What housekeeping keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Housekeeping {
    /// How long the record of single requests is kept.
    pub keep_requests: Duration,
    /// How long finished runs are kept.
    pub keep_runs: Duration,
    /// How many backups are kept.
    pub keep_backups: u32,
    /// Whether a backup is made.
    pub backup: bool,
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            keep_requests: Duration::from_secs(30 * 86_400),
            keep_runs: Duration::from_secs(90 * 86_400),
            keep_backups: 14,
            backup: true,
        }
    }
}
