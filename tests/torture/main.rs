//! The real program, killed and stopped at random while it works, over a shop in which buyers buy and things go wrong.
//! In the end the shop's own books and the program's must agree.
//!
//! It has no harness of libtest: one story, told by a seed. `--kills N` or `SELLERD_TORTURE_KILLS` says how often the
//! program is killed (15 otherwise), `--seed N` or `SELLERD_TORTURE_SEED` replays what was decided. The moments at which
//! a kill lands are the machine's, so a seed makes a failure likely again, not certain.

mod child;
mod judge;
mod scene;

use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use sellerd::clock::{Clock, SystemClock};
use tokio::runtime::Runtime;

use child::{Agent, End};
use judge::Violations;
use scene::Scene;

/// How often it is killed unless somebody says otherwise: what CI has time for.
const KILLS: u64 = 15;

/// From the start of the process to `agent.ready`, also after a kill; what the machine had others do is not counted.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Where the shop lives, and where this process waits.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be made")
});

fn main() -> ExitCode {
    let Some(Wanted { kills, seed }) = Wanted::of_arguments() else {
        return ExitCode::SUCCESS;
    };
    println!("\nrunning 1 torture: {kills} kills, seed {seed}");
    let mut torture = Torture::new(seed, kills);
    torture.torment(kills);
    torture.judge();
    torture.report(seed, kills)
}

struct Wanted {
    kills: u64,
    seed: u64,
}

impl Wanted {
    /// `None` when it is not this test that is asked for: another name is filtered for, or only a list is wanted.
    fn of_arguments() -> Option<Self> {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"));
        let of_env = |name: &str| std::env::var(name).ok().map(|text| number(&text));
        let mut wanted = Self {
            kills: of_env("SELLERD_TORTURE_KILLS").unwrap_or(KILLS),
            seed: of_env("SELLERD_TORTURE_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000)),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || number(&arguments.next().unwrap_or_default());
            match argument.as_str() {
                "--kills" => wanted.kills = value(),
                "--seed" => wanted.seed = value(),
                "--list" | "--ignored" => return None,
                option if option.starts_with('-') => {}
                filter if "torture".contains(filter) => {}
                _ => return None,
            }
        }
        Some(wanted)
    }
}

/// What was done to it.
#[derive(Default)]
struct Done {
    kills: u64,
    kills_at_start: u64,
    aimed: u64,
    kills_while_draining: u64,
    freezes: u64,
    drains: u64,
    starts: u64,
    by_hand: u64,
    second_ones: u64,
    slowest_start: Duration,
}

struct Torture {
    rng: fastrand::Rng,
    clock: SystemClock,
    scene: Scene,
    done: Done,
    violations: Violations,
    /// Whether the next start has to say that the last stop was unclean; `None` where both are right.
    unclean: Option<bool>,
}

impl Torture {
    fn new(seed: u64, kills: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let scene = Scene::new(rng.u64(..), 300 + 6 * kills as usize);
        let done = Done::default();
        Self {
            rng,
            clock: SystemClock::default(),
            scene,
            done,
            violations: Violations::default(),
            unclean: Some(false),
        }
    }

    /// Lives and deaths until it was killed often enough.
    fn torment(&mut self, kills: u64) {
        while self.done.kills < kills {
            if self.rng.u8(..10) == 0 {
                self.run_a_job_alone();
            }
            self.done.starts += 1;
            let agent = Agent::start(self.scene.dir());
            if self.rng.u8(..8) == 0 {
                self.wait(0..250);
                self.kill(agent);
                self.done.kills_at_start += 1;
            } else if let Some(agent) = self.get_ready(agent) {
                self.live(agent);
            }
        }
    }

