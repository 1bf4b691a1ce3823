//! Makes a plan: the seller's list against what is there.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::super::{Context, Errand, JobError, Report};
use super::observe::{self, Seen};
use super::record::{self, Draft, Drafted, Made};
use super::sisters;
use super::spool::{self, Spool};
use crate::config::{Absent, StockSync};
use crate::domain::{Desired, Drafting, Sku};
use crate::planning::as_of;
use crate::planning::reconcile::{self, Circumstances, Observed, Plan, Reconciliation};
use crate::planning::summary::Sums;
use crate::source::{self, Read};
use crate::store::{StoreError, accounts, listings, orders};

/// Reads, plans and records. `None` where there is nothing to do and nobody asked for a plan.
pub(super) async fn make(
    settings: &StockSync,
    context: &Context,
    report: &mut Report,
) -> Result<Option<Made>, JobError> {
    context.progress.begin("reading the source", 0);
    let mut read = read_source(settings, context, report).await?;
    let rows = std::mem::take(&mut read.rows);
    let mut seen = observe::observe(settings, context, report).await?;
    let until = newest_time(&read, &rows);
    let waits = |drafted: &Drafted| drafted.sums.held.contains_key(reconcile::held::ORDER_READ_PENDING);
    let (mut made, rows) = draft(settings, context, &read, rows, &seen, until).await?;
    // What is held for another account would be held after a wait of this one, too.
    if waits(&made.drafted) && !made.unread_elsewhere {
        drop(made);
        seen.wait_for_orders(context, report).await?;
        made = draft(settings, context, &read, rows, &seen, until).await?.0;
    }
    let DraftedOf { drafted, unread_elsewhere } = made;
    if unread_elsewhere && waits(&drafted) {
        sisters::want(context, until).await?;
    }
    let source = json!({
        "type": "csv",
        "path": settings.source.path.display().to_string(),
        "digest": read.digest,
        "as_of": read.as_of.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "rows": read.total_rows,
        "rejected_rows": read.rejected_rows,
    });
    let draft = Draft {
        drafted,
        source,
        from_source: true,
        rejected_rows: read.rejected_rows,
        most_rejected: settings.source.max_rejected.of(read.total_rows),
        snapshot: seen.reading.snapshot,
        undo_of: None,
    };
    let keep = context.errand == Errand::Plan;
    record::record(settings, context, draft, keep, report).await
}

/// The seller's list. Rows that cannot be read are written where the seller finds them, with the reasons.
async fn read_source(settings: &StockSync, context: &Context, report: &mut Report) -> Result<Read, JobError> {
    let (source, currency, now) = (settings.source.clone(), context.worked()?.currency, context.clock.now());
    let read = move || source::csv::read(&source, currency, now);
    let read = context.store.aside("source-read", read).await??;
    report.count("source_rows", read.total_rows as i64);
    if read.rejected_rows > 0 {
        report.count("rejected_rows", read.rejected_rows as i64);
        report.incomplete = true;
        let file = source::rejected::write(&context.state_dir, context.run, &read);
        let first = read.rejected.first().map_or_else(String::new, |row| {
            let reason = row.reason.as_str();
            format!(
                " ({} {}: {reason})",
                if read.rejected_rows == 1 { "line" } else { "first line" },
                row.line
            )
        });
        let rows = if read.rejected_rows == 1 { "row" } else { "rows" };
        report.say(match file {
            Ok(file) => format!(
                "{} {rows} of the source could not be read{first}; see {}",
                read.rejected_rows,
                file.display()
            ),
            Err(error) => format!(
                "{} {rows} of the source could not be read{first}, nor written down: {error}",
                read.rejected_rows
            ),
        });
    }
    Ok(read)
}

