//! Where the guide's words go. They are the result for whoever looks; for a program the result is one document, and
//! they are only remarks beside it.

use crate::cli::Failure;
use crate::cli::args::Format;
use crate::cli::home::Home;
use crate::cli::output::{note, text};

/// Says what happens.
#[derive(Debug, Clone, Copy)]
pub enum Words {
    /// To people, on stdout.
    Result,
    /// Beside the document, on stderr.
    Remark,
    /// To nobody.
    Unsaid,
}

impl Words {
    /// As the command line asks for it. The tour is no list, so there is no CSV of it, which is said before it begins.
    pub fn of(home: &Home) -> Result<Self, Failure> {
        match home.output {
            Format::Table => Ok(Self::Result),
            Format::Csv => {
                Err(Failure::usage("the tour is no list, so there is no CSV of it", "use -o json"))
            }
            Format::Json | Format::Jsonl if home.quiet => Ok(Self::Unsaid),
            Format::Json | Format::Jsonl => Ok(Self::Remark),
        }
    }

    /// Says it.
    pub fn say(self, words: &str) -> Result<(), Failure> {
        match self {
            Self::Result => text(words),
            Self::Remark => {
                note(words);
                Ok(())
            }
            Self::Unsaid => Ok(()),
        }
    }
}
