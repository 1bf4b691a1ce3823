//! The laws of a marketplace's write side. What depends on how a marketplace is changed is read from what it says of
//! itself, never from its name.
//!
//! A further marketplace joins with a [`WritingShop`] and a line in [`laws`].

use std::collections::BTreeMap;

use sellerd::domain::{Desired, DesiredMore, IntentId, Listing, ListingId, Money, Offer, Sku};
use sellerd::marketplace::{Batch, Item, ItemOutcome, Looked, Step, Wanted, Writer};

use super::Shop;
use super::cardmarket::AtTheSandbox;
use super::memory::InMemory;
use crate::support::{RUNTIME, offer};

/// A shop whose listings can be changed.
pub trait WritingShop: Shop {
    /// The port.
    fn writer(&self) -> &dyn Writer;

    /// What a source must say of a new listing here, beside its count, price and comment. `like` is one of the shop's.
    fn details(&self, like: &Listing) -> BTreeMap<String, String>;
}

macro_rules! laws {
    ($($shop:ident: $kind:ty,)*) => {$(
        mod $shop {
            use super::*;

            #[test]
            fn what_is_added_is_there_and_is_what_was_desired() {
                RUNTIME.block_on(super::added_is_there::<$kind>());
            }

            #[test]
            fn an_edit_changes_the_price_and_keeps_everything_else() {
                RUNTIME.block_on(super::edits_change_the_price::<$kind>());
            }

            #[test]
            fn a_comment_can_be_changed_without_losing_the_sku() {
                RUNTIME.block_on(super::comments_change::<$kind>());
            }

            #[test]
            fn numbers_of_copies_go_down_and_up_and_the_last_copy_takes_the_listing_along() {
                RUNTIME.block_on(super::copies_move::<$kind>());
            }

            #[test]
            fn what_is_removed_is_gone() {
                RUNTIME.block_on(super::removed_is_gone::<$kind>());
            }

            #[test]
            fn each_item_of_a_full_batch_has_its_own_outcome() {
                RUNTIME.block_on(super::batches_have_outcomes::<$kind>());
            }

            #[test]
            fn what_nobody_named_stays_as_it_is() {
                RUNTIME.block_on(super::others_stay::<$kind>());
            }
        }
    )*};
}

laws! {
    in_memory: InMemory,
    cardmarket_at_the_sandbox: AtTheSandbox,
}

/// A number that no listing has.
const UNKNOWN: ListingId = ListingId(999_999_999_999);

const COMMENT: &str = "shelf A12 & <b> \"ü\" 😀";

/// A shop and the items that a test has put into it.
struct Work<S> {
    shop: S,
    like: Listing,
    sent: i64,
}

impl<S: WritingShop> Work<S> {
    async fn begin() -> Self {
        let shop = S::open(20).await;
        let page = shop.market().stock_page(None).await.expect("it answers");
        let like = page.listings.into_iter().next().expect("a listing");
        Self { shop, like, sent: 0 }
    }

    fn desired(&self, sku: &str, quantity: i64) -> Desired {
        let details = self.shop.details(&self.like);
        let more = DesiredMore { comment: Some(COMMENT.to_owned()), details, ..DesiredMore::default() };
        Desired {
            sku: sku.into(),
            quantity,
            price: Some(self.like.price),
            more: Some(Box::new(more)),
            line: 2,
        }
    }

    fn draft(&self, sku: &str, quantity: i64) -> Offer {
        self.shop.writer().drafting().draft(&self.desired(sku, quantity)).expect("it is complete")
    }

    fn item(
        &mut self,
        sku: &str,
        id: Option<ListingId>,
        before: Option<Offer>,
        after: Option<Offer>,
    ) -> Item {
        self.sent += 1;
        Item {
            intents: vec![IntentId(self.sent)],
            sku: sku.into(),
            listing_id: id,
            before,
            after,
            reference: format!("test-{}", self.sent),
        }
    }

