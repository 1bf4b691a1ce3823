//! What the agent lets others see, and who shows it. The agent says when the page opens and closes; what is on it is
//! for the floor above, which this room does not know.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::status::Status;

/// What the page is made of, read when it is asked for.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The status, or why there is none.
    async fn status(&self) -> Result<Status, String>;

    /// Why the agent is not ready, if it is not.
    fn not_ready(&self) -> Option<String>;
}

/// Opens pages.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Binds an address, so that a port in use is known before anything runs; or says why that cannot be.
    async fn bind(&self, listen: SocketAddr) -> Result<Box<dyn Page>, String>;
}

/// A page at an address that is bound.
#[async_trait]
pub trait Page: Send + 'static {
    /// Where it is.
    fn address(&self) -> SocketAddr;

    /// Answers until `stop` is cancelled.
    async fn serve(self: Box<Self>, source: Arc<dyn Source>, stop: CancellationToken) -> std::io::Result<()>;
}
