//! Signs request objects (RFC 9101 §4): claims that contain the parameters of an authorization request.

use super::claims::Claims;
use super::fetch::within_timeout;
use crate::error::Error;
use crate::jose::Members;
use crate::random;
use crate::secret::{CharacterSet, Secret};
use crate::transport::Transport;

/// Claims that a parameter of the request cannot replace. There is no `sub`, so that a request object cannot be used as the client's
/// assertion (RFC 9101 §10.8).
const RESERVED: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"];

/// Parameters that refer to a request object, and cannot be inside one (RFC 9101 §4).
const REFERENCES: [&str; 2] = ["request", "request_uri"];

impl Claims {
    /// Signs these claims with the parameters of the request, within the token timeout. By default the audience is `issuer`, the issuer of
    /// the authorization server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for claims that cannot be signed, such as without an audience. The
    /// errors of the signer pass unchanged.
    pub(crate) async fn sign_request(
        &self,
        client: &str,
        issuer: Option<&str>,
        parameters: &Members,
        http: &Transport,
    ) -> Result<Secret, Error> {
        let claims = self.request_claims(client, issuer, parameters)?;
        let typ = if self.has_typ { self.typ.as_deref() } else { Some("oauth-authz-req+jwt") };
        let signing = self.sign_members(typ, claims);
        within_timeout("the request object", CharacterSet::Unicode, http.timeout(), signing).await
    }

    fn request_claims(&self, client: &str, issuer: Option<&str>, parameters: &Members) -> Result<Members, Error> {
        let Some(audience) = self.audience.as_deref().or(issuer) else {
            return Err(invalid(
                "the audience is not known; set it with `Claims::audience`: the issuer of the authorization server",
            ));
        };
        self.check_values()?;
        if self.issuer.as_deref().is_some_and(|issuer| issuer != client) || self.subject.is_some() {
            return Err(invalid(
                "the issuer is the client id, and there is no subject (RFC 9101 §4, §10.8); leave them out",
            ));
        }
        if let Some((name, _)) = self.further.iter().find(|(name, _)| REFERENCES.contains(name)) {
            return Err(invalid(&format!("`{name}` cannot be inside (RFC 9101 §4)")));
        }
        let (issued_at, expires_at) = self.times();
        let mut claims = Members::default();
        claims.set("iss", client);
        claims.set("aud", audience);
        claims.set("exp", expires_at);
        claims.set("iat", issued_at);
        claims.set("nbf", issued_at);
        claims.set("jti", random::text()?.as_str());
        let is_allowed = |name: &str| !RESERVED.contains(&name) && !REFERENCES.contains(&name);
        // The parameters replace claims of the user: the server must receive what the login expects.
        for (name, value) in self.further.iter().chain(parameters.iter()).filter(|(name, _)| is_allowed(name)) {
            claims.set(name, value.clone());
        }
        Ok(claims)
    }
}

fn invalid(why: &str) -> Error {
    Error::argument("request_object", why)
}
