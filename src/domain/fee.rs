//! What a change costs at the marketplace, and why it might not make it.

use super::Money;

/// What a change costs at the marketplace, beside the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fee {
    /// Which of the changes that were asked about.
    pub change: usize,
    /// What it costs.
    pub amount: Money,
    /// Why the change would not be made now, if the marketplace says so.
    pub obstacle: Option<Obstacle>,
}

/// Why the marketplace would not make a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It would refuse it, in these words.
    Refused(String),
    /// The balance of the account does not cover what it costs.
    TooDear,
}
