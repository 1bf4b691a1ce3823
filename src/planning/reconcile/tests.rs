//! A small market, on which plans are made and applied.

use proptest::prelude::*;

use super::*;
use crate::domain::{Bound, DesiredMore, Facet, Operation};

/// A marketplace whose attributes are the comment and nothing else. Some comments say of which kind a listing is, and of
/// these no other can be made.
struct Plain;

/// Nothing of it can be changed.
const AUCTION: &str = "auction";
/// Of one copy or of none.
const SINGLE: &str = "single";
/// Of three copies at most, and never at 1.10 or more.
const SMALL: &str = "small";

impl Drafting for Plain {
    fn draft(&self, desired: &Desired) -> Result<Offer, String> {
        let more = desired.more.as_deref();
        if more.is_some_and(|more| more.details.contains_key("impossible")) {
            return Err("the source has no column for product_id".to_owned());
        }
        let attributes = more.and_then(|more| more.comment.clone()).unwrap_or_default();
        let price = desired.price.ok_or("no price")?;
        Ok(Offer { quantity: desired.quantity, in_carts: 0, price, attributes })
    }

    fn redraft(&self, now: &Offer, desired: &Desired) -> Result<Option<String>, String> {
        let comment = desired.more.as_deref().and_then(|more| more.comment.as_deref());
        if comment.is_some() && [AUCTION, SINGLE, SMALL].contains(&now.attributes.as_str()) {
            return Err("its words are fixed".to_owned());
        }
        Ok(comment.filter(|comment| *comment != now.attributes).map(str::to_owned))
    }

    fn comment(&self, attributes: &str) -> String {
        attributes.to_owned()
    }

    fn obstacle(&self, now: &Offer, to: Facet) -> Option<String> {
        let never = match (now.attributes.as_str(), to) {
            (AUCTION, _) => true,
            (SINGLE, Facet::Copies(copies)) => copies > 1,
            (SMALL, Facet::Copies(copies)) => copies > 3,
            (SMALL, Facet::Price(price)) => price.minor >= 110,
            _ => false,
        };
        never.then(|| format!("never: {to:?}"))
    }
}

#[derive(Debug, Clone)]
struct Listed {
    id: i64,
    sku: String,
    offer: Offer,
    first_seen: i64,
}

#[derive(Debug, Clone)]
struct Scene {
    listings: Vec<Listed>,
    desired: Vec<Desired>,
    sold: HashMap<Sku, i64>,
    buffer: i64,
    unread_elsewhere: Option<&'static str>,
    moved: HashSet<Sku>,
    in_doubt: HashSet<Sku>,
    orders: OrderKnowledge,
    trust: Trust,
    absent: Absent,
    never_touch: Vec<String>,
}

fn eur(minor: i64) -> Money {
    Money { minor, currency: Currency::EUR }
}

fn listed(id: i64, sku: &str, quantity: i64, in_carts: i64, minor: i64) -> Listed {
    let offer =
        Offer { quantity: quantity + in_carts, in_carts, price: eur(minor), attributes: String::new() };
    Listed { id, sku: sku.to_owned(), offer, first_seen: id }
}

fn of_kind(kind: &str, listing: Listed) -> Listed {
    Listed { offer: Offer { attributes: kind.to_owned(), ..listing.offer }, ..listing }
}

fn wish(sku: &str, quantity: i64, minor: impl Into<Option<i64>>) -> Desired {
    Desired { sku: sku.into(), quantity, price: minor.into().map(eur), more: None, line: 2 }
}

fn more(wish: Desired, more: DesiredMore) -> Desired {
    Desired { more: Some(Box::new(more)), ..wish }
}

fn commented(wish: Desired, comment: &str) -> Desired {
    more(wish, DesiredMore { comment: Some(comment.to_owned()), ..DesiredMore::default() })
}

