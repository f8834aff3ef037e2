//! The serialized form of a pending login.

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use url::Url;

use super::authorization::Authorization;
use super::binding::Binding;
use crate::secret::Secret;

/// Contains only types that formats without field names can deserialize too.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Authorization")]
struct SerializedAuthorization<T> {
    url: T,
    state: T,
    redirect_uri: T,
    code_verifier: Option<T>,
    requires_issuer: bool,
    binding: Binding,
}

impl Serialize for Authorization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let serialized = SerializedAuthorization {
            url: self.url.as_str(),
            state: self.state.expose(),
            redirect_uri: &self.redirect_uri,
            code_verifier: self.verifier.as_ref().map(Secret::expose),
            requires_issuer: self.requires_issuer,
            binding: self.binding.clone(),
        };
        serialized.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Authorization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let SerializedAuthorization { url, state, redirect_uri, code_verifier, requires_issuer, binding } =
            SerializedAuthorization::<String>::deserialize(deserializer)?;
        let (state, verifier) = (Secret::new(state), code_verifier.map(Secret::new));
        // The errors do not repeat the value, because it may contain the state.
        let url = Url::parse(&url).map_err(|_| D::Error::custom("`url` is not an absolute URL"))?;
        if state.expose().is_empty() || verifier.as_ref().is_some_and(|verifier| verifier.expose().is_empty()) {
            return Err(D::Error::custom("`state` and `code_verifier` must not be empty"));
        }
        Ok(Self { url, state, redirect_uri, verifier, requires_issuer, binding })
    }
}
