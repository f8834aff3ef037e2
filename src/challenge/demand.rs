//! Reads what a challenge demands of the next token (RFC 6750 §3.1, RFC 9470 §3, claims challenges of Entra ID).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use serde_json::{Map, Value};

use super::Challenge;
use crate::scope;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The errors of a valid token that is not sufficient.
const ERRORS: [&str; 3] = ["insufficient_scope", "insufficient_user_authentication", "insufficient_claims"];

/// Describes what the next token must be good for, beyond the one that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) scope: BTreeSet<String>,
    /// The authentication contexts, one of which the login must satisfy.
    pub(crate) acr_values: Option<String>,
    /// How old the login may be, in seconds.
    pub(crate) max_age: Option<u64>,
    /// The claims that the server evaluates again.
    pub(crate) claims: Option<Map<String, Value>>,
    /// Whether there was no token yet. Then a refresh token or a stored login may be enough.
    pub(crate) is_first: bool,
}

impl Demand {
    /// Reads the first challenge about the token that demands something; `None` without one.
    ///
    /// Only challenges of the schemes Bearer and DPoP count.
    pub(crate) fn read(status: StatusCode, challenges: &[Challenge]) -> Option<(Self, &Challenge)> {
        let mut about_token = challenges.iter().filter(|it| is_about_token(it));
        about_token.find_map(|challenge| Some((Self::of(status, challenge)?, challenge)))
    }

    /// Reads a challenge, whatever the status of its response.
    pub(crate) fn of_any(challenge: &Challenge) -> Option<Self> {
        Self::of(StatusCode::UNAUTHORIZED, challenge)
    }

    /// Reads the scope for a first token. What else the token needs, the server says when it gets the token.
    pub(crate) fn of_first(challenge: &Challenge) -> Option<Self> {
        let scope = challenge.scope().and_then(names)?;
        Some(Self { scope, is_first: true, ..Self::default() })
    }

    /// Returns whether a 401 without a readable demand says first that the token is valid and not sufficient, so that no other token helps.
    pub(crate) fn is_unreadable(status: StatusCode, challenges: &[Challenge]) -> bool {
        if status != StatusCode::UNAUTHORIZED {
            return false;
        }
        let error = challenges.iter().filter(|it| is_about_token(it)).find_map(Challenge::error);
        error.is_some_and(|error| ERRORS.contains(&error))
    }

    /// Returns one challenge that demands all of this, for a grant of the user.
    pub(crate) fn to_challenge(&self) -> Challenge {
        let [scope_error, login_error, claims_error] = ERRORS;
        let error = match self {
            Self { claims: Some(_), .. } => claims_error,
            _ if self.needs_person() => login_error,
            _ => scope_error,
        };
        let scope: Vec<&str> = self.scope.iter().map(String::as_str).collect();
        let values = [
            ("error", Some(error.to_owned())),
            ("scope", (!scope.is_empty()).then(|| scope.join(" "))),
            ("acr_values", self.acr_values.clone()),
            ("max_age", self.max_age.map(|max_age| max_age.to_string())),
            ("claims", self.claims.clone().map(|claims| BASE64.encode(Value::Object(claims).to_string()))),
        ];
        let params = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Challenge { scheme: "Bearer".to_owned(), params }
    }

    /// Reads one challenge. With another status than 401, only the scope of a 403 counts (RFC 6750 §3.1).
    fn of(status: StatusCode, challenge: &Challenge) -> Option<Self> {
        let demand = match (challenge.error()?, status) {
            ("insufficient_scope", StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => {
                Self { scope: names(challenge.scope()?)?, ..Self::default() }
            }
            ("insufficient_user_authentication", StatusCode::UNAUTHORIZED) => Self {
                scope: challenge.scope().and_then(names).unwrap_or_default(),
                acr_values: challenge.param("acr_values").filter(|values| !values.trim().is_empty()).map(str::to_owned),
                max_age: challenge.param("max_age").and_then(seconds),
                ..Self::default()
            },
            ("insufficient_claims", StatusCode::UNAUTHORIZED) => {
                Self { claims: Some(decoded(challenge.param("claims")?)?), ..Self::default() }
            }
            _ => return None,
        };
        (demand != Self::default()).then_some(demand)
    }

    /// Adds what another challenge demands: the scopes are united, the smaller `max_age` counts, and its other values win.
    pub(crate) fn merge(&mut self, other: Self) {
        self.scope.extend(other.scope);
        self.acr_values = other.acr_values.or(self.acr_values.take());
        self.max_age = self.max_age.into_iter().chain(other.max_age).min();
        if let Some(claims) = other.claims {
            merge_objects(self.claims.get_or_insert_default(), claims);
        }
    }

    /// Returns whether a request for this satisfies the other demand too.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let mut both = self.clone();
        both.merge(other.clone());
        both == *self
    }

