//! What the read endpoints answer.

use chrono::{DateTime, TimeDelta, Utc};

use super::json::{Json, Style};
use super::login::Who;
use super::pipeline::error;
use super::route::{Format, Resource};
use super::rows::{Window, value};
use super::rules::{self, Found};
use super::wire::{self, View};
use super::{How, Listing, Sale, Selling, Shop, State, words};
use crate::sandbox::answer::Answer;
use crate::sandbox::faults::Effects;
use crate::sandbox::request::Request;
use crate::sandbox::spoiled::JSON_TYPE;

impl Shop {
    /// Answers a read that passed every check.
    pub(super) fn read(
        &mut self,
        request: &Request<'_>,
        resource: Resource<'_>,
        who: &Who,
        effects: &Effects,
        now: DateTime<Utc>,
    ) -> Answer {
        if let Some(insert) = effects.shift {
            self.shift_pages(resource, insert, now);
        }
        let style = self.style(effects);
        let page = Page { shop: self, request, effects, style };
        let refused = |description: String| error(request, Format::Json, 400, &description);
        match resource {
            Resource::Summary => {
                let other = self.grants.iter().any(|grant| grant.token == who.token && grant.other);
                json(style, |json| wire::summary(json, self, other, now))
            }
            Resource::Drafts => page.of::<&Listing>(&[], |_, _, _| {}),
            Resource::Selling(_) if effects.empty_stock => page.of::<&Listing>(&[], |_, _, _| {}),
            Resource::Selling(filter) => match self.selling_rows(filter, now) {
                Some(mut rows) => {
                    let order = value(request.query, "sort_order").unwrap_or_default();
                    if order.eq_ignore_ascii_case("ExpiryDesc") {
                        rows.reverse();
                    }
                    page.of(&rows, |json, broken, row| {
                        wire::item(json, self, row, View::Selling, now, broken)
                    })
                }
                None => refused(format!("{} is not a valid filter", filter.0)),
            },
            Resource::Unsold(filter) => match self.unsold_rows(filter, now) {
                Some(rows) => {
                    page.of(&rows, |json, broken, row| wire::item(json, self, row, View::Unsold, now, broken))
                }
                None => refused(format!("{} is not a valid filter", filter.0)),
            },
            Resource::Sold(filter) => {
                let hidden =
                    value(request.query, "deleted").is_some_and(|value| value.eq_ignore_ascii_case("true"));
                match self.sold_rows(filter, hidden, now) {
                    Some(rows) => {
                        page.of(&rows, |json, broken, sale| wire::sold(json, self, sale, now, broken))
                    }
                    None => refused(format!("{} is not a valid filter", filter.0)),
                }
            }
            Resource::Listing(id) => match self.shown(id, now) {
                Some(row) => json(style, |json| {
                    let sales = self.sales_of(row, who, now);
                    wire::details(json, self, row, &sales, who.is_member(), now);
                }),
                None => refused(format!("Listing {id} was not found")),
            },
            Resource::EditForm(id) => match self.shown(id, now) {
                Some(row) => json(style, |json| wire::edit_form(json, row)),
                None => refused(format!("Listing {id} was not found")),
            },
            Resource::UnansweredQuestions => {
                let is_live = |id| self.live(now).any(|row| row.id == id);
                let asked: Vec<_> = self.questions.iter().filter(|asked| is_live(asked.listing_id)).collect();
                page.of(&asked, |json, _, asked| wire::question(json, self, asked))
            }
            Resource::Statement(filter) => {
                let kind = value(request.query, "type").unwrap_or_default();
                match self.statement_rows(filter, &kind, now) {
                    Some(rows) => page.of(&rows, |json, _, entry| entry.write(json)),
                    None => refused(format!("{} is not a valid filter", filter.0)),
                }
            }
            Resource::CategoryDetails(number) => match rules::find(number) {
                Found::Leaf(category) => {
                    json(style, |json| rules::write(json, category, &self.options.prices))
                }
                Found::Branch | Found::Nothing => refused(format!("Category {number} was not found")),
            },
            // Writes have their own way and come here never.
            Resource::Deed(_) => refused("This is not for reading".to_owned()),
            Resource::Categories(number) => categories(style, number)
                .unwrap_or_else(|| refused(format!("Category {} was not found", number.unwrap_or_default()))),
        }
    }

    /// How answers are written.
    pub(super) fn style(&self, effects: &Effects) -> Style {
        Style {
            omit: self.options.omit_defaults,
            salt: self.seed,
            unknown_field: effects.unknown_field,
            new_enum: effects.new_enum,
            masked: effects.masked,
        }
    }

