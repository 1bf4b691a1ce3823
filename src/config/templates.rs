//! `templates/`: what new listings are made from, one a file, in the marketplace's own words.
//!
//! A template is TOML or JSON and becomes a JSON object. What may stand in it is the marketplace's business, so that a
//! field it invents tomorrow needs no new version of this program.

use std::path::Path;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Code, Spot, Wrong};
use super::load::{self, Checked};
use super::source::Source;
use super::{leaks, toml_errors, values};
use crate::marketplace::Templates;

/// Reads them all.
pub(super) fn read(dir: &Path, checked: &mut Checked) -> Templates {
    let mut templates = Templates::new();
    let paths = match load::files_ending(&dir.join("templates"), &["json", "toml"]) {
        Ok(paths) => paths,
        Err(diagnostic) => {
            checked.diagnostics.push(*diagnostic);
            return templates;
        }
    };
    for path in paths {
        checked.files += 1;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if !values::is_name(&stem) {
            let (mut wrong, better) = values::bad_name("a template", &stem);
            let better = path.with_file_name(better).with_extension(path.extension().unwrap_or_default());
            wrong.fix = format!("rename the file: {}", better.display());
            checked.diagnostics.push(wrong.at(Spot::whole(&path)));
        }
        match load::read_text(&path) {
            Ok(Some(text)) => {
                let mut source = Source::new(&path, &text);
                let json = path.extension().is_some_and(|ending| ending == "json");
                let fields = if json { of_json(&mut source) } else { of_toml(&mut source) };
                if templates.insert(stem.clone(), Value::Object(fields)).is_some() {
                    let message = format!("there are two templates `{stem}`: {stem}.json and {stem}.toml");
                    source.wrong_whole(Wrong::new(Code::SameTemplate, message, "move one of the two away"));
                }
                checked.diagnostics.append(&mut source.found);
            }
            // It went away between listing and reading.
            Ok(None) => {}
            Err(diagnostic) => checked.diagnostics.push(*diagnostic),
        }
    }
    templates
}

fn of_json(source: &mut Source<'_>) -> Map<String, Value> {
    match serde_json::from_str::<Value>(source.text) {
        Ok(Value::Object(fields)) => return fields,
        Ok(_) => {
            let wrong = Wrong::new(
                Code::WrongType,
                "a template must be an object",
                "write it as  { \"name\": value }",
            );
            source.wrong_whole(wrong);
        }
        Err(error) => {
            // Its words end in the place, which is shown anyway.
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            let at = place(source.text, error.line(), error.column());
            let fix = "compare it with  { \"name\": \"text\", \"other\": 5 }";
            source.wrong(at..at, Wrong::new(Code::NotJson, "this is not JSON", fix).label(said));
        }
    }
    Map::new()
}

/// Where the byte is that stands at a line and column, both from 1.
fn place(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

fn of_toml(source: &mut Source<'_>) -> Map<String, Value> {
    let Some(mut tree) = toml_errors::parse(source) else { return Map::new() };
    leaks::take_out(source, &mut tree);
    let fields = tree.into_inner().into_iter();
    fields.map(|(key, value)| (key.into_inner().into_owned(), value_of(source, value))).collect()
}

fn value_of(source: &mut Source<'_>, value: Spanned<DeValue<'_>>) -> Value {
    let span = value.span();
    let mut wrong = |message: &str, fix: &str| {
        source.wrong(span.clone(), Wrong::new(Code::BadValue, message, fix));
        Value::Null
    };
    match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => wrong("this is too large a number", "write a smaller one"),
        },
        DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => wrong("this is no number that JSON has", "write a number plainly, such as 0.5"),
        },
        DeValue::Datetime(_) => wrong("a date in a template must be text", "put it in quotes"),
        DeValue::Array(items) => Value::Array(items.into_iter().map(|item| value_of(source, item)).collect()),
        DeValue::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| (key.into_inner().into_owned(), value_of(source, value)))
                .collect(),
        ),
    }
}
