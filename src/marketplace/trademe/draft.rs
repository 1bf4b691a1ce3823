//! What a new listing is made from: a template in Trade Me's own words, and what the source says of the item
//! (trademe.md 11.1). Pure.
//!
//! The source has a count, a price and a name; what Trade Me wants to know beyond that (how it is sent, how it is paid,
//! pictures, the text) is the same for many items, and that is what templates are for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{self, Document};
use super::limits::{self, MOST_COPIES};
use crate::domain::{Currency, Desired, Drafting, Facet, Money, Offer, Sku};
use crate::marketplace::Templates;

/// Drafts listings for one account.
#[derive(Clone)]
pub(super) struct Drafts {
    pub templates: Arc<Templates>,
    pub currency: Currency,
}

/// The template of items that name none.
const USUAL: &str = "default";

/// Members that make something else of a listing than one for a fixed price, and why a template may not have them.
const UNFIT: [(&str, &str); 5] = [
    ("StartPrice", "it would be an auction"),
    ("ReservePrice", "it would be an auction"),
    ("IsClassified", "it would be a classified"),
    ("VariantDefinition", "it would be several listings in one"),
    ("EndDateTime", "that day passes; use `Duration`"),
];

/// Members that are set for each listing, and two that Trade Me asks not to send.
const OURS: [&str; 7] = [
    "BuyNowPrice",
    "Quantity",
    "SKU",
    "ExternalReferenceId",
    "ReturnListingDetails",
    "AutoRelistLimit",
    "IsHomepageFeatured",
];

/// The bounds that hold in every category; further ones are asked for before anything is sent.
const LONGEST_TITLE: usize = 80;
const LONGEST_SKU: usize = 50;

/// What a new listing is made from, as it is kept in the attributes of its offer.
#[derive(Serialize, Deserialize)]
struct Draft<R> {
    kind: String,
    request: R,
}

impl Drafting for Drafts {
    fn draft(&self, desired: &Desired) -> Result<Offer, String> {
        let none = BTreeMap::new();
        let details = desired.more.as_ref().map_or(&none, |more| &more.details);
        let said = |name: &str| details.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let price = desired.price.ok_or("the source has no price for it")?;
        self.check(desired, price)?;
        let (name, template) = self.template(said("template"))?;
        let mut request: BTreeMap<&str, Value> =
            template.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        request.retain(|key, value| !OURS.contains(key) && !value.is_null());
        if let Some((member, why)) = UNFIT.iter().find(|(member, _)| request.contains_key(member)) {
            return Err(format!("template `{name}` has `{member}`: {why}"));
        }
        for (column, member) in [("title", "Title"), ("category", "Category")] {
            if let Some(text) = said(column) {
                request.insert(member, text.into());
            }
            match request.get(member) {
                Some(Value::String(text)) if !text.trim().is_empty() => {}
                // A category that was written as a number is meant all the same.
                Some(Value::Number(number)) if number.is_u64() => {
                    let text = number.to_string();
                    request.insert(member, text.into());
                }
                _ => {
                    return Err(format!(
                        "the source has no column for {column}, and template `{name}` has no `{member}`"
                    ));
                }
            }
        }
        let title = request.get("Title").and_then(Value::as_str).unwrap_or_default();
        if title.chars().count() > LONGEST_TITLE {
            return Err(format!("its title is longer than {LONGEST_TITLE} characters"));
        }
        if let Some(text) = request.get("Description").and_then(Value::as_str) {
            // One paragraph may be written without brackets.
            let paragraphs = vec![Value::from(text)];
            request.insert("Description", paragraphs.into());
        }
        if !request.contains_key("Duration") {
            return Err(format!("template `{name}` has no `Duration`; for example  Duration = 7"));
        }
        let draft = Draft { kind: "buy-now".to_owned(), request };
        let attributes = serde_json::to_string(&draft).map_err(|error| error.to_string())?;
        Ok(Offer { quantity: desired.quantity, in_carts: 0, price, attributes })
    }

    /// Never another: Trade Me has no comment, and a listing that stands is worded at Trade Me. What the source says of
    /// title and category is for new listings alone; a category cannot be changed freely, and a title not once a copy
    /// was sold.
    fn redraft(&self, _: &Offer, _: &Desired) -> Result<Option<String>, String> {
        Ok(None)
    }

    fn comment(&self, _: &str) -> String {
        String::new()
    }

    fn obstacle(&self, now: &Offer, to: Facet) -> Option<String> {
        limits::obstacle(&now.attributes, to)
    }
}

impl Drafts {
    fn check(&self, desired: &Desired, price: Money) -> Result<(), String> {
        if price.currency != self.currency {
            return Err(format!(
                "its price is in {}, and the account is in {}",
                price.currency, self.currency
            ));
        }
        if let Some(why) = limits::too_cheap(price) {
            return Err(why);
        }
        if !(1..=MOST_COPIES).contains(&desired.quantity) {
            return Err(format!("a listing has 1 to {MOST_COPIES} copies, not {}", desired.quantity));
        }
        if desired.sku.as_str().chars().count() > LONGEST_SKU {
            return Err(format!("its SKU is longer than {LONGEST_SKU} characters"));
        }
        Ok(())
    }

    fn template(&self, named: Option<&str>) -> Result<(&str, &serde_json::Map<String, Value>), String> {
        let name = named.unwrap_or(USUAL);
        match self.templates.get_key_value(name) {
            Some((name, Value::Object(template))) => Ok((name, template)),
            Some(_) => Err(format!("template `{name}` is no table of Trade Me's members")),
            None if named.is_none() => Err(format!(
                "it names no template and there is none called `{USUAL}`; write templates/{USUAL}.toml, or map a \
                 column to `template`"
            )),
            None => {
                let known: Vec<&str> = self.templates.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(format!("there is no template `{name}` (there is: {known})"))
            }
        }
    }
}

