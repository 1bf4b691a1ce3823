//! What the shop saw, from its own side: the last requests one by one, and all of them by day.

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

/// The book of requests.
#[derive(Debug, Default)]
pub struct Ledger {
    seen: VecDeque<Seen>,
    total: u64,
    writes: u64,
    by_day: BTreeMap<NaiveDate, u64>,
}

impl Ledger {
    /// Writes a request down. `day` is the marketplace's, for requests that were counted against a limit.
    pub fn record(&mut self, seen: Seen, day: Option<NaiveDate>) {
        self.total += 1;
        if !matches!(seen.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            self.writes += 1;
        }
        if let Some(day) = day {
            *self.by_day.entry(day).or_default() += 1;
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

    /// Requests counted against a limit, by the marketplace's day.
    pub fn by_day(&self) -> &BTreeMap<NaiveDate, u64> {
        &self.by_day
    }
}
