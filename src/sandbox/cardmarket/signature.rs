//! The shop's own reading of OAuth 1.0a, straight from Cardmarket's documentation.
//!
//! It shares nothing with the client's signer, not even the crypto library: a mistake made once would
//! otherwise be checked against itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::sandbox::percent::{Plus, decode, encode};

/// What a request says of itself in its `Authorization` header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// The URL without query, mandatory here.
    pub realm: String,
    /// Names the app.
    pub consumer_key: String,
    /// Names the user; may be empty, must not be absent.
    pub token: String,
    /// New in every request.
    pub nonce: String,
    /// Unix seconds, as sent.
    pub timestamp: String,
    /// Must be `HMAC-SHA1`.
    pub method: String,
    /// Must be `1.0`.
    pub version: String,
    /// Base64.
    pub signature: String,
}

impl Claim {
    /// Reads the header. Values may be raw or percent-encoded; unknown pairs are passed over, as older
    /// clients put query parameters there.
    pub fn read(header: &str) -> Result<Self, String> {
        let (scheme, mut rest) =
            header.trim().split_once(' ').ok_or("the Authorization header has no pairs")?;
        if !scheme.eq_ignore_ascii_case("OAuth") {
            return Err(format!("the Authorization scheme is {scheme}, not OAuth"));
        }
        let mut found: [Option<String>; 8] = Default::default();
        loop {
            rest = rest.trim_start_matches([' ', ',', '\t']);
            if rest.is_empty() {
                break;
            }
            let (name, after) =
                rest.split_once("=\"").ok_or("a pair of the Authorization header has no quotes")?;
            let (value, after) =
                after.split_once('"').ok_or("a value of the Authorization header never ends")?;
            rest = after;
            let Some(at) = NAMES.iter().position(|known| *known == name.trim()) else { continue };
            if found[at].replace(decode(value, Plus::Stays)).is_some() {
                return Err(format!("{} is given twice", NAMES[at]));
            }
        }
        if let Some(at) = found.iter().position(Option::is_none) {
            return Err(format!("{} is missing", NAMES[at]));
        }
        let [realm, consumer_key, token, nonce, timestamp, method, version, signature] =
            found.map(Option::unwrap_or_default);
        let claim = Self { realm, consumer_key, token, nonce, timestamp, method, version, signature };
        if claim.method != "HMAC-SHA1" {
            return Err(format!("oauth_signature_method is {}, not HMAC-SHA1", claim.method));
        }
        if claim.version != "1.0" {
            return Err(format!("oauth_version is {}, not 1.0", claim.version));
        }
        Ok(claim)
    }

    /// Whether the signature is the one that these secrets give for this request.
    pub fn is_signed(
        &self,
        method: &str,
        url: &str,
        query: Option<&str>,
        secret: &str,
        token_secret: &str,
    ) -> bool {
        let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
        let key = key(secret, token_secret);
        hmac::verify(&key, self.base_string(method, url, query).as_bytes(), &signature).is_ok()
    }

    fn base_string(&self, method: &str, url: &str, query: Option<&str>) -> String {
        let mut pairs = vec![
            ("oauth_consumer_key".to_owned(), self.consumer_key.clone()),
            ("oauth_nonce".to_owned(), self.nonce.clone()),
            ("oauth_signature_method".to_owned(), self.method.clone()),
            ("oauth_timestamp".to_owned(), self.timestamp.clone()),
            ("oauth_token".to_owned(), self.token.clone()),
            ("oauth_version".to_owned(), self.version.clone()),
        ];
        pairs.extend(query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, Plus::IsBlank), decode(value, Plus::IsBlank))
        }));
        let parameters = join_sorted(&pairs);
        format!("{}&{}&{}", method.to_ascii_uppercase(), encode(url), encode(&parameters))
    }
}

const NAMES: [&str; 8] = [
    "realm",
    "oauth_consumer_key",
    "oauth_token",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_signature_method",
    "oauth_version",
    "oauth_signature",
];

fn key(secret: &str, token_secret: &str) -> hmac::Key {
    let text = format!("{}&{}", encode(secret), encode(token_secret));
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes())
}

