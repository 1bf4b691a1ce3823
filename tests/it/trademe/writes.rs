//! The seller's writes at Trade Me: the writing client, with real signatures over real HTTP, against the pretend shop,
//! whose own book of what happened is believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use sellerd::clock::SystemClock;
use sellerd::domain::{
    Bounds, Change, Currency, Desired, DesiredMore, Listing, ListingId, Money, Obstacle, Offer, Operation,
};
use sellerd::http::WritingClient;
use sellerd::http::oauth1::Target;
use sellerd::marketplace::{
    Batch, Connection, Item, ItemOutcome, Step, Wanted, WriteError, Writer, descriptor,
};
use sellerd::sandbox::trademe::{By, ByHand, Effect, Options, Purchase, Stand, What};
use sellerd::sandbox::{Fault, FaultKind, Sandbox, Venue};
use serde_json::json;

use crate::conformance::connect;
use crate::support::{RUNTIME, offer};

/// A shop with listings for a fixed price and auctions, and the way to change it.
struct Counter {
    sandbox: Sandbox,
    writer: Box<dyn Writer>,
}

impl Counter {
    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut trademe = Options { listings: 40, sales: 0, unsold: 0, ..Options::default() };
        change(&mut trademe);
        let options = sellerd::sandbox::Options {
            articles: 10,
            orders: 0,
            trademe,
            ..sellerd::sandbox::Options::new(SystemClock::shared())
        };
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let marketplace = descriptor("trademe").expect("it is known");
        let connect = marketplace.connect_writing.expect("it can be written to");
        let options = BTreeMap::from([("signature", "hmac-sha1".to_owned())]);
        let client = connect::client(marketplace, sandbox.trademe_credentials(), &options);
        let template = json!({
            "Category": "0", "Description": ["Ships next working day."], "Duration": 7, "Pickup": 1,
            "ShippingOptions": [{"Type": 4, "Price": 6.1, "Method": "NZ courier"}], "PaymentMethods": [1], "HasAgreedWithLegalNotice": true,
        });
        let writer = connect(Connection {
            base: Target::new(&sandbox.trademe_base_url()).expect("a URL"),
            currency: marketplace.currency,
            options,
            templates: Arc::new(BTreeMap::from([("default".to_owned(), template)])),
            client: WritingClient::new(client),
        });
        Self { sandbox, writer }
    }

    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// What the lists show, the lists being as late as they are.
    async fn stock(&self) -> Vec<Listing> {
        let (mut all, mut at) = (Vec::new(), None);
        loop {
            let page = self.writer.stock_page(at.as_ref()).await.expect("it answers");
            all.extend(page.listings);
            at = page.next;
            if at.is_none() {
                return all;
            }
        }
    }

    /// A listing for a fixed price, of several copies.
    async fn several(&self) -> Listing {
        let stock = self.stock().await;
        let of_several = |row: &Listing| row.quantity > 4 && row.attributes.contains("buy-now");
        stock.into_iter().find(of_several).expect("there is one")
    }

    async fn write(&self, step: Step, item: Item) -> Result<ItemOutcome, WriteError> {
        let mut outcomes = self.writer.write(&Batch { step, items: vec![item] }).await?;
        Ok(outcomes.remove(0))
    }

    /// What the client did, by the shop's own book.
    fn effects(&self) -> Vec<Effect> {
        self.sandbox.trademe_effects().into_iter().filter(|effect| effect.by == By::Api).collect()
    }

    async fn look(&self, id: ListingId) -> Option<(i64, i64)> {
        let wanted =
            Wanted { sku: "x".into(), listing_id: Some(id), attributes: "{}".into(), reference: None };
        let looked = self.writer.look(&[wanted]).await.expect("it answers");
        looked.offered.iter().find(|row| row.id == id).map(|row| (row.quantity, row.price.minor))
    }

    fn buy(&self, id: ListingId) {
        let purchase =
            Purchase { listing_id: Some(id.0), quantity: Some(1), pay: Some(true), ..Purchase::default() };
        self.sandbox.buy_at_trademe(&purchase).expect("it is for sale");
    }

    /// A new listing in a category in which this shop sells already.
    async fn new_item(&self, reference: &str) -> Item {
        let attributes: serde_json::Value =
            serde_json::from_str(&self.several().await.attributes).expect("an object");
        let category = attributes["category"].as_str().expect("a category").to_owned();
        let details = [("title", "Blue widget"), ("category", &category)];
        let details = details.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let desired = Desired {
            sku: "WID-BLU".into(),
            quantity: 7,
            price: Some(nzd(2_105)),
            more: Some(Box::new(DesiredMore { details, ..DesiredMore::default() })),
            line: 2,
        };
        let offer = self.writer.drafting().draft(&desired).expect("nothing is missing");
        Item {
            intents: vec![],
            sku: desired.sku,
            listing_id: None,
            before: None,
            after: Some(offer),
            reference: reference.to_owned(),
        }
    }
}

fn nzd(minor: i64) -> Money {
    Money { minor, currency: Currency::NZD }
}

