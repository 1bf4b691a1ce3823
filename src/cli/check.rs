//! `sellerd config check`: every mistake of every file at once. It contacts nothing.

use serde::Serialize;

use super::args::Format;
use super::home::Home;
use super::{Exit, Failure, output};
use crate::config::{self, Diagnostic, Severity};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    files: usize,
    errors: Vec<&'a Diagnostic>,
    warnings: Vec<&'a Diagnostic>,
}

/// Checks and tells. Exit 78 when there are errors.
pub fn run(home: &Home) -> Result<Exit, Failure> {
    let checked = config::load(&home.dir);
    let of = |severity| checked.diagnostics.iter().filter(|d| d.severity == severity).collect::<Vec<_>>();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let exit = if errors.is_empty() { Exit::Success } else { Exit::Config };
    match home.output {
        Format::Table => output::text(&checked.draw(home.colour))?,
        format => output::document(
            format,
            &Document { schema: "sellerd.config-check/1", files: checked.files, errors, warnings },
        )?,
    }
    Ok(exit)
}
