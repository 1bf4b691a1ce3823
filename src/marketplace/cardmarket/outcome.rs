//! What the answer to a write says became of each item (cardmarket.md 9.4). Pure.
//!
//! Nothing in these answers names the item that it is about, except for the number of an article that may have
//! another one now. So a row belongs to an item when its content does and no other item's does: the order is known to
//! have been wrong, as were counts and the echo of what was tried (cardmarket.md 11.1, Q28). Whatever fits badly is
//! unclear and is read again, which costs a request; to take it for done could cost a card.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::article::as_read;
use super::request::Sent;
use super::wire::{self, OwnArticle};
use crate::domain::{Currency, ListingId};
use crate::marketplace::json::{self, Raw};
use crate::marketplace::{ItemOutcome, Step};

/// An answer to any write.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    #[serde(borrow)]
    inserted: Raw<'a>,
    #[serde(borrow)]
    updated_articles: Raw<'a>,
    #[serde(borrow)]
    not_updated_articles: Raw<'a>,
    #[serde(borrow)]
    deleted: Raw<'a>,
    #[serde(borrow)]
    article: Raw<'a>,
    #[serde(borrow)]
    failed: Raw<'a>,
    #[serde(borrow, rename = "mkm_error_description")]
    mkm_error_description: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
}

impl Written<'_> {
    /// What the marketplace says went wrong with the whole request.
    pub fn error(&self) -> Option<String> {
        wire::fault(self.mkm_error_description, self.error)
    }

    /// What became of each item. The error says why the answer is none to this step.
    pub fn outcomes(
        &self,
        step: Step,
        items: &[Sent],
        currency: Currency,
    ) -> Result<Vec<ItemOutcome>, String> {
        let verdicts = match step {
            Step::Add => {
                let [rows] = lists([self.inserted], "inserted")?;
                inserted(items, &rows, currency)
            }
            Step::Edit => {
                let [updated, not] =
                    lists([self.updated_articles, self.not_updated_articles], "updatedArticles")?;
                updated_or_not(items, &updated, &not, currency)
            }
            Step::Lower | Step::Raise => {
                let [moved, failed] = lists([self.article, self.failed], "article")?;
                moved_or_failed(step, items, &moved, &failed)
            }
            Step::Remove => {
                let [rows] = lists([self.deleted], "deleted")?;
                deleted(items, &rows)
            }
        };
        Ok(verdicts.settled())
    }
}

/// The rows of lists, of which at least one must be there: an answer without any is an answer to something else.
fn lists<'a, const N: usize>(lists: [Raw<'a>; N], name: &str) -> Result<[Vec<&'a RawValue>; N], String> {
    if lists.iter().all(Option::is_none) {
        return Err(format!("`{name}` is missing in it"));
    }
    let mut all = [const { Vec::new() }; N];
    for (rows, list) in all.iter_mut().zip(lists) {
        *rows = list.map(json::rows).transpose()?.unwrap_or_default();
    }
    Ok(all)
}

/// What the rows say of each item: nothing, one thing, or things that contradict each other.
struct Verdicts(Vec<Vec<ItemOutcome>>);

impl Verdicts {
    fn of(items: &[Sent]) -> Self {
        Self(vec![Vec::new(); items.len()])
    }

    fn add(&mut self, place: usize, outcome: ItemOutcome) {
        self.0[place].push(outcome);
    }

    fn none_yet(&self, place: usize) -> bool {
        self.0[place].is_empty()
    }

    /// One outcome an item: what is said exactly once, and of no two items with the same number.
    fn settled(self) -> Vec<ItemOutcome> {
        let mut outcomes: Vec<ItemOutcome> = self
            .0
            .into_iter()
            .map(|mut said| match said.len() {
                1 => said.remove(0),
                _ => ItemOutcome::Unclear,
            })
            .collect();
        let number = |outcome: &ItemOutcome| match outcome {
            ItemOutcome::Done { listing_id, .. } => *listing_id,
            _ => None,
        };
        let mut uses: HashMap<ListingId, usize> = HashMap::new();
        for id in outcomes.iter().filter_map(number) {
            *uses.entry(id).or_default() += 1;
        }
        for outcome in &mut outcomes {
            if number(outcome).is_some_and(|id| uses[&id] > 1) {
                *outcome = ItemOutcome::Unclear;
            }
        }
        outcomes
    }
}

