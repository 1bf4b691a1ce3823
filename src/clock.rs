//! The one place that reads the time.
//!
//! Everything else is handed a [`Clock`], or, where it is pure, an instant as an argument. Sleeping
//! goes through tokio so that a test with paused time decides how long a wait takes.

mod kept;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::domain::{Clocks, Mark};
pub use kept::Kept;

/// Tells the wall time and waits. Shared by every room that has effects.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, whole milliseconds, as the database keeps it.
    fn now(&self) -> DateTime<Utc>;

    /// Time since this clock was made. It never goes back, whatever the wall clock does.
    fn elapsed(&self) -> Duration;

    /// What a clock shows that nobody sets and that outlives this process, if there is one.
    fn mark(&self) -> Option<Mark> {
        None
    }

    /// The wall clock and the other one, and whether the machine has said that the wall clock is right.
    fn both(&self) -> Clocks {
        let clocks = Clocks { now: self.now(), mark: self.mark(), kept: false };
        Clocks { kept: self.kept().is_some_and(|kept| kept.holds(&clocks)), ..clocks }
    }

    /// What the machine has said of its wall clock, if it was ever asked.
    fn kept(&self) -> Option<&Kept> {
        None
    }

    /// Asks the machine whether a time server keeps its wall clock right, unless it was asked just now. What it says
    /// holds until that clock is set.
    async fn ask_whether_kept(&self) -> bool {
        false
    }

    /// Returns once `span` has passed on the monotonic clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that can be shared and cloned cheaply.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    started: tokio::time::Instant,
    boot: OnceLock<Option<Arc<str>>>,
    process: Arc<str>,
    kept: Kept,
}

impl SystemClock {
    /// A shared handle on the machine's clock.
    pub fn shared() -> SharedClock {
        Arc::new(Self::default())
    }
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn default() -> Self {
        let process = format!("{}-{:x}", std::process::id(), Utc::now().timestamp_micros()).into();
        let (boot, kept) = (OnceLock::new(), Kept::default());
        Self { started: tokio::time::Instant::now(), boot, process, kept }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn mark(&self) -> Option<Mark> {
        let boot = self.boot.get_or_init(boot_id).clone().zip(since_boot());
        Some(match boot {
            Some((life, up)) => Mark { life, up, through_sleep: true },
            None => Mark { life: Arc::clone(&self.process), up: self.elapsed(), through_sleep: false },
        })
    }

    fn kept(&self) -> Option<&Kept> {
        Some(&self.kept)
    }

    async fn ask_whether_kept(&self) -> bool {
        if !self.kept.may_be_asked(self.elapsed()) {
            return self.both().kept;
        }
        let before = self.both();
        let says = kept::machine_says().await;
        self.kept.hear(says, &before, self.both())
    }
}

/// What tells this boot of the machine from others. Where a service may not see the kernel's own word for it, whoever
/// starts it says it in `SELLERD_BOOT_ID`.
fn boot_id() -> Option<Arc<str>> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    one_word(&kernel.or_else(|| std::env::var("SELLERD_BOOT_ID").ok())?)
}

/// The same word, with hyphens or without.
fn one_word(text: &str) -> Option<Arc<str>> {
    let word: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    (word.len() == 32).then(|| word.into())
}

/// How long the machine is up, whether it was awake or not.
#[cfg(target_os = "linux")]
fn since_boot() -> Option<Duration> {
    Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::Boottime)).ok()
}

/// Elsewhere nobody says.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<Duration> {
    None
}

/// A clock moved by hand. Wall time is a start, plus what tokio's (possibly paused) time has moved since,
/// plus every jump made with [`ManualClock::jump`]. Each is a machine of its own, which has just been started.
#[derive(Debug)]
pub struct ManualClock {
    start: DateTime<Utc>,
    started: tokio::time::Instant,
    jumped_ms: AtomicI64,
    slept_ms: AtomicI64,
    booted: std::sync::Mutex<(u64, Duration)>,
    asks_time: AtomicBool,
    kept: Kept,
}

