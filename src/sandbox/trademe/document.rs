//! A listing as its seller writes it: the body of `Selling`, `Selling/Edit` and their quotes, and what
//! `Selling/Listings/{id}` shows to be changed and sent back.
//!
//! One table says which members there are and of what type, so that reading, writing and comparing cannot differ.
//! A member with the value of its type is the same as none: that is how an edit wipes what it leaves out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::json::Json;

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Dollars on the wire, whole cents in here.
    Money,
    Number,
    /// A number of an enumeration.
    Code,
    Flag,
    /// `\/Date(ms)\/` on the wire, milliseconds in here.
    Date,
    Texts,
    Numbers,
    /// A list of objects of which `Price` is money.
    Shipping,
    /// Kept as it came.
    Other,
}

/// The members, in the order in which they are written.
const FIELDS: [(&str, Kind); 58] = [
    ("Category", Kind::Text),
    ("SecondCategory", Kind::Text),
    ("Title", Kind::Text),
    ("Subtitle", Kind::Text),
    ("Description", Kind::Texts),
    ("ShortDescription", Kind::Text),
    ("StartPrice", Kind::Money),
    ("ReservePrice", Kind::Money),
    ("BuyNowPrice", Kind::Money),
    ("WasPrice", Kind::Money),
    ("IsClearance", Kind::Flag),
    ("Duration", Kind::Number),
    ("EndDateTime", Kind::Date),
    ("Quantity", Kind::Number),
    ("IsFlatShippingCharge", Kind::Flag),
    ("Pickup", Kind::Code),
    ("PickupSuburbId", Kind::Number),
    ("ShippingOptions", Kind::Shipping),
    ("ShippingTemplateId", Kind::Number),
    ("ShippingCalculatorInputs", Kind::Other),
    ("PaymentMethods", Kind::Numbers),
    ("OtherPaymentMethod", Kind::Text),
    ("SendPaymentInstructions", Kind::Flag),
    ("PhotoIds", Kind::Numbers),
    ("Attributes", Kind::Other),
    ("ProductSpecification", Kind::Other),
    ("SKU", Kind::Text),
    ("ExternalReferenceId", Kind::Text),
    ("IsBrandNew", Kind::Flag),
    ("AuthenticatedMembersOnly", Kind::Flag),
    ("IsClassified", Kind::Flag),
    ("IsOrNearOffer", Kind::Flag),
    ("IsBold", Kind::Flag),
    ("IsFeatured", Kind::Flag),
    ("HasGallery", Kind::Flag),
    ("HasGalleryPlus", Kind::Flag),
    ("IsHighlighted", Kind::Flag),
    ("HasSuperFeature", Kind::Flag),
    ("PromotionId", Kind::Number),
    ("PremiumPackageCode", Kind::Text),
    ("ListingExtras", Kind::Other),
    ("IsCounterOffersAllowed", Kind::Flag),
    ("MaximumOffers", Kind::Number),
    ("HasAgreedWithLegalNotice", Kind::Flag),
    ("DonationRecipient", Kind::Code),
    ("ExcludeFromShippingPromotion", Kind::Flag),
    ("VariantDefinition", Kind::Other),
    ("EmbeddedContent", Kind::Other),
    ("GeographicLocation", Kind::Other),
    ("OpenHomes", Kind::Other),
    ("Contacts", Kind::Other),
    ("IsPriceOnApplication", Kind::Flag),
    ("HomePhoneNumber", Kind::Text),
    ("MobilePhoneNumber", Kind::Text),
    ("CatalogueId", Kind::Number),
    ("AdditionalData", Kind::Other),
    ("IsBranded", Kind::Flag),
    ("HasGoodFor2Relists", Kind::Flag),
];

/// A listing as its seller writes it. Only members with a value are in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    members: BTreeMap<&'static str, Value>,
}

/// One way of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipping {
    /// Number of the way's type.
    pub kind: i64,
    /// What it costs.
    pub cents: u32,
    /// What people call it.
    pub method: String,
}

