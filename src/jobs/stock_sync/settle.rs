//! Finds out what became of changes whose answer was lost: it waits until nothing can happen any more, reads orders,
//! listings and orders again, and compares. Everything in doubt at one moment is settled by one such round.

use std::collections::HashSet;
use std::time::Duration;

use super::super::{Context, JobError, Report, order_poll};
use super::shape;
use super::shown::Shown;
use crate::domain::{AccountName, Intent, IntentId, IntentState, ListingId, Operation};
use crate::marketplace::Wanted;
use crate::planning::settle::{Nets, Verdict, judge};
use crate::store::intents::{self, Settled};
use crate::store::{StoreError, Tx, listings, movements, parked, problems};

/// The problem of an account whose writes wait for a person.
pub const PARKED: &str = "E540";

/// How often the numbers may turn out not to be of one moment before that is left for the next run.
const ROUNDS: u32 = 3;

/// Settles what an earlier run of any job left in doubt at this account. Nothing is sent again: the plan that follows
/// sees what is really there.
pub(super) async fn leftovers(context: &Context, report: &mut Report) -> Result<(), JobError> {
    let worked = context.worked()?;
    let account = worked.name.clone();
    let doubted = context.store.read(move |tx| intents::in_doubt(tx, &account)).await?;
    if doubted.is_empty() {
        return Ok(());
    }
    context.progress.begin("finding out what became of earlier writes", 0);
    // Who sent them may have been killed only just now; by our own clock nothing is known of it but that we are here.
    let since = context.clock.elapsed();
    let settled = settle(context, &doubted, since, report).await?;
    let verdicts = settled.into_iter().map(|(id, verdict)| match verdict {
        Verdict::NotApplied => (id, Verdict::Moot("it had no effect".to_owned())),
        other => (id, other),
    });
    let (account, now) = (worked.name.clone(), context.clock.now());
    let verdicts: Vec<_> = verdicts.collect();
    let ended = context.store.write(move |tx| {
        for (id, verdict) in &verdicts {
            write(tx, &account, *id, verdict, now)?;
        }
        Ok(verdicts.len())
    });
    report.count("settled", ended.await? as i64);
    Ok(())
}

/// Waits out the grace since `since`, by our monotonic clock, and judges. What stays undecided is not among the
/// verdicts, and in doubt.
pub(super) async fn settle(
    context: &Context,
    doubted: &[Intent],
    since: Duration,
    report: &mut Report,
) -> Result<Vec<(IntentId, Verdict)>, JobError> {
    let (_, market) = context.market()?;
    let adds = doubted.iter().any(|intent| intent.change.op == Operation::Add);
    let lag = market.capabilities().writes.visibility_lag;
    let grace = context.worked()?.grace.max(if adds { lag } else { Duration::ZERO });
    context.wait_for("waiting until a lost write can do nothing any more", since + grace).await?;
    let mut verdicts = Vec::with_capacity(doubted.len());
    let mut open: Vec<&Intent> = doubted.iter().collect();
    for _ in 0..ROUNDS {
        let (decided, moved) = round(context, &open, report).await?;
        verdicts.extend(decided);
        open = moved;
        if open.is_empty() {
            break;
        }
    }
    Ok(verdicts)
}

/// Orders, listings, orders. Returns what is decided, and what has to be read again.
async fn round<'a>(
    context: &Context,
    open: &[&'a Intent],
    report: &mut Report,
) -> Result<(Vec<(IntentId, Verdict)>, Vec<&'a Intent>), JobError> {
    let (account, market) = context.market()?;
    let writes = &market.capabilities().writes;
    order_poll::poll(context, report).await?;
    order_poll::poll_rest(context, report).await?;
    let before = facts(context, account, open).await?;
    let wanted: Vec<Wanted> = open.iter().map(|intent| wanted(intent)).collect();
    let shown = Shown::of(market.look(&wanted).await?);
    order_poll::poll(context, report).await?;
    order_poll::poll_rest(context, report).await?;
    let after = facts(context, account, open).await?;
    let mut decided = Vec::new();
    let mut again = Vec::new();
    for ((intent, first), second) in open.iter().zip(&before).zip(&after) {
        let nets = Nets {
            base: intent.base_net,
            before_look: first.net,
            after_look: second.net,
            came_back: second.came_back,
        };
        let found = shown.here(&intent.change, &first.known);
        let verdict = judge(&intent.change, shape(writes).relative, nets, &found.as_found(first.known.len()));
        match verdict {
            Verdict::ReadAgain => again.push(*intent),
            verdict => decided.push((intent.id, verdict)),
        }
    }
    Ok((decided, again))
}

/// What our own books say of an item.
struct Facts {
    net: i64,
    /// Whether copies came back since the plan was made.
    came_back: bool,
    /// The listings of its SKU that were there before the change left.
    known: Vec<ListingId>,
}

