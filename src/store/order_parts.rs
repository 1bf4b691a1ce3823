//! The lines of orders that a marketplace shows one by one, each with what it said of its order.
//!
//! They stand beside `order_lines` and not in it: most orders are read whole, and have none.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::columns::{ms, time_opt, word};
use super::{StoreError, Tx};
use crate::domain::{AccountName, LineId, Money, Order, OrderId, OrderState};

/// What each known line said of the order when it was last read by itself: an order of its own, without the line.
pub fn of(tx: &Tx<'_>, account: &AccountName, id: OrderId) -> Result<BTreeMap<LineId, Order>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select line_id, state, placed_at, paid_at, total_minor, currency, tracking_number from order_parts
         where account = ?1 and order_id = ?2",
    )?;
    let rows = statement.query_map(params![account.as_str(), id.0], |row| {
        let part = Order {
            id,
            state: OrderState::from_name(row.get_ref(1)?.as_str()?),
            placed_at: time_opt(row, 2)?,
            paid_at: time_opt(row, 3)?,
            total: Money { minor: row.get(4)?, currency: word(row, 5)? },
            tracking_number: row.get(6)?,
            lines: Vec::new(),
        };
        Ok((LineId(row.get(0)?), part))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps what a line says of its order. The order and the line are stored already. A date and a tracking number that
/// it does not tell any more stay, as they do with whole orders.
pub fn put(tx: &Tx<'_>, account: &AccountName, line: LineId, part: &Order) -> Result<(), StoreError> {
    let at = |time: Option<DateTime<Utc>>| time.map(ms);
    tx.0.prepare_cached(
        "insert into order_parts (account, order_id, line_id, state, placed_at, paid_at, currency, total_minor,
            tracking_number)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         on conflict (account, order_id, line_id) do update set state = excluded.state,
            placed_at = coalesce(excluded.placed_at, placed_at), paid_at = coalesce(excluded.paid_at, paid_at),
            currency = excluded.currency, total_minor = excluded.total_minor,
            tracking_number = coalesce(excluded.tracking_number, tracking_number)",
    )?
    .execute(params![
        account.as_str(),
        part.id.0,
        line.0,
        part.state.as_str(),
        at(part.placed_at),
        at(part.paid_at),
        part.total.currency.as_str(),
        part.total.minor,
        part.tracking_number,
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, ListingId, OrderLine};
    use crate::store::orders;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_part_is_kept_as_it_was_last_read() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("nz");
        let nzd = |minor| Money { minor, currency: Currency::NZD };
        let line = OrderLine {
            id: LineId(5),
            sku: "W".into(),
            listing_id: ListingId(1),
            title: "Widget".to_owned(),
            quantity: 1,
            unit_price: nzd(100),
        };
        let part = Order {
            id: OrderId(7),
            state: OrderState::Bought,
            placed_at: Some(now()),
            paid_at: None,
            total: nzd(700),
            tracking_number: Some("RR1".to_owned()),
            lines: vec![line],
        };
        orders::put(&tx, &account, &part, now()).unwrap();
        put(&tx, &account, LineId(5), &part).unwrap();
        let later = Order { state: OrderState::Paid, total: nzd(800), tracking_number: None, ..part.clone() };
        put(&tx, &account, LineId(5), &later).unwrap();

        let expected = Order { tracking_number: part.tracking_number, lines: Vec::new(), ..later };
        assert_eq!(of(&tx, &account, OrderId(7)).unwrap(), BTreeMap::from([(LineId(5), expected)]));
        assert_eq!(of(&tx, &account, OrderId(8)).unwrap(), BTreeMap::new());
        assert_eq!(of(&tx, &"other".into(), OrderId(7)).unwrap(), BTreeMap::new());
    }
}
