//! Articles, as small as they can be: a shop may have a million of them, and a page is cut out of the list
//! for every request. Names stand in the catalogue, comments are composed when they are written.

use serde::{Deserialize, Serialize};

use super::comment::Comment;

/// Conditions from best to worst, as the marketplace spells them.
pub const CONDITIONS: [&str; 7] = ["MT", "NM", "EX", "GD", "LP", "PL", "PO"];

/// Language names by number, from 1.
pub const LANGUAGES: [&str; 11] = [
    "English",
    "French",
    "German",
    "Spanish",
    "Italian",
    "S-Chinese",
    "Japanese",
    "Portuguese",
    "Russian",
    "Korean",
    "T-Chinese",
];

/// Copies of one product that are alike in everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Article {
    /// `idArticle`; beyond 32 bits for some.
    pub id: u64,
    /// When it was last changed, in Unix seconds.
    pub edited: i64,
    /// Place in the catalogue.
    pub product: u32,
    /// Price of one copy in cents.
    pub cents: u32,
    /// Copies.
    pub count: u32,
    /// What the seller wrote.
    pub comment: Comment,
    /// 1 is English; see `LANGUAGES`.
    pub language: u8,
    /// Place in `CONDITIONS`; not shown for sealed products.
    pub condition: u8,
    /// What is special about these copies.
    pub flags: Flags,
}

/// What is special about copies. Which of these a game knows is decided when they are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flags {
    /// Foil, or reverse holo.
    pub shiny: bool,
    /// Signed.
    pub signed: bool,
    /// Altered.
    pub altered: bool,
    /// First edition.
    pub first_edition: bool,
}

/// What is for sale, in the order of the list: by number, rising.
#[derive(Debug, Default)]
pub struct Stock {
    rows: Vec<Article>,
}

impl Stock {
    /// A stock of articles whose numbers rise.
    pub fn new(rows: Vec<Article>) -> Self {
        debug_assert!(rows.is_sorted_by_key(|row| row.id));
        Self { rows }
    }

    /// All articles in the order of the list.
    pub fn rows(&self) -> &[Article] {
        &self.rows
    }

    /// The article of that number.
    pub fn find(&self, id: u64) -> Option<&Article> {
        self.place(id).ok().map(|at| &self.rows[at]).filter(|row| row.count > 0)
    }

    /// The article of that number, to be changed. One that is left without copies is not found any more, and stays
    /// in [`Self::rows`] until [`Self::sweep`]: a hundred articles that go at once move the others once.
    pub fn find_mut(&mut self, id: u64) -> Option<&mut Article> {
        let at = self.place(id).ok()?;
        Some(&mut self.rows[at]).filter(|row| row.count > 0)
    }

    /// Takes out what was left without copies.
    pub fn sweep(&mut self) {
        self.rows.retain(|row| row.count > 0);
    }

    /// Takes `copies` of an article away and returns them; the article is gone when none is left. `None` if
    /// there are not that many.
    pub fn take(&mut self, id: u64, copies: u32) -> Option<Article> {
        let at = self.place(id).ok()?;
        let row = &mut self.rows[at];
        let left = row.count.checked_sub(copies).filter(|_| copies > 0)?;
        let taken = Article { count: copies, ..*row };
        row.count = left;
        if left == 0 {
            self.rows.remove(at);
        }
        Some(taken)
    }

    /// Puts an article where its number belongs. `false` if the number is taken.
    pub fn insert(&mut self, article: Article) -> bool {
        match self.place(article.id) {
            Ok(_) => false,
            Err(at) => {
                self.rows.insert(at, article);
                true
            }
        }
    }

    fn place(&self, id: u64) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&id, |row| row.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn article(id: u64, count: u32) -> Article {
        let (comment, flags) = (Comment::None, Flags::default());
        Article { id, edited: 0, product: 0, cents: 2, count, comment, language: 1, condition: 1, flags }
    }

    #[test]
    fn copies_leave_one_by_one_and_the_article_with_the_last() {
        let mut stock = Stock::new(vec![article(5, 3), article(9, 1)]);
        assert_eq!(stock.take(5, 4), None);
        assert_eq!(stock.take(5, 0), None);
        assert_eq!(stock.take(5, 2), Some(article(5, 2)));
        assert_eq!(stock.find(5).map(|row| row.count), Some(1));
        assert_eq!(stock.take(5, 1), Some(article(5, 1)));
        assert_eq!(stock.find(5), None);
        assert_eq!(stock.rows().len(), 1);
    }

    #[test]
    fn a_new_article_stands_where_its_number_belongs() {
        let mut stock = Stock::new(vec![article(5, 1), article(9, 1)]);
        assert!(stock.insert(article(7, 1)));
        assert!(!stock.insert(article(7, 1)));
        assert_eq!(stock.rows().iter().map(|row| row.id).collect::<Vec<_>>(), [5, 7, 9]);
    }

    #[test]
    fn what_is_emptied_is_not_found_and_goes_with_the_sweep() {
        let mut stock = Stock::new(vec![article(5, 1), article(9, 1)]);
        stock.find_mut(5).expect("it is there").count = 0;
        assert_eq!((stock.find(5), stock.rows().len()), (None, 2));
        assert!(stock.find_mut(5).is_none());
        stock.sweep();
        assert_eq!(stock.rows(), [article(9, 1)]);
    }

    #[test]
    fn a_million_articles_fit_in_48_megabytes() {
        assert!(size_of::<Article>() <= 48, "{}", size_of::<Article>());
    }
}
