//! Where the tests of stock sync play: a shop in memory, a list in a file, and a clerk between the job and the shop who
//! counts every call, so that anything can happen just before one or just after it: a sale, an edit by hand, the end of
//! the process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::super::testing::Place;
use super::super::{Context, Errand, JobError, Report, Way};
use crate::clock::{Clock, ManualClock};
use crate::config::{Absent, Guards, StockSync};
use crate::domain::{
    Currency, Drafting, ErrorType, Held, Intent, IntentState, LineId, Listing, ListingId, Money, Order,
    OrderFeed, OrderId, OrderLine, OrderPage, OrderRead, OrderState, PageCursor, PlanId, RunId, StockPage,
};
use crate::http::Refusal;
use crate::marketplace::memory::{Memory, Shop};
use crate::marketplace::{
    Batch, CallError, Capabilities, Identity, ItemOutcome, Marketplace, WriteError, Writer,
};
use crate::source::testing;
use crate::store::{Store, StoreError, Tx, intents, parked, plans, snapshots};

/// A shop, a list, and a job that makes the one what the other says.
pub(super) struct Stage {
    pub place: Place,
    pub memory: Memory,
    pub settings: StockSync,
    pub calls: Arc<Calls>,
}

/// The calls to the shop: each counts two, one before it is done and one after.
#[derive(Default)]
pub(super) struct Calls {
    passed: AtomicU32,
    dies_after: AtomicU32,
    dead: Notify,
    /// Writes that are still answered before the shop answers nobody any more; `None` while it is well.
    until_outage: Mutex<Option<u32>>,
    meddle: Mutex<Option<Meddle>>,
}

/// What happens in the shop at a moment, by the number of the moment.
type Meddle = Box<dyn FnMut(u32, &mut Shop) + Send>;

