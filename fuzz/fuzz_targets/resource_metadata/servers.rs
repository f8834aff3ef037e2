//! The resource, its metadata and the authorization servers, which check each request.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, StatusCode};
use serde_json::Value;
use tower_oauth2::Challenge;
use tower_oauth2_fuzz::{
    Ending, Placeholders, Request, Response, SECRET, ServerResponse, document_address, form, issuer_addresses, members,
};
use url::Url;

use super::discover::json_text;
use super::resource::Resource;
use super::state::{Options, State};

pub(crate) const PASSWORD: &str = "hunter2-password";

const TOKEN_RESPONSE: &[u8] = b"200\n\n{\"access_token\":\"$NEW\",\"refresh_token\":\"$NEXT\",\"expires_in\":60}";

#[derive(Clone)]
pub(crate) struct Servers(Arc<Mutex<State>>);

type Reply = Pin<Box<dyn Future<Output = io::Result<Response>> + Send>>;

impl Servers {
    pub(crate) fn new(resource: Resource, options: Options, headers: HeaderMap) -> Self {
        Self(Arc::new(Mutex::new(State::new(resource, options, headers))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn respond_as_api(self) -> impl Fn(Request) -> Reply + Clone + Send + Sync + 'static {
        move |request| {
            let response = self.api_response(&request);
            Box::pin(response.deliver())
        }
    }

    pub(crate) fn respond_to_grant(self) -> impl Fn(Request) -> Reply + Clone + Send + Sync + 'static {
        move |request| {
            let servers = self.clone();
            Box::pin(async move {
                assert!(
                    !request.headers().contains_key(AUTHORIZATION) && !request.headers().contains_key("x-application")
                );
                let response = match *request.method() {
                    Method::POST => servers.token_response(request).await,
                    _ => servers.document(request).await,
                };
                response.deliver().await
            })
        }
    }

    fn api_response(&self, request: &Request) -> ServerResponse {
        let mut state = self.lock();
        let url = Url::parse(&request.uri().to_string()).unwrap();
        let is_resource = url.origin() == state.resource.url.origin();
        let has_token = request.headers().contains_key(AUTHORIZATION);
        assert!(is_resource || !has_token, "the token is sent to {url}");
        state.requests_with_token += usize::from(has_token);
        let response = state.api_responses.pop_front();
        let mut response = response.unwrap_or_else(|| match has_token {
            true => ServerResponse::parse(b"200"),
            false => ServerResponse { headers: state.headers.clone(), ..ServerResponse::parse(b"401") },
        });
        // The layer has no timeout for requests to the API.
        if response.ending == Ending::Silent {
            response.ending = Ending::Complete;
        }
        if is_resource && response.has_status() {
            let challenges = Challenge::parse(&response.headers);
            let mut errors = challenges.iter().filter_map(Challenge::error);
            state.demands_login |= errors.any(|error| error == "insufficient_user_authentication");
            let named = challenges.iter().filter_map(Challenge::resource_metadata);
            let named: Vec<_> = named.filter_map(|named| state.resource.named(named).0).map(String::from).collect();
            state.named.extend(named);
        }
        response
    }

    async fn document(&self, request: Request) -> ServerResponse {
        let address = document_address(request).await;
        let mut state = self.lock();
        assert!(state.resource.allows(&Url::parse(&address).unwrap()), "a request to {address}");
        let is_known = state.named.contains(&address)
            || state.resource.well_known().iter().any(|(other, _)| *other == address)
            || state.issuers().iter().any(|(_, url)| issuer_addresses(url).contains(&address));
        assert!(is_known, "a request to {address}, which nothing names");
        let response = match state.documents.pop_front() {
            Some(mut response) => {
                let (resource, origin) = (json_text(&state.resource.text), state.resource.origin());
                let values = [("$RESOURCE", &*resource), ("$ORIGIN", &*origin)];
                response.body = Placeholders(&values).fill(&response.body).into();
                response
            }
            None => state.good_document(&address),
        };
        if response.status == StatusCode::OK && response.is_complete() {
            let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body);
            if let Some(document) = serde_json::from_slice(body).ok().filter(Value::is_object) {
                state.sent.push((address, document));
            }
        }
        response
    }

    async fn token_response(&self, request: Request) -> ServerResponse {
        let uri = request.uri().clone();
        let form = form(request).await;
        let mut state = self.lock();
        let issuers = state.issuers_with(&uri);
        assert!(!issuers.is_empty(), "a token request to {uri}, which nothing names");
        assert!(state.resource.allows(&Url::parse(&uri.to_string()).unwrap()), "a token request to {uri}");
        let resource = form.get("resource").unwrap();
        assert!(state.identifiers().contains(&resource), "a token for {resource}");
        assert_eq!(form.get("client_secret"), Some(SECRET));
        let refresh_token = form.get("refresh_token");
        match refresh_token {
            Some(token) => assert!(!state.refresh_tokens[token].is_disjoint(&issuers), "a refresh token at {uri}"),
            None => assert_eq!(form.get("password"), Some(PASSWORD)),
        }
        let response = state.token_responses.pop_front();
        let mut response = response.unwrap_or_else(|| ServerResponse::parse(TOKEN_RESPONSE));
        state.tokens += 1;
        let (new, next) = (format!("hunter2-new-{}", state.tokens), format!("hunter2-next-{}", state.tokens));
        let sent = [("$SECRET", SECRET), ("$REFRESH", refresh_token.unwrap_or_default()), ("$PASSWORD", PASSWORD)];
        response.body = Placeholders(&sent).fill(&response.body).into();
        response = response.with_new_secrets(&[("$NEW", &new), ("$NEXT", &next)]);
        let issued = members(&response.body).unwrap_or_default();
        if let Some(token) = issued.get("refresh_token").and_then(Value::as_str) {
            state.refresh_tokens.entry(token.to_owned()).or_default().extend(issuers);
        }
        response
    }
}
