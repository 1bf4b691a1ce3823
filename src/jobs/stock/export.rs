//! Reads a large stock as one file that the marketplace makes: a few requests instead of one for each page.
//!
//! Whatever goes wrong with it, the pages are there. What a file showed before it broke is true, so it is kept.

use std::time::Duration;

use super::super::{Context, JobError, Report};
use super::take_in;
use crate::http::CallError;
use crate::marketplace::{ExportFile, ExportState, StockExport};
use crate::planning::observe::Observation;
use crate::store::{cursors, snapshots};

/// When, after a file was asked for, is asked whether it is made, as long as nobody knows how long that takes: each
/// question is a request. Making one takes about three minutes (cardmarket.md 9.6).
const FIRST_TIME: [u64; 6] = [10, 60, 180, 270, 390, 540];

/// After so long it is not waited for any more.
const LONGEST: Duration = Duration::from_secs(540);

/// So much later than it should be ready is asked, for the way of the question and a clock that shows whole seconds.
const MARGIN: Duration = Duration::from_secs(2);

/// The moments at which is asked, since the file was asked for. Where the last one took so long, the first of them is
/// when this one is likely to be ready, and each of the others leaves it twice as much time as the one before.
fn questions(last_took: Option<Duration>) -> Vec<Duration> {
    let Some(took) = last_took.filter(|took| *took < LONGEST) else {
        return FIRST_TIME.into_iter().map(Duration::from_secs).collect();
    };
    let mut step = (took / 4).max(Duration::from_secs(15));
    let mut moments = vec![took];
    let mut next = took + step;
    while next < LONGEST {
        moments.push(next);
        step *= 2;
        next += step;
    }
    moments.push(LONGEST);
    moments
}

/// How long the next file may be expected to take: as long as the marketplace says it was at this one, unless it was not
/// ready then yet when it was asked, and not longer than it took us to see it.
fn expected(took: Duration, not_ready_at: Duration, seen_at: Duration) -> Duration {
    took.max(not_ready_at).saturating_add(MARGIN).min(seen_at)
}

