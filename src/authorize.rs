//! Which requests carry the token, and how it is attached to them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{AUTHORIZATION, Entry};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use crate::dpop::{DPOP_HEADER, Htu};
use crate::error::{Error, ErrorKind};
use crate::into_url::is_loopback;
use crate::origin::{Origin, is_tls};

/// Where a token may be sent. Without origins it is sent to every host, but never over cleartext.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizePolicy {
    pub(crate) origins: Vec<Origin>,
    pub(crate) deny_other_origins: bool,
    pub(crate) override_authorization: bool,
    pub(crate) allow_cleartext: bool,
    /// Whether requests are sent without a token until a server demands one.
    pub(crate) on_challenge: bool,
    /// The header that carries the token.
    pub(crate) header: HeaderName,
    /// Whether the tokens may be bound to a key. The header of such a token is always `Authorization` (RFC 9449 §7.1).
    pub(crate) may_be_bound: bool,
}

impl Default for AuthorizePolicy {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            deny_other_origins: false,
            override_authorization: false,
            allow_cleartext: false,
            on_challenge: false,
            header: AUTHORIZATION,
            may_be_bound: false,
        }
    }
}

impl AuthorizePolicy {
    /// Returns the part of the policy for the fast path.
    pub(crate) fn fast(&self) -> FastPolicy {
        let first = self.origins.first().map(|origin| origin.fast_authority().unwrap_or(NO_AUTHORITY));
        let has_fast_path = self.header == AUTHORIZATION && !self.lacks_origin();
        let first = if has_fast_path { first } else { Some(NO_AUTHORITY) };
        FastPolicy { authority: first.map(Box::from) }
    }

    /// Returns whether to attach the token to `request`.
    ///
    /// # Errors
    ///
    /// If the request must not be sent: the token would be sent over cleartext, or the origin of the request is denied. A denied origin is
    /// an error even if the request has its own header. All requests fail if any host could demand a token.
    pub(crate) fn should_authorize<B>(&self, request: &Request<B>) -> Result<bool, Error> {
        let uri = request.uri();
        if self.lacks_origin() {
            let why = "needs the origin of the API, because otherwise any host could start a login: add `.origin(…)` to the layer";
            return Err(Error::argument("on_challenge", why));
        }
        let is_allowed = self.is_allowed_origin(uri);
        if !is_allowed && self.deny_other_origins {
            return Err(denied(ErrorKind::OriginDenied, uri));
        }
        if !is_allowed || (!self.override_authorization && self.has_own_authorization(request.headers())) {
            return Ok(false);
        }
        // A request without a host goes to the only server of the inner service, whose scheme is not known here.
        let is_protected =
            uri.host().is_none_or(|host| uri.scheme().and_then(is_tls) == Some(true) || is_loopback(host));
        if is_protected || self.allow_cleartext { Ok(true) } else { Err(denied(ErrorKind::Cleartext, uri)) }
    }

    /// Returns whether any host could demand a token.
    fn lacks_origin(&self) -> bool {
        self.on_challenge && self.origins.is_empty()
    }

    fn has_own_authorization(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(&self.header) || (self.may_be_bound && headers.contains_key(AUTHORIZATION))
    }

    /// Returns whether the token may be sent to the origin of `uri`. A request without a host goes to the only server of the inner
    /// service, which is allowed.
    fn is_allowed_origin(&self, uri: &Uri) -> bool {
        self.origins.is_empty() || uri.host().is_none() || self.origins.iter().any(|origin| origin.matches(uri))
    }

    /// Attaches the token. Replaces other values of its header.
    pub(crate) fn insert<B>(&self, request: &mut Request<B>, value: &HeaderValue) {
        request.headers_mut().insert(&self.header, value.clone());
    }

    /// Returns the address that a proof for a request to `uri` names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a request without authority, such as one of tonic, unless there is exactly one origin.
    pub(crate) fn htu(&self, uri: &Uri) -> Result<Htu, Error> {
        if uri.authority().is_some() {
            return Htu::new(uri);
        }
        match self.origins.split_first() {
            Some((origin, others)) if others.iter().all(|other| other == origin) => {
                Ok(Htu::at_origin(origin, uri.path()))
            }
            _ => Err(Error::new(
                ErrorKind::Configuration,
                "the request has no authority for its DPoP proof: name the origin of the API with `OAuth2Layer::origin`, exactly one",
            )),
        }
    }
}

