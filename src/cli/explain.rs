//! `sellerd explain CODE`: what a code means, at length.

mod codes;

use serde::Serialize;

use super::home::Home;
use super::output;
use super::{Exit, Failure};
use crate::domain::nearest;
use codes::{CODES, Explained};

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    code: &'static str,
    title: &'static str,
    text: &'static str,
}

/// All codes, in a word each.
#[derive(Serialize)]
struct All {
    schema: &'static str,
    codes: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    code: &'static str,
    title: &'static str,
}

/// Explains one code, or lists them all.
pub fn run(code: Option<&str>, home: &Home) -> Result<Exit, Failure> {
    let Some(typed) = code else {
        if home.output.is_json() {
            let codes = CODES.iter().map(|known| Listed { code: known.code, title: known.title }).collect();
            output::json(&All { schema: "sellerd.explain/1", codes })?;
            return Ok(Exit::Success);
        }
        let lines: String = CODES.iter().map(|known| format!("{}  {}\n", known.code, known.title)).collect();
        output::text(&lines)?;
        return Ok(Exit::Success);
    };
    let Some(Explained { code, title, text }) = find(typed) else {
        let near = nearest(&typed.to_uppercase(), CODES.iter().map(|known| known.code));
        let fix = match near {
            Some(near) => format!("sellerd explain {near}, or see them all: sellerd explain"),
            None => "see them all: sellerd explain".to_owned(),
        };
        return Err(Failure::usage(format!("there is no code `{typed}`"), fix));
    };
    if home.output.is_json() {
        let document = Document { schema: "sellerd.explain/1", code, title, text };
        output::json(&document)?;
    } else {
        output::text(&format!("{code}: {title}\n\n{}\n", wrapped(text, 100)))?;
    }
    Ok(Exit::Success)
}

fn find(typed: &str) -> Option<&'static Explained> {
    CODES.iter().find(|known| known.code.eq_ignore_ascii_case(typed.trim()))
}

/// The text in lines of at most so many characters, where its words allow it.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::config::Code;

    /// The codes that stand in the source between quotes, but for this room's own table.
    fn printed(dir: &Path, into: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("cli/explain") {
                    printed(&path, into);
                }
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            into.extend(text.split('"').filter(|quoted| is_code(quoted)).map(str::to_owned));
        }
    }

    fn is_code(text: &str) -> bool {
        let digits = text.strip_prefix(['E', 'W']);
        digits.is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    }

    #[test]
    fn every_code_that_can_be_printed_is_explained_and_no_other() {
        let mut codes = BTreeSet::new();
        printed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
        let explained: BTreeSet<String> = CODES.iter().map(|known| known.code.to_owned()).collect();
        let missing: Vec<_> = codes.difference(&explained).collect();
        assert!(missing.is_empty(), "add them to src/cli/explain/codes.rs: {missing:?}");
        let unused: Vec<_> = explained.difference(&codes).collect();
        assert!(unused.is_empty(), "nothing prints them: {unused:?}");
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
        for known in CODES {
            assert!(known.text.len() > 80 && known.text.ends_with('.'), "{}", known.code);
        }
    }

    #[test]
    fn the_configurations_codes_are_called_the_same_here() {
        for code in Code::ALL {
            assert_eq!(find(code.id()).map(|known| known.title), Some(code.title()));
        }
    }

    #[test]
    fn lines_are_short_and_nothing_is_lost() {
        for known in CODES {
            let text = wrapped(known.text, 100);
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert_eq!(text.replace('\n', " "), known.text);
        }
        assert!(find(" e520 ").is_some() && find("E9999").is_none());
    }
}
