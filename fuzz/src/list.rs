//! A seller's list. The first byte says how it is written, the rest is the file.

use std::time::Duration;

use chrono::DateTime;
use sellerd::config::{DecimalSign, Delimiter, Encoding, LastLine, MaxRejected, Source};
use sellerd::domain::Currency;
use sellerd::source::csv::read_bytes;

/// Whatever is in the file, what is read of it could be acted upon, and what is not is told.
pub fn source(bytes: &[u8]) {
    let Some((how, file)) = bytes.split_first() else { return };
    let settings = Source {
        path: "stock.csv".into(),
        columns: Default::default(),
        max_age: Duration::from_secs(86_400),
        delimiter: if how & 1 == 0 { Delimiter::Auto } else { Delimiter::Byte(b';') },
        decimal: if how & 2 == 0 { DecimalSign::Point } else { DecimalSign::Comma },
        encoding: if how & 4 == 0 { Encoding::Utf8 } else { Encoding::Windows1252 },
        currency: None,
        max_rejected: MaxRejected::Percent(5),
        last_line: if how & 8 == 0 { LastLine::MustEnd } else { LastLine::MayLackNewline },
        timezone: chrono_tz::Tz::Europe__Berlin,
    };
    let now = DateTime::from_timestamp(1_795_356_000, 0).expect("in range");
    match read_bytes(file, &settings, Currency::EUR, now) {
        Err(error) => {
            let text = error.to_string();
            assert!(
                !text.chars().any(char::is_control),
                "control characters of a list reach the log: {text:?}"
            );
        }
        Ok(read) => {
            assert!(read.rows.is_sorted_by(|a, b| a.sku < b.sku), "sorted, and each SKU once");
            assert_eq!(read.rows.len() as u64 + read.rejected_rows, read.total_rows);
            for row in &read.rows {
                assert!(row.quantity >= 0 && row.price.is_none_or(|price| price.minor > 0), "{row:?}");
                assert!(!row.sku.as_str().trim().is_empty(), "{row:?}");
            }
        }
    }
}
