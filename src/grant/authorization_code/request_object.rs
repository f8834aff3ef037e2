//! Converts the parameters of an authorization request into the claims of a request object (RFC 9101 §4).

use serde_json::Value;

use crate::form::Form;
use crate::jose::Members;

/// Parameters that are JSON (OpenID Connect Core §5.5, RFC 9396 §2).
const JSON: [&str; 2] = ["claims", "authorization_details"];

/// Returns the claims, in the order of the parameters. Numbers and JSON have their type. A parameter that appears several times is an array.
pub(super) fn claims(form: &Form) -> Members {
    let mut claims = Members::default();
    for (name, _) in form.pairs() {
        let mut values: Vec<Value> = form.pairs().filter(|(other, _)| *other == name).map(typed).collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        claims.set(name, value);
    }
    claims
}

/// Returns the value with its type. A value that does not have this type stays text, so that the server can reject it.
fn typed((name, text): (&str, &str)) -> Value {
    let typed = match name {
        "max_age" => text.parse().ok().map(|seconds: u64| seconds.into()),
        _ if JSON.contains(&name) => {
            serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
        }
        _ => None,
    };
    typed.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_json_have_their_type() {
        for (pairs, expected) in [
            (&[("max_age", "60")][..], json!({"max_age": 60})),
            (&[("max_age", "0")], json!({"max_age": 0})),
            (&[("max_age", "18446744073709551615")], json!({"max_age": u64::MAX})),
            (&[("max_age", "18446744073709551616")], json!({"max_age": "18446744073709551616"})),
            (&[("max_age", "-1")], json!({"max_age": "-1"})),
            (&[("max_age", "")], json!({"max_age": ""})),
            (&[("claims", r#"{"userinfo":{"email":null}}"#)], json!({"claims": {"userinfo": {"email": null}}})),
            (&[("claims", "{")], json!({"claims": "{"})),
            (&[("claims", "7")], json!({"claims": "7"})),
            (&[("authorization_details", r#"[{"type":"a"}]"#)], json!({"authorization_details": [{"type": "a"}]})),
            (&[("resource", "https://a.example")], json!({"resource": "https://a.example"})),
            (&[("resource", "b"), ("x", "y"), ("resource", "a")], json!({"resource": ["b", "a"], "x": "y"})),
            (&[("state", "7"), ("nonce", "true")], json!({"state": "7", "nonce": "true"})),
            (&[], json!({})),
        ] {
            let form = pairs.iter().fold(Form::without_grant_type(), |form, (name, value)| form.param(*name, *value));
            let converted: Value = serde_json::from_str(&claims(&form).to_json()).unwrap();
            assert_eq!(converted, expected, "{pairs:?}");
        }
    }
}
