//! A disk that fails, as a value: what a simulation asks for to see that nothing leaves which cannot be written down.

use super::{StoreError, Tx};

/// The file grows to this many pages and no further, or not at all where it is larger already; what needs more fails
/// as on a full disk. Holds for the connection of this transaction.
pub fn set_most_pages(tx: &Tx<'_>, pages: u32) -> Result<(), StoreError> {
    Ok(tx.0.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
}

/// Nothing more is written through the connection of this transaction, as on a disk that has become read-only. It
/// ends when the store is opened anew.
pub fn refuse_writes(tx: &Tx<'_>) -> Result<(), StoreError> {
    Ok(tx.0.pragma_update(None, "query_only", true)?)
}

#[cfg(test)]
mod tests {
    use crate::domain::ErrorType;
    use crate::store::testing::{now, store};
    use crate::store::{Lane, Store, flags};

    #[tokio::test]
    async fn a_store_that_refuses_writes_says_so_until_it_is_opened_anew() {
        let (_dir, store) = store(Lane::Inline);
        store.write(super::refuse_writes).await.unwrap();
        let refused = store.write(|tx| flags::set_halted(tx, Some(now()))).await.unwrap_err();
        assert_eq!(refused.error_type(), ErrorType::ConfigInvalid, "{refused}");
        let again = Store::open(store.path(), Lane::Inline, now()).unwrap();
        again.write(|tx| flags::set_halted(tx, Some(now()))).await.unwrap();
    }
}
