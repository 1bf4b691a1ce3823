//! Everything around the agent: the shops with their true time, the way there, who does what in them, and what was seen.
//!
//! A shop is a value that is asked in process. Requests on their way stand here and not in the agent's tasks, so
//! that they arrive even if the agent gives up on them or dies. One generator draws everything, and all of a seed
//! happens on one thread: the same seed is the same story, to the byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::clock::{Clock, ManualClock};
use sellerd::domain::Mark;
use sellerd::policy::access::Asked;
use sellerd::policy::due::Claimed;
use sellerd::sandbox::{Answer, Call, Fault, FaultKind, Verdict};
use tokio::sync::Notify;

use crate::market::{Market, Name, is_over_quota};
use crate::promises::Shelf;
use crate::seller::{List, Seller};
use crate::standing::Standing;
use crate::story::{Moment, account_of};
use crate::tally::Tally;
use crate::watch::Removed;
use crate::writes::{Book, Slip};

/// The world, as the agent's wire and gate, the driver and the judge share it.
pub struct World {
    inner: Mutex<Inner>,
    /// Rung when the moment has come at which the agent is to die.
    pub alarm: Notify,
}

/// What the world is made of.
pub struct Inner {
    /// The accounts, each with its shop.
    pub accounts: BTreeMap<Name, Account>,
    /// The true time.
    pub truth: Arc<ManualClock>,
    /// The time that the agent's machine shows.
    pub mine: Arc<ManualClock>,
    /// The boot of the agent's machine, and when that was (true time).
    pub boot: (u32, DateTime<Utc>),
    /// What an agent's clock goes on showing, where it is to notice nothing: the control without a last look.
    pub held: BTreeMap<u32, (DateTime<Utc>, Duration)>,
    /// How long an agent's own machine slept while another's did not: its monotonic clock knows nothing of it.
    pub slept: BTreeMap<u32, Duration>,
    /// What the monotonic clock of an agent's machine shows while it sleeps.
    pub asleep: BTreeMap<u32, Duration>,
    /// Draws what happens on the way and in the shop.
    pub rng: fastrand::Rng,
    /// What the way is like.
    pub weather: Weather,
    /// What is counted.
    pub tally: Tally,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// What the trigger handed out.
    pub handed_out: Vec<HandedOut>,
    /// Nothing can be written at present.
    pub disk_trouble: bool,
    /// Times at which slots may have been missed: the agent was away, frozen, or its clock was set.
    pub absences: u32,
    /// When the agent sent something.
    pub sent_at: Vec<DateTime<Utc>>,
    /// How the runs ended, once it is over: job, slot and whether it succeeded.
    pub runs: Vec<(String, DateTime<Utc>, bool)>,
    /// What is for sale, once it is over.
    pub shelf: Shelf,
    /// A connection of our own to the agent's database.
    pub side: Option<rusqlite::Connection>,
    /// Whether a person has halted every write.
    pub halted: bool,
    /// The protection that is taken away, as far as the world has to do with it.
    pub removed: Option<Removed>,
    /// How long the agent's process has stood still in all.
    frozen: TimeDelta,
    /// Where the seller's lists are.
    lists: PathBuf,
    script: BTreeMap<(DateTime<Utc>, u64), (Name, ShopDeed)>,
    on_the_way: BTreeMap<(DateTime<Utc>, u64), Parcel>,
    arrived: BTreeMap<u64, Answer>,
    crash_in: Option<u32>,
    /// The agent dies at a step after a request of this kind that is so many away.
    crash_at: Option<(Moment, u32, u32)>,
    serial: u64,
    digest: u64,
    log: Option<Vec<String>>,
    /// Where the files are: another place each time, and so no part of the story.
    place: String,
}

