//! The five calls that change the stock. Each article of a request succeeds or fails by itself, always with status
//! 200; only a request that cannot be read as a whole is 400.

use chrono::{DateTime, TimeDelta, Utc};

use super::body::{self, Item};
use super::catalogue::{MAGIC, POKEMON, Product};
use super::changing::are_alike;
use super::effects::{By, Cause, Deed};
use super::json::Json;
use super::route::Route;
use super::stock::{CONDITIONS, LANGUAGES};
use super::wire::{self, View};
use super::{Article, Comment, Flags, Shop};
use crate::sandbox::answer::{Answer, Delivery};
use crate::sandbox::faults;
use crate::sandbox::request::Request;

/// The lowest price of one copy, in cents.
const LEAST: u32 = 2;
const NOT_LISTED: &str = "An error has ocurred, the card has NOT been listed.";
const NO_ARTICLE: &str = "Invalid Article";

/// A request that can be read.
#[derive(Debug, Clone)]
pub struct Write {
    deed: Deed,
    items: Vec<Item>,
    /// Places of articles that are refused without a reason.
    refused: Vec<usize>,
    by: By,
}

/// What became of one article of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It reads like this now.
    Done(Article),
    /// It reads like that already.
    Unchanged,
    /// Not done, and why, if the marketplace says so.
    Refused(&'static str),
    /// There is no such article.
    Unknown,
}

