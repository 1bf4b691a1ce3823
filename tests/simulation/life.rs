//! Tells a story: agents live one after the other on the same state, things befall them, and at the end it is calm
//! and every promise is looked at.
//!
//! Each agent has a runtime of its own with paused time. It dies by that runtime being dropped, all tasks where they
//! stand; what the next one finds is a copy of the files at that moment, since an orderly close would tidy them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::agent::daemon::Command;
use sellerd::agent::instance::InstanceError;
use sellerd::agent::state::{State, StateError};
use sellerd::clock::{Clock, ManualClock};
use sellerd::config::Config;
use sellerd::domain::Outcome;
use sellerd::jobs::Errand;
use sellerd::sandbox::FaultKind;
use sellerd::store::{accounts, cursors, flags, parked, room};

use crate::agent::{Agent, configure};
use crate::judge;
use crate::market::{Market, Name};
use crate::panics;
use crate::promises::{self, Shelf};
use crate::story::{Blow, Story, job_name};
use crate::tally::Tally;
use crate::world::World;

/// What came of a story.
pub struct Told {
    /// What was counted.
    pub tally: Tally,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Everything that happened, as a number.
    pub digest: u64,
    /// Requests to the first shop, by its own count and the spans of its limit.
    pub by_window: BTreeMap<DateTime<Utc>, u64>,
    /// When the agent sent something (true time).
    pub sent_at: Vec<DateTime<Utc>>,
    /// The same by account.
    pub sent_to: BTreeMap<Name, Vec<DateTime<Utc>>>,
    /// How the runs ended: job, slot and whether it succeeded.
    pub runs: Vec<(String, DateTime<Utc>, bool)>,
    /// Everything that happened, line by line, if it was to be kept.
    pub log: Vec<String>,
    /// What is for sale in the end, by account and key.
    pub shelf: Shelf,
}

/// How an agent's life ended.
enum End {
    /// Another one follows.
    Again,
    /// The story is over.
    Over,
}

struct Life<'a> {
    story: &'a Story,
    world: Arc<World>,
    config: Config,
    root: PathBuf,
    /// Counts the state directories: a death copies them.
    state: u32,
    who: u32,
    at: DateTime<Utc>,
    skew: TimeDelta,
    blows: VecDeque<(DateTime<Utc>, Blow)>,
    rng: fastrand::Rng,
    dies: Option<(u32, DateTime<Utc>, TimeDelta)>,
    calm_since: Option<DateTime<Utc>>,
    planned_from: Option<DateTime<Utc>>,
    read_only: bool,
    rival: Option<Agent>,
}

/// Once it is calm, this long is enough for everything to be as it should: two nights, for allowances that are used up.
const PATIENCE: TimeDelta = TimeDelta::hours(52);

/// Tells a story. Where a shop was to be made what a list says, it must end as it does where nothing goes wrong.
pub fn tell(story: &Story, logs: bool) -> Told {
    let mut told = tell_alone(story, logs);
    if !story.sellers.is_empty() && told.violations.is_empty() {
        let undisturbed = tell_alone(&story.undisturbed(), false);
        let wrong = undisturbed.violations.into_iter().map(|what| format!("undisturbed: {what}"));
        told.violations.extend(wrong);
        told.violations.extend(promises::differences(&told.shelf, &undisturbed.shelf));
    }
    told
}

/// Tells the story in a directory of its own.
fn tell_alone(story: &Story, logs: bool) -> Told {
    let root = scratch();
    let told = tell_in(story, root.path(), logs);
    drop(root);
    told
}

