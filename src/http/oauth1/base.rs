//! The base string of RFC 5849 section 3.4.1: what HMAC-SHA1 signs.
//!
//! `METHOD & url & parameters`, the last two encoded once more. Parameters are the OAuth ones and those of the
//! query and of a form body, all decoded, encoded in one way and sorted, so that both sides come to one text
//! whatever order and spelling went over the wire.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::encode::{canonical, encoded, push_encoded, push_encoded_again};
use super::{Repeated, Unsigned};

/// A name and a value, both encoded once.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The base string of a request with the OAuth parameters it is sent with, but for the signature.
pub fn base_string(request: &Unsigned, oauth: &[(&str, &str)], repeated: Repeated) -> String {
    let mut base = String::with_capacity(BASE_STRING_CAPACITY);
    base.push_str(request.method);
    base.make_ascii_uppercase();
    base.push('&');
    push_encoded(&mut base, request.target.without_query());
    let mut separator = "&";
    for (name, value) in sorted_parameters(request, oauth, repeated) {
        base.push_str(separator);
        push_encoded_again(&mut base, &name);
        base.push_str("%3D");
        push_encoded_again(&mut base, &value);
        separator = "%26";
    }
    base
}

/// Cardmarket's base strings have about 340 bytes; longer ones grow.
const BASE_STRING_CAPACITY: usize = 512;

fn sorted_parameters<'a>(
    request: &Unsigned<'a>,
    oauth: &[(&'a str, &'a str)],
    repeated: Repeated,
) -> Vec<Pair<'a>> {
    let mut pairs: Vec<Pair> = Vec::with_capacity(oauth.len() + 8);
    let decoded = oauth.iter().chain(request.form);
    pairs.extend(decoded.map(|&(name, value)| (encoded(name), encoded(value))));
    pairs.extend(request.target.raw_pairs().map(|(name, value)| (canonical(name), canonical(value))));
    let by_value = match repeated {
        Repeated::Bytewise => |a: &str, b: &str| a.cmp(b),
        Repeated::Numeric => numbers_first,
    };
    pairs.sort_unstable_by(|(name, value), (other_name, other)| {
        name.cmp(other_name).then_with(|| by_value(value, other))
    });
    pairs
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

    use super::*;
    use crate::http::oauth1::Target;

    #[test]
    fn numbers_are_ordered_by_value_and_stand_before_words() {
        let mut values = ["b", "13", "", "4", "04", "100", "1a"];
        values.sort_by(|a, b| numbers_first(a, b));
        assert_eq!(values, ["04", "4", "13", "100", "", "1a", "b"]);
    }

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
                base_string(&Unsigned::new("GET", &target, "", 0), &[("b", "2"), ("oauth_token", "")], repeated)
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
