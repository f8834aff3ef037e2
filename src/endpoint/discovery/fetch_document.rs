//! Requests a metadata document from one address (RFC 8414 §3, RFC 9728 §3).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use serde_json::{Map, Value};
use url::Url;

use super::cache_control;
use crate::clock;
use crate::endpoint::protocol_headers;
use crate::endpoint::request_secrets::RequestSecrets;
use crate::endpoint::{classify, response, response_body, retry_after};
use crate::error::{Error, ErrorKind};
use crate::transport::Transport;

/// A JSON object that was received, and how long it is kept.
pub(super) struct JsonDocument {
    pub(super) members: Map<String, Value>,
    pub(super) lifetime: Duration,
    /// The secrets of the address. The server may repeat them.
    pub(super) secrets: RequestSecrets,
}

/// The reason for which an address has no usable document.
pub(super) enum Unusable {
    /// The status is 404.
    NotFound,
    /// There is something else at this address. The text follows the address.
    Other(String),
    /// The server is down, or the transport is.
    Outage(Error),
}

impl JsonDocument {
    /// Fetches the document. Redirects are not followed.
    pub(super) async fn fetch(http: &Transport, address: &Url) -> Result<Self, Unusable> {
        let uri = Uri::try_from(address.as_str()).map_err(|why| Unusable::Other(why.to_string()))?;
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
        if status == StatusCode::NOT_FOUND {
            return Err(Unusable::NotFound);
        }
        if status != StatusCode::OK {
            let redirect = if status.is_redirection() { ", a redirect, which is not followed" } else { "" };
            return Err(Unusable::Other(format!("status {}{redirect}", status.as_u16())));
        }
        // The server may repeat the key in the query of its address.
        let mut secrets = RequestSecrets::default();
        secrets.add_query(uri.query());
        let response = response_body::decoded(response, http.max_response_size(), now, &secrets.texts());
        let response = response.map_err(|error| match error.kind() {
            ErrorKind::Malformed => Unusable::Other(error.context().to_owned()),
            _ => Unusable::Outage(error.with_endpoint(&uri)),
        })?;
        let members = serde_json::from_slice(response::without_byte_order_mark(response.body()))
            .map_err(|_| Unusable::Other("the document is not a JSON object".to_owned()))?;
        Ok(Self { members, lifetime: cache_control::lifetime(response.headers()), secrets })
    }
}

impl Unusable {
    /// Returns the error of an outage, or the reason for which the next address is tried.
    pub(super) fn reason(self) -> Result<String, Error> {
        match self {
            Self::NotFound => Ok("status 404".to_owned()),
            Self::Other(why) => Ok(why),
            Self::Outage(error) => Err(error),
        }
    }
}
