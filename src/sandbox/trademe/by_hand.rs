//! The seller on the website, past the API and past whoever uses it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Shop;
use super::deeds::{Refused, Withdrawal};
use super::document::{Document, Shipping};
use super::effects::By;

/// Something done on the website. It has the rules and the fees of the API, and is as late in the lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ByHand {
    /// Lists copies at a fixed price for seven days.
    Create {
        /// What it is called.
        title: String,
        /// Price of one in cents.
        cents: u32,
        /// How many.
        quantity: u32,
        /// The seller's key, if it has one.
        #[serde(default)]
        sku: Option<String>,
    },
    /// Changes what is given and leaves the rest.
    Edit {
        /// Which listing.
        listing_id: i64,
        /// What it is called from now on.
        #[serde(default)]
        title: Option<String>,
        /// Price of one in cents from now on.
        #[serde(default)]
        cents: Option<u32>,
        /// Copies that are left from now on.
        #[serde(default)]
        quantity: Option<u32>,
    },
    /// Ends a listing.
    Withdraw {
        /// Which.
        listing_id: i64,
    },
}

impl Shop {
    /// Does what the seller does on the website, and returns the number of the listing.
    pub fn by_hand(&mut self, deed: &ByHand, now: DateTime<Utc>) -> Result<i64, String> {
        self.settle(now);
        let done = match deed {
            ByHand::Create { title, cents, quantity, sku } => {
                let document = Document::default()
                    .with("Category", "3762")
                    .with("Title", title.as_str())
                    .with("Description", vec!["Listed on the website."])
                    .with("BuyNowPrice", *cents)
                    .with("Quantity", *quantity)
                    .with("Duration", 7)
                    .with("Pickup", 3)
                    .with("PaymentMethods", vec![1, 32])
                    .with("SKU", sku.as_deref())
                    .with_shipping(&[Shipping { kind: 4, cents: 600, method: "NZ courier".to_owned() }]);
                self.create(&document, By::Hand, now)
            }
            ByHand::Edit { listing_id, title, cents, quantity } => {
                let before = self.listing(*listing_id).ok_or(Refused::Unknown(*listing_id));
                let after = before.map(|row| {
                    let mut document = row.document();
                    if let Some(title) = title {
                        document = document.with("Title", title.as_str());
                    }
                    if let Some(cents) = cents {
                        document = document.with("BuyNowPrice", *cents);
                    }
                    if let Some(quantity) = quantity {
                        document = document.with("Quantity", *quantity);
                    }
                    document
                });
                after.and_then(|after| self.edit(*listing_id, &after, By::Hand, now)).map(|()| *listing_id)
            }
            ByHand::Withdraw { listing_id } => {
                let how = Withdrawal { kind: 2, reason: "Gone".to_owned(), sale_cents: None };
                self.withdraw(*listing_id, &how, By::Hand, now).map(|()| *listing_id)
            }
        };
        done.map_err(|refused| match refused {
            Refused::Unknown(id) => format!("there is no listing {id}"),
            Refused::Wrong(wrong) => wrong.join(" "),
        })
    }
}
