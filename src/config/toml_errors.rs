//! From the text of a file to a plain struct, with every mistake on the way and not just the first.
//!
//! serde stops at the first mistake. So what it complained about is taken out of the parsed tree and it is asked
//! again, until it is content. Taking it out of the tree rather than blanking the line in the text keeps all
//! places as they are, also where a value spans lines or several stand in one.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::diagnostic::{Code, Wrong, shown};
use super::source::Source;
use super::values;
use crate::domain::nearest;

/// A parsed file, each key and value with its place.
pub(super) type Tree<'a> = Spanned<DeTable<'a>>;

/// How many syntax errors of one file are shown. After a few the rest are echoes of the first.
const SYNTAX_ERRORS: usize = 5;

/// How often serde is asked again. Each time takes one setting out, so this is also how many are reported.
const ROUNDS: usize = 64;

/// Parses the text. Where some lines are no TOML, the others are still read; `None` when guessing on would only
/// produce false alarms, since it is not known which table a setting belongs to.
pub(super) fn parse<'a>(source: &mut Source<'a>) -> Option<Tree<'a>> {
    let (tree, errors) = DeTable::parse_recoverable(source.text);
    let mut lost = errors.len() > SYNTAX_ERRORS;
    let mut lines = Vec::new();
    for error in errors.iter().filter(|error| !error.message().is_empty()) {
        let span = error.span().unwrap_or(source.text.len()..source.text.len());
        let place = source.spot(span.clone());
        if lines.contains(&place.line) || lines.len() >= SYNTAX_ERRORS {
            continue;
        }
        lines.push(place.line);
        let line = source.text.lines().nth(place.line - 1).unwrap_or_default().trim_start();
        lost |= line.starts_with('[');
        source.break_line(span.start);
        source.wrong(span, not_toml(error.message(), line, source.secret));
    }
    (!lost).then_some(tree)
}

fn not_toml(message: &str, line: &str, secret: bool) -> Wrong {
    let message = message.trim_end_matches(", expected nothing");
    let duplicate = message.contains("duplicate key");
    let number =
        line.split_once('=').is_some_and(|(_, v)| v.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    let bare = line.split_once('=').map(|(_, value)| value.trim_start()).is_some_and(|value| {
        !value.starts_with(['"', '\'', '[', '{']) && !value.starts_with("true") && !value.starts_with("false")
    });
    let fix = match () {
        () if duplicate => "keep one of the two",
        () if message.contains("unquoted key") => "a name is made of the letters a to z, digits, `-` and `_`",
        () if number && !secret => "write a number plainly, such as 5 or 0.5, and anything else in quotes",
        () if bare || secret => "write it as  name = \"text\"  on one line, with the text in quotes",
        () if message.contains("string") => {
            "close the quotes; inside them write \\\" for a quote and \\\\ for a backslash"
        }
        () if line.starts_with('[') => "write the heading as  [name]  on a line of its own",
        () => "write each setting as  name = value  on a line of its own, text in quotes",
    };
    let said = if duplicate { "this name is there twice" } else { "this is not TOML" };
    let wrong = Wrong::new(Code::NotToml, said, fix);
    if duplicate || secret { wrong } else { wrong.label(message) }
}

/// What a struct is read from, for messages.
pub(super) struct Place<'p> {
    /// Where the table stands in its file, for example `accounts.cm-main`; empty for the top.
    pub path: &'p str,
    /// What people call it: `[accounts.cm-main]`, `probe jobs`.
    pub name: &'p str,
    /// Settings that exist there too, but are read by other means.
    pub also: &'p [&'p str],
}

/// Reads a table into `T`, complaining about each setting that does not fit, and leaving it out.
pub(super) fn read<T: DeserializeOwned>(
    source: &mut Source<'_>,
    mut tree: Tree<'_>,
    place: &Place<'_>,
) -> Option<T> {
    for _ in 0..ROUNDS {
        let error = match T::deserialize(Deserializer::from(tree.clone())) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let Some(span) = error.span() else {
            source.wrong(
                tree.span(),
                Wrong::new(Code::BadValue, "this cannot be read", "compare it with the samples"),
            );
            return None;
        };
        let Some(mut taken) = take(tree.get_mut(), &span) else {
            source.wrong(
                span,
                Wrong::new(Code::BadValue, "this cannot be read", "compare it with the samples"),
            );
            return None;
        };
        if !place.path.is_empty() {
            taken.path.insert(0, place.path.to_owned());
        }
        let wrong = if taken.key == span && error.message().starts_with("unknown field") {
            unknown(&taken, error.message(), place)
        } else {
            wrong_type(&taken, error.message())
        };
        source.drop_setting(taken.path.join("."));
        source.wrong(span, wrong);
    }
    None
}

/// A setting taken out of a tree.
struct Taken {
    path: Vec<String>,
    key: Range<usize>,
    found: &'static str,
    in_list: bool,
}

