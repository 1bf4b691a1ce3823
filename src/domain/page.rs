//! Pages: how a marketplace shows what is too much for one answer.

use std::time::Duration;

use super::{Complaint, Listing, Order, OrderState, StockPart};

/// A list of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFeed {
    /// Its name, also in the database.
    pub name: &'static str,
    /// When it is worth a request.
    pub cadence: Cadence,
    /// The state of every order in it. A known order of this state that the list does not show any more has moved
    /// on and is read by its number. `None` where the list is a span of time and proves nothing by absence.
    pub holds: Option<OrderState>,
}

/// When a list of orders is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// At every poll.
    EveryPoll,
    /// When this long has passed since it was last read to its end, and at the first poll.
    Every(Duration),
    /// Only when no poll has finished for this long: what may have passed through the other lists unseen is here.
    /// Never at the first poll.
    AfterGap(Duration),
}

/// Where the next page begins. Only the marketplace that wrote it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCursor(pub String);

/// One page of the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockPage {
    /// Which copies its quantities count.
    pub part: StockPart,
    /// The rows that could be read.
    pub listings: Vec<Listing>,
    /// The rows that could not.
    pub complaints: Vec<Complaint>,
    /// How many rows this part of the stock has in all, where the marketplace says so.
    pub total: Option<u64>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageCursor>,
}

/// One page of a list of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders that could be read, wholly or in part.
    pub orders: Vec<OrderRead>,
    /// The orders that could not be read at all.
    pub complaints: Vec<Complaint>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageCursor>,
}

/// An order, and the lines of it that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRead {
    /// The order with the lines that could be read.
    pub order: Order,
    /// The lines that could not.
    pub complaints: Vec<Complaint>,
    /// How much of the order this is.
    pub extent: Extent,
}

/// How much of an order a reading shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// One line by itself: state, dates, total and tracking number are that line's. Its other lines may stand
    /// elsewhere on the page, on another one, or in no list any more; the order is what all its known lines add up to.
    Line,
}
