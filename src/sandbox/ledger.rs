//! What the shop saw, from its own side: the last requests one by one, and all of them
//! by day or hour.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

const KEPT: usize = 20_000;

/// One request as the shop saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The shop's time.
    pub at: DateTime<Utc>,
    /// The HTTP method.
    pub method: String,
    /// The whole path, without query.
    pub path: String,
    /// What was answered; `None` if nothing was.
    pub status: Option<u16>,
    /// What the shop made of it.
    pub verdict: Verdict,
}

/// What the shop made of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Passed every check; the handler answered, be it with 404.
    Served,
    /// No such path, a wrong method, a wrong form: refused before anything else.
    Malformed(&'static str),
    /// Refused with 401, and why.
    Unauthorized(String),
    /// Refused with 403, and why.
    Forbidden(&'static str),
    /// Refused with 429, and by which limit.
    TooMany(&'static str),
    /// Met by faults.
    Faulted(Vec<&'static str>),
}

/// The book of requests. `Window` names the spans that the marketplace's allowance is for: days, or hours by
/// their beginning.
#[derive(Debug)]
pub struct Ledger<Window = NaiveDate> {
    seen: VecDeque<Seen>,
    total: u64,
    writes: u64,
    by_window: BTreeMap<Window, u64>,
}

impl<Window> Default for Ledger<Window> {
    fn default() -> Self {
        Self { seen: VecDeque::new(), total: 0, writes: 0, by_window: BTreeMap::new() }
    }
}

impl<Window: Ord> Ledger<Window> {
    /// Writes a request down. `window` is given for requests that were counted against a limit.
    pub fn record(&mut self, seen: Seen, window: Option<Window>) {
        self.total += 1;
        if !matches!(seen.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            self.writes += 1;
        }
        if let Some(window) = window {
            *self.by_window.entry(window).or_default() += 1;
        }
        if self.seen.len() == KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    /// The last requests, oldest first; at most 20,000.
    pub fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter()
    }

    /// All requests since the start.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Requests that would change something.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Requests counted against a limit, by the spans that it is for.
    pub fn by_window(&self) -> &BTreeMap<Window, u64> {
        &self.by_window
    }
}

impl Ledger {
    /// Requests counted against a limit, by the marketplace's day.
    pub fn by_day(&self) -> &BTreeMap<NaiveDate, u64> {
        self.by_window()
    }
}
