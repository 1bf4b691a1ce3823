//! A seed's story: the shops, the settings, the weather and what befalls whom, all drawn before it begins.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sellerd::sandbox::{Fault, FaultKind, Typing, Unpaginated, Venue, trademe};

use crate::market::{CARDMARKET, Name, TRADEME};
use crate::seller::{self, Seller};
use crate::watch::Removed;
use crate::world::{ShopDeed, Weather};
use crate::writes::LATEST;

/// Everything that a seed decides beforehand.
#[derive(Debug, Clone)]
pub struct Story {
    /// The seed.
    pub seed: u64,
    /// When it begins.
    pub start: DateTime<Utc>,
    /// How long things happen; after that it is calm and what was promised is looked at.
    pub span: TimeDelta,
    /// The shops, each with an account of the agent.
    pub shops: Vec<ShopPlan>,
    /// The agent's configuration.
    pub settings: Settings,
    /// The way.
    pub weather: Weather,
    /// How far the agent's clock is off at the start.
    pub skew: TimeDelta,
    /// What happens in the shops, by the time after the start.
    pub shop_deeds: Vec<(TimeDelta, Name, ShopDeed)>,
    /// What befalls the agent, by the time after the start.
    pub blows: Vec<(TimeDelta, Blow)>,
    /// The protection that is taken away.
    pub removed: Option<Removed>,
    /// Each agent but the first is asked to work at once, and how long that takes is looked at.
    pub measure_recovery: bool,
    /// The schedule is ticked by the daemon's own trigger, twice a second, and not by the driver.
    pub own_trigger: bool,
    /// Of so many starts of the agent, one is one of its whole machine; 0 for none.
    pub boots: u8,
    /// Whether that machine has a time server to ask, which says so only where the clock is right.
    pub asks_time: bool,
    /// Who wants the shops to be as a list says, by account; none where the agent only reads.
    pub sellers: BTreeMap<Name, Seller>,
    /// Whether all accounts sell from one shelf.
    pub channel: bool,
}

/// What a shop is like.
#[derive(Debug, Clone)]
pub enum ShopPlan {
    /// One at Cardmarket.
    Cardmarket {
        /// Articles at the start.
        articles: usize,
        /// Orders at the start.
        orders: usize,
        /// Its limit a day, which the configuration names too.
        limit: Option<u32>,
        /// How its JSON is written.
        typing: Typing,
        /// How it answers to a list as a whole.
        unpaginated: Unpaginated,
    },
    /// One at Trade Me.
    TradeMe {
        /// How it is set up.
        options: trademe::Options,
        /// How the agent signs: `hmac-sha1` or `plaintext`.
        signature: &'static str,
    },
}

impl ShopPlan {
    /// The name of its account.
    pub fn name(&self) -> Name {
        match self {
            Self::Cardmarket { .. } => CARDMARKET,
            Self::TradeMe { .. } => TRADEME,
        }
    }

    /// Requests in a day, or in an hour.
    pub fn limit(&self) -> Option<u32> {
        match self {
            Self::Cardmarket { limit, .. } => *limit,
            Self::TradeMe { options, .. } => options.hourly_limit,
        }
    }

    /// Some things beside those that the seller lists, so that it is never empty, and as many requests as syncs take.
    fn grow_small(&mut self, r: &mut fastrand::Rng) {
        match self {
            Self::Cardmarket { articles, limit, .. } => {
                *articles = *pick(r, &[12, 16, 24]);
                *limit = limit.map(|_| 5_000);
            }
            Self::TradeMe { options, .. } => {
                options.listings = *pick(r, &[12, 16, 24]);
                options.lasting = TimeDelta::days(7);
                options.hourly_limit = options.hourly_limit.map(|_| 1_000);
                options.balance_cents = 100_000_000;
            }
        }
    }

    /// The lines of the configuration that only its account has.
    pub fn lines(&self) -> String {
        let limit = self.limit().map_or_else(|| "\"none\"".to_owned(), |limit| limit.to_string());
        match self {
            Self::Cardmarket { .. } => format!(
                "marketplace = \"cardmarket\"\nbase_url = \"http://127.0.0.1:9/ws/v2.0\"\ndaily_limit = {limit}\n"
            ),
            Self::TradeMe { signature, .. } => format!(
                "marketplace = \"trademe\"\nbase_url = \"http://127.0.0.1:9/v1\"\nhourly_limit = {limit}\n\
                 signature = \"{signature}\"\n"
            ),
        }
    }
}

