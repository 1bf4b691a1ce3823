//! Listings and the states that they pass through. A state follows from what happened and from the clock; only
//! what happened is stored.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::document::Document;
use super::unseen::Unseen;

/// Something offered for sale.
#[derive(Debug, Clone)]
pub struct Listing {
    /// `ListingId`; beyond 32 bits.
    pub id: i64,
    /// What it is called.
    pub title: String,
    /// Place in the categories.
    pub category: usize,
    /// The seller's key, if it wrote one.
    pub sku: Option<String>,
    /// How it is sold.
    pub selling: Selling,
    /// One shipping charge a purchase rather than a copy.
    pub flat_shipping: bool,
    /// All else that its seller wrote: nothing that selling depends on.
    pub(super) rest: Arc<Document>,
    /// When it went live.
    pub start: DateTime<Utc>,
    /// When it ends unless it sells out before. Late bids and outages move it.
    pub end: DateTime<Utc>,
    /// When the last copy was bought, or the auction won.
    pub sold_out: Option<DateTime<Utc>>,
    /// When the seller ended it.
    pub withdrawn: Option<DateTime<Utc>>,
    /// Whether its end has been looked at: an auction is won once.
    pub ended: bool,
    /// Copies sold so far.
    pub sold: u32,
    /// As many of them as whoever writes through the API has been shown.
    pub(super) known_sold: u32,
    /// How often somebody looked.
    pub views: u32,
    /// Who watches it.
    pub watchers: u32,
    /// When the lists begin to show it.
    pub(super) listed_from: DateTime<Utc>,
    /// What its seller did and the lists do not show yet, oldest first.
    pub(super) unseen: Vec<Unseen>,
}

/// How something is sold.
#[derive(Debug, Clone)]
pub enum Selling {
    /// At a fixed price, as long as there are copies.
    BuyNow {
        /// Price of one in cents.
        cents: u32,
        /// Copies that are left.
        quantity: u32,
    },
    /// To the highest bidder.
    Auction {
        /// The least first bid in cents.
        start_cents: u32,
        /// Below this it is not sold.
        reserve_cents: Option<u32>,
        /// For this it is sold at once, until somebody bids.
        buy_now_cents: Option<u32>,
        /// Lowest first.
        bids: Vec<Bid>,
    },
}

/// One bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid {
    /// Place in the list of buyers.
    pub buyer: usize,
    /// How much.
    pub cents: u32,
    /// When.
    pub at: DateTime<Utc>,
}

/// Where a listing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Can be bought.
    Active,
    /// Has just ended; still among the live ones, its sales not shown.
    Closing,
    /// Ended with nothing left.
    Sold,
    /// Ended with something left.
    Unsold,
    /// Ended by the seller.
    Withdrawn,
}

impl Listing {
    /// When it ended or will end.
    pub fn closed_at(&self) -> DateTime<Utc> {
        let first = [Some(self.end), self.sold_out, self.withdrawn].into_iter().flatten().min();
        first.unwrap_or(self.end)
    }

    /// Where it stands at `now`, when closing takes so long.
    pub fn state(&self, now: DateTime<Utc>, closing: TimeDelta) -> State {
        let closed_at = self.closed_at();
        if now < closed_at {
            State::Active
        } else if self.withdrawn.is_some() {
            State::Withdrawn
        } else if now < closed_at + closing {
            State::Closing
        } else if self.sold_out.is_some() || self.winner().is_some() {
            State::Sold
        } else {
            State::Unsold
        }
    }

    /// Copies that are left; `None` for an auction.
    pub fn quantity(&self) -> Option<u32> {
        match self.selling {
            Selling::BuyNow { quantity, .. } => Some(quantity),
            Selling::Auction { .. } => None,
        }
    }

    /// What the first way of sending costs in cents, for each copy unless it is flat; nothing is free shipping.
    pub fn shipping_cents(&self) -> u32 {
        self.rest.shipping().first().map_or(0, |way| way.cents)
    }

