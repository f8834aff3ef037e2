//! Builds a request to an endpoint: the form, the headers of the protocol and of the user, and the changes by `map_request`.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Uri};

use super::endpoint_address::ResolvedAddress;
use super::protocol_headers;
use super::request_secrets::RequestSecrets;
use super::token_endpoint::TokenEndpoint;
use crate::client::Authenticated;
use crate::error::{Error, ErrorKind};
use crate::form::Form;
use crate::into_url::is_loopback;
use crate::secret::Secret;
use crate::transport::Transport;

impl TokenEndpoint {
    /// Builds the request that posts `form` to `address`, and collects its secrets.
    pub(super) async fn request(
        &self,
        http: &Transport,
        address: &ResolvedAddress,
        form: Form,
    ) -> Result<(Request<Bytes>, RequestSecrets), Error> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        protocol_headers::insert(&mut headers);
        let cx = self.source_context_at(http, address);
        let uri = &address.uri;
        let Authenticated { form, secret } = self.client.authenticate(form, &mut headers, cx).await?;

        let mut secrets = RequestSecrets::default();
        let fetched = secret.as_ref().map(Secret::expose);
        form.secrets().chain(self.client.secret()).chain(fetched).for_each(|secret| secrets.add(secret));
        secrets.add_headers(&headers);
        secrets.add_query(uri.query());

        let mut request = Request::new(form.encode());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let request = self.mapped(request, uri, &mut secrets)?;
        Ok((request, secrets))
    }

    /// Applies the application's `map_request`, which may add secrets.
    pub(super) fn mapped(
        &self,
        request: Request<Bytes>,
        uri: &Uri,
        secrets: &mut RequestSecrets,
    ) -> Result<Request<Bytes>, Error> {
        if self.hooks.keep_requests() {
            return Ok(request);
        }
        let request = self.hooks.map_request(request)?;
        self.check_destination(uri, request.uri())?;
        secrets.add_request(&request);
        Ok(request)
    }

    /// Checks that a changed request is sent to the same server, because it contains the client secret.
    fn check_destination(&self, uri: &Uri, changed: &Uri) -> Result<(), Error> {
        if is_same_origin(uri, changed) {
            return Ok(());
        }
        let host = changed.host().unwrap_or_default();
        if changed.scheme() == Some(&Scheme::HTTP) && !self.cleartext && !is_loopback(host) {
            return Err(Error::new(ErrorKind::Cleartext, format!("`map_request` changed the address to `{host}`")));
        }
        Err(Error::argument("map_request", "may change path and query of the address, not its scheme, host or port"))
    }
}

/// Returns whether both have the same scheme, host and port, and `changed` has no user information.
fn is_same_origin(uri: &Uri, changed: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 });
    let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
    let has_user = changed.authority().is_some_and(|authority| authority.as_str().contains('@'));
    uri.scheme() == changed.scheme() && host(uri) == host(changed) && port(uri) == port(changed) && !has_user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_may_differ() {
        for (changed, is_same) in [
            ("https://auth.example.com/other?x=1", true),
            ("https://AUTH.example.com:443/token", true),
            ("http://auth.example.com/token", false),
            ("https://auth.example.com:8443/token", false),
            ("https://auth.example.com.evil.example/token", false),
            ("https://me@auth.example.com/token", false),
            ("/token", false),
            ("auth.example.com", false),
            ("*", false),
        ] {
            let uri = Uri::from_static("https://auth.example.com/token");
            assert_eq!(is_same_origin(&uri, &changed.parse().unwrap()), is_same, "{changed}");
        }
    }
}
