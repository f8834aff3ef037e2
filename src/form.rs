//! Encodes the form of a token request (RFC 6749 §4, Appendix B).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use url::form_urlencoded;

use crate::error::Error;
use crate::secret::{CharacterSet, Secret};

/// Parameters that may be repeated (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// Parameters whose value is always a secret, which no error repeats.
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

/// Parameters whose value is never a secret. Any other parameter may be one, such as an API key.
const PUBLIC: [&str; 17] = [
    "actor_token_type",
    "audience",
    "client_assertion_type",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
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

/// The minimum length of other secrets, because a server often repeats shorter texts by chance.
pub(crate) const MIN_SECRET_LEN: usize = 6;

/// Returns whether the value of this parameter is a secret, which no error repeats.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    SECRET.contains(&name) || (!PUBLIC.contains(&name) && value.len() >= MIN_SECRET_LEN)
}

/// Returns the secrets in form-encoded pairs.
pub(crate) fn secrets_in(pairs: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    form_urlencoded::parse(pairs).filter(|(name, value)| is_secret(name, value)).map(|(_, value)| value)
}

/// Returns the secrets in the query of an address, such as the `resource` of a request. A server may repeat it.
pub(crate) fn query_secrets(address: &str) -> impl Iterator<Item = Secret> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    secrets_in(query.as_bytes()).map(Secret::new)
}

/// A form that is sent to the token endpoint: `grant_type` and the parameters of the grant.
///
/// If a credential in the form has a control character, such as the line break at the end of a file, sending the form fails.
///
/// ```
/// use tower_oauth2::form::Form;
///
/// let form = Form::new("urn:ietf:params:oauth:grant-type:jwt-bearer").param("assertion", "eyJhbGciOi…");
/// assert!(!format!("{form:?}").contains("eyJ"));
/// ```
#[derive(Clone)]
pub struct Form {
    pairs: Vec<(Cow<'static, str>, Secret)>,
    /// Secrets that are no parameter of this form. The server has them from another request, or inside a parameter, and could repeat them.
    further_secrets: Vec<Secret>,
}

impl Form {
    /// Creates a form with this `grant_type`, such as `client_credentials`.
    pub fn new(grant_type: impl Into<String>) -> Self {
        let pairs = vec![("grant_type".into(), Secret::new(grant_type))];
        Self { pairs, further_secrets: Vec::new() }
    }

    /// Creates a form without `grant_type`, for an endpoint other than the token endpoint.
    pub(crate) fn without_grant_type() -> Self {
        Self { pairs: Vec::new(), further_secrets: Vec::new() }
    }

    /// Adds a parameter.
    ///
    /// Parameters must not be repeated ([RFC 6749 §3.2]), except `resource` and `audience`. If the form already has a parameter `name`, or
    /// if
    /// `name` is empty, the form is unchanged.
    ///
    /// [RFC 6749 §3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-3.2
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let taken = name.is_empty() || (self.has(&name) && !REPEATABLE.contains(&name.as_str()));
        if !taken {
            if name == "resource" {
                self.further_secrets.extend(query_secrets(&value));
            }
            self.pairs.push((name.into(), Secret::new(value)));
        }
        self
    }

    /// Adds the parameters of the user, after those of the grant.
    pub(crate) fn params<'a>(self, extra: impl IntoIterator<Item = &'a (String, String)>) -> Self {
        extra.into_iter().fold(self, |form, (name, value)| form.param(name, value))
    }

    /// Sets a parameter that authenticates the client. It replaces any parameter with that name.
    pub(crate) fn credential(self, name: &'static str, value: &str) -> Self {
        self.without(name).param(name, value)
    }

    /// Removes a parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(taken, _)| taken != name);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(taken, _)| taken == name)
    }

    /// Validates the characters of the credentials (RFC 6749 Appendix A). Servers do not issue control characters, but files end with a
    /// line break. Characters that are not ASCII are sent, because some servers issue them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), with the name of the parameter.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, value) in self.pairs().filter(|(name, _)| SECRET.contains(name) || *name == "username") {
            if let Some(violation) = CharacterSet::Unicode.violation(value) {
                return Err(Error::argument(name, violation));
            }
        }
        Ok(())
    }

    /// Returns the parameters in their order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.expose()))
    }

    /// Adds secrets that the server could repeat, although they are no parameter of this form.
    pub(crate) fn with_further_secrets<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        self.further_secrets.extend(secrets.into_iter().map(Secret::new));
        self
    }

    /// Returns the secrets that no error may repeat.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let in_pairs = self.pairs().filter(|(name, value)| is_secret(name, value)).map(|(_, value)| value);
        in_pairs.chain(self.further_secrets.iter().map(Secret::expose))
    }

    /// Returns the body in `application/x-www-form-urlencoded` and UTF-8.
    pub(crate) fn encode(&self) -> Bytes {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(self.pairs());
        body.finish().into()
    }
}

/// Prints only the names of the parameters.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_parameter_with_a_name_is_kept() {
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
        fn decoding_the_body_returns_the_parameters(pairs in prop::collection::vec((".+", ".*"), 0..8)) {
            let form = Form::new("g").params(&pairs);
            let decoded: Vec<(String, String)> =
                form_urlencoded::parse(&form.encode()).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
            let kept: Vec<(String, String)> =
                form.pairs.iter().map(|(n, v)| (n.to_string(), v.expose().to_owned())).collect();
            prop_assert_eq!(decoded, kept);
        }
    }
}