    /// Waits until it is ready, and looks at what it says of its last end.
    fn get_ready(&mut self, mut agent: Agent) -> Option<Agent> {
        let Some(after) = agent.ready() else {
            self.violations.add(format!("it never got ready: {}", agent.last_words()));
            self.kill(agent);
            return None;
        };
        self.done.slowest_start = self.done.slowest_start.max(after);
        let kept_waiting = agent.kept_waiting();
        if after.saturating_sub(kept_waiting) > READY_WITHIN {
            let (after, kept) = (after.as_millis(), kept_waiting.as_millis());
            self.violations
                .add(format!("it was ready after {after} ms ({kept} of others): {}", agent.last_words()));
        }
        let says = agent.lines.iter().any(|line| line.contains("\"agent.unclean_shutdown\""));
        if self.unclean.is_some_and(|unclean| unclean != says) {
            let how =
                if says { "a clean stop for an unclean one" } else { "an unclean stop for a clean one" };
            self.violations.add(format!("it took {how}"));
        }
        self.unclean = Some(true);
        Some(agent)
    }

    /// A while in which the shop lives and the agent works, and then its end.
    fn live(&mut self, mut agent: Agent) {
        let end = self.clock.elapsed() + Duration::from_millis(self.rng.u64(30..1_600));
        if self.rng.u8(..10) < 7 {
            self.scene.mend();
        }
        if self.rng.bool() {
            self.run_a_job_beside(&mut agent);
        }
        while self.clock.elapsed() < end {
            match self.rng.u8(..20) {
                0..10 => self.scene.let_something_happen(&mut self.rng),
                10..13 => self.scene.break_something(&mut self.rng),
                13..15 => self.freeze(&agent),
                15 => self.start_a_second_one(&agent),
                16 => self.ask_for_the_status(),
                17 => {
                    agent.run_beside(self.scene.dir(), self.rng.choice(scene::JOBS).expect("there are some"))
                }
                _ => self.wait(0..120),
            }
        }
        if self.rng.bool() {
            self.await_a_request();
        }
        if let Some(how) = agent.ended() {
            self.violations.add(format!("it ended by itself ({how}): {}", agent.last_words()));
        }
        match self.rng.u8(..8) {
            0 => self.drain(agent),
            1 => {
                agent.signal("TERM");
                self.wait(0..60);
                self.kill(agent);
                self.done.kills_while_draining += 1;
                // It may have come to its end before the kill.
                self.unclean = None;
            }
            2 => {
                agent.signal("STOP");
                self.wait(0..200);
                self.kill(agent);
            }
            _ => self.kill(agent),
        }
    }

    /// Waits until the shop is asked for something, for a kill while the answer comes in or is written down.
    fn await_a_request(&mut self) {
        let (asked, until) = (self.scene.asked(), self.clock.elapsed() + Duration::from_millis(1_500));
        while self.scene.asked() == asked && self.clock.elapsed() < until {
            RUNTIME.block_on(self.clock.sleep(Duration::from_millis(1)));
        }
        self.done.aimed += 1;
        let micros = self.rng.u64(..12_000);
        RUNTIME.block_on(self.clock.sleep(Duration::from_micros(micros)));
    }

    fn kill(&mut self, agent: Agent) {
        self.done.kills += 1;
        // Killed while it started, it may or may not have opened its session. Who found no agent to run a job in has
        // run it himself, and found the unclean stop.
        self.unclean = self.unclean.filter(|unclean| *unclean && !agent.has_company());
        agent.kill(&mut self.violations);
    }

    fn drain(&mut self, agent: Agent) {
        self.done.drains += 1;
        match agent.drain(&mut self.violations) {
            End::Code(0) => self.unclean = Some(false),
            end => self.violations.add(format!("told to stop, it ended with {end}")),
        }
    }

    /// It stands still for a while, as a machine that is asleep. Meanwhile its state is still its own.
    fn freeze(&mut self, agent: &Agent) {
        self.done.freezes += 1;
        agent.signal("STOP");
        self.wait(0..300);
        if self.rng.u8(..4) == 0 {
            self.start_a_second_one(agent);
        }
        agent.signal("CONT");
    }

