//! Places of changes in a plan. A parcel mostly carries one, and a plan may have as many parcels as the stock has
//! listings: one place is kept where it stands, and only several cost memory of their own.

use std::ops::Deref;

/// Places in the list of changes, in the order in which they were put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places(Kept);

/// One place is never kept among several, so that equal places are equal. None at all are several, too.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    One(usize),
    Several(Box<[usize]>),
}

impl Places {
    /// One place.
    pub fn one(place: usize) -> Self {
        Self(Kept::One(place))
    }

    /// Puts another place behind them.
    pub fn push(&mut self, place: usize) {
        *self = self.iter().copied().chain([place]).collect();
    }

    /// Takes out the places that are not to stay.
    pub fn retain(&mut self, stays: impl Fn(usize) -> bool) {
        if !self.iter().all(|place| stays(*place)) {
            *self = self.iter().copied().filter(|place| stays(*place)).collect();
        }
    }
}

impl Deref for Places {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        match &self.0 {
            Kept::One(place) => std::slice::from_ref(place),
            Kept::Several(places) => places,
        }
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let places: Box<[usize]> = places.into_iter().collect();
        Self(match *places {
            [place] => Kept::One(place),
            _ => Kept::Several(places),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn they_are_a_list_whatever_is_done_to_them(
            first in 0_usize..9,
            more in proptest::collection::vec(0_usize..9, 0..4),
            gone in 0_usize..9,
        ) {
            let mut places = Places::one(first);
            let mut list = vec![first];
            for place in more {
                places.push(place);
                list.push(place);
                prop_assert_eq!(&*places, &*list);
            }
            places.retain(|place| place != gone);
            list.retain(|place| *place != gone);
            prop_assert_eq!(&*places, &*list);
            prop_assert_eq!(places, list.into_iter().collect::<Places>());
        }
    }
}