/// What the agent is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The zone of the schedules.
    pub zone: Tz,
    /// Requests a second.
    pub per_second: u32,
    /// How long an answer may take.
    pub request_timeout_s: u64,
    /// The jobs.
    pub jobs: Vec<JobPlan>,
}

/// One job.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// Its kind.
    pub kind: &'static str,
    /// Its account, if it has one.
    pub account: Option<Name>,
    /// When it is due.
    pub schedule: String,
    /// Its time limit.
    pub timeout_s: u64,
    /// How far its starts are put off.
    pub jitter_s: u64,
    /// `skip` or `queue`.
    pub overlap: &'static str,
    /// `run-once` or `skip`.
    pub on_missed: &'static str,
    /// `observe` or `apply`.
    pub mode: &'static str,
    /// Whether the rows of the list that it works say when they were true.
    pub dated_rows: bool,
}

impl JobPlan {
    /// Its name.
    pub fn name(&self) -> String {
        job_name(self.account, self.kind)
    }

    /// The lines that only its kind has: nothing is forgotten, so that every request can be counted at the end.
    pub fn more(&self) -> String {
        match (self.kind, self.account) {
            ("housekeeping", _) => {
                "keep_requests = \"3650d\"\nkeep_runs = \"3650d\"\nkeep_backups = 1\n".to_owned()
            }
            ("stock-sync", Some(account)) => {
                let dated = if self.dated_rows { "as_of_column = \"as_of\"\n" } else { "" };
                format!(
                    "[source]\ntype = \"csv\"\npath = \"{account}.csv\"\nmax_age = \"60d\"\n{dated}\
                     [guards]\nmax_changes_percent = 100\nmax_zeroed_items = 1000\nmax_removed_items = 1000\n\
                     max_price_change_percent = 1000000\nmax_value_change_percent = 1000000\nmax_fees = \"1000.00\"\n"
                )
            }
            _ => String::new(),
        }
    }
}

/// The name of the job of that kind: at Trade Me with the account before it.
pub fn job_name(account: Option<Name>, kind: &str) -> String {
    account.filter(|name| *name == TRADEME).map_or(kind.to_owned(), |name| format!("{name}-{kind}"))
}

/// The account of the job of that name.
pub fn account_of(job: &str) -> Name {
    if job.starts_with(TRADEME) { TRADEME } else { CARDMARKET }
}

/// What befalls the agent.
#[derive(Debug, Clone)]
pub enum Blow {
    /// It dies: after so many steps, then so many turns of its tasks; and is started again later.
    Crash {
        /// Steps at the wire and the gate.
        steps: u32,
        /// Turns of the scheduler after that.
        turns: u32,
        /// How long it is gone.
        away: TimeDelta,
    },
    /// It is stopped in order and started again later.
    Restart {
        /// How long it is gone.
        away: TimeDelta,
    },
    /// Its process stands still, or its machine sleeps.
    Freeze {
        /// How long.
        span: TimeDelta,
        /// Whether the monotonic clock stands still too.
        asleep: bool,
    },
    /// Its clock is set.
    Jump(TimeDelta),
    /// Its clock is set right.
    Right,
    /// The disk is full, until there is room again.
    DiskFull,
    /// There is room again.
    DiskRoom,
    /// The disk is read-only, until the agent is started anew.
    ReadOnly,
    /// Somebody starts a second agent on the same state.
    Second,
    /// A second agent takes the account over, past the lock.
    Rival,
    /// A person runs a job by hand.
    Manual(String),
    /// It dies at or after a request of a kind.
    CrashAt {
        /// Of which kind.
        moment: Moment,
        /// Requests of that kind before that one.
        before: u32,
        /// Steps at the wire and the gate from its leave on.
        steps: u32,
        /// Turns of the scheduler after that.
        turns: u32,
        /// How long it is gone.
        away: TimeDelta,
    },
    /// A person halts every write.
    Halt,
    /// A person lets writes go on.
    Unhalt,
    /// A person asks whether an account is let in again.
    Ask(Name),
}

/// A kind of request that a crash may be meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It would change something.
    Write,
    /// It asks what a refusal means.
    Canary,
    /// It is for an account whose login is gone.
    Refused,
}

