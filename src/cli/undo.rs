//! `sellerd undo`: plans how to go back to what stood before a run, shows that, asks, and does it. Where nobody can be
//! asked it is only planned, unless `--yes` says otherwise.

use super::apply::{carry_out, known_guards};
use super::args::{Format, UndoOptions};
use super::confirm::{can_ask, confirm};
use super::home::Home;
use super::job::one_run;
use super::{Exit, Failure, plan};
use crate::agent::ask::no_job;
use crate::agent::status::PlanStatus;
use crate::clock::SystemClock;
use crate::domain::RunId;
use crate::jobs::Errand;
use crate::store::{StoreError, Tx, intents, runs};

/// So many changes are shown before the question.
const SHOWN: usize = 20;

/// Takes back what a run has changed.
pub async fn run(options: UndoOptions, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    home.log(&config, false, &SystemClock::shared());
    let none = || Failure::usage(format!("there is no run {}", options.run), "sellerd runs list");
    let store = home.store(&config)?.ok_or_else(none)?;
    let id = options.run;
    let (undone, changed) = store.read(move |tx| Ok((runs::show(tx, id)?, changed(tx, id)?))).await?;
    let undone = undone.ok_or_else(none)?;
    drop(store);
    if !changed {
        // Known here, so no request is spent on it.
        return Err(Failure::usage(
            format!("{id} changed nothing, so there is nothing to undo"),
            "name the run that did: sellerd runs list; `apply` names its run, too",
        ));
    }
    if !config.jobs.contains_key(&undone.job) {
        return Err(no_job(&undone.job, &config).into());
    }
    let row = one_run(config.clone(), &undone.job, Errand::Undo(id), home).await?;
    let (store, made) = plan::made_by(&row, &config, home).await?;
    let changes = PlanStatus::of(&made).changes;
    // One document is all that a program is given: the plan, or what became of it.
    let asks = can_ask(home) && home.output == Format::Table;
    let goes_on = (home.yes || asks) && changes > 0;
    if !goes_on || home.output == Format::Table {
        plan::print(&store, made.clone(), &config, home.output, SHOWN).await?;
    }
    if !goes_on {
        return Ok(Exit::Success);
    }
    known_guards(&made, &options.accept)?;
    confirm(home, &format!("Take back {id} at {}?", made.account))?;
    drop(store);
    carry_out(made, options.accept, config, home).await
}

/// Whether a run has sent, or begun to send, any change.
fn changed(tx: &Tx<'_>, run: RunId) -> Result<bool, StoreError> {
    let mut any = false;
    intents::of_run(tx, run, |_| {
        any = true;
        Ok(())
    })?;
    Ok(any)
}
