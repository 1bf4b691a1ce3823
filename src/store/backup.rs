//! Copies of the database: made beside running work, verified before they count, pruned by name.
//!
//! `vacuum into` and not a page-wise copy: the copy is one file without a log, as small as it can be, and reading
//! every row on the way finds damage that copying pages would carry along.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use rusqlite::Connection;

use super::{Store, StoreError, connection, integrity, migrate};

/// A copy that is in place and was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupDone {
    /// The copy.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Copies the database to `dest`, in place of a file that may be there. It becomes visible only once it was
/// verified and written out. Neither reads nor writes wait for it.
pub async fn create(store: &Store, dest: &Path) -> Result<BackupDone, StoreError> {
    let (from, to) = (store.path().to_owned(), dest.to_owned());
    let make = move || {
        let conn = connection::existing(&from).map_err(|error| error.at(&from))?;
        copy(&conn, &to).map_err(|error| error.at(&from))
    };
    store.aside("store-backup", make).await?
}

/// Whether the copy at `path` could take the database's place: whole, and of a schema that this binary works with
/// or can migrate.
pub fn verify(path: &Path) -> Result<(), StoreError> {
    let check = || {
        let conn = connection::reading_copy(path)?;
        integrity::check(&conn, "integrity_check")?;
        migrate::expect_known(&conn, path)
    };
    check().map_err(|error| match error {
        StoreError::Corrupt { why, .. } => StoreError::DamagedCopy { path: path.into(), why },
        error => error.at(path),
    })
}

/// What [`prune_backups`] knows a copy by: `sellerd-20261122T143107Z.db`.
pub fn name(now: DateTime<Utc>) -> String {
    format!("sellerd-{}.db", stamp(now))
}

/// Removes all but the newest `keep` copies from `dir` and returns how many. Only files named as [`name`] does are
/// touched.
pub fn prune_backups(dir: &Path, keep: usize) -> Result<usize, StoreError> {
    let mut copies = copies_in(dir, |kind| kind == "sellerd");
    copies.sort();
    let surplus = copies.len().saturating_sub(keep);
    for (_, path) in &copies[..surplus] {
        std::fs::remove_file(path).map_err(|error| StoreError::from_io(path, &error))?;
    }
    Ok(surplus)
}

/// Where the copies of the database at `db` are.
pub fn folder(db: &Path) -> PathBuf {
    db.with_file_name("backups")
}

/// The newest copy in `dir`, of whatever kind.
pub fn newest(dir: &Path) -> Option<PathBuf> {
    copies_in(dir, |kind| kind == "sellerd" || before(kind).is_some()).into_iter().max().map(|(_, path)| path)
}

/// The newest copy in `dir` that was made before the migration of that number.
pub(super) fn newest_before(dir: &Path, version: u32) -> Option<PathBuf> {
    copies_in(dir, |kind| before(kind) == Some(version)).into_iter().max().map(|(_, path)| path)
}

/// The name of the copy made before the migration of that number.
pub(super) fn name_before(version: u32, now: DateTime<Utc>) -> String {
    format!("before-{version:04}-{}.db", stamp(now))
}

/// Copies what `conn` is connected to.
pub(super) fn copy(conn: &Connection, dest: &Path) -> Result<BackupDone, StoreError> {
    let wrong = |error: std::io::Error| StoreError::from_io(dest, &error);
    let dir = dest.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(wrong)?;
    // For its user alone, and gone again if anything goes wrong on the way.
    let draft =
        tempfile::Builder::new().prefix(".copy-").suffix(".partial").tempfile_in(dir).map_err(wrong)?;
    let text = draft.path().to_str().ok_or_else(|| StoreError::NotWritable {
        path: dest.into(),
        why: "a path that is not UTF-8 cannot hold a copy".to_owned(),
    })?;
    conn.execute("vacuum into ?1", [text])?;
    verify(draft.path())?;
    draft.as_file().sync_all().map_err(wrong)?;
    let bytes = draft.as_file().metadata().map_err(wrong)?.len();
    draft.persist(dest).map_err(|failed| wrong(failed.error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(wrong)?;
    Ok(BackupDone { path: dest.into(), bytes })
}

const STAMP: &str = "%Y%m%dT%H%M%SZ";

fn stamp(now: DateTime<Utc>) -> String {
    now.format(STAMP).to_string()
}

/// The files in `dir` named `<kind>-<stamp>.db`, with their stamps. A directory that cannot be read has none.
fn copies_in(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<(NaiveDateTime, PathBuf)> {
    let paths = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    paths
        .filter_map(|path| {
            let (kind, stamp) = path.file_name()?.to_str()?.strip_suffix(".db")?.rsplit_once('-')?;
            let at = NaiveDateTime::parse_from_str(stamp, STAMP).ok().filter(|_| stamp.len() == 16)?;
            wanted(kind).then(|| (at, path.clone()))
        })
        .collect()
}

fn before(kind: &str) -> Option<u32> {
    kind.strip_prefix("before-").filter(|digits| digits.len() == 4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, store};
    use crate::store::{Lane, flags, integrity};

    #[tokio::test]
    async fn a_copy_is_whole_small_and_takes_the_databases_place() {
        for lane in [Lane::Inline, Lane::Thread] {
            let (dir, store) = store(lane);
            store.write(|tx| flags::set_halted(tx, Some(now()))).await.unwrap();
            let dest = dir.path().join("backups").join(name(now()));
            let done = create(&store, &dest).await.unwrap();
            assert_eq!(done.bytes, std::fs::metadata(&dest).unwrap().len());
            verify(&dest).unwrap();
            let files: Vec<_> = std::fs::read_dir(dir.path().join("backups")).unwrap().collect();
            assert_eq!(files.len(), 1, "{files:?}");

            store.write(|tx| flags::set_halted(tx, None)).await.unwrap();
            let restored = Store::open(&dest, Lane::Inline, now()).unwrap();
            integrity::quick_check(&restored).await.unwrap();
            assert_eq!(restored.read(flags::halted).await.unwrap(), Some(now()));
        }
    }

    #[test]
    fn a_damaged_copy_is_found_and_a_missing_one_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name(now()));
        assert!(matches!(verify(&path), Err(StoreError::NoDatabase { .. })));
        std::fs::write(&path, b"not a database, but longer than nothing").unwrap();
        assert!(matches!(verify(&path), Err(StoreError::DamagedCopy { .. })));
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(verify(&path), Err(StoreError::DamagedCopy { .. })));
    }

    #[test]
    fn pruning_keeps_the_newest_and_whatever_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "sellerd-20261101T000000Z.db",
            "sellerd-20261102T000000Z.db",
            "sellerd-20261103T000000Z.db",
            "sellerd-2026.db",
            "sellerd-20261101T000000Z.db.keep",
            "before-0003-20260101T000000Z.db",
            "mine.db",
        ];
        for name in names {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        assert_eq!(prune_backups(dir.path(), 2).unwrap(), 1);
        assert_eq!(prune_backups(dir.path(), 2).unwrap(), 0);
        for (index, name) in names.iter().enumerate() {
            assert_eq!(dir.path().join(name).exists(), index != 0, "{name}");
        }
    }
}
