//! Whether two jobs write the same stock.
//!
//! A job that only observes counts, too: a promotion makes it write without another look at the files.

use std::collections::BTreeMap;

use super::diagnostic::{Code, Diagnostic, Spot, Wrong, shown};
use super::{Job, draw};
use crate::domain::AccountName;

/// Warns at the account of each job that writes what a job before it writes already.
pub(super) fn check<'a>(jobs: impl Iterator<Item = (&'a Job, &'a Spot)>) -> Vec<Diagnostic> {
    let mut writers: BTreeMap<&AccountName, Vec<(&Job, &Spot)>> = BTreeMap::new();
    for (job, spot) in jobs.filter(|(job, _)| job.enabled && job.work.writes()) {
        if let Some(account) = &job.account {
            writers.entry(account).or_default().push((job, spot));
        }
    }
    let later = |(account, writers): (&AccountName, Vec<(&Job, &Spot)>)| {
        let warn = |at: usize| also(account, &writers[..at], writers[at]);
        (1..writers.len()).map(warn).collect::<Vec<_>>()
    };
    writers.into_iter().flat_map(later).collect()
}

fn also(account: &AccountName, before: &[(&Job, &Spot)], (job, spot): (&Job, &Spot)) -> Diagnostic {
    let names: Vec<&str> = before.iter().map(|(job, _)| job.name.as_str()).collect();
    let places: Vec<String> = before.iter().map(|(_, spot)| draw::place(spot)).collect();
    let many = match before.len() {
        1 => "two",
        _ => "several",
    };
    let names = shown(&names.join(", "));
    let message = format!("{many} jobs write the same stock: {names} and {}, that of {account}", job.name);
    let fix = "let one of them carry the whole list, and write  enabled = false  into the other";
    Wrong::new(Code::SameStock, message, fix)
        .label(format!("and so does {}", places.join(" and ")))
        .at(spot.clone())
}
