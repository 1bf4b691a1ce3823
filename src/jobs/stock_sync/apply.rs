//! Applies a plan. It makes no choices: what is done, and in which order, was decided before.
//!
//! Each request carries intents that were written down before, and what became of each item is written down after it.
//! A write without an answer is in doubt: nothing more leaves for its items, and no other write that would count twice,
//! until one round of reads has shown what happened. After two of them in a row nothing leaves at all until then.

mod brevity;
mod doubt;
mod finish;
mod later;
mod outcome;
mod price;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

pub(super) use later::later;

use self::brevity::Brevity;
use self::finish::finish;
use self::outcome::Ended;
use super::super::put_off::{PutOff, put_off};
use super::super::{Context, JobError, Report};
use super::record::Made;
use super::{settle, shape};
use crate::config::StockSync;
use crate::domain::{Bounds, Change, Intent, ListingId, Offer, Operation, PlanId};
use crate::http::CallError;
use crate::marketplace::{Batch, Item, ItemOutcome, Quantities, Step, WriteError, Writer};
use crate::planning::dispatch::{self, Brief, Doubt, Load, Parcel, Queue};
use crate::planning::last_check::{self, Leaving};
use crate::store::{intents, plans};

/// After so many requests in a row without an answer the shop is read before anything further leaves. One may be lost;
/// two in a row are an outage, in which each further one would be a write in doubt and nothing else.
const SILENT_AT_MOST: u32 = 2;

/// Applies the plan that this run has just made.
pub(super) async fn fresh(
    settings: &StockSync,
    context: &Context,
    made: &Made,
    report: &mut Report,
) -> Result<(), JobError> {
    let put_off = put_off(context, made.bill).await?;
    if put_off.as_ref().is_some_and(|put_off| !put_off.lowered) {
        report.broken_off = put_off.map(JobError::from);
        return Ok(());
    }
    apply(settings, context, made.plan, &[], BTreeMap::new(), put_off, report).await
}

/// Applies what is planned but for the changes that have `ended` already, by their places in the plan, and for what is
/// `put_off`: of that only what takes copies off sale.
async fn apply(
    settings: &StockSync,
    context: &Context,
    plan: PlanId,
    accepted: &[String],
    ended: BTreeMap<usize, Ended>,
    put_off: Option<PutOff>,
    report: &mut Report,
) -> Result<(), JobError> {
    let Some(writer) = context.writer() else {
        return Err(JobError::File("this run may not write".to_owned(), crate::domain::ErrorType::Internal));
    };
    report.plan = Some(plan);
    let (run, now, accepted_now) = (context.run, context.clock.now(), accepted.to_vec());
    let intents = context.store.write(move |tx| {
        plans::begin(tx, plan, run, &accepted_now)?;
        intents::begin(tx, plan, run)?;
        let places: Vec<usize> = ended.keys().copied().collect();
        let mut known = Vec::with_capacity(places.len());
        intents::at_places(tx, plan, &places, |intent| {
            known.push(intent);
            Ok(())
        })?;
        for intent in known {
            if let Some(ended) = usize::try_from(intent.seq).ok().and_then(|place| ended.get(&place)) {
                intents::settle(tx, intent.id, &ended.settled(), now)?;
                outcome::log(&intent, ended);
            }
        }
        let mut all = Brevity::default();
        intents::of_plan(tx, plan, |intent| {
            all.add(&intent);
            Ok(())
        })?;
        Ok(all)
    });
    let lowers_only = put_off.is_some();
    let mut applying = Applying::new(settings, context, writer, plan, intents.await?, lowers_only, accepted);
    context.progress.begin("applying", applying.queue.waiting().len() as u64);
    let broken_off = applying.run(report).await.err().or(put_off.map(JobError::from));
    finish(context, plan, broken_off, report).await
}

/// A plan on its way.
struct Applying<'a> {
    settings: &'a StockSync,
    context: &'a Context,
    writer: &'a dyn Writer,
    accepted: &'a [String],
    relative: bool,
    plan: PlanId,
    /// The changes that are leaving or in doubt, by their places in the plan.
    intents: HashMap<usize, Intent>,
    /// The listings with several changes, under the numbers that they had in the plan, by the places of their changes.
    shared: HashMap<usize, ListingId>,
    queue: Queue,
    doubt: Doubt,
    /// What has no answer, and when the last of it was given up, by our monotonic clock.
    unanswered: Vec<Parcel>,
    unanswered_since: Duration,
    /// How many requests in a row have had no answer, up to the last one.
    silences: u32,
    /// What stands now under the listings that were changed, by the number in the plan.
    now: HashMap<ListingId, (ListingId, Offer)>,
    sent: HashMap<usize, u32>,
    /// Why no new listing leaves any more: the balance did not cover one of them.
    too_dear: Option<String>,
}

