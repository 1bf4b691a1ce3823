//! Who is told when an account has sold something: the stock-sync jobs of the accounts that sell from the same shelf.
//! A nudge carries no data; what happened stands in the database.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Config, Job, Overlap, Work};
use crate::domain::AccountName;

/// The jobs to be nudged, by the account that has news for them.
#[derive(Debug, Clone, Default)]
pub struct Neighbours(HashMap<AccountName, Vec<Arc<Job>>>);

impl Neighbours {
    /// Those of a configuration. Jobs that are switched off stay off.
    pub fn of(config: &Config) -> Self {
        let mut neighbours: HashMap<AccountName, Vec<Arc<Job>>> = HashMap::new();
        let syncs = config.jobs.values().filter(|job| job.enabled && matches!(job.work, Work::StockSync(_)));
        for job in syncs {
            let Some(account) = &job.account else { continue };
            // One that runs at this moment may have read the orders before the sale: then it runs again.
            let job = Arc::new(Job { overlap: Overlap::Queue, ..job.clone() });
            let channels = config.channels.values().filter(|channel| channel.accounts.contains(account));
            let mut others: Vec<&AccountName> = channels.flat_map(|channel| &channel.accounts).collect();
            others.sort();
            others.dedup();
            for other in others.into_iter().filter(|other| *other != account) {
                neighbours.entry(other.clone()).or_default().push(Arc::clone(&job));
            }
        }
        Self(neighbours)
    }

    /// The jobs that have to know of a sale at this account.
    pub fn of_account(&self, account: &AccountName) -> &[Arc<Job>] {
        self.0.get(account).map_or(&[], Vec::as_slice)
    }
}
