//! The shop's own reading of OAuth 1.0a as Trade Me takes it: HMAC-SHA1 or PLAINTEXT, in the header only.
//!
//! It shares nothing with the client's signer, not even the crypto library. It is not Cardmarket's verifier
//! either: that one insists on a realm, on quotes and on a token, and sorts numbers by their size.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::sandbox::percent::{Plus, decode, encode};

/// The names that must not stand in a URL.
const NAMES: [&str; 9] = [
    "oauth_version",
    "oauth_consumer_key",
    "oauth_token",
    "oauth_verifier",
    "oauth_callback",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature_method",
    "oauth_signature",
];

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Over the request.
    HmacSha1,
    /// The key itself.
    Plaintext,
}

/// What a request says of itself in its `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// How it is signed.
    pub method: Method,
    /// Everything but realm and signature, decoded.
    pairs: Vec<(String, String)>,
    /// As sent, decoded.
    signature: String,
}

/// What is signed, besides the header.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// Scheme, host and port.
    pub origin: &'a str,
    /// The path as sent, whatever its case.
    pub path: &'a str,
    /// The query as sent.
    pub query: Option<&'a str>,
    /// A form in the body, which is signed like a query. JSON is not signed.
    pub form: Option<&'a str>,
}

impl Claim {
    /// Reads the header. Values may stand in quotes or not, raw or percent-encoded, with or without a realm.
    pub fn read(header: &str) -> Result<Self, String> {
        let (scheme, mut rest) =
            header.trim().split_once(' ').ok_or("the Authorization header has no pairs")?;
        if !scheme.eq_ignore_ascii_case("OAuth") {
            return Err(format!("the Authorization scheme is {scheme}, not OAuth"));
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', ',', '\t']);
            if rest.is_empty() {
                break;
            }
            let (name, after) =
                rest.split_once('=').ok_or("a pair of the Authorization header has no value")?;
            let value;
            (value, rest) = match after.strip_prefix('"') {
                Some(quoted) => {
                    quoted.split_once('"').ok_or("a value of the Authorization header never ends")?
                }
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            let name = decode(name.trim(), Plus::Stays);
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name} is given twice"));
            }
            pairs.push((name, decode(value.trim_end(), Plus::Stays)));
        }
        pairs.retain(|(name, _)| name != "realm");
        let at = pairs.iter().position(|(name, _)| name == "oauth_signature");
        let (_, signature) = pairs.remove(at.ok_or("oauth_signature is missing")?);
        let mut claim = Self { method: Method::HmacSha1, pairs, signature };
        claim.method = match claim.get("oauth_signature_method") {
            Some("HMAC-SHA1") => Method::HmacSha1,
            Some("PLAINTEXT") => Method::Plaintext,
            other => return Err(format!("oauth_signature_method is {}", other.unwrap_or("missing"))),
        };
        if let Some(version) = claim.get("oauth_version").filter(|version| *version != "1.0") {
            return Err(format!("oauth_version is {version}, not 1.0"));
        }
        for name in ["oauth_timestamp", "oauth_nonce"] {
            if claim.method == Method::HmacSha1 && claim.get(name).is_none_or(str::is_empty) {
                return Err(format!("{name} is missing"));
            }
        }
        Ok(claim)
    }

    /// One of the header's values.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the signature is the one that these secrets give for this request.
    pub fn is_signed(&self, signed: &Signed<'_>, secret: &str, token_secret: &str) -> bool {
        let key = key(secret, token_secret);
        match self.method {
            Method::Plaintext => self.signature == key,
            Method::HmacSha1 => {
                let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
                hmac::verify(&sha1(&key), self.base_string(signed).as_bytes(), &signature).is_ok()
            }
        }
    }

    fn base_string(&self, signed: &Signed<'_>) -> String {
        let mut pairs: Vec<(String, String)> =
            self.pairs.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        for text in [signed.query, signed.form].into_iter().flatten() {
            pairs.extend(parameters(text).map(|(name, value)| (encode(&name), encode(&value))));
        }
        pairs.sort();
        let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = format!("{}{}", plain_origin(signed.origin), signed.path);
        format!("{}&{}&{}", signed.method.to_ascii_uppercase(), encode(&url), encode(&joined.join("&")))
    }
}

/// The first OAuth parameter in a query, where none may stand.
pub fn oauth_in_url(query: Option<&str>) -> Option<String> {
    parameters(query?)
        .map(|(name, _)| name)
        .find(|name| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// The pairs of a query or a form, decoded.
pub fn parameters(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name, Plus::IsBlank), decode(value, Plus::IsBlank))
    })
}

