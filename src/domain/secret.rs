//! What holds a secret on its way: from a file, a command, a prompt or an answer until it is a [`SecretString`], and from
//! there into a request. It is wiped when it is dropped.
//!
//! Rust's own buffers are not good enough for that, since one that grows is copied and leaves what it held where it
//! was. So a [`Wiped`] grows by hand: into new room, and the old one is wiped. Where the size is known beforehand there is
//! room for all of it from the beginning, and only one place to wipe.
//!
//! Some copies are out of our reach, and it is better to know them: those of the kernel (pipes, terminals, sockets, the
//! cache of files, swap); what the HTTP and TLS libraries read and write at a socket, the control socket and the listener of
//! a login's callback included; a JSON or TOML string with escapes while it is parsed, and the text of a TOML file
//! in which the parser finds an error; the XML writer's escapes of a value that needs some; the word behind `--pin`, which is
//! good once and for nobody without the other secrets; and what the compiler leaves on the stack when it moves a key. They
//! are neither shown nor kept, they are freed within the request or the command that made them, and no other process of the
//! user may look into ours.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::ops::Deref;

use secrecy::SecretString;
use zeroize::{Zeroize, Zeroizing};

/// Bytes that may hold a secret. They are wiped when they are dropped, and leave nothing behind where they grow.
#[derive(Default)]
pub struct Wiped(Zeroizing<Vec<u8>>);

/// The least that is asked for at once.
const STEP: usize = 1024;

impl Wiped {
    /// None yet, with room for this many.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// All that comes, as far as `most`. `expected` is the size, where somebody knows it.
    pub fn read(mut from: impl Read, expected: usize, most: usize) -> io::Result<Self> {
        // One more, so that the end is found without growing.
        let mut all = Self::with_capacity(expected.min(most) + 1);
        while all.len() < most {
            if all.read_some(&mut from)? == 0 {
                break;
            }
        }
        all.0.truncate(most);
        Ok(all)
    }

    /// What comes next; 0 at the end.
    pub fn read_some(&mut self, mut from: impl Read) -> io::Result<usize> {
        let before = self.len();
        self.reserve(1);
        let room = self.0.capacity();
        self.0.resize(room, 0);
        let read = loop {
            match from.read(&mut self.0[before..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.0.truncate(before + read.as_ref().copied().unwrap_or_default());
        read
    }

    /// Adds some.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Leaves out the first ones.
    pub fn skip(&mut self, first: usize) {
        self.0.drain(..first);
    }

    /// The same as text, in the same place; as they were if they are none.
    pub fn into_text(mut self) -> Result<Zeroizing<String>, Self> {
        match String::from_utf8(std::mem::take(&mut *self.0)) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(error) => Err(Self(Zeroizing::new(error.into_bytes()))),
        }
    }

    /// The same for whoever takes them to another place.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    fn reserve(&mut self, more: usize) {
        let (len, room) = (self.0.len(), self.0.capacity());
        if room - len >= more {
            return;
        }
        let mut larger = Zeroizing::new(Vec::with_capacity((len + more).max(2 * room).max(STEP)));
        larger.extend_from_slice(&self.0);
        self.0 = larger;
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiped").finish_non_exhaustive()
    }
}

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text that somebody else has taken apart for us, trimmed; `None` where nothing is in it. A copy that had to be made of
/// it is wiped.
pub fn taken(text: Cow<'_, str>) -> Option<SecretString> {
    let trimmed = text.trim();
    let secret = (!trimmed.is_empty()).then(|| SecretString::from(trimmed));
    if let Cow::Owned(mut text) = text {
        text.zeroize();
    }
    secret
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// Gives what it has in pieces of this size, after one interruption.
    struct Slow<'a>(&'a [u8], usize, bool);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if !std::mem::replace(&mut self.2, true) {
                return Err(ErrorKind::Interrupted.into());
            }
            let len = self.1.min(into.len());
            self.0.read(&mut into[..len])
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_read_is_what_was_there_however_it_comes(
            bytes in prop::collection::vec(any::<u8>(), 0..6_000),
            expected in 0..6_000_usize,
            piece in 1..3_000_usize,
            most in 0..6_000_usize,
        ) {
            let read = Wiped::read(Slow(&bytes, piece, false), expected, most).unwrap();
            prop_assert_eq!(&*read, &bytes[..most.min(bytes.len())]);
            let mut written = Wiped::default();
            for chunk in bytes.chunks(piece) {
                written.write_all(chunk).unwrap();
            }
            prop_assert_eq!(&*written, &bytes[..]);
            written.skip(piece.min(bytes.len()));
            prop_assert_eq!(&*written, &bytes[piece.min(bytes.len())..]);
        }
    }

    #[test]
    fn a_size_that_is_known_needs_one_place() {
        let bytes = [7; 5_000];
        let mut all = Wiped::with_capacity(bytes.len() + 1);
        let place = all.0.as_ptr();
        while all.read_some(Slow(&bytes[all.len()..], 700, true)).unwrap() > 0 {}
        assert_eq!((all.len(), all.0.as_ptr()), (bytes.len(), place));
    }

    #[test]
    fn one_that_grows_is_copied_before_the_old_place_is_given_back() {
        let mut all = Wiped::default();
        for _ in 0..8 {
            all.push(&vec![7; all.0.capacity() - all.len()]);
            let place = all.0.as_ptr();
            all.push(&[8]);
            // Two places are never the same while both are in use, as they are where the old one is still to be wiped.
            assert_ne!(all.0.as_ptr(), place);
        }
    }

    #[test]
    fn nothing_of_it_is_shown_and_text_stays_where_it_is() {
        let mut held = Wiped::default();
        held.push(b"canary");
        assert!(!format!("{held:?}").contains("canary") && !format!("{held:?}").contains("99, 97"));
        let place = held.0.as_ptr();
        let text = held.into_text().unwrap();
        assert_eq!((text.as_str(), text.as_ptr()), ("canary", place));
        let mut held = Wiped::default();
        held.push(&[0xff, b'x']);
        assert_eq!(&*held.into_text().unwrap_err(), [0xff, b'x']);
    }

    #[test]
    fn what_was_taken_apart_is_trimmed() {
        let taken = |text: Cow<'_, str>| taken(text).map(|secret| secret.expose_secret().to_owned());
        assert_eq!(taken(Cow::Borrowed(" a ")).as_deref(), Some("a"));
        assert_eq!(taken(Cow::Owned(" a\"b ".to_owned())).as_deref(), Some("a\"b"));
        assert_eq!(taken(Cow::Borrowed(" ")), None);
    }
}
