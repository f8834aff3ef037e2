//! Parses the members of a token. It accepts the variants of real servers, and rejects tokens that cannot be sent.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::bearer_token::Token;
use super::token_record::TokenRecord;
use super::token_scheme::IssuedTypes;
use crate::clock::{Deadline, MAX_DURATION, Now};
use crate::error::Error;
use crate::secret::{CharacterSet, Secret};

/// Parses the response of a token endpoint (RFC 6749 §5.1). `expires_in` is relative to `now`, and takes precedence over `expires_at`. The
/// types in `bearer_types` mean Bearer too. `issued` are the types that the response may have.
///
/// # Errors
///
/// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed), with the name of the member.
pub(crate) fn from_response(
    mut members: Map<String, Value>,
    now: Now,
    bearer_types: &[String],
    issued: IssuedTypes,
) -> Result<Token, Error> {
    let token_type = members.get("token_type").and_then(Value::as_str).unwrap_or_default();
    // A token that is bound to a key is no Bearer token, whatever the application has configured.
    let is_dpop = token_type.eq_ignore_ascii_case("DPoP");
    if !is_dpop && bearer_types.iter().any(|known| known.eq_ignore_ascii_case(token_type)) {
        // The token is stored as Bearer, because the type of the server could not be parsed again.
        members.remove("token_type");
    }
    let expires_at = members.remove("expires_at").and_then(|at| seconds("expires_at", &at).ok().flatten());
    let lifetime = seconds("expires_in", &members.remove("expires_in").unwrap_or_default())?;
    let expiry = match lifetime {
        Some(lifetime) => Some(Deadline::from_now(now, lifetime)),
        None => expires_at.map(|at| Deadline::from_wall(now, SystemTime::UNIX_EPOCH + at)),
    };
    let token = without_expiry(members)?.with_expiry(expiry, lifetime).with_record(TokenRecord::default());
    match (issued, token.is_dpop()) {
        (IssuedTypes::Bearer, true) => {
            return Err(Error::malformed("`token_type` is DPoP, but the client has no key; set one with `dpop`"));
        }
        (IssuedTypes::Dpop, false) => {
            return Err(Error::malformed(
                "`token_type` is not DPoP, so the token is not bound to the key (RFC 9449 §5); `Dpop::dangerous_allow_bearer` accepts it",
            ));
        }
        _ => {}
    }
    // The refresh token of the application is an argument, so its error is another one.
    match token.refresh_token().and_then(|text| CharacterSet::Unicode.violation(text)) {
        Some(violation) => Err(Error::malformed(format!("`refresh_token` {violation}"))),
        None => Ok(token),
    }
}

/// Removes a lifetime of zero or less, which some servers send for a token that never expires.
pub(crate) fn ignore_zero_lifetime(members: &mut Map<String, Value>) {
    for name in ["expires_in", "expires_at"] {
        let is_zero = |value: &Value| matches!(seconds(name, value), Ok(Some(Duration::ZERO)));
        if members.get(name).is_some_and(is_zero) {
            members.remove(name);
        }
    }
}

/// Parses a stored token, which expires at `expires_at`. `expires_in` is its whole lifetime. It is relative to `now` only if there is no
/// `expires_at`.
pub(super) fn from_store(mut members: Map<String, Value>, now: Now) -> Result<Token, Error> {
    let lifetime = seconds("expires_in", &members.remove("expires_in").unwrap_or_default())?;
    let expiry = match seconds("expires_at", &members.remove("expires_at").unwrap_or_default())? {
        Some(at) => Some(Deadline::from_wall(now, SystemTime::UNIX_EPOCH + at)),
        None => lifetime.map(|lifetime| Deadline::from_now(now, lifetime)),
    };
    Ok(without_expiry(members)?.with_expiry(expiry, lifetime))
}

/// Parses all members except the expiry.
fn without_expiry(mut members: Map<String, Value>) -> Result<Token, Error> {
    let record = TokenRecord::take(&mut members);
    let access_token = match members.remove("access_token") {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => return Err(Error::malformed("`access_token` is missing")),
        Some(_) => return Err(Error::malformed("`access_token` is not text")),
    };
    let mut token = Token::bearer(access_token).map_err(|_| {
        Error::malformed(
            "`access_token` is empty, or has characters other than visible ASCII, which a header cannot contain",
        )
    })?;
    match token_type(members.remove("token_type"))? {
        Some(token_type) if token_type.eq_ignore_ascii_case("dpop") => token = token.with_dpop_type(token_type),
        Some(token_type) => token.inner().token_type = token_type,
        None => {}
    }
    let inner = token.inner();
    inner.refresh_token = match members.remove("refresh_token") {
        Some(Value::String(text)) if !text.is_empty() => Some(Secret::new(text)),
        Some(Value::Null | Value::String(_)) | None => None,
        Some(_) => return Err(Error::malformed("`refresh_token` is not text")),
    };
    inner.scope = members.remove("scope").and_then(scope);
    inner.extra = members;
    inner.record = record;
    Ok(token)
}

