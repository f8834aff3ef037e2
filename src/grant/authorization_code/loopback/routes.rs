//! Responds to the requests to the port.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;

use super::page::Page;
use super::pending_login::{CallbackRequest, PendingLogin, PendingPage};

/// The headers that mark speculative requests of browsers and scanners.
const PURPOSE_HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// Responds to a request. If it completes the login, `open` keeps it counted until the connection has ended.
pub(super) async fn respond<'a, B>(
    request: Request<B>,
    login: &'a PendingLogin,
    open: &OnceLock<PendingPage<'a>>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let (is_redirect, is_start) = (login.is_redirect(path), login.is_start(path));
    if !is_redirect && !is_start {
        return response(&Page::unrelated(404, "This page does not exist."));
    }
    if request.method() != Method::GET {
        if is_redirect && request.method() == Method::POST {
            login
                .record_unrelated("it was a POST, and the server must respond with a redirect (`response_mode=query`)");
        }
        let mut response = response(&Page::unrelated(405, "This address accepts redirects only."));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    // The browser repeats the request when the user visits the page. It may discard the response to the prefetch.
    if is_prefetch(request.headers()) {
        return response(&Page::unrelated(503, "This page cannot be prefetched."));
    }
    if is_start {
        return match login.start().map(|location| HeaderValue::try_from(location.as_str())) {
            Some(Ok(location)) => redirect(location),
            _ => response(&Page::unrelated(
                410,
                "This address works once. Start the login again in the program that you came from.",
            )),
        };
    }
    match login.receive(request.uri().query().unwrap_or_default()) {
        CallbackRequest::Unrelated(page) => response(&page),
        CallbackRequest::Completes(page) => response(&open.get_or_init(|| page).page().await),
    }
}

/// Returns whether the request is speculative: a prefetch, a prerender or a preview.
fn is_prefetch(headers: &HeaderMap) -> bool {
    PURPOSE_HEADERS.iter().flat_map(|name| headers.get_all(*name)).any(|value| {
        let value = value.as_bytes().to_ascii_lowercase();
        ["prefetch", "prerender", "preview"]
            .iter()
            .any(|purpose| value.windows(purpose.len()).any(|window| window == purpose.as_bytes()))
    })
}

fn redirect(location: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = http::StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    confidential(response)
}

fn response(page: &Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(page.html()));
    *response.status_mut() = http::StatusCode::from_u16(page.status).unwrap_or_default();
    confidential(response)
}

/// Adds headers that keep the URL private, because it contains a code or a state, and that forbid scripts.
fn confidential(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speculative_requests_are_detected() {
        for (name, value, expected) in [
            ("sec-purpose", "prefetch", true),
            ("Sec-Purpose", "prefetch;prerender", true),
            ("purpose", "Prefetch", true),
            ("x-moz", "prefetch", true),
            ("x-purpose", "preview", true),
            ("sec-purpose", "", false),
            ("sec-fetch-mode", "prefetch", false),
        ] {
            let headers = [(HeaderName::try_from(name).unwrap(), HeaderValue::from_static(value))];
            assert_eq!(is_prefetch(&headers.into_iter().collect()), expected, "{name}: {value}");
        }
    }
}
