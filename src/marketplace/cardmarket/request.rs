//! The XML that writes carry (cardmarket.md 1.3 and 9.4): pure, from the items of a batch to bytes.
//!
//! A library writes it, so that everything is escaped. What XML 1.0 has no way to carry, escaped or not, is refused
//! before it is sent, item by item: one such character would have the whole request refused.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::article::Attributes;
use crate::domain::{Currency, ListingId, Money, Offer, clean};
use crate::http::Body;
use crate::marketplace::{Item, Step};

/// An item as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// The article; none where it is to be made.
    pub id: Option<ListingId>,
    /// The number that is sent: copies to add, to edit, to take out, or the difference.
    pub copies: i64,
    /// Copies that could be bought before, as far as it is known.
    pub listed: i64,
    /// What is to stand there, for the steps that say it.
    pub content: Option<(Attributes, Money)>,
}

/// Makes a request's element of an item. The error says why it cannot be sent.
pub(super) fn sent(step: Step, item: &Item, currency: Currency) -> Result<Sent, String> {
    let listed = |offer: &Option<Offer>| offer.as_ref().map_or(0, Offer::listed);
    let (before, after) = (listed(&item.before), listed(&item.after));
    let copies = match step {
        Step::Add => after,
        // Fewer than there are would split the article, and the rest would stay as it was.
        Step::Edit | Step::Remove => before,
        Step::Lower => before - after,
        Step::Raise => after - before,
    };
    if copies < 1 {
        return Err(match step {
            Step::Edit | Step::Remove => {
                "all its copies lie in buyers' carts; it can be changed when they come back"
            }
            _ => "there is no copy to add or to take off",
        }
        .to_owned());
    }
    if step != Step::Add && item.listing_id.is_none() {
        return Err("it has no number at Cardmarket by which it could be changed".to_owned());
    }
    let content = match (step, &item.after) {
        (Step::Add | Step::Edit, Some(offer)) => Some(content(offer, currency)?),
        (Step::Add | Step::Edit, None) => return Err("nothing says what is to stand there".to_owned()),
        _ => None,
    };
    Ok(Sent { id: item.listing_id, copies, listed: before, content })
}

fn content(offer: &Offer, currency: Currency) -> Result<(Attributes, Money), String> {
    let article = Attributes::parse(&offer.attributes)?;
    if article.playset == Some(true) {
        // Its price is that of a set, and the API has no playsets any more (cardmarket.md 11.1, Q33).
        return Err("it is a playset, which can only be changed on Cardmarket's own pages".to_owned());
    }
    if offer.price.currency != currency {
        return Err(format!(
            "its price is in {}, and the account's currency is {currency}",
            offer.price.currency
        ));
    }
    let texts = [article.comment(), article.condition.as_deref().unwrap_or_default()];
    match texts.iter().find_map(|text| impossible_character(text)) {
        Some(c) => Err(format!("its comment has the character U+{:04X}, which cannot be sent", u32::from(c))),
        None => Ok((article, offer.price)),
    }
}

/// The first character that would not arrive: XML 1.0 cannot carry it, or it would be lost when it is read back.
pub(super) fn impossible_character(text: &str) -> Option<char> {
    text.chars().find(|c| {
        c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') || clean(c.encode_utf8(&mut [0; 4])).is_empty()
    })
}

/// The body of a request for these items.
pub(super) fn body(step: Step, items: &[Sent]) -> io::Result<Body> {
    let mut xml = Writer::new(Vec::with_capacity(400 * items.len() + 100));
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("request").write_inner_content(|xml| {
        for item in items {
            xml.create_element("article").write_inner_content(|xml| {
                elements(step, item).iter().try_for_each(|(name, text)| {
                    xml.create_element(*name).write_text_content(BytesText::new(text)).map(drop)
                })
            })?;
        }
        Ok(())
    })?;
    Ok(Body { content_type: "application/xml; charset=utf-8", bytes: xml.into_inner().into() })
}

