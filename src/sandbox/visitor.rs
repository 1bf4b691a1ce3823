//! A caller for the shop's tests: plain sockets and the shop's own signer, so that nothing between the test
//! and the bytes is clever.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cardmarket::{Claim, sign};
use super::{Keys, Sandbox};

static NONCE: AtomicU64 = AtomicU64::new(1);

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the body is as long as was promised.
    pub fn is_whole(&self) -> bool {
        self.header("content-length").is_none_or(|length| length == self.body.len().to_string())
    }
}

/// A request under construction.
pub struct Ask {
    host: String,
    pub method: &'static str,
    pub path: String,
    pub query: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    keys: Keys,
    pub claim: Claim,
}

impl Ask {
    /// A GET of a resource, with all that a signature needs.
    pub fn new(sandbox: &Sandbox, resource: &str) -> Self {
        let keys = sandbox.credentials().clone();
        let host = sandbox.base_url().trim_start_matches("http://").trim_end_matches("/ws/v2.0").to_owned();
        let path = format!("/ws/v2.0/output.json{resource}");
        let claim = Claim {
            realm: format!("http://{host}{path}"),
            consumer_key: keys.consumer_key.clone(),
            token: keys.token.clone(),
            nonce: format!("n{}", NONCE.fetch_add(1, Ordering::SeqCst)),
            timestamp: sandbox.now().timestamp().to_string(),
            method: "HMAC-SHA1".to_owned(),
            version: "1.0".to_owned(),
            signature: String::new(),
        };
        let (method, query, headers, body) = ("GET", None, Vec::new(), Vec::new());
        Self { host, method, path, query, headers, body, keys, claim }
    }

    /// The same, signed with another access token.
    pub fn by_user(mut self, token: &str, secret: &str) -> Self {
        (self.claim.token, self.keys.token_secret) = (token.to_owned(), secret.to_owned());
        self
    }

    /// A request to the control port or the front page: not signed.
    pub fn plain(sandbox: &Sandbox, method: &'static str, path: &str, body: &str) -> Self {
        let mut ask = Self::new(sandbox, "");
        (ask.method, ask.path, ask.body) = (method, path.to_owned(), body.as_bytes().to_vec());
        ask
    }

    /// The header that the claim makes, signed for this request.
    pub fn header(&mut self) -> String {
        let url = format!("http://{}{}", self.host, self.path);
        let keys = &self.keys;
        sign(
            &mut self.claim,
            self.method,
            &url,
            self.query.as_deref(),
            &keys.consumer_secret,
            &keys.token_secret,
        );
        let Claim { realm, consumer_key, token, nonce, timestamp, method, version, signature } = &self.claim;
        format!(
            "OAuth realm=\"{realm}\", oauth_consumer_key=\"{consumer_key}\", oauth_token=\"{token}\", \
             oauth_nonce=\"{nonce}\", oauth_timestamp=\"{timestamp}\", oauth_signature_method=\"{method}\", \
             oauth_version=\"{version}\", oauth_signature=\"{signature}\""
        )
    }

    /// Signs and sends.
    pub async fn signed(mut self) -> io::Result<Reply> {
        let header = self.header();
        self.with_authorization(&header).await
    }

    /// Sends with this `Authorization` header.
    pub async fn with_authorization(mut self, header: &str) -> io::Result<Reply> {
        self.headers.push(("Authorization".to_owned(), header.to_owned()));
        self.send().await
    }

    /// Opens a connection, sends, and leaves it open without reading.
    pub async fn start(self) -> io::Result<TcpStream> {
        let mut tcp = TcpStream::connect(&self.host).await?;
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut head = format!("{} {}{query} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        tcp.write_all(head.as_bytes()).await?;
        tcp.write_all(&self.body).await?;
        Ok(tcp)
    }

    /// Sends as it is and reads until the other side closes.
    pub async fn send(self) -> io::Result<Reply> {
        let mut tcp = self.start().await?;
        let mut bytes = Vec::new();
        tcp.read_to_end(&mut bytes).await?;
        let end =
            bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Reply { status, headers, body: bytes[end + 4..].to_vec() })
    }
}

/// A signed GET that is answered.
pub async fn get(sandbox: &Sandbox, resource: &str) -> Reply {
    Ask::new(sandbox, resource).signed().await.expect("an answer")
}

/// A signed request with this body.
pub async fn send(sandbox: &Sandbox, method: &'static str, resource: &str, xml: &str) -> io::Result<Reply> {
    let mut ask = Ask::new(sandbox, resource);
    (ask.method, ask.body) = (method, xml.as_bytes().to_vec());
    if !xml.is_empty() {
        ask.headers.push(("Content-Type".to_owned(), "application/xml; charset=utf-8".to_owned()));
    }
    ask.signed().await
}

/// A request to the control port.
pub async fn control(sandbox: &Sandbox, method: &'static str, path: &str, body: &str) -> Reply {
    Ask::plain(sandbox, method, &format!("/sandbox{path}"), body).send().await.expect("an answer")
}
