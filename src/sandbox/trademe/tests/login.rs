//! How a member grants access.

use super::*;

/// One step towards a grant, signed with these pairs and this secret besides the app's.
async fn step(
    sandbox: &Sandbox,
    name: &str,
    query: Option<&str>,
    pairs: &[(&str, &str)],
    secret: &str,
) -> Reply {
    let keys = sandbox.trademe_credentials();
    let base = sandbox.trademe_base_url();
    let (origin, path) = (base.trim_end_matches("/v1"), format!("/Oauth/{name}"));
    let signed = Signed { method: "POST", origin, path: &path, query, form: None };
    let timestamp = sandbox.now().timestamp().to_string();
    let nonce = format!("n{}", NONCE.fetch_add(1, Ordering::SeqCst));
    let known = [
        ("oauth_consumer_key", keys.consumer_key.as_str()),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_nonce", &nonce),
    ];
    let header = sign(&[&known, pairs].concat(), &signed, &keys.consumer_secret, secret);
    let mut ask = Ask::plain(sandbox, "POST", &path, "");
    ask.query = query.map(str::to_owned);
    ask.with_authorization(&header).await.expect("an answer")
}

fn field(form: &str, name: &str) -> String {
    signature::parameters(form).find(|(known, _)| known == name).expect(name).1
}

async fn decide(sandbox: &Sandbox, token: &str, decision: &str) -> Reply {
    let mut shown = Ask::plain(sandbox, "GET", "/Oauth/Authorize", "");
    shown.query = Some(format!("oauth_token={token}"));
    assert!(shown.send().await.expect("a page").text().contains("Allow"));
    let form = format!("oauth_token={token}&decision={decision}");
    Ask::plain(sandbox, "POST", "/Oauth/Authorize", &form).send().await.expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn a_member_can_grant_access_again_by_number_and_only_the_new_token_is_worth_something() {
    let sandbox = open(small()).await;
    sandbox.fault(Fault::from(FaultKind::Revoke { empty_body: false }).at(Venue::Trademe));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 401);
    let scope = Some("scope=MyTradeMeRead,MyTradeMeWrite");
    let asked = step(&sandbox, "RequestToken", scope, &[("oauth_callback", "oob")], "").await;
    assert_eq!((asked.status, asked.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let asked = asked.text();
    assert_eq!(field(&asked, "oauth_callback_confirmed"), "true");
    let (token, secret) = (field(&asked, "oauth_token"), field(&asked, "oauth_token_secret"));
    let exchange = async |pin: &str| {
        let pairs = [("oauth_token", token.as_str()), ("oauth_verifier", pin)];
        step(&sandbox, "AccessToken", None, &pairs, &secret).await
    };
    assert_eq!(exchange("").await.status, 401, "nobody has allowed it");
    let page = decide(&sandbox, &token, "allow").await.text();
    let pin = page.split_once("id=\"pin\">").and_then(|(_, rest)| rest.split_once('<')).expect("a number").0;
    assert_eq!(exchange("0000000").await.status, 401);
    let granted = exchange(pin).await.text();
    assert_eq!(exchange(pin).await.status, 401, "once is enough");
    let (token, secret) = (field(&granted, "oauth_token"), field(&granted, "oauth_token_secret"));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 401, "the old one");
    let call = Call::new(&sandbox, "MyTradeMe/Summary");
    let app = sandbox.trademe_credentials();
    let header = format!(
        "OAuth oauth_consumer_key={}, oauth_token={token}, oauth_signature_method=PLAINTEXT, \
         oauth_signature={}%26{secret}",
        app.consumer_key, app.consumer_secret
    );
    assert_eq!(call.send_with(Some(&header)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_token_is_good_for_a_day_and_what_was_not_granted_is_refused() {
    let sandbox = open(small()).await;
    assert_eq!(get(&sandbox, "Selling/Drafts").await.status, 200);
    let asked =
        step(&sandbox, "RequestToken", Some("scope=MyTradeMeRead"), &[("oauth_callback", "oob")], "").await;
    let (token, secret) = (field(&asked.text(), "oauth_token"), field(&asked.text(), "oauth_token_secret"));
    sandbox.set_offset(TimeDelta::hours(23));
    let form = format!("oauth_token={token}&as=other-shop&decision=allow");
    let page = Ask::plain(&sandbox, "POST", "/Oauth/Authorize", &form).send().await.expect("a page").text();
    let pin = page.split_once("id=\"pin\">").and_then(|(_, rest)| rest.split_once('<')).expect("a number").0;
    let exchange = async || {
        let pairs = [("oauth_token", token.as_str()), ("oauth_verifier", pin)];
        step(&sandbox, "AccessToken", None, &pairs, &secret).await
    };
    sandbox.set_offset(TimeDelta::hours(25));
    assert_eq!(exchange().await.status, 401, "too late");
    sandbox.set_offset(TimeDelta::hours(23));
    assert_eq!(exchange().await.status, 401, "and forgotten");

    let asked =
        step(&sandbox, "RequestToken", Some("scope=MyTradeMeRead"), &[("oauth_callback", "oob")], "").await;
    let (token, secret) = (field(&asked.text(), "oauth_token"), field(&asked.text(), "oauth_token_secret"));
    let form = format!("oauth_token={token}&as=other-shop&decision=allow");
    let page = Ask::plain(&sandbox, "POST", "/Oauth/Authorize", &form).send().await.expect("a page").text();
    let pin = page.split_once("id=\"pin\">").and_then(|(_, rest)| rest.split_once('<')).expect("a number").0;
    let pairs = [("oauth_token", token.as_str()), ("oauth_verifier", pin)];
    let granted = step(&sandbox, "AccessToken", None, &pairs, &secret).await.text();
    let (token, secret) = (field(&granted, "oauth_token"), field(&granted, "oauth_token_secret"));
    let app = sandbox.trademe_credentials();
    let header = format!(
        "OAuth oauth_consumer_key={}, oauth_token={token}, oauth_signature_method=PLAINTEXT, \
         oauth_signature={}%26{secret}",
        app.consumer_key, app.consumer_secret
    );
    let summary = Call::new(&sandbox, "MyTradeMe/Summary").send_with(Some(&header)).await;
    assert_eq!(summary.json()["Nickname"], "other-shop");
    let drafts = Call::new(&sandbox, "Selling/Drafts").send_with(Some(&header)).await;
    assert_eq!(drafts.status, 401, "that needs the right to write");
}

#[tokio::test(start_paused = true)]
async fn a_member_is_sent_back_to_the_callback_whatever_the_decision() {
    let sandbox = open(small()).await;
    let refused =
        step(&sandbox, "RequestToken", None, &[("oauth_callback", "http://shop.invalid/back")], "").await;
    assert_eq!(refused.status, 401, "http is refused");
    assert_eq!(step(&sandbox, "RequestToken", Some("scope=All"), &[], "").await.status, 401);
    for (decision, sign) in [("allow", "&oauth_verifier="), ("deny", "?denied=")] {
        let callback = [("oauth_callback", "https://shop.invalid/Back")];
        let asked = step(&sandbox, "RequestToken", None, &callback, "").await.text();
        let token = field(&asked, "oauth_token");
        let back = decide(&sandbox, &token, decision).await;
        let location = back.header("location").expect("somewhere").to_owned();
        assert!(back.status == 302 && location.starts_with("https://shop.invalid/Back?"), "{location}");
        assert!(location.contains(sign) && location.contains(&token), "{location}");
    }
}
