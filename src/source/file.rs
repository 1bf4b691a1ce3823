//! The file of a list: whether it may be believed before anything in it is read, and that it stayed the same meanwhile.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fault, SourceError};
use crate::domain::{LIST_AHEAD, spelled};

/// The largest file that is read. A list of ten million items is about half of it.
const LARGEST: u64 = 1 << 30;

/// A file that was there when it was opened.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    path: &'a Path,
    pub file: File,
    stamp: Stamp,
    /// When it was written.
    pub as_of: DateTime<Utc>,
}

/// What tells a file and its contents from others without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        let modified = (meta.mtime(), meta.mtime_nsec());
        Self { device: meta.dev(), inode: meta.ino(), bytes: meta.len(), modified }
    }
}

impl<'a> Opened<'a> {
    /// Opens a list that is at most `max_age` old at `now`.
    pub fn new(path: &'a Path, max_age: Duration, now: DateTime<Utc>) -> Result<Self, SourceError> {
        // Looked at before it is opened, since opening a pipe would wait for its other end.
        let before = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        check_kind(path, &before)?;
        let as_of = before.modified().map(DateTime::<Utc>::from).map_err(|error| unreadable(path, &error))?;
        check_age(path, as_of, max_age, now)?;
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let opened = Self { path, file, stamp: Stamp::of(&before), as_of };
        opened.still(opened.file.metadata())?;
        Ok(opened)
    }

    /// An error if the file was written to or another one took its place since it was looked at, or if so many bytes
    /// of it came that it cannot have been the same.
    pub fn unchanged(&self, bytes: Option<u64>) -> Result<(), SourceError> {
        self.still(self.file.metadata())?;
        self.still(fs::metadata(self.path))?;
        if bytes.is_none_or(|bytes| bytes == self.stamp.bytes) { Ok(()) } else { Err(changed(self.path)) }
    }

    fn still(&self, meta: io::Result<Metadata>) -> Result<(), SourceError> {
        match meta {
            Ok(meta) if Stamp::of(&meta) == self.stamp => Ok(()),
            _ => Err(changed(self.path)),
        }
    }
}

fn check_kind(path: &Path, meta: &Metadata) -> Result<(), SourceError> {
    let what = if meta.is_dir() {
        "is a directory, not a file"
    } else if !meta.is_file() {
        "is no ordinary file"
    } else if meta.len() > LARGEST {
        "is larger than 1 GiB, which no list is"
    } else {
        return Ok(());
    };
    Err(SourceError::new(Fault::NotAFile, path, what, "correct `path` under [source]"))
}

fn check_age(
    path: &Path,
    as_of: DateTime<Utc>,
    max_age: Duration,
    now: DateTime<Utc>,
) -> Result<(), SourceError> {
    let age = now - as_of;
    if age < -LIST_AHEAD {
        let what = format!("was written {} from now, so that a clock must be wrong", words(-age));
        return Err(SourceError::new(Fault::Future, path, what, "set the clock, and write the list again"));
    }
    if age > TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX) {
        let max_age = TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX);
        let what = format!("is {} old, and may be {} old at most", words(age), words(max_age));
        let fix = "write the list again, or set a longer `max_age` under [source]";
        return Err(SourceError::new(Fault::Stale, path, what, fix));
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    let why = error.to_string();
    let why = why.split(" (os error").next().unwrap_or_default();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => SourceError::new(
            Fault::Missing,
            path,
            "there is no such file",
            "put the list there, or correct `path` under [source]",
        ),
        ErrorKind::PermissionDenied => SourceError::new(
            Fault::Unreadable,
            path,
            "the agent's user may not read it",
            format!("allow it: chmod o+r {}, and the directories above must be open to it", path.display()),
        ),
        _ => SourceError::new(
            Fault::Unreadable,
            path,
            format!("it cannot be read: {why}"),
            format!("see what is wrong with it: ls -l {}", path.display()),
        ),
    }
}

fn changed(path: &Path) -> SourceError {
    let fix = "write the list under another name and rename it into place when it is complete";
    SourceError::new(Fault::Changed, path, "was written to or replaced while it was read", fix)
}

/// A failure in the middle of reading.
pub(super) fn failed(path: &Path, error: &io::Error) -> SourceError {
    unreadable(path, error)
}

fn words(span: TimeDelta) -> String {
    spelled(Duration::from_secs(span.num_seconds().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What somebody does to a file.
    type Deed = fn(&Path);

    #[test]
    fn a_list_that_is_written_to_or_replaced_while_it_is_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stock.csv");
        let day = Duration::from_secs(86_400);
        let changes: [(&str, Deed); 4] = [
            ("appended", |path| {
                fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"b,2\n").unwrap();
            }),
            ("cut", |path| fs::File::options().write(true).open(path).unwrap().set_len(3).unwrap()),
            ("replaced", |path| {
                let other = path.with_extension("new");
                fs::write(&other, "sku,quantity\na,1\n").unwrap();
                fs::rename(other, path).unwrap();
            }),
            ("removed", |path| fs::remove_file(path).unwrap()),
        ];
        for (how, change) in changes {
            fs::write(&path, "sku,quantity\na,1\n").unwrap();
            let written = DateTime::<Utc>::from(fs::metadata(&path).unwrap().modified().unwrap());
            let opened = Opened::new(&path, day, written).unwrap();
            assert_eq!(opened.unchanged(Some(17)), Ok(()));
            assert_eq!(opened.unchanged(Some(16)).unwrap_err().fault, Fault::Changed, "not all of it came");
            change(&path);
            assert_eq!(opened.unchanged(None).unwrap_err().fault, Fault::Changed, "{how}");
            assert_eq!(opened.unchanged(Some(17)).unwrap_err().fault, Fault::Changed, "{how}");
        }
    }

    #[test]
    fn what_cannot_be_a_list_is_refused_before_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stock.csv");
        fs::write(&path, "sku,quantity\n").unwrap();
        let written = DateTime::<Utc>::from(fs::metadata(&path).unwrap().modified().unwrap());
        let hour = Duration::from_secs(3_600);
        let fault = |path: &Path, after: i64| {
            Opened::new(path, hour, written + TimeDelta::seconds(after))
                .map(|_| ())
                .map_err(|error| error.fault)
        };
        assert_eq!((fault(&path, 3_599), fault(&path, -299)), (Ok(()), Ok(())));
        assert_eq!((fault(&path, 3_601), fault(&path, -301)), (Err(Fault::Stale), Err(Fault::Future)));
        assert_eq!(fault(dir.path(), 0), Err(Fault::NotAFile));
        assert_eq!(fault(&dir.path().join("stok.csv"), 0), Err(Fault::Missing));
        assert_eq!(fault(&path.join("x"), 0), Err(Fault::Missing));
        let old = Opened::new(&path, hour, written + TimeDelta::days(3)).unwrap_err();
        assert!(old.what.contains("is 3 days old, and may be 1 h old"), "{old}");
        let old = Opened::new(&path, hour, written + TimeDelta::hours(25)).unwrap_err();
        assert!(old.what.contains("is 1 day 1 h old"), "{old}");
        fs::File::options().write(true).open(&path).unwrap().set_len(LARGEST + 1).unwrap();
        let written = DateTime::<Utc>::from(fs::metadata(&path).unwrap().modified().unwrap());
        assert_eq!(Opened::new(&path, hour, written).unwrap_err().fault, Fault::NotAFile);
    }
}