    /// Its first picture; 0 if it has none.
    pub fn photo_id(&self) -> i64 {
        self.rest.numbers("PhotoIds").first().copied().unwrap_or_default()
    }

    /// All bids, lowest first.
    pub fn bids(&self) -> &[Bid] {
        match &self.selling {
            Selling::BuyNow { .. } => &[],
            Selling::Auction { bids, .. } => bids,
        }
    }

    /// The price for which one copy can be had at once.
    pub fn buy_now_cents(&self) -> Option<u32> {
        match &self.selling {
            Selling::BuyNow { cents, .. } => Some(*cents),
            Selling::Auction { buy_now_cents, bids, .. } => buy_now_cents.filter(|_| bids.is_empty()),
        }
    }

    /// Whether there is a reserve, and whether it is met.
    pub fn reserve_met(&self) -> Option<bool> {
        match &self.selling {
            Selling::Auction { reserve_cents: Some(reserve), bids, .. } => {
                Some(bids.last().is_some_and(|top| top.cents >= *reserve))
            }
            _ => None,
        }
    }

    /// The bid that wins if nothing more happens.
    pub fn winner(&self) -> Option<Bid> {
        self.bids().last().copied().filter(|_| self.reserve_met() != Some(false))
    }

    /// The least that the next bidder must offer, in cents.
    pub fn next_bid_cents(&self) -> Option<u32> {
        let Selling::Auction { start_cents, bids, .. } = &self.selling else { return None };
        // The steps are the shop's own: the real ones are shown in answers and documented nowhere.
        Some(bids.last().map_or(*start_cents, |top| match top.cents {
            0..2_000 => top.cents + 50,
            2_000..10_000 => top.cents + 100,
            _ => top.cents + 500,
        }))
    }

    /// Takes a bid. One in the last two minutes moves the end.
    pub fn bid(&mut self, bid: Bid) -> Result<(), String> {
        let id = self.id;
        let Some(least) = self.next_bid_cents() else {
            return Err(format!("listing {id} is not an auction"));
        };
        if bid.at >= self.closed_at() {
            return Err(format!("listing {id} has ended"));
        }
        if bid.cents < least {
            return Err(format!("listing {id} wants a bid of at least {least} cents, not {}", bid.cents));
        }
        self.end = self.end.max(bid.at + TimeDelta::minutes(2));
        if let Selling::Auction { bids, .. } = &mut self.selling {
            bids.push(bid);
        }
        Ok(())
    }

    /// Takes copies away at their fixed price, and returns the price of one.
    pub fn take(&mut self, copies: u32, now: DateTime<Utc>) -> Result<u32, String> {
        let id = self.id;
        let Some(cents) = self.buy_now_cents() else {
            return Err(format!("listing {id} has no fixed price (any more): bid for it"));
        };
        if now >= self.closed_at() {
            return Err(format!("listing {id} has ended"));
        }
        let left = match &mut self.selling {
            Selling::BuyNow { quantity, .. } => {
                let left = quantity.checked_sub(copies).filter(|_| copies > 0);
                let left = left.ok_or_else(|| format!("listing {id} has {quantity} left, not {copies}"))?;
                *quantity = left;
                left
            }
            Selling::Auction { .. } if copies == 1 => 0,
            Selling::Auction { .. } => return Err(format!("listing {id} is an auction of one")),
        };
        self.sold += copies;
        if left == 0 {
            self.sold_out = Some(now);
        }
        Ok(cents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSING: TimeDelta = TimeDelta::seconds(30);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + seconds, 0).expect("in range")
    }

