//! Lists, good and bad: what is read of each, what is rejected row by row, and what is refused as a whole.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::csv::{read, read_bytes};
use super::testing::{EUR, now, settings};
use super::*;
use crate::config::{Column, DecimalSign, Delimiter, Encoding, LastLine, Source};
use crate::domain::{Bound, Currency, DesiredMore, Money};

/// What becomes of a list.
#[derive(Debug, PartialEq, Eq)]
enum Is {
    /// It is refused for this, on this line if it has one.
    Refused(Fault, Option<u64>),
    /// These rows are read, and those on these lines are rejected.
    Read(Vec<(&'static str, i64, Option<i64>)>, Vec<u64>),
}

use Is::Refused;

fn rows(rows: &[(&'static str, i64, Option<i64>)], rejected: &[u64]) -> Is {
    Is::Read(rows.to_vec(), rejected.to_vec())
}

fn plain(_: &mut Source) {}

type Setting = fn(&mut Source);

/// Name, settings, contents, what becomes of it.
fn corpus() -> Vec<(&'static str, Setting, Vec<u8>, Is)> {
    let german: Setting = |s| (s.delimiter, s.decimal) = (Delimiter::Byte(b';'), DecimalSign::Comma);
    let windows: Setting = |s| s.encoding = Encoding::Windows1252;
    let endless: Setting = |s| s.last_line = LastLine::MayLackNewline;
    let none: Setting = |s| s.max_rejected = MaxRejected::Rows(0);
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let t = |text: &str| text.as_bytes().to_vec();
    let a1 = ("A1", 1, Some(150));
    let a2 = ("A2", 2, Some(200));
    vec![
        // What is fine although it does not look so.
        ("plain", plain, t("sku,quantity,price\nA2,2,2.00\nA1,1,1.50\n"), rows(&[a1, a2], &[])),
        ("no newline at the end", endless, t("sku,quantity,price\nA1,1,1.50"), rows(&[a1], &[])),
        ("a blank row without one", plain, t("sku,quantity,price\nA1,1,1.50\n  "), rows(&[a1], &[])),
        ("byte order mark", plain, t("\u{feff}sku,quantity,price\r\nA1,1,1.50\r\n"), rows(&[a1], &[])),
        ("mark and quotes", plain, t("\u{feff}\"sku\",\"quantity\"\nA1,1\n"), rows(&[("A1", 1, None)], &[])),
        ("shuffled columns", plain, t("Price,note,SKU,Quantity\n1.50,x,A1,1\n"), rows(&[a1], &[])),
        ("old Macintosh", plain, t("sku,quantity,price\rA1,1,1.50\rA2,2,2\r"), rows(&[a1, a2], &[])),
        ("blank rows", plain, t("sku,quantity,price\n\nA1,1,1.50\n,,\n  \n\n"), rows(&[a1], &[])),
        (
            "line end in a quote",
            plain,
            t("sku,quantity,note\nA1,1,\"x\ny\"\nA2,x,\n"),
            rows(&[("A1", 1, None)], &[4]),
        ),
        (
            "semicolons, sniffed",
            |s| s.delimiter = Delimiter::Auto,
            t("sku;quantity\nA1;1\n"),
            rows(&[("A1", 1, None)], &[]),
        ),
        ("header only", plain, t("sku,quantity,price\n"), rows(&[], &[])),
        ("no prices", plain, t("sku,quantity\nA1,1\n"), rows(&[("A1", 1, None)], &[])),
        ("blank price", plain, t("sku,quantity,price\nA1,1,\n"), rows(&[("A1", 1, None)], &[])),
        ("all zero", plain, t("sku,quantity,price\nA1,0,1.50\n"), rows(&[("A1", 0, Some(150))], &[])),
        ("prices x100", plain, t("sku,quantity,price\nA1,1,150\n"), rows(&[("A1", 1, Some(15_000))], &[])),
        (
            "Windows-1252",
            windows,
            b"sku,quantity,title\nA1,1,gr\xf6\xdfe\n".to_vec(),
            rows(&[("A1", 1, None)], &[]),
        ),
        ("decimal comma", german, t("sku;quantity;price\nA1;1;1,50\nA2;2;2\n"), rows(&[a1, a2], &[])),
        // Rows.
        ("cut in its last cell", plain, t("sku,quantity,price\nA1,1,1.50\nA2,2,2"), rows(&[a1], &[3])),
        ("cut before its last cell", plain, t("sku,quantity,price\nA1,1,1.50\nA2,2,"), rows(&[a1], &[3])),
        ("cut in a doubled quote", plain, t("sku,quantity,note\nA1,1,\"5\""), rows(&[], &[2])),
        ("cut, and wrong anyway", plain, t("sku,quantity,price\nA1,1,1.50\nA2,x,2"), rows(&[a1], &[3])),
        (
            "cut and allowed to be",
            endless,
            t("sku,quantity,price\nA1,1,1.50\nA2,2"),
            Refused(Fault::Truncated, Some(3)),
        ),
        ("comma under a point", plain, t("sku,quantity,price\nA1,1,\"1,50\"\n"), rows(&[], &[2])),
        (
            "thousands",
            plain,
            t("sku,quantity,price\nA1,1,\"1.234,56\"\nA2,2,\"1,234.56\"\n"),
            rows(&[], &[2, 3]),
        ),
        ("point under a comma", german, t("sku;quantity;price\nA1;1;1.234\nA2;2;1.50\n"), rows(&[], &[2, 3])),
        ("signs of money", plain, t("sku,quantity,price\nA1,1,€5\nA2,2,2.00\n"), rows(&[a2], &[2])),
        ("three decimals", plain, t("sku,quantity,price\nA1,1,1.999\nA2,2,2.00\n"), rows(&[a2], &[2])),
        (
            "a price of nothing",
            plain,
            t("sku,quantity,price\nA1,1,0.00\nA2,2,-2\nA3,0,0\n"),
            rows(&[], &[2, 3, 4]),
        ),
        (
            "odd quantities",
            plain,
            t("sku,quantity\nA1,2.0\nA2,-1\nA3,\nA4,two\nA5,1e3\n"),
            rows(&[], &[2, 3, 4, 5, 6]),
        ),
        ("absurd quantity", plain, t("sku,quantity\nA1,1000001\n"), rows(&[], &[2])),
        ("no SKU", plain, t("sku,quantity\n ,1\nA1,1\n"), rows(&[("A1", 1, None)], &[2])),
        ("too few cells", plain, t("sku,quantity,price\nA1,1\nA2,2,2\n"), rows(&[a2], &[2])),
        ("an extra comma", plain, t("sku,quantity,price\nA1,1,1,50\nA2,2,2\n"), rows(&[a2], &[2])),
        ("a bad byte", plain, b"sku,quantity,price\nA1,1,1.50\nA\xf6,2,2\n".to_vec(), rows(&[a1], &[3])),
        (
            "a byte that means nothing",
            windows,
            b"sku,quantity,title\nA1,1,\x81\nA2,2,\xf6\n".to_vec(),
            rows(&[("A2", 2, None)], &[2]),
        ),
        (
            "blank currency",
            plain,
            t("sku,quantity,price,currency\nA1,1,1.50,EUR\nA2,2,2,\n"),
            rows(&[a1], &[3]),
        ),
        ("a floor above the ceiling", plain, t("sku,quantity,floor,ceiling\nA1,1,2,1\n"), rows(&[], &[2])),
        ("a time that is none", plain, t("sku,quantity,as_of\nA1,1,yesterday\nA2,1,\n"), rows(&[], &[2, 3])),
        ("a time to come", plain, t("sku,quantity,as_of\nA1,1,2026-11-23 00:00\n"), rows(&[], &[2])),
        // Files.
        ("empty", plain, t(""), Refused(Fault::Empty, None)),
        ("only blank lines", plain, t("\n\r\n\n"), Refused(Fault::Empty, None)),
        ("only a byte order mark", plain, t("\u{feff}"), Refused(Fault::Empty, None)),
        ("no header", plain, t("A1,1,1.50\nA2,2,2\n"), Refused(Fault::Columns, Some(1))),
        ("half a header", plain, t("sku,quan"), Refused(Fault::Columns, Some(1))),
        ("another delimiter", plain, t("sku;quantity\nA1;1\n"), Refused(Fault::Columns, Some(1))),
        ("Excel's own first line", plain, t("sep=;\nsku;quantity\n"), Refused(Fault::Columns, Some(1))),
        (
            "a column twice",
            plain,
            t("sku,quantity,price,price\nA1,1,1,2\n"),
            Refused(Fault::Columns, Some(1)),
        ),
        (
            "a mapped column is gone",
            |s| drop(s.columns.insert(Column::Price, "Preis".to_owned())),
            t("sku,quantity,price\n"),
            Refused(Fault::Columns, Some(1)),
        ),
        ("a web page", plain, t("<!DOCTYPE html>\n<html>\n"), Refused(Fault::Columns, Some(1))),
        (
            "half a row at the end",
            plain,
            t("sku,quantity,price\nA1,1,1.50\nA2,2"),
            Refused(Fault::Truncated, Some(3)),
        ),
        (
            "cut in a quote",
            plain,
            t("sku,quantity,note\nA1,1,\"x\"\nA2,2,\"y"),
            Refused(Fault::Quotes, Some(3)),
        ),
        (
            "a quote that swallows rows",
            plain,
            t("sku,quantity,note\nA1,1,\"x\nA2,2,y\nA3,3,\"z\"\n"),
            Refused(Fault::Quotes, Some(4)),
        ),
        (
            "text after a quote",
            plain,
            t("sku,quantity,note\nA1,1,\"5\" tall\"\n"),
            Refused(Fault::Quotes, Some(2)),
        ),
        (
            "doubled",
            plain,
            t("sku,quantity\nA1,1\nA2,2\nA1,1\nA2,2\n"),
            Refused(Fault::DuplicateSku, Some(4)),
        ),
        (
            "doubled with its header",
            plain,
            t("sku,quantity\nA1,1\nsku,quantity\nA1,1\n"),
            Refused(Fault::DuplicateSku, Some(4)),
        ),
        (
            "a double that is rejected",
            plain,
            t("sku,quantity\nA1,1\nA1,x\n"),
            Refused(Fault::DuplicateSku, Some(3)),
        ),
        (
            "two rejected doubles",
            plain,
            t("sku,quantity\nA1,y\nA1,x\n"),
            Refused(Fault::DuplicateSku, Some(3)),
        ),
        (
            "doubles but for blanks",
            plain,
            t("sku,quantity\nA1,1\n A1 ,2\n"),
            Refused(Fault::DuplicateSku, Some(3)),
        ),
        (
            "another currency",
            plain,
            t("sku,quantity,price,currency\nA1,1,1.50,EUR\nA2,2,2,GBP\n"),
            Refused(Fault::Currency, Some(3)),
        ),
        (
            "declared in another currency",
            |s| s.currency = Some(Currency::GBP),
            t("sku,quantity\n"),
            Refused(Fault::Currency, None),
        ),
        ("UTF-16", plain, utf16("\u{feff}sku,quantity\n"), Refused(Fault::NotText, None)),
        ("UTF-16 without a mark", plain, utf16("sku,quantity\n"), Refused(Fault::NotText, Some(1))),
        ("holes", plain, t("sku,quantity\nA1,1\nA2\0\0\0"), Refused(Fault::NotText, Some(3))),
        ("a workbook", plain, t("PK\u{3}\u{4}rest"), Refused(Fault::NotText, None)),
        ("compressed", plain, b"\x1f\x8b\x08\x00".to_vec(), Refused(Fault::NotText, None)),
        (
            "a header that is not UTF-8",
            plain,
            b"sku,quantity,gr\xf6\xdfe\n".to_vec(),
            Refused(Fault::Encoding, Some(1)),
        ),
        (
            "Windows-1252 for UTF-8",
            plain,
            b"sku,quantity\nA1,1\n\xf6,1\n\xe4,1\n\xfc,1\n".to_vec(),
            Refused(Fault::Encoding, Some(3)),
        ),
        (
            "not one bad byte allowed",
            none,
            b"sku,quantity\nA1,1\n\xf6,1\n".to_vec(),
            Refused(Fault::Encoding, Some(3)),
        ),
        (
            "UTF-8 for Windows-1252",
            windows,
            t("sku,quantity,title\nA1,1,größe\n"),
            Refused(Fault::Encoding, None),
        ),
        ("a mark for Windows-1252", windows, t("\u{feff}sku,quantity\n"), Refused(Fault::Encoding, None)),
        ("no lines", plain, b"x".repeat(2 << 20), Refused(Fault::NotText, Some(1))),
    ]
}

#[test]
fn each_list_is_read_rejected_or_refused_as_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stock.csv");
    let mut failures = String::new();
    for (name, setting, bytes, wanted) in corpus() {
        fs::write(&path, &bytes).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::from(now() - TimeDelta::hours(1))).unwrap();
        let mut settings = settings(&path);
        setting(&mut settings);
        let found = match read(&settings, EUR, now()) {
            Err(error) => {
                assert!(!error.what.is_empty() && !error.fix.is_empty());
                Refused(error.fault, error.line)
            }
            Ok(read) => {
                assert_eq!(
                    (read.as_of, read.bytes),
                    (now() - TimeDelta::hours(1), bytes.len() as u64),
                    "{name}"
                );
                assert_eq!(read.total_rows, read.rows.len() as u64 + read.rejected_rows, "{name}");
                assert!(read.rejected.iter().all(|row| !row.reason.is_empty()), "{name}");
                let price = |row: &Desired| row.price.map(|price| price.minor);
                let known = |row: &Desired| match row.sku.as_str() {
                    "A1" => "A1",
                    "A2" => "A2",
                    _ => "another",
                };
                let rows = read.rows.iter().map(|row| (known(row), row.quantity, price(row))).collect();
                Is::Read(rows, read.rejected.iter().map(|row| row.line).collect())
            }
        };
        if found != wanted {
            failures += &format!("{name}: wanted {wanted:?}, found {found:?}\n");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn what_is_refused_says_where_and_what_mends_it() {
    let text = b"sku,quantity\nA1,1\nB,2\nA1,3\nB,4\n";
    let error = read_bytes(text, &settings(Path::new("/srv/stock.csv")), EUR, now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/srv/stock.csv:4: the SKU `A1` is on line 2 and again on line 4, and there is another double; \
         keep one row for each SKU; copies of the same item belong in one quantity"
    );
    assert_eq!((error.error_type().as_str(), error.fault.as_str()), ("source_invalid", "duplicate-sku"));

    let gone = read(&settings(Path::new("/nowhere/stock.csv")), EUR, now()).unwrap_err();
    assert_eq!(gone.error_type().as_str(), "source_missing");
    assert_eq!(
        gone.to_string(),
        "/nowhere/stock.csv: there is no such file; put the list there, or correct `path` under [source]"
    );
}

#[test]
fn yesterdays_list_is_refused_and_a_longer_age_lets_it_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stock.csv");
    fs::write(&path, "sku,quantity\nA1,1\n").unwrap();
    let written: DateTime<Utc> = fs::metadata(&path).unwrap().modified().unwrap().into();
    let later = written + TimeDelta::hours(30);
    let error = read(&settings(&path), EUR, later).unwrap_err();
    assert_eq!((error.fault, error.error_type().as_str()), (Fault::Stale, "source_stale"));
    let patient = Source { max_age: Duration::from_secs(172_800), ..settings(&path) };
    assert_eq!(read(&patient, EUR, later).unwrap().as_of, written);
}

#[test]
fn what_a_row_says_beyond_count_and_price_is_kept_and_a_blank_floor_is_not_no_floor() {
    let text = "sku,quantity,comment,min_price,max_price,as_of,product_id,foil,title,ignored\n\
                A1,1, NM card ,0.50,9,2026-11-22 10:00,265882,true,,x\n\
                A2,2,,,,2026-11-22T09:00:00Z,,,,\n";
    let read = read_bytes(text.as_bytes(), &settings(Path::new("x")), EUR, now()).unwrap();
    let money = |minor| Bound::At(Money { minor, currency: EUR });
    let wanted = DesiredMore {
        comment: Some("NM card".to_owned()),
        floor: money(50),
        ceiling: money(900),
        as_of: Some("2026-11-22T09:00:00Z".parse().unwrap()),
        details: [("product_id", "265882"), ("foil", "true")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    };
    assert_eq!(read.rows[0].more.as_deref(), Some(&wanted));
    let second = read.rows[1].more.as_deref().unwrap();
    assert_eq!((second.floor, second.ceiling, &second.comment), (Bound::Blank, Bound::Blank, &None));
    assert!(second.details.is_empty() && !read.has_price);

    let read =
        read_bytes(b"sku,quantity,comment\nA1,1,\nA2,2,x\n", &settings(Path::new("x")), EUR, now()).unwrap();
    assert_eq!(
        (&read.rows[0].more, read.rows[1].more.is_some()),
        (&None, true),
        "what says nothing takes no room"
    );
}

#[test]
fn a_rejected_row_keeps_its_sku_from_being_taken_for_absent() {
    let read = |text: &str| read_bytes(text.as_bytes(), &settings(Path::new("x")), EUR, now()).unwrap();
    let one = read("sku,quantity\nA1,x\nA2,2\n");
    assert_eq!((one.unread().map(Sku::as_str).collect::<Vec<_>>(), one.nameless), (vec!["A1"], false));
    assert!(read("sku,quantity\n,1\nA2,2\n").nameless);
    assert!(read("sku,quantity\nA1\nA2,2\n").nameless, "with a cell missing nobody knows which one");

    let many: String = (0..KEPT + 5).map(|n| format!("S{n},x\n")).collect();
    let many = read(&format!("sku,quantity\n{many}A,1\n"));
    assert_eq!((many.rejected.len(), many.rejected_rows, many.nameless), (KEPT, KEPT as u64 + 5, true));
    assert_eq!(many.too_many_rejected(MaxRejected::Percent(5)), Some(500));
    assert_eq!(one.too_many_rejected(MaxRejected::Percent(5)), None);
}

#[test]
fn the_same_bytes_are_the_same_list_and_others_are_not() {
    let digest =
        |text: &str| read_bytes(text.as_bytes(), &settings(Path::new("x")), EUR, now()).unwrap().digest;
    assert_eq!(digest("sku,quantity\n"), "8abda4d8c269fbca1aa2a38d03a3777bcea58c80".to_owned());
    assert_ne!(digest("sku,quantity\nA,1\n"), digest("sku,quantity\nA,2\n"));
}

/// A way to write a list.
#[derive(Debug, Clone)]
struct Dialect {
    delimiter: u8,
    named: bool,
    decimal: DecimalSign,
    encoding: Encoding,
    mark: bool,
    crlf: bool,
    quote_all: bool,
    reversed: bool,
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0..4_usize, any::<bool>(), any::<bool>(), flags).prop_map(|(delimiter, comma, windows, flags)| {
        let (mark, crlf, quote_all, reversed, named) = flags;
        Dialect {
            delimiter: crate::config::DELIMITERS[delimiter],
            named,
            decimal: if comma { DecimalSign::Comma } else { DecimalSign::Point },
            encoding: if windows { Encoding::Windows1252 } else { Encoding::Utf8 },
            mark: mark && !windows,
            crlf,
            quote_all,
            reversed,
        }
    })
}

fn written(rows: &[Desired], dialect: &Dialect) -> Vec<u8> {
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(dialect.delimiter)
        .terminator(if dialect.crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') })
        .quote_style(if dialect.quote_all { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary })
        .from_writer(Vec::new());
    let mut put = |mut cells: Vec<String>| {
        if dialect.reversed {
            cells.reverse();
        }
        let bytes = cells.iter().map(|cell| match dialect.encoding {
            Encoding::Utf8 => cell.as_bytes().to_vec(),
            Encoding::Windows1252 => cell.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
        });
        writer.write_record(bytes.collect::<Vec<Vec<u8>>>()).unwrap();
    };
    put(["sku", "quantity", "price", "comment"].map(str::to_owned).to_vec());
    for row in rows {
        let price = row.price.map_or_else(String::new, |price| price.decimal());
        let price = if dialect.decimal == DecimalSign::Comma { price.replace('.', ",") } else { price };
        let comment = row.more.as_ref().and_then(|more| more.comment.clone()).unwrap_or_default();
        put(vec![row.sku.0.clone(), row.quantity.to_string(), price, comment]);
    }
    let text = writer.into_inner().unwrap();
    if dialect.mark { [b"\xef\xbb\xbf", &text[..]].concat() } else { text }
}

/// Their signs are none that could be UTF-8 by accident in Windows-1252, as `ß€` in a list without any other would be.
fn lists() -> impl Strategy<Value = Vec<Desired>> {
    let price = proptest::option::of(1..1_000_000_i64);
    let row = ("[A-Za-zé;|\"#-]{1,8}", 0..=1_000_000_i64, price, "[ -~äöüßé\n;,\t\"]{0,12}");
    proptest::collection::btree_map(row.0, (row.1, row.2, row.3), 0..12).prop_map(|rows| {
        rows.into_iter()
            .map(|(sku, (quantity, price, comment))| {
                let comment = Some(comment.trim().to_owned()).filter(|comment| !comment.is_empty());
                let more = comment.map(|comment| {
                    Box::new(DesiredMore { comment: Some(comment), ..DesiredMore::default() })
                });
                let price = price.map(|minor| Money { minor, currency: EUR });
                Desired { sku: Sku(sku), quantity, price, more, line: 0 }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_list_in_any_dialect_is_read_back_as_it_was(list in lists(), dialect in dialects()) {
        let bytes = written(&list, &dialect);
        let settings = Source {
            delimiter: if dialect.named { Delimiter::Byte(dialect.delimiter) } else { Delimiter::Auto },
            decimal: dialect.decimal,
            encoding: dialect.encoding,
            ..settings(Path::new("x"))
        };
        let read = read_bytes(&bytes, &settings, EUR, now()).unwrap();
        prop_assert_eq!(&read.rejected, &[]);
        let without_lines: Vec<_> = read.rows.into_iter().map(|row| Desired { line: 0, ..row }).collect();
        prop_assert_eq!(without_lines, list);
    }

    #[test]
    fn no_bytes_make_it_panic_and_every_row_is_accounted_for(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        text in "(sku,quantity,price\n)?([a-c\",;\n\r.0-9\u{f6}-]|A1,1,1.50\n){0,60}",
        auto in any::<bool>(),
        windows in any::<bool>(),
    ) {
        let settings = Source {
            delimiter: if auto { Delimiter::Auto } else { Delimiter::Byte(b',') },
            encoding: if windows { Encoding::Windows1252 } else { Encoding::Utf8 },
            ..settings(Path::new("x"))
        };
        for bytes in [&bytes[..], text.as_bytes(), &[b"sku,quantity\n", &bytes[..]].concat()] {
            if let Ok(read) = read_bytes(bytes, &settings, EUR, now()) {
                prop_assert_eq!(read.total_rows, read.rows.len() as u64 + read.rejected_rows);
                prop_assert!(read.rows.windows(2).all(|pair| pair[0].sku < pair[1].sku));
            }
        }
    }

    #[test]
    fn a_list_that_is_cut_anywhere_is_refused_or_lacks_only_its_end(
        list in lists(), dialect in dialects(), at in 0..400_usize,
    ) {
        let dialect = Dialect { named: true, ..dialect };
        let bytes = written(&list, &dialect);
        let at = at % bytes.len();
        let settings = Source {
            delimiter: Delimiter::Byte(dialect.delimiter),
            decimal: dialect.decimal,
            encoding: dialect.encoding,
            ..settings(Path::new("x"))
        };
        if let Ok(read) = read_bytes(&bytes[..at], &settings, EUR, now()) {
            for row in &read.rows {
                let whole = list.iter().find(|whole| whole.sku == row.sku).unwrap();
                prop_assert_eq!((row.quantity, row.price, &row.more), (whole.quantity, whole.price, &whole.more));
            }
            prop_assert!(read.rejected_rows <= 1, "{:?}", read.rejected);
        }
    }
}

#[test]
fn the_wrong_delimiter_is_told_before_what_follows_from_it() {
    let read = |text: &str| {
        let found = super::csv::read_bytes(text.as_bytes(), &settings("stock.csv".as_ref()), EUR, now());
        found.map_err(|error| (error.fault, error.line, error.fix))
    };
    let rows = "A;1;\"x\"\n".repeat(5);
    for (header, word) in
        [("sku;quantity;comment", ";"), ("\"sku\";\"quantity\";\"comment\"", ";"), ("sku\tquantity", "tab")]
    {
        let (fault, line, fix) = read(&format!("{header}\n{rows}B;1;\"5\" disc\"\n")).unwrap_err();
        assert_eq!((fault, line), (Fault::Columns, Some(1)), "{header}");
        assert!(fix.contains(&format!("delimiter = \"{word}\"")), "{fix}");
    }
    // A stray quote in a list with the right one is told as it is.
    let (fault, line, _) = read("sku,quantity,a;b\nA,1,\"5\" disc\"\n").unwrap_err();
    assert_eq!((fault, line), (Fault::Quotes, Some(2)));
}
