//! `order-poll`: new and changed orders, recorded once with the stock movements that follow from them.
//!
//! Every page is one transaction: orders, lines, movements. A crash in between re-reads the page, which records
//! nothing twice. The cursor of a list moves only when its last page is in.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, JobError, Report};
use crate::domain::{
    AccountName, Complaint, ErrorType, Extent, LineId, Movement, Order, OrderFeed, OrderId, OrderRead,
    OrderState, RunId, clean,
};
use crate::marketplace::{CallError, Marketplace};
use crate::planning::intake;
use crate::store::{StoreError, Tx, cursors, movements, order_parts, orders};

/// The name under which the end of a whole poll is remembered beside the lists' own.
pub(super) const POLL: &str = "poll";

/// Reads new and changed orders.
pub(super) async fn run(context: &Context) -> Result<Report, JobError> {
    let mut report = Report::default();
    let polled = poll(context, &mut report).await?;
    if !polled.whole && waited_for(context).await? {
        complete(context, polled, &mut report).await?;
    }
    Ok(report)
}

/// How a reading of the orders went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Polled {
    /// When it began.
    began: DateTime<Utc>,
    /// Whether no list was passed by in which a new order may stand already.
    whole: bool,
    /// Whether each order and each row could be read.
    pub all_read: bool,
}

/// Reads the lists that are due, then the orders that have left one.
pub(super) async fn poll(context: &Context, report: &mut Report) -> Result<Polled, JobError> {
    let (account, market) = context.market()?;
    let (began, complaints) = (context.clock.now(), report.complaints.len());
    let feeds = market.capabilities().order_feeds;
    let due = feeds_due(context, account, feeds).await?;
    let mut seen = HashSet::new();
    for feed in &due {
        read_list(context, feed, &mut seen, report).await?;
    }
    // An order that is followed is known: where it cannot be read, it hides no sale.
    let all_read = report.complaints.len() == complaints;
    for feed in &due {
        follow(context, feed, &seen, report).await?;
    }
    let whole = intake::passed_by(feeds).all(|list| due.iter().any(|due| due.name == list.name));
    let polled = Polled { began, whole, all_read };
    let known = (polled.whole && polled.all_read).then(|| known_until(market, began));
    let (name, now) = (account.clone(), context.clock.now());
    let noted = context.store.write(move |tx| {
        cursors::set_feed_read_at(tx, &name, POLL, now)?;
        known.map_or(Ok(()), |until| cursors::set_orders_known(tx, &name, until))
    });
    noted.await?;
    Ok(polled)
}

/// Makes a poll whole: reads the lists that it may have left out, and notes up to when every order is known now.
pub(super) async fn complete(
    context: &Context,
    polled: Polled,
    report: &mut Report,
) -> Result<Polled, JobError> {
    let all_read = poll_rest(context, report).await? && polled.all_read;
    if all_read {
        let (account, market) = context.market()?;
        let (name, until) = (account.clone(), known_until(market, polled.began));
        context.store.write(move |tx| cursors::set_orders_known(tx, &name, until)).await?;
    }
    Ok(Polled { whole: true, all_read, ..polled })
}

/// Up to when every order is known once a reading that began then is whole. What came later may have been missed, and so
/// may what the marketplace did not show yet.
fn known_until(market: &dyn Marketplace, began: DateTime<Utc>) -> DateTime<Utc> {
    let lag = TimeDelta::from_std(market.capabilities().writes.visibility_lag).unwrap_or(TimeDelta::MAX);
    began.checked_sub_signed(lag).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Whether another account that sells the same copies offers no more of them until the orders of this one are known.
async fn waited_for(context: &Context) -> Result<bool, JobError> {
    let (name, now) = (context.worked()?.name.clone(), context.clock.now());
    let read = context
        .store
        .read(move |tx| Ok((cursors::orders_wanted(tx, &name)?, cursors::orders_known(tx, &name, now)?)));
    let (wanted, known) = read.await?;
    Ok(wanted.is_some_and(|wanted| known.is_none_or(|known| known < wanted)))
}

/// Reads the lists that a poll may have left out, so that with the poll before it every order is known that was placed
/// until then, however far on it is. Returns whether every row of them could be read.
pub(super) async fn poll_rest(context: &Context, report: &mut Report) -> Result<bool, JobError> {
    let (_, market) = context.market()?;
    let (mut seen, mut all_read) = (HashSet::new(), true);
    for feed in intake::passed_by(market.capabilities().order_feeds) {
        let complaints = report.complaints.len();
        read_list(context, feed, &mut seen, report).await?;
        all_read &= report.complaints.len() == complaints;
        follow(context, feed, &seen, report).await?;
    }
    Ok(all_read)
}

async fn feeds_due(
    context: &Context,
    account: &AccountName,
    feeds: &'static [OrderFeed],
) -> Result<Vec<&'static OrderFeed>, JobError> {
    let name = account.clone();
    let (read_at, polled_at) = context
        .store
        .read(move |tx| {
            let mut read_at = Vec::with_capacity(feeds.len());
            for feed in feeds {
                read_at.push((feed.name, cursors::feed_read_at(tx, &name, feed.name)?));
            }
            Ok((read_at, cursors::feed_read_at(tx, &name, POLL)?))
        })
        .await?;
    let at = |feed: &OrderFeed| read_at.iter().find(|(name, _)| *name == feed.name).and_then(|(_, at)| *at);
    Ok(intake::feeds_due(feeds, at, polled_at, context.clock.now()))
}

