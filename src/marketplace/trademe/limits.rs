//! What can never be made of a listing as it stands (trademe.md 9.4, 11.4, 11.7 and 11.8), and what a seller can do
//! instead. Pure.
//!
//! Trade Me says so itself, but only to the write; a plan that waited for that would ask for the same at every run. So
//! plans are told by what the lists say of a listing, and the write looks once more at its edit request.

use serde::Deserialize;

use crate::domain::{Facet, Money};

/// The most copies that one listing may have.
pub(super) const MOST_COPIES: i64 = 1_000;
/// The lowest price, in cents.
pub(super) const LOWEST_PRICE: i64 = 50;

pub(super) const AUCTION: &str =
    "it is an auction, whose price and end are its bidders'; change or withdraw it at Trade Me";
pub(super) const CLASSIFIED: &str = "it is a classified, which has neither price nor copies to keep in step; change or withdraw it at Trade Me";
pub(super) const VARIANT: &str = "it is one of several variants in one listing; change it at Trade Me";
pub(super) const SINGLE: &str =
    "it is of a single copy and cannot be made one of several; withdraw it and list it anew";

/// What is kept of a listing's kind; see [`super::wire`]. Of what an older version kept, less is known, and the write
/// finds out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: String,
    group_id: i64,
    single: bool,
}

/// Why the listing with these attributes can never be made so.
pub(super) fn obstacle(attributes: &str, to: Facet) -> Option<String> {
    let Kind { kind, group_id, single } = serde_json::from_str(attributes).unwrap_or_default();
    let whatever = match kind.as_str() {
        "auction" => Some(AUCTION),
        "classified" => Some(CLASSIFIED),
        _ => (group_id != 0).then_some(VARIANT),
    };
    let of_this = || match to {
        Facet::Copies(copies) => {
            too_many(copies).or_else(|| (single && copies > 1).then(|| SINGLE.to_owned()))
        }
        Facet::Price(price) => too_cheap(price),
        Facet::Gone => None,
    };
    whatever.map(str::to_owned).or_else(of_this)
}

/// Why no listing has so many copies.
pub(super) fn too_many(copies: i64) -> Option<String> {
    let words = || {
        format!(
            "a listing has at most {MOST_COPIES} copies, not {copies}; give the others a SKU and a listing of their own"
        )
    };
    (copies > MOST_COPIES).then(words)
}

/// Why nothing has this price.
pub(super) fn too_cheap(price: Money) -> Option<String> {
    (price.minor < LOWEST_PRICE)
        .then(|| format!("its price of {price} is below 0.50, the lowest at Trade Me"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn nzd(minor: i64) -> Facet {
        Facet::Price(Money { minor, currency: Currency::NZD })
    }

    #[test]
    fn of_what_is_not_for_a_fixed_price_nothing_can_be_changed_here() {
        for (attributes, word) in [
            (r#"{"bid_count":3,"kind":"auction"}"#, "auction"),
            (r#"{"kind":"classified"}"#, "classified"),
            (r#"{"group_id":77,"kind":"buy-now"}"#, "variants"),
        ] {
            for to in [Facet::Copies(0), Facet::Copies(3), nzd(2_100), Facet::Gone] {
                let why = obstacle(attributes, to).unwrap_or_default();
                assert!(why.contains(word) && why.contains("at Trade Me"), "{attributes} {to:?}: {why}");
            }
        }
    }

    #[test]
    fn a_listing_for_a_fixed_price_is_changed_within_its_limits() {
        let usual = r#"{"kind":"buy-now"}"#;
        for to in [Facet::Copies(0), Facet::Copies(1_000), nzd(50), Facet::Gone] {
            assert_eq!(obstacle(usual, to), None, "{to:?}");
        }
        assert!(obstacle(usual, Facet::Copies(1_001)).unwrap().contains("at most 1000 copies, not 1001"));
        assert!(obstacle(usual, nzd(49)).unwrap().contains("0.49 NZD is below 0.50"));
    }

    #[test]
    fn a_single_copy_keeps_its_number_and_not_its_price() {
        let single = r#"{"kind":"buy-now","single":true}"#;
        assert!(obstacle(single, Facet::Copies(2)).unwrap().contains("single copy"));
        for to in [Facet::Copies(1), Facet::Copies(0), nzd(900), Facet::Gone] {
            assert_eq!(obstacle(single, to), None, "{to:?}");
        }
    }

    #[test]
    fn of_what_cannot_be_read_nothing_is_known() {
        for attributes in ["", "{}", "[]", r#"{"kind":7}"#] {
            assert_eq!(obstacle(attributes, Facet::Copies(5)), None, "{attributes}");
        }
    }
}
