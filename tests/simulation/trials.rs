//! What is tried, and how it is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::policy::restraint::MOST_SAVED;
use sellerd::sandbox::FaultKind;

use crate::controls::CONTROLS;
use crate::life::{self, Told};
use crate::many::{self, Many};
use crate::market::{CARDMARKET, Name, TRADEME};
use crate::scenes;
use crate::story::Story;
use crate::sweep;

/// How much is asked for.
pub struct Ask {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
}

/// One line of the report.
pub struct Trial {
    /// Its name, by which it can be chosen.
    pub name: &'static str,
    run: fn(&Ask) -> Result<String, String>,
}

/// All of them.
pub const TRIALS: [Trial; 11] = [
    Trial { name: "stories", run: stories },
    Trial { name: "replay", run: replays },
    Trial { name: "one-owner", run: one_owner },
    Trial { name: "quota", run: quota },
    Trial { name: "slots", run: slots },
    Trial { name: "recovery", run: recovery },
    Trial { name: "lists", run: lists },
    Trial { name: "refusals", run: refusals },
    Trial { name: "storms", run: storms },
    Trial { name: "board", run: board },
    Trial { name: "controls", run: controls },
];

/// Runs what is wanted and says how it went.
pub fn run(ask: &Ask, wanted: &dyn Fn(&str) -> bool) -> ExitCode {
    let chosen: Vec<&Trial> = TRIALS.iter().filter(|trial| wanted(trial.name)).collect();
    let (mut passed, mut failed) = (0, 0);
    for trial in chosen {
        match (trial.run)(ask) {
            Ok(said) => {
                passed += 1;
                println!("ok      {:<10} {}", trial.name, said.replace('\n', "\n                   "));
            }
            Err(said) => {
                failed += 1;
                println!("FAILED  {:<10} {}", trial.name, said.replace('\n', "\n                   "));
            }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells one story with every line of it.
pub fn replay(scene: &str, seed: u64, without: Option<&String>) -> ExitCode {
    let mut story = match scene {
        "one-owner" => scenes::rivals(seed),
        "quota" => scenes::saturated(seed),
        "edge-of-day" => scenes::edge_of_day(seed),
        "quota-by-hour" => scenes::saturated_hours(seed),
        "edge-of-hour" => scenes::edge_of_hour(seed),
        "set-over-the-edge" => scenes::set_over_the_edge(seed),
        "off-overnight" => scenes::off_overnight(seed),
        "set-back" => scenes::set_back(seed),
        "outages" => scenes::outages(seed),
        "recovery" => scenes::killed(seed),
        "own-trigger" => scenes::own_trigger(seed),
        "lossy" => scenes::lossy(seed),
        "halted" => scenes::halted(seed),
        "refused" => scenes::refused(seed),
        "refused-and-killed" => scenes::refused_and_killed(seed),
        "killed-over-its-questions" => scenes::refused_and_killed_over_its_questions(seed),
        "killed-unread" => scenes::refused_and_killed_unread(seed),
        "undisturbed" => Story::of(seed).undisturbed(),
        _ => Story::of(seed),
    };
    if let Some(control) = CONTROLS.iter().find(|control| without.is_some_and(|name| name == control.name)) {
        story = scenes::without(control.removed, story);
    }
    let told = life::tell(&story, true);
    told.log.iter().for_each(|line| println!("{line}"));
    println!("digest {:016x}", told.digest);
    for what in &told.violations {
        println!("broken: {what}");
    }
    println!("{} promises broken", told.violations.len());
    if told.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn stories(ask: &Ask) -> Result<String, String> {
    let many = many::tell(ask.from..ask.from + ask.seeds, &Story::of);
    let t = &many.tally;
    let faults: Vec<String> = t.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let said = format!(
        "{} seeds, {} hours, {} requests, {} runs\n\
         {} crashes, {} restarts, {} of the whole machine, {} freezes, {} clock jumps, {} disk failures, {} withdrawn logins, {} second agents\n\
         {} purchases, {} steps of orders; at the end {} orders with {} movements were as the shop says, {} of them but for lost being received or the other way round\n\
         {} stories with lists: {} writes that changed {} things, {} halts, {} writes beyond explaining; at the end {} things were \
         for sale as the list says, as where nothing went wrong\n\
         {} faults: {}\n{} violations",
        t.seeds,
        t.hours,
        t.requests,
        t.runs,
        t.crashes,
        t.restarts,
        t.boots,
        t.freezes,
        t.jumps,
        t.disk,
        t.revocations,
        t.turned_away,
        t.purchases,
        t.moves,
        t.orders,
        t.movements,
        t.turned,
        t.synced,
        t.writes,
        t.changes,
        t.halts,
        t.parked,
        t.as_listed,
        t.all_faults(),
        faults.join(", "),
        many.broken.len(),
    );
    verdict(&many, "stories", said)
}

/// What came of many stories: fine, or each seed with its first complaint and the command that tells it again.
fn verdict(many: &Many, scene: &str, said: String) -> Result<String, String> {
    if many.broken.is_empty() {
        return Ok(said);
    }
    let lines = many.broken.iter().take(20).map(|(seed, what)| {
        let scene = if scene == "stories" { String::new() } else { format!(" --scene {scene}") };
        format!(
            "\nseed {seed}: {} ({} in all)\n  cargo test --test simulation --{scene} --seed {seed}",
            what[0],
            what.len()
        )
    });
    Err(said + &lines.collect::<String>())
}

/// The same seed is the same story: told twice, in another company, it comes out the same.
fn replays(ask: &Ask) -> Result<String, String> {
    let seeds = 12.min(ask.seeds);
    let first = many::tell(ask.from..ask.from + seeds, &Story::of);
    let again = many::tell(ask.from..ask.from + seeds, &Story::of);
    for ((seed, first), again) in first.digests.iter().zip(again.digests.values()) {
        if again != first {
            return Err(format!("seed {seed} is {first:016x} the first time and {again:016x} the second"));
        }
    }
    Ok(format!("{seeds} seeds told twice, the same to the byte"))
}

fn one_owner(_: &Ask) -> Result<String, String> {
    let many = many::tell(0..12, &scenes::rivals);
    let t = &many.tally;
    let said = format!(
        "{} take-overs past the lock, {} freezes with a request in hand, {} requests, none by who had lost the account",
        t.rivals, t.freezes, t.sent
    );
    verdict(&many, "one-owner", said)
}

/// Whole days and hours in which more was asked for than allowed: never over, and hardly anything left unused.
fn quota(_: &Ask) -> Result<String, String> {
    let days = many::tell(0..6, &scenes::saturated);
    let hours = many::tell(0..3, &scenes::saturated_hours);
    let shares = |many: &Many, story_of: fn(u64) -> Story| -> Vec<f64> {
        let share = |(seed, spans): (&u64, &BTreeMap<DateTime<Utc>, u64>)| {
            let limit = f64::from(story_of(*seed).shops[0].limit().unwrap_or(1));
            let whole = spans.len().saturating_sub(2);
            spans.values().skip(1).take(whole).map(|count| *count as f64 / limit).collect::<Vec<_>>()
        };
        many.by_window.iter().flat_map(share).collect()
    };
    let least = |shares: &[f64]| shares.iter().copied().fold(f64::INFINITY, f64::min);
    let by_day = shares(&days, scenes::saturated);
    // When it is calm the hours are still too short for what is asked.
    let by_hour = shares(&hours, scenes::saturated_hours);
    let said = format!(
        "{} whole days at the limit, none over, at least {:.1} % used; {} whole hours, at least {:.1} %",
        by_day.len(),
        least(&by_day) * 100.0,
        by_hour.len(),
        least(&by_hour) * 100.0,
    );
    if by_day.is_empty() || by_hour.is_empty() || least(&by_day).min(least(&by_hour)) < 0.95 {
        return Err(format!("{said}; 95 % is promised"));
    }
    let midnights = many::tell(0..9, &scenes::edge_of_day);
    let edges = many::tell(0..6, &scenes::edge_of_hour);
    let set = many::tell(0..12, &scenes::set_over_the_edge);
    let nights = many::tell(0..6, &scenes::off_overnight);
    let said = format!(
        "{said}; {} midnights and the hours of {} evenings with the allowance used up before, {} clocks set over the edge \
         of one that was, and {} nights without the machine, after which a time server said {} times that a day is over",
        midnights.tally.seeds,
        edges.tally.seeds,
        set.tally.jumps,
        nights.tally.boots,
        nights.tally.time_asked
    );
    if nights.tally.time_asked != nights.tally.seeds / 2 {
        return Err(format!("{said}; every second machine has one"));
    }
    verdict(&nights, "off-overnight", said.clone())?;
    verdict(&set, "set-over-the-edge", said.clone())?;
    verdict(&edges, "edge-of-hour", said.clone())?;
    verdict(&midnights, "edge-of-day", said.clone())?;
    verdict(&hours, "quota-by-hour", said.clone())?;
    verdict(&days, "quota", said)
}

fn slots(_: &Ask) -> Result<String, String> {
    let back = many::tell(0..8, &scenes::set_back);
    let away = many::tell(0..6, &scenes::outages);
    let own = many::tell(0..2, &scenes::own_trigger);
    let said = format!(
        "{} runs under clocks set back, {} around outages of hours, {} by the daemon's own trigger: each slot once",
        back.tally.runs, away.tally.runs, own.tally.runs
    );
    verdict(&back, "set-back", said.clone())?;
    verdict(&away, "outages", said.clone())?;
    verdict(&own, "own-trigger", said)
}

fn recovery(_: &Ask) -> Result<String, String> {
    let many = many::tell(0..8, &scenes::killed);
    let t = &many.tally;
    let said = format!(
        "{} crashes, at work again after {} ms of virtual time at most",
        t.crashes, t.slowest_recovery_ms
    );
    verdict(&many, "recovery", said)
}

/// Answers to writes that are lost, late effects and a person who halts every write, with nothing else going wrong: the
/// scenes of the controls, with every protection in its place.
fn lists(_: &Ask) -> Result<String, String> {
    let lossy = many::tell(0..8, &scenes::lossy);
    let halted = many::tell(0..4, &scenes::halted);
    let said = format!(
        "{} writes of which many lost their answers, and {} around halts: {} things for sale as the list says, {} writes \
         beyond explaining",
        lossy.tally.writes,
        halted.tally.writes,
        lossy.tally.as_listed + halted.tally.as_listed,
        lossy.tally.parked + halted.tally.parked,
    );
    verdict(&lossy, "lossy", said.clone())?;
    verdict(&halted, "halted", said)
}

/// One of two accounts is refused. The other must not notice: each of its polls is where it is without the refusal, to a
/// twentieth of the interval. A clock that is off by twenty minutes costs one request each time that it changes.
fn refusals(_: &Ask) -> Result<String, String> {
    const EVERY: TimeDelta = TimeDelta::minutes(5);
    const SEEDS: u64 = 2 * scenes::REFUSALS;
    let told = many::tell_all(&(0..SEEDS).map(scenes::refused).collect::<Vec<_>>());
    let served = life::tell(&scenes::served(0), false);
    let (mut wrong, mut most) = (Vec::new(), TimeDelta::zero());
    for (seed, told) in told.iter().enumerate() {
        let other = if seed % 2 == 0 { TRADEME } else { CARDMARKET };
        let shift = most_shifted(told, &served, other);
        most = most.max(shift);
        if shift * 20 >= EVERY {
            wrong.push(format!(
                "seed {seed}: 6: a poll of the other account lies {shift} from where it should"
            ));
        }
        let by_clock = told.tally.faults.get("timestamp refused").copied().unwrap_or_default();
        if by_clock > 2 {
            wrong
                .push(format!("seed {seed}: 6: {by_clock} requests were refused for two changes of a clock"));
        }
        wrong.extend(told.violations.iter().map(|what| format!("seed {seed}: {what}")));
    }
    let killed = many::tell(0..SEEDS, &scenes::refused_and_killed);
    let asking = many::tell(0..SEEDS, &scenes::refused_and_killed_over_its_questions);
    let unread = many::tell(0..SEEDS, &scenes::refused_and_killed_unread);
    let said = format!(
        "{SEEDS} refusals of one account of two: polls of the other shift by {} ms at most; {} crashes around as many, \
         {} over the questions what they mean, and {} over requests whose answers were not read",
        most.num_milliseconds(),
        killed.tally.crashes,
        asking.tally.crashes,
        unread.tally.crashes
    );
    if !wrong.is_empty() {
        return Err(format!(
            "{said}\n{}\n  cargo test --test simulation -- --scene refused --seed N",
            wrong.join("\n")
        ));
    }
    verdict(&killed, "refused-and-killed", said.clone())?;
    verdict(&asking, "killed-over-its-questions", said.clone())?;
    verdict(&unread, "killed-unread", said)
}

/// How far the first requests of this account's polls lie from where they are in the other story, while it is told.
fn most_shifted(told: &Told, served: &Told, name: Name) -> TimeDelta {
    let of = |told: &Told| told.sent_to.get(name).cloned().unwrap_or_default();
    let (there, end) = (of(told), of(served).first().copied().unwrap_or_default() + scenes::SERVED);
    let nearest = |at: &DateTime<Utc>| there.iter().map(|sent| (*sent - *at).abs()).min();
    let lost = TimeDelta::days(1);
    of(served).iter().filter(|at| **at < end).map(|at| nearest(at).unwrap_or(lost)).max().unwrap_or(lost)
}

/// How many attempts ten minutes of trouble cost, against ten that are fine. At most a tenth more, and the few retries
/// that a line has saved up in fine weather ([`MOST_SAVED`]). Where so much is asked in ten minutes that those are
/// a tenth, plainly at most 1.1 times as many. Then all is as usual again within two polls, and each retry waits for
/// a time of its own. That a `Retry-After` is kept is judged at the wire, in every story.
fn storms(_: &Ask) -> Result<String, String> {
    let kinds = || [None].into_iter().chain(scenes::STORMS.iter().map(Some));
    let cases: Vec<_> =
        scenes::POLLED.iter().flat_map(|polled| kinds().map(move |kind| (*polled, kind))).collect();
    let stories: Vec<Story> =
        cases.iter().map(|(polled, kind)| scenes::storm(7, *polled, kind.map(|(_, kind)| kind))).collect();
    let told = many::tell_all(&stories);
    let (mut lines, mut wrong, mut most) = (Vec::new(), Vec::new(), 0.0_f64);
    let mut normal = None;
    for (((name, seconds), kind), told) in cases.iter().zip(&told) {
        let Some((storm, kind)) = kind else {
            normal = Some(told);
            continue;
        };
        let Some(normal) = normal else { continue };
        let title = format!("{name} polled every {seconds} s, {storm}");
        let case = Storm { told, normal, every: TimeDelta::seconds(*seconds), kind };
        let (stormy, usual) = case.attempts();
        lines.push(format!("{title}: {stormy} attempts for {usual}"));
        if usual >= 30 {
            most = most.max(stormy as f64 / usual as f64);
        }
        wrong.extend(told.violations.iter().chain(&case.complaints()).map(|what| format!("{title}: {what}")));
    }
    let (least, longest, distinct) = first_waits();
    if distinct < 6 || longest - least < 0.2 {
        wrong.push(format!(
            "retries wait {least:.2} to {longest:.2} s, {distinct} of 8 for a time of their own"
        ));
    }
    lines.insert(
        0,
        format!(
            "{} storms of ten minutes: at most {most:.2} times the attempts of fine weather, and {MOST_SAVED} more \
             where little is asked; as usual after two polls; first retries after {least:.2} to {longest:.2} s",
            lines.len(),
        ),
    );
    if wrong.is_empty() { Ok(lines.join("\n")) } else { Err([lines, wrong].concat().join("\n")) }
}

/// A storm beside the same hour without it.
struct Storm<'a> {
    told: &'a Told,
    normal: &'a Told,
    every: TimeDelta,
    kind: &'a FaultKind,
}

impl Storm<'_> {
    /// Attempts in the ten minutes of the storm, and in those without one.
    fn attempts(&self) -> (usize, usize) {
        let (begin, end) = scenes::storm_time();
        (sent_within(self.told, begin, end), sent_within(self.normal, begin, end))
    }

    fn complaints(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let (stormy, normal) = self.attempts();
        let saved = if normal >= 30 { 0 } else { MOST_SAVED as usize };
        if stormy > normal * 11 / 10 + saved {
            wrong.push(format!("13: {stormy} attempts for {normal}, more than 1.1 times and {saved}"));
        }
        let (_, end) = scenes::storm_time();
        let wish = match self.kind {
            FaultKind::TooMany { retry_after } => TimeDelta::seconds(i64::from(*retry_after)),
            _ => TimeDelta::zero(),
        };
        let until = end + self.every * 2 + wish;
        let mut polls =
            self.told.runs.iter().filter(|(job, due, _)| job.ends_with("order-poll") && *due >= end);
        if !polls.any(|(_, due, succeeded)| *due <= until && *succeeded) {
            wrong.push(format!("13: no poll succeeded until {until}"));
        }
        let later = until + TimeDelta::minutes(10);
        let (after, usual) = (sent_within(self.told, until, later), sent_within(self.normal, until, later));
        if after != usual {
            wrong.push(format!("13: {after} attempts in ten minutes after it, and {usual} are usual"));
        }
        wrong
    }
}

fn sent_within(told: &Told, from: DateTime<Utc>, until: DateTime<Utc>) -> usize {
    told.sent_at.iter().filter(|at| from <= **at && **at < until).count()
}

/// How long the first retry of a storm waits in eight of them, at least and at most, and how many of them differ.
fn first_waits() -> (f64, f64, usize) {
    let kind = &scenes::STORMS[0].1;
    let stories: Vec<Story> = (0..8).map(|seed| scenes::storm(seed, scenes::POLLED[1], Some(kind))).collect();
    let (begin, _) = scenes::storm_time();
    let waits = many::tell_all(&stories).into_iter().filter_map(|told| {
        let mut sent = told.sent_at.into_iter().filter(|at| *at >= begin);
        let (first, second) = (sent.next()?, sent.next()?);
        Some((second - first).num_milliseconds())
    });
    let waits: BTreeSet<i64> = waits.collect();
    let seconds = |wait: Option<&i64>| wait.map_or(0.0, |wait| *wait as f64 / 1_000.0);
    (seconds(waits.first()), seconds(waits.last()), waits.len())
}

fn board(_: &Ask) -> Result<String, String> {
    let swept = sweep::sweep();
    let said = format!(
        "{} zones, 10 years: {} slots due, {} run, {} coalesced or skipped, each once",
        sweep::ZONES.len(),
        swept.slots,
        swept.fires,
        swept.coalesced
    );
    match swept.wrong.first() {
        None => Ok(said),
        Some(first) => Err(format!("{said}\n{} wrong, the first: {first}", swept.wrong.len())),
    }
}

fn controls(_: &Ask) -> Result<String, String> {
    let mut lines = Vec::new();
    let mut missed = false;
    let caught: Mutex<BTreeMap<u64, _>> = Mutex::default();
    many::each(0..CONTROLS.len() as u64, &|at| {
        let found = CONTROLS[at as usize].caught();
        caught.lock().unwrap_or_else(PoisonError::into_inner).insert(at, found);
    });
    let caught = caught.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (control, caught) in CONTROLS.iter().zip(caught.into_values()) {
        lines.push(match caught {
            Some((seed, what)) => {
                format!("without {}: caught at seed {seed} of {}: {what}", control.name, control.within)
            }
            None => {
                missed = true;
                format!("without {}: NOT caught within {} seeds", control.name, control.within)
            }
        });
    }
    if missed { Err(lines.join("\n")) } else { Ok(lines.join("\n")) }
}
