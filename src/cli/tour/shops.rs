//! The shops of the tour: one pretend seller with an account at every marketplace there is, and the configuration
//! directory that knows them all.
//!
//! Which marketplaces there are and what they need is in their descriptors, so a further one is toured without a word
//! here: the sandbox announces its address and credentials under the marketplace's name.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::list;
use crate::cli::{Exit, Failure};
use crate::config::init::File;
use crate::config::{self, Config, init};
use crate::domain::{AccountName, JobName};
use crate::marketplace::{self, Descriptor};

/// One of the seller's shops.
pub struct Shop {
    /// What people call the marketplace.
    pub title: &'static str,
    /// The account.
    pub account: AccountName,
    /// Where it is.
    pub base_url: String,
    /// The marketplace.
    pub marketplace: &'static Descriptor,
    /// The seller's own list for it, where there is one.
    pub list: Option<String>,
    /// What tells its jobs from those of the first shop; empty for that one.
    prefix: String,
    announced: Value,
}

/// The account at the first marketplace. The others are called what `sellerd init` calls them.
const FIRST: &str = "demo-shop";

/// The marketplace for which the seller keeps a list.
const LISTED: &str = "cardmarket";

/// The tour's own schedules: a day's work in a minute.
const SCHEDULES: [(&str, &str); 4] = [
    ("order-poll", "*/3 * * * * *"),
    ("stock-pull", "0 * * * * *"),
    ("probe", "30 * * * * *"),
    ("housekeeping", "45 * * * * *"),
];

/// More requests than any tour makes.
const LIMIT: &str = "100000";

/// The shops that a sandbox announces. The seller's list, if there is one, is for [`LISTED`].
pub fn announced(announcement: &Value, mut list: Option<String>) -> Result<Vec<Shop>, Failure> {
    let mut shops = Vec::new();
    for (at, marketplace) in marketplace::ALL.iter().enumerate() {
        let list = list.take_if(|_| marketplace.name == LISTED);
        shops.push(Shop { list, ..shop(marketplace, at == 0, &announcement[marketplace.name])? });
    }
    Ok(shops)
}

fn shop(marketplace: &'static Descriptor, is_first: bool, announced: &Value) -> Result<Shop, Failure> {
    let base_url = announced["base_url"]
        .as_str()
        .ok_or_else(|| Failure::internal(format!("the sandbox has no {}", marketplace.title)))?;
    let (account, prefix) = if is_first {
        (FIRST, String::new())
    } else {
        let account = marketplace.first_account;
        (account, format!("{}-", account.split('-').next().unwrap_or(account)))
    };
    Ok(Shop {
        title: marketplace.title,
        account: account.into(),
        base_url: base_url.to_owned(),
        marketplace,
        list: None,
        prefix,
        announced: announced.clone(),
    })
}

impl Shop {
    /// The shop's job of that kind.
    pub fn job(&self, kind: &str) -> JobName {
        JobName(format!("{}{kind}", self.prefix))
    }

    /// What `sellerd init` writes for it alone, with the tour's schedules and room for its requests.
    fn files(&self) -> Vec<File> {
        let credential = |key: &str| self.announced["credentials"][key].as_str().unwrap_or_default().into();
        let answers = init::Answers {
            marketplace: self.marketplace,
            account: self.account.clone(),
            timezone: chrono_tz::Europe::Berlin,
            base_url: Some(self.base_url.clone()),
            state_dir: None,
            credentials: Some(["consumer_key", "consumer_secret", "token", "token_secret"].map(credential)),
        };
        let mut files = init::files(&answers);
        match &self.list {
            Some(list) => files.push((PathBuf::from(list::FILE), list.clone().into(), 0o644)),
            None => files.retain(|(path, ..)| path.as_path() != Path::new("jobs/stock-sync.toml")),
        }
        for (path, text, _) in &mut files {
            let stem = stem(path).to_owned();
            if let Some((_, schedule)) = SCHEDULES.iter().find(|(job, _)| *job == stem) {
                **text = with_line(text, "schedule", &format!("{schedule:?}"));
                **text = with_line(text, "jitter", "\"0s\"");
                if text.contains(&format!("{:?}", self.account.as_str())) {
                    path.set_file_name(format!("{}.toml", self.job(&stem)));
                }
            }
            // The job is there to be asked. By its schedule it would put another plan in the place of the one that is shown.
            if stem == "stock-sync" {
                **text = with_line(text, "plan_expires", "\"1d\"");
                // A file of a stock this small takes longer than its pages.
                **text = with_line(text, "export_above", "\"off\"");
                path.set_file_name(format!("{}.toml", self.job(&stem)));
            }
            if path.as_path() == Path::new(init::SETTINGS) {
                **text = with_line(text, "listen", "\"127.0.0.1:0\"");
                **text = with_line(text, self.marketplace.limit_key, LIMIT);
                **text = with_line(text, "max_per_second", "50");
                for option in self.marketplace.options {
                    if let Some(url) = self.announced[option.key].as_str() {
                        **text = with_line(text, option.key, &format!("{url:?}"));
                    }
                }
            }
        }
        files
    }
}

