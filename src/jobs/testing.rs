//! What the tests of the jobs share: a place to work in, and things to sell.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Context, Errand, JobError, Report, Shelf, Turn, Way, Worked};
use crate::clock::ManualClock;
use crate::domain::{
    Currency, LineId, Listing, ListingId, Money, Order, OrderFeed, OrderId, OrderLine, OrderPage, OrderRead,
    OrderState, Outcome, PageCursor, RunId, StockPage, Trigger,
};
use crate::marketplace::memory::Memory;
use crate::marketplace::{Attention, CallError, Capabilities, Identity, Marketplace, StockExport};
use crate::policy::quota::WindowKind;
use crate::store::{Lane, Store, runs, snapshots};

/// A database of its own and a clock that stands still until it is moved.
pub(super) struct Place {
    pub store: Store,
    pub clock: Arc<ManualClock>,
    /// What starts the runs.
    pub trigger: Trigger,
    /// How many requests the account may make in an hour.
    pub limit: Option<i64>,
    /// The shelf that the account sells from.
    pub shelf: Shelf,
    turn: Turn,
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&*clock);
        let store = Store::open(&dir.path().join("sellerd.db"), Lane::Inline, now).unwrap();
        Self {
            store,
            clock,
            trigger: Trigger::Manual,
            limit: None,
            shelf: Shelf::default(),
            turn: Turn::default(),
            dir,
        }
    }

    /// The state directory.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// One run of a job on account `cm`, opened and closed as the agent does.
    pub async fn work(
        &self,
        market: Box<dyn Marketplace>,
        job: impl AsyncFnOnce(&Context) -> Result<Report, JobError>,
    ) -> Result<Report, JobError> {
        self.work_on(Way::Looks(market), Errand::Usual, job).await
    }

    /// The same with a way of its own, on an errand.
    pub async fn work_on(
        &self,
        way: Way,
        errand: Errand,
        job: impl AsyncFnOnce(&Context) -> Result<Report, JobError>,
    ) -> Result<Report, JobError> {
        self.clock.jump(chrono::TimeDelta::minutes(5));
        let now = crate::clock::Clock::now(&*self.clock);
        let new = runs::NewRun {
            job: "job".into(),
            kind: "job".to_owned(),
            account: Some("cm".into()),
            due_at: now,
            trigger: self.trigger,
            started_at: now,
        };
        let run: RunId = self.store.write(move |tx| runs::open(tx, &new)).await?.unwrap();
        let context = Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            run,
            job: "job".into(),
            account: Some(Worked {
                name: "cm".into(),
                way,
                currency: Currency::EUR,
                grace: Duration::from_secs(15),
                window: WindowKind::Hour,
                limit: self.limit,
                shelf: self.shelf.clone(),
                turn: self.turn.clone(),
                earmarks: Default::default(),
            }),
            errand,
            trigger: self.trigger,
            progress: Arc::default(),
            state_dir: self.dir.path().to_owned(),
            stop: CancellationToken::new(),
        };
        let result = job(&context).await;
        let outcome = result.as_ref().map_or_else(JobError::outcome, Report::outcome);
        self.store.write(move |tx| close(tx, run, outcome, now)).await?;
        result
    }
}

fn close(
    tx: &crate::store::Tx<'_>,
    run: RunId,
    outcome: Outcome,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), crate::store::StoreError> {
    let end =
        runs::RunEnd { outcome, error_type: None, message: None, requests: 0, counts: Default::default() };
    runs::finish(tx, run, &end, now)?;
    snapshots::abandon_of(tx, run, now)
}

/// A shop that is the one in memory but for what it answers otherwise.
#[async_trait]
pub(super) trait LikeMemory: Send + Sync {
    fn memory(&self) -> &Memory;

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        self.memory().stock_page(at).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
        self.memory().order(id).await
    }

    fn stock_export(&self) -> Option<&dyn StockExport> {
        self.memory().stock_export()
    }

    async fn attention(&self) -> Result<Vec<Attention>, CallError> {
        self.memory().attention().await
    }
}

#[async_trait]
impl<T: LikeMemory> Marketplace for T {
    fn capabilities(&self) -> &Capabilities {
        self.memory().capabilities()
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        self.memory().identity().await
    }

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        LikeMemory::stock_page(self, at).await
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        self.memory().order_page(feed, at).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
        LikeMemory::order(self, id).await
    }

    fn stock_export(&self) -> Option<&dyn StockExport> {
        LikeMemory::stock_export(self)
    }

    async fn attention(&self) -> Result<Vec<Attention>, CallError> {
        LikeMemory::attention(self).await
    }
}

/// A listing of one copy.
pub(super) fn listing(id: i64) -> Listing {
    Listing {
        id: ListingId(id),
        sku: format!("sku-{id}").as_str().into(),
        title: String::new(),
        quantity: 1,
        price: Money { minor: 1, currency: Currency::EUR },
        attributes: "{}".to_owned(),
    }
}

/// An order of one copy.
pub(super) fn order(id: i64, state: OrderState) -> Order {
    let price = Money { minor: 250, currency: Currency::EUR };
    let line = OrderLine {
        id: LineId(id * 10),
        sku: "sku".into(),
        listing_id: ListingId(id * 10),
        title: "Ocelot Pride".to_owned(),
        quantity: 1,
        unit_price: price,
    };
    let (placed_at, paid_at, tracking_number) = (None, None, None);
    Order { id: OrderId(id), state, placed_at, paid_at, total: price, tracking_number, lines: vec![line] }
}
