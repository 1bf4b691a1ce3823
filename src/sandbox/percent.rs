//! Percent-encoding as OAuth 1.0a wants it, the shops' own reading of RFC 3986.

/// Percent-encoding of RFC 3986: only letters, digits, `-`, `.`, `_` and `~` stay.
pub fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// What a plus sign stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plus {
    /// Itself, as in headers and paths.
    Stays,
    /// A blank, as in queries and forms.
    IsBlank,
}

/// Undoes percent-encoding; what is no escape stays as it is.
pub fn decode(text: &str, plus: Plus) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).and_then(|two| {
            let (high, low) = (char::from(two[0]).to_digit(16)?, char::from(two[1]).to_digit(16)?);
            Some((high * 16 + low) as u8)
        });
        match (bytes[at], escape) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) if plus == Plus::IsBlank => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_encoded_decodes_to_itself(text in "\\PC{0,40}") {
            prop_assert_eq!(decode(&encode(&text), Plus::IsBlank), text);
        }
    }
}
