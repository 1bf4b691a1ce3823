//! How things are sold, and what becomes of an order.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_auction_is_won_when_it_ends_and_late_bids_move_its_end() {
    let sandbox = open(small()).await;
    let id = auction(&sandbox);
    let bid = |cents| {
        sandbox.buy_at_trademe(&Purchase {
            listing_id: Some(id),
            bid_cents: Some(cents),
            ..Purchase::default()
        })
    };
    let end = sandbox.with_trademe(|shop| shop.listing(id).expect("it").end);
    sandbox.set_offset(end - at(NOON) - TimeDelta::seconds(1));
    assert!(bid(1).is_err());
    assert_eq!(bid(1_000_000), Ok(Vec::new()), "a bid is no purchase yet");
    let late = sandbox.with_trademe(|shop| shop.listing(id).expect("it").end);
    assert_eq!(late, end + TimeDelta::seconds(119));
    sandbox.set_offset(late - at(NOON) + TimeDelta::seconds(5));
    let page = json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    let row = rows(&page).iter().find(|row| row["ListingId"] == id).expect("it was won");
    assert_eq!(
        (&row["SoldType"], &row["Price"], &row["QuantitySold"]),
        (&"Auction".into(), &10_000.0.into(), &1.into())
    );
    assert_eq!(row["SoldDate"], format!("/Date({})/", late.timestamp_millis()));
    let purchases = sandbox.with_trademe(|shop| shop.sales().len());
    json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    assert_eq!(sandbox.with_trademe(|shop| shop.sales().len()), purchases, "it is won once");
}

