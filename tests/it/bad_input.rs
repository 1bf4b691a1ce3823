//! What cannot work is refused with what is wrong, where, and what mends it, and with nothing half done.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Place, Program};

/// What `config check` must find: in which file, at which line, and words of its fix.
struct Mistake {
    file: &'static str,
    line: u64,
    fix: &'static str,
}

#[track_caller]
fn finds(place: &Place, mistake: &Mistake) {
    let asked = place.asked();
    let document = place.run("-o json config check").exits(78).document("sellerd.config-check/1");
    let errors = document["errors"].as_array().expect("a list");
    assert!(document["warnings"].is_array());
    let found = errors.iter().find(|error| {
        let ends = error["file"].as_str().is_some_and(|file| file.ends_with(mistake.file));
        ends && error["line"].as_u64() == Some(mistake.line)
    });
    let found = found.unwrap_or_else(|| panic!("{}:{} in {document}", mistake.file, mistake.line));
    for key in ["code", "file", "line", "column", "message", "fix"] {
        assert!(found.get(key).is_some(), "{key} in {found}");
    }
    assert!(found["code"].as_str().unwrap().starts_with('E'), "{found}");
    assert!(found["fix"].as_str().unwrap().contains(mistake.fix), "{found}");

    // Drawn for people: the same code, place and fix.
    let drawn = place.run("config check").exits(78).stdout;
    let code = found["code"].as_str().unwrap();
    assert!(drawn.contains(&format!("error[{code}]")), "{drawn}");
    // A mistake of a whole file has no line to show.
    let places = [format!("{}:{}:", mistake.file, mistake.line), format!("{}\n", mistake.file)];
    assert!(places.iter().any(|place| drawn.contains(place)), "{drawn}");
    assert!(drawn.contains("Nothing was contacted"), "{drawn}");

    // Whatever is asked for instead, it stops there.
    place.run("job run probe").exits(78).says(code);
    place.run("run").exits(78).says(code);
    let error = place.run("-o json status").exits(78).error();
    assert_eq!((error["exit"].as_i64(), error["error_type"].as_str()), (Some(78), Some("config_invalid")));
    assert_eq!(place.asked(), asked, "nothing was contacted");
}

#[test]
fn every_mistake_in_the_configuration_is_named_with_its_place_and_fix() {
    let job = |text: &'static str| move |place: &Place| place.write("jobs/probe.toml", text);
    type Change = Box<dyn Fn(&Place)>;
    let at = |file, line, fix| Mistake { file, line, fix };
    let cases: Vec<(Change, Mistake)> = vec![
        (Box::new(|place| place.write("sellerd.toml", "config_version = = 1\n")), at("sellerd.toml", 1, "")),
        (
            Box::new(job("kind = \"probe\"\naccount = \"cm\"\nschedule = \"0 8 31 2 *\"\n")),
            at("jobs/probe.toml", 3, "day-of-month"),
        ),
        (
            Box::new(job("kind = \"probe\"\naccount = \"cm\"\nschedule = \"every day\"\n")),
            at("jobs/probe.toml", 3, "*/15 7-22 * * *"),
        ),
        (
            Box::new(job("kind = \"probe\"\naccount = \"cm\"\nschedule = \"0 8 * * *\"\ntimeuot = \"1m\"\n")),
            at("jobs/probe.toml", 4, "did you mean `timeout`?"),
        ),
        (
            Box::new(job("kind = \"probe\"\naccount = \"mc\"\nschedule = \"0 8 * * *\"\n")),
            at("jobs/probe.toml", 2, "did you mean `cm`?"),
        ),
        (
            Box::new(job("kind = \"prob\"\naccount = \"cm\"\nschedule = \"0 8 * * *\"\n")),
            at("jobs/probe.toml", 1, "did you mean `probe`?"),
        ),
        (
            Box::new(job(
                "kind = \"probe\"\naccount = \"cm\"\nschedule = \"0 8 * * *\"\nenabled = \"yes\"\n",
            )),
            at("jobs/probe.toml", 4, ""),
        ),
        (
            Box::new(|place| place.edit("sellerd.toml", "Europe/Berlin", "Europe/Berlim")),
            at("sellerd.toml", 2, "did you mean `Europe/Berlin`?"),
        ),
        (
            Box::new(|place| {
                let url = place.sandbox.base_url();
                place.edit("sellerd.toml", &url, "http://shop.example/ws");
            }),
            at("sellerd.toml", 10, "https://"),
        ),
    ];
    for (change, mistake) in cases {
        let place = Place::of(0);
        place.run("config check").exits(0);
        change(&place);
        finds(&place, &mistake);
    }
}