/// A row of any list but those of articles.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    success: Raw<'a>,
    /// A number, or under `inserted` the article itself.
    #[serde(borrow)]
    id_article: Raw<'a>,
    #[serde(borrow)]
    count: Raw<'a>,
    #[serde(borrow)]
    tried: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
    #[serde(borrow)]
    message: Raw<'a>,
}

impl Row<'_> {
    fn success(&self) -> Option<bool> {
        json::flag(self.success)
    }

    /// Declined in the marketplace's words, which are localised; without any, nobody knows.
    fn declined(&self) -> ItemOutcome {
        match json::words(self.error).or_else(|| json::words(self.message)) {
            Some(words) => ItemOutcome::Refused(words.chars().take(200).collect()),
            None => ItemOutcome::Unclear,
        }
    }

    fn tried(&self) -> Option<Tried<'_>> {
        json::object(self.tried?).ok()
    }

    /// The number of the article that it is about, wherever it stands.
    fn id(&self) -> Option<ListingId> {
        let of_tried = || json::optional_number(self.tried()?.id_article);
        json::optional_number(self.id_article).or_else(of_tried).map(ListingId)
    }
}

/// The echo of what was asked: strings for the most part.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tried<'a> {
    #[serde(borrow)]
    id_article: Raw<'a>,
    #[serde(borrow)]
    id_product: Raw<'a>,
    #[serde(borrow)]
    id_language: Raw<'a>,
    #[serde(borrow)]
    count: Raw<'a>,
    #[serde(borrow)]
    comments: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    condition: Raw<'a>,
    #[serde(borrow)]
    is_foil: Raw<'a>,
    #[serde(borrow)]
    is_signed: Raw<'a>,
    #[serde(borrow)]
    is_altered: Raw<'a>,
    #[serde(borrow)]
    is_first_ed: Raw<'a>,
}

impl Tried<'_> {
    /// Whether nothing that it says is said otherwise by the item. The product is 0 where only the article was named.
    fn fits(&self, item: &Sent, currency: Currency) -> bool {
        let Some((article, price)) = &item.content else { return false };
        let number = |raw: Raw<'_>, ours: Option<i64>| {
            json::optional_number(raw)
                .is_none_or(|theirs| theirs == 0 || ours.is_none_or(|ours| ours == theirs))
        };
        let flag = |raw: Raw<'_>, ours: Option<bool>| {
            json::flag(raw).is_none_or(|theirs| theirs == (ours == Some(true)))
        };
        let condition = json::words(self.condition);
        number(self.id_article, item.id.map(|id| id.0))
            && number(self.id_product, Some(article.product_id))
            && number(self.id_language, article.language)
            && number(self.count, Some(item.copies))
            && json::text(self.comments).is_none_or(|theirs| as_read(&theirs) == as_read(article.comment()))
            && self.price.is_none_or(|raw| json::money(Some(raw), "price", currency).as_ref() == Ok(price))
            && condition.is_none_or(|theirs| article.condition.as_ref().is_none_or(|ours| *ours == theirs))
            && flag(self.is_foil, article.foil)
            && flag(self.is_signed, article.signed)
            && flag(self.is_altered, article.altered)
            && flag(self.is_first_ed, article.first_edition)
    }
}

/// The condition that an article gets for which none was sent (cardmarket.md 10.1).
const DEFAULT_CONDITION: &str = "NM";

/// Whether an article is what an item asked for, its number of copies apart.
fn is(article: &OwnArticle, item: &Sent) -> bool {
    let Some((ours, price)) = &item.content else { return false };
    let theirs = &article.attributes;
    let same_flag = |a: Option<bool>, b: Option<bool>| (a == Some(true)) == (b == Some(true));
    let condition = match (ours.condition.as_deref(), theirs.condition.as_deref()) {
        (Some(ours), Some(theirs)) => ours == theirs,
        (None, theirs) => theirs.is_none_or(|theirs| theirs == DEFAULT_CONDITION),
        (Some(_), None) => false,
    };
    condition
        && article.price == *price
        && theirs.product_id == ours.product_id
        && ours.language.is_none_or(|language| theirs.language == Some(language))
        && theirs.comment() == as_read(ours.comment())
        && same_flag(theirs.foil, ours.foil)
        && same_flag(theirs.signed, ours.signed)
        && same_flag(theirs.altered, ours.altered)
        && same_flag(theirs.first_edition, ours.first_edition)
}

