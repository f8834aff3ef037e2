//! Whose token an entry is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Whose token it is, and for what: two logins that differ in anything of it are never mixed up.
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
    names: Names,
    id: String,
}

/// What a key is made of, as a store may keep it to be sure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Names {
    issuer: String,
    client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    /// Of the further parameters only a digest: their values may be secrets.
    #[serde(skip_serializing_if = "String::is_empty")]
    parameters: String,
}

impl Key {
    /// The tokens of this authorization server (its token endpoint, or its issuer) for this client.
    pub fn new(issuer: impl Into<String>, client: impl Into<String>) -> Self {
        Names { issuer: issuer.into(), client: client.into(), ..Names::default() }.into()
    }

    /// Those of this person, where one client has several.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Names { subject: subject.into(), ..self.names }.into()
    }

    /// Those of this scope, in whatever order.
    #[must_use]
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        let mut names: Vec<&str> = scope.as_ref().split_whitespace().collect();
        names.sort_unstable();
        names.dedup();
        Names { scope: names.join(" "), ..self.names }.into()
    }

    /// Those for this API; may be given several times, in whatever order.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.names.resources.push(resource.into());
        self.names.resources.sort_unstable();
        self.names.resources.dedup();
        self.names.into()
    }

    /// Those that were asked for with this parameter, such as `audience`; may be given several times.
    ///
    /// Its value goes into a digest only.
    #[must_use]
    pub fn parameter(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let parameters = digest(&[&self.names.parameters, name.as_ref(), value.as_ref()]);
        Names { parameters, ..self.names }.into()
    }

    /// A name for it, of 43 letters, digits, `-` and `_`: fit for a file or a row of a database. It tells nothing.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl From<Names> for Key {
    fn from(names: Names) -> Self {
        let resources = names.resources.join("\n");
        let id = digest(&[&names.issuer, &names.client, &names.subject, &names.scope, &resources, &names.parameters]);
        Self { names, id }
    }
}

/// With the length before each part, for no two lists of parts are to look the same.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// As an object of what it is made of, so that a person can see whose entry it is.
impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Names::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_anything_differs() {
        let base = || Key::new("https://a.example/token", "app");
        let keys = [
            base(),
            Key::new("https://b.example/token", "app"),
            Key::new("https://a.example/token", "ap"),
            Key::new("https://a.example/tokena", "pp"),
            base().subject("alice"),
            base().scope("alice"),
            base().scope("a b"),
            base().resource("https://api.example"),
            base().resource("https://api.example").resource("https://two.example"),
            base().parameter("audience", "x"),
            base().parameter("audience", "y"),
            base().parameter("a", "udiencex"),
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
    }

    #[test]
    fn it_is_stored_as_what_it_is_and_tells_no_secret() {
        let key = Key::new("i", "c").subject("s").scope("a").resource("r").parameter("password", "hunter2");
        let json = serde_json::to_string(&key).unwrap();
        assert!(!json.contains("hunter2") && !format!("{key:?}").contains("hunter2"));
        assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key);
        assert_eq!(key.id().len(), 43);
    }
}
