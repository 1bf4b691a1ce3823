//! A marketplace in memory: honest and small. It keeps the same laws as the real ones, so that jobs can be tried
//! without a network, and the laws without a job.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    Batch, CallError, Capabilities, Identity, Item, ItemOutcome, Marketplace, Quantities, Step, WriteError,
    Writer, Writes,
};
use crate::domain::{
    Cadence, Desired, Drafting, ErrorType, Extent, Listing, ListingId, Offer, Order, OrderFeed, OrderId,
    OrderPage, OrderRead, OrderState, PageCursor, StockPage, StockPart,
};

/// A shop in memory. Clones are the same shop.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Shop>>);

/// What the shop holds.
#[derive(Default)]
pub struct Shop {
    /// What is for sale.
    pub stock: Vec<Listing>,
    /// What lies in carts: listings whose quantity is that of the carts.
    pub carts: Vec<Listing>,
    /// Every order there ever was.
    pub orders: Vec<Order>,
    /// What becomes of the next writes, one after the other. Afterwards all goes well.
    pub fates: VecDeque<Fate>,
    /// Every batch that arrived, with or without an answer.
    pub written: Vec<Batch>,
    /// The highest number that was ever given to a listing here.
    last_id: i64,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done and answered.
    Well,
    /// It is never sent, and that is known.
    Unsent,
    /// It is lost on its way there: nothing is done, and nobody knows.
    LostBefore,
    /// Its answer is lost: it is done, and nobody knows.
    LostAfter,
}

const PAGE: usize = 10;
const CARTS: &str = "carts";
const FEEDS: [OrderFeed; 3] = [
    OrderFeed { name: "bought", cadence: Cadence::EveryPoll, holds: Some(OrderState::Bought) },
    OrderFeed { name: "paid", cadence: Cadence::EveryPoll, holds: Some(OrderState::Paid) },
    OrderFeed { name: "sent", cadence: Cadence::EveryPoll, holds: Some(OrderState::Sent) },
];
const CAPABILITIES: Capabilities = Capabilities { order_feeds: &FEEDS, pages_shift: false, writes: WRITES };

const WRITES: Writes = Writes {
    batch: 3,
    quantities: Quantities::Relative,
    whole_listing: false,
    visibility_lag: Duration::ZERO,
    natural_sku: "mem:",
    zero_is_final: false,
    charged: false,
};

impl Memory {
    /// The shop, to be changed by hand.
    pub fn shop(&self) -> MutexGuard<'_, Shop> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Shop {
    /// A buyer buys: the copies leave the stock and the order stands in its list at once.
    pub fn sell(&mut self, order: Order) {
        self.note_numbers();
        for line in &order.lines {
            if let Some(listing) = self.listing(line.listing_id) {
                listing.quantity -= line.quantity;
            }
        }
        self.stock.retain(|listing| listing.quantity > 0);
        self.orders.push(order);
    }

    fn listing(&mut self, id: ListingId) -> Option<&mut Listing> {
        self.stock.iter_mut().find(|listing| listing.id == id)
    }

    fn write(&mut self, batch: &Batch) -> Vec<ItemOutcome> {
        self.written.push(batch.clone());
        self.note_numbers();
        let outcomes = batch.items.iter().map(|item| self.change(batch.step, item)).collect();
        self.stock.retain(|listing| listing.quantity > 0);
        outcomes
    }

    /// Changes one listing. One that is not there is passed over in silence, as by the real ones.
    fn change(&mut self, step: Step, item: &Item) -> ItemOutcome {
        let listed = |offer: &Option<Offer>| offer.as_ref().map_or(0, Offer::listed);
        let more = listed(&item.after) - listed(&item.before);
        if step == Step::Add {
            return match &item.after {
                Some(offer) if more > 0 => self.put(item, String::new(), more, offer),
                _ => ItemOutcome::Refused("there is nothing to add".to_owned()),
            };
        }
        let Some(listing) = item.listing_id.and_then(|id| self.listing(id)) else {
            return ItemOutcome::Unclear;
        };
        match (step, &item.after) {
            (Step::Edit, Some(offer)) => {
                let same = listing.price == offer.price && listing.attributes == offer.attributes;
                let copies = listed(&item.before).min(listing.quantity);
                if same || copies < 1 {
                    return ItemOutcome::Unclear;
                }
                listing.quantity -= copies;
                let title = listing.title.clone();
                self.put(item, title, copies, offer)
            }
            (Step::Lower | Step::Raise, _) if listing.quantity + more < 0 => {
                ItemOutcome::Refused(format!("only {} copies are for sale", listing.quantity))
            }
            (Step::Lower | Step::Raise, _) => {
                listing.quantity += more;
                let (id, left) = (listing.id, listing.quantity);
                ItemOutcome::Done { listing_id: Some(id).filter(|_| left > 0), listed: Some(left) }
            }
            _ => {
                listing.quantity = 0;
                ItemOutcome::Done { listing_id: None, listed: Some(0) }
            }
        }
    }

