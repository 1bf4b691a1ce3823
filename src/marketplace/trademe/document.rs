//! A JSON object whose members keep their order and, to the letter, their text.
//!
//! Trade Me's edit replaces the whole listing (trademe.md 11.4), so what we do not understand has to go back exactly as
//! it came: amounts that never become a float, dates with their slashes escaped, and members that nobody knows yet.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::Money;
use crate::http::Body;
use crate::marketplace::json::Raw;

/// The members of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Document(Vec<(String, Box<RawValue>)>);

impl Document {
    /// Reads an object. The error says what is wrong and nothing of what is in it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|_| "it is not an object of the documented shape".to_owned())
    }

    /// A member; `None` where it is missing.
    pub fn get(&self, name: &str) -> Raw<'_> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// A member that is there and is neither `null` nor empty.
    pub fn filled(&self, name: &str) -> Raw<'_> {
        self.get(name).filter(|value| !matches!(value.get(), "null" | "\"\"" | "[]" | "{}" | "false" | "0"))
    }

    /// Sets a member where it stands, or at the end.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes members out.
    pub fn remove(&mut self, names: &[&str]) {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
    }

    /// What is sent.
    pub fn to_body(&self) -> Body {
        // Raw values are JSON already, so that there is nothing that could fail.
        Body { content_type: "application/json", bytes: serde_json::to_vec(self).unwrap_or_default().into() }
    }
}

/// A number as JSON.
pub(super) fn number(number: i64) -> Box<RawValue> {
    literal(number.to_string())
}

/// A flag as JSON.
pub(super) fn flag(flag: bool) -> Box<RawValue> {
    literal(flag.to_string())
}

/// An amount as JSON: its two decimals, never by way of a float.
pub(super) fn amount(money: Money) -> Box<RawValue> {
    literal(money.decimal())
}

/// A text as JSON.
pub(super) fn text(text: &str) -> Box<RawValue> {
    literal(serde_json::Value::from(text).to_string())
}

fn literal(json: String) -> Box<RawValue> {
    // What is put together above is JSON; `null` would be refused by Trade Me, and changes nothing.
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut document = Document::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    document.set(&name, value);
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Currency;

    const LISTING: &str = r#"{"ListingId":5123456789,"BuyNowPrice":21.10,"EndDateTime":"\/Date(1767830400000)\/","ShippingOptions":[{"Type":4,"Price":6.00,"New":0.30000000000000004}],"Title":"Caf\u00e9"}"#;

    fn sent(document: &Document) -> String {
        String::from_utf8(document.to_body().bytes.to_vec()).unwrap()
    }

    #[test]
    fn what_is_not_changed_goes_back_to_the_letter() {
        let mut document = Document::read(LISTING.as_bytes()).unwrap();
        assert_eq!(sent(&document), LISTING);
        document.set("BuyNowPrice", amount(Money { minor: 1_905, currency: Currency::NZD }));
        assert_eq!(sent(&document), LISTING.replace("21.10", "19.05"));
    }

    #[test]
    fn members_are_added_at_the_end_and_taken_out() {
        let mut document = Document::read(br#"{"A":1,"B":null}"#).unwrap();
        assert!(document.get("B").is_some() && document.filled("B").is_none());
        document.remove(&["A"]);
        document.set("Reason", text("say \"no\"\r\n"));
        document.set("Type", number(2));
        document.set("ReturnListingDetails", flag(true));
        assert_eq!(
            sent(&document),
            r#"{"B":null,"Reason":"say \"no\"\r\n","Type":2,"ReturnListingDetails":true}"#
        );
    }

    #[test]
    fn what_is_no_object_is_refused_without_its_contents() {
        for wrong in ["", "[]", "7", "<html>Sam Sample", r#"{"A":"#] {
            assert!(!Document::read(wrong.as_bytes()).unwrap_err().contains("Sam"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_object_survives_and_every_text_is_json(members in proptest::collection::btree_map("[A-Za-z]{1,8}", "\\PC{0,12}", 0..6)) {
            let json = serde_json::to_string(&members).unwrap();
            let mut document = Document::read(json.as_bytes()).unwrap();
            prop_assert_eq!(sent(&document), json);
            for (name, value) in &members {
                document.set(name, text(value));
                prop_assert_eq!(document.get(name).unwrap().get(), serde_json::to_string(value).unwrap());
            }
        }
    }
}
