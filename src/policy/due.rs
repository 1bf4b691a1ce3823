//! What is due, missed or late: the board on which every job's next slot stands.
//!
//! A slot is an instant of the schedule. It starts at slot + jitter and is handed out at most once; (job, slot) is
//! the key of a run. What a schedule says while the agent is away, suspended or stuck is coalesced: a claim hands
//! out one fire a job at most, for the latest slot, and says how many others it stands for.
//!
//! The wall clock may jump. Forwards is the same as having been away. Backwards by up to [`STEP`] changes nothing:
//! the jobs wait until the clock is past what was handed out already. Further back that would be silence, so
//! every job is planned anew from the new time; a slot that comes round again then has the key of a run that
//! exists, which the database refuses and the runner reports as already done.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::schedule::Schedule;
use crate::domain::{JobName, Trigger};

/// When one job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The job.
    pub job: JobName,
    /// Its slots.
    pub schedule: Schedule,
    /// Whether it runs at all.
    pub enabled: bool,
    /// The longest its start is put off after the slot; a day at most.
    pub jitter: Duration,
    /// What becomes of slots that nobody was there for.
    pub on_missed: OnMissed,
    /// Slots after this instant are owed: the latest slot handed out before a restart, or now for a new job.
    pub planned_from: DateTime<Utc>,
}

/// What becomes of slots that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissed {
    /// One run now stands for all of them.
    #[default]
    RunOnce,
    /// They are recorded and not run.
    Skip,
}

/// A job has to run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    /// The job.
    pub job: JobName,
    /// The slot it runs for, without jitter.
    pub due_at: DateTime<Utc>,
    /// `Schedule` when it is on time, `Catchup` when it is not.
    pub trigger: Trigger,
    /// Slots that passed without a run and that this run stands for; counted up to [`COUNTED`]. A `Catchup`
    /// counts its own slot, so it is at least 1 then; a run on time does not.
    pub missed: u32,
}

/// Slots of one job that were missed and are not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The job.
    pub job: JobName,
    /// The first of them.
    pub due_first: DateTime<Utc>,
    /// The last of them.
    pub due_last: DateTime<Utc>,
    /// How many; counted up to [`COUNTED`].
    pub count: u32,
}

/// What one look at the clock brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claimed {
    /// What has to run now.
    pub fires: Vec<Fire>,
    /// What was missed and is not run.
    pub skipped: Vec<Missed>,
}

impl Claimed {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.fires.is_empty() && self.skipped.is_empty()
    }
}

/// A slot handed out this long after its start is still on time.
pub const ON_TIME: TimeDelta = TimeDelta::seconds(60);

/// How far the clock may fall behind the furthest it was before every job is planned anew.
pub const STEP: TimeDelta = TimeDelta::minutes(10);

/// Missed slots are counted up to here; a year of a job that runs every second is not worth walking through.
pub const COUNTED: u32 = 10_000;

/// All jobs with their next slots.
#[derive(Debug)]
pub struct Board {
    jobs: BTreeMap<JobName, Entry>,
    /// The furthest the clock was since jobs were last planned anew.
    reached: DateTime<Utc>,
    last_claim: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Entry {
    plan: Plan,
    jitter: TimeDelta,
    /// The first slot after `plan.planned_from`, kept since it is looked at twice a second.
    next: Option<DateTime<Utc>>,
}

impl Board {
    /// The board at start. Slots between a plan's `planned_from` and `now` are missed.
    pub fn new(plans: Vec<Plan>, now: DateTime<Utc>) -> Self {
        let jobs = plans.into_iter().map(|mut plan| {
            if plan.planned_from > now + STEP {
                plan.planned_from = now;
            }
            (plan.job.clone(), Entry::new(plan))
        });
        Self { jobs: jobs.collect(), reached: now, last_claim: None }
    }

    /// Takes over a new configuration. A job whose schedule stayed as it was still owes what it owed; a job that
    /// is new, was disabled or got another schedule is planned from `now`.
    pub fn replace(&mut self, plans: Vec<Plan>, now: DateTime<Utc>) {
        let before = std::mem::take(&mut self.jobs);
        for mut plan in plans {
            plan.planned_from = match before.get(&plan.job) {
                Some(old) if old.plan.enabled && old.plan.schedule == plan.schedule => old.plan.planned_from,
                Some(old) => old.plan.planned_from.max(now),
                None => now,
            };
            self.jobs.insert(plan.job.clone(), Entry::new(plan));
        }
    }

