//! The OAuth parameters of one request, but for the signature.

/// Names and values in the order of Cardmarket's examples, in which they are sent: it means nothing, but is
/// known to work. What is `None` is neither signed nor sent.
pub struct Parameters<'a>(pub [Option<(&'static str, &'a str)>; 8]);

/// The places of the names in alphabetical order: callback, consumer key, nonce, signature method, timestamp,
/// token, verifier, version.
const SORTED: [usize; 8] = [0, 2, 4, 6, 5, 3, 1, 7];

impl<'a> Parameters<'a> {
    /// As they are sent.
    pub fn as_sent(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.0.iter().copied().flatten()
    }

    /// By name, as they are signed.
    pub fn sorted(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        SORTED.iter().filter_map(|&place| self.0[place])
    }
}
