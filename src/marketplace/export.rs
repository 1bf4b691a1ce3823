//! A second way to read a stock: a file that the marketplace makes of all of it. A large stock costs a few requests so,
//! instead of one for each page.
//!
//! Whatever goes wrong with it, the caller reads pages instead: nothing here is worth a run.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::CallError;
use crate::domain::StockPage;

/// An account whose stock can be had as a file: ask for it, ask whether it is made, read it.
#[async_trait]
pub trait StockExport: Send + Sync {
    /// Asks for a file of the stock as it is now.
    async fn request(&self, now: DateTime<Utc>) -> Result<ExportRequest, CallError>;

    /// How far it is. A request each time.
    async fn state(&self, request: &ExportRequest) -> Result<ExportState, CallError>;

    /// Begins to read it. Its download is no request to the marketplace.
    async fn open(&self, file: &ExportFile) -> Result<Box<dyn StockFile>, CallError>;
}

/// A stock that comes as a file, page by page as it arrives.
#[async_trait]
pub trait StockFile: Send {
    /// The next page, which names no cursor; `None` at the end of a file that was whole. After an error it must not be
    /// asked again, and what came before it is true but not everything.
    async fn next(&mut self) -> Result<Option<StockPage>, CallError>;
}

/// A file that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// When. A file that was begun before shows another stock.
    pub requested_at: DateTime<Utc>,
    /// The marketplace's number of it, if it gave one.
    pub id: Option<i64>,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportState {
    /// Being made.
    Pending,
    /// Ready to be read, and not for long.
    Ready(ExportFile),
    /// It will never be ready, for this reason.
    Failed(String),
}

/// A file that is ready.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// Where it is. Whoever has this can read it.
    pub url: String,
    /// When the marketplace began to make it: what happened since then may be in it or not.
    pub begun_at: DateTime<Utc>,
    /// How long it was at it, by its own clock.
    pub took: Duration,
}

impl fmt::Debug for ExportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportFile")
            .field("begun_at", &self.begun_at)
            .field("took", &self.took)
            .finish_non_exhaustive()
    }
}
