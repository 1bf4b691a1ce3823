//! What is sent to change a listing: its own edit request with another price or number of copies in it, or the reason why
//! nothing is (trademe.md 9.4, 11.4 and 11.7). Pure.
//!
//! The request is never put together from what a plan knows: what an edit leaves out is reset, so everything that the
//! plan is not about comes from what stands there now.

use super::document::{self, Document};
use super::limits;
use super::members::{amount, count};
use crate::domain::{Currency, ListingId, Offer};
use crate::marketplace::ItemOutcome;
use crate::marketplace::json::{self, Raw};

/// What stands there now, as far as a plan changes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub offer: Offer,
    /// Whether it says how many copies there are. One that does not is a single copy and stays one.
    pub counted: bool,
}

/// Members of the answer that are no part of a request, and two that Trade Me asks not to send.
const NOT_SENT: [&str; 9] = [
    "ImmutableFields",
    "RequiredMinimumReserve",
    "StartDate",
    "AvailablePromotions",
    "Photos",
    "RemainingGalleryPlusRelists",
    "ListingExtrasLedger",
    "AutoRelistLimit",
    "IsHomepageFeatured",
];

/// What the edit request says of price and copies. The error is for people: why it is not ours to change.
pub(super) fn standing(listing: &Document, currency: Currency) -> Result<Standing, String> {
    let price = amount(listing.get("BuyNowPrice"), "BuyNowPrice", currency)?;
    let start = amount(listing.get("StartPrice"), "StartPrice", currency)?;
    let counted = json::copies(count(listing.get("Quantity"), "Quantity")?, "Quantity")?;
    if json::flag(listing.get("IsClassified")) == Some(true) {
        return Err(limits::CLASSIFIED.to_owned());
    }
    if price.minor == 0 || start.minor > 0 && counted == 0 {
        return Err(limits::AUCTION.to_owned());
    }
    if listing.filled("VariantDefinition").is_some() {
        return Err(limits::VARIANT.to_owned());
    }
    // Without a number it is one copy: what is sold out is closed.
    let offer = Offer { quantity: counted.max(1), in_carts: 0, price, attributes: "{}".to_owned() };
    Ok(Standing { offer, counted: counted > 0 })
}

/// How what stands there differs from what the plan saw, if it does.
pub(super) fn difference(now: &Offer, seen: &Offer) -> Option<String> {
    if now.listed() != seen.listed() {
        return Some(format!("listed {} when planned, {} now", seen.listed(), now.listed()));
    }
    (now.price != seen.price).then(|| format!("{} when planned, {} now", seen.price, now.price))
}

/// The request that makes `after` of what stands there. It is complete, and differs from `listing` in nothing else.
pub(super) fn request(
    mut listing: Document,
    now: &Standing,
    id: ListingId,
    after: &Offer,
) -> Result<Document, ItemOutcome> {
    let refused = |words: String| Err(ItemOutcome::Refused(words));
    let immutable = immutable(listing.get("ImmutableFields"));
    let is_fixed = |name: &str| immutable.iter().any(|fixed| fixed.eq_ignore_ascii_case(name));
    if now.offer.price != after.price {
        if is_fixed("BuyNowPrice") {
            return refused("Trade Me does not let the price of this listing be changed any more".to_owned());
        }
        listing.set("BuyNowPrice", document::amount(after.price));
    }
    if now.offer.listed() != after.listed() {
        if let Some(why) = limits::too_many(after.listed()) {
            return refused(why);
        }
        if is_fixed("Quantity") {
            return refused(
                "Trade Me does not let the copies of this listing be changed any more".to_owned(),
            );
        }
        if !now.counted {
            return refused(limits::SINGLE.to_owned());
        }
        listing.set("Quantity", document::number(after.listed()));
    }
    listing.remove(&NOT_SENT);
    listing.set("ListingId", document::number(id.0));
    // So that the answer shows what came of it.
    listing.set("ReturnListingDetails", document::flag(true));
    Ok(listing)
}

