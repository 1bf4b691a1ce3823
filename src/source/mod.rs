//! Where the seller's own list is read: what is to be for sale, row by row, or why the list cannot be believed.
//!
//! A list that is damaged as a whole is refused as a whole, since half of a list looks like a shop that sold out.
//! A row that is damaged is rejected, with its reason, and the others count.

mod cells;
pub mod csv;
mod encoding;
mod error;
mod file;
mod header;
pub mod list;
pub mod rejected;
mod row;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod watch;

use chrono::{DateTime, Utc};

pub use error::{Fault, SourceError};

use crate::config::MaxRejected;
use crate::domain::{Desired, Sku};

/// How many rejected rows are kept in full. Of more than that nobody reads each.
pub const KEPT: usize = 10_000;

/// A list that was read to its end and believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The rows that could be read, sorted by SKU. No SKU is there twice, the rejected rows' included.
    pub rows: Vec<Desired>,
    /// The rows that could not be read, in the order of the file. Of a file with very many the first
    /// [`KEPT`].
    pub rejected: Vec<Rejected>,
    /// How many rows could not be read.
    pub rejected_rows: u64,
    /// Whether a rejected row does not tell its SKU. Then nobody knows that an item is absent from the list.
    pub nameless: bool,
    /// All rows but the header and blank ones.
    pub total_rows: u64,
    /// The names of the columns, as the file has them.
    pub header: Vec<String>,
    /// Whether there is a column with prices.
    pub has_price: bool,
    /// When the list was true: the time of the file.
    pub as_of: DateTime<Utc>,
    /// What the file held, as SHA-1 in hexadecimal digits: the same bytes, the same list.
    pub digest: String,
    /// How long the file is.
    pub bytes: u64,
}

impl Read {
    /// How many rows were allowed to be rejected, where more were.
    pub fn too_many_rejected(&self, most: MaxRejected) -> Option<u64> {
        Some(most.of(self.total_rows)).filter(|most| self.rejected_rows > *most)
    }

    /// The SKUs whose rows could not be read: what the list wants for them is not known, which is not the same as
    /// their being absent.
    pub fn unread(&self) -> impl Iterator<Item = &Sku> {
        self.rejected.iter().filter_map(|row| row.sku.as_ref())
    }
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The line on which it begins.
    pub line: u64,
    /// Its SKU, if that much could be read.
    pub sku: Option<Sku>,
    /// Why, for people.
    pub reason: String,
    /// Its cells, as far as they are text.
    pub record: Vec<String>,
}
