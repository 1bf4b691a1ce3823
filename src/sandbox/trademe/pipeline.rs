//! What every request goes through: path and method, login, the hour, faults, and only then the resource.

use chrono::{DateTime, Utc};

use super::hour::hour_of;
use super::json::{Json, Style};
use super::options::TooMany;
use super::route::{Format, Resource, Route};
use super::tokens::Step;
use super::{Shop, wire};
use crate::sandbox::answer::{Answer, Delivery};
use crate::sandbox::fault::FaultKind;
use crate::sandbox::faults::Aim;
use crate::sandbox::ledger::{Seen, Verdict};
use crate::sandbox::request::Request;
use crate::sandbox::spoiled::{self, JSON_TYPE};

/// What was found out about a request on its way.
struct Trail {
    verdict: Verdict,
    counted: bool,
}

impl Shop {
    /// Answers a request that arrived at `now`.
    pub fn answer(&mut self, request: &Request<'_>, now: DateTime<Utc>) -> Answer {
        self.settle(now);
        let skewed = now + self.faults.skew(now);
        let mut trail = Trail { verdict: Verdict::Served, counted: false };
        let answer = self.decide(request, now, skewed, &mut trail);
        let answer = answer.with("date", skewed.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        let status = matches!(answer.delivery, Delivery::Whole | Delivery::Half | Delivery::Endless)
            .then_some(answer.status);
        tracing::debug!(target: "sandbox", method = request.method, path = request.path, status, verdict = ?trail.verdict, "asked");
        let (method, path) = (request.method.to_owned(), request.path.to_owned());
        let hour = trail.counted.then(|| hour_of(now));
        self.ledger.record(Seen { at: now, method, path, status, verdict: trail.verdict }, hour);
        answer
    }

    fn decide(
        &mut self,
        request: &Request<'_>,
        now: DateTime<Utc>,
        skewed: DateTime<Utc>,
        trail: &mut Trail,
    ) -> Answer {
        if let Some(step) = Step::of_path(request.path) {
            return self.decide_dance(step, request, now, skewed, trail);
        }
        // 1. Path and method: what does not exist is a page, not an error of the API.
        let route = Route::read(request.path);
        let Some(resource) = route.resource else {
            trail.verdict = Verdict::Malformed("no such path");
            return spoiled::html(404);
        };
        if request.method != resource.method() {
            trail.verdict = Verdict::Malformed("no such method");
            return spoiled::html(404);
        }
        // 2. The login.
        let aim = aim(request, route, resource);
        let who = match self.log_in(request, resource.level(), aim, now, skewed) {
            Ok(who) => who,
            Err(refusal) => {
                let app =
                    refusal.app.as_ref().filter(|_| self.options.count_refused && resource.is_counted());
                if let Some(who) = app {
                    trail.counted = true;
                    self.hour.count(&who.app, &who.token, now);
                }
                trail.verdict = Verdict::Unauthorized(refusal.why.clone());
                let error =
                    error(request, route.format, 401, "OAuth authentication failed. Please log in again.");
                return self.unauthorized(error, &refusal);
            }
        };
        // 3. The hour.
        if resource.is_counted() {
            trail.counted = true;
            if !self.hour.count(&who.app, &who.token, now) {
                trail.verdict = Verdict::TooMany("hour");
                return self.too_many(request, route.format);
            }
        }
        // 4. Faults, then the resource.
        let effects = self.faults.effects(aim, now, &mut self.rng);
        if !effects.names.is_empty() {
            trail.verdict = Verdict::Faulted(effects.names.clone());
        }
        // What is late happens whatever is said meanwhile.
        let late = effects.late.filter(|_| route.format == Format::Json && is_json(request));
        if let (Some(late), Resource::Deed(deed)) = (late, resource) {
            self.put_off(deed, request.body, late, now);
        }
        let mut answer = match &effects.instead {
            Some(kind) => self.answer_instead(kind, request, route),
            None if effects.late.is_some() => Answer { delivery: Delivery::HangUp, ..Answer::empty(200) },
            None if route.format == Format::Xml => {
                error(request, route.format, 400, "This pretend shop speaks .json only.")
            }
            None => match resource {
                Resource::Deed(deed) => self.write(request, deed, &effects, now),
                _ => self.read(request, resource, &who, &effects, now),
            },
        };
        if request.authorization.is_none() && answer.status == 200 {
            answer = answer.with("cache-control", "max-age=59");
        }
        spoiled::spoil(&mut answer, &effects);
        let is_read =
            answer.status == 200 && answer.delivery == Delivery::Whole && effects.afterwards.is_none();
        if let (true, Resource::EditForm(id)) = (is_read, resource) {
            self.know_sold(id);
        }
        answer
    }

    /// A step towards a grant: it has its own login, and costs nothing.
    fn decide_dance(
        &mut self,
        step: Step,
        request: &Request<'_>,
        now: DateTime<Utc>,
        skewed: DateTime<Utc>,
        trail: &mut Trail,
    ) -> Answer {
        let route = Route::read(request.path);
        let aim = Aim { path: request.path, stock: false, later_page: false, list: false, write: false };
        let effects = self.faults.effects(aim, now, &mut self.rng);
        if !effects.names.is_empty() {
            trail.verdict = Verdict::Faulted(effects.names.clone());
        }
        let mut answer = match &effects.instead {
            Some(kind) => self.answer_instead(kind, request, route),
            None => self.dance(step, request, skewed).unwrap_or_else(|(answer, why)| {
                trail.verdict = Verdict::Unauthorized(why);
                answer
            }),
        };
        spoiled::spoil(&mut answer, &effects);
        answer
    }

    fn too_many(&self, request: &Request<'_>, format: Format) -> Answer {
        match self.options.too_many {
            TooMany::ErrorResult => {
                error(request, format, 429, "You have exceeded your API call limit for this hour.")
            }
            TooMany::Empty => Answer::empty(429),
        }
    }

    fn answer_instead(&mut self, kind: &FaultKind, request: &Request<'_>, route: Route<'_>) -> Answer {
        if let Some(answer) = spoiled::instead(kind, &mut self.rng) {
            return answer;
        }
        match kind {
            FaultKind::Unavailable | FaultKind::Maintenance { .. } => spoiled::html(503),
            FaultKind::Redirect => {
                Answer::empty(307).with("location", format!("{}{}", request.origin, request.path))
            }
            FaultKind::RedirectAway { to } => {
                let base = to.as_deref().unwrap_or("http://elsewhere.invalid/v1");
                Answer::empty(307).with("location", format!("{}{}", base.trim_end_matches('/'), route.path))
            }
            FaultKind::TooMany { retry_after } => {
                self.too_many(request, route.format).with("retry-after", retry_after.to_string())
            }
            FaultKind::ErrorIn200 { long: false } => {
                let failure = Json::object(Style::default(), |json| {
                    json.flag("Success", false);
                    json.text("Description", "Something went wrong.\r\nPlease try again later.");
                });
                Answer::new(200, JSON_TYPE, failure)
            }
            FaultKind::ErrorIn200 { long: true } => {
                Answer { status: 200, ..error(request, route.format, 400, "Something went wrong.") }
            }
            FaultKind::Huge => {
                Answer { delivery: Delivery::Endless, ..Answer::new(200, JSON_TYPE, "{\"List\":[") }
            }
            // The others change how the shop answers; they never stand in its place.
            _ => error(request, route.format, 500, "This fault answers nothing."),
        }
    }
}

/// An error in the form that the caller chose.
pub(super) fn error(request: &Request<'_>, format: Format, status: u16, description: &str) -> Answer {
    wire::error(&format!("{}{}", request.origin, request.path), format, status, description)
}

/// Whether the body is said to be JSON.
pub(super) fn is_json(request: &Request<'_>) -> bool {
    request.body_type.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"))
}

fn aim<'a>(request: &Request<'_>, route: Route<'a>, resource: Resource<'_>) -> Aim<'a> {
    let list = matches!(resource, Resource::Selling(_) | Resource::Sold(_) | Resource::Unsold(_));
    let later_page = list && super::rows::Window::asked(request.query).0 > 1;
    let stock = matches!(resource, Resource::Selling(_));
    let write = matches!(resource, Resource::Deed(deed) if deed.has_effect());
    Aim { path: route.path, stock, later_page, list, write }
}
