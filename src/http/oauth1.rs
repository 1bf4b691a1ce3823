//! OAuth 1.0a (RFC 5849) as our marketplaces speak it: from a request, a login, a nonce and a time to the
//! `Authorization` header. Pure: nothing is read, drawn or sent here.
//!
//! It is ours because no library has what Cardmarket asks for (a realm, an empty token, a signature that is not
//! percent-encoded, its own order of repeated values), and those that exist sign a query wrongly unless every
//! key is harmless. What differs between marketplaces is a value, the [`Profile`]; this file knows no names.
//!
//! Start with [`Signer::header`]; `base.rs` is what is signed, `target.rs` the URL, `encode.rs` the encoding.

mod base;
mod encode;
mod header;
mod parameters;
mod target;

#[cfg(test)]
pub(super) mod vectors;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::domain::Credentials;
use base::push_base_string;
use encode::{Encoded, push_encoded};
pub use header::Header;
use parameters::Parameters;
pub use target::{Target, TargetError};

/// How a marketplace wants its requests signed, where it differs from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// What the signature is made with.
    pub method: SignatureMethod,
    /// Whether the header begins with the realm: the URL without its query. It is not signed.
    pub realm: bool,
    /// How values stand in the header.
    pub values: HeaderValues,
    /// What becomes of an `oauth_token` that is empty.
    pub empty_token: EmptyToken,
    /// The order in which the values of a repeated name are signed.
    pub repeated: Repeated,
    /// Whether `oauth_version` is sent. It may always be left out.
    pub version: bool,
}

/// What the signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureMethod {
    /// A MAC over the request; timestamp and nonce are always sent.
    HmacSha1,
    /// The two secrets themselves, which is only as good as the TLS around them.
    Plaintext {
        /// Whether timestamp and nonce are sent all the same.
        stamped: bool,
    },
}

/// How values stand in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValues {
    /// As they are, the signature too.
    Raw,
    /// Percent-encoded, as the RFC says.
    Encoded,
}

/// What becomes of an `oauth_token` that is empty, as before there is a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyToken {
    /// It is signed and sent.
    Keep,
    /// It is left out.
    Omit,
}

/// The order in which the values of a repeated name are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// By their encoded bytes, as the RFC says: `13` before `4`.
    Bytewise,
    /// Numbers by their value: `4` before `13`.
    Numeric,
}

/// A request that is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// The HTTP method, in either case.
    pub method: &'a str,
    /// Where it goes. The parameters of its query are signed.
    pub target: &'a Target,
    /// Unique for each attempt, together with the timestamp.
    pub nonce: &'a str,
    /// Seconds since 1970, by the marketplace's clock.
    pub timestamp: i64,
    /// Where the person is sent after a login, or `oob`; only when asking for a request token.
    pub callback: Option<&'a str>,
    /// What the person brought back from the login; only when asking for an access token.
    pub verifier: Option<&'a SecretString>,
    /// The decoded pairs of a form body; signed only. Bodies of any other kind are not signed.
    pub form: &'a [(&'a str, &'a str)],
}

impl<'a> Unsigned<'a> {
    /// A request without callback, verifier and form, as all but those of a login are.
    pub fn new(method: &'a str, target: &'a Target, nonce: &'a str, timestamp: i64) -> Self {
        Self { method, target, nonce, timestamp, callback: None, verifier: None, form: &[] }
    }
}

/// Signs requests with one login. What depends on the login alone is worked out once: the two hash blocks of
/// the key.
#[derive(Clone)]
pub struct Signer {
    profile: Profile,
    consumer_key: SecretString,
    token: SecretString,
    secret: Secret,
}

/// What makes the signature.
#[derive(Clone)]
enum Secret {
    Mac(Hmac<Sha1>),
    Plain(SecretString),
}

impl Signer {
    /// A signer for one login.
    pub fn new(profile: Profile, credentials: &Credentials) -> Self {
        let [consumer_key, consumer_secret, token, token_secret] = credentials.expose();
        let key = key(consumer_secret, token_secret);
        let secret = match profile.method {
            SignatureMethod::Plaintext { .. } => Secret::Plain(key),
            SignatureMethod::HmacSha1 => {
                let mac = Hmac::new_from_slice(key.expose_secret().as_bytes());
                Secret::Mac(mac.expect("HMAC takes a key of any length"))
            }
        };
        Self { profile, consumer_key: consumer_key.into(), token: token.into(), secret }
    }

    /// The value of the `Authorization` header.
    pub fn header(&self, request: &Unsigned) -> Header {
        let timestamp = request.timestamp.to_string();
        let parameters = self.parameters(request, &timestamp);
        // The base string and then the header are written into one buffer, which never grows: it would leave tokens, and
        // with PLAINTEXT the secrets, where it was.
        let room = self.room(request, &parameters);
        let mut whole = Header::with_room(room);
        let signature = self.sign(request, &parameters, &mut whole.text);

        let header = whole.anew();
        header.push_str("OAuth ");
        if self.profile.realm {
            push_pair(header, "realm", request.target.without_query(), HeaderValues::Raw);
        }
        for (name, value) in parameters.as_sent() {
            push_pair(header, name, value, self.profile.values);
        }
        push_pair(header, "oauth_signature", signature.as_str(), self.profile.values);
        debug_assert!(header.len() <= room, "there was room for all of it");
        let len = header.len() - ", ".len();
        header.truncate(len);
        whole
    }

