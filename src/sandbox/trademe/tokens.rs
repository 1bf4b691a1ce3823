//! How an app comes by a member's grant: a request token, the member's word, an access token.

use chrono::{DateTime, Utc};

use super::options::Scopes;
use super::pipeline::error;
use super::route::Format;
use super::rows::value;
use super::signature::{Claim, Method, parameters};
use super::{Shop, seed};
use crate::sandbox::answer::Answer;
use crate::sandbox::percent::encode;
use crate::sandbox::request::Request;

/// Forms come back as this, whatever they are: real clients must not look at it.
const FORM_TYPE: &str = "text/html; charset=utf-8";

/// What a member granted.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Names the member.
    pub token: String,
    /// Signs for the member.
    pub secret: String,
    /// What it covers.
    pub scopes: Scopes,
    /// Somebody else than the seller of this shop granted it.
    pub other: bool,
}

/// A grant that is asked for and not yet given.
#[derive(Debug, Clone)]
pub struct Petition {
    token: String,
    secret: String,
    /// Where the member is sent afterwards; `None` shows a number to type in.
    callback: Option<String>,
    scopes: Scopes,
    /// Known once the member has allowed it.
    verifier: Option<String>,
    /// Somebody else than the seller of this shop allowed it.
    other: bool,
    made: DateTime<Utc>,
}

/// What the page calls somebody who is not the seller of this shop.
pub const OTHER: &str = "other-shop";

/// The steps, by the paths below `/Oauth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `POST /Oauth/RequestToken`
    Request,
    /// `GET` and `POST /Oauth/Authorize`
    Authorize,
    /// `POST /Oauth/AccessToken`
    Access,
}

impl Step {
    /// The step that a path is about, in any case.
    pub fn of_path(path: &str) -> Option<Self> {
        match path.to_ascii_lowercase().as_str() {
            "/oauth/requesttoken" => Some(Self::Request),
            "/oauth/authorize" => Some(Self::Authorize),
            "/oauth/accesstoken" => Some(Self::Access),
            _ => None,
        }
    }
}

impl Shop {
    /// Answers a step of the dance. `Err` is why the caller was refused, for the ledger.
    pub(super) fn dance(
        &mut self,
        step: Step,
        request: &Request<'_>,
        skewed: DateTime<Utc>,
    ) -> Result<Answer, (Answer, String)> {
        let result = match (step, request.method) {
            (Step::Request, "POST") => self.petition(request, skewed),
            (Step::Access, "POST") => self.grant(request, skewed),
            (Step::Authorize, "GET") => return Ok(self.ask_member(request, skewed)),
            (Step::Authorize, "POST") => return Ok(self.hear_member(request, skewed)),
            _ => return Ok(crate::sandbox::spoiled::html(404)),
        };
        result.map_err(|why| (error(request, Format::Json, 401, "OAuth authentication failed."), why))
    }

    fn petition(&mut self, request: &Request<'_>, skewed: DateTime<Utc>) -> Result<Answer, String> {
        let claim = Claim::read(request.authorization.ok_or("no Authorization header")?)?;
        self.check_app(&claim, request, "", skewed)?;
        let callback = match claim.get("oauth_callback") {
            None | Some("oob") => None,
            // HTTP has been refused since 2016; a registered domain is not asked for here.
            Some(url) if url.starts_with("https://") => Some(url.to_owned()),
            Some(url) => return Err(format!("the callback {url} is not https")),
        };
        let scopes = scopes(value(request.query, "scope").as_deref())?;
        let [token, secret] = [(); 2].map(|()| seed::word(&mut self.rng, 34));
        let body = format!("oauth_token={token}&oauth_token_secret={secret}&oauth_callback_confirmed=true");
        self.petitions.push(Petition {
            token,
            secret,
            callback,
            scopes,
            verifier: None,
            other: false,
            made: skewed,
        });
        Ok(Answer::new(200, FORM_TYPE, body))
    }

    /// The page on which the member decides.
    fn ask_member(&mut self, request: &Request<'_>, now: DateTime<Utc>) -> Answer {
        self.forget_old_petitions(now);
        let token = value(request.query, "oauth_token").unwrap_or_default();
        if !self.petitions.iter().any(|petition| petition.token == token) {
            return page(400, "This request is not known, or has been used.");
        }
        page(
            200,
            &format!(
                "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"oauth_token\" value=\"{token}\">\
                 <label>Log in as <select name=\"as\"><option>demo-shop</option><option>{OTHER}</option></select></label> \
                 <button name=\"decision\" value=\"allow\">Allow</button> \
                 <button name=\"decision\" value=\"deny\">Deny</button></form>",
                // As it was asked for, so that the case of the path stays.
                request.path.replace(['"', '<', '>', '&'], ""),
            ),
        )
    }