impl Story {
    /// The story of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let r = &mut rng;
        // So many that both kinds of stories are told in bearable time.
        let sells = (seed / 3) % 4 == 1;
        let hours = *pick(r, &[3, 4, 5, 6, 8, 12, 27, 36]);
        let hours = if sells { 2 + hours % 3 } else { hours };
        let start = *pick(r, &START) + TimeDelta::seconds(r.i64(0..86_400));
        let shops = match seed % 3 {
            0 => vec![cardmarket(r)],
            1 => vec![cardmarket(r), trademe(r)],
            _ => vec![trademe(r)],
        };
        let names: Vec<Name> = shops.iter().map(ShopPlan::name).collect();
        let mut story = Self {
            seed,
            start,
            span: TimeDelta::hours(hours),
            shops,
            settings: settings(r, hours, &names),
            weather: weather(r),
            skew: if r.u8(0..4) == 0 {
                TimeDelta::milliseconds(r.i64(-3_000..3_000))
            } else {
                TimeDelta::zero()
            },
            shop_deeds: Vec::new(),
            blows: Vec::new(),
            removed: None,
            measure_recovery: false,
            own_trigger: false,
            boots: if seed.is_multiple_of(2) { 3 } else { 0 },
            asks_time: seed.is_multiple_of(4),
            sellers: BTreeMap::new(),
            channel: false,
        };
        if sells {
            let mut rng = fastrand::Rng::with_seed(seed ^ 0x7365_6c6c_6572);
            story.sell(&mut rng);
        }
        for at in 0..story.shops.len() {
            story.fill_the_shop(r, at);
        }
        story.deal_blows(r);
        story
    }

    fn at(&self, r: &mut fastrand::Rng) -> TimeDelta {
        TimeDelta::milliseconds(r.i64(0..self.span.num_milliseconds()))
    }

    /// What happens in the shop at that place. Of two, less happens in each.
    fn fill_the_shop(&mut self, r: &mut fastrand::Rng, at: usize) {
        let (name, limit, share) = (self.shops[at].name(), self.shops[at].limit(), self.shops.len());
        for _ in 0..r.usize(0..14) / share {
            self.happens(r, name, |r| ShopDeed::Buy(r.u32(1..3)));
        }
        for _ in 0..r.usize(0..24) / share {
            self.happens(r, name, |_| ShopDeed::Move);
        }
        for _ in 0..r.usize(0..5) {
            self.happens(r, name, |r| ShopDeed::Fault(fault(r, name)));
        }
        if r.u8(0..10) == 0 {
            let kind = match r.u8(0..3) {
                0 => FaultKind::RejectToken,
                1 => FaultKind::Revoke { empty_body: true },
                _ => FaultKind::Revoke { empty_body: false },
            };
            self.happens(r, name, |_| ShopDeed::Fault(kind.into()));
        }
        self.access_fault(name, at);
        if r.u8(0..20) == 0 {
            let max = limit.map(|limit| (limit / 2).max(25));
            self.happens(r, name, |_| ShopDeed::Fault(FaultKind::Limit { max }.into()));
        }
        if r.u8(0..20) == 0 {
            self.happens(r, name, |_| ShopDeed::Fault(FaultKind::Exhaust.into()));
        }
    }

    /// A refusal that is none, or a login that is renewed before the end. With a generator of its own.
    fn access_fault(&mut self, name: Name, at: usize) {
        let r = &mut fastrand::Rng::with_seed(self.seed ^ 0x0061_6363_6573_7300 ^ at as u64);
        let of_account = self.shop_deeds.iter().filter(|(_, account, _)| *account == name);
        let faults = of_account.filter_map(|(after, _, deed)| match deed {
            ShopDeed::Fault(fault) => Some((*after, &fault.kind)),
            _ => None,
        });
        let refusing =
            faults.filter(|(_, kind)| is_refusing(kind)).map(|(after, kind)| (after, is_of_login(kind)));
        match refusing.max() {
            // Two in a row for one account cannot be told from a login that is gone.
            None if r.u8(0..3) == 0 => {
                let after = self.at(r);
                self.shop_deeds.push((after, name, ShopDeed::Fault(passing_refusal(r, name))));
            }
            Some((gone, true)) if r.bool() => {
                let renewed = gone + TimeDelta::minutes(r.i64(5..400));
                self.shop_deeds.push((renewed, name, ShopDeed::Fault(FaultKind::Restore.into())));
                for minutes in [-9, r.i64(1..200)] {
                    self.blows.push((renewed + TimeDelta::minutes(minutes), Blow::Ask(name)));
                }
            }
            _ => {}
        }
    }

    /// Sellers with lists, jobs that follow them, and what may befall a write.
    fn sell(&mut self, r: &mut fastrand::Rng) {
        self.channel = self.shops.len() > 1 && r.bool();
        self.weather.buyers = *pick(r, &[0.0, 0.02, 0.1]);
        for at in 0..self.shops.len() {
            let name = self.shops[at].name();
            self.shops[at].grow_small(r);
            self.sell_by_list(r, name);
            for _ in 0..if name == TRADEME { 0 } else { r.usize(0..10) } {
                self.happens(r, name, |_| ShopDeed::Cart);
            }
            for _ in 0..r.usize(0..6) {
                self.happens(r, name, |r| ShopDeed::Buy(r.u32(1..3)));
            }
            for _ in 0..r.usize(0..5) {
                self.happens(r, name, |r| ShopDeed::Fault(write_fault(r, name)));
            }
        }
        for _ in 0..r.usize(0..5) {
            let (before, steps, turns, away) = (r.u32(0..6), r.u32(0..9), r.u32(0..12), away(r));
            self.blows
                .push((self.at(r), Blow::CrashAt { moment: Moment::Write, before, steps, turns, away }));
        }
        if r.u8(0..5) == 0 {
            let at = self.at(r);
            self.blows.push((at, Blow::Halt));
            self.blows.push((at + TimeDelta::minutes(r.i64(1..120)), Blow::Unhalt));
        }
    }

    /// Somebody sells at that account by a list, and a job follows it twice an hour.
    pub fn sell_by_list(&mut self, r: &mut fastrand::Rng, name: Name) {
        let seller = Seller::draw(r, name);
        for (after, list) in seller::lists(r, &seller, name, self.span) {
            self.shop_deeds.push((after, name, ShopDeed::List(list)));
        }
        let minute = r.u8(1..29);
        self.settings.jobs.push(JobPlan {
            kind: "stock-sync",
            account: Some(name),
            schedule: format!("{minute},{} * * * *", minute + 30),
            timeout_s: *pick(r, &[300, 600, 900, 1_800]),
            jitter_s: 0,
            overlap: pick::<&str>(r, &["skip", "queue"]),
            on_missed: "run-once",
            mode: seller.mode,
            dated_rows: seller.dated_rows,
        });
        self.sellers.insert(name, seller);
    }

    /// Every list is followed, by the time of its file.
    pub fn apply(&mut self) {
        for seller in self.sellers.values_mut() {
            (seller.mode, seller.dated_rows) = ("apply", false);
        }
        for job in self.settings.jobs.iter_mut().filter(|job| job.kind == "stock-sync") {
            (job.mode, job.dated_rows) = ("apply", false);
        }
    }

    /// The same story without anything that goes wrong: only buyers buy, and only the lists are followed.
    pub fn undisturbed(&self) -> Self {
        let mut story = self.clone();
        story.weather = Weather { buyers: self.weather.buyers, ..Weather::default() };
        story.skew = TimeDelta::zero();
        story.blows.clear();
        story.shop_deeds.retain(|(_, _, deed)| !matches!(deed, ShopDeed::Fault(_)));
        story.settings.jobs.retain(|job| job.kind == "stock-sync");
        for job in &mut story.settings.jobs {
            job.schedule = job
                .schedule
                .split_once(',')
                .map_or_else(String::new, |(minute, _)| format!("{minute} * * * *"));
        }
        story
    }

    fn happens(
        &mut self,
        r: &mut fastrand::Rng,
        name: Name,
        deed: impl FnOnce(&mut fastrand::Rng) -> ShopDeed,
    ) {
        let deed = deed(r);
        self.shop_deeds.push((self.at(r), name, deed));
    }

    fn deal_blows(&mut self, r: &mut fastrand::Rng) {
        for _ in 0..r.usize(0..4) {
            let (steps, turns, away) = (r.u32(0..40), r.u32(0..30), away(r));
            self.blows.push((self.at(r), Blow::Crash { steps, turns, away }));
        }
        if r.u8(0..4) == 0 {
            let away = away(r);
            self.blows.push((self.at(r), Blow::Restart { away }));
        }
        for _ in 0..r.usize(0..3) {
            let span = TimeDelta::milliseconds(r.i64(2_000..7_200_000));
            let asleep = r.bool();
            self.blows.push((self.at(r), Blow::Freeze { span, asleep }));
        }
        if r.u8(0..3) == 0 {
            self.set_clocks(r);
        }
        if r.u8(0..6) == 0 {
            let at = self.at(r);
            self.blows.push((at, Blow::DiskFull));
            self.blows.push((at + TimeDelta::minutes(r.i64(1..180)), Blow::DiskRoom));
        }
        if r.u8(0..12) == 0 {
            let at = self.at(r);
            self.blows.push((at, Blow::ReadOnly));
            let (steps, turns, away) = (r.u32(0..40), r.u32(0..30), away(r));
            self.blows.push((at + TimeDelta::minutes(r.i64(1..120)), Blow::Crash { steps, turns, away }));
        }
        if r.u8(0..3) == 0 {
            self.blows.push((self.at(r), Blow::Second));
        }
        for _ in 0..r.usize(0..2) {
            let job = self.settings.jobs[r.usize(0..self.settings.jobs.len())].name();
            self.blows.push((self.at(r), Blow::Manual(job)));
        }
        self.blows.sort_by_key(|(at, _)| *at);
    }

    /// Small errors may last; large ones are noticed within the hour.
    fn set_clocks(&mut self, r: &mut fastrand::Rng) {
        for _ in 0..r.usize(1..4) {
            let at = self.at(r);
            let sign = if r.bool() { 1 } else { -1 };
            let (by, lasts) = match r.u8(0..4) {
                0 => (TimeDelta::seconds(sign * r.i64(1..240)), None),
                1 => (TimeDelta::seconds(sign * r.i64(240..3 * 3_600)), None),
                2 => (TimeDelta::hours(sign * r.i64(3..48)), Some(r.i64(1..60))),
                _ => (TimeDelta::days(sign * r.i64(2..800)), Some(r.i64(1..60))),
            };
            self.blows.push((at, Blow::Jump(by)));
            if let Some(minutes) = lasts {
                self.blows.push((at + TimeDelta::minutes(minutes), Blow::Right));
            }
        }
    }
}

