//! The seller's account: what listings cost, what was taken for them, and the statement of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::document::Document;
use super::json::Json;
use super::{Listing, Shop};

/// What the marketplace takes, in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// For each new listing.
    pub listing_cents: u64,
    /// For each new listing beyond the allowance, on top.
    pub high_volume_cents: u64,
    /// Live listings that are the allowance.
    pub high_volume_threshold: usize,
    /// For ending a listing early, after its first hour.
    pub withdrawal_cents: u64,
}

impl Default for Prices {
    fn default() -> Self {
        Self { listing_cents: 25, high_volume_cents: 15, high_volume_threshold: 1_000, withdrawal_cents: 300 }
    }
}

/// Something that makes a listing dearer.
pub struct Extra {
    code: i64,
    name: &'static str,
    /// The name under which a category tells its price.
    pub in_category: &'static str,
    /// What it costs.
    pub cents: u64,
    is_in: fn(&Document) -> bool,
}

/// All of them, by the numbers that they have in the statement.
pub const EXTRAS: [Extra; 11] = [
    extra(100, "Gallery", "Gallery", 55, |listing| listing.flag("HasGallery")),
    extra(101, "Gallery Plus", "GalleryPlus", 250, |listing| listing.flag("HasGalleryPlus")),
    extra(102, "Bold title", "Bold", 150, |listing| listing.flag("IsBold")),
    extra(103, "Subtitle", "Subtitle", 55, |listing| listing.has("Subtitle")),
    extra(104, "Highlight", "Highlight", 150, |listing| listing.flag("IsHighlighted")),
    extra(105, "Feature", "Feature", 395, |listing| listing.flag("IsFeatured")),
    extra(108, "Super feature", "SuperFeature", 2_900, |listing| listing.flag("HasSuperFeature")),
    extra(110, "Ten day auction", "TenDays", 25, |listing| listing.number("Duration") == Some(10)),
    extra(112, "Scheduled end date", "EndDate", 25, |listing| !listing.has("Duration")),
    extra(113, "Reserve", "Reserve", 25, |listing| listing.has("ReservePrice")),
    extra(114, "Second category", "SecondCategory", 100, |listing| listing.has("SecondCategory")),
];

const fn extra(
    code: i64,
    name: &'static str,
    in_category: &'static str,
    cents: u64,
    is_in: fn(&Document) -> bool,
) -> Extra {
    Extra { code, name, in_category, cents, is_in }
}

/// One thing to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Its number in the statement.
    pub code: i64,
    /// In words.
    pub name: &'static str,
    /// How much.
    pub cents: u64,
}

/// A line of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `LedgerId`.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What for, as a number.
    pub code: i64,
    /// What for, in words.
    pub name: &'static str,
    /// What came, in cents.
    pub credit: u64,
    /// What went, in cents.
    pub debit: u64,
    /// What was there afterwards, in cents.
    pub balance: u64,
    /// The listing that it is about; 0 for none.
    pub listing_id: i64,
    /// The purchase that it is about; 0 for none.
    pub purchase_id: i64,
    /// The seller's key of the listing.
    pub sku: Option<String>,
}

impl Shop {
    /// What a new listing costs.
    pub(super) fn listing_fees(&self, document: &Document, now: DateTime<Utc>) -> Vec<Fee> {
        let prices = &self.options.prices;
        let mut fees = vec![Fee { code: 1, name: "Listing fee", cents: prices.listing_cents }];
        if self.live(now).count() >= prices.high_volume_threshold {
            fees.push(Fee { code: 2, name: "High volume fee", cents: prices.high_volume_cents });
        }
        fees.extend(extras(document));
        fees.retain(|fee| fee.cents > 0);
        fees
    }

    /// What ending a listing early costs: nothing in its first hour.
    pub(super) fn withdrawal_fees(&self, listing: &Listing, now: DateTime<Utc>) -> Vec<Fee> {
        let cents = self.options.prices.withdrawal_cents;
        let is_free = cents == 0 || now < listing.start + TimeDelta::hours(1);
        if is_free { Vec::new() } else { vec![Fee { code: 300, name: "Withdrawal fee", cents }] }
    }

