//! How what a source says becomes an article: the words of its columns, the comment and the mark of its SKU.
//!
//! What the source leaves out is taken from the SKU where that is a natural key, and is an error otherwise: the
//! marketplace documents a default for the condition of what is added (near mint) and for nothing else
//! (cardmarket.md 10.1), and a language that was guessed is a wrong card in somebody's letter box.

use std::collections::BTreeMap;

use super::article::{Attributes, as_read, joined, tag, without_tag};
use super::request::impossible_character;
use crate::domain::{Desired, Drafting, Offer, Sku, nearest};
use crate::marketplace::ListWords;

/// Drafts articles.
pub(super) struct Articles;

/// The longest comment that is drafted, its tag included. Nobody says how long one may be (cardmarket.md 15.11), and
/// a tag that was cut off would make the next plan add the article again.
const LONGEST_COMMENT: usize = 255;

/// Best to worst (cardmarket.md 10.1).
const CONDITIONS: [(&str, &str); 7] = [
    ("MT", "mint"),
    ("NM", "near mint"),
    ("EX", "excellent"),
    ("GD", "good"),
    ("LP", "light played"),
    ("PL", "played"),
    ("PO", "poor"),
];

/// By their ids (cardmarket.md 10.1), with the spellings of the API's own answers.
const LANGUAGES: [(i64, &str); 17] = [
    (1, "english"),
    (2, "french"),
    (3, "german"),
    (4, "spanish"),
    (5, "italian"),
    (6, "simplified chinese"),
    (7, "japanese"),
    (8, "portuguese"),
    (9, "russian"),
    (10, "korean"),
    (11, "traditional chinese"),
    (12, "dutch"),
    (13, "polish"),
    (14, "czech"),
    (15, "hungarian"),
    (6, "s-chinese"),
    (11, "t-chinese"),
];

impl Drafting for Articles {
    fn draft(&self, desired: &Desired) -> Result<Offer, String> {
        let price = desired.price.ok_or("the source has no price for it, and a new article needs one")?;
        let key = Attributes::of_key(&desired.sku);
        let said = Said::read(desired)?;
        let article = said.over(key.as_ref())?;
        let comment = match (&desired_comment(desired)?, &key) {
            (Some(comment), _) => bare(comment, &desired.sku),
            (None, key) => key.as_ref().map(|key| key.comment().to_owned()).unwrap_or_default(),
        };
        let article = short_enough(article.marked(&comment, &desired.sku)?)?;
        Ok(Offer { quantity: desired.quantity, in_carts: 0, price, attributes: article.text() })
    }

    fn redraft(&self, now: &Offer, desired: &Desired) -> Result<Option<String>, String> {
        let Some(wanted) = desired_comment(desired)? else { return Ok(None) };
        let article = Attributes::parse(&now.attributes)?;
        let sku = article.sku();
        let wanted = bare(&wanted, &sku);
        if wanted == without_tag(article.comment()) {
            return Ok(None);
        }
        let edited = match tag(article.comment()) {
            // An edit keeps the tag, also where the article could do without it.
            Some(tag) => article.commented(&joined(&wanted, &format!("[sku:{tag}]"))),
            None => article.marked(&wanted, &sku)?,
        };
        if edited.sku() != sku {
            return Err(format!("the comment `{wanted}` would give the article another SKU than `{sku}`"));
        }
        short_enough(edited).map(|edited| Some(edited.text()))
    }

    fn comment(&self, attributes: &str) -> String {
        Attributes::parse(attributes).map(|article| without_tag(article.comment())).unwrap_or_default()
    }
}

/// The columns of a list of articles.
pub(super) const COLUMNS: &[&str] =
    &["comment", "product_id", "language", "condition", "foil", "signed", "altered", "first_edition"];