/// Days to begin on: an ordinary one, and those before clocks change in Berlin, New York, Auckland and Lord Howe.
const START: [DateTime<Utc>; 6] = [
    day(1_773_187_200), // 2026-03-11
    day(1_774_656_000), // 2026-03-28
    day(1_792_800_000), // 2026-10-24
    day(1_793_404_800), // 2026-10-31
    day(1_775_260_800), // 2026-04-04
    day(1_790_380_800), // 2026-09-26
];

const fn day(seconds: i64) -> DateTime<Utc> {
    match DateTime::from_timestamp(seconds, 0) {
        Some(at) => at,
        None => DateTime::UNIX_EPOCH,
    }
}

const ZONES: [Tz; 5] = [
    Tz::Europe__Berlin,
    Tz::Europe__London,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Auckland,
];

fn pick<'a, T>(r: &mut fastrand::Rng, from: &'a [T]) -> &'a T {
    &from[r.usize(0..from.len())]
}

fn away(r: &mut fastrand::Rng) -> TimeDelta {
    TimeDelta::milliseconds(match r.u8(0..10) {
        0..5 => r.i64(0..20_000),
        5..8 => r.i64(20_000..1_800_000),
        8 => r.i64(1_800_000..8 * 3_600_000),
        _ => r.i64(8 * 3_600_000..31 * 3_600_000),
    })
}

