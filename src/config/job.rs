//! `jobs/*.toml`: one job a file.
//!
//! `kind` is read first and chooses a plain struct for the whole file, rather than an untagged or flattened enum:
//! those lose the places of the settings and say only that nothing matched.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::de::DeTable;

use super::diagnostic::{Code, Spot, Wrong, shown};
use super::leaks;
use super::settings::unknown_account;
use super::source::Source;
use super::sync_file::{self, Beside, GuardsFile, Own, SourceFile};
use super::timing;
use super::toml_errors::{self, Place, Tree, type_error};
use super::values::{self, Amount, Text, Whole};
use super::work::{self, Housekeeping, OrderPoll, Probe, StockPull, Work};
use super::{Account, Job, OnMissed, Overlap};
use crate::domain::{AccountName, JobName, Mode, nearest};

/// What the rest of the configuration lets a job refer to.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// The accounts' names; `None` when they are not known.
    pub accounts: Option<&'a BTreeSet<String>>,
    /// The accounts that are right.
    pub known: &'a BTreeMap<AccountName, Account>,
    /// The configuration directory.
    pub dir: &'a Path,
    /// The zone of schedules that name none.
    pub timezone: Tz,
}

/// What a job file says.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The job, if nothing is missing for it.
    pub job: Option<Job>,
    /// The account it would use when it is due, also where the job is wrong otherwise.
    pub uses: Option<AccountName>,
    /// Where its schedule stands.
    pub schedule: Option<Spot>,
    /// Where its account stands.
    pub at: Option<Spot>,
}

/// The settings every kind has.
#[derive(Debug, Default)]
struct Common {
    account: Text,
    schedule: Text,
    timezone: Text,
    mode: Text,
    enabled: Option<bool>,
    timeout: Text,
    jitter: Text,
    overlap: Text,
    on_missed: Text,
}

/// Their names.
pub(super) const COMMON_KEYS: [&str; 10] = [
    "kind",
    "account",
    "schedule",
    "timezone",
    "mode",
    "enabled",
    "timeout",
    "jitter",
    "overlap",
    "on_missed",
];

macro_rules! job_file {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            #[serde(rename = "kind")]
            _kind: Option<IgnoredAny>,
            account: Text,
            schedule: Text,
            timezone: Text,
            mode: Text,
            enabled: Option<bool>,
            timeout: Text,
            jitter: Text,
            overlap: Text,
            on_missed: Text,
            $($key: $kind,)*
        }

        impl $name {
            fn common(&mut self) -> Common {
                Common {
                    account: self.account.take(),
                    schedule: self.schedule.take(),
                    timezone: self.timezone.take(),
                    mode: self.mode.take(),
                    enabled: self.enabled.take(),
                    timeout: self.timeout.take(),
                    jitter: self.jitter.take(),
                    overlap: self.overlap.take(),
                    on_missed: self.on_missed.take(),
                }
            }
        }
    };
}

