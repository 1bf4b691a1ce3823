//! How what a seller desires becomes the offer that a marketplace understands. Each marketplace has its own way, and
//! planning uses it without knowing whose it is.

use super::{Desired, Offer};

/// Makes offers of what a source says. Pure: it asks nobody.
pub trait Drafting: Send + Sync {
    /// The offer that a new listing for this item would be, with the mark of its SKU. The error is for people and says
    /// what is missing, for example `the source has no column for product_id`.
    fn draft(&self, desired: &Desired) -> Result<Offer, String>;

    /// The attributes that a listing should have after the source has had its say, where they are others than now;
    /// `None` where they are as desired. A mark in the comment is no part of the comment and stays.
    fn redraft(&self, now: &Offer, desired: &Desired) -> Result<Option<String>, String>;

    /// The comment of a listing with these attributes, without a mark of its SKU; empty where there is none.
    fn comment(&self, attributes: &str) -> String;
}