    async fn write(&self, step: Step, item: Item) -> ItemOutcome {
        let batch = Batch { step, items: vec![item] };
        let mut outcomes = self.shop.writer().write(&batch).await.expect("it answers");
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    /// Makes a listing of that SKU and shows it.
    async fn make(&mut self, sku: &str, quantity: i64) -> Listing {
        let draft = self.draft(sku, quantity);
        let item = self.item(sku, None, None, Some(draft.clone()));
        let reference = item.reference.clone();
        let ItemOutcome::Done { listing_id: Some(id), listed } = self.write(Step::Add, item).await else {
            panic!("it is added");
        };
        assert!(listed.is_none_or(|listed| listed == quantity));
        let wanted = Wanted {
            sku: sku.into(),
            listing_id: None,
            attributes: draft.attributes,
            reference: Some(reference),
        };
        let listing = one(&self.look(wanted).await, sku).expect("it is there");
        assert_eq!((listing.id, listing.quantity, listing.price), (id, quantity, self.like.price));
        listing
    }

    async fn look(&self, wanted: Wanted) -> Looked {
        self.shop.market().look(&[wanted]).await.expect("it answers")
    }

    /// The listing of this SKU as it stands now.
    async fn again(&self, was: &Listing) -> Option<Listing> {
        let wanted = Wanted {
            sku: was.sku.clone(),
            listing_id: Some(was.id),
            attributes: was.attributes.clone(),
            reference: None,
        };
        one(&self.look(wanted).await, was.sku.as_str())
    }
}

fn one(looked: &Looked, sku: &str) -> Option<Listing> {
    let found: Vec<&Listing> =
        looked.offered.iter().filter(|listing| listing.sku == Sku::from(sku)).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|listing| (*listing).clone())
}

fn dearer(offer: &Offer) -> Offer {
    let price = Money { minor: offer.price.minor + 110, ..offer.price };
    Offer { price, ..offer.clone() }
}

fn with_copies(offer: &Offer, quantity: i64) -> Offer {
    Offer { quantity, ..offer.clone() }
}

async fn added_is_there<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let listing = work.make("MH3-0117/EN", 3).await;
    let drafting = work.shop.writer().drafting();
    assert_eq!(drafting.comment(&listing.attributes), COMMENT);
    let again = drafting.redraft(&offer(&listing), &work.desired("MH3-0117/EN", 3));
    assert_eq!(again, Ok(None), "nothing is left to do");
}

async fn edits_change_the_price<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let made = work.make("A-1", 3).await;
    let (before, after) = (offer(&made), dearer(&offer(&made)));
    let item = work.item("A-1", Some(made.id), Some(before.clone()), Some(after.clone()));
    let outcome = work.write(Step::Edit, item).await;
    let now = work.again(&made).await.expect("it is still there");
    assert_eq!(offer(&now), after, "nothing but the price is another");
    assert!(
        matches!(outcome, ItemOutcome::Done { listing_id: Some(id), .. } if id == now.id),
        "{outcome:?}, and it is {}",
        now.id
    );
}

async fn comments_change<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let made = work.make("A-1", 2).await;
    let mut desired = work.desired("A-1", 2);
    desired.more.as_mut().expect("it says more").comment = Some("box <7>".to_owned());
    let redraft = |now: &Offer| work.shop.writer().drafting().redraft(now, &desired).expect("it is possible");
    let Some(attributes) = redraft(&offer(&made)) else { return };
    let after = Offer { attributes, ..offer(&made) };
    let item = work.item("A-1", Some(made.id), Some(offer(&made)), Some(after));
    let outcome = work.write(Step::Edit, item).await;
    assert!(matches!(outcome, ItemOutcome::Done { .. }), "{outcome:?}");
    let now = work.again(&made).await.expect("it has its SKU");
    let drafting = work.shop.writer().drafting();
    assert_eq!(drafting.comment(&now.attributes), "box <7>");
    assert_eq!(drafting.redraft(&offer(&now), &desired), Ok(None));
}

