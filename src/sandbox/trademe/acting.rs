//! What buyer and seller do to a purchase afterwards, by the control port's hand.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Paid, PayBy, Payment, Sale, Shop, Status};

/// A deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The buyer sends an address, for the whole order.
    Address,
    /// The buyer pays the whole order.
    Pay(PayBy),
    /// The buyer begins to pay the whole order by the marketplace's wallet.
    Pending,
    /// The seller gives the money back.
    Refund,
    /// The seller says how far it is. Any order is allowed, and back to nothing.
    Mark(Status),
    /// The seller does not want to see it any more.
    Hide,
}

const WORDS: [(&str, Action); 13] = [
    ("address", Action::Address),
    ("pay-ping", Action::Pay(PayBy::Ping)),
    ("pay-afterpay", Action::Pay(PayBy::Afterpay)),
    ("pay-bank-deposit", Action::Pay(PayBy::BankDeposit)),
    ("pay-cash", Action::Pay(PayBy::Cash)),
    ("pending", Action::Pending),
    ("refund", Action::Refund),
    ("email-sent", Action::Mark(Status::EmailSent)),
    ("payment-received", Action::Mark(Status::PaymentReceived)),
    ("goods-shipped", Action::Mark(Status::GoodsShipped)),
    ("sale-completed", Action::Mark(Status::SaleCompleted)),
    ("clear-status", Action::Mark(Status::None)),
    ("hide", Action::Hide),
];

impl Action {
    /// The deed of that name.
    pub fn parse(word: &str) -> Result<Self, String> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, action)| *action).ok_or_else(|| {
            let known: Vec<&str> = WORDS.iter().map(|(known, _)| *known).collect();
            format!("no action '{word}'; there are {}", known.join(", "))
        })
    }
}

/// How a purchase stands after a deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// `PurchaseId`.
    pub purchase_id: i64,
    /// What the seller says, as a number.
    pub status: i64,
    /// How far the payment is, as far as the marketplace knows.
    pub paid: Paid,
    /// Whether there is an address.
    pub address: bool,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// There is none of that number.
    #[error("there is no purchase {0}")]
    NoSuchPurchase(i64),
    /// It does not follow.
    #[error("{0}")]
    Refused(String),
}

impl Shop {
    /// Moves a purchase on.
    pub fn act(&mut self, purchase: i64, action: Action, now: DateTime<Utc>) -> Result<Standing, ActError> {
        self.settle(now);
        let at = self.sale_place(purchase).ok_or(ActError::NoSuchPurchase(purchase))?;
        let cart = self.sales[at].order_id;
        if action == Action::Refund && self.sales[at].paid(now) != Paid::Yes {
            return Err(ActError::Refused(format!(
                "purchase {purchase} is not paid: there is nothing to refund"
            )));
        }
        for sale in &mut self.sales {
            let is_meant =
                sale.id == purchase || action.is_of_the_order() && cart.is_some() && sale.order_id == cart;
            if is_meant {
                sale.take(action, now);
            }
        }
        let sale = &self.sales[at];
        let (status, paid) = (sale.status.number(), sale.paid(now));
        Ok(Standing { purchase_id: purchase, status, paid, address: sale.has_address(now) })
    }
}

impl Action {
    fn is_of_the_order(self) -> bool {
        matches!(self, Self::Address | Self::Pay(_) | Self::Pending)
    }
}

impl Sale {
    fn take(&mut self, action: Action, now: DateTime<Utc>) {
        match action {
            Action::Address => self.address_at = Some(now),
            Action::Pay(by) => {
                self.payment = Payment { by: Some(by), pending_at: None, paid_at: Some(now), refunded: None };
            }
            Action::Pending => {
                let by = Some(PayBy::Ping);
                self.payment = Payment { by, pending_at: Some(now), paid_at: None, refunded: None };
            }
            Action::Refund => self.payment.refunded = Some((self.total_cents(), now)),
            Action::Mark(status) => {
                self.status = status;
                self.status_at = (status != Status::None).then_some(now);
            }
            Action::Hide => self.hidden = true,
        }
    }
}
