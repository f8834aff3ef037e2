//! The scope, the authorization details, the resources and the user's parameters, which each grant can send.

use serde_json::{Map, Value};

use super::authorization_details::AuthorizationDetails;
use crate::challenge::{Demand, merge_objects};
use crate::error::Error;
use crate::form::{Form, query_secrets};
use crate::into_url;
use crate::scope;
use crate::secret::Secret;
use crate::store::Key;
use crate::token::{RequestRecord, Token};

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

    /// Returns the parameters of the next token: the scope includes what was requested for the previous one and what a challenge demands.
    /// With a demand, a login or claims are requested too.
    pub(super) fn for_next(&self, previous: Option<&Token>, demand: Option<&Demand>) -> Self {
        let mut next = self.clone();
        let record = previous.map(|previous| &previous.record().request);
        next.add_scopes(record.and_then(|record| record.scope.as_deref()));
        let Some(demand) = demand else { return next };
        if !demand.scope.is_empty() {
            // Where no scope was requested, the server has chosen the scope of the previous token. A request for more must not lose it.
            next.add_scopes(
                previous.filter(|previous| previous.record().request.scope.is_none()).and_then(Token::scope),
            );
            demand.scope.iter().for_each(|name| next.add_scope(name));
        }
        // A login for one demand must not lose what an earlier one has demanded. `max_age` was for that moment only.
        let earlier = record.filter(|_| demand.needs_login()).and_then(|record| record.acr_values.as_ref());
        if let Some(acr_values) = demand.acr_values.as_ref().or(earlier) {
            next.replace("acr_values", acr_values.clone());
        }
        if let Some(max_age) = demand.max_age {
            let max_age = next.max_age().map_or(max_age, |configured| configured.min(max_age));
            next.replace("max_age", max_age.to_string());
        }
        if let Some(claims) = &demand.claims {
            // A program may have announced a capability in `claims`. The challenge wins.
            let mut merged = next.claims().unwrap_or_default();
            merge_objects(&mut merged, claims.clone());
            next.replace("claims", Value::Object(merged).to_string());
        }
        next
    }

    /// Returns what a request with these parameters asks for.
    pub(super) fn record(&self) -> RequestRecord {
        RequestRecord {
            scope: self.scope.clone(),
            acr_values: self.value("acr_values").map(str::to_owned),
            max_age: self.max_age(),
            claims: self.claims(),
            login_at: None,
        }
    }

    pub(super) fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Returns whether a parameter of this name is sent.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.more.iter().any(|(other, _)| other == name)
    }

    /// Returns the parameters with this resource and its scope. `default_scope` is that of a request without one.
    pub(super) fn for_resource(mut self, resource: &str, scope: Option<&str>, default_scope: Option<&str>) -> Self {
        if !self.more.iter().any(|(name, value)| name == "resource" && value == resource) {
            self.add("resource", resource);
        }
        self.add_scopes(scope);
        if self.scope.is_none() {
            self.add_scopes(default_scope);
        }
        self
    }

    /// Adds the parameters of another grant that these lack. The scope is not one of them.
    pub(super) fn with_options_of(mut self, other: &Self) -> Self {
        let lacks = |(name, value): &&(String, String)| match name.as_str() {
            "resource" => !self.more.iter().any(|(taken, own)| taken == name && own == value),
            _ => !self.contains(name),
        };
        let more: Vec<_> = other.more.iter().filter(lacks).cloned().collect();
        self.more.extend(more);
        self.details = self.details.or_else(|| other.details.clone());
        self.scope_on_refresh |= other.scope_on_refresh;
        self
    }

    fn max_age(&self) -> Option<u64> {
        self.value("max_age").and_then(|value| value.parse().ok())
    }

    /// Returns the `claims` that are requested, if they are an object (OpenID Connect Core §5.5).
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        self.value("claims").and_then(|value| serde_json::from_str(value).ok())
    }

    /// Returns the parameter that is sent: the first one with the name.
    fn value(&self, name: &str) -> Option<&str> {
        self.more.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn add_scopes(&mut self, scope: Option<&str>) {
        let names = scope.and_then(|scope| scope::parse(scope).ok().flatten());
        names.iter().flat_map(|names| names.split(' ')).for_each(|name| self.add_scope(name));
    }

    fn add_scope(&mut self, name: &str) {
        let scope = self.scope.get_or_insert_default();
        if scope.split(' ').all(|other| other != name) {
            if !scope.is_empty() {
                scope.push(' ');
            }
            scope.push_str(name);
        }
    }

    fn replace(&mut self, name: &str, value: String) {
        self.more.retain(|(other, _)| other != name);
        self.more.push((name.to_owned(), value));
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

    /// Returns the secrets in the addresses of the resources, which the server could repeat.
    pub(super) fn resource_secrets(&self) -> impl Iterator<Item = Secret> {
        let resources = self.more.iter().filter(|(name, _)| name == "resource");
        resources.flat_map(|(_, value)| query_secrets(value))
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