async fn facts(context: &Context, account: &AccountName, open: &[&Intent]) -> Result<Vec<Facts>, JobError> {
    let items: Vec<_> = open
        .iter()
        .map(|intent| {
            let sent_at = intent.sent_at.unwrap_or_else(|| context.clock.now());
            (intent.change.sku.clone(), intent.planned_at, sent_at)
        })
        .collect();
    let account = account.clone();
    let facts = context.store.read(move |tx| {
        let skus: HashSet<_> = items.iter().map(|(sku, ..)| sku).collect();
        let listed = listings::of_skus(tx, &account, &skus)?;
        let facts = items.iter().map(|(sku, planned_at, sent_at)| {
            let listed = listed.get(sku).map_or(&[][..], Vec::as_slice);
            let known = listed.iter().filter(|(_, first_seen)| first_seen <= sent_at);
            Ok(Facts {
                net: movements::net(tx, &account, sku)?,
                came_back: movements::came_back(tx, &account, sku, *planned_at)?,
                known: known.map(|(id, _)| *id).collect(),
            })
        });
        facts.collect::<Result<Vec<_>, StoreError>>()
    });
    Ok(facts.await?)
}

/// What identifies the item of an intent when it is looked for.
pub(super) fn wanted(intent: &Intent) -> Wanted {
    let change = &intent.change;
    let offer = change.before.as_ref().or(change.after.as_ref());
    Wanted {
        sku: change.sku.clone(),
        listing_id: change.listing_id,
        attributes: offer.map_or_else(|| "{}".to_owned(), |offer| offer.attributes.clone()),
        reference: change.listing_id.is_none().then(|| reference(intent)),
    }
}

/// The reference under which an intent makes a listing: the same when it is sent again, also after a restart, and another
/// for every other intent of the shop. Numbers begin anew with each database, so the moment at which its plan was made
/// goes with the intent's. At most 40 characters, whatever the numbers are.
pub(super) fn reference(intent: &Intent) -> String {
    format!("sellerd-{}-{}", intent.id, base36(intent.planned_at.timestamp_millis().unsigned_abs()))
}

fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(DIGITS[(number % 36) as usize]));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// Writes down a verdict that ends an intent. A sum that does not add up parks the account.
pub(super) fn write(
    tx: &Tx<'_>,
    account: &AccountName,
    id: IntentId,
    verdict: &Verdict,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), StoreError> {
    let settled = |state, message: Option<&str>, new_listing_id| Settled {
        state,
        message: message.map(str::to_owned),
        new_listing_id,
    };
    match verdict {
        Verdict::Done { listing_id } => {
            intents::settle(tx, id, &settled(IntentState::Done, None, *listing_id), now)
        }
        Verdict::NotApplied => intents::put_back(tx, id),
        Verdict::Moot(why) => intents::settle(tx, id, &settled(IntentState::Skipped, Some(why), None), now),
        Verdict::ReadAgain => Ok(()),
        Verdict::Parked(sum) => {
            intents::settle(tx, id, &settled(IntentState::Parked, Some(sum), None), now)?;
            parked::park(tx, account, sum, now)?;
            problems::open(
                tx,
                &problems::Problem {
                    code: PARKED.to_owned(),
                    subject: account.to_string(),
                    severity: problems::Severity::Critical,
                    title: format!("a write to {account} came out as nobody expected: {sum}"),
                    since: now,
                    fix: format!(
                        "look at the listing at the marketplace and set it right there; then: sellerd unpark {account}"
                    ),
                },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Bounds, Change};

    fn intent(id: i64, planned_at: DateTime<Utc>) -> Intent {
        Intent {
            id: IntentId(id),
            seq: 0,
            change: Change {
                op: Operation::Add,
                sku: "NEW-1".into(),
                listing_id: None,
                title: String::new(),
                before: None,
                after: None,
                reason: String::new(),
                bounds: Bounds::default(),
            },
            state: IntentState::Sent,
            base_net: 0,
            planned_at,
            sent_at: None,
            message: None,
            new_listing_id: None,
        }
    }

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).expect("in range")
    }

    #[test]
    fn a_reference_is_of_the_intent_and_of_the_moment_of_its_plan() {
        let first = intent(12, at(1_795_354_598_000));
        assert_eq!(reference(&first), "sellerd-12-mwrvrtrk");
        // Sent later it is the same; what an account is asked for is what was sent.
        let again = Intent { sent_at: Some(at(1_795_354_700_000)), ..first.clone() };
        assert_eq!(wanted(&again).reference, Some(reference(&first)));
    }

    #[test]
    fn no_reference_is_longer_than_40_characters() {
        for moment in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let longest = reference(&intent(i64::MAX, moment));
            assert!(longest.len() <= 40, "{longest}");
        }
    }

    proptest! {
        #[test]
        fn no_two_intents_share_one(
            ids in (1_i64..50, 1_i64..50), millis in (1_700_000_000_000_i64..4_000_000_000_000, -3_i64..4),
        ) {
            let (a, b) = (intent(ids.0, at(millis.0)), intent(ids.1, at(millis.0 + millis.1)));
            prop_assert_eq!(reference(&a) == reference(&b), ids.0 == ids.1 && millis.1 == 0);
        }
    }
}
