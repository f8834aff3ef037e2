//! A proxy or gateway responds in place of the server, or truncates its response: no login is lost, no page is parsed as a token,
//! and `Retry-After` is obeyed.

use std::io;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use tower::{BoxError, service_fn};
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::grant::{ClientCredentials, Context, DeviceCode, Grant as _, RefreshToken};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, client::Client};

use crate::support::{Body, TOKEN_URL, grant};

/// A body that fails or stalls after its first bytes.
struct TruncatedBody {
    bytes: Option<Bytes>,
    stalls: bool,
}

impl HttpBody for TruncatedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(match self.bytes.take() {
            Some(bytes) => Ok(Frame::data(bytes)),
            None if self.stalls => return Poll::Pending,
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }))
    }
}

fn reset() -> TruncatedBody {
    TruncatedBody { bytes: Some(Bytes::from_static(b"<html>")), stalls: false }
}

fn stalled() -> TruncatedBody {
    TruncatedBody { bytes: Some(Bytes::from_static(b"<html>")), stalls: true }
}

fn too_long() -> Body {
    vec![b' '; 1024 * 1024 + 1].into()
}

/// A transport to a server that always sends this response, with a `Retry-After` of 77 s.
fn server<B>(status: u16, body: impl Fn() -> B + Clone + Send + Sync + 'static) -> Transport
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Transport::new(service_fn(move |_: Request<Body>| {
        let response = Response::builder().status(status).header(RETRY_AFTER, "77").body(body()).unwrap();
        async move { Ok::<_, BoxError>(response) }
    }))
}

async fn obtain(http: Transport) -> Result<Token, Error> {
    grant().obtain(Context::new(http)).await
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_server_is_recognized_even_if_its_page_is_truncated() {
    for (status, kind) in [
        (408, ErrorKind::Overloaded),
        (429, ErrorKind::Overloaded),
        (500, ErrorKind::Overloaded),
        (503, ErrorKind::Overloaded),
        (302, ErrorKind::Redirected),
    ] {
        for http in [server(status, reset), server(status, too_long), server(status, stalled)] {
            let error = obtain(http).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status}: {error:?}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(77)), "{status}: {error:?}");
            assert_eq!(error.endpoint(), Some("auth.example.com/token"));
        }
    }
    let reset = obtain(server(403, reset)).await.unwrap_err();
    assert_eq!((reset.kind(), reset.status().unwrap().as_u16()), (ErrorKind::Transport, 403));
    let stalled = obtain(server(200, stalled)).await.unwrap_err();
    assert_eq!((stalled.kind(), stalled.status().unwrap().as_u16()), (ErrorKind::Timeout, 200));
    let too_long = obtain(server(200, too_long)).await.unwrap_err();
    assert_eq!((too_long.kind(), too_long.status().unwrap().as_u16()), (ErrorKind::Malformed, 200));
}

/// Any text parses as some form, and a URL in a page may have parameters that look like those of a token response.
#[tokio::test]
async fn a_page_that_contains_a_url_is_not_parsed_as_a_form() {
    for page in [
        r#"<html><a href="https://sso.example/?next=token&error=invalid_grant&theme=dark">log in</a></html>"#,
        r#"<script>location = "/portal?mac=1&access_token=abc&refresh_token=r&ip=2"</script>"#,
        "Blocked. See https://proxy.example/?user=1&error=invalid_grant&rule=2",
        r#"{"detail": "https://proxy.example/?user=1&error=invalid_grant&rule=2"#,
        "=&error=invalid_grant",
    ] {
        for (status, kind) in [(200, ErrorKind::Malformed), (403, ErrorKind::NotOAuth), (404, ErrorKind::NotOAuth)] {
            let error = obtain(server(status, move || Body::from(page))).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {page}: {error:?}");
        }
    }
    for form in ["access_token=a&expires_in=60", "token%5Ftype=bearer&access_token=a", "x[0]=&access_token=a"] {
        assert_eq!(obtain(server(200, move || Body::from(form))).await.unwrap().access_token(), "a", "{form}");
    }
}

/// A login survives the page of a proxy.
#[tokio::test(start_paused = true)]
async fn a_page_that_contains_a_url_ends_no_login() {
    let page = r#"<a href="https://sso.example/?next=token&error=invalid_grant&theme=dark">log in</a>"#;
    let service = {
        let responses = std::sync::Arc::new(std::sync::Mutex::new(vec![
            Response::new(Body::from(r#"{"access_token": "a"}"#)),
            Response::builder().status(403).body(Body::from(page)).unwrap(),
        ]));
        service_fn(move |_: Request<Body>| {
            let response = responses.lock().unwrap().pop().expect("no third request");
            async move { Ok::<_, BoxError>(response) }
        })
    };
    let grant = RefreshToken::new(TOKEN_URL, Client::public("app"), "r").unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::NotOAuth);
    crate::support::pass(Duration::from_secs(5)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn a_hook_that_panics_does_not_hide_retry_after() {
    let grant = grant().map_response(|response| {
        let _: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        response
    });
    let error = grant.obtain(Context::new(server(429, || Body::from("<html>")))).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Panicked, Some(Duration::from_secs(77))));
}

/// The hook decides whether the token was revoked.
#[tokio::test]
async fn a_revocation_whose_hook_panics_is_an_error() {
    let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", Client::public("app")).unwrap();
    let http = server(200, || Body::from("<html>"));
    endpoint.revoke(&http, &Token::bearer("a").unwrap()).await.unwrap();
    let endpoint = endpoint.map_response(|_| panic!("no JSON"));
    let error = endpoint.revoke(&http, &Token::bearer("a").unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
}

/// Some gateways require a key in the URL.
#[tokio::test]
async fn a_key_in_the_url_of_an_endpoint_is_not_printed() {
    let url = "https://auth.example.com/token?code=hunter2&api_key=hunter2-key";
    let grant = || ClientCredentials::new(url, Client::basic("id", "secret")).unwrap();
    let device = DeviceCode::new(url, TOKEN_URL, Client::public("app"), |_: &_| {}).unwrap();
    let printed = format!("{:?} {:#?} {device:?} {:?}", grant(), grant(), grant().persisted(MemoryStore::new()));
    assert!(printed.contains("auth.example.com/token") && !printed.contains("hunter2"), "{printed}");
    let body = r#"{"error":"invalid_request","error_description":"no such key: hunter2-key"}"#;
    let error = grant().obtain(Context::new(server(400, move || Body::from(body)))).await.unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(printed.contains("invalid_request") && !printed.contains("hunter2"), "{printed}");
}

/// Many servers put the charset into the wrong header. Browsers and curl accept their responses.
#[tokio::test]
async fn a_charset_is_not_a_content_coding() {
    for (coding, status, body) in [
        ("UTF-8", 200, r#"{"access_token":"a"}"#),
        ("utf8", 200, "access_token=a"),
        ("none", 200, r#"{"access_token":"a"}"#),
        ("utf-8", 400, r#"{"error":"invalid_scope"}"#),
    ] {
        let http = Transport::new(service_fn(move |_: Request<Body>| async move {
            Response::builder().status(status).header("content-encoding", coding).body(Body::from(body))
        }));
        match obtain(http).await {
            Ok(token) => assert_eq!((token.access_token(), status), ("a", 200)),
            Err(error) => assert_eq!((error.kind(), status), (ErrorKind::RequestRejected, 400), "{coding}: {error:?}"),
        }
    }
}
