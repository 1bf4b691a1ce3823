//! The changes of plans, and what became of each. An intent is recorded before anything is sent for it, and it stays
//! `sent` until an answer or a read has shown what it did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::columns::{ms, time, time_opt, word, wrong_text};
use super::{StoreError, Tx};
use crate::domain::{
    AccountName, Bounds, Change, Intent, IntentId, IntentState, ListingId, Offer, PlanId, RunId, Sku,
};

/// How an intent ended, or what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where it stands.
    pub state: IntentState,
    /// What the marketplace said or what was found.
    pub message: Option<String>,
    /// The listing's number now, where it is another one or a new one.
    pub new_listing_id: Option<ListingId>,
}

/// Records changes of a plan as `planned`, in their order; the first of them has this place in it.
pub(super) fn add(
    tx: &Tx<'_>,
    plan: PlanId,
    account: &AccountName,
    first: i64,
    changes: &[Change],
    nets: &[i64],
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "insert into intents (plan_id, seq, account, op, sku, listing_id, title, before, after, reason, base_net)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for (seq, (change, net)) in (first..).zip(changes.iter().zip(nets)) {
        statement.execute(params![
            plan.0,
            seq,
            account.as_str(),
            change.op.as_str(),
            change.sku.as_str(),
            change.listing_id.map(|id| id.0),
            change.title,
            json(&change.before)?,
            bounded(change)?,
            change.reason,
            net,
        ])?;
    }
    Ok(())
}

/// Hands over the intents of a plan, in its order.
pub fn of_plan(
    tx: &Tx<'_>,
    plan: PlanId,
    f: impl FnMut(Intent) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each(tx, "plan_id = ?1 order by seq", params![plan.0], f)
}

/// Hands over the intents that a run has sent, in the order of their plan.
pub fn of_run(
    tx: &Tx<'_>,
    run: RunId,
    f: impl FnMut(Intent) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each(tx, "run_id = ?1 order by plan_id, seq", params![run.0], f)
}

/// Hands over these intents of a plan, by their places in it.
pub fn at_places(
    tx: &Tx<'_>,
    plan: PlanId,
    places: &[usize],
    mut f: impl FnMut(Intent) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for place in places {
        let place = i64::try_from(*place).unwrap_or(i64::MAX);
        each(tx, "plan_id = ?1 and seq = ?2", params![plan.0, place], &mut f)?;
    }
    Ok(())
}

/// The account's intents that left and have no answer.
pub fn in_doubt(tx: &Tx<'_>, account: &AccountName) -> Result<Vec<Intent>, StoreError> {
    let mut found = Vec::new();
    each(tx, "account = ?1 and state = 'sent' order by intent_id", params![account.as_str()], |intent| {
        found.push(intent);
        Ok(())
    })?;
    Ok(found)
}

