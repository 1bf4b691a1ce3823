//! Who is let in, how often, and what anybody else is told.

use super::*;

#[tokio::test(start_paused = true)]
async fn both_ways_of_signing_are_accepted_and_nothing_else() {
    let sandbox = open(small()).await;
    let call = || Call::new(&sandbox, "MyTradeMe/Summary");
    assert_eq!(call().send().await.status, 200);
    assert_eq!(Call { method: "PLAINTEXT", ..call() }.send().await.status, 200);
    let header = call().header();
    let unquoted = header.replace('"', "").replace("realm=, ", "").replace(", ", ",");
    assert_eq!(call().send_with(Some(&unquoted)).await.status, 200);
    let changed = |from: &str, to: &str| call().header().replace(from, to);
    for (what, header) in [
        ("nothing", None),
        ("another signature", Some(changed("oauth_signature=\"", "oauth_signature=\"AAAA"))),
        ("another way", Some(changed("HMAC-SHA1", "RSA-SHA1"))),
        ("another app", Some(changed("consumer_key=\"", "consumer_key=\"0"))),
        ("another token", Some(changed("oauth_token=\"", "oauth_token=\"0"))),
        ("no token", Some(Call { token: false, ..call() }.header())),
        ("another path", Some(Call::new(&sandbox, "mytrademe/summary").header())),
        ("another query", Some(Call::new(&sandbox, "MyTradeMe/Summary?x=1").header())),
    ] {
        let reply = call().send_with(header.as_deref()).await;
        assert_eq!(reply.status, 401, "{what}");
        assert!(
            reply.json()["ErrorDescription"].is_string() && reply.json()["Request"].is_string(),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn paths_are_found_in_any_case_but_signed_as_sent() {
    let sandbox = open(small()).await;
    for resource in ["mytrademe/sellingitems/all", "MYTRADEME/SELLINGITEMS/ALL", "MyTradeMe/SellingItems/All"]
    {
        assert_eq!(get(&sandbox, resource).await.status, 200, "{resource}");
    }
    let mut shouted = Call::new(&sandbox, "MyTradeMe/Summary");
    shouted.path = "/V1/MyTradeMe/Summary.JSON".to_owned();
    assert_eq!(shouted.send().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn oauth_parameters_in_the_url_are_refused() {
    let sandbox = open(small()).await;
    let token = sandbox.trademe_credentials().token.clone();
    let call = Call::new(&sandbox, &format!("MyTradeMe/Summary?oauth_token={token}"));
    assert_eq!(call.send().await.status, 401);
    let why = sandbox.trademe_requests().pop().map(|seen| seen.verdict);
    assert_eq!(why, Some(Verdict::Unauthorized("oauth_token stands in the URL".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn timestamps_are_fresh_and_nonces_new_unless_that_is_switched_off() {
    for (options, refused) in
        [(small(), 401), (Options { freshness: None, refuse_replays: false, ..small() }, 200)]
    {
        let sandbox = open(options).await;
        let call = || Call::new(&sandbox, "MyTradeMe/Summary");
        for (off, status) in [(-301, refused), (301, refused), (-300, 200), (300, 200)] {
            let timestamp = sandbox.now().timestamp() + off;
            assert_eq!(Call { timestamp, ..call() }.send().await.status, status, "{off}");
        }
        let header = call().header();
        for status in [200, refused] {
            assert_eq!(call().send_with(Some(&header)).await.status, status);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_may_look_like_anything() {
    let sandbox = open(small()).await;
    sandbox.fault(Fault::from(FaultKind::RejectToken).at(Venue::Trademe));
    let looks = |form| {
        sandbox.with_trademe(|shop| shop.options_mut().unauthorized = form);
        get(&sandbox, "MyTradeMe/Summary")
    };
    assert!(looks(Unauthorized::ErrorResult).await.json()["ErrorDescription"].is_string());
    assert_eq!(looks(Unauthorized::Empty).await.body.len(), 0);
    assert!(looks(Unauthorized::Html).await.text().starts_with("<!DOCTYPE html>"));
    let problem = looks(Unauthorized::OauthProblem).await;
    assert_eq!((problem.status, problem.text().as_str()), (401, "oauth_problem=token_rejected"));
    assert_eq!(
        get_at_cardmarket(&sandbox, "/account").await.status,
        200,
        "the other shop knows nothing of it"
    );
    sandbox.fault(FaultKind::Restore);
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_grant_ends_when_the_member_says_and_covers_what_was_granted() {
    let clock = clock(NOON);
    let both = crate::sandbox::Options::new(clock.clone());
    let trademe = Options { revoked_at: Some(at(NOON) + TimeDelta::minutes(1)), ..small() };
    let options = crate::sandbox::Options { articles: 10, orders: 0, trademe, ..both };
    let sandbox = Sandbox::start(options).await.expect("a free port");
    let listing = format!("Listings/{}", plenty(&sandbox, 1));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    clock.jump(TimeDelta::minutes(1));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 401);
    let alone = Call { token: false, ..Call::new(&sandbox, &listing) };
    assert_eq!(alone.send().await.status, 200, "the app itself is still known");
    let nobody = Call::new(&sandbox, "Categories").send_with(None).await;
    assert_eq!((nobody.status, nobody.header("cache-control")), (200, Some("max-age=59")));
    sandbox.fault(FaultKind::Restore);
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    let narrow = open(Options { scopes: Scopes { read: false, write: true }, ..small() }).await;
    assert_eq!(get(&narrow, "MyTradeMe/Summary").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_clock_hour_has_its_allowance_and_the_catalogue_is_free() {
    let clock = clock("2026-03-02T12:59:50Z");
    let both = crate::sandbox::Options::new(clock.clone());
    let trademe = Options { hourly_limit: Some(2), ..small() };
    let options = crate::sandbox::Options { articles: 10, orders: 0, trademe, ..both };
    let sandbox = Sandbox::start(options).await.expect("a free port");
    assert_eq!(Call::new(&sandbox, "MyTradeMe/Summary").send_with(None).await.status, 401);
    for status in [200, 200, 429, 429] {
        let reply = get(&sandbox, "MyTradeMe/Summary").await;
        assert_eq!(reply.status, status);
        let told = reply.headers.iter().any(|(name, _)| name.contains("limit") || name == "retry-after");
        assert!(!told, "the allowance is not told: {:?}", reply.headers);
    }
    assert_eq!(get(&sandbox, "Categories/6853").await.status, 200);
    sandbox.with_trademe(|shop| shop.options_mut().too_many = TooMany::Empty);
    let empty = get(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((empty.status, empty.body.len()), (429, 0));
    let seen = sandbox.trademe_requests();
    assert_eq!(seen[3].verdict, Verdict::TooMany("hour"));
    clock.jump(TimeDelta::seconds(10));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
    let counts: Vec<u64> = sandbox.trademe_requests_by_hour().into_values().collect();
    assert_eq!(counts, [5, 1], "who does not name an app costs nobody anything");
}

#[tokio::test(start_paused = true)]
async fn failed_logins_of_a_known_app_cost_its_hour_if_so_chosen() {
    for (count_refused, last) in [(true, 429), (false, 200)] {
        let sandbox = open(Options { hourly_limit: Some(2), count_refused, ..small() }).await;
        for status in [401, 401, last] {
            let call = Call::new(&sandbox, "MyTradeMe/Summary");
            let header = call.header();
            let wrong = header.replace("oauth_signature=\"", "oauth_signature=\"AAAA");
            let header = if status == 401 { wrong } else { header };
            assert_eq!(call.send_with(Some(&header)).await.status, status);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_urls_are_pages_and_wrong_requests_are_errors() {
    let sandbox = open(small()).await;
    for resource in ["Account/Balance", "MyTradeMe/SoldItems", "Selling/Update"] {
        let reply = get(&sandbox, resource).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("text/html; charset=utf-8")));
    }
    let mut bare = Call::new(&sandbox, "MyTradeMe/Summary");
    bare.path = "/v1/MyTradeMe/Summary".to_owned();
    assert_eq!(bare.send().await.status, 404);
    for resource in [
        "MyTradeMe/SoldItems/All",
        "MyTradeMe/SellingItems/Everything",
        "MyTradeMe/UnsoldItems/Last30Days",
        "Listings/1",
        "Listings/x",
        "Selling/Listings/1",
        "Categories/11111",
    ] {
        let reply = get(&sandbox, resource).await;
        assert_eq!(reply.status, 400, "{resource}");
        assert!(reply.text().starts_with("{\"Request\":\"http:\\/\\/127.0.0.1"), "{}", reply.text());
    }
    let category = get(&sandbox, "Categories/11111").await.json();
    assert_eq!(category["ErrorDescription"], "Category 11111 was not found");
    let mut xml = Call::new(&sandbox, "MyTradeMe/SoldItems/All");
    xml.path = xml.path.replace(".json", ".xml");
    let reply = xml.send().await;
    assert_eq!((reply.status, reply.header("content-type")), (400, Some("text/xml; charset=utf-8")));
    assert!(reply.text().contains("<ErrorDescription>"));
}