    fn start_a_second_one(&mut self, first: &Agent) {
        self.done.second_ones += 1;
        let second = self.scene.run("run --for 1s");
        let pid = format!("pid {}", first.pid());
        if second.code != End::Code(11) || !second.stderr.contains(&pid) {
            self.violations.add(format!("a second one was not refused ({}): {}", second.code, second.stderr));
        }
    }

    fn ask_for_the_status(&mut self) {
        let asked = self.scene.run("-o json status");
        if !asked.stdout.starts_with("{\"schema\":\"sellerd.status/1\"") {
            self.violations.add(format!("status does not answer ({}): {}", asked.code, asked.stderr));
        }
    }

    fn run_a_job_beside(&mut self, agent: &mut Agent) {
        agent.run_beside(self.scene.dir(), self.rng.choice(scene::JOBS).expect("there are some"));
    }

    /// A job by hand while no agent runs, killed as well where it takes long.
    fn run_a_job_alone(&mut self) {
        let job = self.rng.choice(scene::JOBS).expect("there are some");
        self.done.by_hand += 1;
        let mut child = child::start(self.scene.dir(), &format!("job run {job}"));
        self.wait(50..600);
        let over = child.try_wait().expect("it is ours").is_some();
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        self.done.kills += u64::from(!over);
        self.unclean = None;
    }

    /// The end: nothing goes wrong any more, a clean run, and the books.
    fn judge(&mut self) {
        self.scene.mend();
        let agent = Agent::start(self.scene.dir());
        if let Some(mut agent) = self.get_ready(agent) {
            self.ask_where_a_person_has_to();
            for job in scene::JOBS {
                if !agent.sees_success_of(job) {
                    self.violations.add(format!(
                        "{job} does not succeed though nothing goes wrong: {}",
                        agent.last_words()
                    ));
                }
            }
            self.ask_for_the_status();
            self.drain(agent);
        }
        judge::let_every_list_be_due(&self.scene);
        for job in scene::JOBS {
            let ran = self.scene.run(&format!("job run {job}"));
            if ran.code != End::Code(0) {
                self.violations.add(format!("job run {job} ended with {}: {}", ran.code, ran.stderr));
            }
        }
        judge::judge(&self.scene, &mut self.violations);
    }

    /// Killed over three requests in a row, the agent asks no more by itself.
    fn ask_where_a_person_has_to(&mut self) {
        let told = self.scene.run("-o json auth status").stdout;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
        let account = &told["accounts"][0];
        if account["state"] == "suspended" && account["next_probe_at"].is_null() {
            let ran = self.scene.run("auth test cm");
            if ran.code != End::Code(0) {
                self.violations.add(format!("auth test ended with {}: {}", ran.code, ran.stderr));
            }
        }
    }

    fn report(self, seed: u64, kills: u64) -> ExitCode {
        let Done { freezes, drains, starts, by_hand, second_ones, .. } = self.done;
        println!(
            "  killed      {} times: {} while starting, {} while stopping; frozen {freezes} times, stopped {drains} times; \
             {} times just after a request",
            self.done.kills, self.done.kills_at_start, self.done.kills_while_draining, self.done.aimed
        );
        println!(
            "  started     {starts} times, the slowest ready after {} ms; {second_ones} second ones, {by_hand} jobs alone",
            self.done.slowest_start.as_millis()
        );
        println!("  {}", judge::books(&self.scene));
        println!("  took        {} s", self.clock.elapsed().as_secs());
        println!("  violations  {}", self.violations.0.len());
        for violation in &self.violations.0 {
            println!("    - {violation}");
        }
        println!("  replay      cargo test --test torture -- --seed {seed} --kills {kills}");
        let failed = u8::from(!self.violations.0.is_empty());
        if failed > 0 {
            println!("  the database is kept in {}", self.scene.keep().display());
        }
        println!("{} passed, {failed} failed", 1 - failed);
        ExitCode::from(failed)
    }

    fn wait(&mut self, millis: std::ops::Range<u64>) {
        let span = Duration::from_millis(self.rng.u64(millis));
        RUNTIME.block_on(self.clock.sleep(span));
    }
}
