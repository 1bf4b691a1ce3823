//! The shop, what happens in it, and the configuration of the agent that works it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sellerd::clock::SystemClock;
use sellerd::sandbox::{Fault, Options, OrderAction, OrderState, Purchase, Sandbox};
use sellerd::store::Store;
use tempfile::TempDir;

use super::RUNTIME;
use super::child::{self, Ran};

/// The jobs, each a file of its kind's name.
pub const JOBS: [&str; 3] = ["order-poll", "stock-pull", "housekeeping"];

/// When they are due. Nobody would configure that; it leaves no moment in which nothing is going on.
const SCHEDULES: [&str; 3] = ["* * * * * *", "*/2 * * * * *", "*/3 * * * * *"];

/// What goes wrong, in the words of `sellerd sandbox fault`. Nothing that takes the access away: that is another story.
const FAULTS: [&str; 18] = [
    "drop-before --next 1",
    "drop-before --next 3",
    "drop-after --next 1",
    "drop-after --next 3",
    "5xx --next 1",
    "5xx --next 4",
    "slow 40ms --next 20",
    "slow 250ms --next 3",
    "never --next 1",
    "truncate-body --next 1",
    "truncate-json --next 1",
    "html --next 1",
    "garbage --next 1",
    "error-in-200 --next 1",
    "429 1 --next 1",
    "bad-rows 2 --next 2",
    "duplicate-row --next 1",
    "page-shift sell --next 1",
];

/// A shop, and the directory of an agent that works it.
pub struct Scene {
    pub sandbox: Sandbox,
    home: TempDir,
}

impl Scene {
    pub fn new(seed: u64, articles: usize) -> Self {
        let options = Options {
            seed,
            articles,
            minute_limit: None,
            daily_limit: None,
            ..Options::new(SystemClock::shared())
        };
        let sandbox = RUNTIME.block_on(Sandbox::start(options)).expect("a free port");
        let scene = Self { sandbox, home: directory() };
        scene.configure();
        scene
    }

    fn configure(&self) {
        let base_url = self.sandbox.base_url();
        self.write(
            "sellerd.toml",
            &format!(
                "config_version = 1\ntimezone = \"UTC\"\nstate_dir = \"state\"\n\n[http]\nlisten = \"127.0.0.1:0\"\n\n\
                 [accounts.cm]\nmarketplace = \"cardmarket\"\nbase_url = \"{base_url}\"\nmax_per_second = 100\n\
                 request_timeout = \"2s\"\ndaily_limit = 1000000\n"
            ),
        );
        let keys = self.sandbox.credentials();
        self.write(
            "secrets/cm.toml",
            &format!(
                "consumer_key = \"{}\"\nconsumer_secret = \"{}\"\ntoken = \"{}\"\ntoken_secret = \"{}\"\n",
                keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret
            ),
        );
        for (job, schedule) in JOBS.into_iter().zip(SCHEDULES) {
            let account = if job == "housekeeping" { "" } else { "account = \"cm\"\n" };
            let file = format!("jobs/{job}.toml");
            self.write(&file, &format!("kind = \"{job}\"\n{account}schedule = \"{schedule}\"\n"));
        }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.dir().join(file);
        fs::create_dir_all(path.parent().expect("it is inside")).expect("a directory");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// The configuration directory, with the state in it.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Keeps the directory for whoever wants to know what went wrong.
    pub fn keep(mut self) -> PathBuf {
        self.home.disable_cleanup(true);
        self.home.path().to_owned()
    }

    /// Runs the program to its end.
    pub fn run(&self, words: &str) -> Ran {
        child::run(self.dir(), words)
    }

    /// The database, beside whoever owns it.
    pub fn store(&self) -> Store {
        Store::open_beside(&self.dir().join("state/sellerd.db")).expect("a database")
    }

    /// How many requests have reached the shop.
    pub fn asked(&self) -> u64 {
        self.sandbox.with_shop(|shop| shop.ledger().total())
    }

    /// Somebody buys, pays, sends, or thinks better of it.
    pub fn let_something_happen(&self, rng: &mut fastrand::Rng) {
        if rng.u8(..3) == 0 {
            let purchase = Purchase { pay: Some(rng.bool()), ..Purchase::default() };
            // Sold out is sold out.
            let _ = self.sandbox.buy(&purchase);
            return;
        }
        let orders: Vec<(u64, OrderState)> = self
            .sandbox
            .with_shop(|shop| shop.orders().iter().map(|order| (order.id, order.state)).collect());
        let Some((order, state)) = rng.choice(orders) else { return };
        let actions: &[OrderAction] = match state {
            OrderState::Bought => &[OrderAction::Pay, OrderAction::Pay, OrderAction::Cancel],
            OrderState::Paid => {
                &[OrderAction::Send, OrderAction::Send, OrderAction::Cancel, OrderAction::Undo]
            }
            OrderState::Sent => &[OrderAction::Receive, OrderAction::Lose, OrderAction::Undo],
            OrderState::Received => &[OrderAction::Evaluate],
            OrderState::Cancelled => &[OrderAction::Undo],
            OrderState::Evaluated | OrderState::Lost => return,
        };
        let action = *rng.choice(actions).expect("there are some");
        self.sandbox.act(order, action).expect("it follows from that state");
    }

    /// Something goes wrong for a request or a few.
    pub fn break_something(&self, rng: &mut fastrand::Rng) {
        let words = rng.choice(FAULTS).expect("there are some").split(' ').map(str::to_owned);
        self.sandbox.fault(Fault::parse(&words.collect::<Vec<_>>()).expect("a fault"));
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        self.sandbox.clear_faults();
    }
}

/// In memory where there is such a place. A kill takes nothing out of the kernel's hands, so a disk would only add the
/// waits for whoever else uses it.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}
