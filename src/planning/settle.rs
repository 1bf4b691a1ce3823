//! What became of a change whose answer was lost, told by what is read back.
//!
//! Sent again, a relative change counts twice; taken for done, it may never have happened. So the numbers are compared
//! with the two histories that are possible: what stood before less what was sold since, with the change and without
//! it. Where neither or both of them fit, nobody guesses: the item is parked and the sum is shown to a person. A seller
//! who edits by hand meanwhile ends there too.

use crate::domain::{Change, ListingId, Offer, Operation};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stands as the change wanted it, under this number; `None` where nothing is listed any more.
    Done {
        /// The listing's number now.
        listing_id: Option<ListingId>,
    },
    /// It stands as if the change had never been sent: it may be sent again.
    NotApplied,
    /// What it was about is not there any more, for this reason: there is nothing left to change.
    Moot(String),
    /// The orders moved while it was read, so that the numbers are not of one moment: read again.
    ReadAgain,
    /// Neither the one nor the other, and this is the sum. A person has to look.
    Parked(String),
}

/// What the movements of a SKU at this account add up to, at three moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nets {
    /// When the change's `before` was read.
    pub base: i64,
    /// After the orders were read, before the listing was looked at.
    pub before_look: i64,
    /// After the orders were read once more.
    pub after_look: i64,
    /// Whether any of the movements since the first moment brought copies back. A sum does not show a sale and a
    /// cancellation, and nobody knows whether the marketplace offers a cancelled copy again.
    pub came_back: bool,
}

/// What stands there now.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The listing under the number that it had.
    pub same: Option<&'a Offer>,
    /// Listings that were not there when the plan was made and may be this one under another number, or the one that
    /// was to be added: of the same SKU, or of the SKU that the change gives it.
    pub others: &'a [(ListingId, Offer)],
    /// The listing that bears the reference of the item that was sent.
    pub referenced: Option<ListingId>,
    /// Whether this was the only listing of its SKU when the plan was made. Where it was not, a sale may have been one
    /// of the other listing.
    pub alone: bool,
}

/// Judges one change. `relative` says that a number of copies is changed by so many more or fewer; otherwise it is set.
pub fn judge(change: &Change, relative: bool, nets: Nets, found: &Found<'_>) -> Verdict {
    match change.op {
        Operation::Add => added(change, nets, found),
        Operation::Remove => match found.same {
            None => Verdict::Done { listing_id: None },
            Some(_) => Verdict::NotApplied,
        },
        Operation::Quantity | Operation::Zero => counted(change, relative, nets, found),
        Operation::Price | Operation::Details => edited(change, found),
    }
}

/// A number of copies.
fn counted(change: &Change, relative: bool, nets: Nets, found: &Found<'_>) -> Verdict {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return shapeless(change) };
    if nets.before_look != nets.after_look {
        return Verdict::ReadAgain;
    }
    if found.same.is_none() {
        match found.others {
            // Taken out, sold out, or gone another way: nothing is for sale, as was wanted.
            [] if change.op == Operation::Zero => return Verdict::Done { listing_id: None },
            [] => {}
            [(id, other), ..] => {
                return Verdict::Parked(format!(
                    "the listing is gone, and listing {id} stands there with {}: somebody has listed it anew",
                    other.quantity
                ));
            }
        }
    }
    let sold = i128::from(nets.base) - i128::from(nets.after_look);
    let now = i128::from(found.same.map_or(0, |offer| offer.quantity));
    let (before, after) = (i128::from(before.quantity), i128::from(after.quantity));
    let sum = || parked(before, after, sold, now);
    if sold < 0 || nets.came_back {
        return Verdict::Parked(format!("{}; copies of a cancelled order may be among them or not", sum()));
    }
    if sold != 0 && !found.alone {
        return Verdict::Parked(format!("{}; another listing of it may have sold them", sum()));
    }
    let without = (before - sold).max(0);
    let with = (after - sold).max(0);
    // What was sold before a number was set does not lower it.
    let with = with..=if relative { with } else { after };
    match (now == without, with.contains(&now)) {
        (true, _) if now == 0 => Verdict::Moot("all copies of it were sold".to_owned()),
        (true, true) if relative => Verdict::Parked(sum()),
        // To set the number now would put on sale again what was sold.
        (true, _) if !relative && sold != 0 => {
            Verdict::Moot(format!("{sold} sold since; it is planned anew"))
        }
        (true, _) => Verdict::NotApplied,
        (false, true) => Verdict::Done { listing_id: found.same.and(change.listing_id) },
        (false, false) => Verdict::Parked(sum()),
    }
}

