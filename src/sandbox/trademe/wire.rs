//! Listings, sales, the account and errors as the marketplace writes them.

use chrono::{DateTime, Utc};

use super::json::{Json, Style};
use super::route::Format;
use super::{How, Listing, Member, Paid, Question, Sale, Selling, Shop, State, judging, words};
use crate::sandbox::answer::Answer;
use crate::sandbox::spoiled::JSON_TYPE;

/// The seller's number.
const SELLER_ID: i64 = 4_000_042;

/// Which list a listing is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Live.
    Selling,
    /// Closed unsold.
    Unsold,
    /// As part of a sale: without its quantity.
    Sold,
}

/// Writes the members that all lists share; a row that is `broken` cannot be read, in one of three ways.
pub fn item(
    json: &mut Json,
    shop: &Shop,
    row: &Listing,
    view: View,
    now: DateTime<Utc>,
    broken: Option<usize>,
) {
    let (_, mcat, name, path) = words::CATEGORIES[row.category % words::CATEGORIES.len()];
    match broken.map(|way| way % 3).filter(|_| view != View::Sold) {
        Some(0) => {}
        Some(1) => json.raw("ListingId", "{\"oops\":true}"),
        _ => json.number("ListingId", row.id),
    }
    json.text("Title", &row.title);
    json.text("Category", mcat);
    json.text("CategoryPath", path);
    json.text("CategoryName", name);
    if let Selling::Auction { start_cents, reserve_cents, .. } = row.selling {
        json.money("StartPrice", start_cents);
        json.money("ReservePrice", reserve_cents.unwrap_or(0));
        json.money("MaxBidAmount", row.bids().last().map_or(0, |bid| bid.cents));
    } else {
        json.money("StartPrice", 0_u64);
    }
    match broken.map(|way| way % 3).filter(|_| view != View::Sold) {
        Some(2) => json.text("BuyNowPrice", "abc"),
        _ => json.money("BuyNowPrice", row.buy_now_cents().unwrap_or(0)),
    }
    json.date("StartDate", Some(row.start));
    json.date("EndDate", Some(row.end));
    json.null("ListingLength");
    json.date("AsAt", Some(now));
    let photo = Some(row.photo_id()).filter(|photo| *photo != 0);
    json.number("PhotoId", photo.unwrap_or_default());
    let picture = photo.map(|photo| format!("https://trademe.tmcdn.co.nz/photoserver/thumb/{photo}.jpg"));
    json.text_or_null("PictureHref", picture.as_deref());
    json.number("BidCount", row.bids().len() as i64);
    json.number("ViewCount", row.views);
    json.number("BidderAndWatchers", row.watchers);
    let questions = shop.questions.iter().filter(|question| question.listing_id == row.id).count();
    json.number("UnansweredQuestionCount", questions as i64);
    json.flag("IsFeatured", row.rest.flag("IsFeatured"));
    json.flag("IsBold", row.rest.flag("IsBold"));
    json.flag("HasReserve", row.reserve_met().is_some());
    json.flag("IsReserveMet", row.reserve_met() == Some(true));
    json.flag("HasBuyNow", row.buy_now_cents().is_some());
    json.flag("IsBuyNowOnly", row.quantity().is_some());
    json.flag("IsClassified", false);
    json.flag("IsClearance", false);
    json.code("ReserveState", reserve_state(row));
    if view != View::Sold {
        json.number("Quantity", row.quantity().unwrap_or(0));
    }
    json.text("PriceDisplay", &price_display(row));
    json.text_or_null("SKU", row.sku.as_deref());
    let reference = Some(row.rest.text("ExternalReferenceId")).filter(|reference| !reference.is_empty());
    json.text_or_null("ExternalReferenceId", reference);
    if view == View::Unsold {
        unsold(json, shop, row, now);
    }
}

fn unsold(json: &mut Json, shop: &Shop, row: &Listing, now: DateTime<Utc>) {
    let is_withdrawn = shop.state(row, now) == State::Withdrawn;
    json.number("RelistedItemId", 0);
    json.null("OfferIsActive");
    json.flag("IsWithdrawn", is_withdrawn);
    json.number("QuantityUnsold", row.quantity().filter(|left| *left > 1).unwrap_or(0));
    json.flag("CanMakeOffer", !is_withdrawn && row.quantity().is_none());
    json.flag("CanRelist", !is_withdrawn);
}