async fn copies_move<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let mut now = work.make("A-1", 3).await;
    for (step, copies) in [(Step::Lower, 1), (Step::Raise, 6), (Step::Lower, 4)] {
        let (before, after) = (offer(&now), with_copies(&offer(&now), copies));
        let item = work.item("A-1", Some(now.id), Some(before), Some(after.clone()));
        let outcome = work.write(step, item).await;
        assert!(
            matches!(outcome, ItemOutcome::Done { listing_id: Some(_), listed } if listed.is_none_or(|n| n == copies)),
            "{outcome:?}"
        );
        now = work.again(&now).await.expect("it is still there");
        assert_eq!(offer(&now), after, "nothing but the count is another");
    }
    let none = with_copies(&offer(&now), 0);
    let item = work.item("A-1", Some(now.id), Some(offer(&now)), Some(none));
    let outcome = work.write(Step::Lower, item).await;
    assert!(
        matches!(outcome, ItemOutcome::Done { listing_id: None, .. } | ItemOutcome::Unclear),
        "{outcome:?}"
    );
    assert_eq!(work.again(&now).await, None);
}

async fn removed_is_gone<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let made = work.make("A-1", 3).await;
    let item = work.item("A-1", Some(made.id), Some(offer(&made)), None);
    let outcome = work.write(Step::Remove, item).await;
    assert!(matches!(outcome, ItemOutcome::Done { listing_id: None, .. }), "{outcome:?}");
    assert_eq!(work.again(&made).await, None);
}

/// One item of the batch is about a listing that does not exist: the others are done all the same, and each outcome
/// is that of its item.
async fn batches_have_outcomes<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let size = work.shop.market().capabilities().writes.batch;
    let skus: Vec<String> = (0..size).map(|number| format!("B-{number}")).collect();
    let mut items = Vec::new();
    for (number, sku) in skus.iter().enumerate() {
        let draft = work.draft(sku, 1 + number as i64 % 4);
        items.push(work.item(sku, None, None, Some(draft)));
    }
    let batch = Batch { step: Step::Add, items };
    let outcomes = work.shop.writer().write(&batch).await.expect("it answers");
    let ids: Vec<ListingId> = outcomes
        .iter()
        .map(|outcome| match outcome {
            ItemOutcome::Done { listing_id: Some(id), .. } => *id,
            other => panic!("{other:?}"),
        })
        .collect();

    let unknown = size / 2;
    let mut items = Vec::new();
    for (number, item) in batch.items.iter().enumerate() {
        let id = if number == unknown { UNKNOWN } else { ids[number] };
        let before = item.after.clone().expect("it was added");
        let after = dearer(&before);
        items.push(work.item(item.sku.as_str(), Some(id), Some(before), Some(after)));
    }
    let edits = Batch { step: Step::Edit, items };
    let outcomes = work.shop.writer().write(&edits).await.expect("it answers");
    assert_eq!(outcomes.len(), size);
    for (number, outcome) in outcomes.iter().enumerate() {
        let item = &edits.items[number];
        let listing = Listing {
            id: ids[number],
            sku: item.sku.clone(),
            attributes: batch.items[number].after.clone().expect("it was added").attributes,
            ..work.like.clone()
        };
        let now = work.again(&listing).await.expect("it is there");
        let price = |offer: &Option<Offer>| offer.as_ref().expect("an offer").price;
        if number == unknown {
            assert!(!matches!(outcome, ItemOutcome::Done { .. }), "nothing was done to {}", item.sku);
            assert_eq!((now.id, now.price), (ids[number], price(&item.before)));
        } else {
            assert!(
                matches!(outcome, ItemOutcome::Done { listing_id: Some(id), .. } if *id == now.id),
                "{}: {outcome:?}",
                item.sku
            );
            assert_eq!(now.price, price(&item.after));
        }
    }
}

async fn others_stay<S: WritingShop>() {
    let mut work = Work::<S>::begin().await;
    let before = work.shop.offered();
    let made = work.make("A-1", 3).await;
    let item = work.item("A-1", Some(made.id), Some(offer(&made)), Some(dearer(&offer(&made))));
    work.write(Step::Edit, item).await;
    let now = work.again(&made).await.expect("it is there");
    let item = work.item("A-1", Some(now.id), Some(offer(&now)), None);
    work.write(Step::Remove, item).await;
    assert_eq!(work.shop.offered(), before);
}
