//! How the database can fail: one variant for each thing that a person does about it.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::backup;
use crate::domain::ErrorType;

/// A transaction that was not done. What it had changed was undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it for longer than anybody should.
    #[error(
        "the database {path} stayed in use by another process for five seconds; \
         `fuser -v '{path}'` shows by which; try again when it is done", path = path.display()
    )]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("the database {path} is damaged ({why}); {}", repair(path, newest_backup.as_deref()), path = path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What gave it away.
        why: String,
        /// The newest copy in `backups/` beside it.
        newest_backup: Option<PathBuf>,
    },
    /// A copy of the database is not what it should be.
    #[error(
        "the copy {path} is damaged ({why}) and cannot take the database's place; use an older one, and let the \
         housekeeping job make a new one", path = path.display()
    )]
    DamagedCopy {
        /// The copy.
        path: PathBuf,
        /// What gave it away.
        why: String,
    },
    /// There is no room on the disk.
    #[error(
        "there is no room left on the disk that holds {path}; `df -h '{dir}'` shows how much there is: \
         free some and start again, nothing is half written", path = path.display(), dir = parent(path).display()
    )]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// The file or its directory may not be written.
    #[error(
        "cannot write {path}: {why}; let the user that runs sellerd own it, with \
         `chown -R USER '{dir}'`, or set another `state_dir` in sellerd.toml",
        path = path.display(), dir = parent(path).display()
    )]
    NotWritable {
        /// The database or the copy.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A newer sellerd has migrated it.
    #[error(
        "the database {path} was migrated to schema {found} by sellerd {wrote_by}, and this is sellerd {VERSION}, \
         which knows schemas up to {known}; install sellerd {wrote_by} or newer{}",
        downgrade(path, older_copy.as_deref()), path = path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this binary.
        known: u32,
        /// The version that migrated it.
        wrote_by: String,
        /// The copy made before it was.
        older_copy: Option<PathBuf>,
    },
    /// It waits for its migrations, and this process may not make them.
    #[error(
        "the database {path} has schema {found} and this sellerd works with {known}; \
         start the agent of this version once, with `sellerd run`, and it migrates it", path = path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this binary.
        known: u32,
    },
    /// A migration that was applied is not the one this binary has under that number.
    #[error(
        "the database {path} was migrated with another `{migration}` than this sellerd {VERSION} has, \
         so this binary was not built for it; install a released version, at least {wrote_by}", path = path.display()
    )]
    Altered {
        /// The database.
        path: PathBuf,
        /// The migration.
        migration: String,
        /// The version that applied it.
        wrote_by: String,
    },
    /// It is a database of another program.
    #[error("{path} is not a database of sellerd's; set another `state_dir` in sellerd.toml", path = path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// There is none.
    #[error(
        "there is no database at {path} yet; `sellerd run` makes it, or correct `state_dir` in sellerd.toml",
        path = path.display()
    )]
    NoDatabase {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("the disk that holds {path} failed: {why}; look into `dmesg` before starting again", path = path.display())]
    Io {
        /// The database.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The store was closed: the process is about to end.
    #[error("the database was closed already, since sellerd is stopping; start it again")]
    Closed,
    /// A bug of ours.
    #[error("{0}; this is a mistake in sellerd {VERSION}: please report it with this line")]
    Internal(String),
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl StoreError {
    /// The kind of error, for the run's record.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Locked { .. } => ErrorType::DbLocked,
            Self::Corrupt { .. } | Self::DamagedCopy { .. } => ErrorType::DbCorrupt,
            Self::DiskFull { .. } => ErrorType::DiskFull,
            Self::NotWritable { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Altered { .. }
            | Self::Foreign { .. }
            | Self::NoDatabase { .. } => ErrorType::ConfigInvalid,
            Self::Io { .. } | Self::Closed | Self::Internal(_) => ErrorType::Internal,
        }
    }

    /// Damage that was found outside SQLite's own checks.
    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Corrupt { path: PathBuf::new(), why: why.into(), newest_backup: None }
    }

    /// What an operation on the file at `path` failed with.
    pub(super) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path: path.into() },
            _ => Self::NotWritable { path: path.into(), why: error.to_string() },
        }
    }

    /// Completes an error that arose where the path was not known.
    pub(super) fn at(mut self, db: &Path) -> Self {
        let (Self::Locked { path }
        | Self::Corrupt { path, .. }
        | Self::DiskFull { path }
        | Self::NotWritable { path, .. }
        | Self::Io { path, .. }) = &mut self
        else {
            return self;
        };
        if !path.as_os_str().is_empty() {
            return self;
        }
        *path = db.into();
        match self {
            Self::Corrupt { path, why, .. } => {
                Self::Corrupt { path, why, newest_backup: backup::newest(&backup::folder(db)) }
            }
            // SQLite does not say which failure of the disk it was; whether it is full can be found out.
            Self::Io { path, .. } if is_full(parent(db)) => Self::DiskFull { path },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let path = PathBuf::new();
        let why = error.to_string();
        match &error {
            E::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked { path },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TooBig => {
                    Self::damaged(why)
                }
                ErrorCode::DiskFull => Self::DiskFull { path },
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                    Self::NotWritable { path, why }
                }
                ErrorCode::SystemIoFailure if READ_FAILURES.contains(&failure.extended_code) => {
                    Self::damaged(why)
                }
                ErrorCode::SystemIoFailure => Self::Io { path, why },
                _ => Self::Internal(why),
            },
            // Our statements fit the schema that was checked at the start, so it is the schema that is wrong.
            E::SqlInputError { msg, .. } if msg.starts_with("no such ") => Self::damaged(msg.clone()),
            // Only this room writes, and it writes nothing that it cannot read back.
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..) => Self::damaged(why),
            _ => Self::Internal(why),
        }
    }
}

