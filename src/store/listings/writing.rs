//! What a reading brought, written down. A row that did not change costs no write, so that a pull which finds nothing
//! new leaves the disk alone.
//!
//! A row is looked up, compared here, and written only where it differs. One upsert that returns what it changed
//! would say the same in fewer words, but SQLite makes a temporary table for each `returning`, which takes longer than
//! the row.
//!
//! What a pull did not see is told by the job, which holds the numbers it saw in memory (8 bytes each): a mark on
//! every row that was seen would mean writing every row at every pull.

use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use rusqlite::{CachedStatement, Error, OptionalExtension, Row, params};

use crate::domain::{AccountName, Listing, ListingId, StockPart};
use crate::store::columns::ms;
use crate::store::listing_history::{Offer, Recorder};
use crate::store::{StoreError, Tx};

/// What a page changed. A listing whose quantity and price changed counts in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutCounts {
    /// Listings that were not there.
    pub added: i64,
    /// Another quantity on offer.
    pub quantity_changed: i64,
    /// Another price.
    pub price_changed: i64,
    /// Another SKU, title or attribute.
    pub details_changed: i64,
    /// Another number of copies in buyers' carts.
    pub carts_changed: i64,
    /// As they were.
    pub unchanged: i64,
}

/// Stores a page of stock. Rows of the stock on offer set everything but the carts; rows of the carts set only the
/// copies in carts, and a listing that was never seen on offer begins with none on offer.
pub fn put(
    tx: &Tx<'_>,
    account: &AccountName,
    snapshot: i64,
    part: StockPart,
    rows: &[Listing],
    now: DateTime<Utc>,
) -> Result<PutCounts, StoreError> {
    let mut shelf = Shelf::open(tx, account, snapshot, now)?;
    let mut counts = PutCounts::default();
    for listing in rows {
        counts += match part {
            StockPart::Offered => shelf.put_offered(listing)?,
            StockPart::InCarts => shelf.put_in_carts(listing)?,
        };
    }
    Ok(counts)
}

/// Removes listings that `snapshot`, a complete reading, did not see, and returns how many of them there were.
pub fn remove(
    tx: &Tx<'_>,
    account: &AccountName,
    ids: &[ListingId],
    snapshot: i64,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "delete from listings where account = ?1 and listing_id = ?2 returning quantity, price_minor",
    )?;
    let mut history = Recorder::new(tx, account, snapshot, now)?;
    let mut removed = 0;
    for id in ids {
        let offer = |row: &Row<'_>| Ok(Offer { quantity: row.get(0)?, price_minor: row.get(1)? });
        if let Some(before) = statement.query_row(params![account.as_str(), id.0], offer).optional()? {
            history.record(*id, Some(before), None)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Sets to nothing the copies in carts of every listing that is not in `seen` (sorted), and returns of how many.
pub fn clear_carts_except(tx: &Tx<'_>, account: &AccountName, seen: &[ListingId]) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "update listings set in_carts = 0
         where account = ?1 and listing_id = ?2 and in_carts <> 0",
    )?;
    let stale = not_seen(tx, "in_carts", account, seen)?;
    for id in &stale {
        statement.execute(params![account.as_str(), id.0])?;
    }
    Ok(as_count(stale.len()))
}

/// Sets to nothing the copies on offer of every listing that is not in `seen` (sorted), and returns of how many: the
/// listings that now lie in carts with their last copy, once those that are gone were removed.
pub fn clear_offered_except(
    tx: &Tx<'_>,
    account: &AccountName,
    seen: &[ListingId],
    snapshot: i64,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let stale = not_seen(tx, "quantity", account, seen)?;
    let mut shelf = Shelf::open(tx, account, snapshot, now)?;
    for id in &stale {
        shelf.take_off(*id)?;
    }
    Ok(as_count(stale.len()))
}

/// What rows of one account are looked up and written with, many in a row.
struct Shelf<'t> {
    tx: &'t Tx<'t>,
    find: CachedStatement<'t>,
    add: CachedStatement<'t>,
    change: CachedStatement<'t>,
    history: Recorder<'t>,
    account: &'t str,
    snapshot: i64,
    at: i64,
}

/// What is there of a listing, as far as what comes in is compared with it.
struct Known {
    row: i64,
    offer: Offer,
    in_carts: i64,
    same_currency: bool,
    same_details: bool,
}

