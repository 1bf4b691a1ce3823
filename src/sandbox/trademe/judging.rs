//! Whether a listing may be written so: all that is wrong with it, in the marketplace's own words or words like them.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::document::{Document, Shipping, names};
use super::rules::{self, Found};
use super::{Listing, Shop, State};

/// The least price in cents.
const LEAST: i64 = 50;

/// What cannot be taken back once it is paid for.
const PROMOTIONS: [&str; 6] =
    ["IsBold", "IsFeatured", "HasGallery", "HasGalleryPlus", "IsHighlighted", "HasSuperFeature"];

/// At most so many listings may look the same.
const IDENTICAL: usize = 10;

impl Shop {
    /// All that is wrong with a new listing.
    pub(super) fn judge_new(&self, document: &Document, now: DateTime<Utc>) -> Vec<String> {
        let mut wrong = self.judge(document, 0, now);
        if let Found::Leaf(category) = rules::find(document.text("Category")) {
            let is_same = |row: &&Listing| {
                row.category == category && row.title == document.text("Title") && row.quantity().is_some()
            };
            if document.has("Quantity") && self.live(now).filter(is_same).count() >= IDENTICAL {
                wrong.push(format!("You may have at most {IDENTICAL} identical listings."));
            }
        }
        wrong
    }

    /// All that is wrong with changing a listing into this.
    pub(super) fn judge_edit(&self, row: &Listing, after: &Document, now: DateTime<Utc>) -> Vec<String> {
        if self.state(row, now) != State::Active {
            return vec!["This listing has closed, so it cannot be edited.".to_owned()];
        }
        let before = row.document();
        let mut wrong = Vec::new();
        if before.has("Quantity") != after.has("Quantity") {
            wrong.push("An auction and a Buy Now only listing cannot be made of each other.".to_owned());
        }
        let immutable = immutable(row);
        for name in before.differing(after) {
            if immutable.contains(name) {
                wrong.push(format!("{name} can no longer be changed."));
            } else if PROMOTIONS.contains(&name) && before.flag(name) {
                wrong.push(format!("{name} is a promotion and cannot be removed."));
            }
        }
        if let Some(least) = required_reserve(row) {
            let reserve = |document: &Document| document.number("ReservePrice").unwrap_or_default();
            let (was, is) = (reserve(&before), reserve(after));
            if is > was || is < was && is < i64::from(least) {
                wrong.push("The reserve can only be lowered, to the highest bid at the least.".to_owned());
            }
        }
        wrong.extend(self.judge(after, row.sold, now));
        wrong
    }

    fn judge(&self, document: &Document, sold: u32, now: DateTime<Utc>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |is_right: bool, message: &str| {
            if !is_right {
                wrong.push(message.to_owned());
            }
        };
        let long = |name: &str, most: usize| document.text(name).chars().count() <= most;
        must(document.has("Title"), "Please enter a title.");
        must(long("Title", rules::TITLE), "The title must be at most 80 characters.");
        must(long("Subtitle", 50), "The subtitle must be at most 50 characters.");
        must(long("SKU", 50), "The SKU must be at most 50 characters.");
        must(long("ExternalReferenceId", 50), "The external reference must be at most 50 characters.");
        let text: usize = document.texts("Description").iter().map(|part| part.chars().count()).sum();
        must(text <= 2_048, "The description must be at most 2048 characters.");
        must(!document.has("VariantDefinition"), "This pretend shop lists no variants.");
        must(!document.flag("IsClassified"), "Classifieds cannot be listed in this category.");
        must(!document.flag("IsClearance"), "You may not list clearance items.");
        prices(document, sold, &mut must);
        lasting(document, now, &mut must);
        sending_and_paying(document, &mut must);
        let photos = document.numbers("PhotoIds");
        must(photos.len() <= rules::PHOTOS, "A listing has at most 20 photos.");
        for photo in photos.iter().filter(|photo| !super::seed::PHOTOS.contains(photo)) {
            must(false, &format!("Photo {photo} was not found."));
        }
        category(document, &mut must);
        wrong
    }
}

type Must<'a> = dyn FnMut(bool, &str) + 'a;

