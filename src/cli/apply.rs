//! `sellerd apply`: does what a plan says, and tells of each item what became of it.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::args::{ApplyOptions, Format};
use super::confirm::{can_ask, confirm};
use super::home::Home;
use super::job::one_run;
use super::list::{done, harmless};
use super::output::{self, counted, lines, note, table};
use super::{Exit, Failure, plan};
use crate::agent::ask::no_job;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{
    AccountName, ErrorType, Intent, IntentState, JobName, ListingId, Operation, Outcome, PlanId, RunId, Sku,
};
use crate::jobs::Errand;
use crate::store::plans::{self, PlanRow};
use crate::store::runs::RunRow;
use crate::store::{Store, StoreError, Tx, intents};

/// So many items that were not done are shown to people; JSON has all.
const SHOWN: usize = 20;

/// Applies a plan that was made before.
pub async fn run(options: ApplyOptions, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    home.log(&config, false, &SystemClock::shared());
    let (store, plan) = plan::stored(options.plan, &config, home).await?;
    known_guards(&plan, &options.accept)?;
    if can_ask(home) {
        let view = plan::view(&store, plan.clone(), &config, 0).await?;
        note(&view.digest(config.timezone));
        confirm(home, &format!("Apply {} to {}?", plan.plan_id, plan.account))?;
    }
    drop(store);
    carry_out(plan, options.accept, config, home).await
}

/// Applies a plan for which nobody need be asked any more, and tells what became of it.
pub async fn carry_out(
    plan: PlanRow,
    accepted: Vec<String>,
    config: Config,
    home: &Home,
) -> Result<Exit, Failure> {
    if !config.jobs.contains_key(&plan.job) {
        return Err(no_job(&plan.job, &config).into());
    }
    let errand = Errand::Apply { plan: plan.plan_id, accepted };
    let row = one_run(config.clone(), &plan.job, errand, home).await?;
    let store = home.store(&config)?.ok_or_else(|| Failure::internal("the database is gone"))?;
    // What the guards say of it can have changed on the way.
    let id = plan.plan_id;
    let plan = store.read(move |tx| plans::get(tx, id)).await?.unwrap_or(plan);
    let is_final =
        config.accounts.get(&plan.account).is_some_and(|account| account.marketplace.zero_is_final);
    tell(&store, &plan, &row, is_final, home).await?;
    match row.outcome {
        Some(Outcome::Success | Outcome::Partial | Outcome::Skipped) => {
            Ok(Exit::of_run(row.outcome, row.error_type))
        }
        _ => Err(not_applied(&plan, &row)),
    }
}

/// A guard that is named and does not exist was mistyped, and the plan would be held all the same.
pub fn known_guards(plan: &PlanRow, accepted: &[String]) -> Result<(), Failure> {
    let guards = plan::guards(plan);
    let Some(wrong) = accepted.iter().find(|name| guards.iter().all(|guard| guard.guard != **name)) else {
        return Ok(());
    };
    let tripped: Vec<&str> =
        guards.iter().filter(|guard| guard.tripped).map(|guard| guard.guard.as_str()).collect();
    let fix = match tripped.is_empty() {
        true => format!("no guard holds {0}: sellerd apply {0}", plan.plan_id),
        false => format!("those that hold {} are: {}", plan.plan_id, tripped.join(", ")),
    };
    Err(Failure::usage(format!("`{wrong}` is no guard of {}", plan.plan_id), fix))
}

fn not_applied(plan: &PlanRow, row: &RunRow) -> Failure {
    let mut failure = Failure::of_run(row);
    if row.error_type == Some(ErrorType::GuardTripped) {
        let tripped = plan::guards(plan).into_iter().filter(|guard| guard.tripped);
        let accept: String = tripped.map(|guard| format!(" --accept-guard {}", guard.guard)).collect();
        let id = plan.plan_id;
        failure.fix = format!(
            "look at it: sellerd plan show {id}; mend the source, or if it is meant: sellerd apply {id}{accept}"
        );
    }
    if row.outcome == Some(Outcome::Interrupted) {
        failure.fix = format!("a new plan for what was not sent: sellerd plan {}", plan.job);
    }
    failure
}

/// What stands before the items.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'a str,
    plan_id: PlanId,
    run_id: RunId,
    job: &'a JobName,
    account: &'a AccountName,
    outcome: Option<Outcome>,
    error_type: Option<ErrorType>,
    message: Option<&'a str>,
    requests: i64,
    applied: i64,
    skipped: i64,
    failed: i64,
    in_doubt: i64,
    parked: i64,
    not_sent: i64,
}

#[derive(Serialize)]
struct Item<'a> {
    sku: &'a Sku,
    listing_id: Option<ListingId>,
    op: Operation,
    state: IntentState,
    message: Option<&'a str>,
}

impl<'a> Item<'a> {
    fn of(intent: &'a Intent) -> Self {
        Self {
            sku: &intent.change.sku,
            listing_id: intent.new_listing_id.or(intent.change.listing_id),
            op: intent.change.op,
            state: intent.state,
            message: intent.message.as_deref(),
        }
    }
}

