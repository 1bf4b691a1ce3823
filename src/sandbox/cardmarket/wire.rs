//! Articles, orders, the account and errors as the marketplace writes them (its field names, its oddities).

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Berlin;

use super::catalogue::{Catalogue, MAGIC, POKEMON, Product};
use super::json::Json;
use super::route::Format;
use super::stock::{CONDITIONS, LANGUAGES};
use super::{Article, Buyer, Order, OrderState, Shop, Typing};
use crate::sandbox::answer::Answer;
use crate::sandbox::spoiled::JSON_TYPE;

/// `idUser` of the account.
pub const SELLER_ID: i64 = 9_999;

/// Which view of an article is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// For sale.
    Stock,
    /// In a cart.
    Cart,
    /// Sold.
    Order,
    /// For sale, with the product beside it rather than inside.
    Alone,
}

/// Berlin's time with an offset that has no colon.
pub fn berlin(at: DateTime<Utc>) -> String {
    at.with_timezone(&Berlin).format("%Y-%m-%dT%H:%M:%S%z").to_string()
}

/// Writes an article; one that is `broken` cannot be read, in one of three ways.
pub fn article(json: &mut Json, catalogue: &Catalogue, article: &Article, view: View, broken: Option<usize>) {
    let product = catalogue.at(article.product);
    match broken.map(|way| way % 3) {
        Some(0) => {}
        Some(1) => json.raw("idArticle", "{\"oops\":true}"),
        _ => json.number("idArticle", article.id as i64),
    }
    json.number("idProduct", product.id);
    let language = article.language.clamp(1, LANGUAGES.len() as u8);
    json.nested("language", |json| {
        json.number("idLanguage", language);
        json.text("languageName", LANGUAGES[usize::from(language) - 1]);
    });
    let comment = article.comment.text();
    if !(json.is_sparse() && comment.is_empty()) {
        json.text("comments", &comment);
    }
    match broken.map(|way| way % 3) {
        Some(2) => json.text("price", "abc"),
        _ => json.cents("price", article.cents),
    }
    currency(json);
    json.number("count", article.count);
    json.flag("inShoppingCart", view == View::Cart);
    if view != View::Alone {
        json.nested("product", |json| short_product(json, product));
    }
    if view != View::Order && !json.is_sparse() {
        json.text("lastEdited", &berlin(DateTime::from_timestamp(article.edited, 0).unwrap_or_default()));
        json.flag("onSale", true);
    }
    if product.print.is_some() {
        json.text("condition", CONDITIONS[usize::from(article.condition) % CONDITIONS.len()]);
        flags(json, product.game, article);
    }
    if !json.is_sparse() {
        json.list::<()>("links", &[], |_, _, ()| {});
    }
}

fn flags(json: &mut Json, game: u8, article: &Article) {
    let flags = article.flags;
    if game == MAGIC {
        json.flag("isFoil", flags.shiny);
    }
    if game == POKEMON {
        json.flag("isReverseHolo", flags.shiny);
        json.flag("isFirstEd", flags.first_edition);
    }
    json.flag("isSigned", flags.signed);
    json.flag("isAltered", flags.altered);
}

fn short_product(json: &mut Json, product: &Product) {
    json.number("idGame", product.game);
    json.text("enName", &product.name);
    if !json.is_sparse() {
        json.text("locName", &product.name);
        json.text("image", "");
    }
    if let Some(print) = product.print {
        if !json.is_sparse() {
            json.number("idExpansion", print.expansion_id);
            json.text("abbreviation", print.abbreviation);
        }
        json.text("expansion", print.expansion);
        json.text("nr", &print.number.to_string());
        json.number("expIcon", print.expansion_id);
        json.text("rarity", print.rarity);
    } else {
        json.raw("nr", "null");
    }
}

/// Writes the product that stands beside a single article.
pub fn product(json: &mut Json, product: &Product) {
    json.number("idProduct", product.id);
    json.text("enName", &product.name);
    json.text("locName", &product.name);
    json.number("idGame", product.game);
    json.text("gameName", if product.game == POKEMON { "Pokemon" } else { "Magic the Gathering" });
    if let Some(print) = product.print {
        json.text("number", &print.number.to_string());
        json.text("rarity", print.rarity);
        json.nested("expansion", |json| {
            json.number("idExpansion", print.expansion_id);
            json.text("enName", print.expansion);
            json.number("expansionIcon", print.expansion_id);
        });
    }
}

