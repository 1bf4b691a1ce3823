//! Text from outside, made safe to show, and help for typing errors.

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

    proptest! {
        #[test]
        fn cleaned_text_has_no_control_characters(text in "\\PC*|[\\x00-\\x9f]{0,30}") {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