/// Writes the directory of a seller who has all these shops.
pub fn write_config(dir: &Path, shops: &[Shop]) -> Result<Config, Failure> {
    let files = joined(shops.iter().flat_map(Shop::files));
    init::write(dir, &files).map_err(|error| Failure::new("E210", Exit::Usage, error.to_string(), ""))?;
    let checked = config::load(dir);
    checked.config.clone().ok_or_else(|| Failure::internal(checked.draw(false)))
}

/// The directories of several sellers as that of one. What they have in common is there once; of the settings it is
/// all but the account.
fn joined(files: impl Iterator<Item = File>) -> Vec<File> {
    let mut all: Vec<File> = Vec::new();
    for (path, text, mode) in files {
        match all.iter_mut().find(|(known, ..)| *known == path) {
            None => all.push((path, text, mode)),
            Some((_, settings, _)) if path.as_path() == Path::new(init::SETTINGS) => {
                let account = text.find("[accounts.").map_or("", |at| &text[at..]);
                settings.push('\n');
                settings.push_str(account);
            }
            Some(_) => {}
        }
    }
    all
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// The text with the value of its first `key = ...` line replaced, commented out or not.
fn with_line(text: &str, key: &str, value: &str) -> String {
    let mut done = false;
    let lines = text.lines().map(|line| {
        let is_key = line.split('=').next().is_some_and(|name| name.trim_start_matches("# ").trim() == key);
        if done || !is_key {
            return line.to_owned();
        }
        done = true;
        format!("{key} = {value}")
    });
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Mode;

    #[test]
    fn every_marketplace_gets_an_account_with_jobs_of_its_own_at_the_address_that_was_announced() {
        let keys = json!({ "consumer_key": "a", "consumer_secret": "b", "token": "c", "token_secret": "d" });
        let mut announcement = json!({});
        for marketplace in marketplace::ALL {
            let base_url = format!("http://127.0.0.1:1/{}", marketplace.name);
            announcement[marketplace.name] = json!({ "base_url": base_url, "credentials": keys });
            for option in marketplace.options.iter().filter(|option| option.is_url()) {
                announcement[marketplace.name][option.key] = json!("http://127.0.0.1:1/login");
            }
        }
        let list = "sku,quantity\nMC-1,3\n".to_owned();
        let shops = announced(&announcement, Some(list.clone())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let config = write_config(&dir.path().join("shop"), &shops).unwrap();
        assert_eq!(config.accounts.len(), marketplace::ALL.len());
        assert_eq!(config.jobs.len(), 3 * shops.len() + 2, "housekeeping is for all of them, one has a list");
        assert!(std::fs::read_to_string(dir.path().join("shop/stock.csv")).unwrap() == list);
        let sync = &config.jobs[&JobName::from("stock-sync")];
        assert!(!sync.enabled && sync.mode == Mode::Observe, "nothing is planned or written unasked");
        for shop in &shops {
            let account = &config.accounts[&shop.account];
            assert_eq!(account.limit, Some(100_000));
            assert!(shop.base_url.ends_with(account.marketplace.name));
            for option in shop.marketplace.options.iter().filter(|option| option.is_url()) {
                assert_eq!(account.options[option.key], "http://127.0.0.1:1/login");
            }
            for kind in ["probe", "stock-pull", "order-poll"] {
                let name = shop.job(kind);
                assert_eq!(config.jobs[&name].account.as_ref(), Some(&shop.account));
            }
        }
        announcement[marketplace::ALL[0].name] = json!(null);
        assert!(announced(&announcement, None).is_err());
    }
}
