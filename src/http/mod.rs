//! The only outbound network to marketplaces. It knows requests, not what a listing is.

mod error;
mod gate;
pub mod oauth1;

pub use error::CallError;
pub use gate::{Attempt, Gate, Outgoing, Pass, Refusal};