impl<'t> Shelf<'t> {
    fn open(
        tx: &'t Tx<'t>,
        account: &'t AccountName,
        snapshot: i64,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let find = tx.0.prepare_cached(
            "select rowid, quantity, price_minor, in_carts, currency, sku, title, attributes from listings
             where account = ?1 and listing_id = ?2",
        )?;
        let add = tx.0.prepare_cached(
            "insert into listings (account, listing_id, sku, title, quantity, in_carts, price_minor, currency,
                attributes, first_seen_at, changed_at, snapshot_id)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
        )?;
        let change = tx.0.prepare_cached(
            "update listings set sku = ?2, title = ?3, quantity = ?4, price_minor = ?5, currency = ?6, attributes = ?7,
                changed_at = ?8, snapshot_id = ?9 where rowid = ?1",
        )?;
        let history = Recorder::new(tx, account, snapshot, now)?;
        Ok(Self { tx, find, add, change, history, account: account.as_str(), snapshot, at: ms(now) })
    }

    /// Everything but the carts.
    fn put_offered(&mut self, listing: &Listing) -> Result<PutCounts, StoreError> {
        let Some(known) = self.known(listing)? else { return self.add(listing, listing.quantity, 0) };
        let after = Offer { quantity: listing.quantity, price_minor: listing.price.minor };
        let quantity = known.offer.quantity != after.quantity;
        let price = known.offer.price_minor != after.price_minor || !known.same_currency;
        if !quantity && !price && known.same_details {
            return Ok(PutCounts { unchanged: 1, ..PutCounts::default() });
        }
        self.change.execute(params![
            known.row,
            listing.sku.as_str(),
            listing.title,
            listing.quantity,
            listing.price.minor,
            listing.price.currency.as_str(),
            listing.attributes,
            self.at,
            self.snapshot,
        ])?;
        if quantity || price {
            self.history.record(listing.id, Some(known.offer), Some(after))?;
        }
        Ok(PutCounts {
            quantity_changed: i64::from(quantity),
            price_changed: i64::from(price),
            details_changed: i64::from(!known.same_details),
            ..PutCounts::default()
        })
    }

    /// The copies in carts and nothing else.
    fn put_in_carts(&mut self, listing: &Listing) -> Result<PutCounts, StoreError> {
        match self.known(listing)? {
            None => self.add(listing, 0, listing.quantity),
            Some(known) if known.in_carts == listing.quantity => {
                Ok(PutCounts { unchanged: 1, ..PutCounts::default() })
            }
            Some(known) => {
                let mut change =
                    self.tx.0.prepare_cached("update listings set in_carts = ?2 where rowid = ?1")?;
                change.execute([known.row, listing.quantity])?;
                Ok(PutCounts { carts_changed: 1, ..PutCounts::default() })
            }
        }
    }

    fn add(&mut self, listing: &Listing, quantity: i64, in_carts: i64) -> Result<PutCounts, StoreError> {
        self.add.execute(params![
            self.account,
            listing.id.0,
            listing.sku.as_str(),
            listing.title,
            quantity,
            in_carts,
            listing.price.minor,
            listing.price.currency.as_str(),
            listing.attributes,
            self.at,
            self.snapshot,
        ])?;
        let after = Offer { quantity, price_minor: listing.price.minor };
        self.history.record(listing.id, None, Some(after))?;
        Ok(PutCounts { added: 1, ..PutCounts::default() })
    }

    /// None are on offer any more.
    fn take_off(&mut self, id: ListingId) -> Result<(), StoreError> {
        let offer =
            |row: &Row<'_>| Ok((row.get(0)?, Offer { quantity: row.get(1)?, price_minor: row.get(2)? }));
        let (row, before): (i64, Offer) = self.find.query_row(params![self.account, id.0], offer)?;
        let mut take_off = self.tx.0.prepare_cached(
            "update listings set quantity = 0, changed_at = ?2, snapshot_id = ?3 where rowid = ?1",
        )?;
        take_off.execute([row, self.at, self.snapshot])?;
        self.history.record(id, Some(before), Some(Offer { quantity: 0, ..before }))
    }

    fn known(&mut self, listing: &Listing) -> Result<Option<Known>, StoreError> {
        let known = |row: &Row<'_>| {
            let same = |column: usize, text: &str| {
                Ok::<_, Error>(row.get_ref(column)?.as_bytes()? == text.as_bytes())
            };
            Ok(Known {
                row: row.get(0)?,
                offer: Offer { quantity: row.get(1)?, price_minor: row.get(2)? },
                in_carts: row.get(3)?,
                same_currency: same(4, listing.price.currency.as_str())?,
                same_details: same(5, listing.sku.as_str())?
                    && same(6, &listing.title)?
                    && same(7, &listing.attributes)?,
            })
        };
        Ok(self.find.query_row(params![self.account, listing.id.0], known).optional()?)
    }
}

impl AddAssign for PutCounts {
    fn add_assign(&mut self, page: Self) {
        self.added += page.added;
        self.quantity_changed += page.quantity_changed;
        self.price_changed += page.price_changed;
        self.details_changed += page.details_changed;
        self.carts_changed += page.carts_changed;
        self.unchanged += page.unchanged;
    }
}