async fn tell(
    store: &Store,
    plan: &PlanRow,
    row: &RunRow,
    is_final: bool,
    home: &Home,
) -> Result<(), Failure> {
    match home.output {
        Format::Table => words(store, plan, row, is_final).await,
        Format::Csv => {
            let run = row.run_id;
            done(store.read(move |tx| csv(tx, run)).await?)
        }
        Format::Json | Format::Jsonl => {
            let (plan, row) = (plan.clone(), row.clone());
            done(store.read(move |tx| json(tx, &plan, &row)).await?)
        }
    }
}

fn json(tx: &Tx<'_>, plan: &PlanRow, row: &RunRow) -> Result<io::Result<()>, StoreError> {
    let count = |name: &str| row.counts.get(name).copied().unwrap_or_default();
    let head = Head {
        schema: "sellerd.apply/1",
        plan_id: plan.plan_id,
        run_id: row.run_id,
        job: &plan.job,
        account: &plan.account,
        outcome: row.outcome,
        error_type: row.error_type,
        message: row.message.as_deref(),
        requests: row.requests,
        applied: count("applied"),
        skipped: count("skipped"),
        failed: count("failed"),
        in_doubt: count("in_doubt"),
        parked: count("parked"),
        not_sent: count("not_sent"),
    };
    let mut out = BufWriter::new(io::stdout());
    let mut written = serde_json::to_string(&head).map_err(io::Error::from).and_then(|head| {
        // The object goes on.
        out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
        out.write_all(b",\"items\":[")
    });
    let mut first = true;
    intents::of_run(tx, row.run_id, |intent| {
        if written.is_ok() {
            let comma: &[u8] = if std::mem::take(&mut first) { b"" } else { b"," };
            written =
                out.write_all(comma).and_then(|()| Ok(serde_json::to_writer(&mut out, &Item::of(&intent))?));
        }
        Ok(())
    })?;
    Ok(written.and_then(|()| out.write_all(b"]}\n")).and_then(|()| out.flush()))
}

fn csv(tx: &Tx<'_>, run: RunId) -> Result<io::Result<()>, StoreError> {
    let mut writer = csv::Writer::from_writer(io::stdout());
    let mut written = writer.write_record(["sku", "listing_id", "op", "state", "message"]);
    intents::of_run(tx, run, |intent| {
        let item = Item::of(&intent);
        let cells = [
            item.sku.to_string(),
            item.listing_id.map_or(String::new(), |id| id.to_string()),
            item.op.to_string(),
            item.state.to_string(),
            item.message.unwrap_or_default().to_owned(),
        ];
        if written.is_ok() {
            written = writer.write_record(cells.iter().map(|cell| harmless(cell)));
        }
        Ok(())
    })?;
    Ok(written.map_err(super::list::plain).and_then(|()| writer.flush()))
}

/// For people: how many, and those that were not done. `is_final` says that a listing that is taken down cannot be put
/// back.
async fn words(store: &Store, plan: &PlanRow, row: &RunRow, is_final: bool) -> Result<(), Failure> {
    let run = row.run_id;
    let read = store.read(move |tx| {
        let (mut begun, mut open, mut more, mut undoable) = (false, Vec::new(), 0, false);
        intents::of_run(tx, run, |intent| {
            begun = true;
            match intent.state {
                IntentState::Done => undoable |= !(is_final && intent.change.withdraws()),
                _ if open.len() < SHOWN => open.push(intent),
                _ => more += 1,
            }
            Ok(())
        })?;
        Ok((begun, open, more, undoable))
    });
    let (begun, open, more, undoable): (bool, Vec<Intent>, i64, bool) = read.await?;
    if !begun && row.outcome != Some(Outcome::Success) {
        // Nothing was sent; the error says why.
        return Ok(());
    }
    let applied = row.counts.get("applied").copied().unwrap_or_default();
    let mut text = format!(
        "{} on {}: {} made in {} ({}).\n",
        plan.plan_id,
        plan.account,
        counted(applied, "change"),
        counted(row.requests, "request"),
        run
    );
    if !open.is_empty() {
        let mut rows = table(&["SKU", "LISTING", "FIELD", "BECAME", "WHY"], &[1]);
        for intent in &open {
            let item = Item::of(intent);
            rows.add_row([
                item.sku.to_string(),
                item.listing_id.map_or("-".to_owned(), |id| id.to_string()),
                item.op.to_string(),
                became(item.state).to_owned(),
                item.message.unwrap_or("-").to_owned(),
            ]);
        }
        text.push_str(&format!("\nNot made:\n{}", lines(&rows)));
    }
    if more > 0 {
        let more = output::thousands(more);
        text.push_str(&format!("  ... {more} more; all: sellerd plan show {}\n", plan.plan_id));
    }
    if row.counts.get("not_sent").is_some_and(|count| *count > 0) {
        text.push_str(&format!("\nFor what was not sent, a new plan:   sellerd plan {}\n", plan.job));
    }
    if undoable {
        text.push_str(&format!("\nTake it back:   sellerd undo {run}\n"));
    } else if applied > 0 {
        text.push_str("\nThis cannot be taken back: a listing that is withdrawn cannot be relisted.\n");
    }
    output::text(&text)
}

/// What became of a change that was not made, as people say it.
fn became(state: IntentState) -> &'static str {
    match state {
        IntentState::Sent => "in doubt, will be read back",
        IntentState::Dropped | IntentState::Planned | IntentState::Pending => "not sent",
        state => state.as_str(),
    }
}
