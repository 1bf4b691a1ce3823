//! A command line that cannot be understood, told to a program: one JSON object like every other error.
//!
//! The parser has given up by then, so whether JSON was asked for is looked for in the words themselves.

use clap::error::ContextKind;

use super::Failure;

/// Whether the words, or else the environment, ask for JSON.
pub fn wants_json(words: impl IntoIterator<Item = String>, from_env: Option<&str>) -> bool {
    let mut words = words.into_iter().skip(1);
    let mut wanted = None;
    while let Some(word) = words.next() {
        let attached = word.strip_prefix("--output=").or_else(|| match word.strip_prefix("-o") {
            Some(value) if !value.is_empty() => Some(value.strip_prefix('=').unwrap_or(value)),
            _ => None,
        });
        wanted = match (attached, word.as_str()) {
            (Some(value), _) => Some(value.to_owned()),
            (None, "-o" | "--output") => words.next(),
            (None, "--") => break,
            (None, _) => continue,
        };
    }
    matches!(wanted.as_deref().or(from_env), Some("json" | "jsonl"))
}

/// The error that the parser would print.
pub fn failure(error: &clap::Error) -> Failure {
    let drawn = error.render().to_string();
    let first = drawn.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.strip_prefix("error: ").unwrap_or(first).split_whitespace().collect();
    let near = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let near = near.into_iter().find_map(|kind| error.get(kind)).map(|near| format!("did you mean {near}? "));
    Failure::usage(words.join(" "), format!("{}sellerd --help", near.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::args::Args;
    use super::*;

    #[track_caller]
    fn check(words: &str, from_env: Option<&str>, expected: bool) {
        let words = words.split_whitespace().map(str::to_owned);
        assert_eq!(wants_json(words, from_env), expected);
    }

    #[test]
    fn json_is_asked_for_in_every_way_that_the_parser_takes() {
        check("sellerd nonsense", None, false);
        check("sellerd nonsense -o json", None, true);
        check("sellerd -ojson nonsense", None, true);
        check("sellerd -o=jsonl nonsense", None, true);
        check("sellerd --output json nonsense", None, true);
        check("sellerd --output=jsonl nonsense", None, true);
        check("sellerd nonsense -o table", Some("json"), false);
        check("sellerd nonsense", Some("json"), true);
        check("sellerd nonsense -o", None, false);
        check("sellerd nonsense -- -o json", None, false);
    }

    #[test]
    fn what_is_wrong_and_what_was_meant_are_told() {
        let told = |words: &[&str]| failure(&Args::command().try_get_matches_from(words).unwrap_err());
        let wrong = told(&["sellerd", "appply", "p-3"]);
        assert_eq!(wrong.message, "unrecognized subcommand 'appply'");
        assert!(wrong.fix.starts_with("did you mean apply?"), "{}", wrong.fix);
        let wrong = told(&["sellerd", "apply", "x"]);
        assert!(wrong.message.contains("plans are named like p-12"), "{}", wrong.message);
        let wrong = told(&["sellerd", "apply"]);
        assert!(wrong.message.contains("<PLAN>"), "{}", wrong.message);
    }
}
