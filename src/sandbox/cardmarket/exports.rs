//! The stock as a file: asked for, ready some minutes later, fetched from elsewhere.
//!
//! "Elsewhere" is a path of the same server that belongs to no API. Like the object store of the real marketplace it
//! wants the signature in the URL, refuses callers who show their login, and counts against no limit.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;

use super::json::Json;
use super::route::Route;
use super::wire::{self, SELLER_ID, View};
use super::{Article, Shop};
use crate::sandbox::answer::Answer;
use crate::sandbox::fault::FaultKind;
use crate::sandbox::faults::{Aim, Effects};
use crate::sandbox::ledger::Verdict;
use crate::sandbox::percent::{Plus, decode};
use crate::sandbox::request::Request;
use crate::sandbox::spoiled::{self, JSON_TYPE};

/// Where the files are.
const FOLDER: &str = "/stock-exports/";
/// How long a request is listed.
const LISTED: TimeDelta = TimeDelta::hours(24);
/// How long the URL of a file is good for, in seconds.
const GOOD_FOR: i64 = 3_600;
const FIRST: u64 = 2_910;

/// What was asked for.
#[derive(Debug, Default)]
pub struct Exports {
    requests: Vec<Export>,
    asked: u64,
    /// The stock as it was when the fault that shows it was turned on.
    stale: Option<File>,
}

#[derive(Debug)]
struct Export {
    id: u64,
    started: DateTime<Utc>,
    due: DateTime<Utc>,
    game: Option<u8>,
    /// What a URL must carry to get the file.
    signature: String,
    fate: Fate,
    file: Option<File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pending,
    Stale,
    Doomed,
    Finished,
    Failed,
}

/// The stock at a moment.
#[derive(Debug, Clone)]
struct File {
    taken: DateTime<Utc>,
    rows: Vec<Article>,
}

impl Exports {
    /// When the next file will be ready.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.requests.iter().filter(|export| export.is_pending()).map(|export| export.due).min()
    }

    /// Files that a fault makes stale show this stock.
    pub fn remember(&mut self, rows: &[Article], taken: DateTime<Utc>) {
        self.stale = Some(File { taken, rows: rows.to_vec() });
    }

    /// Forgets what nobody is shown any more, and files whose URL is not good any more.
    pub fn forget(&mut self, now: DateTime<Utc>) {
        self.requests.retain(|export| now - export.started < LISTED);
        for export in self.requests.iter_mut().filter(|export| export.has_expired(now)) {
            export.file = None;
        }
    }

    /// Finishes what is due at `at` with the stock of that moment.
    pub fn finish(&mut self, rows: &[Article], at: DateTime<Utc>) {
        for export in self.requests.iter_mut().filter(|export| export.is_pending() && export.due <= at) {
            let file = match export.fate {
                Fate::Doomed => None,
                Fate::Stale => self.stale.clone(),
                _ => Some(File { taken: export.due, rows: rows.to_vec() }),
            };
            export.fate = if file.is_some() { Fate::Finished } else { Fate::Failed };
            export.file = file;
        }
    }
}

impl Export {
    fn is_pending(&self) -> bool {
        !matches!(self.fate, Fate::Finished | Fate::Failed)
    }

    fn has_expired(&self, now: DateTime<Utc>) -> bool {
        now - self.due > TimeDelta::seconds(GOOD_FOR)
    }

    fn resource(&self) -> String {
        format!("stock-{SELLER_ID}-{}.json", self.id)
    }

    fn write(&self, json: &mut Json, origin: &str) {
        let ended = if self.is_pending() { String::new() } else { plain(self.due) };
        json.number("idRequest", self.id as i64);
        json.number("idUser", SELLER_ID);
        let status = match self.fate {
            Fate::Finished => "finished",
            Fate::Failed => "failed",
            _ => "pending",
        };
        json.text("status", status);
        json.text("startedAt", &plain(self.started));
        json.text("finishedAt", &ended);
        json.text("type", "Stock Export");
        json.text("resourceId", &self.resource());
        let url = match self.fate {
            Fate::Finished => format!(
                "{origin}{FOLDER}{}?X-Amz-Expires={GOOD_FOR}&X-Amz-Signature={}",
                self.resource(),
                self.signature
            ),
            _ => String::new(),
        };
        json.text("url", &url);
    }
}

