//! The sections of a `stock-sync` job: `[source]` and `[guards]`.
//!
//! Amounts are taken from the literal text of the file, never from the float that TOML makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;
use toml::Spanned;

use super::account;
use super::diagnostic::{Code, Wrong, shown};
use super::source::Source as File;
use super::stock_sync::{
    Absent, Column, DecimalSign, Delimiter, Encoding, Guards, LastLine, MaxRejected, Source, StockSync,
};
use super::toml_errors::unknown_setting;
use super::values::{self, Amount, Scalar, Text, Whole};
use crate::domain::{Currency, Money};

/// What a `stock-sync` job has beside what every job has.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub source: Option<SourceFile>,
    pub guards: Option<GuardsFile>,
    pub plan_expires: Text,
    pub export_above: Amount,
}

/// What its settings are judged by.
#[derive(Debug)]
pub(super) struct Beside<'a> {
    /// The configuration directory.
    pub dir: &'a Path,
    /// The currency of the job's account, where it is known.
    pub currency: Option<Currency>,
    /// Where `[source]` is named in the file.
    pub heading: Range<usize>,
}

/// `[source]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceFile {
    #[serde(rename = "type")]
    kind: Text,
    path: Text,
    columns: Option<BTreeMap<Spanned<String>, Spanned<String>>>,
    as_of_column: Text,
    absent: Text,
    max_age: Text,
    delimiter: Text,
    decimal: Text,
    encoding: Text,
    currency: Text,
    max_rejected: Amount,
    last_line: Text,
}

/// `[guards]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardsFile {
    min_source_rows: Whole,
    max_changes_percent: Whole,
    max_zeroed_items: Whole,
    max_removed_items: Whole,
    max_price_change_percent: Whole,
    max_value_change_percent: Whole,
    min_price: Amount,
    max_price: Amount,
    never_touch: Option<Vec<Spanned<String>>>,
    max_fees: Amount,
    max_items_per_day: Whole,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// How old a list may be where the job does not say.
const MAX_AGE: Duration = DAY;

/// How long a plan can be applied where the job does not say.
const PLAN_EXPIRES: Duration = Duration::from_secs(30 * 60);

/// From how many listings on an export is cheaper than pages, where the job does not say.
const EXPORT_ABOVE: i64 = 5_000;

const DELIMITER_WORDS: &[(&str, Delimiter)] = &[
    (",", Delimiter::Byte(b',')),
    (";", Delimiter::Byte(b';')),
    ("tab", Delimiter::Byte(b'\t')),
    ("|", Delimiter::Byte(b'|')),
    ("auto", Delimiter::Auto),
];

/// Reads them.
pub(super) fn read(file: &mut File<'_>, own: Own, beside: &Beside<'_>) -> StockSync {
    let guards = own.guards.map_or_else(Guards::default, |guards| read_guards(file, &guards));
    if own.source.is_none() {
        let fix = "add  [source]  with  type = \"csv\"  and  path = \"stock.csv\"";
        file.missing(0..0, "source", Wrong::new(Code::Missing, "this job has no `[source]`", fix));
        // That says it all.
        for inside in ["source.type", "source.path"] {
            file.drop_setting(inside.to_owned());
        }
    }
    let section = own.source.unwrap_or_default();
    let absent = file.value(&section.absent, Absent::LeaveAlone, |text| {
        values::choice("absent", text, &[("leave", Absent::LeaveAlone), ("remove", Absent::Remove)])
    });
    StockSync {
        source: read_source(file, section, beside),
        guards,
        absent,
        plan_expires: file.duration("plan_expires", &own.plan_expires, PLAN_EXPIRES, SECOND..=30 * DAY),
        export_above: export_above(file, &own.export_above),
    }
}

