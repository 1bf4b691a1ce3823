//! `stock-pull`: the account's whole stock, and what has changed since it was last read.

use super::{Context, JobError, Report, stock};
use crate::config::StockPull;

/// Reads the stock and reports what has changed since it was last read.
pub(super) async fn run(settings: &StockPull, context: &Context) -> Result<Report, JobError> {
    let mut report = Report::default();
    context.progress.begin("reading the stock", 0);
    stock::read(context, settings.export_above, &mut report).await?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::super::testing::{LikeMemory, Place, listing};
    use super::*;
    use crate::domain::{ErrorType, PageCursor, StockPage};
    use crate::marketplace::memory::Memory;
    use crate::marketplace::{CallError, Marketplace};
    use crate::store::{listings, snapshots};

    /// A shop that can be out of reach.
    struct Failing(Memory, bool);

    #[async_trait]
    impl LikeMemory for Failing {
        fn memory(&self) -> &Memory {
            &self.0
        }

        async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
            match self.1 {
                false => self.0.stock_page(at).await,
                true => Err(CallError::Unavailable {
                    at: "GET stock".to_owned(),
                    what: "503".to_owned(),
                    error_type: ErrorType::Http5xx,
                }),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_stock_after_a_pull_that_failed_is_doubted_like_any_other() {
        let (place, shop) = (Place::new(), Memory::default());
        shop.shop().stock = (1..=25).map(listing).collect();
        let pull = |failing| {
            place.work(Box::new(Failing(shop.clone(), failing)), async |context| {
                run(&StockPull::default(), context).await
            })
        };
        let known = || place.store.read(|tx| listings::count(tx, &"cm".into()));
        pull(false).await.unwrap();
        assert_eq!(known().await.unwrap(), 25);
        shop.shop().stock.clear();
        pull(true).await.unwrap_err();
        for _ in 0..4 {
            // Five minutes pass before each.
            assert!(pull(false).await.unwrap().incomplete);
            assert_eq!(known().await.unwrap(), 25, "no number of empty answers empties a shop");
        }
        let now = crate::clock::Clock::now(&*place.clock);
        place.store.write(move |tx| snapshots::believe(tx, &"cm".into(), now)).await.unwrap();
        assert!(!pull(false).await.unwrap().incomplete, "a person has looked");
        assert_eq!(known().await.unwrap(), 0);
    }
}
