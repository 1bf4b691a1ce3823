//! What the lists show, and when.

use super::*;

#[tokio::test(start_paused = true)]
async fn pages_of_any_size_are_the_whole_list_and_the_server_caps_them() {
    for (max_rows, wanted) in [(500, 500), (500, 7), (30, 500), (1, 50)] {
        let sandbox = open(Options { max_rows, listings: 61, ..small() }).await;
        let found = walk(&sandbox, "MyTradeMe/SellingItems/All", wanted, "ListingId").await;
        assert_eq!(found.len(), 61, "{max_rows} {wanted}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 61);
        assert!(found.iter().all(|id| *id > 1 << 32));
    }
    let sandbox = open(small()).await;
    let usual = json(&sandbox, "MyTradeMe/SellingItems/All").await;
    assert_eq!((&usual["TotalCount"], &usual["PageSize"]), (&120.into(), &50.into()));
    let last = json(&sandbox, "MyTradeMe/SellingItems/All?page=3").await;
    assert_eq!((&last["Page"], &last["PageSize"]), (&3.into(), &20.into()));
    let ends = |page: &Value| rows(page).iter().map(|row| row["EndDate"].to_string()).collect::<Vec<_>>();
    let whole = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
    assert!(ends(&whole).is_sorted());
    let backwards = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500&sort_order=ExpiryDesc").await;
    assert!(ends(&backwards).iter().rev().is_sorted());
    let empty = open(Options { listings: 0, omit_defaults: false, ..small() }).await;
    assert_eq!(json(&empty, "MyTradeMe/SellingItems/All").await["List"], Value::Array(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_left_out_like_all_that_has_no_value() {
    let sandbox = open(small()).await;
    let reply = get(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
    let fields: Vec<String> = reply.json().as_object().expect("an object").keys().cloned().collect();
    assert!(!fields.contains(&"List".to_owned()), "{fields:?}");
    let page = get(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
    let all = page.json();
    let zeros = rows(&all).iter().flat_map(|row| row.as_object().expect("a row").values());
    let zeros =
        zeros.filter(|value| value.is_null() || **value == false || **value == 0 || **value == 0.0).count();
    assert!((20..600).contains(&zeros), "few of about 1,800 stay: {zeros}");
    assert!(page.text().contains("\"\\/Date(") && page.text().contains("https:\\/\\/"));
    let whole = open(Options { omit_defaults: false, ..small() }).await;
    let row = rows(&json(&whole, "MyTradeMe/SellingItems/All").await)[0].clone();
    for name in ["BidCount", "ListingLength", "HasReserve", "StartPrice", "SKU", "ExternalReferenceId"] {
        assert!(row.get(name).is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn filters_of_live_listings_mean_what_they_say() {
    let sandbox = open(Options { listings: 312, ..small() }).await;
    let count = async |filter: &str| {
        json(&sandbox, &format!("MyTradeMe/SellingItems/{filter}")).await["TotalCount"].as_i64().unwrap_or(0)
    };
    let all = count("All").await;
    let mut met = Vec::new();
    for filter in ["ClosingToday", "ListingsWithBids", "ReserveMet", "ReserveNotMet", "UnansweredQuestions"] {
        let part = count(filter).await;
        assert!(part > 0 && part < all, "{filter} {part}");
        met.push(part);
    }
    let questions = json(&sandbox, "Listings/Questions/UnansweredQuestions").await;
    assert_eq!(questions["TotalCount"], met[4]);
    let question = &rows(&questions)[0];
    assert_eq!((&question["Answer"], &question["AnswerDate"]), (&"".into(), &"/Date(0)/".into()));
    assert!(question["ListingQuestionId"].is_i64() && question["AskingMember"]["Nickname"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_sale_lowers_the_quantity_at_once_and_is_listed_after_the_lag() {
    let sandbox = open(Options { sold_lag: TimeDelta::seconds(75), ..small() }).await;
    let id = plenty(&sandbox, 3);
    let before = json(&sandbox, &format!("Selling/Listings/{id}")).await["Quantity"].as_i64().expect("stock");
    let bought = sandbox.buy_at_trademe(&one(id, 2)).expect("enough");
    let left = json(&sandbox, &format!("Selling/Listings/{id}")).await["Quantity"].as_i64();
    assert_eq!(left, Some(before - 2));
    for (seconds, seen) in [(0, 0), (74, 0), (75, 1), (3_599, 1), (3_600, 0)] {
        sandbox.set_offset(TimeDelta::seconds(seconds));
        let page = json(&sandbox, "MyTradeMe/SoldItems/LastHour").await;
        assert_eq!(rows(&page).len(), seen, "after {seconds} s");
        for row in rows(&page) {
            assert_eq!(row["PurchaseId"], bought[0].purchase_id);
            assert_eq!((&row["ListingId"], &row["QuantitySold"]), (&id.into(), &2.into()));
            assert_eq!(row["ReferenceNumber"], format!("P{}", bought[0].purchase_id));
            assert!(row.get("Quantity").is_none());
            let cents = (row["TotalSalePrice"].as_f64().expect("money") * 100.0).round();
            assert_eq!(cents as u64, bought[0].total_cents);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn filters_by_time_reach_back_as_far_as_they_say() {
    let sandbox = open(small()).await;
    let id = plenty(&sandbox, 1);
    sandbox.with_trademe(|shop| shop.listing_mut(id).expect("it").end += TimeDelta::days(60));
    sandbox.buy_at_trademe(&one(id, 1)).expect("enough");
    let hours = [
        ("LastHour", 1),
        ("Last24Hours", 24),
        ("Last3Days", 72),
        ("Last7Days", 168),
        ("Last30Days", 720),
        ("Last45Days", 1_080),
    ];
    for (filter, span) in hours {
        for (after, seen) in
            [(TimeDelta::hours(span) - TimeDelta::seconds(1), 1), (TimeDelta::hours(span), 0)]
        {
            sandbox.set_offset(after);
            let page = json(&sandbox, &format!("MyTradeMe/SoldItems/{filter}")).await;
            assert_eq!(
                rows(&page).iter().filter(|row| row["ListingId"] == id).count(),
                seen,
                "{filter} {after}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_copy_closes_a_listing_and_its_sales_show_when_it_has_closed() {
    let sandbox = open(Options { closing: TimeDelta::seconds(30), ..small() }).await;
    let id = plenty(&sandbox, 1);
    let quantity = sandbox.with_trademe(|shop| shop.listing(id).and_then(Listing::quantity)).expect("stock");
    sandbox.buy_at_trademe(&one(id, quantity)).expect("enough");
    let is_live = async || {
        let page = json(&sandbox, "MyTradeMe/SellingItems/All?rows=500").await;
        numbers(&page, "ListingId").contains(&id)
    };
    let sales = async || {
        let details = json(&sandbox, &format!("Listings/{id}")).await;
        details["Sales"].as_array().map_or(0, Vec::len)
    };
    assert!(is_live().await);
    assert_eq!(sales().await, 0, "closing");
    sandbox.set_offset(TimeDelta::seconds(30));
    assert!(!is_live().await);
    assert_eq!(sales().await, 1);
    let unsold = json(&sandbox, "MyTradeMe/UnsoldItems/Last45Days?rows=500").await;
    assert!(!numbers(&unsold, "ListingId").contains(&id));
    assert!(sandbox.buy_at_trademe(&one(id, 1)).is_err());
    sandbox.set_offset(TimeDelta::days(46));
    assert_eq!(get(&sandbox, &format!("Listings/{id}")).await.status, 400, "gone after 45 days");
}

#[tokio::test(start_paused = true)]
async fn what_ends_with_stock_is_unsold_and_what_is_withdrawn_cannot_be_relisted() {
    let sandbox = open(small()).await;
    let (ended, withdrawn) = sandbox.with_trademe(|shop| {
        let now = at(NOON);
        let ids: Vec<i64> = shop.live(now).filter(|row| row.quantity().is_some()).map(|row| row.id).collect();
        shop.listing_mut(ids[0]).expect("it").end = now + TimeDelta::minutes(1);
        shop.listing_mut(ids[1]).expect("it").withdrawn = Some(now + TimeDelta::minutes(1));
        (ids[0], ids[1])
    });
    sandbox.set_offset(TimeDelta::minutes(2));
    let list = async |filter: &str| json(&sandbox, &format!("MyTradeMe/UnsoldItems/{filter}?rows=500")).await;
    let all = list("LastHour").await;
    assert_eq!(
        numbers(&all, "ListingId").into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([ended, withdrawn])
    );
    let find = |id: i64| rows(&all).iter().find(|row| row["ListingId"] == id).expect("listed").clone();
    assert_eq!((&find(ended)["CanRelist"], &find(withdrawn)["IsWithdrawn"]), (&true.into(), &true.into()));
    let relistable = numbers(&list("ItemsICanRelist").await, "ListingId");
    assert!(relistable.contains(&ended) && !relistable.contains(&withdrawn));
    assert!(list("ItemsIHaveOffered").await["List"].as_array().is_none_or(Vec::is_empty));
}
