//! What all handlers share: the shops behind their locks, their time, and the sign that they close.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::cardmarket::{self, Shop};
use super::fault::Fault;
use super::trademe;
use super::venue::Venue;
use crate::clock::SharedClock;

/// The running shops.
pub struct House {
    shop: Mutex<Shop>,
    trademe: Mutex<trademe::Shop>,
    clock: SharedClock,
    offset_ms: AtomicI64,
    in_flight: AtomicUsize,
    closing: CancellationToken,
}

impl House {
    /// Opens.
    pub fn new(shop: Shop, trademe: trademe::Shop, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            shop: Mutex::new(shop),
            trademe: Mutex::new(trademe),
            clock,
            offset_ms: AtomicI64::new(0),
            in_flight: AtomicUsize::new(0),
            closing: CancellationToken::new(),
        })
    }

    /// The shop at Cardmarket, for a moment.
    pub fn shop(&self) -> MutexGuard<'_, Shop> {
        // A test that panicked while it looked does not make the shop unusable.
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shop at Trade Me, for a moment.
    pub fn trademe(&self) -> MutexGuard<'_, trademe::Shop> {
        self.trademe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns a fault on at every marketplace that it is for.
    pub fn fault(&self, fault: &Fault) {
        let now = self.now();
        for venue in fault.shops() {
            match venue {
                Venue::Cardmarket => self.shop().fault(fault.clone(), now),
                Venue::Trademe => self.trademe().fault(fault.clone(), now),
            }
        }
    }

    /// Turns all faults off and gives the allowances back.
    pub fn clear_faults(&self) {
        self.shop().clear_faults();
        self.trademe().clear_faults();
    }

    /// The faults that are on, each with the marketplace that it is on at.
    pub fn faults(&self) -> Vec<Fault> {
        let now = self.now();
        let mut faults = self.shop().faults(now);
        faults.iter_mut().for_each(|fault| fault.shop = Some(Venue::Cardmarket));
        let theirs = self.trademe().faults(now);
        faults.extend(theirs.into_iter().map(|fault| fault.at(Venue::Trademe)));
        faults
    }

    /// The shops' time.
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
    pub async fn let_buyers_come(self: Arc<Self>, venue: Venue, mean: Duration) {
        loop {
            let wait = match venue {
                Venue::Cardmarket => self.shop().next_buyer(mean),
                Venue::Trademe => self.trademe().next_buyer(mean),
            };
            if !self.wait(wait).await {
                return;
            }
            let now = self.now();
            let came_to_nothing = match venue {
                Venue::Cardmarket => self.shop().buy(&cardmarket::Purchase::default(), now).err(),
                Venue::Trademe => self.trademe().buy(&trademe::Purchase::default(), now).err(),
            };
            if let Some(reason) = came_to_nothing {
                tracing::debug!(target: "sandbox", shop = %venue, reason, "a buyer went away");
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
