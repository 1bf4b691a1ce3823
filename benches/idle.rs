//! What the agent costs while it does nothing, which is almost always: 20 hourly jobs, none due. And how long it takes
//! from the start to ready, after a clean stop.
//!
//! The real binary runs as a child, watched from outside: the kernel's own counts of memory, processor time and
//! voluntary context switches, thread by thread. `--seconds N` watches for longer than half a minute. Over a bar, the
//! exit code is 1.

#[path = "common/bars.rs"]
mod bars;
#[path = "common/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use chrono::Timelike;
use sellerd::clock::{SharedClock, SystemClock};
use serde_json::Value;

use bars::{Bars, median};

const JOBS: usize = 20;
const STARTS: usize = 9;

fn main() -> ExitCode {
    shop::run(bench())
}

async fn bench() -> ExitCode {
    let clock = SystemClock::shared();
    let shop = shop::open(8_431).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    shop::configure(dir.path(), &shop, &jobs(&clock));
    let mut bars =
        Bars::new(&format!("The agent with {JOBS} hourly jobs, watched for {} s", watched().as_secs()));

    let size = fs::metadata(shop::binary()).expect("cargo has built it").len();
    bars.bar("release binary, stripped", size as f64 / 1e6, "MB", ..=16.0);

    // A start commits twice. Where the disk is busy with other people's work, those commits are all that is measured,
    // so the bar is on a state directory in memory, and the disk's own is told beside what a bare commit takes there.
    let in_memory =
        tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().expect("a directory"));
    shop::configure(in_memory.path(), &shop, &jobs(&clock));
    let (memory, disk) = (starts(in_memory.path(), &clock), starts(dir.path(), &clock));
    bars.bar(&format!("start to ready, median of {STARTS}"), memory.ready, "ms", ..=100.0);
    bars.told("start to ready, slowest", memory.slowest, "ms");
    bars.told("start to ready, by its own word", memory.said, "ms");
    bars.told("start to ready on this disk, median", disk.ready, "ms");
    bars.told("start to ready on this disk, slowest", disk.slowest, "ms");
    bars.told("one durable write to this disk", durable_write(dir.path(), &clock), "ms");

    let agent = Agent::start(dir.path(), &clock);
    clock.sleep(Duration::from_secs(2)).await;
    watch(&mut bars, "idle", &agent, &clock).await;
    // Nothing is idle for long before it has worked once.
    for job in ["stock-pull-0", "order-poll-1", "probe-2", "housekeeping-3"] {
        let run =
            shop::sellerd(dir.path()).args(["job", "run", job, "-o", "json"]).output().expect("it starts");
        assert!(run.status.success(), "{job}: {}", String::from_utf8_lossy(&run.stdout));
    }
    clock.sleep(Duration::from_secs(2)).await;
    watch(&mut bars, "idle after work", &agent, &clock).await;
    agent.stop();
    bars.end()
}

/// How long starts took after a clean stop, in milliseconds.
struct Starts {
    ready: f64,
    slowest: f64,
    said: f64,
}

fn starts(dir: &Path, clock: &SharedClock) -> Starts {
    // The first start makes the database; the others find what a clean stop has left.
    Agent::start(dir, clock).stop();
    let one = |_| {
        let agent = Agent::start(dir, clock);
        let start = (agent.ready_ms, agent.said_ms);
        agent.stop();
        start
    };
    let all: Vec<(f64, f64)> = (0..STARTS).map(one).collect();
    Starts {
        ready: median(all.iter().map(|start| start.0).collect()),
        slowest: all.iter().map(|start| start.0).fold(0.0, f64::max),
        said: median(all.iter().map(|start| start.1).collect()),
    }
}

/// What it takes to append a page to a file and have it on the disk.
fn durable_write(dir: &Path, clock: &SharedClock) -> f64 {
    let mut file = fs::File::create(dir.join("durable")).expect("a file of our own");
    let one = |_| {
        let begun = clock.elapsed();
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("the disk has room");
        (clock.elapsed() - begun).as_secs_f64() * 1e3
    };
    median((0..STARTS * 4).map(one).collect())
}

/// Jobs of all kinds, due in half an hour and not before.
fn jobs(clock: &SharedClock) -> Vec<(String, String)> {
    let minute = (clock.now().minute() + 30) % 60;
    let kinds = ["stock-pull", "order-poll", "probe", "housekeeping"];
    let job = |number: usize| {
        let kind = kinds[number % kinds.len()];
        let account = if kind == "housekeeping" { "" } else { "account = \"shop\"\n" };
        let text =
            format!("kind = \"{kind}\"\n{account}schedule = \"{minute} * * * *\"\nmode = \"observe\"\n");
        (format!("{kind}-{number}"), text)
    };
    (0..JOBS).map(job).collect()
}

