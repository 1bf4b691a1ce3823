//! The whole directory: every file read, every mistake collected, and a [`Config`] only if there is no error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::budget::{self, Learnt};
use super::diagnostic::{Code, Diagnostic, Severity, Spot, Wrong};
use super::job::{self, Around};
use super::looking::{self, Whereabouts};
use super::places::Places;
use super::settings::{self, Settings};
use super::source::Source;
use super::{Config, draw, same_stock, secrets, stray_jobs, templates, values};
use crate::domain::{AccountName, Wiped};

/// The largest file that is read. Ours are a thousand times smaller; this is for a path that is something else.
const LARGEST: usize = 1024 * 1024;

/// What came of reading a configuration directory.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The configuration; `None` when there are errors.
    pub config: Option<Config>,
    /// All mistakes and warnings, by file, line and column.
    pub diagnostics: Vec<Diagnostic>,
    /// How many files were read.
    pub files: usize,
}

impl Checked {
    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Warning)
    }

    /// Everything drawn for people, with the summary last.
    pub fn draw(&self, colour: bool) -> String {
        draw::draw(&self.diagnostics, colour) + &self.summary()
    }

    /// How many files were checked and what was found, in a line.
    pub fn summary(&self) -> String {
        draw::summary(self.files, &self.diagnostics)
    }
}

/// Reads and checks what a person has decided, and no secret: whoever needs credentials has them looked for with
/// [`Config::look_for`]. So an account without any is in nobody's way. Nothing is contacted and nothing is run.
pub fn read(dir: &Path) -> Checked {
    read_all(dir, &places(), Secrets::LeftAlone, &BTreeMap::new())
}

/// Reads and checks all of a directory, the credentials of every account included: a mistake in one of those is a
/// mistake of the whole. Nothing is contacted.
pub fn load(dir: &Path) -> Checked {
    load_with(dir, &places())
}

/// The same, where somebody knows what was learnt of accounts.
pub fn load_knowing(dir: &Path, learnt: &BTreeMap<AccountName, Learnt>) -> Checked {
    read_all(dir, &places(), Secrets::Checked, learnt)
}

/// The same with places of one's own.
pub fn load_with(dir: &Path, places: &Places) -> Checked {
    read_all(dir, places, Secrets::Checked, &BTreeMap::new())
}

fn places() -> Places {
    Places::of_process(|name| std::env::var_os(name))
}

/// Whether credentials are read, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    LeftAlone,
    Checked,
}

fn read_all(
    dir: &Path,
    places: &Places,
    secrets: Secrets,
    learnt: &BTreeMap<AccountName, Learnt>,
) -> Checked {
    let mut checked = Checked { config: None, diagnostics: Vec::new(), files: 0 };
    if let Err(diagnostic) = check_dir(dir) {
        checked.diagnostics.push(*diagnostic);
        return checked;
    }
    let mut settings = read_settings(dir, places, &mut checked);
    let jobs = read_jobs(dir, &settings, &mut checked);
    let templates = templates::read(dir, &mut checked);
    match secrets {
        Secrets::Checked => read_secrets(dir, places, &mut settings, &jobs, &mut checked),
        Secrets::LeftAlone => checked.diagnostics.extend(state_dir_is_none(settings.state_dir.as_deref())),
    }
    let scheduled = jobs.iter().filter_map(|found| Some((found.job.as_ref()?, found.schedule.as_ref()?)));
    checked.diagnostics.extend(budget::check(&settings.accounts, scheduled, learnt));
    let working = jobs.iter().filter_map(|found| Some((found.job.as_ref()?, found.at.as_ref()?)));
    checked.diagnostics.extend(same_stock::check(working));
    checked.diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));

    if checked.errors().next().is_none()
        && let Some(state_dir) = settings.state_dir
    {
        checked.config = Some(Config {
            dir: dir.to_owned(),
            places: places.clone(),
            state_dir,
            timezone: settings.timezone,
            http: settings.http,
            log: settings.log,
            accounts: settings.accounts,
            channels: settings.channels,
            jobs: jobs.into_iter().filter_map(|found| found.job).map(|job| (job.name.clone(), job)).collect(),
            templates: Arc::new(templates),
        });
    }
    checked
}

