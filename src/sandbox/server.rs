//! The HTTP side: turns requests into values for the shops and answers into bytes, late, cut or never where a
//! fault says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, Response};
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::io::ReaderStream;

use super::answer::{Answer, Delivery};
use super::control;
use super::house::House;
use super::line::Caller;
use super::request::Request as Asked;
use super::venue::Venue;

/// No request of a client is longer.
const LONGEST: usize = 1 << 20;

/// All that is served: a page that says what this is, the control port, and the marketplaces.
pub fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/", get(front_page))
        .nest("/sandbox", control::router())
        .fallback(marketplace)
        .with_state(house)
        .layer(map_response(async |mut response: Response| {
            let sign = HeaderValue::from_static("sellerd sandbox");
            response.headers_mut().insert(HeaderName::from_static("x-pretend-shop"), sign);
            response
        }))
}

async fn front_page() -> Html<&'static str> {
    Html(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pretend shop</title></head>\
         <body><h1>This is a pretend shop</h1><p>It is the sandbox of sellerd. It speaks like Cardmarket and \
         Trade Me, but nothing here is real: no articles, no buyers, no money.</p><p>Its state: <a href=\"/sandbox\">/sandbox\
         </a></p></body></html>\n",
    )
}

async fn marketplace(
    State(house): State<Arc<House>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
) -> Response {
    let venue = Venue::of_path(request.uri().path());
    // Cardmarket counts who is there at the same time.
    let place = (venue == Venue::Cardmarket).then(|| house.enter());
    let (head, body) = request.into_parts();
    let body = match venue {
        // What only reads is decided without its body.
        Venue::Cardmarket if head.method == Method::GET => Default::default(),
        // A body that breaks off or never ends is none.
        _ => to_bytes(body, LONGEST).await.unwrap_or_default(),
    };
    let answer = {
        let headers = &head.headers;
        let origin = format!("http://{}", text(headers, &header::HOST).unwrap_or_default());
        let asked = Asked {
            method: head.method.as_str(),
            origin: &origin,
            path: head.uri.path(),
            query: head.uri.query(),
            authorization: text(headers, &header::AUTHORIZATION),
            expects: headers.contains_key(header::EXPECT),
            body_type: has_body(headers).then(|| text(headers, &header::CONTENT_TYPE).unwrap_or_default()),
            body: &body,
        };
        let now = house.now();
        match &place {
            Some(place) => house.shop().answer(&asked, now, place.in_flight),
            None => house.trademe().answer(&asked, now),
        }
    };
    deliver(answer, &house, &caller).await
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = text(headers, &header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || headers.contains_key(header::TRANSFER_ENCODING)
}

async fn deliver(answer: Answer, house: &Arc<House>, caller: &Caller) -> Response {
    if !answer.delay.is_zero() {
        house.wait(answer.delay).await;
    }
    if answer.delivery == Delivery::Never {
        house.closed().await;
    }
    if matches!(answer.delivery, Delivery::Never | Delivery::HangUp) {
        caller.hang_up();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if !answer.content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    }
    *response.body_mut() = match answer.delivery {
        Delivery::Half => {
            // The whole length is promised and half of it comes, then the connection ends.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
            let half = answer.body.len() / 2;
            let mut body = answer.body;
            body.truncate(half);
            Body::from_stream(ReaderStream::new(io::Cursor::new(body).chain(Severed::default())))
        }
        Delivery::Endless => {
            let blanks = Blanks { house: Arc::clone(house) };
            Body::from_stream(ReaderStream::with_capacity(
                io::Cursor::new(answer.body).chain(blanks),
                64 * 1024,
            ))
        }
        _ => Body::from(answer.body),
    };
    response
}

/// A body that breaks off, once what came before has been sent: an error at once would take that along.
#[derive(Default)]
struct Severed {
    flushed: bool,
}

impl AsyncRead for Severed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.flushed, true) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Blanks until the shop closes.
struct Blanks {
    house: Arc<House>,
}

impl AsyncRead for Blanks {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.house.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        buf.put_slice(&[b' '; 4096][..buf.remaining().min(4096)]);
        Poll::Ready(Ok(()))
    }
}
