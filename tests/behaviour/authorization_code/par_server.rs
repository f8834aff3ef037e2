//! An authorization server with an endpoint for pushed authorization requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tower_oauth2::Error;
use tower_oauth2::jwt::{Algorithm, Draft, Signed, Signer, signer_fn};
use tower_oauth2::transport::Transport;
use url::Url;

use crate::support::{Body, TokenService, answer, form, token};

pub(super) const PAR_URL: &str = "https://auth.example.com/par?tenant=7";

/// A request that the server received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) uri: String,
    pub(super) headers: HeaderMap,
    pub(super) form: Vec<(String, String)>,
}

/// The endpoint for pushed requests sends these responses in order, and then references: `urn:example:1`, `urn:example:2`, …. All other
/// requests get a token.
#[derive(Clone, Default)]
pub(super) struct ParServer {
    responses: Arc<Mutex<VecDeque<http::Response<Body>>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl ParServer {
    pub(super) fn respond(self, response: http::Response<Body>) -> Self {
        self.responses.lock().unwrap().push_back(response);
        self
    }

    pub(super) fn service(&self) -> TokenService {
        let server = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (uri, headers) = (request.uri().to_string(), request.headers().clone());
                let is_push = uri == PAR_URL;
                let form = form(request).await;
                server.received.lock().unwrap().push(Received { uri, headers, form });
                let next = if is_push { server.responses.lock().unwrap().pop_front() } else { None };
                let number = server.received.lock().unwrap().iter().filter(|received| received.uri == PAR_URL).count();
                Ok::<_, BoxError>(next.unwrap_or_else(|| match is_push {
                    true => answer(201, json!({"request_uri": format!("urn:example:{number}"), "expires_in": 60})),
                    false => answer(200, token("a", 3600)),
                }))
            }
        }))
    }

    pub(super) fn transport(&self) -> Transport {
        Transport::new(self.service())
    }

    /// Returns the requests that were received so far.
    pub(super) fn received(&self) -> std::sync::MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap()
    }

    /// Removes and returns the only request that was received.
    pub(super) fn take_one(&self) -> Received {
        let mut all = self.received();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

impl Received {
    pub(super) fn get(&self, name: &str) -> &str {
        get(&self.form, name).unwrap_or_else(|| panic!("no `{name}` in {:?}", self.names()))
    }

    /// Returns the names of the parameters, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.form.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// Returns the value of a parameter, which appears at most once.
pub(super) fn get<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(other, _)| other == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "`{name}` appears twice");
    value
}

/// Returns the query of a URL.
pub(super) fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

/// A signer whose signature is not valid. The tests only read header and claims; `tests/signing` verifies signatures.
pub(super) fn signer() -> impl Signer + Clone {
    signer_fn(async |draft: Draft| -> Result<Signed, Error> {
        Ok(draft.header(Algorithm::Es256, Some("k1"))?.signed(&[1; 64]))
    })
}

/// The header and the claims of a JWT.
pub(super) fn decoded(jwt: &str) -> (Value, Value) {
    let parts: Vec<_> = jwt.split('.').collect();
    assert_eq!(parts.len(), 3, "a signed JWT has three parts");
    assert!(!parts[2].is_empty(), "it is not signed");
    let part = |at: usize| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[at]).unwrap()).unwrap();
    (part(0), part(1))
}
