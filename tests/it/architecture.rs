//! The floors of the house, held by reading the source: who may know whom, and who may know what.
//!
//! Tests inside the rooms may reach further, so everything under `#[cfg(test)]` is left out, and so are comments.

mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first. A room may know its own floor and those below.
const FLOORS: [&[&str]; 7] = [
    &["domain", "clock", "telemetry"],
    &["planning", "policy"],
    &["store", "http", "marketplace", "config", "source", "sandbox"],
    &["jobs"],
    &["agent"],
    &["web", "export"],
    &["cli"],
];

/// What a room may not know although its floor would allow it: the room, and those it may know.
const ONLY: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("clock", &["domain"]),
    ("planning", &["domain"]),
    ("policy", &["domain"]),
    ("sandbox", &["domain", "clock"]),
    ("store", &["domain", "policy"]),
    ("http", &["domain", "clock", "policy"]),
    ("marketplace", &["domain", "policy", "http"]),
    ("source", &["domain", "config"]),
];

/// Pairs on one floor or below that must not meet.
const NEVER: [(&str, &str); 5] = [
    ("config", "store"),
    ("config", "http"),
    ("config", "sandbox"),
    ("config", "source"),
    ("jobs", "sandbox"),
];

#[test]
fn arrows_between_rooms_point_down() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (line, room) in file.rooms_it_knows() {
            if room == file.room || allowed(&file.room, &room) {
                continue;
            }
            wrong.push(format!("src/{}:{line}: {} may not know {room}", file.path, file.room));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn allowed(from: &str, to: &str) -> bool {
    let floor = |room: &str| FLOORS.iter().position(|rooms| rooms.contains(&room));
    let (Some(mine), Some(theirs)) = (floor(from), floor(to)) else { return false };
    let listed = ONLY.iter().find(|(room, _)| *room == from).is_none_or(|(_, rooms)| rooms.contains(&to));
    mine >= theirs && listed && !NEVER.contains(&(from, to))
}

#[test]
fn every_room_has_its_floor() {
    for file in sources() {
        assert!(FLOORS.iter().any(|rooms| rooms.contains(&file.room.as_str())), "src/{} has none", file.path);
    }
}

#[test]
fn what_decides_is_pure() {
    let rooms = ["planning", "policy", "domain"];
    let words =
        ["async fn", "async move", ".await", "tokio::", "tracing::", "fastrand", "Utc::now", "Instant::now"];
    nobody_says(&words, |file| rooms.contains(&file.room.as_str()));
}

#[test]
fn jobs_name_no_marketplace() {
    let names: Vec<String> = sellerd::marketplace::ALL.iter().map(|of| of.name.to_owned()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["cardmarket", "trademe"]).collect();
    let above = ["jobs", "planning", "policy", "domain", "store", "agent"];
    nobody_says(&names, |file| above.contains(&file.room.as_str()));
}

#[test]
fn only_the_store_holds_sql() {
    nobody_says(&["rusqlite"], |file| file.room != "store");
}

#[test]
fn only_http_knows_the_http_library() {
    nobody_says(&["reqwest::"], |file| file.room != "http");
}

#[test]
fn only_the_trigger_knows_the_scheduler() {
    nobody_says(&["tokio_cron_scheduler"], |file| {
        // Telemetry names it in a filter.
        !file.path.starts_with("agent/trigger") && file.room != "telemetry"
    });
}

#[test]
fn marketplaces_do_not_know_each_other() {
    let folders: BTreeSet<String> =
        sources().iter().filter(|file| file.room == "marketplace").filter_map(SourceFile::folder).collect();
    assert!(folders.contains("cardmarket"), "{folders:?}");
    for folder in &folders {
        let others: Vec<String> = folders
            .iter()
            .filter(|other| *other != folder)
            .flat_map(|other| [format!("marketplace::{other}"), format!("super::{other}")])
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        nobody_says(&others, |file| file.room == "marketplace" && file.folder().as_ref() == Some(folder));
    }
}

#[test]
fn what_is_read_here_is_the_source() {
    let files = sources();
    let known: BTreeMap<&str, BTreeSet<String>> = files.iter().fold(BTreeMap::new(), |mut known, file| {
        let rooms = file.rooms_it_knows().into_iter().map(|(_, room)| room);
        known.entry(file.room.as_str()).or_insert_with(BTreeSet::new).extend(rooms);
        known
    });
    let has = |from: &str, to: &str| known[from].contains(to);
    assert!(has("agent", "store") && has("jobs", "planning") && has("cli", "agent"), "{known:?}");

    let text = "use crate::a::B;\n// use crate::no::X;\nlet x = crate::b::y();\n#[cfg(test)]\nmod tests {\n    \
                use crate::never::Z;\n}\nuse super::super::c::D;\n#[cfg(test)]\nuse crate::never::Q;\nuse crate::{\n    \
                d::E, f,\n};\n#[cfg(test)]\nmod probe;\n";
    let file = SourceFile::new("room/part/file.rs", text);
    let rooms: Vec<String> = file.rooms_it_knows().into_iter().map(|(_, room)| room).collect();
    // Two steps up from a file in a folder of a room is the room.
    assert_eq!(rooms, ["a", "b", "d", "f"]);
    let file = SourceFile::new("room/mod.rs", "use super::other::Thing;\n");
    assert_eq!(file.rooms_it_knows(), [(1, "other".to_owned())]);
    assert_eq!(tests_of("room/mod.rs", "#[cfg(test)]\nmod probe;\n"), ["room/probe"]);
    assert!(!allowed("policy", "store") && !allowed("agent", "web") && !allowed("planning", "policy"));
    assert!(allowed("web", "agent") && allowed("cli", "sandbox") && allowed("config", "marketplace"));
}

/// Fails with the place of every line of these files in which one of the words stands.
#[track_caller]
fn nobody_says(words: &[&str], whose: impl Fn(&SourceFile) -> bool) {
    let files = sources();
    let files: Vec<&SourceFile> = files.iter().filter(|file| whose(file)).collect();
    assert!(!files.is_empty(), "there is nobody to ask about {words:?}");
    let mut wrong = Vec::new();
    for file in files {
        for (number, line) in &file.lines {
            let lower = line.to_lowercase();
            if let Some(word) = words.iter().find(|word| lower.contains(&word.to_lowercase())) {
                wrong.push(format!("src/{}:{number}: {word}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A file of the source without its comments and tests.
struct SourceFile {
    /// Below `src/`.
    path: String,
    /// The top-level module it belongs to.
    room: String,
    /// Numbered from 1.
    lines: Vec<(usize, String)>,
}

impl SourceFile {
    fn new(path: &str, text: &str) -> Self {
        let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        Self { path: path.to_owned(), room, lines: live_lines(text) }
    }

    /// Whether these words stand in it.
    fn says(&self, words: &str) -> bool {
        self.lines.iter().any(|(_, line)| line.contains(words))
    }

    /// The folder inside the room, or the file's own name.
    fn folder(&self) -> Option<String> {
        let inside = self.path.split('/').nth(1)?.trim_end_matches(".rs");
        (inside != "mod" && self.path.matches('/').count() > 1).then(|| inside.to_owned())
    }

    /// How deep its module lies below the crate: 1 for a room.
    fn depth(&self) -> usize {
        let parts = self.path.trim_end_matches(".rs").split('/').filter(|part| *part != "mod");
        parts.count()
    }

    /// The rooms it names, with the line: `crate::room`, `crate::{room, ...}`, and `super::` up to the crate.
    fn rooms_it_knows(&self) -> Vec<(usize, String)> {
        let mut rooms = Vec::new();
        let text: String = self.lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        let line_of = |at: usize| self.lines[text[..at].matches('\n').count()].0;
        for (at, _) in text.match_indices("crate::") {
            if text[..at].ends_with('$') {
                continue;
            }
            let rest = &text[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                None => rooms.push((line_of(at), word(rest))),
                Some(list) => rooms.extend(heads(list).into_iter().map(|room| (line_of(at), room))),
            }
        }
        let climb = "super::".repeat(self.depth());
        for (at, _) in text.match_indices(&climb) {
            if !text[..at].ends_with("super::") {
                rooms.push((line_of(at), word(&text[at + climb.len()..])));
            }
        }
        rooms
    }
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first words of a use list, as far as its closing brace.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut heads, mut item) = (0, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(std::mem::take(&mut item)),
            c => item.push(c),
        }
    }
    heads.push(item);
    heads.iter().map(|item| word(item.trim())).filter(|head| !head.is_empty()).collect()
}

/// The lines that are neither comments nor for tests only.
fn live_lines(text: &str) -> Vec<(usize, String)> {
    let mut live = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed == "#[cfg(test)]" {
            // rustfmt closes an item at the depth at which it began.
            let indent = &line[..line.len() - trimmed.len()];
            let mut opened = false;
            for (_, line) in lines.by_ref() {
                let closes = line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
                opened |= line.ends_with('{');
                if closes || !opened && line.ends_with(';') {
                    break;
                }
            }
        } else if !trimmed.starts_with("//") {
            let code = line.split_once(" // ").map_or(line, |(code, _)| code);
            live.push((index + 1, code.to_owned()));
        }
    }
    live
}

/// The modules that a file declares for its tests, as paths below `src/` without an ending.
fn tests_of(path: &str, text: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut lines = text.lines();
    let mut modules = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]"
            && let Some(module) = lines.next().and_then(|line| line.trim().strip_suffix(';'))
            && let Some((_, name)) = module.split_once("mod ")
        {
            modules.push(format!("{stem}/{name}"));
        }
    }
    modules
}

/// The source of every room: not the two lists of rooms, not what exists for tests only.
fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    let texts: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("it is below").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a source file"))
        })
        .collect();
    let tests: Vec<String> = texts.iter().flat_map(|(path, text)| tests_of(path, text)).collect();
    let for_tests = |path: &str| {
        tests
            .iter()
            .any(|test| path.strip_prefix(test.as_str()).is_some_and(|rest| rest.starts_with(['.', '/'])))
    };
    texts
        .iter()
        .filter(|(path, _)| !["lib.rs", "main.rs"].contains(&path.as_str()) && !for_tests(path))
        .map(|(path, text)| SourceFile::new(path, text))
        .collect()
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push(path);
        }
    }
}