    fn listing(selling: Selling) -> Listing {
        Listing {
            id: 5_123_456_789,
            title: "Blue widget".to_owned(),
            category: 0,
            sku: None,
            selling,
            flat_shipping: false,
            rest: Arc::default(),
            start: at(0),
            end: at(3_600),
            sold_out: None,
            withdrawn: None,
            ended: false,
            sold: 0,
            known_sold: 0,
            views: 0,
            watchers: 0,
            listed_from: at(0),
            unseen: Vec::new(),
        }
    }

    fn auction(reserve_cents: Option<u32>) -> Listing {
        listing(Selling::Auction {
            start_cents: 100,
            reserve_cents,
            buy_now_cents: Some(900),
            bids: Vec::new(),
        })
    }

    #[test]
    fn a_listing_lives_until_its_last_copy_and_closes_before_it_is_sold() {
        let mut listing = listing(Selling::BuyNow { cents: 2_100, quantity: 3 });
        assert_eq!(listing.take(2, at(10)), Ok(2_100));
        assert_eq!((listing.quantity(), listing.state(at(10), CLOSING)), (Some(1), State::Active));
        assert!(listing.take(2, at(11)).is_err() && listing.take(0, at(11)).is_err());
        assert_eq!(listing.take(1, at(20)), Ok(2_100));
        assert_eq!((listing.quantity(), listing.sold), (Some(0), 3));
        assert_eq!(listing.state(at(20), CLOSING), State::Closing);
        assert_eq!(listing.state(at(49), CLOSING), State::Closing);
        assert_eq!(listing.state(at(50), CLOSING), State::Sold);
        assert!(listing.take(1, at(60)).is_err());
    }

    #[test]
    fn what_ends_with_copies_left_is_unsold() {
        let mut listing = listing(Selling::BuyNow { cents: 2_100, quantity: 3 });
        listing.take(1, at(10)).expect("there are three");
        assert_eq!(listing.state(at(3_599), CLOSING), State::Active);
        assert_eq!(listing.state(at(3_600), CLOSING), State::Closing);
        assert_eq!(listing.state(at(3_630), CLOSING), State::Unsold);
        listing.withdrawn = Some(at(100));
        assert_eq!(listing.state(at(99), CLOSING), State::Active);
        assert_eq!(listing.state(at(100), CLOSING), State::Withdrawn);
    }

    #[test]
    fn an_auction_is_sold_to_the_top_bid_that_meets_the_reserve() {
        let bid = |cents, seconds| Bid { buyer: 1, cents, at: at(seconds) };
        let mut listing = auction(Some(500));
        assert!(listing.bid(bid(50, 1)).is_err(), "below the start");
        listing.bid(bid(100, 1)).expect("the start price");
        assert!(listing.bid(bid(149, 2)).is_err(), "too small a step");
        assert_eq!((listing.reserve_met(), listing.winner()), (Some(false), None));
        assert_eq!(listing.buy_now_cents(), None, "somebody has bid");
        assert_eq!(listing.state(at(3_630), CLOSING), State::Unsold);
        listing.bid(bid(500, 3)).expect("enough");
        assert_eq!(listing.winner(), Some(bid(500, 3)));
        assert_eq!(listing.state(at(3_630), CLOSING), State::Sold);
        assert!(listing.bid(bid(900, 3_600)).is_err(), "it has ended");
    }

    #[test]
    fn a_late_bid_moves_the_end_and_an_early_one_does_not() {
        let mut listing = auction(None);
        listing.bid(Bid { buyer: 1, cents: 100, at: at(3_000) }).expect("live");
        assert_eq!(listing.end, at(3_600));
        listing.bid(Bid { buyer: 2, cents: 200, at: at(3_599) }).expect("live");
        assert_eq!(listing.end, at(3_719));
    }

    #[test]
    fn an_auction_can_be_bought_at_once_until_somebody_bids() {
        let mut listing = auction(None);
        assert!(listing.clone().take(2, at(5)).is_err());
        assert_eq!(listing.take(1, at(5)), Ok(900));
        assert_eq!(listing.state(at(40), CLOSING), State::Sold);
    }
}
