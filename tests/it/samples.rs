//! The sample of each kind of job in the repository's `jobs/`: what `init` writes, and what the program accepts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::Place;

#[test]
fn every_sample_is_accepted_and_there_is_one_of_each_kind() {
    let place = Place::of(0);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(&samples).expect("the samples") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.contains("mode     = \"observe\""), "{name}: a sample only looks");
        place.write(&format!("jobs/{name}"), &text.replace("\"cm-main\"", "\"cm\""));
        written.insert(name.trim_end_matches(".toml").to_owned());
    }
    place.run("config check").exits(0).says("no errors, no warnings");
    let status = place.status();
    let jobs = status["jobs"].as_array().expect("jobs");
    let kinds: BTreeSet<String> = jobs.iter().map(|job| job["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, written, "a sample is named by its kind");

    // A kind that exists and has no sample would be named here.
    place.write_job("unknown", "nothing", "0 0 1 1 *", "");
    let document = place.run("-o json config check").exits(78).document("sellerd.config-check/1");
    let fix = document["errors"][0]["fix"].as_str().expect("a fix").to_owned();
    assert!(kinds.iter().all(|kind| fix.contains(kind.as_str())), "{fix}");
}

#[test]
fn what_init_writes_are_the_samples() {
    let place = Place::of(0);
    let words = "init new --marketplace cardmarket --account cm-main --timezone Europe/Berlin --no-input";
    place.run(words).exits(0);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    for entry in fs::read_dir(&samples).expect("the samples") {
        let path = entry.expect("an entry").path();
        let written = place.home().join("new/jobs").join(path.file_name().expect("a name"));
        assert_eq!(fs::read_to_string(&path).unwrap(), fs::read_to_string(&written).unwrap());
    }
}
