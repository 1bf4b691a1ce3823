//! The first lines of a list: what separates its cells, and which of its columns is which of ours.

use std::collections::BTreeSet;

use crate::config::{Column, DELIMITERS, Delimiter, Source};
use crate::domain::{clean, nearest};

/// What is wrong and what mends it.
pub(super) type Wrong = (String, String);

/// Where our columns are in a row.
#[derive(Debug)]
pub(super) struct Layout {
    /// The names of all columns, as the file has them.
    pub names: Vec<String>,
    pub sku: usize,
    pub quantity: usize,
    pub price: Option<usize>,
    pub currency: Option<usize>,
    /// The other ones that are there.
    pub more: Vec<(Column, usize)>,
}

impl Layout {
    /// Finds our columns: by the names that the configuration maps them to, else by our own. A column that is mapped
    /// to is not found a second time by its name.
    pub fn new(names: Vec<String>, settings: &Source) -> Result<Self, Wrong> {
        twice(&names)?;
        let mut taken = BTreeSet::new();
        let mut found = Vec::new();
        for (column, theirs) in &settings.columns {
            let at = find(&names, &[theirs.as_str()], &BTreeSet::new())?;
            let at = at.ok_or_else(|| missing(&names, *column, Some(theirs), settings))?;
            taken.insert(at);
            found.push((*column, at));
        }
        for column in Column::ALL.iter().filter(|column| !settings.columns.contains_key(column)) {
            match find(&names, called(column), &taken)? {
                Some(at) => found.push((*column, at)),
                None if column.is_needed() => return Err(missing(&names, *column, None, settings)),
                None => {}
            }
        }
        let at = |wanted| found.iter().find(|(column, _)| *column == wanted).map(|(_, at)| *at);
        let (Some(sku), Some(quantity)) = (at(Column::Sku), at(Column::Quantity)) else {
            return Err(missing(&names, Column::Sku, None, settings));
        };
        let (price, currency) = (at(Column::Price), at(Column::Currency));
        let plain = [Column::Sku, Column::Quantity, Column::Price, Column::Currency];
        found.retain(|(column, _)| !plain.contains(column));
        found.sort_unstable();
        Ok(Self { names, sku, quantity, price, currency, more: found })
    }
}

/// What separates the cells of a file that begins like this.
pub(super) fn delimiter(setting: Delimiter, head: &[u8]) -> u8 {
    match setting {
        Delimiter::Byte(byte) => byte,
        Delimiter::Auto => {
            let line = first_line(head);
            DELIMITERS.into_iter().rev().max_by_key(|byte| count(line, *byte)).unwrap_or(b',')
        }
    }
}

/// An error where the first line is one cell that another delimiter would cut, and our columns are not all that cell.
pub(super) fn check_delimiter(delimiter: u8, head: &[u8], settings: &Source) -> Result<(), Wrong> {
    let line = first_line(head);
    let cut = DELIMITERS.iter().any(|other| count(line, *other) > 0);
    if count(line, delimiter) > 0 || !cut || line.contains(&0) {
        return Ok(());
    }
    Layout::new(vec![String::from_utf8_lossy(line).into_owned()], settings).map(drop)
}

/// The first line that is not empty.
fn first_line(head: &[u8]) -> &[u8] {
    head.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default()
}

/// How often a byte stands in a line, outside of quotes: what stands in them is text.
fn count(line: &[u8], wanted: u8) -> usize {
    let mut quoted = false;
    line.iter().fold(0, |count, byte| {
        quoted ^= *byte == b'"';
        count + usize::from(*byte == wanted && !quoted)
    })
}

/// How a column may be called in a file that needs no map.
fn called(column: &Column) -> &'static [&'static str] {
    match column {
        Column::MinPrice => &["min_price", "floor"],
        Column::MaxPrice => &["max_price", "ceiling"],
        Column::Sku => &["sku"],
        Column::Quantity => &["quantity"],
        Column::Price => &["price"],
        Column::Comment => &["comment"],
        Column::Currency => &["currency"],
        Column::AsOf => &["as_of"],
        Column::ProductId => &["product_id"],
        Column::Language => &["language"],
        Column::Condition => &["condition"],
        Column::Foil => &["foil"],
        Column::Signed => &["signed"],
        Column::Altered => &["altered"],
        Column::FirstEdition => &["first_edition"],
        Column::Title => &["title"],
        Column::Category => &["category"],
        Column::Template => &["template"],
    }
}

/// The column with one of these names: written exactly so, else in capitals or small letters.
fn find(names: &[String], wanted: &[&str], taken: &BTreeSet<usize>) -> Result<Option<usize>, Wrong> {
    let like = |alike: &dyn Fn(&str, &str) -> bool| -> Vec<usize> {
        let fits = |(at, name): &(usize, &String)| {
            !taken.contains(at) && wanted.iter().any(|wanted| alike(name.trim(), wanted.trim()))
        };
        names.iter().enumerate().filter(fits).map(|(at, _)| at).collect()
    };
    let mut found = like(&|name, wanted| name == wanted);
    if found.is_empty() {
        found = like(&|name, wanted| name.to_lowercase() == wanted.to_lowercase());
    }
    match found[..] {
        [] => Ok(None),
        [at] => Ok(Some(at)),
        [first, second, ..] => {
            let (first, second) = (clean(&names[first]), clean(&names[second]));
            let what = format!("both the column `{first}` and the column `{second}` may be `{}`", wanted[0]);
            Err((what, format!("write under [source.columns] which it is:  {} = \"{first}\"", wanted[0])))
        }
    }
}

