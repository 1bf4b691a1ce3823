//! A list in a file of comma-separated values, or separated by something else.
//!
//! It is read in one pass, a row at a time, so that a million rows take the memory of what they say and no more.
//! Doubles are found by sorting, which the plan needs anyway, rather than by a table of all keys beside the rows.

use std::io::{self, Read as _};
use std::path::Path;

use ::csv::{ByteRecord, Position, Reader, ReaderBuilder};
use chrono::{DateTime, Utc};

use super::encoding::Decoder;
use super::file::{self, Opened};
use super::header::{self, Layout};
use super::row::{No, Reading, Rest};
use super::watch::{Damage, Watch};
use super::{Fault, KEPT, Read, Rejected, SourceError};
use crate::config::{Encoding, LastLine, Source};
use crate::domain::{Currency, Desired, Sku};

/// How much of a file is looked at to learn what it is.
const HEAD: u64 = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a last row without a line end is rejected.
const CUT_OFF: &str = "the last line has no line end, so it may be cut off: end it, or, if the program that writes the \
    list never does, write  last_line = \"may-lack-newline\"  under [source]";

/// How files begin that are often given for a list and are none.
const NO_TEXT: [(&[u8], &str); 6] = [
    (b"\xff\xfe", "is UTF-16, which Excel calls Unicode text"),
    (b"\xfe\xff", "is UTF-16, which Excel calls Unicode text"),
    (b"PK\x03\x04", "is a workbook or an archive, not a list"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of an older Excel, not a list"),
    (b"\x1f\x8b", "is compressed"),
    (b"%PDF", "is a PDF, not a list"),
];

/// Reads the list of an account whose prices are in `currency`. It waits for the disk, so it is no work for a thread
/// that others wait for.
pub fn read(settings: &Source, currency: Currency, now: DateTime<Utc>) -> Result<Read, SourceError> {
    let opened = Opened::new(&settings.path, settings.max_age, now)?;
    let read = read_from(&opened.file, settings, currency, opened.as_of, now);
    // A file that was written to meanwhile has only this mistake: the others follow from it.
    let bytes = read.as_ref().ok().map(|read| read.bytes);
    opened.unchanged(bytes)?;
    read
}

/// The same for bytes that are in no file, as if they had been written at `now`. Whatever they are, it does not panic.
pub fn read_bytes(
    bytes: &[u8],
    settings: &Source,
    currency: Currency,
    now: DateTime<Utc>,
) -> Result<Read, SourceError> {
    read_from(bytes, settings, currency, now, now)
}

fn read_from(
    mut input: impl io::Read,
    settings: &Source,
    currency: Currency,
    as_of: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Read, SourceError> {
    let path = settings.path.as_path();
    let mut head = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut head).map_err(|error| file::failed(path, &error))?;
    let mark = check_head(path, &head, settings.encoding)?;
    let delimiter = header::delimiter(settings.delimiter, &head[mark..]);
    // With the wrong delimiter any quote may be in a wrong place, further down and read before the header is judged.
    header::check_delimiter(delimiter, &head[mark..], settings)
        .map_err(|(what, fix)| SourceError::new(Fault::Columns, path, what, fix).at(1))?;
    let watch = Watch::new(head[mark..].chain(input), &head[..mark], delimiter);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(1 << 16)
        .from_reader(watch);

    let mut decoder = Decoder::new(settings.encoding);
    let mut record = ByteRecord::new();
    if next(path, &mut reader, &mut record)?.is_none() {
        let what = "holds nothing, not even the names of its columns";
        return Err(SourceError::new(Fault::Empty, path, what, "write the list again"));
    }
    let names = decoder.decode(&record, 1).map(words).map_err(|why| {
        SourceError::new(Fault::Encoding, path, why, other_encoding(settings.encoding)).at(1)
    })?;
    let layout = Layout::new(names, settings)
        .map_err(|(what, fix)| SourceError::new(Fault::Columns, path, what, fix).at(1))?;
    if settings.currency.is_some_and(|theirs| theirs != currency) {
        return Err(other_currency(path, settings.currency.as_ref().map_or("", Currency::as_str), currency));
    }

    let reading = Reading { settings, layout: &layout, currency, now };
    let mut rows = Rows::default();
    // The row before, and its line: whether it has come to its end is known when nothing follows.
    let (mut before, mut last) = (ByteRecord::new(), None);
    while let Some(at) = next(path, &mut reader, &mut record)? {
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            last = None;
            continue;
        }
        let line = at.line();
        rows.total += 1;
        rows.add(&reading, &mut decoder, &record, line)
            .map_err(|theirs| other_currency(path, &theirs, currency).at(line))?;
        last = Some(line);
        std::mem::swap(&mut before, &mut record);
    }

    let watch = reader.into_inner();
    if let Some(line) = last.filter(|_| !watch.ends_with_a_line()) {
        if before.len() < layout.names.len() {
            let what = "ends in the middle of this row, so that only a part of it was written";
            let fix = "write the list under another name and rename it into place when it is complete";
            return Err(SourceError::new(Fault::Truncated, path, what, fix).at(line));
        }
        if settings.last_line == LastLine::MustEnd {
            rows.take_back(&layout, &before, line);
        }
    }
    check_encoding(path, settings, &decoder, rows.total)?;
    let Rows { mut desired, rejected, total, rejected_rows, nameless } = rows;
    desired.sort_unstable_by(|a, b| a.sku.cmp(&b.sku));
    desired.shrink_to_fit();
    check_doubles(path, &desired, &rejected)?;
    Ok(Read {
        rows: desired,
        rejected,
        rejected_rows,
        nameless,
        total_rows: total,
        has_price: layout.price.is_some(),
        header: layout.names,
        as_of,
        bytes: watch.seen(),
        digest: watch.digest(),
    })
}

