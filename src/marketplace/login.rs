//! How a person logs in at a marketplace, in the words of what is common: the person is sent to a page, brings back a
//! proof of having been there, and the proof is exchanged for a pair of tokens.
//!
//! What a person pastes is read here, once for all marketplaces, since only the name of the proof differs.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{Identity, Options};
use crate::domain::Credentials;
use crate::http::oauth1::{Profile, Signer, Target};
use crate::http::{CallError, Handshake};

/// What is known of a marketplace's login before anybody logs in.
#[derive(Debug)]
pub struct Entrance {
    /// Makes the login of an account usable.
    pub open: fn(Doorstep) -> Box<dyn Login>,
    /// Why an account with these keys cannot be logged in to, only imported; `None` where it can.
    pub import_only: fn(&Options) -> Option<&'static str>,
    /// What an account must be granted; empty where the marketplace has no such thing.
    pub scopes: &'static [&'static str],
    /// Whether people can be sent back to encrypted addresses only.
    pub https_only: bool,
    /// How long a proof can be exchanged.
    pub lasts: Duration,
    /// The parameter of the address to which a person is sent back that carries the proof.
    pub parameter: &'static str,
    /// What a person is asked for, for example `PIN`.
    pub prompt: &'static str,
    /// What a person is told to do, in a sentence.
    pub instruction: &'static str,
}

/// What a login is made usable with.
pub struct Doorstep {
    /// Where the API is.
    pub base: Target,
    /// The values of the account's own keys.
    pub options: Options,
    /// How requests are signed.
    pub profile: Profile,
    /// The app's pair, and that of a login where there is one.
    pub credentials: Credentials,
    /// The way there.
    pub line: Handshake,
}

/// The login of one account.
#[async_trait]
pub trait Login: Send + Sync {
    /// Where to send the person. `callback` is where the marketplace sends them back to, if that is configured.
    async fn begin(&self, callback: Option<&str>) -> Result<Invitation, LoginError>;

    /// Exchanges what the person brought back.
    async fn finish(&self, invitation: &Invitation, proof: &SecretString) -> Result<Granted, LoginError>;

    /// What credentials have been granted that the marketplace has just told who they are, in its own words; empty
    /// where it has no such thing.
    async fn scopes(&self) -> Result<Vec<String>, CallError>;

    /// Tells the marketplace that the login is not needed any more; `false` where it does not want to know.
    async fn leave(&self) -> Result<bool, CallError>;
}

/// A person is asked in.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The page to look at.
    pub url: String,
    /// What names and signs for the attempt, where the flow has that.
    pub temporary: Option<(SecretString, SecretString)>,
    /// When it was made, by the marketplace's clock.
    pub made: DateTime<Utc>,
}

/// A person was let in.
#[derive(Debug, Clone)]
pub struct Granted {
    /// What names and signs for the person.
    pub pair: (SecretString, SecretString),
    /// Who it is, where the answer says so.
    pub identity: Option<Identity>,
}

/// Why a person was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The person refused.
    #[error("access was refused on the marketplace's page")]
    Refused,
    /// What was typed is nothing that could be exchanged.
    #[error("{0}")]
    Unreadable(String),
    /// The proof is not accepted. Another may be.
    #[error("{0}")]
    Wrong(String),
    /// The attempt is too old, or was used.
    #[error("{0}")]
    Over(String),
    /// The app itself is not accepted.
    #[error("{0}")]
    App(String),
    /// The clock is off, and the marketplace did not accept its own either.
    #[error(
        "this machine's clock is {0} seconds off, and a request signed by the marketplace's was refused, too"
    )]
    Clock(i64),
    /// No answer, or none that makes sense.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl LoginError {
    /// Whether another proof for the same invitation is worth asking for.
    pub fn may_try_again(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Wrong(_))
    }
}

impl Doorstep {
    /// Signs with the app's pair alone.
    pub fn as_app(&self) -> Signer {
        let Credentials { consumer_key, consumer_secret, .. } = self.credentials.clone();
        Signer::new(self.profile, &Credentials { consumer_key, consumer_secret, token: None })
    }

    /// Signs with the app's pair and a temporary one.
    pub fn as_guest(&self, temporary: &(SecretString, SecretString)) -> Signer {
        let Credentials { consumer_key, consumer_secret, .. } = self.credentials.clone();
        let token = Some(temporary.clone());
        Signer::new(self.profile, &Credentials { consumer_key, consumer_secret, token })
    }

    /// Signs with all of it.
    pub fn as_member(&self) -> Signer {
        Signer::new(self.profile, &self.credentials)
    }
}

/// The longest proof. Real ones have 7 to 34 characters.
const LONGEST: usize = 256;

