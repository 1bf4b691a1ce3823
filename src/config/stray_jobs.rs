//! Files in `jobs/` that are not read and were probably meant to be: an ending in capitals, one letter off, or with what
//! an editor hung on to it. A copy that somebody put aside (`.bak`, `~`) is left in peace.

use std::fs;
use std::path::{Path, PathBuf};

use super::diagnostic::{Code, Diagnostic, Spot, Wrong, shown};
use super::values;

/// The ending of jobs.
const ENDING: &str = "toml";

/// Warns of each, in the order of their names. A directory that cannot be read is told of elsewhere.
pub(super) fn find(dir: &Path) -> Vec<Diagnostic> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let stray = |path: &PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let stem = meant(&name)?;
        let better = if values::is_name(stem) { stem.to_owned() } else { values::bad_name("a job", stem).1 };
        let message = format!("{} looks like a job and is not read", shown(&name));
        let fix = format!(
            "rename it to {}, or move it out of this directory",
            path.with_file_name(format!("{better}.{ENDING}")).display()
        );
        Some(Wrong::new(Code::StrayJob, message, fix).at(Spot::whole(path)))
    };
    paths.iter().filter_map(stray).collect()
}

/// The stem of a job's file that was meant by this name; `None` where it is one, or none was.
fn meant(name: &str) -> Option<&str> {
    let (stem, ending) =
        name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty() && !stem.starts_with('.'))?;
    let lower = ending.to_ascii_lowercase();
    if !lower.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match lower.as_str() {
        ENDING if ending == ENDING => None,
        // What Windows adds to a name whose ending it hides.
        "txt" => {
            let (inner, before) = stem.rsplit_once('.')?;
            (before.eq_ignore_ascii_case(ENDING) && !inner.is_empty())
                .then(|| inner.strip_suffix(&format!(".{ENDING}")).unwrap_or(inner))
        }
        _ => (strsim::damerau_levenshtein(&lower, ENDING) <= 1).then_some(stem),
    }
}
