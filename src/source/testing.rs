//! What the tests of this room share.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::config::{DecimalSign, Delimiter, Encoding, LastLine, MaxRejected, Source};
use crate::domain::Currency;

/// The currency of the account.
pub const EUR: Currency = Currency::EUR;

/// When everything happens.
pub fn now() -> DateTime<Utc> {
    "2026-11-22T14:30:00Z".parse().expect("a time")
}

/// The settings that hold where a job says nothing.
pub fn settings(path: &Path) -> Source {
    Source {
        path: path.to_owned(),
        columns: BTreeMap::new(),
        max_age: Duration::from_secs(86_400),
        delimiter: Delimiter::Byte(b','),
        decimal: DecimalSign::Point,
        encoding: Encoding::Utf8,
        currency: None,
        max_rejected: MaxRejected::Percent(5),
        last_line: LastLine::MustEnd,
        timezone: Tz::Europe__Berlin,
    }
}
