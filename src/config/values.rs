//! Values that are more than their TOML type: durations, zones, choices, numbers in a range, names.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use serde::de::{Deserialize, Deserializer, Visitor};
use toml::Spanned;
use zeroize::Zeroizing;

use super::diagnostic::{Code, Wrong, shown};
use super::source::Source;
use crate::domain::nearest;

/// A setting that is text, with its place; `None` where it is not set.
pub(super) type Text = Option<Spanned<String>>;
/// A setting that is a whole number.
pub(super) type Whole = Option<Spanned<i64>>;
/// A setting that is a number or text.
pub(super) type Amount = Option<Spanned<Scalar>>;

/// A number or text. A number with a point is only known to be one: its digits stand in the file, and a float would
/// not have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A whole number.
    Whole(i64),
    /// A number with a point.
    Decimal,
    /// Text.
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(NUMBER_OR_TEXT)
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Whole(number))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar::Decimal)
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// What a [`Scalar`] is called in messages.
pub(super) const NUMBER_OR_TEXT: &str = "a number or text";

impl Source<'_> {
    /// The value of a text setting, `default` where it is not set or cannot be used.
    pub fn value<T>(&mut self, text: &Text, default: T, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> T {
        self.checked(text, parse).unwrap_or(default)
    }

    /// The value of a text setting, if it is set and can be used.
    pub fn checked<T>(&mut self, text: &Text, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = text.as_ref()?;
        parse(text.get_ref()).map_err(|wrong| self.wrong(text.span(), wrong)).ok()
    }

    /// A span of time.
    pub fn duration(
        &mut self,
        key: &str,
        text: &Text,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.value(text, default, |text| duration(key, text, range))
    }

    /// A whole number.
    pub fn whole(&mut self, key: &str, number: &Whole, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(number) = number else { return default };
        if range.contains(number.get_ref()) {
            return *number.get_ref();
        }
        let (low, high) = range.into_inner();
        let bounds =
            if high == i64::MAX { format!("at least {low}") } else { format!("from {low} to {high}") };
        let message = format!("`{key}` must be {bounds}");
        self.wrong(
            number.span(),
            Wrong::new(Code::BadValue, message, format!("for example:  {key} = {default}")),
        );
        default
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(key: &str, text: &str, known: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let fix = match nearest(text, words.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write one of: {}", words.join(", ")),
    };
    let message = format!("`{key}` cannot be `{}`", shown(text));
    Err(Wrong::new(Code::BadValue, message, fix).label(format!("one of: {}", words.join(", "))))
}

/// A span of time such as `30s`, `10m`, `1h 30m` or `90d`.
pub(super) fn duration(key: &str, text: &str, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let (low, high) = (*range.start(), *range.end());
    let span = humantime::parse_duration(text).map_err(|_| {
        let message = format!("`{key}` is not a span of time: `{}`", shown(text));
        Wrong::new(
            Code::BadValue,
            message,
            "write a number with its unit, for example \"30s\", \"10m\", \"2h\" or \"90d\"",
        )
    })?;
    if range.contains(&span) {
        return Ok(span);
    }
    let (low, high) = (words(low), words(high));
    let message = format!("`{key}` must be from {low} to {high}");
    Err(Wrong::new(Code::BadValue, message, format!("write a span of time from {low} to {high}")))
}

/// A span of time as it is written in a setting.
pub(super) fn words(span: Duration) -> String {
    const DAY: u64 = 86_400;
    if span.subsec_nanos() == 0 && span.as_secs() > 0 && span.as_secs().is_multiple_of(DAY) {
        return format!("{}d", span.as_secs() / DAY);
    }
    humantime::format_duration(span).to_string()
}

/// A path, whole or relative to the configuration directory.
pub(super) fn path(key: &str, text: &str, example: &str) -> Result<PathBuf, Wrong> {
    match text {
        text if text.trim().is_empty() => Err(Wrong::new(
            Code::BadValue,
            format!("`{key}` is empty"),
            format!("write where it is: {key} = \"{example}\""),
        )),
        text if text.starts_with('~') => Err(Wrong::new(
            Code::BadValue,
            "`~` means nothing in this file",
            format!(
                "write the whole path, or one relative to the configuration directory: {key} = \"{example}\""
            ),
        )),
        text => Ok(PathBuf::from(text)),
    }
}

/// A zone by its name in the time zone database.
pub(super) fn zone(text: &str) -> Result<Tz, Wrong> {
    text.parse().map_err(|_| {
        let zones = || chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name());
        let town =
            |name: &&str| name.rsplit('/').next().is_some_and(|town| town.eq_ignore_ascii_case(text.trim()));
        let fix = match zones().find(town).or_else(|| nearest(text, zones())) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write a name of the time zone database, for example \"Europe/Berlin\"".to_owned(),
        };
        Wrong::new(Code::UnknownZone, format!("unknown time zone `{}`", shown(text)), fix)
    })
}