job_file! {
    /// A file of `kind = "stock-pull"`.
    StockPullFile {
        export_above: Amount,
    }
}
job_file! {
    /// A file of `kind = "stock-sync"`.
    StockSyncFile {
        source: Option<SourceFile>,
        guards: Option<GuardsFile>,
        plan_expires: Text,
        export_above: Amount,
    }
}
job_file! {
    /// A file of `kind = "order-poll"`.
    OrderPollFile {}
}
job_file! {
    /// A file of `kind = "probe"`.
    ProbeFile {}
}
job_file! {
    /// A file of `kind = "housekeeping"`.
    HousekeepingFile {
        keep_requests: Text,
        keep_runs: Text,
        keep_backups: Whole,
        backup: Option<bool>,
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads the file of the job `name`.
pub(super) fn read(source: &mut Source<'_>, name: &str, around: &Around<'_>) -> Found {
    let Some(mut tree) = toml_errors::parse(source) else { return Found::default() };
    leaks::take_out(source, &mut tree);
    let Some(kind) = kind(source, tree.get_ref()) else {
        // What belongs to the kind cannot be judged; what every job has can.
        for key in tree.get_ref().keys().map(|key| key.get_ref().to_string()).collect::<Vec<_>>() {
            if !COMMON_KEYS.contains(&key.as_str()) {
                tree.get_mut().remove(key.as_str());
            }
        }
        let mut file: ProbeFile = struct_of(source, tree, "jobs");
        return finish(source, name, around, file.common(), None);
    };
    let owner = format!("{kind} jobs");
    match kind {
        "stock-pull" => {
            let mut file: StockPullFile = struct_of(source, tree, &owner);
            let export_above = sync_file::export_above(source, &file.export_above);
            finish(source, name, around, file.common(), Some(Work::StockPull(StockPull { export_above })))
        }
        "stock-sync" => {
            let heading = heading(tree.get_ref(), "source");
            let mut file: StockSyncFile = struct_of(source, tree, &owner);
            let own = Own {
                source: file.source.take(),
                guards: file.guards.take(),
                plan_expires: file.plan_expires.take(),
                export_above: file.export_above.take(),
            };
            let account = file.account.as_ref().map(|name| AccountName(name.get_ref().clone()));
            let currency = account.and_then(|name| around.known.get(&name)).map(|account| account.currency);
            let sync = sync_file::read(source, own, &Beside { dir: around.dir, currency, heading });
            finish(source, name, around, file.common(), Some(Work::StockSync(Box::new(sync))))
        }
        "order-poll" => {
            let mut file: OrderPollFile = struct_of(source, tree, &owner);
            finish(source, name, around, file.common(), Some(Work::OrderPoll(OrderPoll {})))
        }
        "probe" => {
            let mut file: ProbeFile = struct_of(source, tree, &owner);
            finish(source, name, around, file.common(), Some(Work::Probe(Probe {})))
        }
        _ => {
            let mut file: HousekeepingFile = struct_of(source, tree, &owner);
            let work = housekeeping(source, &file);
            finish(source, name, around, file.common(), Some(Work::Housekeeping(work)))
        }
    }
}

fn struct_of<T: serde::de::DeserializeOwned + Default>(
    source: &mut Source<'_>,
    tree: Tree<'_>,
    owner: &str,
) -> T {
    toml_errors::read(source, tree, &Place { path: "", name: owner, also: &[] }).unwrap_or_default()
}

/// Where a section is named.
fn heading(table: &DeTable<'_>, name: &str) -> Range<usize> {
    table.get_key_value(name).map_or(0..0, |(key, _)| key.span())
}

fn kind(source: &mut Source<'_>, table: &DeTable<'_>) -> Option<&'static str> {
    let list = work::KINDS.join(", ");
    let Some(value) = table.get("kind") else {
        let wrong = Wrong::new(
            Code::Missing,
            "this job has no `kind`",
            format!("add  kind = \"...\"  with one of: {list}"),
        );
        toml_errors::missing_choice(source, table, "kind", 0..0, wrong);
        return None;
    };
    let Some(text) = value.get_ref().as_str() else {
        source.wrong(value.span(), type_error("kind", value.get_ref().type_str(), "text"));
        return None;
    };
    let known = work::KINDS.into_iter().find(|kind| *kind == text);
    if known.is_none() {
        let wrong = if work::LATER.contains(&text) {
            let message =
                format!("sellerd {} does not have the kind `{text}` yet", env!("CARGO_PKG_VERSION"));
            Wrong::new(Code::KindNotYet, message, format!("move this file away for now; there are: {list}"))
        } else {
            let fix = match nearest(text, work::KINDS.into_iter().chain(work::LATER)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of: {list}"),
            };
            Wrong::new(Code::UnknownKind, format!("unknown job kind `{}`", shown(text)), fix)
        };
        source.wrong(value.span(), wrong);
    }
    known
}

fn housekeeping(source: &mut Source<'_>, file: &HousekeepingFile) -> Housekeeping {
    let default = Housekeeping::default();
    let range = DAY..=3660 * DAY;
    Housekeeping {
        keep_requests: source.duration(
            "keep_requests",
            &file.keep_requests,
            default.keep_requests,
            range.clone(),
        ),
        keep_runs: source.duration("keep_runs", &file.keep_runs, default.keep_runs, range),
        keep_backups: u32::try_from(source.whole("keep_backups", &file.keep_backups, 14, 1..=1_000))
            .unwrap_or(14),
        backup: file.backup.unwrap_or(default.backup),
    }
}

/// Checks what every job has. Without `work` there is no job, and its other mistakes are found all the same.
fn finish(
    source: &mut Source<'_>,
    name: &str,
    around: &Around<'_>,
    file: Common,
    mut work: Option<Work>,
) -> Found {
    let account = account(source, &file.account, work.as_ref(), around.accounts);
    let tz = source.value(&file.timezone, around.timezone, values::zone);
    if let Some(Work::StockSync(sync)) = &mut work {
        sync.source.timezone = tz;
    }
    let schedule = timing::schedule(source, &file.schedule, tz);
    let mode = source.value(&file.mode, Mode::Observe, |text| {
        values::choice("mode", text, &[("observe", Mode::Observe), ("apply", Mode::Apply)])
    });
    let timeout = source.duration("timeout", &file.timeout, 600 * SECOND, SECOND..=DAY);
    let jitter = source.duration("jitter", &file.jitter, Duration::ZERO, Duration::ZERO..=DAY);
    let overlap = source.value(&file.overlap, Overlap::Skip, |text| {
        values::choice("overlap", text, &[("skip", Overlap::Skip), ("queue", Overlap::Queue)])
    });
    let on_missed = source.value(&file.on_missed, OnMissed::RunOnce, |text| {
        values::choice("on_missed", text, &[("run-once", OnMissed::RunOnce), ("skip", OnMissed::Skip)])
    });
    let enabled = file.enabled.unwrap_or(true);

    if let (Some(work), Mode::Apply, Some(text)) = (&work, mode, &file.mode)
        && !work.writes()
    {
        let message = format!("{} jobs never write to the marketplace", work.kind());
        let fix = "write  mode = \"observe\"  or take the line out";
        source.wrong(
            text.span(),
            Wrong::new(Code::NothingToWrite, message, fix).label("there is nothing to apply"),
        );
    }
    if let (Some(schedule), Some(text)) = (&schedule, &file.jitter) {
        timing::check_jitter(source, schedule, text, jitter);
    }

    let uses = account.as_ref().filter(|_| enabled && work.is_some()).cloned();
    let schedule_at = file.schedule.as_ref().map(|text| source.spot(text.span()));
    let at = file.account.as_ref().map(|text| source.spot(text.span()));
    let job = work.zip(schedule).map(|(work, schedule)| Job {
        name: JobName(name.to_owned()),
        account,
        schedule,
        mode,
        enabled,
        timeout,
        jitter,
        overlap,
        on_missed,
        work,
    });
    Found { job, uses, schedule: schedule_at, at }
}

fn account(
    source: &mut Source<'_>,
    text: &Text,
    work: Option<&Work>,
    known: Option<&BTreeSet<String>>,
) -> Option<AccountName> {
    match (text, work) {
        (None, Some(Work::Housekeeping(_)) | None) => None,
        (None, Some(_)) => {
            let fix = match known.and_then(BTreeSet::first) {
                Some(name) => format!("add  account = \"{}\"", shown(name)),
                None => "add  account = \"...\"  with the name of an account of sellerd.toml".to_owned(),
            };
            source.missing(0..0, "account", Wrong::new(Code::Missing, "this job has no `account`", fix));
            None
        }
        (Some(text), Some(Work::Housekeeping(_))) => {
            let wrong = Wrong::new(
                Code::NeedlessAccount,
                "a housekeeping job belongs to no account: it looks after the one database of all",
                "take this line out",
            );
            source.wrong(text.span(), wrong);
            None
        }
        (Some(text), _) => match known.and_then(|known| unknown_account(text.get_ref(), known)) {
            Some(wrong) => {
                source.wrong(text.span(), wrong);
                None
            }
            None => Some(AccountName(text.get_ref().clone())),
        },
    }
}
