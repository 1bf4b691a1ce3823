//! A list as [`super::csv`] reads it with the usual settings, written from what stands at a marketplace: the first list
//! of a seller who has none.
//!
//! No cell is made harmless for spreadsheets as in other exports: a mark before a SKU or a comment would be read back as
//! part of it, and both are the seller's own words.

use std::collections::BTreeMap;
use std::io;

use ::csv::{Writer, WriterBuilder};
use chrono::{DateTime, SecondsFormat, Utc};

use super::cells::MOST_COPIES;
use super::row::check_sku;
use crate::config::Column;
use crate::domain::{Money, Sku};

/// What a list says of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The seller's key.
    pub sku: Sku,
    /// Copies, those in buyers' carts included: they are on the seller's shelf until they are bought.
    pub quantity: i64,
    /// The price of one copy; `None` leaves it as it is.
    pub price: Option<Money>,
    /// The other columns by our names for them.
    pub cells: BTreeMap<&'static str, String>,
}

/// Writes items, each with the time at which all of them were true.
pub struct List<W: io::Write> {
    out: Writer<W>,
    columns: &'static [&'static str],
    as_of: String,
}

impl<W: io::Write> List<W> {
    /// Begins a list with these columns beside those of every list.
    pub fn begin(out: W, columns: &'static [&'static str], as_of: DateTime<Utc>) -> io::Result<Self> {
        let mut out = WriterBuilder::new().from_writer(out);
        let usual = [Column::Sku, Column::Quantity, Column::Price].map(Column::as_str);
        out.write_record(usual.iter().chain(columns).chain([&Column::AsOf.as_str()])).map_err(plain)?;
        Ok(Self { out, columns, as_of: as_of.to_rfc3339_opts(SecondsFormat::Millis, true) })
    }

    /// Writes an item, or says why no list can name it.
    pub fn add(&mut self, item: &Item) -> io::Result<Result<(), String>> {
        if let Err(why) = fits(item) {
            return Ok(Err(why));
        }
        // Of nothing a list may not say that it is the price.
        let price = item.price.filter(|price| price.minor > 0).map(|price| price.decimal());
        let (quantity, price) = (item.quantity.to_string(), price.unwrap_or_default());
        let cells = self.columns.iter().map(|name| item.cells.get(name).map_or("", String::as_str));
        let usual = [item.sku.as_str(), &quantity, &price];
        self.out.write_record(usual.into_iter().chain(cells).chain([self.as_of.as_str()])).map_err(plain)?;
        Ok(Ok(()))
    }

    /// Ends it.
    pub fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn fits(item: &Item) -> Result<(), String> {
    let sku = item.sku.as_str();
    check_sku(sku)?;
    if sku.trim() != sku {
        return Err(format!("the SKU `{sku}` has blanks at its ends"));
    }
    match item.quantity {
        0..=MOST_COPIES => Ok(()),
        quantity => Err(format!("`{sku}` has {quantity} copies")),
    }
}

/// The error below the CSV writer's own, so that a reader which went away is known as one.
fn plain(error: ::csv::Error) -> io::Error {
    let words = error.to_string();
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        _ => io::Error::other(words),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::csv;
    use super::super::testing::{EUR, now, settings};
    use super::*;
    use crate::domain::{Bound, Desired};

    const COLUMNS: &[&str] = &["comment", "condition", "title"];

    fn written(items: &[Item]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut list = List::begin(&mut bytes, COLUMNS, now()).unwrap();
        for item in items {
            list.add(item).unwrap().unwrap();
        }
        list.end().unwrap();
        bytes
    }

    fn item(sku: &str, quantity: i64, minor: i64) -> Item {
        let price = Some(Money { minor, currency: EUR });
        Item { sku: sku.into(), quantity, price, cells: BTreeMap::new() }
    }

    #[test]
    fn a_list_has_the_names_that_need_no_map() {
        let mut first = item("A-1", 3, 1_250);
        first.cells.insert("comment", "box 3, \"left\"".to_owned());
        let bytes = written(&[first, Item { price: None, ..item("B", 0, 0) }]);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "sku,quantity,price,comment,condition,title,as_of\n\
             A-1,3,12.50,\"box 3, \"\"left\"\"\",,,2026-11-22T14:30:00.000Z\n\
             B,0,,,,,2026-11-22T14:30:00.000Z\n"
        );
    }

    #[test]
    fn what_no_list_can_name_is_told_and_not_written() {
        let mut list = List::begin(Vec::new(), COLUMNS, now()).unwrap();
        for bad in [
            item("", 1, 1),
            item(" A", 1, 1),
            item(&"x".repeat(256), 1, 1),
            item("A\nB", 1, 1),
            item("A", -1, 1),
        ] {
            assert!(list.add(&bad).unwrap().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_list_says_to_its_reader_what_was_written(
            skus in proptest::collection::btree_set("[!-~][ -~é]{0,20}[!-~]", 1..8),
            quantity in 0..2_000_i64,
            minor in 1..10_000_000_i64,
            comment in "\\PC{0,30}",
        ) {
            let items: Vec<Item> = skus.iter().map(|sku| {
                let cells = [("comment", comment.clone()), ("condition", "NM".to_owned())].into();
                Item { cells, ..item(sku, quantity, minor) }
            }).collect();
            let read = csv::read_bytes(&written(&items), &settings("x".as_ref()), EUR, now()).unwrap();
            prop_assert_eq!((read.rejected_rows, read.rows.len()), (0, items.len()));
            for (row, item) in read.rows.iter().zip(&items) {
                let Desired { sku, quantity, price, more, .. } = row;
                prop_assert_eq!((sku, *quantity, *price), (&item.sku, item.quantity, item.price));
                let more = more.as_ref().unwrap();
                prop_assert_eq!((more.as_of, more.floor), (Some(now()), Bound::Absent));
                prop_assert_eq!(more.comment.as_deref().unwrap_or_default(), comment.trim());
                prop_assert_eq!(more.details["condition"].as_str(), "NM");
            }
        }
    }
}
