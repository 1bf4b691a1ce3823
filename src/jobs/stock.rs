//! Reads an account's whole stock into the database, page by page. Shared by every kind that has to know it.
//!
//! A page is written as soon as it is read, so that memory does not grow with the stock and a broken reading leaves
//! newer rows, never fewer. Only a reading that is complete and believed may say that a listing is gone.

mod export;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, JobError, Report};
use crate::domain::{AccountName, Listing, ListingId, Sku, StockPage, StockPart};
use crate::marketplace::{Marketplace, Wanted};
use crate::planning::as_of;
use crate::planning::observe::{Completeness, Observation};
use crate::planning::trust::{self, SnapshotFacts, Trust};
use crate::store::listings::ListingRow;
use crate::store::{StoreError, Tx, accounts, intents, listings, orders, snapshots};

/// A reading that came to its end.
#[derive(Debug)]
pub(super) struct Reading {
    /// Its row.
    pub snapshot: i64,
    /// When it ended, by the clock that nobody sets: what was sold until then may be in it.
    pub ended: Duration,
    /// How far it may be acted upon.
    pub trust: Trust,
}

/// The most listings that are looked for one by one because the list changed while it was read.
const LOOKED_FOR: usize = 50;

/// Reads the stock, and counts in `report` what has changed since it was last read. A stock that had more than
/// `export_above` listings is read as one file, where the marketplace makes one.
pub(super) async fn read(
    context: &Context,
    export_above: Option<i64>,
    report: &mut Report,
) -> Result<Reading, JobError> {
    let (account, market) = context.market()?;
    let (clock, store) = (&context.clock, &context.store);
    let started_at = clock.now();
    let (name, run) = (account.clone(), context.run);
    let snapshot = store.write(move |tx| snapshots::begin(tx, &name, run, started_at)).await?;

    let file = export::read(context, export_above, snapshot, report).await?;
    let observation = match file {
        Some(observation) => observation,
        None => read_pages(context, market, snapshot, report).await?,
    };
    report.count("articles", observation.rows() as i64);
    report.count("in_carts", observation.rows_in_carts() as i64);
    let incomplete = match observation.completeness() {
        Completeness::Complete => None,
        Completeness::Incomplete(why) => Some(why),
        Completeness::Shifted(why) => {
            look_for_missing(context, snapshot, &observation, report).await?;
            Some(why)
        }
    };
    let ended = clock.elapsed();
    let facts = SnapshotFacts {
        started_at,
        finished_at: clock.now(),
        incomplete,
        rows: observation.rows(),
        digest: trust::digest(observation.offered()),
    };
    let (name, now) = (account.clone(), clock.now());
    let (trust, removed) =
        store.write(move |tx| finish(tx, &name, snapshot, &observation, &facts, now)).await?;
    report.count("removed", removed);
    match &trust {
        Trust::Sound => {}
        Trust::Partial(why) => {
            report.incomplete = true;
            report.say(format!("{why}, so no listing was taken for gone"));
        }
        Trust::Suspicious(why) => {
            report.incomplete = true;
            report.say(format!(
                "the stock is suddenly smaller: {why}; until then no listing is taken for gone. If it is right as it is: \
                 sellerd stock believe {account}"
            ));
        }
    }
    Ok(Reading { snapshot, ended, trust })
}

async fn read_pages(
    context: &Context,
    market: &dyn Marketplace,
    snapshot: i64,
    report: &mut Report,
) -> Result<Observation, JobError> {
    let mut observation = Observation::default();
    let mut at = None;
    loop {
        context.go_on()?;
        let page = market.stock_page(at.as_ref()).await?;
        at = page.next.clone();
        take_in(context, snapshot, page, &mut observation, report).await?;
        if at.is_none() {
            return Ok(observation);
        }
    }
}

/// Takes a page in and stores what it shows.
async fn take_in(
    context: &Context,
    snapshot: i64,
    page: StockPage,
    observation: &mut Observation,
    report: &mut Report,
) -> Result<(), JobError> {
    let (part, total) = (page.part, page.total);
    report.complaints.extend(page.complaints.iter().cloned());
    let rows = observation.take(page);
    context.progress.expect(total.unwrap_or(0));
    context.progress.advance(rows.len() as u64);
    put(context, snapshot, part, rows, report).await
}

/// Stores listings, and counts what is new about them.
pub(super) async fn put(
    context: &Context,
    snapshot: i64,
    part: StockPart,
    rows: Vec<Listing>,
    report: &mut Report,
) -> Result<(), JobError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (account, _) = context.market()?;
    let (name, now) = (account.clone(), context.clock.now());
    let put = context.store.write(move |tx| listings::put(tx, &name, snapshot, part, &rows, now)).await?;
    report.count("added", put.added);
    report.count("quantity_changed", put.quantity_changed);
    report.count("price_changed", put.price_changed);
    Ok(())
}

