//! The grant for an API of which only the URL is known (RFC 9728, RFC 7591, the authorization of MCP).

mod clients;
mod first_challenge;
mod kept_logins;
mod logins;
mod machines;
mod metadata;
mod migration;
mod options;
mod registered_clients;
mod registration;
mod repeated_keys;
mod scopes;
mod servers;
mod shared_stores;
mod stored;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use serde_json::{Value, json};
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer as _, Service, ServiceExt as _};
use tower_oauth2::grant::{Grant, ProtectedResource};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{OAuth2, OAuth2Layer, Tokens};
use url::Url;

use crate::discovery::site::{ISSUER, OAUTH_DOCUMENT, Received, Site};
use crate::support::{Body, answer, get};

pub(super) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(super) const INSERTED: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
pub(super) const ROOT: &str = "https://mcp.example.com/.well-known/oauth-protected-resource";
pub(super) const TOKEN: &str = "https://auth.example.com/token";
pub(super) const REGISTER: &str = "https://auth.example.com/register";

type Inner = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A resource, its authorization server, and a user with a browser. Clones share them.
#[derive(Clone)]
pub(super) struct World {
    pub(super) site: Site,
    logins: Arc<Mutex<Vec<Url>>>,
    /// The query of each redirect, without the `state`.
    pub(super) redirect: Arc<Mutex<String>>,
}

impl World {
    /// The server registers clients, and issues the tokens `a1`, `a2` …, with the refresh tokens `r1`, `r2` ….
    pub(super) fn new() -> Self {
        let site = Site::default();
        site.json(INSERTED, resource(&[ISSUER]));
        site.json(OAUTH_DOCUMENT, server(ISSUER, json!({})));
        site.page(TOKEN, issuing("a"));
        site.page(REGISTER, registering());
        let redirect = format!("code=c&iss={ISSUER}");
        Self { site, logins: Arc::default(), redirect: Arc::new(Mutex::new(redirect)) }
    }

    /// Changes members of the authorization server's metadata; null removes one.
    pub(super) fn server(self, members: Value) -> Self {
        self.site.json(OAUTH_DOCUMENT, server(ISSUER, members));
        self
    }

    /// A grant whose user logs in at once.
    pub(super) fn grant(&self) -> ProtectedResource {
        let world = self.clone();
        ProtectedResource::new(RESOURCE).unwrap().login(move |login| {
            let world = world.clone();
            login.browser(move |url| world.log_in(url))
        })
    }

    pub(super) fn tokens(&self, grant: impl Grant) -> Tokens {
        OAuth2Layer::new(grant).token_service(self.site.service()).tokens()
    }

    /// Sends a request to the resource, which is repeated.
    pub(super) async fn call<G: Grant, T: Clone>(&self, layer: &OAuth2Layer<G, T>) -> Response<Body>
    where
        OAuth2<Inner, G, T>: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone,
    {
        self.try_call(layer).await.unwrap()
    }

    /// Sends a request to the resource, which is repeated, and can fail.
    pub(super) async fn try_call<G: Grant, T: Clone>(
        &self,
        layer: &OAuth2Layer<G, T>,
    ) -> Result<Response<Body>, BoxError>
    where
        OAuth2<Inner, G, T>: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone,
    {
        let service = RetryLayer::new(RetryUnauthorized::new()).layer(layer.layer(self.site.service()));
        service.oneshot(get(RESOURCE)).await
    }

    /// The browser of the user, who is logged in already.
    fn log_in(&self, url: &Url) {
        self.logins.lock().unwrap().push(url.clone());
        let (redirect_uri, state) = (query(url, "redirect_uri").unwrap(), query(url, "state").unwrap());
        let to = Url::parse(&redirect_uri).unwrap();
        let redirect = self.redirect.lock().unwrap().clone();
        let mut stream = TcpStream::connect((to.host_str().unwrap(), to.port().unwrap())).unwrap();
        let path = to.path();
        write!(stream, "GET {path}?{redirect}&state={state} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }

    /// Returns the authorization requests of all logins.
    pub(super) fn logins(&self) -> Vec<Url> {
        self.logins.lock().unwrap().clone()
    }

    /// Returns the requests to an address.
    pub(super) fn received(&self, url: &str) -> Vec<Received> {
        self.site.received().into_iter().filter(|received| received.url == url).collect()
    }

    /// Returns the value of a parameter in the last token request.
    pub(super) fn sent(&self, name: &str) -> Option<String> {
        let received = self.received(TOKEN).pop().expect("no token request");
        received.form.into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }
}

/// Returns the metadata of the resource, with these authorization servers.
pub(super) fn resource(servers: &[&str]) -> Value {
    json!({"resource": RESOURCE, "authorization_servers": servers})
}

/// Returns the metadata of an authorization server; null removes a member.
pub(super) fn server(issuer: &str, members: Value) -> Value {
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
    });
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(document.as_object_mut().unwrap().remove(name)),
            value => document[name] = value.clone(),
        }
    }
    document
}

/// A token endpoint whose tokens have this prefix.
pub(super) fn issuing(prefix: &str) -> impl Fn() -> Response<Body> + Send + Sync + use<> {
    let (prefix, number) = (prefix.to_owned(), AtomicUsize::new(1));
    move || {
        let number = number.fetch_add(1, Ordering::SeqCst);
        let token = json!({"access_token": format!("{prefix}{number}"), "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("{prefix}r{number}")});
        answer(200, token)
    }
}

/// A registration endpoint whose clients are `c1`, `c2` ….
pub(super) fn registering() -> impl Fn() -> Response<Body> + Send + Sync {
    let number = AtomicUsize::new(1);
    move || answer(201, json!({"client_id": format!("c{}", number.fetch_add(1, Ordering::SeqCst))}))
}

/// Returns the value of a parameter in the query.
pub(super) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// A response with a challenge.
pub(super) fn challenge(status: u16, challenge: &str) -> Response<Body> {
    let mut response = answer(status, "");
    response.headers_mut().append("www-authenticate", challenge.parse().unwrap());
    response
}
