//! Makes the address for the browser from the parameters of an authorization request: plain, signed, pushed, or signed and pushed.

use url::Url;

use super::AuthorizationCode;
use super::login_server::LoginServer;
use super::request_object;
use crate::error::Error;
use crate::form::Form;
use crate::into_url;
use crate::transport::Transport;

/// Parameters that stand for all others. With a signed or pushed request, only this crate sets them (RFC 9101 §5, RFC 9126 §2.1).
const REFERENCES: [&str; 2] = ["request", "request_uri"];

impl AuthorizationCode {
    /// Returns the address for these parameters. Each call signs and pushes a request of its own.
    pub(super) async fn address(&self, http: &Transport, server: &LoginServer, parameters: Form) -> Result<Url, Error> {
        if server.par_endpoint.is_none() && self.request_object.is_none() {
            return Ok(plain(&server.authorization_endpoint, &parameters));
        }
        let parameters = REFERENCES.into_iter().fold(parameters, Form::without);
        let shown = match &server.par_endpoint {
            Some(endpoint) => {
                let request_uri = self.push(http, server, endpoint, &parameters).await?;
                self.client_id_only().param("request_uri", request_uri)
            }
            None => self.sent(http, server, &parameters).await?,
        };
        Ok(with_references(&server.authorization_endpoint, &parameters, &shown))
    }

    /// Returns the form that is sent: the parameters, or a new request object that contains them.
    pub(super) async fn sent(&self, http: &Transport, server: &LoginServer, parameters: &Form) -> Result<Form, Error> {
        let Some(claims) = &self.request_object else { return Ok(parameters.clone()) };
        let issuer = server.issuer.as_deref();
        let claims = claims.sign_request(&self.client_id, issuer, &request_object::claims(parameters), http).await?;
        // A server could repeat what is inside.
        Ok(self.client_id_only().param("request", claims.expose()).with_further_secrets(parameters.secrets()))
    }

    fn client_id_only(&self) -> Form {
        Form::without_grant_type().param("client_id", &self.client_id)
    }
}

/// Returns the URL with all parameters. The query of the endpoint is kept, except for parameters of the request.
pub(super) fn plain(endpoint: &Url, parameters: &Form) -> Url {
    with_query(endpoint, |name| !parameters.has(name), parameters)
}

/// Returns the URL with the parameters `shown`, which stand for `parameters`.
fn with_references(endpoint: &Url, parameters: &Form, shown: &Form) -> Url {
    let is_kept = |name: &str| !parameters.has(name) && !shown.has(name) && !REFERENCES.contains(&name);
    with_query(endpoint, is_kept, shown)
}

fn with_query(endpoint: &Url, is_kept: impl Fn(&str) -> bool, ours: &Form) -> Url {
    let theirs: Vec<(String, String)> = endpoint.query_pairs().into_owned().filter(|(name, _)| is_kept(name)).collect();
    let theirs = theirs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut url = endpoint.clone();
    into_url::set_query(&mut url, theirs.chain(ours.pairs()));
    url
}
