//! Lenient reading of JSON that was written by many hands: number or string, one or many, missing, null or empty.
//!
//! Values are taken as their literal text, so that money never passes through a float, and row by row, so that one
//! bad row is one complaint.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::{Complaint, Currency, Money, clean};

/// A member that may be missing, and whose type depends on the resource and its age.
pub type Raw<'a> = Option<&'a RawValue>;

/// The rows of a list that is an array, a single object, or nothing (`null`, `""`, `{}`).
pub fn rows(list: &RawValue) -> Result<Vec<&RawValue>, String> {
    match list.get().as_bytes().first() {
        Some(b'[') => serde_json::from_str(list.get()).map_err(|e| format!("a list that breaks off ({e})")),
        Some(b'{') if list.get() != "{}" => Ok(vec![list]),
        _ if matches!(list.get(), "null" | "\"\"" | "{}") => Ok(Vec::new()),
        _ => Err("no list where one belongs".to_owned()),
    }
}

/// Reads each row by itself: what can be read, and a complaint for each that cannot.
pub fn read_rows<'a, T>(
    rows: Vec<&'a RawValue>,
    place: &str,
    read: impl Fn(&'a RawValue) -> Result<T, String>,
) -> (Vec<T>, Vec<Complaint>) {
    let mut good = Vec::with_capacity(rows.len());
    let mut complaints = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        match read(row) {
            Ok(value) => good.push(value),
            Err(problem) => complaints
                .push(Complaint { place: format!("row {} of {place}", index + 1), problem: clean(&problem) }),
        }
    }
    (good, complaints)
}

/// Reads one object whose members are looked at one by one.
pub fn object<'a, T: Deserialize<'a>>(row: &'a RawValue) -> Result<T, String> {
    // The library's text would quote the row; its place is enough.
    serde_json::from_str(row.get()).map_err(|_| "it is not an object of the documented shape".to_owned())
}

/// The literal text of a scalar, without quotes. Nothing for null, missing, and lists or objects.
pub fn text<'a>(raw: Raw<'a>) -> Option<Cow<'a, str>> {
    let literal = raw?.get();
    match literal.as_bytes().first()? {
        b'"' => serde_json::from_str(literal).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(literal)),
    }
}

/// Text made fit to be shown and stored: no control characters, no blanks at its ends, `None` when empty.
pub fn words(raw: Raw<'_>) -> Option<String> {
    let text = clean(&text(raw)?);
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// A 64-bit number, written as number or string.
pub fn number(raw: Raw<'_>, name: &str) -> Result<i64, String> {
    let text = text(raw).ok_or_else(|| format!("`{name}` is missing"))?;
    text.trim().parse().map_err(|_| format!("`{name}` is not a whole number"))
}

/// The most copies that a row is believed to have. All the rows of an answer together stay far within 64 bits.
const MOST_COPIES: i64 = 1_000_000_000;

/// A number of copies, if it can be one.
pub fn copies(number: i64, name: &str) -> Result<i64, String> {
    match number {
        ..0 => Err(format!("`{name}` is negative")),
        0..=MOST_COPIES => Ok(number),
        _ => Err(format!("`{name}` is more than any shop has")),
    }
}

/// A number that may be missing.
pub fn optional_number(raw: Raw<'_>) -> Option<i64> {
    text(raw)?.trim().parse().ok()
}

/// `true`, `false`, `"true"`, `"false"`, 0 or 1; `None` when missing or something else.
pub fn flag(raw: Raw<'_>) -> Option<bool> {
    match text(raw)?.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// An amount from its literal text.
pub fn money(raw: Raw<'_>, name: &str, currency: Currency) -> Result<Money, String> {
    let text = text(raw).ok_or_else(|| format!("`{name}` is missing"))?;
    Money::parse(&text, currency).map_err(|e| format!("`{name}`: {}", clean(&e.to_string())))
}

/// An instant with an offset, with or without a colon in it. Anything else is as good as missing.
pub fn instant(raw: Raw<'_>) -> Option<DateTime<Utc>> {
    let text = text(raw)?;
    DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%z")
        .or_else(|_| DateTime::parse_from_rfc3339(&text))
        .ok()
        .map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn one_many_and_none_are_lists() {
        let count = |text: &str| rows(&raw(text)).map(|rows| rows.len());
        assert_eq!(count("[{},{}]"), Ok(2));
        assert_eq!(count("{\"a\":1}"), Ok(1));
        assert_eq!(count("null"), Ok(0));
        assert_eq!(count("\"\""), Ok(0));
        assert!(count("\"Service unavailable\"").is_err());
        assert!(count("7").is_err());
    }

    #[test]
    fn numbers_may_be_strings_and_pass_32_bits() {
        assert_eq!(number(Some(&raw("\"5123456789\"")), "id"), Ok(5_123_456_789));
        assert_eq!(number(Some(&raw("5123456789")), "id"), Ok(5_123_456_789));
        assert!(number(Some(&raw("1.5")), "id").is_err());
        assert!(number(Some(&raw("null")), "id").is_err());
        assert!(number(None, "id").unwrap_err().contains("missing"));
    }

    #[test]
    fn an_offset_needs_no_colon() {
        let at = instant(Some(&raw("\"2020-06-04T08:21:31+0200\""))).unwrap();
        assert_eq!(at, "2020-06-04T06:21:31Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(instant(Some(&raw("\"yesterday\""))), None);
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(text in "\\PC{0,30}") {
            let json = serde_json::to_string(&text).unwrap();
            let value = raw(&json);
            let some = Some(&*value);
            let _ = (rows(&value), number(some, "n"), flag(some), instant(some), words(some));
            let _ = money(some, "m", Currency::EUR);
        }
    }
}
