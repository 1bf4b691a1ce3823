//! Orders and the states they may take, as the seller sees them.

use chrono::{DateTime, Utc};

use super::stock::Article;

/// Somebody who does not exist.
#[derive(Debug, Clone)]
pub struct Buyer {
    /// `idUser`.
    pub id: u32,
    /// Name on the marketplace.
    pub username: String,
    /// Given name.
    pub first_name: &'static str,
    /// Surname; ends in `-Canary`.
    pub last_name: &'static str,
    /// Second address line.
    pub extra: Option<&'static str>,
    /// Street and number.
    pub street: String,
    /// Post code, town, country.
    pub town: (&'static str, &'static str, &'static str),
    /// Whether the marketplace withholds the address and sends `{}`.
    pub address_withheld: bool,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderState {
    /// Not paid yet.
    Bought,
    /// To be sent.
    Paid,
    /// On its way.
    Sent,
    /// There.
    Received,
    /// There, and the buyer said how it was. Listed under `received`.
    Evaluated,
    /// Did not arrive.
    Lost,
    /// Called off.
    Cancelled,
}

impl OrderState {
    /// All states.
    pub const ALL: [Self; 7] =
        [Self::Bought, Self::Paid, Self::Sent, Self::Received, Self::Evaluated, Self::Lost, Self::Cancelled];

    /// The marketplace's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::Paid => "paid",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Evaluated => "evaluated",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }

    /// The states that a list contains, asked for by its name or number. There is no list of evaluated
    /// orders: they stand under `received`.
    pub fn of_list(name: &str) -> Option<&'static [Self]> {
        match name {
            "bought" | "1" => Some(&[Self::Bought]),
            "paid" | "2" => Some(&[Self::Paid]),
            "sent" | "4" => Some(&[Self::Sent]),
            "received" | "8" => Some(&[Self::Received, Self::Evaluated]),
            "lost" | "32" => Some(&[Self::Lost]),
            "cancelled" | "128" => Some(&[Self::Cancelled]),
            _ => None,
        }
    }
}

/// One purchase.
#[derive(Debug, Clone)]
pub struct Order {
    /// `idOrder`.
    pub id: u64,
    /// Place in the list of buyers.
    pub buyer: usize,
    /// Where it stands.
    pub state: OrderState,
    /// When the buyer decided.
    pub bought: DateTime<Utc>,
    /// When it was paid.
    pub paid: Option<DateTime<Utc>>,
    /// When it was sent.
    pub sent: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received: Option<DateTime<Utc>>,
    /// When it was called off.
    pub cancelled: Option<DateTime<Utc>>,
    /// When a buyer who did not pay at once will.
    pub pays_at: Option<DateTime<Utc>>,
    /// The copies sold, as they were when they were sold.
    pub lines: Vec<Article>,
    /// A parcel with tracking rather than a letter.
    pub tracked: bool,
}

/// What moves an order on. The shop's control port plays buyer, seller and post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderAction {
    /// The buyer pays.
    Pay,
    /// The seller sends.
    Send,
    /// It arrives.
    Receive,
    /// The buyer evaluates.
    Evaluate,
    /// It is called off.
    Cancel,
    /// It is reported lost.
    Lose,
    /// The last step is taken back: a payment that was booked wrongly, a cancellation that was a mistake.
    Undo,
}

impl OrderAction {
    /// The action of that name.
    pub fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "pay" => Self::Pay,
            "send" => Self::Send,
            "receive" => Self::Receive,
            "evaluate" => Self::Evaluate,
            "cancel" => Self::Cancel,
            "lose" => Self::Lose,
            "undo" => Self::Undo,
            _ => {
                return Err(format!(
                    "no action '{word}'; there are pay, send, receive, evaluate, cancel, lose and undo"
                ));
            }
        })
    }
}

