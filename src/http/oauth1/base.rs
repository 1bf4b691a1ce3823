//! The base string of RFC 5849 section 3.4.1: what HMAC-SHA1 signs.
//!
//! `METHOD & url & parameters`, the last two encoded once more. Parameters are the OAuth ones and those of the
//! query and of a form body, all decoded, encoded in one way and sorted, so that both sides come to one text
//! whatever order and spelling went over the wire.

use std::cmp::Ordering;

use super::encode::{Encoded, push_encoded};
use super::{Parameters, Repeated, Unsigned};

/// Appends the base string of a request with its OAuth parameters to an empty text.
pub fn push_base_string(base: &mut String, request: &Unsigned, oauth: &Parameters, repeated: Repeated) {
    base.push_str(request.method);
    base.make_ascii_uppercase();
    base.push('&');
    push_encoded(base, request.target.without_query());
    base.push('&');

    // The OAuth parameters come sorted, so that only the request's own have to be; then the two are merged.
    let own = sorted_parameters(request, repeated);
    let mut own = own.as_slice();
    for (name, value) in oauth.sorted() {
        while let [(first, of), rest @ ..] = own
            && by_name(first, name).then_with(|| repeated.order(of, &Encoded::text(value))).is_lt()
        {
            push_pair(base, first, of);
            own = rest;
        }
        // Our own names need no encoding.
        base.push_str(name);
        push_value(base, &Encoded::text(value));
    }
    for (name, value) in own {
        push_pair(base, name, value);
    }
    base.truncate(base.len() - SEPARATOR.len());
}

/// `&`, encoded.
const SEPARATOR: &str = "%26";

/// The parameters of query and form, encoded once and in order.
fn sorted_parameters<'a>(request: &Unsigned<'a>, repeated: Repeated) -> Vec<(Encoded<'a>, Encoded<'a>)> {
    let mut pairs = Vec::with_capacity(8);
    for (name, value) in request.target.raw_pairs() {
        pairs.push((Encoded::canonical(name), Encoded::canonical(value)));
    }
    for (name, value) in request.form {
        pairs.push((Encoded::text(name), Encoded::text(value)));
    }
    pairs.sort_unstable_by(|(name, value), (other, of)| {
        by_name(name, other).then_with(|| repeated.order(value, of))
    });
    pairs
}

/// Appends a pair in its second encoding, and a separator.
#[inline]
fn push_pair(base: &mut String, name: &Encoded, value: &Encoded) {
    name.push_again(base);
    push_value(base, value);
}

#[inline]
fn push_value(base: &mut String, value: &Encoded) {
    base.push_str("%3D");
    value.push_again(base);
    base.push_str(SEPARATOR);
}

/// Bytewise. Names mostly differ in their first byte, where a call to compare memory costs more than the look.
fn by_name(name: &str, other: &str) -> Ordering {
    name.bytes().cmp(other.bytes())
}

impl Repeated {
    fn order(self, value: &str, other: &str) -> Ordering {
        match self {
            Self::Bytewise => value.cmp(other),
            Self::Numeric => numbers_first(value, other),
        }
    }
}

/// Numbers by their value, then everything else bytewise. A mixture has to have some order; nobody has seen
/// what Cardmarket makes of one, and none of its keys takes both.
fn numbers_first(a: &str, b: &str) -> Ordering {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (number(a), number(b)) {
        (true, true) => {
            let (short, other) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            short.len().cmp(&other.len()).then_with(|| short.cmp(other)).then_with(|| a.cmp(b))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Parameters, Target};
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_and_stand_before_words() {
        let mut values = ["b", "13", "", "4", "04", "100", "1a"];
        values.sort_by(|a, b| numbers_first(a, b));
        assert_eq!(values, ["04", "4", "13", "100", "", "1a", "b"]);
    }

    const OAUTH: Parameters = Parameters([
        None,
        None,
        Some(("b", "2")),
        None,
        None,
        None,
        Some(("c", "")),
        Some(("oauth_version", "1.0")),
    ]);

    proptest! {
        #[test]
        fn the_order_of_values_is_total(mut values in prop::collection::vec("[0-9a]{0,3}", 0..12)) {
            values.sort_by(|a, b| numbers_first(a, b));
            for (at, earlier) in values.iter().enumerate() {
                for later in &values[at..] {
                    prop_assert_ne!(numbers_first(earlier, later), Ordering::Greater);
                }
            }
        }

        #[test]
        fn the_order_on_the_wire_does_not_matter(
            pairs in prop::collection::vec(("[a-c]{1,2}", "[0-9,a]{0,3}"), 0..6),
            shuffled in any::<prop::sample::Index>(),
            numeric in any::<bool>(),
        ) {
            let repeated = if numeric { Repeated::Numeric } else { Repeated::Bytewise };
            let base = |pairs: &[(String, String)]| {
                let target = pairs.iter().fold(Target::new("https://h.test/ws").unwrap(), |target, (key, value)| {
                    target.query(key, value)
                });
                let mut base = String::new();
                push_base_string(&mut base, &Unsigned::new("GET", &target, "", 0), &OAUTH, repeated);
                base
            };
            let mut turned = pairs.clone();
            if !pairs.is_empty() {
                turned.rotate_left(shuffled.index(pairs.len()));
                turned.swap(0, shuffled.index(pairs.len()));
            }
            prop_assert_eq!(base(&pairs), base(&turned));
        }
    }
}
