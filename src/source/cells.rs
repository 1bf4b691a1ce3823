//! What a cell says: a number of copies, an amount, a time. Nothing is guessed: what can be read in two ways is not
//! read at all.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::config::DecimalSign;
use crate::domain::{LIST_AHEAD, clean};

/// More copies than this of one item are a mistake.
pub(super) const MOST_COPIES: i64 = 1_000_000;

/// The most digits before the cents. An amount of more could not be added up safely.
const MOST_DIGITS: usize = 10;

/// Copies: digits and nothing else.
pub(super) fn quantity(cell: &[u8]) -> Result<i64, String> {
    let cell = cell.trim_ascii();
    let wrong = |why: &str| Err(format!("the quantity `{}` {why}", shown(cell)));
    if cell.is_empty() {
        return Err("the quantity is blank".to_owned());
    }
    if !cell.iter().all(u8::is_ascii_digit) {
        let negative = cell.strip_prefix(b"-").is_some_and(|rest| rest.iter().all(u8::is_ascii_digit));
        return wrong(if negative { "is negative" } else { "is no whole number such as 3" });
    }
    match digits(cell) {
        Some(copies) if copies <= MOST_COPIES => Ok(copies),
        _ => wrong("is more than a million copies"),
    }
}

/// An amount in minor units: digits, and one or two behind the sign where there is one. `what` is what it is called.
pub(super) fn amount(what: &str, cell: &[u8], sign: DecimalSign) -> Result<i64, String> {
    let cell = cell.trim_ascii();
    let (mark, other) = match sign {
        DecimalSign::Point => (b'.', b','),
        DecimalSign::Comma => (b',', b'.'),
    };
    let wrong = |why: &str| Err(format!("the {what} `{}` {why}", shown(cell)));
    let at = memchr::memchr(mark, cell);
    let (whole, cents) = at.map_or((cell, None), |at| (&cell[..at], Some(&cell[at + 1..])));
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if !is_number(whole) || cents.is_some_and(|cents| !is_number(cents)) {
        if cell.first() == Some(&b'-') {
            return wrong("is negative");
        }
        if cell.contains(&other) {
            let (mark, other) = (char::from(mark), char::from(other));
            return wrong(&format!("has a `{other}`, while `decimal` is \"{mark}\""));
        }
        let example = format!("is no amount such as 1250 or 12{}50", char::from(mark));
        return wrong(&example);
    }
    if whole.len() > MOST_DIGITS {
        return wrong("is too large");
    }
    let cents = match cents {
        None => Some(0),
        Some([tens]) => Some(i64::from(tens - b'0') * 10),
        Some([tens, ones]) => Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
        Some(_) => None,
    };
    match (digits(whole), cents) {
        (Some(whole), Some(cents)) => Ok(whole * 100 + cents),
        _ => wrong("has more than two decimals"),
    }
}

/// A time with its offset, or one on the clock of `tz`. An hour that comes twice is taken for the first, which nets
/// more orders rather than fewer.
pub(super) fn time(text: &str, tz: Tz, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    const FORMATS: [&str; 4] =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let text = text.trim();
    let wrong = |why: &str| Err(format!("the time `{}` {why}", shown(text.as_bytes())));
    if text.is_empty() {
        return Err("the time for as_of is blank".to_owned());
    }
    let time = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.to_utc(),
        Err(_) => {
            let local = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
            let Some(local) = local else {
                return wrong("is no time such as 2026-11-21 14:30 or 2026-11-21T13:30:00Z");
            };
            match tz.from_local_datetime(&local) {
                LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
                LocalResult::None => return wrong("was skipped when the clocks changed"),
            }
        }
    };
    if time > now + LIST_AHEAD { wrong("is in the future") } else { Ok(time) }
}

