//! The shapes of Cardmarket's answers (cardmarket.md 6.3, 9 and 10), and what they mean in our words.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::article::Attributes;
use crate::domain::{
    Complaint, Currency, Extent, LineId, Listing, ListingId, Money, Order, OrderId, OrderLine, OrderRead,
    OrderState,
};
use crate::http::WireResponse;
use crate::marketplace::Identity;
use crate::marketplace::json::{self, Raw};

/// Any answer: the members we read, and those that say that it is an error whatever its status.
#[derive(Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub article: Raw<'a>,
    #[serde(borrow)]
    pub order: Raw<'a>,
    #[serde(borrow)]
    pub account: Raw<'a>,
    #[serde(borrow)]
    mkm_error_description: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
}

impl Body<'_> {
    /// What the marketplace says went wrong, in its own words.
    pub fn error(&self) -> Option<String> {
        fault(self.mkm_error_description, self.error)
    }
}

/// What went wrong, from the two members in which any answer may say it.
pub(super) fn fault(mkm_error_description: Raw<'_>, error: Raw<'_>) -> Option<String> {
    json::words(mkm_error_description).or_else(|| json::words(error))
}

/// What Cardmarket answers with a 400 while a service is switched off (cardmarket.md 6.3). These are all the words that are
/// known of it; a text that is localised is a declined request like any other.
const SWITCHED_OFF: [&str; 2] = ["Service currently not available", "This feature is currently unavailable"];

/// Whether an answer says that a service is switched off for a while, and in which words.
pub(super) fn maintenance(response: &WireResponse) -> Option<&'static str> {
    if response.status != 400 {
        return None;
    }
    let said = serde_json::from_slice::<Body<'_>>(&response.body).ok()?.error()?.to_lowercase();
    SWITCHED_OFF.into_iter().find(|words| said.contains(&words.to_lowercase()))
}

#[derive(Deserialize)]
struct AccountBody<'a> {
    #[serde(borrow, rename = "idUser")]
    id_user: Raw<'a>,
    #[serde(borrow)]
    username: Raw<'a>,
}

