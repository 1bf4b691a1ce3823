//! Mistakes drawn for people: the line, the place underlined, the fix.
//!
//! Drawn by ourselves rather than by a library, since masking has to happen before anything else sees the line.

use std::fmt::Write;

use super::diagnostic::{Diagnostic, Severity, Spot};
use crate::domain::clean;

/// Draws the mistakes in the order given, each followed by an empty line, without a summary.
pub fn draw(diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        // Writing to a String cannot fail.
        let _ = one(&mut out, diagnostic, Ink { on: colour });
    }
    out
}

/// A place as it is named: file, line and column.
pub(super) fn place(spot: &Spot) -> String {
    format!("{}:{}:{}", clean(&spot.file.to_string_lossy()), spot.line, spot.column)
}

/// The last line, where the eye ends.
pub(super) fn summary(files: usize, diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    format!(
        "{} checked, {}, {}.  Nothing was contacted.\n",
        number(files, "file"),
        number(count(Severity::Error), "error"),
        number(count(Severity::Warning), "warning"),
    )
}

fn number(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

fn one(out: &mut String, d: &Diagnostic, ink: Ink) -> std::fmt::Result {
    let (word, colour) = match d.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    writeln!(out, "{}: {}", ink.paint(colour, &format!("{word}[{}]", d.code)), ink.paint("1", &d.message))?;
    let file = clean(&d.file.to_string_lossy());
    let width = d.line.to_string().len().max(2);
    let gutter = " ".repeat(width);
    match &d.excerpt {
        None => writeln!(out, "{gutter}{} {file}", ink.paint("34", "-->"))?,
        Some(excerpt) => {
            let bar = ink.paint("34", "|");
            writeln!(out, "{gutter}{} {file}:{}:{}", ink.paint("34", "-->"), d.line, d.column)?;
            writeln!(out, "{gutter} {bar}")?;
            let line = format!("{:>width$} {bar} {}", d.line, excerpt.text);
            writeln!(out, "{}", line.trim_end())?;
            let carets = ink.paint(colour, &"^".repeat(excerpt.len));
            let label = d.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
            writeln!(out, "{gutter} {bar} {}{carets}{label}", " ".repeat(excerpt.at))?;
        }
    }
    if let Some(fix) = &d.fix {
        let lead = if fix.starts_with("did you mean") { "" } else { "fix: " };
        writeln!(out, "{gutter} {} {lead}{fix}", ink.paint("34", "="))?;
    }
    writeln!(out)
}

/// Paint, or none.
#[derive(Clone, Copy)]
struct Ink {
    on: bool,
}

impl Ink {
    fn paint(self, colour: &str, text: &str) -> String {
        if self.on { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::diagnostic::{Code, Wrong};
    use super::super::source::Source;
    use super::*;

    #[test]
    fn an_error_is_drawn_with_its_line_its_place_and_its_fix() {
        let text = "[guards]\nmax_change_percnt = 10\n";
        let mut source = Source::new(Path::new("/etc/sellerd/jobs/stock-sync.toml"), text);
        source.wrong(
            9..26,
            Wrong::new(Code::UnknownSetting, "unknown setting `max_change_percnt`", "did you mean `x`?")
                .label("not a setting of [guards]"),
        );
        let drawn = draw(&source.found, false);
        assert_eq!(
            drawn,
            "error[E102]: unknown setting `max_change_percnt`\n  \
               --> /etc/sellerd/jobs/stock-sync.toml:2:1\n   \
                |\n \
              2 | max_change_percnt = 10\n   \
                | ^^^^^^^^^^^^^^^^^ not a setting of [guards]\n   \
                = did you mean `x`?\n\n"
        );
    }

    #[test]
    fn a_mistake_without_a_line_shows_its_file_alone() {
        let d = Wrong::new(Code::NoSettings, "there is no sellerd.toml", "sellerd init")
            .at(Spot::whole(Path::new("/x/sellerd.toml")));
        let drawn = draw(std::slice::from_ref(&d), false);
        assert_eq!(
            drawn,
            "error[E132]: there is no sellerd.toml\n  --> /x/sellerd.toml\n   = fix: sellerd init\n\n"
        );
        assert!(draw(&[d], true).contains("\x1b["));
    }

    #[test]
    fn the_summary_counts_in_words() {
        assert_eq!(summary(1, &[]), "1 file checked, no errors, no warnings.  Nothing was contacted.\n");
        let d = |code| Wrong::new(code, "", "").at(Spot::whole(Path::new("")));
        let all = [d(Code::NotToml), d(Code::Missing), d(Code::OpenPage)];
        assert_eq!(summary(5, &all), "5 files checked, 2 errors, 1 warning.  Nothing was contacted.\n");
    }
}