#[tokio::test(start_paused = true)]
async fn a_cart_is_several_purchases_of_one_order_or_none_at_all() {
    let sandbox = open(small()).await;
    let ids: Vec<i64> = sandbox.with_trademe(|shop| {
        shop.live(at(NOON)).filter(|row| row.quantity().is_some()).map(|row| row.id).take(3).collect()
    });
    let cart = |last: u32| {
        let lines = [(ids[0], 1), (ids[1], 1), (ids[2], last)];
        let cart = lines.map(|(listing_id, quantity)| CartLine { listing_id, quantity }).to_vec();
        Purchase { cart, pay: Some(false), address: Some(false), ..Purchase::default() }
    };
    let copies =
        || sandbox.with_trademe(|shop| shop.live(at(NOON)).filter_map(Listing::quantity).sum::<u32>());
    let before = copies();
    assert!(sandbox.buy_at_trademe(&cart(1_000)).is_err());
    assert_eq!(copies(), before, "what cannot be had as a whole stays");
    let bought = sandbox.buy_at_trademe(&cart(1)).expect("enough");
    let page = json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    assert_eq!((copies(), rows(&page).len()), (before - 3, 3));
    let orders: BTreeSet<i64> = numbers(&page, "OrderId").into_iter().collect();
    assert_eq!(orders, BTreeSet::from([bought[0].order_id.expect("a cart")]));
    sandbox.act_at_trademe(bought[2].purchase_id, Action::Pay(PayBy::Afterpay)).expect("it can be paid");
    sandbox.act_at_trademe(bought[2].purchase_id, Action::Address).expect("it can be sent");
    sandbox.act_at_trademe(bought[2].purchase_id, Action::Mark(Status::GoodsShipped)).expect("any order");
    for row in rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour").await) {
        assert_eq!(row["PaymentDetails"]["PaymentType"], 64, "the whole cart is paid");
        assert!(row["DeliveryAddress"]["Name"].as_str().is_some_and(|name| name.ends_with("-Canary")));
        assert_eq!(row["Status"] == 30, row["PurchaseId"] == bought[2].purchase_id);
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_and_payments_come_later_and_a_bank_deposit_is_never_confirmed() {
    let sandbox = open(small()).await;
    let unpaid = Purchase { pay: Some(false), address: Some(false), ..one(plenty(&sandbox, 1), 1) };
    let id = sandbox.buy_at_trademe(&unpaid).expect("enough")[0].purchase_id;
    let row = async || rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour").await)[0].clone();
    let first = row().await;
    assert!(first["DeliveryAddress"].is_null() && first["PaymentDetails"].is_null());
    assert_eq!(first["PaymentMethod"], 1);
    let act = |action| sandbox.act_at_trademe(id, action).expect("it follows");
    assert!(sandbox.act_at_trademe(id, Action::Refund).is_err(), "nothing was paid");
    assert_eq!(act(Action::Pay(PayBy::BankDeposit)).paid, Paid::No);
    assert_eq!(act(Action::Mark(Status::PaymentReceived)).status, 20);
    assert_eq!((&row().await["Status"], row().await["PaymentDetails"].is_null()), (&20.into(), true));
    act(Action::Pending);
    assert_eq!(row().await["IsPaymentPending"], true);
    assert_eq!(act(Action::Pay(PayBy::Ping)).paid, Paid::Yes);
    let paid = row().await;
    assert_eq!(paid["PaymentDetails"]["PaymentAmount"], paid["TotalSalePrice"]);
    assert_ne!(paid["IsPaymentPending"], true);
    act(Action::Refund);
    assert_eq!(row().await["PaymentDetails"]["RefundCollection"][0]["Amount"], paid["TotalSalePrice"]);
    act(Action::Mark(Status::None));
    assert_ne!(row().await["Status"], 20);
    act(Action::Hide);
    assert!(rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour").await).is_empty());
    assert_eq!(rows(&json(&sandbox, "MyTradeMe/SoldItems/LastHour?deleted=true").await).len(), 1);
    assert_eq!(sandbox.act_at_trademe(1, Action::Hide), Err(ActError::NoSuchPurchase(1)));
}

#[tokio::test(start_paused = true)]
async fn buyers_buy_as_they_like_until_nothing_is_left() {
    let sandbox = open(Options { listings: 30, ..small() }).await;
    let copies: u32 = sandbox.with_trademe(|shop| shop.live(at(NOON)).filter_map(Listing::quantity).sum());
    while sandbox.buy_at_trademe(&Purchase::default()).is_ok() {}
    let sold = |shop: &mut Shop| shop.sales().iter().map(|sale| sale.quantity).sum::<u32>();
    assert_eq!(sandbox.with_trademe(sold), copies);
    let sales = sandbox.with_trademe(|shop| shop.sales().to_vec());
    let paid = |after: i64| {
        let now = at(NOON) + TimeDelta::seconds(after);
        sales.iter().filter(|sale| sale.paid(now) == Paid::Yes && sale.has_address(now)).count()
    };
    assert!(paid(0) > 0 && paid(0) < paid(1_800) && paid(1_800) < sales.len());
    assert!(
        sales.iter().any(|sale| sale.order_id.is_some()) && sales.iter().any(|sale| sale.order_id.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_seller_is_shown_what_is_the_sellers() {
    let sandbox = open(small()).await;
    let id = plenty(&sandbox, 2);
    sandbox.buy_at_trademe(&one(id, 1)).expect("enough");
    let resource = format!("Listings/{id}?increment_view_count=false");
    let mine = json(&sandbox, &resource).await;
    assert!(mine["Quantity"].is_i64() && mine["Sales"].as_array().is_some_and(|sales| sales.len() == 1));
    let theirs = Call { token: false, ..Call::new(&sandbox, &resource) }.send().await.json();
    assert_eq!(theirs["ListingId"], id);
    assert!(theirs.get("Quantity").is_none() && theirs["Sales"].as_array().is_none_or(Vec::is_empty));
}

#[tokio::test(start_paused = true)]
async fn the_summary_counts_what_the_lists_show() {
    let sandbox = open(Options { sales: 9, ..small() }).await;
    let summary = json(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((&summary["Nickname"], &summary["SellingCount"]), (&"demo-shop".into(), &120.into()));
    assert_eq!((&summary["SoldCount"], &summary["UnsoldCount"]), (&9.into(), &4.into()));
    assert!(summary["Balance"].as_f64().is_some_and(|balance| balance > 0.0));
    assert_eq!(rows(&json(&sandbox, "MyTradeMe/SoldItems/Last45Days").await).len(), 9);
}
