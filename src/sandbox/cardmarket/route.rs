//! Paths to resources. Paths are case-sensitive and have no empty segments, as on the real marketplace.

use super::effects::Deed;
use super::orders::OrderState;

/// The form of the answer, chosen by a path segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `output.json`.
    Json,
    /// `output.xml`, and the default.
    Xml,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `/account`
    Account,
    /// `/account/logout`
    Logout,
    /// `/access`
    Access,
    /// `/stock[/{start}]`
    Stock(Option<Start>),
    /// `/stock/article/{idArticle}`
    Article(&'a str),
    /// `/stock/shoppingcart-articles`
    Carts,
    /// `/stock/products/{idProduct}`
    OfProduct(&'a str),
    /// `/stock/increase`
    Increase,
    /// `/stock/decrease`
    Decrease,
    /// `/exports/stock`
    Exports,
    /// `/exports/stock/{idRequest}`
    Export(&'a str),
    /// `/orders/{actor}/{state}[/{start}]`
    Orders(Actor, &'static [OrderState], Option<Start>),
    /// `/orders/...` with an actor or state that does not exist.
    NoSuchOrders,
    /// `/order/{idOrder}`
    Order(&'a str),
}

impl Resource<'_> {
    /// The methods that it knows, as its answers list them.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Access | Self::Logout => "POST, OPTIONS",
            Self::Stock(None) => "GET, POST, PUT, DELETE, OPTIONS",
            Self::Increase | Self::Decrease => "PUT, OPTIONS",
            Self::Exports => "GET, POST, OPTIONS",
            _ => "GET, OPTIONS",
        }
    }

    /// What a method does to the stock here; `None` if it changes nothing.
    pub fn deed(&self, method: &str) -> Option<Deed> {
        match (self, method) {
            (Self::Stock(None), "POST") => Some(Deed::Add),
            (Self::Stock(None), "PUT") => Some(Deed::Edit),
            (Self::Stock(None), "DELETE") => Some(Deed::Remove),
            (Self::Increase, "PUT") => Some(Deed::Increase),
            (Self::Decrease, "PUT") => Some(Deed::Decrease),
            _ => None,
        }
    }
}

/// Whose orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Orders that the account sells.
    Seller,
    /// Orders that the account buys.
    Buyer,
}

/// Where a page begins, from 1; `Err` is text that is no such number.
pub type Start = Result<usize, BadStart>;

/// A start that is no number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadStart;

/// A path taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// The form of the answer.
    pub format: Format,
    /// The path after version and form, with its slash.
    pub path: &'a str,
    /// What it names; `None` if nothing.
    pub resource: Option<Resource<'a>>,
}

impl<'a> Route<'a> {
    /// Takes a request path apart.
    pub fn read(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix("/ws/v2.0") else {
            return Self { format: Format::Json, path, resource: None };
        };
        let (format, rest) = match (rest.strip_prefix("/output.json"), rest.strip_prefix("/output.xml")) {
            (Some(rest), _) => (Format::Json, rest),
            (_, Some(rest)) => (Format::Xml, rest),
            _ => (Format::Xml, rest),
        };
        Self { format, path: rest, resource: resource(rest) }
    }
}

fn resource(path: &str) -> Option<Resource<'_>> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    Some(match segments.as_slice() {
        ["account"] => Resource::Account,
        ["account", "logout"] => Resource::Logout,
        ["access"] => Resource::Access,
        ["stock"] => Resource::Stock(None),
        ["stock", "shoppingcart-articles"] => Resource::Carts,
        ["stock", "article", id] => Resource::Article(id),
        ["stock", "products", id] => Resource::OfProduct(id),
        ["stock", "increase"] => Resource::Increase,
        ["stock", "decrease"] => Resource::Decrease,
        ["exports", "stock"] => Resource::Exports,
        ["exports", "stock", id] => Resource::Export(id),
        ["stock", start] => Resource::Stock(Some(page_start(start))),
        ["orders", actor, state] => orders(actor, state, None),
        ["orders", actor, state, start] => orders(actor, state, Some(page_start(start))),
        ["order", id] => Resource::Order(id),
        _ => return None,
    })
}

fn orders<'a>(actor: &str, state: &str, start: Option<Start>) -> Resource<'a> {
    let actor = match actor {
        "seller" | "1" => Actor::Seller,
        "buyer" | "2" => Actor::Buyer,
        _ => return Resource::NoSuchOrders,
    };
    OrderState::of_list(state).map_or(Resource::NoSuchOrders, |states| Resource::Orders(actor, states, start))
}

fn page_start(text: &str) -> Start {
    text.parse().ok().filter(|start| *start >= 1).ok_or(BadStart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<Resource<'_>> {
        Route::read(path).resource
    }

    #[test]
    fn names_and_numbers_lead_to_the_same_orders() {
        let base = "/ws/v2.0/output.json/orders";
        assert_eq!(read(&format!("{base}/1/8/101")), read(&format!("{base}/seller/received/101")));
        assert!(matches!(read("/ws/v2.0/orders/2/paid"), Some(Resource::Orders(Actor::Buyer, _, None))));
        assert_eq!(read("/ws/v2.0/orders/seller/evaluated"), Some(Resource::NoSuchOrders));
    }

    #[test]
    fn the_form_is_a_path_segment_and_xml_is_the_default() {
        assert_eq!(Route::read("/ws/v2.0/output.json/account").format, Format::Json);
        assert_eq!(Route::read("/ws/v2.0/output.xml/account").format, Format::Xml);
        assert_eq!(Route::read("/ws/v2.0/account").format, Format::Xml);
        assert_eq!(Route::read("/ws/v2.0/output.json/stock/1").path, "/stock/1");
    }

    #[test]
    fn paths_are_exact() {
        for path in [
            "/ws/v2.0/output.json/Stock/1",
            "/ws/v2.0/output.json/stock/",
            "/ws/v2.0/output.json/stock//1",
            "/ws/v2.0/output.json",
            "/ws/v1.1/output.json/account",
            "/account",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn only_the_calls_that_change_the_stock_have_deeds() {
        let of = |path: &str, method: &str| read(path).and_then(|resource| resource.deed(method));
        assert_eq!(of("/ws/v2.0/stock", "POST"), Some(Deed::Add));
        assert_eq!(of("/ws/v2.0/stock", "DELETE"), Some(Deed::Remove));
        assert_eq!(of("/ws/v2.0/stock/decrease", "PUT"), Some(Deed::Decrease));
        for (path, method) in [("/stock", "GET"), ("/stock/1", "PUT"), ("/exports/stock", "POST")] {
            assert_eq!(of(&format!("/ws/v2.0{path}"), method), None, "{method} {path}");
        }
    }

    #[test]
    fn a_page_starts_at_one() {
        assert_eq!(read("/ws/v2.0/stock/1"), Some(Resource::Stock(Some(Ok(1)))));
        assert_eq!(read("/ws/v2.0/stock/0"), Some(Resource::Stock(Some(Err(BadStart)))));
        assert_eq!(read("/ws/v2.0/stock/one"), Some(Resource::Stock(Some(Err(BadStart)))));
    }
}