/// From what stands there to so many copies at this price; without copies, to none.
fn item(listing: &Listing, after: Option<(i64, i64)>) -> Item {
    let before = offer(listing);
    let after = after.map(|(quantity, minor)| Offer { quantity, price: nzd(minor), ..before.clone() });
    Item {
        intents: vec![],
        sku: listing.sku.clone(),
        listing_id: Some(listing.id),
        before: Some(before),
        after,
        reference: "p1-1".to_owned(),
    }
}

/// The same as a plan has it.
fn change(op: Operation, item: &Item) -> Change {
    Change {
        op,
        sku: item.sku.clone(),
        listing_id: item.listing_id,
        title: "Blue widget".to_owned(),
        before: item.before.clone(),
        after: item.after.clone(),
        reason: String::new(),
        bounds: Bounds::default(),
    }
}

fn lost(kind: FaultKind) -> Fault {
    Fault::from(kind).at(Venue::Trademe).on_writes().next(1)
}

#[test]
fn an_edit_changes_price_and_copies_and_resets_nothing() {
    RUNTIME.block_on(async {
        let counter = Counter::open().await;
        let listing = counter.several().await;
        let after = (listing.quantity - 2, listing.price.minor + 105);
        let outcome = counter.write(Step::Edit, item(&listing, Some(after))).await;
        assert_eq!(outcome, Ok(ItemOutcome::Done { listing_id: Some(listing.id), listed: Some(after.0) }));
        let effects = counter.effects();
        assert_eq!((effects.len(), effects[0].what), (1, What::Edited));
        let stand = Stand { cents: after.1 as u32, quantity: Some(after.0 as u32), sold: 0 };
        assert_eq!(effects[0].after, Some(stand));
        let mut changed = effects[0].changed.clone();
        changed.sort_unstable();
        assert_eq!(changed, ["BuyNowPrice", "Quantity"]);
        // The lists do not show it yet; a look at it does.
        assert_eq!(counter.look(listing.id).await, Some(after));
        assert_eq!(offer(&counter.several().await), offer(&listing));
    });
}

#[test]
fn a_listing_that_was_sold_from_or_changed_by_hand_is_left_alone() {
    RUNTIME.block_on(async {
        let counter = Counter::open().await;
        let listing = counter.several().await;
        counter.buy(listing.id);
        let (planned, now) = (listing.quantity, listing.quantity - 1);
        let outcome =
            counter.write(Step::Edit, item(&listing, Some((planned + 3, listing.price.minor)))).await;
        assert_eq!(outcome, Ok(ItemOutcome::Changed(format!("listed {planned} when planned, {now} now"))));

        let cents = Some(listing.price.minor as u32 + 100);
        let deed = ByHand::Edit { listing_id: listing.id.0, title: None, cents, quantity: None };
        counter.sandbox.by_hand_at_trademe(&deed).expect("it can be edited");
        let mut seen = listing.clone();
        seen.quantity = now;
        let outcome = counter.write(Step::Edit, item(&seen, Some((now, 1_000)))).await.expect("an answer");
        assert!(matches!(&outcome, ItemOutcome::Changed(why) if why.contains("when planned")), "{outcome:?}");
        assert_eq!(counter.effects(), []);
    });
}

#[test]
fn a_listing_without_copies_is_withdrawn_at_the_fee_that_was_quoted() {
    RUNTIME.block_on(async {
        let counter = Counter::open().await;
        let listing = counter.several().await;
        let none = item(&listing, Some((0, listing.price.minor)));
        let fees = counter.writer.fees(&[change(Operation::Zero, &none)]).await.expect("it answers");
        let outcome = counter.write(Step::Lower, none).await;
        assert_eq!(outcome, Ok(ItemOutcome::Done { listing_id: None, listed: Some(0) }));
        let effects = counter.effects();
        assert_eq!((effects.len(), effects[0].what, effects[0].after), (1, What::Withdrawn, None));
        let quoted: i64 = fees.iter().map(|fee| fee.amount.minor).sum();
        assert_eq!(quoted, effects[0].fee_cents as i64);
        assert!(fees.iter().all(|fee| fee.obstacle.is_none()), "{fees:?}");
        assert_eq!(counter.look(listing.id).await, None);

        let again = counter.write(Step::Edit, item(&listing, Some((2, 900)))).await.expect("an answer");
        assert!(matches!(again, ItemOutcome::Changed(_) | ItemOutcome::Refused(_)), "{again:?}");
        assert_eq!(counter.effects().len(), 1);
    });
}

