//! Lists of any length, row by row: nothing is collected but what a table needs to find its widths.

use std::io::{self, BufWriter, Stdout, Write};

use comfy_table::Table;
use serde::Serialize;

use super::Failure;
use super::args::Format;
use super::home::Home;
use super::output::{lines, note, pipe, table};
use crate::config::Config;
use crate::store::{StoreError, Tx};

/// How one kind of row is shown.
pub trait Row: Serialize {
    /// The heads of the table.
    const HEAD: &'static [&'static str];
    /// The columns of the table that hold numbers.
    const NUMBERS: &'static [usize];
    /// The columns of the CSV, named as in JSON.
    const CSV: &'static [&'static str];

    /// The cells of the table.
    fn cells(&self, tz: chrono_tz::Tz) -> Vec<String>;

    /// The rows of the CSV: one, unless the row has lines of its own.
    fn csv(&self) -> Vec<Vec<String>>;
}

/// Writes rows as they come.
pub enum List {
    /// `{"schema": ..., "<key>": [ ... ]}`.
    Json { out: BufWriter<Stdout>, first: bool },
    /// An object a line.
    Jsonl(BufWriter<Stdout>),
    /// With a head.
    Csv(Box<csv::Writer<Stdout>>),
    /// For people.
    Table(Box<Table>, chrono_tz::Tz),
}

impl List {
    /// Begins a list of `T`, which JSON calls `key`.
    pub fn begin<T: Row>(format: Format, schema: &str, key: &str, tz: chrono_tz::Tz) -> io::Result<Self> {
        Ok(match format {
            Format::Json => {
                let mut out = BufWriter::new(io::stdout());
                write!(out, "{{\"schema\":\"{schema}\",\"{key}\":[")?;
                Self::Json { out, first: true }
            }
            Format::Jsonl => Self::Jsonl(BufWriter::new(io::stdout())),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(io::stdout());
                writer.write_record(T::CSV).map_err(plain)?;
                Self::Csv(Box::new(writer))
            }
            Format::Table => Self::Table(Box::new(table(T::HEAD, T::NUMBERS)), tz),
        })
    }

    /// Writes one row.
    pub fn row<T: Row>(&mut self, row: &T) -> io::Result<()> {
        match self {
            Self::Json { out, first } => {
                if !std::mem::take(first) {
                    out.write_all(b",")?;
                }
                serde_json::to_writer(out, row)?;
            }
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut *out, row)?;
                out.write_all(b"\n")?;
            }
            Self::Csv(writer) => {
                for record in row.csv() {
                    writer.write_record(record.iter().map(|cell| harmless(cell))).map_err(plain)?;
                }
            }
            Self::Table(table, tz) => {
                table.add_row(row.cells(*tz));
            }
        }
        Ok(())
    }

    /// Ends the list. `empty` is what people read when there is nothing in it.
    pub fn end(self, empty: &str) -> io::Result<()> {
        match self {
            Self::Json { mut out, .. } => {
                out.write_all(b"]}\n")?;
                out.flush()
            }
            Self::Jsonl(mut out) => out.flush(),
            Self::Csv(mut writer) => writer.flush(),
            Self::Table(table, _) if table.row_iter().next().is_none() => {
                note(&format!("{empty}\n"));
                Ok(())
            }
            Self::Table(table, _) => io::stdout().write_all(lines(&table).as_bytes()),
        }
    }
}

/// What a list is called in JSON, and what people read when it is empty.
pub struct Named {
    /// The document's schema.
    pub schema: &'static str,
    /// The member that holds the rows.
    pub key: &'static str,
    /// The sentence for an empty one.
    pub empty: &'static str,
}

/// Writes rows straight from the database, as `each` hands them over. Without a database the list is empty.
pub async fn stream<T: Row + 'static>(
    home: &Home,
    config: &Config,
    named: Named,
    each: impl FnOnce(&Tx<'_>, &mut dyn FnMut(T) -> Result<(), StoreError>) -> Result<(), StoreError>
    + Send
    + 'static,
) -> Result<(), Failure> {
    let (format, tz) = (home.output, config.timezone);
    let Some(store) = home.store(config)? else {
        let list = List::begin::<T>(format, named.schema, named.key, tz);
        return done(list.and_then(|list| list.end(named.empty)));
    };
    let written = store.read(move |tx| {
        let mut list = match List::begin::<T>(format, named.schema, named.key, tz) {
            Ok(list) => list,
            Err(error) => return Ok(Err(error)),
        };
        let mut broken = None;
        each(tx, &mut |row| {
            if broken.is_none() {
                broken = list.row(&row).err();
            }
            Ok(())
        })?;
        Ok(match broken {
            Some(error) => Err(error),
            None => list.end(named.empty),
        })
    });
    done(written.await?)
}

/// The result of writing a list, where a reader that went away is no failure.
pub fn done(result: io::Result<()>) -> Result<(), Failure> {
    result.or_else(pipe)
}

/// The error below the CSV writer's own, so that a reader which went away is known as one.
pub fn plain(error: csv::Error) -> io::Error {
    let words = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::other(words),
    }
}

/// A cell that a spreadsheet would take for a formula gets a quote in front: buyers and sellers choose their own words.
pub fn harmless(cell: &str) -> String {
    let is_number = cell.parse::<f64>().is_ok();
    match cell.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') if !is_number => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(harmless("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(harmless("@sum"), "'@sum");
        assert_eq!(harmless("-2"), "-2");
        assert_eq!(harmless("Jace, the Mind Sculptor"), "Jace, the Mind Sculptor");
    }

    #[test]
    fn a_reader_of_csv_that_went_away_is_known_as_one() {
        let gone = plain(io::Error::from(io::ErrorKind::BrokenPipe).into());
        assert!(done(Err(gone)).is_ok());
        assert!(done(Err(io::Error::from(io::ErrorKind::StorageFull))).is_err());
    }
}