/// The request that makes the listing of a draft. The error says why these attributes are none.
pub(super) fn request(offer: &Offer, sku: &Sku, reference: Option<&str>) -> Result<Document, String> {
    let Ok(Draft { mut request, .. }) = serde_json::from_str::<Draft<Document>>(&offer.attributes) else {
        return Err("it was not made from a template, so that it has to be listed at Trade Me".to_owned());
    };
    request.set("BuyNowPrice", document::amount(offer.price));
    request.set("Quantity", document::number(offer.listed()));
    request.set("SKU", document::text(sku.as_str()));
    if let Some(reference) = reference {
        request.set("ExternalReferenceId", document::text(reference));
        // So that the answer shows what came of it.
        request.set("ReturnListingDetails", document::flag(true));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::DesiredMore;

    fn drafts() -> Drafts {
        let usual = json!({
            "Category": "0004-0370-0560-6853-", "Description": "Ships next working day.", "Duration": 7, "Pickup": 3,
            "ShippingOptions": [{"Type": 4, "Price": 6.1, "Method": "NZ courier"}], "PaymentMethods": [1, 32],
            "PhotoIds": [700_000_001], "Quantity": 99, "AutoRelistLimit": 3, "Subtitle": null,
        });
        let mut auction = usual.clone();
        auction["StartPrice"] = json!(1);
        let bare = json!({"Title": "From the template", "Category": 6_853, "Duration": 7});
        let templates = [("default", usual), ("auction", auction), ("bare", bare), ("text", json!("x"))];
        let templates = templates.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Drafts { templates: Arc::new(templates), currency: Currency::NZD }
    }

    fn desired(details: &[(&str, &str)]) -> Desired {
        let details = details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Desired {
            sku: "WID-BLU".into(),
            quantity: 7,
            price: Some(Money { minor: 2_100, currency: Currency::NZD }),
            more: Some(Box::new(DesiredMore { details, ..DesiredMore::default() })),
            line: 2,
        }
    }

    fn refusal(desired: &Desired) -> String {
        drafts().draft(desired).unwrap_err()
    }

    #[test]
    fn a_draft_is_the_template_with_what_the_source_says_in_it() {
        let offer = drafts().draft(&desired(&[("title", "Blue widget")])).unwrap();
        assert_eq!((offer.quantity, offer.price.minor), (7, 2_100));
        assert_eq!(
            offer.attributes,
            r#"{"kind":"buy-now","request":{"Category":"0004-0370-0560-6853-","Description":["Ships next working day."],"Duration":7,"PaymentMethods":[1,32],"PhotoIds":[700000001],"Pickup":3,"ShippingOptions":[{"Type":4,"Price":6.1,"Method":"NZ courier"}],"Title":"Blue widget"}}"#
        );
        let offer = drafts().draft(&desired(&[("template", "bare"), ("category", "77")])).unwrap();
        assert!(
            offer.attributes.contains(r#""Category":"77""#) && offer.attributes.contains("From the template")
        );
        let offer = drafts().draft(&desired(&[("template", "bare")])).unwrap();
        assert!(offer.attributes.contains(r#""Category":"6853""#));
    }

    #[test]
    fn the_request_of_a_draft_has_the_sellers_keys_and_price_and_copies_of_the_moment() {
        let mut offer = drafts().draft(&desired(&[("template", "bare")])).unwrap();
        offer.quantity = 6;
        let body = request(&offer, &"WID-BLU".into(), Some("p7-12")).unwrap().to_body();
        assert_eq!(
            String::from_utf8(body.bytes.to_vec()).unwrap(),
            r#"{"Category":"6853","Duration":7,"Title":"From the template","BuyNowPrice":21.00,"Quantity":6,"SKU":"WID-BLU","ExternalReferenceId":"p7-12","ReturnListingDetails":true}"#
        );
        offer.attributes = r#"{"kind":"buy-now","ends_at":"2026-01-08T00:00:00.000Z"}"#.to_owned();
        assert!(request(&offer, &"WID-BLU".into(), None).unwrap_err().contains("template"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let titled = [("title", "x")];
        assert!(refusal(&desired(&[])).contains("no column for title"));
        assert!(refusal(&desired(&[("title", " ")])).contains("no column for title"));
        let unknown = refusal(&desired(&[("template", "books")]));
        assert_eq!(unknown, "there is no template `books` (there is: auction, bare, default, text)");
        assert!(refusal(&desired(&[("template", "text")])).contains("no table"));
        assert!(refusal(&desired(&[("template", "auction"), titled[0]])).contains("auction"));
        assert!(refusal(&desired(&[("title", &"x".repeat(81))])).contains("80 characters"));
        let none = Drafts { templates: Arc::default(), currency: Currency::NZD };
        assert!(none.draft(&desired(&titled)).unwrap_err().contains("write templates/default.toml"));
        let changed = |change: fn(&mut Desired)| {
            let mut desired = desired(&[("title", "x")]);
            change(&mut desired);
            refusal(&desired)
        };
        assert!(changed(|d| d.price = None).contains("no price"));
        assert!(changed(|d| d.quantity = 0).contains("1 to 1000 copies"));
        assert!(changed(|d| d.quantity = 1_001).contains("1 to 1000 copies"));
        assert!(changed(|d| d.sku = "s".repeat(51).as_str().into()).contains("SKU"));
        assert!(changed(|d| d.price = Some(Money { minor: 49, currency: Currency::NZD })).contains("0.50"));
        assert!(changed(|d| d.price = Some(Money { minor: 49, currency: Currency::EUR })).contains("EUR"));
    }
}
