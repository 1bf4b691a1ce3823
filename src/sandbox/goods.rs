//! What the pretend seller has on the shelf under a key of its own, whichever shop shows it.

/// A thing that one shop sells and another may sell too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goods {
    /// The seller's key, without the tag around it.
    pub sku: String,
    /// What a person calls it.
    pub title: String,
    /// Price of one copy in cents of a euro.
    pub cents: u32,
    /// Copies on the shelf.
    pub count: u32,
}
