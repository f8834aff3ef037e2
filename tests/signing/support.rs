//! An authorization server that records its requests, and readers for what it got.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tower_oauth2::transport::Transport;

pub(crate) type Body = Full<Bytes>;

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/token";
pub(crate) const ISSUER: &str = "https://auth.example.com";

/// A token request that the server received.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) form: BTreeMap<String, String>,
    /// All pairs of the form, in their order.
    pub(crate) pairs: Vec<(String, String)>,
}

/// A server that sends these responses, one after the other, and then tokens.
#[derive(Clone, Default)]
pub(crate) struct Server {
    responses: Arc<Mutex<VecDeque<(u16, Value)>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub(crate) fn respond(self, status: u16, body: Value) -> Self {
        self.responses.lock().unwrap().push_back((status, body));
        self
    }

    pub(crate) fn service(&self) -> BoxCloneSyncService<Request<Body>, Response<Body>, Infallible> {
        let server = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let Ok(body) = body.collect().await;
                let pairs: Vec<_> = url::form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
                let form = pairs.iter().cloned().collect();
                server.received.lock().unwrap().push(Received { headers: parts.headers, form, pairs });
                let number = server.received.lock().unwrap().len();
                let (status, body) = server.responses.lock().unwrap().pop_front().unwrap_or_else(|| {
                    (200, json!({"access_token": format!("a{number}"), "token_type": "Bearer", "expires_in": 3600}))
                });
                Ok(Response::builder().status(status).body(body.to_string().into()).unwrap())
            }
        }))
    }

    pub(crate) fn transport(&self) -> Transport {
        Transport::new(self.service())
    }

    /// Removes and returns the requests that were received so far.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// Returns the only request that was received since the last call.
    pub(crate) fn take_one(&self) -> Received {
        let mut all = self.take();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

impl Received {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or_else(|| panic!("no `{name}` in {:?}", self.form.keys()))
    }
}

/// The header and the claims of a JWT.
pub(crate) fn decoded(jwt: &str) -> (Value, Value) {
    let parts: Vec<_> = jwt.split('.').collect();
    assert_eq!(parts.len(), 3, "a signed JWT has three parts");
    let part = |at: usize| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[at]).unwrap()).unwrap();
    (part(0), part(1))
}

/// Reads a key or a certificate of this folder.
pub(crate) fn pem(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signing/keys").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// An error with all its causes, as a log would print it.
pub(crate) fn printed(error: &tower_oauth2::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