/// Boots of all machines that are moved by hand.
static BOOTS: AtomicU64 = AtomicU64::new(0);

impl ManualClock {
    /// A clock that shows `start` now.
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn at(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            start,
            started: tokio::time::Instant::now(),
            jumped_ms: AtomicI64::new(0),
            slept_ms: AtomicI64::new(0),
            booted: std::sync::Mutex::new((BOOTS.fetch_add(1, Ordering::SeqCst), Duration::ZERO)),
            asks_time: AtomicBool::new(false),
            kept: Kept::default(),
        })
    }

    /// Whether the machine asks a time server, and says from here on that its wall clock is kept right.
    pub fn asks_time(&self, asks: bool) {
        self.asks_time.store(asks, Ordering::SeqCst);
    }

    /// Moves the wall clock, forwards or back, without any time passing.
    pub fn jump(&self, by: TimeDelta) {
        self.jumped_ms.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }

    /// The machine sleeps: time passes, and what counts only its waking hours knows nothing of it.
    pub fn sleep_machine(&self, span: Duration) {
        self.slept_ms.fetch_add(span.as_millis() as i64, Ordering::SeqCst);
    }

    /// The machine was off for so long, and has just been started.
    pub fn reboot(&self, away: Duration) {
        self.sleep_machine(away);
        let mut booted = self.booted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *booted = (BOOTS.fetch_add(1, Ordering::SeqCst), self.passed());
    }

    fn passed(&self) -> Duration {
        self.started.elapsed() + Duration::from_millis(self.slept_ms.load(Ordering::SeqCst).unsigned_abs())
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::milliseconds(self.passed().as_millis() as i64);
        self.start + passed + TimeDelta::milliseconds(self.jumped_ms.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn mark(&self) -> Option<Mark> {
        let booted = self.booted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let up = self.passed().saturating_sub(booted.1);
        Some(Mark { life: format!("by-hand-{}", booted.0).into(), up, through_sleep: true })
    }

    fn kept(&self) -> Option<&Kept> {
        Some(&self.kept)
    }

    async fn ask_whether_kept(&self) -> bool {
        let clocks = self.both();
        self.kept.hear(self.asks_time.load(Ordering::SeqCst), &clocks.clone(), clocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_of_one_machine_agree_on_its_boot_and_how_long_it_is_up() {
        let marks = [SystemClock::default(), SystemClock::default()].map(|clock| clock.mark().unwrap());
        if cfg!(target_os = "linux") && std::path::Path::new("/proc/sys/kernel/random/boot_id").exists() {
            assert!(marks[0].through_sleep);
            assert_eq!(marks[0].life, marks[1].life);
            assert!(marks[1].up >= marks[0].up && marks[1].up - marks[0].up < Duration::from_secs(60));
        } else {
            assert!(!marks[0].through_sleep, "it is only known in this process");
        }
    }

    #[test]
    fn a_boot_is_the_same_however_its_word_is_spelled() {
        let word = one_word("b34cb83c-2718-4691-bc77-34400db01d55\n");
        assert_eq!(word, one_word("b34cb83c27184691bc7734400db01d55"));
        assert!(word.is_some() && one_word("%b").is_none() && one_word("").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_moved_by_hand_sleeps_is_set_and_is_started_again() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let begin = clock.both();
        clock.sleep_machine(Duration::from_secs(60));
        clock.jump(TimeDelta::hours(5));
        let set = clock.both();
        assert_eq!(set.now - begin.now, TimeDelta::hours(5) + TimeDelta::minutes(1));
        let (begin, set) = (begin.mark.unwrap(), set.mark.unwrap());
        assert_eq!((&set.life, set.up), (&begin.life, Duration::from_secs(60)));
        clock.reboot(Duration::from_secs(60));
        let anew = clock.mark().unwrap();
        assert!(anew.life != set.life && anew.up == Duration::ZERO && clock.elapsed() == Duration::ZERO);
    }
}