impl Document {
    /// Reads the members that are known. What is not known is not looked at; what has a wrong type is an error that
    /// names the member.
    pub fn read(body: &Map<String, Value>) -> Result<Self, String> {
        let mut members = BTreeMap::new();
        for (name, kind) in FIELDS {
            let Some(value) = body.get(name).filter(|value| !value.is_null()) else { continue };
            let value = normal(kind, value).ok_or_else(|| format!("The value of {name} cannot be read"))?;
            members.insert(name, value);
        }
        let mut document = Self { members };
        document.members.retain(|name, value| !is_nothing(name, value));
        Ok(document)
    }

    /// The same with another value of one member; nothing takes the member out.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        debug_assert!(FIELDS.iter().any(|(known, _)| *known == name), "{name}");
        let value = value.into();
        if value.is_null() || is_nothing(name, &value) {
            self.members.remove(name);
        } else {
            self.members.insert(name, value);
        }
        self
    }

    /// The same with these ways of sending.
    pub fn with_shipping(self, ways: &[Shipping]) -> Self {
        let way = |way: &Shipping| serde_json::json!({ "Type": way.kind, "Price": way.cents, "Method": way.method });
        self.with("ShippingOptions", ways.iter().map(way).collect::<Vec<_>>())
    }

    /// A text; none is empty.
    pub fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A whole number, an amount in cents or a time in milliseconds.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.members.get(name)?.as_i64()
    }

    /// An amount; none and what is no price at all is nothing.
    pub fn cents(&self, name: &str) -> Option<u32> {
        self.number(name).and_then(|cents| u32::try_from(cents).ok())
    }

    /// A date.
    pub fn date(&self, name: &str) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.number(name)?)
    }

    /// A flag; none is not set.
    pub fn flag(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().filter_map(Value::as_str).collect()
    }

    /// A list of numbers.
    pub fn numbers(&self, name: &str) -> Vec<i64> {
        self.list(name).iter().filter_map(Value::as_i64).collect()
    }

    /// The ways of sending.
    pub fn shipping(&self) -> Vec<Shipping> {
        let way = |way: &Value| Shipping {
            kind: way["Type"].as_i64().unwrap_or_default(),
            cents: way["Price"].as_u64().and_then(|cents| u32::try_from(cents).ok()).unwrap_or_default(),
            method: way["Method"].as_str().unwrap_or_default().to_owned(),
        };
        self.list("ShippingOptions").iter().map(way).collect()
    }

    /// The value of an attribute of the category.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let attributes = self.members.get("Attributes")?.as_array()?;
        attributes.iter().find(|one| one["Name"] == name)?["Value"].as_str()
    }

    /// Whether a member has a value.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The members that are not the same in both, in the order of the table.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let differs = |name: &&'static str| self.members.get(name) != other.members.get(name);
        names().filter(differs).collect()
    }

    /// Writes all members, those without a value as the marketplace does: mostly not.
    pub fn write(&self, json: &mut Json) {
        for (name, kind) in FIELDS {
            let value = self.members.get(name);
            match (kind, value) {
                // Whoever sends a number of copies back, be it none, asks for another kind of listing.
                (Kind::Other | Kind::Date, None) => json.null(name),
                (Kind::Number, None) if name == "Quantity" => json.null(name),
                (Kind::Text, _) => json.text_or_null(name, value.and_then(Value::as_str)),
                (Kind::Money, _) => json.money(name, self.cents(name).unwrap_or_default()),
                (Kind::Number, _) => json.number(name, self.number(name).unwrap_or_default()),
                (Kind::Code, _) => json.code(name, self.number(name).unwrap_or_default()),
                (Kind::Flag, _) => json.flag(name, self.flag(name)),
                (Kind::Date, _) => json.date(name, self.date(name)),
                (Kind::Shipping, _) => json.list(name, &self.shipping(), |json, _, way| way.write(json)),
                (Kind::Texts | Kind::Numbers, _) => {
                    json.raws(name, &self.list(name).iter().map(slashed).collect::<Vec<_>>());
                }
                (Kind::Other, Some(value)) => json.raw(name, &slashed(value)),
            }
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        self.members.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

impl Shipping {
    /// Writes it.
    pub fn write(&self, json: &mut Json) {
        json.code("Type", self.kind);
        json.money("Price", self.cents);
        json.text("Method", &self.method);
    }
}

/// The names of all members.
pub fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter().map(|(name, _)| name)
}

/// A value as it is kept; `None` if it is not of its kind.
fn normal(kind: Kind, value: &Value) -> Option<Value> {
    let all = |is_one: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(is_one));
    Some(match kind {
        Kind::Text if value.is_string() => value.clone(),
        Kind::Number | Kind::Code if value.is_i64() => value.clone(),
        Kind::Flag if value.is_boolean() => value.clone(),
        Kind::Texts if all(Value::is_string) => value.clone(),
        Kind::Numbers if all(Value::is_i64) => value.clone(),
        Kind::Other if value.is_object() || value.is_array() => value.clone(),
        Kind::Money => cents(value)?.into(),
        Kind::Date => {
            let ms = value.as_str()?.strip_prefix("/Date(")?.strip_suffix(")/")?;
            ms.parse::<i64>().ok()?.into()
        }
        Kind::Shipping => {
            let ways = value.as_array()?.iter().map(|way| {
                let way = way.as_object()?;
                let kind = way.get("Type").filter(|kind| !kind.is_null()).map_or(Some(0), Value::as_i64)?;
                let price = way.get("Price").filter(|price| !price.is_null()).map_or(Some(0), cents)?;
                let method =
                    way.get("Method").filter(|name| !name.is_null()).map_or(Some(""), Value::as_str)?;
                Some(serde_json::json!({ "Type": kind, "Price": price, "Method": method }))
            });
            ways.collect::<Option<Vec<_>>>()?.into()
        }
        _ => return None,
    })
}

