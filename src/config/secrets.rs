//! Credentials: which file of which place gives each account its two pairs.
//!
//! Each pair is taken whole from one place, the first that has it (contract, section 1). Mixing the halves of two
//! places would sign with a key of one login and the secret of another, which no marketplace explains.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use toml::de::DeValue;

use super::Account;
use super::diagnostic::{Code, Diagnostic, Severity, Spot, Wrong, shown};
use super::load::read_text;
use super::looking::Looked;
use super::mask::SECRET_KEYS;
use super::places::Places;
use super::source::Source;
use super::toml_errors::{self, type_error, unknown_setting};
use crate::domain::{AccountName, Credentials, Pair, nearest, same_pair, taken};

/// Where an account's two pairs were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The app's pair.
    pub consumer: Option<Origin>,
    /// The login's.
    pub token: Option<Origin>,
}

/// Where one pair was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The place that is used.
    pub place: Place,
    /// Other places, in which another pair stands.
    pub others: Vec<Place>,
}

/// A place of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// What `credentials_command` prints, by the program that it names.
    Command(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Command(program) => write!(f, "the output of {}", shown(program)),
        }
    }
}

/// What was found of one account.
pub(super) struct Found {
    /// Without a token where something was in the way: what is found in spite of that may log in, and not work.
    pub credentials: Option<Credentials>,
    pub looked: Looked,
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
    pub files: usize,
}

/// The places where an account's credentials may be, the first first, and whether their modes are ours to judge.
pub(super) fn paths(
    account: &AccountName,
    dir: &Path,
    state_dir: Option<&Path>,
    places: &Places,
) -> Vec<(PathBuf, bool)> {
    let file = format!("{account}.toml");
    let mut paths: Vec<(PathBuf, bool)> = Vec::new();
    let ours = [state_dir.map(|state| state.join("secrets")), Some(dir.join("secrets"))];
    let theirs = [places.credentials_directory.clone(), places.run_secrets.clone()];
    for (place, judged) in ours.into_iter().map(|p| (p, true)).chain(theirs.into_iter().map(|p| (p, false))) {
        let path = place.map(|place| place.join(&file));
        paths.extend(
            path.filter(|path| paths.iter().all(|(known, _)| known != path)).map(|path| (path, judged)),
        );
    }
    paths
}

/// Reads the credentials of an account. They are missed only when `needed`.
pub(super) fn read(account: &Account, paths: &[(PathBuf, bool)], home: &Path, needed: bool) -> Found {
    let mut found = Found {
        credentials: None,
        looked: Looked::Through,
        sources: Sources::default(),
        diagnostics: Vec::new(),
        files: 0,
    };
    let mut files: Vec<File> = Vec::new();
    let mut closed = Vec::new();
    for (path, judged) in paths {
        match read_text(path) {
            Ok(None) => {}
            Ok(Some(text)) => {
                found.files += 1;
                let mut source = Source::of_secrets(path, &text);
                if *judged {
                    check_mode(&mut source);
                }
                let file = read_file(&mut source, account);
                let half = file.half || source.is_broken();
                files.push(File { half, wrong: first_error(&source.found), ..file });
                found.diagnostics.append(&mut source.found);
            }
            Err(diagnostic) if *judged => {
                found.files += 1;
                files.push(File::closed(Place::File(path.clone()), (*diagnostic).clone()));
                found.diagnostics.push(*diagnostic);
            }
            // A place of others that may not be read only matters when nothing else has what is needed.
            Err(diagnostic) => closed.push(*diagnostic),
        }
    }
    // The last place, and asked only when the others leave something open: it may cost a password.
    let open = (0..2).any(|pair| files.iter().all(|file| file.pairs[pair].is_none()));
    if let Some(words) = account.login.credentials_command.as_ref().filter(|_| open) {
        match printed(words, account) {
            Ok(file) => files.push(file),
            Err(wrong) => {
                let settings = home.ancestors().nth(2).unwrap_or(home).join("sellerd.toml");
                let diagnostic = wrong.at(Spot::whole(&settings));
                let program = words.first().cloned().unwrap_or_default();
                files.push(File::closed(Place::Command(program), diagnostic.clone()));
                found.diagnostics.push(diagnostic);
            }
        }
    }
    let consumer = choose(&files, 0, account, &mut found.diagnostics);
    let token = choose(&files, 1, account, &mut found.diagnostics);
    found.sources = Sources { consumer: origin(&files, 0), token: origin(&files, 1) };
    let mut in_the_way = in_the_way(&files);
    match consumer {
        Some((consumer_key, consumer_secret)) => {
            let token = token.filter(|_| in_the_way.is_none());
            found.credentials = Some(Credentials { consumer_key, consumer_secret, token });
        }
        None if needed => {
            let from = found.diagnostics.len();
            match (closed.is_empty(), files.iter().any(|file| file.half)) {
                (false, _) => found.diagnostics.append(&mut closed),
                (true, false) => missing(&files, account, home, &mut found.diagnostics),
                (true, true) => {}
            }
            in_the_way = in_the_way.or_else(|| first_error(&found.diagnostics[from..]));
        }
        None => {}
    }
    if let Some(diagnostic) = in_the_way {
        found.looked = Looked::InVain(Box::new(diagnostic));
    }
    found
}

