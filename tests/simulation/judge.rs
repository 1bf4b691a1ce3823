//! Looks at what was promised, by the shop's own books and by the database.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::clock::Clock;
use sellerd::config::Job;
use sellerd::domain::{Outcome, Trigger};
use sellerd::store::{listings, movements, orders, runs, snapshots};

use crate::agent::Agent;
use crate::books::Booked;
use crate::market::Name;
use crate::story::ShopPlan;
use crate::world::World;

/// What is recorded of one line, by order and line.
type Lines = BTreeMap<(i64, i64), i64>;

/// States that are followed no further at Cardmarket.
const ENDS: [&str; 2] = ["received", "lost"];

/// What is not yet as it should be once it is calm: orders and movements, and the stock if it was read since.
pub async fn unsettled(world: &World, agent: &Agent, shops: &[ShopPlan], calm: DateTime<Utc>) -> Vec<String> {
    let mut wrong = Vec::new();
    {
        let mut world = world.look();
        (world.tally.orders, world.tally.movements, world.tally.turned) = (0, 0, 0);
    }
    for plan in shops {
        wrong.extend(sold(world, agent, plan.name(), calm).await);
        wrong.extend(stock(world, agent, plan, calm).await);
    }
    wrong
}

/// The orders of one account, and the movements that follow from them.
async fn sold(world: &World, agent: &Agent, name: Name, calm: DateTime<Utc>) -> Vec<String> {
    let store = &agent.desk.shared.store;
    let read = store
        .read(move |tx| {
            let (mut states, mut nets) = (HashMap::new(), Lines::new());
            orders::each(tx, Some(&name.into()), |row| {
                states.insert(row.order_id.0, row.state.clone());
                Ok(())
            })?;
            let mut count = 0;
            movements::each(tx, Some(&name.into()), |row| {
                count += 1;
                *nets.entry((row.order_id.0, row.movement.line_id.0)).or_default() += row.movement.delta;
                Ok(())
            })?;
            Ok((states, nets, count))
        })
        .await;
    let (states, mut nets, count) = match read {
        Ok(read) => read,
        Err(error) => return vec![format!("the database cannot be read: {error}")],
    };
    let mut world = world.look();
    let now = world.truth.now();
    let account = world.account(name);
    let (mut wrong, mut turned) = (Vec::new(), 0);
    for Booked { id, state, may_be_unknown, lines } in account.market.booked(&account.old_orders, calm, now) {
        match (states.get(&id), state) {
            (None, _) if !may_be_unknown => wrong.push(format!("2: order {id} ({state:?}) is not known")),
            // An order at its end is not read any more: one that turns round and ends otherwise within the hour
            // in which the list of the sent is not read stays as it was. Its copies are gone either way.
            (Some(known), Some(state)) if ENDS.contains(&known.as_str()) && ENDS.contains(&state) => {
                turned += u64::from(known != state);
            }
            (Some(known), Some(state)) if known != state => {
                wrong.push(format!("2: order {id} is {state} and known as {known}"));
            }
            _ => {}
        }
        for line in lines {
            let recorded = nets.remove(&(id, line.id)).unwrap_or(0);
            let due = if states.contains_key(&id) { line.net } else { 0 };
            if recorded != due && !(recorded == 0 && line.may_be_unknown) {
                wrong.push(format!("2: order {id} line {} moved {recorded} instead of {due}", line.id));
            }
        }
    }
    if let Some((line, net)) = nets.first_key_value() {
        wrong.push(format!("2: movements {net} of a line that is none {line:?}"));
    }
    world.tally.turned += turned;
    world.tally.orders += states.len() as u64;
    world.tally.movements += count;
    wrong
}

/// The stock as last read, where it was read whole since it is calm; that it is, unless there is little to ask with.
async fn stock(world: &World, agent: &Agent, plan: &ShopPlan, calm: DateTime<Utc>) -> Vec<String> {
    let name = plan.name();
    let scarce = plan.limit().is_some_and(|limit| limit < 1_000);
    let skew = {
        let world = world.look();
        world.mine.now() - world.truth.now()
    };
    let store = &agent.desk.shared.store;
    let read = store
        .read(move |tx| {
            let mut known = BTreeMap::new();
            listings::each(tx, Some(&name.into()), |row| {
                known.insert(row.listing_id.0, (row.quantity, row.in_carts));
                Ok(())
            })?;
            let (sound, _) = snapshots::since_sound(tx, &name.into())?;
            Ok((snapshots::last_to_end(tx, &name.into())?, sound, known))
        })
        .await;
    let Ok((last, sound, known)) = read else { return vec!["the stock cannot be read".to_owned()] };
    // What was bought a moment ago may still be closing.
    let since = calm + skew + TimeDelta::minutes(2);
    let Some(last) = last.filter(|last| last.complete && last.started_at >= since) else {
        let what = format!("the stock of {name} was not read since it is calm");
        return if scarce { Vec::new() } else { vec![what] };
    };
    if !last.sound {
        // A shop that has lost more than half of its listings is doubted, and nothing is taken for gone meanwhile.
        return match sound {
            Some(sound) if last.rows * 2 < sound.rows => Vec::new(),
            _ => vec![format!("the stock of {name} is doubted without a reason")],
        };
    }
    let mut world = world.look();
    let read_until = last.finished_at.unwrap_or(last.started_at) - skew;
    let shop = world.account(name).market.stock(last.started_at - skew, read_until);
    let odd = shop.iter().find(|(id, may_be)| !may_be.contains(&known.get(id).copied()));
    let gone = known.iter().find(|(id, _)| !shop.contains_key(id));
    match (odd, gone) {
        (None, None) => Vec::new(),
        (odd, gone) => {
            let has = odd.map(|(id, _)| known.get(id));
            vec![format!(
                "2: the stock of {name} differs: the shop has {odd:?} and we {has:?}, and of {gone:?} it knows nothing"
            )]
        }
    }
}

