//! The agent as it runs for good: a child whose log lines are read as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use super::{PATIENCE, Program, Ran};

/// A running child. Dropped, it is killed.
pub struct Agent {
    child: Child,
    stderr: Receiver<String>,
    stdout: Receiver<String>,
    /// Every line of stderr that was read so far.
    pub lines: Vec<String>,
    /// Every line of stdout that was read so far.
    pub said: Vec<String>,
    /// Where its page is; empty before it is ready, or without one.
    pub page: String,
}

/// An answer of the page.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Agent {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(program: Program) -> Self {
        let mut agent = Self::begin(program);
        let ready = agent.event("agent.ready");
        agent.page = ready["page"].as_str().unwrap_or_default().trim_start_matches("http://").to_owned();
        agent
    }

    /// Starts it and waits for nothing.
    pub fn begin(program: Program) -> Self {
        Self::begin_with(program, |_| {})
    }

    /// The same, after something was taken of the child.
    pub fn begin_with(program: Program, take: impl FnOnce(&mut Child)) -> Self {
        let mut child = program.start();
        take(&mut child);
        let stderr = lines_of(child.stderr.take().expect("stderr is piped"));
        let stdout = lines_of(child.stdout.take().expect("stdout is piped"));
        Self { child, stderr, stdout, lines: Vec::new(), said: Vec::new(), page: String::new() }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next log line with this event.
    #[track_caller]
    pub fn event(&mut self, event: &str) -> Value {
        self.event_where(event, |_| true)
    }

    /// The next log line with this event that fits.
    #[track_caller]
    pub fn event_where(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.next_line(event);
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            if line["event"] == event && fits(&line) {
                return line;
            }
        }
    }

    /// The next line of stderr that fits.
    #[track_caller]
    pub fn line_where(&mut self, wanted: &str, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next_line(wanted);
            if fits(&line) {
                return line;
            }
        }
    }

    /// The next line of stdout in which this stands.
    #[track_caller]
    pub fn saying(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.stdout.recv_timeout(PATIENCE) else {
                panic!("{text:?} was never said:\n{}\n{}", self.said.join("\n"), self.lines.join("\n"));
            };
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    #[track_caller]
    fn next_line(&mut self, wanted: &str) -> String {
        match self.stderr.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.lines.push(line.clone());
                line
            }
            Err(why) => panic!("no {wanted} ({why}):\n{}", self.lines.join("\n")),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.pid())).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} was not sent");
    }

    /// Takes its process away from under it, as a power cut would.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
        self.rest();
        std::mem::take(&mut self.lines)
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        self.rest();
        let status = self.child.wait().expect("it is ours");
        Ran {
            code: status.code().unwrap_or_else(|| panic!("ended by a signal: {status}")),
            stdout: self.said.join("\n"),
            stderr: self.lines.join("\n"),
            typed: "run".to_owned(),
        }
    }

    /// Asks it to drain and waits for its end, which must be a clean one.
    #[track_caller]
    pub fn stop(self) -> Ran {
        self.signal("TERM");
        self.end().exits(0)
    }

    #[track_caller]
    fn rest(&mut self) {
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) => self.lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.lines.join("\n")),
            }
        }
        self.said.extend(self.stdout.iter());
    }

    /// Asks its page.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        get(&self.page, path)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a page of this machine, with nothing clever in between.
#[track_caller]
pub fn get(address: &str, path: &str) -> Reply {
    let mut tcp = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    tcp.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it listens");
    let mut text = String::new();
    tcp.read_to_string(&mut text).expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, body: body.to_owned() }
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    told
}
