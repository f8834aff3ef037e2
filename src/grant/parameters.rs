//! The scope, the authorization details, the resources and the user's parameters, which each grant can send.

use serde_json::Value;

use super::authorization_details::AuthorizationDetails;
use crate::error::Error;
use crate::form::Form;
use crate::into_url;
use crate::scope;
use crate::store::Key;

/// RFC 9396 §2.
const DETAILS: &str = "authorization_details";

#[derive(Clone, Default)]
pub(super) struct Parameters {
    scope: Option<String>,
    details: Option<AuthorizationDetails>,
    scope_on_refresh: bool,
    more: Vec<(String, String)>,
}

impl Parameters {
    pub(super) fn set_scope(&mut self, scope: &str) -> Result<(), Error> {
        self.scope = scope::parse(scope)?;
        Ok(())
    }

    pub(super) fn set_details(&mut self, details: &Value) -> Result<(), Error> {
        self.details = AuthorizationDetails::parse(details)?;
        Ok(())
    }

    pub(super) fn set_scope_on_refresh(&mut self) {
        self.scope_on_refresh = true;
    }

    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.more.push((name.into(), value.into()));
    }

    /// Adds an absolute URI without a fragment (RFC 8707 §2). It is sent as it was written, because servers compare it as text.
    pub(super) fn add_resource(&mut self, uri: impl Into<String>) -> Result<(), Error> {
        let uri = uri.into();
        into_url::check_absolute("resource", &uri)?;
        self.add("resource", uri);
        Ok(())
    }

    /// Adds to a key the parameters that distinguish tokens.
    pub(super) fn distinguish(&self, key: Key) -> Key {
        let key = self.scope.iter().fold(key, |key, scope| key.scope(scope));
        let key = self.details.iter().fold(key, |key, details| key.parameter(DETAILS, details.json()));
        self.more.iter().fold(key, |key, (name, value)| match name.as_str() {
            "resource" => key.resource(value),
            _ => key.parameter(name, value),
        })
    }

    /// Adds the parameters of a request for a new grant, with the scope and the details.
    pub(super) fn with_scope(&self, form: Form) -> Form {
        let form = self.scope.iter().fold(form, |form, scope| form.param("scope", scope));
        let form = self.details.iter().fold(form, |form, details| form.param(DETAILS, details.json()));
        self.without_scope(form)
    }

    /// Adds the parameters of a refresh. It has scope and details only if the server needs them, because the server grants the same ones
    /// again.
    pub(super) fn for_refresh(&self, form: Form) -> Form {
        if self.scope_on_refresh { self.with_scope(form) } else { self.without_scope(form) }
    }

    /// Adds the parameters of a request that follows another one with the scope and the details.
    pub(super) fn without_scope(&self, form: Form) -> Form {
        form.params(&self.more).with_further_secrets(self.secrets())
    }

    /// Returns the values of the details, which a server could repeat in each of its responses.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.details.iter().flat_map(AuthorizationDetails::secrets)
    }
}

/// Prints the names of parameters, and not their values, which may be secrets.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let details = self.details.iter().map(|_| DETAILS);
        let names: Vec<&str> = details.chain(self.more.iter().map(|(name, _)| name.as_str())).collect();
        f.debug_struct("Parameters").field("scope", &self.scope).field("more", &names).finish()
    }
}
