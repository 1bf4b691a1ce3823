//! A request as a value, so that a shop can be asked without a socket.

/// A request as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// Scheme, host and port by which the caller came.
    pub origin: &'a str,
    /// The path, still encoded.
    pub path: &'a str,
    /// The query, still encoded.
    pub query: Option<&'a str>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// Whether there is an `Expect` header.
    pub expects: bool,
    /// The type of the body, if there is a body.
    pub body_type: Option<&'a str>,
    /// The body, where the marketplace looks at it before it decides; otherwise empty.
    pub body: &'a [u8],
}
