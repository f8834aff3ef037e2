//! Parses the query of a redirect: a code, an error of the server, or a request that does not complete the login.

use std::borrow::Cow;

use url::form_urlencoded;

use super::expected_issuer::IssuerRule;
use crate::error::{Error, ErrorKind, OAuthError};
use crate::secret::{CharacterSet, Secret};

/// The values that a redirect must contain to complete a login.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) state: Secret,
    pub(super) issuer: IssuerRule,
    /// Texts of the request that no error repeats.
    pub(super) secrets: Vec<Secret>,
}

/// The meaning of a redirect for a login.
#[derive(Debug)]
pub(super) enum Callback {
    Code(Secret),
    /// The error that the server sent.
    Failed(Error),
    /// The redirect belongs to another login, or it cannot be used. It does not end the login. The reason is for pages and errors.
    Unrelated(Cow<'static, str>),
}

/// Reads the query of a redirect. The state is compared first (RFC 6749 §10.12), then the issuer (RFC 9207 §2.4). If one of them is
/// wrong, neither a code nor an error is used.
pub(super) fn read(query: &str, expected: &Expected) -> Callback {
    parse(&Query::read(query), expected).unwrap_or_else(Callback::Unrelated)
}

fn parse(query: &Query<'_>, expected: &Expected) -> Result<Callback, Cow<'static, str>> {
    if query.state.get("state")? != Some(expected.state.expose()) {
        return Err("the response does not have the `state` of this login".into());
    }
    expected.issuer.check(query.iss.get("iss")?, expected.state.expose())?;
    match (query.error.get("error")?, query.code.get("code")?) {
        (Some(error), _) => {
            let (description, uri) =
                (query.error_description.get("error_description"), query.error_uri.get("error_uri"));
            // A description that appears twice is dropped, and the error is kept.
            let error = failure(error, description.unwrap_or_default(), uri.unwrap_or_default(), expected);
            Ok(Callback::Failed(error))
        }
        // The exchange rejects such a code as a configuration error, but the server sent it.
        (None, Some(code)) if CharacterSet::Unicode.violation(code).is_some() => {
            Err("the `code` of the login contains a character that RFC 6749 (Appendix A.11) does not allow".into())
        }
        (None, Some(code)) => Ok(Callback::Code(Secret::new(code))),
        (None, None) => Err("the authorization response has neither a `code` nor an `error`".into()),
    }
}

/// The parameters that the protocol defines. All others are ignored, however often they appear.
#[derive(Default)]
struct Query<'a> {
    state: Parameter<'a>,
    code: Parameter<'a>,
    iss: Parameter<'a>,
    error: Parameter<'a>,
    error_description: Parameter<'a>,
    error_uri: Parameter<'a>,
}

#[derive(Default)]
enum Parameter<'a> {
    #[default]
    Missing,
    Once(Cow<'a, str>),
    Repeated,
}

impl<'a> Query<'a> {
    fn read(text: &'a str) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let parameter = match &*name {
                "state" => &mut query.state,
                "code" => &mut query.code,
                "iss" => &mut query.iss,
                "error" => &mut query.error,
                "error_description" => &mut query.error_description,
                "error_uri" => &mut query.error_uri,
                _ => continue,
            };
            // An empty value counts as omitted (RFC 6749 §3.1).
            if !value.is_empty() {
                *parameter = match parameter {
                    Parameter::Missing => Parameter::Once(value),
                    _ => Parameter::Repeated,
                };
            }
        }
        query
    }
}

impl Parameter<'_> {
    fn get(&self, name: &str) -> Result<Option<&str>, String> {
        match self {
            Self::Missing => Ok(None),
            Self::Once(value) => Ok(Some(value)),
            Self::Repeated => Err(format!("the authorization response has the parameter `{name}` twice")),
        }
    }
}

