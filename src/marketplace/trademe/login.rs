//! Trade Me's login (trademe.md 2.2 to 2.5): a temporary token, the member's page, a number or a callback, an access
//! token. Answers are forms, whatever their type says.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::taken;
use crate::http::oauth1::Target;
use crate::http::{Answer, CallError, Exchange, Heard};
use crate::marketplace::login::value_in;
use crate::marketplace::{Doorstep, Entrance, Granted, Invitation, Login, LoginError};

/// How a member logs in.
pub(super) const ENTRANCE: Entrance = Entrance {
    open,
    import_only: |_| None,
    scopes: &[READ, WRITE],
    https_only: true,
    // Not documented; a day is what such tokens have elsewhere.
    lasts: Duration::from_secs(24 * 3_600),
    parameter: "oauth_verifier",
    prompt: "PIN",
    instruction: "Log in as the seller, allow access, then type the PIN you are shown\n(or paste the whole address of the page you end up on).",
};

const READ: &str = "MyTradeMeRead";
const WRITE: &str = "MyTradeMeWrite";
/// The callback of a login that ends with a number on the page.
const OUT_OF_BAND: &str = "oob";

fn open(doorstep: Doorstep) -> Box<dyn Login> {
    Box::new(Door(doorstep))
}

struct Door(Doorstep);

#[async_trait]
impl Login for Door {
    async fn begin(&self, callback: Option<&str>) -> Result<Invitation, LoginError> {
        let target = self.oauth("RequestToken")?.query("scope", &ENTRANCE.scopes.join(","));
        let callback = callback.unwrap_or(OUT_OF_BAND);
        let signer = self.0.as_app();
        let exchange = Exchange {
            callback: Some(callback),
            ..Exchange::new("POST", "Oauth/RequestToken", &target, &signer)
        };
        let heard = self.0.line.ask(&exchange).await?;
        if heard.answer.response.status != 200 {
            return Err(not_begun(&heard, callback, self.0.line.now()));
        }
        let temporary = pair(&heard.answer)?;
        let page = self.option("authorize_url");
        let page = Target::new(page).map_err(|error| wrong_url("authorize_url", &error.to_string()))?;
        let url = page.query("oauth_token", temporary.0.expose_secret()).as_str().to_owned();
        Ok(Invitation { url, temporary: Some(temporary), made: heard.at })
    }

    async fn finish(&self, invitation: &Invitation, proof: &SecretString) -> Result<Granted, LoginError> {
        let temporary = invitation.temporary.as_ref().ok_or_else(|| {
            LoginError::Over("this login was begun without a temporary token; begin a new one".to_owned())
        })?;
        let (target, signer) = (self.oauth("AccessToken")?, self.0.as_guest(temporary));
        let exchange = Exchange {
            verifier: Some(proof),
            ..Exchange::new("POST", "Oauth/AccessToken", &target, &signer)
        };
        let heard = self.0.line.ask(&exchange).await?;
        match heard.answer.response.status {
            200 => Ok(Granted { pair: pair(&heard.answer)?, identity: None }),
            _ => Err(not_finished(&heard, invitation)),
        }
    }

    /// No answer says what was granted. Whoever knows who they are may read, and the list of drafts, which changes
    /// nothing, wants the right to write (trademe.md 8).
    async fn scopes(&self) -> Result<Vec<String>, CallError> {
        let writes = self.reaches_drafts().await?;
        Ok([Some(READ), writes.then_some(WRITE)].into_iter().flatten().map(str::to_owned).collect())
    }

    /// A member takes access back on Trade Me's own page; there is no call for it.
    async fn leave(&self) -> Result<bool, CallError> {
        Ok(false)
    }
}

impl Door {
    fn option(&self, key: &str) -> &str {
        self.0.options.get(key).map(String::as_str).unwrap_or_default()
    }

    fn oauth(&self, step: &str) -> Result<Target, CallError> {
        let base = Target::new(self.option("oauth_url"));
        Ok(base.map_err(|error| wrong_url("oauth_url", &error.to_string()))?.segment(step))
    }

    async fn reaches_drafts(&self) -> Result<bool, CallError> {
        let target = self.0.base.clone().segment("Selling").segment("Drafts.json");
        let signer = self.0.as_member();
        let exchange = Exchange::new("GET", "Selling/Drafts", &target, &signer);
        let heard = self.0.line.ask(&exchange).await?;
        Ok(!matches!(heard.answer.response.status, 401 | 403))
    }
}

/// The two members of the form.
fn pair(answer: &Answer) -> Result<(SecretString, SecretString), CallError> {
    let value = |name: &str| {
        let value = value_in(answer.response.body.trim_ascii(), name)?;
        taken(Cow::Borrowed(&value))
    };
    match (value("oauth_token"), value("oauth_token_secret")) {
        (Some(token), Some(secret)) => Ok((token, secret)),
        _ => Err(CallError::BadAnswer {
            at: answer.at.clone(),
            what: "an answer without a token and its secret; check `oauth_url`".to_owned(),
        }),
    }
}

