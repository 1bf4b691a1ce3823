//! How values stand in columns, and times in JSON: UTC milliseconds there, RFC 3339 here, words of closed lists as text.

use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::types::Type;
use rusqlite::{Error, Row};
use serde::Serializer;
use serde_json::value::RawValue;

/// A time as its column keeps it.
pub(super) fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// The time in a column. A number that is no time is damage.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<DateTime<Utc>, Error> {
    from_ms(row.get(column)?, column)
}

/// The time in a column that may be empty.
pub(super) fn time_opt(row: &Row<'_>, column: usize) -> Result<Option<DateTime<Utc>>, Error> {
    row.get::<_, Option<i64>>(column)?.map(|ms| from_ms(ms, column)).transpose()
}

/// The word of a closed list in a column. Another word is damage: only this room writes them.
pub(super) fn word<T: FromStr<Err = String>>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    parsed(column, row.get_ref(column)?.as_str()?)
}

/// The word of a closed list in a column that may be empty.
pub(super) fn word_opt<T: FromStr<Err = String>>(row: &Row<'_>, column: usize) -> Result<Option<T>, Error> {
    row.get_ref(column)?.as_str_or_null()?.map(|text| parsed(column, text)).transpose()
}

/// The JSON in a column. Text that is none is damage: only this room writes it.
pub(super) fn raw(row: &Row<'_>, column: usize) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(row.get(column)?).map_err(|why| wrong_text(column, why.to_string()))
}

/// A text that is not what its column holds.
pub(super) fn wrong_text(column: usize, why: String) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, why.into())
}

/// A time as JSON shows it: `2026-11-22T14:31:07.250Z`.
pub(super) fn rfc3339<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A time that may be absent, as JSON shows it.
pub(super) fn rfc3339_opt<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}

fn parsed<T: FromStr<Err = String>>(column: usize, text: &str) -> Result<T, Error> {
    text.parse().map_err(|why| wrong_text(column, why))
}

fn from_ms(ms: i64, column: usize) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_millis(ms).ok_or(Error::IntegralValueOutOfRange(column, ms))
}