async fn watch(bars: &mut Bars, when: &str, agent: &Agent, clock: &SharedClock) {
    let span = watched();
    let before = threads(agent.child.id());
    let begun = clock.elapsed();
    clock.sleep(span).await;
    let after = threads(agent.child.id());
    let seconds = (clock.elapsed() - begun).as_secs_f64();

    let memory = |name| shop::memory(agent.child.id(), name).expect("it runs");
    bars.bar(&format!("{when}: resident"), memory("VmRSS"), "MiB", ..=20.0);
    bars.told(&format!("{when}: resident and nobody else's"), memory("RssAnon"), "MiB");
    bars.told(&format!("{when}: threads"), after.len() as f64, "");
    let since = |thread: u32| before.get(&thread).cloned().unwrap_or_default();
    let busy: u64 = after.iter().map(|(id, now)| now.nanoseconds - since(*id).nanoseconds).sum();
    bars.bar(&format!("{when}: processor"), busy as f64 / 1e9 / seconds * 100.0, "%", ..=0.05);
    let wakes = |id: u32, now: &Thread| (now.wakes - since(id).wakes) as f64 / seconds;
    bars.bar(&format!("{when}: wake-ups"), after.iter().map(|(id, now)| wakes(*id, now)).sum(), "/s", ..=4.5);
    for (id, now) in &after {
        let own = wakes(*id, now);
        if own > 0.0 {
            bars.told(&format!("{when}: wake-ups of {}", now.name), own, "/s");
        }
    }
}

#[derive(Clone, Default)]
struct Thread {
    name: String,
    nanoseconds: u64,
    wakes: u64,
}

/// What the kernel has counted of each thread. Threads that have ended are not in it; an idle agent ends none.
fn threads(pid: u32) -> BTreeMap<u32, Thread> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let read = |task: &Path, file: &str| fs::read_to_string(task.join(file)).ok();
    let all = tasks.filter_map(|task| {
        let task = task.ok()?;
        let (path, id) = (task.path(), task.file_name().to_str()?.parse().ok()?);
        let status = read(&path, "status")?;
        let wakes = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        let thread = Thread {
            name: read(&path, "comm")?.trim().to_owned(),
            nanoseconds: read(&path, "schedstat")?.split_whitespace().next()?.parse().ok()?,
            wakes: wakes.trim().parse().ok()?,
        };
        Some((id, thread))
    });
    all.collect()
}

/// The agent as a child.
struct Agent {
    child: Child,
    lines: Receiver<Value>,
    ready_ms: f64,
    said_ms: f64,
}

impl Agent {
    /// Starts it and returns once it says that it is ready.
    fn start(dir: &Path, clock: &SharedClock) -> Self {
        let begun = clock.elapsed();
        let spawned = shop::sellerd(dir).arg("run").stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("the binary starts");
        let stderr = child.stderr.take().expect("it was asked for");
        let (sender, lines) = channel();
        // Its lines are read to the end, or it would wait for us once the pipe is full.
        std::thread::spawn(move || {
            let events = BufReader::new(stderr).lines().map_while(Result::ok);
            for event in events.filter_map(|line| serde_json::from_str(&line).ok()) {
                // Nobody listens any more once it is stopped.
                let _ = sender.send(event);
            }
        });
        let mut agent = Self { child, lines, ready_ms: 0.0, said_ms: 0.0 };
        let ready = agent.until("agent.ready");
        agent.ready_ms = (clock.elapsed() - begun).as_secs_f64() * 1e3;
        agent.said_ms = ready["startup_ms"].as_f64().unwrap_or_default();
        agent
    }

    fn until(&self, event: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(30));
            let line = line.unwrap_or_else(|_| panic!("the agent did not say `{event}`"));
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    fn stop(mut self) {
        let asked = Command::new("sh").args(["-c", "kill -TERM $0", &self.child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "it could not be asked to stop");
        self.until("agent.stopped");
        assert!(self.child.wait().is_ok_and(|status| status.success()), "it did not stop in order");
    }
}

/// How long to watch: half a minute, or `--seconds N`.
fn watched() -> Duration {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seconds");
    Duration::from_secs(arguments.nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(30))
}
