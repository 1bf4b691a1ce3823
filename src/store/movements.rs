//! What went off the shelf and came back, recorded once and never edited. What is still to be recorded follows from
//! [`super::orders::line_nets`], read in the same transaction.

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::columns::{ms, time, word};
use super::{StoreError, Tx};
use crate::domain::{AccountName, LineId, Movement, MovementReason, OrderId, RunId, Sku};

/// A recorded movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementRow {
    /// The account that sold.
    pub account: AccountName,
    /// The order.
    pub order_id: OrderId,
    /// The how-manieth of its line, from 0.
    pub seq: i64,
    /// What moved.
    pub movement: Movement,
    /// The run that recorded it.
    pub run: RunId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Records a movement of an order's line. The line must have been stored.
pub fn add(
    tx: &Tx<'_>,
    account: &AccountName,
    order: OrderId,
    movement: &Movement,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into stock_movements (account, order_id, line_id, seq, sku, delta, reason, run_id, recorded_at)
         select ?1, ?2, ?3, count(*), ?4, ?5, ?6, ?7, ?8 from stock_movements
            where account = ?1 and order_id = ?2 and line_id = ?3",
    )?
    .execute(params![
        account.as_str(),
        order.0,
        movement.line_id.0,
        movement.sku.as_str(),
        movement.delta,
        movement.reason.as_str(),
        run.0,
        ms(now),
    ])?;
    Ok(())
}

/// How many movements were recorded, of one account or of all.
pub fn count(tx: &Tx<'_>, account: Option<&AccountName>) -> Result<i64, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select count(*) from stock_movements where ?1 is null or account = ?1")?;
    Ok(statement.query_row([account.map(AccountName::as_str)], |row| row.get(0))?)
}

/// What the movements of a SKU at an account add up to: minus two when two copies were sold there.
pub fn net(tx: &Tx<'_>, account: &AccountName, sku: &Sku) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select coalesce(sum(delta), 0) from stock_movements where account = ?1 and sku = ?2",
    )?;
    Ok(statement.query_row(params![account.as_str(), sku.as_str()], |row| row.get(0))?)
}

/// What the movements of a SKU at an account add up to that were recorded since.
pub fn net_since(
    tx: &Tx<'_>,
    account: &AccountName,
    sku: &Sku,
    since: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select coalesce(sum(delta), 0) from stock_movements where account = ?1 and sku = ?2 and recorded_at >= ?3",
    )?;
    Ok(statement.query_row(params![account.as_str(), sku.as_str(), ms(since)], |row| row.get(0))?)
}

/// Whether copies of a SKU have come back to an account since.
pub fn came_back(
    tx: &Tx<'_>,
    account: &AccountName,
    sku: &Sku,
    since: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select exists (select 1 from stock_movements where account = ?1 and sku = ?2 and delta > 0 and recorded_at >= ?3)",
    )?;
    Ok(statement.query_row(params![account.as_str(), sku.as_str(), ms(since)], |row| row.get(0))?)
}

/// The newest movement of an account; 0 while there is none. What is recorded later has a higher number.
pub fn newest(tx: &Tx<'_>, account: &AccountName) -> Result<i64, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select coalesce(max(movement_id), 0) from stock_movements where account = ?1")?;
    Ok(statement.query_row([account.as_str()], |row| row.get(0))?)
}