    /// Puts copies up for sale: beside those of a listing that is the same in everything, else under a new number.
    fn put(&mut self, item: &Item, title: String, copies: i64, offer: &Offer) -> ItemOutcome {
        let twin = self.stock.iter_mut().find(|listing| {
            listing.quantity > 0
                && listing.sku == item.sku
                && listing.price == offer.price
                && listing.attributes == offer.attributes
        });
        let (id, listed) = match twin {
            Some(twin) => {
                twin.quantity += copies;
                (twin.id, twin.quantity)
            }
            None => {
                let id = self.new_id();
                self.stock.push(Listing {
                    id,
                    sku: item.sku.clone(),
                    title,
                    quantity: copies,
                    price: offer.price,
                    attributes: offer.attributes.clone(),
                });
                (id, copies)
            }
        };
        ItemOutcome::Done { listing_id: Some(id), listed: Some(listed) }
    }

    /// A number that no listing ever had.
    fn new_id(&mut self) -> ListingId {
        self.note_numbers();
        self.last_id += 1;
        ListingId(self.last_id)
    }

    /// Remembers the highest number before its listing can go: whoever holds the shop may have put it there by hand.
    fn note_numbers(&mut self) {
        let sold = self.orders.iter().flat_map(|order| &order.lines).map(|line| line.listing_id.0);
        let shown = self.stock.iter().chain(&self.carts).map(|listing| listing.id.0);
        self.last_id = sold.chain(shown).fold(self.last_id, i64::max);
    }
}

#[async_trait]
impl Writer for Memory {
    async fn write(&self, batch: &Batch) -> Result<Vec<ItemOutcome>, WriteError> {
        let mut shop = self.shop();
        let at = || "a write in memory".to_owned();
        let lost = || CallError::Unavailable {
            at: at(),
            what: "the connection broke".to_owned(),
            error_type: ErrorType::Connect,
        };
        if batch.items.len() > WRITES.batch {
            let reason = format!("more than {} items", WRITES.batch);
            return Err(WriteError::NoEffect(CallError::Rejected { at: at(), status: 400, reason }));
        }
        match shop.fates.pop_front().unwrap_or(Fate::Well) {
            Fate::Well => Ok(shop.write(batch)),
            Fate::Unsent => Err(WriteError::NoEffect(lost())),
            Fate::LostBefore => Err(WriteError::InDoubt(lost())),
            Fate::LostAfter => {
                shop.write(batch);
                Err(WriteError::InDoubt(lost()))
            }
        }
    }
}

/// Drafts offers that consist of a comment. The SKU stands beside it and needs no mark.
struct Comments;

impl Drafting for Comments {
    fn draft(&self, desired: &Desired) -> Result<Offer, String> {
        let price = desired.price.ok_or("the source has no price for it")?;
        let comment = desired.more.as_ref().and_then(|more| more.comment.as_deref());
        let attributes = with_comment("{}", comment.unwrap_or_default());
        Ok(Offer { quantity: desired.quantity, in_carts: 0, price, attributes })
    }

    fn redraft(&self, now: &Offer, desired: &Desired) -> Result<Option<String>, String> {
        let wanted = desired.more.as_ref().and_then(|more| more.comment.as_deref());
        let wanted = wanted.filter(|wanted| *wanted != self.comment(&now.attributes));
        Ok(wanted.map(|wanted| with_comment(&now.attributes, wanted)))
    }