/// Few of most things, so that many stories can be told; some shops are large enough for pages.
fn cardmarket(r: &mut fastrand::Rng) -> ShopPlan {
    let limit = match r.u8(0..10) {
        0 => None,
        1..4 => Some(r.u32(30..160)),
        _ => Some(5_000),
    };
    let articles: &[usize] = if r.u8(0..8) == 0 { &[99, 100, 101, 130, 230] } else { &[0, 3, 8, 12, 20] };
    let orders: &[usize] = if r.u8(0..8) == 0 { &[23, 40, 60] } else { &[0, 2, 4, 8] };
    ShopPlan::Cardmarket {
        articles: *pick(r, articles),
        orders: *pick(r, orders),
        limit,
        typing: Typing {
            numbers_as_strings: r.u8(0..4) == 0,
            one_as_object: r.u8(0..4) == 0,
            missing_optional: r.u8(0..4) == 0,
        },
        unpaginated: if r.bool() { Unpaginated::Gone } else { Unpaginated::Redirect },
    }
}

/// Listings end while the story is told, and some lists have pages of a few rows.
fn trademe(r: &mut fastrand::Rng) -> ShopPlan {
    let hourly_limit = match r.u8(0..10) {
        0 => None,
        1..4 => Some(r.u32(22..60)),
        _ => Some(1_000),
    };
    let options = trademe::Options {
        listings: *pick(r, &[0, 3, 8, 12, 20, 60]),
        sales: *pick(r, &[0, 2, 5, 9, 23]),
        unsold: r.usize(0..3),
        lasting: TimeDelta::hours(*pick(r, &[4, 24, 7 * 24])),
        hourly_limit,
        max_rows: *pick(r, &[500, 500, 500, 5, 17]),
        freshness: r.bool().then_some(TimeDelta::minutes(5)),
        count_refused: r.bool(),
        unauthorized: *pick(
            r,
            &[
                trademe::Unauthorized::ErrorResult,
                trademe::Unauthorized::Empty,
                trademe::Unauthorized::Html,
                trademe::Unauthorized::OauthProblem,
            ],
        ),
        too_many: if r.bool() { trademe::TooMany::ErrorResult } else { trademe::TooMany::Empty },
        omit_defaults: r.u8(0..4) > 0,
        ..trademe::Options::default()
    };
    ShopPlan::TradeMe { options, signature: pick::<&str>(r, &["hmac-sha1", "plaintext"]) }
}

