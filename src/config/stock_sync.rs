//! The settings of `stock-sync`: where the seller's list is and how it is written, and the guards of its plans.
//!
//! Plain values, and no judgement: what a cell of the list means is decided in `source/`, what a guard holds in
//! `planning/`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use crate::domain::Currency;

/// `stock-sync`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockSync {
    /// The seller's list.
    pub source: Source,
    /// What stops a plan.
    pub guards: Guards,
    /// What happens to listings that the source does not name.
    pub absent: Absent,
    /// How long a plan can be applied.
    pub plan_expires: Duration,
    /// From how many listings on the whole stock is read by the marketplace's own export, where it has one; `None`
    /// for never.
    pub export_above: Option<i64>,
}

/// `[source]` with `type = "csv"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Their names of our columns, where they differ.
    pub columns: BTreeMap<Column, String>,
    /// How old the file may be.
    pub max_age: Duration,
    /// What stands between two cells.
    pub delimiter: Delimiter,
    /// What stands before the cents.
    pub decimal: DecimalSign,
    /// What the bytes mean.
    pub encoding: Encoding,
    /// The currency of its prices; `None` for the account's.
    pub currency: Option<Currency>,
    /// How many rows may be rejected before that is a reason to stop.
    pub max_rejected: MaxRejected,
    /// Whether the last row must have a line end.
    pub last_line: LastLine,
    /// The zone of times that name none: the job's.
    pub timezone: Tz,
}

/// What happens to a listing that the source does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Nothing.
    LeaveAlone,
    /// It is taken out.
    Remove,
}

/// What stands between two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// Whichever of the others the first line has most of.
    Auto,
    /// This byte.
    Byte(u8),
}

/// The delimiters a file may have.
pub const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What stands before the cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalSign {
    /// `1.50`
    Point,
    /// `1,50`
    Comma,
}

/// What the bytes of a file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Western Windows.
    Windows1252,
}

/// What is thought of a last row without a line end. A list that was cut off in its last cell looks the same: 12.50
/// reads as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLine {
    /// It is not believed.
    MustEnd,
    /// It is read: the program that writes the list never ends its last line.
    MayLackNewline,
}

/// How many rows of a source may be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxRejected {
    /// So many.
    Rows(u64),
    /// So many of a hundred. Unless it is none, one row is always allowed: it is a mistake in a row, not in the file.
    Percent(u64),
}

impl MaxRejected {
    /// How many of `rows` may be rejected.
    pub fn of(self, rows: u64) -> u64 {
        match self {
            Self::Rows(most) => most,
            Self::Percent(0) => 0,
            Self::Percent(percent) => (rows / 100 * percent + rows % 100 * percent / 100).max(1),
        }
    }
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Our names for the columns of a source.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Column { $($(#[$doc])* $name,)* }

        impl Column {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name, as `[source.columns]` and the header of a file have it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

columns! {
    /// The seller's key. It must be there.
    Sku = "sku",
    /// Copies. It must be there.
    Quantity = "quantity",
    /// The price of one copy.
    Price = "price",
    /// The comment of the listing.
    Comment = "comment",
    /// The currency of the row.
    Currency = "currency",
    /// The lowest price of the item. `floor` in a file or a map means the same.
    MinPrice = "min_price",
    /// The highest price of the item. `ceiling` means the same.
    MaxPrice = "max_price",
    /// When the row was true.
    AsOf = "as_of",
    /// The marketplace's number of the product.
    ProductId = "product_id",
    /// The language, by name or number.
    Language = "language",
    /// The condition.
    Condition = "condition",
    /// Whether it is foil.
    Foil = "foil",
    /// Whether it is signed.
    Signed = "signed",
    /// Whether it is altered.
    Altered = "altered",
    /// Whether it is of the first edition.
    FirstEdition = "first_edition",
    /// The title of the listing.
    Title = "title",
    /// The category of the listing.
    Category = "category",
    /// The template of the listing, a file in `templates/`.
    Template = "template",
}

impl Column {
    /// The column of that name. A bound may be called by the name of its guard or by its own.
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "floor" => Some(Self::MinPrice),
            "ceiling" => Some(Self::MaxPrice),
            text => Self::ALL.iter().copied().find(|column| column.as_str() == text),
        }
    }

    /// Whether a source without it cannot be used.
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Sku | Self::Quantity)
    }

    /// Whether it says what a new listing is made from.
    pub fn is_detail(self) -> bool {
        self >= Self::ProductId
    }
}

/// `[guards]`, with the names of the contract. Percentages are whole numbers; amounts are minor units of the
/// account's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// A source with fewer rows is not believed.
    pub min_source_rows: i64,
    /// How many of a hundred listings may change.
    pub max_changes_percent: i64,
    /// How many listings may go to zero.
    pub max_zeroed_items: i64,
    /// How many listings may be taken out.
    pub max_removed_items: i64,
    /// How far the price of one item may move.
    pub max_price_change_percent: i64,
    /// How far the value of the stock may move.
    pub max_value_change_percent: i64,
    /// No price below it; `None` for no bound.
    pub min_price: Option<i64>,
    /// No price above it; `None` for no bound.
    pub max_price: Option<i64>,
    /// Marks at the start of a comment that keep a listing from being touched.
    pub never_touch: Vec<String>,
    /// What the marketplace may charge for carrying out the plan.
    pub max_fees: i64,
    /// How many listings may be changed in a day; `None` for no bound.
    pub max_items_per_day: Option<i64>,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            min_source_rows: 1,
            max_changes_percent: 10,
            max_zeroed_items: 5,
            max_removed_items: 0,
            max_price_change_percent: 30,
            max_value_change_percent: 10,
            min_price: None,
            max_price: None,
            never_touch: vec!["!".to_owned()],
            max_fees: 0,
            max_items_per_day: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_column_is_found_by_its_name() {
        for column in Column::ALL {
            assert_eq!(Column::named(column.as_str()), Some(*column));
        }
        assert_eq!(
            (Column::named("floor"), Column::named("ceiling")),
            (Some(Column::MinPrice), Some(Column::MaxPrice))
        );
        assert_eq!(Column::named("colour"), None);
        let details: Vec<_> = Column::ALL.iter().filter(|column| column.is_detail()).collect();
        assert_eq!((details.len(), details[0]), (10, &Column::ProductId));
    }

    #[test]
    fn one_bad_row_is_no_bad_file_unless_none_is_allowed() {
        assert_eq!((MaxRejected::Percent(5).of(3), MaxRejected::Percent(0).of(3)), (1, 0));
        assert_eq!((MaxRejected::Percent(5).of(1_000), MaxRejected::Rows(7).of(1_000)), (50, 7));
    }

    proptest! {
        #[test]
        fn a_share_of_any_number_of_rows_is_at_most_all_of_them(rows in 1..u64::MAX, percent in 0..=100_u64) {
            let exact = (u128::from(rows) * u128::from(percent) / 100).max(u128::from(percent > 0));
            prop_assert_eq!(u128::from(MaxRejected::Percent(percent).of(rows)), exact);
        }
    }
}