/// One account of the agent, and the shop behind it.
pub struct Account {
    /// The shop.
    pub market: Market,
    /// The agent that last took the account over, and when (true time).
    pub owner: (u32, DateTime<Utc>),
    /// When an agent was last let out by its gate (true time).
    pub let_out: BTreeMap<u32, DateTime<Utc>>,
    /// Whether a person took the login away, so that refusals are real.
    pub login_gone: bool,
    /// Whether that looks like a block in front of the shop.
    pub gone_without_a_word: bool,
    /// Whether the shop has refused the login and meant it, since the account was open.
    pub meant: bool,
    /// Refusals that were written down since the login is gone, or since a person last asked.
    pub refusals: u32,
    /// Requests that left in that time, but for those of which the agent was told that nothing came back.
    pub left: u32,
    /// What may be sent by what is written down.
    pub standing: Standing,
    /// When something was sent to it (true time).
    pub sent_at: Vec<DateTime<Utc>>,
    /// Who asks with what each agent's gate let out last.
    pub asked: BTreeMap<u32, Asked>,
    /// Requests that the shop allows in a span.
    pub limit: Option<u32>,
    /// The spans from which on somebody lowered the limit under the agent's feet.
    pub limit_lowered: Vec<DateTime<Utc>>,
    /// Whether it was lowered and no answer has said so since.
    pub limit_unknown: bool,
    /// Which agent was asked for silence, and until when (true time).
    pub wants_rest: Option<(u32, DateTime<Utc>)>,
    /// Whether orders may go where only the long lists show them: once the agent has read everything once.
    pub orders_may_arrive: bool,
    /// The orders that the agent need not know: they had gone through before it came.
    pub old_orders: Vec<i64>,
    /// What a job that syncs it should do, and what was done.
    pub book: Option<Book>,
    /// What each agent's gate let out last: the intents, if it writes.
    pub let_out_last: BTreeMap<u32, Option<Vec<i64>>>,
}

impl Account {
    /// Whether the agent cannot know the limit of the span that `now` is in. Cardmarket's answers say it; what is
    /// lowered at Trade Me is found out by a 429 in each hour anew, until it is calm.
    fn was_lowered(&self, now: DateTime<Utc>) -> bool {
        let window = self.market.window_of(now);
        match self.market {
            Market::Cardmarket(_) => self.limit_unknown || self.limit_lowered.contains(&window),
            Market::TradeMe(_) => self.limit_lowered.iter().any(|lowered| *lowered <= window),
        }
    }
}

/// Up to where each job's slots have been dealt with.
pub type Stood = BTreeMap<String, DateTime<Utc>>;

/// Slots of a job that the trigger handed out together: those after `from`, up to `until`.
#[derive(Debug, Clone)]
pub struct HandedOut {
    /// The job.
    pub job: String,
    /// Everything before was dealt with.
    pub from: DateTime<Utc>,
    /// The last of them.
    pub until: DateTime<Utc>,
    /// The slot of the run that stands for them; none where they were skipped, or nothing could be written down, or
    /// little is left to ask with.
    pub run: Option<DateTime<Utc>>,
}

/// A request on its way.
pub struct Parcel {
    /// To whose shop.
    pub account: Name,
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The header with the login.
    pub authorization: Option<String>,
    /// Type and bytes of the body.
    pub body: (&'static str, Vec<u8>),
    /// What it carries, if it writes.
    pub slip: Option<Slip>,
}

/// What happens in the shop at a time of its own.
#[derive(Debug, Clone)]
pub enum ShopDeed {
    /// Somebody buys, so many times.
    Buy(u32),
    /// Some order moves on, or back.
    Move,
    /// Something goes wrong.
    Fault(Fault),
    /// A buyer does something with a cart.
    Cart,
    /// The seller writes a list.
    List(List),
}

/// What the way to the shop is like: chances by request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// There is no connection, or it breaks before the shop has seen anything.
    pub lost_before: f64,
    /// The shop has done its work and the answer is lost.
    pub lost_after: f64,
    /// The request arrives late, perhaps after the agent has given up.
    pub late: f64,
    /// The answer takes its time, perhaps too long.
    pub slow: f64,
    /// Somebody between us and the shop answers: 502, 503, 504, or a page of HTML.
    pub edge: f64,
    /// The body is cut off, and what came passes for the whole.
    pub cut: f64,
    /// The body comes in drips.
    pub drip: f64,
    /// Somebody buys just before the request arrives.
    pub buyers: f64,
    /// An order moves just before the request arrives.
    pub movers: f64,
    /// The process stands still between the gate's commit and the send.
    pub freeze_at_gate: f64,
    /// The world goes on without it then: another agent may be at work on another machine.
    pub freeze_alone: bool,
}

