//! The error of a handler.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tower::BoxError;

/// An error that is logged. The visitor gets a general message.
pub(crate) struct Failure(BoxError);

impl<E: Into<BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("a request has failed: {}", self.0);
        (StatusCode::BAD_GATEWAY, "An internal error has occurred. Please try again later.").into_response()
    }
}
