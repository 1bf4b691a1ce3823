//! A shop out of a number: equal seeds give equal articles, orders, buyers and credentials.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::catalogue::Catalogue;
use super::limits::Limits;
use super::login::Door;
use super::stock::{CONDITIONS, LANGUAGES};
use super::{
    Article, Buyer, Comment, Effects, Exports, Faults, Flags, Keys, Ledger, Options, Order, OrderState,
    Rules, Shop, Stock, words,
};

/// The number of the first order.
pub const FIRST_ORDER: u64 = 30_100_001;
/// Numbers of articles begin below 2^31 and pass it.
const LOW_IDS: u64 = 2_140_000_000;
/// A tenth of the numbers lies beyond 2^32.
const HIGH_IDS: u64 = 4_294_967_297;
const ID_SPAN: u64 = 15_000_000;
/// Numbers of articles sold long ago.
const SOLD_IDS: u64 = 2_100_000_000;

/// Builds the shop.
pub fn shop(options: &Options, now: DateTime<Utc>) -> Shop {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let now = now.trunc_subsecs(0);
    let keys = keys(&mut rng);
    let catalogue = Catalogue::new();
    let buyers = (0..40).map(|at| buyer(&mut rng, at)).collect();
    let orders = (0..options.orders).map(|at| order(&mut rng, &catalogue, at, options.orders, now)).collect();
    let rows = articles(&mut rng, &catalogue, options.articles, now);
    let carts = carts(&mut rng, &catalogue, &rows, options.carts, now);
    let last_id = rows.iter().chain(&carts).map(|row| row.id).max().unwrap_or(LOW_IDS);
    let lifetime = options.token_lifetime;
    let door = Door::new(options.app, &options.callback, lifetime, &keys, options.seed, now);
    let mut shop = Shop {
        keys,
        door,
        strict: options.strict,
        typing: options.typing,
        unpaginated: options.unpaginated,
        daily_limit: options.daily_limit,
        catalogue,
        stock: Stock::new(rows),
        carts,
        buyers,
        orders,
        balance_cents: 12_345,
        limits: Limits::new(options.daily_limit, options.minute_limit, options.concurrency),
        faults: Faults::default(),
        nonces: Default::default(),
        ledger: Ledger::default(),
        rng,
        rules: Rules {
            most_copies: options.most_copies,
            reassign_ids: options.reassign_ids,
            display_language: options.display_language,
            export_delay: options.export_delay,
        },
        effects: Effects::default(),
        late: Vec::new(),
        exports: Exports::default(),
        next_id: last_id,
        chance: fastrand::Rng::with_seed(options.seed ^ 0x5752_4954_4553),
    };
    for placed in &options.placed {
        if let Err(reason) = shop.place(placed, now) {
            tracing::warn!(target: "sandbox", reason, "an article is not on the shelf");
        }
    }
    shop
}

/// An article with that number, drawn by the mix of an ordinary shop.
pub fn article(rng: &mut fastrand::Rng, catalogue: &Catalogue, id: u64, serial: u32, edited: i64) -> Article {
    let cents = match rng.u8(0..100) {
        0..45 => rng.u32(2..50),
        45..82 => rng.u32(50..500),
        82..97 => rng.u32(500..4_000),
        _ => rng.u32(4_000..60_000),
    };
    let count = match rng.u8(0..100) {
        0..60 => 1,
        60..90 => rng.u32(2..=4),
        _ => rng.u32(5..=24),
    };
    let shelf = rng.u16(0..2_600);
    let comment = match rng.u8(0..100) {
        0..40 => Comment::None,
        40..65 => Comment::Shelf(shelf),
        65..80 => Comment::Sku(serial),
        80..88 => Comment::ShelfAndSku(shelf, serial),
        _ => Comment::Phrase(rng.u8(0..words::PHRASES.len() as u8)),
    };
    let language = if rng.u8(0..100) < 70 { 1 } else { rng.u8(1..=LANGUAGES.len() as u8) };
    let condition = if rng.u8(0..100) < 60 { 1 } else { rng.u8(0..CONDITIONS.len() as u8) };
    let flags = Flags {
        shiny: rng.u8(0..100) < 15,
        signed: rng.u8(0..100) < 2,
        altered: rng.u8(0..100) < 1,
        first_edition: rng.u8(0..100) < 5,
    };
    let product = catalogue.draw(rng);
    Article { id, edited, product, cents, count, comment, language, condition, flags }
}