fn reserve_state(row: &Listing) -> i64 {
    match (row.quantity(), row.reserve_met()) {
        (Some(_), _) => 3,
        (None, None) => 0,
        (None, Some(true)) => 1,
        (None, Some(false)) => 2,
    }
}

fn dollars(cents: impl Into<u64>) -> String {
    let cents = cents.into();
    format!("${}.{:02}", cents / 100, cents % 100)
}

fn price_display(row: &Listing) -> String {
    match &row.selling {
        Selling::BuyNow { cents, .. } => format!("{} per item", dollars(*cents)),
        Selling::Auction { start_cents, bids, .. } => {
            dollars(bids.last().map_or(*start_cents, |top| top.cents))
        }
    }
}

/// Writes a sale; one that is `broken` cannot be read, in one of three ways.
pub fn sold(json: &mut Json, shop: &Shop, sale: &Sale, now: DateTime<Utc>, broken: Option<usize>) {
    if let Some(listing) = shop.listing(sale.listing_id) {
        item(json, shop, listing, View::Sold, now, None);
    }
    match broken.map(|way| way % 3) {
        Some(0) => {}
        Some(1) => json.raw("PurchaseId", "[\"oops\"]"),
        _ => json.number("PurchaseId", sale.id),
    }
    json.text("ReferenceNumber", &format!("P{}", sale.id));
    match sale.order_id {
        Some(order) => json.number("OrderId", order),
        None => json.null("OrderId"),
    }
    json.date("SoldDate", Some(sale.at));
    json.text("SoldType", if sale.how == How::Auction { "Auction" } else { "Buy now" });
    json.number("OfferId", 0);
    json.number("InvoiceId", 0);
    json.number("QuantitySold", sale.quantity);
    match broken.map(|way| way % 3) {
        Some(2) => json.text("Price", "abc"),
        _ => json.money("Price", sale.cents),
    }
    json.money("SalePrice", sale.subtotal_cents());
    money_and_shipping(json, sale);
    json.money("SuccessFees", sale.success_fee_cents());
    json.flag("HasSellerPlaceFeedback", false);
    json.flag("HasBuyerPlaceFeedback", false);
    people_and_payment(json, shop, sale, now);
    json.number("RelistedItemId", 0);
    json.text_or_null("Note", None);
    json.list::<()>("TrackedParcels", &[], |_, _, ()| {});
}

fn money_and_shipping(json: &mut Json, sale: &Sale) {
    json.money("SubtotalPrice", sale.subtotal_cents());
    let selected = match sale.shipping_cents {
        0 => "Free shipping within New Zealand".to_owned(),
        cents => format!("{} NZ courier", dollars(cents)),
    };
    json.text("SelectedShipping", &selected);
    json.code("ShippingType", if sale.shipping_cents == 0 { 3 } else { 4 });
    json.flag("IsFlatShippingCharge", sale.flat_shipping);
    json.money("ShippingPrice", sale.shipping_cents);
    json.money("TotalShippingPrice", sale.total_shipping_cents());
    json.money("TotalSalePrice", sale.total_cents());
}