/// Writes an order; one that is `broken` cannot be read, in one of three ways.
pub fn order(json: &mut Json, shop: &Shop, order: &Order, broken: Option<usize>) {
    let buyer = &shop.buyers[order.buyer % shop.buyers.len()];
    match broken.map(|way| way % 3) {
        Some(0) => {}
        Some(1) => json.raw("idOrder", "[\"oops\"]"),
        _ => json.number("idOrder", order.id as i64),
    }
    json.flag("isBuyer", false);
    json.nested("seller", |json| {
        json.number("idUser", SELLER_ID);
        json.text("username", "demo-shop");
    });
    json.nested("buyer", |json| user(json, buyer));
    match broken.map(|way| way % 3) {
        Some(2) => json.number("state", 7),
        _ => json.nested("state", |json| state(json, order)),
    }
    json.nested("shippingMethod", |json| shipping(json, order));
    json.text("trackingNumber", "");
    json.text("temporaryEmail", if order.tracked { "muster-canary@buyers.invalid" } else { "" });
    json.flag("isPresale", false);
    json.nested("shippingAddress", |json| address(json, buyer));
    if !json.is_sparse() {
        json.text("note", "");
    }
    json.number("articleCount", order.copies());
    json.list("article", &order.lines, |json, _, line| {
        article(json, &shop.catalogue, line, View::Order, None)
    });
    if order.state == OrderState::Evaluated {
        json.nested("evaluation", |json| {
            json.number("evaluationGrade", 1);
            json.number("itemDescription", 1);
            json.number("packaging", 1);
            json.text("comment", "all good; thanks & bye");
        });
    }
    json.cents("articleValue", order.article_cents());
    json.cents("totalValue", order.article_cents() + order.shipping_cents());
    currency(json);
}

fn state(json: &mut Json, order: &Order) {
    json.text("state", order.state.word());
    let dates = [
        ("dateBought", Some(order.bought)),
        ("datePaid", order.paid),
        ("dateSent", order.sent),
        ("dateReceived", order.received),
        ("dateCancelled", order.cancelled),
    ];
    for (key, date) in dates {
        if let Some(date) = date {
            json.text(key, &berlin(date));
        }
    }
}

fn shipping(json: &mut Json, order: &Order) {
    json.number("idShippingMethod", if order.tracked { 11_717_111 } else { 11_717_093 });
    json.text("name", if order.tracked { "Parcel" } else { "Letter" });
    json.cents("price", order.shipping_cents());
    currency(json);
    json.flag("isLetter", !order.tracked);
    json.flag("isInsured", order.tracked);
}

fn user(json: &mut Json, buyer: &Buyer) {
    json.number("idUser", buyer.id);
    json.text("username", &buyer.username);
    json.number("isCommercial", 0);
    json.nested("name", |json| {
        json.text("firstName", buyer.first_name);
        json.text("lastName", buyer.last_name);
    });
    json.nested("address", |json| address(json, buyer));
}

fn address(json: &mut Json, buyer: &Buyer) {
    if buyer.address_withheld {
        return;
    }
    let (zip, city, country) = buyer.town;
    json.text("name", &format!("{} {}", buyer.first_name, buyer.last_name));
    match buyer.extra {
        Some(extra) => json.text("extra", extra),
        None => json.raw("extra", "null"),
    }
    json.text("street", &buyer.street);
    json.text("zip", zip);
    json.text("city", city);
    if !json.is_sparse() {
        json.text("country", country);
    }
}

