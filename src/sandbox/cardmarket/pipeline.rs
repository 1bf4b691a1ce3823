//! What every request goes through, in the marketplace's order: path and method, form of the body, login,
//! limits, faults, and only then the resource.

use chrono::{DateTime, Utc};

use super::Shop;
use super::limits::{Limit, berlin_day};
use super::route::{Format, Resource, Route};
use super::signature::{Claim, realm_names};
use crate::sandbox::answer::{Answer, Delivery};
use crate::sandbox::fault::FaultKind;
use crate::sandbox::faults::{Aim, Effects};
use crate::sandbox::ledger::{Seen, Verdict};
use crate::sandbox::request::Request;
use crate::sandbox::spoiled::{self, JSON_TYPE};

/// How far a timestamp may be off, in seconds.
const FRESH: i64 = 300;

/// What was found out about a request on its way.
struct Trail {
    verdict: Verdict,
    app_known: bool,
    counted: bool,
}

/// Why a login fails.
enum Refusal {
    /// 401, and why.
    Unsigned(String),
    /// 403: nobody the shop knows.
    Unknown(&'static str),
    /// 403: somebody who may not come in any more.
    Revoked { empty_body: bool },
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(why: T) -> Self {
        Self::Unsigned(why.into())
    }
}

impl Shop {
    /// Answers a request that arrived at `now`, while `in_flight` (with this one) are under way.
    pub fn answer(&mut self, request: &Request<'_>, now: DateTime<Utc>, in_flight: usize) -> Answer {
        self.settle(now);
        let skewed = now + self.faults.skew(now);
        let route = Route::read(request.path);
        let mut trail = Trail { verdict: Verdict::Served, app_known: false, counted: false };
        let elsewhere = self.file(request, now).or_else(|| self.login_page(request, now));
        let answer = match elsewhere {
            // Another server, as far as the caller is concerned, or a page for people.
            Some((answer, verdict)) => {
                trail.verdict = verdict;
                answer
            }
            None => {
                let mut answer = self.decide(request, route, now, skewed, in_flight, &mut trail);
                self.add_usual_headers(&mut answer, route, skewed, trail.app_known, now);
                answer
            }
        };
        let status = matches!(answer.delivery, Delivery::Whole | Delivery::Half | Delivery::Endless)
            .then_some(answer.status);
        tracing::debug!(target: "sandbox", method = request.method, path = request.path, status, verdict = ?trail.verdict, "asked");
        let (method, path) = (request.method.to_owned(), request.path.to_owned());
        let day = trail.counted.then(|| berlin_day(now));
        self.ledger.record(Seen { at: now, method, path, status, verdict: trail.verdict }, day);
        answer
    }

    fn decide(
        &mut self,
        request: &Request<'_>,
        route: Route<'_>,
        now: DateTime<Utc>,
        skewed: DateTime<Utc>,
        in_flight: usize,
        trail: &mut Trail,
    ) -> Answer {
        // 1. Path and method.
        let Some(resource) = route.resource else {
            trail.verdict = Verdict::Malformed("no such path");
            return self.error(route, 404, "There is no such resource.");
        };
        if request.method == "OPTIONS" {
            return Answer::empty(200);
        }
        if !resource.methods().split(", ").any(|method| method == request.method) {
            trail.verdict = Verdict::Malformed("method not allowed");
            return self.error(route, 405, "This resource does not know this method.");
        }
        // 2. The form of the body.
        let is_text = |kind: &str| kind.contains("xml") || kind.starts_with("text/plain");
        if request.expects || request.body_type.is_some_and(|kind| !is_text(kind)) {
            trail.verdict = Verdict::Malformed("expectation failed");
            return self.error(route, 417, "Send XML with a proper header, and no Expect.");
        }
        // 3. The login.
        let aim = aim(request, route, resource);
        if let Err(refusal) = self.log_in(request, resource, aim, now, skewed, trail) {
            return self.refuse(route, refusal, trail);
        }
        if self.door.keeps_out(resource) {
            trail.verdict = Verdict::Forbidden("not for an app of this kind");
            return self.error(route, 403, "This resource is for third-party apps.");
        }
        // 4. The limits.
        trail.counted = true;
        if let Err(limit) = self.limits.count(now, in_flight) {
            let (name, wait) = match limit {
                Limit::Concurrency => ("concurrency", Some(1)),
                Limit::Minute => ("minute", None),
                Limit::Day => ("day", None),
            };
            trail.verdict = Verdict::TooMany(name);
            return self.too_many(route, wait);
        }
        // 5. Faults, then the resource.
        let effects = self.faults.effects(aim, now, &mut self.rng);
        if !effects.names.is_empty() {
            trail.verdict = Verdict::Faulted(effects.names.clone());
        }
        let mut answer = match &effects.instead {
            Some(kind) => {
                // What is late happens whatever is said meanwhile.
                if effects.late.is_some() {
                    self.serve(request, route, resource, &effects, now);
                }
                self.answer_instead(kind, request, route)
            }
            None => self.serve(request, route, resource, &effects, now),
        };
        spoiled::spoil(&mut answer, &effects);
        answer
    }