    fn comment(&self, attributes: &str) -> String {
        let members: Map<String, Value> = serde_json::from_str(attributes).unwrap_or_default();
        members.get("comment").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

fn with_comment(attributes: &str, comment: &str) -> String {
    let mut members: Map<String, Value> = serde_json::from_str(attributes).unwrap_or_default();
    members.shift_remove("comment");
    if !comment.is_empty() {
        members.insert("comment".to_owned(), comment.into());
        members.sort_keys();
    }
    Value::Object(members).to_string()
}

#[async_trait]
impl Marketplace for Memory {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        Ok(Identity { name: "memory".to_owned(), id: 1 })
    }

    async fn stock_page(&self, at: Option<&PageCursor>) -> Result<StockPage, CallError> {
        let shop = self.shop();
        if at.is_some_and(|cursor| cursor.0 == CARTS) {
            let listings = shop.carts.clone();
            return Ok(StockPage {
                part: StockPart::InCarts,
                listings,
                complaints: Vec::new(),
                total: None,
                next: None,
            });
        }
        let (listings, next) = slice(&shop.stock, at);
        Ok(StockPage {
            part: StockPart::Offered,
            listings,
            complaints: Vec::new(),
            total: Some(shop.stock.len() as u64),
            next: next.or_else(|| Some(PageCursor(CARTS.to_owned()))),
        })
    }

    async fn in_carts(&self) -> Result<Vec<Listing>, CallError> {
        Ok(self.shop().carts.clone())
    }

    async fn order_page(&self, feed: &OrderFeed, at: Option<&PageCursor>) -> Result<OrderPage, CallError> {
        let shop = self.shop();
        let of_state: Vec<Order> =
            shop.orders.iter().filter(|order| order.state.as_str() == feed.name).cloned().collect();
        let (orders, next) = slice(&of_state, at);
        Ok(OrderPage { orders: orders.into_iter().map(whole).collect(), complaints: Vec::new(), next })
    }

    async fn order(&self, id: OrderId) -> Result<Option<OrderRead>, CallError> {
        Ok(self.shop().orders.iter().find(|order| order.id == id).cloned().map(whole))
    }

    fn drafting(&self) -> Arc<dyn Drafting> {
        Arc::new(Comments)
    }
}

fn slice<T: Clone>(all: &[T], at: Option<&PageCursor>) -> (Vec<T>, Option<PageCursor>) {
    let from = at.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(0).min(all.len());
    let to = (from + PAGE).min(all.len());
    (all[from..to].to_vec(), (to < all.len()).then(|| PageCursor(to.to_string())))
}

fn whole(order: Order) -> OrderRead {
    OrderRead { order, complaints: Vec::new(), extent: Extent::Whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, DesiredMore, IntentId, Money};

    fn offer(listed: i64, minor: i64) -> Offer {
        let price = Money { minor, currency: Currency::EUR };
        Offer { quantity: listed, in_carts: 0, price, attributes: "{}".to_owned() }
    }

    fn item(id: Option<i64>, before: Option<Offer>, after: Option<Offer>) -> Item {
        Item {
            intents: vec![IntentId(1)],
            sku: "A".into(),
            listing_id: id.map(ListingId),
            before,
            after,
            reference: "1".to_owned(),
        }
    }

    async fn write(memory: &Memory, step: Step, item: Item) -> Result<ItemOutcome, WriteError> {
        memory.write(&Batch { step, items: vec![item] }).await.map(|mut outcomes| outcomes.remove(0))
    }

    fn done(id: i64, listed: i64) -> Result<ItemOutcome, WriteError> {
        Ok(ItemOutcome::Done { listing_id: Some(ListingId(id)), listed: Some(listed) })
    }

    #[tokio::test(start_paused = true)]
    async fn the_steps_do_what_they_say_and_an_edit_renumbers() {
        let memory = Memory::default();
        let new = || item(None, None, Some(offer(2, 100)));
        assert_eq!(write(&memory, Step::Add, new()).await, done(1, 2));
        assert_eq!(write(&memory, Step::Add, new()).await, done(1, 4), "the same goes into the same");
        let dearer = || item(Some(1), Some(offer(3, 100)), Some(offer(3, 150)));
        assert_eq!(write(&memory, Step::Edit, dearer()).await, done(2, 3));
        assert_eq!(memory.shop().stock.len(), 2, "the fourth copy stays as it was");
        let more = item(Some(2), Some(offer(3, 150)), Some(offer(5, 150)));
        assert_eq!(write(&memory, Step::Raise, more).await, done(2, 5));
        let gone = Ok(ItemOutcome::Done { listing_id: None, listed: Some(0) });
        let none = item(Some(2), Some(offer(5, 150)), Some(offer(0, 150)));
        assert_eq!(write(&memory, Step::Lower, none.clone()).await, gone);
        assert_eq!(write(&memory, Step::Lower, none).await, Ok(ItemOutcome::Unclear));
        assert_eq!(write(&memory, Step::Remove, item(Some(1), Some(offer(1, 100)), None)).await, gone);
        assert!(memory.shop().stock.is_empty());
        assert_eq!(write(&memory, Step::Add, new()).await, done(3, 2), "no number is given twice");
        let by_hand = Listing { id: ListingId(9), ..memory.shop().stock[0].clone() };
        memory.shop().stock = vec![by_hand];
        assert_eq!(write(&memory, Step::Remove, item(Some(9), Some(offer(2, 100)), None)).await, gone);
        assert_eq!(write(&memory, Step::Add, new()).await, done(10, 2), "nor one that somebody else gave");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_can_be_lost_before_and_after_the_effect() {
        let memory = Memory::default();
        memory.shop().fates = [Fate::Unsent, Fate::LostBefore, Fate::LostAfter].into();
        let add = || write(&memory, Step::Add, item(None, None, Some(offer(1, 100))));
        assert!(matches!(add().await, Err(WriteError::NoEffect(_))));
        assert!(matches!(add().await, Err(WriteError::InDoubt(_))));
        assert!(memory.shop().stock.is_empty());
        assert!(matches!(add().await, Err(WriteError::InDoubt(_))));
        assert_eq!(memory.shop().stock[0].quantity, 1);
        assert_eq!(add().await, done(1, 2));
        assert_eq!(memory.shop().written.len(), 2);
    }

    #[test]
    fn a_comment_is_drafted_and_redrafted() {
        let desired = |comment: &str| Desired {
            sku: "A".into(),
            quantity: 1,
            price: Some(offer(1, 100).price),
            more: Some(Box::new(DesiredMore { comment: Some(comment.to_owned()), ..DesiredMore::default() })),
            line: 2,
        };
        let now = Comments.draft(&desired("box")).unwrap();
        assert_eq!(now.attributes, r#"{"comment":"box"}"#);
        assert_eq!(Comments.redraft(&now, &desired("box")), Ok(None));
        assert_eq!(Comments.redraft(&now, &desired("")), Ok(Some("{}".to_owned())));
    }
}
