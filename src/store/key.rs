//! The key of a stored token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::into_url::WithoutQuery;

/// Identifies a stored login. Logins that differ in any part of the key have separate entries.
///
/// ```
/// use tower_oauth2::store::Key;
///
/// let key = Key::new("https://auth.example.com/token", "app").subject("alice").scope("write read");
/// assert_eq!(key, Key::new("https://auth.example.com/token", "app").subject("alice").scope("read write"));
/// assert_ne!(key.id(), Key::new("https://auth.example.com/token", "app").subject("bob").scope("read write").id());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    parts: KeyParts,
    id: String,
}

/// The parts that a key consists of. A store may keep them next to the token, to detect a mix-up.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct KeyParts {
    issuer: String,
    client: String,
    /// Whether the client obtains the token for itself, not for a user.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    program: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    /// A digest of each further parameter, sorted. The values may be secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<String>,
}

impl Key {
    /// Creates a key for an authorization server (its token endpoint or its issuer) and a client.
    pub fn new(issuer: impl Into<String>, client: impl Into<String>) -> Self {
        KeyParts { issuer: issuer.into(), client: client.into(), ..KeyParts::default() }.into()
    }

    /// Marks the token as one that the client obtains for itself (client credentials), not for a user.
    ///
    /// ```
    /// use tower_oauth2::store::Key;
    ///
    /// let key = Key::new("https://auth.example.com/token", "app");
    /// assert_ne!(key.clone().program(), key);
    /// ```
    #[must_use]
    pub fn program(self) -> Self {
        KeyParts { program: true, ..self.parts }.into()
    }

    /// Sets the user, if several users log in with one client.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        KeyParts { subject: subject.into(), ..self.parts }.into()
    }

    /// Sets the scope. The order of its values does not matter.
    #[must_use]
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        let mut names: Vec<&str> = scope.as_ref().split_whitespace().collect();
        names.sort_unstable();
        names.dedup();
        KeyParts { scope: names.join(" "), ..self.parts }.into()
    }

    /// Adds a resource. The order of the resources does not matter.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.parts.resources.push(resource.into());
        self.parts.resources.sort_unstable();
        self.parts.resources.dedup();
        self.parts.into()
    }

    /// Adds a parameter of the token request, such as `audience`. The order of the parameters does not matter.
    ///
    /// The key contains only a digest of the value.
    #[must_use]
    pub fn parameter(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.parts.parameters.push(digest(&[name.as_ref(), value.as_ref()]));
        self.parts.parameters.sort_unstable();
        self.parts.into()
    }

    /// Returns whether the key says whose token it is: that of a user with a name, or of the client.
    pub(crate) fn has_owner(&self) -> bool {
        self.parts.program || !self.parts.subject.is_empty()
    }

    /// Returns an identifier of 43 letters, digits, `-` and `_`, which fits the name of a file or the key of a database row. It reveals
    /// nothing about the key.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl From<KeyParts> for Key {
    fn from(parts: KeyParts) -> Self {
        let resources = if parts.resources.is_empty() { String::new() } else { digest(&parts.resources) };
        let parameters = parts.parameters.concat();
        let mut hashed = vec![&parts.issuer, &parts.client, &parts.subject, &parts.scope, &resources, &parameters];
        let program = "program".to_owned();
        if parts.program {
            hashed.push(&program);
        }
        Self { id: digest(&hashed), parts }
    }
}

/// Omits the query of the issuer's URL, which may contain an API key.
impl fmt::Debug for KeyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyParts")
            .field("issuer", &WithoutQuery(&self.issuer))
            .field("client", &self.client)
            .field("program", &self.program)
            .field("subject", &self.subject)
            .field("scope", &self.scope)
            .field("resources", &self.resources)
            .field("parameters", &self.parameters)
            .finish()
    }
}

/// Hashes each part after its length, so that no two lists of parts have the same digest.
fn digest(parts: &[impl AsRef<str>]) -> String {
    let mut hash = Sha256::new();
    for part in parts.iter().map(AsRef::as_ref) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Serializes the parts as an object, so that a person can identify the entry.
impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        KeyParts::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_any_part_have_different_ids() {
        let base = || Key::new("https://a.example/token", "app");
        let keys = [
            base(),
            Key::new("https://b.example/token", "app"),
            Key::new("https://a.example/token", "ap"),
            Key::new("https://a.example/tokena", "pp"),
            base().program(),
            base().subject("alice"),
            base().subject("program"),
            base().scope("alice"),
            base().scope("a b"),
            base().resource("https://api.example"),
            base().resource("https://api.example").resource("https://two.example"),
            base().resource("https://api.example\nhttps://two.example"),
            base().parameter("audience", "x"),
            base().parameter("audience", "y"),
            base().parameter("a", "udiencex"),
            base().parameter("audience", "x").parameter("audience", "x"),
            base().parameter("audience", "x").parameter("audience", "y"),
            base().parameter("audience", "x").program(),
        ];
        for (i, one) in keys.iter().enumerate() {
            for (j, other) in keys.iter().enumerate() {
                assert_eq!(one.id() == other.id(), i == j, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let base = || Key::new("i", "c");
        assert_eq!(base().scope("b a  b"), base().scope("a b"));
        assert_eq!(base().resource("x").resource("y"), base().resource("y").resource("x").resource("x"));
        let parameters = [("a", "1"), ("a", "2"), ("b", "1")];
        let with =
            |order: [usize; 3]| order.iter().fold(base(), |key, i| key.parameter(parameters[*i].0, parameters[*i].1));
        assert_eq!(with([0, 1, 2]), with([2, 1, 0]));
        assert_eq!(with([0, 1, 2]).id(), with([1, 2, 0]).id());
        assert_eq!(base().program().program(), base().program());
    }

    #[test]
    fn a_key_survives_serialization_and_contains_no_secret() {
        let key = Key::new("i", "c").program().subject("s").scope("a").resource("r").parameter("password", "hunter2");
        let json = serde_json::to_string(&key).unwrap();
        assert!(!json.contains("hunter2") && !format!("{key:?}").contains("hunter2"));
        assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key);
        assert_eq!(key.id().len(), 43);
    }
}
