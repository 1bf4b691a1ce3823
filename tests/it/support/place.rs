//! A pretend shop and a configuration directory that knows it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sellerd::clock::SystemClock;
use sellerd::sandbox::{Fault, Keys, Options, Sandbox, Seen};
use sellerd::store::{Store, StoreError, Tx};
use serde_json::Value;
use tempfile::TempDir;

use super::{Agent, Program, RUNTIME, Ran};

/// A shop, and a directory with the account `cm` at it and a job of each kind, due on the first of January.
pub struct Place {
    /// The shop.
    pub sandbox: Sandbox,
    home: TempDir,
}

/// The kinds of jobs there are, each a file of its name.
const JOBS: [&str; 4] = ["probe", "stock-pull", "order-poll", "housekeeping"];

impl Place {
    /// A shop of this many articles.
    pub fn of(articles: usize) -> Self {
        Self::with(|options| options.articles = articles)
    }

    /// A shop of 120 articles with what `change` makes of it.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options =
            Options { articles: 120, minute_limit: None, ..Options::new(SystemClock::shared()) };
        change(&mut options);
        let sandbox = RUNTIME.block_on(Sandbox::start(options)).expect("a free port");
        let home = tempfile::tempdir().expect("a directory");
        let place = Self { sandbox, home };
        place.write("sellerd.toml", &settings());
        place.add_account("cm", &place.sandbox.base_url(), place.sandbox.credentials());
        for job in JOBS {
            place.write_job(job, job, "0 0 1 1 *", "");
        }
        place
    }

    /// The shop itself, for whoever hands it to something that lives as long as the agent's requests. What is left in
    /// its place is a shop of nothing that nobody knows.
    pub fn take_sandbox(&mut self) -> Sandbox {
        let nothing = Options { articles: 0, orders: 0, ..Options::new(SystemClock::shared()) };
        let nothing = RUNTIME.block_on(Sandbox::start(nothing)).expect("a free port");
        std::mem::replace(&mut self.sandbox, nothing)
    }

    /// The configuration directory.
    pub fn dir(&self) -> PathBuf {
        self.home.path().join("config")
    }

    /// The directory that holds the configuration and nothing else: the program's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Writes a file of the configuration.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.dir().join(file);
        fs::create_dir_all(path.parent().expect("it is inside")).expect("a directory");
        fs::write(&path, text).expect("a file");
        let mode = if file.starts_with("secrets/") { 0o600 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// Replaces a text that stands in a file of the configuration.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.dir().join(file)).expect("a file");
        assert!(text.contains(from), "{from:?} is not in {file}:\n{text}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// Another account.
    pub fn add_account(&self, name: &str, base_url: &str, keys: &Keys) {
        let text = fs::read_to_string(self.dir().join("sellerd.toml")).expect("a file");
        let account = format!(
            "\n[accounts.{name}]\nmarketplace = \"cardmarket\"\nbase_url = \"{base_url}\"\n\
             max_per_second = 50\nrequest_timeout = \"10s\"\n"
        );
        self.write("sellerd.toml", &(text + &account));
        self.write_secrets(name, keys);
    }

    /// The credentials of an account.
    pub fn write_secrets(&self, account: &str, keys: &Keys) {
        let text = format!(
            "consumer_key = \"{}\"\nconsumer_secret = \"{}\"\ntoken = \"{}\"\ntoken_secret = \"{}\"\n",
            keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret
        );
        self.write(&format!("secrets/{account}.toml"), &text);
    }

    /// A job's file. `housekeeping` belongs to no account, the others to `cm` unless `more` says otherwise.
    pub fn write_job(&self, name: &str, kind: &str, schedule: &str, more: &str) {
        let account =
            if kind == "housekeeping" || more.contains("account") { "" } else { "account = \"cm\"\n" };
        let text = format!("kind = \"{kind}\"\n{account}schedule = \"{schedule}\"\n{more}\n");
        self.write(&format!("jobs/{name}.toml"), &text);
    }

    /// The program, told where the configuration is.
    pub fn program(&self) -> Program {
        Program::new(self.home()).arg("-c").arg(self.dir())
    }

    /// Runs the program with these words.
    pub fn run(&self, words: &str) -> Ran {
        self.program().args(words).run()
    }

    /// Runs a job and shows its run, which must end with this exit code.
    #[track_caller]
    pub fn job(&self, name: &str, code: i32) -> Value {
        self.run(&format!("-o json job run {name}")).exits(code).document("sellerd.run/1")
    }

    /// Returns once the running agent has made up by itself for a run that was refused.
    #[track_caller]
    pub fn made_up(&self, job: &str) {
        super::eventually("a run that is made up for", || {
            let runs = self.list(&format!("runs list --job {job}"), "runs");
            runs.iter().any(|run| run["outcome"] == "success" && run["trigger"] == "retry").then_some(())
        });
    }

    /// A list of the program's, as JSON.
    #[track_caller]
    pub fn list(&self, words: &str, key: &str) -> Vec<Value> {
        let ran = self.run(&format!("-o json {words}")).exits(0);
        let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        document[key].as_array().unwrap_or_else(|| panic!("no {key} in {}", ran.stdout)).clone()
    }

    /// What `sellerd status` says, whatever its exit code.
    pub fn status(&self) -> Value {
        self.run("-o json status").document("sellerd.status/1")
    }

    /// The agent, ready.
    pub fn agent(&self) -> Agent {
        Agent::start(self.program().args("run"))
    }

    /// Breaks something in the shop, in the words of `sellerd sandbox fault`.
    pub fn fault(&self, words: &str) {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        self.sandbox.fault(Fault::parse(&words).expect("a fault"));
    }

    /// What the shop was asked since it opened.
    pub fn seen(&self) -> Vec<Seen> {
        self.sandbox.requests()
    }

    /// How often the shop was asked since it opened.
    pub fn asked(&self) -> usize {
        self.sandbox.with_shop(|shop| shop.ledger().total()) as usize
    }

    /// Looks into the database beside whoever owns it.
    pub fn store<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        let store = Store::open_beside(&self.state().join("sellerd.db")).expect("a database");
        RUNTIME.block_on(store.write(look)).expect("it can be read")
    }

    /// Reads every page of the database and compares it with what it should be.
    pub fn assert_database_is_whole(&self) {
        let store = Store::open_beside(&self.state().join("sellerd.db")).expect("a database");
        RUNTIME.block_on(sellerd::store::integrity::quick_check(&store)).expect("it is whole");
    }
}

fn settings() -> String {
    "config_version = 1\ntimezone = \"Europe/Berlin\"\nstate_dir = \"state\"\n\n[http]\nlisten = \"127.0.0.1:0\"\n"
        .to_owned()
}

/// An account of a status document.
#[track_caller]
pub fn status_of<'a>(status: &'a Value, account: &str) -> &'a Value {
    let accounts = status["accounts"].as_array().expect("accounts");
    accounts
        .iter()
        .find(|row| row["account"] == account)
        .unwrap_or_else(|| panic!("no {account} in {status}"))
}

/// An account's access in a status document.
pub fn access<'a>(status: &'a Value, account: &str) -> &'a Value {
    &status_of(status, account)["access"]
}