/// The rows so far.
#[derive(Default)]
struct Rows {
    desired: Vec<Desired>,
    rejected: Vec<Rejected>,
    total: u64,
    rejected_rows: u64,
    nameless: bool,
}

impl Rows {
    /// Reads a row and puts it where it belongs. The error is the other currency that it names.
    fn add(
        &mut self,
        reading: &Reading<'_>,
        decoder: &mut Decoder,
        record: &ByteRecord,
        line: u64,
    ) -> Result<(), String> {
        let width = reading.layout.names.len();
        if record.len() != width {
            // Nobody knows which of its cells is which, the SKU included.
            let cells = if record.len() == 1 { "cell" } else { "cells" };
            self.reject(
                None,
                record,
                line,
                format!("it has {} {cells}, and the header has {width}", record.len()),
            );
            return Ok(());
        }
        let row = match decoder.decode(record, line) {
            Ok(row) => row,
            Err(reason) => {
                let sku = reading.sku(record).ok();
                self.reject(sku, record, line, reason);
                return Ok(());
            }
        };
        let sku = match reading.sku(row) {
            Ok(sku) => sku,
            Err(reason) => {
                self.reject(None, row, line, reason);
                return Ok(());
            }
        };
        match reading.rest(row) {
            Ok(Rest { quantity, price, more }) => {
                self.desired.push(Desired { sku, quantity, price, more, line });
            }
            Err(No::Rejected(reason)) => self.reject(Some(sku), row, line, reason),
            Err(No::OtherCurrency(theirs)) => return Err(theirs),
        }
        Ok(())
    }

    /// Rejects the last row, which was read, for want of its end. Where the SKU is the last cell, that may be cut, too.
    fn take_back(&mut self, layout: &Layout, record: &ByteRecord, line: u64) {
        let Some(row) = self.desired.pop_if(|row| row.line == line) else { return };
        let sku = Some(row.sku).filter(|_| layout.sku + 1 < layout.names.len());
        self.reject(sku, record, line, CUT_OFF.to_owned());
    }

    fn reject(&mut self, sku: Option<Sku>, record: &ByteRecord, line: u64, reason: String) {
        self.rejected_rows += 1;
        self.nameless |= sku.is_none() || self.rejected.len() >= KEPT;
        if self.rejected.len() < KEPT {
            self.rejected.push(Rejected { line, sku, reason, record: words(record) });
        }
    }
}

/// The next row, and where it begins; `None` at the end.
fn next<R: io::Read>(
    path: &Path,
    reader: &mut Reader<Watch<R>>,
    record: &mut ByteRecord,
) -> Result<Option<Position>, SourceError> {
    match reader.read_byte_record(record) {
        Ok(true) => Ok(Some(record.position().cloned().unwrap_or_else(Position::new))),
        Ok(false) => Ok(None),
        Err(error) => Err(match (reader.get_ref().damage(), error.into_kind()) {
            (Some((damage, line)), _) => damaged(path, damage).at(line),
            (None, ::csv::ErrorKind::Io(error)) => file::failed(path, &error),
            (None, _) => file::failed(path, &io::ErrorKind::InvalidData.into()),
        }),
    }
}