    /// Whether the account can pay. There is no overdraft.
    pub(super) fn can_pay(&self, fees: &[Fee]) -> bool {
        total(fees) <= self.balance_cents
    }

    /// Takes what a listing, or a sale of it, costs.
    pub(super) fn charge(
        &mut self,
        fees: &[Fee],
        listing_id: i64,
        purchase_id: i64,
        sku: Option<&str>,
        at: DateTime<Utc>,
    ) {
        for fee in fees {
            // A success fee is taken whatever is there; what is missing is the marketplace's loss.
            self.balance_cents = self.balance_cents.saturating_sub(fee.cents);
            self.account.push(Entry {
                id: self.account.last().map_or(FIRST_ENTRY, |last| last.id + 1),
                at,
                code: fee.code,
                name: fee.name,
                credit: 0,
                debit: fee.cents,
                balance: self.balance_cents,
                listing_id,
                purchase_id,
                sku: sku.map(str::to_owned),
            });
        }
    }

    /// The seller's statement, oldest first.
    pub fn statement(&self) -> &[Entry] {
        &self.account
    }

    /// What is left on the account, in cents.
    pub fn balance_cents(&self) -> u64 {
        self.balance_cents
    }

    /// Takes other prices from now on.
    pub fn set_prices(&mut self, prices: Prices) {
        self.options.prices = prices;
    }

    /// Sets what is left on the account, as somebody would who pays in or takes out elsewhere.
    pub fn set_balance_cents(&mut self, cents: u64, now: DateTime<Utc>) {
        let before = std::mem::replace(&mut self.balance_cents, cents);
        self.account.push(Entry {
            id: self.account.last().map_or(FIRST_ENTRY, |last| last.id + 1),
            at: now,
            credit: cents.saturating_sub(before),
            debit: before.saturating_sub(cents),
            ..Entry::opening(cents, now)
        });
    }
}

const FIRST_ENTRY: i64 = 9_000_000_001;

impl Entry {
    /// What the seller paid in at the beginning.
    pub fn opening(cents: u64, at: DateTime<Utc>) -> Self {
        Self {
            id: FIRST_ENTRY,
            at,
            code: 401,
            name: "Bank transfer",
            credit: cents,
            debit: 0,
            balance: cents,
            listing_id: 0,
            purchase_id: 0,
            sku: None,
        }
    }

    /// Whether a filter by kind, in any case, asks for it.
    pub fn is_of(&self, kind: &str) -> bool {
        match kind.to_ascii_lowercase().as_str() {
            "alldebits" => self.debit > 0,
            "allcredits" => self.credit > 0,
            "accountcredits" => (400..500).contains(&self.code),
            "refunds" => (600..617).contains(&self.code),
            "topsellerdiscounts" | "goldtraderebates" => false,
            _ => true,
        }
    }

    /// Writes it.
    pub fn write(&self, json: &mut Json) {
        json.number("LedgerId", self.id);
        json.date("Date", Some(self.at));
        json.code("Type", self.code);
        json.text("Description", self.name);
        json.money("Credit", self.credit);
        json.money("Debit", self.debit);
        json.money("Balance", self.balance);
        json.number("ReferenceId", self.listing_id);
        json.number("PurchaseId", self.purchase_id);
        json.text_or_null("Sku", self.sku.as_deref());
    }
}

/// What makes a listing dearer.
pub fn extras(document: &Document) -> impl Iterator<Item = Fee> {
    EXTRAS.iter().filter(|extra| (extra.is_in)(document)).map(|extra| Fee {
        code: extra.code,
        name: extra.name,
        cents: extra.cents,
    })
}

/// What an edit costs: the extras that were not there before.
pub fn edit_fees(before: &Document, after: &Document) -> Vec<Fee> {
    let had: Vec<Fee> = extras(before).collect();
    extras(after).filter(|fee| !had.contains(fee)).collect()
}

/// All of it, in cents.
pub fn total(fees: &[Fee]) -> u64 {
    fees.iter().map(|fee| fee.cents).sum()
}