#[test]
fn auctions_are_refused_in_words() {
    RUNTIME.block_on(async {
        let counter = Counter::open().await;
        let stock = counter.stock().await;
        let auction = stock.iter().find(|row| row.attributes.contains(r#""kind":"auction""#)).expect("one");
        for after in [Some((1, 5_000)), None] {
            let outcome = counter.write(Step::Edit, item(auction, after)).await.expect("an answer");
            assert!(matches!(&outcome, ItemOutcome::Refused(why) if why.contains("auction")), "{outcome:?}");
        }
        assert_eq!(counter.effects(), []);
    });
}

#[test]
fn a_new_listing_costs_what_was_quoted_and_is_found_by_its_reference() {
    RUNTIME.block_on(async {
        // The lists show at once what is made: when they do is another story.
        let counter = Counter::with(|options| options.sold_lag = TimeDelta::zero()).await;
        let new = counter.new_item("p7-12").await;
        let fees = counter.writer.fees(&[change(Operation::Add, &new)]).await.expect("it answers");
        assert!(fees.iter().all(|fee| fee.obstacle.is_none()), "{fees:?}");
        let outcome = counter.write(Step::Add, new.clone()).await.expect("an answer");
        let ItemOutcome::Done { listing_id: Some(id), .. } = outcome else { panic!("{outcome:?}") };
        let effects = counter.effects();
        assert_eq!((effects.len(), effects[0].what), (1, What::Created));
        assert_eq!(effects[0].after, Some(Stand { cents: 2_105, quantity: Some(7), sold: 0 }));
        assert_eq!(effects[0].reference.as_deref(), Some("p7-12"));
        assert_eq!(fees.iter().map(|fee| fee.amount.minor).sum::<i64>(), effects[0].fee_cents as i64);

        let attributes = new.after.expect("an offer").attributes;
        let reference = Some("p7-12".to_owned());
        let wanted = Wanted { sku: new.sku, listing_id: None, attributes, reference };
        let looked = counter.writer.look(std::slice::from_ref(&wanted)).await.expect("it answers");
        let found: Vec<_> =
            looked.offered.iter().map(|row| (row.id, row.quantity, row.sku.as_str())).collect();
        assert_eq!(found, [(id, 7, "WID-BLU")]);

        // Sold out before anybody looked: it is there all the same.
        for _ in 0..7 {
            counter.buy(id);
        }
        let looked = counter.writer.look(&[wanted]).await.expect("it answers");
        let found: Vec<_> = looked.offered.iter().map(|row| (row.id, row.quantity)).collect();
        assert_eq!(found, [(id, 0)]);
    });
}

#[test]
fn a_balance_that_is_too_low_is_an_obstacle_before_and_a_refusal_after() {
    RUNTIME.block_on(async {
        let counter = Counter::with(|options| options.balance_cents = 0).await;
        let new = counter.new_item("p7-13").await;
        let fees = counter.writer.fees(&[change(Operation::Add, &new)]).await.expect("it answers");
        assert_eq!(fees[0].obstacle, Some(Obstacle::TooDear), "{fees:?}");
        assert_eq!(counter.writer.balance().await.expect("it answers"), None, "what is zero is left out");
        let outcome = counter.write(Step::Add, new).await.expect("an answer");
        assert!(matches!(&outcome, ItemOutcome::TooDear(why) if why.contains("balance")), "{outcome:?}");
        assert_eq!(counter.effects(), []);
    });
}

#[test]
fn an_answer_that_is_lost_leaves_the_write_in_doubt_and_a_look_settles_it() {
    RUNTIME.block_on(async {
        for (kind, happens) in [
            (FaultKind::DropBefore, false),
            (FaultKind::DropAfter, true),
            (FaultKind::StatusAfter { status: 500 }, true),
        ] {
            let counter = Counter::open().await;
            let listing = counter.several().await;
            let (before, after) =
                ((listing.quantity, listing.price.minor), (listing.quantity - 1, listing.price.minor));
            counter.sandbox.fault(lost(kind.clone()).on("Selling/Edit"));
            let result = counter.write(Step::Lower, item(&listing, Some(after))).await;
            assert!(matches!(result, Err(WriteError::InDoubt(_))), "{kind:?}: {result:?}");
            assert_eq!(counter.effects().len(), usize::from(happens), "{kind:?}");
            let found = counter.look(listing.id).await;
            assert_eq!(found, Some(if happens { after } else { before }), "{kind:?}");
        }
    });
}

#[test]
fn what_cannot_be_read_in_an_answer_is_unclear() {
    RUNTIME.block_on(async {
        for kind in [FaultKind::Garbage, FaultKind::TruncateJson] {
            let counter = Counter::with(|options| options.sold_lag = TimeDelta::zero()).await;
            let new = counter.new_item("p7-14").await;
            counter.sandbox.fault(lost(kind.clone()).on("Selling"));
            assert_eq!(counter.write(Step::Add, new).await, Ok(ItemOutcome::Unclear), "{kind:?}");
        }
    });
}

#[test]
fn what_waits_for_the_seller_is_counted_in_two_requests() {
    RUNTIME.block_on(async {
        let counter = Counter::with(|options| options.unsold = 9).await;
        let waiting = counter.writer.attention().await.expect("it answers");
        let names: Vec<&str> = waiting.iter().map(|what| what.name).collect();
        assert_eq!(names, ["unanswered_questions", "relistable_listings"]);
        assert!(waiting[1].count > 0, "{waiting:?}");
        assert_eq!(counter.sandbox.trademe_requests().len(), 2);
    });
}
