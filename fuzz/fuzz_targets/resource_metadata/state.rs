//! What the servers have sent, and where requests may be sent because of that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use http::Uri;
use http::header::HeaderMap;
use serde_json::{Value, json};
use tower_oauth2_fuzz::{ServerResponse, is_bare, issuer_addresses};
use url::Url;

use super::resource::Resource;

/// The issuer in good documents.
const ISSUER: &str = "https://auth.example.com";

/// The options of the grant.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) parent: bool,
    pub(crate) legacy: bool,
    pub(crate) accept: bool,
}

impl Options {
    pub(crate) fn parse(words: &str) -> Self {
        let has = |option| words.split(' ').any(|word| word == option);
        Self { parent: has("parent"), legacy: has("legacy"), accept: has("accept") }
    }

    /// The predicate of the option `accept`.
    pub(crate) fn is_accepted(issuer: &str) -> bool {
        issuer.starts_with(ISSUER)
    }
}

pub(crate) struct State {
    pub(crate) resource: Resource,
    pub(crate) options: Options,
    /// The challenges for a request without a token.
    pub(crate) headers: HeaderMap,
    pub(crate) api_responses: VecDeque<ServerResponse>,
    pub(crate) documents: VecDeque<ServerResponse>,
    pub(crate) token_responses: VecDeque<ServerResponse>,
    /// The addresses in the challenges of the resource.
    pub(crate) named: BTreeSet<String>,
    /// The documents that were sent, with their addresses.
    pub(crate) sent: Vec<(String, Value)>,
    /// The refresh tokens, with the issuers that have issued them.
    pub(crate) refresh_tokens: BTreeMap<String, BTreeSet<String>>,
    pub(crate) tokens: usize,
    /// The number of requests to the resource with a token.
    pub(crate) requests_with_token: usize,
    /// Whether a challenge of the resource demands another login (RFC 9470).
    pub(crate) demands_login: bool,
}

impl State {
    pub(crate) fn new(resource: Resource, options: Options, headers: HeaderMap) -> Self {
        Self {
            resource,
            options,
            headers,
            api_responses: VecDeque::new(),
            documents: VecDeque::new(),
            token_responses: VecDeque::new(),
            named: BTreeSet::new(),
            sent: Vec::new(),
            refresh_tokens: BTreeMap::new(),
            tokens: 0,
            requests_with_token: 0,
            demands_login: false,
        }
    }

    /// Returns whether the metadata at this address has this identifier (RFC 9728 §3.3).
    fn is_about_resource(&self, address: &str, identifier: &str) -> bool {
        let is_parent = || {
            let Some(url) = Url::parse(identifier).ok().filter(|url| is_bare(url) && url.query().is_none()) else {
                return false;
            };
            url.origin() == self.resource.url.origin()
                && self.resource.url.path().starts_with(url.path().trim_end_matches('/'))
        };
        self.named.contains(address) && identifier == self.resource.text
            || self.resource.well_known().iter().any(|(at, id)| at == address && id == identifier)
            || self.options.parent && is_parent()
    }

    /// Returns the identifiers of the resource in the documents about it.
    pub(crate) fn identifiers(&self) -> Vec<&str> {
        let identifiers = self.about_resource().filter_map(|document| document["resource"].as_str());
        identifiers.chain(self.options.legacy.then_some(&*self.resource.text)).collect()
    }

    fn about_resource(&self) -> impl Iterator<Item = &Value> {
        let is_about = |address, document: &Value| {
            document["resource"].as_str().is_some_and(|identifier| self.is_about_resource(address, identifier))
        };
        self.sent.iter().filter(move |(address, document)| is_about(address, document)).map(|(_, document)| document)
    }

    /// Returns the issuers that may be used: those in the documents about the resource.
    pub(crate) fn issuers(&self) -> Vec<(String, Url)> {
        let lists = self.about_resource().filter_map(|document| document["authorization_servers"].as_array());
        let listed = lists.flatten().filter_map(Value::as_str).map(str::to_owned);
        let listed = listed.chain(self.options.legacy.then(|| self.resource.origin()));
        let accepted = listed.filter(|issuer| !self.options.accept || Options::is_accepted(issuer));
        let usable = accepted.filter_map(|issuer| Some((Url::parse(&issuer).ok()?, issuer)));
        let usable = usable.filter(|(url, _)| is_bare(url) && url.query().is_none() && self.resource.allows(url));
        usable.map(|(url, issuer)| (issuer, url)).collect()
    }

    /// Returns the issuers whose metadata names this token endpoint.
    pub(crate) fn issuers_with(&self, token_endpoint: &Uri) -> BTreeSet<String> {
        let is_endpoint = |text: &str| {
            Url::parse(text).is_ok_and(|url| Uri::try_from(url.as_str()).ok().as_ref() == Some(token_endpoint))
        };
        let mut found = BTreeSet::new();
        for (issuer, url) in self.issuers() {
            let addresses = issuer_addresses(&url);
            let is_own = |document: &Value| {
                let is_here = |other: &Url| other.origin() == self.resource.url.origin();
                let other = document["issuer"].as_str().unwrap_or_default();
                let is_of_origin = self.options.legacy
                    && issuer == self.resource.origin()
                    && Url::parse(other).is_ok_and(|other| is_here(&other));
                other == issuer || is_of_origin
            };
            let mut documents =
                self.sent.iter().filter(|(address, document)| addresses.contains(address) && is_own(document));
            let is_named = documents.any(|(_, document)| document["token_endpoint"].as_str().is_some_and(is_endpoint));
            let default = format!("{}/token", url.origin().ascii_serialization());
            if is_named || self.options.legacy && is_endpoint(&default) {
                found.insert(issuer);
            }
        }
        found
    }

    /// A document that is good at this address.
    pub(crate) fn good_document(&self, address: &str) -> ServerResponse {
        let mut issuers = self.issuers().into_iter();
        let issuer = issuers.find(|(_, url)| issuer_addresses(url).iter().any(|other| other == address));
        let issuer = issuer.map_or_else(|| ISSUER.to_owned(), |(issuer, _)| issuer);
        let mut well_known = self.resource.well_known().into_iter();
        let resource =
            well_known.find(|(other, _)| other == address).map_or_else(|| self.resource.text.clone(), |(_, id)| id);
        let origin = Url::parse(&issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let document = json!({
            "resource": resource, "authorization_servers": [ISSUER], "scopes_supported": ["read"],
            "issuer": issuer, "token_endpoint": format!("{origin}/token"),
        });
        ServerResponse { body: document.to_string().into(), ..ServerResponse::parse(b"200") }
    }
}
