//! Waits for a browser that the marketplace has sent back. It hears one thing, for as long as one login takes.
//!
//! Whoever reaches the address may ask for anything: what is not about the login that is waited for gets a page and
//! goes no further.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::marketplace::comes_back;

/// Listens; the addresses that browsers ask for come out, as far as they carry `parameter` or a refusal and name the
/// login's `token`, where it has one. It ends with the receiver.
pub async fn listen(
    at: SocketAddr,
    parameter: &'static str,
    token: Option<SecretString>,
) -> std::io::Result<mpsc::Receiver<SecretString>> {
    let tcp = TcpListener::bind(at).await?;
    let (tell, told) = mpsc::channel(4);
    let hear = move |uri: Uri| {
        let answer = heard(&uri, parameter, token.as_ref(), &tell);
        async move { answer }
    };
    let router = Router::new().fallback(hear);
    tokio::spawn(async move {
        // It ends only with its task: `axum::serve` retries what fails.
        let _ = axum::serve(tcp, router).await;
    });
    Ok(told)
}

fn heard(
    uri: &Uri,
    parameter: &str,
    token: Option<&SecretString>,
    tell: &mpsc::Sender<SecretString>,
) -> Response {
    // A browser also asks for an icon, and whoever scans ports for anything.
    if !comes_back(uri.query().unwrap_or_default(), parameter, token) {
        let page = "<!DOCTYPE html><title>sellerd</title><p>sellerd waits for a login here, and this is none of it.</p>";
        return (StatusCode::NOT_FOUND, Html(page)).into_response();
    }
    // One that does not fit any more comes from a page that was loaded again.
    let address = uri.path_and_query().map_or("", |address| address.as_str());
    let _ = tell.try_send(address.into());
    Html("<!DOCTYPE html><title>sellerd</title><p>Thank you. The rest is said where the login was begun; this page can be closed.</p>").into_response()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn only_what_a_marketplace_sends_back_is_heard() {
        let all_of = |token: Option<&str>, parameter: &str, uris: &[&str]| {
            let (tell, mut told) = mpsc::channel(4);
            for uri in uris {
                let token = token.map(SecretString::from);
                heard(&uri.parse().unwrap(), parameter, token.as_ref(), &tell);
            }
            let next = || told.try_recv().ok().map(|uri| uri.expose_secret().to_owned());
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        let uris =
            ["/favicon.ico", "/", "/?x=1", "/back?request_token=", "/back?a=b&request_token=T", "/?denied=T"];
        assert_eq!(all_of(None, "request_token", &uris), ["/back?a=b&request_token=T"]);
        let uris = ["/?denied=U", "/?denied=T", "/?oauth_verifier=1", "/?oauth_token=U&oauth_verifier=1"];
        assert_eq!(all_of(Some("T"), "oauth_verifier", &uris), ["/?denied=T"]);
    }
}