    fn serve(
        &mut self,
        request: &Request<'_>,
        route: Route<'_>,
        resource: Resource<'_>,
        effects: &Effects,
        now: DateTime<Utc>,
    ) -> Answer {
        if route.format == Format::Xml {
            return self.error(route, 406, "This pretend shop speaks output.json only.");
        }
        match (resource.deed(request.method), resource) {
            (None, Resource::Access) => self.exchange(request, route, now),
            (None, Resource::Logout) => self.log_out(request),
            (Some(deed), _) => self.write(request, route, deed, effects, now),
            (None, Resource::Exports) if request.method == "POST" => self.start_export(request, effects, now),
            (None, _) => self.read(request, route, resource, effects, now),
        }
    }

    /// Checks the signature and who signed.
    fn log_in(
        &mut self,
        request: &Request<'_>,
        resource: Resource<'_>,
        aim: Aim<'_>,
        now: DateTime<Utc>,
        skewed: DateTime<Utc>,
        trail: &mut Trail,
    ) -> Result<(), Refusal> {
        let header = request.authorization.ok_or("no Authorization header")?;
        let claim = Claim::read(header)?;
        if claim.consumer_key != self.keys.consumer_key {
            return Err(Refusal::Unknown("unknown app"));
        }
        trail.app_known = true;
        // The exchange is signed by the app alone.
        let alone = resource == Resource::Access && claim.token.is_empty();
        let grant = self.door.grant(&claim.token);
        if grant.is_none() && !alone {
            return Err(Refusal::Unknown("unknown token"));
        }
        let is_over = grant.and_then(|grant| grant.ends).is_some_and(|ends| ends <= now);
        let url = format!("{}{}", request.origin, request.path);
        let (secret, token_secret) =
            (&self.keys.consumer_secret, grant.map_or("", |grant| grant.secret.as_str()));
        if !claim.is_signed(request.method, &url, request.query, secret, token_secret) {
            return Err("the signature does not fit".into());
        }
        if self.strict {
            if !realm_names(&claim.realm, &url) {
                return Err("the realm is not the URL".into());
            }
            self.check_freshness(&claim, skewed)?;
        }
        if is_over {
            return Err("the token is over".into());
        }
        match self.faults.login(aim, now, &mut self.rng) {
            Some(FaultKind::Revoke { empty_body }) => Err(Refusal::Revoked { empty_body }),
            Some(_) if alone => Ok(()),
            Some(_) => Err("the token is rejected".into()),
            None => Ok(()),
        }
    }

    fn refuse(&self, route: Route<'_>, refusal: Refusal, trail: &mut Trail) -> Answer {
        let (verdict, answer) = match refusal {
            Refusal::Unsigned(why) => {
                (Verdict::Unauthorized(why), self.error(route, 401, "Authorization failed."))
            }
            Refusal::Unknown(who) => {
                (Verdict::Forbidden(who), self.error(route, 403, "Authorization failed."))
            }
            Refusal::Revoked { empty_body: true } => (Verdict::Forbidden("revoked"), Answer::empty(403)),
            Refusal::Revoked { empty_body: false } => {
                let text = "You are not allowed to access this resource.";
                (Verdict::Forbidden("revoked"), self.error(route, 403, text))
            }
        };
        trail.verdict = verdict;
        answer
    }