/// The policy that a layer shares with its handles. A change applies to all of its handles.
#[derive(Clone, Default)]
pub(crate) struct SharedPolicy(Arc<ArcSwap<AuthorizePolicy>>);

impl SharedPolicy {
    /// Creates the policy of a layer whose tokens may be bound to a key.
    pub(crate) fn for_bound_tokens() -> Self {
        let policy = Self::default();
        policy.update(|policy| policy.may_be_bound = true);
        policy
    }

    pub(crate) fn load(&self) -> Arc<AuthorizePolicy> {
        self.0.load_full()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut AuthorizePolicy)) {
        let mut policy = AuthorizePolicy::clone(&self.load());
        change(&mut policy);
        self.0.store(Arc::new(policy));
    }

    /// Returns a copy that can be changed independently.
    pub(crate) fn fork(&self) -> Self {
        Self(Arc::new(ArcSwap::new(self.load())))
    }
}

/// The part of the policy for the fast path: `https` requests to the first origin.
#[derive(Clone, Debug)]
pub(crate) struct FastPolicy {
    /// The authority of the first origin, if there is one.
    authority: Option<Box<str>>,
}

/// An authority that no request has, so that each request gets the full check.
const NO_AUTHORITY: &str = "";

impl FastPolicy {
    /// Checks quickly whether to attach the token to a request to `uri`.
    ///
    /// If it returns `false`, [`AuthorizePolicy::should_authorize`] may still return `true`. The caller checks whether the request already has
    /// an `Authorization` header.
    #[inline]
    pub(crate) fn should_authorize(&self, uri: &Uri) -> bool {
        uri.scheme_str() == Some("https")
            && self
                .authority
                .as_ref()
                .is_none_or(|first| uri.authority().is_some_and(|other| other.as_str() == &**first))
    }
}

fn denied(kind: ErrorKind, uri: &Uri) -> Error {
    // Scheme and port are included, because they may be the reason. User information is not, because it may be a secret.
    let scheme = uri.scheme_str().map_or_else(|| "no scheme, ".to_owned(), |scheme| format!("{scheme}://"));
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    Error::new(kind, format!("the request goes to `{scheme}{}{port}`", uri.host().unwrap_or_default()))
}

/// Attaches a bound token with its proof. Their headers are fixed (RFC 9449 §7.1).
pub(crate) fn insert_with_proof<B>(request: &mut Request<B>, token: &HeaderValue, proof: HeaderValue) {
    request.headers_mut().insert(AUTHORIZATION, token.clone());
    request.headers_mut().insert(DPOP_HEADER, proof);
}

/// Adds an `Authorization` header. Returns whether the request already had one. Both take one lookup.
#[inline]
pub(crate) fn append<B>(request: &mut Request<B>, value: &HeaderValue) -> bool {
    request.headers_mut().append(AUTHORIZATION, value.clone())
}