/// The listings with something in `column` that are not in `seen`. Usually few, so they are collected before any of
/// them is changed.
fn not_seen(
    tx: &Tx<'_>,
    column: &'static str,
    account: &AccountName,
    seen: &[ListingId],
) -> Result<Vec<ListingId>, StoreError> {
    debug_assert!(seen.is_sorted());
    let sql = format!("select listing_id from listings where account = ?1 and {column} <> 0");
    let mut statement = tx.0.prepare_cached(&sql)?;
    let mut rows = statement.query([account.as_str()])?;
    let mut stale = Vec::new();
    while let Some(row) = rows.next()? {
        let id = ListingId(row.get(0)?);
        if seen.binary_search(&id).is_err() {
            stale.push(id);
        }
    }
    Ok(stale)
}

fn as_count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Currency, Money, Sku};
    use crate::store::listing_history::{self, HistoryRow};
    use crate::store::listings::{count, each, ids};
    use crate::store::testing::{now, scratch};

    fn listing(id: i64, quantity: i64, price: i64) -> Listing {
        Listing {
            id: ListingId(id),
            sku: Sku(format!("sku-{id}")),
            title: format!("Card {id}"),
            quantity,
            price: Money { minor: price, currency: Currency::EUR },
            attributes: r#"{"language":1,"foil":false}"#.to_owned(),
        }
    }

    fn account() -> AccountName {
        "cm".into()
    }

    fn offered(tx: &Tx<'_>, rows: &[Listing]) -> PutCounts {
        put(tx, &account(), 1, StockPart::Offered, rows, now()).unwrap()
    }

    fn table(tx: &Tx<'_>) -> Vec<String> {
        let mut rows = Vec::new();
        each(tx, None, |row| {
            rows.push(serde_json::to_string(&row).unwrap());
            Ok(())
        })
        .unwrap();
        rows
    }

    #[test]
    fn a_listing_reads_as_the_contract_says() {
        let conn = scratch();
        let tx = Tx(&conn);
        offered(&tx, &[listing(9_000_000_000, 3, 250)]);
        assert_eq!(
            table(&tx),
            [r#"{"account":"cm","listing_id":9000000000,"sku":"sku-9000000000","title":"Card 9000000000","#
                .to_owned()
                + r#""quantity":3,"price_minor":250,"currency":"EUR","attributes":{"language":1,"foil":false},"#
                + r#""in_carts":0}"#]
        );
    }

    #[test]
    fn what_changed_is_counted_by_what_it_was() {
        let conn = scratch();
        let tx = Tx(&conn);
        let check = |rows: &[Listing], expected: PutCounts| assert_eq!(offered(&tx, rows), expected);
        let none = PutCounts::default();
        check(&[listing(1, 1, 10), listing(2, 1, 10)], PutCounts { added: 2, ..none });
        check(
            &[listing(1, 2, 10), listing(2, 1, 10)],
            PutCounts { quantity_changed: 1, unchanged: 1, ..none },
        );
        check(&[listing(1, 2, 11)], PutCounts { price_changed: 1, ..none });
        check(&[listing(1, 3, 12)], PutCounts { quantity_changed: 1, price_changed: 1, ..none });
        let renamed = Listing { title: "Other".to_owned(), ..listing(1, 4, 12) };
        check(std::slice::from_ref(&renamed), PutCounts { quantity_changed: 1, details_changed: 1, ..none });
        check(&[renamed], PutCounts { unchanged: 1, ..none });
    }

    #[test]
    fn every_coming_going_and_change_of_quantity_or_price_is_remembered() {
        let conn = scratch();
        let tx = Tx(&conn);
        offered(&tx, &[listing(1, 1, 10)]);
        offered(&tx, &[listing(1, 1, 12)]);
        offered(&tx, &[Listing { title: "Other".to_owned(), ..listing(1, 1, 12) }]);
        offered(&tx, &[listing(1, 4, 13)]);
        assert_eq!(remove(&tx, &account(), &[ListingId(1), ListingId(2)], 2, now()).unwrap(), 1);
        assert_eq!(remove(&tx, &account(), &[ListingId(1)], 2, now()).unwrap(), 0);
        let offer = |quantity, price_minor| Some(Offer { quantity, price_minor });
        let row = |op: &str, before, after| {
            let snapshot = if op == "remove" { 2 } else { 1 };
            HistoryRow { at: now(), snapshot, op: op.to_owned(), before, after }
        };
        assert_eq!(
            listing_history::of(&tx, &account(), ListingId(1)).unwrap(),
            [
                row("add", None, offer(1, 10)),
                row("price", offer(1, 10), offer(1, 12)),
                row("quantity", offer(1, 12), offer(4, 13)),
                row("remove", offer(4, 13), None),
            ]
        );
        assert_eq!(listing_history::prune(&tx, now() + chrono::TimeDelta::days(1), 3).unwrap(), 3);
        assert_eq!(listing_history::of(&tx, &account(), ListingId(1)).unwrap().len(), 1);
    }

    #[test]
    fn copies_in_carts_stand_beside_the_copies_on_offer() {
        let conn = scratch();
        let tx = Tx(&conn);
        let carts = |rows: &[Listing]| put(&tx, &account(), 1, StockPart::InCarts, rows, now()).unwrap();
        let state = || {
            let mut rows = BTreeMap::new();
            each(&tx, None, |row| {
                rows.insert(row.listing_id.0, (row.quantity, row.in_carts));
                Ok(())
            })
            .unwrap();
            rows
        };
        offered(&tx, &[listing(1, 4, 10), listing(2, 1, 10)]);
        assert_eq!(carts(&[listing(1, 2, 10)]).carts_changed, 1);
        assert_eq!(carts(&[listing(3, 1, 10)]).added, 1);
        assert_eq!(carts(&[listing(3, 1, 10)]).unchanged, 1);
        assert_eq!(state(), BTreeMap::from([(1, (4, 2)), (2, (1, 0)), (3, (0, 1))]));

        // The last copy of 2 now lies in a cart, those of 1 were put back.
        carts(&[listing(2, 1, 10)]);
        assert_eq!(clear_offered_except(&tx, &account(), &[ListingId(1)], 2, now()).unwrap(), 1);
        let seen = [ListingId(2), ListingId(3)];
        assert_eq!(clear_carts_except(&tx, &account(), &seen).unwrap(), 1);
        assert_eq!(clear_carts_except(&tx, &account(), &seen).unwrap(), 0);
        assert_eq!(state(), BTreeMap::from([(1, (4, 0)), (2, (0, 1)), (3, (0, 1))]));
    }

    #[test]
    fn accounts_do_not_see_each_others_listings() {
        let conn = scratch();
        let tx = Tx(&conn);
        let other = AccountName::from("other");
        offered(&tx, &[listing(1, 1, 10), listing(2, 1, 10)]);
        put(&tx, &other, 2, StockPart::Offered, &[listing(1, 9, 10)], now()).unwrap();
        remove(&tx, &other, &[ListingId(2)], 2, now()).unwrap();
        assert_eq!((count(&tx, &account()).unwrap(), count(&tx, &other).unwrap()), (2, 1));
        let mut seen = Vec::new();
        ids(&tx, &account(), |id| {
            seen.push(id.0);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [1, 2]);
    }

    fn pages() -> impl Strategy<Value = Vec<(StockPart, Vec<Listing>)>> {
        let row = (1..20_i64, 0..4_i64, 1..4_i64).prop_map(|(id, n, price)| listing(id, n, price));
        let part = prop_oneof![3 => Just(StockPart::Offered), 1 => Just(StockPart::InCarts)];
        proptest::collection::vec((part, proptest::collection::vec(row, 0..12)), 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_batching_of_pages_makes_no_difference(pages in pages(), sizes in proptest::collection::vec(1..9_usize, 1..9)) {
            let (whole, split) = (scratch(), scratch());
            for (part, rows) in &pages {
                put(&Tx(&whole), &account(), 1, *part, rows, now()).unwrap();
                let mut rest = rows.as_slice();
                let mut sizes = sizes.iter().cycle();
                while !rest.is_empty() {
                    let (batch, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                    put(&Tx(&split), &account(), 1, *part, batch, now()).unwrap();
                    rest = after;
                }
            }
            prop_assert_eq!(table(&Tx(&whole)), table(&Tx(&split)));
        }

        #[test]
        fn what_is_put_again_writes_nothing(rows in proptest::collection::btree_map(1..40_i64, (0..4_i64, 1..4_i64), 0..40)) {
            let conn = scratch();
            let tx = Tx(&conn);
            let rows: Vec<_> = rows.into_iter().map(|(id, (n, price))| listing(id, n, price)).collect();
            for part in [StockPart::Offered, StockPart::InCarts] {
                put(&tx, &account(), 1, part, &rows, now()).unwrap();
            }
            let (before, writes) = (table(&tx), conn.total_changes());
            let later = now() + chrono::TimeDelta::hours(1);
            for part in [StockPart::Offered, StockPart::InCarts] {
                let counts = put(&tx, &account(), 2, part, &rows, later).unwrap();
                prop_assert_eq!(counts.unchanged, as_count(rows.len()));
            }
            prop_assert_eq!(conn.total_changes(), writes);
            prop_assert_eq!(table(&tx), before);
        }
    }
}
