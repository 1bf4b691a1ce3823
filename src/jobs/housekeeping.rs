//! `housekeeping`: prunes what is old, and makes a backup that has been opened and checked.

use super::{Context, JobError, Report};
use crate::config::Housekeeping;
use crate::store::{backup, requests, runs, snapshots};

/// Rows taken out in one transaction, so that nobody waits long behind a first pruning.
const BATCH: usize = 5_000;

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
    if settings.backup {
        context.go_on()?;
        make_backup(settings, context, &mut report).await?;
    }
    Ok(report)
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
