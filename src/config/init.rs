//! A first configuration directory, written from a few answers.
//!
//! What is written is decided by [`files`], which is pure; [`write()`] only puts it there, and never over anything.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::mask::SECRET_KEYS;
use super::samples::{ACCOUNT, SAMPLES, ZONE};
use super::values::{bad_name, is_name, quoted, secret_line};
use crate::domain::AccountName;
use crate::marketplace::{Descriptor, Options};

/// What a person has to decide before anything can be written.
#[derive(Clone)]
pub struct Answers {
    /// The marketplace of the first account.
    pub marketplace: &'static Descriptor,
    /// The account's name.
    pub account: AccountName,
    /// The zone of the shop.
    pub timezone: Tz,
    /// Where the API is, if not where it usually is.
    pub base_url: Option<String>,
    /// Where state is kept; `None` for `state` inside the directory.
    pub state_dir: Option<PathBuf>,
    /// The four credentials in the order of the secrets file, if they are at hand.
    pub credentials: Option<[SecretString; 4]>,
}

/// The name of an account as a person gave it, or what is wrong with it and a name that would do.
pub fn account_name(text: &str) -> Result<AccountName, String> {
    if is_name(text) {
        return Ok(AccountName(text.to_owned()));
    }
    let (wrong, _) = bad_name("an account", text);
    Err(format!("{}; {}", wrong.message, wrong.fix))
}

/// The file that says everything but the jobs.
pub const SETTINGS: &str = "sellerd.toml";

/// A file of a directory: path inside it, text, mode.
pub type File = (PathBuf, Zeroizing<String>, u32);

/// The files of a directory.
pub fn files(answers: &Answers) -> Vec<File> {
    files_with(answers, &Options::new())
}

/// The same where the marketplace's own keys were answered, too.
pub fn files_with(answers: &Answers, chosen: &Options) -> Vec<File> {
    let account = answers.account.as_str();
    let mut files = vec![(PathBuf::from(SETTINGS), settings(answers, chosen).into(), 0o644)];
    for (name, text) in SAMPLES {
        let text = text.replace(&quoted(ACCOUNT), &quoted(account)).replace(ZONE, answers.timezone.name());
        files.push((PathBuf::from(format!("jobs/{name}.toml")), text.into(), 0o644));
    }
    files.push((PathBuf::from(format!("secrets/{account}.toml")), secrets(answers), 0o600));
    files.push((PathBuf::from("README.txt"), readme(answers, chosen).into(), 0o644));
    files.push((
        PathBuf::from(".gitignore"),
        "# Credentials and the database are not for a repository.\n/secrets/\n/state/\n".to_owned().into(),
        0o644,
    ));
    files
}

fn settings(answers: &Answers, chosen: &Options) -> String {
    let Descriptor {
        name, title, base_url, limit_key, default_limit, currency, options, limit_headers, ..
    } = answers.marketplace;
    let state_dir = answers.state_dir.as_ref().map_or("state".into(), |dir| dir.to_string_lossy());
    let url = match &answers.base_url {
        Some(url) => format!("base_url        = {}", quoted(url)),
        None => format!("# base_url      = {}", quoted(base_url)),
    };
    let mut own = String::new();
    let beside = answers.base_url.as_deref().and_then(origin);
    for option in options.iter() {
        // Where the API is another one, so is its login: the real one would be told of an app that it does not know.
        let moved = beside.filter(|_| option.is_url()).zip(origin(option.default));
        let default = moved.map_or_else(
            || option.default.to_owned(),
            |(beside, usual)| format!("{beside}{}", &option.default[usual.len()..]),
        );
        let (value, note) = match option.values {
            [] if option.is_limit() => (default, "   # or \"none\"".to_owned()),
            [] => (quoted(&default), String::new()),
            values => {
                let value = chosen.get(option.key).unwrap_or(&default);
                (quoted(value), format!("   # {}", values.join(" | ")))
            }
        };
        own.push_str(&format!("{:<15} = {value}{note}\n", option.key));
    }
    format!(
        "# Settings of sellerd. Check them with:  sellerd config check\n\
         config_version = 1\n\
         timezone  = {zone}   # schedules follow this clock unless a job says otherwise\n\
         state_dir = {state}   # database, backups; relative to this file\n\
         \n\
         [http]\n\
         listen = \"127.0.0.1:8787\"   # status page, /healthz, /readyz, /status.json; or \"off\"\n\
         \n\
         [log]\n\
         format = \"auto\"   # auto | pretty | logfmt | json\n\
         level  = \"info\"   # error | warn | info | debug | trace\n\
         \n\
         # An account at {title}. Its credentials are in secrets/{account}.toml.\n\
         [accounts.{account}]\n\
         marketplace     = {marketplace}\n\
         {own}{url}\n\
         {limit_key:<15} = {default_limit}   # requests {window}, or \"none\"; what {title} itself says wins\n\
         # currency      = \"{currency}\"\n\
         # max_per_second  = 5\n\
         # request_timeout = \"30s\"\n\
         # grace           = \"15s\"   # how long an unanswered write may still take effect\n\
         # probe_after     = \"15m\"   # asked how it is after so long a silence; \"off\" for once in 20 days\n",
        zone = quoted(answers.timezone.name()),
        state = quoted(&state_dir),
        account = answers.account,
        marketplace = quoted(name),
        window = limit_headers.window.per(),
    )
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + "://".len();
    Some(&url[..url[host..].find('/').map_or(url.len(), |path| host + path)])
}