fn tell_in(story: &Story, root: &Path, logs: bool) -> Told {
    panics::forget();
    let clock = ManualClock::at(story.start);
    let mut shops: Vec<(Name, Market)> = Vec::new();
    for plan in &story.shops {
        let goods = shops.first().map(|(_, market)| market.goods()).unwrap_or_default();
        let seller = story.sellers.get(plan.name());
        shops.push((
            plan.name(),
            Market::open(plan, seller, story.seed, &goods, (clock.clone(), story.start)),
        ));
    }
    let keys = shops.iter().map(|(name, market)| (*name, market.keys().clone())).collect();
    let configured = configure(&root.join("config"), story, &keys);
    let world = World::new(shops, story.seed, clock, root, &story.sellers, logs);
    {
        let mut world = world.look();
        (world.weather, world.removed) = (story.weather, story.removed);
        for plan in &story.shops {
            world.account(plan.name()).limit = plan.limit();
        }
        world.tally.synced = u64::from(!story.sellers.is_empty());
    }
    for (after, name, deed) in &story.shop_deeds {
        world.plan(story.start + *after, name, deed.clone());
    }
    let config = match configured {
        Ok(config) => config,
        Err(why) => {
            world.broken(format!("the story's configuration is refused: {why}"));
            return end(story, &world);
        }
    };
    let mut life = Life {
        story,
        world: world.clone(),
        config,
        root: root.to_owned(),
        state: 0,
        who: 0,
        at: story.start,
        skew: story.skew,
        blows: story.blows.iter().map(|(after, blow)| (story.start + *after, blow.clone())).collect(),
        rng: fastrand::Rng::with_seed(story.seed ^ 0x6c69_6665),
        dies: None,
        calm_since: None,
        planned_from: None,
        read_only: false,
        rival: None,
    };
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let Ok(runtime) = runtime else {
            world.broken("no runtime".to_owned());
            break;
        };
        let over = runtime.block_on(life.incarnation());
        drop(runtime);
        if matches!(over, End::Over) {
            break;
        }
    }
    let mut inner = world.look();
    inner.tally.seeds = 1;
    inner.tally.hours = (life.at - story.start).num_hours().unsigned_abs();
    drop(inner);
    end(story, &world)
}

fn end(story: &Story, world: &World) -> Told {
    for panic in panics::take() {
        world.broken(format!("a task panicked: {panic}"));
    }
    let (digest, log) = world.record();
    let mut inner = world.look();
    inner.side = None;
    Told {
        tally: inner.tally.clone(),
        violations: inner.violations.clone(),
        digest,
        by_window: inner.account(story.shops[0].name()).market.by_window().into_iter().collect(),
        sent_at: std::mem::take(&mut inner.sent_at),
        sent_to: inner.accounts.iter().map(|(name, account)| (*name, account.sent_at.clone())).collect(),
        runs: std::mem::take(&mut inner.runs),
        log,
        shelf: std::mem::take(&mut inner.shelf),
    }
}

/// In memory where there is such a place: what is tested is what is written, not how fast a disk is.
fn scratch() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    let made = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    made.expect("a temporary directory can be made")
}