/// The promises that hold at any time: each slot once, none dropped, each run ended, each request written down.
pub async fn after_all(world: &World, agent: &Agent, planned_from: DateTime<Utc>) {
    let store = &agent.desk.shared.store;
    let rows = match store.read(|tx| runs::list(tx, None, None)).await {
        Ok(rows) => rows,
        Err(error) => return world.broken(format!("the runs cannot be read: {error}")),
    };
    let running: HashSet<String> = agent.desk.runner.running().iter().map(|job| job.to_string()).collect();
    {
        let mut world = world.look();
        world.tally.runs = rows.len() as u64;
        let ended =
            |row: &runs::RunRow| (row.job.to_string(), row.due_at, row.outcome == Some(Outcome::Success));
        world.runs = rows.iter().map(ended).collect();
    }
    for row in rows.iter().rev() {
        let (message, due) = (row.message.as_deref().unwrap_or(""), row.due_at);
        world.note(&format!("{} of {due} {}: {:?} {message}", row.job, row.trigger, row.outcome));
    }
    for row in rows.iter().filter(|row| row.finished_at.is_none() && !running.contains(row.job.as_str())) {
        world.broken(format!("run {} of {} was never ended", row.run_id, row.job));
    }
    let absences = world.look().absences;
    for job in agent.config.jobs.values() {
        let by_schedule = |row: &&runs::RunRow| matches!(row.trigger, Trigger::Schedule | Trigger::Catchup);
        let of_job = rows.iter().filter(|row| row.job == job.name).filter(by_schedule);
        let mut slots: Vec<_> = of_job.clone().map(|row| row.due_at).collect();
        slots.sort_unstable();
        run_once(world, job, &slots);
        none_dropped(world, job, &slots, planned_from);
        // Also those that were passed over since another ran.
        let catchups = of_job.filter(|row| row.trigger == Trigger::Catchup).count();
        if catchups as u32 > absences {
            world.broken(format!("7: {} caught up {catchups} times for {absences} absences", job.name));
        }
    }
    let (open, sent, written) = {
        let world = world.look();
        (world.rows_left_open(), world.tally.sent, world.rows_written())
    };
    if let Some(open) = open.filter(|open| *open > 0 && running.is_empty()) {
        world.broken(format!("{open} requests were never settled, and nothing runs"));
    }
    if written.is_some_and(|written| written < sent) {
        world.broken(format!("8: {sent} requests were sent and {written:?} are written down"));
    }
}

/// No slot has two runs, whatever their keys.
fn run_once(world: &World, job: &Job, due: &[DateTime<Utc>]) {
    let slot_of = |at: DateTime<Utc>| {
        let mut slot = None;
        let mut from = at - TimeDelta::minutes(70);
        while let Some(next) = job.schedule.next_after(from).filter(|next| *next <= at) {
            (slot, from) = (Some(next), next);
        }
        slot.unwrap_or(at)
    };
    for pair in due.windows(2) {
        if slot_of(pair[0]) == slot_of(pair[1]) {
            return world.broken(format!("7: the slot {} of {} was run twice", slot_of(pair[0]), job.name));
        }
    }
}

/// Each slot has a run, or stands behind one that was handed out for it too, or was handed out as skipped.
fn none_dropped(world: &World, job: &Job, due: &[DateTime<Utc>], planned_from: DateTime<Utc>) {
    const MOST: usize = 10_000;
    let now = world.look().mine.now() - TimeDelta::minutes(3);
    let has_row: HashSet<DateTime<Utc>> = due.iter().copied().collect();
    let covered: Vec<(DateTime<Utc>, DateTime<Utc>)> = {
        let world = world.look();
        let of_job = world.handed_out.iter().filter(|out| out.job == job.name.as_str());
        of_job
            .filter(|out| out.run.is_none_or(|run| has_row.contains(&run)))
            .map(|out| (out.from, out.until))
            .collect()
    };
    let ends = due.iter().copied().map(Some).chain([None]);
    let mut from = planned_from;
    for end in ends {
        let until = end.unwrap_or(now);
        let slot =
            std::iter::successors(job.schedule.next_after(from), |slot| job.schedule.next_after(*slot))
                .take_while(|slot| *slot < until)
                .take(MOST)
                .find(|slot| !covered.iter().any(|(from, until)| from < slot && slot <= until));
        if let Some(slot) = slot {
            return world.broken(format!(
                "7: the slot {slot} of {} was dropped: it has no run, and none stands for it",
                job.name
            ));
        }
        from = from.max(until);
    }
}