impl<'a> Applying<'a> {
    fn new(
        settings: &'a StockSync,
        context: &'a Context,
        writer: &'a dyn Writer,
        plan: PlanId,
        intents: Brevity,
        lowers_only: bool,
        accepted: &'a [String],
    ) -> Self {
        let writes = &writer.capabilities().writes;
        let Brevity { briefs, ended, shared } = intents;
        let lowers = |(index, brief): (usize, &Brief)| brief.step.lowers().then_some(index);
        let lowering: HashSet<usize> =
            briefs.iter().enumerate().filter(|_| lowers_only).filter_map(lowers).collect();
        let mut queue = Queue::new(briefs, &shape(writes));
        queue.retain(|index| !ended.contains(&index));
        if lowers_only {
            queue.retain_items(|index| lowering.contains(&index));
        }
        Self {
            settings,
            context,
            writer,
            accepted,
            relative: writes.quantities == Quantities::Relative,
            plan,
            intents: HashMap::new(),
            shared,
            queue,
            doubt: Doubt::default(),
            unanswered: Vec::new(),
            unanswered_since: Duration::ZERO,
            silences: 0,
            now: HashMap::new(),
            sent: HashMap::new(),
            too_dear: None,
        }
    }

    /// Sends until nothing waits and nothing is in doubt.
    async fn run(&mut self, report: &mut Report) -> Result<(), JobError> {
        loop {
            self.context.go_on()?;
            if self.silences >= SILENT_AT_MOST {
                self.settle(report).await?;
            }
            match self.queue.next(&self.doubt) {
                Some(load) => self.send(load).await?,
                None if !self.unanswered.is_empty() => self.settle(report).await?,
                None => return Ok(()),
            }
        }
    }

    /// One request.
    async fn send(&mut self, load: Load) -> Result<(), JobError> {
        self.fetch(&load).await?;
        if let Some(why) = self.too_dear.clone().filter(|_| load.step == dispatch::Step::Add) {
            self.context.progress.advance(load.parcels.len() as u64);
            let left_out = load.parcels.into_iter().map(|parcel| (parcel, Ended::skipped(&why))).collect();
            return self.end(left_out).await;
        }
        let mut parcels = Vec::with_capacity(load.parcels.len());
        let mut items = Vec::with_capacity(load.parcels.len());
        let mut stopped = Vec::new();
        for parcel in load.parcels {
            // A change that is not written down anywhere is nothing that could be sent.
            let Some(item) = self.item(&parcel) else { continue };
            match self.last_check(&item, &parcel) {
                Ok(()) => {
                    items.push(item);
                    parcels.push(parcel);
                }
                Err(why) => stopped.push((parcel, Ended::refused(&format!("the last check: {why}")))),
            }
        }
        self.end(stopped).await?;
        if items.is_empty() {
            return Ok(());
        }
        let batch = Batch { step: step(load.step), items };
        let sent = parcels.len() as u64;
        let written = self.writer.write(&batch).await;
        self.context.worked()?.turn.note_write(self.context.clock.elapsed());
        match written {
            Ok(outcomes) => {
                self.silences = 0;
                self.take_in(parcels, &batch, outcomes).await?;
            }
            Err(WriteError::NoEffect(error)) => {
                self.put_back(&batch).await;
                return Err(error.into());
            }
            Err(WriteError::InDoubt(CallError::Store(message, kind))) => {
                // Nothing can be written down any more, so nothing more is sent either.
                return Err(CallError::Store(message, kind).into());
            }
            Err(WriteError::InDoubt(error)) => {
                tracing::debug!(items = sent, "a write has no answer: {error}");
                self.silences += 1;
                parcels.into_iter().for_each(|parcel| self.doubt(parcel));
            }
        }
        self.context.progress.advance(sent);
        Ok(())
    }

    /// Reads the changes of a request as they were written down. Where a listing has others, too, it stands there under the
    /// number that it had in the plan.
    async fn fetch(&mut self, load: &Load) -> Result<(), JobError> {
        let places: Vec<usize> =
            load.parcels.iter().flat_map(|parcel| parcel.changes.iter().copied()).collect();
        let plan = self.plan;
        let fetched = self.context.store.read(move |tx| {
            let mut all = Vec::with_capacity(places.len());
            intents::at_places(tx, plan, &places, |intent| {
                all.push(intent);
                Ok(())
            })?;
            Ok(all)
        });
        for mut intent in fetched.await? {
            let Ok(place) = usize::try_from(intent.seq) else { continue };
            intent.change.listing_id = self.shared.get(&place).copied().or(intent.change.listing_id);
            // What counts is when it leaves now, not when it did before.
            intent.sent_at = None;
            self.intents.insert(place, intent);
        }
        Ok(())
    }

    /// Writes down that a batch, although it left, did nothing. Where that cannot be written down the next run finds it
    /// out, as it does after a crash.
    async fn put_back(&self, batch: &Batch) {
        let ids: Vec<_> = batch.items.iter().flat_map(|item| item.intents.iter().copied()).collect();
        let written =
            self.context.store.write(move |tx| ids.iter().try_for_each(|id| intents::put_back(tx, *id)));
        if let Err(error) = written.await {
            tracing::debug!("a write that had no effect stays in doubt: {error}");
        }
    }

