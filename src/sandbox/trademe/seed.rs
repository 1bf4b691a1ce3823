//! A shop out of a number: equal seeds, and equal goods in the other shop, give equal listings, sales and
//! credentials.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::account::Entry;
use super::document::{Document, Shipping};
use super::hour::Hour;
use super::tokens::Grant;
use super::{
    How, Listing, Member, Options, PayBy, Payment, Question, Sale, Selling, Shop, Status, rules, words,
};
use crate::sandbox::goods::Goods;
use crate::sandbox::keys::Keys;

/// The number of the first purchase: some pass 32 bits, as live numbers of listings have long done.
pub const FIRST_PURCHASE: i64 = 4_294_967_200;
/// The number of the first listing.
pub const FIRST_LISTING: i64 = 5_123_456_789;
/// The pictures that the seller has uploaded.
pub const PHOTOS: RangeInclusive<i64> = 700_000_001..=700_100_000;
const FIRST_CART: i64 = 99_001;
const BUYERS: usize = 40;

/// Builds the shop.
pub fn shop(options: &Options, seed: u64, goods: &[Goods], now: DateTime<Utc>) -> Shop {
    // Another stream than the other shop's, which is drawn from the seed itself.
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x7472_6164_656d_6521);
    let now = now.trunc_subsecs(0);
    let keys = keys(&mut rng);
    let buyers = (0..BUYERS).map(|at| buyer(&mut rng, at)).collect();
    let mut shared = goods.iter();
    // The oldest have the lowest numbers: ended ones first, then the live ones.
    let mut listings: Vec<Listing> = Vec::with_capacity(options.sales + options.unsold + options.listings);
    for at in 0..options.sales + options.unsold + options.listings {
        let id = listings.last().map_or(FIRST_LISTING, |last| last.id + rng.i64(1..=400));
        let is_shared = at >= options.sales + options.unsold && rng.u8(0..100) < options.shared_percent;
        let thing = if is_shared { shared.next() } else { None };
        listings.push(listing(&mut rng, id, thing, now));
    }
    let mut sales = Vec::with_capacity(options.sales);
    for (at, row) in listings.iter_mut().enumerate() {
        if at < options.sales {
            // Old to new, the last one a few minutes ago.
            let left = 1.0 - at as f64 / options.sales as f64;
            let sold_at = now - TimeDelta::minutes((left * left * 40.0 * 1_440.0) as i64 + 5);
            sales.push(past_sale(&mut rng, row, at, sold_at));
        } else if at < options.sales + options.unsold {
            row.end = now - TimeDelta::minutes(rng.i64(10..40 * 1_440));
            row.start = row.end - TimeDelta::days(7);
            row.ended = true;
        } else {
            let step = options.lasting.num_seconds().max(2) / options.listings.max(1) as i64;
            let place = (at - options.sales - options.unsold) as i64;
            // At least an hour from now, so that a short test has what it was promised.
            row.end = now + TimeDelta::seconds((place * step + rng.i64(0..step.max(1))).max(3_600));
            row.start = now - TimeDelta::seconds(rng.i64(3_600..6 * 86_400));
        }
    }
    let next_cart = carts(&mut sales);
    bids(&mut rng, &mut listings, now);
    let questions = questions(&mut rng, &listings, now);
    Shop {
        grants: vec![Grant {
            token: keys.token.clone(),
            secret: keys.token_secret.clone(),
            scopes: options.scopes,
            other: false,
        }],
        petitions: Vec::new(),
        keys,
        seed,
        listings,
        sales,
        buyers,
        questions,
        balance_cents: options.balance_cents,
        account: vec![Entry::opening(options.balance_cents, now - TimeDelta::days(60))],
        effects: Vec::new(),
        later: Vec::new(),
        next_cart,
        revoked_at: options.revoked_at,
        hour: Hour::new(options.hourly_limit),
        nonces: Default::default(),
        faults: Default::default(),
        ledger: Default::default(),
        rng,
        options: options.clone(),
    }
}