/// Reads the file. `None` where the stock is not that large, the marketplace makes none, or something went wrong.
pub(super) async fn read(
    context: &Context,
    above: Option<i64>,
    snapshot: i64,
    report: &mut Report,
) -> Result<Option<Observation>, JobError> {
    let (account, market) = context.market()?;
    let (Some(above), Some(export)) = (above, market.stock_export()) else { return Ok(None) };
    let name = account.clone();
    let (sound, _) = context.store.read(move |tx| snapshots::since_sound(tx, &name)).await?;
    if sound.is_none_or(|sound| sound.rows <= above) {
        return Ok(None);
    }
    let complaints = report.complaints.len();
    match file(context, export, snapshot, report).await {
        Ok(observation) => Ok(observation),
        // What stops everything stops this, too.
        Err(JobError::Call(
            error @ (CallError::Refused(_)
            | CallError::Unauthorized { .. }
            | CallError::ClocksDisagree { .. }
            | CallError::Forbidden { .. }
            | CallError::Stopped
            | CallError::Store(..)),
        )) => Err(error.into()),
        Err(JobError::Call(error)) => {
            tracing::warn!(
                "the marketplace's file of the stock could not be had, so pages are read: {error}"
            );
            report.complaints.truncate(complaints);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn file(
    context: &Context,
    export: &dyn StockExport,
    snapshot: i64,
    report: &mut Report,
) -> Result<Option<Observation>, JobError> {
    let request = export.request(context.clock.now()).await?;
    let Some(ready) = wait(context, export, &request).await? else { return Ok(None) };
    let mut file = export.open(&ready).await?;
    let mut observation = Observation::default();
    while let Some(page) = file.next().await? {
        context.go_on()?;
        take_in(context, snapshot, page, &mut observation, report).await?;
    }
    report.count("exports", 1);
    Ok(Some(observation))
}

/// Waits until the file is made; `None` when it never will be, or takes too long.
async fn wait(
    context: &Context,
    export: &dyn StockExport,
    request: &crate::marketplace::ExportRequest,
) -> Result<Option<ExportFile>, JobError> {
    let name = context.market()?.0.clone();
    let account = name.clone();
    let last_took = context.store.read(move |tx| cursors::export_took(tx, &account)).await?;
    let begun = context.clock.elapsed();
    let mut not_ready_at = Duration::ZERO;
    for moment in questions(last_took) {
        context.wait_until(begun + moment).await?;
        let asked_at = context.clock.elapsed().saturating_sub(begun);
        match export.state(request).await? {
            ExportState::Pending => not_ready_at = asked_at,
            ExportState::Ready(file) => {
                let took = expected(file.took, not_ready_at, asked_at);
                context.store.write(move |tx| cursors::set_export_took(tx, &name, took)).await?;
                return Ok(Some(file));
            }
            ExportState::Failed(why) => {
                tracing::warn!(
                    "the marketplace could not make a file of the stock, so pages are read: {why}"
                );
                return Ok(None);
            }
        }
    }
    tracing::warn!("the marketplace did not make a file of the stock in time, so pages are read");
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use chrono::{DateTime, Utc};

    use super::super::super::testing::{LikeMemory, Place, listing};
    use super::*;
    use crate::clock::SharedClock;
    use crate::domain::{ErrorType, PageCursor, StockPage};
    use crate::jobs::stock;
    use crate::marketplace::memory::Memory;
    use crate::marketplace::{ExportRequest, Marketplace, StockFile};
    use crate::store::listings;

    /// A shop that makes files, as well as it does.
    struct Exporting {
        shop: Memory,
        /// Questions that are answered with `pending`, and whether the file breaks off or is never made.
        pending: u32,
        /// How long a file takes to make, beside that, by this clock.
        takes: Mutex<(Duration, Option<SharedClock>)>,
        breaks: bool,
        fails: bool,
        asked: AtomicU32,
        pages: AtomicU32,
    }

    impl Exporting {
        fn new(shop: &Memory) -> Self {
            let (asked, pages) = Default::default();
            let takes = Mutex::default();
            Self { shop: shop.clone(), pending: 2, takes, breaks: false, fails: false, asked, pages }
        }
    }

    #[async_trait]
    impl LikeMemory for &'static Exporting {
        fn memory(&self) -> &Memory {
            &self.shop
        }

        async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
            self.pages.fetch_add(1, Ordering::SeqCst);
            self.shop.stock_page(at).await
        }

        fn stock_export(&self) -> Option<&dyn StockExport> {
            Some(*self)
        }
    }

    #[async_trait]
    impl StockExport for Exporting {
        async fn request(&self, now: DateTime<Utc>) -> Result<ExportRequest, CallError> {
            Ok(ExportRequest { requested_at: now, id: Some(1) })
        }

        async fn state(&self, request: &ExportRequest) -> Result<ExportState, CallError> {
            let (took, clock) = self.takes.lock().unwrap().clone();
            let early = clock.is_some_and(|clock| {
                (clock.now() - request.requested_at).to_std().unwrap_or_default() < took
            });
            if self.asked.fetch_add(1, Ordering::SeqCst) < self.pending || early {
                return Ok(ExportState::Pending);
            }
            match self.fails {
                true => Ok(ExportState::Failed("it has a bad day".to_owned())),
                false => {
                    let file = ExportFile { url: "file".to_owned(), begun_at: request.requested_at, took };
                    Ok(ExportState::Ready(file))
                }
            }
        }

        async fn open(&self, _: &ExportFile) -> Result<Box<dyn StockFile>, CallError> {
            let mut pages = Vec::new();
            let mut at = None;
            loop {
                let page = self.shop.stock_page(at.as_ref()).await?;
                at = page.next.clone();
                pages.push(StockPage { next: None, ..page });
                if at.is_none() {
                    return Ok(Box::new(File(Mutex::new(pages), self.breaks)));
                }
            }
        }
    }

    /// Pages, the first one first, and whether it breaks off after that one.
    struct File(Mutex<Vec<StockPage>>, bool);

    #[async_trait]
    impl StockFile for File {
        async fn next(&mut self) -> Result<Option<StockPage>, CallError> {
            let mut pages = self.0.lock().unwrap();
            match pages.is_empty() {
                true => Ok(None),
                false if self.1 && pages.len() == 1 => Err(CallError::Unavailable {
                    at: "the file".to_owned(),
                    what: "it broke off".to_owned(),
                    error_type: ErrorType::Connect,
                }),
                false => Ok(Some(pages.remove(0))),
            }
        }
    }

    fn shop() -> Memory {
        let shop = Memory::default();
        shop.shop().stock = (1..=25).map(listing).collect();
        shop
    }

    /// Reads the stock twice, the second time with 20 articles left of 25, and returns what the second reading cost:
    /// questions about the file, and pages.
    async fn second_reading(exporting: Exporting, above: i64) -> (u32, u32) {
        let (place, shop) = (Place::new(), exporting.shop.clone());
        let exporting: &'static Exporting = Box::leak(Box::new(exporting));
        let read = || {
            place.work(Box::new(exporting), async |context| {
                let mut report = Report::default();
                stock::read(context, Some(above), &mut report).await?;
                Ok(report)
            })
        };
        read().await.unwrap();
        assert_eq!(exporting.asked.load(Ordering::SeqCst), 0, "nobody knows how large it is");
        exporting.pages.store(0, Ordering::SeqCst);
        shop.shop().stock.truncate(20);
        let report = read().await.unwrap();
        assert_eq!((report.counts["removed"], report.incomplete), (5, false), "{report:?}");
        assert_eq!(place.store.read(|tx| listings::count(tx, &"cm".into())).await.unwrap(), 20);
        (exporting.asked.load(Ordering::SeqCst), exporting.pages.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_stock_is_read_as_a_file_and_a_small_one_by_pages() {
        let shop = shop();
        assert_eq!(second_reading(Exporting::new(&shop), 24).await, (3, 0));
        let shop = super::tests::shop();
        assert_eq!(second_reading(Exporting::new(&shop), 25).await, (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_read_where_the_file_breaks_off_or_is_never_made() {
        let breaks = Exporting { breaks: true, ..Exporting::new(&shop()) };
        assert_eq!(second_reading(breaks, 1).await, (3, 3));
        let fails = Exporting { fails: true, ..Exporting::new(&shop()) };
        assert_eq!(second_reading(fails, 1).await, (3, 3));
        let never = Exporting { pending: 100, ..Exporting::new(&shop()) };
        assert_eq!(second_reading(never, 1).await, (6, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_takes_as_long_as_the_last_one_costs_one_question() {
        let (place, shop) = (Place::new(), shop());
        let exporting: &'static Exporting =
            Box::leak(Box::new(Exporting { pending: 0, ..Exporting::new(&shop) }));
        let read = async |takes: u64| {
            *exporting.takes.lock().unwrap() = (Duration::from_secs(takes), Some(place.clock.clone()));
            exporting.asked.store(0, Ordering::SeqCst);
            let work = place.work(Box::new(exporting), async |context| {
                let begun = context.clock.elapsed();
                let mut report = Report::default();
                stock::read(context, Some(1), &mut report).await?;
                report.count("seconds", (context.clock.elapsed() - begun).as_secs() as i64);
                Ok(report)
            });
            let seconds = work.await.unwrap().counts["seconds"];
            (exporting.asked.load(Ordering::SeqCst), seconds)
        };
        read(170).await;
        assert_eq!(read(170).await, (3, 180), "nobody knows how long it takes");
        assert_eq!(read(170).await, (1, 172));
        assert_eq!(read(170).await, (1, 172));
        assert_eq!(read(20).await, (1, 172), "a quick one is not seen earlier");
        assert_eq!(read(20).await, (1, 22), "and then it is expected");
        assert_eq!(read(400).await.0, 6);
        assert_eq!(read(400).await, (1, 402));
        assert_eq!(read(900).await.0, 3, "the pages are read then");
        assert_eq!(exporting.pages.load(Ordering::SeqCst), 8, "at first, and once more");
    }

    #[test]
    fn it_is_never_waited_longer_than_nine_minutes_and_never_asked_in_vain_before_the_last_took() {
        for took in [0, 1, 60, 180, 400, 539, 540, 5_000] {
            let moments = questions(Some(Duration::from_secs(took)));
            assert!(moments.is_sorted() && moments.last() == Some(&LONGEST), "{took}: {moments:?}");
            assert!(moments.len() <= 8, "{took}: {moments:?}");
            assert!(took >= 540 || moments[0] == Duration::from_secs(took), "{took}: {moments:?}");
        }
        let second = Duration::from_secs;
        assert_eq!(expected(second(100), second(0), second(180)), second(102));
        assert_eq!(expected(second(100), second(150), second(180)), second(152), "it waited to be begun");
        assert_eq!(expected(second(200), second(150), second(180)), second(180), "the clocks are not ours");
    }
}