/// Parses the type. A token of an unknown type must not be used (RFC 6749 §7.1). Missing, null and empty mean Bearer, because some servers
/// omit the type of a Bearer token.
fn token_type(value: Option<Value>) -> Result<Option<String>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if ["bearer", "dpop"].iter().any(|known| text.eq_ignore_ascii_case(known)) => {
            Ok(Some(text))
        }
        Some(Value::String(_)) => Err(Error::malformed("`token_type` is neither Bearer nor DPoP (RFC 6749 §7.1)")),
        Some(_) => Err(Error::malformed("`token_type` is not text")),
    }
}

/// Parses the granted scope. Some servers send an array.
fn scope(value: Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text,
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Parses a number of seconds: a number or a string. Fractions are rounded down, negative numbers are zero, and huge numbers are reduced to
/// 200 years. Null is `None`.
pub(crate) fn seconds(name: &'static str, value: &Value) -> Result<Option<Duration>, Error> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number.filter(|seconds| seconds.is_finite()) {
        // The sum with 1970 must not overflow either: twice `MAX_DURATION` is the year 2169.
        Some(seconds) => Ok(Some(Duration::from_secs(seconds.clamp(0.0, 2.0 * MAX_DURATION.as_secs_f64()) as u64))),
        None => Err(Error::malformed(format!("`{name}` is not a number of seconds"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::clock;
    use crate::error::ErrorKind;

    fn parsed(value: Value) -> Result<Token, Error> {
        let Value::Object(members) = value else { panic!("not an object") };
        from_response(members, clock::now(), &[], IssuedTypes::Bearer)
    }

    fn lifetime(expires_in: Value) -> Option<Option<u64>> {
        let now = clock::now();
        let Value::Object(members) = json!({"access_token": "a", "expires_in": expires_in}) else { unreachable!() };
        let token = from_response(members, now, &[], IssuedTypes::Bearer).ok()?;
        Some(token.remaining(now).map(|lifetime| lifetime.as_secs()))
    }

    #[test]
    fn lifetimes_in_the_variants_that_servers_send() {
        for (written, expected) in [
            (json!(3600), Some(Some(3600))),
            (json!("3600"), Some(Some(3600))),
            (json!(" 3600 "), Some(Some(3600))),
            (json!(3599.9), Some(Some(3599))),
            (json!("3599.9"), Some(Some(3599))),
            (json!(0), Some(Some(0))),
            (json!(-5), Some(Some(0))),
            (json!("-5"), Some(Some(0))),
            (json!(1e300), Some(Some(MAX_DURATION.as_secs()))),
            (json!(u64::MAX), Some(Some(MAX_DURATION.as_secs()))),
            (json!(null), Some(None)),
            (json!("soon"), None),
            (json!(""), None),
            (json!("inf"), None),
            (json!("NaN"), None),
            (json!(true), None),
            (json!([3600]), None),
        ] {
            assert_eq!(lifetime(written.clone()), expected, "{written}");
        }
    }

    #[test]
    fn a_lifetime_of_zero_or_less_can_be_ignored() {
        let now = clock::now();
        for (members, lifetime) in [
            (json!({"access_token": "a", "expires_in": 0}), None),
            (json!({"access_token": "a", "expires_in": "-1"}), None),
            (json!({"access_token": "a", "expires_in": -1.5, "expires_at": 0}), None),
            (json!({"access_token": "a", "expires_in": 1, "expires_at": 0}), Some(1)),
        ] {
            let Value::Object(mut members) = members else { unreachable!() };
            ignore_zero_lifetime(&mut members);
            let token = from_response(members.clone(), now, &[], IssuedTypes::Bearer).unwrap();
            assert_eq!(token.remaining(now).map(|lifetime| lifetime.as_secs()), lifetime, "{members:?}");
        }
        // A text that is not a number is still malformed.
        let Value::Object(mut members) = json!({"access_token": "a", "expires_in": "never"}) else { unreachable!() };
        ignore_zero_lifetime(&mut members);
        from_response(members, now, &[], IssuedTypes::Bearer).unwrap_err();
    }

    #[test]
    fn expires_in_takes_precedence_in_a_response_and_expires_at_in_a_store() {
        let members = || {
            let Value::Object(members) = json!({"access_token": "a", "expires_in": 60, "expires_at": 0}) else {
                unreachable!()
            };
            members
        };
        let now = clock::now();
        assert_eq!(
            from_response(members(), now, &[], IssuedTypes::Bearer).unwrap().remaining(now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(from_store(members(), now).unwrap().remaining(now), Some(Duration::ZERO));
    }

    #[test]
    fn types_in_the_variants_that_servers_send() {
        for (written, expected) in [
            (json!("Bearer"), Some("Bearer")),
            (json!("bearer"), Some("bearer")),
            (json!("BEARER"), Some("BEARER")),
            (json!(""), Some("Bearer")),
            (json!(null), Some("Bearer")),
            (json!("mac"), None),
            (json!("N_A"), None),
            (json!("DPoP"), None),
            (json!(1), None),
        ] {
            let token = parsed(json!({"access_token": "a", "token_type": written}));
            assert_eq!(token.as_ref().ok().map(Token::token_type), expected, "{written}");
        }
    }

    #[test]
    fn d11_a_token_of_a_key_has_the_type_dpop_unless_bearer_is_allowed() {
        use IssuedTypes::{Bearer, Dpop, DpopOrBearer};
        for (written, issued, is_dpop) in [
            (json!("DPoP"), Dpop, Some(true)),
            (json!("dpop"), Dpop, Some(true)),
            (json!("DPOP"), DpopOrBearer, Some(true)),
            (json!("Bearer"), Dpop, None),
            (json!("N_A"), Dpop, None),
            (json!(""), Dpop, None),
            (json!(null), Dpop, None),
            (json!("house"), Dpop, None),
            (json!("Bearer"), DpopOrBearer, Some(false)),
            (json!("house"), DpopOrBearer, Some(false)),
            (json!(null), DpopOrBearer, Some(false)),
            (json!("mac"), DpopOrBearer, None),
            (json!("DPoP"), Bearer, None),
        ] {
            let Value::Object(members) =
                json!({"access_token": "a", "token_type": written, "tower_oauth2": {"dpop_jkt": "x"}})
            else {
                unreachable!()
            };
            let token = from_response(members, clock::now(), &["house".to_owned()], issued);
            let found = token.as_ref().ok().map(Token::is_dpop);
            assert_eq!(found, is_dpop, "{written} {issued:?}");
            match token {
                Ok(token) => assert_eq!((token.record(), token.extra("tower_oauth2")), (&TokenRecord::default(), None)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Malformed),
            }
        }
    }

    #[test]
    fn tokens_that_a_header_cannot_contain_are_malformed() {
        for bad in [json!(""), json!("a b"), json!("a\r\nX-Evil: 1"), json!("tokén"), json!(7), json!(null)] {
            let error = parsed(json!({ "access_token": bad })).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(error.to_string().contains("access_token"), "{error}");
        }
    }

    #[test]
    fn a_refresh_token_that_cannot_be_sent_is_malformed_in_a_response() {
        for bad in ["r\n", "r\u{1}s", "r\u{ffff}"] {
            let Value::Object(members) = json!({"access_token": "a", "refresh_token": bad}) else { unreachable!() };
            let error = from_response(members.clone(), clock::now(), &[], IssuedTypes::Bearer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
            assert!(error.to_string().contains("refresh_token"), "{error}");
            // The application may have changed a stored token, so its use is what fails.
            from_store(members, clock::now()).unwrap();
        }
    }

    #[test]
    fn scope_may_be_a_list_and_the_rest_is_kept() {
        let token = parsed(json!({
            "access_token": "a", "refresh_token": null, "scope": ["read", "write"], "id_token": null, "n": {"x": 1}
        }))
        .unwrap();
        assert_eq!(token.scope(), Some("read write"));
        assert_eq!(token.refresh_token(), None);
        assert_eq!(token.extra("id_token"), Some(&Value::Null));
        assert_eq!(token.extra("n"), Some(&json!({"x": 1})));
        assert_eq!(token.extra("access_token"), None);
    }

    proptest! {
        #[test]
        fn any_lifetime_is_parsed_or_malformed(number: f64, text in ".*") {
            let _ = lifetime(json!(number));
            let _ = lifetime(json!(text));
        }

        #[test]
        fn an_accepted_token_can_be_sent(access_token in ".*") {
            if let Ok(token) = parsed(json!({ "access_token": access_token })) {
                let sent = format!("Bearer {access_token}");
                let header = token.header("Bearer");
                prop_assert_eq!(header.as_bytes(), sent.as_bytes());
                prop_assert!(header.is_sensitive());
            }
        }
    }
}
