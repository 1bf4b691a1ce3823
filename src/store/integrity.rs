//! Whether the database is what was written: asked after a stop that was not clean, before the first write.

use rusqlite::Connection;

use super::{Store, StoreError};

/// Reads every page once and compares the tables' shape with what it should be. A second for each few hundred MB.
pub async fn quick_check(store: &Store) -> Result<(), StoreError> {
    store.read(|tx| check(tx.0, "quick_check")).await
}

/// Runs one of SQLite's own checks.
pub(super) fn check(conn: &Connection, pragma: &str) -> Result<(), StoreError> {
    let mut findings = Vec::new();
    // Three findings tell as much as thousands.
    conn.pragma(None, pragma, 3, |row| {
        findings.push(row.get::<_, String>(0)?);
        Ok(())
    })?;
    if findings == ["ok"] { Ok(()) } else { Err(StoreError::damaged(findings.join("; ").replace('\n', " "))) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::{
        AccountName, Currency, ErrorType, LineId, Listing, ListingId, Money, Movement, MovementReason, Order,
        OrderId, OrderLine, OrderState, RunId, StockPart, Trigger,
    };
    use crate::store::runs::NewRun;
    use crate::store::testing::{now, store};
    use crate::store::{Lane, Tx, listings, movements, orders, problems, requests, runs, session, snapshots};

    fn page(count: i64) -> Vec<Listing> {
        let listing = |id| Listing {
            id: ListingId(id * 7),
            sku: format!("sku-{id}").as_str().into(),
            title: "A card of some name".to_owned(),
            quantity: id % 5,
            price: Money { minor: id, currency: Currency::EUR },
            attributes: format!(r#"{{"language":{id},"condition":"NM","comments":"in the second box"}}"#),
        };
        (0..count).map(listing).collect()
    }

    fn fill(tx: &Tx<'_>) -> Result<(), StoreError> {
        let account = AccountName::from("cm");
        session::begin(tx, "0.1.0", now())?;
        let snapshot = snapshots::begin(tx, &account, RunId(1), now())?;
        listings::put(tx, &account, snapshot, StockPart::Offered, &page(300), now())?;
        for id in 0..40 {
            let due_at = now() + chrono::TimeDelta::minutes(id);
            let (job, kind) = ("pull".into(), "stock-pull".to_owned());
            let trigger = Trigger::Schedule;
            runs::open(tx, &NewRun { job, kind, account: None, due_at, trigger, started_at: due_at })?;
            let money = Money { minor: 10, currency: Currency::EUR };
            let (sku, listing_id) = ("sku".into(), ListingId(id));
            let title = "A card".to_owned();
            let line = OrderLine { id: LineId(1), sku, listing_id, title, quantity: 1, unit_price: money };
            let order = Order {
                id: OrderId(id),
                state: OrderState::Paid,
                placed_at: Some(now()),
                paid_at: None,
                total: money,
                tracking_number: None,
                lines: vec![line],
            };
            orders::put(tx, &account, &order, now())?;
            let movement =
                Movement { line_id: LineId(1), sku: "sku".into(), delta: -1, reason: MovementReason::Sale };
            movements::add(tx, &account, order.id, &movement, RunId(1), now())?;
        }
        Ok(())
    }

    /// A start after a crash and, where `also_write`, a bit of work.
    async fn work(path: &Path, also_write: bool) -> Result<(), StoreError> {
        let store = Store::open(path, Lane::Inline, now())?;
        let checked = quick_check(&store).await;
        let read = store.read(|tx| {
            runs::list(tx, None, None)?;
            requests::unanswered(tx)?;
            problems::list(tx)?;
            orders::each(tx, None, |_| Ok(()))?;
            movements::each(tx, None, |_| Ok(()))?;
            listings::each(tx, None, |_| Ok(()))
        });
        let read = read.await;
        let written = if also_write { store.write(fill).await } else { Ok(()) };
        checked.and(read).and(written)?;
        store.close().await
    }

    #[tokio::test]
    async fn a_sound_database_passes() {
        let (_dir, store) = store(Lane::Inline);
        store.write(fill).await.unwrap();
        quick_check(&store).await.unwrap();
    }

    #[tokio::test]
    async fn damage_anywhere_is_an_error_and_never_a_panic() {
        let (dir, store) = store(Lane::Inline);
        store.write(fill).await.unwrap();
        // Half of it is in the database and half in its log.
        let half = std::fs::read(store.path()).unwrap();
        let log = std::fs::read(dir.path().join("sellerd.db-wal")).unwrap();
        store.close().await.unwrap();
        let whole = std::fs::read(dir.path().join("sellerd.db")).unwrap();

        let (mut corrupt, mut sound) = (0, 0);
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut db, mut wal) =
                if seed % 3 == 0 { (half.clone(), log.clone()) } else { (whole.clone(), vec![]) };
            let target = if wal.is_empty() || random.bool() { &mut db } else { &mut wal };
            spoil(&mut random, target);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("sellerd.db");
            std::fs::write(&path, &db).unwrap();
            if !wal.is_empty() {
                std::fs::write(dir.path().join("sellerd.db-wal"), &wal).unwrap();
            }
            // Writing waits for the disk, so not every seed does.
            match work(&path, seed % 4 == 0).await {
                Ok(()) => sound += 1,
                Err(error) => {
                    assert!(!error.to_string().contains("panicked"), "seed {seed}: {error}");
                    corrupt += i32::from(error.error_type() == ErrorType::DbCorrupt);
                }
            }
        }
        assert!(corrupt > 100 && sound > 0, "{corrupt} found damaged, {sound} sound");
    }

    /// Cuts off the end, or changes bytes, a few or many.
    fn spoil(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
        match random.u8(..4) {
            0 => bytes.truncate(random.usize(1..bytes.len())),
            1 => {
                let page = random.usize(..bytes.len() / 4_096) * 4_096;
                random.fill(&mut bytes[page..page + 4_096]);
            }
            _ => {
                for _ in 0..random.usize(1..200) {
                    let at = random.usize(..bytes.len());
                    bytes[at] ^= random.u8(1..);
                }
            }
        }
    }
}
