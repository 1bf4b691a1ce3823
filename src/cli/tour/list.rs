//! The list of the tour's seller: the shop's own shelf, on which a morning's work was done that the shop knows nothing
//! of yet. Some things were counted, some got another price, one is gone, and a few were bought in.
//!
//! It is made from what the pretend shop holds, not written down here, so that it fits whatever the seed and the number
//! of articles made of that. Only what has a key of the seller's own stands in it; the rest is left alone.

use crate::cli::Failure;
use crate::sandbox::{Sandbox, Shelved};

/// The list's name in the configuration's directory.
pub const FILE: &str = "stock.csv";

/// What the seller did, in the order in which a small shop makes do with the first of it.
const WORK: [Deed; 17] = {
    use Deed::{Bought, Counted, Gone, Priced};
    [
        Gone, Priced, Bought, Counted, Priced, Counted, Priced, Counted, Bought, Priced, Counted, Priced,
        Counted, Priced, Counted, Priced, Priced,
    ]
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// The last of it was given away.
    Gone,
    /// It has another price.
    Priced,
    /// There are more or fewer copies than the shop says.
    Counted,
    /// Copies in another condition were bought in.
    Bought,
}

/// How much work there may be, far from what the guards hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    /// Items that differ.
    items: usize,
    /// How much each may be worth more or less than before, in cents.
    cents: u64,
}

/// The list of the seller at Cardmarket, as CSV; `None` where the shop has nothing that could stand in one.
pub fn of(sandbox: &Sandbox) -> Result<Option<String>, Failure> {
    let (shelf, room) = sandbox.with_shop(|shop| {
        let rows = shop.stock().rows();
        let worth = rows.iter().map(|row| u64::from(row.cents) * u64::from(row.count)).sum();
        (shop.shelf(), Room::of(rows.len(), worth))
    });
    match shelf.is_empty() {
        true => Ok(None),
        false => written(&after_work(shelf, room)).map(Some),
    }
}

impl Room {
    /// A twentieth of the articles and of their worth, half of what the guards let pass. They do not mind four items.
    fn of(articles: usize, worth: u64) -> Self {
        let items = (articles / 20).max(4).min(WORK.len());
        Self { items, cents: worth / 20 / items as u64 }
    }
}

/// The shelf after the work.
fn after_work(mut shelf: Vec<Shelved>, room: Room) -> Vec<Shelved> {
    let mut bought = Vec::new();
    let mut touched = vec![false; shelf.len()];
    for (turn, deed) in WORK.iter().take(room.items).enumerate() {
        // Spread over the list.
        let first = turn * shelf.len() / room.items;
        let found = (first..shelf.len()).chain(0..first).filter(|at| !touched[*at]).find_map(|at| {
            let after = deed.done_to(&shelf[at], turn)?;
            let before = if *deed == Deed::Bought { 0 } else { worth(&shelf[at]) };
            (worth(&after).abs_diff(before) <= room.cents).then_some((at, after))
        });
        let Some((at, after)) = found else { continue };
        touched[at] = true;
        match deed {
            Deed::Bought => bought.push(Shelved { sku: format!("NEW-{:04}", bought.len() + 1), ..after }),
            _ => shelf[at] = after,
        }
    }
    shelf.append(&mut bought);
    shelf
}

impl Deed {
    /// The item afterwards; `None` where this cannot be done to it. What lies in carts is left alone.
    fn done_to(self, item: &Shelved, turn: usize) -> Option<Shelved> {
        if item.in_carts > 0 || item.count == 0 {
            return None;
        }
        let upwards = turn.is_multiple_of(2);
        let item = item.clone();
        match self {
            Self::Gone => (item.count == 1).then_some(Shelved { count: 0, ..item }),
            Self::Counted if upwards => Some(Shelved { count: item.count + 1, ..item }),
            Self::Counted => (item.count > 1).then_some(Shelved { count: item.count - 1, ..item }),
            // Of a few cents one more is a third.
            Self::Priced if item.cents < 50 => None,
            Self::Priced if upwards => Some(Shelved { cents: item.cents + item.cents / 12, ..item }),
            Self::Priced => Some(Shelved { cents: item.cents - item.cents / 8, ..item }),
            Self::Bought => {
                let condition = if item.condition? == "EX" { "GD" } else { "EX" };
                let count = if upwards { 2 } else { 1 };
                Some(Shelved { condition: Some(condition), cents: item.cents.max(25), count, ..item })
            }
        }
    }
}

fn worth(item: &Shelved) -> u64 {
    u64::from(item.cents) * u64::from(item.count)
}

