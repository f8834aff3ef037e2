//! Checks the issuer of an authorization response (RFC 9207).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A longer `iss` is cut in errors.
const MAX_ISSUER_SHOWN: usize = 200;

/// The issuers that are accepted (RFC 9207).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExpectedIssuer {
    /// This issuer identifier, which every response must contain.
    Exactly(String),
    /// An `iss` is optional, and must have this origin, which is that of the authorization endpoint.
    OfOrigin(String),
}

impl ExpectedIssuer {
    /// Checks the `iss` of a response. A configured issuer is compared as text, without normalisation (RFC 9207 §2.4).
    pub(super) fn check(&self, iss: Option<&str>, state: &str) -> Result<(), String> {
        match (self, iss) {
            (Self::Exactly(issuer), Some(iss)) if iss == issuer => Ok(()),
            (Self::Exactly(issuer), Some(iss)) => Err(format!(
                "the authorization response has the issuer {}, and `AuthorizationCode::issuer` requires `{issuer}`; the two \
                 are compared exactly",
                printable_issuer(iss, state)
            )),
            (Self::Exactly(issuer), None) => Err(format!(
                "the authorization response has no issuer (`iss`), and `AuthorizationCode::issuer` requires `{issuer}`; do \
                 not set the option if this server sends no `iss`"
            )),
            (Self::OfOrigin(_), None) => Ok(()),
            (Self::OfOrigin(origin), Some(iss)) => {
                let is_of_origin = |iss: url::Url| iss.origin().ascii_serialization() == *origin;
                if url::Url::parse(iss).is_ok_and(is_of_origin) {
                    return Ok(());
                }
                Err(format!(
                    "the authorization response has the issuer {}, and the authorization endpoint is at `{origin}`; if \
                     this is the issuer identifier of the server, set it with `AuthorizationCode::issuer`",
                    printable_issuer(iss, state)
                ))
            }
        }
    }
}

/// The text for errors.
impl fmt::Display for ExpectedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(issuer) => f.write_str(issuer),
            Self::OfOrigin(origin) => write!(f, "any of {origin}"),
        }
    }
}

/// Returns the `iss` for an error: only characters that a URL can have, and nothing if it repeats the `state`.
fn printable_issuer(iss: &str, state: &str) -> String {
    let printable: String = iss.chars().filter(char::is_ascii_graphic).take(MAX_ISSUER_SHOWN).collect();
    if printable.is_empty() || iss.contains(state) || printable.contains(state) {
        return "(one that cannot be printed)".to_owned();
    }
    format!("`{printable}`")
}
