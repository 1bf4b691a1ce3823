//! What the fuzz targets have found worth keeping, replayed through the same entries: on stable, in every run of the
//! tests. `just fuzz` looks for more.

#[path = "../../fuzz/src/lib.rs"]
mod entries;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn nothing_that_fuzzing_has_found_breaks_anything() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, entry) in entries::ENTRIES {
        let inputs: Vec<_> = fs::read_dir(corpus.join(name))
            .unwrap_or_else(|error| panic!("fuzz/corpus/{name}: {error}"))
            .map(|input| input.expect("a file").path())
            .collect();
        assert!(inputs.len() >= 10, "{name} has a corpus of {}", inputs.len());
        for input in inputs {
            let bytes = fs::read(&input).expect("a file");
            let whole = catch_unwind(AssertUnwindSafe(|| entry(&bytes)));
            assert!(whole.is_ok(), "the target {name} breaks on {}", input.display());
        }
    }
}
