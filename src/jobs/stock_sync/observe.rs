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

use chrono::TimeDelta;

use super::super::order_poll::{self, Polled};
use super::super::stock::{self, Reading};
use super::super::{Context, JobError, Report};
use crate::config::StockSync;
use crate::domain::{AccountName, Listing, Sku};
use crate::marketplace::summed;
use crate::planning::intake;
use crate::planning::reconcile::OrderKnowledge;
use crate::store::{StoreError, Tx, cursors, intents, listings, movements, requests};

/// What was seen.
pub(super) struct Seen {
    /// The reading of the stock.
    pub reading: Reading,
    /// The newest movement before the stock was read.
    newest: i64,
    /// Whether every sale is known that may have lowered what was read.
    pub orders: OrderKnowledge,
    /// The last reading of the orders.
    polled: Option<Polled>,
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
    wait_for_own_writes(context).await?;
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
        polled: None,
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

/// What was changed a moment ago does not show in the marketplace's lists yet: a reading now would find the shop as it
/// was, and list a second time what has just been listed.
async fn wait_for_own_writes(context: &Context) -> Result<(), JobError> {
    let (account, market) = context.market()?;
    let (turn, lag) = (&context.worked()?.turn, market.capabilities().writes.visibility_lag);
    if lag.is_zero() {
        return Ok(());
    }
    if turn.wrote().is_none() {
        let account = account.clone();
        let last = context.store.read(move |tx| requests::last_write(tx, &account)).await?;
        // Of an earlier process the time of day is all that is known. One to come is of a clock that was set.
        let before = context.clock.now() - TimeDelta::from_std(lag).unwrap_or(TimeDelta::MAX);
        if last.is_some_and(|at| at > before) {
            turn.note_write(context.clock.elapsed());
        }
    }
    match turn.wrote() {
        Some(wrote) if context.clock.elapsed() < wrote + lag => {
            context.wait_for("waiting until the marketplace shows our last writes", wrote + lag).await
        }
        _ => Ok(()),
    }
}

impl Seen {
    /// Reads the orders up to now. They tell of every sale that lowered the stock only if the marketplace's lag lies
    /// between the two readings, if all of them could be read, and if no list was passed by.
    async fn read_orders(&mut self, context: &Context, report: &mut Report) -> Result<(), JobError> {
        let (_, market) = context.market()?;
        let passed_by = intake::passed_by(market.capabilities().order_feeds).next().is_some();
        let late_enough = context.clock.elapsed() >= self.shows_at(context)?;
        self.polled = Some(order_poll::poll(context, report).await?);
        self.take_in(context, late_enough && !passed_by).await
    }

    /// Waits for the marketplace's lag, if it has one, and reads the orders behind it; and the lists that were passed by.
    pub async fn wait_for_orders(&mut self, context: &Context, report: &mut Report) -> Result<(), JobError> {
        let shows_at = self.shows_at(context)?;
        if context.clock.elapsed() < shows_at {
            context.wait_for("waiting until the marketplace shows every sale", shows_at).await?;
            context.progress.begin("reading orders", 0);
            self.read_orders(context, report).await?;
        }
        if let Some(polled) = self.polled {
            self.polled = Some(order_poll::complete(context, polled, report).await?);
        }
        self.take_in(context, true).await
    }

    /// From when on the orders tell of every sale that may have lowered what was read, by our monotonic clock.
    fn shows_at(&self, context: &Context) -> Result<Duration, JobError> {
        let (_, market) = context.market()?;
        Ok(self.reading.ended + market.capabilities().writes.visibility_lag)
    }

    async fn take_in(&mut self, context: &Context, to_the_end: bool) -> Result<(), JobError> {
        let all_read = self.polled.is_some_and(|polled| polled.all_read);
        self.orders = if to_the_end && all_read { OrderKnowledge::Complete } else { OrderKnowledge::Pending };
        let (account, newest) = (context.worked()?.name.clone(), self.newest);
        let moved = context.store.read(move |tx| movements::skus_after(tx, &account, newest)).await?;
        self.moved = moved.into_iter().chain(self.put_back.iter().cloned()).collect();
        Ok(())
    }
}
