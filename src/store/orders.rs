//! The orders as last read, with their lines. Reading one again changes nothing; reading less of it loses nothing.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::columns::{ms, time_opt, word};
use super::{StoreError, Tx};
use crate::domain::{
    AccountName, Currency, LineId, LineNet, ListingId, Order, OrderId, OrderLine, OrderState, Sku,
};

/// What is needed of a known order to judge a new reading of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderHead {
    /// Where it stands.
    pub state: OrderState,
    /// When the buyer bought.
    pub placed_at: Option<DateTime<Utc>>,
    /// When the payment arrived.
    pub paid_at: Option<DateTime<Utc>>,
    /// The tracking number.
    pub tracking_number: Option<String>,
}

/// What a reading of an order changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderChange {
    /// It was not known.
    New,
    /// It has moved on, or back.
    StateChanged {
        /// Where it stood.
        from: OrderState,
        /// Where it stands.
        to: OrderState,
    },
    /// Something else of it, or one of its lines.
    Changed,
    /// Nothing.
    Unchanged,
}

/// An order as `orders list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderRow {
    /// The account.
    pub account: AccountName,
    /// The marketplace's number.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: String,
    /// When the buyer bought.
    #[serde(serialize_with = "super::columns::rfc3339_opt")]
    pub placed_at: Option<DateTime<Utc>>,
    /// When the payment arrived.
    #[serde(serialize_with = "super::columns::rfc3339_opt")]
    pub paid_at: Option<DateTime<Utc>>,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// What the buyer pays, in minor units.
    pub total_minor: i64,
    /// What was bought.
    pub lines: Vec<LineRow>,
    /// The tracking number.
    pub tracking_number: Option<String>,
}

/// A line of an order as `orders list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineRow {
    /// The marketplace's number of the line.
    pub line_id: LineId,
    /// The seller's key.
    pub sku: Sku,
    /// The listing it was sold from.
    pub listing_id: ListingId,
    /// What a person calls it.
    pub title: String,
    /// Copies bought.
    pub quantity: i64,
    /// Price of one, in minor units.
    pub unit_price_minor: i64,
}

/// What is known of an order.
pub fn get(tx: &Tx<'_>, account: &AccountName, id: OrderId) -> Result<Option<OrderHead>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select state, placed_at, paid_at, tracking_number from orders where account = ?1 and order_id = ?2",
    )?;
    let head = statement.query_row(params![account.as_str(), id.0], |row| {
        Ok(OrderHead {
            state: OrderState::from_name(row.get_ref(0)?.as_str()?),
            placed_at: time_opt(row, 1)?,
            paid_at: time_opt(row, 2)?,
            tracking_number: row.get(3)?,
        })
    });
    Ok(head.optional()?)
}

/// Stores a reading of an order. A line that it does not show stays, and so do a date and a tracking number that it
/// does not tell any more.
pub fn put(
    tx: &Tx<'_>,
    account: &AccountName,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<OrderChange, StoreError> {
    let head = put_head(tx, account, order, now)?;
    let mut lines_changed = false;
    for line in &order.lines {
        lines_changed |= put_line(tx, account, order.id, line)?;
    }
    if lines_changed && head == OrderChange::Unchanged {
        tx.0.prepare_cached("update orders set changed_at = ?3 where account = ?1 and order_id = ?2")?
            .execute(params![account.as_str(), order.id.0, ms(now)])?;
        return Ok(OrderChange::Changed);
    }
    Ok(head)
}

/// Moves a known order to another state, where the marketplace itself has nothing more to say of it.
pub fn set_state(
    tx: &Tx<'_>,
    account: &AccountName,
    id: OrderId,
    state: &OrderState,
) -> Result<(), StoreError> {
    tx.0.prepare_cached("update orders set state = ?3 where account = ?1 and order_id = ?2")?
        .execute(params![account.as_str(), id.0, state.as_str()])?;
    Ok(())
}

/// A line that was sold, as far as a count of the seller's shelf has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoldLine {
    /// The seller's key.
    pub sku: Sku,
    /// When the buyer bought, as far as the marketplace says.
    pub placed_at: Option<DateTime<Utc>>,
    /// Copies.
    pub quantity: i64,
}

/// Hands over the lines of an account's orders that were placed after `since`, or nobody knows when, and were not
/// called off.
pub fn sold_since(
    tx: &Tx<'_>,
    account: &AccountName,
    since: DateTime<Utc>,
    mut f: impl FnMut(SoldLine) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select l.sku, coalesce(p.placed_at, o.placed_at), l.quantity from orders o
         join order_lines l on l.account = o.account and l.order_id = o.order_id
         left join order_parts p on p.account = l.account and p.order_id = l.order_id and p.line_id = l.line_id
         where o.account = ?1 and coalesce(p.state, o.state) <> 'cancelled'
            and (coalesce(p.placed_at, o.placed_at) is null or coalesce(p.placed_at, o.placed_at) > ?2)",
    )?;
    let mut rows = statement.query(params![account.as_str(), ms(since)])?;
    while let Some(row) = rows.next()? {
        f(SoldLine { sku: Sku(row.get(0)?), placed_at: time_opt(row, 1)?, quantity: row.get(2)? })?;
    }
    Ok(())
}