fn people_and_payment(json: &mut Json, shop: &Shop, sale: &Sale, now: DateTime<Utc>) {
    let buyer = &shop.buyers[sale.buyer % shop.buyers.len()];
    json.nested("Buyer", |json| member(json, buyer));
    if sale.has_address(now) {
        json.nested("DeliveryAddress", |json| address(json, buyer));
        let (street, suburb, town, postcode) = &buyer.address;
        json.text(
            "BuyerDeliveryAddress",
            &format!("{}\r\n{street}\r\n{suburb}\r\n{town} {postcode}", buyer.name),
        );
    } else {
        json.null("DeliveryAddress");
        json.text_or_null("BuyerDeliveryAddress", None);
    }
    json.text_or_null("MessageFromBuyer", None);
    json.code("Status", sale.status.number());
    json.date("StatusDate", sale.status_at);
    json.code("PaymentMethod", sale.payment.by.map_or(0, |by| by.number()));
    let paid = sale.paid(now);
    json.flag("IsPayNowPurchase", false);
    json.flag("IsPaymentPending", paid == Paid::Pending);
    match (paid, sale.payment.by) {
        (Paid::Pending | Paid::Yes, Some(by)) => json.nested("PaymentDetails", |json| {
            json.flag("IsPaymentPending", paid == Paid::Pending);
            json.code("PaymentType", by.number());
            json.money("PaymentAmount", sale.total_cents());
            json.money("PaymentMethodFee", sale.total_cents() * 195 / 10_000);
            let refunds: Vec<_> = sale.payment.refunded.into_iter().collect();
            json.list("RefundCollection", &refunds, |json, _, (cents, at)| {
                json.money("Amount", *cents);
                json.text("Destination", "Ping balance");
                json.date("Date", Some(*at));
            });
            json.money("GstCollected", 0_u64);
            json.code("PingEscrowStatus", 0);
        }),
        _ => json.null("PaymentDetails"),
    }
}

/// Writes somebody, with number 0 and stars if all are masked.
pub fn member(json: &mut Json, member: &Member) {
    let is_masked = json.style().masked;
    json.number("MemberId", if is_masked { 0 } else { member.id });
    json.text("Nickname", if is_masked { "s**********r" } else { &member.nickname });
    json.number("FeedbackCount", member.feedback);
    json.flag("IsAddressVerified", member.feedback > 5);
    json.flag("IsAuthenticated", true);
    json.flag("IsInTrade", false);
    json.text_or_null("Email", None);
}

fn address(json: &mut Json, buyer: &Member) {
    let (street, suburb, town, postcode) = &buyer.address;
    json.text("Name", &buyer.name);
    json.text("Address1", street);
    json.text_or_null("Address2", None);
    json.text("Suburb", suburb);
    json.text("City", town);
    json.text("Postcode", postcode);
    json.text("Country", "New Zealand");
    json.text("PhoneNumber", "0200000000");
}

/// Writes what a listing's own page adds to its row. `sales` are those that can be seen; the seller is shown more.
pub fn details(
    json: &mut Json,
    shop: &Shop,
    row: &Listing,
    sales: &[&Sale],
    is_seller: bool,
    now: DateTime<Utc>,
) {
    item(json, shop, row, if is_seller { View::Selling } else { View::Sold }, now, None);
    json.text("Body", &row.rest.texts("Description").join("\r\n"));
    json.code("AllowsPickups", row.rest.number("Pickup").unwrap_or_default());
    json.list("ShippingOptions", &row.rest.shipping(), |json, _, way| way.write(json));
    json.list("PaymentMethods", &row.rest.numbers("PaymentMethods"), |json, _, id| {
        json.number("Id", *id);
        json.text("Name", &format!("Method {id}"));
    });
    json.list("Photos", &row.rest.numbers("PhotoIds"), |json, _, photo| {
        json.number("Key", *photo);
        json.nested("Value", |json| json.number("PhotoId", *photo));
    });
    json.nested("Member", |json| {
        json.number("MemberId", SELLER_ID);
        json.text("Nickname", "demo-shop");
        json.flag("IsInTrade", true);
    });
    let left = row.quantity().unwrap_or(1);
    json.text("AvailableToBuy", &if left > 10 { "10+".to_owned() } else { left.to_string() });
    json.flag("HasMultiple", left > 1);
    json.flag("IsFlatShippingCharge", row.flat_shipping);
    json.money("MinimumNextBidAmount", row.next_bid_cents().unwrap_or(0));
    json.flag("WithdrawnBySeller", row.withdrawn.is_some());
    json.code("ListingPlatform", 1);
    json.list("Sales", sales, |json, _, sale| {
        json.number("PurchaseId", sale.id);
        json.text("ReferenceNumber", &sale.id.to_string());
        json.date("SoldDate", Some(sale.at));
        json.code("Method", if sale.how == How::Auction { 0 } else { 1 });
        json.number("QuantitySold", sale.quantity);
        json.money("Price", sale.cents);
        money_and_shipping(json, sale);
        json.flag("DeliveryDetailsSent", sale.has_address(now));
        match sale.order_id {
            Some(order) => json.number("OrderId", order),
            None => json.null("OrderId"),
        }
        people_and_payment(json, shop, sale, now);
    });
}

