//! What is really there: the stock, and the orders that explain it.
//!
//! Orders are read before and after the stock. What was sold in between may be in the reading or not, so nothing is
//! planned for it this time; everything else is of one moment, and a count that is lower than the seller's list is
//! lower because of a sale that is known.
//!
//! The same holds for carts, which are read after the stock: a copy that was in a cart while its article was read, and
//! was put back before the carts were, is in neither. So they are read before the stock, too, and what has left them
//! since is left alone this time.

use std::collections::HashSet;
use std::time::Duration;

use super::super::stock::{self, Reading};
use super::super::{Context, JobError, Report, order_poll};
use crate::config::StockSync;
use crate::domain::{AccountName, Listing, Sku};
use crate::marketplace::summed;
use crate::planning::reconcile::OrderKnowledge;
use crate::store::{StoreError, Tx, cursors, intents, listings, movements};

/// What was seen.
pub(super) struct Seen {
    /// The reading of the stock.
    pub reading: Reading,
    /// The newest movement before the stock was read.
    newest: i64,
    /// Whether every sale is known that may have lowered what was read.
    pub orders: OrderKnowledge,
    /// What was sold or came back while the stock was read.
    pub moved: HashSet<Sku>,
    /// What left a cart meanwhile.
    put_back: Vec<Sku>,
    /// What has a write in doubt.
    pub in_doubt: HashSet<Sku>,
}

/// Orders that were read longer ago are read again before the stock, so that few of them fall into its reading.
const FRESH: Duration = Duration::from_secs(600);

/// Reads the stock between two readings of the orders.
pub(super) async fn observe(
    settings: &StockSync,
    context: &Context,
    report: &mut Report,
) -> Result<Seen, JobError> {
    let name = context.worked()?.name.clone();
    let account = name.clone();
    let polled = context.store.read(move |tx| cursors::feed_read_at(tx, &account, order_poll::POLL)).await?;
    let age = polled.and_then(|at| (context.clock.now() - at).to_std().ok());
    if age.is_none_or(|age| age > FRESH) {
        context.progress.begin("reading orders", 0);
        order_poll::poll(context, report).await?;
    }
    let account = name.clone();
    let newest = context.store.read(move |tx| movements::newest(tx, &account)).await?;
    context.progress.begin("reading the stock", 0);
    let (_, market) = context.market()?;
    let in_carts = market.in_carts().await?;
    let reading = stock::read(context, settings.export_above, report).await?;
    let account = name.clone();
    let put_back = context.store.read(move |tx| left_carts(tx, &account, in_carts)).await?;
    let in_doubt = context.store.read(move |tx| intents::skus_in_doubt(tx, &name)).await?;
    let mut seen = Seen {
        reading,
        newest,
        orders: OrderKnowledge::Pending,
        moved: HashSet::new(),
        put_back,
        in_doubt: in_doubt.into_iter().collect(),
    };
    seen.read_orders(context, report).await?;
    Ok(seen)
}

/// The SKUs of which fewer copies lie in carts, now that the stock has been read, than did before.
fn left_carts(tx: &Tx<'_>, account: &AccountName, before: Vec<Listing>) -> Result<Vec<Sku>, StoreError> {
    let mut left = Vec::new();
    for was in summed(before) {
        let now = listings::in_carts(tx, account, was.id)?;
        if now < was.quantity {
            left.push(was.sku);
        }
    }
    Ok(left)
}

impl Seen {
    /// Reads the orders up to now. They tell of every sale that lowered the stock only if the marketplace's lag lies
    /// between the two readings, and if all of them could be read.
    pub async fn read_orders(&mut self, context: &Context, report: &mut Report) -> Result<(), JobError> {
        let (account, market) = context.market()?;
        let lag = market.capabilities().writes.visibility_lag;
        let late_enough = context.clock.elapsed() >= self.reading.started + lag;
        let complaints = report.complaints.len();
        order_poll::poll(context, report).await?;
        let all_read = report.complaints.len() == complaints;
        self.orders =
            if late_enough && all_read { OrderKnowledge::Complete } else { OrderKnowledge::Pending };
        let (account, newest) = (account.clone(), self.newest);
        let moved = context.store.read(move |tx| movements::skus_after(tx, &account, newest)).await?;
        self.moved = moved.into_iter().chain(self.put_back.iter().cloned()).collect();
        Ok(())
    }

    /// Waits for the marketplace's lag, if it has one, and reads the orders behind it.
    pub async fn wait_for_orders(&mut self, context: &Context, report: &mut Report) -> Result<(), JobError> {
        let (_, market) = context.market()?;
        let lag = market.capabilities().writes.visibility_lag;
        if context.clock.elapsed() < self.reading.started + lag {
            context.progress.begin("waiting until every sale shows", 0);
            context.wait_until(self.reading.started + lag).await?;
            self.read_orders(context, report).await?;
        }
        Ok(())
    }
}
