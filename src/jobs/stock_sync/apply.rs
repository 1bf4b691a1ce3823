//! Applies a plan. It makes no choices: what is done, and in which order, was decided before.
//!
//! Each request carries intents that were written down before, and what became of each item is written down after it.
//! A write without an answer is in doubt: nothing more leaves for its items, and no other write that would count twice,
//! until one round of reads has shown what happened.

mod brevity;
mod finish;
mod later;
mod outcome;

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
use crate::planning::settle::Verdict;
use crate::store::{intents, plans};

/// How often an item is sent that turns out not to have been done each time.
const SENT_AT_MOST: u32 = 3;

/// Applies the plan that this run has just made.
pub(super) async fn fresh(
    settings: &StockSync,
    context: &Context,
    made: &Made,
    report: &mut Report,
) -> Result<(), JobError> {
    let ended = made.obstacles.iter().map(|(index, why)| (*index, Ended::refused(why))).collect();
    let put_off = put_off(context, made.bill).await?;
    if put_off.as_ref().is_some_and(|put_off| !put_off.lowered) {
        report.broken_off = put_off.map(JobError::from);
        return Ok(());
    }
    apply(settings, context, made.plan, &[], ended, put_off, report).await
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
    /// What stands now under the listings that were changed, by the number in the plan.
    now: HashMap<ListingId, (ListingId, Offer)>,
    sent: HashMap<usize, u32>,
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
            now: HashMap::new(),
            sent: HashMap::new(),
        }
    }

    /// Sends until nothing waits and nothing is in doubt.
    async fn run(&mut self, report: &mut Report) -> Result<(), JobError> {
        loop {
            self.context.go_on()?;
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
            Ok(outcomes) => self.take_in(parcels, &batch, outcomes).await?,
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
            reference: settle::reference(first.id),
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

    /// The answer to this parcel does not tell what it did.
    fn doubt(&mut self, parcel: Parcel) {
        self.doubt.skus.insert(parcel.sku);
        self.doubt.repeating |= parcel.step.repeats(self.relative);
        for index in parcel.changes.iter() {
            *self.sent.entry(*index).or_default() += 1;
        }
        self.unanswered.push(parcel);
        self.unanswered_since = self.context.clock.elapsed();
    }

    /// Settles everything that is in doubt, by one round of reads.
    async fn settle(&mut self, report: &mut Report) -> Result<(), JobError> {
        let parcels = std::mem::take(&mut self.unanswered);
        let sent_at = self.context.clock.now();
        let doubted: Vec<Intent> = parcels
            .iter()
            .flat_map(|parcel| parcel.changes.iter())
            .filter_map(|index| self.intents.get(index))
            .map(|intent| self.renumbered(intent, sent_at))
            .collect();
        let verdicts = settle::settle(self.context, &doubted, self.unanswered_since, report).await?;
        let verdicts: HashMap<_, _> = verdicts.into_iter().collect();
        let undecided = doubted.iter().filter(|intent| !verdicts.contains_key(&intent.id)).count();
        let mut rows = Vec::new();
        let mut parked = None;
        for parcel in parcels {
            let mut again = Vec::new();
            for index in parcel.changes.iter() {
                let Some(id) = self.intents.get(index).map(|intent| intent.id) else { continue };
                let Some(verdict) = verdicts.get(&id) else { continue };
                let verdict = match verdict {
                    Verdict::NotApplied if self.sent.get(index).is_some_and(|sent| *sent >= SENT_AT_MOST) => {
                        Verdict::Moot(format!("sent {SENT_AT_MOST} times, and it never had an effect"))
                    }
                    verdict => verdict.clone(),
                };
                match &verdict {
                    Verdict::NotApplied => again.push(*index),
                    Verdict::Done { listing_id } => self.found_done(*index, *listing_id),
                    Verdict::Parked(sum) => parked = Some(sum.clone()),
                    Verdict::Moot(_) | Verdict::ReadAgain => {}
                }
                self.intents.remove(index);
                rows.push((id, verdict));
            }
            if !again.is_empty() {
                self.queue.put_back(Parcel { changes: again.into_iter().collect(), ..parcel });
            }
        }
        let (account, now) = (self.context.worked()?.name.clone(), self.context.clock.now());
        report.count("settled", rows.len() as i64);
        let written = self.context.store.write(move |tx| {
            rows.iter().try_for_each(|(id, verdict)| settle::write(tx, &account, *id, verdict, now))
        });
        written.await?;
        self.doubt = Doubt::default();
        if let Some(sum) = parked {
            return Err(CallError::Refused(crate::http::Refusal::Parked(sum)).into());
        }
        if undecided > 0 {
            let what = format!(
                "{undecided} writes stay in doubt, since orders kept coming in while they were read back"
            );
            return Err(JobError::File(what, crate::domain::ErrorType::Conflict));
        }
        Ok(())
    }

    /// The intent with the number that its listing has now.
    fn renumbered(&self, intent: &Intent, sent_at: chrono::DateTime<chrono::Utc>) -> Intent {
        let mut intent = intent.clone();
        intent.sent_at.get_or_insert(sent_at);
        if let Some((id, _)) = intent.change.listing_id.and_then(|planned| self.now.get(&planned)) {
            intent.change.listing_id = Some(*id);
        }
        intent
    }

    fn found_done(&mut self, index: usize, listing_id: Option<ListingId>) {
        let Some(intent) = self.intents.get(&index) else { return };
        let change = &intent.change;
        if let (Some(planned), Some(id)) = (change.listing_id, listing_id) {
            let before = self.now.get(&planned).map(|(_, offer)| offer.clone()).or(change.before.clone());
            if let Some(offer) = facet(change, before) {
                self.now.insert(planned, (id, offer));
            }
        }
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