impl Scene {
    fn new(listings: &[Listed], desired: &[Desired]) -> Self {
        Self {
            listings: listings.to_vec(),
            desired: desired.to_vec(),
            sold: HashMap::new(),
            buffer: 0,
            unread_elsewhere: None,
            moved: HashSet::new(),
            in_doubt: HashSet::new(),
            orders: OrderKnowledge::Complete,
            trust: Trust::Sound,
            absent: Absent::LeaveAlone,
            never_touch: vec!["!".to_owned()],
        }
    }

    fn reconcile(&self) -> (Plan, Tally) {
        let facts = Circumstances {
            currency: Currency::EUR,
            sold_since: &self.sold,
            buffer: self.buffer,
            unread_elsewhere: self.unread_elsewhere,
            moved: &self.moved,
            in_doubt: &self.in_doubt,
            orders: self.orders,
            trust: &self.trust,
            absent: self.absent,
            never_touch: &self.never_touch,
            natural_sku: "cm:",
            zero_is_final: false,
            drafting: &Plain,
        };
        let mut sorted: Vec<&Listed> = self.listings.iter().collect();
        sorted.sort_by(|a, b| (&a.sku, a.id).cmp(&(&b.sku, b.id)));
        let mut desired = self.desired.clone();
        let mut reconciliation = Reconciliation::new(&mut desired, facts);
        for listing in sorted {
            reconciliation.observe(Observed {
                listing_id: ListingId(listing.id),
                sku: &listing.sku,
                title: "Ocelot Pride",
                listed: listing.offer.quantity.saturating_sub(listing.offer.in_carts),
                in_carts: listing.offer.in_carts,
                price: listing.offer.price,
                attributes: &listing.offer.attributes,
                first_seen: listing.first_seen,
            });
        }
        reconciliation.finish().unwrap()
    }

    fn plan(&self) -> Plan {
        self.reconcile().0
    }

    /// `op sku before -> after`, one a change.
    fn said(&self) -> Vec<String> {
        let show = |change: &Change| {
            let side = |offer: &Option<Offer>| match (change.op, offer) {
                (_, None) => "nothing".to_owned(),
                (Operation::Price, Some(offer)) => offer.price.decimal(),
                (Operation::Details, Some(offer)) => offer.attributes.clone(),
                (_, Some(offer)) => offer.quantity.to_string(),
            };
            let id = change.listing_id.map(|id| format!("#{id}")).unwrap_or_default();
            format!("{} {}{id} {} -> {}", change.op, change.sku, side(&change.before), side(&change.after))
        };
        self.plan().changes.iter().map(show).collect()
    }

    fn held(&self) -> Vec<(String, String)> {
        self.plan().held.into_iter().map(|held| (held.sku.0, held.reason)).collect()
    }

    #[track_caller]
    fn check(&self, changes: &[&str], held: &[(&str, &str)]) {
        assert_eq!(self.said(), changes);
        let expected: Vec<(String, String)> =
            held.iter().map(|(sku, reason)| ((*sku).to_owned(), (*reason).to_owned())).collect();
        assert_eq!(self.held(), expected);
    }

    fn wanted(&self, desired: &Desired) -> i64 {
        (desired.quantity - self.sold.get(&desired.sku).copied().unwrap_or(0) - self.buffer).max(0)
    }

    fn of<'a>(&'a self, sku: &'a str) -> impl Iterator<Item = &'a Listed> {
        self.listings.iter().filter(move |listing| listing.sku == sku)
    }

    fn count(&self, sku: &str) -> i64 {
        self.of(sku).map(|listing| listing.offer.quantity).sum()
    }

