//! One agent per state directory: a lock that the system lets go of when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock's file in a state directory.
const LOCK: &str = "sellerd.lock";

/// How often a lock is tried that nobody holds but who asks for it: some tenths of a second, while he is done in
/// microseconds unless the machine lets him wait.
const TRIED_AT_MOST: u32 = 100_000;

/// The state directory is ours for as long as this lives.
#[derive(Debug)]
pub struct Instance {
    lock: File,
    path: PathBuf,
}

/// Why the state directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another process has it.
    #[error("another sellerd{} uses {}", holder(pid), dir.display())]
    Taken {
        /// The directory.
        dir: PathBuf,
        /// The process, if it could write itself down.
        pid: Option<u32>,
    },
    /// It cannot be written to.
    #[error("the state directory {} cannot be used: {why}", dir.display())]
    NotUsable {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
}

impl Instance {
    /// Takes the state directory, made if it is not there, for our user alone.
    pub fn take(dir: &Path) -> Result<Self, InstanceError> {
        let not_usable = |why| InstanceError::NotUsable { dir: dir.to_owned(), why };
        make_private(dir).map_err(not_usable)?;
        let path = dir.join(LOCK);
        let mut options = OpenOptions::new();
        let mut lock = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(not_usable)?;
        if !locked(&lock).map_err(not_usable)? {
            let mut text = String::new();
            let pid = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(InstanceError::Taken { dir: dir.to_owned(), pid });
        }
        lock.set_len(0).map_err(not_usable)?;
        lock.rewind().map_err(not_usable)?;
        writeln!(lock, "{}", std::process::id()).map_err(not_usable)?;
        Ok(Self { lock, path })
    }

    /// Whether the directory still is where it was taken. One that was moved or removed can be taken by another agent,
    /// and what is written into it is lost.
    pub fn is_there(&self) -> bool {
        let place = |file: std::io::Result<fs::Metadata>| file.ok().map(|file| (file.dev(), file.ino()));
        let ours = place(self.lock.metadata());
        ours.is_some() && ours == place(fs::metadata(&self.path))
    }
}

/// A program that we start has its own handle of the same lock until it begins: closing ours would not let go of it.
impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// Whether anybody has the state directory. Where that cannot be told somebody does: who only looks says of nobody that
/// he is gone unless that is certain.
pub fn is_taken(dir: &Path) -> bool {
    match File::open(dir.join(LOCK)) {
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        // Shared with others who ask, and let go of at once.
        Ok(lock) => match lock.try_lock_shared() {
            Ok(()) => lock.unlock().is_err(),
            Err(_) => true,
        },
    }
}

/// Takes the lock; `false` where another has it. Who asks whether anybody has it shares it for a moment, which is no
/// reason to turn the owner away.
fn locked(lock: &File) -> std::io::Result<bool> {
    for _ in 0..TRIED_AT_MOST {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(why)) => return Err(why),
        }
        match lock.try_lock_shared() {
            Ok(()) => lock.unlock()?,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(why)) => return Err(why),
        }
        std::thread::yield_now();
    }
    Ok(false)
}

/// Makes a directory that only we can look into.
fn make_private(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn holder(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Instance::take(dir.path()).unwrap();
        let error = Instance::take(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        assert!(Instance::take(dir.path()).is_ok());
    }

    #[test]
    fn whether_anybody_has_it_is_told_without_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_taken(dir.path()));
        let taken = Instance::take(dir.path()).unwrap();
        assert!(is_taken(dir.path()) && taken.is_there());
        drop(taken);
        assert!(!is_taken(dir.path()));
    }

    #[test]
    fn nobody_is_turned_away_by_those_who_only_ask() {
        let dir = tempfile::tempdir().unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    is_taken(dir.path());
                }
            });
            let refused = (0..2_000).find_map(|_| Instance::take(dir.path()).err());
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(refused.is_none(), "{refused:?}");
        });
    }

    #[test]
    fn a_directory_that_was_taken_away_is_noticed_also_when_another_stands_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let taken = Instance::take(&path).unwrap();
        assert!(taken.is_there());
        std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        assert!(!taken.is_there());
        let other = Instance::take(&path).unwrap();
        assert!(!taken.is_there() && other.is_there());
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        std::fs::write(&path, "").unwrap();
        assert!(Instance::take(&path).unwrap_err().to_string().contains("state"));
    }
}