/// What is said of an article. An edit says everything: what it leaves out is wiped (cardmarket.md 9.4).
fn elements(step: Step, item: &Sent) -> Vec<(&'static str, String)> {
    let mut elements = Vec::with_capacity(12);
    match (&item.content, item.id) {
        (Some((article, _)), None) => elements.push(("idProduct", article.product_id.to_string())),
        (_, Some(id)) => elements.push(("idArticle", id.to_string())),
        (None, None) => {}
    }
    if let Some((article, price)) = &item.content {
        elements.extend(article.language.map(|language| ("idLanguage", language.to_string())));
        elements.push(("comments", article.comment().to_owned()));
        elements.push(("count", item.copies.to_string()));
        elements.push(("price", price.decimal()));
        elements.extend(article.condition.clone().map(|condition| ("condition", condition)));
        elements.extend(flags(article).into_iter().map(|(name, set)| (name, set.to_string())));
    } else {
        // The documentation's table says `count` for both; its examples say `amount` (cardmarket.md 9.4).
        let name = if matches!(step, Step::Lower | Step::Raise) { "amount" } else { "count" };
        elements.push((name, item.copies.to_string()));
    }
    elements
}

/// Pokémon, the game that has reverse holo in place of foil (cardmarket.md 10.8).
const REVERSE_HOLO_GAME: i64 = 6;