    fn check_freshness(&mut self, claim: &Claim, now: DateTime<Utc>) -> Result<(), String> {
        let now = now.timestamp();
        let is_fresh = |timestamp: i64| now.abs_diff(timestamp) <= FRESH as u64;
        let timestamp = claim.timestamp.parse().ok().filter(|at| is_fresh(*at));
        let timestamp =
            timestamp.ok_or_else(|| format!("timestamp {} is not near {now}", claim.timestamp))?;
        if claim.nonce.is_empty() {
            return Err("the nonce is empty".to_owned());
        }
        if self.nonces.len() >= 4_096 {
            self.nonces.retain(|(used, _)| is_fresh(*used));
        }
        if !self.nonces.insert((timestamp, claim.nonce.clone())) {
            return Err("the nonce was used before".to_owned());
        }
        Ok(())
    }

    fn too_many(&self, route: Route<'_>, retry_after: Option<u32>) -> Answer {
        let answer = self.error(route, 429, "Too many requests.");
        match retry_after {
            Some(seconds) => answer.with("retry-after", seconds.to_string()),
            None => answer,
        }
    }

    fn answer_instead(&mut self, kind: &FaultKind, request: &Request<'_>, route: Route<'_>) -> Answer {
        if let Some(answer) = spoiled::instead(kind, &mut self.rng) {
            return answer;
        }
        match kind {
            FaultKind::Unavailable => self.error(route, 400, "Service currently not available"),
            FaultKind::Redirect => {
                Answer::empty(307).with("location", format!("{}{}", request.origin, request.path))
            }
            FaultKind::RedirectAway { to } => {
                let base = to.as_deref().unwrap_or("http://elsewhere.invalid/ws/v2.0");
                let location = format!("{}/output.json{}", base.trim_end_matches('/'), route.path);
                Answer::empty(307).with("location", location)
            }
            FaultKind::TooMany { retry_after } => self.too_many(route, Some(*retry_after)),
            FaultKind::ErrorIn200 { long: false } => {
                Answer::new(200, JSON_TYPE, "{\"error\":\"Something went wrong\"}")
            }
            FaultKind::ErrorIn200 { long: true } => {
                Answer { status: 200, ..self.error(route, 400, "Service currently not available") }
            }
            FaultKind::Huge => {
                Answer { delivery: Delivery::Endless, ..Answer::new(200, JSON_TYPE, "{\"article\":[") }
            }
            // The others change how the shop answers; they never stand in its place.
            _ => self.error(route, 500, "This fault answers nothing."),
        }
    }

    fn add_usual_headers(
        &mut self,
        answer: &mut Answer,
        route: Route<'_>,
        skewed: DateTime<Utc>,
        app_known: bool,
        now: DateTime<Utc>,
    ) {
        // Not drawn from the seed: what buyers do must not depend on how often was asked.
        let session = self.ledger.total().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let session = format!("PHPSESSID={session:026x}; path=/; secure; HttpOnly");
        answer.headers.push(("set-cookie", session));
        let methods = route.resource.map_or("GET, OPTIONS", |resource| resource.methods());
        answer.headers.push(("access-control-allow-methods", methods.to_owned()));
        answer.headers.push(("access-control-allow-origin", "*".to_owned()));
        answer.headers.push(("date", skewed.format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        if let Some((max, count)) = self.limits.headers(now).filter(|_| app_known) {
            answer.headers.push(("x-request-limit-max", max.to_string()));
            answer.headers.push(("x-request-limit-count", count.to_string()));
        }
    }
}

fn aim<'a>(request: &Request<'_>, route: Route<'a>, resource: Resource<'_>) -> Aim<'a> {
    let write = request.method != "GET";
    let stock = !write && matches!(resource, Resource::Stock(_));
    let later_page = matches!(resource, Resource::Stock(Some(Ok(start))) if start > 1);
    let list = stock || matches!(resource, Resource::Carts | Resource::Orders(..));
    Aim { path: route.path, stock, later_page, list, write }
}
