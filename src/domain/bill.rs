//! What a plan's writes take of a marketplace's allowance.

/// Requests that a plan takes to apply, if nothing goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// All of them.
    pub requests: i64,
    /// Those that take copies off sale.
    pub lowering: i64,
    /// How many have left when the last has that changes prices or details alone, which may use less of a window than
    /// the others; 0 where there is none.
    pub until_prices: i64,
}