/// Removes the `Authorization` header that [`append`] added.
pub(crate) fn remove_last<B>(request: &mut Request<B>) {
    let headers = request.headers_mut();
    let Entry::Occupied(entry) = headers.entry(AUTHORIZATION) else { return };
    let mut all: Vec<_> = entry.remove_entry_mult().1.collect();
    all.pop();
    for header in all {
        headers.append(AUTHORIZATION, header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    fn with_header(uri: &str, name: &HeaderName) -> Request<()> {
        Request::get(uri).header(name, "Basic eDp5").body(()).unwrap()
    }

    fn bound_to(origin: &str) -> AuthorizePolicy {
        AuthorizePolicy { origins: vec![Origin::parse(origin).unwrap()], ..AuthorizePolicy::default() }
    }

    #[test]
    fn cleartext_is_allowed_to_loopback_only() {
        let policy = AuthorizePolicy::default();
        for uri in [
            "https://api.example.com/",
            "wss://api.example.com/",
            "WSS://api.example.com/",
            "http://127.0.0.1:8080/",
            "ws://127.0.0.1:8080/",
            "ws://[::1]/",
            "http://localhost/",
            "/path",
        ] {
            assert!(policy.should_authorize(&request(uri)).unwrap(), "{uri}");
        }
        let allowing = AuthorizePolicy { allow_cleartext: true, ..AuthorizePolicy::default() };
        for uri in [
            "http://api.example.com/",
            "ws://api.example.com/",
            "http://10.0.0.1/",
            "ws://10.0.0.1/",
            "http://127.0.0.1.example.com/",
            "ftp://api.example.com/",
            "example.com:80",
        ] {
            assert_eq!(policy.should_authorize(&request(uri)).unwrap_err().kind(), ErrorKind::Cleartext, "{uri}");
            assert!(!policy.fast().should_authorize(request(uri).uri()), "{uri}");
            assert!(allowing.should_authorize(&request(uri)).unwrap(), "{uri}");
        }
    }

    #[test]
    fn a_bound_token_goes_to_its_origin_only() {
        for origin in ["https://api.example.com", "wss://api.example.com"] {
            let policy = bound_to(origin);
            for uri in ["https://api.example.com/v1", "wss://api.example.com/events", "/path"] {
                assert!(policy.should_authorize(&request(uri)).unwrap(), "{origin}, {uri}");
            }
            let denying = AuthorizePolicy { deny_other_origins: true, ..policy.clone() };
            // The token is not sent there, so cleartext is not an error.
            for uri in [
                "https://evil.example/",
                "http://api.example.com/",
                "ws://api.example.com/",
                "wss://api.example.com:80/",
            ] {
                assert!(!policy.should_authorize(&request(uri)).unwrap(), "{origin}, {uri}");
                let error = denying.should_authorize(&request(uri)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::OriginDenied, "{origin}, {uri}");
            }
        }
    }

    #[test]
    fn the_fast_check_allows_only_what_the_full_check_allows() {
        let uris =
            ["https://h/", "wss://h/", "http://h/", "ws://h/", "https://h:443/", "https://H/", "wss://other/", "/"];
        let mut found = 0;
        for policy in [AuthorizePolicy::default(), bound_to("https://h"), bound_to("wss://h"), bound_to("ws://h")] {
            for uri in uris {
                if policy.fast().should_authorize(request(uri).uri()) {
                    assert!(policy.should_authorize(&request(uri)).unwrap(), "{policy:?}, {uri}");
                    found += 1;
                }
            }
        }
        // Without origins: each `https` address. With an `https` origin: the exact address of the origin.
        assert_eq!(found, 3 + 1 + 1);
    }

    #[test]
    fn a_header_of_the_request_is_kept() {
        let mut request = with_header("http://elsewhere.example/", &AUTHORIZATION);
        assert!(!AuthorizePolicy::default().should_authorize(&request).unwrap());
        let policy =
            AuthorizePolicy { override_authorization: true, allow_cleartext: true, ..AuthorizePolicy::default() };
        assert!(policy.should_authorize(&request).unwrap());
        policy.insert(&mut request, &HeaderValue::from_static("Bearer a"));
        assert_eq!(request.headers().get_all(AUTHORIZATION).iter().collect::<Vec<_>>(), ["Bearer a"]);
    }

    #[test]
    fn another_origin_is_denied_even_with_a_header_of_the_request() {
        let policy = AuthorizePolicy { deny_other_origins: true, ..bound_to("https://api.example.com") };
        let error = policy.should_authorize(&with_header("https://evil.example/", &AUTHORIZATION)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OriginDenied);
        assert!(!policy.should_authorize(&with_header("https://api.example.com/", &AUTHORIZATION)).unwrap());
    }

    #[test]
    fn the_configured_header_carries_the_token() {
        let header = HeaderName::from_static("x-access-token");
        let policy = AuthorizePolicy { header: header.clone(), ..AuthorizePolicy::default() };
        let uri = "https://api.example.com/";
        assert!(policy.should_authorize(&with_header(uri, &AUTHORIZATION)).unwrap());
        assert!(!policy.should_authorize(&with_header(uri, &header)).unwrap());
        assert!(AuthorizePolicy::default().fast().should_authorize(request(uri).uri()));
        assert!(!policy.fast().should_authorize(request(uri).uri()), "the fast path appends `Authorization`");
    }

    #[test]
    fn all_headers_of_the_request_are_kept_in_order() {
        let mut request = request("https://api.example.com/");
        assert!(!append(&mut request, &HeaderValue::from_static("Bearer a")));
        assert!(append(&mut request, &HeaderValue::from_static("Basic eDp5")));
        assert!(append(&mut request, &HeaderValue::from_static("Bearer b")));
        remove_last(&mut request);
        let all: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
        assert_eq!(all, ["Bearer a", "Basic eDp5"]);
    }
}