/// Who the account is. Everything else in it is personal and stays unread.
pub(super) fn identity(row: &RawValue) -> Result<Identity, String> {
    let account: AccountBody<'_> = json::object(row)?;
    Ok(Identity {
        name: json::words(account.username).ok_or("`username` is missing")?,
        id: json::number(account.id_user, "idUser")?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Article<'a> {
    #[serde(borrow)]
    id_article: Raw<'a>,
    #[serde(borrow)]
    id_product: Raw<'a>,
    #[serde(borrow)]
    language: Raw<'a>,
    #[serde(borrow)]
    comments: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    currency_code: Raw<'a>,
    #[serde(borrow)]
    count: Raw<'a>,
    #[serde(borrow)]
    in_shopping_cart: Raw<'a>,
    #[serde(borrow)]
    product: Raw<'a>,
    #[serde(borrow)]
    condition: Raw<'a>,
    #[serde(borrow)]
    is_foil: Raw<'a>,
    #[serde(borrow)]
    is_reverse_holo: Raw<'a>,
    #[serde(borrow)]
    is_signed: Raw<'a>,
    #[serde(borrow)]
    is_altered: Raw<'a>,
    #[serde(borrow)]
    is_first_ed: Raw<'a>,
    #[serde(borrow)]
    is_playset: Raw<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Language<'a> {
    #[serde(borrow, default)]
    id_language: Raw<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Product<'a> {
    #[serde(borrow, default)]
    id_game: Raw<'a>,
    #[serde(borrow, default)]
    en_name: Raw<'a>,
    #[serde(borrow, default)]
    expansion: Raw<'a>,
    #[serde(borrow, default)]
    nr: Raw<'a>,
    #[serde(borrow, default)]
    rarity: Raw<'a>,
}

/// An article as a listing. `currency` is the account's, for rows that do not name one.
pub(super) fn listing(row: &RawValue, currency: Currency) -> Result<Listing, String> {
    own_article(row, currency).map(OwnArticle::listing)
}

/// An article of the account's own stock.
pub(super) struct OwnArticle {
    pub id: ListingId,
    pub title: String,
    pub quantity: i64,
    pub price: Money,
    pub attributes: Attributes,
    /// Whether its copies lie in a buyer's cart.
    pub in_cart: bool,
}

impl OwnArticle {
    /// The same as a listing.
    pub fn listing(self) -> Listing {
        Listing {
            id: self.id,
            sku: self.attributes.sku(),
            title: self.title,
            quantity: self.quantity,
            price: self.price,
            attributes: self.attributes.text(),
        }
    }
}

/// An article with all that is read of it.
pub(super) fn own_article(row: &RawValue, currency: Currency) -> Result<OwnArticle, String> {
    let article: Article<'_> = json::object(row)?;
    let id = json::number(article.id_article, "idArticle")?;
    let named = |problem: String| format!("article {id}: {problem}");
    let product_id = json::number(article.id_product, "idProduct").map_err(named)?;
    let quantity =
        json::number(article.count, "count").and_then(|n| json::copies(n, "count")).map_err(named)?;
    let price =
        json::money(article.price, "price", currency_of(article.currency_code, currency).map_err(named)?)
            .map_err(named)?;
    if price.minor < 0 {
        return Err(named("`price` is negative".to_owned()));
    }

    let language: Language<'_> = part(article.language);
    let product: Product<'_> = part(article.product);
    let attributes = Attributes {
        altered: json::flag(article.is_altered),
        comment: json::words(article.comments),
        condition: json::words(article.condition),
        expansion: json::words(product.expansion),
        first_edition: json::flag(article.is_first_ed),
        // Which of the two a game has depends on the game; they never occur together (cardmarket.md 10.8).
        foil: either(json::flag(article.is_foil), json::flag(article.is_reverse_holo)),
        game: json::optional_number(product.id_game),
        language: json::optional_number(language.id_language),
        number: json::words(product.nr),
        playset: json::flag(article.is_playset).filter(|set| *set),
        product_id,
        rarity: json::words(product.rarity),
        signed: json::flag(article.is_signed),
    };
    Ok(OwnArticle {
        id: ListingId(id),
        title: title(json::words(product.en_name), attributes.expansion.as_deref(), product_id),
        quantity,
        price,
        attributes,
        in_cart: json::flag(article.in_shopping_cart) == Some(true),
    })
}

/// A member that is an object; one that is missing or something else reads as an empty one.
fn part<'a, T: Deserialize<'a> + Default>(raw: Raw<'a>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn either(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) => Some(a || b),
    }
}

fn currency_of(code: Raw<'_>, account: Currency) -> Result<Currency, String> {
    match json::words(code) {
        Some(code) => code.parse(),
        None => Ok(account),
    }
}

fn title(name: Option<String>, expansion: Option<&str>, product_id: i64) -> String {
    match (name, expansion) {
        (Some(name), Some(expansion)) => format!("{name} ({expansion})"),
        (Some(name), None) => name,
        (None, _) => format!("product {product_id}"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderBody<'a> {
    #[serde(borrow)]
    id_order: Raw<'a>,
    #[serde(borrow)]
    state: Raw<'a>,
    #[serde(borrow)]
    tracking_number: Raw<'a>,
    #[serde(borrow)]
    total_value: Raw<'a>,
    #[serde(borrow)]
    currency_code: Raw<'a>,
    #[serde(borrow)]
    article: Raw<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StateBody<'a> {
    #[serde(borrow, default)]
    state: Raw<'a>,
    #[serde(borrow, default)]
    date_bought: Raw<'a>,
    #[serde(borrow, default)]
    date_paid: Raw<'a>,
}

/// An order. Lines that cannot be read are complaints; an order without number, state or total is none.
pub(super) fn order(row: &RawValue, currency: Currency) -> Result<OrderRead, String> {
    let body: OrderBody<'_> = json::object(row)?;
    let id = json::number(body.id_order, "idOrder")?;
    let named = |problem: String| format!("order {id}: {problem}");
    let state: StateBody<'_> = part(body.state);
    let name = json::words(state.state).ok_or_else(|| named("`state` is missing".to_owned()))?;
    let currency = currency_of(body.currency_code, currency).map_err(named)?;
    let total = json::money(body.total_value, "totalValue", currency).map_err(named)?;
    let articles = match body.article {
        Some(list) => json::rows(list).map_err(|problem| named(format!("`article`: {problem}")))?,
        None => Vec::new(),
    };
    let (listings, mut complaints) =
        json::read_rows(articles, &format!("order {id}"), |row| listing(row, currency));
    let lines = lines(listings);
    if lines.is_empty() && complaints.is_empty() {
        complaints.push(Complaint { place: format!("order {id}"), problem: "it has no articles".to_owned() });
    }
    let order = Order {
        id: OrderId(id),
        state: order_state(&name),
        placed_at: json::instant(state.date_bought),
        paid_at: json::instant(state.date_paid),
        total,
        tracking_number: json::words(body.tracking_number),
        lines,
    };
    Ok(OrderRead { order, complaints, extent: Extent::Whole })
}

/// Our word for the entity's own state (cardmarket.md 9.7): `evaluated` is received with a verdict.
fn order_state(name: &str) -> OrderState {
    match name {
        "evaluated" => OrderState::Received,
        "canceled" => OrderState::Cancelled,
        other => OrderState::from_name(other),
    }
}

/// A line an article. The same article twice in one order is one line of both.
fn lines(listings: Vec<Listing>) -> Vec<OrderLine> {
    let mut lines: Vec<OrderLine> = Vec::with_capacity(listings.len());
    for listing in listings {
        match lines.iter_mut().find(|line| line.listing_id == listing.id) {
            Some(line) => line.quantity += listing.quantity,
            None => lines.push(OrderLine {
                id: LineId(listing.id.0),
                sku: listing.sku,
                listing_id: listing.id,
                title: listing.title,
                quantity: listing.quantity,
                unit_price: listing.price,
            }),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::marketplace::testing::any_json;

    fn raw(value: serde_json::Value) -> Box<RawValue> {
        RawValue::from_string(value.to_string()).unwrap()
    }

    fn article() -> serde_json::Value {
        serde_json::json!({
            "idArticle": 5_123_456_789_i64, "idProduct": "100569", "language": {"idLanguage": "1"},
            "comments": "shelf A12 & boxed", "price": 2.5, "count": 4, "condition": "NM",
            "isFoil": false, "isSigned": "true", "isAltered": 0,
            "product": {"idGame": 1, "enName": "Absol ", "expansion": "Alpha", "nr": "1", "rarity": "Rare "},
        })
    }

    fn sku(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut article = article();
        change(&mut article);
        listing(&raw(article), Currency::EUR).unwrap().sku.0
    }

    #[test]
    fn an_article_is_read_whatever_its_numbers_are_written_as() {
        let listing = listing(&raw(article()), Currency::EUR).unwrap();
        assert_eq!(listing.id, ListingId(5_123_456_789));
        assert_eq!(listing.price, Money { minor: 250, currency: Currency::EUR });
        assert_eq!(listing.title, "Absol (Alpha)");
        assert_eq!(
            listing.attributes,
            r#"{"altered":false,"comment":"shelf A12 & boxed","condition":"NM","expansion":"Alpha","foil":false,"game":1,"language":1,"number":"1","product_id":100569,"rarity":"Rare","signed":true}"#
        );
    }

    #[test]
    fn the_sku_is_the_tag_else_the_natural_key() {
        assert_eq!(sku(|_| ()), "cm:100569:1:NM:s:shelf A12 & boxed");
        assert_eq!(sku(|a| a["comments"] = "".into()), "cm:100569:1:NM:s");
        assert_eq!(sku(|a| a["comments"] = "box 3 [sku:MH3-0117-EN]".into()), "MH3-0117-EN");
        let plain = |a: &mut serde_json::Value| {
            a["comments"] = serde_json::Value::Null;
            a["isSigned"] = false.into();
        };
        assert_eq!(sku(plain), "cm:100569:1:NM:-");
        let holo = |a: &mut serde_json::Value| {
            plain(a);
            a.as_object_mut().unwrap().remove("isFoil");
            a["isReverseHolo"] = true.into();
            a["isFirstEd"] = true.into();
        };
        assert_eq!(sku(holo), "cm:100569:1:NM:fp");
    }

    #[test]
    fn money_and_ids_are_read_strictly() {
        let broken = |key: &str, value: serde_json::Value| {
            let mut article = article();
            article[key] = value;
            listing(&raw(article), Currency::EUR).unwrap_err()
        };
        assert!(broken("price", "abc".into()).contains("`price`"));
        assert!(broken("price", 2.345.into()).contains("more than two decimals"));
        assert!(broken("idArticle", serde_json::Value::Null).contains("`idArticle` is missing"));
        assert!(broken("count", (-1).into()).contains("negative"));
        assert!(broken("count", i64::MAX.into()).contains("more than any shop has"));
        assert!(broken("currencyCode", "Euro".into()).contains("no currency"));
    }

    #[test]
    fn only_a_400_that_says_so_is_maintenance() {
        let of = |status, body: &str| {
            maintenance(&WireResponse { status, body: body.as_bytes().to_vec(), ..WireResponse::default() })
        };
        let said = |words: &str| format!(r#"{{"mkm_error_description":"{words}","http_status_code":400}}"#);
        let off = said("Service currently not available");
        assert_eq!(of(400, &off), Some("Service currently not available"));
        assert!(of(400, &said("This feature is currently unavailable.")).is_some());
        assert!(of(400, r#"{"error":"SERVICE CURRENTLY NOT AVAILABLE"}"#).is_some());
        for (status, body) in
            [(200, off.as_str()), (404, &off), (400, &said("Too many articles")), (400, ""), (400, "[]")]
        {
            assert_eq!(of(status, body), None, "{status} {body}");
        }
    }

    #[test]
    fn an_order_keeps_the_lines_that_can_be_read() {
        let mut bad = article();
        bad["price"] = "free".into();
        let body = serde_json::json!({
            "idOrder": 23_817_396, "state": {"state": "paid", "dateBought": "2026-02-04T08:21:31+0100"},
            "totalValue": "1.86", "currencyCode": "EUR", "article": [article(), bad],
        });
        let read = order(&raw(body), Currency::EUR).unwrap();
        assert_eq!(read.order.state, OrderState::Paid);
        assert_eq!(read.order.total.minor, 186);
        assert_eq!(read.order.lines.len(), 1);
        assert_eq!(read.complaints.len(), 1);
    }

    #[test]
    fn a_state_nobody_knows_is_kept() {
        assert_eq!(order_state("frozen"), OrderState::Other("frozen".to_owned()));
        assert_eq!(order_state("evaluated"), OrderState::Received);
    }

    proptest! {
        #[test]
        fn whatever_a_member_turns_into_nothing_panics(index in 0_usize..12, value in any_json()) {
            let mut body = article();
            let key = body.as_object().unwrap().keys().nth(index % 11).unwrap().clone();
            body[key] = value.clone();
            let _ = listing(&raw(body.clone()), Currency::EUR);
            let _ = order(&raw(serde_json::json!({"idOrder": 1, "state": value, "totalValue": 1, "article": body})), Currency::EUR);
            let _ = identity(&raw(value));
        }
    }
}
