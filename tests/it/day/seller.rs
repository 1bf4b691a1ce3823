//! The seller of the day: what is on the shelf, the list that is written anew every hour, and the copies that buyers take
//! from it, for each of the shops alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::sandbox::trademe::{self, ByHand};
use sellerd::sandbox::{By, Deed, OrderAction, OrderState, Placed, Purchase, Shop};

/// What is for sale: copies and cents by the seller's key.
pub type Shelf = BTreeMap<String, (u32, u32)>;

/// Things that the seller sells. In each list another one of them is sold out, and the one before is there again.
const THINGS: u32 = 8;

/// How the keys begin; the shops have goods beside these.
pub const KEY: &str = "DAY-";

/// What new listings at Trade Me are made from.
pub const TEMPLATE: &str = r#"{"Category": "3762", "Description": ["Ships next working day."], "Duration": 7, "Pickup": 3,
    "ShippingOptions": [{"Type": 4, "Price": 6.1, "Method": "NZ courier"}], "PaymentMethods": [1, 32],
    "HasAgreedWithLegalNotice": true}"#;

/// The list of this hour: a thing goes, a thing comes, some counts and some prices are others.
pub fn wanted(hour: u32) -> Shelf {
    let things = (0..THINGS).map(|thing| {
        let copies = if (thing + hour).is_multiple_of(THINGS) { 0 } else { 3 + (thing + hour / 2) % 4 };
        (format!("{KEY}{thing}"), (copies, 500 + 10 * ((thing + hour / 3) % 5)))
    });
    things.collect()
}

/// Puts what the list of hour 0 wants on both shelves.
pub fn open(cm: &mut Shop, nz: &mut trademe::Shop, now: DateTime<Utc>) {
    let products: Vec<u32> = cm.product_ids().collect();
    for ((sku, (count, cents)), product) in wanted(0).into_iter().zip(products) {
        if count == 0 {
            continue;
        }
        let comment = format!("[sku:{sku}]");
        let placed = Placed { product_id: Some(product), cents, count, comment, ..Placed::default() };
        cm.place(&placed, now).expect("there is such a product");
        let title = format!("Card {sku}");
        let deed = ByHand::Create { title, cents, quantity: count, sku: Some(sku) };
        nz.by_hand(&deed, now).expect("it can be listed");
    }
}

/// The seller writes the list of this hour.
pub fn write_list(dir: &Path, hour: u32, cm: &Shop, now: DateTime<Utc>) {
    let mut list = "sku,quantity,price,title,product_id,language,condition\n".to_owned();
    for ((sku, (copies, cents)), product) in wanted(hour).into_iter().zip(cm.product_ids()) {
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        let _ = writeln!(list, "{sku},{copies},{price},Card {sku},{product},English,NM");
    }
    let path = dir.join("stock.csv");
    fs::write(&path, list).expect("a file");
    let file = File::options().append(true).open(&path).expect("it is there");
    file.set_modified(now.into()).expect("a time");
}

/// A shop of either kind, as the seller and the buyers know it.
pub trait Counter {
    /// What is for sale of the seller's things.
    fn on_offer(&self, now: DateTime<Utc>) -> Shelf;

    /// Lets somebody buy one copy of this.
    fn sell(&mut self, sku: &str, now: DateTime<Utc>);

    /// When requests have changed something, and whether that put more on sale or changed a price.
    fn changes(&self) -> Vec<(DateTime<Utc>, bool)>;
}

impl Counter for Shop {
    fn on_offer(&self, _: DateTime<Utc>) -> Shelf {
        let rows = self.stock().rows().iter();
        let ours = rows.filter_map(|row| Some((row.comment.sku()?, (row.count, row.cents))));
        only_ours(ours)
    }

