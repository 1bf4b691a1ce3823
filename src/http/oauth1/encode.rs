//! Percent-encoding as RFC 5849 section 3.6 wants it, once and twice.
//!
//! What is encoded once consists of unreserved characters and `%XX` only. The second encoding, which the base
//! string needs for every name and value, therefore has one thing to do: write `%` as `%25`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The encoded form of a text; the text itself where nothing needs encoding.
pub fn encoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_unreserved) {
        Cow::Borrowed(text)
    } else {
        utf8_percent_encode(text, RESERVED).into()
    }
}

/// Appends the encoded form of a text.
pub fn push_encoded(to: &mut String, text: &str) {
    to.extend(utf8_percent_encode(text, RESERVED));
}

/// Appends what is encoded once in its second encoding.
pub fn push_encoded_again(to: &mut String, encoded: &str) {
    let mut pieces = encoded.split('%');
    to.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        to.push_str("%25");
        to.push_str(piece);
    }
}

/// A piece of a query as it stands in a URL, in the one encoding that is signed: decoded, then encoded anew.
///
/// A plus is a plus. Only form bodies mean a space by it, and those are handed over decoded.
pub fn canonical(piece: &str) -> Cow<'_, str> {
    if piece.bytes().all(is_unreserved) {
        return Cow::Borrowed(piece);
    }
    let decoded: Cow<'_, [u8]> = percent_decode_str(piece).into();
    Cow::Owned(percent_encoding::percent_encode(&decoded, RESERVED).collect())
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_blank_is_never_a_plus() {
        assert_eq!(encoded(" "), "%20");
        let mut twice = String::new();
        push_encoded_again(&mut twice, "%20");
        assert_eq!(twice, "%2520");
    }

    #[test]
    fn reserved_characters_are_written_in_upper_case_hexadecimals() {
        assert_eq!(encoded("!*'();:@&=+$,/?#[]"), "%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%2F%3F%23%5B%5D");
        assert_eq!(encoded("ladies ☃"), "ladies%20%E2%98%83");
        assert_eq!(encoded("AZaz09-._~"), "AZaz09-._~");
    }

    #[test]
    fn a_piece_of_a_query_has_one_canonical_form() {
        assert_eq!(canonical("2+q"), "2%2Bq");
        assert_eq!(canonical("%2c%7e,"), "%2C~%2C");
        assert_eq!(canonical("100%"), "100%25");
        assert_eq!(canonical("%3D%253D"), "%3D%253D");
    }

    proptest! {
        #[test]
        fn encoding_loses_nothing(text in any::<String>()) {
            let once = encoded(&text);
            prop_assert_eq!(percent_decode_str(&once).decode_utf8().unwrap(), text.as_str());
            prop_assert_eq!(canonical(&once), once.as_ref());
        }

        #[test]
        fn the_second_encoding_is_the_first_one_applied_again(text in any::<String>()) {
            let (once, mut twice) = (encoded(&text), String::new());
            push_encoded_again(&mut twice, &once);
            let mut plainly = String::new();
            push_encoded(&mut plainly, &once);
            prop_assert_eq!(twice, plainly);
        }
    }
}
