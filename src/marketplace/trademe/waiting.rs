//! What waits for the seller (trademe.md 9.2 and 14): questions nobody answered, and listings that ended unsold and could
//! be relisted. Counted only, two requests in all: who asked what is not ours to keep.

use serde::Deserialize;

use super::answer::{Page, Place};
use super::api::{Line, TradeMe};
use crate::domain::RequestClass;
use crate::http::CallError;
use crate::marketplace::Attention;
use crate::marketplace::json::{self, Raw};

/// A row of the unsold listings, as far as it tells whether it can be relisted.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Unsold<'a> {
    #[serde(borrow)]
    can_relist: Raw<'a>,
    #[serde(borrow)]
    is_withdrawn: Raw<'a>,
    #[serde(borrow)]
    relisted_item_id: Raw<'a>,
    #[serde(borrow)]
    offer_is_active: Raw<'a>,
}

impl<C: Line> TradeMe<C> {
    /// Counts what waits.
    pub async fn waiting(&self) -> Result<Vec<Attention>, CallError> {
        Ok(vec![self.unanswered().await?, self.relistable().await?])
    }

    /// One call covers all live listings, and the length of its list is all that is wanted.
    async fn unanswered(&self) -> Result<Attention, CallError> {
        let url = self.url(&["Listings", "Questions"], "UnansweredQuestions");
        let url = url.query("page", "1").query("rows", "1");
        let answer = self.get("Listings/Questions/UnansweredQuestions", RequestClass::Prices, url).await?;
        let count = Page::read(&answer, Place::of(None))?.total as i64;
        let words = match count {
            1 => "1 question is unanswered".to_owned(),
            count => format!("{count} questions are unanswered"),
        };
        Ok(Attention { name: "unanswered_questions", count, words })
    }

    /// The first page only: whoever has more to relist has seen enough.
    async fn relistable(&self) -> Result<Attention, CallError> {
        let place = Place::of(None);
        let url = self.list_url("UnsoldItems", "ItemsICanRelist", place);
        let answer = self.get("MyTradeMe/UnsoldItems/{filter}", RequestClass::Prices, url).await?;
        let page = Page::read(&answer, place)?;
        let rows = page.rows.iter().filter_map(|row| json::object::<Unsold<'_>>(row).ok());
        let count = rows.filter(Unsold::can_be_relisted).count() as i64;
        let least = if page.next.is_some() { "at least " } else { "" };
        let words = match count {
            1 => format!("{least}1 listing ended unsold and could be relisted"),
            count => format!("{least}{count} listings ended unsold and could be relisted"),
        };
        Ok(Attention { name: "relistable_listings", count, words })
    }
}

impl Unsold<'_> {
    /// The list holds some that cannot be any more. A buyer may be thinking about an offer for others.
    fn can_be_relisted(&self) -> bool {
        json::flag(self.can_relist) == Some(true)
            && json::flag(self.is_withdrawn) != Some(true)
            && json::optional_number(self.relisted_item_id).unwrap_or_default() == 0
            && json::flag(self.offer_is_active) != Some(true)
    }
}