/// What becomes of a request on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// It goes there and back.
    Fine,
    /// Nobody is reached.
    NoConnection,
    /// It is reached, and the connection breaks before the answer.
    AnswerLost,
    /// An answer from somebody in between.
    Edge(u16),
    /// Half of the body.
    Cut,
    /// So many bytes of the body a second.
    Drip(u64),
}

/// How a request travels.
#[derive(Debug, Clone, Copy)]
pub struct Journey {
    /// What becomes of it.
    pub fate: Fate,
    /// The way there.
    pub there: Duration,
    /// The way back.
    pub back: Duration,
}

impl World {
    /// A world with these shops, at the time that they were made for.
    pub fn new(
        shops: Vec<(Name, Market)>,
        seed: u64,
        truth: Arc<ManualClock>,
        place: &Path,
        sellers: &BTreeMap<Name, Seller>,
        logs: bool,
    ) -> Arc<Self> {
        let now = truth.now();
        let account = |name: Name, market: Market| Account {
            book: sellers.get(name).cloned().map(Book::new),
            let_out_last: BTreeMap::new(),
            old_orders: market.old_orders(),
            market,
            owner: (0, now),
            let_out: BTreeMap::new(),
            login_gone: false,
            gone_without_a_word: false,
            meant: false,
            refusals: 0,
            left: 0,
            standing: Standing::Open,
            sent_at: Vec::new(),
            asked: BTreeMap::new(),
            limit: None,
            limit_lowered: Vec::new(),
            limit_unknown: false,
            wants_rest: None,
            orders_may_arrive: false,
        };
        Arc::new(Self {
            inner: Mutex::new(Inner {
                accounts: shops.into_iter().map(|(name, market)| (name, account(name, market))).collect(),
                mine: truth.clone(),
                truth,
                boot: (0, now),
                held: BTreeMap::new(),
                slept: BTreeMap::new(),
                asleep: BTreeMap::new(),
                rng: fastrand::Rng::with_seed(seed ^ 0x0057_4f52_4c44),
                weather: Weather::default(),
                tally: Tally::default(),
                violations: Vec::new(),
                handed_out: Vec::new(),
                disk_trouble: false,
                absences: 0,
                sent_at: Vec::new(),
                runs: Vec::new(),
                shelf: Shelf::new(),
                side: None,
                halted: false,
                removed: None,
                frozen: TimeDelta::zero(),
                lists: place.join("config"),
                script: BTreeMap::new(),
                on_the_way: BTreeMap::new(),
                arrived: BTreeMap::new(),
                crash_in: None,
                crash_at: None,
                serial: 0,
                digest: 0xcbf2_9ce4_8422_2325,
                log: logs.then(Vec::new),
                place: place.display().to_string(),
            }),
            alarm: Notify::new(),
        })
    }

