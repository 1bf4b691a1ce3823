//! Cardmarket's own ways of being written to, and of handing out its stock as a file, over real HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use sellerd::clock::{Clock, SystemClock};
use sellerd::domain::{IntentId, Listing, ListingId, Money, Offer, StockPart};
use sellerd::marketplace::{
    Batch, ExportState, Item, ItemOutcome, Looked, Marketplace, Step, StockExport, Wanted, WriteError,
};
use sellerd::sandbox::{FaultKind, Options, Typing};

use crate::conformance::cardmarket::AtTheSandbox;
use crate::support::{RUNTIME, offer};

fn shop(articles: usize) -> Options {
    Options {
        articles,
        orders: 0,
        minute_limit: None,
        export_delay: Duration::ZERO,
        ..Options::new(SystemClock::shared())
    }
}

/// What each part of the stock holds, by the number of the listing, and how it was read: as pages or as a file.
type Stock = BTreeMap<(bool, ListingId), (i64, Listing)>;

fn take(stock: &mut Stock, part: StockPart, listings: Vec<Listing>) {
    for listing in listings {
        let entry = stock.entry((part == StockPart::InCarts, listing.id));
        entry.or_insert_with(|| (0, listing.clone())).0 += listing.quantity;
    }
}

async fn by_pages(market: &dyn Marketplace) -> Stock {
    let (mut stock, mut at) = (Stock::new(), None);
    loop {
        let page = market.stock_page(at.as_ref()).await.expect("it answers");
        take(&mut stock, page.part, page.listings);
        at = page.next;
        if at.is_none() {
            return stock;
        }
    }
}

async fn ask_for_file(export: &dyn StockExport) -> ExportState {
    let request = export.request(SystemClock::default().now()).await.expect("it is accepted");
    export.state(&request).await.expect("it answers")
}

async fn by_file(export: &dyn StockExport) -> Stock {
    let ExportState::Ready(file) = ask_for_file(export).await else { panic!("it is ready at once") };
    let mut pages = export.open(&file).await.expect("it can be fetched without a login");
    let mut stock = Stock::new();
    while let Some(page) = pages.next().await.expect("it is whole") {
        assert!(page.complaints.is_empty() && page.listings.len() <= 100 && page.next.is_none());
        take(&mut stock, page.part, page.listings);
    }
    stock
}

fn without_counts(stock: Stock) -> BTreeMap<(bool, ListingId), (i64, Listing)> {
    stock.into_iter().map(|(key, (sum, listing))| (key, (sum, Listing { quantity: 0, ..listing }))).collect()
}

#[test]
fn a_file_shows_what_the_pages_show_for_a_handful_of_requests() {
    RUNTIME.block_on(async {
        let at = AtTheSandbox::at(shop(1_234)).await;
        let export = at.market.stock_export().expect("there is one");
        let file = by_file(export).await;
        let asked = at.sandbox.requests().into_iter().filter(|seen| seen.path.starts_with("/ws/")).count();
        assert!(asked <= 3, "{asked} requests");
        assert!(file.keys().any(|(in_cart, _)| *in_cart) && file.len() > 1_234);
        assert_eq!(without_counts(file), without_counts(by_pages(&*at.market).await));
    });
}

#[test]
fn a_file_of_an_empty_stock_is_empty() {
    RUNTIME.block_on(async {
        let at = AtTheSandbox::at(shop(0)).await;
        assert_eq!(by_file(at.market.stock_export().expect("there is one")).await, Stock::new());
    });
}

#[test]
fn a_file_that_is_not_ready_or_failed_is_none() {
    RUNTIME.block_on(async {
        let slow = Options { export_delay: Duration::from_secs(180), ..shop(10) };
        let at = AtTheSandbox::at(slow).await;
        let export = at.market.stock_export().expect("there is one");
        assert_eq!(ask_for_file(export).await, ExportState::Pending);

        let at = AtTheSandbox::at(shop(10)).await;
        let export = at.market.stock_export().expect("there is one");
        at.sandbox.fault(FaultKind::FailedExport);
        assert!(matches!(ask_for_file(export).await, ExportState::Failed(_)));
    });
}

fn dearer(listing: &Listing) -> Offer {
    let price = Money { minor: listing.price.minor + 7, ..listing.price };
    Offer { price, ..offer(listing) }
}

fn item(number: usize, listing: &Listing, after: Offer) -> Item {
    Item {
        intents: vec![IntentId(number as i64)],
        sku: listing.sku.clone(),
        listing_id: Some(listing.id),
        before: Some(offer(listing)),
        after: Some(after),
        reference: number.to_string(),
    }
}

