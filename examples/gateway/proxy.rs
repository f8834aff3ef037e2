//! The gateway: verifies the caller, and forwards the request with an exchanged token.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, Uri, uri::Parts},
    response::{IntoResponse, Response},
    routing::any,
};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use tower::{Layer, Service, ServiceExt};
use tower_oauth2::{
    retry::{RecordedBody, RecordingService, RetryUnauthorized},
    tenants::{Subject, Tenants, TenantsLayer},
};

use super::{failure::Failure, headers, verifier::Verifier};

pub(crate) type Http = legacy::Client<HttpConnector, Body>;
type Client = RecordingService<Tenants<Http, Subject>, fn(RecordedBody<Body>) -> Body>;

/// The part of a body that is kept in memory, so that a request whose token the API rejects can be repeated with another one.
const MAX_RECORDED: usize = 16 * 1024;

pub(crate) struct Gateway {
    api: Uri,
    client: Client,
    verifier: Verifier,
    log: Mutex<Vec<String>>,
}

impl Gateway {
    pub(crate) fn new(api: Uri, tenants: &TenantsLayer<Subject>, http: Http, verifier: Verifier) -> Self {
        let wrap: fn(RecordedBody<Body>) -> Body = Body::new;
        let client = RetryUnauthorized::new().buffered(MAX_RECORDED).into_layer(wrap).layer(tenants.layer(http));
        Self { api, client, verifier, log: Mutex::default() }
    }

    pub(crate) fn routes(self: Arc<Self>) -> Router {
        Router::new().route("/{*path}", any(forward)).with_state(self)
    }

    /// The lines of the log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn send(&self, request: Request<Body>) -> Result<Response, Failure> {
        let request = self.prepare(request)?;
        let mut client = self.client.clone();
        let mut response = client.ready().await?.call(request).await?.map(Body::new);
        headers::remove_hop_by_hop(response.headers_mut());
        Ok(response)
    }

    /// Verifies the caller, and returns the request for the API, with the key and without a token.
    fn prepare(&self, request: Request<Body>) -> Result<Request<Body>, Failure> {
        let (mut parts, body) = request.into_parts();
        let token = headers::bearer_token(&parts.headers).ok_or(Failure::NoToken)?;
        let subject = Subject::new(token);
        self.verifier.verify(&subject, token).ok_or(Failure::InvalidToken)?;
        headers::remove_hop_by_hop(&mut parts.headers);
        headers::remove_those_of_the_gateway(&mut parts.headers);
        // The version and the extensions of the incoming request are not those of the new one.
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() = self.destination(parts.uri).map_err(|error| Failure::BadGateway(error.into()))?;
        *request.headers_mut() = parts.headers;
        request.extensions_mut().insert(subject);
        Ok(request)
    }

    fn destination(&self, uri: Uri) -> Result<Uri, axum::http::Error> {
        let mut destination = Parts::from(self.api.clone());
        destination.path_and_query = uri.into_parts().path_and_query;
        Ok(Uri::from_parts(destination)?)
    }

    fn write_log(&self, line: String) {
        println!("    {line}");
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// Forwards a request. The log has neither tokens nor queries.
async fn forward(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    match gateway.send(request).await {
        Ok(response) => {
            gateway.write_log(format!("{line} {}", response.status().as_u16()));
            response
        }
        Err(failure) => {
            gateway.write_log(format!("{line} {}: {failure}", failure.status().as_u16()));
            failure.into_response()
        }
    }
}
