use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tracing::{debug, error, info, warn};

use super::*;
use crate::clock::ManualClock;

/// Where the lines of a test go.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is written in `style` while `say` runs, at 14:31:07.250 UTC.
fn logged(style: Style, level: &str, say: impl FnOnce()) -> String {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _paused = runtime.enter();
    let clock = ManualClock::at("2026-11-22T14:31:07.250Z".parse().unwrap());
    let paper = Paper::default();
    let written = paper.0.clone();
    let lines = Lines::new(style, clock, move || paper.clone());
    let subscriber = registry().with(filter(level, None).unwrap()).with(lines);
    tracing::subscriber::with_default(subscriber, say);
    let bytes = written.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().replace(env!("CARGO_PKG_VERSION"), "1.2.3")
}

fn finish() {
    let _run = run_span(Some(&"cm-main".into()), &"order-poll".into(), RunId(12)).entered();
    let outcome = crate::domain::Outcome::Partial;
    warn!(
        event = "job.finished",
        outcome = %outcome,
        duration_ms = 840,
        orders_new = 2u64,
        error.type = "bad_response",
        "2 new orders, 1 row unreadable"
    );
}

#[test]
fn json_has_the_base_fields_first_and_dots_in_names() {
    let expected = concat!(
        r#"{"ts":"2026-11-22T14:31:07.250Z","level":"warn","event":"job.finished","#,
        r#""msg":"2 new orders, 1 row unreadable","service.name":"sellerd","service.version":"1.2.3","#,
        r#""account":"cm-main","job":"order-poll","run.id":"r-12","#,
        r#""outcome":"partial","duration_ms":840,"orders_new":2,"error.type":"bad_response"}"#,
        "\n"
    );
    assert_eq!(logged(Style::Json, "info", finish), expected);
}

#[test]
fn the_journal_gets_logfmt_with_a_priority_and_no_time() {
    let expected = concat!(
        r#"<4>level=warn event=job.finished msg="2 new orders, 1 row unreadable" service.name=sellerd "#,
        r#"service.version=1.2.3 account=cm-main job=order-poll run.id=r-12 outcome=partial "#,
        r#"duration_ms=840 orders_new=2 error.type=bad_response"#,
        "\n"
    );
    assert_eq!(logged(Style::Journal, "info", finish), expected);
    let elsewhere = format!("ts=2026-11-22T14:31:07.250Z {}", &expected[3..]);
    assert_eq!(logged(Style::Logfmt, "info", finish), elsewhere);
}

#[test]
fn people_get_short_lines_and_colour_only_where_it_shows() {
    let line = logged(Style::Pretty { color: false }, "info", finish);
    let (time, rest) = line.split_at(8);
    assert!(time.ends_with(":31:07") || time.ends_with(":07"), "local time of day: {time}");
    assert_eq!(
        rest,
        " warn   order-poll  2 new orders, 1 row unreadable  account=cm-main run.id=r-12 outcome=partial \
         duration_ms=840 orders_new=2 error.type=bad_response\n"
    );
    let coloured = logged(Style::Pretty { color: true }, "info", finish);
    assert!(coloured.contains("\x1b[33mwarn \x1b[0m"), "{coloured:?}");
}

#[test]
fn priorities_are_those_of_syslog() {
    let lines = logged(Style::Journal, "trace", || {
        error!("e");
        warn!("w");
        info!("i");
        debug!("d");
        tracing::trace!("t");
    });
    let priorities: Vec<&str> = lines.lines().map(|line| &line[..3]).collect();
    assert_eq!(priorities, ["<3>", "<4>", "<6>", "<7>", "<7>"]);
}