/// What keeps the pairs from being known: a place that cannot be used and comes before one of them is found. What is
/// wrong further down the list changes nothing, so that what `auth` writes mends whatever stands elsewhere.
fn in_the_way(files: &[File]) -> Option<Diagnostic> {
    let of = |pair: usize| files.iter().position(|file| file.pairs[pair].is_some());
    let complete = of(0).zip(of(1)).map(|(consumer, token)| consumer.max(token));
    let reached = complete.map_or(files, |last| &files[..=last]);
    reached.iter().find_map(|file| file.wrong.clone())
}

fn first_error(diagnostics: &[Diagnostic]) -> Option<Diagnostic> {
    diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error).cloned()
}

/// One file: its pairs, and the places of the names that are there and empty.
struct File {
    path: PathBuf,
    place: Place,
    pairs: [Option<Pair>; 2],
    empty: Vec<(usize, Spot)>,
    /// Whether one of its pairs is a half, or something in it could not be used.
    half: bool,
    /// Why it cannot be relied on.
    wrong: Option<Diagnostic>,
}

impl File {
    /// A place of which nothing is known but why.
    fn closed(place: Place, wrong: Diagnostic) -> Self {
        let path = PathBuf::from(place.to_string());
        Self { path, place, pairs: [None, None], empty: Vec::new(), half: true, wrong: Some(wrong) }
    }
}

fn read_file(source: &mut Source<'_>, account: &Account) -> File {
    let (path, place) = (source.path.clone(), Place::File(source.path.clone()));
    let mut file = File { path, place, pairs: [None, None], empty: Vec::new(), half: false, wrong: None };
    let Some(tree) = toml_errors::parse(source) else { return file };
    let mut values: [Option<SecretString>; 4] = Default::default();
    let mut spans = [const { None }; 4];
    for (key, value) in tree.into_inner() {
        let Some(at) = SECRET_KEYS.iter().position(|known| *known == key.get_ref().as_ref()) else {
            source.wrong(key.span(), unknown(key.get_ref()));
            if let DeValue::String(text) = value.into_inner() {
                drop(taken(text));
            }
            continue;
        };
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => {
                values[at] = taken(text);
                if values[at].is_none() {
                    file.empty.push((at, source.spot(span.clone())));
                }
            }
            other => {
                file.half = true;
                source.wrong(span.clone(), type_error(SECRET_KEYS[at], other.type_str(), "text"));
            }
        }
        spans[at] = Some(span);
    }
    let [key, secret, token, token_secret] = values;
    for (pair, first) in [((key, secret), 0), ((token, token_secret), 2)] {
        match pair {
            (Some(key), Some(secret)) => file.pairs[first / 2] = Some((key, secret)),
            (None, None) => {}
            (key, _) if !source.is_broken() && !file.half => {
                let (there, gone) = if key.is_some() { (first, first + 1) } else { (first + 1, first) };
                let span = spans[gone].clone().or(spans[there].clone()).unwrap_or(0..0);
                source.wrong(span, half(there, gone, account));
                file.half = true;
            }
            _ => {}
        }
    }
    file
}

/// What the account's command prints, as if it stood in a file. Nothing of it is shown, not even its mistakes.
fn printed(words: &[String], account: &Account) -> Result<File, Wrong> {
    let program = words.first().map(String::as_str).unwrap_or_default();
    let wrong = |why: String| {
        let name = &account.name;
        let message = format!("`credentials_command` of account `{name}` gave no credentials: {why}");
        let fix =
            format!("make `{}` print the lines of a secrets file, or take the setting out", shown(program));
        Wrong::new(Code::CommandFailed, message, fix)
    };
    let text = super::command::output(words).map_err(wrong)?;
    let pairs = super::vault::Pairs::from_text(&text, true).map_err(wrong)?;
    let place = Place::Command(program.to_owned());
    let path = PathBuf::from(place.to_string());
    Ok(File {
        path,
        place,
        pairs: [pairs.consumer, pairs.token],
        empty: Vec::new(),
        half: false,
        wrong: None,
    })
}

/// Where the pair was found, and where there is another.
fn origin(files: &[File], pair: usize) -> Option<Origin> {
    let mut having = files.iter().filter(|file| file.pairs[pair].is_some());
    let first = having.next()?;
    let chosen = first.pairs[pair].as_ref()?;
    let others = having.filter(|file| file.pairs[pair].as_ref().is_some_and(|pair| !same_pair(pair, chosen)));
    Some(Origin { place: first.place.clone(), others: others.map(|file| file.place.clone()).collect() })
}

