//! What the categories ask of a listing, and what `Categories/{id}/Details` says of that.

use super::account::{EXTRAS, Prices};
use super::json::Json;
use super::words::CATEGORIES;

/// Days that a listing may last; 0 is until a date.
pub const DURATIONS: [i64; 9] = [0, 2, 3, 4, 5, 6, 7, 10, 14];

/// Ways of paying: numbers and names.
pub const PAYMENTS: [(i64, &str); 5] =
    [(1, "Bank deposit"), (4, "Cash"), (16, "Other"), (32, "Ping"), (64, "Afterpay")];

/// The most characters of a title.
pub const TITLE: usize = 80;

/// The most pictures.
pub const PHOTOS: usize = 20;

/// Names of an attribute that a listing must have, and what it may be.
const ATTRIBUTE: (&str, [&str; 4]) = ("BedSize", ["Single", "Double", "Queen", "King"]);

/// What stands at a place of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A category that takes listings, by its place in the list of them.
    Leaf(usize),
    /// One that only holds others.
    Branch,
    /// Nothing.
    Nothing,
}

/// Finds a category by its number or its whole path of numbers.
pub fn find(text: &str) -> Found {
    let last = |path: &str| {
        path.trim_end_matches('-').rsplit('-').next().map(|number| number.trim_start_matches('0').to_owned())
    };
    let Some(wanted) = last(text).filter(|number| !number.is_empty()) else { return Found::Nothing };
    if let Some(at) = CATEGORIES.iter().position(|(number, ..)| *number == wanted) {
        return Found::Leaf(at);
    }
    let is_above = |mcat: &str| mcat.split('-').any(|number| number.trim_start_matches('0') == wanted);
    if CATEGORIES.iter().any(|(_, mcat, ..)| is_above(mcat)) { Found::Branch } else { Found::Nothing }
}

/// The text that a seller must have agreed with.
pub fn legal_notice(category: usize) -> Option<&'static str> {
    is(category, "1264").then_some("The sale of fish that you caught yourself is against the law.")
}

/// The attribute that a listing must have, and what it may be.
pub fn attribute(category: usize) -> Option<(&'static str, &'static [&'static str])> {
    is(category, "6076").then_some((ATTRIBUTE.0, &ATTRIBUTE.1))
}

fn is(category: usize, number: &str) -> bool {
    CATEGORIES.get(category).is_some_and(|known| known.0 == number)
}

/// Writes what the category at this place asks for.
pub fn write(json: &mut Json, category: usize, prices: &Prices) {
    let (number, _, name, path) = CATEGORIES[category % CATEGORIES.len()];
    json.text("CategoryId", number);
    json.text("Name", name);
    json.text("Path", path);
    json.code("AreaOfBusiness", 1);
    json.flag("CanListAuctions", true);
    json.flag("CanListClassifieds", false);
    json.flag("CanRelist", true);
    json.text_or_null("LegalNotice", legal_notice(category));
    json.number("DefaultDuration", 7);
    json.raws("AllowedDurations", &DURATIONS.map(|days| days.to_string()));
    json.number("MaximumTitleLength", TITLE as i64);
    json.number("MaximumPhotoCount", PHOTOS as i64);
    json.number("FreePhotoCount", PHOTOS as i64);
    let attributes: Vec<_> = attribute(category).into_iter().collect();
    json.list("Attributes", &attributes, |json, _, (name, options)| {
        json.text("Name", name);
        json.text("DisplayName", name);
        json.code("Type", 4);
        json.list("Options", options, |json, _, option| {
            json.text("Value", option);
            json.text("Display", option);
        });
        json.flag("IsRequiredForSell", true);
    });
    json.list("PaymentMethods", &PAYMENTS, |json, _, (id, name)| {
        json.number("Id", *id);
        json.text("Name", name);
    });
    json.nested("Fees", |json| {
        json.money("Listing", prices.listing_cents);
        json.money("HighVolume", prices.high_volume_cents);
        json.money("Withdrawal", prices.withdrawal_cents);
        for extra in &EXTRAS {
            json.money(extra.in_category, extra.cents);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_found_by_number_and_by_path_and_only_leaves_take_listings() {
        for text in ["6853", "06853", "0004-0370-0560-6853-"] {
            assert_eq!(find(text), Found::Leaf(0), "{text}");
        }
        for text in ["4", "0370", "0004-0370-"] {
            assert_eq!(find(text), Found::Branch, "{text}");
        }
        for text in ["", "0", "-", "11111", "Oil heaters"] {
            assert_eq!(find(text), Found::Nothing, "{text}");
        }
    }
}