fn articles(
    rng: &mut fastrand::Rng,
    catalogue: &Catalogue,
    wanted: usize,
    now: DateTime<Utc>,
) -> Vec<Article> {
    let high = if wanted < 2 { 0 } else { (wanted / 10).max(1) };
    let mut rows = Vec::with_capacity(wanted);
    let mut serial = 0;
    for (base, many) in [(LOW_IDS, wanted - high), (HIGH_IDS, high)] {
        // Gaps between the numbers leave room for articles that come later.
        let step = (ID_SPAN / many.max(1) as u64).max(2);
        for at in 0..many as u64 {
            serial += 1;
            let id = base + at * step + rng.u64(1..step);
            let edited = now.timestamp() - rng.i64(60..200 * 86_400);
            rows.push(article(rng, catalogue, id, serial, edited));
        }
    }
    rows
}

/// Copies in carts: of articles that still have others for sale, and, every third, of one that has none.
fn carts(
    rng: &mut fastrand::Rng,
    catalogue: &Catalogue,
    rows: &[Article],
    wanted: usize,
    now: DateTime<Utc>,
) -> Vec<Article> {
    let wanted = wanted.min(rows.len());
    let beyond = rows.last().map_or(HIGH_IDS, |row| row.id) + 1;
    (0..wanted)
        .map(|at| {
            let count = rng.u32(1..=3);
            if at % 3 == 2 {
                let serial = (rows.len() + at + 1) as u32;
                let edited = now.timestamp() - 3_600;
                return Article { count, ..article(rng, catalogue, beyond + at as u64, serial, edited) };
            }
            Article { count, ..rows[at * rows.len() / wanted] }
        })
        .collect()
}

fn order(rng: &mut fastrand::Rng, catalogue: &Catalogue, at: usize, all: usize, now: DateTime<Utc>) -> Order {
    use OrderState::{Bought, Cancelled, Evaluated, Lost, Paid, Received, Sent};
    const OLD_TO_NEW: [OrderState; 23] = [
        Evaluated, Received, Evaluated, Cancelled, Received, Evaluated, Lost, Received, Sent, Cancelled,
        Sent, Sent, Sent, Paid, Sent, Paid, Bought, Paid, Paid, Paid, Bought, Paid, Bought,
    ];
    let state = OLD_TO_NEW[at * OLD_TO_NEW.len() / all];
    let left = 1.0 - at as f64 / all as f64;
    let bought = now - TimeDelta::minutes((left * left * 30.0 * 1_440.0) as i64 + 5);
    let after = |span: TimeDelta| Some((bought + span).min(now));
    let lines = (0..rng.u64(1..=4))
        .map(|line| {
            let serial = 700_000 + (at * 4) as u32 + line as u32;
            let id = SOLD_IDS + (at as u64 * 4 + line) * 37;
            let article = article(rng, catalogue, id, serial, bought.timestamp() - 86_400);
            Article { count: article.count.min(4), ..article }
        })
        .collect();
    Order {
        id: FIRST_ORDER + at as u64,
        buyer: rng.usize(0..40),
        state,
        bought,
        paid: if matches!(state, Bought | Cancelled) { None } else { after(TimeDelta::minutes(2)) },
        sent: if matches!(state, Sent | Received | Evaluated | Lost) {
            after(TimeDelta::hours(20))
        } else {
            None
        },
        received: if matches!(state, Received | Evaluated) { after(TimeDelta::days(4)) } else { None },
        cancelled: if state == Cancelled { after(TimeDelta::days(7)) } else { None },
        pays_at: None,
        lines,
        tracked: rng.u8(0..100) < 30,
    }
}

