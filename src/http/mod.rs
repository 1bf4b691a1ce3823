//! The only outbound network to marketplaces. It knows requests, not what a listing is.

mod classify;
mod client;
mod download;
mod error;
mod gate;
mod handshake;
pub mod local;
pub mod oauth1;
mod pace;
mod random;
mod transport;
mod writing;

pub use classify::{LimitHeaders, Maintenance};
pub use client::{Answer, Asking, Call, Canary, Client, Parts};
pub use download::{Download, FILE_LIMIT};
pub use error::CallError;
pub use gate::{Attempt, Gate, Outgoing, Pass, Refusal, Settled};
pub use handshake::{Exchange, Handshake, Heard};
pub use random::Random;
pub use transport::{
    BODY_LIMIT, Body, Chunks, Opened, ReqwestTransport, Transport, WireError, WireRequest, WireResponse,
    install_tls_provider,
};
pub use writing::{Write, WriteError, WriteMethod, WritingClient};
