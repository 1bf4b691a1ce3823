//! A browser as far as a login needs one: it opens an address, presses a button, and tells where it was sent.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

/// Opens an address and presses a button of its form, logged in as this seller.
#[track_caller]
pub fn decide(url: &str, seller: &str, decision: &str) -> Page {
    let shown = ask("GET", url, "");
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("<form method=\"post\""), "{}", shown.body);
    let token = url.split_once("oauth_token=").map_or("", |(_, token)| token);
    let form = format!("oauth_token={token}&as={seller}&decision={decision}");
    ask("POST", url, &form)
}

/// Lets the seller of the shop allow it; returns the number on the page.
#[track_caller]
pub fn pin(url: &str) -> String {
    pin_of(url, "demo-shop")
}

/// The same for another seller.
#[track_caller]
pub fn pin_of(url: &str, seller: &str) -> String {
    let page = decide(url, seller, "allow").body;
    let pin = page.split_once("id=\"pin\">").and_then(|(_, rest)| rest.split_once('<'));
    pin.unwrap_or_else(|| panic!("no number on {page}")).0.to_owned()
}

/// Lets this seller log in; returns the address to which the browser is sent.
#[track_caller]
pub fn sent_to(url: &str, seller: &str) -> String {
    decide(url, seller, "allow").location.expect("it is sent somewhere")
}

/// One request.
#[track_caller]
pub fn ask(method: &str, url: &str, form: &str) -> Page {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is elsewhere"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut tcp = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
    tcp.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    write!(
        tcp,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    )
    .expect("it listens");
    let mut text = String::new();
    tcp.read_to_string(&mut text).expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let location = head.lines().find_map(|line| {
        line.split_once(": ")
            .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
            .map(|(_, to)| to.to_owned())
    });
    Page { status, location, body: body.to_owned() }
}
