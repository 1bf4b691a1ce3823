//! What the guide tells once everything was shown: what buyers do, as the agent records it.

use std::collections::HashMap;

use super::shops::Shop;
use super::words::Words;
use crate::agent::ask::Desk;
use crate::cli::Failure;
use crate::cli::output::counted;
use crate::domain::{AccountName, Money, OrderId};
use crate::store::orders;

/// Says what the agent has recorded, as it records it.
pub async fn tell(desk: &Desk, shops: &[Shop], words: Words) -> Result<(), Failure> {
    let mut known = states(desk).await?;
    loop {
        desk.shared.clock.sleep(super::LOOK).await;
        let now = states(desk).await?;
        for (order @ (account, id), seen) in &now {
            let at = shops.iter().find(|shop| shop.account == *account).map_or("", |shop| shop.title);
            match known.get(order) {
                None => words.say(&format!(
                    "{at}: an order has just come in: #{id}, {}, {} ({})\n",
                    counted(seen.copies, "article"),
                    seen.total,
                    seen.state,
                ))?,
                Some(before) if before.state != seen.state => {
                    words.say(&format!(
                        "{at}: order #{id} is {} now, it was {}\n",
                        seen.state, before.state
                    ))?;
                }
                Some(_) => {}
            }
        }
        known = now;
    }
}

/// What is told of an order.
pub struct Seen {
    state: String,
    copies: i64,
    total: Money,
}

/// The orders that are known.
pub async fn states(desk: &Desk) -> Result<HashMap<(AccountName, OrderId), Seen>, Failure> {
    let read = desk.shared.store.read(|tx| {
        let mut all = HashMap::new();
        orders::each(tx, None, |row| {
            let copies = row.lines.iter().map(|line| line.quantity).sum();
            let total = Money { minor: row.total_minor, currency: row.currency };
            all.insert((row.account, row.order_id), Seen { state: row.state, copies, total });
            Ok(())
        })?;
        Ok(all)
    });
    Ok(read.await?)
}