/// Whether a text can name an account, a channel or a job: such names become file names and labels.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The words for a name that cannot be used, with the nearest that can.
pub(super) fn bad_name(what: &str, text: &str) -> (Wrong, String) {
    let lower: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(64)
        .collect();
    let better = lower.trim_matches('-').to_owned();
    let better = if better.is_empty() { "my-name".to_owned() } else { better };
    let message = format!("`{}` cannot be the name of {what}", shown(text));
    let fix = format!("use small letters, digits and hyphens only, at most 64: {better}");
    (Wrong::new(Code::BadName, message, fix), better)
}

/// Text as a TOML string.
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_quoted(&mut out, text);
    out
}

/// A line of a secrets file, with what follows the value. It is put together in one place, which is wiped.
pub fn secret_line(name: &str, value: &str, after: &str) -> Zeroizing<String> {
    // A character becomes six at most.
    let mut line =
        Zeroizing::new(String::with_capacity(name.len().max(NAME) + 6 * value.len() + after.len() + 8));
    line.push_str(&format!("{name:<NAME$} = "));
    push_quoted(&mut line, value);
    line.push_str(after);
    line.push('\n');
    line
}

/// As wide as the longest name in a secrets file.
const NAME: usize = 15;

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

    #[test]
    fn spans_of_time_need_their_unit() {
        assert_eq!(duration("timeout", "1h 30m", ANY), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("keep", "30d", ANY), Ok(Duration::from_secs(30 * 86_400)));
        for bad in ["", "10", "ten minutes", "-5s", "99999999999999999999y"] {
            assert_eq!(duration("timeout", bad, ANY).unwrap_err().code, Code::BadValue, "{bad}");
        }
        let short = Duration::from_secs(1)..=Duration::from_secs(60);
        assert_eq!(duration("timeout", "0s", short).unwrap_err().message, "`timeout` must be from 1s to 1m");
    }

    #[test]
    fn a_zone_is_found_in_spite_of_a_typing_error() {
        assert_eq!(zone("Europe/Berlin"), Ok(Tz::Europe__Berlin));
        assert_eq!(zone("Europe/Brelin").unwrap_err().fix, "did you mean `Europe/Berlin`?");
        assert_eq!(zone("berlin").unwrap_err().fix, "did you mean `Europe/Berlin`?");
    }

    #[test]
    fn a_span_of_time_in_words_can_be_written_in_a_setting() {
        for (text, wanted) in
            [("1h 30m", "1h 30m"), ("48h", "2d"), ("0s", "0s"), ("1s", "1s"), ("3660d", "3660d")]
        {
            let span = duration("x", text, ANY).unwrap();
            assert_eq!(words(span), wanted);
            assert_eq!(duration("x", &words(span), ANY), Ok(span));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_better_name_is_a_good_one(text in "\\PC{0,80}") {
            prop_assert!(is_name(&bad_name("a job", &text).1));
        }

        #[test]
        fn a_line_of_a_secrets_file_is_put_together_in_one_place(value in "(\\PC|[\\x00-\\x9f]){0,40}", name in "[a-z_]{1,20}") {
            let line = secret_line(&name, &value, "  # x");
            prop_assert!(line.capacity() <= name.len().max(NAME) + 6 * value.len() + 5 + 8, "it did not grow");
            let table: toml::Table = toml::from_str(&line).unwrap();
            prop_assert_eq!(table[&name].as_str(), Some(value.as_str()));
        }

        #[test]
        fn quoted_text_is_read_back_as_it_was(text in "(\\PC|[\\x00-\\x9f]){0,40}") {
            let table: toml::Table = toml::from_str(&format!("x = {}", quoted(&text))).unwrap();
            prop_assert_eq!(table["x"].as_str(), Some(text.as_str()));
        }
    }
}