    /// A parcel as the marketplace takes it: what stands there now, and what is to stand there.
    fn item(&self, parcel: &Parcel) -> Option<Item> {
        let intents: Vec<&Intent> =
            parcel.changes.iter().filter_map(|index| self.intents.get(index)).collect();
        let first = intents.first()?;
        let planned = first.change.listing_id;
        let standing = planned.and_then(|id| self.now.get(&id));
        let before = match standing {
            Some((_, offer)) => Some(offer.clone()),
            None => first.change.before.clone(),
        };
        let mut after = before.clone();
        for change in intents.iter().map(|intent| &intent.change) {
            after = facet(change, after);
        }
        Some(Item {
            intents: intents.iter().map(|intent| intent.id).collect(),
            sku: first.change.sku.clone(),
            listing_id: standing.map(|(id, _)| *id).or(planned),
            before,
            after,
            reference: settle::reference(first),
        })
    }

    /// Looks at the price once more, by another rule book than the guards', and by the bounds that were written down
    /// with each change.
    fn last_check(&self, item: &Item, parcel: &Parcel) -> Result<(), String> {
        let Some(after) = &item.after else { return Ok(()) };
        let before = item.before.as_ref().map(|before| before.price);
        if before == Some(after.price) {
            return Ok(());
        }
        let guards = &self.settings.guards;
        let leaving = Leaving {
            before,
            after: after.price,
            bounds: Bounds::default(),
            min_price: guards.min_price,
            max_price: guards.max_price,
            max_change_percent: u32::try_from(guards.max_price_change_percent).ok(),
            accepted: self.accepted,
        };
        let intents = parcel.changes.iter().filter_map(|index| self.intents.get(index));
        intents
            .map(|intent| intent.change.bounds)
            .try_for_each(|bounds| last_check::check(&Leaving { bounds, ..leaving }))
    }

    /// What the marketplace said of each item.
    async fn take_in(
        &mut self,
        parcels: Vec<Parcel>,
        batch: &Batch,
        outcomes: Vec<ItemOutcome>,
    ) -> Result<(), JobError> {
        let mut ended = Vec::with_capacity(parcels.len());
        let mut outcomes = outcomes.into_iter();
        for (parcel, item) in parcels.into_iter().zip(&batch.items) {
            match outcomes.next().unwrap_or(ItemOutcome::Unclear) {
                ItemOutcome::Done { listing_id, listed } => {
                    self.stands(&parcel, item, listing_id, listed);
                    ended.push((parcel, Ended::done(listing_id)));
                }
                ItemOutcome::Refused(why) => ended.push((parcel, Ended::refused(&why))),
                ItemOutcome::TooDear(why) => {
                    if batch.step == Step::Add {
                        let left_out = format!("not sent, since {} was refused before it: {why}", item.sku);
                        self.too_dear.get_or_insert(left_out);
                    }
                    ended.push((parcel, Ended::refused(&why)));
                }
                ItemOutcome::Changed(why) => ended.push((parcel, Ended::skipped(&why))),
                ItemOutcome::Unclear => self.doubt(parcel),
            }
        }
        self.end(ended).await
    }

    /// Remembers what stands under a listing now.
    fn stands(&mut self, parcel: &Parcel, item: &Item, listing_id: Option<ListingId>, listed: Option<i64>) {
        let planned = parcel.changes.first().and_then(|index| self.shared.get(index).copied());
        if let (Some(planned), Some(id), Some(after)) = (planned, listing_id, &item.after) {
            let mut offer = after.clone();
            if let Some(listed) = listed {
                offer.quantity = listed.saturating_add(offer.in_carts);
            }
            self.now.insert(planned, (id, offer));
        }
    }

    /// Writes down how the changes of these parcels ended.
    async fn end(&mut self, ended: Vec<(Parcel, Ended)>) -> Result<(), JobError> {
        if ended.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for (parcel, ended) in &ended {
            for index in parcel.changes.iter() {
                let Some(intent) = self.intents.remove(index) else { continue };
                outcome::log(&intent, ended);
                rows.push((intent.id, ended.settled()));
            }
        }
        let now = self.context.clock.now();
        let written = self.context.store.write(move |tx| {
            rows.iter().try_for_each(|(id, settled)| intents::settle(tx, *id, settled, now))
        });
        Ok(written.await?)
    }
}

/// What stands after a change of what stood before: only what the change is about is another.
fn facet(change: &Change, standing: Option<Offer>) -> Option<Offer> {
    let after = change.after.clone()?;
    let Some(standing) = standing else { return Some(after) };
    Some(match change.op {
        Operation::Add | Operation::Remove => after,
        Operation::Quantity | Operation::Zero => Offer { quantity: after.quantity, ..standing },
        Operation::Price => Offer { price: after.price, ..standing },
        Operation::Details => Offer { attributes: after.attributes, ..standing },
    })
}

fn step(step: dispatch::Step) -> Step {
    match step {
        dispatch::Step::Lower => Step::Lower,
        dispatch::Step::Remove => Step::Remove,
        dispatch::Step::Edit => Step::Edit,
        dispatch::Step::Raise => Step::Raise,
        dispatch::Step::Add => Step::Add,
    }
}
