//! What a category asks of a listing (trademe.md 19.2). Its details are public and cost nothing of the quota, so a new
//! listing that cannot be is told apart here before two counted requests are spent on it. Pure.
//!
//! What is not understood is passed over: Trade Me has the last word when the listing is validated.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::document::Document;
use super::members::{count, joined, parts};
use crate::marketplace::json::{self, Raw};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details<'a> {
    #[serde(borrow)]
    maximum_title_length: Raw<'a>,
    #[serde(borrow)]
    maximum_photo_count: Raw<'a>,
    #[serde(borrow)]
    allowed_durations: Raw<'a>,
    #[serde(borrow)]
    legal_notice: Raw<'a>,
    #[serde(borrow)]
    is_member_restricted_from_listing: Raw<'a>,
    #[serde(borrow)]
    attributes: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    is_required_for_sell: Raw<'a>,
}

/// The number of a category, as its details are asked for: the last group of `0004-0370-0560-6853-`, or the number
/// itself (trademe.md 19.1).
pub(super) fn id(category: &str) -> Option<String> {
    let last = category.trim().trim_end_matches('-').rsplit('-').next()?;
    let digits = last.trim_start_matches('0');
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.to_owned())
}

/// Why this listing cannot be in this category, as far as its details tell.
pub(super) fn objections(details: &RawValue, listing: &Document) -> Option<String> {
    let details: Details<'_> = json::object(details).ok()?;
    let limit = |raw, name| count(raw, name).ok().filter(|limit| *limit > 0);
    let title = json::text(listing.get("Title")).map_or(0, |title| title.chars().count() as i64);
    let photos =
        listing.get("PhotoIds").and_then(|raw| json::rows(raw).ok()).map_or(0, |rows| rows.len() as i64);
    let too_long = limit(details.maximum_title_length, "MaximumTitleLength").filter(|most| title > *most);
    let too_many = limit(details.maximum_photo_count, "MaximumPhotoCount").filter(|most| photos > *most);
    let barred = json::flag(details.is_member_restricted_from_listing) == Some(true);
    let notice = json::words(details.legal_notice).is_some()
        && json::flag(listing.get("HasAgreedWithLegalNotice")) != Some(true);
    let said = [
        barred.then(|| "the account may not list in this category".to_owned()),
        too_long.map(|most| format!("its title is longer than the {most} characters of its category")),
        too_many.map(|most| format!("it has more than the {most} pictures of its category")),
        duration(&details, listing),
        notice.then(|| {
            "its category has a legal notice; read it at Trade Me and put  HasAgreedWithLegalNotice = true  into the \
             template"
                .to_owned()
        }),
        attributes(&details, listing),
    ];
    joined(said.into_iter().flatten())
}

fn duration(details: &Details<'_>, listing: &Document) -> Option<String> {
    let allowed = numbers(details.allowed_durations);
    let wanted = json::optional_number(listing.get("Duration"))?;
    let list = || allowed.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    (!allowed.is_empty() && !allowed.contains(&wanted))
        .then(|| format!("its category does not allow a Duration of {wanted} (it allows {})", list()))
}

fn attributes(details: &Details<'_>, listing: &Document) -> Option<String> {
    let given: BTreeSet<String> = parts::<Attribute<'_>>(listing.get("Attributes"))
        .filter_map(|attribute| json::words(attribute.name))
        .collect();
    let missing: Vec<String> = parts::<Attribute<'_>>(details.attributes)
        .filter(|attribute| json::flag(attribute.is_required_for_sell) == Some(true))
        .filter_map(|attribute| json::words(attribute.name))
        .filter(|name| !given.contains(name))
        .collect();
    (!missing.is_empty()).then(|| format!("its category requires the attributes {}", missing.join(", ")))
}

fn numbers(raw: Raw<'_>) -> BTreeSet<i64> {
    let rows = raw.and_then(|raw| json::rows(raw).ok()).unwrap_or_default();
    rows.into_iter().filter_map(|row| json::optional_number(Some(row))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::marketplace::testing::any_json;

    fn said(details: &Value, listing: &Value) -> Option<String> {
        let details = RawValue::from_string(details.to_string()).unwrap();
        objections(&details, &Document::read(listing.to_string().as_bytes()).unwrap())
    }

    fn heaters() -> Value {
        json!({
            "CategoryId": 6_853, "Name": "Oil heaters", "AllowedDurations": [2, 3, 4, 5, 6, 7, 10],
            "MaximumTitleLength": 80, "MaximumPhotoCount": 20,
            "Attributes": [{"Name": "Wattage", "IsRequiredForSell": true}, {"Name": "Colour"}],
        })
    }

    #[test]
    fn the_number_of_a_category_is_its_last_group() {
        assert_eq!(id("0004-0370-0560-6853-").as_deref(), Some("6853"));
        assert_eq!(id("0098-").as_deref(), Some("98"));
        assert_eq!(id(" 6853 ").as_deref(), Some("6853"));
        for none in ["", "-", "0000-", "toys", "../Summary"] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn a_listing_that_fits_meets_no_objection_and_each_misfit_is_said() {
        let attributes = json!([{"Name": "Wattage", "Value": "2000"}]);
        let fits = json!({"Title": "Heater", "Duration": 7, "Attributes": attributes, "PhotoIds": [1]});
        assert_eq!(said(&heaters(), &fits), None);
        assert_eq!(said(&json!({}), &json!({})), None);
        let misfit = json!({"Title": "x".repeat(81), "Duration": 14, "PhotoIds": vec![1; 21]});
        let mut strict = heaters();
        strict["LegalNotice"] = json!("Heaters burn.");
        strict["IsMemberRestrictedFromListing"] = json!(true);
        let words = said(&strict, &misfit).unwrap();
        for part in
            ["may not list", "80 characters", "20 pictures", "Duration of 14", "legal notice", "Wattage"]
        {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(!words.contains("Colour"));
    }

    proptest! {
        #[test]
        fn no_details_make_it_panic(key in 0_usize..6, value in any_json(), category in "\\PC{0,20}") {
            let mut details = heaters();
            let key = details.as_object().unwrap().keys().nth(key).unwrap().clone();
            details[key] = value.clone();
            let _ = (said(&details, &json!({"Title": "x", "Duration": 7})), id(&category));
            let _ = said(&value, &json!({}));
        }
    }
}
