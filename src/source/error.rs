//! Why a list is not believed at all: what is wrong, where, and what mends it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::domain::{ErrorType, clean};

/// A list that is refused as a whole. Nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}; {fix}", Place(.path, *.line))]
pub struct SourceError {
    /// The kind of mistake, for programs.
    pub fault: Fault,
    /// The file.
    pub path: PathBuf,
    /// The line, where the mistake has one.
    pub line: Option<u64>,
    /// What is wrong, for people.
    pub what: String,
    /// The edit or command that mends it.
    pub fix: String,
}

/// What can be wrong with a list as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// There is no such file.
    Missing,
    /// It may not be read, or the disk fails.
    Unreadable,
    /// A directory, a pipe, or far too large.
    NotAFile,
    /// It holds nothing at all.
    Empty,
    /// It is older than it may be.
    Stale,
    /// It is from the future: a clock is wrong.
    Future,
    /// Somebody wrote to it or put another in its place while it was read.
    Changed,
    /// It ends in the middle of a row.
    Truncated,
    /// It is no text: a workbook, an archive, UTF-16.
    NotText,
    /// It is in another encoding than the configuration says.
    Encoding,
    /// Its quotes do not match, so nobody knows where its cells end.
    Quotes,
    /// Its columns are not those that are needed.
    Columns,
    /// It names an item twice.
    DuplicateSku,
    /// Its prices are in another currency than the account's.
    Currency,
}

impl SourceError {
    /// A mistake of the file as a whole.
    pub(super) fn new(fault: Fault, path: &Path, what: impl Into<String>, fix: impl Into<String>) -> Self {
        let (what, fix) = (clean(&what.into()), clean(&fix.into()));
        Self { fault, path: path.to_owned(), line: None, what, fix }
    }

    /// The same with its line.
    pub(super) fn at(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }

    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> ErrorType {
        match self.fault {
            Fault::Missing | Fault::Unreadable | Fault::NotAFile => ErrorType::SourceMissing,
            Fault::Stale => ErrorType::SourceStale,
            _ => ErrorType::SourceInvalid,
        }
    }
}

impl Fault {
    /// The word for it in events and problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::NotAFile => "not-a-file",
            Self::Empty => "empty",
            Self::Stale => "stale",
            Self::Future => "from-the-future",
            Self::Changed => "changed-while-read",
            Self::Truncated => "truncated",
            Self::NotText => "not-text",
            Self::Encoding => "encoding",
            Self::Quotes => "quotes",
            Self::Columns => "columns",
            Self::DuplicateSku => "duplicate-sku",
            Self::Currency => "currency",
        }
    }
}

/// A file, and the line in it.
struct Place<'a>(&'a Path, Option<u64>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(&self.0.to_string_lossy()))?;
        self.1.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}