/// What a list says of an article, so that the same would be read from it again.
pub(super) fn words(_: &str, attributes: &str) -> ListWords {
    let mut cells = BTreeMap::new();
    if let Ok(article) = Attributes::parse(attributes) {
        let language = article.language.map(|id| {
            let known = LANGUAGES.iter().find(|(known, _)| *known == id);
            known.map_or_else(|| id.to_string(), |(_, name)| (*name).to_owned())
        });
        let flag = |set: Option<bool>| set.filter(|set| *set).map(|_| "x".to_owned());
        let said = [
            Some(as_read(&without_tag(article.comment()))),
            Some(article.product_id.to_string()),
            language,
            article.condition.clone(),
            flag(article.foil),
            flag(article.signed),
            flag(article.altered),
            flag(article.first_edition),
        ];
        let filled = |(column, cell): (&&'static str, Option<String>)| Some((*column, cell?));
        cells.extend(COLUMNS.iter().zip(said).filter_map(filled).filter(|(_, cell)| !cell.is_empty()));
    }
    ListWords { cells, fixed_price: true }
}

/// The comment that the source wants, as it would be read back.
fn desired_comment(desired: &Desired) -> Result<Option<String>, String> {
    let Some(comment) = desired.more.as_ref().and_then(|more| more.comment.as_deref()) else {
        return Ok(None);
    };
    // A line end or a tab is a blank to whoever reads a comment; anything else that gets lost on the way is a mistake.
    let line: String =
        comment.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
    if let Some(c) = impossible_character(&line) {
        return Err(format!(
            "the comment has the character U+{:04X}, which cannot be sent to Cardmarket; take it out of the source",
            u32::from(c)
        ));
    }
    Ok(Some(as_read(&line)))
}

/// The comment without a tag of this SKU, which belongs to the mark.
fn bare(comment: &str, sku: &Sku) -> String {
    if tag(comment) == Some(sku.as_str()) { without_tag(comment) } else { comment.to_owned() }
}

fn short_enough(article: Attributes) -> Result<Attributes, String> {
    match article.comment().chars().count() {
        ..=LONGEST_COMMENT => Ok(article),
        length => Err(format!(
            "the comment is {length} characters long with the mark of its SKU; more than {LONGEST_COMMENT} may be cut \
             off, so shorten it in the source"
        )),
    }
}

/// What the columns of a source say of an article.
struct Said {
    product_id: Option<i64>,
    language: Option<i64>,
    condition: Option<String>,
    /// Foil, signed, altered, first edition.
    flags: [Option<bool>; 4],
}

impl Said {
    fn read(desired: &Desired) -> Result<Self, String> {
        let column = |name: &str| {
            let cell = desired.more.as_ref().and_then(|more| more.details.get(name));
            cell.map(|cell| cell.trim())
        };
        let filled = |name: &str| column(name).filter(|cell| !cell.is_empty());
        let flag = |name: &str| column(name).map(|cell| yes_or_no(cell, name)).transpose();
        Ok(Self {
            product_id: filled("product_id").map(product_id).transpose()?,
            language: filled("language").map(language).transpose()?,
            condition: filled("condition").map(condition).transpose()?,
            flags: [flag("foil")?, flag("signed")?, flag("altered")?, flag("first_edition")?],
        })
    }

    /// The article, with what the source does not say from the key. A key and a source that contradict each other are
    /// two articles under one SKU.
    fn over(self, key: Option<&Attributes>) -> Result<Attributes, String> {
        let [foil, signed, altered, first_edition] = self.flags;
        let article = Attributes {
            altered: altered.or(key.and_then(|key| key.altered)),
            condition: self.condition.or(key.and_then(|key| key.condition.clone())),
            first_edition: first_edition.or(key.and_then(|key| key.first_edition)),
            foil: foil.or(key.and_then(|key| key.foil)),
            language: Some(
                self.language.or(key.and_then(|key| key.language)).ok_or_else(|| missing("language"))?,
            ),
            product_id: self
                .product_id
                .or(key.map(|key| key.product_id))
                .ok_or_else(|| missing("product_id"))?,
            signed: signed.or(key.and_then(|key| key.signed)),
            ..Attributes::default()
        };
        match key.map(|key| key.commented("").sku()) {
            Some(key) if article.sku() != key => Err(format!(
                "its SKU is the key of the article `{key}`, but its columns say `{}`; make them the same, or give it a \
                 SKU that is no key",
                article.sku()
            )),
            _ => Ok(article),
        }
    }
}

fn missing(name: &str) -> String {
    format!(
        "the source has no `{name}` for it, and a new article needs one; fill that column, or map it in \
         `[source.columns]`"
    )
}

fn product_id(cell: &str) -> Result<i64, String> {
    let id = cell.parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| format!("`product_id` is `{}`, which is no number of a product", shown(cell)))
}

fn language(cell: &str) -> Result<i64, String> {
    let word = cell.to_lowercase();
    let known = LANGUAGES.iter().find(|(id, name)| *name == word || word.parse() == Ok(*id));
    known.map(|(id, _)| *id).ok_or_else(|| {
        let hint = nearest(&word, LANGUAGES.iter().map(|(_, name)| *name));
        unknown("language", cell, hint, "write its English name or its number at Cardmarket, 1 to 15")
    })
}

