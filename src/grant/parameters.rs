//! What every grant can be asked to send along: scope, resources, and parameters of the user's own.

use crate::error::Error;
use crate::form::Form;
use crate::into_url;
use crate::scope;
use crate::store::Key;

#[derive(Clone, Default)]
pub(super) struct Parameters {
    scope: Option<String>,
    more: Vec<(String, String)>,
}

impl Parameters {
    pub(super) fn set_scope(&mut self, scope: &str) -> Result<(), Error> {
        self.scope = scope::parse(scope)?;
        Ok(())
    }

    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.more.push((name.into(), value.into()));
    }

    /// An absolute URI without fragment (RFC 8707 §2), sent as it was written: servers compare it as text.
    pub(super) fn add_resource(&mut self, uri: impl Into<String>) -> Result<(), Error> {
        let uri = uri.into();
        into_url::check_absolute("resource", &uri)?;
        self.add("resource", uri);
        Ok(())
    }

    /// Adds to a key what makes a token another one.
    pub(super) fn distinguish(&self, key: Key) -> Key {
        let key = self.scope.iter().fold(key, |key, scope| key.scope(scope));
        self.more.iter().fold(key, |key, (name, value)| match name.as_str() {
            "resource" => key.resource(value),
            _ => key.parameter(name, value),
        })
    }

    /// For a request that asks for a new grant.
    pub(super) fn with_scope(&self, form: Form) -> Form {
        let form = match &self.scope {
            Some(scope) => form.param("scope", scope),
            None => form,
        };
        self.without_scope(form)
    }

    /// For a refresh: it gets what was granted, and does not repeat the scope.
    pub(super) fn without_scope(&self, form: Form) -> Form {
        form.params(&self.more)
    }
}

/// Values of parameters may be secrets; their names are not.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.more.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Parameters").field("scope", &self.scope).field("more", &names).finish()
    }
}