/// Writes a listing in the shape in which it would be sent back to be changed.
pub fn edit_form(json: &mut Json, row: &Listing) {
    json.number("ListingId", row.id);
    row.document().write(json);
    json.date("StartDate", Some(row.start));
    json.money("RequiredMinimumReserve", judging::required_reserve(row).unwrap_or_default());
    let names: Vec<String> = judging::immutable(row).into_iter().map(|name| format!("\"{name}\"")).collect();
    json.raws("ImmutableFields", &names);
    json.raws("AvailablePromotions", &[]);
}

/// Writes an unanswered question.
pub fn question(json: &mut Json, shop: &Shop, question: &Question) {
    json.number("ListingId", question.listing_id);
    json.number("ListingQuestionId", question.id);
    json.text("Comment", &question.text);
    json.date("CommentDate", Some(question.at));
    json.text("Answer", "");
    json.date("AnswerDate", Some(DateTime::UNIX_EPOCH));
    json.flag("IsSellerComment", false);
    json.nested("AskingMember", |json| member(json, &shop.buyers[question.asker % shop.buyers.len()]));
}

/// Writes the account: the seller's, or that of somebody else who logged in.
pub fn summary(json: &mut Json, shop: &Shop, other: bool, now: DateTime<Utc>) {
    let listed = shop.options.sold_lag;
    let count = |state: fn(State) -> bool| {
        shop.as_listed(now).filter(|row| state(shop.state(row, now))).count() as i64
    };
    let selling = count(|state| matches!(state, State::Active | State::Closing));
    json.number("MemberId", if other { SELLER_ID + 1 } else { SELLER_ID });
    json.text("Nickname", if other { super::tokens::OTHER } else { "demo-shop" });
    json.text("FirstName", "Sam");
    json.text("LastName", "Seller-Canary");
    json.text("Email", "seller-canary@shop.invalid");
    json.flag("IsBusiness", true);
    json.text("BusinessName", "Pretend Cards (sandbox)");
    json.flag("IsInTrade", true);
    json.flag("IsTopSeller", false);
    json.date("DateJoined", DateTime::from_timestamp(1_427_842_800, 0));
    json.number("SellingCount", selling);
    json.number("SoldCount", shop.sales.iter().filter(|sale| sale.is_visible(now, listed)).count() as i64);
    json.number("UnsoldCount", count(|state| matches!(state, State::Unsold | State::Withdrawn)));
    json.number("WonCount", 0);
    json.number("WatchListCount", 0);
    json.number("PositiveFeedback", 1_204);
    json.number("NegativeFeedback", 3);
    json.number("TotalFeedback", 1_201);
    json.money("Balance", shop.balance_cents);
    json.money("PayNowBalance", 0_u64);
    json.flag("AutoBillingEnabled", false);
    json.code("PayNowStatus", 1);
    json.number("HighVolumeListingCount", selling);
    json.number("HighVolumeThreshold", shop.options.prices.high_volume_threshold as i64);
    json.flag("CanListClearanceItems", false);
    json.nested("DraftSummary", |json| {
        json.number("DraftCount", 0);
        json.number("DraftLimit", 100);
    });
    json.code("TradevineAccountType", 0);
}

/// An error in the form that the caller chose.
pub fn error(url: &str, format: Format, status: u16, description: &str) -> Answer {
    match format {
        Format::Json => {
            let body = Json::object(Style::default(), |json| {
                json.text("Request", url);
                json.text("ErrorDescription", description);
            });
            Answer::new(status, JSON_TYPE, body)
        }
        Format::Xml => {
            let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let body = format!(
                "<ErrorResult xmlns=\"http://api.trademe.co.nz/v1\" \
                 xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><Request>{}</Request>\
                 <ErrorDescription>{}</ErrorDescription></ErrorResult>",
                escape(url),
                escape(description)
            );
            Answer::new(status, "text/xml; charset=utf-8", body)
        }
    }
}