/// A piece of a list as it may stand in a message.
pub(super) fn shown(cell: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = clean(&String::from_utf8_lossy(&cell[..cell.len().min(4 * LONGEST)]));
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// The number that digits are; `None` where it is too large.
fn digits(cell: &[u8]) -> Option<i64> {
    cell.iter().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Currency, Money};

    const POINT: DecimalSign = DecimalSign::Point;
    const COMMA: DecimalSign = DecimalSign::Comma;

    fn minor(text: &str, sign: DecimalSign) -> Option<i64> {
        amount("price", text.as_bytes(), sign).ok()
    }

    #[test]
    fn an_amount_is_read_in_one_way_or_not_at_all() {
        for (text, by_point, by_comma) in [
            ("1234", Some(123_400), Some(123_400)),
            ("1.5", Some(150), None),
            ("1,5", None, Some(150)),
            (" 0.05 ", Some(5), None),
            ("0", Some(0), Some(0)),
            ("1.234,56", None, None),
            ("1,234.56", None, None),
            ("1.234", None, None),
            ("1,234", None, None),
            ("1 234", None, None),
            ("1\u{a0}234,00", None, None),
            ("€5", None, None),
            ("5 EUR", None, None),
            ("5.", None, None),
            (".5", None, None),
            ("1.2.3", None, None),
            ("1e2", None, None),
            ("+1", None, None),
            ("-1", None, None),
            ("2.500", None, None),
            ("", None, None),
            ("٣", None, None),
            ("9999999999.99", Some(999_999_999_999), None),
            ("12345678901", None, None),
        ] {
            assert_eq!((minor(text, POINT), minor(text, COMMA)), (by_point, by_comma), "{text:?}");
        }
        let why = |text: &str, sign| amount("price", text.as_bytes(), sign).unwrap_err();
        assert_eq!(why("1.234,56", POINT), "the price `1.234,56` has a `,`, while `decimal` is \".\"");
        assert_eq!(why("1.234", COMMA), "the price `1.234` has a `.`, while `decimal` is \",\"");
        assert_eq!(why("1.999", POINT), "the price `1.999` has more than two decimals");
        assert_eq!(why("-3", POINT), "the price `-3` is negative");
    }

    #[test]
    fn copies_are_whole_and_not_absurd() {
        let why = |text: &str| quantity(text.as_bytes()).unwrap_err();
        assert_eq!((quantity(b" 007 "), quantity(b"0"), quantity(b"1000000")), (Ok(7), Ok(0), Ok(1_000_000)));
        assert_eq!(why("2.0"), "the quantity `2.0` is no whole number such as 3");
        assert_eq!(why("-1"), "the quantity `-1` is negative");
        assert_eq!(why("1000001"), "the quantity `1000001` is more than a million copies");
        assert!(
            quantity(b"99999999999999999999").is_err() && quantity(b"+1").is_err() && quantity(b"").is_err()
        );
    }

    #[test]
    fn a_time_without_an_offset_follows_the_clock_of_the_shop() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |text: &str| time(text, Tz::Europe__Berlin, now).map(|time| time.to_rfc3339());
        assert_eq!(at("2026-07-01 14:30").unwrap(), "2026-07-01T12:30:00+00:00");
        assert_eq!(at("2026-07-01T14:30:05Z").unwrap(), "2026-07-01T14:30:05+00:00");
        assert_eq!(at("2026-10-25 02:30:00").unwrap(), "2026-10-25T00:30:00+00:00", "the first of the two");
        assert_eq!(at("2026-11-22T12:04:00Z").unwrap(), "2026-11-22T12:04:00+00:00");
        assert!(at("2026-03-29 02:30").unwrap_err().contains("skipped"));
        assert!(at("2026-11-22T12:06:00Z").unwrap_err().contains("future"));
        assert!(at("2026-11-21").is_err() && at("21.11.2026 14:00").is_err() && at(" ").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn an_amount_survives_its_own_text(minor_units in 0..1_000_000_000_000_i64) {
            let text = Money { minor: minor_units, currency: Currency::EUR }.decimal();
            prop_assert_eq!(minor(&text, POINT), Some(minor_units));
            prop_assert_eq!(minor(&text.replace('.', ","), COMMA), Some(minor_units));
        }

        #[test]
        fn no_bytes_make_it_panic(cell in proptest::collection::vec(any::<u8>(), 0..30), text in "\\PC{0,30}") {
            let _ = (quantity(&cell), amount("price", &cell, POINT), amount("price", text.as_bytes(), COMMA));
            let _ = (shown(&cell), time(&text, Tz::Pacific__Auckland, DateTime::UNIX_EPOCH));
        }
    }
}