    /// The scene after the plan was applied, each change by itself.
    fn after(&self) -> Self {
        let mut after = self.clone();
        let changes = self.plan().changes;
        let touched: HashSet<ListingId> = changes.iter().filter_map(|change| change.listing_id).collect();
        for change in changes {
            let Some(id) = change.listing_id else {
                let id = 1_000 + after.listings.len() as i64;
                let offer = change.after.expect("an addition has an offer");
                after.listings.push(Listed { id, sku: change.sku.0, offer, first_seen: id });
                continue;
            };
            let place = after.listings.iter().position(|l| l.id == id.0).expect("it is there");
            let now = &mut after.listings[place].offer;
            match (change.op, change.after) {
                (Operation::Remove, None) => {
                    after.listings.remove(place);
                }
                (Operation::Price, Some(offer)) => now.price = offer.price,
                (Operation::Details, Some(offer)) => now.attributes = offer.attributes,
                (Operation::Quantity | Operation::Zero, Some(offer)) => {
                    assert_eq!(offer.in_carts, now.in_carts);
                    assert_eq!(change.op == Operation::Zero, offer.listed() == 0, "{offer:?}");
                    now.quantity = offer.quantity;
                }
                other => panic!("{other:?}"),
            }
        }
        // Some marketplaces go on showing a listing without copies, others do not.
        after
            .listings
            .retain(|l| l.offer.quantity > 0 || l.id % 2 == 0 || !touched.contains(&ListingId(l.id)));
        after
    }
}

#[test]
fn each_difference_is_a_change_of_its_own() {
    let mut scene = Scene::new(
        &[
            listed(1, "a", 3, 0, 650),
            listed(2, "b", 1, 0, 100),
            listed(3, "c", 2, 0, 100),
            listed(4, "e", 5, 0, 1),
        ],
        &[
            commented(wish("a", 1, 590), "mint"),
            wish("b", 0, 200),
            wish("c", 2, None),
            wish("d", 4, 10),
            wish("f", 0, 1),
        ],
    );
    scene.check(
        &[
            "quantity a#1 3 -> 1",
            "price a#1 6.50 -> 5.90",
            "details a#1  -> mint",
            "zero b#2 1 -> 0",
            "add d nothing -> 4",
        ],
        &[],
    );
    assert_eq!(scene.plan().changes[0].reason, "the source says 1");
    scene.absent = Absent::Remove;
    assert_eq!(scene.said().last().unwrap(), "remove e#4 5 -> nothing");
    let (_, tally) = scene.reconcile();
    assert_eq!((tally.source_rows, tally.listings, tally.value_before), (5, 4, 1_950 + 100 + 200 + 5));
}

#[test]
fn what_was_sold_since_the_source_was_written_is_never_offered_again() {
    let mut scene = Scene::new(&[listed(1, "a", 4, 0, 100)], &[wish("a", 5, 100), wish("b", 2, 100)]);
    scene.sold = HashMap::from([("a".into(), 1), ("b".into(), 2)]);
    scene.check(&[], &[]);
    scene.sold = HashMap::from([("a".into(), 3), ("b".into(), -7)]);
    scene.check(&["quantity a#1 4 -> 2", "add b nothing -> 2"], &[]);
    assert_eq!(scene.plan().changes[0].reason, "the source says 5, 3 sold since");
}