fn twice(names: &[String]) -> Result<(), Wrong> {
    let mut seen = BTreeSet::new();
    match names.iter().map(|name| name.trim()).find(|name| !name.is_empty() && !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => {
            let what = format!("there are two columns `{}`", clean(name));
            Err((what, "rename one of them in the list".to_owned()))
        }
    }
}

fn missing(names: &[String], column: Column, theirs: Option<&str>, settings: &Source) -> Wrong {
    let ours = column.as_str();
    let listed: Vec<String> = names.iter().take(40).map(|name| clean(name.trim())).collect();
    let what = match theirs {
        Some(theirs) => {
            format!("there is no column `{}`, which [source.columns] names for `{ours}`", clean(theirs))
        }
        None => format!("there is no column `{ours}`"),
    };
    let what = format!("{what}; the columns are: {}", listed.join(", "));
    let other = |delimiter: &u8| names.iter().any(|name| name.as_bytes().contains(delimiter));
    let fix = match (names, DELIMITERS.iter().find(|delimiter| other(delimiter))) {
        ([only], _) if only.starts_with("sep=") => "take out the line that begins with `sep=`".to_owned(),
        ([_], Some(other)) => {
            let word = if *other == b'\t' { "tab".to_owned() } else { char::from(*other).to_string() };
            format!("write  delimiter = \"{word}\"  under [source]")
        }
        _ => {
            let unused = listed.iter().filter(|name| !settings.columns.values().any(|used| used == *name));
            let meant = nearest(theirs.unwrap_or(ours), unused.map(String::as_str)).unwrap_or("...");
            format!("write under [source.columns] which one it is:  {ours} = \"{meant}\"")
        }
    };
    (what, fix)
}

#[cfg(test)]
mod tests {
    use super::super::testing::settings;
    use super::*;

    fn layout(names: &[&str], map: &[(Column, &str)]) -> Result<Layout, Wrong> {
        let columns = map.iter().map(|(ours, theirs)| (*ours, (*theirs).to_owned())).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Layout::new(names, &Source { columns, ..settings("x".as_ref()) })
    }

    #[test]
    fn columns_are_found_by_their_mapped_name_then_by_ours_in_any_order() {
        let found = layout(&["Price", " SKU ", "Quantity", "Floor", "notes", ""], &[]).unwrap();
        assert_eq!((found.sku, found.quantity, found.price, found.currency), (1, 2, Some(0), None));
        assert_eq!(found.more, [(Column::MinPrice, 3)]);

        let map = [(Column::Quantity, "bestand"), (Column::Comment, "title")];
        let found = layout(&["sku", "Bestand", "title", "quantity"], &map).unwrap();
        assert_eq!((found.sku, found.quantity), (0, 1), "the map counts");
        assert_eq!(found.more, [(Column::Comment, 2)], "what is mapped is not found again by its name");
        // One column may serve two of ours.
        let map = [(Column::Sku, "id"), (Column::ProductId, "id")];
        assert_eq!(layout(&["id", "quantity"], &map).unwrap().more, [(Column::ProductId, 0)]);
        // What is written exactly so is meant.
        assert_eq!(layout(&["SKU", "sku", "quantity"], &[]).unwrap().sku, 1);
    }

    #[test]
    fn columns_that_are_missing_doubled_or_unclear_are_told_with_the_edit() {
        let (what, fix) = layout(&["skew", "quantity"], &[]).unwrap_err();
        assert_eq!(what, "there is no column `sku`; the columns are: skew, quantity");
        assert_eq!(fix, "write under [source.columns] which one it is:  sku = \"skew\"");
        let (what, fix) = layout(&["sku", "Bestände"], &[(Column::Quantity, "Bestande")]).unwrap_err();
        assert!(what.contains("no column `Bestande`, which [source.columns] names for `quantity`"), "{what}");
        assert!(fix.ends_with("quantity = \"Bestände\""), "{fix}");
        assert!(layout(&["sku", "quantity", "x", "x"], &[]).unwrap_err().0.contains("two columns `x`"));
        assert!(layout(&["SKU", "Sku", "quantity"], &[]).unwrap_err().0.contains("both the column"));
        assert!(layout(&["sku", "quantity", "floor", "min_price"], &[]).unwrap_err().0.contains("both"));
        assert!(layout(&["sku;quantity"], &[]).unwrap_err().1.contains("delimiter = \";\""));
        assert!(layout(&["sku\tquantity"], &[]).unwrap_err().1.contains("delimiter = \"tab\""));
        assert!(layout(&["sep=;"], &[]).unwrap_err().1.contains("sep="));
    }

    #[test]
    fn the_delimiter_is_what_the_first_line_has_most_of_outside_its_quotes() {
        let auto = |head: &[u8]| char::from(delimiter(Delimiter::Auto, head));
        assert_eq!((auto(b"sku;quantity\n1,2,3,4\n"), auto(b"a,\"b;c;d;e\"\n")), (';', ','));
        assert_eq!((auto(b"a\tb"), auto(b"a|b\r\n"), auto(b"sku"), auto(b"")), ('\t', '|', ',', ','));
        assert_eq!(delimiter(Delimiter::Byte(b';'), b"a,b,c"), b';');
    }

    #[test]
    fn every_column_has_the_name_that_the_map_knows() {
        for column in Column::ALL {
            assert_eq!(called(column)[0], column.as_str());
            assert!(called(column).iter().all(|name| Column::named(name) == Some(*column)));
        }
    }
}
