//! Which requests get the token, and how it gets into them.

use http::header::{AUTHORIZATION, Entry};
use http::uri::Scheme;
use http::{HeaderValue, Request, Uri};

use crate::error::{Error, ErrorKind};
use crate::into_url::is_loopback;
use crate::origin::Origin;

/// Where a token may go. Without origins it goes to every host that a request names, but never over cleartext.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attach {
    pub(crate) origins: Vec<Origin>,
    pub(crate) refuse_foreign: bool,
    pub(crate) override_authorization: bool,
    pub(crate) allow_cleartext: bool,
}

impl Attach {
    /// Whether a request to `uri` may carry the token, at a quick look: when this says no, [`wants`](Self::wants) may say yes.
    #[inline]
    pub(crate) fn plainly_wants(&self, uri: &Uri) -> bool {
        uri.scheme_str() == Some("https") && self.origins.first().is_none_or(|origin| origin.is_plainly_of(uri))
    }

    /// Whether `request` is to carry the token.
    ///
    /// # Errors
    ///
    /// When it must not be sent at all: over cleartext, or to a foreign origin where those are refused.
    pub(crate) fn wants<B>(&self, request: &Request<B>) -> Result<bool, Error> {
        if !self.override_authorization && request.headers().contains_key(AUTHORIZATION) {
            return Ok(false);
        }
        let uri = request.uri();
        // Without an authority it goes where the inner service's fixed channel goes.
        let Some(host) = uri.host() else { return Ok(true) };
        if !self.is_at_home(uri) {
            return if self.refuse_foreign { Err(foreign(host)) } else { Ok(false) };
        }
        if self.allow_cleartext || uri.scheme() == Some(&Scheme::HTTPS) || is_loopback(host) {
            return Ok(true);
        }
        Err(Error::new(ErrorKind::Cleartext, format!("the request goes to `{host}`")))
    }

    fn is_at_home(&self, uri: &Uri) -> bool {
        self.origins.is_empty() || self.origins.iter().any(|origin| origin.is_of(uri))
    }
}

fn foreign(host: &str) -> Error {
    Error::new(ErrorKind::ForeignOrigin, format!("the request goes to `{host}`"))
}

/// Puts the prepared header in, in place of any other: never a second one beside it.
pub(crate) fn insert<B>(request: &mut Request<B>, header: &HeaderValue) {
    request.headers_mut().insert(AUTHORIZATION, header.clone());
}

/// Puts the prepared header in, beside any other: whether there is another. So nothing is looked up twice.
#[inline]
pub(crate) fn append<B>(request: &mut Request<B>, header: &HeaderValue) -> bool {
    request.headers_mut().append(AUTHORIZATION, header.clone())
}

/// Removes what was appended.
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

    #[test]
    fn cleartext_goes_to_this_machine_only() {
        let attach = Attach::default();
        for uri in ["https://api.example.com/", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/", "/path"]
        {
            assert!(attach.wants(&request(uri)).unwrap(), "{uri}");
        }
        for uri in ["http://api.example.com/", "http://10.0.0.1/", "http://127.0.0.1.example.com/", "example.com:80"] {
            assert_eq!(attach.wants(&request(uri)).unwrap_err().kind(), ErrorKind::Cleartext, "{uri}");
        }
        let attach = Attach { allow_cleartext: true, ..attach };
        assert!(attach.wants(&request("http://10.0.0.1/")).unwrap());
    }

    #[test]
    fn a_bound_token_stays_at_home() {
        let origins = vec![Origin::parse("https://api.example.com").unwrap()];
        let attach = Attach { origins, ..Attach::default() };
        assert!(attach.wants(&request("https://api.example.com/v1")).unwrap());
        // Nothing of ours goes there, so cleartext is the caller's business.
        for uri in ["https://evil.example/", "http://api.example.com/", "https://api.example.com:8443/"] {
            assert!(!attach.wants(&request(uri)).unwrap(), "{uri}");
        }
        let attach = Attach { refuse_foreign: true, ..attach };
        let error = attach.wants(&request("https://evil.example/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
    }

    #[test]
    fn an_authorization_of_the_callers_stays() {
        let mut request = request("http://elsewhere.example/");
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Basic eDp5"));
        assert!(!Attach::default().wants(&request).unwrap());
        let attach = Attach { override_authorization: true, allow_cleartext: true, ..Attach::default() };
        assert!(attach.wants(&request).unwrap());
        insert(&mut request, &HeaderValue::from_static("Bearer a"));
        assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
    }

    #[test]
    fn all_that_the_caller_brings_stays_in_its_order() {
        let mut request = request("https://api.example.com/");
        assert!(!append(&mut request, &HeaderValue::from_static("Bearer a")));
        assert!(append(&mut request, &HeaderValue::from_static("Basic eDp5")));
        assert!(append(&mut request, &HeaderValue::from_static("Bearer b")));
        remove_last(&mut request);
        let all: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
        assert_eq!(all, ["Bearer a", "Basic eDp5"]);
    }
}