fn check_dir(dir: &Path) -> Result<(), Box<Diagnostic>> {
    let shown = dir.display();
    let (message, fix) = match fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => (
            format!("{shown} is no directory"),
            "name the directory that sellerd.toml is in: -c DIR".to_owned(),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => (
            format!("there is no configuration directory {shown}"),
            format!("sellerd init {shown}  writes one; sellerd try  shows a pretend shop without one"),
        ),
        Err(error) => return Err(unreadable(dir, &error)),
    };
    Err(Box::new(Wrong::new(Code::NoDirectory, message, fix).at(Spot::whole(dir))))
}

fn read_settings(dir: &Path, places: &Places, checked: &mut Checked) -> Settings {
    let path = dir.join("sellerd.toml");
    match read_text(&path) {
        Ok(Some(text)) => {
            checked.files += 1;
            let mut source = Source::new(&path, &text);
            let settings = settings::read(&mut source, dir, places);
            checked.diagnostics.append(&mut source.found);
            return settings;
        }
        Ok(None) => {
            let shown = dir.display();
            let fix = format!("sellerd init {shown}  writes one; or name another directory with -c DIR");
            let wrong = Wrong::new(Code::NoSettings, format!("there is no sellerd.toml in {shown}"), fix);
            checked.diagnostics.push(wrong.at(Spot::whole(&path)));
        }
        Err(diagnostic) => {
            checked.files += 1;
            checked.diagnostics.push(*diagnostic);
        }
    }
    Settings::unknown()
}

fn read_jobs(dir: &Path, settings: &Settings, checked: &mut Checked) -> Vec<job::Found> {
    let around = Around {
        accounts: settings.names.as_ref(),
        known: &settings.accounts,
        dir,
        timezone: settings.timezone,
    };
    let mut jobs = Vec::new();
    let paths = match files_ending(&dir.join("jobs"), &["toml"]) {
        Ok(paths) => paths,
        Err(diagnostic) => {
            checked.diagnostics.push(*diagnostic);
            return jobs;
        }
    };
    let strays = stray_jobs::find(&dir.join("jobs"));
    // Whoever has put a file there that is no job is told of that file.
    if paths.is_empty() && strays.is_empty() {
        let fix = format!("sellerd init {}  shows what job files look like", dir.join("example").display());
        let wrong = Wrong::new(Code::NoJobs, "there are no jobs, so there is nothing to do", fix);
        checked.diagnostics.push(wrong.at(Spot::whole(&dir.join("jobs"))));
    }
    checked.diagnostics.extend(strays);
    for path in paths {
        checked.files += 1;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if !values::is_name(&stem) {
            let (mut wrong, better) = values::bad_name("a job", &stem);
            wrong.fix =
                format!("rename the file: {}", path.with_file_name(format!("{better}.toml")).display());
            checked.diagnostics.push(wrong.at(Spot::whole(&path)));
        }
        match read_text(&path) {
            Ok(Some(text)) => {
                let mut source = Source::new(&path, &text);
                jobs.push(job::read(&mut source, &stem, &around));
                checked.diagnostics.append(&mut source.found);
            }
            // It went away between listing and reading.
            Ok(None) => {}
            Err(diagnostic) => checked.diagnostics.push(*diagnostic),
        }
    }
    jobs
}

/// A file where the state should be. Who reads the secrets in it is told by them.
fn state_dir_is_none(state_dir: Option<&Path>) -> Option<Diagnostic> {
    let state_dir = state_dir?;
    let no_directory = match fs::metadata(state_dir) {
        Ok(meta) => !meta.is_dir(),
        Err(error) => error.kind() == ErrorKind::NotADirectory,
    };
    no_directory.then(|| *unreadable(state_dir, &ErrorKind::NotADirectory.into()))
}