/// Whole cents; an amount with parts of a cent is none.
fn cents(value: &Value) -> Option<i64> {
    let cents = value.as_f64()? * 100.0;
    let whole = cents.round();
    ((cents - whole).abs() < 1e-6 && whole.abs() < 1e12).then_some(whole as i64)
}

fn is_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        // Setting it at all makes a listing one of copies.
        Value::Number(number) => number.as_i64() == Some(0) && name != "Quantity",
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    }
}

/// JSON with the marketplace's escaped slashes.
fn slashed(value: &Value) -> String {
    // A slash stands only in texts, and nothing before it in them is an open escape.
    value.to_string().replace('/', "\\/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::json::Style;
    use super::*;

    fn read(body: Value) -> Result<Document, String> {
        Document::read(body.as_object().expect("an object"))
    }

    #[test]
    fn what_has_no_value_is_not_there_but_for_the_copies() {
        let nothing =
            json!({"Title": "", "IsBold": false, "BuyNowPrice": 0, "PhotoIds": [], "SKU": null, "Odd": 1});
        assert_eq!(read(nothing), Ok(Document::default()));
        assert_eq!(read(json!({"Quantity": 0})).map(|read| read.number("Quantity")), Ok(Some(0)));
        assert_eq!(read(json!({"Quantity": null})).map(|read| read.number("Quantity")), Ok(None));
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        for (name, value) in [
            ("Title", json!(5)),
            ("Duration", json!("Seven")),
            ("BuyNowPrice", json!("21.00")),
            ("BuyNowPrice", json!(21.005)),
            ("PhotoIds", json!(["1"])),
            ("PaymentMethods", json!([{"Id": 1}])),
            ("EndDateTime", json!("2026-03-02")),
            ("ShippingOptions", json!([{"Type": "Free"}])),
            ("IsBold", json!(1)),
        ] {
            let mut body = Map::new();
            body.insert(name.to_owned(), value);
            let error = Document::read(&body).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_reads_back_as_the_same(
            title in "\\PC{0,20}", price in 0_i64..1_000_000, shipping in 0_u32..10_000, quantity in proptest::option::of(0_i64..2_000),
            omit in any::<bool>(), salt in any::<u64>(),
        ) {
            let document = Document::default()
                .with("Title", title.clone())
                .with("BuyNowPrice", price)
                .with("Quantity", quantity)
                .with("EndDateTime", price * 1_000)
                .with("Description", vec![title.clone(), "a/b\\/\r\n\"".to_owned()])
                .with("Attributes", json!([{"Name": "Size", "Value": title}]))
                .with_shipping(&[Shipping { kind: 4, cents: shipping, method: "Post/courier".to_owned() }]);
            let written = Json::object(Style { omit, salt, ..Style::default() }, |json| document.write(json));
            let body: Value = serde_json::from_slice(&written).expect("JSON");
            prop_assert_eq!(read(body), Ok(document));
        }
    }
}
