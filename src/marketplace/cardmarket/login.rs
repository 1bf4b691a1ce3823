//! Cardmarket's login for third-party apps (cardmarket.md 5): the user's page, a request token behind the callback that
//! is registered for the app, the exchange. A dedicated app has none: its four values stand on its page.

use std::time::Duration;

use async_trait::async_trait;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::api;
use crate::domain::{Wiped, clean};
use crate::http::oauth1::Target;
use crate::http::{Answer, Body, CallError, Exchange, Heard};
use crate::marketplace::{Doorstep, Entrance, Granted, Identity, Invitation, Login, LoginError};

/// How a user logs in.
pub(super) const ENTRANCE: Entrance = Entrance {
    open: |doorstep| Box::new(Door(doorstep)),
    import_only: |options| {
        let dedicated = options.get("app").is_none_or(|app| app != THIRD_PARTY);
        dedicated.then_some("a dedicated app has no login: its four values stand on its page at Cardmarket")
    },
    scopes: &[],
    https_only: false,
    lasts: Duration::from_secs(24 * 3_600),
    parameter: "request_token",
    prompt: "address",
    instruction: "Log in as the seller and let the app in, then paste the whole address of the page you end up on\n(it need not load; or only what stands behind request_token= in it).",
};

/// The value of `app` for an app that users log in to.
pub(super) const THIRD_PARTY: &str = "third-party";

const XML: &str = "application/xml; charset=utf-8";

struct Door(Doorstep);

#[async_trait]
impl Login for Door {
    /// No request: the page is the app's own, and where it leads is registered there.
    async fn begin(&self, _: Option<&str>) -> Result<Invitation, LoginError> {
        let app = self.0.credentials.consumer_key.expose_secret();
        let url = self.0.base.clone().segment("authenticate").segment(app).as_str().to_owned();
        Ok(Invitation { url, temporary: None, made: self.0.line.now() })
    }

    async fn finish(&self, _: &Invitation, proof: &SecretString) -> Result<Granted, LoginError> {
        let (target, signer) = (self.url(&["access"]), self.0.as_app());
        let body = request(self.0.credentials.consumer_key.expose_secret(), proof.expose_secret())?;
        let exchange = Exchange { body: Some(&body), ..Exchange::new("POST", "access", &target, &signer) };
        let heard = self.0.line.ask(&exchange).await?;
        match heard.answer.response.status {
            200 | 201 => granted(&heard.answer).map_err(LoginError::from),
            _ => Err(not_granted(&heard, self.0.line.now())),
        }
    }

    async fn scopes(&self) -> Result<Vec<String>, CallError> {
        Ok(Vec::new())
    }

    async fn leave(&self) -> Result<bool, CallError> {
        if (ENTRANCE.import_only)(&self.0.options).is_some() {
            return Ok(false);
        }
        let (target, signer) = (self.url(&["account", "logout"]), self.0.as_member());
        let exchange = Exchange::new("POST", "account/logout", &target, &signer);
        let heard = self.0.line.ask(&exchange).await?;
        match heard.answer.response.status {
            // One that is not accepted any more need not be taken back.
            200..=299 | 401 | 403 => Ok(true),
            status => Err(api::bad(&heard.answer, &format!("status {status}"))),
        }
    }
}

impl Door {
    fn url(&self, segments: &[&str]) -> Target {
        let base = self.0.base.clone().segment("output.json");
        segments.iter().fold(base, |url, segment| url.segment(segment))
    }
}

fn request(app: &str, token: &str) -> Result<Body, LoginError> {
    let write = || -> std::io::Result<Wiped> {
        let mut writer = Writer::new(Wiped::default());
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        writer.create_element("request").write_inner_content(|writer| {
            for (name, text) in [("app_key", app), ("request_token", token)] {
                writer.create_element(name).write_text_content(BytesText::new(text))?;
            }
            Ok(())
        })?;
        Ok(writer.into_inner())
    };
    let bytes = write().map_err(|error| LoginError::Unreadable(error.to_string()))?;
    Ok(Body { content_type: XML, bytes: bytes.into_bytes() })
}