    /// Hands out whatever is due at `now`, each slot at most once.
    pub fn claim(&mut self, now: DateTime<Utc>) -> Claimed {
        if now < self.reached - STEP {
            self.reached = now;
            // What is still owed from before the new time stays owed.
            self.jobs.values_mut().filter(|e| e.plan.planned_from > now).for_each(|e| e.plan_from(now));
        }
        self.reached = self.reached.max(now);
        self.last_claim = Some(now);
        let mut claimed = Claimed::default();
        for entry in self.jobs.values_mut() {
            entry.claim(now, &mut claimed);
        }
        claimed
    }

    /// When the job starts next, jitter included; `None` if it is disabled or unknown.
    pub fn next(&self, job: &JobName) -> Option<DateTime<Utc>> {
        self.jobs.get(job)?.starts().next()
    }

    /// The next `n` starts after `now` of all jobs together, each with what a change of the clocks does to it.
    pub fn upcoming(&self, now: DateTime<Utc>, n: usize) -> Vec<(JobName, DateTime<Utc>, Option<String>)> {
        let starts = self.jobs.iter().flat_map(|(job, entry)| {
            let from = entry.plan.planned_from.max(now - entry.jitter);
            entry.starts_after(from).take(n).map(move |at| (at, job, entry))
        });
        let mut starts: Vec<_> = starts.collect();
        starts.sort_by_key(|(at, job, _)| (*at, *job));
        let soonest = starts.into_iter().take(n);
        soonest
            .map(|(at, job, entry)| (job.clone(), at, entry.plan.schedule.note(at - entry.jitter)))
            .collect()
    }

    /// The wall clock at the latest claim: the proof that somebody looks.
    pub fn last_claim(&self) -> Option<DateTime<Utc>> {
        self.last_claim
    }

    /// The names of all jobs, in order.
    pub fn jobs(&self) -> impl Iterator<Item = &JobName> {
        self.jobs.keys()
    }

    /// Up to where the job's slots were dealt with; what to give back as [`Plan::planned_from`] after a restart.
    pub fn planned_from(&self, job: &JobName) -> Option<DateTime<Utc>> {
        self.jobs.get(job).map(|entry| entry.plan.planned_from)
    }
}

impl Entry {
    fn new(plan: Plan) -> Self {
        let jitter = TimeDelta::from_std(jitter(&plan.job, plan.jitter)).unwrap_or_default();
        let next = plan.schedule.next_after(plan.planned_from);
        Self { plan, jitter, next }
    }

    fn plan_from(&mut self, from: DateTime<Utc>) {
        self.plan.planned_from = from;
        self.next = self.plan.schedule.next_after(from);
    }

    fn starts(&self) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.starts_after(self.plan.planned_from)
    }

    /// The starts of the slots after `from`; none while disabled.
    fn starts_after(&self, from: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let schedule = &self.plan.schedule;
        let first = if self.plan.enabled { schedule.next_after(from) } else { None };
        std::iter::successors(first, |slot| schedule.next_after(*slot)).map(|slot| slot + self.jitter)
    }

    fn claim(&mut self, now: DateTime<Utc>, claimed: &mut Claimed) {
        if !self.plan.enabled {
            // What passes while it is disabled is not owed later.
            self.plan.planned_from = self.plan.planned_from.max(now);
            return;
        }
        let open_until = now - self.jitter;
        let Some(first) = self.next.filter(|slot| *slot <= open_until) else { return };
        let due = Due::count(&self.plan.schedule, first, open_until);
        let job = &self.plan.job;
        let (on_time, skip) = (due.last_late != Some(due.last), self.plan.on_missed == OnMissed::Skip);
        if let (true, Some(due_last)) = (skip, due.last_late) {
            claimed.skipped.push(Missed { job: job.clone(), due_first: first, due_last, count: due.late });
        }
        let (trigger, missed) = match (on_time, skip) {
            (true, false) => (Trigger::Schedule, due.slots - 1),
            (true, true) => (Trigger::Schedule, due.slots.saturating_sub(due.late + 1)),
            (false, _) => (Trigger::Catchup, due.slots),
        };
        if on_time || !skip {
            claimed.fires.push(Fire { job: job.clone(), due_at: due.last, trigger, missed });
        }
        self.plan_from(due.last);
    }
}

/// The slots of one job that one claim found due.
struct Due {
    slots: u32,
    last: DateTime<Utc>,
    late: u32,
    last_late: Option<DateTime<Utc>>,
}

