//! Logging in and out through the front door, at both marketplaces, with a browser that is played here.

mod absent;
mod at_cardmarket;
mod at_trademe;
mod browser;
mod import;
mod unusable;

use std::io::Write;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Agent, Place, Program};

/// The row of an account in a document of `auth`.
#[track_caller]
fn row<'a>(document: &'a Value, account: &str) -> &'a Value {
    let rows = document["accounts"].as_array().expect("accounts");
    rows.iter().find(|row| row["account"] == account).unwrap_or_else(|| panic!("no {account} in {document}"))
}

/// `sellerd auth status`, whatever its exit code.
fn standing(place: &Place, account: &str) -> Value {
    let document = place.run("-o json auth status").document("sellerd.auth/1");
    row(&document, account).clone()
}

/// The program with something on its stdin.
#[track_caller]
fn fed(place: &Place, words: &str, stdin: &str) -> crate::support::Ran {
    let program = place.program().args(words).stdin(Stdio::piped());
    let mut child = program.start();
    child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes()).expect("it listens");
    crate::support::finish(child, words.to_owned())
}

/// A login that waits at its prompt, with the address that it shows.
struct Waiting {
    agent: Agent,
    stdin: std::process::ChildStdin,
    url: String,
}

impl Waiting {
    #[track_caller]
    fn begin(place: &Place, words: &str) -> Self {
        let mut stdin = None;
        let program: Program = place.program().args(words).stdin(Stdio::piped());
        let mut agent = Agent::begin_with(program, |child: &mut Child| stdin = child.stdin.take());
        let url = agent.line_where("the address", |line| line.starts_with("http"));
        Self { agent, stdin: stdin.expect("stdin is piped"), url }
    }

    #[track_caller]
    fn types(&mut self, text: &str) {
        writeln!(self.stdin, "{text}").expect("it listens");
    }

    #[track_caller]
    fn ends(self, code: i32) -> crate::support::Ran {
        drop(self.stdin);
        self.agent.end().exits(code)
    }
}
