//! Signatures that others have published, and those of the marketplaces' own shapes (cardmarket.md section 4,
//! trademe.md section 3), with their names there. Beside them another library's opinion of ours.

use proptest::prelude::*;

use super::*;

/// As the RFC has it, and as Trade Me wants it.
pub(in crate::http) const RFC: Profile = Profile {
    method: SignatureMethod::HmacSha1,
    realm: false,
    values: HeaderValues::Encoded,
    empty_token: EmptyToken::Omit,
    repeated: Repeated::Bytewise,
    version: true,
};
const UNVERSIONED: Profile = Profile { version: false, ..RFC };
pub(super) const PLAINTEXT: Profile =
    Profile { method: SignatureMethod::Plaintext { stamped: false }, version: false, ..RFC };
pub(super) const CARDMARKET: Profile = Profile {
    realm: true,
    values: HeaderValues::Raw,
    empty_token: EmptyToken::Keep,
    repeated: Repeated::Numeric,
    ..RFC
};

/// Consumer key, consumer secret, token, token secret; the last two may be empty.
type Login = [&'static str; 4];

fn signer(profile: Profile, [key, secret, token, token_secret]: Login) -> Signer {
    Signer::new(profile, &Credentials::new(key, secret, Some((token, token_secret))))
}

fn base_of(signer: &Signer, request: &Unsigned) -> String {
    let timestamp = request.timestamp.to_string();
    let parameters = signer.parameters(request, &timestamp);
    let mut base = String::new();
    push_base_string(&mut base, request, &parameters, signer.profile.repeated);
    base
}

fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

mod cardmarket {
    use super::*;

    const DOC: Login = [
        "bfaD9xOU0SXBhtBP",
        "pChvrpp6AEOEwxBIIUBOvWcRG3X9xL4Y",
        "lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q",
        "hc1wJAOX02pGGJK2uAv1ZOiwS7I9Tpoe",
    ];
    const APP_ONLY: Login = [DOC[0], DOC[1], "", ""];
    const WORDS: Login = ["app_token", "app_secret", "access_token", "access_secret"];
    const NA: (&str, i64) = ("53eb1f44909d6", 1407917892);
    const NB: (&str, i64) = ("59689e9cf4091", 1500028572);
    const NC: (&str, i64) = ("5d676828e6fe7", 1567057960);

    fn signature(login: Login, (nonce, timestamp): (&str, i64), method: &str, url: &str) -> String {
        signer(CARDMARKET, login)
            .signature(&Unsigned::new(method, &target(url), nonce, timestamp))
            .expose_secret()
            .to_owned()
    }

    fn base((nonce, timestamp): (&str, i64), login: Login, url: &str) -> String {
        base_of(&signer(CARDMARKET, login), &Unsigned::new("GET", &target(url), nonce, timestamp))
    }

    #[test]
    fn published_signatures_are_ours() {
        let check = |login, stamp, url: &str, expected: &str| {
            assert_eq!(signature(login, stamp, "GET", url), expected, "{url}");
            assert_eq!(signature(login, stamp, "get", url), expected, "{url}, lower-case method");
        };
        check(DOC, NA, "https://www.mkmapi.eu/ws/v1.1/account", "DLGHHYV9OsbB/ARf73psEYaNWkI=");
        check(DOC, NA, "https://api.cardmarket.com/ws/v1.1/account", "163qUUcPtGFLxUzqeCIChErTbKU=");
        let p4 = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles?maxResults=2&start=0";
        check(DOC, NB, p4, "88WlTXTVkHIBeWEWAqPFOkb0Jbg=");
        let p5 = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles";
        check(DOC, NB, p5, "1ZG/+LbStcuyOlio5vO/p+CkcBo=");
        check(APP_ONLY, NB, p5, "u8kAbiHsm85O295NdWWLU9Ev0Bw=");
        let p8 = "https://api.cardmarket.com/ws/v2.0/output.json/users/karmacrow/articles";
        check(WORDS, NC, &format!("{p8}?start=0&maxResults=10"), "95ULTYYDOl+t35olPzaGGymppuE=");
        check(WORDS, NC, p8, "+EXDfr5yax3WoXLq+NNQgvxpHME=");
        let p10 = "https://apiv2.cardmarket.com/ws/v2.0/output.json/users/karmacrow/articles";
        check(WORDS, NC, &format!("{p10}?start=0&maxResults=10"), "rSnkNZFP0uYfQ1kZwSqyjxrmTlk=");
        check(WORDS, NC, p10, "gKKDAZfcSHB5wn0MhHmnKrrrK6I=");
    }

    #[test]
    fn published_base_strings_are_ours() {
        let check = |stamp, login, url: &str, expected: &str| assert_eq!(base(stamp, login, url), expected);
        check(
            NA,
            DOC,
            "https://www.mkmapi.eu/ws/v1.1/account",
            "GET&https%3A%2F%2Fwww.mkmapi.eu%2Fws%2Fv1.1%2Faccount&oauth_consumer_key%3DbfaD9xOU0SXBhtBP%26oauth_nonce%3D53eb1f44909d6%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1407917892%26oauth_token%3DlBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q%26oauth_version%3D1.0",
        );
        check(
            NA,
            DOC,
            "https://api.cardmarket.com/ws/v1.1/account",
            "GET&https%3A%2F%2Fapi.cardmarket.com%2Fws%2Fv1.1%2Faccount&oauth_consumer_key%3DbfaD9xOU0SXBhtBP%26oauth_nonce%3D53eb1f44909d6%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1407917892%26oauth_token%3DlBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q%26oauth_version%3D1.0",
        );
        let p4 = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles?maxResults=2&start=0";
        check(
            NB,
            DOC,
            p4,
            "GET&https%3A%2F%2Fapi.cardmarket.com%2Fws%2Fv2.0%2Fusers%2Fkarmacrow%2Farticles&maxResults%3D2%26oauth_consumer_key%3DbfaD9xOU0SXBhtBP%26oauth_nonce%3D59689e9cf4091%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1500028572%26oauth_token%3DlBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q%26oauth_version%3D1.0%26start%3D0",
        );
        let p5 = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles";
        check(
            NB,
            DOC,
            p5,
            "GET&https%3A%2F%2Fapi.cardmarket.com%2Fws%2Fv2.0%2Fusers%2Fkarmacrow%2Farticles&oauth_consumer_key%3DbfaD9xOU0SXBhtBP%26oauth_nonce%3D59689e9cf4091%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1500028572%26oauth_token%3DlBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q%26oauth_version%3D1.0",
        );
        check(
            NB,
            APP_ONLY,
            p5,
            "GET&https%3A%2F%2Fapi.cardmarket.com%2Fws%2Fv2.0%2Fusers%2Fkarmacrow%2Farticles&oauth_consumer_key%3DbfaD9xOU0SXBhtBP%26oauth_nonce%3D59689e9cf4091%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1500028572%26oauth_token%3D%26oauth_version%3D1.0",
        );
        let p8 = "https://api.cardmarket.com/ws/v2.0/output.json/users/karmacrow/articles";
        check(
            NC,
            WORDS,
            &format!("{p8}?start=0&maxResults=10"),
            "GET&https%3A%2F%2Fapi.cardmarket.com%2Fws%2Fv2.0%2Foutput.json%2Fusers%2Fkarmacrow%2Farticles&maxResults%3D10%26oauth_consumer_key%3Dapp_token%26oauth_nonce%3D5d676828e6fe7%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1567057960%26oauth_token%3Daccess_token%26oauth_version%3D1.0%26start%3D0",
        );
        let p10 = "https://apiv2.cardmarket.com/ws/v2.0/output.json/users/karmacrow/articles";
        check(
            NC,
            WORDS,
            &format!("{p10}?start=0&maxResults=10"),
            "GET&https%3A%2F%2Fapiv2.cardmarket.com%2Fws%2Fv2.0%2Foutput.json%2Fusers%2Fkarmacrow%2Farticles&maxResults%3D10%26oauth_consumer_key%3Dapp_token%26oauth_nonce%3D5d676828e6fe7%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1567057960%26oauth_token%3Daccess_token%26oauth_version%3D1.0%26start%3D0",
        );
        check(
            NC,
            WORDS,
            p10,
            "GET&https%3A%2F%2Fapiv2.cardmarket.com%2Fws%2Fv2.0%2Foutput.json%2Fusers%2Fkarmacrow%2Farticles&oauth_consumer_key%3Dapp_token%26oauth_nonce%3D5d676828e6fe7%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1567057960%26oauth_token%3Daccess_token%26oauth_version%3D1.0",
        );
    }

    #[test]
    fn the_two_published_signatures_that_are_wrong_are_not_ours() {
        let p1 = signature(DOC, NA, "GET", "https://api.cardmarket.com/ws/v1.1/account");
        assert_ne!(p1, "DLGHHYV9OsbB/ARf73psEYaNWkI=");
        let p3 = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles?start=0&maxResults=2";
        assert_ne!(signature(DOC, NB, "GET", p3), "r5g+nFelmTMffrrW+Y4se1u7Q/E=");
    }

    fn api() -> Target {
        Target::new("https://apiv2.cardmarket.com/ws/v2.0/output.json").unwrap()
    }

    fn path(segments: &[&str]) -> Target {
        segments.iter().fold(api(), |target, segment| target.segment(segment))
    }

    #[test]
    fn requests_of_the_current_host_have_their_signatures() {
        let check = |login, method, target: Target, expected: &str| {
            let request = Unsigned::new(method, &target, NA.0, NA.1);
            assert_eq!(
                signer(CARDMARKET, login).signature(&request).expose_secret(),
                expected,
                "{}",
                target.as_str()
            );
        };
        check(DOC, "GET", path(&["account"]), "EF8cPiBCAYJsjOBB6RnXxfCQncU=");
        check(DOC, "GET", path(&["stock", "101"]), "peJ/Zr+/cpuDI84EWcOuEXR4EVQ=");
        check(DOC, "PUT", path(&["stock"]), "jXqOPEalgCEZtoCRokbvmIMdxNs=");
        check(DOC, "DELETE", path(&["stock"]), "HfB+pAN7BxeLfk+KA9Dk6EFDBDc=");
        let vacation =
            path(&["account", "vacation"]).query("onVacation", "true").query("cancelOrders", "false");
        check(DOC, "PUT", vacation, "F8Ax6yg6Yj2fx7MYHaHmIOsqF+c=");
        check(DOC, "GET", jace(), "11TUvy2R7tGCgfSGmbj45CJyVt8=");
        check(DOC, "GET", messages(), "owdb41xY+OtBdYus/6+OQjqGrI4=");
        let access = target("https://apiv2.cardmarket.com/ws/v2.0/access");
        check(APP_ONLY, "POST", access, "hzti0699xDtbPyaajLjBqfdAL2M=");
        check(DOC, "GET", saga(), "2VGifJHFY6A29nZ+OgtcY1xd+x8=");
    }

    fn jace() -> Target {
        path(&["products", "find"])
            .query("search", "Jace, the Mind Sculptor")
            .query("exact", "true")
            .query("idGame", "1")
            .query("idLanguage", "1")
            .query("start", "0")
            .query("maxResults", "100")
    }

    fn messages() -> Target {
        path(&["account", "messages", "find"]).query("startDate", "2017-12-08T14:41:12+0100")
    }

    fn saga() -> Target {
        path(&["stock", "articles", "Urza's Saga", "1"])
    }

    #[test]
    fn names_and_dates_are_encoded_twice_in_the_base_string() {
        let base =
            |target: Target| base_of(&signer(CARDMARKET, DOC), &Unsigned::new("GET", &target, NA.0, NA.1));
        assert!(base(jace()).ends_with("%26search%3DJace%252C%2520the%2520Mind%2520Sculptor%26start%3D0"));
        assert!(base(messages()).ends_with("%26startDate%3D2017-12-08T14%253A41%253A12%252B0100"));
        assert!(base(saga()).contains("%2Fstock%2Farticles%2FUrza%2527s%2520Saga%2F1&"));
        let blank = base(path(&["a"]).query("a", " ").query("b", "1"));
        assert!(blank.contains("&a%3D%2520%26b%3D1%26"));
    }

    #[test]
    fn repeated_numbers_are_signed_by_value_or_bytewise_as_the_profile_says() {
        let check = |repeated, countries: [&str; 2], expected: &str| {
            let articles = path(&["articles", "266361"]);
            let target =
                countries.iter().fold(articles, |target, country| target.query("sellerCountry", country));
            let target = target.query("start", "0");
            let signer = signer(Profile { repeated, ..CARDMARKET }, DOC);
            assert_eq!(
                signer.signature(&Unsigned::new("GET", &target, NA.0, NA.1)).expose_secret(),
                expected,
                "{countries:?}"
            );
        };
        for countries in [["4", "13"], ["13", "4"]] {
            check(Repeated::Numeric, countries, "aWpnNpSjyAxaXga/ZpzgIJv+iEA=");
            check(Repeated::Bytewise, countries, "KlajDh39szo3Ty+R+EZQTFD2tJ4=");
        }
    }

    #[test]
    fn the_header_has_the_realm_without_query_and_a_raw_signature() {
        let url = "https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles?maxResults=2&start=0";
        let header =
            signer(CARDMARKET, DOC).header(&Unsigned::new("GET", &target(url), NB.0, NB.1)).to_string();
        assert_eq!(
            header,
            "OAuth realm=\"https://api.cardmarket.com/ws/v2.0/users/karmacrow/articles\", \
             oauth_consumer_key=\"bfaD9xOU0SXBhtBP\", oauth_token=\"lBY1xptUJ7ZJSK01x4fNwzw8kAe5b10Q\", \
             oauth_nonce=\"59689e9cf4091\", oauth_timestamp=\"1500028572\", \
             oauth_signature_method=\"HMAC-SHA1\", oauth_version=\"1.0\", \
             oauth_signature=\"88WlTXTVkHIBeWEWAqPFOkb0Jbg=\""
        );
    }

    #[test]
    fn an_empty_token_is_sent() {
        let target = path(&["games"]);
        let header =
            signer(CARDMARKET, APP_ONLY).header(&Unsigned::new("GET", &target, NB.0, NB.1)).to_string();
        assert!(header.contains(", oauth_token=\"\", "), "{header}");
    }
}

mod trademe {
    use super::*;

    const CONSUMER: [&str; 2] = ["4E0D082355116884742E5F33B8A199F411", "160FCF77971DC92A38596288DB071A8CA5"];
    const APPLICATION: Login = [CONSUMER[0], CONSUMER[1], "", ""];
    const MEMBER: Login = [
        CONSUMER[0],
        CONSUMER[1],
        "0A1B2C3D4E5F60718293A4B5C6D7E8F901",
        "1F2E3D4C5B6A79880F1E2D3C4B5A697802",
    ];
    const REQUEST_TOKEN: Login = [
        CONSUMER[0],
        CONSUMER[1],
        "0123456789ABCDEF0123456789ABCDEF01",
        "FEDCBA9876543210FEDCBA9876543210FE",
    ];
    const CALLBACK: &str = "https://www.website-tm-access.co.nz/trademe-callback";

    fn request_token() -> Target {
        Target::new("https://api.tmsandbox.co.nz/Oauth")
            .unwrap()
            .segment("RequestToken")
            .query("scope", "MyTradeMeRead,MyTradeMeWrite")
    }

    #[test]
    fn requests_have_their_signatures() {
        let check = |login, request: Unsigned, expected: &str| {
            assert_eq!(
                signer(RFC, login).signature(&request).expose_secret(),
                expected,
                "{}",
                request.target.as_str()
            );
        };
        let member = |method, url, timestamp, nonce, expected| {
            check(MEMBER, Unsigned::new(method, &target(url), nonce, timestamp), expected);
        };
        let tm1 = request_token();
        for (callback, expected) in
            [(CALLBACK, "k1Lqt0iufGESes+JNtydWjYwqO4="), ("oob", "mNdsQFFu8kTcN7iuOVEbv0mfgnA=")]
        {
            let request = Unsigned::new("POST", &tm1, "a1b2c3d4e5f60718", 1700000000);
            check(APPLICATION, Unsigned { callback: Some(callback), ..request }, expected);
        }
        let tm3 = target("https://api.tmsandbox.co.nz/Oauth/AccessToken");
        let request = Unsigned::new("POST", &tm3, "b1b2c3d4e5f60718", 1700000060);
        let request = Unsigned { verifier: Some(&"A1B2C3D".into()), ..request };
        check(REQUEST_TOKEN, request, "fet1twuFeP9K9C0TN11VQ+j8Q38=");
        let tm4 = "https://api.tmsandbox.co.nz/v1/MyTradeMe/SellingItems/All.json?page=1&rows=500";
        member("GET", tm4, 1700000120, "c1b2c3d4e5f60718", "+JturQql7j+6WLZM1Xy6LU3YAKE=");
        let tm5 = "https://api.tmsandbox.co.nz/v1/Selling.json";
        member("POST", tm5, 1700000180, "d1b2c3d4e5f60718", "I/6mzH0oWBTh94DQEAxdd77mRE0=");
        let tm6 =
            "https://api.trademe.co.nz/v1/MyTradeMe/SoldItems/Last7Days.json?deleted=true&page=2&rows=50";
        member("GET", tm6, 1700000240, "e1b2c3d4e5f60718", "WOgpz1PBiAYVhPi8W9A0BJ3isNg=");
        let tm7 = "https://api.trademe.co.nz/v1/MyTradeMe/CourierParcels/77.json";
        member("DELETE", tm7, 1700000300, "f1b2c3d4e5f60718", "C90s5EyyMfWnky+40O9aCMTxcMo=");
        let tm8 =
            "https://api.trademe.co.nz/v1/Ping/Transactions.json?date_from=2025-01-01T00%3A00%3A00Z&rows=50";
        member("GET", tm8, 1700000360, "01b2c3d4e5f60718", "jhGKJt4g6pKHZ5f++PypWhnruJs=");
        let tm9 = target("https://api.trademe.co.nz/v1/Listings/123456.json?increment_view_count=false");
        let request = Unsigned::new("GET", &tm9, "11b2c3d4e5f60718", 1700000420);
        check(APPLICATION, request, "1zeL/o6xSTJRf09FVmXAjR2fRJs=");
        let tm10 = "https://api.trademe.co.nz/v1/Shipping/Templates/15.json";
        member("PUT", tm10, 1700000480, "21b2c3d4e5f60718", "3HvuhFB8ABAVOiCegaRXf7Gdm0o=");
    }

    #[test]
    fn base_strings_double_encode_comma_and_colon() {
        let tm1 = request_token();
        let callback = Some(CALLBACK);
        let request = Unsigned { callback, ..Unsigned::new("POST", &tm1, "a1b2c3d4e5f60718", 1700000000) };
        assert_eq!(
            base_of(&signer(RFC, APPLICATION), &request),
            "POST&https%3A%2F%2Fapi.tmsandbox.co.nz%2FOauth%2FRequestToken&\
             oauth_callback%3Dhttps%253A%252F%252Fwww.website-tm-access.co.nz%252Ftrademe-callback%26\
             oauth_consumer_key%3D4E0D082355116884742E5F33B8A199F411%26oauth_nonce%3Da1b2c3d4e5f60718%26\
             oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1700000000%26oauth_version%3D1.0%26\
             scope%3DMyTradeMeRead%252CMyTradeMeWrite"
        );
        let tm4 = target("https://api.tmsandbox.co.nz/v1/MyTradeMe/SellingItems/All.json?page=1&rows=500");
        assert_eq!(
            base_of(&signer(RFC, MEMBER), &Unsigned::new("GET", &tm4, "c1b2c3d4e5f60718", 1700000120)),
            "GET&https%3A%2F%2Fapi.tmsandbox.co.nz%2Fv1%2FMyTradeMe%2FSellingItems%2FAll.json&\
             oauth_consumer_key%3D4E0D082355116884742E5F33B8A199F411%26oauth_nonce%3Dc1b2c3d4e5f60718%26\
             oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1700000120%26\
             oauth_token%3D0A1B2C3D4E5F60718293A4B5C6D7E8F901%26oauth_version%3D1.0%26page%3D1%26rows%3D500"
        );
        let tm8 = Target::new("https://api.trademe.co.nz/v1")
            .unwrap()
            .segment("Ping")
            .segment("Transactions.json")
            .query("date_from", "2025-01-01T00:00:00Z")
            .query("rows", "50");
        assert_eq!(
            base_of(&signer(RFC, MEMBER), &Unsigned::new("GET", &tm8, "01b2c3d4e5f60718", 1700000360)),
            "GET&https%3A%2F%2Fapi.trademe.co.nz%2Fv1%2FPing%2FTransactions.json&\
             date_from%3D2025-01-01T00%253A00%253A00Z%26\
             oauth_consumer_key%3D4E0D082355116884742E5F33B8A199F411%26oauth_nonce%3D01b2c3d4e5f60718%26\
             oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1700000360%26\
             oauth_token%3D0A1B2C3D4E5F60718293A4B5C6D7E8F901%26oauth_version%3D1.0%26rows%3D50"
        );
    }

    #[test]
    fn the_published_plaintext_header_is_ours_but_for_quotation_marks() {
        let callback = Some(CALLBACK);
        let request_token = request_token();
        let request = Unsigned { callback, ..Unsigned::new("POST", &request_token, "unused", 1700000000) };
        let header = signer(PLAINTEXT, APPLICATION).header(&request).to_string();
        assert_eq!(
            header.replace('"', ""),
            "OAuth oauth_callback=https%3A%2F%2Fwww.website-tm-access.co.nz%2Ftrademe-callback, \
             oauth_consumer_key=4E0D082355116884742E5F33B8A199F411, oauth_signature_method=PLAINTEXT, \
             oauth_signature=160FCF77971DC92A38596288DB071A8CA5%26"
        );
        assert_eq!(header.matches('"').count(), 8, "{header}");
    }

    #[test]
    fn a_plaintext_signature_is_both_secrets() {
        let selling = target("https://api.trademe.co.nz/v1/Selling.json");
        let header =
            signer(PLAINTEXT, MEMBER).header(&Unsigned::new("POST", &selling, "unused", 0)).to_string();
        assert_eq!(
            header,
            "OAuth oauth_consumer_key=\"4E0D082355116884742E5F33B8A199F411\", \
             oauth_token=\"0A1B2C3D4E5F60718293A4B5C6D7E8F901\", oauth_signature_method=\"PLAINTEXT\", \
             oauth_signature=\"160FCF77971DC92A38596288DB071A8CA5%261F2E3D4C5B6A79880F1E2D3C4B5A697802\""
        );
    }

    #[test]
    fn a_plaintext_header_may_be_stamped() {
        let profile =
            Profile { method: SignatureMethod::Plaintext { stamped: true }, version: true, ..PLAINTEXT };
        let selling = target("https://api.trademe.co.nz/v1/Selling.json");
        let header =
            signer(profile, MEMBER).header(&Unsigned::new("POST", &selling, "abc", 1700000180)).to_string();
        assert!(header.contains("oauth_nonce=\"abc\", oauth_timestamp=\"1700000180\", "), "{header}");
        assert!(header.contains("oauth_version=\"1.0\""), "{header}");
    }

    #[test]
    fn the_application_alone_sends_no_token_and_an_encoded_signature() {
        let url = "https://api.trademe.co.nz/v1/Listings/123456.json?increment_view_count=false";
        let listing = target(url);
        let request = Unsigned::new("GET", &listing, "11b2c3d4e5f60718", 1700000420);
        let header = signer(RFC, APPLICATION).header(&request).to_string();
        assert!(!header.contains("oauth_token") && !header.contains("realm"), "{header}");
        assert!(header.ends_with("oauth_signature=\"1zeL%2Fo6xSTJRf09FVmXAjR2fRJs%3D\""), "{header}");
    }
}

mod published {
    use super::*;

    const PHOTOS: [&str; 2] = ["dpf43f3p2l4k3l03", "kd94hf93k423kf44"];
    const PHOTOS_MEMBER: Login = [PHOTOS[0], PHOTOS[1], "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"];

    fn signature(profile: Profile, login: Login, request: &Unsigned) -> String {
        signer(profile, login).signature(request).expose_secret().to_owned()
    }

    #[test]
    fn oauth_core_appendix_a_verifies() {
        let g1 = target("http://photos.example.net/photos?file=vacation.jpg&size=original");
        let request = Unsigned::new("GET", &g1, "kllo9940pd9333jh", 1191242096);
        assert_eq!(signature(RFC, PHOTOS_MEMBER, &request), "tR3+Ty81lMeYAr/Fid0kMTYa/WM=");
    }

    #[test]
    fn the_walk_through_of_the_rfc_verifies() {
        let initiate = target("https://photos.example.net/initiate");
        let callback = Some("http://printer.example.com/ready");
        let g2 = |nonce| {
            let request = Unsigned { callback, ..Unsigned::new("POST", &initiate, nonce, 137131200) };
            signature(UNVERSIONED, [PHOTOS[0], PHOTOS[1], "", ""], &request)
        };
        assert_eq!(g2("wIjqoS"), "74KNZJeDHnMBp0EMJ9ZHt/XKycU=");
        assert_ne!(g2("wIjqoxSZ"), "74KNZJeDHnMBp0EMJ9ZHt/XKycU=", "the nonce that some copies print");
        assert_eq!(g2("wIjqoxSZ"), "/UvthHqLWsq3QBhDNNbCXRUcFvI=");

        let token = target("https://photos.example.net/token");
        let verifier = SecretString::from("hfdp7dh39dks9884");
        let verifier = Some(&verifier);
        let g3 = Unsigned { verifier, ..Unsigned::new("POST", &token, "walatlh", 137131201) };
        let login = [PHOTOS[0], PHOTOS[1], "hh5s93j4hdidpola", "hdhd0244k9j7ao03"];
        assert_eq!(signature(UNVERSIONED, login, &g3), "gKgrFCywp7rO0OXSjdot/IHF7IU=");

        let photos = target("http://photos.example.net/photos?file=vacation.jpg&size=original");
        let g4 = Unsigned::new("GET", &photos, "chapoH", 137131202);
        assert_eq!(signature(UNVERSIONED, PHOTOS_MEMBER, &g4), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    #[test]
    fn the_hardest_example_of_the_rfc_verifies_as_corrected_by_erratum_2550() {
        let target = target("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        let form = [("c2", ""), ("a3", "2 q")];
        let request = Unsigned { form: &form, ..Unsigned::new("POST", &target, "7d8f3e4a", 137131201) };
        let login = ["9djdj82h48djs9d2", "j49sk3j29djd", "kkk9d7dh3k39sjv7", "dh893hdasih9"];
        assert_eq!(
            base_of(&signer(UNVERSIONED, login), &request),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D\
             %26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a\
             %26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
        assert_eq!(signature(UNVERSIONED, login, &request), "r6/TJjbCOr97/+UU0NsvSne7s5g=");
        assert_ne!(signature(UNVERSIONED, login, &request), "bYT5CMsGcbgUdFHObYMEfcx6bsw=", "as printed");
    }

    #[test]
    fn a_signed_form_body_verifies() {
        let target = target("https://api.twitter.com/1.1/statuses/update.json?include_entities=true");
        let form = [("status", "Hello Ladies + Gentlemen, a signed OAuth request!")];
        let nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg";
        let request = Unsigned { form: &form, ..Unsigned::new("POST", &target, nonce, 1318622958) };
        let login = [
            "xvz1evFS4wEEPTGEFPHBog",
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        ];
        assert_eq!(signature(RFC, login, &request), "hCtSmYh+iHYCEqBWrE7C7hYmtUk=");
    }
}

#[test]
fn oauth_parameters_are_signed_by_name() {
    let target = target("https://api.example.test/");
    let verifier = SecretString::from("1234");
    let all = Unsigned {
        callback: Some("oob"),
        verifier: Some(&verifier),
        ..Unsigned::new("GET", &target, "nonce", 1700000000)
    };
    let signer = signer(CARDMARKET, ["key", "", "token", ""]);
    let parameters = signer.parameters(&all, "1700000000");
    assert_eq!(parameters.as_sent().count(), 8);
    assert_eq!(parameters.sorted().count(), 8);
    assert!(parameters.sorted().is_sorted());
}

#[test]
fn debug_shows_no_secret_and_no_login() {
    for profile in [CARDMARKET, PLAINTEXT] {
        let shown = format!("{:?}", signer(profile, ["key-1", "secret-2", "token-3", "secret-4"]));
        assert!(
            ["key-1", "secret-2", "token-3", "secret-4"].iter().all(|own| !shown.contains(own)),
            "{shown}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// It writes keys into the base string as they are, so they are harmless here, and orders values decoded,
    /// so that no key comes twice. Both are ours alone to get right: see the RFC's hardest example.
    #[test]
    fn another_library_comes_to_the_same_header(
        pairs in prop::collection::btree_map("[A-Za-z0-9._~-]{1,8}", any::<String>(), 0..6),
        login in prop::array::uniform4("[!-~]{1,40}"),
        with_token in any::<bool>(),
        nonce in "[!-~]{1,32}",
        timestamp in 1..i64::from(u32::MAX),
        path in "[ -~]{1,20}",
        post in any::<bool>(),
    ) {
        let method = if post { "POST" } else { "GET" };
        let base = Target::new("https://api.example.test/v1").unwrap().segment(&format!("x{path}"));
        let uri = base.as_str().to_owned();
        let target = pairs.iter().fold(base, |target, (key, value)| target.query(key, value));
        let [key, secret, token, token_secret] = login.each_ref().map(String::as_str);
        let credentials = Credentials::new(key, secret, with_token.then_some((token, token_secret)));
        let ours = Signer::new(RFC, &credentials).header(&Unsigned::new(method, &target, &nonce, timestamp));

        let client = oauth1_request::Credentials::new(key, secret);
        let mut builder = oauth1_request::Builder::new(client, oauth1_request::HMAC_SHA1);
        builder
            .token(with_token.then(|| oauth1_request::Credentials::new(token, token_secret)))
            .nonce(nonce.as_str())
            .timestamp(std::num::NonZeroU64::new(timestamp.unsigned_abs()))
            .version(true);
        let list = oauth1_request::ParameterList::new(pairs.iter().collect::<Vec<_>>());
        let theirs = if post { builder.post(&uri, &list) } else { builder.get(&uri, &list) };
        prop_assert_eq!(parts(&ours), parts(&theirs));
    }
}

/// The pairs of a header, whatever their order and spacing. No encoded value has a comma.
fn parts(header: &str) -> std::collections::BTreeSet<&str> {
    header.trim_start_matches("OAuth ").split(',').map(str::trim).collect()
}
