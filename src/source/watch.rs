//! What is seen of a list while its bytes go by: the hash, the lines, and whether its quotes can be believed.
//!
//! The csv library reads whatever it is given: a quote that never closes swallows the rest of the file into one cell,
//! and text after a closing quote is glued on. Half a list would look like a whole one. So the quotes are judged here,
//! strictly, on the way to the library, and only where there are any.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr2};
use sha1::{Digest, Sha1};

/// The longest line and the longest quoted cell. Ours are a thousand times shorter; a longer one is no list, and
/// would have to be held in memory whole.
const LONGEST: u64 = 1024 * 1024;

/// What makes a list unreadable from some line on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// A byte that no text has.
    Nul,
    /// A line without end.
    LongLine,
    /// A quote that closes in the middle of a cell.
    StrayQuote,
    /// A quote that never closes.
    OpenQuote,
}

/// Passes bytes on and looks at them.
pub(super) struct Watch<R> {
    inner: R,
    hash: Sha1,
    bytes: u64,
    /// The line of the next byte, from 1.
    line: u64,
    /// Bytes since the last line ended.
    since_line_end: u64,
    last: u8,
    quotes: Quotes,
    damage: Option<(Damage, u64)>,
}

impl<R: Read> Watch<R> {
    /// Looks at what comes from `inner`; `skipped` stood before it.
    pub fn new(inner: R, skipped: &[u8], delimiter: u8) -> Self {
        Self {
            inner,
            hash: Sha1::new_with_prefix(skipped),
            bytes: skipped.len() as u64,
            line: 1,
            since_line_end: 0,
            last: b'\n',
            quotes: Quotes { delimiter, state: State::Outside, opened_line: 1, inside: 0 },
            damage: None,
        }
    }

    /// The damage that stopped it, with its line.
    pub fn damage(&self) -> Option<(Damage, u64)> {
        self.damage
    }

    /// Whether the last line that came by had its end.
    pub fn ends_with_a_line(&self) -> bool {
        matches!(self.last, b'\n' | b'\r')
    }

    /// How many bytes there were.
    pub fn seen(&self) -> u64 {
        self.bytes
    }