#[test]
fn control_characters_neither_end_a_line_nor_reach_a_terminal() {
    let evil = "a\nb\x1b[31m\u{9b}\u{202e}\"c\\";
    let say = || info!(event = "order.seen", state = evil, "{evil}");
    assert_eq!(
        logged(Style::Journal, "info", say),
        concat!(
            r#"<6>level=info event=order.seen msg="a\nb\u001b[31m\u009b\u202e\"c\\" service.name=sellerd "#,
            r#"service.version=1.2.3 state="a\nb\u001b[31m\u009b\u202e\"c\\""#,
            "\n"
        )
    );
    let pretty = logged(Style::Pretty { color: false }, "info", say);
    assert!(pretty.contains(r#"  a\nb\u001b[31m\u009b\u202e"c\  state="#), "{pretty:?}");
    let json = logged(Style::Json, "info", say);
    assert!(json.contains(r#""state":"a\nb\u001b[31m\u009b\u202e\"c\\""#), "{json:?}");
}

#[test]
fn an_event_overrides_its_span_and_an_inner_span_an_outer_one() {
    let line = logged(Style::Json, "info", || {
        let _outer = tracing::error_span!("outer", account = "a", job = "outer").entered();
        let inner = tracing::error_span!("inner", job = "inner", run.id = tracing::field::Empty).entered();
        inner.record("run.id", "r-7");
        info!(account = "b", ts = "forged", "x");
    });
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&value["account"], &value["job"], &value["run.id"]),
        (&"b".into(), &"inner".into(), &"r-7".into())
    );
    assert_eq!(value["ts"], "2026-11-22T14:31:07.250Z");
    assert_eq!(line.matches("\"ts\"").count(), 1);
}

#[test]
fn a_run_without_an_account_has_no_account_field() {
    let line = logged(Style::Journal, "info", || {
        let _run = run_span(None, &"housekeeping".into(), RunId(3)).entered();
        info!(event = "backup.created", bytes = 12, "copied");
    });
    assert!(line.ends_with("job=housekeeping run.id=r-3 bytes=12\n"), "{line}");
    assert!(!line.contains("account"), "{line}");
}

#[test]
fn an_error_is_shown_with_its_cause() {
    #[derive(Debug, thiserror::Error)]
    #[error("no backup")]
    struct NoBackup(#[source] std::io::Error);
    let error = NoBackup(std::io::Error::other("disk full"));
    let line = logged(Style::Journal, "info", || {
        error!(event = "backup.failed", error = &error as &dyn std::error::Error, "failed");
    });
    assert!(line.contains(r#"error="no backup: disk full""#), "{line}");
}

#[test]
fn libraries_are_heard_from_warn_on_and_named() {
    let line = logged(Style::Journal, "debug", || {
        info!(target: "tokio_cron_scheduler::x", "Uninited");
        info!(target: "hyper", "chatter");
        warn!(target: "hyper", "trouble");
        debug!("ours");
    });
    let lines: Vec<&str> = line.lines().collect();
    assert_eq!(lines.len(), 2, "{line}");
    assert!(lines[0].starts_with("<4>level=warn target=hyper msg=trouble"), "{line}");
    assert!(lines[1].contains("msg=ours"), "{line}");
}

#[test]
fn a_quiet_level_keeps_the_fields_of_the_run() {
    let line = logged(Style::Journal, "error", || {
        let _run = run_span(None, &"probe".into(), RunId(1)).entered();
        warn!("not shown");
        error!("shown");
    });
    assert!(
        line.contains("msg=shown") && line.contains("job=probe") && !line.contains("not shown"),
        "{line}"
    );
}

#[test]
fn a_wrong_level_or_filter_says_where_it_was_written() {
    let message = |level, filter_text| filter(level, filter_text).unwrap_err().to_string();
    assert!(message("loud", None).starts_with("log.level `loud` is no log level or filter (levels are"));
    assert!(message("info", Some("a=b=c")).starts_with("SELLERD_LOG `a=b=c` is no log level or filter"));
    assert!(filter("info", Some("sellerd=trace,hyper=debug")).is_ok());
    assert!(filter("info", Some(" ")).is_ok());
}

#[test]
fn the_format_follows_the_surroundings() {
    let terminal = Surroundings { terminal: true, ..Surroundings::default() };
    let journal = Surroundings { journal: true, ..Surroundings::default() };
    let pipe = Surroundings::default();
    let dumb = Surroundings { no_color: true, force_color: true, ..terminal };
    let forced = Surroundings { force_color: true, ..pipe };
    assert_eq!(terminal.style(Format::Auto), Style::Pretty { color: true });
    assert_eq!(dumb.style(Format::Auto), Style::Pretty { color: false });
    assert_eq!(Surroundings { journal: true, ..terminal }.style(Format::Auto), Style::Pretty { color: true });
    assert_eq!(journal.style(Format::Auto), Style::Journal);
    assert_eq!(pipe.style(Format::Auto), Style::Json);
    assert_eq!(pipe.style(Format::Pretty), Style::Pretty { color: false });
    assert_eq!(forced.style(Format::Pretty), Style::Pretty { color: true });
    assert_eq!(pipe.style(Format::Logfmt), Style::Logfmt);
    assert_eq!(journal.style(Format::Logfmt), Style::Journal);
    assert_eq!(journal.style(Format::Json), Style::Json);
}

/// The names of events in a source text.
fn names_in(source: &str) -> Vec<String> {
    let after = source.split("event = \"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_event_that_is_written_stands_in_the_list_once() {
    let known: BTreeSet<&str> = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(known.len(), EVENTS.len());
    assert_eq!(names_in(r#"info!(event = "a.b", x = 1); warn!(event = "c.d")"#), ["a.b", "c.d"]);
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files.iter().filter(|file| !file.ends_with("telemetry/tests.rs")) {
        for name in names_in(&std::fs::read_to_string(file).unwrap()) {
            assert!(known.contains(name.as_str()), "{} writes `{name}`; add it to EVENTS", file.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_an_event_says_it_is_one_line_and_json_stays_json(text in "\\PC{0,12}|[\\x00-\\xff\u{2028}\u{202e}]{0,12}") {
        for style in [Style::Journal, Style::Logfmt, Style::Json, Style::Pretty { color: false }] {
            let line = logged(style, "info", || info!(event = "order.seen", state = %text, "{text}"));
            prop_assert!(line.ends_with('\n'));
            prop_assert!(!line.trim_end_matches('\n').chars().any(char::is_control), "{:?}", line);
            if style == Style::Json {
                let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(value["state"].as_str(), Some(text.as_str()));
            }
        }
    }
}