/// Sorted by name; several values of one name by number if all of them are numbers (as the real server does,
/// against the RFC), otherwise by their bytes.
fn join_sorted(pairs: &[(String, String)]) -> String {
    let by_number =
        |name: &str| pairs.iter().filter(|pair| pair.0 == name).all(|pair| pair.1.parse::<u64>().is_ok());
    let mut sorted: Vec<(String, u64, String)> = pairs
        .iter()
        .map(|(name, value)| {
            let rank = if by_number(name) { value.parse().unwrap_or(0) } else { 0 };
            (encode(name), rank, encode(value))
        })
        .collect();
    sorted.sort();
    sorted.iter().map(|(name, _, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Whether a realm, raw or percent-encoded by its sender, names this URL. The header's values were decoded
/// once, so a raw realm has lost the escapes that belong to the URL.
pub fn realm_names(realm: &str, url: &str) -> bool {
    realm == url || realm == decode(url, Plus::Stays)
}

/// Signs a claim, for the tests' own caller.
#[cfg(test)]
pub fn sign(
    claim: &mut Claim,
    method: &str,
    url: &str,
    query: Option<&str>,
    secret: &str,
    token_secret: &str,
) {
    let base = claim.base_string(method, url, query);
    claim.signature = STANDARD.encode(hmac::sign(&key(secret, token_secret), base.as_bytes()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const APP: (&str, &str) = ("bfaD9xOU0SXBhtBP", "pChvrpp6AEOEwxBIIUBOvWcRG3X9xL4Y");
    const ACCESS: (&str, &str) = ("lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q", "hc1wJAOX02pGGJK2uAv1ZOiwS7I9Tpoe");
    const PLAIN: [(&str, &str); 2] = [("app_token", "app_secret"), ("access_token", "access_secret")];
    const A: (&str, &str) = ("53eb1f44909d6", "1407917892");
    const B: (&str, &str) = ("59689e9cf4091", "1500028572");
    const C: (&str, &str) = ("5d676828e6fe7", "1567057960");

    fn signature(
        keys: [(&str, &str); 2],
        (nonce, timestamp): (&str, &str),
        method: &str,
        url: &str,
        query: &str,
    ) -> String {
        let [app, access] = keys;
        let header = format!(
            "OAuth realm=\"{url}\", oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_nonce=\"{nonce}\", \
             oauth_timestamp=\"{timestamp}\", oauth_signature_method=\"HMAC-SHA1\", oauth_version=\"1.0\", \
             oauth_signature=\"\"",
            app.0, access.0
        );
        let mut claim = Claim::read(&header).expect("a whole header");
        let query = Some(query).filter(|query| !query.is_empty());
        sign(&mut claim, method, url, query, app.1, access.1);
        assert!(claim.is_signed(method, url, query, app.1, access.1));
        assert!(!claim.is_signed(method, url, query, app.1, "another"));
        claim.signature
    }

    #[test]
    fn the_published_vectors_verify() {
        let doc = [APP, ACCESS];
        let old = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles";
        let sdk = "https://api.cardmarket.com/ws/v2.0/output.json/users/karmacrow/articles";
        let now = "https://apiv2.cardmarket.com/ws/v2.0/output.json/users/karmacrow/articles";
        let ten = "start=0&maxResults=10";
        for (id, keys, when, method, url, query, expected) in [
            (
                "P1'",
                doc,
                A,
                "GET",
                "https://www.mkmapi.eu/ws/v1.1/account",
                "",
                "DLGHHYV9OsbB/ARf73psEYaNWkI=",
            ),
            (
                "P2",
                doc,
                A,
                "GET",
                "https://api.cardmarket.com/ws/v1.1/account",
                "",
                "163qUUcPtGFLxUzqeCIChErTbKU=",
            ),
            ("P4", doc, B, "GET", old, "maxResults=2&start=0", "88WlTXTVkHIBeWEWAqPFOkb0Jbg="),
            ("P5", doc, B, "GET", old, "", "1ZG/+LbStcuyOlio5vO/p+CkcBo="),
            ("P6", [APP, ("", "")], B, "GET", old, "", "u8kAbiHsm85O295NdWWLU9Ev0Bw="),
            ("P7", PLAIN, C, "get", sdk, ten, "95ULTYYDOl+t35olPzaGGymppuE="),
            ("P8", PLAIN, C, "get", sdk, "", "+EXDfr5yax3WoXLq+NNQgvxpHME="),
            ("P9", PLAIN, C, "get", now, ten, "rSnkNZFP0uYfQ1kZwSqyjxrmTlk="),
            ("P10", PLAIN, C, "get", now, "", "gKKDAZfcSHB5wn0MhHmnKrrrK6I="),
        ] {
            assert_eq!(signature(keys, when, method, url, query), expected, "{id}");
        }
    }

    #[test]
    fn the_two_published_vectors_that_are_wrong_stay_wrong() {
        let doc = [APP, ACCESS];
        let p1 = signature(doc, A, "GET", "https://api.cardmarket.com/ws/v1.1/account", "");
        assert_ne!(p1, "DLGHHYV9OsbB/ARf73psEYaNWkI=");
        let url = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles";
        assert_ne!(signature(doc, B, "GET", url, "start=0&maxResults=2"), "r5g+nFelmTMffrrW+Y4se1u7Q/E=");
    }

    #[test]
    fn the_vectors_for_the_current_host_verify() {
        let base = "https://apiv2.cardmarket.com/ws/v2.0/output.json";
        let find =
            "search=Jace%2C%20the%20Mind%20Sculptor&exact=true&idGame=1&idLanguage=1&start=0&maxResults=100";
        for (id, method, path, query, expected) in [
            ("L1", "GET", "/account", "", "EF8cPiBCAYJsjOBB6RnXxfCQncU="),
            ("L2", "GET", "/stock/101", "", "peJ/Zr+/cpuDI84EWcOuEXR4EVQ="),
            ("L3", "PUT", "/stock", "", "jXqOPEalgCEZtoCRokbvmIMdxNs="),
            ("L4", "DELETE", "/stock", "", "HfB+pAN7BxeLfk+KA9Dk6EFDBDc="),
            (
                "L5",
                "PUT",
                "/account/vacation",
                "onVacation=true&cancelOrders=false",
                "F8Ax6yg6Yj2fx7MYHaHmIOsqF+c=",
            ),
            ("L6", "GET", "/products/find", find, "11TUvy2R7tGCgfSGmbj45CJyVt8="),
            (
                "L7",
                "GET",
                "/account/messages/find",
                "startDate=2017-12-08T14%3A41%3A12%2B0100",
                "owdb41xY+OtBdYus/6+OQjqGrI4=",
            ),
            ("L9", "GET", "/stock/articles/Urza%27s%20Saga/1", "", "2VGifJHFY6A29nZ+OgtcY1xd+x8="),
            (
                "L10",
                "GET",
                "/articles/266361",
                "sellerCountry=13&sellerCountry=4&start=0",
                "aWpnNpSjyAxaXga/ZpzgIJv+iEA=",
            ),
        ] {
            assert_eq!(
                signature([APP, ACCESS], A, method, &format!("{base}{path}"), query),
                expected,
                "{id}"
            );
        }
        let access = "https://apiv2.cardmarket.com/ws/v2.0/access";
        assert_eq!(signature([APP, ("", "")], A, "POST", access, ""), "hzti0699xDtbPyaajLjBqfdAL2M=", "L8");
    }

    #[test]
    fn a_header_without_realm_or_token_is_told_so() {
        let whole = "OAuth realm=\"u\", oauth_consumer_key=\"k\", oauth_token=\"\", oauth_nonce=\"n\", \
                     oauth_timestamp=\"1\", oauth_signature_method=\"HMAC-SHA1\", oauth_version=\"1.0\", \
                     oauth_signature=\"c2ln\"";
        assert!(Claim::read(whole).is_ok());
        assert_eq!(Claim::read(&whole.replace("realm=\"u\", ", "")), Err("realm is missing".to_owned()));
        let without_token = whole.replace("oauth_token=\"\", ", "");
        assert_eq!(Claim::read(&without_token), Err("oauth_token is missing".to_owned()));
        let twice = format!("{whole}, oauth_nonce=\"m\"");
        assert_eq!(Claim::read(&twice), Err("oauth_nonce is given twice".to_owned()));
        assert!(Claim::read("Basic abc").is_err());
        assert!(Claim::read(&whole.replace("HMAC-SHA1", "PLAINTEXT")).is_err());
        assert!(Claim::read(&whole.replace("1.0", "2.0")).is_err());
    }

    #[test]
    fn raw_and_encoded_values_say_the_same() {
        let raw = "OAuth realm=\"http://h/p\",oauth_consumer_key=\"k\",oauth_token=\"t\",oauth_nonce=\"n\",\
                   oauth_timestamp=\"1\",oauth_signature_method=\"HMAC-SHA1\",oauth_version=\"1.0\",\
                   oauth_signature=\"a+b/c=\"";
        let encoded = raw.replace("http://h/p", "http%3A%2F%2Fh%2Fp").replace("a+b/c=", "a%2Bb%2Fc%3D");
        assert_eq!(Claim::read(raw), Claim::read(&encoded));
        assert!(realm_names("http://h/a b", "http://h/a%20b"));
        assert!(!realm_names("http://h/other", "http://h/a%20b"));
    }

    #[test]
    fn values_that_are_no_numbers_are_sorted_by_their_bytes() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(join_sorted(&[pair("a", "9"), pair("a", "10"), pair("a", "1x")]), "a=10&a=1x&a=9");
        assert_eq!(join_sorted(&[pair("b", "1"), pair("a", "10"), pair("a", "9")]), "a=9&a=10&b=1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_header_is_read_or_refused(header in "(OAuth )?\\PC{0,80}") {
            let _ = Claim::read(&header);
        }
    }
}
