//! The API behind the gateway.

use std::io;

use axum::{
    body::Body,
    http::{
        HeaderMap, Request, Response, StatusCode,
        header::{AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE},
    },
};
use hyper::body::Incoming;

use super::{
    ORDERS,
    support::{AuthServer, Listener, Registry},
};

/// Accepts exchanged tokens only. It repeats the user of the token, the names of the headers, and the body while it arrives.
pub(crate) async fn start(server: &AuthServer) -> io::Result<Listener> {
    let registry = server.registry().clone();
    Listener::serve(move |request| {
        let response = response(&registry, request);
        async move { response.unwrap_or_default() }
    })
    .await
}

fn response(registry: &Registry, request: Request<Incoming>) -> Result<Response<Body>, axum::http::Error> {
    let Some(user) = user(registry, request.headers()) else {
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
            .body(Body::empty());
    };
    let names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
    Response::builder()
        .header("x-user", user)
        .header("x-received", names.join(","))
        .header("x-internal", "between the API and the gateway")
        .header(CONNECTION, "x-internal")
        .body(Body::new(request.into_body()))
}

fn user(registry: &Registry, headers: &HeaderMap) -> Option<String> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    registry.user_of(token).filter(|_| registry.has_audience(token, ORDERS))
}
