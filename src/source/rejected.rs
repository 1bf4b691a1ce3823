//! The rows of a list that could not be read, in a file of their own, with the reason for each.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Read;
use crate::domain::RunId;

/// Writes `rejected/<run>.csv` below the state directory: line, reason, and the row as it was. It is there whole or
/// not at all. What a spreadsheet would take for a formula gets an apostrophe before it.
pub fn write(state_dir: &Path, run: RunId, read: &Read) -> io::Result<PathBuf> {
    let dir = state_dir.join("rejected");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    // A temporary file is for its owner's eyes only, and stays so under its new name.
    let mut file = tempfile::NamedTempFile::new_in(&dir)?;
    {
        let mut writer =
            ::csv::WriterBuilder::new().flexible(true).from_writer(io::BufWriter::new(&mut file));
        let names = ["line", "reason"].into_iter().chain(read.header.iter().map(String::as_str));
        writer.write_record(names.map(harmless))?;
        for row in &read.rejected {
            let line = row.line.to_string();
            let cells = [line.as_str(), &row.reason].into_iter().chain(row.record.iter().map(String::as_str));
            writer.write_record(cells.map(harmless))?;
        }
        let rest = read.rejected_rows.saturating_sub(read.rejected.len() as u64);
        if rest > 0 {
            writer.write_record(["", &format!("and {rest} more rows, which are not listed")])?;
        }
        writer.flush()?;
    }
    file.flush()?;
    file.as_file().sync_all()?;
    let path = dir.join(format!("{run}.csv"));
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Rejected;
    use super::super::csv::read_bytes;
    use super::super::testing::{EUR, now, settings};
    use super::*;

    #[test]
    fn what_was_rejected_is_kept_with_its_reason_and_without_formulas() {
        let state = tempfile::tempdir().unwrap();
        let text =
            b"sku,quantity,title\nA1,2.0,\"=cmd|' /C calc'!A0\"\nA2,1,fine\nA3,-1,\"a, \"\"b\"\"\"\n@x\n";
        let mut read = read_bytes(text, &settings(Path::new("stock.csv")), EUR, now()).unwrap();
        let path = write(state.path(), RunId(7), &read).unwrap();
        assert_eq!(path, state.path().join("rejected/r-7.csv"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "line,reason,sku,quantity,title\n\
             2,the quantity `2.0` is no whole number such as 3,A1,2.0,'=cmd|' /C calc'!A0\n\
             4,the quantity `-1` is negative,A3,'-1,\"a, \"\"b\"\"\"\n\
             5,\"it has 1 cell, and the header has 3\",'@x\n"
        );

        // Written again, for a file of more rows than are kept, it takes the place of the first.
        read.rejected = vec![Rejected { line: 2, sku: None, reason: "x".to_owned(), record: vec![] }];
        read.rejected_rows = 12_345;
        write(state.path(), RunId(7), &read).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("2,x\n,\"and 12344 more rows, which are not listed\"\n"), "{text}");
        assert_eq!(fs::read_dir(state.path().join("rejected")).unwrap().count(), 1, "nothing is left over");
    }
}