fn listing(rng: &mut fastrand::Rng, id: i64, thing: Option<&Goods>, now: DateTime<Utc>) -> Listing {
    let pick = |rng: &mut fastrand::Rng, list: &[&'static str]| list[rng.usize(0..list.len())];
    // Kiwi prices: two dollars a euro, nothing below fifty cents, and round.
    let nzd = |cents: u32| (cents * 2).div_ceil(50).max(1) * 50;
    let is_auction = thing.is_none() && rng.u8(0..100) < 30;
    let own_price = nzd(rng.u32(100..6_000));
    let selling = match thing {
        Some(thing) => Selling::BuyNow { cents: nzd(thing.cents), quantity: thing.count.clamp(1, 1_000) },
        None if is_auction => Selling::Auction {
            start_cents: if rng.bool() { 100 } else { own_price },
            reserve_cents: rng.bool().then_some(own_price),
            buy_now_cents: (rng.u8(0..100) < 40).then_some(own_price * 2),
            bids: Vec::new(),
        },
        None => Selling::BuyNow { cents: own_price, quantity: rng.u32(1..=20) },
    };
    let sku = match thing {
        Some(thing) => Some(thing.sku.clone()),
        None if rng.u8(0..100) < 85 => Some(format!("TM-{:05}", id - FIRST_LISTING)),
        None => None,
    };
    let title = match thing {
        Some(thing) => thing.title.chars().take(80).collect(),
        None => format!("{} {}", pick(rng, &words::MANNERS), pick(rng, &words::THINGS)),
    };
    let category = if thing.is_some() { words::CARDS } else { rng.usize(0..words::CATEGORIES.len()) };
    let shipping_cents = [0, 400, 600, 1_000][rng.usize(0..4)];
    Listing {
        id,
        title,
        category,
        sku,
        selling,
        flat_shipping: rng.bool(),
        rest: Arc::new(rest(category, shipping_cents, PHOTOS.start() + id % 100_000)),
        start: now,
        end: now,
        sold_out: None,
        withdrawn: None,
        ended: false,
        sold: 0,
        known_sold: 0,
        views: rng.u32(0..200),
        watchers: rng.u32(0..12),
        listed_from: DateTime::UNIX_EPOCH,
        unseen: Vec::new(),
    }
}

/// All that a seller writes besides title, price and the like.
fn rest(category: usize, shipping_cents: u32, photo: i64) -> Document {
    let shipping = match shipping_cents {
        0 => Shipping { kind: 3, cents: 0, method: "Free shipping".to_owned() },
        cents => Shipping { kind: 4, cents, method: "NZ courier".to_owned() },
    };
    let attributes = rules::attribute(category)
        .map(|(name, values)| serde_json::json!([{ "Name": name, "Value": values[0] }]));
    Document::default()
        .with("Description", vec!["In good order.", "Ships the next working day."])
        .with("Duration", 7)
        .with("Pickup", 3)
        .with_shipping(&[shipping])
        .with("PaymentMethods", vec![1, 32, 64])
        .with("PhotoIds", vec![photo])
        .with("Attributes", attributes)
        .with("IsBrandNew", true)
        .with("HasAgreedWithLegalNotice", rules::legal_notice(category).is_some())
}

/// A purchase of the past weeks, and the listing that it emptied.
fn past_sale(rng: &mut fastrand::Rng, row: &mut Listing, at: usize, sold_at: DateTime<Utc>) -> Sale {
    let winner = rng.usize(0..BUYERS);
    let (how, cents, quantity) = match &mut row.selling {
        Selling::BuyNow { cents, quantity } => {
            let sold = (*quantity).min(3);
            *quantity = 0;
            (How::BuyNow, *cents, sold)
        }
        Selling::Auction { start_cents, reserve_cents, bids, .. } => {
            let cents = reserve_cents.unwrap_or(*start_cents).max(*start_cents);
            bids.push(super::Bid { buyer: winner, cents, at: sold_at - TimeDelta::hours(1) });
            (How::Auction, cents, 1)
        }
    };
    row.end = if how == How::Auction { sold_at } else { sold_at + TimeDelta::days(2) };
    (row.start, row.sold_out, row.ended, row.sold) =
        (row.end - TimeDelta::days(7), Some(sold_at), true, quantity);
    row.known_sold = quantity;
    let by = [PayBy::Ping, PayBy::BankDeposit, PayBy::Afterpay, PayBy::Ping, PayBy::Cash][rng.usize(0..5)];
    let status = match (at % 5, by.is_seen()) {
        (0, true) => Status::SaleCompleted,
        (1, true) => Status::GoodsShipped,
        (2, _) => Status::PaymentReceived,
        (3, _) => Status::EmailSent,
        _ => Status::None,
    };
    Sale {
        id: FIRST_PURCHASE + at as i64,
        order_id: None,
        listing_id: row.id,
        how,
        at: sold_at,
        buyer: winner,
        quantity,
        cents,
        shipping_cents: row.shipping_cents(),
        flat_shipping: row.flat_shipping,
        address_at: (rng.u8(0..100) < 80).then_some(sold_at + TimeDelta::minutes(2)),
        payment: Payment {
            by: Some(by),
            pending_at: None,
            paid_at: Some(sold_at + TimeDelta::minutes(1)),
            refunded: None,
        },
        status,
        status_at: (status != Status::None).then_some(sold_at + TimeDelta::minutes(3)),
        hidden: false,
    }
}

/// Two of every nine came in one cart. Returns the number of the next one.
fn carts(sales: &mut [Sale]) -> i64 {
    let mut cart = FIRST_CART;
    for pair in sales.chunks_mut(9).filter_map(|nine| nine.get_mut(..2)) {
        if let [first, second] = pair
            && first.how == How::BuyNow
            && second.how == How::BuyNow
        {
            (first.order_id, second.order_id) = (Some(cart), Some(cart));
            second.at = first.at;
            second.buyer = first.buyer;
            second.address_at = first.address_at;
            second.payment = first.payment;
            cart += 1;
        }
    }
    cart
}

/// Some of the live auctions have bids already.
fn bids(rng: &mut fastrand::Rng, listings: &mut [Listing], now: DateTime<Utc>) {
    for listing in listings.iter_mut().filter(|row| now < row.end) {
        for _ in 0..rng.usize(0..4) {
            let Some(cents) = listing.next_bid_cents() else { break };
            let bid = super::Bid { buyer: rng.usize(0..BUYERS), cents, at: now - TimeDelta::minutes(30) };
            if listing.bid(bid).is_err() {
                break;
            }
        }
    }
}

fn questions(rng: &mut fastrand::Rng, listings: &[Listing], now: DateTime<Utc>) -> Vec<Question> {
    let live = listings.iter().filter(|row| now < row.end).step_by(100);
    live.enumerate()
        .map(|(at, row)| Question {
            id: 300_000_001 + at as i64,
            listing_id: row.id,
            asker: rng.usize(0..BUYERS),
            at: now - TimeDelta::minutes(rng.i64(1..50)),
            text: words::QUESTIONS[at % words::QUESTIONS.len()].to_owned(),
        })
        .collect()
}

fn buyer(rng: &mut fastrand::Rng, at: usize) -> Member {
    let pick = |rng: &mut fastrand::Rng, list: &[&'static str]| list[rng.usize(0..list.len())];
    let (suburb, town, postcode) = words::TOWNS[rng.usize(0..words::TOWNS.len())];
    // Every thirteenth is masked.
    let is_masked = at % 13 == 12;
    Member {
        id: if is_masked { 0 } else { 4_001_234 + 61 * at as i64 },
        nickname: if is_masked { "p**********r".to_owned() } else { format!("pretend_buyer_{:02}", at + 1) },
        name: format!("{} {}", pick(rng, &words::FIRST_NAMES), pick(rng, &words::SURNAMES)),
        address: (format!("{} {}", rng.u8(1..120), pick(rng, &words::STREETS)), suburb, town, postcode),
        feedback: rng.u32(0..400),
    }
}

/// Hexadecimal digits in upper case, as in all of the marketplace's keys.
pub fn word(rng: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| char::from(b"0123456789ABCDEF"[rng.usize(0..16)])).collect()
}

/// Strings of the shape that real ones have.
fn keys(rng: &mut fastrand::Rng) -> Keys {
    let mut word = || word(rng, 34);
    Keys { consumer_key: word(), consumer_secret: word(), token: word(), token_secret: word() }
}

#[cfg(test)]
mod tests {
    use super::super::{Paid, State};
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().expect("a date")
    }

    fn goods() -> Vec<Goods> {
        (1..=500)
            .map(|at| Goods {
                sku: format!("MC-{at:06}"),
                title: format!("Card {at}"),
                cents: at,
                count: at % 5 + 1,
            })
            .collect()
    }

    fn seeded(seed: u64) -> Shop {
        shop(&Options::default(), seed, &goods(), now())
    }

    #[test]
    fn equal_seeds_give_equal_shops_and_others_do_not() {
        let [one, same, other] = [seeded(1), seeded(1), seeded(2)].map(|shop| {
            (format!("{:?}", shop.listings()), format!("{:?}", shop.sales()), shop.keys().clone())
        });
        assert_eq!(one, same);
        assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2);
    }

    #[test]
    fn as_many_are_live_as_was_asked_for_and_their_numbers_pass_32_bits() {
        for listings in [0, 1, 2, 312] {
            let options = Options { listings, ..Options::default() };
            let shop = shop(&options, 42, &goods(), now());
            assert_eq!(shop.live(now()).count(), listings);
            assert!(shop.listings().is_sorted_by(|a, b| a.id < b.id));
            assert!(shop.listings().iter().all(|row| row.id > 1 << 32));
            assert_eq!(shop.sales().len(), options.sales);
        }
    }

    #[test]
    fn half_of_the_stock_is_that_of_the_other_shop_each_thing_once() {
        let (shop, goods) = (seeded(42), goods());
        let shared: Vec<&Listing> = shop
            .live(now())
            .filter(|row| row.sku.as_deref().is_some_and(|sku| sku.starts_with("MC-")))
            .collect();
        assert!((100..220).contains(&shared.len()), "{}", shared.len());
        for row in &shared {
            let thing =
                goods.iter().find(|thing| Some(&thing.sku) == row.sku.as_ref()).expect("on the shelf");
            assert_eq!((row.quantity(), &row.title), (Some(thing.count), &thing.title));
        }
        let skus: std::collections::BTreeSet<_> = shared.iter().map(|row| &row.sku).collect();
        assert_eq!(skus.len(), shared.len());
    }

    #[test]
    fn past_sales_are_past_and_their_listings_sold() {
        let shop = seeded(42);
        assert!(shop.sales().is_sorted_by_key(|sale| sale.at));
        assert!(shop.sales().iter().any(|sale| sale.order_id.is_some()));
        for sale in shop.sales() {
            let listing = shop.listing(sale.listing_id).expect("still known");
            assert_eq!(shop.state(listing, now()), State::Sold, "{listing:?}");
            assert!(sale.at < now() && sale.quantity >= 1 && sale.cents >= 50);
            assert!(sale.paid(now()) != Paid::Pending);
        }
    }
}
