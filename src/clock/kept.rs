//! Whether a time server keeps the wall clock right, by the machine's own word.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::process::Command;

use crate::domain::Clocks;

/// The machine's word on its wall clock.
#[derive(Debug, Default)]
pub struct Kept {
    /// What the clocks showed when it last said that the wall clock is right.
    said: Mutex<Option<Clocks>>,
    /// When it was first and last asked, by a clock that does not go back.
    asked: Mutex<Option<(Duration, Duration)>>,
}

/// So far apart they may be after a while without anybody having set the wall clock.
const NOISE: TimeDelta = TimeDelta::seconds(2);

/// Several accounts ask one after the other, and are told the same.
const TOGETHER: Duration = Duration::from_secs(30);

/// A machine that has said no for so long has no time server, or none that it reaches.
const HOPEFUL: Duration = Duration::from_secs(900);

/// Then it is asked so often: each question starts a program and a service.
const SELDOM: Duration = Duration::from_secs(600);

impl Kept {
    /// Whether it is time to ask; if so, it counts as asked.
    pub(super) fn may_be_asked(&self, now: Duration) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = asked.unwrap_or((now, now));
        let apart = if last.saturating_sub(first) < HOPEFUL { TOGETHER } else { SELDOM };
        let may = asked.is_none() || now.saturating_sub(last) >= apart;
        if may {
            *asked = Some((first, now));
        }
        may
    }

    /// Takes the machine's word, which was given between two looks at the clocks. A clock that was set meanwhile is not
    /// the one that it spoke of.
    pub(super) fn hear(&self, right: bool, before: &Clocks, after: Clocks) -> bool {
        let right = right && have_gone_on_alike(before, &after);
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = right.then_some(after);
        right
    }

    /// Whether that still holds: the wall clock has gone on as the one that nobody sets.
    pub(super) fn holds(&self, clocks: &Clocks) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.as_ref().is_some_and(|said| have_gone_on_alike(said, clocks))
    }
}

fn have_gone_on_alike(then: &Clocks, now: &Clocks) -> bool {
    let (Some(before), Some(after)) = (&then.mark, &now.mark) else { return false };
    let passed = after.up.checked_sub(before.up).and_then(|passed| TimeDelta::from_std(passed).ok());
    before.life == after.life && passed.is_some_and(|passed| (now.now - then.now - passed).abs() <= NOISE)
}

/// It asks the kernel and has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the kernel says, which every time service tells and which forgets it when the clock is set by hand. Asked
/// through systemd: the call itself is one that a locked-down service may not make.
pub(super) async fn machine_says() -> bool {
    let mut asked = Command::new("timedatectl");
    asked
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, asked.output()).await {
        Ok(Ok(said)) => said.status.success() && said.stdout.trim_ascii() == b"yes",
        // There is none, or it does not answer: then nobody says so.
        Ok(Err(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::Mark;

    fn clocks(wall: i64, life: &str, up: u64) -> Clocks {
        let mark = Mark { life: life.into(), up: Duration::from_secs(up), through_sleep: true };
        Clocks { now: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(wall), mark: Some(mark), kept: false }
    }

    #[test]
    fn it_is_asked_once_for_all_and_seldom_where_it_goes_on_saying_no() {
        let kept = Kept::default();
        let asked =
            |from: u64, to: u64| (from..to).filter(|at| kept.may_be_asked(Duration::from_secs(*at))).count();
        assert_eq!((asked(50, 51), asked(51, 80)), (1, 0));
        assert_eq!(asked(80, 960), 30);
        assert_eq!(asked(960, 960 + 6_000), 10);
    }

    #[test]
    fn what_the_machine_said_holds_until_its_clock_is_set() {
        let kept = Kept::default();
        assert!(!kept.holds(&clocks(1_000, "a", 10)), "nobody has said anything");
        assert!(kept.hear(true, &clocks(1_000, "a", 10), clocks(1_001, "a", 11)));
        assert!(kept.holds(&clocks(900_990, "a", 900_000)));
        for set in
            [clocks(5_000, "a", 20), clocks(900, "a", 20), clocks(1_010, "b", 20), clocks(1_000, "a", 5)]
        {
            assert!(!kept.holds(&set), "{set:?}");
        }
        assert!(kept.holds(&clocks(1_010, "a", 20)), "and is there again when it is set back");
        assert!(!kept.hear(true, &clocks(1_000, "a", 10), clocks(1_090, "a", 11)), "set while it was asked");
        assert!(!kept.holds(&clocks(1_090, "a", 11)));
        kept.hear(true, &clocks(1_000, "a", 10), clocks(1_001, "a", 11));
        assert!(!kept.hear(false, &clocks(1_002, "a", 12), clocks(1_002, "a", 12)));
        assert!(!kept.holds(&clocks(1_002, "a", 12)), "the newest word counts");
    }
}