#[derive(Deserialize)]
struct Access<'a> {
    #[serde(default, borrow)]
    account: Option<&'a RawValue>,
    oauth_token: Option<SecretString>,
    oauth_token_secret: Option<SecretString>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "idUser")]
    id: i64,
    username: String,
}

fn granted(answer: &Answer) -> Result<Granted, CallError> {
    let body = &answer.response.body;
    let access: Access<'_> =
        serde_json::from_slice(body).map_err(|error| api::bad(answer, &api::what_it_is(body, &error)))?;
    // Who it is is asked once more, so that an account of another shape is no reason to lose the pair.
    let user = access.account.and_then(|text| serde_json::from_str::<User>(text.get()).ok());
    let identity = user.map(|user| Identity { name: clean(&user.username), id: user.id });
    match (access.oauth_token, access.oauth_token_secret) {
        (Some(token), Some(secret)) if !token.expose_secret().is_empty() => {
            Ok(Granted { pair: (token, secret), identity })
        }
        _ => Err(api::bad(answer, "the access token is missing in it")),
    }
}

/// How a request token is refused is not documented. A 401 is about the signature everywhere else (cardmarket.md 6.2).
fn not_granted(heard: &Heard, now: chrono::DateTime<chrono::Utc>) -> LoginError {
    let status = heard.answer.response.status;
    let skew = (heard.at - now).num_seconds();
    match status {
        401 if skew.abs() > 60 => LoginError::Clock(skew),
        401 => LoginError::App(format!(
            "401 on {}: Cardmarket does not accept the signature: the app secret is not that of the app token",
            heard.answer.at
        )),
        400 | 403 | 404 => LoginError::Wrong(format!(
            "{status} on {}: Cardmarket does not accept this request token: it was used already, is older than 24 \
             hours, or belongs to another app",
            heard.answer.at
        )),
        status => api::bad(&heard.answer, &format!("status {status}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::WireResponse;

    fn answer(status: u16, body: &str) -> Answer {
        let response = WireResponse { status, body: body.as_bytes().to_vec(), ..WireResponse::default() };
        Answer { at: "POST access".to_owned(), response }
    }

    #[test]
    fn the_request_is_that_of_the_documentation() {
        let body = request("bfaD9xOU0SXBhtBP", "a<&\"b").unwrap();
        assert_eq!(
            str::from_utf8(&body.bytes).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><request><app_key>bfaD9xOU0SXBhtBP</app_key>\
             <request_token>a&lt;&amp;&quot;b</request_token></request>"
        );
    }

    #[test]
    fn the_pair_is_read_and_the_user_where_there_is_one() {
        let whole =
            r#"{"account":{"idUser":9999,"username":"Maxi"},"oauth_token":"t","oauth_token_secret":"s"}"#;
        let granted_now = granted(&answer(200, whole)).unwrap();
        assert_eq!(granted_now.pair.0.expose_secret(), "t");
        assert_eq!(granted_now.identity, Some(Identity { name: "Maxi".to_owned(), id: 9_999 }));
        let odd = r#"{"account":[],"oauth_token":"t","oauth_token_secret":"s"}"#;
        assert_eq!(granted(&answer(200, odd)).unwrap().identity, None);
        for body in ["", "<html></html>", "{}", r#"{"oauth_token":"canary"}"#] {
            let why = granted(&answer(200, body)).unwrap_err().to_string();
            assert!(!why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn a_dedicated_app_can_only_be_imported() {
        let options = |app: &str| [("app", app.to_owned())].into();
        assert!((ENTRANCE.import_only)(&options("dedicated")).is_some());
        assert!((ENTRANCE.import_only)(&options(THIRD_PARTY)).is_none());
    }
}