/// The list as text, with the columns that `stock-sync` knows by their names.
fn written(list: &[Shelved]) -> Result<String, Failure> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let internal = |error: csv::Error| Failure::internal(format!("the list cannot be written: {error}"));
    out.write_record(["sku", "title", "product_id", "language", "condition", "quantity", "price"])
        .map_err(internal)?;
    for item in list {
        out.write_record([
            item.sku.as_str(),
            &item.title,
            &item.product_id.to_string(),
            item.language,
            item.condition.unwrap_or_default(),
            &item.count.to_string(),
            &format!("{}.{:02}", item.cents / 100, item.cents % 100),
        ])
        .map_err(internal)?;
    }
    let bytes = out.into_inner().map_err(|error| internal(error.into_error().into()))?;
    String::from_utf8(bytes).map_err(|error| Failure::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::clock::SystemClock;
    use crate::sandbox::{Options, Purchase, Shop};

    fn shop(seed: u64, articles: usize) -> Shop {
        let now = "2026-03-01T10:00:00Z".parse().expect("a date");
        Shop::new(&Options { seed, articles, ..Options::new(SystemClock::shared()) }, now)
    }

    fn room(shop: &Shop) -> Room {
        let rows = shop.stock().rows();
        let worth = rows.iter().map(|row| u64::from(row.cents) * u64::from(row.count)).sum();
        Room::of(rows.len(), worth)
    }

    /// What differs: the item as it was, if it was there, and as it is.
    fn changed(before: &[Shelved], after: &[Shelved]) -> Vec<(Option<Shelved>, Shelved)> {
        let known: BTreeMap<&str, &Shelved> = before.iter().map(|item| (item.sku.as_str(), item)).collect();
        let differs = after.iter().filter(|item| known.get(item.sku.as_str()) != Some(item));
        differs.map(|item| (known.get(item.sku.as_str()).copied().cloned(), item.clone())).collect()
    }

    #[tokio::test]
    async fn an_ordinary_shop_gets_the_whole_of_the_work() {
        let shop = shop(42, 8_431);
        let (before, after) = (shop.shelf(), after_work(shop.shelf(), room(&shop)));
        let changed = changed(&before, &after);
        let count = |fits: &dyn Fn(&Option<Shelved>, &Shelved) -> bool| {
            changed.iter().filter(|(before, after)| fits(before, after)).count()
        };
        assert_eq!(count(&|before, _| before.is_none()), 2);
        assert_eq!(count(&|before, after| before.is_some() && after.count == 0), 1);
        assert_eq!(count(&|before, after| before.as_ref().is_some_and(|was| was.cents != after.cents)), 8);
        assert_eq!(changed.len(), WORK.len());
    }

    #[tokio::test]
    async fn the_first_buyers_of_the_tour_leave_alone_what_its_plan_is_about() {
        for (articles, buyers) in [(8_431, 30), (500, 6)] {
            let mut shop = shop(42, articles);
            let list = after_work(shop.shelf(), room(&shop));
            let touched: BTreeSet<String> =
                changed(&shop.shelf(), &list).into_iter().map(|(_, item)| item.sku).collect();
            let now = "2026-03-01T10:00:00Z".parse().expect("a date");
            let known = shop.orders().len();
            for _ in 0..buyers {
                shop.next_buyer(std::time::Duration::from_secs(6));
                shop.buy(&Purchase::default(), now).expect("there is enough");
            }
            let lines = shop.orders()[known..].iter().flat_map(|order| &order.lines);
            let sold: Vec<String> = lines.filter_map(|line| line.comment.sku()).collect();
            assert!(!sold.iter().any(|sku| touched.contains(sku)), "{articles}: {sold:?}");
        }
    }

    #[tokio::test]
    async fn the_list_reads_as_a_seller_would_write_it() {
        let mut item = shop(42, 100).shelf().remove(0);
        item = Shelved { title: "Last Light, First Dark".to_owned(), cents: 1_205, count: 3, ..item };
        let text = written(&[item.clone(), Shelved { condition: None, ..item.clone() }]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "sku,title,product_id,language,condition,quantity,price");
        assert!(lines[1].starts_with(&format!("{},\"Last Light, First Dark\",", item.sku)), "{}", lines[1]);
        assert!(lines[1].ends_with(",3,12.05") && lines[2].contains(",,3,"), "{text}");
        assert!(text.ends_with('\n'), "a last line without an end would not be believed");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn no_shop_gets_a_list_that_a_guard_would_hold(seed in any::<u64>(), articles in 0..600_usize) {
            let shop = shop(seed, articles);
            let (before, after) = (shop.shelf(), after_work(shop.shelf(), room(&shop)));
            let keys: BTreeSet<&str> = after.iter().map(|item| item.sku.as_str()).collect();
            prop_assert_eq!(keys.len(), after.len(), "each key once");
            let changed = changed(&before, &after);
            prop_assert!(changed.len() <= 4 || changed.len() * 10 <= articles);
            let moved: u64 = changed
                .iter()
                .map(|(was, is)| worth(is).abs_diff(was.as_ref().map_or(0, worth)))
                .sum();
            let all: u64 = shop.stock().rows().iter().map(|row| u64::from(row.cents) * u64::from(row.count)).sum();
            prop_assert!(moved * 10 <= all, "{} of {}", moved, all);
            for (was, is) in &changed {
                let Some(was) = was else { continue };
                prop_assert!(is.cents.abs_diff(was.cents) * 100 <= was.cents * 30, "{:?} {:?}", was, is);
            }
        }
    }
}
