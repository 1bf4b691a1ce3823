//! What the seller wrote about an article. Most of it is composed from numbers only when it is shown, so that a
//! million articles stay small; what came over the wire stands in a table of its own.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::words::PHRASES;

/// The comment of an article, unwritten. Two are equal if they read alike.
#[derive(Debug, Clone, Copy)]
pub enum Comment {
    /// Empty.
    None,
    /// A place on a shelf.
    Shelf(u16),
    /// A seller's key in the tag that the agent reads.
    Sku(u32),
    /// A place and a key.
    ShelfAndSku(u16, u32),
    /// One of the remarks in `PHRASES`.
    Phrase(u8),
    /// Any other text.
    Written(Written),
}

impl Comment {
    /// A comment that reads so.
    pub fn of(text: &str) -> Self {
        if text.is_empty() { Self::None } else { Self::Written(Written::of(text)) }
    }

    /// The text that the seller wrote.
    pub fn text(self) -> String {
        let mut text = String::new();
        if let Self::Shelf(place) | Self::ShelfAndSku(place, _) = self {
            let row = char::from(b'A' + (place % 26) as u8);
            let _ = write!(text, "shelf {row}{:02}", place / 26 % 100);
        }
        if let Self::ShelfAndSku(..) = self {
            text.push(' ');
        }
        if let Self::Sku(key) | Self::ShelfAndSku(_, key) = self {
            let _ = write!(text, "[sku:{}]", serial_key(key));
        }
        if let Self::Phrase(which) = self {
            text.push_str(PHRASES[usize::from(which) % PHRASES.len()]);
        }
        if let Self::Written(written) = self {
            text.push_str(&written.text());
        }
        text
    }

    /// The seller's key in it, without the tag.
    pub fn sku(self) -> Option<String> {
        match self {
            Self::Sku(key) | Self::ShelfAndSku(_, key) => Some(serial_key(key)),
            Self::Written(written) => {
                let text = written.text();
                let (_, tagged) = text.split_once("[sku:")?;
                let (key, _) = tagged.split_once(']')?;
                Some(key.trim().to_owned()).filter(|key| !key.is_empty())
            }
            _ => None,
        }
    }
}

impl PartialEq for Comment {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Written(one), Self::Written(other)) => one.0 == other.0,
            _ => self.text() == other.text(),
        }
    }
}

impl Eq for Comment {}

fn serial_key(key: u32) -> String {
    format!("MC-{key:06}")
}

/// A place in the table of texts. The table is the process's, so that a comment can be shown by itself, and nothing
/// ever leaves it: it is as long as there were different comments.
#[derive(Clone, Copy)]
pub struct Written(u32);

#[derive(Default)]
struct Table {
    texts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(Default::default);

impl Written {
    fn of(text: &str) -> Self {
        let known = TABLE.read().unwrap_or_else(PoisonError::into_inner).places.get(text).copied();
        if let Some(place) = known {
            return Self(place);
        }
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been quicker between the locks.
        if let Some(place) = table.places.get(text) {
            return Self(*place);
        }
        // Four thousand million different texts do not fit in memory.
        let (place, text) = (table.texts.len() as u32, Arc::<str>::from(text));
        table.texts.push(Arc::clone(&text));
        table.places.insert(text, place);
        Self(place)
    }

    fn text(self) -> Arc<str> {
        let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
        table.texts.get(self.0 as usize).cloned().unwrap_or_default()
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_are_written_as_sellers_write_them() {
        assert_eq!(Comment::None.text(), "");
        assert_eq!(Comment::Shelf(27).text(), "shelf B01");
        assert_eq!(Comment::Sku(42).text(), "[sku:MC-000042]");
        assert_eq!(Comment::ShelfAndSku(0, 7).text(), "shelf A00 [sku:MC-000007]");
    }

    #[test]
    fn comments_that_read_alike_are_equal() {
        assert_eq!(Comment::of("[sku:MC-000042]"), Comment::Sku(42));
        assert_eq!(Comment::of(""), Comment::None);
        assert_ne!(Comment::of("[sku:MC-000043]"), Comment::Sku(42));
        assert_eq!(Comment::of("box 3 [sku:a-1] rare").sku().as_deref(), Some("a-1"));
        assert_eq!(Comment::of("box 3 [sku:] rare").sku(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_comes_back(text in "\\PC{0,40}", other in "\\PC{0,3}") {
            prop_assert_eq!(Comment::of(&text).text(), text.clone());
            prop_assert_eq!(Comment::of(&text) == Comment::of(&other), text == other);
        }
    }
}
