//! The text that signs a request. It holds tokens, and with PLAINTEXT the secrets themselves, so it is wiped.
//!
//! [`zeroize::Zeroizing`] would do the same byte by byte, for a quarter of what a signature costs.

use std::fmt;
use std::ops::Deref;

/// The value of an `Authorization` header, or what is signed for it. It never grows: see `with_room`.
pub struct Header {
    pub(super) text: String,
    /// So many bytes were written before it was begun anew.
    before: usize,
}

impl Header {
    /// An empty one. More than `room` bytes would leave behind what was written until then.
    pub(super) fn with_room(room: usize) -> Self {
        Self { text: String::with_capacity(room), before: 0 }
    }

    /// Empty once more, for another text in the same place.
    pub(super) fn anew(&mut self) -> &mut String {
        self.before = self.before.max(self.text.len());
        self.text.clear();
        &mut self.text
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        let written = self.before.max(bytes.len());
        bytes.clear();
        bytes.resize(written, 0);
        // Else the compiler might see that nobody reads the zeros.
        zeroize::optimization_barrier(&bytes[..]);
    }
}

impl Deref for Header {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::super::vectors::{CARDMARKET, PLAINTEXT, RFC};
    use super::super::{Signer, Target, Unsigned};
    use super::*;
    use crate::domain::Credentials;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn there_is_room_for_whatever_is_signed(
            login in prop::array::uniform4("\\PC{0,80}"),
            segment in "[^.]\\PC{0,8}",
            pairs in prop::collection::vec(("\\PC{0,3}", "\\PC{0,3}"), 0..6),
            raw in "[a&=%,+]{0,12}",
            brought in prop::option::of("\\PC{0,12}"),
        ) {
            let base = Target::parse(&format!("https://h.test/ws?{raw}")).unwrap().segment(&segment);
            let target = pairs.iter().fold(base, |target, (name, value)| target.query(name, value));
            let form: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
            let verifier = brought.map(SecretString::from);
            let request = Unsigned {
                callback: verifier.as_ref().map(|_| segment.as_str()),
                verifier: verifier.as_ref(),
                form: &form,
                ..Unsigned::new("DELETE", &target, &segment, i64::MIN)
            };
            let [key, secret, token, token_secret] = &login;
            let credentials = Credentials::new(key, secret, Some((token, token_secret)));
            for profile in [CARDMARKET, RFC, PLAINTEXT] {
                let signer = Signer::new(profile, &credentials);
                let (header, time) = (signer.header(&request), request.timestamp.to_string());
                prop_assert_eq!(header.text.capacity(), signer.room(&request, &signer.parameters(&request, &time)));
            }
        }
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let mut header = Header::with_room(20);
        header.text.push_str("canary");
        assert!(!format!("{header:?}").contains("canary"));
        header.anew();
        assert_eq!((&*header, header.before), ("", 6));
    }
}
