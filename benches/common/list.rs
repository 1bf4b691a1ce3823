//! The settings with which a list is read here.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use sellerd::config::{DecimalSign, Delimiter, Encoding, LastLine, MaxRejected, Source};

/// Those that hold where a job says nothing.
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
        timezone: Tz::UTC,
    }
}
