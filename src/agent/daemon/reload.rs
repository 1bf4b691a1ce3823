//! Reading the configuration again while the agent works.

use std::sync::Arc;

use super::{Daemon, plans};
use crate::agent::accounts::Accounts;
use crate::agent::nudge::Neighbours;
use crate::agent::{credentials, systemd, trigger};
use crate::config::{self, Severity};
use crate::store::problems;

/// The problem of a configuration that was not taken over.
pub(super) const FAILED: &str = "E460";

impl Daemon {
    /// All or nothing: a mistake keeps the old configuration and becomes a problem that people see.
    pub(super) async fn reload(&mut self) -> Result<(), String> {
        systemd::reloading();
        let result = self.try_reload().await;
        if let Err(why) = &result {
            let problem = problems::Problem {
                code: FAILED.to_owned(),
                subject: "config".to_owned(),
                severity: problems::Severity::Warning,
                title: format!("the agent goes on with its older configuration: {why}"),
                since: self.watch.shared.clock.now(),
                fix: "sellerd config check, then reload again".to_owned(),
            };
            let noted = self.watch.shared.store.write(move |tx| problems::open(tx, &problem)).await;
            if let Err(error) = noted {
                tracing::error!("a problem could not be recorded: {error}");
            }
        }
        systemd::ready();
        self.tell_systemd().await;
        result
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        let old = self.config();
        let checked = config::read(&old.dir);
        let Some(mut new) = checked.config else {
            let first = checked.diagnostics.iter().find(|d| d.severity == Severity::Error);
            let why = first.map_or_else(
                || "it cannot be read".to_owned(),
                |d| format!("{}:{}: {}", d.file.display(), d.line, d.message),
            );
            tracing::error!(
                event = "config.reload_failed",
                file = first.map(|d| d.file.display().to_string()),
                line = first.map(|d| d.line),
                code = first.map(|d| d.code),
                "the configuration has mistakes, the old one stays: {why}",
            );
            return Err(why);
        };
        let changing = Arc::clone(&self.watch.shared.changing);
        let _changing = changing.lock().await;
        // Credentials that cannot be used keep their own account from working, and nothing else from changing.
        credentials::look_for_all(&mut new).await;
        let changes = old.changes_to(&new);
        let accounts = Accounts::make(&new, &self.runner.accounts(), &self.watch.shared)
            .await
            .map_err(|error| error.to_string())?;
        let now = self.watch.shared.clock.now();
        let plans = plans(&new, &self.watch.shared.store, now).await.map_err(|error| error.to_string())?;
        self.runner.replace_neighbours(Neighbours::of(&new));
        *self.watch.config.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(new);
        self.runner.replace_accounts(accounts);
        // A login may be another one, and what it was kept from runs with that.
        self.watch.shared.woken.notify_one();
        trigger::lock(&self.watch.board).replace(plans, now);
        if let Err(error) = self.trigger.replace().await {
            tracing::warn!("{error}");
        }
        tracing::info!(event = "config.reloaded", changes = %changes, "configuration reloaded");
        Ok(())
    }
}
