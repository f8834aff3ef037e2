//! What comes back by the redirect: a code, an error of the server, or something that is not for us.

use url::form_urlencoded;

use crate::error::{Error, ErrorKind, OAuthError};
use crate::secret::Secret;

/// What a redirect must say to be the answer to our request.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) state: Secret,
    pub(super) issuer: Issuer,
}

/// Who may answer (RFC 9207).
#[derive(Clone, Debug)]
pub(super) enum Issuer {
    /// This one, and it says so in each answer.
    Exactly(String),
    /// An `iss`, if there is one, must be of this origin: that of the authorization endpoint.
    OfOrigin(String),
}

/// What a redirect is to us.
#[derive(Debug)]
pub(super) enum Callback {
    Code(Secret),
    /// The server, or the person, says no.
    Refused(Error),
    /// Not the answer to our request, or not readable: whoever sent it, the wait goes on. Why, for the person who sees it.
    Foreign(&'static str),
}

/// Reads the query of a redirect. State and issuer come first: what fails there is neither used nor believed (RFC 6749
/// §10.12, RFC 9207 §2.4).
pub(super) fn read(query: &str, expected: &Expected) -> Callback {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
        if parameters.iter().any(|(taken, _)| *taken == name) {
            return Callback::Foreign("A parameter stands twice in this answer.");
        }
        parameters.push((name, value));
    }
    // An empty value counts as omitted (RFC 6749 §3.1).
    let get = |name: &str| {
        parameters.iter().find(|(taken, value)| taken == name && !value.is_empty()).map(|(_, value)| value.as_str())
    };
    if get("state") != Some(expected.state.expose()) {
        return Callback::Foreign("This is not the answer to the login that is under way here.");
    }
    if !expected.issuer.allows(get("iss")) {
        return Callback::Foreign("This answer comes from another authorization server than the one that was asked.");
    }
    match (get("error"), get("code")) {
        (Some(error), _) => Callback::Refused(refusal(error, get("error_description"), get("error_uri"), expected)),
        (None, Some(code)) => Callback::Code(Secret::new(code)),
        (None, None) => Callback::Foreign("There is no code in this answer."),
    }
}

impl Issuer {
    /// Compared as text, without normalisation, where it is known (RFC 9207 §2.4).
    fn allows(&self, iss: Option<&str>) -> bool {
        match (self, iss) {
            (Self::Exactly(issuer), iss) => iss == Some(issuer),
            (Self::OfOrigin(_), None) => true,
            (Self::OfOrigin(origin), Some(iss)) => {
                url::Url::parse(iss).is_ok_and(|iss| iss.origin().ascii_serialization() == *origin)
            }
        }
    }
}

fn refusal(error: &str, description: Option<&str>, uri: Option<&str>, expected: &Expected) -> Error {
    let kind = match error {
        "access_denied" => ErrorKind::Denied,
        "server_error" | "temporarily_unavailable" => ErrorKind::Overloaded,
        "unauthorized_client" => ErrorKind::ClientRejected,
        _ => ErrorKind::RequestRejected,
    };
    Error::new(kind, "").with_oauth(OAuthError::heard(error, description, uri, &[expected.state.expose()]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected() -> Expected {
        Expected { state: Secret::new("s"), issuer: Issuer::OfOrigin("https://auth.example".into()) }
    }

    fn outcome(query: &str, expected: &Expected) -> String {
        match read(query, expected) {
            Callback::Code(code) => format!("code {}", code.expose()),
            Callback::Refused(error) => format!("{:?}", error.kind()),
            Callback::Foreign(_) => "foreign".into(),
        }
    }

    #[test]
    fn only_the_answer_to_our_request_counts() {
        for (query, read) in [
            ("code=c&state=s", "code c"),
            ("state=s&code=a%20b%2B&more=x", "code a b+"),
            ("state=s&code=c&iss=https%3A%2F%2Fauth.example%2Ftenant", "code c"),
            ("state=s&code=c&iss=https%3A%2F%2Fevil.example", "foreign"),
            ("state=s&code=c&iss=nonsense", "foreign"),
            ("state=s&error=access_denied", "Denied"),
            ("state=s&error=access_denied&code=c", "Denied"),
            ("state=s&error=invalid_scope&error_description=no", "RequestRejected"),
            ("state=s&error=temporarily_unavailable", "Overloaded"),
            ("state=s&error=unauthorized_client", "ClientRejected"),
            ("state=x&error=access_denied", "foreign"),
            ("error=access_denied", "foreign"),
            ("code=c", "foreign"),
            ("code=c&state=S", "foreign"),
            ("code=c&state=", "foreign"),
            ("code=c&state=s&state=s", "foreign"),
            ("code=c&code=d&state=s", "foreign"),
            ("code=&state=s", "foreign"),
            ("state=s", "foreign"),
            ("", "foreign"),
        ] {
            assert_eq!(outcome(query, &expected()), read, "{query}");
        }
    }

    #[test]
    fn a_known_issuer_must_be_there_and_the_same_to_the_letter() {
        let expected = Expected { issuer: Issuer::Exactly("https://auth.example".into()), ..expected() };
        for (query, read) in [
            ("code=c&state=s&iss=https://auth.example", "code c"),
            ("code=c&state=s&iss=https://auth.example/", "foreign"),
            ("code=c&state=s", "foreign"),
            ("error=access_denied&state=s", "foreign"),
        ] {
            assert_eq!(outcome(query, &expected), read, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read(query in ".*") {
            let _ = read(&query, &expected());
        }
    }
}
