//! The form that goes to a token endpoint (RFC 6749 §4, Appendix B).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use url::form_urlencoded;

use crate::secret::Secret;

/// Parameters that may stand more than once: RFC 8707 §2, RFC 8693 §2.1.
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// Parameters whose value is a secret: no text that repeats one is kept.
const SECRET: [&str; 11] = [
    "client_secret",
    "client_assertion",
    "assertion",
    "password",
    "refresh_token",
    "code",
    "code_verifier",
    "device_code",
    "subject_token",
    "actor_token",
    "token",
];

/// Parameters whose value nobody hides. What a user adds may be a secret, such as an API key, so everything else counts as one.
const PUBLIC: [&str; 16] = [
    "actor_token_type",
    "audience",
    "client_assertion_type",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "grant_type",
    "redirect_uri",
    "requested_token_type",
    "resource",
    "response_type",
    "scope",
    "state",
    "subject_token_type",
    "token_type_hint",
    "username",
];

/// What a user adds is no secret if it is shorter: half of what a server says would repeat it.
pub(crate) const SHORTEST: usize = 6;

/// A form for the token endpoint: `grant_type` and the parameters of the grant.
///
/// ```
/// use tower_oauth2::form::Form;
///
/// let form = Form::new("urn:ietf:params:oauth:grant-type:jwt-bearer").param("assertion", "eyJhbGciOi…");
/// assert!(!format!("{form:?}").contains("eyJ"));
/// ```
#[derive(Clone)]
pub struct Form(Vec<(Cow<'static, str>, Secret)>);

impl Form {
    /// A form of this `grant_type`, such as `client_credentials`.
    pub fn new(grant_type: impl Into<String>) -> Self {
        Self(vec![("grant_type".into(), Secret::new(grant_type))])
    }

    /// A form without `grant_type`, for another endpoint than that for tokens.
    pub(crate) fn bare() -> Self {
        Self(Vec::new())
    }

    /// Adds a parameter.
    ///
    /// No parameter may stand twice ([RFC 6749 §3.2]): where `name` is there already, or is empty, the form stays as it
    /// is. `resource` and `audience` may be given several times.
    ///
    /// [RFC 6749 §3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-3.2
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        let taken = name.is_empty() || (self.has(&name) && !REPEATABLE.contains(&name.as_str()));
        if !taken {
            self.0.push((name.into(), Secret::new(value)));
        }
        self
    }

    /// Adds the parameters that the user asked for, after those of the grant.
    pub(crate) fn params<'a>(self, extra: impl IntoIterator<Item = &'a (String, String)>) -> Self {
        extra.into_iter().fold(self, |form, (name, value)| form.param(name, value))
    }

    /// Sets what authenticates the client, in place of any parameter of that name.
    pub(crate) fn credential(self, name: &'static str, value: &str) -> Self {
        self.without(name).param(name, value)
    }

    /// Leaves out a parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(taken, _)| taken != name);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(taken, _)| taken == name)
    }

    /// The parameters in their order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.expose()))
    }

    /// What no error may repeat.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let is_secret =
            |name: &str, value: &str| SECRET.contains(&name) || (!PUBLIC.contains(&name) && value.len() >= SHORTEST);
        self.pairs().filter(move |(name, value)| is_secret(name, value)).map(|(_, value)| value)
    }

    /// The body: `application/x-www-form-urlencoded`, UTF-8.
    pub(crate) fn encode(&self) -> Bytes {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(self.pairs());
        body.finish().into()
    }
}

/// Prints the names only.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_of_a_name_stays() {
        let form = Form::new("password")
            .param("grant_type", "implicit")
            .param("resource", "https://a.example")
            .param("resource", "https://b.example")
            .param("", "nothing");
        assert_eq!(
            form.encode(),
            "grant_type=password&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example"
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_what_is_decoded(pairs in prop::collection::vec((".+", ".*"), 0..8)) {
            let form = Form::new("g").params(&pairs);
            let decoded: Vec<(String, String)> =
                form_urlencoded::parse(&form.encode()).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
            let kept: Vec<(String, String)> =
                form.0.iter().map(|(n, v)| (n.to_string(), v.expose().to_owned())).collect();
            prop_assert_eq!(decoded, kept);
        }
    }
}
