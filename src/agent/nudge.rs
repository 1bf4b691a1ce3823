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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::config_dir;
    use crate::config;

    #[test]
    fn the_syncs_of_the_other_accounts_of_a_shelf_are_told_and_nobody_else() {
        let (dir, _) = config_dir();
        let write = |file: &str, text: &str| std::fs::write(dir.path().join(file), text).unwrap();
        let settings = std::fs::read_to_string(dir.path().join("sellerd.toml")).unwrap();
        let more = "[accounts.nz]\nmarketplace = \"trademe\"\n[accounts.far]\nmarketplace = \"trademe\"\n\
                    [channels.shelf]\naccounts = [\"cm\", \"nz\"]\n";
        write("sellerd.toml", &format!("{settings}\n{more}"));
        let secrets = std::fs::read_to_string(dir.path().join("secrets/cm.toml")).unwrap();
        for account in ["nz", "far"] {
            let path = dir.path().join(format!("secrets/{account}.toml"));
            std::fs::copy(dir.path().join("secrets/cm.toml"), path).unwrap();
            assert!(!secrets.is_empty());
        }
        for (job, account, enabled) in
            [("a", "cm", true), ("b", "nz", true), ("c", "nz", false), ("d", "far", true)]
        {
            let text = format!(
                "kind = \"stock-sync\"\naccount = \"{account}\"\nschedule = \"0 0 1 1 *\"\nenabled = {enabled}\n\
                 [source]\ntype = \"csv\"\npath = \"stock.csv\"\n"
            );
            write(&format!("jobs/{job}.toml"), &text);
        }
        let checked = config::load(dir.path());
        let config = checked.config.as_ref().unwrap_or_else(|| panic!("{}", checked.draw(false)));
        let neighbours = Neighbours::of(config);
        let told = |account: &str| {
            let jobs = neighbours.of_account(&account.into());
            jobs.iter().map(|job| job.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(told("cm"), ["b"]);
        assert_eq!(told("nz"), ["a"]);
        assert!(told("far").is_empty());
    }
}
