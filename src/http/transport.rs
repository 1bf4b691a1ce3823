//! The wire: sends one request and brings the answer, whatever it is. Everything clever is in the client.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::domain::ErrorType;

/// The most that is read of one answer. A page of 100 articles has 60 KB.
pub const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The room for an answer that nobody has told the size of.
const SMALL: usize = 8 * 1024;

/// Sends a request as it stands. Under simulation another one takes its place.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Brings the whole answer, or says what kept it from coming.
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError>;

    /// Opens a file that lies elsewhere, without a login. `timeout` is for each of its parts. A wire that leads to
    /// the marketplace alone has none.
    async fn open(&self, _url: &str, _timeout: Duration) -> Result<Opened, WireError> {
        Err(WireError {
            error_type: ErrorType::Connect,
            what: "this wire leads to the marketplace alone".to_owned(),
            unsent: true,
        })
    }
}

/// A file that begins to arrive.
pub struct Opened {
    /// The HTTP status.
    pub status: u16,
    /// The file.
    pub chunks: Box<dyn Chunks>,
}

/// A file on its way here.
#[async_trait]
pub trait Chunks: Send {
    /// The next part; `None` at the end of a file that came whole.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, WireError>;
}

/// What goes over the wire.
pub struct WireRequest<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The exact text of the URL, the same that was signed.
    pub url: &'a str,
    /// The `Authorization` header, if the request is signed.
    pub authorization: Option<&'a str>,
    /// What is sent with it.
    pub body: Option<&'a Body>,
    /// From the first byte sent to the last byte read.
    pub timeout: Duration,
}

impl fmt::Debug for WireRequest<'_> {
    /// Without what signs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, authorization, body, timeout } = self;
        let signed = authorization.is_some();
        let mut shown = f.debug_struct("WireRequest");
        shown.field("method", method).field("url", url).field("signed", &signed);
        shown.field("body", body).field("timeout", timeout).finish()
    }
}

/// What a request carries. It is wiped, since one of a login carries what a person brought back.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Body {
    /// Without the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content_type, bytes } = self;
        f.debug_struct("Body").field("content_type", content_type).field("len", &bytes.len()).finish()
    }
}

/// An answer with its whole body.
#[derive(Clone, Default)]
pub struct WireResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

impl WireResponse {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.header(name)?.trim().parse().ok()
    }
}

