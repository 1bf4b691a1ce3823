//! `stock-pull`: the account's whole stock, and what has changed since it was last read.

use super::{Context, JobError, Report, stock};

/// Reads the stock and reports what has changed since it was last read.
pub(super) async fn run(context: &Context) -> Result<Report, JobError> {
    let mut report = Report::default();
    stock::read(context, &mut report).await?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::super::testing::Place;
    use super::*;
    use crate::domain::{
        Currency, ErrorType, Listing, ListingId, Money, OrderFeed, OrderId, OrderPage, OrderRead, PageCursor,
        StockPage,
    };
    use crate::marketplace::memory::Memory;
    use crate::marketplace::{CallError, Capabilities, Identity, Marketplace};
    use crate::store::{listings, snapshots};

    /// A shop that can be out of reach.
    struct Failing(Memory, bool);

    #[async_trait]
    impl Marketplace for Failing {
        fn capabilities(&self) -> &Capabilities {
            self.0.capabilities()
        }

        async fn identity(&self) -> Result<Identity, CallError> {
            self.0.identity().await
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

        async fn order_page(
            &self,
            feed: &OrderFeed,
            at: Option<&PageCursor>,
        ) -> Result<OrderPage, CallError> {
            self.0.order_page(feed, at).await
        }

        async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
            self.0.order(id).await
        }
    }

    #[tokio::test]
    async fn an_empty_stock_after_a_pull_that_failed_is_doubted_like_any_other() {
        let (place, shop) = (Place::new(), Memory::default());
        let listing = |id| Listing {
            id: ListingId(id),
            sku: "sku".into(),
            title: String::new(),
            quantity: 1,
            price: Money { minor: 1, currency: Currency::EUR },
            attributes: "{}".to_owned(),
        };
        shop.shop().stock = (1..=25).map(listing).collect();
        let pull = |failing| place.work(Box::new(Failing(shop.clone(), failing)), run);
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
