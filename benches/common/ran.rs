//! One run of a job by the real binary, watched from outside.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use sellerd::clock::SystemClock;
use sellerd::sandbox::Sandbox;
use serde_json::Value;

use crate::shop;

/// How it went.
pub struct Ran {
    /// What it took.
    pub seconds: f64,
    /// How long it had a processor, in seconds.
    pub busy: f64,
    /// The most memory that it held, in MiB.
    pub peak: f64,
    /// Requests, by the shop's own count.
    pub requests: f64,
    /// What it said of itself.
    pub run: Value,
}

/// What one call of the real binary took, and what it said.
pub struct Watched {
    /// What it took.
    pub seconds: f64,
    /// How long it had a processor, in seconds.
    pub busy: f64,
    /// The most memory that it held, in MiB.
    pub peak: f64,
    /// What it said.
    pub output: Output,
}

impl Ran {
    /// Runs the job now and waits for its end.
    pub async fn of(dir: &Path, shop: &Sandbox, job: &str) -> Self {
        Self::by(dir, shop, &["job", "run", job]).await
    }

    /// Calls a command that ends with a run, and waits for its end.
    pub async fn by(dir: &Path, shop: &Sandbox, command: &[&str]) -> Self {
        let before = shop.with_shop(|shop| shop.ledger().total());
        let arguments = [command, &["-o", "json", "-q"]].concat();
        // A plan that was applied is told item by item, which is more than a pipe holds.
        let said = dir.join("said.json");
        let file = fs::File::create(&said).expect("a file of our own");
        let Watched { seconds, busy, peak, output } = Watched::of(dir, &arguments, file.into()).await;
        let said = fs::read(&said).expect("what it said");
        assert!(output.status.success(), "the run failed: {}", String::from_utf8_lossy(&said));
        let run: Value = serde_json::from_slice(&said).expect("JSON, as asked for");
        let requests = (shop.with_shop(|shop| shop.ledger().total()) - before) as f64;
        Self { seconds, busy, peak, requests, run }
    }

    /// What it counted under this name.
    pub fn count(&self, name: &str) -> f64 {
        self.run["counts"][name].as_f64().unwrap_or_default()
    }
}

impl Watched {
    /// Calls it and waits for its end. What it says on a pipe has to fit into it, since nobody reads before.
    pub async fn of(dir: &Path, arguments: &[&str], stdout: Stdio) -> Self {
        let clock = SystemClock::shared();
        let begun = clock.elapsed();
        let mut command = shop::sellerd(dir);
        command.args(arguments).stdout(stdout).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let (mut peak, mut busy): (f64, f64) = (0.0, 0.0);
        // Both only ever grow, and are read until there are none.
        while child.try_wait().expect("our own child").is_none() {
            busy = busy.max(busy_of(child.id()).unwrap_or_default());
            peak = peak.max(shop::memory(child.id(), "VmHWM").unwrap_or_default());
            clock.sleep(Duration::from_millis(2)).await;
        }
        let seconds = (clock.elapsed() - begun).as_secs_f64();
        let output = child.wait_with_output().expect("our own child");
        Self { seconds, busy, peak, output }
    }
}

/// How long a process has had a processor, in seconds. `None` once it has ended.
fn busy_of(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind its name, which may hold anything, user and system time are the twelfth and the thirteenth, in hundredths.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