impl Life<'_> {
    async fn incarnation(&mut self) -> End {
        self.who += 1;
        self.read_only = false;
        self.trouble(false);
        self.wake_up();
        let state_dir = self.state_dir();
        let agent = match Agent::start(&self.config, &state_dir, &self.world, self.who, self.story).await {
            Ok(agent) => agent,
            Err(error) => {
                self.world.broken(format!("12: agent {} does not start: {error}", self.who));
                return End::Over;
            }
        };
        self.world.look().watch_rows(&state_dir.join("sellerd.db"));
        self.planned_from.get_or_insert_with(|| self.world.look().mine.now());
        let end = self.live(agent).await;
        let inner = self.world.look();
        self.skew = inner.mine.now() - inner.truth.now();
        end
    }

    fn state_dir(&self) -> PathBuf {
        self.root.join(format!("state-{}", self.state))
    }

    /// Sets the clocks of a new process, and forgets what would have befallen it while it was away.
    fn wake_up(&mut self) {
        while self.blows.front().is_some_and(|(at, _)| *at < self.at) {
            match self.blows.pop_front() {
                Some((_, Blow::Jump(by))) => {
                    self.skew += by;
                    self.world.look().tally.jumps += 1;
                }
                Some((_, Blow::Right)) => self.skew = TimeDelta::zero(),
                _ => {}
            }
        }
        let mut inner = self.world.look();
        let mut rng = fastrand::Rng::with_seed(self.story.seed ^ 0x626f_6f74 ^ u64::from(self.who) << 32);
        if self.who > 1 && self.story.boots > 0 && rng.u8(0..self.story.boots) == 0 {
            inner.boot = (inner.boot.0 + 1, self.at);
            inner.tally.boots += 1;
        }
        inner.truth = ManualClock::at(self.at);
        inner.mine = ManualClock::at(self.at + self.skew);
        inner.held.clear();
        inner.slept.clear();
        inner.asleep.clear();
        drop(inner);
        self.world.crash_after(None);
        let boot = self.world.look().boot.0;
        self.world
            .note(&format!("agent {} wakes up in boot {boot}, its clock is off by {}", self.who, self.skew));
        self.world.go_on();
    }

    async fn live(&mut self, agent: Agent) -> End {
        let end = self.story.start + self.story.span;
        if self.story.measure_recovery && self.who > 1 {
            self.measure_recovery(&agent).await;
        }
        loop {
            if self.world.now() >= end && self.calm_since.is_none() {
                self.calm_down(&agent).await;
                if self.read_only {
                    // A disk that is writable again is noticed when the agent is started anew.
                    return self.die(agent);
                }
            }
            if self.calm_since.is_some() && self.rival.is_some() {
                // Both end, and one begins.
                return self.die(agent);
            }
            if self.calm_since.is_some() {
                return self.look_at_promises(agent).await;
            }
            let next = self.blows.front().map_or(end, |(at, _)| *at).min(end);
            let next = self.dies.map_or(next, |(_, at, _)| next.min(at));
            let next = next.min(self.world.now() + TimeDelta::hours(1));
            if self.pass_until(&agent, next).await {
                return self.die(agent);
            }
            if self.dies.is_some_and(|(_, at, _)| at <= self.world.now()) {
                return self.die(agent);
            }
            self.note_first_poll(&agent).await;
            self.look_at_parked(&agent).await;
            while self.blows.front().is_some_and(|(at, _)| *at <= self.world.now()) {
                let Some((_, blow)) = self.blows.pop_front() else { break };
                if let Blow::Restart { away } = blow {
                    self.world.note("restart");
                    self.world.crash_after(None);
                    self.dies = None;
                    {
                        let mut inner = self.world.look();
                        inner.tally.restarts += 1;
                        inner.absences += 1;
                    }
                    agent.stop().await;
                    self.rival = None;
                    self.at = self.world.now() + away;
                    return End::Again;
                }
                self.befall(&agent, blow).await;
            }
        }
    }

    /// After a crash the agent works again within half a minute and the grace.
    async fn measure_recovery(&self, agent: &Agent) {
        let begun = self.world.now();
        let probe = job_name(Some(self.story.shops[0].name()), "probe");
        let run = agent.desk.run_job(&probe.as_str().into(), Errand::Usual).await;
        let took = (self.world.now() - begun).num_milliseconds();
        let mut inner = self.world.look();
        inner.tally.slowest_recovery_ms = inner.tally.slowest_recovery_ms.max(took.unsigned_abs());
        match run {
            Ok(run) if run.outcome == Some(Outcome::Success) && took <= 45_000 => {}
            other => inner.broken(format!("12: {took} ms after a crash: {other:?}")),
        }
    }

    /// Lets time pass and ticks the schedule. Returns whether the agent dies.
    async fn pass_until(&mut self, agent: &Agent, until: DateTime<Utc>) -> bool {
        let truth = self.world.truth();
        let mut idle = false;
        while self.world.now() < until {
            let mine = self.world.look().mine.now();
            let late = TimeDelta::milliseconds(self.rng.i64(0..500) + if idle { 500 } else { 0 });
            let left = until - self.world.now();
            let tick_in = agent
                .hand
                .next()
                .filter(|_| !self.story.own_trigger)
                .map_or(left, |next| (next - mine).max(TimeDelta::zero()) + late);
            let wait = tick_in.min(left).to_std().unwrap_or_default();
            let alarmed = tokio::select! {
                biased;
                () = self.world.alarm.notified() => true,
                () = truth.sleep(wait) => false,
            };
            if alarmed {
                let turns = self.dies.map_or(0, |(turns, ..)| turns);
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                return true;
            }
            self.world.go_on();
            if tick_in <= left && !self.story.own_trigger {
                idle = !agent.hand.tick().await;
                if let Some(rival) = &self.rival {
                    rival.hand.tick().await;
                }
                self.world.touch();
            }
        }
        false
    }

    /// Gone without a word. What was written is there, nothing else.
    fn die(&mut self, agent: Agent) -> End {
        let away = self.dies.take().map_or(TimeDelta::zero(), |(_, _, away)| away);
        {
            let mut inner = self.world.look();
            inner.note("crash");
            inner.tally.crashes += 1;
            inner.absences += 1;
            inner.side = None;
        }
        let from = self.state_dir();
        self.state += 1;
        let to = self.state_dir();
        if let Err(error) = copy_state(&from, &to) {
            self.world.broken(format!("the harness cannot copy the state: {error}"));
        }
        drop(agent);
        self.rival = None;
        self.at = self.world.now() + away;
        End::Again
    }

    async fn befall(&mut self, agent: &Agent, blow: Blow) {
        self.world.note(&format!("{blow:?}"));
        let store = agent.desk.shared.store.clone();
        match blow {
            Blow::Crash { steps, turns, away } => {
                self.world.crash_after(Some(steps));
                self.dies = Some((turns, self.world.now() + TimeDelta::minutes(10), away));
            }
            Blow::Restart { .. } => {}
            Blow::Freeze { span, asleep } => {
                {
                    let mut inner = self.world.look();
                    inner.tally.freezes += 1;
                    inner.absences += 1;
                }
                self.world.pass(span.to_std().unwrap_or_default(), asleep).await;
                self.world.go_on();
            }
            Blow::Jump(by) => {
                agent.hand.tick().await;
                self.set_clock(|now| now + by);
                agent.hand.tick().await;
            }
            Blow::Right => {
                agent.hand.tick().await;
                let truth = self.world.now();
                self.set_clock(|_| truth);
                agent.hand.tick().await;
            }
            Blow::DiskFull => {
                self.trouble(true);
                let _ = store.write(|tx| room::set_most_pages(tx, 1)).await;
            }
            Blow::DiskRoom => {
                let _ = store.write(|tx| room::set_most_pages(tx, 1_000_000)).await;
                self.trouble(self.read_only);
            }
            Blow::ReadOnly => {
                self.trouble(true);
                self.read_only = true;
                let _ = store.write(room::refuse_writes).await;
            }
            Blow::Second => self.start_a_second(agent).await,
            Blow::Rival => self.start_a_rival().await,
            Blow::CrashAt { moment, before, steps, turns, away } => {
                self.world.crash_at(moment, before, steps);
                self.dies = Some((turns, self.world.now() + TimeDelta::hours(2), away));
            }
            Blow::Halt => {
                let since = self.world.look().mine.now();
                let halted = store.write(move |tx| flags::set_halted(tx, Some(since))).await.is_ok();
                let mut inner = self.world.look();
                inner.halted |= halted;
                inner.tally.halts += u64::from(halted);
            }
            Blow::Unhalt => {
                self.world.look().halted = false;
                if store.write(|tx| flags::set_halted(tx, None)).await.is_err() {
                    self.blows.push_front((self.world.now() + TimeDelta::minutes(20), Blow::Unhalt));
                }
            }
            Blow::Ask(name) => self.ask_whether_let_in(agent, name).await,
            Blow::Manual(job) => {
                let desk = agent.desk.clone();
                tokio::spawn(
                    async move { desk.run_job(&job.as_str().into(), Errand::Usual).await.map(drop) },
                );
            }
        }
    }

    fn trouble(&self, trouble: bool) {
        let mut inner = self.world.look();
        if trouble && !inner.disk_trouble {
            inner.tally.disk += 1;
            inner.absences += 1;
        }
        inner.disk_trouble = trouble;
    }

    fn set_clock(&self, to: impl FnOnce(DateTime<Utc>) -> DateTime<Utc>) {
        let mut inner = self.world.look();
        let now = inner.mine.now();
        inner.mine.jump(to(now) - now);
        inner.tally.jumps += 1;
        inner.absences += 1;
    }

    /// A second agent on the same state is turned away.
    async fn start_a_second(&self, agent: &Agent) {
        match State::open(&agent.config, &agent.machine).await {
            Err(StateError::Instance(InstanceError::Taken { .. })) => {
                self.world.look().tally.turned_away += 1
            }
            Err(error) => self.world.broken(format!("4: a second agent is turned away with: {error}")),
            Ok(_) => self.world.broken("4: a second agent opened the same state".to_owned()),
        }
    }

    /// A second agent that the lock does not keep out, on another machine say: it takes the account over.
    async fn start_a_rival(&mut self) {
        if self.rival.is_some() {
            return;
        }
        let dir = self.root.join(format!("rival-{}", self.who));
        let db = self.state_dir().join("sellerd.db");
        let made = std::fs::create_dir_all(&dir);
        if let Err(error) = made.and_then(|()| std::os::unix::fs::symlink(db, dir.join("sellerd.db"))) {
            return self.world.broken(format!("the harness cannot place a rival: {error}"));
        }
        self.who += 1;
        match Agent::start(&self.config, &dir, &self.world, self.who, self.story).await {
            Ok(rival) => {
                self.world.look().tally.rivals += 1;
                self.rival = Some(rival);
            }
            Err(error) => self.world.broken(format!("a rival does not start: {error}")),
        }
    }

    /// From the first whole poll on nothing may be lost any more.
    async fn note_first_poll(&self, agent: &Agent) {
        for plan in &self.story.shops {
            let name = plan.name();
            if self.world.look().account(name).orders_may_arrive {
                continue;
            }
            let store = &agent.desk.shared.store;
            let read = store.read(move |tx| cursors::feed_read_at(tx, &name.into(), "poll")).await;
            self.world.look().account(name).orders_may_arrive = read.is_ok_and(|at| at.is_some());
        }
    }

    /// Everything that went wrong is over.
    async fn calm_down(&mut self, agent: &Agent) {
        self.world.crash_after(None);
        self.dies = None;
        self.blows.clear();
        self.world.calm();
        let keep_skew = self.skew.abs() < TimeDelta::hours(4) && self.rng.bool();
        let off = {
            let inner = self.world.look();
            (inner.mine.now() - inner.truth.now()).abs()
        };
        // A list from a time to come is refused, and rightly, until somebody sets the clock.
        let refuses_lists = !self.story.sellers.is_empty() && off >= TimeDelta::hours(4);
        if !keep_skew || refuses_lists {
            self.befall(agent, Blow::Right).await;
        }
        self.befall(agent, Blow::DiskRoom).await;
        self.befall(agent, Blow::Unhalt).await;
        self.calm_since = Some(self.world.now());
    }

    /// Waits until all is as it should be, or has had long enough.
    async fn look_at_promises(&mut self, agent: Agent) -> End {
        let Some(calm) = self.calm_since else { return End::Over };
        let mut last = Vec::new();
        let mut tested = BTreeSet::new();
        // Where that could not be written down when it got calm.
        self.befall(&agent, Blow::Unhalt).await;
        while self.world.now() < calm + PATIENCE {
            let until = self.world.now() + TimeDelta::minutes(20);
            self.pass_until(&agent, until).await;
            for plan in &self.story.shops {
                self.give_back_the_login(&agent, plan.name(), &mut tested).await;
            }
            self.look_at_parked(&agent).await;
            if self.world.now() < calm + TimeDelta::minutes(70) {
                // A list that is read once an hour has not been read again yet.
                continue;
            }
            last = judge::unsettled(&self.world, &agent, &self.story.shops, calm).await;
            last.extend(promises::unkept(&self.world, self.story));
            if last.is_empty() {
                break;
            }
        }
        for what in last {
            self.world.broken(what);
        }
        judge::after_all(&self.world, &agent, self.planned_from.unwrap_or(self.story.start)).await;
        self.at = self.world.now();
        {
            let mut inner = self.world.look();
            inner.shelf = inner.shelf_of(self.story);
            inner.side = None;
        }
        agent.tell(Command::Drain).await;
        End::Over
    }
}

