//! What the bytes of a row mean.
//!
//! A row is decoded after its cells are found: the signs that separate cells are the same bytes in both encodings, and
//! most rows need no decoding at all.

use std::str::from_utf8;

use ::csv::ByteRecord;

use crate::config::Encoding;

/// The signs of the bytes 0x80 to 0x9f in Windows-1252; five of them mean nothing.
const WINDOWS: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";

/// Makes rows UTF-8 and counts what speaks for another encoding.
pub(super) struct Decoder {
    encoding: Encoding,
    decoded: ByteRecord,
    cell: String,
    /// Rows with signs beyond ASCII that are not what the encoding says.
    pub wrong: u64,
    /// The line of the first of them.
    pub first_wrong: u64,
    /// Rows with signs beyond ASCII that are UTF-8.
    pub utf8: u64,
    /// Other rows with signs beyond ASCII.
    pub other: u64,
}

impl Decoder {
    /// For a file in this encoding.
    pub fn new(encoding: Encoding) -> Self {
        let (wrong, first_wrong, utf8, other) = (0, 0, 0, 0);
        Self { encoding, decoded: ByteRecord::new(), cell: String::new(), wrong, first_wrong, utf8, other }
    }

    /// The row as UTF-8; the error says which byte of it means nothing.
    pub fn decode<'a>(&'a mut self, record: &'a ByteRecord, line: u64) -> Result<&'a ByteRecord, String> {
        if record.as_slice().is_ascii() {
            return Ok(record);
        }
        // Cell by cell, since the end of one and the start of the next could make a sign together.
        let is_utf8 = record.iter().all(|cell| from_utf8(cell).is_ok());
        let counter = if is_utf8 { &mut self.utf8 } else { &mut self.other };
        *counter += 1;
        let bad = match self.encoding {
            Encoding::Utf8 if is_utf8 => return Ok(record),
            Encoding::Utf8 => record.iter().find_map(|cell| {
                from_utf8(cell).err().and_then(|error| cell.get(error.valid_up_to()).copied())
            }),
            Encoding::Windows1252 => self.decode_windows(record).err(),
        };
        let Some(bad) = bad else { return Ok(&self.decoded) };
        if self.wrong == 0 {
            self.first_wrong = line;
        }
        self.wrong += 1;
        let name = match self.encoding {
            Encoding::Utf8 => "UTF-8",
            Encoding::Windows1252 => "Windows-1252",
        };
        Err(format!("this is not {name}: the byte {bad:02x} means nothing there"))
    }

    fn decode_windows(&mut self, record: &ByteRecord) -> Result<(), u8> {
        self.decoded.clear();
        for cell in record {
            self.cell.clear();
            for byte in cell {
                let sign = match byte {
                    0x80..=0x9f => {
                        let sign = WINDOWS.chars().nth(usize::from(byte - 0x80));
                        sign.filter(|sign| *sign != '\0').ok_or(*byte)?
                    }
                    // The others are the first signs of Unicode.
                    byte => char::from(*byte),
                };
                self.cell.push(sign);
            }
            self.decoded.push_field(self.cell.as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, cells: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut decoder = Decoder::new(encoding);
        let record = ByteRecord::from(cells);
        decoder
            .decode(&record, 1)
            .map(|row| row.iter().map(|cell| from_utf8(cell).unwrap().to_owned()).collect())
    }

    #[test]
    fn each_encoding_is_read_as_itself_and_not_as_the_other() {
        let windows = |cells| decoded(Encoding::Windows1252, cells);
        assert_eq!(windows(&[b"gr\xf6\xdfe", b"\x80 5"]).unwrap(), ["größe", "€ 5"]);
        assert!(windows(&[b"a\x81"]).unwrap_err().contains("81"));
        assert_eq!(decoded(Encoding::Utf8, &["größe".as_bytes()]).unwrap(), ["größe"]);
        assert!(decoded(Encoding::Utf8, &[b"gr\xf6\xdfe"]).unwrap_err().contains("f6"));
        assert!(decoded(Encoding::Utf8, &[b"a\xc3", b"\xa9"]).is_err(), "two halves of a sign are none");
    }
}
