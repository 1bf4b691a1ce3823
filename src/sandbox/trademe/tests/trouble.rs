//! What goes wrong as it was asked to.

use super::*;

#[tokio::test(start_paused = true)]
async fn maintenance_moves_the_ends_that_it_would_have_hidden() {
    let sandbox = open(small()).await;
    let soon = plenty(&sandbox, 1);
    sandbox.with_trademe(|shop| shop.listing_mut(soon).expect("it").end = at(NOON) + TimeDelta::hours(3));
    let ends = || {
        sandbox.with_trademe(|shop| shop.listings().iter().map(|row| (row.id, row.end)).collect::<Vec<_>>())
    };
    let before = ends();
    sandbox.fault(FaultKind::Maintenance { seconds: 4 * 3_600 });
    for ((id, was), (_, is)) in before.into_iter().zip(ends()) {
        let in_it = was > at(NOON) && was <= at(NOON) + TimeDelta::hours(4);
        assert_eq!(is - was, if in_it { TimeDelta::hours(4) } else { TimeDelta::zero() }, "{id}");
    }
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 503);
    assert_eq!(get_at_cardmarket(&sandbox, "/account").await.status, 200);
    sandbox.set_offset(TimeDelta::hours(4));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_future_and_the_masked_can_be_tried_out() {
    let sandbox = open(Options { sales: 9, ..small() }).await;
    let odd = async |kind: FaultKind| {
        sandbox.clear_faults();
        sandbox.fault(kind);
        json(&sandbox, "MyTradeMe/SoldItems/Last45Days").await
    };
    let future = odd(FaultKind::UnknownField).await;
    assert!(future["FutureField"].is_object() && rows(&future)[0]["Buyer"]["FutureField"].is_object());
    let unknown = odd(FaultKind::NewEnum).await;
    let row = &rows(&unknown)[0];
    assert_eq!(
        (&row["Status"], &row["ShippingType"], &row["PaymentMethod"]),
        (&250.into(), &250.into(), &250.into())
    );
    let masked = odd(FaultKind::Masked).await;
    assert!(rows(&masked).iter().all(|row| row["Buyer"]["MemberId"].as_i64().unwrap_or(0) == 0));
    assert!(
        rows(&masked)
            .iter()
            .all(|row| row["Buyer"]["Nickname"].as_str().is_some_and(|name| name.contains("***")))
    );
}

#[tokio::test(start_paused = true)]
async fn pages_shift_repeat_and_rot_as_asked() {
    let sandbox = open(small()).await;
    let page = async |resource: &str| json(&sandbox, resource).await;
    let list = "MyTradeMe/SellingItems/All?rows=40&page=";
    let ids = walk(&sandbox, "MyTradeMe/SellingItems/All", 40, "ListingId").await;
    let second = async || numbers(&page(&format!("{list}2")).await, "ListingId");
    sandbox.fault(Fault::from(FaultKind::DuplicateRow).next(1));
    assert_eq!(second().await[..2], ids[39..41]);
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: false }).next(1));
    assert_eq!(second().await[0], ids[41], "one is skipped");
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: true }).next(1));
    assert_eq!(second().await[0], ids[40], "one comes back");
    sandbox.buy_at_trademe(&Purchase { count: Some(6), ..Purchase::default() }).expect("enough");
    let sold = "MyTradeMe/SoldItems/LastHour?rows=3&page=";
    let first = numbers(&page(&format!("{sold}1")).await, "PurchaseId");
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: true }).next(1));
    assert_eq!(
        numbers(&page(&format!("{sold}2")).await, "PurchaseId")[0],
        first[2],
        "a new sale pushes the last"
    );
    sandbox.fault(Fault::from(FaultKind::PageShift { insert: false }).next(1));
    assert_ne!(numbers(&page(&format!("{sold}2")).await, "PurchaseId")[0], first[2]);
    for (list, id, price) in [(&list, "ListingId", "BuyNowPrice"), (&sold, "PurchaseId", "Price")] {
        sandbox.fault(Fault::from(FaultKind::BadRows { rows: 3 }).next(1));
        let bad = page(&format!("{list}1")).await;
        let bad = rows(&bad);
        assert!(bad[0].get(id).is_none() && !bad[1][id].is_i64() && bad[2][price] == "abc", "{list}");
    }
    sandbox.fault(Fault::from(FaultKind::EmptyStock).next(1));
    assert!(rows(&page(&format!("{list}1")).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn broken_answers_are_broken_as_asked() {
    let sandbox = open(small()).await;
    let reply = async |kind: FaultKind| {
        sandbox.fault(Fault::from(kind).next(1).at(Venue::Trademe));
        get(&sandbox, "MyTradeMe/SellingItems/All").await
    };
    assert_eq!(reply(FaultKind::Status { status: 502 }).await.status, 502);
    assert_eq!(reply(FaultKind::Unavailable).await.status, 503);
    let html = reply(FaultKind::Html).await;
    assert!(html.status == 200 && html.text().starts_with("<!DOCTYPE html>"));
    let cut = reply(FaultKind::TruncateJson).await;
    assert!(cut.is_whole() && serde_json::from_slice::<Value>(&cut.body).is_err());
    assert!(!reply(FaultKind::TruncateBody).await.is_whole());
    let failure = reply(FaultKind::ErrorIn200 { long: false }).await;
    assert_eq!((failure.status, &failure.json()["Success"]), (200, &false.into()));
    assert!(failure.json()["Description"].as_str().is_some_and(|text| text.contains("\r\n")));
    let long = reply(FaultKind::ErrorIn200 { long: true }).await;
    assert!(long.status == 200 && long.json()["ErrorDescription"].is_string());
    let limited = reply(FaultKind::TooMany { retry_after: 7 }).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    let moved = reply(FaultKind::RedirectAway { to: None }).await;
    let away = "http://elsewhere.invalid/v1/MyTradeMe/SellingItems/All.json";
    assert_eq!((moved.status, moved.header("location")), (307, Some(away)));
    sandbox.fault(Fault::from(FaultKind::DropAfter).next(1).at(Venue::Trademe));
    let mut ask = Ask::plain(&sandbox, "GET", "/v1/MyTradeMe/Summary.json", "");
    let header = Call::new(&sandbox, "MyTradeMe/Summary").header();
    ask.headers.push(("Authorization".to_owned(), header));
    assert!(ask.send().await.is_err());
    sandbox.fault(Fault::from(FaultKind::Exhaust).at(Venue::Trademe));
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 429);
    sandbox.clear_faults();
    assert_eq!(get(&sandbox, "MyTradeMe/Summary").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_skewed_shop_shows_the_wrong_date_and_refuses_the_right_one() {
    let sandbox = open(small()).await;
    assert_eq!(
        get(&sandbox, "MyTradeMe/Summary").await.header("date"),
        Some("Mon, 02 Mar 2026 12:00:00 GMT")
    );
    sandbox.fault(FaultKind::ClockSkew { seconds: 600 });
    let reply = get(&sandbox, "MyTradeMe/Summary").await;
    assert_eq!((reply.status, reply.header("date")), (401, Some("Mon, 02 Mar 2026 12:10:00 GMT")));
    let timestamp = sandbox.now().timestamp() + 600;
    let corrected = Call { timestamp, ..Call::new(&sandbox, "MyTradeMe/Summary") };
    assert_eq!(corrected.send().await.status, 200);
}
