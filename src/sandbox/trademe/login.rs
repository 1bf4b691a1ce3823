//! Who asks, and whether they may: signature, grant, freshness, nonces.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Shop;
use super::options::Unauthorized;
use super::route::Level;
use super::signature::{Claim, Method, Signed, oauth_in_url};
use crate::sandbox::answer::Answer;
use crate::sandbox::faults::Aim;
use crate::sandbox::request::Request;
use crate::sandbox::spoiled;

/// Somebody who may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// The app's key; empty for nobody in particular.
    pub app: String,
    /// The member's token; empty for the app alone.
    pub token: String,
}

impl Who {
    /// Whether a member asks, who can only be the seller.
    pub fn is_member(&self) -> bool {
        !self.token.is_empty()
    }
}

/// Why a login fails. A caller learns only that it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the ledger.
    pub why: String,
    /// In the words of the extension for reporting problems.
    pub problem: &'static str,
    /// The app that was named, if it is known: its hour is counted.
    pub app: Option<Who>,
    /// Without a body, whatever the shop's form.
    pub empty_body: bool,
}

/// Nonces that were used, with their timestamps.
pub type Nonces = HashSet<(i64, String)>;

impl Shop {
    /// Finds out who asks.
    pub(super) fn log_in(
        &mut self,
        request: &Request<'_>,
        level: Level,
        aim: Aim<'_>,
        now: DateTime<Utc>,
        skewed: DateTime<Utc>,
    ) -> Result<Who, Refusal> {
        if let Some(name) = oauth_in_url(request.query) {
            return Err(refusal("parameter_rejected", format!("{name} stands in the URL")));
        }
        let Some(header) = request.authorization else {
            return match level {
                Level::Public => Ok(Who::default()),
                _ => Err(refusal("parameter_absent", "no Authorization header")),
            };
        };
        let claim = Claim::read(header).map_err(|why| refusal("parameter_rejected", why))?;
        let app = claim.get("oauth_consumer_key").unwrap_or_default().to_owned();
        if app != self.keys.consumer_key {
            return Err(refusal("consumer_key_unknown", "unknown app"));
        }
        let token = claim.get("oauth_token").unwrap_or_default().to_owned();
        let who = Who { app, token };
        self.check(request, level, aim, &claim, &who, now, skewed)
            .map_err(|refusal| Refusal { app: Some(who.clone()), ..refusal })?;
        Ok(who)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the login, split off so that it can use `?`")]
    fn check(
        &mut self,
        request: &Request<'_>,
        level: Level,
        aim: Aim<'_>,
        claim: &Claim,
        who: &Who,
        now: DateTime<Utc>,
        skewed: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let grant = self.grants.iter().find(|grant| grant.token == who.token).cloned();
        let token_secret = match (&grant, who.token.as_str()) {
            (Some(grant), _) => grant.secret.as_str(),
            (None, "") if matches!(level, Level::Read | Level::Write) => {
                return Err(refusal("permission_denied", "no member's token"));
            }
            (None, "") => "",
            (None, _) => return Err(refusal("token_rejected", "unknown token")),
        };
        if !claim.is_signed(&signed(request), &self.keys.consumer_secret, token_secret) {
            return Err(refusal("signature_invalid", "the signature does not fit"));
        }
        // The published example of PLAINTEXT has neither timestamp nor nonce.
        if claim.method == Method::HmacSha1 {
            self.check_freshness(claim, skewed)?;
        }
        if let Some(kind) = self.faults.login(aim, now, &mut self.rng) {
            let empty_body = matches!(kind, crate::sandbox::FaultKind::Revoke { empty_body: true });
            return Err(Refusal { empty_body, ..refusal("token_rejected", kind.name()) });
        }
        if who.is_member() && self.revoked_at.is_some_and(|at| at <= now) {
            return Err(refusal("token_revoked", "revoked"));
        }
        let scopes = grant.map(|grant| grant.scopes);
        if level == Level::Read && scopes.is_none_or(|scopes| !scopes.read) {
            return Err(refusal("permission_denied", "MyTradeMeRead was not granted"));
        }
        if level == Level::Write && scopes.is_none_or(|scopes| !scopes.write) {
            return Err(refusal("permission_denied", "MyTradeMeWrite was not granted"));
        }
        Ok(())
    }

    /// Checks timestamp and nonce.
    pub(super) fn check_freshness(&mut self, claim: &Claim, now: DateTime<Utc>) -> Result<(), Refusal> {
        let now = now.timestamp();
        let sent = claim.get("oauth_timestamp").unwrap_or_default();
        let Ok(timestamp) = sent.parse::<i64>() else {
            return Err(refusal("timestamp_refused", format!("timestamp {sent} is no number")));
        };
        let window = self.options.freshness.map(|span| span.num_seconds().unsigned_abs());
        let is_fresh = |at: i64| window.is_none_or(|window| now.abs_diff(at) <= window);
        if !is_fresh(timestamp) {
            return Err(refusal("timestamp_refused", format!("timestamp {sent} is not near {now}")));
        }
        if self.options.refuse_replays {
            if self.nonces.len() >= 8_192 {
                self.nonces.retain(|(used, _)| is_fresh(*used));
            }
            let nonce = claim.get("oauth_nonce").unwrap_or_default().to_owned();
            if !self.nonces.insert((timestamp, nonce)) {
                return Err(refusal("nonce_used", "the nonce was used before"));
            }
        }
        Ok(())
    }

    /// What a caller is told whose login failed.
    pub(super) fn unauthorized(&self, error: Answer, refusal: &Refusal) -> Answer {
        match self.options.unauthorized {
            _ if refusal.empty_body => Answer::empty(401),
            Unauthorized::ErrorResult => error,
            Unauthorized::Empty => Answer::empty(401),
            Unauthorized::Html => spoiled::html(401),
            Unauthorized::OauthProblem => {
                let problem = refusal.problem;
                Answer::new(401, "text/plain; charset=utf-8", format!("oauth_problem={problem}"))
                    .with("www-authenticate", format!("OAuth oauth_problem=\"{problem}\""))
            }
        }
    }
}

/// What of a request is signed.
pub fn signed<'a>(request: &Request<'a>) -> Signed<'a> {
    let is_form = request.body_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    Signed {
        method: request.method,
        origin: request.origin,
        path: request.path,
        query: request.query,
        form: std::str::from_utf8(request.body).ok().filter(|_| is_form),
    }
}

fn refusal(problem: &'static str, why: impl Into<String>) -> Refusal {
    Refusal { why: why.into(), problem, app: None, empty_body: false }
}