/// Reads what a person typed or pasted, or the address to which a browser came: a bare proof, or a whole address with
/// it in `parameter`.
pub fn proof(typed: &str, parameter: &str, invitation: &Invitation) -> Result<SecretString, LoginError> {
    let typed = typed.trim().trim_matches(['"', '\'', '<', '>']);
    let unreadable = |why: String| Err(LoginError::Unreadable(why));
    let is_address = typed.contains("://") || typed.contains('=') || typed.starts_with(['/', '?']);
    let bare = if is_address {
        let query = typed.split_once('?').map_or(typed, |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let value = |name: &str| value_in(query.as_bytes(), name);
        let ours = invitation.temporary.as_ref().map(|(token, _)| token.expose_secret());
        if let (Some(token), Some(ours)) = (named_in(query), ours)
            && token.as_str() != ours
        {
            return unreadable("that address belongs to another login than the one just begun".to_owned());
        }
        if is_refusal(query) {
            return Err(LoginError::Refused);
        }
        match value(parameter) {
            Some(found) => found,
            None => return unreadable(format!("there is no `{parameter}` in that address")),
        }
    } else {
        // People copy numbers in groups.
        let mut bare = Zeroizing::new(String::with_capacity(typed.len()));
        bare.extend(typed.split_whitespace());
        bare
    };
    if bare.is_empty() {
        return unreadable("nothing was typed".to_owned());
    }
    if bare.len() > LONGEST || !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
        return unreadable("that is neither what the page shows nor the address it leads to".to_owned());
    }
    Ok(bare.as_str().into())
}

/// Whether the query of an address that some browser asked for can be about the login that is waited for. Anyone may
/// ask, so that it has to name the temporary token where the login has one; where it has none, only a proof is heard,
/// which the marketplace judges, and a refusal could be anybody's.
pub fn comes_back(query: &str, parameter: &str, token: Option<&SecretString>) -> bool {
    let proven = value_in(query.as_bytes(), parameter).is_some_and(|proof| !proof.is_empty());
    match token {
        Some(ours) => {
            (proven || is_refusal(query))
                && named_in(query).is_some_and(|token| token.as_str() == ours.expose_secret())
        }
        None => proven,
    }
}

/// The temporary token that the query of an address names, be it by a refusal.
fn named_in(query: &str) -> Option<Zeroizing<String>> {
    let value = |name| value_in(query.as_bytes(), name).filter(|token| !token.is_empty());
    value("oauth_token").or_else(|| value("denied"))
}

fn is_refusal(query: &str) -> bool {
    let value = |name| value_in(query.as_bytes(), name);
    value("denied").is_some() || value("oauth_problem").is_some_and(|why| why.as_str() == "user_refused")
}

/// The first value of that name in a form or a query.
pub(super) fn value_in(form: &[u8], name: &str) -> Option<Zeroizing<String>> {
    // Those of other names are wiped, too: a token stands beside its secret.
    let mut pairs =
        form_urlencoded::parse(form).map(|(known, value)| (known, Zeroizing::new(value.into_owned())));
    pairs.find(|(known, _)| known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(typed: &str) -> Result<String, LoginError> {
        let invitation = Invitation {
            url: String::new(),
            temporary: Some(("T1".to_owned().into(), "S1".to_owned().into())),
            made: DateTime::UNIX_EPOCH,
        };
        proof(typed, "oauth_verifier", &invitation).map(|proof| proof.expose_secret().to_owned())
    }

    #[test]
    fn a_bare_proof_and_a_whole_address_say_the_same() {
        for typed in [
            "4821077",
            " 482 1077\n",
            "\"4821077\"",
            "https://shop.example/back?oauth_token=T1&oauth_verifier=4821077",
            "https://shop.example/back?x=1&oauth_verifier=482%31077&oauth_token=T1#top",
            "/back?oauth_verifier=4821077",
            "?oauth_verifier=4821077",
            "oauth_verifier=4821077",
        ] {
            assert_eq!(read(typed).as_deref(), Ok("4821077"), "{typed}");
        }
    }

    #[test]
    fn a_refusal_and_an_address_of_another_login_are_told_apart_from_a_mistake() {
        for typed in ["denied=T1", "denied=", "oauth_problem=user_refused", "denied=T1&oauth_token=T1"] {
            let typed = format!("https://shop.example/back?{typed}");
            assert_eq!(read(&typed), Err(LoginError::Refused), "{typed}");
        }
        for typed in [
            "",
            "   ",
            "https://shop.example/back?denied=T2",
            "https://shop.example/back?oauth_problem=user_refused&oauth_token=T2",
            "https://shop.example/back?oauth_token=T2&oauth_verifier=4821077",
            "https://shop.example/back?code=4821077",
            "pin\u{200b}4821077",
        ] {
            assert!(matches!(read(typed), Err(LoginError::Unreadable(_))), "{typed}");
        }
    }

    #[test]
    fn a_browser_is_heard_only_if_it_names_the_login_that_is_waited_for() {
        let heard = |query: &str, token: Option<&str>| {
            comes_back(query, "oauth_verifier", token.map(SecretString::from).as_ref())
        };
        for ours in [
            "oauth_token=T1&oauth_verifier=4",
            "x=1&oauth_verifier=4&oauth_token=T%31",
            "denied=T1",
            "oauth_problem=user_refused&oauth_token=T1",
        ] {
            assert!(heard(ours, Some("T1")) && !heard(ours, Some("T2")), "{ours}");
        }
        for nobodys in [
            "",
            "x=1",
            "denied=",
            "denied=T2",
            "denied=T1&oauth_token=T2",
            "oauth_problem=user_refused",
            "oauth_verifier=4",
            "oauth_token=T1",
            "oauth_token=T1&oauth_verifier=",
        ] {
            assert!(!heard(nobodys, Some("T1")), "{nobodys}");
        }
        assert!(
            heard("oauth_verifier=4", None) && !heard("oauth_verifier=", None) && !heard("denied=T1", None)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whatever_is_pasted_is_a_proof_that_can_be_sent_or_an_error(typed in "\\PC{0,80}") {
            if let Ok(proof) = read(&typed) {
                prop_assert!(!proof.is_empty() && proof.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
