//! How far a run is, while somebody waits for it: a line on a terminal that is drawn again and again, or one every now
//! and then where a log is kept. It goes to stderr and never among results.

use std::io::IsTerminal;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::home::Home;
use super::output::{note, span, thousands};
use crate::agent::ask::Going;
use crate::clock::{SharedClock, SystemClock};

/// How often a terminal's line is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(500);

/// How often something is said where lines stay.
const SAID_EVERY: Duration = Duration::from_secs(30);

/// How often is looked where lines stay, so that a long wait is told of when it begins.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// A wait of so many seconds is long.
const LONG_WAIT_S: u64 = 5;

/// The columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// Parts of the bar.
const BAR: u64 = 16;

/// Shows how far a run is.
pub struct Watch {
    place: Place,
    /// The longest line on a terminal: one that wraps cannot be taken back.
    width: usize,
    clock: SharedClock,
    say: Box<dyn Fn(&str) + Send + Sync>,
    began: Mutex<Option<Began>>,
}

/// Where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Terminal,
    Log,
    Nowhere,
}

/// When we first saw what is going on now, and how far it was.
struct Began {
    phase: String,
    at: Duration,
    done: u64,
}

/// What was said last where lines stay.
struct Said {
    at: Duration,
    /// What was waited for.
    wait: Option<String>,
}

impl Said {
    /// Whether it is time for another line: half a minute is over, or a long wait has begun.
    fn is_due(&mut self, going: &Going, now: Duration) -> bool {
        let wait = going.left_s.map(|_| &going.phase);
        let begins = going.left_s.is_some_and(|left| left >= LONG_WAIT_S) && wait != self.wait.as_ref();
        let due = begins || now >= self.at + SAID_EVERY;
        if due {
            self.at = now;
        }
        if due || wait.is_none() {
            self.wait = wait.cloned();
        }
        due
    }
}

impl Watch {
    /// For who waits at this command line.
    pub fn of(home: &Home) -> Self {
        let place = match std::io::stderr().is_terminal() {
            _ if home.quiet => Place::Nowhere,
            true if drawable(std::env::var("TERM").ok().as_deref()) => Place::Terminal,
            _ => Place::Log,
        };
        let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col.into());
        let columns = if columns == 0 { COLUMNS } else { columns };
        Self {
            place,
            width: columns - 1,
            clock: SystemClock::shared(),
            say: Box::new(note),
            began: Mutex::default(),
        }
    }

    /// Waits for `run`, and shows meanwhile what `look` sees of it.
    pub async fn during<T>(&self, run: impl Future<Output = T>, look: impl AsyncFn() -> Option<Going>) -> T {
        let every = match self.place {
            Place::Nowhere => return run.await,
            Place::Terminal => DRAWN_EVERY,
            Place::Log => LOOKED_EVERY,
        };
        let mut run = pin!(run);
        let mut drawn = false;
        let mut said = Said { at: self.clock.elapsed(), wait: None };
        loop {
            tokio::select! {
                biased;
                ended = &mut run => {
                    if drawn {
                        (self.say)("\r\x1b[2K");
                    }
                    return ended;
                }
                () = self.clock.sleep(every) => {}
            }
            let Some(going) = look().await else { continue };
            drawn = self.place == Place::Terminal;
            if drawn || said.is_due(&going, self.clock.elapsed()) {
                (self.say)(&self.line(&going));
            }
        }
    }

    fn line(&self, going: &Going) -> String {
        let now = self.clock.elapsed();
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let began = match began.as_mut() {
            Some(began) if began.phase == going.phase && began.done <= going.done => began,
            _ => began.insert(Began { phase: going.phase.clone(), at: now, done: going.done }),
        };
        let parts = words(going, going.done - began.done, now.saturating_sub(began.at), self.place);
        match self.place {
            Place::Terminal => format!("\r\x1b[2K{}", fitted(parts, self.width)),
            _ => format!("{}\n", joined(&parts)),
        }
    }
}

/// Whether a terminal of this name can take a line back.
fn drawable(term: Option<&str>) -> bool {
    !matches!(term, None | Some("" | "dumb"))
}

/// One thing that a line says, and how soon it is left out where there is no room: the highest first, 0 never.
type Part = (u8, String);

fn joined(parts: &[Part]) -> String {
    parts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("  ")
}

/// The parts in a line that is not longer than this. What does not fit is left out whole, since half a number misleads.
fn fitted(mut parts: Vec<Part>, width: usize) -> String {
    while joined(&parts).chars().count() > width {
        let Some(at) = (0..parts.len()).max_by_key(|at| parts[*at].0).filter(|at| parts[*at].0 > 0) else {
            break;
        };
        parts.remove(at);
    }
    joined(&parts).chars().take(width).collect()
}