impl fmt::Debug for WireResponse {
    /// Without the body, which may hold tokens or names, and the values of the headers, which people can be told apart by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers, body } = self;
        let headers: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        let mut shown = f.debug_struct("WireResponse");
        shown.field("status", status).field("headers", &headers).field("len", &body.len()).finish()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct WireError {
    /// The kind of it.
    pub error_type: ErrorType,
    /// In words, without the URL.
    pub what: String,
    /// Whether nothing can have arrived: no connection came about.
    pub unsent: bool,
}

/// The real wire: one connection pool, no redirects, no retries, no cookies, no decisions.
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// A pool for one account. `https` says whether certificates are needed: plain HTTP, which the configuration
    /// allows on loopback only, works on a machine that has none.
    #[expect(clippy::disallowed_methods, reason = "this is where clients are built")]
    pub fn new(https: bool) -> Result<Self, WireError> {
        install_tls_provider();
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("accept"), HeaderValue::from_static("application/json"));
        let builder = reqwest::Client::builder()
            .user_agent(concat!("sellerd/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A redirected request has a wrong signature and may carry the header to another host.
            .redirect(reqwest::redirect::Policy::none())
            // The library would send again with the same nonce, past the gate.
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(60))
            .https_only(https);
        let builder = if https { builder } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(|e| WireError {
            error_type: ErrorType::Tls,
            what: format!(
                "no HTTPS client can be made ({}); install the package ca-certificates",
                root_cause(&e)
            ),
            unsent: true,
        })?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| WireError {
            error_type: ErrorType::Internal,
            what: "no such method".to_owned(),
            unsent: true,
        })?;
        let mut builder = self.client.request(method, request.url).timeout(request.timeout);
        if let Some(authorization) = request.authorization {
            builder = match sensitive(authorization) {
                Some(value) => builder.header("authorization", value),
                // The library says what is wrong with it, as with anything else that cannot be sent.
                None => builder.header("authorization", authorization),
            };
        }
        if let Some(body) = request.body {
            builder = builder.header("content-type", body.content_type).body(wiped(body.bytes.clone()));
        }
        let mut response = builder.send().await.map_err(describe)?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        // The answers of a login fit into it, so that no copy of them is left behind by growing.
        let mut body = Vec::with_capacity(SMALL);
        while let Some(chunk) = response.chunk().await.map_err(describe)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(WireError {
                    error_type: ErrorType::BadResponse,
                    what: format!("the answer is larger than {} MiB", BODY_LIMIT >> 20),
                    unsent: false,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(WireResponse { status, headers, body })
    }

    async fn open(&self, url: &str, timeout: Duration) -> Result<Opened, WireError> {
        let response = within(timeout, self.client.get(url).send()).await?;
        let status = response.status().as_u16();
        Ok(Opened { status, chunks: Box::new(Arriving { response, timeout }) })
    }
}

/// Bytes that the library has and does not copy, and that are wiped when it drops them.
pub(super) fn wiped(bytes: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(bytes)
}

/// The same as the value of a header, which the library does not show either; `None` where it cannot be one.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(wiped(Zeroizing::new(text.as_bytes().to_vec()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

struct Arriving {
    response: reqwest::Response,
    timeout: Duration,
}

#[async_trait]
impl Chunks for Arriving {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        let chunk = within(self.timeout, self.response.chunk()).await?;
        Ok(chunk.map(|chunk| chunk.to_vec()))
    }
}

/// A large file may take long; what may not is each of its parts.
async fn within<T>(
    timeout: Duration,
    part: impl Future<Output = Result<T, reqwest::Error>>,
) -> Result<T, WireError> {
    let late =
        || WireError { error_type: ErrorType::Timeout, what: "no answer in time".to_owned(), unsent: false };
    tokio::time::timeout(timeout, part).await.map_err(|_| late())?.map_err(describe)
}

/// Names what went wrong without the URL, which could hold what is nobody's business.
fn describe(error: reqwest::Error) -> WireError {
    let cause = root_cause(&error);
    let lower = cause.to_ascii_lowercase();
    let (error_type, what) = if error.is_timeout() {
        (ErrorType::Timeout, "no answer in time".to_owned())
    } else if body_broke_off(&error) {
        (ErrorType::Connect, format!("the connection broke within the answer ({cause})"))
    } else if lower.contains("dns") || lower.contains("lookup") || lower.contains("resolve") {
        (ErrorType::Dns, format!("the host's name cannot be resolved ({cause})"))
    } else if lower.contains("certificate") || lower.contains("handshake") || lower.contains("tls") {
        (ErrorType::Tls, format!("no secure connection ({cause})"))
    } else if error.is_connect() {
        (ErrorType::Connect, format!("no connection ({cause})"))
    } else if error.is_decode() {
        (ErrorType::BadResponse, format!("the answer cannot be unpacked ({cause})"))
    } else {
        (ErrorType::Connect, format!("the connection broke ({cause})"))
    };
    WireError { error_type, what, unsent: error.is_connect() }
}

/// Whether the connection ended before the body did. reqwest reports that as a body that cannot be unpacked, since
/// it might have been compressed, and only hyper's own words below it tell the two apart.
fn body_broke_off(error: &reqwest::Error) -> bool {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source())
        .any(|error| error.to_string().contains("reading a body from connection"))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    crate::domain::clean(&cause.to_string())
}

/// Names ring as the process's TLS provider. Harmless to call again.
pub fn install_tls_provider() {
    // An error only says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