/// The names of what may not be changed any more.
fn immutable(raw: Raw<'_>) -> Vec<String> {
    let rows = raw.and_then(|raw| json::rows(raw).ok()).unwrap_or_default();
    rows.into_iter().filter_map(|row| json::words(Some(row))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Money;

    const LISTING: &str = r#"{"ListingId":5123456789,"Category":"6853","Title":"Blue widget","Description":["Solid widget, new in box."],"BuyNowPrice":21.00,"Duration":7,"Quantity":7,"EndDateTime":"\/Date(1767830400000)\/","ShippingOptions":[{"Type":4,"Price":6.00,"Method":"NZ courier"}],"PaymentMethods":[1,32],"SKU":"WID-BLU","ImmutableFields":["Category"],"StartDate":"\/Date(1767225600000)\/","Photos":[]}"#;

    fn offer(quantity: i64, minor: i64) -> Offer {
        let price = Money { minor, currency: Currency::NZD };
        Offer { quantity, in_carts: 0, price, attributes: "{}".to_owned() }
    }

    fn edited(listing: &str, after: &Offer) -> Result<String, ItemOutcome> {
        let listing = Document::read(listing.as_bytes()).unwrap();
        let now = standing(&listing, Currency::NZD).map_err(ItemOutcome::Refused)?;
        let request = request(listing, &now, ListingId(5_123_456_789), after)?;
        Ok(String::from_utf8(request.to_body().bytes.to_vec()).unwrap())
    }

    fn refusal(listing: &str, after: &Offer) -> String {
        match edited(listing, after).unwrap_err() {
            ItemOutcome::Refused(words) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_price_and_copies_change_and_what_is_for_reading_stays_behind() {
        let sent = edited(LISTING, &offer(5, 1_950)).unwrap();
        let expected = LISTING.replace("21.00", "19.50").replace("\"Quantity\":7", "\"Quantity\":5");
        let (kept, _) = expected.split_once(",\"ImmutableFields\"").unwrap();
        assert_eq!(sent, format!("{kept},\"ReturnListingDetails\":true}}"));
        // A price that is the same is sent in the same letters.
        assert!(edited(LISTING, &offer(6, 2_100)).unwrap().contains("\"BuyNowPrice\":21.00,"));
    }

    #[test]
    fn what_may_not_change_is_refused_and_nothing_else() {
        let fixed = LISTING.replace("[\"Category\"]", "[\"BuyNowPrice\"]");
        assert!(refusal(&fixed, &offer(7, 2_000)).contains("the price"));
        assert!(edited(&fixed, &offer(6, 2_100)).is_ok());
        let fixed = LISTING.replace("[\"Category\"]", "[\"quantity\"]");
        assert!(refusal(&fixed, &offer(6, 2_100)).contains("the copies"));
        assert!(refusal(LISTING, &offer(1_001, 2_100)).contains("at most 1000"));
        let single = LISTING.replace("\"Quantity\":7,", "");
        assert!(refusal(&single, &offer(2, 2_100)).contains("single copy"));
        assert!(edited(&single, &offer(1, 2_000)).is_ok());
    }

    #[test]
    fn what_is_no_listing_for_a_fixed_price_is_left_alone() {
        for (listing, why) in [
            (r#"{"StartPrice":1.00,"BuyNowPrice":21.00}"#, "auction"),
            (r#"{"StartPrice":1.00}"#, "auction"),
            (r#"{"BuyNowPrice":5,"IsClassified":true}"#, "classified"),
            (r#"{"BuyNowPrice":5,"Quantity":1,"VariantDefinition":{"Variants":[{}]}}"#, "variants"),
            (r#"{"BuyNowPrice":0.305}"#, "BuyNowPrice"),
        ] {
            assert!(refusal(listing, &offer(1, 500)).contains(why), "{listing}");
        }
    }

    #[test]
    fn a_difference_from_what_was_planned_is_said_in_both_numbers() {
        assert_eq!(difference(&offer(6, 2_100), &offer(7, 2_100)).unwrap(), "listed 7 when planned, 6 now");
        let price = difference(&offer(7, 1_900), &offer(7, 2_100)).unwrap();
        assert_eq!(price, "21.00 NZD when planned, 19.00 NZD now");
        assert_eq!(difference(&offer(7, 2_100), &offer(7, 2_100)), None);
    }

    proptest! {
        /// What is asked for stands in the request, whatever it is.
        #[test]
        fn the_request_says_what_is_to_stand_there(copies in 1_i64..=1_000, minor in 50_i64..10_000_000) {
            let sent = edited(LISTING, &offer(copies, minor)).unwrap();
            let listing = Document::read(sent.as_bytes()).unwrap();
            prop_assert_eq!(standing(&listing, Currency::NZD).unwrap().offer, offer(copies, minor));
        }
    }
}
