//! Provides the steps of the grant, for a web application with its own redirect route.

use super::AuthorizationCode;
use super::authorization::{Authorization, Code};
use super::binding::Binding;
use super::callback::{self, Callback};
use super::issuer::Issuer;
use crate::error::Error;
use crate::form::Form;
use crate::into_url;
use crate::token::Token;
use crate::transport::Transport;

impl AuthorizationCode {
    /// Starts a login, and returns the URL to send the user's browser to. The server redirects it back to `redirect_uri`, which is sent
    /// unchanged, here and in the exchange.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the redirect URI is not absolute or has a fragment.
    pub fn authorization_url(&self, redirect_uri: impl Into<String>) -> Result<Authorization, Error> {
        let redirect_uri = redirect_uri.into();
        into_url::check_absolute("redirect_uri", &redirect_uri)?;
        let parameters = &self.config.parameters;
        Authorization::new(&self.authorization_url, redirect_uri, parameters, self.has_pkce, self.binding())
    }

    /// Checks the query of the redirect that completes `authorization`, and returns its code.
    ///
    /// ```
    /// # use tower_oauth2::{client::Client, grant::AuthorizationCode};
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// # let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// # let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?;
    /// let login = grant.authorization_url("https://app.example.com/callback")?;
    /// // The query of the redirect:
    /// let query = format!("code=SplxlOBeZQQYbYS6WxSbIA&state={}", login.state());
    /// let code = grant.callback(login, &query)?; // for `exchange`
    /// # let _ = code;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The login is consumed, even on errors. So find it by the `state` in the query, among the logins of the user's session: then a
    /// redirect with another `state` ends no login. Before that, respond to prefetches (`Sec-Purpose: prefetch`) with a 503.
    ///
    /// # Errors
    ///
    /// The error of the server ([`ErrorKind::Denied`](crate::ErrorKind::Denied), or another kind by its code);
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the query does not complete this login: a wrong `state` or `iss`, no
    /// code, a code with a control character, or a parameter of the protocol that appears twice;
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if a grant with another client id, token endpoint or issuer
    /// started the login.
    pub fn callback(&self, authorization: Authorization, query: &str) -> Result<Code, Error> {
        self.binding().check(&authorization.binding)?;
        match callback::read(query, &authorization.expected()) {
            Callback::Code(code) => Ok(authorization.with_code(code)),
            Callback::Failed(error) => Err(error),
            Callback::Unrelated(why) => Err(Error::malformed(why)),
        }
    }

    /// Exchanges the code for a token (RFC 6749 §4.1.3).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::token`](crate::endpoint::TokenEndpoint::token);
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the code belongs to another grant. It is not sent then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the code, because the server may have used it already.
    pub async fn exchange(&self, http: &Transport, code: Code) -> Result<Token, Error> {
        self.binding().check(&code.binding)?;
        let form =
            Form::new("authorization_code").param("code", code.code.expose()).param("redirect_uri", &code.redirect_uri);
        let form = match &code.verifier {
            Some(verifier) => form.param("code_verifier", verifier.expose()),
            None => form,
        };
        self.config.endpoint.token(http, self.config.parameters.without_scope(form)).await
    }

    fn binding(&self) -> Binding {
        Binding {
            client_id: self.client_id.clone(),
            token_endpoint: self.config.endpoint.uri().to_string(),
            issuer: match &self.issuer {
                Some(issuer) => Issuer::Exactly(issuer.clone()),
                None => Issuer::OfOrigin(self.authorization_url.origin().ascii_serialization()),
            },
        }
    }
}
