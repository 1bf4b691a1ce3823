//! What people ask about listings.

use chrono::{DateTime, Utc};

/// A question, unanswered: only such are listed for the seller.
#[derive(Debug, Clone)]
pub struct Question {
    /// `ListingQuestionId`.
    pub id: i64,
    /// What it is about.
    pub listing_id: i64,
    /// Place in the list of buyers.
    pub asker: usize,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// The question.
    pub text: String,
}
