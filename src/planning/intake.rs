//! Orders become stock movements.
//!
//! A movement is the difference between what an order says now and what has been recorded for it. So reading it again
//! records nothing, and whatever an order's state does, back and forth, what is recorded adds up to what it says.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::{
    Cadence, LineNet, Money, Movement, MovementReason, Order, OrderFeed, OrderId, OrderState,
};

/// The movements that bring what is recorded of an order up to what it says. A line that the order does not show is
/// left alone: it may stand on another page.
pub fn movements(order: &Order, recorded: &[LineNet]) -> Vec<Movement> {
    order
        .lines
        .iter()
        .filter_map(|line| {
            let known = recorded.iter().find(|net| net.line_id == line.id);
            let has = known.map_or(0, |known| known.net);
            let wants = if order.state.takes_copies() { -line.quantity } else { 0 };
            let reason = match (has, wants) {
                _ if has == wants => return None,
                (0, _) => MovementReason::Sale,
                (_, 0) => MovementReason::Cancellation,
                _ => MovementReason::Correction,
            };
            // What left under one key comes back under the same, even if the listing's key has changed since.
            let sku = known.map_or(&line.sku, |known| &known.sku).clone();
            Some(Movement { line_id: line.id, sku, delta: wants - has, reason })
        })
        .collect()
}

/// The order that its lines add up to, each as it was last read by itself; `None` without any.
///
/// It stands where the line that is furthest behind stands, so that an order is paid or sent once all of it is. It was
/// placed with its first line and paid with its last.
pub fn sum(parts: impl IntoIterator<Item = Order>) -> Option<Order> {
    parts.into_iter().reduce(|mut order, part| {
        order.placed_at = order.placed_at.into_iter().chain(part.placed_at).min();
        order.paid_at = order.paid_at.zip(part.paid_at).map(|(a, b)| a.max(b));
        order.total = Money { minor: order.total.minor.saturating_add(part.total.minor), ..order.total };
        order.tracking_number = order.tracking_number.or(part.tracking_number);
        order.lines.extend(part.lines);
        if progress(&part.state) < progress(&order.state) {
            order.state = part.state;
        }
        order
    })
}

/// How far on an order is. A state nobody knows comes first, since a person should see it; a line that was called off
/// does not hold up the others.
fn progress(state: &OrderState) -> u8 {
    match state {
        OrderState::Other(_) => 0,
        OrderState::Bought => 1,
        OrderState::Paid => 2,
        OrderState::Sent => 3,
        OrderState::Received => 4,
        OrderState::Lost => 5,
        OrderState::Cancelled => 6,
    }
}

