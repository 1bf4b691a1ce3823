//! Writing to the shop over real sockets, as a client meets it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Article, By, ByHand, CartMove, Comment, Deed, Flags, Placed, Purchase};
use crate::clock::ManualClock;
use crate::sandbox::visitor::{Ask, Reply, control, get, send};
use crate::sandbox::{Call, Delivery, Fault, FaultKind, Options, Sandbox, ask_with};

const NOON: &str = "2026-03-02T12:00:00Z";

fn noon() -> DateTime<Utc> {
    NOON.parse().expect("a date")
}

fn clock() -> Arc<ManualClock> {
    ManualClock::at(noon())
}

fn options() -> Options {
    Options { articles: 0, carts: 0, orders: 0, ..Options::new(clock()) }
}

async fn open(options: Options) -> Sandbox {
    Sandbox::start(options).await.expect("a free port")
}

/// Whether a text begins so: seconds pass while a test runs.
fn begins(value: &Value, with: &str) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(with))
}

/// A shop with one article of four Magic cards, and the article.
async fn four() -> (Sandbox, Article) {
    let placed = vec![card("shelf A12 [sku:a-1]", 250, 4)];
    let sandbox = open(Options { placed, ..options() }).await;
    let row = rows(&sandbox)[0];
    (sandbox, row)
}

fn card(comment: &str, cents: u32, count: u32) -> Placed {
    Placed { product_id: Some(100_003), comment: comment.to_owned(), cents, count, ..Placed::default() }
}

fn rows(sandbox: &Sandbox) -> Vec<Article> {
    sandbox.with_shop(|shop| shop.stock().rows().to_vec())
}

fn request(articles: &[String]) -> String {
    let articles: String = articles.iter().map(|article| format!("<article>{article}</article>")).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<request>{articles}</request>")
}

fn new_card(product: u32, more: &str) -> String {
    format!(
        "<idProduct>{product}</idProduct><idLanguage>1</idLanguage><count>2</count><price>0.50</price>\
         <condition>NM</condition><isFoil>false</isFoil>{more}"
    )
}

fn edit(id: u64, price: &str, more: &str) -> String {
    format!(
        "<idArticle>{id}</idArticle><idLanguage>1</idLanguage><price>{price}</price><condition>NM</condition>{more}"
    )
}