/// The same articles made anew, one of each for sale, under SKUs of their own in this round.
fn additions(listings: &[Listing], round: usize) -> Batch {
    let add = |(number, listing): (usize, &Listing)| {
        let sku = format!("NEW-{round}-{number}");
        let mut attributes: serde_json::Value = serde_json::from_str(&listing.attributes).expect("an object");
        attributes["comment"] = format!("[sku:{sku}]").into();
        let after = Offer { quantity: 1, attributes: attributes.to_string(), ..offer(listing) };
        Item { sku: sku.as_str().into(), listing_id: None, before: None, ..item(number, listing, after) }
    };
    Batch { step: Step::Add, items: listings.iter().enumerate().map(add).collect() }
}

fn edits(listings: &[Listing]) -> Batch {
    let items = listings.iter().enumerate().map(|(number, listing)| item(number, listing, dearer(listing)));
    Batch { step: Step::Edit, items: items.collect() }
}

fn raises(listings: &[Listing]) -> Batch {
    let more = |listing: &Listing| Offer { quantity: listing.quantity + 2, ..offer(listing) };
    let items = listings.iter().enumerate().map(|(number, listing)| item(number, listing, more(listing)));
    Batch { step: Step::Raise, items: items.collect() }
}

/// The first articles for sale.
async fn listings(at: &AtTheSandbox, count: usize) -> Vec<Listing> {
    let page = at.market.stock_page(None).await.expect("it answers");
    page.listings.into_iter().take(count).collect()
}

async fn look(at: &AtTheSandbox, items: &[Item]) -> Looked {
    let wanted: Vec<Wanted> = items
        .iter()
        .map(|item| Wanted {
            sku: item.sku.clone(),
            listing_id: item.listing_id,
            attributes: item.after.as_ref().expect("an offer").attributes.clone(),
            reference: None,
        })
        .collect();
    at.market.look(&wanted).await.expect("it answers")
}

/// Whether an item stands there as it should after it is done.
fn stands(looked: &Looked, item: &Item) -> bool {
    let after = item.after.as_ref().expect("an offer");
    let same = |listing: &&Listing| listing.sku == item.sku && listing.price == after.price;
    looked.offered.iter().filter(same).map(|listing| listing.quantity).sum::<i64>() == after.quantity
}

/// Writes, and holds each outcome against what stands there. Brings how many are done, refused and unclear.
async fn tells_the_truth(at: &AtTheSandbox, batch: &Batch) -> [usize; 3] {
    let outcomes = at.market.write(batch).await.expect("it answers");
    at.sandbox.clear_faults();
    let looked = look(at, &batch.items).await;
    let mut counts = [0; 3];
    for (item, outcome) in batch.items.iter().zip(&outcomes) {
        let done = stands(&looked, item);
        let place = match outcome {
            ItemOutcome::Done { listing_id: Some(id), listed } => {
                assert!(done, "{} is said to be done: {item:?}", item.sku);
                let shown =
                    looked.offered.iter().find(|listing| listing.id == *id).expect("it has that number");
                assert_eq!((&shown.sku, Some(shown.quantity)), (&item.sku, *listed));
                0
            }
            ItemOutcome::Refused(_) => {
                assert!(!done, "{} is said to be refused: {item:?}", item.sku);
                1
            }
            ItemOutcome::Unclear => 2,
            other => panic!("{other:?}"),
        };
        counts[place] += 1;
    }
    counts
}

/// Articles of one SKU each, so that what stands under a SKU is one item's doing.
fn distinct(listings: Vec<Listing>) -> Vec<Listing> {
    let mut seen = BTreeMap::new();
    listings.iter().for_each(|listing| *seen.entry(listing.sku.clone()).or_insert(0) += 1);
    listings.into_iter().filter(|listing| seen[&listing.sku] == 1).collect()
}

#[test]
fn whatever_form_an_answer_has_every_outcome_is_true_and_none_is_unclear() {
    let forms = [
        Typing::default(),
        Typing { numbers_as_strings: true, ..Typing::default() },
        Typing { one_as_object: true, ..Typing::default() },
        Typing { numbers_as_strings: true, one_as_object: true, missing_optional: false },
    ];
    for (typing, reassign_ids) in forms.into_iter().zip([1.0, 0.5, 0.0, 1.0]) {
        RUNTIME.block_on(async {
            let at = AtTheSandbox::at(Options { typing, reassign_ids, carts: 0, ..shop(120) }).await;
            let all = distinct(listings(&at, 100).await);
            assert!(all.len() > 50);
            for some in [&all[1..], &all[..1]] {
                let added = additions(some, some.len());
                assert_eq!(tells_the_truth(&at, &added).await, [some.len(), 0, 0], "{typing:?}");
            }
            assert_eq!(tells_the_truth(&at, &raises(&all)).await, [all.len(), 0, 0], "{typing:?}");
            let all = distinct(listings(&at, 100).await);
            assert_eq!(tells_the_truth(&at, &edits(&all)).await, [all.len(), 0, 0], "{typing:?}");
        });
    }
}

