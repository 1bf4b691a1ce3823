//! A JSON writer with the marketplace's habits: slashes escaped, dates as `\/Date(ms)\/`, and members left out
//! that have the value of their type anyway. Not always: some stay, and which ones follows from a number.

use std::io::Write;

use chrono::{DateTime, Utc};

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether members with false, 0, null or nothing are left out.
    pub omit: bool,
    /// Decides which of them stay all the same.
    pub salt: u64,
    /// A member in every object that no documentation knows.
    pub unknown_field: bool,
    /// Numbers of enumerations that no documentation knows.
    pub new_enum: bool,
    /// All members are masked.
    pub masked: bool,
}

/// JSON under construction.
#[derive(Debug)]
pub struct Json {
    out: Vec<u8>,
    style: Style,
    /// Place in the innermost list, so that not every row keeps the same members.
    row: u64,
}

impl Json {
    /// An object with what `fill` writes into it.
    pub fn object(style: Style, fill: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self { out: Vec::with_capacity(1024), style, row: 0 };
        json.braces(fill);
        json.out
    }

    /// How this answer is written.
    pub fn style(&self) -> Style {
        self.style
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, number: impl Into<i64>) {
        let number = number.into();
        if number != 0 || self.stays(key) {
            self.raw(key, &number.to_string());
        }
    }

    /// A number of an enumeration: one more than all known ones, if that is asked for.
    pub fn code(&mut self, key: &str, number: i64) {
        if self.style.new_enum { self.raw(key, "250") } else { self.number(key, number) }
    }

    /// An amount of cents as a decimal with at least one place.
    pub fn money(&mut self, key: &str, cents: impl Into<u64>) {
        let cents = cents.into();
        if cents == 0 && !self.stays(key) {
            return;
        }
        let (whole, part) = (cents / 100, cents % 100);
        if part % 10 == 0 {
            self.raw(key, &format!("{whole}.{}", part / 10));
        } else {
            self.raw(key, &format!("{whole}.{part:02}"));
        }
    }

    /// A text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.quoted(text);
    }

    /// A text that may be absent: null, or left out.
    pub fn text_or_null(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.null(key),
        }
    }

    /// Null.
    pub fn null(&mut self, key: &str) {
        if self.stays(key) {
            self.raw(key, "null");
        }
    }

    /// True or false.
    pub fn flag(&mut self, key: &str, flag: bool) {
        if flag || self.stays(key) {
            self.raw(key, if flag { "true" } else { "false" });
        }
    }

    /// A date; absent is null.
    pub fn date(&mut self, key: &str, at: Option<DateTime<Utc>>) {
        match at {
            Some(at) => self.raw(key, &format!("\"\\/Date({})\\/\"", at.timestamp_millis())),
            None => self.null(key),
        }
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

    /// A list of objects, left out when it is empty.
    pub fn list<T>(&mut self, key: &str, items: &[T], mut fill: impl FnMut(&mut Self, usize, &T)) {
        if items.is_empty() && !self.stays(key) {
            return;
        }
        self.key(key);
        self.out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            self.comma();
            let before = std::mem::replace(&mut self.row, at as u64 + 1);
            self.braces(|json| fill(json, at, item));
            self.row = before;
        }
        self.out.push(b']');
    }

    /// A list of things already written as JSON.
    pub fn raws(&mut self, key: &str, items: &[String]) {
        if !items.is_empty() || self.stays(key) {
            self.raw(key, &format!("[{}]", items.join(",")));
        }
    }

    /// Whether a member with the value of its type is written all the same: always when nothing is left out,
    /// otherwise about once in sixteen.
    fn stays(&self, key: &str) -> bool {
        if !self.style.omit {
            return true;
        }
        let seed = self.style.salt ^ self.row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = key.bytes().fold(seed, |mix, byte| {
            (mix ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29)
        });
        mixed.is_multiple_of(16)
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
        if self.style.unknown_field {
            self.raw("FutureField", "{\"Kind\":\"new\",\"Parts\":[1,null,\"x\"]}");
        }
        fill(self);
        self.out.push(b'}');
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' | b'/' => self.out.extend_from_slice(&[b'\\', byte]),
                0..0x20 => {
                    // Writing to memory does not fail.
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

    fn text(style: Style, fill: impl FnOnce(&mut Json)) -> String {
        String::from_utf8(Json::object(style, fill)).expect("text")
    }

    fn parsed(style: Style, fill: impl FnOnce(&mut Json)) -> Value {
        serde_json::from_str(&text(style, fill)).expect("JSON")
    }

    fn empty(json: &mut Json) {
        json.number("BidCount", 0);
        json.money("StartPrice", 0_u64);
        json.flag("HasReserve", false);
        json.text_or_null("SKU", None);
        json.date("NoteDate", None);
        json.list::<()>("List", &[], |_, _, ()| {});
    }

    #[test]
    fn slashes_are_escaped_and_dates_are_milliseconds() {
        let written = text(Style::default(), |json| {
            json.text("Path", "/Home/a\"b\\c\n");
            json.date("At", DateTime::from_timestamp_millis(1_534_192_903_827));
        });
        assert_eq!(
            written,
            "{\"Path\":\"\\/Home\\/a\\\"b\\\\c\\u000a\",\"At\":\"\\/Date(1534192903827)\\/\"}"
        );
    }

    #[test]
    fn members_of_no_value_are_left_out_but_for_a_few() {
        let whole = parsed(Style::default(), empty);
        assert_eq!(whole.as_object().map(serde_json::Map::len), Some(6));
        assert_eq!((&whole["StartPrice"], &whole["SKU"]), (&json!(0.0), &Value::Null));
        let kept: usize = (0..200)
            .map(|salt| parsed(Style { omit: true, salt, ..Style::default() }, empty))
            .map(|sparse| sparse.as_object().map_or(0, serde_json::Map::len))
            .sum();
        assert!((30..150).contains(&kept), "{kept} of 1,200");
    }

    #[test]
    fn oddities_are_written_when_asked_for() {
        let odd = Style { unknown_field: true, new_enum: true, ..Style::default() };
        let value = parsed(odd, |json| json.code("Status", 20));
        assert_eq!(value["Status"], 250);
        assert!(value["FutureField"]["Parts"].is_array());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_and_amount_come_back(text in any::<String>(), cents in 0_u64..10_000_000) {
            let value = parsed(Style::default(), |json| {
                json.text("text", &text);
                json.money("cents", cents);
            });
            prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
            let read = value["cents"].as_f64().map(|amount| (amount * 100.0).round() as u64);
            prop_assert_eq!(read, Some(cents));
        }
    }
}
