//! Fetches a file that a marketplace has made and put elsewhere, part by part.
//!
//! It is no request to the marketplace: it is not signed, since the store that holds the file refuses a login that is
//! not its own, it passes no gate, since it costs nothing of the quota, and it does not keep the account's requests
//! waiting. The URL opens the file to whoever has it, so it stands in no message.

use std::net::IpAddr;

use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use super::CallError;
use super::transport::{Chunks, WireError};
use crate::domain::ErrorType;

/// The most that is read of one file: a million articles have less than a gigabyte.
pub const FILE_LIMIT: u64 = 4 << 30;

/// A file on its way here.
pub struct Download {
    chunks: Box<dyn Chunks>,
    bytes: u64,
    stop: CancellationToken,
}

impl Download {
    pub(super) fn new(chunks: Box<dyn Chunks>, stop: CancellationToken) -> Self {
        Self { chunks, bytes: 0, stop }
    }

    /// The next part; `None` at its end. A stop takes effect at once.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let chunk = tokio::select! {
            chunk = self.chunks.next() => chunk.map_err(unavailable)?,
            () = self.stop.cancelled() => return Err(CallError::Stopped),
        };
        self.bytes += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.bytes > FILE_LIMIT {
            return Err(bad(format!("it is larger than {} GiB", FILE_LIMIT >> 30)));
        }
        Ok(chunk)
    }
}

/// Whether a file may be fetched from there: encrypted, or from this machine, as in a sandbox.
pub(super) fn may_be_fetched(url: &str) -> Result<(), CallError> {
    let url = Url::parse(url).map_err(|_| bad("its address is no URL".to_owned()))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        scheme => Err(bad(format!("its address begins with `{scheme}:` and should begin with `https:`"))),
    }
}

pub(super) fn unavailable(error: WireError) -> CallError {
    let WireError { error_type, what, .. } = error;
    CallError::Unavailable { at: at(), what, error_type }
}

pub(super) fn refused(status: u16) -> CallError {
    // It says nothing about the account: the store is not the marketplace.
    let error_type = if status >= 500 { ErrorType::Http5xx } else { ErrorType::Http4xx };
    CallError::Unavailable { at: at(), what: format!("{status} instead of the file"), error_type }
}

fn bad(what: String) -> CallError {
    CallError::BadAnswer { at: at(), what }
}

fn at() -> String {
    "the file that was made".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_fetched_encrypted_or_from_this_machine() {
        for good in ["https://bucket.example/a?X-Amz-Signature=1", "http://127.0.0.1:9/a", "http://[::1]:9/a"]
        {
            assert_eq!(may_be_fetched(good), Ok(()), "{good}");
        }
        for bad in ["http://bucket.example/a", "ftp://127.0.0.1/a", "file:///etc/passwd", "a", ""] {
            let error = may_be_fetched(bad).unwrap_err().to_string();
            assert!(!error.contains("bucket") && !error.contains("passwd"), "{error}");
        }
    }
}