#[test]
fn a_buffer_is_held_back_from_what_is_left_and_the_reason_says_so() {
    let listings = [listed(1, "a", 5, 0, 100), listed(2, "b", 1, 0, 100), listed(3, "c", 2, 0, 100)];
    let wishes = [wish("a", 5, 100), wish("b", 1, 100), wish("c", 2, 100), wish("d", 1, 100)];
    let mut scene = Scene::new(&listings, &wishes);
    scene.buffer = 1;
    scene.sold = HashMap::from([("a".into(), 2), ("c".into(), 7)]);
    scene.check(&["quantity a#1 5 -> 2", "zero b#2 1 -> 0", "zero c#3 2 -> 0"], &[]);
    let reasons: Vec<String> = scene.plan().changes.into_iter().map(|change| change.reason).collect();
    let expected = [
        "the source says 5, 2 sold since, 1 held back",
        "the source says 1, 1 held back",
        "the source says 2, 2 sold since",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn nothing_more_is_offered_while_another_account_of_the_shelf_may_have_sold_it() {
    let listings = [listed(1, "a", 3, 0, 100), listed(2, "b", 3, 0, 100), listed(3, "c", 3, 0, 100)];
    let wishes = [wish("a", 4, 100), wish("b", 1, 100), wish("c", 3, 120), wish("d", 1, 100)];
    let mut scene = Scene::new(&listings, &wishes);
    scene.unread_elsewhere = Some("nz: sellerd job run nz-poll");
    let held = [("a", held::ORDER_READ_PENDING), ("d", held::ORDER_READ_PENDING)];
    scene.check(&["quantity b#2 3 -> 1", "price c#3 1.00 -> 1.20"], &held);
    assert_eq!(scene.plan().held[0].detail, "nz: sellerd job run nz-poll");
}

#[test]
fn a_decrease_takes_the_newest_listing_first_and_a_rise_goes_to_the_largest() {
    let listings = [listed(1, "a", 3, 0, 100), listed(2, "a", 3, 0, 100), listed(3, "a", 2, 0, 100)];
    let to = |quantity| Scene::new(&listings, &[wish("a", quantity, 100)]);
    to(5).check(&["quantity a#2 3 -> 2", "zero a#3 2 -> 0"], &[]);
    to(10).check(&["quantity a#1 3 -> 5"], &[]);
    to(0).check(&["zero a#1 3 -> 0", "zero a#2 3 -> 0", "zero a#3 2 -> 0"], &[]);
}

#[test]
fn listings_of_one_sku_have_to_agree_in_price() {
    let listings = [listed(1, "a", 3, 0, 100), listed(2, "a", 3, 0, 110)];
    Scene::new(&listings, &[wish("a", 1, 100)]).check(&[], &[("a", held::PRICES_DIFFER)]);
    Scene::new(&listings, &[wish("a", 5, None)]).check(&["quantity a#2 3 -> 2"], &[]);
    let empty = [listed(1, "a", 3, 0, 100), listed(2, "a", 0, 0, 110)];
    Scene::new(&empty, &[wish("a", 3, 120)]).check(&["price a#1 1.00 -> 1.20"], &[]);
}

#[test]
fn copies_in_carts_count_and_cannot_be_taken_back() {
    let at = |quantity| Scene::new(&[listed(1, "a", 2, 3, 100)], &[wish("a", quantity, 100)]);
    at(5).check(&[], &[]);
    at(4).check(&["quantity a#1 5 -> 4"], &[]);
    at(1).check(&["zero a#1 5 -> 3"], &[("a", held::IN_CARTS)]);
    let mut absent = Scene::new(&[listed(1, "a", 2, 3, 100)], &[]);
    absent.absent = Absent::Remove;
    absent.check(&[], &[("a", held::IN_CARTS)]);
}

#[test]
fn more_is_offered_only_when_every_order_is_known() {
    let mut scene = Scene::new(
        &[listed(1, "a", 2, 0, 100), listed(2, "b", 2, 0, 100)],
        &[wish("a", 3, 120), wish("b", 1, 90), wish("c", 1, 9)],
    );
    scene.orders = OrderKnowledge::Pending;
    scene.check(
        &["price a#1 1.00 -> 1.20", "quantity b#2 2 -> 1", "price b#2 1.00 -> 0.90"],
        &[("a", held::ORDER_READ_PENDING), ("c", held::ORDER_READ_PENDING)],
    );
    scene.orders = OrderKnowledge::Complete;
    scene.moved = HashSet::from(["a".into(), "b".into()]);
    scene.check(&["add c nothing -> 1"], &[("a", held::ORDERS_MOVED), ("b", held::ORDERS_MOVED)]);
}

#[test]
fn bounds_of_the_item_hold_its_price() {
    let bounded = |minor, floor, ceiling| {
        let bounds = DesiredMore { floor, ceiling, ..DesiredMore::default() };
        let desired = [more(wish("a", 1, minor), bounds.clone()), more(wish("b", 1, minor), bounds)];
        Scene::new(&[listed(1, "a", 2, 0, 500)], &desired)
    };
    let at = |minor| Bound::At(eur(minor));
    bounded(400, at(450), Bound::Absent)
        .check(&["quantity a#1 2 -> 1"], &[("a", held::BELOW_FLOOR), ("b", held::BELOW_FLOOR)]);
    bounded(600, at(450), at(599))
        .check(&["quantity a#1 2 -> 1"], &[("a", held::ABOVE_CEILING), ("b", held::ABOVE_CEILING)]);
    bounded(600, at(600), at(600))
        .check(&["quantity a#1 2 -> 1", "price a#1 5.00 -> 6.00", "add b nothing -> 1"], &[]);
    bounded(600, Bound::Blank, Bound::Absent)
        .check(&[], &[("a", held::FLOOR_MISSING), ("b", held::FLOOR_MISSING)]);
    bounded(0, Bound::Absent, Bound::Absent)
        .check(&["quantity a#1 2 -> 1"], &[("a", held::BELOW_FLOOR), ("b", held::BELOW_FLOOR)]);
}

#[test]
fn a_mark_in_the_comment_keeps_hands_off() {
    let mut locked = listed(1, "a", 2, 0, 500);
    locked.offer.attributes = "! mine".to_owned();
    let mut scene = Scene::new(
        &[locked, listed(2, "b", 1, 0, 1)],
        &[wish("a", 0, 500), commented(wish("b", 0, 1), "!"), commented(wish("c", 1, 1), "!")],
    );
    let all = [("a", held::NEVER_TOUCH), ("b", held::NEVER_TOUCH), ("c", held::NEVER_TOUCH)];
    scene.check(&[], &all);
    scene.desired.remove(0);
    scene.absent = Absent::Remove;
    scene.check(&[], &all);
    scene.never_touch = vec![String::new()];
    assert_eq!(scene.held(), []);
}

#[test]
fn what_cannot_be_made_and_what_contradicts_itself_is_held_with_its_words() {
    let impossible =
        DesiredMore { details: [("impossible".to_owned(), String::new())].into(), ..DesiredMore::default() };
    let nzd = Desired { price: Some(Money { minor: 5, currency: Currency::NZD }), ..wish("c", 9, 1) };
    let scene = Scene::new(
        &[listed(3, "c", 1, 0, 1), listed(4, "d", 1, 0, 1)],
        &[
            more(wish("a", 1, 1), impossible),
            wish("b", 1, None),
            nzd,
            wish("d", 5, 1),
            wish("d", 6, 1),
            wish("e", 1, 1),
            wish("e", 1, 1),
        ],
    );
    scene.check(
        &[],
        &[
            ("a", held::CANNOT_CREATE),
            ("b", held::CANNOT_CREATE),
            ("c", held::CURRENCY),
            ("d", held::NAMED_TWICE),
            ("e", held::NAMED_TWICE),
        ],
    );
    assert_eq!(scene.plan().held[0].detail, "the source has no column for product_id");
}

#[test]
fn what_can_never_be_made_of_a_listing_is_held_and_the_rest_of_it_is_done() {
    let cannot = |scene: Scene, changes: &[&str]| scene.check(changes, &[("a", held::CANNOT_CHANGE)]);
    let one = |kind: &str, wish| Scene::new(&[of_kind(kind, listed(1, "a", 2, 0, 100))], &[wish]);
    cannot(one(SMALL, wish("a", 4, 105)), &["price a#1 1.00 -> 1.05"]);
    cannot(one(SMALL, wish("a", 1, 120)), &["quantity a#1 2 -> 1"]);
    cannot(one(AUCTION, wish("a", 0, 100)), &[]);
    cannot(one(SINGLE, wish("a", 3, 100)), &[]);
    one(SINGLE, wish("a", 0, 100)).check(&["zero a#1 2 -> 0"], &[]);
    // The words are the marketplace's, and each stands there once.
    let auction = one(AUCTION, wish("a", 1, 120)).plan().held;
    let words: Vec<&str> = auction.iter().map(|held| held.detail.as_str()).collect();
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(words[0].starts_with("never: Copies(1)"), "{words:?}");
    let mut absent = one(AUCTION, wish("b", 0, 100));
    absent.absent = Absent::Remove;
    cannot(absent, &[]);
}

#[test]
fn what_one_listing_cannot_do_another_of_its_sku_does() {
    let two = |kind: &str, quantity| {
        let listings = [listed(1, "a", 2, 0, 100), of_kind(kind, listed(2, "a", 3, 0, 100))];
        Scene::new(&listings, &[wish("a", quantity, 100)])
    };
    two(SINGLE, 7).check(&["quantity a#1 2 -> 4"], &[]);
    two(AUCTION, 4).check(&["quantity a#1 2 -> 1"], &[]);
    two(AUCTION, 1).check(&["zero a#1 2 -> 0"], &[("a", held::CANNOT_CHANGE)]);
    let both = [of_kind(SINGLE, listed(1, "a", 1, 0, 100)), of_kind(SMALL, listed(2, "a", 3, 0, 100))];
    let scene = Scene::new(&both, &[wish("a", 9, 100)]);
    scene.check(&[], &[("a", held::CANNOT_CHANGE)]);
    assert_eq!(scene.plan().held[0].listing_id, Some(ListingId(2)), "the one that would have taken them");
}

#[test]
fn rows_that_are_not_sorted_make_no_plan() {
    let scene = Scene::new(&[], &[wish("a", 1, 1)]);
    let facts = Circumstances {
        currency: Currency::EUR,
        sold_since: &scene.sold,
        buffer: 0,
        unread_elsewhere: None,
        moved: &scene.moved,
        in_doubt: &scene.in_doubt,
        orders: scene.orders,
        trust: &scene.trust,
        absent: scene.absent,
        never_touch: &[],
        natural_sku: "cm:",
        zero_is_final: true,
        drafting: &Plain,
    };
    let mut desired = scene.desired.clone();
    let mut reconciliation = Reconciliation::new(&mut desired, facts);
    for sku in ["b", "a"] {
        reconciliation.observe(Observed {
            listing_id: ListingId(1),
            sku,
            title: "",
            listed: 1,
            in_carts: 0,
            price: eur(1),
            attributes: "{}",
            first_seen: 1,
        });
    }
    assert!(reconciliation.finish().is_err());
}

const SKUS: [&str; 8] = ["a", "b", "c", "cm:1", "cm:2:!", "d", "e", "f"];

fn any_listing() -> impl Strategy<Value = Listed> {
    let kind = prop_oneof![Just(AUCTION), Just(SINGLE), Just(SMALL)];
    let comment = prop_oneof![5 => Just(""), 1 => Just("mint"), 1 => Just("! mine"), 3 => kind];
    (0..SKUS.len(), 0_i64..5, 0_i64..3, prop_oneof![3 => Just(100_i64), 1 => Just(120)], 0_i64..4, comment)
        .prop_map(|(sku, quantity, in_carts, minor, first_seen, comment)| {
            let mut listing = listed(0, SKUS[sku], quantity, in_carts, minor);
            listing.first_seen = first_seen;
            listing.offer.attributes = comment.to_owned();
            listing
        })
}

fn any_desired() -> impl Strategy<Value = Vec<Desired>> {
    let bound = || prop_oneof![6 => Just(Bound::Absent), 1 => Just(Bound::Blank), 2 => (90_i64..130).prop_map(|m| Bound::At(eur(m)))];
    let extra = (
        bound(),
        bound(),
        proptest::option::of(prop_oneof![Just("mint"), Just("worn"), Just("!")]),
        any::<bool>(),
    );
    let one =
        (0_i64..6, proptest::option::weighted(0.9, 98_i64..122), proptest::option::weighted(0.4, extra));
    proptest::collection::btree_map(0..SKUS.len(), one, 0..SKUS.len()).prop_map(|items| {
        let item = |(sku, (quantity, minor, extra)): (usize, (i64, Option<i64>, Option<_>))| {
            let wish = wish(SKUS[sku], quantity, minor);
            let Some((floor, ceiling, comment, possible)) = extra else { return wish };
            let comment: Option<&str> = comment;
            let details =
                if possible { Default::default() } else { [("impossible".to_owned(), String::new())].into() };
            more(
                wish,
                DesiredMore { floor, ceiling, comment: comment.map(str::to_owned), as_of: None, details },
            )
        };
        items.into_iter().map(item).collect()
    })
}

fn some_skus() -> impl Strategy<Value = HashSet<Sku>> {
    proptest::collection::hash_set(0..SKUS.len(), 0..2)
        .prop_map(|some| some.into_iter().map(|i| SKUS[i].into()).collect())
}

fn any_scene() -> impl Strategy<Value = Scene> {
    let trust = prop_oneof![
        4 => Just(Trust::Sound),
        1 => Just(Trust::Partial("cut off".to_owned())),
        1 => Just(Trust::Suspicious("suddenly empty".to_owned())),
    ];
    let orders = prop_oneof![3 => Just(OrderKnowledge::Complete), 1 => Just(OrderKnowledge::Pending)];
    let absent = prop_oneof![Just(Absent::LeaveAlone), Just(Absent::Remove)];
    let sold = proptest::collection::hash_map(0..SKUS.len(), -1_i64..4, 0..4);
    let sold = (sold, prop_oneof![3 => Just(0), 1 => 1_i64..3]);
    let orders = (orders, prop_oneof![3 => Just(None), 1 => Just(Some("nz: not read"))]);
    let lists = (proptest::collection::vec(any_listing(), 0..12), any_desired());
    (lists, sold, some_skus(), some_skus(), orders, trust, absent).prop_map(
        |((mut listings, desired), (sold, buffer), moved, in_doubt, orders, trust, absent)| {
            let (orders, unread_elsewhere) = orders;
            for (id, listing) in listings.iter_mut().enumerate() {
                listing.id = id as i64;
            }
            let sold = sold.into_iter().map(|(sku, count)| (SKUS[sku].into(), count.max(0))).collect();
            Scene {
                listings,
                desired,
                sold,
                buffer,
                unread_elsewhere,
                moved,
                in_doubt,
                orders,
                trust,
                absent,
                never_touch: vec!["!".to_owned()],
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn applied_it_yields_what_is_desired_but_for_what_is_held(scene in any_scene()) {
        let held: HashSet<Sku> = scene.plan().held.into_iter().map(|held| held.sku).collect();
        let after = scene.after();
        for desired in scene.desired.iter().filter(|desired| !held.contains(&desired.sku)) {
            prop_assert_eq!(after.count(&desired.sku.0), scene.wanted(desired), "{}", desired.sku);
            for listing in after.of(&desired.sku.0).filter(|listing| listing.offer.listed() > 0) {
                prop_assert!(desired.price.is_none_or(|price| price == listing.offer.price));
                let comment = desired.more.as_ref().and_then(|more| more.comment.as_ref());
                prop_assert!(comment.is_none_or(|comment| *comment == listing.offer.attributes));
            }
        }
        if scene.absent == Absent::Remove {
            let named: HashSet<&str> = scene.desired.iter().map(|desired| desired.sku.as_str()).collect();
            for listing in &after.listings {
                prop_assert!(named.contains(listing.sku.as_str()) || held.contains(&listing.sku.as_str().into()));
            }
        }
    }

    #[test]
    fn planned_again_nothing_is_left_to_do(scene in any_scene()) {
        prop_assert_eq!(scene.after().said(), Vec::<String>::new());
    }

    #[test]
    fn the_order_of_the_source_does_not_matter(scene in any_scene(), turn in 0_usize..8) {
        let mut turned = scene.clone();
        if !turned.desired.is_empty() {
            let by = turn % turned.desired.len();
            turned.desired.rotate_left(by);
            turned.desired.swap(0, by);
        }
        prop_assert_eq!(turned.plan(), scene.plan());
    }

    #[test]
    fn a_reading_that_is_not_sound_removes_nothing_and_adds_nothing(scene in any_scene()) {
        let scene = match scene.trust {
            Trust::Sound => Scene { trust: Trust::Partial("a row could not be read".to_owned()), ..scene },
            _ => scene,
        };
        let after = scene.after();
        for change in scene.plan().changes {
            prop_assert!(!matches!(change.op, Operation::Add | Operation::Remove), "{change:?}");
            prop_assert!(!matches!(scene.trust, Trust::Suspicious(_)), "{change:?}");
            prop_assert!(after.count(&change.sku.0) <= scene.count(&change.sku.0), "{change:?}");
        }
    }

    #[test]
    fn a_listing_that_is_not_named_is_touched_only_to_remove_it_and_only_with_a_mark(scene in any_scene()) {
        let named: HashSet<&Sku> = scene.desired.iter().map(|desired| &desired.sku).collect();
        for change in scene.plan().changes.iter().filter(|change| !named.contains(&change.sku)) {
            prop_assert_eq!(change.op, Operation::Remove);
            prop_assert_eq!(scene.absent, Absent::Remove);
            prop_assert!(!change.sku.0.starts_with("cm:"));
        }
    }

    #[test]
    fn nothing_rises_above_what_is_left_or_while_sales_may_be_unknown(scene in any_scene()) {
        let after = scene.after();
        for sku in SKUS {
            let (before, after) = (scene.count(sku), after.count(sku));
            if after <= before {
                continue;
            }
            let desired = scene.desired.iter().find(|desired| desired.sku.0 == sku).expect("it is named");
            prop_assert!(after <= scene.wanted(desired));
            prop_assert_eq!((scene.orders, scene.unread_elsewhere), (OrderKnowledge::Complete, None));
            prop_assert!(!scene.moved.contains(&desired.sku) && !scene.in_doubt.contains(&desired.sku));
        }
    }

    #[test]
    fn nothing_is_planned_that_can_never_be_made(scene in any_scene()) {
        for change in scene.plan().changes {
            let (Some(before), Some(to)) = (&change.before, Facet::of(&change)) else { continue };
            prop_assert_eq!(Plain.obstacle(before, to), None, "{:?}", change);
        }
    }

    #[test]
    fn a_change_differs_only_in_what_it_is_about(scene in any_scene()) {
        for change in scene.plan().changes {
            let (Some(before), Some(mut after)) = (change.before, change.after) else { continue };
            match change.op {
                Operation::Price => after.price = before.price,
                Operation::Details => after.attributes.clone_from(&before.attributes),
                _ => after.quantity = before.quantity,
            }
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn no_number_makes_it_panic(
        listed in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>()), 0..6),
        wishes in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 3),
    ) {
        let listings: Vec<Listed> = listed.iter().enumerate().map(|(id, (quantity, in_carts, minor, seen))| Listed {
            id: id as i64,
            sku: SKUS[id % 3].to_owned(),
            offer: Offer { quantity: *quantity, in_carts: *in_carts, price: eur(*minor), attributes: String::new() },
            first_seen: *seen,
        }).collect();
        let mut scene = Scene::new(&listings, &[]);
        for (sku, (quantity, minor, sold)) in SKUS.iter().zip(wishes) {
            scene.desired.push(wish(sku, quantity, minor));
            scene.sold.insert((*sku).into(), sold);
        }
        scene.reconcile();
    }
}
