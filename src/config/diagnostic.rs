//! One mistake in the configuration: what is wrong, where, and the edit that mends it.
//!
//! The codes are a closed table, so that a program may switch on them and a person may look them up. A
//! diagnostic carries its excerpt already masked: whoever draws it has no secret to leak.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::domain::clean;

/// One mistake. Serialized it is what `sellerd config check -o json` lists (contract, section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the configuration can be used in spite of it.
    #[serde(skip)]
    pub severity: Severity,
    /// The stable code, for example `E102`.
    pub code: &'static str,
    /// The file it stands in, or that is missing.
    #[serde(serialize_with = "path_text")]
    pub file: PathBuf,
    /// The line, from 1. It is 1 too where the mistake is the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The command or edit that mends it.
    pub fix: Option<String>,
    /// What stands below the underlined place.
    #[serde(skip)]
    pub(super) label: Option<String>,
    /// The line it stands in; `None` where there is no line to show.
    #[serde(skip)]
    pub(super) excerpt: Option<Excerpt>,
}

impl Diagnostic {
    /// What is wrong, with its place where that is a line of a file.
    pub fn placed(&self) -> String {
        match self.excerpt {
            Some(_) => format!("{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message),
            None => self.message.clone(),
        }
    }
}

/// Whether a configuration with this mistake can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and somebody should know.
    Warning,
}

/// A line of a file as it may be shown: secrets masked, nothing in it that could move a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line.
    pub text: String,
    /// How many characters stand before the place.
    pub at: usize,
    /// How many characters the place has, at least one.
    pub len: usize,
}

/// Where a mistake is. Kept apart from [`Diagnostic`] for checks that look across files and speak up later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub excerpt: Option<Excerpt>,
}

impl Spot {
    /// The file as a whole.
    pub fn whole(file: &Path) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, excerpt: None }
    }
}

/// What is wrong and how it is mended, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub code: Code,
    pub message: String,
    pub fix: String,
    pub label: Option<String>,
}

impl Wrong {
    /// Every mistake comes with its fix; there is no way to make one without.
    pub fn new(code: Code, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, message: message.into(), fix: fix.into(), label: None }
    }

    /// Adds what stands below the underlined place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Gives it its place.
    pub fn at(self, spot: Spot) -> Diagnostic {
        Diagnostic {
            severity: self.code.severity(),
            code: self.code.id(),
            file: spot.file,
            line: spot.line,
            column: spot.column,
            message: clean(&self.message),
            fix: Some(clean(&self.fix)),
            label: self.label.map(|label| clean(&label)),
            excerpt: spot.excerpt,
        }
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal $title:literal,)*) => {
        /// The closed table of codes. A code keeps its meaning for ever; one that is no longer used is not given
        /// to something else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code itself.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What it stands for, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    NotToml = "E101" "the file is not TOML",
    UnknownSetting = "E102" "a setting that does not exist here",
    WrongType = "E103" "a value of the wrong type",
    Missing = "E104" "a setting that must be there is not",
    BadValue = "E105" "a value that cannot be used",
    BadName = "E106" "a name that cannot be used",
    NewerVersion = "E107" "written for a newer sellerd",
    NotJson = "E108" "a template that is not JSON",
    UnknownAccount = "E110" "an account that sellerd.toml does not have",
    UnknownKind = "E111" "a job kind that does not exist",
    UnknownMarketplace = "E112" "a marketplace that does not exist",
    UnknownZone = "E113" "a time zone that does not exist",
    KindNotYet = "E114" "a job kind that this version does not have yet",
    NeedlessAccount = "E115" "an account on a job that belongs to none",
    SourceNotYet = "E116" "a source that this version does not have yet",
    SameTemplate = "E117" "two files for one template",
    NeverFires = "E120" "a schedule that is never due",
    BadCron = "E121" "a schedule that cannot be read",
    Unreadable = "E130" "a file that cannot be read",
    NoDirectory = "E131" "no configuration directory",
    NoSettings = "E132" "no sellerd.toml",
    SecretInConfig = "E301" "a secret outside the secrets directory",
    SecretsMissing = "E302" "credentials that are needed and missing",
    HalfPair = "E303" "one half of a pair of credentials",
    CommandFailed = "E304" "a command that prints no credentials",
    NothingToWrite = "W101" "apply mode on a job that never writes",
    OpenPage = "W110" "a status page that others can reach",
    NoJobs = "W120" "nothing to do",
    StrayJob = "W121" "a file in jobs/ that is no job",
    SameStock = "W130" "two jobs that write the same stock",
    OverBudget = "W140" "schedules that need more requests than the limit",
    SecretsReadable = "W301" "credentials that others can read",
    SecretsDiffer = "W302" "two places with different credentials",
    StraySecrets = "W303" "credentials of no account",
}

impl Code {
    /// Codes that begin with `E` are errors.
    pub fn severity(self) -> Severity {
        if self.id().starts_with('E') { Severity::Error } else { Severity::Warning }
    }
}

/// A text from outside as it may stand in a message: no control characters, and not without end.
pub(super) fn shown(text: &str) -> String {
    let mut short = clean(text);
    if let Some((cut, _)) = short.char_indices().nth(60) {
        short.truncate(cut);
        short.push('…');
    }
    short
}

fn path_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let ids: Vec<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    }

    #[test]
    fn a_long_or_wild_text_is_shown_short_and_tame() {
        assert_eq!(shown("a\u{1b}[2Jb\nc"), "a[2Jb c");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), 61);
    }
}