/// The SKUs of which an account has moved something since the movement `after`.
pub fn skus_after(tx: &Tx<'_>, account: &AccountName, after: i64) -> Result<Vec<Sku>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select distinct sku from stock_movements where movement_id > ?2 and account = ?1 order by sku",
    )?;
    let rows = statement.query_map(params![account.as_str(), after], |row| Ok(Sku(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Hands over the movements of one account or of all, in the order in which they were recorded.
pub fn each(
    tx: &Tx<'_>,
    account: Option<&AccountName>,
    mut f: impl FnMut(MovementRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select account, order_id, line_id, seq, sku, delta, reason, run_id, recorded_at from stock_movements
         where ?1 is null or account = ?1 order by movement_id",
    )?;
    let mut rows = statement.query([account.map(AccountName::as_str)])?;
    while let Some(row) = rows.next()? {
        f(movement_of(row)?)?;
    }
    Ok(())
}

fn movement_of(row: &Row<'_>) -> rusqlite::Result<MovementRow> {
    Ok(MovementRow {
        account: AccountName(row.get(0)?),
        order_id: OrderId(row.get(1)?),
        seq: row.get(3)?,
        movement: Movement {
            line_id: LineId(row.get(2)?),
            sku: Sku(row.get(4)?),
            delta: row.get(5)?,
            reason: word::<Reason>(row, 6)?.0,
        },
        run: RunId(row.get(7)?),
        at: time(row, 8)?,
    })
}

/// A reason as its column keeps it.
struct Reason(MovementReason);

impl std::str::FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [MovementReason::Sale, MovementReason::Cancellation, MovementReason::Correction]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .map(Reason)
            .ok_or_else(|| format!("`{text}` is no reason of a movement"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Currency, ListingId, Money, Order, OrderLine, OrderState};
    use crate::store::orders;
    use crate::store::testing::{now, scratch};

    /// A poll in small: stores what was read and records what the shelf has to be told of it.
    fn poll(tx: &Tx<'_>, account: &AccountName, order: &Order) {
        orders::put(tx, account, order, now()).unwrap();
        let nets = orders::line_nets(tx, account, order.id).unwrap();
        for line in &order.lines {
            let known = nets.iter().find(|net| net.line_id == line.id).map_or(0, |net| net.net);
            let wanted = if order.state.takes_copies() { -line.quantity } else { 0 };
            if wanted != known {
                let delta = wanted - known;
                let movement =
                    Movement { line_id: line.id, sku: line.sku.clone(), delta, reason: MovementReason::Sale };
                add(tx, account, order.id, &movement, RunId(1), now()).unwrap();
            }
        }
    }

    fn order(id: i64, quantities: &[i64], cancelled: bool) -> Order {
        let eur = |minor| Money { minor, currency: Currency::EUR };
        let line = |(index, quantity): (usize, &i64)| OrderLine {
            id: LineId(index as i64),
            sku: Sku(format!("sku-{index}")),
            listing_id: ListingId(1),
            title: "Card".to_owned(),
            quantity: *quantity,
            unit_price: eur(10),
        };
        Order {
            id: OrderId(id),
            state: if cancelled { OrderState::Cancelled } else { OrderState::Paid },
            placed_at: None,
            paid_at: None,
            total: eur(10),
            tracking_number: None,
            lines: quantities.iter().enumerate().map(line).collect(),
        }
    }

    fn table(tx: &Tx<'_>) -> Vec<MovementRow> {
        let mut rows = Vec::new();
        each(tx, None, |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
        rows
    }

    #[test]
    fn movements_of_a_line_are_numbered_and_keep_the_key_they_began_with() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        poll(&tx, &account, &order(1, &[3], false));
        let mut renamed = order(1, &[2], false);
        renamed.lines[0].sku = Sku::from("other");
        poll(&tx, &account, &renamed);
        poll(&tx, &account, &order(1, &[2], true));
        let rows = table(&tx);
        let moved: Vec<_> = rows.iter().map(|row| (row.seq, row.movement.delta)).collect();
        assert_eq!(moved, [(0, -3), (1, 1), (2, 2)]);
        let nets = orders::line_nets(&tx, &account, OrderId(1)).unwrap();
        assert_eq!((nets.len(), nets[0].sku.as_str(), nets[0].net), (1, "sku-0", 0));
        assert_eq!(count(&tx, Some(&account)).unwrap(), 3);
        let since = |at| net_since(&tx, &account, &"sku-0".into(), at).unwrap();
        let later = now() + chrono::TimeDelta::milliseconds(1);
        let before = since(now());
        assert_eq!((before, since(later)), (net(&tx, &account, &"sku-0".into()).unwrap(), 0));
        poll(&tx, &account, &order(2, &[4], false));
        assert_eq!((since(now()), since(later)), (before - 4, 0));
        assert_eq!(count(&tx, Some(&"other".into())).unwrap(), 0);
    }

    #[test]
    fn a_movement_without_its_line_is_refused() {
        let conn = scratch();
        let movement =
            Movement { line_id: LineId(1), sku: "s".into(), delta: -1, reason: MovementReason::Sale };
        assert!(add(&Tx(&conn), &"cm".into(), OrderId(1), &movement, RunId(1), now()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn readings_replayed_any_number_of_times_move_nothing_twice(
            readings in proptest::collection::vec(
                (1..5_i64, proptest::collection::vec(1..4_i64, 1..4), any::<bool>(), 1..4_usize), 1..12),
        ) {
            let conn = scratch();
            let tx = Tx(&conn);
            let account = AccountName::from("cm");
            let mut wanted = BTreeMap::new();
            for (id, quantities, cancelled, times) in &readings {
                for _ in 0..*times {
                    poll(&tx, &account, &order(*id, quantities, *cancelled));
                }
                for (index, quantity) in quantities.iter().enumerate() {
                    wanted.insert((*id, index as i64), if *cancelled { 0 } else { -quantity });
                }
            }
            let mut nets = BTreeMap::new();
            for id in 1..5 {
                for net in orders::line_nets(&tx, &account, OrderId(id)).unwrap() {
                    nets.insert((id, net.line_id.0), net.net);
                }
            }
            wanted.retain(|key, net| *net != 0 || nets.contains_key(key));
            prop_assert_eq!(nets, wanted);

            let (last, writes) = (readings.last().unwrap(), conn.total_changes());
            poll(&tx, &account, &order(last.0, &last.1, last.2));
            prop_assert_eq!(conn.total_changes(), writes);
        }
    }
}