    /// Returns whether only a person can satisfy it.
    pub(crate) fn needs_person(&self) -> bool {
        self.acr_values.is_some() || self.max_age.is_some()
    }

    /// Returns whether a new login is needed, because a refresh brings the same scope and the same login again.
    pub(crate) fn needs_login(&self) -> bool {
        !self.is_first && (!self.scope.is_empty() || self.acr_values.is_some() || self.max_age.is_some())
    }
}

fn is_about_token(challenge: &Challenge) -> bool {
    ["bearer", "dpop"].iter().any(|scheme| challenge.scheme().eq_ignore_ascii_case(scheme))
}

/// Adds the members of one object to another one, object by object. Those that are added win.
pub(crate) fn merge_objects(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge_objects(old, new),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

/// Returns the names of a scope; `None` if it has none, or one that cannot be requested.
fn names(text: &str) -> Option<BTreeSet<String>> {
    let scope = scope::parse(text).ok()??;
    Some(scope.split(' ').map(str::to_owned).collect())
}

fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().unwrap_or(u64::MAX))
        .filter(|_| !text.is_empty())
}

/// Decodes claims: base64 of either alphabet, padded or not, of a JSON object.
fn decoded(text: &str) -> Option<Map<String, Value>> {
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let json = GeneralPurpose::new(alphabet, ANY_PADDING).decode(text.trim()).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::WWW_AUTHENTICATE;
    use serde_json::json;

    use super::*;

    fn read(status: u16, challenge: &str) -> Option<Demand> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        Demand::read(status.try_into().unwrap(), &Challenge::parse(&headers)).map(|(demand, _)| demand)
    }

    fn scope(names: &[&str]) -> Demand {
        Demand { scope: names.iter().map(|name| (*name).to_owned()).collect(), ..Demand::default() }
    }

    #[test]
    fn each_kind_of_challenge_is_read() {
        let claims = json!({"access_token": {"nbf": {"essential": true, "value": "1702682181"}}});
        let with_claims = Demand { claims: claims.as_object().cloned(), ..Demand::default() };
        for (status, challenge, expected) in [
            (403, r#"Bearer error="insufficient_scope", scope="b a  b""#, Some(scope(&["a", "b"]))),
            (401, r#"dpop error="insufficient_scope", scope="a""#, Some(scope(&["a"]))),
            (403, r#"Bearer error="insufficient_scope""#, None),
            (403, r#"Bearer error="insufficient_scope", scope=" ""#, None),
            (403, r#"Bearer error="insufficient_scope", scope="ä""#, None),
            (400, r#"Bearer error="insufficient_scope", scope="a""#, None),
            (403, r#"Bearer error="invalid_token", scope="a""#, None),
            (403, r#"Bearer scope="a""#, None),
            (403, r#"Basic error="insufficient_scope", scope="a""#, None),
            // With several, the first that demands something counts.
            (
                403,
                r#"Bearer error="invalid_token", DPoP error="insufficient_scope", scope="a", Bearer error="insufficient_scope", scope="b""#,
                Some(scope(&["a"])),
            ),
            // RFC 9470 §3.
            (
                401,
                r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#,
                Some(Demand { acr_values: Some("myACR".into()), ..Demand::default() }),
            ),
            (
                401,
                r#"Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5""#,
                Some(Demand { max_age: Some(5), ..Demand::default() }),
            ),
            (
                401,
                r#"Bearer error="insufficient_user_authentication", max_age=0, acr_values="a b", scope="s""#,
                Some(Demand { max_age: Some(0), acr_values: Some("a b".into()), ..scope(&["s"]) }),
            ),
            (
                401,
                r#"Bearer error="insufficient_user_authentication", max_age="99999999999999999999999""#,
                Some(Demand { max_age: Some(u64::MAX), ..Demand::default() }),
            ),
            (401, r#"Bearer error="insufficient_user_authentication", max_age="-1""#, None),
            (401, r#"Bearer error="insufficient_user_authentication", max_age="""#, None),
            (401, r#"Bearer error="insufficient_user_authentication""#, None),
            (403, r#"Bearer error="insufficient_user_authentication", max_age="5""#, None),
            // The claims challenge of Entra ID, in both alphabets, padded and not.
            (
                401,
                r#"Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAyNjgyMTgxIn19fQ==""#,
                Some(with_claims.clone()),
            ),
            (
                401,
                r#"Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAyNjgyMTgxIn19fQ""#,
                Some(with_claims),
            ),
            (401, r#"Bearer error="insufficient_claims", claims="eyJhIjoi_-8ifQ""#, None),
            (401, r#"Bearer error="insufficient_claims", claims="W10=""#, None),
            (
                401,
                r#"Bearer error="insufficient_claims", claims="e30=""#,
                Some(Demand { claims: Some(Map::new()), ..Demand::default() }),
            ),
            (401, r#"Bearer error="insufficient_claims", claims="%%%""#, None),
            (401, r#"Bearer error="insufficient_claims""#, None),
        ] {
            assert_eq!(read(status, challenge), expected, "{status} {challenge}");
        }
    }

    #[test]
    fn demands_are_merged() {
        let mut demand = Demand { max_age: Some(60), acr_values: Some("old".into()), ..scope(&["a"]) };
        demand.claims = json!({"access_token": {"nbf": 1, "acrs": 2}, "id_token": 3}).as_object().cloned();
        let other = json!({"access_token": {"nbf": 4}, "id_token": {"x": 5}}).as_object().cloned();
        demand.merge(Demand { max_age: Some(5), acr_values: Some("new".into()), claims: other, ..scope(&["b"]) });
        assert_eq!(demand.scope, scope(&["a", "b"]).scope);
        assert_eq!((demand.max_age, demand.acr_values.as_deref()), (Some(5), Some("new")));
        let merged = json!({"access_token": {"nbf": 4, "acrs": 2}, "id_token": {"x": 5}});
        assert_eq!(demand.claims.as_ref(), merged.as_object());
        let same = demand.clone();
        demand.merge(Demand::default());
        assert_eq!(demand, same);
    }

    #[test]
    fn a_demand_becomes_a_challenge_that_names_all_of_it() {
        let claims = json!({"id_token": {"name": "ü?>"}}).as_object().cloned();
        let login = Demand { acr_values: Some("mfa".into()), max_age: Some(5), ..scope(&["a", "b"]) };
        for demand in [scope(&["b", "a"]), login.clone(), Demand { claims: claims.clone(), ..Demand::default() }] {
            assert_eq!(Demand::of_any(&demand.to_challenge()), Some(demand));
        }
        let all = Demand { claims, ..login }.to_challenge();
        assert_eq!((all.scope(), all.param("acr_values"), all.param("max_age")), (Some("a b"), Some("mfa"), Some("5")));
        assert_eq!(all.error(), Some("insufficient_claims"));
    }

    #[test]
    fn a_401_that_does_not_say_what_it_demands_is_unreadable() {
        for (status, challenge, is_unreadable) in [
            (401, r#"Bearer error="insufficient_claims", claims="%""#, true),
            (401, r#"Bearer realm="x", DPoP error="insufficient_scope""#, true),
            (403, r#"Bearer error="insufficient_scope""#, false),
            (401, r#"Bearer error="invalid_token", DPoP error="insufficient_claims""#, false),
            (401, r#"Basic error="insufficient_claims""#, false),
            (401, "Bearer", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
            let found = Demand::is_unreadable(status.try_into().unwrap(), &Challenge::parse(&headers));
            assert_eq!(found, is_unreadable, "{status} {challenge}");
        }
    }
}