    /// The world, for a moment.
    pub fn look(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The true time.
    pub fn now(&self) -> DateTime<Utc> {
        self.look().truth.now()
    }

    /// The clock that true time is told by.
    pub fn truth(&self) -> Arc<ManualClock> {
        self.look().truth.clone()
    }

    /// Time passes and the agent does nothing: its process is stopped, or its machine asleep, and then no timer
    /// and no monotonic clock moves either.
    pub async fn pass(&self, span: Duration, asleep: bool) {
        let by = TimeDelta::from_std(span).unwrap_or_default();
        self.look().frozen += by;
        if !asleep {
            tokio::time::advance(span).await;
            return;
        }
        let inner = self.look();
        inner.truth.jump(by);
        // Before the first agent both are one clock.
        if !Arc::ptr_eq(&inner.truth, &inner.mine) {
            inner.mine.jump(by);
        }
    }

    /// One step of the agent that a crash may fall on.
    pub fn touch(&self) {
        let mut inner = self.look();
        match inner.crash_in {
            Some(0) => {
                inner.crash_in = None;
                self.alarm.notify_one();
            }
            Some(steps) => inner.crash_in = Some(steps - 1),
            None => {}
        }
    }

    /// The agent dies at its step after so many.
    pub fn crash_after(&self, steps: Option<u32>) {
        let mut inner = self.look();
        (inner.crash_in, inner.crash_at) = (steps, None);
    }

    /// The agent dies at its step after so many, counted from the request of this kind that has so many before it.
    pub fn crash_at(&self, moment: Moment, before: u32, steps: u32) {
        self.look().crash_at = Some((moment, before, steps));
    }

    /// The agent is about to send a request that a crash may be meant for.
    pub fn about_to(&self, what: Moment) {
        let mut inner = self.look();
        match inner.crash_at {
            Some((moment, _, _)) if moment != what => {}
            Some((_, 0, steps)) => (inner.crash_at, inner.crash_in) = (None, Some(steps)),
            Some((moment, before, steps)) => inner.crash_at = Some((moment, before - 1, steps)),
            None => {}
        }
    }

    /// A promise was broken.
    pub fn broken(&self, what: String) {
        self.look().broken(what);
    }

    /// What happened, for the digest and for who reads along.
    pub fn note(&self, what: &str) {
        self.look().note(what);
    }

    /// Decides how a request will travel.
    pub fn journey(&self) -> Journey {
        let mut inner = self.look();
        let Weather { lost_before, lost_after, late, slow, edge, cut, drip, .. } = inner.weather;
        let rng = &mut inner.rng;
        let mut there = Duration::from_millis(rng.u64(3..90));
        let mut back = Duration::from_millis(rng.u64(3..160));
        let roll = rng.f64();
        let fate = if roll < lost_before {
            Fate::NoConnection
        } else if roll < lost_before + lost_after {
            Fate::AnswerLost
        } else if roll < lost_before + lost_after + edge {
            Fate::Edge([502, 503, 504, 500, 200][rng.usize(0..5)])
        } else if roll < lost_before + lost_after + edge + cut {
            Fate::Cut
        } else if roll < lost_before + lost_after + edge + cut + drip {
            Fate::Drip(rng.u64(1..2_000))
        } else {
            Fate::Fine
        };
        if rng.f64() < late {
            there = Duration::from_millis(rng.u64(500..90_000));
        }
        if rng.f64() < slow {
            back = Duration::from_millis(rng.u64(500..90_000));
        }
        match fate {
            Fate::Fine => {}
            Fate::NoConnection => inner.tally.fault("no connection"),
            Fate::AnswerLost => inner.tally.fault("answer lost after effect"),
            Fate::Edge(_) => inner.tally.fault("answered by somebody in between"),
            Fate::Cut => inner.tally.fault("body cut"),
            Fate::Drip(_) => inner.tally.fault("slow drip"),
        }
        if there > Duration::from_millis(400) {
            inner.tally.fault("request late");
        }
        if back > Duration::from_millis(400) {
            inner.tally.fault("answer slow");
        }
        Journey { fate, there, back }
    }

    /// A number for a request.
    pub fn number(&self) -> u64 {
        let mut inner = self.look();
        inner.serial += 1;
        inner.serial
    }

    /// Puts the request of that number on its way. It arrives after `span` whatever becomes of who sent it.
    pub fn depart(&self, serial: u64, parcel: Parcel, span: Duration) {
        let mut inner = self.look();
        let at = inner.truth.now() + TimeDelta::from_std(span).unwrap_or_default();
        inner.on_the_way.insert((at, serial), parcel);
    }

    /// The answer to the request of that number, whose time to arrive has come.
    pub fn arrive(&self, serial: u64) -> Option<Answer> {
        let mut inner = self.look();
        inner.go_on();
        inner.arrived.remove(&serial)
    }

    /// Lets happen what was to happen until now.
    pub fn go_on(&self) {
        self.look().go_on();
    }

    /// Has something happen in an account's shop later.
    pub fn plan(&self, at: DateTime<Utc>, account: Name, deed: ShopDeed) {
        let mut inner = self.look();
        inner.serial += 1;
        let serial = inner.serial;
        inner.script.insert((at, serial), (account, deed));
    }

    /// Nothing more happens in the shop by itself, and the way is smooth.
    pub fn calm(&self) {
        let mut inner = self.look();
        inner.go_on();
        inner.script.clear();
        inner.weather = Weather::default();
        let clean = inner.truth.now();
        for account in inner.accounts.values_mut() {
            account.market.clear_faults();
            account.login_gone = false;
            if matches!(account.market, Market::TradeMe(_)) {
                account.limit_lowered.clear();
            }
            if account.book.is_some() {
                account.market.empty_carts(clean);
            }
        }
        inner.note(&format!("{clean} calm"));
    }

    /// What the trigger hands out, and up to where each job's slots had been dealt with before.
    pub fn claimed(&self, claimed: &Claimed, stood_at: &Stood) {
        let mut inner = self.look();
        for fire in &claimed.fires {
            let line = format!("fire {} {} {} {}", fire.job, fire.due_at, fire.trigger, fire.missed);
            inner.note(&line);
            let may_be_passed_over = inner.disk_trouble || inner.is_scarce(account_of(fire.job.as_str()));
            let run = Some(fire.due_at).filter(|_| !may_be_passed_over);
            inner.hand_out(stood_at, fire.job.as_str(), fire.due_at, run);
        }
        for missed in &claimed.skipped {
            inner.note(&format!("skip {} {} to {}", missed.job, missed.due_first, missed.due_last));
            inner.hand_out(stood_at, missed.job.as_str(), missed.due_last, None);
        }
    }

    /// What happened so far, folded into a number, and line by line if it was kept.
    pub fn record(&self) -> (u64, Vec<String>) {
        let mut inner = self.look();
        (inner.digest, inner.log.as_mut().map(std::mem::take).unwrap_or_default())
    }
}

impl Inner {
    /// What the monotonic clock of this agent's machine shows.
    pub fn shows(&self, who: u32) -> Duration {
        let slept = self.slept.get(&who).copied().unwrap_or_default();
        let awake = || self.mine.elapsed().saturating_sub(slept);
        self.asleep.get(&who).copied().unwrap_or_else(awake)
    }

