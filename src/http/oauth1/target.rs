//! Where a request goes: the exact text of the URL that is signed and sent.
//!
//! Most 401s of other clients come from signing one text and sending another: the HTTP library leaves a comma
//! as it is, or writes `+` for a blank, while the signature has `%2C` and `%20`. Here nobody encodes after us:
//! what [`Target::as_str`] shows is what is signed, and [`Target::to_url`] refuses to hand out anything else.

use url::Url;

use super::encode::push_encoded;

/// The URL of a request. Its text is normal already as RFC 5849 section 3.4.1.2 asks: scheme and host in lower
/// case, no default port, at least `/` as the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    text: String,
    /// Where the path begins.
    path: usize,
    /// Where the path ends: at the `?` if there is a query.
    path_end: usize,
}

/// A text that is no URL to send a request to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no absolute URL.
    #[error("not a URL: {0}; it should look like `https://host/path`")]
    NoUrl(#[from] url::ParseError),
    /// It is one of another kind.
    #[error("a URL that begins with `{0}:`; it should begin with `https:`")]
    NoHttp(String),
    /// It has a user and password, which would end up in logs.
    #[error("the URL carries a user name or password; remove what stands before the `@`")]
    Login,
    /// A base URL with a query, to which no path could be added.
    #[error("the base URL has a query or a fragment; remove what stands from the `?` or `#` on")]
    Query,
    /// A path segment `.` or `..`, which every HTTP library resolves before sending.
    #[error("`{0}` has a path segment `.` or `..`, which would be sent as another path than was signed")]
    DotSegment(String),
}

impl Target {
    /// The root under which an API lives, for example `https://apiv2.cardmarket.com/ws/v2.0`. Whether it ends
    /// in a slash makes no difference.
    pub fn new(base: &str) -> Result<Self, TargetError> {
        let mut target = Self::parse(base)?;
        if base.contains(['?', '#']) {
            return Err(TargetError::Query);
        }
        if target.without_query().ends_with('/') && target.path_end - target.path > 1 {
            target.text.pop();
            target.path_end -= 1;
        }
        Ok(target)
    }

