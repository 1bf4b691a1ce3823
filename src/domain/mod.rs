//! The nouns of the trade. No I/O of their own, and no marketplace is named here.

mod bill;
mod change;
mod clocks;
mod credentials;
mod desired;
mod drafting;
mod fee;
mod ids;
mod listing;
mod money;
mod order;
mod page;
mod run;
mod secret;
mod text;

pub use bill::Bill;
pub use change::{Bounds, Change, Held, Intent, IntentState, Offer, Operation, PlanState};
pub use clocks::{Clocks, Mark};
pub use credentials::{Credentials, Pair, same_pair};
pub use desired::{Bound, Desired, DesiredMore, LIST_AHEAD};
pub use drafting::{Drafting, Facet};
pub use fee::{Fee, Obstacle};
pub use ids::{AccountName, IntentId, JobName, LineId, ListingId, OrderId, PlanId, RunId, Sku};
pub use listing::{Listing, StockPart};
pub use money::{Currency, Money, MoneyError};
pub use order::{LineNet, Movement, MovementReason, Order, OrderLine, OrderState};
pub use page::{Cadence, Extent, OrderFeed, OrderPage, OrderRead, PageCursor, StockPage};
pub use run::{ErrorType, Mode, Outcome, RequestClass, Trigger};
pub use secret::{Wiped, taken};
pub use text::{clean, nearest, spelled};

/// A row of an answer that could not be read. The page it stood on is used all the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Complaint {
    /// Where the row stood, for example `article 3 of stock/101`.
    pub place: String,
    /// What is wrong with it, without its contents where those could be personal.
    pub problem: String,
}
