//! One file that is being read, and the mistakes found in it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::{Code, Diagnostic, Excerpt, Spot, Wrong};
use super::mask;
use crate::domain::clean;

/// The longest excerpt; a longer line is shown around its place.
const WIDEST: usize = 120;

/// A file and what was found in it so far. The text is its reader's, who wipes it.
pub(super) struct Source<'a> {
    pub path: PathBuf,
    pub text: &'a str,
    pub found: Vec<Diagnostic>,
    /// Whether everything but the names of the settings is secret.
    pub secret: bool,
    masks: Vec<Range<usize>>,
    broken: BTreeSet<usize>,
    dropped: BTreeSet<String>,
}

impl<'a> Source<'a> {
    /// `sellerd.toml` or a job file.
    pub fn new(path: &Path, text: &'a str) -> Self {
        Self::with_masks(path, text, false, mask::ordinary)
    }

    /// A secrets file: no value in it is ever shown.
    pub fn of_secrets(path: &Path, text: &'a str) -> Self {
        Self::with_masks(path, text, true, mask::secrets)
    }

    fn with_masks(path: &Path, text: &'a str, secret: bool, masks: fn(&str) -> Vec<Range<usize>>) -> Self {
        // Editors on Windows put a byte order mark first; it is no part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            path: path.to_owned(),
            text,
            found: Vec::new(),
            secret,
            masks: masks(text),
            broken: BTreeSet::new(),
            dropped: BTreeSet::new(),
        }
    }

    /// Records a mistake at a place. On a line that is no TOML only that is said: the rest would be guesswork.
    pub fn wrong(&mut self, span: Range<usize>, wrong: Wrong) {
        let spot = self.spot(span);
        if wrong.code == Code::NotToml || !self.broken.contains(&spot.line) {
            self.found.push(wrong.at(spot));
        }
    }

    /// Records a mistake of the file as a whole.
    pub fn wrong_whole(&mut self, wrong: Wrong) {
        self.found.push(wrong.at(Spot::whole(&self.path)));
    }

    /// Records that a setting is missing, unless it may stand in a line that could not be read.
    pub fn missing(&mut self, table: Range<usize>, path: &str, wrong: Wrong) {
        if !self.is_broken() && !self.dropped.contains(path) {
            self.wrong(table, wrong);
        }
    }

    /// Remembers that the line of `at` is no TOML.
    pub fn break_line(&mut self, at: usize) {
        let line = self.spot(at..at).line;
        self.broken.insert(line);
    }

    /// Whether a part of the file could not be parsed at all.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Remembers that a setting was there and has been complained about.
    pub fn drop_setting(&mut self, path: String) {
        self.dropped.insert(path);
    }

    /// Hides a stretch from all later excerpts.
    pub fn hide(&mut self, span: Range<usize>) {
        self.masks.push(span);
    }

    /// The line of a place, ready to be shown.
    pub fn spot(&self, span: Range<usize>) -> Spot {
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let line_end = line_start + self.text[line_start..line_end].trim_end_matches('\r').len();
        Spot {
            file: self.path.clone(),
            line: self.text[..line_start].matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            excerpt: Some(self.excerpt(line_start..line_end, start..end)),
        }
    }

    fn excerpt(&self, line: Range<usize>, span: Range<usize>) -> Excerpt {
        let mut shown: Vec<char> = Vec::new();
        let (mut at, mut end) = (None, 0);
        let mut here = line.start;
        while let Some(c) = self.text[here..line.end].chars().next() {
            let mask = self.masks.iter().find(|mask| mask.contains(&here));
            let before = shown.len();
            let next = match mask {
                Some(mask) => {
                    let quote = Some(c).filter(|c| matches!(c, '"' | '\''));
                    shown.extend(quote.into_iter().chain(mask::DOTS.chars()).chain(quote));
                    mask.end.min(line.end)
                }
                None => {
                    shown.push(clean(c.encode_utf8(&mut [0; 4])).chars().next().unwrap_or('\u{fffd}'));
                    here + c.len_utf8()
                }
            };
            if at.is_none() && next > span.start {
                at = Some(before);
            }
            if here < span.end {
                end = shown.len();
            }
            here = next;
        }
        let at = at.unwrap_or(shown.len());
        let len = end.saturating_sub(at).max(1);
        if shown.len() <= WIDEST {
            return Excerpt { text: shown.into_iter().collect(), at, len };
        }
        let from = at.saturating_sub(WIDEST / 3);
        let text = shown.iter().skip(from).take(WIDEST).collect();
        Excerpt { text, at: at - from, len: len.min(WIDEST + from - at) }
    }
}

/// The nearest boundary of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_counted_in_characters_and_shown_masked() {
        let text = "größe = 1\r\napp_secret = \"hush\"\r\n";
        let source = Source::new(Path::new("f"), text);
        let spot = source.spot(text.find('=').unwrap()..text.find('1').unwrap());
        assert_eq!((spot.line, spot.column), (1, 7));
        let secret = text.find("\"hush").unwrap();
        let spot = source.spot(secret..secret + 6);
        assert_eq!((spot.line, spot.column), (2, 14));
        assert_eq!(
            spot.excerpt,
            Some(Excerpt { text: "app_secret = \"••••••••\"".to_owned(), at: 13, len: 10 })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn every_place_of_every_text_can_be_shown(text in "(\\PC|[\\x00-\\x9f\n]){0,200}", a in 0..300_usize, b in 0..300_usize) {
            let excerpt = Source::new(Path::new("f"), &text).spot(a..b).excerpt.unwrap();
            prop_assert!(excerpt.at <= excerpt.text.chars().count() && excerpt.len >= 1);
            prop_assert!(!excerpt.text.chars().any(char::is_control));
        }
    }
}