impl Order {
    /// Moves the order on at `now`, or says why it cannot.
    pub fn act(&mut self, action: OrderAction, now: DateTime<Utc>) -> Result<(), String> {
        use OrderAction as A;
        use OrderState as S;
        self.state = match (action, self.state) {
            (A::Pay, S::Bought) => S::Paid,
            (A::Send, S::Paid) => S::Sent,
            (A::Receive, S::Sent) => S::Received,
            (A::Evaluate, S::Received) => S::Evaluated,
            (A::Lose, S::Sent) => S::Lost,
            (A::Cancel, S::Bought | S::Paid) => S::Cancelled,
            (A::Undo, S::Paid) => S::Bought,
            (A::Undo, S::Sent) => S::Paid,
            (A::Undo, S::Received | S::Lost) => S::Sent,
            (A::Undo, S::Cancelled) if self.paid.is_some() => S::Paid,
            (A::Undo, S::Cancelled) => S::Bought,
            (action, state) => {
                let action = format!("{action:?}").to_lowercase();
                return Err(format!("order {} is {}: it cannot {action} from there", self.id, state.word()));
            }
        };
        match action {
            A::Pay => self.paid = Some(now),
            A::Send => self.sent = Some(now),
            A::Receive => self.received = Some(now),
            A::Cancel => self.cancelled = Some(now),
            A::Evaluate | A::Lose => {}
            A::Undo => self.forget_what_is_not_yet(),
        }
        if action != A::Evaluate {
            self.pays_at = None;
        }
        Ok(())
    }

    /// Dates of steps that were taken back are gone.
    fn forget_what_is_not_yet(&mut self) {
        self.cancelled = None;
        if self.state <= OrderState::Sent {
            self.received = None;
        }
        if self.state <= OrderState::Paid {
            self.sent = None;
        }
        if self.state == OrderState::Bought {
            self.paid = None;
        }
    }

    /// Copies in all lines.
    pub fn copies(&self) -> u32 {
        self.lines.iter().map(|line| line.count).sum()
    }

    /// Price of all lines in cents.
    pub fn article_cents(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.cents) * u64::from(line.count)).sum()
    }

    /// Price of sending it in cents.
    pub fn shipping_cents(&self) -> u64 {
        if self.tracked { 549 } else { 146 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            id: 1,
            buyer: 0,
            state: OrderState::Bought,
            bought: DateTime::UNIX_EPOCH,
            paid: None,
            sent: None,
            received: None,
            cancelled: None,
            pays_at: None,
            lines: Vec::new(),
            tracked: false,
        }
    }

    #[test]
    fn an_order_takes_its_states_in_order_and_keeps_the_dates() {
        let mut order = order();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("in range");
        order.act(OrderAction::Pay, at(1)).expect("bought");
        order.act(OrderAction::Send, at(2)).expect("paid");
        order.act(OrderAction::Receive, at(3)).expect("sent");
        order.act(OrderAction::Evaluate, at(4)).expect("received");
        assert_eq!(order.state, OrderState::Evaluated);
        assert_eq!((order.paid, order.sent, order.received), (Some(at(1)), Some(at(2)), Some(at(3))));
    }

    #[test]
    fn a_step_that_does_not_follow_is_refused_and_changes_nothing() {
        let mut order = order();
        let refused = order.act(OrderAction::Send, DateTime::UNIX_EPOCH);
        assert_eq!(refused, Err("order 1 is bought: it cannot send from there".to_owned()));
        assert_eq!((order.state, order.sent), (OrderState::Bought, None));
    }

    #[test]
    fn a_step_that_is_taken_back_leaves_no_trace() {
        let mut order = order();
        let now = DateTime::UNIX_EPOCH;
        let before = format!("{order:?}");
        order.act(OrderAction::Pay, now).expect("bought");
        let paid = format!("{order:?}");
        order.act(OrderAction::Cancel, now).expect("paid");
        order.act(OrderAction::Undo, now).expect("cancelled");
        assert_eq!(format!("{order:?}"), paid);
        order.act(OrderAction::Undo, now).expect("paid");
        assert_eq!(format!("{order:?}"), before);
        assert!(order.act(OrderAction::Undo, now).is_err());
    }

    #[test]
    fn every_state_stands_in_exactly_one_list() {
        let lists =
            ["1", "2", "4", "8", "32", "128"].map(|number| OrderState::of_list(number).expect("known"));
        for state in OrderState::ALL {
            assert_eq!(lists.iter().filter(|list| list.contains(&state)).count(), 1, "{state:?}");
        }
        assert_eq!(OrderState::of_list("evaluated"), None);
    }
}
