//! Binds a login to the grant that started it.

use serde::{Deserialize, Serialize};

use super::expected_issuer::ExpectedIssuer;
use crate::error::Error;

/// The client and the server that a code is bound to. A code is sent only to the server that issued it, by the client that it was issued to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Binding {
    pub(super) client_id: String,
    /// The issuer identifier, or the address of the token endpoint.
    pub(super) server: String,
    pub(super) issuer: ExpectedIssuer,
}

impl Binding {
    /// Checks that this grant, or one with the same client and server, started the login.
    pub(super) fn check(&self, of_login: &Self) -> Result<(), Error> {
        let differs = |name: &str, ours: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display| {
            let why = format!("a grant with {name} `{theirs}` started the login, and this one has `{ours}`");
            Err(Error::argument(
                "authorization",
                why + "; complete it with a grant that has the same settings as the one that started it",
            ))
        };
        if self.client_id != of_login.client_id {
            return differs("the client id", &self.client_id, &of_login.client_id);
        }
        if self.issuer != of_login.issuer {
            return differs("the issuer", &self.issuer, &of_login.issuer);
        }
        if self.server != of_login.server {
            return differs("the issuer or token endpoint", &self.server, &of_login.server);
        }
        Ok(())
    }
}
