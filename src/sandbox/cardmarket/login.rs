//! How a user lets a third-party app in: the page, the request token behind the app's own callback, the exchange.
//!
//! What the documentation leaves open is answered as unlike a success as possible: a request token that is not known,
//! used or old is a 403, as unknown tokens are elsewhere, and an access token whose time is over a 401.

use chrono::{DateTime, TimeDelta, Utc};

use super::Shop;
use super::route::{Resource, Route};
use super::signature::Claim;
use crate::sandbox::answer::Answer;
use crate::sandbox::keys::Keys;
use crate::sandbox::ledger::Verdict;
use crate::sandbox::percent::{Plus, decode};
use crate::sandbox::request::Request;

/// What kind of app the keys belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum App {
    /// Its owner's own account, with an access token that never ends.
    #[default]
    Dedicated,
    /// Whoever logs in, for a while.
    ThirdParty,
}

/// Who came in and who asks to.
#[derive(Debug)]
pub(super) struct Door {
    app: App,
    /// Where users are sent with their request token, which is appended verbatim.
    callback: String,
    /// How long an access token is good for; `None` for ever.
    token_lifetime: Option<TimeDelta>,
    tickets: Vec<Ticket>,
    grants: Vec<Grant>,
    rng: fastrand::Rng,
}

/// A request token.
#[derive(Debug)]
struct Ticket {
    token: String,
    made: DateTime<Utc>,
    other: bool,
}

/// An access token.
#[derive(Debug)]
pub(super) struct Grant {
    token: String,
    pub secret: String,
    pub ends: Option<DateTime<Utc>>,
    /// Somebody else than the seller of this shop.
    other: bool,
}

/// A request token is good for a day.
const TICKET_LASTS: TimeDelta = TimeDelta::hours(24);

impl Door {
    /// With the access token of `keys` as the first.
    pub fn new(
        app: App,
        callback: &str,
        token_lifetime: Option<TimeDelta>,
        keys: &Keys,
        seed: u64,
        now: DateTime<Utc>,
    ) -> Self {
        let first = Grant {
            token: keys.token.clone(),
            secret: keys.token_secret.clone(),
            ends: token_lifetime.map(|span| now + span),
            other: false,
        };
        let rng = fastrand::Rng::with_seed(seed ^ 0x444f_4f52);
        let callback = callback.to_owned();
        Self { app, callback, token_lifetime, tickets: Vec::new(), grants: vec![first], rng }
    }

    /// The grant that a token names.
    pub fn grant(&self, token: &str) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.token == token)
    }

    /// Whether somebody else than the shop's seller asks.
    pub fn is_other(&self, request: &Request<'_>) -> bool {
        let token =
            request.authorization.and_then(|header| Claim::read(header).ok()).map(|claim| claim.token);
        token.and_then(|token| self.grant(&token)).is_some_and(|grant| grant.other)
    }

    /// Whether a resource is for apps of another kind.
    pub fn keeps_out(&self, resource: Resource<'_>) -> bool {
        self.app == App::Dedicated && matches!(resource, Resource::Access | Resource::Logout)
    }

    fn word(&mut self) -> String {
        (0..32).map(|_| self.rng.alphanumeric()).collect()
    }
}

impl Shop {
    /// Answers for the page on which users log in; `None` for every other path.
    pub(super) fn login_page(
        &mut self,
        request: &Request<'_>,
        now: DateTime<Utc>,
    ) -> Option<(Answer, Verdict)> {
        let rest = request.path.strip_prefix("/ws/v2.0/authenticate/")?;
        let (app, language) = rest.split_once('/').unwrap_or((rest, "en"));
        let refused = |status, why: &'static str| (page(status, why), Verdict::Forbidden(why));
        if app != self.keys.consumer_key || !["en", "fr", "de", "es", "it"].contains(&language) {
            return Some(refused(404, "There is no such app."));
        }
        if self.door.app == App::Dedicated {
            return Some(refused(403, "Only users of a third-party app can log in here."));
        }
        let answer = match request.method {
            "GET" => page(200, &form(request.path)),
            "POST" => self.hear_user(request, now),
            _ => page(405, "This page is for browsers."),
        };
        Some((answer, Verdict::Served))
    }

