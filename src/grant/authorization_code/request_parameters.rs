//! Builds the parameters of an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3). How they reach the server is decided afterwards.

use crate::dpop::Dpop;
use crate::error::Error;
use crate::form::Form;
use crate::grant::parameters::Parameters;
use crate::grant::pkce::Pkce;
use crate::random;
use crate::secret::Secret;

/// The parameters, with the values that the rest of the login needs.
pub(super) struct RequestParameters {
    pub(super) form: Form,
    pub(super) state: Secret,
    /// `None` without PKCE.
    pub(super) verifier: Option<Secret>,
}

impl RequestParameters {
    /// Builds the parameters of a new login, with a fresh `state` and a fresh PKCE verifier.
    pub(super) fn new(
        client_id: &str,
        redirect_uri: &str,
        parameters: &Parameters,
        has_pkce: bool,
        dpop: Option<&Dpop>,
    ) -> Result<Self, Error> {
        let (pkce, state) = (if has_pkce { Some(Pkce::new()?) } else { None }, random::text()?);
        let form = Form::without_grant_type()
            .param("response_type", "code")
            .param("client_id", client_id)
            .param("redirect_uri", redirect_uri)
            .param("state", state.as_str());
        let form = match &pkce {
            Some(pkce) => form.param("code_challenge", pkce.challenge()).param("code_challenge_method", "S256"),
            None => form,
        };
        // Binds the code to the key (RFC 9449 §10).
        let form = dpop.into_iter().fold(form, |form, dpop| form.param("dpop_jkt", dpop.thumbprint()));
        // The server of a pushed request could repeat it.
        let form = parameters.with_scope(form).with_further_secrets([state.as_str()]);
        let verifier = pkce.map(|pkce| Secret::new(pkce.verifier()));
        Ok(Self { form, state: Secret::new(state.as_str()), verifier })
    }

    /// Adds a parameter.
    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        Self { form: self.form.param(name, value), ..self }
    }
}