impl Life<'_> {
    /// A person looks at what nobody could explain, and lets writes go on from what is there.
    async fn look_at_parked(&self, agent: &Agent) {
        for name in self.story.sellers.keys().copied() {
            let store = &agent.desk.shared.store;
            let Ok(Some(parked)) = store.read(move |tx| parked::get(tx, &name.into())).await else {
                continue;
            };
            let now = {
                let mut inner = self.world.look();
                inner.judge_parked(name, &parked.arithmetic);
                inner.mine.now()
            };
            // Where it cannot be written down it is looked at again.
            let _ = store.write(move |tx| parked::release(tx, &name.into(), now)).await;
        }
    }

    /// Answers from before are in by now. A person has set the account right and says so.
    async fn give_back_the_login(&self, agent: &Agent, name: Name, tested: &mut BTreeSet<Name>) {
        {
            let mut inner = self.world.look();
            let now = inner.truth.now();
            let account = inner.account(name);
            // Also where it was given back before, and nobody has said so.
            if (account.login_gone || account.meant) && tested.insert(name) {
                account.login_gone = false;
                account.market.fault(FaultKind::Restore.into(), now);
                inner.tally.revocations += 1;
            }
        }
        if tested.contains(&name) {
            self.ask_whether_let_in(agent, name).await;
        }
    }

    /// A person asks for an account that is not let in.
    async fn ask_whether_let_in(&self, agent: &Agent, name: Name) {
        let store = &agent.desk.shared.store;
        let access = store.read(move |tx| accounts::access(tx, &name.into(), Default::default())).await;
        if access.is_ok_and(|access| !access.state.lets_through()) {
            let answer = agent.desk.test_account(&name.into()).await;
            self.world.note(&format!("auth test {:?}", answer.map(|tested| tested.state)));
        }
    }
}

/// What a killed process leaves: the database and its log as they are. The shared memory file is rebuilt from them.
fn copy_state(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for name in ["sellerd.db", "sellerd.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}