fn read_source(file: &mut File<'_>, section: SourceFile, beside: &Beside<'_>) -> Source {
    let usable = source_type(file, &section.kind, beside);
    let path = source_path(file, &section.path, beside, usable);
    let currency = file.checked(&section.currency, account::currency);
    if let (Some(theirs), Some(text), Some(ours)) = (currency, &section.currency, beside.currency)
        && theirs != ours
    {
        let message = format!("the account's prices are in {ours}, and those of this source in {theirs}");
        let fix = format!("write a list with prices in {ours}; amounts are never converted");
        file.wrong(text.span(), Wrong::new(Code::BadValue, message, fix));
    }
    Source {
        path,
        columns: columns(file, section.columns.unwrap_or_default(), section.as_of_column),
        max_age: file.duration("max_age", &section.max_age, MAX_AGE, SECOND..=3660 * DAY),
        delimiter: file.value(&section.delimiter, Delimiter::Byte(b','), |text| {
            values::choice("delimiter", if text == "\t" { "tab" } else { text }, DELIMITER_WORDS)
        }),
        decimal: file.value(&section.decimal, DecimalSign::Point, |text| {
            values::choice("decimal", text, &[(".", DecimalSign::Point), (",", DecimalSign::Comma)])
        }),
        encoding: file.value(&section.encoding, Encoding::Utf8, |text| {
            let known = [("utf-8", Encoding::Utf8), ("windows-1252", Encoding::Windows1252)];
            values::choice("encoding", &text.to_ascii_lowercase(), &known)
        }),
        currency,
        max_rejected: max_rejected(file, &section.max_rejected),
        last_line: file.value(&section.last_line, LastLine::MustEnd, |text| {
            let known = [("must-end", LastLine::MustEnd), ("may-lack-newline", LastLine::MayLackNewline)];
            values::choice("last_line", text, &known)
        }),
        timezone: Tz::UTC,
    }
}

/// Whether the source is one that this version reads.
fn source_type(file: &mut File<'_>, kind: &Text, beside: &Beside<'_>) -> bool {
    let Some(text) = kind else {
        let wrong = Wrong::new(Code::Missing, "this source has no `type`", "add  type = \"csv\"");
        file.missing(beside.heading.clone(), "source.type", wrong);
        return true;
    };
    let wrong = match text.get_ref().as_str() {
        "csv" => return true,
        "ledger" => Wrong::new(
            Code::SourceNotYet,
            format!("sellerd {} cannot sync from its own ledger yet", env!("CARGO_PKG_VERSION")),
            "write  type = \"csv\"  and  path = \"...\" , or move this file away for now",
        ),
        other => match values::choice("type", other, &[("csv", ()), ("ledger", ())]) {
            Ok(()) => return true,
            Err(wrong) => wrong,
        },
    };
    file.wrong(text.span(), wrong);
    false
}

fn source_path(file: &mut File<'_>, path: &Text, beside: &Beside<'_>, usable: bool) -> PathBuf {
    if path.is_none() && usable {
        let wrong = Wrong::new(Code::Missing, "this source has no `path`", "add  path = \"stock.csv\"");
        file.missing(beside.heading.clone(), "source.path", wrong);
    }
    let path = file.checked(path, |text| match text.split_once("://") {
        // A URL of a file would be taken for a relative path, too.
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Err(Wrong::new(
            Code::BadValue,
            "`path` is a web address, and stock-sync reads files",
            "have cron or the like download it to a file and rename that into place, and name the file:  path = \
             \"stock.csv\"",
        )),
        _ => values::path("path", text, "stock.csv"),
    });
    beside.dir.join(path.unwrap_or_default())
}

fn columns(
    file: &mut File<'_>,
    map: BTreeMap<Spanned<String>, Spanned<String>>,
    as_of: Text,
) -> BTreeMap<Column, String> {
    let mut columns = BTreeMap::new();
    let known: Vec<&str> = Column::ALL.iter().map(|column| column.as_str()).collect();
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by_key(|(ours, _)| ours.span().start);
    let mut named = Vec::new();
    for (ours, theirs) in entries {
        match Column::named(ours.get_ref()) {
            Some(column) => named.push((column, theirs)),
            None => {
                let wrong = unknown_setting(ours.get_ref(), &known, "[source.columns]");
                file.wrong(ours.span(), wrong);
            }
        }
    }
    named.extend(as_of.map(|theirs| (Column::AsOf, theirs)));
    for (column, theirs) in named {
        let ours = column.as_str();
        let name = theirs.get_ref().trim();
        if name.is_empty() {
            let fix = format!("write the column's name in the file, or take the line out if it is `{ours}`");
            let message = format!("the column for `{ours}` has no name");
            file.wrong(theirs.span(), Wrong::new(Code::BadValue, message, fix));
        } else if columns.insert(column, name.to_owned()).is_some() {
            let message = format!("the column for `{ours}` is named twice");
            file.wrong(theirs.span(), Wrong::new(Code::BadValue, message, "keep one of the two"));
        }
    }
    columns
}

fn max_rejected(file: &mut File<'_>, setting: &Amount) -> MaxRejected {
    const DEFAULT: MaxRejected = MaxRejected::Percent(5);
    let Some(setting) = setting else { return DEFAULT };
    let found = match setting.get_ref() {
        Scalar::Whole(rows) => u64::try_from(*rows).ok().map(MaxRejected::Rows),
        Scalar::Text(text) => text.strip_suffix('%').and_then(percent).map(MaxRejected::Percent),
        Scalar::Decimal => None,
    };
    found.unwrap_or_else(|| {
        let message = "`max_rejected` must be a number of rows, or a share of them up to \"100%\"";
        let fix = "for example:  max_rejected = 20   or  max_rejected = \"5%\"";
        file.wrong(setting.span(), Wrong::new(Code::BadValue, message, fix));
        DEFAULT
    })
}

