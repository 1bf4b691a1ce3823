//! Waits for a browser that the marketplace has sent back. It hears one thing, for as long as one login takes.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Listens; the addresses that browsers ask for come out, as far as they carry `parameter` or a refusal. It ends with
/// the receiver.
pub async fn listen(
    at: SocketAddr,
    parameter: &'static str,
) -> std::io::Result<mpsc::Receiver<SecretString>> {
    let tcp = TcpListener::bind(at).await?;
    let (tell, told) = mpsc::channel(4);
    let hear = move |uri: Uri| {
        let tell = tell.clone();
        async move { heard(&uri, parameter, &tell) }
    };
    let router = Router::new().fallback(hear);
    tokio::spawn(async move {
        // It ends only with its task: `axum::serve` retries what fails.
        let _ = axum::serve(tcp, router).await;
    });
    Ok(told)
}

fn heard(uri: &Uri, parameter: &str, tell: &mpsc::Sender<SecretString>) -> Response {
    let query = uri.query().unwrap_or_default();
    let speaks = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, _)| name == parameter || name == "denied" || name == "oauth_problem");
    // A browser also asks for an icon, and whoever scans ports for anything.
    if !speaks {
        return (StatusCode::NOT_FOUND, Html("<p>sellerd waits for a login here.</p>")).into_response();
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
        let (tell, mut told) = mpsc::channel(4);
        for uri in
            ["/favicon.ico", "/", "/?x=1", "/back?request_token=", "/back?a=b&request_token=T", "/?denied=T"]
        {
            heard(&uri.parse().unwrap(), "request_token", &tell);
        }
        let mut all = Vec::new();
        while let Ok(uri) = told.try_recv() {
            all.push(uri.expose_secret().to_owned());
        }
        assert_eq!(all, ["/back?request_token=", "/back?a=b&request_token=T", "/?denied=T"]);
    }
}
