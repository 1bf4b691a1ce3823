//! `housekeeping`: prunes what is old, and makes a backup that has been opened and checked.

use super::stock_sync::tell_of_expired;
use super::{Context, JobError, Report};
use crate::config::Housekeeping;
use crate::domain::PlanId;
use crate::store::{backup, plans, requests, runs, snapshots};

/// Rows taken out in one transaction, so that nobody waits long behind a first pruning.
const BATCH: usize = 5_000;

/// The same for plans, of which each has rows of its own.
const PLANS: usize = 50;

/// Prunes, then backs up, so that a backup does not carry what is gone.
pub(super) async fn run(settings: &Housekeeping, context: &Context) -> Result<Report, JobError> {
    let mut report = Report::default();
    let now = context.clock.now();
    let requests_before = now - settings.keep_requests;
    loop {
        context.go_on()?;
        let pruned = context.store.write(move |tx| requests::prune(tx, requests_before, BATCH)).await?;
        report.count("requests_pruned", pruned as i64);
        if pruned < BATCH {
            break;
        }
    }
    let runs_before = now - settings.keep_runs;
    let (runs, readings) = context
        .store
        .write(move |tx| Ok((runs::prune(tx, runs_before)?, snapshots::prune(tx, runs_before)?)))
        .await?;
    report.count("runs_pruned", runs as i64);
    report.count("readings_pruned", readings as i64);
    let expired = context.store.write(move |tx| plans::expire(tx, None, now)).await?;
    tell_of_expired(&expired);
    loop {
        context.go_on()?;
        let pruned = context.store.write(move |tx| plans::prune(tx, runs_before, PLANS)).await?;
        report.count("plans_pruned", pruned as i64);
        if pruned < PLANS {
            break;
        }
    }
    prune_plan_files(context).await?;
    if settings.backup {
        context.go_on()?;
        make_backup(settings, context, &mut report).await?;
    }
    Ok(report)
}

/// Removes the files of plans that the database has forgotten. Other files are not ours to remove.
async fn prune_plan_files(context: &Context) -> Result<(), JobError> {
    let dir = context.state_dir.join("plans");
    // Without the directory no plan was ever written there.
    let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(()) };
    let ids: Vec<PlanId> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let name = name.to_str()?.strip_suffix(".json")?;
            name.starts_with("p-").then(|| name.parse().ok())?
        })
        .collect();
    for id in context.store.read(move |tx| plans::unknown(tx, &ids)).await? {
        // One that cannot be removed now is found again by the next run.
        let _ = std::fs::remove_file(dir.join(format!("{id}.json")));
    }
    Ok(())
}

async fn make_backup(
    settings: &Housekeeping,
    context: &Context,
    report: &mut Report,
) -> Result<(), JobError> {
    let dir = context.state_dir.join("backups");
    let path = dir.join(backup::name(context.clock.now()));
    let done = match backup::create(&context.store, &path).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(event = "backup.failed", error.r#type = error.error_type().as_str(), "{error}");
            return Err(error.into());
        }
    };
    tracing::info!(
        event = "backup.created",
        path = %done.path.display(),
        bytes = done.bytes,
        verified = true,
        "backup created and verified",
    );
    report.count("backup_bytes", done.bytes as i64);
    report.count("backups_pruned", backup::prune_backups(&dir, settings.keep_backups as usize)? as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Place;
    use super::*;
    use crate::clock::Clock;
    use crate::domain::PlanState;
    use crate::marketplace::memory::Memory;
    use crate::store::plans::NewPlan;
    use crate::store::testing::planned;

    #[tokio::test(start_paused = true)]
    async fn old_plans_go_with_their_files_and_what_is_not_ours_stays() {
        let place = Place::new();
        let now = place.clock.now();
        let new = |days| NewPlan {
            expires_at: now + chrono::TimeDelta::minutes(1),
            ..planned(now - chrono::TimeDelta::days(days))
        };
        let (old, young) = (new(100), new(1));
        place
            .store
            .write(move |tx| {
                plans::add(tx, &old, &[], &[], &[])?;
                plans::add(tx, &young, &[], &[], &[])
            })
            .await
            .unwrap();
        let dir = place.store.path().parent().unwrap().join("plans");
        std::fs::create_dir_all(&dir).unwrap();
        for file in ["p-1.json", "p-2.json", "notes.json", "7.json"] {
            std::fs::write(dir.join(file), "{}").unwrap();
        }
        let settings = Housekeeping { backup: false, ..Housekeeping::default() };
        // The clock moves on by some minutes before each run.
        let report =
            place.work(Box::new(Memory::default()), async |context| run(&settings, context).await).await;
        let young = place.store.read(|tx| plans::get(tx, PlanId(2))).await.unwrap();
        assert_eq!(young.unwrap().state, PlanState::Expired);
        assert_eq!(report.unwrap().counts["plans_pruned"], 1);
        let mut left: Vec<String> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["7.json", "notes.json", "p-2.json"]);
    }
}
