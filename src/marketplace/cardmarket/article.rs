//! What is kept of an article beside its price and count, and the SKU that follows from it (the contract, section 4).
//!
//! One type for what was read, what is drafted and what is sent, so that the SKU of a draft is found by the very rule
//! that will read it back.

use serde::{Deserialize, Serialize};

use crate::domain::{Sku, clean};

/// An article without its number, price and count. In the order of the alphabet, so that equal articles have equal
/// text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// In upper case; none for what has no condition, such as sealed products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expansion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_edition: Option<bool>,
    /// Foil or reverse holo: which of the two a game has depends on the game, and they never occur together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foil: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playset: Option<bool>,
    pub product_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rarity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
}

/// How the SKU begins of an article to which the seller gave none.
pub(super) const NATURAL: &str = "cm:";

/// The letters of the flags in a natural key: foil, signed, altered, first edition.
const FLAGS: &str = "fsap";

impl Attributes {
    /// Reads the text that [`Self::text`] wrote.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the attributes of the listing: {error}"))
    }

    /// The attributes of a listing.
    pub fn text(&self) -> String {
        // Strings, numbers and booleans under fixed names: nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The comment, empty where there is none.
    pub fn comment(&self) -> &str {
        self.comment.as_deref().unwrap_or_default()
    }

    /// The tag of the comment, else the natural key.
    pub fn sku(&self) -> Sku {
        match tag(self.comment()) {
            Some(tag) => Sku(tag.to_owned()),
            None => self.natural_key(),
        }
    }

    /// The same article with this comment and, where its SKU would be another one otherwise, a tag after it. The error
    /// says why this SKU cannot be written into a comment.
    pub fn marked(self, comment: &str, sku: &Sku) -> Result<Self, String> {
        let bare = self.commented(comment);
        if bare.sku() == *sku && as_read(comment) == comment {
            return Ok(bare);
        }
        let tagged = bare.commented(&joined(comment, &format!("[sku:{sku}]")));
        let whole = tagged.comment();
        let reads_back = as_read(whole) == whole && tagged.sku() == *sku && without_tag(whole) == comment;
        reads_back.then_some(tagged).ok_or_else(|| {
            format!(
                "the SKU `{sku}` cannot stand as `[sku:{sku}]` after the comment, since something else would be read \
                 back; give it a SKU without `]`, control characters and blanks at its ends, and take any other \
                 `[sku:` out of the comment"
            )
        })
    }

    /// The same article with this comment.
    pub fn commented(&self, comment: &str) -> Self {
        let comment = Some(comment).filter(|comment| !comment.is_empty()).map(str::to_owned);
        Self { comment, ..self.clone() }
    }

    fn natural_key(&self) -> Sku {
        let flags = [self.foil, self.signed, self.altered, self.first_edition];
        let mut letters: String =
            flags.iter().zip(FLAGS.chars()).filter(|(set, _)| **set == Some(true)).map(|(_, c)| c).collect();
        if letters.is_empty() {
            letters.push('-');
        }
        let language = self.language.unwrap_or_default();
        let condition = self.condition.as_deref().unwrap_or("-");
        let mut key = format!("{NATURAL}{}:{language}:{condition}:{letters}", self.product_id);
        if !self.comment().is_empty() {
            key.push(':');
            key.push_str(self.comment());
        }
        Sku(key)
    }

    /// The article that has this natural key; `None` where it is no such key.
    pub fn of_key(sku: &Sku) -> Option<Self> {
        let mut parts = sku.as_str().strip_prefix(NATURAL)?.splitn(5, ':');
        let product_id = parts.next()?.parse().ok()?;
        let language = parts.next()?.parse().ok().filter(|language: &i64| *language > 0);
        let condition = Some(parts.next()?).filter(|condition| *condition != "-").map(str::to_owned);
        let letters = parts.next()?;
        let set = |flag: char| Some(letters.contains(flag));
        let article = Self {
            altered: set('a'),
            condition,
            first_edition: set('p'),
            foil: set('f'),
            language,
            product_id,
            signed: set('s'),
            ..Self::default()
        };
        let article = article.commented(parts.next().unwrap_or_default());
        (article.natural_key() == *sku).then_some(article)
    }
}

/// The SKU that a seller wrote into a comment as `[sku:...]`.
pub(super) fn tag(comment: &str) -> Option<&str> {
    split(comment).map(|(_, tag, _)| tag)
}

/// A comment without its tag.
pub(super) fn without_tag(comment: &str) -> String {
    match split(comment) {
        Some((before, _, after)) => joined(before.trim_end(), after.trim_start()),
        None => comment.to_owned(),
    }
}