fn percent(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|percent| *percent <= 100)
}

pub(super) fn export_above(file: &mut File<'_>, setting: &Amount) -> Option<i64> {
    let Some(setting) = setting else { return Some(EXPORT_ABOVE) };
    match setting.get_ref() {
        Scalar::Whole(listings) if *listings >= 0 => Some(*listings),
        Scalar::Text(text) if text == "off" => None,
        _ => {
            let message = "`export_above` must be a number of listings, or \"off\"";
            let fix = format!("for example:  export_above = {EXPORT_ABOVE}");
            file.wrong(setting.span(), Wrong::new(Code::BadValue, message, fix));
            Some(EXPORT_ABOVE)
        }
    }
}

fn read_guards(file: &mut File<'_>, section: &GuardsFile) -> Guards {
    const ITEMS: RangeInclusive<i64> = 0..=i64::MAX;
    const PERCENT: RangeInclusive<i64> = 0..=1_000_000;
    let default = Guards::default();
    let mut whole = |key, setting, default, range| file.whole(key, setting, default, range);
    let mut guards = Guards {
        min_source_rows: whole("min_source_rows", &section.min_source_rows, default.min_source_rows, ITEMS),
        max_changes_percent: whole(
            "max_changes_percent",
            &section.max_changes_percent,
            default.max_changes_percent,
            PERCENT,
        ),
        max_zeroed_items: whole(
            "max_zeroed_items",
            &section.max_zeroed_items,
            default.max_zeroed_items,
            ITEMS,
        ),
        max_removed_items: whole(
            "max_removed_items",
            &section.max_removed_items,
            default.max_removed_items,
            ITEMS,
        ),
        max_price_change_percent: whole(
            "max_price_change_percent",
            &section.max_price_change_percent,
            default.max_price_change_percent,
            PERCENT,
        ),
        max_value_change_percent: whole(
            "max_value_change_percent",
            &section.max_value_change_percent,
            default.max_value_change_percent,
            PERCENT,
        ),
        max_items_per_day: section.max_items_per_day.as_ref().map(|_| 0),
        ..default
    };
    if guards.max_items_per_day.is_some() {
        guards.max_items_per_day =
            Some(file.whole("max_items_per_day", &section.max_items_per_day, 500, ITEMS));
    }
    guards.min_price = amount(file, "min_price", &section.min_price);
    guards.max_price = amount(file, "max_price", &section.max_price);
    guards.max_fees = amount(file, "max_fees", &section.max_fees).unwrap_or(guards.max_fees);
    if let (Some(low), Some(high), Some(setting)) = (guards.min_price, guards.max_price, &section.max_price)
        && low > high
    {
        let message = "`max_price` is below `min_price`, so that no price would do";
        file.wrong(setting.span(), Wrong::new(Code::BadValue, message, "exchange the two"));
    }
    if let Some(marks) = &section.never_touch {
        guards.never_touch = never_touch(file, marks);
    }
    guards
}

fn never_touch(file: &mut File<'_>, marks: &[Spanned<String>]) -> Vec<String> {
    let mut kept = BTreeSet::new();
    for mark in marks {
        if mark.get_ref().is_empty() {
            let message = "an empty mark stands at the start of every comment";
            let fix = "take it out, or write what the comments begin with: never_touch = [\"!\"]";
            file.wrong(mark.span(), Wrong::new(Code::BadValue, message, fix));
        } else {
            kept.insert(mark.get_ref().clone());
        }
    }
    kept.into_iter().collect()
}

/// An amount of the account's currency in minor units.
fn amount(file: &mut File<'_>, key: &str, setting: &Amount) -> Option<i64> {
    let setting = setting.as_ref()?;
    let text = match setting.get_ref() {
        Scalar::Text(text) => text.clone(),
        _ => file.text.get(setting.span()).unwrap_or_default().replace('_', ""),
    };
    // Every currency here has two decimals, so that any of them will do for reading.
    let minor = Money::parse(&text, Currency::EUR).ok().map(|money| money.minor).filter(|minor| *minor >= 0);
    if minor.is_none() {
        let message = format!("`{key}` is no amount of money: `{}`", shown(&text));
        let fix = format!("write it with a point and at most two decimals, for example  {key} = 0.25");
        file.wrong(setting.span(), Wrong::new(Code::BadValue, message, fix));
    }
    minor
}