fn settings(r: &mut fastrand::Rng, hours: i64, names: &[Name]) -> Settings {
    // So many polls in all that a story is told in a moment.
    let minutes = *pick(
        r,
        if hours <= 8 {
            &[10, 15]
        } else if hours <= 12 {
            &[15, 20]
        } else {
            &[30, 60]
        },
    );
    let night = *pick(r, &["30 2 * * *", "0 0 * * *", "15 3,14 * * *"]);
    let mut schedules = vec![(None, "housekeeping", night.to_owned())];
    for name in names {
        let stock = format!("{} */{} * * *", r.u8(0..60), if hours <= 12 { 2 } else { 6 });
        schedules.extend([
            (Some(*name), "order-poll", format!("*/{minutes} * * * *")),
            (Some(*name), "stock-pull", stock),
            (Some(*name), "probe", "7 */3 * * *".to_owned()),
        ]);
    }
    let jobs: Vec<JobPlan> = schedules
        .into_iter()
        .map(|(account, kind, schedule)| JobPlan {
            kind,
            account,
            schedule,
            timeout_s: if kind == "housekeeping" { 600 } else { *pick(r, &[30, 120, 300, 900]) },
            jitter_s: *pick(r, &[0, 0, 20, 50]),
            overlap: pick::<&str>(r, &["skip", "queue"]),
            on_missed: pick::<&str>(r, &["run-once", "run-once", "skip"]),
            mode: "observe",
            dated_rows: false,
        })
        .collect();
    Settings {
        zone: if names == [TRADEME] && r.bool() { Tz::Pacific__Auckland } else { *pick(r, &ZONES) },
        per_second: *pick(r, &[1, 5, 5, 20, 50]),
        request_timeout_s: *pick(r, &[2, 10, 30, 60]),
        jobs,
    }
}

fn weather(r: &mut fastrand::Rng) -> Weather {
    let bad = *pick(r, &[0.0, 0.01, 0.03, 0.1]);
    let mut chance = |most: f64| if r.u8(0..3) == 0 { 0.0 } else { bad * r.f64() * most };
    Weather {
        lost_before: chance(1.0),
        lost_after: chance(1.0),
        late: chance(1.0),
        slow: chance(1.0),
        edge: chance(1.0),
        cut: chance(0.5),
        drip: chance(0.5),
        freeze_at_gate: chance(0.2),
        freeze_alone: false,
        buyers: chance(2.0),
        movers: chance(4.0),
    }
}

fn is_of_login(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Revoke { .. } | FaultKind::RejectToken)
}

fn is_refusing(kind: &FaultKind) -> bool {
    is_of_login(kind) || matches!(kind, FaultKind::Status { status: 410 } | FaultKind::RedirectAway { .. })
}

