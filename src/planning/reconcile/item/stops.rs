//! Why an item is left alone, or not offered more of.

use super::{Hold, Judge};
use crate::domain::{Bound, Desired, Money, Sku};
use crate::planning::reconcile::{OrderKnowledge, Row, held};
use crate::planning::trust::Trust;

impl Judge<'_, '_> {
    /// Why a listed item is left alone altogether.
    pub(super) fn stop_named(&self, desired: &Desired, rows: &[Row]) -> Option<Hold> {
        let stop = self.stop_item(&desired.sku).or_else(|| self.stop_source(desired));
        let stop = stop.or_else(|| self.stop_locked(rows));
        let Some(price) = desired.price else { return stop };
        let other = rows.iter().map(|row| row.offer.price).find(|other| other.currency != price.currency);
        let stop = stop.or_else(|| {
            let other = other?;
            let detail = format!(
                "listed in {} and priced in {} by the source; write the price in the currency of the listing",
                other.currency, price.currency
            );
            Some((held::CURRENCY, detail))
        });
        // A listing without a copy for sale has a price that nobody pays.
        let mut prices = rows.iter().filter(|row| row.offer.listed() > 0).map(|row| row.offer.price);
        let first = prices.next();
        stop.or_else(|| {
            let (first, other) = (first?, prices.find(|other| Some(*other) != first)?);
            let detail = format!(
                "{} listings have this SKU, at {first} and {other} for example; give them one price or a SKU each",
                rows.len()
            );
            Some((held::PRICES_DIFFER, detail))
        })
    }

    /// Why a listing that the source does not name is not removed.
    pub(super) fn stop_unnamed(&self, sku: &Sku, rows: &[Row]) -> Option<Hold> {
        if sku.as_str().starts_with(self.facts.natural_sku) {
            let detail =
                "it bears no mark of yours and the source does not name it, so it is left alone".to_owned();
            return Some((held::NO_MARK, detail));
        }
        let stop = self.stop_item(sku).or_else(|| self.stop_incomplete());
        stop.or_else(|| self.stop_locked(rows))
    }

    /// What stands against any change of an item.
    pub(super) fn stop_item(&self, sku: &Sku) -> Option<Hold> {
        if let Trust::Suspicious(why) = self.facts.trust {
            Some((held::SNAPSHOT_DOUBTED, why.clone()))
        } else if self.facts.in_doubt.contains(sku) {
            let detail = "what became of an earlier change of it is not known yet; it is planned again once a read \
                          has shown it";
            Some((held::IN_DOUBT, detail.to_owned()))
        } else if self.facts.moved.contains(sku) {
            let detail =
                "orders for it came in while the stock was read; it is planned with the next reading";
            Some((held::ORDERS_MOVED, detail.to_owned()))
        } else {
            None
        }
    }

    /// What in the source stands against any change of an item.
    pub(super) fn stop_source(&self, desired: &Desired) -> Option<Hold> {
        let currency = self.facts.currency;
        if let Some(price) = desired.price.filter(|price| price.currency != currency) {
            let detail =
                format!("the source has the price in {}, the account is in {currency}", price.currency);
            return Some((held::CURRENCY, detail));
        }
        let more = desired.more.as_ref()?;
        if let Some(mark) = more.comment.as_deref().and_then(|comment| self.mark_of(comment)) {
            return Some(locked("the source's comment", mark));
        }
        if more.floor == Bound::Blank {
            let detail = format!(
                "line {} of the source has no floor; fill the cell or unmap the column",
                desired.line
            );
            return Some((held::FLOOR_MISSING, detail));
        }
        None
    }

    /// A listing whose comment says: hands off.
    pub(super) fn stop_locked(&self, rows: &[Row]) -> Option<Hold> {
        if self.facts.never_touch.is_empty() {
            return None;
        }
        rows.iter().find_map(|row| {
            let comment = self.facts.drafting.comment(&row.offer.attributes);
            self.mark_of(&comment).map(|mark| locked("its comment", mark))
        })
    }

    /// What stands against offering more copies of a listing.
    pub(super) fn stop_rise(&self, desired: &Desired) -> Option<Hold> {
        let bound = desired.price.and_then(|price| out_of_bounds(desired, price));
        bound.or_else(|| self.stop_more())
    }

    /// What stands against offering more, in a listing that is there or in a new one. An incomplete reading may lack
    /// another listing of the same SKU, and with it copies.
    pub(super) fn stop_more(&self) -> Option<Hold> {
        let stop = self.stop_incomplete();
        let elsewhere = || Some((held::ORDER_READ_PENDING, self.facts.unread_elsewhere?.to_owned()));
        stop.or_else(elsewhere).or_else(|| match self.facts.orders {
            OrderKnowledge::Complete => None,
            OrderKnowledge::Pending => {
                let detail = "orders have not been read to the end since the stock was; it may be lower because it \
                              was sold";
                Some((held::ORDER_READ_PENDING, detail.to_owned()))
            }
        })
    }

    fn stop_incomplete(&self) -> Option<Hold> {
        match self.facts.trust {
            Trust::Partial(why) => Some((held::SNAPSHOT_INCOMPLETE, why.clone())),
            Trust::Sound | Trust::Suspicious(_) => None,
        }
    }

    fn mark_of(&self, comment: &str) -> Option<&str> {
        let marks = self.facts.never_touch.iter().map(String::as_str);
        marks.filter(|mark| !mark.is_empty()).find(|mark| comment.starts_with(mark))
    }
}

/// What in the item's own bounds stands against a price.
pub(super) fn out_of_bounds(desired: &Desired, price: Money) -> Option<Hold> {
    if price.minor <= 0 {
        return Some((held::BELOW_FLOOR, format!("{price} is no price")));
    }
    let more = desired.more.as_ref()?;
    for (bound, word, what) in
        [(more.floor, held::BELOW_FLOOR, "floor"), (more.ceiling, held::ABOVE_CEILING, "ceiling")]
    {
        let Bound::At(bound) = bound else { continue };
        if bound.currency != price.currency {
            return Some((held::CURRENCY, format!("its {what} is {bound} and its price {price}")));
        }
        let beyond = match word {
            held::BELOW_FLOOR => price.minor < bound.minor,
            _ => price.minor > bound.minor,
        };
        if beyond {
            return Some((word, format!("the source says {price}, and its own {what} is {bound}")));
        }
    }
    None
}

fn locked(whose: &str, mark: &str) -> Hold {
    (held::NEVER_TOUCH, format!("{whose} begins with `{mark}`, a mark of `never_touch`"))
}