/// The lists that are worth a request now. `read_at` says when a list was last read to its end, `polled_at` when any
/// poll last finished.
pub fn feeds_due(
    feeds: &[OrderFeed],
    read_at: impl Fn(&OrderFeed) -> Option<DateTime<Utc>>,
    polled_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<&OrderFeed> {
    // A time to come was noted by a clock that was wrong: nobody knows how old it is.
    let older = |at: DateTime<Utc>, than: Duration| (now - at).to_std().map_or(true, |age| age >= than);
    feeds
        .iter()
        .filter(|feed| match feed.cadence {
            Cadence::EveryPoll => true,
            Cadence::Every(span) => read_at(feed).is_none_or(|at| older(at, span)),
            Cadence::AfterGap(span) => polled_at.is_some_and(|at| older(at, span)),
        })
        .collect()
}

/// The lists that a poll may leave out although a new order may stand there already: those of a state that are read once
/// in a while. An order can be paid and sent within a minute.
pub fn passed_by(feeds: &[OrderFeed]) -> impl Iterator<Item = &OrderFeed> {
    feeds.iter().filter(|feed| feed.holds.is_some() && matches!(feed.cadence, Cadence::Every(_)))
}

/// The known orders of a state that its list did not show: they have moved on, to be read one by one.
pub fn left(known: Vec<OrderId>, seen: &HashSet<OrderId>) -> Vec<OrderId> {
    known.into_iter().filter(|id| !seen.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Currency, LineId, ListingId, Money, OrderLine, OrderState};

    fn order(state: OrderState, quantities: &[i64]) -> Order {
        let eur = |minor| Money { minor, currency: Currency::EUR };
        let line = |(index, quantity): (usize, &i64)| OrderLine {
            id: LineId(index as i64),
            sku: format!("sku-{index}").as_str().into(),
            listing_id: ListingId(index as i64),
            title: "Ocelot Pride".to_owned(),
            quantity: *quantity,
            unit_price: eur(100),
        };
        Order {
            id: OrderId(1),
            state,
            placed_at: None,
            paid_at: None,
            total: eur(100),
            tracking_number: None,
            lines: quantities.iter().enumerate().map(line).collect(),
        }
    }

    fn record(nets: &mut Vec<LineNet>, movements: Vec<Movement>) {
        for Movement { line_id, sku, delta, .. } in movements {
            match nets.iter_mut().find(|net| net.line_id == line_id) {
                Some(net) => net.net += delta,
                None => nets.push(LineNet { line_id, sku, net: delta }),
            }
        }
    }

    #[test]
    fn an_order_called_off_before_it_was_seen_moves_nothing() {
        assert_eq!(movements(&order(OrderState::Cancelled, &[2]), &[]), []);
    }

    #[test]
    fn a_cancellation_brings_the_copies_back() {
        let mut nets = Vec::new();
        record(&mut nets, movements(&order(OrderState::Paid, &[2]), &[]));
        let back = movements(&order(OrderState::Cancelled, &[2]), &nets);
        assert_eq!((back[0].delta, back[0].reason), (2, MovementReason::Cancellation));
    }

    fn any_state() -> impl Strategy<Value = OrderState> {
        prop_oneof![
            Just(OrderState::Bought),
            Just(OrderState::Paid),
            Just(OrderState::Sent),
            Just(OrderState::Received),
            Just(OrderState::Cancelled),
            Just(OrderState::Other("frozen".to_owned())),
        ]
    }

    proptest! {
        #[test]
        fn whatever_an_order_goes_through_what_is_recorded_is_what_it_says(
            history in proptest::collection::vec((any_state(), proptest::collection::vec(1_i64..5, 3)), 1..12),
        ) {
            let mut nets = Vec::new();
            for (state, quantities) in &history {
                let order = order(state.clone(), quantities);
                let moved = movements(&order, &nets);
                record(&mut nets, moved);
                prop_assert_eq!(movements(&order, &nets), vec![], "read again it moves nothing");
            }
            let (state, quantities) = history.last().unwrap();
            for net in &nets {
                let wants = if state.takes_copies() { -quantities[net.line_id.0 as usize] } else { 0 };
                prop_assert_eq!(net.net, wants);
            }
        }
    }

    #[test]
    fn an_order_is_what_its_lines_add_up_to() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let part = |state, minor, placed: &str, paid: &str| Order {
            total: Money { minor, currency: Currency::NZD },
            placed_at: at(placed),
            paid_at: at(paid),
            ..order(state, &[1])
        };
        let sent = part(OrderState::Sent, 1_200, "2026-11-22T12:00:01Z", "2026-11-22T13:00:00Z");
        let paid = part(OrderState::Paid, 500, "2026-11-22T12:00:00Z", "2026-11-23T13:00:00Z");
        let mut unpaid = part(OrderState::Bought, 100, "", "");
        unpaid.tracking_number = Some("RR1".to_owned());

        let both = sum([sent.clone(), paid.clone()]).unwrap();
        assert_eq!((both.state, both.total.minor, both.lines.len()), (OrderState::Paid, 1_700, 2));
        assert_eq!((both.placed_at, both.paid_at), (paid.placed_at, paid.paid_at));
        let all = sum([sent.clone(), unpaid, paid.clone()]).unwrap();
        assert_eq!((all.state, all.total.minor, all.paid_at), (OrderState::Bought, 1_800, None));
        assert_eq!((all.placed_at, all.tracking_number), (paid.placed_at, Some("RR1".to_owned())));
        assert_eq!(sum([sent.clone()]), Some(sent));
        assert_eq!(sum([]), None);
    }

    #[test]
    fn a_list_of_a_state_that_is_not_read_each_time_is_passed_by() {
        let hour = Duration::from_secs(3_600);
        let feed = |name, cadence, holds| OrderFeed { name, cadence, holds };
        let feeds = [
            feed("paid", Cadence::EveryPoll, Some(OrderState::Paid)),
            feed("sent", Cadence::Every(hour), Some(OrderState::Sent)),
            feed("last day", Cadence::Every(hour), None),
            feed("received", Cadence::AfterGap(hour), Some(OrderState::Received)),
        ];
        assert_eq!(passed_by(&feeds).map(|feed| feed.name).collect::<Vec<_>>(), ["sent"]);
    }

    #[test]
    fn a_list_for_gaps_is_read_only_after_one() {
        let feed = |name, cadence| OrderFeed { name, cadence, holds: None };
        let hour = Duration::from_secs(3_600);
        let feeds = [
            feed("paid", Cadence::EveryPoll),
            feed("sent", Cadence::Every(hour)),
            feed("received", Cadence::AfterGap(hour * 24)),
        ];
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let check = |read: Option<i64>, polled: Option<i64>, expected: &[&str]| {
            let ago = |minutes: i64| now - chrono::TimeDelta::minutes(minutes);
            let due = feeds_due(&feeds, |_| read.map(ago), polled.map(ago), now);
            assert_eq!(due.iter().map(|feed| feed.name).collect::<Vec<_>>(), expected);
        };
        check(None, None, &["paid", "sent"]);
        check(Some(5), Some(5), &["paid"]);
        check(Some(61), Some(5), &["paid", "sent"]);
        check(Some(3_000), Some(3_000), &["paid", "sent", "received"]);
        check(Some(-60), Some(-60), &["paid", "sent", "received"]);
    }
}