#[test]
fn the_mistakes_of_all_files_are_told_at_once() {
    let place = Place::of(0);
    place.edit("sellerd.toml", "Europe/Berlin", "Europe/Berlim");
    place.write_job("probe", "probe", "0 8 31 2 *", "timeuot = \"1m\"");
    place.write("jobs/stock-pull.toml", "kind = ");
    let document = place.run("-o json config check").exits(78).document("sellerd.config-check/1");
    let mut files: Vec<&str> =
        document["errors"].as_array().unwrap().iter().filter_map(|e| e["file"].as_str()).collect();
    assert_eq!(files.len(), 4, "{document}");
    files.dedup();
    assert_eq!(files.len(), 3, "{document}");
}

#[test]
fn secrets_that_others_can_read_are_a_warning_with_the_chmod() {
    let place = Place::of(0);
    let path = place.dir().join("secrets/cm.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let document = place.run("-o json config check").exits(0).document("sellerd.config-check/1");
    let warning = &document["warnings"][0];
    assert_eq!(warning["fix"], format!("chmod 600 {}", path.display()));
    place.run("job run probe").exits(0).says("chmod 600");
}

#[test]
fn a_directory_that_is_not_there_is_named_with_the_way_to_make_one() {
    let home = tempfile::tempdir().unwrap();
    let program = || Program::new(home.path()).arg("-c").arg(home.path().join("nowhere"));
    for words in ["config check", "run", "status", "job run probe", "orders list", "auth test cm"] {
        program().args(words).run().exits(78).says("nowhere").says("sellerd init");
    }
    program().run().exits(0).says("sellerd init");
    assert!(fs::read_dir(home.path()).unwrap().next().is_none(), "nothing was made on the way");
}

#[test]
fn the_directory_that_was_typed_is_in_every_command_that_mends() {
    let place = Place::of(0);
    fs::remove_file(place.dir().join("secrets/cm.toml")).unwrap();
    let command = format!("sellerd -c {} auth import cm", place.dir().display());
    place.run("config check").exits(78).says(&format!("fix: {command}"));
    place.run("auth status").exits(4).says(&command);
    // Where the environment names it, the next command finds it there, too.
    let ran = Program::new(place.home()).env("SELLERD_CONFIG", place.dir()).args("config check").run();
    ran.exits(78).says("fix: sellerd auth import cm");
}

#[test]
fn a_name_that_does_not_exist_is_answered_with_the_one_that_was_meant() {
    let place = Place::of(0);
    place.run("job run stok-pull").exits(2).says("did you mean stock-pull?");
    place.run("job run xyz").exits(2).says("housekeeping, order-poll, probe, stock-pull");
    place.run("auth test mc").exits(2).says("cm");
    place.run("orders list --account mc").exits(2).says("did you mean cm?");
    place.run("schedule --job prob").exits(2).says("did you mean probe?");
    place.run("runs show r-99").exits(2).says("sellerd runs list");
    place.run("statsu").exits(2).says("status");
    let error = place.run("-o json job run stok-pull").exits(2).error();
    assert_eq!(error["fix"], "did you mean stock-pull?");
    assert!(place.seen().is_empty());
}

#[test]
fn a_state_directory_that_cannot_be_one_is_named() {
    let place = Place::of(0);
    fs::write(place.state(), "a file in its place").unwrap();
    let state = place.state().display().to_string();
    place.run("job run probe").exits(78).says("E130").says(&format!("{state} is a file")).says("move");
    fs::remove_file(place.state()).unwrap();

    place.edit("sellerd.toml", "\"state\"", "\"/proc/sellerd\"");
    for words in ["job run probe", "run"] {
        place.run(words).exits(1).says("E474").says("/proc/sellerd").says("state_dir");
    }
    assert_eq!(place.run("-o json job run probe").exits(1).error()["code"], "E474");
    assert!(place.seen().is_empty(), "what cannot be written down is not asked");
}

#[test]
fn a_database_that_is_damaged_is_named_with_the_backup_that_replaces_it() {
    let place = Place::of(120);
    place.job("stock-pull", 0);
    place.job("housekeeping", 0);
    let backup = only_file(&place.state().join("backups"));
    let database = place.state().join("sellerd.db");
    fs::write(&database, b"this was a database once, and now it is this text").unwrap();
    for words in ["job run probe", "run", "status", "stock list"] {
        let ran = place.run(words).exits(1).says("E472").says("is damaged");
        assert!(ran.stderr.contains(&backup.display().to_string()), "{words}: {}", ran.stderr);
    }
    assert_eq!(place.run("-o json status").exits(1).error()["error_type"], "db_corrupt");
    fs::copy(&backup, &database).unwrap();
    assert!(place.list("stock list", "listings").len() >= 120, "the backup takes its place");
    place.job("stock-pull", 0);
}

#[test]
fn damage_inside_the_database_is_found_after_an_unclean_stop() {
    let place = Place::of(450);
    place.job("stock-pull", 0);
    place.agent().kill();
    let database = place.state().join("sellerd.db");
    let mut bytes = fs::read(&database).unwrap();
    let len = bytes.len();
    bytes[len / 2..len / 2 + 8_192].fill(0xa5);
    fs::write(&database, bytes).unwrap();
    let asked = place.asked();
    place.run("run --for 5s").exits(1).says("E472").says("is damaged");
    assert_eq!(place.asked(), asked);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone_and_that_version_named() {
    let place = Place::of(0);
    place.job("probe", 0);
    let database = place.state().join("sellerd.db");
    let before = from_the_future(&database);
    for words in ["job run probe", "run", "status"] {
        place.run(words).exits(78).says("E470").says("sellerd 9.9.9");
    }
    assert_eq!(fs::read(&database).unwrap(), before, "not a byte was changed");
}

/// Makes the database one that sellerd 9.9.9 has migrated, and returns its bytes.
#[expect(clippy::disallowed_methods, reason = "no version that could write such a database exists yet")]
fn from_the_future(database: &Path) -> Vec<u8> {
    let conn = rusqlite::Connection::open(database).unwrap();
    conn.execute_batch(
        "insert into schema_migrations values (9999, '9999_more', 'x', 0, '9.9.9'); pragma journal_mode = delete;",
    )
    .unwrap();
    conn.execute_batch("pragma journal_mode = wal;").unwrap();
    drop(conn);
    fs::read(database).unwrap()
}

#[test]
fn a_full_disk_stops_what_would_need_it_and_loses_nothing() {
    let place = Place::of(2_000);
    fs::create_dir(place.state()).unwrap();
    let Some(_disk) = SmallDisk::mount(&place.state(), "800k") else {
        eprintln!("SKIPPED: a small disk cannot be mounted here (it takes root), so a full one is not tried");
        return;
    };
    place.job("probe", 0);
    let ran = place.run("-o json job run stock-pull");
    assert_ne!(ran.code, 0, "{}", ran.stdout);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(all.contains("disk_full") && all.contains("no room left"), "{all}");
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    let asked = place.asked();
    let ran = place.run("-o json job run stock-pull");
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(place.asked() - asked <= 21, "it does not go on asking for what it cannot keep");

    SmallDisk::grow(&place.state(), "8m");
    let run = place.job("stock-pull", 0);
    assert_eq!(run["counts"]["articles"], 2_000);
    place.assert_database_is_whole();
    assert_eq!(place.list("runs list --job probe", "runs").len(), 1, "what was kept is kept");
}

/// A disk that is soon full.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "sellerd-test"]).arg(at);
        mount.output().is_ok_and(|out| out.status.success()).then(|| Self(at.to_owned()))
    }

    fn grow(at: &Path, size: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={size}")]).arg(at);
        assert!(mount.output().is_ok_and(|out| out.status.success()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_port_that_is_in_use_is_named_before_anything_runs() {
    let place = Place::of(0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.edit("sellerd.toml", "127.0.0.1:0", &address);
    place.run("run").exits(1).says("E481").says(&address).says("[http]");
    place.job("probe", 0);
    assert_eq!(place.list("runs list", "runs").len(), 1, "nothing had run");
    place.edit("sellerd.toml", &address, "off");
    place.run("run --for 1s").exits(0);
}

#[test]
fn a_program_gets_one_document_whatever_it_typed() {
    let place = Place::of(0);
    for (words, message) in [
        ("-o json appply p-1", "unrecognized subcommand"),
        ("apply p-1 --nonsense --output=jsonl", "unexpected argument"),
        ("runs show -o json x", "r-"),
    ] {
        let refused = place.run(words).exits(2);
        let error = refused.error();
        assert_eq!((refused.stdout.as_str(), &error["exit"]), ("", &2.into()), "{words}: {error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{words}: {error}");
    }
    let codes = place.run("-o json explain").exits(0).document("sellerd.explain/1");
    assert!(codes["codes"].as_array().unwrap().iter().any(|code| code["code"] == "E520"), "{codes}");
    place.run("-o json").exits(0).document("sellerd.status/1");
    let nowhere = Program::new(place.home()).args("-c nowhere -o json").run().exits(78);
    assert_eq!((nowhere.stdout.as_str(), &nowhere.error()["code"]), ("", &"E131".into()));
}

#[test]
fn lists_are_empty_and_not_wrong_before_anything_has_run() {
    let place = Place::of(0);
    for (words, key) in [("orders list", "orders"), ("stock list", "listings"), ("runs list", "runs")] {
        assert_eq!(place.list(words, key), Vec::<Value>::new());
        place.run(words).exits(0).says("sellerd job run");
    }
    assert_eq!(place.status()["accounts"][0]["access"]["state"], "unknown");
    assert!(!place.state().exists(), "whoever only looks makes nothing");
}

fn only_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}