/// A condition in upper case: lower case is refused with an error that says nothing (cardmarket.md 11.1, Q15).
fn condition(cell: &str) -> Result<String, String> {
    let word = cell.to_lowercase().replace(['_', '-'], " ");
    let known = CONDITIONS.iter().find(|(code, name)| code.eq_ignore_ascii_case(&word) || *name == word);
    known
        .map(|(code, _)| (*code).to_owned())
        .ok_or_else(|| unknown("condition", cell, None, "write one of MT, NM, EX, GD, LP, PL, PO"))
}

fn yes_or_no(cell: &str, name: &str) -> Result<bool, String> {
    match cell.to_lowercase().as_str() {
        "x" | "1" | "true" | "yes" => Ok(true),
        "" | "0" | "false" | "no" => Ok(false),
        _ => Err(unknown(name, cell, None, "write x, 1, true or yes, or else 0, false, no or nothing")),
    }
}

fn unknown(name: &str, cell: &str, meant: Option<&str>, edit: &str) -> String {
    let meant = meant.map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default();
    format!("`{name}` is `{}`, which is none that is known{meant}; {edit}", shown(cell))
}

/// A cell as it may stand in a message.
fn shown(cell: &str) -> String {
    as_read(cell).chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Currency, DesiredMore, Money};

    fn desired(sku: &str, comment: Option<&str>, details: &[(&str, &str)]) -> Desired {
        let details: BTreeMap<String, String> =
            details.iter().map(|(name, cell)| ((*name).to_owned(), (*cell).to_owned())).collect();
        let comment = comment.map(str::to_owned);
        Desired {
            sku: sku.into(),
            quantity: 3,
            price: Some(Money { minor: 250, currency: Currency::EUR }),
            more: Some(Box::new(DesiredMore { comment, details, ..DesiredMore::default() })),
            line: 2,
        }
    }

    const CARD: [(&str, &str); 3] = [("product_id", "100569"), ("language", "German"), ("condition", "nm")];

    fn drafted(sku: &str, comment: Option<&str>, details: &[(&str, &str)]) -> Result<Attributes, String> {
        Articles
            .draft(&desired(sku, comment, details))
            .map(|offer| Attributes::parse(&offer.attributes).unwrap())
    }

    fn redrafted(now: &Attributes, comment: &str) -> Result<Option<Attributes>, String> {
        let price = Money { minor: 250, currency: Currency::EUR };
        let now = Offer { quantity: 3, in_carts: 0, price, attributes: now.text() };
        let redrafted = Articles.redraft(&now, &desired("any", Some(comment), &[]))?;
        Ok(redrafted.map(|text| Attributes::parse(&text).unwrap()))
    }

    #[test]
    fn the_columns_of_a_source_make_an_article() {
        let offer = Articles.draft(&desired("A-1", Some("box 3"), &CARD)).unwrap();
        assert_eq!((offer.quantity, offer.price.minor), (3, 250));
        assert_eq!(
            offer.attributes,
            r#"{"comment":"box 3 [sku:A-1]","condition":"NM","language":3,"product_id":100569}"#
        );
        let flags = [("foil", "X"), ("signed", ""), ("altered", "no"), ("first_edition", "Yes")];
        let article = drafted("A-1", None, &[&CARD[..], &flags].concat()).unwrap();
        assert_eq!(
            (article.foil, article.signed, article.altered, article.first_edition),
            (Some(true), Some(false), Some(false), Some(true))
        );
    }

    #[test]
    fn a_natural_key_says_what_the_source_does_not() {
        let article = drafted("cm:100569:3:NM:f:shelf", None, &[]).unwrap();
        assert_eq!(article.comment.as_deref(), Some("shelf"));
        assert_eq!((article.product_id, article.language, article.foil), (100_569, Some(3), Some(true)));
        let contradiction = drafted("cm:100569:1:NM:-", None, &CARD).unwrap_err();
        assert!(contradiction.contains("cm:100569:3:NM:-"), "{contradiction}");
    }

    #[test]
    fn what_is_missing_or_unknown_is_said_with_the_edit() {
        let wrong = |details: &[(&str, &str)]| drafted("A-1", None, details).unwrap_err();
        assert!(wrong(&[]).contains("`language`"));
        assert!(wrong(&[("language", "1")]).contains("`product_id`"));
        assert!(wrong(&[("product_id", "100569.0"), ("language", "1")]).contains("100569.0"));
        assert!(wrong(&[("product_id", "1"), ("language", "Germann")]).contains("`german`"));
        assert!(wrong(&[("language", "16")]).contains("1 to 15"));
        assert!(wrong(&[("condition", "used")]).contains("MT, NM"));
        assert!(wrong(&[("foil", "maybe")]).contains("`foil`"));
        let mut no_price = desired("A-1", None, &CARD);
        no_price.price = None;
        assert!(Articles.draft(&no_price).unwrap_err().contains("price"));
    }

    #[test]
    fn words_are_read_in_any_case() {
        let with = |name, cell| drafted("A-1", None, &[&CARD[..], &[(name, cell)]].concat()).unwrap();
        assert_eq!(with("condition", "Near Mint").condition.as_deref(), Some("NM"));
        assert_eq!(with("condition", " po ").condition.as_deref(), Some("PO"));
        assert_eq!(with("condition", "").condition, None);
        assert_eq!(with("language", "T-Chinese").language, Some(11));
        assert_eq!(with("language", " 7").language, Some(7));
    }

    #[test]
    fn a_comment_that_would_not_arrive_is_refused() {
        let refused = |comment: &str| drafted("A-1", Some(comment), &CARD).unwrap_err();
        assert!(refused("bell \u{7}").contains("U+0007"));
        assert!(refused("turned \u{202e}").contains("U+202E"));
        assert!(refused("no character \u{ffff}").contains("U+FFFF"));
        assert!(refused(&"x".repeat(250)).contains("260 characters"));
        assert!(refused("[sku:B-2]").contains("something else would be read back"));
        assert_eq!(
            drafted("A-1", Some("two\nlines "), &CARD).unwrap().comment.as_deref(),
            Some("two lines [sku:A-1]")
        );
    }

    #[test]
    fn an_edit_changes_the_comment_and_keeps_the_tag() {
        let article = drafted("A-1", Some("box 3"), &CARD).unwrap();
        assert_eq!(redrafted(&article, "box 3"), Ok(None));
        assert_eq!(redrafted(&article, " [sku:A-1] box 3\n"), Ok(None));
        let comment = |now, comment| redrafted(now, comment).unwrap().unwrap().comment;
        assert_eq!(comment(&article, "box <4>").as_deref(), Some("box <4> [sku:A-1]"));
        assert_eq!(comment(&article, "").as_deref(), Some("[sku:A-1]"));
        assert!(redrafted(&article, "[sku:B-2]").is_err());
        let silent = desired("A-1", None, &[]);
        let now =
            Offer { quantity: 1, in_carts: 0, price: silent.price.unwrap(), attributes: article.text() };
        assert_eq!(Articles.redraft(&now, &silent), Ok(None));
        assert_eq!(Articles.comment(&now.attributes), "box 3");
    }

    #[test]
    fn a_new_comment_does_not_make_another_article_of_one_with_a_natural_key() {
        let article = drafted("cm:100569:3:NM:-:shelf", None, &CARD).unwrap();
        let edited = redrafted(&article, "box").unwrap().unwrap();
        assert_eq!(edited.comment.as_deref(), Some("box [sku:cm:100569:3:NM:-:shelf]"));
        assert_eq!(edited.sku(), article.sku());
    }

    proptest! {
        #[test]
        fn a_draft_has_the_sku_and_the_comment_that_were_desired(
            sku in prop_oneof!["[A-Z0-9/-]{1,12}", "\\PC{0,10}", "cm:[1-9]:[0-3]:(NM|-):(-|f|sa)(:[a-z]{1,3})?"],
            comment in proptest::option::of(prop_oneof!["[a-z <&#]{0,10}", "\\PC{0,10}"]),
        ) {
            if let Ok(article) = drafted(&sku, comment.as_deref(), &CARD) {
                prop_assert_eq!(&article.sku().0, &sku);
                if let Some(comment) = comment {
                    let wanted = bare(&as_read(&comment), &article.sku());
                    prop_assert_eq!(Articles.comment(&article.text()), without_tag(&wanted));
                    prop_assert_eq!(redrafted(&article, &comment), Ok(None), "nothing is left to do");
                }
            }
        }

        #[test]
        fn an_edit_keeps_the_sku_and_leaves_nothing_to_do(
            before in "[a-z ]{0,6}(\\[sku:[A-Z]{1,3}\\])?", after in "[a-z \\[\\]:]{0,8}"
        ) {
            let now = Attributes { product_id: 7, ..Attributes::default() }.commented(&as_read(&before));
            if let Ok(Some(edited)) = redrafted(&now, &after) {
                prop_assert_eq!(edited.sku(), now.sku());
                prop_assert_eq!(redrafted(&edited, &after), Ok(None));
            }
        }
    }
}