    /// The signature alone, before it is encoded for the header.
    pub fn signature(&self, request: &Unsigned) -> SecretString {
        let timestamp = request.timestamp.to_string();
        let parameters = self.parameters(request, &timestamp);
        let mut base = Header::with_room(self.room(request, &parameters));
        self.sign(request, &parameters, &mut base.text).as_str().into()
    }

    fn sign(&self, request: &Unsigned, parameters: &Parameters, buffer: &mut String) -> Signature<'_> {
        match &self.secret {
            Secret::Plain(secrets) => Signature::Secrets(secrets.expose_secret()),
            Secret::Mac(keyed) => {
                let room = buffer.capacity();
                push_base_string(buffer, request, parameters, self.profile.repeated);
                debug_assert_eq!(buffer.capacity(), room, "there was room for all of it");
                let mac = keyed.clone().chain_update(buffer).finalize().into_bytes();
                let mut text = [0; MAC_LENGTH];
                let written = BASE64_STANDARD.encode_slice(mac, &mut text);
                written.expect("20 bytes are 28 characters of base64");
                Signature::Mac(text)
            }
        }
    }

    /// At least as many bytes as the base string has, and the header. Whatever is encoded twice becomes five times as
    /// long at most, and the URL, which is normal already, where its path is three times.
    fn room(&self, request: &Unsigned, parameters: &Parameters) -> usize {
        let (path, whole) = (request.target.without_query().len(), request.target.as_str().len());
        let query = 5 * (whole - path) + AROUND * ((whole - path) / 2);
        let sent: usize =
            parameters.as_sent().map(|(name, value)| name.len() + 5 * value.len() + AROUND).sum();
        let form: usize = request.form.iter().map(|(name, of)| 5 * (name.len() + of.len()) + AROUND).sum();
        let signature = match &self.secret {
            Secret::Mac(_) => 3 * MAC_LENGTH,
            Secret::Plain(secrets) => 3 * secrets.expose_secret().len(),
        };
        request.method.len() + 3 * path + query + sent + form + signature + REST
    }

    fn parameters<'a>(&'a self, request: &Unsigned<'a>, timestamp: &'a str) -> Parameters<'a> {
        let (signature_method, stamped) = match self.profile.method {
            SignatureMethod::HmacSha1 => ("HMAC-SHA1", true),
            SignatureMethod::Plaintext { stamped } => ("PLAINTEXT", stamped),
        };
        let token = self.token.expose_secret();
        let keeps_token = !token.is_empty() || self.profile.empty_token == EmptyToken::Keep;
        Parameters([
            request.callback.map(|callback| ("oauth_callback", callback)),
            request.verifier.map(|verifier| ("oauth_verifier", verifier.expose_secret())),
            Some(("oauth_consumer_key", self.consumer_key.expose_secret())),
            keeps_token.then_some(("oauth_token", token)),
            stamped.then_some(("oauth_nonce", request.nonce)),
            stamped.then_some(("oauth_timestamp", timestamp)),
            Some(("oauth_signature_method", signature_method)),
            self.profile.version.then_some(("oauth_version", "1.0")),
        ])
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// A signature as text, not yet encoded for the header.
enum Signature<'a> {
    Mac([u8; MAC_LENGTH]),
    Secrets(&'a str),
}

/// Base64 of the 20 bytes of SHA-1, with padding.
const MAC_LENGTH: usize = 28;

impl Signature<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Mac(text) => str::from_utf8(text).expect("base64 is ASCII"),
            Self::Secrets(text) => text,
        }
    }
}

/// What stands in every header or base string beside the parameters: `OAuth `, two more names, the separators.
const REST: usize = 64;

/// What stands around a pair in a base string, or in a header.
const AROUND: usize = 6;

/// What signs: the two secrets, encoded, in one place.
fn key(consumer_secret: &str, token_secret: &str) -> SecretString {
    let (consumer, token) = (Encoded::text(consumer_secret), Encoded::text(token_secret));
    let mut key = Zeroizing::new(String::with_capacity(consumer.len() + token.len() + 1));
    key.extend([&*consumer, "&", &*token]);
    SecretString::from(key.as_str())
}

const SEPARATOR: &str = "\", ";

#[inline]
fn push_pair(header: &mut String, name: &str, value: &str, values: HeaderValues) {
    header.push_str(name);
    header.push_str("=\"");
    match values {
        HeaderValues::Raw => header.push_str(value),
        HeaderValues::Encoded => push_encoded(header, value),
    }
    header.push_str(SEPARATOR);
}