/// The pair of the first file that has one. Files that disagree are named.
fn choose(files: &[File], pair: usize, account: &Account, diagnostics: &mut Vec<Diagnostic>) -> Option<Pair> {
    let mut having = files.iter().filter_map(|file| Some((file, file.pairs[pair].as_ref()?)));
    let (first, chosen) = having.next()?;
    for (other, _) in having.filter(|(_, other)| !same_pair(other, chosen)) {
        let what = ["consumer", "token"][pair];
        let (used, unused) = (first.path.display(), other.path.display());
        let message = format!(
            "account `{}` has two different {what} pairs: {used} is used, {unused} is not",
            account.name
        );
        let fix = format!(
            "take `{}` and `{}` out of the one that is out of date",
            SECRET_KEYS[pair * 2],
            SECRET_KEYS[pair * 2 + 1]
        );
        diagnostics.push(Wrong::new(Code::SecretsDiffer, message, fix).at(Spot::whole(&other.path)));
    }
    Some(chosen.clone())
}

fn missing(files: &[File], account: &Account, home: &Path, diagnostics: &mut Vec<Diagnostic>) {
    let [key, secret, ..] = account.marketplace.credential_names;
    let title = account.marketplace.title;
    let mut named = false;
    for file in files {
        for (at, spot) in file.empty.iter().filter(|(at, _)| *at < 2) {
            named = true;
            let message = format!("`{}` of account `{}` is empty", SECRET_KEYS[*at], account.name);
            let name = account.marketplace.credential_names[*at];
            let fix = format!(
                "sellerd auth import {}; or paste the {name} of {title} between the quotes in {}",
                account.name,
                file.path.display()
            );
            let wrong = Wrong::new(Code::SecretsMissing, message, fix).label(format!("the {name} goes here"));
            diagnostics.push(wrong.at(spot.clone()));
        }
    }
    if named {
        return;
    }
    let path = files.first().map_or(home, |file| &file.path);
    let (message, verb) = match files {
        [] => (
            format!("account `{}` has no credentials: there is no {}", account.name, home.display()),
            "create it with",
        ),
        _ => (format!("account `{}` has no consumer pair in {}", account.name, path.display()), "add"),
    };
    let fix = format!(
        "sellerd auth import {}; or {verb}  consumer_key = \"<{key}>\"  and  consumer_secret = \"<{secret}>\"  from {title}, then  chmod 600 {}",
        account.name,
        path.display()
    );
    diagnostics.push(Wrong::new(Code::SecretsMissing, message, fix).at(Spot::whole(path)));
}

fn half(there: usize, gone: usize, account: &Account) -> Wrong {
    let (key, name) = (SECRET_KEYS[gone], account.marketplace.credential_names[gone]);
    let message = format!("`{}` is there without its `{key}`", SECRET_KEYS[there]);
    let fix = format!("add  {key} = \"...\"  with the {name} of {}", account.marketplace.title);
    Wrong::new(Code::HalfPair, message, fix).label("the two only work together")
}

/// A name that does not exist here. It is only repeated if it can be no secret pasted in the wrong place.
fn unknown(name: &str) -> Wrong {
    let harmless = name.len() <= 24 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let name = if harmless { name } else { "…" };
    unknown_setting(name, &SECRET_KEYS, "a secrets file")
}

fn check_mode(source: &mut Source<'_>) {
    let Ok(meta) = fs::metadata(&source.path) else { return };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message =
            format!("other users of this machine can read these credentials: their mode is {mode:04o}");
        let fix = format!("chmod 600 {}", source.path.display());
        source.wrong_whole(Wrong::new(Code::SecretsReadable, message, fix));
    }
}

/// Warns of files in `secrets/` that belong to no account: most often a typing error in the file's name.
pub(super) fn strays(dir: &Path, names: &BTreeSet<String>) -> Vec<Diagnostic> {
    let Ok(entries) = fs::read_dir(dir.join("secrets")) else { return Vec::new() };
    let mut strays = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_none_or(|ext| ext != "toml") || stem.starts_with('.') || names.contains(&stem)
        {
            continue;
        }
        let fix = match nearest(&stem, names.iter().map(String::as_str)) {
            Some(meant) => format!(
                "did you mean {}? Rename the file",
                dir.join(format!("secrets/{meant}.toml")).display()
            ),
            None => format!("add  [accounts.{}]  to sellerd.toml, or delete this file", shown(&stem)),
        };
        let message = format!("there is no account `{}` for these credentials", shown(&stem));
        strays.push(Wrong::new(Code::StraySecrets, message, fix).at(Spot::whole(&path)));
    }
    strays
}