fn prices(document: &Document, sold: u32, must: &mut Must<'_>) {
    let price = |name: &str| document.number(name);
    let enough = |name: &str| price(name).is_none_or(|cents| cents >= LEAST);
    must(enough("BuyNowPrice"), "The Buy Now price must be at least $0.50.");
    let dear = |name: &str| {
        price(name).is_none_or(|cents| u32::try_from(cents).is_ok_and(|cents| cents < 100_000_000))
    };
    must(dear("BuyNowPrice") && dear("StartPrice") && dear("ReservePrice"), "A price is too high.");
    if let Some(quantity) = document.number("Quantity") {
        let most = 1_000 - i64::from(sold);
        must((1..=most).contains(&quantity), &format!("The quantity must be between 1 and {}.", most.max(1)));
        must(document.has("BuyNowPrice"), "Please enter a Buy Now price.");
        if let (Some(was), Some(is)) = (price("WasPrice"), price("BuyNowPrice")) {
            must(was > is, "The previous price must be higher than the Buy Now price.");
        }
        return;
    }
    must(document.has("StartPrice") && enough("StartPrice"), "The start price must be at least $0.50.");
    must(enough("ReservePrice"), "The reserve price must be at least $0.50.");
    let start = price("StartPrice").unwrap_or_default();
    let above = |name: &str| price(name).is_none_or(|cents| cents >= start);
    must(above("ReservePrice"), "The reserve price must not be lower than the start price.");
    must(above("BuyNowPrice"), "The Buy Now price must not be lower than the start price.");
    must(document.has("PaymentMethods"), "Please choose at least one payment method.");
}

fn lasting(document: &Document, now: DateTime<Utc>, must: &mut Must<'_>) {
    let days = document.number("Duration").unwrap_or_default();
    must(rules::DURATIONS.contains(&days), "This duration is not allowed in this category.");
    if days == 0 {
        let is_ahead = |end: DateTime<Utc>| end > now && end <= now + TimeDelta::days(14);
        must(
            document.date("EndDateTime").is_some_and(is_ahead),
            "Please choose a duration or a valid end date.",
        );
    }
}

fn sending_and_paying(document: &Document, must: &mut Must<'_>) {
    let pickup = document.number("Pickup").unwrap_or_default();
    must((0..=3).contains(&pickup), "The pick-up option is not valid.");
    must(!document.has("ShippingTemplateId"), "The shipping template was not found.");
    let ways = document.shipping();
    must(pickup == 2 || !ways.is_empty(), "Please enter at least one shipping option.");
    must(ways.len() <= 10, "At most 10 shipping options are allowed.");
    must(ways.iter().all(|way| matches!(way.kind, 1 | 3 | 4 | 5)), "A shipping option has no valid type.");
    let is_alone = ways.len() == 1 || !ways.iter().any(|way| matches!(way.kind, 1 | 3));
    must(is_alone, "Free or undecided shipping must be the only shipping option.");
    let is_named = |way: &Shipping| way.kind != 4 || !way.method.is_empty();
    must(ways.iter().all(is_named), "Please describe every shipping option.");
    let payments = document.numbers("PaymentMethods");
    let is_known = |id: &i64| rules::PAYMENTS.iter().any(|(known, _)| known == id);
    must(payments.iter().all(is_known), "A payment method is not allowed in this category.");
    must(
        !payments.contains(&16) || document.has("OtherPaymentMethod"),
        "Please describe the other payment method.",
    );
}

fn category(document: &Document, must: &mut Must<'_>) {
    let name = document.text("Category");
    let category = match rules::find(name) {
        Found::Leaf(category) => category,
        Found::Branch => return must(false, "Please choose a more specific category."),
        Found::Nothing => return must(false, &format!("Category {name} was not found")),
    };
    if rules::legal_notice(category).is_some() {
        must(
            document.flag("HasAgreedWithLegalNotice"),
            "Please agree with the legal notice of this category.",
        );
    }
    if let Some((attribute, known)) = rules::attribute(category) {
        let value = document.attribute(attribute);
        must(
            value.is_some_and(|value| known.contains(&value)),
            &format!("Please enter a value for {attribute}."),
        );
    }
}

/// The members that may no longer change: none until somebody buys or bids. A price and a number of copies stay open,
/// and a reserve can be lowered.
pub fn immutable(row: &Listing) -> BTreeSet<&'static str> {
    let open: &[&str] = match (row.sold > 0, row.bids().is_empty()) {
        (true, _) => &["BuyNowPrice", "Quantity"],
        (false, false) => &["ReservePrice"],
        (false, true) => return BTreeSet::new(),
    };
    names().filter(|name| !open.contains(name)).collect()
}

/// What the reserve of an auction with bids may be lowered to, in cents.
pub fn required_reserve(row: &Listing) -> Option<u32> {
    row.bids().last().map(|top| top.cents)
}