/// The flags, in lower case: anything but `false` is taken for true (cardmarket.md 10.1).
fn flags(article: &Attributes) -> Vec<(&'static str, bool)> {
    let set = |flag: Option<bool>| flag == Some(true);
    let foil = set(article.foil);
    let mut flags = Vec::with_capacity(5);
    match article.game {
        Some(REVERSE_HOLO_GAME) => flags.push(("isReverseHolo", foil)),
        Some(_) => flags.push(("isFoil", foil)),
        // Of a new article the game is not known. It has one of the two, and the answer shows whether it took it.
        None => {
            flags.push(("isFoil", foil));
            flags.extend(foil.then_some(("isReverseHolo", true)));
        }
    }
    flags.push(("isSigned", set(article.signed)));
    flags.push(("isAltered", set(article.altered)));
    flags.push(("isFirstEd", set(article.first_edition)));
    flags
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;

    use super::*;
    use crate::domain::{IntentId, Sku};

    pub const EUR: Currency = Currency::EUR;

    pub fn offer(listed: i64, minor: i64, article: &Attributes) -> Offer {
        Offer {
            quantity: listed,
            in_carts: 0,
            price: Money { minor, currency: EUR },
            attributes: article.text(),
        }
    }

    pub fn article(comment: &str) -> Attributes {
        Attributes {
            condition: Some("NM".to_owned()),
            language: Some(1),
            product_id: 100_569,
            ..Attributes::default()
        }
        .commented(comment)
    }

    pub fn item(id: Option<i64>, before: Option<Offer>, after: Option<Offer>) -> Item {
        Item {
            intents: vec![IntentId(1)],
            sku: Sku("A-1".to_owned()),
            listing_id: id.map(ListingId),
            before,
            after,
            reference: "1".to_owned(),
        }
    }

    fn xml(step: Step, item: &Item) -> String {
        let body = body(step, &[sent(step, item, EUR).unwrap()]).unwrap();
        String::from_utf8(body.bytes.to_vec()).unwrap()
    }

    #[test]
    fn an_addition_names_the_product_and_everything_about_it() {
        let item = item(None, None, Some(offer(4, 250, &article("shelf A12 & boxed"))));
        assert_eq!(
            xml(Step::Add, &item),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><request><article><idProduct>100569</idProduct>\
             <idLanguage>1</idLanguage><comments>shelf A12 &amp; boxed</comments><count>4</count><price>2.50</price>\
             <condition>NM</condition><isFoil>false</isFoil><isSigned>false</isSigned><isAltered>false</isAltered>\
             <isFirstEd>false</isFirstEd></article></request>"
        );
    }

    #[test]
    fn an_edit_replaces_everything_for_the_copies_that_are_listed() {
        let holo = Attributes { foil: Some(true), game: Some(6), ..article("") };
        let mut before = offer(5, 250, &holo);
        before.in_carts = 2;
        let mut after = before.clone();
        after.price.minor = 310;
        assert_eq!(
            xml(Step::Edit, &item(Some(5_123_456_789), Some(before), Some(after))),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><request><article><idArticle>5123456789</idArticle>\
             <idLanguage>1</idLanguage><comments></comments><count>3</count><price>3.10</price>\
             <condition>NM</condition><isReverseHolo>true</isReverseHolo><isSigned>false</isSigned>\
             <isAltered>false</isAltered><isFirstEd>false</isFirstEd></article></request>"
        );
    }

    #[test]
    fn quantities_are_sent_as_differences() {
        let offers =
            |before, after| (Some(offer(before, 250, &article(""))), Some(offer(after, 250, &article(""))));
        let inner = |step, before, after| {
            let (before, after) = offers(before, after);
            let xml = xml(step, &item(Some(7), before, after));
            xml.split_once("</idArticle>").unwrap().1.split_once("</article>").unwrap().0.to_owned()
        };
        assert_eq!(inner(Step::Lower, 5, 2), "<amount>3</amount>");
        assert_eq!(inner(Step::Raise, 5, 6), "<amount>1</amount>");
        let remove = xml(Step::Remove, &item(Some(7), offers(5, 0).0, None));
        assert!(remove.contains("<idArticle>7</idArticle><count>5</count>"), "{remove}");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_words() {
        let refused = |step, item: Item| sent(step, &item, EUR).unwrap_err();
        let whole = || Some(offer(2, 250, &article("")));
        let with = |article: Attributes| Some(offer(2, 250, &article));
        assert!(refused(Step::Edit, item(None, whole(), whole())).contains("no number"));
        assert!(refused(Step::Lower, item(Some(1), whole(), whole())).contains("no copy"));
        let in_carts = Offer { in_carts: 2, ..offer(2, 250, &article("")) };
        assert!(refused(Step::Remove, item(Some(1), Some(in_carts), None)).contains("carts"));
        assert!(refused(Step::Add, item(None, None, with(article("\u{1}")))).contains("U+0001"));
        assert!(refused(Step::Add, item(None, None, with(article("\u{ffff}")))).contains("U+FFFF"));
        let playset = Attributes { playset: Some(true), ..article("") };
        assert!(refused(Step::Edit, item(Some(1), with(playset.clone()), with(playset))).contains("playset"));
        let mut pounds = offer(2, 250, &article(""));
        pounds.price.currency = "GBP".parse().unwrap();
        assert!(refused(Step::Add, item(None, None, Some(pounds))).contains("GBP"));
    }

    proptest! {
        #[test]
        fn every_comment_that_is_sent_arrives(comment in "\\PC{0,20}|[<>&\"' a-z😀\\x00-\\x1f]{0,12}") {
            let item = item(None, None, Some(offer(1, 2, &article(&comment))));
            let Ok(sent) = sent(Step::Add, &item, EUR) else {
                prop_assert!(impossible_character(&comment).is_some());
                return Ok(());
            };
            let body = body(Step::Add, &[sent]).unwrap();
            let text = std::str::from_utf8(&body.bytes).unwrap();
            prop_assert_eq!(comments(text), comment);
        }
    }

    /// The text of the element `comments`, read by a parser.
    fn comments(xml: &str) -> String {
        let mut reader = Reader::from_str(xml);
        let (mut inside, mut text) = (false, String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => inside = start.name().as_ref() == "comments",
                Event::End(_) => inside = false,
                Event::Text(part) if inside => text.push_str(&part.xml10_content()),
                Event::GeneralRef(part) if inside => {
                    let name = part.xml10_content();
                    text.push_str(quick_xml::escape::resolve_predefined_entity(&name).unwrap());
                }
                Event::Eof => return text,
                _ => {}
            }
        }
    }
}
