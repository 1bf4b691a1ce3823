//! A JSON writer that can write as loosely as the marketplace does.
//!
//! Not `serde`: numbers as strings, one object for a list and missing fields would have to be spelt out for
//! every struct, here they are three lines; and a page of a hundred articles is written without a copy.

use std::io::Write;

use super::super::options::Typing;

/// JSON under construction.
#[derive(Debug)]
pub struct Json {
    out: Vec<u8>,
    typing: Typing,
}

impl Json {
    /// An object with what `fill` writes into it.
    pub fn object(typing: Typing, fill: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self { out: Vec::with_capacity(1024), typing };
        json.braces(fill);
        json.out
    }

    /// Whether fields that a client can do without are left out.
    pub fn is_sparse(&self) -> bool {
        self.typing.missing_optional
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, number: impl Into<i64>) {
        self.key(key);
        self.bare(format_args!("{}", number.into()));
    }

    /// An amount of cents as a decimal, without needless zeros, as PHP writes floats.
    pub fn cents(&mut self, key: &str, cents: impl Into<u64>) {
        let cents = cents.into();
        self.key(key);
        match (cents / 100, cents % 100) {
            (whole, 0) => self.bare(format_args!("{whole}")),
            (whole, part) if part % 10 == 0 => self.bare(format_args!("{whole}.{}", part / 10)),
            (whole, part) => self.bare(format_args!("{whole}.{part:02}")),
        }
    }

    /// A text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.quoted(text);
    }

    /// True or false.
    pub fn flag(&mut self, key: &str, flag: bool) {
        self.raw(key, if flag { "true" } else { "false" });
    }

    /// Something already written as JSON.
    pub fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
    }

    /// An object in this one.
    pub fn nested(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        self.key(key);
        self.braces(fill);
    }

    /// A list of objects; of one, it may be that one itself.
    pub fn list<T>(&mut self, key: &str, items: &[T], mut fill: impl FnMut(&mut Self, usize, &T)) {
        self.key(key);
        if let ([only], true) = (items, self.typing.one_as_object) {
            return self.braces(|json| fill(json, 0, only));
        }
        self.out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            self.comma();
            self.braces(|json| fill(json, at, item));
        }
        self.out.push(b']');
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.quoted(key);
        self.out.push(b':');
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    fn braces(&mut self, fill: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        fill(self);
        self.out.push(b'}');
    }

    fn bare(&mut self, number: std::fmt::Arguments<'_>) {
        let quote: &[u8] = if self.typing.numbers_as_strings { b"\"" } else { b"" };
        self.out.extend_from_slice(quote);
        // Writing to memory does not fail.
        let _ = self.out.write_fmt(number);
        self.out.extend_from_slice(quote);
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                0..0x20 => {
                    let _ = write!(self.out, "\\u{byte:04x}");
                }
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(typing: Typing, fill: impl FnOnce(&mut Json)) -> Value {
        serde_json::from_slice(&Json::object(typing, fill)).expect("JSON")
    }

    #[test]
    fn the_marketplaces_loose_forms_can_be_switched_on() {
        let fill = |json: &mut Json| {
            json.number("count", 4);
            json.cents("price", 250_u32);
            json.list("article", &[7], |json, _, id| json.number("id", *id));
        };
        assert_eq!(
            parsed(Typing::default(), fill),
            json!({ "count": 4, "price": 2.5, "article": [{ "id": 7 }] })
        );
        let loose = Typing { numbers_as_strings: true, one_as_object: true, missing_optional: false };
        assert_eq!(parsed(loose, fill), json!({ "count": "4", "price": "2.5", "article": { "id": "7" } }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_and_amount_come_back(text in any::<String>(), cents in 0_u64..10_000_000) {
            let value = parsed(Typing::default(), |json| {
                json.text("text", &text);
                json.cents("cents", cents);
            });
            prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
            let read = value["cents"].as_f64().map(|amount| (amount * 100.0).round() as u64);
            prop_assert_eq!(read, Some(cents));
        }
    }
}
