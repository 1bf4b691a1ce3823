//! What other programs ask the agent over HTTP: is it there, is it working, what is going on. It changes nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::agent::watch::{Front, Watch};

/// The page of an agent, where the configuration wants it.
pub struct Page {
    /// Where it listens; `None` for no page.
    pub listen: Option<SocketAddr>,
}

#[async_trait]
impl Front for Page {
    async fn open(&self, watch: Arc<Watch>, stop: CancellationToken) -> Result<Option<SocketAddr>, String> {
        let Some(listen) = self.listen else { return Ok(None) };
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            format!(
                "{listen} cannot be listened on ({error}); choose another address for `listen` in [http] of \
                 sellerd.toml, or \"off\""
            )
        })?;
        let address = listener.local_addr().ok();
        tokio::spawn(async move {
            if let Err(error) = serve(listener, watch, stop).await {
                tracing::error!("the page broke off: {error}");
            }
        });
        Ok(address)
    }
}

/// Answers until `stop` is cancelled.
async fn serve(listener: TcpListener, watch: Arc<Watch>, stop: CancellationToken) -> std::io::Result<()> {
    let loopback = listener.local_addr()?.ip().is_loopback();
    let router = Router::new()
        .route("/", get(root))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/status.json", get(status))
        .layer(middleware::from_fn(move |request, next| guard(loopback, request, next)))
        .with_state(watch);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn root() -> &'static str {
    "sellerd\n\n/healthz      the process answers\n/readyz       it works\n/status.json  what is going on\n"
}

async fn readyz(State(watch): State<Arc<Watch>>) -> Response {
    match watch.not_ready() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

async fn status(State(watch): State<Arc<Watch>>) -> Response {
    match watch.status().await {
        Ok(status) => Json(status).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// On loopback only names of this machine are answered: otherwise a web page could reach us through a name of its
/// own that resolves to 127.0.0.1.
async fn guard(loopback: bool, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if loopback && !names_this_machine(host) {
        return (StatusCode::FORBIDDEN, "ask for localhost\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["localhost:8787", "127.0.0.1:8787", "[::1]:8787", "LOCALHOST", ""] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "192.168.1.2"] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