/// A price or a detail. Sent again it is the same, so whatever else stands there is left to the next plan.
fn edited(change: &Change, found: &Found<'_>) -> Verdict {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return shapeless(change) };
    let same = |a: &Offer, b: &Offer| match change.op {
        Operation::Price => a.price == b.price,
        _ => a.attributes == b.attributes,
    };
    let other = |offer: &Offer| {
        Verdict::Moot(match change.op {
            Operation::Price => {
                format!("it had {}, was to have {}, and has {}", before.price, after.price, offer.price)
            }
            _ => "its details are neither what they were nor what they were to be".to_owned(),
        })
    };
    match (found.same, found.others) {
        (Some(now), _) if same(now, after) => Verdict::Done { listing_id: change.listing_id },
        // What lies in carts stays as it was under the old number, and the rest has another.
        (Some(now), [(id, rest)]) if now.listed() == 0 && same(now, before) && same(rest, after) => {
            Verdict::Done { listing_id: Some(*id) }
        }
        (Some(now), _) if same(now, before) => Verdict::NotApplied,
        (Some(now), _) => other(now),
        (None, []) => Verdict::Moot("it is not listed any more".to_owned()),
        // An edit may give a listing another number.
        (None, [(id, now)]) if same(now, after) => Verdict::Done { listing_id: Some(*id) },
        (None, [(id, _)]) => Verdict::Moot(format!("it is gone, and listing {id} stands there unchanged")),
        (None, several) => Verdict::Moot(format!("it is gone, and {} others stand there", several.len())),
    }
}

/// A new listing, recognised by its reference or by the mark of its SKU.
fn added(change: &Change, nets: Nets, found: &Found<'_>) -> Verdict {
    let several = |count: usize| {
        Verdict::Parked(format!(
            "it was to be listed once, and {count} listings bear the mark {}",
            change.sku
        ))
    };
    match (found.referenced, found.others) {
        (Some(id), _) => Verdict::Done { listing_id: Some(id) },
        (None, [(id, _)]) => Verdict::Done { listing_id: Some(*id) },
        (None, [_, _, ..]) => several(found.others.len()),
        (None, []) if nets.before_look != nets.after_look => Verdict::ReadAgain,
        (None, []) if nets.after_look != nets.base => Verdict::Parked(format!(
            "it was to be listed and is not there, and orders for it came in since ({} sold): it may have been listed \
             and sold out",
            i128::from(nets.base) - i128::from(nets.after_look)
        )),
        (None, []) => Verdict::NotApplied,
    }
}

/// The sum, for people: `had 5, sold 1 since, asked for 3: expected 4 or 2, found 7`.
fn parked(before: i128, after: i128, sold: i128, now: i128) -> String {
    let (without, with) = ((before - sold).max(0), (after - sold).max(0));
    let moved = match sold {
        0 => "sold none since".to_owned(),
        1.. => format!("sold {sold} since"),
        _ => format!("{} came back since", -sold),
    };
    format!("had {before}, {moved}, asked for {after}: expected {without} or {with}, found {now}")
}