/// The accounts with intents in doubt, and of how many.
pub fn accounts_in_doubt(tx: &Tx<'_>) -> Result<BTreeMap<AccountName, i64>, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select account, count(*) from intents where state = 'sent' group by account")?;
    let rows = statement.query_map([], |row| Ok((AccountName(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The SKUs of an account of which something is in doubt or parked: nothing is planned for them.
pub fn skus_in_doubt(tx: &Tx<'_>, account: &AccountName) -> Result<Vec<Sku>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select distinct sku from intents where account = ?1 and state in ('sent', 'parked') order by sku",
    )?;
    let rows = statement.query_map([account.as_str()], |row| Ok(Sku(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A run begins to apply a plan: what is planned is pending.
pub fn begin(tx: &Tx<'_>, plan: PlanId, run: RunId) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update intents set state = 'pending', run_id = ?2 where plan_id = ?1 and state = 'planned'",
    )?
    .execute(params![plan.0, run.0])?;
    Ok(())
}

/// They leave with this request. Called in the transaction that lets it out.
pub fn mark_sent(tx: &Tx<'_>, ids: &[IntentId], request: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(
        "update intents set state = 'sent', request_id = ?2, sent_at = ?3
         where intent_id = ?1 and state in ('pending', 'sent')",
    )?;
    for id in ids {
        if statement.execute(params![id.0, request, ms(now)])? != 1 {
            return Err(StoreError::Internal(format!("intent {id} was to be sent and is not pending")));
        }
    }
    Ok(())
}

/// Writes down what became of an intent. A new number of a listing goes to the other pending intents of it, too.
pub fn settle(tx: &Tx<'_>, id: IntentId, settled: &Settled, now: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update intents set state = ?2, message = ?3, new_listing_id = ?4, settled_at = ?5 where intent_id = ?1",
    )?
    .execute(params![
        id.0,
        settled.state.as_str(),
        settled.message,
        settled.new_listing_id.map(|id| id.0),
        ms(now),
    ])?;
    if let Some(new) = settled.new_listing_id {
        tx.0.prepare_cached(RENUMBER)?.execute(params![id.0, new.0])?;
    }
    Ok(())
}

/// The changes of a plan that still wait for a listing learn its new number.
const RENUMBER: &str = "update intents set listing_id = ?2
    where state = 'pending' and plan_id = (select plan_id from intents where intent_id = ?1)
        and listing_id = (select listing_id from intents where intent_id = ?1)";

/// It left and had no effect, so it waits to be sent again.
pub fn put_back(tx: &Tx<'_>, id: IntentId) -> Result<(), StoreError> {
    tx.0.prepare_cached("update intents set state = 'pending' where intent_id = ?1 and state = 'sent'")?
        .execute([id.0])?;
    Ok(())
}

/// Drops what was never sent, of one run or of all: the next plan sees what is really there.
pub fn drop_pending(tx: &Tx<'_>, run: Option<RunId>, now: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(tx
        .0
        .prepare_cached(
            "update intents set state = 'dropped', settled_at = ?2
             where state = 'pending' and (?1 is null or run_id = ?1)",
        )?
        .execute(params![run.map(|run| run.0), ms(now)])?)
}

/// How many intents of a plan stand where.
pub fn states(tx: &Tx<'_>, plan: PlanId) -> Result<BTreeMap<IntentState, i64>, StoreError> {
    let mut statement =
        tx.0.prepare_cached("select state, count(*) from intents where plan_id = ?1 group by state")?;
    let rows = statement.query_map([plan.0], |row| Ok((word(row, 0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many changes of a plan have never left.
pub fn not_sent(tx: &Tx<'_>, plan: PlanId) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select count(*) from intents where plan_id = ?1 and state in ('planned', 'pending', 'dropped')",
    )?;
    Ok(statement.query_row([plan.0], |row| row.get(0))?)
}

/// How many items of an account were changed since.
pub fn done_since(tx: &Tx<'_>, account: &AccountName, since: DateTime<Utc>) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select count(distinct sku) from intents where account = ?1 and state = 'done' and settled_at >= ?2",
    )?;
    Ok(statement.query_row(params![account.as_str(), ms(since)], |row| row.get(0))?)
}

/// The SKUs of an account of which our own writes took copies off sale since.
pub fn taken_off_since(
    tx: &Tx<'_>,
    account: &AccountName,
    since: DateTime<Utc>,
) -> Result<Vec<Sku>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select distinct sku from intents where account = ?1 and state = 'done' and settled_at >= ?2
            and op in ('quantity', 'zero', 'remove')",
    )?;
    let rows = statement.query_map(params![account.as_str(), ms(since)], |row| Ok(Sku(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn each(
    tx: &Tx<'_>,
    which: &str,
    params: &[&dyn rusqlite::ToSql],
    mut f: impl FnMut(Intent) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = tx.0.prepare_cached(&format!(
        "select intent_id, seq, op, sku, listing_id, title, before, after, reason, base_net, state, message,
            new_listing_id, sent_at,
            (select created_at from plans where plans.plan_id = intents.plan_id) from intents where {which}"
    ))?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        f(intent_of(row)?)?;
    }
    Ok(())
}

fn intent_of(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        id: IntentId(row.get(0)?),
        seq: row.get(1)?,
        change: Change {
            op: word(row, 2)?,
            sku: Sku(row.get(3)?),
            listing_id: row.get::<_, Option<i64>>(4)?.map(ListingId),
            title: row.get(5)?,
            before: offer(row, 6)?,
            after: offer(row, 7)?,
            reason: row.get(8)?,
            bounds: bounds(row, 7)?,
        },
        base_net: row.get(9)?,
        state: word(row, 10)?,
        message: row.get(11)?,
        new_listing_id: row.get::<_, Option<i64>>(12)?.map(ListingId),
        sent_at: time_opt(row, 13)?,
        planned_at: time(row, 14)?,
    })
}

fn offer(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Offer>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| serde_json::from_str(text).map_err(|e| wrong_text(column, e.to_string()))).transpose()
}

/// The bounds of a price stand beside the offer that it belongs to. A row that was written without them has none.
fn bounds(row: &Row<'_>, column: usize) -> rusqlite::Result<Bounds> {
    #[derive(Deserialize)]
    struct Beside {
        #[serde(default)]
        bounds: Bounds,
    }
    let text = row.get_ref(column)?.as_str_or_null()?.filter(|text| text.contains(BOUNDS));
    let Some(text) = text else { return Ok(Bounds::default()) };
    let beside: Beside = serde_json::from_str(text).map_err(|e| wrong_text(column, e.to_string()))?;
    Ok(beside.bounds)
}

const BOUNDS: &str = "\"bounds\":";

/// What is to stand there, with the bounds of its price, if it has any.
fn bounded(change: &Change) -> Result<Option<String>, StoreError> {
    #[derive(Serialize)]
    struct Bounded<'a> {
        #[serde(flatten)]
        offer: &'a Offer,
        bounds: Bounds,
    }
    match &change.after {
        Some(offer) if !change.bounds.are_open() => {
            text_of(&Bounded { offer, bounds: change.bounds }).map(Some)
        }
        after => json(after),
    }
}

fn json(offer: &Option<Offer>) -> Result<Option<String>, StoreError> {
    offer.as_ref().map(text_of).transpose()
}

fn text_of(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Internal(format!("an offer that is no JSON: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, Money, Operation, Outcome, PlanState};
    use crate::store::plans::{self, NewPlan};
    use crate::store::runs;
    use crate::store::testing::{now, planned, raw, scratch};

    fn change(sku: &str, from: i64, to: i64) -> Change {
        let offer = |quantity| Offer {
            quantity,
            in_carts: 0,
            price: Money { minor: 250, currency: Currency::EUR },
            attributes: "{}".to_owned(),
        };
        Change {
            op: Operation::Quantity,
            sku: sku.into(),
            listing_id: Some(ListingId(7)),
            title: "Card".to_owned(),
            before: Some(offer(from)),
            after: Some(offer(to)),
            reason: "the source says so".to_owned(),
            bounds: Bounds::default(),
        }
    }

    fn plan(tx: &Tx<'_>, changes: &[Change]) -> PlanId {
        plans::add(tx, &planned(now()), changes, &[-3; 3][..changes.len()], &[]).unwrap()
    }

    fn states_of(tx: &Tx<'_>, id: PlanId) -> Vec<IntentState> {
        let mut states = Vec::new();
        of_plan(tx, id, |intent| {
            states.push(intent.state);
            Ok(())
        })
        .unwrap();
        states
    }

    #[test]
    fn the_newest_plan_of_a_job_stays_unfinished_until_the_job_has_looked_again() {
        let conn = scratch();
        let tx = Tx(&conn);
        let ran = |minute, outcome| {
            let at = now() + chrono::TimeDelta::minutes(minute);
            let new = runs::NewRun {
                job: planned(now()).job,
                kind: "stock-sync".to_owned(),
                account: None,
                due_at: at,
                trigger: crate::domain::Trigger::Manual,
                started_at: at,
            };
            let run = runs::open(&tx, &new).unwrap().unwrap();
            let (message, counts) = (None, BTreeMap::new());
            runs::finish(
                &tx,
                run,
                &runs::RunEnd { outcome, error_type: None, message, requests: 0, counts },
                at,
            )
            .unwrap();
            run
        };
        let unfinished =
            || plans::unfinished(&tx).unwrap().iter().map(|plan| plan.plan_id).collect::<Vec<_>>();
        let broken_off = |run| {
            let id = plan(&tx, &[change("a", 3, 1), change("b", 1, 2)]);
            plans::begin(&tx, id, run, &[]).unwrap();
            begin(&tx, id, run).unwrap();
            drop_pending(&tx, Some(run), now()).unwrap();
            plans::set_state(&tx, id, PlanState::Interrupted).unwrap();
            id
        };
        let first = broken_off(ran(0, Outcome::Partial));
        assert_eq!((unfinished(), not_sent(&tx, first).unwrap()), (vec![first], 2));
        let second = broken_off(ran(1, Outcome::Interrupted));
        assert_eq!(unfinished(), [second], "the newest of the job");
        ran(2, Outcome::Failure);
        assert_eq!(unfinished(), [second], "it could not look");
        ran(3, Outcome::Success);
        assert_eq!(unfinished(), [], "it found nothing to do");
        let third = broken_off(ran(4, Outcome::Partial));
        plan(&tx, &[change("a", 3, 1)]);
        assert_eq!(unfinished(), [], "{third} is followed by another plan");
    }

    #[test]
    fn what_was_sent_stays_in_doubt_until_it_is_settled_and_what_was_not_is_dropped() {
        let conn = scratch();
        let tx = Tx(&conn);
        let changes = [change("a", 3, 1), change("b", 1, 2), change("c", 5, 6)];
        let id = plan(&tx, &changes);
        begin(&tx, id, RunId(2)).unwrap();
        let mut all = Vec::new();
        of_plan(&tx, id, |intent| {
            all.push(intent);
            Ok(())
        })
        .unwrap();
        assert_eq!(all[0].change, changes[0]);
        assert_eq!(all[0].base_net, -3);
        mark_sent(&tx, &[all[0].id, all[1].id], 9, now()).unwrap();
        mark_sent(&tx, &[all[0].id], 10, now()).unwrap();
        let done = Settled { state: IntentState::Done, message: None, new_listing_id: Some(ListingId(8)) };
        settle(&tx, all[0].id, &done, now()).unwrap();
        assert!(mark_sent(&tx, &[all[0].id], 11, now()).is_err(), "it is done");
        assert_eq!(drop_pending(&tx, None, now()).unwrap(), 1);
        assert_eq!(states_of(&tx, id), [IntentState::Done, IntentState::Sent, IntentState::Dropped]);
        let doubted = in_doubt(&tx, &"cm".into()).unwrap();
        assert_eq!(doubted.iter().map(|i| i.id).collect::<Vec<_>>(), [all[1].id]);
        assert_eq!(skus_in_doubt(&tx, &"cm".into()).unwrap(), [Sku::from("b")]);
        assert_eq!(accounts_in_doubt(&tx).unwrap().into_iter().collect::<Vec<_>>(), [("cm".into(), 1)]);
        assert_eq!(done_since(&tx, &"cm".into(), now()).unwrap(), 1);
    }

    #[test]
    fn the_bounds_of_a_price_are_kept_with_the_change_and_older_rows_have_none() {
        let conn = scratch();
        let tx = Tx(&conn);
        let mut changes = [change("a", 3, 1), change("b", 3, 1)];
        changes[1].bounds.floor = Some(Money { minor: 240, currency: Currency::EUR });
        // Words of the seller's that look like bounds are none.
        changes[1].after.as_mut().unwrap().attributes = r#"{"comment":"\"bounds\":"}"#.to_owned();
        let id = plan(&tx, &changes);
        let mut read = Vec::new();
        of_plan(&tx, id, |intent| {
            read.push(intent.change);
            Ok(())
        })
        .unwrap();
        assert_eq!(read, changes);
        let column = |seq| {
            let sql = "select after from intents where plan_id = ?1 and seq = ?2";
            conn.query_row(sql, params![id.0, seq], |row| row.get::<_, String>(0)).unwrap()
        };
        assert!(!column(0).contains("bounds"), "as rows were written before there were bounds");
        assert!(
            column(1).ends_with(r#""bounds":{"floor":{"minor":240,"currency":"EUR"}}}"#),
            "{}",
            column(1)
        );
    }

    #[test]
    fn plans_are_found_by_their_run_while_they_wait_and_by_what_they_came_to() {
        let conn = scratch();
        let tx = Tx(&conn);
        let day = chrono::TimeDelta::days(1);
        let job = "sync".into();
        assert_eq!(plans::track_record(&tx, &job, now()).unwrap(), plans::TrackRecord::default());
        let small = plan(&tx, &[change("a", 3, 1)]);
        let held = NewPlan {
            made_by: RunId(7),
            expires_at: now() + day * 2,
            guards: raw(r#"[{"guard":"a","tripped":false},{"guard":"b","tripped":true}]"#),
            state: PlanState::Pending,
            ..planned(now() + day)
        };
        let held = plans::add(&tx, &held, &[change("a", 3, 1), change("b", 1, 2)], &[0; 2], &[]).unwrap();
        assert_eq!(plans::made_by(&tx, RunId(7)).unwrap().unwrap().plan_id, held);
        assert!(plans::made_by(&tx, RunId(8)).unwrap().is_none());
        let waiting = |at| {
            let rows = plans::waiting(&tx, None, at).unwrap();
            rows.iter().map(|row| row.plan_id).collect::<Vec<_>>()
        };
        assert_eq!(waiting(now() - day), [held, small]);
        assert_eq!(waiting(now()), [held], "the other is not good any more");
        assert_eq!(waiting(now() + day * 2), []);
        assert_eq!(plans::waiting(&tx, Some(&"other".into()), now()).unwrap().len(), 0);
        let record = |since| plans::track_record(&tx, &job, since).unwrap();
        assert_eq!(record(now()), plans::TrackRecord { plans: 2, largest: 2, guard_trips: 1 });
        assert_eq!(record(now() + day * 2).plans, 0);
    }

    #[test]
    fn a_new_number_is_passed_on_without_a_look_at_every_change_that_waits() {
        let conn = scratch();
        let steps = |sql: &str| {
            let mut statement = conn.prepare(&format!("explain query plan {sql}")).unwrap();
            let steps = statement.query_map([1, 2], |row| row.get::<_, String>(3)).unwrap();
            steps.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
        };
        let steps = steps(RENUMBER);
        assert!(steps.contains("INDEX intents_by_listing (plan_id=? AND listing_id=?)"), "{steps}");
    }

    #[test]
    fn a_plan_of_which_something_is_in_doubt_is_not_forgotten() {
        let conn = scratch();
        let tx = Tx(&conn);
        let (first, second) = (plan(&tx, &[change("a", 3, 1)]), plan(&tx, &[change("b", 3, 1)]));
        plans::supersede(&tx, &"sync".into(), second).unwrap();
        assert_eq!(plans::get(&tx, first).unwrap().unwrap().state, PlanState::Superseded);
        begin(&tx, second, RunId(2)).unwrap();
        mark_sent(&tx, &[IntentId(2)], 1, now()).unwrap();
        let later = now() + chrono::TimeDelta::days(1);
        assert_eq!(plans::prune(&tx, later, 10).unwrap(), 1);
        assert_eq!(plans::list(&tx, None, None).unwrap().len(), 1);
        assert_eq!(states(&tx, second).unwrap().into_iter().collect::<Vec<_>>(), [(IntentState::Sent, 1)]);
    }
}
