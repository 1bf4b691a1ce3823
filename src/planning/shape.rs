//! What planning has to know of how a marketplace is written to, as plain facts. The port's own types stay above.

/// How a marketplace takes changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape<'a> {
    /// The most items of one request; at least one is meant whatever it says.
    pub batch: usize,
    /// Whether a number of copies is changed by so many more or fewer, so that sending it twice counts twice.
    pub relative: bool,
    /// Whether one request changes everything about a listing, after having fetched it.
    pub whole_listing: bool,
    /// How the SKU begins that stands for a listing without a mark of the seller's.
    pub natural_sku: &'a str,
    /// Whether a listing whose last copy is taken off is gone for good.
    pub zero_is_final: bool,
}

impl Shape<'_> {
    /// The most items of one request.
    pub fn most(&self) -> usize {
        self.batch.max(1)
    }
}