impl Calls {
    /// Has this happen at each moment.
    pub fn meddle(&self, with: impl FnMut(u32, &mut Shop) + Send + 'static) {
        *self.meddle.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(with));
    }

    /// The shop is left alone again.
    pub fn leave_alone(&self) {
        *self.meddle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// After so many more writes the shop answers nobody any more.
    pub fn fall_silent_after(&self, writes: u32) {
        *self.until_outage.lock().unwrap_or_else(PoisonError::into_inner) = Some(writes);
    }

    /// The shop answers again.
    pub fn answer_again(&self) {
        *self.until_outage.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn silent(&self) -> bool {
        *self.until_outage.lock().unwrap_or_else(PoisonError::into_inner) == Some(0)
    }

    fn note_answered_write(&self) {
        let mut left = self.until_outage.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.map(|writes| writes.saturating_sub(1));
    }

    /// The moments of the last run.
    pub fn passed(&self) -> u32 {
        self.passed.load(Ordering::SeqCst)
    }

    async fn moment(&self, memory: &Memory) {
        let moment = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if moment == self.dies_after.load(Ordering::SeqCst) {
            self.dead.notify_one();
            return std::future::pending().await;
        }
        if let Some(meddle) = &mut *self.meddle.lock().unwrap_or_else(PoisonError::into_inner) {
            meddle(moment, &mut memory.shop());
        }
    }
}

impl Stage {
    pub fn new(stock: Vec<Listing>) -> Self {
        let place = Place::new();
        let memory = Memory::default();
        memory.shop().stock = stock;
        let source = testing::settings(&place.dir().join("stock.csv"));
        let settings = StockSync {
            source,
            guards: free(),
            absent: Absent::LeaveAlone,
            plan_expires: std::time::Duration::from_secs(1_800),
            export_above: None,
        };
        Self { place, memory, settings, calls: Arc::default() }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.place.clock.now()
    }

    /// The seller writes the list, now.
    pub fn list(&self, rows: &str) {
        self.list_of("sku,quantity,price,comment", rows);
    }

    /// The same with these columns.
    pub fn list_of(&self, columns: &str, rows: &str) {
        let file = self.file();
        std::fs::write(&file, format!("{columns}\n{rows}\n")).unwrap();
        let file = std::fs::File::options().append(true).open(file).unwrap();
        file.set_modified(self.now().into()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.settings.source.path.clone()
    }

    /// One run that may write.
    pub async fn sync(&self) -> Report {
        self.run(Errand::Usual).await.unwrap()
    }

    pub async fn run(&self, errand: Errand) -> Result<Report, JobError> {
        self.calls.passed.store(0, Ordering::SeqCst);
        let way = Way::Writes(Box::new(self.clerk()));
        let job = async |context: &Context| super::run(&self.settings, context).await;
        self.place.work_on(way, errand, job).await
    }

    /// One run that may only look.
    pub async fn look(&self, errand: Errand) -> Result<Report, JobError> {
        let job = async |context: &Context| super::run(&self.settings, context).await;
        self.place.work_on(Way::Looks(Box::new(self.clerk())), errand, job).await
    }

    /// A run that is killed at this moment; `false` if it ended before. Then the agent starts again.
    pub async fn killed_at(&self, moment: u32) -> bool {
        self.calls.dies_after.store(moment, Ordering::SeqCst);
        let died = tokio::select! {
            biased;
            () = self.calls.dead.notified() => true,
            ended = self.run(Errand::Usual) => {
                ended.unwrap();
                false
            }
        };
        self.calls.dies_after.store(0, Ordering::SeqCst);
        let now = self.now();
        self.store(move |tx| {
            intents::drop_pending(tx, None, now)?;
            plans::end_interrupted(tx)?;
            snapshots::left_open(tx)?.into_iter().try_for_each(|open| snapshots::abandon(tx, open.id, now))
        })
        .await;
        died
    }

    fn clerk(&self) -> Clerk {
        Clerk {
            memory: self.memory.clone(),
            store: self.place.store.clone(),
            clock: self.place.clock.clone(),
            calls: self.calls.clone(),
        }
    }

    pub async fn store<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.place.store.write(look).await.unwrap()
    }

    /// A plan's changes as they stand.
    pub async fn intents(&self, plan: PlanId) -> Vec<Intent> {
        self.store(move |tx| {
            let mut all = Vec::new();
            intents::of_plan(tx, plan, |intent| {
                all.push(intent);
                Ok(())
            })?;
            Ok(all)
        })
        .await
    }

    pub async fn states(&self, plan: PlanId) -> Vec<IntentState> {
        self.intents(plan).await.into_iter().map(|intent| intent.state).collect()
    }

    pub async fn held(&self, plan: PlanId) -> Vec<(String, String)> {
        self.store(move |tx| {
            let mut all = Vec::new();
            plans::held(tx, plan, |Held { sku, reason, .. }| {
                all.push((sku.0, reason));
                Ok(())
            })?;
            Ok(all)
        })
        .await
    }

    pub async fn in_doubt(&self) -> usize {
        self.store(|tx| intents::in_doubt(tx, &"cm".into())).await.len()
    }

    /// The run that applied a plan.
    pub async fn applied_by(&self, plan: PlanId) -> RunId {
        let row = self.store(move |tx| plans::get(tx, plan)).await;
        row.unwrap().applied_by.unwrap()
    }

    /// What is for sale: SKU, copies, price and comment, in that order.
    pub fn shelf(&self) -> Vec<(String, i64, i64)> {
        let shop = self.memory.shop();
        let mut shelf: Vec<_> = shop
            .stock
            .iter()
            .map(|listing| (listing.sku.0.clone(), listing.quantity, listing.price.minor))
            .collect();
        shelf.sort();
        shelf
    }

    /// How many requests arrived that write.
    pub fn writes(&self) -> usize {
        self.memory.shop().written.len()
    }
}

/// Guards that hold nothing, since what they hold is told elsewhere.
pub(super) fn free() -> Guards {
    Guards {
        max_changes_percent: 100,
        max_zeroed_items: 1_000,
        max_removed_items: 1_000,
        max_price_change_percent: 1_000,
        max_value_change_percent: 10_000,
        ..Guards::default()
    }
}

/// A listing at the shop.
pub(super) fn listing(id: i64, sku: &str, quantity: i64, minor: i64) -> Listing {
    Listing {
        id: ListingId(id),
        sku: sku.into(),
        title: format!("card {sku}"),
        quantity,
        price: eur(minor),
        attributes: "{}".to_owned(),
    }
}

/// Somebody buys copies of a listing.
pub(super) fn order(
    number: i64,
    listing: &Listing,
    quantity: i64,
    placed_at: Option<DateTime<Utc>>,
) -> Order {
    Order {
        id: OrderId(number),
        state: OrderState::Paid,
        placed_at,
        paid_at: placed_at,
        total: eur(listing.price.minor * quantity),
        tracking_number: None,
        lines: vec![OrderLine {
            id: LineId(number * 10),
            sku: listing.sku.clone(),
            listing_id: listing.id,
            title: listing.title.clone(),
            quantity,
            unit_price: listing.price,
        }],
    }
}

fn eur(minor: i64) -> Money {
    Money { minor, currency: Currency::EUR }
}

/// Carries calls to the shop and does on the way what the gate does: what is parked is not let out, and what leaves is
/// written down first.
struct Clerk {
    memory: Memory,
    store: Store,
    clock: Arc<ManualClock>,
    calls: Arc<Calls>,
}

impl Clerk {
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.calls.moment(&self.memory).await;
        let answer = call.await;
        self.calls.moment(&self.memory).await;
        answer
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        if self.calls.silent() {
            return Err(no_answer());
        }
        self.around(call).await
    }
}

fn no_answer() -> CallError {
    let (at, what) = ("a call in memory".to_owned(), "503".to_owned());
    CallError::Unavailable { at, what, error_type: ErrorType::Http5xx }
}

#[async_trait]
impl Marketplace for Clerk {
    fn capabilities(&self) -> &Capabilities {
        self.memory.capabilities()
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        self.memory.identity().await
    }

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        self.read(self.memory.stock_page(at)).await
    }

    async fn in_carts(&self) -> Result<Vec<Listing>, CallError> {
        self.read(self.memory.in_carts()).await
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        self.read(self.memory.order_page(feed, at)).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
        self.read(self.memory.order(id)).await
    }

    fn drafting(&self) -> Arc<dyn Drafting> {
        self.memory.drafting()
    }
}

#[async_trait]
impl Writer for Clerk {
    async fn write(&self, batch: &Batch) -> Result<Vec<ItemOutcome>, WriteError> {
        let ids: Vec<_> = batch.items.iter().flat_map(|item| item.intents.iter().copied()).collect();
        let now = self.clock.now();
        let let_out = self.store.write(move |tx| {
            let parked = parked::get(tx, &"cm".into())?;
            if parked.is_none() {
                intents::mark_sent(tx, &ids, 1, now)?;
            }
            Ok(parked)
        });
        if let Some(parked) = let_out.await.unwrap() {
            return Err(WriteError::NoEffect(CallError::Refused(Refusal::Parked(parked.arithmetic))));
        }
        if self.calls.silent() {
            return Err(WriteError::InDoubt(no_answer()));
        }
        self.calls.note_answered_write();
        self.around(self.memory.write(batch)).await
    }
}
