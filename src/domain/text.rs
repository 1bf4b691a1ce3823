//! Text from outside, made safe to show, and help for typing errors.

use std::time::Duration;

/// Removes what could move a terminal's cursor, forge a log line or turn text around: control characters
/// (line ends and tabs become blanks) and Unicode's direction marks.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if c.is_control() => None,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c => Some(c),
        })
        .collect()
}

/// A span of time as people say it, in its two largest units: `1 day 1 h`, `9 min 12 s`, `30 s`.
pub fn spelled(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let both = |first: String, second: u64, unit: &str| match second {
        0 => first,
        second => format!("{first} {second} {unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => format!("{} ms", span.as_millis()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => both(format!("{minutes} min"), seconds % 60, "s"),
        (0, hours, minutes) => both(format!("{hours} h"), minutes, "min"),
        (1, hours, _) => both("1 day".to_owned(), hours, "h"),
        (days, hours, _) => both(format!("{days} days"), hours, "h"),
    }
}

/// The known word nearest to `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_typing_error_finds_the_word_that_was_meant() {
        assert_eq!(
            nearest("max_change_percnt", ["max_changes_percent", "max_zeroed_items"]),
            Some("max_changes_percent")
        );
        assert_eq!(nearest("colour", ["schedule", "timeout"]), None);
    }

    #[test]
    fn a_span_of_time_is_said_in_two_units() {
        let said = |seconds| spelled(Duration::from_secs(seconds));
        assert_eq!((said(30), said(60), said(552)), ("30 s".into(), "1 min".into(), "9 min 12 s".into()));
        assert_eq!(
            (said(3_600), said(9_000), said(86_399)),
            ("1 h".into(), "2 h 30 min".into(), "23 h 59 min".into())
        );
        assert_eq!(
            (said(90_000), said(86_400), said(180_000)),
            ("1 day 1 h".into(), "1 day".into(), "2 days 2 h".into())
        );
        assert_eq!(spelled(Duration::from_millis(250)), "250 ms");
    }

    proptest! {
        #[test]
        fn cleaned_text_has_no_control_characters(text in "\\PC*|[\\x00-\\x9f]{0,30}") {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
