//! Percent-encoding as RFC 5849 section 3.6 wants it, once and twice.
//!
//! What is encoded once consists of unreserved characters and `%XX` only. The second encoding, which the base
//! string needs for every name and value, therefore has one thing to do: write `%` as `%25`.

use std::borrow::Cow;
use std::ops::Deref;

use percent_encoding::{percent_decode_str, percent_encode_byte};
use zeroize::Zeroize;

/// A text that is encoded once. It is borrowed exactly if nothing had to be encoded. One that was is wiped, since it may be
/// a secret.
pub struct Encoded<'a>(Cow<'a, str>);

impl Drop for Encoded<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(encoded) = &mut self.0 {
            encoded.zeroize();
        }
    }
}

impl<'a> Encoded<'a> {
    /// A text in its encoded form.
    #[inline]
    pub fn text(text: &'a str) -> Self {
        if is_plain(text) {
            return Self(Cow::Borrowed(text));
        }
        let mut encoded = String::with_capacity(text.len() * 3);
        push_encoded(&mut encoded, text);
        Self(Cow::Owned(encoded))
    }

    /// A piece of a query as it stands in a URL, in the one encoding that is signed: decoded, then encoded
    /// anew. A plus is a plus. Only form bodies mean a blank by it, and those are handed over decoded.
    #[inline]
    pub fn canonical(piece: &'a str) -> Self {
        if is_plain(piece) {
            return Self(Cow::Borrowed(piece));
        }
        let mut canonical = String::with_capacity(piece.len() * 3);
        for byte in percent_decode_str(piece) {
            if is_unreserved(byte) {
                canonical.push(char::from(byte));
            } else {
                canonical.push_str(percent_encode_byte(byte));
            }
        }
        Self(Cow::Owned(canonical))
    }

    /// Appends the second encoding. What needed no first needs no second.
    #[inline]
    pub fn push_again(&self, to: &mut String) {
        match &self.0 {
            Cow::Borrowed(plain) => to.push_str(plain),
            Cow::Owned(once) => {
                let mut pieces = once.split('%');
                to.push_str(pieces.next().unwrap_or_default());
                for piece in pieces {
                    to.push_str("%25");
                    to.push_str(piece);
                }
            }
        }
    }
}

impl Deref for Encoded<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Appends the encoded form of a text.
#[inline]
pub fn push_encoded(to: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_unreserved(byte)) {
        let (plain, reserved) = rest.split_at(at);
        to.push_str(plain);
        let width = reserved.chars().next().map_or(0, char::len_utf8);
        let (character, after) = reserved.split_at(width);
        character.bytes().for_each(|byte| to.push_str(percent_encode_byte(byte)));
        rest = after;
    }
    to.push_str(rest);
}

/// Whether nothing has to be encoded. Most texts are short and plain, so looking at all of it without a branch
/// is faster than stopping early.
#[inline]
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & is_unreserved(byte))
}

fn is_unreserved(byte: u8) -> bool {
    UNRESERVED[usize::from(byte)]
}

/// The unreserved characters of RFC 3986. A table, since most of what is signed is looked through to find that
/// nothing needs encoding.
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        let is = byte as u8;
        table[byte] = is.is_ascii_alphanumeric() || matches!(is, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn twice(text: &str) -> String {
        let mut twice = String::new();
        Encoded::text(text).push_again(&mut twice);
        twice
    }

    #[test]
    fn a_blank_is_never_a_plus() {
        assert_eq!(&*Encoded::text(" "), "%20");
        assert_eq!(twice(" "), "%2520");
    }

    #[test]
    fn reserved_characters_are_written_in_upper_case_hexadecimals() {
        let check = |text, expected| assert_eq!(&*Encoded::text(text), expected);
        check("!*'();:@&=+$,/?#[]", "%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%2F%3F%23%5B%5D");
        check("ladies ☃", "ladies%20%E2%98%83");
        check("AZaz09-._~", "AZaz09-._~");
    }

    #[test]
    fn a_piece_of_a_query_has_one_canonical_form() {
        let check = |piece, expected| assert_eq!(&*Encoded::canonical(piece), expected);
        check("2+q", "2%2Bq");
        check("%2c%7e,", "%2C~%2C");
        check("100%", "100%25");
        check("%3D%253D", "%3D%253D");
        check("%ff", "%FF");
    }

    proptest! {
        #[test]
        fn encoding_loses_nothing(text in any::<String>()) {
            let once = Encoded::text(&text);
            prop_assert_eq!(percent_decode_str(&once).decode_utf8().unwrap(), text.as_str());
            prop_assert_eq!(&*Encoded::canonical(&once), &*once);
        }

        #[test]
        fn the_second_encoding_is_the_first_one_applied_again(text in any::<String>()) {
            let once = Encoded::text(&text);
            prop_assert_eq!(twice(&text), &*Encoded::text(&once));
        }
    }
}
