//! Where secrets may be looked at, and what may hold them, held by reading the source.
//!
//! The pretend marketplaces are left out: what they hand out is made up.

use std::collections::BTreeSet;

use super::{SourceFile, nobody_says, sources};

/// Who may look at a secret. Whoever is added holds no copy that is not wiped.
const LOOK: [&str; 13] = [
    // Tells credentials apart by a digest.
    "agent/accounts.rs",
    // Write what a person brings for the agent, and what waits for them for the vault.
    "agent/login.rs",
    "agent/login/import.rs",
    "agent/login/pending.rs",
    // See whether anything was typed at all.
    "cli/auth/import.rs",
    "cli/auth/typed.rs",
    // Write files.
    "config/init.rs",
    "config/vault.rs",
    // Compares.
    "domain/credentials.rs",
    // Sign, and name the login that is meant.
    "http/oauth1.rs",
    "marketplace/cardmarket/login.rs",
    "marketplace/login.rs",
    "marketplace/trademe/login.rs",
];

/// By which secrets come in, or leave.
const WAYS: [&str; 22] = [
    "agent/login.rs",
    "agent/login/accept.rs",
    "agent/login/import.rs",
    "agent/login/line.rs",
    "agent/login/pending.rs",
    "cli/args/auth.rs",
    "cli/auth.rs",
    "cli/auth/callback.rs",
    "cli/auth/import.rs",
    "cli/auth/login.rs",
    "cli/auth/typed.rs",
    "config/command.rs",
    "config/init.rs",
    "config/load.rs",
    "config/secrets.rs",
    "config/vault.rs",
    "domain/credentials.rs",
    "http/handshake.rs",
    "http/oauth1.rs",
    "marketplace/cardmarket/login.rs",
    "marketplace/login.rs",
    "marketplace/trademe/login.rs",
];

/// What the names of whatever holds a secret end with.
const NAMES: [&str; 14] = [
    "secret",
    "secrets",
    "verifier",
    "pin",
    "proof",
    "said",
    "token",
    "consumer_key",
    "temporary",
    "granted",
    "pair",
    "credentials",
    "authorization",
    "password",
];

#[test]
fn secrets_are_looked_at_in_a_few_places_alone() {
    let looking: BTreeSet<String> = ours()
        .filter(|file| file.says(".expose_secret()") || file.says(".expose()"))
        .map(|file| file.path)
        .collect();
    assert_eq!(looking, LOOK.map(str::to_owned).into());
}

#[test]
fn whatever_is_named_like_a_secret_is_wiped_when_it_is_dropped() {
    let wrong: Vec<String> = ours().flat_map(|file| plain(&file)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn nothing_that_is_wiped_is_shown() {
    let wrong: Vec<String> = ours().flat_map(|file| shown(&file)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn on_the_way_of_a_secret_no_copy_is_made_that_nobody_wipes() {
    let known: BTreeSet<String> = ours().map(|file| file.path).collect();
    assert!(WAYS.iter().all(|way| known.contains(*way)), "a way has another name by now");
    // Buffers that grow by themselves, parsers that own what they read, and the buffer of stdin, which stays.
    let copies = [
        "read_to_string",
        "read_to_end",
        "fs::read(",
        "stdin().lock",
        "toml::Table",
        "serde_json::to_vec",
        "serde_json::to_string",
    ];
    nobody_says(&copies, |file| WAYS.contains(&file.path.as_str()));
    // The address of a login's page is kept with secrets, and is none: it is there to be seen.
    let plain = ["expose_secret().to_", "expose_secret().into", "expose_secret().chars", "expose().map"];
    nobody_says(&plain, |file| file.room != "sandbox" && file.path != "agent/login/pending.rs");
}

#[test]
fn what_would_be_wrong_is_seen() {
    let of = |text: &str| SourceFile::new("room/file.rs", text);
    for bad in [
        "    pub token_secret: String,",
        "    pin: Option<String>,",
        "    pub(super) proof: Vec<u8>,",
        "    said: Box<str>,",
        "    consumer_secret: Cow<'a, str>,",
        "    Said(String),",
        "    pairs_of_token: Zeroizing<Vec<u8>>, verifier: String,",
    ] {
        assert_eq!(plain(&of(bad)).len(), 1, "{bad}");
    }
    for good in [
        "    pub token_secret: SecretString,",
        "    pin: Option<Zeroizing<String>>,",
        "    authorization: Option<&'a str>,",
        "    said: bool,",
        "    token_created_at: Option<String>,",
        "    Said(SecretString),",
        "    Account(String),",
    ] {
        assert_eq!(plain(&of(good)), Vec::<String>::new(), "{good}");
    }
    let bad = "#[derive(Clone, Debug)]\npub struct A {\n    x: Zeroizing<String>,\n}\n";
    assert_eq!(shown(&of(bad)).len(), 1);
    assert_eq!(shown(&of("#[derive(Debug)]\n#[serde(x)]\nstruct A(Zeroizing<String>);\n")).len(), 1);
    assert_eq!(shown(&of("#[derive(Debug)]\nstruct B;\nstruct A(Zeroizing<String>);\n")).len(), 0);
    assert_eq!(shown(&of(&bad.replace(", Debug", ""))).len(), 0);
}

fn ours() -> impl Iterator<Item = SourceFile> {
    sources().into_iter().filter(|file| file.room != "sandbox")
}

/// The fields, parameters and variants of the file that are named like a secret and own it as plain text or bytes.
fn plain(file: &SourceFile) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in &file.lines {
        for item in line.split(", ") {
            let item = item.trim().trim_end_matches(',');
            let Some((name, of)) = item.split_once(": ").or_else(|| item.split_once('(')) else { continue };
            let name = name.rsplit([' ', '(']).next().unwrap_or_default().to_lowercase();
            let wiped = ["SecretString", "Zeroizing<String>", "Zeroizing<Vec<u8>>"];
            let of = wiped.iter().fold(of.to_owned(), |of, wiped| of.replace(wiped, ""));
            let is_type = of.starts_with(|c: char| c.is_uppercase() || c == '[' || c == '(');
            let owned = ["String", "Vec<u8>", "Box<str>", "Cow<"].iter().any(|kind| of.contains(kind));
            let secret = NAMES.iter().any(|known| name == *known || name.ends_with(&format!("_{known}")));
            if secret && is_type && owned && !of.contains("::") {
                wrong.push(format!("src/{}:{number}: {item}", file.path));
            }
        }
    }
    wrong
}

/// The types of the file that can be printed and hold something that is wiped: its own `Debug` shows it.
fn shown(file: &SourceFile) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut printed = false;
    for (number, line) in &file.lines {
        if line.trim_start().starts_with("#[derive(") {
            printed = line.contains("Debug");
        }
        if printed && line.contains("Zeroizing<") {
            wrong.push(format!("src/{}:{number}: {line}", file.path));
        }
        // The end of a type.
        if line.ends_with(';') || line.trim() == "}" {
            printed = false;
        }
    }
    wrong
}