/// Less in the file than there must be, or what the file system itself found damaged.
const READ_FAILURES: [i32; 3] = [
    rusqlite::ffi::SQLITE_IOERR_SHORT_READ,
    rusqlite::ffi::SQLITE_IOERR_DATA,
    rusqlite::ffi::SQLITE_IOERR_CORRUPTFS,
];

/// Whether a small file cannot be written into `dir` for want of room.
fn is_full(dir: &Path) -> bool {
    let probe = || {
        let mut file = tempfile::tempfile_in(dir)?;
        file.write_all(&[0; 65_536])?;
        file.sync_all()
    };
    probe()
        .is_err_and(|e: std::io::Error| matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn repair(path: &Path, newest_backup: Option<&Path>) -> String {
    match newest_backup {
        Some(copy) => format!("{}, start again", replace(path, copy)),
        None => format!(
            "there is no copy of it in {}; {} and start again with an empty one, which reads stock and orders anew",
            backup::folder(path).display(),
            put_aside(path),
        ),
    }
}

fn downgrade(path: &Path, older_copy: Option<&Path>) -> String {
    older_copy.map_or_else(String::new, |copy| {
        format!(", or go back to what it was before that and lose what came since: {}", replace(path, copy))
    })
}

fn replace(path: &Path, copy: &Path) -> String {
    format!(
        "{}, put the copy in its place with `cp '{}' '{}'`",
        put_aside(path),
        copy.display(),
        path.display()
    )
}

/// The log beside a database belongs to it alone: with another database it would do damage.
fn put_aside(path: &Path) -> String {
    let path = path.display();
    format!(
        "stop sellerd, put it and its log aside with `for f in '{path}' '{path}-wal' '{path}-shm'; \
         do mv -f \"$f\" \"$f.aside\"; done`"
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn check(code: i32, error_type: ErrorType) {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let error = StoreError::from(error).at(Path::new("/nowhere/sellerd.db"));
        assert_eq!(error.error_type(), error_type, "{error}");
        if error_type != ErrorType::Internal {
            assert!(error.to_string().contains("/nowhere/sellerd.db"), "{error}");
        }
    }

    #[test]
    fn each_failure_of_sqlite_has_its_class() {
        check(ffi::SQLITE_BUSY, ErrorType::DbLocked);
        check(ffi::SQLITE_LOCKED, ErrorType::DbLocked);
        check(ffi::SQLITE_CORRUPT, ErrorType::DbCorrupt);
        check(ffi::SQLITE_NOTADB, ErrorType::DbCorrupt);
        check(ffi::SQLITE_IOERR_SHORT_READ, ErrorType::DbCorrupt);
        check(ffi::SQLITE_FULL, ErrorType::DiskFull);
        check(ffi::SQLITE_READONLY, ErrorType::ConfigInvalid);
        check(ffi::SQLITE_CANTOPEN, ErrorType::ConfigInvalid);
        check(ffi::SQLITE_IOERR_WRITE, ErrorType::Internal);
        check(ffi::SQLITE_CONSTRAINT, ErrorType::Internal);
    }

    #[test]
    fn a_damaged_database_names_the_newest_copy() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("sellerd.db");
        std::fs::create_dir(dir.path().join("backups")).unwrap();
        for name in [
            "sellerd-20261120T000000Z.db",
            "before-0004-20261121T120000Z.db",
            "sellerd-20261121T000000Z.db",
            "sellerd-20991121T000000Z.db.partial",
            "notes.txt",
        ] {
            std::fs::write(dir.path().join("backups").join(name), b"").unwrap();
        }
        let words = StoreError::damaged("page 3").at(&db).to_string();
        assert!(words.contains("before-0004-20261121T120000Z.db"), "{words}");
    }

    #[test]
    fn a_damaged_database_without_a_copy_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let words = StoreError::damaged("page 3").at(&dir.path().join("sellerd.db")).to_string();
        assert!(words.contains("no copy"), "{words}");
    }
}
