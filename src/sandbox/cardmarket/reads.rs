//! What the read endpoints answer.

use chrono::{DateTime, Utc};

use super::json::Json;
use super::route::{Actor, Resource, Route, Start};
use super::wire::{self, View};
use super::{Article, Order, OrderState, Shop, Unpaginated};
use crate::sandbox::answer::Answer;
use crate::sandbox::faults::Effects;
use crate::sandbox::request::Request;
use crate::sandbox::spoiled::JSON_TYPE;

const PAGE: usize = 100;

impl Shop {
    /// Answers a read that passed every check.
    pub(super) fn read(
        &mut self,
        request: &Request<'_>,
        route: Route<'_>,
        resource: Resource<'_>,
        effects: &Effects,
        now: DateTime<Utc>,
    ) -> Answer {
        if let Some(insert) = effects.shift {
            self.shift_pages(insert, now);
        }
        match resource {
            Resource::Account => {
                let other = self.door.is_other(request);
                self.json(|shop, json| json.nested("account", |json| wire::account(json, shop, other)))
            }
            Resource::Stock(_) if effects.empty_stock => Answer::empty(204),
            Resource::Stock(start) => self.stock_page(request, route, start, effects),
            Resource::Article(id) => self.article(route, id),
            Resource::OfProduct(id) => self.of_product(id),
            Resource::Exports => self.list_exports(request),
            Resource::Export(id) => self.one_export(request, route, id),
            // The pipeline has refused to read these.
            Resource::Increase | Resource::Decrease | Resource::Access | Resource::Logout => {
                self.error(route, 405, "There is nothing to read here.")
            }
            Resource::Carts if self.carts.is_empty() => Answer::empty(204),
            Resource::Carts => self.articles(&self.carts, View::Cart, effects.bad_rows),
            Resource::Orders(Actor::Seller, states, start) => {
                self.orders_page(request, route, states, start, effects)
            }
            Resource::Orders(Actor::Buyer, ..) => Answer::empty(204),
            Resource::NoSuchOrders => self.error(route, 400, "Invalid actor or state."),
            Resource::Order(id) => match id.parse().ok().and_then(|id| self.order(id)) {
                Some(order) => self.json(|shop, json| {
                    json.nested("order", |json| wire::order(json, shop, order, None));
                    json.list::<()>("links", &[], |_, _, ()| {});
                }),
                None => self.error(route, 404, "There is no such order."),
            },
        }
    }

    fn stock_page(
        &self,
        request: &Request<'_>,
        route: Route<'_>,
        start: Option<Start>,
        effects: &Effects,
    ) -> Answer {
        let rows = self.stock.rows();
        let window = match self.window(request, route, start, rows.len()) {
            Ok(window) => window,
            Err(answer) => return answer,
        };
        let first = if effects.duplicate_row { window.first.saturating_sub(1) } else { window.first };
        let answer = self.articles(&rows[first..window.end], View::Stock, effects.bad_rows);
        window.label(answer)
    }

    fn orders_page(
        &self,
        request: &Request<'_>,
        route: Route<'_>,
        states: &[OrderState],
        start: Option<Start>,
        effects: &Effects,
    ) -> Answer {
        // Newest first, as one client relies on: a new order shifts all pages.
        let orders: Vec<&Order> =
            self.orders.iter().rev().filter(|order| states.contains(&order.state)).collect();
        let window = match self.window(request, route, start, orders.len()) {
            Ok(window) => window,
            Err(answer) => return answer,
        };
        let page = &orders[window.first..window.end];
        let answer = self.json(|shop, json| {
            json.list("order", page, |json, at, order| {
                wire::order(json, shop, order, (at < effects.bad_rows).then_some(at));
            });
        });
        window.label(answer)
    }

    fn article(&self, route: Route<'_>, id: &str) -> Answer {
        let Some(article) = id.parse().ok().and_then(|id| self.stock.find(id)) else {
            return self.error(route, 404, "There is no such article.");
        };
        self.json(|shop, json| {
            json.nested("article", |json| wire::article(json, &shop.catalogue, article, View::Alone, None));
            json.nested("product", |json| wire::product(json, shop.catalogue.at(article.product)));
        })
    }

    fn of_product(&self, id: &str) -> Answer {
        let place = id.parse().ok().and_then(|id| self.catalogue.place_of(id));
        let is_of_it = |row: &&Article| Some(row.product) == place;
        let rows: Vec<Article> = self.stock.rows().iter().filter(is_of_it).copied().collect();
        if rows.is_empty() { Answer::empty(204) } else { self.articles(&rows, View::Stock, 0) }
    }

    fn articles(&self, rows: &[Article], view: View, bad_rows: usize) -> Answer {
        self.json(|shop, json| {
            json.list("article", rows, |json, at, row| {
                wire::article(json, &shop.catalogue, row, view, (at < bad_rows).then_some(at));
            });
        })
    }

    /// Which rows of `total` the caller gets, or what is answered instead.
    fn window(
        &self,
        request: &Request<'_>,
        route: Route<'_>,
        start: Option<Start>,
        total: usize,
    ) -> Result<Window, Answer> {
        let first = match start {
            Some(Ok(start)) => start - 1,
            Some(Err(_)) => return Err(self.error(route, 400, "The start of a page is a number from 1.")),
            None if total <= PAGE => 0,
            None if self.unpaginated == Unpaginated::Redirect => {
                let location = format!("{}{}/1", request.origin, request.path);
                return Err(Answer::empty(307).with("location", location));
            }
            None => return Err(self.error(route, 410, "Use the paginated request.")),
        };
        if first >= total {
            return Err(Answer::empty(204));
        }
        Ok(Window { first, end: total.min(first.saturating_add(PAGE)), total })
    }

    /// 200 with an object.
    pub(super) fn json(&self, fill: impl FnOnce(&Self, &mut Json)) -> Answer {
        Answer::new(200, JSON_TYPE, Json::object(self.typing, |json| fill(self, json)))
    }

    /// An error in the form that the caller chose.
    pub(super) fn error(&self, route: Route<'_>, status: u16, description: &str) -> Answer {
        wire::error(self.typing, route.format, status, description)
    }
}

/// A part of a list.
struct Window {
    first: usize,
    end: usize,
    total: usize,
}

impl Window {
    /// 200 for a whole list, 206 with its place for a part of one.
    fn label(&self, mut answer: Answer) -> Answer {
        if self.first == 0 && self.end == self.total {
            return answer;
        }
        answer.status = 206;
        answer.with("content-range", format!("{}-{}/{}", self.first, self.end - 1, self.total))
    }
}
