//! What a running process leaves to others of the machine: no core file, no look into its memory, and to whoever may look in
//! all the same nothing of a secrets file but the secrets that are in use.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};

use memchr::memmem;

use crate::support::{Agent, Place};

/// In the environment of the agent, where nobody wipes it: whoever looks into its memory must find it.
const IN_SIGHT: &str = "3b1f0c6a-in-sight";
/// In a comment beside secrets.
const IN_FILE: &str = "77d2e9b4-beside-a-secret";
/// A secret that another one has taken the place of.
const BEFORE: &str = "e4913dd0-of-yesterday";
/// The same in what a command prints.
const IN_OUTPUT: &str = "c05a81fe-beside-a-secret";

#[test]
fn no_command_leaves_a_core_file() {
    let place = Place::of(1);
    let agent = Agent::start(place.program().args("run"));
    // It reads no configuration and has nothing of anybody's.
    let mut sandbox = Agent::begin(place.program().args("-o json sandbox serve --listen 127.0.0.1:0"));
    sandbox.saying("base_url");
    for child in [&agent, &sandbox] {
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.pid())).expect("it runs");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    }
    agent.stop();
}

#[test]
fn nobody_looks_in_and_a_file_of_secrets_does_not_stay_in_memory() {
    let place = Place::of(1);
    let keys = place.sandbox.credentials();
    let printed = place.home().join("printed.toml");
    // The same for these.
    let [beside, beside_printed] = [IN_FILE, IN_OUTPUT].map(|text| format!("# {text}\n").repeat(400));
    let token =
        format!("{beside_printed}token = \"{}\"\ntoken_secret = \"{}\"\n", keys.token, keys.token_secret);
    fs::write(&printed, token).expect("a file");
    let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    let command = format!("credentials_command = [\"cat\", \"{}\"]\n", printed.display());
    place.write("sellerd.toml", &(settings + &command));
    let app = |secret: &str| {
        format!("{beside}consumer_key = \"{}\"\nconsumer_secret = \"{secret}\"\n", keys.consumer_key)
    };
    // So long that nothing else is likely to lie over all of it.
    place.write("secrets/cm.toml", &app(&BEFORE.repeat(400)));
    let mut agent = Agent::start(place.program().args("run").env("IN_SIGHT", IN_SIGHT));
    place.write("secrets/cm.toml", &app(&keys.consumer_secret));
    agent.signal("HUP");
    agent.event("config.reloaded");
    place.run("job run probe").exits(0);

    let mine = fs::metadata("/proc/self").expect("a process").uid();
    match File::open(format!("/proc/{}/mem", agent.pid())) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        Ok(_) if mine != 0 => panic!("another process of this user may look into the agent's memory"),
        // Root may, where it has not given that up; so it can be seen what others would.
        Ok(memory) => {
            let seen = found_in(&memory, agent.pid(), [IN_SIGHT, &keys.consumer_secret, &keys.token_secret]);
            assert!(seen.iter().all(|times| *times > 0), "it was looked through: {seen:?}");
            let left = found_in(&memory, agent.pid(), [IN_FILE, IN_OUTPUT, BEFORE]);
            assert_eq!(left, [0, 0, 0], "what was read for a secret is still there");
        }
    }
    agent.stop();
}

/// How often each of these stands in what a process can write.
fn found_in<const N: usize>(memory: &File, pid: u32, texts: [&str; N]) -> [usize; N] {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let mut found = [0; N];
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, mode) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some((from, to)) = range.split_once('-').filter(|_| mode.starts_with("rw")) else { continue };
        let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).expect("an address"));
        let mut part = vec![0; usize::try_from(to - from).expect("a range of this machine")];
        // A range may be given back meanwhile; then there is nothing in it.
        if memory.read_exact_at(&mut part, from).is_ok() {
            for (count, text) in found.iter_mut().zip(texts) {
                *count += memmem::find_iter(&part, text).count();
            }
        }
    }
    found
}