    /// What the machine's clock shows that nobody sets and that goes on in its sleep.
    pub fn mark(&self) -> Mark {
        let up = (self.truth.now() - self.boot.1).to_std().unwrap_or_default();
        Mark { life: self.boot.0.to_string().into(), up, through_sleep: true }
    }

    /// The time by a clock that stands still while the agent's process does.
    pub fn awake(&self) -> DateTime<Utc> {
        self.truth.now() - self.frozen
    }

    /// The account of that name. Only those of the story are configured, so that there are no others.
    pub fn account(&mut self, name: Name) -> &mut Account {
        self.accounts.get_mut(name).expect("an account of the story")
    }

    /// Whether there may be too little to ask with for each slot.
    fn is_scarce(&self, name: Name) -> bool {
        /// So many are enough for everything that a story wants in a span.
        const AMPLE: u32 = 1_000;
        /// A mistaken 429, or a clock that was wrong, makes the agent think so.
        const LITTLE: i64 = 200;
        let Some(account) = self.accounts.get(name) else { return false };
        account.limit.is_some_and(|limit| limit < AMPLE)
            || !account.limit_lowered.is_empty()
            || self.rest_written(name, account.limit).is_some_and(|rest| rest < LITTLE)
    }

    fn hand_out(&mut self, stood_at: &Stood, job: &str, until: DateTime<Utc>, run: Option<DateTime<Utc>>) {
        let from = stood_at.get(job).copied().unwrap_or(until);
        self.handed_out.push(HandedOut { job: job.to_owned(), from, until, run });
    }