fn buyer(rng: &mut fastrand::Rng, at: u32) -> Buyer {
    let pick = |rng: &mut fastrand::Rng, list: &[&'static str]| list[rng.usize(0..list.len())];
    let street = format!("{} {}", pick(rng, &words::STREETS), rng.u8(1..120));
    Buyer {
        id: 1_700_001 + at * 31,
        username: format!("pretend-buyer-{:02}", at + 1),
        first_name: pick(rng, &words::FIRST_NAMES),
        last_name: pick(rng, &words::SURNAMES),
        extra: (rng.u8(0..100) < 20).then_some("c/o Muster-Canary"),
        street,
        town: words::TOWNS[rng.usize(0..words::TOWNS.len())],
        address_withheld: at % 13 == 12,
    }
}

fn keys(rng: &mut fastrand::Rng) -> Keys {
    let mut word = |length: usize| (0..length).map(|_| rng.alphanumeric()).collect::<String>();
    Keys { consumer_key: word(16), consumer_secret: word(32), token: word(32), token_secret: word(32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn seeded(seed: u64, articles: usize, orders: usize) -> Shop {
        let now = "2026-03-01T10:00:00Z".parse().expect("a date");
        Shop::new(&Options { seed, articles, orders, ..Options::new(SystemClock::shared()) }, now)
    }

    #[tokio::test]
    async fn equal_seeds_give_equal_shops_and_others_do_not() {
        let [one, same, other] = [seeded(1, 300, 23), seeded(1, 300, 23), seeded(2, 300, 23)];
        assert_eq!(one.stock().rows(), same.stock().rows());
        assert_eq!(one.carts(), same.carts());
        assert_eq!(one.keys(), same.keys());
        assert_eq!(format!("{:?}", one.orders()), format!("{:?}", same.orders()));
        assert_ne!(one.stock().rows(), other.stock().rows());
        assert_ne!(one.keys(), other.keys());
    }

    #[tokio::test]
    async fn numbers_rise_pass_31_bits_and_some_need_more_than_32() {
        let shop = seeded(42, 1_000, 23);
        let ids: Vec<u64> = shop.stock().rows().iter().map(|row| row.id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids[0] < 1 << 31);
        assert_eq!(ids.iter().filter(|id| **id > 1 << 32).count(), 100);
        assert!(ids.iter().any(|id| (1 << 31..1 << 32).contains(id)));
        assert!(shop.stock().rows().iter().all(|row| row.cents >= 2 && row.count >= 1));
    }

    #[tokio::test]
    async fn the_orders_stand_in_all_states_and_their_dates_are_past() {
        let shop = seeded(42, 0, 23);
        let now = "2026-03-01T10:00:00Z".parse::<DateTime<Utc>>().expect("a date");
        for state in OrderState::ALL {
            assert!(shop.orders().iter().any(|order| order.state == state), "{state:?}");
        }
        assert!(shop.orders().is_sorted_by_key(|order| order.bought));
        for order in shop.orders() {
            let dates = [Some(order.bought), order.paid, order.sent, order.received];
            let dates: Vec<_> = dates.into_iter().flatten().collect();
            assert!(dates.is_sorted() && dates.last() <= Some(&now), "{order:?}");
        }
    }

    #[tokio::test]
    async fn shops_of_any_size_can_be_built() {
        for articles in [0, 1, 2, 3, 99, 100, 101, 20_000] {
            let shop = seeded(42, articles, 0);
            assert_eq!(shop.stock().rows().len(), articles);
            assert_eq!(shop.carts().len(), articles.min(7));
        }
    }
}