/// Takes out the setting whose key or value stands at `span`, the innermost one.
fn take(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Taken> {
    let mut here = None;
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().to_string();
        let inner = match value.get_mut() {
            DeValue::Table(inner) => take(inner, span),
            DeValue::Array(items) => items.iter().position(|item| item.span() == *span).map(|at| {
                let found = items[at].get_ref().type_str();
                *items = items.iter().filter(|item| item.span() != *span).cloned().collect();
                Taken { path: Vec::new(), key: 0..0, found, in_list: true }
            }),
            _ => None,
        };
        if let Some(mut taken) = inner {
            taken.path.insert(0, name);
            return Some(taken);
        }
        if key.span() == *span || value.span() == *span {
            here = Some(Taken {
                path: vec![name],
                key: key.span(),
                found: value.get_ref().type_str(),
                in_list: false,
            });
        }
    }
    let taken = here?;
    table.remove(taken.path[0].as_str());
    Some(taken)
}

fn unknown(taken: &Taken, message: &str, place: &Place<'_>) -> Wrong {
    let (name, parents) =
        taken.path.split_last().map_or(("", &[][..]), |(name, parents)| (name.as_str(), parents));
    // serde lists what it knows in backticks, after the unknown name, which may hold backticks of its own.
    let list = message.strip_prefix("unknown field `").and_then(|m| m.strip_prefix(name)).unwrap_or("");
    let top = parents.join(".") == place.path;
    let known: Vec<&str> =
        list.split('`').skip(2).step_by(2).chain(place.also.iter().copied().filter(|_| top)).collect();
    let owner = if top { place.name.to_owned() } else { format!("[{}]", shown(&parents.join("."))) };
    unknown_setting(name, &known, &owner)
}

/// The words for a setting that does not exist.
pub(super) fn unknown_setting(name: &str, known: &[&str], owner: &str) -> Wrong {
    let fix = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("remove it; the settings of {owner} are: {}", known.join(", ")),
    };
    Wrong::new(Code::UnknownSetting, format!("unknown setting `{}`", shown(name)), fix)
        .label(format!("not a setting of {owner}"))
}

/// Complains that the setting on which all others depend is not there: at a key that may be meant for it, else at
/// the heading.
pub(super) fn missing_choice(
    source: &mut Source<'_>,
    table: &DeTable<'_>,
    path: &str,
    heading: Range<usize>,
    wrong: Wrong,
) {
    let name = path.rsplit('.').next().unwrap_or_default();
    let typo = table.keys().find(|key| nearest(key.get_ref(), [name]).is_some());
    match typo {
        Some(key) => {
            let fix = format!("did you mean `{name}`?");
            let message = format!("unknown setting `{}`", shown(key.get_ref()));
            source.wrong(key.span(), Wrong::new(Code::UnknownSetting, message, fix));
        }
        None => source.missing(heading, path, wrong),
    }
}

fn wrong_type(taken: &Taken, message: &str) -> Wrong {
    let wanted = kind_of(message.rsplit_once("expected ").map_or("", |(_, expected)| expected));
    let path = taken.path.join(".");
    let name = shown(taken.path.last().map_or("", String::as_str));
    match wanted {
        "a whole number" if taken.found == "integer" => {
            Wrong::new(Code::BadValue, format!("`{name}` is too large a number"), "write a smaller one")
        }
        _ if taken.in_list => {
            let wrong = type_error(&path, taken.found, wanted);
            Wrong { message: format!("each of `{name}` must be {wanted}"), ..wrong }
        }
        _ => type_error(&path, taken.found, wanted),
    }
}

/// The words for a value of the wrong type. The value itself is not in them.
pub(super) fn type_error(path: &str, found: &str, wanted: &str) -> Wrong {
    let name = path.rsplit('.').next().unwrap_or_default();
    let fix = match (wanted, found) {
        ("a table", _) => format!("write it as a section that begins with  [{}]", shown(path)),
        ("text", "array" | "table") => "write one text in quotes".to_owned(),
        ("text", "integer" | "float" | "boolean" | "datetime") => "put the value in quotes".to_owned(),
        ("a whole number", "string") => "write the number without quotes".to_owned(),
        ("true or false", _) => "write true or false, without quotes".to_owned(),
        ("a list", "string") => "write it in brackets: [\"...\"]".to_owned(),
        _ => format!("write {wanted}"),
    };
    let found = match found {
        "string" => "text",
        "integer" => "a whole number",
        "float" => "a number with a point",
        "boolean" => "true or false",
        "datetime" => "a date",
        "array" => "a list",
        _ => "a table",
    };
    Wrong::new(Code::WrongType, format!("`{}` must be {wanted}", shown(name)), fix)
        .label(format!("this is {found}"))
}

/// serde's names of types in the words of people.
fn kind_of(expected: &str) -> &'static str {
    match expected {
        "a string" => "text",
        "a boolean" => "true or false",
        "i64" | "u32" | "u64" | "i32" => "a whole number",
        "a sequence" => "a list",
        values::NUMBER_OR_TEXT => values::NUMBER_OR_TEXT,
        _ => "a table",
    }
}
