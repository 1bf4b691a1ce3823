//! One shelf at two marketplaces: what is sold at one is not for sale at the other.

use sellerd::sandbox::{Purchase, trademe};

use super::{Shelf, rows};

#[test]
fn a_sale_at_one_marketplace_lowers_the_other_at_its_next_sync() {
    let shelf = Shelf::of(&[("A", 5, 100), ("B", 3, 200)], &[("A", 5, 1_000), ("B", 3, 2_000)]);
    let text = std::fs::read_to_string(shelf.0.dir().join("sellerd.toml")).expect("a file");
    shelf.0.write("sellerd.toml", &format!("{text}\n[channels.cards]\naccounts = [\"cm\", \"nz\"]\n"));
    for account in ["cm", "nz"] {
        shelf.list(account, "sku,quantity\nA,5\nB,3\n");
        let run = shelf.sync(account, 0);
        assert_eq!(run["counts"]["quantity"].as_i64(), None, "{run}");
    }
    let id = shelf.0.sandbox.with_shop(|shop| {
        shop.stock().rows().iter().find(|row| row.comment.sku().as_deref() == Some("A")).map(|row| row.id)
    });
    let purchase = Purchase { article_id: id, quantity: Some(2), pay: Some(true), ..Purchase::default() };
    shelf.0.sandbox.buy(&purchase).expect("it is there");
    let purchase = trademe::Purchase {
        listing_id: Some(shelf.nz_id("B")),
        quantity: Some(1),
        pay: Some(true),
        ..trademe::Purchase::default()
    };
    shelf.0.sandbox.buy_at_trademe(&purchase).expect("it is there");

    // Cardmarket's sync reads Cardmarket's orders; Trade Me's sale is known once its own orders are read.
    shelf.sync("cm", 0);
    let run = shelf.sync("nz", 0);
    assert_eq!(shelf.nz(), rows(&[("A", 3, 1_000), ("B", 2, 2_000)]), "{run}");
    let run = shelf.sync("cm", 0);
    assert_eq!(shelf.cm(), rows(&[("A", 3, 100), ("B", 2, 200)]), "{run}");
    let (cm, nz) = (shelf.cm_effects().len(), shelf.nz_effects().len());
    assert_eq!((cm, nz), (1, 1), "one change at each, and it is enough");
}