fn read_secrets(
    dir: &Path,
    places: &Places,
    settings: &mut Settings,
    jobs: &[job::Found],
    checked: &mut Checked,
) {
    let used: BTreeSet<_> = jobs.iter().filter_map(|found| found.uses.as_ref()).collect();
    let whereabouts = Whereabouts { dir, state_dir: settings.state_dir.as_deref(), places };
    let named = settings.accounts.values_mut().filter(|account| values::is_name(account.name.as_str()));
    for mut found in looking::into(named, &whereabouts, |name| used.contains(name)) {
        checked.files += found.files;
        checked.diagnostics.append(&mut found.diagnostics);
    }
    if let Some(names) = &settings.names {
        checked.diagnostics.extend(secrets::strays(dir, names));
    }
}

/// The files of a directory that end in one of these, in the order of their names. Hidden ones are editors' business.
pub(super) fn files_ending(dir: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(dir, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(dir, &error))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The text of a file; `None` when there is none. Any of them may hold a secret, also where it does not belong.
pub(super) fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, Box<Diagnostic>> {
    let wrong = |message: &str, fix: &str| {
        let message = format!("{} {message}", path.display());
        Err(Box::new(Wrong::new(Code::Unreadable, message, fix).at(Spot::whole(path))))
    };
    // Looked at before it is opened, since opening a pipe would wait for its other end.
    let mut len = 0;
    let file = match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            return wrong("is a directory, not a file", "move it away, or give it another name");
        }
        Ok(meta) if !meta.is_file() => return wrong("is no ordinary file", "put a file of text there"),
        Ok(meta) => {
            len = usize::try_from(meta.len()).unwrap_or(usize::MAX);
            if len > LARGEST {
                return wrong("is larger than 1 MB", "put the right file there");
            }
            fs::File::open(path)
        }
        Err(error) => Err(error),
    };
    let bytes = match file.and_then(|file| Wiped::read(file, len, LARGEST)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    match bytes.into_text() {
        Ok(text) => Ok(Some(text)),
        Err(bytes) => {
            let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()).as_bytes();
            let line_start = good.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = String::from_utf8_lossy(&good[line_start..]).chars().count() + 1;
            let shown = path.display();
            let message = format!("{shown} is not UTF-8 text, from line {line}, column {column} on");
            let fix = "save it as UTF-8 in the editor";
            let spot = Spot { line, column, ..Spot::whole(path) };
            Err(Box::new(Wrong::new(Code::NotToml, message, fix).at(spot)))
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Box<Diagnostic> {
    let shown = path.display();
    let (why, fix) = match error.kind() {
        ErrorKind::PermissionDenied => (
            "this user may not read it".to_owned(),
            format!(
                "run as the user of the service: sudo -u sellerd sellerd config check; or let this one read {shown}"
            ),
        ),
        ErrorKind::NotADirectory => {
            let is_file = |path: &&Path| fs::metadata(path).is_ok_and(|meta| !meta.is_dir());
            let file = path.ancestors().find(is_file).unwrap_or(path).display();
            (
                format!("{file} is a file, not a directory"),
                format!("move {file} away, or name another directory"),
            )
        }
        _ => (error.to_string(), format!("see what is wrong with it: ls -l {shown}")),
    };
    Box::new(
        Wrong::new(Code::Unreadable, format!("{shown} cannot be read: {why}"), fix).at(Spot::whole(path)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_place_of_a_directory_is_named_and_not_what_would_stand_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        fs::write(&file, "").unwrap();
        let d = read_text(&file.join("secrets/cm.toml")).unwrap_err();
        assert!(d.fix.unwrap().contains(&format!("move {} away", file.display())));
    }

    #[test]
    fn a_file_that_may_not_be_read_says_who_could() {
        let d = unreadable(Path::new("/etc/sellerd/sellerd.toml"), &ErrorKind::PermissionDenied.into());
        assert_eq!((d.code, d.severity), ("E130", Severity::Error));
        assert!(d.fix.unwrap().contains("sudo -u sellerd"));
    }
}