/// The word of the extension for reporting problems, where the answer has one (trademe.md 21.3).
fn problem(answer: &Answer) -> Option<String> {
    let header = answer.response.header("www-authenticate").unwrap_or_default();
    let body = str::from_utf8(&answer.response.body).unwrap_or_default();
    [header, body].iter().find_map(|text| {
        let (_, rest) = text.split_once("oauth_problem=")?;
        let word: String = rest
            .trim_start_matches('"')
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect();
        (!word.is_empty() && word.len() <= 40).then_some(word)
    })
}

fn not_begun(heard: &Heard, callback: &str, now: chrono::DateTime<chrono::Utc>) -> LoginError {
    let status = heard.answer.response.status;
    let skew = (heard.at - now).num_seconds();
    match problem(&heard.answer).as_deref() {
        Some("timestamp_refused") => LoginError::Clock(skew),
        _ if status == 401 && skew.abs() > 60 => LoginError::Clock(skew),
        _ => {
            let callback = match callback {
                OUT_OF_BAND => String::new(),
                other => {
                    format!(", or `callback` is not registered for it exactly as it is written ({other})")
                }
            };
            LoginError::App(format!(
                "{status} on {}: Trade Me does not accept this application: its consumer key or secret is wrong, or \
                 the application was switched off{callback}",
                heard.answer.at
            ))
        }
    }
}

/// Only the age of the attempt tells an old one from a wrong number where the answer has no word for it.
fn not_finished(heard: &Heard, invitation: &Invitation) -> LoginError {
    let age = heard.at - invitation.made;
    let over = || {
        LoginError::Over(format!(
            "this login was begun {} hours ago, and is not good any more or was used already",
            age.num_hours()
        ))
    };
    let status = heard.answer.response.status;
    match (problem(&heard.answer).as_deref(), status) {
        (Some("timestamp_refused"), _) => LoginError::Clock(age.num_seconds()),
        (Some("token_expired" | "token_used" | "token_revoked"), _) => over(),
        (Some("consumer_key_unknown" | "consumer_key_rejected" | "signature_invalid"), _) => LoginError::App(
            format!("{status} on {}: Trade Me does not accept this application any more", heard.answer.at),
        ),
        _ if age.to_std().is_ok_and(|age| age >= ENTRANCE.lasts) => over(),
        (_, 400..=403) => LoginError::Wrong("Trade Me does not accept this PIN".to_owned()),
        (_, status) => CallError::BadAnswer {
            at: heard.answer.at.clone(),
            what: format!("an answer with status {status}; check `oauth_url`"),
        }
        .into(),
    }
}

fn wrong_url(key: &str, why: &str) -> CallError {
    CallError::BadAnswer { at: format!("`{key}`"), what: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::http::WireResponse;

    fn answer(status: u16, body: &str) -> Answer {
        let response = WireResponse { status, body: body.as_bytes().to_vec(), ..WireResponse::default() };
        Answer { at: "POST Oauth/AccessToken".to_owned(), response }
    }

    #[test]
    fn a_form_is_read_whatever_stands_around_the_pair() {
        let body = "\r\noauth_token=A%2F1&oauth_token_secret=B2&oauth_callback_confirmed=true\r\n";
        let (token, secret) = pair(&answer(200, body)).unwrap();
        assert_eq!((token.expose_secret(), secret.expose_secret()), ("A/1", "B2"));
        for body in ["", "oauth_token=A", "<html>oauth_token=A</html>", "oauth_token=&oauth_token_secret=B"] {
            assert!(matches!(pair(&answer(200, body)), Err(CallError::BadAnswer { .. })), "{body}");
        }
    }

    #[test]
    fn a_wrong_number_an_old_login_and_a_refused_app_are_told_apart() {
        let made: DateTime<Utc> = "2026-11-22T14:00:00Z".parse().unwrap();
        let invitation = Invitation { url: String::new(), temporary: None, made };
        let after = |hours: i64, body: &str| {
            let heard = Heard { answer: answer(401, body), at: made + TimeDelta::hours(hours) };
            not_finished(&heard, &invitation)
        };
        assert!(matches!(after(1, ""), LoginError::Wrong(_)));
        assert!(matches!(after(24, ""), LoginError::Over(_)));
        assert!(matches!(after(1, "oauth_problem=token_expired"), LoginError::Over(_)));
        assert!(matches!(after(25, "oauth_problem=consumer_key_unknown"), LoginError::App(_)));
        assert!(matches!(after(1, "oauth_problem=timestamp_refused"), LoginError::Clock(_)));
    }
}
