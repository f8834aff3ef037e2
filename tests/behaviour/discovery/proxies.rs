//! I4: the answer of a proxy, a portal or a gateway in place of the document.

use std::time::Duration;

use serde_json::json;
use tower::{BoxError, Layer, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::transport::Transport;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{Body, answer, pass};

type Page = fn() -> http::Response<Body>;

#[tokio::test(start_paused = true)]
async fn the_kind_of_the_error_for_a_page_at_every_address() {
    let login: Page = || {
        let mut response = answer(302, "");
        response.headers_mut().insert("location", "https://portal.hotel.example/login".parse().unwrap());
        response
    };
    let nested: Page = || answer(200, format!("{{\"issuer\": \"{ISSUER}\", \"x\": {}", "[".repeat(200_000)));
    let gzip: Page = || {
        let mut response = answer(200, "not gzip");
        response.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        response
    };
    let pages: [(&str, Page, ErrorKind); 12] = [
        ("a portal", || answer(200, "<html>Welcome to our hotel</html>"), ErrorKind::Malformed),
        ("a redirect to a portal", login, ErrorKind::Malformed),
        ("a network that requires a login", || answer(511, "<html>"), ErrorKind::Overloaded),
        ("a proxy that requires a login", || answer(407, ""), ErrorKind::Malformed),
        ("an overloaded gateway", || answer(503, "<html>"), ErrorKind::Overloaded),
        ("a request timeout", || answer(408, ""), ErrorKind::Overloaded),
        ("an empty object", || answer(200, "{}"), ErrorKind::Malformed),
        ("null", || answer(200, "null"), ErrorKind::Malformed),
        ("two documents", || answer(200, format!("{}{}", document(), document())), ErrorKind::Malformed),
        ("an issuer that is null", || answer(200, json!({"issuer": null})), ErrorKind::Malformed),
        ("deep nesting", nested, ErrorKind::Malformed),
        ("a wrong content coding", gzip, ErrorKind::Malformed),
    ];
    for (what, page, kind) in pages {
        let site = Site::default();
        site.page(OAUTH_DOCUMENT, page);
        site.page("https://auth.example.com/.well-known/openid-configuration", page);
        let grant = ClientCredentials::from_issuer(ISSUER, Client::basic("id", "secret")).unwrap();
        let service = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service());
        let tokens = service.tokens();
        let error = tokens.get().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        // It is not final: the back-off passes, and the network works.
        site.json(OAUTH_DOCUMENT, document());
        site.json("https://auth.example.com/token", crate::support::token("a", 60));
        pass(Duration::from_secs(2)).await;
        tokens.get().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_with_a_byte_order_mark_or_the_status_of_a_cache_is_used() {
    let site = Site::new();
    site.page(OAUTH_DOCUMENT, || {
        let mut response = answer(200, format!("\u{feff} {}\n", document()));
        response.headers_mut().insert("content-type", "text/html; charset=utf-8".parse().unwrap());
        response.headers_mut().insert("age", "17".parse().unwrap());
        response
    });
    Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap();
}

#[cfg(feature = "decompression")]
#[tokio::test(start_paused = true)]
async fn a_compressed_document_is_decoded_within_the_limit() {
    use std::io::Write as _;

    for (filler, works) in [(10, true), (2 << 20, false)] {
        let mut document = document();
        document["x"] = json!("x".repeat(filler));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(document.to_string().as_bytes()).unwrap();
        let body = encoder.finish().unwrap();
        let site = Site::new();
        site.page(OAUTH_DOCUMENT, move || {
            let response = http::Response::builder().header("content-encoding", "gzip");
            response.body(body.clone().into()).unwrap()
        });
        let outcome = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await;
        assert_eq!(outcome.is_ok(), works, "{outcome:?}");
    }
}

/// The status and the first bytes arrive, and then nothing, or the connection is closed.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_an_outage() {
    use http_body_util::StreamBody;

    let frame = || Ok::<_, BoxError>(http_body::Frame::data(bytes::Bytes::from_static(b"{")));
    for (closes, kind) in [(true, ErrorKind::Transport), (false, ErrorKind::Timeout)] {
        let http = Transport::new(service_fn(move |_: http::Request<Body>| async move {
            let rest = futures_util::stream::poll_fn(move |_| match closes {
                true => std::task::Poll::Ready(Some(Err(BoxError::from("connection closed")))),
                false => std::task::Poll::Pending,
            });
            let first = futures_util::stream::iter([frame()]);
            let body = StreamBody::new(futures_util::StreamExt::chain(first, rest));
            Ok::<_, BoxError>(http::Response::new(body))
        }));
        let start = tokio::time::Instant::now();
        let error = Issuer::new(ISSUER).unwrap().metadata(&http).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.endpoint(), Some("auth.example.com/.well-known/oauth-authorization-server"));
        assert_eq!(start.elapsed().as_secs(), if closes { 0 } else { 30 });
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_members_with_one_name_the_last_one_counts_for_everything() {
    let site = Site::new();
    site.page(OAUTH_DOCUMENT, || {
        answer(200, format!("{{\"issuer\": \"https://evil.example.com\", \"issuer\": \"{ISSUER}\"}}"))
    });
    let metadata = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap();
    assert_eq!((metadata.issuer(), metadata.member("issuer").unwrap()), (ISSUER, &json!(ISSUER)));
}
