//! The README's console blocks: what they print is what happens.
//!
//! A fenced block with the info string `console` is run in one empty directory, all blocks in order. A line that
//! begins with `$ ` is a command: `sellerd ...`, `VAR=value sellerd ...`, or `cd DIR`; one that ends in `&` runs in
//! the background until the last block is done. The other lines are what it prints, stdout first and then stderr: `...` in a
//! line stands for anything in that line, a line that is only `...` for any number of lines. `$ echo $?` shows the
//! exit code of the command before it; without that, a command has to succeed unless an error is what it shows.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Agent, Program, Ran};

#[test]
fn what_the_readme_prints_is_what_happens() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let Ok(text) = fs::read_to_string(&readme) else {
        eprintln!("SKIPPED: there is no README.md yet");
        return;
    };
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "the README shows nothing that can be tried");
    let home = tempfile::tempdir().expect("a directory");
    let mut session = Session::new(home.path());
    let commands: Vec<&Shown> = blocks.iter().flatten().collect();
    for (at, command) in commands.iter().enumerate() {
        session.play(command);
        let exit_is_shown = commands.get(at + 1).is_some_and(|next| next.command == "echo $?");
        let may_fail = exit_is_shown || command.output.iter().any(|line| line.starts_with("error"));
        assert!(session.exit == 0 || may_fail, "README.md:{}: exit {}", command.line, session.exit);
    }
}

/// A command and the lines that are said to follow.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    /// Where it stands, from 1.
    line: usize,
    command: String,
    output: Vec<String>,
}

/// The commands of each `console` block.
fn blocks(text: &str) -> Vec<Vec<Shown>> {
    let mut blocks = Vec::new();
    let mut open: Option<Vec<Shown>> = None;
    let mut indent = 0;
    for (index, line) in text.lines().enumerate() {
        // A block in a list is indented as its fence is.
        let blanks = line.len() - line.trim_start().len();
        let line = &line[if open.is_some() { indent.min(blanks) } else { blanks }..];
        match (&mut open, line) {
            (None, "```console") => {
                open = Some(Vec::new());
                indent = blanks;
            }
            (None, _) => {}
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => match line.strip_prefix("$ ") {
                Some(command) => {
                    block.push(Shown { line: index + 1, command: command.to_owned(), output: Vec::new() });
                }
                None => {
                    let last = block.last_mut();
                    last.expect("a block begins with a command").output.push(line.to_owned());
                }
            },
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// Whoever types what the README shows.
struct Session {
    home: PathBuf,
    dir: PathBuf,
    background: Vec<Agent>,
    exit: i32,
}

impl Session {
    fn new(home: &Path) -> Self {
        Self { home: home.to_owned(), dir: home.to_owned(), background: Vec::new(), exit: 0 }
    }

    fn play(&mut self, shown: &Shown) {
        let at = format!("README.md:{}: {}", shown.line, shown.command);
        let words = words(&shown.command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let printed = match words.as_slice() {
            ["echo", "$?"] => std::mem::take(&mut self.exit).to_string(),
            ["cd", dir] => {
                self.dir = self.dir.join(dir);
                assert!(self.dir.is_dir(), "{at}: no such directory");
                String::new()
            }
            [command @ .., "&"] => {
                let mut agent = Agent::begin(self.program(command, &at));
                for line in shown.output.iter().filter(|line| *line != "...") {
                    let sign = line.split("...").max_by_key(|part| part.len()).unwrap_or_default();
                    agent.saying(sign);
                }
                self.background.push(agent);
                return;
            }
            command => {
                let Ran { code, stdout, stderr, .. } = self.program(command, &at).run();
                self.exit = code;
                assert!(!stderr.contains("panicked"), "{at}\n{stderr}");
                stdout + &stderr
            }
        };
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = shown.output.iter().map(|line| line.trim_end()).collect();
        assert!(
            fits(&expected, &printed),
            "{at}\nsays\n{}\nprints\n{}",
            expected.join("\n"),
            printed.join("\n")
        );
    }

    fn program(&self, words: &[&str], at: &str) -> Program {
        let variables = words.iter().take_while(|word| word.contains('=')).count();
        assert_eq!(words.get(variables).copied(), Some("sellerd"), "{at}: only sellerd is run");
        let mut program = Program::new(&self.home).in_dir(&self.dir);
        for (name, value) in words[..variables].iter().filter_map(|word| word.split_once('=')) {
            program = program.env(name, value);
        }
        words[variables + 1..].iter().fold(program, Program::arg)
    }
}

/// Splits a command as a shell would: blanks separate, quotes keep together, `#` begins a remark.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether what was printed is what was said.
fn fits(said: &[&str], printed: &[&str]) -> bool {
    match (said, printed) {
        ([], printed) => printed.is_empty(),
        (["...", said @ ..], printed) => (0..=printed.len()).any(|skip| fits(said, &printed[skip..])),
        ([first, said @ ..], [line, printed @ ..]) => line_fits(first, line) && fits(said, printed),
        (_, []) => false,
    }
}

/// Whether a line is what was said, where `...` stands for anything.
fn line_fits(said: &str, line: &str) -> bool {
    match said.split_once("...") {
        None => said == line,
        Some((before, rest)) => line.strip_prefix(before).is_some_and(|line| {
            (0..=line.len()).filter(|at| line.is_char_boundary(*at)).any(|at| line_fits(rest, &line[at..]))
        }),
    }
}

#[test]
fn dots_stand_for_anything_and_everything_else_for_itself() {
    assert!(fits(&["a ... c"], &["a b c"]) && fits(&["a...", "...", "z"], &["a", "a 1", "z"]));
    assert!(fits(&["first", "...", "last"], &["first", "1", "2", "last"]));
    assert!(fits(&["..."], &[]) && fits(&[], &[]) && !fits(&[], &["a"]) && !fits(&["a"], &[]));
    assert!(!fits(&["a ... c"], &["a b d"]) && !fits(&["a"], &["a", "b"]));
    assert!(line_fits("...", "") && line_fits("x...", "x") && line_fits("...é...", "aéb"));
}

#[test]
fn blocks_are_commands_with_what_they_print() {
    let text =
        "# T\n```console\n$ sellerd a \"b c\"  # remark\nout\n\n$ echo $?\n2\n```\n```toml\n$ x\n```\n";
    let found = blocks(text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0][0].output, ["out", ""]);
    assert_eq!((found[0][1].line, found[0][1].command.as_str()), (6, "echo $?"));
    assert_eq!(words(&found[0][0].command), ["sellerd", "a", "b c"]);
}

#[test]
#[should_panic(expected = "says")]
fn a_readme_that_says_something_else_fails() {
    let home = tempfile::tempdir().expect("a directory");
    let text = "```console\n$ sellerd -c nowhere config check\neverything is fine\n```\n";
    Session::new(home.path()).play(&blocks(text)[0][0]);
}