    /// The member has decided.
    fn hear_member(&mut self, request: &Request<'_>, now: DateTime<Utc>) -> Answer {
        self.forget_old_petitions(now);
        let form = String::from_utf8_lossy(request.body);
        let field = |name| parameters(&form).find(|(known, _)| known == name).map(|(_, value)| value);
        let token = field("oauth_token").unwrap_or_default();
        let is_allowed = field("decision").as_deref() == Some("allow");
        let Some(at) = self.petitions.iter().position(|petition| petition.token == token) else {
            return page(400, "This request is not known, or has been used.");
        };
        if !is_allowed {
            let petition = self.petitions.remove(at);
            return match petition.callback {
                Some(url) => back(&url, &format!("denied={}", encode(&token))),
                None => page(200, "You have denied access."),
            };
        }
        let callback = self.petitions[at].callback.clone();
        let length = if callback.is_some() { 34 } else { 7 };
        let verifier = seed::word(&mut self.rng, length);
        self.petitions[at].verifier = Some(verifier.clone());
        self.petitions[at].other = field("as").as_deref() == Some(OTHER);
        match callback {
            Some(url) => back(&url, &format!("oauth_token={token}&oauth_verifier={verifier}")),
            None => {
                page(200, &format!("Type this into the application: <strong id=\"pin\">{verifier}</strong>"))
            }
        }
    }

    /// Access for a petition that the member has allowed. One that was lost before stays lost: the old tokens
    /// are worth nothing, and the new one is.
    fn grant(&mut self, request: &Request<'_>, skewed: DateTime<Utc>) -> Result<Answer, String> {
        self.forget_old_petitions(skewed);
        let claim = Claim::read(request.authorization.ok_or("no Authorization header")?)?;
        let named = claim.get("oauth_token").unwrap_or_default();
        let at = self.petitions.iter().position(|petition| petition.token == named);
        let at = at.ok_or("unknown request token")?;
        let petition = self.petitions[at].clone();
        self.check_app(&claim, request, &petition.secret, skewed)?;
        if petition.verifier.is_none() || claim.get("oauth_verifier") != petition.verifier.as_deref() {
            return Err("the verifier does not fit".to_owned());
        }
        self.petitions.remove(at);
        if self.faults.restore() || self.revoked_at.is_some_and(|revoked| revoked <= skewed) {
            self.revoked_at = None;
            self.grants.clear();
        }
        let [token, secret] = [(); 2].map(|()| seed::word(&mut self.rng, 34));
        let body = format!("oauth_token={token}&oauth_token_secret={secret}");
        self.grants.push(Grant { token, secret, scopes: petition.scopes, other: petition.other });
        Ok(Answer::new(200, FORM_TYPE, body))
    }

    fn forget_old_petitions(&mut self, now: DateTime<Utc>) {
        let lasts = self.options.petition_lasts;
        self.petitions.retain(|petition| now - petition.made <= lasts);
    }

    fn check_app(
        &mut self,
        claim: &Claim,
        request: &Request<'_>,
        token_secret: &str,
        skewed: DateTime<Utc>,
    ) -> Result<(), String> {
        if claim.get("oauth_consumer_key") != Some(self.keys.consumer_key.as_str()) {
            return Err("unknown app".to_owned());
        }
        if let Some(name) = super::signature::oauth_in_url(request.query) {
            return Err(format!("{name} stands in the URL"));
        }
        if !claim.is_signed(&super::login::signed(request), &self.keys.consumer_secret, token_secret) {
            return Err("the signature does not fit".to_owned());
        }
        if claim.method == Method::HmacSha1 {
            self.check_freshness(claim, skewed).map_err(|refusal| refusal.why)?;
        }
        Ok(())
    }
}

/// Reads a list of scopes; without one, an app may read.
fn scopes(text: Option<&str>) -> Result<Scopes, String> {
    let mut scopes = Scopes { read: text.is_none(), write: false };
    for scope in text.unwrap_or_default().split(',').map(str::trim).filter(|scope| !scope.is_empty()) {
        match scope {
            "MyTradeMeRead" => scopes.read = true,
            "MyTradeMeWrite" => scopes.write = true,
            "BiddingAndBuying" => {}
            other => return Err(format!("there is no scope {other}")),
        }
    }
    Ok(scopes)
}

fn back(url: &str, query: &str) -> Answer {
    let joint = if url.contains('?') { '&' } else { '?' };
    Answer::empty(302).with("location", format!("{url}{joint}{query}"))
}

fn page(status: u16, body: &str) -> Answer {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>Pretend Trade Me</title></head><body><h1>An application wants access \
         to your pretend account</h1><p>{body}</p></body></html>\n"
    );
    Answer::new(status, "text/html; charset=utf-8", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_by_name_and_reading_is_the_least() {
        assert_eq!(scopes(None), Ok(Scopes { read: true, write: false }));
        assert_eq!(scopes(Some("MyTradeMeRead,MyTradeMeWrite")), Ok(Scopes { read: true, write: true }));
        assert_eq!(scopes(Some("BiddingAndBuying")), Ok(Scopes { read: false, write: false }));
        assert!(scopes(Some("Everything")).is_err());
    }

    #[test]
    fn the_steps_are_found_in_any_case() {
        assert_eq!(Step::of_path("/Oauth/RequestToken"), Some(Step::Request));
        assert_eq!(Step::of_path("/oauth/ACCESSTOKEN"), Some(Step::Access));
        assert_eq!(Step::of_path("/Oauth/Token"), None);
    }
}