    /// A whole URL as somebody else wrote it. A fragment is dropped, as it is never sent.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        Self::of(Url::parse(text)?)
    }

    /// Where a redirect leads: its `Location`, which may be relative to this target.
    pub fn redirected(&self, location: &str) -> Result<Self, TargetError> {
        Self::of(Url::parse(&self.text)?.join(location)?)
    }

    fn of(mut url: Url) -> Result<Self, TargetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::NoHttp(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Login);
        }
        url.set_fragment(None);
        let path = url[..url::Position::BeforePath].len();
        let path_end = path + url.path().len();
        Ok(Self { text: url.into(), path, path_end })
    }

    /// With one more path segment, encoded.
    #[must_use]
    pub fn segment(mut self, segment: &str) -> Self {
        let query = self.text.split_off(self.path_end);
        if self.path_end - self.path > 1 {
            self.text.push('/');
        }
        push_encoded(&mut self.text, segment);
        self.path_end = self.text.len();
        self.text.push_str(&query);
        self
    }

    /// With one more pair in the query, encoded. Keys may be repeated; the order is kept.
    #[must_use]
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.text.push(if self.text.len() == self.path_end { '?' } else { '&' });
        push_encoded(&mut self.text, key);
        self.text.push('=');
        push_encoded(&mut self.text, value);
        self
    }

    /// What is signed and sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same up to the query: what the base string and the realm have.
    pub fn without_query(&self) -> &str {
        &self.text[..self.path_end]
    }

    /// The names and values of the query, as they stand in it, still encoded.
    pub(super) fn raw_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.text.get(self.path_end + 1..).unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Whether both go to the same scheme, host and port, so that a login may follow from one to the other.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.text[..self.path] == other.text[..other.path]
    }

    /// Where a redirect leads, if that is another scheme, host or port: a login may not follow there.
    pub fn elsewhere(&self, location: &str) -> Option<String> {
        let to = self.redirected(location).ok().filter(|to| !to.same_origin(self))?;
        Some(to.text[..to.path].to_owned())
    }

    /// The URL for the HTTP library, or an error if that library would send another text than was signed.
    pub fn to_url(&self) -> Result<Url, TargetError> {
        let url = Url::parse(&self.text)?;
        if url.as_str() != self.text {
            return Err(TargetError::DotSegment(self.without_query().to_owned()));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn base() -> Target {
        Target::new("https://api.example.test/ws/v2.0/").unwrap()
    }

    #[test]
    fn a_slash_after_the_base_makes_no_difference() {
        for base in ["https://h.test/ws", "https://h.test/ws/"] {
            assert_eq!(Target::new(base).unwrap().segment("stock").as_str(), "https://h.test/ws/stock");
        }
        for base in ["https://h.test", "https://h.test/"] {
            assert_eq!(Target::new(base).unwrap().segment("stock").as_str(), "https://h.test/stock");
        }
    }

    #[test]
    fn reserved_characters_are_encoded_on_the_wire() {
        let target = base().segment("Urza's Saga").query("search", "Jace, the Mind Sculptor");
        assert_eq!(
            target.as_str(),
            "https://api.example.test/ws/v2.0/Urza%27s%20Saga?search=Jace%2C%20the%20Mind%20Sculptor"
        );
        assert_eq!(target.without_query(), "https://api.example.test/ws/v2.0/Urza%27s%20Saga");
    }

    #[test]
    fn a_segment_may_be_added_after_the_query() {
        let target = base().query("page", "1").segment("orders").query("rows", "50");
        assert_eq!(target.as_str(), "https://api.example.test/ws/v2.0/orders?page=1&rows=50");
    }

    #[test]
    fn scheme_host_and_port_are_normal() {
        let target = Target::parse("HTTP://EXAMPLE.com:80/Path?Q=1#part").unwrap();
        assert_eq!(target.as_str(), "http://example.com/Path?Q=1");
        assert_eq!(Target::parse("https://example.com:8080").unwrap().as_str(), "https://example.com:8080/");
    }

    #[test]
    fn a_redirect_may_be_relative_and_tells_its_origin() {
        let target = base().segment("stock");
        let near = target.redirected("/ws/v2.0/stock/1?x=a,b").unwrap();
        assert_eq!(near.as_str(), "https://api.example.test/ws/v2.0/stock/1?x=a,b");
        assert!(near.same_origin(&target));
        assert_eq!(target.elsewhere("/ws/v2.0/stock/1"), None);
        assert_eq!(target.elsewhere("https://evil.test/x?y").as_deref(), Some("https://evil.test"));
        for elsewhere in ["https://evil.test/", "http://api.example.test/", "https://api.example.test:444/"] {
            assert!(!target.redirected(elsewhere).unwrap().same_origin(&target), "{elsewhere}");
        }
        assert!(matches!(target.redirected("ftp://api.example.test/"), Err(TargetError::NoHttp(_))));
    }

    #[test]
    fn a_base_that_cannot_be_one_is_refused() {
        assert!(matches!(Target::new("api.example.test"), Err(TargetError::NoUrl(_))));
        assert!(matches!(Target::new("ftp://example.test"), Err(TargetError::NoHttp(_))));
        assert!(matches!(Target::new("https://example.test/?a=b"), Err(TargetError::Query)));
        let error = Target::new("https://seller:hunter2@example.test").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_dot_segment_is_not_sent_as_another_path() {
        assert!(matches!(base().segment("..").to_url(), Err(TargetError::DotSegment(_))));
        assert!(base().segment("...").to_url().is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_sent_decodes_to_what_was_put_in(
            segments in prop::collection::vec(any::<String>(), 0..4),
            pairs in prop::collection::vec(any::<(String, String)>(), 0..4),
        ) {
            prop_assume!(!segments.iter().any(|segment| segment == "." || segment == ".."));
            let mut target = base();
            for segment in &segments {
                target = target.segment(segment);
            }
            for (key, value) in &pairs {
                target = target.query(key, value);
            }

            let url = target.to_url().unwrap();
            prop_assert_eq!(url.as_str(), target.as_str());
            let decode = |piece: &str| percent_decode_str(piece).decode_utf8().unwrap().into_owned();
            let sent: Vec<String> = url.path_segments().unwrap().skip(2).map(decode).collect();
            prop_assert_eq!(sent, segments);
            let sent: Vec<_> = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
            prop_assert_eq!(&sent, &pairs);
            let signed: Vec<_> = target.raw_pairs().map(|(key, value)| (decode(key), decode(value))).collect();
            prop_assert_eq!(signed, pairs);
        }
    }
}
