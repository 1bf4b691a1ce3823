//! The program as a process: started, read, signalled, killed.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sellerd::clock::{Clock, SystemClock};
use serde_json::Value;

use super::RUNTIME;
use super::judge::Violations;

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By a signal.
    Signal,
    /// Not at all, in the time there was.
    Never,
}

/// A process that came to its end.
pub struct Ran {
    pub code: End,
    pub stdout: String,
    pub stderr: String,
}

/// The agent as it runs for good.
pub struct Agent {
    child: Child,
    clock: SystemClock,
    told: Receiver<String>,
    /// What it has logged so far.
    pub lines: Vec<String>,
    /// Jobs that people run beside it.
    beside: Vec<Child>,
}

impl Agent {
    pub fn start(dir: &Path) -> Self {
        let clock = SystemClock::default();
        let mut child = start(dir, "run");
        let (tell, told) = mpsc::channel();
        let stderr = child.stderr.take().expect("stderr is piped");
        thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.map(|line| tell.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        Self { child, clock, told, lines: Vec::new(), beside: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready and says how long that took.
    pub fn ready(&mut self) -> Option<Duration> {
        self.sees(|line| line["event"] == "agent.ready").then(|| self.clock.elapsed())
    }

    /// How long its threads were ready to run while the machine ran others.
    pub fn kept_waiting(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let nanos = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').nth(1)?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Waits for a run of this job that succeeds.
    pub fn sees_success_of(&mut self, job: &str) -> bool {
        let succeeded = |line: &Value| {
            line["event"] == "job.finished" && line["job"] == job && line["outcome"] == "success"
        };
        let before =
            self.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).any(|line| succeeded(&line));
        before || self.sees(succeeded)
    }

    fn sees(&mut self, fits: impl Fn(&Value) -> bool) -> bool {
        let begun = self.clock.elapsed();
        while let Ok(line) = self.told.recv_timeout((begun + PATIENCE).saturating_sub(self.clock.elapsed())) {
            let found = serde_json::from_str(&line).is_ok_and(|line| fits(&line));
            self.lines.push(line);
            if found {
                return true;
            }
        }
        false
    }

    pub fn signal(&self, name: &str) {
        // It may have ended a moment ago.
        let _ = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.pid()))
            .stderr(Stdio::null())
            .status();
    }

    /// A person runs a job in it, and does not wait for the answer.
    pub fn run_beside(&mut self, dir: &Path, job: &str) {
        self.beside.push(start(dir, &format!("job run {job}")));
    }

    /// Whether people run jobs in it, which will be theirs alone once it is gone.
    pub fn has_company(&self) -> bool {
        !self.beside.is_empty()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is ours")
    }

    /// Takes its process away from under it.
    pub fn kill(mut self, violations: &mut Violations) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
        self.over(violations);
    }

    /// Asks it to stop and waits for its end.
    pub fn drain(mut self, violations: &mut Violations) -> End {
        self.signal("TERM");
        let end = wait(&mut self.child);
        self.over(violations);
        end
    }

    /// The last of what it said.
    pub fn last_words(&mut self) -> String {
        self.lines.extend(self.told.try_iter());
        self.lines.iter().rev().take(3).rev().cloned().collect::<Vec<_>>().join("\n      ")
    }

    /// Reads the rest of its log, and waits for those who waited for it.
    fn over(&mut self, violations: &mut Violations) {
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    violations.add("its stderr stays open".to_owned());
                    break;
                }
            }
        }
        violations.look_through(&self.lines);
        for mut child in self.beside.drain(..) {
            match wait(&mut child) {
                End::Code(_) => {}
                end => violations.add(format!("a job run beside it ended with {end} when it was over")),
            }
            let mut said = String::new();
            let stderr = child.stderr.take().expect("stderr is piped");
            // What is no text would be a violation of its own; the log is read as it comes.
            let _ = BufReader::new(stderr).read_to_string(&mut said);
            violations.look_through(&said.lines().map(str::to_owned).collect::<Vec<_>>());
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        for child in self.beside.iter_mut().chain([&mut self.child]) {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts the program with these words.
pub fn start(dir: &Path, words: &str) -> Child {
    command(dir, words).stdout(Stdio::null()).spawn().expect("the program starts")
}

/// Runs the program with these words to its end.
pub fn run(dir: &Path, words: &str) -> Ran {
    let output = command(dir, words).stdout(Stdio::piped()).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().map_or(End::Signal, End::Code);
    Ran { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn command(dir: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sellerd"));
    command
        .env_clear()
        .env("HOME", dir)
        .env("TMPDIR", dir)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(dir)
        .arg("-c")
        .arg(dir)
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits for the end of a process, and kills it where that takes too long.
fn wait(child: &mut Child) -> End {
    let clock = SystemClock::default();
    while clock.elapsed() < PATIENCE {
        match child.try_wait().expect("it is ours") {
            Some(status) => return status.code().map_or(End::Signal, End::Code),
            None => RUNTIME.block_on(clock.sleep(Duration::from_millis(10))),
        }
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    End::Never
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal => f.write_str("a signal"),
            Self::Never => f.write_str("no end"),
        }
    }
}