/// A change without the sides that its operation has. No plan makes one; a damaged row might.
fn shapeless(change: &Change) -> Verdict {
    Verdict::Parked(format!("the recorded change `{}` lacks what stood before or after", change.op))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Currency, Money};
    use crate::planning::testing;

    fn offer(listed: i64, in_carts: i64) -> Offer {
        Offer { in_carts, ..testing::offer(listed + in_carts, 100) }
    }

    fn change(op: Operation, before: Option<Offer>, after: Option<Offer>) -> Change {
        testing::change(op, 1, before, after)
    }

    fn counts(before: i64, after: i64) -> Change {
        let op = if after == 0 { Operation::Zero } else { Operation::Quantity };
        change(op, Some(offer(before, 0)), Some(offer(after, 0)))
    }

    fn sold(copies: i64) -> Nets {
        Nets { base: -7, before_look: -7 - copies, after_look: -7 - copies, came_back: copies < 0 }
    }

    fn found(same: Option<&Offer>) -> Found<'_> {
        Found { same, others: &[], referenced: None, alone: true }
    }

    const DONE: Verdict = Verdict::Done { listing_id: Some(ListingId(1)) };

    #[track_caller]
    fn check(change: &Change, copies: i64, now: i64, expected: &Verdict) {
        assert_eq!(judge(change, true, sold(copies), &found(Some(&offer(now, 0)))), *expected);
    }

    #[test]
    fn the_sum_tells_whether_a_number_was_changed() {
        let lower = counts(5, 3);
        check(&lower, 0, 5, &Verdict::NotApplied);
        check(&lower, 0, 3, &DONE);
        check(&lower, 1, 4, &Verdict::NotApplied);
        check(&lower, 1, 2, &DONE);
        let sum = "had 5, sold 1 since, asked for 3: expected 4 or 2, found 7";
        check(&lower, 1, 7, &Verdict::Parked(sum.to_owned()));
        check(&counts(1, 4), 2, 2, &DONE);
        // Nobody knows where copies of a cancelled order went.
        assert!(matches!(judge(&lower, true, sold(-1), &found(Some(&offer(3, 0)))), Verdict::Parked(_)));
    }

    #[test]
    fn a_number_that_was_set_is_not_lowered_by_what_was_sold_before() {
        let at = |now| judge(&counts(9, 5), false, sold(2), &found(Some(&offer(now, 0))));
        assert_eq!([at(5), at(4), at(3)], [DONE, DONE, DONE]);
        assert!(matches!(at(6), Verdict::Parked(_)) && matches!(at(2), Verdict::Parked(_)));
        // To set it again would put on sale what was sold.
        assert!(matches!(at(7), Verdict::Moot(_)));
    }

    #[test]
    fn a_listing_that_is_gone_is_at_zero() {
        let gone = Verdict::Done { listing_id: None };
        assert_eq!(judge(&counts(5, 0), true, sold(0), &found(None)), gone);
        assert_eq!(judge(&counts(5, 3), true, sold(3), &found(None)), gone);
        assert!(matches!(judge(&counts(5, 3), true, sold(5), &found(None)), Verdict::Moot(_)));
        assert!(matches!(judge(&counts(5, 3), true, sold(0), &found(None)), Verdict::Parked(_)));
        let anew = [(ListingId(2), offer(5, 0))];
        let found = Found { others: &anew, ..found(None) };
        assert!(matches!(judge(&counts(5, 0), true, sold(0), &found), Verdict::Parked(_)));
    }

    #[test]
    fn copies_that_went_into_a_cart_are_not_off_sale() {
        let now = offer(0, 5);
        assert_eq!(judge(&counts(5, 0), true, sold(0), &found(Some(&now))), Verdict::NotApplied);
    }

    #[test]
    fn orders_that_move_while_it_is_read_and_sales_of_a_twin_prove_nothing() {
        let now = offer(4, 0);
        let moving = Nets { before_look: -7, ..sold(1) };
        assert_eq!(judge(&counts(5, 4), true, moving, &found(Some(&now))), Verdict::ReadAgain);
        let twin = Found { alone: false, ..found(Some(&now)) };
        assert!(matches!(judge(&counts(5, 4), true, sold(1), &twin), Verdict::Parked(_)));
        assert_eq!(judge(&counts(5, 4), true, sold(0), &twin), DONE);
    }

    #[test]
    fn an_edit_is_told_by_what_it_set() {
        let priced = |minor| Offer { price: Money { minor, currency: Currency::EUR }, ..offer(2, 0) };
        let edit = change(Operation::Price, Some(priced(100)), Some(priced(90)));
        let judge = |found: &Found<'_>| judge(&edit, true, sold(0), found);
        assert_eq!(judge(&found(Some(&priced(90)))), DONE);
        assert_eq!(judge(&found(Some(&priced(100)))), Verdict::NotApplied);
        let words = "it had 1.00 EUR, was to have 0.90 EUR, and has 0.80 EUR";
        assert_eq!(judge(&found(Some(&priced(80)))), Verdict::Moot(words.to_owned()));
        let renumbered = [(ListingId(2), priced(90))];
        assert_eq!(
            judge(&Found { others: &renumbered, ..found(None) }),
            Verdict::Done { listing_id: Some(ListingId(2)) }
        );
        let unchanged = [(ListingId(2), priced(100))];
        assert!(matches!(judge(&Found { others: &unchanged, ..found(None) }), Verdict::Moot(_)));
        assert!(matches!(judge(&found(None)), Verdict::Moot(_)));
    }

    #[test]
    fn an_edit_of_a_listing_that_lies_partly_in_carts_is_told_by_the_rest_of_it() {
        let priced = |listed, in_carts, minor| Offer {
            price: Money { minor, currency: Currency::EUR },
            ..offer(listed, in_carts)
        };
        let edit = change(Operation::Price, Some(priced(1, 1, 100)), Some(priced(1, 1, 90)));
        let judge = |found: &Found<'_>| judge(&edit, true, sold(0), found);
        let in_cart = priced(0, 1, 100);
        let rest = [(ListingId(2), priced(1, 0, 90))];
        let split = Found { others: &rest, ..found(Some(&in_cart)) };
        assert_eq!(judge(&split), Verdict::Done { listing_id: Some(ListingId(2)) });
        // The other copy went into a cart, too, and nothing was edited.
        assert_eq!(judge(&found(Some(&priced(0, 2, 100)))), Verdict::NotApplied);
        // What is for sale under the old number has its old price.
        let whole = priced(1, 1, 100);
        assert_eq!(judge(&Found { others: &rest, ..found(Some(&whole)) }), Verdict::NotApplied);
    }

    #[test]
    fn a_new_listing_is_known_by_its_reference_or_its_mark() {
        let add = change(Operation::Add, None, Some(offer(2, 0)));
        let done = Verdict::Done { listing_id: Some(ListingId(2)) };
        let judge = |nets, found: &Found<'_>| judge(&add, true, nets, found);
        assert_eq!(judge(sold(0), &found(None)), Verdict::NotApplied);
        assert_eq!(judge(sold(1), &Found { referenced: Some(ListingId(2)), ..found(None) }), done);
        let marked = [(ListingId(2), offer(1, 0)), (ListingId(3), offer(1, 0))];
        assert_eq!(judge(sold(1), &Found { others: &marked[..1], ..found(None) }), done);
        assert!(matches!(judge(sold(0), &Found { others: &marked, ..found(None) }), Verdict::Parked(_)));
        // Listed and sold out at once looks like never listed, but for the sale.
        assert!(matches!(judge(sold(2), &found(None)), Verdict::Parked(_)));
    }

    #[test]
    fn a_removal_is_done_when_it_is_gone() {
        let remove = change(Operation::Remove, Some(offer(2, 0)), None);
        assert_eq!(judge(&remove, true, sold(0), &found(None)), Verdict::Done { listing_id: None });
        assert_eq!(judge(&remove, true, sold(0), &found(Some(&offer(2, 0)))), Verdict::NotApplied);
    }

    /// What happens to a listing between the reading that the plan was made from and the one that settles it.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Sale,
        IntoCart,
        OutOfCart,
        SaleFromCart,
        /// The change arrives, if it ever does.
        Arrival,
    }

    /// A marketplace that does what it is asked, as far as it can.
    #[derive(Debug, Clone, Copy)]
    struct Shop {
        listed: i64,
        in_carts: i64,
        sold: i64,
    }

    impl Shop {
        fn on(&mut self, event: Event, change: &Change, relative: bool) {
            let (before, after) =
                (change.before.as_ref().unwrap().listed(), change.after.as_ref().unwrap().listed());
            match event {
                Event::Sale if self.listed > 0 => (self.listed, self.sold) = (self.listed - 1, self.sold + 1),
                Event::SaleFromCart if self.in_carts > 0 => {
                    (self.in_carts, self.sold) = (self.in_carts - 1, self.sold + 1);
                }
                Event::IntoCart if self.listed > 0 => {
                    (self.listed, self.in_carts) = (self.listed - 1, self.in_carts + 1);
                }
                Event::OutOfCart if self.in_carts > 0 => {
                    (self.listed, self.in_carts) = (self.listed + 1, self.in_carts - 1);
                }
                Event::Arrival if relative => self.listed = (self.listed + after - before).max(0),
                Event::Arrival => self.listed = after,
                _ => {}
            }
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        use Event::{IntoCart, OutOfCart, Sale, SaleFromCart};
        prop_oneof![Just(Sale), Just(IntoCart), Just(OutOfCart), Just(SaleFromCart)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn of_every_honest_history_the_verdict_is_right_or_it_is_parked(
            before in 0_i64..6,
            in_carts in 0_i64..3,
            further in 1_i64..6,
            early in proptest::collection::vec(any_event(), 0..4),
            late in proptest::collection::vec(any_event(), 0..4),
            unseen in proptest::collection::vec(any_event(), 0..2),
            applied: bool,
            relative: bool,
        ) {
            let after = (before + further) % 6;
            let op = if after == 0 { Operation::Zero } else { Operation::Quantity };
            let change = change(op, Some(offer(before, in_carts)), Some(offer(after, in_carts)));
            let history = |arrives: bool| {
                let mut shop = Shop { listed: before, in_carts, sold: 0 };
                let arrival = arrives.then_some(Event::Arrival);
                for event in early.iter().copied().chain(arrival).chain(late.iter().copied()) {
                    shop.on(event, &change, relative);
                }
                shop
            };
            let shop = history(applied);
            let mut later = shop;
            unseen.iter().for_each(|event| later.on(*event, &change, relative));
            let nets = Nets { base: 9, before_look: 9 - shop.sold, after_look: 9 - later.sold, came_back: false };
            let now = offer(shop.listed, shop.in_carts);
            let verdict = judge(&change, relative, nets, &found((now.quantity > 0).then_some(&now)));
            match verdict {
                Verdict::Done { listing_id } => {
                    // Taken off sale by its buyers is as good as taken off sale.
                    prop_assert!(applied || (after == 0 && now.quantity == 0), "{now:?} {nets:?}");
                    prop_assert_eq!(listing_id.is_some(), now.quantity > 0);
                }
                // To take copies off that lie in carts by now does nothing.
                Verdict::NotApplied if relative => {
                    let never = history(false);
                    prop_assert!(!applied || (never.listed, never.sold) == (now.listed(), shop.sold), "{now:?}");
                }
                // To set a number that was not applied visibly is the same again.
                Verdict::NotApplied => {
                    prop_assert!(!applied || now.quantity == before + in_carts, "{now:?} {nets:?}");
                    prop_assert_eq!(shop.sold, 0);
                }
                Verdict::Moot(_) => prop_assert!(now.quantity == 0 || (!relative && shop.sold > 0)),
                Verdict::ReadAgain => prop_assert_ne!(shop.sold, later.sold),
                Verdict::Parked(_) => {}
            }
        }

        #[test]
        fn without_carts_and_odd_moments_nothing_is_parked(
            least in 1_i64..9,
            by in 1_i64..9,
            rises: bool,
            sales in 0_i64..9,
            applied: bool,
        ) {
            let (sales, most) = (sales.min(least - 1), least + by);
            let (before, after) = if rises { (least, most) } else { (most, least) };
            let change = counts(before, after);
            let mut shop = Shop { listed: before, in_carts: 0, sold: 0 };
            if applied {
                shop.on(Event::Arrival, &change, true);
            }
            (0..sales).for_each(|_| shop.on(Event::Sale, &change, true));
            let verdict = judge(&change, true, sold(shop.sold), &found(Some(&offer(shop.listed, 0))));
            prop_assert_eq!(verdict, if applied { DONE } else { Verdict::NotApplied });
        }

        #[test]
        fn no_number_makes_it_panic(before: i64, after: i64, base: i64, net: i64, now: i64, relative: bool) {
            let nets = Nets { base, before_look: net, after_look: net, came_back: false };
            let count = |quantity| Offer { quantity, ..offer(0, 0) };
            let change = change(Operation::Quantity, Some(count(before)), Some(count(after)));
            judge(&change, relative, nets, &found(Some(&count(now))));
        }
    }
}
