//! A pretend shop in this process, and the agent's real binary beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sellerd::clock::SystemClock;
use sellerd::sandbox::{Options, Sandbox};

use crate::bars::is_bench;

/// Runs a bench with a runtime for it and the shop, where this is one.
pub fn run(bench: impl Future<Output = ExitCode>) -> ExitCode {
    if !is_bench() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(bench)
}

/// A shop that refuses nothing for being asked too often, and that nobody buys from.
pub async fn open(articles: usize) -> Sandbox {
    let unlimited = Options {
        daily_limit: None,
        minute_limit: None,
        concurrency: None,
        buyers: None,
        articles,
        carts: 7,
        export_delay: std::time::Duration::ZERO,
        ..Options::new(SystemClock::shared())
    };
    Sandbox::start(unlimited).await.expect("a free port on loopback")
}

/// Writes a configuration directory with the account `shop` and these jobs, each a name and the text of its file.
pub fn configure(dir: &Path, shop: &Sandbox, jobs: &[(String, String)]) {
    let settings = format!(
        "config_version = 1\ntimezone = \"Europe/Berlin\"\nstate_dir = \"state\"\n\n\
         [http]\nlisten = \"127.0.0.1:0\"\n\n[log]\nformat = \"json\"\n\n\
         [accounts.shop]\nmarketplace = \"cardmarket\"\nbase_url = \"{}\"\n\
         daily_limit = \"none\"\nminute_limit = \"none\"\nmax_per_second = 1000\n",
        shop.base_url(),
    );
    let keys = shop.credentials();
    let secrets = format!(
        "consumer_key = \"{}\"\nconsumer_secret = \"{}\"\ntoken = \"{}\"\ntoken_secret = \"{}\"\n",
        keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret,
    );
    put(&dir.join("sellerd.toml"), &settings);
    put(&dir.join("secrets/shop.toml"), &secrets);
    for (name, text) in jobs {
        put(&dir.join(format!("jobs/{name}.toml")), text);
    }
}

/// The agent on that directory. `SELLERD_BIN` names another binary than the one that cargo built beside the bench,
/// for example one without the features that only tests need.
pub fn sellerd(dir: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("-c").arg(dir).env_remove("SELLERD_LOG").env_remove("NOTIFY_SOCKET");
    command
}

/// The agent's binary.
pub fn binary() -> PathBuf {
    std::env::var_os("SELLERD_BIN").map_or_else(|| env!("CARGO_BIN_EXE_sellerd").into(), PathBuf::from)
}

/// A line of `/proc/PID/status` that is in kB, in MiB. `None` once the process has ended.
pub fn memory(pid: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file in a directory")).expect("a directory of our own");
    fs::write(path, text).expect("a file of our own");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("our own file");
}