/// The list against what was seen, in one view of the database. The list comes back, since it may be needed once more,
/// and there may be no room for it twice.
async fn draft(
    settings: &StockSync,
    context: &Context,
    read: &Read,
    mut rows: Vec<Desired>,
    seen: &Seen,
    until: DateTime<Utc>,
) -> Result<(DraftedOf, Vec<Desired>), JobError> {
    let worked = context.worked()?;
    let (_, market) = context.market()?;
    let (account, shelf, currency) = (worked.name.clone(), worked.shelf.clone(), worked.currency);
    let writes = market.capabilities().writes.clone();
    let drafting: Arc<dyn Drafting> = market.drafting();
    let (orders, trust) = (seen.orders, seen.reading.trust.clone());
    let (moved, in_doubt) = (seen.moved.clone(), seen.in_doubt.clone());
    // What stands in a row that could not be read is not known, and so not absent.
    let absent = match settings.absent {
        Absent::Remove if read.rejected_rows == 0 => reconcile::Absent::Remove,
        _ => reconcile::Absent::LeaveAlone,
    };
    let (list_as_of, now) = (read.as_of, context.clock.now());
    let never_touch = settings.guards.never_touch.clone();
    let mut spool = Spool::new(&context.state_dir);
    let drafted = context.store.read(move |tx| {
        let own = own_times(&rows);
        let mut sold_since: HashMap<Sku, i64> = HashMap::new();
        for name in shelf.sisters.iter().map(|sister| &sister.name).chain([&account]) {
            let offset = TimeDelta::milliseconds(accounts::clock_offset_ms(tx, name)?);
            let known_to = |as_of: DateTime<Utc>| as_of::known_to(as_of, now, offset);
            let oldest = own.values().copied().map(known_to).fold(known_to(list_as_of), DateTime::min);
            orders::sold_since(tx, name, oldest, |line| {
                let as_of = own.get(&line.sku).copied().unwrap_or(list_as_of);
                if line.placed_at.is_none_or(|at| at > known_to(as_of)) {
                    *sold_since.entry(line.sku).or_default() += line.quantity;
                }
                Ok(())
            })?;
        }
        let unread_elsewhere = sisters::unread(tx, &shelf.sisters, until, now)?;
        let facts = Circumstances {
            currency,
            sold_since: &sold_since,
            buffer: shelf.buffer,
            unread_elsewhere: unread_elsewhere.as_deref(),
            moved: &moved,
            in_doubt: &in_doubt,
            orders,
            trust: &trust,
            absent,
            never_touch: &never_touch,
            natural_sku: writes.natural_sku,
            zero_is_final: writes.zero_is_final,
            drafting: &*drafting,
        };
        let (mut sums, mut written) = (Sums::new(currency), Ok(()));
        let mut put_aside = |part: Plan| {
            sums.add(&part);
            if written.is_ok() {
                written = spool.add(&part);
            }
        };
        let mut reconciliation = Reconciliation::new(&mut rows, facts);
        listings::by_sku(tx, &account, |rows| {
            for (first_seen, row) in (0..).zip(rows) {
                reconciliation.observe(Observed {
                    listing_id: row.listing_id,
                    sku: row.sku.as_str(),
                    title: &row.title,
                    listed: row.quantity,
                    in_carts: row.in_carts,
                    price: row.price(),
                    attributes: row.attributes.get(),
                    first_seen,
                });
                reconciliation.take_part().into_iter().for_each(&mut put_aside);
            }
        })?;
        let tally = reconciliation.finish_in_parts(put_aside);
        let tally = tally.map_err(|error| StoreError::Internal(error.to_string()))?;
        let drafted = Drafted { spool, sums, tally };
        Ok(written.map(|()| (DraftedOf { drafted, unread_elsewhere: unread_elsewhere.is_some() }, rows)))
    });
    drafted.await?.map_err(|error| spool::failed(&error))
}

/// What was decided, in a view of the database.
struct DraftedOf {
    drafted: Drafted,
    /// Whether another account that sells the same copies has orders that are not known.
    unread_elsewhere: bool,
}

/// Up to when the orders of the other accounts have to be known before more is offered: the newest time that the list or
/// one of its rows is of. A row that was true long ago is no reason to ask for less: it is the older, the more of it may
/// have been sold since.
fn newest_time(read: &Read, rows: &[Desired]) -> DateTime<Utc> {
    let own = rows.iter().filter_map(|row| row.more.as_ref()?.as_of);
    own.fold(read.as_of, DateTime::max)
}

/// When each item that says so itself was true.
fn own_times(rows: &[Desired]) -> HashMap<Sku, DateTime<Utc>> {
    rows.iter().filter_map(|row| Some((row.sku.clone(), row.more.as_ref()?.as_of?))).collect()
}
