//! What every story needs: a shop with a configuration beside it, the program run once, and the agent running.
//!
//! Tests are plain functions that block on what they wait for: the end of a child, or a line that it writes. The
//! shops live on one runtime of their own, so a blocked test keeps no shop from answering.

mod agent;
mod place;
mod program;

use std::sync::LazyLock;
use std::time::Duration;

use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::{Listing, Offer};
use tokio::runtime::Runtime;

pub use agent::{Agent, get};
pub use place::{Place, access, status_of};
pub use program::{Program, Ran, finish};

/// The longest anything here may take before the test that waits for it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the pretend shops live.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made")
});

/// Asks again until there is an answer, for what cannot call back: a shop's book of requests, a row in the database
/// of another process. Everything else blocks on a child's next line instead.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = SystemClock::default();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        RUNTIME.block_on(clock.sleep(Duration::from_millis(25)));
    }
}

/// What is on offer under a listing of which nothing lies in carts.
pub fn offer(listing: &Listing) -> Offer {
    let Listing { quantity, price, attributes, .. } = listing.clone();
    Offer { quantity, in_carts: 0, price, attributes }
}
