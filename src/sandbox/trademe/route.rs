//! Paths to resources. Case does not matter; the form of the answer is the suffix of the last segment.

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.json`.
    Json,
    /// `.xml`: errors only, here.
    Xml,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Anybody.
    Public,
    /// A registered app, with or without a member.
    App,
    /// A member who granted `MyTradeMeRead`.
    Read,
    /// A member who granted `MyTradeMeWrite`.
    Write,
}

/// Which part of a list is asked for, as the caller writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<'a>(pub &'a str);

/// What a `POST` wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// `Selling`
    Create,
    /// `Selling/Validate`
    Validate,
    /// `Selling/Fees`
    Fees,
    /// `Selling/Edit`
    Edit,
    /// `Selling/EditFees`
    EditFees,
    /// `Selling/Withdraw`
    Withdraw,
    /// `Selling/WithdrawFees`
    WithdrawFees,
}

impl Deed {
    /// Whether it changes anything, rather than say what would come of it.
    pub fn has_effect(self) -> bool {
        matches!(self, Self::Create | Self::Edit | Self::Withdraw)
    }
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `MyTradeMe/Summary`
    Summary,
    /// `MyTradeMe/SellingItems/{filter}`
    Selling(Filter<'a>),
    /// `MyTradeMe/SoldItems/{filter}`
    Sold(Filter<'a>),
    /// `MyTradeMe/UnsoldItems/{filter}`
    Unsold(Filter<'a>),
    /// `Listings/{id}`
    Listing(&'a str),
    /// `Selling/Listings/{id}`
    EditForm(&'a str),
    /// `Listings/Questions/UnansweredQuestions`
    UnansweredQuestions,
    /// `Selling/Drafts`
    Drafts,
    /// `MyTradeMe/MemberLedger/{filter}`
    Statement(Filter<'a>),
    /// Something to be done.
    Deed(Deed),
    /// `Categories/{number}/Details`
    CategoryDetails(&'a str),
    /// `Categories[/{number}]`
    Categories(Option<&'a str>),
}

impl Resource<'_> {
    /// Who may ask for it.
    pub fn level(self) -> Level {
        match self {
            Self::Categories(_) | Self::CategoryDetails(_) => Level::Public,
            Self::Listing(_) => Level::App,
            // Reading drafts wants the right to write them.
            Self::Drafts => Level::Write,
            // As documented: a quote for ending a listing wants more than the others.
            Self::Deed(Deed::Create | Deed::Edit | Deed::Withdraw | Deed::WithdrawFees) => Level::Write,
            _ => Level::Read,
        }
    }

    /// Whether asking counts against the hour.
    pub fn is_counted(self) -> bool {
        !matches!(self, Self::Categories(_) | Self::CategoryDetails(_))
    }

    /// How it is asked for.
    pub fn method(self) -> &'static str {
        if matches!(self, Self::Deed(_)) { "POST" } else { "GET" }
    }
}

/// A path taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// The form of the answer.
    pub format: Format,
    /// The path after the version, with its slash.
    pub path: &'a str,
    /// What it names; `None` if nothing.
    pub resource: Option<Resource<'a>>,
}

impl<'a> Route<'a> {
    /// Takes a request path apart.
    pub fn read(path: &'a str) -> Self {
        let Some((version, rest)) = path.split_at_checked(3) else {
            return Self { format: Format::Json, path, resource: None };
        };
        let (stem, format) = match rest.rsplit_once('.') {
            Some((stem, suffix)) if suffix.eq_ignore_ascii_case("json") => (stem, Some(Format::Json)),
            Some((stem, suffix)) if suffix.eq_ignore_ascii_case("xml") => (stem, Some(Format::Xml)),
            _ => (rest, None),
        };
        let resource = format.filter(|_| version.eq_ignore_ascii_case("/v1")).and_then(|_| resource(stem));
        Self { format: format.unwrap_or(Format::Json), path: rest, resource }
    }
}

fn resource(path: &str) -> Option<Resource<'_>> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    Some(match (lower.as_slice(), segments.as_slice()) {
        (["mytrademe", "summary"], _) => Resource::Summary,
        (["mytrademe", "sellingitems", _], [.., filter]) => Resource::Selling(Filter(filter)),
        (["mytrademe", "solditems", _], [.., filter]) => Resource::Sold(Filter(filter)),
        (["mytrademe", "unsolditems", _], [.., filter]) => Resource::Unsold(Filter(filter)),
        (["listings", "questions", "unansweredquestions"], _) => Resource::UnansweredQuestions,
        (["mytrademe", "memberledger", _], [.., filter]) => Resource::Statement(Filter(filter)),
        (["selling", "drafts"], _) => Resource::Drafts,
        (["selling"], _) => Resource::Deed(Deed::Create),
        (["selling", "validate"], _) => Resource::Deed(Deed::Validate),
        (["selling", "fees"], _) => Resource::Deed(Deed::Fees),
        (["selling", "edit"], _) => Resource::Deed(Deed::Edit),
        (["selling", "editfees"], _) => Resource::Deed(Deed::EditFees),
        (["selling", "withdraw"], _) => Resource::Deed(Deed::Withdraw),
        (["selling", "withdrawfees"], _) => Resource::Deed(Deed::WithdrawFees),
        (["selling", "listings", _], [.., id]) => Resource::EditForm(id),
        (["listings", _], [.., id]) => Resource::Listing(id),
        (["categories"], _) => Resource::Categories(None),
        (["categories", _, "details"], [_, number, _]) => Resource::CategoryDetails(number),
        (["categories", _], [.., number]) => Resource::Categories(Some(number)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<Resource<'_>> {
        Route::read(path).resource
    }

    #[test]
    fn paths_are_found_in_any_case() {
        assert_eq!(read("/v1/MyTradeMe/Summary.json"), Some(Resource::Summary));
        assert_eq!(read("/V1/mytrademe/SUMMARY.Json"), Some(Resource::Summary));
        assert_eq!(read("/v1/mytrademe/sellingitems/All.json"), Some(Resource::Selling(Filter("All"))));
        assert_eq!(read("/v1/Listings/5123456789.json"), Some(Resource::Listing("5123456789")));
        assert_eq!(
            read("/v1/Listings/Questions/UnansweredQuestions.json"),
            Some(Resource::UnansweredQuestions)
        );
    }

    #[test]
    fn the_suffix_chooses_the_form_and_without_one_there_is_nothing() {
        assert_eq!(Route::read("/v1/Categories/1.xml").format, Format::Xml);
        assert_eq!(read("/v1/Categories/1.xml"), Some(Resource::Categories(Some("1"))));
        for path in [
            "/v1/MyTradeMe/Summary",
            "/v1/MyTradeMe/Summary.csv",
            "/v1/MyTradeMe/SoldItems.json",
            "/v2/MyTradeMe/Summary.json",
            "/v1/Account/Balance.json",
            "/v1",
            "/é",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn catalogue_calls_are_public_and_free() {
        let categories = Resource::Categories(None);
        assert_eq!((categories.level(), categories.is_counted()), (Level::Public, false));
        assert_eq!((Resource::Summary.level(), Resource::Summary.is_counted()), (Level::Read, true));
    }
}
