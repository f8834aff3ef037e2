//! Determines what a login needs of its server: from the application, or from the metadata of the issuer (RFC 8414 §2).

use serde_json::Value;
use url::Url;

use super::AuthorizationCode;
use crate::endpoint::{Address, EndpointMember, Metadata};
use crate::error::Error;
use crate::transport::Transport;

/// Describes the server of one login.
pub(super) struct LoginServer {
    pub(super) authorization_endpoint: Url,
    /// Where the request is pushed to; `None` if it is not pushed.
    pub(super) par_endpoint: Option<Address>,
    /// The issuer identifier, if it is known.
    pub(super) issuer: Option<String>,
    /// Whether the server says that its responses have an `iss` (RFC 9207 §3).
    pub(super) sends_issuer: bool,
}

impl AuthorizationCode {
    /// Fetches the metadata, if the grant has an issuer. A server that cannot complete the login is an error here, before a person is asked.
    pub(super) async fn login_server(&self, http: &Transport) -> Result<LoginServer, Error> {
        let endpoint = &self.config.endpoint;
        let metadata = endpoint.resolve(http, endpoint.address()).await?.metadata;
        let metadata = metadata.as_deref();
        if let Some(metadata) = metadata.filter(|_| self.has_pkce) {
            check_pkce(metadata).map_err(Error::before_request)?;
        }
        let authorization_endpoint = match (&self.authorization_url, metadata) {
            (Some(url), _) => url.clone(),
            (None, Some(metadata)) => {
                metadata.endpoint(EndpointMember::Authorization, false).map_err(Error::before_request)?.clone()
            }
            (None, None) => return Err(Error::argument("authorization_url", "is not known; give it, or an issuer")),
        };
        let issuer = self.issuer.as_deref().or(metadata.map(Metadata::issuer)).map(str::to_owned);
        let sends_issuer =
            metadata.is_some_and(|metadata| metadata.is_true("authorization_response_iss_parameter_supported"));
        let par_endpoint = self.push_policy.address(metadata);
        Ok(LoginServer { authorization_endpoint, par_endpoint, issuer, sends_issuer })
    }
}

/// Checks that the server supports `S256`. A server that lists no methods is asked anyway, because many servers omit the list.
fn check_pkce(metadata: &Metadata) -> Result<(), Error> {
    match metadata.member("code_challenge_methods_supported") {
        Some(Value::Array(methods)) if !methods.iter().any(|method| method == "S256") => Err(metadata.error(
            "`code_challenge_methods_supported` does not list `S256`; if the server has no PKCE, use `dangerous_without_pkce`"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}