    /// The SHA-1 of all of them, in hexadecimal digits.
    pub fn digest(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn look(&mut self, chunk: &[u8]) -> Result<(), (Damage, u64)> {
        self.hash.update(chunk);
        self.bytes += chunk.len() as u64;
        if let Some(at) = memchr(0, chunk) {
            return Err((Damage::Nul, self.line + lines(&chunk[..at])));
        }
        self.quotes.look(chunk, self.last, self.line)?;
        self.line += lines(chunk);
        self.since_line_end = match memrchr2(b'\n', b'\r', chunk) {
            Some(at) => (chunk.len() - at - 1) as u64,
            None => self.since_line_end + chunk.len() as u64,
        };
        if self.since_line_end > LONGEST {
            return Err((Damage::LongLine, self.line));
        }
        self.last = chunk.last().copied().unwrap_or(self.last);
        Ok(())
    }
}

impl<R: Read> Read for Watch<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.damage.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let read = self.inner.read(into)?;
        let looked = if read == 0 && !into.is_empty() { self.quotes.end() } else { self.look(&into[..read]) };
        if let Err(damage) = looked {
            self.damage = Some(damage);
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(read)
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Where the quotes stand.
struct Quotes {
    delimiter: u8,
    state: State,
    /// The line of the quote that is open.
    opened_line: u64,
    /// Bytes since it was opened.
    inside: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In no quoted cell. A quote at the start of a cell opens one; any other is text.
    Outside,
    /// In a quoted cell.
    Inside,
    /// Behind a quote in a quoted cell: what follows tells whether it closes.
    Behind,
}

impl Quotes {
    /// Looks at the bytes after `before`, which begin on `line`.
    fn look(&mut self, chunk: &[u8], before: u8, line: u64) -> Result<(), (Damage, u64)> {
        let (mut at, mut opened) = (0, None);
        while let Some(byte) = chunk.get(at) {
            match self.state {
                State::Behind => {
                    self.state = match *byte {
                        b'"' => State::Inside,
                        byte if byte == self.delimiter || matches!(byte, b'\n' | b'\r') => State::Outside,
                        _ => return Err((Damage::StrayQuote, line + lines(&chunk[..at]))),
                    };
                    at += 1;
                }
                State::Outside | State::Inside => {
                    let Some(quote) = memchr(b'"', &chunk[at..]).map(|ahead| at + ahead) else { break };
                    if self.state == State::Inside {
                        self.state = State::Behind;
                    } else {
                        let before = if quote == 0 { before } else { chunk[quote - 1] };
                        if before == self.delimiter || matches!(before, b'\n' | b'\r') {
                            (self.state, opened) = (State::Inside, Some(quote));
                        }
                    }
                    at = quote + 1;
                }
            }
        }
        if self.state == State::Outside {
            return Ok(());
        }
        self.inside += (chunk.len() - opened.unwrap_or_default()) as u64;
        if let Some(opened) = opened {
            self.opened_line = line + lines(&chunk[..opened]);
            self.inside = (chunk.len() - opened) as u64;
        }
        if self.inside > LONGEST { self.end() } else { Ok(()) }
    }

    /// What is wrong when nothing more comes.
    fn end(&self) -> Result<(), (Damage, u64)> {
        if self.state == State::Inside { Err((Damage::OpenQuote, self.opened_line)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads in pieces of `step` bytes and tells the damage.
    fn damage(text: &[u8], step: usize) -> Option<(Damage, u64)> {
        let mut watch = Watch::new(text, b"", b',');
        let mut piece = vec![0; step];
        while watch.read(&mut piece).is_ok_and(|read| read > 0) {}
        watch.damage()
    }

    #[test]
    fn quotes_that_nobody_can_follow_are_found_with_their_line() {
        let cases: [(&str, Option<(Damage, u64)>); 10] = [
            ("a,b\n1,\"x, \"\"y\"\"\n z\"\n", None),
            ("a,b\n1,5\" tall\n", None),
            ("\"a\",\"\"\n", None),
            ("\"a\"", None),
            ("a,b\n1,\"x\n2,y\n", Some((Damage::OpenQuote, 2))),
            ("a,b\n1,\"x\n2,\"y\"\n", Some((Damage::StrayQuote, 3))),
            ("a\n\"x\"y\n", Some((Damage::StrayQuote, 2))),
            ("a\n\"x\" \n", Some((Damage::StrayQuote, 2))),
            ("a\n1\0\n", Some((Damage::Nul, 2))),
            ("a\n\n\"\"\"x\n", Some((Damage::OpenQuote, 3))),
        ];
        for (text, wanted) in cases {
            for step in [1, 2, 3, 64] {
                assert_eq!(damage(text.as_bytes(), step), wanted, "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn a_line_or_a_quote_without_end_is_not_held_in_memory() {
        let long = vec![b'x'; 3 << 20];
        assert_eq!(damage(&long, 65_536), Some((Damage::LongLine, 1)));
        let mut quoted = b"a\n\"".to_vec();
        quoted.extend(b"x\n".repeat(1 << 20));
        assert_eq!(damage(&quoted, 65_536), Some((Damage::OpenQuote, 2)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pieces_make_no_difference(text in "[\",\n\rx]{0,40}", step in 1..9_usize) {
            prop_assert_eq!(damage(text.as_bytes(), step), damage(text.as_bytes(), 4_096));
        }

        #[test]
        fn the_hash_is_that_of_all_bytes(text in proptest::collection::vec(1..=255_u8, 0..80), step in 1..9_usize) {
            let mut watch = Watch::new(&text[..], b"\xef\xbb\xbf", b'\x01');
            let mut piece = vec![0; step];
            while watch.read(&mut piece).is_ok_and(|read| read > 0) {}
            prop_assume!(watch.damage().is_none());
            prop_assert_eq!(watch.seen(), text.len() as u64 + 3);
            let whole = Watch::new(io::empty(), &[b"\xef\xbb\xbf", &text[..]].concat(), b',');
            prop_assert_eq!(watch.digest(), whole.digest());
        }
    }
}