fn done(article: &OwnArticle) -> ItemOutcome {
    ItemOutcome::Done { listing_id: Some(article.id), listed: Some(article.quantity) }
}

/// What became of additions. Two of the same content go into one article, whose count is then of both; they are
/// unclear.
fn inserted(items: &[Sent], rows: &[&RawValue], currency: Currency) -> Verdicts {
    let mut verdicts = Verdicts::of(items);
    for (place, row) in rows.iter().enumerate() {
        let Ok(row) = json::object::<Row<'_>>(row) else { continue };
        let article = row.id_article.and_then(|raw| wire::own_article(raw, currency).ok());
        let (fitting, outcome): (Vec<usize>, ItemOutcome) = match (row.success(), article) {
            (None | Some(true), Some(article)) => {
                let fitting = places(items, |item| is(&article, item));
                let counted = fitting.iter().all(|place| items[*place].copies == article.quantity);
                (fitting, if counted { done(&article) } else { ItemOutcome::Unclear })
            }
            (Some(false), _) => {
                let Some(tried) = row.tried() else { continue };
                let fitting = places(items, |item| tried.fits(item, currency));
                // An echo of less than everything may fit several: then it is about the one in its own place.
                let here = rows.len() == items.len() && fitting.contains(&place);
                (if here { vec![place] } else { fitting }, row.declined())
            }
            _ => continue,
        };
        match fitting[..] {
            [place] => verdicts.add(place, outcome),
            // It is about one of these, and nothing says about which.
            _ => fitting.iter().for_each(|place| verdicts.add(*place, ItemOutcome::Unclear)),
        }
    }
    verdicts
}

fn places(items: &[Sent], fits: impl Fn(&Sent) -> bool) -> Vec<usize> {
    (0..items.len()).filter(|place| fits(&items[*place])).collect()
}

/// What became of edits: by the number where it stayed, else by the content. Items that are the same in everything
/// may be exchanged for each other, if each has its article.
fn updated_or_not(
    items: &[Sent],
    updated: &[&RawValue],
    not_updated: &[&RawValue],
    currency: Currency,
) -> Verdicts {
    let mut verdicts = Verdicts::of(items);
    let mut articles: Vec<OwnArticle> =
        updated.iter().filter_map(|row| wire::own_article(row, currency).ok()).collect();

    articles.retain(|article| {
        let same_number = places(items, |item| item.id == Some(article.id));
        for place in &same_number {
            let as_asked = is(article, &items[*place]) && items[*place].copies == article.quantity;
            verdicts.add(*place, if as_asked { done(article) } else { ItemOutcome::Unclear });
        }
        same_number.is_empty()
    });
    let waiting: Vec<usize> = (0..items.len()).filter(|place| verdicts.none_yet(*place)).collect();
    for &place in &waiting {
        let as_asked =
            |article: &&OwnArticle, item: &Sent| is(article, item) && item.copies == article.quantity;
        let of_this: Vec<&OwnArticle> =
            articles.iter().filter(|article| as_asked(article, &items[place])).collect();
        let Some(first) = of_this.first() else { continue };
        let twins: Vec<usize> =
            waiting.iter().copied().filter(|twin| as_asked(first, &items[*twin])).collect();
        if twins.len() == of_this.len() {
            let nth = twins.iter().position(|twin| *twin == place).unwrap_or_default();
            verdicts.add(place, done(of_this[nth]));
        }
    }

    for row in not_updated {
        let Ok(row) = json::object::<Row<'_>>(row) else { continue };
        let Some(tried) = row.tried() else { continue };
        // Without a reason it may have been as it should be already: the read will tell.
        let about = places(items, |item| item.id.is_some() && item.id == row.id());
        for place in about {
            let outcome =
                if tried.fits(&items[place], currency) { row.declined() } else { ItemOutcome::Unclear };
            verdicts.add(place, outcome);
        }
    }
    verdicts
}