/// A refusal that is not meant: of one request, of one resource for a while, or by something in front of the shop.
pub fn passing_refusal(r: &mut fastrand::Rng, name: Name) -> Fault {
    let forbidden = FaultKind::Revoke { empty_body: false };
    let kind = if name == CARDMARKET && r.bool() { forbidden } else { FaultKind::RejectToken };
    let path = if name == TRADEME { "MyTradeMe/SoldItems" } else { "orders" };
    let seconds = r.u64(60..5_400);
    match r.u8(0..3) {
        0 if name == CARDMARKET => Fault::from(FaultKind::Revoke { empty_body: true }).for_seconds(seconds),
        1 => Fault::from(kind).on(path).for_seconds(seconds),
        _ => Fault::from(kind).next(1),
    }
}

/// Something that goes wrong with a write, or some.
fn write_fault(r: &mut fastrand::Rng, name: Name) -> Fault {
    let kind = match r.u8(0..10) {
        0 | 1 => FaultKind::DropBefore,
        2 | 3 => FaultKind::DropAfter,
        4 => FaultKind::StatusAfter { status: *pick(r, &[500, 502, 503, 504]) },
        5 => FaultKind::Late { seconds: r.u32(1..LATEST.num_seconds() as u32) },
        6 => FaultKind::TruncateJson,
        7 => FaultKind::Never,
        8 if name == CARDMARKET => FaultKind::RejectItems { items: r.usize(1..3) },
        9 if name == CARDMARKET => FaultKind::ShuffleItems,
        _ => FaultKind::Unavailable,
    };
    let fault = Fault::from(kind).on_writes();
    if r.bool() { fault.next(r.u32(1..4)) } else { fault.for_seconds(r.u64(600..7_200)).rate(0.5) }
}

/// Something that goes wrong in a shop for a while.
fn fault(r: &mut fastrand::Rng, name: Name) -> Fault {
    let venue = if name == TRADEME { Venue::Trademe } else { Venue::Cardmarket };
    let kind = match r.u8(0..24) {
        0 => FaultKind::Status { status: *pick(r, &[500, 502, 503, 504, 404, 410, 418]) },
        1 => FaultKind::ServerError,
        2 => FaultKind::Unavailable,
        3 => FaultKind::Html,
        4 => FaultKind::Garbage,
        5 => FaultKind::TruncateBody,
        6 => FaultKind::TruncateJson,
        7 => FaultKind::DropBefore,
        8 => FaultKind::DropAfter,
        9 => FaultKind::Slow { millis: r.u64(100..100_000) },
        10 => FaultKind::Never,
        11 => FaultKind::PageShift { insert: r.bool() },
        12 => FaultKind::DuplicateRow,
        13 => FaultKind::BadRows { rows: r.usize(1..4) },
        14 => FaultKind::ClockSkew { seconds: r.i64(-4_000..4_000) },
        15 => FaultKind::Redirect,
        16 => FaultKind::RedirectAway { to: None },
        17 => FaultKind::TooMany { retry_after: *pick(r, &[0, 1, 10, 29, 31, 120]) },
        18 => FaultKind::EmptyStock,
        19 => FaultKind::Maintenance { seconds: r.u32(60..1_800) },
        20 => FaultKind::UnknownField,
        21 => FaultKind::NewEnum,
        22 => FaultKind::Masked,
        _ => FaultKind::ErrorIn200 { long: r.bool() },
    };
    // What happens only at the other marketplace is another page that shifts.
    let kind = if kind.is_known_at(venue) { kind } else { FaultKind::PageShift { insert: r.bool() } };
    let mut fault = Fault::from(kind);
    match r.u8(0..3) {
        0 => fault = fault.next(r.u32(1..8)),
        1 => fault = fault.for_seconds(r.u64(30..3_600)).rate(0.2 + 0.8 * r.f64()),
        _ => fault = fault.for_seconds(r.u64(30..1_800)),
    }
    if r.u8(0..4) == 0 {
        let paths: &[&str] = match venue {
            Venue::Cardmarket => &["stock", "orders", "order/", "account"],
            Venue::Trademe => &["MyTradeMe/SellingItems", "MyTradeMe/SoldItems", "MyTradeMe/Summary"],
        };
        fault = fault.on(pick::<&str>(r, paths));
    }
    fault
}
