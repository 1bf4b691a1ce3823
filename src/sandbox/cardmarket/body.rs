//! The XML of a request, read with a parser: what a client escapes wrongly must come out wrong here.

use std::str;

/// So many articles fit in one request.
const MOST: usize = 100;

/// One `article` of a request: its elements as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Names and texts, in the order in which they came.
    pub fields: Vec<(String, String)>,
}

impl Item {
    /// The text of an element; of the last, if there are several.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// A whole number without a sign.
    pub fn number<T: str::FromStr>(&self, name: &str) -> Option<T> {
        let text = self.get(name)?.trim();
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    }

    /// A flag: only the exact text `false` is false, and what is not there.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|text| text != "false")
    }

    /// The price in cents. A point and no more than two places; nothing is rounded and nothing guessed.
    pub fn cents(&self) -> Option<u32> {
        let text = self.get("price")?.trim();
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !are_digits(whole, 7) || !are_digits(part, 2) {
            return None;
        }
        let cents: u32 = part.parse().ok()?;
        Some(whole.parse::<u32>().ok()? * 100 + if part.len() == 1 { cents * 10 } else { cents })
    }
}

/// The articles of a request, from 1 to 100. The error is what a 400 says.
pub fn items(body: &[u8]) -> Result<Vec<Item>, &'static str> {
    let text = str::from_utf8(body).map_err(|_| "The request body is not UTF-8.")?;
    // A document type is refused by the parser, unless it is asked to allow one.
    let document =
        roxmltree::Document::parse(text).map_err(|_| "The request body is not well-formed XML.")?;
    let root = document.root_element();
    if root.tag_name().name() != "request" {
        return Err("The request body has no request element.");
    }
    let items: Vec<Item> = root.children().filter(|node| node.has_tag_name("article")).map(item).collect();
    match items.len() {
        0 => Err("The request body has no article."),
        1..=MOST => Ok(items),
        _ => Err("The request body has more than 100 articles."),
    }
}

fn item(article: roxmltree::Node<'_, '_>) -> Item {
    let text = |node: roxmltree::Node<'_, '_>| -> String {
        node.children().filter_map(|child| child.text()).collect()
    };
    let fields = article
        .children()
        .filter(roxmltree::Node::is_element)
        .map(|node| (node.tag_name().name().to_owned(), text(node)))
        .collect();
    Item { fields }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(inside: &str) -> Item {
        let body = format!("<?xml version=\"1.0\"?><request><article>{inside}</article></request>");
        items(body.as_bytes()).expect("well-formed").remove(0)
    }

    #[test]
    fn only_false_is_false_and_what_is_not_there() {
        for (text, flag) in [("false", false), ("False", true), ("0", true), ("", true), (" false", true)] {
            assert_eq!(one(&format!("<isFoil>{text}</isFoil>")).flag("isFoil"), flag, "{text:?}");
        }
        assert!(!one("").flag("isFoil"));
    }

    #[test]
    fn prices_have_a_point_and_at_most_two_places() {
        for (text, cents) in
            [("2.50", 250), ("2.5", 250), (" 3 ", 300), ("0.02", 2), ("9999999.99", 999_999_999)]
        {
            assert_eq!(one(&format!("<price>{text}</price>")).cents(), Some(cents), "{text}");
        }
        for text in ["", "2,50", "2.505", "-1", "+1", "1.", ".5", "1e3", "12345678", "NaN"] {
            assert_eq!(one(&format!("<price>{text}</price>")).cents(), None, "{text}");
        }
    }

    #[test]
    fn escapes_and_sections_are_undone_and_a_document_type_is_refused() {
        let item = one("<comments>a &amp; b &lt;3 <![CDATA[<c>]]> &#x1F525;</comments>");
        assert_eq!(item.get("comments"), Some("a & b <3 <c> 🔥"));
        let bomb = "<!DOCTYPE r [<!ENTITY a \"b\">]><request><article><count>&a;</count></article></request>";
        assert!(items(bomb.as_bytes()).is_err());
        assert!(items(b"<request><article><comments>a & b</comments></article></request>").is_err());
        assert!(items(b"<request><article><comments>\xff</comments></article></request>").is_err());
        assert!(items(b"<demand><article/></demand>").is_err() && items(b"").is_err());
    }

    #[test]
    fn a_body_as_deep_as_it_can_be_is_no_danger() {
        let deep = "<a>".repeat(300_000);
        assert!(items(deep.as_bytes()).is_err());
        let closed = format!("<request><article>{deep}{}</article></request>", "</a>".repeat(300_000));
        assert!(items(closed.as_bytes()).is_ok());
    }

    #[test]
    fn a_request_has_from_one_to_a_hundred_articles() {
        for (many, fits) in [(0, false), (1, true), (100, true), (101, false)] {
            let body = format!("<request>{}</request>", "<article/>".repeat(many));
            assert_eq!(items(body.as_bytes()).ok().map(|items| items.len()), fits.then_some(many));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_body_is_read_or_refused(body in "\\PC{0,60}", inside in "\\PC{0,30}") {
            let _ = items(body.as_bytes());
            let _ = items(format!("<request><article><a>{inside}</a></article></request>").as_bytes());
        }
    }
}