/// Looks one by one for the known listings that a list which changed while it was read did not show: in a busy shop
/// every reading is such a one, and what was sold out would stay for ever.
async fn look_for_missing(
    context: &Context,
    snapshot: i64,
    observation: &Observation,
    report: &mut Report,
) -> Result<(), JobError> {
    let (account, market) = context.market()?;
    let name = account.clone();
    let known = context.store.read(move |tx| {
        let mut known: Vec<ListingId> = Vec::new();
        listings::ids(tx, &name, |id| {
            known.push(id);
            Ok(())
        })?;
        Ok(known)
    });
    // Numbers first: what they stand for would be the whole stock in memory.
    let missing: HashSet<ListingId> = known.await?.into_iter().filter(|id| !observation.has(*id)).collect();
    if missing.is_empty() || missing.len() > LOOKED_FOR {
        return Ok(());
    }
    let name = account.clone();
    let missing = context.store.read(move |tx| {
        let mut rows: Vec<ListingRow> = Vec::new();
        listings::each(tx, Some(&name), |row| {
            if missing.contains(&row.listing_id) {
                rows.push(row);
            }
            Ok(())
        })?;
        Ok(rows)
    });
    let missing = missing.await?;
    context.go_on()?;
    let wanted: Vec<Wanted> = missing.iter().map(wanted).collect();
    let looked = market.look(&wanted).await?;
    let there: HashSet<ListingId> =
        looked.offered.iter().chain(&looked.in_carts).map(|listing| listing.id).collect();
    let gone: Vec<ListingId> =
        missing.iter().map(|row| row.listing_id).filter(|id| !there.contains(id)).collect();
    let (name, now) = (account.clone(), context.clock.now());
    let removed = context.store.write(move |tx| listings::remove(tx, &name, &gone, snapshot, now)).await?;
    report.count("removed", removed);
    Ok(())
}

/// What identifies a known listing when it is looked for.
pub(super) fn wanted(row: &ListingRow) -> Wanted {
    Wanted {
        sku: row.sku.clone(),
        listing_id: Some(row.listing_id),
        attributes: row.attributes.get().to_owned(),
        reference: None,
    }
}

/// Closes the reading and, where it is believed, takes out what it did not show. One transaction.
fn finish(
    tx: &Tx<'_>,
    account: &AccountName,
    snapshot: i64,
    observation: &Observation,
    facts: &SnapshotFacts,
    now: DateTime<Utc>,
) -> Result<(Trust, i64), StoreError> {
    let (sound, since) = snapshots::since_sound(tx, account)?;
    let confirmed = since.iter().any(|reading| reading.believed_at.is_some());
    let between: Vec<SnapshotFacts> = since.iter().map(facts_of).collect();
    let believed = sound.as_ref().map(facts_of);
    let sold = match &believed {
        Some(believed) if believed.rows < trust::SMALL => {
            is_sold(tx, account, observation, believed.started_at, now)?
        }
        _ => false,
    };
    let trust = trust::judge(facts, believed.as_ref(), &between, confirmed, sold);
    let mut gone: Vec<ListingId> = Vec::new();
    if trust == Trust::Sound {
        listings::ids(tx, account, |id| {
            if !observation.has(id) {
                gone.push(id);
            }
            Ok(())
        })?;
        listings::remove(tx, account, &gone, snapshot, now)?;
        listings::clear_offered_except(tx, account, &observation.offered(), snapshot, now)?;
        listings::clear_carts_except(tx, account, &observation.in_carts())?;
    }
    let end = snapshots::SnapshotEnd {
        complete: facts.incomplete.is_none(),
        rows: observation.rows() as i64,
        complaints: observation.complaints() as i64,
        digest: facts.digest,
        sound: trust == Trust::Sound,
    };
    snapshots::finish(tx, snapshot, &end, now)?;
    Ok((trust, gone.len() as i64))
}

/// Whether as many copies as are missing were sold since the stock was read at `since`, item by item, or we took them off
/// sale ourselves.
fn is_sold(
    tx: &Tx<'_>,
    account: &AccountName,
    observation: &Observation,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut missing: HashMap<Sku, i64> = HashMap::new();
    listings::each(tx, Some(account), |row| {
        if !observation.has(row.listing_id) {
            *missing.entry(row.sku).or_default() += row.quantity + row.in_carts;
        }
        Ok(())
    })?;
    for sku in intents::taken_off_since(tx, account, since)? {
        missing.remove(&sku);
    }
    let ahead = TimeDelta::milliseconds(accounts::clock_offset_ms(tx, account)?);
    orders::sold_since(tx, account, as_of::known_to(since, now, ahead), |line| {
        if let Some(left) = missing.get_mut(&line.sku) {
            *left = left.saturating_sub(line.quantity);
        }
        Ok(())
    })?;
    Ok(missing.values().all(|left| *left <= 0))
}

/// A stored reading as it is judged.
fn facts_of(reading: &snapshots::Snapshot) -> SnapshotFacts {
    SnapshotFacts {
        started_at: reading.started_at,
        finished_at: reading.finished_at.unwrap_or(reading.started_at),
        incomplete: (!reading.complete).then(|| "it was cut off".to_owned()),
        rows: reading.rows.unsigned_abs(),
        digest: reading.digest,
    }
}
