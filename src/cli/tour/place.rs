//! Where the tour keeps its files while it lasts, or for good.

use std::fs;
use std::path::{Path, PathBuf};

use super::words::Words;
use crate::cli::args::TryOptions;
use crate::cli::{Exit, Failure};

/// How the temporary directory's name begins.
const PREFIX: &str = "sellerd-try-";

/// The directory of configuration and database.
pub enum Place {
    /// It is removed at the end.
    Gone(tempfile::TempDir),
    /// It stays, where somebody said.
    Kept(PathBuf),
}

impl Place {
    /// A new one, or the one that was named.
    pub fn of(options: &TryOptions) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| {
            Failure::new(
                "E474",
                Exit::Failed,
                format!("no directory for the tour: {error}"),
                "make room, or name another with --keep DIR",
            )
        };
        match &options.keep {
            None => tempfile::Builder::new().prefix(PREFIX).tempdir().map(Self::Gone).map_err(wrong),
            // What is printed has to work from any other directory.
            Some(dir) => {
                fs::create_dir_all(dir).and_then(|()| std::path::absolute(dir)).map(Self::Kept).map_err(wrong)
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Gone(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }

    /// Whether nothing will be left of it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// Removes what is temporary and says so.
    pub fn leave(self, words: Words) -> Result<(), Failure> {
        match self {
            Self::Kept(dir) => {
                words.say(&format!("\nThe tour is over. Everything is in {}.\n", dir.display()))
            }
            Self::Gone(dir) => {
                let path = dir.path().display().to_string();
                dir.close().map_err(|error| {
                    Failure::new(
                        "E474",
                        Exit::Failed,
                        format!("{path} could not be removed: {error}"),
                        format!("rm -r {path}"),
                    )
                })?;
                words.say("\nThe tour is over, and everything is removed.\n")
            }
        }
    }
}
