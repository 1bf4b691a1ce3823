//! `stock-pull`: the account's whole stock, read page by page into the database.
//!
//! A page is written as soon as it is read, so that memory does not grow with the stock and a broken reading leaves
//! newer rows, never fewer. Only a complete reading may say that a listing is gone.

use super::{Context, JobError, Report};
use crate::domain::ListingId;
use crate::planning::observe::{Completeness, Observation};
use crate::store::{listings, snapshots};

/// Reads the stock and reports what has changed since it was last read.
pub(super) async fn run(context: &Context) -> Result<Report, JobError> {
    let (account, market) = context.market()?;
    let (clock, store) = (&context.clock, &context.store);
    let (name, run, now) = (account.clone(), context.run, clock.now());
    let (snapshot, known, before) = store
        .write(move |tx| {
            let (known, before) = (listings::count(tx, &name)?, snapshots::last_to_end(tx, &name)?);
            Ok((snapshots::begin(tx, &name, run, now)?, known, before))
        })
        .await?;

    let mut observation = Observation::default();
    let mut report = Report::default();
    let mut at = None;
    loop {
        context.go_on()?;
        let page = market.stock_page(at.as_ref()).await?;
        at = page.next.clone();
        let part = page.part;
        report.complaints.extend(page.complaints.iter().cloned());
        let rows = observation.take(page);
        if !rows.is_empty() {
            let (name, now) = (account.clone(), clock.now());
            let put = store.write(move |tx| listings::put(tx, &name, snapshot, part, &rows, now)).await?;
            report.count("added", put.added);
            report.count("quantity_changed", put.quantity_changed);
            report.count("price_changed", put.price_changed);
        }
        if at.is_none() {
            break;
        }
    }

    let empty_before = before.is_some_and(|snapshot| snapshot.rows == 0);
    let completeness = observation.completeness(known.unsigned_abs(), empty_before);
    let complete = completeness == Completeness::Complete;
    if let Completeness::Incomplete(why) = completeness {
        report.incomplete = true;
        report.message = Some(format!("{why}, so no listing was taken for gone"));
    }
    report.count("articles", observation.rows() as i64);
    report.count("in_carts", observation.rows_in_carts() as i64);
    let removed = finish(context, snapshot, observation, complete).await?;
    report.count("removed", removed);
    Ok(report)
}

/// Closes the reading and, where it is complete, takes out what it did not show. One transaction.
async fn finish(
    context: &Context,
    snapshot: i64,
    observation: Observation,
    complete: bool,
) -> Result<i64, JobError> {
    let (account, _) = context.market()?;
    let (name, now) = (account.clone(), context.clock.now());
    let removed = context
        .store
        .write(move |tx| {
            let mut gone: Vec<ListingId> = Vec::new();
            if complete {
                listings::ids(tx, &name, |id| {
                    if !observation.has(id) {
                        gone.push(id);
                    }
                    Ok(())
                })?;
                listings::remove(tx, &name, &gone, snapshot, now)?;
                listings::clear_offered_except(tx, &name, &observation.offered(), snapshot, now)?;
                listings::clear_carts_except(tx, &name, &observation.in_carts())?;
            }
            let end = snapshots::SnapshotEnd {
                complete,
                rows: observation.rows() as i64,
                complaints: observation.complaints() as i64,
            };
            snapshots::finish(tx, snapshot, &end, now)?;
            Ok(gone.len() as i64)
        })
        .await?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::super::testing::Place;
    use super::*;
    use crate::domain::{
        Currency, ErrorType, Listing, Money, OrderFeed, OrderId, OrderPage, OrderRead, PageCursor, StockPage,
    };
    use crate::marketplace::memory::Memory;
    use crate::marketplace::{CallError, Capabilities, Identity, Marketplace};

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
        assert!(pull(false).await.unwrap().incomplete);
        assert_eq!(known().await.unwrap(), 25, "it was seen empty once, not twice");
        assert!(!pull(false).await.unwrap().incomplete);
        assert_eq!(known().await.unwrap(), 0);
    }
}
