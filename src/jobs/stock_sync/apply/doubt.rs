//! Writes whose answer was lost, from that moment until one round of reads has shown what became of them.

use std::collections::HashMap;

use super::super::super::{JobError, Report};
use super::super::settle;
use super::{Applying, facet};
use crate::domain::{Intent, ListingId};
use crate::http::CallError;
use crate::planning::dispatch::{Doubt, Parcel};
use crate::planning::settle::Verdict;

/// How often an item is sent that turns out not to have been done each time.
const SENT_AT_MOST: u32 = 3;

impl Applying<'_> {
    /// The answer to this parcel does not tell what it did.
    pub(super) fn doubt(&mut self, parcel: Parcel) {
        self.doubt.skus.insert(parcel.sku);
        self.doubt.repeating |= parcel.step.repeats(self.relative);
        for index in parcel.changes.iter() {
            *self.sent.entry(*index).or_default() += 1;
        }
        self.unanswered.push(parcel);
        self.unanswered_since = self.context.clock.elapsed();
    }

    /// Settles everything that is in doubt, by one round of reads.
    pub(super) async fn settle(&mut self, report: &mut Report) -> Result<(), JobError> {
        let parcels = std::mem::take(&mut self.unanswered);
        self.silences = 0;
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