/// What stands before the tag, the tag, and what stands after it.
fn split(comment: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = comment.split_once("[sku:")?;
    let (tag, after) = rest.split_once(']')?;
    Some((before, tag.trim(), after)).filter(|(_, tag, _)| !tag.is_empty())
}

/// Two parts of a comment with a blank between.
pub(super) fn joined(a: &str, b: &str) -> String {
    let between = if a.is_empty() || b.is_empty() { "" } else { " " };
    format!("{a}{between}{b}")
}

/// A comment as it reads back from the marketplace: one line, no blanks at its ends.
pub(super) fn as_read(comment: &str) -> String {
    clean(comment).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_article() -> impl Strategy<Value = Attributes> {
        let flag = || proptest::option::of(any::<bool>());
        let condition = proptest::option::of(prop_oneof![Just("NM".to_owned()), Just("PO".to_owned())]);
        let comment = proptest::option::of("[a-zA-Z:&<#\\[\\]é]{1,12}");
        (
            1..200_000_i64,
            proptest::option::of(1..12_i64),
            condition,
            [flag(), flag(), flag(), flag()],
            comment,
        )
            .prop_map(
                |(product_id, language, condition, [foil, signed, altered, first_edition], comment)| {
                    Attributes {
                        altered,
                        comment,
                        condition,
                        first_edition,
                        foil,
                        language,
                        product_id,
                        signed,
                        ..Attributes::default()
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn a_comment_and_its_sku_survive_being_written_together(
            article in any_article(), comment in "[a-z#A-Z0-9é&<]{0,8}( [a-z]{1,4}){0,2}", sku in "[A-Za-z0-9:._/-]{1,20}"
        ) {
            let comment = as_read(&comment);
            let marked = article.marked(&comment, &Sku(sku.clone())).unwrap();
            prop_assert_eq!(marked.sku().0, sku);
            prop_assert_eq!(without_tag(marked.comment()), comment);
        }

        #[test]
        fn whatever_the_sku_it_reads_back_or_is_refused(article in any_article(), comment in "\\PC{0,12}", sku in "\\PC{0,12}") {
            let (comment, sku) = (as_read(&comment), Sku(sku));
            if let Ok(marked) = article.marked(&comment, &sku) {
                prop_assert_eq!(marked.sku(), sku);
                prop_assert_eq!(without_tag(marked.comment()), without_tag(&comment));
            }
        }

        #[test]
        fn a_natural_key_names_its_article(article in any_article()) {
            let key = article.sku();
            match tag(article.comment()) {
                Some(_) => (),
                None => prop_assert_eq!(Attributes::of_key(&key).unwrap().sku(), key),
            }
        }

        #[test]
        fn attributes_survive_their_own_text(article in any_article()) {
            prop_assert_eq!(Attributes::parse(&article.text()).unwrap(), article);
        }
    }

    #[test]
    fn a_tag_is_no_part_of_the_comment() {
        assert_eq!(without_tag("box 3 [sku:A] left"), "box 3 left");
        assert_eq!(without_tag("[sku:A]"), "");
        assert_eq!(without_tag("no [sku:] tag"), "no [sku:] tag");
        assert_eq!(without_tag("no [sku:tag"), "no [sku:tag");
    }

    #[test]
    fn a_natural_key_needs_no_tag_and_any_other_sku_does() {
        let article = Attributes { product_id: 7, language: Some(1), ..Attributes::default() };
        let comment =
            |comment: &str, sku: &str| article.clone().marked(comment, &sku.into()).unwrap().comment;
        assert_eq!(comment("", "cm:7:1:-:-"), None);
        assert_eq!(comment("box", "cm:7:1:-:-:box").as_deref(), Some("box"));
        assert_eq!(comment("box", "cm:7:1:-:-").as_deref(), Some("box [sku:cm:7:1:-:-]"));
        assert_eq!(comment("box", "A-1").as_deref(), Some("box [sku:A-1]"));
        assert!(article.marked("", &"A]1".into()).unwrap_err().contains("A]1"));
    }

    #[test]
    fn what_only_looks_like_a_key_is_none() {
        for no_key in ["cm:7", "cm:7:1:NM:", "cm:x:1:NM:-", "cm:7:1:NM:sf", "cm:7:1:NM:-:", "mem:7:1:NM:-"] {
            assert_eq!(Attributes::of_key(&no_key.into()), None, "{no_key}");
        }
    }
}