impl Shop {
    /// Answers a write that passed every check. One that a fault makes late is carried out by [`Shop::settle`].
    pub(super) fn write(
        &mut self,
        request: &Request<'_>,
        route: Route<'_>,
        deed: Deed,
        effects: &faults::Effects,
        now: DateTime<Utc>,
    ) -> Answer {
        let items = match body::items(request.body) {
            Ok(items) => items,
            Err(why) => return self.error(route, 400, why),
        };
        if matches!(deed, Deed::Increase | Deed::Decrease) && items.iter().any(|item| amount(item).is_none())
        {
            return self.error(route, 400, "The amount of an article is a whole number from 1.");
        }
        let mut places: Vec<usize> = (0..items.len()).collect();
        self.chance.shuffle(&mut places);
        let refused = places.iter().take(effects.reject_items).copied().collect();
        let write = Write { deed, items, refused, by: By::Request(self.ledger.total() + 1) };
        if let Some(span) = effects.late {
            let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
            self.late.push((now.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC), write));
            return Answer { delivery: Delivery::HangUp, ..Answer::empty(200) };
        }
        let mut outcomes = self.carry_out(&write, now);
        if effects.shuffle_items {
            self.chance.shuffle(&mut outcomes);
        }
        self.tell(&write, &outcomes)
    }

    /// Carries a write out at `at` and says what became of each article, with its place in the request.
    pub(super) fn carry_out(&mut self, write: &Write, at: DateTime<Utc>) -> Vec<(usize, Outcome)> {
        let cause = Cause { by: write.by, at };
        let mut outcomes = Vec::with_capacity(write.items.len());
        for (place, item) in write.items.iter().enumerate() {
            let outcome = match write.deed {
                _ if write.refused.contains(&place) => Outcome::Refused(NOT_LISTED),
                Deed::Add => self.add(item, cause),
                Deed::Edit => self.edit(item, cause),
                Deed::Remove => self.remove(item, cause),
                Deed::Increase | Deed::Decrease => self.move_count(write.deed, item, cause),
            };
            outcomes.push((place, outcome));
        }
        self.stock.sweep();
        outcomes
    }

    fn add(&mut self, item: &Item, cause: Cause) -> Outcome {
        let place = item.number("idProduct").and_then(|id| self.catalogue.place_of(id));
        let count = item.number("count").filter(|count| *count > 0);
        let (Some(product), Some(count)) = (place, count) else { return Outcome::Refused(NOT_LISTED) };
        let blank = Article {
            id: 0,
            edited: 0,
            product,
            cents: 0,
            count,
            comment: Comment::None,
            language: 1,
            condition: 1,
            flags: Flags::default(),
        };
        match self.dressed(item, blank) {
            Ok(article) => self.put_up(article, cause).map_or(Outcome::Refused(NOT_LISTED), Outcome::Done),
            Err("") => Outcome::Refused(NOT_LISTED),
            Err(why) => Outcome::Refused(why),
        }
    }

    fn edit(&mut self, item: &Item, cause: Cause) -> Outcome {
        let row = item.number("idArticle").and_then(|id| self.stock.find(id)).copied();
        let Some(row) = row else { return Outcome::Unknown };
        let copies = match item.get("count") {
            None => Some(row.count),
            Some(_) => item.number("count").filter(|count| *count > 0),
        };
        let Some(copies) = copies else { return Outcome::Refused("") };
        match self.dressed(item, row) {
            Ok(to) if are_alike(&row, &to, self.catalogue.at(row.product)) => Outcome::Unchanged,
            Ok(to) => self.change(row.id, copies, to, cause).map_or(Outcome::Unknown, Outcome::Done),
            Err(why) => Outcome::Refused(why),
        }
    }

    fn remove(&mut self, item: &Item, cause: Cause) -> Outcome {
        let row = item.number("idArticle").and_then(|id| self.stock.find(id)).copied();
        let Some(row) = row else { return Outcome::Refused(NO_ARTICLE) };
        let left =
            item.number("count").filter(|count| *count > 0).and_then(|count| row.count.checked_sub(count));
        let left = left.and_then(|left| self.recount(row.id, left, Deed::Remove, cause));
        left.map_or(Outcome::Refused("Invalid Amount"), Outcome::Done)
    }

    fn move_count(&mut self, deed: Deed, item: &Item, cause: Cause) -> Outcome {
        let row = item.number("idArticle").and_then(|id| self.stock.find(id)).copied();
        let (Some(row), Some(amount)) = (row, amount(item)) else { return Outcome::Refused(NO_ARTICLE) };
        let most = self.rules.most_copies;
        let (count, why) = if deed == Deed::Increase {
            let count = row.count.checked_add(amount).filter(|count| *count <= most);
            (count, "You have reached the maximum number of copies.")
        } else {
            (row.count.checked_sub(amount), "Invalid Amount")
        };
        count
            .and_then(|count| self.recount(row.id, count, deed, cause))
            .map_or(Outcome::Refused(why), Outcome::Done)
    }

    /// `base` as the request wants it to read. What the request leaves out is not what it was before: there is no
    /// comment then, no flag, and language and condition are the ordinary ones.
    fn dressed(&self, item: &Item, base: Article) -> Result<Article, &'static str> {
        let product = self.catalogue.at(base.product);
        let cents = item.cents().ok_or("")?;
        if cents < LEAST {
            return Err(self.price_too_low());
        }
        if item.get("isPlayset").is_some_and(|text| text != "false") {
            return Err("");
        }
        let language = item.get("idLanguage").map_or(Some(1), |_| item.number("idLanguage"));
        let language =
            language.filter(|language| (1..=LANGUAGES.len() as u8).contains(language)).ok_or("")?;
        let condition = item.get("condition").unwrap_or("NM");
        let condition = CONDITIONS.iter().position(|known| *known == condition);
        let (condition, flags) = match product.print {
            Some(_) => (condition.ok_or("")? as u8, flags(item, product)),
            // Nobody sees these on a sealed product, whatever is sent.
            None => (base.condition, base.flags),
        };
        let text = item.get("comments").unwrap_or_default();
        let comment = if base.comment.text() == text { base.comment } else { Comment::of(text) };
        Ok(Article { cents, language, condition, flags, comment, ..base })
    }

    fn price_too_low(&self) -> &'static str {
        match self.rules.display_language {
            3 => "Der Preis muss mindestens 0,02 € betragen.",
            _ => "The minimum price is 0,02 €.",
        }
    }

    fn tell(&self, write: &Write, outcomes: &[(usize, Outcome)]) -> Answer {
        let done: Vec<(usize, Article)> = outcomes
            .iter()
            .filter_map(|(place, outcome)| match outcome {
                Outcome::Done(article) => Some((*place, *article)),
                _ => None,
            })
            .collect();
        let failed: Vec<(usize, Outcome)> = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Unchanged | Outcome::Refused(_)))
            .copied()
            .collect();
        let articles = |json: &mut Json, key: &str| {
            json.list(key, &done, |json, _, (_, article)| {
                wire::article(json, &self.catalogue, article, View::Stock, None);
            });
        };
        self.json(|shop, json| match write.deed {
            Deed::Add => json.list("inserted", outcomes, |json, _, (place, outcome)| match outcome {
                Outcome::Done(article) => {
                    json.flag("success", true);
                    json.nested("idArticle", |json| {
                        wire::article(json, &shop.catalogue, article, View::Stock, None);
                    });
                }
                _ => refusal(json, write, *place, *outcome),
            }),
            Deed::Edit => {
                articles(json, "updatedArticles");
                json.list("notUpdatedArticles", &failed, |json, _, (place, outcome)| {
                    refusal(json, write, *place, *outcome);
                });
            }
            Deed::Remove => json.list("deleted", outcomes, |json, _, (place, outcome)| {
                let item = &write.items[*place];
                json.text("idArticle", item.get("idArticle").unwrap_or_default());
                json.text("count", item.get("count").unwrap_or_default());
                json.flag("success", matches!(outcome, Outcome::Done(_)));
                if let Outcome::Refused(why) = outcome {
                    json.text("message", why);
                }
            }),
            Deed::Increase | Deed::Decrease => {
                articles(json, "article");
                json.list("failed", &failed, |json, _, (place, outcome)| {
                    refusal(json, write, *place, *outcome)
                });
            }
        })
    }
}

