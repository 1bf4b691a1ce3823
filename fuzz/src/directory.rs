//! The configuration directory: every file in it is written by people.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sellerd::config::{Places, load_with};
use tempfile::TempDir;

const SETTINGS: &[u8] = b"config_version = 1\ntimezone = \"Europe/Berlin\"\nstate_dir = \"state\"\n\n[accounts.cm]\nmarketplace = \"cardmarket\"\n";
const JOB: &[u8] = b"kind = \"stock-pull\"\naccount = \"cm\"\nschedule = \"17 * * * *\"\n";
const SECRETS: &[u8] =
    b"consumer_key = \"k\"\nconsumer_secret = \"s\"\ntoken = \"t\"\ntoken_secret = \"u\"\n";

/// The three files, of which the bytes take the place of one.
const FILES: [(&str, &[u8], u32); 3] =
    [("sellerd.toml", SETTINGS, 0o644), ("jobs/stock.toml", JOB, 0o644), ("secrets/cm.toml", SECRETS, 0o600)];

/// A directory that is written once, and of which only the fuzzed file changes.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        let directory = Self(tempfile::tempdir().expect("a directory"));
        for (file, text, mode) in FILES {
            directory.put(file, text);
            fs::set_permissions(directory.path(file), fs::Permissions::from_mode(mode)).expect("a mode");
        }
        directory
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn put(&self, file: &str, text: &[u8]) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a directory");
        fs::write(path, text).expect("a file");
    }
}

thread_local! {
    static DIRECTORY: Directory = Directory::new();
}

/// A configuration: the first byte says whether the others are `sellerd.toml`, a job's file or credentials.
pub fn config(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let (file, usual, _) = FILES[usize::from(first % 3)];
    DIRECTORY.with(|directory| {
        directory.put(file, text);
        let checked = load_with(directory.0.path(), &Places::default());
        assert_eq!(
            checked.config.is_none(),
            checked.errors().next().is_some(),
            "no configuration is an error"
        );
        for diagnostic in &checked.diagnostics {
            assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
        }
        let (plain, coloured) = (checked.draw(false), checked.draw(true));
        assert!(!plain.contains('\u{1b}'), "control characters of a file reach the terminal");
        assert!(coloured.len() >= plain.len());
        directory.put(file, usual);
    });
}