/// What became of changed numbers of copies. A count that differs from the arithmetic is what buyers did meanwhile, as
/// long as it moved in the right direction.
fn moved_or_failed(step: Step, items: &[Sent], moved: &[&RawValue], failed: &[&RawValue]) -> Verdicts {
    let mut verdicts = Verdicts::of(items);
    for row in moved.iter().filter_map(|row| json::object::<Row<'_>>(row).ok()) {
        for place in places(items, |item| item.id.is_some() && item.id == row.id()) {
            let item = &items[place];
            let count = json::optional_number(row.count).filter(|count| match step {
                Step::Lower => (0..item.listed).contains(count),
                _ => *count > item.listed,
            });
            let outcome = count.map_or(ItemOutcome::Unclear, |count| ItemOutcome::Done {
                listing_id: item.id.filter(|_| count > 0),
                listed: Some(count),
            });
            verdicts.add(place, outcome);
        }
    }
    for row in failed.iter().filter_map(|row| json::object::<Row<'_>>(row).ok()) {
        for place in places(items, |item| item.id.is_some() && item.id == row.id()) {
            verdicts.add(place, row.declined());
        }
    }
    verdicts
}

/// What became of removals: numbers and counts come back as strings.
fn deleted(items: &[Sent], rows: &[&RawValue]) -> Verdicts {
    let mut verdicts = Verdicts::of(items);
    for row in rows.iter().filter_map(|row| json::object::<Row<'_>>(row).ok()) {
        for place in places(items, |item| item.id.is_some() && item.id == row.id()) {
            let all = json::optional_number(row.count).is_none_or(|count| count == items[place].copies);
            let outcome = match row.success() {
                Some(true) if all => ItemOutcome::Done { listing_id: None, listed: Some(0) },
                Some(false) => row.declined(),
                _ => ItemOutcome::Unclear,
            };
            verdicts.add(place, outcome);
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::request::tests::{EUR, article, item, offer};
    use super::super::request::{self, sent};
    use super::*;
    use crate::domain::Offer;

    const UNCLEAR: ItemOutcome = ItemOutcome::Unclear;

    fn outcomes(step: Step, items: &[Sent], answer: &Value) -> Vec<ItemOutcome> {
        let text = answer.to_string();
        let written: Written<'_> = serde_json::from_str(&text).unwrap();
        written.outcomes(step, items, EUR).unwrap()
    }

    fn done(id: i64, listed: i64) -> ItemOutcome {
        ItemOutcome::Done { listing_id: Some(ListingId(id)), listed: Some(listed) }
    }

    fn refused(words: &str) -> ItemOutcome {
        ItemOutcome::Refused(words.to_owned())
    }

    fn with_count(comment: &str, count: i64) -> Offer {
        offer(count, 250, &article(comment))
    }

    fn add(comment: &str, count: i64) -> Sent {
        sent(Step::Add, &item(None, None, Some(with_count(comment, count))), EUR).unwrap()
    }

    fn edit(id: i64, comment: &str, count: i64) -> Sent {
        let after =
            Offer { price: crate::domain::Money { minor: 310, currency: EUR }, ..with_count(comment, count) };
        sent(Step::Edit, &item(Some(id), Some(with_count(comment, count)), Some(after)), EUR).unwrap()
    }

    fn moving(step: Step, id: i64, before: i64, after: i64) -> Sent {
        sent(step, &item(Some(id), Some(with_count("", before)), Some(with_count("", after))), EUR).unwrap()
    }

    fn shown(id: i64, comment: &str, price: f64, count: i64) -> Value {
        json!({
            "idArticle": id, "idProduct": 100_569, "language": {"idLanguage": 1, "languageName": "English"},
            "comments": comment, "price": price, "idCurrency": 1, "currencyCode": "EUR", "count": count,
            "inShoppingCart": false, "lastEdited": "2026-02-09T05:09:09+0100",
            "product": {"idGame": 1, "enName": "Example", "expansion": "Alpha", "nr": "1", "rarity": "Rare"},
            "condition": "NM", "isFoil": false, "isSigned": false, "isAltered": false,
        })
    }

    fn added(id: i64, comment: &str, count: i64) -> Value {
        json!({"success": true, "idArticle": shown(id, comment, 2.5, count)})
    }

    fn not_added(comment: &str, count: &str) -> Value {
        let tried = json!({
            "idProduct": "100569", "idLanguage": "1", "count": count, "comments": comment, "price": "2.50",
            "condition": "NM", "isFoil": "false", "amount": count,
        });
        json!({"success": false, "tried": tried, "error": "An error has ocurred, the card has NOT been listed."})
    }

    const NOT_LISTED: &str = "An error has ocurred, the card has NOT been listed.";

    #[test]
    fn additions_are_known_by_what_they_are_whatever_their_order() {
        let items = [add("a & b", 4), add("c", 1), add("d", 2)];
        let rows = [added(11, "a & b", 4), not_added("c", "1"), added(13, "d", 2)];
        let known = [done(11, 4), refused(NOT_LISTED), done(13, 2)];
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let rows: Vec<&Value> = order.iter().map(|place| &rows[*place]).collect();
            assert_eq!(outcomes(Step::Add, &items, &json!({ "inserted": rows })), known);
        }
    }

    #[test]
    fn additions_with_wrong_counts_or_the_echo_of_another_are_unclear() {
        let items = [add("a", 4), add("b", 1)];
        let counts_of_the_last = json!({"inserted": [added(11, "a", 1), added(12, "b", 1)]});
        assert_eq!(outcomes(Step::Add, &items, &counts_of_the_last), [UNCLEAR, done(12, 1)]);
        let wrong_echo = json!({"inserted": [added(11, "a", 4), not_added("a", "4")]});
        assert_eq!(outcomes(Step::Add, &items, &wrong_echo), [UNCLEAR, UNCLEAR]);
        let other_price = json!({"inserted": [{"success": true, "idArticle": shown(11, "a", 2.4, 4)}]});
        assert_eq!(outcomes(Step::Add, &items, &other_price), [UNCLEAR, UNCLEAR]);
        let one_number = json!({"inserted": [added(11, "a", 4), added(11, "b", 1)]});
        assert_eq!(outcomes(Step::Add, &items, &one_number), [UNCLEAR, UNCLEAR]);
    }

    #[test]
    fn additions_that_cannot_be_told_apart_are_unclear() {
        let items = [add("a", 1), add("a", 1), add("b", 1)];
        let answer = json!({"inserted": [added(11, "a", 1), added(11, "a", 2), added(12, "b", 1)]});
        assert_eq!(outcomes(Step::Add, &items, &answer), [UNCLEAR, UNCLEAR, done(12, 1)]);
    }

    #[test]
    fn a_single_row_needs_no_list() {
        let answer = json!({"inserted": added(11, "a", 4)});
        assert_eq!(outcomes(Step::Add, &[add("a", 4)], &answer), [done(11, 4)]);
    }

    #[test]
    fn an_addition_without_a_condition_gets_the_default_one() {
        let no_condition = |default: &str| {
            let bare = super::super::article::Attributes { condition: None, ..article("a") };
            let items = [sent(Step::Add, &item(None, None, Some(offer(1, 250, &bare))), EUR).unwrap()];
            let mut row = added(11, "a", 1);
            row["idArticle"]["condition"] = default.into();
            outcomes(Step::Add, &items, &json!({"inserted": [row]}))
        };
        assert_eq!(no_condition("NM"), [done(11, 1)]);
        assert_eq!(no_condition("PO"), [UNCLEAR]);
    }

    #[test]
    fn edited_articles_are_known_by_what_they_are_and_may_have_other_numbers() {
        let items = [edit(1, "a", 4), edit(2, "b", 1), edit(3, "c", 2)];
        let answer = json!({
            "updatedArticles": [shown(23, "c", 3.1, 2), shown(1, "a", 3.1, 4)],
            "notUpdatedArticles": "",
        });
        assert_eq!(outcomes(Step::Edit, &items, &answer), [done(1, 4), UNCLEAR, done(23, 2)]);
    }

    #[test]
    fn edits_without_effect_are_refused_with_a_reason_and_unclear_without() {
        let tried = |id: &str, comment: &str| {
            json!({
                "idArticle": id, "idProduct": "0", "idLanguage": "1", "comments": comment, "price": "3.10",
                "condition": "NM", "isFoil": false, "isSigned": false, "isAltered": false,
            })
        };
        let items = [edit(1, "a", 4), edit(2, "b", 1), edit(3, "c", 1)];
        let answer = json!({"updatedArticles": [], "notUpdatedArticles": [
            {"success": false, "tried": tried("1", "a"), "error": "Der Mindestpreis ist 0,02 EUR"},
            {"success": false, "tried": tried("2", "b")},
            {"success": false, "tried": tried("3", "something else"), "error": "no"},
        ]});
        assert_eq!(
            outcomes(Step::Edit, &items, &answer),
            [refused("Der Mindestpreis ist 0,02 EUR"), UNCLEAR, UNCLEAR]
        );
    }

    #[test]
    fn edits_that_cannot_be_told_apart_need_an_article_each() {
        let items = [edit(1, "a", 1), edit(2, "a", 1), edit(3, "b", 1)];
        let both = json!({"updatedArticles": [shown(21, "a", 3.1, 1), shown(22, "a", 3.1, 1), shown(23, "b", 3.1, 1)]});
        assert_eq!(outcomes(Step::Edit, &items, &both), [done(21, 1), done(22, 1), done(23, 1)]);
        let one = json!({"updatedArticles": [shown(21, "a", 3.1, 1), shown(23, "b", 3.1, 1)]});
        assert_eq!(outcomes(Step::Edit, &items, &one), [UNCLEAR, UNCLEAR, done(23, 1)]);
        let merged = json!({"updatedArticles": [shown(21, "a", 3.1, 2), shown(21, "a", 3.1, 2)]});
        assert_eq!(outcomes(Step::Edit, &items, &merged), [UNCLEAR; 3]);
    }

    #[test]
    fn changed_counts_are_believed_when_they_moved_the_right_way() {
        let lowered: Vec<Sent> = (1..=5).map(|id| moving(Step::Lower, id, 5, 3)).collect();
        let answer = json!({
            "article": [{"idArticle": 1, "count": 3}, {"idArticle": "2", "count": "2"}, {"idArticle": 3, "count": 5}],
            "failed": [{"idArticle": 4, "error": "too many"}],
        });
        assert_eq!(
            outcomes(Step::Lower, &lowered, &answer),
            [done(1, 3), done(2, 2), UNCLEAR, refused("too many"), UNCLEAR]
        );
        let all = [moving(Step::Lower, 1, 2, 0)];
        let answer = json!({"article": {"idArticle": 1, "count": 0}});
        let gone = ItemOutcome::Done { listing_id: None, listed: Some(0) };
        assert_eq!(outcomes(Step::Lower, &all, &answer), [gone]);
        let raised = [moving(Step::Raise, 1, 2, 4), moving(Step::Raise, 2, 2, 4)];
        let answer = json!({"article": [{"idArticle": 1, "count": 4}, {"idArticle": 2, "count": 3}],
            "failed": [{"tried": {"idArticle": "2"}, "error": "limit"}]});
        assert_eq!(outcomes(Step::Raise, &raised, &answer), [done(1, 4), UNCLEAR]);
    }

    #[test]
    fn removals_are_believed_in_strings() {
        let remove = |id| sent(Step::Remove, &item(Some(id), Some(with_count("", 1)), None), EUR).unwrap();
        let items = [remove(1_488_004_575), remove(285_159_139), remove(3)];
        let answer = json!({"deleted": [
            {"idArticle": "1488004575", "count": "1", "success": true},
            {"idArticle": "285159139", "count": "1", "success": false, "message": "Invalid Article"},
        ]});
        let gone = ItemOutcome::Done { listing_id: None, listed: Some(0) };
        assert_eq!(outcomes(Step::Remove, &items, &answer), [gone, refused("Invalid Article"), UNCLEAR]);
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let written: Written<'_> = serde_json::from_str("{}").unwrap();
        for step in [Step::Lower, Step::Remove, Step::Edit, Step::Raise, Step::Add] {
            assert!(written.outcomes(step, &[add("a", 1)], EUR).is_err(), "{step:?}");
        }
        assert!(request::body(Step::Add, &[]).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_answered_every_item_has_one_outcome(answer in "[\\[\\]{}\",:a-z0-9]{0,40}", row in 0..4_usize) {
            let rows = [added(11, "a", 1), not_added("b", "1"), shown(1, "a", 3.1, 1), json!({"idArticle": [], "tried": 7})];
            let many: Vec<&Value> = std::iter::repeat_n(&rows[row], 3).collect();
            let names = ["inserted", "updatedArticles", "notUpdatedArticles", "deleted", "article", "failed"];
            let body: serde_json::Map<String, Value> = names.iter().map(|name| {
                ((*name).to_owned(), serde_json::from_str(&answer).unwrap_or_else(|_| json!(many)))
            }).collect();
            let text = Value::Object(body).to_string();
            let written: Written<'_> = serde_json::from_str(&text).unwrap();
            for (step, items) in [(Step::Add, [add("a", 1), add("b", 1)]), (Step::Edit, [edit(1, "a", 1), edit(2, "b", 1)])] {
                if let Ok(outcomes) = written.outcomes(step, &items, EUR) {
                    proptest::prop_assert_eq!(outcomes.len(), items.len());
                }
            }
        }
    }
}