/// Reads a list to its end. What a page shows is recorded before the next one is asked for.
async fn read_list(
    context: &Context,
    feed: &OrderFeed,
    seen: &mut HashSet<OrderId>,
    report: &mut Report,
) -> Result<(), JobError> {
    let (account, market) = context.market()?;
    let complaints_before = report.complaints.len();
    let mut at = None;
    loop {
        context.go_on()?;
        let page = market.order_page(feed, at.as_ref()).await?;
        report.complaints.extend(page.complaints);
        // An order that moved to an earlier page while we read is shown twice; once is enough. Another line of it is
        // something new.
        let fresh: Vec<OrderRead> = page
            .orders
            .into_iter()
            .filter(|read| seen.insert(read.order.id) || read.extent == Extent::Line)
            .collect();
        record(context, fresh, report).await?;
        at = page.next;
        if at.is_none() {
            break;
        }
    }
    if report.complaints.len() > complaints_before {
        // What could not be read is asked for again by the next poll, also where the list is not due yet.
        return Ok(());
    }
    let (name, list, now) = (account.clone(), feed.name, context.clock.now());
    context.store.write(move |tx| cursors::set_feed_read_at(tx, &name, list, now)).await?;
    Ok(())
}

/// Reads one by one the known orders that this list should have shown and did not: they have moved on.
async fn follow(
    context: &Context,
    feed: &OrderFeed,
    seen: &HashSet<OrderId>,
    report: &mut Report,
) -> Result<(), JobError> {
    let (account, market) = context.market()?;
    let Some(state) = feed.holds.clone() else { return Ok(()) };
    let name = account.clone();
    let known = context.store.read(move |tx| orders::open_in_state(tx, &name, &state)).await?;
    for id in intake::left(known, seen) {
        context.go_on()?;
        match market.order(id).await {
            Ok(Some(read)) => record(context, vec![read], report).await?,
            // One order that cannot be read does not keep the others from being followed, now or ever.
            Err(error) if about_one_order(&error) => report
                .complaints
                .push(Complaint { place: format!("order {id}"), problem: clean(&error.to_string()) }),
            Err(error) => return Err(error.into()),
            Ok(None) => {
                // Said once: it leaves its state, so no later poll asks for it again.
                let name = account.clone();
                let gone = OrderState::Other("unknown".to_owned());
                context.store.write(move |tx| orders::set_state(tx, &name, id, &gone)).await?;
                report.count("orders_unknown", 1);
                report.incomplete = true;
                report.message =
                    Some(format!("the marketplace does not know order {id} any more; it is kept"));
            }
        }
    }
    Ok(())
}

/// Whether a failure says something about the order that was asked for, and nothing about the next one. A resource can
/// answer 5xx for good, or be switched off alone (cardmarket.md 6.1).
fn about_one_order(error: &CallError) -> bool {
    match error {
        CallError::BadAnswer { .. } | CallError::NotFound { .. } | CallError::Rejected { .. } => true,
        CallError::Unavailable { error_type, .. } => {
            matches!(error_type, ErrorType::Http4xx | ErrorType::Http5xx)
        }
        _ => false,
    }
}

/// Records orders with what follows from them, all or nothing.
async fn record(context: &Context, reads: Vec<OrderRead>, report: &mut Report) -> Result<(), JobError> {
    if reads.is_empty() {
        return Ok(());
    }
    let (account, _) = context.market()?;
    let (mut whole, mut lines) = (Vec::with_capacity(reads.len()), BTreeMap::new());
    for read in reads {
        report.complaints.extend(read.complaints);
        match read.extent {
            Extent::Whole => whole.push(read.order),
            Extent::Line => add_line(&mut lines, read.order),
        }
    }
    let (name, run, now) = (account.clone(), context.run, context.clock.now());
    let recorded = context
        .store
        .write(move |tx| {
            let mut recorded = Vec::with_capacity(whole.len() + lines.len());
            for order in whole {
                let moves = moves_of(tx, &name, &order)?;
                recorded.push(record_one(tx, &name, run, order, moves, now)?);
            }
            for (id, parts) in lines {
                recorded.extend(record_lines(tx, &name, run, id, parts, now)?);
            }
            Ok(recorded)
        })
        .await?;
    for Recorded { order, change, moved } in recorded {
        report.count("movements", moved as i64);
        announce(&order, &change, report);
    }
    Ok(())
}

/// The lines of one order that a page shows one by one, each an order of its own.
type Lines = BTreeMap<LineId, Order>;

