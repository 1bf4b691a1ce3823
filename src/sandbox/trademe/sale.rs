//! Purchases. What the buyer does later (an address, a payment) is stored with its time, so that a request sees
//! as much of it as has happened.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Somebody who does not exist.
#[derive(Debug, Clone)]
pub struct Member {
    /// `MemberId`; 0 for one whose privacy is kept.
    pub id: i64,
    /// The name on the marketplace.
    pub nickname: String,
    /// Ends in `-Canary`.
    pub name: String,
    /// Street, suburb, town, post code.
    pub address: (String, &'static str, &'static str, &'static str),
    /// Positive feedback less negative.
    pub feedback: u32,
}

/// One purchase of one listing.
#[derive(Debug, Clone)]
pub struct Sale {
    /// `PurchaseId`.
    pub id: i64,
    /// The cart, if it was bought through one.
    pub order_id: Option<i64>,
    /// What was bought.
    pub listing_id: i64,
    /// How.
    pub how: How,
    /// When.
    pub at: DateTime<Utc>,
    /// Place in the list of buyers.
    pub buyer: usize,
    /// Copies.
    pub quantity: u32,
    /// Price of one in cents.
    pub cents: u32,
    /// Shipping of one, or of all if it is flat, in cents.
    pub shipping_cents: u32,
    /// One charge for the whole purchase.
    pub flat_shipping: bool,
    /// When the buyer sends an address.
    pub address_at: Option<DateTime<Utc>>,
    /// How and when it is paid.
    pub payment: Payment,
    /// What the seller says of it.
    pub status: Status,
    /// When the seller said so.
    pub status_at: Option<DateTime<Utc>>,
    /// Whether the seller does not want to see it any more.
    pub hidden: bool,
}

/// How something was sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// To the highest bidder.
    Auction,
    /// At a fixed price.
    BuyNow,
}

/// How a buyer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayBy {
    /// To the seller's account; the marketplace never learns whether it came.
    BankDeposit,
    /// On pick-up.
    Cash,
    /// The marketplace's wallet.
    Ping,
    /// In parts.
    Afterpay,
}

impl PayBy {
    /// The marketplace's number.
    pub fn number(self) -> i64 {
        match self {
            Self::BankDeposit => 1,
            Self::Cash => 4,
            Self::Ping => 32,
            Self::Afterpay => 64,
        }
    }

    /// Whether the marketplace sees the money.
    pub fn is_seen(self) -> bool {
        matches!(self, Self::Ping | Self::Afterpay)
    }
}

/// A payment and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The way that the buyer chose.
    pub by: Option<PayBy>,
    /// When it begins to be under way.
    pub pending_at: Option<DateTime<Utc>>,
    /// When it is there.
    pub paid_at: Option<DateTime<Utc>>,
    /// What went back, in cents.
    pub refunded: Option<(u64, DateTime<Utc>)>,
}

/// How far a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Paid {
    /// Nothing is known of one.
    No,
    /// It is under way.
    Pending,
    /// It is there.
    Yes,
}

/// What the seller says of a sale; the marketplace itself never does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing.
    #[default]
    None,
    /// The buyer was written to.
    EmailSent,
    /// The money came.
    PaymentReceived,
    /// It is on its way.
    GoodsShipped,
    /// All is done.
    SaleCompleted,
}

impl Status {
    /// The marketplace's number.
    pub fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::EmailSent => 10,
            Self::PaymentReceived => 20,
            Self::GoodsShipped => 30,
            Self::SaleCompleted => 40,
        }
    }
}

impl Sale {
    /// Price of all copies in cents.
    pub fn subtotal_cents(&self) -> u64 {
        u64::from(self.cents) * u64::from(self.quantity)
    }

    /// Shipping of all copies in cents.
    pub fn total_shipping_cents(&self) -> u64 {
        let charges = if self.flat_shipping { 1 } else { self.quantity };
        u64::from(self.shipping_cents) * u64::from(charges)
    }

    /// What the buyer pays, in cents.
    pub fn total_cents(&self) -> u64 {
        self.subtotal_cents() + self.total_shipping_cents()
    }

    /// The marketplace's share, in cents: 7.9 % of price and shipping.
    pub fn success_fee_cents(&self) -> u64 {
        (self.total_cents() * 79 + 500) / 1_000
    }

    /// How far the payment is at `now`.
    pub fn paid(&self, now: DateTime<Utc>) -> Paid {
        let has_come = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
        match self.payment.by {
            Some(by) if by.is_seen() && has_come(self.payment.paid_at) => Paid::Yes,
            Some(by) if by.is_seen() && has_come(self.payment.pending_at) => Paid::Pending,
            _ => Paid::No,
        }
    }

    /// Whether the buyer has sent an address by `now`.
    pub fn has_address(&self, now: DateTime<Utc>) -> bool {
        self.address_at.is_some_and(|at| at <= now)
    }

    /// Whether it is listed at `now`: after the lag, and for 45 days.
    pub fn is_visible(&self, now: DateTime<Utc>, lag: TimeDelta) -> bool {
        self.at + lag <= now && now - self.at <= TimeDelta::days(45)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + seconds, 0).expect("in range")
    }

    fn sale(by: Option<PayBy>) -> Sale {
        Sale {
            id: 812_345_678,
            order_id: None,
            listing_id: 1,
            how: How::BuyNow,
            at: at(0),
            buyer: 0,
            quantity: 2,
            cents: 2_100,
            shipping_cents: 600,
            flat_shipping: false,
            address_at: Some(at(60)),
            payment: Payment { by, pending_at: Some(at(10)), paid_at: Some(at(20)), refunded: None },
            status: Status::None,
            status_at: None,
            hidden: false,
        }
    }

    #[test]
    fn totals_are_those_of_the_documentation() {
        let each = sale(None);
        assert_eq!(
            (each.subtotal_cents(), each.total_shipping_cents(), each.total_cents()),
            (4_200, 1_200, 5_400)
        );
        assert_eq!(each.success_fee_cents(), 427);
        let flat = Sale { flat_shipping: true, ..each };
        assert_eq!((flat.total_shipping_cents(), flat.total_cents()), (600, 4_800));
    }

    #[test]
    fn address_and_payment_are_seen_when_they_have_come() {
        let sale_ = sale(Some(PayBy::Ping));
        assert_eq!(
            [0, 10, 19, 20].map(|s| sale_.paid(at(s))),
            [Paid::No, Paid::Pending, Paid::Pending, Paid::Yes]
        );
        assert_eq!([59, 60].map(|s| sale_.has_address(at(s))), [false, true]);
        assert_eq!(sale(Some(PayBy::BankDeposit)).paid(at(100)), Paid::No, "nobody told the marketplace");
    }

    #[test]
    fn a_sale_is_listed_after_the_lag_and_for_45_days() {
        let (sale, lag) = (sale(None), TimeDelta::seconds(75));
        let days = 45 * 86_400;
        assert_eq!([74, 75, days, days + 1].map(|s| sale.is_visible(at(s), lag)), [false, true, true, false]);
    }
}