/// Writes the account: the seller's, or that of somebody else who logged in.
pub fn account(json: &mut Json, shop: &Shop, other: bool) {
    json.number("idUser", if other { SELLER_ID + 1 } else { SELLER_ID });
    json.text("username", if other { super::login::OTHER } else { "demo-shop" });
    json.text("country", "D");
    json.number("isCommercial", 1);
    json.flag("maySell", true);
    json.number("sellerActivation", 3);
    json.number("idDisplayLanguage", shop.rules.display_language);
    json.nested("name", |json| {
        json.text("company", "Pretend Cards (sandbox)");
        json.text("firstName", "Sam");
        json.text("lastName", "Seller-Canary");
    });
    json.nested("homeAddress", |json| {
        json.text("name", "Sam Seller-Canary");
        json.raw("extra", "null");
        json.text("street", "Musterweg 1");
        json.text("zip", "00001");
        json.text("city", "Canarystadt");
        json.text("country", "D");
    });
    json.text("email", "seller-canary@shop.invalid");
    json.text("phoneNumber", "");
    json.text("vat", "");
    json.text("registerDate", "2015-04-01T09:00:00+0200");
    json.flag("isActivated", true);
    json.number("reputation", 1);
    json.number("shipsFast", 1);
    json.number("sellCount", shop.orders.len() as i64);
    json.number("soldItems", shop.orders.iter().map(|order| i64::from(order.copies())).sum::<i64>());
    json.flag("onVacation", false);
    json.nested("moneyDetails", |json| {
        json.cents("totalBalance", shop.balance_cents);
        json.cents("moneyBalance", shop.balance_cents);
        json.cents("bonusBalance", 0_u64);
        json.cents("unpaidAmount", 0_u64);
        json.cents("providerRechargeAmount", 0_u64);
        currency(json);
    });
    json.nested("bankAccount", |json| {
        json.text("accountOwner", "Sam Seller-Canary");
        json.text("iban", "XX00 0000 CANARY");
        json.text("bic", "CANARYXX");
        json.text("bankName", "Pretend Bank");
    });
    json.number("articlesInShoppingCart", 0);
    json.number("unreadMessages", 0);
    if !json.is_sparse() {
        json.list::<()>("links", &[], |_, _, ()| {});
    }
}

fn currency(json: &mut Json) {
    if !json.is_sparse() {
        json.number("idCurrency", 1);
        json.text("currencyCode", "EUR");
    }
}

/// An error in the form that the caller chose.
pub fn error(typing: Typing, format: Format, status: u16, description: &str) -> Answer {
    let reason = reason(status);
    match format {
        Format::Json => Answer::new(
            status,
            JSON_TYPE,
            Json::object(typing, |json| {
                json.text("mkm_error_description", description);
                json.raw("internal_error_code", "null");
                json.raw("post_data_field", "null");
                json.number("http_status_code", status);
                json.text("http_status_code_description", reason);
                json.text("rfc2616_description_link", RFC);
            }),
        ),
        Format::Xml => {
            let text = description.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<response><mkm_error_description>{text}\
                 </mkm_error_description><internal_error_code/><post_data_field/><http_status_code>{status}\
                 </http_status_code><http_status_code_description>{reason}</http_status_code_description>\
                 <rfc2616_description_link>{RFC}</rfc2616_description_link></response>\n"
            );
            Answer::new(status, "application/xml; charset=utf-8", body)
        }
    }
}

const RFC: &str = "http://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html";

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        410 => "Gone",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_berlins_with_an_offset_without_colon() {
        let at = |text: &str| berlin(text.parse().expect("a date"));
        assert_eq!(at("2026-01-05T23:30:00Z"), "2026-01-06T00:30:00+0100");
        assert_eq!(at("2026-07-05T23:30:00Z"), "2026-07-06T01:30:00+0200");
    }

    #[test]
    fn errors_come_in_both_forms_and_escape_their_text() {
        let json = error(Typing::default(), Format::Json, 400, "a \"b\" <c>");
        let value: serde_json::Value = serde_json::from_slice(&json.body).expect("JSON");
        assert_eq!(value["mkm_error_description"], "a \"b\" <c>");
        assert_eq!(value["http_status_code"], 400);
        let xml =
            String::from_utf8(error(Typing::default(), Format::Xml, 400, "a & <c>").body).expect("text");
        assert!(xml.contains("<mkm_error_description>a &amp; &lt;c&gt;</mkm_error_description>"), "{xml}");
    }
}