fn secrets(answers: &Answers) -> Zeroizing<String> {
    let title = answers.marketplace.title;
    let first = format!(
        "# Credentials of {} at {title}. Keep this file to yourself: mode 0600, and in no repository.\n",
        answers.account
    );
    let lines: Vec<Zeroizing<String>> = SECRET_KEYS
        .iter()
        .enumerate()
        .map(|(at, key)| {
            let value = answers.credentials.as_ref().map_or("", |values| values[at].expose_secret().trim());
            let name = answers.marketplace.credential_names[at];
            secret_line(key, value, &format!("   # {title}: {name}"))
        })
        .collect();
    let len = lines.iter().fold(first.len(), |len, line| len + line.len());
    let mut text = Zeroizing::new(String::with_capacity(len));
    text.push_str(&first);
    text.extend(lines.iter().map(|line| line.as_str()));
    text
}

fn readme(answers: &Answers, chosen: &Options) -> String {
    let account = &answers.account;
    // As further down in the list, so that the commands stand below each other.
    let login = match (answers.marketplace.login.import_only)(chosen) {
        Some(_) => String::new(),
        None => format!("   sellerd -c . auth login {account}     logs in with any browser\n"),
    };
    format!(
        "This directory is the configuration of sellerd.\n\
         \n\
         sellerd.toml            settings and accounts\n\
         jobs/*.toml             one job a file; the file's name is the job's name\n\
         secrets/{account}.toml{gap} credentials of the account {account}, mode 0600\n\
         \n\
         All jobs are in observe mode: they look, they never write to {title}.\n\
         \n\
         1. sellerd -c . auth import {account}    asks for the credentials; or fill in secrets/{account}.toml\n\
         {login}\
         2. sellerd -c . config check         contacts nothing, names every mistake\n\
         3. sellerd -c . job run probe        one request: is the login right?\n\
         4. sellerd -c . run                  runs the jobs until Ctrl-C\n\
         5. sellerd -c . status               what happened, what comes next\n",
        title = answers.marketplace.title,
        gap = " ".repeat(11_usize.saturating_sub(account.as_str().len())),
    )
}

/// Why a directory was not written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Files that are there already. Nothing was written.
    #[error("nothing was written, since there is already: {}; move it away, or name another directory", list(.0))]
    InTheWay(Vec<PathBuf>),
    /// The file system refused. What had been written is taken away again as far as the disk lets us.
    #[error("{} cannot be written: {error}; make room or choose another directory, and try again", .path.display())]
    Io {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Writes the files into `dir`, which is made if need be, and tells their paths. Nothing is ever overwritten: if
/// anything is in the way, all of it is listed and nothing is written.
pub fn write(dir: &Path, files: &[File]) -> Result<Vec<PathBuf>, InitError> {
    let paths: Vec<PathBuf> = files.iter().map(|(path, ..)| dir.join(path)).collect();
    let in_the_way: Vec<_> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).cloned().collect();
    if !in_the_way.is_empty() {
        return Err(InitError::InTheWay(in_the_way));
    }
    for (done, (path, (_, text, mode))) in paths.iter().zip(files).enumerate() {
        if let Err((error, made)) = put(path, text, *mode) {
            for written in &paths[..done + usize::from(made)] {
                // Best effort: a disk that refuses this as well has worse news than a file left over.
                let _ = fs::remove_file(written);
            }
            return Err(InitError::Io { path: path.clone(), error });
        }
    }
    Ok(paths)
}

/// Writes one file that must not be there yet. An error tells whether the file was made before it happened.
fn put(path: &Path, text: &str, mode: u32) -> Result<(), (io::Error, bool)> {
    if let Some(parent) = path.parent() {
        // Who may not read a file needs not know that it is there either.
        let dir_mode = if mode & 0o077 == 0 { 0o700 } else { 0o755 };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(dir_mode)
            .create(parent)
            .map_err(|error| (error, false))?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| (error, false))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| (error, true))
}
