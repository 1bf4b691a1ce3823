//! How results reach stdout. Nothing but results goes there.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};
use serde::Serialize;

use super::Failure;
use super::args::Format;

/// Writes one JSON document.
pub fn json(document: &impl Serialize) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout());
    serde_json::to_writer(&mut out, document)
        .map_err(io::Error::from)
        .and_then(|()| finish(&mut out))
        .or_else(pipe)
}

/// Writes a result that is one document: as JSON, or in a line for `jsonl`. It has no rows for a CSV.
pub fn document(format: Format, document: &impl Serialize) -> Result<(), Failure> {
    match format {
        Format::Csv => Err(Failure::usage("this result is no list, so there is no CSV of it", "use -o json")),
        _ => json(document),
    }
}

/// Writes lines for people.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).or_else(pipe)
}

/// Writes to stderr. Whoever reads it may have gone; that is no reason to fail, and there is nowhere to complain.
pub fn note(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn finish(out: &mut BufWriter<Stdout>) -> io::Result<()> {
    out.write_all(b"\n")?;
    out.flush()
}

/// Whoever read us has seen enough: that is no failure.
pub fn pipe(error: io::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::internal(format!("the output cannot be written: {error}"))),
    }
}

/// A table without lines, as wide as the terminal.
pub fn table(head: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.to_vec());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table's text, without blanks at the ends of lines.
pub fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// An instant as people read it: the time alone when it is today, the day when it is not.
pub fn when(at: DateTime<Utc>, now: DateTime<Utc>, tz: Tz) -> String {
    let (local, today) = (at.with_timezone(&tz), now.with_timezone(&tz).date_naive());
    match (local.date_naive() - today).num_days() {
        0 => local.format("%H:%M:%S").to_string(),
        1 => local.format("tomorrow %H:%M").to_string(),
        -1 => local.format("yesterday %H:%M").to_string(),
        _ => local.format("%Y-%m-%d %H:%M").to_string(),
    }
}

/// An instant as programs read it, in JSON and in CSV.
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A span in one word: `12 s`, `6 min`, `9 h`, `3 d`.
pub fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().abs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A count and what was counted: `1 request`, `8 431 articles`.
pub fn counted(number: i64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// A number with its thousands apart.
pub fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(thousands(8_431), "8 431");
        assert_eq!(thousands(-1_234_567), "-1 234 567");
        assert_eq!(thousands(7), "7");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(2_000, "request"), "2 000 requests");
        assert_eq!(span(TimeDelta::seconds(61)), "61 s");
        assert_eq!(span(TimeDelta::minutes(23)), "23 min");
        assert_eq!(span(TimeDelta::days(3)), "3 d");
    }

    #[test]
    fn a_day_is_named_only_when_it_is_not_today() {
        let now = "2026-11-22T13:54:00Z".parse().unwrap();
        let at = |text: &str| when(text.parse().unwrap(), now, chrono_tz::Europe::Berlin);
        assert_eq!(at("2026-11-22T14:00:00Z"), "15:00:00");
        assert_eq!(at("2026-11-22T23:05:00Z"), "tomorrow 00:05");
        assert_eq!(at("2026-12-24T10:00:00Z"), "2026-12-24 11:00");
    }
}
