//! A plan between its making and its record. It waits in a file, since it may be as large as the stock, while what it
//! rests on is still in memory, and it is not known yet what the guards will say.

use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use super::super::JobError;
use crate::domain::{Change, ErrorType, Held};
use crate::planning::reconcile::Plan;

/// A plan of less than this stays in memory.
const IN_MEMORY: usize = 1 << 20;

/// So many changes and held items are read back at once.
const PART: usize = 512;

/// A plan in a file that goes away with it. It is written in parts first and then read in parts, as often as needed.
pub(super) struct Spool {
    file: BufReader<SpooledTempFile>,
    line: Vec<u8>,
}

#[derive(Serialize)]
enum Writing<'a> {
    #[serde(rename = "c")]
    Change(&'a Change),
    #[serde(rename = "h")]
    Held(&'a Held),
}

#[derive(Deserialize)]
enum Reading {
    #[serde(rename = "c")]
    Change(Change),
    #[serde(rename = "h")]
    Held(Held),
}

impl Spool {
    /// An empty one, whose file would be in this directory.
    pub fn new(dir: &Path) -> Self {
        Self { file: BufReader::new(tempfile::spooled_tempfile_in(IN_MEMORY, dir)), line: Vec::new() }
    }

    /// Writes the next part.
    pub fn add(&mut self, part: &Plan) -> io::Result<()> {
        self.line.clear();
        let changes = part.changes.iter().map(Writing::Change);
        for line in changes.chain(part.held.iter().map(Writing::Held)) {
            serde_json::to_writer(&mut self.line, &line)?;
            self.line.push(b'\n');
        }
        self.file.get_mut().write_all(&self.line)
    }

    /// Goes back to the first part.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()
    }

    /// Reads the next part; `None` after the last.
    pub fn next_part(&mut self) -> io::Result<Option<Plan>> {
        let mut part = Plan::default();
        while part.changes.len() + part.held.len() < PART {
            self.line.clear();
            if self.file.read_until(b'\n', &mut self.line)? == 0 {
                break;
            }
            match serde_json::from_slice(&self.line)? {
                Reading::Change(change) => part.changes.push(change),
                Reading::Held(held) => part.held.push(held),
            }
        }
        Ok((!part.changes.is_empty() || !part.held.is_empty()).then_some(part))
    }
}

/// A plan that could not be put aside.
pub(super) fn failed(error: &io::Error) -> JobError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull => ErrorType::DiskFull,
        _ => ErrorType::Internal,
    };
    JobError::File(format!("the plan could not be put aside in the state directory: {error}"), kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bounds, Currency, Money, Offer, Operation};

    #[test]
    fn what_was_put_aside_comes_back_as_often_as_it_is_asked_for() {
        let price = Money { minor: 250, currency: Currency::EUR };
        let change = |n: i64| Change {
            op: Operation::Price,
            sku: format!("S{n}").as_str().into(),
            listing_id: Some(crate::domain::ListingId(n)),
            title: "Séance, \"foil\"\n".to_owned(),
            before: None,
            after: Some(Offer { quantity: n, in_carts: 0, price, attributes: r#"{"a":"\"x\""}"#.to_owned() }),
            reason: "the source says so".to_owned(),
            bounds: Bounds { floor: Some(price), ceiling: None },
        };
        let held =
            Held { sku: "H".into(), listing_id: None, reason: "in-carts".to_owned(), detail: String::new() };
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path());
        let whole: Vec<Change> = (0..5_000).map(change).collect();
        for changes in whole.chunks(700) {
            spool.add(&Plan { changes: changes.to_vec(), held: vec![held.clone()] }).unwrap();
        }
        for _ in 0..2 {
            spool.rewind().unwrap();
            let mut back = Plan::default();
            while let Some(part) = spool.next_part().unwrap() {
                assert!(part.changes.len() <= PART);
                back.changes.extend(part.changes);
                back.held.extend(part.held);
            }
            assert!(back.changes == whole && back.held == vec![held.clone(); 8]);
        }
    }
}