impl Shop {
    /// Takes a request for a file.
    pub(super) fn start_export(
        &mut self,
        request: &Request<'_>,
        effects: &Effects,
        now: DateTime<Utc>,
    ) -> Answer {
        let delay = TimeDelta::from_std(self.rules.export_delay).unwrap_or(LISTED);
        let fate = match (effects.failed_export, effects.stale_export) {
            (true, _) => Fate::Doomed,
            (false, true) => Fate::Stale,
            (false, false) => Fate::Pending,
        };
        let game = query(request, "idGame").and_then(|game| game.parse().ok());
        let signature = format!("{:032x}", self.chance.u128(..));
        let id = FIRST + self.exports.asked;
        self.exports.asked += 1;
        let due = now + delay;
        self.exports.requests.push(Export { id, started: now, due, game, signature, fate, file: None });
        // A shop without a delay has the file before the answer has arrived.
        self.settle(now);
        Answer::empty(202)
    }

    /// All requests of the last 24 hours, the newest first.
    pub(super) fn list_exports(&self, request: &Request<'_>) -> Answer {
        let all: Vec<&Export> = self.exports.requests.iter().rev().collect();
        self.json(|_, json| {
            json.list("stockExports", &all, |json, _, export| export.write(json, request.origin))
        })
    }

    /// One request.
    pub(super) fn one_export(&self, request: &Request<'_>, route: Route<'_>, id: &str) -> Answer {
        let id: Option<u64> = id.parse().ok();
        match self.exports.requests.iter().find(|export| Some(export.id) == id) {
            Some(export) => {
                self.json(|_, json| json.nested("stockRequest", |json| export.write(json, request.origin)))
            }
            None => self.error(route, 404, "There is no such request."),
        }
    }

    /// Hands a file out, if that is what the path is about.
    pub(super) fn file(&mut self, request: &Request<'_>, now: DateTime<Utc>) -> Option<(Answer, Verdict)> {
        let name = request.path.strip_prefix(FOLDER)?;
        let aim = Aim { path: request.path, stock: false, later_page: false, list: false, write: false };
        let effects = self.faults.effects(aim, now, &mut self.rng);
        let instead = effects.instead.as_ref().map(|kind| match spoiled::instead(kind, &mut self.rng) {
            Some(answer) => answer,
            None if matches!(kind, FaultKind::TooMany { .. }) => refused(503, "SlowDown"),
            None => refused(500, "InternalError"),
        });
        let mut answer = instead.unwrap_or_else(|| self.hand_out(name, request, now));
        spoiled::spoil(&mut answer, &effects);
        let verdict =
            if effects.names.is_empty() { Verdict::Served } else { Verdict::Faulted(effects.names) };
        Some((answer, verdict))
    }

    fn hand_out(&self, name: &str, request: &Request<'_>, now: DateTime<Utc>) -> Answer {
        if request.method != "GET" {
            return refused(405, "MethodNotAllowed");
        }
        if request.authorization.is_some() {
            return refused(400, "InvalidArgument");
        }
        let Some(export) = self.exports.requests.iter().find(|export| export.resource() == name) else {
            return refused(404, "NoSuchKey");
        };
        if query(request, "X-Amz-Signature").as_deref() != Some(&export.signature) {
            return refused(403, "SignatureDoesNotMatch");
        }
        if export.has_expired(now) {
            return refused(403, "AccessDenied");
        }
        let Some(file) = &export.file else { return refused(404, "NoSuchKey") };
        let is_wanted =
            |row: &&Article| export.game.is_none_or(|game| self.catalogue.at(row.product).game == game);
        let rows: Vec<&Article> = file.rows.iter().filter(is_wanted).collect();
        let body = Json::object(self.typing, |json| {
            json.list("article", &rows, |json, _, row| {
                wire::article(json, &self.catalogue, row, View::Stock, None);
            });
        });
        let taken = file.taken.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Answer::new(200, JSON_TYPE, body).with("last-modified", taken)
    }
}

/// Berlin's time without an offset.
fn plain(at: DateTime<Utc>) -> String {
    at.with_timezone(&Berlin).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn query(request: &Request<'_>, name: &str) -> Option<String> {
    let pairs = request.query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| decode(value, Plus::IsBlank))
}

/// An error as the object store writes it.
fn refused(status: u16, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>\n");
    Answer::new(status, "application/xml", body)
}