#[test]
fn outcomes_stay_true_where_items_are_rejected_or_told_in_another_order() {
    RUNTIME.block_on(async {
        let at = AtTheSandbox::at(Options { carts: 0, ..shop(60) }).await;
        let faults = [(FaultKind::RejectItems { items: 3 }, 3), (FaultKind::ShuffleItems, 0)];
        for (round, (fault, rejected)) in faults.into_iter().enumerate() {
            let steps: [fn(&[Listing], usize) -> Batch; 3] =
                [additions, |all, _| raises(all), |all, _| edits(all)];
            for step in steps {
                let all = distinct(listings(&at, 40).await);
                let batch = step(&all, round);
                at.sandbox.fault(fault.clone());
                let [done, refused, unclear] = tells_the_truth(&at, &batch).await;
                let missed = refused + unclear;
                assert_eq!((done, missed), (all.len() - rejected, rejected), "{fault:?} {:?}", batch.step);
            }
        }
    });
}

#[test]
fn a_price_that_is_too_low_is_refused_in_the_marketplaces_words_and_the_others_are_done() {
    RUNTIME.block_on(async {
        let at = AtTheSandbox::at(Options { display_language: 3, carts: 0, ..shop(20) }).await;
        let all = distinct(listings(&at, 10).await);
        let mut batch = edits(&all);
        batch.items[4].after.as_mut().expect("an offer").price.minor = 1;
        let outcomes = at.market.write(&batch).await.expect("it answers");
        for (place, outcome) in outcomes.iter().enumerate() {
            match outcome {
                ItemOutcome::Refused(words) => assert!(place == 4 && words.contains("0,02"), "{words}"),
                outcome => assert!(place != 4 && matches!(outcome, ItemOutcome::Done { .. }), "{outcome:?}"),
            }
        }
    });
}

#[test]
fn an_answer_that_was_lost_leaves_a_batch_in_doubt_until_it_is_looked_at() {
    let losses = [
        (FaultKind::DropBefore, false),
        (FaultKind::Status { status: 503 }, false),
        (FaultKind::DropAfter, true),
        (FaultKind::StatusAfter { status: 502 }, true),
        (FaultKind::TruncateJson, true),
    ];
    RUNTIME.block_on(async {
        let at = AtTheSandbox::at(Options { carts: 0, ..shop(20) }).await;
        let few = distinct(listings(&at, 3).await);
        for (number, (loss, takes_effect)) in losses.into_iter().enumerate() {
            let batch = additions(&few, number);
            at.sandbox.fault(loss.clone());
            let written = at.market.write(&batch).await;
            assert!(matches!(written, Err(WriteError::InDoubt(_))), "{loss:?}: {written:?}");
            at.sandbox.clear_faults();
            let looked = look(&at, &batch.items).await;
            for item in &batch.items {
                assert_eq!(stands(&looked, item), takes_effect, "{loss:?}");
            }
        }
    });
}

#[test]
fn a_look_costs_a_request_for_each_product_or_page_whichever_are_fewer_and_two_for_the_carts() {
    RUNTIME.block_on(async {
        let at = AtTheSandbox::at(shop(900)).await;
        let few = edits(&listings(&at, 5).await).items;
        let products: std::collections::BTreeSet<String> = few
            .iter()
            .map(|item| {
                let attributes = &item.after.as_ref().expect("an offer").attributes;
                let attributes: serde_json::Value = serde_json::from_str(attributes).expect("an object");
                attributes["product_id"].to_string()
            })
            .collect();
        let before = at.sandbox.requests().len();
        let looked = look(&at, &few).await;
        assert_eq!(at.sandbox.requests().len() - before, products.len() + 2);
        assert!(
            few.iter().all(|item| looked.offered.iter().any(|listing| Some(listing.id) == item.listing_id))
        );
        assert!(!looked.in_carts.is_empty());

        let many = edits(&listings(&at, 60).await).items;
        let before = at.sandbox.requests().len();
        let looked = look(&at, &many).await;
        let pages = at.sandbox.with_shop(|shop| shop.stock().rows().len()).div_ceil(100);
        assert_eq!(at.sandbox.requests().len() - before, pages + 2);
        assert!(
            many.iter().all(|item| looked.offered.iter().any(|listing| Some(listing.id) == item.listing_id))
        );
    });
}