    fn sell(&mut self, sku: &str, now: DateTime<Utc>) {
        // What was paid before is on its way meanwhile.
        let paid = self.orders().iter().filter(|order| order.state == OrderState::Paid);
        for order in paid.map(|order| order.id).collect::<Vec<_>>() {
            self.act(order, OrderAction::Send, now).expect("it is paid");
        }
        let row = self.stock().rows().iter().find(|row| row.comment.sku().as_deref() == Some(sku));
        let article_id = Some(row.expect("it is for sale").id);
        let purchase = Purchase { article_id, quantity: Some(1), pay: Some(true), ..Purchase::default() };
        self.buy(&purchase, now).expect("it is for sale");
    }

    fn changes(&self) -> Vec<(DateTime<Utc>, bool)> {
        let ours = self.effects().all().filter(|effect| matches!(effect.by, By::Request(_)));
        ours.map(|effect| (effect.at, !matches!(effect.deed, Deed::Remove | Deed::Decrease))).collect()
    }
}

impl Counter for trademe::Shop {
    fn on_offer(&self, now: DateTime<Utc>) -> Shelf {
        let live = self.listings().iter().filter(|row| is_live(row, now));
        let ours = live.filter_map(|row| {
            let stand = trademe::Stand::of(row);
            Some((row.sku.clone()?, (stand.quantity.unwrap_or_default(), stand.cents)))
        });
        only_ours(ours)
    }

    fn sell(&mut self, sku: &str, now: DateTime<Utc>) {
        let mut live = self.listings().iter().filter(|row| is_live(row, now));
        let row = live.find(|row| row.sku.as_deref() == Some(sku));
        let listing_id = Some(row.expect("it is for sale").id);
        let (quantity, pay, address) = (Some(1), Some(true), Some(true));
        let purchase =
            trademe::Purchase { listing_id, quantity, pay, address, ..trademe::Purchase::default() };
        self.buy(&purchase, now).expect("it is for sale");
    }

    fn changes(&self) -> Vec<(DateTime<Utc>, bool)> {
        let ours = self.effects().iter().filter(|effect| effect.by == trademe::By::Api);
        ours.map(|effect| (effect.at, effect.what != trademe::What::Withdrawn)).collect()
    }
}

fn is_live(row: &trademe::Listing, now: DateTime<Utc>) -> bool {
    row.state(now, TimeDelta::zero()) == trademe::State::Active
}

fn only_ours(rows: impl Iterator<Item = (String, (u32, u32))>) -> Shelf {
    let (mut shelf, mut seen) = (Shelf::new(), BTreeSet::new());
    for (sku, row) in rows.filter(|(sku, _)| sku.starts_with(KEY)) {
        assert!(seen.insert(sku.clone()), "{sku} is for sale twice");
        shelf.insert(sku, row);
    }
    shelf
}

/// What the seller remembers of one shop.
#[derive(Default)]
pub struct Book {
    /// The list that was written last.
    pub hour: u32,
    /// Copies that were sold since, by key.
    sold: BTreeMap<String, u32>,
    /// Copies that were sold in all.
    pub sold_in_all: i64,
}

impl Book {
    /// A list is written: it knows of what was sold.
    pub fn list_written(&mut self, hour: u32) {
        self.hour = hour;
        self.sold.clear();
    }

    /// Somebody buys a copy of what there is most of.
    pub fn let_somebody_buy(&mut self, shop: &mut impl Counter, now: DateTime<Utc>) {
        let shelf = shop.on_offer(now);
        let (sku, _) = shelf.iter().max_by_key(|(_, (copies, _))| *copies).expect("something is for sale");
        shop.sell(sku, now);
        *self.sold.entry(sku.clone()).or_default() += 1;
        self.sold_in_all += 1;
    }

    /// What is for sale once the last list is carried out.
    pub fn expected(&self) -> Shelf {
        let mut shelf = wanted(self.hour);
        for (sku, sold) in &self.sold {
            let copies = &mut shelf.get_mut(sku).expect("it was in the list").0;
            *copies = copies.saturating_sub(*sold);
        }
        shelf.retain(|_, (copies, _)| *copies > 0);
        shelf
    }
}
