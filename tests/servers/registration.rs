//! Clients that a test registers at oidc-provider with its own keys (RFC 7591), and changes later (RFC 7592).

use std::fs;
use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use tower::{BoxError, Service};
use tower_oauth2::jwt::Key;

use crate::plain::send;

/// A registration over https needs it, and others ignore it.
const INITIAL_ACCESS_TOKEN: &str = "initial-access-token";

/// A registered client, as the server describes it.
pub(crate) struct Registered(Value);

impl Registered {
    /// Registers a client for client credentials. `http` sends the requests.
    pub(crate) async fn new<S>(http: S, url: &str, metadata: Value) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = http::Response<Incoming>, Error: Into<BoxError>>,
    {
        let mut all = json!({
            "grant_types": ["client_credentials"],
            "redirect_uris": [],
            "response_types": [],
            "scope": "api:read api:write",
        });
        all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        let (status, client) = send(http, request(Method::POST, url, INITIAL_ACCESS_TOKEN, &all)).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{client}");
        Self(client)
    }

    pub(crate) fn id(&self) -> &str {
        self.0["client_id"].as_str().unwrap()
    }

    /// Replaces the keys, so that the server rejects the others from now on.
    pub(crate) async fn set_keys<S>(&self, http: S, keys: Value)
    where
        S: Service<Request<Full<Bytes>>, Response = http::Response<Incoming>, Error: Into<BoxError>>,
    {
        let mut metadata = self.0.clone();
        let members = metadata.as_object_mut().unwrap();
        let url = members.remove("registration_client_uri").unwrap();
        let token = members.remove("registration_access_token").unwrap();
        members.retain(|name, _| !name.ends_with("_at"));
        members.insert("jwks".to_owned(), keys);
        let request = request(Method::PUT, url.as_str().unwrap(), token.as_str().unwrap(), &metadata);
        let (status, client) = send(http, request).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{client}");
    }
}

fn request(method: Method, url: &str, token: &str, body: &Value) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(url).header(CONTENT_TYPE, "application/json");
    let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(body.to_string().into()).unwrap()
}

/// Returns a JWK set with the public part of this key.
pub(crate) fn jwks(pem: &str) -> Value {
    let key = Key::from_pem(pem).unwrap();
    let id = key.thumbprint().to_owned();
    let jwk: Value = serde_json::from_str(&key.id(id).to_public_jwk()).unwrap();
    json!({ "keys": [jwk] })
}

/// A directory for the files of a test, which is removed with its content.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
