//! Articles, as small as they can be: a shop may have a million of them, and a page is cut out of the list
//! for every request. Names stand in the catalogue, comments are composed when they are written.

use std::fmt::Write;

use super::words::PHRASES;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// The comment of an article, unwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comment {
    /// Empty.
    None,
    /// A place on a shelf.
    Shelf(u16),
    /// A seller's key in the tag that the agent reads.
    Sku(u32),
    /// A place and a key.
    ShelfAndSku(u16, u32),
    /// One of the remarks in `PHRASES`.
    Phrase(u8),
}

impl Comment {
    /// The text that the seller wrote.
    pub fn text(self) -> String {
        let mut text = String::new();
        if let Self::Shelf(place) | Self::ShelfAndSku(place, _) = self {
            let row = char::from(b'A' + (place % 26) as u8);
            let _ = write!(text, "shelf {row}{:02}", place / 26 % 100);
        }
        if let Self::ShelfAndSku(..) = self {
            text.push(' ');
        }
        if let Self::Sku(key) | Self::ShelfAndSku(_, key) = self {
            let _ = write!(text, "[sku:{}]", written(key));
        }
        if let Self::Phrase(which) = self {
            text.push_str(PHRASES[usize::from(which) % PHRASES.len()]);
        }
        text
    }

    /// The seller's key in it, without the tag.
    pub fn sku(self) -> Option<String> {
        match self {
            Self::Sku(key) | Self::ShelfAndSku(_, key) => Some(written(key)),
            _ => None,
        }
    }
}

fn written(key: u32) -> String {
    format!("MC-{key:06}")
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
        self.place(id).ok().map(|at| &self.rows[at])
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
    fn comments_are_written_as_sellers_write_them() {
        assert_eq!(Comment::None.text(), "");
        assert_eq!(Comment::Shelf(27).text(), "shelf B01");
        assert_eq!(Comment::Sku(42).text(), "[sku:MC-000042]");
        assert_eq!(Comment::ShelfAndSku(0, 7).text(), "shelf A00 [sku:MC-000007]");
    }

    #[test]
    fn a_million_articles_fit_in_48_megabytes() {
        assert!(size_of::<Article>() <= 48, "{}", size_of::<Article>());
    }
}
