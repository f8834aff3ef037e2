//! Requests the metadata from one address after another (RFC 8414 §3, OpenID Connect Discovery 1.0 §4).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use serde_json::{Map, Value};
use url::Url;

use super::cache_control;
use super::metadata::{AddressRules, Metadata};
use crate::catch_panic::catch_panic;
use crate::clock;
use crate::endpoint::protocol_headers;
use crate::endpoint::request_secrets::RequestSecrets;
use crate::endpoint::{classify, response, response_body, retry_after};
use crate::error::{Error, ErrorKind};
use crate::into_url::WithoutQuery;
use crate::text::{printable, repeats_secret};
use crate::transport::Transport;

/// The maximum length of the issuer of a document in an error, so that the reasons of the other addresses are shown too.
const MAX_ISSUER_SHOWN: usize = 128;

/// How the metadata of one issuer is found, and which document is accepted.
#[derive(Clone)]
pub(super) struct Discovery {
    pub(super) issuer: String,
    pub(super) addresses: Vec<Url>,
    pub(super) rules: AddressRules,
    /// Accepts other issuers.
    pub(super) accepts: Option<Arc<AcceptIssuer>>,
}

type AcceptIssuer = dyn Fn(&str) -> bool + Send + Sync;

/// A document that was received, and how long it is kept.
pub(super) struct Fetched {
    pub(super) metadata: Arc<Metadata>,
    pub(super) lifetime: Duration,
}

/// The reason for which an address has no usable document.
enum Unusable {
    /// The next address may have it. The text follows the address.
    TryNext(String),
    /// The server is down, or the transport is.
    Outage(Error),
}

impl Discovery {
    pub(super) fn accepts(&self, issuer: &str) -> bool {
        // A redirect of a browser must not end the login with the panic of the application's function.
        let is_accepted = |accepts: &AcceptIssuer| catch_panic(|| accepts(issuer)).unwrap_or(false);
        issuer == self.issuer || self.accepts.as_deref().is_some_and(is_accepted)
    }

    /// Fetches the document, within the limit in all.
    pub(super) async fn fetch(&self, http: &Transport, limit: Duration) -> Result<Fetched, Error> {
        let fetching = async {
            let mut reasons = Vec::new();
            for address in &self.addresses {
                match self.fetch_from(http, address).await {
                    Ok(fetched) => return Ok(fetched),
                    Err(Unusable::Outage(error)) => return Err(error),
                    Err(Unusable::TryNext(why)) => {
                        reasons.push(format!("{:?}: {why}", WithoutQuery(address.as_str())));
                    }
                }
            }
            let reasons = reasons.join("; ");
            Err(Error::malformed(format!("no address has the metadata of the issuer `{}`: {reasons}", self.issuer)))
        };
        let too_late =
            || Error::new(ErrorKind::Timeout, format!("no metadata of the issuer `{}` within {limit:?}", self.issuer));
        clock::within(limit, fetching).await.unwrap_or_else(|| Err(too_late()))
    }

    async fn fetch_from(&self, http: &Transport, address: &Url) -> Result<Fetched, Unusable> {
        let uri = Uri::try_from(address.as_str()).map_err(|why| Unusable::TryNext(why.to_string()))?;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri.clone();
        protocol_headers::insert(request.headers_mut());
        let response = http.receive(request).await.map_err(Unusable::Outage)?;
        let (status, now) = (response.status(), clock::now());
        if classify::is_overloaded(status) {
            let error = Error::new(ErrorKind::Overloaded, "").with_status(status).with_endpoint(&uri);
            return Err(Unusable::Outage(error.with_retry_after_header(retry_after::parse(response.headers(), now))));
        }
        if status != StatusCode::OK {
            let redirect = if status.is_redirection() { ", a redirect, which is not followed" } else { "" };
            return Err(Unusable::TryNext(format!("status {}{redirect}", status.as_u16())));
        }
        // The server may repeat the key in the query of its address.
        let mut secrets = RequestSecrets::default();
        secrets.add_query(&uri);
        let secrets = secrets.texts();
        let response = response_body::decoded(response, http.max_response_size(), now, &secrets);
        let response = response.map_err(|error| match error.kind() {
            ErrorKind::Malformed => Unusable::TryNext(error.context().to_owned()),
            _ => Unusable::Outage(error.with_endpoint(&uri)),
        })?;
        let metadata = Arc::new(self.read(response.body(), &secrets).map_err(Unusable::TryNext)?);
        Ok(Fetched { metadata, lifetime: cache_control::lifetime(response.headers()) })
    }

    /// Parses a document, and compares its issuer (RFC 8414 §3.3).
    fn read(&self, body: &[u8], secrets: &[&str]) -> Result<Metadata, String> {
        let members: Map<String, Value> = serde_json::from_slice(response::without_byte_order_mark(body))
            .map_err(|_| "the document is not a JSON object".to_owned())?;
        let metadata = Metadata::read(members, self.rules)?;
        let issuer = metadata.issuer();
        if !self.accepts(issuer) {
            let shown = match repeats_secret(issuer, secrets) {
                true => "(one that cannot be printed)".to_owned(),
                false => printable(issuer, MAX_ISSUER_SHOWN),
            };
            return Err(format!("the document is that of the issuer `{shown}`; the two are compared exactly"));
        }
        Ok(metadata)
    }
}
