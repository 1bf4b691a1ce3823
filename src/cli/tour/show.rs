//! What the guide shows: the first run of each job in each shop, and the first plan.

use std::collections::BTreeMap;

use serde::Serialize;

use super::LOOK;
use super::news::states;
use super::shops::Shop;
use super::words::Words;
use crate::agent::ask::Desk;
use crate::agent::status::PlanStatus;
use crate::cli::home::Home;
use crate::cli::output::{counted, thousands};
use crate::cli::plan::{self, Summary};
use crate::cli::{Exit, Failure, runs};
use crate::domain::{AccountName, JobName, Operation, Outcome, PlanState};
use crate::jobs::Errand;
use crate::store::plans::PlanRow;
use crate::store::runs::RunRow;

/// A shop, and what was read of it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The marketplace's name.
    pub marketplace: &'static str,
    /// The account.
    pub account: AccountName,
    /// Where it is.
    pub base_url: String,
    /// What the marketplace said to the login.
    pub login: String,
    /// Articles that were read.
    pub articles: i64,
    /// Orders that are known.
    pub orders: usize,
    /// What all that took.
    pub requests: i64,
}

/// What the seller's list would change.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// The plan.
    #[serde(flatten)]
    pub status: PlanStatus,
    /// How often it does what.
    pub counts: BTreeMap<String, i64>,
}

/// Logs in to one shop, and reads its stock and its orders.
pub async fn shop(desk: &Desk, shop: &Shop, words: Words) -> Result<Shown, Failure> {
    words.say(&format!("\n{}\n  Logging in with OAuth 1.0a ...  ", shop.title))?;
    let probe = first(desk, &shop.job("probe"), Errand::Usual).await?;
    let login = probe.message.clone().unwrap_or_default();
    words.say(&format!("ok, {login}\n"))?;

    words.say("  Reading stock ...  ")?;
    let pull = first(desk, &shop.job("stock-pull"), Errand::Usual).await?;
    let articles = pull.counts.get("articles").copied().unwrap_or_default();
    words.say(&format!("{} articles{}\n", thousands(articles), effort(&pull)))?;

    words.say("  Reading orders ...  ")?;
    let poll = first(desk, &shop.job("order-poll"), Errand::Usual).await?;
    let known = states(desk).await?;
    let orders = known.keys().filter(|(account, _)| *account == shop.account).count();
    words.say(&format!("{} orders{}\n", thousands(orders as i64), effort(&poll)))?;
    Ok(Shown {
        marketplace: shop.marketplace.name,
        account: shop.account.clone(),
        base_url: shop.base_url.clone(),
        login,
        articles,
        orders,
        requests: probe.requests + pull.requests + poll.requests,
    })
}

/// Plans what the seller's list would change in a shop.
pub async fn plan(desk: &Desk, shop: &Shop, words: Words, home: &Home) -> Result<Planned, Failure> {
    let job = shop.job("stock-sync");
    words.say(&format!("  Plan for {job}:  "))?;
    let row = first(desk, &job, Errand::Plan).await?;
    let (_, plan) = plan::made_by(&row, &desk.config(), home).await?;
    words.say(&format!("{}\n", summed_up(&plan)))?;
    Ok(Planned { status: PlanStatus::of(&plan), counts: Summary::of(&plan).counts })
}

/// What a plan comes to in a line.
fn summed_up(plan: &PlanRow) -> String {
    let (id, summary) = (plan.plan_id, Summary::of(plan));
    let of = |ops: &[Operation]| thousands(summary.count(ops));
    let changes = format!(
        "{} to change, {} to add, {} to set to zero",
        of(&[Operation::Quantity, Operation::Price, Operation::Details]),
        of(&[Operation::Add]),
        of(&[Operation::Zero]),
    );
    let held = if plan.state == PlanState::Pending { "held by a guard" } else { "not applied" };
    format!("{changes}   ({id}, {held})")
}

/// What a run took.
fn effort(run: &RunRow) -> String {
    format!(" in {}, {}", runs::duration(run), counted(run.requests, "request"))
}

/// The first run of a job. One that its schedule has begun already is waited for.
async fn first(desk: &Desk, name: &JobName, errand: Errand) -> Result<RunRow, Failure> {
    let row = loop {
        match desk.run_job(name, errand.clone()).await {
            Ok(row) => break row,
            Err(declined) if declined.exit == Exit::Temporary as u8 => {
                desk.shared.clock.sleep(LOOK).await;
            }
            Err(declined) => return Err(declined.into()),
        }
    };
    match row.outcome {
        Some(Outcome::Success | Outcome::Partial) => Ok(row),
        outcome => {
            let message = row.message.clone().unwrap_or_default();
            Err(Failure::new("E491", Exit::of_run(outcome, row.error_type), format!("{name}: {message}"), ""))
        }
    }
}
