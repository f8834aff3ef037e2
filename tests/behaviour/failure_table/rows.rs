//! The responses to a refresh.

use http::StatusCode;
use tower::BoxError;
use tower_oauth2::ErrorKind;

use super::Class::{self, Dead, Fails, NotOAuth, Rejected};
use crate::support::{Body, answer};

/// A response, and its meaning for a client that authenticates and for a public client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// 0 is a connection reset, and 1 is no response.
    status: u16,
    body: &'static str,
    confidential: Class,
    public: Class,
}

const PAGE: &str = "<!DOCTYPE html><html><body>Blocked by your company's firewall</body></html>";
const OVERLOADED: Class = Fails(ErrorKind::Overloaded);
const CLIENT_REJECTED: Class = Fails(ErrorKind::ClientRejected);
const MALFORMED: Class = Fails(ErrorKind::Malformed);

const fn row(status: u16, body: &'static str, class: Class) -> Row {
    Row { status, body, confidential: class, public: class }
}

pub(super) const OUTAGE: Row = row(503, "", OVERLOADED);
pub(super) const DENIED: Row = row(400, r#"{"error":"access_denied"}"#, Rejected);
pub(super) const LOGIN_EXPIRED: Row = row(400, r#"{"error":"expired_token"}"#, Rejected);

pub(super) const ROWS: &[Row] = &[
    // Transport.
    row(0, "", Fails(ErrorKind::Transport)),
    row(1, "", Fails(ErrorKind::Timeout)),
    // The server is overloaded, or a gateway in front of it.
    row(408, "", OVERLOADED),
    row(429, r#"{"error":"invalid_grant"}"#, OVERLOADED),
    row(500, PAGE, OVERLOADED),
    row(502, "", OVERLOADED),
    row(503, r#"{"error":"invalid_grant"}"#, OVERLOADED),
    row(400, r#"{"error":"temporarily_unavailable"}"#, OVERLOADED),
    row(400, r#"{"error":"server_error"}"#, OVERLOADED),
    // The client is rejected.
    row(401, r#"{"error":"invalid_client"}"#, CLIENT_REJECTED),
    row(400, r#"{"error":"invalid_client"}"#, CLIENT_REJECTED),
    row(401, r#"{"error":"unauthorized_client"}"#, CLIENT_REJECTED),
    // The refresh token is dead.
    row(400, r#"{"error":"invalid_grant"}"#, Dead),
    row(401, r#"{"error":"invalid_grant"}"#, Dead),
    row(403, r#"{"error":"invalid_grant","error_description":"revoked"}"#, Dead),
    row(200, r#"{"error":"invalid_grant"}"#, Dead),
    // The refresh token is rejected in another way.
    row(400, r#"{"error":"invalid_request"}"#, Rejected),
    row(400, r#"{"error":"invalid_scope"}"#, Rejected),
    row(403, r#"{"error":"access_denied"}"#, Rejected),
    row(400, r#"{"error":"custom_code"}"#, Rejected),
    row(200, r#"{"error":"bad_refresh_token"}"#, Rejected),
    row(400, r#"{"error":"unauthorized_client"}"#, Rejected),
    row(403, r#"{"error":"unauthorized_client"}"#, Rejected),
    // A 401 without a readable code rejects the client if it has a secret.
    Row { status: 401, body: "", confidential: CLIENT_REJECTED, public: Rejected },
    Row { status: 401, body: r#"{"error":{"code":17}}"#, confidential: CLIENT_REJECTED, public: Rejected },
    Row { status: 401, body: r#"{"error":"Unauthorized"}"#, confidential: CLIENT_REJECTED, public: Rejected },
    // Responses of a proxy, a firewall, or a gateway during a deployment.
    row(400, "", NotOAuth),
    row(400, r#"{"error":{"code":17}}"#, NotOAuth),
    row(401, PAGE, NotOAuth),
    row(403, PAGE, NotOAuth),
    row(403, "", NotOAuth),
    row(404, "404 page not found", NotOAuth),
    row(404, r#"{"timestamp":"2026-01-01T00:00:00Z","status":404,"error":"Not Found","path":"/token"}"#, NotOAuth),
    row(405, r#"{"message":"no"}"#, NotOAuth),
    row(407, PAGE, NotOAuth),
    row(418, "[]", NotOAuth),
    // Malformed.
    row(200, PAGE, MALFORMED),
    row(200, "", MALFORMED),
    row(200, r#"{"expires_in":60}"#, MALFORMED),
    row(200, r#"{"access_token":"x","token_type":"mac"}"#, MALFORMED),
    row(302, "", Fails(ErrorKind::Redirected)),
];

impl Row {
    pub(super) fn class(&self, authenticates: bool) -> Class {
        if authenticates { self.confidential } else { self.public }
    }

    /// Returns the kind of the error of a request that is not a refresh.
    pub(super) fn kind(&self, authenticates: bool) -> ErrorKind {
        match self.class(authenticates) {
            Fails(kind) => kind,
            Dead => ErrorKind::InvalidGrant,
            NotOAuth => ErrorKind::NotOAuth,
            Rejected if self.body.contains("unauthorized_client") => ErrorKind::ClientRejected,
            Rejected => ErrorKind::RequestRejected,
        }
    }

    pub(super) async fn respond(&self) -> Result<http::Response<Body>, BoxError> {
        match self.status {
            0 => Err("connection reset by peer".into()),
            1 => std::future::pending().await,
            status => Ok(answer(status, self.body)),
        }
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status).ok()
    }
}