/// What is going on, how much of it is done, how fast, how long it will take, and what may still be asked.
fn words(going: &Going, lately: u64, over: Duration, place: Place) -> Vec<Part> {
    let mut parts = vec![(0, going.phase.clone())];
    let count = |number: u64| thousands(i64::try_from(number).unwrap_or(i64::MAX));
    if going.total > 0 {
        let done = going.done.min(going.total);
        if place == Place::Terminal {
            let full = (done.saturating_mul(BAR) / going.total) as usize;
            parts.push((4, format!("[{}{}]", "#".repeat(full), "-".repeat(BAR as usize - full))));
        }
        parts.push((1, format!("{} of {}", count(done), count(going.total))));
    } else if going.done > 0 {
        parts.push((1, count(going.done)));
    }
    parts.extend(going.left_s.map(|left| (2, format!("{} left", to_the_second(left)))));
    let rate = lately as f64 / over.as_secs_f64().max(0.001);
    if lately > 0 && over >= DRAWN_EVERY {
        let rate_words =
            if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{}/s", count(rate as u64)) };
        parts.push((5, rate_words));
        if going.total > going.done {
            let rest = chrono::TimeDelta::seconds(((going.total - going.done) as f64 / rate).ceil() as i64);
            parts.push((2, format!("{} left", span(rest))));
        }
    }
    parts.extend(going.requests_left.map(|left| {
        let left = thousands(left);
        let words = match going.requests_needed {
            Some(needed) => format!("about {} requests, {left} left", thousands(needed)),
            None => format!("{left} requests left"),
        };
        (3, words)
    }));
    parts
}

/// A span that is counted down: `1 min 30 s`.
fn to_the_second(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn going(done: u64, total: u64) -> Going {
        let phase = "applying".to_owned();
        Going { phase, done, total, requests_left: Some(2_788), requests_needed: None, left_s: None }
    }

    /// A run that waits from its third second to the 93rd.
    fn waiting(seconds: u64) -> Going {
        let left_s = (3..93).contains(&seconds).then(|| 93 - seconds);
        let phase = if left_s.is_some() { "waiting until it shows" } else { "reading" };
        Going { phase: phase.to_owned(), left_s, requests_left: None, ..going(0, 0) }
    }

    /// What is said of a run of this many seconds that does ten parts of a thousand in each.
    async fn said(place: Place, seconds: u64) -> Vec<String> {
        said_of(place, seconds, |second| going(second * 10, 1_000)).await
    }

    async fn said_of(place: Place, seconds: u64, going: impl Fn(u64) -> Going) -> Vec<String> {
        let clock = ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let say = Box::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()));
        let watch = Watch { place, width: 79, clock: clock.clone(), say, began: Mutex::default() };
        let run = clock.sleep(Duration::from_secs(seconds));
        let look = async || Some(going(clock.elapsed().as_secs()));
        watch.during(run, look).await;
        lines.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn where_lines_stay_there_is_one_every_thirty_seconds() {
        assert_eq!(said(Place::Log, 29).await, [""; 0]);
        let lines = said(Place::Log, 70).await;
        let expected = [
            "applying  300 of 1 000  2 788 requests left\n",
            "applying  600 of 1 000  10/s  40 s left  2 788 requests left\n",
        ];
        assert_eq!(lines, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_shows_a_bar_and_nothing_of_it_stays() {
        let lines = said(Place::Terminal, 60).await;
        assert_eq!(lines.len(), 120);
        let last = &lines[118];
        assert!(last.starts_with("\r\x1b[2Kapplying  [#########-------]  590 of 1 000  "), "{last:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 79 + 5 && !line.contains('\n')));
        assert_eq!(lines[119], "\r\x1b[2K");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_told_of_when_it_begins_and_counted_down() {
        let lines = said_of(Place::Log, 92, waiting).await;
        let expected = ["1 min 30 s left", "1 min left", "30 s left"];
        assert_eq!(lines, expected.map(|left| format!("waiting until it shows  {left}\n")));
        let lines = said_of(Place::Terminal, 100, waiting).await;
        for (second, left) in [(3, "1 min 30 s left"), (4, "1 min 29 s left"), (92, "1 s left")] {
            assert!(lines[second * 2 - 1].ends_with(left), "{second}: {:?}", lines[second * 2 - 1]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_quiet_has_it() {
        assert_eq!(said(Place::Nowhere, 600).await, [""; 0]);
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let shown = |going: &Going| joined(&words(going, 0, Duration::ZERO, Place::Terminal));
        let needed = Going { requests_needed: Some(1_017), ..going(0, 0) };
        assert_eq!(shown(&needed), "applying  about 1 017 requests, 2 788 left");
        let nothing = Going { requests_left: None, ..going(0, 0) };
        assert_eq!(shown(&nothing), "applying");
        assert_eq!(shown(&Going { done: 1_200, ..nothing }), "applying  1 200");
    }

    #[test]
    fn a_narrow_terminal_loses_whole_parts_and_never_wraps() {
        let going = Going { requests_left: Some(99_977), ..going(600, 1_500) };
        let parts = || words(&going, 600, Duration::from_secs(3), Place::Terminal);
        let expected = [
            (120, "applying  [######----------]  600 of 1 500  200/s  5 s left  99 977 requests left"),
            (79, "applying  [######----------]  600 of 1 500  5 s left  99 977 requests left"),
            (60, "applying  600 of 1 500  5 s left  99 977 requests left"),
            (40, "applying  600 of 1 500  5 s left"),
            (10, "applying"),
            (3, "app"),
        ];
        for (width, line) in expected {
            assert_eq!(fitted(parts(), width), line);
        }
    }

    #[test]
    fn a_terminal_that_takes_nothing_back_gets_lines() {
        assert!(drawable(Some("xterm-256color")) && drawable(Some("linux")));
        assert!(!drawable(Some("dumb")) && !drawable(Some("")) && !drawable(None));
    }
}