fn refusal(json: &mut Json, write: &Write, place: usize, outcome: Outcome) {
    let item = &write.items[place];
    json.flag("success", false);
    json.nested("tried", |json| match write.deed {
        Deed::Edit => {
            json.text("idArticle", item.get("idArticle").unwrap_or_default());
            json.text("idProduct", "0");
            for name in ["idLanguage", "comments", "price", "condition"] {
                json.text(name, item.get(name).unwrap_or_default());
            }
            for name in ["isFoil", "isSigned", "isAltered"] {
                json.flag(name, item.flag(name));
            }
        }
        _ => {
            for (name, text) in &item.fields {
                json.text(name, text);
            }
            if let (Deed::Add, Some(count)) = (write.deed, item.get("count")) {
                json.text("amount", count);
            }
        }
    });
    if let Outcome::Refused(why) = outcome
        && !why.is_empty()
    {
        json.text("error", why);
    }
}

/// By how much a quantity is to change. The table of the documentation calls it `count`, its examples `amount`.
fn amount(item: &Item) -> Option<u32> {
    let name = if item.get("amount").is_some() { "amount" } else { "count" };
    item.number(name).filter(|amount| *amount > 0)
}

/// The flags that were sent, as far as the product's game knows them.
fn flags(item: &Item, product: &Product) -> Flags {
    let shiny = match product.game {
        MAGIC => item.flag("isFoil"),
        POKEMON => item.flag("isReverseHolo"),
        _ => false,
    };
    let first_edition = product.game == POKEMON && item.flag("isFirstEd");
    Flags { shiny, signed: item.flag("isSigned"), altered: item.flag("isAltered"), first_edition }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::options::Options;
    use super::*;
    use crate::clock::SystemClock;

    fn item(fields: &[(&str, String)]) -> Item {
        Item { fields: fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect() }
    }

    /// A deed by number, on articles that may be there or not.
    fn write(shop: &Shop, deed: u8, picks: &[(usize, u8, u8)]) -> Write {
        let deeds = [Deed::Add, Deed::Edit, Deed::Remove, Deed::Increase, Deed::Decrease];
        let rows = shop.stock().rows();
        let of = |pick: usize| rows.get(pick % (rows.len() + 1)).map_or(7, |row| row.id);
        let items = picks.iter().map(|&(pick, number, cents)| {
            item(&[
                ("idArticle", of(pick).to_string()),
                ("idProduct", (100_000 + u32::from(number)).to_string()),
                ("count", number.to_string()),
                ("amount", number.to_string()),
                ("price", format!("0.{cents:02}")),
                ("comments", if cents % 2 == 0 { String::new() } else { format!("<{cents}>") }),
            ])
        });
        let (items, refused, by) = (items.collect(), Vec::new(), By::Hand);
        Write { deed: deeds[usize::from(deed) % deeds.len()], items, refused, by }
    }

    fn copies(shop: &Shop) -> i64 {
        shop.stock().rows().iter().map(|row| i64::from(row.count)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_book_of_effects_explains_every_copy(
            seed in any::<u64>(),
            reassign in 0_u8..=2,
            writes in proptest::collection::vec(
                (0_u8..5, proptest::collection::vec((0_usize..20, 1_u8..5, 0_u8..6), 1..6)), 1..8),
        ) {
            let clock = SystemClock::shared();
            let options = Options {
                seed, articles: 9, orders: 0, reassign_ids: f64::from(reassign) / 2.0, most_copies: 26,
                ..Options::new(clock)
            };
            let now = DateTime::UNIX_EPOCH;
            let mut shop = Shop::new(&options, now);
            let mut expected = copies(&shop);
            for (deed, picks) in writes {
                let written = shop.effects.total();
                let before = shop.stock().rows().to_vec();
                let write = write(&shop, deed, &picks);
                let outcomes = shop.carry_out(&write, now);
                prop_assert_eq!(outcomes.len(), picks.len());
                let done = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Done(_))).count();
                prop_assert_eq!(shop.effects.total() - written, done as u64, "one effect for each success");
                for effect in shop.effects.all().skip(written as usize) {
                    let sign = match effect.deed {
                        Deed::Add | Deed::Increase => 1,
                        Deed::Remove | Deed::Decrease => -1,
                        Deed::Edit => 0,
                    };
                    expected += sign * i64::from(effect.copies);
                }
                prop_assert_eq!(copies(&shop), expected);
                let rows = shop.stock().rows();
                prop_assert!(rows.is_sorted_by(|one, other| one.id < other.id));
                prop_assert!(rows.iter().all(|row| row.count > 0 && row.cents >= LEAST && row.count <= 26));
                if done == 0 {
                    prop_assert_eq!(rows, before);
                }
            }
        }
    }
}