/// Refuses what is no text, and tells how long the byte order mark is.
fn check_head(path: &Path, head: &[u8], encoding: Encoding) -> Result<usize, SourceError> {
    if let Some((_, what)) = NO_TEXT.iter().find(|(begin, _)| head.starts_with(begin)) {
        let fix = "save it as \"CSV UTF-8\", or whatever your program calls a plain list";
        return Err(SourceError::new(Fault::NotText, path, *what, fix));
    }
    if !head.starts_with(BYTE_ORDER_MARK) {
        return Ok(0);
    }
    if encoding == Encoding::Utf8 { Ok(BYTE_ORDER_MARK.len()) } else { Err(utf8_after_all(path)) }
}

fn check_encoding(path: &Path, settings: &Source, decoder: &Decoder, rows: u64) -> Result<(), SourceError> {
    if decoder.wrong > settings.max_rejected.of(rows) {
        let many = if decoder.wrong == 1 { "row is" } else { "rows are" };
        let what =
            format!("{} {many} in another encoding than `encoding` says, from this line on", decoder.wrong);
        let error = SourceError::new(Fault::Encoding, path, what, other_encoding(settings.encoding));
        return Err(error.at(decoder.first_wrong));
    }
    // Text in Windows-1252 is never UTF-8 by accident, row after row.
    if settings.encoding == Encoding::Windows1252 && decoder.utf8 > 0 && decoder.other == 0 {
        return Err(utf8_after_all(path));
    }
    Ok(())
}

fn utf8_after_all(path: &Path) -> SourceError {
    let fix = "write  encoding = \"utf-8\"  under [source]";
    SourceError::new(Fault::Encoding, path, "is UTF-8, and `encoding` is \"windows-1252\"", fix)
}

fn other_encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "save it as UTF-8, or write  encoding = \"windows-1252\"  under [source]",
        Encoding::Windows1252 => "save it as UTF-8, and write  encoding = \"utf-8\"  under [source]",
    }
}

fn other_currency(path: &Path, theirs: &str, ours: Currency) -> SourceError {
    let what = format!("its prices are in `{theirs}`, and those of the account in {ours}");
    let fix = format!("write a list with prices in {ours}; amounts are never converted");
    SourceError::new(Fault::Currency, path, what, fix)
}

fn damaged(path: &Path, damage: Damage) -> SourceError {
    let quotes = "put the cell in quotes as a whole and write each quote in it twice";
    let (fault, what, fix) = match damage {
        Damage::Nul => (
            Fault::NotText,
            "a byte of nothing stands here, so this is no text, or UTF-16",
            "save it as \"CSV UTF-8\"; if it should be that already, the disk or the program damaged it",
        ),
        Damage::LongLine => (
            Fault::NotText,
            "a line is longer than 1 MiB, which no list has",
            "correct `path` under [source]",
        ),
        Damage::StrayQuote => (Fault::Quotes, "text follows on a closing quote here", quotes),
        Damage::OpenQuote => (
            Fault::Quotes,
            "a quote is opened here and never closed",
            "if the list was not written to its end, write it again; else double the quote",
        ),
    };
    SourceError::new(fault, path, what, fix)
}

/// Refuses a list that names an item twice: nobody knows which of the two is meant. Rows that were rejected count.
fn check_doubles(path: &Path, rows: &[Desired], rejected: &[Rejected]) -> Result<(), SourceError> {
    let mut doubles: Vec<(u64, u64, &Sku)> = rows
        .windows(2)
        .filter(|pair| pair[0].sku == pair[1].sku)
        .map(|pair| (pair[0].line.min(pair[1].line), pair[0].line.max(pair[1].line), &pair[0].sku))
        .collect();
    let mut unread: Vec<(&Sku, u64)> =
        rejected.iter().filter_map(|row| Some((row.sku.as_ref()?, row.line))).collect();
    unread.sort_unstable();
    doubles.extend(
        unread.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[0].1, pair[1].1, pair[0].0)),
    );
    for (sku, line) in unread {
        if let Ok(at) = rows.binary_search_by(|row| row.sku.cmp(sku)) {
            doubles.push((rows[at].line.min(line), rows[at].line.max(line), sku));
        }
    }
    let Some((first, second, sku)) = doubles.iter().min() else { return Ok(()) };
    let more = match doubles.len() - 1 {
        0 => String::new(),
        1 => ", and there is another double".to_owned(),
        more => format!(", and there are {more} more doubles"),
    };
    let what = format!("the SKU `{sku}` is on line {first} and again on line {second}{more}");
    let fix = "keep one row for each SKU; copies of the same item belong in one quantity";
    Err(SourceError::new(Fault::DuplicateSku, path, what, fix).at(*second))
}

/// The cells as text, whatever they are.
fn words(record: &ByteRecord) -> Vec<String> {
    record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}