/// Puts a line to the others of its order. Shown twice on a page, it counts as it was shown last.
fn add_line(lines: &mut BTreeMap<OrderId, Lines>, part: Order) {
    if let Some(line) = part.lines.first() {
        lines.entry(part.id).or_default().insert(line.id, part);
    }
}

/// What became of an order.
struct Recorded {
    order: Order,
    change: orders::OrderChange,
    moved: usize,
}

/// Records lines that were read one by one: the order becomes what they and its other known lines add up to.
fn record_lines(
    tx: &Tx<'_>,
    account: &AccountName,
    run: RunId,
    id: OrderId,
    parts: Lines,
    now: DateTime<Utc>,
) -> Result<Option<Recorded>, StoreError> {
    let mut moves = Vec::with_capacity(parts.len());
    for part in parts.values() {
        moves.extend(moves_of(tx, account, part)?);
    }
    let mut known = order_parts::of(tx, account, id)?;
    known.extend(parts.iter().map(|(line, part)| (*line, part.clone())));
    let Some(order) = intake::sum(known.into_values()) else { return Ok(None) };
    let recorded = record_one(tx, account, run, order, moves, now)?;
    for (line, part) in &parts {
        order_parts::put(tx, account, *line, part)?;
    }
    Ok(Some(recorded))
}

fn moves_of(tx: &Tx<'_>, account: &AccountName, order: &Order) -> Result<Vec<Movement>, StoreError> {
    Ok(intake::movements(order, &orders::line_nets(tx, account, order.id)?))
}

fn record_one(
    tx: &Tx<'_>,
    account: &AccountName,
    run: RunId,
    order: Order,
    moves: Vec<Movement>,
    now: DateTime<Utc>,
) -> Result<Recorded, StoreError> {
    let change = orders::put(tx, account, &order, now)?;
    for movement in &moves {
        movements::add(tx, account, order.id, movement, run, now)?;
    }
    Ok(Recorded { order, change, moved: moves.len() })
}

/// Counts and logs what is new, without a word about the buyer.
fn announce(order: &Order, change: &orders::OrderChange, report: &mut Report) {
    match change {
        orders::OrderChange::New => {
            report.count("orders_new", 1);
            tracing::info!(
                event = "order.seen",
                order.id = order.id.0,
                state = order.state.as_str(),
                items = order.lines.iter().map(|line| line.quantity).sum::<i64>(),
                total_minor = order.total.minor,
                currency = order.total.currency.as_str(),
                "order seen",
            );
        }
        orders::OrderChange::StateChanged { from, to } => {
            report.count("orders_changed", 1);
            tracing::info!(
                event = "order.changed",
                order.id = order.id.0,
                from = from.as_str(),
                to = to.as_str(),
                "order changed",
            );
        }
        orders::OrderChange::Changed => report.count("orders_changed", 1),
        orders::OrderChange::Unchanged => report.count("orders_unchanged", 1),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::super::testing::{LikeMemory, Place, order};
    use super::*;
    use crate::domain::{OrderState, Outcome};
    use crate::marketplace::memory::Memory;

    /// A shop in which one order cannot be read any more.
    struct OneBroken(Memory, OrderId, CallError);

    #[async_trait]
    impl LikeMemory for OneBroken {
        fn memory(&self) -> &Memory {
            &self.0
        }

        async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
            if id == self.1 { Err(self.2.clone()) } else { self.0.order(id).await }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_cannot_be_read_keeps_no_other_from_being_followed() {
        let (place, shop) = (Place::new(), Memory::default());
        shop.shop().orders = vec![order(1, OrderState::Paid), order(2, OrderState::Paid)];
        place.work(Box::new(shop.clone()), run).await.unwrap();
        shop.shop().orders.iter_mut().for_each(|order| order.state = OrderState::Received);
        let known = async || {
            let now = crate::clock::Clock::now(&*place.clock);
            place.store.read(move |tx| cursors::orders_known(tx, &"cm".into(), now)).await.unwrap().unwrap()
        };
        let known_before = known().await;
        place.clock.jump(TimeDelta::minutes(1));
        let at = || "GET order/{id}".to_owned();
        let poll = |error| place.work(Box::new(OneBroken(shop.clone(), OrderId(1), error)), run);

        let unreadable = CallError::BadAnswer { at: at(), what: "it has no `order`".to_owned() };
        let report = poll(unreadable).await.unwrap();
        assert_eq!(report.outcome(), Outcome::Partial);
        assert!(report.words().unwrap().starts_with("order 1: "), "{:?}", report.words());
        let follow =
            |state: OrderState| place.store.read(move |tx| orders::open_in_state(tx, &"cm".into(), &state));
        assert_eq!(follow(OrderState::Paid).await.unwrap(), [OrderId(1)]);
        assert_eq!(follow(OrderState::Received).await.unwrap(), [OrderId(2)]);
        assert!(
            known().await > known_before,
            "it is known, so it hides no sale from the channel's other accounts"
        );

        let refused = poll(CallError::Unauthorized { at: at() }).await.unwrap_err();
        assert_eq!(refused.outcome(), Outcome::Blocked, "a login that is lost ends the poll");
    }
}
