//! A web site whose pages are the metadata and the endpoints of an authorization server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tower_oauth2::transport::Transport;

use crate::support::{Body, answer, token};

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const OAUTH_DOCUMENT: &str = "https://auth.example.com/.well-known/oauth-authorization-server";
pub(crate) const OPENID_DOCUMENT: &str = "https://auth.example.com/.well-known/openid-configuration";

/// A request that the site has received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    #[cfg_attr(not(feature = "loopback"), expect(dead_code, reason = "only tests of logins use it"))]
    pub(crate) body: Bytes,
    pub(crate) form: Vec<(String, String)>,
}

type Page = Arc<dyn Fn(&Received) -> Result<Response<Body>, BoxError> + Send + Sync>;

/// Clones share the pages and the requests. An address without a page is a 404.
#[derive(Clone, Default)]
pub(crate) struct Site(Arc<Mutex<SiteState>>);

#[derive(Default)]
struct SiteState {
    pages: HashMap<String, Page>,
    delays: HashMap<String, Duration>,
    received: Vec<Received>,
}

/// The metadata of [`ISSUER`], whose token endpoint is `/token`.
pub(crate) fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://auth.example.com/authorize",
        "token_endpoint": "https://auth.example.com/token",
        "device_authorization_endpoint": "https://auth.example.com/device",
        "revocation_endpoint": "https://auth.example.com/revoke",
        "code_challenge_methods_supported": ["S256"],
    })
}

impl Site {
    /// Creates the site of [`ISSUER`], with a token endpoint that issues tokens.
    pub(crate) fn new() -> Self {
        let site = Self::default();
        site.json(OAUTH_DOCUMENT, document());
        site.json("https://auth.example.com/token", token("a", 3600));
        site
    }

    pub(crate) fn page(&self, url: &str, page: impl Fn() -> Response<Body> + Send + Sync + 'static) {
        self.try_page(url, move || Ok(page()));
    }

    pub(crate) fn try_page(
        &self,
        url: &str,
        page: impl Fn() -> Result<Response<Body>, BoxError> + Send + Sync + 'static,
    ) {
        self.set(url, Arc::new(move |_| page()));
    }

    /// Sets a page that depends on the request.
    #[cfg_attr(not(feature = "loopback"), expect(dead_code, reason = "only tests of logins use it"))]
    pub(crate) fn page_for(&self, url: &str, page: impl Fn(&Received) -> Response<Body> + Send + Sync + 'static) {
        self.set(url, Arc::new(move |received| Ok(page(received))));
    }

    fn set(&self, url: &str, page: Page) {
        self.0.lock().unwrap().pages.insert(url.to_owned(), page);
    }

    pub(crate) fn json(&self, url: &str, body: Value) {
        self.page(url, move || answer(200, &body));
    }

    pub(crate) fn status(&self, url: &str, status: u16) {
        self.page(url, move || answer(status, "<html>no</html>"));
    }

    /// Delays the responses of an address.
    pub(crate) fn delay(&self, url: &str, delay: Duration) {
        self.0.lock().unwrap().delays.insert(url.to_owned(), delay);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.0.lock().unwrap().received.clone()
    }

    /// Returns the addresses of the requests since the last call.
    pub(crate) fn take_urls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().received).into_iter().map(|request| request.url).collect()
    }

    pub(crate) fn service(&self) -> BoxCloneSyncService<Request<Body>, Response<Body>, BoxError> {
        let site = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let site = site.clone();
            async move {
                let (parts, body) = request.into_parts();
                let url = parts.uri.to_string();
                let body = body.collect().await.unwrap().to_bytes();
                let form = url::form_urlencoded::parse(&body).into_owned().collect();
                let (method, headers) = (parts.method.to_string(), parts.headers);
                let received = Received { method, url: url.clone(), headers, body, form };
                let (page, delay) = {
                    let mut state = site.0.lock().unwrap();
                    state.received.push(received.clone());
                    (state.pages.get(&url).cloned(), state.delays.get(&url).copied())
                };
                // Other callers send their requests meanwhile.
                match delay {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => tokio::task::yield_now().await,
                }
                page.map_or_else(|| Ok(answer(404, "")), |page| page(&received))
            }
        }))
    }

    pub(crate) fn transport(&self) -> Transport {
        Transport::new(self.service())
    }
}