/// Scheme and host in lower case, without the scheme's own port.
fn plain_origin(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let port = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(port).map(str::to_owned).unwrap_or(origin)
}

fn key(secret: &str, token_secret: &str) -> String {
    format!("{}&{}", encode(secret), encode(token_secret))
}

fn sha1(key: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes())
}

/// The header that an honest caller would send, for the tests: pairs besides the signature's, and the secrets.
#[cfg(test)]
pub fn sign(pairs: &[(&str, &str)], signed: &Signed<'_>, secret: &str, token_secret: &str) -> String {
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
    let written = written.join(", ");
    let claim = Claim::read(&format!("OAuth {written}, oauth_signature=\"\"")).expect("whole pairs");
    let key = key(secret, token_secret);
    let signature = match claim.method {
        Method::Plaintext => key,
        Method::HmacSha1 => STANDARD.encode(hmac::sign(&sha1(&key), claim.base_string(signed).as_bytes())),
    };
    format!("OAuth realm=\"\", {written}, oauth_signature=\"{}\"", encode(&signature))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const APP: (&str, &str) = ("4E0D082355116884742E5F33B8A199F411", "160FCF77971DC92A38596288DB071A8CA5");
    const MEMBER: (&str, &str) = ("0A1B2C3D4E5F60718293A4B5C6D7E8F901", "1F2E3D4C5B6A79880F1E2D3C4B5A697802");

    fn signed<'a>(method: &'a str, origin: &'a str, path: &'a str, query: &'a str) -> Signed<'a> {
        Signed { method, origin, path, query: Some(query).filter(|query| !query.is_empty()), form: None }
    }

    /// A header with the published signature in it.
    fn header(pairs: &[(&str, &str)], signature: &str) -> String {
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
        format!(
            "OAuth {}, oauth_signature_method=\"HMAC-SHA1\", oauth_signature=\"{}\"",
            pairs.join(", "),
            encode(signature)
        )
    }

    fn assert_verifies(id: &str, header: &str, signed: &Signed<'_>, secrets: (&str, &str)) {
        let claim = Claim::read(header).expect(id);
        assert!(claim.is_signed(signed, secrets.0, secrets.1), "{id}: {}", claim.base_string(signed));
        assert!(!claim.is_signed(signed, secrets.0, "another"), "{id}");
        let shouted = signed.path.to_uppercase();
        assert!(!claim.is_signed(&Signed { path: &shouted, ..*signed }, secrets.0, secrets.1), "{id}");
    }

    #[test]
    fn the_trade_me_vectors_verify() {
        let sandbox = "https://api.tmsandbox.co.nz";
        let live = "https://api.trademe.co.nz";
        let vectors = [
            (
                "TM4",
                signed("GET", sandbox, "/v1/MyTradeMe/SellingItems/All.json", "page=1&rows=500"),
                "1700000120",
                "c1b2c3d4e5f60718",
                "+JturQql7j+6WLZM1Xy6LU3YAKE=",
            ),
            (
                "TM5",
                signed("POST", sandbox, "/v1/Selling.json", ""),
                "1700000180",
                "d1b2c3d4e5f60718",
                "I/6mzH0oWBTh94DQEAxdd77mRE0=",
            ),
            (
                "TM6",
                signed("GET", live, "/v1/MyTradeMe/SoldItems/Last7Days.json", "deleted=true&page=2&rows=50"),
                "1700000240",
                "e1b2c3d4e5f60718",
                "WOgpz1PBiAYVhPi8W9A0BJ3isNg=",
            ),
            (
                "TM7",
                signed("DELETE", live, "/v1/MyTradeMe/CourierParcels/77.json", ""),
                "1700000300",
                "f1b2c3d4e5f60718",
                "C90s5EyyMfWnky+40O9aCMTxcMo=",
            ),
            (
                "TM8",
                signed(
                    "GET",
                    live,
                    "/v1/Ping/Transactions.json",
                    "date_from=2025-01-01T00%3A00%3A00Z&rows=50",
                ),
                "1700000360",
                "01b2c3d4e5f60718",
                "jhGKJt4g6pKHZ5f++PypWhnruJs=",
            ),
        ];
        for (id, request, timestamp, nonce, signature) in vectors {
            let pairs = [
                ("oauth_consumer_key", APP.0),
                ("oauth_token", MEMBER.0),
                ("oauth_timestamp", timestamp),
                ("oauth_nonce", nonce),
                ("oauth_version", "1.0"),
            ];
            assert_verifies(id, &header(&pairs, signature), &request, (APP.1, MEMBER.1));
        }
    }

    #[test]
    fn the_vectors_of_the_token_dance_and_of_an_app_alone_verify() {
        let origin = "https://api.tmsandbox.co.nz";
        let scope = "scope=MyTradeMeRead,MyTradeMeWrite";
        let request_token = signed("POST", origin, "/Oauth/RequestToken", scope);
        let first = ("1700000000", "a1b2c3d4e5f60718");
        let pairs = |when: (&'static str, &'static str)| {
            vec![
                ("oauth_consumer_key", APP.0),
                ("oauth_timestamp", when.0),
                ("oauth_nonce", when.1),
                ("oauth_version", "1.0"),
            ]
        };
        for (id, callback, signature) in [
            ("TM1", "https://www.website-tm-access.co.nz/trademe-callback", "k1Lqt0iufGESes+JNtydWjYwqO4="),
            ("TM2", "oob", "mNdsQFFu8kTcN7iuOVEbv0mfgnA="),
        ] {
            let mut pairs = pairs(first);
            pairs.push(("oauth_callback", callback));
            assert_verifies(id, &header(&pairs, signature), &request_token, (APP.1, ""));
        }
        let mut exchange = pairs(("1700000060", "b1b2c3d4e5f60718"));
        exchange
            .extend([("oauth_token", "0123456789ABCDEF0123456789ABCDEF01"), ("oauth_verifier", "A1B2C3D")]);
        let secrets = (APP.1, "FEDCBA9876543210FEDCBA9876543210FE");
        let access_token = signed("POST", origin, "/Oauth/AccessToken", "");
        assert_verifies("TM3", &header(&exchange, "fet1twuFeP9K9C0TN11VQ+j8Q38="), &access_token, secrets);
        let listing = signed(
            "GET",
            "https://api.trademe.co.nz",
            "/v1/Listings/123456.json",
            "increment_view_count=false",
        );
        let alone = header(&pairs(("1700000420", "11b2c3d4e5f60718")), "1zeL/o6xSTJRf09FVmXAjR2fRJs=");
        assert_verifies("TM9", &alone, &listing, (APP.1, ""));
    }

    #[test]
    fn the_published_generic_vectors_verify() {
        let photos =
            signed("GET", "http://Photos.example.net:80", "/photos", "file=vacation.jpg&size=original");
        let secrets = ("kd94hf93k423kf44", "pfkkdhi9sl3r4s00");
        let known = [("oauth_consumer_key", "dpf43f3p2l4k3l03"), ("oauth_token", "nnch734d00sl2jdk")];
        let with = |more: &[(&'static str, &'static str)]| [&known[..], more].concat();
        let g1 = with(&[
            ("oauth_timestamp", "1191242096"),
            ("oauth_nonce", "kllo9940pd9333jh"),
            ("oauth_version", "1.0"),
        ]);
        assert_verifies("G1", &header(&g1, "tR3+Ty81lMeYAr/Fid0kMTYa/WM="), &photos, secrets);
        let g4 = with(&[("oauth_timestamp", "137131202"), ("oauth_nonce", "chapoH")]);
        let g4 = header(&g4, "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
        assert_verifies("G4", &g4.replace("OAuth ", "OAuth realm=\"Photos\", "), &photos, secrets);
        let tweet = Signed {
            form: Some("status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21"),
            ..signed("POST", "https://api.twitter.com", "/1.1/statuses/update.json", "include_entities=true")
        };
        let g6 = [
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            ("oauth_timestamp", "1318622958"),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
            ("oauth_version", "1.0"),
        ];
        let secrets =
            ("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE");
        assert_verifies("G6", &header(&g6, "hCtSmYh+iHYCEqBWrE7C7hYmtUk="), &tweet, secrets);
        let g5 = Signed {
            form: Some("c2&a3=2+q"),
            ..signed("POST", "http://EXAMPLE.COM:80", "/request", "b5=%3D%253D&a3=a&c%40=&a2=r%20b")
        };
        let pairs = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let secrets = ("j49sk3j29djd", "dh893hdasih9");
        assert_verifies("G5, corrected", &header(&pairs, "r6/TJjbCOr97/+UU0NsvSne7s5g="), &g5, secrets);
        let erratum = Claim::read(&header(&pairs, "bYT5CMsGcbgUdFHObYMEfcx6bsw=")).expect("a whole header");
        assert!(!erratum.is_signed(&g5, secrets.0, secrets.1), "the published value is wrong");
    }

    #[test]
    fn trade_mes_own_plaintext_example_verifies() {
        let published = "OAuth oauth_callback=https%3A%2F%2Fwww.website-tm-access.co.nz%2Ftrademe-callback, \
                         oauth_consumer_key=4E0D082355116884742E5F33B8A199F411, oauth_signature_method=PLAINTEXT, \
                         oauth_signature=160FCF77971DC92A38596288DB071A8CA5%26";
        let claim = Claim::read(published).expect("a whole header");
        let request = signed("POST", "https://api.tmsandbox.co.nz", "/Oauth/RequestToken", "");
        assert!(claim.is_signed(&request, APP.1, ""));
        assert!(!claim.is_signed(&request, APP.1, "x"));
        assert_eq!(claim.get("oauth_callback"), Some("https://www.website-tm-access.co.nz/trademe-callback"));
        let member = published.replace("%26", "%261F2E3D4C5B6A79880F1E2D3C4B5A697802");
        assert!(Claim::read(&member).expect("a whole header").is_signed(&request, APP.1, MEMBER.1));
    }

    #[test]
    fn quotes_blanks_and_realm_are_as_the_sender_likes() {
        let plain = "OAuth oauth_consumer_key=k,oauth_signature_method=PLAINTEXT,oauth_signature=s%26";
        let quoted = "oauth  realm=\"\", oauth_consumer_key=\"k\" ,  oauth_signature_method=\"PLAINTEXT\", \
                      oauth_signature=\"s&\"";
        assert_eq!(Claim::read(plain), Claim::read(quoted));
        assert!(Claim::read(plain).is_ok());
    }

    #[test]
    fn a_header_that_lacks_something_is_told_so() {
        let whole = "OAuth oauth_consumer_key=k, oauth_timestamp=1, oauth_nonce=n, \
                     oauth_signature_method=HMAC-SHA1, oauth_signature=c2ln";
        assert!(Claim::read(whole).is_ok());
        for (from, to, why) in [
            ("oauth_nonce=n, ", "", "oauth_nonce is missing"),
            ("oauth_timestamp=1, ", "", "oauth_timestamp is missing"),
            (", oauth_signature=c2ln", "", "oauth_signature is missing"),
            ("HMAC-SHA1", "RSA-SHA1", "oauth_signature_method is RSA-SHA1"),
            ("oauth_nonce=n", "oauth_nonce=n, oauth_version=2.0", "oauth_version is 2.0, not 1.0"),
            ("oauth_nonce=n", "oauth_nonce=n, oauth_nonce=m", "oauth_nonce is given twice"),
            ("OAuth", "Basic", "the Authorization scheme is Basic, not OAuth"),
        ] {
            assert_eq!(Claim::read(&whole.replace(from, to)), Err(why.to_owned()));
        }
    }

    #[test]
    fn oauth_parameters_in_the_url_are_found() {
        assert_eq!(oauth_in_url(Some("page=1&oauth%5Ftoken=x")), Some("oauth_token".to_owned()));
        assert_eq!(oauth_in_url(Some("scope=MyTradeMeRead&rows=5")), None);
        assert_eq!(oauth_in_url(None), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_header_is_read_or_refused(header in "(OAuth )?\\PC{0,80}") {
            let _ = Claim::read(&header);
        }

        #[test]
        fn what_is_signed_verifies_and_what_was_changed_does_not(
            value in "[a-zA-Z0-9 ,;=&+%\"é]{1,12}", query in "[a-z0-9=&+%]{0,20}", secret in "\\PC{1,12}",
        ) {
            let request = signed("GET", "http://h:1", "/v1/X.json", &query);
            let pairs = [
                ("oauth_consumer_key", value.as_str()), ("oauth_nonce", "n"), ("oauth_timestamp", "1"),
                ("oauth_signature_method", "HMAC-SHA1"),
            ];
            let claim = Claim::read(&sign(&pairs, &request, &secret, "t")).expect("our own header");
            prop_assert_eq!(claim.get("oauth_consumer_key"), Some(value.as_str()));
            prop_assert!(claim.is_signed(&request, &secret, "t"));
            let longer = format!("{query}&x");
            let changed = Signed { query: Some(&longer), ..request };
            prop_assert!(!claim.is_signed(&changed, &secret, "t"));
        }
    }
}
