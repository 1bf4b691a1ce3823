//! What all handlers share: the shop behind its lock, the shop's time, and the sign that it closes.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::cardmarket::{Purchase, Shop};
use crate::clock::SharedClock;

/// The running shop.
pub struct House {
    shop: Mutex<Shop>,
    clock: SharedClock,
    offset_ms: AtomicI64,
    in_flight: AtomicUsize,
    closing: CancellationToken,
}

impl House {
    /// Opens.
    pub fn new(shop: Shop, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            shop: Mutex::new(shop),
            clock,
            offset_ms: AtomicI64::new(0),
            in_flight: AtomicUsize::new(0),
            closing: CancellationToken::new(),
        })
    }

    /// The shop, for a moment.
    pub fn shop(&self) -> MutexGuard<'_, Shop> {
        // A test that panicked while it looked does not make the shop unusable.
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shop's time.
    pub fn now(&self) -> DateTime<Utc> {
        let now = self.clock.now();
        now.checked_add_signed(self.offset()).unwrap_or(now)
    }

    /// How far the shop's time is ahead of its clock.
    pub fn offset(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.offset_ms.load(Ordering::SeqCst))
    }

    /// Sets the shop's time to its clock's plus this.
    pub fn set_offset(&self, offset: TimeDelta) {
        self.offset_ms.store(offset.num_milliseconds(), Ordering::SeqCst);
    }

    /// Waits; `false` if the shop closed meanwhile.
    pub async fn wait(&self, span: Duration) -> bool {
        tokio::select! {
            () = self.closing.cancelled() => false,
            () = self.clock.sleep(span) => true,
        }
    }

    /// Returns when the shop closes.
    pub async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Whether the shop has closed.
    pub fn is_closed(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Closes: whoever waits is let go.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Takes a place among the requests under way.
    pub fn enter(self: &Arc<Self>) -> Place {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        Place { house: Arc::clone(self), in_flight }
    }

    /// Buyers come by themselves until the shop closes.
    pub async fn let_buyers_come(self: Arc<Self>, mean: Duration) {
        loop {
            let wait = self.shop().next_buyer(mean);
            if !self.wait(wait).await {
                return;
            }
            let now = self.now();
            if let Err(reason) = self.shop().buy(&Purchase::default(), now) {
                tracing::debug!(target: "sandbox", reason, "a buyer went away");
            }
        }
    }
}

/// A place among the requests under way, given back when dropped.
pub struct Place {
    house: Arc<House>,
    /// How many were under way on entering, this one among them.
    pub in_flight: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.house.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
