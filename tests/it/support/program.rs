//! The program, run once to its end.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use super::PATIENCE;

/// A command line of the program under construction.
pub struct Program(Command);

/// How it ended and what it wrote.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
    /// What was typed.
    pub typed: String,
}

impl Program {
    /// The program with a home of its own and nothing else of this machine's environment.
    pub fn new(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sellerd"));
        command
            .env_clear()
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("PATH", "/usr/bin:/bin")
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command)
    }

    /// One more word.
    pub fn arg(mut self, word: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.arg(word);
        self
    }

    /// More words, separated by blanks.
    pub fn args(mut self, words: &str) -> Self {
        self.0.args(words.split_whitespace());
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Where its stdin comes from.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.0.stdin(stdin);
        self
    }

    /// The directory in which it is run.
    pub fn in_dir(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Child {
        self.0.spawn().expect("the program starts")
    }

    /// Runs it to its end.
    pub fn run(self) -> Ran {
        let typed = self.0.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        finish(self.start(), typed)
    }
}

/// Waits for the end of a child, and ends it if that takes too long.
pub fn finish(mut child: Child, typed: String) -> Ran {
    let stdout = collect(child.stdout.take().expect("stdout is piped"));
    let stderr = collect(child.stderr.take().expect("stderr is piped"));
    let read = |pipe: mpsc::Receiver<String>| pipe.recv_timeout(PATIENCE * 2).ok();
    let (out, err) = (read(stdout), read(stderr));
    if out.is_none() || err.is_none() {
        let _ = child.kill();
        panic!("`sellerd {typed}` did not end");
    }
    let status = child.wait().expect("the child was ours");
    let code = status.code().unwrap_or_else(|| panic!("`sellerd {typed}` was ended by a signal: {status}"));
    Ran { code, stdout: out.unwrap_or_default(), stderr: err.unwrap_or_default(), typed }
}

fn collect(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        // Whoever waited may have given up.
        let _ = tell.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    told
}

impl Ran {
    /// The same, if it ended with this code and without a panic.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "sellerd {}\n{}\n{}", self.typed, self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "sellerd {}\n{}", self.typed, self.stderr);
        self
    }

    /// Its one JSON document, of this schema.
    #[track_caller]
    pub fn document(&self, schema: &str) -> Value {
        let document: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("sellerd {}: {error}\n{}\n{}", self.typed, self.stdout, self.stderr)
        });
        assert!(
            self.stdout.starts_with(&format!("{{\"schema\":\"{schema}\"")),
            "sellerd {}: a document starts with its schema: {}",
            self.typed,
            self.stdout
        );
        document
    }

    /// The JSON object with which it says on stderr that it failed.
    #[track_caller]
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().find(|line| line.starts_with("{\"schema\":\"sellerd.error/1\""));
        let line = line.unwrap_or_else(|| panic!("sellerd {}: no error in {}", self.typed, self.stderr));
        serde_json::from_str(line).expect("the error is JSON")
    }

    /// The same, if this stands in what it wrote for people. The directory that was typed is repeated in the commands
    /// that it names; it may be left out here.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        let dir = self.typed.split(' ').skip_while(|word| *word != "-c").nth(1).unwrap_or_default();
        let short = all.replace(&format!("sellerd -c {dir} "), "sellerd ");
        assert!(
            all.contains(text) || short.contains(text),
            "sellerd {}: {text:?} is not in\n{all}",
            self.typed
        );
        self
    }
}