fn failure(error: &str, description: Option<&str>, uri: Option<&str>, expected: &Expected) -> Error {
    let kind = match error {
        // The second code is of RFC 9470 §5: the person has no login that is strong enough.
        "access_denied" | "unmet_authentication_requirements" => ErrorKind::Denied,
        "server_error" | "temporarily_unavailable" => ErrorKind::Overloaded,
        "unauthorized_client" => ErrorKind::ClientRejected,
        _ => ErrorKind::RequestRejected,
    };
    let secrets: Vec<&str> = [&expected.state].into_iter().chain(&expected.secrets).map(Secret::expose).collect();
    Error::new(kind, "").with_oauth_response(OAuthError::from_response(error, description, uri, &secrets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::grant::authorization_code::expected_issuer::ExpectedIssuer;

    fn expected() -> Expected {
        let issuer = rule(ExpectedIssuer::OfOrigin("https://auth.example".into()));
        Expected { state: Secret::new("s1"), issuer, secrets: Vec::new() }
    }

    fn rule(expected: ExpectedIssuer) -> IssuerRule {
        let is_required = matches!(expected, ExpectedIssuer::Exactly(_));
        IssuerRule { expected, is_required, server: None }
    }

    fn outcome(query: &str, expected: &Expected) -> String {
        match read(query, expected) {
            Callback::Code(code) => format!("code {}", code.expose()),
            Callback::Failed(error) => format!("{:?}", error.kind()),
            Callback::Unrelated(_) => "unrelated".into(),
        }
    }

    fn text(query: &str, expected: &Expected) -> String {
        match read(query, expected) {
            Callback::Unrelated(why) => why.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_response_with_the_state_is_used() {
        for (query, read) in [
            ("code=c&state=s1", "code c"),
            ("state=s1&code=a%20b%2B&more=x", "code a b+"),
            ("state=s1&code=c&iss=https%3A%2F%2Fauth.example%2Ftenant", "code c"),
            ("state=s1&code=c&iss=https%3A%2F%2Fevil.example", "unrelated"),
            ("state=s1&code=c&iss=nonsense", "unrelated"),
            ("state=s1&error=access_denied", "Denied"),
            ("state=s1&error=access_denied&code=c", "Denied"),
            ("state=s1&error=access_denied&error_description=a&error_description=b", "Denied"),
            ("state=s1&error=invalid_scope&error_description=no", "RequestRejected"),
            ("state=s1&error=temporarily_unavailable", "Overloaded"),
            ("state=s1&error=unauthorized_client", "ClientRejected"),
            ("state=x&error=access_denied", "unrelated"),
            ("state=x&code=c&iss=https%3A%2F%2Fevil.example", "unrelated"),
            ("error=access_denied", "unrelated"),
            ("code=c", "unrelated"),
            ("code=c&state=S1", "unrelated"),
            ("code=c&state=", "unrelated"),
            ("code=c&state=s1&state=s1", "unrelated"),
            ("code=c&state=s1&state=", "code c"),
            ("code=c&code=d&state=s1", "unrelated"),
            ("code=c&state=s1&iss=https://auth.example&iss=https://auth.example", "unrelated"),
            ("code=&state=s1", "unrelated"),
            ("code=c%0A&state=s1", "unrelated"),
            ("code=c%00d&state=s1", "unrelated"),
            ("code=c%0A&state=s1&error=access_denied", "Denied"),
            ("code=c%0A&state=x", "unrelated"),
            ("code=%C3%A9&state=s1", "code é"),
            ("state=s1", "unrelated"),
            ("state=s1&error=access_denied&iss=https%3A%2F%2Fevil.example", "unrelated"),
            ("state=s1&error=access_denied&error=server_error", "unrelated"),
            ("", "unrelated"),
        ] {
            assert_eq!(outcome(query, &expected()), read, "{query}");
        }
    }

    #[test]
    fn unknown_parameters_are_ignored_even_if_repeated() {
        let more = "&scope=a&scope=b&session_state=x&session_state=x".repeat(1000);
        assert_eq!(outcome(&format!("code=c&state=s1{more}"), &expected()), "code c");
    }

    #[test]
    fn a_configured_issuer_is_required_and_compared_exactly() {
        let expected = Expected { issuer: rule(ExpectedIssuer::Exactly("https://auth.example".into())), ..expected() };
        for (query, read) in [
            ("code=c&state=s1&iss=https://auth.example", "code c"),
            ("code=c&state=s1&iss=https://auth.example/", "unrelated"),
            ("code=c&state=s1", "unrelated"),
            ("error=access_denied&state=s1", "unrelated"),
        ] {
            assert_eq!(outcome(query, &expected), read, "{query}");
        }
    }

    #[test]
    fn an_error_names_the_issuer_and_the_option_without_secrets_and_control_characters() {
        let other = text("code=c&state=s1&iss=https://login.example/%1B%5B31m%E2%80%AE7", &expected());
        assert!(other.contains("`https://login.example/[31m7`"), "{other}");
        assert!(other.contains("https://auth.example`") && other.contains("AuthorizationCode::issuer"), "{other}");
        for iss in ["https://e.example/s1", "s%0A1", "%0A"] {
            let hidden = text(&format!("code=c&state=s1&iss={iss}"), &expected());
            assert!(hidden.contains("cannot be printed") && !hidden.contains("s1"), "{hidden}");
        }
        let keyed = text("code=c&state=s1&iss=https://api.example/%0A?key=hunter2-key", &expected());
        assert!(keyed.contains("`https://api.example/?[secret]`") && !keyed.contains("hunter2"), "{keyed}");
        let long = text(&format!("code=c&state=s1&iss={}", "x".repeat(100_000)), &expected());
        assert!(long.len() < 1000, "{long}");

        let exactly = Expected { issuer: rule(ExpectedIssuer::Exactly("https://auth.example/7".into())), ..expected() };
        let missing = text("code=c&state=s1", &exactly);
        assert!(missing.contains("`https://auth.example/7`") && missing.contains("do not set the option"), "{missing}");
        let other = text("code=c&state=s1&iss=https://auth.example", &exactly);
        assert!(other.contains("`https://auth.example`") && other.contains("`https://auth.example/7`"), "{other}");
    }

    proptest! {
        #[test]
        fn any_query_can_be_parsed(query in ".*") {
            let _ = read(&query, &expected());
        }
    }
}