async fn write(sandbox: &Sandbox, method: &'static str, resource: &str, articles: &[String]) -> Value {
    let reply = send(sandbox, method, resource, &request(articles)).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn what_is_added_stands_in_the_stock_with_its_text_to_the_byte() {
    let sandbox = open(options()).await;
    let comment = "a &amp; b &lt;3 &gt; &quot;q&quot; &apos;s&apos; 🔥";
    let added = write(
        &sandbox,
        "POST",
        "/stock",
        &[new_card(100_001, &format!("<comments>{comment}</comments>")), new_card(999_999_999, "")],
    )
    .await;
    let article = &added["inserted"][0]["idArticle"];
    assert_eq!(added["inserted"][0]["success"], true);
    assert_eq!((&article["comments"], &article["price"]), (&json!("a & b <3 > \"q\" 's' 🔥"), &json!(0.5)));
    assert_eq!((&article["count"], &article["idProduct"]), (&json!(2), &json!(100_001)));
    assert!(
        begins(&article["lastEdited"], "2026-03-02T13:00:")
            && article["lastEdited"].to_string().contains("+0100")
    );
    let failed = &added["inserted"][1];
    assert_eq!(failed["success"], false);
    assert_eq!(failed["error"], "An error has ocurred, the card has NOT been listed.");
    let tried = json!({ "idProduct": "999999999", "idLanguage": "1", "count": "2", "price": "0.50", "condition": "NM",
                        "isFoil": "false", "amount": "2" });
    assert_eq!(failed["tried"], tried);
    let listed = get(&sandbox, "/stock/1").await.json();
    assert_eq!(listed["article"][0], *article);
    assert_eq!(rows(&sandbox).len(), 1);
}

#[tokio::test]
async fn an_article_like_another_joins_it_and_one_that_differs_in_anything_does_not() {
    let sandbox = open(options()).await;
    let add = async |more: &str| {
        let added = write(&sandbox, "POST", "/stock", &[new_card(100_001, more)]).await;
        let article = &added["inserted"][0]["idArticle"];
        (article["idArticle"].as_u64().expect("added"), article["count"].as_u64().expect("a number"))
    };
    let (first, count) = add("").await;
    assert_eq!(count, 2);
    assert_eq!(add("<isSigned>false</isSigned>").await, (first, 4));
    let mut others = vec![first];
    for more in [
        "<comments>x</comments>",
        "<isSigned>true</isSigned>",
        "<price>0.51</price>",
        "<idLanguage>3</idLanguage>",
    ] {
        let (other, count) = add(more).await;
        assert!(!others.contains(&other) && count == 2, "{more}");
        others.push(other);
    }
    // The last of two elements counts: `False` is no false.
    assert_eq!(add("<isFoil>False</isFoil>").await.1, 2);
    assert!(rows(&sandbox).iter().any(|row| row.flags.shiny));
}

#[tokio::test]
async fn what_the_marketplace_does_not_take_is_refused_one_by_one() {
    let sandbox = open(Options { display_language: 3, most_copies: 3, ..options() }).await;
    let bad = [
        "<condition>nm</condition>",
        "<price>0.01</price>",
        "<price>1,50</price>",
        "<count>0</count>",
        "<count>1.5</count>",
        "<count>4</count>",
        "<idLanguage>12</idLanguage>",
        "<isPlayset>true</isPlayset>",
    ];
    let articles: Vec<String> = bad.iter().map(|more| new_card(100_001, more)).collect();
    let added = write(&sandbox, "POST", "/stock", &articles).await;
    for (at, more) in bad.iter().enumerate() {
        assert_eq!(added["inserted"][at]["success"], false, "{more}");
    }
    assert!(added["inserted"][1]["error"].as_str().is_some_and(|text| text.contains("0,02 €")));
    assert!(rows(&sandbox).is_empty() && sandbox.effects().is_empty());
}

#[tokio::test]
async fn a_request_that_cannot_be_read_changes_nothing_at_all() {
    let (sandbox, row) = four().await;
    let good = edit(row.id, "3.10", "");
    let too_many = request(&vec![good.clone(); 101]);
    let doctype = format!("<!DOCTYPE request><request><article>{good}</article></request>");
    let unescaped = request(&[format!("{good}<comments>a & b</comments>")]);
    for body in [&too_many, &doctype, &unescaped, &request(&[]), "{}", ""] {
        for method in ["POST", "PUT", "DELETE"] {
            let reply = send(&sandbox, method, "/stock", body).await.expect("an answer");
            assert_eq!(reply.status, 400, "{method}: {}", reply.text());
        }
    }
    let half = request(&[format!("<idArticle>{}</idArticle><amount>1.5</amount>", row.id)]);
    assert_eq!(send(&sandbox, "PUT", "/stock/increase", &half).await.expect("an answer").status, 400);
    for (method, path) in [("POST", "/stock/1"), ("PATCH", "/stock"), ("POST", "/stock/increase")] {
        assert_eq!(
            send(&sandbox, method, path, &half).await.expect("an answer").status,
            405,
            "{method} {path}"
        );
    }
    let reply = send(&sandbox, "DELETE", "/stock/increase", &half).await.expect("an answer");
    assert_eq!(reply.header("access-control-allow-methods"), Some("PUT, OPTIONS"));
    assert_eq!(rows(&sandbox), [row]);
    let full = request(&vec![format!("<idArticle>{}</idArticle><amount>1</amount>", row.id); 100]);
    assert_eq!(send(&sandbox, "PUT", "/stock/increase", &full).await.expect("an answer").status, 200);
    assert_eq!(rows(&sandbox)[0].count, 104);
}

#[tokio::test]
async fn an_edit_gives_a_new_number_keeps_the_quantity_and_forgets_what_is_left_out() {
    let (sandbox, row) = four().await;
    let done =
        write(&sandbox, "PUT", "/stock", &[edit(row.id, "3.10", "<count>9</count><isFoil>0</isFoil>")]).await;
    let article = &done["updatedArticles"][0];
    let id = article["idArticle"].as_u64().expect("a number");
    assert!(id > row.id);
    assert_eq!((&article["count"], &article["price"]), (&json!(4), &json!(3.1)));
    assert_eq!((&article["comments"], &article["isFoil"]), (&json!(""), &json!(true)));
    assert_eq!(done["notUpdatedArticles"], json!([]));
    assert_eq!(rows(&sandbox).iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    let effect = sandbox.effects()[0];
    assert_eq!((effect.deed, effect.copies, effect.before), (Deed::Edit, 4, Some(row)));
    assert_eq!(effect.after, Some(rows(&sandbox)[0]));
    assert_eq!((effect.by, effect.article()), (By::Request(1), row.id));
    // The old number is in neither list now.
    let stale = write(&sandbox, "PUT", "/stock", &[edit(row.id, "3.20", "")]).await;
    assert_eq!(stale, json!({ "updatedArticles": [], "notUpdatedArticles": [] }));
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_told_like_a_failure_without_a_reason() {
    let (sandbox, row) = four().await;
    let same = "<comments>shelf A12 [sku:a-1]</comments><count>4</count>";
    let articles =
        [edit(row.id, "2.5", same), edit(row.id, "0.01", same), edit(row.id, "9", "<count>-1</count>")];
    let done = write(&sandbox, "PUT", "/stock", &articles).await;
    let refused = &done["notUpdatedArticles"];
    assert_eq!(done["updatedArticles"], json!([]));
    assert_eq!((&refused[0]["success"], &refused[0]["error"]), (&json!(false), &Value::Null));
    let tried = json!({ "idArticle": row.id.to_string(), "idProduct": "0", "idLanguage": "1",
                        "comments": "shelf A12 [sku:a-1]", "price": "2.5", "condition": "NM", "isFoil": false,
                        "isSigned": false, "isAltered": false });
    assert_eq!(refused[0]["tried"], tried);
    assert!(refused[1]["error"].is_string() && refused[2]["success"] == false);
    assert!(sandbox.effects().is_empty());
    assert_eq!(rows(&sandbox), [row]);
}

#[tokio::test]
async fn an_edit_of_some_copies_splits_the_article() {
    for reassign_ids in [0.0, 1.0] {
        let placed = vec![card("box", 250, 4)];
        let sandbox = open(Options { placed, reassign_ids, ..options() }).await;
        let row = rows(&sandbox)[0];
        write(&sandbox, "PUT", "/stock", &[edit(row.id, "9.99", "<count>1</count><comments>box</comments>")])
            .await;
        let split = rows(&sandbox);
        assert_eq!((split[0].id, split[0].count, split[0].cents), (row.id, 3, 250));
        assert_eq!((split[1].count, split[1].cents), (1, 999));
        write(&sandbox, "PUT", "/stock", &[edit(row.id, "1.00", "<comments>box</comments>")]).await;
        assert_eq!(rows(&sandbox)[0].id == row.id, reassign_ids == 0.0);
    }
}

#[tokio::test]
async fn copies_are_deleted_and_the_answer_is_all_strings() {
    let (sandbox, row) = four().await;
    let of = |id: u64, count: u32| format!("<idArticle>{id}</idArticle><count>{count}</count>");
    let done = write(&sandbox, "DELETE", "/stock", &[of(row.id, 1), of(285_159_139, 1), of(row.id, 9)]).await;
    let id = row.id.to_string();
    assert_eq!(
        done["deleted"],
        json!([
            { "idArticle": id, "count": "1", "success": true },
            { "idArticle": "285159139", "count": "1", "success": false, "message": "Invalid Article" },
            { "idArticle": id, "count": "9", "success": false, "message": "Invalid Amount" },
        ])
    );
    assert_eq!(rows(&sandbox)[0].count, 3);
    write(&sandbox, "DELETE", "/stock", &[of(row.id, 3)]).await;
    assert!(rows(&sandbox).is_empty());
    assert_eq!(sandbox.effects()[1].after, None);
    assert_eq!(get(&sandbox, &format!("/stock/article/{}", row.id)).await.status, 404);
}

#[tokio::test]
async fn quantities_move_by_amounts_and_meet_their_limit() {
    let sandbox = open(Options { placed: vec![card("box", 250, 4)], most_copies: 6, ..options() }).await;
    let row = rows(&sandbox)[0];
    let by = |amount: u32| format!("<idArticle>{}</idArticle><amount>{amount}</amount>", row.id);
    let more = write(&sandbox, "PUT", "/stock/increase", &[by(2), by(1)]).await;
    assert_eq!((&more["article"][0]["count"], &more["article"][0]["idArticle"]), (&json!(6), &json!(row.id)));
    assert_eq!(more["failed"][0]["tried"], json!({ "idArticle": row.id.to_string(), "amount": "1" }));
    let counted = format!("<idArticle>{}</idArticle><count>4</count>", row.id);
    let less = write(&sandbox, "PUT", "/stock/decrease", &[counted, by(3), by(2)]).await;
    assert_eq!((&less["article"][0]["count"], &less["article"][1]["count"]), (&json!(2), &json!(0)));
    assert_eq!(less["failed"].as_array().map(Vec::len), Some(1));
    assert!(rows(&sandbox).is_empty());
    let gone = write(&sandbox, "PUT", "/stock/increase", &[by(1)]).await;
    assert_eq!((&gone["article"], &gone["failed"][0]["error"]), (&json!([]), &json!("Invalid Article")));
}

#[tokio::test]
async fn the_articles_of_a_product_are_found() {
    let (sandbox, row) = four().await;
    let found = get(&sandbox, "/stock/products/100003").await.json();
    assert_eq!(found["article"][0]["idArticle"], row.id);
    for other in ["100004", "7", "x"] {
        assert_eq!(get(&sandbox, &format!("/stock/products/{other}")).await.status, 204, "{other}");
    }
}

#[tokio::test]
async fn what_lies_in_carts_is_not_for_sale_until_it_comes_back() {
    let (sandbox, row) = four().await;
    let article_id = row.id;
    sandbox.move_cart(CartMove::Reserve { article_id, quantity: 3 }).expect("enough");
    assert!(sandbox.move_cart(CartMove::Reserve { article_id, quantity: 2 }).is_err());
    assert_eq!(rows(&sandbox)[0].count, 1);
    let carts = get(&sandbox, "/stock/shoppingcart-articles").await.json();
    assert_eq!(
        (&carts["article"][0]["count"], &carts["article"][0]["inShoppingCart"]),
        (&json!(3), &json!(true))
    );
    write(&sandbox, "DELETE", "/stock", &[format!("<idArticle>{article_id}</idArticle><count>1</count>")])
        .await;
    sandbox.move_cart(CartMove::Release { article_id }).expect("it lies there");
    assert_eq!(rows(&sandbox)[0].count, 3);
    let cart = |what: &str| format!("{{\"do\":\"{what}\",\"article_id\":{article_id},\"quantity\":1}}");
    assert_eq!(control(&sandbox, "POST", "/cart", &cart("reserve")).await.status, 200);
    let bought =
        sandbox.move_cart(CartMove::Checkout { article_id }).expect("it lies there").expect("an order");
    assert_eq!((bought.copies, rows(&sandbox)[0].count), (1, 2));
    assert_eq!(control(&sandbox, "POST", "/cart", "{\"do\":\"release\",\"article_id\":1}").await.status, 409);
    assert_eq!(sandbox.effects().len(), 1, "only what the seller does stands in the book");
}

#[tokio::test]
async fn a_write_takes_effect_or_not_whatever_becomes_of_its_answer() {
    let html = |reply: Option<Reply>| reply.is_some_and(|reply| reply.text().contains("<html>"));
    for (kind, effects, looks) in [
        (FaultKind::DropBefore, 0, None),
        (FaultKind::DropAfter, 1, None),
        (FaultKind::Status { status: 503 }, 0, Some(503)),
        (FaultKind::StatusAfter { status: 504 }, 1, Some(504)),
        (FaultKind::Unavailable, 0, Some(400)),
        (FaultKind::Garbage, 0, Some(200)),
        (FaultKind::TruncateJson, 1, Some(200)),
        (FaultKind::TruncateBody, 1, Some(200)),
    ] {
        let (sandbox, row) = four().await;
        let name = kind.name();
        sandbox.fault(Fault::from(kind).on_writes().next(1));
        assert_eq!(get(&sandbox, "/stock/1").await.status, 200, "reads are left alone");
        let reply = send(&sandbox, "PUT", "/stock", &request(&[edit(row.id, "7", "")])).await.ok();
        assert_eq!(reply.as_ref().map(|reply| reply.status), looks, "{name}");
        assert_eq!(sandbox.effects().len(), effects, "{name}");
        assert_eq!(html(reply), matches!(looks, Some(503 | 504)), "{name}");
        assert_eq!(rows(&sandbox)[0].cents, if effects == 1 { 700 } else { 250 }, "{name}");
        assert_eq!(sandbox.requests().iter().filter(|seen| seen.method == "PUT").count(), 1);
    }
}

#[tokio::test]
async fn a_late_write_takes_effect_when_its_time_has_come_and_once() {
    let (sandbox, row) = four().await;
    let by = |amount: u32| request(&[format!("<idArticle>{}</idArticle><amount>{amount}</amount>", row.id)]);
    sandbox.fault(Fault::from(FaultKind::Late { seconds: 40 }).next(1));
    assert!(send(&sandbox, "PUT", "/stock/increase", &by(2)).await.is_err());
    sandbox.set_offset(TimeDelta::seconds(20));
    assert!(send(&sandbox, "PUT", "/stock/increase", &by(10)).await.is_ok());
    assert_eq!(rows(&sandbox)[0].count, 14);
    sandbox.set_offset(TimeDelta::seconds(100));
    assert_eq!(rows(&sandbox)[0].count, 16);
    sandbox.set_offset(TimeDelta::days(1));
    let effects = sandbox.effects();
    assert_eq!(effects.iter().map(|effect| effect.copies).collect::<Vec<_>>(), [10, 2]);
    assert_eq!((effects[1].at - noon()).num_seconds(), 40, "not when somebody looked");
    assert_eq!(effects[1].by, By::Request(1));
    // Together with a status, that is what the caller sees meanwhile.
    sandbox.fault(Fault::from(FaultKind::Late { seconds: 5 }).next(1));
    sandbox.fault(Fault::from(FaultKind::Status { status: 504 }).next(1));
    assert_eq!(send(&sandbox, "PUT", "/stock/increase", &by(1)).await.expect("an answer").status, 504);
    assert_eq!(rows(&sandbox)[0].count, 16);
    sandbox.set_offset(TimeDelta::days(1) + TimeDelta::seconds(5));
    assert_eq!(rows(&sandbox)[0].count, 17);
}

#[tokio::test]
async fn some_of_a_hundred_are_refused_and_told_in_any_order_if_so_asked() {
    let sandbox = open(options()).await;
    let articles: Vec<String> = (0..100).map(|at| new_card(100_001 + at, "")).collect();
    sandbox.fault(Fault::from(FaultKind::RejectItems { items: 1 }).next(1));
    sandbox.fault(Fault::from(FaultKind::ShuffleItems).next(1));
    let added = write(&sandbox, "POST", "/stock", &articles).await;
    let inserted = added["inserted"].as_array().expect("a list");
    assert_eq!(inserted.iter().filter(|item| item["success"] == false).count(), 1);
    let told: Vec<u64> = inserted.iter().filter_map(|item| item["idArticle"]["idProduct"].as_u64()).collect();
    assert!(told.len() == 99 && !told.is_sorted());
    assert_eq!((rows(&sandbox).len(), sandbox.effects().len()), (99, 99));
    let again = write(&sandbox, "POST", "/stock", &articles).await;
    let told: Vec<u64> = again["inserted"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["idArticle"]["idProduct"].as_u64())
        .collect();
    assert_eq!(told, (100_001..100_101).collect::<Vec<_>>(), "otherwise in the order of the request");
}

#[tokio::test]
async fn the_seller_works_by_hand_past_the_api() {
    let (sandbox, row) = four().await;
    let edit = ByHand::Edit { article_id: row.id, cents: Some(999), quantity: Some(2), comment: None };
    let id = sandbox.by_hand(&edit).expect("it is there").expect("and stays");
    assert_ne!(id, row.id);
    let now = rows(&sandbox)[0];
    assert_eq!((now.id, now.cents, now.count, now.comment), (id, 999, 2, row.comment));
    assert!(sandbox.by_hand(&edit).is_err(), "its number is another now");
    let body = json!({ "do": "add", "product_id": 100_009, "cents": 55, "count": 3, "comment": "[sku:b-2]" });
    let added = control(&sandbox, "POST", "/hand", &body.to_string()).await;
    assert_eq!(added.status, 200, "{}", added.text());
    let added = added.json()["article_id"].as_u64().expect("a number");
    let body = json!({ "do": "remove", "article_id": id }).to_string();
    assert_eq!(control(&sandbox, "POST", "/hand", &body).await.json()["article_id"], Value::Null);
    assert_eq!(control(&sandbox, "POST", "/hand", &body).await.status, 409);
    assert_eq!(control(&sandbox, "POST", "/hand", "{\"do\":\"dance\"}").await.status, 400);
    assert_eq!(rows(&sandbox).iter().map(|row| row.id).collect::<Vec<_>>(), [added]);
    let book = control(&sandbox, "GET", "/ledger", "").await.json();
    assert_eq!((&book["writes"], &book["effects_total"]), (&json!(0), &json!(4)));
    assert_eq!((&book["effects"][0]["by"], &book["effects"][0]["deed"]), (&json!("hand"), &json!("edit")));
    assert_eq!(
        book["effects"][0]["after"],
        json!({ "article_id": id, "cents": 999, "count": 4,
                                                    "comment": "shelf A12 [sku:a-1]" })
    );
}

#[tokio::test]
async fn articles_are_placed_exactly_so() {
    let flags = Flags { shiny: true, ..Flags::default() };
    let placed = vec![card("a", 2, 1), card("a", 2, 1), Placed { flags, condition: 4, ..card("b", 3, 7) }];
    let sandbox = open(Options { placed, articles: 3, ..options() }).await;
    let rows = rows(&sandbox);
    assert_eq!(rows.len(), 6);
    assert_eq!((rows[3].comment, rows[4].comment), (Comment::of("a"), Comment::of("a")), "alike, yet apart");
    assert_eq!((rows[5].flags, rows[5].condition, rows[5].count), (flags, 4, 7));
    sandbox.with_shop(|shop| {
        assert_eq!(shop.product_id(&rows[5]), 100_003);
        assert!(shop.place(&Placed { product_id: Some(1), ..Placed::default() }, noon()).is_err());
        let id = shop.place(&Placed::default(), noon()).expect("any product");
        assert!(shop.stock().find(id).is_some());
        assert_eq!(shop.effects().total(), 0);
    });
}

/// Fetches a file as a client does, with or without showing the login.
async fn fetch(sandbox: &Sandbox, url: &str, authorization: Option<&str>) -> Reply {
    let (_, rest) = url.split_once("://").expect("a URL");
    let (path, query) =
        rest.split_once('/').and_then(|(_, path)| path.split_once('?')).expect("a signed URL");
    let mut ask = Ask::plain(sandbox, "GET", &format!("/{path}"), "");
    ask.query = Some(query.to_owned());
    match authorization {
        Some(header) => ask.with_authorization(header).await,
        None => ask.send().await,
    }
    .expect("an answer")
}

#[tokio::test]
async fn an_export_is_a_file_of_the_stock_of_the_moment_at_which_it_was_ready() {
    let (sandbox, row) = four().await;
    assert_eq!(get(&sandbox, "/exports/stock").await.json(), json!({ "stockExports": [] }));
    let asked = send(&sandbox, "POST", "/exports/stock", "").await.expect("an answer");
    assert_eq!((asked.status, asked.body.len()), (202, 0));
    let listed = get(&sandbox, "/exports/stock").await.json();
    let request = &listed["stockExports"][0];
    assert_eq!(request["status"], "pending");
    assert!(begins(&request["startedAt"], "2026-03-02 13:00:"));
    assert_eq!(request["finishedAt"], "");
    assert_eq!(request["url"], "");
    let id = request["idRequest"].as_u64().expect("a number");
    sandbox.set_offset(TimeDelta::seconds(60));
    write(&sandbox, "PUT", "/stock", &[edit(row.id, "3.33", "")]).await;
    sandbox.set_offset(TimeDelta::seconds(200));
    sandbox.buy(&Purchase::default()).expect("there is enough");
    let one = get(&sandbox, &format!("/exports/stock/{id}")).await.json();
    let request = &one["stockRequest"];
    assert_eq!(request["status"], "finished");
    assert!(begins(&request["finishedAt"], "2026-03-02 13:03:"));
    let url = request["url"].as_str().expect("a URL");
    let counted = sandbox.requests_by_day().values().sum::<u64>();
    let file = fetch(&sandbox, url, None).await;
    assert_eq!(file.status, 200);
    assert!(file.header("last-modified").is_some_and(|at| at.starts_with("Mon, 02 Mar 2026 12:03:")));
    let article = &file.json()["article"][0];
    assert_eq!((&article["price"], &article["count"]), (&json!(3.33), &json!(4)), "before the buyer came");
    assert!(article["product"]["idExpansion"].is_number());
    assert_eq!(sandbox.requests_by_day().values().sum::<u64>(), counted, "a file costs nothing");
    assert!(file.header("x-request-limit-count").is_none());
    assert_eq!(fetch(&sandbox, url, Some("OAuth realm=\"x\"")).await.status, 400);
    assert_eq!(fetch(&sandbox, &url.replace("Signature=", "Signature=0"), None).await.status, 403);
    assert_eq!(get(&sandbox, "/exports/stock/1").await.status, 404);
    sandbox.set_offset(TimeDelta::hours(2));
    assert_eq!(fetch(&sandbox, url, None).await.status, 403, "the URL is good for an hour");
    sandbox.set_offset(TimeDelta::hours(25));
    assert_eq!(get(&sandbox, "/exports/stock").await.json(), json!({ "stockExports": [] }));
    assert_eq!(fetch(&sandbox, url, None).await.status, 404);
}

#[tokio::test]
async fn an_export_may_fail_show_an_old_stock_or_only_one_game() {
    let placed = vec![card("box", 250, 4), Placed { product_id: Some(400_001), ..Placed::default() }];
    let sandbox = open(Options { export_delay: Duration::ZERO, placed, ..options() }).await;
    let export = async || {
        assert_eq!(send(&sandbox, "POST", "/exports/stock", "").await.expect("an answer").status, 202);
        get(&sandbox, "/exports/stock").await.json()["stockExports"][0].clone()
    };
    sandbox.fault(Fault::from(FaultKind::FailedExport).next(1));
    let failed = export().await;
    assert_eq!((&failed["status"], &failed["url"]), (&json!("failed"), &json!("")));
    sandbox.fault(Fault::from(FaultKind::StaleExport).next(1));
    sandbox.set_offset(TimeDelta::minutes(10));
    sandbox.buy(&Purchase { count: Some(20), ..Purchase::default() }).expect("there is enough");
    assert!(rows(&sandbox).is_empty());
    let stale = fetch(&sandbox, export().await["url"].as_str().expect("a URL"), None).await;
    assert_eq!(stale.json()["article"].as_array().map(Vec::len), Some(2));
    assert!(stale.header("last-modified").is_some_and(|at| at.starts_with("Mon, 02 Mar 2026 12:00:")));
    let fresh = fetch(&sandbox, export().await["url"].as_str().expect("a URL"), None).await;
    assert_eq!(fresh.json(), json!({ "article": [] }));
    sandbox.with_shop(|shop| {
        shop.place(&card("box", 1, 1), noon()).expect("a product");
        shop.place(&Placed { product_id: Some(400_001), ..Placed::default() }, noon()).expect("a product");
    });
    let mut ask = Ask::new(&sandbox, "/exports/stock");
    (ask.method, ask.query) = ("POST", Some("idGame=6".to_owned()));
    assert_eq!(ask.signed().await.expect("an answer").status, 202);
    let url = get(&sandbox, "/exports/stock").await.json()["stockExports"][0]["url"].clone();
    let one_game = fetch(&sandbox, url.as_str().expect("a URL"), None).await.json();
    assert_eq!(one_game["article"][0]["idProduct"], 400_001);
    assert_eq!(one_game["article"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_simulation_writes_without_a_socket() {
    let (sandbox, row) = four().await;
    let body = request(&[edit(row.id, "5.00", "")]);
    let mut ask = Ask::new(&sandbox, "/stock");
    ask.method = "PUT";
    let authorization = ask.header();
    let url = format!("{}/output.json/stock", sandbox.base_url());
    let call = Call {
        method: "PUT",
        url: &url,
        authorization: Some(&authorization),
        body_type: "application/xml",
        body: body.as_bytes(),
    };
    sandbox.fault(Fault::from(FaultKind::DropAfter).on("/stock").on_writes().next(1));
    let answer = sandbox.with_shop(|shop| ask_with(shop, &call, noon(), 1));
    assert_eq!(answer.delivery, Delivery::HangUp);
    assert_eq!(rows(&sandbox)[0].cents, 500);
    let replayed = sandbox.with_shop(|shop| ask_with(shop, &call, noon(), 1));
    assert_eq!(replayed.status, 401, "a nonce is good once");
    let form = Call { body_type: "application/x-www-form-urlencoded", ..call };
    assert_eq!(sandbox.with_shop(|shop| ask_with(shop, &form, noon(), 1)).status, 417);
}
