//! The members of a token answer, read leniently where servers differ and strictly where a mistake would be sent on.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::Token;
use crate::clock::{Deadline, FAR, Now};
use crate::error::Error;
use crate::secret::Secret;

/// Reads the answer of a token endpoint (RFC 6749 §5.1). `expires_in` counts from `now`, and wins over `expires_at`. A type of
/// `bearer_types` means Bearer too.
///
/// # Errors
///
/// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed), naming the member.
pub(crate) fn from_answer(mut members: Map<String, Value>, now: Now, bearer_types: &[String]) -> Result<Token, Error> {
    let token_type = members.get("token_type").and_then(Value::as_str).unwrap_or_default();
    if bearer_types.iter().any(|known| known.eq_ignore_ascii_case(token_type)) {
        // Called by its name from here on: whoever stores the token reads it back.
        members.remove("token_type");
    }
    let expires_at = members.remove("expires_at").and_then(|at| seconds("expires_at", &at).ok().flatten());
    let expiry = match seconds("expires_in", &members.remove("expires_in").unwrap_or_default())? {
        Some(lifetime) => Some(Deadline::after(now, lifetime)),
        None => expires_at.map(|at| Deadline::at(now, SystemTime::UNIX_EPOCH + at)),
    };
    Ok(rest(members)?.with_expiry(expiry))
}

/// Reads a token that was stored: `expires_at` wins, for `expires_in` said when it was issued, not when it is read.
pub(super) fn from_store(mut members: Map<String, Value>, now: Now) -> Result<Token, Error> {
    let lifetime = seconds("expires_in", &members.remove("expires_in").unwrap_or_default())?;
    let expiry = match seconds("expires_at", &members.remove("expires_at").unwrap_or_default())? {
        Some(at) => Some(Deadline::at(now, SystemTime::UNIX_EPOCH + at)),
        None => lifetime.map(|lifetime| Deadline::after(now, lifetime)),
    };
    Ok(rest(members)?.with_expiry(expiry))
}

/// Everything but the expiry.
fn rest(mut members: Map<String, Value>) -> Result<Token, Error> {
    let access_token = match members.remove("access_token") {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => return Err(Error::malformed("`access_token` is missing")),
        Some(_) => return Err(Error::malformed("`access_token` is not text")),
    };
    let mut token = Token::bearer(access_token).map_err(|_| {
        Error::malformed("`access_token` is empty or holds more than visible ASCII, which no header can carry")
    })?;
    let inner = token.inner();
    if let Some(token_type) = token_type(members.remove("token_type"))? {
        inner.token_type = token_type;
    }
    inner.refresh_token = match members.remove("refresh_token") {
        Some(Value::String(text)) if !text.is_empty() => Some(Secret::new(text)),
        Some(Value::Null | Value::String(_)) | None => None,
        Some(_) => return Err(Error::malformed("`refresh_token` is not text")),
    };
    inner.scope = members.remove("scope").and_then(scope);
    inner.extra = members;
    Ok(token)
}

/// A token of a type that is not understood must not be used (RFC 6749 §7.1). Missing, null and empty mean Bearer: the
/// field has servers that leave it out, and none that then mean something else.
fn token_type(value: Option<Value>) -> Result<Option<String>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("bearer") => Ok(Some(text)),
        Some(Value::String(_)) => Err(Error::malformed("`token_type` is not Bearer (RFC 6749 §7.1)")),
        Some(_) => Err(Error::malformed("`token_type` is not text")),
    }
}

/// What the server says it granted. Some send a list.
fn scope(value: Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text,
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A number of seconds: a number, or text that holds one. Fractions of lifetimes are cut off, negative is zero, huge is a
/// hundred years from now or more; null is none.
pub(crate) fn seconds(name: &'static str, value: &Value) -> Result<Option<Duration>, Error> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number.filter(|seconds| seconds.is_finite()) {
        // The sum with 1970 must not overflow either: twice `FAR` is the year 2169.
        Some(seconds) => Ok(Some(Duration::from_secs(seconds.clamp(0.0, 2.0 * FAR.as_secs_f64()) as u64))),
        None => Err(Error::malformed(format!("`{name}` is no number of seconds"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::clock;
    use crate::error::ErrorKind;

    fn answer(value: Value) -> Result<Token, Error> {
        let Value::Object(members) = value else { panic!("not an object") };
        from_answer(members, clock::now(), &[])
    }

    fn lifetime(expires_in: Value) -> Option<Option<u64>> {
        let now = clock::now();
        let Value::Object(members) = json!({"access_token": "a", "expires_in": expires_in}) else { unreachable!() };
        let token = from_answer(members, now, &[]).ok()?;
        Some(token.lifetime(now).map(|lifetime| lifetime.as_secs()))
    }

    #[test]
    fn lifetimes_as_servers_write_them() {
        for (written, read) in [
            (json!(3600), Some(Some(3600))),
            (json!("3600"), Some(Some(3600))),
            (json!(" 3600 "), Some(Some(3600))),
            (json!(3599.9), Some(Some(3599))),
            (json!("3599.9"), Some(Some(3599))),
            (json!(0), Some(Some(0))),
            (json!(-5), Some(Some(0))),
            (json!("-5"), Some(Some(0))),
            (json!(1e300), Some(Some(FAR.as_secs()))),
            (json!(u64::MAX), Some(Some(FAR.as_secs()))),
            (json!(null), Some(None)),
            (json!("soon"), None),
            (json!(""), None),
            (json!("inf"), None),
            (json!("NaN"), None),
            (json!(true), None),
            (json!([3600]), None),
        ] {
            assert_eq!(lifetime(written.clone()), read, "{written}");
        }
    }

    #[test]
    fn expires_in_wins_in_an_answer_and_expires_at_in_a_store() {
        let members = || {
            let Value::Object(members) = json!({"access_token": "a", "expires_in": 60, "expires_at": 0}) else {
                unreachable!()
            };
            members
        };
        let now = clock::now();
        assert_eq!(from_answer(members(), now, &[]).unwrap().lifetime(now), Some(Duration::from_secs(60)));
        assert_eq!(from_store(members(), now).unwrap().lifetime(now), Some(Duration::ZERO));
    }

    #[test]
    fn types_as_servers_write_them() {
        for (written, read) in [
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
            let token = answer(json!({"access_token": "a", "token_type": written}));
            assert_eq!(token.as_ref().ok().map(Token::token_type), read, "{written}");
        }
    }

    #[test]
    fn tokens_that_no_header_can_carry_are_refused() {
        for bad in [json!(""), json!("a b"), json!("a\r\nX-Evil: 1"), json!("tokén"), json!(7), json!(null)] {
            let error = answer(json!({ "access_token": bad })).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(error.to_string().contains("access_token"), "{error}");
        }
    }

    #[test]
    fn scope_may_be_a_list_and_the_rest_is_kept() {
        let token = answer(json!({
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
        fn any_lifetime_is_read_or_refused(number: f64, text in ".*") {
            let _ = lifetime(json!(number));
            let _ = lifetime(json!(text));
        }

        #[test]
        fn what_is_accepted_can_be_sent(access_token in ".*") {
            if let Ok(token) = answer(json!({ "access_token": access_token })) {
                let sent = format!("Bearer {access_token}");
                prop_assert_eq!(token.header().as_bytes(), sent.as_bytes());
                prop_assert!(token.header().is_sensitive());
            }
        }
    }
}