    /// A promise was broken.
    pub fn broken(&mut self, what: String) {
        self.note(&format!("BROKEN {what}"));
        // One of a kind tells what a hundred would.
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    /// What happened, for the digest and for who reads along.
    pub fn note(&mut self, what: &str) {
        let what = what.replace(&self.place, "");
        self.fold(&self.truth.now().timestamp_millis().to_le_bytes());
        self.fold(what.as_bytes());
        let line =
            self.log.is_some().then(|| format!("{} {what}", self.truth.now().format("%m-%d %H:%M:%S%.3f")));
        self.log.iter_mut().zip(line).for_each(|(log, line)| log.push(line));
    }

    /// FNV-1a: it only has to tell stories apart.
    fn fold(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Lets happen what was to happen until now, in its order.
    fn go_on(&mut self) {
        let now = self.truth.now();
        loop {
            let deed = self.script.first_key_value().map(|(key, _)| *key).filter(|key| key.0 <= now);
            let parcel = self.on_the_way.first_key_value().map(|(key, _)| *key).filter(|key| key.0 <= now);
            match (deed, parcel) {
                (Some(deed), parcel) if parcel.is_none_or(|parcel| deed <= parcel) => {
                    if let Some(what) = self.script.remove(&deed) {
                        self.act(what.0, what.1, deed.0);
                    }
                }
                (_, Some(parcel)) => {
                    if let Some(what) = self.on_the_way.remove(&parcel) {
                        let answer = self.answer(&what, parcel.0);
                        self.arrived.insert(parcel.1, answer);
                    }
                }
                _ => return,
            }
        }
    }

    fn answer(&mut self, parcel: &Parcel, now: DateTime<Utc>) -> Answer {
        let name = parcel.account;
        if self.rng.f64() < self.weather.buyers {
            self.act(name, ShopDeed::Buy(1), now);
        }
        if self.rng.f64() < self.weather.movers {
            self.act(name, ShopDeed::Move, now);
        }
        self.before_answer(name, parcel.slip.as_ref(), now);
        self.restamp_list(name, now);
        let account = self.account(name);
        let answer = account.market.ask(
            &Call {
                method: &parcel.method,
                url: &parcel.url,
                authorization: parcel.authorization.as_deref(),
                body_type: parcel.body.0,
                body: &parcel.body.1,
            },
            now,
        );
        let seen = account.market.last_seen();
        account.meant |= account.login_gone;
        let was_lowered = account.was_lowered(now);
        self.tally.requests += 1;
        self.fold(&answer.body);
        let Some(seen) = seen else { return answer };
        let faults = if let Verdict::Faulted(names) = &seen.verdict { names.as_slice() } else { &[] };
        self.after_answer(name, parcel.slip.as_ref(), &seen.path, faults);
        self.note(&format!("shop {} {} {:?} {:?}", seen.method, seen.path, seen.status, seen.verdict));
        match &seen.verdict {
            verdict if is_over_quota(verdict) && !was_lowered => {
                self.broken(format!("5: over the quota of {name} at {now} by the shop's own count"));
            }
            Verdict::Unauthorized(why) if !is_meant(why) => {
                self.broken(format!("the shop does not accept how we sign: {why}"));
            }
            Verdict::Faulted(names) => names.iter().for_each(|name| self.tally.fault(name)),
            Verdict::Unauthorized(_) => self.tally.fault("timestamp refused"),
            Verdict::TooMany(_) => self.tally.fault("429"),
            _ => {}
        }
        answer
    }

    fn act(&mut self, name: Name, deed: ShopDeed, now: DateTime<Utc>) {
        self.happen(name, deed, now);
        self.look_for_changes(name, None);
    }

    fn happen(&mut self, name: Name, deed: ShopDeed, now: DateTime<Utc>) {
        let mut rng = self.rng.fork();
        let account = self.account(name);
        match deed {
            // Of a shop that has sold out the agent believes nothing until a person has looked.
            ShopDeed::Buy(_) if account.book.is_some() && account.market.rows(now) < 12 => {}
            ShopDeed::Buy(count) => {
                let bought = account.market.buy(count, now);
                self.tally.purchases += bought as u64;
            }
            ShopDeed::Move => {
                let (may_arrive, may_hide) = (account.orders_may_arrive, account.book.is_none());
                if let Some(what) = account.market.step(&mut rng, may_arrive, may_hide, now) {
                    self.tally.moves += 1;
                    self.note(&what);
                }
            }
            ShopDeed::Cart => {
                if let Some(what) = account.market.move_cart(&mut rng, now) {
                    self.note(&what);
                }
            }
            ShopDeed::List(list) => self.write_list(name, &list, now),
            // What is empty when it is first seen is taken for empty.
            ShopDeed::Fault(fault)
                if fault.kind == FaultKind::EmptyStock
                    && account.book.as_ref().is_some_and(|book| !book.shown) => {}
            ShopDeed::Fault(fault) => {
                match fault.kind {
                    FaultKind::Revoke { .. } | FaultKind::RejectToken if !is_lasting(&fault) => {}
                    FaultKind::Restore => account.login_gone = false,
                    FaultKind::Revoke { .. } | FaultKind::RejectToken => {
                        let without_a_word = matches!(fault.kind, FaultKind::Revoke { empty_body: true });
                        account.login_gone = true;
                        account.count_anew();
                        account.gone_without_a_word |= without_a_word;
                    }
                    FaultKind::Exhaust | FaultKind::Limit { .. } => {
                        account.limit_lowered.push(account.market.window_of(now));
                        account.limit_unknown = true;
                    }
                    _ => {}
                }
                account.market.fault(fault.clone(), now);
                self.note(&format!("{name}: fault {fault:?}"));
            }
        }
    }
}

impl Inner {
    /// For [`Removed::Netting`]: the list looks as if it had been written now.
    fn restamp_list(&mut self, name: Name, now: DateTime<Utc>) {
        if self.removed != Some(Removed::Netting) {
            return;
        }
        let list = std::fs::File::options().append(true).open(self.lists.join(format!("{name}.csv")));
        // Where there is none there is nothing to be made younger.
        let _ = list.and_then(|list| list.set_modified(now.into()));
    }

    /// The seller writes a list, which the agent may find at any time from now on.
    fn write_list(&mut self, name: Name, list: &List, now: DateTime<Utc>) {
        let (dir, awake) = (self.lists.clone(), self.awake());
        let account = self.account(name);
        let ids = account.market.product_ids();
        let Some(book) = account.book.as_mut() else { return };
        let written = book.seller.write(&dir, name, list, &ids, (now, now));
        book.written(list, now, awake);
        self.note(&format!("the seller of {name} writes {:?}", list.rows));
        if let Err(error) = written {
            self.broken(format!("the harness cannot write a list: {error}"));
        }
    }
}

/// Whether a fault of the login stays until somebody restores it: then it is gone. What passes is none.
fn is_lasting(fault: &Fault) -> bool {
    fault.next.is_none() && fault.for_seconds.is_none() && fault.path.is_none()
}

/// A login that the shop refuses on purpose: by its clock, or by a fault.
fn is_meant(why: &str) -> bool {
    why.starts_with("timestamp") || why.contains("reject") || why.contains("revoke")
}
