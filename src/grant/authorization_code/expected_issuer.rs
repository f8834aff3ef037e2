//! Checks the issuer of an authorization response (RFC 9207).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::endpoint::Issuer;
use crate::into_url::WithoutQuery;

/// A longer `iss` is cut in errors.
const MAX_ISSUER_SHOWN: usize = 200;

/// The issuer of the server that a login was started at. A grant with another one does not complete the login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExpectedIssuer {
    /// This issuer identifier, which the application has given for the responses.
    Exactly(String),
    /// Any issuer with this origin, which is that of the authorization endpoint.
    OfOrigin(String),
    /// This issuer identifier, from which the server's endpoints are discovered.
    Discovered(String),
}

/// The rule for the `iss` of the responses to one login.
#[derive(Clone, Debug)]
pub(super) struct IssuerRule {
    pub(super) expected: ExpectedIssuer,
    /// Whether a response without `iss` is not accepted.
    pub(super) is_required: bool,
    /// Decides about further issuers that the application accepts.
    pub(super) server: Option<Issuer>,
}

impl IssuerRule {
    /// Checks the `iss` of a response. An issuer identifier is compared as text, without normalisation (RFC 9207 §2.4).
    pub(super) fn check(&self, iss: Option<&str>, state: &str) -> Result<(), String> {
        match iss {
            Some(iss) if self.accepts(iss) => Ok(()),
            Some(iss) => {
                let iss = printable_issuer(iss, state);
                Err(format!("the authorization response has the issuer {iss}, and {}", self.expected.advice()))
            }
            None if !self.is_required => Ok(()),
            None => {
                Err(format!("the authorization response has no issuer (`iss`), and {}", self.expected.requirement()))
            }
        }
    }

    fn accepts(&self, iss: &str) -> bool {
        match &self.expected {
            ExpectedIssuer::Exactly(issuer) => iss == issuer,
            ExpectedIssuer::Discovered(issuer) => {
                iss == issuer || self.server.as_ref().is_some_and(|server| server.accepts(iss))
            }
            ExpectedIssuer::OfOrigin(origin) => {
                url::Url::parse(iss).is_ok_and(|iss| iss.origin().ascii_serialization() == *origin)
            }
        }
    }
}

impl ExpectedIssuer {
    /// Returns what to do about a response with another `iss`.
    fn advice(&self) -> String {
        match self {
            Self::Exactly(issuer) => {
                format!("`AuthorizationCode::issuer` requires `{issuer}`; the two are compared exactly")
            }
            Self::OfOrigin(origin) => format!(
                "the authorization endpoint is at `{origin}`; if this is the issuer identifier of the server, set it with \
                 `AuthorizationCode::issuer`"
            ),
            Self::Discovered(issuer) => format!(
                "the grant has the issuer `{issuer}`; the two are compared exactly, unless `Issuer::dangerous_accept_issuer` accepts \
                 another one"
            ),
        }
    }

    /// Returns why a response must have an `iss`.
    fn requirement(&self) -> String {
        match self {
            Self::Exactly(issuer) | Self::OfOrigin(issuer) => format!(
                "`AuthorizationCode::issuer` requires `{issuer}`; do not set the option if this server sends no `iss`"
            ),
            Self::Discovered(issuer) => format!("the metadata of `{issuer}` says that the server sends it"),
        }
    }
}

/// The text for errors.
impl fmt::Display for ExpectedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(issuer) | Self::Discovered(issuer) => f.write_str(issuer),
            Self::OfOrigin(origin) => write!(f, "any of {origin}"),
        }
    }
}

/// Returns the `iss` for an error: without its query, which may contain a key, only characters that a URL can have, and nothing if it repeats
/// the `state`.
fn printable_issuer(iss: &str, state: &str) -> String {
    let shown = format!("{:?}", WithoutQuery(iss));
    let printable: String = shown.chars().filter(char::is_ascii_graphic).take(MAX_ISSUER_SHOWN).collect();
    if printable.is_empty() || iss.contains(state) || printable.contains(state) {
        return "(one that cannot be printed)".to_owned();
    }
    format!("`{printable}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://auth.example/7";

    /// RFC 9207 §2.4, for a server whose metadata says whether it sends `iss`.
    #[test]
    fn the_iss_of_a_discovered_server() {
        let accepting =
            || Issuer::new(ISSUER).unwrap().dangerous_accept_issuer(|issuer| issuer == "https://tenant.example");
        for (is_required, server, iss, is_accepted) in [
            (true, None, Some(ISSUER), true),
            (true, None, None, false),
            (true, None, Some("https://auth.example/7/"), false),
            (true, None, Some("HTTPS://auth.example/7"), false),
            (true, None, Some("https://auth.example:443/7"), false),
            (true, None, Some("https://auth.example/%37"), false),
            (false, None, Some(ISSUER), true),
            (false, None, None, true),
            (false, None, Some("https://auth.example/8"), false),
            (false, None, Some("https://auth.example"), false),
            (true, Some(accepting()), Some(ISSUER), true),
            (true, Some(accepting()), Some("https://tenant.example"), true),
            (true, Some(accepting()), Some("https://other.example"), false),
            (true, Some(accepting()), None, false),
        ] {
            let rule = IssuerRule { expected: ExpectedIssuer::Discovered(ISSUER.to_owned()), is_required, server };
            let outcome = rule.check(iss, "s1");
            assert_eq!(outcome.is_ok(), is_accepted, "{is_required} {iss:?}: {outcome:?}");
            assert!(outcome.is_ok() || outcome.is_err_and(|why| why.contains(ISSUER)));
        }
    }
}