/// What the movements of each line of an order add up to; a line without any is not in it.
pub fn line_nets(tx: &Tx<'_>, account: &AccountName, id: OrderId) -> Result<Vec<LineNet>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select m.line_id, first.sku, sum(m.delta) from stock_movements m
         join stock_movements first on first.account = m.account and first.order_id = m.order_id
            and first.line_id = m.line_id and first.seq = 0
         where m.account = ?1 and m.order_id = ?2
         group by m.line_id, first.sku order by m.line_id",
    )?;
    let rows = statement.query_map(params![account.as_str(), id.0], |row| {
        Ok(LineNet { line_id: LineId(row.get(0)?), sku: Sku(row.get(1)?), net: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The known orders that stand in `state`.
pub fn open_in_state(
    tx: &Tx<'_>,
    account: &AccountName,
    state: &OrderState,
) -> Result<Vec<OrderId>, StoreError> {
    let mut statement = tx
        .0
        .prepare_cached("select order_id from orders where account = ?1 and state = ?2 order by order_id")?;
    let rows = statement.query_map([account.as_str(), state.as_str()], |row| row.get(0).map(OrderId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Hands over the orders of one account or of all, one after the other, in the order in which they were placed.
pub fn each(
    tx: &Tx<'_>,
    account: Option<&AccountName>,
    mut f: impl FnMut(OrderRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select account, order_id, state, placed_at, paid_at, currency, total_minor, tracking_number from orders
         where ?1 is null or account = ?1 order by coalesce(placed_at, first_seen_at), account, order_id",
    )?;
    let mut rows = statement.query([account.map(AccountName::as_str)])?;
    while let Some(row) = rows.next()? {
        let mut order = order_of(row)?;
        order.lines = lines(tx, &order.account, order.order_id)?;
        f(order)?;
    }
    Ok(())
}

fn put_head(
    tx: &Tx<'_>,
    account: &AccountName,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<OrderChange, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into orders (account, order_id, state, placed_at, paid_at, currency, total_minor, tracking_number,
            first_seen_at, changed_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
         on conflict (account, order_id) do update set
            was_state = orders.state, state = excluded.state,
            placed_at = coalesce(excluded.placed_at, orders.placed_at),
            paid_at = coalesce(excluded.paid_at, orders.paid_at),
            currency = excluded.currency, total_minor = excluded.total_minor,
            tracking_number = coalesce(excluded.tracking_number, orders.tracking_number),
            changed_at = excluded.changed_at
         where excluded.state <> orders.state or excluded.currency <> orders.currency
            or excluded.total_minor <> orders.total_minor
            or coalesce(excluded.placed_at, orders.placed_at) is distinct from orders.placed_at
            or coalesce(excluded.paid_at, orders.paid_at) is distinct from orders.paid_at
            or coalesce(excluded.tracking_number, orders.tracking_number) is distinct from orders.tracking_number
         returning was_state",
    )?;
    let row = params![
        account.as_str(),
        order.id.0,
        order.state.as_str(),
        order.placed_at.map(ms),
        order.paid_at.map(ms),
        order.total.currency.as_str(),
        order.total.minor,
        order.tracking_number,
        ms(now),
    ];
    let written = statement.query_row(row, |row| row.get::<_, Option<String>>(0)).optional()?;
    Ok(match written {
        None => OrderChange::Unchanged,
        Some(None) => OrderChange::New,
        Some(Some(was)) if was == order.state.as_str() => OrderChange::Changed,
        Some(Some(was)) => {
            OrderChange::StateChanged { from: OrderState::from_name(&was), to: order.state.clone() }
        }
    })
}

fn put_line(
    tx: &Tx<'_>,
    account: &AccountName,
    order: OrderId,
    line: &OrderLine,
) -> Result<bool, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into order_lines (account, order_id, line_id, sku, listing_id, title, quantity, unit_price_minor)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         on conflict (account, order_id, line_id) do update set sku = excluded.sku, listing_id = excluded.listing_id,
            title = excluded.title, quantity = excluded.quantity, unit_price_minor = excluded.unit_price_minor
         where excluded.sku <> order_lines.sku or excluded.listing_id <> order_lines.listing_id
            or excluded.title <> order_lines.title or excluded.quantity <> order_lines.quantity
            or excluded.unit_price_minor <> order_lines.unit_price_minor",
    )?;
    let written = statement.execute(params![
        account.as_str(),
        order.0,
        line.id.0,
        line.sku.as_str(),
        line.listing_id.0,
        line.title,
        line.quantity,
        line.unit_price.minor,
    ])?;
    Ok(written > 0)
}

fn order_of(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    Ok(OrderRow {
        account: AccountName(row.get(0)?),
        order_id: OrderId(row.get(1)?),
        state: row.get(2)?,
        placed_at: time_opt(row, 3)?,
        paid_at: time_opt(row, 4)?,
        currency: word(row, 5)?,
        total_minor: row.get(6)?,
        lines: Vec::new(),
        tracking_number: row.get(7)?,
    })
}

fn lines(tx: &Tx<'_>, account: &AccountName, id: OrderId) -> Result<Vec<LineRow>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select line_id, sku, listing_id, title, quantity, unit_price_minor from order_lines
         where account = ?1 and order_id = ?2 order by line_id",
    )?;
    let rows = statement.query_map(params![account.as_str(), id.0], |row| {
        Ok(LineRow {
            line_id: LineId(row.get(0)?),
            sku: Sku(row.get(1)?),
            listing_id: ListingId(row.get(2)?),
            title: row.get(3)?,
            quantity: row.get(4)?,
            unit_price_minor: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;
    use crate::store::testing::{now, scratch};

    fn eur(minor: i64) -> Money {
        Money { minor, currency: Currency::EUR }
    }

    fn order(state: OrderState) -> Order {
        let line = |id: i64| OrderLine {
            id: LineId(id),
            sku: Sku(format!("sku-{id}")),
            listing_id: ListingId(100 + id),
            title: format!("Card {id}"),
            quantity: 2,
            unit_price: eur(150),
        };
        Order {
            id: OrderId(7),
            state,
            placed_at: Some(now()),
            paid_at: None,
            total: eur(700),
            tracking_number: None,
            lines: vec![line(1), line(2)],
        }
    }

    fn all(tx: &Tx<'_>, account: Option<&AccountName>) -> Vec<OrderRow> {
        let mut orders = Vec::new();
        each(tx, account, |order| {
            orders.push(order);
            Ok(())
        })
        .unwrap();
        orders
    }

    #[test]
    fn a_reading_tells_what_it_changed() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        let check = |order: &Order, change| assert_eq!(put(&tx, &account, order, now()).unwrap(), change);
        check(&order(OrderState::Bought), OrderChange::New);
        check(&order(OrderState::Bought), OrderChange::Unchanged);
        let paid = Order { paid_at: Some(now()), ..order(OrderState::Paid) };
        check(&paid, OrderChange::StateChanged { from: OrderState::Bought, to: OrderState::Paid });
        let tracked = Order { tracking_number: Some("RR1".to_owned()), ..paid.clone() };
        check(&tracked, OrderChange::Changed);
        let mut fewer = tracked;
        fewer.lines[1].quantity = 1;
        check(&fewer, OrderChange::Changed);
        check(&fewer, OrderChange::Unchanged);
    }

    #[test]
    fn a_reading_that_shows_less_loses_nothing() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        let known = Order {
            paid_at: Some(now()),
            tracking_number: Some("RR1".to_owned()),
            ..order(OrderState::Other("evaluated".to_owned()))
        };
        put(&tx, &account, &known, now()).unwrap();
        let before = all(&tx, None);
        let less = Order {
            paid_at: None,
            placed_at: None,
            tracking_number: None,
            lines: Vec::new(),
            ..known.clone()
        };
        assert_eq!(put(&tx, &account, &less, now()).unwrap(), OrderChange::Unchanged);
        assert_eq!(all(&tx, None), before);
        let head = get(&tx, &account, OrderId(7)).unwrap().unwrap();
        assert_eq!((head.state, head.paid_at), (known.state, known.paid_at));
        assert_eq!(get(&tx, &"other".into(), OrderId(7)).unwrap(), None);
    }

    #[test]
    fn an_order_reads_as_the_contract_says() {
        let conn = scratch();
        let tx = Tx(&conn);
        let mut order = order(OrderState::Paid);
        order.lines.truncate(1);
        put(&tx, &"cm".into(), &order, now()).unwrap();
        assert_eq!(
            serde_json::to_string(&all(&tx, Some(&"cm".into()))).unwrap(),
            r#"[{"account":"cm","order_id":7,"state":"paid","placed_at":"2026-11-22T14:31:07.250Z","paid_at":null,"#
                .to_owned()
                + r#""currency":"EUR","total_minor":700,"lines":[{"line_id":1,"sku":"sku-1","listing_id":101,"#
                + r#""title":"Card 1","quantity":2,"unit_price_minor":150}],"tracking_number":null}]"#
        );
    }

    #[test]
    fn orders_come_as_they_were_placed_and_by_account() {
        let conn = scratch();
        let tx = Tx(&conn);
        for (account, id, hour) in [("b", 1, 3), ("a", 2, 1), ("a", 3, 2)] {
            let order = Order {
                id: OrderId(id),
                placed_at: Some(now() + chrono::TimeDelta::hours(hour)),
                ..order(OrderState::Paid)
            };
            put(&tx, &account.into(), &order, now()).unwrap();
        }
        let ids = |account: Option<&AccountName>| {
            all(&tx, account).iter().map(|order| order.order_id.0).collect::<Vec<_>>()
        };
        assert_eq!(ids(None), [2, 3, 1]);
        assert_eq!(ids(Some(&"a".into())), [2, 3]);
        let paid = open_in_state(&tx, &"a".into(), &OrderState::Paid).unwrap();
        assert_eq!(paid, [OrderId(2), OrderId(3)]);
        assert_eq!(open_in_state(&tx, &"a".into(), &OrderState::Sent).unwrap(), []);
    }
}
