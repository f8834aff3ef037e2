use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::{
    registry::opaque,
    response::{OAuthError, ServerResponse, json_response},
    server::State,
};

pub(crate) const PATH: &str = "/register";

const MAX_BODY_SIZE: usize = 64 * 1024;

/// The clients that have registered themselves. All are public.
#[derive(Default)]
pub(crate) struct Registrations(Mutex<HashSet<String>>);

impl Registrations {
    pub(crate) fn contains(&self, client: &str) -> bool {
        self.lock().contains(client)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn add(&self) -> String {
        let id = opaque();
        self.lock().insert(id.clone());
        id
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /register` (RFC 7591 §3): the client describes itself and gets an id. The redirect URIs are on loopback, which any client may use.
pub(crate) async fn response(state: &State, request: Request<Incoming>) -> ServerResponse {
    let body = Limited::new(request.into_body(), MAX_BODY_SIZE).collect().await;
    let metadata = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
    let Some(mut metadata) = metadata.filter(|metadata| metadata["redirect_uris"].is_array()) else {
        return OAuthError::bad_request("invalid_client_metadata").response();
    };
    metadata["client_id"] = state.registrations.add().into();
    metadata["token_endpoint_auth_method"] = "none".into();
    json_response(StatusCode::CREATED, &metadata)
}
