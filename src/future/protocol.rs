//! Converts errors to the form that the protocol of the request requires.

use http::Request;

use crate::error::Error;

/// Adds a gRPC status to the error, if the request is a gRPC request.
#[cfg(feature = "tonic")]
pub(super) fn for_protocol<B>(error: Error, request: &Request<B>) -> Error {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if is_grpc { error.for_grpc() } else { error }
}

#[cfg(not(feature = "tonic"))]
pub(super) fn for_protocol<B>(error: Error, _request: &Request<B>) -> Error {
    error
}