    /// The listing of that number, until 45 days after its end.
    fn shown(&self, id: &str, now: DateTime<Utc>) -> Option<&Listing> {
        self.listing(id.parse().ok()?).filter(|row| now - row.closed_at() <= TimeDelta::days(45))
    }

    /// The sales that a listing's page shows: none while it is closing, and none to strangers.
    fn sales_of(&self, row: &Listing, who: &Who, now: DateTime<Utc>) -> Vec<&Sale> {
        let shows = who.is_member() && self.state(row, now) != State::Closing;
        let lag = self.options.sold_lag;
        self.sales
            .iter()
            .filter(|sale| shows && sale.listing_id == row.id && sale.is_visible(now, lag))
            .collect()
    }

    /// A row goes or comes at the head of a list, so that every later page shifts by one.
    fn shift_pages(&mut self, resource: Resource<'_>, insert: bool, now: DateTime<Utc>) {
        let head = match resource {
            Resource::Sold(filter) if !insert => {
                let newest =
                    self.sold_rows(filter, false, now).and_then(|rows| rows.first().map(|sale| sale.id));
                if let Some(at) = newest.and_then(|id| self.sale_place(id)) {
                    self.sales[at].hidden = true;
                }
                return;
            }
            Resource::Sold(_) => self.live(now).find(|row| matches!(row.selling, Selling::BuyNow { .. })),
            Resource::Selling(_) => self.live(now).min_by_key(|row| (row.closed_at(), row.id)),
            _ => return,
        };
        let Some(at) = head.and_then(|row| self.listing_place(row.id)) else { return };
        match resource {
            // Sold a while ago and seen only now.
            Resource::Sold(_) => {
                let terms = self.terms(Some(true), None, Some(true), now - self.options.sold_lag);
                if let Ok(cents) = self.listings[at].take(1, terms.at) {
                    self.sell(at, 1, cents, &super::buying::Terms { how: How::BuyNow, ..terms });
                }
            }
            _ if insert => {
                let id = self.listings.last().map_or(1, |last| last.id + 1);
                let end = self.listings[at].end - TimeDelta::seconds(1);
                let mut row = Listing {
                    id,
                    end,
                    sku: None,
                    sold_out: None,
                    sold: 0,
                    known_sold: 0,
                    ended: false,
                    ..self.listings[at].clone()
                };
                // The one that it is made after may be closing, with no copy left.
                if let Selling::BuyNow { quantity, .. } = &mut row.selling {
                    *quantity = (*quantity).max(1);
                }
                self.listings.push(row);
            }
            _ => self.listings[at].withdrawn = Some(now),
        }
    }
}

/// A list as it is asked for and spoilt.
struct Page<'a> {
    shop: &'a Shop,
    request: &'a Request<'a>,
    effects: &'a Effects,
    style: Style,
}

impl Page<'_> {
    /// Writes the page of `rows` that is asked for. `fill` is told of rows that must not be readable.
    fn of<T>(&self, rows: &[T], mut fill: impl FnMut(&mut Json, Option<usize>, &T)) -> Answer {
        let window = Window::of(self.request.query, self.shop.options.max_rows, rows.len());
        let first = if self.effects.duplicate_row { window.first.saturating_sub(1) } else { window.first };
        let page = &rows[first..window.end];
        json(self.style, |json| {
            json.number("TotalCount", window.total as i64);
            json.number("Page", window.page as i64);
            json.number("PageSize", page.len() as i64);
            json.list("List", page, |json, at, row| {
                fill(json, (at < self.effects.bad_rows).then_some(at), row);
            });
        })
    }
}

pub(super) fn json(style: Style, fill: impl FnOnce(&mut Json)) -> Answer {
    Answer::new(200, JSON_TYPE, Json::object(style, fill))
}

/// The root of the categories, or one of its leaves; `None` for a number that is not known.
fn categories(style: Style, number: Option<&str>) -> Option<Answer> {
    let one = |json: &mut Json, (_, mcat, name, path): &(&str, &str, &str, &str)| {
        json.text("Name", name);
        json.text("Number", mcat);
        json.text("Path", path);
        json.code("AreaOfBusiness", 1);
        json.flag("IsLeaf", true);
    };
    let known = match number {
        None | Some("0") => None,
        Some(number) => Some(words::CATEGORIES.iter().find(|known| known.0 == number || known.1 == number)?),
    };
    Some(json(style, |json| match known {
        Some(category) => one(json, category),
        None => {
            json.text("Name", "Root");
            json.text("Number", "");
            json.list("Subcategories", &words::CATEGORIES, |json, _, category| one(json, category));
        }
    }))
}