    fn hear_user(&mut self, request: &Request<'_>, now: DateTime<Utc>) -> Answer {
        let form = String::from_utf8_lossy(request.body);
        let field = |name: &str| {
            let value =
                form.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name);
            value.map(|(_, value)| decode(value, Plus::IsBlank)).unwrap_or_default()
        };
        if field("decision") != "allow" {
            return page(200, "You have not let the app in.");
        }
        let ticket = Ticket { token: self.door.word(), made: now, other: field("as") == OTHER };
        let location = format!("{}{}", self.door.callback, ticket.token);
        self.door.tickets.push(ticket);
        Answer::empty(302).with("location", location)
    }

    /// Access for a request token. The exchange can be done once. A login that was rejected before stays so: the old
    /// tokens are worth nothing, and the new one is.
    pub(super) fn exchange(&mut self, request: &Request<'_>, route: Route<'_>, now: DateTime<Utc>) -> Answer {
        let Some((app, token)) = asked(request.body) else {
            return self.error(route, 400, "The request needs app_key and request_token.");
        };
        let at = self.door.tickets.iter().position(|ticket| ticket.token == token);
        let Some(at) = at.filter(|_| app == self.keys.consumer_key) else {
            return self.error(route, 403, "The request token is not valid.");
        };
        let ticket = self.door.tickets.remove(at);
        if now - ticket.made > TICKET_LASTS {
            return self.error(route, 403, "The request token is not valid any more.");
        }
        if self.faults.restore() {
            self.door.grants.clear();
        }
        let (token, secret) = (self.door.word(), self.door.word());
        let ends = self.door.token_lifetime.map(|span| now + span);
        let answer = self.json(|shop, json| {
            json.nested("account", |json| super::wire::account(json, shop, ticket.other));
            json.text("oauth_token", &token);
            json.text("oauth_token_secret", &secret);
        });
        self.door.grants.push(Grant { token, secret, ends, other: ticket.other });
        answer
    }

    /// Takes back the access token that asks.
    pub(super) fn log_out(&mut self, request: &Request<'_>) -> Answer {
        if let Some(claim) = request.authorization.and_then(|header| Claim::read(header).ok()) {
            self.door.grants.retain(|grant| grant.token != claim.token);
        }
        self.json(|_, json| json.text("logout", "successful"))
    }
}

/// What the page calls somebody who is not the seller of this shop.
pub(super) const OTHER: &str = "other-shop";

/// The app and the request token that a body names.
fn asked(body: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(body).ok()?;
    let document = roxmltree::Document::parse(text).ok()?;
    let root = Some(document.root_element()).filter(|root| root.has_tag_name("request"))?;
    let field = |name| root.children().find(|node| node.has_tag_name(name))?.text().map(str::to_owned);
    Some((field("app_key")?, field("request_token")?))
}

fn form(path: &str) -> String {
    // As it was asked for, so that the language stays.
    let path = path.replace(['"', '<', '>', '&'], "");
    format!(
        "<form method=\"post\" action=\"{path}\"><label>Log in as <select name=\"as\"><option>demo-shop</option>\
         <option>{OTHER}</option></select></label> <button name=\"decision\" value=\"allow\">Log in</button> \
         <button name=\"decision\" value=\"deny\">Refuse</button></form>"
    )
}

fn page(status: u16, body: &str) -> Answer {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>Pretend Cardmarket</title></head><body><h1>An app wants access to your \
         pretend account</h1><p>{body}</p></body></html>\n"
    );
    Answer::new(status, "text/html; charset=utf-8", body)
}