impl Due {
    fn count(schedule: &Schedule, first: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let on_time_from = until - ON_TIME;
        let walk = |from| {
            std::iter::successors(Some(from), |slot| schedule.next_after(*slot))
                .take_while(|slot| *slot <= until)
        };
        let mut due = Self { slots: 0, last: first, late: 0, last_late: None };
        let mut add = |slot: DateTime<Utc>| {
            due.slots = COUNTED.min(due.slots + 1);
            due.last = slot;
            if slot < on_time_from {
                due.late = COUNTED.min(due.late + 1);
                due.last_late = Some(slot);
            }
            due.slots
        };
        let counted = walk(first).take(COUNTED as usize).map(|slot| (add(slot), slot)).last();
        if let Some((COUNTED, last)) = counted {
            // The rest is not counted; only its last slots matter.
            let near_the_end = [1, 60, 3_600, 86_400, 31 * 86_400].into_iter().find_map(|seconds| {
                let from = last.max(on_time_from - TimeDelta::seconds(seconds));
                schedule.next_after(from).filter(|slot| *slot < on_time_from)
            });
            if let Some(from) = near_the_end.or_else(|| schedule.next_after(last)) {
                walk(from).for_each(|slot| _ = add(slot));
            }
        }
        due
    }
}

/// How long the job's starts are put off: between nothing and `most`, in whole seconds, and always the same for
/// one name, so that the next start is a fact. FNV-1a, since it must not change with the compiler.
pub fn jitter(job: &JobName, most: Duration) -> Duration {
    const DAY: u64 = 86_400;
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = job.as_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    Duration::from_secs(hash % (most.as_secs().min(DAY) + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::testing::plan;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    fn board(plan: Plan, now: &str) -> Board {
        Board::new(vec![plan], at(now))
    }

    /// What a claim brought, in short: `due trigger missed` for fires, `first..last xN` for what is skipped.
    #[track_caller]
    fn check(board: &mut Board, now: &str, expected: &[&str]) {
        let claimed = board.claim(at(now));
        let clock = |at: DateTime<Utc>| at.format("%H:%M:%S").to_string();
        let fires = claimed.fires.iter().map(|f| format!("{} {} {}", clock(f.due_at), f.trigger, f.missed));
        let skipped = claimed.skipped.iter();
        let skipped = skipped.map(|m| format!("{}..{} x{}", clock(m.due_first), clock(m.due_last), m.count));
        assert_eq!(fires.chain(skipped).collect::<Vec<_>>(), expected, "at {now}");
    }

    #[test]
    fn a_slot_is_handed_out_once_and_not_before_it_is_due() {
        let mut board = board(plan("poll", "*/5 * * * *", at("14:01:00")), "14:01:00");
        check(&mut board, "14:04:59.999", &[]);
        check(&mut board, "14:05:00", &["14:05:00 schedule 0"]);
        check(&mut board, "14:05:00", &[]);
        check(&mut board, "14:09:59", &[]);
        check(&mut board, "14:11:00", &["14:10:00 schedule 0"]);
        assert_eq!(board.last_claim(), Some(at("14:11:00")));
    }

    #[test]
    fn a_slot_more_than_a_minute_late_was_missed_and_is_caught_up_with_once() {
        let mut board = board(plan("poll", "0 * * * *", at("09:30:00")), "14:01:00.001");
        check(&mut board, "14:01:00.001", &["14:00:00 catchup 5"]);
        check(&mut board, "14:02:00", &[]);
        check(&mut board, "15:00:00", &["15:00:00 schedule 0"]);
    }

    #[test]
    fn a_slot_that_is_on_time_stands_for_those_that_were_missed_before_it() {
        let mut board = board(plan("poll", "*/5 * * * *", at("14:00:00")), "14:00:00");
        check(&mut board, "15:00:30", &["15:00:00 schedule 11"]);
    }

    #[test]
    fn missed_slots_that_are_to_be_skipped_are_told_and_not_run() {
        let skip = Plan { on_missed: OnMissed::Skip, ..plan("poll", "0 * * * *", at("09:30:00")) };
        let mut late = board(skip.clone(), "14:20:00");
        check(&mut late, "14:20:00", &["10:00:00..14:00:00 x5"]);
        check(&mut late, "14:20:01", &[]);
        let mut on_time = board(skip, "14:00:30");
        check(&mut on_time, "14:00:30", &["14:00:00 schedule 0", "10:00:00..13:00:00 x4"]);
    }

    #[test]
    fn slots_that_are_not_yet_late_are_coalesced_whatever_is_done_with_missed_ones() {
        let skip = Plan { on_missed: OnMissed::Skip, ..plan("poll", "*/20 * * * * *", at("14:00:00")) };
        let mut board = board(skip, "14:00:00");
        // 14:00:20 is 61 s late; 40, 60 and 80 are not.
        check(&mut board, "14:01:21", &["14:01:20 schedule 2", "14:00:20..14:00:20 x1"]);
    }

    #[test]
    fn jitter_puts_off_every_start_by_the_same_time() {
        let mut jittery = plan("stock-pull", "0 * * * *", at("13:30:00"));
        jittery.jitter = Duration::from_secs(600);
        let put_off = TimeDelta::from_std(jitter(&jittery.job, jittery.jitter)).unwrap();
        assert!(put_off > ON_TIME, "the name is chosen so");
        let mut board = board(jittery, "13:30:00");
        let next = at("14:00:00") + put_off;
        assert_eq!(board.next(&"stock-pull".into()), Some(next));
        assert_eq!(board.claim(next - TimeDelta::milliseconds(1)), Claimed::default());
        let fires = board.claim(next).fires;
        assert_eq!((fires[0].due_at, fires[0].trigger), (at("14:00:00"), Trigger::Schedule));
        assert_eq!(board.next(&"stock-pull".into()), Some(at("15:00:00") + put_off));
    }

    #[test]
    fn jitter_is_the_same_on_every_machine_and_never_too_long() {
        assert_eq!(jitter(&"stock-pull".into(), Duration::from_secs(600)), Duration::from_secs(597));
        assert_eq!(jitter(&"order-poll".into(), Duration::from_secs(600)), Duration::from_secs(531));
        assert_eq!(jitter(&"order-poll".into(), Duration::from_millis(900)), Duration::ZERO);
        assert!(jitter(&"order-poll".into(), Duration::MAX) <= Duration::from_secs(86_400));
    }

    #[test]
    fn a_small_step_back_hands_out_nothing_twice() {
        let mut board = board(plan("poll", "* * * * *", at("14:00:00")), "14:00:00");
        check(&mut board, "14:09:00", &["14:09:00 schedule 8"]);
        check(&mut board, "14:00:00", &[]);
        check(&mut board, "14:09:59", &[]);
        check(&mut board, "14:10:00", &["14:10:00 schedule 0"]);
    }

    #[test]
    fn a_large_step_back_does_not_silence_a_job() {
        let mut board = board(plan("poll", "*/5 * * * *", at("14:00:00")), "14:00:00");
        check(&mut board, "14:05:00", &["14:05:00 schedule 0"]);
        check(&mut board, "12:05:00", &[]);
        check(&mut board, "12:10:00", &["12:10:00 schedule 0"]);
    }

    #[test]
    fn small_steps_back_do_not_add_up_to_silence() {
        let mut board = board(plan("poll", "*/5 * * * *", at("14:00:00")), "14:00:00");
        check(&mut board, "14:05:00", &["14:05:00 schedule 0"]);
        check(&mut board, "13:58:00", &[]);
        check(&mut board, "13:51:00", &[]);
        check(&mut board, "13:55:00", &["13:55:00 schedule 0"]);
    }

    #[test]
    fn what_was_put_off_by_jitter_survives_a_large_step_back() {
        let mut jittery = plan("stock-pull", "0 * * * *", at("13:30:00"));
        jittery.jitter = Duration::from_secs(3_000);
        let put_off = TimeDelta::from_std(jitter(&jittery.job, jittery.jitter)).unwrap();
        assert!(put_off > TimeDelta::minutes(12), "the name is chosen so");
        let mut board = board(jittery, "13:30:00");
        board.claim(at("14:12:00"));
        check(&mut board, "14:01:00", &[]);
        assert_eq!(board.next(&"stock-pull".into()), Some(at("14:00:00") + put_off));
    }

    #[test]
    fn a_restart_with_a_clock_that_ran_far_ahead_plans_from_now() {
        let mut board = board(plan("poll", "0 * * * *", at("23:00:00")), "14:30:00");
        check(&mut board, "15:00:00", &["15:00:00 schedule 0"]);
    }

    #[test]
    fn a_reload_keeps_what_is_owed_and_new_or_changed_jobs_owe_nothing() {
        let owed = plan("kept", "0 * * * *", at("13:30:00"));
        let mut board =
            Board::new(vec![owed.clone(), plan("changed", "0 * * * *", at("13:30:00"))], at("13:30:00"));
        let changed = plan("changed", "*/5 * * * *", at("00:00:00"));
        board.replace(vec![owed, changed, plan("new", "*/10 * * * *", at("00:00:00"))], at("14:12:00"));
        assert_eq!(board.jobs().map(JobName::as_str).collect::<Vec<_>>(), ["changed", "kept", "new"]);
        check(&mut board, "14:12:00", &["14:00:00 catchup 1"]);
        check(&mut board, "14:20:00", &["14:20:00 schedule 1", "14:20:00 schedule 0"]);
        board.replace(vec![], at("14:21:00"));
        check(&mut board, "15:00:00", &[]);
    }

    #[test]
    fn a_disabled_job_never_fires_and_enabling_it_catches_up_with_nothing() {
        let enabled = plan("poll", "0 * * * *", at("09:30:00"));
        let disabled = Plan { enabled: false, ..enabled.clone() };
        let mut board = board(disabled, "12:30:00");
        check(&mut board, "14:30:00", &[]);
        assert_eq!(board.next(&"poll".into()), None);
        assert_eq!(board.upcoming(at("14:30:00"), 3), []);
        assert_eq!(board.planned_from(&"poll".into()), Some(at("14:30:00")));
        board.replace(vec![enabled], at("14:45:00"));
        check(&mut board, "14:45:00", &[]);
        check(&mut board, "15:00:00", &["15:00:00 schedule 0"]);
    }

    #[test]
    fn what_comes_next_is_listed_across_jobs_in_order() {
        let plans = vec![plan("b", "*/5 * * * *", at("14:00:00")), plan("a", "10 * * * *", at("14:00:00"))];
        let board = Board::new(plans, at("14:01:00"));
        let next: Vec<String> = board
            .upcoming(at("14:01:00"), 4)
            .into_iter()
            .map(|(job, at, note)| format!("{job} {} {note:?}", at.format("%H:%M")))
            .collect();
        assert_eq!(next, ["b 14:05 None", "a 14:10 None", "b 14:10 None", "b 14:15 None"]);
    }

    #[test]
    fn a_year_of_missed_seconds_is_dealt_with_at_once() {
        let from = at("14:00:00") - TimeDelta::days(365);
        let mut board = board(plan("tick", "* * * * * *", from), "14:00:00");
        check(&mut board, "14:00:00", &["14:00:00 schedule 9999"]);
        let bounds = Plan { on_missed: OnMissed::Skip, ..plan("tick", "0-9 * * * * *", from) };
        let claimed = Board::new(vec![bounds], at("14:01:30")).claim(at("14:01:30"));
        assert_eq!(claimed.fires[0].due_at, at("14:01:09"));
        assert_eq!((claimed.skipped[0].due_last, claimed.skipped[0].count), (at("14:00:09"), COUNTED));
    }

    /// A clock that goes on by `forward` seconds, or back by `back`.
    fn moves() -> impl Strategy<Value = Vec<i64>> {
        let forward = prop_oneof![6 => 0..90i64, 3 => 90..900i64, 1 => 900..20_000i64];
        let one = prop_oneof![8 => forward, 2 => -300..0i64];
        proptest::collection::vec(one, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_slot_is_handed_out_twice_and_none_is_dropped(
            moves in moves(),
            skip: bool,
            most_jitter in 0..400u64,
            text in proptest::sample::select(vec!["*/5 * * * *", "* * * * *", "3,17,44 * * * *", "*/20 * * * * *"]),
        ) {
            let start = at("00:00:00");
            let mut plan = plan("poll", text, start);
            plan.on_missed = if skip { OnMissed::Skip } else { OnMissed::RunOnce };
            plan.jitter = Duration::from_secs(most_jitter);
            let put_off = TimeDelta::from_std(jitter(&plan.job, plan.jitter)).unwrap();
            let schedule = plan.schedule.clone();
            let mut board = Board::new(vec![plan], start);
            let (mut now, mut furthest, mut seen, mut slots) = (start, start, Vec::new(), 0);
            for seconds in moves {
                // Never more than ten minutes behind the furthest.
                now = (now + TimeDelta::seconds(seconds)).max(furthest - STEP);
                furthest = furthest.max(now);
                let claimed = board.claim(now);
                for fire in &claimed.fires {
                    prop_assert!(fire.due_at + put_off <= now);
                    let late = now - (fire.due_at + put_off) > ON_TIME;
                    prop_assert_eq!(late, fire.trigger == Trigger::Catchup);
                    prop_assert!(!(late && skip));
                    seen.push(fire.due_at);
                    slots += fire.missed + u32::from(!late);
                }
                slots += claimed.skipped.iter().map(|missed| missed.count).sum::<u32>();
            }
            let owed = std::iter::successors(schedule.next_after(start), |slot| schedule.next_after(*slot));
            let owed = owed.take_while(|slot| *slot + put_off <= furthest).count();
            prop_assert_eq!(slots as usize, owed);
            prop_assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "twice or out of order: {:?}", seen);
        }
    }
}
